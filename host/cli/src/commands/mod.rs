//! One file a command.

pub mod backtest;
pub mod bundle;
pub mod policy;
pub mod run;
pub mod trace;

use std::path::Path;

use countersign::Host;
use countersign::engine::EngineOptions;

/// The host with the bundle in a folder, or the one it carries in itself.
pub fn host(bundle: Option<&Path>) -> anyhow::Result<Host> {
    Ok(Host::new(EngineOptions::default(), bundle)?)
}

/// Prints a value for machines.
pub fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    use std::io::Write;
    let text = serde_json::to_string_pretty(value)?;
    writeln!(std::io::stdout().lock(), "{text}")?;
    Ok(())
}
