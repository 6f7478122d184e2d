//! # What it does
//! Reports a deferred cleanup (close, stop, unlock, cancel, release, rollback, end) inside a loop that can run again before the function
//! returns.
//!
//! # Why it leaks
//! A deferred call runs when the **function** returns, not when the iteration ends. Each iteration adds one more open file, held lock
//! or live context; a loop over many items holds all of them at once, and an endless loop never lets go of any.
//!
//! # Example
//! ```go
//! for _, name := range names {
//! 	f, err := os.Open(name)
//! 	if err != nil {
//! 		return err
//! 	}
//! 	defer f.Close() // all files stay open until the function returns
//! 	read(f)
//! }
//! ```
//!
//! # Use instead
//! ```go
//! for _, name := range names {
//! 	if err := readFile(name); err != nil { // opens, defers the close, reads
//! 		return err
//! 	}
//! }
//! ```
//!
//! # When it stays silent
//! - The loop always leaves (returns or breaks) behind the `defer`.
//! - The `defer` stands in a function literal that runs once per iteration.
//! - The loop runs a small constant number of times.
//! - The thing is kept in a collection, stored, or handed on: it is meant to outlive the iteration.
//! - The deferred call is no cleanup of something acquired in the iteration.
//!
//! # Fix safety
//! Wrapping the loop's body in a function keeps what the loop does: `continue` becomes `return`, and the function's results say where to go
//! on behind its call (`break`, `return` with its values, jumps to outer labels). Where all returns of the body give an error that is surely
//! not nil, the function returns just that error.
//!
//! It is unsafe with another `defer` or a `recover` in the body, and where a goroutine, a closure or a variable of the outer function gets the
//! thing or something made from it. It is not offered with a `goto` out of the body, where the deferred call uses a result of the function,
//! where the thing is kept in a variable of the outer function, and where the name of a result's type is hidden.
//!
//! # References
//! - [Defer statements](https://go.dev/ref/spec#Defer_statements)

use crate::Severity;
use crate::check::{CheckContext, RawFinding, RawRelated};
use crate::engine::dispatch::{Need, Syntax};
use crate::engine::function::{Depth, Function};
use crate::engine::outline::render;
use crate::engine::site::{Acquire, AcquireShape, FixKind, FixSite, LoopDefer, Trigger};
use crate::rules::{Declared, Family};
use go_model::db::decl_tree;
use go_model::facts::{Callee, ItemRef, LocalId, LocalKind, Res};
use go_model::package::{package_item, package_of_decl};
use go_model::summary::{Fate, How, When};
use go_model::types::{Ty, TyKind};
use go_syntax::ast::{
    AssignOp, BinaryOp, DeclKind, DeclTree, ExprId, ExprKind, StmtId, StmtKind, UnaryOp,
};
use go_syntax::{Literals, NodeId, TextRange};

pub(crate) static RULE: Declared = Declared {
    name: "defer-in-loop",
    family: Family::Resources,
    severity: Severity::Warning,
    summary: "a deferred cleanup in a loop runs only when the function returns",
    fixes: "wrap the loop's body in a function",
    overlaps: &[
        "golangci-lint/revive (defer)",
        "staticcheck/SA9001",
        "golangci-lint/gocritic (deferInLoop)",
    ],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/defer_in_loop.rs",
    text: include_str!("defer_in_loop.rs"),
    needs: &[Need::syntax(Syntax::DEFER_IN_LOOP)],
    check,
};

pub(super) fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    // What the functions that are called do is only looked at where there may be something.
    if look(cx, Depth::Shallow).is_empty() {
        return Vec::new();
    }
    look(cx, Depth::Full)
}

fn look(cx: &CheckContext<'_>, depth: Depth) -> Vec<RawFinding> {
    let d = cx.declaration(depth);
    let mut literals: Vec<Option<ExprId>> = vec![None];
    literals.extend(
        cx.tree
            .exprs
            .iter()
            .filter(|(_, e)| matches!(e.kind, ExprKind::FuncLit(_)))
            .map(|(id, _)| Some(id)),
    );
    let mut findings = Vec::new();
    for literal in literals {
        let Some(cfg) = d.cfg(literal) else { continue };
        if cfg.truncated || cfg.defers.is_empty() || cfg.loops.is_empty() {
            continue;
        }
        let f = Function::new(d, literal, &cfg);
        for &defer in &cfg.defers {
            findings.extend(finding(cx, &f, defer));
        }
    }
    findings.sort_by_key(|f| f.range.start());
    findings
}

fn finding(cx: &CheckContext<'_>, f: &Function<'_>, defer: StmtId) -> Option<RawFinding> {
    let StmtKind::Defer(call) = f.tree[defer].kind else {
        return None;
    };
    let (block, _) = f.cfg.position_of(defer)?;
    let looping = f.cfg.repeating_loop(block)?.stmt;
    // A loop made with `goto` has no body of its own: from its label to the end of the function.
    let body = match f.loop_body(looping) {
        Some(body) => body,
        None => TextRange::new(f.tree[looping].range.start(), f.body()?.range.end()),
    };
    if runs_seldom(f, looping) {
        return None;
    }
    let cleanup = cleanup(f, call, defer, body)?;
    if let Some(local) = cleanup.local
        && (handed_off(f, local, defer, body) || released_in(f, local, defer, body))
    {
        return None;
    }
    let deferred = match &f.tree[f.tree.unparen(call)].kind {
        ExprKind::Call { func, .. }
            if matches!(f.tree[f.tree.unparen(*func)].kind, ExprKind::FuncLit(_)) =>
        {
            render(f.tree, cleanup.call, 60)
        }
        _ => render(f.tree, call, 60),
    };
    let here = |message: String, range: TextRange| RawRelated {
        message,
        file: None,
        range,
    };
    let mut related = Vec::new();
    if let Some(range) = cleanup.acquired {
        related.push(here(
            "each iteration makes another one here".to_owned(),
            range,
        ));
    }
    related.push(here(
        "the loop goes on behind the `defer`".to_owned(),
        f.head_range(looping),
    ));
    related.push(here(
        format!("`{deferred}` runs only when the function ends"),
        f.end_range(),
    ));
    let site = FixSite {
        kind: FixKind::Defer,
        trigger: Trigger::DeferInLoop,
        literal: f.literal,
        acquire: Acquire {
            call: f.tree.unparen(call),
            stmt: Some(defer),
            shape: AcquireShape::Nested,
            result: 0,
            error_result: None,
        },
        value: None,
        error: None,
        insert: None,
        late_defers: Vec::new(),
        releases: Vec::new(),
        leaks: Vec::new(),
        parts: Vec::new(),
        in_loop: Some(looping),
        reassigned: false,
        moved_elsewhere: false,
        second_release_harmful: false,
        written: None,
        outlives: false,
        reader_goroutine: None,
        loop_defer: Some(loop_defer(f, defer, looping, body)),
        in_test: cx.in_test,
    };
    Some(RawFinding {
        rule: RULE.name,
        severity: RULE.severity,
        message: format!("`{deferred}` is deferred in a loop and runs only when the function ends"),
        range: f.tree[defer].range,
        function: Some(f.name()),
        related,
        // Only the body of a real loop can be wrapped.
        site: f.loop_body(looping).is_some().then(|| Box::new(site)),
    })
}

/// What wrapping the loop's body has to know.
pub(super) fn loop_defer(
    f: &Function<'_>,
    defer: StmtId,
    looping: StmtId,
    body: TextRange,
) -> LoopDefer {
    let in_loop = |stmt: StmtId| body.contains_range(f.tree[stmt].range);
    let has_recover = f.facts.callees.iter().any(|(id, callee)| {
        matches!(callee, Callee::Builtin(name) if *name == "recover")
            && body.contains_range(f.tree[id].range)
    });
    LoopDefer {
        defer,
        loop_stmt: looping,
        other_defers: f
            .cfg
            .defers
            .iter()
            .copied()
            .filter(|d| *d != defer && in_loop(*d))
            .collect(),
        has_recover,
    }
}

/// A deferred clean-up of something that the iteration made.
struct Cleanup {
    /// The releasing call.
    call: ExprId,
    /// The variable that holds the thing; `None` for a lock.
    local: Option<LocalId>,
    /// Where the iteration acquires it.
    acquired: Option<TextRange>,
}

/// Methods that let go of their receiver.
const CLEANUPS: &[&str] = &[
    "Close", "Stop", "Release", "Rollback", "End", "Cancel", "Shutdown", "Free", "Destroy",
];

fn cleanup(f: &Function<'_>, call: ExprId, defer: StmtId, body: TextRange) -> Option<Cleanup> {
    let call = f.tree.unparen(call);
    let ExprKind::Call { args, .. } = &f.tree[call].kind else {
        return None;
    };
    if let Some(literal) = f.called_literal(call) {
        // What the literal does last may be anything; what counts is what it releases.
        let inner = f.d.body(Some(literal))?;
        return f
            .tree
            .walk_block(inner, Literals::Skip)
            .filter_map(NodeId::expr)
            .filter(|e| matches!(f.tree[*e].kind, ExprKind::Call { .. }))
            .find_map(|e| direct_cleanup(f, e, defer, body));
    }
    if let Some(found) = direct_cleanup(f, call, defer, body) {
        return Some(found);
    }
    // `defer closeQuietly(f)`, where the helper always releases what it is given.
    if matches!(
        f.facts.callees.get(call),
        Some(Callee::Func(_) | Callee::Method(_))
    ) {
        let summary = f.summary(call)?;
        for (i, arg) in args.iter().enumerate() {
            let Some(place) = f.place(*arg) else { continue };
            let releases =
                |how: &How| matches!(how, How::Method(m) if CLEANUPS.contains(&m.as_str()));
            if (f.d.depth == Depth::Shallow
                || summary.param(i).released(&[], releases) == Some(When::Always))
                && let Some(acquired) = acquired_in(f, place.local, defer, body)
            {
                return Some(Cleanup {
                    call,
                    local: Some(place.local),
                    acquired: Some(acquired),
                });
            }
        }
    }
    None
}

/// A call that itself releases something that the iteration made.
fn direct_cleanup(
    f: &Function<'_>,
    call: ExprId,
    defer: StmtId,
    body: TextRange,
) -> Option<Cleanup> {
    let ExprKind::Call { func, .. } = &f.tree[call].kind else {
        return None;
    };
    // It holds nothing: what is left of it is read by the next part too.
    if (f.target(call)).is_some_and(|t| t.is_method("mime/multipart", "Part", "Close")) {
        return None;
    }
    let func = f.tree.unparen(*func);
    match &f.tree[func].kind {
        ExprKind::Ident(_) => {
            let place = f.place(func)?;
            let ty = &f.facts.locals[place.local].ty;
            if !ty.is_named("context", "CancelFunc") && !ty.is_named("context", "CancelCauseFunc") {
                return None;
            }
            let acquired = acquired_in(f, place.local, defer, body)?;
            Some(Cleanup {
                call,
                local: Some(place.local),
                acquired: Some(acquired),
            })
        }
        ExprKind::Selector { base, name } => {
            let Some(Callee::Method(method)) = f.facts.callees.get(call) else {
                return None;
            };
            if matches!(name.name.as_str(), "Unlock" | "RUnlock") {
                let is_lock = method.package == "sync"
                    && matches!(method.ty.as_str(), "Mutex" | "RWMutex" | "Locker");
                // Locks along a chain of objects are held on purpose.
                if f.place(*base).is_some_and(|p| is_walked(f, p.local)) {
                    return None;
                }
                let taken =
                    is_lock.then(|| taken_in(f, *base, name.name.as_str(), defer, body))??;
                return Some(Cleanup {
                    call,
                    local: None,
                    acquired: Some(taken),
                });
            }
            if !CLEANUPS.contains(&name.name.as_str()) {
                return None;
            }
            let place = f.place(*base)?;
            // A field of something else than a response is somebody else's.
            let own = place.path.is_empty() || place.path.len() == 1 && is_body(f, *base);
            if !own {
                return None;
            }
            let acquired = acquired_in(f, place.local, defer, body)?;
            Some(Cleanup {
                call,
                local: Some(place.local),
                acquired: Some(acquired),
            })
        }
        _ => None,
    }
}

/// Whether a loop's post statement moves a variable on to one of its own fields: `p = p.next`.
fn is_walked(f: &Function<'_>, local: LocalId) -> bool {
    f.tree.stmts.iter().any(|(_, stmt)| {
        let StmtKind::For {
            post: Some(post), ..
        } = &stmt.kind
        else {
            return false;
        };
        let StmtKind::Assign { lhs, rhs, .. } = &f.tree[*post].kind else {
            return false;
        };
        lhs.iter().zip(rhs).any(|(l, r)| {
            f.place(*l)
                .is_some_and(|p| p.local == local && p.path.is_empty())
                && f.place(*r).is_some_and(|p| p.local == local)
        })
    })
}

fn is_body(f: &Function<'_>, expr: ExprId) -> bool {
    matches!(f.facts.refs.get(f.tree.unparen(expr)),
        Some(Res::Field { owner: Some(owner), name }) if owner.is("net/http", "Response") && *name == "Body")
}

/// The call in the loop's body, before the `defer`, whose result the variable gets.
fn acquired_in(
    f: &Function<'_>,
    local: LocalId,
    defer: StmtId,
    body: TextRange,
) -> Option<TextRange> {
    let before = f.tree[defer].range.start();
    let mut found = None;
    for (_, stmt) in f.tree.stmts.iter() {
        if !body.contains_range(stmt.range) || stmt.range.start() >= before {
            continue;
        }
        let (targets, values): (Vec<LocalId>, &[ExprId]) = match &stmt.kind {
            StmtKind::Assign { lhs, rhs, .. } => (
                lhs.iter()
                    .filter_map(|l| match f.facts.refs.get(f.tree.unparen(*l)) {
                        Some(Res::Local(local)) => Some(*local),
                        _ => None,
                    })
                    .collect(),
                rhs,
            ),
            StmtKind::Var(specs) => {
                let Some(spec) = specs.first() else { continue };
                (
                    spec.names
                        .iter()
                        .filter_map(|n| f.declared_at(n.range))
                        .collect(),
                    &spec.values,
                )
            }
            _ => continue,
        };
        let Some(index) = targets.iter().position(|t| *t == local) else {
            continue;
        };
        let value = if values.len() == 1 {
            values[0]
        } else {
            *values.get(index)?
        };
        let value = f.tree.unparen(value);
        // Taken from a collection or another variable: nothing was acquired.
        let made = matches!(f.tree[value].kind, ExprKind::Call { .. })
            && matches!(
                f.facts.callees.get(value),
                Some(Callee::Func(_) | Callee::Method(_)) | None
            );
        if !made {
            return None;
        }
        found = Some(f.tree[value].range);
    }
    found
}

/// The `Lock` of the same lock in the loop's body before the `defer`.
fn taken_in(
    f: &Function<'_>,
    lock: ExprId,
    unlock: &str,
    defer: StmtId,
    body: TextRange,
) -> Option<TextRange> {
    let wanted = if unlock == "RUnlock" { "RLock" } else { "Lock" };
    let text = render(f.tree, lock, 200);
    let before = f.tree[defer].range.start();
    f.tree.exprs.iter().find_map(|(_, expr)| {
        let ExprKind::Call { func, .. } = &expr.kind else {
            return None;
        };
        let ExprKind::Selector { base, name } = &f.tree[f.tree.unparen(*func)].kind else {
            return None;
        };
        (name.name == wanted
            && body.contains_range(expr.range)
            && expr.range.start() < before
            && render(f.tree, *base, 200) == text)
            .then_some(expr.range)
    })
}

/// Whether the thing is kept somewhere, so that it is meant to outlive the iteration.
fn handed_off(f: &Function<'_>, local: LocalId, defer: StmtId, body: TextRange) -> bool {
    let mut names = vec![local];
    names.extend(context_of(f, local, body));
    let mut index = 0;
    while let Some(&local) = names.get(index) {
        index += 1;
        for (expr, _) in f.d.mentions(local) {
            let range = f.tree[*expr].range;
            if f.tree[defer].range.contains_range(range) || !body.contains_range(range) {
                continue;
            }
            match use_of(f, *expr) {
                Use::Kept => return true,
                // A variable from outside of the loop outlives the iteration.
                Use::Named(other) if !body.contains_range(f.facts.locals[other].ident.range) => {
                    return true;
                }
                Use::Named(other) => {
                    if !names.contains(&other) && names.len() < 16 {
                        names.push(other);
                    }
                }
                Use::Borrowed => {}
            }
        }
    }
    false
}

/// Whether the iteration itself releases the thing: then the `defer` is for the way out only.
fn released_in(f: &Function<'_>, local: LocalId, defer: StmtId, body: TextRange) -> bool {
    f.d.mentions(local).iter().any(|(mention, _)| {
        let range = f.tree[*mention].range;
        if !body.contains_range(range) || f.tree[defer].range.contains_range(range) {
            return false;
        }
        // `f.Close()`, `resp.Body.Close()`, `cancel()`
        let mut at = *mention;
        let mut name = None;
        while let Some(parent) = f.d.parent(at) {
            match &f.tree[parent].kind {
                ExprKind::Selector { name: n, .. } => name = Some(n.name),
                ExprKind::Paren(_) => {}
                ExprKind::Call { func, .. } if f.tree.unparen(*func) == at => {
                    return match name {
                        Some(name) => CLEANUPS.contains(&name.as_str()),
                        None => true,
                    };
                }
                _ => return false,
            }
            at = parent;
        }
        false
    })
}

/// The context that a cancel function belongs to.
fn context_of(f: &Function<'_>, cancel: LocalId, body: TextRange) -> Option<LocalId> {
    if !f.facts.locals[cancel].ty.is_named("context", "CancelFunc") {
        return None;
    }
    f.tree.stmts.iter().find_map(|(_, stmt)| {
        let StmtKind::Assign { lhs, .. } = &stmt.kind else {
            return None;
        };
        let [context, second] = &lhs[..] else {
            return None;
        };
        if !body.contains_range(stmt.range)
            || f.facts.refs.get(f.tree.unparen(*second)) != Some(&Res::Local(cancel))
        {
            return None;
        }
        match f.facts.refs.get(f.tree.unparen(*context)) {
            Some(Res::Local(local)) => Some(*local),
            _ => None,
        }
    })
}

/// Whether a call is the operand of a `go` statement.
fn is_started(f: &Function<'_>, call: ExprId) -> bool {
    f.tree
        .stmts
        .iter()
        .any(|(_, s)| matches!(s.kind, StmtKind::Go(c) if f.tree.unparen(c) == call))
}

enum Use {
    Borrowed,
    Kept,
    /// Another variable holds it, or something made from it.
    Named(LocalId),
}

fn use_of(f: &Function<'_>, mention: ExprId) -> Use {
    let mut at = mention;
    while let Some(parent) = f.d.parent(at) {
        match &f.tree[parent].kind {
            ExprKind::Paren(_) | ExprKind::Star(_) | ExprKind::TypeAssert { .. } => {}
            ExprKind::Unary {
                op: UnaryOp::Address,
                ..
            } => {}
            ExprKind::Selector { .. } => {
                // A method, or a field other than the body of a response and the channel of a timer.
                let called = f.d.parent(parent).is_some_and(|p| {
                    matches!(&f.tree[p].kind, ExprKind::Call { func, .. } if f.tree.unparen(*func) == parent)
                });
                let carries = is_body(f, parent)
                    || matches!(
                        f.facts.types.get(parent).map(Ty::kind),
                        Some(TyKind::Chan(..))
                    )
                    || matches!(f.facts.refs.get(parent), Some(Res::Method(_)));
                if called || !carries {
                    return Use::Borrowed;
                }
            }
            ExprKind::Call { func, args, .. } => {
                if f.tree.unparen(*func) == at {
                    return Use::Borrowed;
                }
                if is_started(f, parent) {
                    return Use::Kept;
                }
                match f.facts.callees.get(parent) {
                    Some(Callee::Builtin(name)) if *name == "append" => return Use::Kept,
                    Some(Callee::Builtin(_)) => return Use::Borrowed,
                    Some(Callee::Conversion) => {}
                    _ => {
                        let index = args.iter().position(|a| *a == at).unwrap_or(0);
                        match f.summary(parent) {
                            Some(summary) => {
                                let effect = summary.param(index);
                                if effect.stores() {
                                    return Use::Kept;
                                }
                                if effect.flows.is_empty() && effect.fate == Fate::Borrowed {
                                    return Use::Borrowed;
                                }
                            }
                            None => {
                                // What it gives back may hold it.
                                let holds = f.result_types(parent).iter().any(|t| {
                                    !t.is_error()
                                        && !matches!(
                                            t.kind(),
                                            TyKind::Basic(_) | TyKind::Slice(_) | TyKind::Map(..)
                                        )
                                });
                                if !holds {
                                    return Use::Borrowed;
                                }
                            }
                        }
                    }
                }
            }
            ExprKind::Composite { .. } => {}
            ExprKind::Binary { .. } | ExprKind::Index { .. } | ExprKind::Slice { .. } => {
                return Use::Borrowed;
            }
            _ => return Use::Borrowed,
        }
        at = parent;
    }
    // `at` is a whole expression: what does its statement do with it?
    for (_, stmt) in f.tree.stmts.iter() {
        match &stmt.kind {
            StmtKind::Assign { lhs, rhs, op } => {
                let Some(index) = rhs.iter().position(|r| *r == at) else {
                    continue;
                };
                if matches!(op, AssignOp::Op(_)) {
                    return Use::Borrowed;
                }
                let target = lhs.get(if rhs.len() == lhs.len() { index } else { 0 });
                return match target {
                    Some(target) if f.tree.ident(*target).is_some_and(|i| i.name.is_blank()) => {
                        Use::Borrowed
                    }
                    Some(target) => match f.place(*target) {
                        Some(place) if place.path.is_empty() => {
                            if f.facts.locals[place.local].owner == f.literal
                                && f.facts.locals[place.local].kind != LocalKind::Result
                            {
                                Use::Named(place.local)
                            } else {
                                Use::Kept
                            }
                        }
                        Some(_) if f.borrows_fields(base_of(f, *target)) => Use::Borrowed,
                        _ => Use::Kept,
                    },
                    None => Use::Borrowed,
                };
            }
            StmtKind::Var(specs) => {
                for spec in specs {
                    if let Some(index) = spec.values.iter().position(|v| *v == at) {
                        return match spec.names.get(index).and_then(|n| f.declared_at(n.range)) {
                            Some(local) => Use::Named(local),
                            None => Use::Borrowed,
                        };
                    }
                }
            }
            StmtKind::Send { value, .. } if *value == at => return Use::Kept,
            StmtKind::Return(values) if values.contains(&at) => return Use::Kept,
            StmtKind::Go(call) if *call == at => return Use::Kept,
            _ => {}
        }
    }
    Use::Borrowed
}

fn base_of(f: &Function<'_>, selector: ExprId) -> ExprId {
    match &f.tree[f.tree.unparen(selector)].kind {
        ExprKind::Selector { base, .. } => *base,
        _ => selector,
    }
}

/// As many iterations as this are no leak.
const FEW: u64 = 16;

/// A composite literal with few elements.
fn is_short_list(tree: &DeclTree, expr: ExprId) -> bool {
    matches!(&tree[expr].kind, ExprKind::Composite { elements, .. } if elements.len() as u64 <= FEW)
}

/// A package-level variable of the same package that is declared with few elements.
fn is_short_package_list(f: &Function<'_>, item: ItemRef) -> bool {
    let db = f.d.db;
    let unit = package_of_decl(db, f.d.decl);
    let Some(decl) = package_item(db, unit, item.name).map(|i| i.decl()) else {
        return false;
    };
    if package_of_decl(db, decl) != unit {
        return false;
    }
    let tree = decl_tree(db, decl);
    let DeclKind::Var(specs) = &tree.kind else {
        return false;
    };
    specs.iter().any(|spec| {
        spec.values.len() == spec.names.len()
            && spec
                .names
                .iter()
                .zip(&spec.values)
                .any(|(name, value)| name.name == item.name && is_short_list(&tree, *value))
    })
}

/// A loop with a small constant number of iterations.
fn runs_seldom(f: &Function<'_>, looping: StmtId) -> bool {
    match &f.tree[looping].kind {
        StmtKind::Range { over, .. } => {
            let over = f.tree.unparen(*over);
            if f.tree.int_value(over).is_some_and(|n| n <= FEW) {
                return true;
            }
            if let Some(TyKind::Array(Some(n), _)) = f.facts.types.get(over).map(Ty::kind) {
                return *n <= FEW;
            }
            let few = |e: ExprId| is_short_list(f.tree, f.tree.unparen(e));
            if few(over) {
                return true;
            }
            match f.facts.refs.get(over) {
                Some(Res::Local(local)) => {
                    let values = f.d.values(*local);
                    !values.is_empty() && values.iter().all(|v| v.is_some_and(few))
                }
                Some(Res::Package(item)) => is_short_package_list(f, *item),
                _ => false,
            }
        }
        StmtKind::For {
            init: Some(init),
            cond: Some(cond),
            post: Some(_),
            ..
        } => {
            let StmtKind::Assign { rhs, .. } = &f.tree[*init].kind else {
                return false;
            };
            let ExprKind::Binary { op, rhs: bound, .. } = &f.tree[f.tree.unparen(*cond)].kind
            else {
                return false;
            };
            let ([first], BinaryOp::Lt | BinaryOp::Le) = (&rhs[..], op) else {
                return false;
            };
            match (f.tree.int_value(*first), f.tree.int_value(*bound)) {
                (Some(first), Some(bound)) => bound.saturating_sub(first) <= FEW,
                _ => false,
            }
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn must_flag() {
        check(
            r#"
package a

import "os"

func f(names []string) error {
	for _, name := range names { // want-related "the loop goes on"
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close() // want defer-in-loop/warning "`f.Close()` is deferred in a loop" want-fix "func" safe
		println(f.Name())
	}
	return nil
}
"#,
        );
    }

    #[test]
    fn must_not_flag() {
        check(
            r#"
package a

import "os"

func f(names []string) error {
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		println(f.Name())
		break
	}
	for _, name := range names {
		func() {
			f, err := os.Open(name)
			if err != nil {
				return
			}
			defer f.Close()
			println(f.Name())
		}()
	}
	return nil
}
"#,
        );
    }
}
