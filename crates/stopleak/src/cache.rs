//! Findings of earlier runs.
//!
//! What is found in the files of a folder depends on the text of these files, on that of the packages they import (and what those
//! import), on the modules around them, on the configuration and on the program. All this goes into the folder's *key*; equal keys mean
//! equal findings. One file of the cache, a *pack*, holds the keys and findings of a whole run with the same arguments in the same place.
//!
//! To make the keys, the text of a file is not read again while its time, length and number on the disk are the same. As in git, that
//! is believed only if the file was changed well before it was read: a change right behind the reading may not show in its time.
//!
//! Imports from the module cache go into the key by their version alone.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use go_model::constraint::scan_imports;
use go_model::db::{Database, Settings, directory, source_file};
use go_model::disk::{DiskCache, Kind, MAX_BYTES};
use go_model::outline::outline;
use go_model::summary::SummaryStore;
use go_model::workspace::{import_directory, module_state, nearest_go_mod};
use leak_rules::{Diagnostic, Edit, Fix, Related, Safety, Severity};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// Changes with what is written here.
const FORMAT: u32 = 1;
/// A change so shortly before the reading may go on behind it unseen: file systems round times.
const RACY: Duration = Duration::from_secs(2);

/// The cache of this user.
pub fn disk() -> Option<DiskCache> {
    DiskCache::directory().map(|dir| DiskCache::new(dir, MAX_BYTES))
}

/// Stands for exactly this program. Versions alone would not do for whoever builds it.
pub fn program() -> Option<String> {
    let meta = fs::metadata(std::env::current_exe().ok()?).ok()?;
    let modified = nanoseconds(meta.modified().ok()?);
    Some(format!(
        "{} {} {modified}",
        env!("CARGO_PKG_VERSION"),
        meta.len()
    ))
}

/// Where summaries of dependencies are kept.
pub fn summaries(disk: &DiskCache, program: &str) -> SummaryStore {
    SummaryStore::on_disk(disk.clone(), program.to_owned())
}

/// What was found in one file.
#[derive(Debug, Clone)]
pub struct Known {
    /// Its text; only of files with findings.
    pub text: Option<Arc<str>>,
    pub findings: Vec<Diagnostic>,
    /// The texts of other files that the findings point to.
    pub others: Vec<(Arc<PathBuf>, Arc<str>)>,
    pub suppressed: usize,
    pub skipped: Option<String>,
}

/// A file of a run.
pub struct Subject<'a> {
    pub path: &'a Path,
    /// What was found may differ for files that are named.
    pub named: bool,
}

/// The cache as one run sees it: made before the files are checked, written when they have been.
pub struct Findings {
    disk: DiskCache,
    name: String,
    old: Pack,
    places: Places,
    keys: HashMap<PathBuf, u128>,
    /// Something is to be written.
    changed: bool,
}

impl Findings {
    /// Looks at the files and finds out which findings are known. `run` stands for all that changes what a run looks at or finds, the
    /// build and the configuration among it; `place` for the same without what changes from run to run.
    pub fn new(
        disk: DiskCache,
        db: &Database,
        place: &str,
        run: &str,
        subjects: &[Subject<'_>],
    ) -> Self {
        let name = format!("{FORMAT}\n{place}");
        let old: Pack = (disk.get(Kind::Findings, &name))
            .and_then(|bytes| postcard::from_bytes(&bytes).ok())
            .unwrap_or_default();
        let mut folders: Vec<PathBuf> = subjects
            .iter()
            .filter_map(|subject| subject.path.parent().map(Path::to_path_buf))
            .collect();
        folders.sort();
        folders.dedup();
        let mut places = Places::new(&old);
        places.explore(db, &folders);
        let keys = places.keys(run, &folders);
        let changed = places.changed;
        Self {
            disk,
            name,
            old,
            places,
            keys,
            changed,
        }
    }

    /// What is known of each of the files, in their order.
    pub fn known(&self, subjects: &[Subject<'_>]) -> Vec<Option<Known>> {
        let folders: HashMap<&str, &Folder> = (self.old.folders.iter())
            .map(|folder| (&*folder.path, folder))
            .collect();
        subjects
            .par_iter()
            .map(|subject| {
                let path = subject.path.parent()?;
                let folder = folders.get(path.to_str()?)?;
                if self.keys.get(path) != Some(&folder.key) {
                    return None;
                }
                let name = subject.path.file_name()?.to_str()?;
                let found = folder.files.iter().find(|file| file.name == name)?;
                if found.named != subject.named {
                    return None;
                }
                self.restore(subject.path, found)
            })
            .collect()
    }

    fn restore(&self, path: &Path, found: &Found) -> Option<Known> {
        let text = |path: &Path| Some(Arc::from(fs::read_to_string(path).ok()?));
        let findings: Vec<Diagnostic> = found.findings.iter().map(Finding::restore).collect();
        let own: Option<Arc<str>> = if findings.is_empty() {
            None
        } else {
            let own: Arc<str> = text(path)?;
            // It may have been changed this very moment.
            if self.places.hash_of(path) != Some(xxh3_128(own.as_bytes())) {
                return None;
            }
            Some(own)
        };
        let mut others = Vec::new();
        for path in (findings.iter().flat_map(|f| &f.related)).filter_map(|r| r.file.as_ref()) {
            if !others.iter().any(|(known, _)| known == path) {
                others.push((path.clone(), text(path)?));
            }
        }
        Some(Known {
            text: own,
            findings,
            others,
            suppressed: usize::try_from(found.suppressed).ok()?,
            skipped: found.skipped.clone(),
        })
    }

    /// Keeps what was found, an entry for each of the files in their order.
    pub fn keep(self, subjects: &[Subject<'_>], entries: Vec<Entry>) {
        let fresh = entries
            .iter()
            .any(|entry| !matches!(entry.source, Source::Known));
        if !fresh && !self.changed {
            return;
        }
        let mut folders: HashMap<&Path, Option<Folder>> = HashMap::new();
        for (subject, entry) in subjects.iter().zip(entries) {
            let Some(path) = subject.path.parent() else {
                continue;
            };
            let slot = folders.entry(path).or_insert_with(|| {
                Some(Folder {
                    path: path.to_str()?.to_owned(),
                    key: *self.keys.get(path)?,
                    files: Vec::new(),
                })
            });
            let as_read = match entry.source {
                Source::Known => true,
                Source::Checked(hash) => self.places.hash_of(subject.path) == Some(hash),
                Source::Lost => false,
            };
            match slot {
                Some(folder) if as_read => folder.files.push(entry.found),
                _ => *slot = None,
            }
        }
        let files = self.places.files();
        // What was changed while it was checked may have been seen before or after.
        let stable = files
            .par_iter()
            .all(|(path, file)| Stamp::of(Path::new(path)) == Some(file.stamp));
        if !stable {
            return;
        }
        let mut folders: Vec<Folder> = folders.into_values().flatten().collect();
        folders.sort_by(|a, b| a.path.cmp(&b.path));
        let pack = Pack {
            files: files
                .into_iter()
                .map(|(path, file)| (path, file.clone()))
                .collect(),
            folders,
        };
        if let Ok(bytes) = postcard::to_stdvec(&pack) {
            self.disk.put(Kind::Findings, &self.name, &bytes);
            self.disk.trim();
        }
    }
}

/// Where the findings of a file come from.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// From the cache.
    Known,
    /// It was checked; the hash of the text that was.
    Checked(u128),
    /// It was not checked to its end.
    Lost,
}

/// What is to be kept about a file.
pub struct Entry {
    source: Source,
    found: Found,
}

impl Entry {
    /// For the file `path`.
    pub fn new(
        subject: &Subject<'_>,
        source: Source,
        findings: &[Diagnostic],
        suppressed: usize,
        skipped: Option<&str>,
    ) -> Self {
        let name = subject.path.file_name().and_then(|name| name.to_str());
        Self {
            source: if name.is_some() { source } else { Source::Lost },
            found: Found {
                name: name.unwrap_or_default().to_owned(),
                named: subject.named,
                findings: findings.iter().map(Finding::store).collect(),
                suppressed: suppressed as u64,
                skipped: skipped.map(str::to_owned),
            },
        }
    }
}

/// The contents of a file of the cache.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Pack {
    files: Vec<(String, FileNote)>,
    folders: Vec<Folder>,
}

/// What was seen of a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct FileNote {
    stamp: Stamp,
    /// When it was read, in nanoseconds since the epoch.
    read: u128,
    hash: u128,
    imports: Vec<String>,
}

/// What the disk says about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    modified: u128,
    /// The time of the last change of any kind, where there is one.
    changed: (i64, i64),
    len: u64,
    inode: u64,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let meta = fs::metadata(path).ok()?;
        if !meta.is_file() {
            return None;
        }
        #[cfg(unix)]
        let (changed, inode) = {
            use std::os::unix::fs::MetadataExt as _;
            ((meta.ctime(), meta.ctime_nsec()), meta.ino())
        };
        #[cfg(not(unix))]
        let (changed, inode) = ((0, 0), 0);
        Some(Self {
            modified: nanoseconds(meta.modified().ok()?),
            changed,
            len: meta.len(),
            inode,
        })
    }
}

fn nanoseconds(time: SystemTime) -> u128 {
    time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos())
}

impl FileNote {
    /// Whether the file is surely the one that was read.
    fn holds(&self, stamp: Stamp) -> bool {
        self.stamp == stamp && stamp.modified + RACY.as_nanos() < self.read
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Folder {
    path: String,
    key: u128,
    files: Vec<Found>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Found {
    name: String,
    named: bool,
    findings: Vec<Finding>,
    suppressed: u64,
    skipped: Option<String>,
}

/// What is replaced, and by what.
type Edits = Vec<(text_size::TextRange, String)>;

/// A finding as it is stored.
#[derive(Debug, Serialize, Deserialize)]
struct Finding {
    rule: String,
    severity: Severity,
    message: String,
    range: text_size::TextRange,
    function: Option<String>,
    related: Vec<(String, Option<String>, text_size::TextRange)>,
    fixes: Vec<(String, Safety, Edits)>,
    unnecessary: bool,
}

impl Finding {
    fn store(finding: &Diagnostic) -> Self {
        Self {
            rule: finding.rule.to_owned(),
            severity: finding.severity,
            message: finding.message.clone(),
            range: finding.range,
            function: finding.function.clone(),
            related: (finding.related.iter())
                .map(|step| {
                    let file = (step.file.as_ref()).map(|f| f.to_string_lossy().into_owned());
                    (step.message.clone(), file, step.range)
                })
                .collect(),
            fixes: (finding.fixes.iter())
                .map(|fix| {
                    let edits = fix.edits.iter().map(|e| (e.range, e.text.clone()));
                    (fix.title.clone(), fix.safety, edits.collect())
                })
                .collect(),
            unnecessary: finding.unnecessary,
        }
    }

    fn restore(&self) -> Diagnostic {
        Diagnostic {
            // The names of rules are few and live as long as the program.
            rule: go_syntax::Name::new(&self.rule).as_str(),
            severity: self.severity,
            message: self.message.clone(),
            range: self.range,
            function: self.function.clone(),
            related: (self.related.iter())
                .map(|(message, file, range)| Related {
                    message: message.clone(),
                    file: file.as_ref().map(|file| Arc::new(PathBuf::from(file))),
                    range: *range,
                })
                .collect(),
            fixes: (self.fixes.iter())
                .map(|(title, safety, edits)| Fix {
                    title: title.clone(),
                    safety: *safety,
                    edits: (edits.iter())
                        .map(|(range, text)| Edit {
                            range: *range,
                            text: text.clone(),
                        })
                        .collect(),
                })
                .collect(),
            unnecessary: self.unnecessary,
        }
    }
}

/// Folders and what they import.
struct Places {
    before: HashMap<String, FileNote>,
    index: HashMap<PathBuf, usize>,
    nodes: Vec<Node>,
    changed: bool,
}

/// A folder with Go files outside of the module cache.
#[derive(Default)]
struct Node {
    path: PathBuf,
    files: Vec<(String, FileNote)>,
    /// What stands for the module around it.
    module: u64,
    /// Hash of all files, and of those that importers see.
    all: u128,
    normal: u128,
    /// The folders that all files import, and those that importers see; with what lies in the module cache as text.
    all_imports: Imports,
    normal_imports: Imports,
    /// A file could not be read or named: nothing of it is kept.
    broken: bool,
    /// Something had to be read.
    changed: bool,
}

#[derive(Default)]
struct Imports {
    folders: Vec<PathBuf>,
    cached: Vec<String>,
}

impl Places {
    fn new(old: &Pack) -> Self {
        Self {
            before: old.files.iter().cloned().collect(),
            index: HashMap::new(),
            nodes: Vec::new(),
            changed: false,
        }
    }

    /// Looks at folders and at all that they import.
    fn explore(&mut self, db: &Database, folders: &[PathBuf]) {
        let mut level = folders.to_vec();
        let mut first = true;
        while !level.is_empty() {
            for path in &level {
                self.index.insert(path.clone(), self.index.len());
            }
            let before = &self.before;
            let found: Vec<Node> = level
                .par_iter()
                .map_with(db.clone(), |db, path| node(db, before, path))
                .collect();
            let mut next: Vec<PathBuf> = Vec::new();
            for node in &found {
                self.changed |= node.changed;
                let imports = if first {
                    &node.all_imports
                } else {
                    &node.normal_imports
                };
                next.extend(
                    (imports.folders.iter())
                        .filter(|path| !self.index.contains_key(*path))
                        .cloned(),
                );
            }
            next.sort();
            next.dedup();
            self.nodes.extend(found);
            level = next;
            first = false;
        }
    }

    /// The key of each folder that can have one.
    fn keys(&self, run: &str, folders: &[PathBuf]) -> HashMap<PathBuf, u128> {
        let number = |paths: &[PathBuf]| -> Vec<usize> {
            paths
                .iter()
                .filter_map(|path| self.index.get(path).copied())
                .collect()
        };
        let edges: Vec<Vec<usize>> = (self.nodes.iter())
            .map(|node| number(&node.normal_imports.folders))
            .collect();
        folders
            .par_iter()
            .filter_map(|path| {
                let root = *self.index.get(path)?;
                let mut seen = vec![false; self.nodes.len()];
                let mut reached = Vec::new();
                let mut work = number(&self.nodes[root].all_imports.folders);
                while let Some(at) = work.pop() {
                    if !std::mem::replace(&mut seen[at], true) {
                        reached.push(at);
                        work.extend(&edges[at]);
                    }
                }
                // In the order of their paths, whatever the order in which they were found.
                reached.sort_by(|a, b| self.nodes[*a].path.cmp(&self.nodes[*b].path));
                let own = &self.nodes[root];
                let mut hasher = Xxh3::new();
                hasher.update(run.as_bytes());
                hasher.update(&own.all.to_le_bytes());
                hasher.update(&own.module.to_le_bytes());
                let mut cached: Vec<&str> =
                    own.all_imports.cached.iter().map(String::as_str).collect();
                if own.broken {
                    return None;
                }
                for at in reached {
                    let node = &self.nodes[at];
                    if node.broken {
                        return None;
                    }
                    hasher.update(node.path.as_os_str().as_encoded_bytes());
                    hasher.update(&node.normal.to_le_bytes());
                    hasher.update(&node.module.to_le_bytes());
                    cached.extend(node.normal_imports.cached.iter().map(String::as_str));
                }
                cached.sort_unstable();
                cached.dedup();
                for place in cached {
                    hasher.update(place.as_bytes());
                    hasher.update(b"\n");
                }
                Some((path.clone(), hasher.digest128()))
            })
            .collect()
    }

    fn hash_of(&self, path: &Path) -> Option<u128> {
        let node = &self.nodes[*self.index.get(path.parent()?)?];
        let name = path.file_name()?.to_str()?;
        let at = node.files.binary_search_by(|(n, _)| n.as_str().cmp(name));
        Some(node.files[at.ok()?].1.hash)
    }

    /// All files that were looked at, by path.
    fn files(&self) -> Vec<(String, &FileNote)> {
        let mut all: Vec<(String, &FileNote)> = (self.nodes.iter())
            .flat_map(|node| {
                (node.files.iter()).filter_map(|(name, file)| {
                    Some((node.path.join(name).to_str()?.to_owned(), file))
                })
            })
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }
}

fn node(db: &Database, before: &HashMap<String, FileNote>, path: &Path) -> Node {
    let mut node = Node {
        path: path.to_owned(),
        ..Node::default()
    };
    let folder = directory(db, path);
    let Some(listing) = folder.listing(db) else {
        node.broken = true;
        return node;
    };
    let (mut all, mut normal) = (Xxh3::new(), Xxh3::new());
    for name in &listing.go_files {
        let file = path.join(&**name);
        let Some(note) = note(db, before, &file, &mut node.changed) else {
            node.broken = true;
            continue;
        };
        let is_test = name.ends_with("_test.go");
        for hasher in [Some(&mut all), (!is_test).then_some(&mut normal)]
            .into_iter()
            .flatten()
        {
            hasher.update(name.as_bytes());
            hasher.update(&note.hash.to_le_bytes());
        }
        node.files.push((name.to_string(), note));
    }
    node.all = all.digest128();
    node.normal = normal.digest128();
    let module = nearest_go_mod(db, folder);
    node.module = module.map_or(0, |module| module_state(db, module));
    let cache = Settings::get(db).environment(db).mod_cache.as_deref();
    let mut resolved: HashMap<&str, Option<PathBuf>> = HashMap::new();
    for (name, file) in &node.files {
        let is_test = name.ends_with("_test.go");
        for import in &file.imports {
            let target = resolved.entry(import).or_insert_with(|| {
                let target = if import.starts_with("./") || import.starts_with("../") {
                    directory(db, &path.join(import))
                } else {
                    import_directory(db, module?, go_syntax::Name::new(import))?
                };
                Some(target.path(db).to_path_buf())
            });
            let Some(target) = target else { continue };
            let lists = [
                Some(&mut node.all_imports),
                (!is_test).then_some(&mut node.normal_imports),
            ];
            for list in lists.into_iter().flatten() {
                if cache.is_some_and(|cache| target.starts_with(cache)) {
                    list.cached.push(target.to_string_lossy().into_owned());
                } else if target != path {
                    list.folders.push(target.clone());
                }
            }
        }
    }
    for list in [&mut node.all_imports, &mut node.normal_imports] {
        list.folders.sort();
        list.folders.dedup();
        list.cached.sort();
        list.cached.dedup();
    }
    node
}

/// What is to be known of a file, from the last run if it was not changed.
fn note(
    db: &Database,
    before: &HashMap<String, FileNote>,
    path: &Path,
    changed: &mut bool,
) -> Option<FileNote> {
    let stamp = Stamp::of(path)?;
    let known = before.get(path.to_str()?);
    if let Some(known) = known
        && known.holds(stamp)
    {
        return Some(known.clone());
    }
    *changed = true;
    let read = nanoseconds(SystemTime::now());
    let bytes = fs::read(path).ok()?;
    let hash = xxh3_128(&bytes);
    let imports = match known {
        Some(known) if known.hash == hash => known.imports.clone(),
        _ => match scan_imports(std::str::from_utf8(&bytes).ok()?) {
            Some(imports) => imports.into_iter().map(str::to_owned).collect(),
            None => (outline(db, source_file(db, path)).imports.iter())
                .map(|import| import.path.to_string())
                .collect(),
        },
    };
    Some(FileNote {
        stamp,
        read,
        hash,
        imports,
    })
}
