//! # What it does
//! Reports HTTP requests, HTTP servers and TCP dials without any limit of time.
//!
//! # Why it leaks
//! A peer that accepts the connection and never answers holds the goroutine, its stack and the connection for ever (a dial without a
//! limit waits for as long as the system lets it, which may be minutes). Each such call adds one more.
//!
//! # Example
//! ```go
//! resp, err := http.Get(url) // the default client has no timeout
//! ```
//!
//! # Use instead
//! ```go
//! client := &http.Client{Timeout: 30 * time.Second}
//! resp, err := client.Get(url)
//! ```
//!
//! # When it stays silent
//! - The request has a context, or the function sets a limit of `http.DefaultClient`.
//! - The client comes from outside, is handed on, or has a transport that is not seen or that limits the time itself.
//! - The response is read as a stream, which a timeout would cut.
//! - The address is a Unix socket or of this machine; and tests.
//!
//! # Fix safety
//! Every limit is unsafe: how long is long enough is for the author to say.
//!
//! # References
//! - [`http.Client`](https://pkg.go.dev/net/http#Client): "A Timeout of zero means no timeout."
//! - [`http.Server`](https://pkg.go.dev/net/http#Server)

use go_model::facts::{Callee, LocalId, LocalKind, Res};
use go_model::package::file_imports;
use go_syntax::ast::{Element, ExprId, ExprKind, StmtKind};

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::Need;
use crate::engine::find::enclosing_literal;
use crate::engine::function::Function;
use crate::engine::pattern;
use crate::engine::site::{FixSite, Pattern};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "missing-timeout",
    family: Family::Resources,
    severity: Severity::Hint,
    summary: "a request, a server or a dial has no limit of time",
    fixes: "add a timeout or a context",
    overlaps: &["golangci-lint/noctx", "golangci-lint/gosec (G112, G114)"],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/missing_timeout.rs",
    text: include_str!("missing_timeout.rs"),
    needs: &[Need::names(&[
        "Get",
        "Head",
        "Post",
        "PostForm",
        "Dial",
        "ListenAndServe",
        "ListenAndServeTLS",
        "Client",
        "Server",
    ])],
    check,
};

/// Functions that make a request with the default client, and methods of a client that make one without a context.
const REQUESTS: &[&str] = &["Get", "Head", "Post", "PostForm"];

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    if !mentions_net(cx) {
        return Vec::new();
    }
    pattern::check(cx, &|f| {
        let mut found = Vec::new();
        for (id, expr) in f.tree.exprs.iter() {
            if enclosing_literal(f.tree, expr.range) != f.literal {
                continue;
            }
            found.extend(match &expr.kind {
                ExprKind::Call { args, .. } => call(cx, f, id, args),
                ExprKind::Composite { elements, .. } => composite(cx, f, id, elements),
                _ => None,
            });
        }
        found
    })
}

/// Whether the declaration mentions `net/http` or `net` by the name of the import: a question before anything is resolved.
fn mentions_net(cx: &CheckContext<'_>) -> bool {
    let imports = file_imports(cx.db, cx.decl.file(cx.db));
    cx.tree.exprs.iter().any(|(_, expr)| match &expr.kind {
        ExprKind::Selector { base, .. } => match &cx.tree[*base].kind {
            ExprKind::Ident(name) => imports
                .get(*name)
                .is_some_and(|import| import.path == "net/http" || import.path == "net"),
            _ => false,
        },
        _ => false,
    })
}

fn call(
    cx: &CheckContext<'_>,
    f: &Function<'_>,
    call: ExprId,
    args: &[ExprId],
) -> Option<RawFinding> {
    let Some(Callee::Func(function)) = f.facts.callees.get(call) else {
        return None;
    };
    let name = function.name.as_str();
    let (message, pattern) = match function.package.as_str() {
        "net/http" if REQUESTS.contains(&name) => {
            if is_local(f, *args.first()?) || is_streamed(f) || sets_default_client(f) {
                return None;
            }
            let message = format!(
                "`http.{name}` has no limit of time: a server that never answers holds it for ever"
            );
            (message, Some(Pattern::ClientTimeout))
        }
        "net/http" if matches!(name, "ListenAndServe" | "ListenAndServeTLS") => {
            if is_local(f, *args.first()?) {
                return None;
            }
            let message = format!(
                "the server of `http.{name}` waits for the headers of requests without a limit of time"
            );
            (message, None)
        }
        "net" if name == "Dial" => {
            let network = f.tree.string_value(*args.first()?)?;
            if !network.starts_with("tcp") || is_local(f, *args.get(1)?) {
                return None;
            }
            let message =
                "`net.Dial` has no limit of time: it waits for as long as the system lets it"
                    .to_owned();
            (message, Some(Pattern::DialTimeout))
        }
        _ => return None,
    };
    let mut found = pattern::finding(f, RULE.name, RULE.severity, message, f.tree[call].range);
    found.site = pattern
        .map(|pattern| Box::new(FixSite::pattern(f.literal, call, None, pattern, cx.in_test)));
    Some(found)
}

fn composite(
    cx: &CheckContext<'_>,
    f: &Function<'_>,
    literal: ExprId,
    elements: &[Element],
) -> Option<RawFinding> {
    let ty = f.facts.types.get(literal)?;
    let has = |name: &str| {
        elements.iter().any(|element| {
            element
                .key
                .and_then(|key| f.tree.ident(key))
                .is_some_and(|key| key.name == name)
        })
    };
    let value = |name: &str| {
        elements.iter().find_map(|element| {
            let key = f.tree.ident(element.key?)?;
            (key.name == name).then_some(element.value)
        })
    };
    let keyed = elements.iter().all(|element| element.key.is_some());
    if !keyed {
        return None;
    }
    let (message, pattern) = if ty.is_named("net/http", "Client") {
        if has("Timeout") || value("Transport").is_some_and(|tr| !is_unlimited(f, tr)) {
            return None;
        }
        let client = holder(f, literal)?;
        let request = unlimited_request(f, client)?;
        let name = f.facts.locals[client].ident.name;
        let message = format!(
            "requests of `{name}` have no limit of time: a server that never answers holds them for ever"
        );
        let context = request.and_then(|made| Some((made, context_param(f)?)));
        (message, Pattern::TimeoutField { context })
    } else if ty.is_named("net/http", "Server") {
        let limits = ["ReadHeaderTimeout", "ReadTimeout"];
        let set_later = || match holder(f, literal) {
            Some(server) => {
                limits.iter().any(|field| is_set(f, server, field)) || is_returned(f, server)
            }
            // Where it goes, others may set what they like.
            None => !is_stored(f, literal),
        };
        if limits.iter().any(|field| has(field))
            || value("Addr").is_some_and(|addr| is_local(f, addr))
            || set_later()
        {
            return None;
        }
        let message =
            "the server waits for the headers of requests without a limit of time".to_owned();
        (message, Pattern::HeaderTimeoutField)
    } else {
        return None;
    };
    let range = f.tree[literal].range;
    let mut found = pattern::finding(f, RULE.name, RULE.severity, message, range);
    let site = FixSite::pattern(f.literal, literal, None, pattern, cx.in_test);
    found.site = Some(Box::new(site));
    Some(found)
}

/// Whether a text names this machine.
fn is_local(f: &Function<'_>, address: ExprId) -> bool {
    let mut text = f.tree.unparen(address);
    // `"http://localhost:" + port`
    while let ExprKind::Binary { lhs, .. } = &f.tree[text].kind {
        text = f.tree.unparen(*lhs);
    }
    // `fmt.Sprintf("127.0.0.1:%d", port)`
    if let ExprKind::Call { args, .. } = &f.tree[text].kind
        && let Some(first) = args.first()
    {
        text = f.tree.unparen(*first);
    }
    f.tree.string_value(text).is_some_and(|text| {
        let host = text.split_once("://").map_or(&*text, |(_, rest)| rest);
        ["localhost", "127.", "[::1]", "unix"]
            .iter()
            .any(|local| host.starts_with(local))
    })
}

/// Whether the declaration changes `http.DefaultClient` or one of its fields.
fn sets_default_client(f: &Function<'_>) -> bool {
    f.tree.stmts.iter().any(|(_, stmt)| match &stmt.kind {
        StmtKind::Assign { lhs, .. } => lhs.iter().any(|target| {
            let mut at = f.tree.unparen(*target);
            loop {
                if matches!(f.facts.refs.get(at), Some(Res::Package(item)) if item.is("net/http", "DefaultClient")) {
                    return true;
                }
                let ExprKind::Selector { base, .. } = &f.tree[at].kind else {
                    return false;
                };
                at = f.tree.unparen(*base);
            }
        }),
        _ => false,
    })
}

/// Whether what is received is read piece by piece.
fn is_streamed(f: &Function<'_>) -> bool {
    f.tree.exprs.iter().any(|(call, expr)| {
        matches!(expr.kind, ExprKind::Call { .. })
            && f.target(call).is_some_and(|target| {
                target.is_func("io", "Copy")
                    || target.is_func("io", "CopyBuffer")
                    || target.is_func("bufio", "NewReader")
                    || target.is_func("bufio", "NewScanner")
            })
    })
}

/// The local that a literal (or its address) is the only value of.
fn holder(f: &Function<'_>, literal: ExprId) -> Option<LocalId> {
    let value = match f.d.parent(literal) {
        Some(parent) if matches!(f.tree[parent].kind, ExprKind::Unary { .. }) => parent,
        Some(_) => return None,
        None => literal,
    };
    let (_, local) = pattern::sole_value(f, value)?;
    let l = &f.facts.locals[local];
    (l.assignments == 1 && l.kind == LocalKind::Var && l.owner == f.literal).then_some(local)
}

/// Whether a literal is stored in a field or given to somebody who serves with it.
fn is_stored(f: &Function<'_>, literal: ExprId) -> bool {
    let value = f.d.parent(literal).unwrap_or(literal);
    let stmt = pattern::statement_around(f, literal);
    stmt.is_some_and(|stmt| match &f.tree[stmt].kind {
        StmtKind::Assign { lhs, rhs, .. } => {
            rhs.contains(&value)
                && lhs
                    .iter()
                    .all(|l| matches!(f.tree[f.tree.unparen(*l)].kind, ExprKind::Selector { .. }))
        }
        _ => false,
    })
}

/// Whether a field of a local is assigned.
fn is_set(f: &Function<'_>, local: LocalId, field: &str) -> bool {
    f.tree.stmts.iter().any(|(_, stmt)| match &stmt.kind {
        StmtKind::Assign { lhs, .. } => lhs.iter().any(|target| {
            f.place(*target)
                .is_some_and(|p| p.local == local && p.path.last().is_some_and(|n| *n == field))
        }),
        _ => false,
    })
}

fn is_returned(f: &Function<'_>, local: LocalId) -> bool {
    f.tree.stmts.iter().any(|(_, stmt)| match &stmt.kind {
        StmtKind::Return(values) => values.iter().any(|v| pattern::local(f, *v) == Some(local)),
        _ => false,
    })
}

/// Whether a transport is seen to have no limit of its own.
fn is_unlimited(f: &Function<'_>, transport: ExprId) -> bool {
    let mut at = f.tree.unparen(transport);
    if let Some(local) = pattern::local(f, at) {
        match f.d.only_value(local) {
            Some((value, _)) if !is_set(f, local, "ResponseHeaderTimeout") => {
                at = f.tree.unparen(value);
            }
            _ => return false,
        }
    }
    if let ExprKind::Unary { operand, .. } = &f.tree[at].kind {
        at = f.tree.unparen(*operand);
    }
    match &f.tree[at].kind {
        ExprKind::Composite { elements, .. } => {
            f.facts
                .types
                .get(at)
                .is_some_and(|ty| ty.is_named("net/http", "Transport"))
                && elements.iter().all(|element| {
                    element
                        .key
                        .and_then(|key| f.tree.ident(key))
                        .is_some_and(|key| {
                            !matches!(
                                key.name.as_str(),
                                "ResponseHeaderTimeout" | "Dial" | "DialContext" | "DialTLS"
                            )
                        })
                })
        }
        _ => false,
    }
}

/// A request without a context that a client makes; `None` if there is none, or if somebody else gets the client. With the call that made
/// the request, if it is one.
fn unlimited_request(f: &Function<'_>, client: LocalId) -> Option<Option<ExprId>> {
    if is_streamed(f) || f.facts.locals[client].captured {
        return None;
    }
    let mut found = None;
    for (mention, _) in f.d.mentions(client) {
        if f.tree[*mention].range == f.facts.locals[client].ident.range {
            continue;
        }
        let selector = f.d.parent(*mention)?;
        let ExprKind::Selector { name, .. } = &f.tree[selector].kind else {
            return None;
        };
        let called = f.d.parent(selector);
        match name.name.as_str() {
            "Transport" | "CheckRedirect" | "Jar" if called.is_none() => {
                if name.name == "Transport" && !set_unlimited(f, selector) {
                    return None;
                }
            }
            "CloseIdleConnections" => {}
            "Do" => {
                let request = *pattern::args(f.tree, called?).first()?;
                let made = request_without_context(f, request)?;
                found.get_or_insert(Some(made));
            }
            name if REQUESTS.contains(&name) => {
                if is_local(f, *pattern::args(f.tree, called?).first()?) {
                    return None;
                }
                found.get_or_insert(None);
            }
            _ => return None,
        }
    }
    found
}

/// Whether the field that a selector denotes is set to a transport without a limit.
fn set_unlimited(f: &Function<'_>, field: ExprId) -> bool {
    f.tree.stmts.iter().any(|(_, stmt)| match &stmt.kind {
        StmtKind::Assign { lhs, rhs, .. } => {
            lhs.len() == rhs.len()
                && lhs
                    .iter()
                    .zip(rhs)
                    .any(|(l, r)| f.tree.unparen(*l) == field && is_unlimited(f, *r))
        }
        _ => false,
    })
}

/// The `http.NewRequest` that alone makes a request which gets no context later.
fn request_without_context(f: &Function<'_>, request: ExprId) -> Option<ExprId> {
    let local = pattern::local(f, request)?;
    let (value, _) = f.d.only_value(local)?;
    let made = f.tree.unparen(value);
    if !f.target(made)?.is_func("net/http", "NewRequest")
        || is_local(f, *pattern::args(f.tree, made).get(1)?)
    {
        return None;
    }
    let plain = f.d.mentions(local).iter().all(|(mention, _)| {
        let used = f.d.parent(*mention).map(|p| &f.tree[p].kind);
        match used {
            None => true,
            Some(ExprKind::Selector { name, .. }) => {
                !matches!(name.name.as_str(), "WithContext" | "Clone")
            }
            Some(ExprKind::Call { .. }) => true,
            Some(_) => false,
        }
    });
    plain.then_some(made)
}

/// A parameter of the function that is a context.
fn context_param(f: &Function<'_>) -> Option<LocalId> {
    let params = match f.literal {
        Some(literal) => &f.facts.literals.get(literal)?.params,
        None => &f.facts.params,
    };
    params.iter().flatten().copied().find(|param| {
        let l = &f.facts.locals[*param];
        l.ty.is_named("context", "Context") && !l.ident.name.is_blank()
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

import "net/http"

func f(url string) (int, error) {
	resp, err := http.Get(url) // want missing-timeout/hint "no limit of time" want-fix "Timeout" unsafe
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return resp.StatusCode, nil
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
	"context"
	"net"
	"net/http"
)

func f(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return err
	}
	client := &http.Client{}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func g(path string) (net.Conn, error) {
	return net.Dial("unix", path)
}
"#,
        );
    }
}
