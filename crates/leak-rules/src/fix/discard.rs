//! Results that were thrown away: they get a name and are released, or the call is replaced by one that acquires nothing.

use std::ops::Range;

use go_model::facts::Callee;
use go_syntax::ast::{AssignOp, ExprKind, StmtId, StmtKind};

use super::release::{Inserted, insert_at, release_call};
use super::{Cx, wrap};
use crate::edit::EditBuilder;
use crate::engine::site::{AcquireShape, FixKind, Trigger};
use crate::{Fix, Safety};

pub(super) fn fixes(cx: &Cx<'_>) -> Vec<Fix> {
    if cx.site.trigger == Trigger::NeverScanned {
        return exec_instead(cx).into_iter().collect();
    }
    let mut fixes = Vec::new();
    match cx.site.kind {
        FixKind::Cancel | FixKind::CancelCause | FixKind::SignalStop => {
            fixes.extend(test_context(cx));
            fixes.extend(name_and_defer(cx));
        }
        FixKind::Ticker | FixKind::Timer => fixes.extend(hoist(cx)),
        FixKind::SqlRow
        | FixKind::Defer
        | FixKind::Passed(_)
        | FixKind::Transport
        | FixKind::Nothing
        | FixKind::Stream => {}
        FixKind::SqlRows => {
            fixes.extend(exec_instead(cx));
            fixes.extend(name_and_close(cx));
        }
        FixKind::Method(_) if cx.site.acquire.error_result.is_none() => {
            fixes.extend(name_and_defer(cx));
        }
        _ => fixes.extend(name_and_close(cx)),
    }
    fixes
}

fn base_name(kind: FixKind) -> &'static str {
    match kind {
        FixKind::HttpBody => "resp",
        FixKind::Body => "body",
        FixKind::File | FixKind::Defer | FixKind::Nothing => "f",
        FixKind::PipeRead | FixKind::IoPipe => "r",
        FixKind::CMemory => "p",
        FixKind::Stream => "stream",
        FixKind::PipeWrite | FixKind::Writer => "w",
        FixKind::SqlRows | FixKind::SqlRow => "rows",
        FixKind::Cancel | FixKind::CancelCause => "cancel",
        FixKind::SignalStop => "stop",
        FixKind::Ticker => "ticker",
        FixKind::Timer => "timer",
        FixKind::Method(method) => method.variable,
        FixKind::Transport => "tr",
        FixKind::Passed(_) => "temp",
        FixKind::Call(variable) => variable,
        FixKind::PassedTo(passed) => passed.variable,
    }
}

/// A name for the thing. Where a variable of its own has to be declared for one of several discarded results of the declaration, each
/// gets another name, so that the fixes can be applied together.
fn fresh_name(cx: &Cx<'_>) -> String {
    let base = base_name(cx.site.kind);
    let tree = cx.tree();
    let blanks: Vec<_> = tree
        .stmts
        .iter()
        .filter_map(|(id, stmt)| match &stmt.kind {
            StmtKind::Assign { lhs, rhs, op } if rhs.len() == 1 => {
                let blank = |&l: &_| tree.ident(l).is_some_and(|i| i.name.is_blank());
                lhs.iter()
                    .any(blank)
                    .then_some((stmt.range.start(), *op, id))
            }
            _ => None,
        })
        .collect();
    let mut taken = Vec::new();
    if blanks.iter().any(|(_, op, _)| *op == AssignOp::Assign)
        && let Some(stmt) = cx.site.acquire.stmt
    {
        let start = tree[stmt].range.start();
        for _ in blanks.iter().filter(|(at, ..)| *at < start) {
            taken.push(cx.fresh_but(base, &taken));
        }
    }
    cx.fresh_but(base, &taken)
}

/// Absolute range of the `index`th name on the left of an assignment or `var`, and how many there are.
fn left(cx: &Cx<'_>, stmt: StmtId, index: usize) -> Option<(Range<usize>, usize)> {
    match &cx.tree()[stmt].kind {
        StmtKind::Assign { lhs, rhs, .. } if rhs.len() == 1 => {
            let &expr = lhs.get(index)?;
            Some((cx.abs(cx.tree()[expr].range), lhs.len()))
        }
        StmtKind::Var(specs) => match &**specs {
            [spec] if spec.values.len() == 1 => {
                Some((cx.abs(spec.names.get(index)?.range), spec.names.len()))
            }
            _ => None,
        },
        _ => None,
    }
}

fn is_blank(cx: &Cx<'_>, range: &Range<usize>) -> bool {
    cx.ctx.text.get(range.clone()) == Some("_")
}

/// `ctx, _ := context.WithCancel(…)`: the function gets a name and is deferred.
fn name_and_defer(cx: &Cx<'_>) -> Option<Fix> {
    let site = cx.site;
    let stmt = site.acquire.stmt?;
    let (range, _) = left(cx, stmt, site.acquire.result)?;
    if !is_blank(cx, &range) {
        return None;
    }
    let name = fresh_name(cx);
    let release = release_call(cx, &name)?;
    let point = site.insert?;
    let safety = if site.outlives || cx.keeps_other_results() {
        Safety::Unsafe
    } else {
        Safety::Safe
    };
    let defines = match &cx.tree()[stmt].kind {
        StmtKind::Assign {
            op: AssignOp::Define,
            ..
        }
        | StmtKind::Var(_) => true,
        StmtKind::Assign {
            op: AssignOp::Assign,
            ..
        } => false,
        _ => return None,
    };
    if let Some(loop_stmt) = site.in_loop {
        if !defines {
            return None;
        }
        let title = format!(
            "name it `{name}` and wrap the loop body in a function that defers `{release}`"
        );
        let inserted = Inserted {
            replace: Some((range, name)),
            point,
            code: format!("defer {release}"),
        };
        // What uses the context may outlive the iteration.
        return wrap::wrap_with(cx, loop_stmt, inserted, &title, Safety::Unsafe);
    }
    let mut builder = cx.builder();
    builder.replace(range, name.clone());
    if !defines {
        if matches!(site.kind, FixKind::Method(_)) {
            return None;
        }
        let ty = if site.kind == FixKind::CancelCause {
            "func(error)"
        } else {
            "func()"
        };
        builder.insert_before(cx.stmt_range(stmt), &format!("var {name} {ty}"))?;
    }
    insert_at(cx, &mut builder, point, &format!("defer {release}"))?;
    let note = if safety == Safety::Unsafe {
        " (ends what still uses the context)"
    } else {
        ""
    };
    builder.fix(
        format!("name it `{name}` and defer `{release}`{note}"),
        safety,
    )
}

/// `ctx, _ := context.WithCancel(context.Background())` in a test: `ctx := t.Context()`.
fn test_context(cx: &Cx<'_>) -> Option<Fix> {
    let site = cx.site;
    if cx.ctx.go < (1, 24) || site.kind != FixKind::Cancel {
        return None;
    }
    let t = cx.testing_param(site.literal)?;
    let call = site.acquire.call;
    if !cx.callee_is(call, "context", "WithCancel") {
        return None;
    }
    let ExprKind::Call { args, .. } = &cx.tree()[call].kind else {
        return None;
    };
    let &[parent] = &**args else { return None };
    if !cx.callee_is(parent, "context", "Background") && !cx.callee_is(parent, "context", "TODO") {
        return None;
    }
    // The import must still be used: two uses go away.
    let uses: usize = cx
        .ctx
        .file
        .decls
        .iter()
        .map(|d| {
            d.tree
                .exprs
                .iter()
                .filter(|(_, e)| matches!(e.kind, ExprKind::Ident(n) if n == "context"))
                .count()
        })
        .sum();
    if uses <= 2 {
        return None;
    }
    let stmt = site.acquire.stmt?;
    let (blank, 2) = left(cx, stmt, 1)? else {
        return None;
    };
    let (ctx, _) = left(cx, stmt, 0)?;
    if !is_blank(cx, &blank) || is_blank(cx, &ctx) {
        return None;
    }
    let mut builder = cx.builder();
    builder.replace(ctx.end..blank.end, "");
    builder.replace(cx.abs(cx.tree()[call].range), format!("{t}.Context()"));
    builder.fix(
        format!("use `{t}.Context()`, which ends with the test"),
        Safety::Unsafe,
    )
}

/// The thing gets a name and is closed behind an error check.
fn name_and_close(cx: &Cx<'_>) -> Option<Fix> {
    let site = cx.site;
    let stmt = site.acquire.stmt?;
    let name = fresh_name(cx);
    let release = release_call(cx, &name)?;
    let title = format!("name it `{name}` and call `{release}`");
    let call = cx.abs(cx.tree()[site.acquire.call].range);
    let error = site.acquire.error_result?;
    let mut builder = cx.builder();
    if site.acquire.result != 0 || error != 1 {
        return None;
    }
    let whole = cx.stmt_range(stmt);
    let ignored = match &cx.tree()[stmt].kind {
        StmtKind::Expr(_) => true,
        StmtKind::Assign { lhs, rhs, .. } if rhs.len() == 1 => lhs
            .iter()
            .all(|&l| is_blank(cx, &cx.abs(cx.tree()[l].range))),
        _ => false,
    };
    if ignored {
        // Nobody asks for the error either.
        if matches!(
            site.acquire.shape,
            AcquireShape::Init(_) | AcquireShape::Nested
        ) || !crate::edit::first_on_line(cx.ctx.text, whole.start)
        {
            return None;
        }
        let err = cx.fresh("err");
        let line = crate::edit::indentation(cx.ctx.text, whole.start);
        builder.replace(whole.start..call.start, format!("if {name}, {err} := "));
        builder.replace(
            call.end..whole.end,
            format!("; {err} == nil {{\n{line}\t{release}\n{line}}}"),
        );
        return builder.fix(title, Safety::Unsafe);
    }
    let (range, _) = left(cx, stmt, site.acquire.result)?;
    let (err_range, _) = left(cx, stmt, error)?;
    if !is_blank(cx, &range) {
        return None;
    }
    let err = cx.ctx.text.get(err_range)?.to_owned();
    match &cx.tree()[stmt].kind {
        StmtKind::Assign {
            op: AssignOp::Define,
            ..
        }
        | StmtKind::Var(_) => builder.replace(range, name),
        StmtKind::Assign {
            op: AssignOp::Assign,
            ..
        } => {
            let in_os = matches!(
                cx.facts().callees.get(site.acquire.call),
                Some(Callee::Func(f)) if f.package == "os"
            );
            let ty = match site.kind {
                FixKind::HttpBody => cx.qualified(&mut builder, "net/http", "http", "Response")?,
                FixKind::File if in_os => cx.qualified(&mut builder, "os", "os", "File")?,
                _ => return None,
            };
            if matches!(site.acquire.shape, AcquireShape::Init(_)) {
                return None;
            }
            builder.insert_before(whole.clone(), &format!("var {name} *{ty}"))?;
            builder.replace(range, name);
        }
        _ => return None,
    }
    let checked = site.error.as_ref().is_some_and(|e| e.check.is_some());
    match site.insert {
        Some(point) if checked => insert_at(cx, &mut builder, point, &release)?,
        _ if matches!(
            site.acquire.shape,
            AcquireShape::Define | AcquireShape::Assign | AcquireShape::Var
        ) =>
        {
            builder.insert_after(whole, &format!("if {err} == nil {{\n\t{release}\n}}"))?;
        }
        _ => return None,
    }
    builder.fix(title, Safety::Unsafe)
}

/// `Query` whose rows nobody wants, `QueryRow` that nobody scans: `Exec`.
fn exec_instead(cx: &Cx<'_>) -> Option<Fix> {
    let site = cx.site;
    let stmt = site.acquire.stmt?;
    let ExprKind::Call { func, .. } = cx.tree()[site.acquire.call].kind else {
        return None;
    };
    let ExprKind::Selector { name, .. } = cx.tree()[func].kind else {
        return None;
    };
    let exec = match name.name.as_str() {
        "Query" | "Queryx" | "QueryRow" | "QueryRowx" => "Exec",
        "QueryContext" | "QueryxContext" | "QueryRowContext" | "QueryRowxContext" => "ExecContext",
        "NamedQuery" => "NamedExec",
        "NamedQueryContext" => "NamedExecContext",
        _ => return None,
    };
    let row = site.kind == FixKind::SqlRow;
    let mut builder = cx.builder();
    match &cx.tree()[stmt].kind {
        StmtKind::Expr(_) => {}
        StmtKind::Assign { lhs, rhs, .. } if rhs.len() == 1 => {
            let blank = |i: usize| {
                lhs.get(i)
                    .is_some_and(|&l| is_blank(cx, &cx.abs(cx.tree()[l].range)))
            };
            if !blank(0) || lhs.len() != if row { 1 } else { 2 } {
                return None;
            }
            if row {
                builder.insert(cx.abs(cx.tree()[lhs[0]].range).end, ", _");
            }
        }
        _ => return None,
    }
    builder.replace(cx.abs(name.range), exec);
    builder.fix(
        format!("call `{exec}`, which gives no rows"),
        Safety::Unsafe,
    )
}

/// `for range time.NewTicker(d).C`: the ticker gets a name and is stopped.
fn hoist(cx: &Cx<'_>) -> Option<Fix> {
    let site = cx.site;
    if site.acquire.shape != AcquireShape::Nested || site.in_loop.is_some_and(|l| !is_over(cx, l)) {
        return None;
    }
    let call = cx.tree()[site.acquire.call].range;
    let (stmt, _) = cx.tree().stmts.iter().find(|(_, s)| {
        matches!(s.kind, StmtKind::Range { over, .. } if cx.tree()[over].range.contains_range(call))
    })?;
    let StmtKind::Range { over, .. } = cx.tree()[stmt].kind else {
        return None;
    };
    let ExprKind::Selector { base, .. } = cx.tree()[cx.tree().unparen(over)].kind else {
        return None;
    };
    if base != site.acquire.call {
        return None;
    }
    // Not behind a label, not in another loop.
    if cx.nest.chain(stmt).any(|(s, owner, _)| {
        s != stmt && matches!(owner, super::nest::Owner::Body(_))
            || matches!(owner, super::nest::Owner::Label(_))
    }) || matches!(cx.nest.parent(stmt)?.0, super::nest::Owner::Body(_))
    {
        return None;
    }
    let name = fresh_name(cx);
    let release = release_call(cx, &name)?;
    let mut builder: EditBuilder<'_> = cx.builder();
    let source = cx.src(call);
    if source.contains('\n') {
        return None;
    }
    builder.insert_before(
        cx.stmt_range(stmt),
        &format!("{name} := {source}\ndefer {release}"),
    )?;
    builder.replace(cx.abs(call), name.clone());
    builder.fix(
        format!("name it `{name}` and defer `{release}`"),
        Safety::Safe,
    )
}

/// Whether the acquisition is what the loop ranges over (evaluated once, before it).
fn is_over(cx: &Cx<'_>, loop_stmt: StmtId) -> bool {
    let call = cx.tree()[cx.site.acquire.call].range;
    matches!(cx.tree()[loop_stmt].kind, StmtKind::Range { over, .. } if cx.tree()[over].range.contains_range(call))
}
