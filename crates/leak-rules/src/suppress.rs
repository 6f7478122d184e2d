//! Suppressions: comments that say that a finding is meant.
//!
//! | comment | covers |
//! |---|---|
//! | `//stopleak:ignore rule[,rule] -- reason` | the line it ends, or the statement below it |
//! | `//stopleak:ignore-file rule[,rule] -- reason` | the file |
//! | `//nolint`, `//nolint:stopleak`, `//nolint:bodyclose` … | as golangci-lint has it: the line, or the whole declaration or statement below it |
//! | `//lint:ignore stopleak/rule reason`, `//lint:file-ignore …` | as staticcheck has it: the line or the one below, the file |
//!
//! Directives of our own that silence nothing, name no rule or an unknown one, or give no reason where one is asked for are reported
//! themselves; other tools' directives never are.

use std::ops::Range;

use go_syntax::ast::{self, Comment, StmtKind};
use go_syntax::{TextRange, TextSize};
use rustc_hash::FxHashSet;

use crate::edit::{
    EditBuilder, first_on_line, indentation, line_end, line_start, next_line, text_range,
    usize_range,
};
use crate::{Diagnostic, Edit, Fix, Safety, Severity};

/// Name of the rule that reports a suppression that silences nothing.
pub const UNUSED: &str = "unused-suppression";
/// Name of the rule that reports a suppression that cannot be understood.
pub const INVALID: &str = "invalid-suppression";

/// How suppressions are judged.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Report directives of our own without `-- reason`.
    pub require_reason: bool,
    /// Rules that did not run or whose findings were dropped before: a suppression of these is not called unused.
    pub disabled: FxHashSet<String>,
}

/// Findings parted by the suppressions of their file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suppressed {
    /// What is still to be reported.
    pub kept: Vec<Diagnostic>,
    /// What is silenced, and by which comment (its absolute range).
    pub suppressed: Vec<(Diagnostic, TextRange)>,
    /// Findings about the suppressions themselves ([`UNUSED`], [`INVALID`]).
    pub meta: Vec<Diagnostic>,
}

/// Where a suppression comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// `//stopleak:…`
    Own,
    /// `//nolint…`
    NoLint,
    /// `//lint:…`
    StaticCheck,
}

/// A suppression comment as it was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// Absolute range of the comment, or of the part of it that is the directive.
    pub range: TextRange,
    /// Whose form it has.
    pub origin: Origin,
    /// Whether it covers the whole file.
    pub file: bool,
    /// The rules it names, each with its absolute range; for foreign linters the rule that covers the same ground.
    pub rules: Vec<(String, TextRange)>,
    /// It covers every rule.
    pub all: bool,
    /// What is said after `--` (or `//`, or the last words of `//lint:ignore`).
    pub reason: Option<String>,
    /// What is covered: absolute range of whole lines.
    pub covers: TextRange,
}

impl Suppression {
    /// Whether it names the rule (or all of them).
    pub fn names(&self, rule: &str) -> bool {
        self.all || self.rules.iter().any(|(r, _)| r == rule)
    }

    /// One sentence for a hover: what the comment covers.
    pub fn describe(&self, text: &str) -> String {
        let rules = if self.all {
            "every rule".to_owned()
        } else if self.rules.is_empty() {
            "no rule of stopleak".to_owned()
        } else {
            self.rules
                .iter()
                .map(|(r, _)| format!("`{r}`"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let place = if self.file {
            "in this file".to_owned()
        } else {
            let first = line_number(text, usize::from(self.covers.start()));
            let last = line_number(
                text,
                usize::from(self.covers.end())
                    .saturating_sub(1)
                    .max(self.covers.start().into()),
            );
            if first == last {
                format!("on line {first}")
            } else {
                format!("on lines {first} to {last}")
            }
        };
        let mut out = format!("Silences {rules} {place}");
        if let Some(reason) = &self.reason {
            out.push_str(": ");
            out.push_str(reason);
        }
        out
    }
}

fn line_number(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())]
        .iter()
        .filter(|&&b| b == b'\n')
        .count()
        + 1
}

/// A directive of ours that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Malformed {
    range: TextRange,
    message: String,
    /// What to write instead; `None` removes it.
    replacement: Option<String>,
}

/// The linters and checks of others that cover the same ground as a rule of ours.
fn same_ground(linter: &str) -> &'static [&'static str] {
    match linter {
        "bodyclose" => &[
            "unclosed-http-body",
            "partially-built-owner",
            "wrapper-drops-close",
        ],
        "sqlclosecheck" => &[
            "unclosed-sql-rows",
            "unclosed-sql-stmt",
            "partially-built-owner",
        ],
        "govet" | "lostcancel" | "vet" => &["dropped-cancel"],
        "gocritic" | "revive" => &["defer-in-loop"],
        "gosec" => &["dropped-cancel", "missing-timeout"],
        "spancheck" => &["unended-span"],
        "noctx" => &["missing-timeout"],
        "contextcheck" => &["ignored-context"],
        "fatcontext" => &["growing-context"],
        "staticcheck" => &["defer-in-loop", "time-tick", "unreachable-defer"],
        "SA1015" => &["time-tick"],
        "SA5003" => &["unreachable-defer"],
        "SA9001" => &["defer-in-loop"],
        _ => &[],
    }
}

/// All suppression comments of a file, in source order.
pub fn suppressions(text: &str, file: &ast::File) -> Vec<Suppression> {
    scan(text, file).0
}

/// The suppression comment at an offset, for a hover.
pub fn suppression_at(text: &str, file: &ast::File, offset: TextSize) -> Option<Suppression> {
    let i = file.comments.partition_point(|c| c.range.end() < offset);
    let comment = file
        .comments
        .get(i)
        .filter(|c| c.range.contains_inclusive(offset))?;
    let mut lines = Lines::new(text, file);
    match parse_comment(text, comment)? {
        Ok(mut suppression) => {
            suppression.covers = lines.covered(&suppression, comment);
            Some(suppression)
        }
        Err(_) => None,
    }
}

fn scan(text: &str, file: &ast::File) -> (Vec<Suppression>, Vec<Malformed>) {
    let mut found = Vec::new();
    let mut malformed = Vec::new();
    let mut lines = Lines::new(text, file);
    for comment in &file.comments {
        match parse_comment(text, comment) {
            None => {}
            Some(Ok(mut suppression)) => {
                suppression.covers = lines.covered(&suppression, comment);
                found.push(suppression);
            }
            Some(Err(m)) => malformed.push(m),
        }
    }
    (found, malformed)
}

/// Finds out which lines a comment covers.
struct Lines<'a> {
    text: &'a str,
    file: &'a ast::File,
    /// Absolute ranges of all statements and declarations, computed on the first question.
    nodes: Option<Vec<(Range<usize>, bool)>>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str, file: &'a ast::File) -> Self {
        Self {
            text,
            file,
            nodes: None,
        }
    }

    /// Statements and declarations; `true` for those without statements of their own inside.
    fn nodes(&mut self) -> &[(Range<usize>, bool)] {
        let file = self.file;
        self.nodes.get_or_insert_with(|| {
            let mut nodes = Vec::new();
            for decl in &file.decls {
                nodes.push((usize_range(decl.range()), false));
                for (_, stmt) in decl.tree.stmts.iter() {
                    let simple = matches!(
                        stmt.kind,
                        StmtKind::Expr(_)
                            | StmtKind::Send { .. }
                            | StmtKind::IncDec { .. }
                            | StmtKind::Assign { .. }
                            | StmtKind::Go(_)
                            | StmtKind::Defer(_)
                            | StmtKind::Return(_)
                            | StmtKind::Var(_)
                    );
                    nodes.push((usize_range(stmt.range + decl.start), simple));
                }
            }
            nodes
        })
    }

    /// Absolute range of the lines that a suppression covers.
    fn covered(&mut self, suppression: &Suppression, comment: &Comment) -> TextRange {
        let text = self.text;
        if suppression.file {
            return text_range(0..text.len());
        }
        let start = usize::from(comment.range.start());
        if !first_on_line(text, start) {
            // At the end of a line: that line, and the rest of a simple statement that begins or ends on it.
            let line = line_start(text, start)..next_line(text, start);
            let mut covers = line.clone();
            if suppression.origin == Origin::Own {
                for (range, simple) in self.nodes() {
                    let touches = line.contains(&range.start)
                        || (line.contains(&range.end) && range.start < start);
                    if *simple && touches {
                        covers.start = covers.start.min(line_start(text, range.start));
                        covers.end = covers.end.max(next_line(text, range.end));
                    }
                }
                // A literal with statements of its own keeps them to itself.
                if covers.len() > line.len()
                    && self.nodes().iter().any(|(r, _)| {
                        r.start > covers.start + 1
                            && !line.contains(&r.start)
                            && r.start < covers.end
                            && first_on_line(text, r.start)
                    })
                {
                    covers = line;
                }
            }
            return text_range(covers);
        }
        // On a line of its own: what begins on the next line that is not a comment.
        let mut below = next_line(text, usize::from(comment.range.end()));
        while below < text.len() {
            let at = below + indentation(text, below).len();
            let i = self
                .file
                .comments
                .partition_point(|c| usize::from(c.range.start()) < at);
            match self.file.comments.get(i) {
                Some(c) if usize::from(c.range.start()) == at => {
                    below = next_line(text, c.range.end().into())
                }
                _ => break,
            }
        }
        let end = next_line(text, below);
        let mut covers = below..end;
        let directly = below == next_line(text, usize::from(comment.range.end()));
        match suppression.origin {
            Origin::StaticCheck => {}
            Origin::NoLint => {
                // golangci-lint extends the comment to the whole node below it.
                let column = indentation(text, start).len();
                if directly && indentation(text, below).len() == column {
                    let first = below + column;
                    if self
                        .file
                        .package
                        .is_some_and(|p| (below..end).contains(&usize::from(p.range.start())))
                    {
                        return text_range(0..text.len());
                    }
                    for (range, _) in self.nodes() {
                        if range.start == first {
                            covers.end = covers.end.max(next_line(text, range.end));
                        }
                    }
                } else if !directly {
                    covers = start..start;
                }
            }
            Origin::Own => {
                let nodes: Vec<Range<usize>> = self
                    .nodes()
                    .iter()
                    .filter(|(r, simple)| *simple && (below..end).contains(&r.start))
                    .map(|(r, _)| r.clone())
                    .collect();
                for range in nodes {
                    let all = next_line(text, range.end);
                    let inner = self
                        .nodes()
                        .iter()
                        .any(|(r, _)| r.start > range.start && r.end < range.end && r.start >= end);
                    if !inner {
                        covers.end = covers.end.max(all);
                    }
                }
            }
        }
        text_range(covers)
    }
}

/// Reads one comment. `None`: no suppression.
fn parse_comment(text: &str, comment: &Comment) -> Option<Result<Suppression, Malformed>> {
    let start = usize::from(comment.range.start());
    let body = text.get(usize_range(comment.range))?.trim_end();
    if comment.block {
        return None;
    }
    let rest = body.strip_prefix("//")?;
    let trimmed = rest.trim_start_matches([' ', '\t', '/']);
    if trimmed.starts_with("nolint") {
        return parse_nolint(trimmed, start + body.len() - trimmed.len(), comment).map(Ok);
    }
    if let Some(directive) = rest.strip_prefix("lint:") {
        return parse_lint(directive, start + 7, comment).map(Ok);
    }
    // A directive may stand behind other words of the same comment.
    if let Some(directive) = rest.strip_prefix("stopleak:") {
        return parse_own(directive, start, start + 11);
    }
    if let Some(at) = body.find(" //stopleak:") {
        let start = start + at + 1;
        return parse_own(&body[at + 12..], start, start + 11);
    }
    let spaced = rest.trim_start();
    if rest.len() > spaced.len() && spaced.starts_with("stopleak:ignore") {
        return Some(Err(Malformed {
            range: comment.range,
            message: "A directive has no blank after `//`: this comment silences nothing"
                .to_owned(),
            replacement: Some(format!("//{spaced}")),
        }));
    }
    None
}

fn parse_own(
    directive: &str,
    start: usize,
    body_start: usize,
) -> Option<Result<Suppression, Malformed>> {
    let directive = directive.trim_end();
    let range = text_range(start..body_start + directive.len());
    let word_len = directive.find([' ', '\t']).unwrap_or(directive.len());
    let (word, rest) = directive.split_at(word_len);
    let file = match word {
        "ignore" => false,
        "ignore-file" => true,
        // Directives on ownership are not suppressions.
        "owns" | "borrows" | "must-call" => return None,
        _ => {
            return Some(Err(Malformed {
                range,
                message: format!("There is no directive `//stopleak:{word}`"),
                replacement: None,
            }));
        }
    };
    let (list, reason) = match rest.find("--") {
        Some(at) => (&rest[..at], Some(rest[at + 2..].trim())),
        None => (rest, None),
    };
    let mut rules = Vec::new();
    let mut at = body_start + word_len;
    for part in list.split(',') {
        let name = part.trim();
        if !name.is_empty() {
            let begin = at + (part.len() - part.trim_start().len());
            rules.push((name.to_owned(), text_range(begin..begin + name.len())));
        }
        at += part.len() + 1;
    }
    if rules.is_empty() {
        return Some(Err(Malformed {
            range,
            message: format!("`//stopleak:{word}` has to name the rules it silences"),
            replacement: None,
        }));
    }
    Some(Ok(Suppression {
        range,
        origin: Origin::Own,
        file,
        rules,
        all: false,
        reason: reason.filter(|r| !r.is_empty()).map(str::to_owned),
        covers: range,
    }))
}

fn parse_nolint(body: &str, start: usize, comment: &Comment) -> Option<Suppression> {
    let rest = &body["nolint".len()..];
    let (directive, reason) = match rest.find("//") {
        Some(at) => (
            &rest[..at],
            Some(rest[at + 2..].trim().to_owned()).filter(|r| !r.is_empty()),
        ),
        None => (rest, None),
    };
    let mut suppression = Suppression {
        range: comment.range,
        origin: Origin::NoLint,
        file: false,
        rules: Vec::new(),
        all: false,
        reason,
        covers: comment.range,
    };
    match directive.strip_prefix(':') {
        None if directive.is_empty() || directive.starts_with([' ', '\t']) => {
            suppression.all = true
        }
        None => return None,
        Some(list) => {
            // The list ends at the first blank that follows no comma.
            let mut at = start + "nolint:".len();
            for part in list.split(',') {
                let name = part.split_whitespace().next().unwrap_or_default();
                let begin = at + (part.len() - part.trim_start().len());
                push_foreign(
                    &mut suppression,
                    name,
                    text_range(begin..begin + name.len()),
                );
                at += part.len() + 1;
            }
        }
    }
    Some(suppression)
}

fn parse_lint(directive: &str, start: usize, comment: &Comment) -> Option<Suppression> {
    let mut words = directive.split_whitespace();
    let file = match words.next()? {
        "ignore" => false,
        "file-ignore" => true,
        _ => return None,
    };
    let list = words.next()?;
    let reason = words.collect::<Vec<_>>().join(" ");
    // staticcheck does not honour a directive without a reason.
    if reason.is_empty() {
        return None;
    }
    let mut suppression = Suppression {
        range: comment.range,
        origin: Origin::StaticCheck,
        file,
        rules: Vec::new(),
        all: false,
        reason: Some(reason),
        covers: comment.range,
    };
    let mut at = start + directive.find(list)?;
    for name in list.split(',') {
        push_foreign(&mut suppression, name, text_range(at..at + name.len()));
        at += name.len() + 1;
    }
    Some(suppression)
}

fn push_foreign(suppression: &mut Suppression, name: &str, range: TextRange) {
    let lower = name.to_ascii_lowercase();
    if lower == "all" && suppression.origin == Origin::NoLint
        || matches!(lower.as_str(), "stopleak" | "stopleak/*")
    {
        suppression.all = true;
    } else if let Some(rule) = lower.strip_prefix("stopleak/") {
        suppression.rules.push((rule.to_owned(), range));
    } else {
        // Also `govet/lostcancel`, as some write it.
        let last = name.rsplit('/').next().unwrap_or(name);
        let rules = match same_ground(last) {
            [] => same_ground(lower.as_str()),
            rules => rules,
        };
        suppression
            .rules
            .extend(rules.iter().map(|r| ((*r).to_owned(), range)));
    }
}

/// Parts the findings of a file by its suppressions and judges the suppressions.
pub fn apply_suppressions(
    text: &str,
    file: &ast::File,
    diagnostics: Vec<Diagnostic>,
    options: &Options,
) -> Suppressed {
    let mut out = Suppressed::default();
    // Most files have no directive at all.
    if !file.comments_mention(text, &["nolint", "lint:", "stopleak:"]) {
        out.kept = diagnostics;
        return out;
    }
    let (found, malformed) = scan(text, file);
    // (suppression, rule) pairs that silenced something.
    let mut used: FxHashSet<(usize, String)> = FxHashSet::default();
    for diagnostic in diagnostics {
        let line = line_start(text, diagnostic.range.start().into());
        let mut by = None;
        for (i, suppression) in found.iter().enumerate() {
            let covers = usize_range(suppression.covers);
            let covered = suppression.file || (covers.start <= line && line < covers.end);
            if covered && suppression.names(diagnostic.rule) {
                used.insert((i, diagnostic.rule.to_owned()));
                // Every directive that covers the finding counts as used; the first one is named.
                by.get_or_insert(suppression.range);
            }
        }
        match by {
            Some(range) => out.suppressed.push((diagnostic, range)),
            None => out.kept.push(diagnostic),
        }
    }
    for m in malformed {
        let fix = match m.replacement {
            Some(by) => Some(Fix {
                title: format!("write `{by}`"),
                safety: Safety::Unsafe,
                edits: vec![Edit {
                    range: m.range,
                    text: by,
                }],
            }),
            None => remove_directive(text, file, m.range),
        };
        out.meta
            .push(meta(INVALID, Severity::Warning, m.message, m.range, fix));
    }
    for (i, suppression) in found.iter().enumerate() {
        if suppression.origin != Origin::Own {
            continue;
        }
        let mut seen: FxHashSet<&str> = FxHashSet::default();
        for (rule, range) in &suppression.rules {
            let remove = || remove_rule(text, file, suppression, *range);
            if rule == UNUSED || rule == INVALID {
                continue;
            }
            if !is_known_rule(rule) {
                let message = match similar_rule(rule) {
                    Some(known) => format!("There is no rule `{rule}`; is `{known}` meant?"),
                    None => format!("There is no rule `{rule}`"),
                };
                let fix = match similar_rule(rule) {
                    Some(known) => Some(Fix {
                        title: format!("write `{known}`"),
                        safety: Safety::Unsafe,
                        edits: vec![Edit {
                            range: *range,
                            text: known.to_owned(),
                        }],
                    }),
                    None => remove(),
                };
                out.meta
                    .push(meta(INVALID, Severity::Warning, message, *range, fix));
            } else if !seen.insert(rule) {
                let message = format!("`{rule}` is named twice");
                out.meta
                    .push(meta(UNUSED, Severity::Hint, message, *range, remove()));
            } else if !used.contains(&(i, rule.clone())) && !options.disabled.contains(rule) {
                let message = format!("There is no `{rule}` here to be silenced");
                out.meta
                    .push(meta(UNUSED, Severity::Hint, message, *range, remove()));
            }
        }
        if options.require_reason && suppression.reason.is_none() {
            let message = "A suppression has to give its reason after `--`".to_owned();
            out.meta.push(meta(
                INVALID,
                Severity::Warning,
                message,
                suppression.range,
                None,
            ));
        }
    }
    // A directive may silence what is said about directives.
    let silenced = |d: &Diagnostic| {
        let line = line_start(text, d.range.start().into());
        found.iter().any(|s| {
            s.origin == Origin::Own
                && s.rules.iter().any(|(r, _)| r == d.rule)
                && (s.file
                    || line_start(text, s.range.start().into()) == line
                    || usize_range(s.covers).contains(&line))
        })
    };
    out.meta.retain(|d| !silenced(d));
    out.meta
        .sort_by_key(|d| (d.range.start(), d.range.end(), d.rule));
    out
}

fn meta(
    rule: &'static str,
    severity: Severity,
    message: String,
    range: TextRange,
    fix: Option<Fix>,
) -> Diagnostic {
    Diagnostic {
        rule,
        severity,
        message,
        range,
        function: None,
        related: Vec::new(),
        fixes: fix.into_iter().collect(),
        unnecessary: rule == UNUSED,
    }
}

fn is_known_rule(name: &str) -> bool {
    crate::rule(name).is_some() || name == crate::directives::INVALID
}

fn known_rules() -> impl Iterator<Item = &'static str> {
    crate::rules().iter().map(|r| r.name)
}

/// The known rule that a misspelt name most probably means.
fn similar_rule(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase().replace('_', "-");
    known_rules()
        .map(|rule| (edit_distance(&name, rule), rule))
        .filter(|(distance, rule)| *distance <= rule.len() / 4)
        .min()
        .map(|(_, rule)| rule)
}

fn edit_distance(a: &str, b: &str) -> usize {
    if a.len() > 64 {
        return usize::MAX;
    }
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let next = (diagonal + usize::from(ca != *cb))
                .min(row[j] + 1)
                .min(row[j + 1] + 1);
            diagonal = row[j + 1];
            row[j + 1] = next;
        }
    }
    row[b.len()]
}

/// Removes one rule of a directive, or the directive when it is the only one.
fn remove_rule(
    text: &str,
    file: &ast::File,
    suppression: &Suppression,
    rule: TextRange,
) -> Option<Fix> {
    if suppression.rules.len() == 1 {
        return remove_directive(text, file, suppression.range);
    }
    let i = suppression.rules.iter().position(|(_, r)| *r == rule)?;
    // With the comma before it, or after it for the first one.
    let range = match i {
        0 => TextRange::new(rule.start(), suppression.rules[1].1.start()),
        _ => TextRange::new(suppression.rules[i - 1].1.end(), rule.end()),
    };
    let mut builder = EditBuilder::new(text, file);
    builder.replace(usize_range(range), "");
    builder.fix(
        format!("remove `{}` from the suppression", &suppression.rules[i].0),
        Safety::Safe,
    )
}

fn remove_directive(text: &str, file: &ast::File, range: TextRange) -> Option<Fix> {
    let range = usize_range(range);
    let mut builder = EditBuilder::new(text, file);
    if first_on_line(text, range.start)
        && line_end(text, range.start) <= range.end.max(line_end(text, range.end))
    {
        builder.delete_statement(range)?;
    } else {
        let start = text[..range.start].trim_end_matches([' ', '\t']).len();
        builder.replace(start..range.end, "");
    }
    builder.fix("remove the suppression", Safety::Safe)
}

/// A fix that silences a finding where it is: the rule is added to a directive that covers the place already, else a directive is
/// put above the statement, or behind the line where nothing can stand above it.
pub fn suppress_line(text: &str, file: &ast::File, diagnostic: &Diagnostic) -> Option<Fix> {
    let rule = diagnostic.rule;
    let title = format!("silence `{rule}` on this line");
    let line = line_start(text, diagnostic.range.start().into());
    let mut builder = EditBuilder::new(text, file);
    let existing = suppressions(text, file).into_iter().find(|s| {
        let covers = usize_range(s.covers);
        s.origin == Origin::Own && !s.file && covers.start <= line && line < covers.end
    });
    if let Some((_, last)) = existing.as_ref().and_then(|s| s.rules.last()) {
        builder.insert(last.end().into(), format!(",{rule}"));
        return builder.fix(title, Safety::Unsafe);
    }
    // The simple statement (or the line of a declaration) around the finding that begins a line.
    let offset = usize::from(diagnostic.range.start());
    let mut lines = Lines::new(text, file);
    let starts_here = |start: usize| first_on_line(text, start);
    let place = lines
        .nodes()
        .iter()
        .filter(|(r, simple)| {
            r.contains(&offset)
                && starts_here(r.start)
                && (*simple || line_start(text, r.start) == line)
        })
        .map(|(r, _)| r.start)
        .max();
    if let Some(start) = place {
        let at = line_start(text, start);
        // Only if the comment there does cover the finding: a literal's statements are not covered from outside.
        if at == line || covered_from(text, &mut lines, at, line) {
            builder.insert(
                at,
                format!("{}//stopleak:ignore {rule}\n", indentation(text, start)),
            );
            return builder.fix(title, Safety::Unsafe);
        }
    }
    let end = line_end(text, offset);
    if in_literal(file, end) {
        return None;
    }
    let end = line + text[line..end].trim_end().len();
    builder.insert(end, format!(" //stopleak:ignore {rule}"));
    builder.fix(title, Safety::Unsafe)
}

fn covered_from(text: &str, lines: &mut Lines<'_>, statement: usize, line: usize) -> bool {
    let end = next_line(text, statement);
    let nodes = lines.nodes();
    let whole = nodes
        .iter()
        .filter(|(r, simple)| *simple && (statement..end).contains(&r.start))
        .filter(|(range, _)| {
            !nodes
                .iter()
                .any(|(r, _)| r.start > range.start && r.end < range.end && r.start >= end)
        })
        .map(|(r, _)| r.end)
        .max();
    whole.is_some_and(|end| line < end)
}

/// Whether an offset lies inside a string literal or a block comment (where no comment can be added).
fn in_literal(file: &ast::File, offset: usize) -> bool {
    let inside = |r: TextRange| usize::from(r.start()) < offset && offset < usize::from(r.end());
    file.comments.iter().any(|c| c.block && inside(c.range))
        || file.decls.iter().filter(|d| inside(d.range())).any(|d| {
            d.tree.exprs.iter().any(|(_, e)| {
                matches!(e.kind, ast::ExprKind::Literal(_)) && inside(e.range + d.start)
            })
        })
}

/// A fix that silences a rule in the whole file.
pub fn suppress_file(text: &str, file: &ast::File, diagnostic: &Diagnostic) -> Option<Fix> {
    let rule = diagnostic.rule;
    let title = format!("silence `{rule}` in this file");
    let mut builder = EditBuilder::new(text, file);
    let existing = suppressions(text, file)
        .into_iter()
        .find(|s| s.origin == Origin::Own && s.file);
    if let Some((_, last)) = existing.as_ref().and_then(|s| s.rules.last()) {
        builder.insert(last.end().into(), format!(",{rule}"));
        return builder.fix(title, Safety::Unsafe);
    }
    let package = usize::from(file.package?.range.end());
    let end = line_end(text, package);
    if in_literal(file, end) {
        return None;
    }
    builder.insert(end, format!("\n\n//stopleak:ignore-file {rule}"));
    builder.fix(title, Safety::Unsafe)
}

/// The fixes that silence a finding: on its line, in its file.
pub fn suppress_actions(text: &str, file: &ast::File, diagnostic: &Diagnostic) -> Vec<Fix> {
    if diagnostic.rule == UNUSED || diagnostic.rule == INVALID {
        return Vec::new();
    }
    [
        suppress_line(text, file, diagnostic),
        suppress_file(text, file, diagnostic),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::apply_edits;

    fn diagnostic(text: &str, what: &str, rule: &'static str) -> Diagnostic {
        let start = text.find(what).unwrap();
        meta(
            rule,
            Severity::Warning,
            "leak".to_owned(),
            text_range(start..start + what.len()),
            None,
        )
    }

    fn run(text: &str, found: Vec<Diagnostic>) -> Suppressed {
        apply_suppressions(
            text,
            &go_syntax::parse_file(text).file,
            found,
            &Options::default(),
        )
    }

    fn kept(text: &str, what: &str, rule: &'static str) -> bool {
        let out = run(text, vec![diagnostic(text, what, rule)]);
        assert_eq!(out.kept.len() + out.suppressed.len(), 1);
        !out.kept.is_empty()
    }

    fn body(code: &str) -> String {
        format!("package p\n\nfunc f() {{\n{code}}}\n")
    }

    #[test]
    fn own_directives() {
        assert!(!kept(
            &body("\tf := open() //stopleak:ignore unclosed-file -- why\n"),
            "open()",
            "unclosed-file"
        ));
        assert!(kept(
            &body("\tf := open() //stopleak:ignore unclosed-file\n"),
            "open()",
            "dropped-cancel"
        ));
        assert!(!kept(
            &body("\tf := open() //stopleak:ignore dropped-cancel, unclosed-file\n"),
            "open()",
            "unclosed-file"
        ));
        assert!(!kept(
            &body("\t//stopleak:ignore unclosed-file\n\tf := open()\n"),
            "open()",
            "unclosed-file"
        ));
        // Other comments and directives may stand between.
        assert!(!kept(
            &body("\t//stopleak:ignore unclosed-file\n\t// more\n\tf := open()\n"),
            "open()",
            "unclosed-file"
        ));
        assert!(kept(
            &body("\t//stopleak:ignore unclosed-file\n\ta()\n\tf := open()\n"),
            "open()",
            "unclosed-file"
        ));
        assert!(!kept(
            "package p\n\n//stopleak:ignore-file unclosed-file\n\nfunc f() {\n\topen()\n}\n",
            "open()",
            "unclosed-file"
        ));
        // Behind other words of a comment.
        assert!(!kept(
            &body("\tf := open() // see #1 //stopleak:ignore unclosed-file\n"),
            "open()",
            "unclosed-file"
        ));
        // A statement of several lines.
        assert!(!kept(
            &body("\t//stopleak:ignore unclosed-file\n\tf := use(\n\t\topen(),\n\t)\n"),
            "open()",
            "unclosed-file"
        ));
        // But not the statements of a literal in it.
        assert!(kept(
            &body("\t//stopleak:ignore unclosed-file\n\trun(func() {\n\t\topen()\n\t})\n"),
            "open()",
            "unclosed-file"
        ));
    }

    #[test]
    fn directives_of_others() {
        assert!(!kept(
            &body("\tf := open() //nolint\n"),
            "open()",
            "unclosed-file"
        ));
        assert!(!kept(
            &body("\tf := open() // nolint:stopleak // why\n"),
            "open()",
            "unclosed-file"
        ));
        assert!(!kept(
            &body("\tf := get() //nolint:errcheck,bodyclose\n"),
            "get()",
            "unclosed-http-body"
        ));
        assert!(!kept(
            &body("\tf := get() //nolint:govet\n"),
            "get()",
            "dropped-cancel"
        ));
        assert!(kept(
            &body("\tf := get() //nolint:bodyclose\n"),
            "get()",
            "unclosed-file"
        ));
        assert!(kept(
            &body("\tf := get() //nolintlint\n"),
            "get()",
            "unclosed-file"
        ));
        // The whole declaration below.
        assert!(!kept(
            "package p\n\n//nolint:bodyclose\nfunc f() {\n\tget()\n}\n",
            "get()",
            "unclosed-http-body"
        ));
        assert!(kept(
            "package p\n\n//nolint:bodyclose\n\nfunc f() {\n\tget()\n}\n",
            "get()",
            "unclosed-http-body"
        ));
        assert!(!kept(
            "//nolint:bodyclose\npackage p\n\nfunc f() {\n\tget()\n}\n",
            "get()",
            "unclosed-http-body"
        ));
        assert!(!kept(
            &body("\t//lint:ignore stopleak/unclosed-file it is meant\n\topen()\n"),
            "open()",
            "unclosed-file"
        ));
        assert!(kept(
            &body("\t//lint:ignore stopleak/unclosed-file\n\topen()\n"),
            "open()",
            "unclosed-file"
        ));
        assert!(!kept(
            "package p\n\n//lint:file-ignore stopleak meant\n\nfunc f() {\n\topen()\n}\n",
            "open()",
            "unclosed-file"
        ));
        // Foreign directives are never called unused.
        assert!(
            run(&body("\ta() //nolint:bodyclose\n"), vec![])
                .meta
                .is_empty()
        );
    }

    fn messages(text: &str, options: &Options) -> Vec<(String, Option<String>)> {
        let out = apply_suppressions(text, &go_syntax::parse_file(text).file, vec![], options);
        out.meta
            .iter()
            .map(|d| {
                (
                    format!("{}: {}", d.rule, d.message),
                    d.fixes
                        .first()
                        .map(|f| apply_edits(text, &f.edits).unwrap()),
                )
            })
            .collect()
    }

    #[test]
    fn what_is_wrong_with_directives() {
        let plain = Options::default();
        let text = body("\ta() //stopleak:ignore unclosed-file -- x\n");
        assert_eq!(
            messages(&text, &plain),
            [(
                "unused-suppression: There is no `unclosed-file` here to be silenced".to_owned(),
                Some(body("\ta()\n"))
            )]
        );
        let disabled = Options {
            disabled: ["unclosed-file".to_owned()].into_iter().collect(),
            ..Options::default()
        };
        assert!(messages(&text, &disabled).is_empty());
        let text = body("\t//stopleak:ignore unclosed-fil,nonsense\n\ta()\n");
        assert_eq!(
            messages(&text, &plain),
            [
                (
                    "invalid-suppression: There is no rule `unclosed-fil`; is `unclosed-file` meant?".to_owned(),
                    Some(text.replace("unclosed-fil,", "unclosed-file,"))
                ),
                (
                    "invalid-suppression: There is no rule `nonsense`".to_owned(),
                    Some(text.replace(",nonsense", ""))
                ),
            ]
        );
        let text = body(
            "\t//stopleak:ignore\n\ta()\n\t//stopleak:ignoer x\n\tb() // stopleak:ignore unclosed-file\n",
        );
        let found = messages(&text, &plain);
        assert_eq!(found.len(), 3);
        assert_eq!(
            found[0].1.as_deref(),
            Some(&*text.replacen("\t//stopleak:ignore\n", "", 1))
        );
        assert_eq!(
            found[2].1.as_deref(),
            Some(&*text.replace("// stopleak", "//stopleak"))
        );
        let reasons = Options {
            require_reason: true,
            ..disabled
        };
        let text = body("\ta() //stopleak:ignore unclosed-file\n");
        assert_eq!(messages(&text, &reasons).len(), 1);
        assert!(
            messages(
                &body("\t//stopleak:ignore unused-suppression,unclosed-file\n\ta()\n"),
                &plain
            )
            .is_empty()
        );
        assert!(messages(&body("\t//stopleak:owns f\n\ta()\n"), &plain).is_empty());
    }

    fn silenced(text: &str, what: &str) -> String {
        let file = go_syntax::parse_file(text).file;
        let found = diagnostic(text, what, "unclosed-file");
        let fix = suppress_line(text, &file, &found).unwrap();
        let after = apply_edits(text, &fix.edits).unwrap();
        assert!(!kept(&after, what, "unclosed-file"), "{after}");
        let out = run(&after, vec![diagnostic(&after, what, "unclosed-file")]);
        assert!(
            out.meta
                .iter()
                .all(|m| !m.message.contains("unclosed-file")),
            "{:?}",
            out.meta
        );
        let whole = suppress_file(text, &file, &found).unwrap();
        let whole = apply_edits(text, &whole.edits).unwrap();
        assert!(!kept(&whole, what, "unclosed-file"), "{whole}");
        after
    }

    #[test]
    fn an_action_silences_where_it_can() {
        let d = "//stopleak:ignore unclosed-file";
        assert_eq!(
            silenced(&body("\tf := open()\n"), "open()"),
            body(&format!("\t{d}\n\tf := open()\n"))
        );
        assert_eq!(
            silenced(&body("\tf := use(\n\t\ta,\n\t\topen(),\n\t)\n"), "open()"),
            body(&format!("\t{d}\n\tf := use(\n\t\ta,\n\t\topen(),\n\t)\n"))
        );
        assert_eq!(
            silenced(
                &body("\tif x {\n\t} else if f := open(); f != nil {\n\t}\n"),
                "open()"
            ),
            body(&format!(
                "\tif x {{\n\t}} else if f := open(); f != nil {{ {d}\n\t}}\n"
            ))
        );
        assert_eq!(
            silenced(
                &body("\tif x {\n\t} else if f := open(); f != nil { // c\n\t}\n"),
                "open()"
            ),
            body(&format!(
                "\tif x {{\n\t}} else if f := open(); f != nil {{ // c {d}\n\t}}\n"
            ))
        );
        assert_eq!(
            silenced(&body("\trun(func() {\n\t\tf := open()\n\t})\n"), "open()"),
            body(&format!(
                "\trun(func() {{\n\t\t{d}\n\t\tf := open()\n\t}})\n"
            ))
        );
        // Into a directive that is there.
        assert_eq!(
            silenced(
                &body("\t//stopleak:ignore dropped-cancel -- x\n\tf := open()\n"),
                "open()"
            ),
            body("\t//stopleak:ignore dropped-cancel,unclosed-file -- x\n\tf := open()\n")
        );
        assert_eq!(
            silenced("package p\n\nvar f = open()\n", "open()"),
            format!("package p\n\n{d}\nvar f = open()\n")
        );
    }

    #[test]
    fn hover_says_what_is_covered() {
        let text = body("\t//stopleak:ignore unclosed-file -- kept open\n\tf := open()\n");
        let file = go_syntax::parse_file(&text).file;
        let at = TextSize::new(u32::try_from(text.find("ignore").unwrap()).unwrap());
        let found = suppression_at(&text, &file, at).unwrap();
        assert_eq!(
            found.describe(&text),
            "Silences `unclosed-file` on line 5: kept open"
        );
        assert_eq!(suppression_at(&text, &file, TextSize::new(0)), None);
    }
}
