//! # What it does
//! Reports a goroutine that sends on a channel whose buffer is full (or that has none) when the function that made the channel may return
//! without receiving.
//!
//! A send on a channel in a field is reported too (as information), if only its package can name the field, the package makes the channel
//! without a buffer, and nothing in it receives or hands the channel on.
//!
//! # Why it leaks
//! A send waits until somebody receives. When the only receiver has returned (because of a timeout, a cancelled context, an error), nobody
//! ever will, and the goroutine stays with everything it refers to.
//!
//! # Example
//! ```go
//! func fetch(ctx context.Context) (string, error) {
//! 	ch := make(chan string)
//! 	go func() {
//! 		ch <- slow() // waits for ever after a timeout
//! 	}()
//! 	select {
//! 	case s := <-ch:
//! 		return s, nil
//! 	case <-ctx.Done():
//! 		return "", ctx.Err()
//! 	}
//! }
//! ```
//!
//! # Use instead
//! ```go
//! func fetch(ctx context.Context) (string, error) {
//! 	ch := make(chan string, 1)
//! 	go func() {
//! 		ch <- slow()
//! 	}()
//! 	select {
//! 	case s := <-ch:
//! 		return s, nil
//! 	case <-ctx.Done():
//! 		return "", ctx.Err()
//! 	}
//! }
//! ```
//!
//! # When it stays silent
//! - The buffer takes all sends, or its size is not a constant.
//! - The send is an arm of a `select` with other arms.
//! - The channel is returned, stored, or given to a function that is not known; or somebody else may receive from it too.
//! - The goroutine sends in a loop: how often is not known.
//! - On the way to the return the function learns that the goroutine has ended: it waits for a group, or receives what the goroutine sends
//!   or closes last.
//! - The function closes the channel when it returns: the send panics then.
//! - The goroutine serves and does not send when it was stopped (`http.ErrServerClosed`), and the server is stopped on the way.
//! - In `main.main` of a command, and in what only `main` calls once: the process ends with it.
//!
//! # Fix safety
//! A buffer with room for every send is safe where the send is the last thing that the goroutine does, the goroutine holds no lock and
//! defers nothing but `Done`, nobody asks for the length of the channel, and what is sent owns nothing. Otherwise it is unsafe: work that
//! waited for the receiver does not wait any more. A `select` with the context is unsafe: the value is dropped.
//!
//! # References
//! - [Go concurrency patterns: pipelines and cancellation](https://go.dev/blog/pipelines)
//! - [The Go memory model, channel communication](https://go.dev/ref/mem#chan)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::goroutine::{self, ABANDONED_NEEDS};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "abandoned-send",
    family: Family::Goroutines,
    severity: Severity::Warning,
    summary: "a goroutine sends on a channel from which nobody receives any more",
    fixes: "give the channel a buffer, or stop sending when the context is done",
    overlaps: &[],
    tests: true,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/abandoned_send.rs",
    text: include_str!("abandoned_send.rs"),
    needs: ABANDONED_NEEDS,
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    let mut found = goroutine::join::without_giving_up(cx, cx.channel_findings(RULE.name));
    found.extend(goroutine::field::findings(cx, RULE.name));
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

import (
	"context"
	"time"
)

func slow() string { return "" }

func timeout(d time.Duration) string {
	ch := make(chan string)
	go func() {
		ch <- slow() // want abandoned-send/warning "where `timeout` returns" want-fix "make(chan string, 1)" safe
	}()
	select {
	case s := <-ch:
		return s
	case <-time.After(d): // want-related "when this case is chosen"
		return "" // want-related "returns without receiving"
	}
}

func done(ctx context.Context) error {
	ch := make(chan error)
	go func() {
		ch <- ctx.Err() // want abandoned-send "waits for ever" want-fix "when `ctx` is done" unsafe
		println("sent")
	}()
	if ctx.Err() != nil {
		return nil // want-related "returns without receiving"
	}
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

import (
	"sync"
	"time"
)

func slow() string { return "" }

func buffered(d time.Duration) string {
	ch := make(chan string, 1)
	go func() { ch <- slow() }()
	select {
	case s := <-ch:
		return s
	case <-time.After(d):
		return ""
	}
}

func both(fail bool) string {
	ch := make(chan string)
	errs := make(chan error)
	go func() {
		if fail {
			errs <- nil
			return
		}
		ch <- slow()
	}()
	select {
	case s := <-ch:
		return s
	case <-errs:
		return ""
	}
}

func handedOn(d time.Duration) <-chan string {
	ch := make(chan string)
	go func() { ch <- slow() }()
	return ch
}

func joined(fail bool) {
	ch := make(chan string)
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		ch <- slow()
	}()
	go func() { println(<-ch) }()
	defer wg.Wait()
	if fail {
		return
	}
	println()
}
"#,
        );
    }
}
