//! Fixes for what is kept by accident.

use go_model::facts::{LocalId, Res};
use go_syntax::Name;
use go_syntax::ast::{ExprId, ExprKind, StmtId, StmtKind, UnaryOp};

use super::Cx;
use super::pattern::in_loop;
use crate::edit::{EditBuilder, first_on_line, indentation, raw_strings};
use crate::engine::retain::tail::is_repeatable;
use crate::engine::site::{Retained, Tail};
use crate::{Fix, Safety};

pub(super) fn fixes(cx: &Cx<'_>, retained: Retained) -> Vec<Fix> {
    match retained {
        Retained::Parts {
            text,
            element,
            safe,
        } => copy_parts(cx, text, element, safe).into_iter().collect(),
        Retained::NotReset { buffer, deferred } => {
            reset(cx, buffer, deferred).into_iter().collect()
        }
        // What is deferred knows the slice as it was.
        Retained::Uncleared { deferred: true, .. } => Vec::new(),
        Retained::Uncleared { slice, pointer, .. } => {
            clear_before(cx, slice, pointer).into_iter().collect()
        }
        Retained::NotMeasured {
            buffer,
            slice,
            field,
            deferred,
        } => measure(cx, buffer, slice, field, deferred)
            .into_iter()
            .collect(),
        Retained::Boxed { pool } => pool
            .and_then(|pool| super::pool::store_pointer(cx, pool))
            .into_iter()
            .collect(),
        Retained::Hoist {
            before,
            valid,
            template,
        } => hoist(cx, before, valid, template).into_iter().collect(),
        Retained::Pooled { buffer } => from_pool(cx, buffer).into_iter().collect(),
        Retained::Captured { measures, bytes } => {
            capture_part(cx, measures, bytes).into_iter().collect()
        }
        Retained::Tail {
            shape,
            place,
            alone,
            nilable,
            ranged,
        } if !ranged => clean(cx, shape, place, alone, nilable)
            .into_iter()
            .collect(),
        Retained::Tail { .. } => Vec::new(),
        Retained::Finalizer {
            literal,
            object,
            rename,
        } => use_parameter(cx, literal, object, rename)
            .into_iter()
            .collect(),
        Retained::Cleanup {
            literal,
            argument,
            object,
            field,
            ty,
        } => pass_field(cx, literal, argument, object, (field, ty))
            .into_iter()
            .collect(),
    }
}

/// Each part is copied, so that nothing refers to the whole.
fn copy_parts(cx: &Cx<'_>, text: bool, element: Option<ExprId>, safe: bool) -> Option<Fix> {
    let mut builder = cx.builder();
    let go = cx.ctx.go;
    let clone = match (text, element) {
        (true, _) if go >= (1, 18) => Some(("strings", "strings.Clone")),
        (true, _) => return None,
        (false, None) if go >= (1, 20) => Some(("bytes", "bytes.Clone")),
        (false, Some(_)) if go >= (1, 21) => Some(("slices", "slices.Clone")),
        (false, _) => None,
    };
    let (before, after) = match clone {
        Some((package, _)) => {
            let function = cx.qualified(&mut builder, package, package, "Clone")?;
            (format!("{function}("), ")")
        }
        None => {
            let element = match element {
                Some(element) => cx.src(cx.tree()[element].range),
                None => "byte",
            };
            (format!("append([]{element}(nil), "), "...)")
        }
    };
    for part in &cx.site.parts {
        let range = cx.abs(cx.tree()[*part].range);
        builder.insert(range.start, before.clone());
        builder.insert(range.end, after);
    }
    let title = match clone {
        Some((_, name)) if cx.site.parts.len() == 1 => format!("copy the part with `{name}`"),
        Some((_, name)) => format!("copy the parts with `{name}`"),
        None => "copy the part with `append` (an empty one becomes nil)".to_owned(),
    };
    let safety = if safe && clone.is_some() {
        Safety::Safe
    } else {
        Safety::Unsafe
    };
    builder.fix(title, safety)
}

/// The buffer is emptied before it goes back into the pool.
fn reset(cx: &Cx<'_>, buffer: LocalId, deferred: bool) -> Option<Fix> {
    let stmt = cx.stmt_range(cx.site.acquire.stmt?);
    let name = cx.facts().locals[buffer].ident.name;
    let mut builder = cx.builder();
    if deferred {
        // What is deferred later runs earlier.
        builder.insert_after(stmt, &format!("defer {name}.Reset()"))?;
        return builder.fix(
            format!("defer `{name}.Reset()`, which runs before the `Put`"),
            Safety::Safe,
        );
    }
    builder.insert_before(stmt, &format!("{name}.Reset()"))?;
    builder.fix(
        format!("call `{name}.Reset()` before the `Put`"),
        Safety::Safe,
    )
}

/// The elements are cleared before the slice goes back into the pool.
fn clear_before(cx: &Cx<'_>, slice: LocalId, pointer: bool) -> Option<Fix> {
    if !can_clear(cx) {
        return None;
    }
    let name = cx.facts().locals[slice].ident.name;
    let star = if pointer { "*" } else { "" };
    let mut builder = cx.builder();
    builder.insert_before(
        cx.stmt_range(cx.site.acquire.stmt?),
        &format!("clear({star}{name})"),
    )?;
    builder.fix(
        format!("clear `{name}` before the `Put` (it takes time)"),
        Safety::Unsafe,
    )
}

/// Whether the builtin function can be called.
fn can_clear(cx: &Cx<'_>) -> bool {
    cx.ctx.go >= (1, 21) && !cx.shadows("clear") && !(cx.ctx.declared)(Name::new("clear"))
}

/// Only buffers that did not grow large go back into the pool.
fn measure(
    cx: &Cx<'_>,
    buffer: LocalId,
    slice: Option<bool>,
    field: Option<Name>,
    deferred: bool,
) -> Option<Fix> {
    let range = cx.stmt_range(cx.site.acquire.stmt?);
    let name = cx.facts().locals[buffer].ident.name;
    let size = match slice {
        None => format!("{name}.Cap()"),
        Some(_) if cx.shadows("cap") || (cx.ctx.declared)(Name::new("cap")) => {
            return None;
        }
        Some(true) => match field {
            Some(field) => format!("cap({name}.{field})"),
            None => format!("cap(*{name})"),
        },
        Some(false) => format!("cap({name})"),
    };
    let text = cx.ctx.text;
    if !first_on_line(text, range.start) {
        return None;
    }
    let mut builder = cx.builder();
    builder.owned_end(range.end)?;
    let indent = indentation(text, range.start);
    let put = cx.src(cx.tree()[cx.site.acquire.call].range);
    if put.contains('\n') {
        return None;
    }
    let guarded = |indent: &str| format!("if {size} <= 64<<10 {{\n{indent}\t{put}\n{indent}}}");
    let code = if deferred {
        let inner = guarded(&format!("{indent}\t"));
        format!("defer func() {{\n{indent}\t{inner}\n{indent}}}()")
    } else {
        guarded(indent)
    };
    builder.replace(range, code);
    builder.fix(
        format!("put it back only if `{size}` is at most 64 KiB"),
        Safety::Unsafe,
    )
}

/// What is cut off a slice is cleaned.
fn clean(cx: &Cx<'_>, shape: Tail, place: ExprId, alone: bool, nilable: bool) -> Option<Fix> {
    if !is_repeatable(cx.tree(), place) {
        return None;
    }
    // As it is written where it is cut, which may be a shorter name for it.
    let name = match &cx.tree()[cx.tree().unparen(cx.site.acquire.call)].kind {
        ExprKind::Slice { base, .. } => cx.src(cx.tree()[*base].range),
        _ => cx.src(cx.tree()[place].range),
    };
    if name.starts_with('*') {
        return None;
    }
    if let Tail::Removed { from, to } = shape {
        return delete(cx, name, from, to);
    }
    let (code, what) = cleaning(cx, shape, name, nilable)?;
    let stmt = cx.site.acquire.stmt?;
    let mut builder = cx.builder();
    if alone {
        builder.insert_before(cx.stmt_range(stmt), &code)?;
    } else {
        one_by_one(cx, &mut builder, stmt, place, &code)?;
    }
    builder.fix(
        format!("{what} (others may still look at it)"),
        Safety::Unsafe,
    )
}

/// The statement that cleans, and what it does.
fn cleaning(cx: &Cx<'_>, shape: Tail, name: &str, nilable: bool) -> Option<(String, String)> {
    let source = |e: ExprId| cx.src(cx.tree()[e].range);
    let can_clear = can_clear(cx);
    let said = |code: String, what: &str| Some((code, what.to_owned()));
    match shape {
        Tail::Cut { bound } if !is_repeatable(cx.tree(), bound) => None,
        Tail::Queue { bound } if !is_repeatable(cx.tree(), bound) => None,
        Tail::Cut { bound } if can_clear => said(
            format!("clear({name}[{}:])", source(bound)),
            "clear what is cut off",
        ),
        // Only where it is known that one element goes.
        Tail::Cut { bound }
            if nilable && source(bound).replace(' ', "") == format!("len({name})-1") =>
        {
            said(
                format!("{name}[{}] = nil", source(bound)),
                "set what is cut off to nil",
            )
        }
        Tail::Filtered { kept } if can_clear => said(
            format!("clear({name}[len({}):])", source(kept)),
            "clear what is left behind its end",
        ),
        Tail::Emptied if can_clear => said(format!("clear({name})"), &format!("clear `{name}`")),
        Tail::Queue { bound } if nilable && source(bound) == "1" => {
            said(format!("{name}[0] = nil"), "set what is taken off to nil")
        }
        Tail::Queue { bound } if can_clear => said(
            format!("clear({name}[:{}])", source(bound)),
            "clear what is taken off",
        ),
        _ => None,
    }
}

/// `x, s = s[0], s[1:]` becomes three statements, of which the second one cleans.
fn one_by_one(
    cx: &Cx<'_>,
    builder: &mut EditBuilder<'_>,
    stmt: StmtId,
    place: ExprId,
    code: &str,
) -> Option<()> {
    let StmtKind::Assign { lhs, rhs, .. } = &cx.tree()[stmt].kind else {
        return None;
    };
    let ([target, second], [value, rest]) = (&lhs[..], &rhs[..]) else {
        return None;
    };
    let source = |e: ExprId| cx.src(cx.tree()[e].range);
    // What is assigned first must not be what the others are made of.
    let takes = cx.local_of(*target)?;
    let used = |e: ExprId| cx.locals_in(cx.tree()[e].range).contains(&takes);
    let reads = matches!(cx.tree()[*value].kind, ExprKind::Index { .. });
    if *second != place || !reads || used(*second) || used(*rest) {
        return None;
    }
    let range = cx.stmt_range(stmt);
    if !first_on_line(cx.ctx.text, range.start) || cx.src(cx.tree()[stmt].range).contains('\n') {
        return None;
    }
    builder.owned_end(range.end)?;
    let indent = indentation(cx.ctx.text, range.start);
    builder.replace(
        range,
        format!(
            "{} = {}\n{indent}{code}\n{indent}{} = {}",
            source(*target),
            source(*value),
            source(*second),
            source(*rest)
        ),
    );
    Some(())
}

/// `append(s[:i], s[j:]...)` becomes `slices.Delete(s, i, j)`, which clears what is behind the new end since Go 1.22.
fn delete(cx: &Cx<'_>, name: &str, from: ExprId, to: ExprId) -> Option<Fix> {
    if cx.ctx.go < (1, 22) {
        return None;
    }
    let mut builder = cx.builder();
    let function = cx.qualified(&mut builder, "slices", "slices", "Delete")?;
    let source = |e: ExprId| cx.src(cx.tree()[e].range);
    // As an argument beside others, gofmt writes a sum without blanks.
    let spaced = |e: ExprId| source(e).replace(' ', "");
    if source(from).contains(['\n', '"', '`']) || source(to).contains(['\n', '"', '`']) {
        return None;
    }
    builder.replace(
        cx.abs(cx.tree()[cx.site.acquire.call].range),
        format!("{function}({name}, {}, {})", spaced(from), spaced(to)),
    );
    builder.fix(
        "use `slices.Delete`, which clears what is behind the new end (others may still look at it)",
        Safety::Unsafe,
    )
}

/// A finalizer uses its parameter in place of the variable that it captures.
fn use_parameter(cx: &Cx<'_>, literal: ExprId, object: LocalId, rename: bool) -> Option<Fix> {
    let lit = cx.tree().func_lit(literal)?;
    let [param] = &lit.signature.params[..] else {
        return None;
    };
    let name = cx.facts().locals[object].ident.name;
    let inside = cx.tree()[literal].range;
    let mut builder = cx.builder();
    if rename {
        match param.name {
            Some(blank) => builder.replace(cx.abs(blank.range), name.as_str()),
            None => builder.insert(cx.abs(cx.tree()[param.ty].range).start, format!("{name} ")),
        }
        return builder.fix(format!("name the parameter `{name}`"), Safety::Safe);
    }
    let own = param.name?.name;
    let hidden = cx.facts().locals.iter().any(|(_, other)| {
        other.ident.name == own
            && inside.contains_range(other.ident.range)
            && Some(other.ident.range) != param.name.map(|n| n.range)
    });
    if hidden {
        return None;
    }
    for mention in &cx.site.parts {
        builder.replace(cx.abs(cx.tree()[*mention].range), own.as_str());
    }
    builder.fix(
        format!("use the parameter `{own}` in place of `{name}`"),
        Safety::Safe,
    )
}

/// A cleanup gets the field that its function needs, and nothing refers to the object.
fn pass_field(
    cx: &Cx<'_>,
    literal: ExprId,
    argument: Option<ExprId>,
    object: LocalId,
    (field, ty): (Name, Name),
) -> Option<Fix> {
    if cx.ctx.go < (1, 24) {
        return None;
    }
    let lit = cx.tree().func_lit(literal)?;
    let [param] = &lit.signature.params[..] else {
        return None;
    };
    let object = cx.facts().locals[object].ident.name;
    let plain = ty.as_str().trim_start_matches('*');
    if cx.hides(plain) || argument.is_none() && !lit.signature.results.is_empty() {
        return None;
    }
    let name = cx.fresh(field.as_str());
    let mut builder = cx.builder();
    builder.replace(cx.abs(param.range), format!("{name} {ty}"));
    for part in &cx.site.parts {
        builder.replace(cx.abs(cx.tree()[*part].range), name.clone());
    }
    let given = format!("{object}.{field}");
    let call = cx.site.acquire.call;
    match argument {
        Some(argument) => builder.replace(cx.abs(cx.tree()[argument].range), given.clone()),
        None => {
            let ExprKind::Call { func, .. } = &cx.tree()[call].kind else {
                return None;
            };
            let ExprKind::Selector { name, .. } = &cx.tree()[cx.tree().unparen(*func)].kind else {
                return None;
            };
            builder.replace(cx.abs(name.range), "AddCleanup");
            builder.insert(cx.abs(cx.tree()[literal].range).end, format!(", {given}"));
        }
    }
    let title = match argument {
        Some(_) => format!("give it `{given}` as its argument (the value that it has now)"),
        None => format!(
            "use `AddCleanup` with `{given}` (the value that it has now; it works in circles)"
        ),
    };
    builder.fix(title, Safety::Unsafe)
}

/// What a function needs of a buffer is taken before it is made.
fn capture_part(cx: &Cx<'_>, measures: bool, bytes: bool) -> Option<Fix> {
    let stmt = cx.site.acquire.stmt?;
    let source = cx.src(cx.tree()[*cx.site.parts.first()?].range);
    if source.contains('\n') {
        return None;
    }
    let name = cx.fresh(if measures { "size" } else { "part" });
    let mut builder = cx.builder();
    let value = if measures {
        source.to_owned()
    } else {
        let go = cx.ctx.go;
        let package = match bytes {
            true if go >= (1, 20) => "bytes",
            false if go >= (1, 21) => "slices",
            _ => return None,
        };
        let clone = cx.qualified(&mut builder, package, package, "Clone")?;
        format!("{clone}({source})")
    };
    builder.insert_before(cx.stmt_range(stmt), &format!("{name} := {value}"))?;
    for part in &cx.site.parts {
        builder.replace(cx.abs(cx.tree()[*part].range), name.clone());
    }
    builder.fix(
        format!("take `{value}` before (later changes of the buffer are not seen)"),
        Safety::Unsafe,
    )
}

/// What is made in each call becomes a package-level variable above the function.
fn hoist(cx: &Cx<'_>, before: u32, valid: bool, template: bool) -> Option<Fix> {
    let call = cx.site.acquire.call;
    let range = cx.tree()[call].range;
    let source = cx.src(range);
    // Lines inside a raw string stay as they are; others would need another indentation.
    let raw = raw_strings(source);
    let several_lines = source
        .match_indices('\n')
        .any(|(at, _)| !raw.iter().any(|raw| raw.contains(&at)));
    if !cx.locals_in(range).is_empty() || several_lines {
        return None;
    }
    let suffix = match (template, before) {
        (true, 0) => "Template".to_owned(),
        (true, n) => format!("Template{}", n + 1),
        (false, 0) => "Pattern".to_owned(),
        (false, n) => format!("Pattern{}", n + 1),
    };
    let name = variable_name(cx, &suffix)?;
    let start = usize::from(cx.ctx.start);
    let mut builder = cx.builder();
    builder.insert_declaration_before(start..start + 1, &format!("var {name} = {source}"))?;
    builder.replace(cx.abs(range), name.clone());
    if valid {
        return builder.fix(
            format!("make it once, in a package-level variable `{name}`"),
            Safety::Safe,
        );
    }
    builder.fix(
        format!(
            "make it once, in a package-level variable `{name}` (a mistake in it then ends the program when it starts)"
        ),
        Safety::Unsafe,
    )
}

/// The name of a package-level variable for something of the function's: `serverHandlePattern` of `Server.handle`.
fn variable_name(cx: &Cx<'_>, suffix: &str) -> Option<String> {
    let func = cx.tree().func()?;
    let mut base = String::new();
    if let Some(receiver) = &func.receiver {
        base.push_str(receiver_name(cx, receiver.ty)?.as_str());
    }
    let own = func.name.name.as_str();
    if base.is_empty() {
        base.push_str(own);
    } else {
        base.extend(own.chars().take(1).flat_map(char::to_uppercase));
        base.extend(own.chars().skip(1));
    }
    let mut name: String = base.chars().take(1).flat_map(char::to_lowercase).collect();
    name.extend(base.chars().skip(1));
    name.push_str(suffix);
    let taken = (cx.ctx.declared)(Name::new(&name))
        || cx.fresh(&name) != name
        || (cx.ctx.file.imports.iter())
            .any(|import| import.path.as_str().rsplit('/').next() == Some(name.as_str()));
    (!taken).then_some(name)
}

/// A buffer comes from a pool, and goes back there unless it has grown large.
fn from_pool(cx: &Cx<'_>, buffer: LocalId) -> Option<Fix> {
    let stmt = cx.site.acquire.stmt?;
    let StmtKind::Var(specs) = &cx.tree()[stmt].kind else {
        return None;
    };
    let [spec] = &specs[..] else { return None };
    let about = &cx.facts().locals[buffer];
    let range = cx.stmt_range(stmt);
    if spec.names.len() != 1
        || !spec.values.is_empty()
        || about.owner.is_some()
        || about.captured
        || !about.ty.is_named("bytes", "Buffer")
        || in_loop(cx, stmt)
        || cx.has_goto()
        || !first_on_line(cx.ctx.text, range.start)
    {
        return None;
    }
    let mut builder = cx.builder();
    builder.owned_end(range.end)?;
    for (mention, res) in cx.facts().refs.iter() {
        if *res != Res::Local(buffer) || cx.tree()[mention].range == about.ident.range {
            continue;
        }
        if let Some(address) = written_to(cx, mention)? {
            builder.replace(cx.abs(cx.tree()[address].range), about.ident.name.as_str());
        }
    }
    let sync = cx.qualified(&mut builder, "sync", "sync", "Pool")?;
    let pool = variable_name(cx, "Buffers")?;
    let any = if cx.ctx.go >= (1, 18) && !(cx.ctx.declared)(Name::new("any")) {
        "any"
    } else {
        "interface{}"
    };
    let (name, ty) = (about.ident.name, cx.src(cx.tree()[spec.ty?].range));
    let start = usize::from(cx.ctx.start);
    builder.insert_before(
        start..start + 1,
        &format!("var {pool} = {sync}{{New: func() {any} {{ return new({ty}) }}}}\n"),
    )?;
    let code = format!(
        "{name} := {pool}.Get().(*{ty})\n{name}.Reset()\ndefer func() {{\n\tif {name}.Cap() <= 64<<10 {{\n\t\t{pool}.Put({name})\n\t}}\n}}()"
    );
    let indent = indentation(cx.ctx.text, range.start);
    builder.replace(range, code.replace('\n', &format!("\n{indent}")));
    builder.fix(
        "keep such buffers in a `sync.Pool`, those of at most 64 KiB",
        Safety::Unsafe,
    )
}

/// Whether a mention of a buffer only writes to it or reads a copy of what it holds: by a method (`Some(None)`), or by a function of `fmt`
/// that is given this address.
fn written_to(cx: &Cx<'_>, mention: ExprId) -> Option<Option<ExprId>> {
    const METHODS: [&str; 8] = [
        "Write",
        "WriteByte",
        "WriteRune",
        "WriteString",
        "WriteTo",
        "Len",
        "Reset",
        "String",
    ];
    cx.tree().exprs.iter().find_map(|(id, e)| match &e.kind {
        ExprKind::Selector { base, name } if *base == mention => {
            let is_call = |e: &ExprKind| matches!(e, ExprKind::Call { func, .. } if *func == id);
            (METHODS.contains(&name.name.as_str())
                && cx.tree().exprs.iter().any(|(_, e)| is_call(&e.kind)))
            .then_some(None)
        }
        ExprKind::Unary {
            op: UnaryOp::Address,
            operand,
        } if *operand == mention => cx.tree().exprs.iter().find_map(|(call, e)| {
            let ExprKind::Call { args, .. } = &e.kind else {
                return None;
            };
            let prints = ["Fprint", "Fprintf", "Fprintln"]
                .iter()
                .any(|name| cx.callee_is(call, "fmt", name));
            (prints && args.first() == Some(&id)).then_some(Some(id))
        }),
        _ => None,
    })
}

fn receiver_name(cx: &Cx<'_>, ty: ExprId) -> Option<Name> {
    let mut at = cx.tree().unparen(ty);
    loop {
        match &cx.tree()[at].kind {
            ExprKind::Ident(name) => return Some(*name),
            ExprKind::Star(base) | ExprKind::Index { base, .. } => at = cx.tree().unparen(*base),
            _ => return None,
        }
    }
}
