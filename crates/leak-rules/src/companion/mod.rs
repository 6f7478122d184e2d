//! Actions that need no finding: they make leaks show that no reading of code can show.
//!
//! [`leak_test`] lets the tests of a package fail when they leave goroutines behind, [`in_bubble`] does that for one test, and
//! [`serve_pprof`] lets a program tell what it holds. Like fixes they are text only, and what they write compiles; whoever calls
//! them writes the files.

use std::path::PathBuf;

use go_model::db::{Db, Directory, SourceFile};
use go_model::package::{Group, UnitKind, directory_units, package_index, package_of_file};
use go_syntax::{Name, ast};

use crate::Edit;

mod bubble;
mod leak_test;
mod pprof;

pub use bubble::in_bubble;
pub use leak_test::{LeakCheck, leak_test};
pub use pprof::serve_pprof;

/// What an action changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Companion {
    /// What it does, in the imperative, for a menu.
    pub title: String,
    /// The files that it changes, each once.
    pub changes: Vec<Change>,
    /// What the user has to do besides, if anything: a command.
    pub then: Option<String>,
}

/// A change of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A new file; nothing is there yet.
    Create(PathBuf, String),
    /// Edits of a file, sorted.
    Edit(SourceFile, Vec<Edit>),
}

/// Why an action is not possible here, as a sentence without its full stop.
pub type Refusal = String;

/// The one package of a directory, for the configured build.
fn package_in(db: &dyn Db, dir: Directory) -> Result<Group, Refusal> {
    let units = directory_units(db, dir, None);
    match &*units.groups {
        [] => Err("there is no Go package here".to_owned()),
        [group] => Ok(group.clone()),
        [first, second, ..] => Err(format!(
            "there are several packages here: `{}` and `{}`",
            first.name, second.name
        )),
    }
}

/// A name for a new file in a directory: the first of `stem`, `stem2`, … that is free.
fn free_file(db: &dyn Db, dir: Directory, stem: &str, suffix: &str) -> PathBuf {
    let listing = dir.listing(db).unwrap_or_default();
    let taken = |name: &str| listing.go_files.iter().any(|file| &**file == name);
    let mut name = format!("{stem}{suffix}");
    let mut number = 2;
    while taken(&name) {
        name = format!("{stem}{number}{suffix}");
        number += 1;
    }
    dir.path(db).join(name)
}

/// Asks that nothing in the package of `file` has one of these names, which a new file of it declares or imports.
fn free_names(db: &dyn Db, file: SourceFile, names: &[&str]) -> Result<(), Refusal> {
    let package = package_of_file(db, file);
    let mut index = Some(package_index(db, package));
    while let Some(unit) = index {
        for name in names {
            if let Some(item) = unit.item(Name::new(name)) {
                return Err(format!("the package declares `{}` itself", item.name()));
            }
        }
        index = unit.base.clone();
    }
    Ok(())
}

/// The function of that name without receiver in a file, with its position among the declarations.
fn function<'a>(file: &'a ast::File, name: &str) -> Option<(&'a ast::Decl, &'a ast::FuncDecl)> {
    file.decls.iter().find_map(|decl| match &decl.tree.kind {
        ast::DeclKind::Func(func) if func.receiver.is_none() && func.name.name == name => {
            Some((decl, func))
        }
        _ => None,
    })
}

/// Which units of a group hold tests, those inside the package first.
fn test_units(group: &Group) -> impl Iterator<Item = (UnitKind, &[SourceFile])> {
    [
        (UnitKind::Test, &*group.test),
        (UnitKind::External, &*group.external),
    ]
    .into_iter()
    .filter(|(_, files)| !files.is_empty())
}

#[cfg(test)]
mod tests;
