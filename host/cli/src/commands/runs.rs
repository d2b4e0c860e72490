mod convergence;
mod decide;
mod list;
mod loaded;
mod resume;
mod row;
mod show;

use std::path::PathBuf;

use countersign::kernel::contract::Dimension;

use super::Stored;

/// Look at stored runs, and decide what they wait for
#[derive(clap::Subcommand)]
pub enum Command {
    /// List the runs of a store
    #[command(after_help = "Example:\n  countersign runs list --store runs.db")]
    List(Stored),
    /// Show one run: where it stands, what it waits for, and who may decide
    #[command(after_help = "Example:\n  countersign runs show 3f2a --store runs.db")]
    Show(One),
    /// Approve the action that a run waits for, once, by its fingerprint
    #[command(after_help = "Example:\n  countersign runs approve 3f2a 9c41d0e2 --store runs.db")]
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
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    by: Option<String>,
}

#[derive(clap::Args)]
pub struct Approve {
    #[command(flatten)]
    deciding: Deciding,
    /// Fingerprint of what is approved, or at least its first 8 digits
    fingerprint: String,
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
