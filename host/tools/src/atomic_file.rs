//! Files that are there whole or not at all.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Who may read a file that was not there before. One that was keeps what its owner has allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Its owner alone, whatever the umask says: what comes of runs.
    Owner,
    /// Whoever the umask lets: what people hand on, such as bundles and components.
    ByUmask,
}

/// Writes a file under a temporary name and renames it. A device or a pipe is written to as it is: a rename would
/// put a file in its place.
///
/// # Errors
/// When the folder cannot be written to.
pub fn write_atomically(path: &Path, bytes: &[u8], readers: Readers) -> std::io::Result<()> {
    if std::fs::metadata(path).is_ok_and(|about| !about.is_file() && !about.is_dir()) {
        return std::fs::OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let mut file = AtomicFile::create(path, readers)?;
    file.write_all(bytes)?;
    file.finish()
}

/// A file that has its name once it is whole. Dropped before that, it leaves nothing behind.
#[derive(Debug)]
pub struct AtomicFile {
    file: BufWriter<NamedTempFile>,
    path: PathBuf,
}

impl AtomicFile {
    /// Begins it, under a temporary name in the folder of its own.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn create(path: &Path, readers: Readers) -> std::io::Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".countersign-");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(match readers {
                Readers::Owner => 0o600,
                Readers::ByUmask => 0o666,
            }));
        }
        let file = builder.tempfile_in(folder)?;
        Ok(AtomicFile { file: BufWriter::new(file), path: path.to_owned() })
    }

    /// Gives it its name.
    ///
    /// # Errors
    /// When it cannot be written whole.
    pub fn finish(self) -> std::io::Result<()> {
        let file = self.file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        // A link is replaced, not followed: it is not asked either.
        if let Ok(before) = std::fs::symlink_metadata(&self.path)
            && before.is_file()
        {
            file.as_file().set_permissions(before.permissions())?;
        }
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> std::io::Result<u32> {
        Ok(std::fs::metadata(path)?.permissions().mode() & 0o777)
    }

    #[test]
    fn a_new_file_is_its_owners_and_an_old_one_keeps_its_readers() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let (own, handed_on) = (folder.path().join("own"), folder.path().join("handed-on"));
        write_atomically(&own, b"1", Readers::Owner)?;
        assert_eq!(mode(&own)?, 0o600);
        // As any file that is made here.
        write_atomically(&handed_on, b"1", Readers::ByUmask)?;
        let plain = folder.path().join("plain");
        std::fs::write(&plain, "")?;
        assert_eq!(mode(&handed_on)?, mode(&plain)?);
        for kept in [0o600, 0o640, 0o644] {
            for readers in [Readers::Owner, Readers::ByUmask] {
                std::fs::set_permissions(&own, std::fs::Permissions::from_mode(kept))?;
                write_atomically(&own, b"2", readers)?;
                assert_eq!(mode(&own)?, kept, "{readers:?}");
            }
        }
        assert_eq!(std::fs::read(&own)?, b"2");
        Ok(())
    }
}
