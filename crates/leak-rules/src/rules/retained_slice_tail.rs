//! # What it does
//! Reports slices in package-level variables and fields that are cut shorter, where what is cut off stays reachable: the elements refer to
//! something, and nobody clears them.
//!
//! # Why it leaks
//! Cutting a slice changes its length, not its array. The array keeps what lies behind the end (or in front of the beginning), and what that
//! refers to is not collected until other elements are written there, or until `append` moves the rest to a larger array.
//!
//! # Example
//! ```go
//! func (p *pool) remove(i int) {
//! 	p.mu.Lock()
//! 	defer p.mu.Unlock()
//! 	p.conns = append(p.conns[:i], p.conns[i+1:]...) // the last one is there twice now
//! }
//! ```
//!
//! # Use instead
//! ```go
//! p.conns = slices.Delete(p.conns, i, i+1) // clears what is behind the new end
//! ```
//!
//! # When it stays silent
//! - The elements refer to nothing, or it is not known whether they do: numbers, times, structs of such.
//! - The function clears elements of the slice, sets one to nil or to a zero value, or sets the slice to nil.
//! - The slice is a local variable, or the same function appends to it or gives it another array afterwards.
//! - `s = s[:0]` of a field that some function of the package sets to nil, or behind a loop that calls a method of each element.
//! - A queue whose capacity some function of the package looks at: it is made anew when little is left of it.
//! - What is cut off gets a name in the same statement: whoever has it may clear it.
//! - It is a heap of `container/heap` that no struct of the package has, or of which nothing is popped in the package.
//!
//! It is information for slices that live long: package-level variables, and fields of structs that several goroutines share because they
//! have a lock or a channel, a heap also through other structs. Elsewhere it is a hint, as it is for structs that refer to strings, or by pointers only, for a stack from which
//! the last element is taken (the next one is written in its place), and for a queue (`s = s[1:]`), of which the array is replaced from time
//! to time. `s = s[:0]` is the usual way to use an array again: it is a hint only where the same function does not append.
//!
//! # Fix safety
//! `clear` (Go 1.21), nil and `slices.Delete` (which clears since Go 1.22) are unsafe: another slice of the same array would see it.
//! `slices.Delete` is not offered where the slice is being ranged over.
//!
//! # References
//! - [Slice tricks: delete without preserving order, and memory leaks](https://go.dev/wiki/SliceTricks#delete)
//! - [`slices.Delete`](https://pkg.go.dev/slices#Delete)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::{Need, Syntax};
use crate::engine::retain::tail;
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "retained-slice-tail",
    family: Family::Memory,
    severity: Severity::Information,
    summary: "what is cut off a long-lived slice stays reachable",
    fixes: "clear what is cut off, or use `slices.Delete`",
    overlaps: &[],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/retained_slice_tail.rs",
    text: include_str!("retained_slice_tail.rs"),
    needs: &[Need::syntax(Syntax::SLICE)],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    tail::findings(cx, RULE.name)
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

type conn struct{ buf []byte }

type pool struct {
	mu    sync.Mutex
	conns []*conn
}

func (p *pool) remove(i int) {
	p.conns = append(p.conns[:i], p.conns[i+1:]...) // want retained-slice-tail/information "that were last" want-fix "slices.Delete" unsafe
}

func (p *pool) cut(n int) {
	p.conns = p.conns[:n] // want retained-slice-tail/information "behind its end" want-fix "clear what is cut off" unsafe
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

type conn struct{ buf []byte }

type pool struct {
	mu    sync.Mutex
	conns []*conn
	sizes []int
}

func (p *pool) pop() *conn {
	n := len(p.conns) - 1
	c := p.conns[n]
	p.conns[n] = nil
	p.conns = p.conns[:n]
	p.sizes = p.sizes[:n]
	return c
}
"#,
        );
    }
}
