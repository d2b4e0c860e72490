//! One file, `countersign.toml`, is all that a deployment writes. The governor, `countersign run` and
//! `countersign mcp` open the same one.
//!
//! Every section may be left out; a key that nobody knows is an error with its line. Paths are relative to the file.
//!
//! | section | what it says |
//! |---|---|
//! | `[bundle]` | which policies judge, and which of their slots only watch |
//! | `[store]` | where runs are kept |
//! | `[budget]` | caps of a run, by dimension |
//! | `[boundary]` | the envelope: tools, permissions, approvals |
//! | `[rules]` | the host's own rules |
//! | `[operator]` | ceilings, sinks, switches, health: what stands above every run |
//! | `[tenants]` | buckets of the application and its tenants |
//! | `[models.TIER]` | the models of a tier |
//! | `[servers.NAME]` | MCP servers behind the gateway |
//! | `[tools.NAME]` | what the operator says of tools; of a server's as `SERVER__TOOL` |
//! | `[approvers.NAME]` | who may approve, by their keys |
//! | `[agents.NAME]` | on whose behalf calls are made: one run each |

mod agent;
mod boundary;
mod bundle;
#[cfg(test)]
mod models_section;
mod store;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_mcp::{Overrides, ServersSpec, check_servers, split};
use countersign_models as models;
use countersign_operate::BucketsSpec;
use countersign_spec::budget::Limits;
use countersign_spec::{Approver, Boundary, HostRules, Manifest};
use countersign_tools::registry::{Registry, ToolSpec};
use serde::Deserialize;
use toml::Table;

use crate::host::Host;
use crate::settings::{ApproverSpec, BudgetCaps, OperatorSpec, SettingsError, read_merged};

pub use agent::AgentSection;
pub use boundary::BoundarySection;
pub use bundle::BundleSection;
pub use store::StoreSection;

/// Name of the file where nobody says another.
pub const FILE: &str = "countersign.toml";

/// A commented file with every section, as `countersign init` writes it.
pub const COMMENTED: &str = include_str!("countersign.toml");

/// Steps and calls of a run where the file names no other caps: an envelope around calls that are each justified
/// (specification C6).
const STEPS: u64 = 400;
const TOOL_CALLS: u64 = 200;

/// What a deployment has written.
#[derive(Debug, Clone)]
pub struct Deployment {
    file: PathBuf,
    sections: Sections,
    models: Option<models::Registry>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Sections {
    /// Version of this format: 1.
    version: u32,
    #[serde(default)]
    bundle: BundleSection,
    #[serde(default)]
    store: StoreSection,
    #[serde(default)]
    budget: BudgetCaps,
    #[serde(default)]
    boundary: BoundarySection,
    #[serde(default)]
    rules: HostRules,
    #[serde(default)]
    operator: OperatorSpec,
    #[serde(default)]
    tenants: BucketsSpec,
    #[serde(default)]
    models: models::Section,
    #[serde(default)]
    servers: ServersSpec,
    #[serde(default)]
    tools: Overrides,
    #[serde(default)]
    agents: BTreeMap<String, AgentSection>,
    #[serde(default)]
    approvers: BTreeMap<String, ApproverSpec>,
}

impl Deployment {
    /// Reads a file and checks all of it.
    ///
    /// # Errors
    /// What is wrong with it, by line or key.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let merged = read_merged(path)?;
        let file = path.display().to_string();
        let parsed: Result<Sections, toml::de::Error> = match &merged.text {
            // With lines in its errors.
            Some(text) => toml::from_str(text),
            None => merged.table.clone().try_into(),
        };
        let sections = parsed.map_err(|error| SettingsError::Invalid { file, problem: error.to_string() })?;
        Deployment::of(path, sections, &merged.table)
    }

    /// What holds where nobody has written a file: the bundle that the program carries, a store below `folder`.
    ///
    /// # Errors
    /// None, unless the defaults make no sense.
    pub fn defaults(folder: &Path) -> Result<Self, SettingsError> {
        Deployment::of(&folder.join(FILE), Sections { version: 1, ..Sections::default() }, &Table::new())
    }

    fn of(path: &Path, mut sections: Sections, table: &Table) -> Result<Self, SettingsError> {
        let file = path.display().to_string();
        let invalid = |key: &str, problem: String| Err(SettingsError::invalid(&file, key, problem));
        let folder = path.parent().unwrap_or(Path::new("."));
        if sections.version != 1 {
            return invalid("version", format!("expected 1, found {}", sections.version));
        }
        sections.bundle.resolve(&file, folder)?;
        sections.store.resolve(folder);
        if let Some((key, problem)) = sections.budget.contradiction() {
            return invalid(&format!("budget.{key}"), problem);
        }
        for (name, agent) in &sections.agents {
            agent.check(&file, name)?;
        }
        if !sections.approvers.is_empty() {
            if !sections.operator.approvers.is_empty() {
                return invalid(
                    "operator.approvers",
                    "stands beside `[approvers]`; expected at most one of them".to_owned(),
                );
            }
            sections.operator.approvers = sections.approvers.clone();
        }
        check_servers(&sections.servers).map_err(|problem| SettingsError::Invalid { file: file.clone(), problem })?;
        let own = |name: &String| split(name).is_some_and(|(server, _)| sections.servers.contains_key(server));
        let served = !sections.servers.is_empty();
        if let Some(name) = sections.tools.keys().find(|name| served && !own(name)) {
            let names = sections.servers.keys().map(|server| format!("{server}__…")).collect::<Vec<_>>().join(", ");
            return invalid(
                &format!("tools.{name}"),
                format!("no server has this tool; names here begin with {names}"),
            );
        }
        for (key, name) in sections.boundary.names() {
            // The host's own question about what is remembered is no server's.
            if served && !own(name) && !(key == "asks" && name == "memory") {
                let names = sections.servers.keys().map(|server| format!("{server}__…")).collect::<Vec<_>>().join(", ");
                return invalid(
                    &format!("boundary.{key}"),
                    format!("`{name}` is a tool of no server of this file; names here begin with {names}"),
                );
            }
        }
        if sections.tenants != BucketsSpec::default() {
            if sections.operator.buckets != BucketsSpec::default() {
                return invalid(
                    "operator.buckets",
                    "stands beside `[tenants]`; expected at most one of them".to_owned(),
                );
            }
            sections.operator.buckets = sections.tenants.clone();
        }
        if let Some(switches) = &mut sections.operator.switches {
            let whole = folder.join(&*switches);
            *switches = std::path::absolute(&whole).unwrap_or(whole);
            if !switches.exists() {
                return invalid("operator.switches", format!("there is no file `{}`", switches.display()));
            }
        }
        let models = match table.get("models") {
            Some(toml::Value::Table(own)) => Some(models::Registry::of(path, own.clone(), sections.models.clone())?),
            _ => None,
        };
        Ok(Deployment { file: path.to_owned(), sections, models })
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What its relative paths start from.
    pub fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new("."))
    }

    /// Which policies judge.
    pub fn bundle(&self) -> &BundleSection {
        &self.sections.bundle
    }

    /// Where runs are kept.
    pub fn store(&self) -> &StoreSection {
        &self.sections.store
    }

    /// What stands above every run, the tenants' buckets among it.
    pub fn operator(&self) -> &OperatorSpec {
        &self.sections.operator
    }

    /// The envelope of runs whose loop an agent owns.
    pub fn boundary(&self) -> &BoundarySection {
        &self.sections.boundary
    }

    /// The same as a run over these tools is pinned to it.
    pub fn envelope<'a>(&self, tools: impl IntoIterator<Item = &'a str>) -> Boundary {
        let tools = tools.into_iter().map(Arc::from).collect();
        self.sections.boundary.over(Boundary::new("deployment", tools))
    }

    /// The host's own rules.
    pub fn rules(&self) -> &HostRules {
        &self.sections.rules
    }

    /// Who may decide what lets something happen; nobody in particular where there are none.
    pub fn approvers(&self) -> Vec<Approver> {
        self.sections.operator.approvers()
    }

    /// The models, where there are any.
    pub fn models(&self) -> Option<&models::Registry> {
        self.models.as_ref()
    }

    /// The MCP servers behind the gateway.
    pub fn servers(&self) -> &ServersSpec {
        &self.sections.servers
    }

    /// What the operator says of tools.
    pub fn tools(&self) -> &Overrides {
        &self.sections.tools
    }

    /// The tools that the file itself declares, for an agent whose tools no server has.
    ///
    /// # Errors
    /// A tool that makes no sense, by its key.
    pub fn registry(&self) -> Result<Registry, SettingsError> {
        let file = self.file.display().to_string();
        let mut tools: BTreeMap<String, ToolSpec> = BTreeMap::new();
        for (name, table) in &self.sections.tools {
            let wrong = |problem: String| SettingsError::invalid(&file, &format!("tools.{name}"), problem);
            let tool: ToolSpec = table.clone().try_into().map_err(|error: toml::de::Error| wrong(error.to_string()))?;
            tool.check(name).map_err(wrong)?;
            tools.insert(name.clone(), tool);
        }
        Ok(Registry::new(&tools))
    }

    /// The agent of a name, or what holds for one that the file does not name.
    pub fn agent(&self, name: &str) -> AgentSection {
        self.sections.agents.get(name).cloned().unwrap_or_default()
    }

    /// Names of the agents that the file names.
    pub fn agents(&self) -> impl Iterator<Item = &str> {
        self.sections.agents.keys().map(String::as_str)
    }

    /// The agent that is meant where nobody says: the only one of the file, else `agent`.
    pub fn only_agent(&self) -> &str {
        let mut names = self.sections.agents.keys();
        match (names.next(), names.next()) {
            (Some(only), None) => only,
            _ => "agent",
        }
    }

    /// What a run of an agent is pinned to.
    ///
    /// # Errors
    /// None, unless this program was built with broken presets or the machine gives no random bytes.
    pub fn manifest(&self, host: &Host, name: &str, run: &str, registry: &Registry) -> Result<Manifest, SettingsError> {
        let (agent, sections) = (self.agent(name), &self.sections);
        let mut manifest = host.governed_manifest(run, &agent.goal, registry)?;
        manifest.tenant = agent.tenant.as_deref().map(Arc::from);
        manifest.agent = name.into();
        manifest.mode = agent.mode;
        manifest.goal.compliance = agent.compliance;
        let own = manifest.rules.clone();
        manifest.rules =
            HostRules { repairs: own.repairs, refusals: own.refusals, retry: own.retry, ..sections.rules.clone() };
        let ceilings = sections.operator.ceilings.over(Limits::UNLIMITED);
        let defaults = Limits { steps: STEPS, tool_calls: TOOL_CALLS, ..Limits::UNLIMITED };
        let limits = sections.budget.over(defaults);
        manifest.limits = limits.at_most(&ceilings, |dimension| sections.budget.of(dimension).is_none());
        manifest.ceilings = ceilings;
        for pin in manifest.entries.iter_mut().flat_map(|entry| &mut entry.slots) {
            if let Some(mode) = sections.bundle.modes.get(&pin.slot) {
                pin.mode = *mode;
            }
        }
        manifest.boundary = sections.boundary.over(manifest.boundary);
        manifest.approvers = self.approvers();
        Ok(manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Deployment, SettingsError> {
        let folder = tempfile::tempdir().map_err(|source| SettingsError::Io { path: PathBuf::new(), source })?;
        let file = folder.path().join(FILE);
        std::fs::write(&file, text).map_err(|source| SettingsError::Io { path: file.clone(), source })?;
        Deployment::load(&file)
    }

    #[test]
    fn the_commented_file_is_as_good_as_its_word() -> Result<(), SettingsError> {
        load(COMMENTED)?;
        // Every line that it shows can be used, but for those that name what must be there.
        let there = ["folder =", "digest =", "installed =", "switches =", "[approvers", "key ="];
        let uncommented: String = COMMENTED
            .lines()
            .filter(|line| !there.iter().any(|key| line.contains(key)))
            .map(|line| match line.strip_prefix("# ") {
                Some(shown) if shown.starts_with('[') || shown.contains(" = ") => format!("{shown}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        assert!(uncommented.lines().filter(|line| line.contains(" = ")).count() > 15, "{uncommented}");
        load(&uncommented).map(drop)
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_line_or_key() {
        let table = [
            ("version = 2", "key `version`: expected 1, found 2"),
            ("", "missing field `version`"),
            ("version = 1\n[bundel]", "unknown field `bundel`"),
            ("version = 1\n[store]\nfolder = 'x'", "unknown field `folder`"),
            ("version = 1\n[bundle]\nfolder = 'a'\ninstalled = 'b'", "key `bundle.folder`: stands beside"),
            ("version = 1\n[bundle]\nfolder = 'a'\ndigest = 'sha256:1'", "key `bundle.digest`: expected `sha256:`"),
            ("version = 1\n[budget]\ntool-calls = 1\nside-effects = 2", "key `budget.side-effects`: 2 of 1 tool calls"),
            ("version = 1\n[agents.'a/b']", "key `agents.a/b`: expected 1 to 64"),
            ("version = 1\n[agents.a]\nmode = 'recorded'", "key `agents.a.mode`: expected `enforce` or `monitor`"),
            ("version = 1\n[agents.a]\nidle-end = 0", "key `agents.a.idle-end`"),
            ("version = 1\n[approvers.olga]\nkey = 'ed25519:00'", "expected `ed25519:`"),
            ("version = 1\n[approvers.olga]", "missing field `key`"),
            (
                "version = 1\n[approvers.olga]\nkey = 'ed25519:0000000000000000000000000000000000000000000000000000000000000000'",
                "anybody can sign for",
            ),
            (
                "version = 1\n[servers.a]\ncommand = ['x']\n[boundary]\nasks = ['b__del']",
                "key `boundary.asks`: `b__del`",
            ),
            (
                "version = 1\n[servers.a]\ncommand = ['x']\n[boundary]\npreauthorised = ['del']",
                "key `boundary.preauthorised`: `del`",
            ),
            (
                "version = 1\n[servers.a]\ncommand = ['x']\n[boundary]\ntools = ['a__x', 'memory']",
                "key `boundary.tools`: `memory`",
            ),
            ("version = 1\n[operator]\nswitches = 'none.toml'", "key `operator.switches`: there is no file"),
            ("version = 1\n[operator.buckets.app]\ncost = 1\n[tenants.app]\ncost = 2", "key `operator.buckets`"),
            ("version = 1\n[servers.a]\ncommand = ['x']\n[tools.write]\ncost = 1", "key `tools.write`: no server"),
        ];
        for (text, part) in table {
            let error = load(text).map_or_else(|error| error.to_string(), |_| "loaded".to_owned());
            assert!(error.contains(part) && error.contains(FILE), "expected `{part}` in: {error}");
        }
    }
}
