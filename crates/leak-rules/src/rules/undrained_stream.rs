//! # What it does
//! Reports gRPC streams, watches of Kubernetes and subscriptions (Redis, NATS, go-ethereum, libp2p) that are left on some path before they
//! ended, without being stopped.
//!
//! # Why it leaks
//! Behind a stream stands a goroutine, a buffer and, at the other side, somebody who goes on sending. All of it stays until the stream is stopped,
//! its context is cancelled, or it was read to its end.
//!
//! # Example
//! ```go
//! watcher, err := client.CoreV1().Pods(ns).Watch(ctx, options)
//! if err != nil {
//! 	return err
//! }
//! for event := range watcher.ResultChan() {
//! 	if isReady(event) {
//! 		return nil // the watch goes on
//! 	}
//! }
//! return errClosed
//! ```
//!
//! # Use instead
//! ```go
//! watcher, err := client.CoreV1().Pods(ns).Watch(ctx, options)
//! if err != nil {
//! 	return err
//! }
//! defer watcher.Stop()
//! for event := range watcher.ResultChan() {
//! 	if isReady(event) {
//! 		return nil
//! 	}
//! }
//! return errClosed
//! ```
//!
//! # When it stays silent
//! - The stream was read to an error, or its channel until it was closed.
//! - Its context was made here and its cancel function is used. A gRPC stream is reported only if its context never ends (`context.Background()`,
//!   with or without values): of a context from elsewhere it is not known who cancels it, and when.
//! - The function closes the connection of the gRPC client, which it has got or made.
//! - The stream or its channel is returned, stored, sent, or given to a function that keeps it, or that is not known.
//! - Once in `main.main`: it ends with the process.
//!
//! # Fix safety
//! All fixes are unsafe: whoever still reads from the stream gets nothing more.
//!
//! # References
//! - [`grpc.ClientConn.NewStream`](https://pkg.go.dev/google.golang.org/grpc#ClientConn.NewStream): what has to be done with a stream
//! - [`watch.Interface`](https://pkg.go.dev/k8s.io/apimachinery/pkg/watch#Interface)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::acquire::STREAM_READS;
use crate::engine::dispatch::Need;
use crate::engine::find::{self, Verdict};
use crate::engine::site::FixKind;
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "undrained-stream",
    family: Family::Resources,
    severity: Severity::Warning,
    summary: "a stream, watch or subscription is left without being stopped",
    fixes: "insert a deferred `Stop`, `Close` or `Unsubscribe`, or give the stream a context that is cancelled",
    overlaps: &[],
    tests: false,
    needs: &[Need::names(STREAM_READS)],
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/undrained_stream.rs",
    text: include_str!("undrained_stream.rs"),
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    find::check(cx, RULE.name, &|found| {
        let endless = found.obligation.kind.fix == FixKind::Stream;
        Some(Verdict {
            severity: RULE.severity,
            note: endless.then(|| "its context never ends".to_owned()),
        })
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn must_flag() {
        check(&format!(
            "{GRPC}{}",
            r#"
-- a.go --
package a

import (
	"context"

	"google.golang.org/grpc"
)

func first(conn *grpc.ClientConn, m any) error {
	stream, err := conn.NewStream(context.Background(), nil, "/a/b") // want undrained-stream/warning "`stream` is never ended (its context never ends)" want-fix "a context that is cancelled" unsafe
	if err != nil {
		return err
	}
	if err := stream.RecvMsg(m); err != nil {
		return err
	}
	return nil // want-related "returns without ending `stream`"
}
"#
        ));
    }

    #[test]
    fn must_not_flag() {
        check(&format!(
            "{GRPC}{}",
            r#"
-- a.go --
package a

import (
	"context"

	"google.golang.org/grpc"
)

func all(conn *grpc.ClientConn, m any) error {
	stream, err := conn.NewStream(context.Background(), nil, "/a/b")
	if err != nil {
		return err
	}
	for {
		if err := stream.RecvMsg(m); err != nil {
			return err
		}
	}
}

func given(ctx context.Context, conn *grpc.ClientConn, m any) error {
	stream, err := conn.NewStream(ctx, nil, "/a/b")
	if err != nil {
		return err
	}
	return stream.RecvMsg(m)
}
"#
        ));
    }

    const GRPC: &str = r#"
-- go.mod --
module example.com/m

go 1.26

require google.golang.org/grpc v1.70.0

replace google.golang.org/grpc => ./grpc
-- grpc/go.mod --
module google.golang.org/grpc

go 1.26
-- grpc/stream.go --
package grpc

import "context"

type CallOption interface{ before() }

type StreamDesc struct{}

type ClientStream interface {
	CloseSend() error
	Context() context.Context
	SendMsg(m any) error
	RecvMsg(m any) error
}

type ClientConn struct{}

func (cc *ClientConn) NewStream(ctx context.Context, desc *StreamDesc, method string, opts ...CallOption) (ClientStream, error) {
	return nil, nil
}
"#;
}
