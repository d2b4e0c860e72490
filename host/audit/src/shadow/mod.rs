//! What policies in shadow would have said, compared with what counted.

mod by_run;
mod interval;
mod report;

pub use interval::Interval;
pub use report::{Compared, Disagreement, Outcomes, Report};
