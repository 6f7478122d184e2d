//! From text to a [`File`].

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use text_size::TextSize;
use tree_sitter::{ParseOptions, ParseState, Parser, Tree};

use crate::ast::{Decl, DeclKind, File};
use crate::grammar::LANGUAGE;
use crate::lower::{Collected, Lowered, Lowerer, Reuse};
use crate::segment::recover;

/// The text is handed to the parser in pieces of this many bytes.
const PIECE: usize = 512;

/// Parsing is bounded by units of work: a hundred operations of the parser, or a piece of text read (again). Such a bound gives
/// the same tree for the same text at all times. Of the files of Go's own source tree above 2 KB none takes more than one unit for
/// 43 bytes; most take one for 90.
const MIN_UNITS: usize = 2_000;
const BYTES_PER_UNIT: usize = 16;

/// The last resort: some hostile texts take long for each unit. This bounds a single parse, of a file or of a segment of it; real
/// text takes about 0.1 µs a byte.
const PARSE_TIME: Duration = Duration::from_secs(1);
const PARSE_TIME_PER_BYTE: Duration = Duration::from_micros(4);
/// This bounds everything that is done for one version of a file.
const FILE_TIME: Duration = Duration::from_secs(4);
const FILE_TIME_PER_BYTE: Duration = Duration::from_micros(8);

/// What parsing a text gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// The file; without declarations where it was skipped.
    pub file: Arc<File>,
    /// Why the text was not looked at.
    pub skipped: Option<SkipReason>,
}

/// Why a text was not parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// Longer than [`Limits::max_bytes`]; both in bytes.
    TooLarge {
        /// Length of the text.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// Not UTF-8, as Go requires.
    NotUtf8 {
        /// Offset of the first byte that is wrong.
        at: usize,
    },
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SkipReason::TooLarge { len, max } => {
                write!(f, "the file has {len} bytes, more than the limit of {max}")
            }
            SkipReason::NotUtf8 { at } => {
                write!(f, "the file is not valid UTF-8 (byte {at})")
            }
        }
    }
}

/// Bounds of parsing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest text that is parsed, in bytes. Never more than 1 GiB.
    pub max_bytes: usize,
}

impl Default for Limits {
    /// 16 MiB.
    fn default() -> Self {
        Self {
            max_bytes: 16 << 20,
        }
    }
}

/// Parses and lowers `text` from scratch, within the default [`Limits`]. Never fails: what cannot be understood is marked in the
/// file.
pub fn parse_file(text: &str) -> Parsed {
    parse_file_with(text, &Limits::default())
}

/// Like [`parse_file`] with other limits.
pub fn parse_file_with(text: &str, limits: &Limits) -> Parsed {
    if let Some(reason) = too_large(text.len(), limits) {
        return Parsed::skipped(text.len(), reason);
    }
    with_worker(|worker| Parsed {
        file: Arc::new(worker.analyze(text, None, &Reuse::default()).file),
        skipped: None,
    })
}

/// Parses without lowering and says whether there was a tree. For benchmarks only: what everything else is measured against.
#[doc(hidden)]
pub fn parse_only(text: &str) -> bool {
    with_worker(|worker| {
        worker.deadline = Instant::now() + FILE_TIME + FILE_TIME_PER_BYTE * text.len() as u32;
        worker.parse(text, None, OnError::Recover).is_some()
    })
}

/// Like [`parse_file`] for bytes that may not be UTF-8.
pub fn parse_bytes(bytes: &[u8], limits: &Limits) -> Parsed {
    if let Some(reason) = too_large(bytes.len(), limits) {
        return Parsed::skipped(bytes.len(), reason);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => parse_file_with(text, limits),
        Err(e) => {
            let at = e.valid_up_to();
            Parsed::skipped(bytes.len(), SkipReason::NotUtf8 { at })
        }
    }
}

pub(crate) fn too_large(len: usize, limits: &Limits) -> Option<SkipReason> {
    let max = limits.max_bytes.min(1 << 30);
    (len > max).then_some(SkipReason::TooLarge { len, max })
}

impl Parsed {
    pub(crate) fn skipped(len: usize, reason: SkipReason) -> Self {
        let len = TextSize::new(u32::try_from(len).unwrap_or(u32::MAX));
        Self {
            file: Arc::new(File {
                package: None,
                imports: Vec::new(),
                decls: Vec::new(),
                comments: Vec::new(),
                errors: Vec::new(),
                generated: false,
                len,
            }),
            skipped: Some(reason),
        }
    }
}

/// A parser and the buffers of lowering.
pub(crate) struct Worker {
    parser: Parser,
    lowerer: Lowerer,
    /// When to give up on the current text.
    deadline: Instant,
}

pub(crate) fn with_worker<T>(f: impl FnOnce(&mut Worker) -> T) -> T {
    thread_local! {
        static WORKER: RefCell<Worker> = RefCell::new(Worker::new());
    }
    WORKER.with_borrow_mut(f)
}

impl Worker {
    fn new() -> Self {
        let mut parser = Parser::new();
        parser
            .set_language(&LANGUAGE)
            .expect("the parser is generated for this version of tree-sitter");
        Self {
            parser,
            lowerer: Lowerer::new(),
            deadline: Instant::now(),
        }
    }

    /// Parses and lowers a whole text. `old` is the tree of an earlier version to which all edits since were applied; it must
    /// have come from here.
    pub(crate) fn analyze(&mut self, text: &str, old: Option<&Tree>, reuse: &Reuse) -> Analysis {
        self.deadline = Instant::now() + FILE_TIME + FILE_TIME_PER_BYTE * text.len() as u32;
        if let Some(tree) = self.parse(text, old, OnError::GiveUp) {
            let collected = self.lowerer.source(tree.root_node(), text, reuse);
            if collected.errors.is_empty() {
                return Analysis::new(text, collected, FxHashMap::default(), Some(tree));
            }
        }
        let (collected, segments) = recover(self, text, reuse);
        Analysis::new(text, collected, segments, None)
    }

    /// Parses and lowers a text that is nothing but one function with a body, without errors; else `None`. `old` is as for
    /// [`Self::analyze`].
    pub(crate) fn function(
        &mut self,
        text: &str,
        old: Option<&Tree>,
        reuse: &Reuse,
    ) -> Option<(Lowered, Tree)> {
        self.deadline = Instant::now() + FILE_TIME + FILE_TIME_PER_BYTE * text.len() as u32;
        let tree = self.parse(text, old, OnError::GiveUp)?;
        let found = self.lowerer.source(tree.root_node(), text, reuse);
        let [lowered] = <[Lowered; 1]>::try_from(found.decls).ok()?;
        let has_body = matches!(&lowered.tree.kind, DeclKind::Func(f) if f.body.is_some());
        let is_all = lowered.start == TextSize::new(0) && lowered.tree.len == TextSize::of(text);
        let is_clean = found.errors.is_empty() && !lowered.tree.has_error;
        (has_body && is_all && is_clean).then_some((lowered, tree))
    }

    /// The tree of `text`; `None` if the work exceeds the bounds, or if there is an error and `on_error` says so.
    pub(crate) fn parse(
        &mut self,
        text: &str,
        old: Option<&Tree>,
        on_error: OnError,
    ) -> Option<Tree> {
        let bytes = text.as_bytes();
        let left = Cell::new(MIN_UNITS + bytes.len() / BYTES_PER_UNIT);
        let spend = || left.set(left.get().saturating_sub(1));
        let deadline = Instant::now() + PARSE_TIME + PARSE_TIME_PER_BYTE * bytes.len() as u32;
        let deadline = deadline.min(self.deadline);
        let mut progress = |state: &ParseState| {
            spend();
            if left.get() == 0
                || (on_error == OnError::GiveUp && state.has_error())
                || Instant::now() > deadline
            {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let options = ParseOptions::new().progress_callback(&mut progress);
        // The end of a text ends a line, which the grammar does not know: a line end is put behind it. Since it is always there,
        // it is in old trees too, at the place where edits expect it.
        let mut read = |at: usize, _| match at.cmp(&bytes.len()) {
            Ordering::Less => {
                spend();
                &bytes[at..bytes.len().min(at + PIECE)]
            }
            Ordering::Equal => b"\n",
            Ordering::Greater => b"",
        };
        let tree = self
            .parser
            .parse_with_options(&mut read, old, Some(options));
        match tree {
            Some(tree) if on_error == OnError::Recover || !tree.root_node().has_error() => {
                Some(tree)
            }
            Some(_) => None,
            None => {
                self.parser.reset();
                None
            }
        }
    }

    pub(crate) fn lower(&mut self, text: &str, tree: &Tree) -> Collected {
        self.lowerer
            .source(tree.root_node(), text, &Reuse::default())
    }
}

/// What to do when a text turns out to have a syntax error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnError {
    /// Stop parsing.
    GiveUp,
    /// Find a tree with `ERROR` nodes.
    Recover,
}

/// A parsed version of a text.
pub(crate) struct Analysis {
    pub(crate) file: File,
    /// Only where there is no error.
    pub(crate) tree: Option<Tree>,
    pub(crate) parts: Parts,
}

/// What the next version of a text may use again. A table of it is made only for documents: other files have no next version.
pub(crate) struct Parts {
    decls: Vec<Lowered>,
    segments: FxHashMap<u128, Arc<Collected>>,
}

impl Parts {
    pub(crate) fn into_reuse(self) -> Reuse {
        Reuse::new(self.decls, self.segments)
    }
}

impl Analysis {
    fn new(
        text: &str,
        found: Collected,
        segments: FxHashMap<u128, Arc<Collected>>,
        tree: Option<Tree>,
    ) -> Self {
        let decl = |lowered: &Lowered| Decl {
            start: lowered.start,
            tree: Arc::clone(&lowered.tree),
        };
        let file = File {
            package: found.package,
            imports: found.imports,
            decls: found.decls.iter().map(decl).collect(),
            comments: found.comments,
            errors: found.errors,
            generated: is_generated(text),
            len: TextSize::of(text),
        };
        let parts = Parts {
            decls: found.decls,
            segments,
        };
        Self { file, tree, parts }
    }
}

/// Whether a comment before the package clause says that the file is generated. Found without parsing it.
pub fn is_generated(text: &str) -> bool {
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n', ';']);
        let end = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*")
            && let Some(end) = rest.find("*/")
        {
            end + 2
        } else {
            return false;
        };
        if rest[..end].lines().any(is_generated_marker) {
            return true;
        }
        rest = &rest[end..];
    }
}

/// As in `go help generate`.
fn is_generated_marker(line: &str) -> bool {
    line.trim_end_matches('\r')
        .strip_prefix("// Code generated ")
        .is_some_and(|rest| rest.ends_with(" DO NOT EDIT."))
}
