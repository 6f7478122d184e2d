//! What functions of the package do with channels that they are given.

use std::sync::Arc;

use go_model::cfg::{BlockId, Node};
use go_model::db::{Db, DeclId, decl_tree};
use go_model::facts::{Callee, LocalId};
use go_model::package::package_of_decl;
use go_model::types::TyKind;
use go_syntax::ast::{ExprId, StmtId};
use go_syntax::{Literals, NodeId, TextRange};

use super::paths::{self, Flow, Item, Question, Way};
use super::uses::{Op, OpKind, Run, Runner, Uses, is_builtin};
use crate::engine::facts;
use crate::engine::function::{Declaration, Depth, Function};

/// How deep helpers are looked into.
const MAX_HELPERS: u32 = 3;

/// What a declared function does with a channel that it is given.
///
/// Architecture invariant: places are relative to their declaration, so that a value stays equal when code moves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Effect {
    pub(super) unknown: bool,
    pub(super) receives: bool,
    pub(super) closes: bool,
    pub(super) sends: bool,
    /// The most sends on one path; `None` if not known.
    pub(super) most: Option<Sends>,
    /// Where it sends.
    pub(super) place: Option<(DeclId, TextRange)>,
}

/// What the function that a call calls does with an argument.
pub(super) fn effect_of_call(
    d: &Declaration<'_>,
    call: ExprId,
    index: usize,
    depth: u32,
) -> Effect {
    let unknown = Effect {
        unknown: true,
        ..Effect::default()
    };
    let callee = match d.facts.callees.get(call) {
        Some(callee @ (Callee::Func(_) | Callee::Method(_))) => callee,
        _ => return unknown,
    };
    if matches!(callee, Callee::Method(m) if m.interface) || depth >= MAX_HELPERS {
        return unknown;
    }
    let Some(decl) = go_model::summary::callee_decl(d.db, d.decl, callee) else {
        return unknown;
    };
    if package_of_decl(d.db, decl) != package_of_decl(d.db, d.decl) {
        return unknown;
    }
    effects(d.db, decl, depth)
        .get(index)
        .cloned()
        .flatten()
        .unwrap_or(unknown)
}

/// What a declared function does with each of its parameters, in order; `None` for one that is no channel or of which nothing is known.
///
/// Asked for with a depth, so that functions that call each other come to an end.
#[salsa::tracked(returns(clone))]
fn effects(db: &dyn Db, decl: DeclId, depth: u32) -> Arc<Vec<Option<Effect>>> {
    let tree = decl_tree(db, decl);
    let Some(func) = tree.func().filter(|_| !tree.has_error) else {
        return Arc::default();
    };
    let facts = facts(db, decl);
    let callee = Declaration::new(db, decl, &tree, &facts, Depth::Full);
    let uses = Uses::new(&callee);
    let params = func.signature.params.iter().zip(&facts.params);
    Arc::new(
        params
            .map(|(param, local)| match local {
                // Unnamed: nothing is done with it.
                None => Some(Effect::default()),
                Some(local) => {
                    let l = &facts.locals[*local];
                    let followed = matches!(l.ty.kind(), TyKind::Chan(..))
                        && !param.variadic
                        && l.assignments <= 1
                        && !l.address_taken;
                    followed.then(|| effect_of(&uses, *local, depth)).flatten()
                }
            })
            .collect(),
    )
}

fn effect_of(uses: &Uses<'_, '_>, local: LocalId, depth: u32) -> Option<Effect> {
    let callee = uses.d;
    let mut ops = Vec::new();
    uses.collect(local, 0, &mut ops);
    let mut effect = Effect {
        most: Some(Sends::NONE),
        ..Effect::default()
    };
    let mut sends = Vec::new();
    for op in &ops {
        let runner = uses.runner(op.literal, None);
        match op.kind {
            OpKind::Escapes => return None,
            OpKind::Measure => {}
            OpKind::Send if op.optional => {}
            OpKind::Send => {
                effect.sends = true;
                let range = callee.tree[op.stmt].range;
                effect.place.get_or_insert((callee.decl, range));
                if runner == Runner::Own(false) {
                    sends.push(*op);
                } else {
                    effect.most = None;
                }
            }
            OpKind::Receive | OpKind::Range => effect.receives = true,
            OpKind::Close => effect.closes = true,
            OpKind::Given { call, index } => {
                let inner = effect_of_call(callee, call, index, depth + 1);
                if inner.unknown {
                    return None;
                }
                effect.receives |= inner.receives;
                effect.closes |= inner.closes;
                if inner.sends {
                    effect.sends = true;
                    effect.most = None;
                }
            }
        }
    }
    if effect.most.is_some() {
        effect.most = count(callee, uses, None, &sends, &|_| false);
    }
    Some(effect)
}

pub(super) fn count(
    d: &Declaration<'_>,
    uses: &Uses<'_, '_>,
    literal: Option<ExprId>,
    sends: &[Op],
    gate: &dyn Fn(ExprId) -> bool,
) -> Option<Sends> {
    struct Count<'q, 'd, 'a> {
        uses: &'q Uses<'d, 'a>,
        sends: Vec<StmtId>,
        gate: &'q dyn Fn(ExprId) -> bool,
        most: u8,
    }
    impl Question for Count<'_, '_, '_> {
        type State = u8;
        fn at(&mut self, _: BlockId, item: Item, state: &mut u8) -> Flow {
            let Item::Node(node) = item else {
                return Flow::On;
            };
            let root: NodeId = match node {
                Node::Stmt(s) | Node::Defer(s) => s.into(),
                Node::Eval(e) => e.into(),
                Node::RangeBind(_) | Node::TypeBind(..) => return Flow::On,
            };
            for id in self.uses.nodes(root) {
                match id {
                    NodeId::Expr(e) if (self.gate)(e) => return Flow::Stop,
                    NodeId::Stmt(s) if self.sends.contains(&s) => {
                        *state = (*state + 1).min(4);
                        self.most = self.most.max(*state);
                    }
                    _ => {}
                }
            }
            Flow::On
        }
        fn along(&mut self, _: BlockId, _: BlockId, _: Way, _: &mut u8) -> bool {
            true
        }
    }
    let cfg = d.cfg(literal)?;
    if cfg.truncated {
        return None;
    }
    let f = Function::new(d, literal, &cfg);
    let mut stmts = Vec::new();
    let mut floor = 0;
    let mut exact = true;
    for op in sends {
        // A deferred send counts where it is registered; one of a recovered panic is sent in place of the others.
        let stmt = match op.literal {
            l if l == literal => op.stmt,
            Some(l) => match uses.run(l) {
                Run::Deferred(_) if recovers(d, l) => {
                    floor = 1;
                    continue;
                }
                Run::Deferred(site) => site.stmt,
                _ => return None,
            },
            None => return None,
        };
        let Some((block, _)) = f.cfg.position_of(stmt) else {
            continue;
        };
        // How often is not known, but what is sent outside of loops is sent in any case.
        if f.cfg.repeating_loop(block).is_some() {
            exact = false;
            continue;
        }
        stmts.push(stmt);
    }
    let mut question = Count {
        uses,
        sends: stmts,
        gate,
        most: 0,
    };
    paths::search(&f, (f.cfg.entry, 0), 0, &mut question)?;
    let most = question.most.max(floor);
    (exact || most > 0).then_some(Sends { most, exact })
}

/// How many sends there are on one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sends {
    pub(super) most: u8,
    /// There are no more.
    pub(super) exact: bool,
}

impl Sends {
    pub(super) const NONE: Self = Self {
        most: 0,
        exact: true,
    };
}

/// Whether a literal asks for a panic.
fn recovers(d: &Declaration<'_>, literal: ExprId) -> bool {
    d.tree
        .walk(literal, Literals::Enter)
        .any(|id| id.expr().is_some_and(|e| is_builtin(d, e, "recover")))
}
