//! A second value on a channel of the caller, because a `return` is missing behind the first.

use go_model::facts::{LocalId, LocalKind, Res};
use go_model::types::{Ty, TyKind};
use go_syntax::ast::{BinaryOp, DeclTree, ExprId, ExprKind, StmtId, StmtKind};

use super::uses::{OpKind, Uses};
use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::function::{Declaration, Depth, Function};
use crate::engine::pattern::{finding, step};
use crate::engine::site::{FixSite, Pattern};

/// Sends of an error behind which the function goes on to the send of its result.
pub(crate) fn findings(cx: &CheckContext<'_>, rule: &'static str) -> Vec<RawFinding> {
    if !sends_twice(cx.tree) {
        return Vec::new();
    }
    let d = cx.declaration(Depth::Shallow);
    let params: Vec<LocalId> = d.facts.params.iter().flatten().copied().collect();
    let channels = params
        .into_iter()
        .filter(|p| is_channel(&d.facts.locals[*p].ty));
    channels
        .filter_map(|channel| look(cx, d, channel, rule))
        .collect()
}

/// Whether an `if` ends with a send and another send follows: a question before anything is resolved.
fn sends_twice(tree: &DeclTree) -> bool {
    let sends = |s: StmtId| matches!(tree[s].kind, StmtKind::Send { .. });
    tree.stmts.iter().filter(|(id, _)| sends(*id)).count() == 2
        && tree.stmts.iter().any(|(_, s)| match &s.kind {
            StmtKind::If {
                then, els: None, ..
            } => then.stmts.last().is_some_and(|s| sends(*s)),
            _ => false,
        })
}

fn is_channel(ty: &Ty) -> bool {
    matches!(ty.kind(), TyKind::Chan(..))
}

fn look(
    cx: &CheckContext<'_>,
    d: &Declaration<'_>,
    channel: LocalId,
    rule: &'static str,
) -> Option<RawFinding> {
    let l = &d.facts.locals[channel];
    if l.kind != LocalKind::Param || l.assignments > 1 || l.captured || l.address_taken {
        return None;
    }
    let uses = Uses::new(d);
    let mut ops = Vec::new();
    uses.collect(channel, 0, &mut ops);
    let [first, second] = &ops[..] else {
        return None;
    };
    // Everything that is done with it: two plain sends, of which neither is repeated.
    if ops
        .iter()
        .any(|op| op.kind != OpKind::Send || op.optional || op.literal.is_some())
    {
        return None;
    }
    let (check, cond) = d.tree.stmts.iter().find_map(|(id, s)| match &s.kind {
        StmtKind::If {
            cond,
            then,
            els: None,
            ..
        } if then.stmts.last() == Some(&first.stmt) => Some((id, *cond)),
        _ => None,
    })?;
    let (list, index) = d.outline.list_of(check)?;
    if list.literal.is_some()
        || !list.stmts[index + 1..].contains(&second.stmt)
        || !is_error_check(d, cond)
    {
        return None;
    }
    let cfg = d.cfg(None)?;
    let f = Function::new(d, None, &cfg);
    let (block, _) = f.cfg.position_of(second.stmt)?;
    if cfg.truncated || f.cfg.repeating_loop(block).is_some() {
        return None;
    }
    let name = l.ident.name;
    let message = format!(
        "a second value is sent on `{name}` where there is an error: whoever receives one value leaves this send waiting"
    );
    let range = d.tree[second.stmt].range;
    let mut found = finding(&f, rule, Severity::Information, message, range);
    found
        .related
        .push(step("when this holds", d.tree[cond].range));
    found.related.push(step(
        "this is sent first, and nothing returns behind it",
        d.tree[first.stmt].range,
    ));
    let results = d
        .tree
        .func()
        .is_none_or(|f| !f.signature.results.is_empty());
    if !results {
        let mut site = FixSite::pattern(
            None,
            first.mention,
            Some(second.stmt),
            Pattern::LeaveAfter,
            cx.in_test,
        );
        site.releases = vec![first.stmt];
        found.site = Some(Box::new(site));
    }
    Some(found)
}

/// `err != nil`, of an error.
fn is_error_check(d: &Declaration<'_>, cond: ExprId) -> bool {
    let ExprKind::Binary {
        op: BinaryOp::Ne,
        lhs,
        rhs,
    } = &d.tree[d.tree.unparen(cond)].kind
    else {
        return false;
    };
    let is_error = |e: ExprId| {
        d.facts
            .types
            .get(d.tree.unparen(e))
            .is_some_and(Ty::is_error)
            || matches!(d.facts.refs.get(d.tree.unparen(e)), Some(Res::Local(l)) if d.facts.locals[*l].ty.is_error())
    };
    (d.is_nil(*rhs) && is_error(*lhs)) || (d.is_nil(*lhs) && is_error(*rhs))
}
