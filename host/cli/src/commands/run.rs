use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, ensure};
use countersign::engine::Outcome;
use countersign::kernel::contract::Dimension;
use countersign::kernel::{Action, Answered, Event, Frame, Input, Reply, Run, Slot, Status};
use countersign::scenario::{Finished, RunOptions, Scenario};
use countersign::{Host, Observer, Silent};

use crate::exit::{self, BadInput};
use crate::look::{self, BAD, GOOD, MIND, QUIET, STRONG, dollars, line, number, styled};

/// Run a scenario, or every scenario of a folder
///
/// A single scenario's exit code tells how its run went, or is 3 when that is not as its file
/// expects; a folder's whether all went as expected.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  countersign run tests/scenarios/loop-and-recover.toml")]
pub struct Arguments {
    /// Scenario file, or a folder of them
    path: PathBuf,
    /// Folder of the bundle [default: the scenario's own, else the one this program carries]
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Keep the trace in this file (for a folder: in this folder)
    #[arg(long, value_name = "PATH")]
    trace: Option<PathBuf>,
    /// Print the result as JSON, and nothing else
    #[arg(long)]
    json: bool,
    /// Print only the end
    #[arg(long, short)]
    quiet: bool,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "kebab-case")]
struct Summary {
    scenario: String,
    run: String,
    status: Status,
    as_expected: bool,
    unmet: Vec<String>,
    steps: u64,
    tool_calls: u64,
    input_tokens: u64,
    output_tokens: u64,
    cost: u64,
    packet_tokens: Option<u64>,
    history_tokens: u64,
    bundle: String,
    trace: Option<String>,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    if arguments.path.is_dir() { folder(arguments) } else { single(arguments) }
}

/// Hosts by bundle: a component is compiled once.
struct Hosts<'a> {
    forced: Option<&'a Path>,
    made: Vec<(Option<PathBuf>, Host)>,
}

impl Hosts<'_> {
    fn get(&mut self, scenario: &Scenario) -> anyhow::Result<Host> {
        let wanted = self.forced.map(Path::to_path_buf).or_else(|| scenario.bundle());
        if let Some((_, host)) = self.made.iter().find(|(bundle, _)| *bundle == wanted) {
            return Ok(host.clone());
        }
        let host = super::host(wanted.as_deref())?;
        self.made.push((wanted, host.clone()));
        Ok(host)
    }
}

fn single(arguments: &Arguments) -> anyhow::Result<u8> {
    let scenario = Scenario::load(&arguments.path)?;
    if let Some(trace) = &arguments.trace {
        is_new(trace)?;
    }
    let host = Hosts { forced: arguments.bundle.as_deref(), made: Vec::new() }.get(&scenario)?;
    let cancel = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&cancel);
    // Without it Ctrl-C ends the process at once, and the trace stays open.
    let _ = ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed));
    let options = RunOptions { trace: arguments.trace.clone(), id: None, cancel: Some(cancel) };
    let mut screen = Screen::default();
    if arguments.json || arguments.quiet {
        let mut packet = Packets::default();
        let finished = scenario.run(&host, options, &mut packet)?;
        if arguments.json {
            super::print_json(&summary(&scenario, &host, &finished, packet.tokens, arguments.trace.as_deref()))?;
        } else {
            end(&finished, packet.tokens, arguments.trace.as_deref());
        }
        return Ok(code(&finished));
    }
    head(&scenario, &host);
    let finished = scenario.run(&host, options, &mut screen)?;
    end(&finished, screen.packet, arguments.trace.as_deref());
    Ok(code(&finished))
}

/// A trace is evidence: it is not written over, nor is anything else.
fn is_new(trace: &Path) -> anyhow::Result<()> {
    let problem = || format!("`{}` exists: a trace is not written over; name another file", trace.display());
    ensure!(std::fs::symlink_metadata(trace).is_err(), BadInput(problem()));
    Ok(())
}

fn code(finished: &Finished) -> u8 {
    if finished.unmet.is_empty() { exit::of_status(finished.status) } else { exit::DIFFERS }
}

fn folder(arguments: &Arguments) -> anyhow::Result<u8> {
    let mut paths = Vec::new();
    scenarios(&arguments.path, &mut paths)?;
    paths.sort();
    ensure!(
        !paths.is_empty(),
        BadInput(format!("`{}`: no scenario in it; expected files that end in `.toml`", arguments.path.display()))
    );
    let mut hosts = Hosts { forced: arguments.bundle.as_deref(), made: Vec::new() };
    let mut failed = 0;
    let mut summaries = Vec::new();
    if let Some(folder) = &arguments.trace {
        let made = std::fs::create_dir_all(folder);
        made.map_err(|error| BadInput(format!("cannot make the folder `{}`: {error}", folder.display())))?;
    }
    for path in &paths {
        let scenario = Scenario::load(path)?;
        let host = hosts.get(&scenario)?;
        let name = path.strip_prefix(&arguments.path).unwrap_or(path).with_extension("");
        let file = format!("{}.jsonl", name.display().to_string().replace(['/', '\\'], "-"));
        let trace = arguments.trace.as_ref().map(|folder| folder.join(file));
        let finished =
            scenario.run(&host, RunOptions { trace: trace.clone(), ..RunOptions::default() }, &mut Silent)?;
        let good = finished.unmet.is_empty();
        failed += u32::from(!good);
        if arguments.json {
            summaries.push(summary(&scenario, &host, &finished, None, trace.as_deref()));
            continue;
        }
        let mark = if good { styled(GOOD, "ok    ") } else { styled(BAD, "FAILED") };
        crate::say!(
            "{mark} {:<34} {:<28} {}",
            name.display(),
            finished.status.to_string(),
            styled(QUIET, line(scenario.title(), 60))
        );
        for unmet in &finished.unmet {
            crate::say!("       {unmet}");
        }
    }
    if arguments.json {
        super::print_json(&summaries)?;
    } else {
        let good = paths.len() - failed as usize;
        crate::say!("\n{good} of {} scenarios went as expected", paths.len());
    }
    Ok(if failed == 0 { exit::OK } else { exit::DIFFERS })
}

fn scenarios(folder: &Path, paths: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let listing = std::fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
    for entry in listing {
        let path = entry?.path();
        // A bundle's folder has a `.toml` of its own.
        if path.is_dir() && !path.join("bundle.toml").exists() {
            scenarios(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    Ok(())
}

fn summary(
    scenario: &Scenario,
    host: &Host,
    finished: &Finished,
    packet: Option<u64>,
    trace: Option<&Path>,
) -> Summary {
    let used = |dimension| finished.run.view().budget(dimension).used;
    Summary {
        scenario: scenario.file().to_owned(),
        run: finished.id.clone(),
        status: finished.status,
        as_expected: finished.unmet.is_empty(),
        unmet: finished.unmet.clone(),
        steps: used(Dimension::Steps),
        tool_calls: used(Dimension::ToolCalls),
        input_tokens: used(Dimension::InputTokens),
        output_tokens: used(Dimension::OutputTokens),
        cost: used(Dimension::Cost),
        packet_tokens: packet,
        history_tokens: finished.run.history_tokens(),
        bundle: host.bundle().digest().to_string(),
        trace: trace.map(|path| path.display().to_string()),
    }
}

fn head(scenario: &Scenario, host: &Host) {
    let lock = host.bundle().lock();
    crate::say!("{}", styled(STRONG, scenario.title()));
    crate::say!("{}", styled(QUIET, format!("judged by bundle {} {}", lock.name, host.bundle().digest())));
    for entry in &lock.entry {
        let text = format!("  {:<11} {:<18} {}", entry.name, entry.policy, &entry.component_digest[..19]);
        crate::say!("{}", styled(QUIET, text));
    }
}

fn end(finished: &Finished, packet: Option<u64>, trace: Option<&Path>) {
    let style = match finished.status {
        Status::Ended(code) if exit::of_status(Status::Ended(code)) == 0 => GOOD,
        Status::Suspended(_) => MIND,
        _ => BAD,
    };
    crate::say!("\n{}", styled(style, finished.status));
    for dimension in Dimension::ALL {
        let line = finished.run.view().budget(dimension);
        let (used, limit) = match dimension {
            Dimension::Cost => (dollars(line.used), dollars(line.limit)),
            Dimension::RunningTime => (format!("{} ms", number(line.used)), format!("{} ms", number(line.limit))),
            _ => (number(line.used), number(line.limit)),
        };
        crate::say!("  {:<14} {used:>12} of {limit}", dimension.to_string());
    }
    if let Some(packet) = packet {
        let history = finished.run.history_tokens();
        crate::say!("  {:<14} {:>12} tokens, the full history has {}", "packet", number(packet), number(history));
    }
    if let Some(trace) = trace {
        crate::say!("  {:<14} {}", "trace", trace.display());
    }
    for unmet in &finished.unmet {
        crate::say!("{} {unmet}", styled(BAD, "not as expected:"));
    }
}

/// Remembers the size of the last packet.
#[derive(Default)]
struct Packets {
    tokens: Option<u64>,
}

impl Observer for Packets {
    fn frame(&mut self, _: &Run, frame: &Frame) {
        for event in &frame.events {
            if let Event::Escalated { packet_tokens, .. } = event {
                self.tokens = Some(*packet_tokens);
            }
        }
    }
}

/// Shows each step as it happens.
#[derive(Default)]
struct Screen {
    step: u64,
    packet: Option<u64>,
    score: Option<f64>,
    failures: Vec<(String, String)>,
}

impl Observer for Screen {
    fn judged(&mut self, entry: &str, outcome: &Outcome) {
        if let Some(failure) = &outcome.failure {
            self.failures.push((entry.to_owned(), failure.clone()));
        }
    }

    fn frame(&mut self, _: &Run, frame: &Frame) {
        self.input(&frame.input);
        for (_, failure) in self.failures.drain(..) {
            crate::say!("      {} {}", styled(BAD, "undecided"), line(&failure, 110));
        }
        self.score = frame.judgements.iter().find_map(|judgement| match &judgement.answer {
            Answered::Confidence(trust) => trust.score,
            _ => None,
        });
        for event in &frame.events {
            self.event(event);
        }
    }
}

impl Screen {
    fn input(&mut self, input: &Input) {
        match input {
            Input::Replied { reply, .. } => self.reply(reply),
            Input::Observed { observation, .. } => {
                let size = if observation.bytes == 0 { "nothing".to_owned() } else { line(&observation.text, 70) };
                let outcome = match observation.outcome {
                    countersign::kernel::Outcome::Returned { exit_code: Some(code), .. } => format!("exit {code}"),
                    countersign::kernel::Outcome::Returned { ok: true, .. } => "answered".to_owned(),
                    countersign::kernel::Outcome::Returned { .. } => "failed".to_owned(),
                    countersign::kernel::Outcome::Rejected => "did not run".to_owned(),
                    countersign::kernel::Outcome::TimedOut => "timed out".to_owned(),
                    countersign::kernel::Outcome::Infrastructure => "could not be reached".to_owned(),
                    countersign::kernel::Outcome::Unknown => "unknown".to_owned(),
                };
                tell("tool", &format!("{outcome}: {size}"));
            }
            Input::Verified { verification, .. } => {
                let text = if verification.holds { "holds".to_owned() } else { verification.detail.clone() };
                let style = if verification.holds { GOOD } else { BAD };
                crate::say!("      {:<11} {}", "verifier", styled(style, line(&text, 80)));
            }
            Input::Message { text } => tell("person", &line(text, 80)),
            Input::Started | Input::Cancelled | Input::Closed { .. } => {}
        }
    }

    fn reply(&mut self, reply: &Reply) {
        self.step += 1;
        match reply {
            Reply::Step(step) => {
                let confidence =
                    step.confidence.map_or_else(String::new, |value| format!("  says it is {value:.2} sure"));
                crate::say!(
                    "\n{:>4}  {}{}",
                    self.step,
                    styled(STRONG, line(&step.step, 60)),
                    styled(QUIET, confidence)
                );
                let wants = match &step.action {
                    Action::Call { tool, arguments, .. } => format!("{tool} {arguments}"),
                    Action::Finish { summary } => format!("finish: {summary}"),
                    Action::Say { text, .. } => format!("says: {text}"),
                };
                tell("wants", &line(&wants, 90));
            }
            Reply::Patch { text } => {
                crate::say!("\n{:>4}  {}", self.step, styled(STRONG, "advice of the stronger model"));
                for part in text.lines() {
                    crate::say!("      {}", line(part, 100));
                }
            }
            Reply::Invalid { bytes, .. } => {
                crate::say!("\n{:>4}  {}", self.step, styled(STRONG, format!("an answer of {} bytes", number(*bytes))));
            }
            Reply::Unavailable { reason } => {
                crate::say!("\n{:>4}  {}", self.step, styled(BAD, line(reason, 100)));
            }
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Classified { class, tier, .. } => {
                let class = class.as_deref().unwrap_or("unclassified");
                tell("start", &format!("class {class}, tier {tier}"));
            }
            Event::Verdict { slot, verdict, by, reason } => {
                let by = if by.len() > 1 || *by != [slot.name().into()] {
                    format!(" [{}]", by.join(", "))
                } else {
                    String::new()
                };
                let score = self.score.filter(|_| *slot == Slot::Confidence && reason.is_empty());
                let reason = score.map_or_else(|| reason.clone(), |score| format!("score {score:.2}"));
                crate::say!(
                    "      {:<11} {} {}{}",
                    slot.name(),
                    styled(look::verdict(*verdict), format!("{verdict:<9}")),
                    line(&reason, 80),
                    styled(QUIET, by)
                );
            }
            Event::NotJudged { slot } => not_judged(*slot),
            Event::SchemaViolation { reason } => stop("invalid", reason),
            Event::Escalated { from, to, cause, packet_tokens, history_tokens, .. } => {
                self.packet = Some(*packet_tokens);
                mind("escalate", &format!("{from} → {to}: {cause}"));
                tell("packet", &format!("{packet_tokens} tokens instead of {history_tokens}"));
            }
            Event::Patched { tier } => tell("restart", &format!("the {tier} model goes on from the last valid state")),
            Event::Replanned { reason } => mind("replan", reason),
            Event::Blocked { tool, reason } => stop("blocked", &format!("{tool}: {reason}")),
            Event::Dispatched { tool, .. } => tell("host", &format!("runs {tool}")),
            Event::Committed { fact, .. } => tell("commit", fact),
            Event::VerificationFailed { .. } | Event::ModelCalled { .. } => {}
            Event::CriterionMet { id } => {
                crate::say!("      {:<11} {}", "criterion", styled(GOOD, format!("{id} is verified")))
            }
            Event::CriterionLost { id } => mind("criterion", &format!("{id} no longer holds")),
            Event::ClaimUnsupported { unmet } => stop("claim", &format!("not verified: {}", unmet.join(", "))),
            Event::BudgetRefused { dimension, demand, left } => {
                stop("budget", &format!("{dimension}: may need {demand}, {left} left"));
            }
            Event::Notified { text } => mind("notify", text),
            Event::WouldHave { verdict, reason, .. } => mind("would", &format!("{verdict}: {reason}")),
            Event::Suspended { report, .. } => {
                mind("suspend", &report.reason);
                tell("state", &line(&report.last_valid_state, 90));
                if let Some(approval) = &report.approval {
                    tell("approve?", &line(&format!("{} {}", approval.tool, approval.arguments), 90));
                    tell("fingerprint", &approval.key.to_string());
                }
            }
            Event::Ended { reason, .. } => tell("end", &line(reason, 90)),
        }
    }
}

fn not_judged(slot: Slot) {
    crate::say!("      {:<11} {}", slot.name(), styled(QUIET, "not judged: the slot is empty"));
}

fn tell(what: &str, text: &str) {
    crate::say!("      {} {}", styled(QUIET, format!("{what:<11}")), line(text, 110));
}

fn mind(what: &str, text: &str) {
    crate::say!("      {} {}", styled(MIND, format!("{what:<11}")), line(text, 110));
}

fn stop(what: &str, text: &str) {
    crate::say!("      {} {}", styled(BAD, format!("{what:<11}")), line(text, 110));
}
