//! The questions: what a coding agent's step looks like.

use std::sync::Arc;

use countersign::kernel::Question;
use countersign::kernel::contract::classifier::{SideEffect, Task, TierOffer};
use countersign::kernel::contract::confidence::{ModelKind, Orientation, Signal, Stakes, Statement};
use countersign::kernel::contract::doom_loop::ObservedStep;
use countersign::kernel::contract::estimator::{Progress, Spent};
use countersign::kernel::contract::risk::{Novelty, ProposedAction, Reversibility};
use countersign::kernel::contract::{Compliance, Dimension, Key, Tier, ToolCategory};

pub const GOAL: &str = "Find out why the parser rejects empty configuration files, correct it in \
     src/parser.rs and add a test that fails without the correction";
pub const TOOLS: [&str; 3] = ["read_file", "search", "run_tests"];
pub const WORKING_CONTEXT: &str = "a copy of the repository in a container without network";
/// Records one call touches: enough that the default policy asks for the run's limit.
pub const BLAST_RADIUS: u64 = 3;
pub const BLAST_RADIUS_LIMIT: u64 = 100;
pub const RESULT: &str = "pub fn parse(text: &str) -> Result<Configuration, Error> {\n    let mut lines = \
     text.lines().enumerate();\n    let Some((_, first)) = lines.next() else { return Err(Error::Empty) };\n    \
     let version = version(first)?;\n    lines.map(|(at, line)| key(at, line)).collect()\n}\n";

/// Different calls in a row; more than any policy remembers, so that going round is no loop.
pub const CALLS: usize = 128;

/// Arguments of a call, as canonical JSON.
pub fn arguments(call: usize) -> String {
    format!(r#"{{"from":{},"path":"src/parser/section-{:03}.rs","to":{}}}"#, call * 40, call, call * 40 + 40)
}

/// Spreads a counter over a key's 64 bits, as a digest would.
pub fn key(number: u64) -> Key {
    Key(number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

pub fn task() -> Task {
    Task {
        goal: GOAL.into(),
        prompt: GOAL.into(),
        tools: TOOLS.map(Arc::from).to_vec(),
        step_estimate: Some(12),
        side_effects: SideEffect::Reversible,
        tiers: vec![
            TierOffer { tier: Tier::Cheap, cheapest_call: 900 },
            TierOffer { tier: Tier::Strong, cheapest_call: 21_000 },
        ],
        past: Vec::new(),
    }
}

/// Two measured signals, as a host gets them from token probabilities.
pub fn signals() -> Vec<Signal> {
    vec![
        Signal { name: "logprob_entropy".into(), value: 0.05, orientation: Orientation::Entropy },
        Signal { name: "sep_estimate".into(), value: 0.08, orientation: Orientation::Doubt },
    ]
}

pub fn answer() -> Statement {
    Statement {
        signals: signals(),
        stakes: Stakes::Low,
        compliance: Compliance::None,
        model: ModelKind::General,
        evidence: 0,
        may_investigate: true,
    }
}

/// An action that may run. With a blast radius of 0 the default policy reads nothing, with any
/// other it reads the boundary.
pub fn action(blast_radius: u64) -> ProposedAction {
    ProposedAction {
        tool: TOOLS[0].into(),
        category: ToolCategory::FileSystem,
        arguments: arguments(7).into(),
        reversibility: Reversibility::Reversible,
        blast_radius: Some(blast_radius),
        compliance: Compliance::None,
        novelty: Novelty::NewArguments,
        working_context: WORKING_CONTEXT.into(),
        confidence: Some(0.9),
    }
}

pub fn step(call: usize) -> ObservedStep {
    let action = format!("{} {}", TOOLS[0], arguments(call));
    ObservedStep {
        index: None,
        action_bytes: action.len() as u64,
        action: action.into(),
        call_key: Some(key(call as u64).0),
        result_key: Some(key(call as u64 + 1_000_000).0),
        state_before: None,
        state_after: None,
        failure: None,
        mutating: false,
        poller: false,
        internal: false,
        user_boundary: false,
        result_bytes: RESULT.len() as u64,
        drift: None,
    }
}

pub fn steps() -> Vec<Question> {
    (0..CALLS).map(|call| Question::DoomLoop(step(call))).collect()
}

/// Every dimension, all of them used.
pub fn progress() -> Progress {
    let spent = Dimension::ALL.map(|dimension| Spent { dimension, used: 900, left: 100_000 });
    Progress { done: 3, total: 8, spent: spent.to_vec() }
}
