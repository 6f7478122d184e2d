//! `stopleak version`.

use std::io::Write as _;

use serde::Serialize;

use crate::cli::{TextOrJson, VersionArgs};
use crate::exit::{Outcome, Status};

#[derive(Serialize)]
struct Version {
    name: &'static str,
    version: &'static str,
    os: &'static str,
    arch: &'static str,
    rules: usize,
}

/// Prints the version.
pub fn run(args: &VersionArgs) -> Outcome {
    let version = Version {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        os: std::env::consts::OS,
        arch: std::env::consts::ARCH,
        rules: leak_rules::rules().len(),
    };
    let mut out = std::io::stdout().lock();
    match args.output_format {
        TextOrJson::Text => writeln!(out, "{} {}", version.name, version.version)?,
        TextOrJson::Json => {
            let text = serde_json::to_string(&version).map_err(|error| error.to_string())?;
            writeln!(out, "{text}")?;
        }
    }
    Ok(Status::Clean)
}
