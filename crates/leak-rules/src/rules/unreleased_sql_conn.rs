//! # What it does
//! Reports a database connection that is taken out of its pool, or opened, and not given back or closed on some path: `sql.DB.Conn`,
//! `sqlx.DB.Connx`, `pgxpool.Pool.Acquire`, `pgx.Connect` and their kin.
//!
//! # Why it leaks
//! A connection that is not given back is missing from the pool for ever. Once the pool is empty every later query waits.
//!
//! # Example
//! ```go
//! conn, err := pool.Acquire(ctx)
//! if err != nil {
//! 	return err
//! }
//! if _, err := conn.Exec(ctx, "LOCK TABLE t"); err != nil {
//! 	return err // the connection is lost
//! }
//! conn.Release()
//! return nil
//! ```
//!
//! # Use instead
//! ```go
//! conn, err := pool.Acquire(ctx)
//! if err != nil {
//! 	return err
//! }
//! defer conn.Release()
//! if _, err := conn.Exec(ctx, "LOCK TABLE t"); err != nil {
//! 	return err
//! }
//! return nil
//! ```
//!
//! # When it stays silent
//! - The connection is returned, stored, sent, or given to a function that keeps or releases it, or that is not known.
//! - A connection of `pgxpool` is taken over with `Hijack`.
//! - Once in `main.main`: the process ends with it.
//!
//! # Fix safety
//! Inserting `defer conn.Close()` (of `database/sql`) or `defer conn.Release()` is safe; a second release does nothing. Closing a connection of
//! `pgx` takes a context, which has to be alive when the function ends: unsafe.
//!
//! # References
//! - [`sql.DB.Conn`](https://pkg.go.dev/database/sql#DB.Conn)
//! - [`pgxpool.Pool.Acquire`](https://pkg.go.dev/github.com/jackc/pgx/v5/pgxpool#Pool.Acquire)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::find::{self, Verdict};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "unreleased-sql-conn",
    family: Family::Resources,
    severity: Severity::Warning,
    summary: "a database connection is not given back on some path",
    fixes: "insert `defer conn.Close()` or `defer conn.Release()`",
    overlaps: &[],
    tests: false,
    needs: &[],
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unreleased_sql_conn.rs",
    text: include_str!("unreleased_sql_conn.rs"),
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
	"context"
	"database/sql"
)

func f(ctx context.Context, db *sql.DB) error {
	conn, err := db.Conn(ctx) // want unreleased-sql-conn/warning "`conn` is not given back on every path" want-fix "defer `conn.Close()`" safe
	if err != nil {
		return err
	}
	if err := conn.PingContext(ctx); err != nil {
		return err // want-related "returns without giving back `conn`"
	}
	return conn.Close()
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
	"context"
	"database/sql"
)

func f(ctx context.Context, db *sql.DB) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.PingContext(ctx)
}
"#,
        );
    }
}
