//! `stopleak server`.

use std::process::ExitCode;
use std::time::Duration;

use crate::cli::ServerArgs;

/// Runs the language server until the editor ends it.
pub fn run(args: &ServerArgs) -> ExitCode {
    stopleak_lsp::run(&stopleak_lsp::Options {
        debounce: args.debounce.map(Duration::from_millis),
        ..stopleak_lsp::Options::default()
    })
}
