//! # What it does
//! Reports a process started with `Cmd.Start` that is waited for on some paths and not on others.
//!
//! # Why it leaks
//! A process that nobody waits for stays in the process table when it has ended, and the goroutines and pipes that copy its input and output stay
//! as well. Its exit status is lost.
//!
//! # Example
//! ```go
//! cmd := exec.Command("worker")
//! if err := cmd.Start(); err != nil {
//! 	return err
//! }
//! if err := register(cmd.Process.Pid); err != nil {
//! 	return err // nobody waits for the process
//! }
//! return cmd.Wait()
//! ```
//!
//! # Use instead
//! ```go
//! cmd := exec.Command("worker")
//! if err := cmd.Start(); err != nil {
//! 	return err
//! }
//! if err := register(cmd.Process.Pid); err != nil {
//! 	cmd.Process.Kill()
//! 	cmd.Wait()
//! 	return err
//! }
//! return cmd.Wait()
//! ```
//!
//! # When it stays silent
//! - No path waits for the process or releases it: it is started to run on its own, as a browser or a daemon is. So is one with `Setsid`.
//! - The command, or its `Process`, is returned, stored, or given to a function or goroutine that waits or that is not known.
//! - Commands that come from elsewhere: parameters, fields, factories, and those that somebody got to know before `Start`.
//! - On the error path of `Start`.
//! - Once in `main.main`: the process table is cleaned up with the process.
//!
//! `Kill` and reading the process's number do not wait.
//!
//! # Fix safety
//! All fixes are unsafe. `defer cmd.Wait()` makes the function wait for the process to end, which may take long or for ever if nothing tells it to
//! end; the author may want to kill it first.
//!
//! # References
//! - [`exec.Cmd.Start`: "the Cmd.Wait method must be called in order to release associated system resources"](https://pkg.go.dev/os/exec#Cmd.Start)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::find::{self, Verdict};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "unwaited-process",
    family: Family::Resources,
    severity: Severity::Information,
    summary: "a process is not waited for on some path",
    fixes: "insert `defer cmd.Wait()`",
    overlaps: &[],
    tests: false,
    needs: &[],
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unwaited_process.rs",
    text: include_str!("unwaited_process.rs"),
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    find::check(cx, RULE.name, &|found| {
        // Where nobody ever waits it is meant to run on its own.
        found
            .outcome
            .released
            .then(|| Verdict::plain(RULE.severity))
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn must_flag() {
        check(
            r#"
package a

import "os/exec"

func f(register func(int) error) error {
	cmd := exec.Command("worker")
	if err := cmd.Start(); err != nil { // want unwaited-process/information "`cmd` is not waited for on every path" want-fix "defer `cmd.Wait()`" unsafe
		return err
	}
	if err := register(cmd.Process.Pid); err != nil {
		return err // want-related "returns without waiting for `cmd`"
	}
	return cmd.Wait()
}
"#,
        );
    }

    #[test]
    fn must_not_flag() {
        check(
            r#"
package a

import "os/exec"

func f() error {
	cmd := exec.Command("worker")
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Wait()
}

func open(url string) error {
	return exec.Command("open", url).Start()
}
"#,
        );
    }
}
