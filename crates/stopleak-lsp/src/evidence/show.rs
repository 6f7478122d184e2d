//! Evidence in an open document: what it does to findings, code lenses, hovers.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use go_model::db::{Database, SourceFile};
use leak_evidence::{Finding, Kind, Level, LineRef, Origin, Outline, Stack, Strength, strength};
use leak_rules::{Diagnostic, Severity};
use stopleak_evidence::moved::{Moved, Now};
use stopleak_evidence::words::{Share, Words, age, amount, display, summary, unit};
use stopleak_evidence::{code, finding as by_lines, line_of};
use tower_lsp::ls_types::{CodeLens, Command, Position, Range};

use super::{Evidence, SHOW_COMMAND, View, moved};
use crate::analysis::{Findings, Subject};

/// Frames of a stack that are shown.
const FRAMES: usize = 8;
/// Stacks of a line that are shown.
const STACKS: usize = 3;
/// Lenses on one line.
const LENSES: usize = 3;

/// What the running program says about a finding.
#[derive(Debug, Clone)]
pub(crate) struct Proof {
    /// Lines that are evidence for it, strongest first.
    pub(crate) support: Vec<(LineRef, Strength)>,
    /// The level of the strongest.
    level: Option<Level>,
    /// What it shows there.
    pub(crate) title: String,
    /// Whether findings become more severe by it.
    raises: bool,
}

impl Proof {
    /// The severity of a finding with this proof.
    pub(crate) fn severity(&self, own: Severity) -> Severity {
        match self.level {
            Some(Level::Warning) if self.raises => Severity::Warning,
            Some(Level::Information) if self.raises && own == Severity::Hint => {
                Severity::Information
            }
            _ => own,
        }
    }
}

/// For each finding of a document what confirms it; none at all if nothing is loaded.
pub(crate) fn proofs(db: &Database, subject: &Subject, found: &Findings) -> Vec<Option<Proof>> {
    let Some(evidence) = &subject.evidence else {
        return Vec::new();
    };
    let mut past = Past {
        db,
        evidence,
        files: HashMap::new(),
    };
    let other = |path: &Path| Some(db.file(path)?.text(db));
    found
        .findings
        .iter()
        .map(|finding| {
            let finding = by_lines(&subject.path, &found.text.text, finding, other);
            let finding = past.of(finding)?;
            proof(evidence, &finding)
        })
        .collect()
}

/// Findings in the texts in which evidence was placed.
struct Past<'a> {
    db: &'a Database,
    evidence: &'a Evidence,
    files: HashMap<String, Option<Moved>>,
}

impl Past<'_> {
    fn before(&mut self, path: &str, line: u32) -> Option<u32> {
        let (db, evidence) = (self.db, self.evidence);
        let moves = self.files.entry(path.to_owned()).or_insert_with(|| {
            let file = evidence.files.get(path)?;
            let path = PathBuf::from(path);
            moved(db, &path, &db.file(&path)?.text(db), &file.placed)
        });
        match moves {
            None => Some(line),
            Some(moves) => moves.before(line),
        }
    }

    /// `None` if there is no evidence in any of its files.
    fn of(&mut self, finding: Finding) -> Option<Finding> {
        let files = &self.evidence.files;
        let related = finding.related.iter().map(|(path, _)| path);
        if !std::iter::once(&finding.path)
            .chain(related)
            .any(|path| files.contains_key(path))
        {
            return None;
        }
        let (first, last) = finding.lines;
        let lines = (first..=last)
            .filter_map(|line| self.before(&finding.path, line))
            .fold(None, |span, line| match span {
                None => Some((line, line)),
                Some((from, to)) => Some((line.min(from), line.max(to))),
            });
        let related = finding.related.into_iter().filter_map(|(path, line)| {
            let line = self.before(&path, line)?;
            Some((path, line))
        });
        let related = related.collect();
        Some(Finding {
            lines: lines.unwrap_or_default(),
            related,
            ..finding
        })
    }
}

fn proof(evidence: &Evidence, finding: &Finding) -> Option<Proof> {
    let paths = std::iter::once(&finding.path).chain(finding.related.iter().map(|(path, _)| path));
    let mut near: Vec<LineRef> = paths
        .filter_map(|path| evidence.files.get(path))
        .flat_map(|file| file.lines.iter().chain(&file.started))
        .copied()
        .collect();
    near.sort_by_key(|at| (at.profile, at.line));
    near.dedup();
    let mut support: Vec<(LineRef, Strength)> = near
        .into_iter()
        .filter_map(|at| {
            let strength = strength(
                finding,
                &evidence.weighed(at),
                at.line,
                &evidence.thresholds,
            )?;
            Some((at, strength))
        })
        .collect();
    support.sort_by_key(|(at, strength)| (std::cmp::Reverse(*strength), at.profile, at.line));
    let (at, strongest) = *support.first()?;
    if strongest < Strength::Strong {
        return None;
    }
    let level = support.iter().map(|(at, _)| evidence.level(*at)).max();
    Some(Proof {
        level: level.flatten(),
        title: words(evidence, at).title(),
        raises: evidence.settings.raise_severity,
        support,
    })
}

/// What is worth saying about lines of a document that a profile shows to be hot, with their share.
pub(crate) fn hints(
    db: &Database,
    subject: &Subject,
    source: SourceFile,
    text: &Arc<str>,
) -> Vec<Diagnostic> {
    let Some(evidence) = subject.evidence.as_deref() else {
        return Vec::new();
    };
    let Some(view) = evidence.view(db, &subject.path, text) else {
        return Vec::new();
    };
    let hot: Vec<(u32, Share)> = view
        .lines(evidence)
        .filter_map(|(at, now)| match now {
            Now::Line(line) => {
                let weights = &evidence.groups[at.profile].weights;
                Some((line, Share::of(weights, &weights.lines[at.line])?))
            }
            Now::Function(_) => None,
        })
        .collect();
    if hot.is_empty() {
        return Vec::new();
    }
    let on = |line: u32| hot.iter().filter(move |(at, _)| *at == line);
    leak_rules::allocation_hints(db, source)
        .into_iter()
        .filter_map(|mut hint| {
            let line = line_of(text, hint.range.start().into());
            let (_, share) = on(line).max_by_key(|(_, share)| share.percent)?;
            hint.message.push_str(&format!(" ({})", share.text()));
            Some(hint)
        })
        .collect()
}

/// What is said about a line.
pub(super) fn words(evidence: &Evidence, at: LineRef) -> Words<'_> {
    Words::new(&evidence.groups[at.profile], at.line, &evidence.root)
}

/// The lines of a document that are shown, with where they are now, in the order of their weight.
pub(super) fn shown(evidence: &Evidence, view: &View<'_>) -> Vec<(LineRef, Now)> {
    let mut lines: Vec<_> = view
        .lines(evidence)
        .filter(|(at, _)| evidence.is_shown(*at))
        .collect();
    lines.sort_by_key(|(at, _)| evidence.rank(*at));
    let leaked: Vec<(u32, i64)> = lines
        .iter()
        .filter(|(at, _)| evidence.groups[at.profile].weights.kind == Kind::GoroutineLeak)
        .map(|(at, now)| (now.line(), evidence.weight(*at)))
        .collect();
    // The same goroutines, said again by a profile that knows less.
    lines.retain(|(at, now)| {
        let again =
            |(line, weight): &(u32, i64)| *line == now.line() && evidence.weight(*at) <= *weight;
        evidence.groups[at.profile].weights.kind != Kind::Goroutine || !leaked.iter().any(again)
    });
    lines
}

/// Code lenses: the heaviest lines, and for each function what its lines add up to.
pub(crate) fn lenses(db: &Database, subject: &Subject) -> Vec<CodeLens> {
    let Some(evidence) = subject.evidence.as_deref().filter(|all| all.shown) else {
        return Vec::new();
    };
    let Some(file) = db.file(&subject.path) else {
        return Vec::new();
    };
    let text = file.text(db);
    let Some(view) = evidence.view(db, &subject.path, &text) else {
        return Vec::new();
    };
    let mut lines = shown(evidence, &view);
    lines.truncate(evidence.settings.max_lenses as usize);
    let outline = code::outline(db, &subject.path);
    let mut lenses: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for (header, sum) in sums(evidence, &outline, &lines) {
        lenses.entry(header).or_default().push(sum);
    }
    for (at, now) in &lines {
        let on_line = lenses.entry(now.line()).or_default();
        if on_line.len() < LENSES {
            on_line.push(lens_title(evidence, *at, *now));
        }
    }
    let lens = |line: u32, title: String| {
        let line = line.saturating_sub(1);
        let position = Position::new(line, 0);
        CodeLens {
            range: Range::new(position, position),
            command: Some(Command {
                title,
                command: SHOW_COMMAND.to_owned(),
                arguments: Some(vec![subject.uri.as_str().into(), line.into()]),
            }),
            data: None,
        }
    };
    lenses
        .into_iter()
        .flat_map(|(line, titles)| titles.into_iter().map(move |title| (line, title)))
        .map(|(line, title)| lens(line, title))
        .collect()
}

fn lens_title(evidence: &Evidence, at: LineRef, now: Now) -> String {
    let words = words(evidence, at);
    let mut title = words.title();
    if let Some(by) = words.growth().filter(|by| *by != 0) {
        let group = &evidence.groups[at.profile];
        let change = stopleak_evidence::words::change(by, unit(&group.weights));
        title.push_str(&format!(", {change}"));
    }
    if matches!(now, Now::Function(_)) {
        title.push_str(" (the line was edited since)");
    }
    title
}

/// What the shown lines of each function add up to, by the line where it begins. A line that is its own header is enough.
fn sums(evidence: &Evidence, outline: &Outline, lines: &[(LineRef, Now)]) -> Vec<(u32, String)> {
    let functions = outline.functions.iter().filter(|it| !it.name.is_empty());
    functions
        .filter_map(|function| {
            let inside: Vec<_> = lines
                .iter()
                .filter(|(_, now)| (function.start_line..=function.end_line).contains(&now.line()))
                .collect();
            let header = |now: &Now| now.line() == function.start_line;
            if inside.is_empty() || inside.iter().any(|(_, now)| header(now)) {
                return None;
            }
            let mut parts: BTreeMap<usize, i64> = BTreeMap::new();
            for (at, _) in &inside {
                *parts.entry(at.profile).or_default() += evidence.weight(*at);
            }
            let parts: Vec<_> = parts
                .into_iter()
                .map(|(profile, sum)| {
                    let weights = &evidence.groups[profile].weights;
                    summary(&weights.kind, sum, unit(weights))
                })
                .collect();
            Some((function.start_line, format!("in it: {}", parts.join(", "))))
        })
        .collect()
}

/// What is known about a line, as Markdown.
pub(crate) fn hover(
    db: &Database,
    subject: &Subject,
    found: &Findings,
    position: Position,
) -> Option<String> {
    let evidence = subject.evidence.as_deref()?;
    let view = evidence.view(db, &subject.path, &found.text.text)?;
    let line = position.line + 1;
    let mut here: Vec<LineRef> = view
        .lines(evidence)
        .filter(|(at, now)| now.line() == line && evidence.weight(*at) > 0)
        .map(|(at, _)| at)
        .collect();
    here.sort_by_key(|at| evidence.rank(*at));
    let mut parts: Vec<String> = here.iter().map(|at| about(evidence, *at)).collect();
    if parts.is_empty() {
        parts.extend(about_function(db, subject, evidence, &view, line));
    }
    (!parts.is_empty()).then(|| parts.join("\n---\n"))
}

/// The lines of the function that begins on a line.
fn about_function(
    db: &Database,
    subject: &Subject,
    evidence: &Evidence,
    view: &View<'_>,
    line: u32,
) -> Option<String> {
    let outline = code::outline(db, &subject.path);
    let function = outline
        .functions
        .iter()
        .find(|function| !function.name.is_empty() && function.start_line == line)?;
    let mut inside: Vec<_> = shown(evidence, view)
        .into_iter()
        .filter(|(_, now)| (function.start_line..=function.end_line).contains(&now.line()))
        .collect();
    inside.sort_by_key(|(_, now)| now.line());
    let lines: Vec<String> = inside
        .iter()
        .map(|(at, now)| format!("- line {}: {}", now.line(), words(evidence, *at).title()))
        .collect();
    (!lines.is_empty()).then(|| format!("In `{}`:\n\n{}\n", function.name, lines.join("\n")))
}

fn about(evidence: &Evidence, at: LineRef) -> String {
    let words = words(evidence, at);
    let group = &evidence.groups[at.profile];
    let weights = &group.weights;
    let mut out = format!("**{}**", words.title());
    let label = words.label();
    if !label.is_empty() {
        out.push_str(&format!(": {label}"));
    }
    out.push_str("\n\n");
    for note in words.notes() {
        out.push_str(&format!("- {note}\n"));
    }
    let stacks = &weights.lines[at.line].stacks;
    for stack in stacks.iter().take(STACKS) {
        let value = stack.values.get(weights.main_type).copied().unwrap_or(0);
        out.push_str(&format!(
            "\n{}:\n```\n{}```\n",
            summary(&weights.kind, value, unit(weights)),
            frames(evidence, stack)
        ));
    }
    if stacks.len() > STACKS {
        out.push_str(&format!("\n{} more stacks\n", stacks.len() - STACKS));
    }
    let source = Path::new(&group.source)
        .file_name()
        .filter(|_| !group.source.contains("://"))
        .map_or_else(
            || group.source.clone(),
            |name| name.to_string_lossy().into_owned(),
        );
    let taken = weights.time.map_or_else(String::new, |time| {
        format!(", taken {}", age(time, SystemTime::now()))
    });
    out.push_str(&format!("\n*{source}{taken}*\n"));
    if let Some(cut) = weights.truncated {
        out.push_str(&format!("\n{cut}: numbers are lower bounds\n"));
    }
    out
}

/// The frames of a stack; what the standard library does in between is left out.
fn frames(evidence: &Evidence, stack: &Stack) -> String {
    let own = stack
        .frames
        .iter()
        .filter(|frame| !matches!(frame.origin, Origin::Standard | Origin::Generated));
    let mut out = String::new();
    for frame in own.clone().take(FRAMES) {
        let place = display(&frame.path, frame.line, &evidence.root);
        let function = frame.function.rsplit('/').next().unwrap_or_default();
        out.push_str(&format!("{function}  {place}\n"));
    }
    if own.count() > FRAMES {
        out.push_str("…\n");
    }
    out
}

/// A weight with its unit.
pub(super) fn weight_text(evidence: &Evidence, at: LineRef) -> String {
    amount(
        evidence.weight(at),
        unit(&evidence.groups[at.profile].weights),
    )
}
