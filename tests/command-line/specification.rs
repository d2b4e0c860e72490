//! What the code cites of the specification is in it, and what the specification names exists.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use countersign_tests::root;

/// The demands by series: as many as each has, from 1 on.
const SERIES: [(char, u32); 6] = [('A', 6), ('B', 14), ('C', 7), ('D', 21), ('E', 6), ('F', 28)];

/// Words that look like a number of the specification and are none.
const OTHER: [&str; 1] = ["F64"];

struct Demand {
    text: String,
    shown_by: String,
}

fn demands() -> std::io::Result<BTreeMap<String, Demand>> {
    let text = std::fs::read_to_string(root().join("tests/specification.md"))?;
    let mut demands = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| |")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [id, text, shown_by] = cells.as_slice() else { panic!("not a line of three cells: {line}") };
        let demand = Demand { text: (*text).to_owned(), shown_by: (*shown_by).to_owned() };
        assert!(demands.insert((*id).to_owned(), demand).is_none(), "{id} stands there twice");
    }
    Ok(demands)
}

/// Words such as `B7` or `D21`, also in `C1–C4` and in `B7-snip`.
fn cited(text: &str) -> impl Iterator<Item = &str> {
    let apart = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    text.split(apart).filter(|word| {
        let mut chars = word.chars();
        let letter = chars.next().is_some_and(|letter| matches!(letter, 'A'..='F'));
        let digits = chars.as_str();
        letter && (1..=2).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit())
    })
}

/// What of a file speaks to readers: of code its comments.
fn prose(path: &Path, text: &str) -> String {
    let code = path.extension().is_some_and(|extension| extension == "rs");
    let comment = |line: &&str| line.trim_start().starts_with("//");
    text.lines().filter(|line| !code || comment(line)).collect::<Vec<_>>().join("\n")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kept = !name.starts_with('.') && !["target", "data", "peers", "built", "node_modules"].contains(&&*name);
        if path.is_dir() && kept {
            files(&path, found)?;
        } else if ["rs", "md", "toml", "wit"].iter().any(|kind| path.extension().is_some_and(|own| own == *kind)) {
            found.push(path);
        }
    }
    Ok(())
}

#[test]
fn every_number_that_is_cited_is_in_the_specification() -> std::io::Result<()> {
    let demands = demands()?;
    let mut all = Vec::new();
    for folder in ["host", "plugins", "sdk", "tests", "wit"] {
        files(&root().join(folder), &mut all)?;
    }
    all.push(root().join("README.md"));
    let mut found = 0;
    for path in all {
        let text = std::fs::read_to_string(&path)?;
        for id in cited(&prose(&path, &text)).filter(|id| !OTHER.contains(id)) {
            assert!(demands.contains_key(id), "{}: `{id}` is not in tests/specification.md", path.display());
            found += 1;
        }
    }
    assert!(found > 300, "only {found} citations: they are not found any more");
    Ok(())
}

#[test]
fn every_demand_has_a_line_and_says_what_shows_it() -> std::io::Result<()> {
    let demands = demands()?;
    let all: Vec<String> =
        SERIES.iter().flat_map(|(letter, last)| (1..=*last).map(move |n| format!("{letter}{n}"))).collect();
    assert_eq!(demands.len(), all.len());
    for id in all {
        let Some(demand) = demands.get(&id) else { panic!("{id} has no line") };
        assert!(demand.text.len() >= 20, "{id}: {}", demand.text);
        let linked = demand.shown_by.contains("](");
        assert!(linked || demand.shown_by == "not built yet", "{id} is shown by `{}`", demand.shown_by);
    }
    Ok(())
}

#[test]
fn what_a_demand_is_shown_by_exists() -> std::io::Result<()> {
    let folder = root().join("tests");
    for (id, demand) in demands()? {
        for link in demand.shown_by.split("](").skip(1) {
            let path = link.split(')').next().unwrap_or_default();
            assert!(folder.join(path).is_file(), "{id}: there is no `{path}`");
        }
    }
    Ok(())
}

#[test]
fn a_citation_is_told_from_other_words() {
    let found: Vec<&str> = cited("specification C1–C4, (D7) B7-snip; `A1b` F64 0xA1 A123 G7 E_5 b7").collect();
    assert_eq!(found, ["C1", "C4", "D7", "B7", "F64"]);
}
