mod convergence;
mod decide;
mod list;
mod loaded;
mod resume;
mod row;
mod show;

use std::path::PathBuf;

use countersign::kernel::Code;
use countersign::kernel::contract::Dimension;

use super::Stored;

/// Look at stored runs, and decide what they wait for
#[derive(clap::Subcommand)]
pub enum Command {
    /// List the runs of a store, the newest first
    #[command(after_help = "Example:\n  countersign runs list --store runs.db\n  \
                            countersign runs list --state waiting --agent coder --since 7d --store runs.db")]
    List(List),
    /// Show one run: where it stands, what it waits for, and who may decide
    #[command(after_help = "Example:\n  countersign runs show 3f2a --store runs.db")]
    Show(One),
    /// Approve the action that a run waits for, by its fingerprint: once, or as a rule for others like it
    ///
    /// A rule answers whoever asks a person about a call that it covers, of that very tool as it is defined now. It never
    /// answers a denial, nor a ceiling. `countersign approvals rules` lists rules, `approvals withdraw` ends one.
    #[command(after_help = "Example:\n  countersign runs approve 3f2a 9c41d0e2 --store runs.db\n  \
                            countersign runs approve 3f2a 9c41d0e2 --same --store runs.db\n  \
                            countersign runs approve 3f2a 9c41d0e2 --below /srv/notes --for 1h --store runs.db")]
    Approve(Approve),
    /// Reject it; with --instead the run looks for another way, without it the run ends
    #[command(after_help = "Example:\n  countersign runs reject 3f2a --instead 'write a draft only' --store runs.db")]
    Reject(Reject),
    /// Answer a run's question
    #[command(after_help = "Example:\n  countersign runs answer 3f2a 'the one of last May' --store runs.db")]
    Answer(Answer),
    /// Take what a run has done as it is
    #[command(after_help = "Example:\n  countersign runs accept 3f2a --store runs.db")]
    Accept(Deciding),
    /// Release more budget to a run, up to its operator's ceiling
    #[command(after_help = "Example:\n  countersign runs release 3f2a cost=500000 steps=10 --store runs.db")]
    Release(Release),
    /// Let a run go on that an operator, an agent, a policy or a credential stopped; lifts what has ended an agent's
    #[command(after_help = "Example:\n  countersign runs go-on 3f2a --store runs.db")]
    GoOn(Deciding),
    /// End a run
    #[command(after_help = "Example:\n  countersign runs cancel 3f2a --store runs.db")]
    Cancel(Deciding),
    /// Take a suspended run up again, as far as its inbox leads
    #[command(after_help = "Example:\n  countersign runs resume 3f2a --store runs.db")]
    Resume(Resume),
    /// Escalations and steps per class of task: do runs get better?
    #[command(after_help = "Example:\n  countersign runs convergence --store runs.db")]
    Convergence(Stored),
}

#[derive(clap::Args)]
pub struct List {
    /// Only runs that stand so
    #[arg(long, value_name = "STATE", value_enum)]
    state: Option<State>,
    /// Only runs that are suspended or ended with this code, such as CONFIRM_REQUIRED
    #[arg(long, value_name = "CODE", value_parser = code)]
    code: Option<Code>,
    /// Only runs of this agent
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Only runs of this tenant
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Only runs that began so lately: 90s, 30m, 1h, 7d
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<u64>,
    #[command(flatten)]
    stored: Stored,
}

impl List {
    /// It shows some runs only.
    fn is_narrow(&self) -> bool {
        let List { state, code, agent, tenant, since, .. } = self;
        state.is_some() || code.is_some() || agent.is_some() || tenant.is_some() || since.is_some()
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum State {
    /// It waits for somebody: suspended, or with a call that waits for approval.
    Waiting,
    /// It goes on.
    Running,
    /// It goes on when a person has looked.
    Suspended,
    /// It is over.
    Ended,
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
    /// Who decides: recorded as given, checked by nobody [default: the name in --key, $USER, else operator]
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    by: Option<String>,
    /// File with an approver's key, made by `countersign approvals key`: the decision is signed, and the name checked
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_APPROVER_KEY")]
    key: Option<PathBuf>,
}

#[derive(clap::Args)]
pub struct Approve {
    #[command(flatten)]
    deciding: Deciding,
    /// Fingerprint of what is approved, or at least its first 8 digits
    #[arg(value_name = "FINGERPRINT", required_unless_present = "named")]
    fingerprint: Option<String>,
    /// The same, as `reject` takes it
    #[arg(long = "fingerprint", value_name = "FINGERPRINT", conflicts_with = "fingerprint")]
    named: Option<String>,
    /// The very same call too, as often as it comes: in this run, or with --for in whichever
    #[arg(long, conflicts_with = "below")]
    same: bool,
    /// Calls like it too whose paths lie below this folder, as they are written
    #[arg(long, value_name = "FOLDER")]
    below: Option<String>,
    /// Not in this run alone, but for so long in every run of its agent: 90s, 30m, 1h, 2d. Without --below the very same
    /// call
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    lasts: Option<u64>,
}

#[derive(clap::Args)]
pub struct Reject {
    #[command(flatten)]
    deciding: Deciding,
    /// Which of several calls that wait, by at least 8 digits of its fingerprint
    #[arg(value_name = "FINGERPRINT")]
    fingerprint: Option<String>,
    /// The same
    #[arg(long = "fingerprint", value_name = "FINGERPRINT", conflicts_with = "fingerprint")]
    named: Option<String>,
    /// What the run shall do instead
    #[arg(long, value_name = "TEXT")]
    instead: Option<String>,
}

#[derive(clap::Args)]
pub struct Answer {
    #[command(flatten)]
    deciding: Deciding,
    /// The answer
    text: String,
}

#[derive(clap::Args)]
pub struct Release {
    #[command(flatten)]
    deciding: Deciding,
    /// How much more, by dimension: cost and money-moved in micro-dollars, running-time in milliseconds
    #[arg(required = true, value_name = "DIMENSION=AMOUNT", value_parser = extra)]
    extra: Vec<(Dimension, u64)>,
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

fn code(text: &str) -> Result<Code, String> {
    let wanted = text.to_ascii_uppercase().replace('-', "_");
    serde_json::from_value(wanted.into())
        .map_err(|_| format!("`{text}` is no code; `countersign runs list` shows some"))
}

/// A time such as `90s`, `30m`, `1h`, `2d`, in milliseconds: at least a second, at most a year.
fn time(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no time; expected one from 1s to 365d, such as `30m` or `1h`");
    let split = text.len().saturating_sub(1);
    let (number, unit) = text.split_at_checked(split).ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let seconds =
        number.checked_mul(seconds).filter(|seconds| (1..=365 * 86_400).contains(seconds)).ok_or_else(wrong)?;
    Ok(seconds * 1_000)
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
        Command::List(stored) => list::list(stored),
        Command::Show(one) => show::show(one),
        Command::Approve(approve) => decide::approve(approve),
        Command::Reject(reject) => decide::reject(reject),
        Command::Answer(answer) => decide::answer(answer),
        Command::Accept(deciding) => decide::accept(deciding),
        Command::Release(release) => decide::release(release),
        Command::GoOn(deciding) => decide::go_on(deciding),
        Command::Cancel(deciding) => decide::cancel(deciding),
        Command::Resume(arguments) => resume::take_up(arguments),
        Command::Convergence(stored) => convergence::convergence(stored),
    }
}
