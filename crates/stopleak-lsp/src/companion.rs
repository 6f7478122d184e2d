//! Code actions that need no finding: a leak check for tests, and profiles for a program.

use go_model::db::{Database, SourceFile};
use go_model::workspace::parent_directory;
use go_syntax::{TextRange, ast};
use leak_rules::companion::{self, Change, Companion};
use tower_lsp::ls_types::{
    CodeAction, CodeActionKind, CreateFile, DocumentChangeOperation, DocumentChanges, OneOf,
    OptionalVersionedTextDocumentIdentifier, Position, Range, ResourceOp, TextDocumentEdit,
    TextEdit, Uri, WorkspaceEdit,
};

use crate::actions::Wanted;
use crate::analysis::{Findings, SOURCE, Subject, Text};
use crate::uri;

/// The kind of the action that lets tests fail when they leave goroutines behind.
pub(crate) const LEAK_TEST: &str = "source.addLeakTest.stopleak";
/// The kind of the action that lets a program serve its profiles.
pub(crate) const PPROF: &str = "source.servePprof.stopleak";
/// The kind of the action that runs a test in a bubble.
pub(crate) const BUBBLE: &str = "refactor.rewrite.bubble.stopleak";

/// The actions for a range, where it is on the head of what they are about or they are asked for by their kind.
pub(crate) fn actions(
    db: &Database,
    subject: &Subject,
    found: &Findings,
    wanted: &Wanted,
) -> Vec<CodeAction> {
    // A menu that opens by itself is for quick fixes only, and files of others are not to be changed.
    if wanted.automatic() || subject.settings.is_none() || !subject.peer.document_changes {
        return Vec::new();
    }
    let Some(source) = db.file(&subject.path) else {
        return Vec::new();
    };
    let asked = wanted.context.only.is_some();
    let range = found.text.text_range(wanted.range);
    let tree = &found.file;
    let on_clause = tree
        .package
        .is_some_and(|package| touches(TextRange::up_to(package.range.end()), range));
    let head = heads(tree).find(|(_, head)| touches(*head, range));
    let on = |name: &str| {
        head.as_ref()
            .is_some_and(|(func, _)| func.name.name == name)
    };
    let is_test = source.is_test(db);

    let mut actions = Vec::new();
    let creates = subject.peer.creates_files;
    if creates && is_test && wanted.kind(LEAK_TEST) && (asked || on_clause || on("TestMain")) {
        let offered =
            parent_directory(db, source).and_then(|dir| companion::leak_test(db, dir, None).ok());
        actions.extend(offered.and_then(|it| action(db, subject, source, &it, LEAK_TEST)));
    }
    if creates && !is_test && wanted.kind(PPROF) && (asked || on_clause || on("main")) {
        let offered = companion::serve_pprof(db, source).ok();
        actions.extend(offered.and_then(|it| action(db, subject, source, &it, PPROF)));
    }
    if let Some((_, head)) = head
        && is_test
        && wanted.kind(BUBBLE)
    {
        let offered = companion::in_bubble(db, source, head.start()).ok();
        actions.extend(offered.and_then(|it| action(db, subject, source, &it, BUBBLE)));
    }
    actions
}

/// The functions of a file with the range from `func` to the end of the signature.
fn heads(file: &ast::File) -> impl Iterator<Item = (&ast::FuncDecl, TextRange)> {
    file.decls.iter().filter_map(|decl| match &decl.tree.kind {
        ast::DeclKind::Func(func) if func.receiver.is_none() => {
            let end = decl.start + func.signature.range.end();
            Some((func, TextRange::new(decl.start, end.max(decl.start))))
        }
        _ => None,
    })
}

fn touches(place: TextRange, range: TextRange) -> bool {
    place.intersect(range).is_some()
}

fn action(
    db: &Database,
    subject: &Subject,
    source: SourceFile,
    companion: &Companion,
    kind: &'static str,
) -> Option<CodeAction> {
    let mut operations = Vec::new();
    for change in &companion.changes {
        match change {
            Change::Create(path, text) => {
                let uri = uri::of_path(path)?;
                operations.push(DocumentChangeOperation::Op(ResourceOp::Create(
                    CreateFile {
                        uri: uri.clone(),
                        options: None,
                        annotation_id: None,
                    },
                )));
                let start = Position::new(0, 0);
                let edit = TextEdit::new(Range::new(start, start), text.clone());
                operations.push(edits_of(uri, None, vec![edit]));
            }
            Change::Edit(file, edits) => {
                let own = *file == source;
                let uri = match own {
                    true => subject.uri.clone(),
                    false => uri::of_path(&file.path(db))?,
                };
                let text = Text::of(db, *file, &subject.peer);
                let edits = edits.iter().map(|edit| TextEdit {
                    range: text.range(edit.range),
                    new_text: edit.text.clone(),
                });
                operations.push(edits_of(
                    uri,
                    own.then_some(subject.version),
                    edits.collect(),
                ));
            }
        }
    }
    let mut title = format!("{SOURCE}: {}", companion.title);
    if let Some(command) = &companion.then {
        title.push_str(&format!(" (then run `{command}`)"));
    }
    Some(CodeAction {
        title,
        kind: Some(CodeActionKind::from(kind)),
        edit: Some(WorkspaceEdit {
            document_changes: Some(DocumentChanges::Operations(operations)),
            ..WorkspaceEdit::default()
        }),
        ..CodeAction::default()
    })
}

fn edits_of(uri: Uri, version: Option<i32>, edits: Vec<TextEdit>) -> DocumentChangeOperation {
    DocumentChangeOperation::Edit(TextDocumentEdit {
        text_document: OptionalVersionedTextDocumentIdentifier { uri, version },
        edits: edits.into_iter().map(OneOf::Left).collect(),
    })
}
