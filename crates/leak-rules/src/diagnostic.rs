//! Findings and fixes.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use text_size::TextRange;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Off the beaten path, opt-in or subtle.
    Hint,
    /// A design that grows or waits without a bound.
    Information,
    /// A leak on a path that is shown.
    Warning,
}

/// A finding in one file. Ranges are absolute byte ranges in the text that was analysed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The rule's name.
    pub rule: &'static str,
    /// Its severity here (version gates may have lowered it).
    pub severity: Severity,
    /// One sentence without a full stop at its end.
    pub message: String,
    /// Where the thing was acquired, started or grown.
    pub range: TextRange,
    /// The function around it: `F`, `T.M`, or `F.func1` for literals.
    pub function: Option<String>,
    /// The path of the leak in its order.
    pub related: Vec<Related>,
    /// Fixes, the preferred one first.
    pub fixes: Vec<Fix>,
    /// Marks what is superfluous (unused suppressions), for editors that fade it.
    pub unnecessary: bool,
}

/// A step on the path of a leak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// What happens here.
    pub message: String,
    /// `None` is the file of the finding.
    pub file: Option<Arc<PathBuf>>,
    /// Where.
    pub range: TextRange,
}

/// Whether a fix may be applied unseen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Safety {
    /// Behaviour is unchanged except that the leak is gone.
    Safe,
    /// A choice that the author must make; the title says what changes.
    Unsafe,
}

/// A fix: edits of the finding's own file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What it does, in the imperative, naming the inserted code: "defer `f.Close()`".
    pub title: String,
    /// Whether it may be applied unseen.
    pub safety: Safety,
    /// Non-overlapping, sorted by start. Insertions have an empty range.
    pub edits: Vec<Edit>,
}

/// One replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced.
    pub range: TextRange,
    /// By what.
    pub text: String,
}
