//! Vectors of metrics side by side, of which one loses its series and the other keeps them.

use std::sync::Arc;

use go_model::db::{Db, DeclId};
use go_model::facts::{LocalKind, Res};
use go_model::package::{Item, PackageId, package_decls, package_index};
use go_syntax::ast::{DeclKind, ExprId, ExprKind};
use go_syntax::{Name, NodeId};
use rustc_hash::FxHashSet;

use super::body::{self, Body};
use super::index::{mentioned, who_mentions};
use super::labels::{CHOOSING, makes_vector};

/// The methods that take single series out of a vector.
const DELETING: &[&str] = &["DeleteLabelValues", "DeletePartialMatch", "Delete"];

/// A vector of metrics in a package variable.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Vector {
    name: Name,
    /// The names of its labels as they are spelled.
    labels: Vec<String>,
    /// Where series are taken out of it.
    deleted: Option<DeclId>,
    /// It may lose series in another way: all at once, or whoever else has it takes them out.
    other: bool,
}

/// A vector with the same label that loses series, by its name, and where it does.
pub(super) struct Loses {
    pub(super) label: String,
    pub(super) vector: Name,
    pub(super) decl: DeclId,
}

/// What loses series for the values of a label of a vector, where the vector itself never loses any. `at` is the position of the label,
/// or its spelled name.
pub(super) fn sibling(body: &Body<'_>, vector: ExprId, at: Label<'_>) -> Option<Loses> {
    let Some(Res::Package(item)) = body.facts.refs.get(body.tree.unparen(vector)) else {
        return None;
    };
    if item.package != body.path {
        return None;
    }
    let all = vectors(body.db, body.package);
    let own = all.iter().find(|v| v.name == item.name)?;
    let label = match at {
        Label::At(i) => own.labels.get(i)?,
        Label::Named(name) => own.labels.iter().find(|l| *l == name)?,
    };
    if own.deleted.is_some() || own.other {
        return None;
    }
    let loses = |v: &&Vector| v.labels.contains(label) && v.deleted.is_some();
    let other = all.iter().find(loses)?;
    Some(Loses {
        label: label.trim_matches('"').to_owned(),
        vector: other.name,
        decl: other.deleted?,
    })
}

/// Which label of a vector.
#[derive(Clone, Copy)]
pub(super) enum Label<'a> {
    /// By its position.
    At(usize),
    /// By its name, as it is spelled.
    Named(&'a str),
}

/// Whether a value may be a different one in each call: a parameter, or a part of one.
pub(super) fn is_given(body: &Body<'_>, value: ExprId) -> bool {
    let local = body.local(body.root(value));
    local.is_some_and(|l| body.facts.locals[l].kind == LocalKind::Param)
}

/// The vectors in the package variables of a package, if any of them loses series.
#[salsa::tracked(returns(clone))]
fn vectors(db: &dyn Db, package: PackageId) -> Arc<Vec<Vector>> {
    let deleting: Vec<Name> = DELETING.iter().map(|n| Name::new(n)).collect();
    let any = package_decls(db, package).iter().any(|decl| {
        let names = mentioned(db, *decl);
        deleting.iter().any(|n| names.binary_search(n).is_ok())
    });
    if !any {
        return Arc::default();
    }
    let index = package_index(db, package);
    let decls: FxHashSet<DeclId> = (index.own_items())
        .filter_map(|item| match item {
            Item::Value(value) if !value.is_const => Some(value.decl),
            _ => None,
        })
        .filter(|decl| {
            let names = mentioned(db, *decl);
            names.iter().any(|n| n.as_str().ends_with("Vec"))
        })
        .collect();
    let made = |decl: &DeclId| body::with(db, *decl, made).unwrap_or_default();
    let mut found: Vec<Vector> = decls.iter().flat_map(made).collect();
    found.sort_by_key(|v| v.name.as_str());
    for vector in &mut found {
        let mentions = who_mentions(db, package, vector.name);
        for &decl in mentions.iter().flat_map(|m| m.iter()) {
            body::with(db, decl, |body| look(body, vector));
        }
    }
    Arc::new(found)
}

/// The vectors that a declaration of variables makes.
fn made(body: &Body<'_>) -> Vec<Vector> {
    let DeclKind::Var(specs) = &body.tree.kind else {
        return Vec::new();
    };
    let pairs = specs
        .iter()
        .filter(|spec| spec.names.len() == spec.values.len())
        .flat_map(|spec| spec.names.iter().zip(&spec.values));
    let vectors = pairs.filter(|(_, value)| makes_vector(body, **value));
    vectors
        .map(|(name, value)| Vector {
            name: name.name,
            labels: labels(body, *value),
            deleted: None,
            other: false,
        })
        .collect()
}

fn labels(body: &Body<'_>, call: ExprId) -> Vec<String> {
    let Some(last) = body.args(body.tree.unparen(call)).last() else {
        return Vec::new();
    };
    match &body.tree[body.tree.unparen(*last)].kind {
        ExprKind::Composite { elements, .. } => elements
            .iter()
            .map(|e| spelled(body, e.value).unwrap_or_default())
            .collect(),
        _ => Vec::new(),
    }
}

/// A literal, or the name of a constant.
pub(super) fn spelled(body: &Body<'_>, expr: ExprId) -> Option<String> {
    let expr = body.tree.unparen(expr);
    match &body.tree[expr].kind {
        ExprKind::Literal(literal) => literal.text.as_deref().map(str::to_owned),
        ExprKind::Ident(name) => Some(name.to_string()),
        _ => None,
    }
}

/// What a declaration does with a vector.
fn look(body: &Body<'_>, vector: &mut Vector) {
    for (id, res) in body.facts.refs.iter() {
        let is = matches!(res, Res::Package(item) if item.package == body.path && item.name == vector.name);
        if !is || !matches!(body.tree[id].kind, ExprKind::Ident(_)) {
            continue;
        }
        let Some(NodeId::Expr(around)) = body.parent(id) else {
            vector.other = true;
            continue;
        };
        match &body.tree[around].kind {
            ExprKind::Selector { name, .. } => match name.name.as_str() {
                name if DELETING.contains(&name) => vector.deleted = Some(body.decl),
                name if CHOOSING.contains(&name) => {}
                "Describe" | "Collect" => {}
                _ => vector.other = true,
            },
            // Where it is registered, it loses nothing.
            ExprKind::Call { func, .. } => {
                let registers = matches!(&body.tree[body.tree.unparen(*func)].kind,
                    ExprKind::Selector { name, .. } if matches!(name.name.as_str(), "MustRegister" | "Register"));
                vector.other |= !registers;
            }
            _ => vector.other = true,
        }
    }
}
