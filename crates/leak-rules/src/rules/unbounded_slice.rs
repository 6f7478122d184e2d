//! # What it does
//! Reports a slice (or `container/list.List`, or heap) in a package variable, or in a field of a value that lives as long as the process, to which code
//! that runs again and again appends, and from which nothing in the package ever takes anything out. It is a hint, because of 14 such
//! findings in real repositories five were wrong.
//!
//! # Why it leaks
//! What was appended stays as long as the slice does: a history, a log in memory, or a list of listeners grows with each request or message, and appending
//! copies all of it again and again.
//!
//! # Example
//! ```go
//! type server struct {
//! 	history []string
//! }
//!
//! func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
//! 	s.history = append(s.history, r.URL.String()) // all requests ever made
//! }
//! ```
//!
//! # Use instead
//! ```go
//! const maxHistory = 1000
//!
//! type server struct {
//! 	history []string
//! }
//!
//! func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
//! 	s.history = append(s.history, r.URL.String())
//! 	if n := len(s.history); n >= 2*maxHistory {
//! 		s.history = append(s.history[:0:0], s.history[n-maxHistory:]...)
//! 	}
//! }
//! ```
//! `append` to a slice of no capacity copies, so that the older elements are let go.
//!
//! # When it stays silent
//! - Anything in the package cuts the slice, sets it to something else, or compares its length.
//! - It is filled by `init`, `main`, constructors, `sync.Once`, or by functions that nothing calls again and again: what answers requests, or waits for
//!   work in an endless loop, does.
//! - The slice can be changed elsewhere: it is exported, or its address is taken.
//! - Values of the type that holds it are made for each request.
//!
//! # Fix safety
//! Keeping the last elements only is unsafe: the limit is a guess, and older ones may be needed.
//!
//! # References
//! - [Go slices: usage and internals](https://go.dev/blog/slices-intro)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::cost::{self, Part};
use crate::engine::dispatch::Need;
use crate::engine::memory::{self, Shelf};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "unbounded-slice",
    family: Family::Memory,
    severity: Severity::Hint,
    summary: "a long-lived slice gets elements again and again and never loses one",
    fixes: "keep the last elements only",
    overlaps: &[],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unbounded_slice.rs",
    text: include_str!("unbounded_slice.rs"),
    needs: &[Need::names(&[
        "append",
        "Insert",
        "PushBack",
        "PushFront",
        "InsertBefore",
        "InsertAfter",
        "Push",
    ])],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    cost::of(Part::Growth, || {
        memory::growing(cx, RULE.name, &[Shelf::Slice, Shelf::List])
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

import "net/http"

type server struct {
	history []string
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.history = append(s.history, r.URL.String()) // want unbounded-slice/hint "server.history" want-fix "keep the last" unsafe
}
"#,
        );
    }

    #[test]
    fn must_not_flag() {
        check(
            r#"
package a

import "net/http"

type server struct {
	history []string
	sent    []string
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.history = append(s.history, r.URL.String())
	if len(s.history) > 10 {
		s.history = append(s.history[:0:0], s.history[1:]...)
	}
	s.sent = append(s.sent, r.URL.String())
}

func (s *server) flush() []string {
	sent := s.sent
	s.sent = nil
	return sent
}

type builder struct {
	parts []string
}

func (b *builder) add(r *http.Request) {
	b.parts = append(b.parts, r.URL.String())
}

func build(w http.ResponseWriter, r *http.Request) {
	b := &builder{}
	b.add(r)
	w.Write([]byte(b.parts[0]))
}
"#,
        );
    }
}
