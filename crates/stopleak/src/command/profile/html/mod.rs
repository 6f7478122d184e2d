//! One file that shows everything, to look at and to pass on: nothing in it comes from elsewhere or goes elsewhere.

mod chart;
mod page;

use std::io::{self, Write};
use std::path::Path;

use crate::cli::ProfileArgs;
use crate::evidence::{Code, Shown};

/// Writes the report.
pub fn write(
    out: &mut impl Write,
    shown: &Shown,
    code: &Code,
    options: &ProfileArgs,
) -> io::Result<()> {
    let base = crate::output::base();
    let folder =
        std::path::absolute(&options.evidence.dir).unwrap_or_else(|_| options.evidence.dir.clone());
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    page::Page {
        shown,
        code,
        options,
        base: Path::new(&base),
        name: &name,
    }
    .write(out)
}
