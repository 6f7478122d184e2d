//! # What it does
//! Reports a database transaction that is neither committed nor rolled back on some path. `database/sql`, `sqlx`, `pgx`, `gorm` and `bun`
//! are known.
//!
//! # Why it leaks
//! An open transaction holds its connection, and in the database its locks. The connection does not go back to the pool, and once the pool is
//! empty every later query waits. What was written is lost when the connection ends.
//!
//! # Example
//! ```go
//! tx, err := db.Begin()
//! if err != nil {
//! 	return err
//! }
//! if _, err := tx.Exec("UPDATE accounts SET balance = 0"); err != nil {
//! 	return err // the transaction stays open
//! }
//! return tx.Commit()
//! ```
//!
//! # Use instead
//! ```go
//! tx, err := db.Begin()
//! if err != nil {
//! 	return err
//! }
//! defer tx.Rollback() // does nothing once the transaction was committed
//! if _, err := tx.Exec("UPDATE accounts SET balance = 0"); err != nil {
//! 	return err
//! }
//! return tx.Commit()
//! ```
//!
//! # When it stays silent
//! - The transaction is returned, stored, sent, or given to a function that ends or keeps it, or that is not known.
//! - A deferred function ends it, also one that asks for an error, a panic or a flag of its own first.
//! - `BeginTx` with a context made here whose cancel function is called: its end rolls the transaction back. `Begin` asks no context, and
//!   in `pgx` the context ends only the call of `Begin`.
//! - A nested transaction of `pgx` whose outer one is ended.
//!
//! Once in `main.main` is no excuse: what was written is lost.
//!
//! # Fix safety
//! Inserting `defer tx.Rollback()` behind the error check is safe: on a transaction that was ended it does nothing but return an error that
//! nobody asks for. For `pgx` it is unsafe, because its `Rollback` takes a context, and one that was cancelled closes the connection. Where
//! the transaction is handed on on some path the rollback is put before the returns that lose it instead.
//!
//! # References
//! - [`sql.DB.BeginTx`](https://pkg.go.dev/database/sql#DB.BeginTx)
//! - [Executing transactions](https://go.dev/doc/database/execute-transactions)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::find::{self, Verdict};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "unfinished-sql-tx",
    family: Family::Resources,
    severity: Severity::Warning,
    summary: "a transaction is neither committed nor rolled back on some path",
    fixes: "insert `defer tx.Rollback()`",
    overlaps: &[],
    tests: false,
    needs: &[],
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unfinished_sql_tx.rs",
    text: include_str!("unfinished_sql_tx.rs"),
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
	tx, err := db.Begin() // want unfinished-sql-tx/warning "`tx` is not committed or rolled back on every path" want-fix "defer `tx.Rollback()`" safe
	if err != nil {
		return err
	}
	if _, err := tx.Exec("DELETE FROM t"); err != nil {
		return err // want-related "returns without ending `tx`"
	}
	return tx.Commit()
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
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.Exec("DELETE FROM t"); err != nil {
		return err
	}
	return tx.Commit()
}

func begin(db *sql.DB) (*sql.Tx, error) {
	return db.Begin()
}
"#,
        );
    }
}
