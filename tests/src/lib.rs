//! What the tests share: paths, case tables, bundles to swap, the default policies natively, generated
//! questions and the laws that hold of them, tables that are generated, a server of models.

pub mod bundles;
pub mod cases;
pub mod chat;
pub mod generate;
pub mod generated;
pub mod laws;
#[macro_use]
pub mod native;
pub mod parts;
pub mod recordings;
pub mod slots;
pub mod subject;

use std::path::{Path, PathBuf};
use std::process::Command;

/// Looks into the file of a store, and tampers with it.
pub use rusqlite;

/// The root of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// The MCP server that misbehaves as it is told: an example of this package, which `cargo test` builds
/// beside the tests.
///
/// # Panics
/// Where only some targets were built: without it nothing could be tested.
#[must_use]
pub fn fake_mcp_server() -> String {
    server("fake-mcp-server")
}

/// The MCP server with a shell, which works in the folder that it is given.
///
/// # Panics
/// As [`fake_mcp_server`].
#[must_use]
pub fn shell_mcp_server() -> String {
    server("shell-mcp-server")
}

fn server(name: &str) -> String {
    let own = std::env::current_exe().unwrap_or_default();
    let path = own.ancestors().nth(2).map(|folder| folder.join("examples").join(name)).unwrap_or_default();
    let path = path.with_extension(std::env::consts::EXE_EXTENSION);
    assert!(path.exists(), "`{}` is not built: run `cargo test --workspace`", path.display());
    path.display().to_string()
}

/// Whether policies can be built here.
#[must_use]
pub fn has_wasm_target() -> bool {
    let output = Command::new("rustc").current_dir(root()).args(["--print", "sysroot"]).output();
    output.is_ok_and(|output| {
        let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Path::new(&sysroot).join("lib/rustlib/wasm32-unknown-unknown").exists()
    })
}

/// Copies the files of a folder.
///
/// # Errors
/// When one of them cannot be copied.
pub fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
