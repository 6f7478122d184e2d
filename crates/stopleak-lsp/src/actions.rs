//! Code actions: fixes of findings, suppressions, and fixing all that can be fixed unseen.

use std::collections::HashMap;

use go_model::db::Database;
use leak_rules::suppress::{suppress_file, suppress_line};
use leak_rules::{Diagnostic, Edit, Fix, Safety};
use serde::{Deserialize, Serialize};
use tower_lsp::ls_types::{
    CodeAction, CodeActionContext, CodeActionKind, CodeActionTriggerKind, Command, DocumentChanges,
    OneOf, OptionalVersionedTextDocumentIdentifier, Range, TextDocumentEdit, TextEdit,
    WorkspaceEdit,
};

use crate::analysis::{self, Findings, SOURCE, Subject, Text};
use crate::companion;

/// The kind of the action that applies all safe fixes.
pub(crate) const FIX_ALL: &str = "source.fixAll.stopleak";
/// The command that applies all safe fixes of a document.
pub(crate) const FIX_ALL_COMMAND: &str = "stopleak.fixAll";
/// The command that tells what the server knows.
pub(crate) const DEBUG_COMMAND: &str = "stopleak.debugInfo";
/// The command that opens the page of a rule.
pub(crate) const OPEN_RULE_COMMAND: &str = "stopleak.openRule";

/// What an action carries until it is chosen.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ticket {
    /// URI of the document.
    pub(crate) uri: String,
    /// Version of the document that the action was made for.
    version: i32,
    /// Hash of its content: the version alone begins anew when a document is closed and opened.
    hash: String,
    what: What,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum What {
    FixAll,
    #[serde(rename_all = "camelCase")]
    One {
        rule: String,
        start: u32,
        end: u32,
        part: Part,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Part {
    Fix(usize),
    IgnoreLine,
    IgnoreFile,
}

/// What is wanted of the actions for a range.
pub(crate) struct Wanted {
    pub(crate) range: Range,
    pub(crate) context: CodeActionContext,
    /// Whether actions that suppress findings are offered.
    pub(crate) suppress: bool,
}

impl Wanted {
    pub(crate) fn kind(&self, kind: &str) -> bool {
        match &self.context.only {
            None => true,
            Some(only) => only.iter().any(|only| is_prefix(only.as_str(), kind)),
        }
    }

    pub(crate) fn automatic(&self) -> bool {
        self.context.trigger_kind == Some(CodeActionTriggerKind::AUTOMATIC)
    }
}

/// Whether `kind` is of the kind `prefix`: `source` covers `source.fixAll`, and the empty kind covers all.
fn is_prefix(prefix: &str, kind: &str) -> bool {
    match kind.strip_prefix(prefix) {
        Some(rest) => prefix.is_empty() || rest.is_empty() || rest.starts_with('.'),
        None => false,
    }
}

/// The actions for a range.
pub(crate) fn actions(db: &Database, subject: &Subject, wanted: &Wanted) -> Vec<CodeAction> {
    let Some(found) = analysis::findings(db, subject) else {
        return Vec::new();
    };
    let mut actions = Vec::new();
    if wanted.kind(CodeActionKind::QUICKFIX.as_str()) {
        let chosen = chosen(&found, wanted);
        let mut pages = Vec::new();
        for finding in &chosen {
            fixes(db, subject, &found, finding, &mut actions);
        }
        for finding in &chosen {
            if wanted.suppress && leak_rules::rule(finding.rule).is_some() {
                suppressions(db, subject, &found, finding, &mut actions);
            }
            if !wanted.automatic() && subject.peer.show_document && !pages.contains(&finding.rule) {
                pages.push(finding.rule);
            }
        }
        for rule in pages {
            actions.extend(open_page(rule));
        }
    }
    // A menu that opens by itself is for quick fixes only; otherwise the action comes when it is asked for, or is of use here.
    let asked = wanted.context.only.is_some();
    if wanted.kind(FIX_ALL) && (asked || !wanted.automatic()) {
        let edits = fix_all(&found);
        if !edits.is_empty() {
            let ticket = ticket(subject, &found.text, What::FixAll);
            let mut action = CodeAction {
                title: format!("{SOURCE}: fix all that is safe to fix"),
                kind: Some(CodeActionKind::from(FIX_ALL)),
                ..CodeAction::default()
            };
            attach(&mut action, subject, &found.text, &edits, ticket);
            actions.push(action);
        }
    }
    actions.extend(companion::actions(db, subject, &found, wanted));
    actions
}

/// The findings meant by a range: those that it touches, those that the client names, and for a cursor asked by hand those of its
/// line. Neovim and Helix send a cursor that need not touch the finding whose mark the user sees on the line; Helix's is a selection of
/// one character, which may be the end of the line.
fn chosen<'a>(found: &'a Findings, wanted: &Wanted) -> Vec<&'a Diagnostic> {
    let range = found.text.text_range(wanted.range);
    let named = |finding: &Diagnostic| {
        let place = found.text.range(finding.range);
        wanted.context.diagnostics.iter().any(|named| {
            let same_rule = match &named.code {
                Some(tower_lsp::ls_types::NumberOrString::String(code)) => code == finding.rule,
                _ => false,
            };
            // Some clients drop the source.
            same_rule
                && named.range == place
                && named
                    .source
                    .as_deref()
                    .is_none_or(|source| source == SOURCE)
        })
    };
    let Range { start, end } = wanted.range;
    let in_line = match end.line.checked_sub(start.line) {
        Some(0) => true,
        Some(1) => end.character == 0,
        _ => false,
    };
    let by_hand = in_line && !wanted.automatic();
    let touching: Vec<_> = found
        .findings
        .iter()
        .filter(|finding| finding.range.intersect(range).is_some() || named(finding))
        .collect();
    if !touching.is_empty() || !by_hand {
        return touching;
    }
    found
        .findings
        .iter()
        .filter(|finding| found.text.position(finding.range.start()).line == start.line)
        .collect()
}

fn ticket(subject: &Subject, text: &Text, what: What) -> Ticket {
    Ticket {
        uri: subject.uri.as_str().to_owned(),
        version: subject.version,
        hash: format!("{:016x}", text.hash()),
        what,
    }
}

fn one(subject: &Subject, text: &Text, finding: &Diagnostic, part: Part) -> Ticket {
    let what = What::One {
        rule: finding.rule.to_owned(),
        start: finding.range.start().into(),
        end: finding.range.end().into(),
        part,
    };
    ticket(subject, text, what)
}

fn fixes(
    db: &Database,
    subject: &Subject,
    found: &Findings,
    finding: &Diagnostic,
    actions: &mut Vec<CodeAction>,
) {
    let single_safe = finding
        .fixes
        .iter()
        .filter(|fix| fix.safety == Safety::Safe)
        .count()
        == 1;
    let mut order: Vec<usize> = (0..finding.fixes.len()).collect();
    order.sort_by_key(|i| finding.fixes[*i].safety == Safety::Unsafe);
    for i in order {
        let fix = &finding.fixes[i];
        let safe = fix.safety == Safety::Safe;
        let mut action = quick_fix(db, subject, found, finding, &fix.title);
        if !safe {
            action.title.push_str(" (unsafe)");
        }
        action.is_preferred = (safe && single_safe).then_some(true);
        attach(
            &mut action,
            subject,
            &found.text,
            &fix.edits,
            one(subject, &found.text, finding, Part::Fix(i)),
        );
        actions.push(action);
    }
}

fn suppressions(
    db: &Database,
    subject: &Subject,
    found: &Findings,
    finding: &Diagnostic,
    actions: &mut Vec<CodeAction>,
) {
    let text = &found.text.text;
    let offers = [
        (suppress_line(text, &found.file, finding), Part::IgnoreLine),
        (suppress_file(text, &found.file, finding), Part::IgnoreFile),
    ];
    for (fix, part) in offers {
        let Some(fix) = fix else { continue };
        let mut action = quick_fix(db, subject, found, finding, &fix.title);
        attach(
            &mut action,
            subject,
            &found.text,
            &fix.edits,
            one(subject, &found.text, finding, part),
        );
        actions.push(action);
    }
}

fn quick_fix(
    db: &Database,
    subject: &Subject,
    found: &Findings,
    finding: &Diagnostic,
    title: &str,
) -> CodeAction {
    CodeAction {
        title: format!("{SOURCE}: {title}"),
        kind: Some(CodeActionKind::QUICKFIX),
        diagnostics: Some(vec![analysis::diagnostic(
            db,
            subject,
            &found.text,
            finding,
        )]),
        ..CodeAction::default()
    }
}

fn open_page(rule: &str) -> Option<CodeAction> {
    analysis::page(rule)?;
    let title = format!("{SOURCE}: open the page of `{rule}`");
    Some(CodeAction {
        kind: Some(CodeActionKind::QUICKFIX),
        command: Some(Command {
            title: title.clone(),
            command: OPEN_RULE_COMMAND.to_owned(),
            arguments: Some(vec![rule.into()]),
        }),
        title,
        ..CodeAction::default()
    })
}

/// Gives the action its edit, or what it takes to make it when the action is chosen.
fn attach(action: &mut CodeAction, subject: &Subject, text: &Text, edits: &[Edit], ticket: Ticket) {
    if subject.peer.resolve_edit {
        action.data = serde_json::to_value(ticket).ok();
    } else {
        action.edit = Some(workspace_edit(subject, text, edits));
    }
}

/// Edits of the document in the client's terms, bound to the version where the client can do that.
pub(crate) fn workspace_edit(subject: &Subject, text: &Text, edits: &[Edit]) -> WorkspaceEdit {
    let edits = edits.iter().map(|edit| TextEdit {
        range: text.range(edit.range),
        new_text: edit.text.clone(),
    });
    if subject.peer.document_changes {
        return WorkspaceEdit {
            document_changes: Some(DocumentChanges::Edits(vec![TextDocumentEdit {
                text_document: OptionalVersionedTextDocumentIdentifier {
                    uri: subject.uri.clone(),
                    version: Some(subject.version),
                },
                edits: edits.map(OneOf::Left).collect(),
            }])),
            ..WorkspaceEdit::default()
        };
    }
    WorkspaceEdit {
        changes: Some(HashMap::from([(subject.uri.clone(), edits.collect())])),
        ..WorkspaceEdit::default()
    }
}

/// The edit of an action that was chosen.
///
/// # Errors
/// The document is not any more what the action was made for.
pub(crate) fn resolve(
    db: &Database,
    subject: &Subject,
    ticket: &Ticket,
) -> Result<WorkspaceEdit, &'static str> {
    const STALE: &str = "the document has changed since";
    let found = analysis::findings(db, subject).ok_or(STALE)?;
    if ticket.version != subject.version || ticket.hash != format!("{:016x}", found.text.hash()) {
        return Err(STALE);
    }
    let edits = match &ticket.what {
        What::FixAll => fix_all(&found),
        What::One {
            rule,
            start,
            end,
            part,
        } => {
            let finding = found
                .findings
                .iter()
                .find(|f| {
                    f.rule == rule
                        && u32::from(f.range.start()) == *start
                        && u32::from(f.range.end()) == *end
                })
                .ok_or("the finding is gone")?;
            let text = &found.text.text;
            let fix: Option<Fix> = match part {
                Part::Fix(i) => finding.fixes.get(*i).cloned(),
                Part::IgnoreLine => suppress_line(text, &found.file, finding),
                Part::IgnoreFile => suppress_file(text, &found.file, finding),
            };
            fix.ok_or("the fix is gone")?.edits
        }
    };
    Ok(workspace_edit(subject, &found.text, &edits))
}

/// The edits that apply the safe fix of each finding, as far as they are not in each other's way.
pub(crate) fn fix_all(found: &Findings) -> Vec<Edit> {
    let safe = found
        .findings
        .iter()
        .filter_map(|finding| finding.fixes.iter().find(|fix| fix.safety == Safety::Safe));
    leak_rules::edit::merge(safe).edits
}

#[cfg(test)]
mod tests {
    use super::is_prefix;

    #[test]
    fn kinds() {
        for prefix in ["", "source", "source.fixAll", "source.fixAll.stopleak"] {
            assert!(is_prefix(prefix, super::FIX_ALL), "{prefix}");
        }
        for prefix in [
            "sour",
            "source.fix",
            "quickfix",
            "source.fixAll.stopleak.x",
            "source.organizeImports",
        ] {
            assert!(!is_prefix(prefix, super::FIX_ALL), "{prefix}");
        }
    }
}
