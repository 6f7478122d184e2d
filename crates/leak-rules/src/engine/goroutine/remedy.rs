//! What the fixes for channels need to know: how large a buffer has to be, what is a goroutine's last act, where a channel can be closed.

use go_model::cfg::{BlockId, Cfg, Terminator};
use go_model::facts::{LocalId, Res};
use go_model::members::View;
use go_model::types::{Ty, TyKind};
use go_syntax::ast::{AssignOp, BinaryOp, ExprId, ExprKind, StmtId, StmtKind, UnaryOp};
use go_syntax::{Literals, NodeId};

use super::channel::{Partners, Thread, block_of, is_looped, loop_of_start};
use super::paths::Ending;
use super::uses::{Channel, Op, Uses, is_builtin, method_of};
use crate::engine::function::Function;
use crate::engine::site::{BufferSize, LeakKind, LeakPoint};

/// The sends of a goroutine that another one follows, where a `return` behind them would make them the last; and whether it would skip
/// nothing but that other one.
pub(super) fn early_sends(f: &Function<'_>, thread: &Thread) -> Option<(Vec<StmtId>, bool)> {
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

/// A buffer that takes all sends.
pub(super) fn buffer_size(
    f: &Function<'_>,
    channel: &Channel,
    partners: &Partners,
) -> Option<BufferSize> {
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
pub(super) fn is_buffer_safe(f: &Function<'_>, channel: &Channel, partners: &Partners) -> bool {
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
pub(super) fn context_in_scope(f: &Function<'_>, literal: ExprId) -> Option<LocalId> {
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

/// The statement that receives and drops what it gets.
pub(super) fn dropped_receive(f: &Function<'_>, op: &Op) -> Option<StmtId> {
    match f.tree[op.stmt].kind {
        StmtKind::Expr(e) if f.tree.unparen(e) == op.expr => Some(op.stmt),
        _ => None,
    }
}

/// Whether a goroutine ends when a receive of it, whose value is dropped, comes back.
pub(super) fn wakes_to_nothing(f: &Function<'_>, literal: ExprId, op: &Op) -> bool {
    dropped_receive(f, op).is_some()
        && is_last_act(f, literal, op)
        && !f
            .tree
            .walk(literal, Literals::Enter)
            .any(|id| matches!(id, NodeId::Stmt(s) if matches!(f.tree[s].kind, StmtKind::Defer(_))))
}

/// Whether the owner does every send in its own body and waits for nobody: it may close the channel whenever it returns.
pub(super) fn owner_sends(
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
pub(super) fn unclosed_exits(
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
pub(super) fn sole_sender(
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
pub(super) fn last_send(
    f: &Function<'_>,
    channel: &Channel,
    partners: &Partners,
) -> Option<StmtId> {
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
