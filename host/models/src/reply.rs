//! A model's answer: `{step, action, reasoning, status, confidence}`, or a violation, never a crash.

use std::sync::Arc;

use countersign_kernel::contract::Signal;
use countersign_kernel::{Action, Alarm, Reply, StepReply, StepStatus, Touched, Wrapping};
use countersign_spec::plan::PlanStep;
use countersign_spec::state::StateKind;
use countersign_tools::redact::{Salt, clean, redact_arguments, salted};
use countersign_tools::{Arguments, MOST_ARGUMENTS, canonical, keys};
use serde_json::{Map, Value, json};

use crate::unwrap::{free_text, one_object};

/// Largest answer that is looked at, in bytes.
pub const MOST_REPLY_BYTES: usize = 1 << 20;
/// Most bytes of a text that is kept of an answer.
const MOST_TEXT: usize = 8 << 10;
/// Most bytes of what is wrong with an answer, which the model is told.
const MOST_REASON: usize = 512;
/// Keys beside those of the form that an answer may have.
const MOST_KEYS: usize = 16;
/// Keys of an action. Beside it they would say something else than it does, and leaving them out might change what is
/// done.
const OF_AN_ACTION: [&str; 11] =
    ["tool", "arguments", "finish", "claims", "plan", "sub-tasks", "write", "reflect", "compact", "ask", "abandon"];

/// Tools that every agent has (specification E2): a way out that a person hears of.
pub const INJECTED: [&str; 2] = ["defer_to_human", "escalate_to_architect"];

/// The same as an agent is told of them: name, description, JSON Schema of the arguments.
pub fn injected_tools() -> [(&'static str, &'static str, Value); 2] {
    let reason = json!({"type": "string", "minLength": LEAST_REASON});
    [
        (
            INJECTED[0],
            "This task cannot go on without a person. Say what is missing, in at least 20 characters.",
            json!({"type": "object", "required": ["reason"], "properties": {"reason": reason}}),
        ),
        (
            INJECTED[1],
            "Something larger than this task is wrong. Say what, in at least 20 characters.",
            json!({"type": "object", "required": ["severity", "reason"], "properties": {
                "severity": {"enum": ["warning", "critical"]}, "reason": reason,
            }}),
        ),
    ]
}

/// Least characters of a reason: fewer tell nobody anything.
const LEAST_REASON: usize = 20;

/// A parsed answer.
pub struct Parsed {
    /// To be recorded: secrets are replaced.
    pub reply: Reply,
    /// Canonical arguments as the tool is to receive them, where the answer calls one.
    pub arguments: Option<String>,
}

/// Parses one step.
pub fn parse_step(bytes: &[u8], signals: Vec<Signal>, tools: &dyn Arguments, salt: &Salt) -> Parsed {
    match step(bytes, signals, tools, salt) {
        Ok(parsed) => parsed,
        Err(reason) => Parsed { reply: invalid(reason, bytes, salt), arguments: None },
    }
}

/// Takes a stronger model's text.
pub fn parse_patch(bytes: &[u8], salt: &Salt) -> Reply {
    if bytes.len() > MOST_REPLY_BYTES {
        return invalid(too_large(bytes.len()), bytes, salt);
    }
    let (text, unwrapped) = match std::str::from_utf8(bytes) {
        Ok(text) => free_text(text),
        Err(error) => return invalid(not_utf8(&error), bytes, salt),
    };
    if !text.is_empty() {
        return Reply::Patch { text: clean(text, MOST_TEXT, salt), unwrapped };
    }
    let found = if unwrapped.contains(&Wrapping::Thoughts) { "only thoughts" } else { "nothing" };
    invalid(format!("expected a text, found {found}"), bytes, salt)
}

/// An answer that is not in the form asked for.
pub(crate) fn invalid(reason: String, bytes: &[u8], salt: &Salt) -> Reply {
    let reason = clean(&reason, MOST_REASON, salt).to_string();
    Reply::Invalid { reason, bytes: bytes.len() as u64, payload: salted(bytes, salt).into() }
}

fn too_large(bytes: usize) -> String {
    format!("expected at most {MOST_REPLY_BYTES} bytes, found {bytes}")
}

fn not_utf8(error: &std::str::Utf8Error) -> String {
    format!("expected UTF-8, found another byte at {}", error.valid_up_to())
}

fn step(bytes: &[u8], signals: Vec<Signal>, tools: &dyn Arguments, salt: &Salt) -> Result<Parsed, String> {
    if bytes.len() > MOST_REPLY_BYTES {
        return Err(too_large(bytes.len()));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(&error))?;
    let (mut object, mut unwrapped) = one_object(text)?;
    let mut take = |key: &str| object.remove(key).ok_or_else(|| format!("expected the key `{key}`"));
    let step = string("step", take("step")?)?;
    let reasoning = string("reasoning", take("reasoning")?)?;
    let status = match string("status", take("status")?)?.as_str() {
        "ok" => StepStatus::Ok,
        "confused" => StepStatus::Confused,
        "blocked" => StepStatus::Blocked,
        other => {
            let other = &other[..other.floor_char_boundary(32)];
            return Err(format!("key `status`: expected ok, confused or blocked, found `{other}`"));
        }
    };
    let confidence = confidence(&take("confidence")?)?;
    let wanted = take("action")?;
    unwrapped.extend(ignored(&object, &wanted, salt)?);
    let (action, arguments) = action(wanted, tools, salt)?;
    Ok(Parsed {
        reply: Reply::Step(StepReply {
            step: clean(&step, 256, salt),
            action,
            reasoning: clean(&reasoning, MOST_TEXT, salt),
            status,
            confidence: Some(confidence),
            signals,
            bytes: bytes.len() as u64,
            unwrapped,
        }),
        arguments,
    })
}

/// A share, and no percentage: 95 may be meant as 0.95, but nobody knows what 2 is meant as.
fn confidence(value: &Value) -> Result<f64, String> {
    const EXPECTED: &str = "key `confidence`: expected a number in 0..=1, such as 0.8";
    match value {
        Value::Number(number) => {
            let share = number.as_f64().filter(|value| (0.0..=1.0).contains(value));
            share.ok_or_else(|| format!("{EXPECTED}, found {number}"))
        }
        other => Err(format!("{EXPECTED}, found {}", kind(other))),
    }
}

/// Keys that the form does not know, by name: they say nothing. One that may belong to the action does, and is an error.
fn ignored(object: &Map<String, Value>, action: &Value, salt: &Salt) -> Result<Option<Wrapping>, String> {
    let short = |key: &str| clean(key, 32, salt);
    let bare = action.get("tool").is_some() && action.get("arguments").is_none();
    for (key, value) in object {
        // A call without arguments, and an object that may be meant as them.
        if OF_AN_ACTION.contains(&key.as_str()) || (bare && value.is_object()) {
            return Err(format!("the key `{}` stands beside `action`; expected all of the action in it", short(key)));
        }
    }
    if object.len() > MOST_KEYS {
        return Err(format!("expected no other keys, found {}", object.len()));
    }
    Ok((!object.is_empty()).then(|| Wrapping::Keys(object.keys().map(|key| short(key)).collect())))
}

fn string(key: &str, value: Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(format!("key `{key}`: expected a text, found {}", kind(&other))),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// `{"tool": …, "arguments": {…}}`, `{"finish": "…"}`, one of the other actions, or a text that does
/// nothing.
fn action(value: Value, tools: &dyn Arguments, salt: &Salt) -> Result<(Action, Option<String>), String> {
    const EXPECTED: &str = "key `action`: expected `{\"tool\", \"arguments\"}`, `{\"finish\"}`, `{\"plan\"}`, \
`{\"sub-tasks\"}`, `{\"write\"}`, `{\"reflect\"}`, `{\"compact\"}`, `{\"ask\"}`, `{\"abandon\"}` or a text";
    let mut object = match value {
        Value::String(text) => return Ok((say(&text, salt), None)),
        Value::Object(object) => object,
        other => return Err(format!("{EXPECTED}, found {}", kind(&other))),
    };
    if object.contains_key("tool") {
        let tool = string("action.tool", object.remove("tool").ok_or(EXPECTED)?)?;
        let arguments = object.remove("arguments").unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        if !object.is_empty() {
            return Err(EXPECTED.to_owned());
        }
        if !arguments.is_object() {
            return Err(format!("key `action.arguments`: expected an object, found {}", kind(&arguments)));
        }
        return Ok(proposed(&tool, arguments, tools, salt));
    }
    let claims = object.remove("claims").map(|claims| names("action.claims", claims)).transpose()?;
    let mut entries = object.into_iter();
    let (Some((word, value)), None) = (entries.next(), entries.next()) else { return Err(EXPECTED.to_owned()) };
    if claims.is_some() && word != "finish" {
        return Err(EXPECTED.to_owned());
    }
    let text = |value: Value| string(&format!("action.{word}"), value).map(|text| clean(&text, MOST_TEXT, salt));
    let action = match word.as_str() {
        "finish" => Action::Finish { summary: text(value)?, claims: claims.unwrap_or_default() },
        "plan" => Action::Plan { steps: steps("action.plan", value, salt)? },
        "sub-tasks" => Action::Split { steps: steps("action.sub-tasks", value, salt)? },
        "compact" if value == Value::Bool(true) => Action::Compact,
        "reflect" => Action::Reflect { about: text(value)? },
        "ask" => Action::Ask { question: text(value)? },
        "abandon" => Action::Abandon { reason: text(value)? },
        "write" => write(value, salt)?,
        _ => return Err(EXPECTED.to_owned()),
    };
    Ok((action, None))
}

/// A call of a tool, or one of the two injected ones: what is recorded and judged, and what the tool
/// receives.
pub fn proposed(tool: &str, arguments: Value, tools: &dyn Arguments, salt: &Salt) -> (Action, Option<String>) {
    let shown = arguments.clone();
    proposed_as(tool, arguments, shown, false, tools, salt)
}

/// The same where what is recorded and judged differs already from what the tool receives, by the marks of secrets in it.
/// Where it `has_secret`, also one that no mark stands for, what the tool receives has a digest of its own: by that the
/// run knows that a secret goes along.
pub fn proposed_as(
    tool: &str,
    arguments: Value,
    shown: Value,
    has_secret: bool,
    tools: &dyn Arguments,
    salt: &Salt,
) -> (Action, Option<String>) {
    if !INJECTED.contains(&tool) {
        return call(tool, &arguments, shown, has_secret, tools, salt);
    }
    if let Some(action) = handed_over(tool, &arguments, salt) {
        return (action, None);
    }
    let (mut action, exact) = call(tool, &arguments, shown, has_secret, tools, salt);
    if let Action::Call { invalid, .. } = &mut action {
        let expected = if tool == INJECTED[0] { "`reason`" } else { "`severity` warning or critical, and `reason`" };
        *invalid = Some(format!("expected {expected}, a reason of at least {LEAST_REASON} characters"));
    }
    (action, exact)
}

/// The two injected tools. With arguments that they do not take they are a call like any other, of a
/// tool that nobody registered, and are sent back.
fn handed_over(tool: &str, arguments: &Value, salt: &Salt) -> Option<Action> {
    let reason = arguments.get("reason")?.as_str()?;
    if reason.trim().chars().count() < LEAST_REASON {
        return None;
    }
    let reason = clean(reason, MOST_TEXT, salt);
    let count = arguments.as_object()?.len();
    match (tool, count, arguments.get("severity").map(Value::as_str)) {
        ("defer_to_human", 1, None) => Some(Action::Defer { reason }),
        ("escalate_to_architect", 2, Some(Some("warning"))) => {
            Some(Action::EscalateToArchitect { severity: Alarm::Warning, reason })
        }
        ("escalate_to_architect", 2, Some(Some("critical"))) => {
            Some(Action::EscalateToArchitect { severity: Alarm::Critical, reason })
        }
        _ => None,
    }
}

fn names(key: &str, value: Value) -> Result<Vec<Arc<str>>, String> {
    let Value::Array(list) = value else { return Err(format!("key `{key}`: expected a list")) };
    if list.len() > 64 {
        return Err(format!("key `{key}`: expected at most 64 names"));
    }
    let name = |value: Value| string(key, value).map(|text| Arc::from(&text[..text.floor_char_boundary(128)]));
    list.into_iter().map(name).collect()
}

/// The steps of a plan: `[{"id", "does", "tool", "after", "parent"}]`.
fn steps(key: &str, value: Value, salt: &Salt) -> Result<Vec<PlanStep>, String> {
    let Value::Array(list) = value else { return Err(format!("key `{key}`: expected a list of steps")) };
    if list.len() > countersign_spec::plan::MOST_STEPS {
        return Err(format!("key `{key}`: expected at most {} steps", countersign_spec::plan::MOST_STEPS));
    }
    let step = |value: Value| {
        let Value::Object(mut step) = value else { return Err(format!("key `{key}`: expected steps as objects")) };
        let mut text = |name: &str| step.remove(name).map(|value| string(&format!("{key}.{name}"), value)).transpose();
        let short = |text: &str| Arc::<str>::from(&text[..text.floor_char_boundary(64)]);
        let id = text("id")?.ok_or_else(|| format!("key `{key}`: expected an `id` in each step"))?;
        let does = text("does")?.ok_or_else(|| format!("key `{key}`: expected `does` in step `{}`", short(&id)))?;
        let (tool, parent) = (text("tool")?, text("parent")?);
        let after = step.remove("after").map(|after| names(&format!("{key}.after"), after)).transpose()?;
        if let Some(unknown) = step.keys().next() {
            return Err(format!("key `{key}`: a step has no `{}`", short(unknown)));
        }
        let does = clean(&does, 512, salt);
        Ok(PlanStep {
            id: short(&id),
            signature: keys::signature(tool.as_deref(), &does),
            does,
            tool: tool.as_deref().map(short),
            after: after.unwrap_or_default(),
            parent: parent.as_deref().map(short),
        })
    };
    list.into_iter().map(step).collect()
}

/// `{"state", "key", "text", "sources"}`.
fn write(value: Value, salt: &Salt) -> Result<Action, String> {
    const EXPECTED: &str = "key `action.write`: expected `{\"state\", \"key\", \"text\", \"sources\"}`";
    let Value::Object(mut write) = value else { return Err(EXPECTED.to_owned()) };
    let mut take = |name: &str| string(&format!("action.write.{name}"), write.remove(name).ok_or(EXPECTED)?);
    let (state, key, text) = (take("state")?, take("key")?, take("text")?);
    let state: StateKind = serde_json::from_value(Value::String(state)).map_err(|_| {
        let names = StateKind::ALL.map(StateKind::name).join(", ");
        format!("key `action.write.state`: expected one of {names}")
    })?;
    let sources = match write.remove("sources") {
        None => Vec::new(),
        Some(value) => serde_json::from_value::<Vec<u64>>(value)
            .ok()
            .filter(|sources| sources.len() <= 64)
            .ok_or("key `action.write.sources`: expected at most 64 numbers of calls")?,
    };
    if !write.is_empty() {
        return Err(EXPECTED.to_owned());
    }
    Ok(Action::Write { state, key: clean(&key, 128, salt), text: clean(&text, MOST_TEXT, salt), sources })
}

/// A tool call: what is recorded and judged, and what the tool receives.
fn call(
    tool: &str,
    arguments: &Value,
    mut shown: Value,
    has_secret: bool,
    tools: &dyn Arguments,
    salt: &Salt,
) -> (Action, Option<String>) {
    let exact = canonical(arguments);
    if exact.len() > MOST_ARGUMENTS {
        return (over_the_cap(tool, &exact), None);
    }
    let invalid = tools.problem(tool, arguments).map(|problem| clean(&problem, 512, salt).to_string());
    let missing = tools.missing(tool, arguments);
    let touches = tools.touches(tool, arguments);
    let mut identity = tools.identity(tool, &shown);
    if let Some(identity) = &mut identity {
        redact_arguments(identity, salt);
    }
    redact_arguments(&mut shown, salt);
    let shown = canonical(&shown);
    let payload = (has_secret || shown != exact).then(|| salted(exact.as_bytes(), salt).into());
    let name = &tool[..tool.floor_char_boundary(128)];
    let identity = identity.map(|identity| canonical(&identity));
    let key = keys::call_key(name, identity.as_deref().unwrap_or(&shown));
    let action = Action::Call { tool: name.into(), arguments: shown.into(), key, invalid, missing, payload, touches };
    (action, Some(exact))
}

/// A call that says more than a call may. It is sent back, and nothing of what it says is kept; the same once more is the
/// same call.
fn over_the_cap(tool: &str, exact: &str) -> Action {
    let name = &tool[..tool.floor_char_boundary(128)];
    let problem = format!("arguments of {} bytes; a call takes at most {MOST_ARGUMENTS}", exact.len());
    Action::Call {
        tool: name.into(),
        arguments: "{}".into(),
        key: keys::call_key(name, exact),
        invalid: Some(problem),
        missing: Vec::new(),
        payload: None,
        touches: Touched::default(),
    }
}

/// A text that is neither a call nor an end: something said.
pub fn say(text: &str, salt: &Salt) -> Action {
    let text = clean(text, MOST_TEXT, salt);
    Action::Say { key: keys::key(&[b"say", text.as_bytes()]), text }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Any;
    impl Arguments for Any {
        fn problem(&self, _: &str, _: &Value) -> Option<String> {
            None
        }
    }

    fn reason(bytes: &[u8]) -> Option<String> {
        match parse_step(bytes, Vec::new(), &Any, &Salt([0; 32])).reply {
            Reply::Invalid { reason, .. } => Some(reason),
            _ => None,
        }
    }

    #[test]
    fn whatever_is_not_a_step_is_a_violation() {
        let good = r#"{"step":"s","action":{"tool":"t","arguments":{"b":1,"a":2}},"reasoning":"r","status":"ok","confidence":0.5}"#;
        assert_eq!(reason(good.as_bytes()), None);
        let table: [(Vec<u8>, &str); 15] = [
            (b"".to_vec(), "one JSON object"),
            (b"\xff\xfe".to_vec(), "UTF-8"),
            ("[".repeat(100_000).into_bytes(), "recursion limit"),
            (vec![b'x'; MOST_REPLY_BYTES + 1], "at most"),
            (b"[]".to_vec(), "a JSON object"),
            (good.replace("\"ok\"", "\"fine\"").into_bytes(), "ok, confused or blocked"),
            (good.replace("0.5", "1.5").into_bytes(), "0..=1"),
            (good.replace("0.5", "\"high\"").into_bytes(), "0..=1"),
            (good.replace("\"reasoning\":\"r\",", "").into_bytes(), "`reasoning`"),
            (good.replace("\"a\":2", "\"b\":2").into_bytes(), "stands twice"),
            (good.replace("{\"tool\"", "{\"also\":1,\"tool\"").into_bytes(), "key `action`"),
            (good.replace("0.5", "95").into_bytes(), "0..=1, such as 0.8, found 95"),
            (good.replace("\"status\"", "\"finish\":\"f\",\"status\"").into_bytes(), "`finish` stands beside `action`"),
            (
                good.replace(",\"arguments\":{\"b\":1,\"a\":2}}", "},\"parameters\":{\"b\":1}").into_bytes(),
                "`parameters` stands beside `action`",
            ),
            (format!("{good}{good}").into_bytes(), "found 2"),
        ];
        for (bytes, part) in table {
            let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
            let found = reason(&bytes);
            assert!(found.as_ref().is_some_and(|found| found.contains(part)), "{shown}: {found:?}");
        }
    }

    #[test]
    fn what_was_set_aside_is_noted() {
        let good = r#"{"step":"s","action":"hm","reasoning":"r","status":"ok","confidence":0.5,"mood":{"of":1},"thought":"t"}"#;
        let parsed = parse_step(format!("```json\n{good}\n```").as_bytes(), Vec::new(), &Any, &Salt([0; 32]));
        let Reply::Step(step) = parsed.reply else { panic!("{:?}", parsed.reply) };
        assert_eq!(step.unwrapped, [Wrapping::CodeFence, Wrapping::Keys(vec!["mood".into(), "thought".into()])]);
        let recorded = serde_json::to_string(&step).unwrap_or_default();
        assert!(recorded.contains(r#""unwrapped":["code-fence",{"keys":["mood","thought"]}]"#), "{recorded}");
        let many: String = (0..20).map(|number| format!("\"k{number}\":1,")).collect();
        let many = good.replacen('{', &format!("{{{many}"), 1);
        assert!(reason(many.as_bytes()).is_some_and(|reason| reason.contains("no other keys, found 22")));
    }

    /// What a model only thinks of is not done, whatever form it has.
    #[test]
    fn a_call_in_thoughts_is_not_taken() {
        let call = |tool: &str| {
            format!(r#"{{"step":"s","action":{{"tool":"{tool}"}},"reasoning":"r","status":"ok","confidence":0.5}}"#)
        };
        for (open, close) in [("<think>", "</think>"), ("<thinking>\n", "\n</thinking>\n"), ("", "\n</think>\n")] {
            let thought = format!("{open}{}{close}", call("delete"));
            assert!(reason(thought.as_bytes()).is_some(), "{thought}");
            let answer = format!("{thought}{}", call("read"));
            match parse_step(answer.as_bytes(), Vec::new(), &Any, &Salt([0; 32])).reply {
                Reply::Step(StepReply { action: Action::Call { tool, .. }, .. }) => assert_eq!(&*tool, "read"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn advice_is_taken_without_thoughts() {
        let patch = |text: &str| parse_patch(text.as_bytes(), &Salt([0; 32]));
        let unwrapped = vec![Wrapping::Thoughts];
        assert_eq!(patch("<think>hm</think>\nDo it."), Reply::Patch { text: "Do it.".into(), unwrapped });
        for (text, part) in [("<think>hm</think>", "only thoughts"), (" \n", "nothing")] {
            assert!(matches!(patch(text), Reply::Invalid { reason, .. } if reason.contains(part)), "{text}");
        }
    }

    #[test]
    fn a_tool_gets_its_secret_and_the_trace_does_not() {
        let bytes = br#"{"step":"s","action":{"tool":"login","arguments":{"password":"hunter2"}},"reasoning":"r","status":"ok","confidence":1}"#;
        let parsed = parse_step(bytes, Vec::new(), &Any, &Salt([0; 32]));
        assert_eq!(parsed.arguments.as_deref(), Some(r#"{"password":"hunter2"}"#));
        let recorded = serde_json::to_string(&parsed.reply).unwrap_or_default();
        assert!(!recorded.contains("hunter2"), "{recorded}");
    }
}
