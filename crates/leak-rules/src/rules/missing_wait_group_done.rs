//! # What it does
//! Reports a goroutine that calls `Done` of a `sync.WaitGroup` on some of its paths and returns without it on another.
//!
//! # Why it leaks
//! `Wait` waits until `Done` was called as often as `Add` has said. After one return without it, `Wait` never comes back, and neither does
//! whoever called it.
//!
//! # Example
//! ```go
//! for _, job := range jobs {
//! 	wg.Add(1)
//! 	go func() {
//! 		if err := run(job); err != nil {
//! 			log.Print(err)
//! 			return // Wait waits for ever
//! 		}
//! 		wg.Done()
//! 	}()
//! }
//! wg.Wait()
//! ```
//!
//! # Use instead
//! ```go
//! for _, job := range jobs {
//! 	wg.Add(1)
//! 	go func() {
//! 		defer wg.Done()
//! 		if err := run(job); err != nil {
//! 			log.Print(err)
//! 		}
//! 	}()
//! }
//! wg.Wait()
//! ```
//!
//! # When it stays silent
//! - `Done` is deferred, called in a loop, or called by another function that gets the group.
//! - Nobody waits for a group that is declared in the same function.
//!
//! # Fix safety
//! Deferring `Done` at the top of the goroutine is safe where it was the last thing that the goroutine did; otherwise it is unsafe, because
//! what followed `Done` is then waited for too. From Go 1.25 on, `WaitGroup.Go` is offered in place of `Add(1)`, `go` and `Done` where these
//! stand together and the goroutine's function takes and gives nothing; it is as safe as the `defer`.
//!
//! # References
//! - [`sync.WaitGroup`](https://pkg.go.dev/sync#WaitGroup)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::{Need, Syntax};
use crate::engine::goroutine;
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "missing-wait-group-done",
    family: Family::Goroutines,
    severity: Severity::Warning,
    summary: "a goroutine returns without `Done` on some path",
    fixes: "defer `Done` at the top of the goroutine, or start it with `WaitGroup.Go`",
    overlaps: &[],
    tests: true,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/missing_wait_group_done.rs",
    text: include_str!("missing_wait_group_done.rs"),
    needs: &[Need::names(&["Done"]).and(Syntax::GO)],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    goroutine::waitgroup::missing_done(cx, RULE.name)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn must_flag() {
        check(
            r#"
package a

import "sync"

func all(jobs []func() error) {
	var wg sync.WaitGroup
	for _, job := range jobs {
		wg.Add(1)
		go func() { // want missing-wait-group-done/warning "returns without `wg.Done`" want-fix "defer `wg.Done()`" safe
			if err := job(); err != nil { // want-related "when this holds"
				println(err.Error())
				return // want-related "returns without `wg.Done`"
			}
			wg.Done()
		}()
	}
	wg.Wait()
}
"#,
        );
    }

    #[test]
    fn must_not_flag() {
        check(
            r#"
package a

import "sync"

func deferred(jobs []func() error) {
	var wg sync.WaitGroup
	for _, job := range jobs {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := job(); err != nil {
				return
			}
		}()
	}
	wg.Wait()
}

func everyPath(job func() error) {
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		if err := job(); err != nil {
			wg.Done()
			return
		}
		wg.Done()
	}()
	wg.Wait()
}

func each(jobs chan func()) {
	var wg sync.WaitGroup
	wg.Add(3)
	go func() {
		for job := range jobs {
			job()
			wg.Done()
		}
	}()
	wg.Wait()
}
"#,
        );
    }
}
