//! Finding the acquisitions of a declaration, and making findings of their leaks.

use std::borrow::Cow;

use go_model::cfg::{BlockId, Cfg, Node, Terminator};
use go_model::facts::{Callee, Facts, LocalId, LocalKind, Res};
use go_model::summary::ELEMENT;
use go_syntax::ast::{AssignOp, BinaryOp, DeclTree, ExprId, ExprKind, StmtId, StmtKind, UnaryOp};
use go_syntax::{Literals, NodeId};
use go_syntax::{Name, TextRange, TextSize};
use rustc_hash::{FxHashMap, FxHashSet};

use super::acquire::{Names, acquirers, reads_stream, stream};
use super::function::{Declaration, Depth, Function, Target};
use super::interp::{Interp, Leak, Obligation, Outcome, Place, Step};
use super::kinds::{Acquirer, Extra, Kind};
use super::site::{
    Acquire, AcquireShape, ErrorVar, FixKind, FixSite, InsertPoint, LeakKind, Pattern, Trigger,
    Value,
};
use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::rules::{partially_built_owner, wrapper_drops_close};

/// A leak that was found, before a rule puts it into words.
pub(crate) struct Found<'a> {
    pub(crate) function: &'a Function<'a>,
    pub(crate) obligation: &'a Obligation,
    pub(crate) outcome: &'a Outcome,
    /// The statement that acquires.
    pub(crate) stmt: Option<StmtId>,
}

impl Found<'_> {
    /// Whether the declaration calls this method of the variable that holds the thing.
    pub(crate) fn is_method_called(&self, method: &str) -> bool {
        let f = self.function;
        let Some(held) = &self.outcome.held else {
            return false;
        };
        f.d.mentions(held.local).iter().any(|(mention, _)| {
            f.d.parent(*mention).is_some_and(|p| {
                matches!(&f.tree[p].kind, ExprKind::Selector { name, .. } if name.name == method)
            })
        })
    }
}

/// What a rule says about a leak.
pub(crate) struct Verdict {
    pub(crate) severity: Severity,
    /// Follows the message in parentheses.
    pub(crate) note: Option<String>,
}

impl Verdict {
    /// A severity and nothing more to say.
    pub(crate) fn plain(severity: Severity) -> Self {
        Self {
            severity,
            note: None,
        }
    }
}

/// Runs the engine on a declaration for the kinds of one rule. `judge` gives the severity, or `None` to be silent.
///
/// Two passes: the first one takes it that functions of the workspace do nothing to their arguments and come back, which finds all
/// leaks and more, and needs nothing but this declaration. Nearly all acquisitions end there. Only for the others the functions
/// that they call are looked into.
pub(crate) fn check(
    cx: &CheckContext<'_>,
    rule: &'static str,
    judge: &dyn Fn(&Found<'_>) -> Option<Verdict>,
) -> Vec<RawFinding> {
    let mut calls: Vec<&Acquisition> = (cx.acquisitions().iter())
        .filter(|acquisition| acquisition.is_of(rule))
        .collect();
    if calls.is_empty() {
        return Vec::new();
    }
    let mut suspects = Vec::new();
    let shallow = cx.declaration(Depth::Shallow);
    follow(shallow, cx, rule, &calls, &mut |_, ob, out, _| {
        let suspicious = !out.leaks.is_empty() || !out.wrapped.is_empty();
        if suspicious && !suspects.contains(&ob.call) {
            suspects.push(ob.call);
        }
    });
    calls.retain(|acquisition| suspects.contains(&acquisition.call));
    let mut findings = Vec::new();
    if calls.is_empty() {
        return findings;
    }
    let full = cx.declaration(Depth::Full);
    follow(full, cx, rule, &calls, &mut |f, ob, out, target| {
        findings.extend(finding(f, cx, ob, out, target, judge));
        findings.extend(wrapped(f, cx, ob, out));
    });
    findings
}

/// Follows the obligations of these calls.
fn follow(
    d: &Declaration<'_>,
    cx: &CheckContext<'_>,
    rule: &str,
    calls: &[&Acquisition],
    done: &mut dyn FnMut(&Function<'_>, &Obligation, &Outcome, Target),
) {
    let mut functions: FxHashSet<Option<ExprId>> = FxHashSet::default();
    for Acquisition { literal, .. } in calls {
        if !functions.insert(*literal) {
            continue;
        }
        let Some(cfg) = d.cfg(*literal) else { continue };
        if cfg.truncated {
            continue;
        }
        let function = Function::new(d, *literal, &cfg);
        let places = locate(&function);
        for Acquisition {
            call,
            target,
            acquirers,
            ..
        } in calls.iter().filter(|c| c.literal == *literal)
        {
            let Some(&(block, node)) = places.get(call) else {
                continue;
            };
            for acquirer in acquirers.iter() {
                if acquirer.kind.rule != rule {
                    continue;
                }
                let Some(obligation) = obligation(&function, cx, *acquirer, *call, block, node)
                else {
                    continue;
                };
                let outcome = Interp::new(&function, &obligation).run();
                done(&function, &obligation, &outcome, *target);
            }
        }
    }
}

/// A call that acquires something.
#[derive(Debug)]
pub(crate) struct Acquisition {
    /// The function literal that it stands in.
    literal: Option<ExprId>,
    call: ExprId,
    target: Target,
    /// What it acquires.
    acquirers: Cow<'static, [Acquirer]>,
}

impl Acquisition {
    /// Whether some of it concerns the rule.
    fn is_of(&self, rule: &str) -> bool {
        self.acquirers.iter().any(|a| a.kind.rule == rule)
    }
}

/// The calls that acquire something for any rule, in the order of the text.
pub(crate) fn acquisitions(cx: &CheckContext<'_>) -> Vec<Acquisition> {
    let tree = cx.tree;
    let names = Names::of(cx.db, cx.decl);
    let streams = reads_stream(tree);
    let mut found = Vec::new();
    for (call, expr) in tree.exprs.iter() {
        let called = match &expr.kind {
            ExprKind::Call { func, .. } => *func,
            ExprKind::Composite { ty: Some(ty), .. } => *ty,
            _ => continue,
        };
        let may = last_name(tree, called).is_some_and(|name| names.may_acquire(name));
        let mut acquired = may.then(|| acquirers(cx, call)).flatten();
        if streams && acquired.is_none() {
            acquired = stream(cx, call);
        }
        if let Some((target, acquirers)) = acquired {
            found.push(Acquisition {
                literal: enclosing_literal(tree, expr.range),
                call,
                target,
                acquirers,
            });
        }
    }
    found.sort_by_key(|acquisition| tree[acquisition.call].range.start());
    found
}

/// The innermost function literal around a range.
pub(crate) fn enclosing_literal(tree: &DeclTree, range: TextRange) -> Option<ExprId> {
    tree.exprs
        .iter()
        .filter(|(_, e)| {
            matches!(&e.kind, ExprKind::FuncLit(lit) if lit.body.range.contains_range(range))
        })
        .min_by_key(|(_, e)| e.range.len())
        .map(|(id, _)| id)
}

/// The last name of what a call calls.
pub(crate) fn last_name(tree: &DeclTree, func: ExprId) -> Option<Name> {
    match &tree[tree.unparen(func)].kind {
        ExprKind::Ident(name) => Some(*name),
        ExprKind::Selector { name, .. } => Some(name.name),
        ExprKind::Index { base, .. } => last_name(tree, *base),
        _ => None,
    }
}

/// Block and node of every call of a function that can run.
pub(crate) fn locate(f: &Function<'_>) -> FxHashMap<ExprId, (BlockId, usize)> {
    let mut places = FxHashMap::default();
    let cfg: &Cfg = f.cfg;
    let mut add = |root: NodeId, block: BlockId, node: usize| {
        for id in f.tree.walk(root, Literals::Skip) {
            if let NodeId::Expr(e) = id
                && matches!(
                    f.tree[e].kind,
                    ExprKind::Call { .. } | ExprKind::Composite { .. }
                )
            {
                places.entry(e).or_insert((block, node));
            }
        }
    };
    for block in cfg.reverse_post_order() {
        for (i, node) in cfg[block].nodes.iter().enumerate() {
            match node {
                Node::Stmt(s) | Node::Defer(s) => add((*s).into(), block, i),
                Node::Eval(e) => add((*e).into(), block, i),
                Node::RangeBind(_) | Node::TypeBind(..) => {}
            }
        }
        if let Terminator::Return(Some(stmt)) = cfg[block].terminator {
            add(stmt.into(), block, cfg[block].nodes.len());
        }
    }
    places
}

fn obligation(
    f: &Function<'_>,
    cx: &CheckContext<'_>,
    acquirer: Acquirer,
    call: ExprId,
    block: BlockId,
    node: usize,
) -> Option<Obligation> {
    let kind = acquirer.kind;
    if kind.ends_with_process
        && f.literal.is_none()
        && f.cfg[block].in_loop.is_none()
        && super::is_main(cx)
    {
        return None;
    }
    if kind.fix == FixKind::HttpBody
        && cx.in_test
        && (asks_bodyless_server(f, call) || asks_stand_in(f, call))
    {
        return None;
    }
    if acquirer.context && context_is_cancelled(f, call) {
        return None;
    }
    if cancelled_before(f, call, block, node) {
        return None;
    }
    if is_widened_accept(f, call) {
        return None;
    }
    if (f.target(call)).is_some_and(|target| target.is_method("io/fs", "FS", "Open"))
        && receiver(f, call).is_some_and(|files| is_embedded(f, files, 0))
    {
        return None;
    }
    let mut parent = None;
    let mut parent_ends: &[&str] = &[];
    match acquirer.extra {
        Extra::OfTx => {
            let tx = transaction(f, call)?;
            if let Some(tx) = tx {
                if ended_by_defer(f, &tx, TX_ENDS, block, node) {
                    return None;
                }
                parent = Some(tx);
                parent_ends = TX_ENDS;
            }
        }
        Extra::OfDb => {
            if let Some(place) = receiver(f, call).and_then(|db| f.place(db)) {
                if ended_by_defer(f, &place, DB_ENDS, block, node) {
                    return None;
                }
                if own_local(f, &place) {
                    parent = Some(place);
                    parent_ends = DB_ENDS;
                }
            }
        }
        Extra::Derives | Extra::DerivesCancel => {
            if let Some(cancel) = cancel_of(f, first_arg(f, call)?) {
                let place = Place {
                    local: cancel,
                    path: Vec::new(),
                };
                if ended_by_defer(f, &place, &[], block, node) {
                    return None;
                }
                parent = Some(place);
            }
        }
        Extra::Sink(index) => {
            let sink = argument(f, call, index)?;
            if is_in_memory(f, sink, 0) {
                return None;
            }
            // The end of the pipe tells the other side that there is no more.
            if let Some(place) = f.place(sink)
                && own_local(f, &place)
                && f.facts.locals[place.local]
                    .ty
                    .as_named_or_pointer()
                    .is_some_and(|named| named.package == "io" && named.name == "PipeWriter")
            {
                parent = Some(place);
                parent_ends = &["CloseWithError"];
            }
        }
        Extra::Receiver if !is_own_command(f, call) => return None,
        Extra::Request if is_head(f, call) || is_request_cancelled(f, call, block, node) => {
            return None;
        }
        Extra::Argument if !is_own_secret(f, call, acquirer.result) => return None,
        Extra::Endless if !is_endless(f, first_arg(f, call)?) || closes_connection(f, call) => {
            return None;
        }
        Extra::Temp if !is_system_dir(f, first_arg(f, call)?) => return None,
        _ => {}
    }
    let start = f.tree[call].range.start();
    let early = f
        .cfg
        .defers
        .iter()
        .copied()
        .filter(|d| {
            f.tree[*d].range.start() < start
                && matches!(f.tree[*d].kind, StmtKind::Defer(call) if f.called_literal(call).is_some())
        })
        .collect();
    Some(Obligation {
        kind,
        acquirer,
        call,
        block,
        node,
        parent,
        parent_ends,
        early,
    })
}

/// Whether an argument is a variable of this function that nobody else has seen before the call.
fn is_own_secret(f: &Function<'_>, call: ExprId, index: usize) -> bool {
    let ExprKind::Call { args, .. } = &f.tree[call].kind else {
        return false;
    };
    let Some(place) = args.get(index).and_then(|arg| f.place(*arg)) else {
        return false;
    };
    let start = f.tree[call].range.start();
    let declared = f.facts.locals[place.local].ident.range.start();
    own_local(f, &place)
        && !f.facts.locals[place.local].address_taken
        && (f.d.mentions(place.local).iter()).all(|(_, at)| *at >= start || *at == declared)
}

/// Whether a directory is the system's one for temporary files: `""` or `os.TempDir()`. What is made in another one may be removed with
/// that.
fn is_system_dir(f: &Function<'_>, dir: ExprId) -> bool {
    f.tree.string_value(dir).is_some_and(|dir| dir.is_empty())
        || f.target(f.tree.unparen(dir))
            .is_some_and(|target| target.is_func("os", "TempDir"))
}

fn argument(f: &Function<'_>, call: ExprId, index: usize) -> Option<ExprId> {
    match &f.tree[call].kind {
        ExprKind::Call { args, .. } => args.get(index).copied(),
        _ => None,
    }
}

fn first_arg(f: &Function<'_>, call: ExprId) -> Option<ExprId> {
    argument(f, call, 0)
}

/// Whether the receiver of `Start` is a command made in this function that nobody else has got to know before, and that is not
/// meant to outlive this process.
fn is_own_command(f: &Function<'_>, call: ExprId) -> bool {
    let Some(place) = receiver(f, call).and_then(|cmd| f.place(cmd)) else {
        return false;
    };
    if !own_local(f, &place) {
        return false;
    }
    let made_here = f.d.values(place.local).iter().all(|value| {
        let target = value.and_then(|value| f.target(f.tree.unparen(value)));
        target.is_some_and(|t| {
            t.is_func("os/exec", "Command") || t.is_func("os/exec", "CommandContext")
        })
    });
    let before = f.tree[call].range.start();
    made_here
        && !f.tree.exprs.iter().any(|(_, e)| is_setsid(f, &e.kind))
        && (f.d.mentions(place.local).iter())
            .filter(|(_, at)| *at < before)
            .all(|(mention, _)| is_only_used(f, *mention))
}

/// `Setsid: true` in a literal; assignments are selectors.
fn is_setsid(f: &Function<'_>, expr: &ExprKind) -> bool {
    let name = |name: &Name| name.as_str() == "Setsid";
    match expr {
        ExprKind::Selector { name: field, .. } => name(&field.name),
        ExprKind::Composite { elements, .. } => elements.iter().any(|element| {
            matches!(element.key.map(|key| &f.tree[f.tree.unparen(key)].kind),
                Some(ExprKind::Ident(key)) if name(key))
        }),
        _ => false,
    }
}

/// Whether a mention of a variable is its declaration or reads or sets a field, calls a method that is no release, or gives it to a
/// function that only uses it.
fn is_only_used(f: &Function<'_>, mention: ExprId) -> bool {
    let Some(parent) = f.d.parent(mention) else {
        return enclosing_literal(f.tree, f.tree[mention].range) == f.literal;
    };
    match &f.tree[parent].kind {
        ExprKind::Selector { name, .. } => {
            enclosing_literal(f.tree, f.tree[mention].range) == f.literal
                && !matches!(name.name.as_str(), "Wait" | "Process")
        }
        ExprKind::Call { args, .. } => args.iter().position(|a| *a == mention).is_some_and(|i| {
            f.d.depth == Depth::Shallow
                || f.summary(parent).is_some_and(|s| s.param(i).only_borrows())
        }),
        _ => false,
    }
}

/// Whether what is written to an expression ends in memory or nowhere, also through other writers made in this declaration.
fn is_in_memory(f: &Function<'_>, sink: ExprId, depth: u32) -> bool {
    const IN_MEMORY: &[(&str, &str)] = &[
        ("bytes", "Buffer"),
        ("strings", "Builder"),
        ("net/http/httptest", "ResponseRecorder"),
    ];
    let sink = f.tree.unparen(sink);
    if f.is_nil(sink) {
        return true;
    }
    let named = f
        .facts
        .types
        .get(sink)
        .and_then(|ty| ty.as_named_or_pointer());
    if named.is_some_and(|named| {
        (IN_MEMORY.iter()).any(|(package, name)| named.package == *package && named.name == *name)
    }) {
        return true;
    }
    if matches!(f.facts.refs.get(sink), Some(Res::Package(item)) if item.is("io", "Discard")) {
        return true;
    }
    if depth > 4 {
        return false;
    }
    // A writer over another one, or a variable for it.
    if matches!(f.tree[sink].kind, ExprKind::Call { .. }) {
        let wraps = f.target(sink).is_some_and(|t| {
            super::kinds::acquirers(t.package, t.ty, t.name)
                .iter()
                .any(|a| matches!(a.extra, Extra::Sink(_)))
                || t.is_func("bufio", "NewWriter")
                || t.is_func("bufio", "NewWriterSize")
        });
        return wraps && first_arg(f, sink).is_some_and(|below| is_in_memory(f, below, depth + 1));
    }
    match f.facts.refs.get(sink) {
        Some(Res::Local(local)) => {
            let value = f.d.only_value(*local).filter(|(_, index)| *index == 0);
            value.is_some_and(|(value, _)| is_in_memory(f, value, depth + 1))
        }
        _ => false,
    }
}

fn receiver(f: &Function<'_>, call: ExprId) -> Option<ExprId> {
    let ExprKind::Call { func, .. } = &f.tree[call].kind else {
        return None;
    };
    match &f.tree[f.tree.unparen(*func)].kind {
        ExprKind::Selector { base, .. } => Some(f.tree.unparen(*base)),
        _ => None,
    }
}

/// The methods that end a transaction, and with it what was made of it.
const TX_ENDS: &[&str] = &["Commit", "Rollback"];
/// The method that closes a database, and with it what was prepared on it.
const DB_ENDS: &[&str] = &["Close"];

/// The transaction that ends the rows of a query; `Some(None)` if there is none, `None` if it is not known.
fn transaction(f: &Function<'_>, call: ExprId) -> Option<Option<Place>> {
    let receiver = receiver(f, call)?;
    let place = f.place(receiver)?;
    if !place.path.is_empty() {
        return None;
    }
    let ty = f.facts.locals[place.local].ty.as_named_or_pointer()?;
    let name = ty.name.as_str();
    if name.ends_with("Stmt") {
        // Prepared on what?
        let (value, _) = f.d.only_value(place.local)?;
        let target = f.target(f.tree.unparen(value))?;
        return match target.ty?.as_str() {
            "DB" | "Conn" => Some(None),
            "Tx" => {
                let on = f.place(self::receiver(f, f.tree.unparen(value))?)?;
                own_local(f, &on).then_some(Some(on))
            }
            _ => None,
        };
    }
    own_local(f, &place).then_some(Some(place))
}

/// A variable of this function, not a parameter and not one of an enclosing function.
fn own_local(f: &Function<'_>, place: &Place) -> bool {
    let local = &f.facts.locals[place.local];
    place.path.is_empty() && local.kind == LocalKind::Var && local.owner == f.literal
}

/// Whether a `defer` that surely runs before the acquisition ends what the place holds.
fn ended_by_defer(
    f: &Function<'_>,
    place: &Place,
    ends_with: &[&str],
    block: BlockId,
    node: usize,
) -> bool {
    let ends = |call: ExprId| -> bool {
        let ExprKind::Call { func, .. } = &f.tree[f.tree.unparen(call)].kind else {
            return false;
        };
        match &f.tree[f.tree.unparen(*func)].kind {
            ExprKind::Selector { base, name } => {
                ends_with.contains(&name.name.as_str()) && f.place(*base).as_ref() == Some(place)
            }
            ExprKind::Ident(_) => f.place(*func).as_ref() == Some(place),
            _ => false,
        }
    };
    f.cfg.defers.iter().any(|&defer| {
        let StmtKind::Defer(call) = f.tree[defer].kind else {
            return false;
        };
        let does = ends(call)
            || f.called_literal(call).is_some_and(|literal| {
                f.tree
                    .walk(NodeId::Expr(literal), Literals::Enter)
                    .filter_map(NodeId::expr)
                    .any(ends)
            })
            || matches!(&f.tree[f.tree.unparen(call)].kind, ExprKind::Call { args, .. }
                if args.iter().any(|a| f.place(*a).is_some_and(|p| p.local == place.local)));
        does && f.cfg.position_of(defer).is_some_and(|(b, n)| {
            (b == block && n < node) || (b != block && f.dominators().dominates(b, block))
        })
    })
}

/// The cancel function of the context that an expression denotes, if both were made in this declaration.
fn cancel_of(f: &Function<'_>, context: ExprId) -> Option<LocalId> {
    let place = f.place(context)?;
    if !place.path.is_empty() {
        return None;
    }
    for (_, stmt) in f.tree.stmts.iter() {
        let StmtKind::Assign { lhs, rhs, .. } = &stmt.kind else {
            continue;
        };
        let ([ctx, cancel], [value]) = (&lhs[..], &rhs[..]) else {
            continue;
        };
        if f.place(*ctx).as_ref() != Some(&place)
            || stmt.range.start() >= f.tree[context].range.start()
        {
            continue;
        }
        let target = f.target(f.tree.unparen(*value))?;
        if target.package != "context" || target.ty.is_some() {
            continue;
        }
        return match f.facts.refs.get(f.tree.unparen(*cancel)) {
            Some(Res::Local(local)) => Some(*local),
            _ => None,
        };
    }
    None
}

/// Whether the context given to a query is one made here whose cancel function is used.
fn context_is_cancelled(f: &Function<'_>, call: ExprId) -> bool {
    first_arg(f, call)
        .and_then(|ctx| cancel_of(f, ctx))
        .is_some_and(|cancel| f.facts.locals[cancel].reads > 0)
}

/// Whether the context given to the call was surely cancelled before: the call then fails.
fn cancelled_before(f: &Function<'_>, call: ExprId, block: BlockId, node: usize) -> bool {
    let Some(cancel) = first_arg(f, call).and_then(|ctx| cancel_of(f, ctx)) else {
        return false;
    };
    f.d.mentions(cancel).iter().any(|(mention, _)| {
        let Some(call) = f.d.parent(*mention) else {
            return false;
        };
        let calls = matches!(&f.tree[call].kind, ExprKind::Call { func, .. } if func == mention);
        let stmt = f
            .tree
            .stmts
            .iter()
            .find(|(_, s)| matches!(s.kind, StmtKind::Expr(e) if e == call))
            .map(|(id, _)| id);
        calls
            && stmt
                .and_then(|s| f.cfg.position_of(s))
                .is_some_and(|(b, n)| {
                    (b == block && n < node) || (b != block && f.dominators().dominates(b, block))
                })
    })
}

/// Whether a `Do` sends a request whose context is cancelled by a `defer` that stands already: that ends the connection, or gives its
/// stream back, also under a body that nobody closed.
fn is_request_cancelled(f: &Function<'_>, call: ExprId, block: BlockId, node: usize) -> bool {
    if f.cfg[block].in_loop.is_some() {
        return false;
    }
    let cancelled = |context: ExprId| {
        cancel_of(f, context).is_some_and(|cancel| {
            let place = Place {
                local: cancel,
                path: Vec::new(),
            };
            ended_by_defer(f, &place, &[], block, node)
        })
    };
    let context = |value: ExprId| {
        let value = f.tree.unparen(value);
        let target = f.target(value)?;
        let takes = target.is_func("net/http", "NewRequestWithContext")
            || target.is_method("net/http", "Request", "WithContext")
            || target.is_method("net/http", "Request", "Clone");
        takes.then(|| first_arg(f, value))?
    };
    let Some(request) = first_arg(f, call).map(|r| f.tree.unparen(r)) else {
        return false;
    };
    let Some(Res::Local(local)) = f.facts.refs.get(request) else {
        return context(request).is_some_and(cancelled);
    };
    if let Some((value, 0)) = f.d.only_value(*local) {
        return context(value).is_some_and(cancelled);
    }
    // `req = req.WithContext(ctx)` on the way, and no other value behind it.
    let start = f.tree[call].range.start();
    let last = (f.tree.stmts.iter())
        .filter(|(_, stmt)| stmt.range.end() <= start)
        .filter_map(|(id, stmt)| match &stmt.kind {
            StmtKind::Assign { lhs, rhs, .. } => lhs
                .iter()
                .any(|l| f.facts.refs.get(f.tree.unparen(*l)) == Some(&Res::Local(*local)))
                .then(|| (id, rhs.first().copied())),
            _ => None,
        })
        .max_by_key(|(id, _)| f.tree[*id].range.start());
    let Some((stmt, Some(value))) = last else {
        return false;
    };
    let surely = f.cfg.position_of(stmt).is_some_and(|(b, n)| {
        (b == block && n < node) || (b != block && f.dominators().dominates(b, block))
    });
    surely && context(value).is_some_and(cancelled)
}

/// Whether the error of a call is surely nil: what writes to memory does not fail.
pub(crate) fn never_fails(f: &Function<'_>, call: ExprId) -> bool {
    const PLAIN: &[(&str, &str)] = &[("bytes", "Buffer"), ("strings", "Builder")];
    const WRITES: &[&str] = &["Write", "WriteByte", "WriteRune", "WriteString"];
    const PARTS: &[&str] = &[
        "Close",
        "CreateFormField",
        "CreateFormFile",
        "CreatePart",
        "WriteField",
    ];
    let call = f.tree.unparen(call);
    let Some(target) = f.target(call) else {
        return false;
    };
    let Some(ty) = target.ty else {
        return false;
    };
    if PLAIN.iter().any(|(p, t)| target.package == *p && ty == *t) {
        return WRITES.contains(&target.name.as_str());
    }
    target.package == "mime/multipart"
        && ty == "Writer"
        && PARTS.contains(&target.name.as_str())
        && receiver(f, call).is_some_and(|writer| is_in_memory(f, writer, 0))
}

/// Whether the address of a connection or listener is asserted to be of the type that its network has: that always holds.
pub(crate) fn is_own_address(f: &Function<'_>, assertion: ExprId, address: ExprId) -> bool {
    const ADDRESSES: &[(&str, &[&str])] = &[
        ("TCPAddr", &["TCPConn", "TCPListener"]),
        ("UDPAddr", &["UDPConn"]),
        ("UnixAddr", &["UnixConn", "UnixListener"]),
    ];
    let asserted = (f.facts.types.get(f.tree.unparen(assertion)))
        .and_then(|ty| ty.as_named_or_pointer())
        .filter(|named| named.package == "net");
    let address = f.tree.unparen(address);
    let owner = receiver(f, address)
        .and_then(|owner| f.facts.types.get(owner))
        .and_then(|ty| ty.as_named_or_pointer())
        .filter(|named| named.package == "net");
    let (Some(asserted), Some(owner), Some(target)) = (asserted, owner, f.target(address)) else {
        return false;
    };
    let own = target.package == "net" && (target.name == "LocalAddr" || target.name == "Addr");
    own && ADDRESSES
        .iter()
        .any(|(addr, owners)| asserted.name == *addr && owners.contains(&owner.name.as_str()))
}

/// Whether a file system lies in the program itself: its files hold nothing.
fn is_embedded(f: &Function<'_>, files: ExprId, depth: u32) -> bool {
    let files = f.tree.unparen(files);
    if (f.facts.types.get(files)).is_some_and(|ty| ty.is_named("embed", "FS")) {
        return true;
    }
    if depth > 4 {
        return false;
    }
    if let Some(Res::Local(local)) = f.facts.refs.get(files) {
        return (f.d.only_value(*local))
            .is_some_and(|(value, index)| index == 0 && is_embedded(f, value, depth + 1));
    }
    let passes = matches!(f.facts.callees.get(files), Some(Callee::Conversion))
        || (f.target(files)).is_some_and(|target| target.is_func("io/fs", "Sub"));
    passes && first_arg(f, files).is_some_and(|below| is_embedded(f, below, depth + 1))
}

/// Whether a connection comes from the `Accept` of an interface that takes it over from `net.Listener`: what implements it may give out
/// what it holds itself.
fn is_widened_accept(f: &Function<'_>, call: ExprId) -> bool {
    let from_listener =
        (f.target(call)).is_some_and(|target| target.is_method("net", "Listener", "Accept"));
    from_listener
        && receiver(f, call)
            .and_then(|listener| f.facts.types.get(listener))
            .is_some_and(|ty| !ty.is_named("net", "Listener") && f.is_interface(ty))
}

/// Whether a `Do` sends a request made here with the method HEAD and left as it was, by a zero client made here. The body is then
/// `http.NoBody`; a client with a timeout or a transport of its own may wrap it.
fn is_head(f: &Function<'_>, call: ExprId) -> bool {
    let local = |e: ExprId| match f.facts.refs.get(f.tree.unparen(e)) {
        Some(Res::Local(local)) => Some(*local),
        _ => None,
    };
    let request = first_arg(f, call).and_then(local);
    let client = receiver(f, call).and_then(local);
    let (Some(request), Some(client)) = (request, client) else {
        return false;
    };
    is_plain_head_request(f, request)
        && is_only_mentioned(f, request, |p| f.tree[p].range == f.tree[call].range)
        && is_zero_client(f, client)
        && is_only_mentioned(
            f,
            client,
            |p| matches!(&f.tree[p].kind, ExprKind::Selector { name, .. } if name.name == "Do"),
        )
}

fn is_plain_head_request(f: &Function<'_>, request: LocalId) -> bool {
    let Some((value, _)) = f.d.only_value(request) else {
        return false;
    };
    let value = f.tree.unparen(value);
    let method = match f.target(value) {
        Some(t) if t.is_func("net/http", "NewRequest") => 0,
        Some(t) if t.is_func("net/http", "NewRequestWithContext") => 1,
        _ => return false,
    };
    let ExprKind::Call { args, .. } = &f.tree[value].kind else {
        return false;
    };
    args.get(method).is_some_and(|m| {
        f.tree.string_value(*m).is_some_and(|m| m == "HEAD")
            || matches!(f.facts.refs.get(f.tree.unparen(*m)),
                Some(Res::Package(item)) if item.is("net/http", "MethodHead"))
    })
}

/// `var c http.Client`, `&http.Client{}`, `new(http.Client)`.
fn is_zero_client(f: &Function<'_>, client: LocalId) -> bool {
    let local = &f.facts.locals[client];
    if local.assignments == 0 && local.kind == LocalKind::Var {
        return local.ty.is_named("net/http", "Client");
    }
    let Some((value, _)) = f.d.only_value(client) else {
        return false;
    };
    let mut value = f.tree.unparen(value);
    if let ExprKind::Unary {
        op: UnaryOp::Address,
        operand,
    } = &f.tree[value].kind
    {
        value = f.tree.unparen(*operand);
    }
    match &f.tree[value].kind {
        ExprKind::Composite { elements, .. } => elements.is_empty(),
        ExprKind::Call { .. } => {
            matches!(f.facts.callees.get(value), Some(Callee::Builtin(name)) if *name == "new")
        }
        _ => false,
    }
}

/// Whether a local is mentioned where it is declared, and otherwise only right inside of what `is` accepts.
fn is_only_mentioned(f: &Function<'_>, local: LocalId, is: impl Fn(ExprId) -> bool) -> bool {
    let declared = f.facts.locals[local].ident.range.start();
    f.d.mentions(local)
        .iter()
        .all(|(mention, at)| *at == declared || f.d.parent(*mention).is_some_and(&is))
}

/// Whether a request of a test goes to something of the test's own in place of a transport: what it answers lies in memory.
fn asks_stand_in(f: &Function<'_>, call: ExprId) -> bool {
    let is_transport = |e: ExprId| match f.facts.types.get(f.tree.unparen(e)) {
        Some(ty) => {
            let named = ty.as_named_or_pointer();
            named.is_none_or(|named| named.package == "net/http" && named.name == "Transport")
        }
        None => true,
    };
    let Some(receiver) = receiver(f, call) else {
        return false;
    };
    if f.target(call).is_some_and(|t| t.name == "RoundTrip") {
        return !is_transport(receiver);
    }
    let client = match f.facts.refs.get(receiver) {
        Some(Res::Local(local)) => match f.d.only_value(*local) {
            Some((value, 0)) => f.tree.unparen(value),
            _ => return false,
        },
        _ => receiver,
    };
    let client = match &f.tree[client].kind {
        ExprKind::Unary {
            op: UnaryOp::Address,
            operand,
        } => f.tree.unparen(*operand),
        _ => client,
    };
    let ExprKind::Composite { elements, .. } = &f.tree[client].kind else {
        return false;
    };
    elements.iter().any(|element| {
        let key = element.key.and_then(|key| f.tree.ident(key));
        key.is_some_and(|key| key.name == "Transport") && !is_transport(element.value)
    })
}

/// Whether a request goes to a test server made in this declaration whose handler visibly writes no body. The client then gets
/// `http.NoBody`, which holds nothing.
fn asks_bodyless_server(f: &Function<'_>, call: ExprId) -> bool {
    let Some(url) = first_arg(f, call) else {
        return false;
    };
    let mut url = f.tree.unparen(url);
    while let ExprKind::Binary {
        op: BinaryOp::Add,
        lhs,
        ..
    } = &f.tree[url].kind
    {
        url = f.tree.unparen(*lhs);
    }
    let ExprKind::Selector { base, name } = &f.tree[url].kind else {
        return false;
    };
    let Some(Res::Local(server)) = f.facts.refs.get(f.tree.unparen(*base)) else {
        return false;
    };
    if name.name != "URL" {
        return false;
    }
    let handler = || -> Option<ExprId> {
        let (made, _) = f.d.only_value(*server)?;
        let made = f.tree.unparen(made);
        if !f.target(made)?.is_func("net/http/httptest", "NewServer") {
            return None;
        }
        let mut handler = f.tree.unparen(first_arg(f, made)?);
        if matches!(f.facts.callees.get(handler), Some(Callee::Conversion)) {
            handler = f.tree.unparen(first_arg(f, handler)?);
        }
        matches!(f.tree[handler].kind, ExprKind::FuncLit(_)).then_some(handler)
    };
    let Some(handler) = handler() else {
        return false;
    };
    // The client must be the server's own or the default one, so that nothing follows a redirect elsewhere.
    let Some(Some(writer)) = f
        .facts
        .literals
        .get(handler)
        .and_then(|l| l.params.first().copied())
    else {
        return true;
    };
    f.d.mentions(writer).iter().all(|(mention, _)| {
        let Some(selector) = f.d.parent(*mention) else {
            return false;
        };
        if f.target(selector)
            .is_some_and(|t| t.is_func("net/http", "SetCookie"))
        {
            return true;
        }
        let Some(call) = f.d.parent(selector) else {
            return false;
        };
        let (ExprKind::Selector { name, .. }, ExprKind::Call { args, .. }) =
            (&f.tree[selector].kind, &f.tree[call].kind)
        else {
            return false;
        };
        match name.name.as_str() {
            "WriteHeader" => args.first().is_some_and(|status| !may_redirect(f, *status)),
            "Header" => {
                // `w.Header().Set("X-Name", …)`
                let setter = f.d.parent(call).and_then(|s| f.d.parent(s));
                let Some(ExprKind::Call { args, .. }) = setter.map(|s| &f.tree[s].kind) else {
                    return false;
                };
                args.first()
                    .and_then(|k| f.tree.string_value(*k))
                    .is_some_and(|key| {
                        let key = key.to_ascii_lowercase();
                        !matches!(
                            key.as_str(),
                            "location" | "content-length" | "transfer-encoding" | "connection"
                        )
                    })
            }
            _ => false,
        }
    })
}

fn may_redirect(f: &Function<'_>, status: ExprId) -> bool {
    if let Some(code) = f.tree.int_value(status) {
        return (300..400).contains(&code);
    }
    match &f.tree[f.tree.unparen(status)].kind {
        ExprKind::Selector { name, .. } => {
            let name = name.name.as_str();
            !name.starts_with("Status")
                || name.contains("Redirect")
                || name.contains("Moved")
                || matches!(
                    name,
                    "StatusFound" | "StatusSeeOther" | "StatusMultipleChoices"
                )
        }
        _ => true,
    }
}

// ---- findings ----

fn finding(
    f: &Function<'_>,
    cx: &CheckContext<'_>,
    ob: &Obligation,
    out: &Outcome,
    target: Target,
    judge: &dyn Fn(&Found<'_>) -> Option<Verdict>,
) -> Option<RawFinding> {
    if out.bounded && out.leaks.is_empty() {
        return None;
    }
    let leak = out.leaks.first()?;
    let kind = ob.kind;
    // Which of several functions scans it may depend on what this one cannot know.
    if kind.fix == FixKind::SqlRow && (out.released || out.moved) {
        return None;
    }
    let trigger = if kind.fix == FixKind::SqlRow {
        Trigger::NeverScanned
    } else if out.discarded {
        Trigger::Discarded
    } else if !out.released && !out.moved {
        match leak.point.kind {
            LeakKind::Overwrite => Trigger::Overwritten,
            _ => Trigger::NeverReleased,
        }
    } else if leak.point.kind == LeakKind::Overwrite {
        Trigger::Overwritten
    } else {
        Trigger::LostOnPath
    };
    let text = out.held.as_ref().map(|p| place_text(f.facts, p));
    let stmt = statement_of(f, ob);
    let found = Found {
        function: f,
        obligation: ob,
        outcome: out,
        stmt,
    };
    let verdict = judge(&found)?;
    // What is never released is best seen at the last exit; the first one is often that of an error.
    let told = match trigger {
        Trigger::NeverReleased => out.leaks.iter().max_by_key(|l| l.range.start()),
        _ => None,
    };
    let told = told.unwrap_or(leak);
    let what = text.as_deref().map(|t| format!("`{t}`"));
    let partial = is_half_built(cx, ob, out);
    let mut message = match (&what, trigger) {
        (what, trigger) if kind.owner.is_some() => {
            owner_message(kind, what.as_deref(), trigger, partial)
        }
        (Some(what), _) if partial => {
            format!("{what} is not {} when a later step fails", kind.released)
        }
        (Some(what), Trigger::NeverReleased | Trigger::NeverScanned) => {
            format!("{what} is never {}", kind.released)
        }
        (Some(what), Trigger::Overwritten) => {
            format!("{what} gets another value before it is {}", kind.released)
        }
        (Some(what), _) => format!("{what} is not {} on every path", kind.released),
        (None, Trigger::NeverScanned) => {
            format!("the row of `{target}` is never {}", kind.released)
        }
        (None, _) => format!(
            "the {} of `{target}` is thrown away and never {}",
            kind.noun, kind.released
        ),
    };
    if let Some(note) = verdict.note.or_else(|| super::told::note(kind)) {
        message.push_str(" (");
        message.push_str(&note);
        message.push(')');
    }
    let range = f.tree[ob.call].range;
    // What is in a collection is not let go by releasing a variable.
    let fixable = (out.leaks.iter().map(|l| &l.held).chain([&out.held]))
        .all(|held| held.as_ref().is_none_or(|p| !p.is_element()));
    Some(RawFinding {
        rule: if partial {
            partially_built_owner::RULE.name
        } else {
            kind.rule
        },
        severity: kind.severity.unwrap_or(verdict.severity),
        message,
        range,
        function: Some(f.name()),
        related: super::story::steps(&found, told, what.as_deref()),
        site: fixable.then(|| Box::new(site(f, cx, ob, out, trigger, stmt))),
    })
}

/// Whether the thing becomes part of something larger, and is lost only where that is not finished: where the function fails.
fn is_half_built(cx: &CheckContext<'_>, ob: &Obligation, out: &Outcome) -> bool {
    !cx.in_test
        && out.built
        && !out.collected
        && ob.kind.makes_owners
        && !out.discarded
        && out.leaks.iter().all(|leak| leak.fails)
}

/// The finding about a thing that is returned inside of something by which nobody can release it.
fn wrapped(
    f: &Function<'_>,
    cx: &CheckContext<'_>,
    ob: &Obligation,
    out: &Outcome,
) -> Option<RawFinding> {
    let first = out.wrapped.first()?;
    let held = out.held.as_ref().filter(|held| !held.is_element())?;
    let kind = ob.kind;
    if cx.in_test || out.bounded || kind.ends_with_process && super::runs_once(cx) {
        return None;
    }
    let what = format!("`{}`", place_text(f.facts, held));
    let call = f.tree[ob.call].range;
    let related = super::story::steps_to_wrapper(f, ob, first, &what);
    let stmt = statement_of(f, ob);
    let trigger = Trigger::Pattern(Pattern::DropsClose {
        exit: first.stmt,
        operand: first.operand,
    });
    Some(RawFinding {
        rule: wrapper_drops_close::RULE.name,
        severity: kind.severity.unwrap_or(wrapper_drops_close::RULE.severity),
        message: format!(
            "{what} is returned inside of something that does not close it, and nobody else can"
        ),
        range: call,
        function: Some(f.name()),
        related,
        site: (out.wrapped.len() == 1).then(|| Box::new(site(f, cx, ob, out, trigger, stmt))),
    })
}

/// What is wrong with an owner: it is named with what it holds, which is not to be seen where it is made.
fn owner_message(kind: &Kind, what: Option<&str>, trigger: Trigger, partial: bool) -> String {
    let Some(outer) = kind.owner else {
        return String::new();
    };
    // What an owner in an owner holds is said by the innermost.
    let mut owner = outer;
    while let Some(inner) = owner.held.owner {
        owner = inner;
    }
    let thing = format!("the {} {}", owner.held.noun, owner.held.acquired);
    let what = match what {
        Some(what) => format!("{what} holds {thing} in `{}`", owner.constructor),
        None => format!(
            "the result of `{}` is thrown away and holds {thing} in it",
            outer.constructor
        ),
    };
    let Some(release) = kind.release.first() else {
        return format!("{what}, and nothing can release it any more");
    };
    match trigger {
        _ if partial => format!("{what}; `{release}` is not called when a later step fails"),
        Trigger::Overwritten => {
            format!("{what}; it gets another value before `{release}` is called")
        }
        Trigger::NeverReleased | Trigger::Discarded => {
            format!("{what}; `{release}` is never called")
        }
        _ => format!("{what}; `{release}` is not called on every path"),
    }
}

/// A place as source text.
pub(crate) fn place_text(facts: &Facts, place: &Place) -> String {
    let mut text = facts.locals[place.local].ident.name.to_string();
    for field in &place.path {
        if *field == ELEMENT {
            text.push_str("[…]");
            continue;
        }
        text.push('.');
        text.push_str(field.as_str());
    }
    text
}

/// The simple statement that holds the acquiring call.
pub(crate) fn statement_of(f: &Function<'_>, ob: &Obligation) -> Option<StmtId> {
    match f.cfg[ob.block].nodes.get(ob.node) {
        Some(Node::Stmt(s) | Node::Defer(s)) => Some(*s),
        Some(_) => None,
        None => match f.cfg[ob.block].terminator {
            Terminator::Return(stmt) => stmt,
            _ => None,
        },
    }
}

// ---- fix sites ----

fn site(
    f: &Function<'_>,
    cx: &CheckContext<'_>,
    ob: &Obligation,
    out: &Outcome,
    trigger: Trigger,
    stmt: Option<StmtId>,
) -> FixSite {
    let a = ob.acquirer;
    let outline = &f.d.outline;
    let shape = shape(f, ob, stmt);
    let value = out.held.as_ref().map(|held| {
        let text = match a.kind.fix {
            // The value is the response, not its body.
            FixKind::HttpBody if held.path.last().is_some_and(|p| *p == "Body") => place_text(
                f.facts,
                &Place {
                    local: held.local,
                    path: held.path[..held.path.len() - 1].to_vec(),
                },
            ),
            // The value is the client, not its transport.
            FixKind::Transport if held.path.last().is_some_and(|p| *p == "Transport") => {
                place_text(
                    f.facts,
                    &Place {
                        local: held.local,
                        path: held.path[..held.path.len() - 1].to_vec(),
                    },
                )
            }
            _ => place_text(f.facts, held),
        };
        Value {
            local: held.local,
            fields: held.path.clone(),
            text,
            declared_here: stmt.is_some_and(|s| {
                f.tree[s]
                    .range
                    .contains_range(f.facts.locals[held.local].ident.range)
            }),
        }
    });
    let kind = match (a.kind.fix, &out.held) {
        (FixKind::HttpBody, Some(held)) if held.path.is_empty() => FixKind::Body,
        (kind, _) => kind,
    };
    let error = a.error.map(|index| {
        let local = stmt.and_then(|s| target_local(f, s, index));
        ErrorVar {
            local,
            check: stmt.and_then(|s| error_check(f, s, local?)),
        }
    });
    let outside = a.extra == Extra::Receiver;
    let insert =
        stmt.and_then(|s| insert_point(f, s, shape, a.kind, error.as_ref(), outside, &out.leaks));
    let releases: FxHashSet<StmtId> = out
        .releases
        .iter()
        .copied()
        .filter(|s| matches!(f.tree[*s].kind, StmtKind::Expr(_) | StmtKind::Assign { .. }))
        .collect();
    let mut releases: Vec<StmtId> = releases.into_iter().collect();
    releases.sort_by_key(|s| f.tree[*s].range.start());
    let defers: FxHashSet<StmtId> = out
        .defers
        .iter()
        .copied()
        .filter(|s| is_plain_release(f, *s, a.kind))
        .collect();
    let mut late_defers: Vec<StmtId> = defers.into_iter().collect();
    late_defers.sort_by_key(|s| f.tree[*s].range.start());
    let mut leaks: Vec<_> = Vec::new();
    for leak in &out.leaks {
        if !leaks.contains(&leak.point) {
            leaks.push(leak.point);
        }
    }
    leaks.sort_by_key(|l| {
        l.stmt
            .map_or(f.end_range().start(), |s| f.tree[s].range.start())
    });
    if out.discarded {
        leaks.clear();
    }
    let reassigned = out
        .held
        .as_ref()
        .is_some_and(|held| f.assigned_within(held.local, f.tree[ob.call].range.end(), f.tree.len));
    FixSite {
        kind,
        trigger,
        literal: f.literal,
        acquire: Acquire {
            call: ob.call,
            stmt,
            shape,
            result: a.result,
            error_result: a.error,
        },
        in_loop: stmt.and_then(|s| outline.loop_around(s)),
        reader_goroutine: out
            .held
            .as_ref()
            .and_then(|h| reader_goroutine(f, h, a.kind)),
        outlives: matches!(
            a.extra,
            Extra::Derives | Extra::DerivesCancel | Extra::Notify
        ) && stmt.is_some_and(|s| context_outlives(f, s)),
        written: written(f, a.extra, ob.call),
        value,
        error,
        insert,
        late_defers,
        releases,
        leaks,
        parts: Vec::new(),
        reassigned,
        moved_elsewhere: out.moved || out.collected,
        second_release_harmful: false,
        loop_defer: None,
        in_test: cx.in_test,
    }
}

fn shape(f: &Function<'_>, ob: &Obligation, stmt: Option<StmtId>) -> AcquireShape {
    let Some(stmt) = stmt else {
        return AcquireShape::Nested;
    };
    let outline = &f.d.outline;
    // A literal may stand in others: `&http.Client{Transport: &http.Transport{}}`.
    let mut whole = ob.call;
    while let Some(parent) = f.d.parent(whole)
        && matches!(
            f.tree[parent].kind,
            ExprKind::Paren(_) | ExprKind::Composite { .. } | ExprKind::Unary { .. }
        )
        && ob.acquirer.extra == Extra::Literal
    {
        whole = parent;
    }
    let direct = |e: ExprId| f.tree.unparen(e) == ob.call || e == whole;
    let shape = match &f.tree[stmt].kind {
        StmtKind::Expr(e) if direct(*e) => AcquireShape::Statement,
        StmtKind::Assign { op, rhs, .. } if rhs.len() == 1 && direct(rhs[0]) => match op {
            AssignOp::Define => AcquireShape::Define,
            _ => AcquireShape::Assign,
        },
        StmtKind::Var(specs)
            if specs
                .iter()
                .any(|s| s.values.len() == 1 && direct(s.values[0])) =>
        {
            AcquireShape::Var
        }
        _ => AcquireShape::Nested,
    };
    match outline.init_of(stmt) {
        Some(owner) if shape != AcquireShape::Nested => AcquireShape::Init(owner),
        _ => shape,
    }
}

/// The local that gets a result of the call in an assignment or `var`.
fn target_local(f: &Function<'_>, stmt: StmtId, index: usize) -> Option<LocalId> {
    match &f.tree[stmt].kind {
        StmtKind::Assign { lhs, .. } => match f.facts.refs.get(f.tree.unparen(*lhs.get(index)?)) {
            Some(Res::Local(local)) => Some(*local),
            _ => None,
        },
        StmtKind::Var(specs) => {
            let name = specs.first()?.names.get(index)?;
            f.declared_at(name.range)
        }
        _ => None,
    }
}

/// What a condition says about an error variable if it is nothing but a comparison with nil: whether true means nil.
pub(crate) fn nil_check(f: &Function<'_>, cond: ExprId, error: LocalId) -> Option<bool> {
    let ExprKind::Binary { op, lhs, rhs } = &f.tree[f.tree.unparen(cond)].kind else {
        return None;
    };
    let nil_if_true = match op {
        BinaryOp::Eq => true,
        BinaryOp::Ne => false,
        _ => return None,
    };
    let other = if f.is_nil(*rhs) {
        *lhs
    } else if f.is_nil(*lhs) {
        *rhs
    } else {
        return None;
    };
    (f.facts.refs.get(f.tree.unparen(other)) == Some(&Res::Local(error))).then_some(nil_if_true)
}

pub(crate) fn no_return(f: &Function<'_>, call: ExprId) -> bool {
    f.cfg.blocks.iter().any(
        |(_, b)| matches!(b.terminator, Terminator::NoReturn { call: c, .. } if c == f.tree.unparen(call)),
    )
}

/// The statement that deals with the error of an acquisition.
fn error_check(f: &Function<'_>, stmt: StmtId, error: LocalId) -> Option<StmtId> {
    let outline = &f.d.outline;
    if let Some(owner) = outline.init_of(stmt) {
        return match &f.tree[owner].kind {
            StmtKind::If { cond, .. } => nil_check(f, *cond, error).map(|_| owner),
            _ => None,
        };
    }
    let mut at = stmt;
    // A log line or an assertion may stand between.
    for _ in 0..3 {
        at = outline.next(at)?;
        match &f.tree[at].kind {
            StmtKind::If {
                init: None, cond, ..
            } => {
                if nil_check(f, *cond, error).is_some() {
                    return Some(at);
                }
                return None;
            }
            StmtKind::Expr(call) => {
                if let ExprKind::Call { args, .. } = &f.tree[f.tree.unparen(*call)].kind {
                    let given = args.iter().position(|a| {
                        f.facts.refs.get(f.tree.unparen(*a)) == Some(&Res::Local(error))
                    });
                    if let Some(index) = given
                        && f.asserts_error(f.tree.unparen(*call), index) == Some(false)
                    {
                        return Some(at);
                    }
                }
            }
            // A `defer` between is what `defer-before-error-check` is about.
            StmtKind::Defer(_) => return None,
            _ => return None,
        }
    }
    None
}

fn insert_point(
    f: &Function<'_>,
    stmt: StmtId,
    shape: AcquireShape,
    kind: &Kind,
    error: Option<&ErrorVar>,
    outside: bool,
    leaks: &[Leak],
) -> Option<InsertPoint> {
    let outline = &f.d.outline;
    let in_list = outline.list_of(stmt).is_some() && outline.init_of(stmt).is_none();
    let plain = matches!(
        shape,
        AcquireShape::Define | AcquireShape::Assign | AcquireShape::Var | AcquireShape::Statement
    );
    let Some(error) = error else {
        return (in_list && plain).then_some(InsertPoint::After(stmt));
    };
    let Some(local) = error.local else {
        return (in_list && plain && kind.nil_release_ok).then_some(InsertPoint::After(stmt));
    };
    let check = error.check?;
    let StmtKind::If {
        init: first,
        cond,
        then,
        els,
    } = &f.tree[check].kind
    else {
        // An assertion.
        return Some(InsertPoint::After(check));
    };
    let leaves = |stmts: &[StmtId]| outline.leaves(stmts, &|call| no_return(f, call));
    // What an initialiser declares is gone behind the statement.
    let init = matches!(shape, AcquireShape::Init(_)) && !outside;
    if nil_check(f, *cond, local)? {
        return Some(InsertPoint::BlockStart(then.range));
    }
    if !init && leaves(&then.stmts) && els.is_none() {
        return Some(InsertPoint::After(check));
    }
    match els.map(|e| &f.tree[e].kind) {
        Some(StmtKind::Block(block)) if init || !leaves(&then.stmts) => {
            Some(InsertPoint::BlockStart(block.range))
        }
        Some(other) if !init && leaves(&then.stmts) => {
            let range = f.tree[(*els)?].range;
            let lost = |leak: &Leak| range.contains_range(leak.range);
            match other {
                _ if !leaks.iter().any(lost) => Some(InsertPoint::After(check)),
                StmtKind::Block(block) => Some(InsertPoint::BlockStart(block.range)),
                _ => first.is_none().then_some(InsertPoint::ElseIf(check)),
            }
        }
        _ => None,
    }
}

/// A `defer` of nothing but the release.
pub(crate) fn is_plain_release(f: &Function<'_>, defer: StmtId, kind: &Kind) -> bool {
    let StmtKind::Defer(call) = f.tree[defer].kind else {
        return false;
    };
    let call = f.tree.unparen(call);
    let is_release = |call: ExprId| {
        let ExprKind::Call { func, args, .. } = &f.tree[f.tree.unparen(call)].kind else {
            return false;
        };
        if !kind.takers.is_empty()
            && let Some(target) = f.target(f.tree.unparen(call))
            && (0..args.len()).any(|i| kind.is_taken_by(target.package, target.ty, target.name, i))
        {
            return true;
        }
        match &f.tree[f.tree.unparen(*func)].kind {
            ExprKind::Selector { name, .. } => {
                kind.release.contains(&name.name.as_str()) || kind.call
            }
            ExprKind::Ident(_) => kind.call,
            _ => false,
        }
    };
    if let Some(literal) = f.called_literal(call) {
        let Some(body) = f.d.body(Some(literal)) else {
            return false;
        };
        return matches!(&body.stmts[..], [only] if match &f.tree[*only].kind {
            StmtKind::Expr(e) => is_release(*e),
            StmtKind::Assign { lhs, rhs, .. } => {
                rhs.len() == 1
                    && is_release(rhs[0])
                    && lhs.iter().all(|l| f.tree.ident(*l).is_some_and(|i| i.name.is_blank()))
            }
            _ => false,
        });
    }
    is_release(call)
}

/// The goroutine that alone reads a ticker's channel.
fn reader_goroutine(f: &Function<'_>, held: &Place, kind: &Kind) -> Option<ExprId> {
    let channel = kind.channel?;
    let mut reader = None;
    for (expr, _) in f.d.mentions(held.local) {
        let Some(parent) = f.d.parent(*expr) else {
            continue;
        };
        let ExprKind::Selector { name, .. } = &f.tree[parent].kind else {
            continue;
        };
        if name.name != channel {
            continue;
        }
        let literal = enclosing_literal(f.tree, f.tree[*expr].range)?;
        if Some(literal) == f.literal || reader.is_some_and(|r| r != literal) {
            return None;
        }
        reader = Some(literal);
    }
    let reader = reader?;
    let started = f.tree.stmts.iter().any(|(_, s)| {
        matches!(s.kind, StmtKind::Go(call)
            if matches!(&f.tree[f.tree.unparen(call)].kind, ExprKind::Call { func, .. }
                if f.tree.unparen(*func) == reader))
    });
    started.then_some(reader)
}

/// Whether the context of a cancel function, or something made from it, outlives the function.
fn context_outlives(f: &Function<'_>, stmt: StmtId) -> bool {
    let Some(context) = target_local(f, stmt, 0) else {
        return false;
    };
    let tree = f.tree;
    let mut tainted: FxHashSet<LocalId> = FxHashSet::default();
    tainted.insert(context);
    let start = tree[stmt].range.end();
    let mentions = |root: NodeId, tainted: &FxHashSet<LocalId>| {
        tree.walk(root, Literals::Enter).any(|n| {
            n.expr().is_some_and(
                |e| matches!(f.facts.refs.get(e), Some(Res::Local(l)) if tainted.contains(l)),
            )
        })
    };
    let carries = |local: LocalId| {
        let ty = &f.facts.locals[local].ty;
        !ty.is_error() && !matches!(ty.kind(), go_model::types::TyKind::Basic(_))
    };
    loop {
        let before = tainted.len();
        for (_, s) in tree.stmts.iter() {
            if s.range.start() < start {
                continue;
            }
            match &s.kind {
                StmtKind::Assign { lhs, rhs, .. } => {
                    if !rhs.iter().any(|r| mentions((*r).into(), &tainted)) {
                        continue;
                    }
                    for target in lhs {
                        match f.place(*target) {
                            Some(place) => {
                                let local = &f.facts.locals[place.local];
                                if !place.path.is_empty()
                                    && matches!(local.kind, LocalKind::Param | LocalKind::Receiver)
                                {
                                    return true;
                                }
                                if local.owner != f.literal && place.local != context {
                                    return true;
                                }
                                if carries(place.local) {
                                    if local.kind == LocalKind::Result {
                                        return true;
                                    }
                                    tainted.insert(place.local);
                                }
                            }
                            None => {
                                if tree.ident(*target).is_none_or(|i| !i.name.is_blank()) {
                                    return true;
                                }
                            }
                        }
                    }
                }
                StmtKind::Var(specs) => {
                    for spec in specs {
                        if spec.values.iter().any(|v| mentions((*v).into(), &tainted)) {
                            for name in &spec.names {
                                if let Some(local) = f.declared_at(name.range)
                                    && carries(local)
                                {
                                    tainted.insert(local);
                                }
                            }
                        }
                    }
                }
                StmtKind::Go(call) if mentions((*call).into(), &tainted) => return true,
                StmtKind::Send { value, .. } if mentions((*value).into(), &tainted) => {
                    return true;
                }
                StmtKind::Return(values) => {
                    if enclosing_literal(tree, s.range) != f.literal {
                        continue;
                    }
                    for value in values {
                        let basic = f.facts.types.get(tree.unparen(*value)).is_some_and(|t| {
                            t.is_error() || matches!(t.kind(), go_model::types::TyKind::Basic(_))
                        });
                        if !basic && mentions((*value).into(), &tainted) {
                            return true;
                        }
                    }
                }
                _ => {}
            }
        }
        if tainted.len() == before {
            return false;
        }
    }
}

fn written(f: &Function<'_>, extra: Extra, call: ExprId) -> Option<bool> {
    match extra {
        Extra::Reads => Some(false),
        Extra::Writes => Some(true),
        Extra::OpenFlags => {
            let ExprKind::Call { args, .. } = &f.tree[call].kind else {
                return None;
            };
            let mut written = None;
            for id in f.tree.walk(*args.get(1)?, Literals::Skip) {
                let name = match id.expr().map(|e| &f.tree[e].kind) {
                    Some(ExprKind::Selector { name, .. }) => name.name,
                    Some(ExprKind::Ident(name)) => *name,
                    _ => continue,
                };
                match name.as_str() {
                    "O_WRONLY" | "O_RDWR" | "O_APPEND" | "O_CREATE" | "O_TRUNC" => {
                        return Some(true);
                    }
                    "O_RDONLY" => written = Some(false),
                    _ => {}
                }
            }
            written
        }
        _ => None,
    }
}

/// Whether somebody waits on the context of a cancel function where that is lost: on the way there a goroutine that uses it is started,
/// or its channel is asked for.
pub(crate) fn somebody_waits(found: &Found<'_>) -> bool {
    let f = found.function;
    let Some(context) = found.stmt.and_then(|s| target_local(f, s, 0)) else {
        return false;
    };
    let waits: Vec<TextSize> = (f.d.mentions(context).iter())
        .flat_map(|(mention, at)| waiting(f, *mention, *at))
        .collect();
    !waits.is_empty()
        && found.outcome.leaks.iter().any(|leak| {
            let blocks = trail(found, leak);
            waits.iter().any(|at| is_on(found, leak, &blocks, *at))
        })
}

/// Where a mention of a context becomes somebody's waiting on it.
fn waiting(f: &Function<'_>, mention: ExprId, at: TextSize) -> Vec<TextSize> {
    if let Some(literal) = outermost_literal(f, at) {
        // A literal in a variable does nothing before it is used.
        return match f.literal_local(literal) {
            Some(local) => {
                let declared = f.facts.locals[local].ident.range.start();
                let uses = f.d.mentions(local).iter().map(|(_, at)| *at);
                uses.filter(|at| *at != declared).collect()
            }
            None => vec![at],
        };
    }
    let asked = f.d.parent(mention).is_some_and(
        |p| matches!(&f.tree[p].kind, ExprKind::Selector { name, .. } if name.name == "Done"),
    );
    let started = f
        .tree
        .stmts
        .iter()
        .any(|(_, s)| matches!(s.kind, StmtKind::Go(call) if f.tree[call].range.contains(at)));
    if asked || started {
        vec![at]
    } else {
        Vec::new()
    }
}

/// The outermost function literal inside of the function around a place.
fn outermost_literal(f: &Function<'_>, at: TextSize) -> Option<ExprId> {
    let within = f.literal.map_or(f.tree.len, |own| f.tree[own].range.len());
    let literals = f.tree.exprs.iter().filter(|(_, e)| {
        matches!(&e.kind, ExprKind::FuncLit(lit) if lit.body.range.contains(at))
            && e.range.len() < within
    });
    literals
        .max_by_key(|(_, e)| e.range.len())
        .map(|(literal, _)| literal)
}

/// The blocks on the way to a leak.
fn trail(found: &Found<'_>, leak: &Leak) -> Vec<BlockId> {
    let cfg = found.function.cfg;
    let mut blocks = vec![found.obligation.block];
    let follow = |blocks: &mut Vec<BlockId>| {
        while let Some(last) = blocks.last()
            && let Terminator::Jump(to) = cfg[*last].terminator
            && blocks.len() < 2 * cfg.blocks.len()
        {
            blocks.push(to);
        }
    };
    for step in &leak.path {
        if let Step::Branch { to, .. } = step {
            follow(&mut blocks);
            blocks.push(*to);
        }
    }
    follow(&mut blocks);
    blocks
}

/// Whether a place lies on the way to a leak through these blocks.
fn is_on(found: &Found<'_>, leak: &Leak, blocks: &[BlockId], at: TextSize) -> bool {
    let f = found.function;
    let range = |node: &Node| match node {
        Node::Stmt(s) | Node::Defer(s) => Some(f.tree[*s].range),
        Node::Eval(e) => Some(f.tree[*e].range),
        Node::RangeBind(_) | Node::TypeBind(..) => None,
    };
    let place = blocks.iter().position(|block| {
        let nodes = &f.cfg[*block].nodes;
        nodes.iter().filter_map(range).any(|r| r.contains(at))
    });
    match place {
        Some(0) => at > f.tree[found.obligation.call].range.start(),
        Some(i) if i + 1 == blocks.len() => at < leak.range.end(),
        Some(_) => true,
        None => leak.range.contains(at),
    }
}

/// Whether the declaration closes the connection of a gRPC client somewhere: its streams end with it.
fn closes_connection(f: &Function<'_>, call: ExprId) -> bool {
    let Some(client) = receiver(f, call).and_then(|client| super::pattern::local(f, client)) else {
        return false;
    };
    let mut conns = vec![client];
    if let Some((made, _)) = f.d.only_value(client) {
        let args = super::pattern::args(f.tree, made).iter();
        conns.extend(args.filter_map(|arg| super::pattern::local(f, *arg)));
    }
    let closes = |mention: ExprId| {
        f.d.parent(mention).is_some_and(|selector| {
            matches!(&f.tree[selector].kind, ExprKind::Selector { name, .. } if name.name == "Close")
        })
    };
    (conns.iter()).any(|conn| {
        f.d.mentions(*conn)
            .iter()
            .any(|(mention, _)| closes(*mention))
    })
}

/// Whether an expression is a context that never ends, maybe with values.
fn is_endless(f: &Function<'_>, context: ExprId) -> bool {
    let mut at = f.tree.unparen(context);
    for _ in 0..8 {
        if is_background(f, at) {
            return true;
        }
        if let Some(Res::Local(local)) = f.facts.refs.get(at) {
            match f.d.only_value(*local) {
                Some((value, _)) => at = f.tree.unparen(value),
                None => return false,
            }
        }
        let adds = f.target(at).is_some_and(|target| {
            target.is_func("context", "WithValue")
                || target.is_func("google.golang.org/grpc/metadata", "NewOutgoingContext")
                || target.is_func("google.golang.org/grpc/metadata", "AppendToOutgoingContext")
        });
        match first_arg(f, at) {
            Some(parent) if adds => at = f.tree.unparen(parent),
            _ => return is_background(f, at),
        }
    }
    false
}

/// What a context is made by, behind variables and added values.
fn context_source(f: &Function<'_>, context: ExprId) -> Option<ExprId> {
    let mut context = f.tree.unparen(context);
    // Values are few.
    for _ in 0..16 {
        let below = match f.facts.refs.get(context) {
            Some(Res::Local(local)) => f.d.only_value(*local).filter(|(_, i)| *i == 0)?.0,
            _ if (f.target(context)).is_some_and(|t| t.is_func("context", "WithValue")) => {
                first_arg(f, context)?
            }
            _ => return Some(context),
        };
        context = f.tree.unparen(below);
    }
    None
}

/// Whether an expression is the context of a request that this function serves, also with values: it is cancelled when that ends.
pub(crate) fn is_of_request(f: &Function<'_>, context: ExprId) -> bool {
    let Some(source) = context_source(f, context) else {
        return false;
    };
    let Some(target) = f.target(source) else {
        return false;
    };
    let is_param = |l: LocalId| f.facts.locals[l].kind == LocalKind::Param;
    let serves = || {
        f.facts
            .locals
            .iter()
            .any(|(id, l)| is_param(id) && l.ty.is_named("net/http", "ResponseWriter"))
    };
    // Not of one that it makes.
    let given = || {
        receiver(f, source)
            .and_then(|request| f.place(request))
            .is_some_and(|place| place.path.is_empty() && is_param(place.local))
    };
    target.is_method("google.golang.org/grpc", "ServerStream", "Context")
        || target.is_method("net/http", "Request", "Context") && given() && serves()
}

/// Whether an expression is a context that is never cancelled: a background one, also with values.
pub(crate) fn is_background(f: &Function<'_>, context: ExprId) -> bool {
    context_source(f, context)
        .and_then(|source| f.target(source))
        .is_some_and(|target| {
            target.package == "context"
                && target.ty.is_none()
                && matches!(
                    target.name.as_str(),
                    "Background" | "TODO" | "WithoutCancel"
                )
        })
}
