//! The default bundle can be rebuilt to the byte: here, from another folder, with another cargo
//! home. Needs the wasm target; without it the test says so and skips.

use std::path::Path;
use std::process::Command;

use countersign::bundle::sha256;
use countersign_tests::{has_wasm_target, root};

/// Builds a policy; its bytes.
fn build(workspace: &Path, crate_folder: &str, target: &Path, cargo_home: Option<&Path>) -> std::io::Result<Vec<u8>> {
    let out = target.join("out.wasm");
    std::fs::create_dir_all(target)?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command
        .current_dir(workspace)
        .args(["policy", "build", crate_folder])
        .arg("--out")
        .arg(&out)
        .arg("--target-dir")
        .arg(target)
        // What a test run sets for itself must not matter.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("RUSTFLAGS", "-C debuginfo=2");
    if let Some(home) = cargo_home {
        command.env("CARGO_HOME", home);
    }
    let output = command.output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(out)
}

const MADE_FOR_TESTS: [&str; 4] = ["misbehaving", "cautious-risk", "constant-risk", "literal-doom-loop"];

/// Every policy whose component is committed: its folder and the component.
fn policies() -> anyhow::Result<Vec<(String, String)>> {
    let host = countersign_tests::subject::host()?;
    let bundle = host.bundle().lock().entry.iter();
    let default =
        bundle.map(|entry| (format!("plugins/{}", entry.name), format!("plugins/bundle/{}", entry.component)));
    let others = MADE_FOR_TESTS
        .iter()
        .map(|name| (format!("tests/policies/{name}"), format!("tests/policies/built/{name}.wasm")));
    Ok(default.chain(others).collect())
}

/// Bytes that a component may have. The guard reads shell commands, and carries the patterns of secrets beside them.
fn most_bytes(component: &str) -> usize {
    if component.ends_with("/guard.wasm") { 260_000 } else { 200_000 }
}

#[test]
fn the_committed_components_are_what_their_sources_give() -> anyhow::Result<()> {
    if !has_wasm_target() {
        println!("SKIPPED: the target wasm32-unknown-unknown is not installed");
        return Ok(());
    }
    let target = tempfile::tempdir()?;
    for (crate_folder, committed) in policies()? {
        let bytes = build(&root(), &crate_folder, target.path(), None)?;
        let expected = std::fs::read(root().join(&committed))?;
        assert_eq!(sha256(&bytes), sha256(&expected), "{committed}: rebuild it with `countersign policy build`");
        assert!(bytes.len() < most_bytes(&committed), "{committed} has {} bytes", bytes.len());
    }
    Ok(())
}

#[test]
fn another_folder_and_another_cargo_home_give_the_same_bytes() -> std::io::Result<()> {
    if !has_wasm_target() {
        println!("SKIPPED: the target wasm32-unknown-unknown is not installed");
        return Ok(());
    }
    let elsewhere = tempfile::tempdir()?;
    let workspace = elsewhere.path().join("a folder with spaces");
    for part in ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "wit", "host", "plugins", "sdk", "tests"] {
        copy(&root().join(part), &workspace.join(part))?;
    }
    let home = elsewhere.path().join("cargo-home");
    std::fs::create_dir_all(&home)?;
    // The registry as it is configured here; its packages are fetched anew.
    let own = std::env::var_os("CARGO_HOME")
        .map(std::path::PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    if let Some(own) = own {
        for name in ["config.toml", "config", "credentials.toml"] {
            if own.join(name).exists() {
                std::fs::copy(own.join(name), home.join(name))?;
            }
        }
    }
    if !reaches_registry(&workspace, &home) {
        println!("SKIPPED: the registry is out of reach, so another cargo home cannot be filled");
        return Ok(());
    }
    let bytes = build(&workspace, "plugins/risk", &elsewhere.path().join("t"), Some(&home))?;
    let expected = std::fs::read(root().join("plugins/bundle/risk.wasm"))?;
    assert_eq!(sha256(&bytes), sha256(&expected));
    Ok(())
}

fn reaches_registry(workspace: &Path, home: &Path) -> bool {
    let fetched = Command::new("cargo")
        .current_dir(workspace)
        .args(["fetch", "--locked", "--target", "wasm32-unknown-unknown"])
        .env("CARGO_HOME", home)
        .output();
    fetched.is_ok_and(|output| output.status.success())
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if from.is_dir() {
        std::fs::create_dir_all(to)?;
        for entry in std::fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::copy(from, to).map(drop)
}
