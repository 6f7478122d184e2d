//! A search over the paths of one function.
//!
//! A path is a sequence of blocks with a state that the question keeps. What a condition was found to be is remembered where the same
//! condition is asked again, until one of its variables gets another value.

use std::hash::Hash;

use go_model::cfg::{BlockId, Cond, Node, Terminator};
use go_model::facts::{LocalId, Res};
use go_syntax::TextRange;
use go_syntax::ast::{AssignOp, StmtId, StmtKind};
use rustc_hash::FxHashSet;

use crate::check::RawRelated;
use crate::engine::function::Function;
use crate::engine::outline::{CondKey, cond_key, equals_key};
use crate::engine::pattern::step;
use crate::engine::site::{LeakKind, LeakPoint};

/// How many states are looked at before a search is given up.
const MAX_STATES: usize = 6000;

/// What a question says about a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Go on.
    On,
    /// This path is of no interest any more.
    Stop,
    /// This is it.
    Found,
}

/// A step of a path.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Item {
    /// A node of a block.
    Node(Node),
    /// The function returns; `None` is the end of its body.
    Return(Option<StmtId>),
}

/// A way from one block to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The only one.
    Jump,
    /// A condition held, or did not.
    If(Cond, bool),
    /// An arm of a select.
    Arm(StmtId, usize),
}

/// What a path is searched for.
pub(crate) trait Question {
    /// What has happened so far.
    type State: Clone + Eq + Hash;
    /// Something happens.
    fn at(&mut self, block: BlockId, item: Item, state: &mut Self::State) -> Flow;
    /// Control goes from one block to another; `false` if it cannot.
    fn along(&mut self, _from: BlockId, _to: BlockId, _way: Way, _state: &mut Self::State) -> bool {
        true
    }
}

/// The end of a path on which the answer was yes.
#[derive(Debug, Clone)]
pub(crate) struct Ending<S> {
    /// The return; `None` is the end of the body, or something else than a return.
    pub(crate) exit: Option<StmtId>,
    /// Where it ends.
    pub(crate) range: TextRange,
    /// The last decision on the way there.
    pub(crate) decision: Option<(Way, TextRange)>,
    pub(crate) state: S,
}

impl<S> Ending<S> {
    /// The last decision as a step of the finding's path.
    pub(crate) fn decision_step(&self) -> Option<RawRelated> {
        let (way, range) = self.decision?;
        Some(step(
            match way {
                Way::Arm(..) => "when this case is chosen",
                Way::If(Cond::RangeNext(_), true) => "when there is an element",
                Way::If(Cond::RangeNext(_), false) => "when there is no element",
                Way::If(_, true) => "when this holds",
                _ => "when this does not hold",
            },
            range,
        ))
    }

    /// The place that a fix has to do something about.
    pub(crate) fn leak_point(&self) -> LeakPoint {
        LeakPoint {
            stmt: self.exit,
            kind: LeakKind::Return,
            operands_touch: false,
        }
    }
}

/// What conditions were found to be, by their keys.
type Assumed = Vec<(u64, bool)>;

struct Pending<S> {
    block: BlockId,
    node: usize,
    state: S,
    assumed: Assumed,
    decision: Option<(Way, TextRange)>,
}

/// Searches all paths from a place on, and gives the first one found for each end. `None` if there were too many to look at.
pub(crate) fn search<Q: Question>(
    f: &Function<'_>,
    start: (BlockId, usize),
    state: Q::State,
    question: &mut Q,
) -> Option<Vec<Ending<Q::State>>> {
    let mut endings: Vec<Ending<Q::State>> = Vec::new();
    let mut seen: FxHashSet<(BlockId, Q::State, Assumed)> = FxHashSet::default();
    let mut work = vec![Pending {
        block: start.0,
        node: start.1,
        state,
        assumed: Vec::new(),
        decision: None,
    }];
    'paths: while let Some(mut path) = work.pop() {
        if path.node == 0 && !seen.insert((path.block, path.state.clone(), path.assumed.clone())) {
            continue;
        }
        if seen.len() > MAX_STATES {
            tracing::debug!(
                function = f.name(),
                "too many paths for the goroutine engine"
            );
            return None;
        }
        let block = &f.cfg[path.block];
        let mut found = |exit: Option<StmtId>, range, path: &Pending<Q::State>| {
            if !endings.iter().any(|e| e.exit == exit && e.range == range) {
                endings.push(Ending {
                    exit,
                    range,
                    decision: path.decision,
                    state: path.state.clone(),
                });
            }
        };
        for node in &block.nodes[path.node.min(block.nodes.len())..] {
            match question.at(path.block, Item::Node(*node), &mut path.state) {
                Flow::On => {}
                Flow::Stop => continue 'paths,
                Flow::Found => {
                    found(None, node_range(f, *node), &path);
                    continue 'paths;
                }
            }
            forget(f, *node, &mut path.assumed);
            learn(f, *node, &mut path.assumed);
        }
        match &block.terminator {
            Terminator::Return(stmt) => {
                if question.at(path.block, Item::Return(*stmt), &mut path.state) == Flow::Found {
                    let range = stmt.map_or(f.end_range(), |s| f.tree[s].range);
                    found(*stmt, range, &path);
                }
            }
            Terminator::Jump(to) => {
                go(question, &path, *to, Way::Jump, &mut work);
            }
            Terminator::Branch { cond, then, els } => {
                let key = key_of(f, *cond);
                for (to, holds) in [(*els, false), (*then, true)] {
                    if matches!(cond, Cond::RangeNext(s) if !holds && f.never_ends(*s)) {
                        continue;
                    }
                    let mut next = Pending {
                        block: path.block,
                        node: 0,
                        state: path.state.clone(),
                        assumed: path.assumed.clone(),
                        decision: Some((Way::If(*cond, holds), cond_range(f, *cond))),
                    };
                    if let Some(key) = &key {
                        let value = holds != key.negated;
                        match next.assumed.iter().find(|(k, _)| *k == key.hash) {
                            Some((_, known)) if *known != value => continue,
                            Some(_) => {}
                            None => {
                                next.assumed.push((key.hash, value));
                                next.assumed.sort_unstable();
                            }
                        }
                    }
                    go(question, &next, to, Way::If(*cond, holds), &mut work);
                }
            }
            Terminator::Select { stmt, arms } => {
                let StmtKind::Select { cases } = &f.tree[*stmt].kind else {
                    continue;
                };
                for (i, to) in arms.iter().enumerate().rev() {
                    let range = cases.get(i).map_or(f.tree[*stmt].range, |case| {
                        let end = case
                            .comm
                            .map_or(case.range.start(), |c| f.tree[c].range.end());
                        TextRange::new(case.range.start(), end.max(case.range.start()))
                    });
                    let next = Pending {
                        block: path.block,
                        node: 0,
                        state: path.state.clone(),
                        assumed: path.assumed.clone(),
                        decision: Some((Way::Arm(*stmt, i), range)),
                    };
                    go(question, &next, *to, Way::Arm(*stmt, i), &mut work);
                }
            }
            // The process or the goroutine ends, or nothing follows.
            Terminator::NoReturn { .. } | Terminator::Stuck => {}
        }
    }
    endings.sort_by_key(|e| e.range.start());
    Some(endings)
}

fn go<Q: Question>(
    question: &mut Q,
    path: &Pending<Q::State>,
    to: BlockId,
    way: Way,
    work: &mut Vec<Pending<Q::State>>,
) {
    let mut state = path.state.clone();
    if !question.along(path.block, to, way, &mut state) {
        return;
    }
    work.push(Pending {
        block: to,
        node: 0,
        state,
        assumed: path.assumed.clone(),
        decision: path.decision,
    });
}

/// The key of a condition that is asked more than once.
fn key_of(f: &Function<'_>, cond: Cond) -> Option<CondKey> {
    let key = match cond {
        Cond::Expr(e) => cond_key(f.tree, f.facts, e)?,
        Cond::CaseEquals { tag, value } => equals_key(f.tree, f.facts, tag, value)?,
        Cond::TypeCase { .. } | Cond::RangeNext(_) => return None,
    };
    f.is_repeated(key.hash).then_some(key)
}

/// What was known of a variable that gets another value is not known any more.
fn forget(f: &Function<'_>, node: Node, assumed: &mut Assumed) {
    if assumed.is_empty() {
        return;
    }
    let mut drop = |local: LocalId| {
        let keys = f.keys_of(local);
        assumed.retain(|(key, _)| !keys.contains(key));
    };
    match node {
        Node::Stmt(stmt) => match &f.tree[stmt].kind {
            StmtKind::Assign { lhs, .. } => {
                for target in lhs {
                    match f.place(*target) {
                        Some(place) => drop(place.local),
                        None => {
                            if let Some(Res::Local(local)) = f.facts.refs.get(*target) {
                                drop(*local);
                            }
                        }
                    }
                }
            }
            StmtKind::IncDec { operand, .. } => {
                if let Some(place) = f.place(*operand) {
                    drop(place.local);
                }
            }
            StmtKind::Var(specs) => {
                for name in specs.iter().flat_map(|s| s.names.iter()) {
                    if let Some(local) = f.declared_at(name.range) {
                        drop(local);
                    }
                }
            }
            _ => {}
        },
        Node::RangeBind(stmt) => {
            if let StmtKind::Range { key, value, .. } = &f.tree[stmt].kind {
                for e in [key, value].into_iter().flatten() {
                    if let Some(Res::Local(local)) = f.facts.refs.get(f.tree.unparen(*e)) {
                        drop(*local);
                    }
                }
            }
        }
        _ => {}
    }
}

/// A boolean variable that is set to a constant is known from there on.
fn learn(f: &Function<'_>, node: Node, assumed: &mut Assumed) {
    let Node::Stmt(stmt) = node else { return };
    let mut set = |local: LocalId, value: bool| {
        if let Some(key) = f.bool_key(local).filter(|_| !f.d.is_set_by_closure(local)) {
            assumed.retain(|(known, _)| *known != key);
            assumed.push((key, value));
            assumed.sort_unstable();
        }
    };
    let constant = |e| match f.facts.refs.get(f.tree.unparen(e)) {
        Some(Res::Bool(value)) => Some(*value),
        _ => None,
    };
    match &f.tree[stmt].kind {
        StmtKind::Assign {
            lhs,
            op: AssignOp::Define | AssignOp::Assign,
            rhs,
        } if lhs.len() == rhs.len() => {
            for (target, value) in lhs.iter().zip(rhs.iter()) {
                if let Some(Res::Local(local)) = f.facts.refs.get(f.tree.unparen(*target))
                    && let Some(value) = constant(*value)
                {
                    set(*local, value);
                }
            }
        }
        StmtKind::Var(specs) => {
            for spec in specs {
                for (i, name) in spec.names.iter().enumerate() {
                    let value = match spec.values.get(i) {
                        Some(value) if spec.values.len() == spec.names.len() => constant(*value),
                        Some(_) => None,
                        None => spec.values.is_empty().then_some(false),
                    };
                    if let (Some(local), Some(value)) = (f.declared_at(name.range), value) {
                        set(local, value);
                    }
                }
            }
        }
        _ => {}
    }
}

fn node_range(f: &Function<'_>, node: Node) -> TextRange {
    match node {
        Node::Stmt(s) | Node::Defer(s) | Node::RangeBind(s) | Node::TypeBind(s, _) => {
            f.head_range(s)
        }
        Node::Eval(e) => f.tree[e].range,
    }
}

fn cond_range(f: &Function<'_>, cond: Cond) -> TextRange {
    match cond {
        Cond::Expr(e) => f.tree[e].range,
        Cond::CaseEquals { value, .. } => f.tree[value].range,
        Cond::TypeCase { stmt, .. } | Cond::RangeNext(stmt) => f.head_range(stmt),
    }
}
