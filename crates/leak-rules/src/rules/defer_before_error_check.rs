//! # What it does
//! Reports a deferred cleanup of a result that stands between the call and the check of the call's error.
//!
//! # Why it leaks
//! Where the call failed there is nothing to clean up: the deferred call runs on a nil or useless value, which panics for most types and
//! hides the error behind the panic. The cleanup belongs behind the check.
//!
//! # Example
//! ```go
//! resp, err := http.Get(url)
//! defer resp.Body.Close() // panics where err is not nil
//! if err != nil {
//! 	return err
//! }
//! ```
//!
//! # Use instead
//! ```go
//! resp, err := http.Get(url)
//! if err != nil {
//! 	return err
//! }
//! defer resp.Body.Close()
//! ```
//!
//! # When it stays silent
//! - The error is ignored on purpose: assigned to `_`, or never looked at.
//! - The deferred function asks first whether there is something to clean up.
//! - The callee promises a usable value with an error: the rows of pgx.
//!
//! # Fix safety
//! Moving the `defer` below the check is safe: behind a failed call there is nothing to clean up. It is unsafe where other statements stand
//! between the two, and not offered where the check does not leave.
//!
//! # References
//! - [staticcheck SA5001](https://staticcheck.dev/docs/checks/#SA5001)

use go_model::facts::LocalId;
use go_syntax::ast::{ExprId, ExprKind, StmtId, StmtKind};

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::{Need, Syntax};
use crate::engine::find::{nil_check, no_return};
use crate::engine::function::{Function, Target};
use crate::engine::pattern::{self, step};
use crate::engine::site::{FixSite, Pattern};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "defer-before-error-check",
    family: Family::Resources,
    severity: Severity::Warning,
    summary: "a cleanup is deferred before the error is checked",
    fixes: "move the `defer` below the check",
    overlaps: &["staticcheck/SA5001", "go vet/httpresponse"],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/defer_before_error_check.rs",
    text: include_str!("defer_before_error_check.rs"),
    needs: &[Need::syntax(Syntax::DEFER)],
    check,
};

/// Methods that clean up.
const CLEANUPS: &[&str] = &[
    "Close", "Stop", "Release", "Rollback", "End", "Unlock", "Shutdown", "Wait", "Free", "Cleanup",
];

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    if !pattern::defers_before_check(cx.tree) {
        return Vec::new();
    }
    pattern::check(cx, &|f| {
        f.cfg
            .defers
            .iter()
            .filter_map(|defer| finding(cx, f, *defer))
            .collect()
    })
}

fn finding(cx: &CheckContext<'_>, f: &Function<'_>, defer: StmtId) -> Option<RawFinding> {
    let StmtKind::Defer(call) = f.tree[defer].kind else {
        return None;
    };
    let cleanup = cleanup(f, call)?;
    let held = f.place(cleanup)?.local;
    let (list, index) = f.d.outline.list_of(defer)?;
    let is_defer = |s: &&StmtId| matches!(f.tree[**s].kind, StmtKind::Defer(_));
    let acquisition = *list.stmts[..index].iter().rev().find(|s| !is_defer(s))?;
    let check = *list.stmts[index + 1..].iter().find(|s| !is_defer(s))?;
    let error = error_of(f, acquisition, held)?;
    let StmtKind::If {
        init: None,
        cond,
        then,
        els,
    } = &f.tree[check].kind
    else {
        return None;
    };
    if nil_check(f, *cond, error)? {
        return None;
    }
    let shown = render(f, call);
    let name = f.facts.locals[error].ident.name;
    let range = f.tree[defer].range;
    let mut found = pattern::finding(
        f,
        RULE.name,
        RULE.severity,
        format!("`{shown}` is deferred before `{name}` is checked"),
        range,
    );
    found.related.push(step(
        format!("the call that may fail, which `{name}` says"),
        f.tree[acquisition].range,
    ));
    found.related.push(step(
        format!("`{name}` is checked here"),
        f.tree[*cond].range,
    ));
    if els.is_none() && f.d.outline.leaves(&then.stmts, &|call| no_return(f, call)) {
        let adjacent = list.stmts.get(index + 1) == Some(&check)
            && f.d.outline.next(acquisition) == Some(defer);
        let pattern = Pattern::DeferBeforeCheck {
            defer,
            check,
            adjacent,
        };
        let site = FixSite::pattern(f.literal, call, Some(defer), pattern, cx.in_test);
        found.site = Some(Box::new(site));
    }
    Some(found)
}

/// What a deferred call cleans up: `x.Close()`, or a literal that does nothing else.
fn cleanup(f: &Function<'_>, call: ExprId) -> Option<ExprId> {
    let mut call = f.tree.unparen(call);
    if let Some(literal) = f.called_literal(call) {
        let [only] = &f.d.body(Some(literal))?.stmts[..] else {
            return None;
        };
        call = match &f.tree[*only].kind {
            StmtKind::Expr(e) => f.tree.unparen(*e),
            StmtKind::Assign { rhs, .. } if rhs.len() == 1 => f.tree.unparen(rhs[0]),
            _ => return None,
        };
    }
    let ExprKind::Call { func, .. } = &f.tree[call].kind else {
        return None;
    };
    match &f.tree[f.tree.unparen(*func)].kind {
        ExprKind::Selector { base, name } if CLEANUPS.contains(&name.name.as_str()) => Some(*base),
        _ => None,
    }
}

/// The error variable that a statement's only call sets together with `held`.
fn error_of(f: &Function<'_>, stmt: StmtId, held: LocalId) -> Option<LocalId> {
    let (locals, call): (Vec<Option<LocalId>>, ExprId) = match &f.tree[stmt].kind {
        StmtKind::Assign { lhs, rhs, .. } if rhs.len() == 1 => {
            (lhs.iter().map(|l| pattern::local(f, *l)).collect(), rhs[0])
        }
        StmtKind::Var(specs) => match &specs[..] {
            [spec] if spec.values.len() == 1 => (
                spec.names.iter().map(|n| f.declared_at(n.range)).collect(),
                spec.values[0],
            ),
            _ => return None,
        },
        _ => return None,
    };
    let call = f.tree.unparen(call);
    if !matches!(f.tree[call].kind, ExprKind::Call { .. })
        || f.target(call).is_some_and(|t| usable_with_error(&t))
    {
        return None;
    }
    let (last, others) = locals.split_last()?;
    let error = (*last)?;
    (others.contains(&Some(held)) && f.facts.locals[error].ty.is_error()).then_some(error)
}

/// "It is safe to attempt to read from the returned Rows even if an error is returned": pgx closes them itself.
fn usable_with_error(target: &Target) -> bool {
    let package = target.package.as_str();
    target.name == "Query"
        && (package.starts_with("github.com/jackc/pgx/")
            || package.starts_with("github.com/jackc/pgconn"))
}

fn render(f: &Function<'_>, call: ExprId) -> String {
    let shown = f.called_literal(call).and_then(|literal| {
        let [only] = &f.d.body(Some(literal))?.stmts[..] else {
            return None;
        };
        match &f.tree[*only].kind {
            StmtKind::Expr(e) => Some(*e),
            StmtKind::Assign { rhs, .. } => rhs.first().copied(),
            _ => None,
        }
    });
    crate::engine::outline::render(f.tree, shown.unwrap_or(call), 60)
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

func f(url string) error {
	resp, err := http.Get(url) // want-related "the call that may fail"
	defer resp.Body.Close() // want defer-before-error-check/warning "deferred before `err` is checked" want-fix "below the check" safe
	if err != nil { // want-related "is checked here"
		return err
	}
	return nil
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

func after(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return nil
}

func ignored(name string) {
	f, _ := os.Open(name)
	defer f.Close()
	if f != nil {
		println(f.Name())
	}
}
"#,
        );
    }
}
