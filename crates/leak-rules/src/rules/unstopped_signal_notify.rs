//! # What it does
//! Reports a channel that is registered with `signal.Notify` in a function that returns without `signal.Stop`.
//!
//! # Why it leaks
//! The `os/signal` package holds every registered channel until `signal.Stop`, and goes on sending to it. Each call of the function adds one
//! more; and as long as one is registered, the signal does not do what it does by default, so that the program can no longer be
//! interrupted by it.
//!
//! # Example
//! ```go
//! func download(done <-chan struct{}) error {
//! 	interrupted := make(chan os.Signal, 1)
//! 	signal.Notify(interrupted, os.Interrupt)
//! 	select {
//! 	case <-interrupted:
//! 		return errInterrupted
//! 	case <-done:
//! 		return nil // from now on Ctrl-C does nothing
//! 	}
//! }
//! ```
//!
//! # Use instead
//! ```go
//! interrupted := make(chan os.Signal, 1)
//! signal.Notify(interrupted, os.Interrupt)
//! defer signal.Stop(interrupted)
//! ```
//!
//! # When it stays silent
//! - The function is `main`, `init`, or one of a command that only these call, once.
//! - The channel is read by a goroutine, returned, stored, or given to another function: whoever has it owns it.
//! - The function never returns, or ends the process.
//! - The path has received a signal or waited for the end of a context: the program is about to end.
//! - The function calls `signal.Reset`.
//!
//! # Fix safety
//! `defer signal.Stop(ch)` in the function that alone has the channel is safe: nobody reads from it any more when the function has returned.
//!
//! # References
//! - [`signal.Stop`](https://pkg.go.dev/os/signal#Stop)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::find::{self, Verdict};
use crate::engine::{self, pattern};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "unstopped-signal-notify",
    family: Family::Resources,
    severity: Severity::Information,
    summary: "a channel stays registered for signals when the function returns",
    fixes: "insert `defer signal.Stop(ch)`",
    overlaps: &[],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unstopped_signal_notify.rs",
    text: include_str!("unstopped_signal_notify.rs"),
    needs: &[],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    find::check(cx, RULE.name, &|found| {
        if engine::runs_once(cx) || pattern::mentions_call(found.function, "os/signal", "Reset") {
            return None;
        }
        Some(Verdict::plain(RULE.severity))
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
	"os"
	"os/signal"
)

func f(done chan struct{}) bool {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, os.Interrupt) // want unstopped-signal-notify/information "never taken off the signals" want-fix "signal.Stop(ch)" safe
	select {
	case <-ch:
		return true
	case <-done: // want-related "when this case is chosen"
		return false // want-related "returns without stopping the signals to"
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
	"os"
	"os/signal"
)

func f(done chan struct{}) {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, os.Interrupt)
	defer signal.Stop(ch)
	<-ch
}

func g() {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, os.Interrupt)
	go func() {
		<-ch
		os.Exit(1)
	}()
}
"#,
        );
    }
}
