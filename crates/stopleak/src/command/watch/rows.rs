//! What is shown of a look.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use leak_evidence::{Kind, Level, LineRef, Strength};

use crate::evidence::words::{amount, change, heading, says, unit};
use crate::evidence::{Code, Group, Shown};
use crate::output;

/// So many lines are shown at most.
const MAX_ROWS: usize = 200;
/// Memory that grows by less than this share of what is worth showing is noise of the sampling.
const NOISE: i64 = 8;
/// Goroutines on a line are told beside those that are stuck there for ever if they are more by this part.
const MORE: i64 = 8;

/// What the program said at one time.
#[derive(Debug, Default)]
pub struct Look {
    /// From 1.
    pub number: u64,
    /// Since the first one.
    pub elapsed: Duration,
    /// One for each kind.
    pub panels: Vec<Panel>,
    /// The lines that grow or deserve attention, the worst first.
    pub rows: Vec<Row>,
    /// What could not be done.
    pub problems: Vec<String>,
}

/// One kind over time.
#[derive(Debug, Default)]
pub struct Panel {
    /// What it is.
    pub heading: String,
    /// For its colour.
    pub tone: Tone,
    /// How much it is now.
    pub now: String,
    /// Since the first look.
    pub change: String,
    /// The largest value as it is shown.
    pub most: String,
    /// Seconds and values.
    pub points: Vec<(f64, f64)>,
    /// Why there is nothing to see.
    pub absent: Option<&'static str>,
}

/// What a colour stands for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Certainly a leak.
    Leaked,
    /// Goroutines.
    #[default]
    Goroutines,
    /// Memory.
    Memory,
}

/// A line of the code.
#[derive(Debug, Default)]
pub struct Row {
    /// For its colour.
    pub tone: Tone,
    /// It is a warning.
    pub warning: bool,
    /// It grows.
    pub grows: bool,
    /// How much it is now.
    pub now: String,
    /// Since the first look.
    pub change: String,
    /// One for each look.
    pub values: Vec<i64>,
    /// File and line.
    pub place: String,
    /// The line itself.
    pub source: String,
    /// How many of what do what.
    pub title: String,
    /// The rules of findings there, with what it says about them.
    pub findings: Vec<(String, &'static str)>,
    /// More about it.
    pub notes: Vec<String>,
}

fn tone(kind: &Kind) -> Tone {
    match kind {
        _ if kind.is_certain() => Tone::Leaked,
        _ if kind.is_memory() => Tone::Memory,
        _ => Tone::Goroutines,
    }
}

/// One for each kind, memory first.
pub fn panels(shown: &Shown, leaks_absent: bool) -> Vec<Panel> {
    let mut groups: Vec<&Group> = shown.groups.iter().collect();
    groups.sort_by_key(|group| match tone(&group.weights.kind) {
        Tone::Memory => 0,
        Tone::Goroutines => 1,
        Tone::Leaked => 2,
    });
    let mut panels: Vec<Panel> = groups.into_iter().filter_map(panel).collect();
    if leaks_absent {
        panels.push(Panel {
            heading: heading(&Kind::GoroutineLeak),
            tone: Tone::Leaked,
            absent: Some("needs Go 1.27, or 1.26 with GOEXPERIMENT=goroutineleakprofile"),
            ..Panel::default()
        });
    }
    panels
}

fn panel(group: &Group) -> Option<Panel> {
    let series = group.series.as_ref()?;
    let unit = unit(&group.weights);
    let first = series.totals.first().copied()?;
    let last = series.totals.last().copied()?;
    let most = series.totals.iter().copied().max()?;
    let seconds = series
        .times
        .iter()
        .map(|time| time.unwrap_or(0) as f64 / 1e9);
    let values = series.totals.iter().map(|value| *value as f64);
    Some(Panel {
        heading: heading(&group.weights.kind),
        tone: tone(&group.weights.kind),
        now: amount(last, unit),
        change: change(last.saturating_sub(first), unit),
        most: amount(most, unit),
        points: seconds.zip(values).collect(),
        absent: None,
    })
}

/// The lines that grow or deserve attention.
pub fn rows(shown: &Shown, code: &Code) -> Vec<Row> {
    let mut found = Vec::new();
    for profile in 0..shown.groups.len() {
        for line in 0..shown.groups[profile].weights.lines.len() {
            let at = LineRef { profile, line };
            if let Some(one) = rank(shown, at) {
                found.push((one, at));
            }
        }
    }
    // Goroutines that are known to be stuck for ever need not be told a second time.
    let stuck: HashMap<(Arc<str>, u32), i64> = found
        .iter()
        .filter(|(_, at)| shown.groups[at.profile].weights.kind == Kind::GoroutineLeak)
        .map(|(_, at)| (place_of(shown, *at), weight_of(shown, *at)))
        .collect();
    found.retain(|(_, at)| {
        shown.groups[at.profile].weights.kind != Kind::Goroutine
            || stuck
                .get(&place_of(shown, *at))
                .is_none_or(|stuck| weight_of(shown, *at).saturating_sub(*stuck) > stuck / MORE)
    });
    found.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.profile.cmp(&b.1.profile)));
    found
        .into_iter()
        .take(MAX_ROWS)
        .map(|(_, at)| row(shown, code, at))
        .collect()
}

fn place_of(shown: &Shown, at: LineRef) -> (Arc<str>, u32) {
    let place = &shown.groups[at.profile].weights.lines[at.line].place;
    (place.path.clone(), place.line)
}

fn weight_of(shown: &Shown, at: LineRef) -> i64 {
    let weights = &shown.groups[at.profile].weights;
    weights.weight(&weights.lines[at.line])
}

/// What comes first: warnings, what a finding explains, what grows, more of it.
type Rank = (
    Reverse<bool>,
    Reverse<bool>,
    Reverse<bool>,
    u8,
    Reverse<i64>,
    Reverse<i64>,
);

/// `None` if the line is not worth showing.
fn rank(shown: &Shown, at: LineRef) -> Option<Rank> {
    let group = &shown.groups[at.profile];
    let weights = &group.weights;
    let line = &weights.lines[at.line];
    let weight = weights.weight(line);
    let innocent = line.goroutines.as_ref().map_or(0, |counts| counts.innocent);
    if weight <= innocent {
        return None;
    }
    let level = shown.level(at);
    let found = shown
        .findings_on(at)
        .any(|(_, strength)| strength >= Strength::Strong);
    let by = group.base.as_ref().map_or(0, |(_, growth)| {
        growth.of(&line.place.path, line.place.line, weights.main_type)
    });
    let noise = if weights.kind.is_memory() {
        shown.thresholds.memory / NOISE
    } else {
        0
    };
    let grows = by > noise && grows(group, at);
    if level.is_none() && !found && !grows {
        return None;
    }
    let kind = match tone(&weights.kind) {
        Tone::Leaked => 0,
        Tone::Goroutines => 1,
        Tone::Memory => 2,
    };
    Some((
        Reverse(level == Some(Level::Warning)),
        Reverse(found),
        Reverse(grows),
        kind,
        Reverse(by),
        Reverse(weight),
    ))
}

fn series_of(group: &Group, at: LineRef) -> Option<&leak_evidence::SeriesLine> {
    let place = &group.weights.lines[at.line].place;
    let series = group.series.as_ref()?;
    // Sorted by path and line.
    let key = |line: &leak_evidence::SeriesLine| (line.path.clone(), line.line);
    let wanted = (place.path.clone(), place.line);
    let found = series.lines.binary_search_by_key(&wanted, key).ok()?;
    series.lines.get(found)
}

fn grows(group: &Group, at: LineRef) -> bool {
    series_of(group, at).is_some_and(leak_evidence::SeriesLine::grows)
}

fn row(shown: &Shown, code: &Code, at: LineRef) -> Row {
    let group = &shown.groups[at.profile];
    let weights = &group.weights;
    let line = &weights.lines[at.line];
    let base = output::base();
    let words = shown.words(at, &base);
    let text = code.text(&line.place.path);
    let number = line.place.line as usize;
    let source = text
        .lines()
        .nth(number.saturating_sub(1))
        .unwrap_or_default();
    let findings = shown.findings_on(at).filter_map(|(finding, strength)| {
        let (_, found) = shown.diagnostic(finding)?;
        Some((found.rule.to_owned(), says(strength)))
    });
    let mut notes = shown.finding_notes(at, &base, |_| String::new());
    notes.extend(words.notes());
    Row {
        tone: tone(&weights.kind),
        warning: shown.level(at) == Some(Level::Warning),
        grows: grows(group, at),
        now: amount(weights.weight(line), unit(weights)),
        change: words
            .growth()
            .map_or_else(String::new, |by| change(by, unit(weights))),
        values: series_of(group, at).map_or_else(Vec::new, |line| line.values.clone()),
        place: words.display(&line.place.path, line.place.line),
        source: source.trim().to_owned(),
        title: words.title(),
        findings: findings.collect(),
        notes,
    }
}
