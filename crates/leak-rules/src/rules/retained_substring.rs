//! # What it does
//! Reports strings made of all that was read, of which a small part is stored in a field, a map or a package-level variable: the part keeps
//! all of the string in memory.
//!
//! # Why it leaks
//! A part of a string refers to the bytes of the whole. As long as the word is in the map, the garbage collector cannot free the text that
//! it was cut from.
//!
//! # Example
//! ```go
//! func (s *store) add(r io.Reader) error {
//! 	data, err := io.ReadAll(r)
//! 	if err != nil {
//! 		return err
//! 	}
//! 	message := string(data)
//! 	s.seen[message[:36]] = true // keeps the whole message
//! 	return nil
//! }
//! ```
//!
//! # Use instead
//! ```go
//! s.seen[strings.Clone(message[:36])] = true
//! ```
//!
//! # When it stays silent
//! - The string is not made of what `os.ReadFile`, `io.ReadAll` and their like read, or of a large buffer.
//! - The part is not known to be small: its size is not a constant of at most 1,024 bytes, and it is neither a line, a word, nor what a
//!   regular expression matches. All lines one after the other are not small.
//! - Another part of it, or all of it, is kept too, or goes where it is not known what becomes of it.
//! - The part is returned, or kept in something that the function made: it may live for a moment only.
//! - In `main`, `init`, in what only they call, and in tests.
//!
//! # Fix safety
//! `strings.Clone` (Go 1.18) is safe: the copy is equal, and strings cannot be written to.
//!
//! # References
//! - [`strings.Clone`](https://pkg.go.dev/strings#Clone)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::{Need, Syntax};
use crate::engine::retain::parts;
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "retained-substring",
    family: Family::Memory,
    severity: Severity::Information,
    summary: "a small part of a large string is kept, and all of the string with it",
    fixes: "copy the part",
    overlaps: &[],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/retained_substring.rs",
    text: include_str!("retained_substring.rs"),
    needs: &[
        Need::names(&["ReadFile", "ReadAll"]),
        Need::names(&["make"]).and(Syntax::SLICE),
    ],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    parts::findings(cx, RULE.name, true)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn must_flag() {
        check(
            r#"
package a

import "io"

type store struct{ seen map[string]bool }

func (s *store) add(r io.Reader) error {
	data, err := io.ReadAll(r) // want retained-substring/information "a small part of it that is stored" want-fix "strings.Clone" safe
	if err != nil {
		return err
	}
	message := string(data)
	s.seen[message[:36]] = true // want-related "keeps the whole"
	return nil
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
	"io"
	"strings"
)

type store struct{ seen map[string]bool }

func (s *store) words(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	for _, word := range strings.Fields(string(data)) {
		s.seen[word] = true
	}
	return nil
}

func (s *store) copied(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.seen[string(data[:36])] = true
	s.seen[strings.Clone(string(data)[:36])] = true
	return nil
}
"#,
        );
    }
}
