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

pub mod budget;
pub mod contract;
mod effect;
mod event;
mod frame;
pub mod grounding;
mod input;
mod judgement;
mod manifest;
mod packet;
mod run;
mod status;

pub use effect::{Effect, ModelRequest, Purpose};
pub use event::Event;
pub use frame::Frame;
pub use input::{Action, Input, Observation, Outcome, Reply, StepReply, StepStatus, Usage, Verification, Verifier};
pub use judgement::{Answered, Cause, Judged, Judgement, Question, Slot};
pub use manifest::{
    Boundary, Criterion, EntryPin, EscalationRules, Goal, Manifest, ManifestError, Mode, Model, PolicyMode, SlotPin,
    Source, Tool,
};
pub use packet::{Approval, Packet, Report};
pub use run::{Closed, FoldError, InputError, Request, Run, View};
pub use status::{Code, Status};

/// Version of the fold's behaviour. Raised by any change that could give another frame for the same
/// inputs; recorded in the manifest.
pub const KERNEL_RULES: u32 = 1;

/// Version of the trace's format.
pub const TRACE_FORMAT: u32 = 1;
