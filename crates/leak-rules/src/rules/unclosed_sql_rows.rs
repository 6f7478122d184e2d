//! # What it does
//! Reports the rows of a database query that are neither closed nor read to their end on some path, and a `QueryRow` whose result is
//! never scanned. `database/sql`, `sqlx`, `pgx` and `gorm` are known.
//!
//! # Why it leaks
//! Open rows hold their connection. It does not go back to the pool, and once the pool is empty every later query waits.
//!
//! # Example
//! ```go
//! rows, err := db.Query("SELECT name FROM users")
//! if err != nil {
//! 	return err
//! }
//! for rows.Next() {
//! 	if err := rows.Scan(&name); err != nil {
//! 		return err // the rows stay open
//! 	}
//! }
//! ```
//!
//! # Use instead
//! ```go
//! rows, err := db.Query("SELECT name FROM users")
//! if err != nil {
//! 	return err
//! }
//! defer rows.Close()
//! for rows.Next() {
//! 	if err := rows.Scan(&name); err != nil {
//! 		return err
//! 	}
//! }
//! return rows.Err()
//! ```
//!
//! # When it stays silent
//! - Behind a loop that ran until `Next` said false: the rows have closed themselves.
//! - Rows of a transaction, or of a statement prepared on it, that ends on every path.
//! - The context of the query is cancelled on every path.
//! - The rows are returned, stored, sent, or given to a function that keeps or closes them, or that is not known.
//! - Methods called `Query` of types that are not those of the packages above.
//! - Once in `main.main`: the process ends with it.
//!
//! # Fix safety
//! Inserting `defer rows.Close()` is safe; an explicit close further down is kept, a second one does nothing. Where rows are thrown away,
//! and for a `QueryRow` that is never scanned, calling `Exec` instead is offered: that is unsafe, because some drivers treat a query and a
//! statement differently.
//!
//! # References
//! - [`sql.Rows.Close`](https://pkg.go.dev/database/sql#Rows.Close)
//! - [Querying for data](https://go.dev/doc/database/querying)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::find::{self, Verdict};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "unclosed-sql-rows",
    family: Family::Resources,
    severity: Severity::Warning,
    summary: "the rows of a query are not closed on some path",
    fixes: "insert `defer rows.Close()`",
    overlaps: &["golangci-lint/sqlclosecheck", "golangci-lint/rowserrcheck"],
    tests: true,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unclosed_sql_rows.rs",
    text: include_str!("unclosed_sql_rows.rs"),
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

import "database/sql"

func f(db *sql.DB) error {
	rows, err := db.Query("SELECT 1") // want unclosed-sql-rows/warning "not closed on every path"
	if err != nil {
		return err
	}
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			return err // want-related "returns without closing `rows`"
		}
	}
	return rows.Err()
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

func f(db *sql.DB) error {
	rows, err := db.Query("SELECT 1")
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	return rows.Err()
}

type T struct{}

func (T) Query(string) (int, error) { return 0, nil }

func g(t T) error {
	_, err := t.Query("SELECT 1")
	return err
}
"#,
        );
    }
}
