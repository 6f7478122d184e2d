//! Modules: which one a file belongs to, and which directory an import path means.
//!
//! Nothing here runs the `go` command or writes anything. Import paths are looked up in this order, the longest module path first:
//! the file's own module, the modules of its `go.work`, `replace` directives with a directory, `vendor/`, and the module cache at the
//! version that `go.mod` requires. In the standard library's own tree (module `std` or `cmd`) paths without a dot are directories of
//! that tree, and `golang.org/x/…` is below its `vendor/`. Everywhere else the standard library has no directory: it is described
//! by a table.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use go_syntax::Name;

use crate::constraint::{Constraint, scan_header};
use crate::db::{Db, Directory, Settings, SourceFile, directory, is_virtual, source_file};
use crate::gomod::{
    GoMod, GoWork, Replace, Replacement, Version, escape, find_replacement, unescape,
};

/// The `go.mod` in a file, parsed.
#[salsa::tracked(returns(clone))]
pub fn go_mod(db: &dyn Db, file: SourceFile) -> Arc<GoMod> {
    Arc::new(GoMod::parse(&file.text(db)))
}

/// The `go.work` in a file, parsed.
#[salsa::tracked(returns(clone))]
pub fn go_work(db: &dyn Db, file: SourceFile) -> Arc<GoWork> {
    Arc::new(GoWork::parse(&file.text(db)))
}

/// The nearest `go.mod` at or above a directory.
#[salsa::tracked(returns(copy))]
pub fn nearest_go_mod(db: &dyn Db, dir: Directory) -> Option<SourceFile> {
    nearest(db, dir, "go.mod", |l| l.go_mod)
}

/// The `go.work` that counts for a directory: what `GOWORK` says, else the nearest one at or above it.
#[salsa::tracked(returns(copy))]
pub fn nearest_go_work(db: &dyn Db, dir: Directory) -> Option<SourceFile> {
    let environment = Settings::get(db).environment(db);
    if in_mod_cache(environment.mod_cache.as_deref(), &dir.path(db)) {
        return None;
    }
    match environment.go_work.as_deref() {
        Some("off") => None,
        Some(path) if Path::new(path).is_absolute() => Some(source_file(db, Path::new(path))),
        _ => nearest(db, dir, "go.work", |l| l.go_work),
    }
}

fn nearest(
    db: &dyn Db,
    dir: Directory,
    name: &str,
    has: impl Fn(&crate::db::Listing) -> bool,
) -> Option<SourceFile> {
    let start = dir.path(db);
    let mut path: &Path = &start;
    loop {
        if directory(db, path).listing(db).is_some_and(|l| has(&l)) {
            return Some(source_file(db, &path.join(name)));
        }
        path = path.parent()?;
    }
}

fn in_mod_cache(cache: Option<&Path>, path: &Path) -> bool {
    cache.is_some_and(|cache| path.starts_with(cache))
}

/// The directory of a file; `None` for documents without a file.
pub fn parent_directory(db: &dyn Db, file: SourceFile) -> Option<Directory> {
    let path = file.path(db);
    if is_virtual(&path) {
        return None;
    }
    Some(directory(db, path.parent()?))
}

/// The `go.mod` of the module that a file belongs to.
pub fn module_of_file(db: &dyn Db, file: SourceFile) -> Option<SourceFile> {
    nearest_go_mod(db, parent_directory(db, file)?)
}

/// What stands at the head of a file. Found without parsing it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileHeader {
    /// The name in the package clause.
    pub package: Option<Name>,
    /// The `//go:build` line.
    pub constraint: Option<Constraint>,
}

/// The head of a file.
#[salsa::tracked(returns(clone))]
pub fn file_header(db: &dyn Db, file: SourceFile) -> Arc<FileHeader> {
    match file.shape(db) {
        Some(shape) => Arc::clone(&shape.header),
        None => Arc::new(header_of(&file.text(db))),
    }
}

/// The head of a text.
pub(crate) fn header_of(text: &str) -> FileHeader {
    let header = scan_header(text);
    FileHeader {
        package: header.package.map(Name::new),
        constraint: header.constraint.and_then(Constraint::parse),
    }
}

/// The version of the language in which a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoVersion {
    /// Always 1 so far.
    pub major: u32,
    /// 22 for Go 1.22.
    pub minor: u32,
    /// Somebody wrote it down: `go.mod`, a build constraint, or the configuration. Else it is the newest known version.
    pub explicit: bool,
}

impl GoVersion {
    /// The newest version of Go that this program knows of, taken where nothing says another.
    pub const NEWEST: Self = Self {
        major: 1,
        minor: 27,
        explicit: false,
    };

    /// Whether it is `major.minor` or later.
    pub fn at_least(self, major: u32, minor: u32) -> bool {
        (self.major, self.minor) >= (major, minor)
    }

    fn explicit(version: Version) -> Self {
        Self {
            major: version.major,
            minor: version.minor,
            explicit: true,
        }
    }
}

impl std::fmt::Display for GoVersion {
    /// `1.22`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The language version of a file's module: the configured one, else the `go` line of the nearest `go.mod` (1.16 if that has none,
/// as the Go toolchain takes it). This is what decides about behaviour of the runtime.
pub fn module_go_version(db: &dyn Db, file: SourceFile) -> GoVersion {
    if let Some(version) = Settings::get(db)
        .build(db)
        .go_version
        .as_deref()
        .and_then(Version::parse)
    {
        return GoVersion::explicit(version);
    }
    match module_of_file(db, file) {
        Some(module) => {
            let version = go_mod(db, module).go.unwrap_or(Version {
                major: 1,
                minor: 16,
            });
            GoVersion::explicit(version)
        }
        None => GoVersion::NEWEST,
    }
}

/// The language version of a file: that of its module, raised or lowered by a `//go:build go1.N` constraint, which cannot lower it
/// below 1.21 (as `go/types` has it). This is what decides about syntax and about which functions may be used.
#[salsa::tracked(returns(copy))]
pub fn go_version(db: &dyn Db, file: SourceFile) -> GoVersion {
    let module = module_go_version(db, file);
    let implied = file_header(db, file)
        .constraint
        .as_ref()
        .and_then(Constraint::min_go_minor);
    match implied {
        Some(minor) => GoVersion {
            major: 1,
            minor: minor.max(21),
            explicit: true,
        },
        None => module,
    }
}

/// A module of a `go.work` or a replacement: where its packages are.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Root {
    path: Name,
    dir: PathBuf,
}

/// Everything that counts in looking up the imports of one module.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Roots {
    /// Module `std` or `cmd`: the directory `src` of the tree.
    goroot_src: Option<PathBuf>,
    /// Own module, modules of the workspace, replaced ones; longest path first. At equal paths the first counts.
    local: Vec<Root>,
    /// Existing `vendor` directories.
    vendor: Vec<PathBuf>,
    /// Required modules with their directory in the module cache; longest path first.
    cache: Vec<Root>,
}

#[salsa::tracked(returns(clone))]
fn roots(db: &dyn Db, module: SourceFile) -> Arc<Roots> {
    let path = module.path(db);
    let base = path.parent().unwrap_or(Path::new("/"));
    let file = go_mod(db, module);
    let cache = Settings::get(db).environment(db).mod_cache.as_deref();
    let work_file = nearest_go_work(db, directory(db, base));
    let work = work_file.map(|f| go_work(db, f));
    let work_dir = work_file.and_then(|f| f.path(db).parent().map(Path::to_owned));
    // Replacements count in the main module only, and a cached module never is one.
    let replaces: &[Replace] = if in_mod_cache(cache, base) {
        &[]
    } else {
        &file.replace
    };
    let mut out = Roots {
        goroot_src: None,
        local: Vec::new(),
        vendor: Vec::new(),
        cache: Vec::new(),
    };
    let name = file.module;
    if let Some(name) = name {
        if name == "std" {
            out.goroot_src = Some(base.to_owned());
        } else if name == "cmd" {
            out.goroot_src = base.parent().map(Path::to_owned);
        }
        out.local.push(Root {
            path: name,
            dir: base.to_owned(),
        });
    }
    let mut has_vendor = vec![base.to_owned()];
    let mut workspace_requires = Vec::new();
    if let (Some(work), Some(work_dir)) = (&work, &work_dir) {
        for used in &work.uses {
            let dir = work_dir.join(&**used);
            let other = source_file(db, &dir.join("go.mod"));
            let other = go_mod(db, other);
            if let Some(path) = other.module {
                out.local.push(Root { path, dir });
            }
            workspace_requires.push(other);
        }
        has_vendor.push(work_dir.clone());
    }
    out.vendor = has_vendor
        .into_iter()
        .filter(|dir| directory(db, dir).listing(db).is_some_and(|l| l.vendor))
        .map(|dir| dir.join("vendor"))
        .collect();
    // A workspace's own replacements beat those of its modules.
    let replacement = |path: Name, version: &str| {
        work.as_ref()
            .and_then(|w| find_replacement(&w.replace, path, version))
            .zip(work_dir.as_deref())
            .or_else(|| find_replacement(replaces, path, version).map(|r| (r, base)))
    };
    let mut seen = rustc_hash::FxHashSet::default();
    let requires = file
        .require
        .iter()
        .chain(workspace_requires.iter().flat_map(|m| m.require.iter()));
    for require in requires {
        if !seen.insert(require.path) {
            continue;
        }
        match replacement(require.path, &require.version) {
            Some((Replacement::Directory(dir), base)) => {
                out.local.push(Root {
                    path: require.path,
                    dir: base.join(&**dir),
                });
            }
            Some((Replacement::Module(path, version), _)) => {
                if let Some(cache) = cache {
                    out.cache.push(Root {
                        path: require.path,
                        dir: cache_dir(db, cache, *path, version),
                    });
                }
            }
            None => {
                if let Some(cache) = cache {
                    out.cache.push(Root {
                        path: require.path,
                        dir: cache_dir(db, cache, require.path, &require.version),
                    });
                }
            }
        }
    }
    // Replaced by a directory, but required by nobody yet.
    for replace in replaces {
        if let Replacement::Directory(dir) = &replace.with
            && seen.insert(replace.path)
        {
            out.local.push(Root {
                path: replace.path,
                dir: base.join(&**dir),
            });
        }
    }
    out.local
        .sort_by_key(|r| std::cmp::Reverse(r.path.as_str().len()));
    out.cache
        .sort_by_key(|r| std::cmp::Reverse(r.path.as_str().len()));
    Arc::new(out)
}

/// Stands for everything that decides what the imports of a module mean, and those of what it imports from the module cache: its
/// `go.mod`, its `go.work`, whether there is a `vendor`, and which of its requirements, and of theirs, are in the module cache.
#[salsa::tracked(returns(copy))]
pub fn module_state(db: &dyn Db, module: SourceFile) -> u64 {
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    let path = module.path(db);
    let base = path.parent().unwrap_or(Path::new("/"));
    let work = nearest_go_work(db, directory(db, base));
    for file in [Some(module), work].into_iter().flatten() {
        hasher.update(file.path(db).as_os_str().as_encoded_bytes());
        hasher.update(file.text(db).as_bytes());
    }
    let roots = roots(db, module);
    for vendor in &roots.vendor {
        hasher.update(vendor.as_os_str().as_encoded_bytes());
    }
    hasher.update(&dependency_state(db, module).to_le_bytes());
    hasher.digest()
}

/// Stands for which modules of the module cache a module depends on, by however many steps. What lies in the module cache does not
/// change, but which of the versions that a module asks for are there may.
#[salsa::tracked(returns(copy))]
pub(crate) fn dependency_state(db: &dyn Db, module: SourceFile) -> u64 {
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    let mut seen = rustc_hash::FxHashSet::default();
    let mut work = vec![module];
    while let Some(module) = work.pop() {
        let requirements = requirements(db, module);
        hasher.update(&requirements.hash.to_le_bytes());
        work.extend((requirements.there.iter().copied()).filter(|file| seen.insert(*file)));
    }
    hasher.digest()
}

/// What the requirements of a module mean.
#[derive(Debug, PartialEq, Eq, Default)]
struct Requirements {
    /// Stands for their directories, and for which of them are there.
    hash: u64,
    /// The `go.mod` of those that are there and have one.
    there: Vec<SourceFile>,
}

#[salsa::tracked(returns(clone))]
fn requirements(db: &dyn Db, module: SourceFile) -> Arc<Requirements> {
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    let mut out = Requirements::default();
    if module.exists(db) {
        for (path, dir) in cached_requirements(db, module) {
            let listing = directory(db, &dir).listing(db);
            hasher.update(path.as_str().as_bytes());
            hasher.update(b" ");
            hasher.update(dir.file_name().unwrap_or_default().as_encoded_bytes());
            hasher.update(&[u8::from(listing.is_some()), b'\n']);
            if listing.is_some_and(|listing| listing.go_mod) {
                out.there.push(source_file(db, &dir.join("go.mod")));
            }
        }
    }
    out.hash = hasher.digest();
    Arc::new(out)
}

/// Where the requirements of a module lie in the module cache, with their paths; whether they are there or not.
fn cached_requirements(db: &dyn Db, module: SourceFile) -> Vec<(Name, PathBuf)> {
    let roots = roots(db, module);
    let mut found: Vec<_> = (roots.cache.iter())
        .map(|root| (root.path, root.dir.clone()))
        .collect();
    found.sort();
    found
}

/// Where a module version lies in the cache. If just this version is not there (a dependency's own `go.mod` may name an older one
/// than the build selects), the highest version that is there.
fn cache_dir(db: &dyn Db, cache: &Path, path: Name, version: &str) -> PathBuf {
    let escaped = escape(path.as_str());
    let exact = cache.join(format!("{escaped}@{}", escape(version)));
    let Some(parent) = exact.parent() else {
        return exact;
    };
    let Some(listing) = directory(db, parent).listing(db) else {
        return exact;
    };
    let exact_name = exact
        .file_name()
        .and_then(|n| n.to_str())
        .unwrap_or_default();
    if listing.versions.iter().any(|v| **v == *exact_name) {
        return exact;
    }
    let last = escaped.rsplit('/').next().unwrap_or_default();
    let best = listing
        .versions
        .iter()
        .filter_map(|v| v.strip_prefix(last)?.strip_prefix('@'))
        .max_by(|a, b| compare_versions(a, b));
    match best {
        Some(version) => parent.join(format!("{last}@{version}")),
        None => exact,
    }
}

/// By semantic version; a pre-release is before its release.
fn compare_versions(a: &str, b: &str) -> std::cmp::Ordering {
    let key = |v: &str| {
        let v = v.strip_prefix('v').unwrap_or(v);
        let v = v.split('+').next().unwrap_or(v);
        let (core, pre) = v
            .split_once('-')
            .map_or((v, None), |(core, pre)| (core, Some(pre.to_owned())));
        let numbers: Vec<u64> = core.split('.').map(|n| n.parse().unwrap_or(0)).collect();
        (numbers, pre.is_none(), pre)
    };
    key(a).cmp(&key(b))
}

/// The rest of `path` behind the module path `module`: `Some("")` for the module's root package.
fn below<'a>(path: &'a str, module: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(module)?;
    if rest.is_empty() {
        Some(rest)
    } else {
        rest.strip_prefix('/')
    }
}

fn join(dir: &Path, rest: &str) -> PathBuf {
    if rest.is_empty() {
        dir.to_owned()
    } else {
        dir.join(rest)
    }
}

/// Whether the path can only be a package of the standard library, or of a module whose name has no dot.
pub fn is_std_like(path: &str) -> bool {
    !path.split('/').next().unwrap_or_default().contains('.')
}

/// Whether paths without a dot are packages of the standard library, and the module is not in the tree of the latter: then they have
/// no directory.
#[salsa::tracked(returns(copy))]
pub(crate) fn std_has_no_directory(db: &dyn Db, module: SourceFile) -> bool {
    let roots = roots(db, module);
    let file = go_mod(db, module);
    let required = file.require.iter().map(|r| r.path);
    roots.goroot_src.is_none()
        && file.module.is_some()
        && (roots.local.iter().map(|r| r.path).chain(required)).all(|p| !is_std_like(p.as_str()))
}

/// The directory that holds the sources of an import path, for importers in the module of this `go.mod`. It has Go files.
#[salsa::tracked(returns(copy))]
pub fn import_directory(db: &dyn Db, module: SourceFile, path: Name) -> Option<Directory> {
    let path = path.as_str();
    if path.is_empty()
        || path == "C"
        || path == "unsafe"
        || path.starts_with('/')
        || path.contains("..")
    {
        return None;
    }
    let roots = roots(db, module);
    let with_go_files = |dir: PathBuf| {
        let dir = directory(db, &dir);
        dir.listing(db)
            .is_some_and(|l| !l.go_files.is_empty())
            .then_some(dir)
    };
    if let Some(src) = &roots.goroot_src {
        if is_std_like(path) {
            return with_go_files(src.join(path));
        }
        // `golang.org/x/…` lies below the `vendor` of the module itself.
        let base = module.path(db);
        return with_go_files(base.parent()?.join("vendor").join(path))
            .or_else(|| with_go_files(src.join("vendor").join(path)));
    }
    for root in &roots.local {
        let Some(rest) = below(path, root.path.as_str()) else {
            continue;
        };
        if let Some(dir) = with_go_files(join(&root.dir, rest))
            // A nested module is not part of this one.
            && nearest_go_mod(db, dir).is_none_or(|m| m.path(db).parent() == Some(&*crate::db::normalize(&root.dir)))
        {
            return Some(dir);
        }
    }
    for vendor in &roots.vendor {
        if let Some(dir) = with_go_files(vendor.join(path)) {
            return Some(dir);
        }
    }
    for root in &roots.cache {
        let Some(rest) = below(path, root.path.as_str()) else {
            continue;
        };
        if let Some(dir) = with_go_files(join(&root.dir, rest)) {
            return Some(dir);
        }
    }
    None
}

/// The import path of the packages in a directory.
///
/// In a module it is the module's path and the way down to the directory. Below `vendor/` it is what follows `vendor/`, except in
/// the standard library's tree, where `vendor/` is part of the path. Outside of any module it is `_` and the directory's path, as
/// the Go toolchain has it.
#[salsa::tracked(returns(copy))]
pub fn directory_import_path(db: &dyn Db, dir: Directory) -> Name {
    let path = dir.path(db);
    if let Some(module) = nearest_go_mod(db, dir) {
        let module_path = module.path(db);
        let base = module_path.parent().unwrap_or(Path::new("/"));
        if let Some(name) = go_mod(db, module).module
            && let Some(rest) = slashed(&path, base)
        {
            if name == "std" {
                return if rest.is_empty() {
                    name
                } else {
                    Name::new(&rest)
                };
            }
            if name != "cmd" {
                if let Some(vendored) = rest.strip_prefix("vendor/") {
                    return Name::new(vendored);
                }
                if let Some((_, vendored)) = rest.split_once("/vendor/") {
                    return Name::new(vendored);
                }
            }
            return if rest.is_empty() {
                name
            } else {
                Name::new(&format!("{name}/{rest}"))
            };
        }
    }
    if let Some(cache) = Settings::get(db).environment(db).mod_cache.as_deref()
        && let Some(rest) = slashed(&path, cache)
        && let Some((module, rest)) = rest.split_once('@')
    {
        let module = unescape(module);
        return match rest.split_once('/') {
            Some((_, rest)) => Name::new(&format!("{module}/{rest}")),
            None => Name::new(&module),
        };
    }
    let text = path.to_string_lossy().replace('\\', "/");
    if let Some((_, vendored)) = text.split_once("/vendor/") {
        return Name::new(vendored);
    }
    Name::new(&format!("_{text}"))
}

fn slashed(path: &Path, base: &Path) -> Option<String> {
    let rest = path.strip_prefix(base).ok()?;
    Some(rest.to_string_lossy().replace('\\', "/"))
}

/// Names that a package of that path may have, the likeliest first, for packages whose source is not there: `v2` and `.v3` are left
/// out, and so is a `go-` before or behind.
pub fn guess_names(path: &str) -> Vec<Name> {
    let is_major = |s: &str| {
        s.strip_prefix('v')
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    let mut parts = path.rsplit('/');
    let mut last = parts.next().unwrap_or_default();
    if is_major(last)
        && let Some(before) = parts.next()
    {
        last = before;
    }
    if let Some((name, version)) = last.rsplit_once('.')
        && is_major(version)
    {
        last = name;
    }
    let mut out: Vec<String> = Vec::new();
    let mut add = |name: &str| {
        let valid = name
            .chars()
            .next()
            .is_some_and(|c| c.is_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        if valid && !out.iter().any(|n| n == name) {
            out.push(name.to_owned());
        }
    };
    add(last);
    let bare = last.strip_prefix("go-").unwrap_or(last);
    let bare = bare
        .strip_suffix("-go")
        .or_else(|| bare.strip_suffix(".go"))
        .unwrap_or(bare);
    add(bare);
    add(&bare.replace(['-', '.'], ""));
    add(&bare.replace(['-', '.'], "_"));
    if let Some((_, end)) = bare.rsplit_once('-') {
        add(end);
    }
    out.iter().map(|n| Name::new(n)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses() {
        let first = |path: &str| guess_names(path).first().map(|n| n.as_str());
        assert_eq!(first("net/http"), Some("http"));
        assert_eq!(first("math/rand/v2"), Some("rand"));
        assert_eq!(first("gopkg.in/yaml.v3"), Some("yaml"));
        assert_eq!(first("github.com/jackc/pgx/v5"), Some("pgx"));
        assert_eq!(first("github.com/mattn/go-sqlite3"), Some("sqlite3"));
        assert_eq!(first("github.com/nats-io/nats.go"), Some("nats"));
        assert_eq!(first("v2"), Some("v2"));
        assert_eq!(first(""), None);
        assert_eq!(first("///"), None);
    }

    #[test]
    fn versions() {
        let mut list = vec![
            "v1.10.0",
            "v1.9.0",
            "v1.10.0-rc1",
            "v0.0.0-2020",
            "v2.0.0+incompatible",
        ];
        list.sort_by(|a, b| compare_versions(a, b));
        assert_eq!(
            list,
            [
                "v0.0.0-2020",
                "v1.9.0",
                "v1.10.0-rc1",
                "v1.10.0",
                "v2.0.0+incompatible"
            ]
        );
    }
}
