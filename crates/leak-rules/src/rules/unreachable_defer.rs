//! # What it does
//! Reports a `defer` that never runs: in an endless loop behind which nothing returns, or before an `os.Exit` or `log.Fatal` that leaves
//! behind what the deferred call would have flushed or removed.
//!
//! # Why it leaks
//! Deferred calls run when the function returns. In a loop that never ends each iteration registers one more, which are all kept. `os.Exit`
//! ends the process without running any: temporary files stay on the disk, and what was not flushed is lost.
//!
//! # Example
//! ```go
//! func main() {
//! 	dir, err := os.MkdirTemp("", "build")
//! 	if err != nil {
//! 		log.Fatal(err)
//! 	}
//! 	defer os.RemoveAll(dir)
//! 	if err := build(dir); err != nil {
//! 		log.Fatal(err) // the directory stays
//! 	}
//! }
//! ```
//!
//! # Use instead
//! ```go
//! func main() {
//! 	if err := run(); err != nil {
//! 		log.Fatal(err)
//! 	}
//! }
//!
//! func run() error {
//! 	dir, err := os.MkdirTemp("", "build")
//! 	if err != nil {
//! 		return err
//! 	}
//! 	defer os.RemoveAll(dir)
//! 	return build(dir)
//! }
//! ```
//!
//! # When it stays silent
//! - The loop has an exit.
//! - The function does the same itself before it ends the process.
//! - What the deferred call lets go ends with the process anyway: files, connections, locks, contexts.
//! - `defer-in-loop` reports the same `defer`.
//!
//! # Fix safety
//! Wrapping the body of an endless loop in a function is unsafe: what never ran then runs in every iteration. Before an exit there is no
//! fix: the code between the `defer` and the exit has to become a function of its own, and what it found has to be told to its caller.
//!
//! # References
//! - [`os.Exit`](https://pkg.go.dev/os#Exit): "The program terminates immediately; deferred functions are not run."

use go_model::cfg::{BlockId, Terminator};
use go_syntax::ast::{ExprId, ExprKind, StmtId, StmtKind};
use go_syntax::{Literals, NodeId};

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::{Need, Syntax};
use crate::engine::function::Function;
use crate::engine::outline::render;
use crate::engine::pattern::{self, step};
use crate::engine::site::{FixSite, Pattern};
use crate::rules::{Declared, Family, defer_in_loop};

pub(crate) static RULE: Declared = Declared {
    name: "unreachable-defer",
    family: Family::Resources,
    severity: Severity::Information,
    summary: "a deferred call never runs",
    fixes: "wrap the body of the endless loop in a function",
    overlaps: &["golangci-lint/gocritic (exitAfterDefer)"],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unreachable_defer.rs",
    text: include_str!("unreachable_defer.rs"),
    needs: &[
        Need::syntax(Syntax::DEFER_IN_LOOP),
        Need::names(&[
            "RemoveAll",
            "Remove",
            "StopCPUProfile",
            "Stop",
            "Flush",
            "Close",
        ])
        .and(Syntax::DEFER),
    ],
    check,
};

/// Functions and methods whose work is not done by the end of the process: (package, type, name).
const LASTING: &[(&str, &str, &str)] = &[
    ("os", "", "Remove"),
    ("os", "", "RemoveAll"),
    ("runtime/pprof", "", "StopCPUProfile"),
    ("runtime/trace", "", "Stop"),
    ("bufio", "Writer", "Flush"),
    ("text/tabwriter", "Writer", "Flush"),
    ("encoding/csv", "Writer", "Flush"),
    ("compress/gzip", "Writer", "Close"),
    ("compress/zlib", "Writer", "Close"),
    ("compress/flate", "Writer", "Close"),
    ("archive/zip", "Writer", "Close"),
    ("archive/tar", "Writer", "Close"),
];

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    let mut found = pattern::check(cx, &|f| {
        f.cfg
            .defers
            .iter()
            .filter_map(|defer| in_endless_loop(cx, f, *defer).or_else(|| before_exit(f, *defer)))
            .collect()
    });
    if !found.is_empty() {
        let others = defer_in_loop::check(cx);
        found.retain(|f| !others.iter().any(|o| o.range.intersect(f.range).is_some()));
    }
    found
}

/// Every iteration registers one more, and none ever runs.
fn in_endless_loop(cx: &CheckContext<'_>, f: &Function<'_>, defer: StmtId) -> Option<RawFinding> {
    let (block, _) = f.cfg.position_of(defer)?;
    let looping = f.cfg.repeating_loop(block)?.stmt;
    // One over a list ends, whatever comes behind it.
    let endless = match &f.tree[looping].kind {
        StmtKind::For { cond, .. } => cond.is_none(),
        StmtKind::Range { .. } => f.never_ends(looping),
        _ => false,
    };
    if !endless {
        return None;
    }
    let leaves = |b: BlockId| match f.cfg[b].terminator {
        Terminator::Return(_) => true,
        Terminator::NoReturn { unwinds, .. } => unwinds,
        _ => false,
    };
    if pattern::reach(f, block).iter().any(leaves) {
        return None;
    }
    let StmtKind::Defer(call) = f.tree[defer].kind else {
        return None;
    };
    let mut found = pattern::finding(
        f,
        RULE.name,
        RULE.severity,
        format!(
            "`{}` is deferred in a loop that never ends: it never runs",
            render(f.tree, call, 60)
        ),
        f.tree[defer].range,
    );
    found
        .related
        .push(step("the loop never ends", f.head_range(looping)));
    // Only the body of a real loop can be wrapped.
    if let Some(body) = f.loop_body(looping) {
        let pattern = Pattern::DeferInEndlessLoop;
        let call = f.tree.unparen(call);
        let mut site = FixSite::pattern(f.literal, call, Some(defer), pattern, cx.in_test);
        site.loop_defer = Some(defer_in_loop::loop_defer(f, defer, looping, body));
        found.site = Some(Box::new(site));
    }
    Some(found)
}

/// The process ends behind it without running it, and what it would have done is not done by that.
fn before_exit(f: &Function<'_>, defer: StmtId) -> Option<RawFinding> {
    let (block, _) = f.cfg.position_of(defer)?;
    let lasting = lasting(f, defer)?;
    let exit = pattern::reach(f, block)
        .iter()
        .find_map(|b| match f.cfg[b].terminator {
            Terminator::NoReturn {
                call,
                unwinds: false,
            } if !done_before(f, defer, lasting, b) => Some(call),
            _ => None,
        })?;
    let mut found = pattern::finding(
        f,
        RULE.name,
        RULE.severity,
        format!(
            "`{}` is not called where `{}` ends the process",
            render(f.tree, lasting, 60),
            render(f.tree, exit, 30)
        ),
        f.tree[defer].range,
    );
    found.related.push(step(
        "the process ends here, deferred calls do not run",
        f.tree[exit].range,
    ));
    Some(found)
}

/// Whether the function makes the same call itself on every way to the exit at the end of a block.
fn done_before(f: &Function<'_>, defer: StmtId, lasting: ExprId, exit: BlockId) -> bool {
    let text = render(f.tree, lasting, 200);
    let deferred = f.tree[defer].range;
    f.tree.stmts.iter().any(|(id, stmt)| {
        stmt.range.start() >= deferred.end()
            && matches!(stmt.kind, StmtKind::Expr(_) | StmtKind::Assign { .. })
            && f.tree
                .walk(NodeId::Stmt(id), Literals::Skip)
                .filter_map(NodeId::expr)
                .any(|e| {
                    matches!(f.tree[e].kind, ExprKind::Call { .. })
                        && render(f.tree, e, 200) == text
                })
            && f.cfg
                .position_of(id)
                .is_some_and(|(block, _)| f.dominators().dominates(block, exit))
    })
}

/// The call of a `defer`, or of the literal that it calls, whose work is not done by the end of the process.
fn lasting(f: &Function<'_>, defer: StmtId) -> Option<ExprId> {
    let StmtKind::Defer(call) = f.tree[defer].kind else {
        return None;
    };
    let call = f.tree.unparen(call);
    let is = |call: ExprId| {
        f.target(call).is_some_and(|target| {
            LASTING.iter().any(|(package, ty, name)| {
                target.package == *package
                    && target.ty.map_or("", |t| t.as_str()) == *ty
                    && target.name == *name
            })
        })
    };
    let Some(literal) = f.called_literal(call) else {
        return is(call).then_some(call);
    };
    f.tree
        .walk(NodeId::Expr(literal), Literals::Enter)
        .filter_map(NodeId::expr)
        .find(|e| is(*e))
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn must_flag() {
        check(
            r#"
package a

import (
	"log"
	"os"
)

func f(build func(string) error) {
	dir, err := os.MkdirTemp("", "build")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir) // want unreachable-defer/information "`os.RemoveAll(dir)` is not called"
	if err := build(dir); err != nil {
		log.Fatal(err) // want-related "the process ends here"
	}
}

func g(work func() func()) {
	for { // want-related "the loop never ends"
		defer work()() // want unreachable-defer/information "it never runs"
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

import (
	"log"
	"os"
)

func f(name string, build func(*os.File) error) {
	f, err := os.Open(name)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	if err := build(f); err != nil {
		log.Fatal(err)
	}
}

func g(work func() func()) {
	defer work()()
	for {
	}
}
"#,
        );
    }
}
