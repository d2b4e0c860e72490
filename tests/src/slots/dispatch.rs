//! Slot `dispatch`: the default policy natively, generated questions, laws.

use anyhow::{Result, ensure};
use countersign::kernel::contract::dispatch as contract;
use countersign::kernel::contract::dispatch::{Assignment, Specialist, SubTask};
use countersign_sdk::dispatch as sdk;

use crate::generate::{KIB, Random, name, text as some_text};
use crate::laws::{Law, Trial, answered, view};

native!(Dispatch, countersign_dispatch::Dispatcher, sdk::Dispatch.assign);

/// A question's record as the SDK has it.
pub fn to_sdk(task: &contract::SubTask) -> sdk::SubTask {
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

fn from_sdk(answer: sdk::Assigned) -> contract::Assigned {
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

/// Whatever the contract allows it to be asked.
pub fn question(random: &mut Random) -> SubTask {
    let mut number = 0;
    let does = some_text(random, 4 * KIB);
    // Some match equally well and are equally reliable.
    let alike = (does[..does.floor_char_boundary(KIB)].to_owned(), random.share());
    SubTask {
        does,
        independent: random.toss(),
        parallel: if random.toss() { random.count() } else { random.below(4) as u32 },
        chain_length: if random.once_in(8) { random.count().max(1) } else { random.below(7) as u32 + 1 },
        chain_reliability: random.share(),
        own_reliability: random.share(),
        specialists: random.some(16, |random| {
            number += 1;
            let equal = random.once_in(3);
            Specialist {
                name: format!("{}-{number}", name(random)).into(),
                description: if equal { alike.0.as_str().into() } else { some_text(random, KIB) },
                reliability: if equal { alike.1 } else { random.share() },
            }
        }),
    }
}

/// The laws of its own meaning.
pub const LAWS: [Law; 2] = [
    Law { name: "a longer or weaker chain never takes a sub-task back from a person", check: weaker_chain },
    Law { name: "the order of the specialists on offer makes no difference", check: order },
];

fn weaker_chain(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    let (before, view) = (question(random), view(random));
    let mut after = before.clone();
    after.chain_length = after.chain_length.saturating_add(random.below(3) as u32);
    after.chain_reliability *= random.share();
    let strong = answered!(trial, Dispatch, before.clone(), &view);
    let weak = answered!(trial, Dispatch, after.clone(), &view);
    let holds = strong.assignment != Assignment::HandOver || weak.assignment == Assignment::HandOver;
    ensure!(holds, "{strong:?} for {before:?}, but {weak:?} for {after:?}");
    Ok(())
}

fn order(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    let (before, view) = (question(random), view(random));
    let mut after = before.clone();
    random.shuffle(&mut after.specialists);
    let one = answered!(trial, Dispatch, before.clone(), &view);
    let other = answered!(trial, Dispatch, after, &view);
    ensure!(one.assignment == other.assignment, "{one:?} for {before:?}, but {other:?} in another order");
    Ok(())
}
