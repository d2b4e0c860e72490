//! Laws of every policy.

use anyhow::{Result, ensure};
use countersign::kernel::Question;

use super::{Law, Trial, shown, view};
use crate::generate::Random;
use crate::slots::question;

pub const LAWS: [Law; 2] = [
    Law { name: "it decides whatever it is asked: no trap, within fuel, scores in range", check: decides },
    Law {
        name: "the same questions on a fresh instance get the same answers for the same fuel",
        check: the_same_again,
    },
];

/// Questions in a row, of which a stateless policy needs one.
fn questions(trial: &Trial<'_>, random: &mut Random) -> Vec<Question> {
    let count = if trial.subject.stateless() { 1 } else { 1 + random.below(20) };
    (0..count).map(|_| question(random, trial.subject.slot())).collect()
}

/// That a score is in its range, a text not too long and a name one that was offered the host checks of
/// every answer, and takes one that is not for undecided.
fn decides(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    let questions = questions(trial, random);
    if trial.subject.stateless() {
        return questions.iter().try_for_each(|question| trial.judge(question, &view(random)).map(drop));
    }
    let mut session = trial.subject.open()?;
    questions.iter().try_for_each(|question| trial.ask(&mut session, question, &view(random)).map(drop))
}

fn the_same_again(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    let questions = questions(trial, random);
    let (mut one, mut other) = (trial.subject.open()?, trial.subject.open()?);
    for question in &questions {
        let view = view(random);
        let (once, again) = (trial.ask(&mut one, question, &view)?, trial.ask(&mut other, question, &view)?);
        ensure!(once == again, "{once:?}, then {again:?}, asked {}", shown(question));
        if trial.subject.stateless() {
            let after_others = trial.judge(question, &view)?;
            ensure!(once.answer == after_others, "stateless, and after others {after_others:?} for {once:?}");
        }
    }
    Ok(())
}
