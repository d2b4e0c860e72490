//! A run that goes on: every step calls a model, then a tool, and both give what lets it go on.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use countersign::engine::NoHistory;
use countersign::kernel::contract::confidence::Signal;
use countersign::kernel::contract::risk::Reversibility;
use countersign::kernel::contract::{Tier, ToolCategory};
use countersign::kernel::{
    Action, Closed, Effect, Input, Observation, Outcome, Reply, Run, StepReply, StepStatus, Touched, Usage,
};
use countersign::spec::tool::SideEffectClass;
use countersign::spec::{Goal, Manifest, Model, Tool};
use countersign::{Host, Judges};

use super::questions::{self, key};

/// What every run here is pinned to. `show_budget` lets policies see the boundary, and the caps:
/// the default loop detector ends a run at its fiftieth step where it sees them.
pub fn manifest(host: &Host, show_budget: bool) -> Result<Manifest> {
    let model = Model { input_price: 100, output_price: 400, ..Model::new(Tier::Cheap, "bench") };
    let tools: Vec<Tool> = questions::TOOLS.map(tool).to_vec();
    let mut manifest = host.manifest("bench", Goal::new(questions::GOAL), vec![model], tools)?;
    manifest.boundary.blast_radius_limit = Some(questions::BLAST_RADIUS_LIMIT);
    manifest.boundary.working_context = questions::WORKING_CONTEXT.into();
    manifest.show_budget = show_budget;
    Ok(manifest)
}

fn tool(name: &str) -> Tool {
    Tool {
        reversibility: Reversibility::Reversible,
        side_effect: SideEffectClass::ReadOnly,
        external: false,
        blast_radius: Some(questions::BLAST_RADIUS),
        ..Tool::new(name, ToolCategory::FileSystem)
    }
}

/// The run, its policies, and what its models and tools say.
pub struct Running {
    run: Run,
    judges: Judges,
    /// Number of the model call that the run waits for.
    call: u64,
    arguments: Vec<Arc<str>>,
    tool: Arc<str>,
    words: Arc<str>,
    result: Arc<str>,
    signals: Vec<Signal>,
}

impl Running {
    /// Starts it: the classifier has judged and a model is to be called.
    pub fn start(host: &Host) -> Result<Self> {
        let run = Run::open(Arc::new(manifest(host, false)?))?;
        let judges = host.open(&run)?;
        let mut running = Running {
            run,
            judges,
            call: 0,
            arguments: (0..questions::CALLS).map(|call| questions::arguments(call).into()).collect(),
            tool: questions::TOOLS[0].into(),
            words: "look at the next part of the parser".into(),
            result: questions::RESULT.into(),
            signals: questions::signals(),
        };
        let started = running.take(Input::Started)?;
        running.call = model_call(&started)?;
        Ok(running)
    }

    /// What policies see of it now.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// One step: the frame of a reply with two verdicts, the frame of an observation with one.
    pub fn step(&mut self) -> Result<[Closed; 2]> {
        let replied = self.reply();
        let replied = self.take(replied)?;
        let [.., Effect::Dispatch { call, .. }] = replied.effects[..] else {
            bail!("no tool is to be called, the run is {:?}", self.run.status());
        };
        let observed = self.take(Input::Observed { call, observation: self.observation(call) })?;
        self.call = model_call(&observed)?;
        Ok([replied, observed])
    }

    /// One frame, kept nowhere: storing is not what is measured.
    fn take(&mut self, input: Input) -> Result<Closed> {
        self.run.accept(0, input)?;
        while let Some(request) = self.run.request() {
            let (entry, question, view) = (request.entry, Arc::clone(request.question), Arc::clone(&request.view));
            drop(request);
            let policy = self.judges.session(entry).context("an entry of the run is not in the bundle")?;
            let outcome = policy.judge(&question, view, &mut NoHistory);
            if outcome.failure.is_some() {
                bail!("a policy could not decide");
            }
            self.run.answer(outcome.judged)?;
        }
        Ok(self.run.close()?)
    }

    fn reply(&self) -> Input {
        let arguments = &self.arguments[self.call as usize % self.arguments.len()];
        Input::Replied {
            call: self.call,
            reply: Reply::Step(StepReply {
                step: Arc::clone(&self.words),
                action: Action::Call {
                    tool: Arc::clone(&self.tool),
                    arguments: Arc::clone(arguments),
                    key: key(self.call),
                    invalid: None,
                    missing: Vec::new(),
                    payload: None,
                    touches: Touched::default(),
                },
                reasoning: Arc::clone(&self.words),
                status: StepStatus::Ok,
                confidence: Some(0.9),
                signals: self.signals.clone(),
                bytes: 240,
                unwrapped: Vec::new(),
            }),
            usage: Usage { input_tokens: 900, output_tokens: 80, cost: 122, estimated: false },
            request: None,
        }
    }

    fn observation(&self, call: u64) -> Observation {
        let outcome = Outcome::Returned { exit_code: Some(0), ok: true };
        Observation { result_key: Some(key(call ^ (1 << 40))), ..Observation::new(outcome, Arc::clone(&self.result)) }
    }
}

fn model_call(closed: &Closed) -> Result<u64> {
    match closed.effects[..] {
        [.., Effect::CallModel { call, .. }] => Ok(call),
        _ => bail!("no model is to be called, the run did not go on"),
    }
}
