//! Channels in fields that only their own package can name: who sends, who receives, who closes?
//!
//! Architecture invariant: a field is counted only if each mention of its name in the package is understood. Where one is not, or the
//! channel comes from elsewhere or is handed on, nothing is said.

use std::sync::Arc;

use go_model::db::{Db, DeclId, decl_tree};
use go_model::facts::{ItemRef, Res};
use go_model::outline::TypeRef;
use go_model::package::{
    Item, PackageId, UnitKind, import_path, package_decls, package_index, package_of_decl,
};
use go_syntax::ast::{DeclTree, ExprId, ExprKind, StmtKind};
use go_syntax::{Name, NodeId};
use rustc_hash::FxHashSet;

use super::effect::effect_of_call;
use super::uses::{OpKind, Run, Uses, is_builtin, received, sent};
use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::facts;
use crate::engine::find::last_name;
use crate::engine::function::{Declaration, Depth, Function};
use crate::engine::outline::render;
use crate::engine::pattern::{finding, step};

/// Whether other packages cannot name it.
pub(super) fn is_unexported(name: Name) -> bool {
    (name.as_str().chars().next()).is_some_and(|c| c == '_' || c.is_lowercase())
}

/// The names of unexported fields that are channels, of whatever type of the package.
#[salsa::tracked(returns(clone))]
fn channel_fields(db: &dyn Db, package: PackageId) -> Arc<FxHashSet<Name>> {
    let index = package_index(db, package);
    let mut found = FxHashSet::default();
    for item in index.own_items() {
        if let Item::Type(ty) = item
            && let TypeRef::Struct(fields) = &ty.ty
        {
            found.extend(
                (fields.iter())
                    .filter(|f| matches!(f.ty, TypeRef::Chan(..)) && is_unexported(f.name))
                    .map(|f| f.name),
            );
        }
    }
    Arc::new(found)
}

/// What a package does with a channel in a field of one of its types.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Census {
    /// Somebody may have it of whom nothing is known, or it comes from elsewhere.
    unknown: bool,
    /// It is made somewhere.
    made: bool,
    /// Each time without a buffer.
    unbuffered: bool,
    sends: bool,
    receives: bool,
    closes: bool,
}

/// What the package does with the channel in a field.
#[salsa::tracked(returns(clone))]
fn census(db: &dyn Db, package: PackageId, owner: Name, field: Name) -> Census {
    let import = import_path(db, package);
    let owner = ItemRef {
        package: import,
        name: owner,
    };
    let mut found = Census {
        unbuffered: true,
        ..Census::default()
    };
    for decl in with_tests(db, package) {
        count(db, decl, owner, field, &mut found);
        if found.unknown {
            break;
        }
    }
    found
}

/// The declarations of a package and of its tests, which can name what is unexported too.
pub(super) fn with_tests(db: &dyn Db, package: PackageId) -> Vec<DeclId> {
    let unit = |kind| {
        PackageId::new(
            db,
            package.dir(db),
            package.name(db),
            kind,
            package.variant(db),
        )
    };
    let units = [unit(UnitKind::Normal), unit(UnitKind::Test)];
    (units.into_iter())
        .flat_map(|unit| package_decls(db, unit).to_vec())
        .collect()
}

fn count(db: &dyn Db, decl: DeclId, owner: ItemRef, field: Name, found: &mut Census) {
    let tree = decl_tree(db, decl);
    let mut mentions = Vec::new();
    let mut literals = Vec::new();
    for (id, expr) in tree.exprs.iter() {
        match &expr.kind {
            ExprKind::Selector { name, .. } if name.name == field => mentions.push(id),
            ExprKind::Composite { ty, elements } if !elements.is_empty() => {
                let named = ty.and_then(|ty| last_name(&tree, ty));
                let keyed = elements.iter().any(|e| {
                    (e.key).is_some_and(|k| tree.ident(k).is_some_and(|n| n.name == field))
                });
                let bare = elements.iter().all(|e| e.key.is_none());
                if keyed || bare && named.is_none_or(|n| n == owner.name) {
                    literals.push(id);
                }
            }
            _ => {}
        }
    }
    if mentions.is_empty() && literals.is_empty() {
        return;
    }
    if tree.has_error {
        found.unknown = true;
        return;
    }
    let facts = facts(db, decl);
    let d = Declaration::new(db, decl, &tree, &facts, Depth::Full);
    let uses = Uses::new(&d);
    for id in literals {
        let ExprKind::Composite { elements, .. } = &tree[id].kind else {
            continue;
        };
        let ty = facts.types.get(id);
        let named = ty.and_then(|ty| ty.as_named_or_pointer());
        match named {
            Some(n) if n.package != owner.package || n.name != owner.name => continue,
            Some(_) => {}
            // A slice or map of them, or nobody knows.
            None if ty.is_some_and(|ty| !ty.is_unknown()) => continue,
            None => {
                found.unknown = true;
                return;
            }
        }
        for element in elements {
            match element.key.and_then(|k| tree.ident(k)) {
                Some(key) if key.name != field => {}
                Some(_) => given_value(&d, element.value, found),
                None => found.unknown = true,
            }
        }
    }
    for mention in mentions {
        match facts.refs.get(mention) {
            Some(Res::Field {
                owner: Some(o),
                name,
            }) if *name == field => {
                if *o == owner {
                    operation(&d, &uses, mention, found);
                }
            }
            // Something else of that name.
            Some(Res::Field { owner: Some(_), .. } | Res::Package(_) | Res::Method(_)) => {}
            _ => found.unknown = true,
        }
    }
}

/// The field gets a value: a new channel, or none.
fn given_value(d: &Declaration<'_>, value: ExprId, found: &mut Census) {
    let value = d.tree.unparen(value);
    if d.is_nil(value) {
        return;
    }
    if !is_builtin(d, value, "make") {
        found.unknown = true;
        return;
    }
    found.made = true;
    let ExprKind::Call { args, .. } = &d.tree[value].kind else {
        return;
    };
    let none = match args.get(1) {
        None => true,
        Some(size) => d.tree.int_value(*size) == Some(0),
    };
    found.unbuffered &= none;
}

fn operation(d: &Declaration<'_>, uses: &Uses<'_, '_>, mention: ExprId, found: &mut Census) {
    let Some(op) = uses.op(mention) else {
        // Compared, dropped, or assigned.
        let assigned = uses.holder(mention).and_then(|s| match &d.tree[s].kind {
            StmtKind::Assign { lhs, rhs, .. } => {
                let at = lhs.iter().position(|e| d.tree.unparen(*e) == mention)?;
                Some((lhs.len() == rhs.len()).then(|| rhs[at]))
            }
            _ => None,
        });
        match assigned {
            Some(Some(value)) => given_value(d, value, found),
            Some(None) => found.unknown = true,
            None => {}
        }
        return;
    };
    match op.kind {
        OpKind::Send => found.sends = true,
        OpKind::Receive | OpKind::Range => found.receives = true,
        OpKind::Close => found.closes = true,
        OpKind::Measure => {}
        OpKind::Escapes => found.unknown = true,
        OpKind::Given { call, index } => {
            let effect = effect_of_call(d, call, index, 0);
            found.unknown |= effect.unknown;
            found.sends |= effect.sends;
            found.receives |= effect.receives;
            found.closes |= effect.closes;
        }
    }
}

/// What waits for ever on a channel in a field, because nobody in the package does what it waits for.
pub(crate) fn findings(cx: &CheckContext<'_>, rule: &'static str) -> Vec<RawFinding> {
    let places = candidates(cx.tree);
    if places.is_empty() {
        return Vec::new();
    }
    let package = package_of_decl(cx.db, cx.decl);
    let names = channel_fields(cx.db, package);
    let known = |place: &ExprId| field_name(cx.tree, *place).is_some_and(|n| names.contains(&n));
    if !places.iter().any(known) {
        return Vec::new();
    }
    let d = cx.declaration(Depth::Full);
    let uses = Uses::new(d);
    (places.into_iter().filter(known))
        .filter_map(|place| look(d, &uses, package, place, rule))
        .collect()
}

fn field_name(tree: &DeclTree, expr: ExprId) -> Option<Name> {
    match &tree[expr].kind {
        ExprKind::Selector { name, .. } => Some(name.name),
        _ => None,
    }
}

/// Selectors that are ranged over, received from or sent on: a question before anything is resolved.
fn candidates(tree: &DeclTree) -> Vec<ExprId> {
    received(tree)
        .chain(sent(tree))
        .filter(|e| matches!(tree[*e].kind, ExprKind::Selector { .. }))
        .collect()
}

fn look(
    d: &Declaration<'_>,
    uses: &Uses<'_, '_>,
    package: PackageId,
    place: ExprId,
    rule: &'static str,
) -> Option<RawFinding> {
    let Some(Res::Field {
        owner: Some(owner),
        name,
    }) = d.facts.refs.get(place)
    else {
        return None;
    };
    let op = uses.op(place)?;
    if owner.package != import_path(d.db, package) || op.optional {
        return None;
    }
    let known = census(d.db, package, owner.name, *name);
    if known.unknown || !known.made {
        return None;
    }
    let text = render(d.tree, place, 60);
    let (found_rule, severity, message, range) = match op.kind {
        OpKind::Receive if !known.sends && !known.closes => (
            crate::rules::orphan_receive::RULE.name,
            Severity::Information,
            format!(
                "this receive waits for ever: nothing in the package sends on `{text}` or closes it"
            ),
            d.tree[op.expr].range,
        ),
        OpKind::Send if !known.receives && known.unbuffered => (
            crate::rules::abandoned_send::RULE.name,
            Severity::Information,
            format!(
                "this send waits for ever: nothing in the package receives from `{text}`, which has no buffer"
            ),
            d.tree[op.stmt].range,
        ),
        // Workers that are meant to stay look alike.
        OpKind::Range if !known.closes && runs_in_goroutine(d, uses, op.literal) => (
            crate::rules::range_over_unclosed_channel::RULE.name,
            Severity::Hint,
            format!("this loop never ends: nothing in the package closes `{text}`"),
            d.tree[op.stmt].range,
        ),
        _ => return None,
    };
    if found_rule != rule {
        return None;
    }
    let cfg = d.cfg(op.literal)?;
    let f = Function::new(d, op.literal, &cfg);
    let range = match op.kind {
        OpKind::Range => {
            if super::unclosed::leaves_loop_of(d, op.literal, op.stmt) {
                return None;
            }
            f.head_range(op.stmt)
        }
        _ => range,
    };
    let mut found = finding(&f, rule, severity, message, range);
    found.related.push(step("it waits here", range));
    Some(found)
}

/// Whether a literal, or the whole declaration, runs in a goroutine of its own that the package starts.
fn runs_in_goroutine(d: &Declaration<'_>, uses: &Uses<'_, '_>, literal: Option<ExprId>) -> bool {
    match literal {
        Some(literal) => matches!(uses.run(literal), Run::Goroutine(_)),
        None => is_started(d.db, d.decl),
    }
}

/// Whether some `go` statement of the package starts a declared function.
pub(super) fn is_started(db: &dyn Db, decl: DeclId) -> bool {
    let name = decl.name(db);
    let all = package_decls(db, package_of_decl(db, decl));
    all.iter().any(|&other| {
        let tree = decl_tree(db, other);
        let mut calls = tree.stmts.iter().filter_map(|(_, s)| match s.kind {
            StmtKind::Go(call) => Some(tree.unparen(call)),
            _ => None,
        });
        let named = |call: &ExprId| match &tree[*call].kind {
            ExprKind::Call { func, .. } => last_name(&tree, *func) == Some(name),
            _ => false,
        };
        calls.any(|call| {
            named(&call)
                && facts(db, other)
                    .callees
                    .get(call)
                    .and_then(|callee| go_model::summary::callee_decl(db, other, callee))
                    == Some(decl)
        })
    })
}

/// Whether a declaration mentions something of this name behind a dot: a question before anything is resolved.
pub(super) fn mentions_member(tree: &DeclTree, name: Name) -> bool {
    (tree.exprs.iter())
        .any(|(_, e)| matches!(&e.kind, ExprKind::Selector { name: n, .. } if n.name == name))
}

/// The expression of a node.
pub(super) fn range_of(tree: &DeclTree, node: NodeId) -> go_syntax::TextRange {
    match node {
        NodeId::Expr(e) => tree[e].range,
        NodeId::Stmt(s) => tree[s].range,
    }
}
