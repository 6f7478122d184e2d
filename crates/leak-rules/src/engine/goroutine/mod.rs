//! The goroutine engine: who can still wake it?
//!
//! [`uses`] says what a declaration does with a channel, a wait group or a lock, and in which goroutine; [`paths`] searches the paths of
//! one function for one on which a question is answered with yes, with conditions that are asked twice answered the same way. The other
//! modules ask: is there a path on which the goroutine waits and nobody comes?
//!
//! Architecture invariant: a primitive that escapes (returned, stored, given to something that is not known) has unknown partners, and
//! nothing is reported of it.

use go_syntax::TextRange;
use go_syntax::ast::{DeclTree, ExprId, StmtId};

use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::{Need, Syntax};
use crate::engine::function::Depth;
use crate::engine::runs_once;

mod abandoned;
pub(crate) mod blocked;
pub(crate) mod blocked_field;
mod callers;
pub(crate) mod channel;
pub(crate) mod cond;
pub(crate) mod context;
mod contract;
mod control;
mod effect;
pub(crate) mod endless;
pub(crate) mod field;
pub(crate) mod group;
pub(crate) mod held;
pub(crate) mod ignored;
pub(crate) mod join;
mod joined;
pub(crate) mod lock;
pub(crate) mod object;
pub(crate) mod order;
pub(crate) mod paths;
pub(crate) mod relock;
mod remedy;
pub(crate) mod resend;
pub(crate) mod unbounded;
mod unclosed;
pub(crate) mod uses;
pub(crate) mod waitgroup;
pub(crate) mod worker;

/// What there is in a declaration that makes a channel and lets somebody else use it.
pub(crate) const CHANNEL_NEEDS: &[Need] = &[
    Need::syntax(Syntax::GO.and(Syntax::CHAN)),
    Need::names(&["Go"]).and(Syntax::CHAN),
];

/// What there is in a declaration that receives from such a channel, or from one of an object.
pub(crate) const ORPHAN_NEEDS: &[Need] = &[
    Need::syntax(Syntax::GO.and(Syntax::CHAN)),
    Need::names(&["Go"]).and(Syntax::CHAN),
    Need::syntax(Syntax::RECEIVE),
];

/// What there is in a declaration that ranges over such a channel, or over one of an object.
pub(crate) const RANGE_NEEDS: &[Need] = &[
    Need::syntax(Syntax::GO.and(Syntax::CHAN)),
    Need::names(&["Go"]).and(Syntax::CHAN),
    Need::syntax(Syntax::RANGE),
];

/// What there is in a declaration that sends on such a channel, or on one of an object.
pub(crate) const ABANDONED_NEEDS: &[Need] = &[
    Need::syntax(Syntax::GO.and(Syntax::CHAN)),
    Need::names(&["Go"]).and(Syntax::CHAN),
    Need::syntax(Syntax::SEND),
];

/// What there is in a declaration that sends twice: on a channel of its own, or on one that it is given.
pub(crate) const SEND_NEEDS: &[Need] = &[
    Need::syntax(Syntax::GO.and(Syntax::CHAN)),
    Need::names(&["Go"]).and(Syntax::CHAN),
    Need::syntax(Syntax::SEND),
];

/// What there is in a declaration that starts a goroutine and may wait for it.
pub(crate) const JOIN_NEEDS: &[Need] = &[
    Need::syntax(Syntax::GO.and(Syntax::CHAN)),
    Need::names(&["Wait"]).and(Syntax::GO),
    Need::names(&["Go"]),
];

/// Where a goroutine is started: from the statement's beginning to the body of the literal that it runs. The whole statement where it runs
/// something else, or a literal that stands elsewhere.
fn start_range(tree: &DeclTree, stmt: StmtId, literal: Option<ExprId>) -> TextRange {
    let whole = tree[stmt].range;
    match literal.and_then(|l| tree.func_lit(l)) {
        Some(lit) if whole.contains_range(lit.body.range) => {
            TextRange::new(whole.start(), lit.signature.range.end())
        }
        _ => whole,
    }
}

/// What `at` finds, unless the declaration runs once in the life of the process. Called functions are looked into only where something is
/// found without.
fn if_it_may_run_often(
    cx: &CheckContext<'_>,
    at: impl Fn(Depth) -> Vec<RawFinding>,
) -> Vec<RawFinding> {
    if at(Depth::Shallow).is_empty() {
        return Vec::new();
    }
    let found = at(Depth::Full);
    if found.is_empty() || runs_once(cx) {
        return Vec::new();
    }
    found
}
