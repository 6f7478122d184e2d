//! Local slices, maps and arrays that collect things.
//!
//! As long as such a variable is used in nothing but a few well-understood ways, what is put into it is still owed: until every
//! element is released in a loop, or by a function that is known to do so, or until the collection is returned. Any other use
//! (it is stored, passed on, sliced, captured …) makes another name for its elements, and then putting something in hands it on.

use go_model::facts::{Callee, LocalId, LocalKind, Res};
use go_model::summary::{ELEMENT, Fate, When};
use go_model::types::TyKind;
use go_syntax::ast::{AssignOp, BinaryOp, ExprId, ExprKind, StmtId, StmtKind};

use super::find::enclosing_literal;
use super::function::{Depth, Function};

/// Whether what is put into a local variable can be followed there.
pub(crate) fn is_collection(f: &Function<'_>, local: LocalId) -> bool {
    let l = &f.facts.locals[local];
    l.kind == LocalKind::Var
        && !l.address_taken
        && l.owner == f.literal
        && matches!(
            l.ty.kind(),
            TyKind::Slice(_) | TyKind::Map(..) | TyKind::Array(..)
        )
        && (f.d.values(local).into_iter()).all(|v| v.is_some_and(|v| is_own_value(f, local, v)))
        && captured_harmlessly(f, local)
        && is_used_harmlessly(f, local)
}

/// A value that nobody else knows: `nil`, `make(…)`, a composite literal, `append` to the variable itself.
fn is_own_value(f: &Function<'_>, local: LocalId, value: ExprId) -> bool {
    let value = f.tree.unparen(value);
    if f.is_nil(value) {
        return true;
    }
    match &f.tree[value].kind {
        ExprKind::Composite { .. } => true,
        ExprKind::Call { args, .. } => match f.facts.callees.get(value) {
            Some(Callee::Builtin(name)) if *name == "make" => true,
            Some(Callee::Builtin(name)) if *name == "append" => {
                args.first().is_some_and(|a| denotes(f, *a, local))
            }
            _ => false,
        },
        _ => false,
    }
}

fn denotes(f: &Function<'_>, expr: ExprId, local: LocalId) -> bool {
    f.facts.refs.get(f.tree.unparen(expr)) == Some(&Res::Local(local))
}

/// Only literals that run here and are handed to nobody see the variable, or such as are returned themselves.
fn captured_harmlessly(f: &Function<'_>, local: LocalId) -> bool {
    if !f.facts.locals[local].captured {
        return true;
    }
    f.facts.literals.iter().all(|(literal, facts)| {
        Some(literal) == f.literal
            || !facts.captures.contains(&local)
            || facts.parent != f.literal
            || f.is_deferred_literal(literal)
            || f.is_called_at_once(literal)
            || in_return(f, literal)
            || f.literal_local(literal)
                .is_some_and(|held| is_only_called(f, held))
    }) && f.facts.literals.iter().all(|(_, facts)| {
        // A literal inside such a literal is more than this looks at.
        facts.parent == f.literal || !facts.captures.contains(&local)
    })
}

/// Whether a variable that holds a function literal is called and deferred, and nothing else.
fn is_only_called(f: &Function<'_>, local: LocalId) -> bool {
    let start = f.facts.locals[local].ident.range.start();
    f.d.mentions(local).iter().all(|(mention, place)| {
        if *place == start {
            return true;
        }
        let called = f.d.parent(*mention).filter(
            |p| matches!(&f.tree[*p].kind, ExprKind::Call { func, .. } if *func == *mention),
        );
        let launched = |call: ExprId| {
            f.tree
                .stmts
                .iter()
                .any(|(_, s)| matches!(s.kind, StmtKind::Go(c) if f.tree.unparen(c) == call))
        };
        called.is_some_and(|call| !launched(call))
    })
}

/// Whether an expression is part of what a `return` of the function gives back.
fn in_return(f: &Function<'_>, expr: ExprId) -> bool {
    let range = f.tree[expr].range;
    f.tree.stmts.iter().any(|(_, s)| {
        matches!(s.kind, StmtKind::Return(_))
            && s.range.contains_range(range)
            && enclosing_literal(f.tree, s.range) == f.literal
    })
}

fn is_used_harmlessly(f: &Function<'_>, local: LocalId) -> bool {
    let mut stored = false;
    let mut deferred = false;
    for (mention, place) in f.d.mentions(local) {
        if *place == f.facts.locals[local].ident.range.start() {
            continue;
        }
        match known_use(f, local, *mention) {
            None => return false,
            Some(Use::Store) => stored = true,
            Some(Use::Deferred) => deferred = true,
            Some(Use::Other) => {}
        }
    }
    // The arguments of a deferred call are evaluated at once. What is stored in place later is seen all the same.
    !(stored && deferred)
}

enum Use {
    /// An element is stored.
    Store,
    /// It goes to a deferred call.
    Deferred,
    Other,
}

fn known_use(f: &Function<'_>, local: LocalId, mention: ExprId) -> Option<Use> {
    let tree = f.tree;
    let mut at = mention;
    let mut parent = f.d.parent(at);
    while let Some(p) = parent
        && matches!(tree[p].kind, ExprKind::Paren(_))
    {
        at = p;
        parent = f.d.parent(p);
    }
    let Some(parent) = parent else {
        let known = tree.stmts.iter().any(|(_, s)| match &s.kind {
            StmtKind::Assign { lhs, op, .. } => !matches!(op, AssignOp::Op(_)) && lhs.contains(&at),
            StmtKind::Range { over, .. } => *over == at,
            _ => false,
        });
        return (known || in_return(f, mention)).then_some(Use::Other);
    };
    let known = match &tree[parent].kind {
        ExprKind::Call { args, spread, .. } if args.contains(&at) => {
            match f.facts.callees.get(parent) {
                Some(Callee::Builtin(name)) => match name.as_str() {
                    "len" | "cap" => Some(Use::Other),
                    "append" => {
                        (args.first() == Some(&at) && !spread && is_assigned_to(f, parent, local))
                            .then_some(Use::Other)
                    }
                    _ => None,
                },
                _ => given_to(f, parent, args.iter().position(|a| *a == at)?),
            }
        }
        ExprKind::Binary {
            op: BinaryOp::Eq | BinaryOp::Ne,
            lhs,
            rhs,
        } => (f.is_nil(*lhs) || f.is_nil(*rhs)).then_some(Use::Other),
        ExprKind::Index { base, indices } if *base == at => {
            if is_target(f, parent) {
                Some(Use::Store)
            } else {
                let key = indices.first().and_then(|i| range_of_key(f, *i));
                key.is_some_and(|stmt| ranges_over(f, stmt, local))
                    .then_some(Use::Other)
            }
        }
        _ => None,
    };
    known.or_else(|| in_return(f, mention).then_some(Use::Other))
}

/// A function gets the collection: one that releases the elements.
fn given_to(f: &Function<'_>, call: ExprId, index: usize) -> Option<Use> {
    for (_, stmt) in f.tree.stmts.iter() {
        match stmt.kind {
            StmtKind::Go(c) if f.tree.unparen(c) == call => return None,
            StmtKind::Defer(c) if f.tree.unparen(c) == call => {
                return releases_elements(f, call, index).then_some(Use::Deferred);
            }
            _ => {}
        }
    }
    releases_elements(f, call, index).then_some(Use::Other)
}

fn releases_elements(f: &Function<'_>, call: ExprId, index: usize) -> bool {
    if f.d.depth == Depth::Shallow {
        return true;
    }
    let Some(summary) = f.summary(call) else {
        return false;
    };
    let effect = summary.param(index);
    effect.fate == Fate::Borrowed
        && effect.flows.is_empty()
        && effect.releases.iter().any(|r| {
            r.path.first().is_some_and(|p| *p == ELEMENT)
                && matches!(r.when, When::Always | When::If(..))
        })
}

fn is_assigned_to(f: &Function<'_>, value: ExprId, local: LocalId) -> bool {
    f.tree.stmts.iter().any(|(_, s)| match &s.kind {
        StmtKind::Assign { lhs, rhs, .. } if lhs.len() == rhs.len() => lhs
            .iter()
            .zip(rhs)
            .any(|(l, r)| f.tree.unparen(*r) == value && denotes(f, *l, local)),
        _ => false,
    })
}

/// Whether an expression is what a plain assignment assigns to.
fn is_target(f: &Function<'_>, expr: ExprId) -> bool {
    f.tree.stmts.iter().any(|(_, s)| {
        matches!(&s.kind, StmtKind::Assign { lhs, op, .. }
            if *op == AssignOp::Assign && lhs.iter().any(|l| f.tree.unparen(*l) == expr))
    })
}

/// The `range` statement whose first variable an expression is.
pub(crate) fn range_of_key(f: &Function<'_>, expr: ExprId) -> Option<StmtId> {
    let Some(Res::Local(local)) = f.facts.refs.get(f.tree.unparen(expr)) else {
        return None;
    };
    let l = &f.facts.locals[*local];
    if l.kind != LocalKind::Range || l.assignments != 1 {
        return None;
    }
    f.tree.stmts.iter().find_map(|(id, s)| match &s.kind {
        StmtKind::Range {
            key: Some(key),
            define: true,
            ..
        } => denotes(f, *key, *local).then_some(id),
        _ => None,
    })
}

fn ranges_over(f: &Function<'_>, stmt: StmtId, local: LocalId) -> bool {
    matches!(&f.tree[stmt].kind, StmtKind::Range { over, .. } if denotes(f, *over, local))
}
