//! Slices in package-level variables and fields that are cut shorter, while the array below keeps what was cut off.

use go_model::db::{Db, DeclId, DeclSort, decl_tree};
use go_model::facts::{Callee, ItemRef, LocalKind, Res};
use go_model::members::View;
use go_model::package::{PackageId, import_path, package_decls, package_index, package_of_decl};
use go_model::types::{Basic, Ty, TyKind};
use go_syntax::ast::{AssignOp, BinaryOp, ExprId, ExprKind, StmtId, StmtKind};
use go_syntax::{Literals, Name};

use super::{function_name, number::integer};
use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::facts;
use crate::engine::find::{enclosing_literal, last_name};
use crate::engine::function::{Declaration, Depth};
use crate::engine::pattern::step;
use crate::engine::site::{FixSite, Pattern, Retained, Tail};

/// What a slice is reached from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    Variable(ItemRef),
    Local(go_model::facts::LocalId),
}

/// A package-level variable, or a field of something that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Slot {
    root: Root,
    path: Vec<Name>,
}

/// A slice that is cut.
struct Cut {
    slot: Slot,
    /// What is assigned to.
    place: ExprId,
    value: ExprId,
    stmt: StmtId,
    /// Nothing else is assigned by the same statement.
    alone: bool,
    shape: Tail,
}

/// The slices that a declaration cuts and does not clean.
pub(crate) fn findings(cx: &CheckContext<'_>, rule: &'static str) -> Vec<RawFinding> {
    // Before anything is resolved: `x = x[…]`, `x = append(x[…], …)`.
    let may_cut = cx.tree.stmts.iter().any(|(_, stmt)| match &stmt.kind {
        StmtKind::Assign {
            lhs,
            op: AssignOp::Assign,
            rhs,
        } => (lhs.iter().zip(rhs)).any(|(l, r)| {
            !matches!(cx.tree[*l].kind, ExprKind::Index { .. }) && slices_itself(cx, *r)
        }),
        _ => false,
    });
    if !may_cut {
        return Vec::new();
    }
    let d = cx.declaration(Depth::Shallow);
    let mut found: Vec<RawFinding> = Vec::new();
    for cut in cuts(d) {
        if let Some(finding) = report(cx, d, &cut, rule) {
            found.push(finding);
        }
    }
    found.sort_by_key(|finding| finding.range.start());
    found
}

fn slices_itself(cx: &CheckContext<'_>, value: ExprId) -> bool {
    match &cx.tree[cx.tree.unparen(value)].kind {
        ExprKind::Slice { .. } => true,
        // A variable that began as `s[:0]`.
        ExprKind::Ident(_) => cx.tree.exprs.iter().any(|(_, expr)| {
            matches!(expr.kind, ExprKind::Slice { high: Some(high), .. }
                if cx.tree.int_value(high) == Some(0))
        }),
        ExprKind::Call { args, spread, .. } => {
            *spread
                && args.len() == 2
                && args
                    .iter()
                    .all(|a| matches!(cx.tree[cx.tree.unparen(*a)].kind, ExprKind::Slice { .. }))
        }
        _ => false,
    }
}

fn cuts(d: &Declaration<'_>) -> Vec<Cut> {
    let mut found = Vec::new();
    for (stmt, node) in d.tree.stmts.iter() {
        let StmtKind::Assign {
            lhs,
            op: AssignOp::Assign,
            rhs,
        } = &node.kind
        else {
            continue;
        };
        if lhs.len() != rhs.len() {
            continue;
        }
        for (place, value) in lhs.iter().zip(rhs) {
            let value = d.tree.unparen(*value);
            // What is cut off gets a name of its own: whoever has that may clean it.
            let named = |own: &Slot| {
                rhs.iter().any(|other| {
                    let other = d.tree.unparen(*other);
                    other != value
                        && matches!(d.tree[other].kind, ExprKind::Slice { base, .. } if is(d, base, own))
                })
            };
            if let Some(slot) = slot(d, *place)
                && let Some(shape) = shape(d, &slot, value)
                && !named(&slot)
            {
                found.push(Cut {
                    slot,
                    place: *place,
                    value,
                    stmt,
                    alone: lhs.len() == 1,
                    shape,
                });
            }
        }
    }
    found
}

/// The variable or field that an expression is.
fn slot(d: &Declaration<'_>, expr: ExprId) -> Option<Slot> {
    let mut path = Vec::new();
    let mut at = d.tree.unparen(expr);
    loop {
        if let Some(Res::Package(item)) = d.facts.refs.get(at) {
            path.reverse();
            return Some(Slot {
                root: Root::Variable(*item),
                path,
            });
        }
        match &d.tree[at].kind {
            ExprKind::Selector { base, name } => {
                if !matches!(d.facts.refs.get(at), Some(Res::Field { .. })) {
                    return None;
                }
                path.push(name.name);
                at = d.tree.unparen(*base);
            }
            ExprKind::Star(base) => at = d.tree.unparen(*base),
            ExprKind::Ident(_) => {
                let Some(Res::Local(local)) = d.facts.refs.get(at) else {
                    return None;
                };
                let about = &d.facts.locals[*local];
                let came_in = matches!(about.kind, LocalKind::Receiver | LocalKind::Param)
                    && matches!(about.ty.kind(), TyKind::Pointer(_))
                    && about.assignments <= 1;
                // `*h`, but not `h` itself.
                let is_content = !path.is_empty() || at != d.tree.unparen(expr);
                if !is_content || !came_in {
                    return None;
                }
                path.reverse();
                return Some(Slot {
                    root: Root::Local(*local),
                    path,
                });
            }
            _ => return None,
        }
    }
}

fn is(d: &Declaration<'_>, expr: ExprId, wanted: &Slot) -> bool {
    slot(d, expr).as_ref() == Some(wanted)
}

/// How a value is a part of what it is assigned to.
fn shape(d: &Declaration<'_>, own: &Slot, value: ExprId) -> Option<Tail> {
    match &d.tree[value].kind {
        ExprKind::Slice {
            base,
            low,
            high,
            max: None,
        } if is(d, *base, own) || is_alias(d, *base, own) => {
            let zero = |e: &ExprId| integer(d, *e) == Some(0);
            match (low.filter(|low| !zero(low)), *high) {
                (None, Some(high)) if zero(&high) => Some(Tail::Emptied),
                (None, Some(high)) => {
                    (!may_extend(d, own, high)).then_some(Tail::Cut { bound: high })
                }
                (Some(low), None) => Some(Tail::Queue { bound: low }),
                _ => None,
            }
        }
        ExprKind::Ident(_) if filtered(d, own, value).is_some() => {
            Some(Tail::Filtered { kept: value })
        }
        ExprKind::Call {
            args, spread: true, ..
        } => {
            let [first, second] = args[..] else {
                return None;
            };
            if !matches!(d.facts.callees.get(value), Some(Callee::Builtin(name)) if *name == "append")
            {
                return None;
            }
            let part = |e: ExprId| match d.tree[d.tree.unparen(e)].kind {
                ExprKind::Slice {
                    base,
                    low,
                    high,
                    max: None,
                } if is(d, base, own) => Some((low, high)),
                _ => None,
            };
            match (part(first)?, part(second)?) {
                ((None, Some(from)), (Some(to), None)) => Some(Tail::Removed { from, to }),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether a slice may become longer by being cut at `high`: up to its capacity.
fn may_extend(d: &Declaration<'_>, own: &Slot, high: ExprId) -> bool {
    let asks_capacity = d.tree.exprs.iter().any(|(id, expr)| match &expr.kind {
        ExprKind::Call { args, .. } => {
            matches!(d.facts.callees.get(id), Some(Callee::Builtin(name)) if *name == "cap")
                && (args.first()).is_some_and(|arg| is(d, *arg, own) || is_alias(d, *arg, own))
        }
        _ => false,
    });
    let adds = matches!(
        d.tree[d.tree.unparen(high)].kind,
        ExprKind::Binary {
            op: BinaryOp::Add,
            ..
        }
    );
    asks_capacity || adds
}

/// Where a local variable began as `s[:0]`, if it was only appended to.
fn filtered(d: &Declaration<'_>, own: &Slot, value: ExprId) -> Option<ExprId> {
    let Some(Res::Local(local)) = d.facts.refs.get(value) else {
        return None;
    };
    let mut begins = None;
    let appended = d.values(*local).into_iter().all(|value| {
        let Some(value) = value.map(|v| d.tree.unparen(v)) else {
            return false;
        };
        match &d.tree[value].kind {
            ExprKind::Slice {
                base,
                low: None,
                high: Some(high),
                ..
            } => {
                let begin = (is(d, *base, own) || is_alias(d, *base, own))
                    && integer(d, *high) == Some(0);
                begins = begin.then_some(value);
                begin
            }
            ExprKind::Call { args, .. } => {
                matches!(d.facts.callees.get(value), Some(Callee::Builtin(name)) if *name == "append")
                    && (args.first()).is_some_and(|arg| {
                        d.facts.refs.get(d.tree.unparen(*arg)) == Some(&Res::Local(*local))
                    })
            }
            _ => false,
        }
    });
    // What is filled from something else only borrows the array.
    let ranges = d.tree.stmts.iter().any(|(_, stmt)| match &stmt.kind {
        StmtKind::Range { over, .. } => is(d, *over, own) || is_alias(d, *over, own),
        _ => false,
    });
    let reads = || {
        d.tree.exprs.iter().any(|(_, e)| match e.kind {
            ExprKind::Index { base, .. } => is(d, base, own) || is_alias(d, base, own),
            _ => false,
        })
    };
    begins.filter(|_| appended && (ranges || reads()))
}

fn report(
    cx: &CheckContext<'_>,
    d: &Declaration<'_>,
    cut: &Cut,
    rule: &'static str,
) -> Option<RawFinding> {
    let view = View::with_facts(cx.db, cx.decl.file(cx.db), d.facts);
    let ty = view.underlying(d.facts.types.get(d.tree.unparen(cut.place))?);
    let TyKind::Slice(elem) = ty.kind() else {
        return None;
    };
    if !refers(&view, elem, true, 8)? || cleans(d, cut) {
        return None;
    }
    let cared_for = match cut.shape {
        Tail::Queue { .. } => is_cared_for(cx, d, cut, Care::Capacity),
        // Whoever sets it to nil lets go of it in time.
        Tail::Emptied => is_cared_for(cx, d, cut, Care::Nil) || resets_each(d, cut),
        _ => false,
    };
    if cared_for || is_replaced_later(d, cut) {
        return None;
    }
    // Strings alone are seldom large.
    let large = refers(&view, elem, false, 8)?;
    let long = holds_much(&view, elem) && lives_long(&view, d, cut);
    let severity = match cut.shape {
        // Of a stack, the next push writes there.
        Tail::Cut { bound } if long && takes_last(d, cut, bound) => Severity::Hint,
        // What is appended next is written over it.
        _ if fills_later(d, cut) => return None,
        // A heap of one call, or of which nothing is ever popped, keeps nothing for long.
        Tail::Cut { .. } if is_heap(&view, d, cut) => heap_severity(cx, &view, d, cut)?,
        Tail::Cut { .. } | Tail::Removed { .. } | Tail::Filtered { .. } if long => {
            Severity::Information
        }
        Tail::Emptied if !large || fills(d, &cut.slot) => return None,
        _ => Severity::Hint,
    };
    let name = match (&cut.slot.path[..], cut.slot.root) {
        ([.., last], _) => *last,
        ([], Root::Variable(item)) => item.name,
        ([], Root::Local(local)) => d.facts.locals[local].ident.name,
    };
    let message = match cut.shape {
        Tail::Cut { .. } => format!(
            "what is cut off `{name}` stays reachable behind its end until something else is written there"
        ),
        Tail::Filtered { .. } => {
            format!("what is filtered out of `{name}` leaves elements reachable behind its new end")
        }
        Tail::Removed { .. } => format!(
            "what lies behind the new end of `{name}` still refers to elements that were last, and keeps them when they have been removed"
        ),
        Tail::Queue { .. } => format!(
            "what is taken off the front of `{name}` stays reachable until `append` moves the rest to a new array"
        ),
        Tail::Emptied => {
            format!("the elements of `{name}` stay reachable until others are written over them")
        }
    };
    let range = d.tree[cut.stmt].range;
    let literal = enclosing_literal(d.tree, range);
    let nilable = matches!(
        view.underlying(elem).kind(),
        TyKind::Pointer(_)
            | TyKind::Interface(_)
            | TyKind::Map(..)
            | TyKind::Slice(_)
            | TyKind::Chan(..)
            | TyKind::Func(_)
    );
    let related = match cut.shape {
        Tail::Filtered { kept } => filtered(d, &cut.slot, kept)
            .map(|begin| {
                step(
                    "what is kept is written to the same array from here on",
                    d.tree[begin].range,
                )
            })
            .into_iter()
            .collect(),
        _ => Vec::new(),
    };
    let retained = Retained::Tail {
        shape: cut.shape,
        place: cut.place,
        alone: cut.alone,
        nilable,
        ranged: is_ranged(d, cut),
    };
    let site = FixSite::pattern(
        literal,
        cut.value,
        Some(cut.stmt),
        Pattern::Retained(retained),
        cx.in_test,
    );
    Some(RawFinding {
        rule,
        severity,
        message,
        range,
        function: function_name(cx, literal),
        related,
        site: Some(Box::new(site)),
    })
}

/// Whether values of a type refer to something that may be large; `None` if that is not known. Whether strings do is for the caller to say.
fn refers(view: &View<'_>, ty: &Ty, strings: bool, depth: u32) -> Option<bool> {
    if depth == 0 || ty.is_named("time", "Time") {
        return Some(false);
    }
    if ty.is_error() {
        return Some(true);
    }
    match view.underlying(ty).kind() {
        TyKind::Pointer(_)
        | TyKind::Map(..)
        | TyKind::Chan(..)
        | TyKind::Func(_)
        | TyKind::Slice(_) => Some(true),
        TyKind::Interface(_) => Some(true),
        TyKind::Basic(Basic::String) => Some(strings),
        TyKind::Basic(basic) => Some(*basic == Basic::UnsafePointer),
        TyKind::Array(_, elem) => refers(view, elem, strings, depth - 1),
        TyKind::Struct(fields) => {
            let mut unknown = false;
            for field in fields {
                match refers(view, &field.ty, strings, depth - 1) {
                    Some(true) => return Some(true),
                    Some(false) => {}
                    None => unknown = true,
                }
            }
            (!unknown).then_some(false)
        }
        _ => None,
    }
}

/// Whether an element is a reference, or a struct that has more than a pointer to something: a slice, a map, an interface, a function.
pub(crate) fn holds_much(view: &View<'_>, ty: &Ty) -> bool {
    let is_more = |ty: &Ty| {
        matches!(
            view.underlying(ty).kind(),
            TyKind::Slice(_)
                | TyKind::Map(..)
                | TyKind::Interface(_)
                | TyKind::Func(_)
                | TyKind::Chan(..)
        )
    };
    match view.underlying(ty).kind() {
        TyKind::Pointer(_) => true,
        TyKind::Struct(fields) => fields.iter().any(|field| is_more(&field.ty)),
        _ => is_more(ty),
    }
}

/// Whether the declaration puts something else in the place of elements: nil, a zero value, `clear`, all of it nil.
fn cleans(d: &Declaration<'_>, cut: &Cut) -> bool {
    let mentions = |expr: ExprId| {
        d.tree.walk(expr, Literals::Skip).any(|node| {
            node.expr()
                .is_some_and(|e| is(d, e, &cut.slot) || is_alias(d, e, &cut.slot))
        })
    };
    let is_zero = |value: ExprId| {
        let value = d.tree.unparen(value);
        d.is_nil(value)
            || match &d.tree[value].kind {
                ExprKind::Composite { elements, .. } => elements.is_empty(),
                ExprKind::Ident(_) => match d.facts.refs.get(value) {
                    Some(Res::Local(local)) => d.facts.locals[*local].assignments == 0,
                    _ => false,
                },
                ExprKind::Star(_) => true,
                _ => false,
            }
    };
    let assigns = d.tree.stmts.iter().any(|(_, stmt)| match &stmt.kind {
        StmtKind::Assign { lhs, rhs, .. } if lhs.len() == rhs.len() => {
            (lhs.iter().zip(rhs)).any(|(target, value)| {
                let target = d.tree.unparen(*target);
                match d.tree[target].kind {
                    ExprKind::Index { base, .. } => is_zero(*value) && mentions(base),
                    _ => d.is_nil(*value) && is(d, target, &cut.slot),
                }
            })
        }
        _ => false,
    });
    assigns
        || d.tree.exprs.iter().any(|(id, expr)| match &expr.kind {
            ExprKind::Call { args, .. } => {
                matches!(d.facts.callees.get(id), Some(Callee::Builtin(name)) if *name == "clear")
                    && args.first().is_some_and(|arg| mentions(*arg))
            }
            _ => false,
        })
}

/// Whether a local variable was given the slice, or a part of it.
fn is_alias(d: &Declaration<'_>, expr: ExprId, wanted: &Slot) -> bool {
    let Some(Res::Local(local)) = d.facts.refs.get(d.tree.unparen(expr)) else {
        return false;
    };
    let Some((value, _)) = d.only_value(*local) else {
        return false;
    };
    let mut value = d.tree.unparen(value);
    while let ExprKind::Slice { base, .. } = d.tree[value].kind {
        value = d.tree.unparen(base);
    }
    is(d, value, wanted)
}

/// Whether something is appended to the slice behind the statement that cuts it.
fn fills_later(d: &Declaration<'_>, cut: &Cut) -> bool {
    let end = d.tree[cut.stmt].range.end();
    d.tree.exprs.iter().any(|(id, expr)| match &expr.kind {
        ExprKind::Call { args, .. } if expr.range.start() >= end => {
            matches!(d.facts.callees.get(id), Some(Callee::Builtin(name)) if *name == "append")
                && args.first().is_some_and(|arg| is(d, *arg, &cut.slot))
        }
        _ => false,
    })
}

/// What functions do with a field that keeps little of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Care {
    /// They look at its capacity, to make it anew when little of it is left.
    Capacity,
    /// They set it to nil.
    Nil,
}

/// Whether some function of the package does this with the field that is cut.
fn is_cared_for(cx: &CheckContext<'_>, d: &Declaration<'_>, cut: &Cut, care: Care) -> bool {
    let Some(Res::Field {
        owner: Some(owner),
        name,
    }) = d.facts.refs.get(d.tree.unparen(cut.place))
    else {
        return false;
    };
    let package = package_of_decl(cx.db, cx.decl);
    (package_decls(cx.db, package).iter())
        .any(|decl| cares(cx.db, *decl).contains(&(*owner, *name, care)))
}

/// What a declaration does with fields of slices.
#[salsa::tracked(returns(ref))]
fn cares(db: &dyn Db, decl: DeclId) -> Vec<(ItemRef, Name, Care)> {
    let tree = decl_tree(db, decl);
    let asked = tree.exprs.iter().filter_map(|(_, expr)| match &expr.kind {
        ExprKind::Call { func, args, .. } => match tree[tree.unparen(*func)].kind {
            ExprKind::Ident(name) if name == "cap" => Some((*args.first()?, Care::Capacity)),
            _ => None,
        },
        _ => None,
    });
    let set = tree.stmts.iter().flat_map(|(_, stmt)| match &stmt.kind {
        StmtKind::Assign { lhs, rhs, .. } if lhs.len() == rhs.len() => (lhs.iter().zip(rhs))
            .filter(|(target, value)| {
                matches!(tree[**target].kind, ExprKind::Selector { .. })
                    && tree.ident(**value).is_some_and(|i| i.name == "nil")
            })
            .map(|(target, _)| (*target, Care::Nil))
            .collect(),
        _ => Vec::new(),
    });
    let found: Vec<(ExprId, Care)> = asked.chain(set).collect();
    if found.is_empty() {
        return Vec::new();
    }
    let facts = facts(db, decl);
    (found.into_iter())
        .filter_map(|(field, care)| match facts.refs.get(tree.unparen(field))? {
            Res::Field {
                owner: Some(owner),
                name,
            } => Some((*owner, *name, care)),
            _ => None,
        })
        .collect()
}

/// Whether a loop over the slice calls a method of each element before it is cut.
fn resets_each(d: &Declaration<'_>, cut: &Cut) -> bool {
    let start = d.tree[cut.stmt].range.start();
    d.tree.stmts.iter().any(|(_, stmt)| {
        let StmtKind::Range {
            value, over, body, ..
        } = &stmt.kind
        else {
            return false;
        };
        let element = value.and_then(|v| d.facts.refs.get(d.tree.unparen(v)));
        let is_element = |e: ExprId| match d.tree[d.tree.unparen(e)].kind {
            ExprKind::Index { base, .. } => is(d, base, &cut.slot),
            ExprKind::Ident(_) => {
                element.is_some() && d.facts.refs.get(d.tree.unparen(e)) == element
            }
            _ => false,
        };
        stmt.range.end() <= start
            && is(d, *over, &cut.slot)
            && d.tree.exprs.iter().any(|(_, e)| match e.kind {
                ExprKind::Call { func, .. } if body.range.contains_range(e.range) => {
                    matches!(d.tree[d.tree.unparen(func)].kind, ExprKind::Selector { base, .. }
                        if is_element(base))
                }
                _ => false,
            })
    })
}

/// Whether the slice gets another array behind the statement that cuts it.
fn is_replaced_later(d: &Declaration<'_>, cut: &Cut) -> bool {
    let end = d.tree[cut.stmt].range.end();
    let is_part = |value: ExprId| {
        let mut at = d.tree.unparen(value);
        for _ in 0..16 {
            match &d.tree[at].kind {
                ExprKind::Slice { base, .. } => at = d.tree.unparen(*base),
                ExprKind::Call { args, .. } if matches!(d.facts.callees.get(at), Some(Callee::Builtin(name)) if *name == "append") =>
                {
                    let Some(first) = args.first() else { break };
                    at = d.tree.unparen(*first);
                }
                _ => break,
            }
        }
        is(d, at, &cut.slot)
            || is_alias(d, at, &cut.slot)
            || filtered(d, &cut.slot, at).is_some()
            || matches!(d.tree[at].kind, ExprKind::Call { .. })
    };
    d.tree.stmts.iter().any(|(_, stmt)| match &stmt.kind {
        StmtKind::Assign {
            lhs,
            op: AssignOp::Assign,
            rhs,
        } if stmt.range.start() >= end && lhs.len() == rhs.len() => (lhs.iter().zip(rhs))
            .any(|(target, value)| is(d, *target, &cut.slot) && !is_part(*value)),
        _ => false,
    })
}

/// Whether something is popped off heaps in a package.
#[salsa::tracked]
fn pops(db: &dyn Db, package: PackageId) -> bool {
    package_decls(db, package).iter().any(|decl| {
        let tree = decl_tree(db, *decl);
        tree.exprs.iter().any(|(_, expr)| match &expr.kind {
            ExprKind::Call { func, args, .. } => {
                !args.is_empty()
                    && last_name(&tree, *func).is_some_and(|n| n == "Pop" || n == "Remove")
            }
            _ => false,
        })
    })
}

/// How bad it is that a heap keeps what is popped off it: information if structs of the package that several goroutines share have it, be it
/// in other structs, a hint if others have. `None` where nothing is ever popped, and for heaps that no struct has.
fn heap_severity(
    cx: &CheckContext<'_>,
    view: &View<'_>,
    d: &Declaration<'_>,
    cut: &Cut,
) -> Option<Severity> {
    /// A struct in a struct in a struct.
    const DEEP: u32 = 3;
    let Root::Local(local) = cut.slot.root else {
        return None;
    };
    let TyKind::Pointer(heap) = d.facts.locals[local].ty.kind() else {
        return None;
    };
    let package = package_of_decl(cx.db, cx.decl);
    if !*pops(cx.db, package) {
        return None;
    }
    let path = import_path(cx.db, package);
    let index = package_index(cx.db, package);
    let types: Vec<Ty> = (index.own_items())
        .filter(|item| item.decl().sort(cx.db) == DeclSort::Type)
        .map(|item| Ty::named(path.as_str(), item.name().as_str()))
        .collect();
    let mut held = vec![heap.clone()];
    for _ in 0..DEEP {
        let holders: Vec<&Ty> = (types.iter())
            .filter(|ty| !held.contains(ty) && holds_one_of(view, ty, &held))
            .collect();
        if holders.iter().any(|ty| is_shared(view, ty)) {
            return Some(Severity::Information);
        }
        if holders.is_empty() {
            break;
        }
        held.extend(holders.into_iter().cloned());
    }
    (held.len() > 1).then_some(Severity::Hint)
}

/// Whether a struct has a field of one of these types: a value, a pointer, or a collection of them.
fn holds_one_of(view: &View<'_>, ty: &Ty, held: &[Ty]) -> bool {
    let underlying = view.underlying(ty);
    let TyKind::Struct(fields) = underlying.kind() else {
        return false;
    };
    fields.iter().any(|field| {
        let mut ty = &field.ty;
        while let TyKind::Pointer(of) | TyKind::Slice(of) | TyKind::Map(_, of) = ty.kind() {
            ty = of;
        }
        held.contains(ty)
    })
}

/// Whether the declaration appends to the slice.
fn fills(d: &Declaration<'_>, wanted: &Slot) -> bool {
    d.tree.exprs.iter().any(|(id, expr)| match &expr.kind {
        ExprKind::Call { args, .. } => {
            matches!(d.facts.callees.get(id), Some(Callee::Builtin(name)) if *name == "append")
                && args.first().is_some_and(|arg| {
                    let mut arg = d.tree.unparen(*arg);
                    while let ExprKind::Slice { base, .. } = d.tree[arg].kind {
                        arg = d.tree.unparen(base);
                    }
                    is(d, arg, wanted)
                })
        }
        _ => false,
    })
}

/// Whether the slice lives as long as the program, as far as can be told: in a package-level variable, or in a struct that several goroutines
/// share, because it has a lock or a channel.
fn lives_long(view: &View<'_>, d: &Declaration<'_>, cut: &Cut) -> bool {
    if matches!(cut.slot.root, Root::Variable(_)) {
        return true;
    }
    if cut.slot.path.is_empty() {
        return false;
    }
    let mut at = d.tree.unparen(cut.place);
    for _ in 0..16 {
        let ExprKind::Selector { base, .. } = d.tree[at].kind else {
            return false;
        };
        let base = d.tree.unparen(base);
        if let Some(ty) = d.facts.types.get(base)
            && is_shared(view, ty)
        {
            return true;
        }
        at = base;
    }
    false
}

/// A heap is there for what is pushed and popped all the time.
fn is_heap(view: &View<'_>, d: &Declaration<'_>, cut: &Cut) -> bool {
    let (Root::Local(local), []) = (cut.slot.root, &cut.slot.path[..]) else {
        return false;
    };
    let heap = Ty::named("container/heap", "Interface");
    view.implements(&d.facts.locals[local].ty, &heap) == Some(true)
}

/// Whether the element at the new end is taken out, rather than moved to another place of the slice.
fn takes_last(d: &Declaration<'_>, cut: &Cut, bound: ExprId) -> bool {
    let own = |e: ExprId| is(d, e, &cut.slot) || is_alias(d, e, &cut.slot);
    let moved: Vec<ExprId> = (d.tree.stmts.iter())
        .flat_map(|(_, stmt)| match &stmt.kind {
            // What is written to, and what is moved there.
            StmtKind::Assign { lhs, rhs, .. } if lhs.len() == rhs.len() => (lhs.iter().zip(rhs))
                .filter(|(target, _)| {
                    let target = &d.tree[d.tree.unparen(**target)].kind;
                    matches!(target, ExprKind::Index { base, .. } if own(*base))
                })
                .flat_map(|(target, value)| [d.tree.unparen(*target), d.tree.unparen(*value)])
                .collect(),
            _ => Vec::new(),
        })
        .collect();
    d.tree.exprs.iter().any(|(id, expr)| match &expr.kind {
        ExprKind::Index { base, indices } => {
            !moved.contains(&id) && own(*base) && indices.iter().any(|i| is_same(d, *i, bound))
        }
        _ => false,
    })
}

/// Whether two expressions of names, numbers, sums and lengths are written alike.
fn is_same(d: &Declaration<'_>, a: ExprId, b: ExprId) -> bool {
    let (a, b) = (d.tree.unparen(a), d.tree.unparen(b));
    match (&d.tree[a].kind, &d.tree[b].kind) {
        (ExprKind::Ident(x), ExprKind::Ident(y)) => x == y,
        (ExprKind::Literal(x), ExprKind::Literal(y)) => x == y,
        (ExprKind::Selector { base: x, name: n }, ExprKind::Selector { base: y, name: m }) => {
            n.name == m.name && is_same(d, *x, *y)
        }
        (ExprKind::Star(x), ExprKind::Star(y)) => is_same(d, *x, *y),
        (
            ExprKind::Binary { op, lhs, rhs },
            ExprKind::Binary {
                op: other,
                lhs: l,
                rhs: r,
            },
        ) => op == other && is_same(d, *lhs, *l) && is_same(d, *rhs, *r),
        (
            ExprKind::Call { func, args, .. },
            ExprKind::Call {
                func: f, args: a, ..
            },
        ) => {
            is_same(d, *func, *f)
                && args.len() == a.len()
                && args.iter().zip(a).all(|(x, y)| is_same(d, *x, *y))
        }
        _ => false,
    }
}

fn is_shared(view: &View<'_>, ty: &Ty) -> bool {
    let ty = match ty.kind() {
        TyKind::Pointer(inner) => inner,
        _ => ty,
    };
    match view.underlying(ty).kind() {
        TyKind::Struct(fields) => fields.iter().any(|field| {
            let ty = match field.ty.kind() {
                TyKind::Pointer(inner) => inner,
                _ => &field.ty,
            };
            matches!(ty.kind(), TyKind::Chan(..))
                || ["Mutex", "RWMutex", "Cond", "WaitGroup", "Once"]
                    .iter()
                    .any(|name| ty.is_named("sync", name))
        }),
        _ => false,
    }
}

/// Whether the slice is being ranged over, and goes on to be.
fn is_ranged(d: &Declaration<'_>, cut: &Cut) -> bool {
    let range = d.tree[cut.stmt].range;
    let ranges = d.tree.stmts.iter().any(|(_, stmt)| match &stmt.kind {
        StmtKind::Range { over, body, .. } => {
            body.range.contains_range(range)
                && (is(d, *over, &cut.slot) || is_alias(d, *over, &cut.slot))
        }
        _ => false,
    });
    ranges && !leaves_next(d, cut.stmt)
}

/// Whether the statement right behind one leaves the loop.
fn leaves_next(d: &Declaration<'_>, stmt: StmtId) -> bool {
    let end = d.tree[stmt].range.end();
    let next = (d.tree.stmts.iter())
        .map(|(_, s)| s)
        .filter(|s| s.range.start() >= end)
        .min_by_key(|s| (s.range.start(), std::cmp::Reverse(s.range.len())));
    let Some(next) = next else { return false };
    let same_block = d.tree.stmts.iter().all(|(_, s)| {
        let blocks = match &s.kind {
            StmtKind::If { then, .. } => vec![then.range],
            StmtKind::For { body, .. } | StmtKind::Range { body, .. } => vec![body.range],
            StmtKind::Block(block) => vec![block.range],
            StmtKind::Switch { cases, .. } | StmtKind::TypeSwitch { cases, .. } => {
                cases.iter().map(|c| c.range).collect()
            }
            _ => Vec::new(),
        };
        (blocks.iter())
            .all(|b| b.contains_range(d.tree[stmt].range) == b.contains_range(next.range))
    });
    same_block
        && matches!(
            next.kind,
            StmtKind::Return(_)
                | StmtKind::Branch {
                    kind: go_syntax::ast::BranchKind::Break,
                    ..
                }
        )
}

/// Whether an expression can be written a second time: names, numbers, lengths.
pub(crate) fn is_repeatable(d_tree: &go_syntax::ast::DeclTree, expr: ExprId) -> bool {
    match &d_tree[d_tree.unparen(expr)].kind {
        ExprKind::Ident(_) | ExprKind::Literal(_) => true,
        ExprKind::Selector { base, .. } => is_repeatable(d_tree, *base),
        ExprKind::Star(base) => is_repeatable(d_tree, *base),
        ExprKind::Binary {
            op: BinaryOp::Add | BinaryOp::Sub,
            lhs,
            rhs,
        } => is_repeatable(d_tree, *lhs) && is_repeatable(d_tree, *rhs),
        ExprKind::Call { func, args, .. } => {
            matches!(d_tree[d_tree.unparen(*func)].kind, ExprKind::Ident(name) if name == "len")
                && args.iter().all(|a| is_repeatable(d_tree, *a))
        }
        _ => false,
    }
}
