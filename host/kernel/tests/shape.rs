//! The shape of the kernel's source and of what its runs are pinned to: no struct that holds everything, and no two
//! files of the run that import each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Fields of the largest struct: the manifest and the registered tool, which people read as lists, may have more.
const MOST_FIELDS: usize = 20;
const LISTS: [&str; 2] = ["Manifest", "HostRules"];

/// What a verdict leads to, and which phase takes place where, stand in the README as the run has them.
#[test]
fn the_readme_has_the_kernels_tables() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let tables = [
        ("verdicts", countersign_kernel::consequence::verdicts()),
        ("severities", countersign_kernel::consequence::severities()),
        ("phases", countersign_spec::graph::phases()),
    ];
    let mut expected = text.clone();
    for (name, table) in tables {
        let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
        let (Some(from), Some(to)) = (expected.find(&begin), expected.find(&end)) else {
            panic!("no place for `{name}`")
        };
        expected = format!("{}{table}{}", &expected[..from + begin.len()], &expected[to..]);
    }
    if std::env::var_os("COUNTERSIGN_BLESS").is_some() {
        std::fs::write(&path, &expected).unwrap_or_else(|error| panic!("{error}"));
        return;
    }
    assert!(text == expected, "`{}` differs; set COUNTERSIGN_BLESS=1 to accept the new one", path.display());
}

#[test]
fn no_struct_has_more_than_twenty_fields() {
    let mut problems = Vec::new();
    for (path, text) in sources() {
        for (name, fields) in structs(&text) {
            if fields > MOST_FIELDS && !LISTS.contains(&name.as_str()) {
                problems.push(format!("{}: `{name}` has {fields} fields", path.display()));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn the_counter_counts() {
    let text = "struct A {\n    a: u8,\n    /// b\n    pub(super) b: [u8; 2],\n}\n\npub struct B(u8);\npub struct C {\n    c: X,\n}\n";
    assert_eq!(structs(text), [("A".to_owned(), 2), ("C".to_owned(), 1)]);
}

/// A module and the files below it may know each other: the one declares the others. Beyond that no two files
/// import each other, not even by way of others.
#[test]
fn no_files_of_the_run_import_each_other() {
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in sources() {
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else { continue };
        if path.parent().and_then(Path::file_name).is_none_or(|folder| folder != "run") || name == "mod" {
            continue;
        }
        let of = |line: &str| {
            let rest = line.trim().strip_prefix("use super::")?;
            let module: String = rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            rest[module.len()..].starts_with("::").then_some(module)
        };
        imports.insert(name.to_owned(), text.lines().filter_map(of).collect());
    }
    assert!(imports.len() > 20, "{imports:?}");
    for name in imports.keys() {
        let mut reached: BTreeSet<&String> = BTreeSet::new();
        let mut open: Vec<&String> = imports[name].iter().collect();
        while let Some(next) = open.pop() {
            if reached.insert(next) {
                open.extend(imports.get(next).into_iter().flatten());
            }
        }
        assert!(!reached.contains(name), "`run/{name}.rs` imports itself by way of {reached:?}");
    }
}

/// Structs with named fields, by their braces and the lines between.
fn structs(text: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(rest) = line.trim_start().split_once("struct ").map(|(_, rest)| rest) else { continue };
        if line.trim_start().starts_with("//") || !line.trim_end().ends_with('{') {
            continue;
        }
        let name = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
        let indent = line.len() - line.trim_start().len();
        let closes = format!("{}}}", " ".repeat(indent));
        let body = lines.by_ref().take_while(|line| *line != closes);
        let field = |line: &str| {
            let own = line.len() - line.trim_start().len() == indent + 4;
            own && line.contains(':') && !line.trim_start().starts_with(['/', '#'])
        };
        found.push((name, body.filter(|line| field(line)).count()));
    }
    found
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = ["src", "../spec/src"].map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                found.push((path, text));
            }
        }
    }
    found.sort();
    found
}
