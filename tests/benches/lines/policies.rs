//! One verdict of each default policy: the native struct, and the component that is built from it.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Result, bail};
use countersign::Host;
use countersign::engine::{NoHistory, Session};
use countersign::kernel::{Question, Run, Slot, View};

use super::{Group, Line};
use crate::measure::Work;
use crate::subject::{native, questions, run, session};

pub fn groups(host: &Host) -> Result<Vec<Group>> {
    let group = |title, native, component| Group {
        title,
        lines: vec![Line::new("native call", native), Line::new("component call", component).beside(0)],
        differences: Vec::new(),
    };
    let component = |slot, questions| -> Result<Box<dyn Work>> { Ok(Box::new(Judging::new(host, slot, questions)?)) };
    let one = |question| vec![question];
    let action = questions::action(questions::BLAST_RADIUS);
    Ok(vec![
        group(
            "classifier, once a run",
            native::classifier(host)?,
            component(Slot::Classifier, one(Question::Classifier(questions::task())))?,
        ),
        group(
            "confidence, two signals",
            native::confidence(host)?,
            component(Slot::Confidence, one(Question::Confidence(questions::answer())))?,
        ),
        group("doom-loop, its memory full", native::doom_loop(host)?, component(Slot::DoomLoop, questions::steps())?),
        group(
            "estimator, every dimension",
            native::estimator(host)?,
            component(Slot::Estimator, one(Question::Estimator(questions::progress())))?,
        ),
        group("risk, one scalar read", native::risk(host)?, component(Slot::Risk, one(Question::Risk(action)))?),
    ])
}

/// Puts questions to an open policy, in turn.
pub struct Judging {
    session: Session,
    questions: Vec<Arc<Question>>,
    next: usize,
    view: Arc<View>,
}

impl Judging {
    pub fn new(host: &Host, slot: Slot, questions: Vec<Question>) -> Result<Self> {
        let run = Run::open(Arc::new(run::manifest(host, true)?))?;
        let view = Arc::new(run.view().clone());
        Ok(Self::seeing(session(host, slot)?, questions.into_iter().map(Arc::new).collect(), view))
    }

    pub fn seeing(session: Session, questions: Vec<Arc<Question>>, view: Arc<View>) -> Self {
        Judging { session, questions, next: 0, view }
    }

    pub fn once(&mut self) -> Result<()> {
        let question = &self.questions[self.next];
        self.next = (self.next + 1) % self.questions.len();
        let view = Arc::clone(&self.view);
        let outcome = self.session.judge(question, view, &mut NoHistory);
        if let Some(failure) = &outcome.failure {
            bail!("{failure}");
        }
        drop(black_box(outcome));
        Ok(())
    }
}

impl Work for Judging {
    fn run(&mut self, count: usize) -> Result<()> {
        (0..count).try_for_each(|_| self.once())
    }
}
