//! Contexts that a function is given and does not look at.
//!
//! Architecture invariant: a context of which anything is asked, or that is handed on, is looked at. Only one that is not mentioned at
//! all, or of which only values are read, is ignored.

use go_model::cfg::{Cfg, Cond, Terminator};
use go_model::facts::{LocalId, Res};
use go_model::types::{Ty, TyKind};
use go_syntax::ast::{AssignOp, BinaryOp, DeclTree, ExprId, ExprKind, StmtId, StmtKind, UnaryOp};
use go_syntax::{Literals, NodeId};

use super::endless::ticks;
use super::if_it_may_run_often;
use super::uses::{Run, Uses};
use crate::Severity;
use crate::check::{CheckContext, RawFinding, RawRelated};
use crate::engine::find::{enclosing_literal, last_name};
use crate::engine::function::{Declaration, Function};
use crate::engine::pattern::{finding, functions, step};
use crate::engine::site::{FixSite, Pattern};

/// Loops of the functions themselves that wait in each round and do not look at the context that the function is given.
pub(crate) fn findings(cx: &CheckContext<'_>, rule: &'static str) -> Vec<RawFinding> {
    if !names_a_context(cx.tree) || !loops(cx.tree) {
        return Vec::new();
    }
    if_it_may_run_often(cx, |depth| {
        let d = cx.declaration(depth);
        let uses = Uses::new(d);
        let mut found = Vec::new();
        for literal in functions(cx.tree) {
            // What runs in a goroutine of its own is told where that is started.
            if literal.is_some_and(|l| matches!(uses.run(l), Run::Goroutine(_))) {
                continue;
            }
            let Some(context) = own_context(d, literal).filter(|c| is_ignored(d, *c)) else {
                continue;
            };
            let Some(cfg) = d.cfg(literal).filter(|cfg| !cfg.truncated) else {
                continue;
            };
            let f = Function::new(d, literal, &cfg);
            found.extend(look(cx, &f, context, rule));
        }
        found
    })
}

/// Goroutines that never end, started by functions that do not look at the context that they are given.
pub(crate) fn goroutines(cx: &CheckContext<'_>, rule: &'static str) -> Vec<RawFinding> {
    match names_a_context(cx.tree) {
        true => super::endless::findings(cx, rule),
        false => Vec::new(),
    }
}

/// Whether some parameter has a type called `Context`: a question before anything is resolved.
fn names_a_context(tree: &DeclTree) -> bool {
    let named = |params: &[go_syntax::ast::Param]| {
        (params.iter()).any(|p| {
            p.name.is_some_and(|n| !n.name.is_blank())
                && last_name(tree, p.ty).is_some_and(|n| n == "Context")
        })
    };
    tree.func().is_some_and(|f| named(&f.signature.params))
        || tree.exprs.iter().any(|(_, e)| match &e.kind {
            ExprKind::FuncLit(lit) => named(&lit.signature.params),
            _ => false,
        })
}

fn loops(tree: &DeclTree) -> bool {
    tree.stmts.iter().any(|(_, s)| {
        matches!(
            s.kind,
            StmtKind::For { cond: None, .. } | StmtKind::Range { .. }
        )
    })
}

/// The context that a function itself is given.
fn own_context(d: &Declaration<'_>, literal: Option<ExprId>) -> Option<LocalId> {
    let params = match literal {
        Some(literal) => &d.facts.literals.get(literal)?.params,
        None => &d.facts.params,
    };
    let is_context = |local: &&LocalId| {
        let l = &d.facts.locals[**local];
        l.ty.is_named("context", "Context") && !l.ident.name.is_blank()
    };
    params.iter().flatten().find(is_context).copied()
}

/// The context that the function, or the nearest one around it, is given and does not look at.
pub(super) fn ignored_context(d: &Declaration<'_>, literal: Option<ExprId>) -> Option<LocalId> {
    let mut at = literal;
    for _ in 0..32 {
        if let Some(context) = own_context(d, at) {
            return is_ignored(d, context).then_some(context);
        }
        at = d.facts.literals.get(at?)?.parent;
    }
    None
}

/// Whether nothing is done with a context but that values of it are read.
fn is_ignored(d: &Declaration<'_>, context: LocalId) -> bool {
    d.mentions(context).iter().all(|(mention, _)| {
        let Some(selector) = d.parent(*mention) else {
            return is_dropped(d, *mention);
        };
        let ExprKind::Selector { base, name } = &d.tree[selector].kind else {
            return false;
        };
        let called = d.parent(selector).is_some_and(
            |p| matches!(&d.tree[p].kind, ExprKind::Call { func, .. } if *func == selector),
        );
        *base == *mention && name.name == "Value" && called
    })
}

/// `_ = ctx`.
fn is_dropped(d: &Declaration<'_>, mention: ExprId) -> bool {
    d.tree.stmts.iter().any(|(_, s)| match &s.kind {
        StmtKind::Assign { lhs, rhs, .. } if lhs.len() == rhs.len() => (rhs.iter())
            .position(|e| d.tree.unparen(*e) == mention)
            .is_some_and(|i| d.tree.ident(lhs[i]).is_some_and(|n| n.name.is_blank())),
        _ => false,
    })
}

/// Whether something below a node has to do with any context, as far as its type is known.
pub(super) fn has_a_context(d: &Declaration<'_>, root: NodeId) -> bool {
    d.tree.walk(root, Literals::Enter).any(|id| {
        id.expr().is_some_and(|e| {
            let ty = match d.facts.refs.get(e) {
                Some(Res::Local(local)) => Some(&d.facts.locals[*local].ty),
                _ => d.facts.types.get(e),
            };
            ty.is_some_and(|ty| ty.is_named("context", "Context"))
        })
    })
}

fn look(
    cx: &CheckContext<'_>,
    f: &Function<'_>,
    context: LocalId,
    rule: &'static str,
) -> Vec<RawFinding> {
    let mut found = Vec::new();
    for l in &f.cfg.loops {
        let stmt = &f.tree[l.stmt];
        let goes_on = match stmt.kind {
            StmtKind::For {
                init: None,
                cond: None,
                post: None,
                ..
            } => true,
            StmtKind::Range { .. } => ticks(f, l.stmt),
            _ => false,
        };
        if !goes_on
            || enclosing_literal(f.tree, stmt.range) != f.literal
            || !f.cfg.reachable().contains(l.header)
            || has_a_context(f.d, l.stmt.into())
        {
            continue;
        }
        let Some(wait) = wait_of(f, l.stmt) else {
            continue;
        };
        if is_left(f, f.cfg, l.stmt) && (!wait.is_time(f) || is_bounded(f, l.stmt)) {
            continue;
        }
        found.push(loop_finding(cx, f, context, l.stmt, wait, rule));
    }
    found
}

/// What a loop waits for in each round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// `time.Sleep`, as a statement or deeper in one.
    Sleep(ExprId),
    Receive(ExprId),
    /// The loop itself, over a ticker's channel.
    Ticks(StmtId),
}

impl Wait {
    /// Whether only time has to pass.
    fn is_time(self, f: &Function<'_>) -> bool {
        match self {
            Self::Sleep(_) | Self::Ticks(_) => true,
            Self::Receive(e) => match f.tree[e].kind {
                ExprKind::Unary { operand, .. } => is_time_channel(f, operand),
                _ => false,
            },
        }
    }
}

fn is_time_channel(f: &Function<'_>, chan: ExprId) -> bool {
    let ty = f.facts.types.get(f.tree.unparen(chan));
    matches!(ty.map(Ty::kind), Some(TyKind::Chan(_, element)) if element.is_named("time", "Time"))
}

/// What a loop waits for in its own function, if it waits at one place only and not in a select.
pub(super) fn wait_of(f: &Function<'_>, looping: StmtId) -> Option<Wait> {
    let mut waits = Vec::new();
    if ticks(f, looping) {
        waits.push(Wait::Ticks(looping));
    }
    let body = match &f.tree[looping].kind {
        StmtKind::For { body, .. } | StmtKind::Range { body, .. } => body,
        _ => return None,
    };
    let roots = body.stmts.iter().map(|s| NodeId::Stmt(*s));
    for id in f.tree.walk_all(roots, Literals::Skip) {
        match id {
            NodeId::Expr(e) => match &f.tree[e].kind {
                ExprKind::Call { .. }
                    if f.target(e).is_some_and(|t| t.is_func("time", "Sleep")) =>
                {
                    waits.push(Wait::Sleep(e));
                }
                ExprKind::Unary {
                    op: UnaryOp::Receive,
                    ..
                } => waits.push(Wait::Receive(e)),
                _ => {}
            },
            // What else may come is another way out.
            NodeId::Stmt(s) => match &f.tree[s].kind {
                StmtKind::Select { .. } => return None,
                StmtKind::Range { over, .. } => {
                    let ty = f.facts.types.get(f.tree.unparen(*over))?;
                    if matches!(ty.kind(), TyKind::Chan(..)) {
                        return None;
                    }
                }
                _ => {}
            },
        }
    }
    waits.into_iter().next()
}

/// Whether a loop can be left.
fn is_left(f: &Function<'_>, cfg: &Cfg, stmt: StmtId) -> bool {
    let header = cfg.loop_of(stmt).map(|l| l.header);
    cfg.reachable().iter().any(|block| {
        if !cfg.is_in_loop(block, stmt) {
            return false;
        }
        let terminator = &cfg.blocks[block].terminator;
        if let Terminator::Branch {
            cond: Cond::RangeNext(s),
            ..
        } = terminator
            && *s == stmt
            && Some(block) == header
            && f.never_ends(*s)
        {
            return false;
        }
        let mut out = matches!(
            terminator,
            Terminator::Return(_) | Terminator::NoReturn { .. } | Terminator::Stuck
        );
        terminator.for_each_successor(|to| out |= !cfg.is_in_loop(to, stmt));
        out
    })
}

/// Whether something in a loop counts its rounds or looks at the clock: then it does not go on for ever.
fn is_bounded(f: &Function<'_>, looping: StmtId) -> bool {
    let range = f.tree[looping].range;
    let local = |e: ExprId| match f.facts.refs.get(f.tree.unparen(e)) {
        Some(Res::Local(local)) => Some(*local),
        _ => None,
    };
    let clock = f.tree.exprs.iter().any(|(id, e)| {
        range.contains_range(e.range)
            && match &e.kind {
                ExprKind::Call { .. } => f.target(id).is_some_and(|t| {
                    t.package == "time"
                        && match t.ty {
                            None => ["Now", "Since", "Until"].iter().any(|n| t.name == *n),
                            Some(ty) => ty == "Time",
                        }
                }),
                _ => false,
            }
    });
    // A field or an element that is counted, or a variable that is compared.
    let counts = f.tree.stmts.iter().any(|(_, s)| {
        range.contains_range(s.range)
            && match &s.kind {
                StmtKind::IncDec { operand, .. } => {
                    local(*operand).is_none_or(|l| is_compared(f, l, looping))
                }
                StmtKind::Assign {
                    lhs,
                    op: AssignOp::Op(BinaryOp::Add | BinaryOp::Sub),
                    ..
                } => (lhs.iter()).any(|e| local(*e).is_none_or(|l| is_compared(f, l, looping))),
                // `n = n + 1`, or what a condition asks is computed anew.
                StmtKind::Assign {
                    lhs,
                    op: AssignOp::Assign,
                    rhs,
                } => lhs.iter().zip(rhs).any(|(target, value)| {
                    matches!(
                        f.tree[f.tree.unparen(*value)].kind,
                        ExprKind::Binary {
                            op: BinaryOp::Add | BinaryOp::Sub,
                            ..
                        }
                    ) && local(*target).is_none_or(|l| is_compared(f, l, looping))
                }),
                _ => false,
            }
    });
    clock || counts
}

/// Whether a variable is an operand of a comparison in a loop.
fn is_compared(f: &Function<'_>, local: LocalId, looping: StmtId) -> bool {
    let range = f.tree[looping].range;
    f.tree.exprs.iter().any(|(_, e)| match &e.kind {
        ExprKind::Binary {
            op:
                BinaryOp::Eq
                | BinaryOp::Ne
                | BinaryOp::Lt
                | BinaryOp::Le
                | BinaryOp::Gt
                | BinaryOp::Ge,
            ..
        } if range.contains_range(e.range) => (f.d.mentions(local).iter())
            .any(|(mention, _)| e.range.contains_range(f.tree[*mention].range)),
        _ => false,
    })
}

fn loop_finding(
    cx: &CheckContext<'_>,
    f: &Function<'_>,
    context: LocalId,
    looping: StmtId,
    wait: Wait,
    rule: &'static str,
) -> RawFinding {
    let name = f.facts.locals[context].ident.name;
    let message = format!(
        "this loop waits in each round and goes on when `{name}` is done: nothing in `{}` looks at `{name}`",
        f.name()
    );
    let range = f.head_range(looping);
    let mut found = finding(f, rule, Severity::Hint, message, range);
    found.related.push(given(f.d, context));
    found.related.extend(wait_step(f, wait));
    found.site = site(cx, f, wait, context);
    found
}

/// Where a function is given a context.
pub(super) fn given(d: &Declaration<'_>, context: LocalId) -> RawRelated {
    let ident = d.facts.locals[context].ident;
    step(
        format!("`{}` is given here and not looked at", ident.name),
        ident.range,
    )
}

/// Where a loop waits, if not in its head.
pub(super) fn wait_step(f: &Function<'_>, wait: Wait) -> Option<RawRelated> {
    match wait {
        Wait::Sleep(e) | Wait::Receive(e) => {
            Some(step("it waits here in each round", f.tree[e].range))
        }
        Wait::Ticks(_) => None,
    }
}

/// What is needed to end a wait when the context is done.
pub(super) fn site(
    cx: &CheckContext<'_>,
    f: &Function<'_>,
    wait: Wait,
    context: LocalId,
) -> Option<Box<FixSite>> {
    let (Wait::Sleep(expr) | Wait::Receive(expr)) = wait else {
        return None;
    };
    // A statement of its own.
    let stmt = (f.tree.stmts.iter())
        .find(|(_, s)| matches!(s.kind, StmtKind::Expr(e) if f.tree.unparen(e) == expr))?
        .0;
    let pattern = Pattern::WaitArm {
        context,
        sleeps: matches!(wait, Wait::Sleep(_)),
    };
    let site = FixSite::pattern(f.literal, expr, Some(stmt), pattern, cx.in_test);
    Some(Box::new(site))
}
