//! Everything a policy author needs: a struct, a trait for each slot it serves, one macro line.
//!
//! ```
//! use countersign_sdk::{ConfigError, Policy, RunView, policy, risk};
//!
//! /// Asks about every action that cannot be undone.
//! struct Careful;
//!
//! impl Policy for Careful {
//!     const NAME: &'static str = "careful";
//!     const VERSION: &'static str = "1.0.0";
//!     const PURPOSE: &'static str = "asks about every action that cannot be undone";
//!     const STATELESS: bool = true;
//!     const CONFIGURATION_SCHEMA: &'static str =
//!         r#"{"type": "object", "additionalProperties": false}"#;
//!     type Configuration = Empty;
//!
//!     fn configure(_: Empty) -> Result<Self, ConfigError> {
//!         Ok(Careful)
//!     }
//! }
//!
//! #[derive(serde::Deserialize)]
//! struct Empty {}
//!
//! impl risk::Risk for Careful {
//!     fn judge(&mut self, action: risk::ProposedAction, _run: &dyn RunView) -> risk::Assessment {
//!         let reversible = action.reversibility == risk::Reversibility::Reversible;
//!         risk::Assessment {
//!             verdict: if reversible { risk::Verdict::Proceed } else { risk::Verdict::Ask },
//!             score: if reversible { 0.0 } else { 1.0 },
//!             reason: format!("{} is {:?}", action.tool, action.reversibility),
//!         }
//!     }
//! }
//!
//! policy!(Careful: risk);
//! ```
//!
//! `countersign policy build` turns the crate into a component. Natively the same struct is an
//! ordinary one: call its methods in a test with [`testing::TestRun`] as the view of the run.
//!
//! A policy may keep state in its fields: it has one instance for each run and bundle entry, and
//! the calls of that run come in order. Float helpers (`exp`, `ln`, `pow`) come from the `libm`
//! crate, and no `HashMap` or `HashSet` is used: their answers differ between native and wasm.

#[doc(hidden)]
pub mod bindings;
#[doc(hidden)]
pub mod glue;
#[cfg(all(target_arch = "wasm32", feature = "allocator"))]
mod heap;
mod json;
pub mod log;
mod policy;
mod slots;
pub mod testing;
mod view;

pub use policy::{ConfigError, Policy};
pub use slots::*;
pub use view::{Boundary, BudgetLine, Dimension, Phase, RunView, StepSummary};
