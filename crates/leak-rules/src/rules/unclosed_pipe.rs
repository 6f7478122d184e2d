//! # What it does
//! Reports an end of an `io.Pipe` that is abandoned on some path while a goroutine has the other end.
//!
//! # Why it leaks
//! A pipe holds no data: each write waits for a read and each read for a write. If one end is neither used nor closed any more, the goroutine at
//! the other end waits for ever, with everything that it holds.
//!
//! # Example
//! ```go
//! pr, pw := io.Pipe()
//! go func() {
//! 	pw.CloseWithError(json.NewEncoder(pw).Encode(v))
//! }()
//! req, err := http.NewRequest("POST", url, pr)
//! if err != nil {
//! 	return err // nobody reads: the goroutine never ends
//! }
//! return send(req)
//! ```
//!
//! # Use instead
//! ```go
//! pr, pw := io.Pipe()
//! go func() {
//! 	pw.CloseWithError(json.NewEncoder(pw).Encode(v))
//! }()
//! req, err := http.NewRequest("POST", url, pr)
//! if err != nil {
//! 	pr.CloseWithError(err)
//! 	return err
//! }
//! return send(req)
//! ```
//!
//! # When it stays silent
//! - No goroutine has got the other end yet.
//! - Either end was closed on this path, or the reading end may have been read to its end.
//! - Where a write failed: that happens only once the reading end is closed.
//! - The end is returned, stored, sent, or given to a function that keeps or closes it, or that is not known.
//!
//! # Fix safety
//! All fixes are unsafe: closing an end makes the goroutine at the other end go on, with the error that is returned (`CloseWithError`) or with the
//! end of the data.
//!
//! # References
//! - [`io.Pipe`](https://pkg.go.dev/io#Pipe)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::find::{self, Verdict};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "unclosed-pipe",
    family: Family::Resources,
    severity: Severity::Warning,
    summary: "an end of an `io.Pipe` is abandoned while a goroutine waits at the other",
    fixes: "close the end before the return that loses it, with its error",
    overlaps: &[],
    tests: false,
    needs: &[],
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unclosed_pipe.rs",
    text: include_str!("unclosed_pipe.rs"),
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    find::check(cx, RULE.name, &|_| {
        Some(Verdict {
            severity: RULE.severity,
            note: Some("the goroutine at the other end then waits for ever".to_owned()),
        })
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

import (
	"io"
	"net/http"
	"strings"
)

func f(url string) (*http.Request, error) {
	pr, pw := io.Pipe() // want unclosed-pipe/warning "`pr` is not closed on every path" want-fix "call `pr.Close()` before the return" unsafe
	go func() { // want-related "a goroutine gets the other end here"
		_, err := io.Copy(pw, strings.NewReader("hello"))
		pw.CloseWithError(err)
	}()
	req, err := http.NewRequest("POST", url, pr)
	if err != nil {
		return nil, err // want-related "returns without closing `pr`"
	}
	return req, nil
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

func f() ([]byte, error) {
	pr, pw := io.Pipe()
	go func() {
		_, err := io.Copy(pw, strings.NewReader("hello"))
		pw.CloseWithError(err)
	}()
	return io.ReadAll(pr)
}
"#,
        );
    }
}
