//! Finalizers and cleanups that keep the object they wait for.

use go_model::db::{Db, DeclId, decl_tree};
use go_model::facts::{Facts, LocalId, LocalKind, Res};
use go_model::package::{import_path, package_of_decl};
use go_model::summary::callee_decl;
use go_model::types::{Ty, TyKind};
use go_syntax::ast::{AssignOp, DeclTree, ExprId, ExprKind, StmtKind, UnaryOp};
use go_syntax::{Literals, Name, TextRange};

use super::function_name;
use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::facts;
use crate::engine::find::{enclosing_literal, last_name};
use crate::engine::function::{Declaration, Depth};
use crate::engine::pattern::step;
use crate::engine::site::{FixSite, Pattern, Retained};

/// `runtime.SetFinalizer` or `runtime.AddCleanup`.
struct Registration {
    call: ExprId,
    /// The object, and the variable that points to it.
    object: LocalId,
    function: ExprId,
    /// The argument of a cleanup.
    argument: Option<ExprId>,
}

/// The finalizers and cleanups of a declaration that never run.
pub(crate) fn findings(cx: &CheckContext<'_>, rule: &'static str) -> Vec<RawFinding> {
    let named = |expr: &ExprKind| match expr {
        ExprKind::Call { func, .. } => {
            last_name(cx.tree, *func).is_some_and(|n| n == "SetFinalizer" || n == "AddCleanup")
        }
        _ => false,
    };
    let calls: Vec<ExprId> = (cx.tree.exprs.iter())
        .filter(|(_, e)| named(&e.kind))
        .map(|(id, _)| id)
        .collect();
    if calls.is_empty() {
        return Vec::new();
    }
    let d = cx.declaration(Depth::Shallow);
    let mut found: Vec<RawFinding> = (calls.into_iter())
        .filter_map(|call| report(cx, d, &registration(d, call)?, rule))
        .collect();
    found.sort_by_key(|finding| finding.range.start());
    found
}

fn registration(d: &Declaration<'_>, call: ExprId) -> Option<Registration> {
    let target = d.target(call)?;
    let cleanup = target.is_func("runtime", "AddCleanup");
    if !cleanup && !target.is_func("runtime", "SetFinalizer") {
        return None;
    }
    let ExprKind::Call { args, .. } = &d.tree[call].kind else {
        return None;
    };
    let object = local(d, *args.first()?)?;
    // A variable that points to something else later does not keep this object.
    let about = &d.facts.locals[object];
    (about.assignments <= 1
        && !about.address_taken
        && matches!(about.ty.kind(), TyKind::Pointer(_)))
    .then_some(Registration {
        call,
        object,
        function: d.tree.unparen(*args.get(1)?),
        argument: args.get(2).copied().filter(|_| cleanup),
    })
}

fn local(d: &Declaration<'_>, expr: ExprId) -> Option<LocalId> {
    match d.facts.refs.get(d.tree.unparen(expr)) {
        Some(Res::Local(local)) => Some(*local),
        _ => None,
    }
}

/// Whether a variable is only ever the object.
fn is_object(d: &Declaration<'_>, name: LocalId, object: LocalId) -> bool {
    name == object
        || (d.only_value(name)).is_some_and(|(value, _)| local(d, value) == Some(object))
        || (d.only_value(object)).is_some_and(|(value, _)| local(d, value) == Some(name))
            && d.facts.locals[name].assignments <= 1
}

/// Where an expression, when it is kept, keeps the object: a mention of it, a literal that has one as an element, a variable for such.
fn reaches(d: &Declaration<'_>, expr: ExprId, object: LocalId, depth: u32) -> Option<TextRange> {
    if depth == 0 {
        return None;
    }
    let expr = d.tree.unparen(expr);
    match &d.tree[expr].kind {
        ExprKind::Ident(_) => {
            let name = local(d, expr)?;
            if is_object(d, name, object) {
                return Some(d.tree[expr].range);
            }
            let (value, _) = d.only_value(name)?;
            let value = d.tree.unparen(value);
            let holds = matches!(
                d.tree[value].kind,
                ExprKind::Composite { .. } | ExprKind::Unary { .. } | ExprKind::FuncLit(_)
            );
            (holds && !d.facts.locals[name].address_taken)
                .then(|| reaches(d, value, object, depth - 1))?
        }
        ExprKind::Composite { elements, .. } => elements
            .iter()
            .find_map(|element| reaches(d, element.value, object, depth - 1)),
        ExprKind::Unary {
            op: UnaryOp::Address,
            operand,
        } => {
            let operand = d.tree.unparen(*operand);
            match &d.tree[operand].kind {
                ExprKind::Composite { .. } => reaches(d, operand, object, depth - 1),
                // The address of a field keeps the whole.
                ExprKind::Selector { base, .. } => local(d, *base)
                    .filter(|name| is_object(d, *name, object))
                    .map(|_| d.tree[operand].range),
                _ => None,
            }
        }
        ExprKind::FuncLit(_) => captured(d, expr, object),
        // A method value has its receiver.
        ExprKind::Selector { base, .. }
            if matches!(d.facts.refs.get(expr), Some(Res::Method(_))) =>
        {
            local(d, *base)
                .filter(|name| is_object(d, *name, object))
                .map(|_| d.tree[expr].range)
        }
        _ => None,
    }
}

/// Where a function literal mentions the object.
fn captured(d: &Declaration<'_>, literal: ExprId, object: LocalId) -> Option<TextRange> {
    let captures = &d.facts.literals.get(literal)?.captures;
    let name = captures.iter().copied().find(|name| {
        is_object(d, *name, object)
            || d.only_value(*name).is_some_and(|(value, _)| {
                matches!(
                    d.tree[d.tree.unparen(value)].kind,
                    ExprKind::Composite { .. } | ExprKind::Unary { .. }
                ) && !d.facts.locals[*name].address_taken
                    && reaches(d, value, object, 3).is_some()
            })
    })?;
    let inside = d.tree[literal].range;
    (d.mentions(name).iter())
        .map(|(mention, _)| d.tree[*mention].range)
        .find(|range| inside.contains_range(*range))
}

fn report(
    cx: &CheckContext<'_>,
    d: &Declaration<'_>,
    registration: &Registration,
    rule: &'static str,
) -> Option<RawFinding> {
    let Registration {
        call,
        object,
        function,
        argument,
    } = *registration;
    let name = d.facts.locals[object].ident.name;
    let what = if argument.is_some() {
        "cleanup"
    } else {
        "finalizer"
    };
    let range = d.tree[call].range;
    let never = format!("so that `{name}` is never freed and the {what} never runs");
    let by_function = reaches(d, function, object, 4);
    let (severity, message, at, words) = if let Some(at) = by_function {
        (
            Severity::Warning,
            format!("the {what} of `{name}` refers to `{name}`, {never}"),
            at,
            format!("the function keeps `{name}`"),
        )
    } else if let Some(argument) = argument {
        let at = reaches(d, argument, object, 4)?;
        let message = if local(d, argument).is_some_and(|n| is_object(d, n, object)) {
            format!("the argument of the cleanup is `{name}` itself: `AddCleanup` panics")
        } else {
            format!("the argument of the cleanup of `{name}` refers to `{name}`, {never}")
        };
        (
            Severity::Warning,
            message,
            at,
            format!("the argument keeps `{name}`"),
        )
    } else if let Some(at) = kept_by_goroutine(d, object) {
        (
            Severity::Information,
            format!(
                "a goroutine that does not end by itself refers to `{name}`: the finalizer does not run before it ends"
            ),
            at,
            format!("a goroutine is started that refers to `{name}`"),
        )
    } else {
        let at = circle(d, object, range)?;
        (
            Severity::Information,
            format!(
                "`{name}` refers to something that refers to `{name}`: objects in a circle are not freed while one of them has a finalizer"
            ),
            at,
            format!("this refers to `{name}`"),
        )
    };
    let literal = enclosing_literal(d.tree, range);
    let by_goroutine = severity == Severity::Information && kept_by_goroutine(d, object).is_some();
    let fix = (!by_goroutine)
        .then(|| fix(cx, d, registration, severity, by_function.is_some()))
        .flatten();
    let site = fix.map(|(retained, parts)| {
        let pattern = Pattern::Retained(retained);
        let mut site = FixSite::pattern(literal, call, None, pattern, cx.in_test);
        site.parts = parts;
        Box::new(site)
    });
    Some(RawFinding {
        rule,
        severity,
        message,
        range,
        function: function_name(cx, literal),
        related: vec![step(words, at)],
        site,
    })
}

/// Where something that the object refers to is given a reference to the object, before the finalizer is set.
fn circle(d: &Declaration<'_>, object: LocalId, before: TextRange) -> Option<TextRange> {
    // What refers to what: `x.f = y`, `x := &T{f: y}`.
    type Edges = Vec<(LocalId, LocalId, TextRange)>;
    let mut edges: Edges = Vec::new();
    let composite = |edges: &mut Edges, holder: LocalId, value: ExprId| {
        let mut open = vec![value];
        while let Some(at) = open.pop() {
            let at = d.tree.unparen(at);
            match &d.tree[at].kind {
                ExprKind::Unary {
                    op: UnaryOp::Address,
                    operand,
                } => open.push(*operand),
                ExprKind::Composite { elements, .. } => {
                    open.extend(elements.iter().map(|e| e.value));
                }
                ExprKind::Ident(_) if at != d.tree.unparen(value) => {
                    if let Some(held) = local(d, at)
                        && is_pointer(d, held)
                    {
                        edges.push((holder, held, d.tree[at].range));
                    }
                }
                _ => {}
            }
        }
    };
    for (_, stmt) in d.tree.stmts.iter() {
        let StmtKind::Assign {
            lhs,
            op: AssignOp::Assign | AssignOp::Define,
            rhs,
        } = &stmt.kind
        else {
            continue;
        };
        if lhs.len() != rhs.len() || stmt.range.end() > before.start() {
            continue;
        }
        for (target, value) in lhs.iter().zip(rhs) {
            let target = d.tree.unparen(*target);
            match &d.tree[target].kind {
                ExprKind::Ident(_) => {
                    if let Some(holder) = local(d, target) {
                        composite(&mut edges, holder, *value);
                    }
                }
                ExprKind::Selector { base, .. } => {
                    let Some(holder) = local(d, *base).filter(|l| is_pointer(d, *l)) else {
                        continue;
                    };
                    match local(d, *value) {
                        Some(held) if is_pointer(d, held) => {
                            edges.push((holder, held, d.tree[*value].range));
                        }
                        Some(_) => {}
                        None => composite(&mut edges, holder, *value),
                    }
                }
                _ => {}
            }
        }
    }
    let stable = |local: LocalId| d.facts.locals[local].assignments <= 1;
    let mut reached = vec![object];
    let mut next = 0;
    while let Some(&from) = reached.get(next) {
        next += 1;
        for (holder, held, at) in &edges {
            if *holder != from || !stable(*held) {
                continue;
            }
            if *held == object {
                return Some(*at);
            }
            if !reached.contains(held) {
                reached.push(*held);
            }
        }
    }
    None
}

/// Where an endless goroutine is started that refers to the object: here, or in a function that is called with it.
fn kept_by_goroutine(d: &Declaration<'_>, object: LocalId) -> Option<TextRange> {
    let stable = d.facts.locals[object].assignments <= 1;
    let here = started(d.db, d.decl, d.tree, d.facts, object).filter(|_| stable);
    here.or_else(|| {
        d.tree.exprs.iter().find_map(|(call, expr)| {
            let ExprKind::Call { func, args, .. } = &expr.kind else {
                return None;
            };
            let at = args.iter().position(|arg| local(d, *arg) == Some(object));
            let receives = matches!(d.tree[d.tree.unparen(*func)].kind,
                ExprKind::Selector { base, .. } if local(d, base) == Some(object));
            if !stable || at.is_none() && !receives {
                return None;
            }
            let callee = callee_decl(d.db, d.decl, d.facts.callees.get(call)?)?;
            let own = |decl| import_path(d.db, package_of_decl(d.db, decl));
            if own(callee) != own(d.decl) {
                return None;
            }
            let (tree, facts) = (decl_tree(d.db, callee), facts(d.db, callee));
            let param = match at {
                Some(at) => facts.params.get(at).copied().flatten()?,
                None => facts.receiver?,
            };
            started(d.db, callee, &tree, &facts, param).map(|_| expr.range)
        })
    })
}

/// Where a declaration starts a goroutine that has a variable and goes on and on.
fn started(
    db: &dyn Db,
    decl: DeclId,
    tree: &DeclTree,
    facts: &Facts,
    object: LocalId,
) -> Option<TextRange> {
    let is_object = |e: ExprId| facts.refs.get(tree.unparen(e)) == Some(&Res::Local(object));
    let is_endless = |kind: &StmtKind| matches!(kind, StmtKind::For { cond: None, .. });
    tree.stmts.iter().find_map(|(_, stmt)| {
        let StmtKind::Go(call) = stmt.kind else {
            return None;
        };
        let call = tree.unparen(call);
        let ExprKind::Call { func, args, .. } = &tree[call].kind else {
            return None;
        };
        let func = tree.unparen(*func);
        let (has, endless) = match &tree[func].kind {
            ExprKind::FuncLit(lit) => (
                (facts.literals.get(func)).is_some_and(|l| l.captures.contains(&object)),
                (tree.walk_literal(lit, Literals::Skip))
                    .any(|node| node.stmt().is_some_and(|s| is_endless(&tree[s].kind))),
            ),
            kind => {
                let callee = callee_decl(db, decl, facts.callees.get(call)?)?;
                let body = decl_tree(db, callee);
                let endless = body.stmts.iter().any(|(_, s)| is_endless(&s.kind));
                let receives = matches!(kind, ExprKind::Selector { base, .. } if is_object(*base));
                (receives, endless)
            }
        };
        (endless && (has || args.iter().any(|arg| is_object(*arg)))).then_some(stmt.range)
    })
}

fn is_pointer(d: &Declaration<'_>, local: LocalId) -> bool {
    matches!(d.facts.locals[local].ty.kind(), TyKind::Pointer(_))
}

/// What a fix has to change, with the mentions that it replaces.
fn fix(
    cx: &CheckContext<'_>,
    d: &Declaration<'_>,
    registration: &Registration,
    severity: Severity,
    by_function: bool,
) -> Option<(Retained, Vec<ExprId>)> {
    let literal = registration.function;
    let lit = d.tree.func_lit(literal)?;
    let [param] = &lit.signature.params[..] else {
        return None;
    };
    let object = registration.object;
    let inside = d.tree[literal].range;
    let mentions_of = |name: LocalId| -> Vec<ExprId> {
        (d.mentions(name).iter())
            .map(|(mention, _)| *mention)
            .filter(|mention| inside.contains_range(d.tree[*mention].range))
            .collect()
    };
    let finalizer = registration.argument.is_none();
    if finalizer && by_function {
        // Nothing but the object itself may be captured.
        let captures = &d.facts.literals.get(literal)?.captures;
        if captures
            .iter()
            .any(|c| *c != object && reaches_at_all(d, *c, object))
        {
            return None;
        }
        let same = d.facts.types.get(param.ty) == Some(&d.facts.locals[object].ty);
        let rename = param.name.is_none_or(|name| name.name.is_blank());
        return same.then(|| {
            let parts = mentions_of(object);
            (
                Retained::Finalizer {
                    literal,
                    object,
                    rename,
                },
                parts,
            )
        });
    }
    // A cleanup gets the only field that its function needs.
    let own = d
        .facts
        .literals
        .get(literal)?
        .params
        .first()
        .copied()
        .flatten();
    let unused = own.is_none_or(|own| mentions_of(own).is_empty());
    let needs = if finalizer && severity == Severity::Information {
        own?
    } else if by_function && unused {
        object
    } else {
        return None;
    };
    let parts = mentions_of(needs);
    let mut field: Option<(Name, Ty)> = None;
    let mut selectors = Vec::new();
    for mention in parts {
        let parent = d.parent(mention)?;
        let ExprKind::Selector { name, .. } = &d.tree[parent].kind else {
            return None;
        };
        if !matches!(d.facts.refs.get(parent), Some(Res::Field { .. })) {
            return None;
        }
        let ty = d.facts.types.get(parent)?;
        match &field {
            None => field = Some((name.name, ty.clone())),
            Some((known, _)) if *known == name.name => {}
            Some(_) => return None,
        }
        selectors.push(parent);
    }
    let (field, ty) = field?;
    let written = d.tree.stmts.iter().any(|(_, stmt)| match &stmt.kind {
        StmtKind::Assign { lhs, .. } => lhs.iter().any(|l| selectors.contains(l)),
        StmtKind::IncDec { operand, .. } => selectors.contains(operand),
        _ => false,
    });
    let ty = written_type(cx, &ty).filter(|_| !written)?;
    Some((
        Retained::Cleanup {
            literal,
            argument: registration.argument,
            object,
            field,
            ty,
        },
        selectors,
    ))
}

fn reaches_at_all(d: &Declaration<'_>, name: LocalId, object: LocalId) -> bool {
    is_object(d, name, object)
        || d.facts.locals[name].kind == LocalKind::Var
            && d.only_value(name)
                .is_some_and(|(value, _)| reaches(d, value, object, 4).is_some())
}

/// A type as it is written, where that is plain: a predeclared one, or one of this package, or a pointer to that.
fn written_type(cx: &CheckContext<'_>, ty: &Ty) -> Option<Name> {
    let (star, inner) = match ty.kind() {
        TyKind::Pointer(inner) => ("*", inner),
        _ => ("", ty),
    };
    let own =
        go_model::package::import_path(cx.db, go_model::package::package_of_decl(cx.db, cx.decl));
    let name = match inner.kind() {
        TyKind::Basic(basic) if !basic.is_untyped() => basic.as_str(),
        TyKind::Named(named)
            if named.local == 0 && named.args.is_empty() && named.package == own =>
        {
            named.name.as_str()
        }
        _ => return None,
    };
    Some(Name::new(&format!("{star}{name}")))
}
