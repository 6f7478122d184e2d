//! Sends for which nobody is there any more when the function that made the channel has returned.

use go_model::cfg::{BlockId, Cond, Node};
use go_syntax::NodeId;
use go_syntax::ast::{BinaryOp, ExprKind, StmtId};
use rustc_hash::FxHashMap;

use super::callers::end_the_process;
use super::channel::{Partners, Thread, block_of, is_looped, start_node};
use super::joined::joins;
use super::paths::{self, Ending, Flow, Item, Question, Way};
use super::remedy::{buffer_size, context_in_scope, early_sends, is_buffer_safe};
use super::start_range;
use super::uses::{Channel, Op, OpKind, Uses};
use crate::Severity;
use crate::check::{CheckContext, RawFinding, RawRelated};
use crate::engine::function::Function;
use crate::engine::pattern::{finding, step};
use crate::engine::site::{FixSite, Pattern, Trigger};

/// What a node of the owner's graph means for the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
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
pub(super) fn abandoned(
    cx: &CheckContext<'_>,
    f: &Function<'_>,
    uses: &Uses<'_, '_>,
    channel: &Channel,
    partners: &Partners,
    start: (BlockId, usize),
) -> Vec<RawFinding> {
    let threads = &partners.threads;
    // A send on a channel that is closed panics: it does not wait.
    if partners.other_receiver
        || partners.owner_closes
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
    // The last one comes when the work is done: others are mostly for what fails at once.
    let send = thread.sends.iter().rfind(own);
    let send = send.or(thread.sends.first()).map(|s| s.stmt);
    let start = start_range(f.tree, thread.start, thread.literal);
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

fn unbuffered(channel: &Channel) -> &'static str {
    match channel.capacity {
        Some(0) => ", without a buffer",
        _ => "",
    }
}
