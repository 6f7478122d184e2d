//! # What it does
//! Reports a `time.Tick` in a function that returns, or in a loop that asks for another one in each iteration.
//!
//! # Why it leaks
//! The ticker behind the channel of `time.Tick` cannot be stopped. Below Go 1.23 it is never collected: its timer fires for ever, once more for
//! every call. Since Go 1.23 an unreferenced ticker is collected. So this is a warning below 1.23 and a hint from there on.
//!
//! # Example
//! ```go
//! func waitFor(ready func() bool) {
//! 	for range time.Tick(time.Second) {
//! 		if ready() {
//! 			return // the ticker goes on
//! 		}
//! 	}
//! }
//! ```
//!
//! # Use instead
//! ```go
//! func waitFor(ready func() bool) {
//! 	ticker := time.NewTicker(time.Second)
//! 	defer ticker.Stop()
//! 	for range ticker.C {
//! 		if ready() {
//! 			return
//! 		}
//! 	}
//! }
//! ```
//!
//! # When it stays silent
//! - The function never returns.
//! - Once in `main.main`: the process ends with it.
//! - The channel is returned, stored, captured by a closure, or given to another function.
//!
//! # Fix safety
//! A `time.NewTicker` with a deferred `Stop` does the same where the delay is a constant above zero. For any other delay it is unsafe:
//! `time.Tick` gives nil for a delay that is not above zero, and `time.NewTicker` panics. In a loop there is no fix.
//!
//! # References
//! - [`time.Tick`](https://pkg.go.dev/time#Tick)
//! - [Go 1.23 release notes, timer changes](https://go.dev/doc/go1.23#timer-changes)

use go_model::facts::LocalKind;
use go_syntax::ast::{ExprId, ExprKind, StmtId, StmtKind, UnaryOp};

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::Need;
use crate::engine::find::locate;
use crate::engine::function::Function;
use crate::engine::pattern::{self, step};
use crate::engine::site::{FixSite, Pattern};
use crate::engine::{self};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "time-tick",
    family: Family::Resources,
    severity: Severity::Warning,
    summary: "the ticker of `time.Tick` can never be stopped",
    fixes: "use `time.NewTicker` and defer `Stop`",
    overlaps: &["staticcheck/SA1015"],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/time_tick.rs",
    text: include_str!("time_tick.rs"),
    needs: &[Need::names(&["Tick"])],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    pattern::check(cx, &|f| look(cx, f))
}

fn look(cx: &CheckContext<'_>, f: &Function<'_>) -> Vec<RawFinding> {
    let calls: Vec<ExprId> = pattern::calls(f, "time", "Tick");
    if calls.is_empty() {
        return Vec::new();
    }
    let places = locate(f);
    let finding = |call: ExprId| -> Option<RawFinding> {
        let (block, _) = *places.get(&call)?;
        let stmt = reader(f, call)?;
        let looping = f.cfg.repeating_loop(block).map(|l| l.stmt);
        let exit = match looping {
            Some(_) => None,
            None if f.literal.is_none() && engine::is_main(cx) => return None,
            None => Some(pattern::returns_after(f, block)?),
        };
        let verdict = engine::timer_gate(cx, RULE.severity, |since| {
            format!("{since} a ticker is collected once nothing reads its channel")
        });
        let mut message = match looping {
            Some(_) => "each iteration starts a ticker that can never be stopped".to_owned(),
            None => {
                "the ticker of `time.Tick` goes on when the function returns: it can never be stopped"
                    .to_owned()
            }
        };
        if let Some(note) = verdict.note {
            message.push_str(&format!(" ({note})"));
        }
        let range = f.tree[call].range;
        let mut found = pattern::finding(f, RULE.name, verdict.severity, message, range);
        found
            .related
            .push(step("the ticker is started here", range));
        found.related.push(match (looping, exit) {
            (Some(looping), _) => step("the loop goes on", f.head_range(looping)),
            (None, exit) => step(
                "returns while the ticker goes on",
                exit.map_or(f.end_range(), |b| pattern::exit_range(f, b)),
            ),
        });
        if looping.is_none() {
            let delay = pattern::args(f.tree, call).first()?;
            let constant = pattern::duration(f, *delay).is_some_and(|d| d > 0);
            let pattern = Pattern::Tick { constant };
            let site = FixSite::pattern(f.literal, call, Some(stmt), pattern, cx.in_test);
            found.site = Some(Box::new(site));
        }
        Some(found)
    };
    calls.into_iter().filter_map(finding).collect()
}

/// The statement that reads the ticker's channel (or names it, to be read later) if nobody else can.
fn reader(f: &Function<'_>, call: ExprId) -> Option<StmtId> {
    if reads(f, call) {
        return pattern::statement_around(f, call);
    }
    let (stmt, local) = pattern::sole_value(f, call)?;
    let l = &f.facts.locals[local];
    let only = l.kind == LocalKind::Var
        && l.owner == f.literal
        && l.assignments == 1
        && !l.captured
        && !l.address_taken;
    let read = |mention: ExprId| reads(f, mention) || pattern::declares(f, mention, stmt);
    (only && f.d.mentions(local).iter().all(|(m, _)| read(*m))).then_some(stmt)
}

/// Whether an expression is a channel that is received from or ranged over.
fn reads(f: &Function<'_>, channel: ExprId) -> bool {
    let mut at = channel;
    while let Some(parent) = f.d.parent(at) {
        match &f.tree[parent].kind {
            ExprKind::Paren(_) => at = parent,
            ExprKind::Unary {
                op: UnaryOp::Receive,
                ..
            } => return true,
            _ => return false,
        }
    }
    f.tree
        .stmts
        .iter()
        .any(|(_, s)| matches!(s.kind, StmtKind::Range { over, .. } if over == at))
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

func f(ready func() bool) {
	for range time.Tick(time.Second) { // want time-tick/warning "goes on when the function returns" want-fix "NewTicker" safe
		if ready() {
			return // want-related "returns while the ticker goes on"
		}
	}
}
-- b/go.mod --
module example.com/b

go 1.23
-- b/b.go --
package b

import "time"

func f(done chan struct{}) {
	tick := time.Tick(time.Second) // want time-tick/hint "since Go 1.23"
	select {
	case <-tick:
	case <-done:
	}
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

func forever(poll func()) {
	for range time.Tick(time.Second) {
		poll()
	}
}

func handedOn() <-chan time.Time {
	return time.Tick(time.Second)
}
"#,
        );
    }
}
