//! What the slots are told: for each field who fills it and who looks at it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::Result;
use countersign::Host;
use countersign::kernel::Slot;
use countersign_tests::subject::Subject;
use serde_json::Value;

use super::contract::{Contract, Field};
use super::experiment::looked_at;
use super::fields::filled;
use super::justified::JUSTIFIED;
use super::material::{Material, Watched, reading};

/// Of the view of a run, beside the slots.
const RUN: &str = "run";

pub struct Inputs {
    rows: Vec<Row>,
}

struct Row {
    /// The slot, or the view of a run.
    of: String,
    field: String,
    /// By the loop, by an agent's own loop, by the gateway.
    filled: [Filled; 3],
    /// The default policies that look at it.
    read_by: BTreeSet<String>,
    /// No default policy is asked: nobody can be told of it.
    unserved: bool,
}

/// How often a field is there, and how often with something in it.
#[derive(Debug, Clone, Copy, Default)]
struct Filled {
    asked: bool,
    there: u64,
    says: u64,
}

impl Filled {
    fn word(self) -> &'static str {
        match self {
            Filled { asked: false, .. } => "–",
            Filled { says: 0, .. } => "never",
            Filled { there, says, .. } if says == there => "always",
            Filled { there, says, .. } if says * 10 >= there => "often",
            _ => "rarely",
        }
    }
}

impl Row {
    fn why(&self) -> Option<&'static str> {
        let found = JUSTIFIED.iter().find(|(of, field, _)| *of == self.of && *field == self.field);
        found.map(|(_, _, why)| *why)
    }

    fn is_used(&self) -> bool {
        self.unserved || (self.filled.iter().any(|filled| filled.says > 0) && !self.read_by.is_empty())
    }
}

impl Inputs {
    pub fn find(host: &Host, contract: &Contract, material: &Material) -> Result<Self> {
        let subjects = Subject::all(host);
        let drivers = [&material.loops, &material.own_loops, &material.gateway];
        let mut rows = Vec::new();
        for slot in Slot::ALL {
            let fields = contract.fields(slot)?;
            let served: Vec<&Subject> = subjects.iter().filter(|subject| subject.slot() == slot).collect();
            let mut read_by: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for subject in &served {
                for field in looked_at(subject, material, &fields)? {
                    // Who looks into a record has looked whether it is there.
                    let outer = field.match_indices('.').map(|(at, _)| field[..at].to_owned()).collect::<Vec<_>>();
                    for field in outer.into_iter().chain([field]) {
                        read_by.entry(field).or_default().insert(subject.name().to_owned());
                    }
                }
            }
            rows.extend(fields.iter().map(|field| Row {
                of: slot.name().to_owned(),
                field: field.name(),
                filled: drivers.map(|runs| filled_by(runs, slot, field)),
                read_by: read_by.remove(&field.name()).unwrap_or_default(),
                unserved: served.is_empty(),
            }));
        }
        let readers = readers(material);
        rows.extend(contract.readings()?.into_iter().map(|field| Row {
            of: RUN.to_owned(),
            filled: drivers.map(|runs| said_by(runs, &field)),
            read_by: readers.get(field.as_str()).cloned().unwrap_or_default(),
            unserved: false,
            field,
        }));
        Ok(Inputs { rows })
    }

    pub fn table(&self) -> String {
        let mut table = String::from(
            "| of | field | loop | own loop | gateway | read by | why it stays |\n|---|---|---|---|---|---|---|\n",
        );
        for row in &self.rows {
            let [host, own, gateway] = row.filled.map(Filled::word);
            let read_by = row.read_by.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let read_by = if read_by.is_empty() { "–" } else { &read_by };
            // Writing to a text cannot fail.
            let _ = writeln!(
                table,
                "| `{}` | `{}` | {host} | {own} | {gateway} | {read_by} | {} |",
                row.of,
                row.field,
                row.why().unwrap_or_default()
            );
        }
        table
    }

    /// What nobody fills or nobody reads without a word why it is there, and words that are no longer
    /// needed.
    pub fn open(&self) -> Vec<String> {
        let mut open = Vec::new();
        for row in &self.rows {
            let says: u64 = row.filled.iter().map(|filled| filled.says).sum();
            match (row.is_used(), row.why()) {
                (false, None) if says == 0 => open.push(format!("{}.{}: nobody fills it", row.of, row.field)),
                (false, None) => open.push(format!("{}.{}: no default policy reads it", row.of, row.field)),
                (true, Some(_)) if !row.unserved => {
                    open.push(format!("{}.{}: it is filled and read; take it out there", row.of, row.field));
                }
                _ => {}
            }
        }
        let known = |of: &str, field: &str| self.rows.iter().any(|row| row.of == of && row.field == field);
        let unknown = JUSTIFIED.iter().filter(|(of, field, _)| !known(of, field));
        open.extend(unknown.map(|(of, field, _)| format!("{of}.{field}: there is no such field")));
        open
    }
}

/// How often runs fill a field of a slot's questions.
fn filled_by(runs: &[Watched], slot: Slot, field: &Field) -> Filled {
    let mut counts = Filled::default();
    for (question, judgement) in runs.iter().flat_map(|run| &run.judgements) {
        if judgement.slot != slot {
            continue;
        }
        counts.asked = true;
        let Ok(Value::Object(map)) = serde_json::to_value(&**question) else { continue };
        for record in map.values() {
            let (there, says) = filled(record, field);
            counts.there += there;
            counts.says += says;
        }
    }
    counts
}

/// In how many frames runs say something to a reading.
fn said_by(runs: &[Watched], field: &str) -> Filled {
    let frames = runs.iter().map(|run| run.frames).sum();
    let says = runs.iter().map(|run| run.said.get(field).copied().unwrap_or(0)).sum();
    Filled { asked: frames > 0, there: frames, says }
}

/// Who has read what of a run.
fn readers(material: &Material) -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut readers: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for (_, judgement) in material.all().flat_map(|run| &run.judgements) {
        for read in &judgement.reads {
            readers.entry(reading(&read.query)).or_default().insert(judgement.entry.to_string());
        }
    }
    readers
}
