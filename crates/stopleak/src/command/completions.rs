//! `stopleak completions`.

use std::io::Write as _;

use clap::CommandFactory as _;

use crate::cli::{Cli, CompletionsArgs};
use crate::exit::{Outcome, Status};

/// Prints the script.
pub fn run(args: &CompletionsArgs) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "stopleak", &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(Status::Clean)
}
