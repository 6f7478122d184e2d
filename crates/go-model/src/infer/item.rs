//! Types of package-level declarations, from outlines or from the table of the standard library.

use std::cell::RefCell;
use std::sync::Arc;

use go_syntax::Name;
use go_syntax::ast::DeclKind;
use rustc_hash::{FxHashMap, FxHashSet};

use super::Infer;
use crate::db::{Db, SourceFile, decl_tree};
use crate::facts::ItemRef;
use crate::outline::{
    FuncItem, InterfaceElemRef, SigRef, TypeItem, TypeParamRef, TypeRef, ValueItem,
};
use crate::package::{
    self, FileImports, PackageId, file_imports, package_by_path, package_index, package_item,
    package_methods, package_of_file, package_seen_by,
};
use crate::std_table::{self, StdItemKind};
use crate::types::{Basic, FieldTy, FuncSig, InterfaceTy, MethodDef, NamedTy, Ty, TyKind, TypeDef};

/// What a package-level name is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A function with its type (a [`TyKind::Func`]).
    Func(Ty),
    /// A variable with its type, perhaps unknown.
    Var(Ty),
    /// A constant with its type (untyped perhaps) and its value if it is an integer that is known.
    Const(Ty, Option<i128>),
    /// A declared type.
    Type,
    /// An alias: its type parameters and what it stands for.
    Alias(Arc<(Vec<Name>, Ty)>),
    /// A function of package `unsafe`, which has no ordinary type.
    Builtin,
}

/// What a file sees besides its own text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileScope {
    /// Import path of the file's package.
    pub package: Name,
    /// The unit.
    pub unit: PackageId,
    /// Its imports.
    pub imports: Arc<FileImports>,
    /// All names that the package declares.
    pub names: Arc<FxHashSet<Name>>,
}

/// What a file sees besides its own text. One query, because every declaration begins with it.
#[salsa::tracked(returns(clone))]
pub fn file_scope(db: &dyn Db, file: SourceFile) -> Arc<FileScope> {
    let unit = package_of_file(db, file);
    Arc::new(FileScope {
        package: package::import_path(db, unit),
        unit,
        imports: file_imports(db, file),
        names: unit_names(db, unit),
    })
}

/// All names that a unit declares and sees. Most names in a function are not among them, which saves a query for each.
#[salsa::tracked(returns(clone))]
fn unit_names(db: &dyn Db, unit: PackageId) -> Arc<FxHashSet<Name>> {
    let mut names = FxHashSet::default();
    let mut next = Some(package_index(db, unit));
    while let Some(index) = next {
        names.extend(index.own_items().map(package::Item::name));
        next = index.base.clone();
    }
    Arc::new(names)
}

/// Answers that were given before while looking at one declaration.
///
/// A declaration mentions the same packages and types again and again, and each question to the database costs more than what is
/// done with the answer.
#[derive(Default)]
pub struct Cache {
    packages: Known<Name, PackageId>,
    items: Known<(Name, Name), Item>,
    types: Known<(Name, Name), Arc<TypeDef>>,
}

type Known<K, V> = RefCell<FxHashMap<K, Option<V>>>;

impl Cache {
    fn package(&self, db: &dyn Db, scope: &FileScope, path: Name) -> Option<PackageId> {
        if path == scope.package {
            return Some(scope.unit);
        }
        if let Some(known) = self.packages.borrow().get(&path) {
            return *known;
        }
        let found = package_seen_by(db, scope.unit, path);
        self.packages.borrow_mut().insert(path, found);
        found
    }

    /// [`item`], remembered.
    pub fn item(&self, db: &dyn Db, scope: &FileScope, path: Name, name: Name) -> Option<Item> {
        if let Some(known) = self.items.borrow().get(&(path, name)) {
            return known.clone();
        }
        let found = match self.package(db, scope, path) {
            Some(unit) => unit_item(db, unit, name),
            None => std_item(path, name),
        };
        self.items.borrow_mut().insert((path, name), found.clone());
        found
    }

    /// [`type_def`], remembered.
    pub fn type_def(
        &self,
        db: &dyn Db,
        scope: &FileScope,
        path: Name,
        name: Name,
    ) -> Option<Arc<TypeDef>> {
        if let Some(known) = self.types.borrow().get(&(path, name)) {
            return known.clone();
        }
        let found = match self.package(db, scope, path) {
            Some(unit) => unit_type_def(db, unit, name),
            None => std_type_def(path, name),
        };
        self.types.borrow_mut().insert((path, name), found.clone());
        found
    }
}

/// The import path of a file's package, as it stands in types.
pub fn package_path(db: &dyn Db, file: SourceFile) -> Name {
    file_scope(db, file).package
}

/// The name of the package with the given import path.
pub fn package_name(db: &dyn Db, file: SourceFile, path: Name) -> Option<Name> {
    match package_by_path(db, file, path) {
        Some(unit) => Some(unit.name(db)),
        None => std_table::package_name(path),
    }
}

/// The package-level declaration `name` of the package that `path` means in `file`. `None` if there is no such package or name.
pub fn item(db: &dyn Db, file: SourceFile, path: Name, name: Name) -> Option<Item> {
    match package_by_path(db, file, path) {
        Some(unit) => unit_item(db, unit, name),
        None => std_item(path, name),
    }
}

/// The declared type `name` of the package that `path` means in `file`.
pub fn type_def(db: &dyn Db, file: SourceFile, path: Name, name: Name) -> Option<Arc<TypeDef>> {
    match package_by_path(db, file, path) {
        Some(unit) => unit_type_def(db, unit, name),
        None => std_type_def(path, name),
    }
}

fn std_type_def(path: Name, name: Name) -> Option<Arc<TypeDef>> {
    match &std_table::package(path)?.item(name)?.kind {
        StdItemKind::Type(def) => Some(def.clone()),
        _ => None,
    }
}

pub(super) fn std_item(path: Name, name: Name) -> Option<Item> {
    if path == "unsafe" {
        return Some(match name.as_str() {
            "Pointer" => Item::Alias(Arc::new((Vec::new(), Basic::UnsafePointer.into()))),
            "Sizeof" | "Offsetof" | "Alignof" | "Add" | "Slice" | "SliceData" | "String"
            | "StringData" => Item::Builtin,
            _ => return None,
        });
    }
    Some(match &std_table::package(path)?.item(name)?.kind {
        StdItemKind::Func(ty) => Item::Func(ty.clone()),
        StdItemKind::Var(ty) => Item::Var(ty.clone()),
        StdItemKind::Const(ty, value) => Item::Const(ty.clone(), value.map(i128::from)),
        StdItemKind::Type(_) => Item::Type,
        StdItemKind::Alias(params, ty) => Item::Alias(Arc::new((params.clone(), ty.clone()))),
    })
}

/// An item of a unit. A package-level variable whose type depends on itself has no known type.
#[salsa::tracked(returns(clone), cycle_result = no_item)]
pub fn unit_item(db: &dyn Db, unit: PackageId, name: Name) -> Option<Item> {
    Some(match package_item(db, unit, name)? {
        package::Item::Func(func) => Item::Func(func_type(db, &func)),
        package::Item::Type(ty) if ty.alias => Item::Alias(Arc::new(alias(db, &ty))),
        package::Item::Type(_) => Item::Type,
        package::Item::Value(value) => value_item(db, &value),
    })
}

fn no_item(_: &dyn Db, _: salsa::Id, _: PackageId, _: Name) -> Option<Item> {
    None
}

fn func_type(db: &dyn Db, func: &FuncItem) -> Ty {
    let mut refs = Refs::new(db, func.decl.file(db));
    Ty::new(TyKind::Func(refs.sig(&func.sig)))
}

fn alias(db: &dyn Db, item: &TypeItem) -> (Vec<Name>, Ty) {
    let mut refs = Refs::new(db, item.decl.file(db));
    for param in &item.type_params {
        refs.bind(param.name, param.name);
    }
    let ty = refs.ty(&item.ty);
    (item.type_params.iter().map(|p| p.name).collect(), ty)
}

fn value_item(db: &dyn Db, value: &ValueItem) -> Item {
    let file = value.decl.file(db);
    let explicit = value.ty.as_ref().map(|ty| Refs::new(db, file).ty(ty));
    if !value.is_const
        && let Some(ty) = explicit
    {
        return Item::Var(ty);
    }
    let tree = decl_tree(db, value.decl);
    let mut infer = Infer::new(db, file, &tree);
    infer.skip_bodies = true;
    let (spec, position) = (value.spec as usize, value.position as usize);
    match &tree.kind {
        DeclKind::Var(specs) => {
            let ty = specs
                .get(spec)
                .map_or_else(Ty::unknown, |spec| infer.initial_type(spec, position));
            Item::Var(ty)
        }
        DeclKind::Const(specs) => match infer.constant(specs, spec, position, explicit) {
            Some((ty, value)) => Item::Const(ty, value),
            None => Item::Const(Ty::unknown(), None),
        },
        _ => Item::Var(Ty::unknown()),
    }
}

/// The declaration of a type of a unit, with its methods.
#[salsa::tracked(returns(clone), cycle_result = no_type_def)]
pub fn unit_type_def(db: &dyn Db, unit: PackageId, name: Name) -> Option<Arc<TypeDef>> {
    let package::Item::Type(item) = package_item(db, unit, name)? else {
        return None;
    };
    if item.alias {
        return None;
    }
    let mut refs = Refs::new(db, item.decl.file(db));
    let path = package::import_path(db, unit);
    let (type_params, constraints) = refs.type_params(&item.type_params);
    let rhs = refs.ty(&item.ty);
    let mut by_file: FxHashMap<SourceFile, Refs<'_>> = FxHashMap::default();
    let methods = package_methods(db, unit, name)
        .iter()
        .map(|method| {
            let file = method.decl.file(db);
            let refs = by_file.entry(file).or_insert_with(|| Refs::new(db, file));
            refs.params.clear();
            let receiver = method.receiver.as_ref();
            // The receiver's names for the type parameters stand for those of the declaration.
            for (theirs, ours) in receiver
                .iter()
                .flat_map(|r| r.type_params.iter())
                .zip(&type_params)
            {
                refs.bind(*theirs, *ours);
            }
            MethodDef {
                name: method.name,
                pointer: receiver.is_some_and(|r| r.pointer),
                since: 0,
                ty: Ty::new(TyKind::Func(refs.sig(&method.sig))),
            }
        })
        .collect();
    Some(Arc::new(TypeDef {
        item: ItemRef {
            package: path,
            name,
        },
        type_params,
        constraints,
        rhs,
        methods,
    }))
}

fn no_type_def(_: &dyn Db, _: salsa::Id, _: PackageId, _: Name) -> Option<Arc<TypeDef>> {
    None
}

/// Finds out what written types mean in a file.
struct Refs<'a> {
    db: &'a dyn Db,
    unit: PackageId,
    path: Name,
    imports: Arc<FileImports>,
    names: Arc<FxHashSet<Name>>,
    /// Type parameters in scope, and what they are called in the result.
    params: Vec<(Name, Name)>,
}

impl<'a> Refs<'a> {
    fn new(db: &'a dyn Db, file: SourceFile) -> Self {
        let scope = file_scope(db, file);
        Self {
            db,
            unit: scope.unit,
            path: scope.package,
            imports: scope.imports.clone(),
            names: scope.names.clone(),
            params: Vec::new(),
        }
    }

    fn bind(&mut self, name: Name, stands_for: Name) {
        self.params.push((name, stands_for));
    }

    fn ty(&mut self, ty: &TypeRef) -> Ty {
        Ty::new(match ty {
            TypeRef::Error => return Ty::unknown(),
            TypeRef::Name(_) | TypeRef::Qualified(..) | TypeRef::Inst(..) => {
                return self.named(ty, &[]);
            }
            TypeRef::Pointer(t) => TyKind::Pointer(self.ty(t)),
            TypeRef::Slice(t) => TyKind::Slice(self.ty(t)),
            TypeRef::Array(len, t) => {
                let len = len.eval(&|package, name| self.constant(package, name));
                TyKind::Array(len, self.ty(t))
            }
            TypeRef::Map(k, v) => TyKind::Map(self.ty(k), self.ty(v)),
            TypeRef::Chan(dir, t) => TyKind::Chan(*dir, self.ty(t)),
            TypeRef::Func(sig) => TyKind::Func(self.sig(sig)),
            TypeRef::Struct(fields) => TyKind::Struct(
                fields
                    .iter()
                    .map(|f| FieldTy {
                        name: f.name,
                        ty: self.ty(&f.ty),
                        embedded: f.embedded,
                    })
                    .collect(),
            ),
            TypeRef::Interface(elements) => {
                let mut iface = InterfaceTy::default();
                for element in elements {
                    match element {
                        InterfaceElemRef::Method(name, sig) => {
                            let sig = self.sig(sig);
                            iface.methods.push((*name, sig));
                        }
                        InterfaceElemRef::Embed(ty) => {
                            if let Some(ty) = self.constraint_element(ty, &mut iface) {
                                iface.embeds.push(ty);
                            }
                        }
                    }
                }
                TyKind::Interface(iface)
            }
            TypeRef::Union(_) | TypeRef::Tilde(_) => return self.constraint(ty),
        })
    }

    fn constant(&self, package: Option<Name>, name: Name) -> Option<u64> {
        let item = match package {
            None => self.package_level(name)?.1,
            Some(import) => self.imported(import, name)?.1,
        };
        match item {
            Item::Const(_, Some(value)) => u64::try_from(value).ok(),
            _ => None,
        }
    }

    /// A name of the package or of an import with a dot.
    fn package_level(&self, name: Name) -> Option<(Name, Item)> {
        if self.names.contains(&name) {
            return unit_item(self.db, self.unit, name).map(|item| (self.path, item));
        }
        for dot in &self.imports.dots {
            let item = match dot.package {
                Some(unit) => unit_item(self.db, unit, name),
                None => std_item(dot.path, name),
            };
            if let Some(item) = item
                && name.is_exported()
            {
                return Some((dot.path, item));
            }
        }
        None
    }

    fn imported(&self, import: Name, name: Name) -> Option<(Name, Item)> {
        let target = self.imports.get(import)?;
        let item = match target.package {
            Some(unit) => unit_item(self.db, unit, name)?,
            None => std_item(target.path, name)?,
        };
        Some((target.path, item))
    }

    fn named(&mut self, ty: &TypeRef, args: &[Ty]) -> Ty {
        let (package, name, item) = match ty {
            TypeRef::Inst(base, args) => {
                let args: Vec<Ty> = args.iter().map(|a| self.ty(a)).collect();
                return self.named(base, &args);
            }
            TypeRef::Name(name) => {
                if let Some((_, param)) = self.params.iter().rev().find(|(n, _)| n == name) {
                    return Ty::new(TyKind::TypeParam(*param));
                }
                // Most names are predeclared or types of the package; the kind of the latter is all that matters.
                let own = if self.names.contains(name) {
                    package_item(self.db, self.unit, *name)
                } else {
                    None
                };
                match own {
                    Some(package::Item::Type(t)) if !t.alias => (self.path, *name, Item::Type),
                    Some(package::Item::Type(_)) => match unit_item(self.db, self.unit, *name) {
                        Some(item) => (self.path, *name, item),
                        None => return Ty::unknown(),
                    },
                    Some(_) => return Ty::unknown(),
                    None => {
                        if let Some((package, item)) = self.package_level(*name) {
                            (package, *name, item)
                        } else {
                            return predeclared_type(*name).unwrap_or_else(Ty::unknown);
                        }
                    }
                }
            }
            TypeRef::Qualified(import, name) => {
                let Some(target) = self.imports.get(*import) else {
                    return Ty::unknown();
                };
                let item = match target.package {
                    Some(unit) => match package_item(self.db, unit, *name) {
                        Some(package::Item::Type(t)) if !t.alias => Some(Item::Type),
                        Some(_) => unit_item(self.db, unit, *name),
                        None => None,
                    },
                    None => std_item(target.path, *name),
                };
                match item {
                    Some(item) => (target.path, *name, item),
                    None => return Ty::unknown(),
                }
            }
            _ => return Ty::unknown(),
        };
        match item {
            Item::Type => Ty::new(TyKind::Named(NamedTy {
                package,
                name,
                args: args.to_vec(),
                local: 0,
            })),
            Item::Alias(alias) => expand_alias(&alias, args),
            _ => Ty::unknown(),
        }
    }

    fn sig(&mut self, sig: &SigRef) -> FuncSig {
        let depth = self.params.len();
        let (type_params, constraints) = self.type_params(&sig.type_params);
        let mut params: Vec<Ty> = sig.params.iter().map(|t| self.ty(t)).collect();
        let results = sig.results.iter().map(|t| self.ty(t)).collect();
        self.params.truncate(depth);
        if sig.variadic
            && let Some(last) = params.pop()
        {
            params.push(last.slice_of());
        }
        FuncSig {
            type_params,
            constraints,
            params,
            results,
            variadic: sig.variadic,
        }
    }

    fn type_params(&mut self, params: &[TypeParamRef]) -> (Vec<Name>, Vec<Ty>) {
        for param in params {
            self.bind(param.name, param.name);
        }
        let constraints = params
            .iter()
            .map(|p| self.constraint(&p.constraint))
            .collect();
        (params.iter().map(|p| p.name).collect(), constraints)
    }

    fn constraint(&mut self, ty: &TypeRef) -> Ty {
        let mut iface = InterfaceTy::default();
        match self.constraint_element(ty, &mut iface) {
            Some(single) => single,
            None => Ty::new(TyKind::Interface(iface)),
        }
    }

    fn constraint_element(&mut self, ty: &TypeRef, iface: &mut InterfaceTy) -> Option<Ty> {
        match ty {
            TypeRef::Tilde(inner) => {
                iface.core = Some(self.ty(inner));
                iface.type_set = true;
                None
            }
            TypeRef::Union(_) => {
                iface.type_set = true;
                None
            }
            TypeRef::Name(_) | TypeRef::Qualified(..) | TypeRef::Inst(..) => {
                let ty = self.ty(ty);
                if let TyKind::Basic(_) | TyKind::TypeParam(_) | TyKind::Pointer(_) = ty.kind() {
                    iface.core = Some(ty);
                    iface.type_set = true;
                    return None;
                }
                Some(ty)
            }
            TypeRef::Interface(_) => Some(self.ty(ty)),
            _ => {
                iface.core = Some(self.ty(ty));
                iface.type_set = true;
                None
            }
        }
    }
}

/// What an alias stands for with these type arguments.
pub(super) fn expand_alias(alias: &(Vec<Name>, Ty), args: &[Ty]) -> Ty {
    let (params, ty) = alias;
    if params.is_empty() {
        return ty.clone();
    }
    ty.substitute(&|name| {
        let i = params.iter().position(|p| *p == name)?;
        Some(args.get(i).cloned().unwrap_or_else(Ty::unknown))
    })
}

/// A predeclared type.
pub(super) fn predeclared_type(name: Name) -> Option<Ty> {
    PREDECLARED.get(&name).cloned()
}

static PREDECLARED: std::sync::LazyLock<FxHashMap<Name, Ty>> = std::sync::LazyLock::new(|| {
    let mut map = FxHashMap::default();
    for basic in Basic::ALL {
        if !basic.is_untyped() && basic != Basic::UnsafePointer {
            map.insert(Name::new(basic.as_str()), basic.into());
        }
    }
    map.insert(Name::new("byte"), Basic::Uint8.into());
    map.insert(Name::new("rune"), Basic::Int32.into());
    map.insert(Name::new("error"), Ty::error());
    map.insert(Name::new("any"), Ty::any());
    map.insert(Name::new("comparable"), Ty::named("", "comparable"));
    map
});
