//! # What it does
//! Reports a network connection that is not closed on some path: what `net.Dial` and its kin, `tls.Dial`, `Accept` and `Hijack` give, packet
//! connections, clients of `net/rpc`, `net/smtp` and `net/textproto`, and connections of widely used packages: gRPC, SSH, SFTP, FTP, LDAP, AMQP,
//! Redis (redigo) and WebSockets.
//!
//! # Why it leaks
//! Each connection holds a descriptor in this process and in its peer, and often a goroutine that reads from it. The peer waits for more until
//! its own timeout, if it has one.
//!
//! # Example
//! ```go
//! conn, err := net.Dial("tcp", addr)
//! if err != nil {
//! 	return err
//! }
//! if _, err := conn.Write(hello); err != nil {
//! 	return err // conn stays open
//! }
//! return conn.Close()
//! ```
//!
//! # Use instead
//! ```go
//! conn, err := net.Dial("tcp", addr)
//! if err != nil {
//! 	return err
//! }
//! defer conn.Close()
//! _, err = conn.Write(hello)
//! return err
//! ```
//!
//! # When it stays silent
//! - The connection is returned, stored, sent, given to a goroutine (`go handle(conn)`), or given to a function that keeps or closes it, or
//!   that is not known.
//! - Something that owns it is made of it and closed or handed on: `tls.Client(conn, config)`, `rpc.NewClient(conn)`.
//! - On the error path of the call that should have opened it.
//! - Once in `main.main`: the process ends with it.
//!
//! Reading through `bufio.NewReader(conn)` or copying with `io.Copy` does not close the connection.
//!
//! # Fix safety
//! Inserting `defer conn.Close()` behind the error check is safe: the connection goes nowhere else, and nobody asked for the error of `Close` until
//! now. WebSockets of `github.com/coder/websocket` are closed with `CloseNow`, which does not wait for the other side, and FTP connections with
//! `Quit`. In a loop the connection is closed at the end of the iteration, or the body is wrapped in a function.
//!
//! # References
//! - [`net.Conn`](https://pkg.go.dev/net#Conn)
//! - [`grpc.ClientConn.Close`](https://pkg.go.dev/google.golang.org/grpc#ClientConn.Close)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::find::{self, Verdict};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "unclosed-conn",
    family: Family::Resources,
    severity: Severity::Warning,
    summary: "a network connection is not closed on some path",
    fixes: "insert or move up `defer conn.Close()`",
    overlaps: &[],
    tests: false,
    needs: &[],
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unclosed_conn.rs",
    text: include_str!("unclosed_conn.rs"),
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

import "net"

func f(addr string) error {
	conn, err := net.Dial("tcp", addr) // want unclosed-conn/warning "`conn` is not closed on every path" want-fix "defer `conn.Close()`" safe
	if err != nil {
		return err
	}
	if _, err := conn.Write([]byte("hello")); err != nil {
		return err // want-related "returns without closing `conn`"
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

import "net"

func serve(l net.Listener, handle func(net.Conn)) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go handle(conn)
	}
}

func f(addr string) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write([]byte("hello"))
	return err
}
"#,
        );
    }
}
