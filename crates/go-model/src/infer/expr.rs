//! Expressions.

use go_syntax::Name;
use go_syntax::ast::{
    ArrayLen, BinaryOp, ChanDir, Element, ExprId, ExprKind, FuncLit, Ident, LiteralKind, UnaryOp,
};

use super::item::{expand_alias, predeclared_type};
use super::{Entity, Infer, Item, Operand};
use crate::facts::{Callee, ItemRef, LiteralFacts, LocalId, LocalKind, Res};
use crate::members::{Lookup, Member};
use crate::types::{Basic, FuncSig, NamedTy, Ty, TyKind};

impl<'a> Infer<'a> {
    /// Looks at an expression and gives the type of its value.
    pub(super) fn expr(&mut self, expr: ExprId) -> Ty {
        match self.operand(expr) {
            Operand::Value(ty) => ty,
            _ => Ty::unknown(),
        }
    }

    /// Like [`Infer::expr`], for a composite literal that may leave its type out.
    pub(super) fn expr_expecting(&mut self, expr: ExprId, expected: Option<&Ty>) -> Ty {
        if let ExprKind::Composite { ty: None, elements } = &self.tree[expr].kind {
            let expected = expected.cloned().unwrap_or_else(Ty::unknown);
            self.elided_composite(expr, elements, &expected);
            return self.type_of(expr);
        }
        self.expr(expr)
    }

    /// The type found for an expression before.
    pub(super) fn type_of(&self, expr: ExprId) -> Ty {
        self.facts
            .types
            .get(expr)
            .cloned()
            .unwrap_or_else(Ty::unknown)
    }

    pub(super) fn default_type(&self, ty: Ty) -> Ty {
        match ty.kind() {
            TyKind::Basic(Basic::UntypedNil) => Ty::unknown(),
            TyKind::Basic(b) if b.is_untyped() => b.default_type().into(),
            TyKind::Tuple(_) => Ty::unknown(),
            _ => ty,
        }
    }

    /// What kind of operand an expression is that was looked at before, without counting uses again. Names and conversions only.
    pub(super) fn operand_again(&self, expr: ExprId) -> Option<Operand> {
        let expr = self.unparen(expr);
        match self.facts.refs.get(expr) {
            Some(Res::Builtin(name)) => return Some(Operand::Builtin(*name)),
            Some(Res::Type) => return Some(Operand::Type(self.type_of(expr))),
            Some(Res::Package(item)) => {
                return match self.item(item)? {
                    Item::Type | Item::Alias(_) => Some(Operand::Type(self.type_of(expr))),
                    Item::Builtin => Some(Operand::Builtin(item.name)),
                    _ => None,
                };
            }
            _ => {}
        }
        None
    }

    fn item(&self, item: &ItemRef) -> Option<Item> {
        self.imported_item(item.package, item.name)
    }

    pub(super) fn imported_item(&self, path: Name, name: Name) -> Option<Item> {
        self.cache.item(self.db, &self.scope, path, name)
    }

    pub(super) fn unparen(&self, mut expr: ExprId) -> ExprId {
        while let ExprKind::Paren(inner) = self.tree[expr].kind {
            expr = inner;
        }
        expr
    }

    /// A package-level name: of the package, or imported with a dot.
    pub(super) fn package_item(&self, name: Name) -> Option<(ItemRef, Item)> {
        if self.declared_in_package(name) {
            let package = self.scope.package;
            let item = self.imported_item(package, name)?;
            return Some((ItemRef { package, name }, item));
        }
        if self.scope.imports.dots.is_empty() || !name.is_exported() {
            return None;
        }
        self.scope.imports.dots.iter().find_map(|dot| {
            let item = self.imported_item(dot.path, name)?;
            let package = dot.path;
            Some((ItemRef { package, name }, item))
        })
    }

    /// The `dots` of the file may bring in names that are not known.
    fn unknown_dot(&self) -> bool {
        self.scope
            .imports
            .dots
            .iter()
            .any(|dot| dot.package.is_none() && crate::std_table::package_name(dot.path).is_none())
    }

    pub(super) fn operand(&mut self, expr: ExprId) -> Operand {
        let tree = self.tree;
        let operand = match &tree[expr].kind {
            ExprKind::Bad => Operand::Unknown,
            ExprKind::Ident(name) => return self.ident(expr, *name),
            ExprKind::Literal(literal) => Operand::Value(
                match literal.kind {
                    LiteralKind::Int => Basic::UntypedInt,
                    LiteralKind::Float => Basic::UntypedFloat,
                    LiteralKind::Imaginary => Basic::UntypedComplex,
                    LiteralKind::Rune => Basic::UntypedRune,
                    LiteralKind::String => Basic::UntypedString,
                }
                .into(),
            ),
            ExprKind::Composite { ty, elements } => {
                let ty = match ty {
                    Some(ty) => self.composite_type(*ty, elements),
                    None => Ty::unknown(),
                };
                self.elements(elements, &ty);
                Operand::Value(ty)
            }
            ExprKind::FuncLit(literal) => Operand::Value(self.func_lit(expr, literal)),
            ExprKind::Paren(inner) => self.operand(*inner),
            ExprKind::Selector { base, name } => return self.selector(expr, *base, *name),
            ExprKind::Index { base, indices } => self.index(*base, indices),
            ExprKind::Slice {
                base,
                low,
                high,
                max,
            } => {
                let ty = self.expr(*base);
                for bound in [low, high, max].into_iter().flatten() {
                    self.expr(*bound);
                }
                Operand::Value(self.slice_of(&ty))
            }
            ExprKind::TypeAssert { base, ty } => {
                self.expr(*base);
                match ty {
                    Some(ty) => Operand::Value(self.type_expr(*ty)),
                    None => Operand::Unknown,
                }
            }
            ExprKind::Call { func, args, spread } => {
                let ty = self.call(expr, *func, args, *spread);
                Operand::Value(ty)
            }
            ExprKind::Star(inner) => match self.operand(*inner) {
                Operand::Type(ty) => Operand::Type(pointer_type(&ty)),
                Operand::Value(ty) => {
                    Operand::Value(self.view().deref(&ty).unwrap_or_else(Ty::unknown))
                }
                _ => Operand::Unknown,
            },
            ExprKind::Unary { op, operand } => self.unary(*op, *operand),
            ExprKind::Binary { op, lhs, rhs } => {
                let x = self.operand(*lhs);
                let y = self.operand(*rhs);
                match (x, y) {
                    (Operand::Type(_), _) | (_, Operand::Type(_)) => Operand::Unknown,
                    (x, y) => {
                        let (x, y) = (value(x), value(y));
                        Operand::Value(self.binary(*op, &x, &y))
                    }
                }
            }
            ExprKind::ArrayType { len, elem } => {
                let len = match len {
                    ArrayLen::Slice => None,
                    ArrayLen::Auto => Some(None),
                    ArrayLen::Expr(len) => {
                        self.expr(*len);
                        Some(self.const_value(*len).and_then(|n| u64::try_from(n).ok()))
                    }
                };
                let elem = self.type_expr(*elem);
                Operand::Type(match len {
                    None => elem.slice_of(),
                    Some(len) => Ty::new(TyKind::Array(len, elem)),
                })
            }
            ExprKind::MapType { key, value } => {
                let key = self.type_expr(*key);
                let value = self.type_expr(*value);
                Operand::Type(Ty::new(TyKind::Map(key, value)))
            }
            ExprKind::ChanType { dir, elem } => {
                let elem = self.type_expr(*elem);
                Operand::Type(Ty::new(TyKind::Chan(*dir, elem)))
            }
            ExprKind::FuncType(signature) => {
                self.open();
                let sig = self.signature(signature);
                self.close();
                Operand::Type(Ty::new(TyKind::Func(sig)))
            }
            ExprKind::StructType(fields) => Operand::Type(self.struct_type(fields)),
            ExprKind::InterfaceType(elements) => Operand::Type(self.interface_type(elements)),
            ExprKind::Union(_) | ExprKind::Tilde(_) => Operand::Type(self.constraint(expr)),
        };
        if let Operand::Value(ty) | Operand::Type(ty) = &operand {
            self.set_type(expr, ty);
        }
        operand
    }

    fn ident(&mut self, expr: ExprId, name: Name) -> Operand {
        if let Some(entity) = self.in_scope(name).cloned() {
            return match entity {
                Entity::Local(local) => {
                    self.facts.locals[local].reads += 1;
                    self.local(expr, local)
                }
                Entity::Const(local, _) => {
                    self.facts.locals[local].reads += 1;
                    let ty = self.facts.locals[local].ty.clone();
                    self.set_res(expr, Res::Const);
                    self.set_type(expr, &ty);
                    Operand::Value(ty)
                }
                Entity::Type(ty) => {
                    self.set_res(expr, Res::Type);
                    self.set_type(expr, &ty);
                    Operand::Type(ty)
                }
            };
        }
        if name.is_blank() {
            return Operand::Unknown;
        }
        if let Some((item_ref, item)) = self.package_item(name) {
            self.set_res(expr, Res::Package(item_ref));
            return self.item_operand(expr, item_ref, item);
        }
        // The package declares it, but what it is depends on itself.
        if self.declared_in_package(name) {
            self.set_res(
                expr,
                Res::Package(ItemRef {
                    package: self.scope.package,
                    name,
                }),
            );
            return Operand::Unknown;
        }
        if let Some(target) = self.scope.imports.get(name) {
            self.set_res(expr, Res::Import(target.path));
            return Operand::Import(target.path);
        }
        if self.unknown_dot() && name.is_exported() {
            return Operand::Unknown;
        }
        self.predeclared(expr, name)
    }

    fn declared_in_package(&self, name: Name) -> bool {
        self.scope.names.contains(&name)
    }

    pub(super) fn local(&mut self, expr: ExprId, local: LocalId) -> Operand {
        self.note_capture(local);
        let ty = self.facts.locals[local].ty.clone();
        self.set_res(expr, Res::Local(local));
        self.set_type(expr, &ty);
        Operand::Value(ty)
    }

    fn predeclared(&mut self, expr: ExprId, name: Name) -> Operand {
        if let Some(ty) = predeclared_type(name) {
            self.set_res(expr, Res::Type);
            self.set_type(expr, &ty);
            return Operand::Type(ty);
        }
        let (res, basic) = match name.as_str() {
            "nil" => (Res::Nil, Basic::UntypedNil),
            "true" => (Res::Bool(true), Basic::UntypedBool),
            "false" => (Res::Bool(false), Basic::UntypedBool),
            "iota" if self.iota.is_some() => (Res::Const, Basic::UntypedInt),
            "append" | "cap" | "clear" | "close" | "complex" | "copy" | "delete" | "imag"
            | "len" | "make" | "max" | "min" | "new" | "panic" | "print" | "println" | "real"
            | "recover" => {
                self.set_res(expr, Res::Builtin(name));
                return Operand::Builtin(name);
            }
            _ => return Operand::Unknown,
        };
        self.set_res(expr, res);
        let ty = Ty::from(basic);
        self.set_type(expr, &ty);
        Operand::Value(ty)
    }

    fn item_operand(&mut self, expr: ExprId, item_ref: ItemRef, item: Item) -> Operand {
        let operand = match item {
            Item::Func(ty) | Item::Var(ty) | Item::Const(ty, _) => Operand::Value(ty),
            Item::Type => Operand::Type(Ty::new(TyKind::Named(NamedTy {
                package: item_ref.package,
                name: item_ref.name,
                args: Vec::new(),
                local: 0,
            }))),
            Item::Alias(alias) if alias.0.is_empty() => Operand::Type(alias.1.clone()),
            Item::Alias(alias) => Operand::Alias(alias),
            Item::Builtin => {
                self.set_res(expr, Res::Builtin(item_ref.name));
                return Operand::Builtin(item_ref.name);
            }
        };
        if let Operand::Value(ty) | Operand::Type(ty) = &operand {
            self.set_type(expr, ty);
        }
        operand
    }

    fn selector(&mut self, expr: ExprId, base: ExprId, name: Ident) -> Operand {
        let name = name.name;
        match self.operand(base) {
            Operand::Import(path) => {
                let item_ref = ItemRef {
                    package: path,
                    name,
                };
                self.set_res(expr, Res::Package(item_ref));
                match self.imported_item(path, name) {
                    Some(item) => self.item_operand(expr, item_ref, item),
                    None => Operand::Unknown,
                }
            }
            Operand::Value(ty) => {
                let found = self.view().select(&ty, name);
                match found {
                    Lookup::Found(Member::Field(field)) => {
                        self.set_res(
                            expr,
                            Res::Field {
                                owner: field.owner,
                                name,
                            },
                        );
                        self.set_type(expr, &field.ty);
                        Operand::Value(field.ty)
                    }
                    Lookup::Found(Member::Method(method)) => {
                        self.set_res(expr, Res::Method(method.method));
                        self.set_type(expr, &method.ty);
                        Operand::Value(method.ty)
                    }
                    Lookup::Absent | Lookup::Unknown => Operand::Value(Ty::unknown()),
                }
            }
            Operand::Type(ty) => {
                // A method expression: the receiver is the first parameter.
                let found = self.view().method(&ty, name);
                let Lookup::Found(method) = found else {
                    return Operand::Value(Ty::unknown());
                };
                self.set_res(expr, Res::Method(method.method));
                let out = match method.ty.kind() {
                    TyKind::Func(sig) => {
                        let mut sig = sig.clone();
                        sig.params.insert(0, ty);
                        Ty::new(TyKind::Func(sig))
                    }
                    _ => Ty::unknown(),
                };
                self.set_type(expr, &out);
                Operand::Value(out)
            }
            _ => Operand::Value(Ty::unknown()),
        }
    }

    fn index(&mut self, base: ExprId, indices: &'a [ExprId]) -> Operand {
        match self.operand(base) {
            Operand::Type(ty) => {
                let args: Vec<Ty> = indices.iter().map(|&i| self.type_expr(i)).collect();
                match ty.kind() {
                    TyKind::Named(named) if named.args.is_empty() => {
                        Operand::Type(Ty::new(TyKind::Named(NamedTy {
                            args,
                            ..named.clone()
                        })))
                    }
                    _ => Operand::Unknown,
                }
            }
            Operand::Alias(alias) => {
                let args: Vec<Ty> = indices.iter().map(|&i| self.type_expr(i)).collect();
                Operand::Type(expand_alias(&alias, &args))
            }
            Operand::Value(ty) => {
                if let TyKind::Func(sig) = ty.kind() {
                    let args: Vec<Ty> = indices.iter().map(|&i| self.type_expr(i)).collect();
                    return Operand::Value(self.instantiate_explicitly(sig, &args));
                }
                for &index in indices {
                    self.operand(index);
                }
                Operand::Value(self.view().element(&ty).unwrap_or_else(Ty::unknown))
            }
            Operand::Unknown | Operand::Import(_) | Operand::Builtin(_) => {
                for &index in indices {
                    self.operand(index);
                }
                Operand::Unknown
            }
        }
    }

    fn slice_of(&self, ty: &Ty) -> Ty {
        let under = self.underlying(ty);
        match under.kind() {
            TyKind::Array(_, elem) => elem.clone().slice_of(),
            TyKind::Pointer(inner) => match self.underlying(inner).kind() {
                TyKind::Array(_, elem) => elem.clone().slice_of(),
                _ => Ty::unknown(),
            },
            TyKind::Basic(Basic::UntypedString) => Basic::String.into(),
            TyKind::Slice(_) | TyKind::Basic(Basic::String) => ty.clone(),
            _ => match ty.kind() {
                // `~string | ~[]byte` and the like: a slice of it is of the same type.
                TyKind::TypeParam(_) => ty.clone(),
                _ => Ty::unknown(),
            },
        }
    }

    fn unary(&mut self, op: UnaryOp, operand: ExprId) -> Operand {
        let tree = self.tree;
        if op == UnaryOp::Address {
            let ty = value(self.operand(operand));
            self.mark_address(operand);
            return Operand::Value(pointer_type(&ty));
        }
        let inner = self.operand(operand);
        if op == UnaryOp::Receive {
            return match inner {
                Operand::Value(ty) => Operand::Value(match self.underlying(&ty).kind() {
                    TyKind::Chan(_, elem) => elem.clone(),
                    _ => Ty::unknown(),
                }),
                // `<-chan T` where the parser takes `chan T` for the operand.
                Operand::Type(ty) => match ty.kind() {
                    TyKind::Chan(ChanDir::Both, elem)
                        if matches!(tree[operand].kind, ExprKind::ChanType { .. }) =>
                    {
                        Operand::Type(Ty::new(TyKind::Chan(ChanDir::Receive, elem.clone())))
                    }
                    _ => Operand::Unknown,
                },
                _ => Operand::Value(Ty::unknown()),
            };
        }
        Operand::Value(value(inner))
    }

    /// The address of (a part of) a variable is taken. A part behind a pointer or in a slice is no part of the variable.
    fn mark_address(&mut self, mut expr: ExprId) {
        let tree = self.tree;
        loop {
            let base = match &tree[expr].kind {
                ExprKind::Paren(inner) => {
                    expr = *inner;
                    continue;
                }
                ExprKind::Selector { base, .. } | ExprKind::Index { base, .. } => *base,
                ExprKind::Ident(_) => {
                    if let Some(Res::Local(local)) = self.facts.refs.get(expr) {
                        self.facts.locals[*local].address_taken = true;
                    }
                    return;
                }
                _ => return,
            };
            let under = self.underlying(&self.type_of(base));
            if let TyKind::Pointer(_) | TyKind::Slice(_) | TyKind::Map(..) = under.kind() {
                return;
            }
            expr = base;
        }
    }

    pub(super) fn binary(&self, op: BinaryOp, x: &Ty, y: &Ty) -> Ty {
        match op {
            BinaryOp::Eq
            | BinaryOp::Ne
            | BinaryOp::Lt
            | BinaryOp::Le
            | BinaryOp::Gt
            | BinaryOp::Ge => Basic::UntypedBool.into(),
            BinaryOp::Shl | BinaryOp::Shr => match x.kind() {
                TyKind::Basic(Basic::UntypedFloat | Basic::UntypedComplex) => {
                    Basic::UntypedInt.into()
                }
                _ => x.clone(),
            },
            _ => match_types(x, y),
        }
    }

    fn func_lit(&mut self, expr: ExprId, literal: &'a FuncLit) -> Ty {
        self.open();
        let params = self.param_types(&literal.signature.params);
        let results = self.param_types(&literal.signature.results);
        let sig = FuncSig {
            type_params: Vec::new(),
            constraints: Vec::new(),
            params: params.clone(),
            results: results.clone(),
            variadic: literal.signature.params.last().is_some_and(|p| p.variadic),
        };
        if !self.skip_bodies {
            let parent = self.literals.last().copied();
            self.facts.literals.insert(
                expr,
                LiteralFacts {
                    parent,
                    ..LiteralFacts::default()
                },
            );
            self.literals.push(expr);
            let mut locals = Vec::with_capacity(params.len());
            for (param, ty) in literal.signature.params.iter().zip(params) {
                locals.push(self.declare_param(param, ty, LocalKind::Param));
            }
            let mut result_locals = Vec::with_capacity(results.len());
            for (param, ty) in literal.signature.results.iter().zip(results) {
                result_locals.push(self.declare_param(param, ty, LocalKind::Result));
            }
            let iota = self.iota.take();
            self.stmts(&literal.body.stmts);
            self.iota = iota;
            self.literals.pop();
            if let Some(facts) = self.facts.literals.get_mut(expr) {
                facts.params = locals;
                facts.results = result_locals;
            }
        }
        self.close();
        Ty::new(TyKind::Func(sig))
    }

    // Composite literals.

    /// The type of a composite literal; `[...]T` gets its length.
    fn composite_type(&mut self, ty: ExprId, elements: &'a [Element]) -> Ty {
        let tree = self.tree;
        let ExprKind::ArrayType {
            len: ArrayLen::Auto,
            elem,
        } = tree[ty].kind
        else {
            return self.type_expr(ty);
        };
        let elem = self.type_expr(elem);
        let (mut next, mut len) = (0u64, Some(0u64));
        for element in elements {
            if let Some(key) = element.key {
                self.operand(key);
                match self.const_value(key).and_then(|n| u64::try_from(n).ok()) {
                    Some(n) => next = n,
                    None => {
                        len = None;
                        break;
                    }
                }
            }
            next = next.saturating_add(1);
            len = len.map(|l| l.max(next));
        }
        let out = Ty::new(TyKind::Array(len, elem));
        self.set_type(ty, &out);
        out
    }

    /// `{…}` without a type inside another literal.
    fn elided_composite(&mut self, expr: ExprId, elements: &'a [Element], expected: &Ty) {
        // `{…}` for an element of pointer type stands for `&T{…}`.
        let inner = match self.underlying(expected).kind() {
            TyKind::Pointer(inner) => inner.clone(),
            _ => expected.clone(),
        };
        self.elements(elements, &inner);
        self.set_type(expr, expected);
    }

    fn elements(&mut self, elements: &'a [Element], ty: &Ty) {
        let tree = self.tree;
        let under = self.underlying(ty);
        match under.kind() {
            TyKind::Struct(fields) => {
                let owner = match ty.kind() {
                    TyKind::Named(n) if n.local == 0 => Some(ItemRef {
                        package: n.package,
                        name: n.name,
                    }),
                    _ => None,
                };
                for (i, element) in elements.iter().enumerate() {
                    let field = match element.key {
                        Some(key) => match tree[key].kind {
                            ExprKind::Ident(name) => {
                                self.set_res(key, Res::Field { owner, name });
                                let field = fields.iter().find(|f| f.name == name);
                                if let Some(field) = field {
                                    self.set_type(key, &field.ty);
                                }
                                field
                            }
                            _ => None,
                        },
                        None => fields.get(i),
                    };
                    self.expr_expecting(element.value, field.map(|f| &f.ty));
                }
            }
            TyKind::Array(_, elem) | TyKind::Slice(elem) => {
                for element in elements {
                    if let Some(key) = element.key {
                        self.expr(key);
                    }
                    self.expr_expecting(element.value, Some(elem));
                }
            }
            TyKind::Map(key_ty, elem) => {
                for element in elements {
                    if let Some(key) = element.key {
                        self.expr_expecting(key, Some(key_ty));
                    }
                    self.expr_expecting(element.value, Some(elem));
                }
            }
            _ => {
                // Keys may be names of fields, but if there is a variable of that name it may be used here.
                for element in elements {
                    if let Some(key) = element.key {
                        match tree[key].kind {
                            ExprKind::Ident(name) => {
                                if let Some(Entity::Local(_)) = self.in_scope(name) {
                                    self.ident(key, name);
                                }
                            }
                            _ => {
                                self.expr_expecting(key, None);
                            }
                        }
                    }
                    self.expr_expecting(element.value, None);
                }
            }
        }
    }

    // Calls.

    fn call(&mut self, expr: ExprId, func: ExprId, args: &'a [ExprId], spread: bool) -> Ty {
        match self.operand(func) {
            Operand::Type(ty) => {
                self.facts.callees.insert(expr, Callee::Conversion);
                for &arg in args {
                    self.expr(arg);
                }
                ty
            }
            Operand::Builtin(name) => {
                self.facts.callees.insert(expr, Callee::Builtin(name));
                self.builtin(name, args, spread)
            }
            Operand::Value(ty) => {
                let callee = self.callee(func, &ty);
                if let Some(callee) = callee {
                    self.facts.callees.insert(expr, callee);
                }
                let arg_types: Vec<Ty> = args.iter().map(|&arg| self.expr(arg)).collect();
                let under = self.underlying(&ty);
                match under.kind() {
                    TyKind::Func(sig) if sig.type_params.is_empty() => sig.result(),
                    TyKind::Func(sig) => {
                        let sig = self.infer_call(sig, arg_types, spread);
                        let result = sig.result();
                        // What it was instantiated to is of more use than the generic type.
                        let sig = Ty::new(TyKind::Func(sig));
                        self.set_type(func, &sig);
                        result
                    }
                    _ => Ty::unknown(),
                }
            }
            Operand::Alias(_) | Operand::Import(_) => {
                for &arg in args {
                    self.operand(arg);
                }
                Ty::unknown()
            }
            Operand::Unknown => {
                // A qualified name of a package that is not there.
                if let Some(Res::Package(item)) = self.facts.refs.get(self.unparen(func)) {
                    let callee = Callee::Func(*item);
                    self.facts.callees.insert(expr, callee);
                }
                for &arg in args {
                    self.operand(arg);
                }
                Ty::unknown()
            }
        }
    }

    /// What a call calls, from what its function refers to.
    fn callee(&self, func: ExprId, ty: &Ty) -> Option<Callee> {
        let tree = self.tree;
        let mut func = self.unparen(func);
        // An instantiation, not an element.
        if let ExprKind::Index { base, .. } = tree[func].kind {
            let base = self.unparen(base);
            let generic = match self.type_of(base).kind() {
                TyKind::Func(_) => true,
                TyKind::Unknown => return None,
                _ => false,
            };
            if !generic {
                return (!ty.is_unknown()).then_some(Callee::Value);
            }
            func = base;
        }
        match self.facts.refs.get(func) {
            Some(Res::Package(item)) => match self.item(item) {
                Some(Item::Func(_)) => Some(Callee::Func(*item)),
                Some(Item::Var(_)) => Some(Callee::Value),
                _ => None,
            },
            Some(Res::Method(method)) => Some(Callee::Method(*method)),
            Some(Res::Local(local)) => Some(Callee::Local(*local)),
            Some(Res::Field { .. }) => Some(Callee::Value),
            Some(_) => None,
            None => match &tree[func].kind {
                ExprKind::FuncLit(_) => Some(Callee::Literal(func)),
                ExprKind::Call { .. }
                | ExprKind::Index { .. }
                | ExprKind::TypeAssert { .. }
                | ExprKind::Star(_)
                | ExprKind::Unary { .. } => Some(Callee::Value),
                _ => None,
            },
        }
    }

    fn builtin(&mut self, name: Name, args: &'a [ExprId], spread: bool) -> Ty {
        let first = args.first().copied();
        let rest = args.get(1..).unwrap_or_default();
        let unit = Ty::unit;
        match name.as_str() {
            "make" => {
                let ty = first.map_or_else(Ty::unknown, |a| self.type_expr(a));
                for &arg in rest {
                    self.expr(arg);
                }
                ty
            }
            "new" => match first.map(|a| self.operand(a)) {
                Some(Operand::Type(ty)) => pointer_type(&ty),
                Some(Operand::Value(ty)) => pointer_type(&self.default_type(ty)),
                _ => Ty::unknown(),
            },
            "Offsetof" | "Alignof" | "Sizeof" => {
                for &arg in args {
                    self.expr(arg);
                }
                Basic::Uintptr.into()
            }
            other => {
                let types: Vec<Ty> = args.iter().map(|&arg| self.expr(arg)).collect();
                let first = types.first().cloned().unwrap_or_else(Ty::unknown);
                match other {
                    "append" => {
                        let _ = spread;
                        match first.kind() {
                            TyKind::Basic(Basic::UntypedNil) => Ty::unknown(),
                            _ => first,
                        }
                    }
                    "len" | "cap" | "copy" => Basic::Int.into(),
                    "min" | "max" => types
                        .iter()
                        .skip(1)
                        .fold(first, |ty, other| match_types(&ty, other)),
                    "complex" => {
                        let ty = types
                            .get(1)
                            .map_or(first.clone(), |y| match_types(&first, y));
                        match self.underlying(&ty).kind() {
                            TyKind::Basic(Basic::Float32) => Basic::Complex64.into(),
                            TyKind::Basic(Basic::Float64) => Basic::Complex128.into(),
                            TyKind::Basic(b) if b.is_untyped() => Basic::UntypedComplex.into(),
                            _ => Ty::unknown(),
                        }
                    }
                    "real" | "imag" => match self.underlying(&first).kind() {
                        TyKind::Basic(Basic::Complex64) => Basic::Float32.into(),
                        TyKind::Basic(Basic::Complex128) => Basic::Float64.into(),
                        TyKind::Basic(b) if b.is_untyped() => Basic::UntypedFloat.into(),
                        _ => Ty::unknown(),
                    },
                    "recover" => Ty::any(),
                    "clear" | "close" | "delete" | "panic" | "print" | "println" => unit(),
                    // Package unsafe.
                    "Add" => Basic::UnsafePointer.into(),
                    "Slice" => match self.underlying(&first).kind() {
                        TyKind::Pointer(inner) => inner.clone().slice_of(),
                        _ => Ty::unknown(),
                    },
                    "SliceData" => match self.underlying(&first).kind() {
                        TyKind::Slice(elem) => pointer_type(elem),
                        _ => Ty::unknown(),
                    },
                    "String" => Basic::String.into(),
                    "StringData" => pointer_type(&Basic::Uint8.into()),
                    _ => Ty::unknown(),
                }
            }
        }
    }

    /// The types of an expression that gives `count` values: a call, or a comma-ok form.
    pub(super) fn multi_value(&mut self, expr: ExprId, count: usize) -> Vec<Ty> {
        let ty = self.expr(expr);
        if count == 2 {
            let tree = self.tree;
            let ok = matches!(
                &tree[self.unparen(expr)].kind,
                ExprKind::TypeAssert { .. }
                    | ExprKind::Index { .. }
                    | ExprKind::Unary {
                        op: UnaryOp::Receive,
                        ..
                    }
            );
            if ok {
                return vec![ty, Basic::Bool.into()];
            }
        }
        match ty.kind() {
            TyKind::Tuple(types) if types.len() == count => types.clone(),
            _ => vec![Ty::unknown(); count],
        }
    }
}

fn value(operand: Operand) -> Ty {
    match operand {
        Operand::Value(ty) => ty,
        _ => Ty::unknown(),
    }
}

/// A pointer to a type; unknown if that is.
fn pointer_type(ty: &Ty) -> Ty {
    if ty.is_unknown() {
        ty.clone()
    } else {
        ty.clone().pointer_to()
    }
}

/// The type of an operation whose operands must have the same type, if they are not untyped constants.
pub(super) fn match_types(x: &Ty, y: &Ty) -> Ty {
    match (x.kind(), y.kind()) {
        (TyKind::Basic(a), TyKind::Basic(b)) if a.is_untyped() && b.is_untyped() => {
            if *a == Basic::UntypedNil || *b == Basic::UntypedNil {
                return Ty::unknown();
            }
            (*a).max(*b).into()
        }
        (TyKind::Basic(a), _) if a.is_untyped() => y.clone(),
        (TyKind::Basic(b), _) if b.is_untyped() => x.clone(),
        (_, TyKind::Basic(b)) if b.is_untyped() => x.clone(),
        (TyKind::Unknown, _) => y.clone(),
        _ => x.clone(),
    }
}
