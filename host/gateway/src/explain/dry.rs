//! A call that is judged and not made.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use countersign::kernel::consequence::{Asked, CONSEQUENCES, Driving, consequence};
use countersign::kernel::contract::Verdict;
use countersign::kernel::{Closed, Event, Run, Slot};
use countersign::mcp::{Joined, derived, split};
use countersign::registry::{Registry, ToolSpec};
use countersign::session::{CallDecision, Proposal, Session, Setup};
use countersign::spec::{Manifest, Mode};
use countersign::store::SharedStore;
use countersign::store::memory::MemoryStore;
use countersign::{Host, Observer};
use serde::Serialize;
use serde_json::Value;
use toml::Table;

use super::{Change, Objection};
use crate::error::GatewayError;
use crate::relay::locked;
use crate::served::Served;

/// What would become of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Outcome {
    /// It is made.
    pub runs: bool,
    /// `runs`, `waits for a person`, `refused` or `stops the run`.
    pub what: String,
    /// Why it does not run.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

impl Outcome {
    pub(super) fn refused(reason: &str) -> Self {
        Outcome { runs: false, what: "refused".to_owned(), reason: reason.to_owned() }
    }

    fn of(decision: &CallDecision) -> Self {
        let (runs, what, reason) = match decision {
            CallDecision::Permitted(_) => (true, "runs", String::new()),
            CallDecision::Parked(approval) => (false, "waits for a person", approval.reason.clone()),
            CallDecision::Refused(refusal) => (false, "refused", refusal.reason.clone()),
            CallDecision::Noted(text) => (false, "is the host's own", text.clone()),
            CallDecision::Stopped(stop) => (false, "stops the run", stop.reason.clone()),
        };
        Outcome { runs, what: what.to_owned(), reason }
    }
}

/// A call of a tool, to be judged as often as anybody wants to know.
pub(super) struct Dry<'a> {
    host: &'a Host,
    pub(super) served: &'a Served,
    joined: &'a Joined,
    name: &'a str,
    /// The name under which the operator's file says something of it.
    pub(super) stated: &'a str,
    arguments: &'a Value,
    given: bool,
}

impl<'a> Dry<'a> {
    pub(super) fn new(
        host: &'a Host,
        served: &'a Served,
        joined: &'a Joined,
        name: &'a str,
        stated: &'a str,
        arguments: &'a Value,
        given: bool,
    ) -> Self {
        Dry { host, served, joined, name, stated, arguments, given }
    }

    pub(super) fn tool(&self) -> &str {
        self.name
    }

    /// What the operator's file says of the tool, with these changes.
    fn over(&self, changes: &[&Change]) -> Table {
        let mut over = self.served.deployment.tools().get(self.stated).cloned().unwrap_or_default();
        for change in changes {
            change.of_tool(&mut over);
        }
        over
    }

    /// The tools of the run with these changes. None where the file could not say them.
    fn tools(&self, changes: &[&Change]) -> Option<BTreeMap<String, ToolSpec>> {
        let mut tools = self.joined.tools.clone();
        let server = split(self.name).and_then(|(server, _)| self.served.deployment.servers().get(server))?;
        let mut spec = derived(self.name, server, self.joined.definitions.get(self.name)?, Some(&self.over(changes)));
        if let (false, Ok(Ok(spec))) = (self.given, &mut spec) {
            // Nobody gave any: they are not held against it.
            spec.arguments = None;
            spec.touches = Default::default();
        }
        tools.insert(self.name.to_owned(), spec.ok()?.ok()?);
        Some(tools)
    }

    fn registry(&self, changes: &[&Change]) -> Registry {
        Registry::new(&self.tools(changes).unwrap_or_else(|| self.joined.tools.clone()))
    }

    /// What the run would be pinned to with these changes.
    pub(super) fn manifest(&self, changes: &[&Change]) -> Result<Manifest, GatewayError> {
        let mut manifest = self.served.manifest(self.host, "explain", &self.registry(changes))?;
        for change in changes {
            change.of_run(&mut manifest, self.name);
        }
        manifest.boundary = countersign::settings::sealed(manifest.boundary);
        Ok(manifest)
    }

    /// Has the call judged as the first of a run.
    fn judged(&self, changes: &[&Change], mode: Mode) -> Result<(CallDecision, Vec<Event>), GatewayError> {
        let manifest = Manifest { mode, ..self.manifest(changes)? };
        let heard = Heard::default();
        let events = Arc::clone(&heard.0);
        let setup = Setup { observer: Box::new(heard), shadow: false, ..Setup::new(self.registry(changes)) };
        let store: SharedStore = Arc::new(MemoryStore::new());
        let mut session = Session::begin(self.host, &store, manifest, setup)?;
        locked(&events).clear();
        let decision = session.propose(Proposal::new(self.name, self.arguments.clone()))?;
        let events = std::mem::take(&mut *locked(&events));
        Ok((decision, events))
    }

    /// What would become of it.
    pub(super) fn outcome(&self, changes: &[&Change]) -> Result<Outcome, GatewayError> {
        let mode = if self.manifest(changes)?.mode == Mode::Monitor { Mode::Monitor } else { Mode::Enforce };
        Ok(Outcome::of(&self.judged(changes, mode)?.0))
    }

    /// Who would not let it pass: where nothing blocks, everybody is asked.
    pub(super) fn objections(&self, changes: &[&Change]) -> Result<Vec<Objection>, GatewayError> {
        let (_, events) = self.judged(changes, Mode::Monitor)?;
        let slot_of = |by: &str| Slot::ALL.into_iter().find(|slot| slot.name() == by);
        let manifest = self.manifest(changes)?;
        let is_entry = |by: &str| manifest.entries.iter().any(|entry| *entry.name == *by);
        let mut found: Vec<Objection> = Vec::new();
        for event in events {
            let (stage, verdict, by, reason, asked) = match event {
                Event::Verdict { slot, verdict, by, reason } if verdict > Verdict::Notify => {
                    let by = by.iter().map(ToString::to_string).collect();
                    let asked = asked_of_a_call(slot);
                    (slot.name().to_owned(), verdict, by, reason, asked)
                }
                // What a slot says stands in its verdict; an entry that only watches stops nothing.
                Event::WouldHave { verdict, by, reason } if slot_of(&by).is_none() && !is_entry(&by) => {
                    (by.to_string(), verdict, vec!["host".to_owned()], reason, Asked::Action)
                }
                Event::Blocked { stage, reason, .. } => {
                    (stage.name().to_owned(), Verdict::Deny, vec!["host".to_owned()], reason, Asked::Action)
                }
                _ => continue,
            };
            let leads_to = consequence(asked, verdict, Driving::Agent).name().to_owned();
            if !found.iter().any(|other| other.stage == stage) {
                found.push(Objection { stage, verdict, leads_to, by, reason, changes: Vec::new() });
            }
        }
        Ok(found)
    }
}

/// The events of each frame.
#[derive(Debug, Default)]
struct Heard(Arc<Mutex<Vec<Event>>>);

impl Observer for Heard {
    fn frame(&mut self, _run: &Run, closed: &Closed) {
        locked(&self.0).extend(closed.frame.events.iter().cloned());
    }
}

/// What a slot is asked about where a call is judged.
fn asked_of_a_call(slot: Slot) -> Asked {
    let of_a_call = |asked: Asked| matches!(asked, Asked::Call | Asked::Action);
    CONSEQUENCES.iter().find(|row| row.slot == slot && of_a_call(row.asked)).map_or(Asked::Action, |row| row.asked)
}
