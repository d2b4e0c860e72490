//! The gateway's file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign::Host;
use countersign::kernel::budget::Limits;
use countersign::kernel::contract::Compliance;
use countersign::kernel::{Boundary, HostRules, Manifest, Mode, PolicyMode, Slot};
use countersign::mcp::{Overrides, ServersSpec, check_servers, split};
use countersign::registry::Registry;
use countersign::settings::{BudgetCaps, OperatorSpec, SettingsError, read_toml, sealed};
use serde::Deserialize;

/// Proposals and calls of a run where the file names no other caps: an envelope around calls that are
/// each justified (specification C6).
const STEPS: u64 = 400;
const TOOL_CALLS: u64 = 200;

/// A gateway's file that cannot be used.
pub type ConfigError = SettingsError;

/// What `countersign mcp --config` reads. Paths are relative to the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Version of this format: 1.
    pub version: u32,
    /// On whose behalf calls are made: a run is kept for each, and health by this name.
    #[serde(default = "principal")]
    pub principal: String,
    /// The tenant whose buckets pay.
    pub tenant: Option<String>,
    /// What the agent is for, in words; policies see it.
    #[serde(default = "goal")]
    pub goal: String,
    /// Strictest tag of what the agent touches. From `pii` on every change asks a person.
    #[serde(default)]
    pub compliance: Compliance,
    /// Store of its runs, where `countersign runs --store` finds them; default `.countersign/runs.db`.
    #[serde(default = "runs")]
    pub store: PathBuf,
    /// A bundle's folder instead of the one that the program carries.
    pub bundle: Option<PathBuf>,
    /// A folder of installed bundles, whose current one new runs take: `countersign bundle use`.
    pub bundles: Option<PathBuf>,
    /// Block, or only record what would have been blocked.
    #[serde(default = "enforce")]
    pub mode: Mode,
    /// Slots that are heard and not obeyed.
    #[serde(default)]
    pub slots: BTreeMap<Slot, PolicyMode>,
    /// Milliseconds without a call after which a run is over; default 30 minutes.
    #[serde(default = "idle_end")]
    pub idle_end: u64,
    /// Ask the person at the client where the client can; otherwise calls wait for `countersign runs
    /// approve`.
    #[serde(default = "yes")]
    pub ask_client: bool,
    /// Milliseconds that the person at the client has; default 5 minutes. Then the call waits for
    /// `countersign runs approve`.
    #[serde(default = "ask_time_out")]
    pub ask_time_out: u64,
    /// Caps of a run.
    #[serde(default)]
    pub budget: BudgetCaps,
    /// The host's rules. Repairs, refusals and retries are the agent's own business here.
    #[serde(default)]
    pub rules: HostRules,
    /// The envelope.
    #[serde(default)]
    pub boundary: BoundarySpec,
    /// What stands above the run.
    #[serde(default)]
    pub operator: OperatorSpec,
    /// The servers behind, by the name that their tools carry in front.
    pub servers: ServersSpec,
    /// What the operator says of tools, over what their servers say: keys of a tool by `SERVER__TOOL`.
    #[serde(default)]
    pub tools: Overrides,
}

/// The envelope of a gateway's runs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BoundarySpec {
    /// By default every tool of every server.
    pub tools: Option<Vec<String>>,
    /// Scopes that are granted.
    #[serde(default)]
    pub permissions: Vec<String>,
    /// Tools that need no approval by their kind. Ceilings and policies ask all the same.
    #[serde(default)]
    pub preauthorised: Vec<String>,
    /// Tools that always need one.
    #[serde(default)]
    pub asks: Vec<String>,
    /// Records or people that one call may touch before a person is asked.
    pub blast_radius_limit: Option<u64>,
    /// Where the agent works: `production`, a repository; policies see it.
    #[serde(default)]
    pub working_context: String,
}

fn principal() -> String {
    "agent".to_owned()
}

fn goal() -> String {
    "calls of an agent through the gateway".to_owned()
}

fn runs() -> PathBuf {
    PathBuf::from(".countersign/runs.db")
}

fn enforce() -> Mode {
    Mode::Enforce
}

fn idle_end() -> u64 {
    30 * 60_000
}

fn ask_time_out() -> u64 {
    5 * 60_000
}

fn yes() -> bool {
    true
}

impl Config {
    /// Reads a gateway's file.
    ///
    /// # Errors
    /// What is wrong with it, by line or key.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let mut config: Config = read_toml(path)?;
        let file = path.display().to_string();
        let wrong = |problem: String| SettingsError::Invalid { file: file.clone(), problem };
        let invalid = |problem: String| Err(wrong(problem));
        if config.version != 1 {
            return invalid(format!("key `version`: expected 1, found {}", config.version));
        }
        if config.mode == Mode::Recorded {
            return invalid("key `mode`: expected `enforce` or `monitor`".to_owned());
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
        if config.principal.is_empty() || config.principal.len() > 64 || !config.principal.chars().all(plain) {
            return invalid("key `principal`: expected 1 to 64 letters, digits, `-`, `_`, `.` and `@`".to_owned());
        }
        if config.servers.is_empty() {
            return invalid("key `servers`: expected at least one server, such as `[servers.files]`".to_owned());
        }
        if config.idle_end == 0 || config.ask_time_out == 0 {
            return invalid("keys `idle-end` and `ask-time-out`: expected at least 1 millisecond".to_owned());
        }
        check_servers(&config.servers).map_err(wrong)?;
        let own = |name: &String| split(name).is_some_and(|(server, _)| config.servers.contains_key(server));
        if let Some(name) = config.tools.keys().find(|name| !own(name)) {
            let names = config.servers.keys().map(|server| format!("{server}__…")).collect::<Vec<_>>().join(", ");
            return invalid(format!("key `tools.{name}`: no server has this tool; names here begin with {names}"));
        }
        if let Some((key, problem)) = config.budget.contradiction() {
            return invalid(format!("key `budget.{key}`: {problem}"));
        }
        let folder = path.parent().unwrap_or(Path::new("."));
        let store = folder.join(&config.store);
        // Told to people who may be anywhere.
        config.store = std::path::absolute(&store).unwrap_or(store);
        if config.bundle.is_some() && config.bundles.is_some() {
            return invalid("keys `bundle` and `bundles`: expected at most one of them".to_owned());
        }
        config.bundle = config.bundle.map(|bundle| folder.join(bundle));
        config.bundles = config.bundles.map(|bundles| folder.join(bundles));
        if let Some(switches) = &mut config.operator.switches {
            *switches = std::path::absolute(folder.join(&*switches)).unwrap_or_else(|_| folder.join(&*switches));
            if !switches.exists() {
                return invalid(format!("key `operator.switches`: there is no file `{}`", switches.display()));
            }
        }
        Ok(config)
    }

    /// What a run of this gateway is pinned to.
    pub(crate) fn manifest(&self, host: &Host, run: &str, registry: &Registry) -> Result<Manifest, SettingsError> {
        let mut manifest = host.governed_manifest(run, &self.goal, registry)?;
        manifest.tenant = self.tenant.as_deref().map(Arc::from);
        manifest.agent = self.principal.as_str().into();
        manifest.mode = self.mode;
        manifest.goal.compliance = self.compliance;
        let own = manifest.rules.clone();
        manifest.rules =
            HostRules { repairs: own.repairs, refusals: own.refusals, retry: own.retry, ..self.rules.clone() };
        let ceilings = self.operator.ceilings.over(Limits::UNLIMITED);
        let defaults = Limits { steps: STEPS, tool_calls: TOOL_CALLS, ..Limits::UNLIMITED };
        let limits = self.budget.over(defaults);
        manifest.limits = limits.at_most(&ceilings, |dimension| self.budget.of(dimension).is_none());
        manifest.ceilings = ceilings;
        for entry in &mut manifest.entries {
            for pin in &mut entry.slots {
                if let Some(mode) = self.slots.get(&pin.slot) {
                    pin.mode = *mode;
                }
            }
        }
        let names = |list: &[String]| list.iter().map(|name| Arc::from(name.as_str())).collect::<Vec<Arc<str>>>();
        let boundary = manifest.boundary;
        manifest.boundary = sealed(Boundary {
            name: "gateway".into(),
            tools: self.boundary.tools.as_deref().map_or_else(|| boundary.tools.clone(), names),
            permissions: names(&self.boundary.permissions),
            preauthorised: names(&self.boundary.preauthorised),
            asks: names(&self.boundary.asks),
            blast_radius_limit: self.boundary.blast_radius_limit,
            working_context: self.boundary.working_context.as_str().into(),
            ..boundary
        });
        Ok(manifest)
    }
}
