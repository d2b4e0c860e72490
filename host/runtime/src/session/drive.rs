//! The loop where the host drives: what a frame asks for is done, and what comes of it is the next input.

use std::sync::Arc;
use std::time::Duration;

use countersign_kernel::contract::{Digest, Tier};
use countersign_kernel::{
    Action, Code, Effect, Input, ModelRequest, Observation, Outcome, Reply, Report, Status, Usage, Verification,
};
use countersign_spec::state::Memory;
use countersign_spec::{Tool, Verifier};

use countersign_tools::Inspected;
use countersign_tools::registry::SHOWN;

use super::{Observer, Session, SessionError, Task, unrecorded};

/// What a run acts on.
pub trait World {
    /// Milliseconds since the run began; never goes back.
    fn now(&mut self) -> u64;

    /// Whether a person has stopped the run.
    fn cancelled(&mut self) -> bool {
        false
    }

    /// Calls a model of a tier, by its id.
    fn call_model(&mut self, tier: Tier, model: &str, request: &ModelRequest, max_output_tokens: u64) -> ModelAnswer;

    /// Calls a tool with these very arguments: canonical JSON, secrets in their places. The key is the same for every
    /// try of one call.
    fn dispatch(&mut self, tool: &str, arguments: &Arc<str>, idempotency_key: Option<&str>) -> Observation;

    /// All that the tool of the last call gave, before anything in it was replaced. Without it what a model is told of the
    /// result cannot be turned back where the model hands it on, and a call that does so is refused.
    fn said(&mut self) -> Option<String> {
        None
    }

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

/// What a model has answered.
#[derive(Debug)]
pub struct ModelAnswer {
    /// As it is judged and recorded: secrets replaced.
    pub reply: Reply,
    /// Canonical arguments as the tool is to receive them, where the answer calls one. The session keeps them in its
    /// vault.
    pub arguments: Option<String>,
    /// What the call used.
    pub usage: Usage,
    /// Digest of the request as it was sent, [`sha256`](countersign_kernel::contract::sha256) of its bytes; none where none was.
    pub request: Option<Digest>,
}

impl Session {
    /// Drives the run until it is suspended or has ended. `first` is what begins it, or takes it up again.
    ///
    /// # Errors
    /// When a frame cannot be made durable, or the world breaks its word.
    pub fn drive(
        &mut self,
        first: Input,
        world: &mut dyn World,
        watch: &mut dyn Observer,
    ) -> Result<Status, SessionError> {
        let mut next = Some(first);
        let mut said: Option<(Arc<str>, String)> = None;
        while let Some(input) = next.take() {
            let made = self.made(&input);
            let turn = self.take(world.now(), input, watch)?;
            if let (Some(inspected), Some((tool, said))) = (self.calls.inspected.take(), said.take()) {
                self.know(&tool, &said, inspected.replaced());
            }
            // What the frame asks for begins when it survives this process at least.
            self.record.flush().map_err(|error| unrecorded(made, error))?;
            // What was under way has come back and is booked; nothing more is begun.
            if world.cancelled() && !matches!(self.run.status(), Status::Ended(_)) {
                next = Some(Input::Cancelled);
                continue;
            }
            for task in turn.tasks {
                if let Effect::Dispatch { tool, .. } = &task.effect
                    && self.run.manifest().tool(tool).is_none_or(Tool::mutating)
                {
                    // What acts on the world begins after its frame survives even the machine.
                    self.record.sync()?;
                }
                let tool = match &task.effect {
                    Effect::Dispatch { tool, .. } => Some(Arc::clone(tool)),
                    _ => None,
                };
                if let Some(mut input) = self.act(world, task) {
                    said = tool.zip(world.said());
                    if let (Some((_, said)), Input::Observed { observation, .. }) = (&said, &mut input) {
                        // Where the world told something else of the call, nobody knows where it stands in what was said.
                        let inspected = Inspected::of(said, SHOWN, &self.salt, Vec::new());
                        let mut inspected = (inspected.text == observation.text).then_some(inspected);
                        let known = self.marks.known_in(said, &self.salt);
                        if let Some(inspected) = inspected.as_mut().filter(|_| !known.is_empty()) {
                            *inspected = Inspected::of(said, SHOWN, &self.salt, known);
                            observation.text = Arc::clone(&inspected.text);
                        }
                        self.calls.inspected = inspected;
                    }
                    next = Some(input);
                }
            }
        }
        Ok(self.run.status())
    }

    /// Carries out what a frame asks for; its answer, where one comes back.
    fn act(&mut self, world: &mut dyn World, Task { effect, held }: Task) -> Option<Input> {
        match effect {
            Effect::CallModel { call, tier, model, request, max_output_tokens, .. } => {
                let request = self.told_again(request);
                let answer = world.call_model(tier, &model, &request, max_output_tokens);
                let answer = self.turned_back(answer);
                self.hold_for(&answer);
                let ModelAnswer { reply, usage, request, .. } = answer;
                self.operations.settle(usage, held);
                // A call that a person broke off says nothing of the model.
                if !(world.cancelled() && matches!(reply, Reply::Unavailable { .. })) {
                    self.operations.replied(&self.run, &reply);
                }
                let request = request.map(|digest| Arc::clone(digest.as_str()));
                Some(Input::Replied { call, reply, usage, request })
            }
            Effect::Dispatch { call, tool, arguments, payload, idempotency_key, demand } => {
                let observation = match self.exact(&arguments, payload.as_ref()) {
                    Ok(exact) => world.dispatch(&tool, &exact, idempotency_key.as_deref()),
                    Err(problem) => Observation::new(Outcome::Rejected, problem.into()),
                };
                self.operations.observed(&observation, &demand, held);
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
            Effect::Suspend { code, ref report } => self.rule_for(report).or_else(|| world.person(code, report)),
            // Where the host drives, no agent is waited for; the rest was told.
            Effect::Await { .. }
            | Effect::Notify { .. }
            | Effect::Alarm { .. }
            | Effect::Report { .. }
            | Effect::End { .. } => None,
        }
    }

    /// Holds the exact arguments of the call that an answer wants.
    pub(super) fn hold_for(&mut self, answer: &ModelAnswer) {
        if let (Reply::Step(step), Some(exact)) = (&answer.reply, &answer.arguments)
            && let Action::Call { payload: Some(payload), .. } = &step.action
        {
            self.hold(payload, exact);
        }
    }
}
