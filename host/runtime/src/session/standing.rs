use std::sync::Arc;

use countersign_kernel::{Code, Event, Hold, Report, Status};

/// Where a run stands that takes no proposals.
#[derive(Debug, Clone, PartialEq)]
pub struct Stop {
    /// Suspended or ended, with which code.
    pub code: Code,
    /// It is over; else a person can let it go on.
    pub ended: bool,
    /// Why.
    pub reason: String,
    /// What the person is told who can let it go on.
    pub report: Option<Box<Report>>,
}

impl Stop {
    /// What an event says of it.
    pub(super) fn of(event: &Event) -> Option<Self> {
        match event {
            Event::Suspended { code, report } => {
                let (reason, report) = (report.reason.clone(), Some(Box::new(report.clone())));
                Some(Stop { code: *code, ended: false, reason, report })
            }
            Event::Ended { code, reason, .. } => {
                Some(Stop { code: *code, ended: true, reason: reason.clone(), report: None })
            }
            _ => None,
        }
    }
}

/// How a run stands after an observation.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// What the agent should be told with the result: it goes in circles, and how.
    pub notice: Option<Arc<str>>,
    /// Set where nothing more is forwarded before the agent has reported.
    pub hold: Option<Hold>,
    /// Running, suspended or ended.
    pub status: Status,
    /// Set where the run takes no proposals any more.
    pub stop: Option<Stop>,
}
