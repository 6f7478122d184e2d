//! Finds leaks in Go code while it is typed, and fixes them.

mod cache;
mod cli;
mod command;
mod evidence;
mod exit;
mod files;
mod interrupt;
mod output;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::exit::Status;

fn main() -> ExitCode {
    let cli = Cli::parse();
    terminal::set_colours(cli.color);
    // The server has a log of its own.
    if !matches!(cli.command, Command::Server(_)) {
        log_to_stderr();
    }
    let outcome = match cli.command {
        Command::Server(args) => return command::server::run(&args),
        Command::Check(args) => command::check::run(args),
        Command::Profile(args) => command::profile::run(&args),
        Command::Watch(args) => command::watch::run(&args),
        Command::Add(args) => command::add::run(&args),
        Command::Rule(args) => command::rule::run(&args),
        Command::Config(args) => command::config::run(&args.command),
        Command::Cache(args) => command::cache::run(&args),
        Command::Version(args) => command::version::run(&args),
        Command::Completions(args) => command::completions::run(&args),
    };
    match outcome {
        Ok(status) => status.into(),
        // The reader had enough (`| head`): that is no failure of ours, and there is nobody to tell.
        Err(failure) if failure.is_broken_pipe() => Status::Clean.into(),
        Err(failure) => {
            failure.report();
            Status::Failed.into()
        }
    }
}

/// What goes wrong inside is logged; `STOPLEAK_LOG` asks for more.
fn log_to_stderr() {
    use tracing_subscriber::EnvFilter;
    let filter =
        EnvFilter::try_from_env("STOPLEAK_LOG").unwrap_or_else(|_| EnvFilter::new("error"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .without_time()
        .init();
}
