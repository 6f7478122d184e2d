//! # What it does
//! Reports a map (or `sync.Map`) in a package variable, or in a field of a value that lives as long as the process, that gets an entry for each new
//! key in code that runs again and again, and from which nothing in the package ever takes anything out.
//!
//! # Why it leaks
//! An entry stays as long as the map does. A cache, a table of sessions or of addresses that is filled by requests grows with every key that was ever
//! seen, until the process runs out of memory.
//!
//! # Example
//! ```go
//! var pages = map[string][]byte{}
//!
//! func handle(w http.ResponseWriter, r *http.Request) {
//! 	page, ok := pages[r.URL.Path]
//! 	if !ok {
//! 		page = render(r.URL.Path)
//! 		pages[r.URL.Path] = page // whatever anybody asks for is kept
//! 	}
//! 	w.Write(page)
//! }
//! ```
//!
//! # Use instead
//! ```go
//! const maxPages = 1000
//!
//! var pages = map[string][]byte{}
//!
//! func handle(w http.ResponseWriter, r *http.Request) {
//! 	page, ok := pages[r.URL.Path]
//! 	if !ok {
//! 		page = render(r.URL.Path)
//! 		if len(pages) >= maxPages {
//! 			clear(pages)
//! 		}
//! 		pages[r.URL.Path] = page
//! 	}
//! 	w.Write(page)
//! }
//! ```
//! A cache that forgets what was used least (`github.com/hashicorp/golang-lru/v2`), or what is older than some time, does it better.
//!
//! # When it stays silent
//! - Anything in the package deletes from the map, clears it, sets it to something else, or compares its length.
//! - The keys come from a bounded set: constants, types with few values or with constants of their own, `reflect.Type`, or what the process has
//!   already (fields, package variables).
//! - The map is filled by `init`, `main`, constructors, `sync.Once`, or by functions that nothing calls again and again: what answers requests, or
//!   waits for work in an endless loop, does.
//! - The map can be changed elsewhere: it is exported, returned, or given to a function that is not known.
//! - Values of the type that holds it are made for each request.
//!
//! An exported function that keeps what it computes for each of its arguments counts as called again and again. It is only a hint where a key was
//! received or looked up and may be one of a few, and where the map is a package variable, or stands beside a lock, and an exported function adds to it
//! of which nothing is known but that nobody can take anything out. Local variables count that a handler keeps.
//!
//! # Fix safety
//! Taking out an arbitrary entry when there are too many is unsafe: the limit is a guess, and the entry may be needed.
//!
//! # References
//! - [golang-lru](https://pkg.go.dev/github.com/hashicorp/golang-lru/v2)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::cost::{self, Part};
use crate::engine::dispatch::{Need, Syntax};
use crate::engine::memory::{self, Shelf};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "unbounded-map",
    family: Family::Memory,
    severity: Severity::Information,
    summary: "a long-lived map gets entries again and again and never loses one",
    fixes: "take an entry out when there are too many",
    overlaps: &[],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unbounded_map.rs",
    text: include_str!("unbounded_map.rs"),
    needs: &[
        Need::syntax(Syntax::INDEX_ASSIGN),
        Need::names(&["append", "Store", "LoadOrStore", "Swap", "Copy"]),
    ],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    cost::of(Part::Growth, || {
        memory::growing(cx, RULE.name, &[Shelf::Map, Shelf::SyncMap])
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

var pages = map[string][]byte{}

func handle(w http.ResponseWriter, r *http.Request) {
	page, ok := pages[r.URL.Path]
	if !ok {
		page = []byte(r.URL.Path)
		pages[r.URL.Path] = page // want unbounded-map/information "package variable `pages`" want-fix "10000" unsafe
	}
	w.Write(page)
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

const most = 100

var (
	limited = map[string][]byte{}
	emptied = map[string]int{}
	byKind  = map[bool]int{}
	table   = map[string]int{"a": 1}
)

func init() {
	for _, name := range []string{"b", "c"} {
		table[name] = len(table)
	}
}

func handle(w http.ResponseWriter, r *http.Request) {
	if len(limited) < most {
		limited[r.URL.Path] = nil
	}
	emptied[r.URL.Path]++
	byKind[r.Method == "GET"]++
}

func flush() map[string]int {
	last := emptied
	emptied = map[string]int{}
	return last
}
"#,
        );
    }
}
