//! Writers that were not closed: a close, with its error, before each successful exit.

use go_model::facts::LocalId;
use go_model::types::{Basic, TyKind};
use go_syntax::TextRange;
use go_syntax::ast::{ExprKind, StmtId, StmtKind};
use rustc_hash::FxHashSet;

use super::nest::Owner;
use super::{Cx, is_error_param};
use crate::engine::site::{InsertPoint, LeakKind};
use crate::{Fix, Safety};

/// Closes the writer where its bytes are complete and before anybody uses them. Never a plain `defer`: it would run after that.
pub(super) fn fixes(cx: &Cx<'_>) -> Vec<Fix> {
    close_before_exits(cx).into_iter().collect()
}

fn close_before_exits(cx: &Cx<'_>) -> Option<Fix> {
    let site = cx.site;
    let value = site.value.as_ref()?;
    if site.leaks.is_empty() || cx.has_goto() || site.reassigned || site.moved_elsewhere {
        return None;
    }
    let close = format!("{}.Close()", value.text);
    let results = cx.signature(site.literal)?.results.len();
    let failing = failure(cx);
    let code = match &failing {
        Some(values) => {
            let err = cx.fresh("closeErr");
            let values = values.replace('\0', &err);
            format!("if {err} := {close}; {err} != nil {{\n\treturn {values}\n}}")
        }
        None if returns_error(cx) => return None,
        None => close.clone(),
    };
    let from = cx.tree()[site.acquire.call].range.end();
    let mut builder = cx.builder();
    let mut done: Vec<StmtId> = Vec::new();
    for leak in &site.leaks {
        let at = match (leak.kind, leak.stmt) {
            (LeakKind::Return, Some(stmt)) if !leak.operands_touch => {
                before(cx, value.local, stmt)?
            }
            (LeakKind::End, None) if results == 0 => {
                let point = site.acquire.stmt?;
                let (owner, index) = cx.nest.parent(point)?;
                let list = cx.nest.list(owner);
                let function = matches!(owner, Owner::Func(_));
                let &last = list.last().filter(|_| function && index + 1 < list.len())?;
                if touches_sink(cx, last, value.local) {
                    return None;
                }
                builder.insert_after(cx.stmt_range(last), &code)?;
                continue;
            }
            _ => return None,
        };
        if done.contains(&at) {
            continue;
        }
        let range = cx.tree()[at].range;
        // Elsewhere the variable is out of scope, or there is no writer on some way there.
        if !is_behind(cx, at) {
            return None;
        }
        if cx.rebound(value.local, from, range.start()) {
            return None;
        }
        builder.insert_before(cx.stmt_range(at), &code)?;
        done.push(at);
    }
    let title = match failing {
        Some(_) => format!(
            "call `{close}` on success and return its error (the function may fail where it did not)"
        ),
        None => format!("call `{close}` on success (its error is lost)"),
    };
    builder.fix(title, Safety::Unsafe)
}

/// Whether every way to a statement leads through the making of the writer, in the scope of what is declared there.
fn is_behind(cx: &Cx<'_>, stmt: StmtId) -> bool {
    cx.site.acquire.stmt.is_some_and(|made| {
        let inside = matches!(cx.nest.parent(made), Some((Owner::Header(of), _))
            if cx.nest.chain(stmt).any(|(around, ..)| around == of));
        inside || cx.nest.is_behind(stmt, InsertPoint::After(made))
    })
}

/// Where the writer has to be closed for a return: before it, or before the first statement of its list that uses what lies below the
/// writer once nothing more is written.
fn before(cx: &Cx<'_>, writer: LocalId, exit: StmtId) -> Option<StmtId> {
    let tree = cx.tree();
    let (owner, index) = cx.nest.parent(exit)?;
    if cx.nest.function(exit) != Some(cx.site.literal) {
        return None;
    }
    let list = cx.nest.list(owner);
    let mut at = exit;
    for &stmt in list[..index].iter().rev() {
        if uses(cx, tree[stmt].range, &made_from(cx, writer)) {
            break;
        }
        if touches_sink(cx, stmt, writer) {
            at = stmt;
        }
    }
    // Where nothing in the list is written, what lies below may have been used before.
    let written_here = list[..index]
        .iter()
        .any(|s| uses(cx, tree[*s].range, &made_from(cx, writer)));
    let begins = cx.site.acquire.stmt.is_some_and(|s| list.contains(&s));
    (written_here || begins || at == exit).then_some(at)
}

/// The writer and what was made from it.
fn made_from(cx: &Cx<'_>, writer: LocalId) -> FxHashSet<LocalId> {
    let mut made: FxHashSet<LocalId> = FxHashSet::default();
    made.insert(writer);
    loop {
        let before = made.len();
        for (_, stmt) in cx.tree().stmts.iter() {
            if let StmtKind::Assign { lhs, rhs, .. } = &stmt.kind
                && rhs.iter().any(|r| uses(cx, cx.tree()[*r].range, &made))
            {
                made.extend(lhs.iter().filter_map(|l| cx.local_of(*l)).filter(|l| {
                    let ty = &cx.facts().locals[*l].ty;
                    !super::is_plain(ty)
                }));
            }
        }
        if made.len() == before {
            return made;
        }
    }
}

fn uses(cx: &Cx<'_>, range: TextRange, locals: &FxHashSet<LocalId>) -> bool {
    cx.locals_in(range).iter().any(|l| locals.contains(l))
}

/// Whether a statement uses what lies below the writer.
fn touches_sink(cx: &Cx<'_>, stmt: StmtId, writer: LocalId) -> bool {
    let mut below = cx.locals_in(cx.tree()[cx.site.acquire.call].range);
    below.remove(&writer);
    uses(cx, cx.tree()[stmt].range, &below)
}

fn returns_error(cx: &Cx<'_>) -> bool {
    cx.signature(cx.site.literal)
        .and_then(|s| s.results.last())
        .is_some_and(|last| is_error_param(cx.tree(), last))
}

/// What the function returns with an error, which is written `\0`. `None` where it returns no error, or a value that cannot be written.
fn failure(cx: &Cx<'_>) -> Option<String> {
    let signature = cx.signature(cx.site.literal)?;
    if !returns_error(cx) {
        return None;
    }
    let (_, others) = signature.results.split_last()?;
    let mut values: Vec<String> = Vec::new();
    for result in others {
        let zero = match &cx.tree()[cx.tree().unparen(result.ty)].kind {
            ExprKind::Star(_)
            | ExprKind::MapType { .. }
            | ExprKind::ChanType { .. }
            | ExprKind::FuncType(_)
            | ExprKind::InterfaceType(_) => "nil",
            ExprKind::ArrayType { .. } if cx.src(cx.tree()[result.ty].range).starts_with("[]") => {
                "nil"
            }
            _ => zero(cx, result.ty)?,
        };
        values.push(zero.to_owned());
    }
    values.push("\0".to_owned());
    Some(values.join(", "))
}

/// The zero value of a basic type.
fn zero(cx: &Cx<'_>, ty: go_syntax::ast::ExprId) -> Option<&'static str> {
    match cx.facts().types.get(ty)?.kind() {
        TyKind::Basic(Basic::Bool) => Some("false"),
        TyKind::Basic(Basic::String) => Some("\"\""),
        TyKind::Basic(_) => Some("0"),
        _ => None,
    }
}
