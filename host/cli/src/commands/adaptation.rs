use std::collections::BTreeMap;
use std::path::PathBuf;

use countersign::kernel::Slot;
use countersign_audit::adaptation::{AdaptationError, Outcome, Triple, derive_from};

use super::Stored;
use super::source::Source;
use crate::exit;
use crate::style::{QUIET, line, number, styled, table};

/// Show what was recommended in a run, what was decided, and what came of it
///
/// Derived from the trace alone, in the order of its frames.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  countersign trace adaptation 3f2a --store runs.db")]
pub struct Arguments {
    /// A trace, or the id of a run of the store or its beginning
    #[arg(value_name = "TRACE|RUN")]
    trace: PathBuf,
    #[command(flatten)]
    stored: Stored,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let mut triples = Vec::new();
    let mut reader = Source::find(&arguments.trace, &arguments.stored)?.reader()?;
    derive_from(&mut reader, |triple| {
        triples.push(triple);
        Ok::<(), AdaptationError>(())
    })?;
    if arguments.stored.json {
        super::print_json(&triples)?;
        return Ok(exit::OK);
    }
    if triples.is_empty() {
        crate::say!("nothing was recommended in it");
        return Ok(exit::OK);
    }
    // The log has them in the order in which all was known of them.
    triples.sort_by_key(|triple| triple.frame);
    let headings = ["frame", "slot", "about", "score", "verdict", "decision", "by", "outcome"];
    let mut rows = vec![headings.map(str::to_owned).to_vec()];
    rows.extend(triples.iter().map(row));
    print(&rows, &[0, 3]);
    crate::say!();
    print(&counts(&triples), &[1]);
    Ok(exit::OK)
}

fn row(triple: &Triple) -> Vec<String> {
    let (said, decision) = (&triple.recommendation, &triple.decision);
    let about = triple.about.tool.as_deref().or(triple.class.as_deref());
    let by = decision.by.as_deref().map(str::to_owned).unwrap_or_default();
    vec![
        triple.frame.to_string(),
        triple.slot.name().to_owned(),
        line(about.unwrap_or("-"), 30),
        said.score.map_or_else(|| "–".to_owned(), |score| format!("{score:.2}")),
        said.verdict.to_string(),
        decision.did.name().to_owned(),
        line(&by, 20),
        outcome(&triple.outcome),
    ]
}

fn outcome(outcome: &Outcome) -> String {
    let code = outcome.code.map(|code| format!(" {code}")).unwrap_or_default();
    let verified = if outcome.verified == Some(true) { " verified" } else { "" };
    let call = outcome.call.map(|call| format!(" (call {call})")).unwrap_or_default();
    format!("{}{code}{verified}{call}", outcome.came.name())
}

/// How often what was said, done and seen, by slot.
fn counts(triples: &[Triple]) -> Vec<Vec<String>> {
    let mut rows = vec![["slot", "lines", "verdicts", "decisions", "outcomes"].map(str::to_owned).to_vec()];
    for slot in Slot::ALL {
        let own: Vec<&Triple> = triples.iter().filter(|triple| triple.slot == slot).collect();
        if own.is_empty() {
            continue;
        }
        let verdicts =
            own.iter().map(|triple| (triple.recommendation.verdict, triple.recommendation.verdict.to_string()));
        let decisions = own.iter().map(|triple| (triple.decision.did, triple.decision.did.name().to_owned()));
        let outcomes = own.iter().map(|triple| (triple.outcome.came, triple.outcome.came.name().to_owned()));
        rows.push(vec![
            slot.name().to_owned(),
            number(own.len() as u64),
            tally(verdicts),
            tally(decisions),
            tally(outcomes),
        ]);
    }
    rows
}

/// `3 proceed, 1 ask`, in the order of the keys.
fn tally<K: Ord>(values: impl Iterator<Item = (K, String)>) -> String {
    let mut counted: BTreeMap<K, (u64, String)> = BTreeMap::new();
    for (key, name) in values {
        counted.entry(key).or_insert((0, name)).0 += 1;
    }
    let parts = counted.into_values().map(|(count, name)| format!("{} {name}", number(count)));
    parts.collect::<Vec<_>>().join(", ")
}

fn print(rows: &[Vec<String>], right: &[usize]) {
    for (index, text) in table(rows, right).into_iter().enumerate() {
        crate::say!("{}", if index == 0 { styled(QUIET, text) } else { text });
    }
}
