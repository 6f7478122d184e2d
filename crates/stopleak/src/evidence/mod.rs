//! Evidence from running programs, for the commands that show it: read, placed on source lines, joined with what the analysis found
//! there.

pub use stopleak_evidence::{Code, Group, fetch, groups, input, load, path_map, words};

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use leak_evidence::{Evidence, Finding, Join, Kind, Level, LineRef, Strength, Thresholds, join};
use leak_rules::Diagnostic;

use self::words::{Words, display, says};
use crate::command::check::findings_in;
use crate::exit::Failure;
use crate::interrupt;
use crate::output::{Checked, Report, severity_name};

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

/// The code below a folder.
///
/// # Errors
/// The folder does not exist.
pub fn find_code(folder: &Path) -> Result<Code, String> {
    Code::find(&[folder.to_path_buf()], &interrupt::stopped)
}

/// Why an input gave nothing, with the option that helps.
pub fn with_hint(message: String) -> Failure {
    if message.ends_with(fetch::ELSEWHERE) {
        format!("{message}; --allow-remote fetches it all the same").into()
    } else {
        message.into()
    }
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

    /// What is said about a line; paths are shown relative to `base`.
    pub fn words<'a>(&'a self, at: LineRef, base: &'a Path) -> Words<'a> {
        Words::new(&self.groups[at.profile], at.line, base)
    }

    /// The findings on a line, with where they are explained.
    pub fn finding_notes(
        &self,
        at: LineRef,
        base: &Path,
        page: impl Fn(&str) -> String,
    ) -> Vec<String> {
        self.findings_on(at)
            .filter_map(|(finding, strength)| {
                let (_, found) = self.diagnostic(finding)?;
                let place = &self.findings.lines[finding];
                Some(format!(
                    "{} `{}` ({}) at {}: {}{}",
                    says(strength),
                    found.rule,
                    severity_name(found.severity),
                    display(&place.path, place.lines.0, base),
                    found.message,
                    page(found.rule)
                ))
            })
            .collect()
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

/// The findings by their lines, in the order of the report.
fn by_lines(report: &Report) -> Vec<Finding> {
    let other = |path: &Path| {
        let (_, text) = report.others.get(&path.to_path_buf())?;
        Some(text.clone())
    };
    report
        .findings()
        .map(|(file, found)| stopleak_evidence::finding(&file.path, &file.text, found, other))
        .collect()
}
