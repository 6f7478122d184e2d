//! # What it does
//! Reports large buffers of which only a small part outlives the function: the part is returned, sent, or stored, and keeps all of the
//! buffer in memory.
//!
//! # Why it leaks
//! A slice of a slice refers to the same array. As long as somebody has the five bytes, the garbage collector cannot free the megabytes
//! around them.
//!
//! # Example
//! ```go
//! func signature(path string) ([]byte, error) {
//! 	data, err := os.ReadFile(path)
//! 	if err != nil {
//! 		return nil, err
//! 	}
//! 	return data[5:10], nil // keeps the whole file
//! }
//! ```
//!
//! # Use instead
//! ```go
//! func signature(path string) ([]byte, error) {
//! 	data, err := os.ReadFile(path)
//! 	if err != nil {
//! 		return nil, err
//! 	}
//! 	return bytes.Clone(data[5:10]), nil
//! }
//! ```
//!
//! # When it stays silent
//! - The buffer is not large: only what `os.ReadFile`, `io.ReadAll` and their like read, and what is made with 4,096 elements or more, is.
//!   Files below `/proc`, `/sys`, `/etc` and the like are small, and so is what a limit is put on.
//! - The part is not known to be small: its size is not a constant of at most 1,024 (a quarter of what is made), and it is neither a line,
//!   a word, nor what a regular expression matches.
//! - Another part of the buffer, or all of it, is kept too, or goes where it is not known what becomes of it.
//! - The part is copied, also by a conversion to `string`.
//! - In `main`, `init`, in what only they call, and in tests.
//!
//! # Fix safety
//! Copying with `bytes.Clone` (Go 1.20) or `slices.Clone` (Go 1.21) is safe where the buffer is not written to any more: nobody can then tell
//! the copy from the part. It is unsafe where it is written to later, and so is `append([]byte(nil), …)` before these versions, which makes
//! nil of an empty part.
//!
//! # References
//! - [Go Slices: usage and internals, a possible "gotcha"](https://go.dev/blog/slices-intro#a-possible-gotcha)
//! - [`bytes.Clone`](https://pkg.go.dev/bytes#Clone)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::{Need, Syntax};
use crate::engine::retain::parts;
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "retained-subslice",
    family: Family::Memory,
    severity: Severity::Information,
    summary: "a small part of a large buffer is kept, and all of the buffer with it",
    fixes: "copy the part",
    overlaps: &[],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/retained_subslice.rs",
    text: include_str!("retained_subslice.rs"),
    needs: &[
        Need::names(&["ReadFile", "ReadAll"]),
        Need::names(&["make"]).and(Syntax::SLICE),
    ],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    parts::findings(cx, RULE.name, false)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn must_flag() {
        check(
            r#"
package a

import "os"

func signature(path string) ([]byte, error) {
	data, err := os.ReadFile(path) // want retained-subslice/information "a small part of it that is returned" want-fix "bytes.Clone" safe
	if err != nil {
		return nil, err
	}
	return data[5:10], nil // want-related "keeps the whole"
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
	"os"
)

func copied(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return bytes.Clone(data[5:10]), nil
}

func both(path string) (head, rest []byte, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	return data[:8], data[8:], nil
}

func text(path string) (string, error) {
	data, err := os.ReadFile(path)
	return string(data[:4]), err
}
"#,
        );
    }
}
