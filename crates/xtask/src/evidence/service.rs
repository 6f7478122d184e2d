//! The leaks of `tests/service`, found while it runs under load.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use leak_evidence::{
    Evidence, Finding, Kind, LineRef, Profile, Resolver, Thresholds, Weights, join, read, weigh,
};

use super::code::{self, Code};
use super::go::{Go, Service};
use crate::Outcome;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A leak of the service.
struct Leak {
    /// Its path in the service, which is the name of the rule about it.
    name: &'static str,
    requests: usize,
    /// Which profile shows it.
    shown_by: Kind,
    /// How much of it at least.
    least: i64,
}

const MIB: i64 = 1 << 20;

/// All that the service has.
static LEAKS: [Leak; 8] = [
    Leak {
        name: "abandoned-send",
        requests: 64,
        shown_by: Kind::GoroutineLeak,
        least: 64,
    },
    Leak {
        name: "dropped-cancel",
        requests: 100,
        shown_by: Kind::Heap,
        least: MIB,
    },
    Leak {
        name: "range-over-unclosed-channel",
        requests: 32,
        shown_by: Kind::GoroutineLeak,
        least: 64,
    },
    Leak {
        name: "retained-subslice",
        requests: 64,
        shown_by: Kind::Heap,
        least: 4 * MIB,
    },
    Leak {
        name: "unbounded-map",
        requests: 150,
        shown_by: Kind::Heap,
        least: 2 * MIB,
    },
    Leak {
        name: "unclosed-http-body",
        requests: 64,
        shown_by: Kind::Heap,
        least: MIB,
    },
    Leak {
        name: "unclosed-pipe",
        requests: 64,
        shown_by: Kind::GoroutineLeak,
        least: 64,
    },
    Leak {
        // All but the first four wait for a connection. Last, because these requests have no answer to wait for.
        name: "unclosed-sql-rows",
        requests: 150,
        shown_by: Kind::Goroutine,
        least: 140,
    },
];

/// What is known about a leak from a running service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Nothing over a threshold is on its line.
    Absent,
    /// Its line is over a threshold, and the rule of its name says nothing about it.
    RuntimeOnly,
    /// A finding of the rule of its name is confirmed by its line.
    Confirmed,
}

/// What was seen of the leaks in one run.
struct Run {
    verdicts: Vec<Verdict>,
    /// What the profile that shows it says about its line.
    weights: Vec<i64>,
    /// Lines over a threshold that belong to no leak.
    others: BTreeSet<(String, u32)>,
}

/// `tests/service`.
pub fn folder() -> PathBuf {
    crate::root().join("tests/service")
}

/// Sends the requests of all leaks.
fn load(service: &Service) -> Result<Vec<std::net::TcpStream>> {
    let mut unanswered = Vec::new();
    for leak in &LEAKS {
        let hangs = leak.shown_by == Kind::Goroutine;
        for number in 0..leak.requests {
            let path = format!("/{}?number{number:04}", leak.name);
            if hangs {
                unanswered.push(service.send(&path)?);
            } else {
                service.get(&path)?;
            }
        }
    }
    service.get("/banner")?;
    // What is still being worked on is no leak: searches take 20 ms.
    std::thread::sleep(Duration::from_millis(300));
    Ok(unanswered)
}

fn one(bytes: &[u8], name: &str) -> Result<Profile> {
    let mut profiles = read(bytes).map_err(|error| format!("{name}: {error}"))?;
    match (profiles.pop(), profiles.is_empty()) {
        (Some(profile), true) => Ok(profile),
        _ => Err(format!("{name} is not one profile").into()),
    }
}

/// The profiles of a service under load, each with what it is called.
///
/// The leak profile comes before the dumps, which then say what it found.
pub fn profiles(service: &Service) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let unanswered = load(service)?;
    let names = [
        "goroutineleak",
        "goroutineleak?debug=1",
        "goroutine",
        "goroutine?debug=1",
        "goroutine?debug=2",
        "heap?gc=1",
        "heap?debug=1",
        "allocs",
        "threadcreate",
    ];
    let taken = names
        .iter()
        .map(|name| Ok((*name, service.profile(name)?)))
        .collect();
    drop(unanswered);
    taken
}

/// Writes the profiles that editors are tested with.
pub fn record(go: &Go, folder: &Path) -> Outcome {
    let scratch = tempfile::tempdir()?;
    let binary = scratch.path().join("orders");
    go.build(&self::folder(), &["-trimpath"], &binary)?;
    let service = Service::start(&binary, "")?;
    std::fs::create_dir_all(folder)?;
    for (name, bytes) in profiles(&service)? {
        let Some(name) = [("goroutineleak", "goroutineleak"), ("heap?gc=1", "heap")]
            .into_iter()
            .find_map(|(profile, file)| (profile == name).then_some(file))
        else {
            continue;
        };
        let path = folder.join(name).with_extension("pb.gz");
        std::fs::write(&path, bytes)?;
        println!("wrote {}", path.display());
    }
    Ok(())
}

/// Weighs profiles on the code.
fn place(code: &Code, taken: &[(&str, Vec<u8>)]) -> Result<Vec<(String, Weights)>> {
    taken
        .iter()
        .map(|(name, bytes)| {
            let profile = one(bytes, name)?;
            let resolution = Resolver::new(code, &[]).resolve(&profile);
            Ok(((*name).to_owned(), weigh(&profile, &resolution)))
        })
        .collect()
}

/// Whether a leak is a finding's: it is of the rule of that name, and its range or its path holds the line.
fn is_about(finding: &Finding, leak: &Leak, path: &str, lines: &[u32]) -> bool {
    let in_range = |line: &u32| (finding.lines.0..=finding.lines.1).contains(line);
    finding.rule == leak.name && finding.path == path && lines.iter().any(in_range)
}

/// Runs the service and joins what it says with what the rules say.
fn run_once(code: &Code, findings: &[Finding], binary: &Path, fixed: &str) -> Result<Run> {
    let service = Service::start(binary, fixed)?;
    let placed = place(code, &profiles(&service)?)?;
    drop(service);
    let evidence: Vec<_> = placed
        .iter()
        .map(|(_, weights)| Evidence {
            weights,
            growth: None,
        })
        .collect();
    let thresholds = Thresholds::default();
    let join = join(findings, &evidence, &thresholds);
    let mut run = Run {
        verdicts: Vec::new(),
        weights: Vec::new(),
        others: BTreeSet::new(),
    };
    let place_of = |at: &LineRef| &placed[at.profile].1.lines[at.line].place;
    let mut leaking = BTreeSet::new();
    for leak in &LEAKS {
        let (path, line) = code::line_with(code, &format!("leak: {}", leak.name))
            .ok_or_else(|| format!("the service has no {}", leak.name))?;
        let acquired = code::line_with(code, &format!("acquired: {}", leak.name));
        let lines: Vec<u32> = [line]
            .into_iter()
            .chain(acquired.map(|(_, line)| line))
            .collect();
        let on_line = |at: &LineRef| {
            let place = place_of(at);
            *place.path == *path && lines.contains(&place.line)
        };
        let confirmed = join.confirmed.iter().any(|joined| {
            is_about(&findings[joined.finding], leak, &path, &lines)
                && joined.support.iter().any(|support| on_line(&support.line))
        });
        let alone = join.runtime_only.iter().any(|(at, _)| on_line(at));
        // Hints about the same line say other things.
        let beside = join.confirmed.iter().flat_map(|joined| &joined.support);
        let alone = alone || beside.map(|support| &support.line).any(on_line);
        run.verdicts.push(match (confirmed, alone) {
            (true, _) => Verdict::Confirmed,
            (false, true) => Verdict::RuntimeOnly,
            (false, false) => Verdict::Absent,
        });
        let own = placed
            .iter()
            .filter(|(name, weights)| weights.kind == leak.shown_by && !name.contains("debug="))
            .flat_map(|(_, weights)| weights.lines.iter().map(move |line| (weights, line)))
            .find(|(_, weighed)| *weighed.place.path == *path && weighed.place.line == line);
        run.weights
            .push(own.map_or(0, |(weights, line)| weights.weight(line)));
        leaking.extend(lines.iter().map(|line| (path.clone(), *line)));
    }
    for (_, weights) in &placed {
        for line in &weights.lines {
            let at = (line.place.path.to_string(), line.place.line);
            if thresholds.level(weights, line, None).is_some() && !leaking.contains(&at) {
                run.others.insert(at);
            }
        }
    }
    Ok(run)
}

/// All runs, with a table.
pub fn run(go: &Go) -> Outcome {
    let scratch = tempfile::tempdir()?;
    let binary = scratch.path().join("orders");
    let started = Instant::now();
    go.build(&folder(), &[], &binary)?;
    println!("built in {:.1} s", started.elapsed().as_secs_f64());
    let code = code::read(&folder())?;
    let findings = code::findings(&code);

    let started = Instant::now();
    let leaky = run_once(&code, &findings, &binary, "")?;
    let seconds = started.elapsed().as_secs_f64();
    let fixed = run_once(&code, &findings, &binary, "all")?;
    println!("one run: {seconds:.1} s\n");
    println!(
        "| leak | profile | on its line | leaking | fixed | alone |\n|---|---|---|---|---|---|"
    );
    let mut wrong = Vec::new();
    for (index, leak) in LEAKS.iter().enumerate() {
        let all_but: Vec<_> = LEAKS
            .iter()
            .map(|other| other.name)
            .filter(|name| *name != leak.name)
            .collect();
        let alone = run_once(&code, &findings, &binary, &all_but.join(","))?;
        let seen: Vec<_> = LEAKS
            .iter()
            .zip(&alone.verdicts)
            .filter(|(_, verdict)| **verdict != Verdict::Absent)
            .map(|(leak, _)| leak.name)
            .collect();
        println!(
            "| `{}` | {} | {} | {:?} | {:?} | {} |",
            leak.name,
            leak.shown_by.name(),
            leaky.weights[index],
            leaky.verdicts[index],
            fixed.verdicts[index],
            seen.join(", ")
        );
        let right = leaky.verdicts[index] != Verdict::Absent
            && leaky.weights[index] >= leak.least
            && fixed.verdicts[index] == Verdict::Absent
            && seen == [leak.name]
            && alone.others.is_empty();
        if !right {
            wrong.push(leak.name);
        }
    }
    let others: Vec<_> = leaky.others.union(&fixed.others).collect();
    println!("\nother lines over a threshold: {others:?}");
    if wrong.is_empty() && others.is_empty() {
        Ok(())
    } else {
        Err(format!("not as expected: {}", wrong.join(", ")).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rules whose findings have to be confirmed: all of them.
    const JOINED: [&str; 8] = [
        "abandoned-send",
        "dropped-cancel",
        "range-over-unclosed-channel",
        "retained-subslice",
        "unbounded-map",
        "unclosed-http-body",
        "unclosed-pipe",
        "unclosed-sql-rows",
    ];

    #[test]
    fn leaks_of_a_running_service_are_on_their_lines() {
        let Some(go) = Go::find(None) else {
            eprintln!("skipped: no Go toolchain; install one or set STOPLEAK_GO");
            return;
        };
        let scratch = tempfile::tempdir().unwrap();
        let binary = scratch.path().join("orders");
        go.build(&folder(), &[], &binary).unwrap();
        let code = code::read(&folder()).unwrap();
        let findings = code::findings(&code);
        for finding in &findings {
            let leak = LEAKS.iter().any(|leak| leak.name == finding.rule);
            assert!(!leak || !finding.path.ends_with("fixed.go"), "{finding:?}");
        }
        let leaky = run_once(&code, &findings, &binary, "").unwrap();
        for (leak, (verdict, weight)) in LEAKS.iter().zip(leaky.verdicts.iter().zip(&leaky.weights))
        {
            let name = leak.name;
            assert_ne!(*verdict, Verdict::Absent, "{name}");
            assert!(*weight >= leak.least, "{name}: {weight}");
            if JOINED.contains(&name) {
                assert_eq!(*verdict, Verdict::Confirmed, "{name}: {findings:#?}");
            }
        }
        assert!(leaky.others.is_empty(), "{:?}", leaky.others);

        let fixed = run_once(&code, &findings, &binary, "all").unwrap();
        for (leak, verdict) in LEAKS.iter().zip(&fixed.verdicts) {
            assert_eq!(*verdict, Verdict::Absent, "{}", leak.name);
        }
        assert!(fixed.others.is_empty(), "{:?}", fixed.others);
    }
}
