//! The database: files as inputs, everything else as queries that are computed on demand and again only when what they read changed.
//!
//! # How it is used
//!
//! Queries are plain functions that take `&dyn Db` and a salsa key ([`SourceFile`], [`DeclId`], `PackageId` …):
//! `parsed(db, file)`, `decl_tree(db, decl)`. Whoever needs the result of a computation to be kept writes
//! `#[salsa::tracked]` over such a function; a query must not read anything but its arguments, other queries and the inputs.
//!
//! **The command line** makes one [`Database`], calls [`Database::load_files`] with the files to check (read and parsed in
//! parallel) and then works through them with rayon, one clone of the database a thread:
//!
//! ```
//! use go_model::db::{Database, parsed};
//! use rayon::prelude::*;
//!
//! let db = Database::new();
//! let files = db.load_files(&[std::path::PathBuf::from("/no/such/file.go")]);
//! let lens: Vec<usize> = files
//!     .par_iter()
//!     .map_with(db.clone(), |db, &file| parsed(db, file).decls.len())
//!     .collect();
//! assert_eq!(lens, [0]);
//! ```
//!
//! For very large runs it works in batches ([`Database::next_batch`]) and calls [`Database::evict`] in between, which drops syntax trees that were not used
//! lately; they are read and parsed again when somebody asks.
//!
//! **The server** owns one [`Database`] on one thread and changes it only there ([`Database::open_document`] at every change of a
//! document, [`Database::close_document`], [`Database::file_changed`], [`Database::directory_changed`],
//! [`Database::set_build_config`]). Analyses run on clones on other threads. A change first *cancels* all clones: their next query
//! unwinds with [`salsa::Cancelled`], and the change **blocks until every clone is dropped**. So: never keep a clone longer than a
//! computation, never change anything while the same thread holds a clone, and wrap each computation in [`catch_cancelled`]:
//!
//! ```
//! use go_model::db::{Database, catch_cancelled, parsed};
//!
//! let mut db = Database::new();
//! let file = db.open_document("/w/a.go", "package a\n".into(), None);
//! let snapshot = db.clone();
//! let worker = std::thread::spawn(move || {
//!     // `Err` means: the text changed meanwhile, the result is of no interest any more.
//!     catch_cancelled(|| parsed(&snapshot, file).decls.len())
//! });
//! db.open_document("/w/a.go", "package a\nvar x int\n".into(), None); // cancels and waits
//! let _ = worker.join();
//! assert_eq!(&*file.text(&db), "package a\nvar x int\n");
//! ```
//!
//! # Inputs
//!
//! A [`SourceFile`] is a path with what the disk says about it ([`DiskState`]) or, while a document is open in an editor, its text
//! and tree. Closed files have high durability: after a keystroke nothing that depends on closed files alone is looked at. The text
//! of a closed file is a query too ([`SourceFile::text`]): it is read when somebody asks, kept while it is in use, and may be
//! dropped and read again. A [`Directory`] lists the Go files in it, with open documents that are not on the disk yet. Both are made
//! on demand and kept in [`Files`], a side table outside of salsa.
//!
//! Paths are absolute and lexically normalized, never resolved: a file reached through two links is two files. Documents without a
//! file have a path such as `untitled:Untitled-1`.
//!
//! Of an open document the tree of each declaration is an input of its own, and so is what stays while one types in a function: see
//! the module `shape`.
//!
//! # Declarations
//!
//! [`DeclId`] identifies a top-level declaration by what it is called, not by where it stands. [`decl_tree`] is equal before and
//! after any edit outside of the declaration, and [`decls`] before and after any edit inside of bodies; this is what ends the
//! recomputation early. [`decl_start`] gives the position and is for assembling absolute ranges at the very end only.

#![allow(missing_docs)] // What salsa's macros generate has no documentation.

use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use go_syntax::ast::{self, DeclKind, DeclTree};
use go_syntax::{Limits, LineIndex, Name, parse_file};
use rayon::prelude::*;
use rustc_hash::{FxBuildHasher, FxHashMap};
use salsa::{Durability, Setter};
use text_size::TextSize;

use crate::shape::{DeclSlot, Shape};
use crate::told::ToldTables;

pub use go_syntax::{Parsed, SkipReason};

use crate::summary::SummaryStore;

/// What queries see of the database.
#[salsa::db]
pub trait Db: salsa::Database {
    /// The side table of files and directories.
    fn files(&self) -> &Files;
    /// What is known of packages of the module cache from earlier runs.
    fn summary_store(&self) -> &SummaryStore;
}

/// A source file, `go.mod` or `go.work`, on disk or open in an editor. Made by [`source_file`].
#[salsa::input(debug)]
pub struct SourceFile {
    /// Absolute path, or `untitled:…`.
    #[returns(clone)]
    pub path: Arc<PathBuf>,
    /// What the disk says.
    #[returns(copy)]
    pub disk: DiskState,
    /// The open document, which hides the file on disk.
    #[returns(ref)]
    pub open: Option<OpenText>,
    /// What of it stays while one types in a function; `None` also for open documents that are not Go.
    #[returns(ref)]
    pub(crate) shape: Option<Arc<Shape>>,
}

/// What is known of a file on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DiskState {
    /// There is no such regular file.
    Missing,
    /// It is there.
    Present {
        /// Modification time in nanoseconds since the epoch, 0 where there is none.
        modified: u128,
        /// Length in bytes.
        len: u64,
        /// Counts the change events, so that a change within the resolution of the clock is seen.
        generation: u32,
    },
}

/// Text and tree of an open document.
#[derive(Debug, Clone)]
pub struct OpenText {
    /// The text.
    pub text: Arc<str>,
    /// Its tree, if the owner of the document has parsed it already (incrementally).
    pub parsed: Option<Parsed>,
    /// Its lines, if the owner of the document knows them.
    pub lines: Option<Arc<LineIndex>>,
}

/// A directory. Made by [`directory`].
#[salsa::input(debug)]
pub struct Directory {
    /// Absolute path.
    #[returns(clone)]
    pub path: Arc<PathBuf>,
    /// What is in it; `None` if it does not exist or cannot be read.
    #[returns(clone)]
    pub listing: Option<Arc<Listing>>,
}

/// The entries of a directory that matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// Names of the `.go` files, sorted; open documents are among them.
    pub go_files: Vec<Box<str>>,
    /// There is a `go.mod`.
    pub go_mod: bool,
    /// There is a `go.work`.
    pub go_work: bool,
    /// There is a subdirectory `vendor`.
    pub vendor: bool,
    /// Names of the entries with an `@`, sorted: module versions in the module cache.
    pub versions: Vec<Box<str>>,
}

/// What the user chose about the build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildConfig {
    /// Target operating system as in `GOOS`.
    pub goos: String,
    /// Target architecture as in `GOARCH`.
    pub goarch: String,
    /// Build tags as in `-tags`.
    pub tags: Vec<String>,
    /// Whether cgo is on (constraint `cgo`).
    pub cgo: bool,
    /// Language version instead of what `go.mod` says, e.g. `1.22`.
    pub go_version: Option<String>,
}

impl Default for BuildConfig {
    /// The host's system and architecture, as the Go toolchain has it: cgo on, no tags.
    fn default() -> Self {
        let goos = match std::env::consts::OS {
            "macos" => "darwin",
            os => os,
        };
        let goarch = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "x86" => "386",
            "aarch64" => "arm64",
            "loongarch64" => "loong64",
            "powerpc64" => "ppc64",
            arch => arch,
        };
        Self {
            goos: goos.into(),
            goarch: goarch.into(),
            tags: Vec::new(),
            cgo: true,
            go_version: None,
        }
    }
}

/// Where modules are found outside of the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment {
    /// The module cache; `None` if there is none.
    pub mod_cache: Option<PathBuf>,
    /// `GOWORK` as in the environment: `off`, a path, or nothing.
    pub go_work: Option<String>,
}

impl Environment {
    /// From `GOMODCACHE`, `GOPATH`, `HOME` (`USERPROFILE`) and `GOWORK`. The `go` command's own configuration file is not read.
    pub fn from_process() -> Self {
        let var = |name| std::env::var_os(name).filter(|v| !v.is_empty());
        let mod_cache = var("GOMODCACHE")
            .map(PathBuf::from)
            .or_else(|| {
                let gopath = var("GOPATH")?;
                Some(std::env::split_paths(&gopath).next()?.join("pkg/mod"))
            })
            .or_else(|| {
                let home = var("HOME").or_else(|| var("USERPROFILE"))?;
                Some(PathBuf::from(home).join("go/pkg/mod"))
            });
        Self {
            mod_cache,
            go_work: var("GOWORK").and_then(|v| v.into_string().ok()),
        }
    }
}

/// The configuration as an input; there is exactly one.
#[salsa::input(singleton, debug)]
pub struct Settings {
    /// The build configuration.
    #[returns(ref)]
    pub build: BuildConfig,
    /// Where modules are.
    #[returns(ref)]
    pub environment: Environment,
    /// What configurations say about functions.
    #[returns(ref)]
    pub told: ToldTables,
}

/// The side table of inputs by path. Shared between clones of the database.
#[derive(Clone, Default)]
pub struct Files(Arc<FilesInner>);

#[derive(Default)]
struct FilesInner {
    files: DashMap<Arc<PathBuf>, SourceFile, FxBuildHasher>,
    directories: DashMap<Arc<PathBuf>, Directory, FxBuildHasher>,
    /// Paths of open documents.
    open: DashMap<Arc<PathBuf>, (), FxBuildHasher>,
    /// The trees of declarations of open documents. They stay when a document is closed, without their trees.
    slots: DashMap<DeclId, DeclSlot, FxBuildHasher>,
    /// Closed files that were parsed at some time. Only a hint for the order of work.
    parsed: DashMap<SourceFile, (), FxBuildHasher>,
}

impl Files {
    /// The file of that path, if somebody asked for it before.
    pub fn known(&self, path: &Path) -> Option<SourceFile> {
        self.0.files.get(&normalize(path)).map(|f| *f)
    }

    /// How many files are known.
    pub fn len(&self) -> usize {
        self.0.files.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.0.files.is_empty()
    }
}

/// Whether `path` names a document without a file (`untitled:…`).
pub fn is_virtual(path: &Path) -> bool {
    !path.is_absolute() && path.to_str().is_some_and(|p| p.contains(':'))
}

/// Makes a path absolute and removes `.` and `..`, without looking at the disk. Virtual paths stay as they are.
pub fn normalize(path: &Path) -> PathBuf {
    if is_virtual(path) {
        return path.to_owned();
    }
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if !absolute
        .components()
        .any(|c| matches!(c, Component::CurDir | Component::ParentDir))
    {
        return absolute;
    }
    let mut out = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// The file at `path`, whether it exists or not (see [`SourceFile::exists`]). Queries may call it.
pub fn source_file(db: &dyn Db, path: &Path) -> SourceFile {
    let files = &db.files().0.files;
    let path = normalize(path);
    if let Some(file) = files.get(&path) {
        return *file;
    }
    let disk = stat(&path, 0);
    let path = Arc::new(path);
    match files.entry(path.clone()) {
        Entry::Occupied(e) => *e.get(),
        Entry::Vacant(e) => {
            let file = SourceFile::builder(path, disk, None, None)
                .durability(Durability::HIGH)
                .new(db);
            *e.insert(file)
        }
    }
}

/// The directory at `path`, whether it exists or not. Queries may call it.
pub fn directory(db: &dyn Db, path: &Path) -> Directory {
    let directories = &db.files().0.directories;
    let path = normalize(path);
    if let Some(dir) = directories.get(&path) {
        return *dir;
    }
    let listing = db.files().list(&path);
    let path = Arc::new(path);
    match directories.entry(path.clone()) {
        Entry::Occupied(e) => *e.get(),
        Entry::Vacant(e) => {
            let dir = Directory::builder(path, listing)
                .durability(Durability::HIGH)
                .new(db);
            *e.insert(dir)
        }
    }
}

impl Files {
    /// Reads a directory and adds the open documents in it.
    fn list(&self, path: &Path) -> Option<Arc<Listing>> {
        if is_virtual(path) {
            return None;
        }
        let mut listing = Listing::default();
        let mut exists = false;
        if let Ok(entries) = std::fs::read_dir(path) {
            exists = true;
            for entry in entries.flatten() {
                let Ok(name) = entry.file_name().into_string() else {
                    continue;
                };
                let interesting = name.ends_with(".go")
                    || name.contains('@')
                    || matches!(&*name, "go.mod" | "go.work" | "vendor");
                if !interesting {
                    continue;
                }
                let Ok(mut kind) = entry.file_type() else {
                    continue;
                };
                if kind.is_symlink() {
                    // A loop of links ends in an error here.
                    match std::fs::metadata(entry.path()) {
                        Ok(meta) => kind = meta.file_type(),
                        Err(_) => continue,
                    }
                }
                match &*name {
                    "vendor" => listing.vendor = kind.is_dir(),
                    "go.mod" => listing.go_mod = kind.is_file(),
                    "go.work" => listing.go_work = kind.is_file(),
                    _ if kind.is_file() && name.ends_with(".go") => {
                        listing.go_files.push(name.into());
                    }
                    _ if kind.is_dir() && name.contains('@') => listing.versions.push(name.into()),
                    _ => {}
                }
            }
        }
        for open in &self.0.open {
            if open.key().parent() != Some(path) {
                continue;
            }
            exists = true;
            let Some(name) = open.key().file_name().and_then(|n| n.to_str()) else {
                continue;
            };
            match name {
                "go.mod" => listing.go_mod = true,
                "go.work" => listing.go_work = true,
                _ if !name.ends_with(".go") => {}
                _ if listing.go_files.iter().any(|f| **f == *name) => {}
                _ => {
                    // On a file system that ignores case the editor may spell the name otherwise: still one file.
                    if stat(open.key(), 0) != DiskState::Missing
                        && let Some(same) = listing
                            .go_files
                            .iter_mut()
                            .find(|f| f.eq_ignore_ascii_case(name))
                    {
                        *same = name.into();
                    } else {
                        listing.go_files.push(name.into());
                    }
                }
            }
        }
        listing.go_files.sort_unstable();
        listing.versions.sort_unstable();
        exists.then(|| Arc::new(listing))
    }
}

fn stat(path: &Path, generation: u32) -> DiskState {
    if is_virtual(path) {
        return DiskState::Missing;
    }
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_file() => DiskState::Present {
            modified: meta
                .modified()
                .ok()
                .and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok())
                .map_or(0, |d| d.as_nanos()),
            len: meta.len(),
            generation,
        },
        _ => DiskState::Missing,
    }
}

/// Text of a file, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileText {
    text: Arc<str>,
    skipped: Option<SkipReason>,
}

/// Text of a closed file. Read again when the watcher says that it changed, or after eviction.
#[salsa::tracked(returns(clone), lru = 512)]
fn disk_text(db: &dyn Db, file: SourceFile) -> FileText {
    let none = |skipped| FileText {
        text: "".into(),
        skipped,
    };
    let max = Limits::default().max_bytes;
    match file.disk(db) {
        DiskState::Missing => return none(None),
        DiskState::Present { len, .. } if len > max as u64 => {
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            return none(Some(SkipReason::TooLarge { len, max }));
        }
        DiskState::Present { .. } => {}
    }
    let path = file.path(db);
    match std::fs::read(&*path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => FileText {
                text: text.into(),
                skipped: None,
            },
            Err(error) => none(Some(SkipReason::NotUtf8 {
                at: error.utf8_error().valid_up_to(),
            })),
        },
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "cannot read");
            none(None)
        }
    }
}

impl SourceFile {
    /// The text that is analysed: the open document's, else the file's. Empty if the file is missing, unreadable, not UTF-8 or too
    /// large (see [`parse_result`]).
    pub fn text(self, db: &dyn Db) -> Arc<str> {
        match self.open(db) {
            Some(open) => open.text.clone(),
            None => disk_text(db, self).text,
        }
    }

    /// The lines of its text. Those of an open document are there already; others are computed each time.
    pub fn lines(self, db: &dyn Db) -> Arc<LineIndex> {
        match self.open(db).as_ref().and_then(|open| open.lines.as_ref()) {
            Some(lines) => Arc::clone(lines),
            None => Arc::new(LineIndex::new(&self.text(db))),
        }
    }

    /// Whether there is such a file, or an open document.
    pub fn exists(self, db: &dyn Db) -> bool {
        self.is_open(db) || self.disk(db) != DiskState::Missing
    }

    /// Whether it is open in an editor.
    pub(crate) fn is_open(self, db: &dyn Db) -> bool {
        // The text is not looked at where it need not be: it changes at each keystroke.
        self.shape(db).is_some() || self.open(db).is_some()
    }

    /// Name of the file without its directory; for a virtual document its whole path.
    pub fn file_name(self, db: &dyn Db) -> String {
        let path = self.path(db);
        let name = if is_virtual(&path) {
            Some(path.as_os_str())
        } else {
            path.file_name()
        };
        name.unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Whether its name ends in `_test.go`.
    pub fn is_test(self, db: &dyn Db) -> bool {
        self.path(db)
            .file_name()
            .is_some_and(|n| n.as_encoded_bytes().ends_with(b"_test.go"))
    }
}

/// The parsed file and, if it was not parsed, the reason. Open documents bring their tree, closed files are parsed here.
#[salsa::tracked(returns(clone), no_eq, lru = 512)]
pub fn parse_result(db: &dyn Db, file: SourceFile) -> Parsed {
    if let Some(open) = file.open(db) {
        return open
            .parsed
            .clone()
            .unwrap_or_else(|| parse_file(&open.text));
    }
    db.files().0.parsed.insert(file, ());
    let text = disk_text(db, file);
    let mut parsed = parse_file(&text.text);
    if text.skipped.is_some() {
        parsed.skipped = text.skipped;
    }
    parsed
}

/// The syntax tree of a file. It changes with every edit: prefer [`decls`] and [`decl_tree`] in queries about declarations.
pub fn parsed(db: &dyn Db, file: SourceFile) -> Arc<ast::File> {
    parse_result(db, file).file
}

/// What kind of top-level declaration it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum DeclSort {
    Func,
    Method,
    Var,
    Const,
    Type,
    Bad,
}

/// Identity of a top-level declaration (one `func`, or one `var`, `const` or `type` line or group), independent of its position.
///
/// It survives edits of the declaration's body and of everything around it. Renaming a function makes another one.
// Ids are never collected (`revisions = usize::MAX`), which is what makes the one without a lifetime sound; a session makes few
// more of them than there are declarations.
#[salsa::interned(unsafe(no_lifetime), revisions = usize::MAX, debug)]
pub struct DeclId {
    /// The file.
    #[returns(copy)]
    pub file: SourceFile,
    /// What it is.
    #[returns(copy)]
    pub sort: DeclSort,
    /// For a method the name of its receiver's type.
    #[returns(copy)]
    pub receiver: Option<Name>,
    /// The name; of a group the first name that it declares. Empty for [`DeclSort::Bad`].
    #[returns(copy)]
    pub name: Name,
    /// Counts declarations of the file that are otherwise equal (`init`, `_`, redeclarations), from 0.
    #[returns(copy)]
    pub ordinal: u32,
}

/// A function's identity; every declaration has one of the same kind.
pub type FuncId = DeclId;

/// The declarations of a file, in source order. Equal before and after an edit that neither adds, removes, renames nor reorders.
#[derive(Debug)]
pub struct DeclList {
    ids: Vec<DeclId>,
    index: FxHashMap<DeclId, u32>,
}

impl PartialEq for DeclList {
    fn eq(&self, other: &Self) -> bool {
        self.ids == other.ids
    }
}
impl Eq for DeclList {}

impl DeclList {
    /// The place of a declaration in the list, which is also its index in [`ast::File::decls`].
    pub fn position(&self, id: DeclId) -> Option<usize> {
        self.index.get(&id).map(|&i| i as usize)
    }
}

impl std::ops::Deref for DeclList {
    type Target = [DeclId];
    fn deref(&self) -> &[DeclId] {
        &self.ids
    }
}

/// The declarations of a file (imports excepted), in source order: number `i` is `parsed(db, file).decls[i]`.
#[salsa::tracked(returns(clone))]
pub fn decls(db: &dyn Db, file: SourceFile) -> Arc<DeclList> {
    if let Some(shape) = file.shape(db) {
        return Arc::clone(&shape.decls);
    }
    Arc::new(decls_of(db, file, &parsed(db, file)))
}

/// The same for a tree of the file.
pub(crate) fn decls_of(db: &dyn Db, file: SourceFile, tree: &ast::File) -> DeclList {
    let len = tree.decls.len();
    let mut seen: FxHashMap<(DeclSort, Option<Name>, Name), u32> =
        FxHashMap::with_capacity_and_hasher(len, FxBuildHasher);
    let mut list = DeclList {
        ids: Vec::with_capacity(len),
        index: FxHashMap::with_capacity_and_hasher(len, FxBuildHasher),
    };
    for decl in &tree.decls {
        let key = decl_key(&decl.tree);
        let count = seen.entry(key).or_default();
        let id = DeclId::new(db, file, key.0, key.1, key.2, *count);
        *count += 1;
        list.index.insert(id, list.ids.len() as u32);
        list.ids.push(id);
    }
    list
}

/// The tree of a file and its declarations for those who do not look into bodies. Of a dependency's file it has none: most of these are
/// looked at for their declarations alone.
pub(crate) fn heads(db: &dyn Db, file: SourceFile) -> (Arc<ast::File>, Arc<DeclList>) {
    heads_without_bodies(db, file).unwrap_or_else(|| (parsed(db, file), decls(db, file)))
}

fn heads_without_bodies(db: &dyn Db, file: SourceFile) -> Option<(Arc<ast::File>, Arc<DeclList>)> {
    let foreign = !file.is_open(db) && !crate::summary::is_own_path(db, &file.path(db));
    if !foreign {
        return None;
    }
    let text = disk_text(db, file);
    let parsed = match text.skipped {
        Some(_) => return None,
        None => parse_file(&go_syntax::without_bodies(&text.text)?),
    };
    // What is broken is recovered with all of the text.
    if parsed.skipped.is_some() || !parsed.file.errors.is_empty() {
        return None;
    }
    let decls = decls_of(db, file, &parsed.file);
    Some((parsed.file, Arc::new(decls)))
}

pub(crate) fn decl_key(tree: &DeclTree) -> (DeclSort, Option<Name>, Name) {
    let first = |specs: &[ast::ValueSpec]| {
        specs
            .iter()
            .flat_map(|s| s.names.iter())
            .next()
            .map_or_else(|| Name::new(""), |n| n.name)
    };
    match &tree.kind {
        DeclKind::Func(f) => match &f.receiver {
            Some(receiver) => {
                let base = receiver_base(tree, receiver.ty).unwrap_or_else(|| Name::new(""));
                (DeclSort::Method, Some(base), f.name.name)
            }
            None => (DeclSort::Func, None, f.name.name),
        },
        DeclKind::Var(specs) => (DeclSort::Var, None, first(specs)),
        DeclKind::Const(specs) => (DeclSort::Const, None, first(specs)),
        DeclKind::Type(specs) => (
            DeclSort::Type,
            None,
            specs.first().map_or_else(|| Name::new(""), |s| s.name.name),
        ),
        DeclKind::Bad => (DeclSort::Bad, None, Name::new("")),
    }
}

/// The name of the type in a receiver type: of `*T[K, V]` it is `T`.
pub fn receiver_base(tree: &DeclTree, mut ty: ast::ExprId) -> Option<Name> {
    loop {
        match &tree[ty].kind {
            ast::ExprKind::Star(inner) | ast::ExprKind::Paren(inner) => ty = *inner,
            ast::ExprKind::Index { base, .. } => ty = *base,
            ast::ExprKind::Ident(name) => return Some(*name),
            _ => return None,
        }
    }
}

/// The tree of a declaration. Unchanged by edits outside of the declaration.
///
/// For a declaration that is not in its file any more it is an empty tree of kind [`DeclKind::Bad`].
#[salsa::tracked(returns(clone), lru = 16384)]
pub fn decl_tree(db: &dyn Db, decl: DeclId) -> Arc<DeclTree> {
    let file = decl.file(db);
    let position = decls(db, file).position(decl);
    let tree = match file.shape(db) {
        Some(shape) => position
            .and_then(|i| shape.slots.get(i))
            .map(|slot| slot.tree(db).clone()),
        None => position.and_then(|i| Some(parsed(db, file).decls.get(i)?.tree.clone())),
    };
    tree.unwrap_or_else(no_tree)
}

/// The tree of a declaration that is not there.
fn no_tree() -> Arc<DeclTree> {
    Arc::new(DeclTree {
        hash: 0,
        len: TextSize::new(0),
        has_error: true,
        kind: DeclKind::Bad,
        exprs: Default::default(),
        stmts: Default::default(),
    })
}

/// Absolute offset of the declaration's first byte; 0 if it is not there any more.
///
/// Changes with every edit above: a query about one declaration keeps relative ranges and leaves this to whoever assembles them.
#[salsa::tracked(returns(copy))]
pub fn decl_start(db: &dyn Db, decl: DeclId) -> TextSize {
    let file = decl.file(db);
    let tree = parsed(db, file);
    decls(db, file)
        .position(decl)
        .and_then(|i| tree.decls.get(i))
        .map_or(TextSize::new(0), |decl| decl.start)
}

/// Runs `f` and gives `Err` if a change of the inputs cancelled it. Other panics go on.
pub fn catch_cancelled<T>(f: impl FnOnce() -> T) -> Result<T, salsa::Cancelled> {
    salsa::Cancelled::catch(std::panic::AssertUnwindSafe(f))
}

/// The database. Clones share everything; see the module documentation for how they are used.
#[salsa::db]
#[derive(Clone)]
pub struct Database {
    storage: salsa::Storage<Self>,
    files: Files,
    store: SummaryStore,
    executed: Option<Arc<Mutex<Vec<String>>>>,
}

#[salsa::db]
impl salsa::Database for Database {}

#[salsa::db]
impl Db for Database {
    fn files(&self) -> &Files {
        &self.files
    }

    fn summary_store(&self) -> &SummaryStore {
        &self.store
    }
}

impl Default for Database {
    fn default() -> Self {
        Self::new()
    }
}

impl Database {
    /// An empty database for the host's build configuration, with the module cache of the process's environment.
    pub fn new() -> Self {
        Self::with_environment(Environment::from_process())
    }

    /// An empty database that looks for modules where it is told.
    pub fn with_environment(environment: Environment) -> Self {
        Self::make(salsa::Storage::new(None), None, environment)
    }

    /// A database that records which queries are executed, for tests: see [`Database::take_executed`].
    pub fn recording(environment: Environment) -> Self {
        let log = Arc::new(Mutex::new(Vec::new()));
        let sink = log.clone();
        let storage = salsa::Storage::new(Some(Box::new(move |event: salsa::Event| {
            if let salsa::EventKind::WillExecute { database_key } = event.kind
                && let Ok(mut log) = sink.lock()
            {
                log.push(format!("{database_key:?}"));
            }
        })));
        Self::make(storage, Some(log), environment)
    }

    fn make(
        storage: salsa::Storage<Self>,
        executed: Option<Arc<Mutex<Vec<String>>>>,
        environment: Environment,
    ) -> Self {
        let db = Self {
            storage,
            files: Files::default(),
            store: SummaryStore::default(),
            executed,
        };
        let _ = Settings::builder(BuildConfig::default(), environment, ToldTables::new())
            .durability(Durability::HIGH)
            .new(&db);
        db
    }

    /// The queries executed since the last call, as `name(Id(n))` in order. Empty unless made by [`Database::recording`].
    pub fn take_executed(&self) -> Vec<String> {
        match &self.executed {
            Some(log) => log
                .lock()
                .map(|mut log| std::mem::take(&mut *log))
                .unwrap_or_default(),
            None => Vec::new(),
        }
    }

    /// The file at `path` if it exists on disk or as an open document.
    pub fn file(&self, path: impl AsRef<Path>) -> Option<SourceFile> {
        let file = source_file(self, path.as_ref());
        file.exists(self).then_some(file)
    }

    /// Reads and parses files in parallel. The result is in the order of `paths` and holds also what could not be read.
    pub fn load_files(&self, paths: &[PathBuf]) -> Vec<SourceFile> {
        paths
            .par_iter()
            .map_with(self.clone(), |db, path| {
                let file = source_file(db, path);
                parse_result(db, file);
                file
            })
            .collect()
    }

    /// Takes the next `size` of the things to work on, or fewer, each about the file at `path` of it. Files that were parsed already
    /// because others import them come first: their trees may have been dropped by the time they would come otherwise.
    pub fn next_batch<T>(
        &self,
        rest: &mut Vec<T>,
        size: usize,
        path: impl Fn(&T) -> &Path,
    ) -> Vec<T> {
        let parsed = &self.files.0.parsed;
        let mut all = std::mem::take(rest);
        if !parsed.is_empty() && all.len() > size {
            let known = |item: &T| self.files.known(path(item));
            // Stable: false comes before true.
            all.sort_by_cached_key(|item| known(item).is_none_or(|f| !parsed.contains_key(&f)));
        }
        *rest = all.split_off(all.len().min(size));
        all
    }

    /// The text of an open document is now `text`, opening it if it was not open. `parsed` is its tree, if the caller has it; a Go file
    /// is parsed here if not.
    ///
    /// Blocks until all clones of the database are dropped, as all changes do.
    pub fn open_document(
        &mut self,
        path: impl AsRef<Path>,
        text: Arc<str>,
        parsed: impl Into<Option<Parsed>>,
    ) -> SourceFile {
        let open = OpenText {
            text,
            parsed: parsed.into(),
            lines: None,
        };
        self.open_version(path, open)
    }

    /// [`Self::open_document`] with everything that the owner of the document knows of this version.
    pub fn open_version(&mut self, path: impl AsRef<Path>, mut open: OpenText) -> SourceFile {
        let path = Arc::new(normalize(path.as_ref()));
        let newly = self.files.0.open.insert(path.clone(), ()).is_none();
        let file = source_file(self, &path);
        if is_virtual(&path) || path.extension().is_some_and(|e| e == "go") {
            let parsed = (open.parsed).get_or_insert_with(|| parse_file(&open.text));
            let tree = Arc::clone(&parsed.file);
            self.set_trees(file, &open.text, &tree);
        }
        file.set_open(self)
            .with_durability(Durability::LOW)
            .to(Some(open));
        if newly {
            self.refresh_parent(&path);
        }
        file
    }

    /// The document is closed: what is on the disk counts again.
    pub fn close_document(&mut self, path: impl AsRef<Path>) {
        let path = normalize(path.as_ref());
        if self.files.0.open.remove(&path).is_none() {
            return;
        }
        if let Some(file) = self.files.known(&path) {
            file.set_open(self)
                .with_durability(Durability::HIGH)
                .to(None);
            if let Some(shape) = file.shape(self).clone() {
                for slot in &*shape.slots {
                    slot.set_tree(self).to(no_tree());
                }
                file.set_shape(self)
                    .with_durability(Durability::HIGH)
                    .to(None);
            }
        }
        self.file_changed(&path);
    }

    /// Whether a document of that path is open.
    pub fn is_open(&self, path: impl AsRef<Path>) -> bool {
        self.files.0.open.contains_key(&normalize(path.as_ref()))
    }

    /// The file was created, changed or deleted on disk, says a watcher. A path of a directory is understood too.
    pub fn file_changed(&mut self, path: impl AsRef<Path>) {
        let path = normalize(path.as_ref());
        if let Some(file) = self.files.known(&path) {
            self.restat(file, &path, true);
        }
        if self.files.0.directories.contains_key(&path) {
            self.directory_changed(&path);
        }
        self.refresh_parent(&path);
    }

    /// Something in the directory or below it was created or deleted.
    pub fn directory_changed(&mut self, path: impl AsRef<Path>) {
        let path = normalize(path.as_ref());
        let below: Vec<_> = (self.files.0.directories.iter())
            .filter(|d| d.key().starts_with(&path))
            .map(|d| *d.value())
            .collect();
        for dir in below {
            self.refresh_directory(dir);
        }
        let below: Vec<_> = (self.files.0.files.iter())
            .filter(|f| f.key().starts_with(&path))
            .map(|f| *f.value())
            .collect();
        for file in below {
            let path = file.path(self);
            self.restat(file, &path, false);
        }
        self.refresh_parent(&path);
    }

    /// Looks at every known file and directory on disk again, for clients without a watcher. Whether anything has changed.
    pub fn rescan(&mut self) -> bool {
        let mut changed = false;
        let dirs: Vec<_> = self
            .files
            .0
            .directories
            .iter()
            .map(|d| *d.value())
            .collect();
        for dir in dirs {
            changed |= self.refresh_directory(dir);
        }
        let files: Vec<_> = self.files.0.files.iter().map(|f| *f.value()).collect();
        for file in files {
            let path = file.path(self);
            changed |= self.restat(file, &path, false);
        }
        changed
    }

    /// Another target system, architecture, or other tags.
    pub fn set_build_config(&mut self, config: BuildConfig) {
        let settings = Settings::get(self);
        if *settings.build(self) != config {
            settings.set_build(self).to(config);
        }
    }

    /// The present build configuration.
    pub fn build_config(&self) -> &BuildConfig {
        Settings::get(self).build(self)
    }

    /// Modules are elsewhere now.
    pub fn set_environment(&mut self, environment: Environment) {
        let settings = Settings::get(self);
        if *settings.environment(self) != environment {
            settings.set_environment(self).to(environment);
        }
    }

    /// What configurations say about functions, each with the folder it holds for.
    pub fn set_told(&mut self, tables: ToldTables) {
        let settings = Settings::get(self);
        if *settings.told(self) != tables {
            settings
                .set_told(self)
                .with_durability(Durability::HIGH)
                .to(tables);
        }
    }

    /// From now on summaries of packages of the module cache are looked up here first. To be called before anything is asked; see
    /// also [`save_summaries`](crate::summary::save_summaries).
    pub fn set_summary_store(&mut self, store: SummaryStore) {
        self.store = store;
    }

    /// How many syntax trees survive [`Database::evict`] and changes: 512 unless set. A tree takes about 80 KiB on average.
    ///
    /// A run over many files wants more: a file is parsed once when its package is imported, and again when its own turn comes
    /// unless its tree is still there.
    pub fn set_tree_capacity(&mut self, files: usize) {
        parse_result::set_lru_capacity(self, files);
    }

    /// Drops syntax trees and texts that were not used lately beyond the caches' capacities.
    pub fn evict(&mut self) {
        salsa::Database::trigger_lru_eviction(self);
    }

    /// Takes a version of an open document apart: see [`Shape`].
    fn set_trees(&mut self, file: SourceFile, text: &str, tree: &ast::File) {
        let known = file.shape(self).clone();
        let decls = match &known {
            Some(known) if known.has_decls_of(self, tree) => Arc::clone(&known.decls),
            _ => Arc::new(decls_of(self, file, tree)),
        };
        let next = Shape::new(self, known.as_deref(), decls, text, tree);
        for (decl, slot) in tree.decls.iter().zip(&*next.slots) {
            let before = slot.tree(self);
            if !Arc::ptr_eq(before, &decl.tree) && **before != *decl.tree {
                slot.set_tree(self).to(Arc::clone(&decl.tree));
            }
        }
        for slot in known.iter().flat_map(|known| known.slots_not_in(&next)) {
            slot.set_tree(self).to(no_tree());
        }
        if known.is_none_or(|known| *known != next) {
            file.set_shape(self)
                .with_durability(Durability::MEDIUM)
                .to(Some(Arc::new(next)));
        }
    }

    /// The slot of a declaration of an open document.
    pub(crate) fn slot(&self, id: DeclId, tree: &Arc<DeclTree>) -> DeclSlot {
        *(self.files.0.slots.entry(id)).or_insert_with(|| DeclSlot::new(self, Arc::clone(tree)))
    }

    fn restat(&mut self, file: SourceFile, path: &Path, event: bool) -> bool {
        let old = file.disk(self);
        let generation = match old {
            DiskState::Present { generation, .. } => generation,
            DiskState::Missing => 0,
        };
        let new = stat(
            path,
            if event {
                generation.wrapping_add(1)
            } else {
                generation
            },
        );
        let changed = new != old;
        if changed {
            file.set_disk(self).to(new);
        }
        changed
    }

    fn refresh_parent(&mut self, path: &Path) {
        if is_virtual(path) {
            return;
        }
        let Some(parent) = path.parent() else { return };
        let known = self.files.0.directories.get(&parent.to_owned()).map(|d| *d);
        if let Some(dir) = known {
            self.refresh_directory(dir);
        }
    }

    fn refresh_directory(&mut self, dir: Directory) -> bool {
        let listing = self.files.list(&dir.path(self));
        let changed = listing != dir.listing(self);
        if changed {
            dir.set_listing(self).to(listing);
        }
        changed
    }
}
