//! Goroutines that are started for each item of an input without an end, as fast as the items come.
//!
//! Architecture invariant: whatever in the loop may wait, or is not known, may be the bound that is looked for.

use go_model::db::{Db, DeclId, decl_tree};
use go_model::facts::{Callee, LocalId, Res};
use go_model::members::View;
use go_model::package::package_of_decl;
use go_model::types::{Basic, TyKind};
use go_syntax::ast::{BinaryOp, ExprId, ExprKind, StmtId, StmtKind, UnaryOp};
use go_syntax::{Literals, NodeId, TextRange};

use super::join::is_made_here;
use super::start_range;
use super::uses::{Channel, OpKind, Run, Uses, is_builtin, method_of};
use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::facts;
use crate::engine::find::enclosing_literal;
use crate::engine::function::{Declaration, Depth, Function};
use crate::engine::outline::render;
use crate::engine::pattern::{finding, step};
use crate::engine::site::{FixSite, Pattern};

/// How deep called functions are looked into.
const MAX_CALLS: u32 = 3;
const ERRGROUP: &str = "golang.org/x/sync/errgroup";

/// The goroutines of a declaration that nothing bounds.
pub(crate) fn findings(cx: &CheckContext<'_>, rule: &'static str) -> Vec<RawFinding> {
    let at = |depth| {
        let d = cx.declaration(depth);
        let uses = Uses::new(d);
        let mut found = Vec::new();
        let mut loops: Vec<StmtId> = Vec::new();
        for start in starts(&uses) {
            if let Some((looping, one)) = look(cx, &uses, &start, rule)
                && !loops.contains(&looping)
            {
                loops.push(looping);
                found.push(one);
            }
        }
        found
    };
    if at(Depth::Shallow).is_empty() {
        return Vec::new();
    }
    at(Depth::Full)
}

/// A call that starts a goroutine.
struct Start {
    /// The call that stands behind `go`, or of `Go` of a group.
    call: ExprId,
    stmt: StmtId,
    by: Option<ExprId>,
    literal: Option<ExprId>,
}

fn starts(uses: &Uses<'_, '_>) -> Vec<Start> {
    let d = uses.d;
    let mut found = Vec::new();
    for (id, expr) in d.tree.exprs.iter() {
        if matches!(expr.kind, ExprKind::FuncLit(_))
            && let Run::Goroutine(site) = uses.run(id)
        {
            found.push(Start {
                call: site.call,
                stmt: site.stmt,
                by: site.by,
                literal: Some(id),
            });
        }
    }
    for (id, stmt) in d.tree.stmts.iter() {
        if let StmtKind::Go(call) = stmt.kind
            && !found.iter().any(|s: &Start| s.stmt == id)
        {
            found.push(Start {
                call: d.tree.unparen(call),
                stmt: id,
                by: enclosing_literal(d.tree, stmt.range),
                literal: None,
            });
        }
    }
    found.sort_by_key(|s| d.tree[s.stmt].range.start());
    found
}

/// From where a loop has its items.
struct Source {
    /// The items, or what they are taken from.
    items: Vec<LocalId>,
    /// The expression that waits for the next one.
    next: ExprId,
    /// The channel, if it is one.
    channel: Option<ExprId>,
}

fn look(
    cx: &CheckContext<'_>,
    uses: &Uses<'_, '_>,
    start: &Start,
    rule: &'static str,
) -> Option<(StmtId, RawFinding)> {
    let d = uses.d;
    let cfg = d.cfg(start.by)?;
    if cfg.truncated {
        return None;
    }
    let f = Function::new(d, start.by, &cfg);
    let (block, _) = f.cfg.position_of(start.stmt)?;
    let looping = f.cfg.repeating_loop(block)?.stmt;
    let source = source_of(&f, looping)?;
    if let Some(channel) = source.channel
        && (!carries_items(&f, channel) || is_fed_by_a_bounded_loop(uses, channel))
    {
        return None;
    }
    let whole = d.tree[start.stmt].range;
    let takes_an_item = (source.items.iter()).any(|item| {
        d.mentions(*item).iter().any(|(_, at)| whole.contains(*at))
            || made_from(&f, looping, *item, whole)
    });
    if !takes_an_item
        || may_wait(&f, looping, source.next)
        || compares(&f, looping, start)
        || start.literal.is_some_and(|l| takes_a_slot(d, l))
    {
        return None;
    }
    let group = match group_of(d, start.call) {
        Some(group) => Some(unlimited(uses, group)?),
        None if d.target(start.call).is_some_and(|t| t.package == ERRGROUP) => return None,
        None => None,
    };
    let mut found = told(&f, start, looping, &source, rule);
    let pattern = Pattern::Unbounded {
        looping,
        literal: start.literal,
        group,
    };
    let site = FixSite::pattern(start.by, start.call, Some(start.stmt), pattern, cx.in_test);
    found.site = Some(Box::new(site));
    Some((looping, found))
}

fn told(
    f: &Function<'_>,
    start: &Start,
    looping: StmtId,
    source: &Source,
    rule: &'static str,
) -> RawFinding {
    let range = start_range(f.tree, start.stmt, start.literal);
    let from = match source.channel {
        Some(channel) => format!("each value of `{}`", render(f.tree, channel, 60)),
        None => "each line that is read".to_owned(),
    };
    let message = format!(
        "{from} starts another goroutine, and nothing bounds how many run at once: they are started as fast as the input comes"
    );
    let mut found = finding(f, rule, Severity::Information, message, range);
    found.related.push(step(
        "the loop goes on as long as there is input",
        f.head_range(looping),
    ));
    if source.channel.is_some() && f.tree[looping].range.start() < f.tree[source.next].range.start()
    {
        let next = f.tree[source.next].range;
        if !f.head_range(looping).contains_range(next) {
            found
                .related
                .push(step("it takes the next value here", next));
        }
    }
    found
        .related
        .push(step("the goroutine is started here", range));
    found
}

/// What a loop goes through, if that has no end that is known.
fn source_of(f: &Function<'_>, looping: StmtId) -> Option<Source> {
    match &f.tree[looping].kind {
        StmtKind::Range {
            key: Some(key),
            over,
            ..
        } => {
            let ty = f.facts.types.get(f.tree.unparen(*over))?;
            matches!(ty.kind(), TyKind::Chan(..)).then_some(())?;
            Some(Source {
                items: vec![local(f, *key)?],
                next: *over,
                channel: Some(*over),
            })
        }
        StmtKind::For {
            cond: Some(cond), ..
        } => {
            let call = f.tree.unparen(*cond);
            let (base, name) = method_of(f.d, call, "bufio", &["Scanner"])?;
            (name == "Scan").then_some(())?;
            Some(Source {
                items: vec![local(f, base)?],
                next: call,
                channel: None,
            })
        }
        StmtKind::For {
            init: None,
            cond: None,
            post: None,
            body,
        } => {
            let roots = body.stmts.iter().map(|s| NodeId::Stmt(*s));
            let mut found = None;
            for id in f.tree.walk_all(roots, Literals::Skip) {
                let NodeId::Stmt(s) = id else { continue };
                let StmtKind::Assign { lhs, rhs, .. } = &f.tree[s].kind else {
                    continue;
                };
                let [value] = rhs[..] else { continue };
                let next = f.tree.unparen(value);
                let ExprKind::Unary {
                    op: UnaryOp::Receive,
                    operand,
                } = f.tree[next].kind
                else {
                    continue;
                };
                // One source; with several nobody knows which of them is the bound.
                if found.is_some() {
                    return None;
                }
                found = Some(Source {
                    items: vec![local(f, *lhs.first()?)?],
                    next,
                    channel: Some(operand),
                });
            }
            found
        }
        _ => None,
    }
}

fn local(f: &Function<'_>, expr: ExprId) -> Option<LocalId> {
    match f.facts.refs.get(f.tree.unparen(expr)) {
        Some(Res::Local(local)) => Some(*local),
        _ => None,
    }
}

/// Whether a variable of the loop that the goroutine mentions is made from an item.
fn made_from(f: &Function<'_>, looping: StmtId, item: LocalId, goroutine: TextRange) -> bool {
    let body = f.tree[looping].range;
    f.tree.stmts.iter().any(|(_, s)| {
        let StmtKind::Assign { lhs, .. } = &s.kind else {
            return false;
        };
        let from_item = || {
            (f.d.mentions(item).iter()).any(|(mention, _)| {
                s.range.contains_range(f.tree[*mention].range) && !lhs.contains(mention)
            })
        };
        let mentioned = |target: &ExprId| {
            local(f, *target).is_some_and(|l| {
                f.d.mentions(l)
                    .iter()
                    .any(|(_, at)| goroutine.contains(*at))
            })
        };
        body.contains_range(s.range)
            && !goroutine.contains_range(s.range)
            && from_item()
            && lhs.iter().any(mentioned)
    })
}

/// Whether a channel carries what there may be any number of: not time, signals, the results of goroutines, or connections, each of
/// which has a goroutine by custom.
fn carries_items(f: &Function<'_>, channel: ExprId) -> bool {
    let Some(ty) = f.facts.types.get(f.tree.unparen(channel)) else {
        return false;
    };
    let TyKind::Chan(_, element) = ty.kind() else {
        return false;
    };
    let one = |package, name| element.is_named(package, name);
    if one("time", "Time") || one("os", "Signal") || element.is_error() || element.is_unknown() {
        return false;
    }
    match element.kind() {
        TyKind::Basic(Basic::Bool) => return false,
        TyKind::Struct(fields) if fields.is_empty() => return false,
        _ => {}
    }
    if (element.as_named_or_pointer()).is_some_and(|n| n.package == "golang.org/x/crypto/ssh") {
        return false;
    }
    let view = View::with_facts(f.d.db, f.d.decl.file(f.d.db), f.facts);
    ["Close", "Accept"]
        .iter()
        .all(|name| view.has_method(element, name) == Some(false))
}

/// Whether everything that is sent on a local channel is sent outside of loops, or in loops over what is in memory already.
fn is_fed_by_a_bounded_loop(uses: &Uses<'_, '_>, channel: ExprId) -> bool {
    let d = uses.d;
    let Some(Res::Local(local)) = d.facts.refs.get(d.tree.unparen(channel)) else {
        return false;
    };
    let Some(channel) = uses.channels().into_iter().find(|c| c.local == *local) else {
        return false;
    };
    !channel.escapes()
        && channel.ops.iter().all(|op| match op.kind {
            OpKind::Send => is_bounded(d, &channel, op.stmt),
            OpKind::Given { .. } => false,
            _ => true,
        })
}

fn is_bounded(d: &Declaration<'_>, channel: &Channel, send: StmtId) -> bool {
    let at = d.tree[send].range;
    let made = d.tree[channel.stmt].range;
    d.tree.stmts.iter().all(|(_, s)| {
        if !s.range.contains_range(at) || s.range.contains_range(made) {
            return true;
        }
        match &s.kind {
            StmtKind::Range { over, .. } => {
                (d.facts.types.get(d.tree.unparen(*over))).is_some_and(|ty| {
                    matches!(
                        ty.kind(),
                        TyKind::Slice(_) | TyKind::Array(..) | TyKind::Map(..) | TyKind::Basic(_)
                    )
                })
            }
            StmtKind::For { cond, post, .. } => cond.is_some() && post.is_some(),
            _ => true,
        }
    })
}

/// Whether something in the loop's own code may wait for a goroutine, other than for the next item, or is not known.
fn may_wait(f: &Function<'_>, looping: StmtId, next: ExprId) -> bool {
    let body = match &f.tree[looping].kind {
        StmtKind::For { body, .. } | StmtKind::Range { body, .. } => body,
        _ => return true,
    };
    let roots = body.stmts.iter().map(|s| NodeId::Stmt(*s));
    f.tree.walk_all(roots, Literals::Skip).any(|id| match id {
        NodeId::Stmt(s) => match &f.tree[s].kind {
            StmtKind::Send { .. } => true,
            StmtKind::Range { over, .. } => is_channel(f, *over),
            _ => false,
        },
        NodeId::Expr(e) => match &f.tree[e].kind {
            ExprKind::Unary {
                op: UnaryOp::Receive,
                operand,
            } => e != next && !is_end(f, *operand),
            // What is closed may be what ends the one before.
            ExprKind::Call { .. } if is_builtin(f.d, e, "close") => true,
            ExprKind::Call { .. } => !is_started(f, e) && !is_quick(f.d, e, MAX_CALLS),
            _ => false,
        },
    })
}

fn is_channel(f: &Function<'_>, expr: ExprId) -> bool {
    (f.facts.types.get(f.tree.unparen(expr)))
        .is_none_or(|ty| matches!(ty.kind(), TyKind::Chan(..)) || ty.is_unknown())
}

/// What says that there is nothing more to do: the end of a context, or a channel without values in an arm of a select.
fn is_end(f: &Function<'_>, operand: ExprId) -> bool {
    let operand = f.tree.unparen(operand);
    match &f.tree[operand].kind {
        ExprKind::Call { .. } => f
            .target(operand)
            .is_some_and(|t| t.is_method("context", "Context", "Done")),
        _ => false,
    }
}

/// Whether a call is what a `go` statement starts, or starts a goroutine itself.
fn is_started(f: &Function<'_>, call: ExprId) -> bool {
    f.tree.stmts.iter().any(|(_, s)| {
        matches!(s.kind, StmtKind::Go(c) | StmtKind::Defer(c) if f.tree.unparen(c) == call)
    }) || f.d.target(call).is_some_and(|t| {
        t.name == "Go"
            && (t.package == ERRGROUP || t.package == "sync")
            && t.ty.is_some_and(|ty| ty == "Group" || ty == "WaitGroup")
    })
}

/// Whether a call surely waits for nobody.
fn is_quick(d: &Declaration<'_>, call: ExprId, depth: u32) -> bool {
    let callee = match d.facts.callees.get(call) {
        Some(Callee::Builtin(_) | Callee::Conversion) => return true,
        Some(callee @ (Callee::Func(_) | Callee::Method(_))) => callee,
        _ => return false,
    };
    let waits = d.target(call).is_some_and(|t| {
        ["Wait", "Sleep", "Acquire", "Do", "Run"]
            .iter()
            .any(|n| t.name == *n)
    });
    if go_model::effects::of(callee).is_some() {
        return !waits;
    }
    if depth == 0 || matches!(callee, Callee::Method(m) if m.interface) {
        return false;
    }
    let Some(decl) = go_model::summary::callee_decl(d.db, d.decl, callee) else {
        return false;
    };
    package_of_decl(d.db, decl) == package_of_decl(d.db, d.decl)
        && only_quick(d.db, decl, depth - 1)
}

fn only_quick(db: &dyn Db, decl: DeclId, depth: u32) -> bool {
    let tree = decl_tree(db, decl);
    let body = tree.func().is_some_and(|f| f.body.is_some());
    let waits = tree.stmts.iter().any(|(_, s)| {
        matches!(
            s.kind,
            StmtKind::Send { .. } | StmtKind::Select { .. } | StmtKind::Go(_)
        )
    }) || tree.exprs.iter().any(|(_, e)| {
        matches!(
            e.kind,
            ExprKind::Unary {
                op: UnaryOp::Receive,
                ..
            }
        )
    });
    if tree.has_error || !body || waits {
        return false;
    }
    let facts = facts(db, decl);
    let d = Declaration::new(db, decl, &tree, &facts, Depth::Shallow);
    let ranges = tree.stmts.iter().any(|(_, s)| match &s.kind {
        StmtKind::Range { over, .. } => (facts.types.get(tree.unparen(*over)))
            .is_none_or(|ty| matches!(ty.kind(), TyKind::Chan(..) | TyKind::Func(..))),
        _ => false,
    });
    !ranges
        && tree
            .exprs
            .iter()
            .filter(|(_, e)| matches!(e.kind, ExprKind::Call { .. }))
            .all(|(id, _)| is_quick(&d, id, depth))
}

/// Whether the loop compares numbers on the way: it may count what is running.
fn compares(f: &Function<'_>, looping: StmtId, start: &Start) -> bool {
    let (body, goroutine) = (f.tree[looping].range, f.tree[start.stmt].range);
    f.tree.exprs.iter().any(|(_, e)| {
        matches!(
            e.kind,
            ExprKind::Binary {
                op: BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge,
                ..
            }
        ) && body.contains_range(e.range)
            && !goroutine.contains_range(e.range)
    })
}

/// Whether a goroutine takes a place somewhere and gives it back: sends on a channel from which it receives too, or takes it of a
/// semaphore.
fn takes_a_slot(d: &Declaration<'_>, literal: ExprId) -> bool {
    let mut sends: Vec<String> = Vec::new();
    let mut receives: Vec<String> = Vec::new();
    for id in d.tree.walk(literal, Literals::Enter) {
        match id {
            NodeId::Stmt(s) => {
                if let StmtKind::Send { chan, .. } = d.tree[s].kind {
                    sends.push(render(d.tree, chan, 80));
                }
            }
            NodeId::Expr(e) => match &d.tree[e].kind {
                ExprKind::Unary {
                    op: UnaryOp::Receive,
                    operand,
                } => receives.push(render(d.tree, *operand, 80)),
                ExprKind::Call { .. } => {
                    let slot = d.target(e).is_some_and(|t| {
                        t.package == "golang.org/x/sync/semaphore"
                            || t.package == "golang.org/x/time/rate"
                    });
                    if slot {
                        return true;
                    }
                }
                _ => {}
            },
        }
    }
    sends.iter().any(|s| receives.contains(s))
}

/// The error group that a call starts a goroutine of.
fn group_of(d: &Declaration<'_>, call: ExprId) -> Option<LocalId> {
    let (base, name) = method_of(d, call, ERRGROUP, &["Group"])?;
    match d.facts.refs.get(d.tree.unparen(base)) {
        Some(Res::Local(local)) if name == "Go" => Some(*local),
        _ => None,
    }
}

/// A group of the function's own that never gets a limit.
fn unlimited(uses: &Uses<'_, '_>, group: LocalId) -> Option<LocalId> {
    let d = uses.d;
    let known = d.mentions(group).iter().all(|(mention, at)| {
        if *at == d.facts.locals[group].ident.range.start() {
            return true;
        }
        let Some(selector) = d.parent(*mention) else {
            return matches!(uses.holder(*mention).map(|s| &d.tree[s].kind),
                Some(StmtKind::Assign { lhs, .. }) if lhs.contains(mention));
        };
        matches!(&d.tree[selector].kind, ExprKind::Selector { base, name }
            if base == mention && (name.name == "Go" || name.name == "Wait"))
    });
    (known && is_made_here(d, group)).then_some(group)
}
