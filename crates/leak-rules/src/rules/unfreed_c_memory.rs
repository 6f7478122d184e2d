//! # What it does
//! Reports memory of C that is not freed on some path: what `C.CString`, `C.CBytes`, `C.malloc`, `C.calloc` and `C.strdup` give.
//!
//! # Why it leaks
//! The garbage collector does not know memory of C. What is not given to `C.free` stays allocated until the process ends, and no heap profile of
//! Go shows it. `go build -asan` reports it when the program ends.
//!
//! # Example
//! ```go
//! cs := C.CString(name)
//! if C.open_device(cs) != 0 {
//! 	return errOpen // cs is never freed
//! }
//! C.free(unsafe.Pointer(cs))
//! return nil
//! ```
//!
//! # Use instead
//! ```go
//! cs := C.CString(name)
//! defer C.free(unsafe.Pointer(cs))
//! if C.open_device(cs) != 0 {
//! 	return errOpen
//! }
//! return nil
//! ```
//!
//! # When it stays silent
//! - The pointer is returned, stored, sent, or given to a Go function that frees or keeps it, or that is not known.
//! - It is given to a C function of the preamble that keeps or frees it, or to one that frees by its name (`C.g_free`). Any other C function is
//!   taken to use it only.
//! - Once in `main.main`: the memory ends with the process.
//!
//! # Fix safety
//! Inserting `defer C.free(unsafe.Pointer(p))` is safe where nothing else frees the memory: `free` of a null pointer does nothing. `unsafe` is
//! imported and `<stdlib.h>` included where they are missing. Where some paths free it already, it is freed before the others' returns instead.
//!
//! # References
//! - [cgo: Go references to C](https://pkg.go.dev/cmd/cgo#hdr-Go_references_to_C)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::find::{self, Verdict};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "unfreed-c-memory",
    family: Family::Resources,
    severity: Severity::Warning,
    summary: "memory of C is not freed on some path",
    fixes: "insert `defer C.free(unsafe.Pointer(p))`",
    overlaps: &[],
    tests: false,
    needs: &[],
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unfreed_c_memory.rs",
    text: include_str!("unfreed_c_memory.rs"),
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

// #include <stdio.h>
import "C"

func f(name string) {
	cs := C.CString(name) // want unfreed-c-memory/warning "`cs` is never freed" want-fix "defer `C.free(unsafe.Pointer(cs))`" safe
	C.puts(cs)
} // want-related "the function ends without freeing `cs`"
"#,
        );
    }

    #[test]
    fn must_not_flag() {
        check(
            r#"
package a

// #include <stdio.h>
// #include <stdlib.h>
import "C"

import "unsafe"

func f(name string) {
	cs := C.CString(name)
	defer C.free(unsafe.Pointer(cs))
	C.puts(cs)
}

func g(name string) *C.char {
	return C.CString(name)
}
"#,
        );
    }
}
