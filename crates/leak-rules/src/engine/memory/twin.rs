//! Collections side by side in one type, of which one loses its entries and the other keeps them.
//!
//! That a sibling loses entries again and again shows that values of the type live long enough for it to matter; what keeps them was
//! forgotten, or is not meant to.

use std::sync::Arc;

use go_model::db::{Db, DeclId};
use go_model::outline::TypeRef;
use go_model::package::{Item, PackageId, package_item, package_methods};
use go_model::types::TyKind;
use go_syntax::ast::{DeclTree, ExprId, ExprKind, StmtId, StmtKind};
use go_syntax::{Name, NodeId, TextRange};

use super::body::{self, Body};
use super::index::{fields, imported_fields, may_hold, who_mentions};
use super::place::{Place, place};
use super::repeat::Runs;
use super::shape::shape;
use super::source::Source;
use super::uses::{Growth, Op, Use, ops, uses};
use super::verdict::is_reachable;

/// What shows that a place keeps what its sibling loses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// Its elements are set to nothing where the sibling loses one.
    Blanked,
    /// Both get an entry at once, by the same key, or the key of one is what the other holds.
    Paired,
    /// Its keys are those that the sibling has.
    Follows,
    /// By the same key the one gets an entry, or the other gets or loses one.
    Keyed,
    /// Where it grows, the sibling loses entries.
    Beside,
}

/// A sibling that loses entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Twin {
    pub(crate) sibling: Place,
    /// Where the sibling does.
    pub(crate) decl: DeclId,
    pub(crate) sign: Sign,
    /// Values of the type are plainly shared or long-lived.
    pub(crate) lasting: bool,
}

impl Twin {
    /// Whether the same things are put into both.
    pub(crate) fn is_sure(&self) -> bool {
        self.lasting && matches!(self.sign, Sign::Blanked | Sign::Paired | Sign::Follows)
    }
}

/// Where a place grows whose sibling loses what it keeps.
pub(super) fn twin(
    db: &dyn Db,
    package: PackageId,
    place: Place,
    grows: &[(DeclId, Growth)],
    lives: bool,
) -> Option<(DeclId, Growth, Twin)> {
    let Place::Field(ty, name) = place else {
        return None;
    };
    let item = package_item(db, package, ty)?;
    let lasting = lives || is_lasting(db, &item);
    let mut found: Option<(DeclId, Growth, Twin)> = None;
    // Siblings that lose an entry by a key by which the place gets one. Of what may be short-lived one is not enough.
    let mut lost: Vec<Place> = Vec::new();
    for sibling in siblings(&item, name) {
        let sibling = Place::Field(ty, sibling);
        let losing = losing(db, package, sibling);
        let Some(&(loses, by_key)) = losing.iter().max_by_key(|(_, by_key)| *by_key) else {
            continue;
        };
        let blanked =
            (losing.iter()).find(|(decl, _)| ops(db, *decl).contains(&(place, Op::Blank)));
        for (grown, growth) in grows {
            let from_outside = growth.key > Source::Unknown;
            let pairs = pairs(db, *grown);
            let paired = |kind: Kind| {
                (pairs.iter()).any(|p| p.place == place && p.with == sibling && p.kind == kind)
            };
            if paired(Kind::OneShrinks) && !lost.contains(&sibling) {
                lost.push(sibling);
            }
            let (sign, decl) = if let Some((decl, _)) = blanked.filter(|_| from_outside) {
                (Sign::Blanked, *decl)
            } else if lasting && by_key && paired(Kind::Follows) {
                (Sign::Follows, loses)
            } else if !from_outside {
                continue;
            } else if lasting && by_key && paired(Kind::Together) {
                (Sign::Paired, loses)
            } else if lasting && by_key && paired(Kind::SameKey) {
                (Sign::Keyed, loses)
            } else if lost.contains(&sibling) && (lasting || lost.len() > 1)
                || lasting && paired(Kind::OneShrinksHere)
            {
                (Sign::Keyed, *grown)
            } else if lasting
                && found.is_none()
                && let Some(decl) = removes_beside(db, package, ty, *grown, place, sibling)
            {
                (Sign::Beside, decl)
            } else {
                continue;
            };
            let twin = Twin {
                sibling,
                decl,
                sign,
                lasting,
            };
            let better = found.is_none() || twin.is_sure();
            if better && is_reachable(db, *grown, place) {
                let sure = twin.is_sure();
                found = Some((*grown, *growth, twin));
                if sure {
                    return found;
                }
            }
        }
    }
    found
}

/// The other fields of a type that may hold a collection.
fn siblings(item: &Item, name: Name) -> Vec<Name> {
    let mut found = Vec::new();
    fields(item, &mut |_, field, ty| {
        if field != name && may_hold(ty) {
            found.push(field);
        }
    });
    found
}

/// Whether values of a type are shared or wait for something: there is a lock, a channel or a context in it.
fn is_lasting(db: &dyn Db, item: &Item) -> bool {
    let mut found = false;
    fields(item, &mut |_, _, field| {
        found |= match field {
            TypeRef::Pointer(inner) => matches!(**inner, TypeRef::Chan(..)),
            other => matches!(other, TypeRef::Chan(..)),
        };
    });
    let shares = |(package, name): &(Name, Name)| match package.as_str() {
        "sync" => matches!(
            name.as_str(),
            "Mutex" | "RWMutex" | "Map" | "Cond" | "WaitGroup"
        ),
        "context" => matches!(name.as_str(), "Context" | "CancelFunc"),
        _ => false,
    };
    found || imported_fields(db, item).iter().any(shares)
}

/// The declarations in which a place loses elements other than all of them, and whether by a key that is known there.
fn losing(db: &dyn Db, package: PackageId, place: Place) -> Vec<(DeclId, bool)> {
    let Some(mentions) = who_mentions(db, package, place.name()) else {
        return Vec::new();
    };
    // What has a limit makes room by it: an entry that goes says nothing about the sibling's.
    let limited = |decl: &DeclId| {
        let ops = ops(db, *decl);
        ops.contains(&(place, Op::Guard))
            && ops
                .iter()
                .any(|(at, op)| *at == place && matches!(op, Op::Grow(_)))
    };
    if mentions.iter().any(limited) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for &decl in mentions.iter() {
        let removes = ops(db, decl)
            .iter()
            .any(|(at, op)| *at == place && matches!(op, Op::Remove(runs) if *runs != Runs::Once));
        let cut = || {
            ops(db, decl)
                .iter()
                .any(|(at, op)| *at == place && *op == Op::Reset)
                && cuts(db, decl, place)
        };
        if removes {
            found.push((decl, removes_some(db, decl, place)));
        } else if cut() {
            found.push((decl, false));
        }
    }
    found
}

/// Whether a slice is set to a part of itself.
fn cuts(db: &dyn Db, decl: DeclId, place: Place) -> bool {
    let found = body::with(db, decl, |body| {
        uses(db, decl).iter().any(|used| {
            used.place == place
                && used.op == Op::Reset
                && used.stmt.is_some_and(|stmt| match &body.tree[stmt].kind {
                    StmtKind::Assign { rhs, .. } => rhs.iter().any(|value| {
                        let value = body.tree.unparen(*value);
                        let part = match &body.tree[value].kind {
                            ExprKind::Call { args, .. } if body.is_builtin(value, "append") => {
                                args.first().map(|a| body.tree.unparen(*a))
                            }
                            _ => Some(value),
                        };
                        part.is_some_and(|p| match &body.tree[p].kind {
                            ExprKind::Slice { base, .. } => body.same(*base, used.mention),
                            _ => false,
                        })
                    }),
                    _ => false,
                })
        })
    });
    found.unwrap_or(false)
}

/// Whether a declaration removes entries other than all of them: not by the key of a loop over the same map, without a condition.
fn removes_some(db: &dyn Db, decl: DeclId, place: Place) -> bool {
    let found = body::with(db, decl, |body| {
        let uses = uses(db, decl);
        uses.iter().any(|used| {
            used.place == place
                && matches!(used.op, Op::Remove(_))
                && !removes_all(body, used)
                && !toggles(body, &uses, used)
        })
    });
    found.unwrap_or(false)
}

/// Whether an entry is put in by the same key elsewhere in the declaration, or right beside: it goes on and off, or gets another
/// name.
fn toggles(body: &Body<'_>, uses: &[Use], used: &Use) -> bool {
    let Some(removed) = entry(body, used) else {
        return false;
    };
    let mut entries = (uses.iter()).filter(|u| u.place == used.place);
    entries.any(|u| {
        entry(body, u).is_some_and(|e| {
            e.grows && (body.same(e.key, removed.key) || side_by_side(body, u, used))
        })
    })
}

fn removes_all(body: &Body<'_>, used: &Use) -> bool {
    let Some(NodeId::Stmt(around)) = used.stmt.and_then(|stmt| body.parent(stmt)) else {
        return false;
    };
    matches!(&body.tree[around].kind, StmtKind::Range { over, .. } if body.same(*over, used.mention))
}

/// Where a sibling loses entries in a function, or in a method of the same type that it calls.
fn removes_beside(
    db: &dyn Db,
    package: PackageId,
    ty: Name,
    decl: DeclId,
    place: Place,
    sibling: Place,
) -> Option<DeclId> {
    let removes = |decl: DeclId| {
        ops(db, decl)
            .iter()
            .any(|(at, op)| *at == sibling && matches!(op, Op::Remove(runs) if *runs != Runs::Once))
    };
    if removes(decl) {
        return (!are_apart(db, decl, place, sibling)).then_some(decl);
    }
    let shape = shape(db, decl);
    let called: Vec<Name> = (shape.calls.iter())
        .filter(|c| c.receiver == Some(ty) && !c.given)
        .map(|c| c.name)
        .collect();
    if called.is_empty() {
        return None;
    }
    let methods = package_methods(db, package, ty);
    let mut called = methods.iter().filter(|m| called.contains(&m.name));
    called.find(|m| removes(m.decl)).map(|m| m.decl)
}

/// Whether one place only grows, and the other only loses, where the other branch of an `if` is not taken.
fn are_apart(db: &dyn Db, decl: DeclId, place: Place, sibling: Place) -> bool {
    let found = body::with(db, decl, |body| {
        let uses = uses(db, decl);
        let of = |wanted: Place, grows: bool| {
            let uses = uses.iter().filter(move |u| {
                u.place == wanted
                    && match u.op {
                        Op::Grow(_) => grows,
                        Op::Remove(_) => !grows,
                        _ => false,
                    }
            });
            uses.filter_map(|u| u.stmt).collect::<Vec<_>>()
        };
        let (grows, loses) = (of(place, true), of(sibling, false));
        grows
            .iter()
            .all(|a| loses.iter().all(|b| excludes(body, *a, *b)))
    });
    found.unwrap_or(true)
}

/// Whether two statements are in different branches of the same `if`.
fn excludes(body: &Body<'_>, a: StmtId, b: StmtId) -> bool {
    let (a, b) = (body.tree[a].range, body.tree[b].range);
    body.tree
        .stmts
        .iter()
        .any(|(_, around)| match &around.kind {
            StmtKind::If { then, .. } => {
                let within = |range| around.range.contains_range(range);
                within(a)
                    && within(b)
                    && then.range.contains_range(a) != then.range.contains_range(b)
            }
            _ => false,
        })
}

/// How two places of a type are used side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Both get an entry at once, by the same key, or one by what the other holds.
    Together,
    /// Both get entries by the same key, in different cases.
    SameKey,
    /// One gets an entry for the keys that the other has.
    Follows,
    /// One gets an entry and the other loses one, by the same key, in different cases.
    OneShrinks,
    /// The same one after the other.
    OneShrinksHere,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pair {
    place: Place,
    with: Place,
    kind: Kind,
}

/// The places that get an entry beside another place, in a declaration.
#[salsa::tracked(returns(clone))]
fn pairs(db: &dyn Db, decl: DeclId) -> Arc<Vec<Pair>> {
    Arc::new(body::with(db, decl, |body| pairs_of(body, &uses(db, decl))).unwrap_or_default())
}

/// An entry that is put in or taken out.
struct Entry<'a> {
    used: &'a Use,
    grows: bool,
    key: ExprId,
    value: Option<ExprId>,
}

fn pairs_of(body: &Body<'_>, uses: &[Use]) -> Vec<Pair> {
    let entries: Vec<Entry<'_>> = uses.iter().filter_map(|used| entry(body, used)).collect();
    let mut found = Vec::new();
    for a in entries.iter().filter(|e| e.grows) {
        for b in entries.iter().filter(|b| b.used.place != a.used.place) {
            let same_key = body.same(a.key, b.key);
            let kind = if b.grows {
                let holds = |value: Option<ExprId>, key| value.is_some_and(|v| body.same(v, key));
                let reversed = holds(a.value, b.key)
                    || holds(b.value, a.key)
                    || a.value.is_some_and(|v| holds(b.value, v));
                match side_by_side(body, a.used, b.used) {
                    true => (same_key || reversed).then_some(Kind::Together),
                    false => same_key.then_some(Kind::SameKey),
                }
            } else if same_key {
                Some(match side_by_side(body, a.used, b.used) {
                    true => Kind::OneShrinksHere,
                    false => Kind::OneShrinks,
                })
            } else {
                None
            };
            if let Some(kind) = kind {
                let pair = Pair {
                    place: a.used.place,
                    with: b.used.place,
                    kind,
                };
                if !found.contains(&pair) {
                    found.push(pair);
                }
            }
        }
        if let Some(with) = followed(body, a.key) {
            let pair = Pair {
                place: a.used.place,
                with,
                kind: Kind::Follows,
            };
            found.push(pair);
        }
    }
    found
}

/// The place over whose keys a loop goes that gives a key.
pub(super) fn followed(body: &Body<'_>, key: ExprId) -> Option<Place> {
    let local = body.local(key)?;
    let given = body
        .tree
        .stmts
        .iter()
        .find_map(|(_, stmt)| match &stmt.kind {
            StmtKind::Range {
                key: Some(k), over, ..
            } if body.local(*k) == Some(local) => Some(*over),
            _ => None,
        })?;
    let over = body.tree.unparen(given);
    matches!(
        body.view().underlying(body.ty(over)?).kind(),
        TyKind::Map(..)
    )
    .then(|| place(body, over))
    .flatten()
}

fn entry<'a>(body: &Body<'_>, used: &'a Use) -> Option<Entry<'a>> {
    let grows = match used.op {
        Op::Grow(growth) if growth.outer => true,
        Op::Remove(_) => false,
        _ => return None,
    };
    let NodeId::Expr(around) = body.parent(used.mention)? else {
        return None;
    };
    let (key, value) = match &body.tree[around].kind {
        ExprKind::Index { indices, .. } => {
            let value = match used.stmt.map(|s| &body.tree[s].kind) {
                Some(StmtKind::Assign { lhs, rhs, .. }) if lhs.len() == rhs.len() => {
                    let at = lhs.iter().position(|l| body.tree.unparen(*l) == around);
                    at.map(|at| rhs[at])
                }
                _ => None,
            };
            (*indices.first()?, value)
        }
        // `delete(m, key)`
        ExprKind::Call { args, .. } => (*args.get(1)?, None),
        // `m.Store(key, value)`
        ExprKind::Selector { .. } => {
            let NodeId::Expr(call) = body.parent(around)? else {
                return None;
            };
            let args = body.args(call);
            (*args.first()?, args.get(1).copied())
        }
        _ => return None,
    };
    Some(Entry {
        used,
        grows,
        key,
        value,
    })
}

/// Whether two things are done in the same block.
fn side_by_side(body: &Body<'_>, a: &Use, b: &Use) -> bool {
    let (Some(a), Some(b)) = (a.stmt, b.stmt) else {
        return false;
    };
    let (around_a, around_b) = (body.parent(a), body.parent(b));
    around_a == around_b && branch(body.tree, around_a, a) == branch(body.tree, around_b, b)
}

/// Which of the blocks of a statement another one is in.
fn branch(tree: &DeclTree, around: Option<NodeId>, stmt: StmtId) -> Option<TextRange> {
    let Some(NodeId::Stmt(around)) = around else {
        return None;
    };
    let range = tree[stmt].range;
    match &tree[around].kind {
        StmtKind::If { then, .. } if then.range.contains_range(range) => Some(then.range),
        StmtKind::Switch { cases, .. } | StmtKind::TypeSwitch { cases, .. } => {
            let mut cases = cases.iter();
            cases
                .find(|case| case.range.contains_range(range))
                .map(|case| case.range)
        }
        _ => None,
    }
}
