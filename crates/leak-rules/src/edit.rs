//! Edits on text: building them so that `gofmt` has nothing to say, merging those of several findings, applying them.
//!
//! Everything here works on absolute byte ranges of one text. Inserted code is written with `\n` and tabs; [`EditBuilder`] gives it
//! the indentation of its place and the line ends of the file.

use std::hash::{Hash, Hasher};
use std::ops::Range;

use go_syntax::ast::{self, Comment, DeclKind, Import, ImportAlias};
use go_syntax::{TextRange, TextSize};
use rustc_hash::{FxHashSet, FxHasher};

use crate::{Diagnostic, Edit, Fix, Safety};

/// Why edits could not be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApplyError {
    /// A range reaches beyond the end of the text.
    OutOfBounds,
    /// A range begins or ends inside a character.
    NotACharBoundary,
    /// Two edits overlap, or they are not sorted.
    Overlap,
}

impl std::fmt::Display for ApplyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::OutOfBounds => "an edit reaches beyond the end of the text",
            Self::NotACharBoundary => "an edit begins or ends inside a character",
            Self::Overlap => "two edits overlap",
        })
    }
}

impl std::error::Error for ApplyError {}

/// Applies sorted, non-overlapping edits to a text. Several insertions at one offset are applied in their order.
pub fn apply_edits(text: &str, edits: &[Edit]) -> Result<String, ApplyError> {
    let mut out =
        String::with_capacity(text.len() + edits.iter().map(|e| e.text.len()).sum::<usize>());
    let mut at = 0;
    for edit in edits {
        let range = usize_range(edit.range);
        if range.end > text.len() {
            return Err(ApplyError::OutOfBounds);
        }
        if range.start < at {
            return Err(ApplyError::Overlap);
        }
        let (Some(kept), Some(_)) = (text.get(at..range.start), text.get(range.clone())) else {
            return Err(ApplyError::NotACharBoundary);
        };
        out.push_str(kept);
        out.push_str(&edit.text);
        at = range.end;
    }
    out.push_str(text.get(at..).ok_or(ApplyError::NotACharBoundary)?);
    Ok(out)
}

/// Fixes put together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Merged {
    /// Sorted, non-overlapping edits.
    pub edits: Vec<Edit>,
    /// Indices of the fixes whose edits are in it.
    pub applied: Vec<usize>,
    /// Indices of the fixes that touch what an earlier one changes: they have to wait for the next round.
    pub skipped: Vec<usize>,
}

/// Merges fixes, earlier ones first. A fix goes in whole or not at all; one that touches an edit of an earlier fix is skipped,
/// except where both ask for the very same edit (two fixes that need the same import).
pub fn merge<'a>(fixes: impl IntoIterator<Item = &'a Fix>) -> Merged {
    let mut merged = Merged::default();
    for (index, fix) in fixes.into_iter().enumerate() {
        let mut fresh = Vec::new();
        let mut conflict = false;
        let mut shared = 0;
        for edit in &fix.edits {
            let at = merged
                .edits
                .partition_point(|e| e.range.end() < edit.range.start());
            let touching: Vec<&Edit> = merged.edits[at..]
                .iter()
                .take_while(|e| e.range.start() <= edit.range.end())
                .collect();
            if touching.contains(&edit) {
                shared += 1;
            } else if touching.is_empty() {
                fresh.push(edit.clone());
            } else {
                conflict = true;
                break;
            }
        }
        // The same fix of two findings is one fix; what only shares a part (an import) still has something of its own.
        if conflict || (fresh.is_empty() && shared < fix.edits.len()) {
            merged.skipped.push(index);
            continue;
        }
        merged.edits.extend(fresh);
        merged
            .edits
            .sort_by_key(|e| (e.range.start(), e.range.end()));
        merged.applied.push(index);
    }
    merged
}

/// What [`fix_all`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixAll {
    /// The fixed text.
    pub text: String,
    /// Rule and title of every fix applied, in order.
    pub applied: Vec<(&'static str, String)>,
    /// The findings of the last look at `text`.
    pub remaining: Vec<Diagnostic>,
    /// How often fixes were applied.
    pub rounds: usize,
    /// Whether nothing was left to apply; false when the bound was hit or a fix made the text unparsable.
    pub converged: bool,
}

/// Applies fixes until nothing changes.
///
/// In each round `check` finds the findings of the text and the first fix of each that `wanted` accepts is applied, unless it is
/// in the way of another one of the same round. Stops after `max_rounds`, when a text comes back that was there before, or before
/// a round that would leave more syntax errors than there were.
pub fn fix_all(
    text: String,
    max_rounds: usize,
    mut check: impl FnMut(&str) -> Vec<Diagnostic>,
    wanted: impl Fn(&Diagnostic, &Fix) -> bool,
) -> FixAll {
    let mut remaining = check(&text);
    let mut result = FixAll {
        text,
        applied: Vec::new(),
        remaining: Vec::new(),
        rounds: 0,
        converged: false,
    };
    let mut seen = FxHashSet::default();
    seen.insert(hash(&result.text));
    let mut errors = None;
    loop {
        let chosen: Vec<(&Diagnostic, &Fix)> = remaining
            .iter()
            .filter_map(|d| Some((d, d.fixes.iter().find(|f| wanted(d, f))?)))
            .collect();
        if chosen.is_empty() {
            result.converged = true;
            break;
        }
        if result.rounds >= max_rounds {
            break;
        }
        let merged = merge(chosen.iter().map(|(_, fix)| *fix));
        let Ok(text) = apply_edits(&result.text, &merged.edits) else {
            break;
        };
        let before = *errors.get_or_insert_with(|| syntax_errors(&result.text));
        let after = syntax_errors(&text);
        if after > before || !seen.insert(hash(&text)) {
            break;
        }
        errors = Some(after);
        result.applied.extend(
            merged
                .applied
                .iter()
                .map(|&i| (chosen[i].0.rule, chosen[i].1.title.clone())),
        );
        result.text = text;
        result.rounds += 1;
        remaining = check(&result.text);
    }
    result.remaining = remaining;
    result
}

/// The usual choice for [`fix_all`]: safe fixes only, and unsafe ones where asked for.
pub fn safe_or(unsafe_too: bool) -> impl Fn(&Diagnostic, &Fix) -> bool {
    move |_, fix| unsafe_too || fix.safety == Safety::Safe
}

fn syntax_errors(text: &str) -> usize {
    go_syntax::parse_file(text).file.errors.len()
}

fn hash(text: &str) -> u64 {
    let mut hasher = FxHasher::default();
    text.hash(&mut hasher);
    hasher.finish()
}

pub(crate) fn usize_range(range: TextRange) -> Range<usize> {
    usize::from(range.start())..usize::from(range.end())
}

fn text_size(offset: usize) -> TextSize {
    TextSize::new(u32::try_from(offset).unwrap_or(u32::MAX))
}

pub(crate) fn text_range(range: Range<usize>) -> TextRange {
    TextRange::new(text_size(range.start), text_size(range.end))
}

/// Whole lines without the indentation that they share, and without carriage returns.
pub(crate) fn unindented(lines: &str, indent: &str) -> String {
    let lines = lines.split('\n').map(|line| {
        let line = line.trim_end_matches('\r');
        line.strip_prefix(indent).unwrap_or(line)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The line end that the text uses: that of its first line.
pub fn line_ending(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// Offset of the first byte of the line that holds `offset`.
pub fn line_start(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())]
        .iter()
        .rposition(|&b| b == b'\n')
        .map_or(0, |i| i + 1)
}

/// Offset of the end of the line that holds `offset`, before its line end.
pub fn line_end(text: &str, offset: usize) -> usize {
    let offset = offset.min(text.len());
    let end = text.as_bytes()[offset..]
        .iter()
        .position(|&b| b == b'\n')
        .map_or(text.len(), |i| offset + i);
    if end > offset && text.as_bytes()[end - 1] == b'\r' {
        end - 1
    } else {
        end
    }
}

/// Offset of the first byte of the next line, or the end of the text.
pub fn next_line(text: &str, offset: usize) -> usize {
    let offset = offset.min(text.len());
    text.as_bytes()[offset..]
        .iter()
        .position(|&b| b == b'\n')
        .map_or(text.len(), |i| offset + i + 1)
}

/// The tabs and blanks at the beginning of the line that holds `offset`.
pub fn indentation(text: &str, offset: usize) -> &str {
    let start = line_start(text, offset);
    let rest = &text[start..];
    let width = rest
        .bytes()
        .take_while(|b| matches!(b, b' ' | b'\t'))
        .count();
    &rest[..width]
}

/// Whether only blanks stand before `offset` on its line.
pub fn first_on_line(text: &str, offset: usize) -> bool {
    text[line_start(text, offset)..offset]
        .bytes()
        .all(|b| matches!(b, b' ' | b'\t'))
}

/// Builds the edits of one fix.
///
/// The methods that return an `Option` give `None` where the edit cannot be made well; the fix is then not offered.
pub struct EditBuilder<'a> {
    text: &'a str,
    file: &'a ast::File,
    edits: Vec<Edit>,
}

/// The name by which an imported package is used in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportName(pub String);

impl<'a> EditBuilder<'a> {
    /// Begins a fix of `text`, which was parsed as `file`.
    pub fn new(text: &'a str, file: &'a ast::File) -> Self {
        Self {
            text,
            file,
            edits: Vec::new(),
        }
    }

    /// The text that is edited.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// Replaces a range.
    pub fn replace(&mut self, range: Range<usize>, by: impl Into<String>) {
        self.edits.push(Edit {
            range: text_range(range),
            text: by.into(),
        });
    }

    /// Inserts at an offset.
    pub fn insert(&mut self, at: usize, code: impl Into<String>) {
        self.replace(at..at, code);
    }

    /// Inserts lines of code below the statement that ends at `stmt.end`, with the indentation of its first line. `None` where
    /// the statement does not have its lines for itself.
    pub fn insert_after(&mut self, stmt: Range<usize>, code: &str) -> Option<()> {
        if !self.owns_start(stmt.start) {
            return None;
        }
        let end = self.owned_end(stmt.end)?;
        let code = indent(code, indentation(self.text, stmt.start));
        self.insert(end, format!("\n{code}"));
        Some(())
    }

    /// Inserts lines of code above a statement (and above the comments that stand directly on it), with its indentation.
    pub fn insert_before(&mut self, stmt: Range<usize>, code: &str) -> Option<()> {
        if !first_on_line(self.text, stmt.start) {
            return None;
        }
        let at = self.above_comments(line_start(self.text, stmt.start));
        let code = indent(code, indentation(self.text, stmt.start));
        self.insert(at, format!("{code}\n"));
        Some(())
    }

    /// Inserts a declaration above another one (and above the comments that stand directly on it), with blank lines around it.
    pub fn insert_declaration_before(&mut self, decl: Range<usize>, code: &str) -> Option<()> {
        if !first_on_line(self.text, decl.start) {
            return None;
        }
        let at = self.above_comments(line_start(self.text, decl.start));
        let before = self.text[..at].trim_end_matches([' ', '\t', '\r', '\n']);
        let is_blank = self.text[before.len()..at].matches('\n').count() > 1;
        let gap = if is_blank { "" } else { "\n" };
        self.insert(at, format!("{gap}{code}\n\n"));
        Some(())
    }

    /// Inserts lines of code as the first ones of a block whose opening brace is at `brace`, one tab deeper than `indent_of`'s line.
    pub fn insert_at_block_start(
        &mut self,
        brace: usize,
        indent_of: usize,
        code: &str,
    ) -> Option<()> {
        let end = self.owned_end(brace + 1)?;
        let code = indent(code, &format!("{}\t", indentation(self.text, indent_of)));
        self.insert(end, format!("\n{code}"));
        Some(())
    }

    /// Deletes a statement that has its lines for itself, with its trailing comment; comments above it stay. A blank line that
    /// would be left at the beginning or the end of the block, or beside another one, goes too.
    pub fn delete_statement(&mut self, stmt: Range<usize>) -> Option<()> {
        if !first_on_line(self.text, stmt.start) {
            return None;
        }
        let end = self.owned_end(stmt.end)?;
        self.delete_lines(line_start(self.text, stmt.start)..next_line(self.text, end));
        Some(())
    }

    /// Deletes whole lines; see [`Self::delete_statement`] about blank lines.
    fn delete_lines(&mut self, mut lines: Range<usize>) {
        let before = self.text[..lines.start].trim_end_matches([' ', '\t', '\r', '\n']);
        let blank_before = self.text[before.len()..lines.start].matches('\n').count() > 1;
        let opens = before.ends_with(['{', ':', '(']);
        let after = &self.text[lines.end..];
        let blank_len = after.len() - after.trim_start_matches(['\r', '\n']).len();
        let closes = after.trim_start().starts_with(['}', ')']);
        if blank_len > 0 && (blank_before || opens) {
            lines.end += blank_len;
        } else if blank_before && closes {
            lines.start = next_line(self.text, before.len());
        }
        self.replace(lines, "");
    }

    /// Whether the statement that starts at `start` stands first on its line (a label may stand on its own line above).
    fn owns_start(&self, start: usize) -> bool {
        first_on_line(self.text, start)
    }

    /// The end of the line after a statement that ends at `end`, if nothing but a comment of that line follows.
    pub(crate) fn owned_end(&self, end: usize) -> Option<usize> {
        let stop = line_end(self.text, end);
        let mut at = end;
        loop {
            at += self.text[at..stop]
                .bytes()
                .take_while(|b| matches!(b, b' ' | b'\t' | b'\r'))
                .count();
            if at >= stop {
                return Some(stop);
            }
            let comment = self.comment_at(at)?;
            let range = usize_range(comment.range);
            if range.end > stop {
                return None;
            }
            at = range.end;
        }
    }

    fn comment_at(&self, start: usize) -> Option<&'a Comment> {
        let i = self
            .file
            .comments
            .partition_point(|c| usize::from(c.range.start()) < start);
        self.file
            .comments
            .get(i)
            .filter(|c| usize::from(c.range.start()) == start)
    }

    /// Start of the topmost of the comment lines directly above the line that starts at `line`.
    fn above_comments(&self, line: usize) -> usize {
        let mut at = line;
        while at > 0 {
            let above = line_start(self.text, at - 1);
            let indent = indentation(self.text, above).len();
            let is_comment = self.comment_at(above + indent).is_some_and(|c| !c.block);
            // Comments of another indentation belong to something else.
            if !is_comment || indentation(self.text, above) != indentation(self.text, line) {
                break;
            }
            at = above;
        }
        at
    }

    /// Makes a package usable: the name it has in the file, with an edit that imports it where it is not imported yet.
    ///
    /// `name` is the package's own name. Whether the name is shadowed at the place of use is for the caller to ask
    /// ([`declares_name`]); a package-level declaration of that name in this file is noticed here.
    pub fn import(&mut self, path: &str, name: &str) -> Option<ImportName> {
        for import in &self.file.imports {
            if import.path == path {
                match import.alias {
                    ImportAlias::None => return Some(ImportName(name.to_owned())),
                    ImportAlias::Named(alias) => {
                        return Some(ImportName(alias.name.as_str().to_owned()));
                    }
                    ImportAlias::Dot | ImportAlias::Blank => {}
                }
            }
        }
        if self.file.imports.iter().any(|i| import_name(i) == name)
            || file_declares(self.file, name)
        {
            return None;
        }
        self.insert_import(path)?;
        Some(ImportName(name.to_owned()))
    }

    /// An item of a package as it is written in this file, imported where that is needed; see [`Self::import`].
    pub fn qualified(&mut self, path: &str, name: &str, item: &str) -> Option<String> {
        let dot = |i: &Import| i.path == path && i.alias == ImportAlias::Dot;
        let plain = |i: &Import| {
            i.path == path && matches!(i.alias, ImportAlias::None | ImportAlias::Named(_))
        };
        if self.file.imports.iter().any(dot) && !self.file.imports.iter().any(plain) {
            return Some(item.to_owned());
        }
        Some(format!("{}.{item}", self.import(path, name)?.0))
    }

    fn insert_import(&mut self, path: &str) -> Option<()> {
        let spec = format!("\"{path}\"");
        let text = self.text;
        let imports: Vec<&Import> = self.file.imports.iter().filter(|i| i.path != "C").collect();
        // A group that has packages of the standard library, else any group.
        let group = imports
            .iter()
            .filter(|i| i.grouped)
            .find(|i| is_std(i.path.as_str()))
            .or_else(|| imports.iter().find(|i| i.grouped));
        if let Some(first) = group {
            let specs: Vec<&&Import> = imports
                .iter()
                .filter(|i| i.decl_range == first.decl_range)
                .collect();
            let Some(at) = specs.iter().position(|i| is_std(i.path.as_str())) else {
                let decl = usize_range(first.decl_range);
                let open = decl.start + text.get(decl)?.find('(')? + 1;
                if line_end(text, open) != open {
                    return None;
                }
                self.insert(open, format!("\n\t{spec}\n"));
                return Some(());
            };
            // The section goes on while no blank line comes between.
            let mut previous: Option<&Import> = None;
            let mut last = specs[at];
            for import in &specs[at..] {
                if let Some(before) = previous {
                    let between = text
                        .get(usize::from(before.range.end())..usize::from(import.range.start()))?;
                    if blank_line(between) {
                        break;
                    }
                }
                // A blank import of the same path comes behind the plain one.
                if import.path.as_str() >= path {
                    let start = usize::from(import.range.start());
                    if !first_on_line(text, start) {
                        return None;
                    }
                    let at = if previous.is_some() {
                        line_start(text, start)
                    } else {
                        self.above_comments(line_start(text, start))
                    };
                    self.insert(at, format!("{}{spec}\n", indentation(text, start)));
                    return Some(());
                }
                previous = Some(import);
                last = import;
            }
            let end = self.owned_end(usize::from(last.range.end()))?;
            let indent = indentation(text, usize::from(last.range.start()));
            self.insert(end, format!("\n{indent}{spec}"));
            return Some(());
        }
        if let Some(after) = imports
            .iter()
            .rfind(|i| i.path.as_str() < path)
            .or_else(|| imports.first())
        {
            // Single imports: each has a declaration of its own.
            let decl = usize_range(after.decl_range);
            if after.path.as_str() < path {
                let end = self.owned_end(decl.end)?;
                self.insert(end, format!("\nimport {spec}"));
            } else {
                let at = self.above_comments(line_start(text, decl.start));
                self.insert(at, format!("import {spec}\n"));
            }
            return Some(());
        }
        // No import, or only that of "C", whose preamble has to stay directly above it.
        let end = match self.file.imports.last() {
            Some(c) => usize::from(c.decl_range.end()),
            None => usize::from(self.file.package?.range.end()),
        };
        let end = self.owned_end(end)?;
        self.insert(end, format!("\n\nimport {spec}"));
        Some(())
    }

    /// The edits, sorted, with trailing comments aligned as `gofmt` does and the line ends of the file. `None` if they overlap.
    pub fn finish(mut self) -> Option<Vec<Edit>> {
        self.edits.sort_by_key(|e| (e.range.start(), e.range.end()));
        if self
            .edits
            .windows(2)
            .any(|w| w[1].range.start() < w[0].range.end())
        {
            return None;
        }
        align_comments(self.text, self.file, &mut self.edits);
        if line_ending(self.text) == "\r\n" {
            for edit in &mut self.edits {
                edit.text = edit.text.replace("\r\n", "\n").replace('\n', "\r\n");
            }
        }
        Some(self.edits)
    }

    /// A fix of the edits.
    pub fn fix(self, title: impl Into<String>, safety: Safety) -> Option<Fix> {
        let edits = self.finish()?;
        (!edits.is_empty()).then(|| Fix {
            title: title.into(),
            safety,
            edits,
        })
    }
}

/// Puts `prefix` before every line that is not empty.
pub(crate) fn indent(code: &str, prefix: &str) -> String {
    let mut out = String::with_capacity(code.len() + prefix.len() * 4);
    for (i, line) in code.split('\n').enumerate() {
        if i > 0 {
            out.push('\n');
        }
        if !line.is_empty() {
            out.push_str(prefix);
            out.push_str(line);
        }
    }
    out
}

/// Ranges of the raw string literals in a piece of code that does not begin inside a literal or comment.
pub(crate) fn raw_strings(code: &str) -> Vec<Range<usize>> {
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    let mut i = 0;
    let skip_to = |from: usize, end: u8| {
        bytes[from..]
            .iter()
            .position(|&b| b == end)
            .map_or(bytes.len(), |n| from + n)
    };
    while i < bytes.len() {
        match bytes[i] {
            b'`' => {
                let end = skip_to(i + 1, b'`');
                found.push(i..end);
                i = end;
            }
            quote @ (b'"' | b'\'') => {
                i += 1;
                while i < bytes.len() && bytes[i] != quote && bytes[i] != b'\n' {
                    i += 1 + usize::from(bytes[i] == b'\\');
                }
            }
            b'/' if bytes.get(i + 1) == Some(&b'/') => i = skip_to(i, b'\n'),
            b'/' if bytes.get(i + 1) == Some(&b'*') => {
                i = code[i + 2..]
                    .find("*/")
                    .map_or(bytes.len(), |n| i + 2 + n + 1);
            }
            _ => {}
        }
        i += 1;
    }
    found
}

fn blank_line(between: &str) -> bool {
    let mut lines = between.split('\n');
    lines.next();
    let inner: Vec<&str> = lines.collect();
    inner.len() > 1 && inner[..inner.len() - 1].iter().any(|l| l.trim().is_empty())
}

/// Whether an import path is of the standard library, as `goimports` judges it: no dot in its first element.
pub fn is_std(path: &str) -> bool {
    !path.split('/').next().unwrap_or_default().contains('.')
}

/// The name an import gives, as far as the path tells.
fn import_name(import: &Import) -> &str {
    match import.alias {
        ImportAlias::Named(alias) => alias.name.as_str(),
        ImportAlias::Dot | ImportAlias::Blank => "",
        ImportAlias::None => {
            let path = import.path.as_str();
            let last = path.rsplit('/').next().unwrap_or(path);
            let versioned = last.len() > 1
                && last.starts_with('v')
                && last[1..].bytes().all(|b| b.is_ascii_digit());
            if versioned {
                path.rsplit('/').nth(1).unwrap_or(last)
            } else {
                last
            }
        }
    }
}

/// Whether a declaration of the file has this name at package level.
pub fn file_declares(file: &ast::File, name: &str) -> bool {
    file.decls.iter().any(|decl| match &decl.tree.kind {
        DeclKind::Bad => false,
        DeclKind::Func(f) => f.receiver.is_none() && f.name.name == name,
        DeclKind::Var(specs) | DeclKind::Const(specs) => {
            specs.iter().any(|s| s.names.iter().any(|n| n.name == name))
        }
        DeclKind::Type(specs) => specs.iter().any(|s| s.name.name == name),
    })
}

/// Corrects the blanks before trailing comments in the runs of lines that the edits change.
///
/// `gofmt` aligns the trailing comments of neighbouring lines of one indentation; a line without one ends the run, so an inserted
/// line can part a run in two, and a longer name can push a whole run. Runs that were not aligned before are left alone.
fn align_comments(text: &str, file: &ast::File, edits: &mut Vec<Edit>) {
    if edits.is_empty() || file.comments.is_empty() {
        return;
    }
    // Mostly nothing is aligned near the edits, and no copy of the whole text is made.
    let mut new: Option<String> = None;
    // Old offset -> new offset, for offsets outside of replaced ranges.
    let shift = |old: usize| -> Option<usize> {
        let mut delta = 0isize;
        for edit in edits.iter() {
            let range = usize_range(edit.range);
            if range.end <= old {
                delta += edit.text.len() as isize - range.len() as isize;
            } else if range.start < old {
                return None;
            } else {
                break;
            }
        }
        old.checked_add_signed(delta)
    };
    let mut aligned: Vec<Edit> = Vec::new();
    let mut done: FxHashSet<usize> = FxHashSet::default();
    for edit in edits.iter() {
        let range = usize_range(edit.range);
        // The lines around the edit in the old text.
        let first = line_start(text, line_start(text, range.start).saturating_sub(1));
        let last = next_line(text, next_line(text, range.end));
        let mut at = first;
        while at < last {
            let run = run_of(text, file, at);
            let next = next_line(text, at);
            if run.is_empty() {
                if next <= at {
                    break;
                }
                at = next;
                continue;
            }
            if done.insert(run[0].line) && is_aligned(text, &run) {
                if new.is_none() {
                    new = apply_edits(text, edits).ok();
                }
                let Some(new) = &new else { return };
                realign(new, &run, &shift, &mut aligned);
            }
            at = next;
        }
    }
    for fresh in aligned {
        let overlaps =
            |e: &Edit| e.range.start() < fresh.range.end() && fresh.range.start() < e.range.end();
        if !edits.iter().any(overlaps) {
            edits.push(fresh);
        }
    }
    edits.sort_by_key(|e| (e.range.start(), e.range.end()));
}

#[derive(Clone, Copy)]
struct CommentLine {
    /// Offset of the line.
    line: usize,
    /// End of the code before the comment.
    code_end: usize,
    /// Offset of the comment.
    comment: usize,
}

fn comment_line(text: &str, file: &ast::File, line: usize) -> Option<CommentLine> {
    let end = line_end(text, line);
    let i = file
        .comments
        .partition_point(|c| usize::from(c.range.start()) < line);
    let comment = file.comments[i..]
        .iter()
        .take_while(|c| usize::from(c.range.start()) < end)
        .find(|c| {
            text[usize::from(c.range.end()).min(end)..end]
                .trim()
                .is_empty()
        })?;
    let start = usize::from(comment.range.start());
    let code_end = line + text[line..start].trim_end_matches([' ', '\t']).len();
    (!text[line..code_end].trim().is_empty()).then_some(CommentLine {
        line,
        code_end,
        comment: start,
    })
}

/// The run of lines with trailing comments that the line belongs to.
fn run_of(text: &str, file: &ast::File, line: usize) -> Vec<CommentLine> {
    let Some(this) = comment_line(text, file, line) else {
        return Vec::new();
    };
    let indent = indentation(text, line);
    let ends_run = |l: &CommentLine| {
        text[l.line..l.code_end]
            .trim_start()
            .starts_with(['}', ')'])
    };
    let mut run = vec![this];
    let mut at = line;
    while at > 0 {
        let above = line_start(text, at - 1);
        match comment_line(text, file, above) {
            Some(l) if indentation(text, above) == indent && !ends_run(&l) => run.insert(0, l),
            _ => break,
        }
        at = above;
    }
    let mut last = this;
    while !ends_run(&last) {
        let below = next_line(text, last.line);
        if below >= text.len() || indentation(text, below) != indent {
            break;
        }
        match comment_line(text, file, below) {
            Some(l) => run.push(l),
            None => break,
        }
        last = run[run.len() - 1];
    }
    run
}

fn code_width(text: &str, line: usize, code_end: usize) -> usize {
    text[line..code_end]
        .trim_start_matches([' ', '\t'])
        .chars()
        .count()
}

fn is_aligned(text: &str, run: &[CommentLine]) -> bool {
    let width = run
        .iter()
        .map(|l| code_width(text, l.line, l.code_end))
        .max()
        .unwrap_or(0);
    run.iter().all(|l| {
        let gap = &text[l.code_end..l.comment];
        gap.bytes().all(|b| b == b' ')
            && code_width(text, l.line, l.code_end) + gap.len() == width + 1
    })
}

fn realign(
    new: &str,
    run: &[CommentLine],
    shift: &dyn Fn(usize) -> Option<usize>,
    out: &mut Vec<Edit>,
) {
    // The lines of the run where they are now, cut where an edit put other lines between.
    let mut group: Vec<(CommentLine, usize, usize)> = Vec::new();
    let flush = |group: &mut Vec<(CommentLine, usize, usize)>, out: &mut Vec<Edit>| {
        let width = group.iter().map(|g| g.2).max().unwrap_or(0);
        for (old, _, code) in group.drain(..) {
            let gap = width - code + 1;
            if old.comment - old.code_end != gap {
                out.push(Edit {
                    range: text_range(old.code_end..old.comment),
                    text: " ".repeat(gap),
                });
            }
        }
    };
    for old in run {
        let Some(comment) = shift(old.comment) else {
            flush(&mut group, out);
            continue;
        };
        let line = line_start(new, comment);
        let code_end = line + new[line..comment].trim_end_matches([' ', '\t']).len();
        if let Some((_, previous, _)) = group.last()
            && next_line(new, *previous) != line
        {
            flush(&mut group, out);
        }
        if code_end == line {
            flush(&mut group, out);
            continue;
        }
        group.push((*old, line, code_width(new, line, code_end)));
        if new[line..code_end].trim_start().starts_with(['}', ')']) {
            flush(&mut group, out);
        }
    }
    flush(&mut group, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range_of(text: &str, what: &str) -> Range<usize> {
        let start = text.find(what).unwrap();
        start..start + what.len()
    }

    fn build(text: &str, f: impl FnOnce(&mut EditBuilder<'_>) -> Option<()>) -> Option<String> {
        let parsed = go_syntax::parse_file(text);
        let mut builder = EditBuilder::new(text, &parsed.file);
        f(&mut builder)?;
        Some(apply_edits(text, &builder.finish()?).unwrap())
    }

    fn edit(range: Range<usize>, text: &str) -> Edit {
        Edit {
            range: text_range(range),
            text: text.to_owned(),
        }
    }

    fn fix(edits: Vec<Edit>) -> Fix {
        Fix {
            title: "t".to_owned(),
            safety: Safety::Safe,
            edits,
        }
    }

    #[test]
    fn wrong_edits_are_refused() {
        assert_eq!(apply_edits("añb", &[edit(1..3, "n")]).unwrap(), "anb");
        assert_eq!(
            apply_edits("añb", &[edit(2..3, "n")]),
            Err(ApplyError::NotACharBoundary)
        );
        assert_eq!(
            apply_edits("ab", &[edit(1..9, "n")]),
            Err(ApplyError::OutOfBounds)
        );
        assert_eq!(
            apply_edits("ab", &[edit(0..2, ""), edit(1..2, "")]),
            Err(ApplyError::Overlap)
        );
        assert_eq!(
            apply_edits("ab", &[edit(1..1, "x"), edit(1..1, "y")]).unwrap(),
            "axyb"
        );
    }

    #[test]
    fn conflicting_fixes_wait() {
        let import = edit(0..0, "import");
        let a = fix(vec![import.clone(), edit(5..5, "a")]);
        let b = fix(vec![import.clone(), edit(9..10, "b")]);
        let c = fix(vec![import, edit(10..12, "c")]);
        let merged = merge([&a, &b, &c]);
        assert_eq!(merged.applied, [0, 1]);
        assert_eq!(merged.skipped, [2], "touches what the second one replaced");
        assert_eq!(merged.edits.len(), 3);
    }

    #[test]
    fn fix_all_goes_on_until_nothing_is_left() {
        let text = "package p\n\nfunc f() {\n\ta()\n\ta()\n}\n".to_owned();
        let check = |text: &str| -> Vec<Diagnostic> {
            text.match_indices("a()")
                .map(|(at, _)| Diagnostic {
                    rule: "defer-in-loop",
                    severity: crate::Severity::Warning,
                    message: String::new(),
                    range: text_range(at..at + 3),
                    function: None,
                    related: Vec::new(),
                    // All of them touch the same line, so that one round can apply only one.
                    fixes: vec![fix(vec![
                        edit(22..22, &format!("\t// {at}\n")),
                        edit(at..at + 1, "b"),
                    ])],
                    unnecessary: false,
                })
                .collect()
        };
        let done = fix_all(text.clone(), 10, check, safe_or(false));
        assert!(done.converged);
        assert_eq!(done.rounds, 2);
        assert_eq!(done.text.matches("b()").count(), 2);
        let stopped = fix_all(text, 1, check, safe_or(false));
        assert!(!stopped.converged);
        assert_eq!(stopped.remaining.len(), 1);
    }

    #[test]
    fn inserts_with_the_indentation_of_the_place() {
        let text = "package p\n\nfunc f() {\n\tif x {\n\t\tf := a() // why\n\t\tuse(f)\n\t}\n}\n";
        let after = build(text, |b| {
            b.insert_after(range_of(text, "f := a()"), "defer f.Close()")
        })
        .unwrap();
        assert_eq!(
            after,
            text.replace("// why\n", "// why\n\t\tdefer f.Close()\n")
        );
        let before = build(text, |b| {
            b.insert_before(range_of(text, "use(f)"), "if y {\n\tz()\n}")
        })
        .unwrap();
        assert_eq!(
            before,
            text.replace("\t\tuse", "\t\tif y {\n\t\t\tz()\n\t\t}\n\t\tuse")
        );
        // No line of its own.
        let text = "package p\n\nfunc f() { a(); b() }\n";
        assert_eq!(
            build(text, |b| b.insert_after(range_of(text, "a()"), "c()")),
            None
        );
        assert_eq!(
            build(text, |b| b.insert_after(range_of(text, "b()"), "c()")),
            None
        );
        assert_eq!(
            build(text, |b| b.insert_before(range_of(text, "b()"), "c()")),
            None
        );
    }

    #[test]
    fn keeps_crlf() {
        let text = "package p\r\n\r\nfunc f() {\r\n\ta()\r\n}\r\n";
        let after = build(text, |b| b.insert_after(range_of(text, "a()"), "b()\nc()")).unwrap();
        assert_eq!(
            after,
            "package p\r\n\r\nfunc f() {\r\n\ta()\r\n\tb()\r\n\tc()\r\n}\r\n"
        );
    }

    #[test]
    fn aligns_trailing_comments_around_an_insertion() {
        let text = "package p\n\nfunc f() {\n\ta := 1      // x\n\tlonger := 2 // y\n\tuse()\n}\n";
        let after = build(text, |b| b.insert_after(range_of(text, "a := 1"), "b()")).unwrap();
        assert_eq!(
            after,
            "package p\n\nfunc f() {\n\ta := 1 // x\n\tb()\n\tlonger := 2 // y\n\tuse()\n}\n"
        );
        let renamed = build(text, |b| {
            b.replace(range_of(text, "a := 1"), "muchLonger := 1");
            Some(())
        })
        .unwrap();
        assert_eq!(
            renamed,
            "package p\n\nfunc f() {\n\tmuchLonger := 1 // x\n\tlonger := 2     // y\n\tuse()\n}\n"
        );
    }

    #[test]
    fn imports_go_where_gofmt_wants_them() {
        let import =
            |text: &str, path: &str, name: &str| build(text, |b| b.import(path, name).map(|_| ()));
        let grouped = "package p\n\nimport (\n\t\"context\"\n\t\"fmt\"\n\n\t\"example.com/x\"\n)\n";
        assert_eq!(
            import(grouped, "errors", "errors").unwrap(),
            grouped.replace("\t\"fmt\"", "\t\"errors\"\n\t\"fmt\"")
        );
        assert_eq!(
            import(grouped, "os", "os").unwrap(),
            grouped.replace("\t\"fmt\"\n", "\t\"fmt\"\n\t\"os\"\n")
        );
        assert_eq!(
            import(grouped, "bytes", "bytes").unwrap(),
            grouped.replace("\t\"context\"", "\t\"bytes\"\n\t\"context\"")
        );
        assert_eq!(import(grouped, "fmt", "fmt").unwrap(), grouped);
        let foreign = "package p\n\nimport (\n\t\"example.com/x\"\n)\n";
        assert_eq!(
            import(foreign, "os", "os").unwrap(),
            "package p\n\nimport (\n\t\"os\"\n\n\t\"example.com/x\"\n)\n"
        );
        let single = "package p\n\nimport \"fmt\"\n\nfunc f() {}\n";
        assert_eq!(
            import(single, "os", "os").unwrap(),
            single.replace("\"fmt\"", "\"fmt\"\nimport \"os\"")
        );
        assert_eq!(
            import(single, "errors", "errors").unwrap(),
            single.replace("import \"fmt\"", "import \"errors\"\nimport \"fmt\"")
        );
        assert_eq!(
            import("package p\n", "os", "os").unwrap(),
            "package p\n\nimport \"os\"\n"
        );
        let cgo = "package p\n\n// #include <stdlib.h>\nimport \"C\"\n\nfunc f() {}\n";
        assert_eq!(
            import(cgo, "os", "os").unwrap(),
            cgo.replace("\"C\"", "\"C\"\n\nimport \"os\"")
        );
        // The name is taken.
        assert_eq!(
            import("package p\n\nfunc errors() {}\n", "errors", "errors"),
            None
        );
        assert_eq!(
            import(
                "package p\n\nimport \"example.com/errors\"\n",
                "errors",
                "errors"
            ),
            None
        );
        let named = "package p\n\nimport stderrors \"errors\"\n";
        let parsed = go_syntax::parse_file(named);
        let name = EditBuilder::new(named, &parsed.file)
            .import("errors", "errors")
            .unwrap();
        assert_eq!(name.0, "stderrors");
    }

    #[test]
    fn deleting_a_statement_leaves_no_blank_line_at_an_edge() {
        let text = "package p\n\nfunc f() {\n\ta()\n\n\tb() // c\n}\n";
        let after = build(text, |b| b.delete_statement(range_of(text, "b()"))).unwrap();
        assert_eq!(after, "package p\n\nfunc f() {\n\ta()\n}\n");
        let after = build(text, |b| b.delete_statement(range_of(text, "a()"))).unwrap();
        assert_eq!(after, "package p\n\nfunc f() {\n\tb() // c\n}\n");
    }
}
