use std::path::{Path, PathBuf};
use std::time::Instant;

use countersign::deployment::Deployment;
use countersign_audit::alarms::{Figures, Options, Report, Told, alarms};
use indicatif::{ProgressBar, ProgressStyle};

use crate::style::{MIND, QUIET, STRONG, cell, counted, line, number, styled, table, width};

/// Measure what the policies do
#[derive(clap::Subcommand)]
pub enum Command {
    /// Count false alarms on recorded runs that went well
    ///
    /// Every call of such a run is judged as the gateway judges those of its clients, with every policy of the bundle
    /// and the host's own rules; what would have waited for a person is approved and goes on. Counted are runs that
    /// would have been stopped, calls that would have been held or refused, and results of which something would
    /// have been withheld, by slot and reason. Runs that did not go well, or were attacked, are left out. Nothing is
    /// known of the tools unless --config or --reads says something: a tool of which nothing is known is asked about.
    #[command(after_help = "Example:\n  countersign eval alarms tests/data/openhands --reads")]
    Alarms(Alarms),
}

#[derive(clap::Args)]
pub struct Alarms {
    /// Recordings as `backtest` reads them, and folders of such
    #[arg(required = true, value_name = "DIR")]
    recordings: Vec<PathBuf>,
    /// Folder of the bundle [default: the one that this program carries in itself]
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// A `countersign.toml` whose budget, boundary, rules and tools hold [default: what holds without one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Take tools for read-only whose names say so, as if their servers had said it
    #[arg(long)]
    reads: bool,
    /// Judge runs that did not go well too
    #[arg(long)]
    every_outcome: bool,
    /// List every reason
    #[arg(long)]
    all: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(command: &Command) -> anyhow::Result<u8> {
    match command {
        Command::Alarms(arguments) => run_alarms(arguments),
    }
}

fn run_alarms(arguments: &Alarms) -> anyhow::Result<u8> {
    let deployment = match &arguments.config {
        Some(file) => Deployment::load(file)?,
        None => Deployment::defaults(Path::new("."))?,
    };
    let host = super::host(arguments.bundle.as_deref())?;
    let told = if arguments.reads { Told::Reads } else { Told::Nothing };
    let options = Options { deployment, told, every_outcome: arguments.every_outcome };
    // Hidden by itself where there is no terminal.
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} runs judged  {per_sec}") {
        bar.set_style(style);
    }
    let started = Instant::now();
    let report = alarms(&host, &arguments.recordings, &options, &mut |runs| bar.set_position(runs));
    bar.finish_and_clear();
    let report = report?;
    super::recordings::left_out(&report.recordings, &report.not_read);
    if arguments.json {
        super::print_json(&report)?;
    } else {
        print(&report, arguments.all, started.elapsed().as_secs_f64());
    }
    Ok(crate::exit::OK)
}

/// Reasons that are listed unless all are wanted.
const MOST: usize = 20;

fn print(report: &Report, all: bool, seconds: f64) {
    super::recordings::print(&report.recordings);
    let head = ["recording", "runs", "stopped", "calls", "held", "by policies", "refused", "withheld"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (read, figures) in report.recordings.iter().zip(&report.by_recording) {
        rows.push(row(cell(&read.name, 60), figures));
    }
    if report.by_recording.len() > 1 {
        rows.push(row("all".to_owned(), &report.all));
    }
    for (index, text) in table(&rows, &[1, 2, 3, 4, 5, 6, 7]).into_iter().enumerate() {
        crate::say!("{}", if index == 0 { styled(QUIET, text) } else { text });
    }
    let shown = if all { usize::MAX } else { MOST };
    if !report.reasons.is_empty() {
        crate::say!();
        let mut rows = vec![["", "by", "times", "runs", "why"].map(str::to_owned).to_vec()];
        for reason in report.reasons.iter().take(shown) {
            rows.push(vec![
                reason.met.name().to_owned(),
                reason.by.clone(),
                number(reason.times),
                number(reason.runs),
                line(&reason.reason, 100),
            ]);
        }
        for (index, text) in table(&rows, &[2, 3]).into_iter().enumerate() {
            crate::say!("{}", if index == 0 { styled(QUIET, text) } else { text });
        }
        if report.reasons.len() > shown {
            let more = number((report.reasons.len() - shown) as u64);
            crate::say!("{}", styled(QUIET, format!("{more} more reasons; --all lists them, --json has examples")));
        }
    }
    let figures = &report.all;
    crate::say!();
    crate::say!(
        "{} of {} stopped, {} of {} held, {} of them by policies; in {seconds:.2} s",
        styled(STRONG, number(figures.stopped)),
        counted(figures.runs, "run"),
        styled(STRONG, number(figures.held)),
        counted(figures.calls, "call"),
        styled(STRONG, number(figures.held_by_policies)),
    );
    let left = [
        (figures.went_badly, "did not go well"),
        (figures.attacked, if figures.attacked == 1 { "was attacked" } else { "were attacked" }),
        (
            figures.unlabelled,
            if figures.unlabelled == 1 {
                "has no label, unlike others of its recording"
            } else {
                "have no label, unlike others of their recordings"
            },
        ),
    ];
    for (count, why) in left.into_iter().filter(|(count, _)| *count > 0) {
        crate::say!("{}", styled(QUIET, format!("left out: {} that {why}", counted(count, "run"))));
    }
    if figures.unsaid > 0 {
        let text = match figures.unsaid {
            1 => "1 run of which nobody says how it went counts as a good one".to_owned(),
            unsaid => format!("{} runs of which nobody says how they went count as good ones", number(unsaid)),
        };
        crate::say!("{}", styled(MIND, text));
    }
    if figures.not_reached > 0 {
        let were = if figures.not_reached == 1 { "was" } else { "were" };
        let text = format!("{} after a stop {were} not judged", counted(figures.not_reached, "call"));
        crate::say!("{}", styled(QUIET, text));
    }
}

/// Columns of a terminal from which on shares are shown beside numbers.
const SHARES: usize = 120;

fn row(name: String, figures: &Figures) -> Vec<String> {
    let share = |part: u64, of: u64| match of {
        0 => number(part),
        // A narrow terminal has no room for shares.
        _ if width().is_some_and(|width| width < SHARES) => number(part),
        _ => format!("{} ({:.1} %)", number(part), part as f64 * 100.0 / of as f64),
    };
    vec![
        name,
        number(figures.runs),
        share(figures.stopped, figures.runs),
        number(figures.calls),
        share(figures.held, figures.calls),
        share(figures.held_by_policies, figures.calls),
        share(figures.refused, figures.calls),
        share(figures.withheld, figures.calls),
    ]
}
