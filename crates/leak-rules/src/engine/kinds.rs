//! The kinds of things that must be released: one table for all rules of the obligation engine.
//!
//! Callees are compared by resolved import path, never by a name alone.

use std::sync::{LazyLock, Mutex, PoisonError};

use go_model::summary::How;
use go_model::told::{FuncPath, Releaser};
use go_syntax::Name;
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};

use super::site::{FixKind, Method, Passed};
use crate::Severity;

/// A kind of thing that must be released.
///
/// Kinds are referred to for the life of the process. Those of the standard library are static; those that are only known once code
/// or a configuration was read are made with [`intern`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Kind {
    /// What it is called in the table of acquirers.
    pub(crate) key: &'static str,
    /// The rule that reports it.
    pub(crate) rule: &'static str,
    /// What fixes need to know.
    pub(crate) fix: FixKind,
    /// What it is called in messages, for example `file`.
    pub(crate) noun: &'static str,
    /// What is done to it, as a participle: `closed`.
    pub(crate) released: &'static str,
    /// What is not done when it is lost: `closing`.
    pub(crate) releasing: &'static str,
    /// What the acquisition does, as a participle: `opened`.
    pub(crate) acquired: &'static str,
    /// The fields from the acquiring call's result to the thing: `Body` for a response.
    pub(crate) path: &'static [&'static str],
    /// Releasing methods. The first one is the one to recommend.
    pub(crate) release: &'static [&'static str],
    /// Calling it releases it.
    pub(crate) call: bool,
    /// Methods with a `bool` result that has released the thing when it is false.
    pub(crate) drains: &'static [&'static str],
    /// Package-level functions that release what they are given as this argument, beyond what summaries know.
    pub(crate) released_by: &'static [(&'static str, &'static str, usize)],
    /// Whether what is made from the thing holds on to it.
    pub(crate) spread: Spread,
    /// A method without arguments whose result stands for the thing: the name of a temporary file.
    pub(crate) alias: Option<&'static str>,
    /// Functions and methods that release what they are given.
    pub(crate) takers: &'static [Taker],
    /// What findings count as, where somebody said so.
    pub(crate) severity: Option<Severity>,
    /// A user says that it must be released, best in this way.
    pub(crate) told: Option<Releaser>,
    /// A field whose value is a channel to receive from (`C`).
    pub(crate) channel: Option<&'static str>,
    /// A receive from that channel settles it: a timer has fired.
    pub(crate) fires: bool,
    /// Methods whose channel ends only with the thing.
    pub(crate) source: &'static [&'static str],
    /// Methods with an error (this result) that says that there is nothing left.
    pub(crate) ends: &'static [(&'static str, usize)],
    /// It is a channel itself, and a path that waited for it or for the end of some context is about to end the program.
    pub(crate) awaited: bool,
    /// A release that is pure reclamation: once in `main.main` it need not happen.
    pub(crate) ends_with_process: bool,
    /// The zero (nil) value can be released without a crash.
    pub(crate) nil_release_ok: bool,
    /// The methods that release it are known, so that those of its package that are not listed do not.
    pub(crate) complete: bool,
    /// The field that holds the acquisition's error, where it is not a result (`Error` of gorm).
    pub(crate) error_field: Option<&'static str>,
    /// Methods give the thing back, as a chain of calls.
    pub(crate) fluent: bool,
    /// It is owed only where the function succeeds: after a failure nobody uses what was made.
    pub(crate) on_success: bool,
    /// A field that stands for the thing as well (`Process` of a command).
    pub(crate) handle: Option<&'static str>,
    /// Package-level functions that give the thing back from a context that carries it.
    pub(crate) from_context: &'static [(&'static str, &'static str)],
    /// A type that holds it in a field and releases it in a method owns it, so that whoever makes one owes that method.
    pub(crate) makes_owners: bool,
    /// It is an owner of another thing.
    pub(crate) owner: Option<Owner>,
}

/// What an owner, inferred from the code, owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    /// The field that holds it; empty if the value is made around it without a field that can be seen.
    pub(crate) field: &'static str,
    /// What is held.
    pub(crate) held: &'static Kind,
    /// The function that acquires it, as it is written: `NewStore`, `Pool.Get`.
    pub(crate) constructor: &'static str,
}

/// Whether what is made from a thing holds on to it, so that what happens to it may happen to the thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Spread {
    /// Only where summaries say so.
    No,
    /// What functions and methods make of it does, but for errors, numbers, texts and booleans.
    Values,
    /// Texts do too: the thing is a path.
    Text,
}

/// A function or method that releases what it is given as this argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Taker {
    pub(crate) to: FuncPath,
    pub(crate) argument: u16,
}

impl Kind {
    /// Whether a call of this function or method with the thing as this argument releases it.
    pub(crate) fn is_taken_by(
        &self,
        package: Name,
        ty: Option<Name>,
        name: Name,
        argument: usize,
    ) -> bool {
        self.takers.iter().any(|taker| {
            taker.to == FuncPath { package, ty, name } && usize::from(taker.argument) == argument
        })
    }

    /// Whether what a function does to the thing releases it.
    pub(crate) fn ends_by(&self, how: &How) -> bool {
        match how {
            How::Method(m) => self.release.contains(&m.as_str()),
            How::Call => self.call,
            How::Func(f, i) => {
                self.is_taken_by(f.package, None, f.name, usize::from(*i))
                    || self.is_released_by(f.package, f.name, usize::from(*i))
            }
            How::ArgOf(m, i) => self.is_taken_by(m.package, Some(m.ty), m.name, usize::from(*i)),
            How::Said => true,
            How::Passed(_) | How::Builtin => false,
        }
    }
}

/// A file, more or less: what other kinds are made from.
pub(crate) const BASE: Kind = Kind {
    key: "",
    rule: "",
    fix: FixKind::File,
    noun: "",
    released: "closed",
    releasing: "closing",
    acquired: "opened",
    path: &[],
    release: &["Close"],
    call: false,
    drains: &[],
    released_by: &[],
    spread: Spread::No,
    alias: None,
    takers: &[],
    severity: None,
    told: None,
    channel: None,
    fires: false,
    source: &[],
    ends: &[],
    awaited: false,
    ends_with_process: true,
    nil_release_ok: false,
    complete: false,
    error_field: None,
    fluent: false,
    on_success: false,
    handle: None,
    from_context: &[],
    makes_owners: true,
    owner: None,
};

/// A method without arguments that does nothing when it is called once more.
pub(crate) const fn method(name: &'static str, variable: &'static str) -> FixKind {
    FixKind::Method(Method {
        name,
        context: false,
        variable,
        note: "",
        once: false,
    })
}

/// A method that needs a live context.
const fn with_context(name: &'static str, variable: &'static str) -> FixKind {
    FixKind::Method(Method {
        name,
        context: true,
        variable,
        note: "needs a context that is still alive",
        once: false,
    })
}

pub(crate) static HTTP_BODY: Kind = Kind {
    key: "http-body",
    rule: "unclosed-http-body",
    fix: FixKind::HttpBody,
    noun: "body",
    acquired: "received",
    path: &["Body"],
    ..BASE
};

pub(crate) static FILE: Kind = Kind {
    key: "file",
    rule: "unclosed-file",
    noun: "file",
    nil_release_ok: true,
    ..BASE
};

pub(crate) static PIPE_READ: Kind = Kind {
    key: "pipe-read",
    rule: "unclosed-file",
    fix: FixKind::PipeRead,
    noun: "reading end of the pipe",
    nil_release_ok: true,
    ..BASE
};

pub(crate) static PIPE_WRITE: Kind = Kind {
    key: "pipe-write",
    rule: "unclosed-file",
    fix: FixKind::PipeWrite,
    noun: "writing end of the pipe",
    nil_release_ok: true,
    ..BASE
};

pub(crate) static SQL_ROWS: Kind = Kind {
    key: "sql-rows",
    rule: "unclosed-sql-rows",
    fix: FixKind::SqlRows,
    noun: "rows",
    drains: &["Next", "NextResultSet"],
    released_by: PGX_COLLECT,
    ..BASE
};

/// What reads pgx rows to their end and closes them, also on errors.
const PGX_COLLECT: &[(&str, &str, usize)] = &[
    ("github.com/jackc/pgx/v5", "CollectRows", 0),
    ("github.com/jackc/pgx/v5", "CollectOneRow", 0),
    ("github.com/jackc/pgx/v5", "CollectExactlyOneRow", 0),
    ("github.com/jackc/pgx/v5", "AppendRows", 1),
    ("github.com/jackc/pgx/v5", "ForEachRow", 0),
];

pub(crate) static SQL_ROW: Kind = Kind {
    makes_owners: false,
    key: "sql-row",
    rule: "unclosed-sql-rows",
    fix: FixKind::SqlRow,
    noun: "row",
    released: "scanned",
    releasing: "scanning",
    acquired: "queried",
    release: &["Scan", "StructScan", "MapScan", "SliceScan"],
    ..BASE
};

/// The results of a batch hold the connection as rows do.
pub(crate) static PGX_BATCH: Kind = Kind {
    key: "pgx-batch",
    rule: "unclosed-sql-rows",
    fix: method("Close", "results"),
    noun: "batch results",
    acquired: "queried",
    complete: true,
    ..BASE
};

pub(crate) static SQL_TX: Kind = SQL_TX_BASE;

const SQL_TX_BASE: Kind = Kind {
    key: "sql-tx",
    rule: "unfinished-sql-tx",
    fix: method("Rollback", "tx"),
    noun: "transaction",
    released: "committed or rolled back",
    releasing: "ending",
    acquired: "begun",
    release: &["Rollback", "Commit"],
    // What was written is lost.
    ends_with_process: false,
    complete: true,
    ..BASE
};

pub(crate) static PGX_TX: Kind = Kind {
    key: "pgx-tx",
    fix: with_context("Rollback", "tx"),
    ..SQL_TX_BASE
};

pub(crate) static GORM_TX: Kind = Kind {
    key: "gorm-tx",
    error_field: Some("Error"),
    fluent: true,
    ..SQL_TX_BASE
};

pub(crate) static SQL_STMT: Kind = Kind {
    key: "sql-stmt",
    rule: "unclosed-sql-stmt",
    fix: method("Close", "stmt"),
    noun: "statement",
    acquired: "prepared",
    complete: true,
    ..BASE
};

pub(crate) static SQL_CONN: Kind = SQL_CONN_BASE;

const SQL_CONN_BASE: Kind = Kind {
    key: "sql-conn",
    rule: "unreleased-sql-conn",
    fix: method("Close", "conn"),
    noun: "connection",
    released: "given back",
    releasing: "giving back",
    acquired: "taken",
    complete: true,
    ..BASE
};

pub(crate) static PGX_POOL_CONN: Kind = Kind {
    key: "pgx-pool-conn",
    fix: method("Release", "conn"),
    // "Hijack assumes ownership of the connection from the pool."
    release: &["Release", "Hijack"],
    ..SQL_CONN_BASE
};

pub(crate) static PGX_CONN: Kind = Kind {
    key: "pgx-conn",
    fix: with_context("Close", "conn"),
    released: "closed",
    releasing: "closing",
    acquired: "opened",
    ..SQL_CONN_BASE
};

pub(crate) static CONN: Kind = CONN_BASE;

const CONN_BASE: Kind = Kind {
    key: "conn",
    rule: "unclosed-conn",
    fix: method("Close", "conn"),
    noun: "connection",
    complete: true,
    ..BASE
};

/// "Quit sends the QUIT command and closes the connection to the server."
pub(crate) static SMTP_CONN: Kind = Kind {
    key: "smtp-conn",
    release: &["Close", "Quit"],
    ..CONN_BASE
};

/// "Quit issues a QUIT FTP command to properly close the connection from the remote FTP server."
pub(crate) static FTP_CONN: Kind = Kind {
    key: "ftp-conn",
    fix: method("Quit", "conn"),
    release: &["Quit"],
    ..CONN_BASE
};

/// "CloseNow closes the WebSocket connection without attempting a close handshake."
pub(crate) static WEBSOCKET: Kind = Kind {
    key: "websocket",
    fix: method("CloseNow", "conn"),
    release: &["CloseNow", "Close"],
    ..CONN_BASE
};

pub(crate) static LISTENER: Kind = Kind {
    key: "listener",
    rule: "unclosed-listener",
    fix: method("Close", "listener"),
    noun: "listener",
    complete: true,
    ..BASE
};

pub(crate) static WRITER: Kind = Kind {
    // Whether anything is lost depends on what it writes to.
    makes_owners: false,
    key: "writer",
    rule: "unclosed-writer",
    fix: FixKind::Writer,
    noun: "writer",
    acquired: "made",
    ends_with_process: false,
    complete: true,
    on_success: true,
    ..BASE
};

pub(crate) static SPAN: Kind = SPAN_BASE;

const SPAN_BASE: Kind = Kind {
    key: "span",
    rule: "unended-span",
    fix: method("End", "span"),
    noun: "span",
    released: "ended",
    releasing: "ending",
    acquired: "started",
    release: &["End"],
    // What was not ended is not exported.
    ends_with_process: false,
    complete: true,
    from_context: &[
        ("go.opentelemetry.io/otel/trace", "SpanFromContext"),
        ("go.opencensus.io/trace", "FromContext"),
        ("github.com/opentracing/opentracing-go", "SpanFromContext"),
        ("github.com/getsentry/sentry-go", "SpanFromContext"),
    ],
    ..BASE
};

/// Spans of tracers in which they are finished, not ended.
pub(crate) static FINISHED_SPAN: Kind = Kind {
    key: "finished-span",
    fix: method("Finish", "span"),
    released: "finished",
    releasing: "finishing",
    release: &["Finish", "FinishWithOptions"],
    ..SPAN_BASE
};

pub(crate) static ITER_STOP: Kind = Kind {
    key: "iter-stop",
    rule: "unstopped-iterator",
    fix: FixKind::SignalStop,
    noun: "stop function",
    acquired: "made",
    ..CANCEL_BASE
};

pub(crate) static PROCESS: Kind = Kind {
    makes_owners: false,
    key: "process",
    rule: "unwaited-process",
    fix: FixKind::Method(Method {
        name: "Wait",
        context: false,
        variable: "cmd",
        note: "the function waits for the process to end",
        once: false,
    }),
    noun: "process",
    released: "waited for",
    releasing: "waiting for",
    acquired: "started",
    release: &["Wait", "Release"],
    complete: true,
    handle: Some("Process"),
    ..BASE
};

pub(crate) static IO_PIPE_READ: Kind = Kind {
    key: "io-pipe-read",
    noun: "reading end of the pipe",
    // Read to its end it has been closed on the other side.
    released_by: &[("io", "ReadAll", 0), ("io/ioutil", "ReadAll", 0)],
    ..IO_PIPE_BASE
};

pub(crate) static IO_PIPE_WRITE: Kind = Kind {
    key: "io-pipe-write",
    noun: "writing end of the pipe",
    // It fails only once the other end is closed.
    ends: &[("Write", 1)],
    ..IO_PIPE_BASE
};

const IO_PIPE_BASE: Kind = Kind {
    makes_owners: false,
    rule: "unclosed-pipe",
    fix: FixKind::IoPipe,
    acquired: "made",
    release: &["CloseWithError", "Close"],
    complete: true,
    ..BASE
};

pub(crate) static C_MEMORY: Kind = Kind {
    key: "c-memory",
    rule: "unfreed-c-memory",
    fix: FixKind::CMemory,
    noun: "C memory",
    released: "freed",
    releasing: "freeing",
    acquired: "allocated",
    release: &[],
    released_by: &[("C", "free", 0)],
    // "If ptr is NULL, no operation is performed."
    nil_release_ok: true,
    ..BASE
};

/// Of Kubernetes.
pub(crate) static WATCH: Kind = Kind {
    key: "watch",
    fix: subscribed("Stop", "watcher"),
    noun: "watch",
    release: &["Stop"],
    source: &["ResultChan"],
    ..STREAM_BASE
};

/// Of Redis.
pub(crate) static SUBSCRIPTION: Kind = Kind {
    key: "subscription",
    fix: subscribed("Close", "sub"),
    noun: "subscription",
    released: "closed",
    releasing: "closing",
    release: &["Close"],
    source: &["Channel", "ChannelSize", "ChannelWithSubscriptions"],
    ..STREAM_BASE
};

/// Of NATS.
pub(crate) static NATS_SUBSCRIPTION: Kind = Kind {
    key: "nats-subscription",
    fix: subscribed("Unsubscribe", "sub"),
    noun: "subscription",
    released: "ended",
    releasing: "ending",
    release: &["Unsubscribe", "Drain"],
    ..STREAM_BASE
};

/// Of go-ethereum: its channel of errors tells when it is over.
pub(crate) static EVENT_SUBSCRIPTION: Kind = Kind {
    key: "event-subscription",
    fix: subscribed("Unsubscribe", "sub"),
    noun: "subscription",
    released: "ended",
    releasing: "ending",
    release: &["Unsubscribe"],
    source: &["Err"],
    fires: true,
    ..STREAM_BASE
};

/// Of libp2p.
pub(crate) static TOPIC_SUBSCRIPTION: Kind = Kind {
    key: "topic-subscription",
    fix: subscribed("Cancel", "sub"),
    noun: "subscription",
    released: "cancelled",
    releasing: "cancelling",
    release: &["Cancel"],
    ..STREAM_BASE
};

/// Of gRPC: "Call RecvMsg until a non-nil error is returned", or cancel the context, or close the connection.
pub(crate) static GRPC_STREAM: Kind = Kind {
    key: "grpc-stream",
    fix: FixKind::Stream,
    noun: "stream",
    released: "ended",
    releasing: "ending",
    release: &["CloseAndRecv"],
    ends: &[
        ("Recv", 1),
        ("RecvMsg", 0),
        ("Send", 0),
        ("SendMsg", 0),
        ("Header", 1),
    ],
    ..STREAM_BASE
};

const STREAM_BASE: Kind = Kind {
    // It lives as long as its owner, mostly.
    makes_owners: false,
    key: "",
    rule: "undrained-stream",
    released: "stopped",
    releasing: "stopping",
    acquired: "started",
    ..BASE
};

/// A method that ends a subscription.
const fn subscribed(name: &'static str, variable: &'static str) -> FixKind {
    FixKind::Method(Method {
        name,
        context: false,
        variable,
        note: "whoever still reads from it then gets nothing more",
        once: false,
    })
}

pub(crate) static CANCEL: Kind = CANCEL_BASE;

pub(crate) static CANCEL_CAUSE: Kind = Kind {
    key: "cancel-cause",
    fix: FixKind::CancelCause,
    ..CANCEL_BASE
};

const CANCEL_BASE: Kind = Kind {
    // What it holds goes with the rest, or another end ends it too.
    makes_owners: false,
    key: "cancel",
    rule: "dropped-cancel",
    fix: FixKind::Cancel,
    noun: "cancel function",
    released: "called",
    releasing: "calling",
    acquired: "made",
    release: &[],
    call: true,
    ..BASE
};

pub(crate) static SIGNAL_STOP: Kind = Kind {
    key: "signal-stop",
    fix: FixKind::SignalStop,
    noun: "stop function",
    ends_with_process: false,
    ..CANCEL_BASE
};

pub(crate) static TICKER: Kind = Kind {
    // What it holds goes with the rest, or another end ends it too.
    makes_owners: false,
    key: "ticker",
    rule: "unstopped-ticker",
    fix: FixKind::Ticker,
    noun: "ticker",
    released: "stopped",
    releasing: "stopping",
    acquired: "started",
    release: &["Stop"],
    channel: Some("C"),
    ..BASE
};

pub(crate) static TIMER: Kind = Kind {
    // What it holds goes with the rest, or another end ends it too.
    makes_owners: false,
    key: "timer",
    rule: "unstopped-timer",
    fix: FixKind::Timer,
    noun: "timer",
    released: "stopped",
    releasing: "stopping",
    acquired: "started",
    release: &["Stop", "Reset"],
    channel: Some("C"),
    fires: true,
    ..BASE
};

pub(crate) static AFTER_FUNC: Kind = Kind {
    makes_owners: false,
    key: "after-func",
    rule: "unstopped-after-func",
    fix: FixKind::Timer,
    noun: "timer",
    released: "stopped",
    releasing: "stopping",
    acquired: "started",
    release: &["Stop", "Reset"],
    ..BASE
};

pub(crate) static SIGNAL_CHANNEL: Kind = Kind {
    makes_owners: false,
    key: "signal-channel",
    rule: "unstopped-signal-notify",
    fix: FixKind::Passed(&Passed {
        package: "os/signal",
        name: "signal",
        function: "Stop",
        method: None,
    }),
    noun: "channel",
    released: "taken off the signals",
    releasing: "stopping the signals to",
    acquired: "registered for signals",
    release: &[],
    released_by: &[("os/signal", "Stop", 0)],
    awaited: true,
    ..BASE
};

pub(crate) static TEMP_DIR: Kind = Kind {
    key: "temp-dir",
    fix: FixKind::Passed(&Passed {
        package: "os",
        name: "os",
        function: "RemoveAll",
        method: None,
    }),
    noun: "temporary directory",
    ..TEMP_FILE_BASE
};

pub(crate) static TEMP_FILE: Kind = Kind {
    alias: Some("Name"),
    ..TEMP_FILE_BASE
};

const TEMP_FILE_BASE: Kind = Kind {
    makes_owners: false,
    key: "temp-file",
    rule: "unremoved-temp",
    fix: FixKind::Passed(&Passed {
        package: "os",
        name: "os",
        function: "Remove",
        method: Some("Name"),
    }),
    noun: "temporary file",
    released: "removed",
    releasing: "removing",
    acquired: "made",
    release: &[],
    released_by: &[
        ("os", "Remove", 0),
        ("os", "RemoveAll", 0),
        ("os", "Rename", 0),
        ("syscall", "Unlink", 0),
    ],
    spread: Spread::Text,
    ends_with_process: false,
    ..BASE
};

pub(crate) static CLIENT: Kind = CLIENT_BASE;

/// Of MongoDB.
pub(crate) static MONGO_CLIENT: Kind = Kind {
    key: "mongo-client",
    fix: with_context("Disconnect", "client"),
    released: "disconnected",
    releasing: "disconnecting",
    release: &["Disconnect"],
    ..CLIENT_BASE
};

/// Of telemetry: a provider of tracers or meters.
pub(crate) static TELEMETRY: Kind = Kind {
    key: "telemetry-provider",
    fix: with_context("Shutdown", "provider"),
    noun: "provider",
    released: "shut down",
    releasing: "shutting down",
    release: &["Shutdown"],
    ..CLIENT_BASE
};

const CLIENT_BASE: Kind = Kind {
    // It lives as long as the process, mostly; whether it should is another question.
    makes_owners: false,
    key: "client",
    rule: "per-call-client",
    fix: method("Close", "client"),
    noun: "client",
    acquired: "made",
    spread: Spread::Values,
    ..BASE
};

pub(crate) static TRANSPORT: Kind = Kind {
    makes_owners: false,
    key: "transport",
    rule: "per-call-http-transport",
    fix: FixKind::Transport,
    noun: "transport",
    released: "told to close its idle connections",
    releasing: "closing the idle connections of",
    acquired: "made",
    release: &["CloseIdleConnections"],
    ..BASE
};

/// All kinds, for the table.
static KINDS: &[&Kind] = &[
    &HTTP_BODY,
    &FILE,
    &PIPE_READ,
    &PIPE_WRITE,
    &SQL_ROWS,
    &SQL_ROW,
    &PGX_BATCH,
    &SQL_TX,
    &PGX_TX,
    &GORM_TX,
    &SQL_STMT,
    &SQL_CONN,
    &PGX_POOL_CONN,
    &PGX_CONN,
    &CONN,
    &SMTP_CONN,
    &FTP_CONN,
    &WEBSOCKET,
    &LISTENER,
    &WRITER,
    &SPAN,
    &FINISHED_SPAN,
    &ITER_STOP,
    &PROCESS,
    &IO_PIPE_READ,
    &IO_PIPE_WRITE,
    &C_MEMORY,
    &WATCH,
    &SUBSCRIPTION,
    &NATS_SUBSCRIPTION,
    &EVENT_SUBSCRIPTION,
    &TOPIC_SUBSCRIPTION,
    &GRPC_STREAM,
    &CANCEL,
    &CANCEL_CAUSE,
    &SIGNAL_STOP,
    &TICKER,
    &TIMER,
    &AFTER_FUNC,
    &SIGNAL_CHANNEL,
    &TEMP_DIR,
    &TEMP_FILE,
    &CLIENT,
    &MONGO_CLIENT,
    &TELEMETRY,
    &TRANSPORT,
];

impl Kind {
    /// Whether it is released by handing it to this package-level function as this argument.
    pub(crate) fn is_released_by(&self, package: Name, name: Name, index: usize) -> bool {
        self.released_by
            .iter()
            .any(|(p, n, i)| *i == index && package == *p && name == *n)
    }
}

/// A function that acquires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Acquirer {
    /// What it acquires.
    pub(crate) kind: &'static Kind,
    /// Which result it is.
    pub(crate) result: usize,
    /// Which result is the error.
    pub(crate) error: Option<usize>,
    /// Argument 0 is a context whose end ends the thing.
    pub(crate) context: bool,
    /// What else is known about the call.
    pub(crate) extra: Extra,
}

/// What is known about an acquiring call beyond its results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extra {
    /// Nothing.
    None,
    /// The receiver owns the thing and ends it with `Commit` or `Rollback`.
    OfTx,
    /// The receiver owns the thing and ends it with `Close`.
    OfDb,
    /// Argument 0 is the parent context, result 0 the derived one.
    Derives,
    /// The same, and without a deadline: on a background context it registers nowhere.
    DerivesCancel,
    /// As [`Extra::Derives`], but neither the parent's end nor that of the derived context releases it.
    Notify,
    /// Result 1, a `bool`, says whether there is a thing.
    CommaOk,
    /// The request (argument 0) may be one without a body in its response.
    Request,
    /// This argument is what the writer writes to.
    Sink(usize),
    /// This result is a context that carries the thing.
    Carried(usize),
    /// Result 0 gives the next value, and whether there was one: after the last one nothing is left to stop.
    Pull,
    /// This result is the other end; only one that a goroutine has makes a leak of this one.
    Peer(usize),
    /// The thing is the receiver of the call.
    Receiver,
    /// Argument 1 holds the flags of `os.OpenFile`.
    OpenFlags,
    /// The thing is not a result but this argument.
    Argument,
    /// Not a call but a composite literal of this type.
    Literal,
    /// Nothing is owed unless the context in argument 0 never ends.
    Endless,
    /// Argument 0 is the directory that it is made in; empty for that of the system.
    Temp,
    /// The file is written.
    Writes,
    /// The file is only read.
    Reads,
}

/// What is known of a name before anything is resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Named {
    /// The rules for which something of this name acquires.
    pub(crate) rules: Vec<&'static str>,
    /// Something of this name has a single result, so that a call of it may stand anywhere.
    pub(crate) single: bool,
}

/// The text of the table; its head says how rows are written.
const TEXT: &str = include_str!("acquirers.txt");

#[derive(Default)]
struct Table {
    by_callee: FxHashMap<(Name, Name, Name), Vec<Acquirer>>,
    names: FxHashMap<Name, Named>,
    errors: Vec<String>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let table = Table::read(TEXT);
    for error in &table.errors {
        tracing::error!("table of acquirers: {error}");
    }
    table
});

impl Table {
    fn read(text: &str) -> Self {
        let mut table = Self::default();
        let mut source = false;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(text) = line.strip_prefix('@') {
                source = !text.trim().is_empty();
                continue;
            }
            let read = if source {
                table.row(line)
            } else {
                Err("no source".to_owned())
            };
            if let Err(error) = read {
                table
                    .errors
                    .push(format!("line {}: {error}: {line}", number + 1));
            }
        }
        table
    }

    fn row(&mut self, row: &str) -> Result<(), String> {
        let mut words = row.split_whitespace();
        let (Some(callees), Some(key), Some(results)) = (words.next(), words.next(), words.next())
        else {
            return Err("too short".to_owned());
        };
        let kind = KINDS
            .iter()
            .copied()
            .find(|kind| kind.key == key)
            .ok_or("no such kind")?;
        let (result, error) = match results.split_once('/') {
            Some((result, error)) => (result, Some(error)),
            None => (results, None),
        };
        let index = |text: &str| text.parse::<usize>().map_err(|e| e.to_string());
        let mut acquirer = Acquirer {
            kind,
            result: index(result)?,
            error: error.map(index).transpose()?,
            context: false,
            extra: Extra::None,
        };
        for note in words {
            acquirer.extra = match note {
                "ctx" => {
                    acquirer.context = true;
                    continue;
                }
                _ if acquirer.extra != Extra::None => return Err("too many notes".to_owned()),
                "of-tx" => Extra::OfTx,
                "of-db" => Extra::OfDb,
                "derives" => Extra::Derives,
                "derives-cancel" => Extra::DerivesCancel,
                "notify" => Extra::Notify,
                "request" => Extra::Request,
                "carried-0" => Extra::Carried(0),
                "carried-1" => Extra::Carried(1),
                "pull" => Extra::Pull,
                "peer-0" => Extra::Peer(0),
                "peer-1" => Extra::Peer(1),
                "receiver" => Extra::Receiver,
                "sink" => Extra::Sink(0),
                "sink-1" => Extra::Sink(1),
                "argument" => Extra::Argument,
                "literal" => Extra::Literal,
                "endless" => Extra::Endless,
                "temp" => Extra::Temp,
                "open-flags" => Extra::OpenFlags,
                "writes" => Extra::Writes,
                "reads" => Extra::Reads,
                _ => return Err(format!("no such note as `{note}`")),
            };
        }
        for callee in expand(callees) {
            let (package, ty, name) = split_callee(&callee).ok_or("no such form of a name")?;
            self.add(package, ty, name, acquirer)?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        package: &str,
        ty: &str,
        name: &str,
        acquirer: Acquirer,
    ) -> Result<(), String> {
        let named = self.names.entry(Name::new(name)).or_default();
        named.single |=
            (acquirer.error.is_none() && acquirer.result == 0) || acquirer.extra == Extra::Receiver;
        if !named.rules.contains(&acquirer.kind.rule) {
            named.rules.push(acquirer.kind.rule);
        }
        let acquirers = self
            .by_callee
            .entry((Name::new(package), Name::new(ty), Name::new(name)))
            .or_default();
        let same = |a: &Acquirer| a.kind.key == acquirer.kind.key && a.result == acquirer.result;
        if acquirers.iter().any(same) {
            return Err("second row for the same".to_owned());
        }
        acquirers.push(acquirer);
        Ok(())
    }
}

/// The alternatives of `a{b,c}d`.
fn expand(text: &str) -> Vec<String> {
    let parts = text.find('{').and_then(|open| {
        let close = open + text[open..].find('}')?;
        Some((&text[..open], &text[open + 1..close], &text[close + 1..]))
    });
    let Some((before, choices, after)) = parts else {
        return vec![text.to_owned()];
    };
    let rests = expand(after);
    choices
        .split(',')
        .flat_map(|choice| {
            rests
                .iter()
                .map(move |rest| format!("{before}{choice}{rest}"))
        })
        .collect()
}

/// `path/pkg.Func` or `path/pkg.Type.Method`: package, type or nothing, name.
fn split_callee(text: &str) -> Option<(&str, &str, &str)> {
    let slash = text.rfind('/').map_or(0, |at| at + 1);
    let (head, name) = text.rsplit_once('.')?;
    if head.len() < slash {
        return None;
    }
    match head[slash..].rfind('.') {
        // A type is exported; what else stands behind a dot is a version, as in `gopkg.in/pkg.v3`.
        Some(dot) if head[slash + dot + 1..].starts_with(char::is_uppercase) => {
            Some((&head[..slash + dot], &head[slash + dot + 1..], name))
        }
        _ => Some((head, "", name)),
    }
}

/// What the function (or method, with its type) acquires: one entry per thing.
pub(crate) fn acquirers(package: Name, ty: Option<Name>, name: Name) -> &'static [Acquirer] {
    let ty = ty.unwrap_or_else(|| Name::new(""));
    TABLE
        .by_callee
        .get(&(package, ty, name))
        .map_or(&[], Vec::as_slice)
}

/// Whether anything of this name acquires: a cheap question before anything is resolved.
pub(crate) fn may_acquire(name: Name) -> bool {
    TABLE.names.contains_key(&name)
}

/// All names that may acquire, in no particular order.
pub(crate) fn names() -> impl Iterator<Item = (Name, &'static Named)> {
    TABLE.names.iter().map(|(name, named)| (*name, named))
}

/// What a name may acquire.
pub(crate) fn by_name(name: Name) -> Option<&'static Named> {
    TABLE.names.get(&name)
}

/// Whether a method of this name releases something.
pub(crate) fn releases(name: Name) -> bool {
    KINDS
        .iter()
        .any(|kind| kind.release.contains(&name.as_str()))
}

/// Whether something of this package acquires.
pub(crate) fn knows_package(package: Name) -> bool {
    static PACKAGES: LazyLock<FxHashSet<Name>> =
        LazyLock::new(|| TABLE.by_callee.keys().map(|key| key.0).collect());
    PACKAGES.contains(&package)
}

/// The one kind that is equal to this one, for the life of the process. There are as many as there are different things to say
/// about the code and the configurations that were read.
pub(crate) fn intern(kind: Kind) -> &'static Kind {
    static KINDS: Mutex<FxHashSet<&'static Kind>> =
        Mutex::new(FxHashSet::with_hasher(FxBuildHasher));
    let mut kinds = KINDS.lock().unwrap_or_else(PoisonError::into_inner);
    match kinds.get(&kind) {
        Some(known) => known,
        None => {
            let new: &'static Kind = Box::leak(Box::new(kind));
            kinds.insert(new);
            new
        }
    }
}

/// A list of texts for a [`Kind`] that is made at run time.
pub(crate) fn intern_list(texts: &[&str]) -> &'static [&'static str] {
    static LISTS: Mutex<FxHashSet<&'static [&'static str]>> =
        Mutex::new(FxHashSet::with_hasher(FxBuildHasher));
    let list: Vec<&'static str> = texts.iter().map(|text| intern_text(text)).collect();
    let mut lists = LISTS.lock().unwrap_or_else(PoisonError::into_inner);
    match lists.get(&list[..]) {
        Some(known) => known,
        None => {
            let new: &'static [&'static str] = list.leak();
            lists.insert(new);
            new
        }
    }
}

/// A list of takers for a [`Kind`] that is made at run time.
pub(crate) fn intern_takers(takers: &[Taker]) -> &'static [Taker] {
    static LISTS: Mutex<FxHashSet<&'static [Taker]>> =
        Mutex::new(FxHashSet::with_hasher(FxBuildHasher));
    let mut lists = LISTS.lock().unwrap_or_else(PoisonError::into_inner);
    match lists.get(takers) {
        Some(known) => known,
        None => {
            let new: &'static [Taker] = takers.to_vec().leak();
            lists.insert(new);
            new
        }
    }
}

/// A text for a [`Kind`] that is made at run time.
pub(crate) fn intern_text(text: &str) -> &'static str {
    Name::new(text).as_str()
}

/// Structs whose fields only borrow what is stored in them, with the import path. A process gets a copy of the descriptor.
pub(crate) static BORROWING_STRUCTS: &[(&str, &str)] = &[
    // "If Stdout and Stderr are *os.File, the process uses them directly"; the parent's copies stay open.
    ("os/exec", "Cmd"),
    ("os", "ProcAttr"),
    ("syscall", "ProcAttr"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_can_be_read() {
        assert_eq!(TABLE.errors, Vec::<String>::new());
        assert!(!TABLE.by_callee.is_empty());
        for kind in KINDS {
            assert_eq!(KINDS.iter().filter(|k| k.key == kind.key).count(), 1);
            let used = TABLE
                .by_callee
                .values()
                .flatten()
                .any(|a| a.kind.key == kind.key);
            assert!(used, "nothing acquires a {}", kind.key);
        }
    }

    #[test]
    fn rows_are_read_as_they_are_written() {
        let find = |package: &str, ty: &str, name: &str| {
            acquirers(
                Name::new(package),
                (!ty.is_empty()).then(|| Name::new(ty)),
                Name::new(name),
            )
        };
        let [rows] = find("github.com/jackc/pgx/v4/pgxpool", "Tx", "Query") else {
            panic!("one row");
        };
        assert_eq!(
            (rows.kind.key, rows.result, rows.error),
            ("sql-rows", 0, Some(1))
        );
        assert!(rows.context && rows.extra == Extra::OfTx);
        assert_eq!(find("os", "", "Pipe").len(), 2);
        assert!(find("example.com/net/http", "", "Get").is_empty());
        assert!(find("net/http", "Client", "Head").is_empty());
    }

    #[test]
    fn bad_rows_are_told() {
        for (row, problem) in [
            ("@ x\nos.Open nothing 0/1", "no such kind"),
            ("@ x\nos.Open file", "too short"),
            ("@ x\nos.Open file x", "invalid digit"),
            ("@ x\nos.Open file 0/1 often", "no such note"),
            ("@ x\nos.Open file 0/1 reads writes", "too many notes"),
            ("@ x\nos.{Open,Open} file 0/1", "second row"),
            ("@ x\nOpen file 0/1", "no such form"),
            ("os.Open file 0/1", "no source"),
        ] {
            let table = Table::read(row);
            assert!(
                matches!(&table.errors[..], [e] if e.contains(problem)),
                "{row}: {:?}",
                table.errors
            );
        }
    }

    #[test]
    fn names_are_split() {
        assert_eq!(split_callee("os.Open"), Some(("os", "", "Open")));
        assert_eq!(
            split_callee("gorm.io/gorm.DB.Rows"),
            Some(("gorm.io/gorm", "DB", "Rows"))
        );
        assert_eq!(
            split_callee("gopkg.in/x/tracer.v1.StartSpan"),
            Some(("gopkg.in/x/tracer.v1", "", "StartSpan"))
        );
        assert_eq!(expand("a{b,c}{d,e}"), ["abd", "abe", "acd", "ace"]);
    }
    #[test]
    fn equal_kinds_are_one() {
        let kind = |name: &str| {
            intern(Kind {
                rule: "unclosed-resource",
                release: intern_list(&[name, "Close"]),
                noun: intern_text("connection"),
                ..BASE
            })
        };
        assert!(std::ptr::eq(kind("Release"), kind("Release")));
        assert!(!std::ptr::eq(kind("Release"), kind("Free")));
    }
}
