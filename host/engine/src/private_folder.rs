//! A folder that nobody but this user can have written to, held by a descriptor: what was looked at is what is read.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Error, Read, Result, Write};
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, fstat, mkdirat, openat, renameat, statat, unlinkat};

/// Others may write: of the group, and all.
const OTHERS_WRITE: Mode = Mode::WGRP.union(Mode::WOTH);

/// The folder, opened.
#[derive(Debug)]
pub struct PrivateFolder(OwnedFd);

impl PrivateFolder {
    /// Opens a folder, and makes it and those above where there are none. None where it is not this user's alone, or
    /// somebody else could put another one in its place: every folder above must be this user's or root's, and only
    /// they may write to it, or nobody may remove what is another's (as in `/tmp`).
    pub fn open(path: &Path) -> Option<Self> {
        let absolute = std::path::absolute(path).ok()?;
        // Links above it are followed once, by this; the walk below meets none.
        let existing = absolute.ancestors().find(|folder| folder.exists())?;
        let missing = absolute.strip_prefix(existing).ok()?;
        let whole = existing.canonicalize().ok()?.join(missing);
        let mut parts = whole.components();
        let mut folder = match parts.next()? {
            Component::RootDir => openat(rustix::fs::CWD, "/", flags(), Mode::empty()).ok()?,
            _ => return None,
        };
        for part in parts {
            is_safe_above(&fstat(&folder).ok()?).then_some(())?;
            let Component::Normal(name) = part else { return None };
            folder = match openat(&folder, name, flags(), Mode::empty()) {
                Ok(below) => below,
                Err(rustix::io::Errno::NOENT) => {
                    // Another process may have made it meanwhile; what was made is looked at below.
                    let _ = mkdirat(&folder, name, Mode::RWXU);
                    openat(&folder, name, flags(), Mode::empty()).ok()?
                }
                Err(_) => return None,
            };
        }
        is_ours_alone(&fstat(&folder).ok()?).then_some(PrivateFolder(folder))
    }

    /// What a file of it holds; none where there is none, or it is a link, or others may write to it.
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        let file = openat(&self.0, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let stat = fstat(&file).ok()?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || !is_ours_alone(&stat) {
            return None;
        }
        let mut bytes = Vec::new();
        File::from(file).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Puts a file in its place whole.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put(&self, name: &str, parts: &[&[u8]]) -> Result<()> {
        let part = format!("{name}.{}.part", std::process::id());
        let written = self.write(&part, parts).and_then(|()| Ok(renameat(&self.0, &part, &self.0, name)?));
        if written.is_err() {
            let _ = unlinkat(&self.0, &part, AtFlags::empty());
        }
        written
    }

    fn write(&self, name: &str, parts: &[&[u8]]) -> Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&self.0, name, flags, Mode::RUSR | Mode::WUSR)?);
        parts.iter().try_for_each(|part| file.write_all(part))?;
        file.sync_all()
    }

    /// Removes the oldest of the files that are chosen by their name, so that at most so many stay.
    ///
    /// # Errors
    /// When the folder cannot be read, or a file not removed.
    pub fn keep_newest(&self, most: usize, chosen: impl Fn(&str) -> bool) -> Result<()> {
        let list =
            Dir::new(openat(&self.0, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)?;
        let mut files = Vec::new();
        for entry in list {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if chosen(name)
                && let Ok(stat) = statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)
            {
                files.push(((stat.st_mtime, stat.st_mtime_nsec), name.to_owned()));
            }
        }
        files.sort();
        let too_many = files.len().saturating_sub(most);
        let removed =
            files.iter().take(too_many).map(|(_, name)| unlinkat(&self.0, OsStr::new(name), AtFlags::empty()));
        removed.into_iter().try_for_each(|removed| removed.map_err(Error::from))
    }
}

/// A folder above may be one that this user can pass through and not list.
fn flags() -> OFlags {
    #[cfg(target_os = "linux")]
    let way = OFlags::PATH;
    #[cfg(not(target_os = "linux"))]
    let way = OFlags::RDONLY;
    way | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

fn is_ours_alone(stat: &Stat) -> bool {
    stat.st_uid == rustix::process::geteuid().as_raw() && !others_write(stat)
}

fn is_safe_above(stat: &Stat) -> bool {
    let owner = stat.st_uid;
    (owner == 0 || owner == rustix::process::geteuid().as_raw())
        && (!others_write(stat) || Mode::from_raw_mode(stat.st_mode).contains(Mode::SVTX))
}

fn others_write(stat: &Stat) -> bool {
    Mode::from_raw_mode(stat.st_mode).intersects(OTHERS_WRITE)
}
