use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use countersign::deployment::{COMMENTED, FILE};

use crate::exit::{self, BadInput};
use crate::look::{GOOD, styled};

/// Write a commented countersign.toml
///
/// Every section may be left out; what is commented out shows the default. Nothing is written over.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  countersign init\n  countersign init deployments/staging.toml")]
pub struct Arguments {
    /// The file to write
    #[arg(default_value = FILE)]
    file: PathBuf,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let file = &arguments.file;
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(file)
        .and_then(|mut opened| opened.write_all(COMMENTED.as_bytes()));
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => BadInput(format!("`{}` is there already; name another", file.display())),
        _ => BadInput(format!("cannot write `{}`: {error}", file.display())),
    })?;
    crate::say!(
        "{} `{}`; `countersign mcp --config {}` opens it",
        styled(GOOD, "written:"),
        file.display(),
        file.display()
    );
    Ok(exit::OK)
}
