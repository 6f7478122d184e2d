//! Lines with their source, heaviest first.

use std::io::{self, Write};
use std::path::Path;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group as Frame, Level as Title, Renderer, Snippet};
use leak_evidence::{Level, LineRef};

use crate::cli::ProfileArgs;
use crate::evidence::words::{amount, display, unit};
use crate::evidence::{Code, Group, Shown};
use crate::output::{self, rule_url};
use crate::{files, terminal};

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
        let lines = shown.lines(profile, args.all);
        for at in lines.iter().take(args.top) {
            let frame = render(shown, *at, &base, links, &renderer, code);
            writeln!(out, "{frame}\n")?;
        }
        let left = lines.len().saturating_sub(args.top);
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
    write_findings(out, shown, args, &base)
}

/// What the findings and the lines without any come to.
fn write_findings(
    out: &mut impl Write,
    shown: &Shown,
    args: &ProfileArgs,
    base: &Path,
) -> io::Result<()> {
    if args.evidence.no_check {
        return Ok(());
    }
    let (confirmed, suspected) = (shown.join.confirmed.len(), shown.join.suspected.len());
    let alone = shown.join.runtime_only.len();
    if confirmed + suspected + alone > 0 {
        writeln!(
            out,
            "{} confirmed, {suspected} not, in the files of these profiles; {} with evidence and no finding",
            terminal::count(confirmed, "finding"),
            terminal::count(alone, "line"),
        )?;
    }
    for joined in shown.join.suspected.iter().take(args.top) {
        if let Some((_, found)) = shown.diagnostic(joined.finding) {
            let place = &shown.findings.lines[joined.finding];
            writeln!(
                out,
                "  not confirmed: {}: {} [{}]",
                display(&place.path, place.lines.0, base),
                found.message,
                found.rule
            )?;
        }
    }
    if suspected > 0 {
        writeln!(
            out,
            "  That proves nothing: the program may just not have run that code."
        )?;
    }
    Ok(())
}

fn render(
    shown: &Shown,
    at: LineRef,
    base: &Path,
    links: bool,
    renderer: &Renderer,
    code: &Code,
) -> String {
    let weights = &shown.groups[at.profile].weights;
    let line = &weights.lines[at.line];
    let words = shown.words(at, base);
    let text = code.text(&line.place.path);
    let number = line.place.line as usize;
    let source = text
        .split('\n')
        .nth(number.saturating_sub(1))
        .unwrap_or_default();
    let source = source.trim_end();
    let start = source.len() - source.trim_start().len();
    let title = match shown.level(at) {
        Some(Level::Warning) => Title::WARNING,
        Some(Level::Information) => Title::INFO.with_name("information"),
        None => Title::NOTE,
    };
    let mut frame = Frame::with_title(title.primary_title(words.title()).id(weights.kind.name()));
    let mark = AnnotationKind::Primary
        .span(start..source.len().max(start))
        .label(words.label());
    frame = frame.element(
        Snippet::source(source)
            .line_start(number)
            .path(files::display(Path::new(&*line.place.path), base))
            .annotation(mark),
    );
    let findings = shown.finding_notes(at, base, |rule| match links {
        true => format!(", {}", rule_url(rule)),
        false => String::new(),
    });
    for note in findings.into_iter().chain(words.notes()) {
        frame = frame.element(Title::NOTE.message(note));
    }
    renderer.render(&[frame])
}

/// What a profile holds, in a sentence.
pub fn summary(group: &Group) -> String {
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
