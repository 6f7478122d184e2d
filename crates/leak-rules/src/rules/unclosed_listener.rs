//! # What it does
//! Reports a network listener that is not closed on some path: `net.Listen`, `net.ListenTCP`, `net.ListenUnix`, `ListenConfig.Listen`,
//! `tls.Listen`, and listeners of an SSH client.
//!
//! # Why it leaks
//! A listener holds a descriptor and its address. Until it is closed nobody else can listen there, and connections that the kernel accepts for it
//! wait for an `Accept` that never comes.
//!
//! # Example
//! ```go
//! l, err := net.Listen("tcp", addr)
//! if err != nil {
//! 	return err
//! }
//! if err := register(l.Addr()); err != nil {
//! 	return err // the listener stays open
//! }
//! return http.Serve(l, nil)
//! ```
//!
//! # Use instead
//! ```go
//! l, err := net.Listen("tcp", addr)
//! if err != nil {
//! 	return err
//! }
//! defer l.Close()
//! if err := register(l.Addr()); err != nil {
//! 	return err
//! }
//! return http.Serve(l, nil)
//! ```
//!
//! # When it stays silent
//! - The listener is returned, stored, sent, given to a goroutine, or given to a function that keeps or closes it, or that is not known.
//! - A server serves on it: `http.Serve(l, handler)` and `Serve` of `http.Server` and `grpc.Server` close it.
//! - On the error path of the call that should have opened it.
//! - Once in `main.main`: the process ends with it.
//!
//! # Fix safety
//! Inserting `defer l.Close()` behind the error check is safe: the listener goes nowhere else.
//!
//! # References
//! - [`net.Listener`](https://pkg.go.dev/net#Listener)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::find::{self, Verdict};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "unclosed-listener",
    family: Family::Resources,
    severity: Severity::Warning,
    summary: "a listener is not closed on some path",
    fixes: "insert or move up `defer l.Close()`",
    overlaps: &[],
    tests: false,
    needs: &[],
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unclosed_listener.rs",
    text: include_str!("unclosed_listener.rs"),
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
	"net"
	"net/http"
	"os"
)

func f(addr, file string) error {
	l, err := net.Listen("tcp", addr) // want unclosed-listener/warning "`l` is not closed on every path" want-fix "defer `l.Close()`" safe
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(l.Addr().String()), 0o600); err != nil {
		return err // want-related "returns without closing `l`"
	}
	return http.Serve(l, nil)
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
	"net"
	"net/http"
)

func f(addr string, srv *http.Server) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	return srv.Serve(l)
}

func port() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
"#,
        );
    }
}
