//! The bundle that a host carries in itself.

use std::path::Path;

use countersign_engine::Engine;

use crate::error::BundleError;
use crate::folder::Bundle;

const MANIFEST: &str = include_str!("../../../plugins/bundle/bundle.toml");
const LOCK: &str = include_str!("../../../plugins/bundle/bundle.lock");
const COMPONENTS: [(&str, &[u8]); 11] = [
    ("classifier.wasm", include_bytes!("../../../plugins/bundle/classifier.wasm")),
    ("confidence.wasm", include_bytes!("../../../plugins/bundle/confidence.wasm")),
    ("context.wasm", include_bytes!("../../../plugins/bundle/context.wasm")),
    ("dispatch.wasm", include_bytes!("../../../plugins/bundle/dispatch.wasm")),
    ("doom-loop.wasm", include_bytes!("../../../plugins/bundle/doom-loop.wasm")),
    ("estimator.wasm", include_bytes!("../../../plugins/bundle/estimator.wasm")),
    ("guard.wasm", include_bytes!("../../../plugins/bundle/guard.wasm")),
    ("remediation.wasm", include_bytes!("../../../plugins/bundle/remediation.wasm")),
    ("risk.wasm", include_bytes!("../../../plugins/bundle/risk.wasm")),
    ("sensitivity.wasm", include_bytes!("../../../plugins/bundle/sensitivity.wasm")),
    ("threshold.wasm", include_bytes!("../../../plugins/bundle/threshold.wasm")),
];

/// Loads the default bundle.
///
/// # Errors
/// When the machine cannot compile it.
pub fn default_bundle(engine: &Engine) -> Result<Bundle, BundleError> {
    Bundle::from_parts(engine, "default bundle", LOCK, |name| {
        let found = COMPONENTS.iter().find(|(component, _)| *component == name);
        found.map(|(_, bytes)| bytes.to_vec()).ok_or_else(|| BundleError::Invalid {
            file: "default bundle".to_owned(),
            problem: format!("`{name}` is not embedded"),
        })
    })
}

/// Writes the bundle that this program carries into a folder, ready to be edited and locked again. The folder is made
/// where there is none, and must be empty where there is one.
///
/// # Errors
/// A folder that holds something, or cannot be written.
pub fn write_default_bundle(folder: &Path) -> Result<(), BundleError> {
    let failed = |path: &Path, source: std::io::Error| BundleError::Io { path: path.to_owned(), help: "", source };
    std::fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
    let mut entries = std::fs::read_dir(folder).map_err(|source| failed(folder, source))?;
    if entries.next().is_some() {
        return Err(BundleError::Invalid {
            file: folder.display().to_string(),
            problem: "it holds something already; name an empty folder, or one that is not there".to_owned(),
        });
    }
    let text = MANIFEST.replace("countersign bundle lock plugins/bundle", "countersign bundle lock FOLDER");
    let files = [("bundle.toml", text.as_bytes()), ("bundle.lock", LOCK.as_bytes())];
    for (name, bytes) in files.into_iter().chain(COMPONENTS.iter().map(|(name, bytes)| (*name, &bytes[..]))) {
        let path = folder.join(name);
        std::fs::write(&path, bytes).map_err(|source| failed(&path, source))?;
    }
    Ok(())
}
