//! Where the file of a store lies: whether it can be written there, and how it comes to be there.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use super::names::{beside, resolved};
use super::schema;
use crate::error::StorageError;

/// Names that are tried for a file that is being made.
const NAMES: u32 = 1000;

/// Whether a store can be written there, or made where there is none. A file that is marked as read-only is not,
/// whoever asks.
pub(super) fn is_writable(file: &Path) -> bool {
    match std::fs::metadata(file) {
        Ok(about) => !about.permissions().readonly() && admitted(file),
        Err(_) => true,
    }
}

/// Whether the system lets this process write the file, and what SQLite puts beside it. The files are not opened for
/// it: where they are closed again, the system takes all locks on them from this process, also those by which SQLite
/// keeps other processes from clearing its log away.
#[cfg(unix)]
fn admitted(file: &Path) -> bool {
    use rustix::fs::{Access, access};
    let may = |path: &Path| access(path, Access::WRITE_OK).is_ok();
    let all = |ends: [&str; 2]| ends.iter().all(|end| may(&beside(file, end)));
    may(file) && (may(&folder(&resolved(file))) || all(["-wal", "-shm"]))
}

#[cfg(not(unix))]
fn admitted(_: &Path) -> bool {
    true
}

fn folder(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Makes a store, where there is no file of its name yet: whole, and for its owner alone. It has its name once all of
/// it is there, so that nobody ever takes half a store, or what was left of one, for a new one. SQLite gives what it
/// puts beside it the same permissions.
///
/// # Errors
/// A place that nothing can be written to.
pub(super) fn make(file: &Path, name: &str) -> Result<(), StorageError> {
    if file.symlink_metadata().is_ok() {
        return Ok(());
    }
    let failed = |source: Error| match source.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            StorageError::ReadOnly { store: name.to_owned() }
        }
        ErrorKind::StorageFull => StorageError::Full { store: name.to_owned() },
        _ => StorageError::failed(name, source),
    };
    let folder = folder(file);
    let mut folders = DirBuilder::new();
    folders.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folders, 0o700);
    folders.create(&folder).map_err(failed)?;
    let aside = aside(name).map_err(failed)?;
    let made = schema::create(&aside).and_then(|()| {
        match named(Path::new(&aside), file) {
            // Another process was faster, and its store is as good.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(failed(error)),
            Ok(()) => sync(&folder).map_err(failed),
        }
    });
    for end in ["", "-wal", "-shm", "-journal"] {
        let _ = std::fs::remove_file(format!("{aside}{end}"));
    }
    made
}

/// Gives a file its name, unless another one has it: a link or a rename of its own kind fails then, where a plain rename
/// would replace what is there. Some file systems know no links.
fn named(aside: &Path, file: &Path) -> std::io::Result<()> {
    match std::fs::hard_link(aside, file) {
        #[cfg(target_os = "linux")]
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            use rustix::fs::{CWD, RenameFlags, renameat_with};
            renameat_with(CWD, aside, CWD, file, RenameFlags::NOREPLACE).map_err(Into::into)
        }
        linked => linked,
    }
}

/// Has the system keep the names of a folder.
fn sync(folder: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// An empty file beside the one that is to be made.
fn aside(name: &str) -> std::io::Result<String> {
    let mut options = OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let process = std::process::id();
    for number in 0..NAMES {
        let aside = format!("{name}.{process}-{number}.new");
        match options.open(&aside) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => return made.map(|_| aside),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}
