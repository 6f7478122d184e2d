//! Goroutines that nothing can end.

use go_model::cfg::{Cfg, Cond, Terminator};
use go_model::db::{DeclSort, decl_tree};
use go_model::facts::{Callee, LocalId, Res};
use go_model::package::package_of_decl;
use go_model::types::{Ty, TyKind};
use go_syntax::TextRange;
use go_syntax::ast::{ExprId, ExprKind, StmtId, StmtKind};
use rustc_hash::FxHashSet;

use super::ignored::{given, has_a_context, ignored_context, site, wait_of, wait_step};
use super::uses::{Run, Uses, method_of};
use super::{if_it_may_run_often, start_range};
use crate::Severity;
use crate::check::{CheckContext, RawFinding, RawRelated};
use crate::engine::find::enclosing_literal;
use crate::engine::function::{Declaration, Function};
use crate::engine::pattern::{finding, step};
use crate::engine::site::{FixSite, Pattern};
use crate::engine::{facts, is_main};

/// The goroutines that a declaration starts and that never end, for two rules: [`crate::rules::ignored_context`] speaks of those that do not even end
/// when a context is done that the function is given, [`crate::rules::goroutine_without_exit`] of the others.
pub(crate) fn findings(cx: &CheckContext<'_>, rule: &'static str) -> Vec<RawFinding> {
    let at = |depth| {
        let d = cx.declaration(depth);
        let uses = Uses::new(d);
        let mut found = Vec::new();
        for (id, stmt) in d.tree.stmts.iter() {
            if let StmtKind::Go(call) = stmt.kind {
                found.extend(look(cx, d, &uses, id, d.tree.unparen(call)));
            }
        }
        found.retain(|finding| finding.rule == rule);
        found
    };
    if !starts_a_loop(cx) || is_main(cx) || is_init(cx) {
        return Vec::new();
    }
    if_it_may_run_often(cx, at)
}

fn is_init(cx: &CheckContext<'_>) -> bool {
    cx.decl.sort(cx.db) == DeclSort::Func && cx.decl.name(cx.db) == "init"
}

/// Whether some goroutine runs a literal with a loop, or a function of another name: a question before anything is resolved.
fn starts_a_loop(cx: &CheckContext<'_>) -> bool {
    let tree = cx.tree;
    tree.stmts.iter().any(|(_, stmt)| {
        let StmtKind::Go(call) = stmt.kind else {
            return false;
        };
        let ExprKind::Call { func, .. } = &tree[tree.unparen(call)].kind else {
            return false;
        };
        let Some(lit) = tree.func_lit(tree.unparen(*func)) else {
            return true;
        };
        tree.stmts.iter().any(|(_, s)| {
            lit.body.range.contains_range(s.range)
                && matches!(s.kind, StmtKind::For { .. } | StmtKind::Range { .. })
        })
    })
}

fn look(
    cx: &CheckContext<'_>,
    d: &Declaration<'_>,
    uses: &Uses<'_, '_>,
    go: StmtId,
    call: ExprId,
) -> Option<RawFinding> {
    let outer = enclosing_literal(d.tree, d.tree[go].range);
    if outer.is_some_and(|l| runs_at_most_once(uses, l)) {
        return None;
    }
    let ExprKind::Call { func, .. } = &d.tree[call].kind else {
        return None;
    };
    let func = d.tree.unparen(*func);
    let cfg = d.cfg(outer)?;
    let f = Function::new(d, outer, &cfg);
    if d.tree.func_lit(func).is_some() {
        let body = d.cfg(Some(func))?;
        let inner = Function::new(d, Some(func), &body);
        let looping = endless(&inner, &body)?;
        let head = start_range(d.tree, go, Some(func));
        let ignored = ignored_context(d, Some(func)).filter(|_| !has_a_context(d, looping.into()));
        let wait = wait_of(&inner, looping);
        let mut found = endless_finding(&f, ignored, head);
        found.related.push(step(
            "this loop goes on for ever",
            inner.head_range(looping),
        ));
        if let Some(select) = only_select(&inner, looping) {
            let place = inner.head_range(select);
            found
                .related
                .push(step("it waits here in each round", place));
        } else if let Some(wait) = wait {
            found.related.extend(wait_step(&inner, wait));
        }
        if let Some((select, context)) = arm(&inner, looping, func) {
            let pattern = Pattern::ExitArm { select, context };
            let site = FixSite::pattern(Some(func), call, Some(go), pattern, cx.in_test);
            found.site = Some(Box::new(site));
        } else if let (Some(wait), Some(context)) = (wait, ignored) {
            found.site = site(cx, &inner, wait, context);
        }
        return Some(found);
    }
    // A function of the same package.
    let callee = match d.facts.callees.get(call)? {
        callee @ (Callee::Func(_) | Callee::Method(_)) => callee,
        _ => return None,
    };
    let decl = go_model::summary::callee_decl(d.db, d.decl, callee)?;
    if package_of_decl(d.db, decl) != package_of_decl(d.db, d.decl) {
        return None;
    }
    let tree = decl_tree(d.db, decl);
    let has_loop = tree
        .stmts
        .iter()
        .any(|(_, s)| matches!(s.kind, StmtKind::For { .. } | StmtKind::Range { .. }));
    if tree.has_error || !has_loop {
        return None;
    }
    let far = facts(d.db, decl);
    let target = Declaration::new(d.db, decl, &tree, &far, d.depth);
    let body = target.cfg(None)?;
    let inner = Function::new(&target, None, &body);
    let looping = endless(&inner, &body)?;
    let ignored = ignored_context(d, outer)
        .filter(|_| !has_a_context(d, go.into()) && !has_a_context(&target, looping.into()));
    let mut found = endless_finding(&f, ignored, d.tree[go].range);
    found.related.push(RawRelated {
        message: "this loop goes on for ever".to_owned(),
        file: Some(decl.file(d.db).path(d.db)),
        range: inner.head_range(looping) + go_model::db::decl_start(d.db, decl),
    });
    Some(found)
}

/// A goroutine that never ends, not even when the context is done that whoever starts it is given and does not look at.
fn endless_finding(f: &Function<'_>, ignored: Option<LocalId>, start: TextRange) -> RawFinding {
    let mut found = match ignored {
        Some(context) => {
            let name = f.facts.locals[context].ident.name;
            let message = format!(
                "this goroutine never ends, not even when `{name}` is done: nothing in `{}` looks at `{name}`",
                f.name()
            );
            let rule = crate::rules::ignored_context::RULE.name;
            finding(f, rule, Severity::Information, message, start)
        }
        None => {
            let message = "this goroutine never ends: its loop has no exit".to_owned();
            let rule = crate::rules::goroutine_without_exit::RULE.name;
            finding(f, rule, Severity::Hint, message, start)
        }
    };
    found.related.extend(ignored.map(|c| given(f.d, c)));
    found
        .related
        .push(step("the goroutine is started here", start));
    found
}

/// Whether a literal is given to something that runs it once in the life of the process.
fn runs_at_most_once(uses: &Uses<'_, '_>, literal: ExprId) -> bool {
    let d = uses.d;
    let Some(call) = d.parent(literal) else {
        return false;
    };
    if !matches!(d.tree[call].kind, ExprKind::Call { .. }) {
        return false;
    }
    method_of(d, call, "sync", &["Once"]).is_some_and(|(_, name)| name == "Do")
        || d.target(call).is_some_and(|t| {
            ["OnceFunc", "OnceValue", "OnceValues"]
                .iter()
                .any(|name| t.is_func("sync", name))
        })
        || matches!(uses.run(literal), Run::Deferred(site) if site.by.is_some_and(|l| l != literal && runs_at_most_once(uses, l)))
}

/// The loop in which a function stays for ever, if it can neither return nor stop.
fn endless(f: &Function<'_>, cfg: &Cfg) -> Option<StmtId> {
    if cfg.truncated {
        return None;
    }
    let mut seen = FxHashSet::default();
    let mut stack = vec![cfg.entry];
    let mut looping: Option<StmtId> = None;
    while let Some(block) = stack.pop() {
        if !seen.insert(block) {
            continue;
        }
        if let Some(l) = cfg.loops_containing(block).last() {
            match looping {
                Some(first) if f.tree[first].range.start() <= f.tree[l.stmt].range.start() => {}
                _ => looping = Some(l.stmt),
            }
        }
        match &cfg.blocks[block].terminator {
            Terminator::Return(_) | Terminator::NoReturn { .. } => return None,
            Terminator::Stuck => {
                // `select {}` and empty loops are written on purpose.
                return None;
            }
            Terminator::Select { arms, .. } if arms.is_empty() => return None,
            Terminator::Branch {
                cond: Cond::RangeNext(stmt),
                then,
                ..
            } if ticks(f, *stmt) => stack.push(*then),
            other => other.for_each_successor(|to| stack.push(to)),
        }
    }
    looping
}

/// A range over the channel of a ticker or timer, which nobody can close.
pub(super) fn ticks(f: &Function<'_>, stmt: StmtId) -> bool {
    let StmtKind::Range { over, .. } = f.tree[stmt].kind else {
        return false;
    };
    match f.facts.types.get(f.tree.unparen(over)).map(Ty::kind) {
        Some(TyKind::Chan(_, element)) => element.is_named("time", "Time"),
        _ => false,
    }
}

/// The only select that stands right in an endless loop, without a default.
fn only_select(f: &Function<'_>, looping: StmtId) -> Option<StmtId> {
    let StmtKind::For {
        cond: None, body, ..
    } = &f.tree[looping].kind
    else {
        return None;
    };
    let mut selects = body.stmts.iter().filter_map(|s| match &f.tree[*s].kind {
        StmtKind::Select { cases } => Some((*s, cases)),
        _ => None,
    });
    let (select, cases) = selects.next()?;
    (selects.next().is_none() && cases.iter().all(|c| c.comm.is_some())).then_some(select)
}

/// The only select of an endless loop, and a context that can be named there.
fn arm(f: &Function<'_>, looping: StmtId, literal: ExprId) -> Option<(StmtId, LocalId)> {
    let select = only_select(f, looping)?;
    let lit = f.tree.func_lit(literal)?;
    if !lit.signature.results.is_empty() {
        return None;
    }
    let mut at = Some(literal);
    for _ in 0..32 {
        let params = match at {
            Some(literal) => &f.facts.literals.get(literal)?.params,
            None => &f.facts.params,
        };
        let context = params.iter().flatten().find(|l| {
            let l = &f.facts.locals[**l];
            l.ty.is_named("context", "Context") && !l.ident.name.is_blank()
        });
        if let Some(context) = context {
            return Some((select, *context));
        }
        at = f.facts.literals.get(at?)?.parent;
    }
    None
}

/// Whether a local is mentioned otherwise than as the receiver of a method call or the base of a field.
pub(crate) fn only_used(d: &Declaration<'_>, local: LocalId) -> bool {
    let l = &d.facts.locals[local];
    !l.captured
        && !l.address_taken
        && d.mentions(local).iter().all(|(mention, at)| {
            if *at == l.ident.range.start() {
                return true;
            }
            let Some(selector) = d.parent(*mention) else {
                return false;
            };
            if !matches!(&d.tree[selector].kind, ExprKind::Selector { base, .. } if base == mention)
            {
                return false;
            }
            match d.facts.refs.get(selector) {
                Some(Res::Method(_)) => d.parent(selector).is_some_and(
                    |p| matches!(&d.tree[p].kind, ExprKind::Call { func, .. } if *func == selector),
                ),
                _ => false,
            }
        })
}
