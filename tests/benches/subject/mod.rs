//! What is measured: the default bundle, the questions put to it, a run that goes on.

pub mod native;
pub mod questions;
pub mod run;

use std::sync::Arc;

use anyhow::{Context, Result};
use countersign::Host;
use countersign::bundle::Entry;
use countersign::engine::Session;
use countersign::kernel::Slot;

/// The entry of a slot in the default bundle.
pub fn entry(host: &Host, slot: Slot) -> Result<(usize, &Entry)> {
    let mut entries = host.bundle().lock().entry.iter().enumerate();
    let serves = |entry: &Entry| entry.slot.iter().any(|served| served.slot == slot);
    entries.find(|(_, entry)| serves(entry)).with_context(|| format!("nothing serves the slot `{slot}`"))
}

/// Opens the policy of a slot.
pub fn session(host: &Host, slot: Slot) -> Result<Session> {
    let (index, entry) = entry(host, slot)?;
    let configuration = Arc::from(entry.configuration.as_str());
    Ok(host.bundle().policies()[index].open(configuration, entry.limits.into())?)
}
