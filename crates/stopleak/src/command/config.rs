//! `stopleak config`: what is in force, and whether it is right.

use std::io::{self, Write as _};
use std::path::Path;

use go_model::db::normalize;
use stopleak_config::{Discovery, Settings};

use crate::cli::ConfigCommand;
use crate::exit::{Failure, Outcome, Status};
use crate::output::{frames, severity_name};
use crate::terminal;

/// Runs one of the commands.
pub fn run(command: &ConfigCommand) -> Outcome {
    match command {
        ConfigCommand::Show { path } => show(path),
        ConfigCommand::Verify { paths } => verify(paths),
        ConfigCommand::Schema => {
            let schema = stopleak_config::json_schema();
            let text = serde_json::to_string_pretty(&schema).map_err(|error| error.to_string())?;
            writeln!(io::stdout().lock(), "{text}")?;
            Ok(Status::Clean)
        }
    }
}

fn show(path: &Path) -> Outcome {
    if !path.exists() {
        return Err(format!("`{}` does not exist", path.display()).into());
    }
    let absolute = normalize(path);
    let discovery = Discovery::default();
    let (settings, file) = if absolute.is_dir() {
        (discovery.for_folder(&absolute), absolute.join("file.go"))
    } else {
        (discovery.for_file(&absolute), absolute.clone())
    };
    let settings = settings.map_err(|error| Failure::Message(frames::config_error(&error)))?;
    let mut out = io::stdout().lock();
    match settings.file() {
        Some(file) => writeln!(out, "# from {}", file.display())?,
        None => writeln!(
            out,
            "# no stopleak.toml or .stopleak.toml here or above: the defaults"
        )?,
    }
    writeln!(out, "{}", settings.config().to_toml().trim_end())?;
    let effective = settings.effective_for(&file);
    writeln!(out)?;
    if let Some(excluded) = effective.excluded {
        writeln!(out, "# not checked: {excluded}")?;
    }
    writeln!(out, "# rules that run:")?;
    for (rule, severity) in effective.rules {
        let own = leak_rules::rule(rule).map(|rule| rule.severity);
        let note = if severity.is_some() {
            " (configured)"
        } else {
            ""
        };
        if let Some(severity) = severity.or(own) {
            writeln!(out, "#   {rule}: {}{note}", severity_name(severity))?;
        }
    }
    Ok(Status::Clean)
}

fn verify(paths: &[std::path::PathBuf]) -> Outcome {
    let found: Vec<_> = if paths.is_empty() {
        vec![Discovery::default().for_folder(&normalize(Path::new(".")))]
    } else {
        paths.iter().map(|path| Settings::load(path)).collect()
    };
    let mut failures = Vec::new();
    for settings in found {
        match settings {
            Ok(settings) => match settings.file() {
                Some(file) => terminal::note(&format!("{} is valid", file.display())),
                None => terminal::note("no stopleak.toml or .stopleak.toml here or above"),
            },
            Err(error) => failures.push(Failure::Message(frames::config_error(&error))),
        }
    }
    if failures.is_empty() {
        Ok(Status::Clean)
    } else {
        Err(Failure::Many(failures))
    }
}
