//! Laws of the slot `sensitivity`.

use anyhow::{Result, ensure};

use super::{Law, Trial, answered, view};
use crate::generate::{Random, higher, sensitivity_text};

pub const LAWS: [Law; 1] =
    [Law { name: "the tag is never lowered, and a higher one never gets a lower one", check: never_lowered }];

fn never_lowered(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    let (before, view) = (sensitivity_text(random), view(random));
    let mut after = before.clone();
    after.present = higher(before.present);
    let low = answered!(trial, Sensitivity, before.clone(), &view);
    let high = answered!(trial, Sensitivity, after, &view);
    ensure!(low.tag >= before.present && high.tag >= low.tag, "{} then {} for {before:?}", low.tag, high.tag);
    Ok(())
}
