use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::boundary::{Boundary, Pattern, PlanRule};
use crate::budget::Limits;
use crate::contract::{Compliance, Dimension, SensitivityTag, Tier, ToolCategory, Verdict};
use crate::contract::{Join, ModelKind, PastOutcomes, Slot, Specialist, Stakes};
use crate::graph::Graph;
use crate::host_rules::HostRules;
use crate::plan::PlanStep;
use crate::routing::Route;
use crate::state::Memory;
use crate::tool::{Tool, Verifier};

/// Everything a run is pinned to: frame 0 of its trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Manifest {
    /// Version of the trace's format, [`crate::TRACE_FORMAT`].
    pub format: u32,
    /// Version of the fold, [`crate::KERNEL_RULES`].
    pub kernel_rules: u32,
    /// Id of the run.
    pub run: Arc<str>,
    /// On whose account.
    pub tenant: Option<Arc<str>>,
    /// Who does the work: health is kept by this name.
    pub agent: Arc<str>,
    /// When it began, UTC milliseconds: what turns its own time into that of people.
    pub started: u64,
    /// What jitter and numbers used once are made of.
    pub seed: u64,
    /// Whether verdicts are enforced.
    pub mode: Mode,
    /// Who owns the loop.
    #[serde(default, skip_serializing_if = "Driver::is_host")]
    pub driver: Driver,
    /// What is to be achieved.
    pub goal: Goal,
    /// The operating envelope.
    pub boundary: Boundary,
    /// Digest of the graph.
    pub graph_digest: Arc<str>,
    /// The graph that it moves along.
    pub graph: Arc<Graph>,
    /// Settings of the host's rules.
    pub rules: HostRules,
    /// Caps.
    pub limits: Limits,
    /// What no release goes beyond.
    pub ceilings: Limits,
    /// Whether policies are told the step index and what is left of the budget. A model that is shown
    /// how little is left gives up early; so may a policy.
    pub show_budget: bool,
    /// Modes that the task itself sets for slots, whatever the bundle says. Those of `entries` have them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub slot_modes: BTreeMap<Slot, PolicyMode>,
    /// A plan that comes with the task, as a deterministic workflow has one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plan: Vec<PlanStep>,
    /// When to ask a stronger model.
    pub escalation: EscalationRules,
    /// At least one, weakest tier first; within a tier in the order of preference.
    pub models: Vec<Model>,
    /// Who may be chosen for a sub-task; none where the run does everything itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub specialists: Vec<Specialist>,
    /// Share of the run's own model's tasks that end well, 0..=1; none where nobody measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reliability: Option<f64>,
    /// The tool registry.
    pub tools: Vec<Tool>,
    /// What earlier runs left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<Memory>,
    /// How earlier runs of each class ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub past: Vec<PastOutcomes>,
    /// Tokens that each request has beside its own texts: what it says of the tools.
    pub request_overhead: u64,
    /// Digest of the texts that requests are made of.
    pub prompt_templates: Arc<str>,
    /// Digest of the bundle's lock.
    pub lock: Arc<str>,
    /// Version of the contract.
    pub contract: Arc<str>,
    /// What, beside the components, can change what a call does.
    pub engine: Arc<str>,
    /// The bundle's entries, in lock order.
    pub entries: Vec<EntryPin>,
    /// Where a recorded run comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Who may decide what lets something happen, each with the public key that shows it; where there are none, whoever
    /// can write to the store of the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<Approver>,
}

/// Somebody who may decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Approver {
    /// By which decisions name them.
    pub name: Arc<str>,
    /// Their public Ed25519 key: `ed25519:` and 64 hexadecimal digits.
    pub key: Arc<str>,
}

impl Manifest {
    /// The keys in which another manifest differs from this one, in their order. What is each run's own, its id, its
    /// seed and when it began, is not compared.
    pub fn unlike(&self, other: &Manifest) -> Vec<&'static str> {
        let Manifest {
            format,
            kernel_rules,
            run,
            tenant,
            agent,
            started,
            seed,
            mode,
            driver,
            goal,
            boundary,
            graph_digest,
            graph,
            rules,
            limits,
            ceilings,
            show_budget,
            slot_modes,
            plan,
            escalation,
            models,
            specialists,
            reliability,
            tools,
            memory,
            past,
            request_overhead,
            prompt_templates,
            lock,
            contract,
            engine,
            entries,
            source,
            approvers,
        } = self;
        let _ = (run, started, seed);
        let same = [
            ("format", *format == other.format),
            ("kernel-rules", *kernel_rules == other.kernel_rules),
            ("tenant", *tenant == other.tenant),
            ("agent", *agent == other.agent),
            ("mode", *mode == other.mode),
            ("driver", *driver == other.driver),
            ("goal", *goal == other.goal),
            ("boundary", *boundary == other.boundary),
            ("graph-digest", *graph_digest == other.graph_digest),
            ("graph", *graph == other.graph),
            ("rules", *rules == other.rules),
            ("limits", *limits == other.limits),
            ("ceilings", *ceilings == other.ceilings),
            ("show-budget", *show_budget == other.show_budget),
            ("slot-modes", *slot_modes == other.slot_modes),
            ("plan", *plan == other.plan),
            ("escalation", *escalation == other.escalation),
            ("models", *models == other.models),
            ("specialists", *specialists == other.specialists),
            ("reliability", *reliability == other.reliability),
            ("tools", *tools == other.tools),
            ("memory", *memory == other.memory),
            ("past", *past == other.past),
            ("request-overhead", *request_overhead == other.request_overhead),
            ("prompt-templates", *prompt_templates == other.prompt_templates),
            ("lock", *lock == other.lock),
            ("contract", *contract == other.contract),
            ("engine", *engine == other.engine),
            ("entries", *entries == other.entries),
            ("source", *source == other.source),
            ("approvers", *approvers == other.approvers),
        ];
        same.into_iter().filter(|(_, same)| !same).map(|(key, _)| key).collect()
    }
}

/// Whether verdicts are enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// They are.
    Enforce,
    /// They are recorded and nothing is blocked: the run goes on as it would have.
    Monitor,
    /// The run has long happened: nothing is called, everything is judged.
    Recorded,
}

/// Who owns the loop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Driver {
    /// The host: it calls models and tools.
    #[default]
    Host,
    /// The agent: it proposes each of its calls, is permitted to make them or not, and says what came
    /// of them. No model is called, nothing is tried again, and a call that waits for a person holds
    /// nobody else up.
    Agent,
}

impl Driver {
    fn is_host(&self) -> bool {
        *self == Driver::Host
    }
}

/// What is to be achieved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Goal {
    /// In the words of whoever asked. At most 16 KiB.
    pub text: Arc<str>,
    /// What must be respected on the way.
    pub constraints: Vec<Arc<str>>,
    /// What must be verified for success. Empty: success is unverified.
    pub criteria: Vec<Criterion>,
    /// What depends on it.
    pub stakes: Stakes,
    /// Strictest tag of what it touches.
    pub compliance: Compliance,
    /// How sensitive it is at least.
    #[serde(default, skip_serializing_if = "is_public")]
    pub sensitivity: SensitivityTag,
    /// Steps somebody estimated.
    pub step_estimate: Option<u32>,
    /// The user lets the host investigate before it answers.
    pub may_investigate: bool,
    /// What must come from a tool, because a model's word for it is not enough.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Need>,
}

fn is_public(tag: &SensitivityTag) -> bool {
    *tag == SensitivityTag::Public
}

impl Goal {
    /// A goal in these words, of low stakes, without criteria.
    pub fn new(text: &str) -> Self {
        Goal {
            text: text.into(),
            constraints: Vec::new(),
            criteria: Vec::new(),
            stakes: Stakes::Low,
            compliance: Compliance::None,
            sensitivity: SensitivityTag::Public,
            step_estimate: None,
            may_investigate: true,
            needs: Vec::new(),
        }
    }
}

/// What a model must not answer out of itself (specification D14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// Exact numbers: a sandbox must have computed them.
    ExactArithmetic,
    /// What holds now: a lookup must have brought it.
    CurrentFacts,
    /// The state of an account: a database or a service must have said it.
    AccountStatus,
    /// Results of code and tests: a sandbox must have run them.
    TestResults,
}

impl Need {
    /// Whether a tool of this category can meet it.
    pub fn met_by(self, category: ToolCategory) -> bool {
        match self {
            Need::ExactArithmetic | Need::TestResults => category == ToolCategory::Sandbox,
            Need::CurrentFacts => {
                matches!(category, ToolCategory::LiveApi | ToolCategory::ReadOnlyLookup | ToolCategory::Retrieval)
            }
            Need::AccountStatus => matches!(category, ToolCategory::Database | ToolCategory::LiveApi),
        }
    }

    /// As it is written in traces and configuration.
    pub fn name(self) -> &'static str {
        match self {
            Need::ExactArithmetic => "exact-arithmetic",
            Need::CurrentFacts => "current-facts",
            Need::AccountStatus => "account-status",
            Need::TestResults => "test-results",
        }
    }
}

/// An acceptance criterion: met by a verified observation of a tool, lost by a failed one, and, if
/// the tool only reads, lost by any later call that may change something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Criterion {
    /// Its id.
    pub id: Arc<str>,
    /// In words.
    pub text: Arc<str>,
    /// The tool whose verifier must hold.
    pub tool: Arc<str>,
}

/// When to ask a stronger model (specification A3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EscalationRules {
    /// Failed attempts at the same step; default 2.
    pub failed_attempts: u32,
    /// Where no classifier sets it: escalations a run may make.
    pub max_escalations: u32,
    /// Who receives authority, by state.
    pub table: Vec<Route>,
}

/// A model behind a tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Model {
    /// The tier.
    pub tier: Tier,
    /// Its id.
    pub name: Arc<str>,
    /// Which training it had.
    pub kind: ModelKind,
    /// Micro-dollars for 1,000 tokens sent.
    pub input_price: u64,
    /// Micro-dollars for 1,000 tokens received.
    pub output_price: u64,
    /// Tokens that a call may be answered with at most, all samples together.
    pub max_output_tokens: u64,
    /// Tokens that a request and its answer may have together; none where nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<u64>,
    /// How long its provider keeps what it is sent; none where nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// Whose law its provider is under; none where nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jurisdiction: Option<Arc<str>>,
    /// It runs on the operator's own machines: what it is told leaves nobody's hands.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub self_hosted: bool,
}

/// How long a provider keeps what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retention {
    /// Not at all.
    None,
    /// So many days.
    Days(u32),
    /// Nobody knows.
    Unknown,
}

impl Model {
    /// A model of which only this is known: free, general, 1,024 tokens a call.
    pub fn new(tier: Tier, name: &str) -> Self {
        Model {
            tier,
            name: name.into(),
            kind: ModelKind::General,
            input_price: 0,
            output_price: 0,
            max_output_tokens: 1024,
            context: None,
            retention: None,
            jurisdiction: None,
            self_hosted: false,
        }
    }

    /// Micro-dollars of a call, rounded up.
    pub fn cost(&self, input_tokens: u64, output_tokens: u64) -> u64 {
        let of = |tokens: u64, price: u64| tokens.saturating_mul(price);
        of(input_tokens, self.input_price).saturating_add(of(output_tokens, self.output_price)).div_ceil(1000)
    }
}

/// A bundle entry as the run is pinned to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EntryPin {
    /// Name of the entry.
    pub name: Arc<str>,
    /// The policy's own name and version.
    pub policy: Arc<str>,
    /// Digest of the component.
    pub component: Arc<str>,
    /// Digest of the configuration.
    pub configuration: Arc<str>,
    /// The slots it serves.
    pub slots: Vec<SlotPin>,
}

/// An entry in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SlotPin {
    /// The slot.
    pub slot: Slot,
    /// Whether its verdicts count.
    pub mode: PolicyMode,
    /// What applies when it cannot decide.
    pub failure_verdict: Verdict,
}

/// Whether a policy's verdicts count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyMode {
    /// They do.
    Enforce,
    /// They are recorded and block nothing.
    Monitor,
}

/// Where a recorded run comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Source {
    /// The file's name.
    pub recording: String,
    /// Position in it, from 0.
    pub index: u64,
    /// Who recorded it, which task, which model: as the recording says.
    pub labels: Vec<(String, String)>,
}

/// A manifest that no run can start from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Made by another version of the fold.
    #[error("kernel rules {found} are not known here, expected {expected}")]
    KernelRules {
        /// In the manifest.
        found: u32,
        /// Here.
        expected: u32,
    },
    /// A value makes no sense.
    #[error("`{key}`: {problem}")]
    Invalid {
        /// Where.
        key: String,
        /// What was expected.
        problem: String,
    },
}

impl Manifest {
    /// Whether a run can start from it.
    ///
    /// # Errors
    /// The first thing that makes no sense.
    pub fn check(&self) -> Result<(), ManifestError> {
        if self.kernel_rules != crate::KERNEL_RULES {
            return Err(ManifestError::KernelRules { found: self.kernel_rules, expected: crate::KERNEL_RULES });
        }
        let invalid = |key: String, problem: &str| Err(ManifestError::Invalid { key, problem: problem.to_owned() });
        if self.limits.steps == 0 {
            return invalid("limits.steps".to_owned(), "a run needs at least 1");
        }
        for dimension in Dimension::ALL {
            if self.limits.of(dimension) > self.ceilings.of(dimension) {
                return invalid(
                    format!("limits.{}", dimension.to_string().replace(' ', "-")),
                    &format!("the operator's ceiling is {}", self.ceilings.of(dimension)),
                );
            }
        }
        if !(1..=7).contains(&self.boundary.autonomy) {
            return invalid("boundary.autonomy".to_owned(), "expected 1 to 7");
        }
        if self.boundary.autonomy <= 2 && !self.boundary.tools.is_empty() {
            return invalid("boundary.autonomy".to_owned(), "1 and 2 use no tools; expected no tools or 3 and more");
        }
        if matches!(self.boundary.pattern, Pattern::Blackboard | Pattern::Swarm) && self.boundary.autonomy < 7 {
            return invalid("boundary.pattern".to_owned(), "blackboard and swarm need autonomy 7");
        }
        if self.boundary.autonomy == 5 && self.boundary.plans != PlanRule::Approved {
            return invalid(
                "boundary.plans".to_owned(),
                "at autonomy 5 a person approves the plan; expected `approved`",
            );
        }
        if self.boundary.autonomy == 3 && self.plan.is_empty() {
            return invalid("plan".to_owned(), "autonomy 3 is a deterministic workflow; expected its steps");
        }
        if self.driver == Driver::Agent && self.boundary.plans != PlanRule::Optional {
            return invalid(
                "boundary.plans".to_owned(),
                "an agent that owns its loop hands in no plan; expected `optional`",
            );
        }
        // The tools of an agent's servers come and go: what is said of one that is away holds once it is there.
        let all_there = self.driver == Driver::Host;
        for (key, names) in [("preauthorised", &self.boundary.preauthorised), ("asks", &self.boundary.asks)] {
            for name in names {
                if all_there && self.tool(name).is_none() && !(key == "asks" && **name == *"memory") {
                    return invalid(format!("boundary.{key}.{name}"), "no such tool is registered");
                }
            }
        }
        if self.models.is_empty() {
            return invalid("models".to_owned(), "at least one is needed");
        }
        if !self.models.is_sorted_by_key(|model| model.tier) {
            return invalid("models".to_owned(), "expected the weakest tier first");
        }
        for (index, model) in self.models.iter().enumerate() {
            if self.models[..index].iter().any(|other| other.tier == model.tier && other.name == model.name) {
                return invalid(format!("models.{}", model.name), "stands twice in its tier");
            }
        }
        for slot in Slot::ALL.into_iter().filter(|slot| slot.join() == Join::One) {
            let enforces =
                |entry: &&EntryPin| entry.slots.iter().any(|pin| pin.slot == slot && pin.mode == PolicyMode::Enforce);
            if let Some(second) = self.entries.iter().filter(enforces).nth(1) {
                let problem = format!("is the second that enforces in `{slot}`, which one policy answers");
                return invalid(format!("entries.{}", second.name), &problem);
            }
        }
        let share = |value: f64| (0.0..=1.0).contains(&value);
        if self.reliability.is_some_and(|own| !share(own)) {
            return invalid("reliability".to_owned(), "expected 0..=1");
        }
        for specialist in &self.specialists {
            let key = format!("specialists.{}", specialist.name);
            if self.specialists.iter().filter(|other| other.name == specialist.name).count() > 1 {
                return invalid(key, "stands twice");
            }
            if !share(specialist.reliability) {
                return invalid(format!("{key}.reliability"), "expected 0..=1");
            }
        }
        for tool in &self.tools {
            if self.tools.iter().filter(|other| other.name == tool.name).count() > 1 {
                return invalid(format!("tools.{}", tool.name), "declared twice");
            }
            // What a recording's tools took is long over.
            if tool.time_out == 0 && self.mode != Mode::Recorded {
                return invalid(format!("tools.{}.time-out", tool.name), "expected at least 1 ms");
            }
            if let Some(cheaper) = &tool.cheaper
                && self.tool(cheaper).is_none_or(|other| other.name == tool.name)
            {
                return invalid(format!("tools.{}.cheaper", tool.name), "expected another registered tool");
            }
            if let Some(Verifier::ReadBack(other)) = &tool.verifier
                && self.boundary.tools.contains(&tool.name)
                && !self.boundary.tools.contains(other)
            {
                let key = format!("tools.{}.verify.read-back", tool.name);
                return invalid(key, "its reader lies outside the boundary");
            }
            if let Some(Verifier::ReadBack(other)) = &tool.verifier
                && self.tool(other).is_none_or(Tool::mutating)
            {
                return invalid(
                    format!("tools.{}.verify.read-back", tool.name),
                    "expected a registered tool that only reads",
                );
            }
        }
        for name in &self.boundary.tools {
            if self.tool(name).is_none() {
                return invalid(format!("boundary.tools.{name}"), "no such tool is registered");
            }
        }
        for criterion in &self.goal.criteria {
            if self.goal.criteria.iter().filter(|other| other.id == criterion.id).count() > 1 {
                return invalid(format!("goal.criteria.{}", criterion.id), "declared twice");
            }
            match self.tool(&criterion.tool) {
                Some(tool) if tool.verifier.is_some() => {}
                Some(_) => {
                    return invalid(
                        format!("goal.criteria.{}", criterion.id),
                        "its tool has no verifier, so nothing could ever verify it",
                    );
                }
                None => {
                    return invalid(
                        format!("goal.criteria.{}", criterion.id),
                        &format!("tool `{}` is not registered", criterion.tool),
                    );
                }
            }
        }
        Ok(())
    }

    /// A registered tool.
    pub fn tool(&self, name: &str) -> Option<&Tool> {
        self.tools.iter().find(|tool| *tool.name == *name)
    }

    /// The first model of a tier.
    pub fn model(&self, tier: Tier) -> Option<&Model> {
        self.models.iter().find(|model| model.tier == tier)
    }

    /// Entries in a slot, in lock order, by their position.
    pub fn entries_in(&self, slot: Slot) -> impl Iterator<Item = usize> + '_ {
        let serves = move |entry: &EntryPin| entry.slots.iter().any(|pin| pin.slot == slot);
        self.entries.iter().enumerate().filter(move |(_, entry)| serves(entry)).map(|(index, _)| index)
    }
}
