//! Slot `doom-loop`: the default policy natively, generated questions, laws.

use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use countersign::kernel::contract::doom_loop::{Failure, ObservedStep};
use countersign::kernel::contract::{FailureClass, Key, doom_loop as contract};
use countersign::kernel::{Action, Question, Reply};
use countersign::{Arguments, Salt, parse_step};
use countersign_sdk::doom_loop as sdk;
use serde_json::{Map, Value, json};

use crate::generate::{KIB, Random, name, text, text as some_text, uncut};
use crate::laws::{Law, Trial, view};
use crate::native::shared::to_failure_class;

native!(DoomLoop, countersign_doom_loop::CircuitBreaker, sdk::DoomLoop.observe);

/// A question's record as the SDK has it.
pub fn to_sdk(step: &contract::ObservedStep) -> sdk::ObservedStep {
    sdk::ObservedStep {
        index: step.index,
        action: step.action.to_string(),
        call_key: step.call_key,
        result_key: step.result_key,
        state_before: step.state_before,
        state_after: step.state_after,
        failure: step.failure.map(|failure| sdk::Failure { class: to_failure_class(failure.class), key: failure.key }),
        mutating: step.mutating,
        poller: step.poller,
        internal: step.internal,
        user_boundary: step.user_boundary,
        action_bytes: step.action_bytes,
        result_bytes: step.result_bytes,
        drift: step.drift,
    }
}

fn from_sdk(answer: sdk::Signal) -> contract::Signal {
    match answer {
        sdk::Signal::Steady => contract::Signal::Steady,
        sdk::Signal::Caution(text) => contract::Signal::Caution(text),
        sdk::Signal::Warning(text) => contract::Signal::Warning(text),
        sdk::Signal::Trip(trip) => contract::Signal::Trip(contract::Trip {
            reason: map_enum!(trip.reason, sdk::TripReason => contract::TripReason {
                NoProgress, SameError, ToolThrash, RepeatedMessage, TurnCap
            }),
            evidence: trip.evidence,
            handoff: map_enum!(trip.handoff, sdk::Handoff => contract::Handoff { Replan, Escalate, Ask, Terminate }),
        }),
    }
}

/// Whatever the contract allows it to be asked.
pub fn question(random: &mut Random) -> ObservedStep {
    let action: Arc<str> = some_text(random, 8 * KIB);
    let failure = Failure { class: random.pick(&FailureClass::ALL), key: random.maybe(Random::key) };
    ObservedStep {
        index: random.maybe(|random| random.below(60) as u32),
        action_bytes: uncut(random, &action, 8 * KIB),
        action,
        call_key: if random.once_in(6) { None } else { Some(random.key()) },
        result_key: if random.once_in(6) { None } else { Some(random.key()) },
        state_before: if random.once_in(4) { Some(random.key()) } else { None },
        state_after: if random.once_in(4) { Some(random.key()) } else { None },
        failure: random.once_in(3).then_some(failure),
        mutating: random.toss(),
        poller: random.once_in(8),
        internal: random.once_in(8),
        user_boundary: random.once_in(12),
        result_bytes: random.amount(),
        drift: random.once_in(4).then(|| random.share() * 4.0),
    }
}

/// The laws of its own meaning.
pub const LAWS: [Law; 1] = [Law { name: "the order of a call's argument keys makes no difference", check: key_order }];

/// A call as the host makes it of a model's reply.
struct Call {
    key: Key,
    action: String,
}

/// The same run twice; in the second each call has its keys in another order.
fn key_order(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    let mut calls = Vec::new();
    for _ in 0..1 + random.below(3) {
        let (tool, arguments) = (name(random), object(random, 3));
        calls.push([proposed(&tool, &arguments, random)?, proposed(&tool, &arguments, random)?]);
    }
    let (mut one, mut other) = (trial.subject.open()?, trial.subject.open()?);
    for number in 0..4 + random.below(12) {
        let (step, view) = (question(random), view(random));
        let [first, second] = &calls[random.below(calls.len())];
        let ask = |call: &Call| {
            Question::DoomLoop(ObservedStep {
                action: call.action.as_str().into(),
                action_bytes: call.action.len() as u64,
                call_key: step.call_key.map(|_| call.key.0),
                ..step.clone()
            })
        };
        let signal = trial.ask(&mut one, &ask(first), &view)?.answer;
        let again = trial.ask(&mut other, &ask(second), &view)?.answer;
        ensure!(
            signal == again,
            "step {number}: {signal:?}, then {again:?}, after `{}` and `{}`",
            first.action,
            second.action
        );
    }
    Ok(())
}

/// What the host makes of a reply that proposes a call, the keys of its arguments in any order.
fn proposed(tool: &str, arguments: &Value, random: &mut Random) -> Result<Call> {
    struct AnyArguments;
    impl Arguments for AnyArguments {
        fn problem(&self, _: &str, _: &Value) -> Option<String> {
            None
        }
    }
    let reply = format!(
        r#"{{"step":"s","action":{{"tool":{},"arguments":{}}},"reasoning":"","status":"ok","confidence":0.9}}"#,
        json!(tool),
        in_any_order(arguments, random)
    );
    match parse_step(reply.as_bytes(), Vec::new(), &AnyArguments, &Salt([7; 32])).reply {
        Reply::Step(reply) => match reply.action {
            Action::Call { tool, arguments, key, .. } => Ok(Call { key, action: format!("{tool} {arguments}") }),
            other => bail!("{other:?} is no call"),
        },
        other => bail!("{reply} is no step: {other:?}"),
    }
}

fn object(random: &mut Random, depth: usize) -> Value {
    const KEYS: [&str; 8] = ["path", "b", "a", "é", "text", "Z", "0", ""];
    let keys = random.some(5, |random| random.pick(&KEYS));
    let entry = |key: &str| (key.to_owned(), value(random, depth - 1));
    Value::Object(keys.into_iter().map(entry).collect::<Map<_, _>>())
}

fn value(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth == 0 { 4 } else { 6 }) {
        0 => json!(random.amount()),
        1 => json!(random.share()),
        2 => json!(random.maybe(Random::toss)),
        3 => json!(&*text(random, 40)),
        4 => Value::Array(random.some(3, |random| value(random, depth - 1))),
        _ => object(random, depth),
    }
}

/// JSON with the keys of every object in any order.
fn in_any_order(value: &Value, random: &mut Random) -> String {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            random.shuffle(&mut entries);
            let entry = |(key, value): (&String, &Value)| format!("{}:{}", json!(key), in_any_order(value, random));
            format!("{{{}}}", entries.into_iter().map(entry).collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| in_any_order(item, random)).collect();
            format!("[{}]", items.join(","))
        }
        other => other.to_string(),
    }
}
