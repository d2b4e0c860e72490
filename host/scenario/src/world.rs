//! The world of a scenario: its models and people, scripted or real, its tools, its clock.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use countersign::session::{ModelAnswer, World};
use countersign_kernel::contract::{Tier, sha256};
use countersign_kernel::{
    Code, Decision, Input, ModelRequest, Observation, Outcome, Purpose, Reply, Report, Usage, Verification,
};
use countersign_models::{Client, Parsed, Tools, injected_tools, parse_patch, parse_step, render};
use countersign_spec::state::Memory;
use countersign_spec::{Manifest, Verifier};
use countersign_tools::redact::Salt;
use countersign_tools::registry::{Called, Finding, Registry, ToolResult, ToolSpec};
use serde_json::{Value, json};

use super::people::People;
use super::script::{Answer, Script};
use super::servers::{RunTools, Servers};
use super::spec::Spec;
use super::tools;
use super::workspace::Workspace;

/// How often somebody looks whether a wait is to be given up.
const LOOK: Duration = Duration::from_millis(50);

pub struct ScenarioWorld<'a> {
    manifest: &'a Manifest,
    tools: Registry,
    /// How often each scripted result was given, by tool.
    used: BTreeMap<&'a str, Vec<u32>>,
    shown_tools: Vec<Value>,
    script: Script,
    /// Real models, instead of the script's.
    models: Option<Client>,
    people: People<'a>,
    workspace: Workspace,
    /// Whoever has the tools that are not the file's own.
    servers: Option<&'a Servers>,
    /// Where the operator's files lie, those that this scenario's operator writes among them.
    operator: PathBuf,
    salt: Salt,
    clock: Clock,
    cancel: Option<Arc<AtomicBool>>,
    /// The last call: tool, arguments, and its result, whole, for its verifier.
    result: Option<Called>,
    /// All that it said.
    said: Option<String>,
    dispatched: u32,
    memories: Vec<Memory>,
}

/// A run's time. Where everything is scripted nothing measured enters it: models, people and waits take what the
/// scenario says, and a run is the same on any machine under any load. Real models take the time they take; what is
/// scripted beside them comes on top, and nobody sits it out.
struct Clock {
    /// When real models began to be measured; none where all is scripted.
    measured: Option<Instant>,
    /// What had passed when the run was taken up.
    before: u64,
    skipped: u64,
}

impl Clock {
    fn new(real_models: bool, before: u64) -> Self {
        Clock { measured: real_models.then(Instant::now), before, skipped: 0 }
    }

    fn now(&self) -> u64 {
        let real = self.measured.map_or(0, |since| u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX));
        self.before.saturating_add(real).saturating_add(self.skipped)
    }

    fn skip(&mut self, milliseconds: u64) {
        self.skipped = self.skipped.saturating_add(milliseconds);
    }

    /// A real command, or a call of a real server: where all is scripted it takes no time, and the whole of its
    /// time-out when it outlasts that.
    fn called(&mut self, outcome: Outcome, time_out: Duration) {
        if self.measured.is_none() && outcome == Outcome::TimedOut {
            self.skip(u64::try_from(time_out.as_millis()).unwrap_or(u64::MAX));
        }
    }
}

/// What the world needs beside its scenario.
pub struct Surroundings {
    pub workspace: Workspace,
    pub operator: PathBuf,
    pub salt: Salt,
    pub cancel: Option<Arc<AtomicBool>>,
    /// Real models; none leaves it to the script.
    pub models: Option<Client>,
    /// Milliseconds of the run's time that have passed already.
    pub before: u64,
}

impl<'a> ScenarioWorld<'a> {
    pub fn new(spec: &'a Spec, tools: &'a RunTools<'_>, manifest: &'a Manifest, surroundings: Surroundings) -> Self {
        let shown_tools = shown(&tools.specs, &manifest.boundary.tools);
        ScenarioWorld {
            manifest,
            tools: Registry::new(&tools.specs),
            servers: tools.servers.as_ref(),
            used: tools.specs.iter().map(|(name, tool)| (name.as_str(), vec![0; tool.results.len()])).collect(),
            shown_tools,
            script: Script::new(spec),
            clock: Clock::new(surroundings.models.is_some(), surroundings.before),
            models: surroundings.models,
            people: People::new(spec),
            workspace: surroundings.workspace,
            operator: surroundings.operator,
            salt: surroundings.salt,
            cancel: surroundings.cancel,
            result: None,
            said: None,
            dispatched: 0,
            memories: Vec::new(),
        }
    }

    /// What was wrong with the script.
    pub fn complaints(&self) -> &[String] {
        &self.script.complaints
    }

    /// What the run left behind.
    pub fn memories(&self) -> &[Memory] {
        &self.memories
    }

    /// Milliseconds of the run's time that have passed already.
    pub fn set_before(&mut self, milliseconds: u64) {
        self.clock.before = milliseconds;
    }

    /// Where its files lie.
    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// What an agent that was told this says next; none when it has nothing more to say.
    pub fn agent_says(&mut self, told: &str) -> Option<Parsed> {
        let model = self.manifest.models.first()?;
        let (answer, takes) = self.script.next((model.tier, &model.name), told)?;
        self.clock.skip(takes);
        let Answer::Bytes(bytes, signals) = answer else { return None };
        Some(parse_step(&bytes, signals, &self.tools, &self.salt))
    }

    /// Makes a call for an agent.
    pub fn call_for_agent(&mut self, tool: &str, exact: &str) -> ToolResult {
        self.dispatched += 1;
        let result = self.run(tool, exact);
        self.operator_acts();
        result.unwrap_or_else(|| ToolResult::new(Outcome::Rejected, "there is no such tool"))
    }

    /// Goes through what was recorded, so that scripts stand where they stood. Nothing is run. What a scripted model
    /// said then is said again.
    pub fn catch_up(&mut self, effect: &countersign_kernel::Effect, exact: &str) -> Option<ModelAnswer> {
        use countersign_kernel::Effect;
        let mut answer = None;
        match effect {
            // A real model is not asked again what it has answered.
            Effect::CallModel { .. } if self.models.is_some() => {}
            Effect::CallModel { tier, model, request, max_output_tokens, .. } => {
                answer = Some(self.call_model(*tier, model, request, *max_output_tokens));
            }
            Effect::Dispatch { tool, .. } => {
                if let (Some(spec), Some(used)) = (self.tools.spec(tool), self.used.get_mut(&**tool))
                    && spec.command.is_none()
                {
                    tools::scripted(spec, exact, used);
                }
                self.dispatched += 1;
            }
            Effect::Suspend { code, .. } => self.people.skip(*code),
            _ => {}
        }
        self.clock.skipped = 0;
        answer
    }

    fn operator_acts(&mut self) {
        for act in self.people.switches(self.dispatched) {
            if act.cancel
                && let Some(cancel) = &self.cancel
            {
                cancel.store(true, Ordering::Relaxed);
            }
            let tools: Vec<&str> = act.tool.iter().map(String::as_str).collect();
            let all = act.all.unwrap_or(false);
            let file = format!("all = {all}\ntools = {}\nreason = \"the operator says so\"\n", json!(tools));
            // A scenario that cannot write it will not go as it expects, and says so.
            let _ = std::fs::write(self.operator.join("switches.toml"), file);
        }
    }

    /// Runs a tool, scripted or real.
    fn run(&mut self, tool: &str, exact: &str) -> Option<ToolResult> {
        let (spec, used) = (self.tools.spec(tool)?, self.used.get_mut(tool)?);
        let time_out = Duration::from_millis(spec.time_out);
        if let Some(servers) = self.servers.filter(|servers| servers.have(tool)) {
            let result = servers.call(tool, spec, exact, self.cancel.as_deref());
            self.clock.called(result.outcome, time_out);
            return Some(result);
        }
        let folder = self.workspace.path();
        let mut result = match &spec.command {
            Some(words) => {
                let result = tools::command(words, time_out, folder, exact);
                self.clock.called(result.outcome, time_out);
                result
            }
            None => {
                let (result, entry) = tools::scripted(spec, exact, used);
                if let Some(entry) = entry {
                    self.clock.skip(entry.takes);
                    if let Some(words) = &entry.effect {
                        tools::command(words, time_out, folder, exact);
                    }
                }
                result
            }
        };
        // Where a run happens to work is nobody's business, nor is how long that path is.
        let before = result.text.len() as u64;
        result.text = result.text.replace(&*folder.to_string_lossy(), ".");
        result.bytes = result.bytes.saturating_sub(before).saturating_add(result.text.len() as u64);
        Some(result)
    }

    /// What a verifier finds, with whatever has to be called for it.
    fn look(&mut self, verifier: &Verifier, called: &Called) -> Finding {
        match self.tools.look(verifier, called) {
            Finding::Read(reading) => {
                let seen = self.run(&reading.tool, &reading.arguments);
                reading.judge(seen.as_ref())
            }
            Finding::Check(words) => self.check(&words, called),
            finding => finding,
        }
    }

    fn check(&mut self, words: &[String], called: &Called) -> Finding {
        let folder = self.workspace.path();
        let time_out = Duration::from_millis(10_000);
        let seen = tools::command_with(words, time_out, folder, &called.arguments, &called.text);
        self.clock.called(seen.outcome, time_out);
        let detail = match seen.outcome {
            Outcome::Returned { ok: true, .. } => return Finding::Holds,
            Outcome::Returned { exit_code, .. } if seen.text.trim().is_empty() => {
                let code = exit_code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
                format!("the checker ends with {code} and says nothing")
            }
            Outcome::TimedOut => "the checker does not come to an end".to_owned(),
            _ => format!("the checker says: {}", seen.text.trim()),
        };
        Finding::Problem { detail, drifted: false }
    }
}

/// What a model is told of its tools: those of the boundary, and the two that every agent has.
pub fn shown(specs: &BTreeMap<String, ToolSpec>, tools: &[Arc<str>]) -> Vec<Value> {
    tools
        .iter()
        .filter_map(|name| specs.get(&**name).map(|tool| (name, tool)))
        .map(|(name, tool)| json!({"name": **name, "description": tool.description, "arguments": tool.arguments}))
        .chain(injected_tools().map(
            |(name, description, arguments)| json!({"name": name, "description": description, "arguments": arguments}),
        ))
        .collect()
}

impl World for ScenarioWorld<'_> {
    fn now(&mut self) -> u64 {
        self.clock.now()
    }

    fn cancelled(&mut self) -> bool {
        self.cancel.as_ref().is_some_and(|cancel| cancel.load(Ordering::Relaxed))
    }

    fn call_model(&mut self, tier: Tier, model: &str, request: &ModelRequest, max_output_tokens: u64) -> ModelAnswer {
        let patch = matches!(request.purpose, Purpose::Patch(_));
        if let Some(models) = &self.models {
            let tools = Tools { shown: &self.shown_tools, arguments: &self.tools };
            let cancel = self.cancel.as_deref();
            let (parsed, usage, request) =
                models.call((tier, model), request, &tools, max_output_tokens, &self.salt, cancel);
            return ModelAnswer { reply: parsed.reply, arguments: parsed.arguments, usage, request };
        }
        let text = render(request, &self.shown_tools);
        let request = Some(sha256(text.as_bytes()));
        let (answer, takes) = self.script.answer((tier, model), &text, patch);
        self.clock.skip(takes);
        let (bytes, signals) = match answer {
            Answer::Bytes(bytes, signals) => (bytes, signals),
            Answer::Repeat(text, times) => (text.repeat(times as usize).into_bytes(), Vec::new()),
            Answer::Unavailable(reason, class) => {
                let reply = Reply::Unavailable { reason, class, retry_after: None };
                return ModelAnswer { reply, arguments: None, usage: Usage::default(), request };
            }
        };
        // A scripted model has no tokenizer: four bytes a token.
        let input_tokens = (text.len() as u64).div_ceil(4);
        let output_tokens = (bytes.len() as u64).div_ceil(4).min(max_output_tokens);
        let own = self.manifest.models.iter().find(|own| own.tier == tier && *own.name == *model);
        let cost = own.map_or(0, |model| model.cost(input_tokens, output_tokens));
        // What the scenario says, and no estimate.
        let usage = Usage { input_tokens, output_tokens, cost, estimated: false };
        if patch {
            return ModelAnswer { reply: parse_patch(&bytes, &self.salt), arguments: None, usage, request };
        }
        let parsed = parse_step(&bytes, signals, &self.tools, &self.salt);
        ModelAnswer { reply: parsed.reply, arguments: parsed.arguments, usage, request }
    }

    fn dispatch(&mut self, tool: &str, arguments: &Arc<str>, _idempotency_key: Option<&str>) -> Observation {
        let state_before = self.workspace.state();
        self.dispatched += 1;
        let result = self.run(tool, arguments);
        self.operator_acts();
        let Some(result) = result else {
            return Observation::new(Outcome::Rejected, "there is no such tool".into());
        };
        self.script.note(&result.text);
        self.said = Some(result.all().to_owned());
        self.result = Some(Called {
            tool: tool.to_owned(),
            arguments: arguments.to_string(),
            text: result.text.clone(),
            outcome: result.outcome,
        });
        let mut observed = self.tools.observation(tool, &result, &self.salt);
        if self.tools.spec(tool).is_some_and(|spec| spec.command.is_some()) {
            observed.state_before = state_before;
            observed.state_after = self.workspace.state();
        }
        observed
    }

    fn said(&mut self) -> Option<String> {
        self.said.take()
    }

    fn verify(&mut self, verifier: &Verifier) -> Verification {
        let finding = match self.result.take() {
            Some(called) => self.look(verifier, &called),
            None => Finding::Problem { detail: "there is no result to look at".to_owned(), drifted: false },
        };
        finding.verification(verifier, &self.salt)
    }

    fn wait(&mut self, milliseconds: u64) {
        // Real models have a clock of their own.
        if self.models.is_none() {
            return self.clock.skip(milliseconds);
        }
        let begun = Instant::now();
        while !self.cancelled() {
            let left = Duration::from_millis(milliseconds).saturating_sub(begun.elapsed());
            if left.is_zero() {
                break;
            }
            std::thread::sleep(left.min(LOOK));
        }
    }

    fn remember(&mut self, memory: &Memory) {
        self.memories.push(memory.clone());
        let line = serde_json::to_string(memory).unwrap_or_default();
        let path = self.operator.join("memory.jsonl");
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        let _ = file.and_then(|mut file| std::io::Write::write_all(&mut file, format!("{line}\n").as_bytes()));
    }

    fn person(&mut self, code: Code, report: &Report) -> Option<Input> {
        let act = self.people.next(code)?;
        self.clock.skip(act.after);
        let decision = match act.decision(report) {
            Some(decision) => decision,
            None => return Some(Input::Cancelled),
        };
        if decision == Decision::Expired
            && let Some(approval) = &report.approval
        {
            let now = self.clock.now();
            self.clock.skip(approval.expires.saturating_sub(now).saturating_add(1));
        }
        Some(Input::Decided { id: act.id.into(), by: act.by.into(), decision, given: None })
    }
}
