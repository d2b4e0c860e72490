//! Parts by others that tests run against: MCP servers and a client, installed by
//! `tests/parts/install.sh` into a folder that git ignores.

use std::path::PathBuf;

/// A part: what it is called, and the file that shows that it is installed.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    name: &'static str,
    file: &'static str,
    registry: &'static str,
}

/// An MCP server with a tool of every kind.
pub const EVERYTHING: Part = Part {
    name: "@modelcontextprotocol/server-everything",
    file: "npm/node_modules/@modelcontextprotocol/server-everything/dist/index.js",
    registry: "npm",
};

/// An MCP server that reads and writes files below the folders it is given.
pub const FILESYSTEM: Part = Part {
    name: "@modelcontextprotocol/server-filesystem",
    file: "npm/node_modules/@modelcontextprotocol/server-filesystem/dist/index.js",
    registry: "npm",
};

/// An MCP client for a terminal, with `--cli`.
pub const INSPECTOR: Part = Part {
    name: "@modelcontextprotocol/inspector",
    file: "npm/node_modules/@modelcontextprotocol/inspector/cli/build/cli.js",
    registry: "npm",
};

/// A Python that has the MCP library.
pub const PYTHON: Part = Part { name: "mcp (PyPI)", file: "python/bin/python", registry: "PyPI" };

impl Part {
    /// Where it is installed. None where it is not: the test that asks says so and is skipped. Where
    /// tests must be complete, under `CI=true`, that is a failure, unless the registry was out of
    /// reach when the parts were to be installed.
    ///
    /// # Panics
    /// Under `CI=true`, when the part is missing without an excuse.
    #[track_caller]
    pub fn path(self) -> Option<PathBuf> {
        let parts = super::root().join(".parts");
        let path = parts.join(self.file);
        let folder = parts.join(if self.registry == "npm" { "npm" } else { "python" });
        // Written last: half an installation is none.
        if path.exists() && folder.join("installed").exists() {
            return Some(path);
        }
        let notes = std::fs::read_to_string(parts.join("out-of-reach")).unwrap_or_default();
        let excused = notes.lines().any(|line| line == self.registry);
        let strict = std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(!strict || excused, "`{}` is not installed: run tests/parts/install.sh", self.name);
        let why = if excused { "its registry was out of reach" } else { "run tests/parts/install.sh to install it" };
        eprintln!("skipped: `{}` is not installed: {why}", self.name);
        None
    }
}
