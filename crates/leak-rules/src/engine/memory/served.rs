//! Types whose methods a server of remote procedure calls finds by itself: each call of an exported one is a request.

use std::sync::Arc;

use go_model::db::Db;
use go_model::facts::Callee;
use go_model::package::{PackageId, package_decls};
use go_syntax::Name;
use go_syntax::ast::{ExprId, ExprKind};

use super::body::{self, Body};
use super::index::mentioned;
use super::shape::own_type;

/// What is given a value to serve: path of the package, type of a method, name, and which argument the value is.
const REGISTERING: &[(&str, Option<&str>, &str, usize)] = &[
    ("net/rpc", None, "Register", 0),
    ("net/rpc", None, "RegisterName", 1),
    ("net/rpc", Some("Server"), "Register", 0),
    ("net/rpc", Some("Server"), "RegisterName", 1),
    (
        "github.com/ethereum/go-ethereum/rpc",
        Some("Server"),
        "RegisterName",
        1,
    ),
    (
        "github.com/filecoin-project/go-jsonrpc",
        Some("RPCServer"),
        "Register",
        1,
    ),
];

/// A field of a literal that holds a value to serve: path of the package, type, field.
const FIELDS: &[(&str, &str, &str)] = &[("github.com/ethereum/go-ethereum/rpc", "API", "Service")];

/// The types of a package that are served like that.
#[salsa::tracked(returns(clone))]
pub(super) fn served(db: &dyn Db, package: PackageId) -> Arc<[Name]> {
    let wanted: Vec<Name> = (REGISTERING.iter().map(|(.., name, _)| *name))
        .chain(FIELDS.iter().map(|(.., field)| *field))
        .map(Name::new)
        .collect();
    let mut found = Vec::new();
    for &decl in package_decls(db, package).iter() {
        let mentioned = mentioned(db, decl);
        if wanted.iter().any(|n| mentioned.binary_search(n).is_ok()) {
            found.extend(body::with(db, decl, of).unwrap_or_default());
        }
    }
    found.sort_unstable();
    found.dedup();
    found.into()
}

fn of(body: &Body<'_>) -> Vec<Name> {
    let mut found = Vec::new();
    for (id, expr) in body.tree.exprs.iter() {
        match &expr.kind {
            ExprKind::Call { args, .. } => found.extend(
                registered(body, id)
                    .and_then(|at| args.get(at))
                    .and_then(|value| own(body, *value)),
            ),
            ExprKind::Composite { elements, .. } => {
                let Some(ty) = body.ty(id).and_then(|ty| ty.as_named_or_pointer()) else {
                    continue;
                };
                for element in elements {
                    let field = element.key.and_then(|key| body.tree.ident(key));
                    let holds = field.is_some_and(|field| {
                        FIELDS.iter().any(|(package, name, wanted)| {
                            ty.package == *package && ty.name == *name && field.name == *wanted
                        })
                    });
                    if holds {
                        found.extend(own(body, element.value));
                    }
                }
            }
            _ => {}
        }
    }
    found
}

/// Which argument of a call is a value to serve.
fn registered(body: &Body<'_>, call: ExprId) -> Option<usize> {
    let (package, ty, name) = match body.callee(call)? {
        Callee::Func(f) => (f.package, None, f.name),
        Callee::Method(m) => (m.package, Some(m.ty), m.name),
        _ => return None,
    };
    let found = REGISTERING.iter().find(|(of, method_of, wanted, _)| {
        package == *of
            && name == *wanted
            && match (ty, method_of) {
                (Some(ty), Some(wanted)) => ty == *wanted,
                (None, None) => true,
                _ => false,
            }
    });
    found.map(|(.., at)| *at)
}

fn own(body: &Body<'_>, value: ExprId) -> Option<Name> {
    own_type(body, body.ty(body.tree.unparen(value))?)
}
