//! Checks, loads, limits and calls policy components.
//!
//! ```text
//! Engine ── load(bytes) ──► Policy ── open(configuration, limits) ──► Session ── judge(question)
//! ```
//!
//! One [`Engine`] a process, one [`Policy`] a component, one [`Session`] for each run and bundle
//! entry. A call is limited by fuel, memory, stack and the size of its answer; a deadline on the
//! wall clock only protects the host. Whatever goes wrong in a call is an
//! [`Undecided`](countersign_contract::Answered::Undecided), never an error of the host.

mod accepted;
mod call;
mod cause;
mod compiled;
mod compiler;
mod configuration;
mod engine;
mod error;
mod fuel;
mod inspect;
mod limits;
mod options;
mod policy;
#[cfg(unix)]
mod private_folder;
mod session;
mod v0_1;
mod watchdog;

pub use call::LogLine;
pub use compiler::compile_for_parent;
pub use configuration::canonical_json;
pub use countersign_contract::{Descriptor, Level};
pub use engine::Engine;
pub use error::{ConfigurationError, EngineError, LoadError, OpenError};
pub use inspect::Caps;
pub use limits::Limits;
pub use options::{Compiler, CompilerProcess, EngineOptions};
pub use policy::Policy;
pub use session::{History, NoHistory, Outcome, Session};
