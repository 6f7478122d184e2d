//! Fields that are wrapped once more each time: `s.log = s.log.With(…)` in what runs again and again.

use go_model::facts::{Callee, LocalKind};
use go_model::types::TyKind;
use go_syntax::ast::{AssignOp, DeclTree, ExprId, ExprKind, StmtId, StmtKind};

use super::body::{self, Body};
use super::index::who_mentions;
use super::life::{is_made_again, life};
use super::place::{Place, place};
use super::repeat::{Runs, repeated, runs};
use super::report::name_of;
use super::uses::{is_fresh, is_given_fresh};
use super::verdict::is_real;
use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::pattern::step;

/// Methods that give a larger one of what they are called on: path of the package, type, methods.
const METHODS: &[(&str, &str, &[&str])] = &[
    ("log/slog", "Logger", &["With", "WithGroup"]),
    ("go.uber.org/zap", "Logger", &["With", "Named"]),
    ("go.uber.org/zap", "SugaredLogger", &["With", "Named"]),
    (
        "github.com/sirupsen/logrus",
        "Entry",
        &["WithField", "WithFields"],
    ),
    (
        "github.com/go-logr/logr",
        "Logger",
        &["WithValues", "WithName"],
    ),
    (
        "github.com/hashicorp/go-hclog",
        "Logger",
        &["With", "Named"],
    ),
    ("github.com/go-kit/kit/metrics", "Counter", &["With"]),
    ("github.com/go-kit/kit/metrics", "Gauge", &["With"]),
    ("github.com/go-kit/kit/metrics", "Histogram", &["With"]),
];

/// The functions of `context` that put something around a context.
pub(crate) const DERIVING: &[&str] = &[
    "WithCancel",
    "WithCancelCause",
    "WithDeadline",
    "WithDeadlineCause",
    "WithTimeout",
    "WithTimeoutCause",
    "WithValue",
];

/// Functions that give a larger one of their first argument.
const FUNCTIONS: &[(&str, &[&str])] = &[
    ("context", DERIVING),
    (
        "github.com/go-kit/log",
        &["With", "WithPrefix", "WithSuffix"],
    ),
    (
        "github.com/go-kit/kit/log",
        &["With", "WithPrefix", "WithSuffix"],
    ),
];

/// The names of all of them.
pub(crate) const WRAPPING: &[&str] = &[
    "With",
    "WithCancel",
    "WithCancelCause",
    "WithDeadline",
    "WithDeadlineCause",
    "WithField",
    "WithFields",
    "WithGroup",
    "WithName",
    "WithPrefix",
    "WithSuffix",
    "WithTimeout",
    "WithTimeoutCause",
    "WithValue",
    "WithValues",
    "Named",
];

/// Assignments in a declaration that wrap a field once more each time.
pub(crate) fn wrapping(cx: &CheckContext<'_>, rule: &'static str) -> Vec<RawFinding> {
    if !may_wrap(cx.tree) || !is_real(cx.db, cx.decl.file(cx.db)) {
        return Vec::new();
    }
    body::with(cx.db, cx.decl, |body| {
        let stmts = body.tree.stmts.iter();
        stmts
            .filter_map(|(stmt, _)| look(cx, body, stmt, rule))
            .collect()
    })
    .unwrap_or_default()
}

/// Whether a field gets what is called on itself: a question before anything is resolved.
fn may_wrap(tree: &DeclTree) -> bool {
    tree.stmts.iter().any(|(_, stmt)| match &stmt.kind {
        StmtKind::Assign {
            lhs,
            op: AssignOp::Assign,
            rhs,
        } if rhs.len() == 1 => {
            let ExprKind::Selector { name, .. } = &tree[tree.unparen(lhs[0])].kind else {
                return false;
            };
            let ExprKind::Call { func, args, .. } = &tree[tree.unparen(rhs[0])].kind else {
                return false;
            };
            let same = |e: ExprId| {
                matches!(&tree[tree.unparen(e)].kind, ExprKind::Selector { name: n, .. } if n.name == name.name)
            };
            let on = match &tree[tree.unparen(*func)].kind {
                ExprKind::Selector { base, .. } => same(*base),
                _ => false,
            };
            on || args.first().is_some_and(|a| same(*a))
        }
        _ => false,
    })
}

/// The field that an assignment wraps once more, and the call that does it.
fn wrapped(body: &Body<'_>, stmt: StmtId) -> Option<(Place, ExprId, ExprId)> {
    let StmtKind::Assign {
        lhs,
        op: AssignOp::Assign,
        rhs,
    } = &body.tree[stmt].kind
    else {
        return None;
    };
    let [call] = rhs[..] else { return None };
    let call = body.tree.unparen(call);
    let target = body.tree.unparen(*lhs.first()?);
    let place = place(body, target)?;
    let ExprKind::Call { func, args, .. } = &body.tree[call].kind else {
        return None;
    };
    let of = match body.callee(call)? {
        Callee::Method(m) => {
            let known = METHODS.iter().any(|(package, ty, methods)| {
                m.package == *package && m.ty == *ty && methods.contains(&m.name.as_str())
            });
            match &body.tree[body.tree.unparen(*func)].kind {
                ExprKind::Selector { base, .. } if known => *base,
                _ => return None,
            }
        }
        Callee::Func(f) => {
            let known = FUNCTIONS
                .iter()
                .any(|(package, names)| f.package == *package && names.contains(&f.name.as_str()));
            *args.first().filter(|_| known)?
        }
        _ => return None,
    };
    body.same(of, target).then_some((place, target, call))
}

fn look(
    cx: &CheckContext<'_>,
    body: &Body<'_>,
    stmt: StmtId,
    rule: &'static str,
) -> Option<RawFinding> {
    let (place, target, call) = wrapped(body, stmt)?;
    let Place::Field(ty, _) = place else {
        return None;
    };
    if is_fresh(body, target)
        || is_given_fresh(body, target)
        || is_made_again(cx.db, body.package, ty)
        || is_set(body, place)
        || is_done_once(body, stmt)
    {
        return None;
    }
    let again = match runs(body, stmt) {
        Runs::Once => return None,
        Runs::Handler | Runs::Loop => true,
        Runs::Function => repeated(cx.db, cx.decl, 0).is_some(),
    };
    let lives = || life(cx.db, body.package, ty).is_some();
    let (severity, when) = if again && lives() {
        (Severity::Information, "again and again")
    } else if !again && is_forwarding(body, stmt, target, call) {
        (Severity::Hint, "by each call")
    } else {
        return None;
    };
    let message = format!(
        "`{place}` is wrapped once more {when}: it grows, and keeps what each of them put around it"
    );
    let range = body.tree[stmt].range;
    Some(RawFinding {
        rule,
        severity,
        message,
        range,
        function: Some(name_of(cx.db, cx.decl)),
        related: vec![step("it is made from itself here", body.tree[call].range)],
        site: None,
    })
}

/// Whether a function leaves before when it was here already: when a field is set that it sets behind.
fn is_done_once(body: &Body<'_>, stmt: StmtId) -> bool {
    let start = body.tree[stmt].range.start();
    let set: Vec<Place> = (body.tree.stmts.iter())
        .filter_map(|(_, s)| match &s.kind {
            StmtKind::Assign { lhs, .. } => Some(lhs),
            _ => None,
        })
        .flatten()
        .filter_map(|l| place(body, body.tree.unparen(*l)))
        .collect();
    body.tree.stmts.iter().any(|(_, s)| match &s.kind {
        StmtKind::If { cond, then, .. } => {
            let asked = body.tree[*cond].range;
            s.range.end() <= start
                && body.leaves(then)
                && body.tree.exprs.iter().any(|(id, e)| {
                    asked.contains_range(e.range)
                        && matches!(e.kind, ExprKind::Selector { .. })
                        && place(body, id).is_some_and(|p| set.contains(&p))
                })
        }
        _ => false,
    })
}

/// Whether a method does nothing but wrap a field of what its pointer points to with all that it is given: whoever calls it twice
/// has it wrapped twice.
fn is_forwarding(body: &Body<'_>, stmt: StmtId, target: ExprId, call: ExprId) -> bool {
    let Some(receiver) = body.facts.receiver else {
        return false;
    };
    let pointer = matches!(body.facts.locals[receiver].ty.kind(), TyKind::Pointer(_));
    let on_receiver = body.local(body.root(target)) == Some(receiver);
    let is_method = matches!(body.callee(call), Some(Callee::Method(_)));
    let given = |arg: &ExprId| {
        (body.local(body.root(*arg))).is_some_and(|l| body.facts.locals[l].kind == LocalKind::Param)
    };
    let args = body.args(call);
    let Some(block) = body.tree.func().and_then(|f| f.body.as_ref()) else {
        return false;
    };
    let only = match &block.stmts[..] {
        [only] => *only == stmt,
        [first, last] => {
            *first == stmt
                && match &body.tree[*last].kind {
                    StmtKind::Return(values) => {
                        values.iter().all(|v| body.local(*v) == Some(receiver))
                    }
                    _ => false,
                }
        }
        _ => false,
    };
    pointer
        && on_receiver
        && is_method
        && only
        && !args.is_empty()
        && args.iter().all(given)
        && body.decl.name(body.db).is_exported()
}

/// Whether the package also sets a field to something that is not made from itself, other than in something that was just made.
fn is_set(from: &Body<'_>, wanted: Place) -> bool {
    let Some(mentions) = who_mentions(from.db, from.package, wanted.name()) else {
        return true;
    };
    mentions.iter().any(|&decl| {
        let found = body::with(from.db, decl, |body| {
            body.tree.stmts.iter().any(|(stmt, s)| match &s.kind {
                StmtKind::Assign { lhs, .. } => {
                    wrapped(body, stmt).is_none()
                        && lhs.iter().map(|l| body.tree.unparen(*l)).any(|l| {
                            place(body, l) == Some(wanted)
                                && !is_fresh(body, l)
                                && !is_given_fresh(body, l)
                        })
                }
                _ => false,
            })
        });
        found.unwrap_or(true)
    })
}
