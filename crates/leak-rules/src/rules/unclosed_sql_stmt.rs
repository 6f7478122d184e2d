//! # What it does
//! Reports a prepared statement that is not closed on some path. `database/sql` and `sqlx` are known.
//!
//! # Why it leaks
//! A prepared statement exists in the database too, once for each connection that it was used on, until it is closed. Servers limit how many
//! there may be, and each is a piece of memory on both sides.
//!
//! # Example
//! ```go
//! stmt, err := db.Prepare("INSERT INTO users VALUES (?)")
//! if err != nil {
//! 	return err
//! }
//! for _, name := range names {
//! 	if _, err := stmt.Exec(name); err != nil {
//! 		return err // the statement stays open
//! 	}
//! }
//! return stmt.Close()
//! ```
//!
//! # Use instead
//! ```go
//! stmt, err := db.Prepare("INSERT INTO users VALUES (?)")
//! if err != nil {
//! 	return err
//! }
//! defer stmt.Close()
//! for _, name := range names {
//! 	if _, err := stmt.Exec(name); err != nil {
//! 		return err
//! 	}
//! }
//! return nil
//! ```
//!
//! # When it stays silent
//! - The statement is returned, stored, sent, or given to a function that keeps or closes it, or that is not known.
//! - Prepared on a transaction that ends on every path, or on one that was given to the function: the end of the transaction closes it.
//! - Prepared on a database that is closed on every path.
//! - Once in `main.main`: the process ends with it.
//!
//! # Fix safety
//! Inserting `defer stmt.Close()` is safe; an explicit close further down is kept, a second one does nothing.
//!
//! # References
//! - [`sql.Stmt.Close`](https://pkg.go.dev/database/sql#Stmt.Close)
//! - [Using prepared statements](https://go.dev/doc/database/prepared-statements)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::find::{self, Verdict};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "unclosed-sql-stmt",
    family: Family::Resources,
    severity: Severity::Warning,
    summary: "a prepared statement is not closed on some path",
    fixes: "insert `defer stmt.Close()`",
    overlaps: &["golangci-lint/sqlclosecheck"],
    tests: false,
    needs: &[],
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unclosed_sql_stmt.rs",
    text: include_str!("unclosed_sql_stmt.rs"),
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
	stmt, err := db.Prepare("DELETE FROM t") // want unclosed-sql-stmt/warning "`stmt` is never closed" want-fix "defer `stmt.Close()`" safe
	if err != nil {
		return err
	}
	_, err = stmt.Exec()
	return err // want-related "returns without closing `stmt`"
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
	stmt, err := db.Prepare("DELETE FROM t")
	if err != nil {
		return err
	}
	defer stmt.Close()
	_, err = stmt.Exec()
	return err
}

func inTx(tx *sql.Tx) error {
	stmt, err := tx.Prepare("DELETE FROM t")
	if err != nil {
		return err
	}
	_, err = stmt.Exec()
	return err
}
"#,
        );
    }
}
