//! # What it does
//! Reports an `http.Transport` that a function makes for its own requests and whose idle connections are never closed.
//!
//! # Why it leaks
//! A transport keeps its connections open for the next request. If it is made for one call there is no next request: each call leaves
//! connections behind, with two goroutines each, until the server closes them.
//!
//! # Example
//! ```go
//! func fetch(url string) (*http.Response, error) {
//! 	client := &http.Client{Transport: &http.Transport{TLSClientConfig: insecure}}
//! 	return client.Get(url)
//! }
//! ```
//!
//! # Use instead
//! ```go
//! var client = &http.Client{Transport: &http.Transport{TLSClientConfig: insecure}}
//!
//! func fetch(url string) (*http.Response, error) {
//! 	return client.Get(url)
//! }
//! ```
//!
//! # When it stays silent
//! - `DisableKeepAlives` or `IdleConnTimeout` is set.
//! - `CloseIdleConnections` is called on the transport or its client.
//! - The transport or its client is returned, stored, or given to a function that keeps it or is not known.
//! - The function makes no request with it.
//! - The function is `main`, `init`, or one of a command that only these call, once; and tests.
//!
//! # Fix safety
//! `defer tr.CloseIdleConnections()` is safe: a connection that is still in use when the function returns is closed when its response is.
//!
//! # References
//! - [`http.Transport`](https://pkg.go.dev/net/http#Transport): "Transports should be reused instead of created as needed"

use go_syntax::ast::{ExprKind, StmtKind};

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine;
use crate::engine::dispatch::Need;
use crate::engine::find::{self, Found, Verdict};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "per-call-http-transport",
    family: Family::Resources,
    severity: Severity::Information,
    summary: "a function makes an `http.Transport` for its own requests",
    fixes: "insert `defer client.CloseIdleConnections()`",
    overlaps: &[],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/per_call_http_transport.rs",
    text: include_str!("per_call_http_transport.rs"),
    needs: &[Need::names(&["Transport"])],
    check,
};

/// Settings with which idle connections do not stay.
const LIMITS: &[&str] = &["DisableKeepAlives", "IdleConnTimeout"];

/// Methods of clients and transports that make a request.
const REQUESTS: &[&str] = &["Do", "Get", "Head", "Post", "PostForm", "RoundTrip"];

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    find::check(cx, RULE.name, &|found| {
        let quiet = is_limited(found) || !requests(found) || engine::runs_once(cx);
        (!quiet).then(|| Verdict::plain(RULE.severity))
    })
}

/// Whether a setting lets idle connections end by themselves.
fn is_limited(found: &Found<'_>) -> bool {
    let f = found.function;
    let named = |name: &str| LIMITS.contains(&name);
    let in_literal = match &f.tree[found.obligation.call].kind {
        ExprKind::Composite { elements, .. } => elements.iter().any(|element| {
            element
                .key
                .and_then(|key| f.tree.ident(key))
                .is_some_and(|key| named(key.name.as_str()))
        }),
        _ => false,
    };
    in_literal
        || f.tree.stmts.iter().any(|(_, stmt)| match &stmt.kind {
            StmtKind::Assign { lhs, .. } => lhs.iter().any(|target| {
                matches!(&f.tree[f.tree.unparen(*target)].kind,
                    ExprKind::Selector { name, .. } if named(name.name.as_str()))
            }),
            _ => false,
        })
}

/// Whether the function makes a request with some client or transport.
fn requests(found: &Found<'_>) -> bool {
    let f = found.function;
    f.tree.exprs.iter().any(|(call, expr)| {
        matches!(expr.kind, ExprKind::Call { .. })
            && f.target(call).is_some_and(|target| {
                target.package == "net/http"
                    && target.ty.is_some()
                    && REQUESTS.contains(&target.name.as_str())
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
	"crypto/tls"
	"net/http"
)

func f(url string) error {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{}}} // want per-call-http-transport/information "never told to close its idle connections" want-fix "client.CloseIdleConnections()" safe
	resp, err := client.Get(url)
	if err != nil {
		return err
	}
	return resp.Body.Close()
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

var shared = &http.Client{Transport: &http.Transport{}}

func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{}}
}

func f(url string) error {
	tr := &http.Transport{DisableKeepAlives: true}
	client := &http.Client{Transport: tr}
	resp, err := client.Get(url)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func g(url string) error {
	tr := &http.Transport{}
	client := &http.Client{Transport: tr}
	defer client.CloseIdleConnections()
	resp, err := client.Get(url)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
"#,
        );
    }
}
