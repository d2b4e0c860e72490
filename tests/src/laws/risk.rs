//! Laws of the slot `risk`: neither verdict nor score falls when more is at stake or less is sure.

use anyhow::{Result, ensure};
use countersign::kernel::contract::risk::ProposedAction;

use super::{Law, Trial, answered, view};
use crate::generate::{REVERSIBILITIES, Random, action, stricter};

pub const LAWS: [Law; 5] = [
    Law { name: "risk never falls when irreversibility rises", check: irreversibility },
    Law { name: "risk never falls when the blast radius rises, unknown being the highest", check: blast_radius },
    Law { name: "risk never falls when compliance rises", check: compliance },
    Law { name: "risk never falls when confidence falls, unknown being the lowest", check: confidence },
    Law { name: "risk never falls when everything rises", check: everything },
];

fn irreversibility(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    never_falls(trial, random, less_reversible)
}

fn blast_radius(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    never_falls(trial, random, wider)
}

fn compliance(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    never_falls(trial, random, |action, _| action.compliance = stricter(action.compliance))
}

fn confidence(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    never_falls(trial, random, less_sure)
}

fn everything(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    never_falls(trial, random, |action, random| {
        less_reversible(action, random);
        wider(action, random);
        action.compliance = stricter(action.compliance);
        less_sure(action, random);
    })
}

fn less_reversible(action: &mut ProposedAction, random: &mut Random) {
    let at = REVERSIBILITIES.iter().position(|known| *known == action.reversibility).unwrap_or(0);
    action.reversibility = random.pick(&REVERSIBILITIES[at..]);
}

fn wider(action: &mut ProposedAction, random: &mut Random) {
    action.blast_radius = match action.blast_radius {
        Some(records) if !random.once_in(4) => Some(records.saturating_add(random.amount())),
        _ => None,
    };
}

fn less_sure(action: &mut ProposedAction, random: &mut Random) {
    action.confidence = match action.confidence {
        Some(confidence) if !random.once_in(4) => Some(confidence * random.share()),
        _ => None,
    };
}

fn never_falls(
    trial: &mut Trial<'_>,
    random: &mut Random,
    rises: impl Fn(&mut ProposedAction, &mut Random),
) -> Result<()> {
    let (before, view) = (action(random), view(random));
    let mut after = before.clone();
    rises(&mut after, random);
    let least = answered!(trial, Risk, before.clone(), &view);
    let most = answered!(trial, Risk, after.clone(), &view);
    ensure!(
        most.verdict >= least.verdict && most.score >= least.score,
        "{least:?} for {before:?}, but {most:?} for {after:?}"
    );
    Ok(())
}
