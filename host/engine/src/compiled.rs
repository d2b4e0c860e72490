//! Compiled components, kept between processes: compiling the default bundle takes a second or more, reading
//! it back a few milliseconds.
//!
//! What is read back runs as it is, unchecked. So the folder must be its user's alone, as a program's own
//! file would be; a file is named by the digest of the component and by everything else that its code hangs
//! on, and is put in its place whole. Whatever is wrong with the folder or a file, the component is compiled.
//! Who must not trust the folder leaves it out ([`EngineOptions::compiled`](crate::EngineOptions::compiled)).

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use wasmtime::component::Component;

/// Files that are kept; of more the oldest go.
const MOST: usize = 256;
const EXTENSION: &str = "cwasm";

/// Compiles a component, or reads back what an earlier process has compiled of the same bytes.
///
/// # Errors
/// When it cannot be compiled.
pub(crate) fn component(
    engine: &wasmtime::Engine,
    fingerprint: &str,
    folder: Option<&Path>,
    bytes: &[u8],
) -> wasmtime::Result<Component> {
    let Some(folder) = folder.filter(|folder| own(folder)) else { return Component::new(engine, bytes) };
    let path = folder.join(name(fingerprint, bytes));
    if let Some(component) = read_back(engine, &path) {
        return Ok(component);
    }
    let component = Component::new(engine, bytes)?;
    // The next process compiles it again, then.
    let _ = component.serialize().map(|compiled| keep(folder, &path, &compiled));
    Ok(component)
}

fn name(fingerprint: &str, bytes: &[u8]) -> PathBuf {
    let digest = Sha256::new().chain_update(fingerprint).chain_update([0]).chain_update(bytes).finalize();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    PathBuf::from(hex).with_extension(EXTENSION)
}

#[expect(unsafe_code, reason = "the one place where compiled code is loaded; see the module")]
fn read_back(engine: &wasmtime::Engine, path: &Path) -> Option<Component> {
    if !path.exists() {
        return None;
    }
    // SAFETY: the file was written by `keep` of this or an earlier process of the same user, whole, under the
    // digest of its component and of the engine's settings, into a folder that nobody else may write to. It is
    // never changed in its place. Wasmtime refuses what another version or other settings have compiled.
    unsafe { Component::deserialize_file(engine, path) }.ok()
}

/// Makes the folder, where there is none; whether it is one that nobody but this user may write to.
#[cfg(unix)]
fn own(folder: &Path) -> bool {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    let Ok(metadata) = made.and_then(|()| std::fs::symlink_metadata(folder)) else { return false };
    metadata.is_dir() && metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0
}

/// Elsewhere nobody can say whose a folder is.
#[cfg(not(unix))]
fn own(_: &Path) -> bool {
    false
}

/// Puts a file in its place whole, and lets the oldest go.
fn keep(folder: &Path, path: &Path, compiled: &[u8]) -> std::io::Result<()> {
    let part = path.with_extension(format!("{}.part", std::process::id()));
    let written = File::create(&part).and_then(|mut file| file.write_all(compiled).and_then(|()| file.sync_all()));
    if let Err(error) = written.and_then(|()| std::fs::rename(&part, path)) {
        let _ = std::fs::remove_file(&part);
        return Err(error);
    }
    let mut kept: Vec<(SystemTime, PathBuf)> = std::fs::read_dir(folder)?
        .flatten()
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    kept.sort();
    let too_many = kept.len().saturating_sub(MOST);
    kept.iter().take(too_many).try_for_each(|(_, path)| std::fs::remove_file(path))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn kept(folder: &Path) -> Vec<PathBuf> {
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    }

    #[test]
    fn the_second_process_reads_back_and_a_damaged_file_is_compiled_again() -> wasmtime::Result<()> {
        let temporary = tempfile::tempdir()?;
        let (engine, folder) = (wasmtime::Engine::default(), temporary.path().join("a/b"));
        component(&engine, "one", Some(&folder), EMPTY)?;
        let files = kept(&folder);
        assert_eq!(files.len(), 1, "{files:?}");
        assert!(read_back(&engine, &files[0]).is_some());
        component(&engine, "one", Some(&folder), EMPTY)?;
        component(&engine, "other settings", Some(&folder), EMPTY)?;
        assert_eq!(kept(&folder).len(), 2);
        std::fs::write(&files[0], "damaged")?;
        assert!(read_back(&engine, &files[0]).is_none());
        component(&engine, "one", Some(&folder), EMPTY)?;
        assert!(read_back(&engine, &files[0]).is_some(), "written anew");
        Ok(())
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_not_used() -> wasmtime::Result<()> {
        let temporary = tempfile::tempdir()?;
        let (engine, folder) = (wasmtime::Engine::default(), temporary.path().join("shared"));
        std::fs::create_dir(&folder)?;
        std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o777))?;
        component(&engine, "one", Some(&folder), EMPTY)?;
        assert!(kept(&folder).is_empty());
        // Nor is one that cannot be made.
        std::fs::write(temporary.path().join("file"), "")?;
        component(&engine, "one", Some(&temporary.path().join("file/below")), EMPTY)?;
        Ok(())
    }

    #[test]
    fn the_oldest_go() -> std::io::Result<()> {
        let temporary = tempfile::tempdir()?;
        for number in 0..MOST + 3 {
            keep(temporary.path(), &temporary.path().join(format!("{number}.cwasm")), b"x")?;
        }
        assert_eq!(kept(temporary.path()).len(), MOST);
        Ok(())
    }
}
