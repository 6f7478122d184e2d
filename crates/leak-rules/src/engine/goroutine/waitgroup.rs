//! Wait groups: is `Done` called as often as `Add` said?

use go_model::cfg::{BlockId, Node};
use go_model::facts::{Callee, LocalId, Res};
use go_syntax::ast::{DeclTree, ExprId, ExprKind, StmtId, StmtKind};
use go_syntax::{Literals, NodeId};

use super::paths::{self, Ending, Flow, Item, Question};
use super::start_range;
use super::uses::{Run, Uses, method_of};
use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::find::{enclosing_literal, last_name};
use crate::engine::function::{Declaration, Depth, Function};
use crate::engine::interp::Place;
use crate::engine::outline::render;
use crate::engine::pattern::{finding, step};
use crate::engine::site::{FixSite, Pattern};

/// A call of a method of a `sync.WaitGroup`.
struct GroupOp {
    call: ExprId,
    place: Place,
    base: ExprId,
    name: &'static str,
    literal: Option<ExprId>,
    stmt: StmtId,
}

fn operations(uses: &Uses<'_, '_>) -> Vec<GroupOp> {
    let d = uses.d;
    let mut found = Vec::new();
    for (id, expr) in d.tree.exprs.iter() {
        if !matches!(expr.kind, ExprKind::Call { .. }) {
            continue;
        }
        let Some((base, name)) = method_of(d, id, "sync", &["WaitGroup"]) else {
            continue;
        };
        let name = match name.as_str() {
            "Add" => "Add",
            "Done" => "Done",
            "Wait" => "Wait",
            "Go" => "Go",
            _ => continue,
        };
        if let (Some(place), Some(stmt)) = (d.place(base), uses.holder(id)) {
            found.push(GroupOp {
                call: id,
                place,
                base,
                name,
                literal: enclosing_literal(d.tree, expr.range),
                stmt,
            });
        }
    }
    found
}

/// Whether something of this name is called by a statement of its own: a question before anything is resolved.
fn has_statement(tree: &DeclTree, name: &str) -> bool {
    tree.stmts.iter().any(|(_, stmt)| match &stmt.kind {
        StmtKind::Expr(e) => match &tree[tree.unparen(*e)].kind {
            ExprKind::Call { func, .. } => last_name(tree, *func).is_some_and(|n| n == name),
            _ => false,
        },
        _ => false,
    })
}

/// The `go` statements that run a literal, with the literal.
fn goroutines(uses: &Uses<'_, '_>) -> Vec<(ExprId, StmtId)> {
    let d = uses.d;
    d.tree
        .exprs
        .iter()
        .filter(|(_, e)| matches!(e.kind, ExprKind::FuncLit(_)))
        .filter_map(|(id, _)| match uses.run(id) {
            Run::Goroutine(site) if uses.go_of(site.call) == Some(site.stmt) => {
                Some((id, site.stmt))
            }
            _ => None,
        })
        .collect()
}

/// Goroutines that return on some path without the `Done` that they call on another.
pub(crate) fn missing_done(cx: &CheckContext<'_>, rule: &'static str) -> Vec<RawFinding> {
    if !has_statement(cx.tree, "Done") {
        return Vec::new();
    }
    let at = |depth| {
        let d = cx.declaration(depth);
        let uses = Uses::new(d);
        let ops = operations(&uses);
        let mut found = Vec::new();
        for (literal, go) in goroutines(&uses) {
            found.extend(skips_done(cx, &uses, &ops, literal, go, rule));
        }
        found
    };
    if at(Depth::Shallow).is_empty() {
        return Vec::new();
    }
    at(Depth::Full)
}

/// Whether a function calls `Done` on every path.
struct Done<'q, 'a> {
    uses: &'q Uses<'q, 'a>,
    done: Vec<ExprId>,
    root: LocalId,
    /// Some other function of the declaration calls it too.
    elsewhere: bool,
}

impl Question for Done<'_, '_> {
    type State = ();

    fn at(&mut self, _: BlockId, item: Item, _: &mut ()) -> Flow {
        let root: NodeId = match item {
            Item::Node(Node::Stmt(s) | Node::Defer(s)) => s.into(),
            Item::Node(Node::Eval(e)) => e.into(),
            Item::Node(_) => return Flow::On,
            Item::Return(None) => return Flow::Found,
            Item::Return(Some(s)) => s.into(),
        };
        let d = self.uses.d;
        for id in self.uses.nodes(root) {
            let NodeId::Expr(e) = id else { continue };
            if self.done.contains(&e) {
                return Flow::Stop;
            }
            // Given to somebody else, who may call it.
            if let ExprKind::Call { args, .. } = &d.tree[e].kind
                && args.iter().any(|a| mentions(d, *a, self.root))
            {
                return Flow::Stop;
            }
            // A call of something that may close over the group.
            if self.elsewhere
                && matches!(
                    d.facts.callees.get(e),
                    Some(Callee::Local(_) | Callee::Literal(_))
                )
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

fn mentions(d: &Declaration<'_>, expr: ExprId, local: LocalId) -> bool {
    d.tree.walk(expr, Literals::Enter).any(|id| {
        id.expr()
            .is_some_and(|e| d.facts.refs.get(e) == Some(&Res::Local(local)))
    })
}

fn skips_done(
    cx: &CheckContext<'_>,
    uses: &Uses<'_, '_>,
    ops: &[GroupOp],
    literal: ExprId,
    go: StmtId,
    rule: &'static str,
) -> Option<RawFinding> {
    let d = uses.d;
    let range = d.tree[literal].range;
    let inside = |op: &&GroupOp| op.name == "Done" && range.contains_range(d.tree[op.call].range);
    let done: Vec<&GroupOp> = ops.iter().filter(inside).collect();
    let place = &done.first()?.place;
    // Other groups, `Done` in literals, deferred or for each of many: not followed.
    if done.iter().any(|op| {
        op.place != *place || op.literal != Some(literal) || uses.defer_of(op.call).is_some()
    }) || ops
        .iter()
        .any(|op| op.name == "Add" && op.literal == Some(literal) && op.place == *place)
    {
        return None;
    }
    let group = &d.facts.locals[place.local];
    // Declared in the goroutine itself, other than as a parameter of it: it may be anybody's.
    let inside = range.contains_range(group.ident.range) && place.path.is_empty();
    if inside && group.owner != Some(literal) {
        return None;
    }
    let cfg = d.cfg(Some(literal))?;
    if cfg.truncated {
        return None;
    }
    let f = Function::new(d, Some(literal), &cfg);
    for op in &done {
        let (block, _) = f.cfg.position_of(op.stmt)?;
        if f.cfg.repeating_loop(block).is_some() {
            return None;
        }
    }
    // Somebody has to wait for it: here, or wherever the group came from.
    let declared_here = !matches!(
        group.kind,
        go_model::facts::LocalKind::Param | go_model::facts::LocalKind::Receiver
    );
    let waited = ops.iter().any(|op| op.name == "Wait" && op.place == *place);
    if place.path.is_empty() && declared_here && !waited {
        return None;
    }
    let mut question = Done {
        uses,
        done: done.iter().map(|op| op.call).collect(),
        root: place.local,
        elsewhere: ops
            .iter()
            .any(|op| op.name == "Done" && op.place == *place && op.literal != Some(literal)),
    };
    let endings = paths::search(&f, (f.cfg.entry, 0), (), &mut question)?;
    endings.first()?;
    let text = render(d.tree, done[0].base, 60);
    let head = start_range(d.tree, go, Some(literal));
    let message =
        format!("`{text}.Wait` waits for ever where this goroutine returns without `{text}.Done`");
    let outer = Function::new(d, enclosing_literal(d.tree, d.tree[go].range), &cfg);
    let mut found = finding(&outer, rule, Severity::Warning, message, head);
    found
        .related
        .push(step("the goroutine is started here", head));
    for ending in endings.iter().take(3) {
        found.related.extend(ending.decision_step());
        found
            .related
            .push(step(format!("returns without `{text}.Done`"), ending.range));
    }
    if let Some(wait) = ops
        .iter()
        .find(|op| op.name == "Wait" && op.place == *place)
    {
        found
            .related
            .push(step("this waits for it", d.tree[wait.call].range));
    }
    let last = (done.iter()).all(|op| is_last(&f, op.stmt));
    let mut site = FixSite::pattern(
        Some(literal),
        done[0].call,
        Some(done[0].stmt),
        Pattern::DeferDone {
            last,
            go: counted_start(uses, ops, literal, go, &done),
        },
        cx.in_test,
    );
    site.releases = done.iter().map(|op| op.stmt).collect();
    site.leaks = endings.iter().map(Ending::leak_point).collect();
    found.site = Some(Box::new(site));
    Some(found)
}

/// `wg.Add(1)` and the `go` statement behind it, of a goroutine that gets nothing and calls `Done` only for this.
fn counted_start(
    uses: &Uses<'_, '_>,
    ops: &[GroupOp],
    literal: ExprId,
    go: StmtId,
    done: &[&GroupOp],
) -> Option<(StmtId, StmtId)> {
    let d = uses.d;
    let first = done.first()?;
    if !takes_nothing(d, literal, go) || !is_group(d, first.base) {
        return None;
    }
    let (list, index) = d.outline.list_of(go)?;
    let before = *list.stmts.get(index.checked_sub(1)?)?;
    let add = ops
        .iter()
        .find(|op| op.name == "Add" && op.stmt == before && op.place == first.place)?;
    let one = match &d.tree[add.call].kind {
        ExprKind::Call { args, .. } => args.first().and_then(|a| d.tree.int_value(*a)),
        _ => None,
    };
    (one == Some(1) && matches!(d.tree[before].kind, StmtKind::Expr(_))).then_some((before, go))
}

/// Whether a goroutine's literal has neither parameters nor results.
fn takes_nothing(d: &Declaration<'_>, literal: ExprId, go: StmtId) -> bool {
    let StmtKind::Go(call) = d.tree[go].kind else {
        return false;
    };
    d.tree
        .func_lit(literal)
        .is_some_and(|lit| lit.signature.params.is_empty() && lit.signature.results.is_empty())
        && matches!(&d.tree[d.tree.unparen(call)].kind,
        ExprKind::Call { func, args, .. } if args.is_empty() && *func == literal)
}

/// Whether an expression is a group itself, not something that embeds one and may have methods of its own.
fn is_group(d: &Declaration<'_>, expr: ExprId) -> bool {
    d.facts.types.get(d.tree.unparen(expr)).is_some_and(|ty| {
        ty.as_named_or_pointer()
            .is_some_and(|named| named.package == "sync" && named.name == "WaitGroup")
    })
}

/// The deferred `Done` right behind an `Add` that is the first statement of a goroutine with more to do.
fn first_deferred(
    uses: &Uses<'_, '_>,
    literal: ExprId,
    go: StmtId,
    add: &GroupOp,
    done: &GroupOp,
) -> Option<StmtId> {
    let d = uses.d;
    let lit = d.tree.func_lit(literal)?;
    let defer = uses.defer_of(done.call)?;
    let shape = takes_nothing(d, literal, go)
        && is_group(d, add.base)
        && lit.body.stmts.len() > 2
        && lit.body.stmts[..2] == [add.stmt, defer];
    shape.then_some(defer)
}

/// Whether nothing but a return follows a statement.
fn is_last(f: &Function<'_>, stmt: StmtId) -> bool {
    let Some((mut block, node)) = f.cfg.position_of(stmt) else {
        return false;
    };
    let mut next = node + 1;
    for _ in 0..32 {
        let b = &f.cfg[block];
        if b.nodes.len() > next {
            return false;
        }
        match &b.terminator {
            go_model::cfg::Terminator::Return(_) => return true,
            go_model::cfg::Terminator::Jump(to) => {
                block = *to;
                next = 0;
            }
            _ => return false,
        }
    }
    false
}

/// `Add` inside of the goroutine that it counts.
pub(crate) fn add_inside(cx: &CheckContext<'_>, rule: &'static str) -> Vec<RawFinding> {
    if !has_statement(cx.tree, "Add") {
        return Vec::new();
    }
    let d = cx.declaration(Depth::Shallow);
    let uses = Uses::new(d);
    let ops = operations(&uses);
    let mut found = Vec::new();
    for (literal, go) in goroutines(&uses) {
        found.extend(adds_itself(cx, &uses, &ops, literal, go, rule));
    }
    found
}

fn adds_itself(
    cx: &CheckContext<'_>,
    uses: &Uses<'_, '_>,
    ops: &[GroupOp],
    literal: ExprId,
    go: StmtId,
    rule: &'static str,
) -> Option<RawFinding> {
    let d = uses.d;
    let range = d.tree[literal].range;
    let add = ops
        .iter()
        .find(|op| op.name == "Add" && op.literal == Some(literal))?;
    let ExprKind::Call { args, .. } = &d.tree[add.call].kind else {
        return None;
    };
    let [one] = args[..] else { return None };
    let group = &d.facts.locals[add.place.local];
    // Its own group, or one that is waited for nowhere in sight.
    if range.contains_range(group.ident.range) || d.tree.int_value(one) != Some(1) {
        return None;
    }
    let same = |op: &&GroupOp| op.place == add.place;
    let of = |name: &str| {
        ops.iter()
            .filter(same)
            .filter(move |op| op.name == name)
            .count()
    };
    // The goroutine counts itself: it has the only `Add` and the only `Done`, and starts nobody else.
    if of("Add") != 1 || of("Done") != 1 || of("Go") != 0 {
        return None;
    }
    let done = ops.iter().filter(same).find(|op| op.name == "Done")?;
    let own_done = done.literal == Some(literal)
        || done.literal.is_some_and(
            |l| matches!(uses.run(l), Run::Deferred(site) if site.by == Some(literal)),
        );
    let starts = d
        .tree
        .walk(literal, Literals::Enter)
        .any(|id| matches!(id, NodeId::Stmt(s) if matches!(d.tree[s].kind, StmtKind::Go(_))));
    let outer = enclosing_literal(d.tree, d.tree[go].range);
    let wait = ops
        .iter()
        .filter(same)
        .find(|op| op.name == "Wait" && op.literal == outer)?;
    if !own_done || starts || d.tree[wait.call].range.start() < d.tree[go].range.end() {
        return None;
    }
    let text = render(d.tree, add.base, 60);
    let cfg = d.cfg(outer)?;
    let f = Function::new(d, outer, &cfg);
    let message = format!(
        "`{text}.Wait` may return before this goroutine has called `{text}.Add`: it is not waited for"
    );
    let mut found = finding(&f, rule, Severity::Warning, message, d.tree[add.call].range);
    let head = start_range(d.tree, go, Some(literal));
    found
        .related
        .push(step("the goroutine is started here", head));
    found.related.push(step(
        "this may see no one to wait for",
        d.tree[wait.call].range,
    ));
    let lit = d.tree.func_lit(literal)?;
    if lit.body.stmts.first() == Some(&add.stmt)
        && matches!(d.tree[add.stmt].kind, StmtKind::Expr(_))
    {
        let site = FixSite::pattern(
            outer,
            add.call,
            Some(add.stmt),
            Pattern::MoveAdd {
                go,
                done: first_deferred(uses, literal, go, add, done),
            },
            cx.in_test,
        );
        found.site = Some(Box::new(site));
    }
    Some(found)
}
