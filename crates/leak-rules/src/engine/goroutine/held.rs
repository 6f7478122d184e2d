//! Which locks are held where, and what is done while they are.
//!
//! A lock is told apart by the variable from which it is reached and the fields on the way. It is held from the call that takes it until
//! one that gives it back, on one path of one function; a deferred call gives it back at the end. What a called function takes is known
//! where it surely takes it: on every path, before it gives it back.

use std::cell::RefCell;
use std::rc::Rc;

use go_model::cfg::{BlockId, Node};
use go_model::db::{Db, DeclId, decl_start, decl_tree};
use go_model::facts::{Callee, ItemRef, LocalId, LocalKind, Res};
use go_model::package::package_of_decl;
use go_model::types::TyKind;
use go_syntax::ast::{DeclTree, ExprId, ExprKind, StmtId, StmtKind, UnaryOp};
use go_syntax::{Literals, Name, NodeId};
use rustc_hash::FxHashMap;

use super::lock::{Key, Root, key, may_alias, may_unlock_by, receiver, shape};
use super::paths::{self, Flow, Item, Question};
use super::uses::{Run, Uses};
use crate::check::{CheckContext, RawFinding, RawRelated};
use crate::engine::facts;
use crate::engine::find::last_name;
use crate::engine::function::{Declaration, Depth, Function};
use crate::engine::outline::render;
use crate::engine::pattern::functions;

/// How deep called functions are looked into.
const MAX_CALLS: u32 = 3;
/// How many functions are looked into for one declaration.
const MAX_FUNCTIONS: usize = 64;

/// What is found in the functions and literals of a declaration that take locks, in the order of the source.
pub(super) fn in_each_function(
    cx: &CheckContext<'_>,
    look: impl Fn(&Function<'_>, &Locks<'_, '_>, &Callees) -> Vec<RawFinding>,
) -> Vec<RawFinding> {
    let d = cx.declaration(Depth::Full);
    let uses = Uses::new(d);
    let callees = Callees::default();
    let mut found = Vec::new();
    for literal in functions(cx.tree) {
        let Some(cfg) = d.cfg(literal).filter(|cfg| !cfg.truncated) else {
            continue;
        };
        let f = Function::new(d, literal, &cfg);
        let locks = Locks::new(&f, &uses);
        if locks.ops.iter().any(|op| op.locks) {
            found.extend(look(&f, &locks, &callees));
        }
    }
    found.sort_by_key(|finding: &RawFinding| finding.range.start());
    found
}

/// A call that takes a lock or gives it back.
#[derive(Debug, Clone)]
pub(super) struct Op {
    pub(super) call: ExprId,
    pub(super) key: Key,
    pub(super) locks: bool,
    pub(super) reads: bool,
    pub(super) class: Option<Class>,
}

/// A lock wherever it is met: a package-level variable, or a field of a type, of whatever object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Class {
    Package(ItemRef, Vec<Name>),
    Field(ItemRef, Name),
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Package(item, path) => {
                write!(f, "{}", item.name)?;
                path.iter().try_for_each(|name| write!(f, ".{name}"))
            }
            Self::Field(owner, name) => write!(f, "{}.{name}", owner.name),
        }
    }
}

/// The locks of one function that can be followed.
pub(super) struct Locks<'q, 'a> {
    pub(super) f: &'q Function<'q>,
    pub(super) uses: &'q Uses<'q, 'a>,
    pub(super) ops: Vec<Op>,
}

/// What happens while locks are held.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    /// A lock is taken.
    Lock(usize),
    /// Something else is called, in the same goroutine.
    Call(ExprId),
    /// A goroutine is started.
    Go(StmtId),
    /// Something is received.
    Receive(ExprId),
    /// Something is sent.
    Send(StmtId),
}

/// Whether something takes a lock in a declaration: a question before anything is resolved.
pub(super) fn takes_locks(tree: &DeclTree) -> bool {
    tree.exprs.iter().any(|(_, expr)| match &expr.kind {
        ExprKind::Call { func, .. } => last_name(tree, *func)
            .and_then(|n| shape(n.as_str()))
            .is_some_and(|(locks, ..)| locks),
        _ => false,
    })
}

impl<'q, 'a> Locks<'q, 'a> {
    pub(super) fn new(f: &'q Function<'q>, uses: &'q Uses<'q, 'a>) -> Self {
        let d = f.d;
        let mut all = Vec::new();
        let mut tried = Vec::new();
        for (call, expr) in d.tree.exprs.iter() {
            let ExprKind::Call { func, .. } = &expr.kind else {
                continue;
            };
            let Some((locks, reads, tries)) =
                last_name(d.tree, *func).and_then(|n| shape(n.as_str()))
            else {
                continue;
            };
            let Some(key) = lock_of(d, call) else {
                continue;
            };
            if tries {
                tried.push(key.clone());
            }
            let op = Op {
                class: class_of(d, call, &key),
                call,
                key,
                locks,
                reads,
            };
            all.push((uses.literal_of(call), op));
        }
        let mut ops: Vec<Op> = (all.iter())
            .filter(|(literal, op)| {
                *literal == f.literal
                    && !tried.contains(&op.key)
                    && uses.go_of(op.call).is_none()
                    && !given_back_elsewhere(f, uses, &all, &op.key)
            })
            .map(|(_, op)| op.clone())
            .collect();
        ops.sort_by_key(|op| d.tree[op.call].range.start());
        Self { f, uses, ops }
    }

    /// Goes along all paths of the function and says what happens while which locks are held, by their numbers in [`Self::ops`].
    /// `None` if there are too many paths.
    pub(super) fn walk(&self, on: &mut dyn FnMut(Event, &[usize])) -> Option<()> {
        let mut question = Walk { locks: self, on };
        let start = (self.f.cfg.entry, 0);
        paths::search(self.f, start, Vec::new(), &mut question).map(drop)
    }
}

/// Whether a literal that is not followed gives a lock back that it has not taken: the first thing that it does with it is to give it
/// back.
fn given_back_elsewhere(
    f: &Function<'_>,
    uses: &Uses<'_, '_>,
    all: &[(Option<ExprId>, Op)],
    key: &Key,
) -> bool {
    all.iter().any(|(literal, op)| {
        let Some(literal) = literal.filter(|l| Some(*l) != f.literal) else {
            return false;
        };
        let start = |o: &Op| f.tree[o.call].range.start();
        let takes = (all.iter())
            .any(|(l, o)| *l == Some(literal) && o.locks && o.key == *key && start(o) < start(op));
        let deferred = matches!(uses.run(literal), Run::Deferred(site) if site.by == f.literal);
        op.key == *key && !op.locks && !takes && !deferred
    })
}

/// The lock of a call of one of its methods, where it is the same one wherever it is written alike.
fn lock_of(d: &Declaration<'_>, call: ExprId) -> Option<Key> {
    let target = d.target(call)?;
    let ty = target.ty?;
    if target.package != "sync" || !(ty == "Mutex" || ty == "RWMutex") {
        return None;
    }
    let base = receiver(d.tree, call)?;
    let mut found = stable_key(d, base)?;
    let own = d.facts.types.get(d.tree.unparen(base))?;
    let named = own.as_named_or_pointer()?;
    // Embedded, and named by its type.
    if named.package != "sync" {
        found.path.push(ty);
    }
    Some(found)
}

pub(super) fn class_of(d: &Declaration<'_>, call: ExprId, key: &Key) -> Option<Class> {
    if let Root::Package(item) = key.root {
        return Some(Class::Package(item, key.path.clone()));
    }
    let base = d.tree.unparen(receiver(d.tree, call)?);
    let named = d.facts.types.get(base)?.as_named_or_pointer()?;
    if named.package != "sync" {
        let owner = ItemRef {
            package: named.package,
            name: named.name,
        };
        return (named.local == 0)
            .then(|| Class::Field(owner, *key.path.last().unwrap_or(&named.name)));
    }
    match d.facts.refs.get(base)? {
        Res::Field {
            owner: Some(owner),
            name,
        } => Some(Class::Field(*owner, *name)),
        _ => None,
    }
}

/// The key of an expression that means the same object as long as its variable has the same value: no pointer on the way can change.
pub(super) fn stable_key(d: &Declaration<'_>, expr: ExprId) -> Option<Key> {
    let found = key(d, expr)?;
    if let Root::Local(local) = found.root {
        let l = &d.facts.locals[local];
        if l.captured && l.assignments > 1 {
            return None;
        }
    }
    let mut at = d.tree.unparen(expr);
    loop {
        match &d.tree[at].kind {
            ExprKind::Paren(x) => at = *x,
            ExprKind::Unary {
                op: UnaryOp::Address,
                operand,
            } => at = *operand,
            ExprKind::Selector { base, .. } => {
                let base = d.tree.unparen(*base);
                let inner = matches!(d.tree[base].kind, ExprKind::Selector { .. })
                    && !matches!(d.facts.refs.get(base), Some(Res::Package(_)));
                if inner {
                    // A field that is a pointer may point elsewhere the next time.
                    let ty = d.facts.types.get(base)?;
                    if !matches!(ty.kind(), TyKind::Named(_) | TyKind::Struct(_)) {
                        return None;
                    }
                }
                at = base;
            }
            ExprKind::Ident(_) => return Some(found),
            _ => return None,
        }
    }
}

struct Walk<'w, 'q, 'a> {
    locks: &'w Locks<'q, 'a>,
    on: &'w mut dyn FnMut(Event, &[usize]),
}

impl Walk<'_, '_, '_> {
    /// A variable or field gets another value: what is reached from it is something else.
    fn forget(&self, node: Node, held: &mut Vec<usize>) {
        let f = self.locks.f;
        let mut changed: Vec<Key> = Vec::new();
        let local = |local: LocalId| Key {
            root: Root::Local(local),
            path: Vec::new(),
        };
        let mut note = |expr: ExprId| changed.extend(key(f.d, expr));
        match node {
            Node::Stmt(stmt) => match &f.tree[stmt].kind {
                StmtKind::Assign { lhs, .. } => lhs.iter().for_each(|e| note(*e)),
                StmtKind::Var(specs) => {
                    for name in specs.iter().flat_map(|s| s.names.iter()) {
                        changed.extend(f.declared_at(name.range).map(local));
                    }
                }
                _ => {}
            },
            Node::RangeBind(stmt) => {
                if let StmtKind::Range { key, value, .. } = &f.tree[stmt].kind {
                    [key, value].into_iter().flatten().for_each(|e| note(*e));
                }
            }
            // One variable for each case.
            Node::TypeBind(..) => held.clear(),
            _ => {}
        }
        let ops = &self.locks.ops;
        held.retain(|i| {
            let key = &ops[*i].key;
            !(changed.iter()).any(|c| c.root == key.root && key.path.starts_with(&c.path))
        });
    }

    fn call(&mut self, call: ExprId, held: &mut Vec<usize>) {
        let ops = &self.locks.ops;
        match ops.iter().position(|op| op.call == call) {
            Some(i) if ops[i].locks => {
                (self.on)(Event::Lock(i), held);
                held.retain(|h| ops[*h].key != ops[i].key);
                held.push(i);
            }
            Some(i) => {
                let d = self.locks.f.d;
                held.retain(|h| {
                    ops[*h].key != ops[i].key && !may_alias(d, &ops[*h].key, &ops[i].key)
                });
            }
            None => {
                (self.on)(Event::Call(call), held);
                let d = self.locks.f.d;
                held.retain(|h| !may_unlock_by(d, &ops[*h].key, call));
            }
        }
    }
}

impl Question for Walk<'_, '_, '_> {
    type State = Vec<usize>;

    fn at(&mut self, _: BlockId, item: Item, held: &mut Vec<usize>) -> Flow {
        let root: NodeId = match item {
            // What is deferred is done at the end.
            Item::Node(Node::Defer(_)) | Item::Return(None) => return Flow::On,
            Item::Node(Node::Stmt(s)) | Item::Return(Some(s)) => s.into(),
            Item::Node(Node::Eval(e)) => e.into(),
            Item::Node(node) => {
                self.forget(node, held);
                return Flow::On;
            }
        };
        let tree = self.locks.f.tree;
        if let NodeId::Stmt(s) = root {
            if matches!(tree[s].kind, StmtKind::Go(_)) {
                (self.on)(Event::Go(s), held);
                return Flow::On;
            }
            if matches!(tree[s].kind, StmtKind::Send { .. }) {
                (self.on)(Event::Send(s), held);
            }
        }
        for id in self.locks.uses.nodes(root) {
            let NodeId::Expr(e) = id else { continue };
            match &tree[e].kind {
                ExprKind::Call { .. } => self.call(e, held),
                ExprKind::Unary {
                    op: UnaryOp::Receive,
                    ..
                } => (self.on)(Event::Receive(e), held),
                _ => {}
            }
        }
        if let Item::Node(node) = item {
            self.forget(node, held);
        }
        Flow::On
    }
}

/// From where a function reaches a lock that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Receiver,
    Param(usize),
    Package(ItemRef),
}

/// A lock that a function surely takes.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    start: Start,
    path: Vec<Name>,
    pub(super) reads: bool,
    pub(super) class: Option<Class>,
    /// How it comes to that, from the function's own call or lock on.
    pub(super) steps: Vec<RawRelated>,
}

/// What functions take, as far as it was asked for.
#[derive(Default)]
pub(super) struct Callees {
    known: RefCell<FxHashMap<DeclId, Rc<Vec<Taken>>>>,
}

impl Callees {
    /// The locks that a call surely takes, as the caller would name them.
    pub(super) fn taken_by(&self, d: &Declaration<'_>, call: ExprId) -> Vec<(Key, Taken)> {
        self.taken(d, call, MAX_CALLS)
    }

    fn taken(&self, d: &Declaration<'_>, call: ExprId, depth: u32) -> Vec<(Key, Taken)> {
        let Some(callee @ (Callee::Func(_) | Callee::Method(_))) = d.facts.callees.get(call) else {
            return Vec::new();
        };
        if go_model::effects::of(callee).is_some() {
            return Vec::new();
        }
        let Some(decl) = go_model::summary::callee_decl(d.db, d.decl, callee) else {
            return Vec::new();
        };
        if depth == 0 || package_of_decl(d.db, decl) != package_of_decl(d.db, d.decl) {
            return Vec::new();
        }
        let taken = self.of(d.db, decl, depth);
        taken
            .iter()
            .filter_map(|taken| Some((key_at_call(d, call, taken)?, taken.clone())))
            .collect()
    }

    fn of(&self, db: &dyn Db, decl: DeclId, depth: u32) -> Rc<Vec<Taken>> {
        if let Some(known) = self.known.borrow().get(&decl) {
            return known.clone();
        }
        if self.known.borrow().len() >= MAX_FUNCTIONS {
            return Rc::default();
        }
        // A function that calls itself takes nothing new.
        self.known.borrow_mut().insert(decl, Rc::default());
        let found = Rc::new(self.look(db, decl, depth).unwrap_or_default());
        self.known.borrow_mut().insert(decl, found.clone());
        found
    }

    fn look(&self, db: &dyn Db, decl: DeclId, depth: u32) -> Option<Vec<Taken>> {
        let tree = decl_tree(db, decl);
        if tree.has_error || tree.func()?.body.is_none() {
            return None;
        }
        let facts = facts(db, decl);
        let d = Declaration::new(db, decl, &tree, &facts, Depth::Full);
        let cfg = d.cfg(None)?;
        if cfg.truncated {
            return None;
        }
        let f = Function::new(&d, None, &cfg);
        let uses = Uses::new(&d);
        let locks = Locks::new(&f, &uses);
        let path = decl.file(db).path(db);
        let start = decl_start(db, decl);
        let mut candidates: Vec<(Key, Taken, ExprId)> = Vec::new();
        for op in locks.ops.iter().filter(|op| op.locks) {
            let Some(from) = start_of(&f, &op.key) else {
                continue;
            };
            let step = RawRelated {
                message: format!("`{}` is locked here", render_lock(&d, op.call)),
                file: Some(path.clone()),
                range: tree[op.call].range + start,
            };
            let taken = Taken {
                start: from,
                path: op.key.path.clone(),
                reads: op.reads,
                class: op.class.clone(),
                steps: vec![step],
            };
            candidates.push((op.key.clone(), taken, op.call));
        }
        for (call, expr) in tree.exprs.iter() {
            let own = matches!(expr.kind, ExprKind::Call { .. })
                && uses.literal_of(call).is_none()
                && uses.go_of(call).is_none()
                && uses.defer_of(call).is_none();
            if !own {
                continue;
            }
            for (key, mut taken) in self.taken(&d, call, depth - 1) {
                let Some(from) = start_of(&f, &key) else {
                    continue;
                };
                taken.start = from;
                taken.path = key.path.clone();
                taken.steps.insert(
                    0,
                    RawRelated {
                        message: "it calls this".to_owned(),
                        file: Some(path.clone()),
                        range: tree[call].range + start,
                    },
                );
                candidates.push((key, taken, call));
            }
        }
        let mut found: Vec<Taken> = Vec::new();
        for (key, taken, _) in &candidates {
            let again = |t: &Taken| {
                t.start == taken.start && t.path == taken.path && t.reads == taken.reads
            };
            if found.iter().any(again) {
                continue;
            }
            let mut question = First {
                locks: &locks,
                key,
                takes: (candidates.iter())
                    .filter(|(k, t, _)| k == key && t.reads == taken.reads)
                    .map(|(.., call)| *call)
                    .collect(),
                taken: false,
            };
            let entry = (f.cfg.entry, 0);
            let missed = paths::search(&f, entry, (), &mut question)?;
            if missed.is_empty() && question.taken {
                found.push(taken.clone());
            }
        }
        Some(found)
    }
}

/// The lock as its own function writes it: `s.mu`.
pub(super) fn render_lock(d: &Declaration<'_>, call: ExprId) -> String {
    receiver(d.tree, call).map_or_else(String::new, |base| render(d.tree, base, 60))
}

/// From where the caller knows the root of a lock.
fn start_of(f: &Function<'_>, key: &Key) -> Option<Start> {
    let local = match key.root {
        Root::Package(item) => return Some(Start::Package(item)),
        Root::Local(local) => local,
    };
    let l = &f.facts.locals[local];
    if l.assignments > 1 || l.address_taken {
        return None;
    }
    match l.kind {
        LocalKind::Receiver => Some(Start::Receiver),
        LocalKind::Param => {
            let index = f.facts.params.iter().position(|p| *p == Some(local))?;
            // A lock given by value is another one.
            let shared = matches!(l.ty.kind(), TyKind::Pointer(_));
            shared.then_some(Start::Param(index))
        }
        _ => None,
    }
}

/// What the caller calls a lock that the called function takes.
fn key_at_call(d: &Declaration<'_>, call: ExprId, taken: &Taken) -> Option<Key> {
    let ExprKind::Call { args, spread, .. } = &d.tree[call].kind else {
        return None;
    };
    let base = match taken.start {
        Start::Package(item) => {
            return Some(Key {
                root: Root::Package(item),
                path: taken.path.clone(),
            });
        }
        Start::Receiver => receiver(d.tree, call)?,
        Start::Param(index) if !spread => *args.get(index)?,
        Start::Param(_) => return None,
    };
    let mut found = stable_key(d, base)?;
    // A method that is promoted has a field of the receiver for its own: which one is not written there.
    if taken.start == Start::Receiver {
        let own = d.facts.types.get(d.tree.unparen(base))?;
        let named = own.as_named_or_pointer()?;
        match d.facts.callees.get(call)? {
            Callee::Method(m) if m.ty == named.name && m.package == named.package => {}
            _ => return None,
        }
    }
    // A pointer in the middle may point elsewhere the next time.
    if !found.path.is_empty() {
        let ty = d.facts.types.get(d.tree.unparen(base))?;
        if !matches!(ty.kind(), TyKind::Named(_) | TyKind::Struct(_))
            && !matches!(d.tree[d.tree.unparen(base)].kind, ExprKind::Unary { .. })
        {
            return None;
        }
    }
    found.path.extend(taken.path.iter().copied());
    Some(found)
}

/// Looks for a path on which a lock is not taken, or given back first.
struct First<'w, 'q, 'a> {
    locks: &'w Locks<'q, 'a>,
    key: &'w Key,
    takes: Vec<ExprId>,
    taken: bool,
}

impl Question for First<'_, '_, '_> {
    type State = ();

    fn at(&mut self, _: BlockId, item: Item, (): &mut ()) -> Flow {
        let root: NodeId = match item {
            Item::Node(Node::Defer(_) | Node::RangeBind(_) | Node::TypeBind(..)) => {
                return Flow::On;
            }
            Item::Return(None) => return Flow::Found,
            Item::Node(Node::Stmt(s)) | Item::Return(Some(s)) => s.into(),
            Item::Node(Node::Eval(e)) => e.into(),
        };
        let f = self.locks.f;
        for id in f.tree.walk(root, Literals::Skip) {
            let NodeId::Expr(e) = id else { continue };
            if !matches!(f.tree[e].kind, ExprKind::Call { .. }) {
                continue;
            }
            if self.takes.contains(&e) {
                self.taken = true;
                return Flow::Stop;
            }
            let gives =
                (self.locks.ops.iter()).any(|op| op.call == e && !op.locks && op.key == *self.key);
            let own = self.locks.ops.iter().any(|op| op.call == e);
            if gives || (!own && may_unlock_by(f.d, self.key, e)) {
                return Flow::Found;
            }
        }
        match item {
            Item::Return(_) => Flow::Found,
            Item::Node(_) => Flow::On,
        }
    }
}
