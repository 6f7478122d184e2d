//! Findings of the analysis and evidence of the running program on the same lines.

use serde::Serialize;

use crate::growth::Growth;
use crate::profile::Kind;
use crate::weigh::{Line, Weights};

/// From how much on a line is of interest. The defaults are those of published practice where there is any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thresholds {
    /// Goroutines that the runtime or goleak found to be stuck: a warning.
    pub leaked: i64,
    /// Goroutines blocked on one line: information.
    pub goroutines: i64,
    /// Goroutines blocked on one line: a warning.
    pub many_goroutines: i64,
    /// Goroutines that have waited for so many minutes are a warning if they are more than in the base.
    pub wait_minutes: u32,
    /// Bytes in use that were allocated on one line: information. Sampled estimates below are noise.
    pub memory: i64,
    /// Things of a profile of the program's own (or threads) open on one line: information, and a warning if they grow.
    pub open: i64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            leaked: 1,
            goroutines: 100,
            many_goroutines: 1000,
            wait_minutes: 10,
            memory: 1 << 20,
            open: 100,
        }
    }
}

/// How much attention a line deserves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth to know.
    Information,
    /// A leak, or very likely one.
    Warning,
}

impl Thresholds {
    /// The level of a line of a profile; `None` if it is not worth showing.
    pub fn level(&self, weights: &Weights, line: &Line, growth: Option<&Growth>) -> Option<Level> {
        let weight = weights.weight(line);
        let growth = growth.filter(|growth| growth.in_order != Some(false));
        let grew = growth.is_some_and(|growth| {
            growth.of(&line.place.path, line.place.line, weights.main_type) > 0
        });
        let level = |warning: bool, information: bool| {
            if warning {
                Some(Level::Warning)
            } else {
                information.then_some(Level::Information)
            }
        };
        match &weights.kind {
            Kind::GoroutineLeak | Kind::Goleak => level(weight >= self.leaked, false),
            Kind::Sanitizer => level(weight > 0, false),
            Kind::Goroutine => {
                let counts = line.goroutines.as_ref()?;
                let blocked = weight.saturating_sub(counts.innocent);
                // One that was started once and works for ever is what servers are made of.
                let stuck = grew && blocked > 1 && counts.longest >= self.wait_minutes;
                level(
                    counts.leaked >= self.leaked || blocked >= self.many_goroutines || stuck,
                    blocked >= self.goroutines,
                )
            }
            Kind::Heap => level(false, weight >= self.memory),
            Kind::Open(_) | Kind::ThreadCreate => {
                let many = weight >= self.open;
                level(many && grew, many)
            }
            Kind::Allocs | Kind::Other(_) => None,
        }
    }
}

/// The family of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Something acquired was never released.
    Resources,
    /// Something waits for ever.
    Goroutines,
    /// Something is still referenced.
    Memory,
}

impl Family {
    /// Whether a profile of this kind can show what rules of the family are about.
    fn is_shown_by(self, kind: &Kind) -> bool {
        match self {
            Self::Goroutines => kind.is_goroutines(),
            Self::Memory => matches!(kind, Kind::Heap | Kind::Sanitizer),
            // Goroutines wait for what was never closed (rows, tickers, bodies); what is open is in use.
            Self::Resources => {
                kind.is_goroutines() || matches!(kind, Kind::Heap | Kind::Sanitizer | Kind::Open(_))
            }
        }
    }
}

/// A finding of the analysis, as much of it as is needed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: String,
    /// Its family.
    pub family: Family,
    /// The file, absolute, with `/`.
    pub path: String,
    /// First and last line of where it was acquired, started or grown.
    pub lines: (u32, u32),
    /// Lines of the path of the leak.
    pub related: Vec<(String, u32)>,
}

impl Finding {
    fn is_on(&self, path: &str, line: u32) -> bool {
        // A range may hold the body of a whole literal; evidence inside is evidence for it.
        (self.path == path && (self.lines.0..=self.lines.1).contains(&line))
            || self
                .related
                .iter()
                .any(|(related, at)| related == path && *at == line)
    }
}

/// How much evidence says about a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Strength {
    /// Something is there, less than the thresholds.
    Seen,
    /// The line is over a threshold.
    Strong,
    /// The runtime or a checker proved it.
    Certain,
}

/// A line of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LineRef {
    /// Which of the profiles.
    pub profile: usize,
    /// Which of its lines.
    pub line: usize,
}

/// Evidence for a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Support {
    /// Where it is.
    pub line: LineRef,
    /// How much it says.
    pub strength: Strength,
}

/// A finding with its evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Which of the findings.
    pub finding: usize,
    /// Strongest first; none if the profiles show nothing of it.
    pub support: Vec<Support>,
}

impl Joined {
    /// The running program shows what the analysis found.
    pub fn is_confirmed(&self) -> bool {
        self.strength() >= Some(Strength::Strong)
    }

    /// That of the strongest evidence.
    pub fn strength(&self) -> Option<Strength> {
        self.support.first().map(|support| support.strength)
    }
}

/// Findings and lines put together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Join {
    /// Findings that the running program confirms, in their order.
    pub confirmed: Vec<Joined>,
    /// Findings that it does not confirm. It may just not have run that code, so it does not refute them either.
    pub suspected: Vec<Joined>,
    /// Lines over a threshold without a finding, in the order of profiles and lines.
    pub runtime_only: Vec<(LineRef, Level)>,
}

/// A profile with what it is compared with.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The profile.
    pub weights: &'a Weights,
    /// What grew since the base.
    pub growth: Option<&'a Growth>,
}

/// Puts findings and evidence together.
pub fn join(findings: &[Finding], evidence: &[Evidence<'_>], thresholds: &Thresholds) -> Join {
    let mut join = Join::default();
    let mut explained = rustc_hash::FxHashSet::default();
    for (index, finding) in findings.iter().enumerate() {
        let mut support = support(finding, evidence, thresholds);
        support.sort_by_key(|support| {
            let LineRef { profile, line } = support.line;
            (std::cmp::Reverse(support.strength), profile, line)
        });
        explained.extend(support.iter().map(|support| support.line));
        let joined = Joined {
            finding: index,
            support,
        };
        if joined.is_confirmed() {
            join.confirmed.push(joined);
        } else {
            join.suspected.push(joined);
        }
    }
    for (profile, evidence) in evidence.iter().enumerate() {
        for (line, weighed) in evidence.weights.lines.iter().enumerate() {
            let at = LineRef { profile, line };
            if explained.contains(&at) {
                continue;
            }
            let level = thresholds.level(evidence.weights, weighed, evidence.growth);
            join.runtime_only.extend(level.map(|level| (at, level)));
        }
    }
    join
}

fn support(finding: &Finding, evidence: &[Evidence<'_>], thresholds: &Thresholds) -> Vec<Support> {
    let mut found = Vec::new();
    for (profile, evidence) in evidence.iter().enumerate() {
        if !finding.family.is_shown_by(&evidence.weights.kind) {
            continue;
        }
        for line in 0..evidence.weights.lines.len() {
            if let Some(strength) = strength(finding, evidence, line, thresholds) {
                let line = LineRef { profile, line };
                found.push(Support { line, strength });
            }
        }
    }
    found
}

/// What a line of a profile says about a finding, if it says anything.
pub fn strength(
    finding: &Finding,
    evidence: &Evidence<'_>,
    line: usize,
    thresholds: &Thresholds,
) -> Option<Strength> {
    let weights = evidence.weights;
    let line = weights.lines.get(line)?;
    if !finding.family.is_shown_by(&weights.kind) || !concerns(finding, line) {
        return None;
    }
    let leaked = line.goroutines.as_ref().map_or(0, |counts| counts.leaked);
    let innocent = line.goroutines.as_ref().map_or(0, |counts| counts.innocent);
    let weight = weights.weight(line);
    if weight <= 0 {
        None
    } else if weights.kind.is_certain() || leaked > 0 {
        Some(Strength::Certain)
    } else if thresholds.level(weights, line, evidence.growth).is_some() {
        Some(Strength::Strong)
    } else {
        (weight > innocent).then_some(Strength::Seen)
    }
}

/// Whether a line, or a `go` statement that started its goroutines, is one of the finding's.
fn concerns(finding: &Finding, line: &Line) -> bool {
    finding.is_on(&line.place.path, line.place.line)
        || line.goroutines.as_ref().is_some_and(|counts| {
            counts
                .creators
                .keys()
                .any(|(path, at)| finding.is_on(path, *at))
        })
}
