//! Conditions that nobody signals.

use go_model::db::{DeclId, decl_tree};
use go_model::facts::{ItemRef, LocalId, Res};
use go_model::package::{package_decls, package_of_decl};
use go_syntax::Name;
use go_syntax::ast::{DeclTree, ExprId, ExprKind, StmtKind, UnaryOp};

use super::uses::{Uses, method_of};
use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::find::last_name;
use crate::engine::function::{Declaration, Depth, Function};
use crate::engine::outline::render;
use crate::engine::pattern::{finding, step};

/// Calls of `Cond.Wait` of a condition that nobody signals.
pub(crate) fn findings(cx: &CheckContext<'_>, rule: &'static str) -> Vec<RawFinding> {
    let waits = cx.tree.exprs.iter().any(|(_, e)| match &e.kind {
        ExprKind::Call { func, args, .. } => {
            args.is_empty() && last_name(cx.tree, *func).is_some_and(|n| n == "Wait")
        }
        _ => false,
    });
    if !waits {
        return Vec::new();
    }
    let d = cx.declaration(Depth::Full);
    let uses = Uses::new(d);
    let mut found = Vec::new();
    for (call, expr) in d.tree.exprs.iter() {
        if matches!(expr.kind, ExprKind::Call { .. }) {
            found.extend(look(cx, d, &uses, call, rule));
        }
    }
    found
}

/// Where a condition is kept.
enum Kept {
    Local(LocalId),
    /// A package-level variable, or a field, of a name that other packages cannot use.
    Package(ItemRef),
    Field(Name, Name),
}

fn look(
    cx: &CheckContext<'_>,
    d: &Declaration<'_>,
    uses: &Uses<'_, '_>,
    call: ExprId,
    rule: &'static str,
) -> Option<RawFinding> {
    let (base, name) = method_of(d, call, "sync", &["Cond"])?;
    let base = d.tree.unparen(base);
    // What embeds one hands its methods on.
    let ty = d.facts.types.get(base)?.as_named_or_pointer()?;
    if name != "Wait" || ty.package != "sync" {
        return None;
    }
    let here = package_of_decl(cx.db, cx.decl);
    let import = go_model::package::import_path(cx.db, here);
    let kept = match (d.facts.refs.get(base)?, &d.tree[base].kind) {
        (Res::Local(local), _) => Kept::Local(*local),
        (Res::Package(item), ExprKind::Ident(_)) if is_own(*item, import) => Kept::Package(*item),
        (
            Res::Field {
                owner: Some(owner),
                name,
            },
            _,
        ) if owner.package == import && is_unexported(*name) => Kept::Field(*name, owner.name),
        _ => return None,
    };
    let silent = match kept {
        Kept::Local(local) => {
            let l = &d.facts.locals[local];
            l.kind != go_model::facts::LocalKind::Var
                || !(d.mentions(local).iter()).all(|(mention, _)| is_harmless(d.tree, *mention))
                || !is_made_here(d, local)
        }
        Kept::Package(item) => {
            let decls = package_decls(cx.db, here);
            !decls.iter().all(|decl| spares(cx, *decl, item.name, None))
        }
        Kept::Field(name, owner) => {
            let decls = package_decls(cx.db, here);
            !decls
                .iter()
                .all(|decl| spares(cx, *decl, name, Some(owner)))
        }
    };
    if silent {
        return None;
    }
    let literal = uses.literal_of(call);
    let cfg = d.cfg(literal)?;
    let f = Function::new(d, literal, &cfg);
    let text = render(d.tree, base, 60);
    let whom = match kept {
        Kept::Local(_) => format!("`{}`", f.name()),
        _ => "this package".to_owned(),
    };
    let message = format!(
        "`{text}.Wait` waits for ever: nothing in {whom} calls `Signal` or `Broadcast` of it"
    );
    let range = d.tree[call].range;
    let mut found = finding(&f, rule, Severity::Information, message, range);
    found.related.push(step("it waits here", range));
    Some(found)
}

fn is_unexported(name: Name) -> bool {
    (name.as_str().chars().next()).is_some_and(|c| c == '_' || c.is_lowercase())
}

fn is_own(item: ItemRef, import: Name) -> bool {
    item.package == import && is_unexported(item.name)
}

/// Whether a local condition is made by the function itself.
fn is_made_here(d: &Declaration<'_>, local: LocalId) -> bool {
    let l = &d.facts.locals[local];
    match l.assignments {
        0 => true,
        1 => (d.value_at(local)).is_some_and(|(value, _)| makes_cond(d.tree, value)),
        _ => false,
    }
}

/// `sync.NewCond(…)`, `sync.Cond{…}`, `&sync.Cond{…}`.
fn makes_cond(tree: &DeclTree, value: ExprId) -> bool {
    let value = tree.unparen(value);
    match &tree[value].kind {
        ExprKind::Call { func, .. } => last_name(tree, *func).is_some_and(|n| n == "NewCond"),
        ExprKind::Composite { ty: Some(ty), .. } => {
            last_name(tree, *ty).is_some_and(|n| n == "Cond")
        }
        ExprKind::Unary {
            op: UnaryOp::Address,
            operand,
        } => makes_cond(tree, *operand),
        _ => false,
    }
}

/// Whether a declaration does nothing with what has this name that could wake somebody who waits: it waits, names the lock, or makes it.
/// What has the name need not be the condition: then this is asked in vain, and the answer errs to the silent side.
fn spares(cx: &CheckContext<'_>, decl: DeclId, name: Name, owner: Option<Name>) -> bool {
    let field = owner.is_some();
    let tree = decl_tree(cx.db, decl);
    let mut mentions = Vec::new();
    for (id, expr) in tree.exprs.iter() {
        match &expr.kind {
            ExprKind::Selector { name: n, .. } if n.name == name => mentions.push(id),
            ExprKind::Ident(n) if !field && *n == name => mentions.push(id),
            ExprKind::Composite { ty, elements } if field => {
                let of_owner = ty.is_none_or(|ty| last_name(&tree, ty) == owner);
                for element in elements {
                    // The fields are not named: any of them may be it.
                    if of_owner && element.key.is_none() && !makes_cond(&tree, element.value) {
                        return false;
                    }
                    let keyed = element
                        .key
                        .and_then(|key| tree.ident(key))
                        .is_some_and(|key| key.name == name);
                    if keyed && !makes_cond(&tree, element.value) {
                        return false;
                    }
                }
            }
            _ => {}
        }
    }
    mentions
        .into_iter()
        .all(|mention| is_harmless(&tree, mention))
}

/// Whether a mention of a condition waits for it, names its lock, or gives it a new one.
fn is_harmless(tree: &DeclTree, mention: ExprId) -> bool {
    let mut known = false;
    let called = |selector: ExprId| {
        tree.exprs.iter().any(|(_, e)| {
            matches!(&e.kind, ExprKind::Call { func, .. } if tree.unparen(*func) == selector)
        })
    };
    for (id, expr) in tree.exprs.iter() {
        match &expr.kind {
            ExprKind::Selector { base, name } if tree.unparen(*base) == mention => {
                known = match name.name.as_str() {
                    "Wait" => called(id),
                    "L" => true,
                    _ => false,
                };
                if !known {
                    return false;
                }
            }
            _ => {}
        }
    }
    known
        || tree.stmts.iter().any(|(_, stmt)| match &stmt.kind {
            StmtKind::Assign { lhs, rhs, .. } if lhs.len() == rhs.len() => {
                (lhs.iter().position(|e| tree.unparen(*e) == mention))
                    .is_some_and(|i| makes_cond(tree, rhs[i]))
            }
            _ => false,
        })
}
