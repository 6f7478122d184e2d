//! # What it does
//! Reports a goroutine that is started for each item of an input without a known end (the values of a channel, the lines of a stream),
//! where nothing in the loop bounds how many of them run at once.
//!
//! # Why it leaks
//! A loop that starts goroutines takes its items as fast as they come. Where the work takes longer than that, goroutines pile up: each
//! with its stack, the item, and what it has opened, until memory, file descriptors or the other side give in. Waiting for all of them
//! behind the loop does not help, because the loop goes on.
//!
//! # Example
//! ```go
//! func serve(jobs <-chan Job) {
//! 	for job := range jobs {
//! 		go func() {
//! 			job.Run()
//! 		}()
//! 	}
//! }
//! ```
//!
//! # Use instead
//! ```go
//! func serve(jobs <-chan Job) {
//! 	sem := make(chan struct{}, 16)
//! 	for job := range jobs {
//! 		sem <- struct{}{}
//! 		go func() {
//! 			defer func() { <-sem }()
//! 			job.Run()
//! 		}()
//! 	}
//! }
//! ```
//!
//! # When it stays silent
//! - The loop goes over what is in memory already, or counts.
//! - Something in the loop may wait: a send, another receive, a lock's or a group's `Wait`, a semaphore, a sleep; or a function is called
//!   of which it is not known that it waits for nobody.
//! - Numbers are compared in the loop: it may count what is running.
//! - The goroutine takes a place somewhere and gives it back, or its group has a limit or comes from elsewhere.
//! - The channel is of this function, and all that is sent on it is sent outside of loops or in loops with an end.
//! - The channel carries time, signals, errors, booleans, nothing, or something that can be closed or accepted: connections have a goroutine
//!   each by custom.
//! - The goroutine has nothing to do with the item.
//! - Test files.
//!
//! # Fix safety
//! A bound is unsafe: how many may run at once is for the author to say, goroutines that wait for each other may need to run all at once, and
//! the loop waits then.
//!
//! # References
//! - [Package errgroup, SetLimit](https://pkg.go.dev/golang.org/x/sync/errgroup#Group.SetLimit)
//! - [Go concurrency patterns: pipelines, bounded parallelism](https://go.dev/blog/pipelines)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::{Need, Syntax};
use crate::engine::goroutine;
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "unbounded-goroutines",
    family: Family::Goroutines,
    severity: Severity::Information,
    summary: "a goroutine is started for each item of an input without an end, and nothing bounds how many run at once",
    fixes: "a semaphore, or a limit for the group",
    overlaps: &[],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unbounded_goroutines.rs",
    text: include_str!("unbounded_goroutines.rs"),
    needs: &[
        Need::syntax(Syntax::GO.and(Syntax::LOOP)),
        Need::names(&["Go"]).and(Syntax::LOOP),
    ],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    goroutine::unbounded::findings(cx, RULE.name)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn must_flag() {
        check(
            r#"
package a

type job struct{ name string }

func (j job) run() {}

func serve(jobs <-chan job) {
	for j := range jobs { // want-related "as long as there is input"
		go func() { // want unbounded-goroutines/information "each value of `jobs`" want-fix "at most 16 at a time" unsafe
			j.run()
		}()
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

import "sync"

type job struct{ name string }

func (j job) run() {}

func inMemory(jobs []job) {
	var wg sync.WaitGroup
	for _, j := range jobs {
		wg.Add(1)
		go func() {
			defer wg.Done()
			j.run()
		}()
	}
	wg.Wait()
}

func semaphore(jobs <-chan job) {
	sem := make(chan struct{}, 4)
	for j := range jobs {
		sem <- struct{}{}
		go func() {
			defer func() { <-sem }()
			j.run()
		}()
	}
}
"#,
        );
    }
}
