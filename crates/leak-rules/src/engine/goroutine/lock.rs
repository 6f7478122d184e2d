//! Locks: does every path that takes one give it back?

use go_model::cfg::{BlockId, Node};
use go_model::db::{Db, DeclId, decl_tree};
use go_model::facts::{Callee, ItemRef, LocalId, LocalKind, Res};
use go_model::package::package_of_decl;
use go_syntax::ast::{DeclTree, ExprId, ExprKind, StmtId, StmtKind, UnaryOp};
use go_syntax::{Literals, Name, NodeId};

use super::contract::callers_give_back;
use super::held::class_of;
use super::paths::{self, Ending, Flow, Item, Question, Way};
use super::uses::{Uses, method_of};
use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::facts;
use crate::engine::find::last_name;
use crate::engine::function::{Declaration, Depth, Function};
use crate::engine::outline::render;
use crate::engine::pattern::{self, finding, step};
use crate::engine::site::{FixSite, Pattern};

/// How deep functions are looked into for an unlock.
const MAX_CALLS: u32 = 3;

/// Where a lock is: a variable, or a field reached from one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) root: Root,
    pub(super) path: Vec<Name>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    Local(LocalId),
    Package(ItemRef),
}

/// A call of a locking or unlocking method.
#[derive(Debug, Clone)]
struct LockOp {
    call: ExprId,
    key: Key,
    literal: Option<ExprId>,
    locks: bool,
    /// Of a reader.
    reads: bool,
    /// `TryLock` and the like.
    tries: bool,
}

/// The findings about locks in a declaration.
pub(crate) fn findings(cx: &CheckContext<'_>, rule: &'static str) -> Vec<RawFinding> {
    let (skips, mixes) = (may_skip_unlock(cx.tree), mixes_flavours(cx.tree));
    if !skips && !mixes {
        return Vec::new();
    }
    let mut found = pattern::check(cx, &|f| {
        let mut found = match mixes {
            true => mismatched(cx, f, rule),
            false => Vec::new(),
        };
        if skips {
            // What is given back in the wrong way is said once.
            let known: Vec<_> = (found.iter())
                .filter_map(|finding| Some(finding.related.first()?.range))
                .collect();
            let missing = look(cx, f, rule);
            found.extend(missing.into_iter().filter(|m| !known.contains(&m.range)));
        }
        found
    });
    // Where it waits for itself, it does not come to the return.
    if !found.is_empty() {
        let twice = super::relock::findings(cx, crate::rules::double_lock::RULE.name);
        found.retain(|one| !twice.iter().any(|t| t.range == one.range));
    }
    found
}

/// Whether something locks as a reader and unlocks as a writer, or the other way round: a question before anything is resolved.
fn mixes_flavours(tree: &DeclTree) -> bool {
    let mut seen = [false; 4];
    for (_, expr) in tree.exprs.iter() {
        if let ExprKind::Call { func, .. } = &expr.kind
            && let Some((locks, reads, _)) = last_name(tree, *func).and_then(|n| shape(n.as_str()))
        {
            seen[usize::from(locks) * 2 + usize::from(reads)] = true;
        }
    }
    let [unlock, read_unlock, lock, read_lock] = seen;
    (read_lock && unlock) || (lock && read_unlock)
}

/// Locks that are taken as a reader and given back as a writer, or the other way round.
fn mismatched(cx: &CheckContext<'_>, f: &Function<'_>, rule: &'static str) -> Vec<RawFinding> {
    let all = operations(f.d);
    let mut keys: Vec<&Key> = Vec::new();
    for op in all.iter().filter(|op| op.literal == f.literal && op.locks) {
        if !keys.contains(&&op.key) {
            keys.push(&op.key);
        }
    }
    let uses = Uses::new(f.d);
    keys.into_iter()
        .filter_map(|key| mismatch(cx, f, &uses, &all, key, rule))
        .collect()
}

fn mismatch(
    cx: &CheckContext<'_>,
    f: &Function<'_>,
    uses: &Uses<'_, '_>,
    all: &[LockOp],
    key: &Key,
    rule: &'static str,
) -> Option<RawFinding> {
    let same: Vec<&LockOp> = all.iter().filter(|op| op.key == *key).collect();
    let first = same.iter().find(|op| op.literal == f.literal)?;
    // Whoever else has the lock may take it or give it back in between.
    if same.iter().any(|op| op.tries || op.literal != f.literal)
        || same.iter().any(|op| uses.go_of(op.call).is_some())
        || is_handed_on(f, all, first)
        || matches!(key.root, Root::Local(local) if f.facts.locals[local].assignments > 1)
    {
        return None;
    }
    let mut question = Flavour {
        f,
        uses,
        ops: &same,
        key,
        found: None,
    };
    let state = Taken::default();
    paths::search(f, (f.cfg.entry, 0), state, &mut question)?;
    let (lock, unlock, reads) = question.found?;
    let text = render(f.tree, receiver(f.tree, lock)?, 60);
    let (took, gave, verb) = match reads {
        true => ("RLock", "Unlock", "RUnlock"),
        false => ("Lock", "RUnlock", "Unlock"),
    };
    let message = format!(
        "`{text}` is locked by `{took}` and unlocked by `{gave}`: only `{verb}` gives it back"
    );
    let range = f.tree[unlock].range;
    let mut found = finding(f, rule, Severity::Warning, message, range);
    found
        .related
        .push(step(format!("`{text}` is locked here"), f.tree[lock].range));
    found
        .related
        .push(step("and unlocked in the other way here", range));
    let pattern = Pattern::WrongUnlock { verb };
    let site = FixSite::pattern(f.literal, unlock, uses.holder(unlock), pattern, cx.in_test);
    found.site = Some(Box::new(site));
    Some(found)
}

/// How a lock is held on a path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Taken {
    /// The call that took it, and whether it was a reader's.
    by: Option<(ExprId, bool)>,
    /// Deferred calls that give it back.
    deferred: Vec<(ExprId, bool)>,
}

/// Looks for a path on which a lock is given back in another way than it was taken.
struct Flavour<'q, 'f, 'a> {
    f: &'q Function<'f>,
    uses: &'q Uses<'q, 'a>,
    ops: &'q [&'q LockOp],
    key: &'q Key,
    /// What took it, what gives it back, and whether a reader took it.
    found: Option<(ExprId, ExprId, bool)>,
}

impl Flavour<'_, '_, '_> {
    fn gives_back(&mut self, state: &mut Taken, call: ExprId, reads: bool) -> Flow {
        match state.by.take() {
            Some((lock, taken)) if taken != reads => {
                self.found.get_or_insert((lock, call, taken));
                Flow::Found
            }
            Some(_) => Flow::On,
            // It was held before the function began: nobody knows how.
            None => Flow::Stop,
        }
    }
}

impl Question for Flavour<'_, '_, '_> {
    type State = Taken;

    fn at(&mut self, _: BlockId, item: Item, state: &mut Taken) -> Flow {
        let (root, defers): (Option<NodeId>, bool) = match item {
            Item::Node(Node::Defer(s)) => (Some(s.into()), true),
            Item::Node(Node::Stmt(s)) | Item::Return(Some(s)) => (Some(s.into()), false),
            Item::Node(Node::Eval(e)) => (Some(e.into()), false),
            Item::Node(_) | Item::Return(None) => (None, false),
        };
        for id in root.map(|r| self.uses.nodes(r)).unwrap_or_default() {
            let NodeId::Expr(e) = id else { continue };
            if !matches!(self.f.tree[e].kind, ExprKind::Call { .. }) {
                continue;
            }
            let flow = match self.ops.iter().find(|op| op.call == e) {
                Some(op) if defers && op.locks => Flow::Stop,
                Some(op) if defers => {
                    state.deferred.push((e, op.reads));
                    if state.deferred.len() > 4 {
                        Flow::Stop
                    } else {
                        Flow::On
                    }
                }
                Some(op) if op.locks => match state.by.replace((e, op.reads)) {
                    Some(_) => Flow::Stop,
                    None => Flow::On,
                },
                Some(op) => self.gives_back(state, e, op.reads),
                None if may_unlock_by(self.f.d, self.key, e) => Flow::Stop,
                None => Flow::On,
            };
            if flow != Flow::On {
                return flow;
            }
        }
        if matches!(item, Item::Return(_)) {
            while let Some((call, reads)) = state.deferred.pop() {
                match self.gives_back(state, call, reads) {
                    Flow::On => {}
                    flow => return flow,
                }
            }
        }
        Flow::On
    }
}

/// Whether something is unlocked by a statement of its own (not by a `defer`), and something else leaves: a question before anything is
/// resolved.
fn may_skip_unlock(tree: &DeclTree) -> bool {
    let (mut unlocks, mut leaves) = (false, false);
    for (_, stmt) in tree.stmts.iter() {
        match &stmt.kind {
            StmtKind::Expr(e) => {
                if let ExprKind::Call { func, .. } = &tree[tree.unparen(*e)].kind {
                    unlocks |=
                        last_name(tree, *func).is_some_and(|n| n == "Unlock" || n == "RUnlock");
                }
            }
            StmtKind::Return(_) | StmtKind::Branch { .. } => leaves = true,
            _ => {}
        }
    }
    unlocks && leaves
}

fn look(cx: &CheckContext<'_>, f: &Function<'_>, rule: &'static str) -> Vec<RawFinding> {
    let all = operations(f.d);
    let own = |op: &&LockOp| op.literal == f.literal;
    if !all.iter().any(|op| own(&op) && op.locks) {
        return Vec::new();
    }
    let uses = Uses::new(f.d);
    let mut found = Vec::new();
    for lock in all.iter().filter(own).filter(|op| op.locks && !op.tries) {
        found.extend(missing(cx, f, &uses, &all, lock, rule));
    }
    found
}

/// Every call of a method of a lock in the declaration.
fn operations(d: &Declaration<'_>) -> Vec<LockOp> {
    let mut found = Vec::new();
    for (id, expr) in d.tree.exprs.iter() {
        let ExprKind::Call { func, .. } = &expr.kind else {
            continue;
        };
        let Some((locks, reads, tries)) = last_name(d.tree, *func).and_then(|n| shape(n.as_str()))
        else {
            continue;
        };
        let Some((base, _)) = method_of(d, id, "sync", &["Mutex", "RWMutex"]) else {
            continue;
        };
        let Some(key) = key(d, base) else { continue };
        found.push(LockOp {
            call: id,
            key,
            literal: crate::engine::find::enclosing_literal(d.tree, expr.range),
            locks,
            reads,
            tries,
        });
    }
    found
}

/// Whether a method locks, does so for readers, and only tries to.
pub(super) fn shape(name: &str) -> Option<(bool, bool, bool)> {
    Some(match name {
        "Lock" => (true, false, false),
        "RLock" => (true, true, false),
        "TryLock" => (true, false, true),
        "TryRLock" => (true, true, true),
        "Unlock" => (false, false, false),
        "RUnlock" => (false, true, false),
        _ => return None,
    })
}

pub(super) fn key(d: &Declaration<'_>, expr: ExprId) -> Option<Key> {
    let mut path = Vec::new();
    let mut at = d.tree.unparen(expr);
    loop {
        match &d.tree[at].kind {
            ExprKind::Paren(x) | ExprKind::Star(x) => at = *x,
            ExprKind::Unary {
                op: UnaryOp::Address,
                operand,
            } => at = *operand,
            ExprKind::Selector { base, name } => {
                if let Some(Res::Package(item)) = d.facts.refs.get(at) {
                    path.reverse();
                    return Some(Key {
                        root: Root::Package(*item),
                        path,
                    });
                }
                path.push(name.name);
                at = *base;
            }
            ExprKind::Ident(_) => {
                path.reverse();
                let root = match d.facts.refs.get(at)? {
                    Res::Local(local) => Root::Local(*local),
                    Res::Package(item) => Root::Package(*item),
                    _ => return None,
                };
                return Some(Key { root, path });
            }
            _ => return None,
        }
    }
}

fn missing(
    cx: &CheckContext<'_>,
    f: &Function<'_>,
    uses: &Uses<'_, '_>,
    all: &[LockOp],
    lock: &LockOp,
    rule: &'static str,
) -> Option<RawFinding> {
    let same: Vec<&LockOp> = all
        .iter()
        .filter(|op| op.key == lock.key && op.reads == lock.reads)
        .collect();
    let of = |locks: bool| same.iter().copied().filter(move |op| op.locks == locks);
    let unlocks: Vec<&LockOp> = of(false).filter(|op| op.literal == f.literal).collect();
    // A literal that takes the lock for itself gives it back itself; one that only unlocks does it for whoever calls it.
    let unlocks_for_others =
        of(false).any(|op| op.literal != f.literal && !of(true).any(|l| l.literal == op.literal));
    // Unlocked by nobody here: it is handed on by contract.
    if unlocks.is_empty()
        || unlocks_for_others
        || of(false).any(|op| uses.defer_of(op.call).is_some() && op.literal == f.literal)
        || same.iter().any(|op| op.tries)
        || uses.go_of(lock.call).is_some()
        || uses.defer_of(lock.call).is_some()
        || !is_followed(f, &lock.key)
        || is_handed_on(f, all, lock)
    {
        return None;
    }
    let lock_stmt = uses.holder(lock.call)?;
    // What was not taken before in each case is taken on a condition, or the function is entered with it: so it is given back, or left.
    let locks: Vec<(BlockId, usize)> = same
        .iter()
        .filter(|op| op.locks && op.literal == f.literal)
        .filter_map(|op| f.cfg.position_of(uses.holder(op.call)?))
        .collect();
    for unlock in &unlocks {
        let (block, node) = f.cfg.position_of(uses.holder(unlock.call)?)?;
        let taken = |&(b, n): &(BlockId, usize)| match b == block {
            true => n < node,
            false => f.dominators().dominates(b, block),
        };
        if !locks.iter().any(taken) {
            return None;
        }
    }
    let mut question = Held {
        f,
        uses,
        lock: lock.call,
        again: same
            .iter()
            .filter(|op| op.locks)
            .map(|op| op.call)
            .collect(),
        unlocks: unlocks.iter().map(|op| op.call).collect(),
        aliases: (all.iter())
            .filter(|op| !op.locks && may_alias(f.d, &op.key, &lock.key))
            .map(|op| op.call)
            .collect(),
        key: &lock.key,
        free: Vec::new(),
    };
    let endings = paths::search(f, (f.cfg.entry, 0), false, &mut question)?;
    // Another path has to give it back before it returns: the function owns the policy. The last return is the rule, the ones before
    // are the exceptions.
    let last = last_return(f);
    let freed_at_end = question.free.contains(&last);
    if !freed_at_end {
        return None;
    }
    let endings: Vec<&Ending<bool>> = endings.iter().collect();
    endings.first()?;
    // Who calls it knows that it comes back with the lock.
    if f.literal.is_none()
        && f.d.depth == Depth::Full
        && class_of(f.d, lock.call, &lock.key)
            .is_some_and(|class| callers_give_back(f.d, &class, lock.reads))
    {
        return None;
    }
    let text = render(f.tree, receiver(f.tree, lock.call)?, 60);
    let verb = if lock.reads { "RUnlock" } else { "Unlock" };
    let message = format!(
        "`{text}` is still locked on a path that leaves `{}`: `{verb}` is not called there",
        f.name()
    );
    let range = f.tree[lock.call].range;
    let mut found = finding(f, rule, Severity::Warning, message, range);
    found
        .related
        .push(step(format!("`{text}` is locked here"), range));
    for ending in endings.iter().take(3) {
        found.related.extend(ending.decision_step());
        let what = if ending.exit.is_none() && ending.range == f.head_range(lock_stmt) {
            "comes round to the lock again while it is held"
        } else {
            "returns without unlocking"
        };
        found.related.push(step(what, ending.range));
    }
    let exits: Vec<Option<StmtId>> = endings.iter().map(|e| e.exit).collect();
    let touches = |stmt: StmtId| match &f.tree[stmt].kind {
        StmtKind::Return(values) => !values.iter().all(|v| reads_nothing_shared(f, *v)),
        _ => true,
    };
    if exits.iter().all(Option::is_some) {
        let exits: Vec<StmtId> = exits.into_iter().flatten().collect();
        let pattern = Pattern::MissingUnlock {
            verb,
            touched: exits.iter().any(|s| touches(*s)),
            single: of(true).count() == 1,
            goes_on: goes_on_without(f, uses, &lock.key, &unlocks),
        };
        let mut site = FixSite::pattern(f.literal, lock.call, Some(lock_stmt), pattern, cx.in_test);
        site.leaks = exits
            .into_iter()
            .map(|stmt| crate::engine::site::LeakPoint {
                stmt: Some(stmt),
                kind: crate::engine::site::LeakKind::Return,
                operands_touch: touches(stmt),
            })
            .collect();
        site.releases = unlocks
            .iter()
            .filter_map(|op| uses.holder(op.call))
            .collect();
        found.site = Some(Box::new(site));
    }
    Some(found)
}

pub(super) fn receiver(tree: &DeclTree, call: ExprId) -> Option<ExprId> {
    let ExprKind::Call { func, .. } = &tree[call].kind else {
        return None;
    };
    match &tree[tree.unparen(*func)].kind {
        ExprKind::Selector { base, .. } => Some(*base),
        _ => None,
    }
}

/// Whether the variable that has the lock is the same all the time, and others can see it.
pub(super) fn is_followed(f: &Function<'_>, lock: &Key) -> bool {
    let Root::Local(local) = lock.root else {
        return true;
    };
    let l = &f.facts.locals[local];
    if l.assignments > 1 {
        return false;
    }
    // What is made here nobody else has seen yet, unless a goroutine or closure shares it.
    let made_here = l.kind == LocalKind::Var
        && match f.d.value_at(local) {
            None => true,
            Some((value, _)) => {
                let mut value = f.tree.unparen(value);
                if let ExprKind::Unary {
                    op: UnaryOp::Address,
                    operand,
                } = f.tree[value].kind
                {
                    value = f.tree.unparen(operand);
                }
                matches!(f.tree[value].kind, ExprKind::Composite { .. })
                    || super::uses::is_builtin(f.d, value, "new")
            }
        };
    !made_here || l.captured
}

/// Whether the lock, or a method of it, is given to somebody else.
fn is_handed_on(f: &Function<'_>, all: &[LockOp], lock: &LockOp) -> bool {
    let d = f.d;
    d.tree.exprs.iter().any(|(id, expr)| match &expr.kind {
        ExprKind::Unary {
            op: UnaryOp::Address,
            operand,
        } => {
            key(d, *operand).as_ref() == Some(&lock.key)
                && !all
                    .iter()
                    .any(|op| d.tree[op.call].range.contains_range(expr.range))
        }
        // A method value.
        ExprKind::Selector { base, name } => {
            shape(name.name.as_str()).is_some()
                && key(d, *base).as_ref() == Some(&lock.key)
                && !d.parent(id).is_some_and(
                    |p| matches!(&d.tree[p].kind, ExprKind::Call { func, .. } if *func == id),
                )
        }
        _ => false,
    })
}

/// Whether an operand of a return has the same value once the lock is free.
fn reads_nothing_shared(f: &Function<'_>, expr: ExprId) -> bool {
    let expr = f.tree.unparen(expr);
    match &f.tree[expr].kind {
        ExprKind::Literal(_) => true,
        ExprKind::Unary {
            op: UnaryOp::Minus | UnaryOp::Not,
            operand,
        } => reads_nothing_shared(f, *operand),
        // Errors made on the spot.
        ExprKind::Call { args, .. } => {
            f.target(expr)
                .is_some_and(|t| t.is_func("errors", "New") || t.is_func("fmt", "Errorf"))
                && args.iter().all(|a| reads_nothing_shared(f, *a))
        }
        ExprKind::Composite { elements, .. } => {
            elements.iter().all(|e| reads_nothing_shared(f, e.value))
        }
        ExprKind::Ident(_) => match f.facts.refs.get(expr) {
            Some(Res::Local(local)) => !f.facts.locals[*local].captured,
            Some(Res::Nil | Res::Bool(_) | Res::Const) => true,
            Some(Res::Package(item)) => is_error_or_constant(f, expr, *item),
            _ => false,
        },
        ExprKind::Selector { .. } => match f.facts.refs.get(expr) {
            Some(Res::Package(item)) => is_error_or_constant(f, expr, *item),
            _ => false,
        },
        _ => false,
    }
}

/// A package-level error or a constant; other variables may be what the lock is for.
fn is_error_or_constant(f: &Function<'_>, expr: ExprId, item: ItemRef) -> bool {
    if f.facts.types.get(expr).is_some_and(|ty| ty.is_error()) {
        return true;
    }
    let from = package_of_decl(f.d.db, f.d.decl);
    go_model::package::package_seen_by(f.d.db, from, item.package)
        .and_then(|p| go_model::package::package_item(f.d.db, p, item.name))
        .is_some_and(|i| i.decl().sort(f.d.db) == go_model::db::DeclSort::Const)
}

/// The return that stands last in the source; `None` is the end of the body.
fn last_return(f: &Function<'_>) -> Option<StmtId> {
    let ends = f
        .cfg
        .returns()
        .into_iter()
        .filter_map(|b| match f.cfg[b].terminator {
            go_model::cfg::Terminator::Return(stmt) => Some(stmt),
            _ => None,
        });
    let mut last: Option<StmtId> = None;
    for end in ends {
        match (end, last) {
            (None, _) => return None,
            (Some(s), Some(l)) if f.tree[s].range.start() <= f.tree[l].range.start() => {}
            (Some(s), _) => last = Some(s),
        }
    }
    last
}

struct Held<'q, 'f, 'a> {
    f: &'q Function<'f>,
    uses: &'q Uses<'q, 'a>,
    lock: ExprId,
    again: Vec<ExprId>,
    unlocks: Vec<ExprId>,
    /// Calls that unlock what may be the same lock.
    aliases: Vec<ExprId>,
    key: &'q Key,
    /// Returns that were reached after the lock was given back.
    free: Vec<Option<StmtId>>,
}

impl Question for Held<'_, '_, '_> {
    /// Whether the lock is held.
    type State = bool;

    fn at(&mut self, _: BlockId, item: Item, state: &mut bool) -> Flow {
        let root: NodeId = match item {
            Item::Node(Node::Stmt(s) | Node::Defer(s)) => s.into(),
            Item::Node(Node::Eval(e)) => e.into(),
            Item::Node(_) => return Flow::On,
            Item::Return(None) => return self.end(None, *state),
            Item::Return(Some(s)) => s.into(),
        };
        for id in self.uses.nodes(root) {
            let NodeId::Expr(e) = id else { continue };
            if !matches!(self.f.tree[e].kind, ExprKind::Call { .. }) {
                continue;
            }
            if self.unlocks.contains(&e) {
                *state = false;
            } else if e == self.lock {
                if *state {
                    return Flow::Found;
                }
                *state = true;
            } else if self.again.contains(&e) {
                if *state {
                    return Flow::Stop;
                }
            } else if *state && (self.aliases.contains(&e) || self.may_unlock(e)) {
                return Flow::Stop;
            }
        }
        match item {
            Item::Return(stmt) => self.end(stmt, *state),
            Item::Node(_) => Flow::On,
        }
    }

    fn along(&mut self, _: BlockId, _: BlockId, _: Way, _: &mut bool) -> bool {
        true
    }
}

impl Held<'_, '_, '_> {
    fn end(&mut self, stmt: Option<StmtId>, held: bool) -> Flow {
        if held {
            return Flow::Found;
        }
        self.free.push(stmt);
        Flow::On
    }

    fn may_unlock(&self, call: ExprId) -> bool {
        may_unlock_by(self.f.d, self.key, call)
    }
}

/// Whether the function does something that it needs the lock to be free for, once it has given it back: it takes the lock again, or may,
/// or waits for somebody who may need it.
fn goes_on_without(f: &Function<'_>, uses: &Uses<'_, '_>, key: &Key, unlocks: &[&LockOp]) -> bool {
    let mut question = GoesOn {
        f,
        uses,
        key,
        unlocks,
        found: false,
    };
    let walked = paths::search(f, (f.cfg.entry, 0), false, &mut question);
    walked.is_none() || question.found
}

struct GoesOn<'q, 'f, 'a> {
    f: &'q Function<'f>,
    uses: &'q Uses<'q, 'a>,
    key: &'q Key,
    unlocks: &'q [&'q LockOp],
    found: bool,
}

impl Question for GoesOn<'_, '_, '_> {
    /// Whether the lock was given back.
    type State = bool;

    fn at(&mut self, _: BlockId, item: Item, free: &mut bool) -> Flow {
        let (root, deferred): (NodeId, bool) = match item {
            // What is deferred later is done earlier.
            Item::Node(Node::Defer(s)) => (s.into(), true),
            Item::Node(Node::Stmt(s)) | Item::Return(Some(s)) => (s.into(), false),
            Item::Node(Node::Eval(e)) => (e.into(), false),
            Item::Node(_) | Item::Return(None) => return Flow::On,
        };
        if let NodeId::Stmt(s) = root {
            match self.f.tree[s].kind {
                StmtKind::Go(_) => return Flow::On,
                StmtKind::Send { .. } => self.found |= *free,
                _ => {}
            }
        }
        for id in self.uses.nodes(root) {
            let NodeId::Expr(e) = id else { continue };
            match &self.f.tree[e].kind {
                ExprKind::Call { .. } if self.unlocks.iter().any(|op| op.call == e) => *free = true,
                ExprKind::Call { .. } if *free || deferred => {
                    self.found |= may_wait(self.f.d, self.key, e);
                }
                ExprKind::Unary {
                    op: UnaryOp::Receive,
                    ..
                } => self.found |= *free || deferred,
                _ => {}
            }
        }
        match self.found {
            true => Flow::Stop,
            false => Flow::On,
        }
    }
}

/// Whether a call takes a lock, or waits for others: itself, or perhaps in what it calls.
fn may_wait(d: &Declaration<'_>, lock: &Key, call: ExprId) -> bool {
    let ExprKind::Call { func, .. } = &d.tree[call].kind else {
        return false;
    };
    let waits = |name: Name| WAITS.contains(&name.as_str());
    if last_name(d.tree, *func).is_some_and(waits)
        && method_of(d, call, "sync", &["Mutex", "RWMutex", "WaitGroup", "Cond"]).is_some()
    {
        return true;
    }
    may_call(d, lock, call, WAITS)
}

/// Methods that take locks or wait for others.
const WAITS: &[&str] = &["Lock", "RLock", "Wait"];

/// Whether two variables may lead to the same lock: one was made from the other.
pub(super) fn may_alias(d: &Declaration<'_>, a: &Key, b: &Key) -> bool {
    let made_from = |a: Root, b: Root| {
        let Root::Local(local) = a else { return false };
        let is = |e: ExprId| match (d.facts.refs.get(e), b) {
            (Some(Res::Local(l)), Root::Local(other)) => *l == other,
            (Some(Res::Package(item)), Root::Package(other)) => *item == other,
            _ => false,
        };
        let first = d.value_at(local).map(|(value, _)| value);
        d.values(local)
            .into_iter()
            .flatten()
            .chain(first)
            .any(|value| {
                d.tree
                    .walk(value, Literals::Skip)
                    .any(|id| id.expr().is_some_and(is))
            })
    };
    // Fields of other names, or of objects of other types, are other locks.
    let owner = |key: &Key| match (key.root, key.path.len()) {
        (Root::Local(local), 1) => d.facts.locals[local].ty.as_named_or_pointer().cloned(),
        _ => None,
    };
    if let (Some(x), Some(y)) = (a.path.last(), b.path.last())
        && (x != y || matches!((owner(a), owner(b)), (Some(m), Some(n)) if m != n))
    {
        return false;
    }
    let is_variable = |root| match root {
        Root::Local(local) => d.facts.locals[local].kind == LocalKind::Var,
        Root::Package(_) => false,
    };
    a.root != b.root
        && (is_variable(a.root) && made_from(a.root, b.root)
            || is_variable(b.root) && made_from(b.root, a.root))
}

/// Whether a call may unlock: it gets what has the lock, and its body (or a body that it calls) unlocks something, or is not known.
pub(super) fn may_unlock_by(d: &Declaration<'_>, lock: &Key, call: ExprId) -> bool {
    may_call(d, lock, call, &["Unlock", "RUnlock"])
}

/// Whether what is called gets what has the lock, and calls a method of one of these names, or is not known.
fn may_call(d: &Declaration<'_>, lock: &Key, call: ExprId, names: &[&str]) -> bool {
    let ExprKind::Call { func, args, .. } = &d.tree[call].kind else {
        return false;
    };
    let has_lock = |e: ExprId| {
        key(d, e).is_some_and(|k| k.root == lock.root && lock.path.starts_with(&k.path))
    };
    match d.facts.callees.get(call) {
        Some(Callee::Builtin(_) | Callee::Conversion) => false,
        Some(callee @ (Callee::Func(_) | Callee::Method(_))) => {
            if go_model::effects::of(callee).is_some() {
                return false;
            }
            match go_model::summary::callee_decl(d.db, d.decl, callee) {
                Some(decl) => mentions(d.db, d.decl, decl, names, MAX_CALLS),
                None => args.iter().any(|a| has_lock(*a)),
            }
        }
        Some(Callee::Literal(_) | Callee::Local(_) | Callee::Value) | None => {
            args.iter().any(|a| has_lock(*a))
                || {
                    // A closure over the lock was ruled out; a function value of the object itself may do anything.
                    matches!(&d.tree[d.tree.unparen(*func)].kind, ExprKind::Selector { base, .. } if has_lock(*base))
                }
        }
    }
}

/// Whether a function of the same package has a method of one of these names in it, or in what it calls.
fn mentions(db: &dyn Db, from: DeclId, decl: DeclId, names: &[&str], depth: u32) -> bool {
    if package_of_decl(db, from) != package_of_decl(db, decl) {
        return false;
    }
    let tree = decl_tree(db, decl);
    let mut calls = false;
    for (_, expr) in tree.exprs.iter() {
        match &expr.kind {
            ExprKind::Selector { name, .. } if names.contains(&name.name.as_str()) => return true,
            ExprKind::Call { .. } => calls = true,
            _ => {}
        }
    }
    if !calls || depth == 0 {
        return false;
    }
    let facts = facts(db, decl);
    facts.callees.iter().any(|(_, callee)| {
        matches!(callee, Callee::Func(_) | Callee::Method(_))
            && go_model::effects::of(callee).is_none()
            && go_model::summary::callee_decl(db, decl, callee)
                .is_some_and(|next| next != decl && mentions(db, from, next, names, depth - 1))
    })
}
