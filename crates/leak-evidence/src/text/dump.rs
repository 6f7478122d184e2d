//! Goroutine dumps: `debug=2`, panics, SIGQUIT, and goleak, whose records have another header.

use super::{Line, Place, Scanner, State, file_line, find, labels, leading_number, text};
use crate::profile::{Builder, Format, FrameId, GroupKey, Kind};

/// The first line of a goroutine's record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header<'a> {
    number: u64,
    goleak: bool,
    /// What stands before it on the line, which the lines of the record have, too.
    prefix: &'a [u8],
    /// From the status on: `chan send, 5 minutes] {k: v}:`.
    rest: &'a [u8],
}

/// A goroutine whose lines are being read.
#[derive(Debug)]
pub(super) struct Record {
    builder: usize,
    number: u64,
    prefix: Vec<u8>,
    key: GroupKey,
    /// Name of the function whose file comes next.
    pending: Option<Pending>,
    /// In what follows `[originating from goroutine 7]:`.
    ancestors: bool,
    last_had_offset: bool,
}

#[derive(Debug)]
enum Pending {
    Frame(Vec<u8>),
    Creator(Vec<u8>),
}

impl Record {
    /// The last line of a stack is the `go` statement with its offset.
    pub(super) fn seems_whole(&self) -> bool {
        self.pending.is_none()
            && self.last_had_offset
            && (self.key.created_by.is_some() || self.number == 1)
    }
}

/// Recognises the header of a record.
pub(super) fn header(line: &[u8]) -> Option<Header<'_>> {
    let at = find(line, "oroutine ")?.checked_sub(1)?;
    let prefix = &line[..at];
    let (number, rest) = leading_number(&line[at + b"goroutine ".len()..])?;
    match line[at] {
        b'g' => {
            let boundary = prefix
                .last()
                .is_none_or(|byte| matches!(byte, b' ' | b'\t' | b'|' | b':' | b'm'));
            let ids = rest.strip_prefix(b" gp=");
            let rest = match ids {
                Some(ids) => &ids[find(ids, " [")? + 2..],
                None => rest.strip_prefix(b" [")?,
            };
            (boundary && rest.ends_with(b":") && rest.contains(&b']')).then_some(Header {
                number,
                goleak: false,
                prefix,
                rest,
            })
        }
        b'G' => {
            let rest = rest.strip_prefix(b" in state ")?;
            let rest = rest.strip_suffix(b" on top of the stack:")?;
            let rest = &rest[..memchr::memmem::rfind(rest, b", with ")?];
            Some(Header {
                number,
                goleak: true,
                prefix: prefix.strip_suffix(b"[").unwrap_or(prefix),
                rest,
            })
        }
        _ => None,
    }
}

/// Reads status, marks and labels of a header.
fn status(builder: &mut Builder, key: &mut GroupKey, rest: &[u8], max: usize) {
    let label_start = find(rest, " labels:{").map(|at| (at, at + " labels:".len()));
    let bracket = rest.iter().position(|byte| *byte == b']');
    let (end, labels_at) = match (label_start, bracket) {
        // Go 1.26 writes labels inside of the brackets.
        (Some((at, labels)), Some(bracket)) if at < bracket => (at, Some(labels)),
        (Some((at, labels)), None) => (at, Some(labels)),
        // Go 1.27 writes them after.
        (_, Some(bracket)) => (
            bracket,
            rest[bracket..].starts_with(b"] {").then_some(bracket + 2),
        ),
        (None, None) => (rest.len(), None),
    };
    if let Some((found, _)) = labels_at.and_then(|at| labels(builder, &rest[at..], max)) {
        key.labels = found;
    }
    let mut parts = text(&rest[..end]).split(", ");
    let mut status = parts.next().unwrap_or_default();
    for mark in [" (durable)", " (scan)", " (leaked)"] {
        if let Some(rest) = status.strip_suffix(mark) {
            status = rest;
            key.leaked |= mark == " (leaked)";
        }
    }
    key.status = builder.string(status.as_bytes(), max);
    for part in parts {
        if let Some(minutes) = part.strip_suffix(" minutes") {
            key.minutes = minutes.parse().ok();
        }
        key.locked |= part == "locked to thread";
    }
}

impl Scanner<'_> {
    pub(super) fn begin_goroutine(&mut self, header: &Header<'_>) -> State {
        let (kind, types) = if header.goleak {
            (Kind::Goleak, [("goleak", "count")])
        } else {
            (Kind::Goroutine, [("goroutine", "count")])
        };
        let builder = self.builder(&kind, Format::Dump, &types);
        let mut key = GroupKey::default();
        let max = self.limits.string;
        status(&mut self.builders[builder], &mut key, header.rest, max);
        State::Dump(Record {
            builder,
            number: header.number,
            prefix: header.prefix.trim_ascii_start().to_vec(),
            key,
            pending: None,
            ancestors: false,
            last_had_offset: false,
        })
    }

    /// The state after a line of a record; `None` if the line does not belong to it.
    pub(super) fn dump_line(&mut self, mut record: Record, line: &Line<'_>) -> Option<State> {
        let line = strip(line.bytes, &record.prefix);
        if line.is_empty() {
            self.end_goroutine(record);
            return Some(State::Idle);
        }
        if self.frame_line(&mut record, line) {
            return Some(State::Dump(record));
        }
        self.end_goroutine(record);
        None
    }

    /// Takes a line of a stack; whether it is one.
    fn frame_line(&mut self, record: &mut Record, line: &[u8]) -> bool {
        if let Some(place) = line.strip_prefix(b"\t") {
            self.place_line(record, place);
            return true;
        }
        if line.starts_with(b"...") {
            record.key.elided = true;
            return true;
        }
        if line.starts_with(b"[originating from goroutine ") {
            record.ancestors = true;
            return true;
        }
        if let Some(creator) = line.strip_prefix(b"created by ") {
            let function = match memchr::memmem::rfind(creator, b" in goroutine ") {
                Some(at) => &creator[..at],
                None => creator,
            };
            record.pending = Some(Pending::Creator(function.to_vec()));
            return true;
        }
        // `pkg.F(0x1, {…})`: the arguments hold no parentheses.
        if !line.ends_with(b")") || header(line).is_some() {
            return false;
        }
        let Some(open) = memchr::memrchr(b'(', line).filter(|at| *at > 0) else {
            return false;
        };
        if let Some(Pending::Frame(function)) = record.pending.take() {
            self.add_frame(record, &function, None);
        }
        // The text calls the built-in function by its name in the language.
        let function = match &line[..open] {
            b"panic" => b"runtime.gopanic",
            function => function,
        };
        record.pending = Some(Pending::Frame(function.to_vec()));
        true
    }

    fn place_line(&mut self, record: &mut Record, line: &[u8]) {
        let place = file_line(line);
        record.last_had_offset = place.is_some() && find(line, " +0x").is_some();
        match record.pending.take() {
            Some(Pending::Frame(function)) => self.add_frame(record, &function, place),
            Some(Pending::Creator(function)) if !record.ancestors => {
                let max = self.limits.string;
                let frame = self.builders[record.builder].frame_of(&function, place, max);
                record.key.created_by = Some(frame);
            }
            // Without a function: "goroutine running on other thread; stack unavailable".
            Some(Pending::Creator(_)) | None => {}
        }
    }

    fn add_frame(&mut self, record: &mut Record, function: &[u8], place: Option<Place<'_>>) {
        if record.ancestors {
            return;
        }
        if record.key.stack.len() >= self.limits.frames {
            record.key.elided = true;
            return;
        }
        let max = self.limits.string;
        let frame: FrameId = self.builders[record.builder].frame_of(function, place, max);
        record.key.stack.push(frame);
    }

    pub(super) fn end_goroutine(&mut self, mut record: Record) {
        if let Some(Pending::Frame(function)) = record.pending.take() {
            self.add_frame(&mut record, &function, None);
        }
        let limit = self.limits.samples;
        self.builders[record.builder].goroutine(&record.key, record.number, limit);
    }
}

/// The line without what every line of the record begins with.
fn strip<'a>(line: &'a [u8], prefix: &[u8]) -> &'a [u8] {
    let line = trim_spaces(line);
    let line = match line.strip_prefix(prefix) {
        Some(rest) if !prefix.is_empty() => trim_spaces(rest),
        _ => line
            .strip_prefix(prefix.trim_ascii_end())
            .map_or(line, |rest| {
                if prefix.is_empty() {
                    line
                } else {
                    trim_spaces(rest)
                }
            }),
    };
    // goleak writes the `]` of its list on a line of its own.
    if line == b"]" { b"" } else { line }
}

fn trim_spaces(line: &[u8]) -> &[u8] {
    let spaces = line.iter().take_while(|byte| **byte == b' ').count();
    &line[spaces..]
}

#[cfg(test)]
mod tests {
    use super::header;

    #[test]
    fn headers_are_recognised() {
        let yes = [
            "goroutine 1 [running]:",
            "goroutine 7 gp=0xc000003180 m=nil [IO wait, 3 minutes]:",
            "goroutine 7 gp=0x1 m=5 mp=0xc000 [running, locked to thread]:",
            "app-1  | goroutine 18 [chan send] {handler: Get, tenant: \"acme: corp\"}:",
            "[Goroutine 23 in state chan receive, with m.leak.func1 on top of the stack:",
            "         Goroutine 24 in state select, with m.x on top of the stack:",
        ];
        for line in yes {
            assert!(header(line.as_bytes()).is_some(), "{line}");
        }
        let no = [
            "created by m.f in goroutine 7",
            "Goroutine 7 (running) created at:",
            "goroutine 7",
            "goroutine profile: total 5",
            "[originating from goroutine 1]:",
            "oroutine 1 [running]:",
        ];
        for line in no {
            assert_eq!(header(line.as_bytes()), None, "{line}");
        }
    }
}
