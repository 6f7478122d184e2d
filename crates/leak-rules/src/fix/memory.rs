//! Fixes for what only grows: the least that bounds it. What a good bound is, and what may be forgotten, is for the author to say.

use go_model::facts::Res;
use go_model::members::write_ty;
use go_model::types::{Ty, TyKind};
use go_syntax::ast::{ExprId, ExprKind, StmtKind};
use go_syntax::{Literals, Name};

use super::Cx;
use super::pattern::{in_loop, insert_above};
use crate::engine::site::Pattern;
use crate::{Fix, Safety};

/// Entries that are kept.
const LIMIT: u32 = 10_000;
/// The size at which a map is made anew.
const SMALL: u32 = 64;

pub(super) fn fix(cx: &Cx<'_>, pattern: Pattern) -> Option<Fix> {
    if cx.has_goto() {
        return None;
    }
    match pattern {
        Pattern::Bound { map: true } => bound_map(cx),
        Pattern::Bound { map: false } => bound_slice(cx),
        Pattern::MakeAnew => make_anew(cx),
        Pattern::RouteLabel => route_label(cx),
        _ => None,
    }
}

/// The source of the collection's name, if evaluating it again does nothing.
fn plain<'a>(cx: &Cx<'a>, expr: ExprId) -> Option<&'a str> {
    let tree = cx.tree();
    let is_plain = tree.walk(expr, Literals::Enter).all(|node| {
        node.expr().is_some_and(|e| {
            matches!(
                tree[e].kind,
                ExprKind::Ident(_)
                    | ExprKind::Selector { .. }
                    | ExprKind::Star(_)
                    | ExprKind::Paren(_)
            )
        })
    });
    let source = cx.src(tree[expr].range);
    (is_plain && !source.contains('\n')).then_some(source)
}

/// One entry makes room for the new one.
fn bound_map(cx: &Cx<'_>) -> Option<Fix> {
    let (mention, stmt) = (cx.site.acquire.call, cx.site.acquire.stmt?);
    let tree = cx.tree();
    let target = match &tree[stmt].kind {
        StmtKind::Assign { lhs, .. } => *lhs.first().filter(|_| lhs.len() == 1)?,
        StmtKind::IncDec { operand, .. } => *operand,
        _ => return None,
    };
    let ExprKind::Index { base, .. } = tree[tree.unparen(target)].kind else {
        return None;
    };
    if base != mention {
        return None;
    }
    let map = plain(cx, mention)?;
    let key = cx.fresh("key");
    let mut builder = cx.builder();
    insert_above(
        cx,
        &mut builder,
        stmt,
        &format!(
            "if len({map}) >= {LIMIT} {{\n\tfor {key} := range {map} {{\n\t\tdelete({map}, {key})\n\t\tbreak\n\t}}\n}}"
        ),
    )?;
    builder.fix(
        format!("take an arbitrary entry out when there are {LIMIT} (choose the limit, or use a cache with expiry)"),
        Safety::Unsafe,
    )
}

/// The last elements are copied to where the first ones are not.
fn bound_slice(cx: &Cx<'_>) -> Option<Fix> {
    let (mention, stmt) = (cx.site.acquire.call, cx.site.acquire.stmt?);
    let StmtKind::Assign { lhs, .. } = &cx.tree()[stmt].kind else {
        return None;
    };
    let [target] = lhs[..] else { return None };
    let slice = plain(cx, mention)?;
    if cx.src(cx.tree()[target].range) != slice {
        return None;
    }
    let n = cx.fresh("n");
    let mut builder = cx.builder();
    builder.insert_after(
        cx.stmt_range(stmt),
        &format!(
            "if {n} := len({slice}); {n} >= {} {{\n\t{slice} = append({slice}[:0:0], {slice}[{n}-{LIMIT}:]...)\n}}",
            2 * LIMIT
        ),
    )?;
    builder.fix(
        format!("keep the last {LIMIT} elements (choose the limit)"),
        Safety::Unsafe,
    )
}

/// The few entries that are left move to a new map.
fn make_anew(cx: &Cx<'_>) -> Option<Fix> {
    let (mention, stmt) = (cx.site.acquire.call, cx.site.acquire.stmt?);
    let tree = cx.tree();
    let StmtKind::Expr(call) = tree[stmt].kind else {
        return None;
    };
    let ExprKind::Call { args, .. } = &tree[call].kind else {
        return None;
    };
    if args.first() != Some(&mention) || in_loop(cx, stmt) {
        return None;
    }
    let map = plain(cx, mention)?;
    let ty = written(cx, cx.facts().types.get(mention)?)?;
    let smaller = cx.fresh("smaller");
    let mut builder = cx.builder();
    let copy = if cx.ctx.go >= (1, 21) {
        let copy = cx.qualified(&mut builder, "maps", "maps", "Copy")?;
        format!("{copy}({smaller}, {map})")
    } else {
        let (key, value) = (cx.fresh("key"), cx.fresh("value"));
        format!("for {key}, {value} := range {map} {{\n\t\t{smaller}[{key}] = {value}\n\t}}")
    };
    builder.insert_after(
        cx.stmt_range(stmt),
        &format!(
            "if len({map}) == {SMALL} {{\n\t{smaller} := make({ty}, {SMALL})\n\t{copy}\n\t{map} = {smaller}\n}}"
        ),
    )?;
    builder.fix(
        format!("move the entries to a new map when {SMALL} are left (choose the size)"),
        Safety::Unsafe,
    )
}

/// `r.URL.Path` becomes `r.Pattern`.
fn route_label(cx: &Cx<'_>) -> Option<Fix> {
    let path = cx.site.acquire.call;
    let tree = cx.tree();
    let ExprKind::Selector { base: url, name } = &tree[path].kind else {
        return None;
    };
    let ExprKind::Selector { base: request, .. } = &tree[*url].kind else {
        return None;
    };
    let of_request = matches!(cx.facts().refs.get(*url), Some(Res::Field { owner: Some(owner), name })
        if owner.is("net/http", "Request") && *name == "URL");
    if cx.ctx.go < (1, 23) || name.name != "Path" || !of_request {
        return None;
    }
    let pattern = format!("{}.Pattern", plain(cx, *request)?);
    let mut builder = cx.builder();
    builder.replace(cx.abs(tree[path].range), pattern.clone());
    builder.fix(
        format!("use `{pattern}` (the route that an `http.ServeMux` chose)"),
        Safety::Unsafe,
    )
}

/// A map type as it is written in the file, if all its names can be.
fn written(cx: &Cx<'_>, ty: &Ty) -> Option<String> {
    let mut packages: Vec<Name> = Vec::new();
    if !names(ty, &mut packages, 8) {
        return None;
    }
    for package in &packages {
        if *package != cx.ctx.package && *package != "" {
            let name = cx.imported(package.as_str(), last(package.as_str()))?;
            // A package may have another name than its path says. Where the file uses the name, it is the right one.
            if !is_used(cx, &name) {
                return None;
            }
        }
    }
    let mut out = String::new();
    write_ty(&mut out, ty, &|package| {
        if package == cx.ctx.package || package == "" {
            return String::new();
        }
        cx.imported(package.as_str(), last(package.as_str()))
            .unwrap_or_default()
    });
    // Lists of type arguments, the only ones there can be, are written without spaces.
    Some(out.replace(',', ", "))
}

/// Whether the file has a selector on something of this name, in any of its declarations.
fn is_used(cx: &Cx<'_>, package: &str) -> bool {
    cx.ctx.file.decls.iter().any(|decl| {
        let tree = &decl.tree;
        (tree.exprs.iter()).any(|(_, expr)| {
            matches!(expr.kind, ExprKind::Selector { base, .. }
                if tree.ident(base).is_some_and(|ident| ident.name == package))
        })
    })
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Collects the packages of a type's names; whether it is made of simple parts only.
fn names(ty: &Ty, packages: &mut Vec<Name>, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else {
        return false;
    };
    match ty.kind() {
        TyKind::Basic(_) => true,
        TyKind::Named(named) => {
            packages.push(named.package);
            named.local == 0 && named.args.iter().all(|t| names(t, packages, depth))
        }
        TyKind::Pointer(of)
        | TyKind::Slice(of)
        | TyKind::Array(Some(_), of)
        | TyKind::Chan(_, of) => names(of, packages, depth),
        TyKind::Map(k, v) => names(k, packages, depth) && names(v, packages, depth),
        TyKind::Struct(fields) => fields.is_empty(),
        _ => false,
    }
}
