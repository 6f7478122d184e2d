//! # What it does
//! Reports something that is acquired to become part of a larger value, and that is lost where the function fails before that value is
//! finished: the second file cannot be opened, the first one stays open.
//!
//! The thing is a file, a response, a connection, a transaction, anything that other rules of the resources know, an owner
//! (`unclosed-resource`) too. It is part of something larger if on another path a struct that holds it is returned, or if it is stored in
//! a field. Every loss has to be a `return` with an error; if the function also loses it where it succeeds, the rule of the thing itself
//! reports it.
//!
//! # Why it leaks
//! A caller that gets an error gets no value that it could close. What was acquired until then has no owner any more, and that happens
//! again with each attempt.
//!
//! # Example
//! ```go
//! func Open(dir string) (*Store, error) {
//! 	data, err := os.Open(filepath.Join(dir, "data"))
//! 	if err != nil {
//! 		return nil, err
//! 	}
//! 	index, err := os.Open(filepath.Join(dir, "index"))
//! 	if err != nil {
//! 		return nil, err // data stays open
//! 	}
//! 	return &Store{data: data, index: index}, nil
//! }
//! ```
//!
//! # Use instead
//! ```go
//! func Open(dir string) (*Store, error) {
//! 	data, err := os.Open(filepath.Join(dir, "data"))
//! 	if err != nil {
//! 		return nil, err
//! 	}
//! 	index, err := os.Open(filepath.Join(dir, "index"))
//! 	if err != nil {
//! 		data.Close()
//! 		return nil, err
//! 	}
//! 	return &Store{data: data, index: index}, nil
//! }
//! ```
//!
//! # When it stays silent
//! - A `defer` releases it if the error is not nil.
//! - The unfinished value is returned beside the error, stored, or given to a function that may release what it holds.
//! - What releases it cannot be called any other way, as for all rules: helpers, aliases and closures count.
//! - In tests; there the rule of the thing itself reports it.
//!
//! # Fix safety
//! A release before each `return` that loses the thing is safe: nothing else holds it there. It is not offered where what is returned
//! reads from the thing.
//!
//! # References
//! - [Effective Go: errors](https://go.dev/doc/effective_go#errors)

use crate::Severity;
use crate::rules::{Declared, Family};

/// Found by the engine while it follows what the kinds of the other rules acquire.
pub(crate) static RULE: Declared = Declared {
    name: "partially-built-owner",
    family: Family::Resources,
    severity: Severity::Warning,
    summary: "what was acquired for a larger value is lost when a later step fails",
    fixes: "release it before the return that loses it",
    overlaps: &[],
    tests: false,
    needs: &[],
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/partially_built_owner.rs",
    text: include_str!("partially_built_owner.rs"),
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

import "os"

type Store struct{ data, index *os.File }

func Open(dir string) (*Store, error) {
	data, err := os.Open(dir + "/data") // want partially-built-owner/warning "`data` is not closed when a later step fails" want-fix "call `data.Close()` before the return" safe
	if err != nil {
		return nil, err
	}
	index, err := os.Open(dir + "/index")
	if err != nil {
		return nil, err // want-related "returns without closing `data`"
	}
	return &Store{data: data, index: index}, nil
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

type Store struct{ data, index *os.File }

func Open(dir string) (s *Store, err error) {
	data, err := os.Open(dir + "/data")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			data.Close()
		}
	}()
	index, err := os.Open(dir + "/index")
	if err != nil {
		return nil, err
	}
	return &Store{data: data, index: index}, nil
}
"#,
        );
    }
}
