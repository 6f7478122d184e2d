//! Source frames: what leaks, the path on which it does, and what can be done.

use std::io::{self, Write};
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};
use leak_rules::{Diagnostic, Safety, Severity};
use stopleak_config::LoadError;

use super::{Checked, Report, bytes, rule_url};

/// Steps further away than this from the ones before get a frame of their own, so that a frame is never made of a whole file.
const WINDOW_LINES: usize = 300;

/// Writes all findings.
pub fn write(out: &mut impl Write, report: &Report, links: bool) -> io::Result<()> {
    let renderer = renderer();
    for (file, finding) in report.findings() {
        let groups = groups(report, file, finding, links);
        writeln!(out, "{}\n", renderer.render(&groups))?;
    }
    Ok(())
}

fn renderer() -> Renderer {
    // Colours are stripped by the stream where they are not wanted.
    Renderer::styled().decor_style(DecorStyle::Ascii)
}

/// A place with its label, in the order of the path.
struct Step<'a> {
    display: &'a str,
    text: &'a str,
    range: Range<usize>,
    label: Option<String>,
    primary: bool,
}

fn groups<'a>(
    report: &'a Report,
    file: &'a Checked,
    finding: &'a Diagnostic,
    links: bool,
) -> Vec<Group<'a>> {
    let mut steps = vec![Step {
        display: &file.display,
        text: &file.text,
        range: bytes(finding.range, &file.text),
        label: None,
        primary: true,
    }];
    for (i, related) in finding.related.iter().enumerate() {
        let Some((display, text)) = report.file_of(file, related.file.as_ref()) else {
            continue;
        };
        let label = if finding.related.len() == 1 {
            related.message.clone()
        } else {
            format!("{}: {}", i + 1, related.message)
        };
        let range = bytes(related.range, text);
        if display == file.display && range == steps[0].range && steps[0].label.is_none() {
            steps[0].label = Some(label);
            continue;
        }
        steps.push(Step {
            display,
            text,
            range,
            label: Some(label),
            primary: false,
        });
    }

    let level = match finding.severity {
        Severity::Warning => Level::WARNING,
        Severity::Information => Level::INFO.with_name("information"),
        Severity::Hint => Level::HELP.with_name("hint"),
    };
    let mut title = level
        .primary_title(finding.message.as_str())
        .id(finding.rule);
    if links {
        title = title.id_url(rule_url(finding.rule));
    }
    let mut group = Group::with_title(title);
    for window in windows(steps) {
        group = group.element(snippet(window));
    }
    for fix in &finding.fixes {
        let how = match fix.safety {
            Safety::Safe => "--fix",
            Safety::Unsafe => "unsafe: look at it",
        };
        group = group.element(Level::HELP.message(format!("{} ({how})", fix.title)));
    }
    let url = rule_url(finding.rule);
    group = group.element(Level::NOTE.message(match leak_rules::rule(finding.rule) {
        Some(rule) => format!("`stopleak rule {}`, {url}", rule.name),
        None => url,
    }));
    vec![group]
}

/// Steps of one file that are near each other share a frame; the order of the frames is the order of their first steps.
fn windows(steps: Vec<Step<'_>>) -> Vec<Vec<Step<'_>>> {
    let mut windows: Vec<Vec<Step<'_>>> = Vec::new();
    for step in steps {
        let near = windows.iter_mut().find(|window| {
            let first = &window[0];
            first.display == step.display && {
                let (low, high) = window
                    .iter()
                    .fold((step.range.start, step.range.end), |(low, high), other| {
                        (low.min(other.range.start), high.max(other.range.end))
                    });
                step.text[low..high]
                    .bytes()
                    .filter(|byte| *byte == b'\n')
                    .count()
                    < WINDOW_LINES
            }
        });
        match near {
            Some(window) => window.push(step),
            None => windows.push(vec![step]),
        }
    }
    windows
}

fn snippet(steps: Vec<Step<'_>>) -> Snippet<'_, Annotation<'_>> {
    let (text, display) = (steps[0].text, steps[0].display);
    let low = steps.iter().map(|step| step.range.start).min().unwrap_or(0);
    let high = steps.iter().map(|step| step.range.end).max().unwrap_or(0);
    let start = text[..low].rfind('\n').map_or(0, |at| at + 1);
    let end = text[high..].find('\n').map_or(text.len(), |at| high + at);
    let line = text[..start].bytes().filter(|byte| *byte == b'\n').count() + 1;
    let has_primary = steps.iter().any(|step| step.primary);
    let mut snippet = Snippet::source(&text[start..end])
        .line_start(line)
        .path(display);
    for (i, step) in steps.into_iter().enumerate() {
        // A frame needs a primary place to have a line and column in its head.
        let kind = if step.primary || (!has_primary && i == 0) {
            AnnotationKind::Primary
        } else {
            AnnotationKind::Context
        };
        // Only the first line of what goes over several is marked.
        let range = first_line(text, step.range);
        snippet = snippet.annotation(
            kind.span(range.start - start..range.end - start)
                .label(step.label),
        );
    }
    snippet
}

fn first_line(text: &str, range: Range<usize>) -> Range<usize> {
    let end = text[range.clone()]
        .find('\n')
        .map_or(range.end, |at| range.start + at);
    let end = if text[..end].ends_with('\r') && end > range.start {
        end - 1
    } else {
        end
    };
    range.start..end
}

/// An error in a configuration file, with a frame around its place; to be printed after `error: `.
pub fn config_error(error: &LoadError) -> String {
    let path = error.path.display().to_string();
    let Some(range) = &error.error.range else {
        return format!("{path}: {}", error.error);
    };
    let text = &*error.text;
    let range = bytes_of(range, text);
    let steps = vec![Step {
        display: &path,
        text,
        range,
        label: None,
        primary: true,
    }];
    let group = Group::with_title(
        Level::ERROR
            .no_name()
            .primary_title(error.error.message.as_str()),
    )
    .element(snippet(steps));
    let rendered = renderer().render(&[group]);
    // The level has no name here: `error: ` is printed by the caller.
    rendered
        .strip_prefix(": ")
        .map_or_else(|| rendered.clone(), str::to_owned)
}

fn bytes_of(range: &Range<usize>, text: &str) -> Range<usize> {
    let size = |offset: usize| go_syntax::TextSize::new(u32::try_from(offset).unwrap_or(u32::MAX));
    bytes(
        go_syntax::TextRange::new(size(range.start), size(range.end.max(range.start))),
        text,
    )
}
