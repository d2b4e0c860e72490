//! Generated questions: whatever the contract allows a slot to be asked, its byte limits now and then
//! among it.

mod random;
mod records;
mod texts;
mod view;

use countersign::kernel::{Question, Slot};

pub use random::Random;
pub use records::{DIMENSIONS, REVERSIBILITIES, TIERS};
pub use records::{
    action, action_return, answer, failed_call, gap, higher, ledger, passing, pressure, progress, step, stricter,
    sub_task, task, text as sensitivity_text,
};
pub use texts::{name, of_size, text};
pub use view::{CostLeft, GeneratedView};

/// A question of a slot.
pub fn question(random: &mut Random, slot: Slot) -> Question {
    match slot {
        Slot::Sensitivity => Question::Sensitivity(sensitivity_text(random)),
        Slot::Guard => Question::Guard(passing(random)),
        Slot::Classifier => Question::Classifier(task(random)),
        Slot::Dispatch => Question::Dispatch(sub_task(random)),
        Slot::Context => Question::Context(pressure(random)),
        Slot::Confidence => Question::Confidence(answer(random)),
        Slot::Risk => Question::Risk(action(random)),
        Slot::Remediation => Question::Remediation(failed_call(random)),
        Slot::DoomLoop => Question::DoomLoop(step(random)),
        Slot::Threshold => Question::Threshold(ledger(random)),
        Slot::Estimator => Question::Estimator(progress(random)),
    }
}
