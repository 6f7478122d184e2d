//! # What it does
//! Reports a goroutine that ranges over a channel which nobody closes, or which the function that made it does not close on some path.
//!
//! A channel in a field is reported too, if only its package can name the field, the package makes the channel, and nothing in it closes it or
//! hands it on: workers that are meant to stay look the same, so that this is a hint. One that a local object gives out by a method, where
//! nobody else has the object, is a warning.
//!
//! # Why it leaks
//! A `range` over a channel ends when the channel is closed. If it is not, the goroutine waits for the next value for ever.
//!
//! # Example
//! ```go
//! func process(items []string) {
//! 	ch := make(chan string)
//! 	go func() {
//! 		for item := range ch { // waits for ever
//! 			use(item)
//! 		}
//! 	}()
//! 	for _, item := range items {
//! 		ch <- item
//! 	}
//! }
//! ```
//!
//! # Use instead
//! ```go
//! func process(items []string) {
//! 	ch := make(chan string)
//! 	go func() {
//! 		for item := range ch {
//! 			use(item)
//! 		}
//! 	}()
//! 	for _, item := range items {
//! 		ch <- item
//! 	}
//! 	close(ch)
//! }
//! ```
//!
//! # When it stays silent
//! - The body of the loop can leave it.
//! - The channel is returned, stored, or given to a function that is not known, or a goroutine or helper may close it.
//! - A goroutine that sends on it never ends: it is meant to go on.
//! - The function that made the channel never returns; in `main.main`, and in what only `main` calls once.
//!
//! # Fix safety
//! `close` behind the last send is safe where the function that made the channel does every send and no return stands before it, and so is
//! `close` before a return that leaves the channel open while other paths close it. Where the function waits elsewhere for the goroutine that
//! ranges over it, the fix waits there too, and is unsafe; there is none where it cannot. A deferred close in the one goroutine that does every
//! send is safe. Where returns stand between the sends of the function that made the channel, a deferred close there is unsafe: the loop goes
//! on until the function returns. With several senders there is no fix.
//!
//! # References
//! - [Go specification, for statements with range clause](https://go.dev/ref/spec#For_range)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::goroutine::{self, RANGE_NEEDS};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "range-over-unclosed-channel",
    family: Family::Goroutines,
    severity: Severity::Warning,
    summary: "a goroutine ranges over a channel that is not closed",
    fixes: "close the channel behind the last send, or before the return that does not",
    overlaps: &[],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/range_over_unclosed_channel.rs",
    text: include_str!("range_over_unclosed_channel.rs"),
    needs: RANGE_NEEDS,
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

func use(string) {}

func never(items []string, workers int) {
	ch := make(chan string)
	for i := 0; i < workers; i++ {
		go func() {
			for item := range ch { // want range-over-unclosed-channel/warning "nobody closes `ch`" want-fix "close `ch` behind the last send" safe
				use(item)
			}
		}()
	}
	for _, item := range items {
		ch <- item
	}
}

func onSomePath(items []string, fail func() error) error {
	ch := make(chan string)
	go func() {
		for item := range ch { // want range-over-unclosed-channel "returns without closing `ch`"
			use(item)
		}
	}()
	for _, item := range items {
		ch <- item
	}
	if err := fail(); err != nil {
		return err // want-related "returns without closing it"
	}
	close(ch)
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

func use(string) {}

func closed(items []string) {
	ch := make(chan string)
	defer close(ch)
	go func() {
		for item := range ch {
			use(item)
		}
	}()
	for _, item := range items {
		ch <- item
	}
}

func leaves(items []string) {
	ch := make(chan string)
	go func() {
		for item := range ch {
			if item == "" {
				return
			}
		}
	}()
	for _, item := range items {
		ch <- item
	}
}

func handedOn() chan<- string {
	ch := make(chan string)
	go func() {
		for item := range ch {
			use(item)
		}
	}()
	return ch
}
"#,
        );
    }
}
