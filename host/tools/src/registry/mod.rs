//! The tool registry: what a host must know of a tool before it lets a model call it.
//!
//! `spec` is a tool as a file declares it, `compiled` the registry of one run with its schemas
//! compiled, `observation` what a run is told of a result.

mod compiled;
mod observation;
mod spec;
mod verification;

pub use compiled::Registry;
pub use observation::fill;
pub use observation::{SHOWN, ToolResult};
pub use spec::{ReadBackSpec, ResultSpec, ToolSpec, TouchesSpec, VerifySpec};
pub use verification::{Called, Finding, Reading};
