//! What must hold of a policy whatever it is asked, checked by generated questions.
//!
//! [`of`] lists the laws of a slot: those of every policy, and those of the slot's own meaning, which stand in
//! [`crate::slots`]. A law
//! ends at the first question that breaks it. Everything follows from names and numbers: a second run
//! asks the very same.

mod every_policy;

use std::sync::Arc;

use anyhow::{Result, bail};
use countersign::engine::{NoHistory, Session};
use countersign::kernel::contract::view::RunView;
use countersign::kernel::{Answered, Judged, Question, Slot};

use crate::generate::{GeneratedView, Random};
use crate::subject::Subject;

/// A law.
#[derive(Clone, Copy)]
pub struct Law {
    /// What holds.
    pub name: &'static str,
    pub(crate) check: fn(&mut Trial<'_>, &mut Random) -> Result<()>,
}

/// How a law was kept.
#[derive(Debug)]
pub struct Kept {
    /// What broke it; none when it holds.
    pub broken: Option<String>,
    /// Most fuel of one call.
    pub most_fuel: u64,
}

impl Law {
    /// Tries so many cases on a policy.
    pub fn hold(&self, subject: &Subject, cases: u32) -> Kept {
        let mut random = Random::named(self.name);
        let mut trial = Trial { subject, session: None, most_fuel: 0 };
        let check = |trial: &mut Trial<'_>, random: &mut Random| (self.check)(trial, random);
        let broken = (0..cases).find_map(|case| {
            let broken = check(&mut trial, &mut random).err()?;
            Some(format!("{}: {}, case {case}: {broken:#}", subject.name(), self.name))
        });
        Kept { broken, most_fuel: trial.most_fuel }
    }
}

/// The laws of a slot.
pub fn of(slot: Slot) -> Vec<Law> {
    every_policy::LAWS.iter().chain(crate::slots::laws(slot)).copied().collect()
}

pub(crate) type View = Arc<dyn RunView + Send + Sync>;

/// A policy on trial.
pub(crate) struct Trial<'a> {
    pub(crate) subject: &'a Subject,
    /// The instance of a stateless policy: it is asked everything.
    session: Option<Session>,
    most_fuel: u64,
}

impl Trial<'_> {
    /// The answer to a question as the first of a run.
    pub(crate) fn judge(&mut self, question: &Question, view: &View) -> Result<Answered> {
        let mut session = match self.session.take() {
            Some(session) if self.subject.stateless() => session,
            _ => self.subject.open()?,
        };
        let judged = self.ask(&mut session, question, view)?;
        self.session = Some(session);
        Ok(judged.answer)
    }

    /// What an instance says. A policy that cannot decide breaks whatever law is on trial.
    pub(crate) fn ask(&mut self, session: &mut Session, question: &Question, view: &View) -> Result<Judged> {
        let outcome = session.judge(question, Arc::clone(view), &mut NoHistory);
        self.most_fuel = self.most_fuel.max(outcome.judged.fuel);
        if let Answered::Undecided(cause) = &outcome.judged.answer {
            let said = outcome.failure.unwrap_or_default();
            bail!("undecided, {cause} ({said}), asked {}", shown(question));
        }
        Ok(outcome.judged)
    }
}

/// A view that says anything or nothing.
pub(crate) fn view(random: &mut Random) -> View {
    Arc::new(GeneratedView(random.bits()))
}

/// A question for people.
fn shown(question: &Question) -> String {
    let text = serde_json::to_string(question).unwrap_or_default();
    let cut = text.floor_char_boundary(600);
    if cut < text.len() { format!("{}… ({} bytes)", &text[..cut], text.len()) } else { text }
}

/// The answer of the slot that was asked.
macro_rules! answered {
    ($trial:expr, $slot:ident, $question:expr, $view:expr) => {{
        let question = countersign::kernel::Question::$slot($question);
        match $trial.judge(&question, $view)? {
            countersign::kernel::Answered::$slot(answer) => answer,
            other => anyhow::bail!("an answer of another slot: {other:?}"),
        }
    }};
}
pub(crate) use answered;
