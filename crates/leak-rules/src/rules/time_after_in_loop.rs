//! # What it does
//! Reports `time.After` (or `time.NewTimer(d).C`, which is the same) in one arm of a `select` in a loop that goes on when another arm is chosen.
//!
//! # Why it leaks
//! Each iteration makes a timer. Below Go 1.23 one that was not waited for stays until it fires: with a delay of a minute and a thousand
//! messages a second, sixty thousand timers at a time. Since Go 1.23 an unreferenced timer is collected, and what remains is the cost of
//! making one in each iteration. So this is a warning below 1.23 and a hint from there on.
//!
//! # Example
//! ```go
//! for {
//! 	select {
//! 	case m := <-messages:
//! 		handle(m)
//! 	case <-time.After(time.Minute): // one more timer for each message
//! 		return errIdle
//! 	}
//! }
//! ```
//!
//! # Use instead
//! ```go
//! timer := time.NewTimer(time.Minute)
//! defer timer.Stop()
//! for {
//! 	timer.Reset(time.Minute) // below Go 1.23 after Stop and a receive that does not block
//! 	select {
//! 	case m := <-messages:
//! 		handle(m)
//! 	case <-timer.C:
//! 		return errIdle
//! 	}
//! }
//! ```
//!
//! # When it stays silent
//! - The select has no other arm, or every other arm leaves the loop: the timer fires or the loop ends.
//!
//! # Fix safety
//! Unsafe: one timer is reset before each `select`, which changes when it was started if the delay is made of something that the loop
//! changes. It is not offered where the delay is computed in the loop, and where the loop stands in another one.
//!
//! # References
//! - [`time.After`](https://pkg.go.dev/time#After)
//! - [Go 1.23 release notes, timer changes](https://go.dev/doc/go1.23#timer-changes)

use go_model::cfg::{BlockId, Terminator};
use go_model::facts::Res;
use go_syntax::ast::{BinaryOp, CommCase, ExprId, ExprKind, StmtId, StmtKind, UnaryOp};

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::{Need, Syntax};
use crate::engine::function::Function;
use crate::engine::interp::Place;
use crate::engine::pattern::{self, step};
use crate::engine::site::{FixSite, Pattern};
use crate::engine::{self};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "time-after-in-loop",
    family: Family::Resources,
    severity: Severity::Warning,
    summary: "`time.After` in a loop makes one more timer in each iteration",
    fixes: "make one timer before the loop and reset it",
    overlaps: &[],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/time_after_in_loop.rs",
    text: include_str!("time_after_in_loop.rs"),
    needs: &[Need::names(&["After", "NewTimer"]).and(Syntax::SELECT.and(Syntax::LOOP))],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    pattern::check(cx, &|f| look(cx, f))
}

fn look(cx: &CheckContext<'_>, f: &Function<'_>) -> Vec<RawFinding> {
    let mut found = Vec::new();
    for block in f.cfg.reverse_post_order() {
        let Terminator::Select { stmt, arms } = &f.cfg[block].terminator else {
            continue;
        };
        let StmtKind::Select { cases } = &f.tree[*stmt].kind else {
            continue;
        };
        for (arm, case) in cases.iter().enumerate() {
            if let Some(call) = after(f, case)
                && let Some(looping) = goes_on(f, block, cases, arms, arm)
            {
                found.push(finding(cx, f, call, *stmt, looping));
            }
        }
    }
    found
}

/// The `time.After` that an arm waits for.
fn after(f: &Function<'_>, case: &CommCase) -> Option<ExprId> {
    let received = match &f.tree[case.comm?].kind {
        StmtKind::Expr(e) => *e,
        StmtKind::Assign { rhs, .. } => *rhs.first()?,
        _ => return None,
    };
    let ExprKind::Unary {
        op: UnaryOp::Receive,
        operand,
    } = &f.tree[f.tree.unparen(received)].kind
    else {
        return None;
    };
    let operand = f.tree.unparen(*operand);
    if f.target(operand)
        .is_some_and(|t| t.is_func("time", "After"))
    {
        return Some(operand);
    }
    // `time.NewTimer(d).C` is the same.
    let ExprKind::Selector { base, name } = f.tree[operand].kind else {
        return None;
    };
    let call = f.tree.unparen(base);
    (name.name == "C" && f.target(call)?.is_func("time", "NewTimer")).then_some(call)
}

/// The loop that goes on with its next iteration when another arm than this one is chosen.
fn goes_on(
    f: &Function<'_>,
    block: BlockId,
    cases: &[CommCase],
    arms: &[BlockId],
    arm: usize,
) -> Option<StmtId> {
    let others = || arms.iter().enumerate().filter(|(i, _)| *i != arm);
    f.cfg
        .loops_containing(block)
        .find(|l| {
            others().any(|(i, b)| {
                let ends = cases.get(i).and_then(|case| cancelled(f, case));
                f.cfg.comes_round(*b, l.stmt)
                    && !cases.get(i).is_some_and(|case| says_stop(f, l.stmt, case))
                    && !ends.is_some_and(|context| asks_for_life(f, l.stmt, &context))
            })
        })
        .map(|l| l.stmt)
}

/// Whether an arm says by the variable that alone keeps the loop going that it is to end.
fn says_stop(f: &Function<'_>, looping: StmtId, case: &CommCase) -> bool {
    let StmtKind::For {
        cond: Some(cond), ..
    } = f.tree[looping].kind
    else {
        return false;
    };
    let Some(Res::Local(flag)) = f.facts.refs.get(f.tree.unparen(cond)) else {
        return false;
    };
    let sets = |stmt: &StmtId| match &f.tree[*stmt].kind {
        StmtKind::Assign { lhs, rhs, .. } => (lhs.iter().zip(rhs)).any(|(l, r)| {
            f.facts.refs.get(f.tree.unparen(*l)) == Some(&Res::Local(*flag))
                && f.facts.refs.get(f.tree.unparen(*r)) == Some(&Res::Bool(false))
        }),
        _ => false,
    };
    case.body.iter().any(sets)
}

/// The context whose end an arm waits for.
fn cancelled(f: &Function<'_>, case: &CommCase) -> Option<Place> {
    let StmtKind::Expr(received) = f.tree[case.comm?].kind else {
        return None;
    };
    let ExprKind::Unary {
        op: UnaryOp::Receive,
        operand,
    } = f.tree[f.tree.unparen(received)].kind
    else {
        return None;
    };
    context_of(f, operand, "Done")
}

/// Whether a loop goes on only while `ctx.Err()` of this context is nil.
fn asks_for_life(f: &Function<'_>, looping: StmtId, context: &Place) -> bool {
    let StmtKind::For {
        cond: Some(cond), ..
    } = f.tree[looping].kind
    else {
        return false;
    };
    let mut asked = vec![cond];
    while let Some(cond) = asked.pop() {
        let ExprKind::Binary { op, lhs, rhs } = f.tree[f.tree.unparen(cond)].kind else {
            continue;
        };
        match op {
            BinaryOp::LogicalAnd => asked.extend([lhs, rhs]),
            BinaryOp::Eq
                if f.is_nil(rhs) && context_of(f, lhs, "Err").as_ref() == Some(context) =>
            {
                return true;
            }
            _ => {}
        }
    }
    false
}

/// `ctx` of `ctx.Done()` or another method of a context.
fn context_of(f: &Function<'_>, call: ExprId, method: &str) -> Option<Place> {
    let call = f.tree.unparen(call);
    if !(f.target(call)?).is_method("context", "Context", method) {
        return None;
    }
    let ExprKind::Call { func, .. } = f.tree[call].kind else {
        return None;
    };
    match f.tree[f.tree.unparen(func)].kind {
        ExprKind::Selector { base, .. } => f.place(base),
        _ => None,
    }
}

fn finding(
    cx: &CheckContext<'_>,
    f: &Function<'_>,
    call: ExprId,
    select: StmtId,
    looping: StmtId,
) -> RawFinding {
    let verdict = engine::timer_gate(cx, RULE.severity, |since| {
        format!("{since} it is collected; what remains is the cost of making it")
    });
    let mut message = "each iteration makes another timer, which stays until it fires".to_owned();
    if let Some(note) = verdict.note {
        message = format!("each iteration makes another timer ({note})");
    }
    let range = f.tree[call].range;
    let mut found = pattern::finding(f, RULE.name, verdict.severity, message, range);
    found.related.push(step("the timer is made here", range));
    found.related.push(step(
        "the loop goes on when another arm is chosen",
        f.head_range(looping),
    ));
    let pattern = Pattern::AfterInLoop { select, looping };
    let site = FixSite::pattern(f.literal, call, Some(select), pattern, cx.in_test);
    found.site = Some(Box::new(site));
    found
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn must_flag() {
        check(
            r#"
-- go.mod --
module example.com/m

go 1.22
-- a.go --
package a

import "time"

func f(messages chan int) {
	for { // want-related "the loop goes on"
		select {
		case m := <-messages:
			println(m)
		case <-time.After(time.Minute): // want time-after-in-loop/warning "stays until it fires" want-fix "reset" unsafe
			return
		}
	}
}
-- b/go.mod --
module example.com/b

go 1.23
-- b/b.go --
package b

import "time"

func f(messages chan int) {
	for {
		select {
		case m := <-messages:
			println(m)
		case <-time.After(time.Minute): // want time-after-in-loop/hint "since Go 1.23" want-fix "reset" unsafe
			return
		}
	}
}
"#,
        );
    }

    #[test]
    fn must_not_flag() {
        check(
            r#"
-- go.mod --
module example.com/m

go 1.22
-- a.go --
package a

import "time"

func leaves(done chan int, poll func()) {
	for {
		select {
		case <-done:
			return
		case <-time.After(time.Minute):
			poll()
		}
	}
}

func alone(poll func()) {
	for {
		select {
		case <-time.After(time.Minute):
			poll()
		}
	}
}

func once(messages chan int) {
	select {
	case <-messages:
	case <-time.After(time.Minute):
	}
}
"#,
        );
    }
}
