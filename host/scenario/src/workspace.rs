//! The folder that a scenario's tools work in.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use countersign_kernel::contract::Key;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// Files and bytes beyond which a state is not hashed.
const MOST_FILES: usize = 2_000;
const MOST_BYTES: u64 = 32 << 20;

/// A folder with the scenario's files: a fresh one that is gone when the run is over, or one that
/// stays with the run.
pub enum Workspace {
    Fresh(TempDir),
    Kept(PathBuf),
}

impl Workspace {
    pub fn create(files: &BTreeMap<String, String>) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("countersign-").tempdir()?;
        fill(folder.path(), files)?;
        Ok(Workspace::Fresh(folder))
    }

    /// Makes one that stays.
    pub fn at(folder: PathBuf, files: &BTreeMap<String, String>) -> io::Result<Self> {
        let mut owner = std::fs::DirBuilder::new();
        // What a run's tools write is its owner's alone.
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut owner, 0o700);
        owner.recursive(true).create(&folder)?;
        fill(&folder, files)?;
        Ok(Workspace::Kept(folder))
    }

    /// One that is there already.
    pub fn again(folder: PathBuf) -> Self {
        Workspace::Kept(folder)
    }

    pub fn path(&self) -> &Path {
        match self {
            Workspace::Fresh(folder) => folder.path(),
            Workspace::Kept(folder) => folder,
        }
    }

    /// Hash of every file's path and content; none when there is too much of it.
    pub fn state(&self) -> Option<Key> {
        let mut files = Vec::new();
        collect(self.path(), Path::new(""), &mut files).ok()?;
        files.sort();
        let mut hasher = Sha256::new();
        let mut bytes = 0;
        for name in &files {
            let content = std::fs::read(self.path().join(name)).ok()?;
            bytes += content.len() as u64;
            if bytes > MOST_BYTES {
                return None;
            }
            hasher.update((name.len() as u64).to_le_bytes());
            hasher.update(name.as_bytes());
            hasher.update((content.len() as u64).to_le_bytes());
            hasher.update(&content);
        }
        let digest = hasher.finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        Some(Key(u64::from_be_bytes(first)))
    }
}

fn fill(folder: &Path, files: &BTreeMap<String, String>) -> io::Result<()> {
    for (path, text) in files {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, text)?;
    }
    Ok(())
}

fn collect(folder: &Path, inside: &Path, files: &mut Vec<String>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = inside.join(entry.file_name());
        // Links are not followed: what they point to is not the workspace's.
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &name, files)?;
        } else if entry.file_type()?.is_file() {
            files.push(name.to_string_lossy().into_owned());
        }
        if files.len() > MOST_FILES {
            return Err(io::Error::other("too many files"));
        }
    }
    Ok(())
}
