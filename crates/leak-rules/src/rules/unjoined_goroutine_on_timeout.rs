//! # What it does
//! Reports a goroutine that says when it has come to its end, and a function that waits for that in a `select` but leaves it running where it
//! takes another case first: a time has passed, a context is done, something else has happened.
//!
//! # Why it leaks
//! The wait is bounded, the goroutine is not: nothing that the function does tells it to stop. Where what it works with never comes back, it
//! stays until the process ends, and each call adds another one. Often that is meant: a shutdown that gives up after a time is better
//! than one that hangs. So this is a hint.
//!
//! # Example
//! ```go
//! func (s *server) drain(timeout time.Duration) error {
//! 	done := make(chan struct{})
//! 	go func() {
//! 		s.wg.Wait()
//! 		close(done)
//! 	}()
//! 	select {
//! 	case <-done:
//! 		return nil
//! 	case <-time.After(timeout):
//! 		return errTimeout // the goroutine waits on
//! 	}
//! }
//! ```
//!
//! # Use instead
//! ```go
//! func (s *server) drain(timeout time.Duration) error {
//! 	done := make(chan struct{})
//! 	go func() {
//! 		s.wg.Wait()
//! 		close(done)
//! 	}()
//! 	select {
//! 	case <-done:
//! 		return nil
//! 	case <-time.After(timeout):
//! 		s.closeConns() // ends those for whom it waits
//! 		<-done
//! 		return errTimeout
//! 	}
//! }
//! ```
//!
//! # When it stays silent
//! - What `unjoined-goroutine` does not report either: the goroutine promises nothing, the channel is handed on, something on the path may end
//!   the goroutine, or it works with a context that comes from elsewhere.
//! - Something in the function tells the goroutine to stop, on whatever path. (Where it waits for others, and something was cancelled or
//!   closed before it was started, it is reported in other words: those others may not heed it.)
//! - The goroutine surely comes to its end by itself, soon: it sleeps, computes, cancels.
//! - The callers end the process where the wait was given up.
//! - In `main.main` and what only it calls once; test files.
//!
//! # Fix safety
//! No fix: what has to be told to stop is not known.
//!
//! # References
//! - [Go concurrency patterns: timing out, moving on](https://go.dev/blog/concurrency-timeouts)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::goroutine::JOIN_NEEDS;
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "unjoined-goroutine-on-timeout",
    family: Family::Goroutines,
    severity: Severity::Hint,
    summary: "a goroutine goes on where a bounded wait for it gives up",
    fixes: "none",
    overlaps: &[],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unjoined_goroutine_on_timeout.rs",
    text: include_str!("unjoined_goroutine_on_timeout.rs"),
    needs: JOIN_NEEDS,
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    cx.join_findings(RULE.name)
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
	"errors"
	"sync"
	"time"
)

type server struct{ wg sync.WaitGroup }

func (s *server) drain(timeout time.Duration) error {
	done := make(chan struct{})
	go func() { // want unjoined-goroutine-on-timeout/hint "gives up waiting"
		s.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-time.After(timeout): // want-related "when this case is chosen"
		return errors.New("timeout") // want-related "returns without `done`"
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
	"net/http"
)

func forced(ctx context.Context, srv *http.Server) error {
	done := make(chan struct{})
	go func() {
		srv.Serve(nil)
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		srv.Close()
		return ctx.Err()
	}
}

func own(ctx context.Context, fetch func(context.Context)) error {
	done := make(chan struct{})
	go func() {
		fetch(ctx)
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
"#,
        );
    }
}
