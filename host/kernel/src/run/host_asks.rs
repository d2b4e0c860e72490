//! When the host itself wants a person to approve a call, whatever policies say of it: one function, which the pipeline
//! asks and whoever explains a ruling reads.

use countersign_spec::tool::{ApprovalRule, SideEffectClass, Tool};
use countersign_spec::{Boundary, HostRules, Manifest};

use crate::contract::{Compliance, Reversibility, ToolCategory};
use crate::record::input::Touched;
use crate::record::standing::CEILING;

/// Why the host asks a person about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostAsks {
    /// What it touches is tagged. No approval given beforehand answers it.
    Compliance,
    /// It commits money. No approval given beforehand answers it.
    Money,
    /// It writes to people. No approval given beforehand answers it.
    People,
    /// The boundary names the tool among those that ask.
    Boundary,
    /// The tool's own rule, or that of its category.
    Kind(ApprovalRule),
}

impl HostAsks {
    /// Who asks, as an approval names it.
    pub fn by(self) -> &'static str {
        match self {
            HostAsks::Compliance | HostAsks::Money | HostAsks::People => CEILING,
            HostAsks::Boundary => "boundary",
            HostAsks::Kind(_) => "category",
        }
    }

    /// Why, for people.
    pub fn reason(self, tool: &str) -> String {
        match self {
            HostAsks::Compliance => format!("`{tool}` is tagged for compliance"),
            HostAsks::Money => format!("`{tool}` commits money"),
            HostAsks::People => format!("`{tool}` writes to people"),
            HostAsks::Boundary => format!("the boundary wants approval for `{tool}`"),
            HostAsks::Kind(_) => format!("`{tool}` needs approval by its kind"),
        }
    }
}

/// What the host's own rules are written in.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// The boundary of the run.
    pub boundary: &'a Boundary,
    /// Its rules.
    pub rules: &'a HostRules,
    /// Strictest tag of what its work touches.
    pub compliance: Compliance,
}

impl<'a> Envelope<'a> {
    /// What a run is pinned to.
    pub fn of(manifest: &'a Manifest) -> Self {
        Envelope { boundary: &manifest.boundary, rules: &manifest.rules, compliance: manifest.goal.compliance }
    }
}

/// Whether the host wants a person for a call of a tool that touches so much: ceilings first, they yield to nothing
/// (design §7).
pub fn host_asks(envelope: Envelope<'_>, tool: &Tool, touches: Touched) -> Option<HostAsks> {
    let Envelope { boundary, compliance, .. } = envelope;
    let tagged = tool.compliance != Compliance::None || (tool.mutating() && compliance != Compliance::None);
    if tagged {
        return Some(HostAsks::Compliance);
    }
    if tool.side_effect == SideEffectClass::Financial || (tool.mutating() && tool.category == ToolCategory::Payment) {
        return Some(HostAsks::Money);
    }
    if tool.side_effect == SideEffectClass::Communication
        || (tool.mutating() && tool.category == ToolCategory::Communication)
    {
        return Some(HostAsks::People);
    }
    if boundary.asks.contains(&tool.name) {
        return Some(HostAsks::Boundary);
    }
    if boundary.preauthorised.contains(&tool.name) {
        return None;
    }
    let rule = approval_rule(envelope.rules, tool);
    // Arguments may say more than the registry, never less.
    let blast = touches.records.max(tool.blast_radius);
    let wide = boundary.blast_radius_limit.is_some_and(|limit| blast.is_none_or(|blast| blast > limit));
    let asks = match rule {
        ApprovalRule::Never => false,
        ApprovalRule::Destructive => tool.mutating() && (tool.reversibility != Reversibility::Reversible || wide),
        ApprovalRule::Mutating => tool.mutating(),
        ApprovalRule::Always => true,
    };
    asks.then_some(HostAsks::Kind(rule))
}

/// The rule by which a tool's calls need a person: its own, else its category's.
pub fn approval_rule(rules: &HostRules, tool: &Tool) -> ApprovalRule {
    let by_category = rules.approvals.get(&tool.category).copied();
    tool.approval.or(by_category).unwrap_or(ApprovalRule::Mutating)
}
