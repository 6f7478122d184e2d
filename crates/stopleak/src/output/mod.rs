//! Writing findings.

pub mod concise;
pub mod diff;
pub mod frames;
pub mod json;
pub mod statistics;
pub mod summary;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use go_syntax::TextRange;
use leak_rules::{Diagnostic, Safety, Severity};

/// A file with findings, and what is needed to show them.
#[derive(Debug)]
pub struct Checked {
    /// Absolute path.
    pub path: PathBuf,
    /// The path to show.
    pub display: String,
    /// The text that was checked.
    pub text: Arc<str>,
    /// Sorted by place and rule.
    pub findings: Vec<Diagnostic>,
}

/// Everything that is shown.
#[derive(Debug, Default)]
pub struct Report {
    /// Files with findings, sorted by the path shown.
    pub files: Vec<Checked>,
    /// Texts of other files that findings point into, with the path to show.
    pub others: HashMap<Arc<PathBuf>, (String, Arc<str>)>,
}

impl Report {
    /// All findings in order.
    pub fn findings(&self) -> impl Iterator<Item = (&Checked, &Diagnostic)> {
        self.files
            .iter()
            .flat_map(|file| file.findings.iter().map(move |finding| (file, finding)))
    }

    /// Shown path and text of the file of a step; `None` when it could not be read.
    fn file_of<'a>(
        &'a self,
        file: &'a Checked,
        other: Option<&Arc<PathBuf>>,
    ) -> Option<(&'a str, &'a str)> {
        match other {
            None => Some((&file.display, &file.text)),
            Some(path) if **path == file.path => Some((&file.display, &file.text)),
            Some(path) => self
                .others
                .get(path)
                .map(|(display, text)| (display.as_str(), &**text)),
        }
    }
}

/// Sorts findings as they are shown.
pub fn sort(findings: &mut [Diagnostic]) {
    findings.sort_by(|a, b| {
        (a.range.start(), a.rule, a.range.end(), &a.message).cmp(&(
            b.range.start(),
            b.rule,
            b.range.end(),
            &b.message,
        ))
    });
}

/// A range of `text` as bytes, made to fit: findings are data, and a wrong range must not end the program.
pub fn bytes(range: TextRange, text: &str) -> std::ops::Range<usize> {
    let start = floor(text, range.start().into());
    start..floor(text, range.end().into()).max(start)
}

fn floor(text: &str, mut offset: usize) -> usize {
    offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// Line and column of an offset, both from 1, the column in bytes. Lines end with `\n`, as Go counts them.
pub fn line_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before
        .iter()
        .rev()
        .take_while(|byte| **byte != b'\n')
        .count()
        + 1;
    (line, column)
}

/// `warning`, `information`, `hint`.
pub fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "warning",
        Severity::Information => "information",
        Severity::Hint => "hint",
    }
}

/// Where a rule is explained; findings about suppression comments have a page of their own.
pub fn rule_url(rule: &str) -> String {
    let page = match leak_rules::rule(rule) {
        Some(rule) => format!("rules/{}.md", rule.name),
        None => "suppressions.md".to_owned(),
    };
    format!("{}/blob/main/docs/{page}", env!("CARGO_PKG_REPOSITORY"))
}

/// Whether `--fix` would do something about the finding.
pub fn fixable(finding: &Diagnostic, unsafe_too: bool) -> bool {
    finding
        .fixes
        .iter()
        .any(|fix| unsafe_too || fix.safety == Safety::Safe)
}

/// An identity that stays when lines move: rule, path, function, the source line of the finding, and a count where all of these
/// are equal. 32 hexadecimal digits.
pub fn fingerprints(file: &Checked) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    file.findings
        .iter()
        .map(|finding| {
            let range = bytes(finding.range, &file.text);
            let start = file.text[..range.start].rfind('\n').map_or(0, |at| at + 1);
            let end = file.text[range.end..]
                .find('\n')
                .map_or(file.text.len(), |at| range.end + at);
            let source: Vec<&str> = file.text[start..end].split_whitespace().collect();
            let function = finding.function.as_deref().unwrap_or_default();
            let identity = [finding.rule, &file.display, function, &source.join(" ")].join("\0");
            let count = seen.entry(identity.clone()).or_default();
            *count += 1;
            let hash = xxhash_rust::xxh3::xxh3_128(format!("{identity}\0{count}").as_bytes());
            format!("{hash:032x}")
        })
        .collect()
}

/// The folder that shown paths are relative to.
pub fn base() -> PathBuf {
    std::env::current_dir().unwrap_or_else(|_| Path::new("/").to_path_buf())
}
