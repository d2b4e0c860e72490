//! From a policy crate to a component, with no tool but cargo.
//!
//! The bytes depend on the sources, `Cargo.lock` and the compiler alone: every path that rustc would
//! write into a panic message is mapped to a name that is the same everywhere, and the profile is
//! given here, so that no manifest, configuration or environment variable changes it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::exit::BadInput;

const TARGET: &str = "wasm32-unknown-unknown";

/// Settings of the guest's profile, beside the optimisation level.
const PROFILE: [&str; 5] = ["lto=true", "codegen-units=1", "panic=\"abort\"", "strip=true", "incremental=false"];
/// Parsing a configuration happens once an instance: small there is better than fast.
const SMALL: [&str; 2] = ["serde", "serde_core"];

/// A component and what is to be said about it.
pub struct Built {
    /// The package.
    pub package: String,
    /// The component's bytes.
    pub component: Vec<u8>,
    /// Path dependencies outside the workspace: their absolute path enters the bytes.
    pub outside: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    id: String,
    source: Option<String>,
    manifest_path: PathBuf,
    #[serde(default)]
    metadata: serde_json::Value,
}

impl Package {
    /// 3 by default: a warm call is then a fifth faster than at "s". A policy that is called once a
    /// run says `optimize = "size"` under `[package.metadata.countersign]`.
    fn opt_level(&self) -> Result<&'static str> {
        match self.metadata.pointer("/countersign/optimize").map(|value| value.as_str()) {
            None | Some(Some("speed")) => Ok("3"),
            Some(Some("size")) => Ok("\"s\""),
            Some(_) => bail!(
                "`{}`: `package.metadata.countersign.optimize` must be \"speed\" or \"size\"",
                self.manifest_path.display()
            ),
        }
    }
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    package_id: Option<String>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// Builds the crate in a folder.
pub fn build(folder: &Path, target_dir: Option<&Path>) -> Result<Built> {
    let manifest = folder.join("Cargo.toml");
    let problem = || format!("no `Cargo.toml` in `{}`: expected the folder of a policy crate", folder.display());
    ensure!(manifest.is_file(), BadInput(problem()));
    let manifest = manifest.canonicalize()?;
    let metadata = metadata(&manifest)?;
    let package = metadata
        .packages
        .iter()
        .find(|package| package.manifest_path.canonicalize().is_ok_and(|path| path == manifest))
        .with_context(|| format!("`{}` is a workspace and no package: name the policy's folder", manifest.display()))?;
    let root = &metadata.workspace_root;
    let outside = metadata
        .packages
        .iter()
        .filter(|package| package.source.is_none() && !package.manifest_path.starts_with(root))
        .map(|package| format!("{} ({})", package.name, package.manifest_path.display()))
        .collect();
    let target_dir = target_dir.map_or_else(|| metadata.target_directory.join("policies"), Path::to_path_buf);
    std::fs::create_dir_all(&target_dir).with_context(|| format!("cannot make `{}`", target_dir.display()))?;
    let target_dir = target_dir.canonicalize()?;

    let module = compile(package, &manifest, root, &target_dir)?;
    let bytes = std::fs::read(&module).with_context(|| format!("cannot read `{}`", module.display()))?;
    let component = wit_component::ComponentEncoder::default()
        .module(&bytes)
        .and_then(|encoder| encoder.validate(true).encode())
        .with_context(|| {
            format!("`{}` is no policy: does its library end in a line like `policy!(MyPolicy: SLOT);`?", package.name)
        })?;
    Ok(Built { package: package.name.clone(), component, outside })
}

fn metadata(manifest: &Path) -> Result<Metadata> {
    let output = Command::new(cargo())
        .args(["metadata", "--format-version", "1", "--manifest-path"])
        .arg(manifest)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run `cargo`: is it installed?")?;
    ensure!(output.status.success(), "`cargo metadata` failed for `{}`", manifest.display());
    serde_json::from_slice(&output.stdout).context("cannot read what `cargo metadata` says")
}

fn compile(package: &Package, manifest: &Path, root: &Path, target_dir: &Path) -> Result<PathBuf> {
    let mut command = Command::new(cargo());
    command
        .current_dir(root)
        .args(["rustc", "--release", "--lib", "--crate-type", "cdylib", "--locked", "--target", TARGET])
        .args(["--message-format", "json-render-diagnostics", "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(target_dir);
    command.arg("--config").arg(format!("profile.release.opt-level={}", package.opt_level()?));
    for setting in PROFILE {
        command.arg("--config").arg(format!("profile.release.{setting}"));
    }
    for name in SMALL {
        command.arg("--config").arg(format!("profile.release.package.{name}.opt-level=\"s\""));
    }
    command
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_BUILD_RUSTFLAGS")
        .env_remove("CARGO_INCREMENTAL")
        .env_remove("CARGO_BUILD_TARGET")
        .env("CARGO_ENCODED_RUSTFLAGS", remapping(root, target_dir)?)
        .stderr(Stdio::inherit());
    let output = command.output().context("cannot run `cargo`")?;
    if !output.status.success() {
        bail!(
            "cargo could not build `{}`; if it misses the target: `rustup target add {TARGET}`; if it \
             misses `Cargo.lock`: `cargo generate-lockfile`",
            package.name
        );
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|message| message.reason == "compiler-artifact" && message.package_id.as_deref() == Some(&*package.id))
        .flat_map(|message| message.filenames)
        .find(|path| path.extension().is_some_and(|extension| extension == "wasm"))
        .with_context(|| format!("cargo built no module for `{}`", package.name))
}

/// rustc takes the last mapping that matches, so the more special come later.
fn remapping(root: &Path, target_dir: &Path) -> Result<OsString> {
    let sysroot = rustc(root, &["--print", "sysroot"])?;
    let version = rustc(root, &["-vV"])?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: ")).unwrap_or("unknown");
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| {
        std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE")).map(|home| Path::new(&home).join(".cargo"))
    });
    // Where rust-src is installed rustc writes the real paths of the library's sources.
    let library = Path::new(sysroot.trim()).join("lib/rustlib/src/rust");
    let mut mappings = vec![(root.to_path_buf(), "/build".to_owned())];
    mappings.extend(cargo_home.map(|home| (home, "/cargo".to_owned())));
    mappings.push((target_dir.to_path_buf(), "/target".to_owned()));
    mappings.push((library, format!("/rustc/{commit}")));
    let mut flags = OsString::new();
    for (from, to) in mappings {
        if !flags.is_empty() {
            flags.push("\u{1f}");
        }
        flags.push("--remap-path-prefix=");
        flags.push(from);
        flags.push("=");
        flags.push(to);
    }
    Ok(flags)
}

fn rustc(folder: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new("rustc").current_dir(folder).args(arguments).output().context("cannot run `rustc`")?;
    ensure!(output.status.success(), "`rustc {}` failed", arguments.join(" "));
    String::from_utf8(output.stdout).context("cannot read what `rustc` says")
}

fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
