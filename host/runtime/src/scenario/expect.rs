//! What a scenario expects, and events in one line each.

use countersign_kernel::{Answered, Code, Event, Frame, Status};
use serde::Deserialize;

/// What must have happened.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Expectations {
    /// `ended` or `suspended`.
    pub status: Option<String>,
    /// The code.
    pub code: Option<Code>,
    /// Every criterion was verified, or not.
    pub verified: Option<bool>,
    /// Parts of event lines (see [`describe`]) that must come in this order.
    #[serde(default)]
    pub events: Vec<String>,
    /// Parts of event lines that must not come.
    #[serde(default)]
    pub never: Vec<String>,
}

impl Expectations {
    pub(super) fn check(&self) -> Result<(), String> {
        match self.status.as_deref() {
            None | Some("ended" | "suspended") => Ok(()),
            Some(other) => Err(format!("key `expect.status`: expected `ended` or `suspended`, found `{other}`")),
        }
    }
}

/// Follows a run.
pub(super) struct Matching {
    events: Vec<String>,
    next: usize,
    never: Vec<String>,
    seen: Vec<String>,
    verified: Option<bool>,
}

impl Matching {
    pub fn new(expectations: &Expectations) -> Self {
        Matching {
            events: expectations.events.clone(),
            next: 0,
            never: expectations.never.clone(),
            seen: Vec::new(),
            verified: None,
        }
    }

    pub fn frame(&mut self, frame: &Frame) {
        for line in describe(frame) {
            if self.events.get(self.next).is_some_and(|wanted| line.contains(wanted)) {
                self.next += 1;
            }
            if let Some(found) = self.never.iter().find(|unwanted| line.contains(*unwanted)) {
                self.seen.push(format!("expected no `{found}`, frame {}: {line}", frame.frame));
            }
        }
        for event in &frame.events {
            if let Event::Ended { verified, .. } = event {
                self.verified = Some(*verified);
            }
        }
    }

    pub fn unmet(self, expectations: &Expectations, status: Status) -> Vec<String> {
        let mut unmet = self.seen;
        let (word, code) = match status {
            Status::Running => ("running", None),
            Status::Suspended(code) => ("suspended", Some(code)),
            Status::Ended(code) => ("ended", Some(code)),
        };
        if let Some(wanted) = &expectations.status
            && wanted != word
        {
            unmet.push(format!("expected the run to be {wanted}, it is {status}"));
        }
        if let Some(wanted) = expectations.code
            && Some(wanted) != code
        {
            unmet.push(format!("expected {wanted}, it is {status}"));
        }
        if expectations.verified.is_some() && expectations.verified != self.verified {
            unmet.push(format!("expected verified = {:?}, it is {:?}", expectations.verified, self.verified));
        }
        // What comes after the first that is missing says nothing new.
        if let Some(missing) = self.events.get(self.next) {
            unmet.push(format!("expected `{missing}` to happen next; it did not"));
        }
        unmet
    }
}

/// What a frame tells, one line an event: for expectations and for people.
pub fn describe(frame: &Frame) -> Vec<String> {
    let undecided = frame.judgements.iter().filter_map(|judgement| match &judgement.answer {
        Answered::Undecided(cause) => Some(format!("undecided {} {}", judgement.entry, cause.name())),
        _ => None,
    });
    undecided.chain(frame.events.iter().map(line)).collect()
}

fn line(event: &Event) -> String {
    match event {
        Event::Classified { class, tier, .. } => {
            format!("classified {} tier {tier}", class.as_deref().unwrap_or("-"))
        }
        Event::Verdict { slot, verdict, reason, .. } => format!("verdict {slot} {verdict}: {reason}"),
        Event::NotJudged { slot } => format!("not-judged {slot}"),
        Event::SchemaViolation { reason } => format!("schema-violation: {reason}"),
        Event::ModelCalled { tier, .. } => format!("model-called {tier}"),
        Event::Escalated { from, to, cause, .. } => format!("escalated {from} to {to}: {cause}"),
        Event::Patched { tier } => format!("patched {tier}"),
        Event::Replanned { reason } => format!("replanned: {reason}"),
        Event::Blocked { tool, reason } => format!("blocked {tool}: {reason}"),
        Event::Dispatched { tool, .. } => format!("dispatched {tool}"),
        Event::Committed { fact, .. } => format!("committed {fact}"),
        Event::VerificationFailed { detail, .. } => format!("verification-failed: {detail}"),
        Event::CriterionMet { id } => format!("criterion-met {id}"),
        Event::CriterionLost { id } => format!("criterion-lost {id}"),
        Event::ClaimUnsupported { unmet } => format!("claim-unsupported: {}", unmet.join(", ")),
        Event::BudgetRefused { dimension, demand, left } => {
            format!("budget-refused {dimension}: needs {demand}, {left} left")
        }
        Event::Notified { text } => format!("notified: {text}"),
        Event::WouldHave { verdict, slot, reason } => format!("would-have {slot} {verdict}: {reason}"),
        Event::Suspended { code, report } => format!("suspended {code}: {}", report.reason),
        Event::Ended { code, verified, reason, .. } => {
            format!("ended {code}{}: {reason}", if *verified { " verified" } else { "" })
        }
    }
}
