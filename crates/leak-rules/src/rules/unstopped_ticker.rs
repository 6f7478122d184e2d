//! # What it does
//! Reports a `time.NewTicker` that is not stopped on some path of the function that owns it.
//!
//! # Why it leaks
//! Below Go 1.23 a ticker that was not stopped is never collected: its timer fires for ever. Since Go 1.23 an unreferenced ticker is
//! collected, but a goroutine that waits on its channel is not: it keeps the ticker and itself. So this is a warning below 1.23 and a
//! hint from there on.
//!
//! # Example
//! ```go
//! ticker := time.NewTicker(time.Second)
//! for {
//! 	select {
//! 	case <-ticker.C:
//! 		poll()
//! 	case <-ctx.Done():
//! 		return // the ticker goes on
//! 	}
//! }
//! ```
//!
//! # Use instead
//! ```go
//! ticker := time.NewTicker(time.Second)
//! defer ticker.Stop()
//! for {
//! 	select {
//! 	case <-ticker.C:
//! 		poll()
//! 	case <-ctx.Done():
//! 		return
//! 	}
//! }
//! ```
//!
//! # When it stays silent
//! - The ticker (or its channel) is returned, stored, or given to a function that keeps or stops it, or that is not known.
//! - The function never returns.
//! - Once in `main.main`: the process ends with it.
//!
//! # Fix safety
//! `defer ticker.Stop()` is safe in the function that reads the channel. Where the only reader is a goroutine, the `defer` goes inside
//! that goroutine, never into the function that starts it; with several readers there is no fix. A stop before the returns that lose the
//! ticker is safe.
//!
//! # References
//! - [Go 1.23 release notes, timer changes](https://go.dev/doc/go1.23#timer-changes)
//! - [`time.NewTicker`](https://pkg.go.dev/time#NewTicker)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::{self, find};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "unstopped-ticker",
    family: Family::Resources,
    severity: Severity::Warning,
    summary: "a ticker is not stopped on some path",
    fixes: "insert or move up `defer ticker.Stop()` where the channel is read",
    overlaps: &[],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unstopped_ticker.rs",
    text: include_str!("unstopped_ticker.rs"),
    needs: &[],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    find::check(cx, RULE.name, &|found| {
        Some(engine::timer_verdict(cx, found, RULE.severity))
    })
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

func f(done chan struct{}) {
	ticker := time.NewTicker(time.Second) // want unstopped-ticker/warning "never stopped"
	for {
		select {
		case <-ticker.C:
		case <-done: // want-related "when this case is chosen"
			return // want-related "returns without stopping `ticker`"
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
	ticker := time.NewTicker(time.Second) // want unstopped-ticker/hint "since Go 1.23"
	select {
	case <-ticker.C:
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

func f(done chan struct{}) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	<-done
}

func forever() {
	ticker := time.NewTicker(time.Second)
	for range ticker.C {
		println("tick")
	}
}
"#,
        );
    }
}
