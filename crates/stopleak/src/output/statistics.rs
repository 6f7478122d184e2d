//! The number of findings of each rule.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::{Report, fixable};
use crate::terminal::{BOLD, DIM};

/// Writes one line for each rule, the most frequent first.
pub fn write(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (_, finding) in report.findings() {
        let (found, fixes) = counts.entry(finding.rule).or_default();
        *found += 1;
        *fixes += usize::from(fixable(finding, false));
    }
    let mut rows: Vec<_> = counts.into_iter().collect();
    rows.sort_by_key(|(_, (found, _))| std::cmp::Reverse(*found));
    let digits = rows
        .iter()
        .map(|(_, (found, _))| found.to_string().len())
        .max()
        .unwrap_or(0);
    let width = rows.iter().map(|(rule, _)| rule.len()).max().unwrap_or(0);
    for (rule, (found, fixes)) in rows {
        write!(out, "{BOLD}{found:digits$}{BOLD:#}  ")?;
        if fixes == 0 {
            writeln!(out, "{rule}")?;
        } else {
            writeln!(out, "{rule:width$}  {DIM}{fixes} fixable{DIM:#}")?;
        }
    }
    Ok(())
}
