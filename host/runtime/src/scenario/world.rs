//! The world of a scenario: its scripted models, its tools, its clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use countersign_kernel::contract::Tier;
use countersign_kernel::{Manifest, ModelRequest, Observation, Outcome, Purpose, Reply, Usage, Verification, Verifier};
use jsonschema::Validator;
use serde_json::{Value, json};

use super::script::{Answer, Script};
use super::spec::{Spec, ToolSpec, VerifySpec};
use super::tools;
use super::workspace::Workspace;
use crate::drive::World;
use crate::keys;
use crate::prompt::render;
use crate::redact::{Salt, salted};
use crate::reply::{Arguments, clean, parse_patch, parse_step};

/// Most bytes of a result that are kept.
const SHOWN: usize = 4 << 10;

pub struct ScenarioWorld<'a> {
    manifest: &'a Manifest,
    tools: BTreeMap<&'a str, Registered<'a>>,
    shown_tools: Vec<Value>,
    script: Script,
    workspace: Workspace,
    salt: Salt,
    started: Instant,
    cancel: Option<Arc<AtomicBool>>,
    /// Arguments of the last proposal as its tool is to receive them.
    arguments: Option<String>,
    /// The last result, whole, for its verifier.
    result: Option<(String, String, Outcome)>,
}

struct Registered<'a> {
    spec: &'a ToolSpec,
    arguments: Option<Validator>,
    result: Option<Validator>,
    used: Vec<u32>,
}

impl<'a> ScenarioWorld<'a> {
    pub fn new(
        spec: &'a Spec,
        manifest: &'a Manifest,
        workspace: Workspace,
        salt: Salt,
        cancel: Option<Arc<AtomicBool>>,
    ) -> Self {
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
        let shown_tools = manifest
            .boundary
            .tools
            .iter()
            .filter_map(|name| spec.tools.get(&**name).map(|tool| (name, tool)))
            .map(|(name, tool)| json!({"name": **name, "description": tool.description, "arguments": tool.arguments}))
            .collect();
        ScenarioWorld {
            manifest,
            tools: spec.tools.iter().map(|(name, tool)| (name.as_str(), registered(tool))).collect(),
            shown_tools,
            script: Script::new(spec),
            workspace,
            salt,
            started: Instant::now(),
            cancel,
            arguments: None,
            result: None,
        }
    }

    /// What was wrong with the script.
    pub fn complaints(self) -> Vec<String> {
        self.script.complaints
    }
}

impl Arguments for BTreeMap<&str, Registered<'_>> {
    fn problem(&self, tool: &str, arguments: &Value) -> Option<String> {
        let error = self.get(tool)?.arguments.as_ref()?.iter_errors(arguments).next()?;
        let path = error.instance_path().to_string();
        Some(if path.is_empty() { error.to_string() } else { format!("`{path}`: {error}") })
    }
}

impl World for ScenarioWorld<'_> {
    fn now(&mut self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn cancelled(&mut self) -> bool {
        self.cancel.as_ref().is_some_and(|cancel| cancel.load(Ordering::Relaxed))
    }

    fn call_model(&mut self, tier: Tier, request: &ModelRequest, max_output_tokens: u64) -> (Reply, Usage) {
        let text = render(request, &self.shown_tools);
        let patch = matches!(request.purpose, Purpose::Patch(_));
        let (bytes, signals) = match self.script.answer(tier, &text, patch) {
            Answer::Bytes(bytes, signals) => (bytes, signals),
            Answer::Repeat(text, times) => (text.repeat(times as usize).into_bytes(), Vec::new()),
            Answer::Unavailable(reason) => return (Reply::Unavailable { reason }, Usage::default()),
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

    fn dispatch(&mut self, tool: &str, arguments: &Arc<str>) -> Observation {
        let exact = self.arguments.take().unwrap_or_else(|| arguments.to_string());
        let state_before = self.workspace.state();
        let Some(registered) = self.tools.get_mut(tool) else {
            return observation(
                tool,
                tools::Result { outcome: Outcome::Rejected, text: String::new(), bytes: 0 },
                &self.salt,
            );
        };
        let result = match &registered.spec.command {
            Some(words) => {
                tools::command(words, Duration::from_millis(registered.spec.time_out), self.workspace.path(), &exact)
            }
            None => tools::scripted(registered.spec, &exact, &mut registered.used),
        };
        // Where a run happens to work is nobody's business.
        let mut result = result;
        result.text = result.text.replace(&*self.workspace.path().to_string_lossy(), ".");
        self.script.note(&result.text);
        self.result = Some((tool.to_owned(), result.text.clone(), result.outcome));
        let has_command = registered.spec.command.is_some();
        let mut observed = observation(tool, result, &self.salt);
        if has_command {
            observed.state_before = state_before;
            observed.state_after = self.workspace.state();
        }
        observed
    }

    fn verify(&mut self, verifier: Verifier) -> Verification {
        let (tool, text, outcome) =
            self.result.take().unwrap_or_else(|| (String::new(), String::new(), Outcome::Unknown));
        let problem = match (verifier, outcome) {
            (Verifier::ExitCode(wanted), Outcome::Returned { exit_code, .. }) => {
                (exit_code != Some(wanted)).then(|| match exit_code {
                    Some(found) => format!("expected exit code {wanted}, found {found}"),
                    None => format!("expected exit code {wanted}, it was ended by a signal"),
                })
            }
            (Verifier::ResultSchema, Outcome::Returned { .. }) => match serde_json::from_str::<Value>(&text) {
                Err(error) => Some(format!("expected a JSON result: {error}")),
                Ok(value) => self
                    .tools
                    .get(tool.as_str())
                    .and_then(|registered| registered.result.as_ref())
                    .and_then(|schema| schema.iter_errors(&value).next().map(|error| error.to_string())),
            },
            _ => Some("there is no result to look at".to_owned()),
        };
        let detail = problem.as_deref().map(|problem| clean(problem, 512, &self.salt).to_string());
        Verification { verifier, holds: problem.is_none(), detail: detail.unwrap_or_default() }
    }
}

fn observation(tool: &str, result: tools::Result, salt: &Salt) -> Observation {
    let text = clean(&result.text, SHOWN, salt);
    let exit = match result.outcome {
        Outcome::Returned { exit_code: Some(code), .. } => code.to_string(),
        other => format!("{other:?}"),
    };
    let failed = result.outcome.failure().is_some();
    let whole = *text == *result.text && result.bytes == text.len() as u64;
    let full = if result.bytes > SHOWN as u64 { result.text.as_str() } else { &text };
    Observation {
        outcome: result.outcome,
        bytes: result.bytes,
        payload: (!whole).then(|| salted(result.text.as_bytes(), salt).into()),
        result_key: Some(keys::key(&[tool.as_bytes(), exit.as_bytes(), keys::stable(full).as_bytes()])),
        error_key: failed.then(|| keys::error_key(&text)).flatten(),
        state_before: None,
        state_after: None,
        mutating: None,
        poller: None,
        text,
    }
}
