//! Summaries of the module cache's packages on disk.
//!
//! What lies in the module cache never changes, so what its functions do to what they are given is found out once for all projects. The
//! only thing that may change is which versions of a module's own dependencies are there; that is what [`dependency_state`] stands for.
//!
//! A file holds what is known of one package. What it holds is exactly what would be computed again: reading it changes no result.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dashmap::DashMap;
use go_syntax::Name;
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use super::{DeclSummary, Link, Summary, foreign_hops, links_of, plan};
use crate::db::{Db, DeclId, DeclSort, Directory, Settings, SourceFile, directory, source_file};
use crate::disk::{DiskCache, Kind};
use crate::package::{PackageId, UnitKind, package_of_decl};
use crate::told::told_table;
use crate::workspace::{dependency_state, nearest_go_mod};

/// Changes with [`Summary`] and with what is written here.
const FORMAT: u32 = 2;

/// Where summaries are kept between runs; nowhere by default.
#[derive(Clone, Default)]
pub struct SummaryStore(Option<Arc<Inner>>);

struct Inner {
    disk: DiskCache,
    /// Stands for the program that computed what is stored.
    program: String,
    /// What was computed in this run.
    fresh: DashMap<(DeclId, u8), Arc<DeclSummary>, FxBuildHasher>,
}

impl SummaryStore {
    /// A store on disk. `program` stands for the program's exact version: what another one stored is not used.
    pub fn on_disk(disk: DiskCache, program: String) -> Self {
        Self(Some(Arc::new(Inner {
            disk,
            program,
            fresh: DashMap::default(),
        })))
    }
}

/// A declaration of a package, whatever its number in this run is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
struct Key {
    file: String,
    method_of: Option<Name>,
    name: Name,
    ordinal: u32,
    hops: u8,
}

impl Key {
    fn new(db: &dyn Db, decl: DeclId, hops: u8) -> Self {
        Self {
            file: decl.file(db).file_name(db),
            method_of: decl
                .receiver(db)
                .filter(|_| decl.sort(db) == DeclSort::Method),
            name: decl.name(db),
            ordinal: decl.ordinal(db),
            hops,
        }
    }
}

/// What is on disk for one package.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Contents {
    /// Modules whose code was looked at, as paths below the module cache, with their [`dependency_state`]s.
    modules: BTreeMap<String, u64>,
    summaries: BTreeMap<Key, Summary>,
}

#[derive(Debug, Default)]
struct Stored {
    modules: BTreeMap<String, u64>,
    summaries: FxHashMap<Key, Arc<DeclSummary>>,
}

/// The package's name for the disk; `None` if it is not one of the module cache as everybody sees it.
fn name_of(db: &dyn Db, inner: &Inner, unit: PackageId) -> Option<String> {
    if unit.kind(db) != UnitKind::Normal || unit.variant(db).is_some() {
        return None;
    }
    let settings = Settings::get(db);
    let place = below_cache(db, unit.dir(db)?)?;
    // Only what has a version does not change.
    place.contains('@').then(|| {
        format!(
            "{FORMAT}\n{}\n{:?}\n{place}\n{}",
            inner.program,
            settings.build(db),
            unit.name(db)
        )
    })
}

fn below_cache(db: &dyn Db, dir: Directory) -> Option<String> {
    let cache = Settings::get(db).environment(db).mod_cache.as_deref()?;
    let path = dir.path(db);
    Some(path.strip_prefix(cache).ok()?.to_str()?.replace('\\', "/"))
}

/// What is on disk for a package. Read once; looked at again only if modules come or go.
#[salsa::tracked(returns(clone), no_eq)]
fn stored(db: &dyn Db, unit: PackageId) -> Arc<Stored> {
    read(db, unit).unwrap_or_default()
}

fn read(db: &dyn Db, unit: PackageId) -> Option<Arc<Stored>> {
    let inner = db.summary_store().0.as_ref()?;
    let bytes = inner
        .disk
        .get(Kind::Summaries, &name_of(db, inner, unit)?)?;
    let contents: Contents = postcard::from_bytes(&bytes).ok()?;
    let cache = Settings::get(db).environment(db).mod_cache.as_deref()?;
    for (module, then) in &contents.modules {
        let module = source_file(db, &cache.join(module).join("go.mod"));
        if dependency_state(db, module) != *then {
            return None;
        }
    }
    let summaries = (contents.summaries.into_iter())
        .map(|(key, own)| {
            let summary = DeclSummary {
                own,
                literals: Vec::new(),
            };
            (key, Arc::new(summary))
        })
        .collect();
    Some(Arc::new(Stored {
        modules: contents.modules,
        summaries,
    }))
}

/// Whether nobody has the file in an editor, where it may have been changed, and no configuration says anything for it.
fn is_as_everywhere(db: &dyn Db, file: SourceFile) -> bool {
    !file.is_open(db) && told_table(db, file).is_none()
}

/// The summary from the disk, if it is there.
pub(super) fn find(db: &dyn Db, decl: DeclId, hops: u8) -> Option<Arc<DeclSummary>> {
    db.summary_store().0.as_ref()?;
    let unit = package_of_decl(db, decl);
    below_cache(db, unit.dir(db)?)?;
    if !is_as_everywhere(db, decl.file(db)) {
        return None;
    }
    let stored = stored(db, unit);
    stored.summaries.get(&Key::new(db, decl, hops)).cloned()
}

/// Notes a summary that was computed.
pub(super) fn note(db: &dyn Db, decl: DeclId, hops: u8, summary: &Arc<DeclSummary>) {
    let Some(inner) = &db.summary_store().0 else {
        return;
    };
    let unit = package_of_decl(db, decl);
    if unit
        .dir(db)
        .is_some_and(|dir| below_cache(db, dir).is_some())
        && is_as_everywhere(db, decl.file(db))
    {
        inner.fresh.insert((decl, hops), summary.clone());
    }
}

/// Writes what was computed since the last call to the disk. Says how many packages that were.
pub fn save(db: &dyn Db) -> usize {
    let Some(inner) = &db.summary_store().0 else {
        return 0;
    };
    let noted: Vec<((DeclId, u8), Arc<DeclSummary>)> = (inner.fresh.iter())
        .map(|entry| (*entry.key(), entry.value().clone()))
        .collect();
    inner.fresh.clear();
    let mut by_unit: FxHashMap<PackageId, Vec<(DeclId, u8, Arc<DeclSummary>)>> =
        FxHashMap::default();
    for ((decl, hops), summary) in noted {
        by_unit
            .entry(package_of_decl(db, decl))
            .or_default()
            .push((decl, hops, summary));
    }
    let mut written = 0;
    for (unit, fresh) in by_unit {
        let Some(name) = name_of(db, inner, unit) else {
            continue;
        };
        // What another process put there meanwhile stays.
        let before = read(db, unit).unwrap_or_default();
        let Some(modules) = modules(db, fresh.iter().map(|(d, h, _)| (*d, *h))) else {
            continue;
        };
        let mut contents = Contents {
            modules,
            summaries: (before.summaries.iter())
                .map(|(key, summary)| (key.clone(), summary.own.clone()))
                .collect(),
        };
        contents
            .modules
            .extend(before.modules.iter().map(|(m, s)| (m.clone(), *s)));
        for (decl, hops, summary) in fresh {
            contents
                .summaries
                .insert(Key::new(db, decl, hops), summary.own.clone());
        }
        if let Ok(bytes) = postcard::to_stdvec(&contents) {
            inner.disk.put(Kind::Summaries, &name, &bytes);
            written += 1;
        }
    }
    if written > 0 {
        inner.disk.trim();
    }
    written
}

/// The modules whose code these summaries were made from; `None` if one of them is not in the module cache.
fn modules(
    db: &dyn Db,
    roots: impl Iterator<Item = (DeclId, u8)>,
) -> Option<BTreeMap<String, u64>> {
    let mut out = BTreeMap::new();
    let mut seen: FxHashSet<(DeclId, u8)> = FxHashSet::default();
    let mut work: Vec<(DeclId, u8)> = roots.collect();
    while let Some((decl, hops)) = work.pop() {
        if !seen.insert((decl, hops)) {
            continue;
        }
        let unit = package_of_decl(db, decl);
        let known = stored(db, unit);
        if known.summaries.contains_key(&Key::new(db, decl, hops)) {
            out.extend(known.modules.iter().map(|(m, s)| (m.clone(), *s)));
            continue;
        }
        let dir = unit.dir(db)?;
        below_cache(db, dir)?;
        if let Some(module) = nearest_go_mod(db, dir)
            && let Some(place) = module.path(db).parent().map(Path::to_owned)
            && let Some(place) = below_cache(db, directory(db, &place))
        {
            out.insert(place, dependency_state(db, module));
        }
        for group in plan(db, decl, hops).iter() {
            for member in group.members(db) {
                for link in links_of(db, *member).of.values() {
                    if let Link::Foreign { decl: other, .. } = link
                        && let Some(hops) = foreign_hops(db, unit, *other, hops)
                    {
                        work.push((*other, hops));
                    }
                }
            }
        }
    }
    Some(out)
}
