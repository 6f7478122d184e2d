//! # What it does
//! Reports `time.AfterFunc` with a long delay and `context.AfterFunc` on a long-lived context whose handle is dropped and whose function
//! holds on to something. Also `time.AfterFunc` with a handle that is stopped on some paths of the function and not on others.
//!
//! # Why it leaks
//! What waits keeps its function, and the function keeps everything it captures: the receiver with all it holds, or a buffer. Without the
//! handle nobody can stop it when the work is done earlier, and with every call one more waits, for long or until the context ends.
//!
//! # Example
//! ```go
//! func (s *session) touch() {
//! 	time.AfterFunc(30*time.Minute, s.expire) // each touch keeps the session for another half an hour
//! }
//! ```
//!
//! # Use instead
//! ```go
//! func (s *session) touch() {
//! 	s.timer.Reset(30 * time.Minute) // one timer, stopped when the session ends
//! }
//! ```
//!
//! # When it stays silent
//! - The handle is kept, and no path of the function stops it, or all do.
//! - The delay is a constant of less than five minutes; without a handle also if it is no constant.
//! - The context is a parameter or made in the function: it ends with the request.
//! - The function captures nothing but small values.
//! - The function around it is `main`, `init`, or one of a command that only these call, once.
//!
//! # Fix safety
//! Stopping at the end of the function where the handle was dropped is unsafe: then what was to be done later is done only while the function
//! runs. Where some paths stop the timer, stopping it on the others is safe.
//!
//! # References
//! - [`time.AfterFunc`](https://pkg.go.dev/time#AfterFunc)
//! - [`context.AfterFunc`](https://pkg.go.dev/context#AfterFunc)

use go_model::db::decl_tree;
use go_model::facts::{ItemRef, LocalId, LocalKind, Res};
use go_model::package::{package_item, package_of_decl};
use go_model::types::{Ty, TyKind};
use go_syntax::ast::{DeclKind, ExprId, ExprKind, StmtId, StmtKind};

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::Need;
use crate::engine::find::{self, Verdict};
use crate::engine::function::{Function, target};
use crate::engine::pattern::{self, step};
use crate::engine::site::{FixSite, Pattern};
use crate::engine::{self};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "unstopped-after-func",
    family: Family::Resources,
    severity: Severity::Information,
    summary: "a function that waits for long keeps what it captures, and nobody can stop it",
    fixes: "keep the handle and stop it at the end of the function, or on the other paths",
    overlaps: &[],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unstopped_after_func.rs",
    text: include_str!("unstopped_after_func.rs"),
    needs: &[Need::names(&["AfterFunc"])],
    check,
};

/// Delays from here on are long: five minutes. What is put off for less is mostly meant to be done then, and soon lets go.
const LONG: i128 = 300_000_000_000;

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    let mut found = dropped_handles(cx);
    found.extend(find::check(cx, RULE.name, &|found| {
        let f = found.function;
        let short = match pattern::args(f.tree, found.obligation.call) {
            [delay, _] => pattern::duration(f, *delay).is_some_and(|delay| delay < LONG),
            _ => true,
        };
        // Where nobody ever stops it, it is meant to run on its own; where it is set again, others manage it.
        let managed = !found.outcome.released || found.is_method_called("Reset");
        (!short && !managed).then(|| Verdict::plain(RULE.severity))
    }));
    found
}

/// The timers and registrations that nobody can stop.
fn dropped_handles(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    pattern::check(cx, &|f| {
        let timers = pattern::calls(f, "time", "AfterFunc").into_iter();
        let contexts = pattern::calls(f, "context", "AfterFunc").into_iter();
        timers
            .map(|call| (call, false))
            .chain(contexts.map(|call| (call, true)))
            .filter_map(|(call, context)| finding(cx, f, call, context))
            .collect()
    })
}

fn finding(
    cx: &CheckContext<'_>,
    f: &Function<'_>,
    call: ExprId,
    context: bool,
) -> Option<RawFinding> {
    let stmt = dropped(f, call)?;
    let [when, function] = pattern::args(f.tree, call) else {
        return None;
    };
    let waits = if context {
        lives_long(f, *when)
    } else {
        pattern::duration(f, *when).is_some_and(|delay| delay >= LONG)
    };
    if !waits {
        return None;
    }
    let held = held(f, *function)?;
    if engine::runs_once(cx) {
        return None;
    }
    let name = f.facts.locals[held].ident.name;
    let until = if context {
        "until the context ends"
    } else {
        "until the timer fires"
    };
    let range = f.tree[call].range;
    let mut found = pattern::finding(
        f,
        RULE.name,
        RULE.severity,
        format!("`{name}` is kept {until}, and nobody can stop that: the handle is dropped"),
        range,
    );
    found.related.push(step(
        format!("holds on to `{name}`"),
        f.tree[*function].range,
    ));
    let pattern = Pattern::AfterFunc { context };
    let site = FixSite::pattern(f.literal, call, Some(stmt), pattern, cx.in_test);
    found.site = Some(Box::new(site));
    Some(found)
}

/// The statement of a call whose result nobody gets.
fn dropped(f: &Function<'_>, call: ExprId) -> Option<StmtId> {
    let stmt = pattern::statement_around(f, call)?;
    let is = |e: ExprId| f.tree.unparen(e) == call;
    let dropped = match &f.tree[stmt].kind {
        StmtKind::Expr(e) => is(*e),
        StmtKind::Assign { lhs, rhs, .. } => match (&lhs[..], &rhs[..]) {
            ([target], [value]) => {
                is(*value) && f.tree.ident(*target).is_some_and(|i| i.name.is_blank())
            }
            _ => false,
        },
        _ => false,
    };
    dropped.then_some(stmt)
}

/// Whether a context is kept in a field or a package-level variable.
fn lives_long(f: &Function<'_>, context: ExprId) -> bool {
    let context = f.tree.unparen(context);
    match f.facts.refs.get(context) {
        Some(Res::Package(item)) => !never_ends(f, *item),
        Some(Res::Field { .. }) => f
            .place(context)
            .is_some_and(|place| f.facts.locals[place.local].kind == LocalKind::Receiver),
        _ => false,
    }
}

/// Whether a package-level variable begins as a context that nothing ends: there nobody waits for the end.
fn never_ends(f: &Function<'_>, item: ItemRef) -> bool {
    let (db, package) = (f.d.db, package_of_decl(f.d.db, f.d.decl));
    let Some(decl) = package_item(db, package, item.name).map(|found| found.decl()) else {
        return false;
    };
    let tree = decl_tree(db, decl);
    let DeclKind::Var(specs) = &tree.kind else {
        return false;
    };
    let values = (specs.iter()).filter(|spec| spec.names.iter().any(|n| n.name == item.name));
    let facts = engine::facts(db, decl);
    values.flat_map(|spec| &spec.values).any(|value| {
        target(&tree, &facts, tree.unparen(*value))
            .is_some_and(|t| t.is_func("context", "Background") || t.is_func("context", "TODO"))
    })
}

/// Something large that a function holds on to: the receiver of a method value, or what a literal captures.
fn held(f: &Function<'_>, function: ExprId) -> Option<LocalId> {
    let function = f.tree.unparen(function);
    match &f.tree[function].kind {
        ExprKind::FuncLit(_) => {
            let captures = &f.facts.literals.get(function)?.captures;
            captures
                .iter()
                .copied()
                .find(|local| f.facts.locals[*local].kind == LocalKind::Receiver)
                .or_else(|| {
                    captures
                        .iter()
                        .copied()
                        .find(|local| is_large(&f.facts.locals[*local].ty))
                })
        }
        ExprKind::Selector { .. } if matches!(f.facts.refs.get(function), Some(Res::Method(_))) => {
            let ExprKind::Selector { base, .. } = &f.tree[function].kind else {
                return None;
            };
            let local = f.place(*base)?.local;
            (f.facts.locals[local].kind == LocalKind::Receiver).then_some(local)
        }
        _ => None,
    }
}

/// Slices and maps may hold anything; of other types the size is not known.
fn is_large(ty: &Ty) -> bool {
    matches!(ty.kind(), TyKind::Slice(_) | TyKind::Map(..))
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn must_flag() {
        check(
            r#"
package a

import "time"

type session struct{ data []byte }

func (s *session) expire() { s.data = nil }

func (s *session) touch() {
	time.AfterFunc(30*time.Minute, s.expire) // want unstopped-after-func/information "`s` is kept until the timer fires" want-fix "timer.Stop()" unsafe
}
"#,
        );
    }

    #[test]
    fn must_not_flag() {
        check(
            r#"
package a

import "time"

type session struct {
	data  []byte
	timer *time.Timer
}

func (s *session) expire() { s.data = nil }

func (s *session) touch() {
	s.timer = time.AfterFunc(30*time.Minute, s.expire)
	time.AfterFunc(time.Second, s.expire)
}

func log(text string) {
	time.AfterFunc(time.Hour, func() { println(text) })
}
"#,
        );
    }
}
