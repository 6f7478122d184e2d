//! # What it does
//! Reports `ctx = context.With…(ctx, …)` in a loop that comes round, where `ctx` is declared outside of the loop; and fields of long-lived values that
//! are wrapped in themselves again and again: `s.log = s.log.With(…)`.
//!
//! # Why it leaks
//! Each round wraps the context of the round before. All of them stay as long as the last one is used; a look-up of a value walks through all of
//! them, and a cancellation or deadline of an earlier round ends the later ones too. A logger or a metric in a field that is replaced by a larger one of
//! itself has one more attribute after each request.
//!
//! # Example
//! ```go
//! for {
//! 	ctx, cancel = context.WithTimeout(ctx, time.Minute) // one more in each round
//! 	err := poll(ctx)
//! 	cancel()
//! 	if err != nil {
//! 		return err
//! 	}
//! }
//! ```
//!
//! # Use instead
//! ```go
//! for {
//! 	ctx, cancel := context.WithTimeout(ctx, time.Minute)
//! 	err := poll(ctx)
//! 	cancel()
//! 	if err != nil {
//! 		return err
//! 	}
//! }
//! ```
//!
//! # When it stays silent
//! - The loop is left behind the assignment, or the variable also gets a context that is not made from its own.
//! - `WithValue` and `WithoutCancel` in a loop over a collection, or in one that counts: values are put into a context like that.
//! - The variable is declared in the loop.
//! - A field belongs to something that was just made, or that is made again and again, or the package also sets it to something else.
//! - A field is wrapped in code that is not known to run again and again. It is a hint where a method does nothing else, with what its callers give.
//!
//! # Fix safety
//! `:=` in place of `=` is unsafe: the next round begins with the context from before the loop. It is offered where the assignment stands in the
//! body of the loop itself, and what it assigns is used behind it, in the loop only. There is none for fields.
//!
//! # References
//! - [`context`](https://pkg.go.dev/context)
//! - [fatcontext](https://github.com/Crocmagnon/fatcontext)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::{Need, Syntax};
use crate::engine::{goroutine, memory};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "growing-context",
    family: Family::Goroutines,
    severity: Severity::Information,
    summary: "a context is wrapped once more in each round of a loop",
    fixes: "declare it anew in each round",
    overlaps: &["golangci-lint/fatcontext"],
    tests: true,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/growing_context.rs",
    text: include_str!("growing_context.rs"),
    needs: &[
        Need::names(memory::DERIVING).and(Syntax::LOOP),
        Need::names(&["WithoutCancel"]).and(Syntax::LOOP),
        Need::names(memory::WRAPPING).and(Syntax::FIELD_ASSIGN),
    ],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    let mut found = goroutine::context::findings(cx, RULE.name);
    found.extend(memory::wrapping(cx, RULE.name));
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

func poll(ctx context.Context) error { return ctx.Err() }

func timeouts(ctx context.Context, n int) error {
	for i := 0; i < n; i++ {
		c, cancel := context.WithTimeout(ctx, time.Minute)
		ctx = context.WithValue(c, i, n)
		err := poll(ctx)
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

func values(ctx context.Context, in chan int) {
	for n := range in {
		ctx = context.WithValue(ctx, n, n) // want growing-context/information "wrapped once more in each round" want-fix "declare `ctx` anew" unsafe
		poll(ctx)
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
	"time"
)

func poll(ctx context.Context) error { return ctx.Err() }

func collects(ctx context.Context, values map[string]string) context.Context {
	for k, v := range values {
		ctx = context.WithValue(ctx, k, v)
	}
	return ctx
}

func own(parent context.Context, n int) {
	for i := 0; i < n; i++ {
		ctx, cancel := context.WithTimeout(parent, time.Minute)
		poll(ctx)
		cancel()
	}
}

func leaves(ctx context.Context, in chan int) error {
	for n := range in {
		if n > 0 {
			ctx = context.WithValue(ctx, n, n)
			return poll(ctx)
		}
	}
	return nil
}
"#,
        );
    }
}
