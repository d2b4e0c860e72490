use std::path::{Path, PathBuf};

use anyhow::Context;
use countersign::settings;
use countersign::spec::graph::{self, Graph, LoopPhase, Violation};
use countersign::tools::{Readers, write_atomically};

use crate::phases::numbered;
use crate::style::{BAD, GOOD, MIND, QUIET, STRONG, line, styled, table};

/// Check and draw workflow graphs
#[derive(clap::Subcommand)]
pub enum Command {
    /// Make the six checks that a graph passes before a run may use it
    #[command(after_help = "Example:\n  countersign graph check graph.toml")]
    Check(Check),
    /// Draw a graph as a Mermaid flowchart
    #[command(after_help = "Example:\n  countersign graph draw graph.toml --out graph.mmd")]
    Draw(Draw),
    /// Print what each verdict of each slot leads to
    #[command(after_help = "Example:\n  countersign graph verdicts")]
    Verdicts,
    /// Print which phase of the loop takes place at which kind of node
    #[command(after_help = "Example:\n  countersign graph phases")]
    Phases,
}

#[derive(clap::Args)]
pub struct Check {
    /// A graph [default: the graph that this program carries in itself]
    file: Option<PathBuf>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub struct Draw {
    /// A graph [default: the graph that this program carries in itself]
    file: Option<PathBuf>,
    /// Write to this file instead of the terminal
    #[arg(long)]
    out: Option<PathBuf>,
}

pub fn run(command: &Command) -> anyhow::Result<u8> {
    match command {
        Command::Check(arguments) => check(arguments),
        Command::Draw(arguments) => draw(arguments),
        Command::Verdicts => {
            crate::say!("{}", countersign::kernel::consequence::verdicts().trim_end());
            crate::say!("\n{}", countersign::kernel::consequence::severities().trim_end());
            Ok(crate::exit::OK)
        }
        Command::Phases => {
            crate::say!("{}", graph::phases().trim_end());
            Ok(crate::exit::OK)
        }
    }
}

/// A graph and its digest, the one that a run's manifest holds.
fn read(file: Option<&Path>) -> anyhow::Result<(Graph, String)> {
    match file {
        Some(path) => {
            // The exit code says that the file is to blame; the text keeps every cause.
            let (graph, digest) = settings::load_graph(path)?;
            Ok((graph, digest.to_string()))
        }
        None => {
            let (graph, digest) = settings::the_default_graph()?;
            Ok((graph, digest.to_string()))
        }
    }
}

#[derive(serde::Serialize)]
#[serde(rename_all = "kebab-case")]
struct Checked<'a> {
    ok: bool,
    name: &'a str,
    version: u32,
    digest: &'a str,
    nodes: usize,
    edges: usize,
    interrupts: usize,
    /// Phases of the loop that no node stands for.
    absent_phases: &'a [LoopPhase],
    violations: &'a [Violation],
}

fn check(arguments: &Check) -> anyhow::Result<u8> {
    let (graph, digest) = read(arguments.file.as_deref())?;
    let violations = graph.compile().err().unwrap_or_default();
    let absent = graph.absent_phases();
    let code = if violations.is_empty() { crate::exit::OK } else { crate::exit::DIFFERS };
    if arguments.json {
        super::print_json(&Checked {
            ok: violations.is_empty(),
            name: &graph.name,
            version: graph.version,
            digest: &digest,
            nodes: graph.nodes.len(),
            edges: graph.edges.len(),
            interrupts: graph.interrupts.len(),
            absent_phases: &absent,
            violations: &violations,
        })?;
        return Ok(code);
    }
    let name = line(&graph.name, 80);
    if violations.is_empty() {
        crate::say!("{} {} {}", styled(GOOD, "ok"), styled(STRONG, name), styled(QUIET, digest));
        let (nodes, edges, interrupts) = (graph.nodes.len(), graph.edges.len(), graph.interrupts.len());
        crate::say!("{nodes} nodes, {edges} edges, {interrupts} interrupts");
        if !absent.is_empty() {
            crate::say!("{} no node for {}: it does not take place", styled(MIND, "mind:"), numbered(&absent));
        }
        return Ok(code);
    }
    crate::say!("{} {} {}\n", styled(BAD, count(&violations)), styled(STRONG, name), styled(QUIET, digest));
    let mut rows = vec![["check", "node", "edge", "problem"].map(str::to_owned).to_vec()];
    for violation in &violations {
        rows.push(vec![
            violation.check.number().to_string(),
            cell(violation.node.as_deref(), 40),
            cell(violation.edge.as_deref(), 80),
            cell(Some(&violation.problem), 400),
        ]);
    }
    for (index, text) in table(&rows, &[0]).into_iter().enumerate() {
        crate::say!("{}", if index == 0 { styled(QUIET, text) } else { text });
    }
    Ok(code)
}

fn cell(text: Option<&str>, most: usize) -> String {
    text.map_or_else(|| "-".to_owned(), |text| line(text, most))
}

fn count(violations: &[Violation]) -> String {
    match violations.len() {
        1 => "1 violation".to_owned(),
        several => format!("{several} violations"),
    }
}

fn draw(arguments: &Draw) -> anyhow::Result<u8> {
    let (graph, _) = read(arguments.file.as_deref())?;
    if let Err(violations) = graph.compile() {
        // A picture helps most where something is wrong.
        let count = count(&violations);
        anstream::eprintln!("{} {count}; `countersign graph check` tells them", styled(MIND, "warning:"));
    }
    let text = graph::mermaid(&graph);
    match &arguments.out {
        Some(path) => {
            write_atomically(path, text.as_bytes(), Readers::ByUmask)
                .with_context(|| format!("cannot write `{}`", path.display()))?;
            crate::say!("{}", path.display());
        }
        None => crate::say!("{}", text.trim_end()),
    }
    Ok(crate::exit::OK)
}
