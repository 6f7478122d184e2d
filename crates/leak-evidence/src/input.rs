//! A window over the input: reads ahead as far as the readers ask for, and knows where it is.

use std::io::{self, Read};

use memchr::memchr;

use crate::error::{Cut, Error, ErrorKind, Truncation};

const CHUNK: usize = 256 << 10;

/// Why there is no more input.
#[derive(Debug)]
enum Stop {
    End,
    /// Compressed data ends in the middle.
    Cut,
    Limit,
    Failed(String),
}

#[derive(Debug)]
pub(crate) struct Input<R> {
    inner: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset of `buffer[start]` in the input.
    offset: u64,
    limit: u64,
    stop: Option<Stop>,
    /// The rest of the line that comes next is to be left out.
    in_long_line: bool,
}

/// A line of text without its end.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    pub offset: u64,
    pub bytes: &'a [u8],
    /// It ended with a line end.
    pub terminated: bool,
}

impl<R: Read> Input<R> {
    pub fn new(inner: R, limit: u64) -> Self {
        Self {
            inner,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            offset: 0,
            limit,
            stop: None,
            in_long_line: false,
        }
    }

    /// Offset of the next byte.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// At least `want` bytes from here on, or fewer at the end.
    pub fn peek(&mut self, want: usize) -> &[u8] {
        while self.end - self.start < want && self.stop.is_none() {
            self.read_some(want);
        }
        &self.buffer[self.start..self.end]
    }

    fn read_some(&mut self, want: usize) {
        if self.end == self.buffer.len() {
            if self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            // Grows with what arrives: a length that the input merely claims allocates nothing.
            if self.buffer.len() - self.end < CHUNK.min(want) {
                let len = (self.end + CHUNK).max((self.buffer.len() * 2).min(want));
                self.buffer.resize(len, 0);
            }
        }
        let left = self.limit - self.offset - (self.end - self.start) as u64;
        let room = &mut self.buffer[self.end..];
        let room = match usize::try_from(left) {
            Ok(left) if left < room.len() => &mut room[..left],
            _ => room,
        };
        if room.is_empty() {
            self.stop = Some(Stop::Limit);
            return;
        }
        match self.inner.read(room) {
            Ok(0) => self.stop = Some(Stop::End),
            Ok(n) => self.end += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.stop = Some(Stop::Cut);
            }
            Err(error) => self.stop = Some(Stop::Failed(error.to_string())),
        }
    }

    pub fn skip(&mut self, n: usize) {
        debug_assert!(n <= self.end - self.start);
        self.start += n;
        self.offset += n as u64;
    }

    /// The next line. Of lines longer than `max` only the beginning.
    pub fn line(&mut self, max: usize) -> Option<Line<'_>> {
        while self.in_long_line {
            self.skip_to_line_end();
        }
        let mut scanned = 0;
        let (len, used, terminated) = loop {
            let there = self.end - self.start;
            match memchr(b'\n', &self.buffer[self.start + scanned..self.end]) {
                Some(at) => break (scanned + at, scanned + at + 1, true),
                None if there >= max => {
                    self.in_long_line = true;
                    break (max, max, true);
                }
                None if self.stop.is_some() => break (there, there, false),
                None => {
                    scanned = there;
                    self.peek(there + 1);
                }
            }
        };
        if used == 0 {
            return None;
        }
        let (from, offset) = (self.start, self.offset);
        self.skip(used);
        let bytes = &self.buffer[from..from + len];
        Some(Line {
            offset,
            bytes: bytes.strip_suffix(b"\r").unwrap_or(bytes),
            terminated,
        })
    }

    fn skip_to_line_end(&mut self) {
        let rest = self.peek(1);
        let used = memchr(b'\n', rest).map(|at| at + 1);
        let all = rest.len();
        self.in_long_line = used.is_none() && all > 0;
        self.skip(used.unwrap_or(all));
    }

    /// How the input ended; asked when everything was read.
    ///
    /// # Errors
    /// The input could not be read to its end.
    pub fn finish(&self) -> Result<Option<Truncation>, Error> {
        let why = match &self.stop {
            None | Some(Stop::End) => return Ok(None),
            Some(Stop::Cut) => Cut::EndOfInput,
            Some(Stop::Limit) => Cut::Limit("it is larger than what is read at most"),
            Some(Stop::Failed(what)) => {
                return Err(Error::new(
                    self.offset + (self.end - self.start) as u64,
                    ErrorKind::Io(what.clone()),
                ));
            }
        };
        Ok(Some(Truncation {
            offset: self.offset + (self.end - self.start) as u64,
            why,
        }))
    }
}
