//! Waiting with a lock held for goroutines that may take it later, where lock and group (or channel) are fields of one object.

use go_model::db::{decl_start, decl_tree};
use go_model::facts::{ItemRef, LocalId, Res};
use go_model::package::{import_path, package_of_decl};
use go_syntax::ast::{DeclTree, ExprId, ExprKind, StmtKind, UnaryOp};
use go_syntax::{Name, NodeId};

use super::field::{is_started, is_unexported, mentions_member, range_of, with_tests};
use super::held::{Callees, Class, Event, Locks, in_each_function, render_lock, takes_locks};
use super::lock::{Root, key};
use super::uses::{Run, Runner, Uses, method_of};
use crate::Severity;
use crate::check::{CheckContext, RawFinding, RawRelated};
use crate::engine::facts;
use crate::engine::find::last_name;
use crate::engine::function::{Declaration, Depth, Function};
use crate::engine::outline::render;
use crate::engine::pattern::{finding, step};

/// The waits of a declaration under a lock that the goroutines may need.
pub(crate) fn findings(cx: &CheckContext<'_>, rule: &'static str) -> Vec<RawFinding> {
    if !takes_locks(cx.tree) || !waits(cx.tree) {
        return Vec::new();
    }
    in_each_function(cx, |f, locks, callees| look(f, locks, callees, rule))
}

/// Whether something of a field is waited for: a question before anything is resolved.
fn waits(tree: &DeclTree) -> bool {
    let field = |e: ExprId| matches!(tree[tree.unparen(e)].kind, ExprKind::Selector { .. });
    tree.exprs.iter().any(|(_, e)| match &e.kind {
        ExprKind::Call { func, args, .. } => match &tree[tree.unparen(*func)].kind {
            ExprKind::Selector { base, name } => {
                args.is_empty() && name.name == "Wait" && field(*base)
            }
            _ => false,
        },
        ExprKind::Unary {
            op: UnaryOp::Receive,
            operand,
        } => field(*operand),
        _ => false,
    })
}

/// A group or channel in a field of an object in a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kept {
    owner: ItemRef,
    field: Name,
    object: LocalId,
    group: bool,
}

fn kept(d: &Declaration<'_>, expr: ExprId, group: bool) -> Option<Kept> {
    let expr = d.tree.unparen(expr);
    let Some(Res::Field {
        owner: Some(owner),
        name,
    }) = d.facts.refs.get(expr)
    else {
        return None;
    };
    let found = key(d, expr)?;
    let Root::Local(object) = found.root else {
        return None;
    };
    (found.path.len() == 1).then_some(Kept {
        owner: *owner,
        field: *name,
        object,
        group,
    })
}

fn look(
    f: &Function<'_>,
    locks: &Locks<'_, '_>,
    callees: &Callees,
    rule: &'static str,
) -> Vec<RawFinding> {
    let d = f.d;
    let mut waits: Vec<(NodeId, Kept, usize)> = Vec::new();
    let walked = locks.walk(&mut |event, held| {
        let (at, kept): (NodeId, _) = match event {
            Event::Call(call) if !held.is_empty() => {
                match method_of(d, call, "sync", &["WaitGroup"]) {
                    Some((base, name)) if name == "Wait" => (call.into(), kept(d, base, true)),
                    _ => return,
                }
            }
            Event::Receive(e) if !held.is_empty() => {
                let ExprKind::Unary { operand, .. } = d.tree[e].kind else {
                    return;
                };
                if locks.uses.is_optional(e) {
                    return;
                }
                (e.into(), kept(d, operand, false))
            }
            _ => return,
        };
        let Some(kept) = kept else { return };
        for h in held {
            let lock = &locks.ops[*h];
            let same = lock.key.root == Root::Local(kept.object)
                && lock.key.path.len() == 1
                && matches!(&lock.class, Some(Class::Field(owner, _)) if *owner == kept.owner);
            if same && !waits.iter().any(|(a, ..)| *a == at) {
                waits.push((at, kept, *h));
            }
        }
    });
    if walked.is_none() {
        return Vec::new();
    }
    let found = waits.iter().filter_map(|(at, kept, held)| {
        let lock = &locks.ops[*held];
        let takes = partner(d, callees, kept, lock.class.as_ref()?, lock.reads)?;
        let text = render_lock(d, lock.call);
        let range = range_of(d.tree, *at);
        let whom = match kept.group {
            true => "for the goroutines of",
            false => "for a goroutine that has",
        };
        let what = match *at {
            NodeId::Expr(e) => match &d.tree[e].kind {
                ExprKind::Unary { operand, .. } => render(d.tree, *operand, 60),
                _ => format!("{}.{}", d.facts.locals[kept.object].ident.name, kept.field),
            },
            NodeId::Stmt(_) => return None,
        };
        let message = format!(
            "this waits {whom} `{what}` with `{text}` held: if one of them comes to take it meanwhile, both wait for ever"
        );
        let mut found = finding(f, rule, Severity::Information, message, range);
        found.related.push(step(
            format!("`{text}` is locked here"),
            d.tree[lock.call].range,
        ));
        found.related.push(takes);
        found.related.push(step("it waits here", range));
        Some(found)
    });
    found.collect()
}

/// Where a goroutine that is waited for takes the lock. For a channel, everybody who sends or closes has to be such a goroutine.
fn partner(
    d: &Declaration<'_>,
    callees: &Callees,
    kept: &Kept,
    lock: &Class,
    reads: bool,
) -> Option<RawRelated> {
    let package = package_of_decl(d.db, d.decl);
    if kept.owner.package != import_path(d.db, package) || !is_unexported(kept.field) {
        return None;
    }
    let mut found = None;
    for decl in with_tests(d.db, package) {
        let tree = decl_tree(d.db, decl);
        if !mentions_member(&tree, kept.field) {
            continue;
        }
        if tree.has_error {
            return None;
        }
        let facts = facts(d.db, decl);
        let other = Declaration::new(d.db, decl, &tree, &facts, Depth::Full);
        let uses = Uses::new(&other);
        for end in ends(&other, &uses, kept) {
            let taken = (end.body.is_some() || is_started(d.db, decl))
                .then(|| takes(&other, &uses, callees, &end, lock, reads))
                .flatten();
            match taken {
                Some(at) => {
                    found.get_or_insert_with(|| RawRelated {
                        message: "the goroutine then waits for it here".to_owned(),
                        file: (decl != d.decl).then(|| decl.file(d.db).path(d.db)),
                        range: match decl == d.decl {
                            true => tree[at].range,
                            false => tree[at].range + decl_start(d.db, decl),
                        },
                    });
                }
                None if kept.group => {}
                None => return None,
            }
        }
    }
    found
}

/// What tells the one who waits that a goroutine has come to its end, or to a certain point.
struct End {
    /// The literal that the goroutine runs; `None` for the whole declaration.
    body: Option<ExprId>,
    object: LocalId,
    /// Where; `None` for the end.
    at: Option<ExprId>,
}

fn ends(d: &Declaration<'_>, uses: &Uses<'_, '_>, wanted: &Kept) -> Vec<End> {
    let same = |k: &Kept| k.owner == wanted.owner && k.field == wanted.field;
    let mut found = Vec::new();
    for (id, expr) in d.tree.exprs.iter() {
        let ExprKind::Call { args, func, .. } = &expr.kind else {
            continue;
        };
        if wanted.group {
            if !last_name(d.tree, *func).is_some_and(|n| n == "Done" || n == "Go") {
                continue;
            }
            let Some((base, name)) = method_of(d, id, "sync", &["WaitGroup"]) else {
                continue;
            };
            let Some(k) = kept(d, base, true).filter(same) else {
                continue;
            };
            if name == "Go" {
                let literal = args.first().map(|a| d.tree.unparen(*a));
                if let Some(literal) = literal.filter(|l| d.tree.func_lit(*l).is_some()) {
                    found.push(End {
                        body: Some(literal),
                        object: k.object,
                        at: None,
                    });
                }
            } else if name == "Done" {
                found.push(end_at(uses, id, k.object));
            }
        } else if super::uses::is_builtin(d, id, "close")
            && let Some(k) = args.first().and_then(|a| kept(d, *a, false)).filter(same)
        {
            found.push(end_at(uses, id, k.object));
        }
    }
    if !wanted.group {
        for (_, s) in d.tree.stmts.iter() {
            if let StmtKind::Send { chan, .. } = s.kind
                && let Some(k) = kept(d, chan, false).filter(same)
            {
                found.push(end_at(uses, chan, k.object));
            }
        }
    }
    found
}

/// In which goroutine a call is made: the literal that is started, or the declaration.
fn end_at(uses: &Uses<'_, '_>, call: ExprId, object: LocalId) -> End {
    let mut body = uses.literal_of(call);
    let mut deferred = uses.defer_of(call).is_some();
    for _ in 0..16 {
        let Some(literal) = body else { break };
        match uses.run(literal) {
            Run::Deferred(site) => {
                deferred = true;
                body = site.by;
            }
            Run::Inline(site) => body = site.by,
            Run::Goroutine(_) | Run::Unknown => break,
        }
    }
    End {
        body,
        object,
        at: (!deferred).then_some(call),
    }
}

/// The call of a goroutine that takes the lock of the same object, before it says that it has come to its end.
fn takes(
    d: &Declaration<'_>,
    uses: &Uses<'_, '_>,
    callees: &Callees,
    end: &End,
    class: &Class,
    reads: bool,
) -> Option<ExprId> {
    if let Some(literal) = end.body
        && !matches!(uses.run(literal), Run::Goroutine(_))
    {
        return None;
    }
    let cfg = d.cfg(end.body).filter(|cfg| !cfg.truncated)?;
    let f = Function::new(d, end.body, &cfg);
    let locks = Locks::new(&f, uses);
    let before = |call: ExprId| {
        end.at
            .is_none_or(|at| d.tree[call].range.end() <= d.tree[at].range.start())
    };
    let direct = locks.ops.iter().find(|op| {
        op.locks
            && op.class.as_ref() == Some(class)
            && op.key.root == Root::Local(end.object)
            && op.key.path.len() == 1
            && !(op.reads && reads)
            && uses.defer_of(op.call).is_none()
            && before(op.call)
    });
    if let Some(op) = direct {
        return Some(op.call);
    }
    let own = |call: ExprId| {
        uses.runner(uses.literal_of(call), end.body) == Runner::Own(false)
            && uses.go_of(call).is_none()
            && uses.defer_of(call).is_none()
            && before(call)
    };
    (d.tree.exprs.iter())
        .filter(|(call, e)| matches!(e.kind, ExprKind::Call { .. }) && own(*call))
        .map(|(call, _)| call)
        .find(|call| {
            callees.taken_by(d, *call).iter().any(|(key, taken)| {
                key.root == Root::Local(end.object)
                    && taken.class.as_ref() == Some(class)
                    && !(taken.reads && reads)
            })
        })
}
