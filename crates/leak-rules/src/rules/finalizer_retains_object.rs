//! # What it does
//! Reports finalizers and cleanups that refer to the object whose end they wait for, so that it never comes: the function captures the object,
//! or a cleanup gets it as its argument. It also reports finalizers of objects in a circle, and of objects that an endless goroutine has.
//!
//! # Why it leaks
//! The runtime keeps the function and its argument until they are called, and with them everything they refer to. If that is the object
//! itself, it is reachable for ever: it is never freed, and the function is never called. Objects that refer to each other in a circle are
//! not freed either while one of them has a finalizer, because there is no right order to call it in; cleanups do not have this problem.
//!
//! # Example
//! ```go
//! func open(name string) *handle {
//! 	h := &handle{fd: openFd(name)}
//! 	runtime.SetFinalizer(h, func(_ *handle) {
//! 		closeFd(h.fd) // captures h
//! 	})
//! 	return h
//! }
//! ```
//!
//! # Use instead
//! ```go
//! runtime.SetFinalizer(h, func(h *handle) { closeFd(h.fd) })
//! runtime.AddCleanup(h, func(fd int) { closeFd(fd) }, h.fd) // since Go 1.24, works in circles too
//! ```
//!
//! # When it stays silent
//! - The function uses its own parameter.
//! - The variable for the object gets another value elsewhere: then the function captures that.
//! - What the function or the argument refers to is not made in the same function: it may refer to the object, but nobody knows.
//!
//! # Fix safety
//! Using the parameter is safe: in the finalizer both are the same object, and now the finalizer runs. Giving a cleanup the field that it needs is
//! unsafe: it gets the value that the field has at that moment.
//!
//! # References
//! - [`runtime.SetFinalizer`](https://pkg.go.dev/runtime#SetFinalizer): "If a cyclic structure includes a block with a finalizer, that cycle is not
//!   guaranteed to be garbage collected"
//! - [`runtime.AddCleanup`](https://pkg.go.dev/runtime#AddCleanup): "If ptr is reachable from cleanup or arg, ptr will never be collected"

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::Need;
use crate::engine::retain::finalizer;
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "finalizer-retains-object",
    family: Family::Memory,
    severity: Severity::Warning,
    summary: "a finalizer or cleanup refers to its own object, which is never freed",
    fixes: "use the parameter, or `AddCleanup` with the field that is needed",
    overlaps: &[],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/finalizer_retains_object.rs",
    text: include_str!("finalizer_retains_object.rs"),
    needs: &[Need::names(&["SetFinalizer", "AddCleanup"])],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    finalizer::findings(cx, RULE.name)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn must_flag() {
        check(
            r#"
package a

import "runtime"

type handle struct{ fd int }

func closeFd(fd int) { println(fd) }

func open(fd int) *handle {
	h := &handle{fd: fd}
	runtime.SetFinalizer(h, func(_ *handle) { // want finalizer-retains-object/warning "the finalizer of `h` refers to `h`" want-fix "name the parameter `h`" safe
		closeFd(h.fd) // want-related "keeps `h`"
	})
	return h
}
"#,
        );
    }

    #[test]
    fn must_not_flag() {
        check(
            r#"
package a

import "runtime"

type handle struct{ fd int }

func closeFd(fd int) { println(fd) }

func open(fd int) *handle {
	h := &handle{fd: fd}
	runtime.SetFinalizer(h, func(h *handle) { closeFd(h.fd) })
	runtime.AddCleanup(h, closeFd, h.fd)
	runtime.SetFinalizer(h, nil)
	return h
}
"#,
        );
    }
}
