//! # What it does
//! Reports a function that is given a context, does not look at it, and starts a goroutine that never ends, or stays itself in a loop that
//! waits in each round.
//!
//! # Why it leaks
//! Whoever calls a function with a context trusts that what it does ends when the context is done. Here it does not: the goroutine stays
//! with everything it refers to, and each call of the function adds another one. A loop of the function itself keeps its caller waiting
//! for work that nobody wants any more; where no goroutine is started, that is a hint.
//!
//! # Example
//! ```go
//! func Report(ctx context.Context, period time.Duration) {
//! 	go func() {
//! 		for {
//! 			time.Sleep(period)
//! 			send()
//! 		}
//! 	}()
//! }
//! ```
//!
//! # Use instead
//! ```go
//! func Report(ctx context.Context, period time.Duration) {
//! 	ticker := time.NewTicker(period)
//! 	go func() {
//! 		defer ticker.Stop()
//! 		for {
//! 			select {
//! 			case <-ticker.C:
//! 				send()
//! 			case <-ctx.Done():
//! 				return
//! 			}
//! 		}
//! 	}()
//! }
//! ```
//!
//! # When it stays silent
//! - Something is asked of the context (other than for a value), or it is handed on to anybody.
//! - The parameter has no name, or `_`.
//! - The loop has to do with any other context, such as a field or that of a request.
//! - The goroutine can end otherwise: it returns, breaks, or ranges over a channel that somebody may close.
//! - A loop of the function itself has another end: it counts its rounds, looks at the clock, has a `select`, or waits for something else
//!   than time and can be left.
//! - In `main.main`, `init` and what only these call once; test files.
//!
//! # Fix safety
//! Returning when the context is done is unsafe: what the loop would have done afterwards is not done then, and callers that were never
//! told of it may get the context's error. It is offered where the wait is a statement of its own or the loop has one `select`, and the
//! function returns nothing or only an error.
//!
//! # References
//! - [Package context](https://pkg.go.dev/context)
//! - [Go code review comments: contexts](https://go.dev/wiki/CodeReviewComments#contexts)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::{Need, Syntax};
use crate::engine::goroutine;
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "ignored-context",
    family: Family::Goroutines,
    severity: Severity::Information,
    summary: "a function is given a context and waits for ever without looking at it",
    fixes: "return when the context is done",
    overlaps: &[],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/ignored_context.rs",
    text: include_str!("ignored_context.rs"),
    needs: &[
        Need::syntax(Syntax::GO),
        Need::names(&["Sleep"]).and(Syntax::LOOP),
        Need::syntax(Syntax::RECEIVE.and(Syntax::LOOP)),
        Need::syntax(Syntax::RANGE),
    ],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    let mut found = goroutine::ignored::goroutines(cx, RULE.name);
    found.extend(goroutine::ignored::findings(cx, RULE.name));
    found
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

func send() {}

func Sleeps(ctx context.Context, period time.Duration) { // want-related "not looked at"
	go func() { // want ignored-context/information "not even when `ctx` is done" want-fix "return when `ctx` is done" unsafe
		for {
			time.Sleep(period)
			send()
		}
	}()
}

func poll(ctx context.Context, ready func() bool) error {
	for { // want ignored-context/hint "goes on when `ctx` is done" want-fix "return when `ctx` is done" unsafe
		if ready() {
			return nil
		}
		time.Sleep(time.Second)
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
	"context"
	"errors"
	"time"
)

func send() {}

func handsOn(ctx context.Context, run func(context.Context)) {
	go func() {
		for range 3 {
			run(ctx)
			time.Sleep(time.Second)
		}
	}()
}

func unnamed(_ context.Context, ready func() bool) {
	for {
		if ready() {
			return
		}
		time.Sleep(time.Second)
	}
}

func counts(ctx context.Context, ready func() bool) error {
	tries := 0
	for {
		if ready() {
			return nil
		}
		tries++
		if tries > 10 {
			return errors.New("not ready")
		}
		time.Sleep(time.Second)
	}
}

func clock(ctx context.Context, ready func() bool) error {
	end := time.Now().Add(time.Minute)
	for {
		if ready() {
			return nil
		}
		if time.Now().After(end) {
			return errors.New("not ready")
		}
		time.Sleep(time.Second)
	}
}
"#,
        );
    }
}
