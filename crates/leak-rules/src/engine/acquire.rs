//! What a call acquires.
//!
//! Two questions are answered here and nowhere else: what a name may acquire, before anything is resolved ([`Names`]), and what a
//! resolved call acquires ([`acquirers`]). The table of kinds answers both; what is only known at run time comes on top: functions of the
//! workspace that acquire for their callers.

use std::borrow::Cow;
use std::sync::Arc;

use go_model::db::{Db, DeclId};
use go_model::members::View;
use go_model::types::{Ty, TyKind};
use go_syntax::Name;
use go_syntax::ast::{DeclTree, ExprId, ExprKind};

use super::find::last_name;
use super::function::{Target, target};
use super::kinds::{self, Acquirer, Extra, Named};
use super::told::{self, ToldNames};
use super::{hints, owners};
use crate::check::CheckContext;

/// What names may acquire in one declaration beyond what the table of kinds says.
pub(crate) struct Names {
    openers: Arc<Vec<(Name, Named)>>,
    told: ToldNames,
}

impl Names {
    /// For a declaration.
    pub(crate) fn of(db: &dyn Db, decl: DeclId) -> Self {
        Self {
            openers: hints::openers_called(db, decl),
            told: ToldNames::of(db, decl.file(db)),
        }
    }

    /// Nothing beyond the table.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self {
            openers: Arc::default(),
            told: ToldNames::default(),
        }
    }

    /// What something of this name may acquire, beyond the table of kinds.
    pub(crate) fn get(&self, name: Name) -> Option<&Named> {
        if let Some(named) = self.told.get(name) {
            return Some(named);
        }
        let found = self.openers.iter().find(|(n, _)| *n == name)?;
        Some(&found.1)
    }

    /// Whether something of this name may acquire.
    pub(crate) fn may_acquire(&self, name: Name) -> bool {
        kinds::may_acquire(name) || self.get(name).is_some()
    }
}

/// What a call (or a composite literal) in a declaration acquires: one entry per thing.
pub(crate) fn acquirers(
    cx: &CheckContext<'_>,
    call: ExprId,
) -> Option<(Target, Cow<'static, [Acquirer]>)> {
    if matches!(cx.tree[call].kind, ExprKind::Composite { .. }) {
        let named = cx.facts().types.get(call)?.as_named_or_pointer()?;
        let rows = kinds::acquirers(named.package, None, named.name);
        let target = Target {
            package: named.package,
            ty: None,
            name: named.name,
        };
        let literal = named.local == 0 && rows.iter().any(|row| row.extra == Extra::Literal);
        return literal.then_some((target, Cow::Borrowed(rows)));
    }
    let target = target(cx.tree, cx.facts(), call)?;
    let rows = kinds::acquirers(target.package, target.ty, target.name);
    if !rows.is_empty() {
        return Some((target, Cow::Borrowed(rows)));
    }
    let told = told::acquirers(cx, call, target);
    if !told.is_empty() {
        return Some((target, Cow::Owned(told)));
    }
    let callee = cx.facts().callees.get(call)?;
    let decl = go_model::summary::callee_decl(cx.db, cx.decl, callee)?;
    let opened = owners::opened(cx.db, decl);
    (!opened.is_empty()).then(|| (target, Cow::Owned(opened.to_vec())))
}

/// By these a stream or a watch is read. What gives one has any name in generated code, so that calls are asked for what they give by
/// their types where there is one of these.
pub(crate) const STREAM_READS: &[&str] = &["Recv", "RecvMsg", "CloseAndRecv", "ResultChan"];

/// Whether a declaration reads from a stream or a watch: a question before anything is resolved.
pub(crate) fn reads_stream(tree: &DeclTree) -> bool {
    tree.exprs.iter().any(|(_, expr)| match &expr.kind {
        ExprKind::Call { func, .. } => {
            last_name(tree, *func).is_some_and(|name| STREAM_READS.contains(&name.as_str()))
        }
        _ => false,
    })
}

/// A stream or a watch that a call gives, with an error, going by the types of its parameters and results.
pub(crate) fn stream(
    cx: &CheckContext<'_>,
    call: ExprId,
) -> Option<(Target, Cow<'static, [Acquirer]>)> {
    static WATCH: [Acquirer; 1] = [Acquirer {
        kind: &kinds::WATCH,
        result: 0,
        error: Some(1),
        context: true,
        extra: Extra::None,
    }];
    static GRPC: [Acquirer; 1] = [Acquirer {
        kind: &kinds::GRPC_STREAM,
        result: 0,
        error: Some(1),
        context: true,
        extra: Extra::Endless,
    }];
    let ExprKind::Call { func, .. } = &cx.tree[call].kind else {
        return None;
    };
    let facts = cx.facts();
    let TyKind::Tuple(results) = facts.types.get(call)?.kind() else {
        return None;
    };
    let [given, _] = &results[..] else {
        return None;
    };
    let target = target(cx.tree, facts, call)?;
    if given.is_named("k8s.io/apimachinery/pkg/watch", "Interface") {
        return (target.name == "Watch").then_some((target, Cow::Borrowed(&WATCH)));
    }
    // Generated methods end with `opts ...grpc.CallOption`.
    let TyKind::Func(sig) = facts.types.get(cx.tree.unparen(*func))?.kind() else {
        return None;
    };
    let is_option =
        |ty: &Ty| matches!(ty.kind(), TyKind::Slice(of) if of.is_named(GRPC_PATH, "CallOption"));
    if !sig.variadic || !sig.params.last().is_some_and(is_option) {
        return None;
    }
    let view = View::with_facts(cx.db, cx.decl.file(cx.db), facts);
    let method = view.method(given, Name::new("CloseSend")).found()?.method;
    (method.package == GRPC_PATH).then_some((target, Cow::Borrowed(&GRPC)))
}

const GRPC_PATH: &str = "google.golang.org/grpc";
