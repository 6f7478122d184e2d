//! Hovers: what a finding means and how it comes about; what a suppression comment silences; what an option of a configuration does.

use std::sync::Arc;

use go_model::db::Database;
use go_model::directives::{Subject as On, Word, scan};
use go_syntax::{TextRange, TextSize};
use leak_rules::suppress;
use leak_rules::{Diagnostic, Safety};
use serde_json::Value;
use tower_lsp::ls_types::{Hover, HoverContents, MarkupContent, MarkupKind, Position};

use crate::analysis::{self, Findings, Subject, Text};
use crate::evidence::{self, Proof};
use crate::peer::Peer;

/// The hover at a position, if there is anything to say.
pub(crate) fn hover(db: &Database, subject: &Subject, position: Position) -> Option<Hover> {
    let found = analysis::findings(db, subject)?;
    let offset = found.text.offset(position);
    if let Some((markdown, range)) = directive(&found, offset) {
        return Some(answer(subject, &found, markdown, range));
    }
    let (markdown, range) = match suppress::suppression_at(&found.text.text, &found.file, offset) {
        Some(suppression) => {
            let mut out = suppression.describe(&found.text.text);
            out.push_str(".\n");
            for (rule, _) in &suppression.rules {
                if leak_rules::rule(rule).is_some() || leak_rules::meta_rule(rule).is_some() {
                    out.push('\n');
                    about(rule, &mut out);
                }
            }
            (out, suppression.range)
        }
        None => {
            let proofs = evidence::proofs(db, subject, &found);
            let here: Vec<(usize, &Diagnostic)> = found
                .findings
                .iter()
                .enumerate()
                .filter(|(_, finding)| finding.range.contains_inclusive(offset))
                .collect();
            let mut parts: Vec<String> = here
                .iter()
                .map(|(at, finding)| {
                    let mut text = explain(&found, finding);
                    text.push_str(&proved(proofs.get(*at)));
                    text
                })
                .collect();
            parts.extend(evidence::hover(db, subject, &found, position));
            if parts.is_empty() {
                return None;
            }
            let range = here
                .iter()
                .map(|(_, finding)| finding.range)
                .min_by_key(|range| range.len());
            (
                parts.join("\n---\n"),
                range.unwrap_or(TextRange::empty(offset)),
            )
        }
    };
    Some(answer(subject, &found, markdown, range))
}

/// What evidence says about a finding; nothing if none is loaded.
fn proved(proof: Option<&Option<Proof>>) -> String {
    match proof {
        None => String::new(),
        Some(Some(proof)) => format!("\n**Confirmed**: {}.\n", proof.title),
        Some(None) => {
            "\n*Suspected*: the loaded profiles do not show it. The program may just not have run this code.\n"
                .to_owned()
        }
    }
}

fn answer(subject: &Subject, found: &Findings, markdown: String, range: TextRange) -> Hover {
    said(&subject.peer, &found.text, markdown, range)
}

fn said(peer: &Peer, text: &Text, markdown: String, range: TextRange) -> Hover {
    Hover {
        contents: HoverContents::Markup(MarkupContent {
            kind: if peer.markdown {
                MarkupKind::Markdown
            } else {
                MarkupKind::PlainText
            },
            value: markdown,
        }),
        range: Some(text.range(range)),
    }
}

/// The hover in a configuration file: on a rule's name what the rule finds, on a key what the option does.
pub(crate) fn of_config(text: Arc<str>, position: Position, peer: &Arc<Peer>) -> Option<Hover> {
    let text = Text::new(text, peer);
    let offset = usize::from(text.offset(position));
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let (before, after) = text.text.split_at(offset);
    let start = before.trim_end_matches(is_name).len();
    let end = offset + (after.len() - after.trim_start_matches(is_name).len());
    let word = &text.text[start..end];
    let range = TextRange::new(
        TextSize::try_from(start).ok()?,
        TextSize::try_from(end).ok()?,
    );
    let mut markdown = String::new();
    if leak_rules::rule(word).is_some() || leak_rules::meta_rule(word).is_some() {
        about(word, &mut markdown);
    } else {
        markdown = option(&text.text, start, end)?;
    }
    Some(said(peer, &text, markdown, range))
}

/// What the option at this place of a configuration does, if a key stands there.
fn option(text: &str, start: usize, end: usize) -> Option<String> {
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let rest = text[end..].trim_start_matches([' ', '\t', '"', '\'', ']']);
    let before = text[line_start..start].trim_start();
    let in_header = before.starts_with('[') && !before.contains('=');
    if !in_header && (!before.is_empty() || !rest.starts_with('=')) {
        return None;
    }
    // Keys stand in the table whose header is the last one above.
    let table = text[..line_start]
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| line.starts_with('['))
        .filter(|_| !in_header)
        .map(|line| line.trim_matches(['[', ']', ' ']));
    let schema = serde_json::to_value(stopleak_config::json_schema()).ok()?;
    let key = &text[start..end];
    let mut option = &schema;
    for key in table.into_iter().chain([key]) {
        option = deref(&schema, option);
        option = option
            .get("items")
            .map_or(option, |items| deref(&schema, items));
        option = option.get("properties")?.get(key)?;
    }
    let description = option.get("description")?.as_str()?;
    let mut out = format!("`{key}`: {description}\n");
    if let Some(default) = option.get("default").filter(|it| !it.is_null()) {
        out.push_str(&format!("\nDefault: `{default}`\n"));
    }
    let page = concat!(
        env!("CARGO_PKG_REPOSITORY"),
        "/blob/main/docs/configuration.md"
    );
    out.push_str(&format!("\n[Configuration]({page})\n"));
    Some(out)
}

fn deref<'a>(schema: &'a Value, part: &'a Value) -> &'a Value {
    part.get("$ref")
        .and_then(Value::as_str)
        .and_then(|path| schema.pointer(path.strip_prefix('#')?))
        .unwrap_or(part)
}

/// What a directive on ownership says.
fn directive(found: &Findings, offset: TextSize) -> Option<(String, TextRange)> {
    let (directives, _) = scan(&found.text.text, &found.file);
    let directive = directives
        .into_iter()
        .find(|directive| directive.range.contains_inclusive(offset))?;
    let names: Vec<String> = directive
        .names
        .iter()
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    let names = names.join(", ");
    let says = match (directive.word, directive.subject) {
        (Word::Owns, _) => format!("A call takes over {names}: its caller owes nothing any more"),
        (Word::Borrows, _) => {
            format!("A call only uses {names}: its caller still owes whatever it owed")
        }
        (Word::MustCall, On::Type(..)) => {
            format!("Whoever gets a new one from a function of this package owes {names} of it")
        }
        (Word::MustCall, _) => format!("The caller owes {names} of the first result"),
    };
    let page = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/ownership.md");
    Some((format!("{says}.\n\n[Ownership]({page})\n"), directive.range))
}

fn about(name: &str, out: &mut String) {
    let summary = leak_rules::rule(name)
        .map(|rule| rule.summary)
        .or_else(|| leak_rules::meta_rule(name).map(|rule| rule.summary));
    match (analysis::page(name), summary) {
        (Some(page), Some(summary)) => {
            out.push_str(&format!("[`{name}`]({page}): {summary}.\n"));
        }
        (None, Some(summary)) => out.push_str(&format!("`{name}`: {summary}.\n")),
        (_, None) => out.push_str(&format!("`{name}`\n")),
    }
}

fn explain(found: &Findings, finding: &Diagnostic) -> String {
    let mut out = String::new();
    about(finding.rule, &mut out);
    out.push_str(&format!("\n{}", finding.message));
    match &finding.function {
        Some(function) => out.push_str(&format!(" (in `{function}`).\n")),
        None => out.push_str(".\n"),
    }
    if !finding.related.is_empty() {
        out.push('\n');
    }
    for (i, step) in finding.related.iter().enumerate() {
        let place = match &step.file {
            None => format!("line {}", found.text.position(step.range.start()).line + 1),
            Some(path) => path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
        };
        out.push_str(&format!("{}. {place}: {}\n", i + 1, step.message));
    }
    if let Some(fix) = finding
        .fixes
        .iter()
        .min_by_key(|fix| fix.safety == Safety::Unsafe)
    {
        out.push_str(&format!("\nQuick fix: {}.\n", fix.title));
    }
    out
}
