//! The JSON format, a contract: one array, sorted by path, line, column and rule. Lines and columns count from 1, columns in bytes.

use std::io::{self, Write};

use go_syntax::TextRange;
use leak_rules::Safety;
use serde::Serialize;

use super::{Report, bytes, fingerprints, line_column, severity_name};

#[derive(Serialize)]
struct Finding<'a> {
    rule: &'a str,
    severity: &'static str,
    message: &'a str,
    path: &'a str,
    range: Range,
    function: Option<&'a str>,
    related: Vec<Related<'a>>,
    fixes: Vec<Fix<'a>>,
    fingerprint: String,
}

#[derive(Serialize)]
struct Related<'a> {
    message: &'a str,
    path: &'a str,
    range: Range,
}

#[derive(Serialize)]
struct Fix<'a> {
    title: &'a str,
    safety: &'static str,
    edits: Vec<Edit<'a>>,
}

#[derive(Serialize)]
struct Edit<'a> {
    path: &'a str,
    range: Range,
    text: &'a str,
}

#[derive(Serialize)]
struct Range {
    start: Position,
    end: Position,
}

#[derive(Serialize)]
struct Position {
    line: usize,
    column: usize,
}

fn range(range: TextRange, text: &str) -> Range {
    let range = bytes(range, text);
    let position = |offset| {
        let (line, column) = line_column(text, offset);
        Position { line, column }
    };
    Range {
        start: position(range.start),
        end: position(range.end),
    }
}

/// Writes all findings.
pub fn write(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let mut findings = Vec::new();
    for file in &report.files {
        for (finding, fingerprint) in file.findings.iter().zip(fingerprints(file)) {
            findings.push(Finding {
                rule: finding.rule,
                severity: severity_name(finding.severity),
                message: &finding.message,
                path: &file.display,
                range: range(finding.range, &file.text),
                function: finding.function.as_deref(),
                related: finding
                    .related
                    .iter()
                    .filter_map(|step| {
                        let (path, text) = report.file_of(file, step.file.as_ref())?;
                        Some(Related {
                            message: &step.message,
                            path,
                            range: range(step.range, text),
                        })
                    })
                    .collect(),
                fixes: finding
                    .fixes
                    .iter()
                    .map(|fix| Fix {
                        title: &fix.title,
                        safety: match fix.safety {
                            Safety::Safe => "safe",
                            Safety::Unsafe => "unsafe",
                        },
                        edits: fix
                            .edits
                            .iter()
                            .map(|edit| Edit {
                                path: &file.display,
                                range: range(edit.range, &file.text),
                                text: &edit.text,
                            })
                            .collect(),
                    })
                    .collect(),
                fingerprint,
            });
        }
    }
    serde_json::to_writer_pretty(&mut *out, &findings)?;
    writeln!(out)
}
