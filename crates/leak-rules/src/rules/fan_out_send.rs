//! # What it does
//! Reports a loop that starts a goroutine in each iteration that sends on a channel without room, where the receiver takes only some of the
//! values on a path: the first one, or those before an error.
//!
//! # Why it leaks
//! Each goroutine waits until its value is received. The ones that come too late wait for ever, one more for every element and every call.
//!
//! # Example
//! ```go
//! func first(urls []string) string {
//! 	ch := make(chan string)
//! 	for _, url := range urls {
//! 		go func() {
//! 			ch <- get(url) // all but one wait for ever
//! 		}()
//! 	}
//! 	return <-ch
//! }
//! ```
//!
//! # Use instead
//! ```go
//! func first(urls []string) string {
//! 	ch := make(chan string, len(urls))
//! 	for _, url := range urls {
//! 		go func() {
//! 			ch <- get(url)
//! 		}()
//! 	}
//! 	return <-ch
//! }
//! ```
//!
//! # When it stays silent
//! - The size of the buffer is not a constant: it is taken to be large enough.
//! - Receiving is counted: a loop that receives and ends by itself is taken to receive from all.
//! - The rest is as for `abandoned-send`.
//!
//! # Fix safety
//! A buffer of as many places as the loop has iterations is safe under the conditions of `abandoned-send`, where the loop goes over a slice,
//! array or map that is not changed, or counts to a variable that is not changed. Otherwise it is not offered.
//!
//! # References
//! - [Go concurrency patterns: pipelines and cancellation](https://go.dev/blog/pipelines)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::goroutine::{CHANNEL_NEEDS, join};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "fan-out-send",
    family: Family::Goroutines,
    severity: Severity::Warning,
    summary: "a loop starts goroutines that send, and not all of them are received from",
    fixes: "give the channel a buffer for all of them, or stop sending when the context is done",
    overlaps: &[],
    tests: true,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/fan_out_send.rs",
    text: include_str!("fan_out_send.rs"),
    needs: CHANNEL_NEEDS,
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    join::without_giving_up(cx, cx.channel_findings(RULE.name))
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn must_flag() {
        check(
            r#"
package a

func get(string) (string, error) { return "", nil }

type result struct {
	text string
	err  error
}

func first(urls []string) result {
	ch := make(chan result)
	for _, url := range urls {
		go func() {
			text, err := get(url)
			ch <- result{text, err} // want fan-out-send/warning "wait for ever" want-fix "make(chan result, len(urls))" safe
		}()
	}
	return <-ch
}

func untilError(urls []string) error {
	ch := make(chan error)
	for range urls {
		go func() {
			ch <- nil // want fan-out-send "not received before `untilError` returns"
		}()
	}
	for range urls {
		if err := <-ch; err != nil { // want-related "when this holds"
			return err // want-related "returns without receiving from all"
		}
	}
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

func all(urls []string) {
	ch := make(chan string)
	for _, url := range urls {
		go func() { ch <- url }()
	}
	for range urls {
		<-ch
	}
}

func counted(urls []string, stop chan bool) {
	ch := make(chan string)
	for _, url := range urls {
		go func() { ch <- url }()
	}
	n := 0
	for {
		<-ch
		n++
		if n == len(urls) {
			return
		}
	}
}
"#,
        );
    }
}
