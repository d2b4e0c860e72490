//! Slot `context`: the default policy natively, generated questions, laws.

use anyhow::{Result, ensure};
use countersign::kernel::contract::context as contract;
use countersign::kernel::contract::context::{Item, ItemKind, Pressure, Tenure};
use countersign_sdk::context as sdk;

use crate::generate::Random;
use crate::laws::{Law, Trial, answered, view};

native!(Context, countersign_context::Layers, sdk::Context.compact);

/// A question's record as the SDK has it.
pub fn to_sdk(pressure: &contract::Pressure) -> sdk::Pressure {
    sdk::Pressure {
        used: pressure.used,
        window: pressure.window,
        boundary: pressure.boundary,
        asked: pressure.asked,
        items: pressure
            .items
            .iter()
            .map(|item| sdk::Item {
                kind: map_enum!(item.kind, contract::ItemKind => sdk::ItemKind {
                    Goal, Notice, Guidance, Plan, Digest, Scratchpad, Memory, Exchange
                }),
                tokens: item.tokens,
                tenure: map_enum!(item.tenure, contract::Tenure => sdk::Tenure { Pinned, Working, Transient }),
            })
            .collect(),
    }
}

fn from_sdk(answer: sdk::Compaction) -> contract::Compaction {
    contract::Compaction {
        strategy: match answer.strategy {
            sdk::Strategy::Keep => contract::Strategy::Keep,
            sdk::Strategy::Layer(layer) => contract::Strategy::Layer(map_enum!(layer, sdk::Layer => contract::Layer {
                BudgetReduction, Snip, Microcompact, Collapse, FullCompaction
            })),
            sdk::Strategy::Branch => contract::Strategy::Branch,
        },
        reason: answer.reason,
    }
}

/// Whatever the contract allows it to be asked.
pub fn question(random: &mut Random) -> Pressure {
    let kinds = [
        ItemKind::Goal,
        ItemKind::Notice,
        ItemKind::Guidance,
        ItemKind::Plan,
        ItemKind::Digest,
        ItemKind::Scratchpad,
        ItemKind::Memory,
        ItemKind::Exchange,
        ItemKind::Exchange,
        ItemKind::Exchange,
    ];
    let window = random.amount().max(1);
    Pressure {
        used: if random.once_in(4) { random.amount() } else { (window as f64 * random.share() * 1.2) as u64 },
        window,
        boundary: random.toss(),
        asked: random.toss(),
        items: random.some(64, |random| Item {
            kind: random.pick(&kinds),
            tokens: if random.toss() { random.count() } else { random.below(3000) as u32 },
            tenure: random.pick(&[Tenure::Pinned, Tenure::Working, Tenure::Transient]),
        }),
    }
}

/// The laws of its own meaning.
pub const LAWS: [Law; 1] =
    [Law { name: "more pressure never gets a milder layer, the items being the same", check: pressure_rises }];

fn pressure_rises(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    let (before, view) = (question(random), view(random));
    let mut after = before.clone();
    let more = if random.toss() { random.amount() } else { (before.window as f64 * random.share()) as u64 };
    after.used = after.used.saturating_add(more);
    let mild = answered!(trial, Context, before.clone(), &view);
    let strict = answered!(trial, Context, after.clone(), &view);
    ensure!(strict.strategy >= mild.strategy, "{mild:?} for {before:?}, but {strict:?} with {} used", after.used);
    Ok(())
}
