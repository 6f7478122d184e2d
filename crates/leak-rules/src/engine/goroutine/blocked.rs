//! Waiting under a lock that the others need before they can come.

use go_model::cfg::{BlockId, Node};
use go_model::facts::{LocalId, Res};
use go_syntax::ast::{DeclTree, ExprId, ExprKind, StmtId, StmtKind, UnaryOp};
use go_syntax::{Literals, NodeId};
use rustc_hash::FxHashSet;

use super::held::{Callees, Event, Locks, in_each_function, render_lock, takes_locks};
use super::lock::Key;
use super::paths::{self, Flow, Item, Question};
use super::uses::{OpKind, Run, Runner, Uses, method_of};
use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::function::{Declaration, Function};
use crate::engine::pattern::{finding, step};

/// Waits of a function that holds a lock, for goroutines that cannot come before they have the same lock.
pub(crate) fn findings(cx: &CheckContext<'_>, rule: &'static str) -> Vec<RawFinding> {
    if !takes_locks(cx.tree) || !starts(cx.tree) {
        return Vec::new();
    }
    in_each_function(cx, |f, locks, callees| look(f, locks, callees, rule))
}

/// Whether a goroutine may be started: a question before anything is resolved.
fn starts(tree: &DeclTree) -> bool {
    tree.stmts
        .iter()
        .any(|(_, s)| matches!(s.kind, StmtKind::Go(_)))
        || tree.exprs.iter().any(|(_, e)| match &e.kind {
            ExprKind::Call { func, .. } => {
                crate::engine::find::last_name(tree, *func).is_some_and(|n| n == "Go")
            }
            _ => false,
        })
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// A value of a channel, or its being closed.
    Receive(LocalId),
    /// Somebody who receives.
    Send(LocalId),
    /// Every goroutine of a wait group or error group.
    Group(LocalId),
}

/// A wait under a lock.
struct Blocked {
    at: NodeId,
    wait: Wait,
    held: usize,
}

fn look(
    f: &Function<'_>,
    locks: &Locks<'_, '_>,
    callees: &Callees,
    rule: &'static str,
) -> Vec<RawFinding> {
    let d = f.d;
    let mut waits: Vec<Blocked> = Vec::new();
    // Goroutines with the locks that are held where they are started.
    let mut started: FxHashSet<(ExprId, usize)> = FxHashSet::default();
    let literals: Vec<(ExprId, ExprId, StmtId)> = (d.tree.exprs.iter())
        .filter(|(_, e)| matches!(e.kind, ExprKind::FuncLit(_)))
        .filter_map(|(id, _)| match locks.uses.run(id) {
            Run::Goroutine(site) if site.by == f.literal => Some((id, site.call, site.stmt)),
            _ => None,
        })
        .collect();
    let walked = locks.walk(&mut |event, held| {
        if held.is_empty() {
            return;
        }
        let mut note = |at: NodeId, wait: Option<Wait>| {
            for h in held {
                if let Some(wait) = wait
                    && !waits.iter().any(|w| w.at == at && w.held == *h)
                {
                    waits.push(Blocked { at, wait, held: *h });
                }
            }
        };
        match event {
            Event::Receive(e) => note(e.into(), received(d, e).map(Wait::Receive)),
            Event::Send(s) => note(s.into(), sent(d, s).map(Wait::Send)),
            Event::Call(call) => note(call.into(), waited(d, call).map(Wait::Group)),
            Event::Go(_) | Event::Lock(_) => {}
        }
        let starts = |literal: &(ExprId, ExprId, StmtId)| match event {
            Event::Call(call) => literal.1 == call,
            Event::Go(stmt) => literal.2 == stmt,
            _ => false,
        };
        for literal in literals.iter().filter(|l| starts(l)) {
            started.extend(held.iter().map(|h| (literal.0, *h)));
        }
    });
    if walked.is_none() {
        return Vec::new();
    }
    waits
        .iter()
        .filter_map(|wait| stuck(f, locks, callees, &literals, &started, wait, rule))
        .collect()
}

/// The local channel that is received from.
fn received(d: &Declaration<'_>, receive: ExprId) -> Option<LocalId> {
    let ExprKind::Unary {
        op: UnaryOp::Receive,
        operand,
    } = d.tree[receive].kind
    else {
        return None;
    };
    local(d, operand)
}

fn sent(d: &Declaration<'_>, send: StmtId) -> Option<LocalId> {
    match d.tree[send].kind {
        StmtKind::Send { chan, .. } => local(d, chan),
        _ => None,
    }
}

fn local(d: &Declaration<'_>, expr: ExprId) -> Option<LocalId> {
    match d.facts.refs.get(d.tree.unparen(expr))? {
        Res::Local(local) => Some(*local),
        _ => None,
    }
}

/// The local group that a call waits for.
fn waited(d: &Declaration<'_>, call: ExprId) -> Option<LocalId> {
    let (base, name) = group_method(d, call)?;
    (name == "Wait").then(|| local(d, base)).flatten()
}

fn group_method(d: &Declaration<'_>, call: ExprId) -> Option<(ExprId, go_syntax::Name)> {
    method_of(d, call, "sync", &["WaitGroup"])
        .or_else(|| method_of(d, call, "golang.org/x/sync/errgroup", &["Group"]))
}

fn stuck(
    f: &Function<'_>,
    locks: &Locks<'_, '_>,
    callees: &Callees,
    literals: &[(ExprId, ExprId, StmtId)],
    started: &FxHashSet<(ExprId, usize)>,
    wait: &Blocked,
    rule: &'static str,
) -> Option<RawFinding> {
    let d = f.d;
    let lock = &locks.ops[wait.held];
    let (first, whom) = match wait.wait {
        Wait::Group(group) => {
            // One that cannot come is enough.
            let literal = literals.iter().find(|(literal, call, _)| {
                started.contains(&(*literal, wait.held))
                    && counts(d, locks.uses, group, *literal, *call).is_some_and(|partners| {
                        needs(
                            d, locks.uses, callees, *literal, &lock.key, lock.reads, &partners,
                        )
                    })
            })?;
            (literal.0, "this goroutine, for which it waits,")
        }
        Wait::Receive(channel) | Wait::Send(channel) => {
            let receives = matches!(wait.wait, Wait::Receive(_));
            (
                partners_need(f, locks, callees, started, wait, channel, receives)?,
                "this goroutine",
            )
        }
    };
    let text = render_lock(d, lock.call);
    let range = match wait.at {
        NodeId::Expr(e) => d.tree[e].range,
        NodeId::Stmt(s) => d.tree[s].range,
    };
    let waits_for = match wait.wait {
        Wait::Receive(c) => format!("for a value of `{}`", d.facts.locals[c].ident.name),
        Wait::Send(c) => format!("for a receiver of `{}`", d.facts.locals[c].ident.name),
        Wait::Group(g) => format!("for the goroutines of `{}`", d.facts.locals[g].ident.name),
    };
    let message = format!(
        "this waits {waits_for} with `{text}` held, which they need before: all of them wait for ever"
    );
    let mut found = finding(f, rule, Severity::Information, message, range);
    found.related.push(step(
        format!("`{text}` is locked here"),
        d.tree[lock.call].range,
    ));
    let place = first_lock(d, locks.uses, callees, first, &lock.key);
    found.related.push(step(
        format!("{whom} waits for `{text}` here"),
        d.tree[place?].range,
    ));
    found.related.push(step("it waits here", range));
    Some(found)
}

/// What in a goroutine tells a group that it has come to its end; `None` for the end itself. Nothing if the group does not count it.
fn counts(
    d: &Declaration<'_>,
    uses: &Uses<'_, '_>,
    group: LocalId,
    literal: ExprId,
    call: ExprId,
) -> Option<Vec<Partner>> {
    if let Some((base, name)) = group_method(d, call)
        && name == "Go"
    {
        return (local(d, base) == Some(group)).then(|| vec![Partner::End]);
    }
    let mut partners = Vec::new();
    for (id, expr) in d.tree.exprs.iter() {
        if !matches!(expr.kind, ExprKind::Call { .. }) {
            continue;
        }
        let Some((base, name)) = method_of(d, id, "sync", &["WaitGroup"]) else {
            continue;
        };
        if name == "Done" && local(d, base) == Some(group) {
            match uses.runner(uses.literal_of(id), Some(literal)) {
                Runner::Own(inner) if inner || uses.defer_of(id).is_some() => {
                    partners.push(Partner::End);
                }
                Runner::Own(_) => partners.push(Partner::At(id.into())),
                _ => {}
            }
        }
    }
    (!partners.is_empty()).then_some(partners)
}

/// What wakes the one who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Partner {
    At(NodeId),
    /// The goroutine's end.
    End,
}

/// The goroutine that waits for the lock, if every partner of a channel does before it comes.
fn partners_need(
    f: &Function<'_>,
    locks: &Locks<'_, '_>,
    callees: &Callees,
    started: &FxHashSet<(ExprId, usize)>,
    wait: &Blocked,
    channel: LocalId,
    receives: bool,
) -> Option<ExprId> {
    let d = f.d;
    let lock = &locks.ops[wait.held];
    let channel = (locks.uses.channels().into_iter()).find(|c| c.local == channel)?;
    if channel.escapes() || channel.owner != f.literal || (!receives && channel.capacity != Some(0))
    {
        return None;
    }
    let mut first = None;
    for op in &channel.ops {
        let at: NodeId = match op.kind {
            OpKind::Send => op.stmt.into(),
            OpKind::Receive | OpKind::Close => op.expr.into(),
            OpKind::Range => op.stmt.into(),
            OpKind::Measure => continue,
            OpKind::Given { .. } | OpKind::Escapes => return None,
        };
        if at == wait.at {
            if op.optional {
                return None;
            }
            continue;
        }
        let comes = match op.kind {
            OpKind::Send | OpKind::Close => receives,
            _ => !receives,
        };
        if !comes {
            continue;
        }
        let Runner::Started(literal, inner) = locks.uses.runner(op.literal, channel.owner) else {
            return None;
        };
        let deferred = matches!(op.kind, OpKind::Close) && locks.uses.defer_of(op.expr).is_some();
        let partner = match inner || deferred {
            true => Partner::End,
            // The operand of a range is evaluated before its first element comes.
            false if op.kind == OpKind::Range => return None,
            false => Partner::At(at),
        };
        if !started.contains(&(literal, wait.held))
            || !needs(
                d,
                locks.uses,
                callees,
                literal,
                &lock.key,
                lock.reads,
                &[partner],
            )
        {
            return None;
        }
        first.get_or_insert(literal);
    }
    first
}

/// Whether a goroutine surely takes a lock before it comes to any of these.
fn needs(
    d: &Declaration<'_>,
    uses: &Uses<'_, '_>,
    callees: &Callees,
    literal: ExprId,
    key: &Key,
    reads: bool,
    partners: &[Partner],
) -> bool {
    let Some(cfg) = d.cfg(Some(literal)).filter(|cfg| !cfg.truncated) else {
        return false;
    };
    let f = Function::new(d, Some(literal), &cfg);
    let takes = takers(d, uses, callees, literal, key, reads);
    if takes.is_empty() {
        return false;
    }
    let mut question = Before {
        f: &f,
        takes,
        partners,
        taken: false,
    };
    let missed = paths::search(&f, (f.cfg.entry, 0), (), &mut question);
    missed.is_some_and(|missed| missed.is_empty()) && question.taken
}

/// The calls of a goroutine that take a lock, and wait for it.
fn takers(
    d: &Declaration<'_>,
    uses: &Uses<'_, '_>,
    callees: &Callees,
    literal: ExprId,
    key: &Key,
    reads: bool,
) -> Vec<ExprId> {
    let Some(cfg) = d.cfg(Some(literal)) else {
        return Vec::new();
    };
    let f = Function::new(d, Some(literal), &cfg);
    let locks = Locks::new(&f, uses);
    let mut found: Vec<ExprId> = (locks.ops.iter())
        .filter(|op| op.locks && op.key == *key && !(op.reads && reads))
        .map(|op| op.call)
        .collect();
    for (call, expr) in d.tree.exprs.iter() {
        let own = matches!(expr.kind, ExprKind::Call { .. })
            && uses.literal_of(call) == Some(literal)
            && uses.go_of(call).is_none()
            && uses.defer_of(call).is_none();
        if own
            && (callees.taken_by(d, call).iter())
                .any(|(k, taken)| k == key && !(taken.reads && reads))
        {
            found.push(call);
        }
    }
    found
}

fn first_lock(
    d: &Declaration<'_>,
    uses: &Uses<'_, '_>,
    callees: &Callees,
    literal: ExprId,
    key: &Key,
) -> Option<ExprId> {
    takers(d, uses, callees, literal, key, false)
        .into_iter()
        .min_by_key(|call| d.tree[*call].range.start())
}

/// Looks for a path of a goroutine on which a partner is reached before the lock is taken.
struct Before<'q, 'f> {
    f: &'q Function<'f>,
    takes: Vec<ExprId>,
    partners: &'q [Partner],
    taken: bool,
}

impl Question for Before<'_, '_> {
    type State = ();

    fn at(&mut self, _: BlockId, item: Item, (): &mut ()) -> Flow {
        let root: NodeId = match item {
            Item::Node(Node::Defer(_) | Node::RangeBind(_) | Node::TypeBind(..)) => {
                return Flow::On;
            }
            Item::Return(None) => return self.end(),
            Item::Node(Node::Stmt(s)) | Item::Return(Some(s)) => s.into(),
            Item::Node(Node::Eval(e)) => e.into(),
        };
        let nodes: Vec<NodeId> = self.f.tree.walk(root, Literals::Skip).collect();
        if (nodes.iter()).any(|id| id.expr().is_some_and(|e| self.takes.contains(&e))) {
            self.taken = true;
            return Flow::Stop;
        }
        if nodes
            .iter()
            .any(|id| self.partners.contains(&Partner::At(*id)))
        {
            return Flow::Found;
        }
        match item {
            Item::Return(_) => self.end(),
            Item::Node(_) => Flow::On,
        }
    }
}

impl Before<'_, '_> {
    fn end(&self) -> Flow {
        match self.partners.contains(&Partner::End) {
            true => Flow::Found,
            false => Flow::On,
        }
    }
}
