//! The loop: take an input, have it judged, make the frame durable, act on it.

use std::sync::Arc;
use std::time::Duration;

use countersign_engine::Outcome;
use countersign_kernel::contract::Tier;
use countersign_kernel::state::Memory;
use countersign_kernel::{
    Closed, Code, Effect, Frame, Input, InputError, ModelRequest, Observation, Reply, Report, Run, Status, Usage,
    Verification, Verifier,
};
use countersign_store::{Store, StoreError};

use crate::host::Judges;
use crate::mcp::ToolsReport;
use crate::operations::Operations;

/// What a run acts on.
pub trait World {
    /// Milliseconds since the run began; never goes back.
    fn now(&mut self) -> u64;

    /// Whether a person has stopped the run.
    fn cancelled(&mut self) -> bool {
        false
    }

    /// Calls a model of a tier, by its id.
    fn call_model(&mut self, tier: Tier, model: &str, request: &ModelRequest, max_output_tokens: u64)
    -> (Reply, Usage);

    /// Calls a tool. `arguments` are canonical and without secrets: the world holds what it gave
    /// with the reply. The key is the same for every try of one call.
    fn dispatch(&mut self, tool: &str, arguments: &Arc<str>, idempotency_key: Option<&str>) -> Observation;

    /// Looks at the observation of the last call.
    fn verify(&mut self, verifier: &Verifier) -> Verification;

    /// Waits before something is tried again.
    fn wait(&mut self, milliseconds: u64) {
        std::thread::sleep(Duration::from_millis(milliseconds));
    }

    /// Keeps something for later runs.
    fn remember(&mut self, _memory: &Memory) {}

    /// Asks a person who is at hand; none leaves the run suspended.
    fn person(&mut self, _code: Code, _report: &Report) -> Option<Input> {
        None
    }
}

/// Who watches.
pub trait Observer {
    /// Something about the tools of MCP servers that a person should know before the run begins.
    fn tools(&mut self, _report: &ToolsReport) {}

    /// A policy has answered.
    fn judged(&mut self, _entry: &str, _outcome: &Outcome) {}

    /// A frame is durable.
    fn frame(&mut self, _run: &Run, _frame: &Frame) {}
}

/// Watches nothing.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Observer for Silent {}

/// A run that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// Its trace cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The world gave an input that the run does not expect.
    #[error("the run cannot take what came back: {0}")]
    Input(#[from] InputError),
}

/// Drives a run until it is suspended or has ended. `first` is what begins it, or takes it up again.
///
/// # Errors
/// When a frame cannot be made durable, or the world breaks its word.
pub fn drive(
    run: &mut Run,
    first: Input,
    judges: &mut Judges,
    store: &mut dyn Store,
    world: &mut dyn World,
    operations: &mut Operations,
    observer: &mut dyn Observer,
) -> Result<Status, DriveError> {
    judges.shadow().heed(operations);
    judges.shadow().begin(run, store);
    let mut next = Some(first);
    while let Some(input) = next.take() {
        run.accept(world.now(), input)?;
        judges.settle(run, store, |entry, outcome| observer.judged(entry, outcome))?;
        let Closed { frame, effects, sampled, .. } = run.close()?;
        // What a frame asks for starts after the frame is durable, never before.
        store.append(&frame)?;
        judges.shadow().heed(operations);
        judges.shadow().hear(frame.frame, sampled);
        operations.watch(run, &frame);
        observer.frame(run, &frame);
        // What was under way has come back and is booked; nothing more is begun.
        if world.cancelled() && !matches!(run.status(), Status::Ended(_)) {
            next = Some(Input::Cancelled);
            continue;
        }
        for effect in effects {
            if let Some(input) = act(run, world, operations, effect) {
                next = Some(input);
            }
        }
    }
    store.finish()?;
    Ok(run.status())
}

/// Carries an effect out; its answer, where one comes back.
fn act(run: &Run, world: &mut dyn World, operations: &mut Operations, effect: Effect) -> Option<Input> {
    let held = match operations.admit(run, &effect) {
        Ok(held) => held,
        // Not done: the run is told instead.
        Err(input) => return Some(*input),
    };
    match effect {
        Effect::CallModel { call, tier, model, request, max_output_tokens, .. } => {
            let (reply, usage) = world.call_model(tier, &model, &request, max_output_tokens);
            operations.settle(usage, held);
            // A call that a person broke off says nothing of the model.
            if !(world.cancelled() && matches!(reply, Reply::Unavailable { .. })) {
                operations.replied(run, &reply);
            }
            Some(Input::Replied { call, reply, usage })
        }
        Effect::Dispatch { call, tool, arguments, idempotency_key, demand } => {
            let observation = world.dispatch(&tool, &arguments, idempotency_key.as_deref());
            operations.observed(&observation, &demand, held);
            Some(Input::Observed { call, observation })
        }
        Effect::Wait { wait, milliseconds } => {
            world.wait(milliseconds);
            Some(Input::Waited { wait })
        }
        Effect::Verify { call, verifier } => Some(Input::Verified { call, verification: world.verify(&verifier) }),
        Effect::Remember(memory) => {
            world.remember(&memory);
            None
        }
        Effect::Suspend { code, ref report } => {
            tell(run, operations, &effect);
            world.person(code, report)
        }
        // Where the host drives, no agent is waited for.
        Effect::Await { .. } => None,
        Effect::Notify { .. } | Effect::Alarm { .. } | Effect::Report { .. } | Effect::End { .. } => {
            tell(run, operations, &effect);
            None
        }
    }
}

/// Tells people what an effect has to tell them.
pub(crate) fn tell(run: &Run, operations: &mut Operations, effect: &Effect) {
    match effect {
        Effect::Notify { text } => operations.notify(run, text),
        Effect::Alarm { severity, reason } => operations.alarm(run, *severity, reason),
        Effect::Report { code, report } | Effect::Suspend { code, report } => operations.suspended(run, *code, report),
        Effect::End { code, reason, authority } => operations.ended(run, *code, reason, authority.as_ref()),
        _ => {}
    }
}
