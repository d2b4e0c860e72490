//! The `countersign` command: init, run, mcp, runs, agents, backtest, eval, shadow, trace, policy, bundle, graph.

mod commands;
mod component_build;
mod exit;
mod log;
mod phases;
mod refold;
mod screen;
mod style;
mod verdict_text;

use clap::{Parser, Subcommand};

/// Every step an agent takes is countersigned by policies you can swap, pin and replay.
#[derive(Parser)]
#[command(name = "countersign", version, arg_required_else_help = true, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes:
   0  success, or partial success      10  suspended: a person is waited for
   1  internal error                   11  stopped by budget or time
   2  usage or bad input               12  stopped by policy
   3  verification failed, or          13  failed
      verdicts or expectations differ";

#[derive(Subcommand)]
enum Command {
    Init(commands::init::Arguments),
    Run(commands::run::Arguments),
    Mcp(commands::mcp::Arguments),
    Backtest(commands::backtest::Arguments),
    #[command(subcommand)]
    Eval(commands::eval::Command),
    #[command(subcommand)]
    Runs(commands::runs::Command),
    #[command(subcommand)]
    Agents(commands::agents::Command),
    #[command(subcommand)]
    Approvals(commands::approvals::Command),
    #[command(subcommand)]
    Graph(commands::graph::Command),
    #[command(subcommand)]
    Shadow(commands::shadow::Command),
    #[command(subcommand)]
    Trace(commands::trace::Command),
    #[command(subcommand)]
    Policy(commands::policy::Command),
    #[command(subcommand)]
    Bundle(commands::bundle::Command),
    #[command(name = commands::compile::NAME, hide = true)]
    Compile(commands::compile::Arguments),
}

/// Policies may use 64 MiB of stack; on a thread that has it, a call switches to no other.
const STACK: usize = 80 << 20;

fn main() -> std::process::ExitCode {
    let work = std::thread::Builder::new().name("countersign".to_owned()).stack_size(STACK).spawn(|| {
        let arguments = Arguments::parse();
        // What a run comes to is told by its code, whoever reads the rest.
        let runs = matches!(arguments.command, Command::Run(_) | Command::Mcp(_));
        let done = match arguments.command {
            Command::Init(arguments) => commands::init::run(&arguments),
            Command::Run(arguments) => commands::run::run(&arguments),
            Command::Mcp(arguments) => commands::mcp::run(&arguments),
            Command::Runs(command) => commands::runs::run(&command),
            Command::Agents(command) => commands::agents::run(&command),
            Command::Approvals(command) => commands::approvals::run(&command),
            Command::Graph(command) => commands::graph::run(&command),
            Command::Backtest(arguments) => commands::backtest::run(&arguments),
            Command::Eval(command) => commands::eval::run(&command),
            Command::Shadow(command) => commands::shadow::run(&command),
            Command::Trace(command) => commands::trace::run(&command),
            Command::Policy(command) => commands::policy::run(&command),
            Command::Bundle(command) => commands::bundle::run(&command),
            Command::Compile(arguments) => commands::compile::run(&arguments),
        };
        let code = exit::code(done);
        if code == exit::OK && !runs && style::output_is_lost() { exit::INTERNAL } else { code }
    });
    match work.map(std::thread::JoinHandle::join) {
        Ok(Ok(code)) => code.into(),
        // The panic has said its message.
        Ok(Err(_)) => 1.into(),
        Err(error) => {
            anstream::eprintln!("error: cannot start a thread: {error}");
            1.into()
        }
    }
}
