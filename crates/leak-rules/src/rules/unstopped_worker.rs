//! # What it does
//! Reports a local value of a type of the same package that is started by a method and not stopped on some path: the method starts a goroutine
//! that only ends when another method closes (or sends on) one of the value's channels.
//!
//! # Why it leaks
//! The goroutine waits for a signal that nobody can give any more: the value was only known to the function that has returned.
//!
//! # Example
//! ```go
//! func run(items []item) {
//! 	w := worker{queue: make(chan item), done: make(chan struct{})}
//! 	w.start() // its goroutine waits for w.done
//! 	for _, it := range items {
//! 		w.add(it)
//! 	}
//! }
//! ```
//!
//! # Use instead
//! ```go
//! func run(items []item) {
//! 	w := worker{queue: make(chan item), done: make(chan struct{})}
//! 	w.start()
//! 	defer w.stop()
//! 	for _, it := range items {
//! 		w.add(it)
//! 	}
//! }
//! ```
//!
//! # When it stays silent
//! - The value is returned, stored, given to a function, or captured by a closure.
//! - The channels were not made in the literal that makes the value.
//! - The goroutine can also end otherwise, for instance by a context.
//! - In `main.main`.
//!
//! # Fix safety
//! A deferred call of the stopping method is unsafe: whether it may be called twice, or waits, is for the author to know.
//!
//! # References
//! - [Go concurrency patterns: pipelines and cancellation](https://go.dev/blog/pipelines)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::{Need, Syntax};
use crate::engine::goroutine;
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "unstopped-worker",
    family: Family::Goroutines,
    severity: Severity::Information,
    summary: "a worker is started and not stopped on some path",
    fixes: "defer the stopping method",
    overlaps: &[],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unstopped_worker.rs",
    text: include_str!("unstopped_worker.rs"),
    needs: &[Need::syntax(Syntax::CHAN.and(Syntax::COMPOSITE))],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    goroutine::worker::findings(cx, RULE.name)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn must_flag() {
        check(
            r#"
package a

type worker struct {
	queue chan any
	done  chan any
}

func (w worker) start() {
	go func() {
		for {
			select {
			case <-w.queue:
			case <-w.done:
				return
			}
		}
	}()
}

func (w worker) stop() { close(w.done) }

func (w worker) add(item any) { w.queue <- item }

func run(items []any) {
	w := worker{
		queue: make(chan any),
		done:  make(chan any),
	}
	w.start() // want unstopped-worker/information "only `w.stop` ends" want-fix "defer `w.stop()`" unsafe
	for _, item := range items {
		w.add(item)
	}
} // want-related "returns without `w.stop`"
"#,
        );
    }

    #[test]
    fn must_not_flag() {
        check(
            r#"
package a

type worker struct {
	queue chan any
	done  chan any
}

func (w *worker) start() {
	go func() {
		for {
			select {
			case <-w.queue:
			case <-w.done:
				return
			}
		}
	}()
}

func (w *worker) stop() { close(w.done) }

func stopped() {
	w := &worker{queue: make(chan any), done: make(chan any)}
	w.start()
	defer w.stop()
	w.queue <- 1
}

func returned() *worker {
	w := &worker{queue: make(chan any), done: make(chan any)}
	w.start()
	return w
}
"#,
        );
    }
}
