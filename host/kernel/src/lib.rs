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

pub mod boundary;
pub mod budget;
mod effect;
mod event;
mod frame;
pub mod graph;
pub mod grounding;
pub mod host_rules;
mod input;
mod manifest;
mod packet;
pub mod plan;
pub mod routing;
mod run;
pub mod state;
mod status;
pub mod tool;

pub use boundary::Boundary;
pub use countersign_contract as contract;
pub use countersign_contract::{Answered, Cause, Judged, Judgement, Question, Slot};
pub use effect::{Effect, ModelRequest, Purpose};
pub use event::{Event, IncompleteKind, Move, Response, Stage};
pub use frame::Frame;
pub use host_rules::HostRules;
pub use input::{
    Action, Alarm, Decision, Input, Observation, Outcome, Reply, StepReply, StepStatus, Touched, Unavailability, Usage,
    Verification,
};
pub use manifest::{
    Criterion, Driver, EntryPin, EscalationRules, Goal, Manifest, ManifestError, Mode, Model, Need, PolicyMode,
    Retention, SlotPin, Source,
};
pub use packet::{Approval, Packet, Report, Wanted};
pub use run::{Closed, FoldError, Hold, InputError, Overheard, Request, Run, View, redacted};
pub use status::{Code, Status};
pub use tool::{Tool, Verifier};

/// Version of the fold's behaviour. Raised by any change that could give another frame for the same
/// inputs; recorded in the manifest.
pub const KERNEL_RULES: u32 = 3;

/// Version of the trace's format.
pub const TRACE_FORMAT: u32 = 1;
