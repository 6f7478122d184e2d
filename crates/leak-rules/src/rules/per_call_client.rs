//! # What it does
//! Reports a client (of a database, a message broker, a cloud service) or a tracer provider that a function makes and neither closes nor
//! hands on.
//!
//! # Why it leaks
//! Such a client has connections and goroutines of its own, which stay until it is closed. Made for each call, they pile up until the
//! server refuses more connections. A client is meant to be made once and shared.
//!
//! It is a warning in a function that serves a request or reconciles an object, and an information elsewhere. A function of the workspace that
//! hands on a client that it has just made counts as one that makes it, for those that serve a request.
//!
//! # Example
//! ```go
//! func handle(w http.ResponseWriter, r *http.Request) {
//! 	db, err := sql.Open("postgres", dsn) // a pool of connections for each request
//! 	if err != nil {
//! 		http.Error(w, err.Error(), http.StatusInternalServerError)
//! 		return
//! 	}
//! 	serve(w, db)
//! }
//! ```
//!
//! # Use instead
//! ```go
//! type server struct{ db *sql.DB } // opened once, closed at the end
//!
//! func (s *server) handle(w http.ResponseWriter, r *http.Request) {
//! 	serve(w, s.db)
//! }
//! ```
//!
//! # When it stays silent
//! - The client, or something made from it, is returned, stored, or given to a function that keeps it or is not known.
//! - It is closed on every path.
//! - The function is `main`, `init`, or one of a command that only these call, once.
//!
//! # Fix safety
//! `defer c.Close()` is safe in the function that alone has the client. Making the client once is better; that is for the author.
//!
//! # References
//! - [`sql.DB`](https://pkg.go.dev/database/sql#DB): "It is rarely necessary to close a DB", because it is meant to be long-lived

use go_model::facts::Callee;
use go_model::types::Ty;

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine;
use crate::engine::find::{self, Found, Verdict};
use crate::engine::kinds;
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "per-call-client",
    family: Family::Resources,
    severity: Severity::Warning,
    summary: "a function makes a client and does not close it",
    fixes: "insert `defer client.Close()`",
    overlaps: &[],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/per_call_client.rs",
    text: include_str!("per_call_client.rs"),
    needs: &[],
    check,
};

/// Parameters of functions that serve one request or reconcile one object.
const REQUESTS: &[(&str, &str)] = &[
    ("net/http", "Request"),
    ("net/http", "ResponseWriter"),
    ("github.com/gin-gonic/gin", "Context"),
    ("github.com/labstack/echo/v4", "Context"),
    ("github.com/gofiber/fiber/v2", "Ctx"),
    ("github.com/gofiber/fiber/v3", "Ctx"),
    ("sigs.k8s.io/controller-runtime/pkg/reconcile", "Request"),
    ("sigs.k8s.io/controller-runtime", "Request"),
];

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    find::check(cx, RULE.name, &|found| {
        if serves(found) {
            return Some(Verdict {
                severity: RULE.severity,
                note: Some("one for each request".to_owned()),
            });
        }
        // Commands ask functions of their own for clients, and the process ends with them.
        (!is_handed_on(found) && !engine::runs_once(cx))
            .then(|| Verdict::plain(Severity::Information))
    })
}

/// Whether a function of the workspace makes the client for this one.
fn is_handed_on(found: &Found<'_>) -> bool {
    let rows = match found.function.facts.callees.get(found.obligation.call) {
        Some(Callee::Func(f)) => kinds::acquirers(f.package, None, f.name),
        Some(Callee::Method(m)) => kinds::acquirers(m.package, Some(m.ty), m.name),
        _ => return false,
    };
    rows.is_empty()
}

/// Whether the function, or one around it, gets a request.
fn serves(found: &Found<'_>) -> bool {
    let f = found.function;
    let is_request = |ty: &Ty| {
        ty.as_named_or_pointer().is_some_and(|named| {
            REQUESTS
                .iter()
                .any(|(package, name)| named.name == *name && named.package == *package)
        })
    };
    let of_literal = f
        .literal
        .and_then(|literal| f.facts.literals.get(literal))
        .map_or(&[][..], |literal| &literal.params);
    (f.facts.params.iter().chain(of_literal).flatten())
        .any(|param| is_request(&f.facts.locals[*param].ty))
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
	"database/sql"
	"net/http"
)

func handle(w http.ResponseWriter, r *http.Request) {
	db, err := sql.Open("postgres", "dsn") // want per-call-client/warning "one for each request" want-fix "db.Close()" safe
	if err != nil {
		return
	}
	_, err = db.Exec("delete from t")
	if err != nil {
		http.Error(w, err.Error(), 500)
	}
}

func purge() error {
	db, err := sql.Open("postgres", "dsn") // want per-call-client/information "`db` is never closed" want-fix "db.Close()" safe
	if err != nil {
		return err
	}
	_, err = db.Exec("delete from t")
	return err
}
"#,
        );
    }

    #[test]
    fn must_not_flag() {
        check(
            r#"
package a

import "database/sql"

type store struct{ db *sql.DB }

func newStore() (*store, error) {
	db, err := sql.Open("postgres", "dsn")
	if err != nil {
		return nil, err
	}
	return &store{db: db}, nil
}

func purge() error {
	db, err := sql.Open("postgres", "dsn")
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec("delete from t")
	return err
}
"#,
        );
    }
}
