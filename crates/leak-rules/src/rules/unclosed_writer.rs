//! # What it does
//! Reports a compressing, archiving or encoding writer that is not closed where the function succeeds: `gzip`, `zlib`, `flate`, `lzw`, `tar`,
//! `zip`, `multipart`, `base64`, `base32`, `quotedprintable`, and those of widely used packages (klauspost/compress, pgzip, lz4, snappy, brotli, xz).
//!
//! # Why it leaks
//! `Close` writes what the writer still holds, and the trailer without which the result cannot be read. Without it data is lost, some of these
//! writers keep their goroutines and pooled buffers, and nobody is told.
//!
//! # Example
//! ```go
//! zw := gzip.NewWriter(f)
//! if _, err := zw.Write(data); err != nil {
//! 	return err
//! }
//! return f.Close() // the end of the data never reached f
//! ```
//!
//! # Use instead
//! ```go
//! zw := gzip.NewWriter(f)
//! if _, err := zw.Write(data); err != nil {
//! 	return err
//! }
//! if err := zw.Close(); err != nil {
//! 	return err
//! }
//! return f.Close()
//! ```
//!
//! # When it stays silent
//! - Where the function gives an error, or went on behind an `err != nil`: after a failure nobody uses what was written.
//! - Writers over a `bytes.Buffer`, a `strings.Builder` or `io.Discard`, also through other writers.
//! - Behind `CloseWithError` of the pipe that it writes to.
//! - What was made over the writer is closed through an interface (`w.(io.Closer)`): that may close the writer too.
//! - The writer is returned, stored, sent, or given to a function that keeps or closes it, or that is not known.
//!
//! Readers (`gzip.NewReader`) hold nothing that a close would give back. Once in `main.main` is no excuse.
//!
//! # Fix safety
//! All fixes are unsafe. The writer is closed before each successful exit and before what lies below it is used again, and the error of `Close`
//! becomes the function's, so that it may fail where it did not; where a function has no error to return the title says that the error is lost. There
//! is no fix where the writer is out of scope at the exit. A plain `defer` is never offered: it would run after the bytes were taken, and drop
//! the error.
//!
//! # References
//! - [`gzip.Writer.Close`](https://pkg.go.dev/compress/gzip#Writer.Close)
//! - [`tar.Writer.Close`](https://pkg.go.dev/archive/tar#Writer.Close)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::find::{self, Verdict};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "unclosed-writer",
    family: Family::Resources,
    severity: Severity::Warning,
    summary: "a compressing, archiving or encoding writer is not closed on success",
    fixes: "close it, with its error, before the function succeeds",
    overlaps: &[],
    tests: false,
    needs: &[],
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unclosed_writer.rs",
    text: include_str!("unclosed_writer.rs"),
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    find::check(cx, RULE.name, &|_| {
        Some(Verdict {
            severity: RULE.severity,
            note: Some("what it still holds is not written".to_owned()),
        })
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

import (
	"compress/gzip"
	"os"
)

func f(f *os.File, data []byte) error {
	zw := gzip.NewWriter(f) // want unclosed-writer/warning "`zw` is never closed (what it still holds is not written)" want-fix "call `zw.Close()` on success" unsafe
	if _, err := zw.Write(data); err != nil {
		return err
	}
	return f.Close() // want-related "returns without closing `zw`"
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
	"bytes"
	"compress/gzip"
	"os"
)

func f(f *os.File, data []byte) error {
	zw := gzip.NewWriter(f)
	if _, err := zw.Write(data); err != nil {
		return err
	}
	if err := zw.Close(); err != nil {
		return err
	}
	return f.Close()
}

func memory(data []byte) []byte {
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	zw.Write(data)
	zw.Flush()
	return buf.Bytes()
}
"#,
        );
    }
}
