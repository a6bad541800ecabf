//! The `candlewick` binary: reads the command line, runs the command, and says in one sentence why it failed.

use std::io::IsTerminal;
use std::process::ExitCode;

use candlewick_pipelines::cli::{Cli, Command};
use candlewick_pipelines::{backtest, dlq, health, plan, reset, run, show, train};
use clap::Parser;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let filter =
        EnvFilter::try_from_env("CANDLEWICK_LOG").unwrap_or_else(|_| EnvFilter::new("warn,candlewick=info"));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
    let cli = Cli::parse();
    let result = match &cli.command {
        None => run::run(&cli.run),
        Some(Command::Run(options)) => run::run(options),
        Some(Command::Topology(options)) => show::show(options),
        Some(Command::Train(options)) => train::train(options),
        Some(Command::Evaluate(options)) => train::evaluate(options),
        Some(Command::Backtest(options)) => backtest::backtest(options),
        Some(Command::Health(options)) => health::health(options),
        Some(Command::Plan(options)) => plan::plan(options),
        Some(Command::Reset(options)) => reset::reset(options),
        Some(Command::Dlq(options)) => dlq::dlq(options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("candlewick: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
