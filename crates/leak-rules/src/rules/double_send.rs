//! # What it does
//! Reports a goroutine that sends twice on one of its paths, typically because a `return` is missing behind the send of an error, while the
//! only receiver receives once.
//!
//! On a channel that the function is given, nobody knows what is received: there it reports, as information, a send in a branch for an error
//! that goes on to the only other send.
//!
//! # Why it leaks
//! The second send waits for a receiver that has gone.
//!
//! # Example
//! ```go
//! func run() error {
//! 	ch := make(chan error)
//! 	go func() {
//! 		if err := work(); err != nil {
//! 			ch <- err
//! 		}
//! 		ch <- nil // waits for ever after an error
//! 	}()
//! 	return <-ch
//! }
//! ```
//!
//! # Use instead
//! ```go
//! func run() error {
//! 	ch := make(chan error)
//! 	go func() {
//! 		if err := work(); err != nil {
//! 			ch <- err
//! 			return
//! 		}
//! 		ch <- nil
//! 	}()
//! 	return <-ch
//! }
//! ```
//!
//! # When it stays silent
//! - The receiver receives in a loop, or the buffer has room.
//! - The sends are on different paths.
//! - A channel of the caller is used otherwise than for these two sends, or they are repeated.
//! - The rest is as for `abandoned-send`.
//!
//! # Fix safety
//! A `return` behind the earlier send is safe where it skips nothing but the other send, whose value is computed without a call, and where
//! nothing follows that one. Elsewhere it is unsafe: what it skips was done before. It is not offered where the goroutine has results, or
//! where the earlier send is not the last statement of a branch. A buffer is safe under the conditions of `abandoned-send`; it takes the
//! second value, which is then dropped.
//!
//! # References
//! - [Go specification, send statements](https://go.dev/ref/spec#Send_statements)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::goroutine::{self, SEND_NEEDS};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "double-send",
    family: Family::Goroutines,
    severity: Severity::Warning,
    summary: "a goroutine sends twice and is received from once",
    fixes: "return behind the first send, or give the channel room for both",
    overlaps: &[],
    tests: true,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/double_send.rs",
    text: include_str!("double_send.rs"),
    needs: SEND_NEEDS,
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    let mut found = cx.channel_findings(RULE.name);
    found.extend(goroutine::resend::findings(cx, RULE.name));
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

func work() error { return nil }

func run() error {
	ch := make(chan error)
	go func() {
		if err := work(); err != nil {
			ch <- err
		}
		ch <- nil // want double-send/warning "a second send on `ch` waits for ever" want-fix "return behind the first send" safe
	}()
	return <-ch
}
"#,
        );
    }

    #[test]
    fn must_not_flag() {
        check(
            r#"
package a

func work() error { return nil }

func run() error {
	ch := make(chan error)
	go func() {
		if err := work(); err != nil {
			ch <- err
			return
		}
		ch <- nil
	}()
	return <-ch
}
"#,
        );
    }
}
