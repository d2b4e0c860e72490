use std::path::{Path, PathBuf};

use countersign::kernel::contract::{Dimension, Verdict};
use countersign::kernel::{Answered, Closed, Event, Frame, Input};
use countersign::spec::Manifest;
use countersign::store::{Ending, Holder, Stored};
use countersign::{Incoming, utc_text};
use countersign_audit::replay::{Decided, Difference, Replayed, Role, Served, replay};
use countersign_scenario::describe_event;

use super::source::Source;
use crate::exit;
use crate::phases::Phases;
use crate::refold::Refold;
use crate::style::{BAD, GOOD, MIND, QUIET, STRONG, line, number, styled, table};
use crate::verdict_text;

/// Read, verify and replay traces
#[derive(clap::Subcommand)]
pub enum Command {
    /// Show a trace frame by frame
    #[command(after_help = "Example:\n  countersign trace show run.jsonl --frame 12")]
    Show(Show),
    /// Check that a trace is what was written, and that each frame follows from the ones before it
    ///
    /// Whoever rewrites a whole trace can give it a new chain: compare the head with one that was
    /// kept elsewhere to know that it is the same trace.
    #[command(after_help = "Example:\n  countersign trace verify run.jsonl")]
    Verify(Verify),
    /// Execute every judgement of a trace again
    ///
    /// Answers, reads and fuel must come out the same. With another bundle: the first answer that is
    /// another, which entries serve the slots otherwise than they did, and the first slot whose verdict
    /// would have been another. Entries are matched by name.
    #[command(after_help = "Example:\n  countersign trace replay run.jsonl --bundle my-bundle")]
    Replay(Replay),
    /// Write a run of a store to a file, its chain whole
    ///
    /// What policies logged and said in shadow is written beside it.
    #[command(after_help = "Example:\n  countersign trace export 3f2a run.jsonl --store runs.db")]
    Export(Export),
    /// Take a trace from a file into a store, its chain whole
    ///
    /// Every frame is checked before the first is written. What lies beside the file comes with it.
    #[command(after_help = "Example:\n  countersign trace import run.jsonl --store runs.db")]
    Import(Import),
    Adaptation(super::adaptation::Arguments),
}

#[derive(clap::Args)]
pub struct Show {
    /// A trace, or the id of a run of the store or its beginning
    #[arg(value_name = "TRACE|RUN")]
    file: PathBuf,
    /// Only this frame, whole
    #[arg(long)]
    frame: Option<u64>,
    /// Prints frames as they are stored, where that is asked for as JSON
    #[command(flatten)]
    stored: super::Stored,
}

#[derive(clap::Args)]
pub struct Verify {
    /// Traces, or ids of runs of the store or their beginnings
    #[arg(required = true, value_name = "TRACE|RUN")]
    files: Vec<PathBuf>,
    /// Take what is not over, or breaks off in the middle of a line: frames may be missing at its end
    #[arg(long)]
    open: bool,
    #[command(flatten)]
    stored: super::Stored,
}

#[derive(clap::Args)]
pub struct Replay {
    /// Traces, or ids of runs of the store or their beginnings
    #[arg(required = true, value_name = "TRACE|RUN")]
    files: Vec<PathBuf>,
    /// Folder of the bundle [default: the one that this program carries in itself]
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    #[command(flatten)]
    stored: super::Stored,
}

#[derive(clap::Args)]
pub struct Export {
    /// Id of the run, or the beginning of it
    run: PathBuf,
    /// The file to write; it must not be there yet
    file: PathBuf,
    #[command(flatten)]
    stored: super::Stored,
}

#[derive(clap::Args)]
pub struct Import {
    /// The trace
    file: PathBuf,
    #[command(flatten)]
    stored: super::Stored,
}

pub fn run(command: &Command) -> anyhow::Result<u8> {
    match command {
        Command::Show(arguments) => show(arguments),
        Command::Verify(arguments) => verify(arguments),
        Command::Replay(arguments) => replay_all(arguments),
        Command::Export(arguments) => export(arguments),
        Command::Import(arguments) => import(arguments),
        Command::Adaptation(arguments) => super::adaptation::run(arguments),
    }
}

fn show(arguments: &Show) -> anyhow::Result<u8> {
    let source = Source::find(&arguments.file, &arguments.stored)?;
    let mut reader = source.reader()?;
    let diagnostics = source.diagnostics();
    let mut shown = false;
    let mut phases = None;
    let mut refold = Refold::default();
    while let Some(stored) = reader.read()? {
        let number = reader.frames() - 1;
        shown |= arguments.frame == Some(number);
        if let Stored::Manifest(manifest) = &stored {
            phases = Some(Phases::new(manifest));
        }
        let whole = arguments.frame.is_some() && !arguments.stored.json;
        let folded = if whole { refold.take(&stored) } else { None };
        if arguments.frame.is_some_and(|wanted| wanted != number) {
            continue;
        }
        if arguments.stored.json {
            use std::io::Write;
            let mut out = std::io::stdout().lock();
            out.write_all(reader.line())?;
            out.write_all(b"\n")?;
            continue;
        }
        match stored {
            Stored::Manifest(manifest) => {
                crate::say!("{} run {}", styled(STRONG, "   0"), manifest.run);
                tell("goal", &line(&manifest.goal.text, 100));
                allowed(&manifest);
                tell("lock", &manifest.lock);
                tell("contract", &manifest.contract);
                tell("engine", &manifest.engine);
                for entry in &manifest.entries {
                    tell("policy", &format!("{:<12} {:<20} {}", entry.name, entry.policy, entry.component));
                }
            }
            Stored::Frame(frame) => show_frame(&frame, phases.as_mut(), folded.as_ref()),
        }
        for diagnostic in diagnostics.iter().filter(|diagnostic| diagnostic.frame == number) {
            if let Some(failure) = &diagnostic.failure {
                crate::say!("     {} {}", styled(BAD, format!("{:<11}", "undecided")), line(failure, 120));
            }
            for (level, text) in &diagnostic.lines {
                tell(level, &format!("{}: {}", diagnostic.entry, line(text, 110)));
            }
        }
    }
    if let Some(wanted) = arguments.frame.filter(|_| !shown) {
        let last = reader.frames().saturating_sub(1);
        return Err(exit::BadInput(format!("no frame {wanted}: the trace has frames 0 to {last}")).into());
    }
    if arguments.frame.is_none() && !arguments.stored.json {
        if let Some(phases) = &phases {
            crate::say!("\n     {} {}", styled(QUIET, "phases     "), phases.summary());
            for (what, which) in phases.not_seen() {
                tell(what, &which);
            }
        }
        crate::say!("\n{}", ending(reader.frames(), reader.ending().unwrap_or(Ending::Open { half_written: false })));
    }
    Ok(exit::OK)
}

/// `folded` is there where the frame is shown whole.
fn show_frame(frame: &Frame, mut phases: Option<&mut Phases>, folded: Option<&Result<Closed, String>>) {
    let at = styled(QUIET, format!("{} ms", number(frame.at)));
    crate::say!("{} {}  {at}", styled(STRONG, format!("{:>4}", frame.frame)), input(&frame.input));
    if folded.is_some() {
        tell("input", &serde_json::to_string(&frame.input).unwrap_or_default());
    }
    if let Some(Err(problem)) = folded {
        crate::say!("     {} {problem}", styled(BAD, format!("{:<11}", "not shown")));
    }
    if let Input::Replied { request: Some(digest), .. } = &frame.input {
        tell("request", digest);
    }
    if let Input::Replied { reply, usage, .. } = &frame.input {
        for (what, text) in crate::screen::beside_the_reply(reply, usage) {
            tell(what, &text);
        }
    }
    for (index, judgement) in frame.judgements.iter().enumerate() {
        let (verdict, reason) = match &judgement.answer {
            Answered::Undecided(cause) => ("undecided".to_owned(), cause.to_string()),
            answer => {
                (answer.verdict().map_or_else(String::new, |verdict| verdict.to_string()), answer.reason().to_owned())
            }
        };
        let reads =
            if judgement.reads.is_empty() { String::new() } else { format!(", {} reads", judgement.reads.len()) };
        tell(
            &judgement.entry,
            &format!("{verdict:<9} {}  ({} fuel{reads})", line(&reason, 80), number(judgement.fuel)),
        );
        if let Some(terms) = verdict_text::terms(&judgement.answer) {
            tell("", &terms);
        }
        if let Some(folded) = folded {
            let question = folded.as_ref().ok().and_then(|closed| closed.questions.get(index));
            for (name, value) in [
                ("question", question.map(serde_json::to_string)),
                ("reads", Some(serde_json::to_string(&judgement.reads))),
                ("answer", Some(serde_json::to_string(&judgement.answer))),
            ] {
                if let Some(Ok(value)) = value {
                    tell("", &format!("{name}: {value}"));
                }
            }
        }
    }
    // That a slot lets the run go on is what its judgements just said.
    let news = |told: &&Event| folded.is_some() || !matches!(told, Event::Verdict { verdict: Verdict::Proceed, .. });
    for told in frame.events.iter().filter(news) {
        let room = if folded.is_some() { usize::MAX } else { 120 };
        crate::say!("     · {}", line(&event(told), room));
        if let Some(came_to) = phases.as_mut().and_then(|phases| phases.of(told)) {
            tell("phase", &came_to);
        }
    }
}

/// An event's line; of a verdict also who gave it.
fn event(event: &Event) -> String {
    let text = describe_event(event);
    let text = text.trim_end().trim_end_matches(':');
    match event {
        Event::Verdict { slot, by, .. } => format!("{}{}", line(text, 100), verdict_text::by(*slot, by)),
        _ => text.to_owned(),
    }
}

/// What the run was allowed to do.
fn allowed(manifest: &Manifest) {
    let boundary = &manifest.boundary;
    let names = |list: &[std::sync::Arc<str>]| list.iter().map(|name| &**name).collect::<Vec<_>>().join(", ");
    for criterion in &manifest.goal.criteria {
        tell("criterion", &format!("{}: {} (verified by {})", criterion.id, criterion.text, criterion.tool));
    }
    let tenant = manifest.tenant.as_deref().map(|tenant| format!(", tenant {tenant}"));
    tell("agent", &format!("{}{}, {:?}", manifest.agent, tenant.unwrap_or_default(), manifest.mode).to_lowercase());
    if manifest.started > 0 {
        tell("started", &utc_text(manifest.started));
    }
    let profile = boundary.profile.as_deref().map_or_else(String::new, |profile| format!(", profile {profile}"));
    tell("boundary", &format!("{}, autonomy {}{profile}, {}", boundary.name, boundary.autonomy, boundary.digest));
    tell("tools", &line(&names(&boundary.tools), 100));
    if !boundary.preauthorised.is_empty() {
        tell("approved", &format!("{} beforehand", line(&names(&boundary.preauthorised), 90)));
    }
    if !boundary.fail_closed.is_empty() {
        let conditions: Vec<&str> = boundary.fail_closed.iter().map(|condition| condition.name()).collect();
        tell("fail closed", &line(&conditions.join(", "), 100));
    }
    let caps: Vec<String> = Dimension::ALL
        .into_iter()
        .filter(|dimension| manifest.limits.of(*dimension) != u64::MAX)
        .map(|dimension| format!("{dimension} {}", number(manifest.limits.of(dimension))))
        .collect();
    for caps in caps.chunks(5) {
        tell("caps", &caps.join(", "));
    }
    tell("graph", &format!("{} {}", manifest.graph.name, manifest.graph_digest));
}

fn input(input: &Input) -> String {
    match input {
        Input::Started => "started".to_owned(),
        Input::Message { text } => format!("message: {}", line(text, 90)),
        Input::Replied { call, reply, .. } => {
            let value = serde_json::to_string(reply).unwrap_or_default();
            format!("model call {call} replied: {}", line(&value, 100))
        }
        Input::Observed { call, observation } => format!("tool call {call} answered: {}", line(&observation.text, 90)),
        Input::Verified { call, verification } => {
            format!("tool call {call} verified: {}", if verification.holds { "holds" } else { &verification.detail })
        }
        Input::Waited { wait } => format!("wait {wait} is over"),
        Input::Refused { bucket, dimension, .. } => format!("{bucket} refuses: {dimension}"),
        Input::Halted { switch, .. } => format!("halted: {switch}"),
        Input::Decided { by, decision, .. } => format!("{by}: {}", crate::screen::decided(decision)),
        Input::TakenUp { engine: None } => "taken up: nobody drove the run since the last frame".to_owned(),
        Input::TakenUp { engine: Some(engine) } => format!("taken up; from here on another engine judges: {engine}"),
        Input::Cancelled => "cancelled".to_owned(),
        Input::Closed { code } => format!("recording over: {code}"),
    }
}

fn tell(what: &str, text: &str) {
    crate::say!("     {} {text}", styled(QUIET, format!("{what:<11}")));
}

fn ending(frames: u64, ending: Ending) -> String {
    let frames = number(frames);
    match ending {
        Ending::Complete => format!("complete, {frames} frames"),
        Ending::Open { half_written: false } => format!("open, {frames} frames, end not provable"),
        Ending::Open { half_written: true } => {
            format!("open, {frames} frames and a half-written one, end not provable")
        }
    }
}

#[derive(serde::Serialize)]
#[serde(rename_all = "kebab-case")]
struct Verified {
    file: String,
    frames: u64,
    complete: bool,
    status: countersign::kernel::Status,
    head: String,
}

fn verify(arguments: &Verify) -> anyhow::Result<u8> {
    let mut all = Vec::new();
    let code = each(&arguments.files, |path| {
        let source = Source::find(path, &arguments.stored)?;
        let mut reader = source.reader()?;
        let (run, how) = reader.fold(|_, _| {})?;
        let frames = reader.frames();
        let head = reader.head().unwrap_or_default().to_owned();
        let proved = how == Ending::Complete;
        if arguments.stored.json {
            let (file, status) = (source.name(), run.status());
            all.push(Verified { file, frames, complete: proved, status, head });
        } else {
            let word = match (proved, arguments.open) {
                (true, _) => styled(GOOD, "verified"),
                (false, true) => styled(MIND, "verified"),
                (false, false) => styled(BAD, "not all "),
            };
            crate::say!("{word} {}  {}, {}", source.name(), ending(frames, how), run.status());
            crate::say!("{}", styled(QUIET, format!("         head {head}")));
            if !proved && !arguments.open {
                let why = "what is there is what was written, and nobody can tell whether it is all; --open takes that";
                crate::say!("{}", styled(QUIET, format!("         {why}")));
            }
        }
        Ok(if proved || arguments.open { exit::OK } else { exit::DIFFERS })
    });
    if arguments.stored.json {
        super::print_json(&all)?;
    }
    Ok(code)
}

/// Looks at one trace after the other: one that cannot be read takes no other with it. The code of the worst.
fn each(files: &[PathBuf], mut look: impl FnMut(&Path) -> anyhow::Result<u8>) -> u8 {
    files.iter().map(|path| exit::code(look(path))).max().unwrap_or(exit::OK)
}

#[derive(serde::Serialize)]
#[serde(rename_all = "kebab-case")]
struct ReplayResult {
    file: String,
    frames: u64,
    judgements: u64,
    skipped: u64,
    same_bundle: bool,
    complete: bool,
    lock: String,
    difference: Option<DifferenceResult>,
    served: Vec<Served>,
    decided: Option<Decided>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "kebab-case")]
struct DifferenceResult {
    frame: u64,
    entry: String,
    what: &'static str,
    recorded: Answered,
    now: Answered,
    recorded_fuel: u64,
    fuel: u64,
}

fn replay_all(arguments: &Replay) -> anyhow::Result<u8> {
    let host = super::host_to_prove(arguments.bundle.as_deref())?;
    let mut all = Vec::new();
    let code = each(&arguments.files, |path| {
        let source = Source::find(path, &arguments.stored)?;
        let file = source.name();
        let replayed = replay(&host, &file, &|| source.open())?;
        let code = if replayed.is_same() { exit::OK } else { exit::DIFFERS };
        if arguments.stored.json {
            all.push(result(file, &replayed));
        } else {
            print(&file, &replayed);
            if arguments.bundle.is_none() && !replayed.same_bundle && !replayed.is_same() {
                let lock = &replayed.lock;
                crate::say!("  {} judged by lock {lock}; name its bundle with --bundle", styled(MIND, "mind:"));
            }
        }
        Ok(code)
    });
    if arguments.stored.json {
        super::print_json(&all)?;
    }
    Ok(code)
}

fn export(arguments: &Export) -> anyhow::Result<u8> {
    let Source::Run(store, run) = Source::find(&arguments.run, &arguments.stored)? else {
        let run = arguments.run.display();
        return Err(exit::BadInput(format!("`{run}` is a file; expected a run of a store")).into());
    };
    countersign::export(&*store, &run, &arguments.file)?;
    if arguments.stored.json {
        super::print_json(&serde_json::json!({"run": run, "file": arguments.file}))?;
    } else {
        crate::say!("{} run {run} in `{}`", styled(GOOD, "written:"), arguments.file.display());
    }
    Ok(exit::OK)
}

fn import(arguments: &Import) -> anyhow::Result<u8> {
    // Before there is a store: a trace that is refused leaves none behind.
    let incoming = Incoming::read(&arguments.file)?;
    let store = super::open_store(&arguments.stored.store)?;
    let row = incoming.put_into(&*store, &Holder::this_process("trace import"))?;
    if arguments.stored.json {
        super::print_json(&serde_json::json!({"run": &*row.id, "frames": row.frames}))?;
    } else {
        let store = arguments.stored.store.display();
        crate::say!("{} run {} of {} frames into `{store}`", styled(GOOD, "taken:"), row.id, row.frames);
    }
    Ok(exit::OK)
}

fn result(file: String, replayed: &Replayed) -> ReplayResult {
    ReplayResult {
        file,
        frames: replayed.frames,
        judgements: replayed.judged,
        skipped: replayed.skipped,
        same_bundle: replayed.same_bundle,
        complete: replayed.ending == Ending::Complete,
        difference: replayed.difference.as_ref().map(|difference| DifferenceResult {
            frame: difference.frame,
            entry: difference.recorded.entry.to_string(),
            what: difference.what,
            recorded: difference.recorded.answer.clone(),
            now: difference.now.answer.clone(),
            recorded_fuel: difference.recorded.fuel,
            fuel: difference.now.fuel,
        }),
        lock: replayed.lock.to_string(),
        served: replayed.served.clone(),
        decided: replayed.decided.clone(),
    }
}

fn print(file: &str, replayed: &Replayed) {
    let judged = number(replayed.judged);
    if let Some(difference) = &replayed.difference {
        crate::say!(
            "{} {file}  frame {}, entry `{}`: the {} is another (after {judged} judgements)",
            styled(BAD, "differs"),
            difference.frame,
            difference.recorded.entry,
            difference.what
        );
        for text in side_by_side(difference) {
            crate::say!("  {text}");
        }
    } else if let Some(decided) = &replayed.decided {
        let Decided { frame, slot, recorded, now, by } = decided;
        let by = if by.is_empty() { String::new() } else { format!(" by {}", by.join(", ")) };
        crate::say!(
            "{} {file}  frame {frame}: the verdict of the slot {slot} would be `{now}`{by}, it was `{recorded}` (after \
             {judged} judgements)",
            styled(BAD, "differs")
        );
    } else if !replayed.served.is_empty() {
        crate::say!(
            "{} {file}  no verdict of a slot would be another, but slots are served otherwise; {judged} judgements again, {}",
            styled(BAD, "differs"),
            ending(replayed.frames, replayed.ending)
        );
    } else {
        let bundle = if replayed.same_bundle { "the bundle that judged it" } else { "another bundle" };
        let skipped = match replayed.skipped {
            0 => String::new(),
            skipped => format!(", {} not re-executable", number(skipped)),
        };
        crate::say!(
            "{} {file}  {judged} judgements by {bundle} came out the same{skipped}; {}",
            styled(GOOD, "replayed"),
            ending(replayed.frames, replayed.ending)
        );
    }
    served(&replayed.served);
}

/// Who serves which slot otherwise than then.
fn served(entries: &[Served]) {
    let role = |role: Option<Role>| match role {
        Some(Role { mode, failure_verdict }) => format!("{}, undecided {failure_verdict}", mode.name()),
        None => "not there".to_owned(),
    };
    let mut rows = vec![["slot", "entry", "then", "now"].map(str::to_owned).to_vec()];
    for one in entries {
        rows.push(vec![one.slot.to_string(), line(&one.entry, 40), role(one.then), role(one.now)]);
    }
    if !entries.is_empty() {
        for text in table(&rows, &[]) {
            crate::say!("  {text}");
        }
    }
}

/// Recorded and new, field by field.
fn side_by_side(difference: &Difference) -> Vec<String> {
    let (recorded, now) = (&difference.recorded, &difference.now);
    let verdict = |answer: &Answered| match answer {
        Answered::Undecided(cause) => format!("undecided: {}", cause.name()),
        answer => answer.verdict().map_or_else(String::new, |verdict| verdict.to_string()),
    };
    let mut rows = vec![vec![String::new(), "recorded".to_owned(), "now".to_owned()]];
    rows.push(vec!["policy".to_owned(), difference.recorded_policy.clone(), difference.policy.clone()]);
    rows.push(vec!["verdict".to_owned(), verdict(&recorded.answer), verdict(&now.answer)]);
    rows.push(vec!["reason".to_owned(), line(recorded.answer.reason(), 60), line(now.answer.reason(), 60)]);
    rows.push(vec!["reads".to_owned(), recorded.reads.len().to_string(), now.reads.len().to_string()]);
    rows.push(vec!["fuel".to_owned(), number(recorded.fuel), number(now.fuel)]);
    let mut lines = table(&rows, &[]);
    let whole = |answer: &Answered| serde_json::to_string(answer).unwrap_or_default();
    lines.push(format!("recorded {}", line(&whole(&recorded.answer), 160)));
    lines.push(format!("now      {}", line(&whole(&now.answer), 160)));
    lines
}
