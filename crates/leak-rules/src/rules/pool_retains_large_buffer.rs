//! # What it does
//! Reports buffers that grow with what is written to them and go back into a `sync.Pool` however large they have become.
//!
//! # Why it leaks
//! One large request makes a large buffer, and the small ones after it keep that buffer in use: what is taken out and put back again and again
//! is not collected. With as many large buffers as there were large requests at a time, a pool holds far more memory than is needed. The
//! `fmt` package and others therefore drop buffers above 64 KiB.
//!
//! # Example
//! ```go
//! func encode(w io.Writer, v any) error {
//! 	buf := buffers.Get().(*bytes.Buffer)
//! 	buf.Reset()
//! 	defer buffers.Put(buf)
//! 	if err := json.NewEncoder(buf).Encode(v); err != nil {
//! 		return err
//! 	}
//! 	_, err := w.Write(buf.Bytes())
//! 	return err
//! }
//! ```
//!
//! # Use instead
//! ```go
//! defer func() {
//! 	if buf.Cap() <= 64<<10 {
//! 		buffers.Put(buf)
//! 	}
//! }()
//! ```
//!
//! # When it stays silent
//! - Some function that uses the pool, or calls one which does, looks at a capacity, compares a length, or limits
//!   what it reads (`io.LimitReader` and its like).
//! - Nothing that could be large is written to the buffers: constants, numbers that are printed.
//! - What lies in the pool is neither a `bytes.Buffer`, a slice of bytes, nor a struct of the package that has such a slice; or the slice is
//!   never appended to: it has a size of its own.
//!
//! # Fix safety
//! A limit is unsafe: which one is right depends on what is usual in the program, and too small a one makes the pool useless.
//!
//! # References
//! - [sync: avoid putting huge buffers back into a Pool](https://go.dev/issue/23199)
//! - [`sync.Pool`](https://pkg.go.dev/sync#Pool)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::Need;
use crate::engine::retain::pool::{self, Stored};
use crate::engine::site::Retained;
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "pool-retains-large-buffer",
    family: Family::Memory,
    severity: Severity::Information,
    summary: "a buffer goes back into a pool however large it has grown",
    fixes: "put it back only up to a capacity",
    overlaps: &[],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/pool_retains_large_buffer.rs",
    text: include_str!("pool_retains_large_buffer.rs"),
    needs: &[Need::names(&["Put"])],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    pool::findings(cx, &RULE, |put, name| {
        let (slice, field) = match put.stored {
            Stored::Buffer => (None, None),
            Stored::SlicePointer => (Some(true), None),
            Stored::Slice => (Some(false), None),
            Stored::Field(owner, field) => {
                if !pool::field_grows(cx, owner, field) {
                    return None;
                }
                (Some(true), Some(field))
            }
            Stored::Other => return None,
        };
        let together = pool::together(cx, put.pool);
        // A pointer whose slice stays the same does not grow, and what nobody takes out is not kept in use.
        let stays = put.stored == Stored::SlicePointer && !put.address && !together.reassigns;
        let unused = together.complete && !together.takes;
        if stays || unused {
            return None;
        }
        let for_all = put.stored == Stored::Buffer && pool::is_for_all(cx, put);
        let limited = together.measures || together.lets_go(field);
        if limited || !(together.grows || for_all || field.is_some()) {
            return None;
        }
        let message = match field {
            None => format!(
                "`{name}` goes back into the pool however large it has grown: after a large use its memory stays in use"
            ),
            Some(field) => format!(
                "`{name}` goes back into the pool however large `{name}.{field}` has grown: after a large use its memory stays in use"
            ),
        };
        let retained = Retained::NotMeasured {
            buffer: put.local,
            slice,
            field,
            deferred: put.deferred,
        };
        Some((RULE.severity, message, retained))
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
	"io"
	"sync"
)

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func read(r io.Reader) (int64, error) {
	buf := buffers.Get().(*bytes.Buffer)
	buf.Reset()
	defer buffers.Put(buf) // want pool-retains-large-buffer/information "however large" want-fix "`buf.Cap()` is at most 64 KiB" unsafe
	return buf.ReadFrom(r)
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
	"io"
	"sync"
)

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func read(r io.Reader) (int64, error) {
	buf := buffers.Get().(*bytes.Buffer)
	buf.Reset()
	defer put(buf)
	return buf.ReadFrom(r)
}

func put(buf *bytes.Buffer) {
	if buf.Cap() > 1<<20 {
		return
	}
	buffers.Put(buf)
}

var blocks = sync.Pool{New: func() any { b := make([]byte, 4096); return &b }}

func block(r io.Reader) (int, error) {
	b := blocks.Get().(*[]byte)
	defer blocks.Put(b)
	return r.Read(*b)
}
"#,
        );
    }
}
