use countersign_sdk::context::{Context, Item, ItemKind, Layer, Pressure, Strategy, Tenure};
use countersign_sdk::testing::TestRun;
use countersign_sdk::{ConfigError, Policy};

use crate::{Layers, config};

fn item(kind: ItemKind, tokens: u32, tenure: Tenure) -> Item {
    Item { kind, tokens, tenure }
}

/// A goal, three exchanges of which one is large, and a scratchpad: every layer would free something.
fn everything() -> Vec<Item> {
    vec![
        item(ItemKind::Goal, 200, Tenure::Pinned),
        item(ItemKind::Scratchpad, 100, Tenure::Working),
        item(ItemKind::Exchange, 256, Tenure::Working),
        item(ItemKind::Exchange, 100, Tenure::Working),
        item(ItemKind::Exchange, 100, Tenure::Working),
    ]
}

fn pressure(used: u64, items: Vec<Item>) -> Pressure {
    Pressure { used, window: 1000, boundary: false, asked: false, items }
}

fn configured(change: impl FnOnce(&mut config::Configuration)) -> Result<Layers, ConfigError> {
    let mut configuration = config::Configuration::default();
    change(&mut configuration);
    Layers::configure(configuration)
}

fn with(change: impl FnOnce(&mut config::Configuration)) -> Layers {
    match configured(change) {
        Ok(policy) => policy,
        Err(error) => panic!("{error:?}"),
    }
}

fn ask(policy: &mut Layers, pressure: Pressure) -> Strategy {
    let compaction = policy.compact(pressure, &TestRun::default());
    assert!(compaction.reason.len() <= 1024);
    compaction.strategy
}

const BUDGET: Strategy = Strategy::Layer(Layer::BudgetReduction);
const SNIP: Strategy = Strategy::Layer(Layer::Snip);
const MICRO: Strategy = Strategy::Layer(Layer::Microcompact);
const COLLAPSE: Strategy = Strategy::Layer(Layer::Collapse);
const FULL: Strategy = Strategy::Layer(Layer::FullCompaction);

#[test]
fn each_layer_at_its_own_pressure() {
    let mut policy = with(|_| ());
    let mut at = |used: u64| ask(&mut policy, pressure(used, everything()));
    let steps = [(500, BUDGET), (600, SNIP), (700, MICRO), (800, COLLAPSE), (900, FULL)];
    let mut before = Strategy::Keep;
    for (used, strategy) in steps {
        assert_eq!(at(used - 1), before, "{}", used - 1);
        assert_eq!(at(used), strategy, "{used}");
        before = strategy;
    }
    assert_eq!(at(0), Strategy::Keep);
    assert_eq!(at(u64::MAX), FULL);
}

#[test]
fn earlier_at_a_boundary_and_exactly_there() {
    let mut policy = with(|_| ());
    let mut at = |used: u64| ask(&mut policy, Pressure { boundary: true, ..pressure(used, everything()) });
    for (used, below, strategy) in [
        (400, Strategy::Keep, BUDGET),
        (500, BUDGET, SNIP),
        (600, SNIP, MICRO),
        (700, MICRO, COLLAPSE),
        (800, COLLAPSE, FULL),
    ] {
        assert_eq!(at(used - 1), below, "{}", used - 1);
        assert_eq!(at(used), strategy, "{used}");
    }
}

#[test]
fn the_next_lower_layer_where_one_would_free_nothing() {
    let mut policy = with(|_| ());
    let exchange = |tokens: u32| item(ItemKind::Exchange, tokens, Tenure::Working);
    let mut at = |used: u64, items: Vec<Item>| ask(&mut policy, pressure(used, items));
    // One exchange: only its size, or everything.
    assert_eq!(at(850, vec![exchange(256)]), BUDGET);
    assert_eq!(at(850, vec![exchange(255)]), Strategy::Keep);
    assert_eq!(at(900, vec![exchange(1)]), FULL);
    // Two: no older half to drop.
    assert_eq!(at(650, vec![exchange(256), exchange(1)]), BUDGET);
    assert_eq!(at(650, vec![exchange(1), exchange(1)]), Strategy::Keep);
    assert_eq!(at(700, vec![exchange(256), exchange(1)]), MICRO);
    assert_eq!(at(700, vec![exchange(1), exchange(256)]), BUDGET, "the newest is left whole");
    assert_eq!(at(700, vec![exchange(1), exchange(1)]), Strategy::Keep);
    assert_eq!(at(800, vec![exchange(1), exchange(1)]), COLLAPSE);
    assert_eq!(at(650, vec![exchange(1); 3]), SNIP);
    // A scratchpad alone can be collapsed.
    let notes = item(ItemKind::Scratchpad, 10, Tenure::Working);
    assert_eq!(at(799, vec![notes]), Strategy::Keep);
    assert_eq!(at(800, vec![notes]), COLLAPSE);
    // What is pinned stays, and what is empty frees nothing.
    assert_eq!(at(990, vec![item(ItemKind::Exchange, 5000, Tenure::Pinned); 4]), Strategy::Keep);
    assert_eq!(at(990, vec![exchange(0); 4]), Strategy::Keep);
    assert_eq!(at(990, vec![]), Strategy::Keep);
    assert_eq!(at(990, vec![item(ItemKind::Memory, 10, Tenure::Transient)]), FULL);
}

#[test]
fn the_model_may_ask() {
    let mut policy = with(|_| ());
    let mut at = |used: u64| ask(&mut policy, Pressure { asked: true, ..pressure(used, everything()) });
    assert_eq!(at(249), Strategy::Keep);
    assert_eq!(at(250), COLLAPSE);
    assert_eq!(at(899), COLLAPSE);
    assert_eq!(at(900), FULL);
    let wish = Pressure { asked: true, ..pressure(300, vec![item(ItemKind::Exchange, 2000, Tenure::Working)]) };
    assert_eq!(ask(&mut policy, wish), BUDGET);
}

#[test]
fn a_branch_takes_the_place_of_full_compaction() {
    let at = |policy: &mut Layers, used: u64, boundary: bool| {
        ask(policy, Pressure { boundary, ..pressure(used, everything()) })
    };
    assert_eq!(at(&mut with(|_| ()), 950, true), FULL);
    let mut policy = with(|keys| keys.branch = true);
    assert_eq!(at(&mut policy, 900, true), Strategy::Branch);
    assert_eq!(at(&mut policy, 899, true), FULL);
    assert_eq!(at(&mut policy, 950, false), FULL);
    let nothing = Pressure { boundary: true, ..pressure(950, vec![]) };
    assert_eq!(ask(&mut policy, nothing), Strategy::Keep);
}

#[test]
fn configurations_that_make_no_sense_are_refused() {
    let key = |change: fn(&mut config::Configuration)| configured(change).err().map(|error| error.key);
    assert_eq!(key(|_| ()), None);
    assert_eq!(key(|keys| keys.layers.snip = 0.5).as_deref(), Some("/layers/snip"));
    assert_eq!(key(|keys| keys.layers.microcompact = 0.85).as_deref(), Some("/layers/collapse"));
    assert_eq!(key(|keys| keys.layers.full_compaction = 0.95).as_deref(), Some("/layers/full_compaction"));
    assert_eq!(key(|keys| keys.boundary_bonus = 0.5).as_deref(), Some("/boundary_bonus"));
    assert_eq!(key(|keys| keys.branch_at = 0.5), None);
    let early: fn(&mut config::Configuration) = |keys| (keys.branch, keys.branch_at) = (true, 0.79);
    assert_eq!(key(early).as_deref(), Some("/branch_at"));
}

fn rank(strategy: Strategy) -> usize {
    match strategy {
        Strategy::Keep => 0,
        Strategy::Layer(layer) => 1 + layer as usize,
        Strategy::Branch => 6,
    }
}

/// A small generator, so that a failure is the same every time.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn pressure(&mut self) -> Pressure {
        let kinds = [ItemKind::Goal, ItemKind::Notice, ItemKind::Digest, ItemKind::Scratchpad, ItemKind::Exchange];
        let tenures = [Tenure::Pinned, Tenure::Working, Tenure::Transient];
        let mut items = Vec::new();
        for _ in 0..self.below(7) {
            let kind = kinds[self.below(5) as usize];
            items.push(item(kind, [0, 1, 255, 256, u32::MAX][self.below(5) as usize], tenures[self.below(3) as usize]));
        }
        Pressure {
            used: [self.below(1200), u64::MAX][usize::from(self.below(50) == 0)],
            window: [1000, 0, u64::MAX][usize::from(self.below(20) == 0) * self.below(3) as usize],
            boundary: self.below(2) == 0,
            asked: self.below(2) == 0,
            items,
        }
    }
}

#[test]
fn laws() {
    let mut draw = Draw(11);
    let (mut usual, mut branching) = (with(|_| ()), with(|keys| keys.branch = true));
    for _ in 0..50_000 {
        let given = draw.pressure();
        let answer = rank(ask(&mut usual, given.clone()));
        // More used, a boundary, a wish, another item: none makes it milder.
        let more = |change: fn(&mut Pressure)| {
            let mut more = given.clone();
            change(&mut more);
            more
        };
        for change in [
            |more: &mut Pressure| more.used = more.used.saturating_add(137),
            |more: &mut Pressure| more.boundary = true,
            |more: &mut Pressure| more.asked = true,
            |more: &mut Pressure| more.items.push(item(ItemKind::Exchange, 2000, Tenure::Working)),
        ] {
            assert!(rank(ask(&mut usual, more(change))) >= answer, "{given:?}");
        }
        if given.items.iter().all(|item| item.tenure == Tenure::Pinned || item.tokens == 0) {
            assert_eq!(answer, 0);
        }
        // A branch is only ever instead of full compaction.
        match ask(&mut branching, given.clone()) {
            Strategy::Branch => assert!(answer == 5 && given.boundary),
            other => assert_eq!(rank(other), answer),
        }
    }
}
