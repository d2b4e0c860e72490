//! The hidden command by which this program compiles a component in a process of its own.

use anyhow::anyhow;
use countersign::engine::compile_for_parent;

use crate::exit;

/// What it is called; no person types it.
pub const NAME: &str = "compile-component";

/// The limits that the process sets itself.
#[derive(clap::Args)]
pub struct Arguments {
    most_memory: u64,
    address_space: u64,
    seconds: u64,
}

/// From standard input to standard output.
pub fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let numbers = [arguments.most_memory, arguments.address_space, arguments.seconds];
    compile_for_parent(numbers, std::io::stdin().lock(), std::io::stdout().lock()).map_err(|error| anyhow!(error))?;
    Ok(exit::OK)
}
