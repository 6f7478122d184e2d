//! # What it does
//! Reports a file, response body, connection or the like of which only a wrapper is returned that does not close it:
//! `bufio.NewReader(f)`, `gzip.NewReader(f)`, `json.NewDecoder(f)`, `io.NopCloser(f)`.
//!
//! # Why it leaks
//! The wrapper reads or writes through what lies below and never closes it; the `Close` of `gzip.Reader` does not either, and that of
//! `io.NopCloser` does nothing at all. The caller has nothing else in hands, so nobody can close it any more.
//!
//! # Example
//! ```go
//! func open(name string) (io.ReadCloser, error) {
//! 	f, err := os.Open(name)
//! 	if err != nil {
//! 		return nil, err
//! 	}
//! 	return io.NopCloser(bufio.NewReader(f)), nil
//! }
//! ```
//!
//! # Use instead
//! ```go
//! func open(name string) (io.ReadCloser, error) {
//! 	f, err := os.Open(name)
//! 	if err != nil {
//! 		return nil, err
//! 	}
//! 	return struct {
//! 		io.Reader
//! 		io.Closer
//! 	}{bufio.NewReader(f), f}, nil
//! }
//! ```
//!
//! # When it stays silent
//! - The thing itself, a function that closes it, or a struct that holds it is returned as well.
//! - It is stored, or given to a function that keeps or releases it, or that is not known.
//! - The wrapper is none of the standard library's (or of a few packages that are known as well).
//! - Loggers: they are meant to live as long as the process.
//! - In functions of a command that only `main` calls, once: the process ends with it.
//! - In tests.
//!
//! # Fix safety
//! Returning a composite of the wrapper and what closes the thing is unsafe: callers may rely on the type that they got until now, and a
//! caller that did not close because nothing came of it has to. It is offered where the function returns an `io.ReadCloser`; with another
//! type the signature would have to change.
//!
//! # References
//! - [`bufio.Reader`](https://pkg.go.dev/bufio#Reader)
//! - [`gzip.Reader.Close`](https://pkg.go.dev/compress/gzip#Reader.Close): "It does not close the underlying io.Reader."
//! - [`io.NopCloser`](https://pkg.go.dev/io#NopCloser)

use crate::Severity;
use crate::rules::{Declared, Family};

/// Found by the engine while it follows what the kinds of the other rules acquire.
pub(crate) static RULE: Declared = Declared {
    name: "wrapper-drops-close",
    family: Family::Resources,
    severity: Severity::Warning,
    summary: "only a wrapper is returned, by which nobody can close what lies below",
    fixes: "return a composite of the wrapper and what closes the thing",
    overlaps: &[],
    tests: false,
    needs: &[],
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/wrapper_drops_close.rs",
    text: include_str!("wrapper_drops_close.rs"),
    check: |_| Vec::new(),
};

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn must_flag() {
        check(
            r#"
package a

import (
	"io"
	"os"
)

func open(name string) (io.ReadCloser, error) {
	f, err := os.Open(name) // want wrapper-drops-close/warning "`f` is returned inside of something that does not close it" want-fix "return `f` itself" unsafe
	if err != nil {
		return nil, err
	}
	return io.NopCloser(f), nil // want-related "only `io.NopCloser(f)` is returned here"
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
	"bufio"
	"io"
	"os"
)

func open(name string) (io.Reader, io.Closer, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	return bufio.NewReader(f), f, nil
}
"#,
        );
    }
}
