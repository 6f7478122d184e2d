//! What a declaration calls, makes and sets, without places in the text: asked for on the way up from what grows.

use std::sync::Arc;

use go_model::db::{Db, DeclId};
use go_model::facts::{Callee, LocalKind, Res};
use go_model::types::Ty;
use go_syntax::ast::{ExprId, ExprKind, StmtKind};
use go_syntax::{Name, NodeId};

use super::body::{self, Body};
use super::repeat::{Runs, is_handler, is_rpc, runs, waits_for_work};
use super::source::{Source, source};
use super::uses::is_fresh;

/// A call of a function of the same package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Called {
    /// The type whose method it is.
    pub(crate) receiver: Option<Name>,
    pub(crate) name: Name,
    pub(crate) runs: Runs,
    /// Where its arguments come from.
    pub(crate) args: Vec<Source>,
    /// It is not called here but given to somebody who may.
    pub(crate) given: bool,
    /// The arguments, by their bits, that were made here just before, so that nobody else has them yet.
    pub(crate) fresh: u64,
    /// The same of what the method is called on.
    pub(crate) fresh_receiver: bool,
}

/// What there is in a declaration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Shape {
    pub(crate) calls: Vec<Called>,
    /// Types of the package of which a value is made.
    pub(crate) makes: Vec<(Name, Runs)>,
    /// Types of the package of which a value is set as a whole, through a pointer.
    pub(crate) overwrites: Vec<Name>,
    /// Package variables that are set as a whole, other than once.
    pub(crate) sets: Vec<Name>,
    /// Types of the package whose values a handler uses that was made here, or whose method is a handler.
    pub(crate) serves: Vec<Name>,
    /// Types of the locals of `main`.
    pub(crate) holds: Vec<Name>,
    /// There is a loop that waits for work in the function itself or in a goroutine of it.
    pub(crate) works: bool,
    /// It is called for every request.
    pub(crate) handler: bool,
}

/// What there is in a declaration.
#[salsa::tracked(returns(clone))]
pub(crate) fn shape(db: &dyn Db, decl: DeclId) -> Arc<Shape> {
    Arc::new(body::with(db, decl, of).unwrap_or_default())
}

/// The declared type of the package that a type is, or points to.
pub(super) fn own_type(body: &Body<'_>, ty: &Ty) -> Option<Name> {
    let named = ty.as_named_or_pointer()?;
    (named.local == 0 && named.package == body.path).then_some(named.name)
}

fn of(body: &Body<'_>) -> Shape {
    let mut shape = Shape::default();
    let tree = body.tree;
    let Some(func) = tree.func() else {
        return shape;
    };
    shape.handler = is_handler(body, &body.facts.params, &func.signature) || is_rpc(body);
    for (id, expr) in tree.exprs.iter() {
        match &expr.kind {
            ExprKind::Call { args, .. } => {
                if body.is_builtin(id, "new")
                    && let Some(ty) = args.first().and_then(|a| body.ty(*a))
                    && let Some(name) = own_type(body, ty)
                {
                    shape.makes.push((name, runs(body, id)));
                }
                call(body, id, args, &mut shape);
            }
            ExprKind::Composite { .. } => {
                if let Some(name) = body.ty(id).and_then(|ty| own_type(body, ty)) {
                    shape.makes.push((name, runs(body, id)));
                }
            }
            ExprKind::Selector { .. } | ExprKind::Ident(_) => value(body, id, &mut shape),
            ExprKind::FuncLit(literal) => {
                let facts = body.facts.literals.get(id);
                let params = facts.map_or(&[][..], |l| &l.params);
                if is_handler(body, params, &literal.signature) {
                    for local in facts.iter().flat_map(|l| &l.captures) {
                        shape
                            .serves
                            .extend(own_type(body, &body.facts.locals[*local].ty));
                    }
                }
            }
            _ => {}
        }
    }
    if shape.handler
        && let Some(receiver) = body.facts.receiver
    {
        shape
            .serves
            .extend(own_type(body, &body.facts.locals[receiver].ty));
    }
    statements(body, &mut shape);
    let is_main =
        func.receiver.is_none() && func.name.name == "main" && body.package.name(body.db) == "main";
    if is_main {
        for (_, local) in body.facts.locals.iter() {
            if local.kind == LocalKind::Var {
                shape.holds.extend(own_type(body, &local.ty));
            }
        }
    }
    for names in [
        &mut shape.overwrites,
        &mut shape.sets,
        &mut shape.serves,
        &mut shape.holds,
    ] {
        names.sort_unstable();
        names.dedup();
    }
    shape
}

fn call(body: &Body<'_>, call: ExprId, args: &[ExprId], shape: &mut Shape) {
    let (receiver, name) = match body.callee(call) {
        Some(Callee::Func(f)) if f.package == body.path => (None, f.name),
        Some(Callee::Method(m)) if m.package == body.path && !m.interface => (Some(m.ty), m.name),
        _ => return,
    };
    // What goes on beside the caller does not end with the making.
    let aside = matches!(body.parent(call), Some(NodeId::Stmt(s)) if matches!(body.tree[s].kind, StmtKind::Go(_)));
    let fresh = args.iter().take(if aside { 0 } else { 64 }).enumerate();
    let fresh = fresh.filter(|(_, arg)| is_fresh(body, **arg));
    let fresh_receiver = !aside
        && match &body.tree[call].kind {
            ExprKind::Call { func, .. } => matches!(
                body.tree[body.tree.unparen(*func)].kind,
                ExprKind::Selector { base, .. } if is_fresh(body, base)
            ),
            _ => false,
        };
    shape.calls.push(Called {
        receiver,
        name,
        runs: runs(body, call),
        args: args.iter().map(|arg| source(body, *arg)).collect(),
        given: false,
        fresh: fresh.fold(0, |bits, (i, _)| bits | 1 << i),
        fresh_receiver,
    });
}

/// A function that is named without being called: somebody else calls it, with what is not known.
fn value(body: &Body<'_>, expr: ExprId, shape: &mut Shape) {
    if let Some(NodeId::Expr(parent)) = body.parent(expr)
        && let ExprKind::Call { func, .. } = &body.tree[parent].kind
        && *func == expr
    {
        return;
    }
    let (receiver, name) = match body.facts.refs.get(expr) {
        Some(Res::Method(m)) if m.package == body.path && !m.interface => (Some(m.ty), m.name),
        Some(Res::Package(item)) if item.package == body.path && is_function(body, item.name) => {
            (None, item.name)
        }
        _ => return,
    };
    let runs = runs(body, expr);
    shape.calls.push(Called {
        receiver,
        name,
        // Being registered in a loop does not make it run in that loop.
        runs: if runs == Runs::Handler {
            Runs::Handler
        } else {
            Runs::Once
        },
        args: Vec::new(),
        given: true,
        fresh: 0,
        fresh_receiver: false,
    });
}

fn is_function(body: &Body<'_>, name: Name) -> bool {
    matches!(
        go_model::package::package_item(body.db, body.package, name),
        Some(go_model::package::Item::Func(_))
    )
}

fn statements(body: &Body<'_>, shape: &mut Shape) {
    let tree = body.tree;
    for (id, stmt) in tree.stmts.iter() {
        match &stmt.kind {
            StmtKind::Assign { lhs, .. } => {
                for target in lhs {
                    let target = tree.unparen(*target);
                    match &tree[target].kind {
                        ExprKind::Star(_) => {
                            let name = body.ty(target).and_then(|ty| own_type(body, ty));
                            shape.overwrites.extend(name);
                        }
                        ExprKind::Ident(_) => {
                            if let Some(Res::Package(item)) = body.facts.refs.get(target)
                                && item.package == body.path
                                && runs(body, id) != Runs::Once
                            {
                                shape.sets.push(item.name);
                            }
                        }
                        _ => {}
                    }
                }
            }
            StmtKind::For { .. } | StmtKind::Range { .. } if waits_for_work(body, id) => {
                shape.works = true;
            }
            _ => {}
        }
    }
}
