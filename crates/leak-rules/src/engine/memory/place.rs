//! Places that hold a collection for longer than one call.

use std::fmt;

use go_model::facts::Res;
use go_model::members::View;
use go_model::types::{Ty, TyKind};
use go_syntax::Name;
use go_syntax::ast::{ExprId, ExprKind};

use super::body::Body;

/// A package variable, or a field of a type of the package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Place {
    /// A package variable.
    Var(Name),
    /// A field of a declared type.
    Field(Name, Name),
    /// A field of a package variable whose type is a struct without a name.
    Inner(Name, Name),
}

impl Place {
    /// The name by which it is mentioned.
    pub(super) fn name(self) -> Name {
        match self {
            Self::Var(name) | Self::Field(_, name) | Self::Inner(_, name) => name,
        }
    }

    /// Whether other packages can get at it.
    pub(super) fn is_exported(self) -> bool {
        match self {
            Self::Var(name) => name.is_exported(),
            Self::Field(ty, name) | Self::Inner(ty, name) => ty.is_exported() && name.is_exported(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Var(name) => write!(f, "{name}"),
            Self::Field(ty, name) | Self::Inner(ty, name) => write!(f, "{ty}.{name}"),
        }
    }
}

/// What kind of collection it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Shelf {
    Map,
    Slice,
    /// `sync.Map`.
    SyncMap,
    /// `container/list.List`.
    List,
}

/// The kind of collection that a type is, or a pointer to it.
pub(super) fn shelf(view: &View<'_>, ty: &Ty) -> Option<Shelf> {
    let ty = match ty.kind() {
        TyKind::Pointer(inner) => inner,
        _ => ty,
    };
    if ty.is_named("sync", "Map") {
        return Some(Shelf::SyncMap);
    }
    if ty.is_named("container/list", "List") {
        return Some(Shelf::List);
    }
    match view.underlying(ty).kind() {
        TyKind::Map(..) => Some(Shelf::Map),
        TyKind::Slice(_) => Some(Shelf::Slice),
        _ => None,
    }
}

/// The place that an identifier or a selector is.
pub(super) fn place(body: &Body<'_>, expr: ExprId) -> Option<Place> {
    match body.facts.refs.get(expr)? {
        Res::Package(item) if item.package == body.path => {
            Some(Place::Var(item.name)).filter(|_| body.is_variable(item.name))
        }
        Res::Field {
            owner: Some(owner),
            name,
        } if owner.package == body.path => Some(Place::Field(owner.name, *name)),
        Res::Field { owner: None, name } => {
            let ExprKind::Selector { base, .. } = &body.tree[expr].kind else {
                return None;
            };
            match body.facts.refs.get(body.root(*base)) {
                Some(Res::Package(item))
                    if item.package == body.path && body.is_variable(item.name) =>
                {
                    Some(Place::Inner(item.name, *name))
                }
                _ => None,
            }
        }
        _ => None,
    }
}
