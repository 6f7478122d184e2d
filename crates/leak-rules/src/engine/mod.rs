//! The obligation engine: what is acquired must be released on every path.
//!
//! [`kinds`] says what can be acquired, [`interp`] follows one acquisition through the control-flow graph, and this module finds
//! the acquisitions of a declaration and makes findings of the leaks.

use std::sync::{Arc, LazyLock};

use go_model::cfg::Cfg;
use go_model::db::{Db, DeclId, DeclSort, SourceFile, decl_tree};
use go_model::facts::{Callee, Facts, ItemRef};
use go_model::members::View;
use go_model::package::{
    import_path, package_decls, package_item, package_of_decl, package_seen_by,
};
use go_model::summary::{Called, ParamEffect, Summary};
use go_model::types::Ty;
use go_syntax::ast::{DeclKind, ExprId, ExprKind, StmtKind};
use go_syntax::{Name, TextRange};

use crate::Severity;
use crate::check::CheckContext;
use find::{Found, Verdict};
use function::{Declaration, Depth};

pub(crate) mod acquire;
pub(crate) mod cgo;
pub(crate) mod collection;
pub(crate) mod dispatch;
pub(crate) mod find;
pub(crate) mod function;
pub(crate) mod goroutine;
pub(crate) mod hints;
pub(crate) mod interp;
pub(crate) mod kinds;
pub(crate) mod memory;
pub(crate) mod outline;
pub(crate) mod owners;
pub(crate) mod pattern;
pub(crate) mod retain;
pub mod site;
pub(crate) mod story;
pub(crate) mod told;
pub(crate) mod zero;

pub use interp::bound_hits;

/// The facts about a declaration.
pub(crate) fn facts(db: &dyn Db, decl: DeclId) -> Arc<Facts> {
    go_model::infer::facts(db, decl)
}

/// The language version of a file, (1, 26) for Go 1.26.
pub(crate) fn go_version(db: &dyn Db, file: SourceFile) -> (u16, u16) {
    let version = go_model::workspace::go_version(db, file);
    (version.major as u16, version.minor as u16)
}

/// Whether the declaration is the entry point of a command.
pub(crate) fn is_main(cx: &CheckContext<'_>) -> bool {
    let db = cx.db;
    cx.decl.sort(db) == DeclSort::Func
        && cx.decl.name(db) == "main"
        && package_of_decl(db, cx.decl).name(db) == "main"
}

/// Whether the declaration runs once in the life of the process and early: `main` of a command, `init`, or a function of a command that
/// only these mention, outside of loops and function literals.
pub(crate) fn runs_once(cx: &CheckContext<'_>) -> bool {
    let db = cx.db;
    let package = package_of_decl(db, cx.decl);
    package.name(db) == "main" && once(db, cx.decl, &package_decls(db, package), 3)
}

fn once(db: &dyn Db, decl: DeclId, all: &[DeclId], depth: u32) -> bool {
    if decl.sort(db) != DeclSort::Func || decl.receiver(db).is_some() {
        return false;
    }
    let name = decl.name(db);
    if name == "main" || name == "init" {
        return true;
    }
    let mut mentioned = false;
    depth > 0
        && all.iter().all(|&other| {
            let tree = decl_tree(db, other);
            let mut mentions = (tree.exprs.iter())
                .filter(|(_, e)| matches!(&e.kind, ExprKind::Ident(n) if *n == name))
                .map(|(_, e)| e.range)
                .peekable();
            if mentions.peek().is_none() {
                return true;
            }
            mentioned = true;
            let repeats = |range: TextRange| {
                tree.exprs.iter().any(|(_, e)| {
                    matches!(&e.kind, ExprKind::FuncLit(_)) && e.range.contains_range(range)
                }) || tree.stmts.iter().any(|(_, s)| match &s.kind {
                    StmtKind::For { body, .. } | StmtKind::Range { body, .. } => {
                        body.range.contains_range(range)
                    }
                    StmtKind::Go(_) => s.range.contains_range(range),
                    _ => false,
                })
            };
            !mentions.any(repeats) && other != decl && once(db, other, all, depth - 1)
        })
        && mentioned
}

/// The graph of a declaration or of a function literal in it.
fn cfg(d: &Declaration<'_>, literal: Option<ExprId>) -> Option<Arc<Cfg>> {
    if d.depth == Depth::Full {
        return go_model::cfg::cfg_of(d.db, d.decl, literal);
    }
    let body = d.body(literal)?;
    let no_return = |call: ExprId| go_model::noreturn::known(d.tree, d.facts, call);
    Some(Arc::new(go_model::cfg::build(d.tree, body, &no_return)))
}

/// What is known of what a call calls.
fn summary(d: &Declaration<'_>, call: ExprId) -> Option<Called> {
    /// Does nothing, as far as anybody asks.
    static HARMLESS: LazyLock<Summary> = LazyLock::new(|| Summary {
        receiver: ParamEffect::BORROWED.clone(),
        params: vec![ParamEffect::BORROWED.clone()],
        ..Summary::default()
    });
    let callee = d.facts.callees.get(call);
    match (d.depth, callee) {
        (Depth::Full, Some(callee @ (Callee::Func(_) | Callee::Method(_)))) => {
            go_model::summary::of_callee(d.db, d.decl, callee)
        }
        (Depth::Full, _) => None,
        (Depth::Shallow, callee) => Some(Called::Table(
            callee.and_then(go_model::effects::of).unwrap_or(&HARMLESS),
        )),
    }
}

/// Whether a comma-ok assertion on the thing cannot fail, or nothing is known of it. `own` is the thing's own type, if it is known.
fn asserts_surely(d: &Declaration<'_>, base: ExprId, ty: ExprId, own: Option<&Ty>) -> bool {
    let (Some(from), Some(to)) = (own.or(d.facts.types.get(base)), d.facts.types.get(ty)) else {
        return true;
    };
    if from == to {
        return true;
    }
    let view = View::with_facts(d.db, d.decl.file(d.db), d.facts);
    if view.is_interface(from) != Some(false) {
        // What is in the interface is not followed; `io.Closer` and its kin are what closable things are asked for.
        return view.is_interface(to) != Some(false);
    }
    match view.is_interface(to) {
        Some(true) => view.implements(from, to) != Some(false),
        Some(false) => false,
        None => true,
    }
}

/// Whether something of a concrete type has the type that an expression denotes.
fn has_type(d: &Declaration<'_>, own: &Ty, ty: ExprId) -> Option<bool> {
    let ty = d.facts.types.get(ty)?;
    if own == ty {
        return Some(true);
    }
    let view = View::with_facts(d.db, d.decl.file(d.db), d.facts);
    match view.is_interface(ty)? {
        true => view.implements(own, ty),
        false => Some(false),
    }
}

fn is_interface(d: &Declaration<'_>, ty: &Ty) -> Option<bool> {
    View::with_facts(d.db, d.decl.file(d.db), d.facts).is_interface(ty)
}

fn is_concrete(d: &Declaration<'_>, ty: &Ty) -> bool {
    is_interface(d, ty) == Some(false)
}

/// The value of a package-level constant that is `true` or `false`.
fn constant_bool(d: &Declaration<'_>, item: ItemRef) -> Option<bool> {
    let package = package_seen_by(d.db, package_of_decl(d.db, d.decl), item.package)?;
    let decl = package_item(d.db, package, item.name)?.decl();
    let tree = go_model::db::decl_tree(d.db, decl);
    let DeclKind::Const(specs) = &tree.kind else {
        return None;
    };
    for spec in specs {
        let Some(at) = spec.names.iter().position(|n| n.name == item.name) else {
            continue;
        };
        return match &tree[tree.unparen(*spec.values.get(at)?)].kind {
            ExprKind::Ident(name) if *name == "true" => Some(true),
            ExprKind::Ident(name) if *name == "false" => Some(false),
            _ => None,
        };
    }
    None
}

/// The declaration of what a call calls.
fn callee_decl(d: &Declaration<'_>, call: ExprId) -> Option<DeclId> {
    go_model::summary::callee_decl(d.db, d.decl, d.facts.callees.get(call)?)
}

fn is_foreign(d: &Declaration<'_>, call: ExprId) -> bool {
    let package = |decl| import_path(d.db, package_of_decl(d.db, decl));
    callee_decl(d, call).is_none_or(|callee| package(callee) != package(d.decl))
}

/// The name of a parameter of what a call calls.
fn param_name(d: &Declaration<'_>, call: ExprId, index: usize) -> Option<Name> {
    let tree = go_model::db::decl_tree(d.db, callee_decl(d, call)?);
    let param = tree.func()?.signature.params.get(index)?;
    Some(param.name?.name)
}

/// The verdict on a timer or ticker, which since Go 1.23 is collected once nothing refers to it.
pub(crate) fn timer_verdict(cx: &CheckContext<'_>, found: &Found<'_>, below: Severity) -> Verdict {
    timer_gate(cx, below, |since| {
        let noun = found.obligation.kind.noun;
        format!(
            "{since} an unreferenced {noun} is collected, but not a goroutine that still waits on its channel"
        )
    })
}

/// The verdict on something that holds memory below Go 1.23 only: `note` gets the words for "since Go 1.23".
pub(crate) fn timer_gate(
    cx: &CheckContext<'_>,
    below: Severity,
    note: impl FnOnce(&str) -> String,
) -> Verdict {
    let version = go_model::workspace::module_go_version(cx.db, cx.decl.file(cx.db));
    if !version.at_least(1, 23) {
        return Verdict::plain(below);
    }
    Verdict {
        severity: Severity::Hint,
        note: Some(note(if version.explicit {
            "since Go 1.23"
        } else {
            "no go.mod says otherwise: since Go 1.23"
        })),
    }
}
