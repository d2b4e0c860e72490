//! A run without policies, driven by hand: what a test says that models, tools and people do.

use std::sync::Arc;

use countersign_kernel::contract::risk::Reversibility;
use countersign_kernel::contract::{CONTRACT, Key, Tier, ToolCategory, Verdict};
use countersign_kernel::{
    Action, Answered, Decision, Effect, Event, Input, Judged, Observation, Outcome, Question, Reply, Run, Slot, Status,
    StepReply, StepStatus, Touched, Unavailability, Usage, Verification,
};
use countersign_spec::boundary::Boundary;
use countersign_spec::budget::Limits;
use countersign_spec::plan::PlanStep;
use countersign_spec::tool::SideEffectClass;
use countersign_spec::{
    Driver, EntryPin, EscalationRules, Goal, HostRules, KERNEL_RULES, Manifest, Mode, Model, PolicyMode, SlotPin,
    TRACE_FORMAT, Tool,
};

/// A manifest with one model, two harmless tools and no policies.
pub fn manifest() -> Manifest {
    let tools = vec![reading("read"), writing("write")];
    let names = tools.iter().map(|tool| Arc::clone(&tool.name)).collect();
    let graph = match toml::from_str(include_str!("../../../runtime/presets/graph.toml")) {
        Ok(graph) => graph,
        Err(error) => panic!("{error}"),
    };
    Manifest {
        format: TRACE_FORMAT,
        kernel_rules: KERNEL_RULES,
        run: "r".into(),
        tenant: None,
        agent: "a".into(),
        started: 0,
        seed: 7,
        mode: Mode::Enforce,
        driver: Driver::Host,
        goal: Goal::new("do it"),
        boundary: Boundary::new("b", names),
        graph_digest: "g".into(),
        graph: Arc::new(graph),
        rules: HostRules::default(),
        limits: Limits { steps: 20, retries: 20, reflections: 5, ..Limits::UNLIMITED },
        ceilings: Limits::UNLIMITED,
        show_budget: true,
        slot_modes: std::collections::BTreeMap::new(),
        plan: vec![],
        escalation: EscalationRules { failed_attempts: 3, max_escalations: 0, table: vec![] },
        models: vec![model(Tier::Cheap)],
        tools,
        memory: vec![],
        specialists: vec![],
        reliability: None,
        past: vec![],
        request_overhead: 0,
        prompt_templates: "t".into(),
        lock: "l".into(),
        contract: CONTRACT.into(),
        engine: "e".into(),
        entries: vec![],
        source: None,
        approvers: Vec::new(),
    }
}

pub fn model(tier: Tier) -> Model {
    Model { input_price: 1000, output_price: 1000, max_output_tokens: 100, ..Model::new(tier, "m") }
}

/// A tool that only reads.
pub fn reading(name: &str) -> Tool {
    Tool {
        side_effect: SideEffectClass::ReadOnly,
        reversibility: Reversibility::Reversible,
        external: false,
        ..Tool::new(name, ToolCategory::ReadOnlyLookup)
    }
}

/// A tool that changes the working folder, and can be undone.
pub fn writing(name: &str) -> Tool {
    Tool {
        side_effect: SideEffectClass::LocalWrite,
        reversibility: Reversibility::Reversible,
        external: false,
        blast_radius: Some(1),
        ..Tool::new(name, ToolCategory::Sandbox)
    }
}

/// A call; the number tells one from another.
pub fn call(tool: &str, number: u64) -> Action {
    Action::Call {
        tool: tool.into(),
        arguments: format!("{{\"n\":{number}}}").into(),
        key: Key(number + tool.bytes().map(u64::from).sum::<u64>() * 1000),
        invalid: None,
        missing: vec![],
        payload: None,
        touches: Touched::default(),
    }
}

pub fn finish(claims: &[&str]) -> Action {
    Action::Finish { summary: "done".into(), claims: claims.iter().map(|tool| Arc::from(*tool)).collect() }
}

pub fn step(id: &str, tool: &str, after: &[&str]) -> PlanStep {
    PlanStep {
        id: id.into(),
        does: id.into(),
        tool: Some(tool.into()),
        after: after.iter().map(|name| Arc::from(*name)).collect(),
        parent: None,
        signature: Key(id.bytes().map(u64::from).sum()),
    }
}

/// Answers every question that a run asks.
pub type Policy = Box<dyn FnMut(&Question) -> Answered>;

/// One entry that fills these slots.
pub fn entry(slots: &[Slot], mode: PolicyMode) -> EntryPin {
    let pin = |slot: &Slot| SlotPin { slot: *slot, mode, failure_verdict: Verdict::Ask };
    EntryPin {
        name: "p".into(),
        policy: "p@1.0.0".into(),
        component: "c".into(),
        configuration: "c".into(),
        slots: slots.iter().map(pin).collect(),
    }
}

/// A run and everything that happened in it.
pub struct Loop {
    pub run: Run,
    policy: Option<Policy>,
    pub at: u64,
    pub events: Vec<Event>,
    effects: Vec<Effect>,
    names: u64,
    decisions: u64,
}

impl Loop {
    /// Started, and waiting for its first model call unless something is in the way.
    pub fn start(manifest: Manifest) -> Self {
        Loop::begin(manifest, None)
    }

    /// The same with a policy.
    pub fn judged(manifest: Manifest, policy: impl FnMut(&Question) -> Answered + 'static) -> Self {
        Loop::begin(manifest, Some(Box::new(policy)))
    }

    fn begin(manifest: Manifest, policy: Option<Policy>) -> Self {
        let run = match Run::open(Arc::new(manifest)) {
            Ok(run) => run,
            Err(error) => panic!("{error}"),
        };
        let mut driven = Loop { run, policy, at: 0, events: vec![], effects: vec![], names: 0, decisions: 0 };
        driven.give(Input::Started);
        driven
    }

    /// Gives an input at this moment; waits that the run asks for pass at once.
    pub fn give(&mut self, input: Input) {
        let mut input = Some(input);
        while let Some(next) = input.take() {
            if let Err(error) = self.run.accept(self.at, next) {
                panic!("{error}, after {:#?}", self.events.last());
            }
            while let Some(request) = self.run.request() {
                let Some(policy) = &mut self.policy else { panic!("nobody is to be asked here") };
                let answer = policy(request.question);
                drop(request);
                if let Err(error) = self.run.answer(Judged { answer, reads: vec![], fuel: 1 }) {
                    panic!("{error}");
                }
            }
            match self.run.close() {
                Ok(closed) => {
                    self.events.extend(closed.frame.events);
                    self.effects = closed.effects;
                }
                Err(error) => panic!("{error}"),
            }
            input = self.effects.iter().find_map(|effect| match effect {
                Effect::Wait { wait, milliseconds } => {
                    self.at += milliseconds;
                    Some(Input::Waited { wait: *wait })
                }
                _ => None,
            });
        }
    }

    /// The model answers with an action, each under another step's name.
    pub fn does(&mut self, action: Action) -> &mut Self {
        self.names += 1;
        let name = format!("step {}", self.names);
        self.says(&name, action)
    }

    /// The same under a given name: failed attempts are counted by it.
    pub fn says(&mut self, name: &str, action: Action) -> &mut Self {
        let reply = Reply::Step(StepReply {
            step: name.into(),
            action,
            reasoning: "because".into(),
            status: StepStatus::Ok,
            confidence: Some(0.9),
            signals: vec![],
            bytes: 10,
            unwrapped: vec![],
        });
        self.replies(reply)
    }

    /// An agent that owns the loop proposes an action.
    pub fn proposes(&mut self, action: Action) -> &mut Self {
        self.does(action)
    }

    pub fn replies(&mut self, reply: Reply) -> &mut Self {
        // An agent is still waited for after a person has decided.
        let call = self.run.awaited().unwrap_or_else(|| {
            self.wanted(|effect| match effect {
                Effect::CallModel { call, .. } => Some(*call),
                _ => None,
            })
        });
        let usage = Usage { input_tokens: 100, output_tokens: 10, cost: 110, estimated: false };
        self.give(Input::Replied { call, reply, usage, request: Some("sha256:r".into()) });
        self
    }

    pub fn is_unavailable(&mut self, class: Unavailability) -> &mut Self {
        self.replies(Reply::Unavailable { reason: "gone".into(), class, retry_after: None })
    }

    /// The tool that was dispatched answers well.
    pub fn answers(&mut self, text: &str) -> &mut Self {
        self.observes(Observation::new(Outcome::Returned { exit_code: Some(0), ok: true }, text.into()))
    }

    pub fn fails(&mut self) -> &mut Self {
        self.observes(Observation::new(Outcome::Returned { exit_code: Some(1), ok: false }, "no".into()))
    }

    pub fn observes(&mut self, observation: Observation) -> &mut Self {
        let call = self.wanted(|effect| match effect {
            Effect::Dispatch { call, .. } => Some(*call),
            _ => None,
        });
        self.give(Input::Observed { call, observation });
        self
    }

    /// The verifier that was asked has looked.
    pub fn verifies(&mut self, holds: bool, drifted: bool) -> &mut Self {
        let (call, verifier) = self.wanted(|effect| match effect {
            Effect::Verify { call, verifier } => Some((*call, verifier.clone())),
            _ => None,
        });
        let verification = Verification { verifier, holds, detail: "looked".into(), drifted };
        self.give(Input::Verified { call, verification });
        self
    }

    /// A person decides.
    pub fn decides(&mut self, decision: Decision) -> &mut Self {
        self.decisions += 1;
        let id = format!("d{}", self.decisions).into();
        self.give(Input::Decided { id, by: "ada".into(), decision, given: None });
        self
    }

    pub fn approves(&mut self) -> &mut Self {
        let fingerprint = self.run.awaits().map(|approval| Arc::clone(&approval.fingerprint));
        self.decides(Decision::Approved { fingerprint: fingerprint.unwrap_or_default() })
    }

    fn wanted<T>(&self, find: impl Fn(&Effect) -> Option<T>) -> T {
        match self.effects.iter().find_map(find) {
            Some(found) => found,
            None => panic!("the run waits for something else: {:?} {:#?}", self.run.status(), self.events.last()),
        }
    }

    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }

    pub fn status(&self) -> Status {
        self.run.status()
    }

    /// How many events are of a kind.
    pub fn count(&self, is: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|event| is(event)).count()
    }

    /// Calls dispatched.
    pub fn dispatched(&self) -> usize {
        self.count(|event| matches!(event, Event::Dispatched { .. }))
    }

    /// The reason of the last call that was blocked, with its stage and response.
    pub fn blocked(&self) -> Option<(&'static str, &'static str, &str)> {
        self.events.iter().rev().find_map(|event| match event {
            Event::Blocked { stage, response, reason, .. } => Some((stage.name(), response.name(), reason.as_str())),
            _ => None,
        })
    }
}
