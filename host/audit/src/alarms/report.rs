//! What is counted of false alarms.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::recording::{NotRead, Readout};

/// Most bytes of an example's arguments and reason.
const EXAMPLE: usize = 240;
/// Most kinds of reasons that are told apart; more count as the last one.
const REASONS: usize = 4096;

/// What recorded runs that went well would have met behind the gateway.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// Digest of the bundle's lock.
    pub bundle: String,
    /// The recordings in their order: which form each has, and what was left out.
    pub recordings: Vec<Readout>,
    /// Files that are no recordings that can be read, and were left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_read: Vec<NotRead>,
    /// Figures of all of them.
    pub all: Figures,
    /// The same by recording, in their order.
    pub by_recording: Vec<Figures>,
    /// Why, most frequent first.
    pub reasons: Vec<Reason>,
}

/// How many runs and calls.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Figures {
    /// Runs that were judged: those that went well, and those of a recording that says of none how it went.
    pub runs: u64,
    /// Of these, runs of which nobody says how they went.
    pub unsaid: u64,
    /// Runs that are not judged, since their recording says of others how they went, and of these nothing.
    pub unlabelled: u64,
    /// Runs that are not judged, since they did not go well.
    pub went_badly: u64,
    /// Runs that are not judged, since somebody attacked them.
    pub attacked: u64,
    /// Runs that would have been stopped: suspended, ended, or told to call nothing more.
    pub stopped: u64,
    /// Runs in which anything was stopped, held, refused or withheld, but for what is asked for every call of a tool.
    pub disturbed: u64,
    /// Calls that were judged.
    pub calls: u64,
    /// Calls after a stop, which were not judged.
    pub not_reached: u64,
    /// Calls that would have waited for a person, whoever asks.
    pub held: u64,
    /// Of these, calls that a policy asks about, or a rule that looks at more than the kind of the tool.
    pub held_by_policies: u64,
    /// Calls that would have been refused.
    pub refused: u64,
    /// Results of which something would have been withheld.
    pub withheld: u64,
}

/// What a call or a run met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Met {
    /// The run goes no further.
    Stopped,
    /// A person is asked.
    Held,
    /// The call is not made.
    Refused,
    /// Something of the result is not shown.
    Withheld,
}

impl Met {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Met::Stopped => "stopped",
            Met::Held => "held",
            Met::Refused => "refused",
            Met::Withheld => "withheld",
        }
    }
}

/// A reason, with numbers and names left out.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Reason {
    /// What was done.
    pub met: Met,
    /// Who wanted it: a slot, a stage of the pipeline, a rule of the host.
    pub by: String,
    /// Why: numbers are `N`, what stood in backticks is `…`.
    pub reason: String,
    /// How often.
    pub times: u64,
    /// In how many runs.
    pub runs: u64,
    /// The first time.
    pub example: Example,
}

/// One time of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Example {
    /// The recording: its file's name, and as much of its path as tells it from the others.
    pub recording: String,
    /// Position of the run in it, from 0.
    pub run: u64,
    /// Which call of the run, from 1.
    pub call: u64,
    /// The tool.
    pub tool: String,
    /// Its arguments, cut.
    pub arguments: String,
    /// Why, in full.
    pub reason: String,
}

impl Example {
    /// Cut to what people read.
    pub fn new(recording: &str, run: u64, call: u64, tool: &str, arguments: &str) -> Self {
        let (recording, tool) = (recording.to_owned(), tool.to_owned());
        Example { recording, run, call, tool, arguments: cut(arguments), reason: String::new() }
    }
}

/// Counts as runs are judged.
#[derive(Debug, Default)]
pub struct Counts {
    pub figures: Figures,
    reasons: BTreeMap<(Met, String, String), Counted>,
}

#[derive(Debug)]
struct Counted {
    times: u64,
    runs: BTreeSet<(String, u64)>,
    example: Example,
}

impl Counts {
    /// Somebody wanted something done.
    pub fn note(&mut self, met: Met, by: &str, reason: &str, example: &Example) {
        let mut key = (met, by.to_owned(), general(reason));
        if self.reasons.len() >= REASONS && !self.reasons.contains_key(&key) {
            key.2 = "other".to_owned();
        }
        let counted = self.reasons.entry(key).or_insert_with(|| {
            let example = Example { reason: cut(reason), ..example.clone() };
            Counted { times: 0, runs: BTreeSet::new(), example }
        });
        counted.times += 1;
        counted.runs.insert((example.recording.clone(), example.run));
    }

    /// The reasons, most frequent first.
    pub fn reasons(self) -> Vec<Reason> {
        let reason = |((met, by, reason), counted): ((Met, String, String), Counted)| {
            let (times, runs, example) = (counted.times, counted.runs.len() as u64, counted.example);
            Reason { met, by, reason, times, runs, example }
        };
        let mut reasons: Vec<Reason> = self.reasons.into_iter().map(reason).collect();
        reasons.sort_by(|a, b| (a.met != Met::Stopped).cmp(&(b.met != Met::Stopped)).then(b.times.cmp(&a.times)));
        reasons
    }
}

impl Figures {
    /// Takes in the figures of another recording.
    pub fn add(&mut self, other: &Figures) {
        self.runs += other.runs;
        self.unsaid += other.unsaid;
        self.unlabelled += other.unlabelled;
        self.went_badly += other.went_badly;
        self.attacked += other.attacked;
        self.stopped += other.stopped;
        self.disturbed += other.disturbed;
        self.calls += other.calls;
        self.not_reached += other.not_reached;
        self.held += other.held;
        self.held_by_policies += other.held_by_policies;
        self.refused += other.refused;
        self.withheld += other.withheld;
    }
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(EXAMPLE)].to_owned()
}

/// A reason without what differs from call to call.
fn general(reason: &str) -> String {
    let mut out = String::new();
    for (at, part) in cut(reason).split('`').enumerate() {
        if at % 2 == 1 {
            out.push_str("`…`");
            continue;
        }
        let mut digits = false;
        for c in part.chars() {
            let digit = c.is_ascii_digit() || digits && c == '.';
            if digit && !digits {
                out.push('N');
            }
            if !digit {
                out.push(c);
            }
            digits = digit;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn reasons_are_told_apart_by_what_they_say() {
        let table = [
            ("`get_user` needs approval by its kind", "`…` needs approval by its kind"),
            ("value 0.63 is below 0.75", "value N is below N"),
            ("called 3 times in a row", "called N times in a row"),
            ("", ""),
        ];
        for (reason, expected) in table {
            assert_eq!(super::general(reason), expected);
        }
    }
}
