//! Channels: who still sends, receives and closes when the function that made one returns?

use std::path::PathBuf;
use std::sync::Arc;

use go_model::cfg::{BlockId, Node, Terminator};
use go_model::db::decl_start;
use go_model::facts::{LocalId, Res};
use go_syntax::ast::{ExprId, ExprKind, StmtId, StmtKind, UnaryOp};
use go_syntax::{NodeId, TextRange};

use super::abandoned::abandoned;
use super::effect::{Sends, count, effect_of_call};
use super::if_it_may_run_often;
use super::unclosed::unclosed;
use super::uses::{Channel, Op, OpKind, Run, Runner, Uses};
use crate::check::{CheckContext, RawFinding};
use crate::engine::function::{Declaration, Function};
use crate::engine::is_main;

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
pub(super) struct Thread {
    /// The literal that it runs; `None` for a named function.
    pub(super) literal: Option<ExprId>,
    /// The call that starts it.
    pub(super) call: ExprId,
    /// The node of the graph at which it starts.
    pub(super) start: StmtId,
    /// The sends that block, in source order.
    pub(super) sends: Vec<Op>,
    /// The most sends on one path; `None` if not known.
    pub(super) most: Option<Sends>,
    /// Where a named function sends.
    pub(super) far: Option<(Arc<PathBuf>, TextRange)>,
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
pub(super) struct Partners {
    pub(super) threads: Vec<Thread>,
    /// Receives in the owner's own body.
    pub(super) own_receives: Vec<Op>,
    pub(super) own_sends: Vec<Op>,
    pub(super) own_closes: Vec<Op>,
    /// Calls of the owner that receive or close.
    pub(super) helpers: Vec<ExprId>,
    /// Receives in a goroutine of the owner's own, with it.
    pub(super) far_receives: Vec<(Op, ExprId)>,
    /// Somebody else may receive.
    pub(super) other_receiver: bool,
    /// Somebody else may send.
    pub(super) other_sender: bool,
    /// Somebody else may close it.
    pub(super) other_closer: bool,
    /// The owner closes it in a literal that it calls or defers.
    pub(super) owner_closes: bool,
    /// Its length is asked for, or it is sent on or received from without blocking.
    pub(super) measured: bool,
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
            owner_closes: false,
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
                    other => {
                        this.other_closer = true;
                        this.owner_closes |= other == Runner::Own(true);
                    }
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

pub(super) fn start_node(f: &Function<'_>, thread: &Thread) -> NodeId {
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

/// The loop that starts a goroutine again and again while the channel stays the same.
pub(super) fn loop_of_start(
    f: &Function<'_>,
    channel: &Channel,
    thread: &Thread,
) -> Option<StmtId> {
    let (block, _) = f.cfg.position_of(thread.start)?;
    let around = f.cfg.repeating_loop(block)?;
    (!f.tree[around.stmt]
        .range
        .contains_range(f.tree[channel.stmt].range))
    .then_some(around.stmt)
}

pub(super) fn is_looped(f: &Function<'_>, channel: &Channel, thread: &Thread) -> bool {
    loop_of_start(f, channel, thread).is_some()
}
