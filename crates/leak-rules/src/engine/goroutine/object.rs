//! Channels that an object makes for itself and gives out by a method, where nobody else has the object.

use go_model::db::decl_tree;
use go_model::facts::{Callee, LocalId, LocalKind, Res};
use go_syntax::Name;
use go_syntax::ast::{DeclTree, ExprId, ExprKind, StmtKind, UnaryOp};

use super::start_range;
use super::uses::{Run, Uses, received};
use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::function::{Declaration, Depth, Function};
use crate::engine::outline::render;
use crate::engine::pattern::{finding, step};
use crate::engine::{callee_decl, facts};

/// Loops and receives that wait for a channel of an object on which nothing is called that could wake them.
pub(crate) fn findings(cx: &CheckContext<'_>, rule: &'static str) -> Vec<RawFinding> {
    let calls = candidates(cx.tree);
    if calls.is_empty() {
        return Vec::new();
    }
    let d = cx.declaration(Depth::Full);
    let uses = Uses::new(d);
    (calls.into_iter())
        .filter_map(|call| look(d, &uses, call, rule))
        .collect()
}

/// `x.m()`, ranged over or received from: a question before anything is resolved.
fn candidates(tree: &DeclTree) -> Vec<ExprId> {
    let is_call = |e: ExprId| match &tree[e].kind {
        ExprKind::Call { func, args, .. } if args.is_empty() => {
            matches!(&tree[tree.unparen(*func)].kind, ExprKind::Selector { base, .. }
                if matches!(tree[tree.unparen(*base)].kind, ExprKind::Ident(_)))
        }
        _ => false,
    };
    received(tree).filter(|e| is_call(*e)).collect()
}

fn look(
    d: &Declaration<'_>,
    uses: &Uses<'_, '_>,
    call: ExprId,
    rule: &'static str,
) -> Option<RawFinding> {
    let ExprKind::Call { func, .. } = &d.tree[call].kind else {
        return None;
    };
    let ExprKind::Selector { base, .. } = &d.tree[d.tree.unparen(*func)].kind else {
        return None;
    };
    let Some(Res::Local(object)) = d.facts.refs.get(d.tree.unparen(*base)) else {
        return None;
    };
    let l = &d.facts.locals[*object];
    if l.kind != LocalKind::Var || l.assignments != 1 || l.address_taken {
        return None;
    }
    let (made, 0) = d.value_at(*object)? else {
        return None;
    };
    let made = d.tree.unparen(made);
    let fields = fields_made(d, made)?;
    // Everything that is called of the object only gives something out.
    for one in calls_of(d, *object)? {
        getter(d, one)?;
    }
    let field = getter(d, call)?;
    if !fields.contains(&field) {
        return None;
    }
    let op = uses.op_of_value(call)?;
    let text = render(d.tree, call, 60);
    let name = l.ident.name;
    let (found_rule, message, range) = match op {
        Waits::Range(stmt) => {
            if super::unclosed::leaves_loop_of(d, uses.literal_of(call), stmt) {
                return None;
            }
            (
                crate::rules::range_over_unclosed_channel::RULE.name,
                format!("this loop never ends: nobody has `{name}` who could close `{text}`"),
                None,
            )
        }
        Waits::Receive(e) => (
            crate::rules::orphan_receive::RULE.name,
            format!(
                "this receive waits for ever: nobody has `{name}` who could send on `{text}` or close it"
            ),
            Some(d.tree[e].range),
        ),
    };
    if found_rule != rule {
        return None;
    }
    let literal = uses.literal_of(call);
    let cfg = d.cfg(literal)?;
    let f = Function::new(d, literal, &cfg);
    let range = match op {
        Waits::Range(stmt) => f.head_range(stmt),
        Waits::Receive(_) => range?,
    };
    let mut found = finding(&f, rule, Severity::Warning, message, range);
    found
        .related
        .push(step(format!("`{name}` is made here"), d.tree[made].range));
    if let Some(Run::Goroutine(site)) = literal.map(|l| uses.run(l)) {
        found.related.push(step(
            "the goroutine is started here",
            start_range(d.tree, site.stmt, literal),
        ));
    }
    found.related.push(step("it waits here", range));
    Some(found)
}

/// Who waits for a channel.
#[derive(Debug, Clone, Copy)]
pub(super) enum Waits {
    Range(go_syntax::ast::StmtId),
    Receive(ExprId),
}

/// The method calls by which alone an object in a variable is used; `None` if something else is done with it.
fn calls_of(d: &Declaration<'_>, object: LocalId) -> Option<Vec<ExprId>> {
    let declared = d.facts.locals[object].ident.range.start();
    let mut found = Vec::new();
    for (mention, at) in d.mentions(object) {
        if *at == declared {
            continue;
        }
        let selector = d.parent(*mention)?;
        let call = d.parent(selector)?;
        match (&d.tree[selector].kind, &d.tree[call].kind) {
            (ExprKind::Selector { base, .. }, ExprKind::Call { func, .. })
                if base == mention && *func == selector =>
            {
                found.push(call);
            }
            _ => return None,
        }
    }
    Some(found)
}

/// The fields that get a channel made on the spot, where a call calls a function that does nothing but make an object.
fn fields_made(d: &Declaration<'_>, call: ExprId) -> Option<Vec<Name>> {
    if !matches!(d.facts.callees.get(call), Some(Callee::Func(_))) {
        return None;
    }
    let decl = callee_decl(d, call)?;
    let tree = decl_tree(d.db, decl);
    let value = only_returned(&tree)?;
    let value = match tree[value].kind {
        ExprKind::Unary {
            op: UnaryOp::Address,
            operand,
        } => tree.unparen(operand),
        _ => value,
    };
    let ExprKind::Composite { elements, .. } = &tree[value].kind else {
        return None;
    };
    let facts = facts(d.db, decl);
    let makes = |e: ExprId| matches!(facts.callees.get(tree.unparen(e)), Some(Callee::Builtin(n)) if *n == "make");
    let fields = elements.iter().filter(|e| makes(e.value));
    Some(
        fields
            .filter_map(|e| tree.ident(e.key?).map(|k| k.name))
            .collect(),
    )
}

/// What a declared function returns, if that is its only statement.
fn only_returned(tree: &DeclTree) -> Option<ExprId> {
    let body = tree.func()?.body.as_ref()?;
    let [only] = body.stmts[..] else { return None };
    match &tree[only].kind {
        StmtKind::Return(values) => match values[..] {
            [value] if !tree.has_error => Some(tree.unparen(value)),
            _ => None,
        },
        _ => None,
    }
}

/// The field of its receiver that a called method gives out, if it does nothing else.
fn getter(d: &Declaration<'_>, call: ExprId) -> Option<Name> {
    if !matches!(d.facts.callees.get(call), Some(Callee::Method(m)) if !m.interface) {
        return None;
    }
    let decl = callee_decl(d, call)?;
    let tree = decl_tree(d.db, decl);
    let value = only_returned(&tree)?;
    let ExprKind::Selector { base, name } = &tree[value].kind else {
        return None;
    };
    let facts = facts(d.db, decl);
    let receiver = facts.receiver?;
    (facts.refs.get(tree.unparen(*base)) == Some(&Res::Local(receiver))).then_some(name.name)
}

impl Uses<'_, '_> {
    /// Who waits for the channel that an expression gives, if nothing else is done with it.
    fn op_of_value(&self, value: ExprId) -> Option<Waits> {
        let d = self.d;
        if let Some(parent) = d.parent(value) {
            return match d.tree[parent].kind {
                ExprKind::Unary {
                    op: UnaryOp::Receive,
                    ..
                } if !self.is_optional(parent) => Some(Waits::Receive(parent)),
                _ => None,
            };
        }
        let stmt = self.holder(value)?;
        matches!(d.tree[stmt].kind, StmtKind::Range { over, .. } if over == value)
            .then_some(Waits::Range(stmt))
    }
}
