//! # What it does
//! Reports a goroutine that says when it has come to its end (it closes a channel or calls `Done` as its last act, on every path), and
//! a function that starts it and waits for that on some paths, but returns on another without waiting.
//!
//! # Why it leaks
//! Where the function returns early, the goroutine goes on: it keeps what it works with, may write to variables that the caller reads
//! already, and often waits for something that only the rest of the function would have done. Nobody can learn any more when it ends.
//!
//! # Example
//! ```go
//! func run(lines <-chan string, w *waiter) error {
//! 	done := make(chan struct{})
//! 	go func() {
//! 		defer close(done)
//! 		w.collect()
//! 	}()
//! 	for line := range lines {
//! 		if err := parse(line); err != nil {
//! 			return err // the goroutine is still there
//! 		}
//! 	}
//! 	<-done
//! 	return nil
//! }
//! ```
//!
//! # Use instead
//! ```go
//! func run(lines <-chan string, w *waiter) error {
//! 	done := make(chan struct{})
//! 	go func() {
//! 		defer close(done)
//! 		w.collect()
//! 	}()
//! 	defer func() { <-done }()
//! 	defer w.stop()
//! 	for line := range lines {
//! 		if err := parse(line); err != nil {
//! 			return err
//! 		}
//! 	}
//! 	return nil
//! }
//! ```
//!
//! # When it stays silent
//! - The goroutine does not promise to say so: it signals on some paths only, or goes on after the signal.
//! - It sends its result: without a buffer that is for `abandoned-send`, and with one nobody has to be there.
//! - The function waits for it on no path, or by a `defer`.
//! - The channel or group is returned, stored, or given to a function of which nothing is known, or another goroutine waits for it.
//! - On the path, something is done that may end the goroutine: what it works with is closed, returned, stored or given away, a method of it
//!   is called of which nothing is known, or its context is cancelled.
//! - The goroutine works with a context that comes from elsewhere, or a channel rule already reports that it waits for ever.
//! - The process ends on the path; in `main.main` and what only it calls once; test files.
//!
//! # Fix safety
//! Waiting before the return is unsafe: the goroutine may wait for something that is not done on this path, and then both wait for ever.
//! It is offered where the goroutine was surely started once, and is the only one that the channel or group counts.
//!
//! # References
//! - [Go concurrency patterns: pipelines and cancellation](https://go.dev/blog/pipelines)
//! - [Go code review comments: goroutine lifetimes](https://go.dev/wiki/CodeReviewComments#goroutine-lifetimes)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::goroutine::JOIN_NEEDS;
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "unjoined-goroutine",
    family: Family::Goroutines,
    severity: Severity::Information,
    summary: "a goroutine is waited for on some paths and left running on another",
    fixes: "wait before the return",
    overlaps: &[],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unjoined_goroutine.rs",
    text: include_str!("unjoined_goroutine.rs"),
    needs: JOIN_NEEDS,
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    cx.join_findings(RULE.name)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn must_flag() {
        check(
            r#"
package a

import "sync"

func work()        {}
func setup() error { return nil }

func group() error {
	var wg sync.WaitGroup
	wg.Add(1)
	go func() { // want unjoined-goroutine/information "without `wg.Wait`" want-fix "wait for the goroutine before the return: `wg.Wait()`" unsafe
		defer wg.Done()
		work()
	}()
	if err := setup(); err != nil {
		return err // want-related "returns without `wg.Wait`"
	}
	wg.Wait()
	return nil
}

func closed() error {
	done := make(chan struct{})
	go func() { // want unjoined-goroutine "without `<-done`" want-fix "`<-done`" unsafe
		defer close(done)
		work()
	}()
	if err := setup(); err != nil {
		return err
	}
	<-done
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

import (
	"context"
	"net"
	"sync"
)

func work()        {}
func setup() error { return nil }

func deferred() error {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Add(1)
	go func() {
		defer wg.Done()
		work()
	}()
	return setup()
}

func forgotten() error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		work()
	}()
	return setup()
}

func cancelled(parent context.Context) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		<-ctx.Done()
	}()
	if err := setup(); err != nil {
		return err
	}
	<-done
	return nil
}

func closes(conn net.Conn) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn.Read(make([]byte, 8))
	}()
	if err := setup(); err != nil {
		conn.Close()
		return err
	}
	<-done
	return nil
}
"#,
        );
    }
}
