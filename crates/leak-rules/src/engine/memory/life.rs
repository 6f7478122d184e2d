//! Types whose values live as long as the process.

use go_model::db::{Db, DeclSort};
use go_model::facts::ItemRef;
use go_model::members::View;
use go_model::outline::TypeRef;
use go_model::package::{
    Item, PackageId, import_path, package_index, package_item, package_methods,
};
use go_model::types::{Ty, TyKind};
use go_syntax::Name;

use super::index::{fields, who_mentions};
use super::repeat::{Runs, repeated};
use super::shape::shape;

/// Why values of a type live long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// A package variable holds one.
    Variable(Name),
    /// Its methods, or functions that hold one, answer requests.
    Serves,
    /// One of its methods waits for work in a loop.
    Works,
    /// `main` holds one.
    Main,
    /// A value of this type holds one.
    Held(Name),
}

/// How far holders of holders are followed.
const MAX_HOLDERS: u32 = 3;

/// Whether values of a declared type of the package live as long as the process, as far as that can be seen.
pub(super) fn life(db: &dyn Db, package: PackageId, ty: Name) -> Option<Life> {
    of(db, package, ty, MAX_HOLDERS)
}

fn of(db: &dyn Db, package: PackageId, ty: Name, depth: u32) -> Option<Life> {
    let found = reason(db, package, ty, depth)?;
    (!is_made_again(db, package, ty)).then_some(found)
}

fn reason(db: &dyn Db, package: PackageId, ty: Name, depth: u32) -> Option<Life> {
    if let Some(name) = variable(db, package, ty) {
        return Some(Life::Variable(name));
    }
    for method in package_methods(db, package, ty).iter() {
        let shape = shape(db, method.decl);
        if shape.works {
            return Some(Life::Works);
        }
        if shape.serves.contains(&ty) {
            return Some(Life::Serves);
        }
    }
    let mentions = who_mentions(db, package, ty)?;
    for &decl in mentions.iter() {
        if decl.sort(db) != DeclSort::Func {
            continue;
        }
        let shape = shape(db, decl);
        if shape.serves.contains(&ty) {
            return Some(Life::Serves);
        }
    }
    if package.name(db) == "main"
        && let Some(Item::Func(main)) = package_item(db, package, Name::new("main"))
        && shape(db, main.decl).holds.contains(&ty)
    {
        return Some(Life::Main);
    }
    let depth = depth.checked_sub(1)?;
    let index = package_index(db, package);
    let mut holders: Vec<Name> = Vec::new();
    for item in index.own_items() {
        if !matches!(item, Item::Type(_)) {
            continue;
        }
        fields(item, &mut |holder, _, field| {
            let inner = match field {
                TypeRef::Pointer(inner) => inner,
                other => other,
            };
            if holder != ty && matches!(inner, TypeRef::Name(name) if *name == ty) {
                holders.push(holder);
            }
        });
    }
    holders.sort_unstable();
    holders.dedup();
    holders
        .into_iter()
        .find(|holder| of(db, package, *holder, depth).is_some())
        .map(Life::Held)
}

/// The package variable that holds a value of a type and is not set again later.
fn variable(db: &dyn Db, package: PackageId, ty: Name) -> Option<Name> {
    let index = package_index(db, package);
    let wanted = ItemRef {
        package: import_path(db, package),
        name: ty,
    };
    let mut names: Vec<Name> = index
        .own_items()
        .filter_map(|item| match item {
            Item::Value(value) if !value.is_const => {
                let view = View::new(db, value.decl.file(db));
                match view.item(wanted.package, value.name)? {
                    go_model::infer::Item::Var(found) => {
                        is_of(&found, wanted).then_some(value.name)
                    }
                    _ => None,
                }
            }
            _ => None,
        })
        .collect();
    names.sort_unstable();
    names.into_iter().find(|name| !is_set(db, package, *name))
}

fn is_of(ty: &Ty, wanted: ItemRef) -> bool {
    let named = match ty.kind() {
        // `atomic.Pointer[T]` is set again by its nature.
        TyKind::Named(_) | TyKind::Pointer(_) => ty.as_named_or_pointer(),
        _ => None,
    };
    named.is_some_and(|n| n.local == 0 && n.package == wanted.package && n.name == wanted.name)
}

/// Whether a package variable gets another value in code that runs more than once.
fn is_set(db: &dyn Db, package: PackageId, name: Name) -> bool {
    let Some(mentions) = who_mentions(db, package, name) else {
        return false;
    };
    mentions
        .iter()
        .any(|&decl| shape(db, decl).sets.contains(&name) && repeated(db, decl, 0).is_some())
}

/// Whether values of a type are made in code that runs again and again: each of them may live as short as it likes.
pub(super) fn is_made_again(db: &dyn Db, package: PackageId, ty: Name) -> bool {
    let Some(mentions) = who_mentions(db, package, ty) else {
        return false;
    };
    mentions.iter().any(|&decl| {
        shape(db, decl)
            .makes
            .iter()
            .filter(|(name, _)| *name == ty)
            .any(|(_, runs)| match runs {
                Runs::Once => false,
                Runs::Handler | Runs::Loop => true,
                Runs::Function => repeated(db, decl, 0).is_some(),
            })
    })
}

/// Whether a value of a type is set as a whole somewhere in the package.
pub(super) fn is_overwritten(db: &dyn Db, package: PackageId, ty: Name) -> bool {
    let Some(mentions) = who_mentions(db, package, ty) else {
        return false;
    };
    mentions
        .iter()
        .any(|&decl| shape(db, decl).overwrites.contains(&ty))
}
