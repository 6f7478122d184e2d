//! # What it does
//! Reports `Wait` of a `sync.Cond` for which nobody calls `Signal` or `Broadcast`: a local variable, a package-level variable, or a field, whose
//! name other packages cannot use.
//!
//! # Why it leaks
//! `Wait` comes back only when somebody signals. Nobody does, so whoever waits stays for ever.
//!
//! # Example
//! ```go
//! type queue struct {
//! 	mu    sync.Mutex
//! 	cond  *sync.Cond // made with sync.NewCond(&q.mu)
//! 	items []int
//! }
//!
//! func (q *queue) put(item int) {
//! 	q.mu.Lock()
//! 	q.items = append(q.items, item) // tells nobody
//! 	q.mu.Unlock()
//! }
//!
//! func (q *queue) take() int {
//! 	q.mu.Lock()
//! 	defer q.mu.Unlock()
//! 	for len(q.items) == 0 {
//! 		q.cond.Wait() // waits for ever
//! 	}
//! 	item := q.items[0]
//! 	q.items = q.items[1:]
//! 	return item
//! }
//! ```
//!
//! # Use instead
//! ```go
//! func (q *queue) put(item int) {
//! 	q.mu.Lock()
//! 	q.items = append(q.items, item)
//! 	q.mu.Unlock()
//! 	q.cond.Signal()
//! }
//! ```
//!
//! # When it stays silent
//! - Somewhere in the package `Signal` or `Broadcast` of something of this name is called or named.
//! - The condition is given to a function, returned, compared, or stored elsewhere; or what is stored in it was not made on the spot.
//! - The field or variable is exported, or the condition is embedded.
//!
//! # Fix safety
//! There is no fix: where the condition comes true is for the author to know.
//!
//! # References
//! - [`sync.Cond`](https://pkg.go.dev/sync#Cond)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::Need;
use crate::engine::goroutine;
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "unsignaled-cond",
    family: Family::Goroutines,
    severity: Severity::Information,
    summary: "nobody signals a condition that is waited for",
    fixes: "",
    overlaps: &[],
    tests: true,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unsignaled_cond.rs",
    text: include_str!("unsignaled_cond.rs"),
    needs: &[Need::names(&["Wait"])],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    goroutine::cond::findings(cx, RULE.name)
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

type queue struct {
	mu    sync.Mutex
	cond  *sync.Cond
	items []int
}

func newQueue() *queue {
	q := &queue{}
	q.cond = sync.NewCond(&q.mu)
	return q
}

func (q *queue) put(item int) {
	q.mu.Lock()
	q.items = append(q.items, item)
	q.mu.Unlock()
}

func (q *queue) take() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) == 0 {
		q.cond.Wait() // want unsignaled-cond/information "nothing in this package calls `Signal` or `Broadcast`"
	}
	return q.items[0]
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

type queue struct {
	mu    sync.Mutex
	cond  *sync.Cond
	items []int
}

func newQueue() *queue {
	q := &queue{}
	q.cond = sync.NewCond(&q.mu)
	return q
}

func (q *queue) put(item int) {
	q.mu.Lock()
	q.items = append(q.items, item)
	q.mu.Unlock()
	q.cond.Signal()
}

func (q *queue) take() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) == 0 {
		q.cond.Wait()
	}
	return q.items[0]
}
"#,
        );
    }
}
