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
use countersign_classifier::TaskRules;
use countersign_confidence::SignalFusion;
use countersign_doom_loop::CircuitBreaker;
use countersign_estimator::RateInterval;
use countersign_risk::RiskMatrix;
use countersign_sdk::classifier::Classifier;
use countersign_sdk::confidence::Confidence;
use countersign_sdk::doom_loop::DoomLoop;
use countersign_sdk::estimator::Estimator;
use countersign_sdk::risk::Risk;
use countersign_sdk::testing::TestRun;
use countersign_sdk::{Boundary, Policy};
use countersign_tests::slots;

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
    Ok(native(vec![slots::classifier::to_sdk(&questions::task())], move |task| policy.classify(task, &view)))
}

pub fn confidence(host: &Host) -> Result<Box<dyn Work>> {
    let (mut policy, view) = (configured::<SignalFusion>(host, Slot::Confidence)?, view());
    Ok(native(vec![slots::confidence::to_sdk(&questions::answer())], move |answer| policy.judge(answer, &view)))
}

pub fn risk(host: &Host) -> Result<Box<dyn Work>> {
    let (mut policy, view) = (configured::<RiskMatrix>(host, Slot::Risk)?, view());
    Ok(native(vec![slots::risk::to_sdk(&questions::action(questions::BLAST_RADIUS))], move |action| {
        policy.judge(action, &view)
    }))
}

pub fn doom_loop(host: &Host) -> Result<Box<dyn Work>> {
    let (mut policy, view) = (configured::<CircuitBreaker>(host, Slot::DoomLoop)?, view());
    let steps = (0..questions::CALLS).map(|call| slots::doom_loop::to_sdk(&questions::step(call))).collect();
    Ok(native(steps, move |step| policy.observe(step, &view)))
}

pub fn estimator(host: &Host) -> Result<Box<dyn Work>> {
    let (mut policy, view) = (configured::<RateInterval>(host, Slot::Estimator)?, view());
    Ok(native(vec![slots::estimator::to_sdk(&questions::progress())], move |progress| policy.estimate(progress, &view)))
}
