//! Time and memory of parsing, lowering and the whole check over a tree of Go files.
//!
//! Machines are noisy and differ, so nothing is compared with a figure from elsewhere: every stage runs in a process of its own, the
//! stages take turns, and the ratios to parsing alone are what counts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use go_model::db::{Database, source_file};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::Outcome;

/// Arguments of `xtask bench`.
#[derive(clap::Args)]
pub struct Args {
    /// The tree, for instance `$(go env GOROOT)/src`.
    tree: PathBuf,
    /// How often each stage runs; the fastest run counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Threads. 0: as many as there are cores.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Run one stage once and print its figures as JSON.
    #[arg(long, hide = true)]
    only: Option<Stage>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Stage {
    Parse,
    Lower,
    Check,
}

const STAGES: [(Stage, &str); 3] = [
    (Stage::Parse, "parse"),
    (Stage::Lower, "lower"),
    (Stage::Check, "check"),
];

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Figures {
    seconds: f64,
    files: usize,
    bytes: u64,
    findings: usize,
    /// Most memory in use at a time, in KiB; 0 where the system does not tell.
    peak_kib: u64,
}

/// Runs all stages in turns, or one.
pub fn run(args: &Args) -> Outcome {
    if let Some(stage) = args.only {
        println!("{}", serde_json::to_string(&measure(stage, args)?)?);
        return Ok(());
    }
    if cfg!(debug_assertions) {
        eprintln!(
            "this is a debug build: its figures mean nothing; use `cargo run --release -p xtask -- bench …`"
        );
    }
    let mut best: [Option<Figures>; 3] = [None; 3];
    for _ in 0..args.rounds.max(1) {
        for (slot, (_, name)) in best.iter_mut().zip(STAGES) {
            let output = Command::new(std::env::current_exe()?)
                .args([
                    "bench",
                    "--only",
                    name,
                    "--threads",
                    &args.threads.to_string(),
                ])
                .arg(&args.tree)
                .output()?;
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
            }
            let figures: Figures = serde_json::from_slice(&output.stdout)?;
            if slot.is_none_or(|best| figures.seconds < best.seconds) {
                *slot = Some(figures);
            }
        }
    }
    let [Some(parse), Some(lower), Some(check)] = best else {
        return Err("no figures".into());
    };
    println!(
        "{}: {} files, {:.1} MB, {} threads, best of {}\n",
        args.tree.display(),
        parse.files,
        parse.bytes as f64 / 1e6,
        if args.threads == 0 {
            rayon::current_num_threads()
        } else {
            args.threads
        },
        args.rounds.max(1)
    );
    println!(
        "| stage | seconds | MB/s | ratio to parse only | peak memory |\n|---|---|---|---|---|"
    );
    for (name, figures) in [
        ("parse only", parse),
        ("parse + lower", lower),
        ("whole check", check),
    ] {
        println!(
            "| {name} | {:.2} | {:.1} | {:.2} | {} MB |",
            figures.seconds,
            figures.bytes as f64 / 1e6 / figures.seconds,
            figures.seconds / parse.seconds,
            figures.peak_kib / 1024
        );
    }
    println!("\nfindings: {}", check.findings);
    Ok(())
}

fn measure(stage: Stage, args: &Args) -> Result<Figures, Box<dyn std::error::Error>> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(args.threads)
        .stack_size(16 << 20)
        .build_global()?;
    let mut files = Vec::new();
    go_files(&args.tree, &mut files)?;
    files.sort();
    let bytes = files
        .iter()
        .filter_map(|path| fs::metadata(path).ok())
        .map(|meta| meta.len())
        .sum();
    let started = Instant::now();
    let findings = match stage {
        Stage::Parse => files
            .par_iter()
            .filter(|path| fs::read_to_string(path).is_ok_and(|text| !go_syntax::parse_only(&text)))
            .count(),
        Stage::Lower => files
            .par_iter()
            .filter(|path| {
                fs::read(path).is_ok_and(|bytes| {
                    go_syntax::parse_bytes(&bytes, &Default::default())
                        .skipped
                        .is_some()
                })
            })
            .count(),
        Stage::Check => {
            // As `stopleak check` does it.
            let mut db = Database::new();
            db.set_tree_capacity(4096);
            let mut findings = 0;
            for chunk in files.chunks(1000) {
                findings += chunk
                    .par_iter()
                    .map_with(db.clone(), |db, path| {
                        leak_rules::check_file(db, source_file(db, path)).len()
                    })
                    .sum::<usize>();
                db.evict();
            }
            findings
        }
    };
    Ok(Figures {
        seconds: started.elapsed().as_secs_f64(),
        files: files.len(),
        bytes,
        findings,
        peak_kib: peak_kib(),
    })
}

/// Go files below a folder, without test data, dependencies and what the go command does not look at.
pub fn go_files(folder: &Path, into: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let kind = entry.file_type()?;
        if name.starts_with(['.', '_']) || matches!(&*name, "testdata" | "vendor" | "node_modules")
        {
            continue;
        }
        if kind.is_dir() {
            go_files(&entry.path(), into)?;
        } else if kind.is_file() && name.ends_with(".go") {
            into.push(entry.path());
        }
    }
    Ok(())
}

fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().split(' ').next()?.parse().ok())
        .unwrap_or(0)
}
