//! A copy of the sources in which policies are changed and built: nothing of the tree is touched.
//!
//! It stays between two runs, so that only what has changed is compiled again.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use countersign_tests::root;

use super::seeded::Mutant;

/// What building a policy needs. Cargo wants every member of the workspace to be there.
const PARTS: [&str; 8] = ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "wit", "host", "plugins", "sdk", "tests"];
/// Folders that no policy is built of, relative to the root.
const LEFT_OUT: [&str; 3] = ["tests/data", "tests/scenarios", "tests/parts"];

pub struct MutantBuilder {
    sources: PathBuf,
    target: PathBuf,
    /// Held while it is open: two of them would change each other's files.
    _lock: File,
}

impl MutantBuilder {
    pub fn open() -> Result<Self> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutants");
        std::fs::create_dir_all(&folder)?;
        let lock = File::create(folder.join("lock"))?;
        lock.lock()?;
        let builder = MutantBuilder { sources: folder.join("sources"), target: folder.join("target"), _lock: lock };
        for part in PARTS {
            copy(&root(), Path::new(part), &builder.sources).with_context(|| format!("cannot copy `{part}`"))?;
        }
        Ok(builder)
    }

    /// The component of a policy as it is.
    pub fn build(&self, policy: &str) -> Result<Vec<u8>> {
        let out = self.target.join("out.wasm");
        std::fs::create_dir_all(&self.target)?;
        let output = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .current_dir(&self.sources)
            .args(["policy", "build", &format!("plugins/{policy}")])
            .arg("--out")
            .arg(&out)
            .arg("--target-dir")
            .arg(&self.target)
            .env("CARGO_NET_OFFLINE", "true")
            .output()?;
        ensure!(output.status.success(), "{policy}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(std::fs::read(out)?)
    }

    /// The component of a changed policy.
    pub fn build_changed(&self, mutant: &Mutant) -> Result<Vec<u8>> {
        let path = self.sources.join("plugins").join(mutant.policy).join(mutant.file);
        let text = std::fs::read_to_string(&path)?;
        let times = text.matches(mutant.from).count();
        ensure!(times == 1, "{mutant}: `{}` stands there {times} times; write the mutant anew", mutant.from);
        std::fs::write(&path, text.replace(mutant.from, mutant.to))?;
        let built = self.build(mutant.policy);
        std::fs::write(&path, text)?;
        built
    }
}

/// Copies what differs: what is the same keeps its time, and is not compiled again.
fn copy(from: &Path, part: &Path, to: &Path) -> std::io::Result<()> {
    if LEFT_OUT.iter().any(|left_out| part == Path::new(left_out)) {
        return Ok(());
    }
    let (source, target) = (from.join(part), to.join(part));
    if source.is_dir() {
        std::fs::create_dir_all(&target)?;
        for entry in std::fs::read_dir(source)? {
            copy(from, &part.join(entry?.file_name()), to)?;
        }
        return Ok(());
    }
    let bytes = std::fs::read(&source)?;
    if std::fs::read(&target).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    if let Some(parent) = target.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(target, bytes)
}
