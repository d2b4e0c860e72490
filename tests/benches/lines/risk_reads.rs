//! What the least verdict costs, and what one read of a number from the run adds to it.

use anyhow::Result;
use countersign::Host;
use countersign::kernel::{Question, Slot};

use super::policies::Judging;
use super::{Group, Line};
use crate::subject::questions;

pub fn group(host: &Host) -> Result<Group> {
    let asking = |blast_radius| -> Result<Box<Judging>> {
        let question = Question::Risk(questions::action(blast_radius));
        Ok(Box::new(Judging::new(host, Slot::Risk, vec![question])?))
    };
    Ok(Group {
        title: "a read",
        lines: vec![
            Line::new("risk verdict that reads nothing", asking(0)?).below(600.0),
            Line::new("risk verdict that reads the boundary", asking(questions::BLAST_RADIUS)?),
        ],
        // A little more than the read: with a blast radius above 0 the policy takes a logarithm.
        differences: vec![("the read", 1, 0, Some(300.0))],
    })
}
