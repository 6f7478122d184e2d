//! Evidence from running programs in the server: what was loaded, and what computations see of it.
//!
//! As long as nothing is loaded there is no [`Evidence`], and nothing is computed.

mod list;
mod load;
mod show;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use go_model::db::Database;
use leak_evidence::{Evidence as Weighed, Kind, Level, LineRef, Outline, Thresholds};
use serde_json::{Value, json};
use stopleak_config::EvidenceSettings;
use stopleak_evidence::moved::{Moved, Now};
use stopleak_evidence::words::{age, heading};
use stopleak_evidence::{Group, Loaded, code, groups, same};

pub(crate) use self::list::list;
pub(crate) use self::load::{Batch, Context, Request, inputs, load};
pub(crate) use self::show::{Proof, hints, hover, lenses, proofs};

/// The command that reads files and folders.
pub(crate) const LOAD_COMMAND: &str = "stopleak.loadEvidence";
/// The command that asks a program on this machine.
pub(crate) const FETCH_COMMAND: &str = "stopleak.fetchEvidence";
/// The command that reads what the rest is compared with.
pub(crate) const COMPARE_COMMAND: &str = "stopleak.compareEvidence";
/// The command that forgets all evidence.
pub(crate) const CLEAR_COMMAND: &str = "stopleak.clearEvidence";
/// The command that shows or hides it above the lines.
pub(crate) const TOGGLE_COMMAND: &str = "stopleak.toggleEvidence";
/// The command that lists the lines.
pub(crate) const LIST_COMMAND: &str = "stopleak.listEvidence";
/// What a code lens does in the client: it shows the hover of its line. It is the client's own command, so that the server does not
/// offer it.
pub(crate) const SHOW_COMMAND: &str = "stopleak.showEvidence";
/// Tells clients that know it that there is other evidence now.
pub(crate) const CHANGED: &str = "stopleak/evidenceChanged";

/// A share of the whole from which lines of profiles without thresholds are shown, in percent.
const SHARE: i64 = 1;

/// A text in which evidence was placed.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) text: Arc<str>,
    pub(crate) outline: Arc<Outline>,
}

/// Evidence of one file.
struct InFile {
    placed: Placed,
    /// The lines in it.
    lines: Vec<LineRef>,
    /// Lines elsewhere whose goroutines were started in it.
    started: Vec<LineRef>,
}

/// Everything that was loaded, as computations see it. Lines are those of the texts in which they were placed.
pub(crate) struct Evidence {
    pub(crate) groups: Vec<Group>,
    pub(crate) thresholds: Thresholds,
    settings: EvidenceSettings,
    /// Whether it is shown above the lines.
    shown: bool,
    /// What shown paths are relative to.
    root: PathBuf,
    files: HashMap<String, InFile>,
}

impl Evidence {
    /// A line with the profile that it is in.
    fn weighed(&self, at: LineRef) -> Weighed<'_> {
        let group = &self.groups[at.profile];
        Weighed {
            weights: &group.weights,
            growth: group.base.as_ref().map(|(_, growth)| growth),
        }
    }

    fn weight(&self, at: LineRef) -> i64 {
        let weights = &self.groups[at.profile].weights;
        weights.weight(&weights.lines[at.line])
    }

    fn level(&self, at: LineRef) -> Option<Level> {
        let Weighed { weights, growth } = self.weighed(at);
        self.thresholds
            .level(weights, &weights.lines[at.line], growth)
    }

    /// Lines over a threshold; of profiles that have none, which the user loaded for what they are, those with a part of the whole.
    fn is_shown(&self, at: LineRef) -> bool {
        let weights = &self.groups[at.profile].weights;
        let weight = self.weight(at);
        match weights.kind {
            Kind::Allocs | Kind::Other(_) => {
                weight > 0 && weight.saturating_mul(100) >= weights.total().saturating_mul(SHARE)
            }
            _ => self.level(at).is_some(),
        }
    }

    /// The first ones deserve attention first.
    fn rank(&self, at: LineRef) -> impl Ord + use<> {
        let group = &self.groups[at.profile];
        let kind = match &group.weights.kind {
            Kind::GoroutineLeak | Kind::Goleak => 0,
            Kind::Sanitizer => 1,
            Kind::Goroutine => 2,
            Kind::Heap => 3,
            Kind::Open(_) | Kind::ThreadCreate => 4,
            Kind::Allocs | Kind::Other(_) => 5,
        };
        (
            std::cmp::Reverse(self.level(at)),
            kind,
            std::cmp::Reverse(self.weight(at)),
        )
    }

    /// A file's evidence in its present text; `None` if there is none.
    fn view(&self, db: &Database, path: &Path, text: &Arc<str>) -> Option<View<'_>> {
        let file = self.files.get(&code::with_slashes(path))?;
        Some(View {
            file,
            moved: moved(db, path, text, &file.placed),
        })
    }
}

/// How the lines of a file moved since evidence was placed in it; `None` if the text is the same.
fn moved(db: &Database, path: &Path, text: &Arc<str>, placed: &Placed) -> Option<Moved> {
    if Arc::ptr_eq(text, &placed.text) || *text == placed.text {
        return None;
    }
    let now = match path.extension() {
        Some(extension) if extension == "go" => code::outline(db, path),
        _ => Outline::default(),
    };
    Some(Moved::between(
        (&placed.text, &placed.outline),
        (text, &now),
    ))
}

/// A file's evidence in its present text.
struct View<'a> {
    file: &'a InFile,
    moved: Option<Moved>,
}

impl View<'_> {
    fn now(&self, line: u32) -> Option<Now> {
        match &self.moved {
            None => Some(Now::Line(line)),
            Some(moved) => moved.now(line),
        }
    }

    /// The lines, with where they are now.
    fn lines<'v>(&'v self, evidence: &'v Evidence) -> impl Iterator<Item = (LineRef, Now)> + 'v {
        self.file.lines.iter().filter_map(|at| {
            let line = &evidence.groups[at.profile].weights.lines[at.line];
            Some((*at, self.now(line.place.line)?))
        })
    }
}

/// What was loaded, in the hands of the owner of the state.
#[derive(Default)]
pub(crate) struct Store {
    loaded: Vec<Loaded>,
    base: Vec<Loaded>,
    /// The texts in which it was placed, by path.
    texts: HashMap<String, Placed>,
    hidden: bool,
    evidence: Option<Arc<Evidence>>,
    /// Whether there is any, for those who may not ask.
    present: Arc<AtomicBool>,
    /// Files of the configured folders, as they were when they were loaded.
    stamps: HashMap<PathBuf, Stamp>,
}

type Stamp = (Option<SystemTime>, u64);

/// What is new in the configured folders.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    pub(crate) changed: Vec<String>,
    pub(crate) removed: bool,
}

impl Store {
    pub(crate) fn new(present: Arc<AtomicBool>) -> Self {
        Self {
            present,
            ..Self::default()
        }
    }

    /// What computations see; `None` if nothing was loaded.
    pub(crate) fn evidence(&self) -> Option<&Arc<Evidence>> {
        self.evidence.as_ref()
    }

    /// The files with evidence.
    pub(crate) fn files(&self) -> Vec<String> {
        self.texts.keys().cloned().collect()
    }

    /// Takes what was read. Files count once, as they were read last; programs say something else each time.
    pub(crate) fn add(&mut self, batch: Batch) {
        let mut moves = HashMap::new();
        for (path, placed) in batch.texts {
            if let Some(before) = self.texts.get(&path)
                && before.text != placed.text
            {
                let old = (&*before.text, &*before.outline);
                let new = (&*placed.text, &*placed.outline);
                moves.insert(path.clone(), Moved::between(old, new));
            }
            self.texts.insert(path, placed);
        }
        for known in self.loaded.iter_mut().chain(&mut self.base) {
            relocate(known, &moves);
        }
        if batch.base {
            self.base = batch.loaded;
            return;
        }
        if !batch.program {
            let again = |old: &Loaded| {
                let same = |new: &Loaded| new.source == old.source && same(new, old);
                batch.loaded.iter().any(same)
            };
            self.loaded.retain(|old| !again(old));
        }
        self.loaded.extend(batch.loaded);
        prune(&mut self.loaded);
    }

    pub(crate) fn clear(&mut self) {
        self.loaded.clear();
        self.base.clear();
        self.texts.clear();
    }

    /// Shows or hides it; without a wish, the other way round. Whether it is shown now.
    pub(crate) fn toggle(&mut self, wish: Option<bool>) -> bool {
        self.hidden = !wish.unwrap_or(self.hidden);
        !self.hidden
    }

    /// Makes what computations see.
    pub(crate) fn build(&mut self, settings: &EvidenceSettings, root: &Path) {
        self.present
            .store(!self.loaded.is_empty(), Ordering::Relaxed);
        if self.loaded.is_empty() {
            self.evidence = None;
            return;
        }
        let groups = groups(self.loaded.clone(), &self.base);
        let mut files: HashMap<String, InFile> = HashMap::new();
        for (profile, group) in groups.iter().enumerate() {
            for (index, line) in group.weights.lines.iter().enumerate() {
                let at = LineRef {
                    profile,
                    line: index,
                };
                if let Some(file) = entry(&mut files, &self.texts, &line.place.path) {
                    file.lines.push(at);
                }
                let counts = line.goroutines.iter();
                let started: HashSet<&str> = counts
                    .flat_map(|counts| counts.creators.keys())
                    .map(|(path, _)| &**path)
                    .collect();
                for path in started {
                    if let Some(file) = entry(&mut files, &self.texts, path) {
                        file.started.push(at);
                    }
                }
            }
        }
        self.evidence = Some(Arc::new(Evidence {
            groups,
            thresholds: Thresholds {
                goroutines: settings.goroutines.into(),
                many_goroutines: i64::from(settings.goroutines) * 10,
                wait_minutes: settings.wait_minutes,
                memory: i64::from(settings.memory) << 20,
                open: settings.open.into(),
                ..Thresholds::default()
            },
            settings: settings.clone(),
            shown: settings.lenses && !self.hidden,
            root: root.to_path_buf(),
            files,
        }));
    }

    /// What is loaded, for the user.
    pub(crate) fn summary(&self) -> Value {
        let now = SystemTime::now();
        let evidence = self.evidence.as_deref();
        let groups = evidence.map_or(&[][..], |evidence| &evidence.groups);
        let profiles = groups.iter().enumerate().map(|(profile, group)| {
            let weights = &group.weights;
            let lines = (0..weights.lines.len()).map(|line| LineRef { profile, line });
            let shown = lines.filter(|at| evidence.is_some_and(|evidence| evidence.is_shown(*at)));
            json!({
                "source": group.source,
                "kind": weights.kind.name(),
                "title": heading(&weights.kind),
                "age": weights.time.map(|time| age(time, now)),
                "base": group.base.as_ref().map(|(source, _)| source),
                "truncated": weights.truncated.map(|cut| cut.to_string()),
                "total": weights.total(),
                "lines": shown.count(),
                "unplaced": weights.unplaced.len(),
            })
        });
        json!({
            "profiles": profiles.collect::<Vec<_>>(),
            "shown": evidence.is_some_and(|evidence| evidence.shown),
        })
    }

    /// Looks which files of the configured folders are new, changed or gone.
    pub(crate) fn look_at(&mut self, folders: &[PathBuf]) -> News {
        let mut now = HashMap::new();
        for entry in folders.iter().filter_map(|path| path.read_dir().ok()) {
            for entry in entry.filter_map(Result::ok) {
                let hidden = entry.file_name().to_string_lossy().starts_with('.');
                if let Ok(about) = entry.metadata()
                    && about.is_file()
                    && !hidden
                {
                    now.insert(entry.path(), (about.modified().ok(), about.len()));
                }
            }
        }
        let mut changed: Vec<String> = now
            .iter()
            .filter(|(path, stamp)| self.stamps.get(*path) != Some(stamp))
            .map(|(path, _)| path.to_string_lossy().into_owned())
            .collect();
        changed.sort();
        let gone: Vec<_> = self
            .stamps
            .keys()
            .filter(|path| !now.contains_key(*path))
            .map(|path| path.to_string_lossy().into_owned())
            .collect();
        let before = self.loaded.len();
        self.loaded.retain(|one| !gone.contains(&one.source));
        self.stamps = now;
        News {
            changed,
            removed: self.loaded.len() != before,
        }
    }
}

fn entry<'a>(
    files: &'a mut HashMap<String, InFile>,
    texts: &HashMap<String, Placed>,
    path: &str,
) -> Option<&'a mut InFile> {
    if !files.contains_key(path) {
        let placed = texts.get(path)?.clone();
        let file = InFile {
            placed,
            lines: Vec::new(),
            started: Vec::new(),
        };
        files.insert(path.to_owned(), file);
    }
    files.get_mut(path)
}

/// Follows lines into the texts in which new evidence was placed.
fn relocate(loaded: &mut Loaded, moves: &HashMap<String, Moved>) {
    if moves.is_empty() {
        return;
    }
    let now = |path: &str, line: u32| match moves.get(path) {
        None => Some(Now::Line(line)),
        Some(moved) => moved.now(line),
    };
    let weights = &mut loaded.weights;
    weights.lines.retain_mut(|line| {
        let Some(to) = now(&line.place.path, line.place.line) else {
            return false;
        };
        line.place.line = to.line();
        if matches!(to, Now::Function(_)) {
            line.place.anchor = leak_evidence::Anchor::Function;
        }
        if let Some(counts) = &mut line.goroutines {
            counts.creators = std::mem::take(&mut counts.creators)
                .into_iter()
                .filter_map(|((path, line), count)| {
                    let line = now(&path, line)?.line();
                    Some(((path, line), count))
                })
                .collect();
        }
        for frame in line.stacks.iter_mut().flat_map(|stack| &mut stack.frames) {
            if let Some(to) = now(&frame.path, frame.line) {
                frame.line = to.line();
            }
        }
        true
    });
    weights.created.retain_mut(|created| {
        let to = now(&created.path, created.line);
        created.line = to.map_or(created.line, Now::line);
        to.is_some()
    });
}

/// Of each kind the first and the last are kept: what is shown is what is there now, and what grew.
fn prune(loaded: &mut Vec<Loaded>) {
    let mut kept: Vec<Loaded> = Vec::new();
    for next in loaded.drain(..) {
        let of_kind: Vec<usize> = (0..kept.len())
            .filter(|at| same(&kept[*at], &next))
            .collect();
        let time = |one: &Loaded| one.weights.time;
        let [a, b] = *of_kind else {
            kept.push(next);
            continue;
        };
        let (first, last) = if time(&kept[a]) <= time(&kept[b]) {
            (a, b)
        } else {
            (b, a)
        };
        // What does not tell when it was taken was taken after the one before it.
        if time(&next).is_none() || time(&next) >= time(&kept[last]) {
            kept[last] = next;
        } else if time(&next) < time(&kept[first]) {
            kept[first] = next;
        }
    }
    *loaded = kept;
}
