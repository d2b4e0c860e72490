//! Each default policy's table of cases, run natively and against the component: the expectation
//! holds, and both answer alike.

mod draft;

use std::sync::Arc;

use countersign::Host;
use countersign::engine::{EngineOptions, Limits, NoHistory};
use countersign::kernel::Answered;
use countersign_tests::cases::{Table, holds};
use countersign_tests::native::{Native, Served, view};
use serde_json::Value;

fn run(name: &str) -> anyhow::Result<()> {
    let table = Table::load(name)?;
    let host = Host::new(EngineOptions { pool: None, ..EngineOptions::default() }, None)?;
    let entry = host.bundle().lock().entry.iter().position(|entry| entry.name == name);
    let policy = &host.bundle().policies()[entry.ok_or_else(|| anyhow::anyhow!("no entry {name}"))?];
    let mut failures = Vec::new();
    let mut calls = 0;
    for case in &table.case {
        let configuration = Value::Object(case.configuration.clone());
        policy.check_configuration(&configuration)?;
        let mut session = policy.open(configuration.to_string().into(), Limits::default())?;
        let mut native = Native::new(name, &configuration)?;
        let run = view(case.blast_radius_limit, case.cost_left);
        for (index, call) in case.calls.iter().enumerate() {
            let question = table.question(name, call)?;
            for time in 0..call.times {
                calls += 1;
                let by_component = session.judge(&question, Arc::new(Served(run.clone())), &mut NoHistory);
                let natively = native.ask(&question, &run);
                if natively.as_ref() != Some(&by_component.judged.answer) {
                    failures.push(format!(
                        "{}, call {index}.{time}: natively {natively:?}, component {:?} {:?}",
                        case.name, by_component.judged.answer, by_component.failure
                    ));
                }
                if time + 1 == call.times {
                    let answer = body(&by_component.judged.answer)?;
                    if !holds(&answer, &call.expect) {
                        failures.push(format!("{}, call {index}: expected {}, found {answer}", case.name, call.expect));
                    }
                }
            }
        }
    }
    assert!(failures.is_empty(), "{name}: {} of {calls} calls:\n{}", failures.len(), failures.join("\n"));
    assert!(table.case.len() >= 8, "{name} has a table worth the name");
    Ok(())
}

/// The answer without its slot's name.
fn body(answer: &Answered) -> anyhow::Result<Value> {
    let Value::Object(map) = serde_json::to_value(answer)? else { anyhow::bail!("an answer is an object") };
    Ok(map.into_iter().next().map(|(_, value)| value).unwrap_or_default())
}

#[test]
fn classifier() -> anyhow::Result<()> {
    run("classifier")
}

#[test]
fn confidence() -> anyhow::Result<()> {
    run("confidence")
}

#[test]
fn risk() -> anyhow::Result<()> {
    run("risk")
}

#[test]
fn doom_loop() -> anyhow::Result<()> {
    run("doom-loop")
}

#[test]
fn estimator() -> anyhow::Result<()> {
    run("estimator")
}
