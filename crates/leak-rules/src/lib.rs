//! The leak rules: engines, one file per rule, fixes, suppressions. No I/O, no LSP.
//!
//! Architecture invariants:
//! - what is computed about a declaration is relative to its start and independent of the rest of its file's text, so that a
//!   keystroke re-checks one declaration;
//! - fixes are text edits and are made last, from a [`engine::site::FixSite`] and the text as it stands;
//! - a panic in a rule loses that rule on that declaration and nothing else.

// The rules' documents show Go code, which is indented with tabs.
#![allow(clippy::tabs_in_doc_comments)]

pub mod check;
pub mod companion;
pub mod cost;
pub mod diagnostic;
pub mod directives;
pub mod edit;
pub mod engine;
pub mod fix;
mod meta;
pub mod rules;
pub mod suppress;
#[cfg(test)]
pub(crate) mod testing;

pub use check::{allocation_hints, check_decl, check_file};
pub use diagnostic::{Diagnostic, Edit, Fix, Related, Safety, Severity};
pub use meta::{MetaRule, meta_rule, meta_rules};
pub use rules::{Family, NEEDS_EVIDENCE, RuleMeta, rule, rules};

/// The rule that follows what a call of this function acquires, if one does without being told.
pub fn acquired_by(path: go_model::told::FuncPath) -> Option<&'static str> {
    engine::kinds::acquirers(path.package, path.ty, path.name)
        .first()
        .map(|acquirer| acquirer.kind.rule)
}
