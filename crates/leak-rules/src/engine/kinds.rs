//! The kinds of things that must be released: one table for all rules of the obligation engine.
//!
//! Callees are compared by resolved import path, never by a name alone.

use std::sync::LazyLock;

use go_syntax::Name;
use rustc_hash::FxHashMap;

use super::site::FixKind;

/// A kind of thing that must be released.
#[derive(Debug)]
pub(crate) struct Kind {
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
    /// A field whose value is a channel to receive from (`C`).
    pub(crate) channel: Option<&'static str>,
    /// A receive from that channel settles it: a timer has fired.
    pub(crate) fires: bool,
    /// A release that is pure reclamation: once in `main.main` it need not happen.
    pub(crate) ends_with_process: bool,
    /// The zero (nil) value can be released without a crash.
    pub(crate) nil_release_ok: bool,
}

const BASE: Kind = Kind {
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
    channel: None,
    fires: false,
    ends_with_process: true,
    nil_release_ok: false,
};

pub(crate) static HTTP_BODY: Kind = Kind {
    rule: "unclosed-http-body",
    fix: FixKind::HttpBody,
    noun: "body",
    acquired: "received",
    path: &["Body"],
    ..BASE
};

pub(crate) static FILE: Kind = Kind {
    rule: "unclosed-file",
    noun: "file",
    nil_release_ok: true,
    ..BASE
};

pub(crate) static PIPE_READ: Kind = Kind {
    rule: "unclosed-file",
    fix: FixKind::PipeRead,
    noun: "reading end of the pipe",
    nil_release_ok: true,
    ..BASE
};

pub(crate) static PIPE_WRITE: Kind = Kind {
    rule: "unclosed-file",
    fix: FixKind::PipeWrite,
    noun: "writing end of the pipe",
    nil_release_ok: true,
    ..BASE
};

pub(crate) static SQL_ROWS: Kind = Kind {
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
    rule: "unclosed-sql-rows",
    fix: FixKind::SqlRow,
    noun: "row",
    released: "scanned",
    releasing: "scanning",
    acquired: "queried",
    release: &["Scan", "StructScan", "MapScan", "SliceScan"],
    ..BASE
};

pub(crate) static CANCEL: Kind = CANCEL_BASE;

pub(crate) static CANCEL_CAUSE: Kind = Kind {
    fix: FixKind::CancelCause,
    ..CANCEL_BASE
};

const CANCEL_BASE: Kind = Kind {
    rule: "dropped-cancel",
    fix: FixKind::Cancel,
    noun: "cancel function",
    released: "called",
    releasing: "calling",
    acquired: "derived",
    release: &[],
    call: true,
    ..BASE
};

pub(crate) static SIGNAL_STOP: Kind = Kind {
    fix: FixKind::SignalStop,
    noun: "stop function",
    ends_with_process: false,
    ..CANCEL_BASE
};

pub(crate) static TICKER: Kind = Kind {
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

/// A function that acquires.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Acquirer {
    /// What it acquires.
    pub(crate) kind: &'static Kind,
    /// Which result it is.
    pub(crate) result: usize,
    /// Which result is the error.
    pub(crate) error: Option<usize>,
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
    /// Argument 0 is a context whose end ends the thing.
    WithContext,
    /// Both.
    OfTxWithContext,
    /// Argument 0 is the parent context, result 0 the derived one.
    Derives,
    /// The same, and without a deadline: on a background context it registers nowhere.
    DerivesCancel,
    /// As [`Extra::Derives`], but neither the parent's end nor that of the derived context releases it.
    Notify,
    /// The request (argument 0) may be one without a body in its response.
    Request,
    /// Argument 1 holds the flags of `os.OpenFile`.
    OpenFlags,
    /// The file is written.
    Writes,
    /// The file is only read.
    Reads,
}

/// (package, type or empty, function, what, result, error, extra)
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static Kind,
    usize,
    Option<usize>,
    Extra,
);

static ROWS: &[Row] = &[
    // net/http: "The client must close the response body when finished with it." A Head response has none.
    ("net/http", "", "Get", &HTTP_BODY, 0, Some(1), Extra::None),
    ("net/http", "", "Post", &HTTP_BODY, 0, Some(1), Extra::None),
    (
        "net/http",
        "",
        "PostForm",
        &HTTP_BODY,
        0,
        Some(1),
        Extra::None,
    ),
    (
        "net/http",
        "Client",
        "Do",
        &HTTP_BODY,
        0,
        Some(1),
        Extra::Request,
    ),
    (
        "net/http",
        "Client",
        "Get",
        &HTTP_BODY,
        0,
        Some(1),
        Extra::None,
    ),
    (
        "net/http",
        "Client",
        "Post",
        &HTTP_BODY,
        0,
        Some(1),
        Extra::None,
    ),
    (
        "net/http",
        "Client",
        "PostForm",
        &HTTP_BODY,
        0,
        Some(1),
        Extra::None,
    ),
    (
        "net/http",
        "Transport",
        "RoundTrip",
        &HTTP_BODY,
        0,
        Some(1),
        Extra::Request,
    ),
    (
        "net/http",
        "RoundTripper",
        "RoundTrip",
        &HTTP_BODY,
        0,
        Some(1),
        Extra::Request,
    ),
    // os
    ("os", "", "Open", &FILE, 0, Some(1), Extra::Reads),
    ("os", "", "Create", &FILE, 0, Some(1), Extra::Writes),
    ("os", "", "OpenFile", &FILE, 0, Some(1), Extra::OpenFlags),
    ("os", "", "CreateTemp", &FILE, 0, Some(1), Extra::Writes),
    ("os", "", "OpenRoot", &FILE, 0, Some(1), Extra::Reads),
    ("os", "", "OpenInRoot", &FILE, 0, Some(1), Extra::Reads),
    ("os", "Root", "Open", &FILE, 0, Some(1), Extra::Reads),
    ("os", "Root", "Create", &FILE, 0, Some(1), Extra::Writes),
    (
        "os",
        "Root",
        "OpenFile",
        &FILE,
        0,
        Some(1),
        Extra::OpenFlags,
    ),
    ("os", "Root", "OpenRoot", &FILE, 0, Some(1), Extra::Reads),
    ("os", "", "Pipe", &PIPE_READ, 0, Some(2), Extra::None),
    ("os", "", "Pipe", &PIPE_WRITE, 1, Some(2), Extra::None),
    (
        "io/ioutil",
        "",
        "TempFile",
        &FILE,
        0,
        Some(1),
        Extra::Writes,
    ),
    ("io/fs", "FS", "Open", &FILE, 0, Some(1), Extra::Reads),
    (
        "archive/zip",
        "",
        "OpenReader",
        &FILE,
        0,
        Some(1),
        Extra::Reads,
    ),
    (
        "mime/multipart",
        "FileHeader",
        "Open",
        &FILE,
        0,
        Some(1),
        Extra::Reads,
    ),
    (
        "net/http",
        "Request",
        "FormFile",
        &FILE,
        0,
        Some(2),
        Extra::Reads,
    ),
    // "It is the caller's responsibility to close f when finished."
    ("net", "TCPConn", "File", &FILE, 0, Some(1), Extra::None),
    ("net", "UDPConn", "File", &FILE, 0, Some(1), Extra::None),
    ("net", "UnixConn", "File", &FILE, 0, Some(1), Extra::None),
    ("net", "IPConn", "File", &FILE, 0, Some(1), Extra::None),
    ("net", "TCPListener", "File", &FILE, 0, Some(1), Extra::None),
    (
        "net",
        "UnixListener",
        "File",
        &FILE,
        0,
        Some(1),
        Extra::None,
    ),
    // database/sql
    (
        "database/sql",
        "DB",
        "Query",
        &SQL_ROWS,
        0,
        Some(1),
        Extra::None,
    ),
    (
        "database/sql",
        "DB",
        "QueryContext",
        &SQL_ROWS,
        0,
        Some(1),
        Extra::WithContext,
    ),
    (
        "database/sql",
        "Conn",
        "QueryContext",
        &SQL_ROWS,
        0,
        Some(1),
        Extra::WithContext,
    ),
    (
        "database/sql",
        "Tx",
        "Query",
        &SQL_ROWS,
        0,
        Some(1),
        Extra::OfTx,
    ),
    (
        "database/sql",
        "Tx",
        "QueryContext",
        &SQL_ROWS,
        0,
        Some(1),
        Extra::OfTxWithContext,
    ),
    (
        "database/sql",
        "Stmt",
        "Query",
        &SQL_ROWS,
        0,
        Some(1),
        Extra::OfTx,
    ),
    (
        "database/sql",
        "Stmt",
        "QueryContext",
        &SQL_ROWS,
        0,
        Some(1),
        Extra::OfTxWithContext,
    ),
    (
        "database/sql",
        "DB",
        "QueryRow",
        &SQL_ROW,
        0,
        None,
        Extra::None,
    ),
    (
        "database/sql",
        "DB",
        "QueryRowContext",
        &SQL_ROW,
        0,
        None,
        Extra::WithContext,
    ),
    (
        "database/sql",
        "Conn",
        "QueryRowContext",
        &SQL_ROW,
        0,
        None,
        Extra::WithContext,
    ),
    (
        "database/sql",
        "Tx",
        "QueryRow",
        &SQL_ROW,
        0,
        None,
        Extra::OfTx,
    ),
    (
        "database/sql",
        "Tx",
        "QueryRowContext",
        &SQL_ROW,
        0,
        None,
        Extra::OfTxWithContext,
    ),
    (
        "database/sql",
        "Stmt",
        "QueryRow",
        &SQL_ROW,
        0,
        None,
        Extra::OfTx,
    ),
    (
        "database/sql",
        "Stmt",
        "QueryRowContext",
        &SQL_ROW,
        0,
        None,
        Extra::OfTxWithContext,
    ),
    // context
    (
        "context",
        "",
        "WithCancel",
        &CANCEL,
        1,
        None,
        Extra::DerivesCancel,
    ),
    (
        "context",
        "",
        "WithTimeout",
        &CANCEL,
        1,
        None,
        Extra::Derives,
    ),
    (
        "context",
        "",
        "WithDeadline",
        &CANCEL,
        1,
        None,
        Extra::Derives,
    ),
    (
        "context",
        "",
        "WithTimeoutCause",
        &CANCEL,
        1,
        None,
        Extra::Derives,
    ),
    (
        "context",
        "",
        "WithDeadlineCause",
        &CANCEL,
        1,
        None,
        Extra::Derives,
    ),
    (
        "context",
        "",
        "WithCancelCause",
        &CANCEL_CAUSE,
        1,
        None,
        Extra::DerivesCancel,
    ),
    (
        "os/signal",
        "",
        "NotifyContext",
        &SIGNAL_STOP,
        1,
        None,
        Extra::Notify,
    ),
    // time
    ("time", "", "NewTicker", &TICKER, 0, None, Extra::None),
    ("time", "", "NewTimer", &TIMER, 0, None, Extra::None),
];

/// Packages with the same rows: sqlx and its forks.
const SQLX: &[&str] = &["github.com/jmoiron/sqlx"];
/// Packages of pgx.
const PGX: &[&str] = &["github.com/jackc/pgx/v4", "github.com/jackc/pgx/v5"];
/// Packages of pgx's pool.
const PGXPOOL: &[&str] = &[
    "github.com/jackc/pgx/v4/pgxpool",
    "github.com/jackc/pgx/v5/pgxpool",
];
/// Packages of gorm.
const GORM: &[&str] = &["gorm.io/gorm", "github.com/jinzhu/gorm"];

/// What is known of a name before anything is resolved.
#[derive(Debug, Default)]
pub(crate) struct Named {
    /// The rules for which something of this name acquires.
    pub(crate) rules: Vec<&'static str>,
    /// Something of this name has a single result, so that a call of it may stand anywhere.
    pub(crate) single: bool,
}

struct Table {
    by_callee: FxHashMap<(Name, Name, Name), Vec<Acquirer>>,
    names: FxHashMap<Name, Named>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table {
        by_callee: FxHashMap::default(),
        names: FxHashMap::default(),
    };
    let mut add = |(package, ty, name, kind, result, error, extra): Row| {
        let named = table.names.entry(Name::new(name)).or_default();
        named.single |= error.is_none() && result == 0;
        if !named.rules.contains(&kind.rule) {
            named.rules.push(kind.rule);
        }
        table
            .by_callee
            .entry((Name::new(package), Name::new(ty), Name::new(name)))
            .or_default()
            .push(Acquirer {
                kind,
                result,
                error,
                extra,
            });
    };
    ROWS.iter().copied().for_each(&mut add);
    for package in SQLX {
        for (ty, tx) in [
            ("DB", false),
            ("Tx", true),
            ("Stmt", true),
            ("NamedStmt", true),
            ("Conn", false),
            ("Queryer", true),
            ("QueryerContext", true),
            ("Ext", true),
            ("ExtContext", true),
        ] {
            let (plain, context) = if tx {
                (Extra::OfTx, Extra::OfTxWithContext)
            } else {
                (Extra::None, Extra::WithContext)
            };
            // `Query` comes from the embedded type of database/sql; it is listed for where sqlx itself cannot be read.
            for (name, extra) in [
                ("Query", plain),
                ("Queryx", plain),
                ("NamedQuery", plain),
                ("QueryContext", context),
                ("QueryxContext", context),
                ("NamedQueryContext", context),
            ] {
                add((package, ty, name, &SQL_ROWS, 0, Some(1), extra));
            }
            for (name, extra) in [
                ("QueryRow", plain),
                ("QueryRowx", plain),
                ("QueryRowContext", context),
                ("QueryRowxContext", context),
            ] {
                add((package, ty, name, &SQL_ROW, 0, None, extra));
            }
        }
        add((
            package,
            "",
            "NamedQuery",
            &SQL_ROWS,
            0,
            Some(1),
            Extra::None,
        ));
    }
    for package in PGX {
        for (ty, extra) in [("Conn", Extra::WithContext), ("Tx", Extra::OfTxWithContext)] {
            add((package, ty, "Query", &SQL_ROWS, 0, Some(1), extra));
            add((package, ty, "QueryRow", &SQL_ROW, 0, None, extra));
        }
    }
    for package in PGXPOOL {
        for (ty, extra) in [
            ("Pool", Extra::WithContext),
            ("Conn", Extra::WithContext),
            ("Tx", Extra::OfTxWithContext),
        ] {
            add((package, ty, "Query", &SQL_ROWS, 0, Some(1), extra));
            add((package, ty, "QueryRow", &SQL_ROW, 0, None, extra));
        }
    }
    for package in GORM {
        add((package, "DB", "Rows", &SQL_ROWS, 0, Some(1), Extra::None));
    }
    table
});

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

/// What a name may acquire.
pub(crate) fn by_name(name: Name) -> Option<&'static Named> {
    TABLE.names.get(&name)
}

/// Structs whose fields only borrow what is stored in them, with the import path. A process gets a copy of the descriptor.
pub(crate) static BORROWING_STRUCTS: &[(&str, &str)] = &[
    // "If Stdout and Stderr are *os.File, the process uses them directly"; the parent's copies stay open.
    ("os/exec", "Cmd"),
    ("os", "ProcAttr"),
    ("syscall", "ProcAttr"),
];
