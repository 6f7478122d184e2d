//! Fixes for goroutines that wait for ever, and for locks.

use go_model::facts::{LocalId, Res};
use go_syntax::Literals;
use go_syntax::ast::{ExprId, ExprKind, StmtId, StmtKind};

use super::Cx;
use super::nest::Owner;
use super::pattern::{in_loop, insert_above};
use crate::edit::{first_on_line, indentation};
use crate::engine::site::{BufferSize, Pattern};
use crate::{Fix, Safety};

pub(super) fn fixes(cx: &Cx<'_>, pattern: Pattern) -> Vec<Fix> {
    let found = match pattern {
        Pattern::AbandonedSend {
            make,
            size,
            safe,
            send,
            context,
            leave,
        } => vec![
            leave.and_then(|safe| leave_after(cx, safe)),
            size.and_then(|size| buffer(cx, make, size, safe)),
            context_arm(cx, send, context),
        ],
        Pattern::UnclosedChannel {
            made,
            sender,
            last_send,
            ranges,
            receive,
            last,
            context,
            owner_sends,
        } => vec![
            close_channel(cx, made, sender, last_send, ranges, last),
            (ranges && sender.is_none() && last_send.is_none() && owner_sends)
                .then(|| defer_close(cx, made, Safety::Unsafe))
                .flatten(),
            (!ranges)
                .then(|| receive_arm(cx, receive, context, last))
                .flatten(),
        ],
        Pattern::CloseBefore { made, safe, wait } => vec![close_before(cx, made, safe, wait)],
        Pattern::MissingUnlock {
            verb,
            touched,
            single,
            goes_on,
        } => vec![
            unlock_before(cx, verb, touched, single),
            (single && !goes_on)
                .then(|| defer_unlock(cx, verb))
                .flatten(),
        ],
        Pattern::DeferDone { last, go } => vec![
            defer_done(cx, last),
            go.and_then(|(add, go)| counted_go(cx, add, go, last)),
        ],
        Pattern::MoveAdd { go, done } => vec![
            move_add(cx, go),
            done.and_then(|done| self_counted_go(cx, go, done)),
        ],
        Pattern::WrongUnlock { verb } => vec![other_unlock(cx, verb)],
        Pattern::GrowingContext { looping } => vec![own_context(cx, looping)],
        Pattern::NestedGroup { last } => vec![second_group(cx, last)],
        Pattern::ExitArm { select, context } => vec![exit_arm(cx, select, context)],
        Pattern::WaitArm { context, sleeps } => vec![wait_arm(cx, context, sleeps)],
        Pattern::Unbounded {
            looping,
            literal,
            group,
        } => vec![match group {
            Some(group) => set_limit(cx, group),
            None => semaphore(cx, looping, literal),
        }],
        Pattern::StopWorker { stop } => vec![stop_worker(cx, stop)],
        Pattern::LeaveAfter => vec![leave_after(cx, false)],
        Pattern::Unjoined { handle, group } => vec![wait_before(cx, handle, group)],
        // Made elsewhere.
        _ => Vec::new(),
    };
    found.into_iter().flatten().collect()
}

fn safety(safe: bool) -> Safety {
    if safe { Safety::Safe } else { Safety::Unsafe }
}

/// The channel gets a buffer that takes what nobody receives.
fn buffer(cx: &Cx<'_>, make: ExprId, size: BufferSize, safe: bool) -> Option<Fix> {
    let ExprKind::Call { args, .. } = &cx.tree()[make].kind else {
        return None;
    };
    let [ty] = args[..] else { return None };
    let ty = cx.src(cx.tree()[ty].range);
    let size = match size {
        BufferSize::Count(n) => n.to_string(),
        BufferSize::Of { expr, len, plain } => {
            let expr = cx.src(cx.tree()[expr].range);
            if len && cx.shadows("len") || expr.contains('\n') {
                return None;
            }
            let expr = if len {
                format!("len({expr})")
            } else {
                expr.to_owned()
            };
            match plain {
                0 => expr,
                n => format!("{expr}+{n}"),
            }
        }
    };
    let range = cx.abs(cx.tree()[make].range);
    let inner = cx.ctx.text.get(range.clone())?.strip_suffix(')')?;
    if ty.contains('\n') || !inner.ends_with(ty) {
        return None;
    }
    let mut builder = cx.builder();
    builder.insert(range.end - 1, format!(", {size}"));
    builder.fix(
        format!("give the channel room for every send: `make({ty}, {size})`"),
        safety(safe),
    )
}

/// The send ends when the context is done.
fn context_arm(cx: &Cx<'_>, send: Option<StmtId>, context: Option<LocalId>) -> Option<Fix> {
    let (send, context) = (send?, context?);
    let name = cx.facts().locals[context].ident.name;
    let shadowed =
        (cx.facts().locals.iter()).any(|(id, local)| id != context && local.ident.name == name);
    if shadowed
        || matches!(
            cx.nest.parent(send)?.0,
            Owner::Header(_) | Owner::Else(_) | Owner::Label(_)
        )
    {
        return None;
    }
    let range = cx.stmt_range(send);
    let text = cx.ctx.text;
    let source = cx.src(cx.tree()[send].range);
    if !first_on_line(text, range.start) || source.contains('\n') {
        return None;
    }
    let tabs = indentation(text, range.start);
    let mut builder = cx.builder();
    builder.replace(
        range,
        format!("select {{\n{tabs}case {source}:\n{tabs}case <-{name}.Done():\n{tabs}}}"),
    );
    builder.fix(
        format!("give up sending when `{name}` is done"),
        Safety::Unsafe,
    )
}

/// The goroutine returns behind each send that another one follows.
fn leave_after(cx: &Cx<'_>, safe: bool) -> Option<Fix> {
    let mut builder = cx.builder();
    for &send in &cx.site.releases {
        match cx.nest.parent(send)?.0 {
            Owner::Then(_) | Owner::Case(..) => {}
            _ => return None,
        }
        builder.insert_after(cx.stmt_range(send), "return")?;
    }
    let place = match cx.site.releases.len() {
        1 => "the first send",
        _ => "each earlier send",
    };
    builder.fix(format!("return behind {place}"), safety(safe))
}

/// A receive whose value is dropped ends when the context is done.
fn receive_arm(
    cx: &Cx<'_>,
    receive: Option<StmtId>,
    context: Option<LocalId>,
    last: bool,
) -> Option<Fix> {
    let (receive, context) = (receive?, context?);
    let name = cx.facts().locals[context].ident.name;
    let shadowed =
        (cx.facts().locals.iter()).any(|(id, local)| id != context && local.ident.name == name);
    let (owner, _) = cx.nest.parent(receive)?;
    if shadowed || matches!(owner, Owner::Header(_) | Owner::Else(_) | Owner::Label(_)) {
        return None;
    }
    let plain = cx
        .signature(cx.nest.function(receive)?)
        .is_some_and(|signature| signature.results.is_empty());
    let range = cx.stmt_range(receive);
    let text = cx.ctx.text;
    let source = cx.src(cx.tree()[receive].range);
    if !plain || !first_on_line(text, range.start) || source.contains('\n') {
        return None;
    }
    let tabs = indentation(text, range.start);
    let leave = match last {
        true => String::new(),
        false => format!("\n{tabs}\treturn"),
    };
    let mut builder = cx.builder();
    builder.replace(
        range,
        format!("select {{\n{tabs}case {source}:\n{tabs}case <-{name}.Done():{leave}\n{tabs}}}"),
    );
    builder.fix(
        format!("give up waiting when `{name}` is done"),
        Safety::Unsafe,
    )
}

/// The channel is closed before each return that does not do it, and the goroutine waited for where the function does that elsewhere.
fn close_before(
    cx: &Cx<'_>,
    made: StmtId,
    safe: bool,
    wait: Option<(LocalId, bool)>,
) -> Option<Fix> {
    let local = declared(cx, made)?;
    let name = cx.facts().locals[local].ident.name;
    if cx.shadows("close") || cx.has_goto() {
        return None;
    }
    let wait = wait.map(|(handle, group)| (handle, wait_code(cx, handle, group)));
    let code = match &wait {
        Some((_, wait)) => format!("close({name})\n{wait}"),
        None => format!("close({name})"),
    };
    let mut builder = cx.builder();
    for leak in &cx.site.leaks {
        let stmt = leak.stmt?;
        let start = cx.tree()[stmt].range.start();
        if cx.rebound(local, cx.tree()[made].range.end(), start)
            || wait.as_ref().is_some_and(|(handle, _)| {
                let declared = cx.facts().locals[*handle].ident.range.end();
                declared > start || cx.rebound(*handle, declared, start)
            })
        {
            return None;
        }
        match cx.nest.parent(stmt)?.0 {
            Owner::Header(_) | Owner::Else(_) | Owner::Label(_) => return None,
            _ => builder.insert_before(cx.stmt_range(stmt), &code)?,
        }
    }
    let place = match cx.site.leaks.len() {
        1 => "the return",
        _ => "each such return",
    };
    match wait {
        Some((_, wait)) => builder.fix(
            format!("close `{name}` before {place}, and wait for the goroutine: `{wait}`"),
            Safety::Unsafe,
        ),
        None => builder.fix(format!("close `{name}` before {place}"), safety(safe)),
    }
}

/// The channel is closed when everything was sent.
fn close_channel(
    cx: &Cx<'_>,
    made: StmtId,
    sender: Option<(ExprId, ExprId)>,
    last_send: Option<StmtId>,
    ranges: bool,
    last: bool,
) -> Option<Fix> {
    if cx.shadows("close") || cx.has_goto() {
        return None;
    }
    let mut builder = cx.builder();
    if let Some((literal, mention)) = sender.filter(|_| ranges) {
        let channel = cx.src(cx.tree()[mention].range);
        let ExprKind::FuncLit(lit) = &cx.tree()[literal].kind else {
            return None;
        };
        let brace = cx.abs(lit.body.range).start;
        builder.insert_at_block_start(brace, brace, &format!("defer close({channel})"))?;
        return builder.fix(
            format!("defer `close({channel})` in the goroutine that sends"),
            Safety::Safe,
        );
    }
    let local = declared(cx, made)?;
    let name = cx.facts().locals[local].ident.name;
    if let Some(last) = last_send.filter(|_| ranges) {
        let range = cx.tree()[last].range;
        if cx.rebound(local, cx.tree()[made].range.end(), range.end()) {
            return None;
        }
        builder.insert_after(cx.stmt_range(last), &format!("close({name})"))?;
        return builder.fix(format!("close `{name}` behind the last send"), Safety::Safe);
    }
    if ranges {
        return None;
    }
    defer_close(cx, made, safety(last))
}

/// The channel is closed when the function returns that made it.
fn defer_close(cx: &Cx<'_>, made: StmtId, safety: Safety) -> Option<Fix> {
    let local = declared(cx, made)?;
    let name = cx.facts().locals[local].ident.name;
    if cx.shadows("close") || cx.has_goto() || in_loop(cx, made) {
        return None;
    }
    let mut builder = cx.builder();
    builder.insert_after(cx.stmt_range(made), &format!("defer close({name})"))?;
    builder.fix(
        format!("defer `close({name})`, which wakes the goroutine at the end"),
        safety,
    )
}

/// The variable that a statement declares first.
fn declared(cx: &Cx<'_>, stmt: StmtId) -> Option<LocalId> {
    match &cx.tree()[stmt].kind {
        StmtKind::Assign { lhs, .. } => match lhs[..] {
            [only] => cx.local_of(only),
            _ => None,
        },
        StmtKind::Var(specs) => {
            let [spec] = &specs[..] else { return None };
            let [name] = spec.names[..] else { return None };
            cx.facts()
                .locals
                .iter()
                .find(|(_, l)| l.ident.range == name.range)
                .map(|(id, _)| id)
        }
        _ => None,
    }
}

/// What stands before the method of the locking call.
fn locked<'a>(cx: &Cx<'a>) -> Option<&'a str> {
    let ExprKind::Call { func, .. } = &cx.tree()[cx.site.acquire.call].kind else {
        return None;
    };
    let ExprKind::Selector { base, .. } = &cx.tree()[cx.tree().unparen(*func)].kind else {
        return None;
    };
    // Another variable of the same name may stand between here and there.
    for id in cx.tree().walk(*base, Literals::Skip) {
        let Some(e) = id.expr() else { continue };
        let ExprKind::Ident(name) = cx.tree()[e].kind else {
            continue;
        };
        let own = match cx.facts().refs.get(e) {
            Some(Res::Local(local)) => Some(*local),
            _ => None,
        };
        if (cx.facts().locals.iter()).any(|(id, l)| l.ident.name == name && Some(id) != own) {
            return None;
        }
    }
    let source = cx.src(cx.tree()[*base].range);
    (!source.contains('\n')).then_some(source)
}

/// The lock is given back before each return that keeps it.
fn unlock_before(cx: &Cx<'_>, verb: &str, touched: bool, single: bool) -> Option<Fix> {
    let lock = locked(cx)?;
    let mut builder = cx.builder();
    for leak in &cx.site.leaks {
        let stmt = leak.stmt?;
        match cx.nest.parent(stmt)?.0 {
            Owner::Header(_) | Owner::Else(_) | Owner::Label(_) => return None,
            _ => builder.insert_before(cx.stmt_range(stmt), &format!("{lock}.{verb}()"))?,
        }
    }
    let place = match cx.site.leaks.len() {
        1 => "the return",
        _ => "each such return",
    };
    if touched {
        builder.fix(
            format!("call `{lock}.{verb}()` before {place} (its values are then computed without the lock)"),
            Safety::Unsafe,
        )
    } else {
        builder.fix(
            format!("call `{lock}.{verb}()` before {place}"),
            // Where it is taken in several places, one of them may be meant to be an unlock.
            safety(single),
        )
    }
}

/// One deferred unlock in place of all the others.
fn defer_unlock(cx: &Cx<'_>, verb: &str) -> Option<Fix> {
    let lock = locked(cx)?;
    let stmt = cx.site.acquire.stmt?;
    if cx.has_goto()
        || in_loop(cx, stmt)
        || !matches!(cx.nest.parent(stmt)?.0, Owner::Func(_))
        || !matches!(cx.tree()[stmt].kind, StmtKind::Expr(_))
    {
        return None;
    }
    let mut builder = cx.builder();
    builder.insert_after(cx.stmt_range(stmt), &format!("defer {lock}.{verb}()"))?;
    for &release in &cx.site.releases {
        if !matches!(cx.tree()[release].kind, StmtKind::Expr(_)) || in_loop(cx, release) {
            return None;
        }
        builder.delete_statement(cx.stmt_range(release))?;
    }
    builder.fix(
        format!("defer `{lock}.{verb}()` (the lock is held until the function returns)"),
        Safety::Unsafe,
    )
}

/// `Done` is deferred at the top of the goroutine.
fn defer_done(cx: &Cx<'_>, last: bool) -> Option<Fix> {
    let literal = cx.site.literal?;
    let ExprKind::FuncLit(lit) = &cx.tree()[literal].kind else {
        return None;
    };
    let call = cx.site.acquire.call;
    let source = cx.src(cx.tree()[call].range);
    if source.contains('\n') {
        return None;
    }
    let mut builder = cx.builder();
    let brace = cx.abs(lit.body.range).start;
    builder.insert_at_block_start(brace, brace, &format!("defer {source}"))?;
    for &release in &cx.site.releases {
        if !matches!(cx.tree()[release].kind, StmtKind::Expr(_)) {
            return None;
        }
        builder.delete_statement(cx.stmt_range(release))?;
    }
    builder.fix(
        format!("defer `{source}` at the top of the goroutine"),
        safety(last),
    )
}

/// `go func() { … }()` becomes the argument of `Go` of a group, which counts it.
fn through_group(
    cx: &Cx<'_>,
    builder: &mut crate::edit::EditBuilder<'_>,
    go: StmtId,
    group: &str,
) -> Option<()> {
    if cx.ctx.go < (1, 25) {
        return None;
    }
    let StmtKind::Go(call) = cx.tree()[go].kind else {
        return None;
    };
    let ExprKind::Call { func, .. } = &cx.tree()[cx.tree().unparen(call)].kind else {
        return None;
    };
    let (whole, literal) = (cx.stmt_range(go), cx.abs(cx.tree()[*func].range));
    if cx.ctx.text.get(literal.end..whole.end)? != "()" || group.contains('\n') {
        return None;
    }
    builder.replace(whole.start..literal.start, format!("{group}.Go("));
    builder.replace(literal.end..whole.end, ")");
    Some(())
}

/// What stands before the method of a call.
fn receiver<'a>(cx: &Cx<'a>, call: ExprId) -> Option<&'a str> {
    let ExprKind::Call { func, .. } = &cx.tree()[call].kind else {
        return None;
    };
    match &cx.tree()[cx.tree().unparen(*func)].kind {
        ExprKind::Selector { base, .. } => Some(cx.src(cx.tree()[*base].range)),
        _ => None,
    }
}

/// `WaitGroup.Go` takes the place of `Add`, `go` and every `Done`.
fn counted_go(cx: &Cx<'_>, add: StmtId, go: StmtId, last: bool) -> Option<Fix> {
    let group = receiver(cx, cx.site.acquire.call)?;
    let mut builder = cx.builder();
    builder.delete_statement(cx.stmt_range(add))?;
    through_group(cx, &mut builder, go, group)?;
    for &release in &cx.site.releases {
        if !matches!(cx.tree()[release].kind, StmtKind::Expr(_)) {
            return None;
        }
        builder.delete_statement(cx.stmt_range(release))?;
    }
    builder.fix(
        format!("start it with `{group}.Go`, which calls `Done` at its end"),
        safety(last),
    )
}

/// `WaitGroup.Go` takes the place of `go`, and of `Add` and `Done` in the goroutine.
fn self_counted_go(cx: &Cx<'_>, go: StmtId, done: StmtId) -> Option<Fix> {
    let add = cx.site.acquire.stmt?;
    let group = receiver(cx, cx.site.acquire.call)?;
    let mut builder = cx.builder();
    through_group(cx, &mut builder, go, group)?;
    let (add, done) = (cx.stmt_range(add), cx.stmt_range(done));
    // A comment behind `Add` goes with it; others stay, and there is no fix.
    if cx.ctx.text.get(add.end..done.start)?.matches('\n').count() != 1 {
        return None;
    }
    builder.delete_statement(add.start..done.end)?;
    builder.fix(
        format!("start it with `{group}.Go`, which counts it first"),
        Safety::Safe,
    )
}

/// Each round of the loop gets a context of its own.
fn own_context(cx: &Cx<'_>, looping: StmtId) -> Option<Fix> {
    let stmt = cx.site.acquire.stmt?;
    let StmtKind::Assign { lhs, .. } = &cx.tree()[stmt].kind else {
        return None;
    };
    let (owner, _) = cx.nest.parent(stmt)?;
    if owner != Owner::Body(looping) || cx.has_goto() {
        return None;
    }
    let (body, here) = (cx.tree()[looping].range, cx.tree()[stmt].range);
    for target in lhs {
        if cx.tree().ident(*target).is_some_and(|i| i.name.is_blank()) {
            continue;
        }
        // The new variable has to be used, the old one too, and nobody may look for the value in the old one.
        let local = cx.local_of(*target)?;
        let l = &cx.facts().locals[local];
        let places: Vec<_> = (cx.facts().refs.iter())
            .filter(|(_, res)| **res == Res::Local(local))
            .map(|(e, _)| cx.tree()[e].range)
            .collect();
        let inside = |r: &go_syntax::TextRange| body.contains_range(*r);
        let behind = |r: &go_syntax::TextRange| inside(r) && r.start() >= here.end();
        let other = places
            .iter()
            .any(|r| inside(r) && r.end() <= here.start() || r.start() >= body.end());
        let kept = places
            .iter()
            .any(|r| r.end() <= body.start() && *r != l.ident.range)
            || here.contains_range(l.ident.range)
            || l.kind != go_model::facts::LocalKind::Var
            || places
                .iter()
                .any(|r| here.contains_range(*r) && *r != cx.tree()[*target].range);
        let assigned = (cx.tree().stmts.iter()).any(|(id, s)| match &s.kind {
            StmtKind::Assign { lhs, .. } => {
                id != stmt && inside(&s.range) && lhs.iter().any(|e| cx.local_of(*e) == Some(local))
            }
            _ => false,
        });
        if other || !kept || assigned || !places.iter().any(behind) {
            return None;
        }
    }
    let (first, last) = (lhs.first()?, lhs.last()?);
    let end = cx.abs(cx.tree()[*last].range).end;
    let text = cx.ctx.text.get(end..cx.stmt_range(stmt).end)?;
    let equals = end + text.find('=')?;
    let names = cx.src(go_syntax::TextRange::new(
        cx.tree()[*first].range.start(),
        cx.tree()[*last].range.end(),
    ));
    let mut builder = cx.builder();
    builder.replace(equals..equals + 1, ":=");
    builder.fix(
        format!("declare `{names}` anew in each round"),
        Safety::Unsafe,
    )
}

/// The inner goroutines get a group of their own, for which the function around them waits.
fn second_group(cx: &Cx<'_>, last: StmtId) -> Option<Fix> {
    let ExprKind::FuncLit(lit) = &cx.tree()[cx.site.literal?].kind else {
        return None;
    };
    let StmtKind::Return(values) = &cx.tree()[last].kind else {
        return None;
    };
    let mut builder = cx.builder();
    let ty = cx.qualified(
        &mut builder,
        "golang.org/x/sync/errgroup",
        "errgroup",
        "Group",
    )?;
    let name = cx.fresh("inner");
    let brace = cx.abs(lit.body.range).start;
    builder.insert_at_block_start(brace, brace, &format!("var {name} {ty}"))?;
    for &start in &cx.site.releases {
        let StmtKind::Expr(call) = cx.tree()[start].kind else {
            return None;
        };
        let ExprKind::Call { func, .. } = &cx.tree()[cx.tree().unparen(call)].kind else {
            return None;
        };
        let ExprKind::Selector { base, .. } = &cx.tree()[cx.tree().unparen(*func)].kind else {
            return None;
        };
        builder.replace(cx.abs(cx.tree()[*base].range), name.clone());
    }
    builder.replace(
        cx.abs(cx.tree()[*values.first()?].range),
        format!("{name}.Wait()"),
    );
    builder.fix(
        "start them in a second group, without a limit, and wait for it",
        Safety::Unsafe,
    )
}

/// The lock is given back as it was taken.
fn other_unlock(cx: &Cx<'_>, verb: &str) -> Option<Fix> {
    let ExprKind::Call { func, .. } = &cx.tree()[cx.site.acquire.call].kind else {
        return None;
    };
    let ExprKind::Selector { name, .. } = &cx.tree()[cx.tree().unparen(*func)].kind else {
        return None;
    };
    let mut builder = cx.builder();
    builder.replace(cx.abs(name.range), verb);
    builder.fix(format!("call `{verb}` instead"), Safety::Unsafe)
}

/// The goroutine is counted before it is started.
fn move_add(cx: &Cx<'_>, go: StmtId) -> Option<Fix> {
    let add = cx.site.acquire.stmt?;
    let source = cx.src(cx.tree()[add].range);
    if source.contains('\n') {
        return None;
    }
    let mut builder = cx.builder();
    insert_above(cx, &mut builder, go, source)?;
    builder.delete_statement(cx.stmt_range(add))?;
    builder.fix(
        format!("call `{source}` before the goroutine is started"),
        Safety::Safe,
    )
}

/// Another arm of the select, by which the goroutine returns.
fn exit_arm(cx: &Cx<'_>, select: StmtId, context: LocalId) -> Option<Fix> {
    let name = cx.facts().locals[context].ident.name;
    if (cx.facts().locals.iter()).any(|(id, l)| id != context && l.ident.name == name) {
        return None;
    }
    let range = cx.stmt_range(select);
    let text = cx.ctx.text;
    let end = range.end - 1;
    if !first_on_line(text, range.start) || !first_on_line(text, end) {
        return None;
    }
    let tabs = indentation(text, range.start);
    let mut builder = cx.builder();
    builder.insert(
        crate::edit::line_start(text, end),
        format!("{tabs}case <-{name}.Done():\n{tabs}\treturn\n"),
    );
    builder.fix(format!("return when `{name}` is done"), Safety::Unsafe)
}

/// The loop's wait ends when the context is done, and so does the function.
fn wait_arm(cx: &Cx<'_>, context: LocalId, sleeps: bool) -> Option<Fix> {
    let wait = cx.site.acquire.stmt?;
    let name = cx.facts().locals[context].ident.name;
    let shadowed =
        (cx.facts().locals.iter()).any(|(id, local)| id != context && local.ident.name == name);
    let (owner, _) = cx.nest.parent(wait)?;
    if shadowed || matches!(owner, Owner::Header(_) | Owner::Else(_) | Owner::Label(_)) {
        return None;
    }
    let leave = match &cx.signature(cx.site.literal)?.results[..] {
        [] => "return".to_owned(),
        [only] if only.name.is_none() && super::is_error_param(cx.tree(), only) => {
            format!("return {name}.Err()")
        }
        _ => return None,
    };
    let range = cx.stmt_range(wait);
    let text = cx.ctx.text;
    let source = cx.src(cx.tree()[wait].range);
    if !first_on_line(text, range.start) || source.contains('\n') || cx.has_goto() {
        return None;
    }
    let tabs = indentation(text, range.start);
    let mut builder = cx.builder();
    let code = match sleeps {
        false => format!(
            "select {{\n{tabs}case {source}:\n{tabs}case <-{name}.Done():\n{tabs}\t{leave}\n{tabs}}}"
        ),
        true => {
            let ExprKind::Call { args, .. } = &cx.tree()[cx.site.acquire.call].kind else {
                return None;
            };
            let [delay] = args[..] else { return None };
            let delay = cx.src(cx.tree()[delay].range);
            let new_timer = cx.qualified(&mut builder, "time", "time", "NewTimer")?;
            let timer = cx.fresh("timer");
            format!(
                "{timer} := {new_timer}({delay})\n{tabs}select {{\n{tabs}case <-{timer}.C:\n{tabs}case <-{name}.Done():\n{tabs}\t{timer}.Stop()\n{tabs}\t{leave}\n{tabs}}}"
            )
        }
    };
    builder.replace(range, code);
    builder.fix(format!("return when `{name}` is done"), Safety::Unsafe)
}

/// The worker is stopped when the function returns.
fn stop_worker(cx: &Cx<'_>, stop: go_syntax::Name) -> Option<Fix> {
    let stmt = cx.site.acquire.stmt?;
    let worker = locked(cx)?;
    if cx.has_goto() || in_loop(cx, stmt) || !matches!(cx.tree()[stmt].kind, StmtKind::Expr(_)) {
        return None;
    }
    let mut builder = cx.builder();
    builder.insert_after(cx.stmt_range(stmt), &format!("defer {worker}.{stop}()"))?;
    builder.fix(format!("defer `{worker}.{stop}()`"), Safety::Unsafe)
}

/// What waits for a goroutine by a channel or a group.
fn wait_code(cx: &Cx<'_>, handle: LocalId, group: bool) -> String {
    let name = cx.facts().locals[handle].ident.name;
    match group {
        true => format!("{name}.Wait()"),
        false => format!("<-{name}"),
    }
}

/// The goroutine is waited for before each return that leaves it running.
fn wait_before(cx: &Cx<'_>, handle: LocalId, group: bool) -> Option<Fix> {
    let local = &cx.facts().locals[handle];
    let wait = wait_code(cx, handle, group);
    let mut builder = cx.builder();
    for leak in &cx.site.leaks {
        let stmt = leak.stmt?;
        if cx.rebound(handle, local.ident.range.end(), cx.tree()[stmt].range.end()) {
            return None;
        }
        match cx.nest.parent(stmt)?.0 {
            Owner::Header(_) | Owner::Else(_) | Owner::Label(_) => return None,
            _ => builder.insert_before(cx.stmt_range(stmt), &wait)?,
        }
    }
    let place = match cx.site.leaks.len() {
        1 => "the return",
        _ => "each such return",
    };
    builder.fix(
        format!("wait for the goroutine before {place}: `{wait}`"),
        Safety::Unsafe,
    )
}

/// So many goroutines at a time are offered: a number that the author has to look at.
const AT_A_TIME: u32 = 16;

/// Each goroutine takes a place in a channel with so many, and gives it back at its end.
fn semaphore(cx: &Cx<'_>, looping: StmtId, literal: Option<ExprId>) -> Option<Fix> {
    let start = cx.site.acquire.stmt?;
    let ExprKind::FuncLit(lit) = &cx.tree()[literal?].kind else {
        return None;
    };
    let mut outer = looping;
    if let (Owner::Label(label), _) = cx.nest.parent(looping)? {
        outer = label;
    }
    let beside = |owner| !matches!(owner, Owner::Header(_) | Owner::Else(_) | Owner::Label(_));
    if !beside(cx.nest.parent(outer)?.0)
        || !beside(cx.nest.parent(start)?.0)
        || cx.shadows("make")
        || cx.has_goto()
    {
        return None;
    }
    let name = cx.fresh("sem");
    let mut builder = cx.builder();
    builder.insert_before(
        cx.stmt_range(outer),
        &format!("{name} := make(chan struct{{}}, {AT_A_TIME})"),
    )?;
    builder.insert_before(cx.stmt_range(start), &format!("{name} <- struct{{}}{{}}"))?;
    let brace = cx.abs(lit.body.range).start;
    builder.insert_at_block_start(brace, brace, &format!("defer func() {{ <-{name} }}()"))?;
    builder.fix(
        format!("start at most {AT_A_TIME} at a time, with a semaphore"),
        Safety::Unsafe,
    )
}

/// The group starts so many goroutines at a time.
fn set_limit(cx: &Cx<'_>, group: LocalId) -> Option<Fix> {
    let local = &cx.facts().locals[group];
    let made = cx.tree().stmts.iter().find_map(|(id, s)| {
        let declares = match &s.kind {
            StmtKind::Assign { lhs, .. } => {
                (lhs.iter()).any(|e| cx.tree()[*e].range == local.ident.range)
            }
            StmtKind::Var(specs) => {
                (specs.iter()).any(|spec| spec.names.iter().any(|n| n.range == local.ident.range))
            }
            _ => false,
        };
        declares.then_some(id)
    })?;
    if matches!(
        cx.nest.parent(made)?.0,
        Owner::Header(_) | Owner::Else(_) | Owner::Label(_)
    ) {
        return None;
    }
    let code = format!("{}.SetLimit({AT_A_TIME})", local.ident.name);
    let mut builder = cx.builder();
    builder.insert_after(cx.stmt_range(made), &code)?;
    builder.fix(
        format!("start at most {AT_A_TIME} at a time: `{code}`"),
        Safety::Unsafe,
    )
}
