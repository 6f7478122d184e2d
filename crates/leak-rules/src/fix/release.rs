//! Releases that are missing: a `defer` behind the acquisition, or a release before each statement that loses the thing.

use go_model::facts::{LocalId, Res};
use go_model::told::FuncPath;
use go_syntax::ast::{BranchKind, ExprId, ExprKind, StmtId, StmtKind};
use go_syntax::{Literals, TextSize};

use super::nest::{Owner, else_of, offset_of};
use super::{Cx, is_error_param, wrap};
use crate::edit::{EditBuilder, first_on_line, indentation, line_end, line_start, unindented};
use crate::engine::cgo;
use crate::engine::site::{AcquireShape, FixKind, InsertPoint, LeakKind, LeakPoint, Value};
use crate::{Fix, Safety};

/// The call that lets the thing go.
pub(super) fn release_call(cx: &Cx<'_>, value: &str) -> Option<String> {
    Some(match cx.site.kind {
        FixKind::HttpBody => format!("{value}.Body.Close()"),
        FixKind::Body
        | FixKind::File
        | FixKind::PipeRead
        | FixKind::PipeWrite
        | FixKind::SqlRows
        | FixKind::Writer
        | FixKind::IoPipe => {
            format!("{value}.Close()")
        }
        FixKind::Cancel | FixKind::SignalStop => format!("{value}()"),
        FixKind::CMemory => format!("C.free(unsafe.Pointer({value}))"),
        FixKind::CancelCause => format!("{value}(nil)"),
        FixKind::Ticker | FixKind::Timer => format!("{value}.Stop()"),
        FixKind::Method(method) if method.context => {
            format!("{value}.{}({})", method.name, context_argument(cx)?)
        }
        FixKind::Method(method) => format!("{value}.{}()", method.name),
        FixKind::Transport => {
            let direct = cx.site.value.as_ref().is_some_and(|v| match v.fields[..] {
                [] => true,
                [only] => only == "Transport",
                _ => false,
            });
            direct.then(|| format!("{value}.CloseIdleConnections()"))?
        }
        FixKind::Passed(passed) => {
            let package = cx.imported(passed.package, passed.name)?;
            let method = passed.method.map(|m| format!(".{m}()")).unwrap_or_default();
            format!("{package}.{}({value}{method})", passed.function)
        }
        FixKind::Call(_) => format!("{value}()"),
        FixKind::PassedTo(passed) => passed_to(cx, passed.to, value)?,
        FixKind::SqlRow | FixKind::Defer | FixKind::Nothing | FixKind::Stream => return None,
    })
}

/// The thing given to what takes it back: written as the acquiring call is, with the same package or receiver.
fn passed_to(cx: &Cx<'_>, to: FuncPath, value: &str) -> Option<String> {
    let tree = cx.tree();
    let name = to.name.as_str();
    if to.ty.is_none() && cx.ctx.package == to.package {
        return (!cx.shadows(name)).then(|| format!("{name}({value})"));
    }
    let ExprKind::Call { func, .. } = &tree[cx.site.acquire.call].kind else {
        return None;
    };
    let mut func = tree.unparen(*func);
    if let ExprKind::Index { base, .. } = &tree[func].kind {
        func = tree.unparen(*base);
    }
    let ExprKind::Selector { base, .. } = &tree[func].kind else {
        return None;
    };
    let base = tree.unparen(*base);
    let fits = match to.ty {
        None => cx.facts().refs.get(base) == Some(&Res::Import(to.package)),
        Some(_) => is_lasting(cx, base),
    };
    fits.then(|| format!("{}.{name}({value})", cx.src(tree[base].range)))
}

/// Whether an expression without calls denotes the same thing later, as far as its variable goes.
fn is_lasting(cx: &Cx<'_>, expr: ExprId) -> bool {
    let tree = cx.tree();
    let mut at = expr;
    loop {
        at = match &tree[at].kind {
            ExprKind::Ident(_) => {
                return match cx.facts().refs.get(at) {
                    Some(Res::Local(local)) => cx.facts().locals[*local].assignments <= 1,
                    _ => true,
                };
            }
            ExprKind::Selector { base, .. } => *base,
            _ => return false,
        };
    }
}

/// The context given to the acquiring call, if it can be written once more: a name, a field, or what a method without arguments gives.
fn context_argument<'a>(cx: &Cx<'a>) -> Option<&'a str> {
    let tree = cx.tree();
    let ExprKind::Call { args, .. } = &tree[cx.site.acquire.call].kind else {
        return None;
    };
    let &context = args.first()?;
    let mut at = tree.unparen(context);
    loop {
        at = match &tree[at].kind {
            ExprKind::Ident(_) => return Some(cx.src(tree[context].range)),
            ExprKind::Selector { base, .. } => *base,
            ExprKind::Call { func, args, .. } if args.is_empty() => *func,
            _ => return None,
        };
    }
}

pub(super) fn fixes(cx: &Cx<'_>) -> Vec<Fix> {
    let site = cx.site;
    let Some(value) = &site.value else {
        return Vec::new();
    };
    if site.kind == FixKind::Stream {
        return own_context(cx).into_iter().collect();
    }
    let Some(release) = release_call(cx, &value.text) else {
        return Vec::new();
    };
    let mut fixes = Vec::new();
    let mut deferred = false;
    if let Some(fix) = in_reader(cx, &release) {
        fixes.push(fix);
        deferred = true;
    } else if may_defer(cx)
        && let Some(point) = insert_point(cx)
    {
        let safety = defer_safety(cx);
        let moved = move_up(cx, point, safety);
        let inserted = if moved.is_none() {
            insert_defer(cx, point, &release, safety)
        } else {
            None
        };
        deferred = moved.is_some() || inserted.is_some();
        fixes.extend(moved);
        fixes.extend(inserted);
        fixes.extend(cleanup(cx, point, &release));
        if site.late_defers.is_empty() && site.releases.is_empty() {
            fixes.extend(join_error(cx, point));
        }
    }
    if !deferred || !site.releases.is_empty() {
        fixes.extend(release_at_exits(cx, &release));
    }
    if let Some(loop_stmt) = site.in_loop
        && site.late_defers.is_empty()
        && site.releases.is_empty()
        && !site.moved_elsewhere
        && !site.reassigned
        && value.declared_here
        && site.kind != FixKind::CMemory
        && let Some(point) = insert_point(cx)
    {
        let code = format!("defer {release}");
        let title = format!("wrap the loop body in a function that defers `{release}`");
        let change = Inserted {
            replace: None,
            point,
            code,
        };
        fixes.extend(wrap::wrap_with(
            cx,
            loop_stmt,
            change,
            &title,
            defer_safety(cx),
        ));
    }
    fixes
}

/// Gives the acquiring call a context of its own, which is cancelled when the function returns.
fn own_context(cx: &Cx<'_>) -> Option<Fix> {
    let site = cx.site;
    let stmt = site.acquire.stmt?;
    let plain = matches!(
        site.acquire.shape,
        AcquireShape::Define | AcquireShape::Assign | AcquireShape::Var
    );
    if !plain || site.in_loop.is_some() || site.moved_elsewhere || cx.has_goto() {
        return None;
    }
    let ExprKind::Call { args, .. } = &cx.tree()[site.acquire.call].kind else {
        return None;
    };
    let parent = cx.abs(cx.tree()[*args.first()?].range);
    let mut builder = cx.builder();
    let with_cancel = cx.qualified(&mut builder, "context", "context", "WithCancel")?;
    let (context, cancel) = (cx.fresh("streamCtx"), cx.fresh("cancel"));
    let text = cx.ctx.text;
    let at = line_start(text, cx.stmt_range(stmt).start);
    if !first_on_line(text, cx.stmt_range(stmt).start) {
        return None;
    }
    let indent = indentation(text, at);
    builder.insert(
        at,
        format!(
            "{indent}{context}, {cancel} := {with_cancel}({})\n{indent}defer {cancel}()\n",
            text.get(parent.clone())?
        ),
    );
    builder.replace(parent, context);
    builder.fix(
        "give the stream a context that is cancelled when the function returns",
        Safety::Unsafe,
    )
}

/// Whether a variable gets another value between two offsets of the declaration: what is lost behind that is held by something else.
fn is_assigned(cx: &Cx<'_>, local: LocalId, from: TextSize, to: TextSize) -> bool {
    let tree = cx.tree();
    tree.stmts.iter().any(|(_, stmt)| {
        stmt.range.start() >= from
            && stmt.range.end() <= to
            && match &stmt.kind {
                StmtKind::Assign { lhs, .. } => lhs.iter().any(|target| {
                    matches!(cx.facts().refs.get(tree.unparen(*target)), Some(Res::Local(l)) if *l == local)
                }),
                _ => false,
            }
    })
}

/// What is put into a loop's body before it is wrapped.
pub(super) struct Inserted {
    /// A range (absolute) and what stands there afterwards.
    pub(super) replace: Option<(std::ops::Range<usize>, String)>,
    /// Where the code goes.
    pub(super) point: InsertPoint,
    /// One line of code.
    pub(super) code: String,
}

/// Whether an unconditional `defer` behind the acquisition is right.
fn may_defer(cx: &Cx<'_>) -> bool {
    let site = cx.site;
    // Freed twice is worse than never freed.
    if site.kind == FixKind::CMemory && !site.releases.is_empty() {
        return false;
    }
    // The other side goes by when the pipe ends, and by why.
    if site.kind == FixKind::IoPipe {
        return false;
    }
    let captured = site
        .value
        .as_ref()
        .is_some_and(|v| cx.used_by_goroutine(v.local));
    // Beside a release that is there already it would be a second one.
    let once = match site.kind {
        FixKind::PassedTo(_) | FixKind::Call(_) => true,
        FixKind::Method(method) => method.once,
        _ => false,
    };
    // A `goto` may come back to the acquisition.
    site.in_loop.is_none()
        && !cx.has_goto()
        && (!once || site.releases.is_empty())
        && !site.moved_elsewhere
        && !site.reassigned
        && !site.second_release_harmful
        && !captured
}

/// Where a release can stand. Without a place that only what was acquired reaches: behind the call that the error is given to right
/// after the acquisition, as to the assertions of a test; it may stop there, but that is not known.
fn insert_point(cx: &Cx<'_>) -> Option<InsertPoint> {
    let site = cx.site;
    if site.insert.is_some() {
        return site.insert;
    }
    let error = site.error.as_ref()?.local?;
    let stmt = site.acquire.stmt?;
    let (owner, index) = cx.nest.parent(stmt)?;
    let &next = cx.nest.list(owner).get(index + 1)?;
    let given = matches!(cx.tree()[next].kind, StmtKind::Expr(_))
        && cx.locals_in(cx.tree()[next].range).contains(&error);
    given.then_some(InsertPoint::After(next))
}

/// How safe a deferred release of the thing is.
fn defer_safety(cx: &Cx<'_>) -> Safety {
    let site = cx.site;
    let unchecked = site.acquire.error_result.is_some()
        && site.acquire.stmt.is_some()
        && site.insert == site.acquire.stmt.map(InsertPoint::After);
    if site.insert.is_none() {
        return Safety::Unsafe;
    }
    match site.kind {
        // The reader at the other end may wait for the close, or die of it.
        FixKind::PipeRead | FixKind::PipeWrite => Safety::Unsafe,
        // Somebody may want to look at it.
        FixKind::Passed(passed) if passed.package == "os" => Safety::Unsafe,
        FixKind::Cancel | FixKind::CancelCause | FixKind::SignalStop
            if site.outlives || cx.keeps_other_results() =>
        {
            Safety::Unsafe
        }
        // The value is nil where the call failed.
        FixKind::HttpBody
        | FixKind::Body
        | FixKind::SqlRows
        | FixKind::Method(_)
        | FixKind::Call(_)
        | FixKind::PassedTo(_)
            if unchecked =>
        {
            Safety::Unsafe
        }
        FixKind::Method(method) if !method.note.is_empty() => Safety::Unsafe,
        FixKind::IoPipe => Safety::Unsafe,
        _ => Safety::Safe,
    }
}

/// Puts code at the insertion point.
pub(super) fn insert_at(
    cx: &Cx<'_>,
    builder: &mut EditBuilder<'_>,
    point: InsertPoint,
    code: &str,
) -> Option<()> {
    match point {
        InsertPoint::After(stmt) => builder.insert_after(cx.stmt_range(stmt), code),
        InsertPoint::BlockStart(range) => {
            let brace = cx.abs(range).start;
            builder.insert_at_block_start(brace, brace, code)
        }
        InsertPoint::ElseIf(check) => {
            let (range, base) = else_word(cx, check)?;
            builder.replace(range, format!("\n{base}{code}\n{base}"));
            Some(())
        }
    }
}

/// The ` else ` before the second `if` of an `if` that begins a line, and the indentation of that line.
pub(super) fn else_word<'a>(
    cx: &Cx<'a>,
    check: StmtId,
) -> Option<(std::ops::Range<usize>, &'a str)> {
    let text = cx.ctx.text;
    let start = cx.stmt_range(check).start;
    let els = cx.stmt_range(else_of(cx.tree(), check)?).start;
    let StmtKind::If { then, .. } = &cx.tree()[check].kind else {
        return None;
    };
    let range = cx.abs(then.range).end..els;
    let plain = first_on_line(text, start) && text.get(range.clone())?.trim() == "else";
    plain.then(|| (range, indentation(text, start)))
}

fn insert_defer(cx: &Cx<'_>, point: InsertPoint, release: &str, safety: Safety) -> Option<Fix> {
    let mut builder = cx.builder();
    cgo_needs(cx, &mut builder)?;
    insert_at(cx, &mut builder, point, &format!("defer {release}"))?;
    let note = match safety {
        Safety::Safe => "",
        Safety::Unsafe => match cx.site.kind {
            FixKind::PipeRead | FixKind::PipeWrite => " (ends the pipe for the other side)",
            FixKind::Passed(_) => " (what it holds is gone then)",
            FixKind::File | FixKind::Ticker | FixKind::Timer => " (also if the call failed)",
            FixKind::Cancel | FixKind::CancelCause | FixKind::SignalStop => {
                " (ends what still uses the context)"
            }
            FixKind::Method(method) if !method.note.is_empty() => {
                return builder.fix(format!("defer `{release}` ({})", method.note), safety);
            }
            _ => " (panics if the call failed)",
        },
    };
    builder.fix(format!("defer `{release}`{note}"), safety)
}

/// What `C.free(unsafe.Pointer(p))` needs: the import of `unsafe`, and the declaration of `free` in the preamble.
fn cgo_needs(cx: &Cx<'_>, builder: &mut EditBuilder<'_>) -> Option<()> {
    if cx.site.kind != FixKind::CMemory {
        return Some(());
    }
    if cx.shadows("C") || cx.qualified(builder, "unsafe", "unsafe", "Pointer")? != "unsafe.Pointer"
    {
        return None;
    }
    let (text, file) = (cx.ctx.text, cx.ctx.file);
    let import = file.imports.iter().find(|i| i.path == "C")?;
    let range = cgo::preamble_range(text, file, import);
    let preamble = text.get(range.clone())?;
    if preamble.contains("stdlib.h") {
        return Some(());
    }
    let head = preamble.trim_start();
    let indent = indentation(text, range.start);
    let first = range.start + indent.len();
    if let Some(code) = head.strip_prefix("/*") {
        let line = if code.starts_with(['\n', '\r']) {
            "\n#include <stdlib.h>"
        } else {
            "\n#include <stdlib.h>\n"
        };
        builder.insert(first + 2, line);
    } else {
        builder.insert(range.start, format!("{indent}// #include <stdlib.h>\n"));
    }
    Some(())
}

/// Moves deferred releases that come too late up to the insertion point.
fn move_up(cx: &Cx<'_>, point: InsertPoint, safety: Safety) -> Option<Fix> {
    let &first = cx.site.late_defers.first()?;
    let text = cx.ctx.text;
    let insert_offset = offset_of(cx.tree(), point);
    // What the deferred call mentions must be there already.
    let range = cx.tree()[first].range;
    let known = cx.locals_in(range).into_iter().all(|local| {
        let declared = cx.facts().locals[local].ident.range;
        declared.end() <= insert_offset || range.contains_range(declared)
    });
    if !known
        || !cx
            .site
            .late_defers
            .iter()
            .all(|&d| cx.nest.is_behind(d, point))
    {
        return None;
    }
    // Deferred calls run in reverse order: one between the two places would now run before instead of after.
    let between = go_syntax::TextRange::new(insert_offset, range.start());
    let function = cx.nest.function(first);
    let reorders = cx.tree().stmts.iter().any(|(id, stmt)| {
        matches!(stmt.kind, StmtKind::Defer(_))
            && between.contains_range(stmt.range)
            && cx.nest.function(id) == function
    });
    let mut builder = cx.builder();
    let stmt = cx.stmt_range(first);
    let old_indent = indentation(text, stmt.start);
    // With the comments that stand directly on it.
    let mut top = line_start(text, stmt.start);
    while top > 0 {
        let above = line_start(text, top - 1);
        let line = &text[above..line_end(text, above)];
        if line.trim_start().starts_with("//") && indentation(text, above) == old_indent {
            top = above;
        } else {
            break;
        }
    }
    if !first_on_line(text, stmt.start) {
        return None;
    }
    let end = line_end(text, stmt.end);
    let moved = &text[top..end];
    if moved.contains('`') {
        return None;
    }
    let code = unindented(moved, old_indent);
    insert_at(cx, &mut builder, point, &code)?;
    for &late in &cx.site.late_defers {
        let mut range = cx.stmt_range(late);
        if late == first {
            range.start = top + old_indent.len();
        }
        builder.delete_statement(range)?;
    }
    let shown = match &cx.tree()[first].kind {
        StmtKind::Defer(call) => cx.src(cx.tree()[*call].range),
        _ => return None,
    };
    let shown = match shown.lines().next() {
        Some(line) if shown.lines().count() > 1 => format!("defer {line} …"),
        _ => format!("defer {shown}"),
    };
    let after_check = match point {
        InsertPoint::After(stmt) if cx.site.acquire.stmt == Some(stmt) => {
            "to where the thing is acquired"
        }
        _ => "to the error check",
    };
    if reorders {
        builder.fix(
            format!("move `{shown}` up {after_check} (changes the order of deferred calls)"),
            Safety::Unsafe,
        )
    } else {
        builder.fix(format!("move `{shown}` up {after_check}"), safety)
    }
}

/// `defer ticker.Stop()` as the first statement of the goroutine that alone reads the channel.
fn in_reader(cx: &Cx<'_>, release: &str) -> Option<Fix> {
    let site = cx.site;
    let lit = site.reader_goroutine?;
    if !matches!(site.kind, FixKind::Ticker | FixKind::Timer)
        || site.reassigned
        || site.moved_elsewhere
    {
        return None;
    }
    let value = site.value.as_ref()?;
    let ExprKind::FuncLit(func) = &cx.tree()[lit].kind else {
        return None;
    };
    // Started once for each ticker: no loop between the two.
    let go = cx.go_stmt_of(lit)?;
    let home = cx.nest.parent(site.acquire.stmt?)?.0;
    let path: Vec<_> = cx
        .nest
        .chain(go)
        .map(|(_, owner, _)| owner)
        .take_while(|o| *o != home)
        .collect();
    let looped = path.iter().any(|o| matches!(o, Owner::Body(_)));
    let reached = cx.nest.chain(go).any(|(_, owner, _)| owner == home);
    if looped
        || !reached
        || cx.rebound(
            value.local,
            func.body.range.start(),
            func.body.range.start(),
        )
    {
        return None;
    }
    // A parameter of the literal may have taken the name.
    let name = cx.facts().locals[value.local].ident.name;
    if func
        .signature
        .params
        .iter()
        .any(|p| p.name.is_some_and(|n| n.name == name))
    {
        return None;
    }
    let mut builder = cx.builder();
    let brace = cx.abs(func.body.range).start;
    builder.insert_at_block_start(brace, brace, &format!("defer {release}"))?;
    builder.fix(
        format!("defer `{release}` in the goroutine that reads the channel"),
        Safety::Safe,
    )
}

/// `t.Cleanup` instead of `defer`, in tests.
fn cleanup(cx: &Cx<'_>, point: InsertPoint, release: &str) -> Option<Fix> {
    let site = cx.site;
    if !site.late_defers.is_empty() || site.kind == FixKind::CMemory {
        return None;
    }
    let t = cx.testing_param(site.literal)?;
    let code = match site.kind {
        FixKind::Cancel | FixKind::SignalStop => {
            format!("{t}.Cleanup({})", site.value.as_ref()?.text)
        }
        _ => format!("{t}.Cleanup(func() {{ {release} }})"),
    };
    let mut builder = cx.builder();
    insert_at(cx, &mut builder, point, &code)?;
    builder.fix(format!("insert `{code}`"), defer_safety(cx))
}

/// For files that were written: the error of `Close` becomes the function's, if it has no other.
fn join_error(cx: &Cx<'_>, point: InsertPoint) -> Option<Fix> {
    let site = cx.site;
    if site.kind != FixKind::File || site.written != Some(true) {
        return None;
    }
    let value = site.value.as_ref()?;
    let signature = cx.signature(site.literal)?;
    let last = signature.results.last()?;
    if !is_error_param(cx.tree(), last) || cx.shadows("error") {
        return None;
    }
    let mut builder = cx.builder();
    let result = match last.name {
        Some(ident) if !ident.name.is_blank() => {
            let local = (*cx.results(site.literal).last()?)?;
            let at = offset_of(cx.tree(), point);
            // Another variable of that name might be meant at the place of the defer.
            if cx.rebound(local, ident.range.end(), at) {
                return None;
            }
            ident.name.as_str().to_owned()
        }
        Some(_) => return None,
        None => {
            let name = cx.fresh("retErr");
            if signature.results.len() == 1 {
                let range = cx.abs(last.range);
                let before = &cx.ctx.text[..range.start];
                if before.ends_with('(') {
                    builder.insert(range.start, format!("{name} "));
                } else {
                    builder.replace(range, format!("({name} error)"));
                }
            } else {
                for result in &signature.results {
                    let start = cx.abs(result.range).start;
                    let name = if std::ptr::eq(result, last) {
                        name.as_str()
                    } else {
                        "_"
                    };
                    builder.insert(start, format!("{name} "));
                }
            }
            name
        }
    };
    let code = if cx.ctx.go >= (1, 20)
        && let Some(join) = cx.qualified(&mut builder, "errors", "errors", "Join")
    {
        format!(
            "defer func() {{\n\t{result} = {join}({result}, {}.Close())\n}}()",
            value.text
        )
    } else {
        let closed = cx.fresh("closeErr");
        format!(
            "defer func() {{\n\tif {closed} := {}.Close(); {result} == nil {{\n\t\t{result} = {closed}\n\t}}\n}}()",
            value.text
        )
    };
    insert_at(cx, &mut builder, point, &code)?;
    builder.fix(
        format!(
            "defer `{}.Close()` and return its error (the function may fail where it did not)",
            value.text
        ),
        Safety::Unsafe,
    )
}

/// Whether the end of a list of statements leads straight to the end of the function or to the next iteration.
fn ends_at(cx: &Cx<'_>, owner: Owner, kind: LeakKind) -> bool {
    // A `break` of a switch or a jump would leave the list on another way.
    let jumps = cx.nest.list(owner).iter().any(|&stmt| {
        cx.tree().walk(stmt, Literals::Skip).any(|node| {
            node.stmt().is_some_and(|s| {
                matches!(
                    cx.tree()[s].kind,
                    StmtKind::Branch {
                        kind: BranchKind::Break | BranchKind::Goto | BranchKind::Fallthrough,
                        ..
                    }
                )
            })
        })
    });
    let mut at = owner;
    loop {
        match at {
            Owner::Func(f) => return kind == LeakKind::End && f == cx.site.literal,
            Owner::Body(l) => {
                return kind == LeakKind::NextIteration
                    && Some(l) == cx.site.in_loop
                    && (at == owner || !jumps);
            }
            _ if jumps => return false,
            Owner::Header(_) => return false,
            _ => {}
        }
        let Some((outer, _)) = at.stmt().and_then(|s| cx.nest.parent(s)) else {
            return false;
        };
        at = outer;
    }
}

/// The `continue` statements of the loop behind the insertion point.
fn continues(cx: &Cx<'_>, point: InsertPoint) -> Vec<StmtId> {
    cx.tree()
        .stmts
        .iter()
        .filter(|(id, stmt)| {
            let StmtKind::Branch {
                kind: BranchKind::Continue,
                label,
            } = &stmt.kind
            else {
                return false;
            };
            let inner = cx.nest.chain(*id).find_map(|(_, owner, _)| match owner {
                Owner::Body(l) => Some(l),
                _ => None,
            });
            label.is_none() && inner == cx.site.in_loop && cx.nest.is_behind(*id, point)
        })
        .map(|(id, _)| id)
        .collect()
}

/// Whether a goroutine that uses the thing may run where it is lost. One that is started further down has not got this one yet, if the
/// acquisition declares the variable.
fn started_before_a_leak(cx: &Cx<'_>, value: &Value) -> bool {
    let last = (cx.site.leaks.iter())
        .map(|leak| {
            leak.stmt
                .map_or(cx.tree().len, |s| cx.tree()[s].range.start())
        })
        .max();
    cx.tree().stmts.iter().any(|(_, stmt)| {
        matches!(stmt.kind, StmtKind::Go(_))
            && (!value.declared_here || last.is_none_or(|last| stmt.range.start() < last))
            && cx.locals_in(stmt.range).contains(&value.local)
    })
}

/// The release of an end of a pipe before a return tells the other side the error that is returned.
fn with_error(cx: &Cx<'_>, exit: StmtId, release: &str) -> String {
    let error = match &cx.tree()[exit].kind {
        StmtKind::Return(values) if cx.site.kind == FixKind::IoPipe => values
            .last()
            .and_then(|last| cx.local_of(*last))
            .filter(|local| cx.facts().locals[*local].ty.is_error()),
        _ => None,
    };
    match (error, &cx.site.value) {
        (Some(error), Some(value)) => {
            let error = cx.facts().locals[error].ident.name;
            format!("{}.CloseWithError({error})", value.text)
        }
        _ => release.to_owned(),
    }
}

/// A release before each statement that loses the thing.
fn release_at_exits(cx: &Cx<'_>, release: &str) -> Option<Fix> {
    let site = cx.site;
    let value = site.value.as_ref()?;
    let point = insert_point(cx)?;
    if site.leaks.is_empty()
        || site.second_release_harmful
        || cx.has_goto()
        || site.kind != FixKind::IoPipe && started_before_a_leak(cx, value)
    {
        return None;
    }
    if !matches!(
        site.acquire.shape,
        AcquireShape::Define | AcquireShape::Var | AcquireShape::Assign | AcquireShape::Init(_)
    ) {
        return None;
    }
    let mut builder = cx.builder();
    cgo_needs(cx, &mut builder)?;
    let from = cx.tree()[site.acquire.call].range.end();
    let mut unsafe_ = defer_safety(cx) == Safety::Unsafe;
    let mut done: Vec<StmtId> = Vec::new();
    let mut at_end = false;
    let mut leaks = site.leaks.clone();
    if leaks.iter().any(|l| l.kind == LeakKind::NextIteration)
        && site.releases.is_empty()
        && !site.moved_elsewhere
    {
        // Nothing releases it anywhere, so that every other way to the next iteration loses it too.
        for stmt in continues(cx, point) {
            if leaks.iter().all(|l| l.stmt != Some(stmt)) {
                leaks.push(LeakPoint {
                    stmt: Some(stmt),
                    kind: LeakKind::NextIteration,
                    operands_touch: false,
                });
            }
        }
    }
    for leak in &leaks {
        unsafe_ |= leak.operands_touch;
        // An operand that reads from the thing would fail behind the release.
        if leak.operands_touch {
            return None;
        }
        match (leak.kind, leak.stmt) {
            (LeakKind::Panic, _) => {}
            (LeakKind::Return | LeakKind::NextIteration | LeakKind::Overwrite, Some(stmt)) => {
                let range = cx.tree()[stmt].range;
                if done.contains(&stmt) {
                    continue;
                }
                let is_exit = matches!(
                    cx.tree()[stmt].kind,
                    StmtKind::Return(_) | StmtKind::Branch { .. } | StmtKind::Assign { .. }
                );
                if !is_exit
                    || site.acquire.stmt == Some(stmt)
                    || !cx.nest.is_behind(stmt, point)
                    || cx.rebound(value.local, from, range.start())
                    || is_assigned(cx, value.local, from, range.start())
                    || cx.nest.function(stmt) != Some(site.literal)
                {
                    return None;
                }
                let release = with_error(cx, stmt, release);
                builder.insert_before(cx.stmt_range(stmt), &release)?;
                done.push(stmt);
            }
            (LeakKind::End | LeakKind::NextIteration, _) => {
                // At the end of the list of statements that the acquisition is in: nothing jumps over it.
                let owner = cx.nest.owner_of(point)?;
                let right = ends_at(cx, owner, leak.kind);
                let &last = cx.nest.list(owner).last()?;
                let leaves = matches!(
                    cx.tree()[last].kind,
                    StmtKind::Return(_) | StmtKind::Branch { .. }
                );
                if !right || leaves || cx.rebound(value.local, from, cx.tree()[last].range.end()) {
                    // A later variable of the name in a nested block would do no harm, but that is not known here.
                    return None;
                }
                if !at_end {
                    if InsertPoint::After(last) == point {
                        insert_at(cx, &mut builder, point, release)?;
                    } else {
                        builder.insert_after(cx.stmt_range(last), release)?;
                    }
                    at_end = true;
                }
            }
            (LeakKind::Return | LeakKind::Overwrite, None) => return None,
        }
    }
    let places = done.len() + usize::from(at_end);
    let place = match (places, done.first().map(|&s| &cx.tree()[s].kind)) {
        (0, _) => return None,
        (1, Some(StmtKind::Return(_))) => "before the return that loses it".to_owned(),
        (1, Some(StmtKind::Branch { .. })) => "before the next iteration".to_owned(),
        (1, Some(_)) => "before the variable is overwritten".to_owned(),
        (1, None) if site.in_loop.is_some() => "at the end of the iteration".to_owned(),
        (1, None) => "at the end of the function".to_owned(),
        (n, _) => format!("at the {n} places that lose it"),
    };
    let safety = if unsafe_ {
        Safety::Unsafe
    } else {
        Safety::Safe
    };
    builder.fix(format!("call `{release}` {place}"), safety)
}
