//! Large buffers that a function which lives long captures, only to measure them or to look at a small part.

use go_model::facts::{Callee, LocalKind, Res};
use go_model::types::TyKind;
use go_syntax::Literals;
use go_syntax::ast::{ExprId, ExprKind, StmtId, StmtKind, UnaryOp};

use super::buffer::{self, Buffer, buffers};
use super::function_name;
use super::number::integer;
use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::find::enclosing_literal;
use crate::engine::function::{Declaration, Depth};
use crate::engine::pattern::step;
use crate::engine::site::{FixSite, Pattern, Retained};

/// A part of this size is small.
const SMALL: i128 = 1024;

/// The buffers of a declaration that are captured without need.
pub(crate) fn findings(cx: &CheckContext<'_>, rule: &'static str) -> Vec<RawFinding> {
    if !buffer::may_have(cx.tree) || crate::engine::runs_once(cx) {
        return Vec::new();
    }
    let d = cx.declaration(Depth::Shallow);
    let mut found = Vec::new();
    for buffer in buffers(d) {
        for (literal, facts) in d.facts.literals.iter() {
            if facts.parent == buffer.literal
                && facts.captures.contains(&buffer.local)
                && let Some(finding) = report(cx, d, &buffer, literal, rule)
            {
                found.push(finding);
            }
        }
    }
    found.sort_by_key(|finding| finding.range.start());
    found
}

/// What a function literal wants of a buffer.
fn wanted(d: &Declaration<'_>, buffer: &Buffer, literal: ExprId) -> Option<Vec<ExprId>> {
    let inside = d.tree[literal].range;
    let mut parts = Vec::new();
    for (mention, _) in d.mentions(buffer.local) {
        if !inside.contains_range(d.tree[*mention].range) {
            continue;
        }
        let parent = d.parent(*mention)?;
        let little = match &d.tree[parent].kind {
            ExprKind::Call { .. } => {
                matches!(d.facts.callees.get(parent), Some(Callee::Builtin(name)) if *name == "len")
            }
            ExprKind::Slice {
                base,
                low,
                high: Some(high),
                max: None,
            } => {
                let number = |e: ExprId| integer(d, e);
                let low = low.map_or(Some(0), number);
                *base == *mention
                    && number(*high)
                        .zip(low)
                        .is_some_and(|(high, low)| (0..=SMALL).contains(&(high - low)))
            }
            _ => false,
        };
        if !little {
            return None;
        }
        parts.push(parent);
    }
    (!parts.is_empty()).then_some(parts)
}

fn report(
    cx: &CheckContext<'_>,
    d: &Declaration<'_>,
    buffer: &Buffer,
    literal: ExprId,
    rule: &'static str,
) -> Option<RawFinding> {
    let about = &d.facts.locals[buffer.local];
    if about.assignments != 1 || about.address_taken || about.kind != LocalKind::Var {
        return None;
    }
    let parts = wanted(d, buffer, literal)?;
    let (stmt, what) = lives_long(d, literal)?;
    if is_kept(d, buffer, literal) {
        return None;
    }
    let name = about.ident.name;
    let measures = parts
        .iter()
        .all(|part| matches!(d.tree[*part].kind, ExprKind::Call { .. }));
    // A goroutine takes what it captures out of its function when it begins, and a length without the pointer keeps nothing.
    if measures && matches!(d.tree[stmt].kind, StmtKind::Go(_)) {
        return None;
    }
    let wants = if measures {
        "its length"
    } else {
        "a small part of it"
    };
    let range = d.tree[buffer.call].range;
    let alike = parts.iter().all(|part| is_alike(d, *part, parts[0]));
    let inner = enclosing_literal(d.tree, d.tree[stmt].range);
    let site = (alike && inner == buffer.literal).then(|| {
        let retained = Retained::Captured {
            measures,
            bytes: super::flow::is_bytes(&about.ty),
        };
        let pattern = Pattern::Retained(retained);
        let mut site =
            FixSite::pattern(buffer.literal, buffer.call, Some(stmt), pattern, cx.in_test);
        site.parts = parts;
        Box::new(site)
    });
    Some(RawFinding {
        rule,
        severity: Severity::Hint,
        message: format!(
            "all of `{name}` stays in memory as long as {what} that needs {wants} only"
        ),
        range,
        function: function_name(cx, buffer.literal),
        related: vec![step(
            format!("`{name}` is captured here"),
            d.tree[literal].range,
        )],
        site,
    })
}

fn is_alike(d: &Declaration<'_>, a: ExprId, b: ExprId) -> bool {
    match (&d.tree[a].kind, &d.tree[b].kind) {
        (ExprKind::Call { .. }, ExprKind::Call { .. }) => true,
        (
            ExprKind::Slice { low, high, .. },
            ExprKind::Slice {
                low: other_low,
                high: other_high,
                ..
            },
        ) => {
            let number = |e: &Option<ExprId>| e.map_or(Some(0), |e| integer(d, e));
            number(low) == number(other_low) && number(high) == number(other_high)
        }
        _ => false,
    }
}

/// The statement that starts or stores a function that lives long, and which it is.
fn lives_long(d: &Declaration<'_>, literal: ExprId) -> Option<(StmtId, &'static str)> {
    d.tree.stmts.iter().find_map(|(id, stmt)| match &stmt.kind {
        StmtKind::Go(call) => {
            let ExprKind::Call { func, .. } = &d.tree[d.tree.unparen(*call)].kind else {
                return None;
            };
            (d.tree.unparen(*func) == literal && waits(d, literal))
                .then_some((id, "the goroutine runs"))
        }
        StmtKind::Return(values) => values
            .iter()
            .any(|v| d.tree.unparen(*v) == literal)
            .then_some((id, "somebody has the returned function")),
        StmtKind::Assign { lhs, rhs, .. } if lhs.len() == rhs.len() => {
            let at = rhs.iter().position(|r| d.tree.unparen(*r) == literal)?;
            let target = d.tree.unparen(lhs[at]);
            let stored = match d.facts.refs.get(target) {
                Some(Res::Package(_) | Res::Field { .. }) => true,
                _ => matches!(d.tree[target].kind, ExprKind::Index { .. }),
            };
            stored.then_some((id, "the function is stored"))
        }
        _ => None,
    })
}

/// Whether a goroutine goes on and on: an endless loop, or one over a channel.
fn waits(d: &Declaration<'_>, literal: ExprId) -> bool {
    let Some(lit) = d.tree.func_lit(literal) else {
        return false;
    };
    d.tree.walk_literal(lit, Literals::Skip).any(|node| {
        node.stmt().is_some_and(|stmt| match &d.tree[stmt].kind {
            StmtKind::For { cond: None, .. } => true,
            StmtKind::Range { over, .. } => d
                .facts
                .types
                .get(*over)
                .is_some_and(|ty| matches!(ty.kind(), TyKind::Chan(..))),
            _ => false,
        })
    })
}

/// Whether the buffer is kept as a whole elsewhere too.
fn is_kept(d: &Declaration<'_>, buffer: &Buffer, literal: ExprId) -> bool {
    let inside = d.tree[literal].range;
    d.mentions(buffer.local).iter().any(|(mention, _)| {
        let range = d.tree[*mention].range;
        if inside.contains_range(range) || d.facts.locals[buffer.local].ident.range == range {
            return false;
        }
        if enclosing_literal(d.tree, range) != buffer.literal {
            return true;
        }
        match d.parent(*mention).map(|p| &d.tree[p].kind) {
            None => d.tree.stmts.iter().any(|(_, stmt)| match &stmt.kind {
                StmtKind::Return(values) => values.contains(mention),
                StmtKind::Send { value, .. } => value == mention,
                StmtKind::Assign { rhs, .. } => rhs.contains(mention),
                _ => false,
            }),
            Some(ExprKind::Composite { .. }) => true,
            Some(ExprKind::Unary { op, .. }) => *op == UnaryOp::Address,
            Some(_) => false,
        }
    })
}
