//! Time and memory of parsing, lowering and the whole check over a tree of Go files, and of the program itself with and without what
//! an earlier run left in its cache.
//!
//! Machines are noisy and differ, so nothing is compared with a figure from elsewhere: every stage runs in a process of its own, the
//! stages take turns, and the ratios to parsing alone are what counts. They are ratios of processor time, which says more than the
//! clock where others use the machine too. The stages look at generated files as well; `stopleak check` leaves them out, but reads those
//! that others import.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use go_model::db::{Database, source_file};
use leak_rules::cost::{self, Part};
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
    /// The rules over files that have been parsed, by family.
    Rules,
    /// `stopleak check --no-cache`.
    Uncached,
    /// `stopleak check` with an empty cache.
    Cold,
    /// `stopleak check` right behind it.
    Warm,
}

const STAGES: [(Stage, &str, &str); 7] = [
    (Stage::Parse, "parse", "parse only"),
    (Stage::Lower, "lower", "parse + lower"),
    (Stage::Check, "check", "whole check"),
    (
        Stage::Rules,
        "rules",
        "whole check, everything parsed first",
    ),
    (Stage::Uncached, "", "`stopleak check --no-cache`"),
    (Stage::Cold, "", "`stopleak check`, empty cache"),
    (Stage::Warm, "", "`stopleak check` again"),
];

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Figures {
    seconds: f64,
    /// Processor time of all threads, of the system too.
    cpu: f64,
    files: usize,
    bytes: u64,
    findings: usize,
    /// Most memory in use at a time, in KiB; 0 where the system does not tell.
    peak_kib: u64,
    /// Seconds of all threads in the parts of the rules; only of the stage for that.
    parts: [f64; Part::ALL.len()],
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
    let program = std::env::current_exe()?
        .with_file_name(format!("stopleak{}", std::env::consts::EXE_SUFFIX));
    let has_program = program.exists();
    if !has_program {
        eprintln!(
            "there is no {}: the program itself is not measured",
            program.display()
        );
    }
    let mut best: [Option<Figures>; STAGES.len()] = [None; STAGES.len()];
    for _ in 0..args.rounds.max(1) {
        let cache = tempfile::tempdir()?;
        for (slot, (stage, name, _)) in best.iter_mut().zip(STAGES) {
            let figures = match stage {
                Stage::Parse | Stage::Lower | Stage::Check | Stage::Rules => {
                    measure_apart(name, args)?
                }
                _ if !has_program => continue,
                _ => measure_program(&program, stage, cache.path(), args)?,
            };
            if slot.is_none_or(|best| figures.cpu < best.cpu) {
                *slot = Some(figures);
            }
        }
    }
    let [Some(parse), _, Some(check), Some(rules), ..] = best else {
        return Err("no figures".into());
    };
    println!(
        "{}: {} files, {:.1} MB, {} threads, best of {}\n",
        args.tree.display(),
        parse.files,
        parse.bytes as f64 / 1e6,
        threads(args),
        args.rounds.max(1)
    );
    println!(
        "| stage | processor time | clock | ratio to parse only | peak memory | per source byte |\n|---|---|---|---|---|---|"
    );
    for (figures, (_, _, title)) in best.iter().zip(STAGES) {
        let Some(figures) = figures else { continue };
        println!(
            "| {title} | {:.2} s | {:.2} s | {:.2} | {} MB | {:.1} |",
            figures.cpu,
            figures.seconds,
            figures.cpu / parse.cpu,
            figures.peak_kib / 1024,
            figures.peak_kib as f64 * 1024.0 / parse.bytes as f64,
        );
    }
    println!("\nfindings: {}\n", check.findings);
    println!("| part of the rules | seconds of all threads | of the whole check |\n|---|---|---|");
    let whole = rules.seconds * threads(args) as f64;
    for (part, seconds) in Part::ALL.iter().zip(rules.parts) {
        println!(
            "| {} | {seconds:.2} | {:.1} % |",
            part.name(),
            100.0 * seconds / whole
        );
    }
    Ok(())
}

fn threads(args: &Args) -> usize {
    match args.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    }
}

/// Runs a stage in a process of its own.
fn measure_apart(name: &str, args: &Args) -> Result<Figures, Box<dyn std::error::Error>> {
    let output = Command::new(std::env::current_exe()?)
        .args(["bench", "--only", name])
        .args(["--threads", &args.threads.to_string()])
        .arg(&args.tree)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Runs the program.
fn measure_program(
    program: &Path,
    stage: Stage,
    cache: &Path,
    args: &Args,
) -> Result<Figures, Box<dyn std::error::Error>> {
    let before = cpu_seconds(Of::Children);
    let started = Instant::now();
    let mut child = Command::new(program)
        .args(["check", "--exit-zero", "--quiet", "--format", "concise"])
        .args(["--threads", &args.threads.to_string()])
        .args((stage == Stage::Uncached).then_some("--no-cache"))
        .arg(&args.tree)
        .env("STOPLEAK_CACHE_DIR", cache)
        .stdout(std::process::Stdio::null())
        .spawn()?;
    // The system does not tell afterwards.
    let mut peak = 0;
    let status = loop {
        peak = peak.max(peak_kib(&child.id().to_string()));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    if !status.success() {
        return Err(format!("{} failed: {status}", program.display()).into());
    }
    let seconds = started.elapsed().as_secs_f64();
    let cpu = match (before, cpu_seconds(Of::Children)) {
        (Some(before), Some(after)) => after - before,
        _ => seconds,
    };
    Ok(Figures {
        seconds,
        cpu,
        files: 0,
        bytes: 0,
        findings: 0,
        peak_kib: peak,
        parts: Default::default(),
    })
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
    let before = cpu_seconds(Of::Own);
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
            db.set_tree_capacity(3072);
            let mut findings = 0;
            let mut rest = files.clone();
            while !rest.is_empty() {
                findings += db
                    .next_batch(&mut rest, 500, |path| path)
                    .par_iter()
                    .map_with(db.clone(), |db, path| {
                        leak_rules::check_file(db, source_file(db, path)).len()
                    })
                    .sum::<usize>();
                db.evict();
            }
            std::mem::forget(db);
            findings
        }
        Stage::Rules => {
            // What rules ask of other files is there then, and does not count for them.
            let mut db = Database::new();
            db.set_tree_capacity(files.len() + 10_000);
            let loaded = db.load_files(&files);
            cost::measure();
            let findings = loaded
                .par_iter()
                .map_with(db.clone(), |db, file| {
                    leak_rules::check_file(db, *file).len()
                })
                .sum();
            std::mem::forget(db);
            findings
        }
        Stage::Uncached | Stage::Cold | Stage::Warm => {
            return Err("this is measured from outside".into());
        }
    };
    let seconds = started.elapsed().as_secs_f64();
    Ok(Figures {
        seconds,
        cpu: match (before, cpu_seconds(Of::Own)) {
            (Some(before), Some(after)) => after - before,
            _ => seconds,
        },
        files: files.len(),
        bytes,
        findings,
        peak_kib: peak_kib("self"),
        parts: Part::ALL.map(|part| cost::taken(part).as_secs_f64()),
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

/// Whose processor time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Own,
    /// Of children that were waited for.
    Children,
}

/// Processor time so far; `None` where the system does not tell, and the clock has to do.
fn cpu_seconds(of: Of) -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the name, which may contain anything: state is the first field, user time the twelfth.
    let (_, fields) = stat.rsplit_once(')')?;
    let first = if of == Of::Own { 11 } else { 13 };
    let ticks = fields.split_ascii_whitespace().skip(first).take(2);
    let ticks: f64 = ticks.filter_map(|field| field.parse::<f64>().ok()).sum();
    // Linux shows it in hundredths of a second to every program.
    Some(ticks / 100.0)
}

/// Most memory that a process had in use at a time.
fn peak_kib(process: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().split(' ').next()?.parse().ok())
        .unwrap_or(0)
}
