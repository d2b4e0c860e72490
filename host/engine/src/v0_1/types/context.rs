//! Slot `context`.

use countersign_kernel::contract::context;
use wasmtime::component::{ComponentType, Lift, Lower};

twin!(ItemKind, context::ItemKind {
    Goal = "goal", Notice = "notice", Guidance = "guidance", Plan = "plan", Kept = "kept",
    Scratchpad = "scratchpad", Memory = "memory", Exchange = "exchange",
});
twin!(Tenure, context::Tenure { Pinned = "pinned", Working = "working", Passing = "passing" });
twin!(Layer, context::Layer {
    BudgetReduction = "budget-reduction", Snip = "snip", Microcompact = "microcompact", Collapse = "collapse",
    FullCompaction = "full-compaction",
});

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct Item {
    kind: ItemKind,
    tokens: u32,
    tenure: Tenure,
}

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct Pressure {
    used: u64,
    window: u64,
    boundary: bool,
    asked: bool,
    items: Vec<Item>,
}

impl From<&context::Pressure> for Pressure {
    fn from(pressure: &context::Pressure) -> Self {
        let item =
            |item: &context::Item| Item { kind: item.kind.into(), tokens: item.tokens, tenure: item.tenure.into() };
        Pressure {
            used: pressure.used,
            window: pressure.window,
            boundary: pressure.boundary,
            asked: pressure.asked,
            items: pressure.items.iter().map(item).collect(),
        }
    }
}

#[derive(Debug, ComponentType, Lift)]
#[component(variant)]
pub enum Strategy {
    #[component(name = "keep")]
    Keep,
    #[component(name = "layer")]
    Layer(Layer),
    #[component(name = "branch")]
    Branch,
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub struct Relief {
    strategy: Strategy,
    reason: String,
}

impl From<Relief> for context::Relief {
    fn from(answer: Relief) -> Self {
        context::Relief {
            strategy: match answer.strategy {
                Strategy::Keep => context::Strategy::Keep,
                Strategy::Layer(layer) => context::Strategy::Layer(layer.into()),
                Strategy::Branch => context::Strategy::Branch,
            },
            reason: answer.reason,
        }
    }
}
