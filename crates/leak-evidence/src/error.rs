//! What can go wrong, and how much is read at most.

use std::fmt;

/// Why nothing could be read. Offsets count bytes of the text or message after decompression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Where in the (inflated) input.
    pub offset: u64,
    /// What is wrong there.
    pub kind: ErrorKind,
}

/// What is wrong with an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorKind {
    /// It holds none of the formats that are read.
    NotEvidence,
    /// It ends before anything whole.
    Empty,
    /// It is not valid: what was expected.
    Malformed(&'static str),
    /// The compressed data is damaged, or the input could not be read.
    Io(String),
}

impl Error {
    pub(crate) fn new(offset: u64, kind: ErrorKind) -> Self {
        Self { offset, kind }
    }

    pub(crate) fn malformed(offset: u64, what: &'static str) -> Self {
        Self::new(offset, ErrorKind::Malformed(what))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ErrorKind::NotEvidence => f.write_str(
                "no profile, goroutine dump, goleak or sanitizer report was recognised in it",
            ),
            ErrorKind::Empty => write!(f, "it ends at byte {} before anything whole", self.offset),
            ErrorKind::Malformed(what) => write!(f, "at byte {}: {what}", self.offset),
            ErrorKind::Io(what) => write!(f, "at byte {}: {what}", self.offset),
        }
    }
}

impl std::error::Error for Error {}

/// How much is read at most. What lies beyond is left out, and [`Truncation`] says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes after decompression.
    pub inflated: u64,
    /// Bytes of one field of a protobuf message.
    pub field: usize,
    /// Bytes of one line of text; the rest of a longer line is ignored.
    pub line: usize,
    /// Bytes of one string; longer ones are cut.
    pub string: usize,
    /// Samples of one profile, after equal goroutines of a dump were put together.
    pub samples: usize,
    /// Frames of one stack, inlined ones included.
    pub frames: usize,
    /// Frames, locations, functions and strings of one profile, each.
    pub table: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            inflated: 2 << 30,
            field: 16 << 20,
            line: 1 << 20,
            string: 16 << 10,
            samples: 20_000_000,
            frames: 4096,
            table: 20_000_000,
        }
    }
}

/// The input was not whole: what was counted is a lower bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truncation {
    /// Where reading stopped, in inflated bytes.
    pub offset: u64,
    /// Why.
    pub why: Cut,
}

/// Why an input was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The input ends in the middle of something.
    EndOfInput,
    /// A limit was reached: which.
    Limit(&'static str),
}

impl fmt::Display for Truncation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why {
            Cut::EndOfInput => write!(f, "the input is cut off at byte {}", self.offset),
            Cut::Limit(what) => write!(f, "only the first {} bytes were read: {what}", self.offset),
        }
    }
}
