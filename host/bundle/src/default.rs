//! The bundle that a host carries in itself.

use countersign_engine::Engine;

use crate::error::BundleError;
use crate::folder::Bundle;

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
