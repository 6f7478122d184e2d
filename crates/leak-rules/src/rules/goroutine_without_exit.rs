//! # What it does
//! Reports a `go` statement whose goroutine stays in a loop for ever: no return, no `break` out of it, no channel that can be closed.
//!
//! # Why it leaks
//! The goroutine, its stack and everything it refers to stay until the process ends. Each call of the function that starts it adds
//! another one. Many such goroutines are started once and meant to stay, which cannot be told from one that is started again and again: so
//! this is a hint.
//!
//! # Example
//! ```go
//! func Report() {
//! 	go func() {
//! 		for {
//! 			time.Sleep(time.Minute)
//! 			send()
//! 		}
//! 	}()
//! }
//! ```
//!
//! # Use instead
//! ```go
//! func Report(ctx context.Context) {
//! 	go func() {
//! 		for {
//! 			select {
//! 			case <-time.After(time.Minute):
//! 				send()
//! 			case <-ctx.Done():
//! 				return
//! 			}
//! 		}
//! 	}()
//! }
//! ```
//!
//! # When it stays silent
//! - The loop can be left: it returns, breaks, panics, ends the process, or ranges over a channel that somebody may close.
//! - The goroutine is started in `main.main` or `init`, by what only these call once, or in a `sync.Once`.
//! - Whoever starts it is given a context and does not look at it: that is for `ignored-context`.
//! - The function that the goroutine runs is not in the same package.
//! - Test files.
//!
//! # Fix safety
//! Returning when a context is done is unsafe: the author has to say whose context. It is offered where a context is a parameter and the loop
//! has one `select`.
//!
//! # References
//! - [Goroutine leaks, the forgotten loop](https://go.dev/blog/pipelines)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::{Need, Syntax};
use crate::engine::goroutine;
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "goroutine-without-exit",
    family: Family::Goroutines,
    severity: Severity::Hint,
    summary: "a goroutine stays in a loop that nothing can end",
    fixes: "return when the context is done",
    overlaps: &[],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/goroutine_without_exit.rs",
    text: include_str!("goroutine_without_exit.rs"),
    needs: &[Need::syntax(Syntax::GO)],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    goroutine::endless::findings(cx, RULE.name)
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

func send() {}

func Report(period time.Duration) {
	go func() { // want goroutine-without-exit/hint "never ends"
		for { // want-related "this loop goes on for ever"
			<-time.After(period)
			send()
		}
	}()
}

func Tick(ctx context.Context, t *time.Ticker, wake chan bool) {
	println(ctx.Err() != nil)
	go func() { // want goroutine-without-exit "never ends" want-fix "return when `ctx` is done" unsafe
		for {
			select {
			case <-t.C:
				send()
			case <-wake:
			}
		}
	}()
}

func loop() {
	for {
		time.Sleep(time.Second)
	}
}

func Named() {
	go loop() // want goroutine-without-exit "never ends"
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
	"sync"
	"time"
)

var once sync.Once

func send() {}

func Once() {
	once.Do(func() {
		go func() {
			for {
				time.Sleep(time.Second)
				send()
			}
		}()
	})
}

func init() {
	go func() {
		for {
			time.Sleep(time.Second)
		}
	}()
}

func Accept(l net.Listener) {
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
}

func Range(ch chan int) {
	go func() {
		for range ch {
			send()
		}
	}()
}
"#,
        );
    }
}
