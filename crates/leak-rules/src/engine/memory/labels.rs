//! Labels of metrics that are filled with what requests say: one series for each value, for ever.

use go_model::facts::{Callee, Res};
use go_model::types::Ty;
use go_syntax::Name;
use go_syntax::ast::{DeclKind, ExprId, ExprKind};

use super::body::{self, Body};
use super::series::{self, Label};
use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::function::target;
use crate::engine::outline::render;
use crate::engine::pattern::step;
use crate::engine::site::{FixSite, Pattern};

const PROMETHEUS: &str = "github.com/prometheus/client_golang/prometheus";
const PROMAUTO: &str = "github.com/prometheus/client_golang/prometheus/promauto";

/// The methods that choose a series by its labels.
pub(crate) const CHOOSING: &[&str] = &[
    "WithLabelValues",
    "GetMetricWithLabelValues",
    "With",
    "GetMetricWith",
];

/// Fields of a request that its sender chooses.
const FIELDS: &[&str] = &["URL", "RequestURI", "RemoteAddr", "Host", "Header"];

/// Methods of requests that give what the sender chose: path of the package, type, methods.
const METHODS: &[(&str, &str, &[&str])] = &[
    (
        "net/http",
        "Request",
        &[
            "UserAgent",
            "Referer",
            "FormValue",
            "PostFormValue",
            "PathValue",
        ],
    ),
    (
        "github.com/gin-gonic/gin",
        "Context",
        &[
            "Param",
            "Query",
            "DefaultQuery",
            "ClientIP",
            "PostForm",
            "GetHeader",
            "RemoteIP",
        ],
    ),
    (
        "github.com/labstack/echo/v4",
        "Context",
        &["Param", "QueryParam", "RealIP", "FormValue"],
    ),
    (
        "github.com/gofiber/fiber/v2",
        "Ctx",
        &["Params", "Query", "IP", "Path", "OriginalURL", "Get"],
    ),
];

/// Functions of the standard library that make one text of another.
const TEXT: &[&str] = &["strings", "fmt", "path", "net/url"];

/// The calls in a declaration that choose a series by what a request says.
pub(crate) fn findings(cx: &CheckContext<'_>, rule: &'static str) -> Vec<RawFinding> {
    body::with(cx.db, cx.decl, |body| look(cx, body, rule)).unwrap_or_default()
}

fn look(cx: &CheckContext<'_>, body: &Body<'_>, rule: &'static str) -> Vec<RawFinding> {
    let mut found = Vec::new();
    for (call, expr) in body.tree.exprs.iter() {
        let ExprKind::Call { func, args, .. } = &expr.kind else {
            continue;
        };
        let ExprKind::Selector { base, name } = &body.tree[body.tree.unparen(*func)].kind else {
            continue;
        };
        if !CHOOSING.contains(&name.name.as_str()) || !is_vector(body, call, *base) {
            continue;
        }
        for value in args.iter().flat_map(|arg| values(body, *arg)) {
            let Some(at) = told_by_request(body, value, 8) else {
                found.extend(kept(cx, body, rule, (call, *base), value));
                continue;
            };
            let text = render(body.tree, at, 40);
            let message = format!(
                "this label gets `{text}`, which may be anything in a request: each different value makes another series, which is kept for ever"
            );
            let pattern = Pattern::RouteLabel;
            let site = FixSite::pattern(
                body.literal(value),
                value,
                body.stmt(value),
                pattern,
                cx.in_test,
            );
            found.push(RawFinding {
                rule,
                severity: Severity::Hint,
                message,
                range: body.tree[value].range,
                function: Some(super::report::name_of(cx.db, cx.decl)),
                related: vec![step(
                    "the value comes from the request",
                    body.tree[at].range,
                )],
                site: Some(Box::new(site)),
            });
        }
    }
    found.sort_by_key(|finding| finding.range.start());
    found
}

/// A label whose series another vector loses, and this one keeps.
fn kept(
    cx: &CheckContext<'_>,
    body: &Body<'_>,
    rule: &'static str,
    (call, vector): (ExprId, ExprId),
    value: ExprId,
) -> Option<RawFinding> {
    if !series::is_given(body, value) {
        return None;
    }
    let of_literal = |arg: &ExprId| match &body.tree[body.tree.unparen(*arg)].kind {
        ExprKind::Composite { elements, .. } => {
            let mut elements = elements.iter();
            let element = elements.find(|e| e.value == value)?;
            series::spelled(body, element.key?)
        }
        _ => None,
    };
    let args = body.args(call);
    let name = args.first().and_then(of_literal);
    let label = match &name {
        Some(name) => Label::Named(name),
        None => Label::At(args.iter().position(|a| *a == value)?),
    };
    let loses = series::sibling(body, vector, label)?;
    let message = format!(
        "each different `{}` makes another series, which is kept for ever: `{}` loses those of which nothing is left to say, and this does not",
        loses.label, loses.vector
    );
    Some(RawFinding {
        rule,
        severity: Severity::Hint,
        message,
        range: body.tree[value].range,
        function: Some(super::report::name_of(cx.db, cx.decl)),
        related: vec![super::report::at_name(
            cx,
            loses.decl,
            format!("`{}` loses series here", loses.vector),
        )],
        site: None,
    })
}

/// Whether a call is one of a vector of metrics: by its type, or by what made the variable.
fn is_vector(body: &Body<'_>, call: ExprId, base: ExprId) -> bool {
    if let Some(target) = target(body.tree, body.facts, call)
        && let Some(ty) = target.ty
    {
        return target.package == PROMETHEUS && ty.as_str().ends_with("Vec");
    }
    let base = body.tree.unparen(base);
    match body.facts.refs.get(base) {
        Some(Res::Local(local)) => body
            .only_value(*local)
            .is_some_and(|v| makes_vector(body, v)),
        Some(Res::Package(item)) if item.package == body.path => is_made_vector(body, item.name),
        _ => false,
    }
}

pub(super) fn makes_vector(body: &Body<'_>, call: ExprId) -> bool {
    let call = body.tree.unparen(call);
    matches!(body.tree[call].kind, ExprKind::Call { .. })
        && target(body.tree, body.facts, call).is_some_and(|t| {
            (t.package == PROMETHEUS || t.package == PROMAUTO)
                && t.ty.is_none()
                && t.name.as_str().ends_with("Vec")
        })
}

/// Whether a package variable is set to a new vector where it is declared.
fn is_made_vector(from: &Body<'_>, name: Name) -> bool {
    let Some(item) = go_model::package::package_item(from.db, from.package, name) else {
        return false;
    };
    let made = body::with(from.db, item.decl(), |body| {
        let DeclKind::Var(specs) = &body.tree.kind else {
            return false;
        };
        specs.iter().any(|spec| {
            spec.names.len() == spec.values.len()
                && spec
                    .names
                    .iter()
                    .zip(&spec.values)
                    .any(|(n, v)| n.name == name && makes_vector(body, *v))
        })
    });
    made.unwrap_or(false)
}

/// The values of labels in an argument: itself, or those of `prometheus.Labels{…}`.
fn values(body: &Body<'_>, arg: ExprId) -> Vec<ExprId> {
    match &body.tree[body.tree.unparen(arg)].kind {
        ExprKind::Composite { elements, .. } => elements.iter().map(|e| e.value).collect(),
        _ => vec![arg],
    }
}

/// The part of a text that a request says, if it says it all.
fn told_by_request(body: &Body<'_>, expr: ExprId, depth: u32) -> Option<ExprId> {
    let depth = depth.checked_sub(1)?;
    let tree = body.tree;
    let expr = tree.unparen(expr);
    match &tree[expr].kind {
        ExprKind::Ident(_) => {
            let local = body.local(expr)?;
            told_by_request(body, body.only_value(local)?, depth)
        }
        ExprKind::Binary { lhs, rhs, .. } => {
            told_by_request(body, *lhs, depth).or_else(|| told_by_request(body, *rhs, depth))
        }
        ExprKind::Selector { .. } => is_said(body, expr).then_some(expr),
        ExprKind::Call { func, args, .. } => {
            let method = matches!(
                body.tree[body.tree.unparen(*func)].kind,
                ExprKind::Selector { .. }
            );
            if method && is_said(body, *func) || is_asked(body, expr) {
                return Some(expr);
            }
            let text = match body.callee(expr) {
                Some(Callee::Conversion) => true,
                Some(Callee::Func(f)) => TEXT.iter().any(|p| f.package == *p),
                _ => false,
            };
            if !text {
                return None;
            }
            args.iter().find_map(|a| told_by_request(body, *a, depth))
        }
        _ => None,
    }
}

/// Whether a chain of selectors and calls goes through a field of a request that its sender chooses: `r.URL.Path`, `r.Header.Get`.
fn is_said(body: &Body<'_>, chain: ExprId) -> bool {
    let mut at = chain;
    loop {
        if let Some(Res::Field {
            owner: Some(owner),
            name,
        }) = body.facts.refs.get(at)
            && owner.is("net/http", "Request")
            && FIELDS.contains(&name.as_str())
        {
            return true;
        }
        if is_address(body, at) {
            return true;
        }
        at = match &body.tree[at].kind {
            ExprKind::Paren(x)
            | ExprKind::Selector { base: x, .. }
            | ExprKind::Index { base: x, .. }
            | ExprKind::Call { func: x, .. } => *x,
            _ => return false,
        };
    }
}

/// The path or the query of an address, or all of it as a text.
fn is_address(body: &Body<'_>, expr: ExprId) -> bool {
    match &body.tree[expr].kind {
        ExprKind::Selector { base, name } => {
            let parts = ["Path", "RawPath", "RawQuery", "String", "RequestURI"];
            parts.contains(&name.name.as_str())
                && (body
                    .ty(body.tree.unparen(*base))
                    .and_then(Ty::as_named_or_pointer))
                .is_some_and(|n| n.package == "net/url" && n.name == "URL")
        }
        _ => false,
    }
}

fn is_asked(body: &Body<'_>, call: ExprId) -> bool {
    target(body.tree, body.facts, call).is_some_and(|t| {
        METHODS.iter().any(|(package, ty, names)| {
            t.package == *package
                && t.ty.is_some_and(|found| found == *ty)
                && names.contains(&t.name.as_str())
        })
    })
}
