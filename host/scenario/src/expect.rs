//! What a scenario expects, and events in one line each.

use std::collections::BTreeMap;
use std::path::Path;

use countersign_kernel::contract::threshold::{Decision, Trigger};
use countersign_kernel::contract::{Dimension, Verdict};
use countersign_kernel::{Answered, Code, Event, Frame, Run, Slot, Status};
use countersign_store::{RegisterName, RunStore};
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
    /// How often event lines with this part come.
    #[serde(default)]
    pub times: BTreeMap<String, Range>,
    /// What the tools left behind, by path; below `operator/` what people and memory got, below `register/` what the
    /// store's registers hold, such as an agent's health in `register/health/AGENT`.
    #[serde(default)]
    pub files: BTreeMap<String, FileExpectation>,
    /// What was used, by dimension.
    #[serde(default)]
    pub spent: BTreeMap<Dimension, Range>,
    /// The run's own time at its end, in whole seconds.
    pub second: Option<u64>,
    /// The evaluator stops the run: by which trigger, and when.
    pub held: Option<HeldExpectation>,
    /// With several runs: the last needs fewer steps and fewer escalations than the first.
    #[serde(default)]
    pub converges: bool,
}

/// When and why the evaluator stops the run.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HeldExpectation {
    /// The trigger that the evaluator names.
    pub trigger: Trigger,
    /// The run's own time then, in whole seconds.
    pub second: u64,
}

/// At least and at most.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Range {
    /// At least.
    pub least: Option<u64>,
    /// At most.
    pub most: Option<u64>,
}

impl Range {
    fn problem(&self, found: u64) -> Option<String> {
        if let Some(least) = self.least.filter(|least| found < *least) {
            return Some(format!("expected at least {least}, found {found}"));
        }
        self.most.filter(|most| found > *most).map(|most| format!("expected at most {most}, found {found}"))
    }
}

/// What is in a file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FileExpectation {
    /// It is not there.
    #[serde(default)]
    pub absent: bool,
    /// Lines.
    pub lines: Option<u64>,
    /// A part of it.
    pub contains: Option<String>,
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
    times: BTreeMap<String, (Range, u64)>,
    shows: BTreeMap<String, (String, bool)>,
    verified: Option<bool>,
    /// Why and when the evaluator first stopped the run, in milliseconds of its own time.
    pub held: Option<(Option<Trigger>, u64)>,
    /// Of the last frame.
    at: u64,
}

impl Matching {
    pub fn new(expectations: &Expectations, shows: &BTreeMap<String, String>) -> Self {
        Matching {
            times: expectations.times.iter().map(|(part, range)| (part.clone(), (*range, 0))).collect(),
            shows: shows.iter().map(|(id, part)| (id.clone(), (part.clone(), false))).collect(),
            events: expectations.events.clone(),
            next: 0,
            never: expectations.never.clone(),
            seen: Vec::new(),
            verified: None,
            held: None,
            at: 0,
        }
    }

    pub fn frame(&mut self, frame: &Frame) {
        for line in describe(frame) {
            if self.events.get(self.next).is_some_and(|wanted| line.contains(wanted)) {
                self.next += 1;
            }
            for (part, (_, times)) in &mut self.times {
                *times += u64::from(line.contains(part.as_str()));
            }
            for (part, shown) in self.shows.values_mut() {
                *shown |= line.contains(part.as_str());
            }
            if let Some(found) = self.never.iter().find(|unwanted| line.contains(*unwanted)) {
                self.seen.push(format!("expected no `{found}`, frame {}: {line}", frame.frame));
            }
        }
        self.at = frame.at;
        for event in &frame.events {
            match event {
                Event::Ended { verified, .. } => self.verified = Some(*verified),
                // After an action it is held; before one a person is asked.
                Event::Verdict { slot: Slot::Threshold, verdict, .. } if *verdict >= Verdict::Ask => {
                    self.held = self.held.or(Some((trigger_of(frame), frame.at)));
                }
                _ => {}
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
        if let Some(second) = expectations.second.filter(|second| *second != self.at / 1000) {
            unmet.push(format!("expected the run to be over at second {second}, it was at {}", self.at / 1000));
        }
        if let Some(wanted) = expectations.held {
            let found = self.held.map(|(trigger, at)| (trigger, at / 1000));
            if found != Some((Some(wanted.trigger), wanted.second)) {
                let found = match found {
                    Some((Some(trigger), second)) => format!("it was by {trigger} at second {second}"),
                    Some((None, second)) => format!("it was undecided at second {second}"),
                    None => "it was not".to_owned(),
                };
                let HeldExpectation { trigger, second } = wanted;
                unmet.push(format!("expected the run to be held by {trigger} at second {second}, {found}"));
            }
        }
        for (part, (range, times)) in &self.times {
            unmet.extend(range.problem(*times).map(|problem| format!("`{part}`: {problem}")));
        }
        for (id, (part, shown)) in &self.shows {
            if !shown {
                unmet.push(format!("{id} is to be shown by `{part}`; it did not happen"));
            }
        }
        // What comes after the first that is missing says nothing new.
        if let Some(missing) = self.events.get(self.next) {
            unmet.push(format!("expected `{missing}` to happen next; it did not"));
        }
        unmet
    }
}

/// The first trigger that a frame's judgements name.
fn trigger_of(frame: &Frame) -> Option<Trigger> {
    let triggers = frame.judgements.iter().filter_map(|judgement| match &judgement.answer {
        Answered::Threshold(assessment) => match assessment.decision {
            Decision::Escalate(trigger) => Some(trigger),
            Decision::Continue => None,
        },
        _ => None,
    });
    triggers.min()
}

/// What a run leaves behind.
pub(super) struct Left<'a> {
    pub workspace: &'a Path,
    pub operator: &'a Path,
    pub store: &'a dyn RunStore,
}

impl Left<'_> {
    /// What an expectation of this name is held against; none where there is nothing.
    fn text(&self, name: &str) -> Option<String> {
        let path = match (name.strip_prefix("operator/"), name.strip_prefix("register/")) {
            (Some(name), _) => self.operator.join(name),
            (None, Some(name)) => {
                let name = RegisterName::of(&name.split('/').collect::<Vec<_>>()).ok()?;
                return String::from_utf8(self.store.register(&name).ok()??.value).ok();
            }
            (None, None) => self.workspace.join(name),
        };
        std::fs::read_to_string(path).ok()
    }
}

/// What the run used and left behind, against what was expected.
pub(super) fn unmet_after(expectations: &Expectations, run: &Run, left: &Left<'_>) -> Vec<String> {
    let mut unmet = Vec::new();
    for (dimension, range) in &expectations.spent {
        let used = run.view().budget(*dimension).used;
        unmet.extend(range.problem(used).map(|problem| format!("{dimension}: {problem}")));
    }
    for (name, expected) in &expectations.files {
        let text = left.text(name);
        let problem = match (&text, expected.absent) {
            (Some(text), true) => Some(format!("expected nothing, found {} lines", text.lines().count())),
            (None, true) => None,
            (None, false) => Some("it is not there".to_owned()),
            (Some(text), false) => {
                let lines = text.lines().count() as u64;
                let wrong_lines = expected.lines.filter(|wanted| *wanted != lines);
                let lacking = expected.contains.as_ref().filter(|part| !text.contains(part.as_str()));
                wrong_lines
                    .map(|wanted| format!("expected {wanted} lines, found {lines}"))
                    .or_else(|| lacking.map(|part| format!("expected `{part}` in it")))
            }
        };
        unmet.extend(problem.map(|problem| format!("file `{name}`: {problem}")));
    }
    unmet
}

/// What shows that it went so, in the words of what was expected: files, what was spent.
pub(super) fn evidence(expectations: &Expectations, run: &Run, left: &Left<'_>) -> Vec<String> {
    let mut evidence = Vec::new();
    for (name, expected) in &expectations.files {
        let text = left.text(name);
        let name = name.strip_prefix("operator/").or_else(|| name.strip_prefix("register/")).unwrap_or(name);
        evidence.push(match text {
            None => format!("no {name}"),
            Some(text) => match (text.lines().count(), &expected.contains) {
                // Of a single line its words say more than its number.
                (1, Some(part)) if text.contains(part.as_str()) => format!("{name}: {part}"),
                (1, _) => format!("{name}: 1 line"),
                (lines, _) => format!("{name}: {lines} lines"),
            },
        });
    }
    for dimension in expectations.spent.keys() {
        evidence.push(format!("{dimension}: {}", run.view().budget(*dimension).used));
    }
    evidence
}

/// What a frame tells, one line an event: for expectations and for people.
pub fn describe(frame: &Frame) -> Vec<String> {
    let undecided = frame.judgements.iter().filter_map(|judgement| match &judgement.answer {
        Answered::Undecided(cause) => Some(format!("undecided {} {}", judgement.entry, cause.name())),
        _ => None,
    });
    undecided.chain(frame.events.iter().map(super::describe::line)).collect()
}
