//! What a policy must not do, done: each gives the cause that belongs to it, with the author's own
//! message first, and the host goes on.

use std::sync::Arc;

use countersign::engine::{Caps, Engine, EngineOptions, History, Limits, NoHistory, Outcome, Policy, Session};
use countersign::kernel::contract::view::Read;
use countersign::kernel::contract::{Compliance, Dimension, ToolCategory, estimator, risk};
use countersign::kernel::{Answered, Cause, Question};
use countersign_tests::native::{Served, view};
use countersign_tests::root;

fn component() -> anyhow::Result<Vec<u8>> {
    Ok(std::fs::read(root().join("tests/policies/built/misbehaving.wasm"))?)
}

fn engine() -> anyhow::Result<Engine> {
    Ok(Engine::new(EngineOptions { pool: None, ..EngineOptions::default() })?)
}

fn misbehaving() -> anyhow::Result<Policy> {
    Ok(engine()?.load("misbehaving.wasm", &component()?)?)
}

fn session(policy: &Policy, configuration: &str) -> anyhow::Result<Session> {
    Ok(policy.open(configuration.into(), Limits::default())?)
}

fn question() -> Question {
    Question::Risk(risk::ProposedAction {
        tool: "t".into(),
        category: ToolCategory::Sandbox,
        arguments: "{}".into(),
        reversibility: risk::Reversibility::Reversible,
        blast_radius: Some(0),
        compliance: Compliance::None,
        novelty: risk::Novelty::NewTool,
        working_context: "".into(),
        confidence: Some(0.9),
    })
}

fn ask(session: &mut Session, history: &mut dyn History) -> Outcome {
    session.judge(&question(), Arc::new(Served(view(None, None))), history)
}

fn cause(outcome: &Outcome) -> String {
    match &outcome.judged.answer {
        Answered::Undecided(cause) => cause.name().to_owned(),
        _ => "decided".to_owned(),
    }
}

#[test]
fn each_misdeed_has_its_cause_and_its_message() -> anyhow::Result<()> {
    let policy = misbehaving()?;
    let table = [
        ("panic", "trap", "misbehaving@0.1.0: risk.judge: panicked at"),
        ("loop_forever", "out-of-fuel", "risk.judge: I shall never come to an end (it ran out of fuel)"),
        // Rust's own stack lies in the guest's memory and is 1 MiB: it ends before fuel or wasm stack.
        ("recurse", "trap", "it trapped"),
        ("hoard_memory", "out-of-memory", "I want it all (it asked for more memory than its limit)"),
        ("not_a_number", "contract-violation", "`score` must be 0..=1, found NaN"),
        ("out_of_range", "contract-violation", "`score` must be 0..=1, found 1.5"),
        ("long_answer", "contract-violation", "`reason` must be at most 1024 bytes"),
        ("huge_answer", "malformed-answer", "its answer could not be read"),
        ("read_too_much", "contract-violation", "`run` must be read at most 32 times a call"),
        ("behave", "decided", ""),
    ];
    for (behaviour, expected, message) in table {
        let mut session = session(&policy, &format!(r#"{{"behaviour":"{behaviour}"}}"#))?;
        let outcome = ask(&mut session, &mut NoHistory);
        let failure = outcome.failure.clone().unwrap_or_default();
        assert_eq!(cause(&outcome), expected, "{behaviour}: {failure}");
        assert!(failure.contains(message), "{behaviour}: {failure}");
    }
    Ok(())
}

#[test]
fn an_estimate_that_breaks_the_contract_is_no_estimate() -> anyhow::Result<()> {
    let policy = misbehaving()?;
    let spent = vec![estimator::Spent { dimension: Dimension::Steps, used: 1, left: 9 }];
    let question = Question::Estimator(estimator::Progress { done: 1, total: 4, spent });
    let table = [
        ("backwards", "contract-violation", "estimator.estimate: contract violation: `intervals[0]` must be lower"),
        ("twice", "contract-violation", "`intervals[2].dimension` must be each dimension at most once"),
        ("long_answer", "contract-violation", "`reason` must be at most 1024 bytes"),
        ("behave", "decided", ""),
    ];
    for (behaviour, expected, message) in table {
        let mut session = session(&policy, &format!(r#"{{"behaviour":"{behaviour}"}}"#))?;
        let outcome = session.judge(&question, Arc::new(Served(view(None, None))), &mut NoHistory);
        let failure = outcome.failure.clone().unwrap_or_default();
        assert_eq!(cause(&outcome), expected, "{behaviour}: {failure}");
        assert!(failure.contains(message), "{behaviour}: {failure}");
    }
    Ok(())
}

#[test]
fn nan_is_recorded_by_its_bits() -> anyhow::Result<()> {
    let mut session = session(&misbehaving()?, r#"{"behaviour":"not_a_number"}"#)?;
    let outcome = ask(&mut session, &mut NoHistory);
    let Answered::Undecided(Cause::ContractViolation(violation)) = &outcome.judged.answer else {
        anyhow::bail!("NaN was accepted");
    };
    assert!(violation.bits.is_some_and(|bits| f64::from_bits(bits.0).is_nan()));
    let text = serde_json::to_string(&outcome.judged.answer)?;
    assert_eq!(serde_json::from_str::<Answered>(&text)?, outcome.judged.answer);
    Ok(())
}

/// Earlier calls of a run, as they are recorded.
struct Earlier(Vec<(Question, Vec<Read>, Answered)>);

impl History for Earlier {
    fn feed(&mut self, each: &mut dyn FnMut(&Question, &[Read], &Answered) -> bool) -> bool {
        self.0.iter().all(|(question, reads, answer)| each(question, reads, answer))
    }
}

#[test]
fn an_instance_is_rebuilt_from_its_recorded_inputs_once() -> anyhow::Result<()> {
    let policy = misbehaving()?;
    // Panics at its fourth call, whichever instance makes it.
    let mut session = session(&policy, r#"{"behaviour":"panic","after":3,"once":true}"#)?;
    let mut history = Earlier(Vec::new());
    for n in 1..=3 {
        let outcome = ask(&mut session, &mut NoHistory);
        assert!(outcome.judged.answer.reason().starts_with(&format!("call {n}")));
        history.0.push((question(), outcome.judged.reads, outcome.judged.answer));
    }
    let failed = ask(&mut session, &mut NoHistory);
    assert_eq!(cause(&failed), "trap");
    history.0.push((question(), failed.judged.reads, failed.judged.answer));
    // Rebuilt behind three calls, without the trapping one: this is its fourth again.
    let again = ask(&mut session, &mut history);
    assert_eq!(cause(&again), "trap");
    // And that was its second life.
    let dead = ask(&mut session, &mut history);
    assert_eq!(cause(&dead), "dead");
    Ok(())
}

#[test]
fn a_rebuilt_instance_knows_what_it_knew() -> anyhow::Result<()> {
    let policy = misbehaving()?;
    // Out of range once, at the third call: the rebuilt instance has made two.
    let mut session = session(&policy, r#"{"behaviour":"out_of_range","after":2,"once":true}"#)?;
    let mut history = Earlier(Vec::new());
    for _ in 0..2 {
        let outcome = ask(&mut session, &mut NoHistory);
        history.0.push((question(), outcome.judged.reads, outcome.judged.answer));
    }
    assert_eq!(cause(&ask(&mut session, &mut NoHistory)), "contract-violation");
    assert_eq!(cause(&ask(&mut session, &mut history)), "contract-violation");
    // Where the record is lost, a stateful policy is dead rather than fresh.
    let mut lost = policy.open(r#"{"behaviour":"panic","after":0,"once":true}"#.into(), Limits::default())?;
    assert_eq!(cause(&ask(&mut lost, &mut NoHistory)), "trap");
    assert_eq!(cause(&ask(&mut lost, &mut NoHistory)), "dead");
    Ok(())
}

#[test]
fn a_long_run_can_be_taken_up_however_little_a_failure_may_cost() -> anyhow::Result<()> {
    let policy = misbehaving()?;
    // Panics once, at its fifth call.
    let configuration: Arc<str> = r#"{"behaviour":"panic","after":4,"once":true}"#.into();
    let mut history = Earlier(Vec::new());
    let mut first = policy.open(Arc::clone(&configuration), Limits::default())?;
    let mut spent = 0;
    for _ in 0..3 {
        let outcome = ask(&mut first, &mut NoHistory);
        spent += outcome.judged.fuel;
        history.0.push((question(), outcome.judged.reads, outcome.judged.answer));
    }
    let limits = Limits { rebuild_fuel: spent - 1, ..Limits::default() };
    let mut taken_up = policy.open(Arc::clone(&configuration), limits)?;
    taken_up.take_up();
    let fourth = ask(&mut taken_up, &mut history);
    assert!(fourth.judged.answer.reason().starts_with("call 4"), "{:?}", fourth.failure);
    history.0.push((question(), fourth.judged.reads, fourth.judged.answer));
    // A failure of its own may cost so much and no more.
    let fifth = ask(&mut taken_up, &mut history);
    assert_eq!(cause(&fifth), "trap");
    assert_eq!(cause(&ask(&mut taken_up, &mut history)), "dead");
    // Nor does a failure cost less in yet another process.
    history.0.push((question(), fifth.judged.reads, fifth.judged.answer));
    let mut again = policy.open(configuration, limits)?;
    again.take_up();
    assert_eq!(cause(&ask(&mut again, &mut history)), "dead");
    Ok(())
}

#[test]
fn a_small_thread_is_enough() -> anyhow::Result<()> {
    let policy = misbehaving()?;
    let work = std::thread::Builder::new().stack_size(512 << 10).spawn(move || -> anyhow::Result<String> {
        let mut session = session(&policy, r#"{"behaviour":"recurse"}"#)?;
        Ok(cause(&ask(&mut session, &mut NoHistory)))
    })?;
    let found = work.join().map_err(|_| anyhow::anyhow!("the thread panicked"))??;
    assert_eq!(found, "trap");
    Ok(())
}

#[test]
fn a_call_that_outlasts_the_deadline_is_the_environments_fault() -> anyhow::Result<()> {
    let options =
        EngineOptions { pool: None, deadline: std::time::Duration::from_millis(40), ..EngineOptions::default() };
    let policy = Engine::new(options)?.load("misbehaving.wasm", &component()?)?;
    let limits = Limits { fuel_per_call: u64::MAX / 2, ..Limits::default() };
    let mut session = policy.open(r#"{"behaviour":"loop_forever"}"#.into(), limits)?;
    assert_eq!(cause(&ask(&mut session, &mut NoHistory)), "environment");
    Ok(())
}

#[test]
fn fuel_and_answers_are_the_same_every_time() -> anyhow::Result<()> {
    let policy = misbehaving()?;
    let mut a = session(&policy, r#"{"behaviour":"behave"}"#)?;
    let mut b = session(&policy, r#"{"behaviour":"behave"}"#)?;
    for _ in 0..50 {
        assert_eq!(ask(&mut a, &mut NoHistory).judged, ask(&mut b, &mut NoHistory).judged);
    }
    Ok(())
}

#[test]
fn configurations_are_checked_and_the_key_is_named() -> anyhow::Result<()> {
    let policy = misbehaving()?;
    let unknown = policy.check_configuration(&serde_json::json!({"behaviour": "behave", "behavour": 1}));
    assert!(unknown.is_err_and(|error| error.to_string().contains("behavour")));
    let refused = policy.open(r#"{"behaviour":"refuse_configuration"}"#.into(), Limits::default());
    let message = refused.err().map(|error| error.to_string()).unwrap_or_default();
    assert_eq!(message, "configuration of misbehaving@0.1.0, key `/behaviour`: expected anything but this");
    Ok(())
}

#[test]
fn a_policy_that_nobody_asks_takes_no_room() -> anyhow::Result<()> {
    let engine = Engine::new(EngineOptions { pool: Some(3), ..EngineOptions::default() })?;
    let policy = engine.load("misbehaving.wasm", &component()?)?;
    let behaving = |policy: &Policy| session(policy, r#"{"behaviour":"behave"}"#);
    // The first one shows that the policy takes the configuration.
    drop(behaving(&policy)?);
    let mut sessions: Vec<Session> = (0..10).map(|_| behaving(&policy)).collect::<anyhow::Result<_>>()?;
    let causes: Vec<String> = sessions[..4].iter_mut().map(|one| cause(&ask(one, &mut NoHistory))).collect();
    assert_eq!(causes, ["decided", "decided", "decided", "environment"]);
    sessions.drain(..3);
    assert_eq!(cause(&ask(&mut sessions[3], &mut NoHistory)), "decided");
    // A configuration that was never accepted is refused at once, each time.
    for _ in 0..2 {
        assert!(session(&policy, r#"{"behaviour":"refuse_configuration"}"#).is_err());
    }
    Ok(())
}

/// What `load` says.
fn refusal(bytes: &[u8], caps: Caps) -> anyhow::Result<String> {
    let engine = Engine::new(EngineOptions { pool: None, caps, ..EngineOptions::default() })?;
    Ok(engine.load("x.wasm", bytes).err().map(|error| error.to_string()).unwrap_or_default())
}

#[test]
fn what_is_no_policy_is_refused_before_it_is_compiled() -> anyhow::Result<()> {
    let good = component()?;
    let replace = |from: &str, to: &str| -> Vec<u8> {
        assert_eq!(from.len(), to.len());
        let (from, to) = (from.as_bytes(), to.as_bytes());
        let mut bytes = good.clone();
        let mut at = 0;
        while at + from.len() <= bytes.len() {
            if &bytes[at..at + from.len()] == from {
                bytes[at..at + from.len()].copy_from_slice(to);
            }
            at += 1;
        }
        bytes
    };
    let caps = Caps::default;
    let table: [(Vec<u8>, Caps, &str); 10] = [
        (b"not wasm at all".to_vec(), caps(), "is no WebAssembly component"),
        (b"\0asm\x01\0\0\0".to_vec(), caps(), "is a core module; wrap it into a component"),
        (b"\x7fELF....".to_vec(), caps(), "is a precompiled artifact"),
        (
            replace("0.1.0-draft.5", "0.1.0-draft.9"),
            caps(),
            "was built for contract 0.1.0-draft.9, this host speaks 0.1.0-draft.5",
        ),
        (
            replace("countersign:policy/log@", "wasi:clocks/monotonic/0@"[..23].into()),
            caps(),
            "imports `wasi:clocks/monotonic",
        ),
        (good.clone(), Caps { functions: 10, ..caps() }, "functions, at most 10 are allowed"),
        (good.clone(), Caps { bytes: 100, ..caps() }, "bytes, at most 100 are allowed"),
        (good.clone(), Caps { body: 100, ..caps() }, "bytes in one function, at most 100 are allowed"),
        (good.clone(), Caps { code: 1000, ..caps() }, "bytes of code, at most 1000 are allowed"),
        (good.clone(), Caps { signature: 2, ..caps() }, "parameters and results of a function, at most 2"),
    ];
    for (bytes, caps, part) in table {
        let message = refusal(&bytes, caps)?;
        assert!(message.contains(part), "expected `{part}`, found `{message}`");
        assert!(message.starts_with("`x.wasm`:"), "{message}");
    }
    assert_eq!(refusal(&good, caps())?, "");
    Ok(())
}

#[test]
fn any_change_of_the_bytes_is_survived() -> anyhow::Result<()> {
    let engine = engine()?;
    let good = component()?;
    let whole = engine.load("whole.wasm", &good)?;
    // Cut anywhere, and with a byte changed in the first part, where the structure is.
    for at in (0..good.len()).step_by(good.len() / 40) {
        // Cut where a section ends, wasmparser and wasmtime take it for a whole one that has less in it.
        if let Ok(cut) = engine.load("cut.wasm", &good[..at]) {
            assert!(cut.slots().len() < whole.slots().len(), "cut at {at} it still fills every slot");
        }
    }
    for at in (0..2000).step_by(97) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x5a;
        // Most are refused; what still loads must still be callable without harm to the host.
        drop(engine.load("changed.wasm", &bytes));
    }
    Ok(())
}
