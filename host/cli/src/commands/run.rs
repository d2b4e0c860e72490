use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, ensure};
use countersign::kernel::contract::Dimension;
use countersign::kernel::{Closed, Event, Run, Status};
use countersign::mcp::{Accept, ToolsReport};
use countersign::{Deployment, Host, Observer, Silent};
use countersign_scenario::{Finished, Keep, RunOptions, Scenario};

use super::savings::Stopped;
use crate::exit::{self, BadInput};
use crate::screen::Screen;
use crate::style::{self, BAD, GOOD, MIND, QUIET, STRONG, dollars, line, number, styled};

/// Run a scenario, or every scenario of a folder
///
/// A single scenario's exit code tells how its run went, or is 3 when that is not as its file
/// expects; a folder's whether all went as expected.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  countersign run tests/scenarios/loop-and-recover.toml\n  \
                        countersign run task.toml --config countersign.toml")]
pub struct Arguments {
    /// Scenario file, or a folder of them
    path: PathBuf,
    /// Folder of the bundle [default: the scenario's own, else the one this program carries]
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Folder of installed bundles: its current one judges
    #[arg(long, value_name = "DIR", conflicts_with = "bundle")]
    bundles: Option<PathBuf>,
    /// The deployment's file: its models are called instead of scripted ones, its bundle judges and its store keeps
    /// the run, where no other option says otherwise
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Keep the trace in this file (for a folder: in this folder)
    #[arg(long, value_name = "PATH")]
    trace: Option<PathBuf>,
    /// Keep the run in this store: `countersign runs` shows it, and a suspended one is taken up again
    /// from there
    #[arg(long, value_name = "FILE", value_parser = super::StoreParser)]
    store: Option<PathBuf>,
    /// Accept tools of MCP servers as they are now, where their definition has changed or they are new:
    /// all of them, or these
    #[arg(long, value_name = "TOOLS", require_equals = true, num_args = 0..=1, default_missing_value = "",
          value_delimiter = ',')]
    accept_tools: Option<Vec<String>>,
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
struct Hosts {
    forced: Option<Host>,
    made: Vec<(Option<PathBuf>, Host)>,
}

impl Hosts {
    fn new(arguments: &Arguments, deployment: Option<&Deployment>) -> anyhow::Result<Self> {
        let own = deployment.map(Deployment::bundle);
        let forced = match (&arguments.bundles, &arguments.bundle) {
            (Some(folder), _) => Some(super::installed_host(folder, None)?),
            (None, Some(folder)) => Some(super::host(Some(folder))?),
            (None, None) => match own {
                Some(own) if own.folder.is_some() || own.installed.is_some() => {
                    Some(own.live(super::engine_options())?.host())
                }
                _ => None,
            },
        };
        Ok(Hosts { forced, made: Vec::new() })
    }

    fn get(&mut self, scenario: &Scenario) -> anyhow::Result<Host> {
        if let Some(host) = &self.forced {
            return Ok(host.clone());
        }
        let wanted = scenario.bundle();
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
    let deployment = deployment(arguments)?;
    let models = deployment.as_ref().and_then(Deployment::models).cloned();
    if let Some(trace) = &arguments.trace {
        is_new(trace)?;
    }
    let host = Hosts::new(arguments, deployment.as_ref())?.get(&scenario)?;
    let cancel = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&cancel);
    // Without it Ctrl-C ends the process at once, and the trace stays open.
    let _ = ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed));
    let store = arguments.store.clone().or_else(|| deployment.as_ref().map(|own| own.store().file.clone()));
    let keep = keep(store.as_deref())?;
    let options = RunOptions {
        trace: arguments.trace.clone(),
        keep,
        cancel: Some(cancel),
        models: models.clone(),
        accept: accept(arguments),
        ..RunOptions::default()
    };
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
    if host.bundle().shadows().next().is_some() {
        beside(arguments, &finished);
    }
    if let Some(store) = &store {
        crate::say!("  {:<18} {}", "run", finished.id);
        if matches!(finished.status, Status::Suspended(_)) {
            let command = format!("countersign runs show {} --store {}", finished.id, store.display());
            crate::say!("\n{} {command}", styled(QUIET, "what it waits for:"));
        }
    }
    if let Some(twin) = scenario.twin() {
        let other = twin.run(&host, RunOptions { models, ..RunOptions::default() }, &mut Silent)?;
        crate::say!("\n{}", styled(STRONG, twin.title()));
        end(&other, None, None);
        for evidence in &other.evidence {
            crate::say!("  {:<18} {evidence}", "harm");
        }
        if !other.unmet.is_empty() {
            return Ok(exit::DIFFERS);
        }
    }
    Ok(code(&finished))
}

/// What the deployment's file says.
fn deployment(arguments: &Arguments) -> anyhow::Result<Option<Deployment>> {
    Ok(arguments.config.as_deref().map(Deployment::load).transpose()?)
}

/// Which tools of servers the user accepts.
fn accept(arguments: &Arguments) -> Accept {
    match &arguments.accept_tools {
        None => Accept::Nothing,
        Some(names) if names.iter().all(String::is_empty) => Accept::All,
        Some(names) => Accept::Named(names.iter().filter(|name| !name.is_empty()).cloned().collect()),
    }
}

/// The store that a run is kept in. What its tools write lies beside it.
pub fn keep(store: Option<&Path>) -> anyhow::Result<Option<Keep>> {
    let Some(path) = store else { return Ok(None) };
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let store = super::open_store(&path)?;
    // By whatever name the store was given: its runs have one folder of work each.
    let place = path.canonicalize().unwrap_or(path);
    Ok(Some(Keep { store, files: place.parent().unwrap_or(Path::new("/")).to_owned() }))
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
    let deployment = deployment(arguments)?;
    let models = deployment.as_ref().and_then(Deployment::models).cloned();
    let mut hosts = Hosts::new(arguments, deployment.as_ref())?;
    let store = arguments.store.clone().or_else(|| deployment.as_ref().map(|own| own.store().file.clone()));
    let keep = keep(store.as_deref())?;
    let (mut failed, mut pairs, mut saved) = (0, 0, 0);
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
        let (trace_to, models) = (trace.clone(), models.clone());
        let again = RunOptions { models: models.clone(), ..RunOptions::default() };
        let options = RunOptions {
            trace: trace_to,
            keep: keep.clone(),
            models,
            accept: accept(arguments),
            ..RunOptions::default()
        };
        let finished = scenario.run(&host, options, &mut Packets::default())?;
        let twin = scenario.twin().map(|twin| twin.run(&host, again, &mut Silent)).transpose()?;
        let stopped = Stopped::of(&scenario, &host, &finished, twin.as_ref())?;
        let good = finished.unmet.is_empty()
            && twin.as_ref().is_none_or(|twin| twin.unmet.is_empty())
            && stopped.as_ref().is_none_or(|stopped| stopped.unmet().next().is_none());
        failed += u32::from(!good);
        if arguments.json {
            summaries.push(summary(&scenario, &host, &finished, None, trace.as_deref()));
            if let (Some(other), Some(twin)) = (scenario.twin(), &twin) {
                summaries.push(summary(other, &host, twin, None, None));
            }
            continue;
        }
        if let Some(stopped) = &stopped {
            pairs += u32::from(good);
            saved += stopped.by_host.seconds();
            crate::say!("{}", stopped.line(&name.display().to_string()));
            stopped.unmet().for_each(|unmet| crate::say!("       {unmet}"));
            continue;
        }
        let mark = if good { styled(GOOD, "ok    ") } else { styled(BAD, "FAILED") };
        match (&twin, scenario.twin()) {
            (Some(twin), Some(other)) => {
                pairs += u32::from(good);
                crate::say!("{mark} {:<34} {}", name.display(), pair(&finished, twin, other.title()));
                for unmet in &twin.unmet {
                    crate::say!("       {}: {unmet}", other.title());
                }
            }
            _ => crate::say!(
                "{mark} {:<34} {:<28} {}",
                name.display(),
                finished.status.to_string(),
                styled(QUIET, line(scenario.title(), 60))
            ),
        }
        for unmet in &finished.unmet {
            crate::say!("       {unmet}");
        }
    }
    if arguments.json {
        super::print_json(&summaries)?;
    } else {
        let good = paths.len() - failed as usize;
        let twins =
            if pairs > 0 { format!(", {pairs} of them with a twin that shows the harm") } else { String::new() };
        crate::say!("\n{good} of {} scenarios went as expected{twins}", paths.len());
        if saved > 0 {
            crate::say!("the threshold evaluator saved {saved} s");
        }
    }
    Ok(if failed == 0 { exit::OK } else { exit::DIFFERS })
}

/// A scenario and its twin in one line: contained here, and the harm there, each with what shows it.
fn pair(finished: &Finished, twin: &Finished, without: &str) -> String {
    let contained = if finished.unmet.is_empty() { styled(GOOD, "contained") } else { styled(BAD, "not contained") };
    let harm = if twin.unmet.is_empty() { styled(MIND, "harm shown") } else { styled(BAD, "no harm shown") };
    let shows = |finished: &Finished| {
        let status = match finished.status {
            Status::Ended(code) | Status::Suspended(code) => code.to_string(),
            Status::Running => finished.status.to_string(),
        };
        match finished.evidence.first() {
            Some(evidence) => format!("{status}, {evidence}"),
            None => status,
        }
    };
    format!(
        "{contained} {:<40} {harm} {:<42} {}",
        line(&shows(finished), 40),
        line(&shows(twin), 42),
        styled(QUIET, line(without, 90))
    )
}

fn scenarios(folder: &Path, paths: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let listing = std::fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
    for entry in listing {
        let path = entry?.path();
        // A bundle's folder has a `.toml` of its own, and what scenarios share is none of them.
        let shared = path.file_name().is_some_and(|name| name == "shared");
        if path.is_dir() && !shared && !path.join("bundle.toml").exists() {
            scenarios(&path, paths)?;
        } else if path.is_file() && path.extension().is_some_and(|extension| extension == "toml") {
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
        let shadow = if entry.is_shadow() { "  in shadow" } else { "" };
        let text = format!("  {:<11} {:<18} {}{shadow}", entry.name, entry.policy, &entry.component_digest[..19]);
        crate::say!("{}", styled(QUIET, text));
    }
}

/// Where to look for what the policies in shadow said.
fn beside(arguments: &Arguments, finished: &Finished) {
    let text = match (&arguments.store, &arguments.trace) {
        (Some(store), _) => format!("countersign shadow report {} --store {}", finished.id, store.display()),
        (None, Some(trace)) => format!("countersign shadow report {}", trace.display()),
        (None, None) => "not asked: they judge beside a trace that is kept, with --trace or --store".to_owned(),
    };
    crate::say!("  {:<18} {text}", "in shadow");
}

fn end(finished: &Finished, packet: Option<u64>, trace: Option<&Path>) {
    let style = match finished.status {
        Status::Ended(code) if exit::of_status(Status::Ended(code)) == 0 => GOOD,
        Status::Suspended(_) => MIND,
        Status::Running | Status::Ended(_) => BAD,
    };
    crate::say!("\n{}", styled(style, finished.status));
    budget(&finished.run);
    if let Some(packet) = packet {
        let history = finished.run.history_tokens();
        crate::say!("  {:<18} {:>12} tokens, the full history has {}", "packet", number(packet), number(history));
    }
    if let Some(trace) = trace {
        crate::say!("  {:<18} {}", "trace", trace.display());
    }
    for unmet in &finished.unmet {
        crate::say!("{} {unmet}", styled(BAD, "not as expected:"));
    }
}

/// The lines of a budget that say something: used, or capped low.
pub fn budget(run: &Run) {
    for dimension in Dimension::ALL {
        let line = run.view().budget(dimension);
        if line.used == 0 && (line.limit == u64::MAX || !always(dimension)) {
            continue;
        }
        let amount = |value: u64| match dimension {
            _ if value == u64::MAX => "no cap".to_owned(),
            Dimension::Cost | Dimension::MoneyMoved => dollars(value),
            Dimension::RunningTime => format!("{} ms", number(value)),
            Dimension::Steps
            | Dimension::InputTokens
            | Dimension::OutputTokens
            | Dimension::ToolCalls
            | Dimension::ExternalCalls
            | Dimension::Retries
            | Dimension::Reflections
            | Dimension::ContextTokens
            | Dimension::MemoryWrites
            | Dimension::SideEffects
            | Dimension::RecordsTouched
            | Dimension::RecipientsReached => number(value),
        };
        crate::say!("  {:<18} {:>12} of {}", dimension.to_string(), amount(line.used), amount(line.limit));
    }
}

/// Shown even when nothing was used.
fn always(dimension: Dimension) -> bool {
    matches!(
        dimension,
        Dimension::Steps
            | Dimension::InputTokens
            | Dimension::OutputTokens
            | Dimension::ToolCalls
            | Dimension::RunningTime
            | Dimension::Cost
    )
}

/// Remembers the size of the last packet.
#[derive(Default)]
struct Packets {
    tokens: Option<u64>,
}

impl Observer for Packets {
    fn tools(&mut self, report: &ToolsReport) {
        style::tools(report);
    }

    fn frame(&mut self, _: &Run, closed: &Closed) {
        for event in &closed.frame.events {
            if let Event::Escalated { packet_tokens, .. } = event {
                self.tokens = Some(*packet_tokens);
            }
        }
    }
}
