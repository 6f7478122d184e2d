//! Where a function learns that goroutines that send have come to their end.

use go_model::facts::{LocalId, Res};
use go_model::types::{Ty, TyKind};
use go_syntax::ast::{ExprId, ExprKind, StmtKind, UnaryOp};
use go_syntax::{Literals, NodeId};
use rustc_hash::FxHashMap;

use super::abandoned::Event;
use super::channel::{Thread, is_looped, start_node};
use super::uses::{Channel, OpKind, Uses, method_of};
use crate::engine::function::{Declaration, Function};

/// Where the owner learns that a goroutine has come to its end, or hands on what the goroutine waits with. Gives the receives by which it
/// learns of one of many.
pub(super) fn joins(
    f: &Function<'_>,
    uses: &Uses<'_, '_>,
    channel: &Channel,
    threads: &[Thread],
    events: &mut FxHashMap<NodeId, Vec<Event>>,
) -> Vec<ExprId> {
    let d = uses.d;
    let mut singly = Vec::new();
    let mut join = |expr: ExprId, shares: &dyn Fn(&Thread) -> bool| {
        let joined: Vec<usize> = (threads.iter().enumerate())
            .filter(|(_, t)| shares(t))
            .map(|(i, _)| i)
            .collect();
        if !joined.is_empty() {
            (events.entry(expr.into()).or_default()).push(Event::Joined(joined));
        }
    };
    for (id, expr) in d.tree.exprs.iter() {
        if uses.literal_of(id) != channel.owner {
            continue;
        }
        match &expr.kind {
            ExprKind::Unary {
                op: UnaryOp::Receive,
                operand,
            } => {
                // A value of the channel itself is counted as received.
                let own =
                    d.facts.refs.get(d.tree.unparen(*operand)) == Some(&Res::Local(channel.local));
                let one =
                    |t: &Thread| !own && is_looped(f, channel, t) && sends_on(uses, t, *operand);
                let relayed = relayed_groups(uses, *operand);
                join(id, &|t| {
                    (answers(uses, channel, t, *operand) && !one(t))
                        || (relayed.iter()).any(|group| shares_root(uses, t, *group))
                });
                for (i, _) in threads.iter().enumerate().filter(|(_, t)| one(t)) {
                    singly.push((id, i));
                }
            }
            ExprKind::Call { args, .. } => {
                if uses.go_of(id).is_some() || threads.iter().any(|t| t.call == id) {
                    continue;
                }
                if stops_a_server(d, id) {
                    join(id, &|t| sends_but_for_a_stop(uses, t, id));
                }
                if let Some((base, name)) = method_of(d, id, "sync", &["WaitGroup"])
                    && name == "Wait"
                {
                    join(id, &|t| shares_root(uses, t, base));
                }
                if let Some((base, name)) =
                    method_of(d, id, "golang.org/x/sync/errgroup", &["Group"])
                    && name == "Wait"
                {
                    join(id, &|t| {
                        shares_root(uses, t, base) || is_started_by(d, t, base)
                    });
                }
                // What is given to somebody else may be waited for there.
                for arg in args {
                    let arg = address_of(d, *arg);
                    if let Some(Res::Local(local)) = d.facts.refs.get(arg)
                        && *local != channel.local
                        && is_handle(&d.facts.locals[*local].ty)
                    {
                        join(id, &|t| shares(uses, t, *local));
                    }
                }
                if let Some(literal) = f.called_literal(id) {
                    join(id, &|t| {
                        d.facts.literals.get(literal).is_some_and(|l| {
                            l.captures.iter().any(|c| {
                                *c != channel.local
                                    && is_handle(&d.facts.locals[*c].ty)
                                    && shares(uses, t, *c)
                            })
                        })
                    });
                }
            }
            _ => {}
        }
    }
    for (_, stmt) in d.tree.stmts.iter() {
        if let StmtKind::Range { over, .. } = stmt.kind
            && let Some(Res::Local(local)) = d.facts.refs.get(d.tree.unparen(over))
            && *local != channel.local
            && is_handle(&d.facts.locals[*local].ty)
        {
            join(over, &|t| shares(uses, t, *local));
        }
    }
    // Deferred, it comes before the function has returned.
    for (call, _) in d.tree.exprs.iter().filter(|(id, e)| {
        matches!(e.kind, ExprKind::Call { .. })
            && uses.literal_of(*id) == channel.owner
            && uses.defer_of(*id).is_some()
            && stops_a_server(d, *id)
    }) {
        for (i, thread) in threads.iter().enumerate() {
            if sends_but_for_a_stop(uses, thread, call) {
                let place = events.entry(start_node(f, thread)).or_default();
                place.push(Event::Joined(vec![i]));
            }
        }
    }
    for (expr, i) in &singly {
        let place = events.entry((*expr).into()).or_default();
        place.push(Event::JoinedOne(*i));
    }
    singly.into_iter().map(|(expr, _)| expr).collect()
}

/// Servers whose `Serve` comes back with an error of its own (or with none) when one of these methods is called.
const SERVERS: &[(&str, &str, &[&str])] = &[
    ("net/http", "Server", &["Shutdown", "Close"]),
    (
        "google.golang.org/grpc",
        "Server",
        &["Stop", "GracefulStop"],
    ),
];

/// Whether a call ends a server.
fn stops_a_server(d: &Declaration<'_>, call: ExprId) -> bool {
    SERVERS.iter().any(|(package, ty, names)| {
        method_of(d, call, package, &[ty]).is_some_and(|(_, name)| names.iter().any(|n| name == *n))
    })
}

/// Whether a goroutine serves, and sends the error only if the server was not stopped: it asks for `http.ErrServerClosed`, or (of gRPC,
/// where there is none then) for an error.
fn sends_but_for_a_stop(uses: &Uses<'_, '_>, thread: &Thread, stop: ExprId) -> bool {
    let d = uses.d;
    let Some(literal) = thread.literal else {
        return false;
    };
    let Some(place) = method_place(d, stop) else {
        return false;
    };
    let mut serves = false;
    let mut asks = false;
    let mut grpc = false;
    for id in d.tree.walk(literal, Literals::Enter) {
        let Some(e) = id.expr() else { continue };
        if let Some(Res::Package(item)) = d.facts.refs.get(e) {
            asks |= item.is("net/http", "ErrServerClosed");
        }
        if matches!(d.tree[e].kind, ExprKind::Call { .. })
            && let Some(t) = d.target(e)
            && t.ty.is_some_and(|ty| ty == "Server")
            && (t.name.as_str().starts_with("Serve")
                || t.name.as_str().starts_with("ListenAndServe"))
            && method_place(d, e) == Some(place.clone())
        {
            serves = true;
            grpc |= t.package == "google.golang.org/grpc";
        }
    }
    let guarded = thread.sends.iter().all(|send| {
        d.tree.stmts.iter().any(|(_, s)| {
            matches!(&s.kind, StmtKind::If { then, .. }
                if then.range.contains_range(d.tree[send.stmt].range))
                && d.tree[literal].range.contains_range(s.range)
        })
    });
    serves && (asks || grpc && guarded)
}

/// What the receiver of a method is.
fn method_place(d: &Declaration<'_>, call: ExprId) -> Option<crate::engine::interp::Place> {
    let ExprKind::Call { func, .. } = &d.tree[call].kind else {
        return None;
    };
    match &d.tree[d.tree.unparen(*func)].kind {
        ExprKind::Selector { base, .. } => d.place(*base),
        _ => None,
    }
}

/// The groups for which every goroutine waits that sends on or closes the channel that is received from here: what is received says that
/// all of the group have come to their end.
fn relayed_groups(uses: &Uses<'_, '_>, operand: ExprId) -> Vec<ExprId> {
    let d = uses.d;
    let Some(Res::Local(other)) = d.facts.refs.get(d.tree.unparen(operand)) else {
        return Vec::new();
    };
    let mut ops = Vec::new();
    uses.collect(*other, 0, &mut ops);
    let mut found: Option<Vec<ExprId>> = None;
    for op in &ops {
        match op.kind {
            OpKind::Send | OpKind::Close => {}
            OpKind::Given { .. } | OpKind::Escapes => return Vec::new(),
            _ => continue,
        }
        let Some(literal) = op.literal else {
            return Vec::new();
        };
        let deferred = uses.defer_of(op.expr).is_some();
        let before =
            |call: ExprId| deferred || d.tree[call].range.end() <= d.tree[op.stmt].range.start();
        let waits: Vec<ExprId> = (d.body(Some(literal)).into_iter())
            .flat_map(|body| body.stmts.iter())
            .filter_map(|s| match d.tree[*s].kind {
                StmtKind::Expr(e) => Some(d.tree.unparen(e)),
                _ => None,
            })
            .filter(|call| before(*call))
            .filter_map(|call| method_of(d, call, "sync", &["WaitGroup"]))
            .filter(|(_, name)| *name == "Wait")
            .map(|(base, _)| base)
            .collect();
        if waits.is_empty() || found.is_some() {
            return Vec::new();
        }
        found = Some(waits);
    }
    found.unwrap_or_default()
}

/// Whether a goroutine of a literal sends on the channel that is received from here.
fn sends_on(uses: &Uses<'_, '_>, thread: &Thread, operand: ExprId) -> bool {
    let Some(Res::Local(other)) = uses.d.facts.refs.get(uses.d.tree.unparen(operand)) else {
        return false;
    };
    let mut ops = Vec::new();
    uses.collect(*other, 0, &mut ops);
    thread.literal.is_some()
        && (ops.iter()).any(|op| op.kind == OpKind::Send && op.literal == thread.literal)
}

fn address_of(d: &Declaration<'_>, expr: ExprId) -> ExprId {
    let expr = d.tree.unparen(expr);
    match d.tree[expr].kind {
        ExprKind::Unary {
            op: UnaryOp::Address,
            operand,
        } => d.tree.unparen(operand),
        _ => expr,
    }
}

/// Something by which a goroutine can say that it has come to its end.
fn is_handle(ty: &Ty) -> bool {
    let ty = match ty.kind() {
        TyKind::Pointer(inner) => inner,
        _ => ty,
    };
    matches!(ty.kind(), TyKind::Chan(..))
        || ty.is_named("sync", "WaitGroup")
        || ty.is_named("golang.org/x/sync/errgroup", "Group")
}

/// Whether a goroutine has to do with a variable.
fn shares(uses: &Uses<'_, '_>, thread: &Thread, local: LocalId) -> bool {
    match thread.literal {
        Some(literal) => {
            uses.mentions_in(literal, local) || mentions_in_call(uses, thread.call, local)
        }
        None => mentions_in_call(uses, thread.call, local),
    }
}

fn mentions_in_call(uses: &Uses<'_, '_>, call: ExprId, local: LocalId) -> bool {
    uses.nodes(call.into()).iter().any(|id| {
        id.expr()
            .is_some_and(|e| uses.d.facts.refs.get(e) == Some(&Res::Local(local)))
    })
}

fn shares_root(uses: &Uses<'_, '_>, thread: &Thread, base: ExprId) -> bool {
    match uses.d.place(base) {
        Some(place) => shares(uses, thread, place.local),
        // Something of the package: nobody knows who it waits for.
        None => true,
    }
}

/// Whether the goroutine is started through this group.
fn is_started_by(d: &Declaration<'_>, thread: &Thread, base: ExprId) -> bool {
    let ExprKind::Call { func, .. } = &d.tree[thread.call].kind else {
        return false;
    };
    match &d.tree[d.tree.unparen(*func)].kind {
        ExprKind::Selector { base: group, .. } => d.place(*group) == d.place(base),
        _ => false,
    }
}

/// Whether a goroutine sends on or closes what is received from here, or cancels its context.
fn answers(uses: &Uses<'_, '_>, channel: &Channel, thread: &Thread, operand: ExprId) -> bool {
    let d = uses.d;
    let operand = d.tree.unparen(operand);
    match &d.tree[operand].kind {
        ExprKind::Call { func, .. } => {
            // `<-ctx.Done()`, where the goroutine may call the context's cancel function.
            let ExprKind::Selector { base, .. } = &d.tree[d.tree.unparen(*func)].kind else {
                return false;
            };
            match d.facts.refs.get(d.tree.unparen(*base)) {
                Some(Res::Local(context)) => uses
                    .cancel_of(*context)
                    .into_iter()
                    .any(|cancel| shares(uses, thread, cancel)),
                _ => false,
            }
        }
        ExprKind::Ident(_) => match d.facts.refs.get(operand) {
            Some(Res::Local(other)) => *other != channel.local && shares(uses, thread, *other),
            _ => false,
        },
        ExprKind::Selector { name, .. } => {
            // A field: the same one, whosever it is, in the goroutine.
            thread.literal.is_none_or(|literal| {
                d.tree.walk(literal, Literals::Enter).any(|id| {
                    id.expr().is_some_and(|e| {
                        matches!(&d.tree[e].kind, ExprKind::Selector { name: n, .. } if n.name == name.name)
                    })
                })
            })
        }
        _ => false,
    }
}
