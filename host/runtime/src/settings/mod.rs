//! What an operator can read and change: graphs, budgets, profiles, the ladder of autonomy, the table
//! of escalations. Each has a default that ships as a TOML file, under `presets/`.

mod files;
mod operator;
mod presets;

use std::path::Path;
use std::sync::Arc;

use countersign_bundle::{Digest, sha256};
use countersign_spec::Boundary;
use countersign_spec::graph::Graph;
use countersign_spec::routing::{RiskState, Route};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use countersign_tools::SettingsError;
pub use files::{Merged, merge, read_merged};
pub use operator::{ApproverSpec, OperatorSpec};
pub use presets::{Autonomy, BudgetCaps, PresetFiles, Presets, Profile};

const GRAPH: &str = include_str!("../../presets/graph.toml");
const ESCALATION: &str = include_str!("../../presets/escalation.toml");

/// The default graph, as its file.
pub fn default_graph() -> &'static str {
    GRAPH
}

/// Reads a graph. Whether it compiles is another question.
///
/// # Errors
/// A file that cannot be read, or is not a graph.
pub fn load_graph(path: &Path) -> Result<(Graph, Digest), SettingsError> {
    let graph: Graph = read_toml(path)?;
    let digest = digest_of(&graph);
    Ok((graph, digest))
}

/// The default graph and its digest.
///
/// # Errors
/// None, unless this program was built with a broken preset.
pub fn the_default_graph() -> Result<(Graph, Digest), SettingsError> {
    let graph: Graph = parse("presets/graph.toml", GRAPH)?;
    let digest = digest_of(&graph);
    Ok((graph, digest))
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RouteFile {
    route: Vec<Route>,
}

/// The table of escalations: the default one, or one from a file. Every state has one row.
///
/// # Errors
/// A file that cannot be read, or lacks a state, or names one twice.
pub fn escalation_table(path: Option<&Path>) -> Result<Vec<Route>, SettingsError> {
    let (name, file): (String, RouteFile) = match path {
        Some(path) => (path.display().to_string(), read_toml(path)?),
        None => ("presets/escalation.toml".to_owned(), parse("presets/escalation.toml", ESCALATION)?),
    };
    for state in RiskState::ALL {
        let rows = file.route.iter().filter(|route| route.state == state).count();
        if rows != 1 {
            let state = serde_json::to_string(&state).unwrap_or_default();
            let problem = format!("expected one row for the state {}, found {rows}", state.replace('"', "`"));
            return Err(SettingsError::invalid(&name, "route", problem));
        }
    }
    Ok(file.route)
}

/// Digest of a setting: of its canonical JSON, so that order and layout of a file do not count.
pub fn digest_of(value: &impl Serialize) -> Digest {
    sha256(countersign_tools::canonical(&serde_json::to_value(value).unwrap_or_default()).as_bytes())
}

/// Fills in the digest of a boundary.
pub fn sealed(mut boundary: Boundary) -> Boundary {
    boundary.digest = "".into();
    boundary.digest = Arc::clone(digest_of(&boundary).as_str());
    boundary
}

/// The lowest rung that can do a task: 1 a direct answer, 2 a chain of prompts, 3 a fixed workflow,
/// 4 a choice among readings, 6 a bounded loop that changes things.
pub fn least_autonomy(tools: bool, changes: bool, planned: bool, steps: Option<u32>) -> u8 {
    match (tools, planned, changes) {
        (false, _, _) if steps.is_some_and(|steps| steps <= 1) => 1,
        (false, _, _) => 2,
        (true, true, _) => 3,
        (true, false, false) => 4,
        (true, false, true) => 6,
    }
}

/// Reads a file of settings.
///
/// # Errors
/// A file that cannot be read, or what is wrong with it, with its line.
pub fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T, SettingsError> {
    let text = std::fs::read_to_string(path).map_err(|source| SettingsError::Io { path: path.to_owned(), source })?;
    parse(&path.display().to_string(), &text)
}

fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, SettingsError> {
    toml::from_str(text).map_err(|error| SettingsError::Invalid { file: file.to_owned(), problem: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_whole() -> Result<(), SettingsError> {
        let (graph, digest) = the_default_graph()?;
        assert!(graph.compile().is_ok());
        assert_eq!(digest, digest_of(&graph));
        assert_eq!(escalation_table(None)?.len(), 11);
        let presets = Presets::load(&PresetFiles::default(), Path::new(""))?;
        for name in ["research", "coding", "incident"] {
            assert!(presets.budget(name)?.steps.is_some(), "{name}");
        }
        for name in ["research", "coding", "support", "procurement", "incident"] {
            let profile = presets.profile(name)?;
            assert!(!profile.fail_closed.is_empty(), "{name}");
            presets.budget(&profile.budget)?;
        }
        for number in 1..=7 {
            assert!(!presets.rung(number)?.name.is_empty());
        }
        assert!(presets.rung(8).is_err() && presets.profile("none").is_err() && presets.budget("none").is_err());
        Ok(())
    }

    #[test]
    fn the_least_rung_that_can_do_a_task() {
        let table = [
            ((false, false, false, Some(1)), 1),
            ((false, false, false, Some(3)), 2),
            ((true, true, true, None), 3),
            ((true, false, false, None), 4),
            ((true, false, true, None), 6),
        ];
        for ((tools, changes, planned, steps), rung) in table.map(|((a, b, c, d), rung)| ((a, c, b, d), rung)) {
            assert_eq!(least_autonomy(tools, changes, planned, steps), rung);
        }
    }
}
