//! `stopleak profile`: evidence from running programs on source lines, next to what the analysis found there.

mod code;
mod fetch;
mod json;
mod text;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use leak_evidence::{
    Evidence, Family, Finding, Growth, Join, Kind, Level, LineRef, Resolver, Series, Strength,
    Thresholds, Weights, join, read, weigh,
};
use leak_rules::Diagnostic;

use self::code::Code;
use crate::cli::{ProfileArgs, ProfileFormat};
use crate::command::check::findings_in;
use crate::exit::{Failure, Outcome, Status};
use crate::output::{Checked, Report, bytes, line_column};
use crate::{interrupt, terminal};

/// A profile with its name.
struct Loaded {
    source: String,
    weights: Weights,
}

/// What one kind of profile shows: the last one, and what came before.
struct Group {
    source: String,
    weights: Weights,
    /// What it is compared with, and how it grew since.
    base: Option<(String, Growth)>,
    /// If there are several.
    series: Option<Series>,
}

/// Everything that is shown.
struct Shown {
    groups: Vec<Group>,
    findings: Vec<Finding>,
    report: Report,
    join: Join,
    thresholds: Thresholds,
}

impl Shown {
    /// The level of a line.
    fn level(&self, at: LineRef) -> Option<Level> {
        let group = &self.groups[at.profile];
        let line = &group.weights.lines[at.line];
        let growth = group.base.as_ref().map(|(_, growth)| growth);
        self.thresholds.level(&group.weights, line, growth)
    }

    /// The findings that a line is evidence for, with what it says about them.
    fn findings_on(&self, at: LineRef) -> impl Iterator<Item = (usize, Strength)> {
        self.join
            .confirmed
            .iter()
            .chain(&self.join.suspected)
            .flat_map(|joined| {
                joined
                    .support
                    .iter()
                    .map(|support| (joined.finding, *support))
            })
            .filter(move |(_, support)| support.line == at)
            .map(|(finding, support)| (finding, support.strength))
    }

    /// The file and the diagnostic of a finding.
    fn diagnostic(&self, finding: usize) -> Option<(&Checked, &Diagnostic)> {
        self.report.findings().nth(finding)
    }
}

/// Runs the command.
pub fn run(args: &ProfileArgs) -> Outcome {
    interrupt::install();
    let code = Code::find(&args.dir)?;
    let path_map = path_map(&args.path_map)?;
    let mut loaded = Vec::new();
    for input in &args.inputs {
        loaded.extend(load(input, args, &code, &path_map)?);
    }
    let base = match &args.base {
        Some(input) => load(input, args, &code, &path_map)?,
        None => Vec::new(),
    };
    if interrupt::stopped() {
        return Ok(Status::Interrupted);
    }
    let has_base = args.base.is_some();
    let groups = groups(loaded, base);
    for group in &groups {
        warn(group, has_base);
    }
    let report = if args.no_check {
        Report::default()
    } else {
        findings_in(files_with_evidence(&groups))?
    };
    let findings = findings(&report);
    let thresholds = Thresholds {
        goroutines: args.goroutines,
        many_goroutines: args.goroutines.saturating_mul(10),
        memory: args.memory,
        ..Thresholds::default()
    };
    let evidence: Vec<_> = groups
        .iter()
        .map(|group| Evidence {
            weights: &group.weights,
            growth: group.base.as_ref().map(|(_, growth)| growth),
        })
        .collect();
    let join = join(&findings, &evidence, &thresholds);
    let shown = Shown {
        groups,
        findings,
        report,
        join,
        thresholds,
    };
    let mut out = io::BufWriter::new(anstream::AutoStream::auto(io::stdout()).lock());
    match args.format {
        ProfileFormat::Full => {
            text::write(&mut out, &shown, &code, args, io::stdout().is_terminal())?;
        }
        ProfileFormat::Json => json::write(&mut out, &shown)?,
    }
    out.flush()?;
    Ok(status(&shown, args))
}

fn status(shown: &Shown, args: &ProfileArgs) -> Status {
    let warning = shown.groups.iter().enumerate().any(|(profile, group)| {
        (0..group.weights.lines.len())
            .any(|line| shown.level(LineRef { profile, line }) == Some(Level::Warning))
    });
    if warning && !args.exit_zero {
        Status::Findings
    } else {
        Status::Clean
    }
}

fn path_map(given: &[String]) -> Result<Vec<(String, String)>, String> {
    let pair = |text: &String| {
        let (from, to) = text
            .split_once('=')
            .ok_or_else(|| format!("`{text}` should be RECORDED=LOCAL"))?;
        let local = go_model::db::normalize(Path::new(to));
        Ok((from.to_owned(), code::with_slashes(&local)))
    };
    given.iter().map(pair).collect()
}

/// Reads an input and places what is in it.
fn load(
    input: &str,
    args: &ProfileArgs,
    code: &Code,
    path_map: &[(String, String)],
) -> Result<Vec<Loaded>, Failure> {
    let reader = fetch::open(input, args.allow_remote)?;
    let profiles = read(reader).map_err(|error| format!("`{input}`: {error}"))?;
    let resolver = Resolver::new(code, path_map);
    let place = |profile| {
        let mut weights = weigh(profile, &resolver.resolve(profile));
        weights.forgive_timers(code);
        Loaded {
            source: input.to_owned(),
            weights,
        }
    };
    Ok(profiles.iter().map(place).collect())
}

/// Profiles of the same kind are one group, in the order in which they were taken.
fn groups(loaded: Vec<Loaded>, base: Vec<Loaded>) -> Vec<Group> {
    let mut kinds: Vec<Vec<Loaded>> = Vec::new();
    for next in loaded {
        let same = |known: &&mut Vec<Loaded>| {
            let weights = &known[0].weights;
            weights.kind == next.weights.kind && weights.types == next.weights.types
        };
        match kinds.iter_mut().find(same) {
            Some(known) => known.push(next),
            None => kinds.push(vec![next]),
        }
    }
    kinds
        .into_iter()
        .filter_map(|mut series| {
            if series.iter().all(|one| one.weights.time.is_some()) {
                series.sort_by_key(|one| one.weights.time);
            }
            let all: Vec<_> = series.iter().map(|one| &one.weights).collect();
            let over_time = (all.len() > 1).then(|| Series::of(&all));
            let last = series.pop()?;
            let base = base
                .iter()
                .filter(|base| base.weights.kind == last.weights.kind)
                .chain(series.first())
                .find_map(|base| {
                    let growth = Growth::between(&base.weights, &last.weights)?;
                    Some((base.source.clone(), growth))
                });
            Some(Group {
                source: last.source,
                weights: last.weights,
                base,
                series: over_time,
            })
        })
        .collect()
}

/// What makes the numbers less than they seem goes to stderr.
fn warn(group: &Group, has_base: bool) {
    let source = &group.source;
    if let Some(cut) = group.weights.truncated {
        terminal::warning(&format!("`{source}`: {cut}; numbers are lower bounds"));
    }
    if let Kind::Other(name) = &group.weights.kind {
        terminal::warning(&format!(
            "`{source}`: a profile of `{name}` says nothing about leaks"
        ));
    }
    match &group.base {
        None if has_base => terminal::warning(&format!(
            "`{source}`: the base has no `{}` profile to compare it with",
            group.weights.kind.name()
        )),
        Some((base, growth)) if growth.in_order == Some(false) => terminal::warning(&format!(
            "`{source}` was taken before `{base}`: what grew is not judged"
        )),
        _ => {}
    }
}

fn files_with_evidence(groups: &[Group]) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = groups
        .iter()
        .flat_map(|group| &group.weights.lines)
        .map(|line| PathBuf::from(&*line.place.path))
        .filter(|path| path.extension().is_some_and(|ext| ext == "go"))
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

/// The findings by their lines, in the order of the report.
fn findings(report: &Report) -> Vec<Finding> {
    report
        .findings()
        .map(|(file, finding)| {
            let range = bytes(finding.range, &file.text);
            let line =
                |text: &str, at: usize| u32::try_from(line_column(text, at).0).unwrap_or(u32::MAX);
            let related = finding.related.iter().filter_map(|step| {
                let (path, text): (&Path, &str) = match &step.file {
                    None => (&file.path, &file.text),
                    Some(other) => {
                        let (_, text) = report.others.get(other)?;
                        (other, text)
                    }
                };
                let at = bytes(step.range, text).start;
                Some((code::with_slashes(path), line(text, at)))
            });
            let family = leak_rules::rule(finding.rule).map(|rule| rule.family);
            Finding {
                rule: finding.rule.to_owned(),
                family: match family {
                    Some(leak_rules::Family::Goroutines) => Family::Goroutines,
                    Some(leak_rules::Family::Memory) => Family::Memory,
                    Some(leak_rules::Family::Resources) | None => Family::Resources,
                },
                path: code::with_slashes(&file.path),
                lines: (line(&file.text, range.start), line(&file.text, range.end)),
                related: related.collect(),
            }
        })
        .collect()
}
