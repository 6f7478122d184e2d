//! Unified diffs.

use std::io::{self, Write};

use similar::{ChangeTag, TextDiff};

use crate::terminal::{BOLD, CYAN, GREEN, RED};

/// Writes the difference between two texts, as `patch -p0` takes it when colours are off.
pub fn write(out: &mut impl Write, path: &str, before: &str, after: &str) -> io::Result<()> {
    let diff = TextDiff::from_lines(before, after);
    writeln!(out, "{BOLD}--- {path}{BOLD:#}")?;
    writeln!(out, "{BOLD}+++ {path}{BOLD:#}")?;
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        writeln!(out, "{CYAN}{}{CYAN:#}", hunk.header())?;
        for change in hunk.iter_changes() {
            let line = change.value();
            let text = line.strip_suffix('\n').unwrap_or(line);
            match change.tag() {
                ChangeTag::Equal => writeln!(out, " {text}")?,
                ChangeTag::Insert => writeln!(out, "{GREEN}+{text}{GREEN:#}")?,
                ChangeTag::Delete => writeln!(out, "{RED}-{text}{RED:#}")?,
            }
            if change.missing_newline() {
                writeln!(out, "\\ No newline at end of file")?;
            }
        }
    }
    Ok(())
}
