//! Code generation, benchmarks and checks of the stopleak repository.
//!
//! A new command is a module with `Args` (a clap parser) and `run`, one variant of [`Command`] and one arm of `main`.

#![allow(clippy::print_stdout)]

mod bench;
mod evidence;
mod fix_corpus;
mod generate;
mod judge_types;
mod latency;
mod leak_patterns;
mod recall;
mod service;
mod std_table;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What a command returns; an error is printed and ends with code 1.
type Outcome = Result<(), Box<dyn std::error::Error>>;

#[derive(Parser)]
#[command(
    name = "xtask",
    about = "Code generation, benchmarks and checks of the stopleak repository"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Time parsing, lowering and the whole check over a tree of Go files, side by side. Use a release build.
    Bench(bench::Args),
    /// Time keystrokes from `didChange` to `publishDiagnostics`, over the pipes of a running server.
    Latency(latency::Args),
    /// Measure what is made of the profiles of a real service, and of large ones.
    Evidence(evidence::Args),
    /// Try every fix of every finding in a tree of Go files on a copy.
    FixCorpus(fix_corpus::Args),
    /// Look for leaks that were really mended: found before the fix, silent after it.
    Recall(recall::Args),
    /// Write the rule pages, the README's rule table, the JSON schema and the editors' settings; or check that they are current.
    Generate(generate::Args),
    /// Run all tests; what they need beside Rust is installed.
    Test(test::Args),
    /// Compare inferred types with those of go/types.
    JudgeTypes(judge_types::Args),
    /// Compare findings in the public collection of goroutine leak patterns with what has to be found there.
    LeakPatterns(leak_patterns::Args),
    /// Write the embedded table of the standard library from a Go distribution.
    StdTable(std_table::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Bench(args) => bench::run(&args),
        Command::Latency(args) => latency::run(&args),
        Command::Evidence(args) => evidence::run(&args),
        Command::FixCorpus(args) => fix_corpus::run(&args),
        Command::Recall(args) => recall::run(&args),
        Command::Generate(args) => generate::run(&args),
        Command::Test(args) => test::run(&args),
        Command::JudgeTypes(args) => judge_types::run(&args),
        Command::LeakPatterns(args) => leak_patterns::run(&args),
        Command::StdTable(args) => std_table::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the repository.
fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map_or(here.clone(), PathBuf::from)
}
