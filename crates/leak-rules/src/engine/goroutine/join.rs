//! Joins: does whoever starts a goroutine wait for it on every path?
//!
//! A goroutine *promises* to say when it has come to its end if it closes a channel or calls `Done` as its last act on every path. Whoever starts it and waits for that on one path, and leaves it running on another, has forgotten it there.

use std::sync::Arc;

use go_model::cfg::{BlockId, Cond, Node, Terminator};
use go_model::db::{Db, DeclId, decl_tree};
use go_model::facts::{Callee, Facts, LocalId, LocalKind, Res};
use go_model::package::package_of_decl;
use go_model::types::{Ty, TyKind};
use go_syntax::ast::{DeclTree, ExprId, ExprKind, StmtId, StmtKind, UnaryOp};
use go_syntax::{Literals, NodeId, TextRange};

use super::callers::end_the_process;
use super::channel::has_literal_owner;
use super::control::Control;
use super::effect::{Effect, effect_of_call};
use super::paths::{self, Ending, Flow, Item, Question, Way};
use super::uses::{Op, OpKind, Run, Runner, Uses, is_builtin, method_of};
use super::{if_it_may_run_often, start_range};
use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::find::enclosing_literal;
use crate::engine::function::{Declaration, Depth, Function};
use crate::engine::pattern::{finding, step};
use crate::engine::site::{FixSite, Pattern, Trigger};
use crate::engine::{facts, is_main};

const WAIT_GROUP: (&str, &str) = ("sync", "WaitGroup");
const ERR_GROUP: (&str, &str) = ("golang.org/x/sync/errgroup", "Group");

/// The findings of the rules about goroutines that are not waited for.
pub(crate) fn findings(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    findings_but(cx, true)
}

/// Findings about channels without the fix by which the goroutine gives up sending, where one that is not waited for would be found in the
/// place of one that waits for ever.
pub(crate) fn without_giving_up(
    cx: &CheckContext<'_>,
    mut found: Vec<RawFinding>,
) -> Vec<RawFinding> {
    let mut more = None;
    for finding in &mut found {
        if let Some(site) = &mut finding.site
            && let Trigger::Pattern(Pattern::AbandonedSend { context, .. }) = &mut site.trigger
            && context.is_some()
            && *more.get_or_insert_with(|| findings_but(cx, false).len() > findings(cx).len())
        {
            *context = None;
        }
    }
    found
}

/// Findings about channels with a fix that closes one where a function returns: it waits there for the goroutine that it wakes, if the
/// function does so elsewhere. Where it cannot, or another goroutine would be found then that is not waited for, there is no fix.
pub(crate) fn with_waits(cx: &CheckContext<'_>, mut found: Vec<RawFinding>) -> Vec<RawFinding> {
    let mut hidden: Option<Vec<RawFinding>> = None;
    for finding in &mut found {
        let Some(site) = &mut finding.site else {
            continue;
        };
        let leaves = site.exits();
        let Trigger::Pattern(Pattern::CloseBefore { wait, .. }) = &mut site.trigger else {
            continue;
        };
        let hidden = hidden.get_or_insert_with(|| {
            let shown = findings(cx);
            let mut all = findings_but(cx, false);
            all.retain(|h| !shown.iter().any(|s| s.range == h.range));
            all
        });
        let mut lost = false;
        for other in hidden {
            let own = finding.related.iter().any(|r| r.range == other.range);
            let handle = match other.site.as_deref() {
                // Where it was perhaps told to stop, it can be waited for too.
                Some(site) if own && site.exits().iter().all(|e| leaves.contains(e)) => match site
                    .trigger
                {
                    Trigger::Pattern(Pattern::Unjoined { handle, group }) => Some((handle, group)),
                    _ => None,
                },
                _ => None,
            };
            lost |= handle.is_none() || wait.is_some();
            *wait = handle;
        }
        if lost {
            finding.site = None;
        }
    }
    found
}

/// The findings, but those about goroutines of which it is said already that they wait for ever.
fn findings_but(cx: &CheckContext<'_>, said: bool) -> Vec<RawFinding> {
    if is_main(cx) && !has_literal_owner(cx) {
        return Vec::new();
    }
    let at = |depth| {
        let d = cx.declaration(depth);
        let uses = Uses::new(d);
        let handles = handles(&uses);
        if handles.is_empty() {
            return Vec::new();
        }
        let mut found = Vec::new();
        for worker in workers(&uses) {
            found.extend(look(cx, &uses, &handles, &worker, said));
        }
        found
    };
    if_it_may_run_often(cx, at)
}

/// Something by which a goroutine says that it has come to its end, in a variable of whoever starts it.
struct Handle {
    local: LocalId,
    owner: Option<ExprId>,
    kind: Kind,
    ops: Vec<JoinOp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A channel that is closed.
    Channel,
    /// A `sync.WaitGroup` or an `errgroup.Group`.
    Group,
}

/// Something that is done with a handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct JoinOp {
    does: Does,
    literal: Option<ExprId>,
    stmt: StmtId,
    /// The node that does it.
    node: NodeId,
    /// It is an arm of a select with other arms.
    optional: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Close,
    Send,
    Done,
    Wait,
    Add,
    /// Starts a goroutine whose end the group learns of.
    Go,
    Given {
        call: ExprId,
        index: usize,
    },
    Nothing,
}

impl Does {
    /// A send promises nothing: without a buffer, it has to be received and is judged for itself; with one, it is how to let a goroutine
    /// come to its end without anybody who waits for it.
    fn promises(self) -> bool {
        matches!(self, Does::Close | Does::Done)
    }

    fn signals(self) -> bool {
        matches!(self, Does::Close | Does::Send | Does::Done)
    }
}

/// A goroutine that a function starts.
struct Worker {
    call: ExprId,
    stmt: StmtId,
    by: Option<ExprId>,
    /// The literal that it runs; `None` for a declared function.
    literal: Option<ExprId>,
}

/// The handles that are made in the declaration and of which every use is known.
fn handles(uses: &Uses<'_, '_>) -> Vec<Handle> {
    let d = uses.d;
    let mut found: Vec<Handle> = uses
        .channels()
        .iter()
        .filter(|c| !c.escapes())
        .map(|c| Handle {
            local: c.local,
            owner: c.owner,
            kind: Kind::Channel,
            ops: c.ops.iter().map(|op| channel_op(d.tree, op)).collect(),
        })
        .collect();
    for (local, l) in d.facts.locals.iter() {
        if l.kind == LocalKind::Var && is_group(&l.ty) && is_made_here(d, local) {
            let mut ops = Vec::new();
            if group_ops(uses, local, 0, &mut ops).is_some() {
                found.push(Handle {
                    local,
                    owner: l.owner,
                    kind: Kind::Group,
                    ops,
                });
            }
        }
    }
    found
}

fn channel_op(tree: &DeclTree, op: &Op) -> JoinOp {
    let (does, node): (Does, NodeId) = match op.kind {
        OpKind::Send => (Does::Send, op.stmt.into()),
        OpKind::Close => (Does::Close, op.expr.into()),
        OpKind::Receive => (Does::Wait, op.expr.into()),
        // The operand is evaluated on the way into the loop.
        OpKind::Range => match tree[op.stmt].kind {
            StmtKind::Range { over, .. } => (Does::Wait, over.into()),
            _ => (Does::Wait, op.stmt.into()),
        },
        OpKind::Given { call, index } => (Does::Given { call, index }, call.into()),
        OpKind::Measure | OpKind::Escapes => (Does::Nothing, op.mention.into()),
    };
    JoinOp {
        does,
        literal: op.literal,
        stmt: op.stmt,
        node,
        optional: op.optional,
    }
}

fn is_group(ty: &Ty) -> bool {
    [WAIT_GROUP, ERR_GROUP].iter().any(|(package, name)| {
        ty.as_named_or_pointer()
            .is_some_and(|n| n.package == *package && n.name == *name)
    })
}

/// Whether a variable holds a group that nobody else can have yet.
pub(super) fn is_made_here(d: &Declaration<'_>, local: LocalId) -> bool {
    let l = &d.facts.locals[local];
    if !matches!(l.ty.kind(), TyKind::Pointer(_)) {
        return l.assignments <= 1;
    }
    let Some((value, 0)) = d.only_value(local) else {
        return false;
    };
    let value = d.tree.unparen(value);
    match &d.tree[value].kind {
        ExprKind::Unary {
            op: UnaryOp::Address,
            operand,
        } => matches!(
            d.tree[d.tree.unparen(*operand)].kind,
            ExprKind::Composite { .. }
        ),
        ExprKind::Call { .. } => {
            is_builtin(d, value, "new")
                || d.target(value)
                    .is_some_and(|t| t.is_func(ERR_GROUP.0, "WithContext"))
        }
        _ => false,
    }
}

/// What is done with the group in a variable; `None` if somebody may have it of whom nothing is known.
fn group_ops(uses: &Uses<'_, '_>, local: LocalId, depth: u32, ops: &mut Vec<JoinOp>) -> Option<()> {
    let d = uses.d;
    if depth > 4 {
        return None;
    }
    for (mention, at) in d.mentions(local) {
        if *at == d.facts.locals[local].ident.range.start() {
            continue;
        }
        let stmt = uses.holder(*mention)?;
        let literal = uses.literal_of(*mention);
        let mut at = *mention;
        let mut parent = d.parent(at);
        while let Some(p) = parent
            && matches!(
                d.tree[p].kind,
                ExprKind::Paren(_)
                    | ExprKind::Unary {
                        op: UnaryOp::Address,
                        ..
                    }
            )
        {
            at = p;
            parent = d.parent(at);
        }
        let parent = parent?;
        let mut push = |does, node: NodeId| {
            ops.push(JoinOp {
                does,
                literal,
                stmt,
                node,
                optional: false,
            });
        };
        match &d.tree[parent].kind {
            ExprKind::Selector { base, .. } if *base == at => {
                let call = d.parent(parent)?;
                if !matches!(&d.tree[call].kind, ExprKind::Call { func, .. } if *func == parent) {
                    return None;
                }
                let name = group_method(d, call)?;
                let does = match name.as_str() {
                    "Add" => Does::Add,
                    "Done" => Does::Done,
                    "Wait" => Does::Wait,
                    "Go" | "TryGo" => Does::Go,
                    "SetLimit" => Does::Nothing,
                    _ => return None,
                };
                push(does, call.into());
            }
            ExprKind::Call { args, spread, .. } if !*spread => {
                let index = args.iter().position(|a| *a == at)?;
                match literal_param(uses, parent, index) {
                    Some(param) => group_ops(uses, param, depth + 1, ops)?,
                    None => push(
                        Does::Given {
                            call: parent,
                            index,
                        },
                        parent.into(),
                    ),
                }
            }
            _ => return None,
        }
    }
    Some(())
}

/// The method that is called of a group.
fn group_method(d: &Declaration<'_>, call: ExprId) -> Option<go_syntax::Name> {
    [WAIT_GROUP, ERR_GROUP]
        .iter()
        .find_map(|(package, ty)| method_of(d, call, package, &[ty]))
        .map(|(_, name)| name)
}

/// The parameter of the literal that a call calls on the spot.
fn literal_param(uses: &Uses<'_, '_>, call: ExprId, index: usize) -> Option<LocalId> {
    let d = uses.d;
    let ExprKind::Call { func, .. } = &d.tree[call].kind else {
        return None;
    };
    let literal = d.tree.unparen(*func);
    let lit = d.tree.func_lit(literal)?;
    let param = (*d.facts.literals.get(literal)?.params.get(index)?)?;
    let l = &d.facts.locals[param];
    (!lit.signature.params.get(index)?.variadic && l.assignments <= 1).then_some(param)
}

/// The goroutines that the functions of a declaration start.
fn workers(uses: &Uses<'_, '_>) -> Vec<Worker> {
    let d = uses.d;
    let mut found = Vec::new();
    for (id, expr) in d.tree.exprs.iter() {
        if matches!(expr.kind, ExprKind::FuncLit(_))
            && let Run::Goroutine(site) = uses.run(id)
        {
            found.push(Worker {
                call: site.call,
                stmt: site.stmt,
                by: site.by,
                literal: Some(id),
            });
        }
    }
    for (id, stmt) in d.tree.stmts.iter() {
        let StmtKind::Go(call) = stmt.kind else {
            continue;
        };
        let call = d.tree.unparen(call);
        let named = matches!(
            d.facts.callees.get(call),
            Some(Callee::Func(_) | Callee::Method(_))
        );
        if named {
            found.push(Worker {
                call,
                stmt: id,
                by: uses.literal_of(call),
                literal: None,
            });
        }
    }
    found.sort_by_key(|w| d.tree[w.stmt].range.start());
    found
}

/// The declaration of the function that a goroutine runs, if it is in the same package.
fn named_target(d: &Declaration<'_>, worker: &Worker) -> Option<DeclId> {
    let callee = d.facts.callees.get(worker.call)?;
    if matches!(callee, Callee::Method(m) if m.interface) {
        return None;
    }
    let decl = go_model::summary::callee_decl(d.db, d.decl, callee)?;
    (package_of_decl(d.db, decl) == package_of_decl(d.db, d.decl)).then_some(decl)
}

/// By which handles a goroutine promises to say that it has come to its end.
fn promises(uses: &Uses<'_, '_>, handles: &[Handle], worker: &Worker) -> Vec<usize> {
    let d = uses.d;
    let Some(literal) = worker.literal else {
        return named_promises(d, handles, worker).unwrap_or_default();
    };
    let mut found = Vec::new();
    for (i, handle) in handles.iter().enumerate() {
        // What carries values too is not received from for the end alone.
        if handle.owner != worker.by || handle.ops.iter().any(|op| op.does == Does::Send) {
            continue;
        }
        let started =
            (handle.ops.iter()).any(|op| op.does == Does::Go && op.node == worker.call.into());
        let signals: Vec<JoinOp> = handle
            .ops
            .iter()
            .filter(|op| op.does.promises() && runs_in(uses, op, worker))
            .copied()
            .collect();
        if started || promised(uses, Some(literal), &signals) {
            found.push(i);
        }
    }
    found
}

/// Whether an operation is done by a goroutine itself.
fn runs_in(uses: &Uses<'_, '_>, op: &JoinOp, worker: &Worker) -> bool {
    matches!(uses.runner(op.literal, worker.by), Runner::Started(literal, _) if Some(literal) == worker.literal)
}

fn named_promises(d: &Declaration<'_>, handles: &[Handle], worker: &Worker) -> Option<Vec<usize>> {
    let given: Vec<(usize, usize)> = (handles.iter().enumerate())
        .filter(|(_, h)| h.owner == worker.by)
        .flat_map(|(i, h)| h.ops.iter().map(move |op| (i, op)))
        .filter_map(|(i, op)| match op.does {
            Does::Given { call, index } if call == worker.call => Some((i, index)),
            _ => None,
        })
        .collect();
    if given.is_empty() {
        return None;
    }
    let kept = promised_params(d.db, named_target(d, worker)?);
    let kept = |index: &usize| kept.get(*index).copied().unwrap_or(false);
    Some(
        (given
            .into_iter()
            .filter(|(_, index)| kept(index))
            .map(|(i, _)| i))
        .collect(),
    )
}

/// For each parameter of a declared function, whether it is a channel or a group by which the function promises to say that it has come to
/// its end.
#[salsa::tracked(returns(clone))]
fn promised_params(db: &dyn Db, decl: DeclId) -> Arc<Vec<bool>> {
    let tree = decl_tree(db, decl);
    if tree.has_error {
        return Arc::default();
    }
    let facts = facts(db, decl);
    let kinds: Vec<Option<Kind>> = (facts.params.iter())
        .map(|param| kind_of(&facts.locals[(*param)?].ty))
        .collect();
    if kinds.iter().all(Option::is_none) {
        return Arc::default();
    }
    let d = Declaration::new(db, decl, &tree, &facts, Depth::Full);
    let uses = Uses::new(&d);
    let promises = |index: usize, kind: Kind| {
        let ops = param_ops(&uses, &facts, &tree, index, kind).unwrap_or_default();
        let own = |op: &&JoinOp| {
            op.does.promises() && matches!(uses.runner(op.literal, None), Runner::Own(_))
        };
        let signals: Vec<JoinOp> = ops.iter().filter(own).copied().collect();
        promised(&uses, None, &signals)
    };
    let all = kinds.iter().enumerate();
    Arc::new(
        all.map(|(i, kind)| kind.is_some_and(|k| promises(i, k)))
            .collect(),
    )
}

/// What a handle of a type is.
fn kind_of(ty: &Ty) -> Option<Kind> {
    match ty.kind() {
        TyKind::Chan(..) => Some(Kind::Channel),
        _ => is_group(ty).then_some(Kind::Group),
    }
}

/// What a declared function does with a handle that it is given.
fn param_ops(
    uses: &Uses<'_, '_>,
    facts: &Facts,
    tree: &DeclTree,
    index: usize,
    kind: Kind,
) -> Option<Vec<JoinOp>> {
    let param = tree.func()?.signature.params.get(index)?;
    let local = (*facts.params.get(index)?)?;
    let l = &facts.locals[local];
    if param.variadic || l.assignments > 1 || l.address_taken {
        return None;
    }
    let mut found = Vec::new();
    match kind {
        Kind::Group => group_ops(uses, local, 0, &mut found)?,
        Kind::Channel => {
            let mut ops = Vec::new();
            uses.collect(local, 0, &mut ops);
            if ops.iter().any(|op| op.kind == OpKind::Escapes) {
                return None;
            }
            found.extend(ops.iter().map(|op| channel_op(tree, op)));
        }
    }
    Some(found)
}

/// Whether one of these comes at the end of every path of a function.
fn promised(uses: &Uses<'_, '_>, literal: Option<ExprId>, signals: &[JoinOp]) -> bool {
    struct Signals<'q> {
        nodes: &'q [StmtId],
        returns: bool,
    }
    impl Question for Signals<'_> {
        type State = ();
        fn at(&mut self, _: BlockId, item: Item, _: &mut ()) -> Flow {
            match item {
                Item::Node(Node::Stmt(s) | Node::Defer(s)) if self.nodes.contains(&s) => {
                    self.returns = true;
                    Flow::Stop
                }
                Item::Return(_) => Flow::Found,
                Item::Node(_) => Flow::On,
            }
        }
    }
    let d = uses.d;
    let Some(cfg) = d.cfg(literal) else {
        return false;
    };
    if signals.is_empty() || cfg.truncated || cfg.never_returns() {
        return false;
    }
    let f = Function::new(d, literal, &cfg);
    let mut nodes = Vec::new();
    let aside = |op: &JoinOp| {
        op.node
            .expr()
            .is_some_and(|call| uses.go_of(call).is_some())
    };
    for op in signals.iter().filter(|op| !op.optional && !aside(op)) {
        if op.literal == literal {
            let deferred = op.node.expr().and_then(|call| uses.defer_of(call));
            match deferred {
                Some(stmt) => nodes.push(stmt),
                None if ends_with(&f, op.stmt, signals) => nodes.push(op.stmt),
                None => {}
            }
            continue;
        }
        // In a literal that the function defers: on every path of that.
        if let Some(inner) = op.literal
            && let Run::Deferred(site) = uses.run(inner)
            && site.by == literal
            && d.body(Some(inner))
                .is_some_and(|b| b.stmts.contains(&op.stmt))
        {
            nodes.push(site.stmt);
        }
    }
    let mut question = Signals {
        nodes: &nodes,
        returns: false,
    };
    paths::search(&f, (f.cfg.entry, 0), (), &mut question).is_some_and(|e| e.is_empty())
        && question.returns
}

/// Whether nothing but other signals follows a statement.
fn ends_with(f: &Function<'_>, stmt: StmtId, signals: &[JoinOp]) -> bool {
    let Some((mut block, node)) = f.cfg.position_of(stmt) else {
        return false;
    };
    let mut next = node + 1;
    for _ in 0..32 {
        let b = &f.cfg[block];
        let rest = b.nodes.get(next..).unwrap_or_default();
        if !(rest.iter()).all(|n| matches!(n, Node::Stmt(s) if is_signal(f, *s, signals))) {
            return false;
        }
        match &b.terminator {
            Terminator::Return(None) => return true,
            Terminator::Return(Some(s)) => {
                return match &f.tree[*s].kind {
                    StmtKind::Return(values) => values
                        .iter()
                        .all(|v| !matches!(f.tree[f.tree.unparen(*v)].kind, ExprKind::Call { .. })),
                    _ => false,
                };
            }
            Terminator::Jump(to) => {
                block = *to;
                next = 0;
            }
            _ => return false,
        }
    }
    false
}

fn is_signal(f: &Function<'_>, stmt: StmtId, signals: &[JoinOp]) -> bool {
    signals.iter().any(|op| op.stmt == stmt)
        || match f.tree[stmt].kind {
            StmtKind::Expr(e) => {
                let call = f.tree.unparen(e);
                is_builtin(f.d, call, "close")
                    || group_method(f.d, call).is_some_and(|name| name == "Done")
            }
            _ => false,
        }
}

/// What the owner does to learn of a goroutine's end.
struct Joins {
    /// Where it learns of it.
    waits: Vec<NodeId>,
    /// Where it learns something else from the goroutine, or may.
    other: Vec<NodeId>,
    /// The arms of selects that wait for it.
    arms: Vec<StmtId>,
}

/// Where the owner waits for a goroutine; `None` if somebody else may.
fn joins(
    uses: &Uses<'_, '_>,
    handles: &[Handle],
    worker: &Worker,
    promised: &[usize],
) -> Option<Joins> {
    let d = uses.d;
    let mut found = Joins {
        waits: Vec::new(),
        other: Vec::new(),
        arms: Vec::new(),
    };
    for (i, handle) in handles.iter().enumerate() {
        let own = promised.contains(&i);
        let talks = own || talks(uses, handle, worker);
        if !talks {
            continue;
        }
        for op in &handle.ops {
            let waits = match op.does {
                Does::Wait => true,
                Does::Given { call, .. } if call == worker.call => continue,
                Does::Given { call, index } => match given(d, handle.kind, call, index) {
                    Some(waits) if uses.go_of(call).is_none() => waits,
                    // Another goroutine has it: one that only signals is nobody to wait.
                    Some(false) => continue,
                    _ if own => return None,
                    _ => true,
                },
                _ => continue,
            };
            if !waits {
                continue;
            }
            let node = match uses.runner(op.literal, worker.by) {
                Runner::Own(false) => {
                    if let Some(call) = op.node.expr()
                        && uses.defer_of(call).is_some()
                    {
                        return None;
                    }
                    op.node
                }
                Runner::Own(true) => called_at(uses, op.literal?, worker.by)?,
                Runner::Started(..) | Runner::Unknown if own => return None,
                Runner::Started(..) | Runner::Unknown => continue,
            };
            if own {
                found.waits.push(node);
                if op.optional {
                    found.arms.push(op.stmt);
                }
            } else {
                found.other.push(node);
            }
        }
    }
    // Whoever has waited for the group has waited for what only hands that on.
    if !found.waits.is_empty() {
        for i in relayed(uses, handles, worker) {
            let waits = (handles[i].ops.iter()).filter(|op| op.does == Does::Wait);
            found.waits.extend(
                waits
                    .filter(|op| uses.runner(op.literal, worker.by) == Runner::Own(false))
                    .map(|op| op.node),
            );
        }
    }
    Some(found)
}

/// The groups for which a goroutine waits that does nothing else than to say so.
fn relayed(uses: &Uses<'_, '_>, handles: &[Handle], worker: &Worker) -> Vec<usize> {
    let d = uses.d;
    let Some(lit) = worker.literal.and_then(|l| d.tree.func_lit(l)) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for stmt in &lit.body.stmts {
        let call = match d.tree[*stmt].kind {
            StmtKind::Send { .. } => continue,
            StmtKind::Expr(e) | StmtKind::Defer(e) => d.tree.unparen(e),
            _ => return Vec::new(),
        };
        let waits =
            |h: &Handle| (h.ops.iter()).any(|op| op.does == Does::Wait && op.node == call.into());
        match handles.iter().position(waits) {
            Some(i) if handles[i].kind == Kind::Group => found.push(i),
            _ if is_builtin(d, call, "close") => {}
            _ if group_method(d, call).is_some_and(|name| name == "Done") => {}
            _ => return Vec::new(),
        }
    }
    found
}

/// Whether a goroutine hands on the end of others of which a finding about channels says already that they wait for ever.
fn waits_for_the_lost(
    cx: &CheckContext<'_>,
    uses: &Uses<'_, '_>,
    f: &Function<'_>,
    handles: &[Handle],
    worker: &Worker,
) -> bool {
    let groups = relayed(uses, handles, worker);
    !groups.is_empty()
        && workers(uses).iter().any(|other| {
            let counted = |i: &usize| {
                (handles[*i].ops.iter()).any(|op| op.does.signals() && runs_in(uses, op, other))
            };
            other.call != worker.call
                && groups.iter().any(counted)
                && cx.speaks_of(start_range(f.tree, other.stmt, other.literal))
        })
}

/// The call by which the owner runs a literal; `None` if it defers it.
fn called_at(uses: &Uses<'_, '_>, literal: ExprId, owner: Option<ExprId>) -> Option<NodeId> {
    let mut at = literal;
    for _ in 0..16 {
        match uses.run(at) {
            Run::Inline(site) if site.by == owner => return Some(site.call.into()),
            Run::Inline(site) => at = site.by?,
            _ => return None,
        }
    }
    None
}

/// Whether a goroutine has to do with a channel or a group.
fn talks(uses: &Uses<'_, '_>, handle: &Handle, worker: &Worker) -> bool {
    (handle.ops.iter()).any(|op| match op.does {
        Does::Given { call, .. } => call == worker.call,
        does => does.signals() && runs_in(uses, op, worker),
    })
}

/// Whether a function that is given a handle waits for it; `None` if it may do anything.
fn given(d: &Declaration<'_>, kind: Kind, call: ExprId, index: usize) -> Option<bool> {
    match kind {
        Kind::Channel => {
            let Effect {
                unknown, receives, ..
            } = effect_of_call(d, call, index, 0);
            (!unknown).then_some(receives)
        }
        Kind::Group => {
            let summary = d.summary(call)?;
            let effect = summary.param(index);
            (effect.fate == go_model::summary::Fate::Borrowed).then(|| {
                (effect.releases.iter()).any(
                    |r| matches!(r.how, go_model::summary::How::Method(name) if name == "Wait"),
                )
            })
        }
    }
}

/// Whether a function returns without having waited.
struct Unjoined<'q, 'f, 'a> {
    f: &'q Function<'f>,
    uses: &'q Uses<'q, 'a>,
    joins: &'q Joins,
    control: &'q Control<'q, 'a>,
    /// Loops in which the owner waits.
    loops: Vec<StmtId>,
    joined: bool,
}

/// What has happened on a path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Left {
    /// It took another arm of a select in which it could have learnt of the end.
    declined: bool,
    /// Something was done that may have ended the goroutine.
    settled: bool,
}

impl Left {
    fn at_return(self) -> Flow {
        match self.settled {
            true => Flow::On,
            false => Flow::Found,
        }
    }
}

impl Question for Unjoined<'_, '_, '_> {
    type State = Left;

    fn at(&mut self, _: BlockId, item: Item, left: &mut Left) -> Flow {
        let (root, returns): (NodeId, bool) = match item {
            Item::Node(Node::Stmt(s) | Node::Defer(s)) => (s.into(), false),
            Item::Node(Node::Eval(e)) => (e.into(), false),
            Item::Node(_) => return Flow::On,
            Item::Return(None) => return left.at_return(),
            Item::Return(Some(s)) => (s.into(), true),
        };
        for id in self.uses.nodes(root) {
            if self.joins.waits.contains(&id) {
                self.joined = true;
                return Flow::Stop;
            }
            left.settled |= self.joins.other.contains(&id);
        }
        left.settled = left.settled || self.control.may_wake(root, returns);
        match returns {
            true => left.at_return(),
            false => Flow::On,
        }
    }

    fn along(&mut self, from: BlockId, to: BlockId, way: Way, left: &mut Left) -> bool {
        // A loop that waits ends when it has counted to its end.
        let cfg = self.f.cfg;
        let ends = |l: &StmtId| {
            cfg.loop_of(*l).is_some_and(|x| x.header == from) && !cfg.is_in_loop(to, *l)
        };
        if matches!(way, Way::If(..)) && self.loops.iter().any(ends) {
            left.settled = true;
        }
        if let Way::If(Cond::Expr(cond), holds) = way {
            left.settled = left.settled || self.control.is_missing(cond, holds);
        }
        let Way::Arm(select, arm) = way else {
            return true;
        };
        let StmtKind::Select { cases } = &self.f.tree[select].kind else {
            return true;
        };
        let waits = |comm: Option<StmtId>| comm.is_some_and(|c| self.joins.arms.contains(&c));
        left.declined |=
            cases.iter().any(|c| waits(c.comm)) && !cases.get(arm).is_some_and(|c| waits(c.comm));
        true
    }
}

fn look(
    cx: &CheckContext<'_>,
    uses: &Uses<'_, '_>,
    handles: &[Handle],
    worker: &Worker,
    said: bool,
) -> Option<RawFinding> {
    let d = uses.d;
    if worker.by.is_none() && is_main(cx) {
        return None;
    }
    let promised = promises(uses, handles, worker);
    if promised.is_empty() {
        return None;
    }
    let joins = joins(uses, handles, worker, &promised)?;
    if joins.waits.is_empty() {
        return None;
    }
    let cfg = d.cfg(worker.by)?;
    if cfg.truncated {
        return None;
    }
    let f = Function::new(d, worker.by, &cfg);
    let (block, node) = f.cfg.position_of(worker.stmt)?;
    let known: Vec<LocalId> = handles.iter().map(|h| h.local).collect();
    let control = Control::new(uses, worker.call, worker.literal, &known);
    if control.is_bound() || control.is_deferred(worker.by, d.tree[worker.stmt].range.start()) {
        return None;
    }
    let loops = (joins.waits.iter())
        .filter_map(|wait| super::channel::block_of(&f, *wait))
        .flat_map(|block| cfg.loops_containing(block).map(|l| l.stmt))
        .filter(|l| !d.tree[*l].range.contains_range(d.tree[worker.stmt].range))
        .collect();
    let mut question = Unjoined {
        f: &f,
        uses,
        joins: &joins,
        control: &control,
        loops,
        joined: false,
    };
    let endings = paths::search(&f, (block, node + 1), Left::default(), &mut question)?;
    if !question.joined || endings.is_empty() {
        return None;
    }
    let (mut declined, skipped): (Vec<_>, Vec<_>) =
        endings.into_iter().partition(|e| e.state.declined);
    if is_told_later(uses, &control, worker) {
        declined.clear();
    }
    if (declined.is_empty() && skipped.is_empty()) || ends_by_itself(d, worker) {
        return None;
    }
    let start = start_range(d.tree, worker.stmt, worker.literal);
    // One finding a goroutine: what waits for ever counts more.
    if said && (cx.speaks_of(start) || waits_for_the_lost(cx, uses, &f, handles, worker)) {
        return None;
    }
    let exits: Vec<_> = (skipped.iter().chain(&declined)).map(|e| e.exit).collect();
    if worker.by.is_none() && end_the_process(cx, &exits) {
        return None;
    }
    let handle = &handles[shown(handles, &promised, &joins)];
    Some(match skipped.is_empty() {
        true => {
            let told = waits_for_the_stopped(uses, worker);
            declined_finding(&f, handle, start, &declined, told)
        }
        false => {
            let mut found = skipped_finding(cx, uses, &f, worker, handle, start, &skipped, &joins);
            // Where it is given up elsewhere, waiting here would show that instead.
            if !declined.is_empty() {
                found.site = None;
            }
            found
        }
    })
}

/// Whether the owner tells a goroutine to stop, on whatever path, by something that the goroutine works with.
fn is_told_later(uses: &Uses<'_, '_>, control: &Control<'_, '_>, worker: &Worker) -> bool {
    let d = uses.d;
    let start = d.tree[worker.stmt].range;
    let own = |range: TextRange| enclosing_literal(d.tree, range) == worker.by;
    d.tree.stmts.iter().any(|(id, s)| {
        let simple = matches!(
            s.kind,
            StmtKind::Expr(_)
                | StmtKind::Send { .. }
                | StmtKind::Assign { .. }
                | StmtKind::Defer(_)
        );
        simple
            && s.range.start() >= start.end()
            && own(s.range)
            && control.may_wake(id.into(), false)
    })
}

/// Whether a goroutine waits for others, and something was cancelled or closed before it was started: those others, it seems. Whether they
/// heed that is not known.
fn waits_for_the_stopped(uses: &Uses<'_, '_>, worker: &Worker) -> bool {
    let d = uses.d;
    let start = d.tree[worker.stmt].range;
    let relays = worker.literal.is_some_and(|literal| {
        (d.tree.exprs.iter()).any(|(id, e)| {
            matches!(e.kind, ExprKind::Call { .. })
                && uses.literal_of(id) == Some(literal)
                && group_method(d, id).is_some_and(|name| name == "Wait")
        })
    });
    relays
        && (d.tree.exprs.iter()).any(|(id, e)| match &e.kind {
            ExprKind::Call { func, .. } => {
                e.range.end() <= start.start()
                    && (is_builtin(d, id, "close") || is_cancel(d, *func))
            }
            _ => false,
        })
}

/// Whether what is called cancels a context.
fn is_cancel(d: &Declaration<'_>, func: ExprId) -> bool {
    let func = d.tree.unparen(func);
    let ty = match d.facts.refs.get(func) {
        Some(Res::Local(local)) => Some(&d.facts.locals[*local].ty),
        _ => d.facts.types.get(func),
    };
    ty.is_some_and(|ty| {
        ty.is_named("context", "CancelFunc") || ty.is_named("context", "CancelCauseFunc")
    })
}

/// Packages whose functions come back at once, or when a time has passed.
const QUICK: &[&str] = &[
    "bytes",
    "errors",
    "fmt",
    "log",
    "log/slog",
    "math",
    "slices",
    "sort",
    "strconv",
    "strings",
    "sync/atomic",
    "time",
];

/// Whether a goroutine surely comes to its end by itself, soon: it waits for nobody, and calls only what does not either.
fn ends_by_itself(d: &Declaration<'_>, worker: &Worker) -> bool {
    let Some(literal) = worker.literal else {
        return false;
    };
    d.tree.walk(literal, Literals::Enter).all(|id| match id {
        NodeId::Stmt(s) => !matches!(
            d.tree[s].kind,
            StmtKind::For { .. }
                | StmtKind::Range { .. }
                | StmtKind::Select { .. }
                | StmtKind::Send { .. }
                | StmtKind::Go(_)
        ),
        NodeId::Expr(e) => match &d.tree[e].kind {
            ExprKind::Unary {
                op: UnaryOp::Receive,
                ..
            } => false,
            ExprKind::Call { func, .. } => {
                matches!(
                    d.facts.callees.get(e),
                    Some(Callee::Builtin(_) | Callee::Conversion)
                ) || d.tree.func_lit(d.tree.unparen(*func)).is_some()
                    || is_cancel(d, *func)
                    || group_method(d, e).is_some_and(|name| name == "Done")
                    || d.target(e)
                        .is_some_and(|t| t.ty.is_none() && QUICK.iter().any(|p| t.package == *p))
            }
            _ => true,
        },
    })
}

/// The handle to speak of: one that is waited for.
fn shown(handles: &[Handle], promised: &[usize], joins: &Joins) -> usize {
    let waited = |i: &&usize| {
        handles[**i]
            .ops
            .iter()
            .any(|op| joins.waits.contains(&op.node))
    };
    *promised.iter().find(waited).unwrap_or(&promised[0])
}

/// From the start of a goroutine to the returns that leave it running.
fn tell_way(found: &mut RawFinding, start: TextRange, endings: &[Ending<Left>], without: &str) {
    (found.related).push(step("the goroutine is started here", start));
    for ending in endings.iter().take(3) {
        found.related.extend(ending.decision_step());
        let what = format!("returns without {without}");
        found.related.push(step(what, ending.range));
    }
}

fn declined_finding(
    f: &Function<'_>,
    handle: &Handle,
    start: TextRange,
    endings: &[Ending<Left>],
    told: bool,
) -> RawFinding {
    let name = f.facts.locals[handle.local].ident.name;
    let why = match told {
        true => "what was told to stop before may not heed it",
        false => "nothing there tells it to stop",
    };
    let message = format!(
        "this goroutine goes on where `{}` gives up waiting for it: {why}",
        f.name()
    );
    let rule = crate::rules::unjoined_goroutine_on_timeout::RULE.name;
    let mut found = finding(f, rule, Severity::Hint, message, start);
    tell_way(&mut found, start, endings, &format!("`{name}`"));
    found
}

#[allow(clippy::too_many_arguments)]
fn skipped_finding(
    cx: &CheckContext<'_>,
    uses: &Uses<'_, '_>,
    f: &Function<'_>,
    worker: &Worker,
    handle: &Handle,
    start: TextRange,
    endings: &[Ending<Left>],
    joins: &Joins,
) -> RawFinding {
    let name = f.facts.locals[handle.local].ident.name;
    let what = match handle.kind {
        Kind::Group => format!("`{name}.Wait`"),
        Kind::Channel => format!("`<-{name}`"),
    };
    let message = format!(
        "this goroutine may still run where `{}` returns without {what}, for which it waits on other paths",
        f.name()
    );
    let rule = crate::rules::unjoined_goroutine::RULE.name;
    let mut found = finding(f, rule, Severity::Information, message, start);
    tell_way(&mut found, start, endings, &what);
    let wait = (handle.ops.iter()).find(|op| joins.waits.contains(&op.node));
    if let Some(wait) = wait {
        let range = match wait.node {
            NodeId::Expr(e) => f.tree[e].range,
            NodeId::Stmt(s) => f.head_range(s),
        };
        found
            .related
            .push(step("another path waits for it here", range));
    }
    if can_wait(uses, f, worker, handle, endings) {
        let pattern = Pattern::Unjoined {
            handle: handle.local,
            group: handle.kind == Kind::Group,
        };
        let mut site = FixSite::pattern(
            worker.by,
            worker.call,
            Some(worker.stmt),
            pattern,
            cx.in_test,
        );
        site.leaks = endings.iter().map(Ending::leak_point).collect();
        found.site = Some(Box::new(site));
    }
    found
}

/// Whether waiting at these returns comes to an end if the goroutine does: it is surely started, once, and nobody else is counted.
fn can_wait(
    uses: &Uses<'_, '_>,
    f: &Function<'_>,
    worker: &Worker,
    handle: &Handle,
    endings: &[Ending<Left>],
) -> bool {
    let Some((start, _)) = f.cfg.position_of(worker.stmt) else {
        return false;
    };
    // Each start counts for itself, and nothing else counts.
    let counts = |op: &&JoinOp| op.does.signals() || matches!(op.does, Does::Add | Does::Go);
    let counting: Vec<&JoinOp> = handle.ops.iter().filter(counts).collect();
    if let [only] = counting[..]
        && only.does == Does::Go
        && only.node == worker.call.into()
        && !(handle.ops.iter()).any(|op| matches!(op.does, Does::Given { .. }))
    {
        return true;
    }
    let looped = f.cfg.repeating_loop(start).is_some();
    let after = endings.iter().all(|e| {
        e.exit.is_some_and(|exit| {
            let from = f
                .cfg
                .blocks
                .iter()
                .find(|(_, b)| b.terminator == Terminator::Return(Some(exit)));
            from.is_some_and(|(id, _)| f.dominators().dominates(start, id))
        })
    });
    let signals = handle
        .ops
        .iter()
        .filter(|op| op.does.signals() || op.does == Does::Go);
    let adds = handle.ops.iter().filter(|op| op.does == Does::Add);
    let one = |op: &JoinOp| match op.node {
        NodeId::Expr(call) => match &uses.d.tree[call].kind {
            ExprKind::Call { args, .. } => {
                args.len() == 1 && uses.d.tree.int_value(args[0]) == Some(1)
            }
            _ => false,
        },
        NodeId::Stmt(_) => false,
    };
    match handle.kind {
        Kind::Group => {
            after
                && !looped
                && signals.count() <= 1
                && adds.clone().count() <= 1
                && adds.clone().all(one)
        }
        Kind::Channel => {
            let given = handle
                .ops
                .iter()
                .any(|op| matches!(op.does, Does::Given { .. }));
            let closes = handle.ops.iter().all(|op| op.does != Does::Send);
            after && !looped && (closes || signals.count() == 1) && (!given || closes)
        }
    }
}
