//! # What it does
//! Reports the stop function of `iter.Pull` or `iter.Pull2` that is thrown away, or not called on some path on which the sequence was not read to
//! its end.
//!
//! # Why it leaks
//! `Pull` runs the sequence in a coroutine of its own. If nobody takes the rest and nobody calls `stop`, it waits for ever, together with
//! everything that its function holds: open files, locks, deferred calls that never run.
//!
//! # Example
//! ```go
//! next, stop := iter.Pull(lines)
//! first, ok := next()
//! if !ok {
//! 	return "", io.EOF
//! }
//! return first, nil // the sequence waits for the next call
//! ```
//!
//! # Use instead
//! ```go
//! next, stop := iter.Pull(lines)
//! defer stop()
//! first, ok := next()
//! if !ok {
//! 	return "", io.EOF
//! }
//! return first, nil
//! ```
//!
//! # When it stays silent
//! - The sequence was read to its end: `next` said so on this path.
//! - The stop function is returned, stored, sent, or given to a function that calls or keeps it, or that is not known.
//! - `next` is handed on: whoever gets it may read the rest.
//! - Once in `main.main`: the process ends with it.
//!
//! # Fix safety
//! Inserting `defer stop()` is safe: after the end of the sequence, and a second time, it does nothing. A discarded stop function gets a name.
//!
//! # References
//! - [`iter.Pull`: "they must call stop, which allows the iterator function to finish and return"](https://pkg.go.dev/iter#Pull)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::find::{self, Verdict};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "unstopped-iterator",
    family: Family::Resources,
    severity: Severity::Warning,
    summary: "the stop function of an iterator is not called on some path",
    fixes: "insert or move up `defer stop()`, also in place of `_`",
    overlaps: &[],
    tests: false,
    needs: &[],
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unstopped_iterator.rs",
    text: include_str!("unstopped_iterator.rs"),
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

import "iter"

func first(seq iter.Seq[int]) (int, bool) {
	next, stop := iter.Pull(seq) // want unstopped-iterator/warning "`stop` is not called on every path" want-fix "defer `stop()`" safe
	v, ok := next()
	if v < 0 {
		return 0, false // want-related "returns without calling `stop`"
	}
	stop()
	return v, ok
}
"#,
        );
    }

    #[test]
    fn must_not_flag() {
        check(
            r#"
package a

import "iter"

func first(seq iter.Seq[int]) (int, bool) {
	next, stop := iter.Pull(seq)
	defer stop()
	return next()
}

func all(seq iter.Seq[int]) (sum int) {
	next, _ := iter.Pull(seq)
	for {
		v, ok := next()
		if !ok {
			return sum
		}
		sum += v
	}
}
"#,
        );
    }
}
