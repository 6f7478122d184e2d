//! Directives on ownership in doc comments.
//!
//! | directive | on | meaning |
//! |---|---|---|
//! | `//stopleak:owns f` | a function, a method, a method of an interface | a call takes over what goes in as `f`: its caller owes nothing any more |
//! | `//stopleak:borrows f` | the same | a call only uses it: its caller still owes whatever it owed |
//! | `//stopleak:must-call Close` | the same | the caller owes this method of the first result |
//! | `//stopleak:must-call Close` | a type | whoever gets a new one owes this method of it |
//!
//! Several parameters are parted by blanks or commas; the receiver may be named too. What follows `--` is a remark. Directives say more
//! than what the body was found to do.
//!
//! Architecture invariant: what queries give here holds no positions, so that it stays equal when code moves.

#![allow(missing_docs)] // What salsa's macros generate has no documentation.

use std::path::Path;
use std::sync::Arc;

use go_syntax::Name;
use go_syntax::ast::{Comment, DeclKind, ExprKind, File, FuncDecl, InterfaceElem, Signature};
use rustc_hash::FxHashMap;
use text_size::{TextRange, TextSize};

use crate::db::{Db, DeclId, SourceFile, decls, parsed, source_file};
use crate::facts::MethodRef;
use crate::infer;
use crate::members::View;
use crate::package::{
    Item, PackageId, import_path, package_item, package_of_decl, package_of_file, package_seen_by,
};
use crate::summary::Slot;
use crate::told::{Claim, FuncPath, Told, is_identifier, told_table};
use crate::types::Ty;

/// What all our directives begin with.
pub const PREFIX: &str = "//stopleak:";

/// The words of directives on ownership.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Word {
    Owns,
    Borrows,
    MustCall,
}

impl Word {
    /// All of them.
    pub const ALL: [Word; 3] = [Word::Owns, Word::Borrows, Word::MustCall];

    /// As it is written.
    pub fn text(self) -> &'static str {
        match self {
            Self::Owns => "owns",
            Self::Borrows => "borrows",
            Self::MustCall => "must-call",
        }
    }

    fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|word| word.text() == text)
    }
}

/// What a directive stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The function or method declared here: index in [`File::decls`].
    Func(usize),
    /// A type: index of the declaration, and of the line in it.
    Type(usize, usize),
    /// A method of an interface: the same, and the index of the method.
    Method(usize, usize, usize),
}

/// A directive as it was understood. Ranges are absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// The whole directive.
    pub range: TextRange,
    pub word: Word,
    /// The names that it gives.
    pub names: Vec<(String, TextRange)>,
    /// What it stands on.
    pub subject: Subject,
}

/// A directive that cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Absolute.
    pub range: TextRange,
    /// One sentence without a full stop.
    pub message: String,
    /// What to write in place of the range.
    pub replacement: Option<String>,
}

/// The directives on ownership of a file, and those that cannot be followed, in source order.
pub fn scan(text: &str, file: &File) -> (Vec<Directive>, Vec<Problem>) {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    if !file.comments_mention(text, &["stopleak:"]) {
        return (found, problems);
    }
    let mut subjects = None;
    for comment in &file.comments {
        if comment.block {
            continue;
        }
        let Some(body) = text.get(std::ops::Range::<usize>::from(comment.range)) else {
            continue;
        };
        let start = comment.range.start();
        let Some(rest) = body.strip_prefix(PREFIX) else {
            problems.extend(nearly(body, comment.range));
            continue;
        };
        let (word, rest) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
        let Some(word) = Word::of(word) else {
            continue; // a suppression, or nothing that we know: see the suppressions
        };
        let names = names(rest, start + TextSize::of(body) - TextSize::of(rest));
        let range = TextRange::at(start, TextSize::of(body.trim_end()));
        let subjects = subjects.get_or_insert_with(|| subjects_of(file));
        match subject_of(text, file, comment, subjects) {
            Some(subject) => {
                let directive = Directive {
                    range,
                    word,
                    names,
                    subject,
                };
                let wrong = judge(file, &directive);
                if wrong.is_empty() {
                    found.push(directive);
                } else {
                    problems.extend(wrong);
                }
            }
            None => problems.push(Problem {
                range,
                message: format!(
                    "`{PREFIX}{}` belongs into the comment directly above a function, a type or a method of an interface",
                    word.text()
                ),
                replacement: None,
            }),
        }
    }
    contradictions(&mut found, &mut problems);
    problems.sort_by_key(|problem| (problem.range.start(), problem.range.end()));
    (found, problems)
}

/// A comment that looks like a directive and is none.
fn nearly(body: &str, range: TextRange) -> Option<Problem> {
    let spaced = body.strip_prefix("//")?.trim_start();
    let directive = spaced.strip_prefix("stopleak:")?;
    let word = directive.split_whitespace().next()?;
    Word::of(word)?;
    Some(Problem {
        range,
        message: "a directive has no blank after `//`: this comment says nothing".to_owned(),
        replacement: Some(format!("//{spaced}")),
    })
}

/// The names behind the word of a directive, whose place is `at`.
fn names(rest: &str, at: TextSize) -> Vec<(String, TextRange)> {
    let rest = rest.split("--").next().unwrap_or_default();
    let rest = rest.split("//").next().unwrap_or_default();
    let mut names = Vec::new();
    let mut offset = 0;
    for part in rest.split_inclusive(|c: char| c.is_whitespace() || c == ',') {
        let name = part.trim_end_matches(|c: char| c.is_whitespace() || c == ',');
        if !name.is_empty() {
            let start = at + TextSize::new(offset as u32);
            names.push((name.to_owned(), TextRange::at(start, TextSize::of(name))));
        }
        offset += part.len();
    }
    names
}

/// What directives may stand on, by where it begins.
fn subjects_of(file: &File) -> FxHashMap<TextSize, Subject> {
    let mut subjects = FxHashMap::default();
    for (i, decl) in file.decls.iter().enumerate() {
        match &decl.tree.kind {
            DeclKind::Func(_) => {
                subjects.insert(decl.start, Subject::Func(i));
            }
            DeclKind::Type(specs) => {
                for (n, spec) in specs.iter().enumerate() {
                    subjects.insert(decl.start + spec.range.start(), Subject::Type(i, n));
                    if specs.len() == 1 {
                        subjects.insert(decl.start, Subject::Type(i, n));
                    }
                    let ExprKind::InterfaceType(elems) = &decl.tree[spec.ty].kind else {
                        continue;
                    };
                    for (m, elem) in elems.iter().enumerate() {
                        if let InterfaceElem::Method(name, _) = elem {
                            subjects
                                .insert(decl.start + name.range.start(), Subject::Method(i, n, m));
                        }
                    }
                }
            }
            _ => {}
        }
    }
    subjects
}

fn subject_of(
    text: &str,
    file: &File,
    comment: &Comment,
    subjects: &FxHashMap<TextSize, Subject>,
) -> Option<Subject> {
    let start = usize::from(comment.range.start());
    let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let first = |line: usize| {
        let rest = &text[line..];
        line + (rest.len() - rest.trim_start_matches([' ', '\t']).len())
    };
    if first(line) < start {
        // Behind a method of an interface, or a type on one line.
        let subject = *subjects.get(&TextSize::new(first(line) as u32))?;
        return (!matches!(subject, Subject::Func(_))).then_some(subject);
    }
    // Down the lines of the comment to what stands below it.
    let mut end = usize::from(comment.range.end());
    let mut next = file
        .comments
        .partition_point(|c| c.range.start() <= comment.range.start());
    loop {
        let line = end + text[end..].find('\n')? + 1;
        let at = first(line);
        match file.comments.get(next) {
            Some(c) if usize::from(c.range.start()) == at => {
                end = c.range.end().into();
                next += 1;
            }
            _ => return subjects.get(&TextSize::new(at as u32)).copied(),
        }
    }
}

/// The signature that a directive stands on, with the receiver of a method.
fn signature(file: &File, subject: Subject) -> Option<(&Signature, Option<&FuncDecl>)> {
    match subject {
        Subject::Func(i) => {
            let func = file.decls.get(i)?.tree.func()?;
            Some((&func.signature, Some(func)))
        }
        Subject::Type(..) => None,
        Subject::Method(i, n, m) => {
            let tree = &file.decls.get(i)?.tree;
            let DeclKind::Type(specs) = &tree.kind else {
                return None;
            };
            match &tree[specs.get(n)?.ty].kind {
                ExprKind::InterfaceType(elems) => match elems.get(m)? {
                    InterfaceElem::Method(_, signature) => Some((signature, None)),
                    InterfaceElem::Embed(_) => None,
                },
                _ => None,
            }
        }
    }
}

/// Where the value of this name goes into a call.
fn slot(signature: &Signature, func: Option<&FuncDecl>, name: &str) -> Option<Slot> {
    if let Some(receiver) = func.and_then(|f| f.receiver.as_ref())
        && receiver.name.is_some_and(|ident| ident.name == name)
    {
        return Some(Slot::Receiver);
    }
    let i = signature
        .params
        .iter()
        .position(|param| param.name.is_some_and(|ident| ident.name == name))?;
    u16::try_from(i).ok().map(Slot::Param)
}

/// What a directive with this word may name in the comment at this absolute range: parameters, or methods of the first result or of the
/// type.
pub fn names_for(db: &dyn Db, path: &Path, comment: TextRange, word: Word) -> Vec<String> {
    let source = source_file(db, path);
    let file = parsed(db, source);
    let text = source.text(db);
    let Some(comment) = file.comments.iter().find(|c| c.range == comment) else {
        return Vec::new();
    };
    let Some(subject) = subject_of(&text, &file, comment, &subjects_of(&file)) else {
        return Vec::new();
    };
    if word != Word::MustCall {
        let Some((signature, func)) = signature(&file, subject) else {
            return Vec::new();
        };
        let receiver = func.and_then(|f| f.receiver.as_ref());
        return (signature.params.iter().chain(receiver))
            .filter_map(|param| param.name)
            .filter(|ident| !ident.name.is_blank())
            .map(|ident| ident.name.to_string())
            .collect();
    }
    let view = View::new(db, source);
    let ty = match subject {
        Subject::Func(i) => {
            let ids = decls(db, source);
            let (Some(decl), Some((signature, _))) = (ids.get(i), signature(&file, subject)) else {
                return Vec::new();
            };
            let facts = infer::facts(db, *decl);
            let result = signature.results.first();
            result.and_then(|result| facts.types.get(result.ty).cloned())
        }
        Subject::Type(i, n) => match file.decls.get(i).map(|decl| &decl.tree.kind) {
            Some(DeclKind::Type(specs)) => specs.get(n).map(|spec| {
                let package = import_path(db, package_of_file(db, source));
                Ty::named(package.as_str(), spec.name.name.as_str())
            }),
            _ => None,
        },
        Subject::Method(..) => None,
    };
    let Some(ty) = ty else { return Vec::new() };
    let mut methods = view.releasing_methods(&ty);
    if view.is_interface(&ty) == Some(false) {
        for method in view.releasing_methods(&ty.clone().pointer_to()) {
            if !methods.contains(&method) {
                methods.push(method);
            }
        }
    }
    methods.into_iter().map(str::to_owned).collect()
}

/// What is wrong with a directive in the right place.
fn judge(file: &File, directive: &Directive) -> Vec<Problem> {
    let word = directive.word.text();
    let problem = |range, message| Problem {
        range,
        message,
        replacement: None,
    };
    let whole = |message| vec![problem(directive.range, message)];
    let signature = signature(file, directive.subject);
    match directive.word {
        Word::MustCall => {
            let [(name, range)] = &directive.names[..] else {
                return whole(format!(
                    "`{PREFIX}{word}` names one method: `{PREFIX}{word} Close`"
                ));
            };
            if !is_identifier(name) {
                return vec![problem(
                    *range,
                    format!("`{name}` is not the name of a method"),
                )];
            }
            match signature {
                Some((signature, _)) if signature.results.is_empty() => whole(format!(
                    "`{PREFIX}{word}` is about the first result, and this function has none"
                )),
                _ => Vec::new(),
            }
        }
        Word::Owns | Word::Borrows => {
            let Some((signature, func)) = signature else {
                return whole(format!(
                    "`{PREFIX}{word}` is about a parameter and belongs above a function or a method of an interface"
                ));
            };
            if directive.names.is_empty() {
                return whole(format!(
                    "`{PREFIX}{word}` names a parameter: `{PREFIX}{word} f`"
                ));
            }
            directive
                .names
                .iter()
                .filter(|(name, _)| name == "_" || slot(signature, func, name).is_none())
                .map(|(name, range)| {
                    problem(*range, format!("there is no parameter `{name}` here"))
                })
                .collect()
        }
    }
}

/// A parameter that is both owned and borrowed, or named twice: only the first counts.
fn contradictions(found: &mut Vec<Directive>, problems: &mut Vec<Problem>) {
    let mut seen: FxHashMap<(Subject, Option<String>), Word> = FxHashMap::default();
    for directive in found.iter_mut() {
        let (subject, word) = (directive.subject, directive.word);
        directive.names.retain(|(name, range)| {
            let key = match word {
                Word::MustCall => (subject, None),
                Word::Owns | Word::Borrows => (subject, Some(name.clone())),
            };
            let Some(before) = seen.insert(key, word) else {
                return true;
            };
            problems.push(Problem {
                range: *range,
                message: match word {
                    Word::MustCall => "another `must-call` stands here already".to_owned(),
                    _ if before == word => format!("`{name}` is named twice"),
                    _ => format!("`{name}` cannot be both owned and borrowed"),
                },
                replacement: None,
            });
            false
        });
    }
    found.retain(|directive| !directive.names.is_empty());
}

/// The directives of a file, by what they stand on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileDirectives {
    /// Of functions and methods.
    pub funcs: FxHashMap<DeclId, Arc<Told>>,
    /// The method that is owed of a type.
    pub types: FxHashMap<Name, Name>,
    /// Of methods of interfaces: the interface's name and the method's.
    pub methods: FxHashMap<(Name, Name), Arc<Told>>,
}

impl FileDirectives {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.funcs.is_empty() && self.types.is_empty() && self.methods.is_empty()
    }
}

/// The directives of a file.
#[salsa::tracked(returns(clone))]
pub fn directives_of(db: &dyn Db, file: SourceFile) -> Arc<FileDirectives> {
    if let Some(shape) = file.shape(db) {
        return Arc::clone(&shape.directives);
    }
    let text = file.text(db);
    if !text.contains(PREFIX) {
        return Arc::default();
    }
    Arc::new(directives_in(&text, &parsed(db, file), &decls(db, file)))
}

/// The directives of a text with this tree and these declarations.
pub(crate) fn directives_in(text: &str, tree: &File, ids: &[DeclId]) -> FileDirectives {
    let mut funcs: FxHashMap<DeclId, Told> = FxHashMap::default();
    let mut methods: FxHashMap<(Name, Name), Told> = FxHashMap::default();
    let mut types = FxHashMap::default();
    for directive in scan(text, tree).0 {
        let spec = |i: usize, n: usize| match &tree.decls.get(i)?.tree.kind {
            DeclKind::Type(specs) => specs.get(n),
            _ => None,
        };
        let told = match directive.subject {
            Subject::Func(i) => match ids.get(i) {
                Some(id) => funcs.entry(*id).or_default(),
                None => continue,
            },
            Subject::Type(i, n) => {
                if let (Some(spec), [(method, _)]) = (spec(i, n), &directive.names[..]) {
                    types.insert(spec.name.name, Name::new(method));
                }
                continue;
            }
            Subject::Method(i, n, m) => {
                let Some(spec) = spec(i, n) else { continue };
                let ExprKind::InterfaceType(elems) = &tree.decls[i].tree[spec.ty].kind else {
                    continue;
                };
                let Some(InterfaceElem::Method(name, _)) = elems.get(m) else {
                    continue;
                };
                methods.entry((spec.name.name, name.name)).or_default()
            }
        };
        note(tree, &directive, told);
    }
    let shared = |told: Told| Arc::new(told);
    FileDirectives {
        funcs: funcs.into_iter().map(|(k, v)| (k, shared(v))).collect(),
        types,
        methods: methods.into_iter().map(|(k, v)| (k, shared(v))).collect(),
    }
}

fn note(tree: &File, directive: &Directive, told: &mut Told) {
    let claim = match directive.word {
        Word::MustCall => {
            told.must_call = directive.names.first().map(|(name, _)| Name::new(name));
            return;
        }
        Word::Owns => Claim::Owns,
        Word::Borrows => Claim::Borrows,
    };
    let Some((signature, func)) = signature(tree, directive.subject) else {
        return;
    };
    for (name, _) in &directive.names {
        if let Some(slot) = slot(signature, func, name) {
            told.claims.push((slot, claim));
        }
    }
}

/// What is said about a declared function, in its doc comment or in the configuration that holds for its file.
pub fn told_of(db: &dyn Db, decl: DeclId) -> Option<Arc<Told>> {
    let file = decl.file(db);
    if directives_of(db, file).is_empty() && told_table(db, file).is_none() {
        return None;
    }
    told_of_decl(db, decl)
}

#[salsa::tracked(returns(clone))]
fn told_of_decl(db: &dyn Db, decl: DeclId) -> Option<Arc<Told>> {
    let file = decl.file(db);
    let here = directives_of(db, file).funcs.get(&decl).cloned();
    let path = FuncPath {
        package: import_path(db, package_of_decl(db, decl)),
        ty: decl.receiver(db),
        name: decl.name(db),
    };
    let there = told_table(db, file).and_then(|table| table.function(path).cloned());
    match (here, there) {
        (Some(here), Some(there)) => {
            let mut all = (*here).clone();
            all.extend(&there);
            Some(Arc::new(all))
        }
        (one, other) => one.or(other),
    }
}

/// What the doc comment of an interface's method says, seen from `unit`.
pub fn told_of_interface(db: &dyn Db, unit: PackageId, m: MethodRef) -> Option<Arc<Told>> {
    if !m.interface || m.package.as_str().is_empty() {
        return None;
    }
    let package = package_seen_by(db, unit, m.package)?;
    let Item::Type(item) = package_item(db, package, m.ty)? else {
        return None;
    };
    let found = directives_of(db, item.decl.file(db));
    found.methods.get(&(m.ty, m.name)).cloned()
}

/// The method that is owed of a type by whoever gets a new one, seen from `unit`.
pub fn must_call_of_type(db: &dyn Db, unit: PackageId, package: Name, ty: Name) -> Option<Name> {
    let package = package_seen_by(db, unit, package)?;
    let Item::Type(item) = package_item(db, package, ty)? else {
        return None;
    };
    directives_of(db, item.decl.file(db))
        .types
        .get(&ty)
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanned(text: &str) -> (Vec<String>, Vec<String>) {
        let parsed = go_syntax::parse_file(text);
        let (found, problems) = scan(text, &parsed.file);
        let found = found.iter().map(|d| {
            let names: Vec<&str> = d.names.iter().map(|(name, _)| name.as_str()).collect();
            for (name, range) in &d.names {
                assert_eq!(&text[std::ops::Range::<usize>::from(*range)], name);
            }
            format!("{} {} {:?}", d.word.text(), names.join(","), d.subject)
        });
        let problems = problems.iter().map(|p| {
            format!(
                "{}: {}",
                &text[std::ops::Range::<usize>::from(p.range)],
                p.message
            )
        });
        (found.collect(), problems.collect())
    }

    #[test]
    fn directives_in_doc_comments() {
        let (found, problems) = scanned(
            "package a

// Save keeps f.
//
//stopleak:owns f, g -- it is closed by Flush
//stopleak:borrows s
func (s *Store) Save(f, g *File) {}

//stopleak:must-call Close
type Pool struct{}

type (
	//stopleak:must-call Stop
	A struct{}

	B interface {
		//stopleak:borrows f
		Look(f *File)
		Take(f *File) //stopleak:owns f
	}
)
",
        );
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(
            found,
            [
                "owns f,g Func(0)",
                "borrows s Func(0)",
                "must-call Close Type(1, 0)",
                "must-call Stop Type(2, 0)",
                "borrows f Method(2, 1, 0)",
                "owns f Method(2, 1, 1)",
            ]
        );
    }

    #[test]
    fn what_cannot_be_followed() {
        let (found, problems) = scanned(
            "package a

//stopleak:owns x
func f(y int) {
	//stopleak:owns y
	g()
}

//stopleak:owns a

func apart(a int) {}

// stopleak:owns a
func spaced(a int) {}

//stopleak:must-call Close
func nothing() {}

//stopleak:must-call
//stopleak:owns
func (r *R) bare(a int) int {}

//stopleak:owns a
//stopleak:borrows a
func both(a int) {}

//stopleak:owns a
type T struct{}
",
        );
        assert_eq!(found, ["owns a Func(5)"]);
        assert_eq!(
            problems,
            [
                "x: there is no parameter `x` here",
                "//stopleak:owns y: `//stopleak:owns` belongs into the comment directly above a function, a type or a method of an interface",
                "//stopleak:owns a: `//stopleak:owns` belongs into the comment directly above a function, a type or a method of an interface",
                "// stopleak:owns a: a directive has no blank after `//`: this comment says nothing",
                "//stopleak:must-call Close: `//stopleak:must-call` is about the first result, and this function has none",
                "//stopleak:must-call: `//stopleak:must-call` names one method: `//stopleak:must-call Close`",
                "//stopleak:owns: `//stopleak:owns` names a parameter: `//stopleak:owns f`",
                "a: `a` cannot be both owned and borrowed",
                "//stopleak:owns a: `//stopleak:owns` is about a parameter and belongs above a function or a method of an interface",
            ]
        );
    }
}
