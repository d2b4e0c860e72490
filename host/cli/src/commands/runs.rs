use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::ensure;
use countersign::bundle::Digest;
use countersign::convergence::{RunFigures, report};
use countersign::kernel::contract::Dimension;
use countersign::kernel::{Approval, Decision, Driver, Event, Input, Report, Run, Status, Wanted};
use countersign::scenario::{RunError, resume};
use countersign::store::{Entry, Offer, RunFolder, Runs, TraceReader};
use countersign::{Host, HostError};

use super::Stored;
use crate::exit::{self, BadInput};
use crate::look::{BAD, GOOD, MIND, QUIET, STRONG, dollars, line, number, styled, table};
use crate::screen::Screen;

/// Look at stored runs, and decide what they wait for
#[derive(clap::Subcommand)]
pub enum Command {
    /// List the runs of a store
    #[command(after_help = "Example:\n  countersign runs list --store runs")]
    List(Stored),
    /// Show one run: where it stands, what it waits for, and who may decide
    #[command(after_help = "Example:\n  countersign runs show 3f2a --store runs")]
    Show(One),
    /// Approve the action that a run waits for, once, by its fingerprint
    #[command(after_help = "Example:\n  countersign runs approve 3f2a 9c41d0e2 --store runs")]
    Approve(Approve),
    /// Reject it; with --instead the run looks for another way, without it the run ends
    #[command(after_help = "Example:\n  countersign runs reject 3f2a --instead 'write a draft only' --store runs")]
    Reject(Reject),
    /// Answer a run's question
    #[command(after_help = "Example:\n  countersign runs answer 3f2a 'the one of last May' --store runs")]
    Answer(Answer),
    /// Take what a run has done as it is
    #[command(after_help = "Example:\n  countersign runs accept 3f2a --store runs")]
    Accept(Deciding),
    /// Release more budget to a run, up to its operator's ceiling
    #[command(after_help = "Example:\n  countersign runs release 3f2a cost=500000 steps=10 --store runs")]
    Release(Release),
    /// Let a run go on that an operator, an agent or a credential stopped
    #[command(after_help = "Example:\n  countersign runs go-on 3f2a --store runs")]
    GoOn(Deciding),
    /// End a run
    #[command(after_help = "Example:\n  countersign runs cancel 3f2a --store runs")]
    Cancel(Deciding),
    /// Take a suspended run up again, as far as its inbox leads
    #[command(after_help = "Example:\n  countersign runs resume 3f2a --store runs")]
    Resume(Resume),
    /// Escalations and steps per class of task: do runs get better?
    #[command(after_help = "Example:\n  countersign runs convergence --store runs")]
    Convergence(Stored),
}

#[derive(clap::Args)]
pub struct One {
    /// Id of the run, or the beginning of it
    run: String,
    #[command(flatten)]
    stored: Stored,
}

#[derive(clap::Args)]
pub struct Deciding {
    #[command(flatten)]
    one: One,
    /// Who decides: recorded as given, checked by nobody [default: $USER, else operator]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

#[derive(clap::Args)]
pub struct Approve {
    /// Id of the run, or the beginning of it
    run: String,
    /// Fingerprint of what is approved, or at least its first 8 digits
    fingerprint: String,
    #[command(flatten)]
    stored: Stored,
    /// Who decides: recorded as given, checked by nobody [default: $USER, else operator]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

#[derive(clap::Args)]
pub struct Reject {
    #[command(flatten)]
    deciding: Deciding,
    /// Which of several calls that wait, by at least 8 digits of its fingerprint
    #[arg(long, value_name = "FINGERPRINT")]
    fingerprint: Option<String>,
    /// What the run shall do instead
    #[arg(long, value_name = "TEXT")]
    instead: Option<String>,
}

#[derive(clap::Args)]
pub struct Answer {
    /// Id of the run, or the beginning of it
    run: String,
    /// The answer
    text: String,
    #[command(flatten)]
    stored: Stored,
    /// Who answers: recorded as given, checked by nobody [default: $USER, else operator]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

#[derive(clap::Args)]
pub struct Release {
    /// Id of the run, or the beginning of it
    run: String,
    /// How much more, by dimension: cost and money-moved in micro-dollars, running-time in milliseconds
    #[arg(required = true, value_name = "DIMENSION=AMOUNT", value_parser = extra)]
    extra: Vec<(Dimension, u64)>,
    #[command(flatten)]
    stored: Stored,
    /// Who decides: recorded as given, checked by nobody [default: $USER, else operator]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

#[derive(clap::Args)]
pub struct Resume {
    #[command(flatten)]
    one: One,
    /// Folder of the bundle it is pinned to [default: the scenario's own, else the one this program carries]
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Folder of installed bundles, among them the one it is pinned to
    #[arg(long, value_name = "DIR", conflicts_with = "bundle")]
    bundles: Option<PathBuf>,
}

fn extra(text: &str) -> Result<(Dimension, u64), String> {
    let (name, amount) = text.split_once('=').ok_or("expected DIMENSION=AMOUNT, such as `cost=500000`")?;
    let known = Dimension::ALL.into_iter().find(|dimension| dimension.to_string().replace(' ', "-") == name);
    let dimension = known.ok_or_else(|| {
        let names = Dimension::ALL.map(|dimension| dimension.to_string().replace(' ', "-")).join(", ");
        format!("`{name}` is no dimension; there are {names}")
    })?;
    let amount = amount.replace('_', "").parse().map_err(|_| format!("`{amount}` is no whole number"))?;
    Ok((dimension, amount))
}

pub fn run(command: &Command) -> anyhow::Result<u8> {
    match command {
        Command::List(stored) => list(stored),
        Command::Show(one) => show(one),
        Command::Approve(approve) => approve_action(approve),
        Command::Reject(reject) => {
            let loaded = load(&reject.deciding.one)?;
            let suspended = matches!(loaded.run.status(), Status::Suspended(_));
            let approval = match &reject.fingerprint {
                None if suspended => loaded.report.as_ref().and_then(|report| report.approval.as_ref()),
                fingerprint => Some(loaded.approval(fingerprint.as_deref())?),
            };
            let decision = Decision::Rejected {
                fingerprint: approval.map(|approval| Arc::clone(&approval.fingerprint)),
                instead: reject.instead.as_deref().map(Arc::from),
            };
            decide(&loaded, "reject", reject.deciding.by.as_deref(), decision, &reject.deciding.one.stored)
        }
        Command::Answer(answer) => {
            let one = One { run: answer.run.clone(), stored: copy(&answer.stored) };
            let decision = Decision::Answered { text: answer.text.as_str().into() };
            decide(&load(&one)?, "answer", answer.by.as_deref(), decision, &answer.stored)
        }
        Command::Accept(deciding) => {
            decide(&load(&deciding.one)?, "accept", deciding.by.as_deref(), Decision::Accepted, &deciding.one.stored)
        }
        Command::Release(release) => {
            let one = One { run: release.run.clone(), stored: copy(&release.stored) };
            let decision = Decision::Released { extra: release.extra.iter().copied().collect() };
            decide(&load(&one)?, "release", release.by.as_deref(), decision, &release.stored)
        }
        Command::GoOn(deciding) => {
            decide(&load(&deciding.one)?, "go-on", deciding.by.as_deref(), Decision::Resumed, &deciding.one.stored)
        }
        Command::Cancel(deciding) => cancel(deciding),
        Command::Resume(arguments) => take_up(arguments),
        Command::Convergence(stored) => convergence(stored),
    }
}

fn copy(stored: &Stored) -> Stored {
    Stored { store: stored.store.clone(), json: stored.json }
}

/// A run as its trace tells it.
struct Loaded {
    folder: RunFolder,
    run: Run,
    /// What it waits for.
    report: Option<Report>,
    /// Who decided so far, and what.
    decided: Vec<(String, String)>,
    /// Calls of an agent that owns its loop, each waiting by itself.
    parked: Vec<Approval>,
    /// What monitor mode would have stopped: in which frame, and what.
    would_have: Vec<(u64, String)>,
}

impl Loaded {
    /// The approval that is meant: by its fingerprint, or the only one that waits.
    fn approval(&self, fingerprint: Option<&str>) -> anyhow::Result<&Approval> {
        let id = &self.folder.id;
        let own = self.report.as_ref().and_then(|report| report.approval.as_ref());
        let mut waiting = own.into_iter().chain(&self.parked).peekable();
        ensure!(waiting.peek().is_some(), BadInput(format!("run `{id}` waits for no approval")));
        let Some(fingerprint) = fingerprint else {
            let first = waiting.next();
            return match (first, waiting.next()) {
                (Some(only), None) => Ok(only),
                _ => {
                    Err(BadInput(format!("run `{id}` waits for several; `countersign runs show {id}` shows them"))
                        .into())
                }
            };
        };
        // Whoever decides has seen what: the fingerprint is of exactly this action.
        let found = waiting.find(|approval| fingerprint.len() >= 8 && approval.fingerprint.starts_with(fingerprint));
        found.ok_or_else(|| {
            let text = format!(
                "`{fingerprint}` is not the fingerprint of what waits; `countersign runs show {id}` shows it (at least \
                 8 digits are needed)"
            );
            BadInput(text).into()
        })
    }

    /// Whoever drives the run takes what is decided with its next call.
    fn agent_drives(&self) -> bool {
        self.run.manifest().driver == Driver::Agent
    }
}

fn load(one: &One) -> anyhow::Result<Loaded> {
    let runs = Runs::new(&one.stored.store);
    let Some(folder) = runs.find(&one.run)? else {
        let store = one.stored.store.display();
        return Err(BadInput(format!("`{store}` has no run, or several, whose id begins with `{}`", one.run)).into());
    };
    read(folder)
}

fn read(folder: RunFolder) -> anyhow::Result<Loaded> {
    let path = folder.readable_trace();
    let file =
        std::fs::File::open(&path).map_err(|error| BadInput(format!("cannot read `{}`: {error}", path.display())))?;
    let (mut report, mut decided, mut would_have) = (None, Vec::new(), Vec::new());
    let (run, _) = TraceReader::new(path.display().to_string(), BufReader::new(file)).fold(|_, frame| {
        for event in &frame.events {
            match event {
                Event::Suspended { report: told, .. } => report = Some(told.clone()),
                Event::Ended { .. } => report = None,
                Event::WouldHave { verdict, by, reason } => {
                    would_have.push((frame.frame, format!("{verdict} by {by}: {reason}")));
                }
                _ => {}
            }
        }
        if let Input::Decided { by, decision, .. } = &frame.input {
            decided.push((by.to_string(), crate::screen::decided(decision)));
        }
    })?;
    if !matches!(run.status(), Status::Suspended(_)) {
        report = None;
    }
    let parked = run.parked().cloned().collect();
    Ok(Loaded { folder, run, report, decided, parked, would_have })
}

#[derive(serde::Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row<'a> {
    run: &'a str,
    status: Status,
    being_written: bool,
    goal: String,
    class: Option<&'a str>,
    agent: String,
    tenant: Option<String>,
    autonomy: u8,
    steps: u64,
    cost: u64,
    waiting: Vec<Entry>,
    report: &'a Option<Report>,
    decided: &'a [(String, String)],
    parked: &'a [Approval],
    held: Option<&'a str>,
    would_have: &'a [(u64, String)],
}

impl<'a> Row<'a> {
    fn of(loaded: &'a Loaded) -> anyhow::Result<Self> {
        let manifest = loaded.run.manifest();
        Ok(Row {
            run: &loaded.folder.id,
            status: loaded.run.status(),
            being_written: loaded.folder.is_open(),
            goal: manifest.goal.text.to_string(),
            class: loaded.run.class(),
            agent: manifest.agent.to_string(),
            tenant: manifest.tenant.as_deref().map(str::to_owned),
            autonomy: manifest.boundary.autonomy,
            steps: loaded.run.view().budget(Dimension::Steps).used,
            cost: loaded.run.view().budget(Dimension::Cost).used,
            waiting: loaded.folder.inbox().waiting()?,
            report: &loaded.report,
            decided: &loaded.decided,
            parked: &loaded.parked,
            held: loaded.run.held().map(|hold| hold.reason.as_str()),
            would_have: &loaded.would_have,
        })
    }
}

fn list(stored: &Stored) -> anyhow::Result<u8> {
    let (mut loaded, mut unreadable) = (Vec::new(), Vec::new());
    for folder in Runs::new(&stored.store).list()? {
        let id = folder.id.clone();
        // One broken run does not hide the others.
        match read(folder) {
            Ok(run) => loaded.push(run),
            Err(error) => unreadable.push((id, format!("{error:#}"))),
        }
    }
    let rows = loaded.iter().map(Row::of).collect::<anyhow::Result<Vec<_>>>()?;
    for (id, why) in &unreadable {
        anstream::eprintln!("{BAD}unreadable:{BAD:#} {id}: {}", line(why, 200));
    }
    let code = if unreadable.is_empty() { exit::OK } else { exit::DIFFERS };
    if stored.json {
        super::print_json(&rows)?;
        return Ok(code);
    }
    if rows.is_empty() && unreadable.is_empty() {
        crate::say!("`{}` has no runs; `countersign run SCENARIO --store DIR` keeps one", stored.store.display());
        return Ok(exit::OK);
    }
    let mut cells = vec![["run", "status", "waits for", "steps", "goal"].map(str::to_owned).to_vec()];
    for row in &rows {
        let waits = match (&row.report, row.waiting.first()) {
            (_, Some(entry)) => format!("resume ({} by {})", offered(&entry.wants), entry.by),
            (Some(report), None) => report.authority.endpoint.to_string(),
            (None, None) if row.held.is_some() => "its agent's report".to_owned(),
            (None, None) if row.parked.len() == 1 => "1 approval".to_owned(),
            (None, None) if !row.parked.is_empty() => format!("{} approvals", row.parked.len()),
            (None, None) => String::new(),
        };
        cells.push(vec![row.run.to_owned(), row.status.to_string(), waits, number(row.steps), line(&row.goal, 60)]);
    }
    for (index, text) in table(&cells, &[3]).into_iter().enumerate() {
        match index {
            0 => crate::say!("{}", styled(QUIET, text)),
            _ => crate::say!("{text}"),
        }
    }
    Ok(code)
}

fn show(one: &One) -> anyhow::Result<u8> {
    let loaded = load(one)?;
    let row = Row::of(&loaded)?;
    if one.stored.json {
        super::print_json(&row)?;
        return Ok(exit::OK);
    }
    crate::say!("{} {}", styled(STRONG, row.run), styled(QUIET, loaded.folder.trace().display()));
    let style = match row.status {
        Status::Ended(_) if exit::of_status(row.status) == exit::OK => GOOD,
        Status::Suspended(_) => MIND,
        Status::Running => QUIET,
        Status::Ended(_) => BAD,
    };
    crate::say!("{}\n", styled(style, row.status));
    let tell = |what: &str, text: &str| crate::say!("  {} {}", styled(QUIET, format!("{what:<18}")), line(text, 110));
    let boundary = &loaded.run.manifest().boundary;
    tell("goal", &row.goal);
    tell("class", row.class.unwrap_or("-"));
    tell("boundary", &format!("{}, autonomy {}, {}", boundary.name, boundary.autonomy, boundary.digest));
    for (by, what) in row.decided {
        tell("decided", &format!("{by} {what}"));
    }
    if let Some(report) = row.report {
        tell("why", &report.reason);
        tell("authority", &format!("{} ({:?})", report.authority.endpoint, report.authority.severity).to_lowercase());
        tell("then", &report.authority.recovery);
        tell("last valid state", &report.last_valid_state);
        for id in &report.unmet {
            tell("not verified", id);
        }
        let id = row.run;
        let commands = match &report.approval {
            Some(approval) => {
                show_approval(&loaded, approval);
                vec![format!("approve {id} {}", &approval.fingerprint[..8]), format!("reject {id}")]
            }
            None => match report.wanted {
                Wanted::Release => vec![format!("release {id} DIMENSION=AMOUNT"), format!("accept {id}")],
                Wanted::Resumption => vec![format!("go-on {id}"), format!("cancel {id}")],
                _ => vec![format!("answer {id} TEXT"), format!("accept {id}"), format!("cancel {id}")],
            },
        };
        let store = one.stored.store.display();
        crate::say!();
        for reject in loaded.folder.inbox().rejects()? {
            crate::say!("  {} {}", styled(BAD, format!("{:<18}", "no entry")), line(&reject.to_string(), 110));
        }
        for entry in &row.waiting {
            let what = format!("{} by {}, not yet taken", offered(&entry.wants), entry.by);
            crate::say!("  {} {what}", styled(MIND, format!("{:<18}", "in the inbox")));
        }
        let commands = if row.waiting.is_empty() { commands } else { vec![format!("resume {id}")] };
        for command in commands {
            crate::say!("  {} countersign runs {command} --store {store}", styled(QUIET, format!("{:<18}", "next")));
        }
    }
    if let Some(held) = row.held {
        crate::say!();
        tell("held", held);
        let command = format!("countersign runs go-on {} --store {}", row.run, one.stored.store.display());
        crate::say!("  {} the agent's report, or {command}", styled(QUIET, format!("{:<18}", "next")));
    }
    for approval in row.parked {
        crate::say!();
        tell("why", &approval.reason);
        show_approval(&loaded, approval);
        let (id, fingerprint, store) = (row.run, &approval.fingerprint[..8], one.stored.store.display());
        let next = |text: String| crate::say!("  {} {text}", styled(QUIET, format!("{:<18}", "next")));
        next(format!("countersign runs approve {id} {fingerprint} --store {store}"));
        next(format!("countersign runs reject {id} --fingerprint {fingerprint} --store {store}"));
    }
    if !row.would_have.is_empty() {
        crate::say!();
        const SHOWN: usize = 20;
        for (frame, what) in row.would_have.iter().take(SHOWN) {
            tell("would have stopped", &format!("frame {frame}: {what}"));
        }
        if row.would_have.len() > SHOWN {
            tell("", &format!("and {} times more", row.would_have.len() - SHOWN));
        }
    }
    if row.status == Status::Running && !loaded.agent_drives() {
        let command = format!("countersign runs resume {} --store {}", row.run, one.stored.store.display());
        crate::say!("  {} where nobody drives it any more: {command}", styled(QUIET, format!("{:<18}", "next")));
    }
    crate::say!();
    super::run::budget(&loaded.run);
    Ok(exit::OK)
}

fn show_approval(loaded: &Loaded, approval: &Approval) {
    let tell = |what: &str, text: &str| crate::say!("  {} {}", styled(QUIET, format!("{what:<18}")), line(text, 110));
    tell("action", &format!("{} {}", approval.tool, approval.arguments));
    tell("wanted by", &approval.asked_by.join(", "));
    if let Some(money) = approval.touches.money {
        tell("moves", &dollars(money));
    }
    if let Some(records) = approval.touches.records {
        tell("touches", &format!("{} records", number(records)));
    }
    if let Some(people) = approval.touches.recipients {
        tell("reaches", &format!("{} people", number(people)));
    }
    if let Some(tool) = loaded.run.manifest().tool(&approval.tool) {
        tell("nature", &format!("{:?}", tool.reversibility).to_lowercase());
    }
    if let Some(confidence) = approval.confidence {
        tell("confidence", &format!("{confidence:.2}"));
    }
    tell("definition", &approval.definition);
    tell("fingerprint", &approval.fingerprint);
    let now = utc_now().saturating_sub(loaded.run.manifest().started);
    tell("runs out", &format!("in {} minutes", number(approval.expires.saturating_sub(now) / 60_000)));
}

/// What an entry of the inbox wants, in a word or two.
fn offered(offer: &Offer) -> String {
    match offer {
        Offer::Cancel => "cancel".to_owned(),
        Offer::Decide(decision) => crate::screen::decided(decision),
    }
}

fn approve_action(arguments: &Approve) -> anyhow::Result<u8> {
    let loaded = load(&One { run: arguments.run.clone(), stored: copy(&arguments.stored) })?;
    let approval = loaded.approval(Some(&arguments.fingerprint))?;
    let decision = Decision::Approved { fingerprint: Arc::clone(&approval.fingerprint) };
    decide(&loaded, "approve", arguments.by.as_deref(), decision, &arguments.stored)
}

fn decide(loaded: &Loaded, what: &str, by: Option<&str>, decision: Decision, stored: &Stored) -> anyhow::Result<u8> {
    let waits =
        matches!(loaded.run.status(), Status::Suspended(_)) || !loaded.parked.is_empty() || loaded.run.held().is_some();
    ensure!(waits, BadInput(format!("run `{}` waits for nobody: it is {}", loaded.folder.id, loaded.run.status())));
    // Said now, where somebody can mend it, and not when the run is taken up.
    let input = Input::Decided { id: "now".into(), by: "somebody".into(), decision: decision.clone() };
    if let Err(error) = loaded.run.expects(&input) {
        return Err(BadInput(format!("run `{}` cannot take that: {error}", loaded.folder.id)).into());
    }
    offer(loaded, what, by, Offer::Decide(decision), stored)
}

fn cancel(deciding: &Deciding) -> anyhow::Result<u8> {
    let loaded = load(&deciding.one)?;
    let over = matches!(loaded.run.status(), Status::Ended(_));
    ensure!(!over, BadInput(format!("run `{}` is over: it {}", loaded.folder.id, loaded.run.status())));
    offer(&loaded, "cancel", deciding.by.as_deref(), Offer::Cancel, &deciding.one.stored)
}

fn offer(loaded: &Loaded, what: &str, by: Option<&str>, wants: Offer, stored: &Stored) -> anyhow::Result<u8> {
    let user = std::env::var("USER").or_else(|_| std::env::var("USERNAME"));
    let entry = Entry {
        version: 1,
        // One decision of a kind for each time that the run waits, or for each call that does.
        id: match &wants {
            Offer::Decide(
                Decision::Approved { fingerprint } | Decision::Rejected { fingerprint: Some(fingerprint), .. },
            ) if loaded.agent_drives() => format!("{what}-{fingerprint}"),
            _ => format!("{what}-{}", loaded.run.frames()),
        },
        by: by.map(str::to_owned).or(user.ok()).unwrap_or_else(|| "operator".to_owned()),
        at: utc_now(),
        wants,
    };
    let new = loaded.folder.inbox().offer(&entry)?;
    if stored.json {
        super::print_json(&entry)?;
        return Ok(exit::OK);
    }
    let id = &loaded.folder.id;
    let held = loaded.folder.inbox().waiting()?;
    for other in held.iter().filter(|other| other.id != entry.id) {
        crate::say!("{} {} by {} waits there too", styled(MIND, "mind:"), offered(&other.wants), other.by);
    }
    if new {
        crate::say!("{} is in the inbox of run {id}, by {}", styled(GOOD, &entry.id), entry.by);
    } else {
        crate::say!("{} was in the inbox of run {id} before: it counts once", styled(MIND, &entry.id));
    }
    if loaded.agent_drives() {
        crate::say!("{} the agent's next call takes it along", styled(QUIET, "go on:"));
    } else {
        crate::say!("{} countersign runs resume {id} --store {}", styled(QUIET, "go on:"), stored.store.display());
    }
    Ok(exit::OK)
}

fn take_up(arguments: &Resume) -> anyhow::Result<u8> {
    let stored = &arguments.one.stored;
    let runs = Runs::new(&stored.store);
    let loaded = load(&arguments.one)?;
    if let Status::Ended(_) = loaded.run.status() {
        return Err(BadInput(format!("run `{}` is over: it {}", loaded.folder.id, loaded.run.status())).into());
    }
    if loaded.agent_drives() {
        let text = format!("run `{}` is an agent's: its next call takes along what was decided", loaded.folder.id);
        return Err(BadInput(text).into());
    }
    let cancel = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&cancel);
    let _ = ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed));
    let pinned = Digest::parse(&loaded.run.manifest().lock);
    let host = |own: Option<PathBuf>| -> Result<Host, RunError> {
        if let Some(bundles) = &arguments.bundles {
            return Ok(super::installed_host(bundles, pinned.as_ref())?);
        }
        let folder: Option<&Path> = arguments.bundle.as_deref().or(own.as_deref());
        Host::new(super::engine_options(), folder).map_err(|error: HostError| error.into())
    };
    let mut screen = Screen::default();
    let mut silent = countersign::Silent;
    let observer: &mut dyn countersign::Observer = if stored.json { &mut silent } else { &mut screen };
    let resumed = resume(&runs, &loaded.folder, host, Some(cancel), observer)?;
    if stored.json {
        super::print_json(&serde_json::json!({
            "run": loaded.folder.id,
            "status": resumed.status,
            "taken": resumed.taken,
            "refused": resumed.refused,
        }))?;
        return Ok(exit::of_status(resumed.status));
    }
    for (id, why) in &resumed.refused {
        crate::say!("{} {id}: {why}", styled(BAD, "not taken:"));
    }
    if resumed.taken.is_empty() {
        crate::say!("{}", styled(QUIET, "nothing was decided that the run could take"));
    }
    let style = if exit::of_status(resumed.status) == exit::OK { GOOD } else { MIND };
    crate::say!("\n{}", styled(style, resumed.status));
    super::run::budget(&resumed.run);
    Ok(exit::of_status(resumed.status))
}

fn convergence(stored: &Stored) -> anyhow::Result<u8> {
    let mut figures = Vec::new();
    for folder in Runs::new(&stored.store).list()? {
        let loaded = read(folder)?;
        let started = loaded.run.manifest().started;
        figures.push(RunFigures::of(&loaded.run, started));
    }
    let classes = report(&figures);
    if stored.json {
        super::print_json(&classes)?;
        return Ok(exit::OK);
    }
    let headings = ["class", "runs", "escalated", "", "steps a run", "", ""];
    let mut cells = vec![headings.map(str::to_owned).to_vec()];
    let percent = |value: Option<u64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value} %"));
    let tenths =
        |value: Option<u64>| value.map_or_else(|| "–".to_owned(), |value| format!("{}.{}", value / 10, value % 10));
    for class in &classes {
        cells.push(vec![
            line(&class.class, 40),
            number(class.runs),
            percent(class.earlier.escalation_rate()),
            format!("→ {}", percent(class.later.escalation_rate())),
            tenths(class.earlier.steps_per_run()),
            format!("→ {}", tenths(class.later.steps_per_run())),
            if class.converges() { "converges".to_owned() } else { String::new() },
        ]);
    }
    for (index, text) in table(&cells, &[1, 2, 4]).into_iter().enumerate() {
        match index {
            0 => crate::say!("{}", styled(QUIET, text)),
            _ => crate::say!("{text}"),
        }
    }
    crate::say!("\n{}", styled(QUIET, "the earlier half of each class's runs against the later"));
    Ok(exit::OK)
}

fn utc_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
