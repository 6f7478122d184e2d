//! # What it does
//! Reports a temporary file or directory that is not removed on some path of the function that made it.
//!
//! # Why it leaks
//! What `os.MkdirTemp` and `os.CreateTemp` make stays on the disk after the process. It fills the disk (or the memory, where `/tmp` lies in
//! it), and what was written there can be read later.
//!
//! # Example
//! ```go
//! dir, err := os.MkdirTemp("", "build")
//! if err != nil {
//! 	return err
//! }
//! return build(dir) // the directory stays
//! ```
//!
//! # Use instead
//! ```go
//! dir, err := os.MkdirTemp("", "build")
//! if err != nil {
//! 	return err
//! }
//! defer os.RemoveAll(dir)
//! return build(dir)
//! ```
//!
//! # When it stays silent
//! - It is renamed.
//! - The path (or another path made from it) is returned, stored, printed for the user, or given to a function that keeps it or is not known.
//! - It is made in another directory than the system's: that one may be removed as a whole.
//!
//! # Fix safety
//! Removing is unsafe: somebody may want to look at what is there. It is not offered where the process may end behind it (`os.Exit`, `log.Fatal`),
//! because deferred calls do not run then.
//!
//! # References
//! - [`os.MkdirTemp`](https://pkg.go.dev/os#MkdirTemp)

use std::cell::RefCell;

use go_model::cfg::Terminator;
use text_size::TextRange;

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::find::{self, Found, Verdict};
use crate::engine::pattern;
use crate::engine::site::{FixSite, InsertPoint};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "unremoved-temp",
    family: Family::Resources,
    severity: Severity::Hint,
    summary: "a temporary file or directory is not removed on some path",
    fixes: "insert `defer os.RemoveAll(dir)`",
    overlaps: &[],
    tests: true,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unremoved_temp.rs",
    text: include_str!("unremoved_temp.rs"),
    needs: &[],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    // Acquisitions with the last exit of the process that can be reached from there.
    let exits: RefCell<Vec<(TextRange, TextRange)>> = RefCell::default();
    let mut found = find::check(cx, RULE.name, &|found| {
        let call = found.function.tree[found.obligation.call].range;
        let last = last_exit(found).map(|exit| (call, exit));
        exits.borrow_mut().extend(last);
        Some(Verdict::plain(RULE.severity))
    });
    let exits = exits.into_inner();
    for finding in &mut found {
        let too_late = |site: &FixSite| {
            let from = match site.insert {
                Some(InsertPoint::After(stmt) | InsertPoint::ElseIf(stmt)) => {
                    cx.tree[stmt].range.end()
                }
                Some(InsertPoint::BlockStart(block)) => block.start(),
                None => return false,
            };
            let of_this = |(call, exit): &(TextRange, TextRange)| {
                *call == finding.range && exit.start() >= from
            };
            exits.iter().any(of_this)
        };
        // A deferred call would not run there.
        if finding.site.as_deref().is_some_and(too_late) {
            finding.site = None;
        }
    }
    found
}

/// The last exit of the process behind what was made.
fn last_exit(found: &Found<'_>) -> Option<TextRange> {
    let f = found.function;
    let (block, _) = f.cfg.position_of(found.stmt?)?;
    pattern::reach(f, block)
        .iter()
        .filter_map(|b| match f.cfg[b].terminator {
            Terminator::NoReturn {
                call,
                unwinds: false,
            } => Some(f.tree[call].range),
            _ => None,
        })
        .max_by_key(|range| range.start())
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
	"os"
	"path/filepath"
)

func f() error {
	dir, err := os.MkdirTemp("", "x") // want unremoved-temp/hint "`dir` is never removed" want-fix "os.RemoveAll(dir)" unsafe
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "a"), nil, 0o600) // want-related "returns without removing"
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
	"os"
	"path/filepath"
)

func f() error {
	dir, err := os.MkdirTemp("", "x")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return os.WriteFile(filepath.Join(dir, "a"), nil, 0o600)
}

func g() (string, error) {
	dir, err := os.MkdirTemp("", "x")
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "a"), nil
}
"#,
        );
    }
}
