//! From a recorded frame to a line of the workspace.
//!
//! The program may have been built elsewhere, with `-trimpath`, in a container, from another state of the code. Files are found by the first
//! of these that leads to an existing one: the path itself; the user's map of prefixes; the module's path (`-trimpath`); the package in
//! the function's name; a pair of prefixes that files found so far have in common; a unique end of the path. Then the line is checked
//! against the function it should be in, and moved with the function where that moved.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::names::FunctionName;
use crate::profile::{Frame, FrameId, Profile, Str};
use crate::workspace::{Function, Literal, Module, Outline, Workspace};

/// Where a frame's code comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The workspace.
    Workspace,
    /// A module that the workspace uses.
    Dependency,
    /// The standard library.
    Standard,
    /// The compiler or a tool.
    Generated,
    /// Not known: it may be the workspace's, but was not found there.
    Unknown,
}

/// How sure a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Anchor {
    /// The line is in the function, which begins where it began.
    Exact,
    /// The function begins elsewhere now; the line moved with it.
    Moved,
    /// The file's functions are not known.
    Unchecked,
    /// Only the function was found; the line is its first.
    Function,
}

/// A line of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: Arc<str>,
    /// From 1.
    pub line: u32,
    /// How sure the line is.
    pub anchor: Anchor,
    /// The file changed since the profile was taken.
    pub changed: bool,
    /// Lines of the declared function or literal that the frame is in.
    pub span: Option<(u32, u32)>,
    /// The `go` statement of the literal that the frame is in.
    pub go_line: Option<u32>,
}

/// What was found out about a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Where it comes from.
    pub origin: Origin,
    /// Where it is, if it is in the workspace.
    pub place: Option<Place>,
}

/// The frames of one profile in a workspace.
#[derive(Debug)]
pub struct Resolution {
    frames: Vec<Resolved>,
}

impl Resolution {
    /// What was found out about a frame.
    pub fn frame(&self, id: FrameId) -> &Resolved {
        &self.frames[id.index()]
    }
}

/// Finds the lines of recorded frames.
#[derive(Debug)]
pub struct Resolver<'a, W: ?Sized> {
    workspace: &'a W,
    /// Longest path first.
    modules: Vec<Module>,
    /// Recorded prefix and local prefix, from the user.
    path_map: Vec<(String, String)>,
}

/// Where a recorded file is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    File(Arc<str>),
    Elsewhere(Origin),
}

impl<'a, W: Workspace + ?Sized> Resolver<'a, W> {
    /// With the user's pairs of recorded and local prefixes.
    pub fn new(workspace: &'a W, path_map: &[(String, String)]) -> Self {
        let mut modules = workspace.modules();
        modules.sort_by_key(|module| std::cmp::Reverse(module.path.len()));
        let trim = |path: &String| path.trim_end_matches('/').to_owned();
        Self {
            workspace,
            modules,
            path_map: path_map
                .iter()
                .map(|(from, to)| (trim(from), trim(to)))
                .collect(),
        }
    }

    /// All frames of a profile.
    pub fn resolve(&self, profile: &Profile) -> Resolution {
        let files = self.files(profile);
        let mut outlines: FxHashMap<Arc<str>, FileState> = FxHashMap::default();
        for found in files.values() {
            if let Found::File(path) = found
                && !outlines.contains_key(path)
            {
                outlines.insert(path.clone(), self.state(path, profile));
            }
        }
        learn_shifts(profile, &files, &mut outlines);
        let frames = (0..profile.frame_count())
            .map(|index| {
                let frame = profile.frames[index];
                match &files[&(frame.file, frame.function)] {
                    Found::Elsewhere(origin) => Resolved {
                        origin: *origin,
                        place: None,
                    },
                    Found::File(path) => {
                        let name = FunctionName::parse(profile.text(frame.function));
                        Resolved {
                            origin: Origin::Workspace,
                            place: place(path, &outlines[path], name.as_ref(), frame),
                        }
                    }
                }
            })
            .collect();
        Resolution { frames }
    }

    fn state(&self, path: &str, profile: &Profile) -> FileState {
        FileState {
            outline: self.workspace.outline(path),
            changed: profile
                .time
                .is_some_and(|time| self.workspace.changed_since(path, time)),
            shifts: FxHashMap::default(),
        }
    }

    fn files(&self, profile: &Profile) -> FxHashMap<(Str, Str), Found> {
        let mut found: FxHashMap<(Str, Str), Found> = FxHashMap::default();
        let mut open: Vec<(Str, Str)> = Vec::new();
        let mut votes = Votes::default();
        for frame in &profile.frames {
            let key = (frame.file, frame.function);
            if found.contains_key(&key) {
                continue;
            }
            let recorded = normal(profile.text(frame.file));
            let by_name = self.by_path_or_name(&recorded, profile.text(frame.function));
            if let Some(Found::File(local)) = &by_name {
                votes.add(&recorded, local);
            }
            if by_name.is_none() {
                open.push(key);
            }
            found.insert(key, by_name.unwrap_or(Found::Elsewhere(Origin::Unknown)));
        }
        let mut take = |open: Vec<(Str, Str)>, votes: Votes, by_end: bool| {
            let pairs = votes.pairs();
            let mut more = Votes::default();
            let left = open.into_iter().filter(|key| {
                let recorded = normal(profile.text(key.0));
                let mapped = pairs
                    .iter()
                    .find_map(|(from, to)| self.mapped(&recorded, from, to));
                let local = mapped.or_else(|| self.by_end(&recorded).filter(|_| by_end));
                if let Some(local) = &local {
                    more.add(&recorded, local);
                    found.insert(*key, Found::File(local.as_str().into()));
                }
                local.is_none()
            });
            let left = left.collect();
            (left, more)
        };
        let (left, more) = take(open, votes, true);
        // What was found by its end says where the rest is.
        let (left, _): (Vec<_>, _) = take(left, more, false);
        self.by_functions(profile, left, &mut found);
        found
    }

    /// Recorded files that have only their name in common with the only file of that name, if every function recorded in them is in
    /// that file, on the same lines. A program of one package has nothing else to go by.
    fn by_functions(
        &self,
        profile: &Profile,
        open: Vec<(Str, Str)>,
        found: &mut FxHashMap<(Str, Str), Found>,
    ) {
        let mut frames: FxHashMap<Str, Vec<Frame>> = FxHashMap::default();
        for (file, _) in &open {
            frames.entry(*file).or_default();
        }
        for frame in &profile.frames {
            if let Some(frames) = frames.get_mut(&frame.file) {
                frames.push(*frame);
            }
        }
        for (file, frames) in frames {
            let recorded = normal(profile.text(file));
            let base = recorded.rsplit('/').next().unwrap_or_default();
            let Some(local) = only(self.workspace.files_named(base).into_iter()) else {
                continue;
            };
            let Some(outline) = self.workspace.outline(&local) else {
                continue;
            };
            if frames
                .iter()
                .all(|frame| is_unmoved(&outline, profile.text(frame.function), *frame))
            {
                let local: Arc<str> = local.into();
                for key in open.iter().filter(|key| key.0 == file) {
                    found.insert(*key, Found::File(local.clone()));
                }
            }
        }
    }

    /// What the path and the function's name say; `None` if they do not.
    fn by_path_or_name(&self, recorded: &str, function: &str) -> Option<Found> {
        if self.workspace.is_file(recorded) {
            return Some(Found::File(recorded.into()));
        }
        let base = recorded.rsplit('/').next().unwrap_or_default();
        if base.is_empty()
            || base.starts_with('<')
            || matches!(base, "_testmain.go" | "_cgo_gotypes.go" | "??")
        {
            return Some(Found::Elsewhere(Origin::Generated));
        }
        let mapped = self
            .path_map
            .iter()
            .find_map(|(from, to)| self.mapped(recorded, from, to));
        if let Some(path) = mapped {
            return Some(Found::File(path.into()));
        }
        let name = FunctionName::parse(function);
        let package = name.as_ref().map(FunctionName::import_path);
        if !is_absolute(recorded) {
            if let Some(found) = self.by_module_path(recorded) {
                return Some(found);
            }
        } else if is_dependency(recorded) {
            return Some(Found::Elsewhere(Origin::Dependency));
        }
        // A literal of an inlined function is called after the package that it was inlined into.
        let package = package.filter(|_| name.as_ref().is_some_and(|name| !name.inlined))?;
        if package == "main" {
            return None;
        }
        if let Some(dir) = self.package_dir(package) {
            let path = format!("{dir}/{base}");
            return self
                .workspace
                .is_file(&path)
                .then(|| Found::File(path.into()));
        }
        // A module that the workspace does not know may be it under another name.
        let standard = recorded.ends_with(&format!("/src/{package}/{base}"))
            // `time.Sleep` is a function of the runtime.
            || recorded.ends_with(&format!("/src/runtime/{base}"));
        (standard && !package.split('/').next()?.contains('.'))
            .then_some(Found::Elsewhere(Origin::Standard))
    }

    /// `module/path/rel`, `module@version/rel` and `runtime/proc.go`, as `-trimpath` records them.
    fn by_module_path(&self, recorded: &str) -> Option<Found> {
        let (plain, versioned) = match recorded.split_once('@') {
            Some((module, rest)) => {
                let rel = rest.split_once('/').map_or("", |(_, rel)| rel);
                (format!("{module}/{rel}"), true)
            }
            None => (recorded.to_owned(), false),
        };
        let inside = self.package_dir(&plain);
        if let Some(path) = inside.as_ref().filter(|path| self.workspace.is_file(path)) {
            return Some(Found::File(path.as_str().into()));
        }
        if versioned {
            return Some(Found::Elsewhere(Origin::Dependency));
        }
        // Only the standard library's packages have no dot in their first element, apart from modules that nobody can fetch.
        // Bazel's `external/…` is neither.
        let (first, _) = plain.split_once('/')?;
        (!first.contains('.') && first != "external" && inside.is_none())
            .then_some(Found::Elsewhere(Origin::Standard))
    }

    /// The folder of a package of the workspace, or the path of a file below a module's path.
    fn package_dir(&self, import_path: &str) -> Option<String> {
        self.modules.iter().find_map(|module| {
            let rest = import_path.strip_prefix(&*module.path)?;
            (rest.is_empty() || rest.starts_with('/')).then(|| format!("{}{rest}", module.dir))
        })
    }

    fn mapped(&self, recorded: &str, from: &str, to: &str) -> Option<String> {
        let rest = recorded.strip_prefix(from)?;
        if !from.is_empty() && !rest.starts_with('/') {
            return None;
        }
        let path = format!("{to}/{}", rest.trim_start_matches('/'));
        self.workspace.is_file(&path).then_some(path)
    }

    /// The only file that has the longest end of the path, of two parts at least, in common.
    fn by_end(&self, recorded: &str) -> Option<String> {
        let base = recorded.rsplit('/').next()?;
        let mut best = (1, None);
        for local in self.workspace.files_named(base) {
            let common = common_end(recorded, &local);
            match common.cmp(&best.0) {
                std::cmp::Ordering::Greater => best = (common, Some(local)),
                std::cmp::Ordering::Equal => best.1 = None,
                std::cmp::Ordering::Less => {}
            }
        }
        best.1
    }
}

/// With `/` on every system, without what Bazel puts before.
fn normal(recorded: &str) -> String {
    let path = recorded.replace('\\', "/");
    path.strip_prefix("/proc/self/cwd/")
        .map_or(path.clone(), str::to_owned)
}

fn is_absolute(path: &str) -> bool {
    path.starts_with('/') || path.get(1..3) == Some(":/")
}

/// In a module cache or vendored.
fn is_dependency(path: &str) -> bool {
    path.contains("/vendor/")
        || path
            .split_once("/pkg/mod/")
            .is_some_and(|(_, rest)| rest.contains('@'))
}

fn common_end(a: &str, b: &str) -> usize {
    let parts = |path: &'_ str| path.rsplit('/').map(str::to_owned).collect::<Vec<_>>();
    parts(a)
        .iter()
        .zip(&parts(b))
        .take_while(|(a, b)| a == b && !a.is_empty())
        .count()
}

/// What is left of both paths without their common end.
fn differing_prefixes(recorded: &str, local: &str) -> Option<(String, String)> {
    if !is_absolute(recorded) || recorded == local {
        return None;
    }
    let common = common_end(recorded, local);
    let prefix = |path: &str| {
        let parts: Vec<_> = path.split('/').collect();
        parts[..parts.len() - common].join("/")
    };
    Some((prefix(recorded), prefix(local)))
}

/// Pairs of recorded and local prefixes, and how many files speak for each.
#[derive(Debug, Default)]
struct Votes(FxHashMap<(String, String), usize>);

impl Votes {
    fn add(&mut self, recorded: &str, local: &str) {
        if let Some(pair) = differing_prefixes(recorded, local) {
            *self.0.entry(pair).or_default() += 1;
        }
    }

    /// The longest recorded prefix first, then the one with most votes.
    fn pairs(self) -> Vec<(String, String)> {
        let mut pairs: Vec<_> = self.0.into_iter().collect();
        pairs.sort_by(|((a, x), m), ((b, y), n)| (b.len(), n, x, a).cmp(&(a.len(), m, y, b)));
        pairs.into_iter().map(|(pair, _)| pair).collect()
    }
}

/// What is known about a file of the workspace.
#[derive(Debug)]
struct FileState {
    outline: Option<Arc<Outline>>,
    changed: bool,
    /// By how many lines a declared function moved since the profile.
    shifts: FxHashMap<String, i64>,
}

/// Whether a frame's function is where it was recorded.
fn is_unmoved(outline: &Outline, function: &str, frame: Frame) -> bool {
    let Some(name) = FunctionName::parse(function) else {
        return false;
    };
    let declared = name.declared();
    candidates(outline, Some(&name), Some(&declared))
        .iter()
        .any(|function| {
            if !name.literal {
                let start = frame.start_line == 0 || frame.start_line == function.start_line;
                return function.contains(frame.line) && start;
            }
            let starts = |literal: &Literal| literal.start_line == frame.start_line;
            (function.contains(frame.line) && frame.start_line == 0)
                || function
                    .literals
                    .iter()
                    .any(|l| l.contains(frame.line) && starts(l))
        })
}

/// Declared functions say by how much they moved; the literals in them moved as well.
fn learn_shifts(
    profile: &Profile,
    files: &FxHashMap<(Str, Str), Found>,
    outlines: &mut FxHashMap<Arc<str>, FileState>,
) {
    for frame in profile.frames.iter().filter(|frame| frame.start_line > 0) {
        let Found::File(path) = &files[&(frame.file, frame.function)] else {
            continue;
        };
        let Some(name) = FunctionName::parse(profile.text(frame.function)) else {
            continue;
        };
        let Some(state) = outlines.get_mut(path).filter(|_| !name.literal) else {
            continue;
        };
        let declared = name.declared();
        let Some(function) = state
            .outline
            .as_ref()
            .and_then(|outline| only(outline.functions.iter().filter(|f| f.name == declared)))
        else {
            continue;
        };
        let shift = i64::from(function.start_line) - i64::from(frame.start_line);
        state.shifts.insert(declared, shift);
    }
}

fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next()?;
    items.next().is_none().then_some(first)
}

fn shifted(line: u32, by: i64) -> u32 {
    u32::try_from(i64::from(line) + by).unwrap_or(0)
}

/// The line of a frame in its file; `None` if the function is not there any more.
fn place(
    path: &Arc<str>,
    state: &FileState,
    name: Option<&FunctionName>,
    frame: Frame,
) -> Option<Place> {
    let place = |line: u32, anchor, span, go_line| Place {
        path: path.clone(),
        line: line.max(1),
        anchor,
        changed: state.changed,
        span,
        go_line,
    };
    let Some(outline) = &state.outline else {
        return Some(place(frame.line, Anchor::Unchecked, None, None));
    };
    let in_function =
        |f: &Function, line, anchor| place(line, anchor, Some((f.start_line, f.end_line)), None);
    let in_literal =
        |l: Literal, line, anchor| place(line, anchor, Some((l.start_line, l.end_line)), l.go_line);
    let declared = name.map(FunctionName::declared);
    let named = candidates(outline, name, declared.as_deref());
    if name.is_some_and(|name| !name.literal) {
        if let Some((line, anchor, function)) = in_declared(&named, frame) {
            return Some(in_function(function, line, anchor));
        }
        return None;
    }
    let literals = named.iter().flat_map(|f| f.literals.iter().copied());
    let shift = declared.and_then(|name| state.shifts.get(&name).copied());
    if let Some((line, anchor, literal)) = in_some_literal(literals, frame, shift) {
        return Some(in_literal(literal, line, anchor));
    }
    // Names of literals are no good where the literal was inlined.
    let all = outline.functions.iter().flat_map(|f| &f.literals);
    let same = |l: &&Literal| l.start_line == frame.start_line && l.contains(frame.line);
    if let Some(literal) = all.clone().find(same) {
        return Some(in_literal(*literal, frame.line, Anchor::Exact));
    }
    let around = named.iter().find(|f| f.contains(frame.line));
    if let Some(function) = around.filter(|_| frame.start_line == 0) {
        let innermost = function
            .literals
            .iter()
            .filter(|literal| literal.contains(frame.line))
            .max_by_key(|literal| literal.start_line);
        return Some(match innermost {
            Some(literal) => in_literal(*literal, frame.line, Anchor::Exact),
            None => in_function(function, frame.line, Anchor::Exact),
        });
    }
    only(named.iter().copied()).map(|f| in_function(f, f.start_line, Anchor::Function))
}

/// The functions of the file that a frame may be in.
fn candidates<'o>(
    outline: &'o Outline,
    name: Option<&FunctionName>,
    declared: Option<&str>,
) -> Vec<&'o Function> {
    let with_name = |wanted: &str| -> Vec<&'o Function> {
        let same = |f: &&Function| f.name == wanted;
        outline.functions.iter().filter(same).collect()
    };
    let (Some(name), Some(declared)) = (name, declared) else {
        return Vec::new();
    };
    let mut found = with_name(declared);
    if found.is_empty() && name.receiver.is_some() {
        // `Outer.Inner` of an inlined function looks like a method.
        found = with_name(&name.name);
    }
    if name.literal && matches!(&*name.name, "init" | "glob") {
        found.extend(with_name(""));
    }
    found
}

fn in_declared<'o>(named: &[&'o Function], frame: Frame) -> Option<(u32, Anchor, &'o Function)> {
    let exact = named.iter().find(|f| {
        f.contains(frame.line) && (frame.start_line == 0 || f.start_line == frame.start_line)
    });
    if let Some(function) = exact {
        return Some((frame.line, Anchor::Exact, function));
    }
    let function = only(named.iter().copied())?;
    let shift = i64::from(function.start_line) - i64::from(frame.start_line);
    let line = shifted(frame.line, shift);
    if frame.start_line > 0 && function.contains(line) {
        return Some((line, Anchor::Moved, function));
    }
    Some((function.start_line, Anchor::Function, function))
}

fn in_some_literal(
    literals: impl Iterator<Item = Literal> + Clone,
    frame: Frame,
    shift: Option<i64>,
) -> Option<(u32, Anchor, Literal)> {
    if frame.start_line == 0 {
        return None;
    }
    let at = |by: i64| {
        let (start, line) = (shifted(frame.start_line, by), shifted(frame.line, by));
        let found = literals
            .clone()
            .find(move |l| l.start_line == start && l.contains(line));
        found.map(|literal| (line, literal))
    };
    // A function that moved as a whole says where its literals are.
    match shift {
        Some(0) | None => {
            if let Some((line, literal)) = at(0) {
                return Some((line, Anchor::Exact, literal));
            }
        }
        Some(by) => {
            if let Some((line, literal)) = at(by) {
                return Some((line, Anchor::Moved, literal));
            }
        }
    }
    let moved = literals.filter_map(|literal| {
        let by = i64::from(literal.start_line) - i64::from(frame.start_line);
        let line = shifted(frame.line, by);
        literal.contains(line).then_some((line, literal))
    });
    only(moved).map(|(line, literal)| (line, Anchor::Moved, literal))
}
