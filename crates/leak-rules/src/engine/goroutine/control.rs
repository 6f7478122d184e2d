//! By what else than a signal a goroutine may come to its end.
//!
//! A goroutine works with what it captures and is given. Whoever started it may end it through any of that: close a connection, cancel a
//! context, call a method of which nothing is known. Where that happens, the goroutine is not left alone.

use go_model::facts::{Callee, LocalId, Res};
use go_model::members::RELEASING_METHODS;
use go_model::summary::{Fate, How, ParamEffect};
use go_model::types::{Ty, TyKind};
use go_syntax::ast::{BinaryOp, DeclTree, ExprId, ExprKind, StmtKind, UnaryOp};
use go_syntax::{Literals, Name, NodeId, TextSize};
use rustc_hash::FxHashSet;

use super::uses::{Run, Uses, is_builtin};
use crate::engine::function::Declaration;
use crate::engine::interp::Place;

/// How far back it is followed what something was made from.
const MAX_ORIGINS: u32 = 4;
/// How deep function literals are looked into.
const MAX_LITERALS: u32 = 3;

/// Methods that only use what they are called on, whatever it is.
const LOCKING: [&str; 4] = ["Lock", "Unlock", "RLock", "RUnlock"];

/// What a goroutine works with.
pub(super) struct Control<'q, 'a> {
    uses: &'q Uses<'q, 'a>,
    /// What it captures and is given.
    places: Vec<Place>,
    /// Booleans that it only reads.
    flags: Vec<LocalId>,
    /// What was made by the same call as one of those, such as the cancel function of a context.
    siblings: FxHashSet<LocalId>,
    /// What one of those was made from.
    origins: FxHashSet<LocalId>,
    /// One of those is a context that comes from elsewhere.
    bound: bool,
}

impl<'q, 'a> Control<'q, 'a> {
    /// What the goroutine of a call works with; `known` are the variables whose every use is followed.
    pub(super) fn new(
        uses: &'q Uses<'q, 'a>,
        call: ExprId,
        literal: Option<ExprId>,
        known: &[LocalId],
    ) -> Self {
        let mut this = Self {
            uses,
            places: Vec::new(),
            flags: Vec::new(),
            siblings: FxHashSet::default(),
            origins: FxHashSet::default(),
            bound: false,
        };
        this.mentions(call, literal, known);
        this.related();
        this
    }

    fn mentions(&mut self, call: ExprId, literal: Option<ExprId>, known: &[LocalId]) {
        let d = self.uses.d;
        let roots = [Some(call), literal];
        for root in roots.into_iter().flatten() {
            for id in d.tree.walk(root, Literals::Enter) {
                let Some(e) = id.expr() else { continue };
                let Some(Res::Local(local)) = d.facts.refs.get(e) else {
                    continue;
                };
                let l = &d.facts.locals[*local];
                let inside =
                    literal.is_some_and(|lit| d.tree[lit].range.contains_range(l.ident.range));
                if inside || known.contains(local) || !matches!(d.tree[e].kind, ExprKind::Ident(_))
                {
                    continue;
                }
                if is_bool(&l.ty) && !is_assigned_in(d, literal, *local) {
                    self.flags.push(*local);
                }
                if let Some(place) = reached(d, e)
                    && !self.places.contains(&place)
                {
                    self.places.push(place);
                }
            }
        }
    }

    /// What is made together with what the goroutine works with, and what that was made from.
    fn related(&mut self) {
        let d = self.uses.d;
        let mut work: Vec<(LocalId, u32)> = self.places.iter().map(|p| (p.local, 0)).collect();
        let mut seen: FxHashSet<LocalId> = FxHashSet::default();
        while let Some((local, depth)) = work.pop() {
            if !seen.insert(local) {
                continue;
            }
            let l = &d.facts.locals[local];
            let context = l.ty.is_named("context", "Context");
            let mut made = false;
            for (_, stmt) in d.tree.stmts.iter() {
                let StmtKind::Assign { lhs, rhs, .. } = &stmt.kind else {
                    continue;
                };
                let local_of = |e: &ExprId| match d.facts.refs.get(d.tree.unparen(*e)) {
                    Some(Res::Local(local)) => Some(*local),
                    _ => None,
                };
                let Some(at) = lhs.iter().position(|e| local_of(e) == Some(local)) else {
                    continue;
                };
                made = true;
                let sources = match lhs.len() == rhs.len() {
                    true => &rhs[at..=at],
                    false => &rhs[..],
                };
                if lhs.len() != rhs.len() {
                    let others = lhs.iter().filter_map(local_of).filter(|o| *o != local);
                    let live = others.filter(|o| is_live(&d.facts.locals[*o].ty));
                    // What was made along with an origin says nothing of what came of it, but for contexts.
                    if depth == 0 || context {
                        self.siblings.extend(live);
                    }
                }
                if depth >= MAX_ORIGINS {
                    continue;
                }
                for source in sources {
                    for id in d.tree.walk(*source, Literals::Enter) {
                        let Some(e) = id.expr() else { continue };
                        if let Some(Res::Local(from)) = d.facts.refs.get(e)
                            && *from != local
                            && !is_data(&d.facts.locals[*from].ty, 3)
                        {
                            self.origins.insert(*from);
                            work.push((*from, depth + 1));
                        }
                    }
                }
            }
            self.bound |= context && !made;
        }
    }

    /// Whether the goroutine works with a context that somebody else cancels.
    pub(super) fn is_bound(&self) -> bool {
        self.bound
    }

    /// Whether something may end the goroutine that was deferred before it was started, or handed to somebody who may do it at any time.
    pub(super) fn is_deferred(&self, owner: Option<ExprId>, before: TextSize) -> bool {
        let tree = self.uses.d.tree;
        let handed = tree.exprs.iter().any(|(id, e)| {
            matches!(e.kind, ExprKind::FuncLit(_))
                && e.range.end() <= before
                && self.uses.run(id) == Run::Unknown
                && self.uses.d.closure_local(id).is_none()
                && self.inside(id, 0)
        });
        if handed {
            return true;
        }
        tree.stmts.iter().any(|(id, s)| {
            matches!(s.kind, StmtKind::Defer(_))
                && s.range.end() <= before
                && crate::engine::find::enclosing_literal(tree, s.range) == owner
                && self.may_wake(id.into(), false)
        })
    }

    /// Whether a node of the owner's graph may bring the goroutine to its end.
    pub(super) fn may_wake(&self, root: NodeId, returns: bool) -> bool {
        self.wakes(root, returns, 0)
    }

    fn wakes(&self, root: NodeId, returns: bool, depth: u32) -> bool {
        let d = self.uses.d;
        if returns && self.hands_on(root) {
            return true;
        }
        d.tree.walk(root, Literals::Skip).any(|id| match id {
            NodeId::Stmt(s) => match &d.tree[s].kind {
                StmtKind::Send { chan, .. } => self.holds(*chan),
                StmtKind::Range { over, .. } => self.is_channel(*over) && self.holds(*over),
                StmtKind::Assign { lhs, rhs, .. } => self.assigns(lhs, rhs),
                _ => false,
            },
            NodeId::Expr(e) => match &d.tree[e].kind {
                ExprKind::Unary {
                    op: UnaryOp::Receive,
                    operand,
                } => self.answers(*operand),
                ExprKind::Call { func, args, .. } => self.called(e, *func, args, depth),
                _ => false,
            },
        })
    }

    fn is_channel(&self, expr: ExprId) -> bool {
        let ty = self.uses.d.facts.types.get(self.uses.d.tree.unparen(expr));
        ty.is_some_and(|ty| matches!(ty.kind(), TyKind::Chan(..)))
    }

    /// A return that gives something to the caller with which the goroutine may be ended.
    fn hands_on(&self, root: NodeId) -> bool {
        let d = self.uses.d;
        d.tree.walk(root, Literals::Enter).any(|id| {
            id.expr().is_some_and(|e| {
                matches!(d.tree[e].kind, ExprKind::Ident(_))
                    && reached(d, e)
                        .is_some_and(|p| self.overlaps(&p) || self.siblings.contains(&p.local))
                    && !self.is_called(e)
            })
        })
    }

    /// The receiver of a method, or an argument of a call: what becomes of it is asked of the call.
    fn is_called(&self, expr: ExprId) -> bool {
        let d = self.uses.d;
        let mut at = expr;
        for _ in 0..16 {
            let Some(parent) = d.parent(at) else {
                return false;
            };
            match &d.tree[parent].kind {
                ExprKind::Call { .. } => return true,
                ExprKind::Selector { .. }
                | ExprKind::Paren(_)
                | ExprKind::Star(_)
                | ExprKind::Unary {
                    op: UnaryOp::Address,
                    ..
                } => at = parent,
                _ => return false,
            }
        }
        false
    }

    fn assigns(&self, lhs: &[ExprId], rhs: &[ExprId]) -> bool {
        let d = self.uses.d;
        let stored = lhs
            .iter()
            .any(|target| match d.facts.refs.get(d.tree.unparen(*target)) {
                Some(Res::Local(local)) => self.flags.contains(local),
                _ => self.holds(*target),
            });
        // Kept somewhere else by its owner.
        let kept = lhs.len() == rhs.len()
            && lhs.iter().zip(rhs).any(|(target, value)| {
                !matches!(d.tree[d.tree.unparen(*target)].kind, ExprKind::Ident(_))
                    && self.holds(*value)
            });
        stored || kept
    }

    /// Whether a channel on which the owner receives is one that the goroutine has to do with, or the end of its context.
    fn answers(&self, operand: ExprId) -> bool {
        let d = self.uses.d;
        let operand = d.tree.unparen(operand);
        if let ExprKind::Call { func, .. } = &d.tree[operand].kind {
            let ExprKind::Selector { base, .. } = &d.tree[d.tree.unparen(*func)].kind else {
                return false;
            };
            return d
                .place(*base)
                .is_some_and(|p| self.overlaps(&p) || self.origins.contains(&p.local));
        }
        self.holds(operand)
    }

    fn called(&self, call: ExprId, func: ExprId, args: &[ExprId], depth: u32) -> bool {
        let d = self.uses.d;
        let func = d.tree.unparen(func);
        if is_builtin(d, call, "close") {
            return args.first().is_some_and(|a| self.holds(*a));
        }
        if matches!(
            d.facts.callees.get(call),
            Some(Callee::Builtin(_) | Callee::Conversion)
        ) {
            return false;
        }
        let inside = |literal| self.inside(literal, depth);
        match d.facts.refs.get(func) {
            _ if d.tree.func_lit(func).is_some() && inside(func) => return true,
            Some(Res::Local(local)) => {
                if self.siblings.contains(local) {
                    return true;
                }
                match d.closure(*local) {
                    Some(literal) if inside(literal) => return true,
                    _ => {}
                }
            }
            _ => {}
        }
        if let ExprKind::Selector { base, name } = &d.tree[func].kind
            && let Some(place) = d.place(*base)
        {
            if self.siblings.contains(&place.local) {
                return true;
            }
            if self.overlaps(&place) && !self.only_uses_receiver(call, &place, name.name) {
                return true;
            }
            if self.origins.contains(&place.local) && self.ends(call, name.name) {
                return true;
            }
        }
        args.iter().enumerate().any(|(index, arg)| {
            let arg = address_of(d.tree, *arg);
            if d.tree.func_lit(arg).is_some() {
                return inside(arg);
            }
            let Some(place) = d.place(arg) else {
                return false;
            };
            let touched = self.overlaps(&place) || self.siblings.contains(&place.local);
            touched
                && !is_borrowed(
                    d.summary(call).as_deref().map(|s| s.param(index)),
                    &place,
                    &self.places,
                )
        })
    }

    /// Whether something in a literal may bring the goroutine to its end.
    fn inside(&self, literal: ExprId, depth: u32) -> bool {
        let d = self.uses.d;
        depth >= MAX_LITERALS
            || d.body(Some(literal)).is_none_or(|body| {
                let all = body.stmts.iter().map(|s| NodeId::Stmt(*s));
                d.tree.walk_all(all, Literals::Skip).any(
                    |id| matches!(id, NodeId::Stmt(s) if self.wakes(s.into(), false, depth + 1)),
                )
            })
    }

    /// Whether something that the goroutine works with is compared with nil: where it is nil, there is nothing to end.
    pub(super) fn is_missing(&self, cond: ExprId, holds: bool) -> bool {
        let d = self.uses.d;
        let ExprKind::Binary { op, lhs, rhs } = &d.tree[d.tree.unparen(cond)].kind else {
            return false;
        };
        let nil = match op {
            BinaryOp::Eq => holds,
            BinaryOp::Ne => !holds,
            _ => return false,
        };
        nil && ((d.is_nil(*rhs) && self.holds(*lhs)) || (d.is_nil(*lhs) && self.holds(*rhs)))
    }

    /// Whether a method only uses what the goroutine works with.
    fn only_uses_receiver(&self, call: ExprId, place: &Place, name: Name) -> bool {
        let d = self.uses.d;
        if d.facts.locals[place.local]
            .ty
            .is_named("context", "Context")
            && place.path.is_empty()
        {
            return true;
        }
        match d.summary(call) {
            Some(go_model::summary::Called::Read(summary)) => {
                is_borrowed(Some(&summary.own.receiver), place, &self.places)
            }
            _ => LOCKING.iter().any(|l| name == *l),
        }
    }

    /// Whether a method of what something was made from ends what was made from it.
    fn ends(&self, call: ExprId, name: Name) -> bool {
        RELEASING_METHODS.iter().any(|r| name == *r)
            || self.uses.d.target(call).is_some_and(|t| {
                t.package == "os/exec"
                    && t.ty.is_some_and(|ty| ty == "Cmd")
                    && (t.name == "Wait" || t.name == "Run")
            })
    }

    /// Whether an expression is something that the goroutine works with.
    fn holds(&self, expr: ExprId) -> bool {
        let d = self.uses.d;
        d.place(address_of(d.tree, expr))
            .is_some_and(|p| self.overlaps(&p))
    }

    fn overlaps(&self, place: &Place) -> bool {
        self.places.iter().any(|own| overlap(own, place))
    }
}

/// Whether one of two places is a part of the other.
fn overlap(a: &Place, b: &Place) -> bool {
    a.local == b.local && a.path.iter().zip(&b.path).all(|(a, b)| a == b)
}

/// Whether a function that is given a place does nothing that may end what works with it.
fn is_borrowed(effect: Option<&ParamEffect>, place: &Place, own: &[Place]) -> bool {
    let Some(effect) = effect else { return false };
    effect.fate == Fate::Borrowed
        && effect.releases.iter().all(|release| {
            let mut path = place.path.clone();
            path.extend(release.path.iter().copied());
            let released = Place {
                local: place.local,
                path,
            };
            let apart = !own.iter().any(|o| overlap(o, &released));
            apart || matches!(release.how, How::Method(name) if LOCKING.iter().any(|l| name == *l))
        })
}

fn address_of(tree: &DeclTree, expr: ExprId) -> ExprId {
    let expr = tree.unparen(expr);
    match tree[expr].kind {
        ExprKind::Unary {
            op: UnaryOp::Address,
            operand,
        } => tree.unparen(operand),
        _ => expr,
    }
}

/// The place that a mention of a variable reaches, if something can be ended through it.
fn reached(d: &Declaration<'_>, mention: ExprId) -> Option<Place> {
    let mut at = mention;
    let mut end = mention;
    for _ in 0..32 {
        let Some(parent) = d.parent(at) else { break };
        match &d.tree[parent].kind {
            ExprKind::Paren(_) | ExprKind::Star(_) => at = parent,
            ExprKind::Selector { base, .. } if *base == at => {
                if matches!(d.facts.refs.get(parent), Some(Res::Method(_))) {
                    break;
                }
                at = parent;
                end = parent;
            }
            _ => break,
        }
    }
    let ty = d.facts.types.get(end).or(match d.facts.refs.get(end) {
        Some(Res::Local(local)) => Some(&d.facts.locals[*local].ty),
        _ => None,
    });
    if ty.is_some_and(|ty| is_data(ty, 3)) {
        return None;
    }
    d.place(end)
}

/// Something by which what was made along with it may be ended.
fn is_live(ty: &Ty) -> bool {
    matches!(ty.kind(), TyKind::Func(..)) || ty.is_named("context", "CancelFunc") || !is_data(ty, 3)
}

fn is_bool(ty: &Ty) -> bool {
    matches!(ty.kind(), TyKind::Basic(go_model::types::Basic::Bool))
}

fn is_assigned_in(d: &Declaration<'_>, literal: Option<ExprId>, local: LocalId) -> bool {
    literal.is_some_and(|lit| {
        let range = d.tree[lit].range;
        d.assigned(local).iter().any(|at| range.contains(*at))
    })
}

/// A value of the type is nothing through which something could be ended: data, errors, loggers, functions.
fn is_data(ty: &Ty, depth: u32) -> bool {
    if depth == 0 {
        return false;
    }
    let is_one = |types: &[(&str, &str)]| {
        ty.as_named_or_pointer()
            .is_some_and(|n| types.iter().any(|(p, t)| n.package == *p && n.name == *t))
    };
    match ty.kind() {
        TyKind::Basic(_) | TyKind::Func(..) => true,
        TyKind::Slice(e) | TyKind::Array(_, e) => is_data(e, depth - 1),
        TyKind::Map(k, v) => is_data(k, depth - 1) && is_data(v, depth - 1),
        TyKind::Pointer(e) => is_data(e, depth - 1) || is_one(HARMLESS),
        TyKind::Struct(fields) => fields.iter().all(|f| is_data(&f.ty, depth - 1)),
        TyKind::Named(_) => ty.is_error() || is_one(HARMLESS),
        _ => false,
    }
}

/// Types whose values nobody waits for.
const HARMLESS: &[(&str, &str)] = &[
    ("bytes", "Buffer"),
    ("strings", "Builder"),
    ("context", "CancelFunc"),
    ("log", "Logger"),
    ("log/slog", "Logger"),
    ("net/url", "URL"),
    ("os", "FileMode"),
    ("sync", "Mutex"),
    ("sync", "RWMutex"),
    ("sync", "Once"),
    ("testing", "B"),
    ("testing", "F"),
    ("testing", "T"),
    ("testing", "TB"),
    ("time", "Duration"),
    ("time", "Time"),
];
