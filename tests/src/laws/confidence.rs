//! Laws of the slot `confidence`.

use anyhow::{Result, ensure};
use countersign::kernel::contract::confidence::{Orientation, Signal};

use super::{Law, Trial, answered, view};
use crate::generate::{Random, answer};

pub const LAWS: [Law; 1] = [Law { name: "fused confidence never falls when one signal improves", check: improves }];

fn improves(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    let (mut before, view) = (answer(random), view(random));
    while before.signals.is_empty() {
        before = answer(random);
    }
    let mut after = before.clone();
    let at = random.below(after.signals.len());
    better(&mut after.signals[at], random);
    let low = answered!(trial, Confidence, before.clone(), &view);
    let high = answered!(trial, Confidence, after.clone(), &view);
    let holds = match (low.score, high.score) {
        (Some(low), Some(high)) => high >= low,
        (low, high) => low == high,
    };
    ensure!(holds, "{:?} for {:?}, but {:?} for {:?}", low.score, before.signals, high.score, after.signals);
    Ok(())
}

fn better(signal: &mut Signal, random: &mut Random) {
    match signal.orientation {
        Orientation::Confidence => signal.value += (1.0 - signal.value) * random.share(),
        Orientation::Doubt | Orientation::Entropy => signal.value *= random.share(),
    }
}
