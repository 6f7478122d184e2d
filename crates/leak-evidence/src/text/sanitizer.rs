//! LeakSanitizer, alone or as part of AddressSanitizer.

use super::{Line, Place, Scanner, State, find, leading_number};
use crate::profile::{Format, FrameId, Kind};

const TYPES: [(&str, &str); 2] = [("leaked_objects", "count"), ("leaked_space", "bytes")];

/// A leak whose stack is being read.
#[derive(Debug)]
pub(super) struct Record {
    direct: bool,
    bytes: i64,
    objects: i64,
    stack: Vec<FrameId>,
}

/// `Direct leak of 1024 byte(s) in 1 object(s) allocated from:`.
pub(super) fn header(line: &[u8]) -> Option<Record> {
    let at = find(line, " leak of ")?;
    let direct = match &line[..at] {
        start if start.ends_with(b"Direct") => true,
        start if start.ends_with(b"Indirect") => false,
        _ => return None,
    };
    let (bytes, rest) = leading_number(&line[at + " leak of ".len()..])?;
    let rest = rest.strip_prefix(b" byte(s) in ")?;
    let (objects, rest) = leading_number(rest)?;
    rest.starts_with(b" object(s) allocated from:")
        .then_some(Record {
            direct,
            bytes: i64::try_from(bytes).ok()?,
            objects: i64::try_from(objects).ok()?,
            stack: Vec::new(),
        })
}

/// `#1 0x4a1b2c in main.leak /abs/main.go:12:3`: function and place.
fn frame(line: &[u8]) -> Option<(&[u8], Option<Place<'_>>)> {
    let line = line.trim_ascii().strip_prefix(b"#")?;
    let (_, rest) = leading_number(line)?;
    let rest = rest.strip_prefix(b" 0x")?;
    let Some(at) = find(rest, " in ") else {
        // `#1 0x4a1b2c  (/lib/libc.so+0x1234)`.
        return Some((b"", None));
    };
    let rest = rest[at + 4..].trim_ascii();
    // A library in place of a file: `malloc (/lib/libasan.so.8+0x1) (BuildId: ab)`.
    if let Some(at) = find(rest, " (/") {
        return Some((&rest[..at], None));
    }
    let Some(space) = memchr::memrchr(b' ', rest) else {
        return Some((rest, None));
    };
    let (function, place) = (&rest[..space], &rest[space + 1..]);
    Some((function, place_of(place)))
}

/// `file:line:column`, `file:line` or `file`.
fn place_of(place: &[u8]) -> Option<Place<'_>> {
    let (first, line) = super::file_line(place)?;
    Some(super::file_line(first).unwrap_or((first, line)))
}

impl Scanner<'_> {
    pub(super) fn sanitizer_line(&mut self, mut record: Record, line: &Line<'_>) -> Option<State> {
        let Some((function, place)) = frame(line.bytes) else {
            self.end_leak(record);
            return None;
        };
        let builder = self.builder(&Kind::Sanitizer, Format::Sanitizer, &TYPES);
        if record.stack.len() < self.limits.frames {
            let max = self.limits.string;
            let frame = self.builders[builder].frame_of(function, place, max);
            record.stack.push(frame);
        }
        Some(State::Sanitizer(record))
    }

    pub(super) fn end_leak(&mut self, record: Record) {
        let builder = self.builder(&Kind::Sanitizer, Format::Sanitizer, &TYPES);
        let builder = &mut self.builders[builder];
        let max = self.limits.string;
        let key = builder.string(b"leak", max);
        let value: &[u8] = if record.direct {
            b"direct"
        } else {
            b"indirect"
        };
        let value = builder.string(value, max);
        builder.sample(
            &record.stack,
            &[(key, value)],
            &[record.objects, record.bytes],
            self.limits.samples,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{frame, header};

    #[test]
    fn frames_are_taken_apart() {
        let parts = |line: &str| {
            frame(line.as_bytes()).map(|(function, place)| {
                let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                (text(function), place.map(|(file, line)| (text(file), line)))
            })
        };
        let some = |function: &str, file: &str, line| {
            Some((function.to_owned(), Some((file.to_owned(), line))))
        };
        assert_eq!(
            parts("    #1 0x4a1b2c in main.leak /abs/main.go:12"),
            some("main.leak", "/abs/main.go", 12)
        );
        assert_eq!(
            parts("    #1 0x4a1b2c in f(int, char) /abs/x.c:12:3"),
            some("f(int, char)", "/abs/x.c", 12)
        );
        assert_eq!(
            parts("    #0 0x7f in malloc (/lib/libasan.so.8+0x1) (BuildId: ab)"),
            Some(("malloc".to_owned(), None))
        );
        assert_eq!(
            parts("    #1 0x7f  (/lib/x.so+0x1)"),
            Some((String::new(), None))
        );
        assert_eq!(parts("SUMMARY: x"), None);
        assert!(header(b"Direct leak of 12 byte(s) in 1 object(s) allocated from:").is_some());
        assert!(header(b"a leak of 12 byte(s)").is_none());
    }
}
