//! Two small bundles to swap, which differ in their risk policy: the default one, and one that asks about
//! all that may touch something.

use std::path::Path;

use countersign::bundle::{Lock, sha256};

use crate::root;

/// Puts a bundle into a folder: the default one's risk and doom-loop policies, as it has them.
///
/// # Errors
/// When a file cannot be read or written.
pub fn lenient(folder: &Path) -> anyhow::Result<()> {
    put(folder, "lenient", None)
}

/// The same with the risk policy's other version, which takes no settings.
///
/// # Errors
/// When a file cannot be read or written.
pub fn cautious(folder: &Path) -> anyhow::Result<()> {
    put(folder, "cautious", Some(&std::fs::read(root().join("tests/policies/built/cautious-risk.wasm"))?))
}

/// Its lock is made from the default bundle's, so that nothing need be compiled for it.
fn put(folder: &Path, name: &str, risk: Option<&[u8]>) -> anyhow::Result<()> {
    let source = root().join("plugins/bundle");
    let mut lock = Lock::parse("bundle.lock", &std::fs::read_to_string(source.join("bundle.lock"))?)?;
    name.clone_into(&mut lock.name);
    lock.entry.retain(|entry| ["risk", "doom-loop"].contains(&entry.name.as_str()));
    std::fs::create_dir_all(folder)?;
    for entry in &mut lock.entry {
        let mut bytes = std::fs::read(source.join(&entry.component))?;
        if let Some(risk) = risk.filter(|_| entry.name == "risk") {
            bytes = risk.to_vec();
            "risk@0.2.0".clone_into(&mut entry.policy);
            entry.component_digest = sha256(risk).to_string();
            "{}".clone_into(&mut entry.configuration);
            entry.configuration_digest = sha256(b"{}").to_string();
        }
        std::fs::write(folder.join(&entry.component), bytes)?;
    }
    std::fs::write(folder.join("bundle.lock"), lock.to_text())?;
    Ok(())
}
