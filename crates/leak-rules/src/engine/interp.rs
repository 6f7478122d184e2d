//! Following one obligation through one function.
//!
//! The search starts where the thing is acquired and goes along the control-flow graph, each path with its own small [`State`]:
//! which variables hold the thing, which hold the error that says whether there is one, and what is known about conditions that
//! are asked more than once. A path ends where the thing is released, handed on, or was not acquired at all; it leaks where it
//! reaches an exit, or where nothing holds the thing any more. Paths are searched breadth first, so that the first leak found has
//! the shortest way.
//!
//! Architecture invariant: whatever is not understood ends the path in silence.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use go_model::cfg::{BlockId, BlockSet, Cfg, Cond, Node, Terminator};
use go_model::facts::{Callee, LocalId, LocalKind, Res};
use go_model::summary::{
    ELEMENT, Fact, Fate, FlowKind, How, Invoke, Keep, Origin, ParamEffect, Slot, Summary, When,
};
use go_model::types::{Basic, Ty, TyKind};
use go_syntax::ast::{AssignOp, BinaryOp, ExprId, ExprKind, StmtId, StmtKind, UnaryOp};
use go_syntax::{Name, TextRange};
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use super::collection::{is_collection, range_of_key};
use super::find::{is_own_address, never_fails};
use super::function::{Depth, Function, Target};
use super::kinds::{Acquirer, Extra, Kind, Owner, Spread};
use super::outline::{cond_key, equals_key};
use super::site::{LeakKind, LeakPoint};
use super::zero;

/// More states than this are not searched for one obligation.
const MAX_STATES: usize = 3000;
/// Deeper expressions are not understood.
const MAX_DEPTH: u32 = 200;
/// Literals in literals in … deeper than this are not looked into.
const MAX_LITERALS: u32 = 4;

static BOUND_HITS: AtomicU64 = AtomicU64::new(0);

/// How often a search was given up since the process began because it had too many states.
pub fn bound_hits() -> u64 {
    BOUND_HITS.load(Ordering::Relaxed)
}

/// What is followed.
#[derive(Debug, Clone)]
pub(crate) struct Obligation {
    pub(crate) kind: &'static Kind,
    pub(crate) acquirer: Acquirer,
    /// The acquiring call.
    pub(crate) call: ExprId,
    /// Where it stands in the graph.
    pub(crate) block: BlockId,
    /// Index in the block's nodes; past the end for the operands of a return.
    pub(crate) node: usize,
    /// What counts as a release besides: the end of a transaction, the cancellation of a parent.
    pub(crate) parent: Option<Place>,
    /// The methods by which the parent ends.
    pub(crate) parent_ends: &'static [&'static str],
    /// Deferred literals that may be registered before the acquisition.
    pub(crate) early: Vec<StmtId>,
}

/// A variable, or a field reached from one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) local: LocalId,
    pub(crate) path: Vec<Name>,
}

/// What a place has to do with the obligation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Role {
    /// It holds the thing.
    Thing,
    /// It uses the thing without owning it.
    View,
    /// It holds the error of the acquisition, which is nil exactly if there is a thing.
    Err,
    /// It is the context that the cancel function belongs to.
    Ctx,
    /// What ends the thing with itself.
    Parent,
    /// It gives the next value: of an iterator, or as the channel of a subscription.
    Next,
    /// It is the other end of a pipe.
    Peer,
    /// It stands where something of the thing was, and is nothing of it.
    Other,
    /// It holds the error of a call that keeps the thing if it succeeds.
    Keeper,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Mark {
    place: Place,
    role: Role,
}

impl Place {
    /// Whether it is (in) an element of a collection.
    pub(crate) fn is_element(&self) -> bool {
        self.path.iter().any(|p| *p == ELEMENT)
    }
}

/// What follows for the obligation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Imp {
    /// Nothing.
    Keep,
    /// Who might have kept it has not.
    NotKept,
    /// There is a thing.
    Acquired,
    /// There is none (or none any more), or nobody knows.
    Drop,
}

type Implication = (Imp, Imp);
const NOTHING: Implication = (Imp::Keep, Imp::Keep);

/// What is known on a path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct State {
    marks: Vec<Mark>,
    /// Booleans that say something about the obligation.
    bools: Vec<(LocalId, Implication)>,
    /// Conditions with a known value.
    facts: Vec<(u64, bool)>,
    /// Variables known to be nil or not.
    nils: Vec<(LocalId, bool)>,
    /// Fields known to be nil or not, because they were given a value on this path.
    fields: Vec<(Place, bool)>,
    /// Deferred releases that happen only if this error is not nil.
    pending: Vec<LocalId>,
    /// A goroutine has the other end.
    peer_waits: bool,
}

impl State {
    fn things(&self) -> impl Iterator<Item = &Place> {
        self.marks
            .iter()
            .filter(|m| m.role == Role::Thing)
            .map(|m| &m.place)
    }

    fn has_thing(&self) -> bool {
        self.things().next().is_some()
    }

    fn mark(&mut self, place: Place, role: Role) {
        let mark = Mark { place, role };
        if !self.marks.contains(&mark) {
            self.marks.push(mark);
        }
    }

    fn unmark(&mut self, local: LocalId, path: &[Name]) {
        self.marks
            .retain(|m| m.place.local != local || !m.place.path.starts_with(path));
    }

    fn set_fact(&mut self, key: u64, value: bool) {
        match self.facts.binary_search_by_key(&key, |f| f.0) {
            Ok(i) => self.facts[i].1 = value,
            Err(i) => self.facts.insert(i, (key, value)),
        }
    }

    fn fact(&self, key: u64) -> Option<bool> {
        let i = self.facts.binary_search_by_key(&key, |f| f.0).ok()?;
        Some(self.facts[i].1)
    }

    /// The loop begins anew.
    fn forget_loop(&mut self, stmt: StmtId) {
        let keys = [loop_key(stmt, "met"), loop_key(stmt, "now")];
        self.facts.retain(|f| !keys.contains(&f.0));
    }

    fn set_nil(&mut self, local: LocalId, nil: bool) {
        self.nils.retain(|n| n.0 != local);
        self.nils.push((local, nil));
        self.nils
            .sort_unstable_by_key(|n| n.0.into_raw().into_u32());
    }

    fn nil(&self, local: LocalId) -> Option<bool> {
        self.nils.iter().find(|n| n.0 == local).map(|n| n.1)
    }

    /// Whether a variable or a field is nil, as far as is known.
    fn nil_at(&self, place: &Place) -> Option<bool> {
        if place.path.is_empty() {
            return self.nil(place.local);
        }
        self.fields.iter().find(|f| f.0 == *place).map(|f| f.1)
    }

    /// A field gets a value, of which this is known.
    fn set_field(&mut self, place: &Place, nil: Option<bool>) {
        (self.fields).retain(|f| f.0.local != place.local || !f.0.path.starts_with(&place.path));
        if let Some(nil) = nil {
            self.fields.push((place.clone(), nil));
        }
    }
}

/// What an expression's value has to do with the obligation.
#[derive(Debug, Clone, Default)]
struct Rel {
    /// Where in the value, and what.
    at: Vec<(Vec<Name>, Role)>,
    /// It is this function literal, which captures something.
    closure: Option<ExprId>,
    /// It is a method value that releases the thing.
    releaser: bool,
}

impl Rel {
    fn of(path: Vec<Name>, role: Role) -> Self {
        Self {
            at: vec![(path, role)],
            ..Self::default()
        }
    }

    fn is_none(&self) -> bool {
        self.at.is_empty() && self.closure.is_none() && !self.releaser
    }

    fn has(&self, role: Role) -> bool {
        self.at.iter().any(|(_, r)| *r == role)
    }

    /// It is exactly that, not something that contains it.
    fn is(&self, role: Role) -> bool {
        self.at
            .iter()
            .any(|(path, r)| *r == role && path.is_empty())
    }

    /// What is known of the elements of a collection that it is.
    fn element(self) -> Self {
        let at = self.at.into_iter().filter_map(|(mut path, role)| {
            if path.first().is_none_or(|p| *p != ELEMENT) {
                return None;
            }
            path.remove(0);
            Some((path, role))
        });
        Self {
            at: at.collect(),
            ..Self::default()
        }
    }

    fn prefixed(mut self, name: Name) -> Self {
        for (path, _) in &mut self.at {
            path.insert(0, name);
        }
        self
    }

    fn merge(&mut self, other: Rel) {
        for entry in other.at {
            if !self.at.contains(&entry) {
                self.at.push(entry);
            }
        }
        self.closure = self.closure.or(other.closure);
        self.releaser |= other.releaser;
    }
}

/// What happened while something was evaluated.
#[derive(Debug, Clone, Default)]
struct Events {
    released: bool,
    moved: bool,
    /// There is no thing on this path.
    absent: bool,
    /// There is one.
    acquired: bool,
    /// A release was deferred that happens only if an error is not nil.
    guarded: bool,
    /// The thing was used in a call.
    touched: bool,
    /// Nothing holds the thing any more.
    lost: bool,
    /// It is put into a field of something that was there before.
    stored: bool,
    /// Where it was released.
    release_at: Vec<TextRange>,
    /// What else a reader should know.
    notes: Vec<(TextRange, Note)>,
}

impl Events {
    fn collects(&self) -> bool {
        let collected = |n: &(TextRange, Note)| matches!(n.1, Note::Collected(_));
        self.notes.iter().any(collected)
    }

    fn settled(&self) -> bool {
        self.released || self.moved || self.absent
    }
}

/// What a function literal does to what it captures.
#[derive(Debug, Clone, Default)]
struct LiteralEffect {
    released: bool,
    moved: bool,
    /// The release happens only if this is not nil.
    guard: Option<LocalId>,
}

/// How control got from one block to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    Plain,
    Cond(Cond, bool),
    Arm(StmtId, usize),
}

/// Something that happens on a path, beside the branches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Note {
    /// The thing is put into this collection.
    Collected(LocalId),
    /// A release is deferred that happens only if this error is not nil.
    Guarded(LocalId),
    /// Something that uses the thing is released, which does not release the thing.
    View(ExprId),
    /// A goroutine gets the other end.
    PeerWaits,
    /// The call would release the thing only if that held for an argument.
    Skipped {
        call: ExprId,
        slot: Slot,
        fact: Fact,
    },
}

/// A step on the way to a leak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A branch was taken, from one block to another.
    Branch {
        edge: Edge,
        from: BlockId,
        to: BlockId,
    },
    /// Something happened there.
    Note(TextRange, Note),
}

/// What becomes of the thing in the bodies of `range` loops.
#[derive(Default)]
struct Bodies {
    /// Bodies in which it is handed on somewhere.
    moving: FxHashSet<StmtId>,
    /// Bodies that it can survive, or in which it is released or lost.
    surviving: FxHashSet<StmtId>,
}

impl Bodies {
    fn note(&mut self, f: &Function<'_>, block: BlockId, moved: bool) {
        for looping in f.cfg.loops_containing(block) {
            if looping.header != block {
                let bodies = if moved {
                    &mut self.moving
                } else {
                    &mut self.surviving
                };
                bodies.insert(looping.stmt);
            }
        }
    }

    /// Control goes from one block to another with the thing alive.
    fn pass(&mut self, cfg: &Cfg, from: BlockId, to: BlockId) {
        for looping in cfg.loops_containing(from) {
            let leaves = to == looping.header || !cfg.is_in_loop(to, looping.stmt);
            if looping.header != from && leaves {
                self.surviving.insert(looping.stmt);
            }
        }
    }

    /// Whether a path is one only because a loop runs not even once whose body would hand the thing on.
    fn is_empty_loop(&self, path: &[Step]) -> bool {
        path.iter().any(|step| match step {
            Step::Branch {
                edge: Edge::Cond(Cond::RangeNext(stmt), false),
                ..
            } => self.moving.contains(stmt) && !self.surviving.contains(stmt),
            _ => false,
        })
    }
}

struct Visit {
    block: BlockId,
    state: Arc<State>,
    parent: Option<usize>,
    edge: Edge,
    /// What happened in the block before.
    notes: Vec<(TextRange, Note)>,
}

/// The way to the end of a visited block.
fn way(visits: &[Visit], index: usize, notes: &[(TextRange, Note)]) -> Vec<Step> {
    let note = |n: &(TextRange, Note)| Step::Note(n.0, n.1.clone());
    let mut way: Vec<Step> = notes.iter().rev().map(note).collect();
    let mut at = Some(index);
    while let Some(i) = at {
        let visit = &visits[i];
        if visit.edge != Edge::Plain
            && let Some(parent) = visit.parent
        {
            way.push(Step::Branch {
                edge: visit.edge,
                from: visits[parent].block,
                to: visit.block,
            });
        }
        way.extend(visit.notes.iter().rev().map(note));
        at = visit.parent;
    }
    way.reverse();
    way
}

/// A leak.
#[derive(Debug, Clone)]
pub(crate) struct Leak {
    pub(crate) point: LeakPoint,
    /// Where to point.
    pub(crate) range: TextRange,
    /// What happened on the way, in order.
    pub(crate) path: Vec<Step>,
    /// What holds the thing there.
    pub(crate) held: Option<Place>,
    /// The function returns an error there.
    pub(crate) fails: bool,
}

/// A return that gives only something that reads or writes through the thing, and by which nobody can release it.
#[derive(Debug, Clone)]
pub(crate) struct Wrapped {
    /// The return.
    pub(crate) stmt: StmtId,
    /// What it returns.
    pub(crate) operand: ExprId,
}

/// What came of following an obligation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    /// In the order found: the first has the shortest path.
    pub(crate) leaks: Vec<Leak>,
    /// Nothing ever held the thing.
    pub(crate) discarded: bool,
    /// Where the thing is held right after the acquisition.
    pub(crate) held: Option<Place>,
    /// Statements that release it, not deferred.
    pub(crate) releases: Vec<StmtId>,
    /// Deferred releases.
    pub(crate) defers: Vec<StmtId>,
    /// It is released on some path.
    pub(crate) released: bool,
    /// It is handed on on some path.
    pub(crate) moved: bool,
    /// Where it is released or handed on.
    pub(crate) settled: Vec<BlockId>,
    /// It is put into a collection on some path.
    pub(crate) collected: bool,
    /// On some path it becomes part of something else that lives on: a field of what is returned, or of what was there before, or what
    /// is returned reads or writes through it.
    pub(crate) built: bool,
    /// It is returned inside of something by which it cannot be released.
    pub(crate) wrapped: Vec<Wrapped>,
    /// The search was given up.
    pub(crate) bounded: bool,
}

impl Outcome {
    fn settle(&mut self, block: BlockId, absent: bool) {
        if !absent && !self.settled.contains(&block) {
            self.settled.push(block);
        }
    }
}

pub(crate) struct Interp<'a> {
    f: &'a Function<'a>,
    ob: &'a Obligation,
    ev: Events,
    /// The acquiring call is evaluated for the first time.
    acquiring: bool,
    depth: u32,
    /// Inside the body of a literal: nothing is unmarked, and assignments to outer variables are moves.
    literals: Vec<ExprId>,
    /// Variables of which it is known whether they collect things.
    collections: FxHashMap<LocalId, bool>,
}

impl<'a> Interp<'a> {
    pub(crate) fn new(f: &'a Function<'a>, ob: &'a Obligation) -> Self {
        Self {
            f,
            ob,
            ev: Events::default(),
            acquiring: false,
            depth: 0,
            literals: Vec::new(),
            collections: FxHashMap::default(),
        }
    }

    /// Follows the obligation.
    pub(crate) fn run(mut self) -> Outcome {
        let f = self.f;
        let cfg = f.cfg;
        let mut out = Outcome::default();
        let mut state = State::default();
        self.seed(&mut state);
        if let Some(parent) = &self.ob.parent {
            state.mark(parent.clone(), Role::Parent);
        }
        let block = &cfg[self.ob.block];
        self.acquiring = true;
        match block.nodes.get(self.ob.node) {
            Some(node) => self.node(&mut state, *node, &mut out),
            // The operands of a return: whatever is not handed on there is lost there.
            None => {
                if let Terminator::Return(stmt) = block.terminator {
                    self.acquiring = true;
                    self.exit(&mut state, stmt, Vec::new(), &mut out);
                    out.discarded = !out.leaks.is_empty();
                }
                return out;
            }
        }
        self.acquiring = false;
        out.collected = self.ev.collects();
        if self.ev.settled() {
            self.note(&mut out);
            return out;
        }
        out.discarded = !state.has_thing();
        out.held = state
            .things()
            .min_by_key(|p| (p.path.len(), p.local.into_raw().into_u32()))
            .cloned();
        if let Some(held) = &out.held
            && self.captured_before(held.local)
        {
            // A literal that was handed out before may see it.
            return out;
        }
        self.search(state, &mut out);
        out
    }

    fn search(&mut self, start: State, out: &mut Outcome) {
        let mut bodies = Bodies::default();
        self.visit_all(start, out, &mut bodies);
        out.leaks.retain(|leak| !bodies.is_empty_loop(&leak.path));
    }

    fn visit_all(&mut self, start: State, out: &mut Outcome, bodies: &mut Bodies) {
        let cfg = self.f.cfg;
        let mut visits: Vec<Visit> = Vec::new();
        let mut seen: FxHashSet<(BlockId, Arc<State>)> = FxHashSet::default();
        let mut queue: VecDeque<usize> = VecDeque::new();
        visits.push(Visit {
            block: self.ob.block,
            state: Arc::new(start),
            parent: None,
            edge: Edge::Plain,
            notes: Vec::new(),
        });
        queue.push_back(0);
        while let Some(index) = queue.pop_front() {
            if visits.len() > MAX_STATES {
                BOUND_HITS.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(
                    declaration = %self.f.name(),
                    rule = self.ob.kind.rule,
                    "gave up: too many paths"
                );
                out.bounded = true;
                return;
            }
            let block = visits[index].block;
            let mut state = (*visits[index].state).clone();
            let first = if index == 0 { self.ob.node + 1 } else { 0 };
            let mut notes = Vec::new();
            let mut ended = false;
            for (i, node) in cfg[block].nodes.iter().enumerate().skip(first) {
                let again = index != 0 && block == self.ob.block && i == self.ob.node;
                self.ev = Events::default();
                let mut before = state.clone();
                self.node(&mut state, *node, out);
                if self.ev.settled() {
                    self.note(out);
                    out.settle(block, self.ev.absent);
                    if !self.ev.absent {
                        bodies.note(self.f, block, !self.ev.released);
                    }
                    ended = true;
                    break;
                }
                out.released |= self.ev.guarded;
                out.collected |= self.ev.collects();
                notes.append(&mut self.ev.notes);
                if (self.ev.lost || (again && out.discarded)) && self.is_harmless(&before) {
                    ended = true;
                    break;
                }
                if self.ev.lost || (again && out.discarded) {
                    bodies.note(self.f, block, false);
                    let stmt = match node {
                        Node::Stmt(stmt) => Some(*stmt),
                        _ => None,
                    };
                    if self.early_release(&mut before, None) {
                        out.moved = true;
                    } else {
                        let range = match node {
                            Node::Stmt(s) | Node::Defer(s) => self.f.tree[*s].range,
                            Node::Eval(e) => self.f.tree[*e].range,
                            Node::RangeBind(s) | Node::TypeBind(s, _) => self.f.head_range(*s),
                        };
                        out.leaks.push(Leak {
                            point: LeakPoint {
                                stmt,
                                kind: if again {
                                    LeakKind::NextIteration
                                } else {
                                    LeakKind::Overwrite
                                },
                                operands_touch: self.ev.touched,
                            },
                            range,
                            path: way(&visits, index, &notes),
                            held: holder(&before),
                            fails: false,
                        });
                    }
                    ended = true;
                    break;
                }
                if again {
                    // Still held by another variable from the time before: that one is followed on.
                    continue;
                }
            }
            if ended {
                continue;
            }
            let mut next: Vec<(BlockId, State, Edge)> = Vec::new();
            match &cfg[block].terminator {
                Terminator::Jump(to) => next.push((*to, state, Edge::Plain)),
                Terminator::Branch {
                    cond: cond @ Cond::RangeNext(stmt),
                    then,
                    els,
                } if self.ranged_element(&mut state, *stmt).has(Role::Thing) => {
                    // The thing is an element: the loop ends only after it has come to it. That the first one is it will do.
                    let met = state.fact(loop_key(*stmt, "met")) == Some(true);
                    let mut inside = state.clone();
                    inside.set_fact(loop_key(*stmt, "met"), true);
                    inside.set_fact(loop_key(*stmt, "now"), !met);
                    next.push((*then, inside, Edge::Cond(*cond, true)));
                    if met {
                        self.leave_range(&mut state, *stmt);
                        next.push((*els, state, Edge::Cond(*cond, false)));
                    }
                }
                Terminator::Branch { cond, then, els } => {
                    for (to, taken) in [(*then, true), (*els, false)] {
                        let mut state = state.clone();
                        let released = out.released;
                        out.released = false;
                        let goes_on = self.refine(&mut state, cond, taken, out);
                        if out.released {
                            out.settle(block, false);
                        }
                        out.released |= released;
                        if goes_on {
                            next.push((to, state, Edge::Cond(*cond, taken)));
                        }
                    }
                }
                Terminator::Select { stmt, arms } => {
                    for (i, arm) in arms.iter().enumerate() {
                        next.push((*arm, state.clone(), Edge::Arm(*stmt, i)));
                    }
                }
                Terminator::Return(stmt) => {
                    let path = way(&visits, index, &notes);
                    self.exit(&mut state, *stmt, path, out);
                    if self.ev.settled() {
                        out.settle(block, self.ev.absent);
                    }
                    if !self.ev.absent {
                        bodies.note(self.f, block, self.ev.moved && !self.ev.released);
                    }
                }
                Terminator::NoReturn { .. } | Terminator::Stuck => {}
            }
            for (to, mut state, edge) in next {
                bodies.pass(cfg, block, to);
                let before = state.clone();
                if let Some(mut leak) = self.back_edge(block, to, &mut state) {
                    if self.early_release(&mut state.clone(), None) {
                        out.moved = true;
                        continue;
                    }
                    if self.is_harmless(&before)
                        || self.ob.kind.on_success && self.fails(&before, &[])
                    {
                        continue;
                    }
                    leak.path = way(&visits, index, &notes);
                    if edge != Edge::Plain {
                        leak.path.push(Step::Branch {
                            edge,
                            from: block,
                            to,
                        });
                    }
                    leak.held = holder(&before);
                    out.leaks.push(leak);
                    continue;
                }
                let state = Arc::new(state);
                if seen.insert((to, state.clone())) {
                    visits.push(Visit {
                        block: to,
                        state,
                        parent: Some(index),
                        edge,
                        notes: notes.clone(),
                    });
                    queue.push_back(visits.len() - 1);
                }
            }
        }
    }

    /// Notes how a path ended.
    fn note(&self, out: &mut Outcome) {
        out.released |= self.ev.released;
        out.moved |= self.ev.moved;
        out.built |= self.ev.stored;
    }

    /// Leaves a loop's body for its next iteration: what is declared in the body is gone.
    fn back_edge(&self, from: BlockId, to: BlockId, state: &mut State) -> Option<Leak> {
        let cfg = self.f.cfg;
        // The post statement sees nothing of the body.
        let looping = (cfg.loops.iter()).find(|l| l.header == to || l.post == Some(to))?;
        if !cfg.is_in_loop(from, looping.stmt) {
            state.forget_loop(looping.stmt);
            return None;
        }
        let body = self.f.loop_body(looping.stmt)?;
        let had = state.has_thing();
        let facts = self.f.facts;
        let inside = |local: LocalId| body.contains_range(facts.locals[local].ident.range);
        state.marks.retain(|m| !inside(m.place.local));
        state.bools.retain(|b| !inside(b.0));
        state.nils.retain(|n| !inside(n.0));
        state.fields.retain(|f| !inside(f.0.local));
        if !had || state.has_thing() {
            return None;
        }
        let stmt = self.f.continue_at(from);
        let range = match stmt {
            Some(stmt) => self.f.tree[stmt].range,
            None => TextRange::at(
                body.end() - go_syntax::TextSize::from(1),
                go_syntax::TextSize::from(1),
            ),
        };
        Some(Leak {
            point: LeakPoint {
                stmt,
                kind: LeakKind::NextIteration,
                operands_touch: false,
            },
            range,
            path: Vec::new(),
            held: None,
            fails: false,
        })
    }

    /// A return, or the end of the body.
    fn exit(
        &mut self,
        state: &mut State,
        stmt: Option<StmtId>,
        mut path: Vec<Step>,
        out: &mut Outcome,
    ) {
        self.ev = Events::default();
        let f = self.f;
        let operands: &[ExprId] = match stmt.map(|s| &f.tree[s].kind) {
            Some(StmtKind::Return(values)) => values,
            _ => &[],
        };
        let mut given: Vec<(ExprId, Rel)> = Vec::new();
        for &operand in operands {
            let results = self.eval_all(state, operand);
            given.extend(results.into_iter().map(|rel| (operand, rel)));
        }
        let wrapper = self.wrapper(state, &given);
        for (_, rel) in &given {
            if rel.has(Role::Thing) || rel.has(Role::View) {
                self.ev.touched = true;
            }
            out.built |= (rel.at.iter())
                .any(|(at, role)| *role == Role::Thing && at.len() > self.ob.kind.path.len());
            if wrapper.is_none() {
                self.escape(state, rel);
            }
        }
        if let (Some(operand), Some(stmt)) = (wrapper, stmt) {
            // Whoever gets it uses the thing: it may not be released here.
            out.moved = true;
            out.built = true;
            let pending = state.pending.clone();
            let released = self.ev.settled()
                || (pending.into_iter()).any(|error| !self.is_nil_at_exit(state, error, operands))
                || self.early_release(state, Some(operands));
            if !released {
                out.wrapped.push(Wrapped { stmt, operand });
            }
            return;
        }
        if operands.is_empty() && stmt.is_some() {
            for mark in &state.marks {
                let counts = matches!(mark.role, Role::Thing | Role::View)
                    || mark.role == Role::Ctx && self.is_carried();
                if counts && f.facts.locals[mark.place.local].kind == LocalKind::Result {
                    self.ev.moved = true;
                }
            }
            for result in f.results().iter().flatten() {
                if let Some(literal) = f.closure_of(*result) {
                    self.ev.moved |= self.captures(state, literal);
                }
            }
        }
        self.ev.moved |= state.marks.iter().any(|m| m.role == Role::Keeper);
        if self.ev.settled() {
            if self.ev.released
                && let Some(stmt) = stmt
            {
                out.releases.push(stmt);
            }
            self.note(out);
            return;
        }
        let touched = self.ev.touched;
        path.extend(
            std::mem::take(&mut self.ev.notes)
                .into_iter()
                .map(|(r, n)| Step::Note(r, n)),
        );
        for pending in state.pending.clone() {
            if !self.is_nil_at_exit(state, pending, operands) {
                out.released = true;
                return;
            }
        }
        if self.early_release(state, Some(operands)) {
            out.released = true;
            return;
        }
        if self.ob.kind.on_success && self.fails(state, operands) || self.is_harmless(state) {
            return;
        }
        let range = match stmt {
            Some(stmt) => f.tree[stmt].range,
            None => f.end_range(),
        };
        out.leaks.push(Leak {
            point: LeakPoint {
                stmt,
                kind: if stmt.is_some() {
                    LeakKind::Return
                } else {
                    LeakKind::End
                },
                operands_touch: touched,
            },
            range,
            path,
            held: holder(state),
            fails: self.reports_error(state, operands),
        });
    }

    /// Whether nobody is waiting for what is lost here.
    fn is_harmless(&self, state: &State) -> bool {
        matches!(self.ob.acquirer.extra, Extra::Peer(_)) && !state.peer_waits
    }

    /// Whether the function may well have failed where it returns these operands: it gives an error that is not nil, or it went on
    /// with one.
    fn fails(&self, state: &State, operands: &[ExprId]) -> bool {
        let f = self.f;
        let failed =
            |local: LocalId| state.nil(local) == Some(false) && f.facts.locals[local].ty.is_error();
        if state.nils.iter().any(|(local, _)| failed(*local)) {
            return true;
        }
        let Some(&error) = operands.last().filter(|_| f.returns_error()) else {
            return false;
        };
        let error = f.tree.unparen(error);
        match &f.tree[error].kind {
            ExprKind::Ident(_) => match f.facts.refs.get(error) {
                // Its type need not be known to be an error's: it is returned as one.
                Some(Res::Local(local)) => state.nil(*local) == Some(false),
                Some(Res::Nil) => false,
                _ => true,
            },
            // Of a function that is not known to report on something nobody can say when it gives nil.
            ExprKind::Call { .. } => !f.target(error).is_some_and(|target| {
                go_model::std_table::contains(target.package)
                    && !matches!(target.package.as_str(), "errors" | "fmt" | "context")
            }),
            _ => true,
        }
    }

    /// Whether the function surely returns an error with these operands.
    fn reports_error(&self, state: &State, operands: &[ExprId]) -> bool {
        let f = self.f;
        if !f.returns_error() {
            return false;
        }
        let is_error = |local: LocalId| state.nil(local) == Some(false);
        let Some(&error) = operands.last() else {
            return (f.results().last().copied().flatten()).is_some_and(is_error);
        };
        match f.facts.refs.get(f.tree.unparen(error)) {
            Some(Res::Nil) => false,
            Some(Res::Local(local)) => is_error(*local),
            // What is made for the return, or a variable of a package.
            _ => true,
        }
    }

    /// The operand of a return by which alone the thing is handed on, if nobody can release it by that: `bufio.NewReader(f)`.
    fn wrapper(&mut self, state: &mut State, given: &[(ExprId, Rel)]) -> Option<ExprId> {
        let kind = self.ob.kind;
        let plain = kind.makes_owners
            && kind.owner.is_none()
            && kind.release.contains(&"Close")
            && kind.spread == Spread::No
            && kind.channel.is_none()
            && !kind.fluent;
        if !plain || !self.literals.is_empty() {
            return None;
        }
        let mut views = given.iter().filter(|(_, rel)| !rel.is_none());
        let (operand, _) = views.find(|(_, rel)| rel.is(Role::View))?;
        let only = given.iter().all(|(_, rel)| {
            rel.closure.is_none()
                && !rel.releaser
                && (rel.at.iter()).all(|(path, role)| {
                    *role == Role::Err || *role == Role::View && path.is_empty()
                })
        });
        let one = given.iter().filter(|(_, rel)| rel.is(Role::View)).count() == 1;
        (only && one && self.only_wraps(state, *operand, 0)).then_some(*operand)
    }

    /// Whether an expression is made by functions that are known to do nothing but read or write through what they are given, from
    /// the thing itself.
    fn only_wraps(&mut self, state: &mut State, expr: ExprId, depth: u32) -> bool {
        let f = self.f;
        let expr = f.tree.unparen(expr);
        if depth > 0 && self.quiet(state, expr).is(Role::Thing) {
            return true;
        }
        if depth > MAX_LITERALS {
            return false;
        }
        if let Some(Res::Local(local)) = f.facts.refs.get(expr) {
            return (f.d.only_value(*local))
                .is_some_and(|(value, at)| at == 0 && self.only_wraps(state, value, depth + 1));
        }
        let ExprKind::Call { args, .. } = &f.tree[expr].kind else {
            return false;
        };
        let (Some(target), Some(effects)) = (
            f.target(expr),
            f.facts.callees.get(expr).and_then(go_model::effects::of),
        ) else {
            return false;
        };
        if target.ty.is_some() || !only_uses(target.package.as_str()) {
            return false;
        }
        let mut wraps = false;
        for (i, arg) in args.iter().enumerate() {
            let rel = self.quiet(state, *arg);
            if !rel.has(Role::Thing) && !rel.has(Role::View) {
                continue;
            }
            let view = (effects.param(i).flows.iter())
                .any(|flow| flow.result == 0 && flow.kind == FlowKind::View);
            if !view || !self.only_wraps(state, *arg, depth + 1) {
                return false;
            }
            wraps = true;
        }
        wraps
    }

    /// Whether the error is surely nil when the function returns these operands.
    fn is_nil_at_exit(&self, state: &State, error: LocalId, operands: &[ExprId]) -> bool {
        let f = self.f;
        if let Some(index) = f.results().iter().position(|r| *r == Some(error))
            && !operands.is_empty()
        {
            let Some(&operand) = operands.get(index) else {
                return false;
            };
            let operand = f.tree.unparen(operand);
            return match f.facts.refs.get(operand) {
                Some(Res::Nil) => true,
                Some(Res::Local(local)) => state.nil(*local) == Some(true),
                _ => false,
            };
        }
        state.nil(error) == Some(true)
    }

    /// Whether a deferred literal that was registered before the acquisition releases what is held now.
    fn early_release(&mut self, state: &mut State, operands: Option<&[ExprId]>) -> bool {
        let ob = self.ob;
        let f = self.f;
        for &stmt in &ob.early {
            let StmtKind::Defer(call) = f.tree[stmt].kind else {
                continue;
            };
            let Some(literal) = f.called_literal(call) else {
                continue;
            };
            let saved = std::mem::take(&mut self.ev);
            let effect = self.literal(state, literal, &[]);
            self.ev = saved;
            if effect.moved {
                return true;
            }
            if effect.released {
                match (effect.guard, operands) {
                    (Some(guard), Some(operands)) => {
                        if !self.is_nil_at_exit(state, guard, operands) {
                            return true;
                        }
                    }
                    _ => return true,
                }
            }
        }
        false
    }

    /// What the conditions that led to the acquisition say, and which variables still have their zero value there.
    fn seed(&self, state: &mut State) {
        let f = self.f;
        let dominators = f.dominators();
        let mut at = self.ob.block;
        let call = f.tree[self.ob.call].range;
        let mut lasting = Vec::new();
        while let Some(up) = dominators.immediate(at) {
            if let Terminator::Branch { cond, then, els } = &f.cfg[up].terminator {
                let through_then = dominators.dominates(*then, self.ob.block) && then != els;
                let through_els = dominators.dominates(*els, self.ob.block) && then != els;
                if through_then != through_els
                    && let Some(key) = self.key(cond)
                {
                    let value = through_then != key.negated;
                    if key.locals.iter().all(|l| f.is_set_once(*l)) {
                        lasting.push((key.hash, value));
                    }
                    let changed =
                        |l: &LocalId| f.assigned_within(*l, cond_end(f, cond), call.start());
                    if f.is_repeated(key.hash) && !key.locals.iter().any(changed) {
                        state.set_fact(key.hash, value);
                    }
                }
            }
            at = up;
        }
        let mut reached = None;
        for local in f.d.asked() {
            if !zero::may_be_zero(f, local) {
                continue;
            }
            let reached = reached.get_or_insert_with(|| self.reached(&lasting));
            if zero::is_zero_at(f, local, (self.ob.block, self.ob.node), reached) {
                set_zero(f, state, local);
            }
        }
    }

    /// The blocks that can run before the acquisition, if these conditions have these values all the time.
    fn reached(&self, lasting: &[(u64, bool)]) -> BlockSet {
        let cfg = self.f.cfg;
        let mut seen = BlockSet::new(cfg.blocks.len());
        let mut stack = vec![cfg.entry];
        while let Some(block) = stack.pop() {
            if !seen.insert(block) {
                continue;
            }
            match &cfg[block].terminator {
                Terminator::Branch { cond, then, els } => {
                    let key = self.key(cond);
                    let known = key.and_then(|key| {
                        let fact = lasting.iter().find(|f| f.0 == key.hash)?;
                        Some(fact.1 != key.negated)
                    });
                    if known != Some(false) {
                        stack.push(*then);
                    }
                    if known != Some(true) {
                        stack.push(*els);
                    }
                }
                other => other.for_each_successor(|b| stack.push(b)),
            }
        }
        seen
    }

    fn key(&self, cond: &Cond) -> Option<super::outline::CondKey> {
        match cond {
            Cond::Expr(e) => cond_key(self.f.tree, self.f.facts, *e),
            Cond::CaseEquals { tag, value } => equals_key(self.f.tree, self.f.facts, *tag, *value),
            _ => None,
        }
    }

    // ---- conditions ----

    /// Takes an edge of a branch; `false` if it cannot be taken or if nothing is owed behind it.
    fn refine(&mut self, state: &mut State, cond: &Cond, taken: bool, out: &mut Outcome) -> bool {
        let f = self.f;
        if let Some(key) = self.key(cond) {
            let value = taken != key.negated;
            if let Some(known) = state.fact(key.hash)
                && known != value
            {
                return false;
            }
            if f.is_repeated(key.hash) {
                state.set_fact(key.hash, value);
            }
        }
        let (if_true, if_false) = match cond {
            Cond::Expr(e) => {
                if let Some((place, nil_if_true)) = self.nil_test(*e) {
                    let nil = taken == nil_if_true;
                    if state.nil_at(&place).is_some_and(|known| known != nil) {
                        return false;
                    }
                    if place.path.is_empty() {
                        state.set_nil(place.local, nil);
                    }
                }
                if let Some(known) = f.constant(*e) {
                    return known == taken;
                }
                self.implication(state, *e)
            }
            Cond::CaseEquals { tag, value } => {
                if f.is_nil(*value)
                    && let Some(Res::Local(local)) = f.facts.refs.get(f.tree.unparen(*tag))
                    && !self.learn_nil(state, *local, taken)
                {
                    return false;
                }
                self.equality(state, *tag, *value)
            }
            Cond::TypeCase { stmt, case } => self.type_case(state, *stmt, *case),
            Cond::RangeNext(stmt) => {
                if !taken && f.never_ends(*stmt) {
                    return false;
                }
                self.range_implication(state, *stmt)
            }
        };
        match if taken { if_true } else { if_false } {
            Imp::Keep => true,
            Imp::NotKept => {
                state.marks.retain(|m| m.role != Role::Keeper);
                true
            }
            Imp::Acquired => {
                self.resolve(state);
                true
            }
            Imp::Drop => {
                let closed = !self.ob.kind.source.is_empty();
                if self.drained(cond) || closed || self.ob.acquirer.extra == Extra::Pull {
                    out.released = true;
                }
                out.moved |= state.marks.iter().any(|m| m.role == Role::Keeper);
                false
            }
        }
    }

    /// The channel of a subscription is closed with it: behind a loop over it nothing is left.
    fn range_implication(&mut self, state: &mut State, stmt: StmtId) -> Implication {
        let StmtKind::Range { over, .. } = &self.f.tree[stmt].kind else {
            return NOTHING;
        };
        if self.ob.kind.source.is_empty() || !self.quiet(state, *over).is(Role::Next) {
            return NOTHING;
        }
        (Imp::Keep, Imp::Drop)
    }

    fn drained(&self, cond: &Cond) -> bool {
        let Cond::Expr(e) = cond else { return false };
        let ExprKind::Call { func, .. } = &self.f.tree[self.f.tree.unparen(*e)].kind else {
            return false;
        };
        matches!(&self.f.tree[self.f.tree.unparen(*func)].kind,
            ExprKind::Selector { name, .. } if self.ob.kind.drains.contains(&name.name.as_str()))
    }

    /// There is a thing: its error is nil.
    fn resolve(&self, state: &mut State) {
        let errors: Vec<LocalId> = state
            .marks
            .iter()
            .filter(|m| m.role == Role::Err && m.place.path.is_empty())
            .map(|m| m.place.local)
            .collect();
        state.marks.retain(|m| m.role != Role::Err);
        for error in errors {
            state.set_nil(error, true);
        }
    }

    /// `x == nil` or `x != nil` with a local or a field: that, and whether true means nil.
    fn nil_test(&self, cond: ExprId) -> Option<(Place, bool)> {
        let f = self.f;
        let ExprKind::Binary { op, lhs, rhs } = &f.tree[f.tree.unparen(cond)].kind else {
            return None;
        };
        let eq = match op {
            BinaryOp::Eq => true,
            BinaryOp::Ne => false,
            _ => return None,
        };
        let other = if f.is_nil(*rhs) {
            lhs
        } else if f.is_nil(*lhs) {
            rhs
        } else {
            return None;
        };
        let other = f.tree.unparen(*other);
        let plain = matches!(
            f.tree[other].kind,
            ExprKind::Ident(_) | ExprKind::Selector { .. }
        );
        Some((f.place(other).filter(|_| plain)?, eq))
    }

    /// `false` if it contradicts what is known.
    fn learn_nil(&self, state: &mut State, local: LocalId, nil: bool) -> bool {
        if let Some(known) = state.nil(local) {
            return known == nil;
        }
        state.set_nil(local, nil);
        true
    }

    fn equality(&mut self, state: &mut State, lhs: ExprId, rhs: ExprId) -> Implication {
        let f = self.f;
        let bodyless = (f.is_bodyless_status(rhs) && self.is_own_status(state, lhs))
            || (f.is_bodyless_status(lhs) && self.is_own_status(state, rhs));
        if bodyless {
            return (Imp::Drop, Imp::Keep);
        }
        let (value, other) = if f.is_nil(rhs) {
            (lhs, None)
        } else if f.is_nil(lhs) {
            (rhs, None)
        } else {
            (lhs, Some(rhs))
        };
        let rel = self.quiet(state, value);
        match other {
            None => {
                if rel.is(Role::Keeper) {
                    (Imp::Drop, Imp::NotKept)
                } else if rel.is(Role::Err) {
                    (Imp::Acquired, Imp::Drop)
                } else if rel.has(Role::Thing) || rel.is(Role::View) {
                    // The thing is there, so whatever holds it is not nil; and without an error to look at this is the test.
                    (Imp::Drop, Imp::Keep)
                } else {
                    NOTHING
                }
            }
            Some(other) => {
                let second = self.quiet(state, other);
                if rel.is(Role::Err) || second.is(Role::Err) {
                    let target = if rel.is(Role::Err) { other } else { value };
                    match f.facts.refs.get(f.tree.unparen(target)) {
                        // It may be nil.
                        Some(Res::Local(local)) if state.nil(*local) != Some(false) => NOTHING,
                        _ => (Imp::Drop, Imp::Keep),
                    }
                } else if rel.is(Role::Thing) != second.is(Role::Thing) {
                    // A fresh thing is none of the old ones.
                    (Imp::Drop, Imp::Keep)
                } else {
                    NOTHING
                }
            }
        }
    }

    fn type_case(&mut self, state: &mut State, stmt: StmtId, case: u32) -> Implication {
        let f = self.f;
        let StmtKind::TypeSwitch { subject, cases, .. } = &f.tree[stmt].kind else {
            return NOTHING;
        };
        let Some(case) = cases.get(case as usize) else {
            return NOTHING;
        };
        let rel = self.quiet(state, *subject);
        let nil = case.exprs.iter().any(|e| f.is_nil(*e));
        if rel.is(Role::Err) {
            return match (nil, case.exprs.len()) {
                (true, 1) => (Imp::Acquired, Imp::Drop),
                (true, _) => NOTHING,
                (false, _) => (Imp::Drop, Imp::Keep),
            };
        }
        if rel.has(Role::Thing) {
            let own = self.own_type(state).filter(|_| rel.is(Role::Thing));
            let surely = own.map(|own| f.has_one_of(&own, &case.exprs));
            return match surely {
                Some(Some(false)) => (Imp::Drop, Imp::Keep),
                // What the dynamic type is, is not followed.
                _ => (Imp::Keep, Imp::Drop),
            };
        }
        NOTHING
    }

    fn implication(&mut self, state: &mut State, cond: ExprId) -> Implication {
        let f = self.f;
        let cond = f.tree.unparen(cond);
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            self.depth -= 1;
            return NOTHING;
        }
        let result = match &f.tree[cond].kind {
            ExprKind::Unary {
                op: UnaryOp::Not,
                operand,
            } => {
                let (t, e) = self.implication(state, *operand);
                (e, t)
            }
            ExprKind::Binary {
                op: BinaryOp::LogicalAnd,
                lhs,
                rhs,
            } => {
                let a = self.implication(state, *lhs);
                let b = self.implication(state, *rhs);
                (a.0.max(b.0), a.1.min(b.1))
            }
            ExprKind::Binary {
                op: BinaryOp::LogicalOr,
                lhs,
                rhs,
            } => {
                let a = self.implication(state, *lhs);
                let b = self.implication(state, *rhs);
                (a.0.min(b.0), a.1.max(b.1))
            }
            ExprKind::Binary { op, lhs, rhs } if self.length(state, *op, *lhs, *rhs) != NOTHING => {
                self.length(state, *op, *lhs, *rhs)
            }
            ExprKind::Binary {
                op: BinaryOp::Eq,
                lhs,
                rhs,
            } => self.equality(state, *lhs, *rhs),
            ExprKind::Binary {
                op: BinaryOp::Ne,
                lhs,
                rhs,
            } => {
                let (t, e) = self.equality(state, *lhs, *rhs);
                (e, t)
            }
            ExprKind::Ident(_) => match f.facts.refs.get(cond) {
                Some(Res::Local(local)) => state
                    .bools
                    .iter()
                    .find(|b| b.0 == *local)
                    .map_or(NOTHING, |b| b.1),
                _ => NOTHING,
            },
            ExprKind::Call { .. } => self.call_implication(state, cond),
            _ => NOTHING,
        };
        self.depth -= 1;
        result
    }

    fn call_implication(&mut self, state: &mut State, call: ExprId) -> Implication {
        let f = self.f;
        let ExprKind::Call { func, args, .. } = &f.tree[call].kind else {
            return NOTHING;
        };
        if let ExprKind::Selector { base, name } = &f.tree[f.tree.unparen(*func)].kind
            && self.ob.kind.drains.contains(&name.name.as_str())
            && self.quiet(state, *base).is(Role::Thing)
        {
            return (Imp::Keep, Imp::Drop);
        }
        let target = f.target(call);
        let summary = f.summary(call);
        let mut all = NOTHING;
        for (i, &arg) in args.iter().enumerate() {
            let rel = self.quiet(state, arg);
            if rel.is(Role::Err) {
                let known = match &target {
                    Some(t) if t.is_func("errors", "Is") || t.is_func("errors", "As") => {
                        let maybe_nil = t.name == "Is"
                            && args.get(1).is_some_and(|a| {
                                matches!(f.facts.refs.get(f.tree.unparen(*a)),
                                    Some(Res::Local(l)) if state.nil(*l) != Some(false))
                            });
                        Some(if maybe_nil {
                            NOTHING
                        } else {
                            (Imp::Drop, Imp::Keep)
                        })
                    }
                    Some(t)
                        if t.package == "os"
                            && t.ty.is_none()
                            && matches!(
                                t.name.as_str(),
                                "IsNotExist" | "IsExist" | "IsPermission" | "IsTimeout"
                            ) =>
                    {
                        Some((Imp::Drop, Imp::Keep))
                    }
                    _ => None,
                };
                let known = known.or_else(|| {
                    let effect = summary.as_deref()?.param(i);
                    let imp = |guard: Option<go_model::summary::Guard>| {
                        guard
                            .filter(|g| g.unless_nil.is_none())
                            .map(|g| match g.fact {
                                Fact::NonNil => Imp::Drop,
                                Fact::Nil => Imp::Acquired,
                                _ => Imp::Keep,
                            })
                    };
                    match (imp(effect.if_true), imp(effect.if_false)) {
                        (None, None) => None,
                        (t, e) => Some((t.unwrap_or(Imp::Keep), e.unwrap_or(Imp::Keep))),
                    }
                });
                // Somebody else decides what the error means: what it means is not known.
                let known = known.unwrap_or(if f.d.depth == Depth::Full {
                    (Imp::Drop, Imp::Drop)
                } else {
                    NOTHING
                });
                all = (all.0.max(known.0), all.1.max(known.1));
            } else if rel.is(Role::Thing)
                && let Some(summary) = &summary
            {
                let effect = summary.param(i);
                let imp = |guard: Option<go_model::summary::Guard>| match guard {
                    Some(g) if g.unless_nil.is_none() && g.fact == Fact::Nil => Imp::Drop,
                    _ => Imp::Keep,
                };
                all = (
                    all.0.max(imp(effect.if_true)),
                    all.1.max(imp(effect.if_false)),
                );
            }
        }
        all
    }

    /// Evaluates without noting what happens: for conditions, whose operands were evaluated before.
    fn quiet(&mut self, state: &mut State, expr: ExprId) -> Rel {
        let saved = std::mem::take(&mut self.ev);
        let rel = match &self.f.tree[self.f.tree.unparen(expr)].kind {
            ExprKind::Ident(_) | ExprKind::Selector { .. } | ExprKind::Star(_) => {
                self.eval(state, expr)
            }
            ExprKind::Call { .. } | ExprKind::Composite { .. } => {
                let mut state = state.clone();
                self.eval(&mut state, expr)
            }
            _ => Rel::default(),
        };
        self.ev = saved;
        rel
    }

    // ---- statements ----

    fn node(&mut self, state: &mut State, node: Node, out: &mut Outcome) {
        let f = self.f;
        match node {
            Node::Stmt(stmt) => {
                self.stmt(state, stmt);
                if self.ev.released && self.literals.is_empty() {
                    out.releases.push(stmt);
                }
            }
            Node::Defer(stmt) => {
                if let StmtKind::Defer(call) = f.tree[stmt].kind {
                    self.defer(state, call);
                    if (self.ev.released || self.ev.moved) && self.literals.is_empty() {
                        out.defers.push(stmt);
                    }
                }
            }
            Node::Eval(e) => {
                self.eval(state, e);
            }
            Node::RangeBind(stmt) => {
                if let StmtKind::Range { key, value, .. } = &f.tree[stmt].kind {
                    let rel = match state.fact(loop_key(stmt, "now")) {
                        Some(false) => Rel::default(),
                        _ => self.ranged_element(state, stmt),
                    };
                    if !self.literals.is_empty() && rel.has(Role::Thing) {
                        state.set_fact(loop_key(stmt, "now"), true);
                    }
                    if let Some(key) = key {
                        self.assign(state, *key, Rel::default(), None);
                    }
                    if let Some(value) = value {
                        self.assign(state, *value, rel, None);
                    }
                }
            }
            Node::TypeBind(stmt, case) => {
                if let StmtKind::TypeSwitch { subject, .. } = &f.tree[stmt].kind
                    && let Some(local) = f.type_switch_local(stmt, case)
                {
                    let rel = self.quiet(state, *subject);
                    self.assign_local(state, local, rel);
                }
            }
        }
    }

    // ---- collections ----

    fn is_collection(&mut self, local: LocalId) -> bool {
        if let Some(known) = self.collections.get(&local) {
            return *known;
        }
        let is = is_collection(self.f, local);
        self.collections.insert(local, is);
        is
    }

    /// The local collection that an expression is.
    fn collection(&mut self, expr: ExprId) -> Option<LocalId> {
        match self.f.facts.refs.get(self.f.tree.unparen(expr)) {
            Some(Res::Local(local)) if self.is_collection(*local) => Some(*local),
            _ => None,
        }
    }

    /// What is known of the elements that a `range` goes over.
    fn ranged_element(&mut self, state: &mut State, stmt: StmtId) -> Rel {
        match &self.f.tree[stmt].kind {
            StmtKind::Range { over, .. } => self.quiet(state, *over).element(),
            _ => Rel::default(),
        }
    }

    /// A `range` is done: its variables are gone.
    fn leave_range(&mut self, state: &mut State, stmt: StmtId) {
        state.forget_loop(stmt);
        let f = self.f;
        if let StmtKind::Range {
            key,
            value,
            define: true,
            ..
        } = &f.tree[stmt].kind
        {
            for variable in [key, value].into_iter().flatten() {
                if let Some(Res::Local(local)) = f.facts.refs.get(*variable) {
                    state.unmark(*local, &[]);
                }
            }
        }
    }

    /// What an element of a collection is: the one that a loop has come to.
    fn indexed(&mut self, state: &State, base: ExprId, indices: &[ExprId], rel: Rel) -> Rel {
        let f = self.f;
        let key = indices.first().and_then(|i| range_of_key(f, *i));
        if self.collection(base).is_some()
            && let Some(stmt) = key
        {
            let now = state.fact(loop_key(stmt, "now"));
            return if now == Some(true) {
                rel.element()
            } else {
                Rel::default()
            };
        }
        let mut rel = rel;
        for (path, _) in &mut rel.at {
            if path.first().is_some_and(|p| *p == ELEMENT) {
                path.remove(0);
            }
        }
        rel
    }

    /// What `len(collection)` compared with a number says.
    fn length(&mut self, state: &mut State, op: BinaryOp, lhs: ExprId, rhs: ExprId) -> Implication {
        let f = self.f;
        let len = f.tree.unparen(lhs);
        let (ExprKind::Call { args, .. }, Some(Callee::Builtin(name))) =
            (&f.tree[len].kind, f.facts.callees.get(len))
        else {
            return NOTHING;
        };
        let (true, [of]) = (*name == "len", &args[..]) else {
            return NOTHING;
        };
        let full = self.quiet(state, *of).element().has(Role::Thing);
        let full_if = match (op, f.tree.int_value(rhs)) {
            _ if !full => return NOTHING,
            (BinaryOp::Eq | BinaryOp::Le, Some(0)) | (BinaryOp::Lt, Some(1)) => false,
            (BinaryOp::Ne | BinaryOp::Gt, Some(0)) | (BinaryOp::Ge, Some(1)) => true,
            _ => return NOTHING,
        };
        if full_if {
            (Imp::Keep, Imp::Drop)
        } else {
            (Imp::Drop, Imp::Keep)
        }
    }

    fn stmt(&mut self, state: &mut State, stmt: StmtId) {
        let f = self.f;
        match &f.tree[stmt].kind {
            StmtKind::Expr(e) => {
                let dropped = self.eval_all(state, *e);
                self.ev.moved |= dropped.iter().any(|r| r.has(Role::Keeper));
            }
            StmtKind::Send { chan, value } => {
                self.eval(state, *chan);
                let rel = self.eval(state, *value);
                self.escape(state, &rel);
            }
            StmtKind::IncDec { operand, .. } => {
                self.eval(state, *operand);
                self.forget(state, *operand);
            }
            StmtKind::Assign { lhs, op, rhs } => self.assign_stmt(state, lhs, *op, rhs),
            StmtKind::Var(specs) => {
                for spec in specs {
                    let mut rels = Vec::new();
                    for value in &spec.values {
                        rels.extend(self.eval_all(state, *value));
                    }
                    let comma_ok = self.comma_ok(state, spec.names.len(), &spec.values);
                    for (i, name) in spec.names.iter().enumerate() {
                        if let Some(local) = f.declared_at(name.range) {
                            let rel = rels.get(i).cloned().unwrap_or_default();
                            self.assign_local(state, local, rel);
                            if spec.values.is_empty() {
                                set_zero(f, state, local);
                            }
                            if let Some(value) = spec.values.get(i) {
                                self.remember(state, local, *value);
                            }
                            if i + 1 == spec.names.len()
                                && let Some(imp) = comma_ok
                            {
                                state.bools.push((local, imp));
                            }
                        } else if let Some(rel) = rels.get(i) {
                            self.escape_unless_blank(state, name.name, rel);
                        }
                    }
                }
            }
            StmtKind::Go(call) => {
                let waited = state.peer_waits;
                self.go(state, *call);
                if state.peer_waits && !waited {
                    let start = f.tree[stmt].range.start();
                    let keyword = TextRange::at(start, go_syntax::TextSize::of("go"));
                    self.ev.notes.push((keyword, Note::PeerWaits));
                }
            }
            StmtKind::Defer(call) => self.defer(state, *call),
            _ => {}
        }
    }

    fn escape_unless_blank(&mut self, state: &mut State, name: Name, rel: &Rel) {
        if !name.is_blank() {
            self.escape(state, rel);
        }
    }

    fn assign_stmt(&mut self, state: &mut State, lhs: &[ExprId], op: AssignOp, rhs: &[ExprId]) {
        let f = self.f;
        if let AssignOp::Op(_) = op {
            for e in rhs {
                self.eval(state, *e);
            }
            for e in lhs {
                self.forget(state, *e);
            }
            return;
        }
        let mut rels = Vec::new();
        for value in rhs {
            let all = self.eval_all(state, *value);
            if rhs.len() == lhs.len() {
                rels.push(all.into_iter().next().unwrap_or_default());
            } else {
                rels.extend(all);
            }
        }
        let comma_ok = self.comma_ok(state, lhs.len(), rhs);
        // What a boolean says is read before anything is assigned.
        let bools: Vec<Implication> = if rhs.len() == lhs.len() {
            rhs.iter()
                .map(|value| {
                    if f.is_bool(*value) {
                        self.implication(state, *value)
                    } else {
                        NOTHING
                    }
                })
                .collect()
        } else {
            Vec::new()
        };
        for (i, target) in lhs.iter().enumerate() {
            let rel = rels.get(i).cloned().unwrap_or_default();
            let value = (rhs.len() == lhs.len()).then(|| rhs[i]);
            self.assign(state, *target, rel, value);
            if let Some(Res::Local(local)) = f.facts.refs.get(f.tree.unparen(*target)) {
                if let Some(imp) = bools.get(i).filter(|b| **b != NOTHING) {
                    state.bools.push((*local, *imp));
                }
                if i + 1 == lhs.len()
                    && let Some(imp) = comma_ok
                {
                    state.bools.push((*local, imp));
                }
            }
        }
        if let [value] = rhs {
            self.learn_results(state, lhs, *value);
        }
        if !self.ev.settled() && self.ev.lost && state.has_thing() {
            self.ev.lost = false;
        }
    }

    /// Errors that a call always gives as nil.
    fn learn_results(&self, state: &mut State, targets: &[ExprId], call: ExprId) {
        let f = self.f;
        let call = f.tree.unparen(call);
        if call == self.ob.call || !matches!(f.tree[call].kind, ExprKind::Call { .. }) {
            return;
        }
        for (i, target) in targets.iter().enumerate() {
            let Some(Res::Local(local)) = f.facts.refs.get(f.tree.unparen(*target)) else {
                continue;
            };
            if !f.d.is_asked(*local) || !f.facts.locals[*local].ty.is_error() {
                continue;
            }
            let is_nil = i + 1 == targets.len() && never_fails(f, call)
                || (f.summary(call)).is_some_and(|s| *s.result(i) == Origin::Nil);
            if is_nil {
                state.set_nil(*local, true);
            }
        }
    }

    /// What the last value of `v, ok := x.(T)`, `v, ok := next()` or `v, ok := <-channel` says.
    fn comma_ok(
        &mut self,
        state: &mut State,
        targets: usize,
        values: &[ExprId],
    ) -> Option<Implication> {
        let f = self.f;
        if targets < 2 || values.len() != 1 {
            return None;
        }
        if self.acquiring
            && targets == 2
            && self.ob.acquirer.extra == Extra::CommaOk
            && f.tree.unparen(values[0]) == self.ob.call
        {
            return Some((Imp::Acquired, Imp::Drop));
        }
        if let ExprKind::Call { func, .. } = &f.tree[f.tree.unparen(values[0])].kind {
            // After the last value there is nothing left to stop.
            return (self.quiet(state, *func).is(Role::Next)).then_some((Imp::Keep, Imp::Drop));
        }
        if targets != 2 {
            return None;
        }
        let value = &f.tree[f.tree.unparen(values[0])].kind;
        if let ExprKind::Unary {
            op: UnaryOp::Receive,
            operand,
        } = value
        {
            return (self.quiet(state, *operand).is(Role::Next)).then_some((Imp::Keep, Imp::Drop));
        }
        let ExprKind::TypeAssert { base, ty } = value else {
            return None;
        };
        let rel = self.quiet(state, *base);
        if is_own_address(f, values[0], *base) {
            Some((Imp::Keep, Imp::Drop))
        } else if rel.is(Role::Err) {
            Some((Imp::Drop, Imp::Keep))
        } else if rel.is(Role::Thing) {
            let own = self.own_type(state);
            let surely = f.asserts_surely(values[0], own.as_ref());
            Some((Imp::Keep, if surely { Imp::Drop } else { Imp::Keep }))
        } else if (rel.has(Role::Thing) || rel.has(Role::View))
            && ty.is_some_and(|ty| f.is_interface_with(ty, self.ob.kind.release))
        {
            // Whether what the thing is in can be closed is not known.
            Some((Imp::Keep, Imp::Drop))
        } else {
            None
        }
    }

    /// What the thing is, is known best where a variable holds it by its own type.
    fn own_type(&self, state: &State) -> Option<Ty> {
        let types = &self.f.facts.locals;
        state
            .things()
            .filter(|p| p.path.is_empty())
            .map(|p| types[p.local].ty.clone())
            .find(|ty| self.f.is_concrete(ty))
    }

    /// An operand is changed in place.
    fn forget(&mut self, state: &mut State, expr: ExprId) {
        if let Some(Res::Local(local)) = self.f.facts.refs.get(self.f.tree.unparen(expr)) {
            self.forget_local(state, *local);
        }
    }

    fn forget_local(&self, state: &mut State, local: LocalId) {
        state.bools.retain(|b| b.0 != local);
        state.nils.retain(|n| n.0 != local);
        state.fields.retain(|f| f.0.local != local);
        let stale = self.f.keys_of(local);
        if !stale.is_empty() {
            state.facts.retain(|f| !stale.contains(&f.0));
        }
    }

    fn assign(&mut self, state: &mut State, target: ExprId, rel: Rel, value: Option<ExprId>) {
        let f = self.f;
        let target = f.tree.unparen(target);
        match &f.tree[target].kind {
            ExprKind::Ident(name) if name.is_blank() => {
                self.ev.moved |= rel.has(Role::Keeper);
            }
            ExprKind::Ident(_) => match f.facts.refs.get(target) {
                Some(Res::Local(local)) => {
                    let local = *local;
                    self.assign_local(state, local, rel);
                    if let Some(value) = value {
                        self.remember(state, local, value);
                    }
                }
                _ => self.escape(state, &rel),
            },
            ExprKind::Selector { base, .. } => {
                self.eval(state, *base);
                let Some(place) = f.place(target) else {
                    self.ev.stored |= rel.has(Role::Thing);
                    return self.escape(state, &rel);
                };
                let nil = value
                    .filter(|_| {
                        place
                            .path
                            .last()
                            .is_some_and(|last| f.d.is_asked_field(*last))
                    })
                    .and_then(|value| f.is_nil_value(value));
                state.set_field(&place, nil);
                if let Some(handle) = self.ob.kind.handle
                    && place.path.last().is_some_and(|last| *last == handle)
                    && rel.is_none()
                {
                    state.mark(place, Role::Other);
                    return;
                }
                if f.borrows_fields(*base) {
                    // A command or its attributes: they use the file, they do not own it.
                    return;
                }
                let own = state
                    .marks
                    .iter()
                    .any(|m| m.role == Role::Thing && m.place == place);
                if own {
                    // `resp.Body = wrap(resp.Body)`: who owns what then is not known. Anything else replaces it.
                    if rel.has(Role::Thing) || rel.has(Role::View) {
                        self.ev.moved = true;
                    } else if self.literals.is_empty() {
                        state.unmark(place.local, &place.path);
                        if !state.has_thing() {
                            self.ev.lost = true;
                        }
                    }
                    return;
                }
                if rel.is_none() {
                    if self.literals.is_empty() {
                        let had = state.has_thing();
                        state.unmark(place.local, &place.path);
                        if had && !state.has_thing() {
                            self.ev.lost = true;
                        }
                    }
                    return;
                }
                if rel.closure.is_none()
                    && !rel.releaser
                    && f.is_fresh_struct(place.local, f.tree[target].range.start())
                {
                    for (path, role) in rel.at {
                        let mut full = place.path.clone();
                        full.extend(path);
                        state.mark(
                            Place {
                                local: place.local,
                                path: full,
                            },
                            role,
                        );
                    }
                } else {
                    self.escape(state, &rel);
                    self.ev.stored |= rel.has(Role::Thing);
                }
            }
            ExprKind::Index { base, indices } => {
                self.eval(state, *base);
                for i in indices {
                    self.eval(state, *i);
                }
                if rel.has(Role::Thing)
                    && rel.closure.is_none()
                    && let Some(local) = self.collection(*base)
                {
                    let range = f.tree[target].range;
                    self.ev.notes.push((range, Note::Collected(local)));
                    for (path, role) in rel.prefixed(Name::new(ELEMENT)).at {
                        state.mark(Place { local, path }, role);
                    }
                    return;
                }
                self.escape(state, &rel);
            }
            ExprKind::Star(base) => {
                self.eval(state, *base);
                self.escape(state, &rel);
            }
            _ => self.escape(state, &rel),
        }
    }

    /// Notes a constant boolean and nil.
    fn remember(&mut self, state: &mut State, local: LocalId, value: ExprId) {
        let f = self.f;
        match f.facts.refs.get(f.tree.unparen(value)) {
            Some(Res::Bool(b)) => {
                if let Some(key) = f.bool_key(local) {
                    state.set_fact(key, *b);
                }
            }
            Some(Res::Local(from)) => {
                let (to, given) = (&f.facts.locals[local].ty, &f.facts.locals[*from].ty);
                if to == given {
                    if let Some(nil) = state.nil(*from) {
                        state.set_nil(local, nil);
                    }
                } else if f.is_interface(to) && f.is_concrete(given) {
                    // A nil pointer in an interface is not nil.
                    state.set_nil(local, false);
                }
            }
            _ => {
                let nil = f.is_nil_value(value);
                if let Some(nil) = nil.filter(|_| f.d.is_asked(local)) {
                    state.set_nil(local, nil);
                }
            }
        }
    }

    fn assign_local(&mut self, state: &mut State, local: LocalId, rel: Rel) {
        let f = self.f;
        self.forget_local(state, local);
        let holds = |state: &State| {
            state
                .things()
                .any(|p| p.local == local && p.path.is_empty())
        };
        if self.ob.kind.fluent && rel.is(Role::View) && holds(state) {
            // `tx = tx.Where(…)` is the same transaction.
            return;
        }
        let outer = f.facts.locals[local].owner != self.literals.last().copied().or(f.literal);
        if outer {
            // A variable of an enclosing function.
            if rel.has(Role::Thing) || rel.has(Role::View) || rel.closure.is_some() || rel.releaser
            {
                self.escape(state, &rel);
            }
            if self.literals.is_empty() {
                self.overwrite(state, local);
                if rel.is(Role::Err) {
                    let path = Vec::new();
                    state.mark(Place { local, path }, Role::Err);
                }
            }
            return;
        }
        if self.literals.is_empty() {
            self.overwrite(state, local);
        }
        let pointer = f.facts.locals[local].address_taken;
        if pointer && (rel.has(Role::Thing) || rel.has(Role::View)) {
            self.ev.moved = true;
            return;
        }
        if rel.closure.is_some() && f.closure_of(local).is_none() {
            self.escape(state, &rel);
            return;
        }
        if rel.releaser {
            self.ev.moved = true;
            return;
        }
        let thing = rel.has(Role::Thing);
        for (path, role) in rel.at {
            state.mark(Place { local, path }, role);
        }
        if thing {
            self.ev.lost = false;
        }
    }

    /// A variable gets another value.
    fn overwrite(&mut self, state: &mut State, local: LocalId) {
        let had = state.has_thing();
        // Nobody asked whether it was kept.
        self.ev.moved |= state
            .marks
            .iter()
            .any(|m| m.role == Role::Keeper && m.place.local == local);
        state.unmark(local, &[]);
        if had && !state.has_thing() && !self.acquiring {
            self.ev.lost = true;
        }
    }

    fn defer(&mut self, state: &mut State, call: ExprId) {
        let f = self.f;
        if let Some(literal) = f.called_literal(call) {
            let args = self.args(state, call);
            let effect = self.literal(state, literal, &args);
            if effect.moved {
                self.ev.moved = true;
            } else if effect.released {
                match effect.guard {
                    Some(guard) => {
                        self.ev.guarded = true;
                        let note = Note::Guarded(guard);
                        self.ev.notes.push((f.tree[call].range, note));
                        if !state.pending.contains(&guard) {
                            state.pending.push(guard);
                        }
                    }
                    None => self.ev.released = true,
                }
            }
            return;
        }
        self.call(state, call);
    }

    fn go(&mut self, state: &mut State, call: ExprId) {
        let f = self.f;
        let ExprKind::Call { func, args, .. } = &f.tree[f.tree.unparen(call)].kind else {
            let rel = self.eval(state, call);
            return self.escape(state, &rel);
        };
        for arg in args {
            let rel = self.eval(state, *arg);
            state.peer_waits |= rel.is(Role::Peer);
            self.escape(state, &rel);
        }
        let func = f.tree.unparen(*func);
        if let Some(literal) = f.called_literal(call) {
            state.peer_waits |= self.captures_peer(state, literal);
            if !self.captures(state, literal) {
                return;
            }
            // A goroutine that waits for a process is as good as waiting.
            if self.ob.kind.handle.is_some() {
                let effect = self.literal(state, literal, &[]);
                if effect.released && effect.guard.is_none() {
                    self.ev.released = true;
                    return;
                }
            }
            // A goroutine that only waits on a ticker and that ends does not stop it.
            if self.ob.kind.channel.is_some() && f.can_return(literal) {
                let effect = self.literal(state, literal, &[]);
                if !effect.released && !effect.moved {
                    return;
                }
            }
            self.ev.moved = true;
        } else if let ExprKind::Selector { base, .. } = &f.tree[func].kind {
            let rel = self.eval(state, *base);
            state.peer_waits |= rel.is(Role::Peer);
            self.escape(state, &rel);
            let rel = self.quiet(state, func);
            self.escape(state, &rel);
        } else {
            let rel = self.eval(state, func);
            self.escape(state, &rel);
        }
    }

    fn captures_peer(&self, state: &State, literal: ExprId) -> bool {
        let captures = (self.f.facts.literals.get(literal)).map_or(&[][..], |l| &l.captures[..]);
        (state.marks.iter()).any(|m| m.role == Role::Peer && captures.contains(&m.place.local))
    }

    /// Whether the thing goes where its context goes.
    fn is_carried(&self) -> bool {
        matches!(self.ob.acquirer.extra, Extra::Carried(_))
    }

    /// Whether a literal captures something that matters.
    fn captures(&self, state: &State, literal: ExprId) -> bool {
        let Some(facts) = self.f.facts.literals.get(literal) else {
            return true;
        };
        state.marks.iter().any(|m| {
            matches!(m.role, Role::Thing | Role::View | Role::Parent | Role::Next)
                && facts.captures.contains(&m.place.local)
        }) || facts.captures.iter().any(|c| {
            self.f
                .closure_of(*c)
                .is_some_and(|inner| inner != literal && self.captures_direct(state, inner))
        })
    }

    fn captures_direct(&self, state: &State, literal: ExprId) -> bool {
        self.f.facts.literals.get(literal).is_none_or(|facts| {
            state.marks.iter().any(|m| {
                matches!(m.role, Role::Thing | Role::View | Role::Parent | Role::Next)
                    && facts.captures.contains(&m.place.local)
            })
        })
    }

    /// Whether a literal that was handed out before the acquisition captures the variable.
    fn captured_before(&self, local: LocalId) -> bool {
        let f = self.f;
        if !f.facts.locals[local].captured {
            return false;
        }
        let start = f.tree[self.ob.call].range.start();
        f.facts.literals.iter().any(|(id, facts)| {
            facts.captures.contains(&local)
                && f.tree[id].range.end() <= start
                && !f.is_deferred_literal(id)
                && !f.is_called_at_once(id)
                && f.literal_local(id).is_none()
                && Some(id) != f.literal
        })
    }

    // ---- expressions ----

    /// The thing goes where it cannot be followed.
    fn escape(&mut self, state: &State, rel: &Rel) {
        let moves = |role: &Role| match role {
            Role::Thing | Role::View | Role::Parent | Role::Next | Role::Keeper => true,
            Role::Ctx => self.is_carried(),
            Role::Err | Role::Peer | Role::Other => false,
        };
        if rel.at.iter().any(|(_, role)| moves(role)) || rel.releaser {
            self.ev.moved = true;
        }
        if let Some(literal) = rel.closure
            && self.captures(state, literal)
        {
            self.ev.moved = true;
        }
    }

    /// The value of an expression with one result.
    fn eval(&mut self, state: &mut State, expr: ExprId) -> Rel {
        self.eval_all(state, expr)
            .into_iter()
            .next()
            .unwrap_or_default()
    }

    /// The values of an expression; several only for calls.
    fn eval_all(&mut self, state: &mut State, expr: ExprId) -> Vec<Rel> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            self.ev.moved = true;
            self.depth -= 1;
            return Vec::new();
        }
        let result = match &self.f.tree[self.f.tree.unparen(expr)].kind {
            ExprKind::Call { .. } => {
                let call = self.f.tree.unparen(expr);
                self.call(state, call)
            }
            _ => vec![self.eval_one(state, expr)],
        };
        self.depth -= 1;
        result
    }

    fn eval_one(&mut self, state: &mut State, expr: ExprId) -> Rel {
        let f = self.f;
        match &f.tree[expr].kind {
            ExprKind::Ident(_) => match f.facts.refs.get(expr) {
                Some(Res::Local(local)) => self.local(state, *local),
                _ => Rel::default(),
            },
            ExprKind::Paren(x) | ExprKind::Star(x) => self.eval(state, *x),
            ExprKind::Unary { op, operand } => {
                let operand = *operand;
                match op {
                    UnaryOp::Address => self.eval(state, operand),
                    UnaryOp::Receive => {
                        self.receive(state, operand);
                        Rel::default()
                    }
                    _ => {
                        self.eval(state, operand);
                        Rel::default()
                    }
                }
            }
            ExprKind::Binary { op, lhs, rhs } => {
                let (op, lhs, rhs) = (*op, *lhs, *rhs);
                let (a, b) = (self.eval(state, lhs), self.eval(state, rhs));
                let holds = |r: &Rel| r.has(Role::Thing) || r.has(Role::View);
                // A path is made of another one.
                if op == BinaryOp::Add && (holds(&a) || holds(&b)) {
                    return Rel::of(Vec::new(), Role::View);
                }
                Rel::default()
            }
            ExprKind::Selector { base, name } => self.selector(state, expr, *base, name.name),
            ExprKind::Index { base, indices } => {
                for i in indices {
                    self.eval(state, *i);
                }
                let rel = self.eval(state, *base);
                self.indexed(state, *base, indices, rel)
            }
            ExprKind::Slice {
                base,
                low,
                high,
                max,
            } => {
                for bound in [low, high, max].into_iter().flatten() {
                    self.eval(state, *bound);
                }
                self.eval(state, *base)
            }
            ExprKind::TypeAssert { base, ty } => {
                let rel = self.eval(state, *base);
                // What uses the thing is asked for a method by which it may let go of it.
                let closes = |ty: &ExprId| f.is_interface_with(*ty, self.ob.kind.release);
                if rel.has(Role::View) && !rel.has(Role::Thing) && ty.as_ref().is_some_and(closes) {
                    self.ev.moved = true;
                }
                rel
            }
            ExprKind::Composite { .. } if self.acquiring && expr == self.ob.call => {
                let path = self.ob.kind.path.iter().map(|p| Name::new(p)).collect();
                Rel::of(path, Role::Thing)
            }
            ExprKind::Composite { elements, .. } => {
                let borrows = f.is_borrowing_struct(expr);
                let mut all = Rel::default();
                for element in elements {
                    let rel = self.eval(state, element.value);
                    if borrows || rel.is_none() {
                        continue;
                    }
                    if rel.closure.is_some() || rel.releaser {
                        self.escape(state, &rel);
                        continue;
                    }
                    let key = match element.key.map(|k| &f.tree[f.tree.unparen(k)].kind) {
                        Some(ExprKind::Ident(name)) if f.is_struct_literal(expr) => *name,
                        _ => Name::new(go_model::summary::ELEMENT),
                    };
                    all.merge(rel.prefixed(key));
                }
                all
            }
            ExprKind::FuncLit(_) => Rel {
                closure: self.captures(state, expr).then_some(expr),
                ..Rel::default()
            },
            _ => Rel::default(),
        }
    }

    fn local(&self, state: &State, local: LocalId) -> Rel {
        let mut rel = Rel::default();
        for mark in &state.marks {
            if mark.place.local == local {
                rel.at.push((mark.place.path.clone(), mark.role));
            }
        }
        if let Some(literal) = self.f.closure_of(local)
            && self.captures(state, literal)
        {
            rel.closure = Some(literal);
        }
        rel
    }

    fn selector(&mut self, state: &mut State, expr: ExprId, base: ExprId, name: Name) -> Rel {
        let f = self.f;
        if matches!(f.facts.refs.get(f.tree.unparen(base)), Some(Res::Import(_))) {
            return Rel::default();
        }
        let rel = self.eval(state, base);
        if rel.at.is_empty() {
            return Rel::default();
        }
        if matches!(f.facts.refs.get(expr), Some(Res::Method(_))) {
            // A method value.
            return self.method_value(rel, name);
        }
        let mut out = Rel::default();
        let replaced =
            |(path, role): &(Vec<Name>, Role)| *role == Role::Other && path[..] == [name];
        if rel.at.iter().any(replaced) {
            return Rel::of(Vec::new(), Role::Other);
        }
        for (path, role) in &rel.at {
            // Through embedded fields too: `w.Body` of `struct { *http.Response }`.
            if let Some(i) = path.iter().position(|p| *p == name) {
                out.at.push((path[i + 1..].to_vec(), *role));
            } else if path.is_empty() && *role == Role::Thing {
                if self.ob.kind.channel.is_some_and(|c| name == c) {
                    out.at.push((Vec::new(), Role::View));
                } else if self.ob.kind.handle.is_some_and(|h| name == h) {
                    out.at.push((Vec::new(), Role::Thing));
                } else if self.ob.kind.error_field.is_some_and(|e| name == e) {
                    out.at.push((Vec::new(), Role::Err));
                } else if self.ob.kind.release.contains(&name.as_str()) {
                    return self.method_value(rel, name);
                } else if self.ob.kind.owner.is_some_and(|o| name == o.field) {
                    // Somebody deals with what the owner holds: who releases it then is not known.
                    self.ev.moved = true;
                } else if self.ob.kind.path.is_empty()
                    && self.ob.kind.owner.is_none()
                    && self.is_part(expr)
                {
                    out.at.push((Vec::new(), Role::View));
                }
            }
        }
        out
    }

    /// Whether an expression is a field by which others can use what has it.
    fn is_part(&self, field: ExprId) -> bool {
        matches!(self.f.facts.refs.get(field), Some(Res::Field { .. }))
            && self.f.facts.types.get(field).is_some_and(may_hold)
    }

    fn method_value(&self, rel: Rel, name: Name) -> Rel {
        if rel.is(Role::Thing) && self.ob.kind.release.contains(&name.as_str()) {
            return Rel {
                releaser: true,
                ..Rel::default()
            };
        }
        let mut out = Rel::default();
        if rel.has(Role::Thing) || rel.has(Role::View) {
            out.at.push((Vec::new(), Role::View));
        }
        for role in [Role::Parent, Role::Peer] {
            if rel.has(role) {
                out.at.push((Vec::new(), role));
            }
        }
        out
    }

    fn receive(&mut self, state: &mut State, channel: ExprId) {
        let f = self.f;
        let channel = f.tree.unparen(channel);
        let rel = self.eval(state, channel);
        if self.ob.kind.fires && (rel.is(Role::View) || rel.is(Role::Next)) {
            self.ev.released = true;
        }
        if self.ob.kind.awaited && (rel.is(Role::Thing) || f.is_context_end(channel)) {
            self.ev.absent = true;
        }
        if let ExprKind::Call { func, .. } = &f.tree[channel].kind
            && let ExprKind::Selector { base, name } = &f.tree[f.tree.unparen(*func)].kind
            && name.name == "Done"
            && self.ob.kind.call
            && self.quiet(state, *base).is(Role::Ctx)
        {
            self.ev.released = true;
        }
    }

    /// The values of a call's arguments.
    fn args(&mut self, state: &mut State, call: ExprId) -> Vec<Rel> {
        let f = self.f;
        let ExprKind::Call { args, .. } = &f.tree[f.tree.unparen(call)].kind else {
            return Vec::new();
        };
        if let [only] = &args[..] {
            return self.eval_all(state, *only);
        }
        args.iter().map(|a| self.eval(state, *a)).collect()
    }

    fn call(&mut self, state: &mut State, call: ExprId) -> Vec<Rel> {
        let f = self.f;
        let call = f.tree.unparen(call);
        let ExprKind::Call { func, args, .. } = &f.tree[call].kind else {
            let rel = self.eval(state, call);
            return vec![rel];
        };
        let func = f.tree.unparen(*func);
        let callee = f.facts.callees.get(call);
        match callee {
            Some(Callee::Conversion) => {
                return vec![
                    args.first()
                        .map(|a| self.eval(state, *a))
                        .unwrap_or_default(),
                ];
            }
            Some(Callee::Builtin(name)) => return self.builtin(state, *name, args),
            _ => {}
        }
        if f.is_c_conversion(func) {
            return vec![
                args.first()
                    .map(|a| self.eval(state, *a))
                    .unwrap_or_default(),
            ];
        }
        // What is called.
        let mut receiver = Rel::default();
        let mut receiver_expr = None;
        if let Some(literal) = f.called_literal(call) {
            let rels = self.args(state, call);
            let effect = self.literal(state, literal, &rels);
            self.ev.released |= effect.released;
            self.ev.moved |= effect.moved;
            if self.captures(state, literal) || rels.iter().any(|r| !r.is_none()) {
                self.ev.touched = true;
            }
            return Vec::new();
        }
        match &f.tree[func].kind {
            ExprKind::Ident(_) | ExprKind::Index { .. } => {
                let rel = self.eval(state, func);
                if self.calls_thing(state, call, &rel) {
                    return Vec::new();
                }
            }
            ExprKind::Selector { base, name } => {
                let base = *base;
                if !matches!(f.facts.refs.get(f.tree.unparen(base)), Some(Res::Import(_))) {
                    receiver = self.eval(state, base);
                    receiver_expr = Some(name.name);
                    if !receiver.at.is_empty()
                        && !matches!(f.facts.refs.get(func), Some(Res::Method(_)))
                    {
                        // A field of function type.
                        let rel = self.quiet(state, func);
                        if self.calls_thing(state, call, &rel) {
                            return Vec::new();
                        }
                    }
                }
            }
            ExprKind::FuncLit(_) => {}
            _ => {
                let rel = self.eval(state, func);
                if rel.closure.is_some() {
                    self.ev.moved = true;
                }
            }
        }
        let rels = self.args(state, call);
        if self.acquiring && call == self.ob.call {
            if self.ob.acquirer.extra == Extra::Receiver
                && let ExprKind::Selector { base, .. } = &f.tree[func].kind
                && let Some(place) = f.place(*base)
            {
                state.mark(place, Role::Thing);
            }
            return self.acquire(state, args);
        }
        if self.literals.is_empty() {
            // What a test leaks once it has failed is of no interest.
            self.ev.absent |= f.fails_test(call) || self.asserts_bodyless(state, call);
        }
        let target = f.target(call);
        let mut results: Vec<Rel> = Vec::new();
        if receiver.is_none() && rels.iter().all(Rel::is_none) {
            return results;
        }
        if receiver.has(Role::Thing) || receiver.has(Role::View) {
            self.ev.touched = true;
        }
        let summary = f.summary(call);
        if let Some(name) = receiver_expr {
            self.receiver(
                state,
                call,
                name,
                &receiver,
                summary.as_deref(),
                &mut results,
            );
        }
        for (i, rel) in rels.iter().enumerate() {
            if rel.is_none() {
                continue;
            }
            if rel.has(Role::Thing) || rel.has(Role::View) {
                self.ev.touched = true;
            }
            self.argument(
                state,
                call,
                target.as_ref(),
                i,
                rel,
                summary.as_deref(),
                &mut results,
            );
        }
        if !self.ev.settled() {
            self.spread(call, std::iter::once(&receiver).chain(&rels), &mut results);
        }
        results
    }

    /// Whether a status is that of the response that holds the thing.
    fn is_own_status(&mut self, state: &mut State, status: ExprId) -> bool {
        let f = self.f;
        if self.ob.kind.path != ["Body"] {
            return false;
        }
        let status = f.tree.unparen(status);
        let ExprKind::Selector { base, name } = &f.tree[status].kind else {
            return false;
        };
        name.name == "StatusCode" && self.quiet(state, *base).has(Role::Thing)
    }

    /// Whether a test asserts that the response has a status without a body.
    fn asserts_bodyless(&mut self, state: &mut State, call: ExprId) -> bool {
        let f = self.f;
        let ExprKind::Call { args, .. } = &f.tree[call].kind else {
            return false;
        };
        f.asserts_equality(call)
            && args.iter().any(|a| f.is_bodyless_status(*a))
            && args.iter().any(|a| self.is_own_status(state, *a))
    }

    /// What is made from the thing may hold on to it.
    fn spread<'r>(
        &self,
        call: ExprId,
        mut from: impl Iterator<Item = &'r Rel>,
        results: &mut Vec<Rel>,
    ) {
        let text = match self.ob.kind.spread {
            Spread::No => return,
            Spread::Values => false,
            Spread::Text => true,
        };
        if !from.any(|rel| rel.has(Role::Thing) || rel.has(Role::View)) {
            return;
        }
        let types = self.f.result_types(call);
        if types.is_empty() && results.is_empty() {
            put(results, 0, Rel::of(Vec::new(), Role::View));
        }
        for (i, ty) in types.iter().enumerate() {
            let holds = match ty.kind() {
                TyKind::Basic(basic) => text && basic.is_string(),
                _ => !ty.is_error(),
            };
            if holds && results.get(i).is_none_or(Rel::is_none) {
                put(results, i, Rel::of(Vec::new(), Role::View));
            }
        }
    }

    /// Whether the call calls the thing itself, or its parent's cancel function.
    fn calls_thing(&mut self, _state: &State, call: ExprId, rel: &Rel) -> bool {
        if !self.ob.kind.call {
            return false;
        }
        if rel.is(Role::Thing) || rel.is(Role::Parent) {
            self.ev.released = true;
            self.ev.release_at.push(self.f.tree[call].range);
            return true;
        }
        false
    }

    fn acquire(&mut self, state: &mut State, args: &[ExprId]) -> Vec<Rel> {
        let a = self.ob.acquirer;
        if a.extra == Extra::Argument {
            if let Some(place) = args.get(a.result).and_then(|arg| self.f.place(*arg)) {
                state.mark(place, Role::Thing);
            }
            return Vec::new();
        }
        let path = self.ob.kind.path.iter().map(|p| Name::new(p)).collect();
        let len = a.result.max(a.error.unwrap_or(0)) + 1;
        let mut results = vec![Rel::default(); len];
        results[a.result] = Rel::of(path, Role::Thing);
        if let Some(error) = a.error {
            results[error] = Rel::of(Vec::new(), Role::Err);
        }
        let beside = match a.extra {
            Extra::Derives | Extra::DerivesCancel => Some((0, Role::Ctx)),
            Extra::Carried(index) => Some((index, Role::Ctx)),
            Extra::Pull => Some((0, Role::Next)),
            Extra::Peer(index) => Some((index, Role::Peer)),
            _ => None,
        };
        if let Some((index, role)) = beside {
            put(&mut results, index, Rel::of(Vec::new(), role));
        }
        results
    }

    fn builtin(&mut self, state: &mut State, name: Name, args: &[ExprId]) -> Vec<Rel> {
        let rels: Vec<Rel> = args.iter().map(|a| self.eval(state, *a)).collect();
        match name.as_str() {
            "append" => {
                let owned = rels.iter().skip(1).any(|r| r.has(Role::Thing));
                let into = match args.first() {
                    Some(first) if owned => self.collection(*first),
                    _ => None,
                };
                let mut rels = rels.into_iter();
                let mut all = rels.next().unwrap_or_default();
                for (rel, arg) in rels.zip(&args[1..]) {
                    match into {
                        Some(local)
                            if rel.has(Role::Thing) && rel.closure.is_none() && !rel.releaser =>
                        {
                            let range = self.f.tree[*arg].range;
                            self.ev.notes.push((range, Note::Collected(local)));
                            all.merge(rel.prefixed(Name::new(ELEMENT)));
                        }
                        _ => self.escape(state, &rel),
                    }
                }
                vec![all]
            }
            "new" => rels.into_iter().next().into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// A method is called on something.
    fn receiver(
        &mut self,
        state: &mut State,
        call: ExprId,
        name: Name,
        receiver: &Rel,
        summary: Option<&Summary>,
        results: &mut Vec<Rel>,
    ) {
        let f = self.f;
        let kind = self.ob.kind;
        if receiver.is(Role::Thing) {
            if kind.release.contains(&name.as_str()) {
                self.ev.released = true;
                self.ev.release_at.push(f.tree[call].range);
                return;
            }
            // By another name: `Quit` of what owns a connection.
            let closes =
                |how: &How| matches!(how, How::Method(m) if kind.release.contains(&m.as_str()));
            if !f.has_body(call)
                && let Some(summary) = summary
                && summary.receiver.released(&[], closes) == Some(When::Always)
            {
                self.ev.released = true;
                self.ev.release_at.push(f.tree[call].range);
                return;
            }
            if kind.alias.is_some_and(|alias| name == alias) {
                put(results, 0, Rel::of(Vec::new(), Role::Thing));
                return;
            }
            if name == "Fd" || name == "SyscallConn" {
                // What is done with the descriptor is not followed.
                self.ev.moved = true;
                return;
            }
            if kind.fluent && f.is_own_type(call, self.ob.call) {
                put(results, 0, Rel::of(Vec::new(), Role::View));
            }
            if kind.source.contains(&name.as_str()) {
                put(results, 0, Rel::of(Vec::new(), Role::Next));
                return;
            }
            if let Some((_, error)) = kind.ends.iter().find(|(method, _)| name == *method) {
                put(results, *error, Rel::of(Vec::new(), Role::Err));
            }
            if kind.complete && f.same_package(call, self.ob.call) {
                return;
            }
            if let Some(summary) = summary
                && f.d.depth == Depth::Full
                && f.has_body(call)
            {
                let rel = Rel::of(Vec::new(), Role::Thing);
                self.apply(state, call, &summary.receiver, &rel, results);
            }
            return;
        }
        if receiver.is(Role::View) && kind.release.contains(&name.as_str()) {
            self.ev.notes.push((f.tree[call].range, Note::View(call)));
        }
        if receiver.is(Role::Parent) && self.ob.parent_ends.contains(&name.as_str()) {
            self.ev.released = true;
            self.ev.release_at.push(f.tree[call].range);
            return;
        }
        if receiver.is(Role::Peer) && kind.release.contains(&name.as_str()) {
            // Whoever waits at this end is told that there is no other one.
            self.ev.released = true;
            return;
        }
        if receiver.is(Role::View) && kind.key == "io-pipe-read" {
            // It may have been read to its end.
            self.ev.moved = true;
            return;
        }
        if receiver.is(Role::Err) && name == "Error" {
            self.ev.absent = true;
            return;
        }
        if receiver.is(Role::View) && f.d.depth == Depth::Full {
            self.view_method(call, summary, results);
        }
        // The thing is somewhere inside the receiver.
        let inside: Vec<_> = receiver
            .at
            .iter()
            .filter(|(path, role)| *role == Role::Thing && !path.is_empty())
            .cloned()
            .collect();
        if inside.is_empty() {
            return;
        }
        // What it is in is closed: of an interface nobody knows whether that goes on to the thing.
        let of_interface =
            matches!(f.facts.callees.get(call), Some(Callee::Method(m)) if m.interface);
        if of_interface && kind.release.contains(&name.as_str()) {
            self.ev.moved = true;
            return;
        }
        let rel = Rel {
            at: inside,
            ..Rel::default()
        };
        match summary {
            Some(summary) if summary.receiver.fate != Fate::Unknown => {
                self.apply(state, call, &summary.receiver, &rel, results);
            }
            _ if f.target(call).is_some_and(|t| {
                t.package == "net/http" && t.ty.is_some_and(|ty| ty == "Response")
            }) => {}
            _ => self.ev.moved = true,
        }
    }

    /// A method is called on something that uses the thing: what it gives may use it too.
    fn view_method(&mut self, call: ExprId, summary: Option<&Summary>, results: &mut Vec<Rel>) {
        let effect = summary.map_or(ParamEffect::UNKNOWN, |s| &s.receiver);
        let types = self.f.result_types(call);
        let made: Vec<usize> = match effect.fate {
            Fate::Kept(keep) if keep != Keep::Slot(Slot::Receiver) => {
                self.ev.moved = true;
                return;
            }
            // Its own methods do not hand the thing over, as far as is known.
            Fate::Unknown => (0..types.len().max(1)).collect(),
            Fate::Borrowed | Fate::Kept(_) => {
                let flows = effect.flows.iter();
                flows.map(|flow| usize::from(flow.result)).collect()
            }
        };
        for index in made {
            if types.get(index).is_none_or(may_hold) {
                put(results, index, Rel::of(Vec::new(), Role::View));
            }
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn argument(
        &mut self,
        state: &mut State,
        call: ExprId,
        target: Option<&Target>,
        index: usize,
        rel: &Rel,
        summary: Option<&Summary>,
        results: &mut Vec<Rel>,
    ) {
        let f = self.f;
        let kind = self.ob.kind;
        if let Some(target) = target
            && rel.is(Role::Thing)
            && kind.is_taken_by(target.package, target.ty, target.name, index)
        {
            self.ev.released = true;
            self.ev.release_at.push(f.tree[call].range);
            return;
        }
        if let Some(target) = target
            && target.ty.is_none()
            && kind.is_released_by(target.package, target.name, index)
        {
            if rel.is(Role::Thing) {
                self.ev.released = true;
                self.ev.release_at.push(f.tree[call].range);
                return;
            }
            if rel.has(Role::View) {
                // Something made from it is released: it may be all there is.
                self.ev.moved = true;
                return;
            }
        }
        if rel.is(Role::Keeper) {
            match f.asserts_error(call, index) {
                Some(true) => state.marks.retain(|m| m.role != Role::Keeper),
                Some(false) => self.ev.moved = true,
                None => {}
            }
            return;
        }
        if rel.is(Role::Err) {
            match f.asserts_error(call, index) {
                Some(true) => self.ev.absent = true,
                // Whoever asks for the answer tells the two cases apart.
                Some(false) => self.ev.acquired = f.is_statement(call),
                None => {}
            }
            if let Some(fact) = summary.and_then(|s| s.param(index).after) {
                match fact {
                    Fact::NonNil => self.ev.absent = true,
                    Fact::Nil => self.ev.acquired = true,
                    _ => {}
                }
            }
            if self.ev.acquired {
                self.ev.acquired = false;
                self.resolve(state);
            }
            // An error made from the error is taken to be nil exactly if that is; a joined one may be the other one.
            let joined = target.is_some_and(|t| t.is_func("errors", "Join"));
            let types = if joined && f.has_other_error(call, index) {
                Vec::new()
            } else {
                f.result_types(call)
            };
            for (i, ty) in types.iter().enumerate() {
                if ty.is_error() {
                    put(results, i, Rel::of(Vec::new(), Role::Err));
                }
            }
            if rel.at.len() == 1 {
                return;
            }
        }
        if let Some(target) = target
            && rel.is(Role::Ctx)
            && target.ty.is_none()
            && (kind.from_context.iter())
                .any(|(package, name)| target.package == *package && target.name == *name)
        {
            put(results, 0, Rel::of(Vec::new(), Role::Thing));
            return;
        }
        if kind.key == "c-memory"
            && let Some(target) = target
            && target.package == "C"
        {
            let db = f.d.db;
            let preamble = super::cgo::preamble(db, f.d.decl.file(db));
            if super::cgo::keeps(&preamble, target.name.as_str(), index) {
                self.escape(state, rel);
            }
            return;
        }
        let effect = summary.map_or(ParamEffect::UNKNOWN, |s| s.param(index));
        if kind.key == "io-pipe-read" && rel.is(Role::Thing) && effect.flows.is_empty() {
            // It may have been read to its end.
            self.ev.moved = true;
            return;
        }
        if kind.key == "io-pipe-write"
            && rel.is(Role::Thing)
            && target.is_some_and(|t| {
                t.is_func("io", "WriteString")
                    || t.package == "fmt" && t.name.as_str().starts_with("Fprint")
            })
        {
            put(results, 1, Rel::of(Vec::new(), Role::Err));
        }
        if f.is_variadic(call, index) {
            // A function whose body was read sees a slice.
            let rel = rel.clone().prefixed(Name::new(ELEMENT));
            self.apply(state, call, effect, &rel, results);
        } else {
            self.apply(state, call, effect, rel, results);
        }
    }

    fn apply(
        &mut self,
        state: &mut State,
        call: ExprId,
        effect: &ParamEffect,
        rel: &Rel,
        results: &mut Vec<Rel>,
    ) {
        let f = self.f;
        let kind = self.ob.kind;
        if let Some(literal) = rel.closure {
            match effect.invokes {
                Some(Invoke::Now(_)) => {
                    let inner = self.literal(state, literal, &[]);
                    self.ev.released |= inner.released;
                    self.ev.moved |= inner.moved;
                }
                // Nobody calls it, nor anything inside it: one of several that are given.
                None if effect.fate == Fate::Borrowed
                    && f.has_body(call)
                    && !effect.releases.iter().any(|r| r.how == How::Call) => {}
                _ => self.ev.moved = true,
            }
        }
        if rel.releaser {
            self.ev.moved = true;
        }
        for (path, role) in &rel.at {
            match role {
                Role::Err | Role::Ctx | Role::Other | Role::Keeper => {}
                // Whoever gets it may read the rest.
                Role::Next => self.ev.moved = true,
                Role::Peer => {
                    if effect.fate != Fate::Borrowed {
                        self.ev.moved = true;
                    }
                }
                Role::Parent => {
                    let ends = |how: &How| match how {
                        How::Method(m) => self.ob.parent_ends.contains(&m.as_str()),
                        How::Call => kind.call,
                        _ => false,
                    };
                    if effect.released(&[], ends).is_some() {
                        self.ev.released = true;
                    } else if effect.fate != Fate::Borrowed {
                        self.ev.moved = true;
                    }
                }
                Role::Thing | Role::View => {
                    let thing = *role == Role::Thing;
                    let mut skipped = false;
                    if thing {
                        let releases = |how: &How| kind.ends_by(how);
                        match effect.released(path, releases) {
                            Some(When::Always) => {
                                self.ev.released = true;
                                self.ev.release_at.push(f.tree[call].range);
                                continue;
                            }
                            Some(When::If(slot, fact)) => match self.given(state, call, slot, fact)
                            {
                                Some(true) => {
                                    self.ev.released = true;
                                    self.ev.release_at.push(f.tree[call].range);
                                    continue;
                                }
                                // Of cancel functions given away only the promises of other packages count.
                                Some(false) if !(kind.call && f.is_foreign(call)) => {
                                    skipped = true;
                                    let note = Note::Skipped { call, slot, fact };
                                    self.ev.notes.push((f.tree[call].range, note));
                                }
                                _ => {
                                    self.ev.moved = true;
                                    continue;
                                }
                            },
                            Some(When::Failed) => {
                                let types = f.result_types(call);
                                match types.iter().rposition(Ty::is_error) {
                                    Some(i) => put(results, i, Rel::of(Vec::new(), Role::Err)),
                                    None => {
                                        self.ev.moved = true;
                                        continue;
                                    }
                                }
                            }
                            Some(_) => {
                                self.ev.moved = true;
                                continue;
                            }
                            // What holds it is closed: whether that goes on to the thing is not known here.
                            None if !path.is_empty()
                                && effect.released(&[], releases).is_some() =>
                            {
                                self.ev.moved = true;
                                continue;
                            }
                            None => {}
                        }
                        // A helper that asks for more until there is none may have drained it.
                        if kind
                            .drains
                            .iter()
                            .any(|drain| effect.calls_method(path, drain).is_some())
                        {
                            self.ev.moved = true;
                            continue;
                        }
                        if kind.call && effect.invokes.is_some() && !skipped {
                            self.ev.moved = true;
                            continue;
                        }
                    }
                    // What depends on an argument does not happen where that says no.
                    let happens = |when: When| match when {
                        When::If(slot, fact) => self.given(state, call, slot, fact) != Some(false),
                        _ => true,
                    };
                    if let Some(owner) = kind.owner
                        && let Some(always) = releases_held(owner, effect, path, &happens)
                    {
                        self.ev.released |= always;
                        self.ev.moved |= !always;
                        continue;
                    }
                    if effect.fate == Fate::Kept(Keep::Process)
                        && let Some(error) = f.result_types(call).iter().position(Ty::is_error)
                    {
                        // Kept if it says so.
                        put(results, error, Rel::of(Vec::new(), Role::Keeper));
                        continue;
                    }
                    if effect.fate != Fate::Borrowed {
                        self.ev.moved = true;
                        continue;
                    }
                    for flow in &effect.flows {
                        let Some(rest) = path.strip_prefix(&flow.path[..]) else {
                            continue;
                        };
                        let result = usize::from(flow.result);
                        match &flow.kind {
                            FlowKind::Same => put(results, result, Rel::of(rest.to_vec(), *role)),
                            FlowKind::View => put(results, result, Rel::of(Vec::new(), Role::View)),
                            FlowKind::Owner => put(results, result, Rel::of(Vec::new(), *role)),
                            FlowKind::Field(field) => {
                                let mut path = field.clone();
                                path.extend_from_slice(rest);
                                put(results, result, Rel::of(path, *role));
                            }
                            FlowKind::Closure => self.ev.moved = true,
                        }
                    }
                }
            }
        }
    }

    /// Whether the fact holds for what a call gets at the slot.
    fn given(&self, state: &State, call: ExprId, slot: Slot, fact: Fact) -> Option<bool> {
        let f = self.f;
        let Slot::Param(index) = slot else {
            return None;
        };
        let ExprKind::Call { args, .. } = &f.tree[f.tree.unparen(call)].kind else {
            return None;
        };
        let arg = f.tree.unparen(*args.get(usize::from(index))?);
        // What a literal captures may be another when it runs.
        let local = match f.facts.refs.get(arg) {
            Some(Res::Local(local)) if self.literals.is_empty() => Some(*local),
            _ => None,
        };
        let known = match fact {
            Fact::True | Fact::False => {
                let remembered = || state.fact(f.bool_key(local?)?);
                match f.constant_bool(arg).or_else(remembered)? {
                    true => Fact::True,
                    false => Fact::False,
                }
            }
            Fact::Nil | Fact::NonNil => {
                let is_nil = local.and_then(|local| state.nil(local));
                match f.nil_argument(call, usize::from(index), arg, is_nil)? {
                    true => Fact::Nil,
                    false => Fact::NonNil,
                }
            }
        };
        Some(known == fact)
    }

    // ---- function literals ----

    /// What a literal does to what it captures (and to its arguments) when it runs.
    fn literal(&mut self, state: &State, literal: ExprId, args: &[Rel]) -> LiteralEffect {
        let f = self.f;
        let mut effect = LiteralEffect::default();
        if !self.captures(state, literal) && args.iter().all(Rel::is_none) {
            return effect;
        }
        let (Some(cfg), Some(facts)) = (f.literal_cfg(literal), f.facts.literals.get(literal))
        else {
            effect.moved = true;
            return effect;
        };
        if self.literals.len() as u32 >= MAX_LITERALS || self.literals.contains(&literal) {
            effect.moved = true;
            return effect;
        }
        let saved = std::mem::take(&mut self.ev);
        self.literals.push(literal);
        let mut state = state.clone();
        for (param, rel) in facts.params.iter().zip(args) {
            if let Some(param) = param {
                for (path, role) in &rel.at {
                    state.mark(
                        Place {
                            local: *param,
                            path: path.clone(),
                        },
                        *role,
                    );
                }
            }
            if rel.closure.is_some() || rel.releaser {
                effect.moved = true;
            }
        }
        let mut ignored = Outcome::default();
        for block in cfg.reverse_post_order() {
            for node in &cfg[block].nodes {
                self.node(&mut state, *node, &mut ignored);
            }
            match cfg[block].terminator {
                Terminator::Return(Some(stmt)) => {
                    if let StmtKind::Return(values) = &f.tree[stmt].kind {
                        for value in values {
                            for rel in self.eval_all(&mut state, *value) {
                                self.escape(&state, &rel);
                            }
                        }
                    }
                }
                Terminator::NoReturn { call, .. } => {
                    self.eval_all(&mut state, call);
                }
                _ => {}
            }
        }
        self.literals.pop();
        let events = std::mem::replace(&mut self.ev, saved);
        effect.moved |= events.moved && !events.released;
        effect.released = events.released || !state.pending.is_empty();
        if events.released {
            match f.literal_guard(literal, &events.release_at) {
                super::function::LiteralGuard::None => {}
                super::function::LiteralGuard::Error(local) => effect.guard = Some(local),
                super::function::LiteralGuard::Panic => effect.released = false,
            }
        }
        effect
    }
}

/// Packages whose readers and writers use what they are given for as long as they are used, and never release it.
fn only_uses(package: &str) -> bool {
    const PACKAGES: [&str; 4] = ["bufio", "io", "io/ioutil", "golang.org/x/text/transform"];
    const FAMILIES: [&str; 5] = [
        "archive/",
        "compress/",
        "encoding/",
        "mime/",
        "github.com/klauspost/compress/",
    ];
    PACKAGES.contains(&package) || FAMILIES.iter().any(|family| package.starts_with(family))
}

/// Whether a value of the type can hold on to something: not numbers, text and errors.
fn may_hold(mut ty: &Ty) -> bool {
    loop {
        match ty.kind() {
            TyKind::Basic(_) => return false,
            TyKind::Slice(element) | TyKind::Array(_, element) | TyKind::Map(_, element) => {
                ty = element;
            }
            _ => return !ty.is_error(),
        }
    }
}

/// What holds the thing: a variable rather than a collection.
fn holder(state: &State) -> Option<Place> {
    state
        .things()
        .min_by_key(|p| (p.is_element(), p.path.len(), p.local.into_raw().into_u32()))
        .cloned()
}

/// A variable has its zero value.
fn set_zero(f: &Function<'_>, state: &mut State, local: LocalId) {
    if !f.d.is_asked(local) || !zero::is_seen(f, local) {
        return;
    }
    let ty = &f.facts.locals[local].ty;
    match ty.kind() {
        TyKind::Basic(Basic::Bool) => {
            if let Some(key) = f.bool_key(local) {
                state.set_fact(key, false);
            }
        }
        TyKind::Pointer(_)
        | TyKind::Slice(_)
        | TyKind::Map(..)
        | TyKind::Chan(..)
        | TyKind::Func(_)
        | TyKind::Interface(_) => state.set_nil(local, true),
        TyKind::Named(_) if ty.is_error() || f.is_interface(ty) => state.set_nil(local, true),
        _ => {}
    }
}

/// The key of what is known about a `range` loop.
fn loop_key(stmt: StmtId, what: &str) -> u64 {
    let mut hasher = FxHasher::default();
    (stmt.into_raw().into_u32(), what).hash(&mut hasher);
    hasher.finish()
}

/// Whether a call releases what an owner at this path holds, or hands it out: `Some(true)` if it surely releases it.
fn releases_held(
    owner: Owner,
    effect: &ParamEffect,
    path: &[Name],
    happens: &dyn Fn(When) -> bool,
) -> Option<bool> {
    let is_held = |other: &[Name]| {
        other
            .strip_prefix(path)
            .and_then(|rest| rest.first())
            .is_some_and(|field| *field == owner.field)
    };
    let releases = |how: &How| match how {
        How::Method(m) => owner.held.release.contains(&m.as_str()),
        How::Call => owner.held.call,
        _ => false,
    };
    let mut found = effect
        .releases
        .iter()
        .filter(|r| is_held(&r.path) && releases(&r.how) && happens(r.when));
    match found.next() {
        Some(first) => Some(first.when == When::Always || found.any(|r| r.when == When::Always)),
        None => effect
            .flows
            .iter()
            .any(|f| is_held(&f.path))
            .then_some(false),
    }
}

fn put(results: &mut Vec<Rel>, index: usize, rel: Rel) {
    if results.len() <= index {
        results.resize(index + 1, Rel::default());
    }
    results[index].merge(rel);
}

fn cond_end(f: &Function<'_>, cond: &Cond) -> go_syntax::TextSize {
    match cond {
        Cond::Expr(e) => f.tree[*e].range.end(),
        Cond::CaseEquals { value, .. } => f.tree[*value].range.end(),
        Cond::TypeCase { stmt, .. } | Cond::RangeNext(stmt) => f.head_range(*stmt).end(),
    }
}
