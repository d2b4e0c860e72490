//! All verdicts of one step, and what surrounds them.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::Result;
use countersign::Host;
use countersign::kernel::{Frame, Question, Slot};
use countersign::store::{encode_frame, genesis};

use super::policies::Judging;
use super::{Group, Line};
use crate::measure::Work;
use crate::subject::run::Running;
use crate::subject::{questions, session};

pub fn group(host: &Host) -> Result<Group> {
    let mut running = Running::start(host)?;
    let mut frames = Vec::new();
    for _ in 0..questions::CALLS {
        frames.extend(running.step()?);
    }
    let verdicts = Verdicts::of(host, &running, &frames)?;
    // The last two frames: those of a step in the middle of a run.
    let frames = frames.split_off(frames.len() - 2);
    Ok(Group {
        title: "a step: confidence and risk on the reply, doom-loop on the observation",
        lines: vec![
            Line::new("its three verdicts", Box::new(verdicts)).below(3_000.0),
            Line::new("verdicts, records and fold", Box::new(Stepping(running))),
            // Valgrind's processor has no SHA instructions: it would count another implementation.
            Line::new("encoding and hashing its two frames", Box::new(Encoding::new(frames))).uncounted(),
        ],
        differences: vec![("records and fold alone", 1, 0, None)],
    })
}

/// The verdicts alone: the questions are those that the run has put.
struct Verdicts([Judging; 3]);

impl Verdicts {
    fn of(host: &Host, running: &Running, frames: &[Frame]) -> Result<Self> {
        let view = Arc::new(running.run().view().clone());
        let judging = |slot| -> Result<Judging> {
            let judgements = frames.iter().flat_map(|frame| &frame.judgements);
            let asked = judgements.map(|judgement| &judgement.question).filter(|question| question.slot() == slot);
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
