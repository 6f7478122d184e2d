//! Contexts that grow with each round of a loop.

use go_model::cfg::Loop;
use go_model::facts::{LocalId, Res};
use go_model::types::TyKind;
use go_syntax::TextRange;
use go_syntax::ast::{AssignOp, DeclTree, ExprId, ExprKind, StmtId, StmtKind};

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::find::{enclosing_literal, last_name};
use crate::engine::function::Function;
use crate::engine::pattern::{self, args, finding, local, step};
use crate::engine::site::{FixSite, Pattern};

/// Assignments that wrap a context once more in each round of a loop.
pub(crate) fn findings(cx: &CheckContext<'_>, rule: &'static str) -> Vec<RawFinding> {
    if !may_grow(cx.tree) {
        return Vec::new();
    }
    pattern::check(cx, &|f| {
        let grows = f.tree.stmts.iter().filter(|(_, stmt)| {
            matches!(stmt.kind, StmtKind::Assign { .. })
                && enclosing_literal(f.tree, stmt.range) == f.literal
        });
        grows.filter_map(|(id, _)| look(cx, f, id, rule)).collect()
    })
}

/// Whether a call of a name that begins with `With` is assigned, not declared: a question before anything is resolved.
fn may_grow(tree: &DeclTree) -> bool {
    tree.stmts.iter().any(|(_, stmt)| match &stmt.kind {
        StmtKind::Assign {
            op: AssignOp::Assign,
            rhs,
            ..
        } => match (rhs.len(), &tree[tree.unparen(rhs[0])].kind) {
            (1, ExprKind::Call { func, .. }) => {
                last_name(tree, *func).is_some_and(|n| n.as_str().starts_with("With"))
            }
            _ => false,
        },
        _ => false,
    })
}

/// The variable that an assignment wraps once more, and the function that does it.
fn wrapped(f: &Function<'_>, stmt: StmtId) -> Option<(LocalId, ExprId)> {
    let StmtKind::Assign {
        lhs,
        op: AssignOp::Assign,
        rhs,
    } = &f.tree[stmt].kind
    else {
        return None;
    };
    let [call] = rhs[..] else { return None };
    let call = f.tree.unparen(call);
    let target = f.target(call)?;
    let makes = target.ty.is_none()
        && target.package == "context"
        && target.name.as_str().starts_with("With");
    let context = local(f, *lhs.first()?)?;
    (makes && local(f, *args(f.tree, call).first()?)? == context).then_some((context, call))
}

fn look(
    cx: &CheckContext<'_>,
    f: &Function<'_>,
    stmt: StmtId,
    rule: &'static str,
) -> Option<RawFinding> {
    let (context, call) = wrapped(f, stmt)?;
    let (block, _) = f.cfg.position_of(stmt)?;
    let around = f.cfg.repeating_loop(block)?;
    let body = f.tree[around.stmt].range;
    let declared = f.facts.locals[context].ident.range;
    if body.contains_range(declared) || is_reset(f, context, body) || !may_be_long(f, around, call)
    {
        return None;
    }
    let name = f.facts.locals[context].ident.name;
    let message = format!(
        "`{name}` is wrapped once more in each round of the loop: it grows, and keeps all contexts before it"
    );
    let range = f.tree[stmt].range;
    let mut found = finding(f, rule, Severity::Information, message, range);
    found.related.push(step(
        format!("`{name}` is declared outside of the loop"),
        declared,
    ));
    found
        .related
        .push(step("the loop that comes round", f.head_range(around.stmt)));
    let pattern = Pattern::GrowingContext {
        looping: around.stmt,
    };
    let site = FixSite::pattern(f.literal, call, Some(stmt), pattern, cx.in_test);
    found.site = Some(Box::new(site));
    Some(found)
}

/// Whether the variable also gets a context in the loop that is not made from its own.
fn is_reset(f: &Function<'_>, context: LocalId, body: TextRange) -> bool {
    f.tree.stmts.iter().any(|(id, stmt)| {
        let StmtKind::Assign { lhs, .. } = &stmt.kind else {
            return false;
        };
        body.contains_range(stmt.range)
            && (lhs.iter())
                .any(|e| f.facts.refs.get(f.tree.unparen(*e)) == Some(&Res::Local(context)))
            && wrapped(f, id).is_none()
    })
}

/// Whether the loop is more than a walk over what is to be put into the context: values are collected like that on purpose.
fn may_be_long(f: &Function<'_>, around: &Loop, call: ExprId) -> bool {
    let name = f.target(call).map(|t| t.name);
    if !name.is_some_and(|n| n == "WithValue" || n == "WithoutCancel") {
        return true;
    }
    match &f.tree[around.stmt].kind {
        StmtKind::For { cond, post, .. } => cond.is_none() || post.is_none(),
        StmtKind::Range { over, .. } => matches!(
            f.facts
                .types
                .get(f.tree.unparen(*over))
                .map(|ty| ty.kind().clone()),
            Some(TyKind::Chan(..))
        ),
        _ => false,
    }
}
