//! Error groups with a limit in whose goroutines more goroutines of the same group are started.

use go_model::db::decl_tree;
use go_model::facts::{Callee, LocalId, Res};
use go_model::package::package_of_decl;
use go_syntax::ast::{DeclTree, ExprId, ExprKind, StmtKind, UnaryOp};
use go_syntax::{Literals, NodeId};

use super::uses::{Uses, method_of};
use crate::Severity;
use crate::check::{CheckContext, RawFinding, RawRelated};
use crate::engine::facts;
use crate::engine::find::last_name;
use crate::engine::function::{Declaration, Depth, Function};
use crate::engine::pattern::{args, finding, step};
use crate::engine::site::{FixSite, Pattern};

const ERRGROUP: &str = "golang.org/x/sync/errgroup";
/// How deep called functions are looked into.
const MAX_CALLS: u32 = 3;

/// Calls of `Group.Go` from within a function that the same group runs, where the group has a limit.
pub(crate) fn findings(cx: &CheckContext<'_>, rule: &'static str) -> Vec<RawFinding> {
    let d = cx.declaration(Depth::Full);
    let mut groups: Vec<(LocalId, ExprId)> = Vec::new();
    for (call, expr) in d.tree.exprs.iter() {
        if matches!(expr.kind, ExprKind::Call { .. })
            && let Some((group, name)) = group_call(d, call)
            && name == "SetLimit"
            && is_limit(d.tree, call)
        {
            groups.push((group, call));
        }
    }
    let uses = Uses::new(d);
    let mut found = Vec::new();
    for (group, limit) in groups {
        let l = &d.facts.locals[group];
        // Another group may be in it the next time.
        if l.assignments <= 1 {
            found.extend(look(cx, d, &uses, group, limit, rule));
        }
    }
    found
}

/// The variable of a group whose method is called, and the method's name.
fn group_call(d: &Declaration<'_>, call: ExprId) -> Option<(LocalId, go_syntax::Name)> {
    let (base, name) = method_of(d, call, ERRGROUP, &["Group"])?;
    match d.facts.refs.get(d.tree.unparen(base))? {
        Res::Local(local) => Some((*local, name)),
        _ => None,
    }
}

/// A negative number takes the limit away.
fn is_limit(tree: &DeclTree, call: ExprId) -> bool {
    args(tree, call).first().is_some_and(|arg| {
        !matches!(
            tree[tree.unparen(*arg)].kind,
            ExprKind::Unary {
                op: UnaryOp::Minus,
                ..
            }
        )
    })
}

fn look(
    cx: &CheckContext<'_>,
    d: &Declaration<'_>,
    uses: &Uses<'_, '_>,
    group: LocalId,
    limit: ExprId,
    rule: &'static str,
) -> Vec<RawFinding> {
    let mut found: Vec<RawFinding> = Vec::new();
    let starts: Vec<(ExprId, ExprId)> = (d.tree.exprs.iter())
        .filter(|(_, e)| matches!(e.kind, ExprKind::Call { .. }))
        .filter(|(call, _)| {
            group_call(d, *call).is_some_and(|(g, name)| g == group && name == "Go")
        })
        .filter_map(|(call, _)| Some((call, *args(d.tree, call).first()?)))
        .collect();
    for (call, run) in &starts {
        let Some(literal) = literal_of(d, *run) else {
            continue;
        };
        let Some((inner, far)) = starts_more(d, literal, group) else {
            continue;
        };
        let range = d.tree[inner].range;
        if found.iter().any(|f| f.range == head(d, inner)) {
            continue;
        }
        let outer = uses.literal_of(inner);
        let Some(cfg) = d.cfg(outer) else { continue };
        let f = Function::new(d, outer, &cfg);
        let name = d.facts.locals[group].ident.name;
        let message = format!(
            "`{name}.Go` waits for a free place in `{name}`, in a function that takes one of its places: when all of them do, none gets free"
        );
        let place = head(d, inner);
        let mut finding = finding(&f, rule, Severity::Information, message, place);
        finding.related.push(step(
            format!("`{name}` gets its limit here"),
            d.tree[limit].range,
        ));
        finding.related.push(step(
            "this waits for a place, which its function keeps until it returns",
            head(d, *call),
        ));
        finding.related.push(step(
            match far {
                Some(_) => "its function calls this",
                None => "and waits here for another one",
            },
            place,
        ));
        finding.related.extend(far.clone());
        let wait = d.tree.exprs.iter().find(|(id, e)| {
            matches!(e.kind, ExprKind::Call { .. })
                && group_call(d, *id).is_some_and(|(g, name)| g == group && name == "Wait")
        });
        if let Some((wait, _)) = wait {
            let place = head(d, wait);
            (finding.related).push(step("and this waits for all of them", place));
        }
        if far.is_none()
            && d.tree[literal].range.contains_range(range)
            && let Some(site) = second_group(cx, d, uses, literal, group, inner)
        {
            finding.site = Some(Box::new(site));
        }
        found.push(finding);
    }
    found
}

/// A call up to its arguments.
fn head(d: &Declaration<'_>, call: ExprId) -> go_syntax::TextRange {
    match &d.tree[call].kind {
        ExprKind::Call { func, .. } => d.tree[*func].range,
        _ => d.tree[call].range,
    }
}

/// The literal that a value is.
fn literal_of(d: &Declaration<'_>, value: ExprId) -> Option<ExprId> {
    let value = d.tree.unparen(value);
    match &d.tree[value].kind {
        ExprKind::FuncLit(_) => Some(value),
        ExprKind::Ident(_) => match d.facts.refs.get(value)? {
            Res::Local(local) => closure_of(d, *local),
            _ => None,
        },
        _ => None,
    }
}

fn closure_of(d: &Declaration<'_>, local: LocalId) -> Option<ExprId> {
    (d.tree.exprs.iter())
        .filter(|(_, e)| matches!(e.kind, ExprKind::FuncLit(_)))
        .map(|(id, _)| id)
        .find(|id| d.closure_local(*id) == Some(local))
}

/// The call in a literal that waits for a place in the group: `Go` itself, or a function that is given the group and calls it.
fn starts_more(
    d: &Declaration<'_>,
    literal: ExprId,
    group: LocalId,
) -> Option<(ExprId, Option<RawRelated>)> {
    let mut work = vec![literal];
    let mut seen = Vec::new();
    while let Some(literal) = work.pop() {
        if seen.contains(&literal) || seen.len() > 16 {
            continue;
        }
        seen.push(literal);
        let lit = d.tree.func_lit(literal)?;
        for id in d.tree.walk_block(&lit.body, Literals::Skip) {
            let NodeId::Expr(call) = id else { continue };
            if !matches!(d.tree[call].kind, ExprKind::Call { .. }) || is_started(d, call) {
                continue;
            }
            if let Some((g, name)) = group_call(d, call) {
                if g == group && name == "Go" {
                    return Some((call, None));
                }
                continue;
            }
            match d.facts.callees.get(call) {
                Some(Callee::Local(local)) => work.extend(closure_of(d, *local)),
                Some(Callee::Literal(inner)) => work.push(*inner),
                Some(Callee::Func(_) | Callee::Method(_)) => {
                    let given = args(d.tree, call).iter().position(|arg| {
                        let arg = d.tree.unparen(*arg);
                        let arg = match d.tree[arg].kind {
                            ExprKind::Unary {
                                op: UnaryOp::Address,
                                operand,
                            } => d.tree.unparen(operand),
                            _ => arg,
                        };
                        d.facts.refs.get(arg) == Some(&Res::Local(group))
                    });
                    if let Some(index) = given
                        && let Some(place) = uses_group(d, call, index, MAX_CALLS)
                    {
                        return Some((call, Some(place)));
                    }
                }
                _ => {}
            }
        }
    }
    None
}

/// Whether a call is that of a `go` statement: it waits in a goroutine of its own.
fn is_started(d: &Declaration<'_>, call: ExprId) -> bool {
    d.tree
        .stmts
        .iter()
        .any(|(_, s)| matches!(s.kind, StmtKind::Go(c) if d.tree.unparen(c) == call))
}

/// Where a function of the same package calls `Go` of a group that it is given.
fn uses_group(d: &Declaration<'_>, call: ExprId, index: usize, depth: u32) -> Option<RawRelated> {
    let decl = go_model::summary::callee_decl(d.db, d.decl, d.facts.callees.get(call)?)?;
    if depth == 0 || package_of_decl(d.db, decl) != package_of_decl(d.db, d.decl) {
        return None;
    }
    let tree = decl_tree(d.db, decl);
    let calls = tree.exprs.iter().any(|(_, e)| match &e.kind {
        ExprKind::Call { func, .. } => last_name(&tree, *func).is_some_and(|n| n == "Go"),
        _ => false,
    });
    if tree.has_error || !calls {
        return None;
    }
    let facts = facts(d.db, decl);
    let local = (*facts.params.get(index)?)?;
    let callee = Declaration::new(d.db, decl, &tree, &facts, Depth::Full);
    if facts.locals[local].assignments > 1 {
        return None;
    }
    let body = tree.func()?.body.as_ref()?;
    let place = tree.walk_block(body, Literals::Skip).find_map(|id| {
        let call = id.expr()?;
        let (g, name) = match &tree[call].kind {
            ExprKind::Call { .. } => group_call(&callee, call)?,
            _ => return None,
        };
        (g == local && name == "Go").then_some(call)
    })?;
    Some(RawRelated {
        message: "which waits here for another one".to_owned(),
        file: Some(decl.file(d.db).path(d.db)),
        range: head(&callee, place) + go_model::db::decl_start(d.db, decl),
    })
}

/// What is needed to give the inner goroutines a group of their own, for which the outer function waits at its only return behind them.
fn second_group(
    cx: &CheckContext<'_>,
    d: &Declaration<'_>,
    uses: &Uses<'_, '_>,
    literal: ExprId,
    group: LocalId,
    inner: ExprId,
) -> Option<FixSite> {
    let lit = d.tree.func_lit(literal)?;
    let mut calls = Vec::new();
    for id in d.tree.walk_block(&lit.body, Literals::Enter) {
        let Some(e) = id.expr() else { continue };
        // Any other mention may mean the group as a whole.
        if d.facts.refs.get(e) == Some(&Res::Local(group)) {
            let call = d.parent(e).and_then(|selector| d.parent(selector))?;
            let (_, name) = group_call(d, call)?;
            if name != "Go" || uses.literal_of(call) != Some(literal) {
                return None;
            }
            calls.push(uses.holder(call)?);
        }
    }
    // The one return that follows is the last statement and says that all went well.
    let last = *lit.body.stmts.last()?;
    let StmtKind::Return(values) = &d.tree[last].kind else {
        return None;
    };
    let [value] = values[..] else { return None };
    let first = d.tree[inner].range.start();
    let others = d.tree.walk_block(&lit.body, Literals::Skip).any(|id| {
        matches!(id, NodeId::Stmt(s)
            if s != last && matches!(d.tree[s].kind, StmtKind::Return(_)) && d.tree[s].range.start() > first)
    });
    let looped = d.tree.walk_block(&lit.body, Literals::Skip).any(|id| {
        matches!(id, NodeId::Stmt(s)
        if matches!(d.tree[s].kind, StmtKind::For { .. } | StmtKind::Range { .. })
            && d.tree[s].range.contains_range(d.tree[inner].range)
            && d.tree.walk(s, Literals::Skip).any(|id| {
                matches!(id, NodeId::Stmt(r) if matches!(d.tree[r].kind, StmtKind::Return(_)))
            }))
    });
    if !d.is_nil(value) || others || looped {
        return None;
    }
    let pattern = Pattern::NestedGroup { last };
    let mut site = FixSite::pattern(
        Some(literal),
        inner,
        uses.holder(inner),
        pattern,
        cx.in_test,
    );
    site.releases = calls;
    Some(site)
}
