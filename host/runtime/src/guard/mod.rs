//! For whoever owns the loop: each call is proposed, ruled on, and observed.
//!
//! ```text
//! propose(call) → Ruling ─┬─ Permitted(permit) → make the call → permit.observe(result) → Seen
//!                         ├─ Parked   a person must approve; a repeat after that is permitted, once
//!                         ├─ Refused  not this call; the agent is told why and goes on
//!                         ├─ Noted    the host took it itself: nothing is to be called
//!                         └─ Stopped  no call at all until a person has looked, or for good
//! ```
//!
//! A [`GuardedRun`] is a run like any other: folded by the same kernel, judged by the same policies,
//! with the same trace. Nothing in it waits, sleeps or needs an executor: it fits into any loop,
//! synchronous or not. One call is under way at a time, and the borrow checker sees to it.
//!
//! `permit` is the proof that a call may be made, `ruling` what can be answered to a proposal, `words`
//! what the agent is told of it, `sight` what it may see of a result, `run` the run, `setup` what one
//! is made of, `clock` its time, `write_off` the end of one whose bundle is gone.

mod clock;
mod permit;
mod ruling;
mod run;
mod setup;
mod sight;
mod words;
mod write_off;

pub use clock::Clock;
pub use permit::{Permit, ReadBack, Seen};
pub use ruling::{Proposal, Refusal, Ruling, Standing, Stop};
pub use run::{GuardError, GuardedRun, Heard};
pub use setup::Setup;
pub(crate) use setup::slots;
pub use sight::{Hidden, Sight};
pub use words::stop_here;
pub use write_off::write_off;
