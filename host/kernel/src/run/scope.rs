//! The scope node: what is in reach of the task is settled before anything is spent on it (document 003, phase 2;
//! specification F15).

use std::sync::Arc;

use super::Run;
use super::halt::StopCause;
use super::next::Next;
use crate::contract::{Dimension, Verdict};
use crate::record::event::Event;
use crate::record::status::Code;
use countersign_spec::Tool;
use countersign_spec::graph::Exit;
use countersign_spec::state::Memory;

/// Most names that one list of the event has.
const NAMES: usize = 64;

impl Run {
    /// The scope node. A run comes back to it when the user has answered.
    pub(super) fn resolve_scope(&mut self) -> Next {
        // What a recorded agent could reach was not this host's to say.
        if self.recorded() {
            return Next::Leave(Exit::Resolved);
        }
        let manifest = Arc::clone(&self.manifest);
        let within = manifest.tools.iter().filter(|tool| manifest.boundary.tools.contains(&tool.name));
        let (held, withheld): (Vec<_>, Vec<_>) = within.partition(|tool| self.outside(tool).is_none());
        let (memories, lapsed): (Vec<_>, Vec<_>) = manifest.memory.iter().partition(|memory| self.lasts(memory));
        let out_of_reach = if manifest.rules.reachable_goal { self.out_of_reach() } else { Vec::new() };
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        self.event(Event::Scoped {
            tools: count(held.len()),
            withheld: withheld.iter().take(NAMES).map(|tool| Arc::clone(&tool.name)).collect(),
            memories: count(memories.len()),
            lapsed: lapsed.iter().take(NAMES).map(|memory| Arc::clone(&memory.key)).collect(),
            tiers: if self.agent_drives() { Vec::new() } else { self.eligible_tiers() },
            out_of_reach: out_of_reach.clone(),
            boundary: Arc::clone(&manifest.boundary.digest),
        });
        let reason = out_of_reach.join("; ");
        if !out_of_reach.is_empty() && self.blocks("reachable goal", Verdict::Terminate, &reason) {
            let halt = StopCause::ended(Code::Impossible, format!("out of reach: {reason}"));
            return self.leave(Exit::Refused, halt);
        }
        Next::Leave(Exit::Resolved)
    }

    /// Whether a memory of an earlier run still counts.
    pub(super) fn lasts(&self, memory: &Memory) -> bool {
        let now = self.manifest.started.saturating_add(self.at);
        let written = memory.written.unwrap_or(self.manifest.started);
        memory.tenure.is_none_or(|tenure| now <= written.saturating_add(tenure))
    }

    /// What the task needs and no call of this run could bring.
    fn out_of_reach(&self) -> Vec<String> {
        let manifest = &self.manifest;
        let never = |name: &str| match manifest.tool(name) {
            Some(tool) => self.never(tool, manifest.tools.len()),
            None => Some(format!("there is no tool `{name}`")),
        };
        let mut missing = Vec::new();
        for criterion in &manifest.goal.criteria {
            if let Some(why) = never(&criterion.tool) {
                missing.push(format!("criterion `{}`: {why}", criterion.id));
            }
        }
        for step in &manifest.plan {
            if let Some(why) = step.tool.as_deref().and_then(never) {
                missing.push(format!("step `{}` of the task's plan: {why}", step.id));
            }
        }
        if manifest.rules.grounded_claims {
            let held = manifest.tools.iter().filter(|tool| self.outside(tool).is_none());
            for need in &manifest.goal.needs {
                if !held.clone().any(|tool| need.met_by(tool.category)) {
                    missing.push(format!("{} must come from a tool, and none within reach gives it", need.name()));
                }
            }
        }
        missing
    }

    /// Why no call of a tool could ever pass; none where one could. `depth` bounds how many tools that come before one
    /// another are looked at.
    fn never(&self, tool: &Tool, depth: usize) -> Option<String> {
        let (manifest, name) = (&self.manifest, &tool.name);
        if let Some(why) = self.outside(tool) {
            return Some(why);
        }
        if manifest.ceilings.of(Dimension::ToolCalls) == 0 {
            return Some("no tool call is within the ceilings".to_owned());
        }
        if tool.limits.calls == Some(0) || tool.limits.calls_per_minute == Some(0) {
            return Some(format!("tool `{name}` may be called 0 times"));
        }
        if let Some(cap) = tool.limits.cost.filter(|cap| tool.cost > *cap) {
            return Some(format!("one call of tool `{name}` costs {}, and all of them may cost {cap}", tool.cost));
        }
        if manifest.rules.fresh_facts
            && let Some(fresh) = tool.needs_fresh.first()
            && !manifest.tools.iter().any(|other| other.name != *name && self.outside(other).is_none())
        {
            return Some(format!("tool `{name}` needs `{}`, and no other tool is within reach to read it", fresh.fact));
        }
        let cheaper = tool.cheaper.as_ref().filter(|_| manifest.rules.least_tool);
        let (cheaper, before) = (cheaper?, depth.checked_sub(1));
        let why = match (manifest.tool(cheaper), before) {
            (Some(other), Some(before)) => self.never(other, before)?,
            (None, _) => format!("there is no tool `{cheaper}`"),
            (_, None) => "each waits for another".to_owned(),
        };
        Some(format!("tool `{name}` comes after `{cheaper}`: {why}"))
    }
}
