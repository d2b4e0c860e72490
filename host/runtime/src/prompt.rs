//! What a model is told, as one JSON object. The texts here are the prompt templates whose digest
//! stands in the manifest.

use countersign_bundle::{Digest, sha256};
use countersign_kernel::contract::classifier::PlanningMode;
use countersign_kernel::{ModelRequest, Purpose};
use serde_json::{Value, json};

const FORM: &str = "Answer with one JSON object and nothing else: {\"step\": short name of what you are doing, \
\"action\": {\"tool\": name, \"arguments\": {…}}, {\"finish\": summary, \"claims\": [tools used]}, \
{\"plan\": [{\"id\", \"does\", \"tool\", \"after\": [ids]}]}, {\"sub-tasks\": [… with \"parent\"]}, \
{\"write\": {\"state\", \"key\", \"text\", \"sources\": [calls]}}, {\"reflect\": on what}, {\"ask\": question} or \
{\"abandon\": reason}, \"reasoning\": why, \"status\": \"ok\", \
\"confused\" or \"blocked\", \"confidence\": 0.0 to 1.0}.";
const PLANNING: [(&str, &str); 4] = [
    ("act", "Take one step at a time."),
    ("act-with-reflexion", "Take one step at a time, and mind the lessons of earlier tries."),
    ("plan-then-execute", "Make a plan first, then follow it step by step."),
    ("extended-thinking", "Think the decision through before you answer."),
];

/// Digest of the templates.
pub fn templates_digest() -> Digest {
    let mut text = FORM.to_owned();
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
        "form": FORM,
    });
    // What is not there costs no tokens.
    let memory: Vec<Value> = request.memory.iter().map(|(key, text)| json!({"key": **key, "text": **text})).collect();
    let parts = [
        ("about", about.map(Value::from)),
        ("plan", request.plan.as_deref().map(Value::from)),
        ("kept", request.kept.as_deref().map(Value::from)),
        ("scratchpad", request.scratchpad.as_deref().map(Value::from)),
        ("memory", (!memory.is_empty()).then_some(Value::Array(memory))),
    ];
    if let Value::Object(value) = &mut value {
        value.extend(parts.into_iter().filter_map(|(key, part)| Some((key.to_owned(), part?))));
    }
    value.to_string()
}
