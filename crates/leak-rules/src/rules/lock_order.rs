//! # What it does
//! Reports two locks that are taken in one order here and in the other order in another function of the package, the first one still held; or
//! three or four that are taken in a circle. Locks are package-level variables or fields of a type, whatever the object.
//!
//! # Why it leaks
//! One goroutine holds the first lock and waits for the second one, another goroutine holds the second and waits for the first. Neither goes
//! on, nor does anybody else who wants one of them. It needs two goroutines at the same time, so this is a hint; and the objects may be
//! different ones each time, which cannot be seen.
//!
//! # Example
//! ```go
//! func (s *server) add(c *conn) {
//! 	s.mu.Lock()
//! 	defer s.mu.Unlock()
//! 	c.mu.Lock() // conn.mu behind server.mu
//! 	defer c.mu.Unlock()
//! 	s.conns[c.id] = c
//! }
//!
//! func (c *conn) close(s *server) {
//! 	c.mu.Lock()
//! 	defer c.mu.Unlock()
//! 	s.mu.Lock() // server.mu behind conn.mu
//! 	defer s.mu.Unlock()
//! 	delete(s.conns, c.id)
//! }
//! ```
//!
//! # Use instead
//! ```go
//! func (c *conn) close(s *server) {
//! 	s.mu.Lock()
//! 	defer s.mu.Unlock()
//! 	c.mu.Lock()
//! 	defer c.mu.Unlock()
//! 	delete(s.conns, c.id)
//! }
//! ```
//!
//! # When it stays silent
//! - Both locks are the same field of two objects of one type.
//! - The first lock is given back before the second one is taken, or the second one is deferred or taken in another goroutine.
//! - One object was made in the function and nobody else has seen it.
//! - A lock of the whole package is held as a writer in both places: it lets in one at a time.
//! - The function that is called takes the second lock on some of its paths only, or is in another package.
//! - Both orders are in the same function. Test files.
//!
//! # Fix safety
//! There is no fix: which order is right is for the author to decide.
//!
//! # References
//! - [`sync.Mutex`](https://pkg.go.dev/sync#Mutex)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::Need;
use crate::engine::goroutine;
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "lock-order",
    family: Family::Goroutines,
    severity: Severity::Hint,
    summary: "two locks are taken in one order here and in the other one there",
    fixes: "",
    overlaps: &[],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/lock_order.rs",
    text: include_str!("lock_order.rs"),
    needs: &[Need::names(&["Lock", "RLock"])],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    goroutine::order::findings(cx, RULE.name)
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

type server struct {
	mu    sync.Mutex
	conns map[int]*conn
}

type conn struct {
	mu sync.Mutex
	id int
}

func (c *conn) close(s *server) {
	c.mu.Lock() // want-related "`conn.mu` is taken here"
	defer c.mu.Unlock()
	s.mu.Lock() // want lock-order/hint "`server.mu` is taken with `conn.mu` held here, and the other way round in `server.add`"
	defer s.mu.Unlock()
	delete(s.conns, c.id)
}

func (s *server) add(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	s.conns[c.id] = c
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

type account struct {
	mu      sync.Mutex
	balance int
}

type bank struct {
	mu  sync.Mutex
	all []*account
}

func transfer(a, b *account, n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	a.balance -= n
	b.balance += n
}

func (b *bank) add(a *account) {
	b.mu.Lock()
	b.all = append(b.all, a)
	b.mu.Unlock()
	a.mu.Lock()
	a.balance = 0
	a.mu.Unlock()
}

func (a *account) leave(b *bank) {
	a.mu.Lock()
	defer a.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = nil
}
"#,
        );
    }
}
