//! # What it does
//! Reports values that are put into a `sync.Pool` and are no pointers: slices, structs, arrays, strings.
//!
//! # Why it leaks
//! It does not leak, it wastes: the pool takes an interface, so that each `Put` allocates a copy of the value (24 bytes for a slice), and the pool
//! was meant to save allocations.
//!
//! # Example
//! ```go
//! var buffers = sync.Pool{New: func() any { return make([]byte, 0, 4096) }}
//!
//! func f() {
//! 	buf := buffers.Get().([]byte)
//! 	defer buffers.Put(buf) // allocates
//! }
//! ```
//!
//! # Use instead
//! ```go
//! var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}
//!
//! func f() {
//! 	bufPtr := buffers.Get().(*[]byte)
//! 	buf := *bufPtr
//! 	defer buffers.Put(bufPtr) // behind `*bufPtr = buf` where buf changes
//! }
//! ```
//!
//! # When it stays silent
//! - What is put into the pool is a pointer, a map, a channel, a function or an interface, or its type is not known.
//! - In tests.
//!
//! # Fix safety
//! Keeping a pointer in the pool is unsafe: every `Get`, `Put` and `New` of the pool changes at once. It is offered where the file alone can
//! use the pool, all its functions put back the variable that they took out, and `New` makes one value. A function that gets the value from
//! elsewhere would have to take its address, which allocates as well.
//!
//! # References
//! - [`sync.Pool`](https://pkg.go.dev/sync#Pool): "The Pool's New function should generally only return pointer types"
//! - [staticcheck SA6002](https://staticcheck.dev/docs/checks/#SA6002)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::Need;
use crate::engine::retain::pool;
use crate::engine::site::Retained;
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "pool-stores-value",
    family: Family::Memory,
    severity: Severity::Hint,
    summary: "each `Put` of a value that is no pointer allocates",
    fixes: "keep a pointer in the pool",
    overlaps: &["staticcheck/SA6002"],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/pool_stores_value.rs",
    text: include_str!("pool_stores_value.rs"),
    needs: &[Need::names(&["Put"])],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    pool::findings(cx, &RULE, |put, name| {
        let ty = &cx.facts().locals[put.local].ty;
        if put.address || pool::is_boxed(cx, ty) != Some(true) {
            return None;
        }
        let message =
            format!("`{name}` is no pointer: to put it into the pool allocates a copy of it");
        Some((
            RULE.severity,
            message,
            Retained::Boxed {
                pool: put.pool.variable(),
            },
        ))
    })
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

var buffers = sync.Pool{New: func() any { return make([]byte, 4096) }}

func f(use func([]byte)) {
	buf := buffers.Get().([]byte)
	use(buf)
	buffers.Put(buf) // want pool-stores-value/hint "allocates a copy" want-fix "keep a pointer" unsafe
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

type state struct{ n int }

var states = sync.Pool{New: func() any { return new(state) }}

func f(use func(*state)) {
	s := states.Get().(*state)
	use(s)
	states.Put(s)
	var v any = s
	states.Put(v)
	m := map[int]int{}
	states.Put(m)
}
"#,
        );
    }
}
