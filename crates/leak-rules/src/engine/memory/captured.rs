//! Local variables that outlive many calls: a handler that was made in the same function keeps them.

use go_model::facts::{LocalId, LocalKind};
use go_syntax::TextRange;
use go_syntax::ast::{DeclTree, ExprKind, StmtKind};

use super::body::{self, Body};
use super::place::{Shelf, shelf};
use super::repeat::{Runs, is_handler, repeated, runs};
use super::report::name_of;
use super::source::{Source, Through};
use super::uses::{Op, done_with};
use super::verdict::is_real;
use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::pattern::step;
use crate::engine::site::{FixSite, Pattern};

/// Collections in local variables that handlers make grow, and nothing in the declaration makes smaller.
pub(super) fn findings(
    cx: &CheckContext<'_>,
    rule: &'static str,
    shelves: &[Shelf],
) -> Vec<RawFinding> {
    if !may_capture(cx.tree) || !is_real(cx.db, cx.decl.file(cx.db)) {
        return Vec::new();
    }
    body::with(cx.db, cx.decl, |body| {
        let handles = body.tree.exprs.iter().any(|(id, e)| match &e.kind {
            ExprKind::FuncLit(literal) => {
                let facts = body.facts.literals.get(id);
                is_handler(
                    body,
                    facts.map_or(&[][..], |l| &l.params),
                    &literal.signature,
                )
            }
            _ => false,
        });
        if !handles {
            return Vec::new();
        }
        let locals = body.facts.locals.iter().map(|(id, _)| id);
        locals
            .filter_map(|local| look(cx, body, local, rule, shelves))
            .collect()
    })
    .unwrap_or_default()
}

/// Whether a function literal with parameters makes something grow that is called by a plain name: a question before anything is
/// resolved.
fn may_capture(tree: &DeclTree) -> bool {
    let literals: Vec<TextRange> = (tree.exprs.iter())
        .filter_map(|(_, e)| match &e.kind {
            ExprKind::FuncLit(lit) if !lit.signature.params.is_empty() => Some(lit.body.range),
            _ => None,
        })
        .collect();
    if literals.is_empty() {
        return false;
    }
    let inside = |range: TextRange| literals.iter().any(|l| l.contains_range(range));
    tree.stmts.iter().any(|(_, stmt)| {
        let target = match &stmt.kind {
            StmtKind::Assign { lhs, .. } if lhs.len() == 1 => lhs[0],
            StmtKind::IncDec { operand, .. } => *operand,
            _ => return false,
        };
        let target = match &tree[tree.unparen(target)].kind {
            ExprKind::Index { base, .. } => *base,
            _ => target,
        };
        tree.ident(target).is_some() && inside(stmt.range)
    })
}

fn look(
    cx: &CheckContext<'_>,
    body: &Body<'_>,
    local: LocalId,
    rule: &'static str,
    shelves: &[Shelf],
) -> Option<RawFinding> {
    let l = &body.facts.locals[local];
    if !l.captured || l.kind != LocalKind::Var || l.address_taken {
        return None;
    }
    let kind = shelf(&body.view(), &l.ty).filter(|s| shelves.contains(s))?;
    let ops = done_with(body, local, kind);
    let only_grows = (ops.iter()).all(|(op, ..)| matches!(op, Op::Grow(_) | Op::Blank));
    let (at, mention, stmt) = ops.iter().find_map(|(op, at, mention, stmt)| match op {
        Op::Grow(growth)
            if growth.runs == Runs::Handler
                && matches!(growth.key, Source::Input(Through::Straight)) =>
        {
            Some((*at, *mention, *stmt))
        }
        _ => None,
    })?;
    if !only_grows || body.literal(mention) == l.owner {
        return None;
    }
    // The variable itself must not be made for each request.
    let made = match l.owner {
        Some(literal) => runs(body, literal),
        None => match body.tree.func() {
            Some(f) if is_handler(body, &body.facts.params, &f.signature) => Runs::Handler,
            _ => Runs::Function,
        },
    };
    let owner_handles = l.owner.is_some_and(|literal| {
        let facts = body.facts.literals.get(literal);
        (body.tree.func_lit(literal)).is_some_and(|lit| {
            is_handler(body, facts.map_or(&[][..], |f| &f.params), &lit.signature)
        })
    });
    if owner_handles
        || matches!(made, Runs::Handler | Runs::Loop)
        || repeated(cx.db, cx.decl, 0).is_some()
    {
        return None;
    }
    let name = l.ident.name;
    let what = match kind {
        Shelf::Map | Shelf::SyncMap => "an entry for each new key",
        Shelf::Slice | Shelf::List => "another element",
    };
    let message = format!(
        "`{name}`, which this handler keeps, gets {what} for every request, and nothing takes one out or limits their number"
    );
    let site = FixSite::pattern(
        body.literal(mention),
        mention,
        stmt,
        Pattern::Bound {
            map: kind == Shelf::Map,
        },
        cx.in_test,
    );
    let fixable = matches!(kind, Shelf::Map | Shelf::Slice) && stmt.is_some();
    Some(RawFinding {
        rule,
        severity: match kind {
            Shelf::Map | Shelf::SyncMap => Severity::Information,
            Shelf::Slice | Shelf::List => Severity::Hint,
        },
        message,
        range: at,
        function: Some(name_of(cx.db, cx.decl)),
        related: vec![
            step("it is made here, once for all requests", l.ident.range),
            step("it grows here", at),
        ],
        site: fixable.then(|| Box::new(site)),
    })
}
