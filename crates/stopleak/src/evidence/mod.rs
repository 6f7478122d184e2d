//! Evidence from running programs, for the commands that show it: read, placed on source lines, joined with what the analysis found
//! there.

pub mod code;
pub mod fetch;
pub mod flame;
pub mod words;

use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use leak_evidence::{
    Evidence, Family, Finding, Growth, Join, Kind, Level, LineRef, Resolver, Series, Strength,
    Thresholds, Weights, join, read, weigh,
};
use leak_rules::Diagnostic;

use self::code::Code;
use self::flame::Tree;
use crate::command::check::findings_in;
use crate::exit::Failure;
use crate::output::{Checked, Report, bytes, line_column};

/// A profile with its name.
pub struct Loaded {
    /// Where it comes from.
    pub source: String,
    /// What it shows on the lines.
    pub weights: Weights,
    /// All its stacks; only if somebody draws them.
    pub tree: Option<Tree>,
}

/// What one kind of profile shows: the last one, and what came before.
pub struct Group {
    /// Where the last one comes from.
    pub source: String,
    /// What the last one shows.
    pub weights: Weights,
    /// What it is compared with, and how it grew since.
    pub base: Option<(String, Growth)>,
    /// If there are several.
    pub series: Option<Series>,
    /// The stacks of the last one, or what they have more than those of the base.
    pub tree: Option<Tree>,
}

/// The findings in the files that there is evidence for.
#[derive(Default)]
pub struct Findings {
    /// As the analysis reports them.
    pub report: Report,
    /// The same by their lines, in the order of the report.
    pub lines: Vec<Finding>,
    /// Files that were looked at.
    files: HashSet<PathBuf>,
}

/// Everything that is shown.
pub struct Shown {
    /// One for each kind.
    pub groups: Vec<Group>,
    /// What the analysis found.
    pub findings: Arc<Findings>,
    /// Both put together.
    pub join: Join,
    /// From how much on something is shown.
    pub thresholds: Thresholds,
}

impl Shown {
    /// Puts profiles and findings together.
    pub fn new(groups: Vec<Group>, findings: Arc<Findings>, thresholds: Thresholds) -> Self {
        let evidence: Vec<_> = groups
            .iter()
            .map(|group| Evidence {
                weights: &group.weights,
                growth: group.base.as_ref().map(|(_, growth)| growth),
            })
            .collect();
        let join = join(&findings.lines, &evidence, &thresholds);
        Self {
            groups,
            findings,
            join,
            thresholds,
        }
    }

    /// The level of a line.
    pub fn level(&self, at: LineRef) -> Option<Level> {
        let group = &self.groups[at.profile];
        let line = &group.weights.lines[at.line];
        let growth = group.base.as_ref().map(|(_, growth)| growth);
        self.thresholds.level(&group.weights, line, growth)
    }

    /// The findings that a line is evidence for, with what it says about them.
    pub fn findings_on(&self, at: LineRef) -> impl Iterator<Item = (usize, Strength)> {
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
    pub fn diagnostic(&self, finding: usize) -> Option<(&Checked, &Diagnostic)> {
        self.findings.report.findings().nth(finding)
    }

    /// Lines that deserve it, and those with findings. Kinds without thresholds have been asked for by name.
    pub fn is_shown(&self, at: LineRef, all: bool) -> bool {
        let weights = &self.groups[at.profile].weights;
        let line = &weights.lines[at.line];
        if weights.weight(line) == 0 {
            return false;
        }
        all || matches!(weights.kind, Kind::Allocs | Kind::Other(_))
            || self.level(at).is_some()
            || self
                .findings_on(at)
                .any(|(_, strength)| strength >= Strength::Strong)
    }

    /// The lines of a profile that are shown, heaviest first.
    pub fn lines(&self, profile: usize, all: bool) -> Vec<LineRef> {
        (0..self.groups[profile].weights.lines.len())
            .map(|line| LineRef { profile, line })
            .filter(|at| self.is_shown(*at, all))
            .collect()
    }

    /// Something is at the level of a warning.
    pub fn has_warning(&self) -> bool {
        self.groups.iter().enumerate().any(|(profile, group)| {
            (0..group.weights.lines.len())
                .any(|line| self.level(LineRef { profile, line }) == Some(Level::Warning))
        })
    }
}

impl Findings {
    /// Looks at the files with evidence that were not looked at before. Whether there were any.
    ///
    /// # Errors
    /// A configuration cannot be read.
    pub fn look_at(&mut self, groups: &[Group]) -> Result<bool, Failure> {
        let mut new: Vec<PathBuf> = groups
            .iter()
            .flat_map(|group| &group.weights.lines)
            .map(|line| PathBuf::from(&*line.place.path))
            .filter(|path| path.extension().is_some_and(|ext| ext == "go"))
            .filter(|path| !self.files.contains(path))
            .collect();
        new.sort();
        new.dedup();
        if new.is_empty() {
            return Ok(false);
        }
        self.files.extend(new.iter().cloned());
        let more = findings_in(new)?;
        self.lines.extend(by_lines(&more));
        self.report.files.extend(more.files);
        self.report.others.extend(more.others);
        Ok(true)
    }
}

/// Reads what is in an input and places it.
///
/// # Errors
/// There is no evidence in it.
pub fn load(
    source: &str,
    reader: impl Read,
    code: &Code,
    path_map: &[(String, String)],
    stacks: bool,
) -> Result<Vec<Loaded>, leak_evidence::Error> {
    let resolver = Resolver::new(code, path_map);
    let place = |profile: &leak_evidence::Profile| {
        let resolution = resolver.resolve(profile);
        let mut weights = weigh(profile, &resolution);
        weights.forgive_timers(code);
        Loaded {
            source: source.to_owned(),
            weights,
            tree: stacks.then(|| Tree::of(profile, &resolution)),
        }
    };
    Ok(read(reader)?.iter().map(place).collect())
}

/// The pairs of `--map`.
///
/// # Errors
/// One is not a pair.
pub fn path_map(given: &[String]) -> Result<Vec<(String, String)>, String> {
    let pair = |text: &String| {
        let (from, to) = text
            .split_once('=')
            .filter(|(from, _)| !from.is_empty())
            .ok_or_else(|| format!("`{text}` should be RECORDED=LOCAL"))?;
        let local = go_model::db::normalize(Path::new(to));
        Ok((from.to_owned(), code::with_slashes(&local)))
    };
    given.iter().map(pair).collect()
}

/// Puts profiles of the same kind together, in the order in which they were taken, and compares the last one with its base, or else with
/// the first one.
pub fn groups(loaded: Vec<Loaded>, base: &[Loaded]) -> Vec<Group> {
    let mut kinds: Vec<Vec<Loaded>> = Vec::new();
    for next in loaded {
        match kinds.iter_mut().find(|known| same(&known[0], &next)) {
            Some(known) => known.push(next),
            None => kinds.push(vec![next]),
        }
    }
    kinds
        .into_iter()
        .filter_map(|series| group(series, base))
        .collect()
}

/// They count the same.
pub fn same(a: &Loaded, b: &Loaded) -> bool {
    a.weights.kind == b.weights.kind && a.weights.types == b.weights.types
}

fn group(mut series: Vec<Loaded>, base: &[Loaded]) -> Option<Group> {
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
            Some((base, growth))
        });
    let tree = last.tree.map(|tree| match &base {
        Some((
            Loaded {
                tree: Some(before), ..
            },
            growth,
        )) if growth.in_order != Some(false) => tree.since(before),
        _ => tree,
    });
    Some(Group {
        source: last.source,
        weights: last.weights,
        base: base.map(|(base, growth)| (base.source.clone(), growth)),
        series: over_time,
        tree,
    })
}

/// The findings by their lines, in the order of the report.
fn by_lines(report: &Report) -> Vec<Finding> {
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
