//! Which policy looks at which field: it is asked what was asked, and the same with another value there.
//! Where the answer differs, or the fuel although the value has kept its form, it has looked.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Result;
use countersign::engine::{NoHistory, Session};
use countersign::kernel::contract::view::{Answer, Query, Read, RunView};
use countersign::kernel::{Answered, Judged, Judgement, Question};
use countersign_tests::subject::Subject;
use serde_json::{Map, Value};

use super::contract::Field;
use super::fields::{Change, changed, changes, filled};
use super::material::{Material, Watched};

/// The fields that a policy looks at.
pub fn looked_at(subject: &Subject, material: &Material, fields: &[Field]) -> Result<BTreeSet<String>> {
    let runs: Vec<Vec<Asked>> = material.all().map(|run| asked(subject, run)).filter(|run| !run.is_empty()).collect();
    let mut found = BTreeSet::new();
    let distinct = distinct(&runs);
    let says = |asked: &Asked, field: &Field| filled(&asked.record, field).1 > 0;
    for field in fields {
        let looks = if subject.stateless() {
            looks_once(subject, &telling_first(&distinct, |asked| says(asked, field)), field)?
        } else {
            let runs: Vec<&Vec<Asked>> = runs.iter().collect();
            looks_in_runs(subject, &telling_first(&runs, |run| run.iter().any(|asked| says(asked, field))), field)?
        };
        if looks {
            found.insert(field.name());
        }
    }
    Ok(found)
}

/// A question as it was asked.
#[derive(Debug, Clone)]
struct Asked {
    record: Value,
    view: Arc<Recorded>,
}

impl Asked {
    fn question(&self, subject: &Subject) -> Option<Question> {
        question(subject, &self.record)
    }
}

/// What a run of the policy was asked.
fn asked(subject: &Subject, run: &Watched) -> Vec<Asked> {
    let own = |(_, judgement): &&(Arc<Question>, Judgement)| {
        *judgement.entry == *subject.name() && judgement.slot == subject.slot()
    };
    let record = |(question, judgement): &(Arc<Question>, Judgement)| {
        let Ok(Value::Object(map)) = serde_json::to_value(&**question) else { return None };
        let (_, record) = map.into_iter().next()?;
        Some(Asked { record, view: Arc::new(Recorded(judgement.reads.clone())) })
    };
    run.judgements.iter().filter(own).filter_map(record).collect()
}

fn question(subject: &Subject, record: &Value) -> Option<Question> {
    let tagged = Map::from_iter([(subject.slot().name().to_owned(), record.clone())]);
    serde_json::from_value(Value::Object(tagged)).ok()
}

/// Each question once.
fn distinct(runs: &[Vec<Asked>]) -> Vec<&Asked> {
    let mut seen = BTreeSet::new();
    runs.iter().flatten().filter(|asked| seen.insert(asked.record.to_string())).collect()
}

/// All of them, for a policy may look at something in one run of hundreds; those first in which something
/// stands that matters, and of them those from all over, since what lies side by side is alike.
fn telling_first<T: Copy>(items: &[T], matters: impl Fn(T) -> bool) -> Vec<T> {
    const STRIDE: usize = 16;
    let spread = |items: &[T]| -> Vec<T> {
        (0..STRIDE).flat_map(|start| items.iter().copied().skip(start).step_by(STRIDE)).collect()
    };
    let (telling, others): (Vec<T>, Vec<T>) = items.iter().copied().partition(|item| matters(*item));
    [spread(&telling), spread(&others)].concat()
}

/// A policy that keeps nothing: each question by itself, between two of the unchanged one.
fn looks_once(subject: &Subject, questions: &[&Asked], field: &Field) -> Result<bool> {
    let mut session = subject.open()?;
    for (number, asked) in questions.iter().enumerate() {
        let Some(unchanged) = asked.question(subject) else { continue };
        for change in changes(&field.kind) {
            let Some(record) = changed(&asked.record, field, change, number as u64) else { continue };
            let Some(other) = question(subject, &record) else { continue };
            let mut judge = |question: &Question| judge(&mut session, question, &asked.view);
            let (Some(before), Some(changed), Some(after)) = (judge(&unchanged), judge(&other), judge(&unchanged))
            else {
                // A change that no host would make: the policy's answer no longer fits.
                session = subject.open()?;
                continue;
            };
            // The allocator may do something for the first time.
            let settled = before.fuel == after.fuel;
            if differs(&before, &changed, change, settled) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// A policy that keeps something: whole runs, with the field changed in every step.
fn looks_in_runs(subject: &Subject, runs: &[&Vec<Asked>], field: &Field) -> Result<bool> {
    for run in runs {
        for change in changes(&field.kind) {
            let (mut one, mut other) = (subject.open()?, subject.open()?);
            for (number, asked) in run.iter().enumerate() {
                let Some(unchanged) = asked.question(subject) else { break };
                let record = changed(&asked.record, field, change, number as u64);
                let Some(question) = record.map_or(Some(unchanged.clone()), |record| question(subject, &record)) else {
                    break;
                };
                let before = judge(&mut one, &unchanged, &asked.view);
                let (Some(before), Some(changed)) = (before, judge(&mut other, &question, &asked.view)) else { break };
                if differs(&before, &changed, change, true) {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

fn differs(before: &Judged, changed: &Judged, change: Change, settled: bool) -> bool {
    before.answer != changed.answer || (change.keeps_form && settled && before.fuel != changed.fuel)
}

/// None where it could not decide.
fn judge(session: &mut Session, question: &Question, view: &Arc<Recorded>) -> Option<Judged> {
    let judged = session.judge(question, Arc::clone(view) as Arc<dyn RunView + Send + Sync>, &mut NoHistory).judged;
    (!matches!(judged.answer, Answered::Undecided(_))).then_some(judged)
}

/// What was read then, and nothing else.
#[derive(Debug)]
struct Recorded(Vec<Read>);

impl RunView for Recorded {
    fn read(&self, query: &Query) -> Option<Answer> {
        let read = self.0.iter().find(|read| read.query == *query).map(|read| read.answer.clone());
        Some(read.unwrap_or(match query {
            Query::Goal => Answer::Goal(None),
            Query::StepIndex => Answer::StepIndex(None),
            Query::Phase => Answer::Phase(None),
            Query::Budget(_) => Answer::Budget(None),
            Query::RecentSteps(_) => Answer::RecentSteps(None),
            Query::Fact(_) => Answer::Fact(None),
            Query::Boundary => Answer::Boundary(None),
        }))
    }
}
