//! What the rules share that look at the shape of the code rather than follow a thing through it.

use go_model::cfg::{BlockId, BlockSet, Cond, Terminator};
use go_model::facts::{LocalId, Res};
use go_syntax::TextRange;
use go_syntax::ast::{
    AssignOp, BinaryOp, DeclTree, ExprId, ExprKind, LiteralKind, StmtId, StmtKind,
};

use super::find::{enclosing_literal, last_name};
use super::function::{Depth, Function};
use crate::Severity;
use crate::check::{CheckContext, RawFinding, RawRelated};

/// Whether some `defer` stands between an assignment of several values and an `if`: a question before anything is resolved.
pub(crate) fn defers_before_check(tree: &DeclTree) -> bool {
    let stmts = || tree.stmts.iter().map(|(_, stmt)| stmt);
    stmts()
        .filter(|stmt| matches!(stmt.kind, StmtKind::Defer(_)))
        .any(|defer| {
            let before = stmts()
                .filter(|s| s.range.end() <= defer.range.start())
                .max_by_key(|s| (s.range.end(), s.range.len()));
            let after = stmts()
                .filter(|s| s.range.start() >= defer.range.end())
                .min_by_key(|s| (s.range.start(), std::cmp::Reverse(s.range.len())));
            let assigns = before.is_some_and(|s| match &s.kind {
                StmtKind::Assign { lhs, .. } => lhs.len() > 1,
                StmtKind::Var(_) | StmtKind::Defer(_) => true,
                _ => false,
            });
            assigns
                && after.is_some_and(|s| matches!(s.kind, StmtKind::If { .. } | StmtKind::Defer(_)))
        })
}

/// Runs a look at each function of a declaration: first without looking into what is called, and only where that finds something
/// with it.
pub(crate) fn check(
    cx: &CheckContext<'_>,
    look: &dyn Fn(&Function<'_>) -> Vec<RawFinding>,
) -> Vec<RawFinding> {
    let at = |depth| {
        let d = cx.declaration(depth);
        let mut found = Vec::new();
        for literal in functions(cx.tree) {
            let Some(cfg) = d.cfg(literal) else { continue };
            if !cfg.truncated {
                found.extend(look(&Function::new(d, literal, &cfg)));
            }
        }
        found
    };
    if at(Depth::Shallow).is_empty() {
        return Vec::new();
    }
    let mut found = at(Depth::Full);
    found.sort_by_key(|finding| finding.range.start());
    found
}

/// The declaration's own body and its function literals.
pub(crate) fn functions(tree: &DeclTree) -> impl Iterator<Item = Option<ExprId>> + '_ {
    let literals = tree
        .exprs
        .iter()
        .filter(|(_, e)| matches!(e.kind, ExprKind::FuncLit(_)))
        .map(|(id, _)| Some(id));
    std::iter::once(None).chain(literals)
}

/// A finding without steps and fixes.
pub(crate) fn finding(
    f: &Function<'_>,
    rule: &'static str,
    severity: Severity,
    message: String,
    range: TextRange,
) -> RawFinding {
    RawFinding {
        rule,
        severity,
        message,
        range,
        function: Some(f.name()),
        related: Vec::new(),
        site: None,
    }
}

/// A step of a finding's path in its own declaration.
pub(crate) fn step(message: impl Into<String>, range: TextRange) -> RawRelated {
    RawRelated {
        message: message.into(),
        file: None,
        range,
    }
}

/// The calls of a package-level function in a function that are not in literals of it.
pub(crate) fn calls(f: &Function<'_>, package: &str, name: &str) -> Vec<ExprId> {
    let tree = f.tree;
    tree.exprs
        .iter()
        .filter(|(id, expr)| match &expr.kind {
            ExprKind::Call { func, .. } => {
                last_name(tree, *func).is_some_and(|n| n == name)
                    && f.target(*id).is_some_and(|t| t.is_func(package, name))
                    && enclosing_literal(tree, expr.range) == f.literal
            }
            _ => false,
        })
        .map(|(id, _)| id)
        .collect()
}

/// Whether a package-level function is called anywhere in the declaration.
pub(crate) fn mentions_call(f: &Function<'_>, package: &str, name: &str) -> bool {
    f.tree.exprs.iter().any(|(id, expr)| {
        matches!(expr.kind, ExprKind::Call { .. })
            && f.target(id).is_some_and(|t| t.is_func(package, name))
    })
}

/// The innermost statement around an expression.
pub(crate) fn statement_around(f: &Function<'_>, expr: ExprId) -> Option<StmtId> {
    let range = f.tree[expr].range;
    f.tree
        .stmts
        .iter()
        .filter(|(_, s)| s.range.contains_range(range))
        .min_by_key(|(_, s)| s.range.len())
        .map(|(id, _)| id)
}

/// The statement and the local of `x := value`, `x = value` and `var x = value`.
pub(crate) fn sole_value(f: &Function<'_>, value: ExprId) -> Option<(StmtId, LocalId)> {
    let stmt = statement_around(f, value)?;
    let is = |e: ExprId| f.tree.unparen(e) == value;
    let local = match &f.tree[stmt].kind {
        StmtKind::Assign {
            lhs,
            rhs,
            op: AssignOp::Define | AssignOp::Assign,
        } => match (&lhs[..], &rhs[..]) {
            ([target], [only]) if is(*only) => local(f, *target)?,
            _ => return None,
        },
        StmtKind::Var(specs) => match &specs[..] {
            [spec] if spec.names.len() == 1 && spec.values.len() == 1 && is(spec.values[0]) => {
                f.declared_at(spec.names[0].range)?
            }
            _ => return None,
        },
        _ => return None,
    };
    Some((stmt, local))
}

/// Whether a mention of a local is on the left of the statement that gives it its value.
pub(crate) fn declares(f: &Function<'_>, mention: ExprId, stmt: StmtId) -> bool {
    match &f.tree[stmt].kind {
        StmtKind::Assign { lhs, .. } => lhs.iter().any(|l| f.tree.unparen(*l) == mention),
        _ => false,
    }
}

/// Where a block that returns does so.
pub(crate) fn exit_range(f: &Function<'_>, block: BlockId) -> TextRange {
    match f.cfg[block].terminator {
        Terminator::Return(Some(stmt)) => f.tree[stmt].range,
        _ => f.end_range(),
    }
}

/// The arguments of a call.
pub(crate) fn args(tree: &DeclTree, call: ExprId) -> &[ExprId] {
    match &tree[tree.unparen(call)].kind {
        ExprKind::Call { args, .. } => args,
        _ => &[],
    }
}

/// The local that an expression is.
pub(crate) fn local(f: &Function<'_>, expr: ExprId) -> Option<LocalId> {
    match f.facts.refs.get(f.tree.unparen(expr)) {
        Some(Res::Local(local)) => Some(*local),
        _ => None,
    }
}

/// The blocks from which control goes on behind `from`, with `from`; the channel of a ticker is never closed.
pub(crate) fn reach(f: &Function<'_>, from: BlockId) -> BlockSet {
    let mut seen = BlockSet::new(f.cfg.blocks.len());
    let mut stack = vec![from];
    seen.insert(from);
    while let Some(block) = stack.pop() {
        let mut visit = |to| {
            if seen.insert(to) {
                stack.push(to);
            }
        };
        match &f.cfg[block].terminator {
            Terminator::Branch {
                cond: Cond::RangeNext(stmt),
                then,
                ..
            } if f.never_ends(*stmt) => visit(*then),
            other => other.for_each_successor(visit),
        }
    }
    seen
}

/// A block behind `from` in which the function returns in the ordinary way.
pub(crate) fn returns_after(f: &Function<'_>, from: BlockId) -> Option<BlockId> {
    reach(f, from)
        .iter()
        .find(|b| matches!(f.cfg[*b].terminator, Terminator::Return(_)))
}

/// The value of a constant `time.Duration` in nanoseconds, as far as it is written out: `5 * time.Second`.
pub(crate) fn duration(f: &Function<'_>, expr: ExprId) -> Option<i128> {
    let expr = f.tree.unparen(expr);
    match &f.tree[expr].kind {
        ExprKind::Literal(literal) if literal.kind == LiteralKind::Int => {
            literal.int_value().map(i128::from)
        }
        ExprKind::Selector { .. } => match f.facts.refs.get(expr) {
            Some(Res::Package(item)) if item.package == "time" => unit(item.name.as_str()),
            _ => None,
        },
        ExprKind::Binary { op, lhs, rhs } => {
            let (a, b) = (duration(f, *lhs)?, duration(f, *rhs)?);
            match op {
                BinaryOp::Mul => a.checked_mul(b),
                BinaryOp::Add => a.checked_add(b),
                BinaryOp::Sub => a.checked_sub(b),
                BinaryOp::Div => a.checked_div(b),
                _ => None,
            }
        }
        // `time.Duration(5)`
        ExprKind::Call { args, .. } => match &args[..] {
            [only]
                if matches!(
                    f.facts.callees.get(expr),
                    Some(go_model::facts::Callee::Conversion)
                ) =>
            {
                duration(f, *only)
            }
            _ => None,
        },
        _ => None,
    }
}

fn unit(name: &str) -> Option<i128> {
    Some(match name {
        "Nanosecond" => 1,
        "Microsecond" => 1_000,
        "Millisecond" => 1_000_000,
        "Second" => 1_000_000_000,
        "Minute" => 60_000_000_000,
        "Hour" => 3_600_000_000_000,
        _ => return None,
    })
}
