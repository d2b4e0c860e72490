//! Which scenario shows which behaviour: each has one, and its assertion is one that the run of the
//! scenario checks. The table is written into `tests/scenarios/README.md`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use countersign::kernel::Code;
use countersign_scenario::Scenario;
use countersign_tests::{generated, root};

/// The behaviours of the four documents that a single run can show.
const BEHAVIOURS: [&str; 40] = [
    "A6", "B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B13", "B14", "C2", "C3", "C5", "C6", "C7", "D1", "D2", "D3",
    "D4", "D5", "D6", "D7", "D8", "D9", "D10", "D11", "D12", "D13", "D14", "D15", "D16", "D17", "D20", "D21", "E1",
    "E2", "E3", "E4", "F17",
];
const PATHOLOGIES: usize = 23;

fn scenarios(folder: &Path) -> Vec<(PathBuf, Scenario)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "shared") {
                found.extend(scenarios(&path));
            }
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            match Scenario::load(&path) {
                Ok(scenario) => found.push((path, scenario)),
                Err(error) => panic!("{error}"),
            }
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// Behaviour → scenario and assertion.
fn shown() -> BTreeMap<String, Vec<(String, String)>> {
    let folder = root().join("tests/scenarios");
    let mut shown: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for (path, scenario) in scenarios(&folder) {
        let name = path.strip_prefix(&folder).unwrap_or(&path).with_extension("").display().to_string();
        for (id, part) in scenario.shows() {
            assert!(part.len() >= 5, "{name}: `{part}` shows nothing of {id}");
            shown.entry(id.clone()).or_default().push((name.clone(), part.clone()));
        }
    }
    shown
}

/// `D9-cost` → `D9`.
fn plain(id: &str) -> &str {
    BEHAVIOURS
        .into_iter()
        .filter(|known| id == *known || id.starts_with(&format!("{known}-")))
        .max_by_key(|known| known.len())
        .unwrap_or("")
}

#[test]
fn every_behaviour_has_a_scenario() {
    let shown = shown();
    for id in shown.keys() {
        assert!(!plain(id).is_empty(), "`{id}` is no behaviour that scenarios show; is it misspelt?");
    }
    for id in BEHAVIOURS {
        assert!(shown.keys().any(|found| plain(found) == id), "no scenario shows {id}");
    }
    for number in 1..=PATHOLOGIES {
        let id = format!("D17-{number:02}");
        assert_eq!(shown.get(&id).map_or(0, Vec::len), 1, "{id}");
    }
}

#[test]
fn every_code_is_the_end_or_suspension_of_a_scenario() {
    let all = scenarios(&root().join("tests/scenarios"));
    for code in Code::ALL {
        let asserted = all.iter().any(|(_, scenario)| {
            let expected = scenario.expectations();
            expected.code == Some(code) && expected.status.is_some()
        });
        assert!(asserted, "{code}");
    }
}

#[test]
fn every_pathology_has_a_twin() {
    let folder = root().join("tests/scenarios/pathologies");
    let pairs = scenarios(&folder);
    assert_eq!(pairs.len(), PATHOLOGIES);
    for (path, scenario) in pairs {
        let Some(twin) = scenario.twin() else { panic!("{}: no twin", path.display()) };
        let harm = twin.expectations();
        let shown = !harm.files.is_empty() || !harm.spent.is_empty() || !harm.times.is_empty();
        assert!(shown, "{}: its twin shows no harm", path.display());
    }
}

#[test]
fn the_table_of_behaviours_is_up_to_date() -> std::io::Result<()> {
    let mut table = String::from("| behaviour | scenario | assertion |\n|---|---|---|\n");
    let shown = shown();
    let mut rows: Vec<(&String, &(String, String))> =
        shown.iter().flat_map(|(id, places)| places.iter().map(move |place| (id, place))).collect();
    rows.sort_by_key(|(id, place)| (order(id), (*id).clone(), place.0.clone()));
    for (id, (scenario, part)) in rows {
        let part = part.replace('|', "\\|");
        // A text with backticks stands between two of them.
        let part = if part.contains('`') { format!("`` {part} ``") } else { format!("`{part}`") };
        table.push_str(&format!("| {id} | [{scenario}]({scenario}.toml) | {part} |\n"));
    }
    generated::keep("tests/scenarios/README.md", "behaviours", &table)
}

/// By letter, then by number.
fn order(id: &str) -> (String, u32) {
    let base = plain(id);
    let letters: String = base.chars().take_while(|c| c.is_ascii_alphabetic()).collect();
    let number = base.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(0);
    (letters, number)
}
