//! What each layer could free of a request.

use countersign_sdk::context::{Item, ItemKind, Layer, Tenure};

/// The layers, mildest first.
pub const LAYERS: [(Layer, &str); 5] = [
    (Layer::BudgetReduction, "budget reduction"),
    (Layer::Snip, "snip"),
    (Layer::Microcompact, "microcompact"),
    (Layer::Collapse, "collapse"),
    (Layer::FullCompaction, "full compaction"),
];

/// What of a request is not pinned.
pub struct Loose {
    anything: bool,
    scratchpad: bool,
    exchanges: usize,
    largest_exchange: u32,
    /// Of those before the newest.
    largest_earlier: u32,
}

impl Loose {
    pub fn of(items: &[Item]) -> Self {
        let mut loose =
            Loose { anything: false, scratchpad: false, exchanges: 0, largest_exchange: 0, largest_earlier: 0 };
        for item in items.iter().filter(|item| item.tenure != Tenure::Pinned && item.tokens > 0) {
            loose.anything = true;
            loose.scratchpad |= item.kind == ItemKind::Scratchpad;
            if item.kind == ItemKind::Exchange {
                loose.exchanges += 1;
                loose.largest_earlier = loose.largest_exchange;
                loose.largest_exchange = loose.largest_exchange.max(item.tokens);
            }
        }
        loose
    }

    /// Whether a layer has anything to take, as the contract says what it takes.
    pub fn would_free(&self, layer: Layer, large_item: u32) -> bool {
        match layer {
            Layer::BudgetReduction => self.largest_exchange >= large_item,
            // Of two the older half is one, and the next step most likely builds on it.
            Layer::Snip => self.exchanges >= 3,
            // What is short already is not cut.
            Layer::Microcompact => self.largest_earlier >= large_item,
            Layer::Collapse => self.exchanges >= 2 || self.scratchpad,
            Layer::FullCompaction => self.anything,
        }
    }
}
