//! # What it does
//! Reports a `Lock` of a `sync.Mutex` or `sync.RWMutex` that the function already holds: in the function itself, or in a function of the same
//! package that it calls with the same object.
//!
//! # Why it leaks
//! Go's locks do not know who holds them. The second `Lock` waits until the lock is free, which only the goroutine that waits could make it:
//! it waits for ever, and so does everybody else who wants the lock.
//!
//! # Example
//! ```go
//! func (c *cache) Size() int {
//! 	c.mu.Lock()
//! 	defer c.mu.Unlock()
//! 	return len(c.entries)
//! }
//!
//! func (c *cache) Add(key string) {
//! 	c.mu.Lock()
//! 	defer c.mu.Unlock()
//! 	if c.Size() < limit { // waits for itself
//! 		c.entries[key] = true
//! 	}
//! }
//! ```
//!
//! # Use instead
//! ```go
//! func (c *cache) Size() int {
//! 	c.mu.Lock()
//! 	defer c.mu.Unlock()
//! 	return c.size()
//! }
//!
//! func (c *cache) size() int { return len(c.entries) } // with c.mu held
//!
//! func (c *cache) Add(key string) {
//! 	c.mu.Lock()
//! 	defer c.mu.Unlock()
//! 	if c.size() < limit {
//! 		c.entries[key] = true
//! 	}
//! }
//! ```
//!
//! # When it stays silent
//! - The object may be another one: another variable, one that was assigned between, or one behind a field that is a pointer.
//! - The function that is called locks on some of its paths only, or unlocks first.
//! - The lock may have been given back between, by a function or closure that is called.
//! - There is a `TryLock` of the same lock in the function.
//! - Both are `RLock`.
//! - The second one is in another goroutine or deferred.
//!
//! # Fix safety
//! There is no fix: which of the two has to go is for the author to decide.
//!
//! # References
//! - [`sync.Mutex`](https://pkg.go.dev/sync#Mutex)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::Need;
use crate::engine::goroutine;
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "double-lock",
    family: Family::Goroutines,
    severity: Severity::Information,
    summary: "a lock is taken while it is held",
    fixes: "",
    overlaps: &[],
    tests: true,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/double_lock.rs",
    text: include_str!("double_lock.rs"),
    needs: &[Need::names(&["Lock", "RLock"])],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    goroutine::relock::findings(cx, RULE.name)
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

type cache struct {
	mu      sync.RWMutex
	entries map[string]bool
}

func (c *cache) Size() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.entries)
}

func (c *cache) Add(key string) {
	c.mu.Lock() // want-related "`c.mu` is locked here"
	defer c.mu.Unlock()
	if c.Size() < 10 { // want double-lock/information "`c.Size` locks `c.mu`, which is already held here"
		c.entries[key] = true
	}
}

func (c *cache) Twice(key string) {
	c.mu.Lock()
	c.entries[key] = true
	c.mu.Lock() // want double-lock "`c.mu` is already held here"
	c.mu.Unlock()
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

type cache struct {
	mu      sync.RWMutex
	entries map[string]bool
	next    *cache
}

func (c *cache) Size() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.entries)
}

func (c *cache) Both(other *cache) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return other.Size()
}

func (c *cache) Before() int {
	c.mu.Lock()
	c.entries["a"] = true
	c.mu.Unlock()
	return c.Size()
}

func (c *cache) Readers() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.Size()
}

func (c *cache) InBackground() {
	c.mu.Lock()
	defer c.mu.Unlock()
	go c.Size()
	defer c.Size()
}

func all(caches []*cache) {
	for _, c := range caches {
		c.mu.Lock()
	}
	for c := caches[0]; c != nil; c = c.next {
		c.mu.Lock()
	}
}
"#,
        );
    }
}
