//! # What it does
//! Hints at a map in a package variable, or in a field of a value that lives as long as the process, to which code that runs again and again adds entries
//! and from which such code deletes them, and that is never made anew.
//!
//! # Why it leaks
//! A map does not give its tables back when entries are deleted: after a peak of a million entries it keeps the memory for a million. `maps.Clone` copies
//! the empty tables too. What the keys and values pointed to is freed.
//!
//! # Example
//! ```go
//! var sessions = map[string]session{}
//!
//! func open(w http.ResponseWriter, r *http.Request) {
//! 	sessions[r.FormValue("id")] = session{}
//! }
//!
//! func shut(w http.ResponseWriter, r *http.Request) {
//! 	delete(sessions, r.FormValue("id")) // the map stays as large as it ever was
//! }
//! ```
//!
//! # Use instead
//! ```go
//! func shut(w http.ResponseWriter, r *http.Request) {
//! 	delete(sessions, r.FormValue("id"))
//! 	if len(sessions) == 64 {
//! 		smaller := make(map[string]session, 64)
//! 		maps.Copy(smaller, sessions)
//! 		sessions = smaller
//! 	}
//! }
//! ```
//!
//! # When it stays silent
//! - The map is set to something else, cleared, or its length is compared with something, anywhere in the package.
//! - It is a `sync.Map`, which frees what is deleted since Go 1.24.
//! - Entries are added or deleted only in code that is not known to run again and again, or with keys from a bounded set.
//!
//! # Fix safety
//! Making the map anew is unsafe: whoever holds the old one does not see the change.
//!
//! # References
//! - [runtime: shrink map as elements are deleted](https://github.com/golang/go/issues/20135)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::cost::{self, Part};
use crate::engine::dispatch::Need;
use crate::engine::memory;
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "map-never-shrinks",
    family: Family::Memory,
    severity: Severity::Hint,
    summary: "a long-lived map that gains and loses entries keeps the memory of its largest size",
    fixes: "make it anew when few entries are left",
    overlaps: &[],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/map_never_shrinks.rs",
    text: include_str!("map_never_shrinks.rs"),
    needs: &[Need::names(&["delete"])],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    cost::of(Part::Growth, || memory::churning(cx, RULE.name))
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

type session struct{}

var sessions = map[string]session{}

func open(w http.ResponseWriter, r *http.Request) {
	sessions[r.FormValue("id")] = session{}
}

func shut(w http.ResponseWriter, r *http.Request) {
	delete(sessions, r.FormValue("id")) // want map-never-shrinks/hint "keeps the memory" want-fix "new map" unsafe
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

var (
	anew    = map[string]int{}
	bounded = map[string]int{}
)

func open(w http.ResponseWriter, r *http.Request) {
	anew[r.FormValue("id")]++
	if len(bounded) < 100 {
		bounded[r.FormValue("id")]++
	}
}

func shut(w http.ResponseWriter, r *http.Request) {
	delete(anew, r.FormValue("id"))
	delete(bounded, r.FormValue("id"))
	if r.FormValue("all") != "" {
		anew = make(map[string]int)
	}
}
"#,
        );
    }
}
