//! What a model is told, as one JSON object. The texts here are the prompt templates whose digest
//! stands in the manifest.

use countersign_kernel::contract::{Digest, PlanningMode, sha256};
use countersign_kernel::{ModelRequest, Purpose};
use serde_json::{Value, json};

const FORM: &str = "Answer with one JSON object and nothing else: {\"step\": short name of what you are doing, \
\"action\": {\"tool\": name, \"arguments\": {…}}, {\"finish\": summary, \"claims\": [tools used]}, \
{\"plan\": [{\"id\", \"does\", \"tool\", \"after\": [ids]}]}, {\"sub-tasks\": [… with \"parent\"]}, \
{\"write\": {\"state\", \"key\", \"text\", \"sources\": [calls]}}, {\"reflect\": on what}, {\"compact\": true} when the context \
gets in the way, {\"ask\": question} or \
{\"abandon\": reason}, \"reasoning\": why, \"status\": \"ok\", \
\"confused\" or \"blocked\", \"confidence\": 0.0 to 1.0}.";
/// Who a model is, where the interface has a place of its own for that.
const STEPPING: &str = "You are the model in an agent loop. You propose one step at a time; a host decides whether it \
runs, runs it, and shows you what came of it. You are told the state of the task as a JSON object. Use only the tools \
it lists.";
const HELPING: &str = "A weaker model in an agent loop is stuck. You are told the goal, the last valid state, where it \
failed and why. Answer in plain words: what is wrong, and what exactly to do next, in a few short sentences. The \
weaker model follows your text.";
const PLANNING: [(&str, &str); 4] = [
    ("act", "Take one step at a time."),
    ("act-with-reflexion", "Take one step at a time, and mind the lessons of earlier tries."),
    ("plan-then-execute", "Make a plan first, then follow it step by step."),
    ("extended-thinking", "Think the decision through before you answer."),
];

/// Digest of the templates.
pub fn templates_digest() -> Digest {
    let mut text = [FORM, STEPPING, HELPING].concat();
    for (name, words) in PLANNING {
        text.push_str(name);
        text.push_str(words);
    }
    sha256(text.as_bytes())
}

/// Tokens of what a request says of the tools, estimated as a quarter of its bytes.
pub fn overhead(tools: &[Value]) -> u64 {
    (Value::from(tools).to_string().len() as u64).div_ceil(4)
}

/// The request as text. An escalation is told the six fields of its packet and nothing more.
pub fn render(request: &ModelRequest, tools: &[Value]) -> String {
    body(request, tools, Some(FORM))
}

/// The same as two messages: who the model is and how it answers, and what this request says.
pub fn messages(request: &ModelRequest, tools: &[Value]) -> (String, String) {
    let system = match &request.purpose {
        Purpose::Patch(_) => HELPING.to_owned(),
        _ => format!("{STEPPING}\n{FORM}"),
    };
    (system, body(request, tools, None))
}

fn body(request: &ModelRequest, tools: &[Value], form: Option<&str>) -> String {
    if let Purpose::Patch(packet) = &request.purpose {
        return serde_json::to_string(packet).unwrap_or_default();
    }
    let planning = match request.planning {
        PlanningMode::Act => 0,
        PlanningMode::ActWithReflexion => 1,
        PlanningMode::PlanThenExecute => 2,
        PlanningMode::ExtendedThinking(_) => 3,
    };
    let recent: Vec<Value> =
        request.recent.iter().map(|(action, result)| json!({"action": **action, "result": **result})).collect();
    let (purpose, about) = match &request.purpose {
        Purpose::Plan => ("plan", None),
        Purpose::Replan => ("replan", None),
        Purpose::Reflect(about) => ("reflect", Some(&**about)),
        Purpose::Step | Purpose::Patch(_) => ("step", None),
    };
    let mut value = json!({
        "purpose": purpose,
        "goal": *request.goal,
        "constraints": request.constraints.iter().map(|text| &**text).collect::<Vec<_>>(),
        "planning": PLANNING[planning].1,
        "guidance": request.guidance.as_deref(),
        "notice": request.notice,
        "recent": recent,
        "tools": tools,
    });
    // What is not there costs no tokens.
    let memory: Vec<Value> = request.memory.iter().map(|(key, text)| json!({"key": **key, "text": **text})).collect();
    let parts = [
        ("form", form.map(Value::from)),
        ("about", about.map(Value::from)),
        ("plan", request.plan.as_deref().map(Value::from)),
        ("role", request.acting.as_ref().map(|(name, is_for)| json!({"name": **name, "is-for": **is_for}))),
        ("kept", request.kept.as_deref().map(Value::from)),
        ("scratchpad", request.scratchpad.as_deref().map(Value::from)),
        ("memory", (!memory.is_empty()).then_some(Value::Array(memory))),
    ];
    if let Value::Object(value) = &mut value {
        value.extend(parts.into_iter().filter_map(|(key, part)| Some((key.to_owned(), part?))));
    }
    value.to_string()
}
