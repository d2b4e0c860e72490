//! The loop: take an input, have it judged, make the frame durable, act on it.

use std::sync::Arc;

use countersign_engine::Outcome;
use countersign_kernel::contract::Tier;
use countersign_kernel::{
    Effect, Frame, Input, InputError, ModelRequest, Observation, Reply, Run, Status, Usage, Verification, Verifier,
};
use countersign_store::{Store, StoreError};

use crate::host::Judges;

/// What a run acts on.
pub trait World {
    /// Milliseconds since the run began; never goes back.
    fn now(&mut self) -> u64;

    /// Whether a person has stopped the run.
    fn cancelled(&mut self) -> bool {
        false
    }

    /// Calls a model.
    fn call_model(&mut self, tier: Tier, request: &ModelRequest, max_output_tokens: u64) -> (Reply, Usage);

    /// Calls a tool. `arguments` are canonical and without secrets: the world holds what it gave
    /// with the reply.
    fn dispatch(&mut self, tool: &str, arguments: &Arc<str>) -> Observation;

    /// Looks at the observation of the last call.
    fn verify(&mut self, verifier: Verifier) -> Verification;
}

/// Who watches.
pub trait Observer {
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

/// Drives a run until it is suspended or has ended.
///
/// # Errors
/// When a frame cannot be made durable, or the world breaks its word.
pub fn drive(
    run: &mut Run,
    judges: &mut Judges,
    store: &mut dyn Store,
    world: &mut dyn World,
    observer: &mut dyn Observer,
) -> Result<Status, DriveError> {
    let mut next = Some(Input::Started);
    while let Some(input) = next.take() {
        let input = if world.cancelled() { Input::Cancelled } else { input };
        run.accept(world.now(), input)?;
        judges.settle(run, store, |entry, outcome| observer.judged(entry, outcome))?;
        let closed = run.close()?;
        // What a frame asks for starts after the frame is durable, never before.
        store.append(&closed.frame)?;
        observer.frame(run, &closed.frame);
        for effect in closed.effects {
            if let Some(input) = act(world, effect) {
                next = Some(input);
            }
        }
    }
    store.finish()?;
    Ok(run.status())
}

/// Carries an effect out; its answer, where one comes back.
fn act(world: &mut dyn World, effect: Effect) -> Option<Input> {
    match effect {
        Effect::CallModel { call, tier, request, max_output_tokens } => {
            let (reply, usage) = world.call_model(tier, &request, max_output_tokens);
            Some(Input::Replied { call, reply, usage })
        }
        Effect::Dispatch { call, tool, arguments } => {
            Some(Input::Observed { call, observation: world.dispatch(&tool, &arguments) })
        }
        Effect::Verify { call, verifier } => Some(Input::Verified { call, verification: world.verify(verifier) }),
        Effect::Notify { .. } | Effect::Suspend { .. } | Effect::End { .. } => None,
    }
}
