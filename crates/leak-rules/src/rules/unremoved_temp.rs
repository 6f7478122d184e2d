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
//! Removing is unsafe: somebody may want to look at what is there.
//!
//! # References
//! - [`os.MkdirTemp`](https://pkg.go.dev/os#MkdirTemp)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::find::{self, Verdict};
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
    find::check(cx, RULE.name, &|_| Some(Verdict::plain(RULE.severity)))
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
