//! profile.proto, read as a stream: fields of the profile one after the other, into arenas.
//!
//! Go writes the strings last, so everything refers to them by number until the end.

use std::io::Read;

use rustc_hash::FxHashMap;

use crate::error::{Cut, Error, ErrorKind, Limits, Truncation};
use crate::input::Input;
use crate::profile::{
    Format, Frame, FrameId, Kind, Label, Profile, RawSample, Stacks, Str, Strings, ValueType,
};
use crate::wire::{Fields, Value, VarintError, numbers, varint};

/// Reads a profile. Of one that is cut off, what is whole.
pub(crate) fn read(input: &mut Input<impl Read>, limits: &Limits) -> Result<Profile, Error> {
    let mut reader = Reader::new(limits);
    let cut = reader.read_fields(input)?;
    let cut = cut.or(input.finish()?).or(reader.full.map(|what| {
        let offset = input.offset();
        Truncation {
            offset,
            why: Cut::Limit(what),
        }
    }));
    reader.finish(input.offset(), cut)
}

/// Identifiers are any numbers, but usually 1, 2, 3, …
#[derive(Debug, Default)]
struct Ids {
    dense: Vec<u32>,
    sparse: FxHashMap<u64, u32>,
    count: u32,
}

impl Ids {
    /// The index for an identifier, a new one if it was not met.
    #[inline]
    fn index(&mut self, id: u64) -> u32 {
        if let Some(known) = self.dense.get(usize::try_from(id).unwrap_or(usize::MAX))
            && *known != u32::MAX
        {
            return *known;
        }
        self.new_index(id)
    }

    fn new_index(&mut self, id: u64) -> u32 {
        if let Some(known) = self.sparse.get(&id) {
            return *known;
        }
        let index = self.count;
        self.count += 1;
        let near = u64::from(self.count) * 2 + 1024;
        match usize::try_from(id) {
            Ok(at) if id < near => {
                if self.dense.len() <= at {
                    self.dense.resize(at + 1, u32::MAX);
                }
                self.dense[at] = index;
            }
            _ => {
                self.sparse.insert(id, index);
            }
        }
        index
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Function {
    name: u32,
    file: u32,
    start_line: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Location {
    /// Into `lines`.
    lines: (u32, u32),
}

#[derive(Debug)]
struct Reader<'a> {
    limits: &'a Limits,
    types: Vec<(u32, u32)>,
    default_type: u32,
    time: i64,
    duration: i64,
    period: i64,
    build_id: Option<u32>,
    comments: Vec<u32>,
    strings: Strings,
    location_ids: Ids,
    locations: Vec<Location>,
    /// Function index and line.
    lines: Vec<(u32, u32)>,
    function_ids: Ids,
    functions: Vec<Function>,
    stacks: Stacks,
    labels: Vec<Label>,
    samples: Vec<RawSample>,
    values: Vec<i64>,
    /// How many values the samples have.
    width: Option<usize>,
    full: Option<&'static str>,
}

fn small(value: Value<'_>) -> u32 {
    match value {
        Value::Varint(number) => u32::try_from(number).unwrap_or(0),
        _ => 0,
    }
}

fn signed(value: Value<'_>) -> i64 {
    match value {
        Value::Varint(number) => number as i64,
        _ => 0,
    }
}

impl<'a> Reader<'a> {
    fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            types: Vec::new(),
            default_type: 0,
            time: 0,
            duration: 0,
            period: 0,
            build_id: None,
            comments: Vec::new(),
            strings: Strings::default(),
            location_ids: Ids::default(),
            locations: Vec::new(),
            lines: Vec::new(),
            function_ids: Ids::default(),
            functions: Vec::new(),
            stacks: Stacks::default(),
            labels: Vec::new(),
            samples: Vec::new(),
            values: Vec::new(),
            width: None,
            full: None,
        }
    }

    /// All fields of the profile; where it is cut off, if it is.
    fn read_fields(&mut self, input: &mut Input<impl Read>) -> Result<Option<Truncation>, Error> {
        let cut = |offset, why| Ok(Some(Truncation { offset, why }));
        loop {
            let at = input.offset();
            let head = input.peek(20);
            if head.is_empty() {
                return Ok(None);
            }
            let short = head.len() < 20;
            let number = |bytes: &[u8]| match varint(bytes) {
                Ok(found) => Ok(Some(found)),
                Err(VarintError::Short) if short => Ok(None),
                Err(_) => Err(Error::malformed(at, "a number is broken")),
            };
            let Some((key, key_len)) = number(head)? else {
                return cut(at, Cut::EndOfInput);
            };
            let (field, kind) = (key >> 3, key & 7);
            if field == 0 || !matches!(kind, 0 | 1 | 2 | 5) {
                return Err(Error::malformed(at, "this is no field of a profile"));
            }
            let len = match kind {
                1 => 8,
                5 => 4,
                _ => {
                    let Some((value, value_len)) = number(&head[key_len..])? else {
                        return cut(at, Cut::EndOfInput);
                    };
                    input.skip(key_len + value_len);
                    if kind == 0 {
                        self.field(field, Value::Varint(value))?;
                        continue;
                    }
                    match usize::try_from(value) {
                        Ok(len) if len <= self.limits.field => len,
                        _ => return Err(Error::malformed(at, "a field is too long")),
                    }
                }
            };
            if kind != 2 {
                input.skip(key_len);
            }
            let start = input.offset();
            let bytes = input.peek(len);
            let Some(bytes) = bytes.get(..len) else {
                return cut(at, Cut::EndOfInput);
            };
            if kind == 2 {
                self.field(field, Value::Bytes(start, bytes))?;
            }
            input.skip(len);
            if let Some(what) = self.full {
                return cut(input.offset(), Cut::Limit(what));
            }
        }
    }

    fn field(&mut self, number: u64, value: Value<'_>) -> Result<(), Error> {
        match (number, value) {
            (1, Value::Bytes(at, bytes)) => self.sample_type(at, bytes)?,
            (2, Value::Bytes(at, bytes)) => self.sample(at, bytes)?,
            (3, Value::Bytes(at, bytes)) => self.mapping(at, bytes)?,
            (4, Value::Bytes(at, bytes)) => self.location(at, bytes)?,
            (5, Value::Bytes(at, bytes)) => self.function(at, bytes)?,
            (6, Value::Bytes(_, bytes)) => self.string(bytes),
            (9, _) => self.time = signed(value),
            (10, _) => self.duration = signed(value),
            (12, _) => self.period = signed(value),
            (13, _) => {
                let comments = &mut self.comments;
                numbers(value, |number| {
                    if comments.len() < 1024 {
                        comments.push(u32::try_from(number).unwrap_or(0));
                    }
                })?;
            }
            (14, _) => self.default_type = small(value),
            _ => {}
        }
        Ok(())
    }

    fn string(&mut self, bytes: &[u8]) {
        let bytes = &bytes[..bytes.len().min(self.limits.string)];
        if self.strings.len() >= self.limits.table || self.strings.push(bytes).is_none() {
            self.full = Some("it has too many strings");
        }
    }

    fn sample_type(&mut self, at: u64, bytes: &[u8]) -> Result<(), Error> {
        let mut ty = (0, 0);
        let mut fields = Fields::new(at, bytes);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => ty.0 = small(value),
                2 => ty.1 = small(value),
                _ => {}
            }
        }
        if self.types.len() >= 64 {
            return Err(Error::malformed(at, "too many sample types"));
        }
        self.types.push(ty);
        Ok(())
    }

    fn sample(&mut self, at: u64, bytes: &[u8]) -> Result<(), Error> {
        let stack_start = self.stacks.len();
        let label_start = self.labels.len();
        let value_start = self.values.len();
        let mut frames = 0;
        let mut fields = Fields::new(at, bytes);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, _) => {
                    let (ids, stacks) = (&mut self.location_ids, &mut self.stacks);
                    numbers(value, |id| {
                        if frames < self.limits.frames {
                            frames += 1;
                            stacks.push(ids.index(id));
                        }
                    })?;
                }
                (2, _) => {
                    let values = &mut self.values;
                    numbers(value, |number| {
                        if values.len() < value_start + 64 {
                            values.push(number as i64);
                        }
                    })?;
                }
                (3, Value::Bytes(at, bytes)) if self.labels.len() < label_start + 256 => {
                    let label = label(at, bytes)?;
                    self.labels.push(label);
                }
                _ => {}
            }
        }
        // Types may come after the samples in theory, so the first sample says how many values there are.
        let width = *self.width.get_or_insert(self.values.len() - value_start);
        if self.values.len() - value_start != width {
            return Err(Error::malformed(
                at,
                "a sample has another number of values than the one before",
            ));
        }
        let index = |len: usize| u32::try_from(len).ok();
        let ends = (index(self.stacks.len()), index(self.labels.len()));
        let (Some(stack_end), Some(label_end)) = ends else {
            self.full = Some("it has too many samples");
            self.stacks.truncate(stack_start);
            self.labels.truncate(label_start);
            self.values.truncate(value_start);
            return Ok(());
        };
        let stack = self.shared((stack_start as u32, stack_end));
        self.samples.push(RawSample {
            stack,
            labels: (label_start as u32, label_end),
            goroutines: u32::MAX,
        });
        if self.samples.len() >= self.limits.samples {
            self.full = Some("it has too many samples");
        }
        if self.location_ids.count as usize >= self.limits.table {
            self.full = Some("it has too many locations");
        }
        Ok(())
    }

    /// The stack of the sample before, if it is the same: goroutines with labels of their own often come in thousands.
    fn shared(&mut self, stack: (u32, u32)) -> (u32, u32) {
        match self.samples.last().map(|sample| sample.stack) {
            Some(last) if self.stacks.bytes(last) == self.stacks.bytes(stack) => {
                self.stacks.truncate(stack.0 as usize);
                last
            }
            _ => stack,
        }
    }

    fn mapping(&mut self, at: u64, bytes: &[u8]) -> Result<(), Error> {
        let mut fields = Fields::new(at, bytes);
        let mut build_id = 0;
        while let Some((number, value)) = fields.next()? {
            if number == 6 {
                build_id = small(value);
            }
        }
        // The first mapping is the program itself.
        self.build_id.get_or_insert(build_id);
        Ok(())
    }

    fn location(&mut self, at: u64, bytes: &[u8]) -> Result<(), Error> {
        let start = self.lines.len();
        let mut id = 0;
        let mut fields = Fields::new(at, bytes);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Value::Varint(number)) => id = number,
                (4, Value::Bytes(at, bytes)) if self.lines.len() < start + self.limits.frames => {
                    let mut line = (0, 0);
                    let mut fields = Fields::new(at, bytes);
                    while let Some((number, value)) = fields.next()? {
                        match (number, value) {
                            (1, Value::Varint(id)) => line.0 = self.function_ids.index(id),
                            (2, value) => line.1 = small(value),
                            _ => {}
                        }
                    }
                    self.lines.push(line);
                }
                _ => {}
            }
        }
        let index = self.location_ids.index(id) as usize;
        if self.lines.len() >= self.limits.table || index >= self.limits.table {
            self.full = Some("it has too many locations");
            return Ok(());
        }
        if self.locations.len() <= index {
            self.locations.resize(index + 1, Location::default());
        }
        self.locations[index].lines = (start as u32, self.lines.len() as u32);
        Ok(())
    }

    fn function(&mut self, at: u64, bytes: &[u8]) -> Result<(), Error> {
        let mut id = 0;
        let mut system_name = 0;
        let mut function = Function::default();
        let mut fields = Fields::new(at, bytes);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Value::Varint(number)) => id = number,
                (2, value) => function.name = small(value),
                (3, value) => system_name = small(value),
                (4, value) => function.file = small(value),
                (5, value) => function.start_line = small(value),
                _ => {}
            }
        }
        if function.name == 0 {
            function.name = system_name;
        }
        let index = self.function_ids.index(id) as usize;
        if index >= self.limits.table {
            self.full = Some("it has too many functions");
            return Ok(());
        }
        if self.functions.len() <= index {
            self.functions.resize(index + 1, Function::default());
        }
        self.functions[index] = function;
        Ok(())
    }

    fn text(&self, id: u32) -> &str {
        self.strings.get(Str(id))
    }

    fn finish(mut self, offset: u64, cut: Option<Truncation>) -> Result<Profile, Error> {
        let types: Vec<_> = self
            .types
            .iter()
            .map(|(name, unit)| ValueType::new(self.text(*name), self.text(*unit)))
            .collect();
        if types.is_empty() || types.iter().all(|ty| ty.name.is_empty()) {
            return Err(match cut {
                Some(cut) => Error::new(cut.offset, ErrorKind::Empty),
                None if self.samples.is_empty() => Error::new(offset, ErrorKind::NotEvidence),
                None => Error::malformed(offset, "the samples' types are missing"),
            });
        }
        if self.width.is_some_and(|width| width != types.len()) {
            return Err(Error::malformed(
                offset,
                "samples have another number of values than there are types",
            ));
        }
        let kind = Kind::of_types(&types, self.text(self.default_type));
        let mut profile = Profile::new(kind, Format::Pprof, types);
        profile.time = (self.time > 0).then_some(self.time);
        profile.duration = (self.duration > 0).then_some(self.duration);
        profile.period = self.period.max(1);
        profile.build_id = self
            .build_id
            .map(|id| self.text(id).to_owned())
            .filter(|id| !id.is_empty());
        profile.comments = self
            .comments
            .iter()
            .map(|id| self.text(*id).to_owned())
            .filter(|comment| !comment.is_empty())
            .collect();
        profile.truncated = cut;
        profile.max_frames = self.limits.frames;
        self.frames(&mut profile);
        profile.strings = std::mem::take(&mut self.strings);
        profile.stacks = self.stacks;
        profile.labels = self.labels;
        profile.samples = self.samples;
        profile.values = self.values;
        Ok(profile)
    }

    /// Locations as lists of frames; equal frames are one.
    fn frames(&self, profile: &mut Profile) {
        let mut known: FxHashMap<(u32, u32), FrameId> = FxHashMap::default();
        for index in 0..self.location_ids.count as usize {
            let (from, to) = self
                .locations
                .get(index)
                .map_or((0, 0), |location| location.lines);
            for line in &self.lines[from as usize..to as usize] {
                let id = *known.entry(*line).or_insert_with(|| {
                    let (function, line) = *line;
                    let function = self
                        .functions
                        .get(function as usize)
                        .copied()
                        .unwrap_or_default();
                    profile.frames.push(Frame {
                        function: Str(function.name),
                        file: Str(function.file),
                        line,
                        start_line: function.start_line,
                    });
                    FrameId(profile.frames.len() as u32 - 1)
                });
                profile.location_frames.push(id);
            }
            profile
                .location_ends
                .push(profile.location_frames.len() as u32);
        }
    }
}

fn label(at: u64, bytes: &[u8]) -> Result<Label, Error> {
    let mut label = Label {
        key: Str(0),
        text: Str(0),
        number: 0,
        unit: Str(0),
    };
    let mut fields = Fields::new(at, bytes);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => label.key = Str(small(value)),
            2 => label.text = Str(small(value)),
            3 => label.number = signed(value),
            4 => label.unit = Str(small(value)),
            _ => {}
        }
    }
    Ok(label)
}
