//! Values of integer constants, as far as they are written out.

use go_model::db::decl_tree;
use go_model::facts::{Callee, ItemRef, LocalKind, Res};
use go_model::package::{package_item, package_of_decl, package_seen_by};
use go_syntax::ast::{BinaryOp, DeclKind, DeclTree, ExprId, ExprKind, StmtKind, ValueSpec};

use crate::engine::function::Declaration;

/// The value of a constant integer expression.
pub(crate) fn integer(d: &Declaration<'_>, expr: ExprId) -> Option<i128> {
    value(d.tree, expr, &|name| named(d, name))
}

/// The value of an expression that names nothing: a question before anything is resolved.
pub(crate) fn literal(tree: &DeclTree, expr: ExprId) -> Option<i128> {
    value(tree, expr, &|_| None)
}

fn value(tree: &DeclTree, expr: ExprId, other: &dyn Fn(ExprId) -> Option<i128>) -> Option<i128> {
    let expr = tree.unparen(expr);
    match &tree[expr].kind {
        ExprKind::Literal(literal) => literal.int_value().map(i128::from),
        ExprKind::Binary { op, lhs, rhs } => {
            let (a, b) = (value(tree, *lhs, other)?, value(tree, *rhs, other)?);
            match op {
                BinaryOp::Add => a.checked_add(b),
                BinaryOp::Sub => a.checked_sub(b),
                BinaryOp::Mul => a.checked_mul(b),
                BinaryOp::Div => a.checked_div(b),
                BinaryOp::Shl => a.checked_shl(u32::try_from(b).ok().filter(|b| *b < 60)?),
                _ => None,
            }
        }
        _ => other(expr),
    }
}

/// The value of a constant by its name, or of a conversion of one.
fn named(d: &Declaration<'_>, expr: ExprId) -> Option<i128> {
    match &d.tree[expr].kind {
        ExprKind::Call { args, .. } => match (&args[..], d.facts.callees.get(expr)) {
            ([only], Some(Callee::Conversion)) => integer(d, *only),
            _ => None,
        },
        _ => match d.facts.refs.get(expr)? {
            Res::Package(item) => package_constant(d, *item),
            Res::Local(local) if d.facts.locals[*local].kind == LocalKind::Const => {
                let name = d.facts.locals[*local].ident;
                d.tree.stmts.iter().find_map(|(_, stmt)| match &stmt.kind {
                    StmtKind::Const(specs) => of_specs(d.tree, specs, |n| n == name),
                    _ => None,
                })
            }
            _ => None,
        },
    }
}

fn package_constant(d: &Declaration<'_>, item: ItemRef) -> Option<i128> {
    let package = package_seen_by(d.db, package_of_decl(d.db, d.decl), item.package)?;
    let tree = decl_tree(d.db, package_item(d.db, package, item.name)?.decl());
    let DeclKind::Const(specs) = &tree.kind else {
        return None;
    };
    of_specs(&tree, specs, |n| n.name == item.name)
}

fn of_specs(
    tree: &DeclTree,
    specs: &[ValueSpec],
    is: impl Fn(go_syntax::ast::Ident) -> bool,
) -> Option<i128> {
    specs.iter().find_map(|spec| {
        let at = spec.names.iter().position(|n| is(*n))?;
        literal(tree, *spec.values.get(at)?)
    })
}
