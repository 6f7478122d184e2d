//! From a document in a snapshot of the database to findings and diagnostics. Runs on worker threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use go_model::db::{Database, SourceFile, catch_cancelled, parsed};
use go_syntax::{LineIndex, TextRange, TextSize, ast};
use leak_rules::suppress;
use leak_rules::{Diagnostic, Severity};
use serde_json::json;
use stopleak_config::Settings;
use tower_lsp::ls_types::{
    self as lsp, CodeDescription, DiagnosticRelatedInformation, DiagnosticSeverity, DiagnosticTag,
    Location, NumberOrString, Position, Range, Uri,
};

use crate::evidence::{self, Evidence};
use crate::peer::Peer;
use crate::uri;

/// What diagnostics name as their source.
pub(crate) const SOURCE: &str = "stopleak";

/// A document as the analysis sees it.
#[derive(Clone)]
pub(crate) struct Subject {
    pub(crate) path: Arc<Path>,
    pub(crate) uri: Uri,
    pub(crate) version: i32,
    /// `None`: nothing is to be found here (a dependency, a broken text, switched off).
    pub(crate) settings: Option<Arc<Settings>>,
    /// Whether findings of rules that gopls has too are left to it.
    pub(crate) leave_to_gopls: bool,
    /// Whether actions that suppress findings are offered.
    pub(crate) suppress_actions: bool,
    /// What running programs say; `None` as long as nothing is loaded.
    pub(crate) evidence: Option<Arc<Evidence>>,
    pub(crate) peer: Arc<Peer>,
}

/// A text with what is needed to speak of places in it.
pub(crate) struct Text {
    pub(crate) text: Arc<str>,
    index: Arc<LineIndex>,
    peer: Arc<Peer>,
}

impl Text {
    pub(crate) fn new(text: Arc<str>, peer: &Arc<Peer>) -> Self {
        Self {
            index: Arc::new(LineIndex::new(&text)),
            peer: Arc::clone(peer),
            text,
        }
    }

    /// The text of a file in the database.
    pub(crate) fn of(db: &Database, file: SourceFile, peer: &Arc<Peer>) -> Self {
        Self {
            text: file.text(db),
            index: file.lines(db),
            peer: Arc::clone(peer),
        }
    }

    pub(crate) fn position(&self, offset: TextSize) -> Position {
        let at = self
            .index
            .to_position(&self.text, offset, self.peer.encoding);
        Position::new(at.line, at.character)
    }

    pub(crate) fn range(&self, range: TextRange) -> Range {
        Range {
            start: self.position(range.start()),
            end: self.position(range.end()),
        }
    }

    /// The offset of a position, moved into the text where it lies outside.
    pub(crate) fn offset(&self, position: Position) -> TextSize {
        let at = go_syntax::Position {
            line: position.line,
            character: position.character,
        };
        self.index.from_position(&self.text, at, self.peer.encoding)
    }

    /// The byte range of a range; an empty one where its end lies before its start.
    pub(crate) fn text_range(&self, range: Range) -> TextRange {
        let start = self.offset(range.start);
        TextRange::new(start, self.offset(range.end).max(start))
    }

    /// A number for the content, to recognise it.
    pub(crate) fn hash(&self) -> u64 {
        use std::hash::{BuildHasher as _, BuildHasherDefault};
        BuildHasherDefault::<rustc_hash::FxHasher>::default().hash_one(&*self.text)
    }
}

/// The findings of a document.
pub(crate) struct Findings {
    pub(crate) text: Text,
    pub(crate) file: Arc<ast::File>,
    pub(crate) findings: Vec<Diagnostic>,
}

/// Why there is no result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something changed meanwhile; whoever still wants an answer asks again.
    Cancelled,
    /// A fault in the program, logged already.
    Panicked,
}

/// Runs a computation on the database; a change of the database ends it, a panic is logged and goes no further.
pub(crate) fn guard<T>(what: &Path, compute: impl Fn() -> T) -> Result<T, Failure> {
    loop {
        match catch_unwind(AssertUnwindSafe(|| catch_cancelled(&compute))) {
            Ok(Ok(result)) => return Ok(result),
            // Another thread, for whose result this one waited, unwound: because the database is about to change, or of a fault. Either
            // meets this thread too when it asks once more.
            Ok(Err(salsa::Cancelled::PropagatedPanic)) => {}
            Ok(Err(_)) => return Err(Failure::Cancelled),
            Err(_) => {
                // The panic hook has told where.
                tracing::error!(file = %what.display(), "the analysis of this file panicked");
                return Err(Failure::Panicked);
            }
        }
    }
}

/// The findings of a document; `None` if it is not known.
pub(crate) fn findings(db: &Database, subject: &Subject) -> Option<Findings> {
    let source = db.file(&subject.path)?;
    let file = parsed(db, source);
    let text = Text::of(db, source, &subject.peer);
    let mut result = Findings {
        text,
        file,
        findings: Vec::new(),
    };
    let Some(settings) = &subject.settings else {
        return Some(result);
    };
    if settings.excluded(&subject.path).is_some()
        || (result.file.generated && !settings.config().include_generated)
    {
        return Some(result);
    }
    let mut found = leak_rules::check_file(db, source).to_vec();
    for mut hint in evidence::hints(db, subject, source, &result.text.text) {
        // It says more than the same without a profile.
        let same =
            |other: &leak_rules::Diagnostic| other.rule == hint.rule && other.range == hint.range;
        if let Some(at) = found.iter().position(same) {
            hint.fixes = found.remove(at).fixes;
        }
        found.push(hint);
    }
    let mut options = settings.suppression_options(&subject.path);
    if subject.leave_to_gopls {
        found.retain(|finding| !left_to_gopls(finding.rule));
        // A comment that silences one of them for `stopleak check` is not without use.
        let left = leak_rules::rules().iter().map(|rule| rule.name);
        options
            .disabled
            .extend(left.filter(|rule| left_to_gopls(rule)).map(str::to_owned));
    }
    let suppressed = suppress::apply_suppressions(&result.text.text, &result.file, found, &options);
    let mut findings = suppressed.kept;
    findings.extend(suppressed.meta);
    result.findings = settings.filter(&subject.path, findings);
    result
        .findings
        .sort_by_key(|finding| (finding.range.start(), finding.range.end(), finding.rule));
    Some(result)
}

/// Whether gopls has a check for the same: it runs the checks of `go vet` while one types.
fn left_to_gopls(rule: &str) -> bool {
    leak_rules::rule(rule)
        .is_some_and(|rule| rule.overlaps.iter().any(|it| it.starts_with("go vet/")))
}

/// The findings as the client wants them.
pub(crate) fn diagnostics(db: &Database, subject: &Subject) -> Vec<lsp::Diagnostic> {
    findings(db, subject).map_or_else(Vec::new, |found| {
        let mut proofs = evidence::proofs(db, subject, &found).into_iter();
        found
            .findings
            .iter()
            .map(|finding| {
                let mut item = diagnostic(db, subject, &found.text, finding);
                if let Some(proof) = proofs.next().flatten() {
                    item.severity = Some(severity(proof.severity(finding.severity)));
                    item.message
                        .push_str(&format!(" (confirmed: {})", proof.title));
                }
                item
            })
            .collect()
    })
}

/// The page of a rule.
pub(crate) fn page(rule: &str) -> Option<String> {
    if leak_rules::rule(rule).is_none() {
        leak_rules::meta_rule(rule)?;
    }
    Some(format!(
        "{}/blob/main/docs/rules/{rule}.md",
        env!("CARGO_PKG_REPOSITORY")
    ))
}

/// One finding as a diagnostic.
pub(crate) fn diagnostic(
    db: &Database,
    subject: &Subject,
    text: &Text,
    finding: &Diagnostic,
) -> lsp::Diagnostic {
    let peer = &subject.peer;
    let related: Vec<_> = finding
        .related
        .iter()
        .filter_map(|step| {
            let (uri, range) = match &step.file {
                None => (subject.uri.clone(), text.range(step.range)),
                Some(path) => {
                    let other = db.file(path.as_path())?;
                    let text = Text::of(db, other, peer);
                    (uri::of_path(path)?, text.range(step.range))
                }
            };
            Some(DiagnosticRelatedInformation {
                location: Location { uri, range },
                message: step.message.clone(),
            })
        })
        .collect();
    let mut message = finding.message.clone();
    if !peer.related {
        for step in &related {
            let line = step.location.range.start.line + 1;
            if step.location.uri == subject.uri {
                message.push_str(&format!("\nline {line}: {}", step.message));
            } else {
                let path = uri::path_of(step.location.uri.as_str());
                message.push_str(&format!("\n{}:{line}: {}", path.display(), step.message));
            }
        }
    }
    let fixable = finding
        .fixes
        .iter()
        .map(|fix| fix.safety)
        .min_by_key(|safety| match safety {
            leak_rules::Safety::Safe => 0,
            leak_rules::Safety::Unsafe => 1,
        });
    lsp::Diagnostic {
        range: text.range(finding.range),
        severity: Some(severity(finding.severity)),
        code: Some(NumberOrString::String(finding.rule.to_owned())),
        code_description: page(finding.rule)
            .filter(|_| peer.code_description)
            .and_then(|page| page.parse().ok())
            .map(|href| CodeDescription { href }),
        source: Some(SOURCE.to_owned()),
        message,
        related_information: (peer.related && !related.is_empty()).then_some(related),
        tags: (finding.unnecessary && peer.unnecessary).then(|| vec![DiagnosticTag::UNNECESSARY]),
        data: peer
            .diagnostic_data
            .then(|| json!({ "rule": finding.rule, "function": finding.function, "fix": fixable })),
    }
}

fn severity(severity: Severity) -> DiagnosticSeverity {
    match severity {
        Severity::Warning => DiagnosticSeverity::WARNING,
        Severity::Information => DiagnosticSeverity::INFORMATION,
        Severity::Hint => DiagnosticSeverity::HINT,
    }
}

/// A name for a list of diagnostics: equal lists have equal names.
pub(crate) fn result_id(items: &[lsp::Diagnostic]) -> String {
    let text = serde_json::to_string(items).unwrap_or_default();
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::panic::resume_unwind;

    use super::*;

    #[test]
    fn what_ended_another_thread_is_met_by_asking_again() {
        let after = |outcome: fn() -> u32| {
            let asked = Cell::new(0);
            guard(Path::new("a.go"), || {
                asked.set(asked.get() + 1);
                if asked.get() < 3 {
                    resume_unwind(Box::new(salsa::Cancelled::PropagatedPanic));
                }
                outcome()
            })
        };
        assert!(matches!(after(|| 1), Ok(1)));
        let cancelled = after(|| resume_unwind(Box::new(salsa::Cancelled::PendingWrite)));
        assert!(matches!(cancelled, Err(Failure::Cancelled)));
        let panicked = after(|| resume_unwind(Box::new("a fault")));
        assert!(matches!(panicked, Err(Failure::Panicked)));
    }
}
