//! What an operator could write to have a call judged otherwise.

use std::sync::Arc;

use countersign::kernel::contract::{Compliance, Reversibility};
use countersign::kernel::host_asks::approval_rule;
use countersign::spec::Manifest;
use countersign::spec::tool::ApprovalRule;
use serde::{Serialize, Serializer};
use toml::{Table, Value};

/// Something that an operator could write.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// As it is written: a key and its value in `countersign.toml`, or a command.
    text: String,
    /// When it is right to write it, where that does not speak for itself.
    only: Option<&'static str>,
    what: What,
}

#[derive(Debug, Clone, PartialEq)]
enum What {
    /// A key of the tool.
    Tool(&'static str, Value),
    Preauthorised,
    NotAsked,
    InBoundary,
    Granted,
    NoLimit,
    Category,
    AgentUntagged,
    /// Told, and not tried.
    Told,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.only {
            Some(only) => write!(f, "{} ({only})", self.text),
            None => f.write_str(&self.text),
        }
    }
}

impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Change {
    fn new(text: String, what: What) -> Self {
        Change { text, only: None, what }
    }

    fn tool(name: &str, key: &'static str, value: impl Into<Value>) -> Self {
        let value = value.into();
        Change::new(format!("tools.{name}.{key} = {value}"), What::Tool(key, value))
    }

    fn only(self, only: &'static str) -> Self {
        Change { only: Some(only), ..self }
    }

    pub(super) fn command(command: String) -> Self {
        Change::new(format!("countersign {command}"), What::Told)
    }

    fn told(text: String) -> Self {
        Change::new(text, What::Told)
    }

    /// It says that the tool changes nothing.
    pub(super) fn is_harmless(&self) -> bool {
        matches!(self.what, What::Tool("side-effect", _))
    }

    pub(super) fn of_tool(&self, over: &mut Table) {
        if let What::Tool(key, value) = &self.what {
            over.insert((*key).to_owned(), value.clone());
        }
    }

    pub(super) fn of_run(&self, manifest: &mut Manifest, name: &str) {
        let Some(tool) = manifest.tool(name).cloned() else { return };
        let boundary = &mut manifest.boundary;
        match &self.what {
            What::Tool(..) | What::Told => {}
            What::Preauthorised => boundary.preauthorised.push(Arc::clone(&tool.name)),
            What::NotAsked => boundary.asks.retain(|other| *other != tool.name),
            What::InBoundary => boundary.tools.push(Arc::clone(&tool.name)),
            What::Granted => boundary.permissions.extend(tool.permission),
            What::NoLimit => boundary.blast_radius_limit = None,
            What::Category => drop(manifest.rules.approvals.insert(tool.category, ApprovalRule::Never)),
            What::AgentUntagged => manifest.goal.compliance = Compliance::None,
        }
    }
}

/// What could be written about this tool, the most telling first: what it is comes before who may use it unasked.
pub(super) fn candidates(manifest: &Manifest, name: &str, stated: &str) -> Vec<Change> {
    let Some(tool) = manifest.tool(name) else { return Vec::new() };
    let boundary = &manifest.boundary;
    let mut all = Vec::new();
    if tool.reversibility != Reversibility::Reversible {
        all.push(Change::tool(stated, "reversibility", "reversible").only("where it can be undone"));
    }
    if tool.mutating() && tool.blast_radius != Some(1) {
        all.push(Change::tool(stated, "blast-radius", 1).only("records or people that one call touches"));
    }
    if approval_rule(&manifest.rules, tool) != ApprovalRule::Never {
        all.push(Change::tool(stated, "approval", "never"));
    }
    if !boundary.preauthorised.contains(&tool.name) {
        all.push(Change::new(format!("boundary.preauthorised = [\"{name}\"]"), What::Preauthorised));
    }
    if boundary.asks.contains(&tool.name) {
        all.push(Change::new(format!("boundary.asks without \"{name}\""), What::NotAsked));
    }
    if !boundary.tools.contains(&tool.name) {
        all.push(Change::new(format!("boundary.tools with \"{name}\""), What::InBoundary));
    }
    if let Some(scope) = tool.permission.as_ref().filter(|scope| !boundary.permissions.contains(*scope)) {
        all.push(Change::new(format!("boundary.permissions with \"{scope}\""), What::Granted));
    }
    if boundary.blast_radius_limit.is_some() {
        all.push(Change::new("boundary.blast-radius-limit left out".to_owned(), What::NoLimit));
    }
    if tool.compliance != Compliance::None {
        all.push(Change::tool(stated, "compliance", "none").only("where it touches nothing of the kind"));
    }
    if manifest.goal.compliance != Compliance::None {
        let text = format!("agents.{}.compliance = \"none\"", manifest.agent);
        all.push(Change::new(text, What::AgentUntagged).only("where its work touches nothing of the kind"));
    }
    let category = toml::Value::try_from(tool.category).map(|name| name.to_string()).unwrap_or_default();
    let category = category.trim_matches('"').to_owned();
    all.push(Change::new(format!("rules.approvals.{category} = \"never\""), What::Category).only("every such tool"));
    if tool.mutating() {
        all.push(Change::tool(stated, "side-effect", "read-only").only("where it changes nothing"));
    }
    all
}

/// What changes an answer where no value of tool and boundary does, or beside those.
pub(super) fn last_resort(stage: &str, stated: &str, given: bool) -> Vec<Vec<Change>> {
    let told = |text: String| vec![vec![Change::told(text)]];
    let slots = countersign::kernel::Slot::ALL;
    match stage {
        slot if slots.into_iter().any(|known| known.name() == slot) => told(format!(
            "bundle.modes.{slot} = \"monitor\" (heard and not obeyed, for every tool), or the policy's own configuration \
             in its bundle"
        )),
        "schema" if given => told("the arguments".to_owned()),
        "budget" => told("budget.DIMENSION, or `countersign runs release` for one run".to_owned()),
        "rate" => told(format!("tools.{stated}.limits.calls-per-minute")),
        "freshness" => told(format!("tools.{stated}.needs-fresh")),
        "least-tool" => told(format!("tools.{stated}.cheaper")),
        "repetition" => told("rules.duplicate-actions, rules.repeated-calls".to_owned()),
        "ceiling" => told(format!(
            "tools.{stated}.category, .side-effect and .compliance say what it is; nothing else answers a ceiling"
        )),
        _ => Vec::new(),
    }
}
