//! What the tests know of each slot, one file a slot: the default policy natively, whatever the contract allows
//! it to be asked, and the laws of the slot's own meaning.

pub mod classifier;
pub mod confidence;
pub mod context;
pub mod dispatch;
pub mod doom_loop;
pub mod estimator;
pub mod guard;
pub mod remediation;
pub mod risk;
pub mod sensitivity;
pub mod threshold;

use countersign::kernel::{Question, Slot, contract};
use serde_json::Value;

use crate::generate::Random;
use crate::laws::Law;
use crate::native::Native;

macro_rules! by_slot {
    ($({ $(#[$doc:meta])* $slot:ident $module:ident $($rest:tt)* })+) => {
        /// A question of a slot.
        pub fn question(random: &mut Random, slot: Slot) -> Question {
            match slot { $(Slot::$slot => Question::$slot($module::question(random))),+ }
        }

        /// The laws of a slot's own meaning.
        pub fn laws(slot: Slot) -> &'static [Law] {
            match slot { $(Slot::$slot => &$module::LAWS),+ }
        }

        /// The default policy of a slot.
        ///
        /// # Errors
        /// When it refuses the configuration.
        pub fn native(slot: Slot, configuration: &Value) -> anyhow::Result<Native> {
            match slot { $(Slot::$slot => $module::native(configuration)),+ }
        }
    };
}

contract::slots!(by_slot);
