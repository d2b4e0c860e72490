//! The default policies as ordinary structs: contract records to the SDK's types and back, one file a
//! slot.

// Ahead of the modules that use them.

/// An enum of the contract, from one side to the other by its variants' names.
macro_rules! map_enum {
    ($value:expr, $from:path => $to:path { $($case:ident),+ $(,)? }) => {{
        use $from as From;
        use $to as To;
        match $value { $(From::$case => To::$case),+ }
    }};
}

/// `native::<P>(configuration)`: a policy of the slot, asked by the contract's records.
macro_rules! native {
    ($slot:ident, $trait:path, $call:ident, $to:ident, $from:ident) => {
        pub(super) fn native<P: $trait + 'static>(configuration: &serde_json::Value) -> anyhow::Result<super::Native> {
            let mut policy: P = super::configured(configuration)?;
            Ok(super::Native(Box::new(move |question, run| match question {
                countersign::kernel::Question::$slot(asked) => {
                    Some(countersign::kernel::Answered::$slot($from(policy.$call($to(asked), run))))
                }
                _ => None,
            })))
        }
    };
}

mod classifier;
mod confidence;
mod context;
mod dispatch;
mod doom_loop;
mod estimator;
mod guard;
mod remediation;
mod risk;
mod sensitivity;
mod shared;
mod threshold;
mod view;

use countersign::kernel::{Answered, Question};
use countersign_sdk::{Policy, RunView};
use serde_json::Value;

pub use classifier::to_task;
pub use confidence::to_answer;
pub use context::to_pressure;
pub use dispatch::to_sub_task;
pub use doom_loop::to_step;
pub use estimator::to_progress;
pub use guard::to_passing;
pub use remediation::to_failed_call;
pub use risk::to_action;
pub use sensitivity::to_text;
pub use threshold::to_ledger;
pub use view::{Served, view};

/// A default policy, natively.
pub struct Native(Box<Judge>);

/// None to a question of another slot.
type Judge = dyn FnMut(&Question, &dyn RunView) -> Option<Answered>;

impl Native {
    /// The policy of that name.
    ///
    /// # Errors
    /// When it refuses the configuration, or there is no such policy.
    pub fn new(name: &str, configuration: &Value) -> anyhow::Result<Self> {
        match name {
            "classifier" => classifier::native::<countersign_classifier::TaskRules>(configuration),
            "confidence" => confidence::native::<countersign_confidence::SignalFusion>(configuration),
            "context" => context::native::<countersign_context::Layers>(configuration),
            "dispatch" => dispatch::native::<countersign_dispatch::Dispatcher>(configuration),
            "doom-loop" => doom_loop::native::<countersign_doom_loop::CircuitBreaker>(configuration),
            "estimator" => estimator::native::<countersign_estimator::RateInterval>(configuration),
            "guard" => guard::native::<countersign_guard::Patterns>(configuration),
            "remediation" => remediation::native::<countersign_remediation::ErrorRules>(configuration),
            "risk" => risk::native::<countersign_risk::RiskMatrix>(configuration),
            "sensitivity" => sensitivity::native::<countersign_sensitivity::Patterns>(configuration),
            "threshold" => threshold::native::<countersign_threshold::Inequality>(configuration),
            other => anyhow::bail!("no default policy is called {other}: name its type in tests/src/native/mod.rs"),
        }
    }

    /// Puts a question; none when it belongs to another slot.
    pub fn ask(&mut self, question: &Question, run: &dyn RunView) -> Option<Answered> {
        (self.0)(question, run)
    }
}

fn configured<P: Policy>(configuration: &Value) -> anyhow::Result<P> {
    let configuration = serde_json::from_value(configuration.clone())?;
    P::configure(configuration).map_err(|error| anyhow::anyhow!("{}: {}", error.key, error.message))
}
