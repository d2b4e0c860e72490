//! One recorded run, call by call, as the gateway would have ruled on it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use countersign::Host;
use countersign::registry::{Registry, ToolResult};
use countersign::session::{
    CallDecision, Clock, Observed, Observer, Proposal, Refusal, Seen, Session, SessionError, Setup, Standing, Stop,
};
use countersign_kernel::contract::{Slot, Verdict};
use countersign_kernel::{Approval, Closed, Decision, Event, Outcome, Run, Status};
use countersign_spec::Manifest;
use countersign_store::{Durability, SharedStore};
use serde_json::{Map, Value};

use super::report::{Counts, Example, Met};
use crate::recording::{Call, Returned};

/// Milliseconds between two calls where a recording has no times.
const STEP: u64 = 3000;
/// The rule that asks about every call of a tool of some kind, whatever the call.
const BY_KIND: &str = "category";
/// How the host's own marks in results begin.
const MARKS: [(&str, &str); 5] = [
    ("[redacted:", "host"),
    ("[secret:", "guard"),
    ("[personal-data:", "guard"),
    ("[injection:", "guard"),
    ("[unseen:", "guard"),
];

/// A run that is judged.
pub struct Judged {
    session: Session,
    clock: Arc<AtomicU64>,
    verdicts: Arc<Mutex<Vec<(Slot, Verdict, String)>>>,
    decisions: u64,
    calls: u64,
    over: bool,
    disturbed: bool,
}

/// Hears what slots say.
struct Verdicts(Arc<Mutex<Vec<(Slot, Verdict, String)>>>);

impl Observer for Verdicts {
    fn frame(&mut self, _: &Run, closed: &Closed) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for event in &closed.frame.events {
            if let Event::Verdict { slot, verdict, reason, .. } = event
                && *verdict > Verdict::Notify
            {
                heard.push((*slot, *verdict, reason.clone()));
            }
        }
    }
}

impl Judged {
    pub fn begin(
        host: &Host,
        store: &SharedStore,
        manifest: Manifest,
        registry: Registry,
    ) -> Result<Self, SessionError> {
        let (clock, verdicts) = (Arc::new(AtomicU64::new(0)), Arc::default());
        let setup = Setup {
            clock: Clock::Manual(Arc::clone(&clock)),
            observer: Box::new(Verdicts(Arc::clone(&verdicts))),
            durability: Durability::Buffered,
            shadow: false,
            ..Setup::new(registry)
        };
        let session = Session::begin(host, store, manifest, setup)?;
        Ok(Judged { session, clock, verdicts, decisions: 0, calls: 0, over: false, disturbed: false })
    }

    /// A call, as the recording has it, and what came of it.
    pub fn call(
        &mut self,
        call: &Call,
        returned: Option<&Returned>,
        mut example: Example,
        counts: &mut Counts,
    ) -> Result<(), SessionError> {
        if self.over {
            counts.figures.not_reached += 1;
            return Ok(());
        }
        self.calls += 1;
        counts.figures.calls += 1;
        example.call = self.calls;
        self.tick(call.at, STEP);
        let mut decision = self.propose(call)?;
        if let CallDecision::Parked(approval) = &decision {
            self.held(approval, &example, counts);
            // The run went well: whoever had been asked would have said yes.
            let fingerprint = Arc::clone(&approval.fingerprint);
            self.decisions += 1;
            let id = format!("recorded-{}", self.decisions);
            self.session.decide(&id, "recorded", Decision::Approved { fingerprint })?;
            decision = self.propose(call)?;
        }
        match decision {
            CallDecision::Permitted(permit) => {
                let result = result(returned);
                let text = result.text.clone();
                self.heard();
                self.tick(returned.map_or(0, |returned| returned.at), 0);
                let seen = match self.session.observe(permit, result)? {
                    Observed::Done(seen) => seen,
                    // No recorded tool has a verifier that reads.
                    Observed::ReadBack(_) => return Ok(()),
                };
                self.seen(&seen, &text, &example, counts);
            }
            CallDecision::Refused(refusal) => self.refused(&refusal, &example, counts),
            CallDecision::Stopped(stop) => self.stopped(&stop, &example, counts),
            // Approved, and to be approved again.
            CallDecision::Parked(approval) => {
                self.disturbed = true;
                counts.figures.refused += 1;
                let reason = format!("asked again after it was approved: {}", approval.reason);
                counts.note(Met::Refused, "approval", &reason, &example);
            }
            CallDecision::Noted(_) => {}
        }
        Ok(())
    }

    /// The run is over.
    pub fn end(self, counts: &mut Counts) {
        counts.figures.stopped += u64::from(self.over);
        counts.figures.disturbed += u64::from(self.disturbed);
    }

    fn propose(&mut self, call: &Call) -> Result<CallDecision, SessionError> {
        self.heard();
        let arguments = serde_json::Value::Object(whole(call));
        self.session.propose(Proposal::new(call.tool.clone(), arguments))
    }

    fn tick(&self, at: u64, least: u64) {
        let now = self.clock.load(Ordering::Relaxed);
        self.clock.store(at.max(now + least), Ordering::Relaxed);
    }

    /// What slots have said since the last time.
    fn heard(&self) -> Vec<(Slot, Verdict, String)> {
        std::mem::take(&mut self.verdicts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn held(&mut self, approval: &Approval, example: &Example, counts: &mut Counts) {
        counts.figures.held += 1;
        let mut policies = false;
        for (slot, _, reason) in self.heard() {
            policies = true;
            counts.note(Met::Held, slot.name(), &reason, example);
        }
        // Entries stand for their slots; what is left are rules of the host.
        let entries = &self.session.run().manifest().entries;
        for by in approval.asked_by.iter().filter(|by| entries.iter().all(|entry| entry.name != **by)) {
            policies |= **by != *BY_KIND;
            let reason = if **by == *BY_KIND { "needs approval by its kind" } else { &approval.reason };
            counts.note(Met::Held, by, reason, example);
        }
        counts.figures.held_by_policies += u64::from(policies);
        self.disturbed |= policies;
    }

    fn refused(&mut self, refusal: &Refusal, example: &Example, counts: &mut Counts) {
        self.disturbed = true;
        counts.figures.refused += 1;
        let slot = self.heard().into_iter().max_by_key(|(_, verdict, _)| *verdict).map(|(slot, ..)| slot.name());
        let stage = refusal.stage.map(countersign_kernel::Stage::name);
        // A stage knows best; that of permissions also tells what a policy has denied.
        let by = match stage {
            Some("permission") | None => slot.or(stage).unwrap_or("rules"),
            Some(stage) => stage,
        };
        counts.note(Met::Refused, by, &refusal.reason, example);
        if refusal.is_hold() {
            self.over = true;
            counts.note(Met::Stopped, by, &refusal.reason, example);
        }
    }

    fn stopped(&mut self, stop: &Stop, example: &Example, counts: &mut Counts) {
        (self.over, self.disturbed) = (true, true);
        let slot = self.heard().into_iter().max_by_key(|(_, verdict, _)| *verdict).map(|(slot, ..)| slot.name());
        let reason = format!("{}: {}", stop.code.name(), stop.reason);
        counts.note(Met::Stopped, slot.unwrap_or("rules"), &reason, example);
    }

    fn seen(&mut self, seen: &Seen, said: &str, example: &Example, counts: &mut Counts) {
        let shown = seen.result.text();
        let mut withheld = false;
        for (mark, by) in MARKS {
            if shown.matches(mark).count() > said.matches(mark).count() {
                withheld = true;
                counts.note(Met::Withheld, by, &around(&shown, mark), example);
            }
        }
        counts.figures.withheld += u64::from(withheld);
        self.disturbed |= withheld;
        let Standing { hold, status, stop, .. } = &seen.standing;
        if let Some(stop) = stop {
            self.stopped(stop, example, counts);
        } else if let Some(hold) = hold {
            (self.over, self.disturbed) = (true, true);
            counts.note(
                Met::Stopped,
                self.heard().last().map_or("rules", |(slot, ..)| slot.name()),
                &hold.reason,
                example,
            );
        }
        self.over |= *status != Status::Running;
    }
}

/// The arguments of a call. Where the recorder cut them, or keeps what was thought elsewhere, two that are equal by that
/// would have been different ones: what tells them apart stands in for what is missing.
fn whole(call: &Call) -> Map<String, Value> {
    let mut arguments = call.arguments.clone();
    let kept = call.identity.iter().flat_map(|identity| identity.iter().skip(1));
    let kept: Vec<&str> = kept.map(String::as_str).collect();
    if !kept.is_empty() {
        arguments.insert("left-out".to_owned(), Value::String(kept.join(" ")));
    }
    arguments
}

/// A result as a server gives it.
fn result(returned: Option<&Returned>) -> ToolResult {
    match returned {
        // Whatever is recorded was heard to its end, as what a server answers is.
        Some(returned) => {
            let outcome = match returned.outcome {
                Outcome::Returned { exit_code: None, ok } => Outcome::Returned { exit_code: Some(i32::from(!ok)), ok },
                outcome => outcome,
            };
            ToolResult::new(outcome, returned.text.clone())
        }
        None => ToolResult::new(Outcome::TimedOut, "the recording has no result"),
    }
}

/// The kind of a mark, and for people what stands around the first one.
fn around(shown: &str, mark: &str) -> String {
    let Some(at) = shown.find(mark) else { return mark.to_owned() };
    let kind = shown[at..].split([']', ' ']).next().unwrap_or(mark);
    let kind: String = kind.split(':').take(2).collect::<Vec<_>>().join(":");
    let from = shown.floor_char_boundary(at.saturating_sub(60));
    let to = shown.floor_char_boundary((at + 80).min(shown.len()));
    format!("{}] `{}`", kind.trim_end_matches(']'), shown[from..to].replace(['`', '\n'], " "))
}
