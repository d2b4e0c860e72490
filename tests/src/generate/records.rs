//! The records of the slots' questions, within the limits that `wit/v0.1` gives.

use std::sync::Arc;

use countersign::kernel::contract::classifier::{PastOutcomes, SideEffect, Task, TierOffer};
use countersign::kernel::contract::confidence::{Answer, ModelKind, Orientation, Signal, Stakes};
use countersign::kernel::contract::context::{Item, ItemKind, Pressure, Tenure};
use countersign::kernel::contract::dispatch::{Specialist, SubTask};
use countersign::kernel::contract::doom_loop::{Failure, ObservedStep};
use countersign::kernel::contract::estimator::{Progress, Spent};
use countersign::kernel::contract::guard::{Passage, Passing};
use countersign::kernel::contract::remediation::FailedCall;
use countersign::kernel::contract::risk::{Novelty, ProposedAction};
use countersign::kernel::contract::sensitivity::Text;
use countersign::kernel::contract::threshold::{ActionReturn, AuthorityGap, CostLine, Ledger, NextAction};
use countersign::kernel::contract::{
    Compliance, Dimension, FailureClass, Reversibility, SensitivityTag, Tier, ToolCategory,
};

use super::Random;
use super::texts::{name, text as some_text};

/// Every tier, weakest first.
pub const TIERS: [Tier; 3] = [Tier::Cheap, Tier::Mid, Tier::Strong];
/// As document 001 orders them: what nobody declared is not taken for reversible.
pub const REVERSIBILITIES: [Reversibility; 3] =
    [Reversibility::Reversible, Reversibility::Unknown, Reversibility::Irreversible];
/// Every dimension.
pub const DIMENSIONS: [Dimension; 15] = Dimension::ALL;

const COMPLIANCE: [Compliance; 4] = [Compliance::None, Compliance::Pii, Compliance::Financial, Compliance::Regulated];
const CATEGORIES: [ToolCategory; 10] = [
    ToolCategory::ReadOnlyLookup,
    ToolCategory::Retrieval,
    ToolCategory::LiveApi,
    ToolCategory::Sandbox,
    ToolCategory::FileSystem,
    ToolCategory::Database,
    ToolCategory::Communication,
    ToolCategory::Payment,
    ToolCategory::Infrastructure,
    ToolCategory::ReviewQueue,
];
const FAILURES: [FailureClass; 4] =
    [FailureClass::Rejected, FailureClass::Failed, FailureClass::TimedOut, FailureClass::Infrastructure];
const TAGS: [SensitivityTag; 5] = [
    SensitivityTag::Public,
    SensitivityTag::Internal,
    SensitivityTag::Confidential,
    SensitivityTag::Restricted,
    SensitivityTag::Critical,
];
const KIB: usize = 1 << 10;

/// Bytes of a text that may have been longer before it was cut.
fn uncut(random: &mut Random, text: &str, most: usize) -> u64 {
    let cut = text.len() == most && random.toss();
    text.len() as u64 + if cut { random.bits() >> 40 } else { 0 }
}

/// Slot `sensitivity`.
pub fn text(random: &mut Random) -> Text {
    let text = some_text(random, 32 * KIB);
    Text { bytes: uncut(random, &text, 32 * KIB), text, present: random.pick(&TAGS) }
}

/// Slot `guard`.
pub fn passing(random: &mut Random) -> Passing {
    let text = some_text(random, 32 * KIB);
    Passing {
        passage: random.pick(&[Passage::Input, Passage::Output, Passage::Call]),
        tool: random.maybe(|random| name(random).into()),
        bytes: uncut(random, &text, 32 * KIB),
        text,
    }
}

/// Slot `classifier`.
pub fn task(random: &mut Random) -> Task {
    let goal = some_text(random, 16 * KIB);
    let more = some_text(random, 64 * KIB - goal.len());
    let mut tiers: Vec<Tier> = TIERS.into_iter().filter(|_| random.toss()).collect();
    if tiers.is_empty() {
        tiers.push(random.pick(&TIERS));
    }
    let classes = ["short", "code", "reasoning", "general", "rule-1"];
    Task {
        prompt: format!("{goal}{more}").into(),
        goal,
        tools: random.some(32, |random| name(random).into()),
        step_estimate: random.maybe(Random::count),
        side_effects: random.pick(&[SideEffect::None, SideEffect::Reversible, SideEffect::Irreversible]),
        tiers: tiers.into_iter().map(|tier| TierOffer { tier, cheapest_call: random.amount() }).collect(),
        past: random.some(16, |random| PastOutcomes {
            class: random.pick(&classes).to_owned(),
            runs: random.count(),
            succeeded: random.count(),
            lessons: random.count(),
        }),
    }
}

/// Slot `dispatch`.
pub fn sub_task(random: &mut Random) -> SubTask {
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

/// Slot `context`.
pub fn pressure(random: &mut Random) -> Pressure {
    let kinds = [
        ItemKind::Goal,
        ItemKind::Notice,
        ItemKind::Guidance,
        ItemKind::Plan,
        ItemKind::Kept,
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
            tenure: random.pick(&[Tenure::Pinned, Tenure::Working, Tenure::Passing]),
        }),
    }
}

/// Slot `confidence`.
pub fn answer(random: &mut Random) -> Answer {
    Answer {
        signals: random.some(12, signal),
        stakes: random.pick(&[Stakes::Low, Stakes::Medium, Stakes::High, Stakes::Critical]),
        compliance: random.pick(&COMPLIANCE),
        model: random.pick(&[ModelKind::General, ModelKind::Reasoning]),
        evidence: random.count(),
        may_investigate: random.toss(),
    }
}

fn signal(random: &mut Random) -> Signal {
    const NAMES: [&str; 7] =
        ["logprob_entropy", "sep_estimate", "self_consistency", "verbalised", "verifier", "schema", "own"];
    let orientation = random.pick(&[Orientation::Confidence, Orientation::Doubt, Orientation::Entropy]);
    let value = match orientation {
        Orientation::Confidence | Orientation::Doubt => random.share(),
        Orientation::Entropy if random.once_in(16) => random.pick(&[f64::MAX, 745.2, 1e-300]),
        Orientation::Entropy => random.share() * 5.0,
    };
    Signal { name: random.pick(&NAMES).into(), value, orientation }
}

/// Slot `risk`.
pub fn action(random: &mut Random) -> ProposedAction {
    ProposedAction {
        tool: name(random).into(),
        category: random.pick(&CATEGORIES),
        arguments: some_text(random, 64 * KIB),
        reversibility: random.pick(&REVERSIBILITIES),
        blast_radius: random.maybe(Random::amount),
        compliance: random.pick(&COMPLIANCE),
        novelty: random.pick(&[Novelty::NewTool, Novelty::NewArguments, Novelty::Repeated]),
        working_context: some_text(random, KIB),
        confidence: if random.once_in(6) { None } else { Some(random.share()) },
    }
}

/// The next stricter tag; the strictest stays.
pub fn stricter(tag: Compliance) -> Compliance {
    let at = COMPLIANCE.iter().position(|other| *other == tag).unwrap_or(0);
    COMPLIANCE[(at + 1).min(COMPLIANCE.len() - 1)]
}

/// The next higher tag; the highest stays.
pub fn higher(tag: SensitivityTag) -> SensitivityTag {
    let at = TAGS.iter().position(|other| *other == tag).unwrap_or(0);
    TAGS[(at + 1).min(TAGS.len() - 1)]
}

/// Slot `remediation`.
pub fn failed_call(random: &mut Random) -> FailedCall {
    FailedCall {
        tool: if random.once_in(16) { some_text(random, KIB) } else { name(random).into() },
        category: random.maybe(|random| random.pick(&CATEGORIES)),
        class: random.pick(&FAILURES),
        error: some_text(random, 8 * KIB),
        same_call: random.below(6) as u32 + 1,
        same_tool: random.count().max(1),
        worked_before: random.toss(),
    }
}

/// Slot `doom-loop`.
pub fn step(random: &mut Random) -> ObservedStep {
    let action: Arc<str> = some_text(random, 8 * KIB);
    let failure = Failure { class: random.pick(&FAILURES), key: random.maybe(Random::key) };
    ObservedStep {
        index: random.maybe(|random| random.below(60) as u32),
        action_bytes: uncut(random, &action, 8 * KIB),
        action,
        call_key: if random.once_in(6) { None } else { Some(random.key()) },
        result_key: if random.once_in(6) { None } else { Some(random.key()) },
        state_before: if random.once_in(4) { Some(random.key()) } else { None },
        state_after: if random.once_in(4) { Some(random.key()) } else { None },
        failure: random.once_in(3).then_some(failure),
        mutating: random.toss(),
        poller: random.once_in(8),
        internal: random.once_in(8),
        user_boundary: random.once_in(12),
        result_bytes: random.amount(),
        drift: random.once_in(4).then(|| random.share() * 4.0),
    }
}

/// Slot `threshold`.
pub fn ledger(random: &mut Random) -> Ledger {
    let since = random.amount() / 2;
    let at = since.saturating_add(random.amount() / 2);
    let returns = random.some(16, action_return);
    let criteria = random.below(5) as u32;
    let dimensions = DIMENSIONS.into_iter().filter(|_| random.once_in(4)).collect::<Vec<_>>();
    Ledger {
        at,
        since,
        actions: (returns.len() as u32).max(random.below(40) as u32),
        returns,
        criteria_met: random.below(criteria as usize + 1) as u32,
        criteria,
        gap: random.once_in(4).then(|| gap(random)),
        costs: dimensions
            .into_iter()
            .map(|dimension| {
                let limit = random.amount().max(1);
                let used = if random.once_in(4) { random.amount() } else { (limit as f64 * random.share()) as u64 };
                CostLine { dimension, used, limit }
            })
            .collect(),
        next: random.maybe(|random| NextAction {
            tool: name(random).into(),
            reversibility: random.pick(&REVERSIBILITIES),
            mutating: random.toss(),
            idempotent: random.toss(),
            risk: random.maybe(Random::share),
        }),
    }
}

/// What one call brought.
pub fn action_return(random: &mut Random) -> ActionReturn {
    ActionReturn {
        at: random.amount(),
        advanced: random.once_in(4),
        changed: random.once_in(3),
        novel: random.toss(),
        confirmed: random.once_in(4),
        failed: random.once_in(3),
        neutral: random.once_in(5),
        repeated: random.once_in(3),
    }
}

/// An error that the agent cannot mend.
pub fn gap(random: &mut Random) -> AuthorityGap {
    AuthorityGap { tool: name(random).into(), who: some_text(random, 64), what: some_text(random, 256) }
}

/// Slot `estimator`.
pub fn progress(random: &mut Random) -> Progress {
    let total = random.count().max(1);
    let done = if random.toss() { random.below(4) as u32 } else { (f64::from(total) * random.share()) as u32 };
    let dimensions = DIMENSIONS.into_iter().filter(|_| random.toss()).collect::<Vec<_>>();
    Progress {
        done: done.min(total),
        total,
        spent: dimensions
            .into_iter()
            .map(|dimension| Spent { dimension, used: random.amount(), left: random.amount() })
            .collect(),
    }
}
