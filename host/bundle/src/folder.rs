//! Bundles on disk.

use std::path::Path;
use std::sync::Arc;

use countersign_contract::CONTRACT;
use countersign_engine::{Engine, Limits, Policy, canonical_json};
use countersign_spec::{EntryPin, SlotPin};

use crate::error::BundleError;
use crate::lock::{Entry, EntryLimits, Lock, SlotEntry};
use crate::manifest::BundleManifest;
use countersign_contract::{Digest, sha256};

/// A loaded bundle: its lock and its compiled policies.
#[derive(Debug)]
pub struct Bundle {
    lock: Lock,
    digest: Digest,
    policies: Vec<Policy>,
    left_out: Vec<LeftOut>,
}

/// An entry in shadow that does not load: what counts is judged without it.
#[derive(Debug)]
pub struct LeftOut {
    /// Its name.
    pub entry: String,
    /// Why.
    pub why: BundleError,
}

impl Bundle {
    /// Loads the bundle in a folder by its lock.
    ///
    /// # Errors
    /// What is wrong, with file and key.
    pub fn load(engine: &Engine, folder: &Path) -> Result<Self, BundleError> {
        let (file, text) = lock_text(folder)?;
        Self::from_parts(engine, &file, &text, |component| read(&folder.join(component), ""))
    }

    /// Loads the bundle in a folder by a lock that is not written there yet, as a host will once it is.
    ///
    /// # Errors
    /// What is wrong, with file and key.
    pub fn load_as(engine: &Engine, folder: &Path, lock: &str) -> Result<Self, BundleError> {
        let file = folder.join("bundle.lock").display().to_string();
        Self::from_parts(engine, &file, lock, |component| read(&folder.join(component), ""))
    }

    /// Digest of the lock in a folder. Nothing is compiled.
    ///
    /// # Errors
    /// A lock that cannot be read.
    pub fn digest_in(folder: &Path) -> Result<Digest, BundleError> {
        Ok(Lock::digest_of(&lock_text(folder)?.1))
    }

    /// Loads a bundle from its lock and a way to its components, which are compiled in parallel. An entry in shadow
    /// that does not load is left out, with a warning.
    ///
    /// # Errors
    /// What is wrong, with file and key.
    pub fn from_parts(
        engine: &Engine,
        file: &str,
        lock: &str,
        component: impl Fn(&str) -> Result<Vec<u8>, BundleError> + Sync,
    ) -> Result<Self, BundleError> {
        let digest = Lock::digest_of(lock);
        let mut lock = Lock::parse(file, lock)?;
        let loaded: Vec<Result<Policy, BundleError>> = std::thread::scope(|scope| {
            let loading: Vec<_> = lock
                .entry
                .iter()
                .map(|entry| {
                    let load = || load(engine, file, entry, &component);
                    // Compiling recurses, and `describe` runs the policy.
                    std::thread::Builder::new().stack_size(80 << 20).spawn_scoped(scope, load)
                })
                .collect();
            let failed = |problem: String| Err(BundleError::Invalid { file: file.to_owned(), problem });
            loading
                .into_iter()
                .map(|thread| match thread.map(std::thread::ScopedJoinHandle::join) {
                    Ok(Ok(loaded)) => loaded,
                    Ok(Err(_)) => failed("loading a component failed in the host".to_owned()),
                    Err(error) => failed(format!("cannot start a thread: {error}")),
                })
                .collect()
        });
        let (mut policies, mut left_out) = (Vec::new(), Vec::new());
        for (entry, loaded) in std::mem::take(&mut lock.entry).into_iter().zip(loaded) {
            match loaded {
                Ok(policy) => {
                    policies.push(policy);
                    lock.entry.push(entry);
                }
                Err(why) if entry.is_shadow() => {
                    tracing::warn!(entry = entry.name, %why, "an entry in shadow does not load and is left out");
                    left_out.push(LeftOut { entry: entry.name, why });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Bundle { lock, digest, policies, left_out })
    }

    /// Whether the lock is what [`lock()`] would make of the folder as it is now; also where no
    /// `bundle.toml` lies there. What is loaded already is not compiled again.
    ///
    /// # Errors
    /// What is wrong in the folder, with file and key.
    pub fn is_locked(&self, engine: &Engine, folder: &Path) -> Result<bool, BundleError> {
        if !folder.join("bundle.toml").exists() {
            return Ok(true);
        }
        let known = |digest: &Digest| {
            let mut loaded = self.lock.entry.iter().zip(&self.policies);
            loaded.find(|(entry, _)| entry.component_digest == **digest.as_str()).map(|(_, policy)| policy.clone())
        };
        let made = make(folder, |component, bytes| match known(&sha256(bytes)) {
            Some(policy) => Ok(policy),
            None => Ok(engine.load(component, bytes)?),
        })?;
        Ok(Lock::digest_of(&made.to_text()) == self.digest)
    }

    /// The entries in shadow that did not load.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// The lock, without the entries that were left out.
    pub fn lock(&self) -> &Lock {
        &self.lock
    }

    /// Digest of the lock.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The compiled policies, one for each entry.
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// The entries as a run is pinned to them: those in shadow are left out.
    pub fn pins(&self) -> Vec<EntryPin> {
        let pin = |entry: &Entry| EntryPin {
            name: entry.name.as_str().into(),
            policy: entry.policy.as_str().into(),
            component: entry.component_digest.as_str().into(),
            configuration: entry.configuration_digest.as_str().into(),
            slots: entry
                .slot
                .iter()
                .filter_map(|slot| {
                    let SlotEntry { slot, mode, failure_verdict } = *slot;
                    Some(SlotPin { slot, mode: mode.of_run()?, failure_verdict })
                })
                .collect(),
        };
        self.lock.entry.iter().filter(|entry| !entry.is_shadow()).map(pin).collect()
    }

    /// The entries in shadow with their policies, in lock order.
    pub fn shadows(&self) -> impl Iterator<Item = (&Entry, &Policy)> {
        self.lock.entry.iter().zip(&self.policies).filter(|(entry, _)| entry.is_shadow())
    }
}

fn load(
    engine: &Engine,
    file: &str,
    entry: &Entry,
    component: &(impl Fn(&str) -> Result<Vec<u8>, BundleError> + Sync),
) -> Result<Policy, BundleError> {
    let bytes = component(&entry.component)?;
    let found = sha256(&bytes);
    if **found.as_str() != entry.component_digest {
        return Err(BundleError::Digest {
            file: file.to_owned(),
            entry: entry.name.clone(),
            component: entry.component.clone(),
            found: found.to_string(),
            expected: entry.component_digest.clone(),
        });
    }
    let policy = engine.load(&entry.component, &bytes)?;
    let invalid = |problem: String| BundleError::Invalid {
        file: file.to_owned(),
        problem: format!("entry `{}`: {problem}", entry.name),
    };
    if **policy.label() != entry.policy {
        return Err(invalid(format!("key `policy`: expected `{}`, found `{}`", policy.label(), entry.policy)));
    }
    if let Some(slot) = entry.slot.iter().find(|slot| !policy.slots().contains(&slot.slot)) {
        return Err(invalid(format!("{} does not fill the slot `{}`", policy.label(), slot.slot)));
    }
    let (asked, most) = (entry.limits.memory_bytes, engine.most_memory());
    if asked > most {
        let problem = format!("key `memory-bytes`: expected at most {most}, what this engine reserves; found {asked}");
        return Err(invalid(problem));
    }
    let configuration: serde_json::Value = serde_json::from_str(&entry.configuration)
        .map_err(|error| invalid(format!("key `configuration`: expected JSON: {error}")))?;
    policy.check_configuration(&configuration).map_err(|source| BundleError::Configuration {
        file: file.to_owned(),
        entry: entry.name.clone(),
        source,
    })?;
    // What a schema cannot say the policy itself refuses, at load and not at a run's start.
    policy
        .open(Arc::from(entry.configuration.as_str()), entry.limits.into())
        .map_err(|error| invalid(error.to_string()))?;
    Ok(policy)
}

/// The lock in a folder: its file's name, and its text.
fn lock_text(folder: &Path) -> Result<(String, String), BundleError> {
    let path = folder.join("bundle.lock");
    let bytes = read(&path, "; a bundle's lock is made by `countersign bundle lock`")?;
    let file = path.display().to_string();
    match String::from_utf8(bytes) {
        Ok(text) => Ok((file, text)),
        Err(_) => Err(BundleError::Invalid { file, problem: "is not UTF-8".to_owned() }),
    }
}

/// Makes the lock of the bundle in a folder from its `bundle.toml` and its components.
///
/// # Errors
/// What is wrong, with file and key.
pub fn lock(engine: &Engine, folder: &Path) -> Result<Lock, BundleError> {
    let made = make(folder, |component, bytes| Ok(engine.load(component, bytes)?))?;
    let file = folder.join("bundle.toml").display().to_string();
    for entry in &made.entry {
        load(engine, &file, entry, &|component: &str| read(&folder.join(component), ""))?;
    }
    Ok(made)
}

/// The lock of a folder whose components somebody compiles.
fn make(folder: &Path, compiled: impl Fn(&str, &[u8]) -> Result<Policy, BundleError>) -> Result<Lock, BundleError> {
    let path = folder.join("bundle.toml");
    let file = path.display().to_string();
    let invalid = |problem: String| BundleError::Invalid { file: file.clone(), problem };
    let text = String::from_utf8(read(&path, "")?).map_err(|_| invalid("is not UTF-8".to_owned()))?;
    let manifest = BundleManifest::parse(&file, &text)?;
    if manifest.policy.is_empty() {
        return Err(invalid("expected at least one `[[policy]]`".to_owned()));
    }
    let defaults = Limits::default();
    let mut entries: Vec<Entry> = Vec::new();
    for table in manifest.policy {
        let invalid = |problem: String| invalid(format!("policy `{}`: {problem}", table.name));
        table.check().map_err(&invalid)?;
        if entries.iter().any(|entry| entry.name == table.name) {
            return Err(invalid("stands twice".to_owned()));
        }
        let bytes = read(&folder.join(&table.component), "; make it with `countersign policy build`")?;
        let policy = compiled(&table.component, &bytes)?;
        let configuration = serde_json::to_value(&table.configuration)
            .map_err(|error| invalid(format!("key `configuration`: {error}")))?;
        policy.check_configuration(&configuration).map_err(|source| BundleError::Configuration {
            file: file.clone(),
            entry: table.name.clone(),
            source,
        })?;
        let configuration = canonical_json(&configuration);
        let slots = table.slots.unwrap_or_else(|| policy.slots().to_vec());
        entries.push(Entry {
            policy: policy.label().to_string(),
            component_digest: sha256(&bytes).to_string(),
            configuration_digest: sha256(configuration.as_bytes()).to_string(),
            configuration,
            limits: EntryLimits {
                fuel_per_call: table.fuel_per_call.unwrap_or(defaults.fuel_per_call),
                memory_bytes: table.memory_bytes.unwrap_or(defaults.memory_bytes),
                answer_bytes: table.answer_bytes.unwrap_or(defaults.answer_bytes),
                rebuild_fuel: table.rebuild_fuel.unwrap_or(defaults.rebuild_fuel),
            },
            slot: slots
                .into_iter()
                .map(|slot| SlotEntry { slot, mode: table.mode, failure_verdict: table.failure_verdict })
                .collect(),
            name: table.name,
            component: table.component,
        });
    }
    let lock = Lock {
        version: 1,
        name: manifest.name,
        contract: CONTRACT.to_owned(),
        must_understand: Vec::new(),
        entry: entries,
    };
    lock.check_joins().map_err(invalid)?;
    Ok(lock)
}

/// Most bytes of a file of a bundle that are read at all; what a component may have is the engine's to say.
const LARGEST_FILE: u64 = 64 << 20;

/// A whole file, which is looked at before it is read: a pipe never ends, and gigabytes are no policy.
pub(crate) fn read(path: &Path, help: &'static str) -> Result<Vec<u8>, BundleError> {
    let failed = |source| BundleError::Io { path: path.to_owned(), help, source };
    let about = std::fs::metadata(path).map_err(failed)?;
    let invalid = |problem| Err(BundleError::Invalid { file: path.display().to_string(), problem });
    if !about.is_file() {
        return invalid("is no regular file".to_owned());
    }
    if about.len() > LARGEST_FILE {
        return invalid(format!("has {} bytes, a file of a bundle has at most {LARGEST_FILE}", about.len()));
    }
    std::fs::read(path).map_err(failed)
}
