//! From a file to its findings.
//!
//! [`check_decl`] looks at one declaration and knows nothing of its place in the file; [`check_file`] puts the results of all
//! declarations into place and makes the fixes. A keystroke in one body therefore re-checks one declaration.

use std::cell::OnceCell;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;

use go_model::db::{Db, DeclId, SourceFile, decl_tree, decls, parsed};
use go_model::facts::Facts;
use go_model::package::{
    UnitKind, directory_units, import_path, package_files, package_item, package_of_file,
};
use go_syntax::Name;
use go_syntax::ast::{Decl, DeclKind, DeclTree, Expr, ExprKind, File};
use text_size::{TextRange, TextSize};

use crate::cost::{self, Part};
use crate::engine::acquire::Names;
use crate::engine::dispatch::wanted_rules;
use crate::engine::find::Acquisition;
use crate::engine::function::{Declaration, Depth};
use crate::engine::site::FixSite;
use crate::fix::{FixContext, Naming, fixes_for};
use crate::rules::{Declared, repeated_decoding};
use crate::{Diagnostic, Fix, Related, Severity};

/// A finding in a declaration. Ranges are relative to the declaration's start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawFinding {
    /// The rule's name.
    pub rule: &'static str,
    /// As in [`Diagnostic::severity`].
    pub severity: Severity,
    /// As in [`Diagnostic::message`].
    pub message: String,
    /// Where the thing was acquired.
    pub range: TextRange,
    /// As in [`Diagnostic::function`].
    pub function: Option<String>,
    /// The path of the leak.
    pub related: Vec<RawRelated>,
    /// What the fixes are made from.
    pub site: Option<Box<FixSite>>,
}

/// A step on the path of a leak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRelated {
    /// What happens here.
    pub message: String,
    /// `None` is the declaration of the finding, and the range is relative to it; otherwise the range is absolute.
    pub file: Option<Arc<PathBuf>>,
    /// Where.
    pub range: TextRange,
}

/// What a rule's check looks at.
///
/// What several rules ask for is made once, when the first one asks.
pub(crate) struct CheckContext<'a> {
    pub(crate) db: &'a dyn Db,
    pub(crate) decl: DeclId,
    pub(crate) tree: &'a DeclTree,
    pub(crate) in_test: bool,
    facts: &'a OnceCell<Arc<Facts>>,
    shallow: OnceCell<Declaration<'a>>,
    full: OnceCell<Declaration<'a>>,
    acquisitions: OnceCell<Vec<Acquisition>>,
    channels: OnceCell<Vec<RawFinding>>,
    joins: OnceCell<Vec<RawFinding>>,
}

impl<'a> CheckContext<'a> {
    fn new(
        db: &'a dyn Db,
        decl: DeclId,
        tree: &'a DeclTree,
        facts: &'a OnceCell<Arc<Facts>>,
    ) -> Self {
        Self {
            db,
            decl,
            tree,
            in_test: decl.file(db).is_test(db),
            facts,
            shallow: OnceCell::new(),
            full: OnceCell::new(),
            acquisitions: OnceCell::new(),
            channels: OnceCell::new(),
            joins: OnceCell::new(),
        }
    }

    /// Names and types in the declaration.
    pub(crate) fn facts(&self) -> &'a Facts {
        self.facts
            .get_or_init(|| cost::of(Part::Facts, || crate::engine::facts(self.db, self.decl)))
    }

    /// The declaration for the engine.
    pub(crate) fn declaration(&self, depth: Depth) -> &Declaration<'a> {
        let slot = match depth {
            Depth::Shallow => &self.shallow,
            Depth::Full => &self.full,
        };
        slot.get_or_init(|| Declaration::new(self.db, self.decl, self.tree, self.facts(), depth))
    }

    /// The calls that acquire something of the table of kinds, for whatever rule.
    pub(crate) fn acquisitions(&self) -> &[Acquisition] {
        self.acquisitions
            .get_or_init(|| crate::engine::find::acquisitions(self))
    }

    /// The findings of one of the rules about channels, which are all made at once.
    pub(crate) fn channel_findings(&self, rule: &str) -> Vec<RawFinding> {
        self.channels
            .get_or_init(|| crate::engine::goroutine::channel::findings(self))
            .iter()
            .filter(|finding| finding.rule == rule)
            .cloned()
            .collect()
    }

    /// Whether some finding about a channel speaks of the goroutine that is started here.
    pub(crate) fn speaks_of(&self, start: TextRange) -> bool {
        self.channels
            .get_or_init(|| crate::engine::goroutine::channel::findings(self))
            .iter()
            .any(|finding| {
                (finding.related.iter()).any(|step| step.file.is_none() && step.range == start)
            })
    }

    /// The findings of one of the rules about goroutines that are not waited for.
    pub(crate) fn join_findings(&self, rule: &str) -> Vec<RawFinding> {
        self.joins
            .get_or_init(|| crate::engine::goroutine::join::findings(self))
            .iter()
            .filter(|finding| finding.rule == rule)
            .cloned()
            .collect()
    }
}

/// All findings of a file, of all rules at their default severities, sorted by place. Suppressions are not applied.
#[salsa::tracked(returns(clone))]
pub fn check_file(db: &dyn Db, file: SourceFile) -> Arc<Vec<Diagnostic>> {
    let tree = parsed(db, file);
    let mut found = Vec::new();
    for (decl, &id) in tree.decls.iter().zip(decls(db, file).iter()) {
        let raw = check_decl(db, id);
        if raw.is_empty() {
            continue;
        }
        for finding in raw.iter() {
            let fixes = fixes_of(db, file, &tree, decl, id, finding);
            found.push(in_file(finding, decl.start, fixes));
        }
    }
    found.extend(crate::directives::check(db, file, &tree));
    found.sort_by(|a, b| {
        (a.range.start(), a.rule, a.range.end()).cmp(&(b.range.start(), b.rule, b.range.end()))
    });
    Arc::new(found)
}

/// The fixes of a finding in a declaration.
fn fixes_of(
    db: &dyn Db,
    file: SourceFile,
    tree: &File,
    decl: &Decl,
    id: DeclId,
    finding: &RawFinding,
) -> Vec<Fix> {
    let Some(site) = &finding.site else {
        return Vec::new();
    };
    let fixes = guarded(finding.rule, id, db, || {
        let facts = crate::engine::facts(db, id);
        let package = package_of_file(db, file);
        let context = FixContext {
            tree: &decl.tree,
            facts: &facts,
            start: decl.start,
            text: &file.text(db),
            file: tree,
            go: crate::engine::go_version(db, file),
            package: import_path(db, package),
            declared: &|name| package_item(db, package, name).is_some(),
            naming: &|name| naming(db, file, name),
        };
        fixes_for(site, &context)
    });
    fixes.unwrap_or_default()
}

/// The declarations of a file's package, and of its tests, that have a name in them or declare a variable of that name.
fn naming(db: &dyn Db, file: SourceFile, name: Name) -> Vec<Naming> {
    let package = package_of_file(db, file);
    let tests = package.dir(db).map(|dir| directory_units(db, dir, None));
    let tests = (tests.iter().flat_map(|units| &units.groups))
        .filter(|group| group.name == package.name(db))
        .flat_map(|group| group.test.clone())
        .filter(|test| package.kind(db) == UnitKind::Normal && *test != file);
    let mut files = package_files(db, package).to_vec();
    files.extend(tests);
    let names = |tree: &DeclTree| {
        let declares = match &tree.kind {
            DeclKind::Var(specs) => specs.iter().any(|s| s.names.iter().any(|n| n.name == name)),
            _ => false,
        };
        let is_name = |expr: &Expr| matches!(expr.kind, ExprKind::Ident(other) if other == name);
        declares || tree.exprs.iter().any(|(_, expr)| is_name(expr))
    };
    (files.iter())
        .flat_map(|&other| {
            let tree = parsed(db, other);
            let decls = decls(db, other);
            (tree.decls.iter().zip(decls.iter()))
                .filter(|(decl, _)| names(&decl.tree))
                .map(|(decl, &id)| Naming {
                    tree: decl.tree.clone(),
                    facts: crate::engine::facts(db, id),
                    start: (other == file).then_some(decl.start),
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

/// A finding with its place in the file.
fn in_file(finding: &RawFinding, start: TextSize, fixes: Vec<Fix>) -> Diagnostic {
    Diagnostic {
        rule: finding.rule,
        severity: finding.severity,
        message: finding.message.clone(),
        range: finding.range + start,
        function: finding.function.clone(),
        related: finding
            .related
            .iter()
            .map(|step| Related {
                message: step.message.clone(),
                file: step.file.clone(),
                range: match step.file {
                    None => step.range + start,
                    Some(_) => step.range,
                },
            })
            .collect(),
        fixes,
        unnecessary: false,
    }
}

/// What is worth saying about lines that an allocation profile shows to be hot, and only about them. Nobody else asks for it, so that it
/// costs nothing without a profile.
pub fn allocation_hints(db: &dyn Db, file: SourceFile) -> Vec<Diagnostic> {
    let tree = parsed(db, file);
    let mut found = Vec::new();
    for (decl, &id) in tree.decls.iter().zip(decls(db, file).iter()) {
        if decl.tree.has_error {
            continue;
        }
        let facts = OnceCell::new();
        let context = CheckContext::new(db, id, &decl.tree, &facts);
        let hints = guarded(repeated_decoding::RULE.name, id, db, || {
            repeated_decoding::hints(&context)
        });
        for hint in hints.unwrap_or_default() {
            let fixes = fixes_of(db, file, &tree, decl, id, &hint);
            found.push(in_file(&hint, decl.start, fixes));
        }
    }
    found.sort_by_key(|hint| hint.range.start());
    found
}

/// The findings in one declaration.
#[salsa::tracked(returns(clone))]
pub fn check_decl(db: &dyn Db, decl: DeclId) -> Arc<Vec<RawFinding>> {
    let tree = decl_tree(db, decl);
    let mut found = Vec::new();
    // What could not be parsed may hide a release.
    if tree.has_error {
        return Arc::new(found);
    }
    let wanted = cost::of(Part::Choice, || wanted_rules(&Names::of(db, decl), &tree));
    if wanted.is_empty() {
        return Arc::new(found);
    }
    let facts = OnceCell::new();
    let context = CheckContext::new(db, decl, &tree, &facts);
    for rule in wanted {
        if !context.in_test || rule.tests {
            found.extend(run(rule, &context));
        }
    }
    Arc::new(found)
}

/// For tests of what a mistake in a rule costs: the rule that panics, in builds with debug assertions.
#[doc(hidden)]
pub static PANICS: std::sync::OnceLock<String> = std::sync::OnceLock::new();

fn run(rule: &Declared, context: &CheckContext<'_>) -> Vec<RawFinding> {
    let check = || {
        if cfg!(debug_assertions) && PANICS.get().is_some_and(|panics| panics == rule.name) {
            panic!("a rule's mistake");
        }
        (rule.check)(context)
    };
    cost::of(Part::Rules(rule.family), || {
        guarded(rule.name, context.decl, context.db, check).unwrap_or_default()
    })
}

/// Runs a rule on a declaration. A panic loses that rule there, is logged, and nothing else; a cancellation goes on.
fn guarded<T>(rule: &str, decl: DeclId, db: &dyn Db, f: impl FnOnce() -> T) -> Option<T> {
    match std::panic::catch_unwind(AssertUnwindSafe(f)) {
        Ok(found) => Some(found),
        Err(payload) if payload.is::<salsa::Cancelled>() => std::panic::resume_unwind(payload),
        Err(_) => {
            tracing::error!(
                rule,
                file = %decl.file(db).path(db).display(),
                declaration = %decl.name(db),
                "the rule panicked and is lost on this declaration"
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use go_model::db::{Database, Environment, decls, source_file};

    use super::guarded;

    #[test]
    fn a_panic_is_lost_and_a_cancellation_is_not() {
        let mut db = Database::with_environment(Environment::default());
        db.open_document("/m/a.go", "package a\n\nfunc f() {}\n".into(), None);
        let file = source_file(&db, std::path::Path::new("/m/a.go"));
        let decl = decls(&db, file)[0];
        assert_eq!(guarded("some-rule", decl, &db, || 1), Some(1));
        let lost: Option<i32> = guarded("some-rule", decl, &db, || panic!("a rule's mistake"));
        assert_eq!(lost, None);
        let cancelled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            guarded("some-rule", decl, &db, || {
                std::panic::resume_unwind(Box::new(salsa::Cancelled::PendingWrite))
            })
        }));
        assert!(cancelled.is_err());
    }
}
