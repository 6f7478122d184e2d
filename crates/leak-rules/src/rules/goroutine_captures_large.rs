//! # What it does
//! Reports large buffers that a goroutine which goes on and on, or a function that is stored or returned, captures although it needs nothing
//! but a small part, or (the function) their length.
//!
//! # Why it leaks
//! What a function literal captures lives as long as the literal does: for a goroutine with an endless loop that is as long as the program runs.
//!
//! # Example
//! ```go
//! func watch(path string, tick <-chan string) error {
//! 	data, err := os.ReadFile(path)
//! 	if err != nil {
//! 		return err
//! 	}
//! 	go func() {
//! 		for range tick {
//! 			log.Printf("%s: %x", path, data[:4]) // keeps the file for four bytes
//! 		}
//! 	}()
//! 	return nil
//! }
//! ```
//!
//! # Use instead
//! ```go
//! part := bytes.Clone(data[:4])
//! go func() {
//! 	for range tick {
//! 		log.Printf("%s: %x", path, part)
//! 	}
//! }()
//! ```
//!
//! # When it stays silent
//! - The buffer is not large: see [`retained-subslice`](retained-subslice.md).
//! - A goroutine needs the length only: it has that on its stack from the beginning, without the buffer. A function that is stored keeps all
//!   that it captures.
//! - The function uses it otherwise, or all of it is returned, sent or stored as well.
//! - The goroutine has no endless loop and no loop over a channel.
//! - In `main`, in what only it calls, and in tests.
//!
//! # Fix safety
//! Taking the length or a copy of the part before is unsafe: the function no longer sees what is written to the buffer later.
//!
//! # References
//! - [Function literals are closures](https://go.dev/ref/spec#Function_literals)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::{Need, Syntax};
use crate::engine::retain::captured;
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "goroutine-captures-large",
    family: Family::Memory,
    severity: Severity::Hint,
    summary: "a function that lives long keeps a large buffer of which it needs little",
    fixes: "take the length or a copy of the part before",
    overlaps: &[],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/goroutine_captures_large.rs",
    text: include_str!("goroutine_captures_large.rs"),
    needs: &[Need::names(&["ReadFile", "ReadAll", "make"]).and(Syntax::FUNC_LIT)],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    captured::findings(cx, RULE.name)
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

func watch(path string, tick <-chan string) error {
	data, err := os.ReadFile(path) // want goroutine-captures-large/hint "a small part of it only" want-fix "take `bytes.Clone(data[:4])` before" unsafe
	if err != nil {
		return err
	}
	go func() { // want-related "captured here"
		for range tick {
			println(path, string(data[:4]))
		}
	}()
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

import "os"

func watch(path string, tick <-chan string, use func([]byte)) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	size := len(data)
	go func() {
		for range tick {
			println(path, size)
		}
	}()
	go func() {
		for range tick {
			use(data)
		}
	}()
	return nil
}
"#,
        );
    }
}
