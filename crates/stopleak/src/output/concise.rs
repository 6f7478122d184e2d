//! One line for each finding: `path:line:column: severity rule: message`.

use std::io::{self, Write};

use super::{Report, bytes, fixable, line_column, severity_name};
use crate::terminal::{BOLD, CYAN, DIM, RED, YELLOW};

/// Writes all findings.
pub fn write(out: &mut impl Write, report: &Report) -> io::Result<()> {
    for (file, finding) in report.findings() {
        let (line, column) = line_column(&file.text, bytes(finding.range, &file.text).start);
        let severity = match finding.severity {
            leak_rules::Severity::Warning => YELLOW,
            leak_rules::Severity::Information => CYAN,
            leak_rules::Severity::Hint => DIM,
        };
        write!(
            out,
            "{BOLD}{}{BOLD:#}:{line}:{column}: {severity}{}{severity:#} {RED}{}{RED:#}: {}",
            file.display,
            severity_name(finding.severity),
            finding.rule,
            finding.message
        )?;
        if fixable(finding, false) {
            write!(out, " {DIM}[fixable]{DIM:#}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}
