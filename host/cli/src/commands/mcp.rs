use std::path::PathBuf;

use anyhow::Context;
use countersign::mcp::Accept as Accepting;
use countersign_gateway::{Options, ToolLine, review, serve};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::exit;
use crate::style::{GOOD, MIND, QUIET, line, styled, table};

/// Govern an unchanged MCP agent: every tool call is judged before it reaches its server
///
/// Speaks MCP over standard input and output, with the servers of the file behind. Put this command
/// where the agent's own configuration names a server.
#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Example:\n  countersign mcp --config countersign.toml\n  countersign mcp tools --config countersign.toml"
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Option<Serve>,
}

#[derive(clap::Args)]
pub struct Serve {
    /// The deployment's file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Which agent of the file this is [default: its only one, else `agent`]
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Record everything, block nothing, and say what would have been stopped
    #[arg(long)]
    monitor: bool,
    /// Folder of the bundle [default: the file's own, else the one this program carries]
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Folder of installed bundles: each new run takes its current one, also while this runs
    #[arg(long, value_name = "DIR", conflicts_with = "bundle")]
    bundles: Option<PathBuf>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the servers' tools, what is known of each, and which are left out
    #[command(after_help = "Example:\n  countersign mcp tools --config countersign.toml")]
    Tools(Listing),
    /// Accept tools as their servers describe them now: all that are new or changed, or those named
    #[command(after_help = "Example:\n  countersign mcp accept files__write_file --config countersign.toml")]
    Accept(Accept),
}

#[derive(clap::Args)]
struct Listing {
    /// The deployment's file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct Accept {
    /// Full names, such as files__write_file [default: all]
    tools: Vec<String>,
    #[command(flatten)]
    listing: Listing,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    // One thread: a call goes through without being handed from one to another.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the gateway's input and output")?;
    match (&arguments.command, &arguments.serve) {
        (Some(Command::Tools(listing)), _) => {
            let (lines, _, _) = runtime.block_on(review(&listing.config, &Accepting::Nothing))?;
            show(&lines, listing.json)
        }
        (Some(Command::Accept(accept)), _) => {
            let wanted = match accept.tools.is_empty() {
                true => Accepting::All,
                false => Accepting::Named(accept.tools.iter().cloned().collect()),
            };
            let (lines, accepted, pins) = runtime.block_on(review(&accept.listing.config, &wanted))?;
            if !accept.listing.json {
                crate::say!("{} tools accepted as they are, in `{}`\n", accepted.len(), pins.display());
            }
            show(&lines, accept.listing.json)
        }
        (None, Some(arguments)) => {
            log();
            let options = Options {
                file: arguments.config.clone(),
                agent: arguments.agent.clone(),
                bundle: arguments.bundle.clone(),
                bundles: arguments.bundles.clone(),
                monitor: arguments.monitor,
                engine: super::engine_options(),
            };
            let report = runtime.block_on(serve(&options))?;
            // Standard output is the protocol's.
            if let Some(run) = report.run {
                let (calls, held) = (report.calls, report.held);
                anstream::eprintln!("{QUIET}run {run}: {calls} calls, {held} not forwarded{QUIET:#}");
            }
            for line in report.would_have {
                anstream::eprintln!("{MIND}monitor:{MIND:#} {line}");
            }
            Ok(exit::OK)
        }
        (None, None) => Err(exit::BadInput("expected `--config FILE`".to_owned()).into()),
    }
}

/// What happens goes to standard error, which clients keep. The protocol's library says only what is wrong: it would
/// tell all that each side says of itself.
fn log() {
    let levels = Targets::new().with_default(tracing::Level::INFO).with_target("rmcp", tracing::Level::WARN);
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .with_filter(levels);
    let _ = tracing_subscriber::registry().with(lines).try_init();
}

fn show(lines: &[ToolLine], json: bool) -> anyhow::Result<u8> {
    if json {
        super::print_json(&lines)?;
        return Ok(exit::OK);
    }
    let mut cells = vec![["tool", "", "what is known of it"].map(str::to_owned).to_vec()];
    for tool in lines {
        let word = if tool.eligible { "ready" } else { "left out" };
        cells.push(vec![tool.name.clone(), word.to_owned(), line(&tool.what, if tool.eligible { 100 } else { 300 })]);
    }
    for (index, text) in table(&cells, &[]).into_iter().enumerate() {
        match lines.get(index.wrapping_sub(1)).map(|tool| tool.eligible) {
            None => crate::say!("{}", styled(QUIET, text)),
            Some(true) => crate::say!("{text}"),
            Some(false) => crate::say!("{}", styled(MIND, text)),
        }
    }
    let ready = lines.iter().filter(|tool| tool.eligible).count();
    crate::say!("\n{} of {} ready", styled(GOOD, ready), lines.len());
    Ok(exit::OK)
}
