//! Functions that acquire for their callers, and types that own what they hold.
//!
//! A function that hands on a fresh thing of a known kind acquires that kind. A function that makes a struct, puts a fresh thing into a
//! field of it and returns it acquires an *owner*, if a method of the struct's type releases that field: whoever calls the function owes
//! that method. Parents own their children in the same way. If nothing can release the field any more, whoever drops the struct loses
//! what it holds.
//!
//! Architecture invariant: only what bodies show counts. A thing that was also stored elsewhere, or that a goroutine of the constructor
//! may release, has no fresh origin in its summary, and the function acquires nothing.

use std::sync::Arc;

use go_model::db::{Db, DeclId, DeclSort, decl_tree};
use go_model::facts::Callee;
use go_model::members::View;
use go_model::package::{PackageId, package_methods, package_of_decl, package_seen_by};
use go_model::summary::{ELEMENT, Fate, Fresh, Given, How, Origin, Release, Source, Summary, When};
use go_model::types::{NamedTy, Ty, TyKind};
use go_syntax::Name;
use go_syntax::ast::ExprKind;

use super::kinds::{self, Acquirer, BASE, Extra, Kind, Owner, intern, intern_list, intern_text};
use super::site::{FixKind, Method};

/// Length of chains of openers that are followed.
const MAX_DEPTH: u32 = 4;

/// What a function of the workspace acquires for its callers.
#[salsa::tracked(returns(clone))]
pub(crate) fn opened(db: &dyn Db, decl: DeclId) -> Arc<Vec<Acquirer>> {
    Arc::new(opened_at(db, decl, 0))
}

fn opened_at(db: &dyn Db, decl: DeclId, depth: u32) -> Vec<Acquirer> {
    let tree = decl_tree(db, decl);
    let Some(func) = tree.func() else {
        return Vec::new();
    };
    if depth > MAX_DEPTH || tree.has_error || func.body.is_none() {
        return Vec::new();
    }
    let summary = go_model::summary::of(db, decl);
    let summary = &summary.own;
    if !summary.results.iter().any(may_be_acquired) {
        return Vec::new();
    }
    let facts = super::facts(db, decl);
    let opener = Opener {
        db,
        decl,
        depth,
        name: display(db, decl),
    };
    let mut found = Vec::new();
    for (i, result) in func.signature.results.iter().enumerate() {
        let Some(ty) = facts.types.get(result.ty) else {
            continue;
        };
        let error = match summary.given(i) {
            Given::Unknown => continue,
            Given::Always => None,
            Given::IfNil(error) => Some(usize::from(error)),
        };
        if ty.is_error() {
            continue;
        }
        if let Some((kind, extra, context)) = opener.acquires(summary.result(i), ty) {
            found.push(Acquirer {
                kind,
                result: i,
                error,
                context,
                extra,
            });
        }
    }
    found
}

/// Whether an origin is one from which something acquired may follow.
fn may_be_acquired(origin: &Origin) -> bool {
    match origin {
        Origin::Fresh(_) | Origin::Around(_) => true,
        Origin::Composite(fields) => fields.iter().any(|(_, o)| may_be_acquired(o)),
        _ => false,
    }
}

/// The function as its callers write it, without its package.
fn display(db: &dyn Db, decl: DeclId) -> String {
    let tree = decl_tree(db, decl);
    let receiver = tree.func().and_then(|f| f.receiver.as_ref()).map(|r| {
        let mut ty = tree.unparen(r.ty);
        while let ExprKind::Star(inner) | ExprKind::Index { base: inner, .. } = &tree[ty].kind {
            ty = tree.unparen(*inner);
        }
        ty
    });
    match receiver.and_then(|ty| tree.ident(ty)) {
        Some(ty) if decl.sort(db) == DeclSort::Method => format!("{}.{}", ty.name, decl.name(db)),
        _ => decl.name(db).to_string(),
    }
}

struct Opener<'a> {
    db: &'a dyn Db,
    decl: DeclId,
    depth: u32,
    name: String,
}

impl Opener<'_> {
    /// What a result of this origin and type is.
    fn acquires(&self, origin: &Origin, ty: &Ty) -> Option<(&'static Kind, Extra, bool)> {
        match origin {
            Origin::Fresh(list) => {
                let acquirer = self.handed_on(list)?;
                let kind = self.as_typed(acquirer.kind, ty);
                let extra = match acquirer.extra {
                    // Who reads and who writes is still true, what arguments say is not.
                    extra @ (Extra::None | Extra::Reads | Extra::Writes) => extra,
                    Extra::OpenFlags => Extra::None,
                    Extra::Request if self.asks_for_heads() => return None,
                    Extra::Request => Extra::Request,
                    // Something else may end it that callers of this function see, and we do not.
                    _ => return None,
                };
                if acquirer.context && !self.takes_context_first() {
                    return None;
                }
                Some((kind, extra, acquirer.context))
            }
            Origin::Composite(fields) => {
                let kind = self.owner(fields, ty, 0)?;
                Some((kind, Extra::None, false))
            }
            Origin::Around(list) => {
                let named = ty.as_named_or_pointer()?;
                // Of readers and writers that hide what lies below, the function that makes them is told.
                if !matches!(named.package.as_str(), "log" | "log/slog") {
                    return None;
                }
                let held = self.handed_on(list)?.kind;
                let kind = self.keeper(Name::new(""), held)?;
                Some((kind, Extra::None, false))
            }
            _ => None,
        }
    }

    /// What is acquired by all of these calls alike.
    fn handed_on(&self, list: &[Fresh]) -> Option<Acquirer> {
        let mut all = list.iter().map(|fresh| self.source(fresh));
        let first = all.next()??;
        for other in all {
            let other = other?;
            if other.kind.rule != first.kind.rule
                || other.kind.path != first.kind.path
                || other.kind.release != first.kind.release
            {
                return None;
            }
        }
        Some(first)
    }

    /// What a fresh value is: the outermost call of which that is known says so.
    fn source(&self, fresh: &Fresh) -> Option<Acquirer> {
        let (acquirer, source) = fresh
            .sources
            .iter()
            .find_map(|source| Some((self.call(source)?, source)))?;
        let mut kind = acquirer.kind;
        if !source.path.is_empty() {
            // `resp.Body` rather than the response.
            if !source
                .path
                .iter()
                .map(|n| n.as_str())
                .eq(kind.path.iter().copied())
            {
                return None;
            }
            kind = intern(Kind {
                path: &[],
                fix: match kind.fix {
                    FixKind::HttpBody => FixKind::Body,
                    other => other,
                },
                ..kind.clone()
            });
        }
        // What was released, or may have been, is not worth releasing once more.
        let released = fresh.touched.iter().any(|t| {
            t.path
                .iter()
                .map(|n| n.as_str())
                .eq(kind.path.iter().copied())
                && releases(kind, &t.how)
                || !matches!(t.how, How::Method(_) | How::Call)
        });
        (!released).then_some(Acquirer { kind, ..acquirer })
    }

    fn call(&self, source: &Source) -> Option<Acquirer> {
        let rows = match &source.callee {
            Callee::Func(f) => kinds::acquirers(f.package, None, f.name),
            Callee::Method(m) => kinds::acquirers(m.package, Some(m.ty), m.name),
            _ => return None,
        };
        let result = usize::from(source.result);
        let is_handed_on = |kind: &Kind| {
            kind.makes_owners
                || matches!(
                    kind.rule,
                    "unstopped-ticker" | "unstopped-timer" | "per-call-client"
                )
        };
        if !rows.is_empty() {
            let mut rows = rows.iter().copied();
            return rows.find(|row| row.result == result && is_handed_on(row.kind));
        }
        let decl = go_model::summary::callee_decl(self.db, self.decl, &source.callee)?;
        if decl == self.decl {
            return None;
        }
        opened_at(self.db, decl, self.depth + 1)
            .into_iter()
            .find(|a| a.result == result)
    }

    /// The kind as callers get it: behind an interface a nil cannot be released.
    fn as_typed(&self, kind: &'static Kind, ty: &Ty) -> &'static Kind {
        let view = View::new(self.db, self.decl.file(self.db));
        if !kind.nil_release_ok || view.is_interface(ty) == Some(false) {
            return kind;
        }
        intern(Kind {
            nil_release_ok: false,
            fix: match kind.fix {
                FixKind::File => FixKind::Body,
                other => other,
            },
            ..kind.clone()
        })
    }

    /// The first parameter is a context.
    fn takes_context_first(&self) -> bool {
        let facts = super::facts(self.db, self.decl);
        let tree = decl_tree(self.db, self.decl);
        tree.func()
            .and_then(|f| f.signature.params.first())
            .and_then(|p| facts.types.get(p.ty))
            .is_some_and(|ty| ty.is_named("context", "Context"))
    }

    /// The function makes requests that are answered without a body.
    fn asks_for_heads(&self) -> bool {
        let tree = decl_tree(self.db, self.decl);
        tree.exprs.iter().any(|(id, expr)| match &expr.kind {
            ExprKind::Selector { name, .. } => name.name == "MethodHead",
            ExprKind::Literal(..) => tree.string_value(id).is_some_and(|s| s == "HEAD"),
            _ => false,
        })
    }

    // ---- owners ----

    /// What a struct with these fields is, if one of them holds something that has to be released.
    fn owner(&self, fields: &[(Name, Origin)], ty: &Ty, depth: u32) -> Option<&'static Kind> {
        let named = ty.as_named_or_pointer()?;
        if named.local != 0 {
            return None;
        }
        let mut keeper = None;
        for (field, origin) in fields {
            let (held, around) = match origin {
                Origin::Fresh(list) => (self.held(list), false),
                Origin::Around(list) => (self.held(list), true),
                // Another owner that was made here, or in a function that was looked into.
                Origin::Composite(inner) if depth < MAX_DEPTH => {
                    let view = View::new(self.db, self.decl.file(self.db));
                    let field = view.field(ty, *field).found();
                    let held = field.and_then(|f| self.owner(inner, &f.ty, depth + 1));
                    (held, false)
                }
                _ => continue,
            };
            let Some(held) = held else { continue };
            let Some(field) = self.field_name(ty, *field, held) else {
                continue;
            };
            let methods = self.methods(named)?;
            if !around && let Some(kind) = self.releasing(&methods, named, field, held) {
                return Some(kind);
            }
            let exported = self.decl.name(self.db).is_exported();
            if exported && !field.is_exported() && self.keeps(&methods, named, field) {
                keeper = keeper.or(Some((field, held)));
            }
        }
        let (field, held) = keeper?;
        self.keeper(field, held)
    }

    /// What a field holds, if it makes an owner of the struct.
    fn held(&self, list: &[Fresh]) -> Option<&'static Kind> {
        let acquirer = self.handed_on(list)?;
        let alone = matches!(
            acquirer.extra,
            Extra::None | Extra::Reads | Extra::Writes | Extra::OpenFlags | Extra::Request
        );
        (acquirer.kind.makes_owners && alone).then_some(acquirer.kind)
    }

    /// The field of a literal's element. In a literal without keys it is the only one that can hold the thing.
    fn field_name(&self, ty: &Ty, field: Name, held: &Kind) -> Option<Name> {
        if field != ELEMENT {
            return Some(field);
        }
        let view = View::new(self.db, self.decl.file(self.db));
        let deref = view.deref(ty).unwrap_or_else(|| ty.clone());
        let under = view.underlying(&deref);
        let TyKind::Struct(fields) = under.kind() else {
            return None;
        };
        let method = held.release.first()?;
        let mut can = (fields.iter()).filter(|f| {
            let mut ty = f.ty.clone();
            for step in held.path {
                match view.field(&ty, Name::new(step)).found() {
                    Some(inner) => ty = inner.ty,
                    None => return false,
                }
            }
            view.has_method(&ty, method) != Some(false)
        });
        match (can.next(), can.next()) {
            (Some(only), None) => Some(only.name),
            _ => None,
        }
    }

    /// The methods of a declared type.
    fn methods(&self, named: &NamedTy) -> Option<Arc<Vec<MethodEffect>>> {
        let unit = package_of_decl(self.db, self.decl);
        let unit = package_seen_by(self.db, unit, named.package)?;
        Some(method_effects(self.db, unit, named.name))
    }

    /// The owner, if methods release what the field holds.
    fn releasing(
        &self,
        methods: &[MethodEffect],
        named: &NamedTy,
        field: Name,
        held: &'static Kind,
    ) -> Option<&'static Kind> {
        let mut path = vec![field];
        path.extend(held.path.iter().map(|p| Name::new(p)));
        let mut sure: Vec<&MethodEffect> = Vec::new();
        let mut unsure: Vec<&MethodEffect> = Vec::new();
        for method in methods {
            let when = method
                .releases
                .iter()
                .filter(|r| r.path == path && releases(held, &r.how))
                .map(|r| r.when)
                .max_by_key(|when| *when == When::Always);
            match when {
                Some(When::Always) if method.known => sure.push(method),
                Some(_) => unsure.push(method),
                None => {}
            }
        }
        let mut names: Vec<Name> = Vec::new();
        // A method of what is embedded.
        for name in held.release {
            let view = View::new(self.db, self.decl.file(self.db));
            let ty = Ty::named(named.package.as_str(), named.name.as_str());
            if let Some(method) = view.method(&ty, Name::new(name)).found()
                && method.path == path
            {
                names.push(Name::new(name));
            }
        }
        // The one to recommend comes first: one that surely releases, without arguments, by a usual name.
        let usual = |name: Name| {
            go_model::members::RELEASING_METHODS
                .iter()
                .position(|m| name == *m)
                .unwrap_or(usize::MAX)
        };
        let rank = |m: &&MethodEffect| (m.params, usual(m.name), m.name);
        sure.sort_by_key(rank);
        unsure.sort_by_key(rank);
        // If nothing surely releases it, one that looks first whether there is still something to release has to be the only one.
        if names.is_empty()
            && sure.is_empty()
            && !matches!(&unsure[..], [only] if only.known && only.params == 0 && !only.gives)
        {
            return None;
        }
        let parameters = match (&names[..], &sure[..], &unsure[..]) {
            ([_, ..], ..) => 0,
            (_, [first, ..], _) | (_, [], [first, ..]) => first.params,
            _ => 0,
        };
        names.extend(sure.iter().chain(&unsure).map(|m| m.name));
        let texts: Vec<&str> = names.iter().map(|n| n.as_str()).collect();
        let release = intern_list(&texts);
        let name = *release.first()?;
        let fix = if parameters == 0 {
            FixKind::Method(Method {
                name,
                context: false,
                variable: variable(named.name),
                note: "",
                once: false,
            })
        } else {
            FixKind::Nothing
        };
        Some(intern(Kind {
            key: "owner",
            rule: "unclosed-resource",
            fix,
            noun: variable(named.name),
            released: "released",
            releasing: intern_text(&format!("calling `{name}` of")),
            acquired: "made",
            release,
            ends_with_process: false,
            owner: Some(Owner {
                field: field.as_str(),
                held,
                constructor: intern_text(&self.name),
            }),
            ..BASE
        }))
    }

    /// Whether what the field holds surely stays there: no method hands it out, and none may release it.
    fn keeps(&self, methods: &[MethodEffect], named: &NamedTy, field: Name) -> bool {
        let view = View::new(self.db, self.decl.file(self.db));
        let ty = Ty::named(named.package.as_str(), named.name.as_str());
        view.method_names(&ty).is_some_and(|names| {
            names.iter().all(|name| {
                !go_model::members::RELEASING_METHODS.contains(&name.as_str())
                    && !kinds::releases(*name)
            })
        }) && methods.iter().all(|m| {
            m.known
                && !m
                    .given
                    .iter()
                    .any(|path| path.first().is_none_or(|f| *f == field))
                && !m
                    .releases
                    .iter()
                    .any(|r| r.path.first() == Some(&field) && may_end(&r.how))
        })
    }

    /// A value that keeps something which nobody can release any more.
    fn keeper(&self, field: Name, held: &'static Kind) -> Option<&'static Kind> {
        if !held.makes_owners || held.owner.is_some() || !self.decl.name(self.db).is_exported() {
            return None;
        }
        Some(intern(Kind {
            key: "keeper",
            rule: "unclosed-resource",
            fix: FixKind::Nothing,
            noun: "value",
            releasing: "being able to let go what it holds:",
            acquired: "made",
            release: &[],
            owner: Some(Owner {
                field: field.as_str(),
                held,
                constructor: intern_text(&self.name),
            }),
            ..BASE
        }))
    }
}

/// A variable's usual name for a value of the type: `fileStore` is a `store`.
fn variable(ty: Name) -> &'static str {
    let text = ty.as_str();
    let start = text
        .char_indices()
        .filter(|(i, c)| *i > 0 && c.is_uppercase())
        .map(|(i, _)| i)
        .next_back()
        .unwrap_or(0);
    let word = text[start..].to_lowercase();
    let is_word = word.chars().all(char::is_alphanumeric) && word.len() > 1;
    if is_word && !KEYWORDS.contains(&word.as_str()) {
        intern_text(&word)
    } else {
        "resource"
    }
}

/// Names that no variable should have.
const KEYWORDS: [&str; 20] = [
    "break",
    "case",
    "chan",
    "const",
    "continue",
    "default",
    "defer",
    "else",
    "for",
    "func",
    "go",
    "goto",
    "if",
    "import",
    "interface",
    "map",
    "range",
    "select",
    "struct",
    "type",
];

/// Whether a kind is released in this way.
fn releases(kind: &Kind, how: &How) -> bool {
    match how {
        How::Method(name) => kind.release.contains(&name.as_str()),
        How::Call => kind.call,
        _ => false,
    }
}

/// Whether this may be the end of something, whatever it is.
fn may_end(how: &How) -> bool {
    match how {
        How::Method(name) => {
            go_model::members::RELEASING_METHODS.contains(&name.as_str()) || kinds::releases(*name)
        }
        _ => true,
    }
}

/// What a method does to what its receiver holds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct MethodEffect {
    name: Name,
    params: usize,
    /// It has a result other than an error.
    gives: bool,
    releases: Vec<Release>,
    /// What of the receiver it hands out.
    given: Vec<Vec<Name>>,
    /// The receiver does not go where it cannot be followed.
    known: bool,
}

/// What the methods of a declared type do to what their receivers hold.
#[salsa::tracked(returns(clone))]
fn method_effects(db: &dyn Db, unit: PackageId, ty: Name) -> Arc<Vec<MethodEffect>> {
    let methods = package_methods(db, unit, ty);
    let effect =
        |method: &Arc<go_model::outline::FuncItem>| {
            let summary = go_model::summary::of(db, method.decl);
            let summary: &Summary = &summary.own;
            let receiver = &summary.receiver;
            MethodEffect {
                name: method.name,
                params: method.sig.params.len(),
                gives: method.sig.results.iter().any(
                    |r| !matches!(r, go_model::outline::TypeRef::Name(name) if *name == "error"),
                ),
                releases: receiver.releases.clone(),
                given: receiver.flows.iter().map(|f| f.path.clone()).collect(),
                known: receiver.fate == Fate::Borrowed,
            }
        };
    Arc::new(methods.iter().filter(|m| m.has_body).map(effect).collect())
}
