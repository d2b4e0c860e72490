//! A run's inbox: what other processes want of it. They offer, the owner of the run takes; an entry
//! counts once, however often it is offered.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use countersign_kernel::Decision;
use serde::{Deserialize, Serialize};

use crate::file::StoreError;

/// Longest id of an entry.
pub const LONGEST_ID: usize = 64;
/// Most bytes of an entry.
pub const LARGEST_ENTRY: usize = 1 << 20;

/// Something that another process wants of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Entry {
    /// Version of this form: 1.
    pub version: u32,
    /// The same id is the same entry.
    pub id: String,
    /// Who.
    pub by: String,
    /// When, UTC milliseconds.
    pub at: u64,
    /// What.
    pub wants: Offer,
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Offer {
    /// A decision.
    Decide(Decision),
    /// The end.
    Cancel,
}

/// Puts whoever holds the run back first: where people disagree, they are heard before the others.
pub fn by_caution(entries: &mut [Entry]) {
    entries.sort_by_key(|entry| match &entry.wants {
        Offer::Cancel => 0,
        Offer::Decide(Decision::Rejected { .. }) => 1,
        Offer::Decide(_) => 2,
    });
}

/// An entry that cannot be offered or read.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The id could not be a file's name.
    #[error("`{id}` is no id of an entry: expected 1 to {LONGEST_ID} letters, digits and hyphens")]
    Id {
        /// As given.
        id: String,
    },
    /// A file in the inbox is no entry.
    #[error("`{}`: is no entry of an inbox: {problem}", path.display())]
    Invalid {
        /// Which.
        path: PathBuf,
        /// What was expected.
        problem: String,
    },
}

/// An inbox in a folder: one file an entry, moved to `taken` once it is one of the run's frames.
#[derive(Debug, Clone)]
pub struct Inbox {
    folder: PathBuf,
}

impl Inbox {
    /// The inbox in this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Inbox { folder: folder.into() }
    }

    /// Offers an entry. False when the same id was offered before: nothing changes then.
    ///
    /// # Errors
    /// An id that cannot be one, or a folder that cannot be written.
    pub fn offer(&self, entry: &Entry) -> Result<bool, EntryError> {
        if !plain(&entry.id) {
            return Err(EntryError::Id { id: entry.id.clone() });
        }
        let path = self.folder.join(format!("{}.json", entry.id));
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| StoreError { path, source }
        };
        std::fs::create_dir_all(self.folder.join("taken")).map_err(failed(&self.folder))?;
        if self.taken(&entry.id).exists() || path.exists() {
            return Ok(false);
        }
        // Written aside and put in its place whole: a reader never sees half an entry.
        let aside = self.folder.join(format!(".{}.{}", entry.id, std::process::id()));
        let text = serde_json::to_string(entry).unwrap_or_default();
        let mut file =
            OpenOptions::new().create(true).write(true).truncate(true).open(&aside).map_err(failed(&aside))?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_data()).map_err(failed(&aside))?;
        // A link fails where the name is taken, a rename would replace it.
        let linked = std::fs::hard_link(&aside, &path);
        let _ = std::fs::remove_file(&aside);
        match linked {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(failed(&path)(error).into()),
        }
    }

    /// What is waiting, oldest first. What is no entry is left lying and holds nobody up; see
    /// [`Inbox::rejects`].
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn waiting(&self) -> Result<Vec<Entry>, EntryError> {
        self.read().map(|(entries, _)| entries)
    }

    /// What is waiting, whoever holds the run back first: where people disagree, they are heard before
    /// the others.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn by_caution(&self) -> Result<Vec<Entry>, EntryError> {
        let mut entries = self.waiting()?;
        by_caution(&mut entries);
        Ok(entries)
    }

    /// What lies in the inbox and is no entry.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn rejects(&self) -> Result<Vec<EntryError>, EntryError> {
        self.read().map(|(_, rejects)| rejects)
    }

    fn read(&self) -> Result<(Vec<Entry>, Vec<EntryError>), EntryError> {
        let listing = match std::fs::read_dir(&self.folder) {
            Ok(listing) => listing,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), Vec::new())),
            Err(source) => return Err(StoreError { path: self.folder.clone(), source }.into()),
        };
        let (mut entries, mut rejects): (Vec<Entry>, Vec<EntryError>) = (Vec::new(), Vec::new());
        for file in listing {
            let path = file.map_err(|source| StoreError { path: self.folder.clone(), source })?.path();
            let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if hidden || path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            match entry(&path) {
                Ok(entry) => entries.push(entry),
                Err(problem) => rejects.push(EntryError::Invalid { path, problem }),
            }
        }
        entries.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        Ok((entries, rejects))
    }

    /// The entry is one of the run's frames, or was refused by it.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn take(&self, id: &str) -> Result<(), EntryError> {
        let path = self.folder.join(format!("{id}.json"));
        std::fs::rename(&path, self.taken(id)).map_err(|source| StoreError { path, source }.into())
    }

    fn taken(&self, id: &str) -> PathBuf {
        self.folder.join("taken").join(format!("{id}.json"))
    }
}

const MOST: u64 = LARGEST_ENTRY as u64;

pub(crate) fn plain(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Reads an entry; a file that is none is left alone.
fn entry(path: &Path) -> Result<Entry, String> {
    let about = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !about.is_file() || about.len() > MOST {
        return Err(format!("expected a file of at most {MOST} bytes"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let entry: Entry = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    if entry.version != 1 {
        return Err(format!("expected version 1, found {}", entry.version));
    }
    // By its id it is moved away: that must be this very file.
    let named = path.file_stem().is_some_and(|stem| *stem == *entry.id);
    if !plain(&entry.id) || !named {
        return Err("expected its id as the file's name".to_owned());
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_counts_once() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let inbox = Inbox::new(folder.path().join("inbox"));
        assert!(inbox.waiting()?.is_empty());
        let entry = |id: &str, at| Entry { version: 1, id: id.into(), by: "ada".into(), at, wants: Offer::Cancel };
        assert!(inbox.offer(&entry("b", 2))?);
        assert!(inbox.offer(&entry("a", 1))?);
        assert!(!inbox.offer(&entry("a", 9))?, "the same id again");
        let ids: Vec<String> = inbox.waiting()?.into_iter().map(|entry| entry.id).collect();
        assert_eq!(ids, ["a", "b"]);
        inbox.take("a")?;
        assert!(!inbox.offer(&entry("a", 1))?, "taken, and offered once more");
        assert_eq!(inbox.waiting()?.len(), 1);
        for id in ["", "../x", "a b", &"x".repeat(65)] {
            assert!(matches!(inbox.offer(&entry(id, 1)), Err(EntryError::Id { .. })), "{id}");
        }
        // What is no entry holds nobody up: rubbish, a folder, an id that is another file's.
        std::fs::write(folder.path().join("inbox/c.json"), "{}")?;
        std::fs::create_dir(folder.path().join("inbox/d.json"))?;
        let stray = serde_json::to_string(&entry("../victim", 3))?;
        std::fs::write(folder.path().join("inbox/e.json"), stray)?;
        assert_eq!(inbox.waiting()?.len(), 1);
        assert_eq!(inbox.rejects()?.len(), 3);
        Ok(())
    }
}
