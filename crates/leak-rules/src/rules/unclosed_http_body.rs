//! # What it does
//! Reports an HTTP response whose body is not closed on some path: never closed at all, lost on a return between the call and the
//! `defer` (typically a check of the status code), thrown away with `_`, or overwritten by the next attempt of a retry loop.
//!
//! Responses of `http.Get`, `http.Post`, `http.PostForm`, `(*http.Client).Do`, `Get`, `Post`, `PostForm` and of a transport's
//! `RoundTrip` are followed, also through helpers that hand them on.
//!
//! # Why it leaks
//! An open body keeps its connection: the connection cannot be used again, its two goroutines wait on it, and the file descriptor
//! stays open until the server ends the connection.
//!
//! # Example
//! ```go
//! resp, err := http.Get(url)
//! if err != nil {
//! 	return err
//! }
//! if resp.StatusCode != http.StatusOK {
//! 	return errors.New(resp.Status) // the body stays open
//! }
//! defer resp.Body.Close()
//! ```
//!
//! # Use instead
//! ```go
//! resp, err := http.Get(url)
//! if err != nil {
//! 	return err
//! }
//! defer resp.Body.Close()
//! if resp.StatusCode != http.StatusOK {
//! 	return errors.New(resp.Status)
//! }
//! ```
//!
//! # When it stays silent
//! - The response or its body is returned, stored, sent, or given to a function that keeps or closes it, or that is not known.
//! - `Head` and other requests without a body, responses of `httptest` recorders, request bodies in handlers.
//! - In tests, requests that go to something in place of a transport.
//! - On the error path of the call: there the response has no body that needs closing.
//! - Behind guards such as `if resp != nil && resp.Body != nil { … }`.
//! - Once in `main.main`: the process ends with it.
//!
//! # Fix safety
//! Inserting `defer resp.Body.Close()` behind the error check is safe. So is moving a late `defer` up, unless another `defer` stands between
//! the two places: the order of the deferred calls would change. A close before the `return`, `continue` or assignment that loses the body
//! is safe and is not offered where the operands of the return use the response. In a loop the body is closed at the end of the
//! iteration, or the loop's body is wrapped in a function as for `defer-in-loop`; no `defer` is put into a loop.
//!
//! Giving a discarded response a name is unsafe: somebody has to decide what happens with its error. So is every fix where the error was
//! not looked at, or only by an assertion that is not known to end the function: the response is nil where the call failed. In tests
//! `t.Cleanup` is offered as well.
//!
//! # References
//! - [`net/http`: "The client must close the response body when finished with it"](https://pkg.go.dev/net/http)
//! - [`http.Response.Body`](https://pkg.go.dev/net/http#Response)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::find::{self, Verdict};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "unclosed-http-body",
    family: Family::Resources,
    severity: Severity::Warning,
    summary: "the body of an HTTP response is not closed on some path",
    fixes: "insert or move up `defer resp.Body.Close()`; close before the leaving statement",
    overlaps: &["golangci-lint/bodyclose"],
    tests: true,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unclosed_http_body.rs",
    text: include_str!("unclosed_http_body.rs"),
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
	"errors"
	"net/http"
)

func f(url string) error {
	resp, err := http.Get(url) // want unclosed-http-body/warning "not closed on every path"
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status) // want-related "returns without closing `resp.Body`"
	}
	defer resp.Body.Close()
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

import "net/http"

func f(url string) (*http.Response, error) {
	resp, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

func head(url string) error {
	_, err := http.Head(url)
	return err
}
"#,
        );
    }
}
