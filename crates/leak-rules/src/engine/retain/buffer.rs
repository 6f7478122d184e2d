//! Large buffers of a function's own: what is read as a whole, and what is made with a large constant size.

use go_model::facts::{Callee, LocalId};
use go_syntax::ast::{AssignOp, DeclTree, ExprId, ExprKind, StmtId, StmtKind};
use go_syntax::{Literals, Name};

use super::number::{integer, literal};
use crate::engine::find::{enclosing_literal, last_name};
use crate::engine::function::Declaration;

/// Made buffers of fewer elements are not large.
const LARGE: i128 = 4096;
/// What is limited to so many bytes on its way into a buffer is not large.
const LIMITED: i128 = 64 << 10;

/// A large buffer in a local variable.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Buffer {
    /// The call that makes it.
    pub(crate) call: ExprId,
    /// The statement that gives it its name.
    pub(crate) stmt: StmtId,
    pub(crate) local: LocalId,
    /// The function literal around it.
    pub(crate) literal: Option<ExprId>,
    /// How many elements it has, if that is constant.
    pub(crate) size: Option<i128>,
}

/// Whether there may be such a buffer: a question before anything is resolved.
pub(crate) fn may_have(tree: &DeclTree) -> bool {
    tree.exprs.iter().any(|(_, expr)| match &expr.kind {
        ExprKind::Call { func, args, .. } => last_name(tree, *func).is_some_and(|name| {
            is_reader(name) || name == "make" && args.get(1).is_some_and(|n| may_be_large(tree, *n))
        }),
        _ => false,
    })
}

fn is_reader(name: Name) -> bool {
    name == "ReadFile" || name == "ReadAll"
}

/// A large number, or something that may be the name of one.
fn may_be_large(tree: &DeclTree, size: ExprId) -> bool {
    match literal(tree, size) {
        Some(size) => size >= LARGE,
        None => match &tree[tree.unparen(size)].kind {
            ExprKind::Ident(name) => !is_local_name(tree, *name),
            ExprKind::Selector { base, .. } => {
                matches!(tree[tree.unparen(*base)].kind, ExprKind::Ident(name) if !is_local_name(tree, name))
            }
            ExprKind::Binary { .. } => true,
            _ => false,
        },
    }
}

/// Whether a parameter or a variable of the declaration has the name.
fn is_local_name(tree: &DeclTree, name: Name) -> bool {
    let declared = tree.stmts.iter().any(|(_, stmt)| match &stmt.kind {
        StmtKind::Assign {
            lhs,
            op: AssignOp::Define,
            ..
        } => lhs
            .iter()
            .any(|l| tree.ident(*l).is_some_and(|i| i.name == name)),
        StmtKind::Var(specs) => specs.iter().any(|s| s.names.iter().any(|n| n.name == name)),
        _ => false,
    });
    declared
        || tree.func().is_some_and(|func| {
            (func.receiver.iter())
                .chain(&func.signature.params)
                .any(|p| p.name.is_some_and(|n| n.name == name))
        })
}

/// The large buffers that are named in a declaration.
pub(crate) fn buffers(d: &Declaration<'_>) -> Vec<Buffer> {
    let mut found = Vec::new();
    for (stmt, node) in d.tree.stmts.iter() {
        let (target, value) = match &node.kind {
            StmtKind::Assign {
                lhs,
                op: AssignOp::Define | AssignOp::Assign,
                rhs,
            } if rhs.len() == 1 => {
                let local = match d.facts.refs.get(d.tree.unparen(lhs[0])) {
                    Some(go_model::facts::Res::Local(local)) => *local,
                    _ => continue,
                };
                (local, rhs[0])
            }
            StmtKind::Var(specs) => match &specs[..] {
                [spec] if spec.values.len() == 1 => match d.declared_at(spec.names[0].range) {
                    Some(local) => (local, spec.values[0]),
                    None => continue,
                },
                _ => continue,
            },
            _ => continue,
        };
        let call = d.tree.unparen(value);
        if let Some(size) = size(d, call) {
            found.push(Buffer {
                call,
                stmt,
                local: target,
                literal: enclosing_literal(d.tree, node.range),
                size,
            });
        }
    }
    found
}

/// Whether a call makes a large buffer, and how large it is if that is constant.
fn size(d: &Declaration<'_>, call: ExprId) -> Option<Option<i128>> {
    let ExprKind::Call { args, .. } = &d.tree[call].kind else {
        return None;
    };
    if matches!(d.facts.callees.get(call), Some(Callee::Builtin(name)) if *name == "make") {
        let is_slice = d.facts.types.get(call).is_some_and(
            |ty| matches!(ty.kind(), go_model::types::TyKind::Slice(elem) if !elem.has_unknown()),
        );
        let size = args.get(1..)?.iter().filter_map(|n| integer(d, *n)).max()?;
        return (is_slice && size >= LARGE).then_some(Some(size));
    }
    let target = d.target(call)?;
    let read = match (target.package.as_str(), target.name.as_str()) {
        ("os" | "io/ioutil" | "io/fs", "ReadFile") | ("io" | "io/ioutil", "ReadAll") => {
            target.ty.is_none()
        }
        _ => false,
    };
    (read && !args.iter().any(|arg| is_little(d, *arg))).then_some(None)
}

/// Whether what is read is little: files in which the kernel tells about itself or that set up a system, and what is limited.
fn is_little(d: &Declaration<'_>, source: ExprId) -> bool {
    const LITTLE: [&str; 5] = ["/proc", "/sys", "/etc", "/dev", "/run"];
    d.tree.walk(source, Literals::Skip).any(|node| {
        let Some(expr) = node.expr() else {
            return false;
        };
        match &d.tree[expr].kind {
            ExprKind::Literal(_) => d
                .tree
                .string_value(expr)
                .is_some_and(|text| LITTLE.iter().any(|folder| text.starts_with(folder))),
            ExprKind::Call { args, .. } => {
                let limits = d.target(expr).is_some_and(|t| {
                    t.is_func("io", "LimitReader") || t.is_func("net/http", "MaxBytesReader")
                });
                limits
                    && (args.last())
                        .and_then(|n| integer(d, *n))
                        .is_some_and(|n| n <= LIMITED)
            }
            _ => false,
        }
    })
}
