//! Calls from the model's reply to the verified observation: one container each. Where the host drives, one is
//! under way at a time; an agent that drives may have several, each judged knowing of the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_spec::budget::Demand;
use countersign_spec::graph::NodeId;
use countersign_spec::tool::Tool;

use super::approvals;
use super::budget::Reservation;
use super::halt::RepairCause;
use crate::contract::Key;
use crate::contract::ObservedStep;
use crate::record::grounding::{Attempted, Call, Intended, Observed, Verified};
use crate::record::input::Touched;

/// Calls that an agent may have under way at once; before one of them comes back it may propose no other.
pub(super) const OPEN: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Proposals {
    /// Numbers given so far.
    calls: u64,
    /// The call on its way through the pipeline.
    pending: Option<Proposal>,
    /// What the guard wants asked of it: who, and why.
    asked_by_guard: Option<(Vec<Arc<str>>, String)>,
    /// Calls under way, by number.
    open: BTreeMap<u64, Container>,
    /// A result whose text is looked at before anybody reads it.
    captured: Option<Captured>,
    observed: Option<Call<Observed>>,
    verified: Option<Call<Verified>>,
    /// What the step at hand claims.
    claim: Option<Claim>,
    /// Why the step at hand is to be repaired.
    repair: Option<RepairCause>,
}

/// A tool call that a model wants.
#[derive(Debug, Clone)]
pub(super) struct Proposal {
    /// Position in the registry; none for a tool that nobody registered.
    pub tool: Option<usize>,
    pub name: Arc<str>,
    pub arguments: Arc<str>,
    pub key: Key,
    pub invalid: Option<String>,
    pub missing: Vec<Arc<str>>,
    pub payload: Option<Arc<str>>,
    pub touches: Touched,
}

impl Proposal {
    /// The very call, as an approval knows it.
    pub fn approved_as<'a>(&'a self, tools: &'a [Tool]) -> approvals::Call<'a> {
        approvals::Call {
            tool: &self.name,
            arguments: &self.arguments,
            definition: self.tool.map(|index| &tools[index].definition),
            payload: self.payload.as_ref(),
        }
    }

    /// Tool and arguments, as policies and people read them.
    pub fn text(&self) -> String {
        format!("{} {}", self.name, self.arguments)
    }
}

/// A call under way.
#[derive(Debug)]
struct Container {
    /// Where in the graph it stands.
    node: NodeId,
    /// The model call that proposed it.
    step: u32,
    /// The frame that sent it.
    frame: u64,
    state: Under,
}

#[derive(Debug)]
enum Under {
    Way(Box<ToolCall>),
    Verification(Box<Call<Observed>>),
}

/// A call that was sent.
#[derive(Debug)]
pub(super) struct ToolCall {
    pub call: Call<Attempted>,
    pub proposal: Proposal,
    pub demand: Demand,
    pub reservation: Option<Reservation>,
    pub attempt: u32,
}

/// A result on its way into the run.
#[derive(Debug, Clone)]
pub(super) struct Captured {
    pub proposal: Proposal,
    pub step: ObservedStep,
    pub action: String,
    pub text: Arc<str>,
    /// The text as a model may see it, where that is another.
    pub redacted: Option<Arc<str>>,
}

/// What a step without a call claims.
#[derive(Debug)]
pub(super) enum Claim {
    Finished { summary: Arc<str>, tools: Vec<Arc<str>> },
    Words,
}

impl Proposals {
    /// Numbers of calls given so far: that of the next.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// A call with a number of its own.
    pub fn number(&mut self, tool: Arc<str>) -> Call<Intended> {
        self.calls += 1;
        Call::intend(self.calls - 1, tool)
    }

    pub fn propose(&mut self, proposal: Proposal) {
        self.pending = Some(proposal);
    }

    pub fn pending(&self) -> Option<&Proposal> {
        self.pending.as_ref()
    }

    pub fn take_pending(&mut self) -> Option<Proposal> {
        self.pending.take()
    }

    pub fn guard_asks(&mut self, who: Vec<Arc<str>>, why: String) {
        self.asked_by_guard = Some((who, why));
    }

    pub fn take_guard_asks(&mut self) -> Option<(Vec<Arc<str>>, String)> {
        self.asked_by_guard.take()
    }

    /// A call is under way.
    pub fn send(&mut self, call: ToolCall, node: NodeId, step: u32, frame: u64) {
        self.open.insert(call.call.id(), Container { node, step, frame, state: Under::Way(Box::new(call)) });
    }

    /// A call is being verified.
    pub fn verify(&mut self, call: Call<Observed>, node: NodeId, step: u32, frame: u64) {
        self.open.insert(call.id(), Container { node, step, frame, state: Under::Verification(Box::new(call)) });
    }

    /// Where an open call stands, and which step proposed it.
    pub fn place(&self, call: u64) -> Option<(NodeId, u32)> {
        self.open.get(&call).map(|container| (container.node, container.step))
    }

    /// The frame that sent an open call; 0 where it is not open.
    pub fn sent_by(&self, call: u64) -> u64 {
        self.open.get(&call).map_or(0, |container| container.frame)
    }

    pub fn is_sent(&self, call: u64) -> bool {
        self.open.get(&call).is_some_and(|container| matches!(container.state, Under::Way(_)))
    }

    pub fn is_verified(&self, call: u64) -> bool {
        self.open.get(&call).is_some_and(|container| matches!(container.state, Under::Verification(_)))
    }

    /// A call came back, or is not made after all.
    pub fn take_sent(&mut self, call: u64) -> Option<ToolCall> {
        if !self.is_sent(call) {
            return None;
        }
        match self.open.remove(&call)?.state {
            Under::Way(call) => Some(*call),
            Under::Verification(_) => None,
        }
    }

    /// A call was looked at.
    pub fn take_verified(&mut self, call: u64) -> Option<Call<Observed>> {
        if !self.is_verified(call) {
            return None;
        }
        match self.open.remove(&call)?.state {
            Under::Verification(call) => Some(*call),
            Under::Way(_) => None,
        }
    }

    /// Every call that is still under way, which nobody waits for any more.
    pub fn abandon(&mut self) -> Vec<(u64, Option<ToolCall>)> {
        let of = |(number, container): (u64, Container)| match container.state {
            Under::Way(call) => (number, Some(*call)),
            Under::Verification(_) => (number, None),
        };
        std::mem::take(&mut self.open).into_iter().map(of).collect()
    }

    /// The oldest open call: its number, and what is verified where it only needs a look.
    pub fn oldest(&self) -> Option<(u64, Option<&Call<Observed>>)> {
        self.open.iter().next().map(|(number, container)| match &container.state {
            Under::Way(_) => (*number, None),
            Under::Verification(call) => (*number, Some(&**call)),
        })
    }

    pub fn has_room(&self) -> bool {
        self.open.len() < OPEN
    }

    pub fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// Calls of a tool that are under way.
    pub fn open_of(&self, tool: usize) -> u32 {
        let of =
            |container: &&Container| matches!(&container.state, Under::Way(call) if call.proposal.tool == Some(tool));
        u32::try_from(self.open.values().filter(of).count()).unwrap_or(u32::MAX)
    }

    /// Whether the very same call is under way.
    pub fn is_under_way(&self, key: Key) -> bool {
        self.open.values().any(|container| matches!(&container.state, Under::Way(call) if call.proposal.key == key))
    }

    pub fn observe(&mut self, call: Call<Observed>) {
        self.observed = Some(call);
    }

    pub fn take_observed(&mut self) -> Option<Call<Observed>> {
        self.observed.take()
    }

    pub fn confirm(&mut self, call: Call<Verified>) {
        self.verified = Some(call);
    }

    pub fn take_confirmed(&mut self) -> Option<Call<Verified>> {
        self.verified.take()
    }

    pub fn capture(&mut self, captured: Captured) {
        self.captured = Some(captured);
    }

    pub fn captured(&self) -> Option<&Captured> {
        self.captured.as_ref()
    }

    /// What a model may see of the captured result.
    pub fn redact(&mut self, text: Arc<str>) {
        if let Some(captured) = &mut self.captured {
            captured.redacted = Some(text);
        }
    }

    pub fn take_captured(&mut self) -> Option<Captured> {
        self.captured.take()
    }

    pub fn claim(&mut self, claim: Claim) {
        self.claim = Some(claim);
    }

    pub fn take_claim(&mut self) -> Option<Claim> {
        self.claim.take()
    }

    pub fn repair(&mut self, cause: RepairCause) {
        self.repair = Some(cause);
    }

    pub fn take_repair(&mut self) -> Option<RepairCause> {
        self.repair.take()
    }
}
