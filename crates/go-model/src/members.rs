//! What types have: fields, methods, elements; and which interfaces they implement.
//!
//! All questions are asked through a [`View`]: a file from whose point of view import paths are resolved, and the local types and
//! type parameters of a declaration, if the question is about types found in its [`Facts`]. Answers that depend on something that
//! cannot be found are [`Lookup::Unknown`], and that must be told from [`Lookup::Absent`].

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use go_syntax::Name;
use go_syntax::ast::ChanDir;

use crate::db::{Db, SourceFile};
use crate::facts::{Facts, ItemRef, MethodRef};
use crate::infer::{self, Item};
use crate::types::{Basic, FuncSig, InterfaceTy, NamedTy, Ty, TyKind, TypeDef};

/// Methods that end the use of a value, in the order in which they are preferred.
pub const RELEASING_METHODS: [&str; 12] = [
    "Close", "Stop", "Release", "Cancel", "Shutdown", "Unlock", "RUnlock", "End", "Commit",
    "Rollback", "Free", "Finish",
];

/// A point of view for questions about types.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The database.
    pub db: &'a dyn Db,
    /// The file that asks: import paths mean what they mean there, and unexported names are those of its package.
    pub file: SourceFile,
    /// Types declared inside the function, by their number ([`NamedTy::local`]).
    pub local_types: &'a [(u32, Arc<TypeDef>)],
    /// Type parameters with their constraints.
    pub type_params: &'a [(Name, Ty)],
    /// Answers given before.
    pub(crate) cache: Option<(&'a infer::Cache, &'a infer::FileScope)>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup<T> {
    /// There it is.
    Found(T),
    /// There is none.
    Absent,
    /// Something that is not known stands in the way.
    Unknown,
}

impl<T> Lookup<T> {
    /// What was found.
    pub fn found(self) -> Option<T> {
        match self {
            Lookup::Found(value) => Some(value),
            Lookup::Absent | Lookup::Unknown => None,
        }
    }

    /// Whether it was found.
    pub fn is_found(&self) -> bool {
        matches!(self, Lookup::Found(_))
    }

    /// Whether there certainly is none.
    pub fn is_absent(&self) -> bool {
        matches!(self, Lookup::Absent)
    }

    /// Changes what was found.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Lookup<U> {
        match self {
            Lookup::Found(value) => Lookup::Found(f(value)),
            Lookup::Absent => Lookup::Absent,
            Lookup::Unknown => Lookup::Unknown,
        }
    }
}

/// A field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldInfo {
    /// The declared type whose struct has it; `None` for struct literals and local types.
    pub owner: Option<ItemRef>,
    /// Its type.
    pub ty: Ty,
    /// Whether a pointer was followed to reach it.
    pub indirect: bool,
}

/// A method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodInfo {
    /// Which.
    pub method: MethodRef,
    /// Its type without the receiver, or unknown.
    pub ty: Ty,
    /// Whether the receiver is a pointer.
    pub pointer: bool,
    /// Whether it was reached through a pointer (the receiver's own or that of an embedded field).
    pub indirect: bool,
    /// Embedded fields on the way to it, outermost first.
    pub path: Vec<Name>,
}

/// A field or a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// A field.
    Field(FieldInfo),
    /// A method.
    Method(MethodInfo),
}

/// Depth of embedding that is followed.
const MAX_EMBEDDING: usize = 12;

static ERROR_DEF: LazyLock<Arc<TypeDef>> = LazyLock::new(|| {
    let method = FuncSig {
        results: vec![Basic::String.into()],
        ..FuncSig::default()
    };
    Arc::new(TypeDef {
        item: ItemRef {
            package: Name::new(""),
            name: Name::new("error"),
        },
        type_params: Vec::new(),
        constraints: Vec::new(),
        rhs: Ty::new(TyKind::Interface(InterfaceTy {
            methods: vec![(Name::new("Error"), method)],
            ..InterfaceTy::default()
        })),
        methods: Vec::new(),
    })
});

static COMPARABLE_DEF: LazyLock<Arc<TypeDef>> = LazyLock::new(|| {
    Arc::new(TypeDef {
        item: ItemRef {
            package: Name::new(""),
            name: Name::new("comparable"),
        },
        type_params: Vec::new(),
        constraints: Vec::new(),
        rhs: Ty::new(TyKind::Interface(InterfaceTy {
            type_set: true,
            ..InterfaceTy::default()
        })),
        methods: Vec::new(),
    })
});

struct Step {
    ty: Ty,
    indirect: bool,
    path: Vec<Name>,
}

impl<'a> View<'a> {
    /// The point of view of a file, outside of functions.
    pub fn new(db: &'a dyn Db, file: SourceFile) -> Self {
        Self {
            db,
            file,
            local_types: &[],
            type_params: &[],
            cache: None,
        }
    }

    /// The point of view of a declaration of the file.
    pub fn with_facts(db: &'a dyn Db, file: SourceFile, facts: &'a Facts) -> Self {
        Self {
            db,
            file,
            local_types: &facts.local_types,
            type_params: &facts.type_params,
            cache: None,
        }
    }

    /// What the declaration of a type says.
    pub fn type_def(&self, named: &NamedTy) -> Option<Arc<TypeDef>> {
        if named.local != 0 {
            let (_, def) = self.local_types.iter().find(|(n, _)| *n == named.local)?;
            return Some(def.clone());
        }
        if named.package == "" {
            return if named.name == "error" {
                Some(ERROR_DEF.clone())
            } else {
                Some(COMPARABLE_DEF.clone())
            };
        }
        match self.cache {
            Some((cache, scope)) => cache.type_def(self.db, scope, named.package, named.name),
            None => infer::type_def(self.db, self.file, named.package, named.name),
        }
    }

    /// Import path of the file's package.
    fn own_path(&self) -> Name {
        match self.cache {
            Some((_, scope)) => scope.package,
            None => infer::package_path(self.db, self.file),
        }
    }

    /// The type behind declared names: a type literal, a basic type, or unknown. A type parameter is what its constraint's core
    /// type is, if that is obvious.
    pub fn underlying(&self, ty: &Ty) -> Ty {
        let mut ty = Cow::Borrowed(ty);
        for _ in 0..32 {
            match ty.kind() {
                TyKind::Named(named) => match self.type_def(named) {
                    Some(def) => ty = Cow::Owned(instantiate(&def, &def.rhs, &named.args)),
                    None => return Ty::unknown(),
                },
                TyKind::TypeParam(name) => match self.core(*name) {
                    Some(core) => ty = Cow::Owned(core),
                    None => return Ty::unknown(),
                },
                _ => return ty.into_owned(),
            }
        }
        Ty::unknown()
    }

    /// The constraint of a type parameter in scope.
    pub fn constraint(&self, param: Name) -> Option<&'a Ty> {
        let found = self.type_params.iter().rev().find(|(n, _)| *n == param)?;
        Some(&found.1)
    }

    fn core(&self, param: Name) -> Option<Ty> {
        self.core_of(&self.constraint(param)?.clone())
    }

    /// The one type that a constraint is written with: of `~[]E` it is `[]E`.
    pub fn core_of(&self, constraint: &Ty) -> Option<Ty> {
        let mut current = constraint.clone();
        for _ in 0..8 {
            let iface = match current.kind() {
                TyKind::Interface(iface) => iface.clone(),
                TyKind::Named(_) => match self.underlying(&current).kind() {
                    TyKind::Interface(iface) => iface.clone(),
                    _ => return None,
                },
                _ => return None,
            };
            if let Some(core) = iface.core {
                return Some(core);
            }
            match iface.embeds.as_slice() {
                [one] if !iface.type_set => current = one.clone(),
                _ => return None,
            }
        }
        None
    }

    /// `T` for `*T`, looking behind declared names; `None` if it is not a pointer.
    pub fn deref(&self, ty: &Ty) -> Option<Ty> {
        match self.underlying(ty).kind() {
            TyKind::Pointer(inner) => Some(inner.clone()),
            _ => None,
        }
    }

    /// The element type of a slice, array, pointer to array, map (its values), channel or string.
    pub fn element(&self, ty: &Ty) -> Option<Ty> {
        let under = self.underlying(ty);
        match under.kind() {
            TyKind::Slice(t) | TyKind::Array(_, t) | TyKind::Map(_, t) | TyKind::Chan(_, t) => {
                Some(t.clone())
            }
            TyKind::Pointer(inner) => match self.underlying(inner).kind() {
                TyKind::Array(_, t) => Some(t.clone()),
                _ => None,
            },
            TyKind::Basic(Basic::String | Basic::UntypedString) => Some(Basic::Uint8.into()),
            _ => None,
        }
    }

    /// Whether it is an interface type; `None` if that is not known.
    pub fn is_interface(&self, ty: &Ty) -> Option<bool> {
        match self.underlying(ty).kind() {
            TyKind::Interface(_) => Some(true),
            TyKind::Unknown => None,
            _ => Some(false),
        }
    }

    /// The field or method `name` that `x.name` selects for an `x` of type `ty`, pointers and embedding followed.
    pub fn select(&self, ty: &Ty, name: Name) -> Lookup<Member> {
        let mut start = ty.clone();
        let mut indirect = false;
        match ty.kind() {
            TyKind::Pointer(inner) => {
                start = inner.clone();
                indirect = true;
            }
            TyKind::Named(_) => {
                // A declared pointer type has the fields, but not the methods, of what it points to.
                if let TyKind::Pointer(inner) = self.underlying(ty).kind() {
                    return match self.select_in(inner.clone(), true, name) {
                        Lookup::Found(Member::Method(_)) => Lookup::Absent,
                        other => other,
                    };
                }
            }
            TyKind::TypeParam(param) => {
                let Some(constraint) = self.constraint(*param).cloned() else {
                    return Lookup::Unknown;
                };
                let found = self.select_in(constraint.clone(), false, name);
                if found.is_found() {
                    return found;
                }
                return match self.core_of(&constraint) {
                    Some(core) => match self.select(&core, name) {
                        // Fields of core types can be selected no more, methods of `~T` neither, but those of `*T` can.
                        Lookup::Found(Member::Field(_)) => Lookup::Unknown,
                        other => other,
                    },
                    None => Lookup::Unknown,
                };
            }
            _ => {}
        }
        if indirect {
            if let TyKind::TypeParam(_) = start.kind() {
                return Lookup::Unknown;
            }
            if let TyKind::Pointer(_) = start.kind() {
                return Lookup::Absent;
            }
            if start.is_unknown() {
                return Lookup::Unknown;
            }
            // A pointer to an interface has no methods.
            if let TyKind::Named(_) | TyKind::Interface(_) = start.kind()
                && let TyKind::Interface(_) = self.underlying(&start).kind()
            {
                return Lookup::Absent;
            }
        }
        self.select_in(start, indirect, name)
    }

    fn select_in(&self, start: Ty, indirect: bool, name: Name) -> Lookup<Member> {
        let asking = if name.is_exported() {
            None
        } else {
            Some(self.own_path())
        };
        if let TyKind::Named(named) = start.kind()
            && let Some(member) = self.direct(&start, named, indirect, name, asking)
        {
            return Lookup::Found(member);
        }
        let mut current = vec![Step {
            ty: start,
            indirect,
            path: Vec::new(),
        }];
        let mut seen: Vec<(Name, Name, u32)> = Vec::new();
        for _ in 0..MAX_EMBEDDING {
            let mut found: Option<Member> = None;
            let mut count = 0;
            let mut unknown = false;
            let mut next: Vec<Step> = Vec::new();
            for step in &current {
                let mut owner = None;
                let mut def = None;
                let under = match step.ty.kind() {
                    TyKind::Named(named) => {
                        let key = (named.package, named.name, named.local);
                        if seen.contains(&key) {
                            continue;
                        }
                        seen.push(key);
                        let Some(d) = self.type_def(named) else {
                            unknown = true;
                            continue;
                        };
                        if named.local == 0 {
                            owner = Some(d.item);
                        }
                        let visible = asking.is_none_or(|p| same_package(p, named.package));
                        if visible && let Some(method) = d.method(name) {
                            count += 1;
                            found = Some(Member::Method(MethodInfo {
                                method: MethodRef {
                                    package: d.item.package,
                                    ty: d.item.name,
                                    name,
                                    interface: false,
                                },
                                ty: instantiate(&d, &method.ty, &named.args),
                                pointer: method.pointer,
                                indirect: step.indirect,
                                path: step.path.clone(),
                            }));
                            continue;
                        }
                        def = Some(d);
                        self.underlying(&step.ty)
                    }
                    _ => step.ty.clone(),
                };
                match under.kind() {
                    TyKind::Struct(fields) => {
                        let package = def.as_ref().map(|d| d.item.package);
                        let visible = match (asking, package) {
                            (Some(p), Some(q)) => same_package(p, q),
                            _ => true,
                        };
                        for field in fields {
                            if field.name == name && visible {
                                count += 1;
                                found = Some(Member::Field(FieldInfo {
                                    owner,
                                    ty: field.ty.clone(),
                                    indirect: step.indirect,
                                }));
                                continue;
                            }
                            if !field.embedded {
                                continue;
                            }
                            let (ty, indirect) = match field.ty.kind() {
                                TyKind::Pointer(inner) => (inner.clone(), true),
                                _ => (field.ty.clone(), step.indirect),
                            };
                            let mut path = step.path.clone();
                            path.push(field.name);
                            next.push(Step { ty, indirect, path });
                        }
                    }
                    TyKind::Interface(iface) => {
                        match self.interface_method(iface, owner, name, 0) {
                            Lookup::Found((method, sig)) => {
                                count += 1;
                                found = Some(Member::Method(MethodInfo {
                                    method,
                                    ty: Ty::new(TyKind::Func(sig)),
                                    pointer: false,
                                    indirect: step.indirect,
                                    path: step.path.clone(),
                                }));
                            }
                            Lookup::Unknown => unknown = true,
                            Lookup::Absent => {}
                        }
                    }
                    TyKind::Unknown => unknown = true,
                    _ => {}
                }
            }
            match (count, found) {
                (1, Some(member)) => return Lookup::Found(member),
                (0, _) if unknown => return Lookup::Unknown,
                (0, _) => {}
                // Ambiguous: the selector is an error, or something is not as it seems.
                _ => return Lookup::Unknown,
            }
            if next.is_empty() {
                return Lookup::Absent;
            }
            current = next;
        }
        Lookup::Unknown
    }

    /// A method or field that a declared type has itself, which is what is asked for mostly.
    fn direct(
        &self,
        ty: &Ty,
        named: &NamedTy,
        indirect: bool,
        name: Name,
        asking: Option<Name>,
    ) -> Option<Member> {
        if asking.is_some_and(|p| !same_package(p, named.package)) {
            return None;
        }
        let def = self.type_def(named)?;
        if let Some(method) = def.method(name) {
            return Some(Member::Method(MethodInfo {
                method: MethodRef {
                    package: def.item.package,
                    ty: def.item.name,
                    name,
                    interface: false,
                },
                ty: instantiate(&def, &method.ty, &named.args),
                pointer: method.pointer,
                indirect,
                path: Vec::new(),
            }));
        }
        let literal;
        let fields = match def.rhs.kind() {
            TyKind::Struct(fields) => fields,
            TyKind::Named(_) => {
                literal = self.underlying(ty);
                match literal.kind() {
                    TyKind::Struct(fields) => fields,
                    _ => return None,
                }
            }
            _ => return None,
        };
        let field = fields.iter().find(|f| f.name == name)?;
        let ty = match def.rhs.kind() {
            TyKind::Struct(_) => instantiate(&def, &field.ty, &named.args),
            _ => field.ty.clone(),
        };
        Some(Member::Field(FieldInfo {
            owner: (named.local == 0).then_some(def.item),
            ty,
            indirect,
        }))
    }

    fn interface_method(
        &self,
        iface: &InterfaceTy,
        owner: Option<ItemRef>,
        name: Name,
        depth: usize,
    ) -> Lookup<(MethodRef, FuncSig)> {
        if let Some((_, sig)) = iface.methods.iter().find(|(n, _)| *n == name) {
            let (package, ty) = match owner {
                Some(item) => (item.package, item.name),
                None => (Name::new(""), Name::new("")),
            };
            let method = MethodRef {
                package,
                ty,
                name,
                interface: true,
            };
            return Lookup::Found((method, sig.clone()));
        }
        let mut unknown = false;
        for embed in &iface.embeds {
            if depth > MAX_EMBEDDING {
                return Lookup::Unknown;
            }
            let owner = match embed.kind() {
                TyKind::Named(n) if n.local == 0 => Some(ItemRef {
                    package: n.package,
                    name: n.name,
                }),
                _ => None,
            };
            match self.underlying(embed).kind() {
                TyKind::Interface(inner) => {
                    match self.interface_method(inner, owner, name, depth + 1) {
                        Lookup::Found(found) => return Lookup::Found(found),
                        Lookup::Unknown => unknown = true,
                        Lookup::Absent => {}
                    }
                }
                _ => unknown = true,
            }
        }
        if unknown {
            Lookup::Unknown
        } else {
            Lookup::Absent
        }
    }

    /// The field that `x.name` selects.
    pub fn field(&self, ty: &Ty, name: Name) -> Lookup<FieldInfo> {
        match self.select(ty, name) {
            Lookup::Found(Member::Field(field)) => Lookup::Found(field),
            Lookup::Found(Member::Method(_)) | Lookup::Absent => Lookup::Absent,
            Lookup::Unknown => Lookup::Unknown,
        }
    }

    /// The method that `x.name` selects for an addressable `x`: pointer methods of values are found too.
    pub fn method(&self, ty: &Ty, name: Name) -> Lookup<MethodInfo> {
        match self.select(ty, name) {
            Lookup::Found(Member::Method(method)) => Lookup::Found(method),
            Lookup::Found(Member::Field(_)) | Lookup::Absent => Lookup::Absent,
            Lookup::Unknown => Lookup::Unknown,
        }
    }

    /// Whether a value of the type (addressable, so that pointer methods count) has the method; `None` if not known.
    pub fn has_method(&self, ty: &Ty, name: &str) -> Option<bool> {
        match self.method(ty, Name::new(name)) {
            Lookup::Found(_) => Some(true),
            Lookup::Absent => Some(false),
            Lookup::Unknown => None,
        }
    }

    /// Which of [`RELEASING_METHODS`] a value of the type has.
    pub fn releasing_methods(&self, ty: &Ty) -> Vec<&'static str> {
        RELEASING_METHODS
            .into_iter()
            .filter(|name| self.has_method(ty, name) == Some(true))
            .collect()
    }

    /// Names of all methods that can be called on an addressable value, sorted; `None` if some are not known.
    pub fn method_names(&self, ty: &Ty) -> Option<Vec<Name>> {
        let mut names = Vec::new();
        self.collect_methods(ty, &mut names, &mut Vec::new(), 0)?;
        names.sort_unstable();
        names.dedup();
        names.retain(|&name| self.method(ty, name).is_found());
        Some(names)
    }

    fn collect_methods(
        &self,
        ty: &Ty,
        names: &mut Vec<Name>,
        seen: &mut Vec<Ty>,
        depth: usize,
    ) -> Option<()> {
        let ty = match ty.kind() {
            TyKind::Pointer(inner) => inner,
            _ => ty,
        };
        if depth > MAX_EMBEDDING || seen.contains(ty) {
            return Some(());
        }
        seen.push(ty.clone());
        let mut under = ty.clone();
        if let TyKind::Named(named) = ty.kind() {
            names.extend(self.type_def(named)?.methods.iter().map(|m| m.name));
            under = self.underlying(ty);
        }
        match under.kind() {
            TyKind::Struct(fields) => {
                for field in fields.iter().filter(|f| f.embedded) {
                    self.collect_methods(&field.ty, names, seen, depth + 1)?;
                }
            }
            TyKind::Interface(iface) => {
                names.extend(iface.methods.iter().map(|m| m.0));
                for embed in &iface.embeds {
                    self.collect_methods(embed, names, seen, depth + 1)?;
                }
            }
            TyKind::Unknown => return None,
            _ => {}
        }
        Some(())
    }

    /// Whether a value of type `ty` can be assigned to the interface; `None` if not known or `iface` is no interface.
    pub fn implements(&self, ty: &Ty, iface: &Ty) -> Option<bool> {
        let under = self.underlying(iface);
        let TyKind::Interface(target) = under.kind() else {
            return None;
        };
        let mut methods = Vec::new();
        self.flatten(target, &mut methods, 0)?;
        let mut unknown = false;
        for (name, sig) in methods {
            match self.method(ty, name) {
                Lookup::Absent => return Some(false),
                Lookup::Unknown => unknown = true,
                Lookup::Found(info) => {
                    if info.pointer && !info.indirect {
                        return Some(false);
                    }
                    match info.ty.kind() {
                        TyKind::Func(have) if *have == sig => {}
                        TyKind::Func(_)
                            if !info.ty.has_unknown()
                                && !Ty::new(TyKind::Func(sig.clone())).has_unknown() =>
                        {
                            return Some(false);
                        }
                        _ => unknown = true,
                    }
                }
            }
        }
        if unknown { None } else { Some(true) }
    }

    fn flatten(
        &self,
        iface: &InterfaceTy,
        out: &mut Vec<(Name, FuncSig)>,
        depth: usize,
    ) -> Option<()> {
        if depth > MAX_EMBEDDING {
            return None;
        }
        for (name, sig) in &iface.methods {
            if !out.iter().any(|(n, _)| n == name) {
                out.push((*name, sig.clone()));
            }
        }
        for embed in &iface.embeds {
            match self.underlying(embed).kind() {
                TyKind::Interface(inner) => self.flatten(inner, out, depth + 1)?,
                _ => return None,
            }
        }
        Some(())
    }

    /// The type in Go notation, declared types with the name of their package (`*os.File`), those of the file's own package without.
    pub fn display(&self, ty: &Ty) -> String {
        let own = infer::package_path(self.db, self.file);
        let mut out = String::new();
        let qualify = |package: Name| {
            if package == own {
                return String::new();
            }
            match infer::package_name(self.db, self.file, package) {
                Some(name) => name.to_string(),
                None => last_element(package.as_str()).to_owned(),
            }
        };
        write_ty(&mut out, ty, &qualify);
        out
    }

    /// The package-level declaration `name` of a package.
    pub fn item(&self, package: Name, name: Name) -> Option<Item> {
        infer::item(self.db, self.file, package, name)
    }
}

/// Whether unexported names of the two packages are the same: the test variant of a package is the package.
fn same_package(a: Name, b: Name) -> bool {
    a == b
}

fn last_element(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A type of a declaration with the declared type's parameters replaced.
pub fn instantiate(def: &TypeDef, ty: &Ty, args: &[Ty]) -> Ty {
    if def.type_params.is_empty() || !ty.has_type_param() {
        return ty.clone();
    }
    ty.substitute(&|name| {
        let i = def.type_params.iter().position(|p| *p == name)?;
        Some(args.get(i).cloned().unwrap_or_else(Ty::unknown))
    })
}

/// The type in Go notation with full import paths (`*net/http.Client`), as go/types writes it.
pub fn display_full(ty: &Ty) -> String {
    let mut out = String::new();
    write_ty(&mut out, ty, &|package| package.to_string());
    out
}

/// Writes a type; `qualify` gives what stands before the dot.
pub fn write_ty(out: &mut String, ty: &Ty, qualify: &dyn Fn(Name) -> String) {
    match ty.kind() {
        TyKind::Unknown => out.push('?'),
        TyKind::Basic(Basic::Uint8) => out.push_str("byte"),
        TyKind::Basic(b) => out.push_str(b.as_str()),
        TyKind::Named(named) => {
            if named.package != "" {
                let package = qualify(named.package);
                if !package.is_empty() {
                    out.push_str(&package);
                    out.push('.');
                }
            }
            out.push_str(named.name.as_str());
            if !named.args.is_empty() {
                out.push('[');
                write_list(out, &named.args, qualify, false, ",");
                out.push(']');
            }
        }
        TyKind::Pointer(t) => {
            out.push('*');
            write_ty(out, t, qualify);
        }
        TyKind::Slice(t) => {
            out.push_str("[]");
            write_ty(out, t, qualify);
        }
        TyKind::Array(len, t) => {
            match len {
                Some(n) => {
                    let _ = write!(out, "[{n}]");
                }
                None => out.push_str("[?]"),
            }
            write_ty(out, t, qualify);
        }
        TyKind::Map(k, v) => {
            out.push_str("map[");
            write_ty(out, k, qualify);
            out.push(']');
            write_ty(out, v, qualify);
        }
        TyKind::Chan(dir, t) => {
            out.push_str(match dir {
                ChanDir::Both => "chan ",
                ChanDir::Send => "chan<- ",
                ChanDir::Receive => "<-chan ",
            });
            let parens =
                *dir != ChanDir::Send && matches!(t.kind(), TyKind::Chan(ChanDir::Receive, _));
            let parens = parens && *dir == ChanDir::Both;
            if parens {
                out.push('(');
            }
            write_ty(out, t, qualify);
            if parens {
                out.push(')');
            }
        }
        TyKind::Func(sig) => {
            out.push_str("func");
            write_sig(out, sig, qualify);
        }
        TyKind::Struct(fields) => {
            out.push_str("struct{");
            for (i, field) in fields.iter().enumerate() {
                if i > 0 {
                    out.push_str("; ");
                }
                if !field.embedded {
                    out.push_str(field.name.as_str());
                    out.push(' ');
                }
                write_ty(out, &field.ty, qualify);
            }
            out.push('}');
        }
        TyKind::Interface(iface) => {
            if iface.methods.is_empty() && iface.embeds.is_empty() && !iface.type_set {
                out.push_str("any");
                return;
            }
            out.push_str("interface{");
            let mut first = true;
            let mut methods: Vec<_> = iface.methods.iter().collect();
            methods.sort_by_key(|m| m.0);
            for (name, sig) in methods {
                if !std::mem::take(&mut first) {
                    out.push_str("; ");
                }
                out.push_str(name.as_str());
                write_sig(out, sig, qualify);
            }
            for embed in iface.embeds.iter().chain(&iface.core) {
                if !std::mem::take(&mut first) {
                    out.push_str("; ");
                }
                write_ty(out, embed, qualify);
            }
            out.push('}');
        }
        TyKind::Tuple(types) => {
            out.push('(');
            write_list(out, types, qualify, false, ", ");
            out.push(')');
        }
        TyKind::TypeParam(name) => out.push_str(name.as_str()),
    }
}

fn write_sig(out: &mut String, sig: &FuncSig, qualify: &dyn Fn(Name) -> String) {
    if !sig.type_params.is_empty() {
        out.push('[');
        for (i, name) in sig.type_params.iter().enumerate() {
            if i > 0 {
                out.push_str(", ");
            }
            out.push_str(name.as_str());
            if let Some(constraint) = sig.constraints.get(i) {
                out.push(' ');
                write_ty(out, constraint, qualify);
            }
        }
        out.push(']');
    }
    out.push('(');
    write_list(out, &sig.params, qualify, sig.variadic, ", ");
    out.push(')');
    match sig.results.as_slice() {
        [] => {}
        [one] => {
            out.push(' ');
            write_ty(out, one, qualify);
        }
        many => {
            out.push_str(" (");
            write_list(out, many, qualify, false, ", ");
            out.push(')');
        }
    }
}

fn write_list(
    out: &mut String,
    types: &[Ty],
    qualify: &dyn Fn(Name) -> String,
    variadic: bool,
    separator: &str,
) {
    for (i, ty) in types.iter().enumerate() {
        if i > 0 {
            out.push_str(separator);
        }
        match ty.kind() {
            TyKind::Slice(elem) if variadic && i + 1 == types.len() => {
                out.push_str("...");
                write_ty(out, elem, qualify);
            }
            _ => write_ty(out, ty, qualify),
        }
    }
}
