//! # What it does
//! Reports a receive, a send or a `Wait` in a function that holds a lock, where the goroutines that could end the waiting need the same lock before:
//! it started them while it held the lock, and they take it on every path before they send, receive, close or end. Where group (or channel)
//! and lock are fields of one object, it is reported if one of the object's goroutines takes the lock anywhere before its end: whether it
//! comes to that while the other one waits is a matter of time.
//!
//! # Why it leaks
//! The function waits for its goroutines and the goroutines wait for the function. None of them ever goes on, nor does anybody else who wants the
//! lock.
//!
//! # Example
//! ```go
//! func (s *stats) collect(sources []source) {
//! 	s.mu.Lock()
//! 	defer s.mu.Unlock()
//! 	var wg sync.WaitGroup
//! 	for _, src := range sources {
//! 		wg.Add(1)
//! 		go func() {
//! 			defer wg.Done()
//! 			s.add(src.count()) // waits for s.mu
//! 		}()
//! 	}
//! 	wg.Wait() // waits for them
//! }
//! ```
//!
//! # Use instead
//! ```go
//! func (s *stats) collect(sources []source) {
//! 	var wg sync.WaitGroup
//! 	for _, src := range sources {
//! 		wg.Add(1)
//! 		go func() {
//! 			defer wg.Done()
//! 			s.add(src.count())
//! 		}()
//! 	}
//! 	wg.Wait()
//! }
//! ```
//!
//! # When it stays silent
//! - Some goroutine may send, receive or close without the lock; for a group: all of them may end without it.
//! - The goroutine was started before the lock was taken: it may have been through already.
//! - The channel has a buffer (for a send), escapes, or is an arm of a `select`.
//! - The group or channel is neither a local variable of the function nor a field of the same object as the lock, with a name that only
//!   the package can use.
//! - Both take the lock as readers.
//!
//! # Fix safety
//! There is no fix: what the lock is for is for the author to know.
//!
//! # References
//! - [`sync.Mutex`](https://pkg.go.dev/sync#Mutex)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::{Need, Syntax};
use crate::engine::goroutine;
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "blocked-under-lock",
    family: Family::Goroutines,
    severity: Severity::Information,
    summary: "a function waits, with a lock held, for goroutines that need the lock",
    fixes: "",
    overlaps: &[],
    tests: true,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/blocked_under_lock.rs",
    text: include_str!("blocked_under_lock.rs"),
    needs: &[
        Need::names(&["Lock", "RLock"]).and(Syntax::GO),
        Need::names(&["Go"]).and(Syntax::FUNC_LIT),
        Need::names(&["Lock", "RLock"]).and(Syntax::RECEIVE),
        Need::names(&["Wait"]),
    ],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    let mut found = goroutine::blocked::findings(cx, RULE.name);
    found.extend(goroutine::blocked_field::findings(cx, RULE.name));
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

import "sync"

type stats struct {
	mu sync.Mutex
	n  int
}

func (s *stats) add(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n += n
}

func (s *stats) collect(counts []int) {
	s.mu.Lock() // want-related "`s.mu` is locked here"
	defer s.mu.Unlock()
	var wg sync.WaitGroup
	for _, n := range counts {
		wg.Add(1)
		go func() {
			defer wg.Done()
			s.add(n) // want-related "waits for `s.mu` here"
		}()
	}
	wg.Wait() // want blocked-under-lock/information "waits for the goroutines of `wg` with `s.mu` held"
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

type stats struct {
	mu sync.Mutex
	n  int
}

func (s *stats) add(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n += n
}

func (s *stats) collect(counts []int) {
	var wg sync.WaitGroup
	for _, n := range counts {
		wg.Add(1)
		go func() {
			defer wg.Done()
			s.add(n)
		}()
	}
	wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
}

func (s *stats) other(counts []int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := make(chan int)
	go func() {
		ch <- len(counts)
		s.add(1)
	}()
	return <-ch
}
"#,
        );
    }
}
