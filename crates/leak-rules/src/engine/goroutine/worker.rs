//! Workers: a value with a method that starts a goroutine, and another one that ends it.

use go_model::cfg::{BlockId, Node};
use go_model::db::{Db, DeclId, decl_start, decl_tree};
use go_model::facts::{Callee, Facts, LocalId, MethodRef, Res};
use go_model::package::{package_item, package_methods, package_of_decl};
use go_syntax::ast::{DeclTree, ExprId, ExprKind, StmtKind, UnaryOp};
use go_syntax::{Literals, Name, NodeId, TextRange, TextSize};

use super::endless::only_used;
use super::paths::{self, Flow, Item, Question};
use super::uses::Uses;
use crate::Severity;
use crate::check::{CheckContext, RawFinding, RawRelated};
use crate::engine::function::{Depth, Function};
use crate::engine::pattern::{finding, step};
use crate::engine::site::{FixSite, Pattern};
use crate::engine::{facts, is_main};

/// Local workers that are started and not stopped on some path.
pub(crate) fn findings(cx: &CheckContext<'_>, rule: &'static str) -> Vec<RawFinding> {
    let d = cx.declaration(Depth::Full);
    let uses = Uses::new(d);
    let mut found = Vec::new();
    for (local, _) in d.facts.locals.iter() {
        found.extend(look(cx, &uses, local, rule));
    }
    found
}

fn look(
    cx: &CheckContext<'_>,
    uses: &Uses<'_, '_>,
    local: LocalId,
    rule: &'static str,
) -> Option<RawFinding> {
    let d = uses.d;
    let l = &d.facts.locals[local];
    if l.owner.is_none() && is_main(cx) {
        return None;
    }
    let (value, _) = d.only_value(local)?;
    let fields = channels_made(d.tree, d.facts, value);
    if fields.is_empty() || !only_used(d, local) {
        return None;
    }
    let calls: Vec<(ExprId, MethodRef)> = d
        .mentions(local)
        .iter()
        .filter_map(|(mention, _)| {
            let call = d.parent(d.parent(*mention)?)?;
            match d.facts.callees.get(call) {
                Some(Callee::Method(m)) if !m.interface => Some((call, *m)),
                _ => None,
            }
        })
        .collect();
    let (start, method, waits, place) = calls.iter().find_map(|(call, m)| {
        let (waits, place) = waits_on(d.db, d.decl, m)?;
        let waits: Vec<Name> = waits.into_iter().filter(|w| fields.contains(w)).collect();
        (!waits.is_empty()).then_some((*call, *m, waits, place))
    })?;
    let stops = stoppers(d.db, d.decl, &method, &waits);
    let stop = *stops.first()?;
    let stmt = uses.holder(start)?;
    let cfg = d.cfg(l.owner)?;
    let f = Function::new(d, l.owner, &cfg);
    if cfg.truncated || uses.literal_of(start) != l.owner {
        return None;
    }
    let (block, node) = f.cfg.position_of(stmt)?;
    let mut question = Stopped {
        uses,
        stops: calls
            .iter()
            .filter(|(_, m)| stops.contains(&m.name))
            .map(|(call, _)| *call)
            .collect(),
    };
    // Deferred before it was started.
    if question.stops.iter().any(|c| uses.defer_of(*c).is_some()) {
        return None;
    }
    let endings = paths::search(&f, (block, node + 1), (), &mut question)?;
    endings.first()?;
    let name = l.ident.name;
    let message = format!(
        "`{name}.{}` starts a goroutine that only `{name}.{stop}` ends, which is not called on a path that leaves `{}`",
        method.name,
        f.name()
    );
    let range = d.tree[start].range;
    let mut found = finding(&f, rule, Severity::Information, message, range);
    found.related.push(step("it is started here", range));
    found.related.push(place);
    for ending in endings.iter().take(3) {
        found.related.extend(ending.decision_step());
        found.related.push(step(
            format!("returns without `{name}.{stop}`"),
            ending.range,
        ));
    }
    if question.stops.is_empty() {
        let pattern = Pattern::StopWorker { stop };
        let site = FixSite::pattern(l.owner, start, Some(stmt), pattern, cx.in_test);
        found.site = Some(Box::new(site));
    }
    Some(found)
}

/// Fields of a composite literal that get a channel made on the spot.
fn channels_made(tree: &DeclTree, facts: &Facts, value: ExprId) -> Vec<Name> {
    let mut value = tree.unparen(value);
    if let ExprKind::Unary {
        op: UnaryOp::Address,
        operand,
    } = tree[value].kind
    {
        value = tree.unparen(operand);
    }
    let ExprKind::Composite { elements, .. } = &tree[value].kind else {
        return Vec::new();
    };
    elements
        .iter()
        .filter_map(|e| {
            let key = tree.ident(e.key?)?.name;
            let made = tree.unparen(e.value);
            let is_make =
                matches!(facts.callees.get(made), Some(Callee::Builtin(n)) if *n == "make");
            let chan = matches!(&tree[made].kind, ExprKind::Call { args, .. }
                if args.first().is_some_and(|a| matches!(tree[*a].kind, ExprKind::ChanType { .. })));
            (is_make && chan).then_some(key)
        })
        .collect()
}

fn method_decl(db: &dyn Db, from: DeclId, method: &MethodRef) -> Option<DeclId> {
    let decl = go_model::summary::callee_decl(db, from, &Callee::Method(*method))?;
    (package_of_decl(db, decl) == package_of_decl(db, from)).then_some(decl)
}

/// The field of the receiver that an expression is.
fn own_field(tree: &DeclTree, facts: &Facts, receiver: LocalId, expr: ExprId) -> Option<Name> {
    match &tree[tree.unparen(expr)].kind {
        ExprKind::Selector { base, name } => (facts.refs.get(tree.unparen(*base))
            == Some(&Res::Local(receiver)))
        .then_some(name.name),
        _ => None,
    }
}

/// The fields of the receiver on whose receive a goroutine returns that a method starts, if it returns by nothing else; and where it waits.
fn waits_on(db: &dyn Db, from: DeclId, method: &MethodRef) -> Option<(Vec<Name>, RawRelated)> {
    let decl = method_decl(db, from, method)?;
    let tree = decl_tree(db, decl);
    let facts = facts(db, decl);
    let receiver = facts.receiver?;
    if tree.has_error {
        return None;
    }
    let literals = tree.stmts.iter().filter_map(|(_, s)| match s.kind {
        StmtKind::Go(call) => match &tree[tree.unparen(call)].kind {
            ExprKind::Call { func, .. } => Some(tree.unparen(*func)),
            _ => None,
        },
        _ => None,
    });
    let mut found = Vec::new();
    let mut place = None;
    for literal in literals {
        let Some(lit) = tree.func_lit(literal) else {
            continue;
        };
        // One endless loop around one select, in which an arm returns.
        let [only] = lit.body.stmts[..] else { continue };
        let StmtKind::For {
            cond: None, body, ..
        } = &tree[only].kind
        else {
            continue;
        };
        let [select] = body.stmts[..] else { continue };
        let StmtKind::Select { cases } = &tree[select].kind else {
            continue;
        };
        let mut ends = Vec::new();
        let mut other = false;
        for case in cases {
            let returns = tree
                .walk_all(case.body.iter().map(|s| NodeId::Stmt(*s)), Literals::Skip)
                .any(|id| match id {
                    NodeId::Stmt(s) => matches!(
                        tree[s].kind,
                        StmtKind::Return(_) | StmtKind::Branch { label: Some(_), .. }
                    ),
                    NodeId::Expr(e) => {
                        matches!(facts.callees.get(e), Some(Callee::Builtin(n)) if *n == "panic")
                    }
                });
            if !returns {
                continue;
            }
            match case.comm.and_then(|c| received(&tree, c)) {
                Some(chan) => match own_field(&tree, &facts, receiver, chan) {
                    Some(field) => ends.push(field),
                    None => other = true,
                },
                None => other = true,
            }
        }
        if !other {
            found.extend(ends);
            place.get_or_insert(TextRange::at(
                tree[select].range.start(),
                TextSize::of("select"),
            ));
        }
    }
    let place = RawRelated {
        message: "its goroutine waits here".to_owned(),
        file: Some(decl.file(db).path(db)),
        range: place? + decl_start(db, decl),
    };
    Some((found, place))
}

/// What a communication receives from.
fn received(tree: &DeclTree, comm: go_syntax::ast::StmtId) -> Option<ExprId> {
    let value = match &tree[comm].kind {
        StmtKind::Expr(e) => *e,
        StmtKind::Assign { rhs, .. } => *rhs.first()?,
        _ => return None,
    };
    match tree[tree.unparen(value)].kind {
        ExprKind::Unary {
            op: UnaryOp::Receive,
            operand,
        } => Some(operand),
        _ => None,
    }
}

/// The methods of the type that close, or send on, one of these fields.
fn stoppers(db: &dyn Db, from: DeclId, method: &MethodRef, fields: &[Name]) -> Vec<Name> {
    let package = package_of_decl(db, from);
    if package_item(db, package, method.ty).is_none() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for item in package_methods(db, package, method.ty).iter() {
        let tree = decl_tree(db, item.decl);
        let facts = facts(db, item.decl);
        let Some(receiver) = facts.receiver else {
            continue;
        };
        let closes = tree.exprs.iter().any(|(id, e)| match &e.kind {
            ExprKind::Call { args, .. } => {
                matches!(facts.callees.get(id), Some(Callee::Builtin(n)) if *n == "close")
                    && args.first().is_some_and(|a| {
                        own_field(&tree, &facts, receiver, *a).is_some_and(|f| fields.contains(&f))
                    })
            }
            _ => false,
        });
        let sends = tree.stmts.iter().any(|(_, s)| match s.kind {
            StmtKind::Send { chan, .. } => {
                own_field(&tree, &facts, receiver, chan).is_some_and(|f| fields.contains(&f))
            }
            _ => false,
        });
        if closes || sends {
            let name = item.decl.name(db);
            let takes_nothing = tree.func().is_some_and(|f| f.signature.params.is_empty());
            // The first one is the one that is offered.
            if takes_nothing {
                found.insert(0, name);
            } else {
                found.push(name);
            }
        }
    }
    found
}

struct Stopped<'q, 'a> {
    uses: &'q Uses<'q, 'a>,
    stops: Vec<ExprId>,
}

impl Question for Stopped<'_, '_> {
    type State = ();

    fn at(&mut self, _: BlockId, item: Item, _: &mut ()) -> Flow {
        let root: NodeId = match item {
            Item::Node(Node::Stmt(s) | Node::Defer(s)) => s.into(),
            Item::Node(Node::Eval(e)) => e.into(),
            Item::Node(_) => return Flow::On,
            Item::Return(None) => return Flow::Found,
            Item::Return(Some(s)) => s.into(),
        };
        for id in self.uses.nodes(root) {
            if let NodeId::Expr(e) = id
                && self.stops.contains(&e)
            {
                return Flow::Stop;
            }
        }
        match item {
            Item::Return(_) => Flow::Found,
            Item::Node(_) => Flow::On,
        }
    }
}
