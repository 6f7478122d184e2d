//! Evidence from running programs in a workspace, for the command line and the server: reading it, the code that it is placed in, and
//! the words for it.
//!
//! Architecture invariant: only what the user names is asked for over the network, and only on this machine unless the user says
//! otherwise.

pub mod code;
pub mod fetch;
pub mod flame;
pub mod input;
pub mod moved;
pub mod words;

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use leak_evidence::{Family, Finding, Growth, Resolver, Series, Weights, read, weigh};
use leak_rules::Diagnostic;

pub use self::code::Code;
use self::flame::Tree;

/// A profile with its name.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Where it comes from.
    pub source: String,
    /// What it shows on the lines.
    pub weights: Weights,
    /// All its stacks; only if somebody draws them.
    pub tree: Option<Tree>,
}

/// What one kind of profile shows: the last one, and what came before.
#[derive(Debug)]
pub struct Group {
    /// Where the last one comes from.
    pub source: String,
    /// What the last one shows.
    pub weights: Weights,
    /// What it is compared with, and how it grew since.
    pub base: Option<(String, Growth)>,
    /// If there are several.
    pub series: Option<Series>,
    /// The stacks of the last one, or what they have more than those of the base.
    pub tree: Option<Tree>,
}

/// Reads what is in an input and places it.
///
/// # Errors
/// There is no evidence in it.
pub fn load(
    source: &str,
    reader: impl Read,
    code: &Code,
    path_map: &[(String, String)],
    stacks: bool,
) -> Result<Vec<Loaded>, leak_evidence::Error> {
    let resolver = Resolver::new(code, path_map);
    let place = |profile: &leak_evidence::Profile| {
        let resolution = resolver.resolve(profile);
        let mut weights = weigh(profile, &resolution);
        weights.forgive_timers(code);
        Loaded {
            source: source.to_owned(),
            weights,
            tree: stacks.then(|| Tree::of(profile, &resolution)),
        }
    };
    Ok(read(reader)?.iter().map(place).collect())
}

/// The pairs of `--map`.
///
/// # Errors
/// One is not a pair.
pub fn path_map(given: &[String]) -> Result<Vec<(String, String)>, String> {
    let pair = |text: &String| {
        let (from, to) = text
            .split_once('=')
            .filter(|(from, _)| !from.is_empty())
            .ok_or_else(|| format!("`{text}` should be RECORDED=LOCAL"))?;
        let local = go_model::db::normalize(Path::new(to));
        Ok((from.to_owned(), code::with_slashes(&local)))
    };
    given.iter().map(pair).collect()
}

/// Puts profiles of the same kind together, in the order in which they were taken, and compares the last one with its base, or else with
/// the first one.
pub fn groups(loaded: Vec<Loaded>, base: &[Loaded]) -> Vec<Group> {
    let mut kinds: Vec<Vec<Loaded>> = Vec::new();
    for next in loaded {
        match kinds.iter_mut().find(|known| same(&known[0], &next)) {
            Some(known) => known.push(next),
            None => kinds.push(vec![next]),
        }
    }
    kinds
        .into_iter()
        .filter_map(|series| group(series, base))
        .collect()
}

/// They count the same.
pub fn same(a: &Loaded, b: &Loaded) -> bool {
    a.weights.kind == b.weights.kind && a.weights.types == b.weights.types
}

fn group(mut series: Vec<Loaded>, base: &[Loaded]) -> Option<Group> {
    if series.iter().all(|one| one.weights.time.is_some()) {
        series.sort_by_key(|one| one.weights.time);
    }
    let all: Vec<_> = series.iter().map(|one| &one.weights).collect();
    let over_time = (all.len() > 1).then(|| Series::of(&all));
    let last = series.pop()?;
    let base = base
        .iter()
        .filter(|base| base.weights.kind == last.weights.kind)
        .chain(series.first())
        .find_map(|base| {
            let growth = Growth::between(&base.weights, &last.weights)?;
            Some((base, growth))
        });
    let tree = last.tree.map(|tree| match &base {
        Some((
            Loaded {
                tree: Some(before), ..
            },
            growth,
        )) if growth.in_order != Some(false) => tree.since(before),
        _ => tree,
    });
    Some(Group {
        source: last.source,
        weights: last.weights,
        base: base.map(|(base, growth)| (base.source.clone(), growth)),
        series: over_time,
        tree,
    })
}

/// A finding by its lines. `text` is that of its file, `other` gives those of other files that its path leads through.
pub fn finding(
    path: &Path,
    text: &str,
    found: &Diagnostic,
    other: impl Fn(&Path) -> Option<Arc<str>>,
) -> Finding {
    let (start, end): (usize, usize) = (found.range.start().into(), found.range.end().into());
    let related = found.related.iter().filter_map(|step| {
        let at = step.range.start().into();
        let line = match step.file.as_deref() {
            Some(file) if file != path => line_of(&other(file)?, at),
            _ => line_of(text, at),
        };
        let file = step.file.as_deref().map_or(path, |file| file.as_path());
        Some((code::with_slashes(file), line))
    });
    Finding {
        rule: found.rule.to_owned(),
        family: family(found.rule),
        path: code::with_slashes(path),
        // The last line is that of the last byte.
        lines: (
            line_of(text, start),
            line_of(text, start.max(end.saturating_sub(1))),
        ),
        related: related.collect(),
    }
}

fn family(rule: &str) -> Family {
    match leak_rules::rule(rule).map(|rule| rule.family) {
        Some(leak_rules::Family::Goroutines) => Family::Goroutines,
        Some(leak_rules::Family::Memory) => Family::Memory,
        Some(leak_rules::Family::Resources) | None => Family::Resources,
    }
}

/// The line of an offset, from 1. Lines end with `\n`, as Go counts them.
pub fn line_of(text: &str, offset: usize) -> u32 {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    u32::try_from(line).unwrap_or(u32::MAX)
}
