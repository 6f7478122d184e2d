//! Text in which something may be evidence: dumps, `debug=1` profiles and reports, alone or in the output of a program or test.
//!
//! A scanner goes over the lines; what it recognises goes to the part for that format until a line does not belong to it.

mod count;
mod dump;
mod gotest;
mod sanitizer;

use std::io::Read;

use memchr::memmem;

use crate::error::{Cut, Error, ErrorKind, Limits, Truncation};
use crate::input::Input;
use crate::profile::{Builder, Format, Frame, FrameId, Kind, Profile, Str, ValueType};

/// `runtime/pprof` stops a dump at this size, in the middle of a line.
const DUMP_LIMIT: u64 = 64 << 20;

pub(crate) fn read(input: &mut Input<impl Read>, limits: &Limits) -> Result<Vec<Profile>, Error> {
    let mut scanner = Scanner::new(limits);
    let mut tests = gotest::Outputs::default();
    let mut cut_in_line = false;
    while let Some(line) = input.line(limits.line) {
        if tests.take(line.bytes) {
            continue;
        }
        scanner.line(&Line {
            offset: line.offset,
            bytes: line.bytes,
        })?;
        cut_in_line = !line.terminated;
    }
    let offset = input.offset();
    let end = input.finish()?;
    let missing = end.is_some() || (cut_in_line && scanner.seems_cut(offset));
    scanner.end(missing);
    for output in tests.outputs() {
        for line in output.lines() {
            scanner.line(&Line {
                offset,
                bytes: line.as_bytes(),
            })?;
        }
        scanner.end(false);
    }
    let cut = end.or(missing.then_some(Truncation {
        offset,
        why: Cut::EndOfInput,
    }));
    scanner.finish(cut, offset)
}

#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    offset: u64,
    bytes: &'a [u8],
}

/// What the lines at hand belong to.
#[derive(Debug)]
enum State {
    Idle,
    Dump(dump::Record),
    Count(count::Record),
    Sanitizer(sanitizer::Record),
}

#[derive(Debug)]
struct Scanner<'a> {
    limits: &'a Limits,
    state: State,
    /// One for each kind and format met.
    builders: Vec<Builder>,
    /// The last line looks like the beginning of a header.
    broken_header: bool,
}

impl<'a> Scanner<'a> {
    fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            state: State::Idle,
            builders: Vec::new(),
            broken_header: false,
        }
    }

    /// The builder for a kind in a format.
    fn builder(&mut self, kind: &Kind, format: Format, types: &[(&str, &str)]) -> usize {
        let known =
            |builder: &Builder| builder.profile.kind == *kind && builder.profile.format == format;
        if let Some(at) = self.builders.iter().position(known) {
            return at;
        }
        let types = types
            .iter()
            .map(|(name, unit)| ValueType::new(*name, *unit))
            .collect();
        self.builders
            .push(Builder::new(kind.clone(), format, types));
        self.builders.len() - 1
    }

    fn line(&mut self, line: &Line<'_>) -> Result<(), Error> {
        let state = std::mem::replace(&mut self.state, State::Idle);
        let next = match state {
            State::Idle => None,
            State::Dump(record) => self.dump_line(record, line),
            State::Count(record) => self.count_line(record, line)?,
            State::Sanitizer(record) => self.sanitizer_line(record, line),
        };
        self.state = match next {
            Some(state) => state,
            None => self.begin(line)?,
        };
        Ok(())
    }

    /// What begins with this line, if anything does.
    fn begin(&mut self, line: &Line<'_>) -> Result<State, Error> {
        let bytes = line.bytes;
        self.broken_header = bytes.starts_with(b"goroutine ");
        if let Some(header) = dump::header(bytes) {
            return Ok(self.begin_goroutine(&header));
        }
        if let Some(record) = self.begin_count(line)? {
            return Ok(State::Count(record));
        }
        if let Some(record) = sanitizer::header(bytes) {
            return Ok(State::Sanitizer(record));
        }
        Ok(State::Idle)
    }

    /// Whether what is being read looks as if more of it should come.
    fn seems_cut(&self, size: u64) -> bool {
        size == DUMP_LIMIT
            || match &self.state {
                State::Idle => self.broken_header && !self.builders.is_empty(),
                State::Dump(record) => !record.seems_whole(),
                State::Count(record) => !record.seems_whole(),
                State::Sanitizer(_) => false,
            }
    }

    /// Ends what is being read. A part that something is missing of is dropped.
    fn end(&mut self, missing: bool) {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Idle => {}
            State::Dump(record) => {
                if !missing {
                    self.end_goroutine(record);
                }
            }
            State::Count(mut record) => {
                if !missing {
                    self.end_count(&mut record);
                }
            }
            State::Sanitizer(record) => {
                if !missing {
                    self.end_leak(record);
                }
            }
        }
    }

    fn finish(self, cut: Option<Truncation>, offset: u64) -> Result<Vec<Profile>, Error> {
        let profiles: Vec<_> = self
            .builders
            .into_iter()
            .map(|builder| {
                let full = builder.full.map(|what| Truncation {
                    offset,
                    why: Cut::Limit(what),
                });
                let mut profile = builder.profile;
                profile.truncated = cut.or(full);
                profile
            })
            .collect();
        if !profiles.is_empty() {
            return Ok(profiles);
        }
        Err(match cut {
            Some(cut) => Error::new(cut.offset, ErrorKind::Empty),
            None => Error::new(0, ErrorKind::NotEvidence),
        })
    }
}

fn text(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    }
}

/// The number that `bytes` is.
fn number(bytes: &[u8]) -> Option<u64> {
    text(bytes)
        .parse()
        .ok()
        .filter(|_| bytes.first().is_some_and(u8::is_ascii_digit))
}

/// A number at the beginning of `bytes`, and what follows it.
fn leading_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let digits = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    Some((number(&bytes[..digits])?, &bytes[digits..]))
}

fn find(haystack: &[u8], needle: &str) -> Option<usize> {
    memmem::find(haystack, needle.as_bytes())
}

/// `/a/b.go:12` as file and line; what follows the line (` +0x1d`, a column) is ignored.
fn file_line(bytes: &[u8]) -> Option<Place<'_>> {
    let bytes = match find(bytes, " +0x").or_else(|| find(bytes, " fp=0x")) {
        Some(end) => &bytes[..end],
        None => bytes,
    };
    let colon = memchr::memrchr(b':', bytes)?;
    let line = number(&bytes[colon + 1..])?;
    Some((&bytes[..colon], u32::try_from(line).ok()?))
}

impl Builder {
    fn frame_of(&mut self, function: &[u8], place: Option<Place<'_>>, max: usize) -> FrameId {
        let (file, line) = place.unwrap_or_default();
        let frame = Frame {
            function: self.string(function, max),
            file: self.string(file, max),
            line,
            start_line: 0,
        };
        self.frame(frame)
    }
}

/// A string as `strconv.Quote` writes it at the beginning of `bytes`, and what follows it.
fn quoted(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut rest = bytes.strip_prefix(b"\"")?;
    let mut out = Vec::new();
    loop {
        let (first, tail) = rest.split_first()?;
        rest = tail;
        match first {
            b'"' => return Some((out, rest)),
            b'\\' => {
                let (escape, tail) = rest.split_first()?;
                rest = tail;
                let (digits, plain) = match escape {
                    b'n' => (0, b'\n'),
                    b't' => (0, b'\t'),
                    b'r' => (0, b'\r'),
                    b'x' => (2, 0),
                    b'u' => (4, 0),
                    b'U' => (8, 0),
                    other => (0, *other),
                };
                if digits == 0 {
                    out.push(plain);
                    continue;
                }
                let code = u32::from_str_radix(text(rest.get(..digits)?), 16).ok()?;
                rest = &rest[digits..];
                match (digits, char::from_u32(code)) {
                    (2, _) => out.push(code as u8),
                    (_, Some(char)) => {
                        out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                    }
                    _ => out.push(b'?'),
                }
            }
            other => out.push(*other),
        }
    }
}

type Labels = Vec<(Str, Str)>;
/// File and line.
type Place<'a> = (&'a [u8], u32);

/// `{"k":"v", k2: v2}`, quoted or not, at the beginning of `bytes`, and what follows it.
fn labels<'b>(builder: &mut Builder, bytes: &'b [u8], max: usize) -> Option<(Labels, &'b [u8])> {
    let mut rest = bytes.strip_prefix(b"{")?;
    let mut found = Vec::new();
    loop {
        if let Some(after) = rest.strip_prefix(b"}") {
            return Some((found, after));
        }
        let (key, after) = word(builder, rest, b":", max)?;
        let after = after.strip_prefix(b":")?;
        let (value, after) = word(builder, after.trim_ascii_start(), b",}", max)?;
        if found.len() < 64 {
            found.push((key, value));
        }
        rest = after.strip_prefix(b",").unwrap_or(after).trim_ascii_start();
        if rest.is_empty() {
            return None;
        }
    }
}

fn word<'b>(
    builder: &mut Builder,
    bytes: &'b [u8],
    ends: &[u8],
    max: usize,
) -> Option<(Str, &'b [u8])> {
    if let Some((value, rest)) = quoted(bytes) {
        return Some((builder.string(&value, max), rest));
    }
    let end = bytes.iter().position(|byte| ends.contains(byte))?;
    Some((builder.string(&bytes[..end], max), &bytes[end..]))
}
