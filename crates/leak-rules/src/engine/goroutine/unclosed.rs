//! Goroutines that wait for a channel to be closed, or for a value, when the function that made it has returned.

use go_model::cfg::{BlockId, Node, Terminator};
use go_syntax::NodeId;
use go_syntax::ast::{ExprId, StmtId, StmtKind};

use super::channel::Partners;
use super::paths::{self, Ending, Flow, Item, Question, Way};
use super::remedy::{
    context_in_scope, dropped_receive, last_send, owner_sends, sole_sender, unclosed_exits,
    wakes_to_nothing,
};
use super::start_range;
use super::uses::{Channel, Op, OpKind, Run, Uses};
use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::function::{Declaration, Function};
use crate::engine::pattern::{finding, step};
use crate::engine::site::{FixSite, Pattern};

/// Goroutines that range over a channel that nobody closes, or receive from one on which nobody sends, when the function has returned.
pub(super) fn unclosed(
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
        found.related.push(step(
            "the goroutine is started here",
            start_range(f.tree, site.stmt, Some(literal)),
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
            wait: None,
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
