//! Bundles installed on a machine: each in a folder named by its lock's digest, which nobody changes
//! any more, and beside them a pointer to the one that new runs take.
//!
//! ```text
//! bundles/
//!   0b5e…/{bundle.lock,*.wasm}    complete from the moment it has its name
//!   current.json                  the current bundle, and those before it, latest first
//! ```
//!
//! Several processes may read and write it at once. A folder is renamed to its name when everything in
//! it survives a crash, and the pointer is replaced as a whole, under a lock.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use countersign_engine::Engine;
use serde::{Deserialize, Serialize};

use crate::error::BundleError;
use crate::folder::{Bundle, read};
use crate::lock::Lock;
use countersign_contract::{Digest, sha256};
use countersign_tools::{Readers, write_atomically};

/// Version of the pointer's form.
const VERSION: u32 = 1;
/// Most bundles that the pointer remembers to roll back to; older ones stay installed.
const MOST_PREVIOUS: usize = 32;

/// A folder of installed bundles, which need not be there yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    folder: PathBuf,
}

/// Which bundle new runs take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    /// The current one.
    pub current: Digest,
    /// Those that were current before, the latest first; at most 32.
    pub previous: Vec<Digest>,
}

/// `current.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Stored {
    version: u32,
    current: String,
    previous: Vec<String>,
}

/// What an installed bundle is to new runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// New runs take it.
    Current,
    /// It was current before; so many steps back.
    Previous(usize),
    /// Only installed.
    Installed,
}

/// An installed bundle.
#[derive(Debug)]
pub struct Listed {
    /// Digest of its lock.
    pub digest: Digest,
    /// What it is to new runs.
    pub standing: Standing,
    /// Its lock, or why no run can take it: it is of another contract, its components are no longer those
    /// of its lock, or it is gone although it is current.
    pub lock: Result<Lock, BundleError>,
}

impl Installed {
    /// The bundles in this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Installed { folder: folder.into() }
    }

    /// Where they lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a bundle lies, or would lie: a bundle's folder like any other.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(digest.hex())
    }

    /// Whether a bundle is installed.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.path(digest).join("bundle.lock").is_file()
    }

    /// Copies a bundle here, and makes it survive a crash of the machine. What was read is what was
    /// loaded, checked and written. It is not current by that. One that is here already stays as it is.
    ///
    /// # Errors
    /// A bundle that does not load, or a folder that cannot be written.
    pub fn install(&self, engine: &Engine, source: &Path) -> Result<Bundle, BundleError> {
        let path = source.join("bundle.lock");
        let file = path.display().to_string();
        let bytes = read(&path, "; a bundle's lock is made by `countersign bundle lock`")?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| BundleError::Invalid { file: file.clone(), problem: "is not UTF-8".to_owned() })?;
        let mut components = BTreeMap::new();
        for entry in Lock::parse(&file, text)?.entry {
            components.insert(entry.component.clone(), read(&source.join(&entry.component), "")?);
        }
        let bundle = Bundle::from_parts(engine, &file, text, |name| {
            components
                .get(name)
                .cloned()
                .ok_or_else(|| BundleError::Invalid { file: file.clone(), problem: format!("`{name}` was not read") })
        })?;
        let mut files = components;
        files.insert("bundle.lock".to_owned(), bytes);
        self.place(bundle.digest(), &files)?;
        Ok(bundle)
    }

    /// Puts the files of a bundle in their place, all at once.
    fn place(&self, digest: &Digest, files: &BTreeMap<String, Vec<u8>>) -> Result<(), BundleError> {
        let target = self.path(digest);
        if target.exists() {
            return same(&target, files);
        }
        let failed = |source| BundleError::Io { path: self.folder.clone(), help: "", source };
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        let aside = tempfile::Builder::new().prefix(".countersign-").tempdir_in(&self.folder).map_err(failed)?;
        let written = || -> std::io::Result<()> {
            for (name, bytes) in files {
                let mut file = File::create(aside.path().join(name))?;
                file.write_all(bytes)?;
                file.sync_all()?;
            }
            // A temporary folder is its owner's alone; hosts of other users read this one.
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                std::fs::set_permissions(aside.path(), std::fs::Permissions::from_mode(0o755))?;
            }
            sync(aside.path())
        };
        written().map_err(failed)?;
        match std::fs::rename(aside.path(), &target) {
            // It has another name now: there is nothing to clear away.
            Ok(()) => drop(aside.keep()),
            // Another process was faster.
            Err(_) if target.exists() => return same(&target, files),
            Err(source) => return Err(failed(source)),
        }
        sync(&self.folder).map_err(failed)
    }

    /// Loads an installed bundle, which must still be what its folder's name says.
    ///
    /// # Errors
    /// What is wrong with it, or that it is not here.
    pub fn load(&self, engine: &Engine, digest: &Digest) -> Result<Bundle, BundleError> {
        let path = self.path(digest);
        if !self.contains(digest) {
            return Err(self.not_installed(digest));
        }
        let bundle = Bundle::load(engine, &path).map_err(|error| as_installed(&path, error))?;
        if bundle.digest() == digest { Ok(bundle) } else { Err(changed(&path)) }
    }

    /// Which bundle new runs take; none while none was made current.
    ///
    /// # Errors
    /// When the pointer cannot be read or understood.
    pub fn pointer(&self) -> Result<Option<Pointer>, BundleError> {
        let path = self.pointer_path();
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(BundleError::Io { path, help: "", source }),
        };
        let invalid = |problem: String| BundleError::Invalid {
            file: path.display().to_string(),
            problem: format!("{problem}; remove it, then say which bundle is current by `countersign bundle use`"),
        };
        let stored: Stored = serde_json::from_slice(&bytes).map_err(|error| invalid(error.to_string()))?;
        if stored.version != VERSION {
            return Err(invalid(format!("key `version`: expected {VERSION}, found {}", stored.version)));
        }
        let digest = |key: &str, text: &String| {
            Digest::parse(text).ok_or_else(|| invalid(format!("key `{key}`: `{text}` is no digest")))
        };
        let current = digest("current", &stored.current)?;
        let previous = stored.previous.iter().map(|text| digest("previous", text)).collect::<Result<_, _>>()?;
        Ok(Some(Pointer { current, previous }))
    }

    /// The bundle that new runs take.
    ///
    /// # Errors
    /// When there is none yet, or the pointer cannot be read or understood.
    pub fn current(&self) -> Result<Digest, BundleError> {
        let pointer = self.pointer()?.ok_or_else(|| self.nothing_current())?;
        Ok(pointer.current)
    }

    /// Lets new runs take an installed bundle; which one they took before. It is not loaded here: who
    /// does not know that it loads calls [`Installed::load`] first.
    ///
    /// # Errors
    /// When it is not installed, or the pointer cannot be read or written.
    pub fn make_current(&self, digest: &Digest) -> Result<Option<Digest>, BundleError> {
        if !self.contains(digest) {
            return Err(self.not_installed(digest));
        }
        self.change(|pointer| match pointer {
            Some(pointer) if pointer.current == *digest => Ok((pointer, Some(digest.clone()))),
            Some(Pointer { current, mut previous }) => {
                previous.insert(0, current.clone());
                previous.truncate(MOST_PREVIOUS);
                Ok((Pointer { current: digest.clone(), previous }, Some(current)))
            }
            None => Ok((Pointer { current: digest.clone(), previous: Vec::new() }, None)),
        })
    }

    /// Lets new runs take the bundle that was current before this one: from which to which. The one
    /// left stays installed, and is no longer among those to go back to.
    ///
    /// # Errors
    /// When there is none before it, or that one is gone or does not load. Nothing has changed then.
    pub fn rollback(&self, engine: &Engine) -> Result<(Digest, Digest), BundleError> {
        self.change(|pointer| {
            let Pointer { current: from, mut previous } = pointer.ok_or_else(|| self.nothing_current())?;
            if previous.is_empty() {
                let problem = format!(
                    "there is no bundle before {from} to go back to; `countersign bundle list` shows \
                                       what is installed, `countersign bundle use DIGEST` makes one of it current"
                );
                return Err(self.problem(problem));
            }
            let to = previous.remove(0);
            // What does not load is never current: no host need find that out.
            self.load(engine, &to).map_err(|error| {
                self.problem(format!(
                    "cannot go back to {to}, and nothing has changed: {error}; `countersign bundle use DIGEST` makes \
                     another installed one current"
                ))
            })?;
            Ok((Pointer { current: to.clone(), previous }, (from, to)))
        })
    }

    /// Every installed bundle, and the current one even where it is gone: the current one, then those
    /// before it, then the others by digest.
    ///
    /// # Errors
    /// When the folder or the pointer cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, BundleError> {
        let pointer = self.pointer()?;
        let standing = |digest: &Digest| match &pointer {
            Some(pointer) if pointer.current == *digest => Standing::Current,
            Some(pointer) => match pointer.previous.iter().position(|previous| previous == digest) {
                Some(index) => Standing::Previous(index + 1),
                None => Standing::Installed,
            },
            None => Standing::Installed,
        };
        let mut digests = self.digests()?;
        // New runs want the current one, be it here or not; the one before it is what a rollback wants.
        let wanted =
            pointer.iter().flat_map(|pointer| std::iter::once(&pointer.current).chain(pointer.previous.first()));
        for digest in wanted {
            if !digests.contains(digest) {
                digests.push(digest.clone());
            }
        }
        let mut listed: Vec<Listed> = digests
            .into_iter()
            .map(|digest| Listed { standing: standing(&digest), lock: self.whole(&digest), digest })
            .collect();
        listed.sort_by_key(|bundle| match bundle.standing {
            Standing::Current => 0,
            Standing::Previous(steps) => steps,
            Standing::Installed => usize::MAX,
        });
        Ok(listed)
    }

    /// The installed bundle with this digest, or the only one whose digest begins so; `sha256:` may be
    /// left out.
    ///
    /// # Errors
    /// When there is none, or there are several.
    pub fn find(&self, text: &str) -> Result<Digest, BundleError> {
        self.only("bundle", text, self.digests()?)
    }

    /// The component of an installed bundle with this digest, or the only one whose digest begins so.
    ///
    /// # Errors
    /// When there is none, or there are several.
    pub fn find_component(&self, text: &str) -> Result<Digest, BundleError> {
        let mut components = Vec::new();
        for digest in self.digests()? {
            // What this host cannot read it cannot run either.
            let entries = self.lock(&digest).map(|lock| lock.entry).unwrap_or_default();
            components.extend(entries.iter().filter_map(|entry| Digest::parse(&entry.component_digest)));
        }
        components.sort();
        components.dedup();
        self.only("component", text, components)
    }

    fn only(&self, what: &str, text: &str, mut digests: Vec<Digest>) -> Result<Digest, BundleError> {
        let begin = text.strip_prefix("sha256:").unwrap_or(text);
        digests.retain(|digest| !begin.is_empty() && digest.hex().starts_with(begin));
        let see = "`countersign bundle list` shows them";
        match digests.as_slice() {
            [digest] => Ok(digest.clone()),
            [] => Err(self.problem(format!("no {what} with a digest that begins with `{text}` is installed; {see}"))),
            [first, second, ..] => Err(self.problem(format!(
                "several {what}s have a digest that begins with `{text}`, such as {first} and {second}; give more digits"
            ))),
        }
    }

    /// Digests of the installed bundles, in their order.
    fn digests(&self) -> Result<Vec<Digest>, BundleError> {
        let failed = |source| BundleError::Io { path: self.folder.clone(), help: "", source };
        let listing = match std::fs::read_dir(&self.folder) {
            Ok(listing) => listing,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(failed(source)),
        };
        let mut digests = Vec::new();
        for entry in listing {
            let name = entry.map_err(failed)?.file_name();
            // What an interrupted installation left behind has no such name.
            let digest = Digest::parse(&format!("sha256:{}", name.to_string_lossy()));
            digests.extend(digest.filter(|digest| self.contains(digest)));
        }
        digests.sort();
        Ok(digests)
    }

    fn lock(&self, digest: &Digest) -> Result<Lock, BundleError> {
        let folder = self.path(digest);
        let path = folder.join("bundle.lock");
        let text = String::from_utf8(read(&path, "")?).map_err(|_| changed(&folder))?;
        if Lock::digest_of(&text) != *digest {
            return Err(changed(&folder));
        }
        Lock::parse(&path.display().to_string(), &text)
    }

    /// The lock of a bundle whose components are those of its lock. None is compiled.
    fn whole(&self, digest: &Digest) -> Result<Lock, BundleError> {
        if !self.contains(digest) {
            return Err(self.not_installed(digest));
        }
        let (folder, lock) = (self.path(digest), self.lock(digest)?);
        for entry in &lock.entry {
            match read(&folder.join(&entry.component), "") {
                Ok(bytes) if **sha256(&bytes).as_str() == entry.component_digest => {}
                Ok(_) => return Err(damaged(&folder, &entry.component, "has changed")),
                Err(error) => return Err(as_installed(&folder, error)),
            }
        }
        Ok(lock)
    }

    fn pointer_path(&self) -> PathBuf {
        self.folder.join("current.json")
    }

    /// Reads the pointer, changes it and puts it back, while no other process does.
    fn change<T>(
        &self,
        change: impl FnOnce(Option<Pointer>) -> Result<(Pointer, T), BundleError>,
    ) -> Result<T, BundleError> {
        let path = self.pointer_path();
        let failed = |source| BundleError::Io { path: path.clone(), help: "", source };
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        // A file of its own: the pointer is replaced, and a lock stays with the old one.
        let beside = self.folder.join("current.lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&beside);
        let lock = lock.and_then(|lock| lock.lock().map(|()| lock));
        let lock = lock.map_err(|source| BundleError::Io { path: beside, help: "", source })?;
        let before = self.pointer()?;
        let (pointer, result) = change(before.clone())?;
        if before.as_ref() != Some(&pointer) {
            let stored = Stored {
                version: VERSION,
                current: pointer.current.to_string(),
                previous: pointer.previous.iter().map(ToString::to_string).collect(),
            };
            let mut bytes = serde_json::to_vec_pretty(&stored).map_err(|error| failed(error.into()))?;
            bytes.push(b'\n');
            write_atomically(&path, &bytes, Readers::ByUmask).and_then(|()| sync(&self.folder)).map_err(failed)?;
        }
        // The lock ends with its file, at the latest with the process.
        drop(lock);
        Ok(result)
    }

    fn problem(&self, problem: String) -> BundleError {
        BundleError::Installed { folder: self.folder.clone(), problem }
    }

    fn nothing_current(&self) -> BundleError {
        let folder = self.folder.display();
        self.problem(format!(
            "no bundle is current here; `countersign bundle use FOLDER --bundles {folder}` installs one"
        ))
    }

    fn not_installed(&self, digest: &Digest) -> BundleError {
        let folder = self.folder.display();
        self.problem(format!(
            "the bundle {digest} is not installed; install it by `countersign bundle use FOLDER --bundles {folder}`"
        ))
    }
}

/// What is installed is never written over, so it must be the very same.
fn same(target: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<(), BundleError> {
    let whole = files.iter().all(|(name, bytes)| std::fs::read(target.join(name)).is_ok_and(|found| found == *bytes));
    if whole { Ok(()) } else { Err(changed(target)) }
}

fn changed(folder: &Path) -> BundleError {
    BundleError::Installed {
        folder: folder.to_owned(),
        problem: "is no longer what was installed; remove this folder and install the bundle again".to_owned(),
    }
}

/// A file of an installed bundle that is not what it was.
fn damaged(folder: &Path, component: &str, what: &str) -> BundleError {
    BundleError::Installed {
        folder: folder.to_owned(),
        problem: format!(
            "`{component}` {what} since it was installed; remove this folder and install the bundle again"
        ),
    }
}

/// What is wrong with an installed bundle, which nobody locks again: its folder is named by its lock.
fn as_installed(folder: &Path, error: BundleError) -> BundleError {
    match error {
        BundleError::Digest { component, .. } => damaged(folder, &component, "has changed"),
        BundleError::Io { path, source, .. } if source.kind() == ErrorKind::NotFound => {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            damaged(folder, &name, "has gone")
        }
        other => other,
    }
}

/// Makes names in a folder survive a crash of the machine.
fn sync(folder: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}
