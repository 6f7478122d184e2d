//! Names: which may be places that grow, and who mentions them. Nothing is resolved here.

use std::sync::Arc;

use go_model::db::{Db, DeclId, decl_tree};
use go_model::outline::TypeRef;
use go_model::package::{Item, PackageId, file_imports, package_decls, package_index};
use go_syntax::Name;
use go_syntax::ast::{DeclTree, ExprId, ExprKind, StmtKind};
use rustc_hash::{FxHashMap, FxHashSet};

/// The names that a declaration mentions, sorted.
#[salsa::tracked(returns(clone))]
pub(super) fn mentioned(db: &dyn Db, decl: DeclId) -> Arc<[Name]> {
    let tree = decl_tree(db, decl);
    let mut names: Vec<Name> = (tree.exprs.iter())
        .filter_map(|(_, expr)| match &expr.kind {
            ExprKind::Ident(name) => Some(*name),
            ExprKind::Selector { name, .. } => Some(name.name),
            _ => None,
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names.into()
}

/// Names that the package declares, also as fields and methods, with the declarations that mention them.
#[salsa::tracked(returns(clone))]
fn mentions(db: &dyn Db, package: PackageId) -> Arc<FxHashMap<Name, Arc<[DeclId]>>> {
    let index = package_index(db, package);
    let mut declared: FxHashSet<Name> = index.own_items().map(Item::name).collect();
    declared.extend(
        index
            .own_methods()
            .flat_map(|(_, m)| m.iter().map(|m| m.name)),
    );
    for item in index.own_items() {
        fields(item, &mut |_, name, _| {
            declared.insert(name);
        });
    }
    declared.extend(holders(db, package).iter().copied());
    let mut found: FxHashMap<Name, Vec<DeclId>> = FxHashMap::default();
    for &decl in package_decls(db, package).iter() {
        for name in mentioned(db, decl).iter() {
            if declared.contains(name) {
                found.entry(*name).or_default().push(decl);
            }
        }
    }
    Arc::new(found.into_iter().map(|(n, d)| (n, d.into())).collect())
}

/// The declarations of a package that mention a name that the package declares. Does not change with who mentions other names.
#[salsa::tracked(returns(clone))]
pub(super) fn who_mentions(db: &dyn Db, package: PackageId, name: Name) -> Option<Arc<[DeclId]>> {
    mentions(db, package).get(&name).cloned()
}

/// Calls `f` with the declared type or variable, the name and the type of each field of an item.
pub(super) fn fields(item: &Item, f: &mut dyn FnMut(Name, Name, &TypeRef)) {
    let (name, ty) = match item {
        Item::Type(ty) => (ty.name, Some(&ty.ty)),
        Item::Value(value) => (value.name, value.ty.as_ref()),
        Item::Func(_) => return,
    };
    if let Some(TypeRef::Struct(fields)) = ty {
        for field in fields {
            f(name, field.name, &field.ty);
        }
    }
}

/// The types of other packages that the fields of an item have, or point to: path of the package and name.
pub(super) fn imported_fields(db: &dyn Db, item: &Item) -> Vec<(Name, Name)> {
    let imports = file_imports(db, item.decl().file(db));
    let mut found = Vec::new();
    fields(item, &mut |_, _, field| {
        let inner = match field {
            TypeRef::Pointer(inner) => inner,
            other => other,
        };
        if let TypeRef::Qualified(package, name) = inner
            && let Some(target) = imports.get(*package)
        {
            found.push((target.path, *name));
        }
    });
    found
}

/// Names of variables and fields that may hold a collection, going by how their types are written.
#[salsa::tracked(returns(clone))]
pub(super) fn holders(db: &dyn Db, package: PackageId) -> Arc<FxHashSet<Name>> {
    let index = package_index(db, package);
    let mut names = FxHashSet::default();
    for item in index.own_items() {
        if let Item::Value(value) = item
            && !value.is_const
        {
            match &value.ty {
                Some(ty) if may_hold(ty) => {
                    names.insert(value.name);
                }
                Some(_) => {}
                // The initial value says what it is.
                None => inferred(db, value.decl, value.name, &mut names),
            }
        }
        fields(item, &mut |_, name, ty| {
            if may_hold(ty) {
                names.insert(name);
            }
        });
    }
    Arc::new(names)
}

pub(super) fn may_hold(ty: &TypeRef) -> bool {
    match ty {
        TypeRef::Map(..) | TypeRef::Slice(_) | TypeRef::Name(_) | TypeRef::Inst(..) => true,
        TypeRef::Qualified(_, name) => *name == "Map" || *name == "List",
        TypeRef::Pointer(inner) => may_hold(inner),
        _ => false,
    }
}

/// A variable without a written type, and the fields of its unnamed struct type.
fn inferred(db: &dyn Db, decl: DeclId, name: Name, names: &mut FxHashSet<Name>) {
    names.insert(name);
    for (_, expr) in decl_tree(db, decl).exprs.iter() {
        if let ExprKind::StructType(fields) = &expr.kind {
            names.extend(fields.iter().flat_map(|f| f.names.iter().map(|n| n.name)));
        }
    }
}

/// The methods that put something into a collection of the standard library, and functions that put something into a map or a slice.
pub(crate) const GROWING: &[&str] = &[
    "append",
    "Store",
    "LoadOrStore",
    "Swap",
    "PushBack",
    "PushFront",
    "InsertBefore",
    "InsertAfter",
    "Push",
    "Insert",
    "Copy",
];

/// Whether something in a declaration may make something of one of these names grow: a question before anything is resolved.
pub(super) fn may_grow(tree: &DeclTree, names: &FxHashSet<Name>) -> bool {
    let holds = |e: ExprId| mentions_holder(tree, e, names);
    let assigned = tree.stmts.iter().any(|(_, stmt)| match &stmt.kind {
        StmtKind::Assign { lhs, .. } => lhs
            .iter()
            .any(|l| matches!(tree[tree.unparen(*l)].kind, ExprKind::Index { .. }) && holds(*l)),
        StmtKind::IncDec { operand, .. } => {
            matches!(tree[tree.unparen(*operand)].kind, ExprKind::Index { .. }) && holds(*operand)
        }
        _ => false,
    });
    assigned
        || tree.exprs.iter().any(|(_, expr)| match &expr.kind {
            ExprKind::Call { func, args, .. } => match &tree[tree.unparen(*func)].kind {
                ExprKind::Ident(name) => {
                    *name == "append" && args.first().is_some_and(|a| holds(*a))
                }
                ExprKind::Selector { base, name } => {
                    GROWING.contains(&name.name.as_str())
                        && (holds(*base) || args.first().is_some_and(|a| holds(*a)))
                }
                _ => false,
            },
            _ => false,
        })
}

/// Whether a declaration deletes from something of one of these names.
pub(super) fn may_delete(tree: &DeclTree, names: &FxHashSet<Name>) -> bool {
    tree.exprs.iter().any(|(_, expr)| match &expr.kind {
        ExprKind::Call { func, args, .. } => {
            matches!(&tree[tree.unparen(*func)].kind, ExprKind::Ident(name) if *name == "delete")
                && args
                    .first()
                    .is_some_and(|a| mentions_holder(tree, *a, names))
        }
        _ => false,
    })
}

/// Whether the chain of selectors and indexes that an expression is has one of the names in it. A local may stand for one too.
fn mentions_holder(tree: &DeclTree, expr: ExprId, names: &FxHashSet<Name>) -> bool {
    let mut at = expr;
    loop {
        match &tree[at].kind {
            ExprKind::Paren(x) | ExprKind::Star(x) => at = *x,
            ExprKind::Unary { operand, .. } => at = *operand,
            ExprKind::Index { base, .. } | ExprKind::Slice { base, .. } => at = *base,
            ExprKind::Selector { base, name } => {
                if names.contains(&name.name) {
                    return true;
                }
                at = *base;
            }
            ExprKind::Ident(name) => return names.contains(name),
            _ => return false,
        }
    }
}
