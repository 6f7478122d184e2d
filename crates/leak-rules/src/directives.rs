//! Directives on ownership that cannot be followed, and those that the code contradicts.
//!
//! What directives say is read in [`go_model::directives`]; here they are judged.

use go_model::db::{Db, DeclId, SourceFile, decl_tree, decls};
use go_model::directives::{Directive, PREFIX, Subject, Word, scan};
use go_model::members::{RELEASING_METHODS, View};
use go_model::package::{import_path, package_of_file};
use go_model::summary::{Fate, How, ParamEffect, When, by_body};
use go_model::types::Ty;
use go_syntax::TextRange;
use go_syntax::ast::{DeclKind, File};

use crate::{Diagnostic, Edit, Fix, Safety, Severity};

/// Name of the rule that reports directives that cannot be followed.
pub const INVALID: &str = "invalid-directive";

/// The findings about the directives of a file.
pub(crate) fn check(db: &dyn Db, source: SourceFile, file: &File) -> Vec<Diagnostic> {
    let text = source.text(db);
    if !file.comments_mention(&text, &["stopleak:"]) {
        return Vec::new();
    }
    let (directives, problems) = scan(&text, file);
    let mut found: Vec<Diagnostic> = problems
        .into_iter()
        .map(|problem| {
            let fix = problem.replacement.map(|by| Fix {
                title: format!("write `{by}`"),
                safety: Safety::Unsafe,
                edits: vec![Edit {
                    range: problem.range,
                    text: by,
                }],
            });
            finding(problem.message, problem.range, fix)
        })
        .collect();
    let ids = decls(db, source);
    for directive in &directives {
        match directive.subject {
            Subject::Func(i) => {
                if let Some(decl) = ids.get(i) {
                    found.extend(of_function(db, source, *decl, directive));
                }
            }
            Subject::Type(i, n) => {
                if let Some(DeclKind::Type(specs)) = file.decls.get(i).map(|d| &d.tree.kind)
                    && let Some(spec) = specs.get(n)
                {
                    let package = import_path(db, package_of_file(db, source));
                    let ty = Ty::named(package.as_str(), spec.name.name.as_str());
                    found.extend(of_type(db, source, &ty, directive));
                }
            }
            // Nothing can be seen of what implements it.
            Subject::Method(..) => {}
        }
    }
    found
}

fn finding(message: String, range: TextRange, fix: Option<Fix>) -> Diagnostic {
    Diagnostic {
        rule: INVALID,
        severity: Severity::Warning,
        message,
        range,
        function: None,
        related: Vec::new(),
        fixes: fix.into_iter().collect(),
        unnecessary: false,
    }
}

fn of_type(db: &dyn Db, source: SourceFile, ty: &Ty, directive: &Directive) -> Option<Diagnostic> {
    let (method, range) = directive.names.first()?;
    let view = View::new(db, source);
    let lacks = |ty: &Ty| view.has_method(ty, method) == Some(false);
    let pointer = ty.clone().pointer_to();
    (lacks(ty) && (view.is_interface(ty) == Some(true) || lacks(&pointer))).then(|| {
        finding(
            format!("`{}` has no method `{method}`", view.display(ty)),
            *range,
            None,
        )
    })
}

fn of_function(
    db: &dyn Db,
    source: SourceFile,
    decl: DeclId,
    directive: &Directive,
) -> Vec<Diagnostic> {
    let tree = decl_tree(db, decl);
    let Some(func) = tree.func().filter(|_| !tree.has_error) else {
        return Vec::new();
    };
    if directive.word == Word::MustCall {
        let facts = crate::engine::facts(db, decl);
        let result = func.signature.results.first();
        let ty = result.and_then(|result| facts.types.get(result.ty));
        return ty
            .and_then(|ty| of_type(db, source, ty, directive))
            .into_iter()
            .collect();
    }
    if func.body.is_none() {
        return Vec::new();
    }
    let read = by_body(db, decl);
    directive
        .names
        .iter()
        .filter_map(|(name, range)| {
            let receiver = func.receiver.as_ref().and_then(|r| r.name);
            let effect = if receiver.is_some_and(|r| r.name == name.as_str()) {
                &read.own.receiver
            } else {
                let i = func
                    .signature
                    .params
                    .iter()
                    .position(|p| p.name.is_some_and(|ident| ident.name == name.as_str()))?;
                read.own.params.get(i)?
            };
            let what = contradiction(directive.word, effect, name)?;
            let word = directive.word.text();
            Some(finding(
                format!("the function {what}, which is not what `{PREFIX}{word}` says"),
                *range,
                None,
            ))
        })
        .collect()
}

/// What the body does against the directive, if that is certain.
fn contradiction(word: Word, effect: &ParamEffect, name: &str) -> Option<String> {
    let releases = |how: &How| match how {
        How::Method(m) => RELEASING_METHODS.contains(&m.as_str()),
        How::Call | How::Builtin | How::Said => true,
        How::Func(..) | How::ArgOf(..) | How::Passed(_) => false,
    };
    match word {
        Word::Borrows => match effect.fate {
            Fate::Kept(_) => Some(format!("stores `{name}`")),
            Fate::Borrowed if effect.released(&[], releases) == Some(When::Always) => {
                Some(format!("releases `{name}` on every path"))
            }
            _ => None,
        },
        Word::Owns => {
            let looks = effect.only_borrows() && effect.released(&[], releases).is_none();
            looks.then(|| format!("neither keeps nor releases `{name}`"))
        }
        Word::MustCall => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn must_flag() {
        check(
            r#"
package a

import "os"

type store struct{ files []*os.File }

// save keeps f.
//
//stopleak:owns file // want invalid-directive/warning "no parameter `file`"
func (s *store) save(f *os.File) { s.files = append(s.files, f) }

//stopleak:borrows f // want invalid-directive "stores `f`"
func (s *store) keep(f *os.File) { s.files = append(s.files, f) }

//stopleak:borrows f // want invalid-directive "releases `f` on every path"
func done(f *os.File) error { return f.Close() }

//stopleak:owns f // want invalid-directive "neither keeps nor releases `f`"
func look(f *os.File) string { return f.Name() }

//stopleak:must-call Shutdown // want invalid-directive "has no method `Shutdown`"
type server struct{}

func (s *server) Stop() {}

//stopleak:must-call Halt // want invalid-directive "has no method `Halt`"
func start() *server { return &server{} }

// stopleak:owns f // want invalid-directive "has no blank" want-fix "stopleak:owns f" unsafe
func spaced(f *os.File) {}

func inside(f *os.File) {
	//stopleak:owns f // want invalid-directive "directly above a function"
	_ = f
}
"#,
        );
    }

    #[test]
    fn must_not_flag() {
        check(
            r#"
package a

import "os"

type sink interface {
	//stopleak:owns f
	Take(f *os.File)
}

var hook func(*os.File)

//stopleak:owns f
func unknown(f *os.File) { hook(f) }

//stopleak:owns f
func closes(f *os.File) { f.Close() }

//stopleak:borrows f
func reads(f *os.File) { f.Stat() }

//stopleak:must-call Stop
type server struct{}

func (s *server) Stop() {}

//stopleak:must-call Stop
func start() *server { return &server{} }

//stopleak:must-call Close
func open(name string) (*os.File, error) { return os.Open(name) }
"#,
        );
    }
}
