use std::path::PathBuf;

use anyhow::Context;
use countersign::mcp::Accept as Accepting;
use countersign_gateway::{Asks, Change, Explained, Options, ToolLine, explain, review, serve};

use crate::exit;
use crate::log;
use crate::style::{BAD, Busy, GOOD, MIND, QUIET, STRONG, cell, styled, told};

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
    /// How the lines on standard error look: one for each ruling, and what becomes of servers
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    log_format: log::Format,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the servers' tools, what is known of each, and which are left out
    #[command(after_help = "Example:\n  countersign mcp tools --config countersign.toml")]
    Tools(Listing),
    /// Say what would become of a call, who would ask or deny, and which key changes it
    ///
    /// Judges it as the first call of a run, by the policies of the file's bundle. No server is asked to do anything,
    /// nothing is recorded, and no budget is used.
    #[command(
        after_help = "Example:\n  countersign mcp explain files__write_file '{\"path\": \"/srv/notes/a.md\"}' --config countersign.toml"
    )]
    Explain(Explain),
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
struct Explain {
    /// Full name, such as files__write_file, or the server's own behind the server's: files__write.file
    tool: String,
    /// Arguments of the call as a JSON object [default: what depends on them is left out]
    arguments: Option<String>,
    /// Which agent of the file makes it [default: its only one, else `agent`]
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Folder of the bundle [default: the file's own, else the one this program carries]
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    #[command(flatten)]
    listing: Listing,
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
        (Some(Command::Explain(asked)), _) => {
            let arguments = asked.arguments.as_deref().map(object).transpose()?;
            let options = Options {
                agent: asked.agent.clone(),
                bundle: asked.bundle.clone(),
                ..Options::of(&asked.listing.config, super::engine_options())
            };
            let busy = Busy::with("starting the servers, loading the policies");
            let explained = runtime.block_on(explain(&options, &asked.tool, arguments))?;
            drop(busy);
            if asked.listing.json {
                super::print_json(&explained)?;
            } else {
                say(&explained);
            }
            Ok(exit::OK)
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
            log::start(arguments.log_format);
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

fn show(lines: &[ToolLine], json: bool) -> anyhow::Result<u8> {
    if json {
        super::print_json(&lines)?;
        return Ok(exit::OK);
    }
    for tool in lines {
        let (style, word) = if tool.eligible { (GOOD, "ready") } else { (MIND, "left out") };
        let what = if tool.eligible { String::new() } else { format!("  {}", cell(&tool.what, 300)) };
        crate::say!("{}  {}{}", styled(STRONG, cell(&tool.name, 100)), styled(style, word), styled(MIND, what));
        if let Some(own) = &tool.own_name {
            told("name", WIDE, &format!("its server calls it `{own}`"));
        }
        values(&tool.values);
        if let Some(Asks { person, why, key }) = &tool.asks {
            let by = key.as_ref().map_or_else(String::new, |key| format!(", key `{key}`"));
            told("asks a person", WIDE, &format!("{}: {why}{by}", if *person { "yes" } else { "not by its kind" }));
        }
    }
    let ready = lines.iter().filter(|tool| tool.eligible).count();
    crate::say!("\n{} of {} ready", styled(GOOD, ready), lines.len());
    Ok(exit::OK)
}

/// Columns of the labels.
const WIDE: usize = 17;

/// What is known of a tool, a line a value, with where it comes from.
fn values(known: &[countersign::mcp::Known]) {
    // What decides nothing as it is, is told by --json alone.
    let told_always = ["side-effect", "reversibility", "blast-radius", "approval"];
    let is_told = |known: &&countersign::mcp::Known| {
        told_always.contains(&known.key) || known.origin != countersign::mcp::Origin::Default
    };
    let rows: Vec<&countersign::mcp::Known> = known.iter().filter(is_told).collect();
    let wide = rows.iter().map(|known| known.value.chars().count()).max().unwrap_or(0);
    for known in rows {
        let value = match (known.key, known.value.as_str()) {
            ("approval", "unknown") => "by category",
            (_, value) => value,
        };
        told(known.key, WIDE, &format!("{value:<wide$}  {}", known.origin));
    }
}

/// The arguments of a call as they are given on the command line.
fn object(text: &str) -> anyhow::Result<serde_json::Value> {
    let wrong = |problem: String| exit::BadInput(format!("the arguments `{text}`: expected a JSON object; {problem}"));
    match serde_json::from_str(text) {
        Ok(value @ serde_json::Value::Object(_)) => Ok(value),
        Ok(other) => Err(wrong(format!("found `{other}`")).into()),
        Err(error) => Err(wrong(error.to_string()).into()),
    }
}

fn say(explained: &Explained) {
    let Explained { tool, arguments, arguments_given, agent, objections, outcome, together, .. } = explained;
    crate::say!("{}  {}", styled(STRONG, cell(tool, 100)), styled(QUIET, format!("a first call of agent `{agent}`")));
    match arguments_given {
        true => told("arguments", WIDE, &arguments.to_string()),
        false => told("arguments", WIDE, "none given: what depends on them was not looked at"),
    }
    values(&explained.values);
    for one in objections {
        crate::say!();
        let by =
            if one.by.iter().all(|by| by == "host") { String::new() } else { format!(" by {}", one.by.join(", ")) };
        let style = if one.verdict >= countersign::kernel::contract::Verdict::Deny { BAD } else { MIND };
        crate::say!("{}  {}{by}: {}", styled(STRONG, &one.stage), styled(style, one.verdict), one.leads_to);
        told("why", WIDE, &one.reason);
        for (index, changes) in one.changes.iter().enumerate() {
            told(if index == 0 { "changed by" } else { "or by" }, WIDE, &joined(changes));
        }
    }
    crate::say!();
    let style = if outcome.runs { GOOD } else { MIND };
    crate::say!("{}", styled(style, format!("it {}", outcome.what)));
    if !outcome.reason.is_empty() {
        told("why", WIDE, &outcome.reason);
    }
    if !together.is_empty() && objections.len() > 1 {
        told("it runs with", WIDE, &joined(together));
    }
}

fn joined(changes: &[Change]) -> String {
    changes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}
