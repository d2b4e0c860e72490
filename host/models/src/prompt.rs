//! What a model is told, as one JSON object: the state of its task, worded.

use countersign_kernel::contract::PlanningMode;
use countersign_kernel::told::{CameOf, CompactedHistory, Did, Exchange, Notice};
use countersign_kernel::{ModelRequest, Packet, Purpose};
use countersign_spec::plan::PlanLine;
use countersign_tools::marks::is_marked;
use serde_json::{Value, json};

use crate::words::{self, fill};

/// Tokens of what a request says of the tools, estimated as a quarter of its bytes.
pub fn overhead(tools: &[Value]) -> u64 {
    (Value::from(tools).to_string().len() as u64).div_ceil(4)
}

/// The request as text. An escalation is told the six fields of its packet and nothing more.
pub fn render(request: &ModelRequest, tools: &[Value]) -> String {
    body(request, tools, Some(words::FORM))
}

/// The same as two messages: who the model is and how it answers, and what this request says.
pub fn messages(request: &ModelRequest, tools: &[Value]) -> (String, String) {
    let system = match &request.purpose {
        Purpose::Patch(_) => words::HELPING.to_owned(),
        _ => [words::STEPPING, words::FORM].join("\n"),
    };
    (system, body(request, tools, None))
}

fn body(request: &ModelRequest, tools: &[Value], form: Option<&str>) -> String {
    if let Purpose::Patch(packet) = &request.purpose {
        return help(packet, request.mend.as_deref());
    }
    let planning = match request.planning {
        PlanningMode::Act => words::ACT,
        PlanningMode::ActWithReflexion => words::ACT_WITH_REFLEXION,
        PlanningMode::PlanThenExecute => words::PLAN_THEN_EXECUTE,
        PlanningMode::ExtendedThinking(_) => words::EXTENDED_THINKING,
    };
    let exchange = |Exchange { did, came }: &Exchange| json!({"action": action(did), "result": result(came)});
    let recent: Vec<Value> = request.recent.iter().map(exchange).collect();
    let mend = request.mend.as_deref().map(|reason| fill(words::MEND_ANSWER, &[reason]));
    let said = [mend, request.notice.as_ref().map(notice), request.message.as_deref().map(str::to_owned)];
    let said: Vec<String> = said.into_iter().flatten().collect();
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
        "planning": planning,
        "guidance": request.guidance.as_deref(),
        "notice": (!said.is_empty()).then(|| said.join("\n")),
        "recent": recent,
        "tools": tools,
    });
    // What is not there costs no tokens.
    let memory: Vec<Value> = request.memory.iter().map(|(key, text)| json!({"key": **key, "text": **text})).collect();
    let parts = [
        ("form", form.map(Value::from)),
        ("about", about.map(Value::from)),
        ("plan", (!request.plan.is_empty()).then(|| Value::from(plan(&request.plan)))),
        ("role", request.acting.as_ref().map(|(name, is_for)| json!({"name": **name, "is-for": **is_for}))),
        ("kept", request.kept.as_ref().map(|history| Value::from(kept(history)))),
        ("scratchpad", request.scratchpad.as_deref().map(Value::from)),
        ("memory", (!memory.is_empty()).then_some(Value::Array(memory))),
    ];
    if let Value::Object(value) = &mut value {
        value.extend(parts.into_iter().filter_map(|(key, part)| Some((key.to_owned(), part?))));
    }
    value.to_string()
}

/// A packet in its six fields, with words where there is nothing.
fn help(packet: &Packet, mend: Option<&str>) -> String {
    let or = |text: &str, words: &str| if text.is_empty() { words.to_owned() } else { text.to_owned() };
    let mut packet = packet.clone();
    packet.last_valid_state = or(&packet.last_valid_state, words::NOTHING_DONE);
    packet.snippet = or(&packet.snippet, words::NOTHING_RUN);
    if packet.constraints.is_empty() {
        packet.constraints.push(words::NO_CONSTRAINTS.into());
    }
    packet.error_signals.extend(mend.map(|reason| fill(words::MEND_ADVICE, &[reason])));
    serde_json::to_string(&packet).unwrap_or_default()
}

/// What an agent that owns its loop is told by a notice.
pub fn notice(notice: &Notice) -> String {
    match notice {
        Notice::NoTerminalTool => words::NO_TERMINAL_TOOL.to_owned(),
        Notice::PlanRefused { problems } => fill(words::PLAN_REFUSED, &[&problems.join("; ")]),
        Notice::AnotherPlan { reason } => fill(words::ANOTHER_PLAN, &[reason]),
        Notice::GetsNowhere { reason } => reason.to_string(),
        Notice::Rejected { tool: Some(tool), instead } => fill(words::REJECTED_CALL, &[tool, instead]),
        Notice::Rejected { tool: None, instead } => instead.to_string(),
        // Newer than these words: better nothing than a guess.
        _ => String::new(),
    }
}

fn action(did: &Did) -> String {
    match did {
        Did::Called(text) | Did::Said(text) => text.to_string(),
        Did::Planned => words::PLANNED.to_owned(),
        Did::Finished => words::FINISHED.to_owned(),
        Did::Reflected => words::REFLECTED.to_owned(),
        Did::AskedForRoom => words::ASKED_FOR_ROOM.to_owned(),
        Did::Wrote { state, key: None } => fill(words::WROTE, &[state.name()]),
        Did::Wrote { state, key: Some(key) } => fill(words::WROTE_UNDER, &[state.name(), key]),
        Did::AskedUser => words::ASKED_USER.to_owned(),
        Did::HandedOver => words::HANDED_OVER.to_owned(),
        Did::GaveUp => words::GAVE_UP.to_owned(),
        _ => String::new(),
    }
}

fn result(came: &CameOf) -> String {
    match came {
        CameOf::Result { text, cut_from } => {
            let text = cut_from.map_or_else(|| text.to_string(), |all| cut(text, all));
            if is_marked(&text) { fill(words::WITH_MARKS, &[&text]) } else { text }
        }
        CameOf::NotRun { reason } => fill(words::NOT_RUN, &[reason]),
        CameOf::NotAccepted { reason } => fill(words::NOT_ACCEPTED, &[reason]),
        CameOf::NotWritten { reason } => fill(words::NOT_WRITTEN, &[reason]),
        CameOf::NotDone { reason } => fill(words::NOT_DONE, &[reason]),
        CameOf::NoReflection { reason } => fill(words::NO_REFLECTION, &[reason]),
        CameOf::NoCall => words::NO_CALL.to_owned(),
        CameOf::LookedAtLater => words::LOOKED_AT_LATER.to_owned(),
        CameOf::Noted => words::NOTED.to_owned(),
        CameOf::Plan(lines) => plan(lines),
        _ => String::new(),
    }
}

/// The beginning of a result, with how much of it is not there.
fn cut(text: &str, all: u64) -> String {
    let shown = text.len() as u64;
    let left_out = all.saturating_sub(shown);
    fill(words::CUT, &[text, &shown.to_string(), &all.to_string(), &left_out.to_string()])
}

fn plan(lines: &[PlanLine]) -> String {
    let line = |line: &PlanLine| match &line.tool {
        Some(tool) => fill(words::PLAN_LINE_WITH_TOOL, &[line.state.name(), &line.id, &line.does, tool]),
        None => fill(words::PLAN_LINE, &[line.state.name(), &line.id, &line.does]),
    };
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn kept(history: &CompactedHistory) -> String {
    let mut out = words::KEPT_FACTS.to_owned();
    for (name, text) in &history.facts {
        out.push_str(&fill(words::KEPT_FACT, &[name, text]));
    }
    let unmet = match history.unmet.as_slice() {
        [] => words::KEPT_NOTHING.to_owned(),
        unmet => unmet.iter().map(|id| &**id).collect::<Vec<_>>().join(", "),
    };
    out.push_str(&fill(words::KEPT_UNMET, &[&unmet]));
    out.push_str(&fill(words::KEPT_CALL, &[&history.last_call.to_string()]));
    out.push_str(&fill(words::KEPT_STEPS, &[&history.steps_left.to_string()]));
    if let Some(tool) = &history.approved {
        out.push_str(&fill(words::KEPT_APPROVED, &[tool]));
    }
    let state = match &*history.last_valid_state {
        "" => words::NOTHING_DONE,
        state => state,
    };
    out.push_str(&fill(words::KEPT_STATE, &[state]));
    out
}
