//! # What it does
//! Reports a tracing span that is not ended on some path: `Start` of an OpenTelemetry tracer, `StartSpan` of OpenCensus, OpenTracing, Datadog,
//! Sentry and Elastic APM.
//!
//! # Why it leaks
//! A span is exported when it ends. One that never ends is missing from every trace, its children hang in the air, and samplers and processors
//! that keep the running spans keep it for ever.
//!
//! # Example
//! ```go
//! ctx, span := tracer.Start(ctx, "load")
//! user, err := db.Load(ctx, id)
//! if err != nil {
//! 	return nil, err // the span never ends
//! }
//! span.End()
//! return user, nil
//! ```
//!
//! # Use instead
//! ```go
//! ctx, span := tracer.Start(ctx, "load")
//! defer span.End()
//! user, err := db.Load(ctx, id)
//! if err != nil {
//! 	return nil, err
//! }
//! return user, nil
//! ```
//!
//! # When it stays silent
//! - The span, or the context that carries it, is returned, stored or sent.
//! - The span is ended in a function literal, or by a helper, or given to a function that is not known.
//! - It is fetched from the context again and ended: `trace.SpanFromContext(ctx).End()`.
//!
//! Once in `main.main` is no excuse: a span that was not ended is not exported.
//!
//! # Fix safety
//! Inserting `defer span.End()` is safe: an explicit end further down is kept, and a second one does nothing. A discarded span gets a name.
//!
//! # References
//! - [`trace.Span`](https://pkg.go.dev/go.opentelemetry.io/otel/trace#Span)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::find::{self, Verdict};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "unended-span",
    family: Family::Resources,
    severity: Severity::Warning,
    summary: "a tracing span is not ended on some path",
    fixes: "insert or move up `defer span.End()`",
    overlaps: &["golangci-lint/spancheck"],
    tests: false,
    needs: &[],
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unended_span.rs",
    text: include_str!("unended_span.rs"),
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    find::check(cx, RULE.name, &|_| Some(Verdict::plain(RULE.severity)))
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    /// A module with the part of OpenTelemetry that the tests use.
    const MODULES: &str = r#"-- go.mod --
module example.com/m

go 1.26

require go.opentelemetry.io/otel/trace v0.0.0

replace go.opentelemetry.io/otel/trace => ./trace
-- trace/go.mod --
module go.opentelemetry.io/otel/trace
-- trace/trace.go --
package trace

import "context"

type Span interface {
	End()
	SetName(name string)
	RecordError(err error)
}

type Tracer interface {
	Start(ctx context.Context, name string) (context.Context, Span)
}

type noop struct{}

func (noop) End()              {}
func (noop) SetName(string)    {}
func (noop) RecordError(error) {}

func SpanFromContext(ctx context.Context) Span { return noop{} }
"#;

    #[test]
    fn must_flag() {
        check(
            &(r#"
-- a.go --
package a

import (
	"context"

	"go.opentelemetry.io/otel/trace"
)

func f(ctx context.Context, tracer trace.Tracer, load func() error) error {
	_, span := tracer.Start(ctx, "load") // want unended-span/warning "`span` is not ended on every path" want-fix "defer `span.End()`" safe
	if err := load(); err != nil {
		return err // want-related "returns without ending `span`"
	}
	span.End()
	return nil
}
"#
            .to_owned()
                + MODULES),
        );
    }

    #[test]
    fn must_not_flag() {
        check(
            &(r#"
-- a.go --
package a

import (
	"context"

	"go.opentelemetry.io/otel/trace"
)

func f(ctx context.Context, tracer trace.Tracer, load func() error) error {
	_, span := tracer.Start(ctx, "load")
	defer span.End()
	return load()
}

func start(ctx context.Context, tracer trace.Tracer) (context.Context, trace.Span) {
	return tracer.Start(ctx, "load")
}
"#
            .to_owned()
                + MODULES),
        );
    }
}
