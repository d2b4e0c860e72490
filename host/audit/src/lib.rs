//! Questions to runs that are over, and to recordings of others.
//!
//! [`backtest`] judges recorded runs, [`replay`] re-executes the judgements of a trace, [`shadow`] compares what policies
//! beside a run said with what counted, and [`adaptation`] tells of each recommendation what came of it.

pub mod adaptation;
pub mod backtest;
mod recording;
pub mod replay;
pub mod shadow;

pub use recording::RecordingError;
