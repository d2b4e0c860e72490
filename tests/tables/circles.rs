//! No two files of a crate import each other.
//!
//! Read are the `use` lines of every file under `host/*/src`. A name that a file takes from another one which only has
//! it by a `use` of its own, as `mod.rs` re-exports what stands in its children, is taken from the file where it stands.
//! A file and those below it may know each other: the one declares the others, and what they share stands in it. Paths
//! in the code itself are not read. That `run/` of the kernel has no longer circles either is a test of the kernel's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use countersign_tests::root;

/// A module by the names that lead to it; the crate's own has none.
type Module = Vec<String>;

/// How often a name may be handed on before it is taken to stand where it is.
const MOST_HANDED_ON: usize = 4;

#[test]
fn no_two_files_of_a_crate_import_each_other() {
    let (mut crates, mut circles) = (0, Vec::new());
    for folder in std::fs::read_dir(root().join("host")).into_iter().flatten().flatten() {
        let mut files = BTreeMap::new();
        read(&folder.path().join("src"), &Vec::new(), &mut files);
        crates += usize::from(!files.is_empty());
        let name = folder.file_name().to_string_lossy().into_owned();
        let told = |(a, b): (Module, Module)| format!("{name}: `{}` and `{}`", a.join("::"), b.join("::"));
        circles.extend(find(&files).into_iter().map(told));
    }
    assert!(crates > 10, "{crates} crates found");
    circles.sort();
    assert!(circles.is_empty(), "move what both need to a third file:\n{}", circles.join("\n"));
}

#[test]
fn a_circle_is_found_and_what_is_none_is_not() {
    let files = |texts: &[(&str, &str)]| -> BTreeMap<Module, String> {
        let module = |path: &str| path.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect();
        texts.iter().map(|(path, text)| (module(path), (*text).to_owned())).collect()
    };
    let circles = [
        [("", ""), ("a", "use crate::b::B;"), ("b", "use super::a::A;")],
        [("", "mod a;\nmod b;\n\npub use a::A;"), ("a", "use crate::b::{\n    B, C,\n};"), ("b", "use crate::A;")],
        [("", "use b::B;"), ("a", "    use super::B;"), ("b", "#[cfg(test)]\nmod tests {\n    use crate::a;\n}")],
    ];
    for texts in circles {
        assert_eq!(find(&files(&texts)).len(), 1, "{texts:?}");
    }
    let none = [
        [("", "pub use a::A;\nuse b::B;"), ("a", "use super::C;"), ("b", "use crate::a::A;")],
        [("", "pub use a::A;"), ("a", "use self::b::B;"), ("a::b", "use super::A;\nuse super::*;")],
        [("", ""), ("a", "// use crate::b::B;\nuse std::b;"), ("b", "use super::a::A;")],
        [("", ""), ("a", "mod tests {\n    use super::*;\n    use super::super::b;\n}"), ("b", "use other::a::A;")],
    ];
    for texts in none {
        assert_eq!(find(&files(&texts)), Vec::new(), "{texts:?}");
    }
}

/// The texts of a folder by their modules.
fn read(folder: &Path, module: &Module, files: &mut BTreeMap<Module, String>) {
    for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
        let below = || [module.as_slice(), &[stem.to_owned()]].concat();
        if path.is_dir() {
            read(&path, &below(), files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let own = if ["lib", "main", "mod"].contains(&stem) { module.clone() } else { below() };
            files.insert(own, std::fs::read_to_string(&path).unwrap_or_default());
        }
    }
}

/// A name that a file takes from a module.
#[derive(Debug, Clone)]
struct Taken {
    from: Module,
    /// What stands there; none for the module itself, or all of it.
    item: Option<String>,
    /// How the file calls it.
    called: String,
}

/// Pairs of files that take something from each other.
fn find(files: &BTreeMap<Module, String>) -> Vec<(Module, Module)> {
    let taken: BTreeMap<&Module, Vec<Taken>> =
        files.iter().map(|(module, text)| (module, takes(files, module, text))).collect();
    let mut imports: BTreeMap<&Module, BTreeSet<Module>> = BTreeMap::new();
    for (module, names) in &taken {
        let stands_in = names.iter().map(|name| stands(&taken, name.clone()));
        imports.insert(module, stands_in.filter(|other| !related(module, other)).collect());
    }
    let both = |a: &Module, b: &Module| imports.get(b).is_some_and(|back| back.contains(a));
    let pairs = imports.iter().flat_map(|(a, others)| others.iter().map(|b| ((*a).clone(), b.clone())));
    pairs.filter(|(a, b)| a < b && both(a, b)).collect()
}

/// The one declares the other, or is it.
fn related(a: &Module, b: &Module) -> bool {
    a.starts_with(b) || b.starts_with(a)
}

/// The module in which a name stands, whoever hands it on.
fn stands(taken: &BTreeMap<&Module, Vec<Taken>>, mut name: Taken) -> Module {
    for _ in 0..MOST_HANDED_ON {
        let Some(item) = &name.item else { break };
        let Some(before) = taken.get(&name.from).into_iter().flatten().find(|own| own.called == *item) else { break };
        name = before.clone();
    }
    name.from
}

/// What a file takes from files of its crate.
fn takes(files: &BTreeMap<Module, String>, module: &Module, text: &str) -> Vec<Taken> {
    let code: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    let (own, tests) = code.split_once("mod tests {").unwrap_or((&code, ""));
    let within_tests = [module.as_slice(), &["tests".to_owned()]].concat();
    let mut found = Vec::new();
    for (text, at) in [(own, module), (tests, &within_tests)] {
        for path in uses(text) {
            found.extend(take(files, at, &path));
        }
    }
    found
}

/// The paths of all `use` lines, braces resolved.
fn uses(text: &str) -> Vec<String> {
    let begins = |line: &str| {
        let line = line.trim_start();
        let behind = line.strip_prefix("pub").map_or(line, |rest| {
            rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or(rest, |(_, rest)| rest)
        });
        behind.trim_start().strip_prefix("use ").map(str::to_owned)
    };
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(mut statement) = begins(line) else { continue };
        while !statement.contains(';') {
            let Some(more) = lines.next() else { break };
            statement.push_str(more);
        }
        let statement =
            statement.split(';').next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        flatten("", &statement, &mut found);
    }
    found
}

fn flatten(before: &str, tree: &str, found: &mut Vec<String>) {
    let Some((path, rest)) = tree.split_once('{') else {
        found.push(format!("{before}{}", tree.trim()));
        return;
    };
    let before = format!("{before}{}", path.trim());
    let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
    let (mut depth, mut from) = (0, 0);
    for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !inner[from..at].trim().is_empty() {
                    flatten(&before, &inner[from..at], found);
                }
                from = at + 1;
            }
            _ => {}
        }
    }
}

/// What a path takes, where it leads into the crate.
fn take(files: &BTreeMap<Module, String>, module: &Module, path: &str) -> Option<Taken> {
    let (path, alias) = path.split_once(" as ").map_or((path, None), |(path, alias)| (path, Some(alias)));
    let mut rest: Vec<&str> = path.split("::").collect();
    let called = alias.or(rest.last().copied())?.to_owned();
    let mut from = module.clone();
    match *rest.first()? {
        "crate" => from.clear(),
        "self" | "super" => {}
        // A module of its own, else another crate.
        own if files.contains_key(&[module.as_slice(), &[own.to_owned()]].concat()) => rest.insert(0, "self"),
        _ => return None,
    }
    while rest.first() == Some(&"super") {
        from.pop();
        rest.remove(0);
    }
    if matches!(rest.first(), Some(&"crate" | &"self")) {
        rest.remove(0);
    }
    while let Some(next) = rest.first() {
        let below = [from.as_slice(), &[(*next).to_owned()]].concat();
        if !files.contains_key(&below) {
            break;
        }
        from = below;
        rest.remove(0);
    }
    let item = rest.first().filter(|item| **item != "*" && **item != "self").map(|item| (*item).to_owned());
    Some(Taken { from, item, called })
}
