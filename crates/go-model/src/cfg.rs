//! Control-flow graphs.
//!
//! One graph per function declaration and per function literal. Conditions are taken apart: `a && b`, `a || b` and `!a` become
//! edges, so that every [`Cond`] is atomic and each edge knows exactly what held when it was taken.
//!
//! What the graph does not say: a panic inside an ordinary expression, and the order of evaluation inside one statement. The
//! right-hand sides of `&&` and `||` that are not conditions (`ok := a && f()`) stay inside their statement.

#![allow(missing_docs)] // What salsa's macros generate has no documentation.

use std::fmt::Write as _;
use std::sync::Arc;

use go_syntax::ast::{DeclTree, ExprId, StmtId};
use la_arena::{Arena, ArenaMap, Idx};

use crate::db::{Db, DeclId, decl_tree};
use crate::facts::Res;
use crate::noreturn;

mod build;
#[cfg(test)]
mod tests;

pub use build::{build, build_with};

/// The graph of a declared function, or of a literal in it. Calls that never return are known from the table of known packages and
/// from the bodies of the package. `None` if there is no body.
#[salsa::tracked(returns(clone))]
pub fn cfg_of(db: &dyn Db, decl: DeclId, literal: Option<ExprId>) -> Option<Arc<Cfg>> {
    let tree = decl_tree(db, decl);
    let body = match literal {
        Some(id) => &tree.func_lit(id)?.body,
        None => tree.func()?.body.as_ref()?,
    };
    let facts = crate::infer::facts(db, decl);
    let calls = noreturn::Calls::new(db, decl, &tree, &facts);
    let no_return = |call| calls.get(call);
    let constant = |cond| match facts.refs.get(cond) {
        Some(Res::Bool(value)) => Some(*value),
        _ => None,
    };
    Some(Arc::new(build_with(&tree, body, &no_return, &constant)))
}

/// Index of a basic block.
pub type BlockId = Idx<BasicBlock>;

/// The graph of one function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cfg {
    /// All blocks, unreachable ones included. Walk from `entry` to see only what can run.
    pub blocks: Arena<BasicBlock>,
    /// Where the function begins.
    pub entry: BlockId,
    /// All `defer` statements of the function, in source order.
    pub defers: Vec<StmtId>,
    /// All loops; an outer one comes before the ones inside it, except that loops made with `goto` come last.
    pub loops: Vec<Loop>,
    /// The function was nested too deeply to be drawn; it ends in [`Terminator::Stuck`] early.
    pub truncated: bool,
}

/// A loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loop {
    /// The `for` or `range` statement, or the labelled statement that a `goto` jumps back to.
    pub stmt: StmtId,
    /// The block every further iteration goes through: where the condition (or the range) is asked again.
    pub header: BlockId,
    /// The block of the post statement of a `for`, through which each further iteration comes.
    pub post: Option<BlockId>,
    /// The loop around it.
    pub parent: Option<StmtId>,
}

/// Straight-line code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasicBlock {
    /// What happens, in order.
    pub nodes: Vec<Node>,
    /// How it ends.
    pub terminator: Terminator,
    /// The innermost loop statement (`for`, `range`, or a label jumped back to) that the block belongs to by its place in the
    /// source: the part of a loop body that always leaves the loop belongs to it too, which [`Cfg::comes_round`] tells apart.
    pub in_loop: Option<StmtId>,
    /// The `break`, `continue` or `goto` that ends it.
    pub left_by: Option<StmtId>,
}

/// A step in a basic block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// A simple statement: expression, send, increment, assignment, `go`, `var`; also the communication of a select's arm.
    Stmt(StmtId),
    /// A `defer` is registered (its call runs at the exits behind it).
    Defer(StmtId),
    /// An expression is evaluated: a condition, a switch tag, the subject of a type switch, the operand of a range, a case
    /// expression.
    Eval(ExprId),
    /// The variables of a `range` get their values.
    RangeBind(StmtId),
    /// The variable of a type switch gets its value in the given case.
    TypeBind(StmtId, u32),
}

/// How a basic block ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Terminator {
    /// Goes on there.
    Jump(BlockId),
    /// Two ways.
    Branch {
        /// What decides. Its operands were evaluated by the nodes before.
        cond: Cond,
        /// If it holds.
        then: BlockId,
        /// If not.
        els: BlockId,
    },
    /// One of several, and nothing more is known: select arms (each target block begins with the arm's communication).
    Select {
        /// The statement.
        stmt: StmtId,
        /// One target per case, in order; empty for `select {}`.
        arms: Vec<BlockId>,
    },
    /// A return statement, or the end of the body (`None`). Its operands were not evaluated by a node before.
    Return(Option<StmtId>),
    /// The call never returns (`panic`, `os.Exit`, `log.Fatal`, `t.Fatal`, helpers found so). Deferred calls run for `panic` and
    /// `runtime.Goexit` only, which `unwinds` says. The statement that contains the call is not a node.
    NoReturn {
        /// The call.
        call: ExprId,
        /// Whether deferred calls run.
        unwinds: bool,
    },
    /// Nothing follows: an empty loop without an exit, a jump to a label that does not exist.
    Stuck,
}

/// How a call that never returns ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct NoReturn {
    /// Whether deferred calls run: `panic`, `runtime.Goexit` and what is built on them (`t.FailNow`), not `os.Exit`.
    pub unwinds: bool,
}

/// An atomic condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cond {
    /// A boolean expression without `!`, `&&`, `||` or parentheses at its top.
    Expr(ExprId),
    /// `tag == value` of a `switch tag { case value: }`.
    CaseEquals {
        /// The tag.
        tag: ExprId,
        /// The case's expression.
        value: ExprId,
    },
    /// The subject of a type switch has one of the types of case number `case`.
    TypeCase {
        /// The type switch.
        stmt: StmtId,
        /// Index of the case.
        case: u32,
    },
    /// The range has another element.
    RangeNext(StmtId),
}

impl Terminator {
    /// Calls `f` with every block that may follow.
    pub fn for_each_successor(&self, mut f: impl FnMut(BlockId)) {
        match self {
            Terminator::Jump(to) => f(*to),
            Terminator::Branch { then, els, .. } => {
                f(*then);
                f(*els);
            }
            Terminator::Select { arms, .. } => arms.iter().copied().for_each(f),
            Terminator::Return(_) | Terminator::NoReturn { .. } | Terminator::Stuck => {}
        }
    }

    /// The blocks that may follow, in the order of the source.
    pub fn successors(&self) -> Vec<BlockId> {
        let mut all = Vec::new();
        self.for_each_successor(|b| all.push(b));
        all
    }
}

impl std::ops::Index<BlockId> for Cfg {
    type Output = BasicBlock;
    fn index(&self, id: BlockId) -> &BasicBlock {
        &self.blocks[id]
    }
}

/// A set of blocks of one graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockSet {
    words: Vec<u64>,
}

impl BlockSet {
    /// The empty set for a graph of `blocks` blocks.
    pub fn new(blocks: usize) -> Self {
        Self {
            words: vec![0; blocks.div_ceil(64)],
        }
    }

    /// Adds a block; `false` if it was there.
    pub fn insert(&mut self, block: BlockId) -> bool {
        let i = raw(block);
        let word = &mut self.words[i / 64];
        let before = *word;
        *word |= 1 << (i % 64);
        before != *word
    }

    /// Whether the block is in the set.
    pub fn contains(&self, block: BlockId) -> bool {
        let i = raw(block);
        self.words
            .get(i / 64)
            .is_some_and(|w| w & (1 << (i % 64)) != 0)
    }

    /// How many blocks are in the set.
    pub fn len(&self) -> usize {
        self.words.iter().map(|w| w.count_ones() as usize).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|w| *w == 0)
    }

    /// Its blocks in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = BlockId> + '_ {
        self.words.iter().enumerate().flat_map(|(i, w)| {
            (0..64)
                .filter(move |bit| w & (1u64 << bit) != 0)
                .map(move |bit| block_id(i * 64 + bit))
        })
    }
}

fn raw(block: BlockId) -> usize {
    block.into_raw().into_u32() as usize
}

fn block_id(index: usize) -> BlockId {
    BlockId::from_raw(la_arena::RawIdx::from_u32(index as u32))
}

/// Who dominates whom. Unreachable blocks have no dominator and dominate nothing but themselves.
#[derive(Debug, Clone)]
pub struct Dominators {
    /// Immediate dominator by block; the entry's is itself, `u32::MAX` for unreachable blocks.
    idom: Vec<u32>,
    /// Position in reverse post-order by block; `u32::MAX` for unreachable ones.
    order: Vec<u32>,
}

impl Dominators {
    /// The immediate dominator; `None` for the entry and for unreachable blocks.
    pub fn immediate(&self, block: BlockId) -> Option<BlockId> {
        let i = self.idom[raw(block)];
        (i != u32::MAX && i as usize != raw(block)).then(|| block_id(i as usize))
    }

    /// Whether every path from the entry to `b` passes `a` (a block dominates itself).
    pub fn dominates(&self, a: BlockId, b: BlockId) -> bool {
        if a == b {
            return true;
        }
        let (a, mut b) = (raw(a), raw(b));
        if self.order[a] == u32::MAX || self.order[b] == u32::MAX {
            return false;
        }
        while self.order[b] > self.order[a] {
            b = self.idom[b] as usize;
        }
        a == b
    }
}

impl Cfg {
    /// Predecessors of each block; those of unreachable blocks count too.
    pub fn predecessors(&self) -> ArenaMap<BlockId, Vec<BlockId>> {
        let mut preds: ArenaMap<BlockId, Vec<BlockId>> = ArenaMap::with_capacity(self.blocks.len());
        for (id, _) in self.blocks.iter() {
            preds.insert(id, Vec::new());
        }
        for (id, block) in self.blocks.iter() {
            block.terminator.for_each_successor(|to| {
                if let Some(list) = preds.get_mut(to)
                    && list.last() != Some(&id)
                {
                    list.push(id);
                }
            });
        }
        preds
    }

    /// The reachable blocks in reverse post-order: a block comes before its successors except along back edges.
    pub fn reverse_post_order(&self) -> Vec<BlockId> {
        let mut seen = BlockSet::new(self.blocks.len());
        let mut post = Vec::with_capacity(self.blocks.len());
        let mut stack = vec![(
            self.entry,
            self.blocks[self.entry].terminator.successors(),
            0,
        )];
        seen.insert(self.entry);
        while let Some((block, successors, next)) = stack.last_mut() {
            // Last successor first, so that the reversed order reads like the source.
            if *next < successors.len() {
                let to = successors[successors.len() - 1 - *next];
                *next += 1;
                if seen.insert(to) {
                    stack.push((to, self.blocks[to].terminator.successors(), 0));
                }
            } else {
                post.push(*block);
                stack.pop();
            }
        }
        post.reverse();
        post
    }

    /// The dominator tree.
    pub fn dominators(&self) -> Dominators {
        let rpo = self.reverse_post_order();
        let n = self.blocks.len();
        let mut order = vec![u32::MAX; n];
        for (i, b) in rpo.iter().enumerate() {
            order[raw(*b)] = i as u32;
        }
        let preds = self.predecessors();
        let mut idom = vec![u32::MAX; n];
        idom[raw(self.entry)] = raw(self.entry) as u32;
        let mut changed = true;
        while changed {
            changed = false;
            for &b in rpo.iter().skip(1) {
                let mut new = u32::MAX;
                for p in preds.get(b).into_iter().flatten() {
                    let p = raw(*p);
                    if idom[p] == u32::MAX {
                        continue;
                    }
                    new = if new == u32::MAX {
                        p as u32
                    } else {
                        let (mut x, mut y) = (p, new as usize);
                        while x != y {
                            while order[x] > order[y] {
                                x = idom[x] as usize;
                            }
                            while order[y] > order[x] {
                                y = idom[y] as usize;
                            }
                        }
                        x as u32
                    };
                }
                if idom[raw(b)] != new {
                    idom[raw(b)] = new;
                    changed = true;
                }
            }
        }
        Dominators { idom, order }
    }

    /// The edges that close a loop: the target dominates the source.
    pub fn back_edges(&self, dominators: &Dominators) -> Vec<(BlockId, BlockId)> {
        let mut edges = Vec::new();
        for (id, block) in self.blocks.iter() {
            if dominators.order[raw(id)] == u32::MAX {
                continue;
            }
            block.terminator.for_each_successor(|to| {
                if dominators.dominates(to, id) {
                    edges.push((id, to));
                }
            });
        }
        edges
    }

    /// The natural loop of a back edge: every block from which the edge is reached without passing its target first.
    pub fn natural_loop(&self, edge: (BlockId, BlockId)) -> BlockSet {
        let preds = self.predecessors();
        let mut set = BlockSet::new(self.blocks.len());
        set.insert(edge.1);
        let mut stack = vec![edge.0];
        while let Some(b) = stack.pop() {
            if set.insert(b) {
                stack.extend(preds.get(b).into_iter().flatten());
            }
        }
        set
    }

    /// Everything that can run after `from` has begun, `from` included.
    pub fn reachable_from(&self, from: BlockId) -> BlockSet {
        self.reach(from, |_| true)
    }

    /// Everything that can run.
    pub fn reachable(&self) -> BlockSet {
        self.reachable_from(self.entry)
    }

    fn reach(&self, from: BlockId, within: impl Fn(BlockId) -> bool) -> BlockSet {
        let mut set = BlockSet::new(self.blocks.len());
        let mut stack = vec![from];
        set.insert(from);
        while let Some(b) = stack.pop() {
            self.blocks[b].terminator.for_each_successor(|to| {
                if within(to) && set.insert(to) {
                    stack.push(to);
                }
            });
        }
        set
    }

    /// The loop made by `stmt`.
    pub fn loop_of(&self, stmt: StmtId) -> Option<&Loop> {
        self.loops.iter().find(|l| l.stmt == stmt)
    }

    /// The loops that contain a block, innermost first.
    pub fn loops_containing(&self, block: BlockId) -> impl Iterator<Item = &Loop> + '_ {
        let mut next = self.blocks[block].in_loop;
        // Parents are acyclic by construction; the bound only guards against a mistake there.
        let mut left = self.loops.len();
        std::iter::from_fn(move || {
            let found = self.loop_of(next?)?;
            left = left.checked_sub(1)?;
            next = found.parent;
            Some(found)
        })
    }

    /// Whether `block` belongs to the loop of `stmt`, at whatever depth.
    pub fn is_in_loop(&self, block: BlockId, stmt: StmtId) -> bool {
        self.loops_containing(block).any(|l| l.stmt == stmt)
    }

    /// Whether the loop of `stmt` can begin another iteration after `block` was run: its back edge is reachable from there
    /// without leaving the loop.
    pub fn comes_round(&self, block: BlockId, stmt: StmtId) -> bool {
        let Some(l) = self.loop_of(stmt) else {
            return false;
        };
        let header = l.header;
        let mut seen = BlockSet::new(self.blocks.len());
        let mut stack = vec![block];
        let mut found = false;
        while let Some(b) = stack.pop() {
            self.blocks[b].terminator.for_each_successor(|to| {
                if to == header {
                    found = true;
                } else if seen.insert(to) && self.is_in_loop(to, stmt) {
                    stack.push(to);
                }
            });
            if found {
                return true;
            }
        }
        false
    }

    /// The innermost loop around `block` that can begin another iteration after it.
    pub fn repeating_loop(&self, block: BlockId) -> Option<&Loop> {
        self.loops_containing(block)
            .find(|l| self.comes_round(block, l.stmt))
    }

    /// Where a statement is a node: its block and its place in the block's `nodes`. A `return` is a terminator and found with
    /// place `nodes.len()`. Compound statements are not nodes.
    pub fn position_of(&self, stmt: StmtId) -> Option<(BlockId, usize)> {
        for (id, block) in self.blocks.iter() {
            for (i, node) in block.nodes.iter().enumerate() {
                if matches!(node, Node::Stmt(s) | Node::Defer(s) if *s == stmt) {
                    return Some((id, i));
                }
            }
            if block.terminator == Terminator::Return(Some(stmt)) {
                return Some((id, block.nodes.len()));
            }
        }
        None
    }

    /// The reachable blocks that end the function normally: a return, or the end of the body.
    pub fn returns(&self) -> Vec<BlockId> {
        self.reachable()
            .iter()
            .filter(|b| matches!(self.blocks[*b].terminator, Terminator::Return(_)))
            .collect()
    }

    /// Whether control can never come back to the caller in the ordinary way.
    pub fn never_returns(&self) -> bool {
        !self.truncated
            && !self
                .reachable()
                .iter()
                .any(|b| matches!(self.blocks[b].terminator, Terminator::Return(_)))
    }

    /// The graph as text, for tests and bug reports. Blocks are numbered in reverse post-order; unreachable ones with code in
    /// them follow, marked `dead`. `text` is the text of the declaration.
    pub fn dump(&self, tree: &DeclTree, text: &str) -> String {
        let mut order = self.reverse_post_order();
        let live = order.len();
        let reachable = self.reachable();
        order.extend(
            self.blocks
                .iter()
                .map(|(id, _)| id)
                .filter(|id| !reachable.contains(*id)),
        );
        let mut number = vec![0; self.blocks.len()];
        for (i, b) in order.iter().enumerate() {
            number[raw(*b)] = i;
        }
        let show = |range: text_size::TextRange| {
            let s = text.get(std::ops::Range::from(range)).unwrap_or("?");
            let line = s.lines().next().unwrap_or("").trim_end();
            let more = if s.lines().nth(1).is_some() {
                " …"
            } else {
                ""
            };
            format!("{line}{more}")
        };
        let expr = |id: ExprId| show(tree[id].range);
        let stmt = |id: StmtId| show(tree[id].range);
        let mut out = String::new();
        for (i, id) in order.iter().enumerate() {
            let block = &self.blocks[*id];
            let _ = write!(out, "b{i}");
            if i >= live {
                out.push_str(" dead");
            }
            if let Some(l) = block.in_loop {
                let at = self.loop_of(l).map_or(0, |l| number[raw(l.header)]);
                let _ = write!(out, " in loop b{at}");
            }
            out.push_str(":\n");
            for node in &block.nodes {
                let _ = match node {
                    Node::Stmt(s) => writeln!(out, "    {}", stmt(*s)),
                    Node::Defer(s) => writeln!(out, "    register {}", stmt(*s)),
                    Node::Eval(e) => writeln!(out, "    eval {}", expr(*e)),
                    Node::RangeBind(_) => writeln!(out, "    bind range"),
                    Node::TypeBind(_, case) => writeln!(out, "    bind case {case}"),
                };
            }
            let to = |b: BlockId| format!("b{}", number[raw(b)]);
            let _ = match &block.terminator {
                Terminator::Jump(b) => writeln!(out, "    -> {}", to(*b)),
                Terminator::Branch { cond, then, els } => {
                    let cond = match cond {
                        Cond::Expr(e) => expr(*e),
                        Cond::CaseEquals { tag, value } => {
                            format!("{} == {}", expr(*tag), expr(*value))
                        }
                        Cond::TypeCase { case, .. } => format!("type case {case}"),
                        Cond::RangeNext(_) => "next".to_owned(),
                    };
                    writeln!(out, "    if {cond} -> {} else {}", to(*then), to(*els))
                }
                Terminator::Select { arms, .. } => {
                    let arms: Vec<_> = arms.iter().map(|b| to(*b)).collect();
                    writeln!(out, "    select -> [{}]", arms.join(", "))
                }
                Terminator::Return(Some(s)) => writeln!(out, "    {}", stmt(*s)),
                Terminator::Return(None) => writeln!(out, "    end"),
                Terminator::NoReturn { call, unwinds } => {
                    let how = if *unwinds { "unwinds" } else { "exits" };
                    writeln!(out, "    {how}: {}", expr(*call))
                }
                Terminator::Stuck => writeln!(out, "    stuck"),
            };
        }
        out
    }
}
