//! What was read: samples with their stacks, one model for all formats.
//!
//! Everything is in a few arenas, because a profile may hold millions of stack entries and is often most of a heap.

use std::fmt;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::error::Truncation;
use crate::goroutine::Operation;
use crate::wire::varint;

/// Frames of the runtime that a waiting goroutine has at its leaf, at most.
const NEAR_LEAF: usize = 12;

/// What a profile counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Goroutines as they were at one moment.
    Goroutine,
    /// Goroutines that the runtime proved to be stuck for ever.
    GoroutineLeak,
    /// Goroutines that goleak found at the end of a test.
    Goleak,
    /// Memory; what is in use is of interest first.
    Heap,
    /// Memory; what was allocated is of interest first.
    Allocs,
    /// Operating system threads.
    ThreadCreate,
    /// A profile of the program's own: things that were opened and not closed, by its name.
    Open(String),
    /// Memory that no C code refers to any more, from LeakSanitizer.
    Sanitizer,
    /// A profile that says nothing about leaks (processor time, contention), by its first sample type.
    Other(String),
}

impl Kind {
    /// Its name in output.
    pub fn name(&self) -> &str {
        match self {
            Self::Goroutine => "goroutine",
            Self::GoroutineLeak => "goroutineleak",
            Self::Goleak => "goleak",
            Self::Heap => "heap",
            Self::Allocs => "allocs",
            Self::ThreadCreate => "threadcreate",
            Self::Sanitizer => "sanitizer",
            Self::Open(name) | Self::Other(name) => name,
        }
    }

    /// The samples are goroutines.
    pub fn is_goroutines(&self) -> bool {
        matches!(self, Self::Goroutine | Self::GoroutineLeak | Self::Goleak)
    }

    /// The samples are memory of the Go heap.
    pub fn is_memory(&self) -> bool {
        matches!(self, Self::Heap | Self::Allocs)
    }

    /// Each sample is certainly a leak.
    pub fn is_certain(&self) -> bool {
        matches!(self, Self::GoroutineLeak | Self::Goleak | Self::Sanitizer)
    }

    /// From the types of the samples and the one shown by default.
    pub(crate) fn of_types(types: &[ValueType], default: &str) -> Self {
        let has = |name: &str| types.iter().any(|ty| ty.name == name);
        let first = types.first();
        let name = first.map_or("", |ty| ty.name.as_str());
        if has("inuse_space") || has("inuse_objects") || has("alloc_space") || has("alloc_objects")
        {
            let allocs_only = !has("inuse_space") && !has("inuse_objects");
            return if default.starts_with("alloc_") || allocs_only {
                Self::Allocs
            } else {
                Self::Heap
            };
        }
        match (name, types) {
            ("goroutine" | "goroutines", _) => Self::Goroutine,
            ("goroutineleak", _) => Self::GoroutineLeak,
            ("threadcreate", _) => Self::ThreadCreate,
            ("contentions" | "samples", _) => Self::Other(name.to_owned()),
            (_, [only]) if only.unit == "count" => Self::Open(name.to_owned()),
            _ => Self::Other(name.to_owned()),
        }
    }

    /// Of the profile that `debug=1` calls `name`.
    pub(crate) fn of_count_profile(name: &str) -> Self {
        Self::of_types(&[ValueType::new(name, "count")], "")
    }
}

/// The format something was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// profile.proto.
    Pprof,
    /// `debug=1`.
    CountText,
    /// `debug=1` of a heap profile.
    HeapText,
    /// `debug=2`, a panic, SIGQUIT, or goleak.
    Dump,
    /// LeakSanitizer or AddressSanitizer.
    Sanitizer,
}

/// What one of a sample's values means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueType {
    /// `inuse_space`, `goroutine`, …
    pub name: String,
    /// `bytes`, `count`, …
    pub unit: String,
}

impl ValueType {
    /// A value type.
    pub fn new(name: impl Into<String>, unit: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            unit: unit.into(),
        }
    }
}

/// An interned string of a [`Profile`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Str(pub(crate) u32);

/// A frame of a [`Profile`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FrameId(pub(crate) u32);

/// A line of a function, as it was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Frame {
    /// The function's full name; empty if unknown.
    pub function: Str,
    /// The file as recorded; empty if unknown.
    pub file: Str,
    /// From 1; 0 if unknown.
    pub line: u32,
    /// Line of the function's `func`, from 1; 0 if unknown.
    pub start_line: u32,
}

/// The state that goroutines of a dump share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Goroutines {
    /// Smallest number of them.
    pub first: u64,
    /// `chan receive`, `select`, …
    pub status: Str,
    /// Whole minutes since it was seen waiting at a garbage collection; `None` may be long, too.
    pub minutes: Option<u32>,
    /// The runtime found them to be stuck for ever.
    pub leaked: bool,
    /// Locked to their threads.
    pub locked: bool,
    /// The stack is not whole.
    pub elided: bool,
    /// The `go` statement.
    pub created_by: Option<FrameId>,
}

/// A label's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelValue<'a> {
    /// Text.
    Text(&'a str),
    /// A number with its unit.
    Number(i64, &'a str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Label {
    pub key: Str,
    pub text: Str,
    pub number: i64,
    pub unit: Str,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct RawSample {
    /// Bytes of `stacks`.
    pub stack: (u32, u32),
    /// Into `labels`.
    pub labels: (u32, u32),
    /// Into `goroutines`, or `u32::MAX`.
    pub goroutines: u32,
}

/// Strings, one after the other.
#[derive(Debug, Default, Clone)]
pub(crate) struct Strings {
    text: String,
    ends: Vec<u32>,
}

impl Strings {
    pub fn get(&self, id: Str) -> &str {
        let end_of = |i: u32| self.ends.get(i as usize).map(|end| *end as usize);
        let start = id.0.checked_sub(1).and_then(end_of).unwrap_or(0);
        end_of(id.0)
            .and_then(|end| self.text.get(start..end))
            .unwrap_or("")
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Adds one; `None` if there is no room.
    pub fn push(&mut self, bytes: &[u8]) -> Option<Str> {
        let before = self.text.len();
        match std::str::from_utf8(bytes) {
            Ok(text) => self.text.push_str(text),
            Err(_) => self.text.push_str(&String::from_utf8_lossy(bytes)),
        }
        let (Ok(end), Ok(id)) = (
            u32::try_from(self.text.len()),
            u32::try_from(self.ends.len()),
        ) else {
            self.text.truncate(before);
            return None;
        };
        self.ends.push(end);
        Some(Str(id))
    }
}

/// Locations of all stacks, one after the other, with as few bytes for each as it needs: they are most of a large profile.
#[derive(Debug, Default, Clone)]
pub(crate) struct Stacks(Vec<u8>);

impl Stacks {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }

    #[inline]
    pub fn push(&mut self, location: u32) {
        let mut rest = location;
        while rest >= 0x80 {
            self.0.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.0.push(rest as u8);
    }

    pub fn bytes(&self, (from, to): (u32, u32)) -> &[u8] {
        &self.0[from as usize..to as usize]
    }

    pub fn locations(&self, range: (u32, u32)) -> impl Iterator<Item = u32> + '_ {
        let mut rest = self.bytes(range);
        std::iter::from_fn(move || {
            let (location, len) = varint(rest).ok()?;
            rest = &rest[len..];
            Some(location as u32)
        })
    }
}

/// One profile.
#[derive(Debug, Clone)]
pub struct Profile {
    /// What it counts.
    pub kind: Kind,
    /// What it was read from.
    pub format: Format,
    /// What the values of its samples mean.
    pub types: Vec<ValueType>,
    /// Which of them is of interest first.
    pub main_type: usize,
    /// When it was taken, in nanoseconds since 1970.
    pub time: Option<i64>,
    /// How long it was recorded, in nanoseconds. Profiles of a moment have none; with one it is a difference, and values may be
    /// negative.
    pub duration: Option<i64>,
    /// Bytes between two samples of memory, or 1.
    pub period: i64,
    /// The build id of the program.
    pub build_id: Option<String>,
    /// Comments in the profile.
    pub comments: Vec<String>,
    /// It is not whole: values are lower bounds.
    pub truncated: Option<Truncation>,
    pub(crate) strings: Strings,
    pub(crate) frames: Vec<Frame>,
    /// For each location where its frames end in `location_frames`.
    pub(crate) location_ends: Vec<u32>,
    pub(crate) location_frames: Vec<FrameId>,
    /// Frames of one stack at most: many locations of many inlined frames each make more than either count.
    pub(crate) max_frames: usize,
    pub(crate) stacks: Stacks,
    pub(crate) labels: Vec<Label>,
    pub(crate) goroutines: Vec<Goroutines>,
    pub(crate) samples: Vec<RawSample>,
    pub(crate) values: Vec<i64>,
}

impl Profile {
    pub(crate) fn new(kind: Kind, format: Format, types: Vec<ValueType>) -> Self {
        let mut profile = Self {
            kind,
            format,
            types,
            main_type: 0,
            time: None,
            duration: None,
            period: 1,
            build_id: None,
            comments: Vec::new(),
            truncated: None,
            strings: Strings::default(),
            frames: Vec::new(),
            location_ends: Vec::new(),
            location_frames: Vec::new(),
            max_frames: usize::MAX,
            stacks: Stacks::default(),
            labels: Vec::new(),
            goroutines: Vec::new(),
            samples: Vec::new(),
            values: Vec::new(),
        };
        profile.set_main_type();
        profile
    }

    pub(crate) fn set_main_type(&mut self) {
        let wanted = match self.kind {
            Kind::Heap => "inuse_space",
            Kind::Allocs => "alloc_space",
            Kind::Sanitizer => "leaked_space",
            _ => "",
        };
        self.main_type = self
            .types
            .iter()
            .position(|ty| ty.name == wanted)
            .unwrap_or(0);
    }

    /// An interned string.
    pub fn text(&self, id: Str) -> &str {
        self.strings.get(id)
    }

    /// A frame.
    pub fn frame(&self, id: FrameId) -> Frame {
        self.frames[id.0 as usize]
    }

    /// How many different frames there are; [`FrameId::index`] is less.
    pub fn frame_count(&self) -> usize {
        self.frames.len()
    }

    /// How many samples there are.
    pub fn sample_count(&self) -> usize {
        self.samples.len()
    }

    /// All samples.
    pub fn samples(&self) -> impl Iterator<Item = Sample<'_>> {
        (0..self.samples.len()).map(|index| Sample {
            profile: self,
            index,
        })
    }

    /// The sums of all samples' values.
    pub fn totals(&self) -> Vec<i64> {
        let mut totals = vec![0_i64; self.types.len()];
        for values in self.values.chunks_exact(self.types.len().max(1)) {
            for (total, value) in totals.iter_mut().zip(values) {
                *total = total.saturating_add(*value);
            }
        }
        totals
    }

    /// The sample type that is of interest first.
    pub fn main(&self) -> Option<&ValueType> {
        self.types.get(self.main_type)
    }
}

impl FrameId {
    /// For tables by frame.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A sample of a [`Profile`].
#[derive(Clone, Copy)]
pub struct Sample<'a> {
    profile: &'a Profile,
    index: usize,
}

impl fmt::Debug for Sample<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sample")
            .field("values", &self.values())
            .field("frames", &self.frames().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl<'a> Sample<'a> {
    fn raw(self) -> RawSample {
        self.profile.samples[self.index]
    }

    /// One for each of the profile's types.
    pub fn values(self) -> &'a [i64] {
        let n = self.profile.types.len();
        &self.profile.values[self.index * n..(self.index + 1) * n]
    }

    /// The stack, from the function that ran to the one that began it; inlined functions are frames.
    pub fn frames(self) -> impl Iterator<Item = FrameId> + 'a {
        let profile = self.profile;
        profile
            .stacks
            .locations(self.raw().stack)
            .flat_map(move |location| profile.location(location))
            .copied()
            .take(profile.max_frames)
    }

    /// Its labels.
    pub fn labels(self) -> impl Iterator<Item = (&'a str, LabelValue<'a>)> {
        let profile = self.profile;
        let (from, to) = self.raw().labels;
        profile.labels[from as usize..to as usize]
            .iter()
            .map(|label| {
                let text = profile.text(label.text);
                let value = if text.is_empty() {
                    LabelValue::Number(label.number, profile.text(label.unit))
                } else {
                    LabelValue::Text(text)
                };
                (profile.text(label.key), value)
            })
    }

    /// The state of the goroutines, in dumps.
    pub fn goroutines(self) -> Option<&'a Goroutines> {
        self.profile.goroutines.get(self.raw().goroutines as usize)
    }

    /// What identifies its stack within the profile.
    pub(crate) fn stack(self) -> &'a [u8] {
        self.profile.stacks.bytes(self.raw().stack)
    }

    /// What its goroutines are doing: by their status, or else by the frames of the runtime.
    pub fn operation(self) -> Operation {
        if let Some(state) = self.goroutines() {
            return Operation::of_status(self.profile.text(state.status));
        }
        self.frames()
            .take(NEAR_LEAF)
            .filter_map(|id| Operation::of_frame(self.profile, self.profile.frame(id)))
            .last()
            .unwrap_or(Operation::Unknown)
    }
}

impl Profile {
    pub(crate) fn location(&self, index: u32) -> &[FrameId] {
        let end_of = |i: u32| self.location_ends.get(i as usize).map(|end| *end as usize);
        let start = index.checked_sub(1).and_then(end_of).unwrap_or(0);
        end_of(index)
            .and_then(|end| self.location_frames.get(start..end))
            .unwrap_or(&[])
    }
}

/// Builds profiles from text, where frames and strings are met again and again.
#[derive(Debug)]
pub(crate) struct Builder {
    pub profile: Profile,
    strings: FxHashMap<Box<[u8]>, Str>,
    frames: FxHashMap<Frame, FrameId>,
    groups: FxHashMap<GroupKey, u32>,
    /// Goroutines that several reports of goleak name are one.
    seen: FxHashSet<(u64, u32)>,
    /// Something did not fit.
    pub full: Option<&'static str>,
}

/// What goroutines have in common when they are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct GroupKey {
    pub stack: Vec<FrameId>,
    pub labels: Vec<(Str, Str)>,
    pub status: Str,
    pub minutes: Option<u32>,
    pub leaked: bool,
    pub locked: bool,
    pub elided: bool,
    pub created_by: Option<FrameId>,
}

impl Builder {
    pub fn new(kind: Kind, format: Format, types: Vec<ValueType>) -> Self {
        let mut builder = Self {
            profile: Profile::new(kind, format, types),
            strings: FxHashMap::default(),
            frames: FxHashMap::default(),
            groups: FxHashMap::default(),
            seen: FxHashSet::default(),
            full: None,
        };
        // As in profile.proto the first string is the empty one.
        builder.string(b"", usize::MAX);
        builder
    }

    pub fn string(&mut self, bytes: &[u8], limit: usize) -> Str {
        let bytes = &bytes[..bytes.len().min(limit)];
        if let Some(id) = self.strings.get(bytes) {
            return *id;
        }
        match self.profile.strings.push(bytes) {
            Some(id) => {
                self.strings.insert(bytes.into(), id);
                id
            }
            None => {
                self.full = Some("too many strings");
                Str(0)
            }
        }
    }

    pub fn frame(&mut self, frame: Frame) -> FrameId {
        if let Some(id) = self.frames.get(&frame) {
            return *id;
        }
        let index = u32::try_from(self.profile.frames.len()).unwrap_or(u32::MAX);
        let id = FrameId(index);
        self.profile.frames.push(frame);
        // In text each frame is a location of its own.
        self.profile.location_frames.push(id);
        self.profile.location_ends.push(index + 1);
        self.frames.insert(frame, id);
        id
    }

    /// Adds goroutines that have everything of `key` in common.
    pub fn goroutine(&mut self, key: &GroupKey, number: u64, limit: usize) {
        let once = self.profile.kind == Kind::Goleak;
        if let Some(at) = self.groups.get(key) {
            if once && !self.seen.insert((number, *at)) {
                return;
            }
            self.profile.values[*at as usize] += 1;
            let group = &mut self.profile.goroutines[*at as usize];
            group.first = group.first.min(number);
            return;
        }
        let Some(index) = self.sample(&key.stack, &key.labels, &[1], limit) else {
            return;
        };
        self.profile.samples[index as usize].goroutines = index;
        self.profile.goroutines.push(Goroutines {
            first: number,
            status: key.status,
            minutes: key.minutes,
            leaked: key.leaked,
            locked: key.locked,
            elided: key.elided,
            created_by: key.created_by,
        });
        if once {
            self.seen.insert((number, index));
        }
        self.groups.insert(key.clone(), index);
    }

    /// Adds a sample; its number.
    pub fn sample(
        &mut self,
        stack: &[FrameId],
        labels: &[(Str, Str)],
        values: &[i64],
        limit: usize,
    ) -> Option<u32> {
        let profile = &mut self.profile;
        let at = |len: usize| u32::try_from(len).ok();
        let room = profile.samples.len() < limit;
        let start = profile.stacks.len();
        for frame in stack {
            profile.stacks.push(frame.0);
        }
        let (Some(index), Some(stack_end), Some(label_start), true) = (
            at(profile.samples.len()),
            at(profile.stacks.len()),
            at(profile.labels.len() + labels.len()).map(|end| end - labels.len() as u32),
            room,
        ) else {
            profile.stacks.truncate(start);
            self.full = Some("too many samples");
            return None;
        };
        profile
            .labels
            .extend(labels.iter().map(|(key, text)| Label {
                key: *key,
                text: *text,
                number: 0,
                unit: Str(0),
            }));
        profile.samples.push(RawSample {
            stack: (start as u32, stack_end),
            labels: (label_start, label_start + labels.len() as u32),
            goroutines: u32::MAX,
        });
        profile.values.extend_from_slice(values);
        Some(index)
    }
}
