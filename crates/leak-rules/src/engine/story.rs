//! The way of a leak in words: where the thing is acquired, which branches lose it, where it is lost.
//!
//! The words are for readers who do not know the engine. Of the branches on the way only those are told that matter: from the
//! other side of which a release is reached that is out of reach on this side.

use std::collections::VecDeque;

use go_model::cfg::{BlockId, Cond};
use go_model::facts::Res;
use go_model::summary::{Fact, Slot};
use go_syntax::TextRange;
use go_syntax::ast::{BinaryOp, DeclTree, ExprId, ExprKind, StmtId, StmtKind, UnaryOp};
use rustc_hash::FxHashSet;

use super::find::{Found, is_plain_release, statement_of};
use super::function::Function;
use super::interp::{Edge, Leak, Note, Obligation, Step, Wrapped};
use super::outline::render;
use super::site::LeakKind;
use crate::check::RawRelated;

/// Steps of a path that are shown, beside its ends.
const MAX_STEPS: usize = 5;
/// Bytes of a condition that are shown.
const MAX_CONDITION: usize = 60;

/// The path of a leak as related information.
pub(crate) fn steps(found: &Found<'_>, leak: &Leak, what: Option<&str>) -> Vec<RawRelated> {
    let (f, ob, out) = (found.function, found.obligation, found.outcome);
    let kind = ob.kind;
    let fallback = format!("the {}", kind.noun);
    let what = what.unwrap_or(&fallback);
    let mut steps: Vec<RawRelated> = early_defers(found)
        .into_iter()
        .map(|defer| {
            let message = "what is deferred here keeps the earlier value".to_owned();
            here(message, f.tree[defer].range)
        })
        .collect();
    let call = f.tree[ob.call].range;
    if out.discarded {
        steps.push(here(
            format!("{what} is {} here, and nothing keeps it", kind.acquired),
            call,
        ));
        return steps;
    }
    steps.push(here(format!("{what} is {} here", kind.acquired), call));
    let way: Vec<RawRelated> = (leak.path.iter().enumerate())
        .filter_map(|(i, step)| match step {
            Step::Branch { edge, from, to } => {
                let rest = &leak.path[i + 1..];
                let tells = matters(found, *from, *to) || is_only_way(found, *edge, rest);
                (tells && !is_other_case(f, *edge, rest))
                    .then(|| branch(found, *edge))
                    .flatten()
            }
            Step::Note(range, note) => Some((told(f, ob, note, what)?, *range)),
        })
        .map(|(message, range)| here(message, range))
        .collect();
    let skip = way.len().saturating_sub(MAX_STEPS);
    steps.extend(way.into_iter().skip(skip));
    steps.push(here(loss(found, leak, what), leak.range));
    steps.extend(late_defer(found, leak).map(|defer| {
        let message = format!(
            "this defer would have it {}, but comes too late",
            kind.released
        );
        here(message, f.tree[defer].range)
    }));
    steps
}

/// The path to a return that gives only something that uses the thing.
pub(crate) fn steps_to_wrapper(
    f: &Function<'_>,
    ob: &Obligation,
    wrapped: &Wrapped,
    what: &str,
) -> Vec<RawRelated> {
    let shown = render(f.tree, wrapped.operand, MAX_CONDITION);
    vec![
        here(
            format!("{what} is {} here", ob.kind.acquired),
            f.tree[ob.call].range,
        ),
        here(
            format!("only `{shown}` is returned here, which does not release {what}"),
            f.tree[wrapped.operand].range,
        ),
    ]
}

fn here(message: String, range: TextRange) -> RawRelated {
    RawRelated {
        message,
        file: None,
        range,
    }
}

/// What happens where the thing is lost.
fn loss(found: &Found<'_>, leak: &Leak, what: &str) -> String {
    let f = found.function;
    let kind = found.obligation.kind;
    let releasing = kind.releasing;
    let variable = leak
        .held
        .as_ref()
        .map(|held| f.facts.locals[held.local].ident.name);
    let collected = leak
        .held
        .as_ref()
        .filter(|held| held.is_element())
        .and(variable)
        .map(|name| format!("what is in `{name}`"));
    let what = collected.as_deref().unwrap_or(what);
    match (leak.point.kind, variable) {
        (LeakKind::Return, _) => format!("returns without {releasing} {what}"),
        (LeakKind::End, _) => format!("the function ends without {releasing} {what}"),
        (LeakKind::NextIteration, Some(name)) if acquires_again(found, leak) => {
            format!("the next iteration assigns to `{name}` again without {releasing} {what}")
        }
        (LeakKind::NextIteration, _) => {
            format!("goes on with the next iteration without {releasing} {what}")
        }
        (LeakKind::Overwrite, Some(name)) => {
            format!("`{name}` gets another value here without {releasing} {what}")
        }
        (LeakKind::Overwrite, None) => format!("gets another value without {releasing} {what}"),
        (LeakKind::Panic, _) => format!("panics without {releasing} {what}"),
    }
}

/// The leak is where the next iteration acquires.
fn acquires_again(found: &Found<'_>, leak: &Leak) -> bool {
    let call = found.function.tree[found.obligation.call].range;
    leak.range.contains_range(call)
}

/// Whether a branch decides: the other side reaches a release (or a handing on) that this one does not.
fn matters(found: &Found<'_>, from: BlockId, to: BlockId) -> bool {
    let settled = &found.outcome.settled;
    if settled.is_empty() {
        return false;
    }
    let this = reach(found, to);
    found.function.cfg[from]
        .terminator
        .successors()
        .into_iter()
        .filter(|other| *other != to)
        .any(|other| {
            let other = reach(found, other);
            settled
                .iter()
                .any(|s| other.contains(s) && !this.contains(s))
        })
}

/// What is never released is lost by whatever ends the function: the arm of a `select` that does.
fn is_only_way(found: &Found<'_>, edge: Edge, rest: &[Step]) -> bool {
    found.outcome.settled.is_empty()
        && matches!(edge, Edge::Arm(..))
        && !rest.iter().any(|s| matches!(s, Step::Branch { .. }))
}

/// That a `switch` did not take a case, where another step says which one it took, or did not take last.
fn is_other_case(f: &Function<'_>, edge: Edge, rest: &[Step]) -> bool {
    let Edge::Cond(Cond::CaseEquals { tag, .. }, false) = edge else {
        return false;
    };
    let tag = f.tree[tag].range;
    rest.iter().any(|step| {
        matches!(step, Step::Branch { edge: Edge::Cond(Cond::CaseEquals { tag: other, .. }, _), .. }
            if f.tree[*other].range == tag)
    })
}

/// What can be reached from a block before the acquisition is repeated.
fn reach(found: &Found<'_>, start: BlockId) -> FxHashSet<BlockId> {
    let cfg = found.function.cfg;
    let acquired = found.obligation.block;
    let headers: Vec<(StmtId, BlockId)> = cfg
        .loops
        .iter()
        .filter(|l| cfg.is_in_loop(acquired, l.stmt))
        .map(|l| (l.stmt, l.header))
        .collect();
    let mut seen: FxHashSet<BlockId> = FxHashSet::default();
    let mut queue = VecDeque::from([start]);
    while let Some(block) = queue.pop_front() {
        if !seen.insert(block) {
            continue;
        }
        cfg[block].terminator.for_each_successor(|next| {
            let again = headers
                .iter()
                .any(|(stmt, header)| *header == next && cfg.is_in_loop(block, *stmt));
            if !again {
                queue.push_back(next);
            }
        });
    }
    seen
}

/// Deferred releases of the variable that stand before the acquisition, and so release what it held before.
fn early_defers(found: &Found<'_>) -> Vec<StmtId> {
    let (f, ob) = (found.function, found.obligation);
    let Some(held) = &found.outcome.held else {
        return Vec::new();
    };
    let start = f.tree[ob.call].range.start();
    (f.cfg.defers.iter().copied())
        .filter(|defer| {
            let StmtKind::Defer(call) = f.tree[*defer].kind else {
                return false;
            };
            f.tree[*defer].range.start() < start
                && f.called_literal(call).is_none()
                && is_plain_release(f, *defer, ob.kind)
                && f.d
                    .mentions(held.local)
                    .iter()
                    .any(|(_, at)| f.tree[*defer].range.contains(*at))
        })
        .collect()
}

/// A deferred release behind the return that loses the thing.
fn late_defer(found: &Found<'_>, leak: &Leak) -> Option<StmtId> {
    let f = found.function;
    if leak.point.kind != LeakKind::Return {
        return None;
    }
    (found.outcome.defers.iter().copied())
        .filter(|defer| f.tree[*defer].range.start() > leak.range.end())
        .find(|defer| is_plain_release(f, *defer, found.obligation.kind))
}

/// Something that happens on the way in words.
fn told(f: &Function<'_>, ob: &Obligation, note: &Note, what: &str) -> Option<String> {
    let released = ob.kind.released;
    match note {
        Note::Collected(local) => {
            let into = f.facts.locals[*local].ident.name;
            Some(format!("it is put into `{into}`"))
        }
        Note::Guarded(error) => {
            let error = f.facts.locals[*error].ident.name;
            Some(format!(
                "this defer has it {released} only if `{error}` is not nil"
            ))
        }
        Note::PeerWaits => Some("a goroutine gets the other end here".to_owned()),
        Note::View(call) => Some(format!(
            "`{}` does nothing to {what}",
            render(f.tree, *call, MAX_CONDITION)
        )),
        Note::Skipped { call, slot, fact } => {
            let Slot::Param(index) = slot else {
                return None;
            };
            let index = usize::from(*index);
            let callee = f.target(*call)?.name;
            let param = match f.param_name(*call, index) {
                Some(name) => format!("`{name}`"),
                None => format!("argument {}", index + 1),
            };
            let fact = match fact {
                Fact::True => "is true",
                Fact::False => "is false",
                Fact::Nil => "is nil",
                Fact::NonNil => "is not nil",
            };
            Some(format!(
                "in `{callee}` it is {released} only if {param} {fact}"
            ))
        }
    }
}

/// A branch in words; `None` where it says no more than that the acquisition succeeded.
fn branch(found: &Found<'_>, edge: Edge) -> Option<(String, TextRange)> {
    let (f, ob) = (found.function, found.obligation);
    let tree = f.tree;
    match edge {
        Edge::Plain => None,
        Edge::Cond(Cond::Expr(e), taken) => {
            if says_success(f, ob, e, taken) {
                return None;
            }
            Some((
                format!("when `{}`", condition(tree, e, taken)),
                tree[e].range,
            ))
        }
        Edge::Cond(Cond::CaseEquals { tag, value }, taken) => Some((
            format!(
                "when `{} {} {}`",
                render(tree, tag, MAX_CONDITION / 2),
                if taken { "==" } else { "!=" },
                render(tree, value, MAX_CONDITION / 2)
            ),
            tree[value].range,
        )),
        Edge::Cond(Cond::TypeCase { stmt, case }, taken) => {
            let StmtKind::TypeSwitch { subject, cases, .. } = &tree[stmt].kind else {
                return None;
            };
            let case = cases.get(case as usize)?;
            let first = *case.exprs.first()?;
            taken.then(|| {
                let types: Vec<String> = (case.exprs.iter())
                    .map(|e| format!("`{}`", render(tree, *e, MAX_CONDITION / 2)))
                    .collect();
                let subject = render(tree, *subject, MAX_CONDITION / 2);
                (
                    format!("when `{subject}` is {}", types.join(" or ")),
                    tree[first].range,
                )
            })
        }
        Edge::Cond(Cond::RangeNext(stmt), taken) => {
            let again = f.cfg.is_in_loop(ob.block, stmt);
            let message = match (taken, again) {
                (true, true) => "in the next iteration",
                (true, false) => "inside the loop",
                (false, _) => "after the loop",
            };
            Some((message.to_owned(), f.head_range(stmt)))
        }
        Edge::Arm(stmt, arm) => {
            let StmtKind::Select { cases } = &tree[stmt].kind else {
                return None;
            };
            let case = cases.get(arm)?;
            let range = match case.comm {
                Some(comm) => tree[comm].range,
                None => TextRange::at(
                    case.range.start(),
                    go_syntax::TextSize::from(7).min(case.range.len()),
                ),
            };
            Some(("when this case is chosen".to_owned(), range))
        }
    }
}

/// `err != nil` not taken, right where the acquisition is checked.
fn says_success(f: &Function<'_>, ob: &Obligation, cond: ExprId, taken: bool) -> bool {
    let Some(stmt) = f.d.outline.cond_of(cond) else {
        return false;
    };
    let ExprKind::Binary { op, lhs, rhs } = &f.tree[f.tree.unparen(cond)].kind else {
        return false;
    };
    let nil_if_true = match op {
        BinaryOp::Eq => true,
        BinaryOp::Ne => false,
        _ => return false,
    };
    if !f.is_nil(*rhs) || nil_if_true != taken {
        return false;
    }
    let Some(Res::Local(local)) = f.facts.refs.get(f.tree.unparen(*lhs)) else {
        return false;
    };
    let Some(acquire) = statement_of(f, ob) else {
        return false;
    };
    f.facts.locals[*local].ty.is_error()
        && (f.d.outline.next(acquire) == Some(stmt) || f.d.outline.init_of(acquire) == Some(stmt))
}

/// A condition as source text, negated if it does not hold.
fn condition(tree: &DeclTree, cond: ExprId, holds: bool) -> String {
    if holds {
        return render(tree, cond, MAX_CONDITION);
    }
    match &tree[tree.unparen(cond)].kind {
        ExprKind::Binary { op, lhs, rhs } => {
            let op = match op {
                BinaryOp::Eq => "!=",
                BinaryOp::Ne => "==",
                BinaryOp::Lt => ">=",
                BinaryOp::Le => ">",
                BinaryOp::Gt => "<=",
                BinaryOp::Ge => "<",
                _ => return format!("!({})", render(tree, cond, MAX_CONDITION)),
            };
            let half = |e| render(tree, e, MAX_CONDITION / 2);
            format!("{} {op} {}", half(*lhs), half(*rhs))
        }
        ExprKind::Unary {
            op: UnaryOp::Not,
            operand,
        } => render(tree, *operand, MAX_CONDITION),
        _ => format!("!{}", render(tree, cond, MAX_CONDITION)),
    }
}

#[cfg(test)]
mod tests;
