//! Findings about small parts that keep a large buffer.

use go_model::types::TyKind;
use go_syntax::ast::ExprKind;

use super::buffer::{self, Buffer, buffers};
use super::flow::{How, Kept, Outcome, follow, is_bytes};
use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::function::{Declaration, Depth, Function};
use crate::engine::pattern::{finding, step};
use crate::engine::site::{FixSite, Pattern, Retained};

/// More parts than this are perhaps most of it.
const FEW: usize = 4;

/// The buffers of which small parts of one kind, strings or not, outlive a function.
pub(crate) fn findings(cx: &CheckContext<'_>, rule: &'static str, text: bool) -> Vec<RawFinding> {
    let Some(func) = cx.tree.func() else {
        return Vec::new();
    };
    let starts = func.receiver.is_none() && func.name.name == "init";
    if !buffer::may_have(cx.tree) || starts || crate::engine::runs_once(cx) {
        return Vec::new();
    }
    let d = cx.declaration(Depth::Full);
    let mut found: Vec<RawFinding> = buffers(d)
        .iter()
        .filter_map(|buffer| {
            let outcome = follow(d, buffer)?;
            report(cx, d, buffer, &outcome, rule, text)
        })
        .collect();
    found.sort_by_key(|finding| finding.range.start());
    found
}

fn report(
    cx: &CheckContext<'_>,
    d: &Declaration<'_>,
    buffer: &Buffer,
    outcome: &Outcome,
    rule: &'static str,
    text: bool,
) -> Option<RawFinding> {
    if outcome.kept.len() > FEW {
        return None;
    }
    let kept: Vec<&Kept> = outcome.kept.iter().filter(|k| k.text == text).collect();
    let first = kept.first()?;
    let cfg = d.cfg(buffer.literal)?;
    let f = Function::new(d, buffer.literal, &cfg);
    let name = d.facts.locals[buffer.local].ident.name;
    let does = does(first.how);
    let copy = if text {
        " is copied to a string that"
    } else {
        ""
    };
    let message =
        format!("all of `{name}`{copy} stays in memory for a small part of it that {does}");
    let range = d.tree[buffer.call].range;
    let mut found = finding(&f, rule, Severity::Information, message, range);
    let mut parts = Vec::new();
    for kept in &kept {
        found.related.push(step(
            format!("a small part {}, and keeps the whole", self::does(kept.how)),
            kept.at,
        ));
        if !parts.contains(&kept.part) {
            parts.push(kept.part);
        }
    }
    parts.sort_by_key(|part| d.tree[*part].range.start());
    let from = d.tree[*parts.first()?].range.start();
    let retained = Retained::Parts {
        text,
        element: element(d, buffer)?,
        safe: text || !outcome.written.iter().any(|at| *at > from),
    };
    let mut site = FixSite::pattern(
        buffer.literal,
        buffer.call,
        Some(buffer.stmt),
        Pattern::Retained(retained),
        cx.in_test,
    );
    site.parts = parts;
    found.site = Some(Box::new(site));
    Some(found)
}

fn does(how: How) -> &'static str {
    match how {
        How::Returned => "is returned",
        How::Sent => "is sent on a channel",
        How::Global => "a package-level variable holds",
        How::Stored => "is stored",
        How::Given => "the called function stores",
    }
}

/// The type of an element where it is written; `Some(None)` for bytes.
fn element(d: &Declaration<'_>, buffer: &Buffer) -> Option<Option<go_syntax::ast::ExprId>> {
    if is_bytes(&d.facts.locals[buffer.local].ty) {
        return Some(None);
    }
    if !matches!(d.facts.locals[buffer.local].ty.kind(), TyKind::Slice(_)) {
        return None;
    }
    let ExprKind::Call { args, .. } = &d.tree[buffer.call].kind else {
        return None;
    };
    match d.tree[d.tree.unparen(*args.first()?)].kind {
        ExprKind::ArrayType { elem, .. } => Some(Some(elem)),
        _ => None,
    }
}
