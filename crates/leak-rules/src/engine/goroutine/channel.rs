//! Channels: who still sends, receives and closes when the function that made one returns?

use std::path::PathBuf;
use std::sync::Arc;

use go_model::cfg::{BlockId, Cfg, Cond, Node, Terminator};
use go_model::db::decl_start;
use go_model::facts::{LocalId, Res};
use go_model::members::View;
use go_model::types::{Ty, TyKind};
use go_syntax::ast::{AssignOp, BinaryOp, ExprId, ExprKind, StmtId, StmtKind, UnaryOp};
use go_syntax::{Literals, NodeId, TextRange};
use rustc_hash::FxHashMap;

use super::callers::end_the_process;
use super::effect::{Sends, count, effect_of_call};
use super::if_it_may_run_often;
use super::paths::{self, Ending, Flow, Item, Question, Way};
use super::uses::{Channel, Op, OpKind, Run, Runner, Uses, is_builtin, method_of};
use crate::Severity;
use crate::check::{CheckContext, RawFinding, RawRelated};
use crate::engine::function::{Declaration, Function};
use crate::engine::is_main;
use crate::engine::pattern::{finding, step};
use crate::engine::site::{BufferSize, FixSite, LeakKind, LeakPoint, Pattern, Trigger};

/// More goroutines of one channel than this are not told apart.
const MAX_THREADS: usize = 8;

/// The findings about channels in a declaration, of all rules about them.
pub(crate) fn findings(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    if is_main(cx) && !has_literal_owner(cx) {
        return Vec::new();
    }
    let at = |depth| {
        let d = cx.declaration(depth);
        let uses = Uses::new(d);
        let mut found = Vec::new();
        for channel in uses.channels() {
            found.extend(look(cx, d, &uses, &channel));
        }
        found
    };
    if_it_may_run_often(cx, at)
}

/// Whether some channel is made in a literal of the declaration: a handler in `main` may run often.
pub(super) fn has_literal_owner(cx: &CheckContext<'_>) -> bool {
    cx.tree
        .exprs
        .iter()
        .any(|(_, e)| matches!(e.kind, ExprKind::FuncLit(_)))
}

/// A goroutine that the owner of a channel starts and that sends on it or receives from it.
struct Thread {
    /// The literal that it runs; `None` for a named function.
    literal: Option<ExprId>,
    /// The call that starts it.
    call: ExprId,
    /// The node of the graph at which it starts.
    start: StmtId,
    /// The sends that block, in source order.
    sends: Vec<Op>,
    /// The most sends on one path; `None` if not known.
    most: Option<Sends>,
    /// Where a named function sends.
    far: Option<(Arc<PathBuf>, TextRange)>,
}

fn look(
    cx: &CheckContext<'_>,
    d: &Declaration<'_>,
    uses: &Uses<'_, '_>,
    channel: &Channel,
) -> Vec<RawFinding> {
    if channel.escapes() || (channel.owner.is_none() && is_main(cx)) {
        return Vec::new();
    }
    let Some(cfg) = d.cfg(channel.owner) else {
        return Vec::new();
    };
    if cfg.truncated {
        return Vec::new();
    }
    let f = Function::new(d, channel.owner, &cfg);
    let Some(start) = f.cfg.position_of(channel.stmt) else {
        return Vec::new();
    };
    let Some(view) = Partners::new(&f, uses, channel) else {
        return Vec::new();
    };
    let mut found = abandoned(cx, &f, uses, channel, &view, start);
    found.extend(unclosed(cx, &f, uses, channel, &view, start));
    found
}

/// Everything that is done with a channel, by whom.
struct Partners {
    threads: Vec<Thread>,
    /// Receives in the owner's own body.
    own_receives: Vec<Op>,
    own_sends: Vec<Op>,
    own_closes: Vec<Op>,
    /// Calls of the owner that receive or close.
    helpers: Vec<ExprId>,
    /// Receives in a goroutine of the owner's own, with it.
    far_receives: Vec<(Op, ExprId)>,
    /// Somebody else may receive.
    other_receiver: bool,
    /// Somebody else may send.
    other_sender: bool,
    /// Somebody else may close it.
    other_closer: bool,
    /// Its length is asked for, or it is sent on or received from without blocking.
    measured: bool,
}

impl Partners {
    fn new(f: &Function<'_>, uses: &Uses<'_, '_>, channel: &Channel) -> Option<Self> {
        let mut this = Self {
            threads: Vec::new(),
            own_receives: Vec::new(),
            own_sends: Vec::new(),
            own_closes: Vec::new(),
            helpers: Vec::new(),
            far_receives: Vec::new(),
            other_receiver: false,
            other_sender: false,
            other_closer: false,
            measured: false,
        };
        for op in &channel.ops {
            let runner = uses.runner(op.literal, channel.owner);
            match op.kind {
                OpKind::Escapes => return None,
                OpKind::Measure => this.measured = true,
                OpKind::Send => match runner {
                    _ if op.optional => this.measured = true,
                    Runner::Own(_) => this.own_sends.push(*op),
                    Runner::Started(literal, inner) => {
                        let Run::Goroutine(site) = uses.run(literal) else {
                            return None;
                        };
                        let index =
                            match (this.threads.iter()).position(|t| t.literal == Some(literal)) {
                                Some(index) => index,
                                None => {
                                    this.threads.push(Thread {
                                        literal: Some(literal),
                                        call: site.call,
                                        start: site.stmt,
                                        sends: Vec::new(),
                                        most: Some(Sends::NONE),
                                        far: None,
                                    });
                                    this.threads.len() - 1
                                }
                            };
                        this.threads[index].sends.push(*op);
                        if inner && !is_deferred_in(uses, op, literal) {
                            this.threads[index].most = None;
                        }
                    }
                    Runner::Unknown => this.other_sender = true,
                },
                OpKind::Receive | OpKind::Range => match runner {
                    Runner::Own(false) => this.own_receives.push(*op),
                    // In a literal that is called or deferred: how often is not known.
                    Runner::Own(true) => this.other_receiver = true,
                    Runner::Started(literal, inner) => {
                        this.other_receiver = true;
                        if !inner {
                            this.far_receives.push((*op, literal));
                        }
                    }
                    Runner::Unknown => this.other_receiver = true,
                },
                OpKind::Close => match runner {
                    Runner::Own(false) => this.own_closes.push(*op),
                    _ => this.other_closer = true,
                },
                OpKind::Given { call, index } => {
                    let effect = effect_of_call(f.d, call, index, 0);
                    if effect.unknown {
                        return None;
                    }
                    let started = uses.go_of(call);
                    match (runner, started) {
                        (Runner::Own(false), Some(stmt)) => {
                            this.other_receiver |= effect.receives;
                            this.other_closer |= effect.closes;
                            if effect.sends {
                                this.threads.push(Thread {
                                    literal: None,
                                    call,
                                    start: stmt,
                                    sends: Vec::new(),
                                    most: effect.most,
                                    far: effect.place.map(|(decl, range)| {
                                        let db = f.d.db;
                                        (decl.file(db).path(db), range + decl_start(db, decl))
                                    }),
                                });
                            }
                        }
                        (Runner::Own(false), None) => {
                            if effect.receives || effect.closes {
                                this.helpers.push(call);
                            }
                            this.measured |= effect.sends;
                        }
                        _ => {
                            this.other_receiver |= effect.receives;
                            this.other_closer |= effect.closes;
                            this.other_sender |= effect.sends;
                        }
                    }
                }
            }
        }
        for thread in &mut this.threads {
            if let Some(literal) = thread.literal
                && thread.most.is_some()
            {
                thread.most = most_sends(f.d, uses, channel, literal, &thread.sends);
            }
        }
        (this.threads.len() <= MAX_THREADS).then_some(this)
    }
}

/// Whether an operation stands in a literal that the goroutine's own body defers.
fn is_deferred_in(uses: &Uses<'_, '_>, op: &Op, goroutine: ExprId) -> bool {
    op.literal
        .is_some_and(|l| matches!(uses.run(l), Run::Deferred(site) if site.by == Some(goroutine)))
}

/// The most sends on one path through a goroutine's literal.
fn most_sends(
    d: &Declaration<'_>,
    uses: &Uses<'_, '_>,
    channel: &Channel,
    literal: ExprId,
    sends: &[Op],
) -> Option<Sends> {
    // What waits first for something that only the owner does may never come to the send.
    let gate = |e: ExprId| {
        let ExprKind::Unary {
            op: UnaryOp::Receive,
            operand,
        } = d.tree[e].kind
        else {
            return false;
        };
        match d.facts.refs.get(d.tree.unparen(operand)) {
            Some(Res::Local(other)) if *other != channel.local => {
                let l = &d.facts.locals[*other];
                l.owner != Some(literal) && !woken_elsewhere(uses, *other, channel.owner)
            }
            _ => false,
        }
    };
    count(d, uses, Some(literal), sends, &gate)
}

/// Whether somebody else than the function itself sends on or closes a channel, or may.
fn woken_elsewhere(uses: &Uses<'_, '_>, local: LocalId, owner: Option<ExprId>) -> bool {
    let mut ops = Vec::new();
    uses.collect(local, 0, &mut ops);
    ops.iter().any(|op| match op.kind {
        OpKind::Escapes | OpKind::Given { .. } => true,
        OpKind::Send | OpKind::Close => !matches!(uses.runner(op.literal, owner), Runner::Own(_)),
        _ => false,
    })
}

/// What a node of the owner's graph means for the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Event {
    Start(usize),
    Receive,
    /// Everything was received, or nobody has to be received from any more.
    Drained,
    /// These goroutines have come to their end, or may have.
    Joined(Vec<usize>),
    /// One of those that this place starts has come to its end.
    JoinedOne(usize),
}

struct Leak<'q, 'f, 'a> {
    f: &'q Function<'f>,
    uses: &'q Uses<'q, 'a>,
    channel: &'q Channel,
    threads: &'q [Thread],
    /// The most sends of each of them.
    most: Vec<u8>,
    events: FxHashMap<NodeId, Vec<Event>>,
    ranges: Vec<StmtId>,
    /// Loops in which the owner receives.
    loops: Vec<StmtId>,
}

/// How often each goroutine was started, and how often was received.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Balance {
    started: Vec<u8>,
    received: u8,
    begun: bool,
}

impl Leak<'_, '_, '_> {
    fn owed(&self, state: &Balance) -> u64 {
        (state.started.iter().zip(&self.most))
            .map(|(n, most)| u64::from(*n) * u64::from(*most))
            .sum()
    }

    fn is_owed(&self, state: &Balance) -> bool {
        self.owed(state) > u64::from(state.received) + self.channel.capacity.unwrap_or(u64::MAX / 2)
    }
}

impl Question for Leak<'_, '_, '_> {
    type State = Balance;

    fn at(&mut self, _: BlockId, item: Item, state: &mut Balance) -> Flow {
        let root: NodeId = match item {
            Item::Node(Node::Stmt(s)) if s == self.channel.stmt => {
                if state.begun && self.is_owed(state) {
                    return Flow::Found;
                }
                *state = Balance {
                    started: vec![0; self.threads.len()],
                    received: 0,
                    begun: true,
                };
                return Flow::On;
            }
            Item::Node(Node::Stmt(s) | Node::Defer(s)) => s.into(),
            Item::Node(Node::Eval(e)) => e.into(),
            Item::Node(Node::RangeBind(s)) => {
                if self.ranges.contains(&s) {
                    state.received = state.received.saturating_add(1).min(4);
                }
                return Flow::On;
            }
            Item::Node(Node::TypeBind(..)) | Item::Return(None) => {
                return match item {
                    Item::Return(_) if self.is_owed(state) => Flow::Found,
                    _ => Flow::On,
                };
            }
            Item::Return(Some(s)) => s.into(),
        };
        for id in self.uses.nodes(root) {
            for event in self.events.get(&id).into_iter().flatten() {
                match event {
                    Event::Start(i) => state.started[*i] = (state.started[*i] + 1).min(3),
                    Event::Receive => state.received = (state.received + 1).min(4),
                    Event::Drained => return Flow::Stop,
                    Event::Joined(threads) => {
                        threads.iter().for_each(|i| state.started[*i] = 0);
                    }
                    Event::JoinedOne(i) => {
                        state.started[*i] = state.started[*i].saturating_sub(1);
                    }
                }
            }
        }
        if state.received >= 4 {
            return Flow::Stop;
        }
        match item {
            Item::Return(_) if self.is_owed(state) => Flow::Found,
            _ => Flow::On,
        }
    }

    fn along(&mut self, from: BlockId, to: BlockId, way: Way, _: &mut Balance) -> bool {
        if let Way::If(Cond::RangeNext(s), false) = way
            && self.ranges.contains(&s)
        {
            return false;
        }
        let Way::If(cond, _) = way else { return true };
        let cfg = self.f.cfg;
        // A loop that receives ends when it has counted to its end, unless an error ends it.
        !self.loops.iter().any(|l| {
            let within = |b: BlockId| {
                cfg.is_in_loop(b, *l)
                    && (cfg.loop_of(*l).is_some_and(|x| x.header == b) || cfg.comes_round(b, *l))
            };
            within(from) && !within(to) && !is_nil_test(self.f, cond)
        })
    }
}

fn is_nil_test(f: &Function<'_>, cond: Cond) -> bool {
    let Cond::Expr(e) = cond else { return false };
    match &f.tree[f.tree.unparen(e)].kind {
        ExprKind::Binary {
            op: BinaryOp::Eq | BinaryOp::Ne,
            lhs,
            rhs,
        } => f.is_nil(*lhs) || f.is_nil(*rhs),
        _ => false,
    }
}

/// Goroutines that still send when the function has returned.
fn abandoned(
    cx: &CheckContext<'_>,
    f: &Function<'_>,
    uses: &Uses<'_, '_>,
    channel: &Channel,
    partners: &Partners,
    start: (BlockId, usize),
) -> Vec<RawFinding> {
    let threads = &partners.threads;
    if partners.other_receiver
        || channel.capacity.is_none()
        || !threads.iter().any(|t| t.most.is_some_and(|n| n.most > 0))
    {
        return Vec::new();
    }
    let mut question = Leak {
        f,
        uses,
        channel,
        threads,
        most: (threads.iter())
            .map(|t| t.most.map_or(0, |n| n.most))
            .collect(),
        events: FxHashMap::default(),
        ranges: Vec::new(),
        loops: Vec::new(),
    };
    for (i, thread) in threads.iter().enumerate() {
        let place = (question.events).entry(start_node(f, thread)).or_default();
        place.push(Event::Start(i));
    }
    let mut blocks = Vec::new();
    for op in &partners.own_receives {
        if op.kind == OpKind::Range {
            question.ranges.push(op.stmt);
            question.loops.push(op.stmt);
            continue;
        }
        let place = question.events.entry(op.expr.into()).or_default();
        place.push(Event::Receive);
        blocks.extend(block_of(f, op.expr.into()));
    }
    for op in &partners.own_closes {
        let place = question.events.entry(op.expr.into()).or_default();
        place.push(Event::Drained);
    }
    for call in &partners.helpers {
        let place = question.events.entry((*call).into()).or_default();
        place.push(Event::Drained);
    }
    let singly = joins(f, uses, channel, threads, &mut question.events);
    blocks.extend(singly.into_iter().filter_map(|e| block_of(f, e.into())));
    for block in blocks {
        let loops = f.cfg.loops_containing(block).map(|l| l.stmt);
        // A loop that makes the channel anew in each iteration does not count.
        question
            .loops
            .extend(loops.filter(|l| !f.tree[*l].range.contains_range(f.tree[channel.stmt].range)));
    }
    let state = Balance {
        started: vec![0; threads.len()],
        received: 0,
        begun: false,
    };
    let Some(endings) = paths::search(f, start, state.clone(), &mut question) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (i, thread) in threads.iter().enumerate() {
        let endings: Vec<&Ending<Balance>> = endings
            .iter()
            .filter(|e| e.state.started[i] > 0 && thread.most.is_some_and(|n| n.most > 0))
            .collect();
        if endings.is_empty() {
            continue;
        }
        let exits: Vec<_> = endings.iter().map(|e| e.exit).collect();
        let ends = channel.owner.is_none() && end_the_process(cx, &exits);
        if !ends {
            let mut one = abandoned_finding(cx, f, channel, partners, thread, &endings);
            // With one send of this goroutine less, somebody may still wait.
            if one.rule == crate::rules::double_send::RULE.name {
                let before = std::mem::replace(&mut question.most[i], 1);
                let rest = paths::search(f, start, state.clone(), &mut question);
                question.most[i] = before;
                if !rest.is_some_and(|rest| rest.is_empty()) {
                    keep_second_send(&mut one);
                }
            }
            found.push(one);
        }
    }
    found
}

/// Takes back the fix that leaves out the second of two sends.
fn keep_second_send(found: &mut RawFinding) {
    if let Some(site) = &mut found.site
        && let Trigger::Pattern(Pattern::AbandonedSend { leave, .. }) = &mut site.trigger
    {
        *leave = None;
    }
}

fn start_node(f: &Function<'_>, thread: &Thread) -> NodeId {
    match f.tree[thread.start].kind {
        StmtKind::Go(_) => thread.start.into(),
        _ => thread.call.into(),
    }
}

/// The block in which the function itself does something.
pub(super) fn block_of(f: &Function<'_>, node: NodeId) -> Option<BlockId> {
    let range = match node {
        NodeId::Expr(e) => f.tree[e].range,
        NodeId::Stmt(s) => f.tree[s].range,
    };
    f.cfg.blocks.iter().find_map(|(id, block)| {
        let within = |r: TextRange| r.contains_range(range);
        let node = block.nodes.iter().any(|n| match n {
            Node::Stmt(s) | Node::Defer(s) => within(f.tree[*s].range),
            Node::Eval(e) => within(f.tree[*e].range),
            _ => false,
        });
        let ends =
            matches!(block.terminator, Terminator::Return(Some(s)) if within(f.tree[s].range));
        (node || ends).then_some(id)
    })
}

/// Where the owner learns that a goroutine has come to its end, or hands on what the goroutine waits with. Gives the receives by which it
/// learns of one of many.
fn joins(
    f: &Function<'_>,
    uses: &Uses<'_, '_>,
    channel: &Channel,
    threads: &[Thread],
    events: &mut FxHashMap<NodeId, Vec<Event>>,
) -> Vec<ExprId> {
    let d = uses.d;
    let mut singly = Vec::new();
    let mut join = |expr: ExprId, shares: &dyn Fn(&Thread) -> bool| {
        let joined: Vec<usize> = (threads.iter().enumerate())
            .filter(|(_, t)| shares(t))
            .map(|(i, _)| i)
            .collect();
        if !joined.is_empty() {
            (events.entry(expr.into()).or_default()).push(Event::Joined(joined));
        }
    };
    for (id, expr) in d.tree.exprs.iter() {
        if uses.literal_of(id) != channel.owner {
            continue;
        }
        match &expr.kind {
            ExprKind::Unary {
                op: UnaryOp::Receive,
                operand,
            } => {
                // A value of the channel itself is counted as received.
                let own =
                    d.facts.refs.get(d.tree.unparen(*operand)) == Some(&Res::Local(channel.local));
                let one =
                    |t: &Thread| !own && is_looped(f, channel, t) && sends_on(uses, t, *operand);
                let relayed = relayed_groups(uses, *operand);
                join(id, &|t| {
                    (answers(uses, channel, t, *operand) && !one(t))
                        || (relayed.iter()).any(|group| shares_root(uses, t, *group))
                });
                for (i, _) in threads.iter().enumerate().filter(|(_, t)| one(t)) {
                    singly.push((id, i));
                }
            }
            ExprKind::Call { args, .. } => {
                if uses.go_of(id).is_some() || threads.iter().any(|t| t.call == id) {
                    continue;
                }
                if let Some((base, name)) = method_of(d, id, "sync", &["WaitGroup"])
                    && name == "Wait"
                {
                    join(id, &|t| shares_root(uses, t, base));
                }
                if let Some((base, name)) =
                    method_of(d, id, "golang.org/x/sync/errgroup", &["Group"])
                    && name == "Wait"
                {
                    join(id, &|t| {
                        shares_root(uses, t, base) || is_started_by(d, t, base)
                    });
                }
                // What is given to somebody else may be waited for there.
                for arg in args {
                    let arg = address_of(d, *arg);
                    if let Some(Res::Local(local)) = d.facts.refs.get(arg)
                        && *local != channel.local
                        && is_handle(&d.facts.locals[*local].ty)
                    {
                        join(id, &|t| shares(uses, t, *local));
                    }
                }
                if let Some(literal) = f.called_literal(id) {
                    join(id, &|t| {
                        d.facts.literals.get(literal).is_some_and(|l| {
                            l.captures.iter().any(|c| {
                                *c != channel.local
                                    && is_handle(&d.facts.locals[*c].ty)
                                    && shares(uses, t, *c)
                            })
                        })
                    });
                }
            }
            _ => {}
        }
    }
    for (_, stmt) in d.tree.stmts.iter() {
        if let StmtKind::Range { over, .. } = stmt.kind
            && let Some(Res::Local(local)) = d.facts.refs.get(d.tree.unparen(over))
            && *local != channel.local
            && is_handle(&d.facts.locals[*local].ty)
        {
            join(over, &|t| shares(uses, t, *local));
        }
    }
    for (expr, i) in &singly {
        let place = events.entry((*expr).into()).or_default();
        place.push(Event::JoinedOne(*i));
    }
    singly.into_iter().map(|(expr, _)| expr).collect()
}

/// The groups for which every goroutine waits that sends on or closes the channel that is received from here: what is received says that
/// all of the group have come to their end.
fn relayed_groups(uses: &Uses<'_, '_>, operand: ExprId) -> Vec<ExprId> {
    let d = uses.d;
    let Some(Res::Local(other)) = d.facts.refs.get(d.tree.unparen(operand)) else {
        return Vec::new();
    };
    let mut ops = Vec::new();
    uses.collect(*other, 0, &mut ops);
    let mut found: Option<Vec<ExprId>> = None;
    for op in &ops {
        match op.kind {
            OpKind::Send | OpKind::Close => {}
            OpKind::Given { .. } | OpKind::Escapes => return Vec::new(),
            _ => continue,
        }
        let Some(literal) = op.literal else {
            return Vec::new();
        };
        let deferred = uses.defer_of(op.expr).is_some();
        let before =
            |call: ExprId| deferred || d.tree[call].range.end() <= d.tree[op.stmt].range.start();
        let waits: Vec<ExprId> = (d.body(Some(literal)).into_iter())
            .flat_map(|body| body.stmts.iter())
            .filter_map(|s| match d.tree[*s].kind {
                StmtKind::Expr(e) => Some(d.tree.unparen(e)),
                _ => None,
            })
            .filter(|call| before(*call))
            .filter_map(|call| method_of(d, call, "sync", &["WaitGroup"]))
            .filter(|(_, name)| *name == "Wait")
            .map(|(base, _)| base)
            .collect();
        if waits.is_empty() || found.is_some() {
            return Vec::new();
        }
        found = Some(waits);
    }
    found.unwrap_or_default()
}

/// Whether a goroutine of a literal sends on the channel that is received from here.
fn sends_on(uses: &Uses<'_, '_>, thread: &Thread, operand: ExprId) -> bool {
    let Some(Res::Local(other)) = uses.d.facts.refs.get(uses.d.tree.unparen(operand)) else {
        return false;
    };
    let mut ops = Vec::new();
    uses.collect(*other, 0, &mut ops);
    thread.literal.is_some()
        && (ops.iter()).any(|op| op.kind == OpKind::Send && op.literal == thread.literal)
}

fn address_of(d: &Declaration<'_>, expr: ExprId) -> ExprId {
    let expr = d.tree.unparen(expr);
    match d.tree[expr].kind {
        ExprKind::Unary {
            op: UnaryOp::Address,
            operand,
        } => d.tree.unparen(operand),
        _ => expr,
    }
}

/// Something by which a goroutine can say that it has come to its end.
fn is_handle(ty: &Ty) -> bool {
    let ty = match ty.kind() {
        TyKind::Pointer(inner) => inner,
        _ => ty,
    };
    matches!(ty.kind(), TyKind::Chan(..))
        || ty.is_named("sync", "WaitGroup")
        || ty.is_named("golang.org/x/sync/errgroup", "Group")
}

/// Whether a goroutine has to do with a variable.
fn shares(uses: &Uses<'_, '_>, thread: &Thread, local: LocalId) -> bool {
    match thread.literal {
        Some(literal) => {
            uses.mentions_in(literal, local) || mentions_in_call(uses, thread.call, local)
        }
        None => mentions_in_call(uses, thread.call, local),
    }
}

fn mentions_in_call(uses: &Uses<'_, '_>, call: ExprId, local: LocalId) -> bool {
    uses.nodes(call.into()).iter().any(|id| {
        id.expr()
            .is_some_and(|e| uses.d.facts.refs.get(e) == Some(&Res::Local(local)))
    })
}

fn shares_root(uses: &Uses<'_, '_>, thread: &Thread, base: ExprId) -> bool {
    match uses.d.place(base) {
        Some(place) => shares(uses, thread, place.local),
        // Something of the package: nobody knows who it waits for.
        None => true,
    }
}

/// Whether the goroutine is started through this group.
fn is_started_by(d: &Declaration<'_>, thread: &Thread, base: ExprId) -> bool {
    let ExprKind::Call { func, .. } = &d.tree[thread.call].kind else {
        return false;
    };
    match &d.tree[d.tree.unparen(*func)].kind {
        ExprKind::Selector { base: group, .. } => d.place(*group) == d.place(base),
        _ => false,
    }
}

/// Whether a goroutine sends on or closes what is received from here, or cancels its context.
fn answers(uses: &Uses<'_, '_>, channel: &Channel, thread: &Thread, operand: ExprId) -> bool {
    let d = uses.d;
    let operand = d.tree.unparen(operand);
    match &d.tree[operand].kind {
        ExprKind::Call { func, .. } => {
            // `<-ctx.Done()`, where the goroutine may call the context's cancel function.
            let ExprKind::Selector { base, .. } = &d.tree[d.tree.unparen(*func)].kind else {
                return false;
            };
            match d.facts.refs.get(d.tree.unparen(*base)) {
                Some(Res::Local(context)) => uses
                    .cancel_of(*context)
                    .into_iter()
                    .any(|cancel| shares(uses, thread, cancel)),
                _ => false,
            }
        }
        ExprKind::Ident(_) => match d.facts.refs.get(operand) {
            Some(Res::Local(other)) => *other != channel.local && shares(uses, thread, *other),
            _ => false,
        },
        ExprKind::Selector { name, .. } => {
            // A field: the same one, whosever it is, in the goroutine.
            thread.literal.is_none_or(|literal| {
                d.tree.walk(literal, Literals::Enter).any(|id| {
                    id.expr().is_some_and(|e| {
                        matches!(&d.tree[e].kind, ExprKind::Selector { name: n, .. } if n.name == name.name)
                    })
                })
            })
        }
        _ => false,
    }
}

fn abandoned_finding(
    cx: &CheckContext<'_>,
    f: &Function<'_>,
    channel: &Channel,
    partners: &Partners,
    thread: &Thread,
    endings: &[&Ending<Balance>],
) -> RawFinding {
    let name = f.facts.locals[channel.local].ident.name;
    let first = endings[0];
    let looped = is_looped(f, channel, thread);
    let twice =
        thread.most.is_some_and(|n| n.most > 1) && endings.iter().all(|e| e.state.received > 0);
    let function = f.name();
    let loop_end = first.exit.is_none() && first.range == f.tree[channel.stmt].range;
    let ends = if loop_end {
        "the next iteration begins".to_owned()
    } else {
        format!("`{function}` returns")
    };
    let (rule, message) = if twice {
        (
            crate::rules::double_send::RULE.name,
            format!(
                "a second send on `{name}` waits for ever: only one value is received before {ends}"
            ),
        )
    } else if looped {
        (
            crate::rules::fan_out_send::RULE.name,
            format!(
                "each iteration starts a goroutine that sends on `{name}`; those whose value is not received before {ends} wait for ever"
            ),
        )
    } else {
        (
            crate::rules::abandoned_send::RULE.name,
            format!("this send on `{name}` waits for ever where {ends} without receiving it"),
        )
    };
    // The send of a recovered panic is not the one to show.
    let own = |s: &&Op| s.literal == thread.literal;
    let send = match twice {
        true => thread.sends.iter().rfind(own),
        false => thread.sends.iter().find(own),
    };
    let send = send.or(thread.sends.first()).map(|s| s.stmt);
    let start = go_range(f, thread);
    let range = send.map_or(start, |s| f.tree[s].range);
    let mut found = finding(f, rule, Severity::Warning, message, range);
    found.related.push(step(
        format!("`{name}` is made here{}", unbuffered(channel)),
        f.tree[channel.make].range,
    ));
    found
        .related
        .push(step("the goroutine is started here", start));
    if let Some((file, range)) = &thread.far {
        found.related.push(RawRelated {
            message: format!("it sends on `{name}` here"),
            file: Some(file.clone()),
            range: *range,
        });
    }
    for ending in endings.iter().take(3) {
        found.related.extend(ending.decision_step());
        let what = if ending.exit.is_none() && ending.range == f.tree[channel.stmt].range {
            "makes another channel while the goroutine still sends"
        } else if ending.state.received > 0 {
            "returns without receiving from all of them"
        } else {
            "returns without receiving"
        };
        found.related.push(step(what, ending.range));
    }
    let early = twice.then(|| early_sends(f, thread)).flatten();
    let pattern = Pattern::AbandonedSend {
        make: channel.make,
        size: buffer_size(f, channel, partners),
        safe: is_buffer_safe(f, channel, partners),
        send: send.filter(|_| thread.sends.len() == 1),
        context: thread.literal.and_then(|l| context_in_scope(f, l)),
        leave: early.as_ref().map(|(_, safe)| *safe),
    };
    let mut site = FixSite::pattern(
        channel.owner,
        channel.make,
        Some(channel.stmt),
        pattern,
        cx.in_test,
    );
    site.releases = early.map(|(sends, _)| sends).unwrap_or_default();
    found.site = Some(Box::new(site));
    found
}

/// The sends of a goroutine that another one follows, where a `return` behind them would make them the last; and whether it would skip
/// nothing but that other one.
fn early_sends(f: &Function<'_>, thread: &Thread) -> Option<(Vec<StmtId>, bool)> {
    let literal = thread.literal?;
    let lit = f.tree.func_lit(literal)?;
    if !lit.signature.results.is_empty() || thread.sends.iter().any(|s| s.literal != Some(literal))
    {
        return None;
    }
    let cfg = f.d.cfg(Some(literal))?;
    let at = |op: &Op| cfg.position_of(op.stmt);
    let mut early = Vec::new();
    let mut safe = true;
    for op in &thread.sends {
        let (block, node) = at(op)?;
        let behind = cfg.reachable_from(block);
        let follows = |other: &&Op| match at(other) {
            Some((b, n)) if b == block => n > node,
            Some((b, _)) => behind.contains(b),
            None => false,
        };
        let mut others = thread.sends.iter().filter(follows);
        let Some(next) = others.next() else { continue };
        // The last statement of a branch: what stands behind a `return` could not be reached.
        let (list, index) = f.d.outline.list_of(op.stmt)?;
        if index + 1 != list.stmts.len() || list.stmts.contains(&next.stmt) {
            return None;
        }
        safe &= others.next().is_none()
            && sends_without_effect(f, next.stmt)
            && is_last_act(f, literal, next)
            && next_node(&cfg, block, node) == at(next);
        early.push(op.stmt);
    }
    (!early.is_empty()).then_some((early, safe))
}

/// The node that is run behind another one, if there is no decision between.
fn next_node(cfg: &Cfg, block: BlockId, node: usize) -> Option<(BlockId, usize)> {
    let (mut block, mut next) = (block, node + 1);
    for _ in 0..32 {
        if cfg.blocks[block].nodes.len() > next {
            return Some((block, next));
        }
        match cfg.blocks[block].terminator {
            Terminator::Jump(to) => (block, next) = (to, 0),
            _ => return None,
        }
    }
    None
}

/// Whether nothing is called or received to compute what is sent.
fn sends_without_effect(f: &Function<'_>, send: StmtId) -> bool {
    let StmtKind::Send { value, .. } = f.tree[send].kind else {
        return false;
    };
    f.tree.walk(value, Literals::Enter).all(|id| match id {
        NodeId::Expr(e) => !matches!(
            f.tree[e].kind,
            ExprKind::Call { .. }
                | ExprKind::Unary {
                    op: UnaryOp::Receive,
                    ..
                }
        ),
        NodeId::Stmt(_) => true,
    })
}

fn unbuffered(channel: &Channel) -> &'static str {
    match channel.capacity {
        Some(0) => ", without a buffer",
        _ => "",
    }
}

/// From the `go` to the body of the literal.
fn go_range(f: &Function<'_>, thread: &Thread) -> TextRange {
    let whole = f.tree[thread.start].range;
    match thread.literal.and_then(|l| f.tree.func_lit(l)) {
        Some(lit) if whole.contains_range(lit.body.range) => {
            TextRange::new(whole.start(), lit.signature.range.end())
        }
        _ => whole,
    }
}

/// The loop that starts a goroutine again and again while the channel stays the same.
fn loop_of_start(f: &Function<'_>, channel: &Channel, thread: &Thread) -> Option<StmtId> {
    let (block, _) = f.cfg.position_of(thread.start)?;
    let around = f.cfg.repeating_loop(block)?;
    (!f.tree[around.stmt]
        .range
        .contains_range(f.tree[channel.stmt].range))
    .then_some(around.stmt)
}

fn is_looped(f: &Function<'_>, channel: &Channel, thread: &Thread) -> bool {
    loop_of_start(f, channel, thread).is_some()
}

/// A buffer that takes all sends.
fn buffer_size(f: &Function<'_>, channel: &Channel, partners: &Partners) -> Option<BufferSize> {
    if channel.capacity != Some(0) || partners.other_sender || !partners.own_sends.is_empty() {
        return None;
    }
    let mut plain = 0u32;
    let mut counted = None;
    for thread in &partners.threads {
        let sends = thread.most.filter(|n| n.exact)?;
        let most = u32::from(sends.most);
        match loop_of_start(f, channel, thread) {
            None => plain += most,
            Some(_) if counted.is_some() || most != 1 => return None,
            Some(around) => {
                let (block, _) = f.cfg.position_of(thread.start)?;
                let mut loops = f.cfg.loops_containing(block);
                let only = loops.next()?.stmt == around
                    && loops.all(|l| {
                        f.tree[l.stmt]
                            .range
                            .contains_range(f.tree[channel.stmt].range)
                    });
                if !only {
                    return None;
                }
                counted = Some(trip_count(f, channel, around)?);
            }
        }
    }
    match counted {
        None => Some(BufferSize::Count(plain)),
        Some((expr, len)) => Some(BufferSize::Of { expr, len, plain }),
    }
}

/// How often a loop runs: an expression that has the same value where the channel is made, and whether its length counts.
fn trip_count(f: &Function<'_>, channel: &Channel, around: StmtId) -> Option<(ExprId, bool)> {
    let made = f.tree[channel.stmt].range.start();
    let stable = |e: ExprId| match f.facts.refs.get(f.tree.unparen(e)) {
        Some(Res::Local(local)) => {
            let l = &f.facts.locals[*local];
            l.assignments <= 1 && !l.address_taken && l.ident.range.end() <= made
        }
        _ => false,
    };
    match &f.tree[around].kind {
        StmtKind::Range { over, .. } if stable(*over) => {
            match f.facts.types.get(f.tree.unparen(*over))?.kind() {
                TyKind::Slice(_) | TyKind::Array(..) | TyKind::Map(..) => Some((*over, true)),
                TyKind::Basic(go_model::types::Basic::Int) => Some((*over, false)),
                _ => None,
            }
        }
        StmtKind::For {
            init: Some(init),
            cond: Some(cond),
            post: Some(post),
            ..
        } => {
            let StmtKind::Assign {
                op: AssignOp::Define,
                rhs,
                ..
            } = &f.tree[*init].kind
            else {
                return None;
            };
            let [zero] = rhs[..] else { return None };
            if f.tree.int_value(zero) != Some(0)
                || !matches!(f.tree[*post].kind, StmtKind::IncDec { inc: true, .. })
            {
                return None;
            }
            let ExprKind::Binary {
                op: BinaryOp::Lt,
                rhs: bound,
                ..
            } = &f.tree[f.tree.unparen(*cond)].kind
            else {
                return None;
            };
            if f.tree.int_value(*bound).is_some() {
                return Some((*bound, false));
            }
            if stable(*bound)
                && matches!(
                    f.facts.types.get(f.tree.unparen(*bound))?.kind(),
                    TyKind::Basic(go_model::types::Basic::Int)
                )
            {
                return Some((*bound, false));
            }
            let ExprKind::Call { args, .. } = &f.tree[f.tree.unparen(*bound)].kind else {
                return None;
            };
            (is_builtin(f.d, f.tree.unparen(*bound), "len") && stable(*args.first()?))
                .then_some((*bound, false))
        }
        _ => None,
    }
}

/// Whether a buffer changes nothing but that nobody waits: the sends are the last acts of goroutines that hold nothing, and what is
/// sent owns nothing.
fn is_buffer_safe(f: &Function<'_>, channel: &Channel, partners: &Partners) -> bool {
    !partners.measured
        && !partners.other_sender
        && partners.own_sends.is_empty()
        && owns_nothing(f, &channel.element, 2)
        && partners.threads.iter().all(|thread| {
            thread.literal.is_some_and(|literal| {
                (thread.sends.iter()).all(|s| is_last_act(f, literal, s))
                    && holds_nothing(f, literal, channel)
            })
        })
}

/// A value of the type can be dropped without releasing anything.
fn owns_nothing(f: &Function<'_>, ty: &Ty, depth: u32) -> bool {
    if depth == 0 {
        return false;
    }
    let view = View::with_facts(f.d.db, f.d.decl.file(f.d.db), f.facts);
    match ty.kind() {
        TyKind::Basic(_) => true,
        TyKind::Slice(e) | TyKind::Array(_, e) | TyKind::Pointer(e) => owns_nothing(f, e, depth),
        TyKind::Map(k, v) => owns_nothing(f, k, depth) && owns_nothing(f, v, depth),
        TyKind::Struct(fields) => fields.iter().all(|x| owns_nothing(f, &x.ty, depth)),
        TyKind::Named(_) if ty.is_error() => true,
        TyKind::Named(_) => {
            if ty.is_named("time", "Time") || ty.is_named("time", "Duration") {
                return true;
            }
            view.releasing_methods(ty).is_empty()
                && view.method_names(ty).is_some()
                && owns_nothing(f, &view.underlying(ty), depth - 1)
        }
        _ => false,
    }
}

/// Whether nothing happens in a goroutine after a send.
fn is_last_act(f: &Function<'_>, literal: ExprId, send: &Op) -> bool {
    if send.literal != Some(literal) {
        return false;
    }
    let Some(cfg) = f.d.cfg(Some(literal)) else {
        return false;
    };
    let Some((mut block, node)) = cfg.position_of(send.stmt) else {
        return false;
    };
    let mut next = node + 1;
    for _ in 0..32 {
        let b = &cfg.blocks[block];
        if b.nodes.len() > next {
            return false;
        }
        match &b.terminator {
            Terminator::Return(None) => return true,
            Terminator::Return(Some(s)) => {
                return matches!(&f.tree[*s].kind, StmtKind::Return(values) if values.is_empty());
            }
            Terminator::Jump(to) => {
                block = *to;
                next = 0;
            }
            _ => return false,
        }
    }
    false
}

/// A goroutine that holds no lock and no place in a semaphore when it sends.
fn holds_nothing(f: &Function<'_>, literal: ExprId, channel: &Channel) -> bool {
    f.tree.walk(literal, Literals::Enter).all(|id| match id {
        NodeId::Stmt(s) => match &f.tree[s].kind {
            StmtKind::Defer(call) => method_of(f.d, f.tree.unparen(*call), "sync", &["WaitGroup"])
                .is_some_and(|(_, name)| name == "Done"),
            StmtKind::Send { chan, .. } => {
                let is =
                    |l: LocalId| f.facts.refs.get(f.tree.unparen(*chan)) == Some(&Res::Local(l));
                is(channel.local) || channel.ops.iter().any(|op| op.stmt == s)
            }
            _ => true,
        },
        NodeId::Expr(e) => match &f.tree[e].kind {
            ExprKind::Unary {
                op: UnaryOp::Receive,
                ..
            } => false,
            ExprKind::Call { .. } => method_of(f.d, e, "sync", &["Mutex", "RWMutex"]).is_none(),
            _ => true,
        },
    })
}

/// A context that can be named in the goroutine: a parameter of it or of a function around it.
fn context_in_scope(f: &Function<'_>, literal: ExprId) -> Option<LocalId> {
    let mut at = Some(literal);
    let is_context = |local: &LocalId| {
        let l = &f.facts.locals[*local];
        l.ty.is_named("context", "Context") && !l.ident.name.is_blank() && l.assignments <= 1
    };
    for _ in 0..32 {
        let params = match at {
            Some(literal) => &f.facts.literals.get(literal)?.params,
            None => &f.facts.params,
        };
        if let Some(found) = params.iter().flatten().find(|l| is_context(l)) {
            return Some(*found);
        }
        at = match at {
            Some(literal) => f.facts.literals.get(literal)?.parent,
            None => return None,
        };
    }
    None
}

/// Goroutines that range over a channel that nobody closes, or receive from one on which nobody sends, when the function has returned.
fn unclosed(
    cx: &CheckContext<'_>,
    f: &Function<'_>,
    uses: &Uses<'_, '_>,
    channel: &Channel,
    partners: &Partners,
    start: (BlockId, usize),
) -> Vec<RawFinding> {
    if partners.other_closer {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (op, literal) in &partners.far_receives {
        let Run::Goroutine(site) = uses.run(*literal) else {
            continue;
        };
        let ranges = op.kind == OpKind::Range;
        if ranges {
            if leaves_loop(f.d, *literal, op.stmt) || sends_for_ever(f.d, partners) {
                continue;
            }
            let sends = partners.other_sender
                || !partners.own_sends.is_empty()
                || !partners.threads.is_empty();
            if !sends && partners.own_closes.is_empty() && partners.helpers.is_empty() {
                continue;
            }
        } else {
            let sent = partners.other_sender || !partners.threads.is_empty() || partners.measured;
            if op.optional || sent {
                continue;
            }
            // One that is received from in several places is more than a signal.
            let receives = channel
                .ops
                .iter()
                .filter(|o| matches!(o.kind, OpKind::Receive | OpKind::Range))
                .count();
            if receives > 1 || loops_on(f.d, *literal, op) {
                continue;
            }
        }
        let mut question = Wake {
            uses,
            made: channel.stmt,
            start: match f.tree[site.stmt].kind {
                StmtKind::Go(_) => site.stmt.into(),
                _ => site.call.into(),
            },
            wakes: (partners.own_closes.iter().map(|o| NodeId::from(o.expr)))
                .chain(partners.helpers.iter().map(|c| NodeId::from(*c)))
                .chain(
                    (partners.own_sends.iter().filter(|_| !ranges)).map(|o| NodeId::from(o.stmt)),
                )
                .collect(),
        };
        let Some(endings) = paths::search(f, start, false, &mut question) else {
            continue;
        };
        if !endings.is_empty() {
            found.push(unclosed_finding(
                cx, f, uses, channel, partners, op, *literal, &endings,
            ));
        }
    }
    found
}

/// Whether a function returns while a goroutine that it started was not woken.
struct Wake<'q, 'a> {
    uses: &'q Uses<'q, 'a>,
    made: StmtId,
    start: NodeId,
    wakes: Vec<NodeId>,
}

impl Question for Wake<'_, '_> {
    /// Whether the goroutine was started.
    type State = bool;

    fn at(&mut self, _: BlockId, item: Item, state: &mut bool) -> Flow {
        let root: NodeId = match item {
            Item::Node(Node::Stmt(s)) if s == self.made => return Flow::On,
            Item::Node(Node::Stmt(s) | Node::Defer(s)) => s.into(),
            Item::Node(Node::Eval(e)) => e.into(),
            Item::Node(_) => return Flow::On,
            Item::Return(None) => {
                return if *state { Flow::Found } else { Flow::On };
            }
            Item::Return(Some(s)) => s.into(),
        };
        for id in self.uses.nodes(root) {
            if self.wakes.contains(&id) {
                return Flow::Stop;
            }
            *state |= id == self.start;
        }
        match item {
            Item::Return(_) if *state => Flow::Found,
            _ => Flow::On,
        }
    }

    fn along(&mut self, _: BlockId, _: BlockId, _: Way, _: &mut bool) -> bool {
        true
    }
}

/// Whether a loop can be left otherwise than by its end.
fn leaves_loop(d: &Declaration<'_>, literal: ExprId, stmt: StmtId) -> bool {
    leaves_loop_of(d, Some(literal), stmt)
}

/// The same, of a loop of the declaration's own body too.
pub(super) fn leaves_loop_of(d: &Declaration<'_>, literal: Option<ExprId>, stmt: StmtId) -> bool {
    let Some(cfg) = d.cfg(literal) else {
        return true;
    };
    let reachable = cfg.reachable();
    reachable.iter().any(|block| {
        if !cfg.is_in_loop(block, stmt) || cfg.loop_of(stmt).is_some_and(|l| l.header == block) {
            return false;
        }
        let terminator = &cfg.blocks[block].terminator;
        // The end of the process is no end of the loop.
        let mut out = matches!(
            terminator,
            Terminator::Return(_) | Terminator::NoReturn { unwinds: true, .. } | Terminator::Stuck
        );
        terminator.for_each_successor(|to| out |= !cfg.is_in_loop(to, stmt));
        out
    })
}

/// Whether a receive is done again and again.
fn loops_on(d: &Declaration<'_>, literal: ExprId, op: &Op) -> bool {
    let Some(cfg) = d.cfg(Some(literal)) else {
        return true;
    };
    match cfg.position_of(op.stmt) {
        Some((block, _)) => cfg.repeating_loop(block).is_some(),
        None => true,
    }
}

/// Whether some goroutine that sends never ends: so is the one that receives meant to.
fn sends_for_ever(d: &Declaration<'_>, partners: &Partners) -> bool {
    partners.other_sender
        || partners.threads.iter().any(|t| match t.literal {
            Some(literal) => d.cfg(Some(literal)).is_none_or(|c| c.never_returns()),
            None => true,
        })
}

#[allow(clippy::too_many_arguments)]
fn unclosed_finding(
    cx: &CheckContext<'_>,
    f: &Function<'_>,
    uses: &Uses<'_, '_>,
    channel: &Channel,
    partners: &Partners,
    op: &Op,
    literal: ExprId,
    endings: &[Ending<bool>],
) -> RawFinding {
    let name = f.facts.locals[channel.local].ident.name;
    let function = f.name();
    let never = partners.own_closes.is_empty() && partners.helpers.is_empty();
    let ranges = op.kind == OpKind::Range;
    let (rule, message, range) = if ranges {
        let message = if never {
            format!("this loop never ends: nobody closes `{name}`")
        } else {
            format!("this loop never ends where `{function}` returns without closing `{name}`")
        };
        let range = f.head_range(op.stmt);
        (
            crate::rules::range_over_unclosed_channel::RULE.name,
            message,
            range,
        )
    } else {
        let message = if never && partners.own_sends.is_empty() {
            format!("this receive waits for ever: nobody sends on `{name}` or closes it")
        } else {
            format!(
                "this receive waits for ever where `{function}` returns without sending on `{name}` or closing it"
            )
        };
        let range = f.tree[op.expr].range;
        (crate::rules::orphan_receive::RULE.name, message, range)
    };
    let mut found = finding(f, rule, Severity::Warning, message, range);
    found.related.push(step(
        format!("`{name}` is made here"),
        f.tree[channel.make].range,
    ));
    if let Run::Goroutine(site) = uses.run(literal) {
        let whole = f.tree[site.stmt].range;
        let end = f.tree.func_lit(literal).map_or(whole.end(), |l| {
            l.signature.range.end().clamp(whole.start(), whole.end())
        });
        found.related.push(step(
            "the goroutine is started here",
            TextRange::new(whole.start(), end),
        ));
    }
    let shown = if never && ranges {
        &endings[endings.len() - 1..]
    } else {
        endings
    };
    for ending in shown.iter().take(3) {
        if !never || !ranges {
            found.related.extend(ending.decision_step());
        }
        found.related.push(step(
            if ranges {
                "returns without closing it"
            } else {
                "returns without waking the goroutine"
            },
            ending.range,
        ));
    }
    if never {
        let last_send = last_send(f, channel, partners);
        let pattern = Pattern::UnclosedChannel {
            made: channel.stmt,
            sender: sole_sender(f, channel, partners),
            last_send,
            ranges,
            receive: dropped_receive(f, op),
            last: wakes_to_nothing(f, literal, op),
            context: context_in_scope(f, literal),
            owner_sends: owner_sends(f, uses, channel, partners),
        };
        let site = FixSite::pattern(
            channel.owner,
            channel.make,
            Some(channel.stmt),
            pattern,
            cx.in_test,
        );
        found.site = Some(Box::new(site));
    } else if let Some(leaks) = unclosed_exits(f, channel, partners, endings) {
        let pattern = Pattern::CloseBefore {
            made: channel.stmt,
            safe: ranges || wakes_to_nothing(f, literal, op),
        };
        let mut site = FixSite::pattern(
            channel.owner,
            channel.make,
            Some(channel.stmt),
            pattern,
            cx.in_test,
        );
        site.leaks = leaks;
        found.site = Some(Box::new(site));
    }
    found
}

/// The statement that receives and drops what it gets.
fn dropped_receive(f: &Function<'_>, op: &Op) -> Option<StmtId> {
    match f.tree[op.stmt].kind {
        StmtKind::Expr(e) if f.tree.unparen(e) == op.expr => Some(op.stmt),
        _ => None,
    }
}

/// Whether a goroutine ends when a receive of it, whose value is dropped, comes back.
fn wakes_to_nothing(f: &Function<'_>, literal: ExprId, op: &Op) -> bool {
    dropped_receive(f, op).is_some()
        && is_last_act(f, literal, op)
        && !f
            .tree
            .walk(literal, Literals::Enter)
            .any(|id| matches!(id, NodeId::Stmt(s) if matches!(f.tree[s].kind, StmtKind::Defer(_))))
}

/// Whether the owner does every send in its own body and waits for nobody: it may close the channel whenever it returns.
fn owner_sends(
    f: &Function<'_>,
    uses: &Uses<'_, '_>,
    channel: &Channel,
    partners: &Partners,
) -> bool {
    let own = |ops: &[Op]| ops.iter().all(|op| op.literal == channel.owner);
    let waits = f.tree.exprs.iter().any(|(id, expr)| {
        uses.literal_of(id) == channel.owner
            && match &expr.kind {
                ExprKind::Unary {
                    op: UnaryOp::Receive,
                    ..
                } => true,
                ExprKind::Call { func, .. } => crate::engine::find::last_name(f.tree, *func)
                    .is_some_and(|n| n.as_str() == "Wait"),
                _ => false,
            }
    });
    partners.threads.is_empty()
        && !partners.other_sender
        && !partners.measured
        && !partners.own_sends.is_empty()
        && own(&partners.own_sends)
        && !waits
}

/// The returns before which the channel can be closed: nobody else sends, and it is surely not closed there yet.
fn unclosed_exits(
    f: &Function<'_>,
    channel: &Channel,
    partners: &Partners,
    endings: &[Ending<bool>],
) -> Option<Vec<LeakPoint>> {
    let own = |ops: &[Op]| ops.iter().all(|op| op.literal == channel.owner);
    if !partners.threads.is_empty()
        || partners.other_sender
        || partners.measured
        || !partners.helpers.is_empty()
        || !own(&partners.own_sends)
        || !own(&partners.own_closes)
    {
        return None;
    }
    let closed: Vec<BlockId> = (partners.own_closes.iter())
        .map(|op| block_of(f, op.expr.into()))
        .collect::<Option<_>>()?;
    let mut leaks = Vec::new();
    for ending in endings {
        let stmt = ending.exit?;
        let exit =
            f.cfg.returns().into_iter().find(
                |b| matches!(f.cfg[*b].terminator, Terminator::Return(Some(s)) if s == stmt),
            )?;
        if (closed.iter()).any(|b| f.cfg.reachable_from(*b).contains(exit)) {
            return None;
        }
        leaks.push(LeakPoint {
            stmt: Some(stmt),
            kind: LeakKind::Return,
            operands_touch: false,
        });
    }
    Some(leaks)
}

/// The one goroutine that does every send.
fn sole_sender(
    f: &Function<'_>,
    channel: &Channel,
    partners: &Partners,
) -> Option<(ExprId, ExprId)> {
    let [only] = &partners.threads[..] else {
        return None;
    };
    let send = only.sends.first()?;
    let literal = only.literal?;
    let once = partners.own_sends.is_empty()
        && !partners.other_sender
        && !partners.measured
        && only.sends.iter().all(|s| s.literal == Some(literal))
        && !is_looped(f, channel, only);
    once.then_some((literal, send.mention))
}

/// The statement beside the making of the channel behind which the owner sends no more, if the owner does every send and no return stands
/// between.
fn last_send(f: &Function<'_>, channel: &Channel, partners: &Partners) -> Option<StmtId> {
    if !partners.threads.is_empty() || partners.other_sender || partners.measured {
        return None;
    }
    let (list, index) = f.d.outline.list_of(channel.stmt)?;
    let last = partners
        .own_sends
        .iter()
        .map(|op| f.tree[op.stmt].range.end())
        .max()?;
    let all = partners
        .own_sends
        .iter()
        .all(|op| op.literal == channel.owner);
    let stmt = *list.stmts[index..]
        .iter()
        .find(|s| f.tree[**s].range.end() >= last)?;
    let returns = f.tree.stmts.iter().any(|(id, s)| {
        matches!(
            s.kind,
            StmtKind::Return(_) | StmtKind::Branch { label: Some(_), .. }
        ) && s.range.start() >= f.tree[channel.stmt].range.end()
            && s.range.end() <= f.tree[stmt].range.end()
            && crate::engine::find::enclosing_literal(f.tree, f.tree[id].range) == channel.owner
    });
    (all && !returns).then_some(stmt)
}
