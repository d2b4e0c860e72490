use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use countersign_bundle::{Digest, Installed};
use countersign_engine::EngineOptions;
use countersign_kernel::Slot;
use countersign_spec::PolicyMode;
use serde::Deserialize;

use crate::host::{Host, HostError};
use crate::live::LiveHost;
use crate::settings::SettingsError;

/// Which policies judge. By default those of the bundle that the program carries.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct BundleSection {
    /// Folder of a bundle. At most one of this and `installed`.
    pub folder: Option<PathBuf>,
    /// Folder of installed bundles: each new run takes the current one, also while the host runs (`countersign bundle
    /// use`).
    pub installed: Option<PathBuf>,
    /// Digest of the lock that the bundle of `folder` must have, such as `sha256:…`. Another one is refused before
    /// anything of it is compiled.
    pub digest: Option<String>,
    /// Slots that are heard and not obeyed.
    pub modes: BTreeMap<Slot, PolicyMode>,
}

impl BundleSection {
    pub(super) fn resolve(&mut self, file: &str, folder: &Path) -> Result<(), SettingsError> {
        if self.folder.is_some() && self.installed.is_some() {
            let problem = "stands beside `bundle.installed`; expected at most one of them";
            return Err(SettingsError::invalid(file, "bundle.folder", problem));
        }
        if let Some(digest) = &self.digest {
            if Digest::parse(digest).is_none() {
                let problem = format!("expected `sha256:` and 64 hexadecimal digits, found `{digest}`");
                return Err(SettingsError::invalid(file, "bundle.digest", problem));
            }
            if self.folder.is_none() {
                let problem = "expected `bundle.folder` beside it, whose lock it is of";
                return Err(SettingsError::invalid(file, "bundle.digest", problem));
            }
        }
        for path in [&mut self.folder, &mut self.installed].into_iter().flatten() {
            *path = folder.join(&*path);
        }
        Ok(())
    }

    /// The hosts of runs.
    ///
    /// # Errors
    /// A bundle that is another than the digest says or does not load, or what the machine cannot give.
    pub fn live(&self, options: EngineOptions) -> Result<LiveHost, HostError> {
        match (&self.installed, &self.folder) {
            (Some(installed), _) => LiveHost::installed(options, Installed::new(installed)),
            (None, folder) => {
                let digest = self.digest.as_deref().and_then(Digest::parse);
                Ok(LiveHost::fixed(Host::pinned(options, folder.as_deref(), digest.as_ref())?))
            }
        }
    }
}
