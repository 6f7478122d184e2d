//! Which names of the workspace may acquire something for their callers: openers and constructors, judged without resolving anything.
//!
//! A function may be one if it calls something whose name may acquire, and if the type of one of its results may have to be released.
//! Both are read off outlines and the names in bodies; what a function really does is asked only where such a name is called
//! ([`super::owners`]). Names are followed through a package, and from there into the packages that it imports.

use std::sync::Arc;

use go_model::db::{Db, DeclId, SourceFile, decl_tree};
use go_model::members::{RELEASING_METHODS, View};
use go_model::outline::{FuncItem, InterfaceElemRef, SigRef, TypeRef};
use go_model::package::{
    FileImports, Item, PackageId, file_imports, package_files, package_index, package_of_file,
};
use go_model::types::{Ty, TyKind};
use go_syntax::Name;
use go_syntax::ast::ExprKind;
use rustc_hash::{FxHashMap, FxHashSet};

use super::find::last_name;
use super::kinds::{self, Named};

/// How often names are followed through a package: the length of chains of openers.
const MAX_ROUNDS: usize = 6;

/// What names may acquire.
type Openers = FxHashMap<Name, Named>;

/// The names of what a body calls, sorted.
#[salsa::tracked(returns(clone))]
fn called_names(db: &dyn Db, decl: DeclId) -> Arc<Vec<Name>> {
    let tree = decl_tree(db, decl);
    let mut names: Vec<Name> = (tree.exprs.iter())
        .filter_map(|(_, expr)| match &expr.kind {
            ExprKind::Call { func, .. } => last_name(&tree, *func),
            _ => None,
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    Arc::new(names)
}

/// Whether a method of this name may release what its receiver is or holds.
fn may_release(name: Name) -> bool {
    RELEASING_METHODS.contains(&name.as_str()) || kinds::releases(name)
}

/// The types of a unit whose values may have to be released.
#[salsa::tracked(returns(clone))]
fn releasable(db: &dyn Db, unit: PackageId) -> Arc<FxHashSet<Name>> {
    let index = package_index(db, unit);
    let mut found: FxHashSet<Name> = FxHashSet::default();
    let methods = index.own_methods();
    for (ty, methods) in methods {
        let releases = methods.iter().any(|m| {
            may_release(m.name)
                || m.has_body
                    && m.sig.params.len() <= 1
                    && m.sig.results.len() <= 1
                    && called_names(db, m.decl).iter().any(|n| may_release(*n))
        });
        if releases {
            found.insert(ty);
        }
    }
    // Embedding, and interfaces made of others.
    for _ in 0..MAX_ROUNDS {
        let before = found.len();
        for item in index.own_items() {
            let Item::Type(ty) = item else { continue };
            if found.contains(&ty.name) {
                continue;
            }
            let file = ty.decl.file(db);
            let imports = file_imports(db, file);
            let inner = |r: &TypeRef| match base(r) {
                TypeRef::Name(name) => found.contains(name),
                TypeRef::Qualified(package, name) => {
                    imported(db, file, &imports, *package, *name, false)
                }
                _ => false,
            };
            let releasable = match &ty.ty {
                TypeRef::Struct(fields) => fields.iter().any(|f| f.embedded && inner(&f.ty)),
                TypeRef::Interface(elements) => elements.iter().any(|e| match e {
                    InterfaceElemRef::Method(name, _) => may_release(*name),
                    InterfaceElemRef::Embed(ty) => inner(ty),
                }),
                TypeRef::Func(_) => true,
                other => inner(other),
            };
            if releasable {
                found.insert(ty.name);
            }
        }
        if found.len() == before {
            break;
        }
    }
    Arc::new(found)
}

/// The type itself, not a pointer to it or an instance of it.
fn base(ty: &TypeRef) -> &TypeRef {
    match ty {
        TypeRef::Pointer(inner) => match &**inner {
            TypeRef::Inst(generic, _) => generic,
            other => other,
        },
        TypeRef::Inst(generic, _) => generic,
        other => other,
    }
}

/// Whether values of a type of another package may have to be released.
fn imported(
    db: &dyn Db,
    file: SourceFile,
    imports: &FileImports,
    package: Name,
    name: Name,
    deep: bool,
) -> bool {
    let Some(target) = imports.get(package) else {
        return false;
    };
    match target.package {
        Some(unit) if go_model::summary::is_own(db, unit) => {
            deep && releasable(db, unit).contains(&name)
        }
        // Of dependencies, those count of which something is known.
        Some(_) => kinds::knows_package(target.path),
        None if go_model::std_table::package(target.path).is_none() => {
            kinds::knows_package(target.path)
        }
        None => std_releasable(db, file, target.path, name),
    }
}

fn std_releasable(db: &dyn Db, file: SourceFile, path: Name, name: Name) -> bool {
    let ty = Ty::named(path.as_str(), name.as_str());
    let view = View::new(db, file);
    ty.is_named("net/http", "Response")
        || ["Close", "Stop"]
            .iter()
            .any(|m| view.has_method(&ty, m) == Some(true))
        || matches!(view.underlying(&ty).kind(), TyKind::Func(_))
}

/// What a function may acquire for its callers as far as its signature goes.
struct Signature {
    /// Something that may have to be released.
    releasable: bool,
    /// A type of the own package, which may be an owner, or a logger.
    own: bool,
}

fn signature(
    db: &dyn Db,
    file: SourceFile,
    imports: &FileImports,
    own: &FxHashSet<Name>,
    sig: &SigRef,
) -> Signature {
    let mut out = Signature {
        releasable: false,
        own: false,
    };
    for result in &sig.results {
        match base(result) {
            TypeRef::Name(name) => {
                if own.contains(name) || sig.type_params.iter().any(|p| p.name == *name) {
                    out.releasable = true;
                }
                // Not predeclared.
                out.own |= !is_predeclared(*name);
            }
            TypeRef::Qualified(package, name) => {
                out.releasable |= imported(db, file, imports, *package, *name, true);
                // A logger may keep a file.
                out.own |= (imports.get(*package))
                    .is_some_and(|t| matches!(t.path.as_str(), "log" | "log/slog"));
            }
            TypeRef::Func(_) => out.releasable = true,
            TypeRef::Interface(_) => out.releasable = true,
            _ => {}
        }
    }
    out
}

fn is_predeclared(name: Name) -> bool {
    let text = name.as_str();
    matches!(text, "error" | "any" | "byte" | "rune" | "comparable")
        || go_model::types::Basic::from_name(text).is_some()
}

/// The functions and methods of a unit that may acquire something for their callers. Without `imports` only what the unit calls
/// of the table of kinds and of itself counts: that is what keeps this from going in circles.
#[salsa::tracked(returns(clone))]
fn openers(db: &dyn Db, unit: PackageId, imports: bool) -> Arc<Openers> {
    let index = package_index(db, unit);
    let mut known: Openers = FxHashMap::default();
    if imports {
        for &file in package_files(db, unit).iter() {
            for other in imported_units(db, file) {
                absorb(&mut known, &openers(db, other, false));
            }
        }
        if let Some(base) = &index.base {
            absorb(&mut known, &openers(db, base.id, false));
        }
    }
    let own_types = match &index.base {
        Some(base) => {
            let mut all = (*releasable(db, base.id)).clone();
            all.extend(releasable(db, unit).iter().copied());
            Arc::new(all)
        }
        None => releasable(db, unit),
    };
    let mut found: Openers = FxHashMap::default();
    let mut candidates: Vec<(Arc<FuncItem>, Signature, Arc<Vec<Name>>)> = Vec::new();
    let functions = (index.own_items())
        .filter_map(|item| match item {
            Item::Func(f) => Some(f),
            _ => None,
        })
        .chain(index.own_methods().flat_map(|(_, methods)| methods));
    for f in functions {
        if !f.has_body || f.sig.results.is_empty() {
            continue;
        }
        let file = f.decl.file(db);
        let signature = signature(db, file, &file_imports(db, file), &own_types, &f.sig);
        if signature.releasable || signature.own && f.name.is_exported() {
            let called = called_names(db, f.decl);
            candidates.push((f.clone(), signature, called));
        }
    }
    for _ in 0..MAX_ROUNDS {
        let mut grown = false;
        for (f, signature, called) in &candidates {
            let mut rules: Vec<&'static str> = Vec::new();
            for name in called.iter() {
                let dynamic = known.get(name).or_else(|| found.get(name));
                let all = kinds::by_name(*name).into_iter().chain(dynamic);
                rules.extend(all.flat_map(|named| &named.rules));
            }
            // A type without a releasing method is of interest only where it may keep a file.
            if rules.is_empty() || !signature.releasable && !rules.contains(&"unclosed-file") {
                continue;
            }
            if !signature.releasable {
                rules.clear();
            }
            if signature.own {
                rules.push("unclosed-resource");
            }
            let entry = found.entry(f.name).or_default();
            entry.single |= f.sig.results.len() == 1;
            for rule in rules {
                if !entry.rules.contains(&rule) {
                    entry.rules.push(rule);
                    grown = true;
                }
            }
        }
        if !grown {
            break;
        }
    }
    for named in found.values_mut() {
        named.rules.sort_unstable();
    }
    Arc::new(found)
}

fn absorb(into: &mut Openers, from: &Openers) {
    for (name, named) in from {
        let entry = into.entry(*name).or_default();
        entry.single |= named.single;
        for rule in &named.rules {
            if !entry.rules.contains(rule) {
                entry.rules.push(rule);
            }
        }
    }
}

/// The units of the workspace that a file imports, each once.
fn imported_units(db: &dyn Db, file: SourceFile) -> Vec<PackageId> {
    let imports = file_imports(db, file);
    let targets = (imports.named().map(|(_, t)| t)).chain(imports.dots.iter().copied());
    let mut seen = FxHashSet::default();
    targets
        .filter_map(|t| t.package)
        .filter(|unit| seen.insert(*unit) && go_model::summary::is_own(db, *unit))
        .collect()
}

/// What names may acquire in a file.
#[salsa::tracked(returns(clone))]
fn file_openers(db: &dyn Db, file: SourceFile) -> Arc<Openers> {
    let unit = package_of_file(db, file);
    let mut all = (*openers(db, unit, true)).clone();
    if let Some(base) = &package_index(db, unit).base {
        absorb(&mut all, &openers(db, base.id, true));
    }
    for unit in imported_units(db, file) {
        absorb(&mut all, &openers(db, unit, true));
    }
    for named in all.values_mut() {
        named.rules.sort_unstable();
    }
    Arc::new(all)
}

/// Whether names may acquire anything in a file beyond the table of kinds.
#[salsa::tracked]
fn has_openers(db: &dyn Db, file: SourceFile) -> bool {
    !file_openers(db, file).is_empty()
}

/// What the names that a declaration calls may acquire, beyond the table of kinds. Only the names that matter are there, so that the
/// declaration is not looked at again when others change.
pub(crate) fn openers_called(db: &dyn Db, decl: DeclId) -> Arc<Vec<(Name, Named)>> {
    match has_openers(db, decl.file(db)) {
        true => openers_among(db, decl),
        false => Arc::default(),
    }
}

#[salsa::tracked(returns(clone))]
fn openers_among(db: &dyn Db, decl: DeclId) -> Arc<Vec<(Name, Named)>> {
    let all = file_openers(db, decl.file(db));
    let found = (called_names(db, decl).iter())
        .filter_map(|name| all.get(name).map(|named| (*name, named.clone())))
        .collect();
    Arc::new(found)
}
