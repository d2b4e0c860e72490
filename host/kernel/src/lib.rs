//! The step loop as a pure fold.
//!
//! [`Run`] takes one recorded [`Input`], asks for the judgements it needs, and closes a [`Frame`]:
//! the input, the judgements and the events they caused, together with the [`Effect`]s that may
//! start once the frame is durable. No I/O, no clock, no randomness, no policy is called from here.
//! The same inputs and answers give the same frames: resuming, replaying and backtesting a run are
//! this one mechanism.
//!
//! ```text
//! accept(input) → request() … answer(judged) → close() → frame, effects
//! ```

mod record;
mod run;
/// What a verdict leads to, as a table.
pub mod consequence {
    pub use crate::run::{Asked, CONSEQUENCES, Consequence, Driving, HOLDING, Row, consequence, severities, verdicts};
}

/// When the host itself wants a person to approve a call.
pub mod host_asks {
    pub use crate::run::{Envelope, HostAsks, approval_rule, host_asks};
}

pub use countersign_contract as contract;
pub use countersign_contract::{Answered, Cause, Judged, Judgement, Question, Slot};
pub use record::effect::{Effect, ModelRequest, Purpose};
pub use record::event::{Event, IncompleteKind, Move, Response, Stage, Support};
pub use record::frame::Frame;
pub use record::given::StandingError;
pub use record::grounding;
pub use record::input::{
    Action, Alarm, Decision, Input, Observation, Outcome, Reply, StepReply, StepStatus, Touched, Unavailability, Usage,
    Verification, Wrapping,
};
pub use record::packet::{Approval, Packet, Report, Wanted};
pub use record::standing::{Covers, StandingApproval};
pub use record::status::{Code, Status};
pub use record::told;
pub use run::{
    CallDecision, Closed, FoldError, Hold, InputError, Recorded, Request, Run, Sampled, View, Withheld, WouldHave,
};
