//! The service built in different ways: its samples on the lines that they belong to.
//!
//! What is right is known here, because the copies that are built and the copies that are looked at are made here.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use leak_evidence::{
    Anchor, FunctionName, Profile, Resolver, Weights, Workspace as _, read, weigh,
};

use super::code::{self, Code, slashes};
use super::go::{Go, Service};
use super::raw::{self, Sample};
use super::service;
use crate::Outcome;

type Result<T> = std::result::Result<T, Box<dyn Error>>;
type Taken = Vec<(&'static str, Vec<u8>)>;

/// How the service is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Build {
    name: &'static str,
    flags: &'static [&'static str],
    vendored: bool,
}

const BUILDS: [Build; 5] = [
    Build {
        name: "plain",
        flags: &[],
        vendored: false,
    },
    Build {
        name: "-trimpath",
        flags: &["-trimpath"],
        vendored: false,
    },
    Build {
        name: "nothing inlined",
        flags: &["-gcflags=all=-l"],
        vendored: false,
    },
    Build {
        name: "vendored",
        flags: &["-mod=vendor"],
        vendored: true,
    },
    Build {
        name: "vendored, -trimpath",
        flags: &["-mod=vendor", "-trimpath"],
        vendored: true,
    },
];

/// What happened to the code since it was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Since {
    /// It is looked at in the folder in which it was built.
    Nothing,
    /// It is looked at in another folder; the one in which it was built is gone.
    Elsewhere,
    /// Elsewhere, and functions were moved.
    Moved,
    /// Elsewhere, and all functions have another line at their beginning.
    Changed,
}

impl Since {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "in place",
            Self::Elsewhere => "elsewhere",
            Self::Moved => "elsewhere, functions moved",
            Self::Changed => "elsewhere, functions changed",
        }
    }

    fn edited(self) -> bool {
        matches!(self, Self::Moved | Self::Changed)
    }
}

/// Profiles of a service built in one way.
struct Built {
    build: Build,
    /// The folder in which it was built.
    from: String,
    profiles: Taken,
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let to = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy(&path, &to)?;
        } else {
            fs::copy(&path, &to)?;
        }
    }
    Ok(())
}

/// Builds and runs the service in `folder`.
fn built(go: &Go, build: Build, folder: &Path) -> Result<Built> {
    copy(&service::folder(), folder)?;
    if build.vendored {
        go.run(folder, &["mod", "vendor"])?;
        // A dependency that is vendored is usually not in the workspace.
        fs::remove_dir_all(folder.join("ring"))?;
    }
    let binary = folder.with_extension("bin");
    go.build(folder, build.flags, &binary)?;
    let running = Service::start(&binary, "")?;
    let profiles = service::profiles(&running)?;
    Ok(Built {
        build,
        from: slashes(folder),
        profiles,
    })
}

/// Where lines went: old line, from 1, to new line.
type Lines = Vec<u32>;

/// Changes a file and says where its lines went.
fn edit(text: &str, since: Since) -> (String, Lines) {
    let mut edited = String::new();
    let mut lines = Vec::new();
    let mut at = 0;
    let mut push = |text: &str| {
        edited.push_str(text);
        edited.push('\n');
        at += 1;
        at
    };
    for line in text.lines() {
        let function = line.starts_with("func ");
        if function && since.edited() {
            push("// It was moved.");
        }
        lines.push(push(line));
        if function && since == Since::Changed && line.ends_with('{') {
            push("\t_ = 0");
        }
    }
    (edited, lines)
}

/// The code as it is looked at, with what happened to its files.
struct Looked {
    code: Code,
    root: String,
    lines: BTreeMap<String, Lines>,
}

impl Looked {
    fn new(built: &Built, since: Since, folder: &Path) -> Result<Self> {
        let folder = match since {
            Since::Nothing => PathBuf::from(&built.from),
            _ => {
                copy(&service::folder(), folder)?;
                if built.build.vendored {
                    fs::remove_dir_all(folder.join("ring"))?;
                }
                folder.to_path_buf()
            }
        };
        let root = slashes(&folder);
        let before = code::read(&folder)?;
        let mut lines = BTreeMap::new();
        for path in before.go_files() {
            let (text, went) = edit(&before.text(path), since);
            if since.edited() {
                fs::write(path, text)?;
            }
            lines.insert(path[root.len() + 1..].to_owned(), went);
        }
        Ok(Self {
            code: code::read(&folder)?,
            root,
            lines,
        })
    }

    /// Where a recorded line is now; `None` if it is none of the service's.
    fn truth(&self, built: &Built, file: &str, line: u32) -> Option<(String, u32)> {
        let rel = [
            (format!("{}/", built.from), ""),
            ("example.com/orders/".to_owned(), ""),
            ("example.com/ring@v0.0.0/".to_owned(), "ring/"),
            // What a `//line` names is recorded as it stands there.
            ("banner.templ".to_owned(), "internal/view/banner.templ"),
        ]
        .into_iter()
        .find_map(|(prefix, local)| Some(format!("{local}{}", file.strip_prefix(&prefix)?)))?;
        if rel.starts_with("vendor/") || (built.build.vendored && rel.starts_with("ring/")) {
            return None;
        }
        let line = match self.lines.get(&rel) {
            Some(lines) => *lines.get((line as usize).checked_sub(1)?)?,
            None => line,
        };
        Some((format!("{}/{rel}", self.root), line))
    }
}

/// How many frames of samples are where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Placed {
    /// Frames of the service.
    all: u64,
    /// In the function that they belong to.
    function: u64,
    /// On the line that they belong to.
    line: u64,
    /// Called surely right, and on another line.
    mistaken: u64,
    /// Frames that are not the service's, and yet were placed in it.
    strange: u64,
}

impl Placed {
    fn add(&mut self, other: Self) {
        self.all += other.all;
        self.function += other.function;
        self.line += other.line;
        self.mistaken += other.mistaken;
        self.strange += other.strange;
    }
}

fn profile(bytes: &[u8]) -> Result<Profile> {
    read(bytes)?.pop().ok_or_else(|| "no profile".into())
}

/// Looks where all frames of all samples went.
fn placed(built: &Built, looked: &Looked, profile: &Profile) -> Placed {
    let resolution = Resolver::new(&looked.code, &[]).resolve(profile);
    let mut placed = Placed::default();
    for id in profile.samples().flat_map(|sample| sample.frames()) {
        let frame = profile.frame(id);
        let file = profile.text(frame.file);
        let place = resolution.frame(id).place.as_ref();
        let Some((path, line)) = looked.truth(built, file, frame.line) else {
            placed.strange += u64::from(place.is_some());
            continue;
        };
        placed.all += 1;
        let Some(place) = place.filter(|place| *place.path == *path) else {
            continue;
        };
        placed.line += u64::from(place.line == line);
        placed.mistaken += u64::from(place.line != line && place.anchor == Anchor::Exact);
        let name = FunctionName::parse(profile.text(frame.function));
        let name = name.map(|name| name.declared()).unwrap_or_default();
        // What initializes variables is called so, and has no name in the outline.
        let name = if name == "init" { "" } else { &name };
        let outline = looked.code.outline(&path);
        let right = outline.is_none_or(|outline| {
            outline.functions.iter().any(|function| {
                let around = (function.start_line..=function.end_line).contains(&place.line);
                function.name == name && (around || name.is_empty())
            })
        });
        placed.function += u64::from(right);
    }
    placed
}

type Sums = BTreeMap<(String, u32), (Vec<i64>, Vec<i64>)>;

/// What samples add up to on each line of the service: those that happened there, and those that have it in their stack.
fn sums_of_samples(built: &Built, looked: &Looked, samples: &[Sample]) -> Sums {
    let mut sums = Sums::new();
    for (stack, values) in samples {
        let places = stack
            .iter()
            .filter_map(|((_, file, line), _)| looked.truth(built, file, *line));
        let places: Vec<_> = places.collect();
        if let Some(first) = places.first() {
            raw::add(&mut sums.entry(first.clone()).or_default().0, values);
        }
        for place in places.into_iter().collect::<BTreeSet<_>>() {
            raw::add(&mut sums.entry(place).or_default().1, values);
        }
    }
    let zero = |values: &Vec<i64>| values.iter().all(|value| *value == 0);
    sums.retain(|_, (own, through)| !zero(own) || !zero(through));
    for (own, through) in sums.values_mut() {
        own.resize(through.len(), 0);
    }
    sums
}

fn sums_of_weights(weights: &Weights) -> Sums {
    let lines = weights.lines.iter().map(|line| {
        let at = (line.place.path.to_string(), line.place.line);
        (at, (line.own.clone(), line.through.clone()))
    });
    lines.collect()
}

/// What `go tool pprof -raw` says.
fn raw_samples(go: &Go, file: &Path) -> Result<Vec<Sample>> {
    let file = file.to_string_lossy();
    let output = go.run(Path::new("."), &["tool", "pprof", "-raw", &file])?;
    Ok(raw::samples(&String::from_utf8_lossy(&output.stdout)))
}

/// What `go tool pprof -list` says: for each line the sum of the samples that have it in their stack.
fn listed(go: &Go, file: &Path, value: &str) -> Result<BTreeMap<(String, u32), i64>> {
    let (file, value) = (file.to_string_lossy(), format!("-sample_index={value}"));
    let list = "-list=^main|^example.com/";
    let output = go
        .command(Path::new("."))
        .args(["tool", "pprof", "-unit=B", &value, list, &file])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    // A profile need not have any of it.
    if !output.status.success() && !said.contains("no matches found") {
        return Err(format!("go tool pprof -list: {said}").into());
    }
    let mut sums = BTreeMap::new();
    let mut path = String::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if let Some((_, file)) = line
            .strip_prefix("ROUTINE ")
            .and_then(|rest| rest.rsplit_once(" in "))
        {
            file.clone_into(&mut path);
            continue;
        }
        let Some((numbers, _)) = line.split_once(':') else {
            continue;
        };
        let columns: Vec<_> = numbers.split_whitespace().collect();
        let [_, cumulative, number] = *columns else {
            continue;
        };
        let cumulative = cumulative.trim_end_matches('B').parse::<i64>();
        if let (Ok(cumulative), Ok(number), true) =
            (cumulative, number.parse(), path.ends_with(".go"))
        {
            *sums.entry((path.clone(), number)).or_default() += cumulative;
        }
    }
    Ok(sums)
}

/// A row of the table.
#[derive(Debug, Default)]
struct Row {
    placed: Placed,
    /// Lines whose sums were compared with those of `-raw`, and how many differ.
    raw: (usize, usize),
    /// The same for `-list`.
    list: (usize, usize),
}

/// How many entries differ, and how many there are.
fn differing<K: Ord, V: PartialEq>(a: &BTreeMap<K, V>, b: &BTreeMap<K, V>) -> (usize, usize) {
    let keys: BTreeSet<_> = a.keys().chain(b.keys()).collect();
    let differ = keys.iter().filter(|key| a.get(**key) != b.get(**key));
    (keys.len(), differ.count())
}

/// Places all profiles of a build in code that may have changed since.
fn row(go: &Go, built: &Built, since: Since, scratch: &Path) -> Result<Row> {
    let looked = Looked::new(built, since, &scratch.join("looked"))?;
    let mut row = Row::default();
    for (name, bytes) in &built.profiles {
        let profile = profile(bytes)?;
        let text = name.contains("debug=");
        // Text does not say where functions begin, so that nothing can be told about lines that moved.
        if !(text && since.edited()) {
            row.placed.add(placed(built, &looked, &profile));
        }
        if text || since.edited() {
            continue;
        }
        let file = scratch.join("profile.pb.gz");
        fs::write(&file, bytes)?;
        let theirs = sums_of_samples(built, &looked, &raw_samples(go, &file)?);
        let weights = weigh(
            &profile,
            &Resolver::new(&looked.code, &[]).resolve(&profile),
        );
        let ours = sums_of_weights(&weights);
        let (all, differ) = differing(&ours, &theirs);
        row.raw.0 += all;
        row.raw.1 += differ;
        if since != Since::Nothing || built.build.name != "plain" {
            continue;
        }
        for (index, ty) in profile.types.iter().enumerate() {
            let mut theirs = listed(go, &file, &ty.name)?;
            // Literals of inlined library functions are called after the service, too.
            theirs.retain(|(path, _), _| path.starts_with(&looked.root));
            let ours: BTreeMap<_, _> = weights
                .lines
                .iter()
                .map(|line| {
                    let at = (line.place.path.to_string(), line.place.line);
                    (at, line.through[index])
                })
                // What is not Go cannot be listed.
                .filter(|((path, _), sum)| *sum != 0 && path.ends_with(".go"))
                .collect();
            let (all, differ) = differing(&ours, &theirs);
            row.list.0 += all;
            row.list.1 += differ;
        }
    }
    if since != Since::Nothing {
        fs::remove_dir_all(scratch.join("looked"))?;
    }
    Ok(row)
}

/// All ways, with a table.
pub fn run(go: &Go) -> Outcome {
    println!(
        "\n| built | looked at | frames of samples | right function | right line | elsewhere, called exact | others in the code | lines: sums as -raw | as -list |\n|---|---|---|---|---|---|---|---|---|"
    );
    let mut wrong = Vec::new();
    for build in BUILDS {
        let scratch = tempfile::tempdir()?;
        let scratch = scratch.path().canonicalize()?;
        let built = built(go, build, &scratch.join("built"))?;
        for since in [
            Since::Nothing,
            Since::Elsewhere,
            Since::Moved,
            Since::Changed,
        ] {
            if since == Since::Elsewhere {
                fs::remove_dir_all(&built.from)?;
            }
            let row = row(go, &built, since, &scratch)?;
            let Placed {
                all,
                function,
                line,
                mistaken,
                strange,
            } = row.placed;
            let equal = |(all, differ): (usize, usize)| match all {
                0 => "-".to_owned(),
                _ => format!("{} of {all}", all - differ),
            };
            println!(
                "| {} | {} | {all} | {function} ({:.2} %) | {line} ({:.2} %) | {mistaken} | {strange} | {} | {} |",
                build.name,
                since.name(),
                function as f64 * 100.0 / all as f64,
                line as f64 * 100.0 / all as f64,
                equal(row.raw),
                equal(row.list),
            );
            if !is_right(&row, since) {
                wrong.push(format!("{}, {}", build.name, since.name()));
            }
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!("not as expected: {}", wrong.join("; ")).into())
    }
}

/// Every function, and of what was not edited 99 of 100 lines at least; sums that are those of Go's tool.
fn is_right(row: &Row, since: Since) -> bool {
    let Placed {
        all,
        function,
        line,
        strange,
        ..
    } = row.placed;
    let lines = since.edited() || line * 100 >= all * 99;
    all > 0 && function == all && lines && strange == 0 && row.raw.1 == 0 && row.list.1 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_the_service_are_on_their_lines() {
        let Some(go) = Go::find(None) else {
            eprintln!("skipped: no Go toolchain; install one or set STOPLEAK_GO");
            return;
        };
        let scratch = tempfile::tempdir().unwrap();
        let scratch = scratch.path().canonicalize().unwrap();
        let built = built(&go, BUILDS[0], &scratch.join("built")).unwrap();
        for since in [
            Since::Nothing,
            Since::Elsewhere,
            Since::Moved,
            Since::Changed,
        ] {
            if since == Since::Elsewhere {
                fs::remove_dir_all(&built.from).unwrap();
            }
            let row = row(&go, &built, since, &scratch).unwrap();
            assert!(is_right(&row, since), "{since:?}: {row:?}");
        }
    }
}
