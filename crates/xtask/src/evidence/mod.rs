//! Evidence measured on a real program: what `leak-evidence` makes of the profiles of `tests/service`, beside what Go's own tool says.

mod code;
mod go;
mod mapping;
#[path = "../../../leak-evidence/tests/go/raw.rs"]
mod raw;
mod service;
mod size;

use std::path::PathBuf;

use crate::Outcome;

/// Arguments of `xtask evidence`.
#[derive(clap::Args)]
pub struct Args {
    /// The go command; without it `$STOPLEAK_GO` or the `go` on PATH.
    #[arg(long, global = true)]
    go: Option<PathBuf>,
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Run the service with its leaks, fixed, and with one leak at a time: each leak is found on its line, and nothing else.
    Service,
    /// Build the service in different ways and compare lines and sums with `go tool pprof`.
    Mapping,
    /// Write the profiles of the service under load into a folder, built so that they do not say where.
    Record {
        /// The folder.
        folder: PathBuf,
    },
    /// Read large profiles, beside `go tool pprof -top` on the same files.
    Size(size::Args),
}

/// Measures one of the three, or records what editors are tested with.
pub fn run(args: &Args) -> Outcome {
    let go = go::Go::find(args.go.clone())
        .ok_or("there is no Go toolchain: install it, or say where it is with --go")?;
    println!("{}", go.version());
    match &args.what {
        What::Service => service::run(&go),
        What::Mapping => mapping::run(&go),
        What::Record { folder } => service::record(&go, folder),
        What::Size(args) => size::run(&go, args),
    }
}
