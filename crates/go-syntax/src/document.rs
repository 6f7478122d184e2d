//! A text that is being edited.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use text_size::{TextRange, TextSize};
use tree_sitter::{InputEdit, Point, Tree};

use crate::ast::{Comment, Decl, DeclKind, File};
use crate::line_index::{LineIndex, Position, PositionEncoding};
use crate::lower::{Lowered, Reuse, shift_comment};
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
    /// Of the last version that was parsed whole and had no errors, with all edits since.
    tree: Option<Tree>,
    reuse: Reuse,
    edited: Edited,
    /// The number of the function that was parsed alone last, and its tree with all edits since.
    function: Option<(usize, Tree)>,
}

/// Where the text was edited since it was parsed.
#[derive(Debug, Default)]
enum Edited {
    /// Anywhere, or there is no earlier version without errors.
    #[default]
    Anywhere,
    /// Nowhere but inside one function, if at all.
    Inside {
        /// The version that was parsed; it has no errors.
        last: Arc<File>,
        /// The number of the function, and how long it is now.
        function: Option<(usize, usize)>,
    },
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
            edited: Edited::default(),
            function: None,
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
        self.edited = Edited::Anywhere;
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
            tree.edit(&input_edit(self.text.as_bytes(), start..end, new));
        }
        self.note(range, new);
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
            self.edited = Edited::Anywhere;
            return Parsed::skipped(self.text.len(), reason);
        }
        let file = match self.with_function() {
            Some(file) => Arc::new(file),
            None => Arc::new(self.analyze_whole()),
        };
        self.edited = match file.errors.is_empty() {
            true => Edited::Inside {
                last: Arc::clone(&file),
                function: None,
            },
            false => Edited::Anywhere,
        };
        Parsed {
            file,
            skipped: None,
        }
    }

    fn analyze_whole(&mut self) -> File {
        self.function = None;
        let (text, tree, reuse) = (&self.text, self.tree.as_ref(), &self.reuse);
        let analysis = with_worker(|worker| worker.analyze(text, tree, reuse));
        if analysis.tree.is_some() {
            self.tree = analysis.tree;
        }
        self.reuse = analysis.parts.into_reuse();
        analysis.file
    }

    /// Remembers where the text is about to be edited.
    fn note(&mut self, range: TextRange, new: &str) {
        let Some((number, start, len)) = self.function_around(range) else {
            self.edited = Edited::Anywhere;
            return;
        };
        if let Edited::Inside { function, .. } = &mut self.edited {
            *function = Some((number, len - usize::from(range.len()) + new.len()));
        }
        if let Some((known, tree)) = &mut self.function {
            if *known == number {
                let range = Range::<usize>::from(range - TextSize::new(start as u32));
                tree.edit(&input_edit(&self.text.as_bytes()[start..], range, new));
            } else {
                self.function = None;
            }
        }
    }

    /// The function that a range lies in, its first and last bytes excepted: number, start and length. `None` also where another
    /// place was edited before.
    fn function_around(&self, range: TextRange) -> Option<(usize, usize, usize)> {
        let Edited::Inside { last, function } = &self.edited else {
            return None;
        };
        let number = match function {
            Some((number, _)) => *number,
            None => (last.decls.partition_point(|d| d.start < range.start())).checked_sub(1)?,
        };
        let decl = last.decls.get(number)?;
        if !has_body(decl) {
            return None;
        }
        let start = usize::from(decl.start);
        let len = function.map_or(usize::from(decl.tree.len), |(_, len)| len);
        let inside = start < usize::from(range.start()) && usize::from(range.end()) < start + len;
        inside.then_some((number, start, len))
    }

    /// The file if nothing but one function was edited, and if that is a function as before: then it alone is parsed.
    ///
    /// The file is what parsing all of it gives. What stands before the function ends with a line, as before; the function ends with
    /// the brace of its body, behind which no state of the parser but the one between declarations is left; and where a token begins
    /// and ends is told by what stands before it, so that the tokens behind the function are the same, too. That the function has no
    /// error makes sure that no string and no comment in it reaches behind its end.
    fn with_function(&mut self) -> Option<File> {
        let Edited::Inside { last, function } = &self.edited else {
            return None;
        };
        let (number, len) = (*function)?;
        let last = Arc::clone(last);
        let old = last.decls.get(number)?;
        let start = usize::from(old.start);
        let source = self.text.get(start..start + len)?;
        let tree = self.function.take().map(|(_, tree)| tree);
        let (lowered, tree) =
            with_worker(|worker| worker.function(source, tree.as_ref(), &self.reuse))?;
        let file = replace(&last, number, &lowered)?;
        self.function = Some((number, tree));
        self.reuse.replace(old.tree.hash, lowered);
        Some(file)
    }

    fn changed(&mut self) {
        self.shared = None;
        self.parsed = None;
    }
}

fn has_body(decl: &Decl) -> bool {
    matches!(&decl.tree.kind, DeclKind::Func(func) if func.body.is_some())
}

/// The file with another function in place of one. `None` if what stands at the head of a file stands behind it.
fn replace(file: &File, number: usize, lowered: &Lowered) -> Option<File> {
    let old = file.decls.get(number)?;
    let (start, end) = (old.start, old.range().end());
    let before = |range: TextRange| range.end() <= start;
    if !file.imports.iter().all(|i| before(i.decl_range)) || !before(file.package?.range) {
        return None;
    }
    let moved = |at: TextSize| at + lowered.tree.len - old.tree.len;
    let first = file.comments.partition_point(|c| c.range.start() < start);
    let rest = file.comments.partition_point(|c| c.range.start() < end);
    let mut comments =
        Vec::with_capacity(first + lowered.comments.len() + file.comments.len() - rest.max(first));
    comments.extend_from_slice(&file.comments[..first]);
    comments.extend(lowered.comments.iter().map(|c| shift_comment(c, start)));
    comments.extend(file.comments[rest..].iter().map(|c| Comment {
        range: TextRange::new(moved(c.range.start()), moved(c.range.end())),
        ..*c
    }));
    let decl = |(i, decl): (usize, &Decl)| match i.cmp(&number) {
        Ordering::Less => decl.clone(),
        Ordering::Equal => Decl {
            start,
            tree: Arc::clone(&lowered.tree),
        },
        Ordering::Greater => Decl {
            start: moved(decl.start),
            tree: Arc::clone(&decl.tree),
        },
    };
    Some(File {
        package: file.package,
        imports: file.imports.clone(),
        decls: file.decls.iter().enumerate().map(decl).collect(),
        comments,
        errors: Vec::new(),
        generated: file.generated,
        len: moved(file.len),
    })
}

/// An edit of `text` as tree-sitter wants it. Points are as it counts them: a line ends with `\n` only.
fn input_edit(text: &[u8], range: Range<usize>, new: &str) -> InputEdit {
    let start_position = advance(Point { row: 0, column: 0 }, &text[..range.start]);
    InputEdit {
        start_byte: range.start,
        old_end_byte: range.end,
        new_end_byte: range.start + new.len(),
        start_position,
        old_end_position: advance(start_position, &text[range]),
        new_end_position: advance(start_position, new.as_bytes()),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(document: &mut Document, before: &str, new: &str) -> Option<usize> {
        let at = TextSize::new(document.text().find(before).map_or(0, |at| at as u32));
        assert_eq!(document.apply(TextRange::empty(at), new), Ok(()));
        let parsed = document.parsed();
        assert_eq!(parsed, crate::parse_file(document.text()));
        document.function.as_ref().map(|(number, _)| *number)
    }

    #[test]
    fn one_function_is_parsed_alone() {
        let text = "package a\n\nfunc f() {\n\tx()\n}\n\nvar v = 1\n\nfunc g() {\n\ty()\n}\n";
        let mut document = Document::new(text.to_owned());
        assert_eq!(insert(&mut document, "x()", " "), None, "the first time");
        assert_eq!(insert(&mut document, "x()", "/* c */"), Some(0));
        assert_eq!(insert(&mut document, "x()", "z\n"), Some(0));
        assert_eq!(insert(&mut document, "y()", "z\n"), Some(2));
        // What is not one function any more, or was none, is parsed with the rest.
        assert_eq!(insert(&mut document, "y()", "}\nfunc h() {"), None);
        assert_eq!(insert(&mut document, "y()", "z\n"), Some(3));
        assert_eq!(insert(&mut document, "y()", "{"), None);
        assert_eq!(insert(&mut document, "y()", "}\n"), None);
        assert_eq!(insert(&mut document, "y()", " "), Some(3));
        assert_eq!(insert(&mut document, "1", "2"), None);
        assert_eq!(insert(&mut document, "func f", "func i() {}\n"), None);
        // Two places at once.
        let at = TextRange::empty(TextSize::new(12));
        assert_eq!(document.apply(at, ""), Ok(()));
        assert_eq!(insert(&mut document, "x()", " "), None);
    }
}
