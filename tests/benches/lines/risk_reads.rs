//! What the least verdict costs beside the same call of a policy that decides nothing, and what one read of a
//! number from the run adds to it.

use std::sync::Arc;

use anyhow::Result;
use countersign::Host;
use countersign::engine::Limits;
use countersign::kernel::{Question, Run, Slot};

use super::policies::Judging;
use super::{Group, Line};
use crate::subject::{questions, run};

pub fn group(host: &Host) -> Result<Group> {
    let asking = |blast_radius| -> Result<Box<Judging>> {
        let question = Question::Risk(questions::action(blast_radius));
        Ok(Box::new(Judging::new(host, Slot::Risk, vec![question])?))
    };
    Ok(Group {
        title: "a risk verdict",
        lines: vec![
            Line::new("risk verdict that reads nothing", asking(0)?).within(1.3, 2),
            Line::new("risk verdict that reads the boundary", asking(questions::BLAST_RADIUS)?),
            Line::new("the same call of a policy that decides nothing", constant(host)?),
        ],
        // A little more than the read: with a blast radius above 0 the policy takes a logarithm.
        differences: vec![("the read", 1, 0, Some(300.0))],
    })
}

/// The policy whose answer is always the same, asked the same.
fn constant(host: &Host) -> Result<Box<Judging>> {
    let file = countersign_tests::root().join("tests/policies/built/constant-risk.wasm");
    let policy = host.engine().load("constant-risk.wasm", &std::fs::read(file)?)?;
    let view = Run::open(Arc::new(run::manifest(host, true)?))?.view().clone();
    let question = Arc::new(Question::Risk(questions::action(0)));
    Ok(Box::new(Judging::seeing(policy.open("{}".into(), Limits::default())?, vec![question], Arc::new(view))))
}
