//! Lines and columns in the three encodings that editors speak.

use text_size::{TextRange, TextSize};

/// How an editor counts columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PositionEncoding {
    /// In bytes.
    Utf8,
    /// In UTF-16 code units.
    Utf16,
    /// In code points.
    Utf32,
}

/// A line and a column in bytes, both from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineCol {
    /// Line, from zero.
    pub line: u32,
    /// Bytes from the start of the line.
    pub col: u32,
}

/// A line and a column as an editor counts them, both from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// Line, from zero.
    pub line: u32,
    /// Column in the units of a [`PositionEncoding`].
    pub character: u32,
}

/// Where the lines of a text begin and end. Lines end with `\n`, `\r\n` or a lone `\r`, as the language server protocol says.
///
/// Columns past the end of a line mean its end, before the line terminator; lines past the last one mean the end of the text;
/// columns inside a character mean its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineIndex {
    /// Start of every line; the first is 0.
    starts: Vec<u32>,
    /// End of every line without its terminator.
    ends: Vec<u32>,
}

impl LineIndex {
    /// Indexes `text`, which must be shorter than 4 GiB; what lies behind is not indexed.
    pub fn new(text: &str) -> Self {
        let mut index = Self {
            starts: vec![0],
            ends: Vec::new(),
        };
        index.scan(text, 0..text.len());
        index
            .ends
            .push(u32::try_from(text.len()).unwrap_or(u32::MAX));
        index
    }

    /// The index of `text`, in which `len` bytes stand in place of `range` of the text that was indexed. Only the lines of the edit
    /// are looked at again.
    pub fn edited(&self, range: TextRange, len: usize, text: &str) -> Self {
        let removed = usize::from(range.len());
        let (Ok(old_len), true) = (u32::try_from(text.len() + removed), len <= text.len()) else {
            return Self::new(text);
        };
        if old_len - len as u32 != u32::from(self.len()) {
            return Self::new(text);
        }
        // The character before the edit may be a `\r` that a `\n` now follows.
        let first = self.line(range.start().checked_sub(1.into()).unwrap_or_default()) as usize;
        let last = self.line(range.end()) as usize;
        let moved = |at: u32| (u64::from(at) + len as u64 - removed as u64) as u32;
        let until = self.starts.get(last + 1).map(|&next| moved(next));
        let mut index = Self {
            starts: Vec::with_capacity(self.starts.len() + 1),
            ends: Vec::with_capacity(self.ends.len() + 1),
        };
        index.starts.extend_from_slice(&self.starts[..=first]);
        index.ends.extend_from_slice(&self.ends[..first]);
        let from = self.starts[first] as usize;
        index.scan(text, from..until.map_or(text.len(), |at| at as usize));
        if until.is_some() {
            // The last line of the edit is ended as before, so the next one has been begun.
            index
                .starts
                .extend(self.starts[last + 2..].iter().map(|&at| moved(at)));
            index
                .ends
                .extend(self.ends[last + 1..].iter().map(|&at| moved(at)));
        } else {
            index.ends.push(text.len() as u32);
        }
        index
    }

    /// Adds the line ends in a part of a text, with the lines that they begin.
    fn scan(&mut self, text: &str, part: std::ops::Range<usize>) {
        let bytes = text.as_bytes();
        let mut skip = None;
        for at in memchr::memchr2_iter(b'\n', b'\r', &bytes[part.clone()]) {
            let at = part.start + at;
            if skip == Some(at) {
                continue;
            }
            let mut next = at + 1;
            if bytes[at] == b'\r' && bytes.get(next) == Some(&b'\n') {
                skip = Some(next);
                next += 1;
            }
            let (Ok(at), Ok(next)) = (u32::try_from(at), u32::try_from(next)) else {
                break;
            };
            self.ends.push(at);
            self.starts.push(next);
        }
    }

    /// How many lines there are, at least one. A text that ends with a line terminator has an empty last line.
    pub fn line_count(&self) -> u32 {
        self.starts.len() as u32
    }

    /// Length of the text in bytes.
    pub fn len(&self) -> TextSize {
        self.ends.last().copied().unwrap_or_default().into()
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == TextSize::new(0)
    }

    /// The line that `offset` lies on, from zero; a terminator belongs to the line that it ends.
    pub fn line(&self, offset: TextSize) -> u32 {
        let offset = u32::from(offset);
        self.starts.partition_point(|&start| start <= offset) as u32 - 1
    }

    /// A line without its terminator; an empty range at the end of the text for lines past the last.
    pub fn line_range(&self, line: u32) -> TextRange {
        match (self.starts.get(line as usize), self.ends.get(line as usize)) {
            (Some(&start), Some(&end)) => TextRange::new(start.into(), end.into()),
            _ => TextRange::empty(self.len()),
        }
    }

    /// A line with its terminator; an empty range at the end of the text for lines past the last.
    pub fn full_line_range(&self, line: u32) -> TextRange {
        let line = line as usize;
        match self.starts.get(line) {
            Some(&start) => {
                let end = self.starts.get(line + 1).copied();
                TextRange::new(start.into(), end.map_or(self.len(), TextSize::new))
            }
            None => TextRange::empty(self.len()),
        }
    }

    /// Line and byte column of `offset`, which is clamped to the text.
    pub fn line_col(&self, offset: TextSize) -> LineCol {
        let offset = offset.min(self.len());
        let line = self.line(offset);
        let start = self.starts[line as usize];
        LineCol {
            line,
            col: u32::from(offset) - start,
        }
    }

    /// Offset of a line and byte column, clamped.
    pub fn offset(&self, at: LineCol) -> TextSize {
        let range = self.line_range(at.line);
        let offset = u32::from(range.start()).saturating_add(at.col);
        TextSize::new(offset).min(range.end())
    }

    /// The position of `offset` in `text`, which must be the text that was indexed.
    pub fn to_position(
        &self,
        text: &str,
        offset: TextSize,
        encoding: PositionEncoding,
    ) -> Position {
        let LineCol { line, col } = self.line_col(offset);
        let start = self.starts[line as usize] as usize;
        let before = floor(text, start + col as usize);
        let prefix = text.get(start..before).unwrap_or_default();
        let character = match encoding {
            PositionEncoding::Utf8 => prefix.len(),
            PositionEncoding::Utf16 if prefix.is_ascii() => prefix.len(),
            PositionEncoding::Utf16 => prefix.chars().map(char::len_utf16).sum(),
            PositionEncoding::Utf32 if prefix.is_ascii() => prefix.len(),
            PositionEncoding::Utf32 => prefix.chars().count(),
        };
        Position {
            line,
            character: character as u32,
        }
    }

    /// The offset of `position` in `text`, which must be the text that was indexed. Clamped.
    pub fn from_position(
        &self,
        text: &str,
        position: Position,
        encoding: PositionEncoding,
    ) -> TextSize {
        let range = self.line_range(position.line);
        let line = text
            .get(std::ops::Range::<usize>::from(range))
            .unwrap_or_default();
        let column = position.character as usize;
        let bytes = match encoding {
            PositionEncoding::Utf8 => floor(line, column),
            _ if column >= line.len() => line.len(),
            _ if line.as_bytes()[..column].is_ascii() => column,
            PositionEncoding::Utf16 => {
                let mut units = 0;
                let end = line.char_indices().find(|(_, c)| {
                    units += c.len_utf16();
                    units > column
                });
                end.map_or(line.len(), |(at, _)| at)
            }
            PositionEncoding::Utf32 => line
                .char_indices()
                .nth(column)
                .map_or(line.len(), |(at, _)| at),
        };
        range.start() + TextSize::new(bytes as u32)
    }
}

/// The last character boundary at or before `at`, within the text.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [PositionEncoding; 3] = [
        PositionEncoding::Utf8,
        PositionEncoding::Utf16,
        PositionEncoding::Utf32,
    ];

    fn at(line: u32, character: u32) -> Position {
        Position { line, character }
    }

    #[test]
    fn lines_end_in_three_ways() {
        let index = LineIndex::new("a\r\nb\rc\n\n\r\r\nd");
        let ranges: Vec<_> = (0..index.line_count())
            .map(|l| index.line_range(l))
            .collect();
        let wanted = [(0, 1), (3, 4), (5, 6), (7, 7), (8, 8), (9, 9), (11, 12)];
        let wanted: Vec<_> = wanted
            .iter()
            .map(|&(a, b)| TextRange::new(TextSize::new(a), TextSize::new(b)))
            .collect();
        assert_eq!(ranges, wanted);
        assert_eq!(index.full_line_range(0), TextRange::new(0.into(), 3.into()));
        assert_eq!(
            index.full_line_range(6),
            TextRange::new(11.into(), 12.into())
        );
        assert_eq!(index.line(TextSize::new(2)), 0);
    }

    #[test]
    fn empty_and_unterminated() {
        let index = LineIndex::new("");
        assert_eq!((index.line_count(), index.is_empty()), (1, true));
        assert_eq!(
            index.line_col(TextSize::new(9)),
            LineCol { line: 0, col: 0 }
        );
        assert_eq!(LineIndex::new("a\n").line_count(), 2);
        assert_eq!(LineIndex::new("a").line_count(), 1);
        for encoding in ALL {
            assert_eq!(index.from_position("", at(5, 5), encoding), 0.into());
        }
    }

    #[test]
    fn encodings() {
        let text = "x\n\u{e9}\u{1f600}z\r\ny";
        let index = LineIndex::new(text);
        let z = TextSize::new(text.find('z').unwrap() as u32);
        let columns = ALL.map(|e| index.to_position(text, z, e));
        assert_eq!(columns, [at(1, 6), at(1, 2 + 1), at(1, 2)]);
        for (encoding, position) in ALL.into_iter().zip(columns) {
            assert_eq!(index.from_position(text, position, encoding), z);
            // Past the end of the line: before its terminator.
            assert_eq!(
                index.from_position(text, at(1, 99), encoding),
                z + TextSize::new(1)
            );
            assert_eq!(
                index.from_position(text, at(9, 0), encoding),
                TextSize::of(text)
            );
        }
        // Inside the surrogate pair, inside the bytes.
        let smile = z - TextSize::new(4);
        assert_eq!(
            index.from_position(text, at(1, 2), PositionEncoding::Utf16),
            smile
        );
        assert_eq!(
            index.from_position(text, at(1, 3), PositionEncoding::Utf8),
            smile
        );
    }

    #[test]
    fn every_boundary_round_trips() {
        let text = "a\u{e9}\u{1f600}\r\n\r\u{20ac}b\n";
        let index = LineIndex::new(text);
        for (offset, _) in text.char_indices().chain([(text.len(), ' ')]) {
            let offset = TextSize::new(offset as u32);
            assert_eq!(index.offset(index.line_col(offset)), {
                // Between `\r` and `\n` there is no position.
                let range = index.line_range(index.line(offset));
                offset.min(range.end())
            });
            for encoding in ALL {
                let position = index.to_position(text, offset, encoding);
                let range = index.line_range(index.line(offset));
                assert_eq!(
                    index.from_position(text, position, encoding),
                    offset.min(range.end())
                );
            }
        }
    }
}
