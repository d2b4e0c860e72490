//! Laws of the slot `remediation`.

use anyhow::{Result, ensure};

use super::{Law, Trial, answered, view};
use crate::generate::{Random, failed_call};

pub const LAWS: [Law; 1] = [Law { name: "the case of an error's letters makes no difference", check: letter_case }];

fn letter_case(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    let (before, view) = (failed_call(random), view(random));
    let mut after = before.clone();
    after.error = another_case(&before.error, random).into();
    let one = answered!(trial, Remediation, before.clone(), &view);
    let other = answered!(trial, Remediation, after.clone(), &view);
    ensure!(one == other, "{one:?} for `{}`, but {other:?} for `{}`", before.error, after.error);
    Ok(())
}

/// Escapes as they are: `\N` is none.
fn another_case(text: &str, random: &mut Random) -> String {
    let mut escape = false;
    let one = |c: char| {
        let kept = escape;
        escape = c == '\\';
        if kept || random.toss() {
            c
        } else if c.is_ascii_lowercase() {
            c.to_ascii_uppercase()
        } else {
            c.to_ascii_lowercase()
        }
    };
    text.chars().map(one).collect()
}
