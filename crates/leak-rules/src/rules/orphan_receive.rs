//! # What it does
//! Reports a goroutine that receives from a channel on which nobody sends and which nobody closes, at all or on some path of the function that
//! made it.
//!
//! A channel in a field is reported too (as information), if only its package can name the field, the package makes the channel, and nothing in it
//! sends, closes, or hands the channel on; and one that a local object gives out by a method, where nobody else has the object.
//!
//! # Why it leaks
//! A receive waits until somebody sends or closes. When the function that made the channel has returned without doing either, nobody can.
//!
//! # Example
//! ```go
//! func serve(conn net.Conn) error {
//! 	stop := make(chan struct{})
//! 	go func() {
//! 		<-stop // waits for ever after an error
//! 		conn.Close()
//! 	}()
//! 	if err := handshake(conn); err != nil {
//! 		return err
//! 	}
//! 	close(stop)
//! 	return nil
//! }
//! ```
//!
//! # Use instead
//! ```go
//! func serve(conn net.Conn) error {
//! 	stop := make(chan struct{})
//! 	defer close(stop)
//! 	go func() {
//! 		<-stop
//! 		conn.Close()
//! 	}()
//! 	return handshake(conn)
//! }
//! ```
//!
//! # When it stays silent
//! - The receive is an arm of a `select` with other arms, or one of several.
//! - The channel is returned, stored, or given to a function that is not known; or another goroutine sends on it or closes it.
//! - In `main.main`, and in what only `main` calls once.
//!
//! # Fix safety
//! A `close` (deferred where nobody closes the channel, else before the return that does not) is safe where the goroutine drops what it
//! receives and ends with that, so that waking it does nothing else. Otherwise it is unsafe: the goroutine goes on. A `select` with a context
//! is unsafe: the goroutine then gives up without having been woken.
//!
//! # References
//! - [Go specification, receive operator](https://go.dev/ref/spec#Receive_operator)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::goroutine::{self, ORPHAN_NEEDS};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "orphan-receive",
    family: Family::Goroutines,
    severity: Severity::Warning,
    summary: "a goroutine receives from a channel on which nobody sends",
    fixes: "close the channel, or stop waiting when the context is done",
    overlaps: &[],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/orphan_receive.rs",
    text: include_str!("orphan_receive.rs"),
    needs: ORPHAN_NEEDS,
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    let mut found = goroutine::join::with_waits(cx, cx.channel_findings(RULE.name));
    found.extend(goroutine::field::findings(cx, RULE.name));
    found.extend(goroutine::object::findings(cx, RULE.name));
    found
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn must_flag() {
        check(
            r#"
package a

func never() {
	stop := make(chan struct{})
	go func() {
		<-stop // want orphan-receive/warning "nobody sends on `stop` or closes it" want-fix "defer `close(stop)`" unsafe
		println("stopped")
	}()
}

func onSomePath(fail func() error) error {
	stop := make(chan struct{})
	go func() {
		<-stop // want orphan-receive "returns without sending on `stop` or closing it"
		println("stopped")
	}()
	if err := fail(); err != nil {
		return err // want-related "returns without waking the goroutine"
	}
	close(stop)
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

func closed(fail func() error) error {
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		<-stop
		println("stopped")
	}()
	return fail()
}

func handedOn() func() {
	stop := make(chan struct{})
	go func() {
		<-stop
		println("stopped")
	}()
	return func() { close(stop) }
}
"#,
        );
    }
}
