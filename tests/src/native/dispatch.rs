//! Slot `dispatch`.

use countersign::kernel::contract::dispatch as contract;
use countersign_sdk::dispatch as sdk;

native!(Dispatch, sdk::Dispatch, assign, to_sub_task, assigned);

/// A question's record as the SDK has it.
pub fn to_sub_task(task: &contract::SubTask) -> sdk::SubTask {
    sdk::SubTask {
        does: task.does.to_string(),
        independent: task.independent,
        parallel: task.parallel,
        chain_length: task.chain_length,
        chain_reliability: task.chain_reliability,
        own_reliability: task.own_reliability,
        specialists: task
            .specialists
            .iter()
            .map(|specialist| sdk::Specialist {
                name: specialist.name.to_string(),
                description: specialist.description.to_string(),
                reliability: specialist.reliability,
            })
            .collect(),
    }
}

fn assigned(answer: sdk::Assigned) -> contract::Assigned {
    contract::Assigned {
        assignment: match answer.assignment {
            sdk::Assignment::Inline => contract::Assignment::Inline,
            sdk::Assignment::Specialist(name) => contract::Assignment::Specialist(name),
            sdk::Assignment::FanOut(name) => contract::Assignment::FanOut(name),
            sdk::Assignment::HandOver => contract::Assignment::HandOver,
        },
        reason: answer.reason,
    }
}
