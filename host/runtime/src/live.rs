//! A host whose bundle is swapped while it runs: new runs take the new one, open runs keep
//! theirs.
//!
//! A [`Host`] never changes. A run is begun with the one of that moment, whose bundle it pins, and keeps
//! it; a run that is taken up again is given the host of the bundle it is pinned to. So nothing has to
//! be waited for or told: a swap is another `Host` for whoever asks next.

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use countersign_bundle::{Bundle, BundleError, Digest, Installed};
use countersign_engine::{Engine, EngineOptions};

use crate::host::{Host, HostError};

/// Most bundles that are kept loaded, the current one among them: compiling one takes tens of
/// milliseconds a policy. Open runs keep theirs beyond that.
const MOST_LOADED: usize = 4;

/// Gives each run its host.
#[derive(Debug)]
pub struct LiveHost {
    engine: Engine,
    installed: Option<Installed>,
    current: RwLock<Host>,
    /// The one used last first. Locked while a bundle is loaded, so that nobody loads it twice and an
    /// older pointer never overtakes a newer one.
    loaded: Mutex<Vec<Host>>,
}

/// What came of looking at the pointer.
#[derive(Debug)]
pub enum Refreshed {
    /// New runs take what they took.
    Same,
    /// New runs take another bundle.
    Swapped {
        /// What they took.
        from: Digest,
        /// What they take.
        to: Digest,
    },
    /// The new bundle cannot be loaded, or which one it is cannot be read: new runs take what they took.
    Kept(BundleError),
}

impl LiveHost {
    /// One whose bundle changes by [`LiveHost::swap`] alone.
    pub fn fixed(host: Host) -> Self {
        LiveHost {
            engine: host.engine().clone(),
            installed: None,
            loaded: Mutex::new(vec![host.clone()]),
            current: RwLock::new(host),
        }
    }

    /// One that takes the current bundle of a folder of installed ones.
    ///
    /// # Errors
    /// When none is current there or it does not load, or what the machine cannot give.
    pub fn installed(options: EngineOptions, installed: Installed) -> Result<Self, HostError> {
        let engine = Engine::new(options)?;
        let bundle = installed.load(&engine, &installed.current()?)?;
        let host = Host::of(engine, bundle);
        Ok(LiveHost { installed: Some(installed), ..LiveHost::fixed(host) })
    }

    /// The one engine, which every bundle is loaded with.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether it follows a folder of installed bundles.
    pub fn follows(&self) -> bool {
        self.installed.is_some()
    }

    /// The host for a new run: make its manifest and begin it with this one. Never waits for a bundle
    /// that is being loaded.
    pub fn host(&self) -> Host {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets new runs take a bundle that was loaded with [`LiveHost::engine`]; the host they took before.
    /// Where a folder is followed, the next [`LiveHost::refresh`] goes back to what is current there.
    pub fn swap(&self, bundle: Bundle) -> Host {
        let mut loaded = self.loaded();
        let host = Host::of(self.engine.clone(), bundle);
        keep(&mut loaded, host.clone());
        self.put(host)
    }

    /// Lets new runs take what is current in the folder by now. A bundle that does not load changes
    /// nothing: that is told as an error, and the host goes on. Where nothing has changed this is the
    /// reading of one small file, so that it can be called before each new run.
    pub fn refresh(&self) -> Refreshed {
        let Some(installed) = &self.installed else { return Refreshed::Same };
        let mut loaded = self.loaded();
        // The whole file, not its time stamps: it is as quick, and two swaps within one tick differ.
        let newest = installed.current().and_then(|digest| match *self.host().bundle().digest() == digest {
            true => Ok(None),
            false => self.load(&mut loaded, installed, &digest).map(Some),
        });
        match newest {
            Ok(None) => Refreshed::Same,
            Ok(Some(host)) => {
                let to = host.bundle().digest().clone();
                let from = self.put(host).bundle().digest().clone();
                tracing::info!(%from, %to, "new runs take another bundle; open ones keep theirs");
                Refreshed::Swapped { from, to }
            }
            Err(error) => {
                let kept = self.host().bundle().digest().clone();
                tracing::error!(
                    %error, %kept,
                    "the current bundle cannot be taken, new runs take the one before; mend it, or go back by \
                     `countersign bundle rollback`"
                );
                Refreshed::Kept(error)
            }
        }
    }

    /// The host of the bundle that a run is pinned to ([`lock`](countersign_spec::Manifest::lock) of
    /// its manifest), to take it up again; none where that bundle is neither loaded nor installed.
    ///
    /// # Errors
    /// When it is installed and does not load.
    pub fn host_for(&self, lock: &str) -> Result<Option<Host>, HostError> {
        let host = self.host();
        if **host.bundle().digest().as_str() == *lock {
            return Ok(Some(host));
        }
        let Some(digest) = Digest::parse(lock) else { return Ok(None) };
        let mut loaded = self.loaded();
        match &self.installed {
            Some(installed) if installed.contains(&digest) => Ok(Some(self.load(&mut loaded, installed, &digest)?)),
            _ => Ok(loaded.iter().find(|host| *host.bundle().digest() == digest).cloned()),
        }
    }

    fn load(&self, loaded: &mut Vec<Host>, installed: &Installed, digest: &Digest) -> Result<Host, BundleError> {
        let host = match loaded.iter().find(|host| host.bundle().digest() == digest) {
            Some(host) => host.clone(),
            None => Host::of(self.engine.clone(), installed.load(&self.engine, digest)?),
        };
        keep(loaded, host.clone());
        Ok(host)
    }

    fn put(&self, host: Host) -> Host {
        std::mem::replace(&mut *self.current.write().unwrap_or_else(PoisonError::into_inner), host)
    }

    fn loaded(&self) -> MutexGuard<'_, Vec<Host>> {
        // No change is left half done, so there is nothing to distrust.
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts a host first, and forgets those that were not used for longest.
fn keep(loaded: &mut Vec<Host>, host: Host) {
    loaded.retain(|other| other.bundle().digest() != host.bundle().digest());
    loaded.insert(0, host);
    loaded.truncate(MOST_LOADED);
}
