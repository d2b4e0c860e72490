use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context;
use countersign::kernel::contract::Verdict;
use countersign::shadow::{Compared, Disagreement, Report};
use countersign::store::{Runs, ShadowError, shadow_beside};

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
    #[command(after_help = "Example:\n  countersign shadow report --store runs\n  \
                            countersign shadow report 3f2a run.jsonl traces")]
    Report(Arguments),
}

#[derive(clap::Args)]
pub struct Arguments {
    /// Traces, folders of runs or of traces, or ids of runs in the store [default: every run of the store]
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
    let report = read(&each_once(paths, &arguments.stored.store)?)?;
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

/// The side streams that paths stand for, in their order: a run that is named twice counts once.
fn each_once(paths: &[PathBuf], store: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    for path in paths {
        for side_stream in side_streams(path, store)? {
            let same = side_stream.canonicalize().unwrap_or_else(|_| side_stream.clone());
            if seen.insert(same) {
                found.push(side_stream);
            }
        }
    }
    Ok(found)
}

/// Reads them all. What cannot be read is told and left out, as long as there is something else.
fn read(side_streams: &[PathBuf]) -> anyhow::Result<Report> {
    let mut report = Report::default();
    let mut refused = Vec::new();
    for side_stream in side_streams {
        refused.extend(report.add(side_stream).err());
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

/// The side streams that a path stands for: of a trace, of a run's folder, of every trace or run in a
/// folder, or of a run of the store by its id. What was not judged beside has none.
fn side_streams(path: &Path, store: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.exists() {
        if path == store {
            // The first run makes it.
            return Ok(Vec::new());
        }
        let (name, stored) = (path.display(), store.display());
        let run = Runs::new(store).find(&name.to_string())?;
        let problem = || format!("there is no `{name}`, and no run, or several, of `{stored}` whose id begins so");
        let run = run.ok_or_else(|| BadInput(problem()))?;
        return Ok(Some(shadow_beside(&run.trace())).filter(|path| path.exists()).into_iter().collect());
    }
    if !path.is_dir() {
        let is_side_stream = path.extension().is_some_and(|extension| extension == "shadow");
        let side_stream = if is_side_stream { path.to_owned() } else { shadow_beside(&finished_name(path)) };
        return Ok(Some(side_stream).filter(|path| path.exists()).into_iter().collect());
    }
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(path).with_context(|| format!("cannot read `{}`", path.display()))? {
        let file = entry?.path();
        if file.is_file() && file.extension().is_some_and(|extension| extension == "shadow") {
            found.insert(file);
        }
    }
    for run in Runs::new(path).list()? {
        found.extend(Some(shadow_beside(&run.trace())).filter(|path| path.exists()));
    }
    Ok(found.into_iter().collect())
}

/// A trace that is still being written has another name.
fn finished_name(trace: &Path) -> PathBuf {
    if trace.extension().is_some_and(|extension| extension == "open") {
        trace.with_extension("")
    } else {
        trace.to_owned()
    }
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
