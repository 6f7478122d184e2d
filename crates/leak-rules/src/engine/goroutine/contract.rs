//! Functions that leave with a lock held, for their callers to give back.

use go_model::db::decl_tree;
use go_model::package::package_of_decl;
use go_syntax::ast::ExprKind;

use super::field::with_tests;
use super::held::{Class, Locks};
use super::uses::Uses;
use crate::engine::facts;
use crate::engine::find::last_name;
use crate::engine::function::{Declaration, Depth, Function};
use crate::engine::pattern::functions;

/// Whether some caller of a declared function gives back a lock that only the function can have taken for it.
pub(super) fn callers_give_back(d: &Declaration<'_>, class: &Class, reads: bool) -> bool {
    let name = d.decl.name(d.db);
    with_tests(d.db, package_of_decl(d.db, d.decl))
        .into_iter()
        .filter(|other| *other != d.decl)
        .any(|other| {
            let tree = decl_tree(d.db, other);
            let calls = |e: &ExprKind| match e {
                ExprKind::Call { func, .. } => last_name(&tree, *func) == Some(name),
                _ => false,
            };
            if tree.has_error || !tree.exprs.iter().any(|(_, e)| calls(&e.kind)) {
                return false;
            }
            let facts = facts(d.db, other);
            let caller = Declaration::new(d.db, other, &tree, &facts, Depth::Full);
            let called = tree.exprs.iter().any(|(id, e)| {
                calls(&e.kind)
                    && facts
                        .callees
                        .get(id)
                        .and_then(|callee| go_model::summary::callee_decl(d.db, other, callee))
                        == Some(d.decl)
            });
            called && gives_back(&caller, class, reads)
        })
}

/// Whether one of the functions of a declaration gives a lock back that it has not taken.
fn gives_back(d: &Declaration<'_>, class: &Class, reads: bool) -> bool {
    let uses = Uses::new(d);
    functions(d.tree).any(|literal| {
        let Some(cfg) = d.cfg(literal) else {
            return false;
        };
        let f = Function::new(d, literal, &cfg);
        let locks = Locks::new(&f, &uses);
        let of = |takes: bool| {
            (locks.ops.iter()).any(|op| {
                op.locks == takes && op.reads == reads && op.class.as_ref() == Some(class)
            })
        };
        of(false) && !of(true)
    })
}
