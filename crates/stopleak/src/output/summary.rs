//! The line at the end.

use leak_rules::Severity;

use super::{Report, fixable};
use crate::terminal::{BOLD, GREEN, count};

/// `Found 3 warnings and 1 hint in 2 files (1 fixable with --fix)`, coloured.
pub fn line(report: &Report, fixed: usize, checked: usize) -> String {
    let mut parts = Vec::new();
    for (severity, one, many) in [
        (Severity::Warning, "warning", "warnings"),
        (Severity::Information, "information", "information"),
        (Severity::Hint, "hint", "hints"),
    ] {
        let found = report
            .findings()
            .filter(|(_, finding)| finding.severity == severity)
            .count();
        if found > 0 {
            parts.push(format!("{found} {}", if found == 1 { one } else { many }));
        }
    }
    let repaired = if fixed > 0 {
        format!("Fixed {}. ", count(fixed, "finding"))
    } else {
        String::new()
    };
    if parts.is_empty() {
        return format!(
            "{GREEN}{repaired}No leaks found{GREEN:#} in {}",
            count(checked, "file")
        );
    }
    let files = report
        .files
        .iter()
        .filter(|file| !file.findings.is_empty())
        .count();
    let fixable_now = report
        .findings()
        .filter(|(_, finding)| fixable(finding, false))
        .count();
    let unsafe_too = report
        .findings()
        .filter(|(_, finding)| fixable(finding, true))
        .count()
        - fixable_now;
    let mut line = format!(
        "{repaired}{BOLD}Found {}{BOLD:#} in {}",
        join(&parts),
        count(files, "file")
    );
    match (fixable_now, unsafe_too) {
        (0, 0) => {}
        (0, n) => line.push_str(&format!(" ({n} with --fix --unsafe-fixes)")),
        (n, 0) => line.push_str(&format!(" ({n} fixable with --fix)")),
        (n, more) => line.push_str(&format!(
            " ({n} fixable with --fix, {more} more with --unsafe-fixes)"
        )),
    }
    line
}

fn join(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
