//! A sink that is a file of JSON lines.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{FileSpec, SinkError};

pub struct FileSink {
    path: PathBuf,
}

impl FileSink {
    pub fn new(sink: usize, spec: &FileSpec, base_dir: &Path) -> Result<Self, SinkError> {
        let refused = |problem| Err(SinkError::Path { sink, path: spec.path.clone(), problem });
        if spec.path.file_name().is_none() {
            return refused("no file name");
        }
        let path = base_dir.join(&spec.path);
        if path.is_dir() {
            return refused("a folder");
        }
        Ok(FileSink { path })
    }

    /// Whether it could be written. Nothing is made.
    pub fn try_out(&self) -> Result<(), String> {
        let told = |error: std::io::Error| format!("cannot write `{}`: {error}", self.path.display());
        if self.path.exists() {
            return OpenOptions::new().append(true).open(&self.path).map(drop).map_err(told);
        }
        let folder = self.path.ancestors().skip(1).find(|folder| folder.exists());
        let Some(folder) = folder else { return Ok(()) };
        match folder.metadata() {
            Ok(found) if found.is_dir() && !found.permissions().readonly() => Ok(()),
            Ok(_) => {
                Err(format!("cannot write `{}`: nothing can be made in `{}`", self.path.display(), folder.display()))
            }
            Err(error) => Err(told(error)),
        }
    }

    pub fn send(&self, body: &[u8]) -> Result<(), String> {
        append(&self.path, body).map_err(|error| format!("cannot write `{}`: {error}", self.path.display()))
    }
}

fn append(path: &Path, body: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        let mut owner = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut owner, 0o700);
        owner.recursive(true).create(folder)?;
    }
    let created = !path.exists();
    let mut options = OpenOptions::new();
    options.create(true).append(true).read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    // Several processes may share the file, and a long line may take more than one write.
    file.lock()?;
    let mut line = Vec::with_capacity(body.len() + 2);
    if breaks_off(&mut file)? {
        // A crash left half a line: it stays, and this item begins a line of its own.
        line.push(b'\n');
    }
    line.extend_from_slice(body);
    line.push(b'\n');
    file.write_all(&line)?;
    file.sync_all()?;
    #[cfg(unix)]
    if created && let Some(folder) = folder {
        // The name has to survive too.
        File::open(folder)?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = created;
    Ok(())
}

fn breaks_off(file: &mut File) -> std::io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != [b'\n'])
}
