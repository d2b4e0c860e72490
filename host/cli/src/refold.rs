//! What frames of a trace do not hold and the fold makes again.

use std::sync::Arc;

use countersign::kernel::{Closed, Run};
use countersign::store::Stored;

/// Folds a trace line by line, for the questions that its judgements answer.
#[derive(Default)]
pub enum Refold {
    #[default]
    Nothing,
    Run(Box<Run>),
    /// Why it goes no further.
    Lost(String),
}

impl Refold {
    /// The next line of the trace; none for the manifest.
    pub fn take(&mut self, stored: &Stored) -> Option<Result<Closed, String>> {
        let frame = match stored {
            Stored::Manifest(manifest) => {
                *self = match Run::open(Arc::new(manifest.clone())) {
                    Ok(run) => Refold::Run(Box::new(run)),
                    Err(error) => {
                        Refold::Lost(format!("the questions, which this release does not make again: {error}"))
                    }
                };
                return None;
            }
            Stored::Frame(frame) => frame,
        };
        let problem = match self {
            Refold::Run(run) => match run.fold(frame) {
                Ok(closed) => return Some(Ok(closed)),
                Err(error) => format!("the questions, since frame {} does not follow: {error}", frame.frame),
            },
            Refold::Lost(problem) => return Some(Err(problem.clone())),
            Refold::Nothing => return None,
        };
        *self = Refold::Lost(problem.clone());
        Some(Err(problem))
    }
}
