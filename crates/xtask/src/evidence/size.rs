//! Large profiles of real programs, read beside `go tool pprof -top`.
//!
//! Both are started as programs on the same file, in turns; the fastest run of each counts. Most memory in use is what Linux says
//! about the running program, looked at a thousand times a second.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::go::Go;
use crate::Outcome;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Arguments of `xtask evidence size`.
#[derive(clap::Args)]
pub struct Args {
    /// Where the profiles are made, or are from the last time.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// How often each file is read by each program.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Our program, instead of building `crates/leak-evidence/examples/top.rs` for release.
    #[arg(long)]
    reader: Option<PathBuf>,
}

/// A program whose stacks are all different: each goroutine and each object takes a way of its own through its functions.
fn source() -> String {
    let mut text = String::from(
        r#"// Writes large profiles of itself.
package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"time"
)

const (
	goroutines     = 200_000
	goroutineDepth = 12
	objects        = 525_000
	objectDepth    = 90
)

var kept [][]byte

func next(way uint64, depth int, end func()) {
	if depth == 0 {
		end()
		return
	}
	way = way*6364136223846793005 + 1442695040888963407
	steps[way>>56](way, depth-1, end)
}

func write(name, file string, debug int) {
	out, err := os.Create(filepath.Join(os.Args[2], file))
	if err != nil {
		panic(err)
	}
	defer out.Close()
	// The dump ends with an error when it is cut off.
	_ = pprof.Lookup(name).WriteTo(out, debug)
}

func main() {
	if os.Args[1] == "goroutines" {
		block := make(chan int)
		for i := range goroutines {
			labels := pprof.Labels("request", strconv.Itoa(i), "tenant", "t"+strconv.Itoa(i%50))
			pprof.Do(context.Background(), labels, func(context.Context) {
				go next(uint64(i), goroutineDepth, func() { <-block })
			})
		}
		for runtime.NumGoroutine() < goroutines {
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Second)
		write("goroutine", "goroutines.pb.gz", 0)
		write("goroutine", "dump.txt", 2)
		return
	}
	runtime.MemProfileRate = 1
	for i := range objects {
		next(uint64(i), objectDepth, func() { kept = append(kept, make([]byte, 16)) })
	}
	runtime.GC()
	runtime.GC()
	write("heap", "heap.pb.gz", 0)
	runtime.KeepAlive(kept)
}

var steps [256]func(uint64, int, func())

func init() {
	steps = [...]func(uint64, int, func()){"#,
    );
    for number in 0..256 {
        let _ = write!(text, "step{number}, ");
    }
    text.push_str("}\n}\n");
    for number in 0..256 {
        let _ = write!(
            text,
            "\n//go:noinline\nfunc step{number}(way uint64, depth int, end func()) {{\n\tnext(way, depth, end)\n}}\n"
        );
    }
    text
}

/// Makes the profiles, unless they are there.
fn make(go: &Go, dir: &Path) -> Result<()> {
    if dir.join("heap.pb.gz").is_file() {
        return Ok(());
    }
    fs::create_dir_all(dir)?;
    fs::write(dir.join("go.mod"), "module example.com/large\n\ngo 1.26\n")?;
    fs::write(dir.join("main.go"), source())?;
    let binary = dir.join("large");
    go.build(dir, &[], &binary)?;
    for what in ["goroutines", "heap"] {
        let status = Command::new(&binary).arg(what).arg(dir).status()?;
        if !status.success() {
            return Err(format!("the program for large profiles failed: {status}").into());
        }
    }
    Ok(())
}

/// Our reader as a program.
fn reader(args: &Args) -> Result<PathBuf> {
    if let Some(reader) = &args.reader {
        return Ok(reader.clone());
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let root = crate::root();
    let status = Command::new(cargo)
        .args([
            "build",
            "--release",
            "-p",
            "leak-evidence",
            "--example",
            "top",
        ])
        .current_dir(&root)
        .status()?;
    if !status.success() {
        return Err("the reader was not built".into());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    Ok(target.join("release/examples/top"))
}

#[derive(Debug, Clone, Copy)]
struct Figures {
    seconds: f64,
    peak: u64,
}

/// Runs a program to its end.
fn measure(command: &mut Command) -> Result<Figures> {
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let ended = loop {
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        let text = fs::read_to_string(&status).unwrap_or_default();
        let most = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let most = most.and_then(|most| most.trim().split(' ').next()?.parse::<u64>().ok());
        peak = peak.max(most.unwrap_or(0) * 1024);
        std::thread::sleep(Duration::from_millis(1));
    };
    let seconds = started.elapsed().as_secs_f64();
    if !ended.success() {
        return Err(format!("{command:?}: {ended}").into());
    }
    Ok(Figures { seconds, peak })
}

fn better(a: Option<Figures>, b: Figures) -> Figures {
    a.map_or(b, |a| Figures {
        seconds: a.seconds.min(b.seconds),
        peak: a.peak.max(b.peak),
    })
}

fn inflated_size(path: &Path) -> Result<u64> {
    let file = fs::File::open(path)?;
    if path.extension().is_none_or(|end| end != "gz") {
        return Ok(file.metadata()?.len());
    }
    let mut inflated = flate2::read::MultiGzDecoder::new(file);
    let mut buffer = vec![0; 1 << 20];
    let mut size = 0;
    loop {
        match inflated.read(&mut buffer)? {
            0 => return Ok(size),
            n => size += n as u64,
        }
    }
}

/// Makes the profiles and reads them, with a table.
pub fn run(go: &Go, args: &Args) -> Outcome {
    let scratch = tempfile::tempdir()?;
    let dir = args.dir.as_deref().unwrap_or(scratch.path());
    let dir = std::path::absolute(dir)?;
    make(go, &dir)?;
    let reader = reader(args)?;
    let pprof = go.run(&dir, &["tool", "-n", "pprof"])?;
    let pprof = String::from_utf8(pprof.stdout)?.trim().to_owned();
    println!(
        "\n| file | MB inflated | ours: s | MB | x inflated | `pprof -top`: s | MB | x faster |\n|---|---|---|---|---|---|---|---|"
    );
    for file in ["goroutines.pb.gz", "dump.txt", "heap.pb.gz"] {
        let path = dir.join(file);
        // Go's tool does not read dumps.
        let theirs_reads = file != "dump.txt";
        let (mut ours, mut theirs) = (None, None);
        for _ in 0..args.rounds.max(1) {
            ours = Some(better(ours, measure(Command::new(&reader).arg(&path))?));
            if theirs_reads {
                let figures = measure(Command::new(&pprof).arg("-top").arg(&path))?;
                theirs = Some(better(theirs, figures));
            }
        }
        let ours = ours.ok_or("not measured")?;
        let size = inflated_size(&path)? as f64;
        let (seconds, megabytes, faster) = match theirs {
            Some(theirs) => (
                format!("{:.2}", theirs.seconds),
                format!("{:.0}", theirs.peak as f64 / 1e6),
                format!("{:.1}", theirs.seconds / ours.seconds),
            ),
            None => ("cannot".to_owned(), "-".to_owned(), "-".to_owned()),
        };
        println!(
            "| {file} | {:.1} | {:.3} | {:.0} | {:.2} | {seconds} | {megabytes} | {faster} |",
            size / 1e6,
            ours.seconds,
            ours.peak as f64 / 1e6,
            ours.peak as f64 / size,
        );
    }
    Ok(())
}
