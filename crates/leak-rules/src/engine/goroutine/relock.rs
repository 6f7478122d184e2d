//! Locks that are taken while they are held.

use go_syntax::ast::{DeclTree, ExprId};

use super::held::{Callees, Event, Locks, in_each_function, render_lock, takes_locks};
use crate::Severity;
use crate::check::{CheckContext, RawFinding, RawRelated};
use crate::engine::function::Function;
use crate::engine::outline::render;
use crate::engine::pattern::{finding, step};

/// The places where a function waits for a lock that it holds itself.
pub(crate) fn findings(cx: &CheckContext<'_>, rule: &'static str) -> Vec<RawFinding> {
    if !takes_locks(cx.tree) || !holds_over_something(cx.tree) {
        return Vec::new();
    }
    in_each_function(cx, |f, locks, callees| look(f, locks, callees, rule))
}

/// Whether a declaration has a call beside one that takes a lock: a question before anything is resolved.
fn holds_over_something(tree: &DeclTree) -> bool {
    let calls = tree
        .exprs
        .iter()
        .filter(|(_, e)| matches!(e.kind, go_syntax::ast::ExprKind::Call { .. }));
    calls.take(2).count() == 2
}

fn look(
    f: &Function<'_>,
    locks: &Locks<'_, '_>,
    callees: &Callees,
    rule: &'static str,
) -> Vec<RawFinding> {
    // Where, the lock that is held, and the steps inside of what is called.
    let mut places: Vec<(ExprId, usize, Option<Vec<RawRelated>>)> = Vec::new();
    let walked = locks.walk(&mut |event, held| match event {
        Event::Lock(i) => {
            let again = &locks.ops[i];
            let first = (held.iter().copied())
                .find(|h| locks.ops[*h].key == again.key)
                .filter(|h| {
                    // Coming round to the same call is a missing unlock; two readers do not wait for each other by themselves.
                    locks.ops[*h].call != again.call && !(locks.ops[*h].reads && again.reads)
                });
            if let Some(first) = first
                && !places.iter().any(|(at, ..)| *at == again.call)
            {
                places.push((again.call, first, None));
            }
        }
        Event::Call(call) if !held.is_empty() && !places.iter().any(|(at, ..)| *at == call) => {
            for (key, taken) in callees.taken_by(f.d, call) {
                let first = (held.iter().copied())
                    .find(|h| locks.ops[*h].key == key && !(locks.ops[*h].reads && taken.reads));
                if let Some(first) = first {
                    places.push((call, first, Some(taken.steps)));
                    break;
                }
            }
        }
        _ => {}
    });
    if walked.is_none() {
        return Vec::new();
    }
    // Behind the first place nothing is reached.
    let before = |a: &ExprId, b: &ExprId| f.tree[*a].range.start() < f.tree[*b].range.start();
    let all: Vec<(ExprId, usize)> = places.iter().map(|(at, h, _)| (*at, *h)).collect();
    places.retain(|(at, held, _)| {
        !(all.iter()).any(|(other, h)| {
            before(other, at)
                && locks.ops[*h].key == locks.ops[*held].key
                && (locks.ops[*held].call == *other || locks.ops[*held].call == locks.ops[*h].call)
        })
    });
    places
        .into_iter()
        .map(|(at, first, steps)| double(f, locks, at, first, steps, rule))
        .collect()
}

fn double(
    f: &Function<'_>,
    locks: &Locks<'_, '_>,
    at: ExprId,
    first: usize,
    steps: Option<Vec<RawRelated>>,
    rule: &'static str,
) -> RawFinding {
    let held = &locks.ops[first];
    let text = render_lock(f.d, held.call);
    let range = f.tree[at].range;
    let message = match &steps {
        None => format!("`{text}` is already held here: this waits for itself"),
        Some(_) => {
            let called = match &f.tree[at].kind {
                go_syntax::ast::ExprKind::Call { func, .. } => render(f.tree, *func, 60),
                _ => "this".to_owned(),
            };
            format!("`{called}` locks `{text}`, which is already held here: it waits for itself")
        }
    };
    let mut found = finding(f, rule, Severity::Information, message, range);
    found.related.push(step(
        format!("`{text}` is locked here"),
        f.tree[held.call].range,
    ));
    match steps {
        None => found
            .related
            .push(step("and here again, while it is held", range)),
        Some(steps) => {
            found
                .related
                .push(step("this is called while it is held", range));
            let last = steps.len().saturating_sub(1);
            found
                .related
                .extend(steps.into_iter().enumerate().map(|(i, mut s)| {
                    if i == last {
                        s.message.push_str(" again, and waits for ever");
                    }
                    s
                }));
        }
    }
    found
}
