//! # What it does
//! Reports buffers that go back into a `sync.Pool` with all that was written to them, where nobody empties them when they are taken out again.
//! As a hint also slices that go back with elements which refer to something.
//!
//! # Why it leaks
//! Who takes the buffer out writes behind what the last one wrote. It grows with each use, and what was written for one request is read with
//! that of the next.
//!
//! # Example
//! ```go
//! var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}
//!
//! func render(page *template.Template, data any) (string, error) {
//! 	buf := buffers.Get().(*bytes.Buffer)
//! 	defer buffers.Put(buf)
//! 	err := page.Execute(buf, data)
//! 	return buf.String(), err
//! }
//! ```
//!
//! # Use instead
//! ```go
//! buf := buffers.Get().(*bytes.Buffer)
//! buf.Reset()
//! defer buffers.Put(buf)
//! ```
//!
//! # When it stays silent
//! - Some function that uses the pool, or that calls one which does, empties a buffer: with `Reset`, `Truncate` or `[:0]`. It does
//!   not matter whether that is before the `Put` or behind the `Get`. `WriteTo` empties a buffer only if all of it can be written: where nothing
//!   else does, it is a hint, unless it writes to memory.
//! - The pool is exported, or an exported function hands on what it takes out: others may empty it.
//! - What lies in the pool is neither a `bytes.Buffer` nor a slice, or nothing is written to the buffer but constants.
//! - The elements of the slice refer to nothing, or to strings only; the function clears something, writes to elements, gives the slice to
//!   another function or another name; or some function that names the pool clears something.
//!
//! # Fix safety
//! Calling `Reset` right before the `Put` is safe: after the `Put` nobody may use the buffer, nor what its `Bytes` gave. Clearing the elements of a
//! slice takes time, so that it is for the author to choose.
//!
//! # References
//! - [`sync.Pool`](https://pkg.go.dev/sync#Pool)
//! - [`bytes.Buffer.Reset`](https://pkg.go.dev/bytes#Buffer.Reset)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::Need;
use crate::engine::retain::pool::{self, Stored};
use crate::engine::site::Retained;
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "pool-put-without-reset",
    family: Family::Memory,
    severity: Severity::Information,
    summary: "a buffer goes back into a pool with what was written to it",
    fixes: "reset the buffer, or clear the slice",
    overlaps: &[],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/pool_put_without_reset.rs",
    text: include_str!("pool_put_without_reset.rs"),
    needs: &[Need::names(&["Put"])],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    let mut found = full_buffers(cx);
    found.extend(pool::uncleared(cx, &RULE));
    found
}

fn full_buffers(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    pool::findings(cx, &RULE, |put, name| {
        if put.stored != Stored::Buffer {
            return None;
        }
        let together = pool::together(cx, put.pool);
        if !together.complete || together.resets || !together.grows {
            return None;
        }
        let (severity, message) = if together.drains {
            let message = format!(
                "`{name}` goes back into the pool emptied by `WriteTo` only, which leaves the rest in it when writing fails"
            );
            (Severity::Hint, message)
        } else {
            let message = format!(
                "`{name}` goes back into the pool with what was written to it, and nobody empties it: it grows with each use"
            );
            (RULE.severity, message)
        };
        let retained = Retained::NotReset {
            buffer: put.local,
            deferred: put.deferred,
        };
        Some((severity, message, retained))
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

import (
	"bytes"
	"sync"
)

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func render(name string) string {
	buf := buffers.Get().(*bytes.Buffer)
	buf.WriteString(name)
	text := buf.String()
	buffers.Put(buf) // want pool-put-without-reset/information "nobody empties it" want-fix "buf.Reset()" safe want pool-retains-large-buffer/information "however large"
	return text
}
"#,
        );
    }

    #[test]
    fn must_not_flag() {
        check(
            r#"
package a

import (
	"bytes"
	"sync"
)

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func render(name string) string {
	buf := buffers.Get().(*bytes.Buffer)
	buf.Reset()
	buf.WriteString(name)
	text := buf.String()
	if buf.Cap() < 1<<16 {
		buffers.Put(buf)
	}
	return text
}
"#,
        );
    }
}
