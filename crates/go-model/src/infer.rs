//! Type inference: what names refer to, what types expressions have, what calls call.
//!
//! [`facts`] looks at one declaration. It walks the body once, in order, with a stack of scopes; names that are not local are looked
//! up through the package index, the imports and the predeclared names, in Go's order. Types of other declarations come from
//! [`item`] and [`type_def`], which read signatures only, except for a package-level variable or constant without a type, whose
//! initial value is inferred.
//!
//! Unknown is always allowed, a guess never: where a package cannot be found or code is broken, types are [`Ty::unknown`].
//!
//! Walks recurse on the syntax tree, whose depth the parser limits.

#![allow(missing_docs)] // What salsa's macros generate has no documentation.

mod constant;
mod expr;
mod generic;
mod item;
mod stmt;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use go_syntax::Name;
use go_syntax::ast::{
    DeclKind, DeclTree, ExprId, ExprKind, FuncDecl, Ident, InterfaceElem, Param, Signature,
    TypeParam, TypeSpec, ValueSpec,
};

pub use item::{Cache, FileScope, Item, file_scope, item, package_name, package_path, type_def};

use crate::db::{Db, DeclId, SourceFile, decl_tree};
use crate::facts::{Facts, Local, LocalId, LocalKind, Res};
use crate::members::View;
use crate::types::{FieldTy, FuncSig, InterfaceTy, NamedTy, Ty, TyKind, TypeDef};

/// The facts about a declaration. Position independent, and computed again only if the declaration or something that it refers to
/// changes.
#[salsa::tracked(returns(clone), lru = 4096)]
pub fn facts(db: &dyn Db, decl: DeclId) -> Arc<Facts> {
    let tree = decl_tree(db, decl);
    let mut infer = Infer::new(db, decl.file(db), &tree);
    infer.decl = Some(decl);
    infer.declaration();
    let mut facts = infer.facts;
    facts.types.shrink_to_fit();
    facts.refs.shrink_to_fit();
    facts.callees.shrink_to_fit();
    facts.literals.shrink_to_fit();
    Arc::new(facts)
}

/// A number for the local types of a declaration that other declarations hardly share; the same in every run.
fn seed(db: &dyn Db, decl: DeclId) -> u32 {
    let receiver = decl.receiver(db).map_or("", Name::as_str);
    let name = decl.name(db);
    let text = format!("{receiver}.{name}.{}", decl.ordinal(db));
    (xxhash_rust::xxh3::xxh3_64(text.as_bytes()) as u32) & !0xff
}

/// What a name in scope stands for.
#[derive(Clone)]
enum Entity {
    Local(LocalId),
    Const(LocalId, Option<i128>),
    Type(Ty),
}

/// What an expression is.
#[derive(Clone)]
enum Operand {
    /// A value; of unknown type perhaps.
    Value(Ty),
    /// A type.
    Type(Ty),
    /// A generic alias that is not instantiated yet.
    Alias(Arc<(Vec<Name>, Ty)>),
    /// A package.
    Import(Name),
    /// A predeclared function, or one of package `unsafe`.
    Builtin(Name),
    /// Anything.
    Unknown,
}

pub(crate) struct Infer<'a> {
    db: &'a dyn Db,
    file: SourceFile,
    scope: Arc<FileScope>,
    tree: &'a DeclTree,
    facts: Facts,
    names: Vec<(Name, Entity)>,
    /// Where the blocks in `names` begin.
    blocks: Vec<usize>,
    /// Enclosing function literals.
    literals: Vec<ExprId>,
    /// Bodies of function literals are of no interest.
    skip_bodies: bool,
    iota: Option<i128>,
    /// The declaration, where that matters.
    decl: Option<DeclId>,
    cache: Cache,
}

impl<'a> Infer<'a> {
    fn new(db: &'a dyn Db, file: SourceFile, tree: &'a DeclTree) -> Self {
        Self {
            db,
            file,
            scope: file_scope(db, file),
            tree,
            facts: Facts::default(),
            names: Vec::new(),
            blocks: Vec::new(),
            literals: Vec::new(),
            skip_bodies: false,
            iota: None,
            decl: None,
            cache: Cache::default(),
        }
    }

    fn view(&self) -> View<'_> {
        View {
            db: self.db,
            file: self.file,
            local_types: &self.facts.local_types,
            type_params: &self.facts.type_params,
            cache: Some((&self.cache, &self.scope)),
        }
    }

    fn underlying(&self, ty: &Ty) -> Ty {
        match ty.kind() {
            TyKind::Named(_) | TyKind::TypeParam(_) => self.view().underlying(ty),
            _ => ty.clone(),
        }
    }

    fn declaration(&mut self) {
        self.facts.types.reserve_for(self.tree);
        match &self.tree.kind {
            DeclKind::Bad => {}
            DeclKind::Func(decl) => self.function(decl),
            DeclKind::Var(specs) => {
                for spec in specs {
                    self.package_value(spec);
                }
            }
            DeclKind::Const(specs) => self.package_consts(specs),
            DeclKind::Type(specs) => {
                for spec in specs {
                    self.open();
                    self.type_params(&spec.type_params);
                    self.type_expr(spec.ty);
                    self.close();
                }
            }
        }
    }

    fn package_value(&mut self, spec: &'a ValueSpec) {
        if let Some(ty) = spec.ty {
            self.type_expr(ty);
        }
        let ty = spec.ty.and_then(|t| self.facts.types.get(t).cloned());
        for &value in &spec.values {
            self.expr_expecting(value, ty.as_ref());
        }
    }

    fn package_consts(&mut self, specs: &'a [ValueSpec]) {
        for spec in specs {
            self.iota = Some(i128::from(spec.index));
            self.package_value(spec);
        }
        self.iota = None;
    }

    fn function(&mut self, decl: &'a FuncDecl) {
        self.open();
        if let Some(receiver) = &decl.receiver {
            let ty = self.receiver_type(receiver.ty, None);
            self.facts.receiver = self.declare_param(receiver, ty, LocalKind::Receiver);
        }
        self.type_params(&decl.signature.type_params);
        let params = self.param_types(&decl.signature.params);
        let results = self.param_types(&decl.signature.results);
        for (param, ty) in decl.signature.params.iter().zip(params) {
            let local = self.declare_param(param, ty, LocalKind::Param);
            self.facts.params.push(local);
        }
        for (param, ty) in decl.signature.results.iter().zip(results) {
            let local = self.declare_param(param, ty, LocalKind::Result);
            self.facts.results.push(local);
        }
        if let Some(body) = &decl.body {
            self.stmts(&body.stmts);
        }
        self.close();
    }

    /// The type of a receiver. Its type parameters come into scope under the names that the receiver gives them; with `rename`
    /// they stand for the names that the type's own declaration gives them.
    fn receiver_type(&mut self, mut ty: ExprId, rename: Option<&[Name]>) -> Ty {
        let whole = ty;
        let mut pointer = false;
        loop {
            match &self.tree[ty].kind {
                ExprKind::Star(inner) => {
                    pointer = true;
                    ty = *inner;
                }
                ExprKind::Paren(inner) => ty = *inner,
                _ => break,
            }
        }
        let tree = self.tree;
        let ExprKind::Index { base, indices } = &tree[ty].kind else {
            return self.type_expr(whole);
        };
        let base_ty = self.type_expr(*base);
        let TyKind::Named(named) = base_ty.kind() else {
            return Ty::unknown();
        };
        let def = match rename {
            None => self.view().type_def(named),
            Some(_) => None,
        };
        let mut args = Vec::with_capacity(indices.len());
        for (i, &index) in indices.iter().enumerate() {
            let ExprKind::Ident(name) = tree[index].kind else {
                args.push(Ty::unknown());
                continue;
            };
            let stands_for = rename.and_then(|r| r.get(i).copied()).unwrap_or(name);
            let param = Ty::new(TyKind::TypeParam(stands_for));
            self.set_type(index, &param);
            if !name.is_blank() {
                self.names.push((name, Entity::Type(param.clone())));
            }
            args.push(param);
        }
        if let Some(def) = def {
            for (i, arg) in args.iter().enumerate() {
                if let (TyKind::TypeParam(name), Some(constraint)) =
                    (arg.kind(), def.constraints.get(i))
                {
                    let constraint = crate::members::instantiate(&def, constraint, &args);
                    self.facts.type_params.push((*name, constraint));
                }
            }
        }
        let mut out = Ty::new(TyKind::Named(NamedTy {
            args,
            ..named.clone()
        }));
        self.set_type(ty, &out);
        if pointer {
            out = out.pointer_to();
        }
        self.set_type(whole, &out);
        out
    }

    // Scopes.

    fn open(&mut self) {
        self.blocks.push(self.names.len());
    }

    fn close(&mut self) {
        if let Some(start) = self.blocks.pop() {
            self.names.truncate(start);
        }
    }

    fn in_scope(&self, name: Name) -> Option<&Entity> {
        self.names
            .iter()
            .rev()
            .find(|(n, _)| *n == name)
            .map(|(_, entity)| entity)
    }

    /// A variable of the innermost block.
    fn in_block(&self, name: Name) -> Option<LocalId> {
        let start = self.blocks.last().copied().unwrap_or(0);
        self.names[start..]
            .iter()
            .rev()
            .find_map(|(n, entity)| match entity {
                Entity::Local(local) if *n == name => Some(*local),
                _ => None,
            })
    }

    fn new_local(&mut self, ident: Ident, ty: Ty, kind: LocalKind, assigned: bool) -> LocalId {
        self.facts.locals.alloc(Local {
            ident,
            ty,
            kind,
            owner: self.literals.last().copied(),
            captured: false,
            address_taken: false,
            assignments: u32::from(assigned),
            reads: 0,
        })
    }

    /// Makes a variable and puts it into scope. `None` for the blank identifier.
    fn declare(
        &mut self,
        ident: Ident,
        ty: Ty,
        kind: LocalKind,
        assigned: bool,
    ) -> Option<LocalId> {
        if ident.name.is_blank() {
            return None;
        }
        let local = self.new_local(ident, ty, kind, assigned);
        self.names.push((ident.name, Entity::Local(local)));
        Some(local)
    }

    fn declare_param(&mut self, param: &Param, ty: Ty, kind: LocalKind) -> Option<LocalId> {
        self.declare(param.name?, ty, kind, kind != LocalKind::Result)
    }

    fn set_type(&mut self, expr: ExprId, ty: &Ty) {
        if !ty.is_unknown() {
            self.facts.types.insert(expr, ty.clone());
        }
    }

    /// A function literal mentions a variable: it is captured by all literals between it and its owner.
    fn note_capture(&mut self, local: LocalId) {
        let owner = self.facts.locals[local].owner;
        if self.literals.last().copied() == owner {
            return;
        }
        self.facts.locals[local].captured = true;
        for literal in self.literals.iter().rev() {
            if Some(*literal) == owner {
                break;
            }
            if let Some(facts) = self.facts.literals.get_mut(*literal)
                && !facts.captures.contains(&local)
            {
                facts.captures.push(local);
            }
        }
    }

    // Types.

    /// Brings type parameters into scope.
    fn type_params(&mut self, params: &'a [TypeParam]) -> (Vec<Name>, Vec<Ty>) {
        for param in params {
            let ty = Ty::new(TyKind::TypeParam(param.name.name));
            self.names.push((param.name.name, Entity::Type(ty)));
        }
        let mut names = Vec::with_capacity(params.len());
        let mut constraints: Vec<Ty> = Vec::with_capacity(params.len());
        for (i, param) in params.iter().enumerate() {
            let shared = i > 0 && params[i - 1].constraint == param.constraint;
            let constraint = match constraints.last() {
                Some(last) if shared => last.clone(),
                _ => self.constraint(param.constraint),
            };
            names.push(param.name.name);
            self.facts
                .type_params
                .push((param.name.name, constraint.clone()));
            constraints.push(constraint);
        }
        (names, constraints)
    }

    fn constraint(&mut self, expr: ExprId) -> Ty {
        let mut iface = InterfaceTy::default();
        match self.constraint_element(expr, &mut iface) {
            Some(single) => single,
            None => Ty::new(TyKind::Interface(iface)),
        }
    }

    /// Adds an element of a constraint to an interface; gives the type instead if it is an interface by itself.
    fn constraint_element(&mut self, expr: ExprId, iface: &mut InterfaceTy) -> Option<Ty> {
        let tree = self.tree;
        match &tree[expr].kind {
            ExprKind::Paren(inner) => return self.constraint_element(*inner, iface),
            ExprKind::Tilde(inner) => {
                iface.core = Some(self.type_expr(*inner));
                iface.type_set = true;
            }
            ExprKind::Union(terms) => {
                iface.type_set = true;
                for &term in terms {
                    match tree[term].kind {
                        ExprKind::Tilde(inner) => self.type_expr(inner),
                        _ => self.type_expr(term),
                    };
                }
            }
            ExprKind::Binary { lhs, rhs, .. } => {
                // `A | B` where a parser cannot tell.
                iface.type_set = true;
                let mut ignored = InterfaceTy::default();
                self.constraint_element(*lhs, &mut ignored);
                self.constraint_element(*rhs, &mut ignored);
            }
            _ => {
                let ty = self.type_expr(expr);
                match self.underlying(&ty).kind() {
                    TyKind::Interface(_) | TyKind::Unknown => return Some(ty),
                    _ => {
                        iface.core = Some(ty);
                        iface.type_set = true;
                    }
                }
            }
        }
        None
    }

    fn param_types(&mut self, params: &'a [Param]) -> Vec<Ty> {
        let mut out: Vec<Ty> = Vec::with_capacity(params.len());
        let mut previous: Option<(ExprId, Ty)> = None;
        for param in params {
            let ty = match &previous {
                Some((expr, ty)) if *expr == param.ty => ty.clone(),
                _ => {
                    let ty = self.type_expr(param.ty);
                    previous = Some((param.ty, ty.clone()));
                    ty
                }
            };
            out.push(if param.variadic { ty.slice_of() } else { ty });
        }
        out
    }

    /// A signature without names. Type parameters stay in scope: the caller opens and closes one.
    fn signature(&mut self, signature: &'a Signature) -> FuncSig {
        let (type_params, constraints) = self.type_params(&signature.type_params);
        let params = self.param_types(&signature.params);
        let results = self.param_types(&signature.results);
        FuncSig {
            type_params,
            constraints,
            params,
            results,
            variadic: signature.params.last().is_some_and(|p| p.variadic),
        }
    }

    fn type_expr(&mut self, expr: ExprId) -> Ty {
        match self.operand(expr) {
            Operand::Type(ty) => ty,
            _ => Ty::unknown(),
        }
    }

    fn struct_type(&mut self, fields: &'a [go_syntax::ast::Field]) -> Ty {
        let mut out = Vec::with_capacity(fields.len());
        for field in fields {
            let ty = self.type_expr(field.ty);
            if field.names.is_empty() {
                if let Some(name) = self.embedded_name(field.ty) {
                    out.push(FieldTy {
                        name,
                        ty,
                        embedded: true,
                    });
                }
                continue;
            }
            for name in &field.names {
                out.push(FieldTy {
                    name: name.name,
                    ty: ty.clone(),
                    embedded: false,
                });
            }
        }
        Ty::new(TyKind::Struct(out))
    }

    /// The field name of an embedded type: that of `*pkg.T[A]` is `T`.
    fn embedded_name(&self, mut expr: ExprId) -> Option<Name> {
        loop {
            match &self.tree[expr].kind {
                ExprKind::Star(inner) | ExprKind::Paren(inner) => expr = *inner,
                ExprKind::Index { base, .. } => expr = *base,
                ExprKind::Selector { name, .. } => return Some(name.name),
                ExprKind::Ident(name) => return Some(*name),
                _ => return None,
            }
        }
    }

    fn interface_type(&mut self, elements: &'a [InterfaceElem]) -> Ty {
        let mut iface = InterfaceTy::default();
        for element in elements {
            match element {
                InterfaceElem::Method(name, signature) => {
                    self.open();
                    let sig = self.signature(signature);
                    self.close();
                    iface.methods.push((name.name, sig));
                }
                InterfaceElem::Embed(expr) => {
                    if let Some(ty) = self.constraint_element(*expr, &mut iface) {
                        iface.embeds.push(ty);
                    }
                }
            }
        }
        Ty::new(TyKind::Interface(iface))
    }

    /// A type declared in the function.
    fn local_type(&mut self, spec: &'a TypeSpec) {
        let name = spec.name.name;
        if spec.alias {
            let ty = self.type_expr(spec.ty);
            self.names.push((name, Entity::Type(ty)));
            return;
        }
        let count = self.facts.local_types.len() as u32;
        let seed = self.decl.map_or(0, |decl| seed(self.db, decl));
        let mut number = (seed | (count & 0xff)).max(1);
        if self.facts.local_types.iter().any(|(n, _)| *n == number) {
            // More than 256 of them.
            number = seed.wrapping_add(count).max(1);
        }
        let item = crate::facts::ItemRef {
            package: self.scope.package,
            name,
        };
        let ty = Ty::new(TyKind::Named(NamedTy {
            package: item.package,
            name,
            args: Vec::new(),
            local: number,
        }));
        self.names.push((name, Entity::Type(ty)));
        // The place is taken before the right-hand side is looked at, which may declare nothing but may mention the type.
        let place = self.facts.local_types.len();
        let mut def = TypeDef {
            item,
            type_params: Vec::new(),
            constraints: Vec::new(),
            rhs: Ty::unknown(),
            methods: Vec::new(),
        };
        self.facts.local_types.push((number, Arc::new(def.clone())));
        def.rhs = self.type_expr(spec.ty);
        self.facts.local_types[place].1 = Arc::new(def);
    }

    fn set_res(&mut self, expr: ExprId, res: Res) {
        self.facts.refs.insert(expr, res);
    }
}

trait Reserve {
    fn reserve_for(&mut self, tree: &DeclTree);
}

impl Reserve for la_arena::ArenaMap<ExprId, Ty> {
    fn reserve_for(&mut self, tree: &DeclTree) {
        *self = Self::with_capacity(tree.exprs.len());
    }
}
