//! The fix that keeps pointers in a pool.
//!
//! It changes every function that uses the pool, and what makes its values, at once. A pointer saves an allocation only where a function puts
//! back the variable that it took out: an address of anything else is allocated too.

use go_model::facts::{Facts, LocalId, Res};
use go_model::types::{Ty, TyKind};
use go_syntax::Name;
use go_syntax::ast::{AssignOp, DeclKind, DeclTree, ExprId, ExprKind, StmtId, StmtKind, ValueSpec};
use text_size::{TextRange, TextSize};

use super::Cx;
use crate::edit::{EditBuilder, usize_range};
use crate::{Fix, Safety};

/// A declaration of the file that is mended.
struct Place<'a> {
    tree: &'a DeclTree,
    facts: &'a Facts,
    start: TextSize,
    text: &'a str,
}

/// `x := pool.Get().(T)`.
struct Get {
    local: LocalId,
    target: ExprId,
    ty: ExprId,
    stmt: StmtId,
}

/// `pool.Put(x)` or `pool.Put(x[:0])`.
struct Put {
    local: LocalId,
    value: ExprId,
    stmt: StmtId,
    cut: bool,
}

/// Every use of the pool is changed to one of a pointer.
pub(super) fn store_pointer(cx: &Cx<'_>, pool: Name) -> Option<Fix> {
    if pool.as_str().starts_with(char::is_uppercase) {
        return None;
    }
    let mut builder = cx.builder();
    let mut types: Vec<Ty> = Vec::new();
    for naming in (cx.ctx.naming)(pool) {
        let place = Place {
            tree: &naming.tree,
            facts: &naming.facts,
            start: naming.start?,
            text: cx.ctx.text,
        };
        types.push(match place.declared(pool) {
            Some(spec) => point_new(&mut builder, &place, spec)?,
            None => point(cx, &mut builder, &place, pool)?,
        });
    }
    if types.len() < 2 || types.iter().any(|ty| *ty != types[0]) {
        return None;
    }
    builder.fix(
        format!("keep a pointer in the pool (changes every use of `{pool}`)"),
        Safety::Unsafe,
    )
}

/// Changes what a declaration does with the pool; the type of what it takes out.
fn point(cx: &Cx<'_>, builder: &mut EditBuilder<'_>, place: &Place<'_>, pool: Name) -> Option<Ty> {
    if place.tree.has_error {
        return None;
    }
    let (mut gets, mut puts) = (Vec::new(), Vec::new());
    for (mention, expr) in place.tree.exprs.iter() {
        if !matches!(expr.kind, ExprKind::Ident(name) if name == pool) {
            continue;
        }
        let of_pool = matches!(place.facts.refs.get(mention), Some(Res::Package(item))
            if item.package == cx.ctx.package && item.name == pool);
        if !of_pool {
            return None;
        }
        match place.method(mention)? {
            (call, "Get") => gets.push(place.get(call)?),
            (call, "Put") => puts.push(place.put(call)?),
            _ => return None,
        }
    }
    let [get] = &gets[..] else { return None };
    if puts.is_empty() || puts.iter().any(|put| put.local != get.local) {
        return None;
    }
    let local = &place.facts.locals[get.local];
    let name = local.ident.name;
    let pointer = format!("{name}Ptr");
    if place.has_name(&pointer) {
        return None;
    }
    // What is put back a second time would be another value, but the same pointer.
    if local.assignments > 1 && puts.len() > 1 {
        return None;
    }
    let ty = place.facts.types.get(get.ty)?;
    // What is in the variable now goes back; fields and elements of arrays may be set without assigning to all of it.
    let as_taken = local.assignments == 1 && matches!(ty.kind(), TyKind::Slice(_));
    let writes = |put: &Put| put.cut || !as_taken;
    let used = local.reads as usize > puts.len() || puts.iter().any(writes);
    if local.address_taken || !used {
        return None;
    }
    builder.replace(place.abs(place.tree[get.target].range), pointer.clone());
    builder.insert(place.abs(place.tree[get.ty].range).start, "*");
    builder.insert_after(
        place.abs(place.tree[get.stmt].range),
        &format!("{name} := *{pointer}"),
    )?;
    for put in &puts {
        let value = place.abs(place.tree[put.value].range);
        if writes(put) {
            let source = place.text.get(value.clone())?;
            let stmt = place.abs(place.tree[put.stmt].range);
            builder.insert_before(stmt, &format!("*{pointer} = {source}"))?;
        }
        builder.replace(value, pointer.clone());
    }
    Some(ty.clone())
}

impl Place<'_> {
    fn abs(&self, range: TextRange) -> std::ops::Range<usize> {
        usize_range(range + self.start)
    }

    fn has_name(&self, wanted: &str) -> bool {
        let mut locals = self.facts.locals.iter();
        locals.any(|(_, local)| local.ident.name == wanted)
            || (self.tree.exprs.iter())
                .any(|(_, e)| matches!(e.kind, ExprKind::Ident(name) if name == wanted))
    }

    /// Where the pool is declared.
    fn declared(&self, pool: Name) -> Option<&ValueSpec> {
        let DeclKind::Var(specs) = &self.tree.kind else {
            return None;
        };
        specs
            .iter()
            .find(|s| s.names.iter().any(|n| n.name == pool))
    }

    /// The call of a method of something, and the method's name.
    fn method(&self, base: ExprId) -> Option<(ExprId, &'static str)> {
        let mut exprs = self.tree.exprs.iter();
        let (selector, name) = exprs.find_map(|(id, e)| match &e.kind {
            ExprKind::Selector { base: b, name } if *b == base => Some((id, name.name)),
            _ => None,
        })?;
        let mut exprs = self.tree.exprs.iter();
        let call = exprs.find_map(|(id, e)| match &e.kind {
            ExprKind::Call { func, .. } if *func == selector => Some(id),
            _ => None,
        })?;
        Some((call, name.as_str()))
    }

    fn local(&self, expr: ExprId) -> Option<LocalId> {
        match self.facts.refs.get(expr)? {
            Res::Local(local) => Some(*local),
            _ => None,
        }
    }

    fn get(&self, call: ExprId) -> Option<Get> {
        let mut exprs = self.tree.exprs.iter();
        let (assertion, ty) = exprs.find_map(|(id, e)| match e.kind {
            ExprKind::TypeAssert { base, ty } if base == call => Some((id, ty?)),
            _ => None,
        })?;
        self.tree.stmts.iter().find_map(|(stmt, s)| match &s.kind {
            StmtKind::Assign {
                lhs,
                op: AssignOp::Define,
                rhs,
            } if rhs[..] == [assertion] => match lhs[..] {
                [target] => Some(Get {
                    local: self.local(target)?,
                    target,
                    ty,
                    stmt,
                }),
                _ => None,
            },
            _ => None,
        })
    }

    fn put(&self, call: ExprId) -> Option<Put> {
        let ExprKind::Call { args, .. } = &self.tree[call].kind else {
            return None;
        };
        let [value] = args[..] else { return None };
        let (base, cut) = match self.tree[value].kind {
            ExprKind::Slice {
                base,
                low: None,
                high: Some(high),
                max: None,
            } if self.tree.int_value(high) == Some(0) => (base, true),
            _ => (value, false),
        };
        let local = self.local(base)?;
        self.tree.stmts.iter().find_map(|(stmt, s)| {
            let is_put = matches!(s.kind, StmtKind::Expr(e) | StmtKind::Defer(e) if e == call);
            is_put.then_some(Put {
                local,
                value,
                stmt,
                cut,
            })
        })
    }
}

/// `New` returns the address of what it makes; the type of that.
fn point_new(builder: &mut EditBuilder<'_>, place: &Place<'_>, spec: &ValueSpec) -> Option<Ty> {
    let tree = place.tree;
    let [value] = spec.values[..] else {
        return None;
    };
    let ExprKind::Composite { elements, .. } = &tree[value].kind else {
        return None;
    };
    let [element] = &elements[..] else {
        return None;
    };
    if !matches!(tree[element.key?].kind, ExprKind::Ident(name) if name == "New") {
        return None;
    }
    let literal = tree.func_lit(element.value)?;
    let [only] = literal.body.stmts[..] else {
        return None;
    };
    let StmtKind::Return(values) = &tree[only].kind else {
        return None;
    };
    let [made] = values[..] else { return None };
    let text = |id: ExprId| place.text.get(place.abs(tree[id].range));
    let source = text(made)?;
    if source.contains('\n') {
        return None;
    }
    let stmt = place.abs(tree[only].range);
    if text(element.value)?.contains('\n') {
        builder.insert_before(stmt, &format!("v := {source}"))?;
        builder.replace(place.abs(tree[made].range), "&v");
    } else {
        builder.replace(stmt, format!("v := {source}; return &v"));
    }
    place.facts.types.get(made).cloned()
}
