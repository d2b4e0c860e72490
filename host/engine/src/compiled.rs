//! Compiled components, kept between processes: compiling the default bundle takes a second or more, reading
//! it back a few milliseconds.
//!
//! What is read back runs as it is, unchecked. So the folder must be its user's alone, as a program's own
//! file would be, and so must each file in it ([`PrivateFolder`]). A file is named by the digest of the component and
//! by everything else that its code hangs on, is put in its place whole, and begins with the digest of the rest.
//! Whatever is wrong with the folder or a file, the component is compiled. Who must not trust the folder leaves it out
//! ([`EngineOptions::compiled`](crate::EngineOptions::compiled)).

use std::path::Path;

use sha2::{Digest, Sha256};
use wasmtime::component::Component;

use crate::compiler::{Compiled, compile};
use crate::options::EngineOptions;
#[cfg(unix)]
use crate::private_folder::PrivateFolder;

/// Files that are kept; of more the oldest go.
const MOST: usize = 256;
const EXTENSION: &str = ".cwasm";
/// Bytes of a digest.
const DIGEST: usize = 32;

/// Compiles a component within a time, or reads back what an earlier process has compiled of the same bytes.
///
/// # Errors
/// When it cannot be compiled, or takes longer.
pub(crate) fn component(
    engine: &wasmtime::Engine,
    fingerprint: &str,
    options: &EngineOptions,
    bytes: &[u8],
) -> wasmtime::Result<Component> {
    let Some(folder) = options.compiled.as_deref().and_then(folder) else {
        return match compile(engine, options, bytes)? {
            Compiled::Component(component) => Ok(component),
            Compiled::Code(code) => load(engine, &code),
        };
    };
    let name = name(fingerprint, bytes);
    if let Some(component) = read_back(engine, &folder, &name) {
        return Ok(component);
    }
    let (component, code) = match compile(engine, options, bytes)? {
        Compiled::Component(component) => {
            let code = component.serialize()?;
            (component, code)
        }
        Compiled::Code(code) => (load(engine, &code)?, code),
    };
    // Where it cannot be kept the next process compiles it again.
    let _ = keep(&folder, &name, &code);
    Ok(component)
}

fn name(fingerprint: &str, bytes: &[u8]) -> String {
    let digest = Sha256::new().chain_update(fingerprint).chain_update([0]).chain_update(bytes).finalize();
    countersign_contract::hex(&digest) + EXTENSION
}

fn folder(path: &Path) -> Option<PrivateFolder> {
    let folder = PrivateFolder::open(path);
    if folder.is_none() {
        tracing::debug!(folder = %path.display(), "compiled policies are not kept: others could write there");
    }
    folder
}

fn read_back(engine: &wasmtime::Engine, folder: &PrivateFolder, name: &str) -> Option<Component> {
    let bytes = folder.read(name)?;
    let (digest, compiled) = bytes.split_at_checked(DIGEST)?;
    if *Sha256::digest(compiled) != *digest {
        return None;
    }
    load(engine, compiled).ok()
}

#[expect(unsafe_code, reason = "the one place where compiled code is loaded; see the module")]
fn load(engine: &wasmtime::Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: either the host's own compiler has made it of bytes that it was handed just now, and is as trusted as
    // the host; or `keep` of this or an earlier process of the same user has written it, by its digest, under the name
    // of its component and of the engine's settings, into a folder that nobody else may write to. Wasmtime refuses
    // what another version or other settings have compiled.
    unsafe { Component::deserialize(engine, code) }
}

/// Puts a file in its place whole, and lets the oldest of them go.
fn keep(folder: &PrivateFolder, name: &str, compiled: &[u8]) -> std::io::Result<()> {
    folder.put(name, &[&Sha256::digest(compiled), compiled])?;
    folder.keep_newest(MOST, is_ours)
}

/// Whether a file has a name that [`name`] gives: whatever else lies in the folder is somebody's own.
fn is_ours(name: &str) -> bool {
    let stem = name.strip_suffix(EXTENSION).unwrap_or_default();
    stem.len() == 2 * DIGEST && stem.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Elsewhere nobody can say whose a file is: nothing is kept.
#[cfg(not(unix))]
struct PrivateFolder;

#[cfg(not(unix))]
impl PrivateFolder {
    fn open(_: &Path) -> Option<Self> {
        None
    }
    fn read(&self, _: &str) -> Option<Vec<u8>> {
        None
    }
    fn put(&self, _: &str, _: &[&[u8]]) -> std::io::Result<()> {
        Ok(())
    }
    fn keep_newest(&self, _: usize, _: impl Fn(&str) -> bool) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn kept(folder: &Path) -> Vec<PathBuf> {
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    }

    fn compiled(fingerprint: &str, folder: &Path) -> wasmtime::Result<Component> {
        let options = EngineOptions { compiled: Some(folder.to_owned()), ..EngineOptions::default() };
        component(&wasmtime::Engine::default(), fingerprint, &options, EMPTY)
    }

    fn is_read_back(folder: &Path, name: &str) -> bool {
        folder_of(folder).is_some_and(|folder| read_back(&wasmtime::Engine::default(), &folder, name).is_some())
    }

    fn folder_of(path: &Path) -> Option<PrivateFolder> {
        PrivateFolder::open(path)
    }

    fn mode(path: &Path, mode: u32) -> std::io::Result<()> {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode))
    }

    #[test]
    fn the_second_process_reads_back_and_a_damaged_file_is_compiled_again() -> wasmtime::Result<()> {
        let temporary = tempfile::tempdir()?;
        let folder = temporary.path().join("a/b");
        compiled("one", &folder)?;
        let files = kept(&folder);
        assert_eq!(files.len(), 1, "{files:?}");
        let name = name("one", EMPTY);
        assert!(is_read_back(&folder, &name));
        compiled("one", &folder)?;
        compiled("other settings", &folder)?;
        assert_eq!(kept(&folder).len(), 2);
        let mut damaged = std::fs::read(&files[0])?;
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        std::fs::write(&files[0], damaged)?;
        assert!(!is_read_back(&folder, &name));
        compiled("one", &folder)?;
        assert!(is_read_back(&folder, &name), "written anew");
        Ok(())
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_not_used() -> wasmtime::Result<()> {
        let temporary = tempfile::tempdir()?;
        let shared = temporary.path().join("shared");
        std::fs::create_dir(&shared)?;
        mode(&shared, 0o777)?;
        compiled("one", &shared)?;
        assert!(kept(&shared).is_empty());
        // Nor is one below: the others could put another in its place.
        compiled("one", &shared.join("own"))?;
        assert!(kept(&shared).is_empty());
        // In a folder like `/tmp` nobody can.
        mode(&shared, 0o1777)?;
        compiled("one", &shared.join("own"))?;
        assert_eq!(kept(&shared.join("own")).len(), 1);
        // Nor is one that cannot be made.
        std::fs::write(temporary.path().join("file"), "")?;
        compiled("one", &temporary.path().join("file/below"))?;
        Ok(())
    }

    #[test]
    fn a_file_that_is_a_link_or_that_others_may_write_to_is_not_read() -> wasmtime::Result<()> {
        let temporary = tempfile::tempdir()?;
        let (folder, name) = (temporary.path().join("own"), name("one", EMPTY));
        compiled("one", &folder)?;
        let (file, elsewhere) = (folder.join(&name), temporary.path().join("elsewhere"));
        mode(&file, 0o666)?;
        assert!(!is_read_back(&folder, &name));
        mode(&file, 0o600)?;
        assert!(is_read_back(&folder, &name));
        std::fs::rename(&file, &elsewhere)?;
        symlink(&elsewhere, &file)?;
        assert!(!is_read_back(&folder, &name));
        // A link to the folder is as good as the folder.
        let link = temporary.path().join("link");
        symlink(&folder, &link)?;
        compiled("two", &link)?;
        assert_eq!(kept(&folder).len(), 2);
        Ok(())
    }

    #[test]
    fn nobody_waits_for_the_compiler_for_ever() {
        let options = EngineOptions { compile_deadline: Duration::ZERO, ..EngineOptions::default() };
        // The largest default policy takes a good part of a second.
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/bundle/guard.wasm");
        let large = std::fs::read(path).unwrap_or_default();
        let error = component(&wasmtime::Engine::default(), "one", &options, &large).err();
        let error = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(error.starts_with("it takes longer than 0 s; "), "{error}");
    }

    #[test]
    fn the_oldest_go() -> std::io::Result<()> {
        let temporary = tempfile::tempdir()?;
        for number in 0..9 {
            std::fs::write(temporary.path().join(format!("letter-{number}.txt")), "mine")?;
        }
        let folder = folder_of(temporary.path()).ok_or(std::io::ErrorKind::PermissionDenied)?;
        for number in 0..MOST + 3 {
            keep(&folder, &name(&number.to_string(), b""), b"x")?;
        }
        assert_eq!(kept(temporary.path()).len(), MOST + 9);
        Ok(())
    }
}
