//! A text that is being edited.

use std::fmt;
use std::sync::Arc;

use text_size::TextRange;
use tree_sitter::{InputEdit, Point, Tree};

use crate::line_index::{LineIndex, Position, PositionEncoding};
use crate::lower::Reuse;
use crate::parse::{Limits, Parsed, too_large, with_worker};

/// An open document: its text as the editor sees it, and what it means, kept up to date edit by edit.
///
/// [`Document::parsed`] gives what [`crate::parse_file`] gives for the same text, sooner: the concrete tree is edited along, and
/// declarations whose text did not change keep their [`crate::ast::DeclTree`], which then are the same `Arc`.
#[derive(Debug)]
pub struct Document {
    text: String,
    limits: Limits,
    /// Of the current text, if asked for since the last edit.
    shared: Option<Arc<str>>,
    /// Of the current text, if it was ever asked for: from then on edits take it along.
    index: Option<Arc<LineIndex>>,
    parsed: Option<Parsed>,
    /// Of the last version without errors, with all edits since.
    tree: Option<Tree>,
    reuse: Reuse,
}

/// Why an edit cannot be applied. The text is unchanged; since the editor's text is not, the document must be given the whole text
/// before it can be trusted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EditError {
    /// The range begins behind the end of the text.
    OutOfBounds {
        /// First line of the range, from zero, or its first byte if the edit was in bytes.
        at: u32,
        /// Lines or bytes of the text.
        len: u32,
    },
    /// The range ends before it begins.
    Reversed,
    /// The range cuts a character in two.
    InsideCharacter,
    /// The text would exceed 1 GiB.
    TooLarge,
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EditError::OutOfBounds { at, len } => {
                write!(
                    f,
                    "the edit begins at {at}, behind the end of the text at {len}"
                )
            }
            EditError::Reversed => f.write_str("the range of the edit ends before it begins"),
            EditError::InsideCharacter => {
                f.write_str("the range of the edit cuts a character in two")
            }
            EditError::TooLarge => f.write_str("the text would exceed 1 GiB"),
        }
    }
}

impl std::error::Error for EditError {}

impl Document {
    /// A document with the default [`Limits`].
    pub fn new(text: String) -> Self {
        Self::with_limits(text, Limits::default())
    }

    /// A document with other limits.
    pub fn with_limits(text: String, limits: Limits) -> Self {
        Self {
            text,
            limits,
            shared: None,
            index: None,
            parsed: None,
            tree: None,
            reuse: Reuse::default(),
        }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text to be handed on; copied once per version.
    pub fn shared_text(&mut self) -> Arc<str> {
        let text = &self.text;
        Arc::clone(self.shared.get_or_insert_with(|| text.as_str().into()))
    }

    /// Lines of the text.
    pub fn line_index(&mut self) -> Arc<LineIndex> {
        let text = &self.text;
        Arc::clone(
            self.index
                .get_or_insert_with(|| Arc::new(LineIndex::new(text))),
        )
    }

    /// Replaces the whole text.
    pub fn replace(&mut self, text: String) {
        self.text = text;
        self.tree = None;
        self.index = None;
        self.changed();
    }

    /// Replaces `range`, given in positions of the current text, as `textDocument/didChange` does. Columns behind the end of a
    /// line mean its end; the range may end behind the end of the text, and begin on the line after the last.
    pub fn apply_positions(
        &mut self,
        start: Position,
        end: Position,
        encoding: PositionEncoding,
        new: &str,
    ) -> Result<(), EditError> {
        if end < start {
            return Err(EditError::Reversed);
        }
        let index = self.line_index();
        let lines = index.line_count();
        if start.line > lines {
            return Err(EditError::OutOfBounds {
                at: start.line,
                len: lines,
            });
        }
        let from = index.from_position(&self.text, start, encoding);
        let to = index.from_position(&self.text, end, encoding);
        self.apply(TextRange::new(from, to.max(from)), new)
    }

    /// Replaces `range`, given in bytes of the current text.
    pub fn apply(&mut self, range: TextRange, new: &str) -> Result<(), EditError> {
        let (start, end) = (usize::from(range.start()), usize::from(range.end()));
        if end > self.text.len() {
            return Err(EditError::OutOfBounds {
                at: range.end().into(),
                len: u32::try_from(self.text.len()).unwrap_or(u32::MAX),
            });
        }
        if !self.text.is_char_boundary(start) || !self.text.is_char_boundary(end) {
            return Err(EditError::InsideCharacter);
        }
        if self.text.len() - (end - start) + new.len() > 1 << 30 {
            return Err(EditError::TooLarge);
        }
        if let Some(tree) = &mut self.tree {
            // Points as tree-sitter counts them: a line ends with `\n` only.
            let bytes = self.text.as_bytes();
            let start_position = advance(Point { row: 0, column: 0 }, &bytes[..start]);
            tree.edit(&InputEdit {
                start_byte: start,
                old_end_byte: end,
                new_end_byte: start + new.len(),
                start_position,
                old_end_position: advance(start_position, &bytes[start..end]),
                new_end_position: advance(start_position, new.as_bytes()),
            });
        }
        self.text.replace_range(start..end, new);
        if let Some(index) = &self.index {
            self.index = Some(Arc::new(index.edited(range, new.len(), &self.text)));
        }
        self.changed();
        Ok(())
    }

    /// What the current text means; computed once per version.
    pub fn parsed(&mut self) -> Parsed {
        if let Some(parsed) = &self.parsed {
            return parsed.clone();
        }
        let parsed = self.analyze();
        self.parsed = Some(parsed.clone());
        parsed
    }

    fn analyze(&mut self) -> Parsed {
        if let Some(reason) = too_large(self.text.len(), &self.limits) {
            self.tree = None;
            self.reuse = Reuse::default();
            return Parsed::skipped(self.text.len(), reason);
        }
        let (text, tree, reuse) = (&self.text, self.tree.as_ref(), &self.reuse);
        let analysis = with_worker(|worker| worker.analyze(text, tree, reuse));
        if analysis.tree.is_some() {
            self.tree = analysis.tree;
        }
        self.reuse = analysis.parts.into_reuse();
        Parsed {
            file: Arc::new(analysis.file),
            skipped: None,
        }
    }

    fn changed(&mut self) {
        self.shared = None;
        self.parsed = None;
    }
}

/// The point after `bytes`, which begin at `from`.
fn advance(from: Point, bytes: &[u8]) -> Point {
    match memchr::memrchr(b'\n', bytes) {
        Some(last) => Point {
            row: from.row + memchr::memchr_iter(b'\n', bytes).count(),
            column: bytes.len() - last - 1,
        },
        None => Point {
            row: from.row,
            column: from.column + bytes.len(),
        },
    }
}
