//! All verdicts of one step, and what surrounds them.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Context, Result};
use countersign::engine::NoHistory;
use countersign::kernel::{Closed, Frame, Question, Slot, View};
use countersign::store::{encode_frame, genesis};
use countersign::{Host, Judges};

use super::policies::Judging;
use super::{Group, Line};
use crate::measure::Work;
use crate::subject::run::Running;
use crate::subject::{questions, session};

pub fn group(host: &Host) -> Result<Group> {
    let mut running = Running::start(host)?;
    let mut closed = Vec::new();
    for _ in 0..questions::CALLS {
        closed.extend(running.step()?);
    }
    let verdicts = Verdicts::of(host, &running, &closed)?;
    // The last two frames: those of a step in the middle of a run.
    let frames = closed[closed.len() - 2..].iter().map(|closed| closed.frame.clone()).collect();
    Ok(Group {
        title: "a step: confidence and risk on the reply, doom-loop on the observation",
        lines: vec![
            Line::new("its three verdicts", Box::new(verdicts)).below(3_000.0),
            Line::new("all its verdicts", Box::new(All::of(host, &running, &closed)?)),
            Line::new("verdicts, records and fold", Box::new(Stepping(running))),
            // Valgrind's processor has no SHA instructions: it would count another implementation.
            Line::new("encoding and hashing its two frames", Box::new(Encoding::new(frames))).uncounted(),
        ],
        differences: vec![("records and fold alone", 2, 1, None)],
    })
}

/// The verdicts alone: the questions are those that the run has put.
struct Verdicts([Judging; 3]);

impl Verdicts {
    fn of(host: &Host, running: &Running, closed: &[Closed]) -> Result<Self> {
        let view = Arc::new(running.run().view().clone());
        let judging = |slot| -> Result<Judging> {
            let asked = closed.iter().flat_map(|closed| &closed.questions).filter(|question| question.slot() == slot);
            let asked: Vec<Arc<Question>> = asked.map(Arc::clone).collect();
            Ok(Judging::seeing(session(host, slot)?, asked, Arc::clone(&view)))
        };
        Ok(Verdicts([judging(Slot::Confidence)?, judging(Slot::Risk)?, judging(Slot::DoomLoop)?]))
    }
}

impl Work for Verdicts {
    fn run(&mut self, count: usize) -> Result<()> {
        (0..count).try_for_each(|_| self.0.iter_mut().try_for_each(Judging::once))
    }
}

/// Every verdict that a step asks for, of every entry of the bundle.
struct All {
    judges: Judges,
    view: Arc<View>,
    /// The steps, each as the entries that are asked and what.
    steps: Vec<Vec<(usize, Arc<Question>)>>,
    next: usize,
}

impl All {
    fn of(host: &Host, running: &Running, closed: &[Closed]) -> Result<Self> {
        let entries = &running.run().manifest().entries;
        let position = |name: &str| entries.iter().position(|entry| *entry.name == *name).context("an unknown entry");
        let asked = |closed: &Closed| -> Result<Vec<_>> {
            let judgements = closed.questions.iter().zip(&closed.frame.judgements);
            judgements.map(|(question, judgement)| Ok((position(&judgement.entry)?, Arc::clone(question)))).collect()
        };
        let steps = closed
            .chunks(2)
            .map(|frames| -> Result<Vec<_>> { Ok(frames.iter().map(asked).collect::<Result<Vec<_>>>()?.concat()) });
        let view = Arc::new(running.run().view().clone());
        Ok(All { judges: host.open(running.run())?, view, steps: steps.collect::<Result<_>>()?, next: 0 })
    }
}

impl Work for All {
    fn run(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            for (entry, question) in &self.steps[self.next] {
                let session = self.judges.session(*entry).context("an entry of the run is not in the bundle")?;
                drop(black_box(session.judge(question, Arc::clone(&self.view) as Arc<_>, &mut NoHistory)));
            }
            self.next = (self.next + 1) % self.steps.len();
        }
        Ok(())
    }
}

/// The whole step: input, questions, verdicts, events, effects; nothing is stored.
struct Stepping(Running);

impl Work for Stepping {
    fn run(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            drop(black_box(self.0.step()?));
        }
        Ok(())
    }
}

/// What storing does before it writes.
struct Encoding {
    frames: Vec<Frame>,
    line: Vec<u8>,
    prev: String,
}

impl Encoding {
    fn new(frames: Vec<Frame>) -> Self {
        Encoding { frames, line: Vec::new(), prev: genesis("bench") }
    }
}

impl Work for Encoding {
    fn run(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            for frame in &self.frames {
                self.prev = encode_frame(&mut self.line, &self.prev, frame);
            }
        }
        Ok(())
    }
}
