use std::path::PathBuf;
use std::time::Instant;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use countersign::Host;
use countersign::bundle::Entry;
use countersign::kernel::Slot;
use countersign_audit::backtest::{Options, Report, backtest};
use indicatif::{ProgressBar, ProgressStyle};

use crate::style::{MIND, QUIET, STRONG, counted, dollars, line, number, styled, table};

/// Judge recorded runs and say where the policies would have intervened
///
/// Reads event streams of OpenHands (lists, lines, folders of events, results of evaluations), sessions of Claude Code
/// and Codex, ATIF trajectories, chat messages with tool calls, and steps of thought and action; plain or gzip. The form
/// of each is found out and told; what cannot be read is named by file and line and left out. Policies are not told the
/// step index, budgets or caps unless --show-budget is given. Where the bundle has policies in shadow,
/// what they would have said is compared at the end, as `countersign shadow report` does.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  countersign backtest tests/data/openhands/runs.jsonl.gz\n  \
                        countersign backtest ~/.claude/projects/*/*.jsonl --slots guard,doom-loop")]
pub struct Arguments {
    /// Recordings: files, folders with a file for each event, and folders of such
    #[arg(required = true, value_name = "RECORDING")]
    recordings: Vec<PathBuf>,
    /// Folder of the bundle [default: the one that this program carries in itself]
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Write a trace of each run into this folder, and one adaptation log of all
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Tell policies the step index and the recorded turn cap
    #[arg(long)]
    show_budget: bool,
    /// Slots to judge
    #[arg(long, value_name = "SLOT", value_delimiter = ',', default_value = "classifier,doom-loop", value_parser = slot())]
    slots: Vec<Slot>,
    /// List every run with an intervention, and every disagreement of policies in shadow
    #[arg(long)]
    all: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

fn slot() -> impl TypedValueParser<Value = Slot> {
    PossibleValuesParser::new(Slot::ALL.map(Slot::name)).try_map(|name| name.parse::<Slot>())
}

pub fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let host = super::host(arguments.bundle.as_deref())?;
    let options =
        Options { show_budget: arguments.show_budget, out: arguments.out.clone(), slots: arguments.slots.clone() };
    // Hidden by itself where there is no terminal.
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} runs judged  {per_sec}") {
        bar.set_style(style);
    }
    let started = Instant::now();
    let report = backtest(&host, &arguments.recordings, &options, &mut |runs| bar.set_position(runs));
    bar.finish_and_clear();
    let report = report?;
    super::recordings::left_out(&report.recordings, &report.not_read);
    if arguments.json {
        super::print_json(&report)?;
    } else {
        print(&report, arguments, &not_asked(&host, &arguments.slots), started.elapsed().as_secs_f64());
    }
    Ok(crate::exit::OK)
}

/// Entries in shadow, each with the slots of its that are not judged: nothing is put to them.
fn not_asked(host: &Host, judged: &[Slot]) -> Vec<String> {
    let of = |entry: &Entry| {
        let slots = entry.slot.iter().map(|own| own.slot).filter(|slot| !judged.contains(slot));
        let slots: Vec<&str> = slots.map(Slot::name).collect();
        (!slots.is_empty()).then(|| format!("{} ({})", entry.name, slots.join(", ")))
    };
    host.bundle().shadows().filter_map(|(entry, _)| of(entry)).collect()
}

/// Runs with an intervention that are listed unless all are wanted.
const MOST: usize = 50;

/// How often each slot would have intervened, with an example.
fn slots(report: &Report) {
    let mut rows = vec![["slot", "interventions", "runs", "verdicts", "first"].map(str::to_owned).to_vec()];
    for row in &report.slots {
        let verdicts: Vec<String> =
            row.verdicts.iter().rev().map(|(verdict, times)| format!("{verdict} {}", number(*times))).collect();
        rows.push(vec![
            row.slot.to_string(),
            number(row.interventions),
            number(row.runs),
            verdicts.join(", "),
            row.example.as_deref().map_or_else(String::new, |example| line(example, 80)),
        ]);
    }
    for (index, text) in table(&rows, &[1, 2]).into_iter().enumerate() {
        crate::say!("{}", if index == 0 { styled(QUIET, text) } else { text });
    }
    crate::say!();
}

fn print(report: &Report, arguments: &Arguments, not_asked: &[String], seconds: f64) {
    super::recordings::print(&report.recordings);
    slots(report);
    let mut rows = vec![
        ["recorded outcome", "runs", "tripped", "first at step", "steps after", "cost after"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for row in &report.outcomes {
        let some = row.tripped > 0;
        let shown = |text: String| if some { text } else { "–".to_owned() };
        rows.push(vec![
            row.outcome.clone(),
            number(row.runs),
            number(row.tripped),
            shown(row.first_intervention.map_or_else(String::new, number)),
            shown(format!("{} of {}", number(row.steps_after), number(row.steps))),
            row.cost_after.map_or_else(|| "–".to_owned(), |cost| shown(dollars(cost))),
        ]);
    }
    for (index, text) in table(&rows, &[1, 2, 3, 4, 5]).into_iter().enumerate() {
        crate::say!("{}", if index == 0 { styled(QUIET, text) } else { text });
    }
    if !report.interventions.is_empty() {
        crate::say!();
    }
    let evidence: Vec<Vec<String>> = report
        .interventions
        .iter()
        .take(if arguments.all { usize::MAX } else { MOST })
        .map(|found| {
            vec![
                found.outcome.clone(),
                if report.recordings.len() > 1 {
                    format!("{} run {}", line(&found.recording, 60), found.run)
                } else {
                    format!("run {}", found.run)
                },
                format!("step {} of {}", found.step, found.steps),
                line(&found.task, 32),
                found.slot.to_string(),
                found.reason.clone(),
                line(&found.evidence, 120),
            ]
        })
        .collect();
    for text in table(&evidence, &[]) {
        crate::say!("{text}");
    }
    if report.interventions.len() > evidence.len() {
        let more = counted((report.interventions.len() - evidence.len()) as u64, "more run");
        crate::say!("{}", styled(QUIET, format!("{more} with an intervention; --all lists them")));
    }
    crate::say!();
    crate::say!(
        "{}, {}, {} in {seconds:.2} s",
        styled(STRONG, counted(report.runs, "run")),
        counted(report.steps, "step"),
        counted(report.judgements, "judgement")
    );
    let left_out: Vec<&str> =
        Slot::ALL.iter().filter(|slot| !arguments.slots.contains(slot)).map(|slot| slot.name()).collect();
    if !left_out.is_empty() {
        crate::say!(
            "{}",
            styled(
                QUIET,
                format!(
                    "not judged: {} (choose with --slots; recordings hold no confidence, and the nature of a tool is \
                     guessed from its name)",
                    left_out.join(", ")
                )
            )
        );
    }
    let budget = if arguments.show_budget { "shown" } else { "hidden" };
    crate::say!("{}", styled(QUIET, format!("step index, budgets and caps: {budget} to the policies")));
    if report.undecided > 0 {
        crate::say!("{}", styled(MIND, format!("{} undecided", counted(report.undecided, "judgement"))));
    }
    if let Some(out) = &arguments.out {
        crate::say!("traces in `{}`", out.display());
    }
    if !not_asked.is_empty() {
        let names = line(&not_asked.join(", "), 200);
        crate::say!("{}", styled(MIND, format!("in shadow: {names} was not asked; choose --slots")));
    }
    if let Some(shadow) = report.shadow.as_ref().filter(|shadow| shadow.runs > 0) {
        crate::say!();
        super::shadow::print(shadow, arguments.all);
    }
}
