//! Fixes for shapes of code.

use go_model::facts::LocalId;
use go_syntax::ast::{Element, ExprId, ExprKind, StmtId, StmtKind};
use go_syntax::{Literals, TextRange};

use super::Cx;
use super::nest::Owner;
use crate::edit::{
    EditBuilder, first_on_line, indentation, line_end, line_start, next_line, unindented,
};
use crate::engine::site::Pattern;
use crate::{Fix, Safety};

pub(super) fn fixes(cx: &Cx<'_>, pattern: Pattern) -> Vec<Fix> {
    if let Pattern::TimeoutField { context } = pattern {
        let mut fixes = Vec::new();
        if let Some((request, context)) = context {
            fixes.extend(request_with_context(cx, request, context));
        }
        fixes.extend(add_field(cx, "Timeout", 30));
        return fixes;
    }
    if let Pattern::Retained(retained) = pattern {
        return super::retain::fixes(cx, retained);
    }
    if pattern == Pattern::DeferInEndlessLoop {
        return super::wrap::defer_in_loop(cx);
    }
    let fix = match pattern {
        Pattern::Tick { constant } => new_ticker(cx, constant),
        Pattern::AfterInLoop { select, looping } => hoist_timer(cx, select, looping),
        Pattern::DeferBeforeCheck {
            defer,
            check,
            adjacent,
        } => below_check(cx, defer, check, adjacent),
        Pattern::ClientTimeout => client_with_timeout(cx),
        Pattern::DialTimeout => dial_with_timeout(cx),
        Pattern::TimeoutField { .. } | Pattern::DeferInEndlessLoop => None,
        Pattern::HeaderTimeoutField => add_field(cx, "ReadHeaderTimeout", 10),
        Pattern::AfterFunc { context } => keep_handle(cx, context),
        Pattern::DropsClose { exit, operand } => with_closer(cx, exit, operand),
        Pattern::Bound { .. } | Pattern::MakeAnew | Pattern::RouteLabel => {
            super::memory::fix(cx, pattern)
        }
        _ => return super::goroutine::fixes(cx, pattern),
    };
    fix.into_iter().collect()
}

/// How the package of a call is written there, with the dot behind it: `time.`; empty for a dot import.
fn qualifier<'a>(cx: &Cx<'a>, call: ExprId) -> Option<&'a str> {
    let ExprKind::Call { func, .. } = &cx.tree()[call].kind else {
        return None;
    };
    match &cx.tree()[cx.tree().unparen(*func)].kind {
        ExprKind::Ident(_) => Some(""),
        ExprKind::Selector { name, .. } => {
            let range = cx.tree()[*func].range;
            Some(cx.src(TextRange::new(range.start(), name.range.start())))
        }
        _ => None,
    }
}

/// The source of a call's only argument, if it stands on one line.
fn only_argument<'a>(cx: &Cx<'a>, call: ExprId) -> Option<&'a str> {
    let ExprKind::Call { args, .. } = &cx.tree()[call].kind else {
        return None;
    };
    let [only] = args[..] else { return None };
    let source = cx.src(cx.tree()[only].range);
    (!source.contains('\n')).then_some(source)
}

/// Whether a statement stands in a loop of its function.
pub(super) fn in_loop(cx: &Cx<'_>, stmt: StmtId) -> bool {
    cx.nest
        .chain(stmt)
        .any(|(_, owner, _)| matches!(owner, Owner::Body(_)))
}

/// Inserts lines of code above a statement, and above its label if it has one.
pub(super) fn insert_above(
    cx: &Cx<'_>,
    builder: &mut EditBuilder<'_>,
    stmt: StmtId,
    code: &str,
) -> Option<()> {
    match cx.nest.parent(stmt)?.0 {
        Owner::Label(label) => {
            // A label stands one tab to the left of what it labels.
            let text = cx.ctx.text;
            let (label, stmt) = (cx.stmt_range(label), cx.stmt_range(stmt));
            if !first_on_line(text, label.start) || !first_on_line(text, stmt.start) {
                return None;
            }
            let code = crate::edit::indent(code, indentation(text, stmt.start));
            builder.insert(line_start(text, label.start), format!("{code}\n"));
            Some(())
        }
        Owner::Header(_) | Owner::Else(_) => None,
        _ => builder.insert_before(cx.stmt_range(stmt), code),
    }
}

/// `time.Tick(d)` becomes the channel of a ticker that is stopped.
fn new_ticker(cx: &Cx<'_>, constant: bool) -> Option<Fix> {
    let call = cx.site.acquire.call;
    let stmt = cx.site.acquire.stmt?;
    let (package, delay) = (qualifier(cx, call)?, only_argument(cx, call)?);
    if cx.has_goto() || in_loop(cx, stmt) {
        return None;
    }
    let ticker = cx.fresh("ticker");
    let mut builder = cx.builder();
    insert_above(
        cx,
        &mut builder,
        stmt,
        &format!("{ticker} := {package}NewTicker({delay})\ndefer {ticker}.Stop()"),
    )?;
    builder.replace(cx.abs(cx.tree()[call].range), format!("{ticker}.C"));
    if constant {
        builder.fix(
            format!("use `{package}NewTicker` and defer `{ticker}.Stop()`"),
            Safety::Safe,
        )
    } else {
        builder.fix(
            format!(
                "use `{package}NewTicker` and defer `{ticker}.Stop()` (panics if the delay is not above zero)"
            ),
            Safety::Unsafe,
        )
    }
}

/// One timer before the loop, reset before each select.
fn hoist_timer(cx: &Cx<'_>, select: StmtId, looping: StmtId) -> Option<Fix> {
    let call = cx.site.acquire.call;
    let (package, delay) = (qualifier(cx, call)?, only_argument(cx, call)?);
    if cx.has_goto() || in_loop(cx, looping) || !is_known_before(cx, call, looping) {
        return None;
    }
    let timer = cx.fresh("timer");
    let mut builder = cx.builder();
    insert_above(
        cx,
        &mut builder,
        looping,
        &format!("{timer} := {package}NewTimer({delay})\ndefer {timer}.Stop()"),
    )?;
    // Since Go 1.23 no stale value is received after a reset.
    let drain = if cx.ctx.go >= (1, 23) {
        String::new()
    } else {
        format!("if !{timer}.Stop() {{\n\tselect {{\n\tcase <-{timer}.C:\n\tdefault:\n\t}}\n}}\n")
    };
    insert_above(
        cx,
        &mut builder,
        select,
        &format!("{drain}{timer}.Reset({delay})"),
    )?;
    // `time.NewTimer(d)` has its `.C` already.
    let channel = match cx.callee_is(call, "time", "After") {
        true => format!("{timer}.C"),
        false => timer,
    };
    builder.replace(cx.abs(cx.tree()[call].range), channel);
    builder.fix(
        "make one timer before the loop and reset it in each iteration",
        Safety::Unsafe,
    )
}

/// Whether the argument of a call can be computed before the loop: it calls nothing, and its variables are there already.
fn is_known_before(cx: &Cx<'_>, call: ExprId, looping: StmtId) -> bool {
    let ExprKind::Call { args, .. } = &cx.tree()[call].kind else {
        return false;
    };
    let start = cx.tree()[looping].range.start();
    args.iter().all(|arg| {
        let plain = cx.tree().walk(*arg, Literals::Enter).all(|node| {
            match node.expr().map(|e| (e, &cx.tree()[e].kind)) {
                Some((e, ExprKind::Call { .. })) => matches!(
                    cx.facts().callees.get(e),
                    Some(go_model::facts::Callee::Conversion)
                ),
                Some((_, ExprKind::FuncLit(_) | ExprKind::Unary { .. })) => false,
                _ => true,
            }
        });
        plain
            && cx
                .locals_in(cx.tree()[*arg].range)
                .into_iter()
                .all(|local| cx.facts().locals[local].ident.range.end() <= start)
    })
}

/// The `defer` goes below the check of the error.
fn below_check(cx: &Cx<'_>, defer: StmtId, check: StmtId, adjacent: bool) -> Option<Fix> {
    let text = cx.ctx.text;
    let stmt = cx.stmt_range(defer);
    if !first_on_line(text, stmt.start) {
        return None;
    }
    let old_indent = indentation(text, stmt.start);
    // With the comments that stand directly on it.
    let mut top = line_start(text, stmt.start);
    while top > 0 {
        let above = line_start(text, top - 1);
        let line = &text[above..line_end(text, above)];
        if !line.trim_start().starts_with("//") || indentation(text, above) != old_indent {
            break;
        }
        top = above;
    }
    let moved = &text[top..line_end(text, stmt.end)];
    // A raw string may go over lines.
    if moved.contains('`') && moved.contains('\n') {
        return None;
    }
    let code = unindented(moved, old_indent);
    let mut builder = cx.builder();
    builder.insert_after(cx.stmt_range(check), &code)?;
    builder.delete_statement(top + old_indent.len()..stmt.end)?;
    let safety = if adjacent {
        Safety::Safe
    } else {
        Safety::Unsafe
    };
    builder.fix("move the `defer` below the check of the error", safety)
}

/// `http.Get(url)` becomes a request of a client with a timeout.
fn client_with_timeout(cx: &Cx<'_>) -> Option<Fix> {
    let call = cx.site.acquire.call;
    let package = qualifier(cx, call)?;
    let ExprKind::Call { func, .. } = &cx.tree()[call].kind else {
        return None;
    };
    let mut builder = cx.builder();
    let second = cx.qualified(&mut builder, "time", "time", "Second")?;
    let start = cx.abs(cx.tree()[*func].range).start;
    builder.replace(
        start..start + package.len(),
        format!("(&{package}Client{{Timeout: 30 * {second}}})."),
    );
    builder.fix(
        "use a client with a `Timeout` of 30 seconds",
        Safety::Unsafe,
    )
}

/// `net.Dial(network, address)` becomes `net.DialTimeout`.
fn dial_with_timeout(cx: &Cx<'_>) -> Option<Fix> {
    let call = cx.site.acquire.call;
    let ExprKind::Call { func, args, spread } = &cx.tree()[call].kind else {
        return None;
    };
    let ExprKind::Selector { name, .. } = &cx.tree()[cx.tree().unparen(*func)].kind else {
        return None;
    };
    let last = cx.abs(cx.tree()[*args.last()?].range);
    if *spread {
        return None;
    }
    let mut builder = cx.builder();
    let second = cx.qualified(&mut builder, "time", "time", "Second")?;
    builder.replace(cx.abs(name.range), "DialTimeout");
    builder.insert(last.end, format!(", 30*{second}"));
    builder.fix("use `DialTimeout` with 30 seconds", Safety::Unsafe)
}

/// `http.NewRequest(…)` becomes `http.NewRequestWithContext(ctx, …)`.
fn request_with_context(cx: &Cx<'_>, request: ExprId, context: LocalId) -> Option<Fix> {
    let ExprKind::Call { func, args, .. } = &cx.tree()[request].kind else {
        return None;
    };
    let name = match &cx.tree()[cx.tree().unparen(*func)].kind {
        ExprKind::Selector { name, .. } => cx.abs(name.range),
        _ => return None,
    };
    let start = cx.tree()[request].range.start();
    if cx.rebound(context, cx.facts().locals[context].ident.range.end(), start) {
        return None;
    }
    let context = cx.facts().locals[context].ident.name;
    let first = cx.abs(cx.tree()[*args.first()?].range).start;
    let mut builder = cx.builder();
    builder.replace(name, "NewRequestWithContext");
    builder.insert(first, format!("{context}, "));
    builder.fix(
        format!("make the request with the context `{context}`"),
        Safety::Unsafe,
    )
}

/// Adds a field of type `time.Duration` to a literal that stands on one line.
fn add_field(cx: &Cx<'_>, field: &str, seconds: u32) -> Option<Fix> {
    let literal = cx.site.acquire.call;
    let ExprKind::Composite { elements, .. } = &cx.tree()[literal].kind else {
        return None;
    };
    let range = cx.abs(cx.tree()[literal].range);
    let text = cx.src(cx.tree()[literal].range);
    let mut builder = cx.builder();
    let second = cx.qualified(&mut builder, "time", "time", "Second")?;
    let value = format!("{field}: {seconds} * {second}");
    match elements.last() {
        None if text.ends_with("{}") => builder.insert(range.end - 1, value),
        Some(last) if !text.contains('\n') => {
            builder.insert(
                cx.abs(cx.tree()[last.value].range).end,
                format!(", {value}"),
            );
        }
        _ => add_line(cx, &mut builder, elements, field, &value)?,
    }
    builder.fix(
        format!("add `{field}` with {seconds} seconds"),
        Safety::Unsafe,
    )
}

/// Adds a field to a literal of which every line is one short field, with the values aligned as gofmt does.
fn add_line(
    cx: &Cx<'_>,
    builder: &mut EditBuilder<'_>,
    elements: &[Element],
    field: &str,
    value: &str,
) -> Option<()> {
    let text = cx.ctx.text;
    let key_of = |element: &Element| Some(cx.abs(cx.tree()[element.key?].range));
    let mut longest = field.len();
    let mut previous: Option<usize> = None;
    for element in elements {
        let (key, value) = (key_of(element)?, cx.abs(cx.tree()[element.value].range));
        let line = line_start(text, key.start);
        let plain = first_on_line(text, key.start)
            && line_end(text, key.start) == value.end + 1
            && text[value.end..].starts_with(',')
            && previous.is_none_or(|next| next == line);
        if !plain {
            return None;
        }
        previous = Some(next_line(text, value.end));
        longest = longest.max(key.len());
    }
    for element in elements {
        let (key, value) = (key_of(element)?, cx.abs(cx.tree()[element.value].range));
        let blanks = " ".repeat(longest - key.len() + 1);
        if text[key.end + 1..value.start] != blanks {
            builder.replace(key.end + 1..value.start, blanks);
        }
    }
    let last = cx.abs(cx.tree()[elements.last()?.value].range);
    let indent = indentation(text, last.start);
    let (name, rest) = value.split_once(": ")?;
    let blanks = " ".repeat(longest - field.len() + 1);
    builder.insert(last.end + 1, format!("\n{indent}{name}:{blanks}{rest},"));
    Some(())
}

/// A timer or a registration gets a name and is stopped when the function returns.
fn keep_handle(cx: &Cx<'_>, context: bool) -> Option<Fix> {
    let stmt = cx.site.acquire.stmt?;
    if cx.has_goto() || in_loop(cx, stmt) {
        return None;
    }
    let call = cx.abs(cx.tree()[cx.site.acquire.call].range);
    let whole = cx.stmt_range(stmt);
    let (name, release) = if context {
        let name = cx.fresh("stop");
        (name.clone(), format!("{name}()"))
    } else {
        let name = cx.fresh("timer");
        (name.clone(), format!("{name}.Stop()"))
    };
    let mut builder = cx.builder();
    builder.replace(whole.start..call.start, format!("{name} := "));
    builder.insert_after(whole, &format!("defer {release}"))?;
    builder.fix(
        format!("name it `{name}` and defer `{release}` (the function is then called only while this one runs)"),
        Safety::Unsafe,
    )
}

/// What is returned gets the `Close` of what lies below: the thing itself in place of `io.NopCloser`, or a composite.
fn with_closer(cx: &Cx<'_>, exit: StmtId, operand: ExprId) -> Option<Fix> {
    let site = cx.site;
    let held = site.value.as_ref()?;
    let signature = cx.signature(site.literal)?;
    let result = signature.results.first()?;
    let is_closer =
        (cx.facts().types.get(result.ty)).is_some_and(|ty| ty.is_named("io", "ReadCloser"));
    let StmtKind::Return(values) = &cx.tree()[exit].kind else {
        return None;
    };
    // A call that gives all results cannot be an element of a composite.
    if !is_closer
        || values.first() != Some(&operand)
        || values.len() != signature.results.len()
        || cx.nest.function(exit) != Some(site.literal)
    {
        return None;
    }
    let range = cx.tree()[operand].range;
    if cx.rebound(
        held.local,
        cx.tree()[site.acquire.call].range.end(),
        range.start(),
    ) {
        return None;
    }
    let local = cx.facts().locals[held.local].ident.name;
    let fields: String = (held.fields.iter()).map(|f| format!(".{f}")).collect();
    let closer = format!("{local}{fields}");
    let mut builder = cx.builder();
    let mut inner = cx.tree().unparen(operand);
    if let ExprKind::Call { args, .. } = &cx.tree()[inner].kind
        && let [only] = args[..]
        && (cx.callee_is(inner, "io", "NopCloser") || cx.callee_is(inner, "io/ioutil", "NopCloser"))
    {
        inner = only;
        if cx.src(cx.tree()[inner].range) == closer {
            builder.replace(cx.abs(range), closer.clone());
            return builder.fix(
                format!("return `{closer}` itself (callers have to close it)"),
                Safety::Unsafe,
            );
        }
    }
    let reader = cx.qualified(&mut builder, "io", "io", "Reader")?;
    let with = cx.qualified(&mut builder, "io", "io", "Closer")?;
    let text = cx.src(cx.tree()[inner].range);
    let indent = indentation(cx.ctx.text, cx.stmt_range(exit).start);
    builder.replace(
        cx.abs(range),
        format!("struct {{\n{indent}\t{reader}\n{indent}\t{with}\n{indent}}}{{{text}, {closer}}}"),
    );
    builder.fix(
        format!("return it together with the `Close` of `{closer}` (callers have to close it)"),
        Safety::Unsafe,
    )
}
