//! The default policies as the ordinary Rust structs that they are, asked the same.
//!
//! A native call takes its input by value. The inputs are cloned before the clock starts: what is
//! measured is the call, dropping its input and dropping its answer. A component's call is measured
//! with everything that it needs: copying the input into its memory, fuel, deadline, recording
//! its reads, checking its answer.

use std::hint::black_box;

use anyhow::{Context, Result};
use countersign::Host;
use countersign::kernel::Slot;
use countersign::kernel::contract::{classifier, confidence, doom_loop, risk};
use countersign_classifier::TaskRules;
use countersign_confidence::SignalFusion;
use countersign_doom_loop::CircuitBreaker;
use countersign_risk::RiskMatrix;
use countersign_sdk::classifier::Classifier;
use countersign_sdk::confidence::Confidence;
use countersign_sdk::doom_loop::DoomLoop;
use countersign_sdk::risk::Risk;
use countersign_sdk::testing::TestRun;
use countersign_sdk::{Boundary, Policy};

use super::questions;
use crate::measure::Work;

/// Inputs that are ready at once: few enough to stay in the cache.
const READY: usize = 256;

/// Calls a function with clones of its inputs, in turn.
struct Native<Input, Call> {
    inputs: Vec<Input>,
    next: usize,
    ready: Vec<Input>,
    call: Call,
}

impl<Input: Clone, Output, Call: FnMut(Input) -> Output> Work for Native<Input, Call> {
    fn most(&self) -> usize {
        READY
    }

    fn prepare(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            self.ready.push(self.inputs[self.next].clone());
            self.next = (self.next + 1) % self.inputs.len();
        }
        Ok(())
    }

    fn run(&mut self, _: usize) -> Result<()> {
        for input in self.ready.drain(..) {
            drop(black_box((self.call)(black_box(input))));
        }
        Ok(())
    }
}

fn native<Input, Output, Call>(inputs: Vec<Input>, call: Call) -> Box<dyn Work>
where
    Input: Clone + 'static,
    Output: 'static,
    Call: FnMut(Input) -> Output + 'static,
{
    Box::new(Native { inputs, next: 0, ready: Vec::with_capacity(READY), call })
}

/// A policy with the configuration that the bundle gives it.
fn configured<P: Policy>(host: &Host, slot: Slot) -> Result<P> {
    let (_, entry) = super::entry(host, slot)?;
    let configuration: P::Configuration = serde_json::from_str(&entry.configuration)?;
    P::configure(configuration).ok().with_context(|| format!("{} refuses its configuration", P::NAME))
}

/// What the view of the components' run says.
fn view() -> TestRun {
    let boundary =
        Boundary { blast_radius_limit: Some(questions::BLAST_RADIUS_LIMIT), tools: questions::TOOLS.len() as u32 };
    TestRun { boundary: Some(boundary), ..TestRun::default() }
}

pub fn classifier(host: &Host) -> Result<Box<dyn Work>> {
    let (mut policy, view) = (configured::<TaskRules>(host, Slot::Classifier)?, view());
    Ok(native(vec![of_task(&questions::task())], move |task| policy.classify(task, &view)))
}

pub fn confidence(host: &Host) -> Result<Box<dyn Work>> {
    let (mut policy, view) = (configured::<SignalFusion>(host, Slot::Confidence)?, view());
    Ok(native(vec![of_answer(&questions::answer())], move |answer| policy.judge(answer, &view)))
}

pub fn risk(host: &Host) -> Result<Box<dyn Work>> {
    let (mut policy, view) = (configured::<RiskMatrix>(host, Slot::Risk)?, view());
    Ok(native(vec![of_action(&questions::action(questions::BLAST_RADIUS))], move |action| policy.judge(action, &view)))
}

pub fn doom_loop(host: &Host) -> Result<Box<dyn Work>> {
    let (mut policy, view) = (configured::<CircuitBreaker>(host, Slot::DoomLoop)?, view());
    let steps = (0..questions::CALLS).map(|call| of_step(&questions::step(call))).collect();
    Ok(native(steps, move |step| policy.observe(step, &view)))
}

fn of_task(task: &classifier::Task) -> countersign_sdk::classifier::Task {
    use countersign::kernel::contract::Tier as KernelTier;
    use countersign_sdk::classifier::{SideEffect, Task, Tier, TierOffer};
    Task {
        goal: task.goal.to_string(),
        prompt: task.prompt.to_string(),
        tools: task.tools.iter().map(ToString::to_string).collect(),
        step_estimate: task.step_estimate,
        side_effects: match task.side_effects {
            classifier::SideEffect::None => SideEffect::None,
            classifier::SideEffect::Reversible => SideEffect::Reversible,
            classifier::SideEffect::Irreversible => SideEffect::Irreversible,
        },
        tiers: task
            .tiers
            .iter()
            .map(|offer| TierOffer {
                tier: match offer.tier {
                    KernelTier::Cheap => Tier::Cheap,
                    KernelTier::Mid => Tier::Mid,
                    KernelTier::Strong => Tier::Strong,
                },
                cheapest_call: offer.cheapest_call,
            })
            .collect(),
        past: Vec::new(),
    }
}

fn of_answer(answer: &confidence::Answer) -> countersign_sdk::confidence::Answer {
    use countersign_sdk::confidence::{Answer, Compliance, ModelKind, Orientation, Signal, Stakes};
    Answer {
        signals: answer
            .signals
            .iter()
            .map(|signal| Signal {
                name: signal.name.to_string(),
                value: signal.value,
                orientation: match signal.orientation {
                    confidence::Orientation::Confidence => Orientation::Confidence,
                    confidence::Orientation::Doubt => Orientation::Doubt,
                    confidence::Orientation::Entropy => Orientation::Entropy,
                },
            })
            .collect(),
        // As `questions::answer` has them.
        stakes: Stakes::Low,
        compliance: Compliance::None,
        model: ModelKind::General,
        evidence: answer.evidence,
        may_investigate: answer.may_investigate,
    }
}

fn of_action(action: &risk::ProposedAction) -> countersign_sdk::risk::ProposedAction {
    use countersign_sdk::risk::{Compliance, Novelty, ProposedAction, Reversibility, ToolCategory};
    ProposedAction {
        tool: action.tool.to_string(),
        arguments: action.arguments.to_string(),
        blast_radius: action.blast_radius,
        working_context: action.working_context.to_string(),
        confidence: action.confidence,
        // As `questions::action` has them.
        category: ToolCategory::FileSystem,
        reversibility: Reversibility::Reversible,
        compliance: Compliance::None,
        novelty: Novelty::NewArguments,
    }
}

fn of_step(step: &doom_loop::ObservedStep) -> countersign_sdk::doom_loop::ObservedStep {
    countersign_sdk::doom_loop::ObservedStep {
        index: step.index,
        action: step.action.to_string(),
        call_key: step.call_key.map(|key| key.0),
        result_key: step.result_key.map(|key| key.0),
        state_before: step.state_before.map(|key| key.0),
        state_after: step.state_after.map(|key| key.0),
        // As `questions::step` has it.
        failure: None,
        mutating: step.mutating,
        poller: step.poller,
        internal: step.internal,
        user_boundary: step.user_boundary,
        action_bytes: step.action_bytes,
        result_bytes: step.result_bytes,
        drift: step.drift,
    }
}
