//! # What it does
//! Reports a goroutine that adds itself to the `sync.WaitGroup` that its starter waits for.
//!
//! # Why it leaks
//! `Wait` may run before the goroutine has been given any time: it sees nobody to wait for and returns. The goroutine is then not waited for,
//! and outlives its starter.
//!
//! # Example
//! ```go
//! for _, job := range jobs {
//! 	go func() {
//! 		wg.Add(1) // Wait may be over
//! 		defer wg.Done()
//! 		job()
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
//! 		job()
//! 	}()
//! }
//! wg.Wait()
//! ```
//!
//! # When it stays silent
//! - The goroutine adds goroutines that it starts itself.
//! - There is another `Add` or `Done` for the same group in the function.
//! - The group is the goroutine's own, or is not waited for in the same function.
//!
//! # Fix safety
//! Moving `Add(1)` in front of the `go` statement is safe where it is the first statement of the goroutine. From Go 1.25 on,
//! `WaitGroup.Go` in place of `go`, `Add` and `Done` is safe where `defer` of `Done` is the second one and the goroutine's function takes and
//! gives nothing: it does the same. Elsewhere there is no fix.
//!
//! # References
//! - [`WaitGroup.Add`](https://pkg.go.dev/sync#WaitGroup.Add)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::{Need, Syntax};
use crate::engine::goroutine;
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "wait-group-add-in-goroutine",
    family: Family::Goroutines,
    severity: Severity::Warning,
    summary: "a goroutine adds itself to the group that is waited for",
    fixes: "move `Add` in front of the `go` statement, or use `WaitGroup.Go`",
    overlaps: &["go vet/waitgroup", "staticcheck/SA2000"],
    tests: true,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/wait_group_add_in_goroutine.rs",
    text: include_str!("wait_group_add_in_goroutine.rs"),
    needs: &[Need::names(&["Add"]).and(Syntax::GO)],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    goroutine::waitgroup::add_inside(cx, RULE.name)
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

func all(jobs []func()) {
	var wg sync.WaitGroup
	for _, job := range jobs {
		go func() {
			wg.Add(1) // want wait-group-add-in-goroutine/warning "may return before" want-fix "before the goroutine is started" safe
			defer wg.Done()
			job()
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

func before(jobs []func()) {
	var wg sync.WaitGroup
	for _, job := range jobs {
		wg.Add(1)
		go func() {
			defer wg.Done()
			job()
		}()
	}
	wg.Wait()
}

func starts(job func()) {
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		wg.Add(1)
		go func() {
			defer wg.Done()
			job()
		}()
	}()
	wg.Wait()
}
"#,
        );
    }
}
