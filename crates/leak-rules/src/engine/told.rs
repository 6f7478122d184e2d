//! What users say must be released: `[[resource]]` of the configuration, and `//stopleak:must-call` in doc comments.

use std::sync::Arc;

use go_model::db::{Db, Settings, SourceFile};
use go_model::directives::{directives_of, must_call_of_type};
use go_model::facts::Callee;
use go_model::infer;
use go_model::members::View;
use go_model::outline::TypeRef;
use go_model::package::{
    Item, PackageId, UnitKind, file_imports, package_files, package_index, package_of_file,
};
use go_model::summary::{Origin, told_of_callee};
use go_model::told::{FuncPath, Releaser, Resource, Weight, is_identifier, told_table};
use go_model::types::{Basic, Ty, TyKind};
use go_syntax::Name;
use go_syntax::ast::{ExprId, StmtKind};
use rustc_hash::{FxHashMap, FxHashSet};

use super::function::Target;
use super::kinds::{
    Acquirer, BASE, Extra, Kind, Named, Taker, intern, intern_list, intern_takers, intern_text,
};
use super::site::{FixKind, Method, PassedTo};
use crate::Severity;
use crate::check::CheckContext;

/// The rule that reports what users say must be released.
const RULE: &str = "unclosed-resource";

/// Names of what acquires something, as users say.
#[derive(Debug, Default, Clone)]
pub(crate) struct ToldNames {
    configured: Option<Arc<FxHashMap<Name, Named>>>,
    owed: Option<Arc<FxHashMap<Name, Named>>>,
}

impl ToldNames {
    /// For the declarations of a file.
    pub(crate) fn of(db: &dyn Db, file: SourceFile) -> Self {
        Self {
            configured: configured(db, file),
            owed: owed_names(db, file),
        }
    }

    /// What something of this name may acquire.
    pub(crate) fn get(&self, name: Name) -> Option<&Named> {
        [&self.configured, &self.owed]
            .into_iter()
            .flatten()
            .find_map(|names| names.get(&name))
    }
}

fn named() -> Named {
    Named {
        rules: vec![RULE],
        single: true,
    }
}

/// Names of what acquires, says the configuration. Unchanged when it says something else about them.
#[salsa::tracked(returns(clone))]
fn configured(db: &dyn Db, file: SourceFile) -> Option<Arc<FxHashMap<Name, Named>>> {
    let table = told_table(db, file)?;
    let names: FxHashMap<Name, Named> = table
        .resources()
        .map(|resource| (resource.acquire.name, named()))
        .collect();
    (!names.is_empty()).then(|| Arc::new(names))
}

/// Names of functions after which something is owed, say doc comments of the file's package and of those of the workspace that it
/// imports.
#[salsa::tracked(returns(clone))]
fn owed_names(db: &dyn Db, file: SourceFile) -> Option<Arc<FxHashMap<Name, Named>>> {
    let own = package_of_file(db, file);
    let imports = file_imports(db, file);
    let mut units = vec![own];
    units.extend(
        imports
            .named()
            .map(|(_, target)| target)
            .chain(imports.dots.iter().copied())
            .filter_map(|target| target.package)
            .filter(|unit| is_own(db, *unit)),
    );
    // What a test sees of its package is another unit.
    let base = package_index(db, own);
    let mut names: FxHashMap<Name, Named> = FxHashMap::default();
    if own.kind(db) != UnitKind::Normal
        && let Some(base) = &base.base
    {
        units.push(base.id);
    }
    for unit in units {
        names.extend(owed_in(db, unit).iter().map(|name| (*name, named())));
    }
    (!names.is_empty()).then(|| Arc::new(names))
}

/// Whether a unit is the user's own: neither in the module cache nor in a `vendor` folder.
fn is_own(db: &dyn Db, unit: PackageId) -> bool {
    let Some(dir) = unit.dir(db) else { return true };
    let path = dir.path(db);
    let cached = (Settings::get(db).environment(db).mod_cache.as_ref())
        .is_some_and(|cache| path.starts_with(cache));
    !cached && !path.components().any(|part| part.as_os_str() == "vendor")
}

/// Names of functions of a unit after which something is owed. Only texts are looked at as long as there is no directive.
#[salsa::tracked(returns(clone))]
fn owed_in(db: &dyn Db, unit: PackageId) -> Arc<Vec<Name>> {
    let mut names = Vec::new();
    let mut types: FxHashSet<Name> = FxHashSet::default();
    for file in package_files(db, unit).iter() {
        let directives = directives_of(db, *file);
        if directives.is_empty() {
            continue;
        }
        for (decl, told) in &directives.funcs {
            if told.must_call.is_some() {
                names.push(decl.name(db));
            }
        }
        for ((_, method), told) in &directives.methods {
            if told.must_call.is_some() {
                names.push(*method);
            }
        }
        types.extend(directives.types.keys());
    }
    if !types.is_empty() {
        let index = package_index(db, unit);
        for item in index.own_items() {
            let Item::Func(func) = item else { continue };
            let gives = func.sig.results.first().and_then(type_name);
            if gives.is_some_and(|ty| types.contains(&ty)) {
                names.push(func.name);
            }
        }
    }
    names.sort_unstable();
    names.dedup();
    Arc::new(names)
}

/// The name of a type of the same package, or of a pointer to it.
fn type_name(ty: &TypeRef) -> Option<Name> {
    match ty {
        TypeRef::Name(name) => Some(*name),
        TypeRef::Pointer(inner) => match &**inner {
            TypeRef::Pointer(_) => None,
            other => type_name(other),
        },
        TypeRef::Inst(generic, _) => type_name(generic),
        _ => None,
    }
}

/// What users say a call acquires.
pub(crate) fn acquirers(cx: &CheckContext<'_>, call: ExprId, target: Target) -> Vec<Acquirer> {
    let file = cx.decl.file(cx.db);
    let path = FuncPath {
        package: target.package,
        ty: target.ty,
        name: target.name,
    };
    let mut found = Vec::new();
    if let Some(table) = told_table(cx.db, file) {
        for resource in table.acquired_by(path) {
            if !cx.in_test || resource.tests {
                found.extend(acquirer(cx, call, path, resource));
            }
        }
        if table.acquired_by(path).next().is_some() {
            return found;
        }
    }
    if let Some(method) = owed(cx, call) {
        let resource = Resource {
            acquire: path,
            release: vec![Releaser::Method(method)],
            noun: None,
            result: Some(0),
            error: None,
            weight: None,
            tests: true,
        };
        found.extend(acquirer(cx, call, path, &resource));
    }
    found
}

/// The method that is owed of the first result of a call, say doc comments: that of the function, or of the type if it gives a new one.
fn owed(cx: &CheckContext<'_>, call: ExprId) -> Option<Name> {
    let callee = cx.facts().callees.get(call)?;
    let told = told_of_callee(cx.db, cx.decl, callee);
    if let Some(method) = told.and_then(|told| told.must_call) {
        return Some(method);
    }
    let Callee::Func(func) = callee else {
        return None;
    };
    let types = result_types(cx, call)?;
    let named = types.first()?.as_named_or_pointer()?;
    if named.package != func.package || named.local != 0 {
        return None;
    }
    let unit = package_of_file(cx.db, cx.decl.file(cx.db));
    let method = must_call_of_type(cx.db, unit, named.package, named.name)?;
    let summary = go_model::summary::of_callee(cx.db, cx.decl, callee)?;
    let made = matches!(summary.result(0), Origin::Composite(_) | Origin::Fresh(_));
    made.then_some(method)
}

/// Types of a call's results; `None` if they are not known.
fn result_types(cx: &CheckContext<'_>, call: ExprId) -> Option<Vec<Ty>> {
    let ty = cx.facts().types.get(call)?;
    match ty.kind() {
        TyKind::Unknown => None,
        TyKind::Tuple(all) => Some(all.clone()),
        _ => Some(vec![ty.clone()]),
    }
}

/// How many values a call gives where it stands, if that can be seen.
fn count_of_values(cx: &CheckContext<'_>, call: ExprId) -> usize {
    let tree = cx.tree;
    let is = |values: &[ExprId]| matches!(values, [only] if tree.unparen(*only) == call);
    tree.stmts
        .iter()
        .find_map(|(_, stmt)| match &stmt.kind {
            StmtKind::Assign { lhs, rhs, .. } if is(rhs) => Some(lhs.len()),
            StmtKind::Var(specs) => specs
                .iter()
                .find(|spec| is(&spec.values))
                .map(|spec| spec.names.len()),
            _ => None,
        })
        .unwrap_or(1)
}

fn acquirer(
    cx: &CheckContext<'_>,
    call: ExprId,
    path: FuncPath,
    resource: &Resource,
) -> Option<Acquirer> {
    let types = result_types(cx, call);
    let count = match &types {
        Some(types) => types.len(),
        None => count_of_values(cx, call),
    };
    let error = match (resource.error, &types) {
        (Some(error), _) => Some(usize::from(error)),
        (None, Some(types)) => types.len().checked_sub(1).filter(|i| types[*i].is_error()),
        // The package cannot be read: by convention.
        (None, None) => (count > 1).then(|| count - 1),
    };
    let result = match resource.result {
        Some(result) => usize::from(result),
        None => usize::from(error == Some(0)),
    };
    // The signature is another one than was thought of.
    if result >= count || error.is_some_and(|error| error >= count || error == result) {
        return None;
    }
    let ty = types.as_ref().map(|types| &types[result]);
    // `v, ok := p.Get()`: true says that there is one.
    let ok = error.is_none()
        && types.as_ref().is_some_and(|types| {
            result == 0 && types.len() == 2 && matches!(types[1].kind(), TyKind::Basic(Basic::Bool))
        });
    Some(Acquirer {
        kind: kind(cx, path, resource, ty),
        result,
        error,
        context: false,
        extra: if ok { Extra::CommaOk } else { Extra::None },
    })
}

fn kind(
    cx: &CheckContext<'_>,
    path: FuncPath,
    resource: &Resource,
    ty: Option<&Ty>,
) -> &'static Kind {
    let (mut methods, mut takers, mut call) = (Vec::new(), Vec::new(), false);
    for releaser in &resource.release {
        match releaser {
            Releaser::Method(name) => methods.push(name.as_str()),
            Releaser::Call => call = true,
            Releaser::PassedTo(to, argument) => takers.push(Taker {
                to: *to,
                argument: *argument,
            }),
        }
    }
    let first = resource.release.first().copied().unwrap_or(Releaser::Call);
    let (released, releasing) = words(first);
    let noun = match &resource.noun {
        Some(noun) => intern_text(noun),
        None => "resource",
    };
    let variable = if is_identifier(noun) && !is_keyword(noun) && noun.is_ascii() {
        noun
    } else {
        "res"
    };
    intern(Kind {
        rule: RULE,
        fix: fix(cx, path, first, ty, variable),
        noun,
        released,
        releasing,
        acquired: "acquired",
        release: intern_list(&methods),
        call,
        takers: intern_takers(&takers),
        ends_with_process: false,
        severity: resource.weight.map(|weight| match weight {
            Weight::Hint => Severity::Hint,
            Weight::Information => Severity::Information,
            Weight::Warning => Severity::Warning,
        }),
        told: Some(first),
        ..BASE
    })
}

/// What is done to a thing by its release.
fn words(releaser: Releaser) -> (&'static str, &'static str) {
    match releaser {
        Releaser::Call => ("called", "calling"),
        Releaser::Method(name) => match name.as_str() {
            "Close" => ("closed", "closing"),
            "Stop" => ("stopped", "stopping"),
            "End" => ("ended", "ending"),
            _ => ("released", "releasing"),
        },
        Releaser::PassedTo(..) => ("released", "releasing"),
    }
}

/// How users say that a thing of the kind is released, where its name does not tell.
pub(crate) fn note(kind: &Kind) -> Option<String> {
    match kind.told? {
        Releaser::Call => None,
        Releaser::Method(_) if kind.released != "released" => None,
        Releaser::Method(name) => Some(format!("`{name}` releases it")),
        Releaser::PassedTo(to, _) => {
            let to = Target {
                package: to.package,
                ty: to.ty,
                name: to.name,
            };
            Some(format!("`{to}` releases it"))
        }
    }
}

fn is_keyword(word: &str) -> bool {
    matches!(
        word,
        "break"
            | "case"
            | "chan"
            | "const"
            | "continue"
            | "default"
            | "defer"
            | "else"
            | "fallthrough"
            | "for"
            | "func"
            | "go"
            | "goto"
            | "if"
            | "import"
            | "interface"
            | "map"
            | "package"
            | "range"
            | "return"
            | "select"
            | "struct"
            | "switch"
            | "type"
            | "var"
    )
}

/// Why a fix with a method that was not found is not safe.
const UNSEEN: &str = "if it takes no arguments";

/// What a fix would write. Nothing where it is known that the call would not compile.
fn fix(
    cx: &CheckContext<'_>,
    acquire: FuncPath,
    releaser: Releaser,
    ty: Option<&Ty>,
    variable: &'static str,
) -> FixKind {
    let view = View::with_facts(cx.db, cx.decl.file(cx.db), cx.facts());
    let is_context = |ty: &Ty| ty.is_named("context", "Context");
    match releaser {
        Releaser::Call => match ty.map(Ty::kind) {
            Some(TyKind::Func(sig)) if !sig.params.is_empty() => FixKind::Nothing,
            _ => FixKind::Call(variable),
        },
        Releaser::Method(name) => {
            let method = |context, note| {
                FixKind::Method(Method {
                    name: name.as_str(),
                    context,
                    variable,
                    note,
                    once: true,
                })
            };
            let Some(info) = ty.and_then(|ty| view.method(ty, name).found()) else {
                return method(false, UNSEEN);
            };
            match info.ty.kind() {
                TyKind::Func(sig) => match &sig.params[..] {
                    [] => method(false, ""),
                    [only] if is_context(only) => {
                        method(true, "needs a context that is still alive")
                    }
                    [_] if sig.variadic => method(false, ""),
                    _ => FixKind::Nothing,
                },
                _ => method(false, UNSEEN),
            }
        }
        Releaser::PassedTo(to, argument) => {
            // With other arguments nobody knows what to write.
            let params = match to.ty {
                Some(_) if to.ty != acquire.ty || to.package != acquire.package => None,
                Some(ty) => {
                    let holder = Ty::named(to.package.as_str(), ty.as_str());
                    let info = view.method(&holder.pointer_to(), to.name).found();
                    info.and_then(|info| match info.ty.kind() {
                        TyKind::Func(sig) => Some(sig.params.len()),
                        _ => None,
                    })
                }
                None => match view.item(to.package, to.name) {
                    Some(infer::Item::Func(ty)) => match ty.kind() {
                        TyKind::Func(sig) => Some(sig.params.len()),
                        _ => None,
                    },
                    _ => None,
                },
            };
            if params == Some(1) && argument == 0 {
                FixKind::PassedTo(PassedTo { to, variable })
            } else {
                FixKind::Nothing
            }
        }
    }
}
