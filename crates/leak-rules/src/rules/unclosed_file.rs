//! # What it does
//! Reports an open file that is not closed on some path. Files of `os.Open`, `os.Create`, `os.OpenFile`, `os.CreateTemp`,
//! `os.OpenRoot` and the methods of `os.Root`, `ioutil.TempFile`, both ends of `os.Pipe`, `fs.FS.Open`, `zip.OpenReader`,
//! `multipart.FileHeader.Open` and the `File` method of connections are followed.
//!
//! # Why it leaks
//! Each open file holds a descriptor, and a process may have only so many. The garbage collector closes a forgotten `*os.File`
//! some day, but nobody knows when, and it drops the error that says that what was written is not on the disk.
//!
//! # Example
//! ```go
//! f, err := os.Open(name)
//! if err != nil {
//! 	return nil, err
//! }
//! info, err := f.Stat()
//! if err != nil {
//! 	return nil, err // f stays open
//! }
//! ```
//!
//! # Use instead
//! ```go
//! f, err := os.Open(name)
//! if err != nil {
//! 	return nil, err
//! }
//! defer f.Close()
//! info, err := f.Stat()
//! if err != nil {
//! 	return nil, err
//! }
//! ```
//!
//! # When it stays silent
//! - The file is returned, stored, sent, or given to a function that keeps or closes it, or that is not known.
//! - It is handed to the process for life: `log.SetOutput(f)`, `pprof.StartCPUProfile(f)`.
//! - On the error path of the call that should have opened it.
//! - Files of an embedded file system.
//! - Once in `main.main`: the process ends with it.
//!
//! Reading through `bufio.NewReader(f)`, `io.ReadAll(f)` or `json.NewDecoder(f)` does not close the file, and neither does a process
//! that gets it as its standard output.
//!
//! # Fix safety
//! Inserting `defer f.Close()` behind the error check is safe: nothing closed the file before, so no error of `Close` gets lost that was
//! seen until now. Moving a late `defer` up is safe unless another `defer` stands between the two places, because the order of the deferred
//! calls would change. A close before the `return` or `continue` that loses the file is safe and is not offered where the operands of the
//! return use the file. In a loop the file is closed at the end of the iteration, or the body is wrapped in a function as for
//! `defer-in-loop`; no `defer` is put into a loop.
//!
//! Unsafe are: closing an end of a pipe (the other side may wait for the close, or fail because of it); a second fix for files opened for
//! writing that makes the error of `Close` the function's (it may fail where it did not); a name for a discarded file; everything behind an
//! assertion on the error that is not known to end the function. In tests `t.Cleanup` is offered as well.
//!
//! # References
//! - [`os.File.Close`](https://pkg.go.dev/os#File.Close)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::find::{self, Verdict};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "unclosed-file",
    family: Family::Resources,
    severity: Severity::Warning,
    summary: "a file is not closed on some path",
    fixes: "insert or move up `defer f.Close()`; join the error of `Close` into a named result; `t.Cleanup` in tests",
    overlaps: &[],
    tests: true,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unclosed_file.rs",
    text: include_str!("unclosed_file.rs"),
    needs: &[],
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

import "os"

func f(name string) error {
	f, err := os.Open(name) // want unclosed-file/warning "not closed on every path" want-fix "defer" safe
	if err != nil {
		return err
	}
	if _, err := f.Stat(); err != nil { // want-related "when `err != nil`"
		return err // want-related "returns without closing `f`"
	}
	return f.Close()
}
"#,
        );
    }

    #[test]
    fn must_not_flag() {
        check(
            r#"
package a

import "os"

type file struct{ f *os.File }

func open(name string) (*file, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return &file{f: f}, nil
}

func read(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.Stat()
	return err
}
"#,
        );
    }
}
