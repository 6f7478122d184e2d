//! Completion inside comments to stopleak: the directives, the rules that a suppression names, the parameters that a directive on
//! ownership is about.

use std::sync::Arc;

use go_model::db::{Database, parsed};
use go_model::directives::{PREFIX, Word, names_for};
use go_syntax::{TextRange, TextSize, ast};
use leak_rules::Diagnostic;
use tower_lsp::ls_types::{
    CompletionItem, CompletionItemKind, CompletionTextEdit, Position, TextEdit,
};

use crate::analysis::{self, Subject, Text};

/// Characters after which a client asks by itself.
pub(crate) const TRIGGERS: [&str; 3] = [":", " ", ","];

/// The directives, with what they say.
const DIRECTIVES: [(&str, &str); 5] = [
    (
        "ignore",
        "silence rules on this line, or in the statement below",
    ),
    ("ignore-file", "silence rules in this file"),
    ("owns", "a call takes over this parameter"),
    ("borrows", "a call only uses this parameter"),
    (
        "must-call",
        "the caller owes this method of the first result",
    ),
];

/// A document.
struct Place {
    text: Text,
    file: Arc<ast::File>,
}

/// What may stand at a position.
pub(crate) fn complete(
    db: &Database,
    subject: &Subject,
    position: Position,
) -> Vec<CompletionItem> {
    let Some(source) = db.file(&subject.path) else {
        return Vec::new();
    };
    let found = Place {
        text: Text::of(db, source, &subject.peer),
        file: parsed(db, source),
    };
    let offset = found.text.offset(position);
    // Most of the time somebody types code: nothing is computed before it is known to be a comment.
    let comments = &found.file.comments;
    let i = comments.partition_point(|c| c.range.end() < offset);
    let Some(comment) = comments
        .get(i)
        .filter(|c| !c.block && c.range.contains_inclusive(offset))
    else {
        return Vec::new();
    };
    let before = &found.text.text[TextRange::new(comment.range.start(), offset)];
    // A directive may stand behind other words of the same comment.
    let directive = match before.rfind(PREFIX) {
        Some(at) => &before[at + 2..],
        None => match before.strip_prefix("//") {
            Some(text) => text,
            None => return Vec::new(),
        },
    };
    let Some((word, rest)) = directive.split_once([' ', '\t']) else {
        return directives(&found, comment.range, directive, offset);
    };
    match word.strip_prefix("stopleak:") {
        Some("ignore" | "ignore-file") => {
            let here = analysis::findings(db, subject).map_or_else(Vec::new, |f| f.findings);
            rules(&found, &here, rest, offset)
        }
        Some(word) => match Word::ALL.into_iter().find(|known| known.text() == word) {
            Some(word) => {
                let names = names_for(db, subject.path.as_ref(), comment.range, word);
                items(&found, &names, rest, offset)
            }
            None => Vec::new(),
        },
        None => Vec::new(),
    }
}

fn item(
    found: &Place,
    replaced: TextRange,
    label: &str,
    detail: Option<&str>,
    kind: CompletionItemKind,
    order: String,
) -> CompletionItem {
    CompletionItem {
        label: label.to_owned(),
        detail: detail.map(str::to_owned),
        kind: Some(kind),
        sort_text: Some(order),
        filter_text: Some(label.to_owned()),
        text_edit: Some(CompletionTextEdit::Edit(TextEdit {
            range: found.text.range(replaced),
            new_text: label.to_owned(),
        })),
        ..CompletionItem::default()
    }
}

/// The directives, once one begins.
fn directives(
    found: &Place,
    comment: TextRange,
    typed: &str,
    offset: TextSize,
) -> Vec<CompletionItem> {
    // Every comment begins with `//`: more than that must be there.
    let begun =
        !typed.is_empty() && ("stopleak:".starts_with(typed) || typed.starts_with("stopleak:"));
    if !begun {
        return Vec::new();
    }
    let replaced = TextRange::new(offset - TextSize::of(typed), offset);
    let in_function = found
        .file
        .decls
        .iter()
        .any(|decl| decl.tree.func().is_some() && decl.range().contains_range(comment));
    DIRECTIVES
        .iter()
        .enumerate()
        .filter(|(_, (word, _))| !in_function || word.starts_with("ignore"))
        .map(|(i, (word, detail))| {
            let label = format!("stopleak:{word}");
            item(
                found,
                replaced,
                &label,
                Some(detail),
                CompletionItemKind::KEYWORD,
                i.to_string(),
            )
        })
        .collect()
}

/// The part of a list that is being written.
fn last_word(rest: &str) -> &str {
    rest.rsplit([' ', '\t', ',']).next().unwrap_or_default()
}

/// The rules, those with findings in this file first.
fn rules(found: &Place, here: &[Diagnostic], rest: &str, offset: TextSize) -> Vec<CompletionItem> {
    if rest.contains("--") {
        return Vec::new();
    }
    let typed = last_word(rest);
    let replaced = TextRange::new(offset - TextSize::of(typed), offset);
    leak_rules::rules()
        .iter()
        .map(|rule| {
            let here = here.iter().any(|f| f.rule == rule.name);
            item(
                found,
                replaced,
                rule.name,
                Some(rule.summary),
                CompletionItemKind::VALUE,
                format!("{}{}", u8::from(!here), rule.name),
            )
        })
        .collect()
}

fn items(found: &Place, names: &[String], rest: &str, offset: TextSize) -> Vec<CompletionItem> {
    if rest.contains("--") {
        return Vec::new();
    }
    let typed = last_word(rest);
    let replaced = TextRange::new(offset - TextSize::of(typed), offset);
    let taken: Vec<&str> = rest[..rest.len() - typed.len()]
        .split([' ', '\t', ','])
        .collect();
    names
        .iter()
        .filter(|name| !taken.contains(&name.as_str()))
        .enumerate()
        .map(|(i, name)| {
            item(
                found,
                replaced,
                name,
                None,
                CompletionItemKind::VARIABLE,
                format!("{i:03}"),
            )
        })
        .collect()
}
