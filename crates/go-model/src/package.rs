//! Packages and what is declared in them.
//!
//! # Units
//!
//! A [`PackageId`] is a *unit* of analysis, which is narrower than a directory:
//!
//! - [`UnitKind::Normal`]: the files of a directory with the same package clause that are not tests;
//! - [`UnitKind::Test`]: its `_test.go` files with the same clause. The unit's own files are the tests, what it sees is the normal
//!   unit and the tests together ([`PackageIndex::base`]);
//! - [`UnitKind::External`]: the `_test.go` files of package `p_test`, which import `p`, and then see the test unit of it.
//!
//! A whole directory as unit would make import cycles, since tests may import what imports the package.
//!
//! Files that the build constraints keep out of the configured build belong to a unit too: its [`Variant`] says for which build the
//! files were selected, the nearest one to the configured that includes the file; files that only the tag `ignore` admits, and
//! documents without a directory, are units of their own.

#![allow(missing_docs)] // What salsa's macros generate has no documentation.

use std::sync::Arc;

use go_syntax::Name;
use rustc_hash::FxHashMap;

use crate::constraint::{Context, context_for};
use crate::db::{Db, DeclId, Directory, Settings, SourceFile, decls, source_file};
use crate::outline::{AliasRef, FuncItem, TypeItem, TypeRef, ValueItem, outline};
use crate::workspace::{
    directory_import_path, file_header, guess_names, import_directory, is_std_like, nearest_go_mod,
    parent_directory, std_has_no_directory,
};

/// Which files of a directory a unit consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UnitKind {
    /// Files that are not tests.
    Normal,
    /// Tests in the package itself.
    Test,
    /// Tests in package `p_test`.
    External,
}

/// A unit of analysis; see the module documentation.
// Without a lifetime, and never collected: see `DeclId`.
#[salsa::interned(unsafe(no_lifetime), revisions = usize::MAX, debug)]
pub struct PackageId {
    /// Its directory; `None` for a document without a file.
    #[returns(copy)]
    pub dir: Option<Directory>,
    /// The package clause; empty where it is missing.
    #[returns(copy)]
    pub name: Name,
    /// Which files.
    #[returns(copy)]
    pub kind: UnitKind,
    /// For which build, if it is not the configured one.
    #[returns(copy)]
    pub variant: Option<Variant>,
}

/// A build other than the configured one.
#[salsa::interned(unsafe(no_lifetime), revisions = usize::MAX, debug)]
pub struct Variant {
    /// The build; `None` for a file that is a unit of its own.
    #[returns(ref)]
    pub context: Option<Context>,
    /// The file that is a unit of its own.
    #[returns(copy)]
    pub single: Option<SourceFile>,
}

/// The files of a directory that belong to a build, by package clause.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DirectoryUnits {
    /// In the order of the first file's name.
    pub groups: Vec<Group>,
}

/// Files with the same package clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The clause; of external tests without `_test`.
    pub name: Name,
    /// Files that are not tests.
    pub normal: Vec<SourceFile>,
    /// Tests in the package.
    pub test: Vec<SourceFile>,
    /// Tests in package `name_test`.
    pub external: Vec<SourceFile>,
}

impl Group {
    fn files(&self, kind: UnitKind) -> &[SourceFile] {
        match kind {
            UnitKind::Normal => &self.normal,
            UnitKind::Test => &self.test,
            UnitKind::External => &self.external,
        }
    }
}

/// The build for which a variant's files are selected; the configured one for `None`.
fn context_of(db: &dyn Db, variant: Option<Variant>) -> Context {
    variant
        .and_then(|v| v.context(db).clone())
        .unwrap_or_else(|| Context::new(Settings::get(db).build(db)))
}

/// The files of a directory that belong to the build of a variant (`None`: the configured one). Only the heads of files are read,
/// and only of those whose names admit them.
#[salsa::tracked(returns(clone))]
pub fn directory_units(
    db: &dyn Db,
    dir: Directory,
    variant: Option<Variant>,
) -> Arc<DirectoryUnits> {
    let mut out = DirectoryUnits::default();
    let context = context_of(db, variant);
    let path = dir.path(db);
    for file_name in dir.listing(db).iter().flat_map(|l| l.go_files.iter()) {
        if !context.includes_name(file_name) {
            continue;
        }
        let file = source_file(db, &path.join(&**file_name));
        let header = file_header(db, file);
        let Some(clause) = header.package else {
            continue;
        };
        if !context.includes(file_name, header.constraint.as_ref()) {
            continue;
        }
        let (name, kind) = classify(clause, file_name);
        let group = match out.groups.iter_mut().find(|g| g.name == name) {
            Some(group) => group,
            None => {
                out.groups.push(Group {
                    name,
                    normal: Vec::new(),
                    test: Vec::new(),
                    external: Vec::new(),
                });
                out.groups.last_mut().expect("just pushed")
            }
        };
        match kind {
            UnitKind::Normal => group.normal.push(file),
            UnitKind::Test => group.test.push(file),
            UnitKind::External => group.external.push(file),
        }
    }
    Arc::new(out)
}

/// The unit's name without `_test`, and its kind.
fn classify(clause: Name, file_name: &str) -> (Name, UnitKind) {
    if !file_name.ends_with("_test.go") {
        return (clause, UnitKind::Normal);
    }
    match clause.as_str().strip_suffix("_test") {
        Some(base) if !base.is_empty() => (Name::new(base), UnitKind::External),
        _ => (clause, UnitKind::Test),
    }
}

/// The unit that a file belongs to. Every file belongs to exactly one.
#[salsa::tracked(returns(copy))]
pub fn package_of_file(db: &dyn Db, file: SourceFile) -> PackageId {
    let header = file_header(db, file);
    let file_name = file.file_name(db);
    let clause = header.package.unwrap_or_else(|| Name::new(""));
    let (name, kind) = classify(clause, &file_name);
    let alone = |dir| {
        let variant = Variant::new(db, None, Some(file));
        // A test without its package: nothing else is seen.
        PackageId::new(db, dir, name, UnitKind::Normal, Some(variant))
    };
    let Some(dir) = parent_directory(db, file) else {
        return alone(None);
    };
    let listed = dir
        .listing(db)
        .is_some_and(|l| l.go_files.iter().any(|f| **f == *file_name));
    if !listed || header.package.is_none() {
        return alone(Some(dir));
    }
    let base = context_of(db, None);
    match context_for(&base, &file_name, header.constraint.as_ref()) {
        None => alone(Some(dir)),
        Some(context) if context == base => PackageId::new(db, Some(dir), name, kind, None),
        Some(context) => {
            let variant = Variant::new(db, Some(context), None);
            PackageId::new(db, Some(dir), name, kind, Some(variant))
        }
    }
}

/// The files that a unit consists of, in the order of their names; not those that it sees through [`PackageIndex::base`].
#[salsa::tracked(returns(clone))]
pub fn package_files(db: &dyn Db, package: PackageId) -> Arc<Vec<SourceFile>> {
    let variant = package.variant(db);
    if let Some(file) = variant.and_then(|v| v.single(db)) {
        return Arc::new(vec![file]);
    }
    let Some(dir) = package.dir(db) else {
        return Arc::default();
    };
    let name = package.name(db);
    let units = directory_units(db, dir, variant);
    let files = units
        .groups
        .iter()
        .find(|g| g.name == name)
        .map(|g| g.files(package.kind(db)).to_vec());
    Arc::new(files.unwrap_or_default())
}

/// All declarations of a unit's own files, file by file in source order.
#[salsa::tracked(returns(clone))]
pub fn package_decls(db: &dyn Db, package: PackageId) -> Arc<Vec<DeclId>> {
    let files = package_files(db, package);
    Arc::new(
        files
            .iter()
            .flat_map(|&file| decls(db, file).to_vec())
            .collect(),
    )
}

/// The unit that a declaration belongs to.
pub fn package_of_decl(db: &dyn Db, decl: DeclId) -> PackageId {
    package_of_file(db, decl.file(db))
}

/// The import path of a unit. External tests have the path of their directory with `_test` behind it, commands that of their
/// directory, documents without a file have their path.
pub fn import_path(db: &dyn Db, package: PackageId) -> Name {
    let path = match package.dir(db) {
        Some(dir) => directory_import_path(db, dir),
        None => match package.variant(db).and_then(|v| v.single(db)) {
            Some(file) => Name::new(&file.path(db).to_string_lossy()),
            None => Name::new(""),
        },
    };
    match package.kind(db) {
        UnitKind::Normal | UnitKind::Test => path,
        UnitKind::External => Name::new(&format!("{path}_test")),
    }
}

/// A package-level item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A function; methods are not items.
    Func(Arc<FuncItem>),
    /// A type or alias.
    Type(Arc<TypeItem>),
    /// A variable or constant.
    Value(Arc<ValueItem>),
}

impl Item {
    /// Its name.
    pub fn name(&self) -> Name {
        match self {
            Self::Func(f) => f.name,
            Self::Type(t) => t.name,
            Self::Value(v) => v.name,
        }
    }

    /// The declaration that declares it.
    pub fn decl(&self) -> DeclId {
        match self {
            Self::Func(f) => f.decl,
            Self::Type(t) => t.decl,
            Self::Value(v) => v.decl,
        }
    }
}

/// What is declared in a unit. No positions: equal outlines give equal indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageIndex {
    /// The unit.
    pub id: PackageId,
    /// Its package clause, of external tests without `_test`.
    pub name: Name,
    /// Its import path, see [`import_path`].
    pub path: Name,
    /// The unit's own files.
    pub files: Arc<Vec<SourceFile>>,
    /// What it sees besides: for a test unit the normal unit of the package.
    pub base: Option<Arc<PackageIndex>>,
    items: FxHashMap<Name, Item>,
    methods: FxHashMap<Name, Vec<Arc<FuncItem>>>,
}

impl PackageIndex {
    /// The item of that name. Where a name is declared twice, which does not compile, the first counts.
    pub fn item(&self, name: Name) -> Option<&Item> {
        self.items
            .get(&name)
            .or_else(|| self.base.as_ref()?.item(name))
    }

    /// The methods declared with receiver `ty` or `*ty`, in the order of files and declarations.
    pub fn methods(&self, ty: Name) -> impl Iterator<Item = &Arc<FuncItem>> {
        let base = self.base.as_deref().and_then(|b| b.methods.get(&ty));
        base.into_iter().chain(self.methods.get(&ty)).flatten()
    }

    /// The method of that name.
    pub fn method(&self, ty: Name, name: Name) -> Option<&Arc<FuncItem>> {
        self.methods(ty).find(|m| m.name == name)
    }

    /// The unit's own items, in no particular order.
    pub fn own_items(&self) -> impl Iterator<Item = &Item> {
        self.items.values()
    }

    /// The receiver types of the unit's own methods and these, in no particular order.
    pub fn own_methods(&self) -> impl Iterator<Item = (Name, &[Arc<FuncItem>])> {
        self.methods.iter().map(|(ty, methods)| (*ty, &**methods))
    }
}

/// What is declared in a unit. Changes only if an outline of its files changes.
///
/// Queries that look up single names in *another* package had better use [`package_item`] and [`package_methods`], which do not
/// change with the rest of that package.
#[salsa::tracked(returns(clone))]
pub fn package_index(db: &dyn Db, package: PackageId) -> Arc<PackageIndex> {
    let files = package_files(db, package);
    let mut items: FxHashMap<Name, Item> = FxHashMap::default();
    let mut methods: FxHashMap<Name, Vec<Arc<FuncItem>>> = FxHashMap::default();
    let mut add = |name: Name, item: Item| {
        if !name.is_blank() && !name.as_str().is_empty() {
            items.entry(name).or_insert(item);
        }
    };
    for &file in files.iter() {
        let outline = outline(db, file);
        for item in &outline.types {
            add(item.name, Item::Type(item.clone()));
        }
        for item in &outline.values {
            add(item.name, Item::Value(item.clone()));
        }
        for item in &outline.funcs {
            match &item.receiver {
                Some(receiver) => methods.entry(receiver.base).or_default().push(item.clone()),
                None if item.name == "init" => {}
                None => add(item.name, Item::Func(item.clone())),
            }
        }
    }
    let base =
        (package.kind(db) == UnitKind::Test).then(|| package_index(db, normal_unit(db, package)));
    // `type token = Token` lets methods of `Token` be declared with the receiver `token`.
    let renamed: Vec<(Name, Name)> = methods
        .keys()
        .filter_map(|&name| Some((name, alias_target(&items, base.as_deref(), name)?)))
        .collect();
    for (alias, target) in renamed {
        if let Some(more) = methods.remove(&alias) {
            methods.entry(target).or_default().extend(more);
        }
    }
    Arc::new(PackageIndex {
        id: package,
        name: package.name(db),
        path: import_path(db, package),
        files,
        base,
        items,
        methods,
    })
}

/// The type of the package that an alias stands for, if `name` is one.
fn alias_target(
    items: &FxHashMap<Name, Item>,
    base: Option<&PackageIndex>,
    name: Name,
) -> Option<Name> {
    let mut at = name;
    for _ in 0..8 {
        match items.get(&at).or_else(|| base?.item(at)) {
            Some(Item::Type(ty)) if ty.alias => match ty.ty {
                TypeRef::Name(target) => at = target,
                _ => return None,
            },
            Some(Item::Type(_)) if at != name => return Some(at),
            _ => return None,
        }
    }
    None
}

fn normal_unit(db: &dyn Db, package: PackageId) -> PackageId {
    PackageId::new(
        db,
        package.dir(db),
        package.name(db),
        UnitKind::Normal,
        package.variant(db),
    )
}

/// One item of a unit. Does not change when something else in the package does.
#[salsa::tracked(returns(clone))]
pub fn package_item(db: &dyn Db, package: PackageId, name: Name) -> Option<Item> {
    package_index(db, package).item(name).cloned()
}

/// The methods declared for a type of a unit. Does not change when something else in the package does.
#[salsa::tracked(returns(clone))]
pub fn package_methods(db: &dyn Db, package: PackageId, ty: Name) -> Arc<Vec<Arc<FuncItem>>> {
    Arc::new(package_index(db, package).methods(ty).cloned().collect())
}

/// The unit that an importer gets from a directory: the package that is not `main`, for the importer's build if that differs from
/// the configured one.
#[salsa::tracked(returns(copy))]
fn imported_unit(db: &dyn Db, dir: Directory, variant: Option<Variant>) -> Option<PackageId> {
    let pick = |units: &DirectoryUnits| {
        units
            .groups
            .iter()
            .filter(|g| !g.normal.is_empty())
            .max_by_key(|g| {
                (
                    g.name != "main" && g.name != "documentation",
                    g.normal.len(),
                )
            })
            .map(|g| (g.name, g.normal.clone()))
    };
    let default = pick(&directory_units(db, dir, None));
    // The importer's build, if it makes a difference in this directory.
    if let Some(variant) = variant
        && variant.context(db).is_some()
        && let Some((name, files)) = pick(&directory_units(db, dir, Some(variant)))
    {
        let same = default.as_ref().is_some_and(|d| *d == (name, files));
        return Some(PackageId::new(
            db,
            Some(dir),
            name,
            UnitKind::Normal,
            (!same).then_some(variant),
        ));
    }
    if let Some((name, _)) = default {
        return Some(PackageId::new(db, Some(dir), name, UnitKind::Normal, None));
    }
    // Not built at all here: take it as the first of its files wants it.
    let path = dir.path(db);
    dir.listing(db)?
        .go_files
        .iter()
        .filter(|name| !name.ends_with("_test.go"))
        .map(|name| package_of_file(db, source_file(db, &path.join(&**name))))
        .find(|p| p.variant(db).is_some_and(|v| v.single(db).is_none()))
}

/// The unit that `path` means in file `from`. `None` if its source is not there; the standard library has a source only inside of
/// its own tree, so ask the table of the standard library as well (before or after: the table has no paths with a dot).
///
/// The path may also be one that types carry: the import path of the file's own package (then it is the file's own unit, tests
/// included), that of a vendored package of the standard library with `vendor/` in it, or that of external tests.
pub fn package_by_path(db: &dyn Db, from: SourceFile, path: Name) -> Option<PackageId> {
    package_seen_by(db, package_of_file(db, from), path)
}

/// The unit that `path` means for the files of unit `from`; see [`package_by_path`].
pub fn package_seen_by(db: &dyn Db, from: PackageId, path: Name) -> Option<PackageId> {
    // Most paths are those of the standard library: spare them the look-up of the pair.
    if is_std_like(path.as_str()) && std_has_no_source(db, from) {
        return None;
    }
    seen_by(db, from, path)
}

#[salsa::tracked(returns(copy))]
fn std_has_no_source(db: &dyn Db, from: PackageId) -> bool {
    from.dir(db)
        .and_then(|dir| nearest_go_mod(db, dir))
        .is_some_and(|module| std_has_no_directory(db, module))
}

#[salsa::tracked(returns(copy))]
fn seen_by(db: &dyn Db, from: PackageId, path: Name) -> Option<PackageId> {
    if path == import_path(db, from) {
        return Some(from);
    }
    let dir = from.dir(db)?;
    let target = if path.as_str().starts_with("./") || path.as_str().starts_with("../") {
        let target = crate::db::directory(db, &dir.path(db).join(path.as_str()));
        target
            .listing(db)
            .is_some_and(|l| !l.go_files.is_empty())
            .then_some(target)?
    } else {
        import_directory(db, nearest_go_mod(db, dir)?, path)?
    };
    let unit = imported_unit(db, target, from.variant(db))?;
    // `p_test` sees what the tests of `p` export for it.
    if from.kind(db) == UnitKind::External && target == dir {
        let test = PackageId::new(
            db,
            Some(dir),
            unit.name(db),
            UnitKind::Test,
            unit.variant(db),
        );
        if !package_files(db, test).is_empty() {
            return Some(test);
        }
    }
    Some(unit)
}

/// What the imports of a file bring into its scope.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileImports {
    named: FxHashMap<Name, ImportTarget>,
    /// Imports with a dot.
    pub dots: Vec<ImportTarget>,
}

/// What an import means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportTarget {
    /// The path as it stands in types: [`import_path`] of the unit, or the path as written if the source is not there.
    pub path: Name,
    /// The unit, if its source is there. The standard library has none outside of its own tree.
    pub package: Option<PackageId>,
}

impl FileImports {
    /// What `name` means before a dot. `import "C"` is there under `C`.
    pub fn get(&self, name: Name) -> Option<ImportTarget> {
        self.named.get(&name).copied()
    }

    /// All names with what they mean, in no particular order. An import whose package's name is not known is there under each name
    /// that it may have ([`guess_names`]), as far as no other import has that name for certain.
    pub fn named(&self) -> impl Iterator<Item = (Name, ImportTarget)> {
        self.named.iter().map(|(n, t)| (*n, *t))
    }
}

/// What the imports of a file bring into its scope.
#[salsa::tracked(returns(clone))]
pub fn file_imports(db: &dyn Db, file: SourceFile) -> Arc<FileImports> {
    let mut out = FileImports::default();
    let mut guessed: Vec<(Name, ImportTarget)> = Vec::new();
    for import in &outline(db, file).imports {
        let package = package_by_path(db, file, import.path);
        let path = package.map_or(import.path, |p| match p.kind(db) {
            UnitKind::Normal | UnitKind::Test => import_path(db, p),
            UnitKind::External => import.path,
        });
        let target = ImportTarget { path, package };
        match import.alias {
            AliasRef::Blank => {}
            AliasRef::Dot => out.dots.push(target),
            AliasRef::Named(name) => {
                out.named.insert(name, target);
            }
            AliasRef::None => match package {
                Some(package) => {
                    out.named.insert(package.name(db), target);
                }
                // The names of the standard library's packages follow the rule without exception.
                None if is_std_like(import.path.as_str()) => {
                    if let Some(&name) = guess_names(import.path.as_str()).first() {
                        out.named.entry(name).or_insert(target);
                    }
                }
                None => guessed.extend(
                    guess_names(import.path.as_str())
                        .into_iter()
                        .map(|n| (n, target)),
                ),
            },
        }
    }
    for (name, target) in guessed {
        out.named.entry(name).or_insert(target);
    }
    Arc::new(out)
}
