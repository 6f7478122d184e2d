//! # What it does
//! Reports the cancel function of `context.WithCancel`, `WithCancelCause`, `WithTimeout`, `WithTimeoutCause`, `WithDeadline`,
//! `WithDeadlineCause` and the stop function of `signal.NotifyContext` when it is thrown away or when a path leaves the function
//! without calling it or handing it on.
//!
//! # Why it leaks
//! A derived context is registered with its parent until it is cancelled. A parent that lives long keeps every child whose cancel
//! function was dropped, with its timer and whatever waits on it.
//!
//! # Example
//! ```go
//! ctx, cancel := context.WithTimeout(ctx, time.Minute)
//! req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
//! if err != nil {
//! 	return err // the context stays registered
//! }
//! defer cancel()
//! ```
//!
//! # Use instead
//! ```go
//! ctx, cancel := context.WithTimeout(ctx, time.Minute)
//! defer cancel()
//! req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
//! if err != nil {
//! 	return err
//! }
//! ```
//!
//! # When it stays silent
//! - The function is called, deferred, returned, stored, or captured by something that may call it.
//! - On paths behind `<-ctx.Done()` of that context, and where its parent was cancelled.
//! - Once in `main.main` (but not for `signal.NotifyContext`).
//!
//! `context.WithCancel` on `context.Background()` and the like, also with values, registers nowhere: that is only a hint, unless on the way
//! to where the function is lost something begins to wait on the context. A child of the context of the request that the function serves
//! (`http.Request.Context`, `grpc.ServerStream.Context`) is a hint too: it ends with the request.
//!
//! # Fix safety
//! `defer cancel()` is safe where neither the context nor anything made from it (a request, rows, a transaction, a command, a
//! goroutine) outlives the function, otherwise it is unsafe; so it is where the context is kept in a field, a named result or a variable of
//! an outer function. The same holds for a call before the returns that lose the function. A discarded function gets a name that nothing else
//! in the function has. In a loop the body is wrapped in a function, which is unsafe for a discarded one. In tests `t.Context()` is offered
//! for a background context that is never cancelled: unsafe, because it ends with the test.
//!
//! # References
//! - [`context`: "Failing to call the CancelFunc leaks the child and its children until the parent is canceled"](https://pkg.go.dev/context)
//! - [`signal.NotifyContext`](https://pkg.go.dev/os/signal#NotifyContext)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::find::{self, Verdict};
use crate::engine::kinds::Extra;
use crate::rules::{Declared, Family};
use go_syntax::ast::ExprKind;

pub(crate) static RULE: Declared = Declared {
    name: "dropped-cancel",
    family: Family::Resources,
    severity: Severity::Warning,
    summary: "the cancel function of a context is not called on some path",
    fixes: "insert or move up `defer cancel()`, also in place of `_`; `t.Context()` in tests",
    overlaps: &["go vet/lostcancel"],
    tests: true,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/dropped_cancel.rs",
    text: include_str!("dropped_cancel.rs"),
    needs: &[],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    find::check(cx, RULE.name, &|found| {
        let f = found.function;
        let ob = found.obligation;
        let parent = match &f.tree[ob.call].kind {
            ExprKind::Call { args, .. } => args.first().copied(),
            _ => None,
        };
        // A child of a background context registers nowhere; without a deadline nothing holds it but those who wait on it.
        let nowhere = ob.acquirer.extra == Extra::DerivesCancel
            && parent.is_some_and(|p| find::is_background(f, p))
            && !find::somebody_waits(found);
        Some(if nowhere {
            Verdict {
                severity: Severity::Hint,
                note: Some(
                    "the parent is never cancelled and keeps no children, so little is held"
                        .to_owned(),
                ),
            }
        } else if parent.is_some_and(|p| find::is_of_request(f, p)) {
            Verdict {
                severity: Severity::Hint,
                note: Some("at the latest it ends with the request".to_owned()),
            }
        } else {
            Verdict {
                severity: RULE.severity,
                note: None,
            }
        })
    })
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
	"context"
	"time"
)

func f(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second) // want dropped-cancel/warning "not called on every path"
	if err := do(ctx); err != nil {
		return err // want-related "returns without calling `cancel`"
	}
	cancel()
	return nil
}

func g(ctx context.Context, do func(context.Context) error) error {
	ctx, _ = context.WithTimeout(ctx, time.Second) // want dropped-cancel/warning "thrown away"
	return do(ctx)
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
	"context"
	"time"
)

func f(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	return ctx, cancel
}

func g(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return do(ctx)
}
"#,
        );
    }
}
