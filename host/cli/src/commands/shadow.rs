use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use countersign::kernel::contract::Verdict;
use countersign::store::{RunQuery, ShadowError, SharedStore, Side};
use countersign_audit::shadow::{Compared, Disagreement, Report};

use super::Stored;
use crate::exit::{self, BadInput};
use crate::style::{MIND, QUIET, STRONG, line, number, styled, table, verdict};

/// Compare policies in shadow with those that count
#[derive(clap::Subcommand)]
pub enum Command {
    /// Say how often each shadow policy agreed with what counted, and where it did not
    ///
    /// Agreement is the share of judgements with the same verdict, with an interval of 95 % (Wilson),
    /// widened by how alike the judgements of one run are: a hundred of one run say less than one of each
    /// of a hundred. Compared is what the enforcing policies of the slot said together; an empty slot counts as
    /// `proceed`. Where a shadow policy could not decide, its failure verdict is compared. A file that
    /// cannot be read, or that the trace beside it contradicts, is named and left out; exit code 2 when
    /// there was no other.
    #[command(after_help = "Example:\n  countersign shadow report --store runs.db\n  \
                            countersign shadow report 3f2a run.jsonl traces")]
    Report(Arguments),
}

#[derive(clap::Args)]
pub struct Arguments {
    /// Traces, folders of traces, stores, or ids of runs in the store [default: every run of the store]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// List every disagreement, however many there are
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    stored: super::Stored,
}

pub fn run(command: &Command) -> anyhow::Result<u8> {
    match command {
        Command::Report(arguments) => report(arguments),
    }
}

fn report(arguments: &Arguments) -> anyhow::Result<u8> {
    let store = [arguments.stored.store.clone()];
    let paths = if arguments.paths.is_empty() { &store[..] } else { &arguments.paths[..] };
    let report = read(&each_once(paths, &arguments.stored)?)?;
    if arguments.stored.json {
        super::print_json(&report)?;
    } else if report.runs == 0 {
        let names: Vec<String> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
        crate::say!(
            "no run in {} was judged beside; an entry of a bundle is in shadow by `mode = \"shadow\"`",
            names.join(", ")
        );
    } else {
        print(&report, arguments.all);
    }
    Ok(exit::OK)
}

/// What was judged beside a run.
enum Said {
    /// The side stream of a trace.
    File(PathBuf),
    /// A run of the store.
    Run(SharedStore, Arc<str>),
}

/// What paths stand for, in their order: a run that is named twice counts once.
fn each_once(paths: &[PathBuf], stored: &Stored) -> anyhow::Result<Vec<Said>> {
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    for path in paths {
        for said in said(path, stored)? {
            let same = match &said {
                Said::File(path) => path.canonicalize().unwrap_or_else(|_| path.clone()),
                Said::Run(_, id) => PathBuf::from(&**id),
            };
            if seen.insert(same) {
                found.push(said);
            }
        }
    }
    Ok(found)
}

/// Reads them all. What cannot be read is told and left out, as long as there is something else.
fn read(all: &[Said]) -> anyhow::Result<Report> {
    let mut report = Report::default();
    let mut refused = Vec::new();
    for said in all {
        let added = match said {
            Said::File(path) => report.add(path),
            Said::Run(store, id) => report.add_run(&**store, id),
        };
        refused.extend(added.err());
    }
    if report.runs == 0
        && let Some(last) = refused.pop()
    {
        refused.iter().for_each(left_out);
        return Err(last.into());
    }
    refused.iter().for_each(left_out);
    Ok(report)
}

fn left_out(error: &ShadowError) {
    anstream::eprintln!("{} {error}", styled(MIND, "left out:"));
}

/// What a path stands for: a trace, every trace of a folder, every run of a store, or a run of the store by its id.
/// What was not judged beside says nothing.
fn said(path: &Path, stored: &Stored) -> anyhow::Result<Vec<Said>> {
    if path == stored.store {
        let Some(store) = stored.open_if_there()? else { return Ok(Vec::new()) };
        let rows = store.list(&RunQuery::default())?;
        return Ok(rows.into_iter().rev().map(|row| Said::Run(SharedStore::clone(&store), row.id)).collect());
    }
    if !path.exists() {
        let (name, place) = (path.display(), stored.store.display());
        let problem = |why: String| BadInput(format!("there is no `{name}`; in `{place}` {why}"));
        let store = stored.open_if_there()?.ok_or_else(|| problem("there are no runs".to_owned()))?;
        let row = store.find(&name.to_string()).map_err(|error| problem(error.to_string()))?;
        return Ok(vec![Said::Run(store, row.id)]);
    }
    if !path.is_dir() {
        let is_side_stream = path.extension().is_some_and(|extension| extension == "shadow");
        let file = if is_side_stream { path.to_owned() } else { countersign::beside(path, Side::Shadow) };
        return Ok(Some(file).filter(|path| path.exists()).into_iter().map(Said::File).collect());
    }
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(path).with_context(|| format!("cannot read `{}`", path.display()))? {
        let file = entry?.path();
        if file.is_file() && file.extension().is_some_and(|extension| extension == "shadow") {
            found.insert(file);
        }
    }
    Ok(found.into_iter().map(Said::File).collect())
}

/// Disagreements that are listed unless all are wanted.
const MOST: usize = 50;

/// Prints a report, also that of a backtest.
pub fn print(report: &Report, all: bool) {
    let mut locks = report.locks.iter();
    let bundles = match (locks.next(), locks.len()) {
        (Some(lock), 0) => format!("bundle {lock}"),
        _ => format!("{} bundles: what was enforced differs between them", report.locks.len()),
    };
    crate::say!("{} {} judged beside, {bundles}\n", styled(STRONG, number(report.runs)), runs(report.runs));
    figures(report);
    for compared in report.policies.iter().filter(|compared| compared.judged > 0) {
        crate::say!();
        confusion(compared);
    }
    notes(report);
    disagreements(&report.disagreements, all);
}

fn runs(count: u64) -> &'static str {
    if count == 1 { "run" } else { "runs" }
}

fn figures(report: &Report) {
    let head =
        ["slot", "in shadow", "policy", "judged", "agreement (95 %)", "stricter", "looser", "undecided", "dropped"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for compared in &report.policies {
        rows.push(vec![
            compared.slot.to_string(),
            line(&compared.entry, 40),
            line(&compared.policy, 40),
            number(compared.judged),
            compared.agreement.map_or_else(|| "–".to_owned(), |interval| interval.to_string()),
            number(compared.stricter),
            number(compared.looser),
            number(compared.undecided),
            number(compared.dropped),
        ]);
    }
    for (index, text) in table(&rows, &[3, 5, 6, 7, 8]).into_iter().enumerate() {
        crate::say!("{}", if index == 0 { styled(QUIET, text) } else { text });
    }
}

/// Which verdict met which: a line for each that counted, a column for each in shadow.
fn confusion(compared: &Compared) {
    let enforced: BTreeSet<Option<Verdict>> = compared.verdicts.iter().map(|met| met.enforced).collect();
    let shadow: BTreeSet<Verdict> = compared.verdicts.iter().map(|met| met.shadow).collect();
    let head = format!("{}, {} in shadow: what counted (down), what it said (across)", compared.slot, compared.entry);
    crate::say!("{}", styled(QUIET, head));
    let mut rows =
        vec![std::iter::once(String::new()).chain(shadow.iter().map(Verdict::to_string)).collect::<Vec<_>>()];
    for counted in enforced {
        let count = |said: &Verdict| {
            let met = compared.verdicts.iter().find(|met| met.enforced == counted && met.shadow == *said);
            number(met.map_or(0, |met| met.count))
        };
        rows.push(std::iter::once(name(counted)).chain(shadow.iter().map(count)).collect());
    }
    let right: Vec<usize> = (1..=shadow.len()).collect();
    for text in table(&rows, &right) {
        crate::say!("  {text}");
    }
}

/// What counted.
fn name(enforced: Option<Verdict>) -> String {
    enforced.map_or_else(|| "not judged".to_owned(), |verdict| verdict.to_string())
}

/// What takes from the worth of the figures.
fn notes(report: &Report) {
    let mut notes = Vec::new();
    for compared in report.policies.iter().filter(|compared| compared.dropped > 0) {
        let state =
            if compared.stateless { "" } else { "; it keeps a state, and what it said later it said without them" };
        let Compared { slot, entry, dropped, .. } = compared;
        notes.push(format!("{entry} was never asked {} questions of the slot {slot}{state}", number(*dropped)));
    }
    if report.policies.iter().any(|compared| compared.runs == 1 && compared.judged > 1) {
        notes.push("of one run alone its judgements count as independent: the interval is too narrow".to_owned());
    }
    if report.not_whole > 0 {
        let of = format!("{} {}", number(report.not_whole), runs(report.not_whole));
        notes.push(format!("of {of} not everything was heard: still going on, broken off, or joined in the middle"));
    }
    if !notes.is_empty() {
        crate::say!();
    }
    for note in notes {
        crate::say!("{}", styled(MIND, note));
    }
}

fn disagreements(found: &[Disagreement], all: bool) {
    if found.is_empty() {
        return;
    }
    let shown = if all { found.len() } else { found.len().min(MOST) };
    let mut rows = vec![["run", "frame", "slot", "in shadow", "counted", "said", "why"].map(str::to_owned).to_vec()];
    for one in &found[..shown] {
        let undecided = if one.undecided { " (undecided)" } else { "" };
        rows.push(vec![
            line(&one.run, 40),
            one.frame.to_string(),
            one.slot.to_string(),
            line(&one.entry, 40),
            name(one.enforced),
            format!("{}{undecided}", one.shadow),
            line(&one.reason, 80),
        ]);
    }
    crate::say!();
    for (index, text) in table(&rows, &[1]).into_iter().enumerate() {
        let style = index.checked_sub(1).and_then(|at| found.get(at)).map_or(QUIET, |one| verdict(one.shadow));
        crate::say!("{}", styled(style, text));
    }
    if shown < found.len() {
        let more = number((found.len() - shown) as u64);
        crate::say!(
            "{}",
            styled(QUIET, format!("… and {more} more disagreements: --all lists them, --json has everything"))
        );
    }
}
