//! The world of a scenario: its models and people, scripted or real, its tools, its clock.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use countersign_kernel::contract::Tier;
use countersign_kernel::state::Memory;
use countersign_kernel::{
    Code, Decision, Input, Manifest, ModelRequest, Observation, Outcome, Purpose, Reply, Report, Touched, Usage,
    Verification, Verifier,
};
use jsonschema::Validator;
use serde_json::{Value, json};

use super::people::People;
use super::script::{Answer, Script};
use super::spec::{Spec, ToolSpec, VerifySpec};
use super::tools;
use super::workspace::Workspace;
use crate::drive::World;
use crate::keys;
use crate::models::{Client, Tools};
use crate::prompt::render;
use crate::redact::{REDACTED, Salt, redact_value, salted};
use crate::reply::{Arguments, clean, parse_patch, parse_step};

/// Most bytes of a result that are kept.
const SHOWN: usize = 4 << 10;
/// How often somebody looks whether a wait is to be given up.
const LOOK: Duration = Duration::from_millis(50);

pub struct ScenarioWorld<'a> {
    manifest: &'a Manifest,
    tools: BTreeMap<&'a str, Registered<'a>>,
    shown_tools: Vec<Value>,
    script: Script,
    /// Real models, instead of the script's.
    models: Option<Client>,
    people: People<'a>,
    workspace: Workspace,
    /// Where the operator's files lie, those that this scenario's operator writes among them.
    operator: PathBuf,
    salt: Salt,
    clock: Clock,
    cancel: Option<Arc<AtomicBool>>,
    /// Arguments of the last proposal as its tool is to receive them.
    arguments: Option<String>,
    /// The last call: tool, arguments, and its result, whole, for its verifier.
    result: Option<Called>,
    dispatched: u32,
    memories: Vec<Memory>,
}

struct Called {
    tool: String,
    arguments: String,
    text: String,
    outcome: Outcome,
}

struct Registered<'a> {
    spec: &'a ToolSpec,
    arguments: Option<Validator>,
    result: Option<Validator>,
    used: Vec<u32>,
}

/// Real time, and on top of it whatever the scenario says that things take: nobody sits it out.
struct Clock {
    started: Instant,
    /// What had passed when the run was taken up.
    before: u64,
    skipped: u64,
}

impl Clock {
    fn now(&self) -> u64 {
        let real = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.before.saturating_add(real).saturating_add(self.skipped)
    }

    fn skip(&mut self, milliseconds: u64) {
        self.skipped = self.skipped.saturating_add(milliseconds);
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
    pub fn new(spec: &'a Spec, manifest: &'a Manifest, surroundings: Surroundings) -> Self {
        let compiled = |schema: &Value| jsonschema::validator_for(schema).ok();
        let registered = |tool: &'a ToolSpec| Registered {
            spec: tool,
            arguments: tool.arguments.as_ref().and_then(compiled),
            result: match &tool.verify {
                Some(VerifySpec::ResultSchema(schema)) => compiled(schema),
                _ => None,
            },
            used: vec![0; tool.results.len()],
        };
        let shown_tools = shown(spec, &manifest.boundary.tools);
        ScenarioWorld {
            manifest,
            tools: spec.tools.iter().map(|(name, tool)| (name.as_str(), registered(tool))).collect(),
            shown_tools,
            script: Script::new(spec),
            models: surroundings.models,
            people: People::new(spec),
            workspace: surroundings.workspace,
            operator: surroundings.operator,
            salt: surroundings.salt,
            clock: Clock { started: Instant::now(), before: surroundings.before, skipped: 0 },
            cancel: surroundings.cancel,
            arguments: None,
            result: None,
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

    /// Goes through what was recorded, so that scripts stand where they stood. Nothing is run.
    pub fn catch_up(&mut self, effect: &countersign_kernel::Effect) {
        use countersign_kernel::Effect;
        match effect {
            // A real model is not asked again what it has answered.
            Effect::CallModel { .. } if self.models.is_some() => {}
            Effect::CallModel { tier, request, max_output_tokens, .. } => {
                self.call_model(*tier, request, *max_output_tokens);
            }
            Effect::Dispatch { tool, arguments, .. } => {
                let exact = self.arguments.clone().unwrap_or_else(|| arguments.to_string());
                if let Some(registered) = self.tools.get_mut(&**tool)
                    && registered.spec.command.is_none()
                {
                    tools::scripted(registered.spec, &exact, &mut registered.used);
                }
                self.dispatched += 1;
            }
            Effect::Suspend { code, .. } => self.people.skip(*code),
            _ => {}
        }
        self.clock.skipped = 0;
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
    fn run(&mut self, tool: &str, exact: &str) -> Option<tools::Result> {
        let registered = self.tools.get_mut(tool)?;
        let time_out = Duration::from_millis(registered.spec.time_out);
        let folder = self.workspace.path();
        let mut result = match &registered.spec.command {
            Some(words) => tools::command(words, time_out, folder, exact),
            None => {
                let (result, entry) = tools::scripted(registered.spec, exact, &mut registered.used);
                if let Some(entry) = entry {
                    self.clock.skip(entry.takes);
                    if let Some(words) = &entry.effect {
                        tools::command(words, time_out, folder, exact);
                    }
                }
                result
            }
        };
        // Where a run happens to work is nobody's business.
        result.text = result.text.replace(&*folder.to_string_lossy(), ".");
        Some(result)
    }

    /// What a verifier finds wrong, and whether the result has lost its form.
    fn problem(&mut self, verifier: &Verifier, called: &Called) -> Option<(String, bool)> {
        let Outcome::Returned { exit_code, .. } = called.outcome else {
            return Some(("there is no result to look at".to_owned(), false));
        };
        let spec = self.tools.get(called.tool.as_str()).map(|registered| registered.spec);
        match (verifier, spec.and_then(|spec| spec.verify.as_ref())) {
            (Verifier::ExitCode(wanted), _) => (exit_code != Some(*wanted)).then(|| match exit_code {
                Some(found) => (format!("expected exit code {wanted}, found {found}"), false),
                None => (format!("expected exit code {wanted}, it was ended by a signal"), false),
            }),
            (Verifier::ResultSchema, _) => match serde_json::from_str::<Value>(&called.text) {
                Err(error) => Some((format!("expected a JSON result: {error}"), true)),
                Ok(value) => {
                    let schema = self.tools.get(called.tool.as_str())?.result.as_ref()?;
                    schema.iter_errors(&value).next().map(|error| (error.to_string(), true))
                }
            },
            (Verifier::ReadBack(_), Some(VerifySpec::ReadBack(read))) => {
                let values: Value = serde_json::from_str(&called.arguments).unwrap_or_default();
                let own = |name: &String| values.get(name).map(|value| (name.clone(), value.clone()));
                let arguments: serde_json::Map<String, Value> = read.arguments.iter().filter_map(own).collect();
                let wanted = tools::fill(&read.shows, &values);
                let tool = read.tool.clone();
                let seen = self.run(&tool, &crate::canonical(&Value::Object(arguments)));
                // What a reading that fails says is no reading.
                let seen = seen.filter(|seen| matches!(seen.outcome, Outcome::Returned { ok: true, .. }));
                let Some(seen) = seen else { return Some((format!("`{tool}` could not read it back"), false)) };
                let seen = seen.text;
                (!seen.contains(&wanted)).then(|| (format!("`{tool}` does not show `{wanted}`"), false))
            }
            (Verifier::Checker(_), Some(VerifySpec::Checker(words))) => {
                let folder = self.workspace.path();
                let time_out = Duration::from_millis(10_000);
                let seen = tools::command_with(words, time_out, folder, &called.arguments, &called.text);
                match seen.outcome {
                    Outcome::Returned { ok: true, .. } => None,
                    Outcome::Returned { exit_code, .. } if seen.text.trim().is_empty() => {
                        let code = exit_code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
                        Some((format!("the checker ends with {code} and says nothing"), false))
                    }
                    Outcome::TimedOut => Some(("the checker does not come to an end".to_owned(), false)),
                    _ => Some((format!("the checker says: {}", seen.text.trim()), false)),
                }
            }
            _ => Some(("its verifier is not there".to_owned(), false)),
        }
    }
}

/// What a model is told of its tools: those of the boundary, and the two that every agent has.
pub fn shown(spec: &Spec, tools: &[Arc<str>]) -> Vec<Value> {
    tools
        .iter()
        .filter_map(|name| spec.tools.get(&**name).map(|tool| (name, tool)))
        .map(|(name, tool)| json!({"name": **name, "description": tool.description, "arguments": tool.arguments}))
        .chain(injected())
        .collect()
}

/// The two tools that every agent has (specification E2).
fn injected() -> [Value; 2] {
    let reason = json!({"type": "string", "minLength": 20});
    [
        json!({
            "name": "defer_to_human",
            "description": "This task cannot go on without a person. Say what is missing, in at least 20 characters.",
            "arguments": {"type": "object", "required": ["reason"], "properties": {"reason": reason}},
        }),
        json!({
            "name": "escalate_to_architect",
            "description": "Something larger than this task is wrong. Say what, in at least 20 characters.",
            "arguments": {"type": "object", "required": ["severity", "reason"], "properties": {
                "severity": {"enum": ["warning", "critical"]}, "reason": reason,
            }},
        }),
    ]
}

impl Arguments for BTreeMap<&str, Registered<'_>> {
    fn problem(&self, tool: &str, arguments: &Value) -> Option<String> {
        let registered = self.get(tool)?;
        let error = registered.arguments.as_ref().and_then(|schema| schema.iter_errors(arguments).next());
        if let Some(error) = error {
            let path = error.instance_path().to_string();
            return Some(if path.is_empty() { error.to_string() } else { format!("`{path}`: {error}") });
        }
        // What counts must be countable: unknown is not nothing.
        let touches = &registered.spec.touches;
        let uncounted = |pointer: &Option<String>, things: bool| {
            let pointer = pointer.as_deref()?;
            let value = arguments.pointer(pointer);
            let wanted = if things { "a whole number, a list or a name" } else { "a whole number of micro-dollars" };
            let known = value.is_some_and(|value| counted(value, things).is_some());
            (!known).then(|| format!("`{pointer}`: expected {wanted}"))
        };
        uncounted(&touches.money, false)
            .or_else(|| uncounted(&touches.records, true))
            .or_else(|| uncounted(&touches.recipients, true))
    }

    fn missing(&self, tool: &str, arguments: &Value) -> Vec<Arc<str>> {
        let schema = self.get(tool).and_then(|registered| registered.spec.arguments.as_ref());
        let required = schema.and_then(|schema| schema.get("required")).and_then(Value::as_array);
        let names = required.into_iter().flatten().filter_map(Value::as_str);
        names.filter(|name| arguments.get(name).is_none()).map(Arc::from).collect()
    }

    fn touches(&self, tool: &str, arguments: &Value) -> Touched {
        let Some(registered) = self.get(tool) else { return Touched::default() };
        let touches = &registered.spec.touches;
        let count = |pointer: &Option<String>, things: bool| counted(arguments.pointer(pointer.as_deref()?)?, things);
        Touched {
            records: count(&touches.records, true),
            money: count(&touches.money, false),
            recipients: count(&touches.recipients, true),
        }
    }

    fn identity(&self, tool: &str, arguments: &Value) -> Option<Value> {
        let pointers = self.get(tool)?.spec.identity.as_ref()?;
        Some(pointers.iter().map(|pointer| arguments.pointer(pointer).cloned().unwrap_or(Value::Null)).collect())
    }
}

impl World for ScenarioWorld<'_> {
    fn now(&mut self) -> u64 {
        self.clock.now()
    }

    fn cancelled(&mut self) -> bool {
        self.cancel.as_ref().is_some_and(|cancel| cancel.load(Ordering::Relaxed))
    }

    fn call_model(&mut self, tier: Tier, request: &ModelRequest, max_output_tokens: u64) -> (Reply, Usage) {
        let patch = matches!(request.purpose, Purpose::Patch(_));
        if let Some(models) = &self.models {
            let tools = Tools { shown: &self.shown_tools, arguments: &self.tools };
            let cancel = self.cancel.as_deref();
            let (parsed, usage) = models.call(tier, request, &tools, max_output_tokens, &self.salt, cancel);
            if !patch {
                self.arguments = parsed.arguments;
            }
            return (parsed.reply, usage);
        }
        let text = render(request, &self.shown_tools);
        let (answer, takes) = self.script.answer(tier, &text, patch);
        self.clock.skip(takes);
        let (bytes, signals) = match answer {
            Answer::Bytes(bytes, signals) => (bytes, signals),
            Answer::Repeat(text, times) => (text.repeat(times as usize).into_bytes(), Vec::new()),
            Answer::Unavailable(reason, class) => {
                return (Reply::Unavailable { reason, class, retry_after: None }, Usage::default());
            }
        };
        // A scripted model has no tokenizer: four bytes a token.
        let input_tokens = (text.len() as u64).div_ceil(4);
        let output_tokens = (bytes.len() as u64).div_ceil(4).min(max_output_tokens);
        let cost = self.manifest.model(tier).map_or(0, |model| model.cost(input_tokens, output_tokens));
        let usage = Usage { input_tokens, output_tokens, cost };
        if patch {
            return (parse_patch(&bytes, &self.salt), usage);
        }
        let parsed = parse_step(&bytes, signals, &self.tools, &self.salt);
        self.arguments = parsed.arguments;
        (parsed.reply, usage)
    }

    fn dispatch(&mut self, tool: &str, arguments: &Arc<str>, _idempotency_key: Option<&str>) -> Observation {
        // Kept for another try of the same call. It must be what was judged, secrets apart.
        let exact = match &self.arguments {
            Some(exact) => exact.clone(),
            // Taken up again, and no script says the secrets once more: a tool is not given their marks.
            None if arguments.contains(REDACTED) => {
                let text = "its arguments held a secret, which is gone with the process that got it; propose it again";
                return Observation::new(Outcome::Rejected, text.into());
            }
            None => arguments.to_string(),
        };
        if shown_as(&exact, &self.salt) != **arguments {
            let text = "its arguments are not the ones that were judged".into();
            return Observation::new(Outcome::Rejected, text);
        }
        let state_before = self.workspace.state();
        self.dispatched += 1;
        let result = self.run(tool, &exact);
        self.operator_acts();
        let Some(result) = result else {
            return Observation::new(Outcome::Rejected, "there is no such tool".into());
        };
        self.script.note(&result.text);
        self.result = Some(Called {
            tool: tool.to_owned(),
            arguments: exact,
            text: result.text.clone(),
            outcome: result.outcome,
        });
        let spec = self.tools.get(tool).map(|registered| registered.spec);
        let mut observed = observation(tool, result, spec, &self.salt);
        if spec.is_some_and(|spec| spec.command.is_some()) {
            observed.state_before = state_before;
            observed.state_after = self.workspace.state();
        }
        observed
    }

    fn verify(&mut self, verifier: &Verifier) -> Verification {
        let problem = match self.result.take() {
            Some(called) => self.problem(verifier, &called),
            None => Some(("there is no result to look at".to_owned(), false)),
        };
        let detail = problem.as_ref().map(|(problem, _)| clean(problem, 512, &self.salt).to_string());
        Verification {
            verifier: verifier.clone(),
            holds: problem.is_none(),
            drifted: problem.is_some_and(|(_, drifted)| drifted),
            detail: detail.unwrap_or_default(),
        }
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
        Some(Input::Decided { id: act.id.into(), by: act.by.into(), decision })
    }
}

fn observation(tool: &str, result: tools::Result, spec: Option<&ToolSpec>, salt: &Salt) -> Observation {
    let full = &result.text;
    let text = clean(full, SHOWN, salt);
    let whole = text.len() as u64 == result.bytes;
    let failed = matches!(result.outcome, Outcome::Returned { ok: false, .. });
    let exit = format!("{:?}", result.outcome);
    let parsed: Option<Value> = spec.and_then(|spec| {
        let wanted = !spec.facts.is_empty() || !spec.reports.is_empty() || !spec.volatile.is_empty();
        wanted.then(|| serde_json::from_str(full).ok()).flatten()
    });
    let stable = match (&parsed, spec) {
        (Some(value), Some(spec)) if !spec.volatile.is_empty() => without(value.clone(), &spec.volatile).to_string(),
        _ => full.clone(),
    };
    let mut observed = Observation::new(result.outcome, text);
    observed.bytes = result.bytes;
    observed.payload = (!whole).then(|| salted(result.text.as_bytes(), salt).into());
    observed.result_key = Some(keys::key(&[tool.as_bytes(), exit.as_bytes(), keys::stable(&stable).as_bytes()]));
    observed.error_key = failed.then(|| keys::error_key(&observed.text)).flatten();
    if let (Some(value), Some(spec)) = (&parsed, spec) {
        for (name, pointer) in &spec.facts {
            let found = match value.pointer(pointer) {
                None | Some(Value::Null) => continue,
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            };
            observed.facts.insert(name.as_str().into(), clean(&found, 512, salt));
        }
        let reported = |pointer: &String| value.pointer(pointer).and_then(Value::as_bool) == Some(true);
        observed.reports =
            spec.reports.iter().filter(|(_, pointer)| reported(pointer)).map(|(condition, _)| *condition).collect();
    }
    observed
}

/// Arguments as they are judged and recorded.
fn shown_as(exact: &str, salt: &Salt) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(exact) else { return exact.to_owned() };
    if redact_value(&mut value, salt) { crate::canonical(&value) } else { exact.to_owned() }
}

/// How much a value counts: a whole number, or, where things are counted, a list or a name. None for
/// what cannot be counted.
fn counted(value: &Value, things: bool) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| {
            // Whole numbers in another spelling; from here on they would be rounded.
            const EXACT: f64 = 9_007_199_254_740_992.0;
            let float = number.as_f64().filter(|float| float.fract() == 0.0 && (0.0..=EXACT).contains(float))?;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and within 53 bits")]
            Some(float as u64)
        }),
        Value::Array(list) if things => Some(list.len() as u64),
        Value::String(_) if things => Some(1),
        _ => None,
    }
}

/// A result without the parts that change although nothing has.
fn without(mut value: Value, pointers: &[String]) -> Value {
    for pointer in pointers {
        if let Some(part) = value.pointer_mut(pointer) {
            *part = Value::Null;
        }
    }
    value
}
