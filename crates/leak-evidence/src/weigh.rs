//! What the samples of a profile add up to on each line of the workspace.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::error::Truncation;
use crate::goroutine::Operation;
use crate::profile::{FrameId, Kind, LabelValue, Profile, Sample, ValueType};
use crate::resolve::{Anchor, Origin, Place, Resolution};
use crate::workspace::Workspace;

/// Lines for which stacks are kept.
const LINES_WITH_STACKS: usize = 256;
/// Stacks kept for a line.
const STACKS: usize = 8;
/// Different label values kept for a line.
const LABELS: usize = 256;
/// Places outside of the workspace that are listed.
const UNPLACED: usize = 64;

/// One profile on the lines of the workspace.
#[derive(Debug, Clone)]
pub struct Weights {
    /// What the profile counts.
    pub kind: Kind,
    /// What the values mean.
    pub types: Vec<ValueType>,
    /// Which of them is of interest first.
    pub main_type: usize,
    /// When the profile was taken, in nanoseconds since 1970.
    pub time: Option<i64>,
    /// The values are differences over this time, in nanoseconds.
    pub duration: Option<i64>,
    /// The profile is not whole.
    pub truncated: Option<Truncation>,
    /// The sums of all samples.
    pub totals: Vec<i64>,
    /// The sums of samples without any frame in the workspace.
    pub elsewhere: Vec<i64>,
    /// The lines, heaviest first.
    pub lines: Vec<Line>,
    /// `go` statements that started the goroutines, most first.
    pub created: Vec<Created>,
    /// Frames that may belong to the workspace and were not found, heaviest first.
    pub unplaced: Vec<Unplaced>,
}

/// A line of the workspace.
#[derive(Debug, Clone)]
pub struct Line {
    /// Where.
    pub place: Place,
    /// The function as recorded.
    pub function: Arc<str>,
    /// The sums of samples whose first frame in the workspace it is: where it is blocked, where it was allocated.
    pub own: Vec<i64>,
    /// The sums of samples that have it anywhere in their stacks.
    pub through: Vec<i64>,
    /// More about the goroutines.
    pub goroutines: Option<GoroutineCounts>,
    /// The heaviest stacks, of the heaviest lines only.
    pub stacks: Vec<Stack>,
}

/// How the goroutines on a line are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GoroutineCounts {
    /// By what they do.
    pub operations: BTreeMap<Operation, i64>,
    /// By how long they have waited at least.
    pub waits: Waits,
    /// The longest wait in minutes.
    pub longest: u32,
    /// Those the runtime found to be stuck for ever.
    pub leaked: i64,
    /// Those that end by themselves or by what happens outside the program.
    pub innocent: i64,
    /// By label and value.
    pub labels: BTreeMap<String, BTreeMap<String, i64>>,
    /// By the `go` statement, as path and line.
    pub creators: BTreeMap<(Arc<str>, u32), i64>,
}

/// Goroutines by their waits. The runtime begins to count at a garbage collection, so a wait may be longer than it seems.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Waits {
    /// Not told.
    pub unknown: i64,
    /// Up to ten minutes.
    pub minutes: i64,
    /// Up to an hour.
    pub tens: i64,
    /// Up to a day.
    pub hours: i64,
    /// More.
    pub days: i64,
}

impl Waits {
    fn add(&mut self, minutes: Option<u32>, count: i64) {
        let slot = match minutes {
            None => &mut self.unknown,
            Some(0..10) => &mut self.minutes,
            Some(10..60) => &mut self.tens,
            Some(60..1440) => &mut self.hours,
            Some(_) => &mut self.days,
        };
        *slot = slot.saturating_add(count);
    }
}

/// A stack of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// Sums of the samples with this stack.
    pub values: Vec<i64>,
    /// From the leaf to the root.
    pub frames: Vec<StackFrame>,
}

/// A frame of a [`Stack`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackFrame {
    /// As recorded.
    pub function: Arc<str>,
    /// Where it comes from.
    pub origin: Origin,
    /// The workspace's file, or the file as recorded.
    pub path: Arc<str>,
    /// The line in it.
    pub line: u32,
}

/// A `go` statement, or another line that starts goroutines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// Its file.
    pub path: Arc<str>,
    /// Its line.
    pub line: u32,
    /// How many goroutines.
    pub count: i64,
}

/// A recorded place that was not found in the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unplaced {
    /// As recorded.
    pub function: String,
    /// As recorded.
    pub file: String,
    /// As recorded.
    pub line: u32,
    /// Sums of the samples that have it in their stacks.
    pub values: Vec<i64>,
}

fn add(to: &mut [i64], values: &[i64]) {
    for (to, value) in to.iter_mut().zip(values) {
        *to = to.saturating_add(*value);
    }
}

const NONE: u32 = u32::MAX;

/// Adds up a profile.
pub fn weigh(profile: &Profile, resolution: &Resolution) -> Weights {
    Weigher::new(profile, resolution).run()
}

struct Weigher<'a> {
    profile: &'a Profile,
    resolution: &'a Resolution,
    /// For each frame its line, or `NONE`.
    line_of: Vec<u32>,
    lines: Vec<Line>,
    /// For each line the last sample that was added to `through`.
    seen: Vec<u32>,
    elsewhere: Vec<i64>,
    created: FxHashMap<(Arc<str>, u32), i64>,
}

impl<'a> Weigher<'a> {
    fn new(profile: &'a Profile, resolution: &'a Resolution) -> Self {
        let width = profile.types.len();
        let mut known: FxHashMap<(&str, u32), u32> = FxHashMap::default();
        let mut lines: Vec<Line> = Vec::new();
        let line_of = (0..profile.frame_count())
            .map(|index| {
                let id = FrameId(index as u32);
                let Some(place) = &resolution.frame(id).place else {
                    return NONE;
                };
                *known.entry((&place.path, place.line)).or_insert_with(|| {
                    lines.push(Line {
                        place: place.clone(),
                        function: profile.text(profile.frame(id).function).into(),
                        own: vec![0; width],
                        through: vec![0; width],
                        goroutines: profile.kind.is_goroutines().then(GoroutineCounts::default),
                        stacks: Vec::new(),
                    });
                    lines.len() as u32 - 1
                })
            })
            .collect();
        // Several frames may share a line; the surest says how sure the line is.
        for id in (0..profile.frame_count()).map(|index| FrameId(index as u32)) {
            if let Some(place) = &resolution.frame(id).place {
                let line = &mut lines[known[&(&*place.path, place.line)] as usize];
                line.place.anchor = line.place.anchor.min(place.anchor);
            }
        }
        Self {
            profile,
            resolution,
            line_of,
            seen: vec![NONE; lines.len()],
            lines,
            elsewhere: vec![0; width],
            created: FxHashMap::default(),
        }
    }

    fn run(mut self) -> Weights {
        let mut own_of = Vec::with_capacity(self.profile.sample_count());
        for (index, sample) in self.profile.samples().enumerate() {
            own_of.push(self.add_sample(index as u32, sample));
        }
        self.collect_stacks(&own_of);
        let main = self.profile.main_type;
        let unplaced = self.unplaced();
        let mut lines = self.lines;
        lines.retain(|line| {
            line.own.iter().any(|value| *value != 0) || line.through.iter().any(|value| *value != 0)
        });
        let weight = |line: &Line| {
            let value = |values: &[i64]| values.get(main).copied().unwrap_or(0).saturating_abs();
            (value(&line.own), value(&line.through))
        };
        lines.sort_by(|a, b| {
            (weight(b), &a.place.path, a.place.line).cmp(&(weight(a), &b.place.path, b.place.line))
        });
        let mut created: Vec<_> = self
            .created
            .into_iter()
            .map(|((path, line), count)| Created { path, line, count })
            .collect();
        created.sort_by(|a, b| (b.count, &a.path, a.line).cmp(&(a.count, &b.path, b.line)));
        Weights {
            kind: self.profile.kind.clone(),
            types: self.profile.types.clone(),
            main_type: main,
            time: self.profile.time,
            duration: self.profile.duration,
            truncated: self.profile.truncated,
            totals: self.profile.totals(),
            elsewhere: self.elsewhere,
            lines,
            created,
            unplaced,
        }
    }

    /// Adds a sample to its lines; the line that it is its own of.
    fn add_sample(&mut self, index: u32, sample: Sample<'_>) -> u32 {
        let values = sample.values();
        let mut own = NONE;
        let mut outermost = None;
        for id in sample.frames() {
            let line = self.line_of[id.index()];
            if line == NONE {
                continue;
            }
            outermost = Some(id);
            if own == NONE {
                own = line;
            }
            let seen = &mut self.seen[line as usize];
            if *seen != index {
                *seen = index;
                add(&mut self.lines[line as usize].through, values);
            }
        }
        if own == NONE {
            add(&mut self.elsewhere, values);
        } else {
            add(&mut self.lines[own as usize].own, values);
        }
        if self.profile.kind.is_goroutines() {
            self.add_goroutines(own, outermost, sample);
        }
        own
    }

    fn add_goroutines(&mut self, own: u32, outermost: Option<FrameId>, sample: Sample<'_>) {
        let count = sample.values().first().copied().unwrap_or(0);
        let creator = self.creator(outermost, sample);
        if let Some(creator) = &creator {
            *self.created.entry(creator.clone()).or_default() += count;
        }
        let Some(line) = self.lines.get_mut(own as usize) else {
            return;
        };
        let Some(counts) = &mut line.goroutines else {
            return;
        };
        let operation = sample.operation();
        *counts.operations.entry(operation).or_default() += count;
        let state = sample.goroutines();
        let minutes = state.and_then(|state| state.minutes);
        counts.waits.add(minutes, count);
        counts.longest = counts.longest.max(minutes.unwrap_or(0));
        let leaked = self.profile.kind.is_certain() || state.is_some_and(|state| state.leaked);
        if leaked {
            counts.leaked += count;
        } else if operation.is_innocent() {
            counts.innocent += count;
        }
        if let Some(creator) = creator {
            *counts.creators.entry(creator).or_default() += count;
        }
        for (key, value) in sample.labels() {
            let LabelValue::Text(value) = value else {
                continue;
            };
            let room = counts.labels.len() < LABELS || counts.labels.contains_key(key);
            if !room {
                continue;
            }
            let values = counts.labels.entry(key.to_owned()).or_default();
            if values.len() < LABELS || values.contains_key(value) {
                *values.entry(value.to_owned()).or_default() += count;
            }
        }
    }

    /// The line that started the goroutines: recorded, or the `go` statement of the literal that they run.
    fn creator(&self, outermost: Option<FrameId>, sample: Sample<'_>) -> Option<(Arc<str>, u32)> {
        let recorded = sample.goroutines().and_then(|state| state.created_by);
        let place = |id| self.resolution.frame(id).place.as_ref();
        if let Some(place) = recorded.and_then(place) {
            return Some((place.path.clone(), place.line));
        }
        // Started by a library (`wg.Go`, `errgroup`), or from a profile that does not tell.
        let entry = outermost.and_then(place)?;
        Some((entry.path.clone(), entry.go_line?))
    }

    /// The heaviest stacks of the heaviest lines.
    fn collect_stacks(&mut self, own_of: &[u32]) {
        let main = self.profile.main_type;
        let weight = |values: &[i64]| values.get(main).copied().unwrap_or(0).saturating_abs();
        let mut heaviest: Vec<u32> = (0..self.lines.len() as u32).collect();
        heaviest.sort_by_key(|line| std::cmp::Reverse(weight(&self.lines[*line as usize].own)));
        let mut wanted = vec![false; self.lines.len()];
        for line in heaviest.iter().take(LINES_WITH_STACKS) {
            wanted[*line as usize] = true;
        }
        let mut groups: FxHashMap<(u32, &[u8]), Vec<i64>> = FxHashMap::default();
        let mut samples: FxHashMap<(u32, &[u8]), Sample<'_>> = FxHashMap::default();
        for (sample, own) in self.profile.samples().zip(own_of) {
            if *own == NONE || !wanted[*own as usize] {
                continue;
            }
            let key = (*own, sample.stack());
            let group = groups
                .entry(key)
                .or_insert_with(|| vec![0; self.profile.types.len()]);
            add(group, sample.values());
            samples.entry(key).or_insert(sample);
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by(|((a, x), m), ((b, y), n)| (a, weight(n), x).cmp(&(b, weight(m), y)));
        let mut names: FxHashMap<u32, Arc<str>> = FxHashMap::default();
        for (key, values) in groups {
            if self.lines[key.0 as usize].stacks.len() >= STACKS {
                continue;
            }
            let frames = samples[&key]
                .frames()
                .map(|id| self.stack_frame(id, &mut names))
                .collect();
            self.lines[key.0 as usize]
                .stacks
                .push(Stack { values, frames });
        }
    }

    fn stack_frame(&self, id: FrameId, names: &mut FxHashMap<u32, Arc<str>>) -> StackFrame {
        let frame = self.profile.frame(id);
        let resolved = self.resolution.frame(id);
        let mut text = |id: crate::profile::Str| {
            let text = names
                .entry(id.0)
                .or_insert_with(|| self.profile.text(id).into());
            text.clone()
        };
        let (path, line) = match &resolved.place {
            Some(place) => (place.path.clone(), place.line),
            None => (text(frame.file), frame.line),
        };
        StackFrame {
            function: text(frame.function),
            origin: resolved.origin,
            path,
            line,
        }
    }

    /// Frames that may be the workspace's and were not found.
    fn unplaced(&self) -> Vec<Unplaced> {
        let lost = |id: FrameId| {
            let resolved = self.resolution.frame(id);
            resolved.place.is_none()
                && matches!(resolved.origin, Origin::Unknown | Origin::Workspace)
        };
        let mut sums: FxHashMap<FrameId, (u32, Vec<i64>)> = (0..self.profile.frame_count())
            .map(|index| FrameId(index as u32))
            .filter(|id| lost(*id))
            .map(|id| (id, (NONE, vec![0; self.profile.types.len()])))
            .collect();
        if sums.is_empty() {
            return Vec::new();
        }
        for (index, sample) in self.profile.samples().enumerate() {
            for id in sample.frames() {
                if let Some((seen, values)) = sums.get_mut(&id)
                    && *seen != index as u32
                {
                    *seen = index as u32;
                    add(values, sample.values());
                }
            }
        }
        let main = self.profile.main_type;
        let mut unplaced: Vec<_> = sums
            .into_iter()
            .map(|(id, (_, values))| {
                let frame = self.profile.frame(id);
                Unplaced {
                    function: self.profile.text(frame.function).to_owned(),
                    file: self.profile.text(frame.file).to_owned(),
                    line: frame.line,
                    values,
                }
            })
            .filter(|unplaced| unplaced.values.iter().any(|value| *value != 0))
            .collect();
        let weight = |unplaced: &Unplaced| unplaced.values.get(main).copied().unwrap_or(0);
        unplaced.sort_by(|a, b| {
            (weight(b), &a.file, a.line, &a.function).cmp(&(
                weight(a),
                &b.file,
                b.line,
                &b.function,
            ))
        });
        unplaced.truncate(UNPLACED);
        unplaced
    }
}

impl Weights {
    /// What a line weighs of the type that is of interest first.
    pub fn weight(&self, line: &Line) -> i64 {
        line.own.get(self.main_type).copied().unwrap_or(0)
    }

    /// The sum of that type.
    pub fn total(&self) -> i64 {
        self.totals.get(self.main_type).copied().unwrap_or(0)
    }

    /// Sets apart goroutines that a timer or ticker wakes.
    pub fn forgive_timers(&mut self, workspace: &(impl Workspace + ?Sized)) {
        for line in &mut self.lines {
            let Some(counts) = &mut line.goroutines else {
                continue;
            };
            let waiting: i64 = [Operation::Select, Operation::Receive, Operation::Unknown]
                .iter()
                .filter_map(|operation| counts.operations.get(operation))
                .sum();
            if waiting > 0
                && counts.leaked == 0
                && line.place.anchor != Anchor::Function
                && workspace.has_timer(&line.place.path, line.place.line)
            {
                counts.innocent = counts.innocent.saturating_add(waiting);
            }
        }
    }
}
