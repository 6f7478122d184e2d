//! Recovery from syntax errors.
//!
//! A parser that meets an unclosed brace takes everything behind it for part of the same function. Here a text that does not
//! parse is cut into *segments* at lines that begin with `func`, `type`, `var`, `const` or `import`, and each segment is parsed on
//! its own: what is wrong with one declaration spoils only that one.
//!
//! What comes out is a function of the text alone. A segment whose text was seen in the last version is not parsed again.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use text_size::{TextRange, TextSize};

use crate::ast::*;
use crate::lower::{Collected, Lowered, Reuse, content_hash};
use crate::parse::{OnError, Worker};

/// How many times the length of the text may be scanned, and parsed, beyond one cut, in search of a better one.
const MAX_EXTRA: usize = 4;

/// Collects what a text with errors consists of, and the results of its segments for the next time.
pub(crate) fn recover(
    worker: &mut Worker,
    text: &str,
    reuse: &Reuse,
) -> (Collected, FxHashMap<u128, Arc<Collected>>) {
    let mut recovery = Recovery {
        worker,
        reuse,
        out: Collected::default(),
        segments: FxHashMap::default(),
        parse_left: text.len().saturating_mul(MAX_EXTRA),
    };
    let mut scan_left = text.len().saturating_mul(MAX_EXTRA);
    let mut at = 0;
    while at < text.len() {
        let cut = cut(text, at, &mut scan_left);
        let start = TextSize::new(at as u32);
        let extended = cut.balanced.filter(|&end| end != cut.first);
        at = match extended {
            Some(end) if recovery.clean(&text[at..end], start) => end,
            _ => {
                recovery.segment(&text[at..cut.first], start);
                cut.first
            }
        };
    }
    (recovery.out, recovery.segments)
}

struct Recovery<'a> {
    worker: &'a mut Worker,
    reuse: &'a Reuse,
    out: Collected,
    segments: FxHashMap<u128, Arc<Collected>>,
    parse_left: usize,
}

impl Recovery<'_> {
    /// Takes the segment if it has no error.
    fn clean(&mut self, text: &str, start: TextSize) -> bool {
        // Counted whether it is known or not: known segments must not change the outcome.
        let Some(left) = self.parse_left.checked_sub(text.len()) else {
            return false;
        };
        self.parse_left = left;
        if self.known(text, start) {
            return true;
        }
        let found = self.parsed(text);
        let clean = found.errors.is_empty();
        if clean {
            self.out.append(&found, start);
        }
        clean
    }

    fn segment(&mut self, text: &str, start: TextSize) {
        if !self.known(text, start) {
            let found = self.parsed(text);
            self.out.append(&found, start);
        }
    }

    /// Takes the segment if it is a declaration of the last version followed by nothing but comments.
    fn known(&mut self, text: &str, start: TextSize) -> bool {
        if self.reuse.is_empty() {
            return false;
        }
        for known in self.reuse.candidates(text) {
            let len = usize::from(known.tree.len);
            let Some((source, rest)) = text.split_at_checked(len) else {
                continue;
            };
            if content_hash(source, false) != known.tree.hash {
                continue;
            }
            if let Some(comments) = only_comments(rest) {
                self.out.first.get_or_insert(start);
                self.out.append_known(known, start);
                let after = start + known.tree.len;
                let comments = comments.into_iter();
                self.out.comments.extend(comments.map(|c| Comment {
                    range: c.range + after,
                    ..c
                }));
                return true;
            }
        }
        false
    }

    /// What a segment consists of, relative to its start.
    fn parsed(&mut self, text: &str) -> Arc<Collected> {
        let hash = content_hash(text, false);
        if let Some(known) = self.segments.get(&hash) {
            return Arc::clone(known);
        }
        let found = match self.reuse.segments.get(&hash) {
            Some(known) => Arc::clone(known),
            None => Arc::new(parse_segment(self.worker, text)),
        };
        self.segments.insert(hash, Arc::clone(&found));
        found
    }
}

fn parse_segment(worker: &mut Worker, text: &str) -> Collected {
    // The comments of the next declaration do not suffer from what is wrong with this one.
    let source = without_trailing_comments(text);
    let mut found = parse_source(worker, source);
    let after = TextSize::of(source);
    let comments = only_comments(&text[source.len()..]).unwrap_or_default();
    found.comments.extend(comments.into_iter().map(|c| Comment {
        range: c.range + after,
        ..c
    }));
    found
}

fn parse_source(worker: &mut Worker, text: &str) -> Collected {
    let mut found = match worker.parse(text, None, OnError::Recover) {
        Some(tree) => worker.lower(text, &tree),
        None => Collected {
            errors: vec![TextRange::up_to(TextSize::of(text))],
            first: Some(TextSize::new(0)),
            ..Collected::default()
        },
    };
    if found.errors.is_empty() {
        return found;
    }
    if !starts_declaration(text) || text.starts_with("import") {
        // What surrounds the errors may have been cut short by them.
        for (i, decl) in found.decls.iter_mut().enumerate() {
            let tree = Arc::make_mut(&mut decl.tree);
            tree.has_error = true;
            tree.hash = content_hash(text, true).wrapping_add(i as u128 + 1);
        }
        return found;
    }
    // At most one declaration, the one that the segment begins with. What else was found may be the rest of its body.
    found.decls.truncate(1);
    found.decls.retain(|d| d.start == TextSize::new(0));
    match found.decls.first_mut() {
        Some(decl) if understood(&decl.tree, text) => {
            let tree = Arc::make_mut(&mut decl.tree);
            tree.has_error = true;
            tree.len = TextSize::of(text);
            tree.hash = content_hash(text, true);
        }
        _ => {
            let tree = header(worker, text).unwrap_or_else(|| DeclTree {
                hash: content_hash(text, true),
                len: TextSize::of(text),
                has_error: true,
                kind: DeclKind::Bad,
                exprs: Default::default(),
                stmts: Default::default(),
            });
            found.decls = vec![Lowered {
                start: TextSize::new(0),
                tree: Arc::new(tree),
                comments: Arc::default(),
                head: 0,
            }];
        }
    }
    found
}

/// Whether a declaration with errors is still what its text says at the first glance.
fn understood(tree: &DeclTree, text: &str) -> bool {
    match tree.func() {
        Some(func) => func.body.is_some() || body_start(text).is_none(),
        None => !text.starts_with("func"),
    }
}

/// Without the comments of the next declaration.
fn without_trailing_comments(text: &str) -> &str {
    let mut text = text.trim_end();
    while let Some(line) = text.rfind('\n')
        && text[line + 1..].starts_with("//")
    {
        text = text[..line].trim_end();
    }
    text
}

/// A function whose body cannot be understood keeps its name and signature, so that its callers lose nothing.
fn header(worker: &mut Worker, source: &str) -> Option<DeclTree> {
    if !source.starts_with("func") {
        return None;
    }
    let brace = body_start(source)?;
    let text = format!("{}{{}}", &source[..brace]);
    let tree = worker.parse(&text, None, OnError::GiveUp)?;
    let found = worker.lower(&text, &tree);
    let [lowered] = <[Lowered; 1]>::try_from(found.decls).ok()?;
    let mut tree = Arc::unwrap_or_clone(lowered.tree);
    let DeclKind::Func(func) = &mut tree.kind else {
        return None;
    };
    let range = TextRange::new(TextSize::new(brace as u32), TextSize::of(source));
    let bad = tree.stmts.alloc(Stmt {
        kind: StmtKind::Bad,
        range,
    });
    func.body = Some(Block {
        stmts: Box::new([bad]),
        range,
    });
    tree.has_error = true;
    tree.len = TextSize::of(source);
    tree.hash = content_hash(source, true);
    Some(tree)
}

/// Where the body of a function begins: at the first brace outside parentheses that does not belong to a `struct` or `interface`.
fn body_start(source: &str) -> Option<usize> {
    let mut lexer = Lexer::new(source.as_bytes(), 0);
    let mut open = 0_i32;
    let mut types = 0_i32;
    while let Some((at, token)) = lexer.next() {
        match token {
            b'(' | b'[' => open += 1,
            b')' | b']' => open -= 1,
            b'{' if open <= 0 && types == 0 => {
                let before = source[..at].trim_end();
                if before.ends_with("struct") || before.ends_with("interface") {
                    types += 1;
                } else {
                    return Some(at);
                }
            }
            b'{' if open <= 0 => types += 1,
            b'}' if open <= 0 => types -= 1,
            _ => {}
        }
    }
    None
}

/// The comments of a text that has nothing else.
fn only_comments(text: &str) -> Option<Vec<Comment>> {
    let bytes = text.as_bytes();
    let mut comments = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => at += 1,
            b'/' => {
                let end = comment_end(bytes, at)?;
                let block = bytes[at + 1] == b'*';
                let range = TextRange::new(
                    TextSize::new(at as u32),
                    TextSize::of(text[..end].trim_end_matches('\r')),
                );
                comments.push(Comment { range, block });
                at = end;
            }
            _ => return None,
        }
    }
    Some(comments)
}

/// The end of the comment that begins at `at`, if one does and if it ends.
fn comment_end(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at + 1)? {
        b'/' => Some(memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |n| at + n)),
        b'*' => memchr::memmem::find(&bytes[at + 2..], b"*/").map(|n| at + 2 + n + 2),
        _ => None,
    }
}

/// Where a segment may end.
struct Cut {
    /// The first line that begins like a declaration, or the end of the text.
    first: usize,
    /// The first such line outside strings and comments where all braces are closed; the end of the text counts too. `None` if
    /// there is no such place or looking for it would take too long.
    balanced: Option<usize>,
}

fn cut(text: &str, start: usize, left: &mut usize) -> Cut {
    let bytes = text.as_bytes();
    let first = next_line(bytes, start);
    if *left == 0 {
        return Cut {
            first,
            balanced: None,
        };
    }
    let mut lexer = Lexer::new(bytes, start);
    let mut open = 0_i64;
    let mut paid = first;
    // All candidates before what the lexer has reached have been looked at.
    let mut candidate = first;
    loop {
        let token = lexer.next();
        let reached = token.map_or(bytes.len(), |(at, _)| at);
        if reached > paid {
            *left = left.saturating_sub(reached - paid);
            paid = reached;
        }
        // Budget spent, or inside a comment or string that never ends.
        if *left == 0 || !lexer.closed {
            return Cut {
                first,
                balanced: None,
            };
        }
        // The lexer went over these lines: they lie in strings or comments, except the one that it stands on.
        while candidate < reached {
            candidate = next_line(bytes, candidate);
        }
        if candidate == reached && open <= 0 {
            return Cut {
                first,
                balanced: Some(candidate),
            };
        }
        match token {
            Some((_, b'{' | b'(' | b'[')) => open += 1,
            Some((_, b'}' | b')' | b']')) => open -= 1,
            Some(_) => {}
            None => {
                return Cut {
                    first,
                    balanced: None,
                };
            }
        }
    }
}

/// The next line after the one that `from` lies on that begins like a declaration, or the end of the text.
fn next_line(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(n) = memchr::memchr(b'\n', &bytes[at..]) {
        at += n + 1;
        if starts_declaration_bytes(&bytes[at..]) {
            return at;
        }
    }
    bytes.len()
}

fn starts_declaration(text: &str) -> bool {
    starts_declaration_bytes(text.as_bytes())
}

fn starts_declaration_bytes(bytes: &[u8]) -> bool {
    let words: [&[u8]; 5] = [b"func", b"type", b"var", b"const", b"import"];
    words.iter().any(|word| {
        bytes.strip_prefix(*word).is_some_and(|rest| {
            !rest
                .first()
                .is_some_and(|&b| b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80)
        })
    })
}

/// Finds brackets, and the beginnings of lines that look like declarations, outside strings and comments.
struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Whether the text ended outside strings and comments.
    closed: bool,
}

impl<'a> Lexer<'a> {
    fn new(bytes: &'a [u8], at: usize) -> Self {
        Self {
            bytes,
            at,
            closed: true,
        }
    }

    /// Offset and byte of the next bracket or letter at the start of a line.
    fn next(&mut self) -> Option<(usize, u8)> {
        let bytes = self.bytes;
        loop {
            let at = self.at;
            let byte = *bytes.get(at)?;
            self.at += 1;
            match byte {
                b'{' | b'}' | b'(' | b')' | b'[' | b']' => return Some((at, byte)),
                b'f' | b't' | b'v' | b'c' | b'i' if at > 0 && bytes[at - 1] == b'\n' => {
                    return Some((at, byte));
                }
                b'/' if matches!(bytes.get(self.at), Some(b'/' | b'*')) => {
                    match comment_end(bytes, at) {
                        Some(end) => self.at = end,
                        None => return self.unclosed(),
                    }
                }
                b'`' => match memchr::memchr(b'`', &bytes[self.at..]) {
                    Some(n) => self.at += n + 1,
                    None => return self.unclosed(),
                },
                b'"' | b'\'' => self.quoted(byte),
                _ => {}
            }
        }
    }

    /// Strings and runes end at the end of the line at the latest.
    fn quoted(&mut self, quote: u8) {
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b'\n' => return,
                b'\\' if self.bytes.get(self.at + 1).is_some_and(|&b| b != b'\n') => self.at += 2,
                _ => {
                    self.at += 1;
                    if byte == quote {
                        return;
                    }
                }
            }
        }
    }

    fn unclosed(&mut self) -> Option<(usize, u8)> {
        self.closed = false;
        self.at = self.bytes.len();
        None
    }
}
