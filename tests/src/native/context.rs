//! Slot `context`.

use countersign::kernel::contract::context as contract;
use countersign_sdk::context as sdk;

native!(Context, sdk::Context, relieve, to_pressure, relief);

/// A question's record as the SDK has it.
pub fn to_pressure(pressure: &contract::Pressure) -> sdk::Pressure {
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
                    Goal, Notice, Guidance, Plan, Kept, Scratchpad, Memory, Exchange
                }),
                tokens: item.tokens,
                tenure: map_enum!(item.tenure, contract::Tenure => sdk::Tenure { Pinned, Working, Passing }),
            })
            .collect(),
    }
}

fn relief(answer: sdk::Relief) -> contract::Relief {
    contract::Relief {
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
