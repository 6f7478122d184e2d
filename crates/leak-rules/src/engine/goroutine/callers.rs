//! Functions of a command after which the process ends: whoever calls them does nothing else where they return what they return.

use go_model::db::{DeclSort, decl_tree};
use go_model::facts::{LocalId, Res};
use go_model::package::{package_decls, package_of_decl};
use go_model::types::Ty;
use go_syntax::Name;
use go_syntax::ast::{BinaryOp, Block, DeclTree, ExprId, ExprKind, StmtId, StmtKind, UnaryOp};

use crate::check::CheckContext;
use crate::engine::facts;
use crate::engine::function::{Declaration, Depth};

/// What a return says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The result of this index is this constant.
    Bool(usize, bool),
    /// It is an error that is surely there.
    Error(usize),
}

/// Whether each caller of a function of a command ends the process where one of these returns was taken.
pub(super) fn end_the_process(cx: &CheckContext<'_>, exits: &[Option<StmtId>]) -> bool {
    let db = cx.db;
    let package = package_of_decl(db, cx.decl);
    if package.name(db) != "main"
        || cx.decl.sort(db) != DeclSort::Func
        || cx.decl.receiver(db).is_some()
    {
        return false;
    }
    let d = cx.declaration(Depth::Full);
    let Some(outcomes) = (exits.iter())
        .map(|exit| outcome(d, (*exit)?))
        .collect::<Option<Vec<_>>>()
    else {
        return false;
    };
    let name = cx.decl.name(db);
    let mut called = false;
    let all = package_decls(db, package).iter().all(|&decl| {
        let tree = decl_tree(db, decl);
        let mentions = mentions(&tree, name);
        if mentions.is_empty() {
            return true;
        }
        called = true;
        let facts = facts(db, decl);
        let caller = Declaration::new(db, decl, &tree, &facts, Depth::Full);
        mentions.iter().all(|mention| {
            (outcomes.iter()).all(|o| ends_there(&caller, *mention, *o) == Some(true))
        })
    });
    called && all
}

fn mentions(tree: &DeclTree, name: Name) -> Vec<ExprId> {
    (tree.exprs.iter())
        .filter(|(_, e)| matches!(&e.kind, ExprKind::Ident(n) if *n == name))
        .map(|(id, _)| id)
        .collect()
}

fn outcome(d: &Declaration<'_>, exit: StmtId) -> Option<Outcome> {
    let StmtKind::Return(values) = &d.tree[exit].kind else {
        return None;
    };
    values.iter().enumerate().find_map(|(i, value)| {
        let value = d.tree.unparen(*value);
        match (d.facts.refs.get(value), &d.tree[value].kind) {
            (Some(Res::Bool(b)), _) => Some(Outcome::Bool(i, *b)),
            (Some(Res::Package(_)), _) if d.facts.types.get(value).is_some_and(Ty::is_error) => {
                Some(Outcome::Error(i))
            }
            (_, ExprKind::Call { .. }) => {
                let target = d.target(value)?;
                let fails = target.is_func("errors", "New")
                    || target.is_func("fmt", "Errorf")
                    || target.is_method("context", "Context", "Err");
                fails.then_some(Outcome::Error(i))
            }
            _ => None,
        }
    })
}

/// Whether the caller ends the process where a call has this outcome: it is asked for right behind the call.
fn ends_there(d: &Declaration<'_>, mention: ExprId, outcome: Outcome) -> Option<bool> {
    let call = d.parent(mention)?;
    if !matches!(&d.tree[call].kind, ExprKind::Call { func, .. } if *func == mention) {
        return None;
    }
    // `if !f() {` or `if x := f(); !x {`, or `x := f()` with the question behind it.
    for (id, stmt) in d.tree.stmts.iter() {
        let StmtKind::If {
            init, cond, then, ..
        } = &stmt.kind
        else {
            continue;
        };
        let direct = d.tree[*cond].range.contains_range(d.tree[call].range);
        let asked = match init {
            _ if direct => asks(d, *cond, &|e| e == call, outcome),
            Some(init) => {
                let value = given(d, *init, call, outcome);
                value.is_some_and(|v| asks(d, *cond, &|e| is_local(d, e, v), outcome))
            }
            None => {
                let before = d
                    .outline
                    .list_of(id)
                    .and_then(|(list, index)| list.stmts.get(index.checked_sub(1)?).copied());
                let value = before.and_then(|s| given(d, s, call, outcome));
                value.is_some_and(|v| asks(d, *cond, &|e| is_local(d, e, v), outcome))
            }
        };
        if asked {
            return Some(ends_process(d, then));
        }
    }
    None
}

fn is_local(d: &Declaration<'_>, expr: ExprId, local: LocalId) -> bool {
    d.facts.refs.get(expr) == Some(&Res::Local(local))
}

/// The variable that gets the result of a call that says how it went.
fn given(d: &Declaration<'_>, stmt: StmtId, call: ExprId, outcome: Outcome) -> Option<LocalId> {
    let (Outcome::Bool(index, _) | Outcome::Error(index)) = outcome;
    match &d.tree[stmt].kind {
        StmtKind::Assign { lhs, rhs, .. } if rhs.len() == 1 && d.tree.unparen(rhs[0]) == call => {
            match d.facts.refs.get(d.tree.unparen(*lhs.get(index)?)) {
                Some(Res::Local(local)) => Some(*local),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether a condition holds exactly where the outcome is this one.
fn asks(d: &Declaration<'_>, cond: ExprId, is: &dyn Fn(ExprId) -> bool, outcome: Outcome) -> bool {
    let cond = d.tree.unparen(cond);
    match (&d.tree[cond].kind, outcome) {
        (
            ExprKind::Unary {
                op: UnaryOp::Not,
                operand,
            },
            Outcome::Bool(_, false),
        ) => is(d.tree.unparen(*operand)),
        (
            ExprKind::Binary {
                op: BinaryOp::Ne,
                lhs,
                rhs,
            },
            Outcome::Error(_),
        ) => d.is_nil(*rhs) && is(d.tree.unparen(*lhs)),
        (_, Outcome::Bool(_, true)) => is(cond),
        _ => false,
    }
}

/// Whether a block ends with a call that ends the process.
fn ends_process(d: &Declaration<'_>, block: &Block) -> bool {
    let Some(StmtKind::Expr(last)) = block.stmts.last().map(|s| &d.tree[*s].kind) else {
        return false;
    };
    go_model::noreturn::known(d.tree, d.facts, d.tree.unparen(*last)).is_some_and(|n| !n.unwinds)
}
