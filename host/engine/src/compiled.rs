//! Compiled components, kept between processes: compiling the default bundle takes a second or more, reading
//! it back a few milliseconds.
//!
//! What is read back runs as it is, unchecked. So the folder must be its user's alone, as a program's own
//! file would be, and so must each file in it. A file is named by the digest of the component and by everything
//! else that its code hangs on, is put in its place whole, and begins with the digest of the rest. Whatever is
//! wrong with the folder or a file, the component is compiled. Who must not trust the folder leaves it out
//! ([`EngineOptions::compiled`](crate::EngineOptions::compiled)).

use std::fs::{DirBuilder, Metadata, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use wasmtime::component::Component;

/// Files that are kept; of more the oldest go.
const MOST: usize = 256;
const EXTENSION: &str = "cwasm";
/// Bytes of a digest.
const DIGEST: usize = 32;

/// Stack of the thread that compiles: that of a program's first one.
const COMPILER_STACK: usize = 8 << 20;

/// Compiles a component within a time, or reads back what an earlier process has compiled of the same bytes.
///
/// # Errors
/// When it cannot be compiled, or takes longer.
pub(crate) fn component(
    engine: &wasmtime::Engine,
    fingerprint: &str,
    folder: Option<&Path>,
    bytes: &[u8],
    deadline: Duration,
) -> wasmtime::Result<Component> {
    let Some(folder) = folder.filter(|folder| is_private_folder(folder)) else {
        return compile(engine, bytes, deadline);
    };
    let path = folder.join(name(fingerprint, bytes));
    if let Some(component) = read_back(engine, &path) {
        return Ok(component);
    }
    let component = compile(engine, bytes, deadline)?;
    // The next process compiles it again, then.
    let _ = component.serialize().map(|compiled| keep(folder, &path, &compiled));
    Ok(component)
}

/// Nothing can stop the compiler: it works on a thread of its own, and whoever waits for it stops waiting.
fn compile(engine: &wasmtime::Engine, bytes: &[u8], deadline: Duration) -> wasmtime::Result<Component> {
    let (done, compiled) = mpsc::channel();
    let (compiler, own) = (engine.clone(), bytes.to_vec());
    let thread = std::thread::Builder::new().name("countersign-compile".to_owned()).stack_size(COMPILER_STACK);
    thread.spawn(move || done.send(Component::new(&compiler, &own)))?;
    compiled.recv_timeout(deadline).unwrap_or_else(|_| {
        let seconds = deadline.as_secs_f64();
        Err(wasmtime::Error::msg(format!(
            "it takes longer than {seconds} s; a policy of the size of the default ones takes less than one: look \
             whether its build is optimised, and for one function that is far larger than the others"
        )))
    })
}

fn name(fingerprint: &str, bytes: &[u8]) -> PathBuf {
    let digest = Sha256::new().chain_update(fingerprint).chain_update([0]).chain_update(bytes).finalize();
    PathBuf::from(countersign_contract::hex(&digest)).with_extension(EXTENSION)
}

#[expect(unsafe_code, reason = "the one place where compiled code is loaded; see the module")]
fn read_back(engine: &wasmtime::Engine, path: &Path) -> Option<Component> {
    let metadata = std::fs::symlink_metadata(path).ok()?;
    if !metadata.is_file() || !is_private(&metadata) {
        return None;
    }
    let bytes = std::fs::read(path).ok()?;
    let (digest, compiled) = bytes.split_at_checked(DIGEST)?;
    if *Sha256::digest(compiled) != *digest {
        return None;
    }
    // SAFETY: these bytes are what `keep` of this or an earlier process of the same user has written, by their
    // digest, under the name of its component and of the engine's settings, into a folder that nobody else may
    // write to. Wasmtime refuses what another version or other settings have compiled.
    unsafe { Component::deserialize(engine, compiled) }.ok()
}

/// Makes the folder, where there is none; whether nobody but this user may write to it.
fn is_private_folder(folder: &Path) -> bool {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let made = builder.create(folder).and_then(|()| std::fs::metadata(folder));
    made.is_ok_and(|metadata| metadata.is_dir() && is_private(&metadata))
}

#[cfg(unix)]
fn is_private(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0
}

/// Elsewhere nobody can say whose a file is.
#[cfg(not(unix))]
fn is_private(_: &Metadata) -> bool {
    false
}

/// Puts a file in its place whole, and lets the oldest of them go.
fn keep(folder: &Path, path: &Path, compiled: &[u8]) -> std::io::Result<()> {
    let part = path.with_extension(format!("{}.part", std::process::id()));
    if let Err(error) = write(&part, compiled).and_then(|()| std::fs::rename(&part, path)) {
        let _ = std::fs::remove_file(&part);
        return Err(error);
    }
    let mut kept: Vec<(SystemTime, PathBuf)> = std::fs::read_dir(folder)?
        .flatten()
        .filter(|entry| is_ours(&entry.path()))
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    kept.sort();
    let too_many = kept.len().saturating_sub(MOST);
    kept.iter().take(too_many).try_for_each(|(_, path)| std::fs::remove_file(path))
}

fn write(part: &Path, compiled: &[u8]) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(part)?;
    file.write_all(&Sha256::digest(compiled))?;
    file.write_all(compiled)?;
    file.sync_all()
}

/// Whether a file has a name that [`name`] gives: whatever else lies in the folder is somebody's own.
fn is_ours(path: &Path) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    path.extension().is_some_and(|extension| extension == EXTENSION)
        && stem.len() == 2 * DIGEST
        && stem.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";
    const LONG: Duration = Duration::from_secs(600);

    fn kept(folder: &Path) -> Vec<PathBuf> {
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    }

    #[test]
    fn the_second_process_reads_back_and_a_damaged_file_is_compiled_again() -> wasmtime::Result<()> {
        let temporary = tempfile::tempdir()?;
        let (engine, folder) = (wasmtime::Engine::default(), temporary.path().join("a/b"));
        component(&engine, "one", Some(&folder), EMPTY, LONG)?;
        let files = kept(&folder);
        assert_eq!(files.len(), 1, "{files:?}");
        assert!(read_back(&engine, &files[0]).is_some());
        component(&engine, "one", Some(&folder), EMPTY, LONG)?;
        component(&engine, "other settings", Some(&folder), EMPTY, LONG)?;
        assert_eq!(kept(&folder).len(), 2);
        let mut damaged = std::fs::read(&files[0])?;
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        std::fs::write(&files[0], damaged)?;
        assert!(read_back(&engine, &files[0]).is_none());
        component(&engine, "one", Some(&folder), EMPTY, LONG)?;
        assert!(read_back(&engine, &files[0]).is_some(), "written anew");
        Ok(())
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_not_used() -> wasmtime::Result<()> {
        let temporary = tempfile::tempdir()?;
        let (engine, folder) = (wasmtime::Engine::default(), temporary.path().join("shared"));
        std::fs::create_dir(&folder)?;
        std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o777))?;
        component(&engine, "one", Some(&folder), EMPTY, LONG)?;
        assert!(kept(&folder).is_empty());
        // Nor is one that cannot be made.
        std::fs::write(temporary.path().join("file"), "")?;
        component(&engine, "one", Some(&temporary.path().join("file/below")), EMPTY, LONG)?;
        Ok(())
    }

    #[test]
    fn nobody_waits_for_the_compiler_for_ever() {
        let error = component(&wasmtime::Engine::default(), "one", None, EMPTY, Duration::ZERO).err();
        let error = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(error.starts_with("it takes longer than 0 s; "), "{error}");
    }

    #[test]
    fn the_oldest_go() -> std::io::Result<()> {
        let temporary = tempfile::tempdir()?;
        for number in 0..9 {
            std::fs::write(temporary.path().join(format!("letter-{number}.txt")), "mine")?;
        }
        for number in 0..MOST + 3 {
            keep(temporary.path(), &temporary.path().join(name(&number.to_string(), b"")), b"x")?;
        }
        assert_eq!(kept(temporary.path()).len(), MOST + 9);
        Ok(())
    }
}
