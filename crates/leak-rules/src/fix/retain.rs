//! Fixes for what is kept by accident.

use go_model::facts::LocalId;
use go_syntax::ast::ExprId;

use super::Cx;
use crate::engine::site::Retained;
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
        Retained::NotMeasured {
            buffer,
            slice,
            deferred,
        } => measure(cx, buffer, slice, deferred).into_iter().collect(),
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

/// Only buffers that did not grow large go back into the pool.
fn measure(cx: &Cx<'_>, buffer: LocalId, slice: Option<bool>, deferred: bool) -> Option<Fix> {
    let range = cx.stmt_range(cx.site.acquire.stmt?);
    let name = cx.facts().locals[buffer].ident.name;
    let size = match slice {
        None => format!("{name}.Cap()"),
        Some(true) if cx.shadows("cap") || (cx.ctx.declared)(go_syntax::Name::new("cap")) => {
            return None;
        }
        Some(true) => format!("cap(*{name})"),
        Some(false) => format!("cap({name})"),
    };
    let text = cx.ctx.text;
    if !crate::edit::first_on_line(text, range.start) {
        return None;
    }
    let mut builder = cx.builder();
    builder.owned_end(range.end)?;
    let indent = crate::edit::indentation(text, range.start);
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
