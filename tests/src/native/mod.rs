//! The default policies as ordinary structs. How a slot's records become the SDK's and back stands in
//! [`crate::slots`].

// Ahead of the modules that use them.

/// An enum of the contract, from one side to the other by its variants' names.
macro_rules! map_enum {
    ($value:expr, $from:path => $to:path { $($case:ident),+ $(,)? }) => {{
        use $from as From;
        use $to as To;
        match $value { $(From::$case => To::$case),+ }
    }};
}

/// `native(configuration)`: the default policy of a slot, asked by the contract's records. `to_sdk` and `from_sdk`
/// stand beside it.
macro_rules! native {
    ($slot:ident, $policy:ty, $sdk:ident::$trait:ident.$call:ident) => {
        pub(super) fn native(configuration: &serde_json::Value) -> anyhow::Result<crate::native::Native> {
            use $sdk::$trait as _;
            let mut policy: $policy = crate::native::configured(configuration)?;
            Ok(crate::native::Native::of(move |question, run| match question {
                countersign::kernel::Question::$slot(asked) => {
                    Some(countersign::kernel::Answered::$slot(from_sdk(policy.$call(to_sdk(asked), run))))
                }
                _ => None,
            }))
        }
    };
}

pub(crate) mod shared;
mod view;

use countersign::kernel::{Answered, Question, Slot};
use countersign_sdk::{Policy, RunView};
use serde_json::Value;

pub use view::{Served, view};

/// A default policy, natively.
pub struct Native(Box<Judge>);

/// None to a question of another slot.
type Judge = dyn FnMut(&Question, &dyn RunView) -> Option<Answered>;

impl Native {
    /// The policy of that name. A default policy is called as the slot that it fills.
    ///
    /// # Errors
    /// When it refuses the configuration, or there is no such policy.
    pub fn new(name: &str, configuration: &Value) -> anyhow::Result<Self> {
        crate::slots::native(name.parse::<Slot>()?, configuration)
    }

    pub(crate) fn of(judge: impl FnMut(&Question, &dyn RunView) -> Option<Answered> + 'static) -> Self {
        Native(Box::new(judge))
    }

    /// Puts a question; none when it belongs to another slot.
    pub fn ask(&mut self, question: &Question, run: &dyn RunView) -> Option<Answered> {
        (self.0)(question, run)
    }
}

pub(crate) fn configured<P: Policy>(configuration: &Value) -> anyhow::Result<P> {
    let configuration = serde_json::from_value(configuration.clone())?;
    P::configure(configuration).map_err(|error| anyhow::anyhow!("{}: {}", error.key, error.message))
}
