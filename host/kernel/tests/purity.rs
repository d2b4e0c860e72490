//! The kernel decides by its inputs alone: what it depends on and what it says in its source.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Crates that the kernel may be built with, by direct or indirect dependency, each pure computation.
/// `petgraph` and what it brings are used by index only; `serde` and `thiserror` derive code.
const ALLOWED: [&str; 37] = [
    "block-buffer",
    "cfg-if",
    "const-oid",
    // These two are judged by the same words below.
    "countersign-contract",
    "countersign-spec",
    "countersign-kernel",
    "cpufeatures",
    "crypto-common",
    "digest",
    "equivalent",
    "fixedbitset",
    "foldhash",
    "generic-array",
    "hashbrown",
    "hybrid-array",
    "indexmap",
    "itoa",
    "libc",
    "memchr",
    "petgraph",
    "proc-macro2",
    "quote",
    "rustversion",
    "ryu",
    "serde",
    "serde_core",
    "serde_derive",
    // Rules of approval look into arguments; its maps are ordered.
    "serde_json",
    "sha2",
    "syn",
    "thiserror",
    "thiserror-impl",
    "typenum",
    "unicode-ident",
    "version_check",
    "xxhash-rust",
    "zmij",
];

/// What no line of the kernel's source may say, and why.
const BANNED: [(&str, &str); 22] = [
    ("std::time", "a clock"),
    ("Instant", "a clock"),
    ("SystemTime", "a clock"),
    ("std::env", "the environment"),
    ("env!(", "the environment at build time"),
    ("std::fs", "files"),
    ("std::io", "files"),
    ("File::", "files"),
    ("std::net", "the network"),
    ("std::process", "processes"),
    ("std::thread", "threads"),
    ("Mutex", "shared state"),
    ("static mut", "shared state"),
    ("thread_local", "shared state"),
    ("HashMap", "an order that differs from run to run"),
    ("HashSet", "an order that differs from run to run"),
    ("RandomState", "randomness"),
    ("rand::", "randomness"),
    ("getrandom", "randomness"),
    ("println!", "output"),
    ("async fn", "async"),
    ("unsafe ", "unsafe code"),
];

fn kernel() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_kernel_depends_on_pure_computation_alone() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", "countersign-kernel", "--edges", "normal,no-proc-macro", "--prefix", "none"])
        .args(["--offline", "--format", "{p}"])
        .current_dir(kernel())
        .output();
    let output = match output {
        Ok(output) if output.status.success() => output,
        Ok(output) => panic!("cargo tree: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => panic!("cargo tree: {error}"),
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let found: BTreeSet<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(found.contains("countersign-kernel"), "{text}");
    let foreign: Vec<&&str> = found.iter().filter(|name| !ALLOWED.contains(name)).collect();
    assert!(foreign.is_empty(), "the kernel depends on {foreign:?}; is that pure computation?");
}

#[test]
fn the_kernel_speaks_of_no_clock_environment_file_or_order() {
    let mut problems = Vec::new();
    for path in ["src", "../spec/src", "../contract/src"].iter().flat_map(|folder| sources(&kernel().join(folder))) {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for (word, why) in BANNED {
                if code.contains(word) {
                    problems.push(format!("{}:{}: `{word}` brings {why}", path.display(), number + 1));
                }
            }
            if let Some(problem) = formats_a_float(code) {
                problems.push(format!("{}:{}: {problem}", path.display(), number + 1));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Floats reach a trace by `serde_json` alone, which writes the shortest text that reads back as the
/// same number; a precision in a format would round, and another formatter would differ.
fn formats_a_float(code: &str) -> Option<String> {
    let precision = code.contains("{:.")
        || code.match_indices(":.").any(|(at, _)| {
            let before = code[..at].rfind('{').is_some_and(|open| !code[open..at].contains('}'));
            before && code[at + 2..].starts_with(|c: char| c.is_ascii_digit() || c == '*' || c == '$')
        });
    if precision {
        return Some("a float is formatted with a precision".to_owned());
    }
    let names = ["confidence}", "score}", "ambiguity}"];
    let found = names.iter().find(|name| code.contains(&format!("{{{name}")));
    found.map(|name| format!("`{{{name}` formats a float"))
}

#[test]
fn the_lint_finds_what_it_is_for() {
    for line in [r#"format!("{:.2}", x)"#, r#"format!("{score:.3}")"#, r#"format!("is {confidence}")"#] {
        assert!(formats_a_float(line).is_some(), "{line}");
    }
    assert!(formats_a_float(r#"format!("{reason}: {left}")"#).is_none());
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}
