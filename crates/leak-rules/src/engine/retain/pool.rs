//! What is put into a `sync.Pool`, and whether anybody empties it or looks at how large it has grown.
//!
//! A pool is a package-level variable or a field. What each declaration does with pools is computed once and without places; a finding asks
//! all declarations of the package that use the pool, and those that call them.

use std::sync::Arc;

use go_model::db::{Db, DeclId, decl_tree};
use go_model::facts::{Callee, Facts, ItemRef, LocalId, LocalKind, Res};
use go_model::members::View;
use go_model::package::{PackageId, import_path, package_decls, package_of_decl};
use go_model::summary::callee_decl;
use go_model::types::{Basic, Ty, TyKind};
use go_syntax::Name;
use go_syntax::ast::{BinaryOp, DeclTree, ExprId, ExprKind, StmtId, StmtKind, UnaryOp};

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::facts;
use crate::engine::find::{enclosing_literal, last_name};
use crate::engine::function::target;
use crate::engine::retain::{function_name, tail};
use crate::engine::site::{FixSite, Pattern, Retained};
use crate::rules::Declared;

/// A pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Pool {
    Variable(ItemRef),
    Field(ItemRef, Name),
}

impl Pool {
    fn name(self) -> Name {
        match self {
            Pool::Variable(item) => item.name,
            Pool::Field(_, name) => name,
        }
    }

    /// The package-level variable that it is.
    pub(crate) fn variable(self) -> Option<Name> {
        match self {
            Pool::Variable(item) => Some(item.name),
            Pool::Field(..) => None,
        }
    }
}

/// What is put into a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Stored {
    /// A pointer to a `bytes.Buffer`.
    Buffer,
    /// A pointer to a slice of bytes.
    SlicePointer,
    /// A slice of bytes.
    Slice,
    /// A pointer to a struct of the package that has this field, a slice of bytes.
    Field(ItemRef, Name),
    /// Anything else.
    Other,
}

/// A `Put` in a declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Put {
    pub(crate) pool: Pool,
    pub(crate) stored: Stored,
    pub(crate) call: ExprId,
    /// The variable that is put into it (also `s[:0]` of a slice), or (`true`) its address.
    pub(crate) local: LocalId,
    pub(crate) address: bool,
    /// The statement of the call, and whether it is deferred.
    pub(crate) stmt: StmtId,
    pub(crate) deferred: bool,
}

/// What a declaration does with pools, and with things such as lie in them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Uses {
    name: Option<Name>,
    pools: Vec<Pool>,
    /// It takes something out and returns it, or gives it to a field or to a function.
    hands_on: bool,
    /// It empties something.
    resets: bool,
    /// It empties something if all of it can be written.
    drains: bool,
    /// It looks at how large something is, or limits what it reads.
    measures: bool,
    /// It takes something out of a pool.
    takes: bool,
    /// It gives what a pointer points to another value.
    reassigns: bool,
    /// Fields that it sets to nil or to a zero value.
    lets_go: Vec<Name>,
    /// What it calls.
    calls: Vec<Name>,
}

/// What all declarations of a package do with a pool.
#[derive(Debug, Clone, Default)]
pub(crate) struct Together {
    /// All uses are seen.
    pub(crate) complete: bool,
    pub(crate) resets: bool,
    /// Something is emptied if all of it can be written.
    pub(crate) drains: bool,
    pub(crate) measures: bool,
    pub(crate) grows: bool,
    /// Something is taken out.
    pub(crate) takes: bool,
    /// What a pointer points to gets another value.
    pub(crate) reassigns: bool,
    /// Fields that are set to nil or to a zero value.
    lets_go: Vec<Name>,
    /// The same anywhere in the package: what resets the thing may call others.
    lets_go_anywhere: Vec<Name>,
}

impl Together {
    /// Whether the field of what lies in the pool is let go, or any where no field is meant.
    pub(crate) fn lets_go(&self, field: Option<Name>) -> bool {
        match field {
            Some(field) => self.lets_go_anywhere.contains(&field),
            None => !self.lets_go.is_empty(),
        }
    }
}

/// Whether a declaration calls a function or method of its own package that has one of these names.
fn calls_one_of(db: &dyn Db, decl: DeclId, package: Name, names: &[Name]) -> bool {
    facts(db, decl).callees.values().any(|callee| match callee {
        Callee::Func(item) => item.package == package && names.contains(&item.name),
        Callee::Method(m) => m.package == package && !m.interface && names.contains(&m.name),
        _ => false,
    })
}

/// What a package does with a pool.
pub(crate) fn together(cx: &CheckContext<'_>, pool: Pool) -> Together {
    let package = package_of_decl(cx.db, cx.decl);
    let own = import_path(cx.db, package);
    let all = package_uses(cx.db, package);
    let mut names: Vec<Name> = Vec::new();
    let is_exported = |name: Name| name.as_str().starts_with(|c: char| c.is_uppercase());
    let mut found = Together {
        complete: !is_exported(pool.name()),
        ..Together::default()
    };
    let mut add = |decl: DeclId, uses: &Uses, certain: bool| {
        found.resets |= uses.resets;
        found.drains |= uses.drains;
        found.measures |= uses.measures;
        found.takes |= uses.takes;
        found.reassigns |= uses.reassigns;
        found.lets_go.extend(&uses.lets_go);
        found.grows = found.grows || certain && *grows_in(cx.db, decl);
        if uses.hands_on && uses.name.is_none_or(is_exported) {
            found.complete = false;
        }
    };
    for (decl, uses) in all.iter().filter(|(_, uses)| uses.pools.contains(&pool)) {
        add(*decl, uses, true);
        names.extend(uses.name);
    }
    for (decl, uses) in all.iter().filter(|(_, uses)| !uses.pools.contains(&pool)) {
        if uses.calls.iter().any(|name| names.contains(name)) {
            add(*decl, uses, calls_one_of(cx.db, *decl, own, &names));
        }
    }
    let anywhere = all.iter().flat_map(|(_, uses)| &uses.lets_go);
    found.lets_go_anywhere = anywhere.copied().collect();
    found
}

#[salsa::tracked(returns(clone))]
fn package_uses(db: &dyn Db, package: PackageId) -> Arc<Vec<(DeclId, Arc<Uses>)>> {
    let decls = package_decls(db, package);
    Arc::new((decls.iter()).map(|d| (*d, uses(db, *d))).collect())
}

#[salsa::tracked]
fn grows_in(db: &dyn Db, decl: DeclId) -> bool {
    grows(&decl_tree(db, decl), &facts(db, decl))
}

#[salsa::tracked(returns(clone))]
fn uses(db: &dyn Db, decl: DeclId) -> Arc<Uses> {
    let tree = decl_tree(db, decl);
    let Some(func) = tree.func() else {
        return Arc::default();
    };
    let mut found = Uses {
        name: Some(func.name.name),
        ..Uses::default()
    };
    let mut may_use = false;
    let mut drained = Vec::new();
    for (_, expr) in tree.exprs.iter() {
        match &expr.kind {
            ExprKind::Call { func, .. } => {
                let Some(name) = last_name(&tree, *func) else {
                    continue;
                };
                match name.as_str() {
                    "Get" | "Put" => may_use = true,
                    "Reset" | "Truncate" | "reset" => found.resets = true,
                    "WriteTo" => drained.push(*func),
                    "cap" | "Cap" | "LimitReader" | "MaxBytesReader" | "CopyN" => {
                        found.measures = true;
                    }
                    _ => {}
                }
                if !found.calls.contains(&name) {
                    found.calls.push(name);
                }
            }
            ExprKind::Composite { ty: Some(ty), .. } => {
                found.measures |= last_name(&tree, *ty).is_some_and(|n| n == "LimitedReader");
            }
            ExprKind::Slice {
                low: None,
                high: Some(high),
                ..
            } => found.resets |= tree.int_value(*high) == Some(0),
            ExprKind::Binary {
                op: BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge,
                lhs,
                rhs,
            } => {
                let is_length = |e: ExprId| match &tree[tree.unparen(e)].kind {
                    ExprKind::Call { func, .. } => last_name(&tree, *func)
                        .is_some_and(|n| matches!(n.as_str(), "Len" | "len" | "Cap" | "cap")),
                    _ => false,
                };
                // Whether something is empty says nothing about how large it may be.
                let is_none = |e: ExprId| matches!(tree.int_value(e), Some(0 | 1));
                found.measures |= is_length(*lhs) && !is_none(*rhs);
                found.measures |= is_length(*rhs) && !is_none(*lhs);
            }
            _ => {}
        }
    }
    found.reassigns = tree.stmts.iter().any(|(_, stmt)| match &stmt.kind {
        StmtKind::Assign { lhs, .. } => lhs
            .iter()
            .any(|target| matches!(tree[tree.unparen(*target)].kind, ExprKind::Star(_))),
        _ => false,
    });
    // A buffer that is let go is not kept, however large.
    for (_, stmt) in tree.stmts.iter() {
        let StmtKind::Assign { lhs, rhs, .. } = &stmt.kind else {
            continue;
        };
        for (target, value) in lhs.iter().zip(rhs) {
            let is_zero = match &tree[tree.unparen(*value)].kind {
                ExprKind::Ident(name) => *name == "nil",
                ExprKind::Composite { elements, .. } => elements.is_empty(),
                _ => false,
            };
            match &tree[tree.unparen(*target)].kind {
                ExprKind::Selector { name, .. } if is_zero => found.lets_go.push(name.name),
                ExprKind::Star(_) if is_zero => found.measures = true,
                _ => {}
            }
        }
    }
    // Names alone silence; what leads to a finding is resolved.
    found.resets |= !drained.is_empty() && !may_use;
    if tree.has_error {
        found.hands_on = true;
        found.resets = true;
        return Arc::new(found);
    }
    if may_use {
        let facts = facts(db, decl);
        for func in drained {
            let fails = is_buffer_drained(&tree, &facts, func);
            found.drains |= fails;
            found.resets |= !fails;
        }
        for (id, expr) in tree.exprs.iter() {
            if let ExprKind::Call { .. } = expr.kind
                && let Some((pool, takes)) = operation(&tree, &facts, id)
            {
                if !found.pools.contains(&pool) {
                    found.pools.push(pool);
                }
                found.takes |= takes;
                found.hands_on |= takes && is_handed_on(&tree, &facts, id);
            }
        }
    }
    Arc::new(found)
}

/// Whether `WriteTo` is called of a buffer, which it empties only if all could be written, and what it writes to may fail.
fn is_buffer_drained(tree: &DeclTree, facts: &Facts, func: ExprId) -> bool {
    let named = |e: ExprId| {
        let ty = facts.types.get(tree.unparen(e))?;
        ty.as_named_or_pointer().map(|n| (n.package, n.name))
    };
    let ExprKind::Selector { base, .. } = tree[tree.unparen(func)].kind else {
        return false;
    };
    let to = tree.exprs.iter().find_map(|(_, e)| match &e.kind {
        ExprKind::Call { func: f, args, .. } if *f == func => args.first().copied(),
        _ => None,
    });
    let is = |e: ExprId, package: &str, name: &str| {
        named(e).is_some_and(|(p, n)| p == package && n == name)
    };
    is(base, "bytes", "Buffer")
        && to.is_some_and(|to| !is(to, "bytes", "Buffer") && !is(to, "strings", "Builder"))
}

/// Whether an exported function puts into a pool what others give it: they may have written anything to it.
pub(crate) fn is_for_all(cx: &CheckContext<'_>, put: &Put) -> bool {
    let about = &cx.facts().locals[put.local];
    let exported = |name: Name| name.as_str().starts_with(|c: char| c.is_uppercase());
    about.kind == LocalKind::Param
        && about.owner.is_none()
        && about.assignments <= 1
        && (cx.tree.func()).is_some_and(|func| exported(func.name.name))
}

/// The pool of a call of `Get` (`true`) or `Put`.
fn operation(tree: &DeclTree, facts: &Facts, call: ExprId) -> Option<(Pool, bool)> {
    let takes = match facts.callees.get(call)? {
        Callee::Method(m) if m.is("sync", "Pool", "Get") => true,
        Callee::Method(m) if m.is("sync", "Pool", "Put") => false,
        _ => return None,
    };
    let ExprKind::Call { func, .. } = &tree[call].kind else {
        return None;
    };
    let ExprKind::Selector { base, .. } = tree[tree.unparen(*func)].kind else {
        return None;
    };
    let pool = match facts.refs.get(tree.unparen(base))? {
        Res::Package(item) => Pool::Variable(*item),
        Res::Field {
            owner: Some(owner),
            name,
        } => Pool::Field(*owner, *name),
        _ => return None,
    };
    Some((pool, takes))
}

/// Whether what is taken out of a pool leaves the declaration otherwise than into the pool again.
fn is_handed_on(tree: &DeclTree, facts: &Facts, get: ExprId) -> bool {
    let range = tree[get].range;
    let returned = |local: LocalId, stmt: &StmtKind| match stmt {
        StmtKind::Return(values) => values
            .iter()
            .any(|v| facts.refs.get(tree.unparen(*v)) == Some(&Res::Local(local))),
        _ => false,
    };
    tree.stmts.iter().any(|(_, stmt)| match &stmt.kind {
        StmtKind::Return(values) => values.iter().any(|v| tree[*v].range.contains_range(range)),
        StmtKind::Assign { lhs, rhs, .. }
            if rhs.iter().any(|r| tree[*r].range.contains_range(range)) =>
        {
            lhs.first()
                .is_some_and(|target| match facts.refs.get(tree.unparen(*target)) {
                    Some(Res::Local(local)) => {
                        facts.locals[*local].kind == LocalKind::Result
                            || (tree.stmts.iter()).any(|(_, s)| returned(*local, &s.kind))
                    }
                    _ => true,
                })
        }
        _ => false,
    })
}

/// Whether a declaration fills a buffer with something that may be large.
fn grows(tree: &DeclTree, facts: &Facts) -> bool {
    let is_buffer = |e: ExprId| {
        (facts.types.get(tree.unparen(e))).is_some_and(|ty| {
            ty.as_named_or_pointer()
                .is_some_and(|n| n.package == "bytes" && n.name == "Buffer")
        })
    };
    tree.exprs.iter().any(|(id, expr)| {
        let ExprKind::Call { func, args, spread } = &expr.kind else {
            return false;
        };
        if let ExprKind::Selector { base, name } = tree[tree.unparen(*func)].kind
            && is_buffer(base)
        {
            return match name.name.as_str() {
                "ReadFrom" => true,
                "Write" | "WriteString" => args.first().is_some_and(|arg| !is_constant(tree, *arg)),
                _ => false,
            };
        }
        if matches!(facts.callees.get(id), Some(Callee::Builtin(name)) if *name == "append") {
            return *spread
                && args.get(1).is_some_and(|arg| !is_constant(tree, *arg))
                && args
                    .first()
                    .is_some_and(|first| is_pooled_slice(tree, facts, *first));
        }
        // Whoever gets it may write to it. What prints a few values is not meant.
        let little = target(tree, facts, id).is_none_or(|t| {
            matches!(t.package.as_str(), "fmt" | "encoding/binary" | "sync")
                || t.package == "bytes" && t.name == "NewBuffer"
        });
        !little && args.iter().any(|arg| is_buffer(*arg))
    })
}

/// `*b`, as slices in pools are used.
fn is_pooled_slice(tree: &DeclTree, facts: &Facts, expr: ExprId) -> bool {
    let mut at = tree.unparen(expr);
    if let ExprKind::Slice { base, .. } = tree[at].kind {
        at = tree.unparen(base);
    }
    if matches!(tree[at].kind, ExprKind::Star(_)) {
        return true;
    }
    // `b := pool.Get().([]byte)`
    match facts.refs.get(at) {
        Some(Res::Local(local)) => tree.stmts.iter().any(|(_, stmt)| match &stmt.kind {
            StmtKind::Assign { lhs, rhs, .. } => {
                lhs.first().map(|l| facts.refs.get(tree.unparen(*l)))
                    == Some(Some(&Res::Local(*local)))
                    && rhs
                        .iter()
                        .any(|r| matches!(tree[tree.unparen(*r)].kind, ExprKind::TypeAssert { .. }))
            }
            _ => false,
        }),
        _ => false,
    }
}

fn is_constant(tree: &DeclTree, expr: ExprId) -> bool {
    match &tree[tree.unparen(expr)].kind {
        ExprKind::Literal(_) => true,
        ExprKind::Call { args, .. } => args.len() == 1 && is_constant(tree, args[0]),
        _ => false,
    }
}

/// The `Put`s of a declaration that put a variable into a pool.
fn puts(cx: &CheckContext<'_>) -> Vec<Put> {
    let tree = cx.tree;
    let named = |expr: &ExprKind| match expr {
        ExprKind::Call { func, .. } => last_name(tree, *func).is_some_and(|n| n == "Put"),
        _ => false,
    };
    let calls: Vec<ExprId> = (tree.exprs.iter())
        .filter(|(_, e)| named(&e.kind))
        .map(|(id, _)| id)
        .collect();
    if calls.is_empty() {
        return Vec::new();
    }
    let facts = cx.facts();
    (calls.into_iter())
        .filter_map(|call| {
            let (pool, false) = operation(tree, facts, call)? else {
                return None;
            };
            let ExprKind::Call { args, .. } = &tree[call].kind else {
                return None;
            };
            let mut value = tree.unparen(*args.first()?);
            let mut address = false;
            if let ExprKind::Unary {
                op: UnaryOp::Address,
                operand,
            } = tree[value].kind
            {
                value = tree.unparen(operand);
                address = true;
            } else if let ExprKind::Slice {
                base,
                low: None,
                high: Some(high),
                max: None,
            } = tree[value].kind
                && tree.int_value(high) == Some(0)
                && facts.types.get(tree.unparen(base)) == facts.types.get(value)
            {
                value = tree.unparen(base);
            }
            let Some(Res::Local(local)) = facts.refs.get(value) else {
                return None;
            };
            let (stmt, deferred) = statement(tree, call)?;
            Some(Put {
                pool,
                stored: stored(cx, &facts.locals[*local].ty, address),
                call,
                local: *local,
                address,
                stmt,
                deferred,
            })
        })
        .collect()
}

fn stored(cx: &CheckContext<'_>, ty: &Ty, address: bool) -> Stored {
    let is_bytes = |ty: &Ty| {
        matches!(ty.kind(), TyKind::Slice(elem)
            if matches!(elem.kind(), TyKind::Basic(Basic::Uint8)))
    };
    let (ty, pointer) = match ty.kind() {
        TyKind::Pointer(inner) if !address => (inner, true),
        _ => (ty, address),
    };
    if pointer && ty.is_named("bytes", "Buffer") {
        Stored::Buffer
    } else if is_bytes(ty) {
        if pointer {
            Stored::SlicePointer
        } else {
            Stored::Slice
        }
    } else {
        field(cx, ty).filter(|_| pointer).unwrap_or(Stored::Other)
    }
}

/// The field of a struct of the package that is a buffer.
fn field(cx: &CheckContext<'_>, ty: &Ty) -> Option<Stored> {
    let TyKind::Named(named) = ty.kind() else {
        return None;
    };
    let own = import_path(cx.db, package_of_decl(cx.db, cx.decl));
    if named.local != 0 || named.package != own {
        return None;
    }
    let view = View::with_facts(cx.db, cx.decl.file(cx.db), cx.facts());
    let item = ItemRef {
        package: named.package,
        name: named.name,
    };
    let underlying = view.underlying(ty);
    let TyKind::Struct(fields) = underlying.kind() else {
        return None;
    };
    fields.iter().find_map(|field| {
        let is_bytes = matches!(field.ty.kind(), TyKind::Slice(elem)
            if matches!(elem.kind(), TyKind::Basic(Basic::Uint8)));
        (is_bytes && !field.embedded).then_some(Stored::Field(item, field.name))
    })
}

/// Whether some function of the package appends to a field, again and again.
pub(crate) fn field_grows(cx: &CheckContext<'_>, owner: ItemRef, name: Name) -> bool {
    let package = package_of_decl(cx.db, cx.decl);
    package_decls(cx.db, package)
        .iter()
        .any(|decl| appended(cx.db, *decl).contains(&(owner, name)))
}

/// The fields to which a declaration appends slices of any length.
#[salsa::tracked(returns(clone))]
fn appended(db: &dyn Db, decl: DeclId) -> Arc<Vec<(ItemRef, Name)>> {
    let tree = decl_tree(db, decl);
    let calls: Vec<(ExprId, &[ExprId])> = (tree.exprs.iter())
        .filter_map(|(id, expr)| match &expr.kind {
            ExprKind::Call { func, args, spread } => {
                let appends = last_name(&tree, *func).is_some_and(|name| name == "append");
                (appends && *spread && !is_constant(&tree, *args.get(1)?))
                    .then_some((id, &args[..]))
            }
            _ => None,
        })
        .collect();
    // `x.f = encode(x.f, …)`
    let given: Vec<(ExprId, ExprId)> = (tree.stmts.iter())
        .filter_map(|(_, stmt)| match &stmt.kind {
            StmtKind::Assign { lhs, rhs, .. } => match (&lhs[..], &rhs[..]) {
                ([target], [value]) => match &tree[tree.unparen(*value)].kind {
                    ExprKind::Call {
                        args,
                        spread: false,
                        ..
                    } if args.len() > 1 && args[1..].iter().any(|a| !is_constant(&tree, *a)) => {
                        Some((tree.unparen(*target), tree.unparen(args[0])))
                    }
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        })
        .collect();
    if calls.is_empty() && given.is_empty() || tree.has_error {
        return Arc::default();
    }
    let facts = facts(db, decl);
    let mut found = Vec::new();
    for (target, first) in given {
        let Some(Res::Field {
            owner: Some(owner),
            name,
        }) = facts.refs.get(target)
        else {
            continue;
        };
        // What is given may be the result of another such call.
        let mut first = first;
        while let ExprKind::Call { args, .. } = &tree[first].kind
            && let Some(inner) = args.first()
        {
            first = tree.unparen(*inner);
        }
        let is_builtin = |e: ExprId| matches!(facts.callees.get(e), Some(Callee::Builtin(_)));
        let same = facts.refs.get(first) == facts.refs.get(target);
        if same && !is_builtin(first) && !found.contains(&(*owner, *name)) {
            found.push((*owner, *name));
        }
    }
    for (call, args) in calls {
        if !matches!(facts.callees.get(call), Some(Callee::Builtin(name)) if *name == "append") {
            continue;
        }
        let mut at = tree.unparen(args[0]);
        while let ExprKind::Slice { base, .. } = tree[at].kind {
            at = tree.unparen(base);
        }
        if let Some(Res::Field {
            owner: Some(owner),
            name,
        }) = facts.refs.get(at)
            && !found.contains(&(*owner, *name))
        {
            found.push((*owner, *name));
        }
    }
    Arc::new(found)
}

/// Whether a value of the type is copied to the heap when it becomes an interface. `None` if that is not known.
pub(crate) fn is_boxed(cx: &CheckContext<'_>, ty: &Ty) -> Option<bool> {
    let view = View::with_facts(cx.db, cx.decl.file(cx.db), cx.facts());
    match view.underlying(ty).kind() {
        TyKind::Slice(_) | TyKind::Array(..) | TyKind::Struct(_) => Some(true),
        TyKind::Basic(basic) => Some(*basic == Basic::String),
        TyKind::Pointer(_) | TyKind::Map(..) | TyKind::Chan(..) | TyKind::Func(_) => Some(false),
        _ => None,
    }
}

/// The findings about `Put`s: what a rule says about one, by the name of the variable, and what its fix needs to know.
pub(crate) fn findings(
    cx: &CheckContext<'_>,
    rule: &Declared,
    say: impl Fn(&Put, Name) -> Option<(Severity, String, Retained)>,
) -> Vec<RawFinding> {
    (puts(cx).into_iter())
        .filter_map(|put| {
            let name = cx.facts().locals[put.local].ident.name;
            let (severity, message, retained) = say(&put, name)?;
            let range = cx.tree[put.call].range;
            let literal = enclosing_literal(cx.tree, range);
            let pattern = Pattern::Retained(retained);
            let site = FixSite::pattern(literal, put.call, Some(put.stmt), pattern, cx.in_test);
            Some(RawFinding {
                rule: rule.name,
                severity,
                message,
                range,
                function: function_name(cx, literal),
                related: Vec::new(),
                site: Some(Box::new(site)),
            })
        })
        .collect()
}

/// `Put`s of slices whose elements refer to something, and that nobody clears: into a pool, or into something that puts it into one.
pub(crate) fn uncleared(cx: &CheckContext<'_>, rule: &Declared) -> Vec<RawFinding> {
    let tree = cx.tree;
    let puts: Vec<(ExprId, ExprId, ExprId)> = (tree.exprs.iter())
        .filter_map(|(id, expr)| match &expr.kind {
            ExprKind::Call { func, args, .. } if args.len() == 1 => {
                let is_put = last_name(tree, *func).is_some_and(|name| name == "Put");
                is_put.then_some((id, tree.unparen(*func), tree.unparen(args[0])))
            }
            _ => None,
        })
        .collect();
    // Names alone silence.
    if puts.is_empty() || calls_clear(tree) {
        return Vec::new();
    }
    let facts = cx.facts();
    (puts.into_iter())
        .filter_map(|(call, func, arg)| {
            let callee = facts.callees.get(call)?;
            let ExprKind::Selector { base, .. } = tree[func].kind else {
                return None;
            };
            let pool = last_name(tree, base)?;
            let (local, pointer) = slice_of(cx, arg)?;
            if !is_uncleared(cx, call, local) || !is_pool(cx, callee) || is_cleared(cx, pool) {
                return None;
            }
            let (stmt, deferred) = statement(tree, call)?;
            let name = facts.locals[local].ident.name;
            let range = tree[call].range;
            let literal = enclosing_literal(tree, range);
            let retained = Retained::Uncleared {
                slice: local,
                pointer,
                deferred,
            };
            let pattern = Pattern::Retained(retained);
            let site = FixSite::pattern(literal, call, Some(stmt), pattern, cx.in_test);
            Some(RawFinding {
                rule: rule.name,
                severity: Severity::Hint,
                message: format!(
                    "`{name}` goes back into the pool with its elements: what they refer to stays until others are written over them"
                ),
                range,
                function: function_name(cx, literal),
                related: Vec::new(),
                site: Some(Box::new(site)),
            })
        })
        .collect()
}

fn calls_clear(tree: &DeclTree) -> bool {
    tree.exprs.iter().any(|(_, expr)| match &expr.kind {
        ExprKind::Call { func, .. } => {
            last_name(tree, *func).is_some_and(|name| name == "clear" || name == "Clear")
        }
        _ => false,
    })
}

/// The local variable of a slice whose elements refer to more than a string: `x`, `x[:0]`, `&x`, or (`true`) a pointer to it.
fn slice_of(cx: &CheckContext<'_>, arg: ExprId) -> Option<(LocalId, bool)> {
    let (tree, facts) = (cx.tree, cx.facts());
    let base = match tree[arg].kind {
        ExprKind::Unary {
            op: UnaryOp::Address,
            operand,
        } => tree.unparen(operand),
        ExprKind::Slice { base, .. } => tree.unparen(base),
        _ => arg,
    };
    let Some(Res::Local(local)) = facts.refs.get(base) else {
        return None;
    };
    let ty = &facts.locals[*local].ty;
    let (ty, pointer) = match ty.kind() {
        TyKind::Pointer(inner) if base == arg => (inner, true),
        _ => (ty, false),
    };
    let view = View::with_facts(cx.db, cx.decl.file(cx.db), facts);
    let underlying = view.underlying(ty);
    let TyKind::Slice(elem) = underlying.kind() else {
        return None;
    };
    // Parts of something else would be kept by it anyway.
    let refers = !elem.has_unknown() && tail::holds_much(&view, elem);
    refers.then_some((*local, pointer))
}

/// Whether a declaration neither writes to elements of a slice nor gives it to another function than `Put`, and has no other name for it.
fn is_uncleared(cx: &CheckContext<'_>, put: ExprId, local: LocalId) -> bool {
    let (tree, facts) = (cx.tree, cx.facts());
    let is = |e: ExprId| {
        let mut at = tree.unparen(e);
        while let ExprKind::Slice { base, .. }
        | ExprKind::Star(base)
        | ExprKind::Unary {
            op: UnaryOp::Address,
            operand: base,
        } = tree[at].kind
        {
            at = tree.unparen(base);
        }
        facts.refs.get(at) == Some(&Res::Local(local))
    };
    let given = tree.exprs.iter().any(|(id, expr)| match &expr.kind {
        ExprKind::Call { args, .. } => {
            id != put
                && !matches!(facts.callees.get(id), Some(Callee::Builtin(_)))
                && args.iter().any(|arg| is(*arg))
        }
        ExprKind::Selector { base, .. } => is(*base),
        _ => false,
    });
    // What it was taken out as, and what was appended to it; anything else may have another name, or be made just now.
    let is_own = |value: ExprId| match &tree[value].kind {
        ExprKind::TypeAssert { .. } => true,
        ExprKind::Call { args, .. } => match facts.callees.get(value) {
            Some(Callee::Builtin(name)) => *name == "append" && is(args[0]),
            Some(Callee::Conversion) | None => false,
            Some(_) => true,
        },
        _ => false,
    };
    let written = tree.stmts.iter().any(|(_, stmt)| match &stmt.kind {
        StmtKind::Assign { lhs, rhs, .. } => lhs.iter().enumerate().any(|(i, target)| {
            let value = rhs.get(i).or(rhs.first()).map(|value| tree.unparen(*value));
            match tree[tree.unparen(*target)].kind {
                ExprKind::Index { base, .. } => is(base),
                _ => is(*target) && !value.is_some_and(is_own),
            }
        }),
        StmtKind::Var(specs) => (specs.iter()).any(|spec| {
            let declared = facts.locals[local].ident.range;
            spec.names.iter().any(|name| name.range == declared)
        }),
        _ => false,
    });
    !given && !written
}

/// Whether a method is `Put` of a pool, or one that puts something into a pool.
fn is_pool(cx: &CheckContext<'_>, callee: &Callee) -> bool {
    match callee {
        Callee::Method(m) if m.is("sync", "Pool", "Put") => true,
        Callee::Method(m) if !m.interface => {
            callee_decl(cx.db, cx.decl, callee).is_some_and(|decl| *fills_pool(cx.db, decl))
        }
        _ => false,
    }
}

#[salsa::tracked]
fn fills_pool(db: &dyn Db, decl: DeclId) -> bool {
    let tree = decl_tree(db, decl);
    let names = |e: &ExprKind| match e {
        ExprKind::Call { func, .. } => last_name(&tree, *func).is_some_and(|n| n == "Put"),
        _ => false,
    };
    tree.exprs.iter().any(|(_, e)| names(&e.kind))
        && (facts(db, decl).callees.values())
            .any(|callee| matches!(callee, Callee::Method(m) if m.is("sync", "Pool", "Put")))
}

/// Whether some declaration of the package that names the pool clears something.
fn is_cleared(cx: &CheckContext<'_>, pool: Name) -> bool {
    let package = package_of_decl(cx.db, cx.decl);
    package_decls(cx.db, package).iter().any(|decl| {
        let tree = decl_tree(cx.db, *decl);
        let names = |expr: &ExprKind| match expr {
            ExprKind::Ident(name) => *name == pool,
            ExprKind::Selector { name, .. } => name.name == pool,
            _ => false,
        };
        calls_clear(&tree) && tree.exprs.iter().any(|(_, expr)| names(&expr.kind))
    })
}

/// The statement that a call is, and whether it is deferred.
fn statement(tree: &DeclTree, call: ExprId) -> Option<(StmtId, bool)> {
    tree.stmts.iter().find_map(|(id, stmt)| match stmt.kind {
        StmtKind::Expr(e) if tree.unparen(e) == call => Some((id, false)),
        StmtKind::Defer(e) if tree.unparen(e) == call => Some((id, true)),
        _ => None,
    })
}
