//! What a declaration does with the places that it mentions.

use std::sync::Arc;

use go_model::db::{Db, DeclId};
use go_model::facts::{Callee, LocalId, LocalKind, Res};
use go_model::package::package_of_decl;
use go_model::summary::callee_decl;
use go_model::types::{Basic, Ty, TyKind};
use go_syntax::ast::{AssignOp, BinaryOp, ExprId, ExprKind, StmtId, StmtKind, UnaryOp};
use go_syntax::{NodeId, TextRange};

use super::body::{self, Body, Given};
use super::place::{Place, Shelf, place, shelf};
use super::repeat::{Runs, callers, runs};
use super::source::{Source, source};
use super::twin::followed;

/// How something grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Growth {
    pub(crate) shelf: Shelf,
    /// Where its keys come from; of what takes anything, the world outside.
    pub(crate) key: Source,
    pub(crate) runs: Runs,
    /// The result is kept for the next time: the same function looks the key up, and what it stores is data that it computes.
    pub(crate) memo: bool,
    /// The first level: not an element of an element.
    pub(crate) outer: bool,
    /// A map that only remembers which keys there were.
    pub(crate) set: bool,
    /// Its keys are those of another map.
    pub(crate) follows: bool,
    /// What is put in says when that was: it is kept for later.
    pub(crate) stamped: bool,
    /// It would count as made, but for a loop over a parameter.
    pub(crate) each: bool,
    /// What is put in is made here, one at a time: no list of what callers register, and nothing that is loaded in a loop.
    pub(crate) made: bool,
}

impl Growth {
    /// Whether it may go on: not what happens once, or with keys of which there are few, that are there already or unknown.
    pub(super) fn may_go_on(self) -> bool {
        self.runs != Runs::Once && (self.key > Source::Unknown || self.follows)
    }
}

/// What is done with a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Op {
    Grow(Growth),
    /// One element is taken out.
    Remove(Runs),
    /// All are, or it is set to something else.
    Reset,
    /// Its length is compared with something.
    Guard,
    /// An element may shrink: it is cut, or gets another name through which it may.
    Inner,
    /// An element is set to nothing, and its key stays.
    Blank,
    /// Somebody else may do anything with it.
    Escape,
    /// What made the holder gives back what is in it, and not the holder: that lives in a call.
    Taken,
}

/// What is done with a place, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) place: Place,
    pub(crate) op: Op,
    /// Relative to the declaration.
    pub(crate) range: TextRange,
    /// What names the place, and the statement around it, for fixes.
    pub(crate) mention: ExprId,
    pub(crate) stmt: Option<StmtId>,
    /// The function literal in which it is.
    pub(crate) literal: Option<ExprId>,
}

/// What is done with the places that a declaration mentions.
#[salsa::tracked(returns(clone))]
pub(crate) fn uses(db: &dyn Db, decl: DeclId) -> Arc<Vec<Use>> {
    Arc::new(body::with(db, decl, of).unwrap_or_default())
}

/// The same without where.
#[salsa::tracked(returns(clone))]
pub(crate) fn ops(db: &dyn Db, decl: DeclId) -> Arc<Vec<(Place, Op)>> {
    let mut found: Vec<(Place, Op)> = Vec::new();
    for used in uses(db, decl).iter() {
        let op = (used.place, used.op);
        if !found.contains(&op) {
            found.push(op);
        }
    }
    Arc::new(found)
}

/// Calls that are looked into.
const MAX_DEPTH: u8 = 2;

fn of(body: &Body<'_>) -> Vec<Use> {
    let mut found = Vec::new();
    for (id, expr) in body.tree.exprs.iter() {
        if !matches!(expr.kind, ExprKind::Ident(_) | ExprKind::Selector { .. }) {
            continue;
        }
        let Some(place) = place(body, id) else {
            continue;
        };
        if is_label(body, id) {
            continue;
        }
        if body.tree.has_error {
            found.push(Use {
                place,
                op: Op::Escape,
                range: expr.range,
                mention: id,
                stmt: None,
                literal: None,
            });
            continue;
        }
        let Some(shelf) = body.ty(id).and_then(|ty| shelf(&body.view(), ty)) else {
            // Something that is not known to hold anything: only what is known counts.
            if body.ty(id).is_none_or(Ty::is_unknown) {
                found.push(Use {
                    place,
                    op: Op::Escape,
                    range: expr.range,
                    mention: id,
                    stmt: None,
                    literal: None,
                });
            }
            continue;
        };
        if is_taken(body, id) {
            found.push(Use {
                place,
                op: Op::Taken,
                range: expr.range,
                mention: id,
                stmt: None,
                literal: None,
            });
        }
        let mut look = Look {
            body,
            shelf,
            subject: id,
            depth: MAX_DEPTH,
            aliases: Vec::new(),
            ops: Vec::new(),
        };
        look.mention(id);
        for (op, at) in look.ops {
            let (range, stmt) = match at {
                NodeId::Expr(e) => (body.tree[e].range, body.stmt(e)),
                NodeId::Stmt(s) => (body.tree[s].range, Some(s)),
            };
            found.push(Use {
                place,
                op,
                range,
                mention: id,
                stmt,
                literal: body.literal(at),
            });
        }
    }
    found
}

/// Whether a function returns a part of something that it has made, and nobody gets the whole other than as an argument.
fn is_taken(body: &Body<'_>, mention: ExprId) -> bool {
    let is_return =
        |node| matches!(node, NodeId::Stmt(s) if matches!(body.tree[s].kind, StmtKind::Return(_)));
    if !body.around(mention).any(is_return) || !is_fresh(body, mention) {
        return false;
    }
    let local = body.local(body.root(mention));
    let mut mentions = body.facts.refs.iter();
    local.is_some()
        && mentions.all(|(id, _)| {
            body.local(id) != local
                || match body.parent(id) {
                    Some(NodeId::Expr(around)) => match &body.tree[around].kind {
                        ExprKind::Selector { .. } => true,
                        ExprKind::Call { func, .. } => {
                            *func != id
                                && !body.is_builtin(around, "append")
                                && !matches!(body.parent(around), Some(NodeId::Stmt(s))
                                    if matches!(body.tree[s].kind, StmtKind::Go(_)))
                        }
                        _ => false,
                    },
                    Some(NodeId::Stmt(s)) => match &body.tree[s].kind {
                        StmtKind::Assign { lhs, .. } => lhs.contains(&id),
                        StmtKind::Var(_) => true,
                        _ => false,
                    },
                    None => false,
                }
        })
}

/// The name of a field in a composite literal: a new value gets its first content.
fn is_label(body: &Body<'_>, expr: ExprId) -> bool {
    let Some(NodeId::Expr(parent)) = body.parent(expr) else {
        return false;
    };
    match &body.tree[parent].kind {
        ExprKind::Composite { elements, .. } => elements.iter().any(|e| e.key == Some(expr)),
        _ => false,
    }
}

/// What a function of the package does with a collection that it is given: as a parameter, or (-1) as its receiver.
#[salsa::tracked(returns(clone))]
fn given_ops(db: &dyn Db, decl: DeclId, index: i32, depth: u8) -> Arc<Vec<Op>> {
    let found = body::with(db, decl, |body| {
        let local = match usize::try_from(index) {
            Ok(i) => body.facts.params.get(i).copied().flatten(),
            Err(_) => body.facts.receiver,
        };
        let Some(local) = local else {
            return Vec::new();
        };
        let ty = &body.facts.locals[local].ty;
        let Some(shelf) = shelf(&body.view(), ty) else {
            return vec![Op::Escape];
        };
        if body.tree.has_error {
            return vec![Op::Escape];
        }
        let first = body
            .facts
            .refs
            .iter()
            .find(|(_, res)| **res == Res::Local(local));
        let Some((subject, _)) = first else {
            return Vec::new();
        };
        let mut look = Look {
            body,
            shelf,
            subject,
            depth,
            aliases: vec![local],
            ops: Vec::new(),
        };
        look.alias(local);
        let mut ops: Vec<Op> = Vec::new();
        for (op, _) in look.ops {
            if !ops.contains(&op) {
                ops.push(op);
            }
        }
        ops
    });
    Arc::new(found.unwrap_or_else(|| vec![Op::Escape]))
}

/// What a declaration does with a local variable: what, where, the mention, and the statement around it.
pub(super) fn done_with(
    body: &Body<'_>,
    local: LocalId,
    shelf: Shelf,
) -> Vec<(Op, TextRange, ExprId, Option<StmtId>)> {
    let mut found = Vec::new();
    let mentions = (body.facts.refs.iter()).filter(|(_, res)| **res == Res::Local(local));
    for (mention, _) in mentions {
        let mut look = Look {
            body,
            shelf,
            subject: mention,
            depth: MAX_DEPTH,
            aliases: vec![local],
            ops: Vec::new(),
        };
        look.mention(mention);
        for (op, at) in look.ops {
            let stmt = match at {
                NodeId::Expr(e) => body.stmt(e),
                NodeId::Stmt(s) => Some(s),
            };
            found.push((op, body.tree.range(at), mention, stmt));
        }
    }
    found
}

struct Look<'b, 'a> {
    body: &'b Body<'a>,
    shelf: Shelf,
    /// The mention that is looked at.
    subject: ExprId,
    depth: u8,
    /// Locals that stand for the place.
    aliases: Vec<LocalId>,
    ops: Vec<(Op, NodeId)>,
}

impl Look<'_, '_> {
    fn put(&mut self, op: Op, at: impl Into<NodeId>) {
        self.ops.push((op, at.into()));
    }

    /// A reference to the same collection: what a slice's header is copied to does not shrink the place.
    fn shared(&mut self, at: impl Into<NodeId>) {
        if self.shelf != Shelf::Slice {
            self.put(Op::Escape, at);
        }
    }

    fn alias(&mut self, local: LocalId) {
        let mentions: Vec<ExprId> = (self.body.facts.refs.iter())
            .filter(|(_, res)| **res == Res::Local(local))
            .map(|(id, _)| id)
            .collect();
        for mention in mentions {
            self.subject = mention;
            self.mention(mention);
        }
    }

    fn grow(&mut self, key: Source, at: impl Into<NodeId>, outer: bool, memo: bool) {
        let at = at.into();
        let runs = self.runs(at);
        if runs != Runs::Once && self.is_limited(at) {
            return self.put(Op::Guard, at);
        }
        let shelf = self.shelf;
        let growth = Growth {
            shelf,
            key,
            runs,
            memo,
            outer,
            set: false,
            follows: false,
            stamped: false,
            each: false,
            made: false,
        };
        self.put(Op::Grow(growth), at);
    }

    /// Whether the function leaves before, when something beside the place has come to a size.
    fn is_limited(&self, at: NodeId) -> bool {
        let body = self.body;
        let start = body.tree.range(at).start();
        let root = body.root(self.subject);
        body.tree.stmts.iter().any(|(_, stmt)| match &stmt.kind {
            StmtKind::If { cond, then, .. } => {
                stmt.range.end() <= start && body.leaves(then) && self.asks_for_size(*cond, root)
            }
            _ => false,
        })
    }

    /// `len(x.other) >= limit` for an `x` that is what the place's chain begins with.
    fn asks_for_size(&self, cond: ExprId, root: ExprId) -> bool {
        let body = self.body;
        let ExprKind::Binary { op, lhs, rhs } = &body.tree[body.tree.unparen(cond)].kind else {
            return false;
        };
        let (len, limit) = match op {
            BinaryOp::LogicalAnd | BinaryOp::LogicalOr => {
                return self.asks_for_size(*lhs, root) || self.asks_for_size(*rhs, root);
            }
            BinaryOp::Ge | BinaryOp::Gt => (*lhs, *rhs),
            BinaryOp::Le | BinaryOp::Lt => (*rhs, *lhs),
            _ => return false,
        };
        let len = body.tree.unparen(len);
        let small = body
            .tree
            .int_value(body.tree.unparen(limit))
            .is_some_and(|n| n < 2);
        body.is_builtin(len, "len")
            && !small
            && (body.args(len).first()).is_some_and(|of| body.same(body.root(*of), root))
    }

    /// Whether an element is only set where its key is known to be there.
    fn is_update(&self, stmt: StmtId, whole: ExprId) -> bool {
        let body = self.body;
        if matches!(body.tree[stmt].kind, StmtKind::IncDec { inc: false, .. }) {
            return true;
        }
        let range = body.tree[stmt].range;
        body.tree
            .stmts
            .iter()
            .any(|(_, around)| match &around.kind {
                StmtKind::If { cond, then, .. } if then.range.contains_range(range) => {
                    self.finds(*cond, whole, true)
                }
                StmtKind::If { cond, then, .. } => {
                    around.range.end() <= range.start()
                        && body.leaves(then)
                        && self.finds(*cond, whole, false)
                }
                _ => false,
            })
    }

    /// Whether a condition says that an element is there (or, with `not`, that it is not).
    fn finds(&self, cond: ExprId, whole: ExprId, there: bool) -> bool {
        let body = self.body;
        let cond = body.tree.unparen(cond);
        match &body.tree[cond].kind {
            ExprKind::Ident(_) if there => {
                let local = body.local(cond);
                let value = local.and_then(|local| body.only_value(local));
                value.is_some_and(|value| value != whole && body.same(value, whole))
            }
            ExprKind::Unary {
                op: UnaryOp::Not,
                operand,
            } => !there && self.finds(*operand, whole, true),
            ExprKind::Binary {
                op: BinaryOp::LogicalAnd,
                lhs,
                rhs,
            } if there => self.finds(*lhs, whole, true) || self.finds(*rhs, whole, true),
            ExprKind::Binary {
                op: BinaryOp::Gt,
                lhs,
                ..
            } if there => {
                let value = body.local(*lhs).and_then(|local| body.only_value(local));
                body.same(*lhs, whole) || value.is_some_and(|v| body.same(v, whole))
            }
            _ => false,
        }
    }

    /// What is put into something that was made here, before anybody else has it, is its first content.
    fn runs(&self, at: NodeId) -> Runs {
        if is_fresh(self.body, self.subject) {
            return Runs::Once;
        }
        match runs(self.body, at) {
            // Not what goes on in a loop that may never end.
            Runs::Function
                if !is_in_endless(self.body, at) && is_given_fresh(self.body, self.subject) =>
            {
                Runs::Once
            }
            found => found,
        }
    }

    /// Looks at what is done with a mention of the place.
    fn mention(&mut self, mention: ExprId) {
        let body = self.body;
        let tree = body.tree;
        // Indexes and slices on the way up from the place.
        let mut keys: Vec<ExprId> = Vec::new();
        let mut levels: Vec<Shelf> = Vec::new();
        let mut sliced = false;
        let mut at = mention;
        loop {
            let Some(parent) = body.parent(at) else {
                return;
            };
            let around = match parent {
                NodeId::Stmt(stmt) => {
                    return self.statement(stmt, at, mention, &keys, &levels);
                }
                NodeId::Expr(around) => around,
            };
            match &tree[around].kind {
                ExprKind::Paren(_) | ExprKind::Star(_) => at = around,
                ExprKind::Index { base, indices } => {
                    if *base != at {
                        return;
                    }
                    let Some(level) = body.ty(at).and_then(|ty| self.level(ty)) else {
                        return;
                    };
                    levels.push(level);
                    keys.extend(indices.first());
                    at = around;
                }
                ExprKind::Slice { base, .. } => {
                    if *base != at {
                        return;
                    }
                    sliced = true;
                    at = around;
                }
                ExprKind::Unary { op, .. } => {
                    if *op == UnaryOp::Address {
                        return self.address(around, &keys);
                    }
                    return;
                }
                ExprKind::Selector { .. } => return self.selected(around, &keys),
                ExprKind::Call { func, .. } => {
                    if *func == at {
                        return;
                    }
                    if matches!(body.callee(around), Some(Callee::Conversion)) {
                        at = around;
                        continue;
                    }
                    return self.argument(around, at, mention, &keys, sliced);
                }
                ExprKind::Binary { .. } => return,
                ExprKind::Composite { .. } => {
                    if keys.is_empty() {
                        self.shared(around);
                    } else {
                        self.element(around, at);
                    }
                    return;
                }
                ExprKind::FuncLit(_) => return,
                _ => {
                    if keys.is_empty() {
                        self.shared(around);
                    }
                    return;
                }
            }
        }
    }

    fn level(&self, ty: &Ty) -> Option<Shelf> {
        shelf(&self.body.view(), ty)
    }

    /// An element gets another name.
    fn element(&mut self, at: impl Into<NodeId>, value: ExprId) {
        let holds = (self.body.ty(value)).is_some_and(|ty| {
            matches!(
                self.level(ty),
                Some(Shelf::Map | Shelf::SyncMap | Shelf::List)
            )
        });
        if holds {
            self.put(Op::Inner, at);
        }
    }

    /// `&place` and `&place[i]`.
    fn address(&mut self, address: ExprId, keys: &[ExprId]) {
        let body = self.body;
        if !keys.is_empty() {
            return;
        }
        let Some((call, index)) = body.argument_of(address) else {
            // `(&c.m).Store(…)`
            if let Some(NodeId::Expr(parent)) = body.parent(address)
                && matches!(
                    body.tree[parent].kind,
                    ExprKind::Paren(_) | ExprKind::Selector { .. }
                )
            {
                return self.selected(parent, keys);
            }
            return self.put(Op::Escape, address);
        };
        match body.callee(call) {
            Some(Callee::Func(f)) if f.package == "container/heap" && index == 0 => {
                match f.name.as_str() {
                    "Push" => self.grow(Source::INPUT, call, true, false),
                    "Pop" | "Remove" => self.remove(call),
                    _ => {}
                }
            }
            Some(Callee::Func(f)) if reads(f.package.as_str(), f.name.as_str()) => {}
            _ => self.handed(call, index),
        }
    }

    fn remove(&mut self, at: impl Into<NodeId>) {
        let at = at.into();
        let runs = self.runs(at);
        self.put(Op::Remove(runs), at);
    }

    /// A field or method of the place, or of an element.
    fn selected(&mut self, selector: ExprId, keys: &[ExprId]) {
        let body = self.body;
        if !keys.is_empty() {
            return;
        }
        let ExprKind::Selector { name, .. } = &body.tree[selector].kind else {
            return self.put(Op::Escape, selector);
        };
        let call = match body.parent(selector) {
            Some(NodeId::Expr(call)) if matches!(&body.tree[call].kind, ExprKind::Call { func, .. } if *func == selector) => {
                call
            }
            // A method value.
            _ => return self.put(Op::Escape, selector),
        };
        let args = body.args(call);
        match (self.shelf, name.name.as_str()) {
            (Shelf::SyncMap, "Store" | "Swap" | "LoadOrStore") => {
                let key = args.first().map_or(Source::Unknown, |k| source(body, *k));
                let memo = args.get(1).is_some_and(|value| self.keeps(*value))
                    && (name.name == "LoadOrStore" || self.looks_up(call, args));
                self.grow(key, call, true, memo);
                self.mark_made(args.get(1).copied(), call);
            }
            (Shelf::SyncMap, "Delete" | "LoadAndDelete" | "CompareAndDelete") => self.remove(call),
            (Shelf::SyncMap, "Clear") => self.put(Op::Reset, call),
            (Shelf::SyncMap, "Load" | "Range" | "CompareAndSwap") => {}
            (
                Shelf::List,
                "PushBack" | "PushFront" | "InsertBefore" | "InsertAfter" | "PushBackList"
                | "PushFrontList",
            ) => {
                self.grow(Source::INPUT, call, true, false);
            }
            (Shelf::List, "Remove") => self.remove(call),
            (Shelf::List, "Init") => self.put(Op::Reset, call),
            (Shelf::List, "Len") => self.length(call),
            (
                Shelf::List,
                "Front" | "Back" | "MoveToFront" | "MoveToBack" | "MoveBefore" | "MoveAfter",
            ) => {}
            (Shelf::Map | Shelf::Slice, _) => self.handed(call, usize::MAX),
            _ => self.put(Op::Escape, call),
        }
    }

    /// The place is an argument of a call, or (at `usize::MAX`) the receiver of a method.
    fn handed(&mut self, call: ExprId, index: usize) {
        let body = self.body;
        let db = body.db;
        let callee = body.callee(call);
        let decl = (self.depth.checked_sub(1))
            .and_then(|depth| Some((depth, callee_decl(db, body.decl, callee?)?)))
            .filter(|(_, decl)| package_of_decl(db, *decl) == body.package);
        let Some((depth, decl)) = decl else {
            return self.put(Op::Escape, call);
        };
        let slot = i32::try_from(index).unwrap_or(-1);
        let args: Vec<Source> = body.args(call).iter().map(|a| source(body, *a)).collect();
        for op in given_ops(db, decl, slot, depth).iter() {
            match op {
                Op::Grow(growth) => {
                    let key = growth.key.through(&args);
                    self.grow(key, call, growth.outer, false);
                }
                Op::Remove(_) => self.remove(call),
                other => self.put(*other, call),
            }
        }
    }

    /// The place, or an element of it, is an argument of a call.
    fn argument(
        &mut self,
        call: ExprId,
        arg: ExprId,
        mention: ExprId,
        keys: &[ExprId],
        sliced: bool,
    ) {
        let body = self.body;
        let index = body.args(call).iter().position(|a| *a == arg).unwrap_or(0);
        if let Some(Callee::Builtin(name)) = body.callee(call) {
            match name.as_str() {
                "append" if index == 0 => self.appended(call, mention, keys, sliced),
                "append" => {
                    let spread =
                        matches!(body.tree[call].kind, ExprKind::Call { spread: true, .. });
                    if keys.is_empty() && !spread {
                        self.shared(call);
                    } else if !spread {
                        self.element(call, arg);
                    } else {
                        // `s = append([]T{x}, s...)` puts something in front.
                        self.prepended(call, mention, keys);
                    }
                }
                "delete" if keys.is_empty() => self.remove(call),
                "delete" => self.put(Op::Inner, call),
                "clear" if keys.is_empty() => self.put(Op::Reset, call),
                "len" | "cap" if keys.is_empty() => self.length(call),
                "len" | "cap" => {}
                _ => {}
            }
            return;
        }
        if !keys.is_empty() {
            return self.element(call, arg);
        }
        match body.callee(call) {
            Some(Callee::Func(f))
                if f.package == "maps" || f.package == "golang.org/x/exp/maps" =>
            {
                match (f.name.as_str(), index) {
                    ("DeleteFunc", 0) => self.remove(call),
                    ("Clear", 0) => self.put(Op::Reset, call),
                    ("Copy", 0) => {
                        let key = body
                            .args(call)
                            .get(1)
                            .map_or(Source::Unknown, |a| source(body, *a));
                        self.grow(key, call, true, false);
                    }
                    _ => {}
                }
            }
            Some(Callee::Func(f)) if f.package == "slices" && f.name == "Insert" && index == 0 => {
                self.appended(call, mention, keys, sliced);
            }
            Some(Callee::Func(f)) if reads(f.package.as_str(), f.name.as_str()) => {}
            _ if self.shelf == Shelf::Slice => {}
            _ => self.handed(call, index),
        }
    }

    /// `len(place)`: whether it is compared with something other than nothing.
    fn length(&mut self, len: ExprId) {
        let body = self.body;
        let mut at = len;
        while let Some(parent) = body.parent(at) {
            match parent {
                NodeId::Expr(e) => match &body.tree[e].kind {
                    ExprKind::Paren(_) => at = e,
                    ExprKind::Binary { op, lhs, rhs } => match op {
                        BinaryOp::Eq
                        | BinaryOp::Ne
                        | BinaryOp::Lt
                        | BinaryOp::Le
                        | BinaryOp::Gt
                        | BinaryOp::Ge => {
                            let other = if *lhs == at { *rhs } else { *lhs };
                            let other = body.tree.unparen(other);
                            let small = body.tree.int_value(other).is_some_and(|n| n < 2);
                            if !small && !self.counts_up_to(e) {
                                self.put(Op::Guard, e);
                            }
                            return;
                        }
                        // `s[len(s)-1]`
                        BinaryOp::Rem => return self.put(Op::Guard, e),
                        _ => at = e,
                    },
                    ExprKind::Call { .. } if matches!(body.callee(e), Some(Callee::Conversion)) => {
                        at = e;
                    }
                    _ => return,
                },
                NodeId::Stmt(stmt) => {
                    match &body.tree[stmt].kind {
                        // `n := len(s)`, which may be compared later.
                        StmtKind::Assign { .. } | StmtKind::Var(_) => {
                            let compared = self.assigned_length(stmt);
                            if compared {
                                self.put(Op::Guard, len);
                            }
                        }
                        StmtKind::Switch { .. } => self.put(Op::Guard, len),
                        // Whoever asks for the size in the package may limit it.
                        StmtKind::Return(_)
                            if !callers(body.db, body.package, body.decl).is_empty() =>
                        {
                            self.put(Op::Guard, len);
                        }
                        _ => {}
                    }
                    return;
                }
            }
        }
    }

    /// Whether a variable that holds a length is compared with anything.
    fn assigned_length(&self, stmt: StmtId) -> bool {
        let body = self.body;
        let StmtKind::Assign { lhs, .. } = &body.tree[stmt].kind else {
            return true;
        };
        let locals: Vec<Option<LocalId>> = lhs.iter().map(|l| body.local(*l)).collect();
        body.tree.exprs.iter().any(|(_, e)| match &e.kind {
            ExprKind::Binary {
                op: BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge | BinaryOp::Eq,
                lhs,
                rhs,
            } => [*lhs, *rhs]
                .iter()
                .any(|side| body.local(*side).is_some_and(|l| locals.contains(&Some(l)))),
            _ => false,
        })
    }

    /// `i < len(s)` as the condition of a loop.
    fn counts_up_to(&self, comparison: ExprId) -> bool {
        matches!(self.body.parent(comparison), Some(NodeId::Stmt(s))
            if matches!(&self.body.tree[s].kind, StmtKind::For { init: Some(_), .. }))
    }

    /// `append(place, …)` is what the place gets, or something else.
    fn appended(&mut self, call: ExprId, mention: ExprId, keys: &[ExprId], sliced: bool) {
        let body = self.body;
        if sliced {
            // Elements are cut out or the memory is used again: the assignment says so.
            return;
        }
        if let Some(target) = self.target_of(call) {
            let source_place = self.whole(mention, keys);
            if body.same(target, source_place) {
                if self.shelf == Shelf::Map
                    && let Some(key) = keys.first()
                {
                    // A new key makes a new element.
                    self.grow(source(body, *key), call, true, false);
                    self.mark_made(body.args(call).get(1).copied(), call);
                }
                self.grow(Source::INPUT, call, keys.is_empty(), false);
                self.mark_made(body.args(call).get(1).copied(), call);
            }
        }
    }

    /// Notes whether what was just put in is made here.
    fn mark_made(&mut self, value: Option<ExprId>, at: impl Into<NodeId>) {
        let made = value.is_some_and(|v| self.is_made(v, at));
        let stamped = value.is_some_and(|v| self.is_stamped(v));
        if let Some((Op::Grow(growth), _)) = self.ops.last_mut() {
            growth.made = made;
            growth.stamped = stamped;
        }
    }

    /// Whether there is the time of day in a value.
    fn is_stamped(&self, value: ExprId) -> bool {
        let body = self.body;
        let of = |value: ExprId| {
            let range = body.tree[value].range;
            body.tree.exprs.iter().any(|(id, e)| {
                range.contains_range(e.range)
                    && matches!(body.callee(id), Some(Callee::Func(f)) if f.is("time", "Now"))
            })
        };
        of(value)
            || body
                .local(value)
                .and_then(|local| body.only_value(local))
                .is_some_and(of)
    }

    /// Whether a node stands in loops over parameters only, and in one of them.
    fn is_each(&self, at: impl Into<NodeId>) -> bool {
        let body = self.body;
        let mut found = false;
        for node in body.around(at) {
            match node {
                NodeId::Stmt(s) => match &body.tree[s].kind {
                    StmtKind::Range { over, .. } if self.param(*over).is_some() => found = true,
                    StmtKind::For { .. } | StmtKind::Range { .. } => return false,
                    _ => {}
                },
                NodeId::Expr(_) => {}
            }
        }
        found
    }

    fn is_looped(&self, at: impl Into<NodeId>) -> bool {
        let body = self.body;
        body.around(at).any(|node| {
            matches!(node, NodeId::Stmt(s)
                if matches!(body.tree[s].kind, StmtKind::For { .. } | StmtKind::Range { .. }))
        })
    }

    /// The parameter that a value is, or is a part of.
    fn param(&self, value: ExprId) -> Option<LocalId> {
        let body = self.body;
        body.local(body.root(value))
            .filter(|l| body.facts.locals[*l].kind == LocalKind::Param)
    }

    /// Whether a value is no parameter and made from the key, by which the same function looks first: the result is kept for the
    /// next time, whatever it is.
    fn is_made_of(&self, value: ExprId, key: &[ExprId], whole: ExprId, at: StmtId) -> bool {
        let body = self.body;
        let value = body.tree.unparen(value);
        let params = |e: ExprId| match source(body, e) {
            Source::Params(bits, _) => bits,
            _ => 0,
        };
        self.param(value).is_none()
            && !self.is_opened(value)
            && !self.is_looped(at)
            && key.iter().any(|k| params(*k) & params(value) != 0)
            && self.looks_up(whole, key)
    }

    /// Whether a value comes with something beside it that is looked at, as an error is: it is opened rather than computed, by one of
    /// the names that there are.
    fn is_opened(&self, value: ExprId) -> bool {
        let body = self.body;
        let Some(local) = body.local(value) else {
            return false;
        };
        body.tree.stmts.iter().any(|(_, stmt)| match &stmt.kind {
            StmtKind::Assign { lhs, rhs, .. } => {
                let blank = |e: ExprId| body.tree.ident(e).is_some_and(|i| i.name.is_blank());
                rhs.len() < lhs.len()
                    && matches!(
                        body.tree[body.tree.unparen(rhs[0])].kind,
                        ExprKind::Call { .. }
                    )
                    && lhs.iter().any(|l| body.local(*l) == Some(local))
                    && lhs.last().is_some_and(|last| !blank(*last))
            }
            _ => false,
        })
    }

    /// Whether a parameter is a function that is called in the background: what is put in is something that was started.
    fn is_started(&self, local: LocalId) -> bool {
        let body = self.body;
        body.tree.exprs.iter().any(|(call, e)| match &e.kind {
            ExprKind::Call { func, .. } => {
                body.local(*func) == Some(local)
                    && (body.literal(call).is_some()
                        || matches!(body.parent(call), Some(NodeId::Stmt(s))
                            if matches!(body.tree[s].kind, StmtKind::Go(_))))
            }
            _ => false,
        })
    }

    /// Whether a value is no parameter, function or interface, and stands in no loop.
    fn is_made(&self, value: ExprId, at: impl Into<NodeId>) -> bool {
        let value = self.body.tree.unparen(value);
        !self.is_looped(at)
            && (self.is_made_value(value)
                || (self.param(value)).is_some_and(|local| self.is_started(local)))
    }

    /// The same wherever it stands.
    fn is_made_value(&self, value: ExprId) -> bool {
        let body = self.body;
        let value = body.tree.unparen(value);
        let given = self.param(value).is_some();
        let behaves = body.ty(value).is_none_or(|ty| {
            matches!(
                body.view().underlying(ty).kind(),
                TyKind::Func(_) | TyKind::Interface(_) | TyKind::Unknown
            )
        });
        !given && !behaves
    }

    fn prepended(&mut self, call: ExprId, mention: ExprId, keys: &[ExprId]) {
        let body = self.body;
        if let Some(target) = self.target_of(call)
            && body.same(target, self.whole(mention, keys))
            && body.args(call).first().is_some_and(|a| {
                matches!(&body.tree[body.tree.unparen(*a)].kind,
                    ExprKind::Composite { elements, .. } if !elements.is_empty())
            })
        {
            self.grow(Source::INPUT, call, keys.is_empty(), false);
        }
    }

    /// The mention with the indexes that follow it.
    fn whole(&self, mention: ExprId, keys: &[ExprId]) -> ExprId {
        let mut at = mention;
        let mut left = keys.len();
        while left > 0 {
            let Some(NodeId::Expr(parent)) = self.body.parent(at) else {
                break;
            };
            if matches!(self.body.tree[parent].kind, ExprKind::Index { .. }) {
                left -= 1;
            }
            at = parent;
        }
        at
    }

    /// What an expression is assigned to.
    fn target_of(&self, value: ExprId) -> Option<ExprId> {
        let body = self.body;
        let NodeId::Stmt(stmt) = body.parent(value)? else {
            return None;
        };
        let StmtKind::Assign { lhs, rhs, .. } = &body.tree[stmt].kind else {
            return None;
        };
        let at = rhs.iter().position(|r| *r == value)?;
        (lhs.len() == rhs.len()).then(|| lhs[at])
    }

    fn statement(
        &mut self,
        stmt: StmtId,
        at: ExprId,
        mention: ExprId,
        keys: &[ExprId],
        levels: &[Shelf],
    ) {
        let body = self.body;
        match &body.tree[stmt].kind {
            StmtKind::Assign { lhs, op, rhs } => {
                if let Some(i) = lhs.iter().position(|l| *l == at) {
                    let value = (lhs.len() == rhs.len()).then(|| rhs[i]);
                    return self.assigned(stmt, mention, *op, value, keys, levels);
                }
                let Some(i) = rhs.iter().position(|r| *r == at) else {
                    return;
                };
                if !keys.is_empty() {
                    return self.element(stmt, at);
                }
                let target = lhs.get(i).filter(|_| lhs.len() == rhs.len());
                self.named(stmt, target.and_then(|t| body.local(*t)), target.copied());
            }
            StmtKind::IncDec { .. } if levels.first() == Some(&Shelf::Map) => {
                self.stored(stmt, mention, None, keys, levels);
            }
            StmtKind::Var(specs) => {
                if !keys.is_empty() {
                    return self.element(stmt, at);
                }
                let local = specs.iter().find_map(|spec| {
                    let i = spec.values.iter().position(|v| *v == at)?;
                    let name = spec.names.get(i)?;
                    let found = body
                        .facts
                        .locals
                        .iter()
                        .find(|(_, l)| l.ident.range == name.range);
                    found.map(|(id, _)| id)
                });
                self.named(stmt, local, None);
            }
            StmtKind::Return(_) => {
                if keys.is_empty() {
                    self.shared(stmt);
                } else {
                    self.element(stmt, at);
                }
            }
            StmtKind::Send { value, .. } if *value == at && keys.is_empty() => self.shared(stmt),
            _ => {}
        }
    }

    /// The collection gets another name.
    fn named(&mut self, stmt: StmtId, local: Option<LocalId>, target: Option<ExprId>) {
        let body = self.body;
        if target.is_some_and(|t| body.tree.ident(t).is_some_and(|i| i.name.is_blank())) {
            return;
        }
        if self.shelf == Shelf::Slice {
            return;
        }
        match local {
            Some(local)
                if matches!(body.given(local), [Given::Value(_)])
                    && body.facts.locals[local].kind == LocalKind::Var
                    && !self.aliases.contains(&local)
                    && self.aliases.len() < 4 =>
            {
                self.aliases.push(local);
                let subject = self.subject;
                let before = self.ops.len();
                self.alias(local);
                self.subject = subject;
                // A new name in its own declaration is no reset.
                let mut index = 0;
                self.ops.retain(|(op, at)| {
                    index += 1;
                    index <= before || !(*op == Op::Reset && *at == NodeId::Stmt(stmt))
                });
            }
            _ => self.put(Op::Escape, stmt),
        }
    }

    /// Something is assigned to the place, or to an element of it.
    fn assigned(
        &mut self,
        stmt: StmtId,
        mention: ExprId,
        op: AssignOp,
        value: Option<ExprId>,
        keys: &[ExprId],
        levels: &[Shelf],
    ) {
        let body = self.body;
        if !keys.is_empty() {
            if levels.contains(&Shelf::Map) {
                self.stored(stmt, mention, value, keys, levels);
            }
            return;
        }
        if op == AssignOp::Define && body.local(mention).is_some() {
            return;
        }
        let Some(value) = value.map(|v| body.tree.unparen(v)) else {
            return self.put(Op::Reset, stmt);
        };
        if self.is_growth(value, mention) || self.is_first_content(stmt, mention) {
            return;
        }
        self.put(Op::Reset, stmt);
    }

    /// Whether a value is the place with more in it.
    fn is_growth(&self, value: ExprId, mention: ExprId) -> bool {
        let body = self.body;
        let grows = body.is_builtin(value, "append")
            || matches!(body.callee(value), Some(Callee::Func(f)) if f.package == "slices" && f.name == "Insert");
        let args = body.args(value);
        grows
            && (args.first().is_some_and(|a| body.same(*a, mention))
                || args.last().is_some_and(|a| body.same(*a, mention))
                    && args.len() == 2
                    && matches!(&body.tree[value].kind, ExprKind::Call { spread: true, .. }))
    }

    /// Whether an assignment gives a place its first content: it was nil or new, or this happens once.
    fn is_first_content(&self, stmt: StmtId, mention: ExprId) -> bool {
        let body = self.body;
        if is_fresh(body, mention)
            || runs(body, stmt) == Runs::Once
            || !is_in_endless(body, stmt.into()) && is_given_fresh(body, mention)
        {
            return true;
        }
        body.around(stmt).any(|node| match node {
            NodeId::Stmt(s) => match &body.tree[s].kind {
                StmtKind::If { cond, then, .. } => {
                    then.range.contains_range(body.tree[stmt].range)
                        && self.asks_for_nothing(*cond, mention)
                }
                _ => false,
            },
            NodeId::Expr(_) => false,
        })
    }

    /// `place == nil`, also with something else beside it.
    fn asks_for_nothing(&self, cond: ExprId, mention: ExprId) -> bool {
        let body = self.body;
        let cond = body.tree.unparen(cond);
        let ExprKind::Binary { op, lhs, rhs } = &body.tree[cond].kind else {
            return false;
        };
        match op {
            BinaryOp::LogicalAnd | BinaryOp::LogicalOr => {
                self.asks_for_nothing(*lhs, mention) || self.asks_for_nothing(*rhs, mention)
            }
            BinaryOp::Eq => {
                let is_nil =
                    |e: ExprId| body.facts.refs.get(body.tree.unparen(e)) == Some(&Res::Nil);
                is_nil(*rhs) && body.same(*lhs, mention) || is_nil(*lhs) && body.same(*rhs, mention)
            }
            _ => false,
        }
    }

    /// `place[k] = v` and its kin.
    fn stored(
        &mut self,
        stmt: StmtId,
        mention: ExprId,
        value: Option<ExprId>,
        keys: &[ExprId],
        levels: &[Shelf],
    ) {
        let body = self.body;
        let value = value.map(|v| body.tree.unparen(v));
        // `m[k] = append(m[k], v)` was met at the mention on the right.
        let whole = self.whole(mention, keys);
        if let Some(value) = value {
            if self.is_growth(value, whole) {
                let first = body.args(value).first();
                if first.is_some_and(|a| body.same(*a, whole)) {
                    return;
                }
            }
            let is_nil = body.facts.refs.get(value) == Some(&Res::Nil);
            if levels.len() == 1 && (is_nil || is_zero(body, value)) {
                self.put(Op::Blank, stmt);
            }
            let cut = matches!(body.tree[value].kind, ExprKind::Slice { .. })
                || body.is_builtin(value, "append");
            // An element is emptied or cut; its key stays.
            if levels.len() == 1 && (is_nil || cut) {
                return self.put(Op::Inner, stmt);
            }
            let again = body.args(value).iter().any(|a| body.same(*a, whole));
            if again {
                self.put(Op::Inner, stmt);
            }
        }
        if levels.len() == 1 && self.is_update(stmt, whole) {
            return;
        }
        let mut key = Source::Bounded;
        let mut outer = true;
        for (i, (level, k)) in levels.iter().zip(keys).enumerate() {
            if *level == Shelf::Map {
                let found = source(body, *k);
                if i > 0 && found > key {
                    outer = false;
                }
                key = key.join(found);
            }
        }
        let memo = value.is_some_and(|v| self.keeps(v)) && self.looks_up(whole, &keys[..1]);
        self.grow(key, stmt, outer, memo);
        let set = value.is_some_and(|v| {
            matches!(body.facts.refs.get(v), Some(Res::Bool(true)))
                || matches!(body.ty(v).map(Ty::kind), Some(TyKind::Struct(f)) if f.is_empty())
        });
        let made = value
            .is_some_and(|v| self.is_made(v, stmt) || self.is_made_of(v, &keys[..1], whole, stmt));
        let stamped = value.is_some_and(|v| self.is_stamped(v));
        let each = value.is_some_and(|v| self.is_made_value(v) && self.is_each(stmt));
        if let Some((Op::Grow(growth), _)) = self.ops.last_mut() {
            growth.set = set;
            // What a set remembers is often found in a loop.
            growth.made = made || set;
            growth.follows = levels.len() == 1 && followed(body, keys[0]).is_some();
            growth.stamped = stamped;
            growth.each = each;
        }
    }

    /// Whether a value is data that is computed here: not what the function was given, and nothing that does something.
    fn keeps(&self, value: ExprId) -> bool {
        let body = self.body;
        let value = body.tree.unparen(value);
        if let Some(local) = body.local(value)
            && body.facts.locals[local].kind == LocalKind::Param
        {
            return false;
        }
        let Some(ty) = body.ty(value) else {
            return false;
        };
        let locks = ["Mutex", "RWMutex", "Once"];
        let locks = ty
            .as_named_or_pointer()
            .is_some_and(|n| n.package == "sync" && locks.contains(&n.name.as_str()));
        locks || is_data(body, ty, 4) && source(body, value) > Source::Unknown
    }

    /// Whether the declaration looks the same key up in the same place elsewhere.
    fn looks_up(&self, at: ExprId, key: &[ExprId]) -> bool {
        let body = self.body;
        let mention = self.subject;
        let is_key = |e: ExprId| key.first().is_some_and(|k| body.same(e, *k));
        body.tree.exprs.iter().any(|(id, e)| match &e.kind {
            ExprKind::Index { base, indices } => {
                id != at
                    && body.same(*base, mention)
                    && !self.is_target(id)
                    && indices.first().is_some_and(|i| is_key(*i))
            }
            ExprKind::Call { func, args, .. } => match &body.tree[body.tree.unparen(*func)].kind {
                ExprKind::Selector { base, name } => {
                    name.name == "Load"
                        && body.same(*base, mention)
                        && args.first().is_some_and(|a| is_key(*a))
                }
                _ => false,
            },
            _ => false,
        })
    }

    fn is_target(&self, expr: ExprId) -> bool {
        match self.body.parent(expr) {
            Some(NodeId::Stmt(s)) => match &self.body.tree[s].kind {
                StmtKind::Assign { lhs, .. } => lhs.contains(&expr),
                _ => false,
            },
            _ => false,
        }
    }
}

fn is_in_endless(body: &Body<'_>, at: NodeId) -> bool {
    body.around(at).any(|node| {
        matches!(node, NodeId::Stmt(s) if matches!(body.tree[s].kind, StmtKind::For { cond: None, .. }))
    })
}

/// Whether the beginning of a chain is a parameter, or the receiver, of a function that the package calls only with what it has just
/// made.
pub(super) fn is_given_fresh(body: &Body<'_>, mention: ExprId) -> bool {
    let decl = body.decl;
    let Some(local) = body.local(body.root(mention)) else {
        return false;
    };
    if decl.name(body.db).is_exported()
        || body.literal(mention).is_some()
        || !body.given(local).is_empty()
    {
        return false;
    }
    let param = match body.facts.locals[local].kind {
        LocalKind::Param => body.facts.params.iter().position(|p| *p == Some(local)),
        LocalKind::Receiver => None,
        _ => return false,
    };
    let receiver = body.facts.receiver == Some(local);
    if !receiver && param.is_none_or(|i| i >= 64) {
        return false;
    }
    let calls = callers(body.db, body.package, decl);
    let fresh = calls.iter().all(|(_, called)| {
        !called.given
            && match param {
                Some(i) => called.fresh & (1 << i) != 0,
                None => called.fresh_receiver,
            }
    });
    !calls.is_empty() && fresh
}

/// Whether the beginning of a chain is a variable that was made in the same function.
pub(super) fn is_fresh(body: &Body<'_>, mention: ExprId) -> bool {
    let root = body.root(mention);
    let Some(local) = body.local(root) else {
        return false;
    };
    let l = &body.facts.locals[local];
    if l.kind != LocalKind::Var || body.literal(mention) != l.owner {
        return false;
    }
    let given = body.given(local);
    let made = |value: &ExprId| {
        let mut value = body.tree.unparen(*value);
        if let ExprKind::Unary {
            op: UnaryOp::Address,
            operand,
        } = body.tree[value].kind
        {
            value = body.tree.unparen(operand);
        }
        matches!(body.tree[value].kind, ExprKind::Composite { .. }) || body.is_builtin(value, "new")
    };
    match given {
        [] => !matches!(l.ty.kind(), TyKind::Pointer(_)),
        given => given
            .iter()
            .all(|g| matches!(g, Given::Value(value) if made(value))),
    }
}

/// `0`, `""` and `false`.
fn is_zero(body: &Body<'_>, value: ExprId) -> bool {
    match &body.tree[value].kind {
        ExprKind::Literal(literal) => {
            body.tree.int_value(value) == Some(0)
                || matches!(literal.text.as_deref(), Some("\"\"" | "``"))
        }
        ExprKind::Ident(_) => body.facts.refs.get(value) == Some(&Res::Bool(false)),
        _ => false,
    }
}

/// Whether values of a type are data: nothing that does something.
fn is_data(body: &Body<'_>, ty: &Ty, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else {
        return false;
    };
    if ty.is_named("time", "Time") {
        return true;
    }
    match ty.kind() {
        TyKind::Basic(basic) => *basic != Basic::UnsafePointer,
        TyKind::Slice(of) | TyKind::Array(_, of) => is_data(body, of, depth),
        TyKind::Map(k, v) => is_data(body, k, depth) && is_data(body, v, depth),
        TyKind::Struct(fields) => fields.iter().all(|f| is_data(body, &f.ty, depth)),
        TyKind::Pointer(of) => {
            of.is_named("regexp", "Regexp")
                || of.is_named("html/template", "Template")
                || of.is_named("text/template", "Template")
                || matches!(of.kind(), TyKind::Named(_)) && is_data(body, of, depth)
        }
        TyKind::Named(_) => is_data(body, &body.view().underlying(ty), depth),
        _ => false,
    }
}

/// Functions of the standard library that read what they are given and keep nothing of it.
fn reads(package: &str, name: &str) -> bool {
    match package {
        "fmt" => {
            !name.starts_with("Sscan") && !name.starts_with("Fscan") && !name.starts_with("Scan")
        }
        "log" | "log/slog" | "sort" | "strings" | "bytes" | "slices" | "errors" => true,
        "encoding/json" | "encoding/xml" => name.starts_with("Marshal"),
        "maps" => true,
        "reflect" => name == "DeepEqual" || name == "TypeOf",
        _ => false,
    }
}
