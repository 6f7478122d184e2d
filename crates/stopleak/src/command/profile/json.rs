//! The JSON of `stopleak profile`, a contract (docs/evidence.md). Lines count from 1; paths are as in `stopleak check`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use leak_evidence::{
    Anchor, Change, GoroutineCounts, Joined, Level, Line, LineRef, Operation, Origin, Stack,
    Strength, ValueType, Waits,
};
use serde::Serialize;

use crate::evidence::{Group, Shown};
use crate::files;
use crate::output::{self, severity_name};

#[derive(Serialize)]
struct Root<'a> {
    profiles: Vec<ProfileOut<'a>>,
    findings: Vec<FindingOut<'a>>,
}

#[derive(Serialize)]
struct ProfileOut<'a> {
    source: &'a str,
    kind: &'a str,
    time: Option<i64>,
    duration: Option<i64>,
    types: Vec<Type<'a>>,
    main: usize,
    truncated: Option<String>,
    totals: &'a [i64],
    elsewhere: &'a [i64],
    base: Option<Base<'a>>,
    lines: Vec<LineOut<'a>>,
    created: Vec<Place>,
    unplaced: Vec<Unplaced<'a>>,
    series: Option<SeriesOut<'a>>,
}

#[derive(Serialize)]
struct Type<'a> {
    name: &'a str,
    unit: &'a str,
}

#[derive(Serialize)]
struct Base<'a> {
    source: &'a str,
    totals: &'a [i64],
    before: Option<bool>,
}

#[derive(Serialize)]
struct LineOut<'a> {
    path: String,
    line: u32,
    function: &'a str,
    anchor: Anchor,
    changed: bool,
    level: Option<Level>,
    values: &'a [i64],
    through: &'a [i64],
    growth: Option<Vec<i64>>,
    goroutines: Option<Goroutines<'a>>,
    stacks: Vec<StackOut<'a>>,
    findings: Vec<usize>,
}

#[derive(Serialize)]
struct Goroutines<'a> {
    operations: &'a BTreeMap<Operation, i64>,
    waits: Waits,
    longest: u32,
    leaked: i64,
    innocent: i64,
    labels: &'a BTreeMap<String, BTreeMap<String, i64>>,
    creators: Vec<Place>,
}

#[derive(Serialize)]
struct Place {
    path: String,
    line: u32,
    count: i64,
}

#[derive(Serialize)]
struct StackOut<'a> {
    values: &'a [i64],
    frames: Vec<FrameOut<'a>>,
}

#[derive(Serialize)]
struct FrameOut<'a> {
    function: &'a str,
    path: String,
    line: u32,
    origin: Origin,
}

#[derive(Serialize)]
struct Unplaced<'a> {
    function: &'a str,
    file: &'a str,
    line: u32,
    values: &'a [i64],
}

#[derive(Serialize)]
struct SeriesOut<'a> {
    times: &'a [Option<i64>],
    totals: &'a [i64],
    lines: Vec<SeriesLineOut<'a>>,
}

#[derive(Serialize)]
struct SeriesLineOut<'a> {
    path: String,
    line: u32,
    function: &'a str,
    values: &'a [i64],
    grows: bool,
}

#[derive(Serialize)]
struct FindingOut<'a> {
    rule: &'a str,
    severity: &'static str,
    message: &'a str,
    path: String,
    line: u32,
    status: &'static str,
    evidence: Vec<EvidenceOut>,
}

#[derive(Serialize)]
struct EvidenceOut {
    profile: usize,
    line: usize,
    strength: Strength,
}

struct Writer<'a> {
    shown: &'a Shown,
    base: std::path::PathBuf,
}

/// Writes everything.
pub fn write(out: &mut impl Write, shown: &Shown) -> io::Result<()> {
    let writer = Writer {
        shown,
        base: output::base(),
    };
    let profiles = shown.groups.iter().enumerate();
    let mut joined: Vec<&Joined> = shown
        .join
        .confirmed
        .iter()
        .chain(&shown.join.suspected)
        .collect();
    joined.sort_by_key(|joined| joined.finding);
    let root = Root {
        profiles: profiles
            .map(|(index, group)| writer.profile(index, group))
            .collect(),
        findings: joined
            .into_iter()
            .filter_map(|joined| writer.finding(joined))
            .collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &root)?;
    writeln!(out)
}

impl<'a> Writer<'a> {
    fn path(&self, path: &str) -> String {
        let known = Path::new(path);
        if known.is_absolute() {
            files::display(known, &self.base)
        } else {
            path.to_owned()
        }
    }

    fn profile(&self, index: usize, group: &'a Group) -> ProfileOut<'a> {
        let weights = &group.weights;
        let lines = weights.lines.iter().enumerate();
        ProfileOut {
            source: &group.source,
            kind: weights.kind.name(),
            time: weights.time,
            duration: weights.duration,
            types: weights.types.iter().map(type_out).collect(),
            main: weights.main_type,
            truncated: weights.truncated.map(|cut| cut.to_string()),
            totals: &weights.totals,
            elsewhere: &weights.elsewhere,
            base: group.base.as_ref().map(|(source, growth)| Base {
                source,
                totals: &growth.before,
                before: growth.in_order,
            }),
            lines: lines
                .map(|(line, weighed)| {
                    let at = LineRef {
                        profile: index,
                        line,
                    };
                    self.line(at, group, weighed)
                })
                .collect(),
            created: weights
                .created
                .iter()
                .map(|created| self.place(&created.path, created.line, created.count))
                .collect(),
            unplaced: weights
                .unplaced
                .iter()
                .map(|unplaced| Unplaced {
                    function: &unplaced.function,
                    file: &unplaced.file,
                    line: unplaced.line,
                    values: &unplaced.values,
                })
                .collect(),
            series: group.series.as_ref().map(|series| SeriesOut {
                times: &series.times,
                totals: &series.totals,
                lines: series
                    .lines
                    .iter()
                    .map(|line| SeriesLineOut {
                        path: self.path(&line.path),
                        line: line.line,
                        function: &line.function,
                        values: &line.values,
                        grows: line.grows(),
                    })
                    .collect(),
            }),
        }
    }

    fn place(&self, path: &str, line: u32, count: i64) -> Place {
        Place {
            path: self.path(path),
            line,
            count,
        }
    }

    fn line(&self, at: LineRef, group: &'a Group, line: &'a Line) -> LineOut<'a> {
        let change = group
            .base
            .as_ref()
            .and_then(|(_, growth)| growth.line(&line.place.path, line.place.line));
        let by = |change: &Change| (0..line.own.len()).map(|value| change.by(value)).collect();
        LineOut {
            path: self.path(&line.place.path),
            line: line.place.line,
            function: &line.function,
            anchor: line.place.anchor,
            changed: line.place.changed,
            level: self.shown.level(at),
            values: &line.own,
            through: &line.through,
            growth: change.map(by),
            goroutines: line
                .goroutines
                .as_ref()
                .map(|counts| self.goroutines(counts)),
            stacks: line.stacks.iter().map(|stack| self.stack(stack)).collect(),
            findings: self
                .shown
                .findings_on(at)
                .map(|(finding, _)| finding)
                .collect(),
        }
    }

    fn goroutines(&self, counts: &'a GoroutineCounts) -> Goroutines<'a> {
        Goroutines {
            operations: &counts.operations,
            waits: counts.waits,
            longest: counts.longest,
            leaked: counts.leaked,
            innocent: counts.innocent,
            labels: &counts.labels,
            creators: counts
                .creators
                .iter()
                .map(|((path, line), count)| self.place(path, *line, *count))
                .collect(),
        }
    }

    fn stack(&self, stack: &'a Stack) -> StackOut<'a> {
        StackOut {
            values: &stack.values,
            frames: stack
                .frames
                .iter()
                .map(|frame| FrameOut {
                    function: &frame.function,
                    path: if frame.origin == Origin::Workspace {
                        self.path(&frame.path)
                    } else {
                        frame.path.to_string()
                    },
                    line: frame.line,
                    origin: frame.origin,
                })
                .collect(),
        }
    }

    fn finding(&self, joined: &Joined) -> Option<FindingOut<'a>> {
        let (_, found) = self.shown.diagnostic(joined.finding)?;
        let finding = &self.shown.findings.lines[joined.finding];
        Some(FindingOut {
            rule: &finding.rule,
            severity: severity_name(found.severity),
            message: &found.message,
            path: self.path(&finding.path),
            line: finding.lines.0,
            status: if joined.is_confirmed() {
                "confirmed"
            } else {
                "suspected"
            },
            evidence: joined
                .support
                .iter()
                .map(|support| EvidenceOut {
                    profile: support.line.profile,
                    line: support.line.line,
                    strength: support.strength,
                })
                .collect(),
        })
    }
}

fn type_out(ty: &ValueType) -> Type<'_> {
    Type {
        name: &ty.name,
        unit: &ty.unit,
    }
}
