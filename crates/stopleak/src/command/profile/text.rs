//! Evidence for people: source frames, heaviest lines first.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group as Frame, Level as Title, Renderer, Snippet};
use leak_evidence::{
    Anchor, GoroutineCounts, Kind, Level, Line, LineRef, Operation, Origin, Strength, Weights,
};

use super::code::Code;
use super::{Group, Shown};
use crate::cli::ProfileArgs;
use crate::output::{self, rule_url, severity_name};
use crate::{files, terminal};

/// So many of a list are named.
const NAMED: usize = 3;

/// Writes all profiles.
pub fn write(
    out: &mut impl Write,
    shown: &Shown,
    code: &Code,
    args: &ProfileArgs,
    links: bool,
) -> io::Result<()> {
    let base = output::base();
    let renderer = Renderer::styled().decor_style(DecorStyle::Ascii);
    for (profile, group) in shown.groups.iter().enumerate() {
        let mut left = 0;
        let mut written = 0;
        for line in 0..group.weights.lines.len() {
            let at = LineRef { profile, line };
            if !is_shown(shown, at, args.all) {
                continue;
            }
            if written >= args.top {
                left += 1;
                continue;
            }
            written += 1;
            let writer = LineWriter {
                shown,
                group,
                at,
                base: &base,
                links,
            };
            writeln!(out, "{}\n", writer.render(&renderer, code))?;
        }
        if left > 0 {
            writeln!(
                out,
                "… and {} (--top shows more)\n",
                terminal::count(left, "more line")
            )?;
        }
        writeln!(out, "{}", summary(group))?;
        if let Some(lost) = group.weights.unplaced.first() {
            let value = lost
                .values
                .get(group.weights.main_type)
                .copied()
                .unwrap_or(0);
            terminal::note(&format!(
                "{} not found in the code, the heaviest {}:{} in {} ({}); --map may help",
                terminal::count(group.weights.unplaced.len(), "place"),
                lost.file,
                lost.line,
                lost.function,
                amount(value, unit(&group.weights)),
            ));
        }
    }
    let confirmed = shown.join.confirmed.len();
    let suspected = shown.join.suspected.len();
    if confirmed + suspected > 0 {
        writeln!(
            out,
            "{} confirmed, {} not, in the files of these profiles",
            terminal::count(confirmed, "finding"),
            suspected
        )?;
    }
    Ok(())
}

/// Lines that deserve it, and those with findings. Kinds without thresholds have been asked for by name.
fn is_shown(shown: &Shown, at: LineRef, all: bool) -> bool {
    let weights = &shown.groups[at.profile].weights;
    let line = &weights.lines[at.line];
    if weights.weight(line) == 0 {
        return false;
    }
    all || matches!(weights.kind, Kind::Allocs | Kind::Other(_))
        || shown.level(at).is_some()
        || shown
            .findings_on(at)
            .any(|(_, strength)| strength >= Strength::Strong)
}

struct LineWriter<'a> {
    shown: &'a Shown,
    group: &'a Group,
    at: LineRef,
    base: &'a Path,
    links: bool,
}

impl LineWriter<'_> {
    fn line(&self) -> &Line {
        &self.group.weights.lines[self.at.line]
    }

    fn display(&self, path: &str, line: u32) -> String {
        format!("{}:{line}", files::display(Path::new(path), self.base))
    }

    fn render(&self, renderer: &Renderer, code: &Code) -> String {
        let line = self.line();
        let text = code.text(&line.place.path);
        let number = line.place.line as usize;
        let source = text.split('\n').nth(number - 1).unwrap_or_default();
        let source = source.trim_end();
        let start = source.len() - source.trim_start().len();
        let display = files::display(Path::new(&*line.place.path), self.base);
        let title = match self.shown.level(self.at) {
            Some(Level::Warning) => Title::WARNING,
            Some(Level::Information) => Title::INFO.with_name("information"),
            None => Title::NOTE,
        };
        let mut frame = Frame::with_title(
            title
                .primary_title(title_of(&self.group.weights, line))
                .id(self.group.weights.kind.name()),
        );
        let mark = AnnotationKind::Primary
            .span(start..source.len().max(start))
            .label(self.label());
        frame = frame.element(
            Snippet::source(source)
                .line_start(number)
                .path(display)
                .annotation(mark),
        );
        for note in self.notes() {
            frame = frame.element(Title::NOTE.message(note));
        }
        renderer.render(&[frame])
    }

    /// The share, and what was added since the base.
    fn label(&self) -> String {
        let weights = &self.group.weights;
        let line = self.line();
        let mut parts = Vec::new();
        let total = weights.total();
        let weight = weights.weight(line);
        if total > 0 && weight > 0 {
            parts.push(format!(
                "{:.0} % of all",
                weight as f64 * 100.0 / total as f64
            ));
        }
        if let Some((_, growth)) = &self.group.base {
            let by = growth.of(&line.place.path, line.place.line, weights.main_type);
            let amount = amount(by.saturating_abs(), unit(weights));
            parts.push(match by {
                0 => "no more than before".to_owned(),
                1.. => format!("+{amount} since the base"),
                _ => format!("{amount} freed since the base"),
            });
        }
        parts.join(", ")
    }

    fn notes(&self) -> Vec<String> {
        let line = self.line();
        let mut notes = Vec::new();
        for (finding, strength) in self.shown.findings_on(self.at) {
            let Some((_, found)) = self.shown.diagnostic(finding) else {
                continue;
            };
            let at = self.display(
                &self.shown.findings[finding].path,
                self.shown.findings[finding].lines.0,
            );
            let how = match strength {
                Strength::Certain => "proves",
                Strength::Strong => "confirms",
                Strength::Seen => "fits",
            };
            let page = if self.links {
                format!(", {}", rule_url(found.rule))
            } else {
                String::new()
            };
            notes.push(format!(
                "{how} `{}` ({}) at {at}: {}{page}",
                found.rule,
                severity_name(found.severity),
                found.message
            ));
        }
        if let Some(counts) = &line.goroutines {
            notes.extend(self.goroutine_notes(counts));
        }
        notes.extend(self.callers());
        match line.place.anchor {
            Anchor::Exact | Anchor::Unchecked => {}
            Anchor::Moved => {
                notes.push("the function moved since then, and the line with it".to_owned())
            }
            Anchor::Function => {
                notes.push("the line is not known any more: this is the function".to_owned());
            }
        }
        if line.place.changed && line.place.anchor != Anchor::Exact {
            notes.push("the file changed since the profile was taken".to_owned());
        }
        notes
    }

    fn goroutine_notes(&self, counts: &GoroutineCounts) -> Vec<String> {
        let mut notes = Vec::new();
        let creators = most(&counts.creators, |(path, line)| self.display(path, *line));
        if let Some(creators) = creators {
            notes.push(format!("started at {creators}"));
        }
        let waits = counts.waits;
        let told = [
            (waits.minutes, "for up to ten minutes"),
            (waits.tens, "for up to an hour"),
            (waits.hours, "for up to a day"),
            (waits.days, "for more than a day"),
        ];
        let told: Vec<_> = told
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, how)| format!("{} {how}", digits(*count)))
            .collect();
        if !told.is_empty() {
            notes.push(format!("waiting: {}", told.join(", ")));
        }
        for (key, values) in &counts.labels {
            notes.extend(most(values, Clone::clone).map(|values| format!("{key}: {values}")));
        }
        notes
    }

    /// Where the heaviest stack comes from, in the workspace.
    fn callers(&self) -> Option<String> {
        let line = self.line();
        let stack = line.stacks.first()?;
        let here = |path: &str, at: u32| *path == *line.place.path && at == line.place.line;
        let callers: Vec<_> = stack
            .frames
            .iter()
            .filter(|frame| frame.origin == Origin::Workspace)
            .skip_while(|frame| !here(&frame.path, frame.line))
            .skip(1)
            .take(NAMED)
            .map(|frame| self.display(&frame.path, frame.line))
            .collect();
        (!callers.is_empty()).then(|| format!("called from {}", callers.join(", from ")))
    }
}

/// The first few of a list by their counts.
fn most<K: Ord>(counts: &BTreeMap<K, i64>, show: impl Fn(&K) -> String) -> Option<String> {
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let mut parts: Vec<_> = sorted
        .iter()
        .take(NAMED)
        .map(|(key, count)| format!("{} ({})", show(key), digits(**count)))
        .collect();
    if sorted.len() > NAMED {
        parts.push(format!("{} more", sorted.len() - NAMED));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn title_of(weights: &Weights, line: &Line) -> String {
    let weight = weights.weight(line);
    let shown = amount(weight, unit(weights));
    let objects = |name: &str| {
        let at = weights.types.iter().position(|ty| ty.name == name)?;
        let count = line.own.get(at).copied().filter(|count| *count != 0)?;
        Some(format!(" in {}", plural(count, "object")))
    };
    match &weights.kind {
        Kind::Goroutine | Kind::GoroutineLeak | Kind::Goleak => {
            let Some(counts) = &line.goroutines else {
                return shown;
            };
            let phrase = counts
                .operations
                .iter()
                .max_by_key(|(_, count)| **count)
                .map_or(Operation::Unknown, |(operation, _)| *operation)
                .phrase();
            let goroutines = plural(weight, "goroutine");
            match weights.kind {
                Kind::GoroutineLeak => format!("{goroutines} stuck for ever, {phrase}"),
                Kind::Goleak => format!("{goroutines} left by tests, {phrase}"),
                _ if counts.leaked > 0 => format!(
                    "{goroutines} {phrase}, {} of them for ever",
                    digits(counts.leaked)
                ),
                _ => format!("{goroutines} {phrase}"),
            }
        }
        Kind::Heap => {
            let objects = objects("inuse_objects").unwrap_or_default();
            format!("{shown}{objects} allocated here, still in use")
        }
        Kind::Allocs => {
            let objects = objects("alloc_objects").unwrap_or_default();
            format!("{shown}{objects} allocated here so far")
        }
        Kind::Open(name) => format!("{shown} of `{name}` added here and not removed"),
        Kind::ThreadCreate => format!("{} created here", plural(weight, "thread")),
        Kind::Sanitizer => {
            let objects = objects("leaked_objects").unwrap_or_default();
            format!("{shown} of C memory{objects} allocated here and lost")
        }
        Kind::Other(_) => shown,
    }
}

fn summary(group: &Group) -> String {
    let weights = &group.weights;
    let unit = unit(weights);
    let placed: i64 = weights.lines.iter().map(|line| weights.weight(line)).sum();
    let cut = if weights.truncated.is_some() {
        "at least "
    } else {
        ""
    };
    let mut out = format!(
        "{}: {} is {cut}{}, of which {} on {} of this code",
        group.source,
        weights.kind.name(),
        amount(weights.total(), unit),
        amount(placed, unit),
        terminal::count(
            weights
                .lines
                .iter()
                .filter(|line| weights.weight(line) != 0)
                .count(),
            "line"
        ),
    );
    if let Some((base, growth)) = &group.base {
        let at = |values: &[i64]| values.get(weights.main_type).copied().unwrap_or(0);
        let by = at(&growth.after).saturating_sub(at(&growth.before));
        let sign = if by < 0 { '-' } else { '+' };
        out += &format!("; {sign}{} since {base}", amount(by.saturating_abs(), unit));
    }
    if let Some(series) = &group.series {
        let growing = series.lines.iter().filter(|line| line.grows()).count();
        out += &format!(
            "; {} growing over {} profiles",
            terminal::count(growing, "line"),
            series.totals.len()
        );
    }
    out
}

fn unit(weights: &Weights) -> &str {
    weights
        .types
        .get(weights.main_type)
        .map_or("", |ty| ty.unit.as_str())
}

/// A number with its unit. Bytes are estimates from samples, so two digits of them are enough.
fn amount(value: i64, unit: &str) -> String {
    match unit {
        "bytes" => bytes_text(value),
        "nanoseconds" => format!("{:.2} s", value as f64 / 1e9),
        _ => digits(value),
    }
}

fn bytes_text(value: i64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut scaled = value as f64;
    let mut unit = 0;
    while scaled.abs() >= 999.5 && unit + 1 < units.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    if unit == 0 || scaled.abs() >= 9.95 {
        format!("{scaled:.0} {}", units[unit])
    } else {
        format!("{scaled:.1} {}", units[unit])
    }
}

fn plural(count: i64, noun: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{} {noun}{s}", digits(count))
}

/// `12,345`.
fn digits(value: i64) -> String {
    let plain = value.unsigned_abs().to_string();
    let mut out = String::new();
    for (at, digit) in plain.chars().enumerate() {
        if at > 0 && (plain.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if value < 0 { format!("-{out}") } else { out }
}

#[cfg(test)]
mod tests {
    use super::{bytes_text, digits};

    #[test]
    fn numbers_are_short() {
        assert_eq!(digits(1_234_567), "1,234,567");
        assert_eq!(digits(-1234), "-1,234");
        assert_eq!(digits(999), "999");
        assert_eq!(bytes_text(999), "999 B");
        assert_eq!(bytes_text(1536), "1.5 KiB");
        assert_eq!(bytes_text(67_108_864), "64 MiB");
        assert_eq!(bytes_text(1_060_000_000), "1.0 GiB");
    }
}
