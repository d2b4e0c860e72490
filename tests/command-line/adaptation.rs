//! The adaptation log: what was recommended, what was decided, and what came of it, in scenarios, in runs
//! that wait for people, by an agent that owns its loop, and in recordings.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::Context;
use countersign::engine::EngineOptions;
use countersign::kernel::{Code, Decision, Event, Outcome, Run, Slot};
use countersign::registry::{Registry, ToolResult};
use countersign::session::{CallDecision, Observed, Proposal, Setup};
use countersign::spec::Mode;
use countersign::store::memory::MemoryStore;
use countersign::store::{Ending, RunQuery, SharedStore, Stored, TraceReader};
use countersign::{Host, Observer, Session};
use countersign_audit::adaptation::{AdaptationError, Came, Did, Triple, Triples, derive};
use countersign_scenario::{Keep, RunOptions, Scenario};
use countersign_tests::{fake_mcp_server, root};
use serde_json::{Value, json};

use super::kept::Kept;
use super::runs::{PAY, Store};
use super::{compiled, countersign};

fn derived(trace: &Path) -> Result<Vec<Triple>, AdaptationError> {
    let mut triples = Vec::new();
    derive(trace, |triple| {
        triples.push(triple);
        Ok::<(), AdaptationError>(())
    })?;
    Ok(triples)
}

/// A log as it was written.
fn written(log: &Path) -> anyhow::Result<Vec<Triple>> {
    let text = std::fs::read_to_string(log)?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// One line in words: `risk notify, approved by lead: unverified`.
fn words(triple: &Triple) -> String {
    let (verdict, decision, outcome) = (triple.recommendation.verdict, &triple.decision, &triple.outcome);
    let by = decision.by.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
    let code = outcome.code.map(|code| format!(" {code}")).unwrap_or_default();
    format!("{} {verdict}, {}{by}: {}{code}", triple.slot, decision.did.name(), outcome.came.name())
}

/// What was said in these slots, in the order of the frames.
fn told(mut triples: Vec<Triple>, slots: &[Slot]) -> Vec<String> {
    triples.sort_by_key(|triple| triple.frame);
    triples.iter().filter(|triple| slots.contains(&triple.slot)).map(words).collect()
}

/// What a run of a store gives, by the command.
fn listed(kept: &Kept, run: &str) -> anyhow::Result<Vec<Triple>> {
    let shown = countersign(["trace", "adaptation", run, "--store", &kept.path(), "--json"]).expect(0, "");
    Ok(serde_json::from_str(&shown.out())?)
}

/// Runs a scenario into a store; its log.
fn log_of(scenario: &str) -> anyhow::Result<Vec<Triple>> {
    let folder = tempfile::tempdir()?;
    let kept = Kept::new(folder.path());
    countersign(["run", &format!("tests/scenarios/{scenario}.toml"), "--store", &kept.path(), "-q"]);
    let runs = kept.ids();
    anyhow::ensure!(runs.len() == 1, "{scenario}: {} runs", runs.len());
    listed(&kept, &runs[0])
}

#[test]
fn each_recommendation_is_told_with_what_was_done_and_what_came_of_it() -> anyhow::Result<()> {
    use Slot::{Classifier, Confidence, DoomLoop, Risk};
    let table: [(&str, &[Slot], &[&str]); 9] = [
        // A person was asked because money moves, whatever the policy said.
        (
            "behaviours/d13-approval-approved",
            &[Classifier, Confidence, Risk],
            &[
                "classifier proceed, proceeded: ended SUCCESS",
                "confidence proceed, proceeded: verified",
                "risk notify, approved by lead: verified",
                // The claim at the end: the goal has no criteria.
                "confidence proceed, proceeded: unverified",
            ],
        ),
        (
            "behaviours/d13-approval-rejected",
            &[Confidence, Risk],
            &["confidence proceed, proceeded: not-run", "risk notify, rejected by lead: not-run"],
        ),
        // Asked for twice, and one line.
        (
            "behaviours/d20-expired-approval",
            &[Classifier, Risk],
            &["classifier proceed, proceeded: ended CONFIRM_REQUIRED", "risk notify, expired: not-run"],
        ),
        // The policy asks, and nobody has decided yet.
        (
            "behaviours/d13-risk",
            &[Classifier, Confidence, Risk],
            &["classifier proceed, proceeded: open", "confidence proceed, proceeded: open", "risk ask, pending: open"],
        ),
        // A guess is not passed on.
        (
            "codes/low-confidence",
            &[Classifier, Confidence],
            &["classifier proceed, proceeded: open", "confidence escalate, pending: not-run"],
        ),
        // The verifier does not take the first result, and takes the second.
        (
            "behaviours/d13-unverified-result",
            &[Risk],
            &["risk proceed, proceeded: failed", "risk proceed, proceeded: verified"],
        ),
        // Nobody knows whether it was ordered, and so it is not ordered again.
        (
            "behaviours/d11-unknown-outcome",
            &[Confidence, Risk],
            &[
                "confidence proceed, proceeded: timed-out",
                "risk proceed, proceeded: timed-out",
                "confidence proceed, proceeded: not-run",
                "confidence proceed, proceeded: open",
            ],
        ),
        // Watched, and nothing blocked.
        (
            "behaviours/e4-monitor",
            &[Confidence, Risk],
            &[
                "confidence escalate, would-have: unverified",
                "risk ask, would-have: unverified",
                "confidence proceed, proceeded: unverified",
            ],
        ),
        // Two loops: the first costs a plan, the second a stronger model, and then the run succeeds.
        (
            "loop-and-recover",
            &[Classifier, DoomLoop],
            &[
                "classifier proceed, proceeded: ended SUCCESS",
                "doom-loop replan, replanned: ended SUCCESS",
                "doom-loop escalate, escalated: ended SUCCESS",
            ],
        ),
    ];
    for (scenario, slots, expected) in table {
        let triples = log_of(scenario)?;
        assert_eq!(told(triples, slots), expected, "{scenario}");
    }
    Ok(())
}

#[test]
fn a_line_says_who_recommended_by_which_numbers_and_what_it_was_about() -> anyhow::Result<()> {
    let triples = log_of("behaviours/d13-approval-approved")?;
    let risk = triples.iter().find(|triple| triple.slot == Slot::Risk);
    let risk = serde_json::to_value(risk)?;
    assert_eq!(risk["about"]["tool"], "refund");
    assert_eq!(risk["about"]["confidence"], 0.95);
    assert_eq!(risk["class"], "general");
    assert_eq!(risk["recommendation"]["by"], json!(["risk"]));
    assert_eq!(risk["decision"]["asked-by"], json!(["ceiling"]), "the policy wanted nobody asked");
    let policy = &risk["policies"][0];
    assert_eq!((&policy["entry"], &policy["policy"]), (&json!("risk"), &json!("risk@0.1.0")));
    for digest in ["component", "configuration"] {
        assert!(policy[digest].as_str().is_some_and(|digest| digest.starts_with("sha256:")), "{policy}");
    }
    assert_eq!(policy["answer"]["risk"]["score"], risk["recommendation"]["score"]);
    // What the run used from there to its end is what the classifier's tier and the estimates are held to.
    let classifier = triples.iter().find(|triple| triple.slot == Slot::Classifier);
    let after = classifier.and_then(|triple| triple.outcome.after).unwrap_or_default();
    assert_eq!((after.steps, after.tool_calls), (2, 1));
    Ok(())
}

/// Every frame of a trace that can be read, and how it ends.
fn frames(trace: &Path) -> anyhow::Result<(Mode, Vec<countersign::kernel::Frame>, Ending)> {
    let file = std::io::BufReader::new(std::fs::File::open(trace)?);
    let mut reader = TraceReader::new(trace.display().to_string(), file);
    let (mut mode, mut frames) = (Mode::Enforce, Vec::new());
    while let Some(stored) = reader.read()? {
        match stored {
            Stored::Manifest(manifest) => mode = manifest.mode,
            Stored::Frame(frame) => frames.push(frame),
        }
    }
    Ok((mode, frames, reader.ending().unwrap_or(Ending::Open { half_written: false })))
}

#[test]
fn every_run_of_a_store_gives_a_log() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let kept = Kept::new(folder.path());
    let run = countersign(["run", "tests/scenarios/codes", "--store", &kept.path()]);
    assert!(run.out().contains(" of 17 scenarios"), "{}{}", run.out(), run.err());
    let runs = kept.ids();
    assert_eq!(runs.len(), 17);
    let mut lines = 0;
    for run in runs {
        lines += listed(&kept, &run)?.len();
    }
    assert!(lines >= 17, "{lines}");
    Ok(())
}

/// Scenarios below a folder.
fn scenarios(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if path.is_dir() && !path.ends_with("shared") {
            scenarios(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            found.push(path);
        }
    }
}

/// What is known of runs while they run.
#[derive(Default)]
struct Live(BTreeMap<String, (Triples, Vec<Triple>)>);

impl Observer for Live {
    fn frame(&mut self, run: &Run, closed: &countersign::kernel::Closed) {
        let begun = || (Triples::new(Arc::clone(run.manifest())), Vec::new());
        let (triples, known) = self.0.entry(run.manifest().run.to_string()).or_insert_with(begun);
        known.extend(triples.frame(closed));
    }
}

impl Live {
    fn finish(&mut self, run: &str) -> Vec<Triple> {
        let Some((triples, mut known)) = self.0.remove(run) else { return Vec::new() };
        known.extend(triples.finish());
        known
    }
}

#[test]
fn a_trace_gives_the_log_of_its_run_again_whatever_happened_in_it() -> anyhow::Result<()> {
    let mut all = Vec::new();
    scenarios(&root().join("tests/scenarios"), &mut all);
    assert!(all.len() > 150, "{}", all.len());
    let mut hosts: Vec<(Option<PathBuf>, Host)> = Vec::new();
    for path in all {
        let scenario = Scenario::load(&path)?;
        let bundle = scenario.bundle();
        if !hosts.iter().any(|(own, _)| *own == bundle) {
            hosts.push((bundle.clone(), Host::new(EngineOptions::default(), bundle.as_deref())?));
        }
        let Some((_, host)) = hosts.iter().find(|(own, _)| *own == bundle) else { continue };
        // One store each: what stops an agent in one stops it in no other.
        let folder = tempfile::tempdir()?;
        let keep = Keep { store: Arc::new(MemoryStore::new()), files: folder.path().join("files") };
        // How it went is for others to say.
        let options = RunOptions { keep: Some(keep.clone()), ..RunOptions::default() };
        let mut live = Live::default();
        scenario.run(host, options, &mut live).with_context(|| path.display().to_string())?;
        for run in keep.store.list(&RunQuery::default())? {
            let what = format!("{}: run {}", path.display(), run.id);
            let trace = folder.path().join(format!("{}.jsonl", run.id));
            countersign::export(&*keep.store, &run.id, &trace)?;
            let triples = derived(&trace)?;
            assert_eq!(live.finish(&run.id), triples, "{what}");
            let (mode, frames, ending) = frames(&trace)?;
            is_sound(&what, &triples, mode, &frames, ending == Ending::Complete);
        }
    }
    Ok(())
}

/// What holds of every log, whatever happened in the run.
fn is_sound(run: &str, triples: &[Triple], mode: Mode, frames: &[countersign::kernel::Frame], ended: bool) {
    let mut of_call: BTreeMap<u64, u32> = BTreeMap::new();
    for triple in triples {
        let what = format!("{run}: frame {}: {}", triple.frame, words(triple));
        let frame = &frames[usize::try_from(triple.frame).unwrap_or(0) - 1];
        assert_eq!(frame.frame, triple.frame);
        let heard = |event: &Event| matches!(event, Event::Verdict { slot, .. } if *slot == triple.slot);
        assert!(frame.events.iter().any(heard), "{what}: the slot was not heard there");
        assert!(!triple.policies.is_empty(), "{what}");
        if ended {
            assert_ne!(triple.outcome.came, Came::Open, "{what}: the run has ended");
        }
        if mode == Mode::Enforce && triple.recommendation.verdict <= countersign::kernel::contract::Verdict::Notify {
            let nothing = matches!(triple.decision.did, Did::WouldHave | Did::Held | Did::Terminated);
            let watched = triple.recommendation.by.is_empty();
            // An estimate beyond what is left ends the run, whatever its verdict.
            assert!(!nothing || watched || triple.slot == Slot::Estimator, "{what}");
        }
        if triple.slot == Slot::Risk
            && let Some(call) = triple.outcome.call
        {
            *of_call.entry(call).or_default() += 1;
        }
    }
    // Every call that was made is the outcome of exactly one recommendation, however often it was asked about.
    let answered = |frame: &countersign::kernel::Frame| match &frame.input {
        countersign::kernel::Input::Observed { call, .. } => Some(*call),
        _ => None,
    };
    let made: BTreeSet<u64> = frames.iter().filter_map(answered).collect();
    let judged = frames
        .iter()
        .flat_map(|frame| &frame.events)
        .any(|event| matches!(event, Event::Verdict { slot: Slot::Risk, .. }));
    for call in made.iter().filter(|_| judged && ended) {
        assert_eq!(of_call.get(call), Some(&1), "{run}: call {call}");
    }
    let recommended = triples.iter().filter(|triple| triple.slot == Slot::Confidence).count();
    let answers = frames.iter().flat_map(|frame| &frame.events);
    let answers = answers.filter(|event| matches!(event, Event::Verdict { slot: Slot::Confidence, .. })).count();
    assert_eq!(recommended, answers, "{run}");
}

#[test]
fn a_run_that_was_left_is_told_anew_when_it_has_gone_on() -> anyhow::Result<()> {
    let store = Store::new(PAY)?;
    let run = store.begin();
    assert_eq!(told(listed(&store.kept, &run)?, &[Slot::Risk]), ["risk notify, pending: open"]);
    store.runs(&["approve", &run, &store.fingerprint(&run), "--by", "ada"]).expect(0, "is in the inbox");
    store.runs(&["resume", &run]).expect(0, "ended SUCCESS");
    let all = listed(&store.kept, &run)?;
    assert_eq!(told(all.clone(), &[Slot::Risk]), ["risk notify, approved by ada: verified"]);
    let folder = tempfile::tempdir()?;
    let trace = store.kept.export(&run, folder.path());
    assert_eq!(all, derived(&trace)?);

    // The same from the command line: by its trace, its id, or the beginning of that.
    for name in [trace.display().to_string(), run.clone(), run[..8].to_owned()] {
        let shown = countersign(["trace", "adaptation", &name, "--store", &store.path()]).expect(0, "approved");
        for part in ["frame", "decision", "ada", "verified (call 0)", "SUCCESS verified", "1 approved"] {
            assert!(shown.out().contains(part), "expected `{part}` in:\n{}", shown.out());
        }
    }
    let json = countersign(["trace", "adaptation", &trace.display().to_string(), "--json"]).expect(0, "");
    assert_eq!(serde_json::from_str::<Vec<Triple>>(&json.out())?, all);
    countersign(["trace", "adaptation", "nothing", "--store", &store.path()]).expect(2, "`nothing` is no file");
    let other = folder.path().join("adaptation.jsonl");
    std::fs::write(&other, serde_json::to_string(&all[0])? + "\n")?;
    countersign(["trace", "adaptation", &other.display().to_string()]).expect(2, "is no trace");
    Ok(())
}

const TOOLS: &str = r#"
[read-order]
category = "read-only-lookup"
reversibility = "reversible"
blast-radius = 0
mutating = false

[cancel-order]
category = "database"
reversibility = "irreversible"
blast-radius = 1
"#;

/// Id of a run of an agent that owns its loop.
const RUN: &str = "orders";

/// Such a run, and its store.
fn begin() -> anyhow::Result<(Session, SharedStore)> {
    let host = Host::new(EngineOptions::default(), None)?;
    let registry = Registry::parse("tools", TOOLS)?;
    let manifest = host.governed_manifest(RUN, "cancel what was not shipped", &registry)?;
    let store: SharedStore = Arc::new(MemoryStore::new());
    Ok((Session::begin(&host, &store, manifest, Setup::new(registry))?, store))
}

/// Its log, from a trace of any name.
fn log(store: &SharedStore) -> anyhow::Result<Vec<Triple>> {
    let folder = tempfile::tempdir()?;
    let trace = folder.path().join("of-an-agent");
    countersign::export(&**store, RUN, &trace)?;
    Ok(derived(&trace)?)
}

/// Proposes a call, and makes it where it may be made.
fn attempt(run: &mut Session, tool: &str, order: u64) -> anyhow::Result<Option<Arc<str>>> {
    match run.propose(Proposal::new(tool, json!({"id": order})).confidence(0.9))? {
        CallDecision::Permitted(permit) => {
            let (ok, text) = match order {
                403 => (false, r#"{"error": "missing_scope", "needed": "orders:read"}"#.to_owned()),
                404 => (false, "404: no such order".to_owned()),
                _ => (true, format!("{tool} {order}")),
            };
            match run.observe(permit, ToolResult::new(Outcome::Returned { exit_code: None, ok }, text))? {
                Observed::Done(_) => Ok(None),
                Observed::ReadBack(_) => anyhow::bail!("nothing reads back"),
            }
        }
        CallDecision::Parked(approval) => Ok(Some(approval.fingerprint)),
        other => anyhow::bail!("{other:?}"),
    }
}

#[test]
fn an_agent_that_is_told_to_stop_is_held() -> anyhow::Result<()> {
    let (mut run, store) = begin()?;
    attempt(&mut run, "read-order", 403)?;
    // Whatever it proposes then is not made, and no policy is asked about it.
    let refused = matches!(run.propose(Proposal::new("read-order", json!({"id": 7})))?, CallDecision::Refused(_));
    assert!(refused);
    run.close(Code::ReviewRequired)?;
    assert_eq!(
        told(log(&store)?, &[Slot::Risk, Slot::Remediation, Slot::Threshold]),
        [
            "risk proceed, proceeded: failed",
            "remediation notify, notified: ended REVIEW_REQUIRED",
            "threshold ask, held: ended REVIEW_REQUIRED",
        ]
    );
    Ok(())
}

#[test]
fn a_call_of_an_agent_is_one_line_from_the_question_to_its_result() -> anyhow::Result<()> {
    let (mut run, store) = begin()?;
    let token = |waits: Option<Arc<str>>| waits.ok_or_else(|| anyhow::anyhow!("it does not wait"));

    attempt(&mut run, "read-order", 404)?;
    let first = token(attempt(&mut run, "cancel-order", 1)?)?;
    let second = token(attempt(&mut run, "cancel-order", 2)?)?;
    // Proposed again before anybody has decided: the same question.
    assert_eq!(token(attempt(&mut run, "cancel-order", 1)?)?, first);
    let third = token(attempt(&mut run, "cancel-order", 3)?)?;
    token(attempt(&mut run, "cancel-order", 4)?)?;
    run.decide("a", "ada", Decision::Approved { fingerprint: first })?;
    run.decide("b", "otto", Decision::Rejected { fingerprint: Some(second), instead: None })?;
    run.decide("c", "ada", Decision::Approved { fingerprint: third })?;
    attempt(&mut run, "read-order", 7)?;
    assert!(attempt(&mut run, "cancel-order", 1)?.is_none(), "it was approved");
    run.close(Code::Success)?;

    assert_eq!(
        told(log(&store)?, &[Slot::Risk]),
        [
            "risk proceed, proceeded: failed",
            "risk notify, approved by ada: unverified",
            "risk notify, rejected by otto: not-run",
            // Approved, and never proposed again.
            "risk notify, approved by ada: not-run",
            // Nobody ever decided.
            "risk notify, pending: not-run",
            "risk proceed, proceeded: unverified",
        ]
    );
    Ok(())
}

/// Lets a gateway's agent call these tools, in a process of its own.
fn calls(config: &Path, tools: &[&str]) -> anyhow::Result<()> {
    let mut gateway = Command::new(env!("CARGO_BIN_EXE_countersign"));
    let gateway = gateway
        .env("COUNTERSIGN_CACHE", compiled())
        .args(["mcp", "--config"])
        .arg(config)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut gateway = gateway.stderr(Stdio::null()).spawn()?;
    let mut input = gateway.stdin.take().context("no input")?;
    let mut answers = BufReader::new(gateway.stdout.take().context("no output")?).lines();
    let client = json!({"name": "test", "version": "1"});
    let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client});
    let called = tools.iter().map(|tool| ("tools/call", json!({"name": tool, "arguments": {"text": "hello"}})));
    for (id, (method, params)) in std::iter::once(("initialize", hello)).chain(called).enumerate() {
        writeln!(input, "{}", json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))?;
        // One after the other: what was answered is recorded.
        let answered = |line: &str| serde_json::from_str::<Value>(line).is_ok_and(|answer| answer["id"] == id);
        answers.by_ref().map_while(Result::ok).find(|line| answered(line)).context("the gateway has ended")?;
    }
    drop(input);
    anyhow::ensure!(gateway.wait()?.success(), "the gateway failed");
    Ok(())
}

#[test]
fn a_gateway_has_told_all_whenever_its_agent_goes() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("countersign.toml");
    let server = json!([fake_mcp_server()]);
    let echo = "[tools.fake__echo]\nside-effect = 'read-only'\nreversibility = 'reversible'\nblast-radius = 0";
    std::fs::write(&config, format!("version = 1\n[servers.fake]\ncommand = {server}\n{echo}\n"))?;
    calls(&config, &["fake__echo", "fake__fail"])?;
    let kept = Kept::of_gateway(folder.path());
    let run = kept.ids().pop().context("no run")?;
    let first = [
        "risk notify, notified: unverified",
        // Nobody knows what it does: a person is asked.
        "risk ask, pending: open",
    ];
    assert_eq!(told(listed(&kept, &run)?, &[Slot::Risk]), first);
    // The next process of the same agent goes on with the run, and the log is of all of it.
    calls(&config, &["fake__echo"])?;
    assert_eq!(told(listed(&kept, &run)?, &[Slot::Risk]), [first[0], first[1], first[0]]);
    assert_eq!(kept.ids(), [run]);
    Ok(())
}

#[test]
fn a_backtest_leaves_one_log_of_all_its_runs() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().display().to_string();
    countersign(["backtest", "tests/data/openhands/runs.jsonl.gz", "--out", &out]).expect(0, "STUCK_IN_LOOP");
    let listed = std::fs::read_dir(folder.path())?.flatten().map(|entry| entry.path());
    let mut traces: Vec<PathBuf> = listed.filter(|path| is_trace(path)).collect();
    traces.sort();
    assert_eq!(traces.len(), 20);
    let all: Vec<Triple> =
        traces.iter().map(|trace| derived(trace)).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    let log = written(&folder.path().join("adaptation.jsonl"))?;
    assert_eq!(log, all);
    // Nothing was done there: the recording says how each run ended all the same.
    let trips = log.iter().filter(|triple| triple.slot == Slot::DoomLoop && triple.decision.did == Did::WouldHave);
    assert!(trips.clone().count() > 5);
    assert!(trips.clone().all(|triple| triple.outcome.came == Came::Ended && triple.outcome.code.is_some()));
    Ok(())
}

/// Files of a backtest's folder that are traces.
pub fn is_trace(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "jsonl") && !path.ends_with("adaptation.jsonl")
}

#[test]
fn what_only_watched_entries_said_reached_nobody() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let scenario = std::fs::read_to_string(root().join("tests/scenarios/behaviours/e4-monitor-slot.toml"))?;
    let path = folder.path().join("watched.toml");
    // Surer than in the scenario itself: people would be told, and are not.
    std::fs::write(&path, scenario.replacen("confidence = 0.81", "confidence = 0.9", 1))?;
    let trace = folder.path().join("watched.jsonl");
    countersign(["run", &path.display().to_string(), "-q", "--trace", &trace.display().to_string()]);
    let risk: Vec<String> = told(derived(&trace)?, &[Slot::Risk]);
    assert!(risk.iter().any(|words| words.starts_with("risk notify, would-have")), "{risk:?}");
    assert!(!risk.iter().any(|words| words.contains("notified") || words.contains("held")), "{risk:?}");
    Ok(())
}

#[test]
fn no_words_are_in_a_log() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let kept = Kept::new(folder.path());
    for scenario in ["outcomes/secrets", "loop-and-recover", "behaviours/d13-approval-instead"] {
        countersign(["run", &format!("tests/scenarios/{scenario}.toml"), "--store", &kept.path(), "-q"]);
    }
    let runs = kept.ids();
    assert_eq!(runs.len(), 3);
    for run in runs {
        let log = serde_json::to_string(&listed(&kept, &run)?)?;
        assert!(log.len() > 200, "{log}");
        for words in ["redacted", "hunter2", "same call gave", "voucher", "order 7", "confidence 0.85"] {
            assert!(!log.contains(words), "`{words}` is in the log of {run}");
        }
    }
    Ok(())
}
