//! Questions to runs that are over, and to recordings of others.
//!
//! [`backtest`] judges recorded runs, [`alarms`] counts what recorded runs that went well would have been stopped by, [`replay`] re-executes the judgements of a trace, [`shadow`] compares what policies
//! beside a run said with what counted, [`adaptation`] tells of each recommendation what came of it, and [`convergence`]
//! whether runs get better.

pub mod adaptation;
pub mod alarms;
pub mod backtest;
pub mod convergence;
mod recording;
pub mod replay;
pub mod shadow;

pub use recording::{NotRead, Problem, Readout, RecordingError};
