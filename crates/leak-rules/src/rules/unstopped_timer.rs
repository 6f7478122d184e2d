//! # What it does
//! Reports a `time.NewTimer` that is neither stopped nor has surely fired on some path of the function that owns it.
//!
//! # Why it leaks
//! Below Go 1.23 a timer that was not stopped lives until it fires: with long delays in code that runs often they pile up. Since
//! Go 1.23 an unreferenced timer is collected, but a goroutine that waits on its channel is not. So this is information below 1.23 and
//! a hint from there on.
//!
//! # Example
//! ```go
//! timer := time.NewTimer(time.Hour)
//! select {
//! case <-timer.C:
//! 	return errTimeout
//! case v := <-ch:
//! 	return use(v) // the timer goes on for an hour
//! }
//! ```
//!
//! # Use instead
//! ```go
//! timer := time.NewTimer(time.Hour)
//! defer timer.Stop()
//! select {
//! case <-timer.C:
//! 	return errTimeout
//! case v := <-ch:
//! 	return use(v)
//! }
//! ```
//!
//! # When it stays silent
//! - On paths behind a receive from the timer's channel: it has fired.
//! - The timer (or its channel) is returned, stored, or given to a function that keeps or stops it, or that is not known.
//! - Timers that are managed with `Reset`.
//! - Once in `main.main`: the process ends with it.
//!
//! # Fix safety
//! `defer timer.Stop()` is safe in the function that reads the channel. Where the only reader is a goroutine, the `defer` goes inside
//! that goroutine; with several readers there is no fix. A stop before the returns that lose the timer is safe.
//!
//! # References
//! - [Go 1.23 release notes, timer changes](https://go.dev/doc/go1.23#timer-changes)
//! - [`time.NewTimer`](https://pkg.go.dev/time#NewTimer)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::{self, find};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "unstopped-timer",
    family: Family::Resources,
    severity: Severity::Information,
    summary: "a timer is not stopped on some path",
    fixes: "insert or move up `defer timer.Stop()` where the channel is read",
    overlaps: &[],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unstopped_timer.rs",
    text: include_str!("unstopped_timer.rs"),
    needs: &[],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    find::check(cx, RULE.name, &|found| {
        // A timer that is set again and again is managed by a protocol of its own.
        if found.is_method_called("Reset") {
            return None;
        }
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

func f(done chan int) int {
	timer := time.NewTimer(time.Hour) // want unstopped-timer/information "not stopped on every path"
	select {
	case <-timer.C:
		return 0
	case n := <-done:
		return n // want-related "returns without stopping `timer`"
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

func f(done chan int) int {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	select {
	case <-timer.C:
		return 0
	case n := <-done:
		return n
	}
}

func wait() {
	timer := time.NewTimer(time.Second)
	<-timer.C
}
"#,
        );
    }
}
