//! Calls that never return.
//!
//! What the table of [`crate::effects`] says, what summaries found out about functions and literals of the workspace, and the one
//! idiom where the end of a chain of calls ends the process.

#![allow(missing_docs)] // What salsa's macros generate has no documentation.

use go_syntax::ast::{DeclTree, ExprId, ExprKind, StmtKind};
use rustc_hash::FxHashMap;

use crate::cfg::NoReturn;
use crate::db::{Db, DeclId};
use crate::effects;
use crate::facts::{Callee, Facts, LocalId, Res};
use crate::summary;

/// How a call ends if it never returns, as far as the table of known packages says.
pub fn known(tree: &DeclTree, facts: &Facts, call: ExprId) -> Option<NoReturn> {
    let callee = facts.callees.get(call)?;
    effects::no_return(callee).or_else(|| chained(tree, facts, call, callee))
}

/// `log.Fatal().Err(err).Msg("…")` of zerolog: sending an event that was made by `Fatal` ends the process, by `Panic` panics.
fn chained(tree: &DeclTree, facts: &Facts, call: ExprId, callee: &Callee) -> Option<NoReturn> {
    const ZEROLOG: &str = "github.com/rs/zerolog";
    let Callee::Method(m) = callee else {
        return None;
    };
    let sends = matches!(m.name.as_str(), "Msg" | "Msgf" | "MsgFunc" | "Send");
    if !sends || m.ty != "Event" || m.package != ZEROLOG {
        return None;
    }
    let mut at = call;
    while let Some(inner) = receiver_call(tree, at) {
        at = inner;
    }
    let name = match facts.callees.get(at)? {
        Callee::Func(f) if f.package == "github.com/rs/zerolog/log" => f.name,
        Callee::Method(m) if m.package == ZEROLOG && m.ty == "Logger" => m.name,
        _ => return None,
    };
    match name.as_str() {
        "Fatal" => Some(NoReturn { unwinds: false }),
        "Panic" => Some(NoReturn { unwinds: true }),
        _ => None,
    }
}

/// The call `f()` in `f().g()`.
fn receiver_call(tree: &DeclTree, call: ExprId) -> Option<ExprId> {
    let ExprKind::Call { func, .. } = tree[call].kind else {
        return None;
    };
    let ExprKind::Selector { base, .. } = tree[tree.unparen(func)].kind else {
        return None;
    };
    let base = tree.unparen(base);
    matches!(tree[base].kind, ExprKind::Call { .. }).then_some(base)
}

/// Local variables that hold a function literal and never anything else, with that literal.
pub fn closures(tree: &DeclTree, facts: &Facts) -> FxHashMap<LocalId, ExprId> {
    let mut found = FxHashMap::default();
    if facts.literals.iter().next().is_none() {
        return found;
    }
    let mut note = |local: LocalId, value: ExprId| {
        let value = tree.unparen(value);
        let l = &facts.locals[local];
        if l.assignments == 1
            && !l.address_taken
            && matches!(tree[value].kind, ExprKind::FuncLit(_))
        {
            found.insert(local, value);
        }
    };
    for (_, stmt) in tree.stmts.iter() {
        match &stmt.kind {
            StmtKind::Assign { lhs, rhs, .. } if lhs.len() == rhs.len() => {
                for (l, r) in lhs.iter().zip(rhs) {
                    if let Some(Res::Local(local)) = facts.refs.get(tree.unparen(*l)) {
                        note(*local, *r);
                    }
                }
            }
            StmtKind::Var(specs) => {
                for spec in specs.iter().filter(|s| s.names.len() == s.values.len()) {
                    for (name, value) in spec.names.iter().zip(&spec.values) {
                        let local = facts.locals.iter().find(|(_, l)| l.ident == *name);
                        if let Some((local, _)) = local {
                            note(local, *value);
                        }
                    }
                }
            }
            _ => {}
        }
    }
    found
}

/// How a call of a declared function ends if it never returns.
#[salsa::tracked(returns(copy))]
pub fn of_decl(db: &dyn Db, decl: DeclId) -> Option<NoReturn> {
    summary::of(db, decl).own.never_returns
}

/// Which calls in a declaration never return: known packages, functions of the package and of others in the workspace, literals
/// called at once or held by a local variable.
pub struct Calls<'a> {
    db: &'a dyn Db,
    decl: DeclId,
    tree: &'a DeclTree,
    facts: &'a Facts,
    closures: FxHashMap<LocalId, ExprId>,
    read: FxHashMap<Callee, Option<NoReturn>>,
}

impl<'a> Calls<'a> {
    /// For the calls in `decl`, of which `tree` and `facts` are.
    pub fn new(db: &'a dyn Db, decl: DeclId, tree: &'a DeclTree, facts: &'a Facts) -> Self {
        Self {
            db,
            decl,
            tree,
            facts,
            closures: closures(tree, facts),
            read: summary::never_returning_callees(db, decl),
        }
    }

    /// How a call ends if it never returns.
    pub fn get(&self, call: ExprId) -> Option<NoReturn> {
        let callee = self.facts.callees.get(call)?;
        let literal = match callee {
            Callee::Literal(literal) => *literal,
            Callee::Local(local) => *self.closures.get(local)?,
            _ => {
                return match self.read.get(callee) {
                    Some(found) => *found,
                    None => known(self.tree, self.facts, call),
                };
            }
        };
        summary::of_literal(self.db, self.decl, literal)?.never_returns
    }
}
