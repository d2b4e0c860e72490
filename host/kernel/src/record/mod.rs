//! What a run takes and gives: inputs, events, effects, and the frames of which a trace is made.

pub mod effect;
pub mod event;
pub mod frame;
pub mod given;
pub mod grounding;
pub mod input;
pub mod packet;
pub mod standing;
pub mod status;
pub mod told;
