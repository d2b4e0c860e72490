//! The scope node: what is in reach of the task is settled before anything is spent on it (document 003, phase 2;
//! specification F15).

use std::sync::Arc;

use super::Run;
use super::halt::StopCause;
use super::next::Next;
use crate::contract::Verdict;
use crate::record::event::Event;
use crate::record::status::Code;
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
        let outside = |name: &str| manifest.tool(name).and_then(|tool| self.outside(tool));
        let mut missing = Vec::new();
        for criterion in &manifest.goal.criteria {
            if let Some(why) = outside(&criterion.tool) {
                missing.push(format!("criterion `{}`: {why}", criterion.id));
            }
        }
        for step in &manifest.plan {
            if let Some(why) = step.tool.as_deref().and_then(outside) {
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
}
