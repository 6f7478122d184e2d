//! Findings about comments to stopleak rather than about leaks. They cannot be selected, and have pages as rules have.

use crate::{Severity, directives, suppress};

/// A name under which problems of comments to stopleak are reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetaRule {
    /// The name in kebab-case.
    pub name: &'static str,
    /// The severity it reports with.
    pub severity: Severity,
    /// One sentence without a full stop.
    pub summary: &'static str,
    /// Which fixes it offers, in a few words.
    pub fixes: &'static str,
    /// The whole documentation in Markdown, without a title. Headings are of the second level.
    pub docs: &'static str,
    /// The version of stopleak that brought it.
    pub since: &'static str,
}

static META: [MetaRule; 3] = [
    MetaRule {
        name: directives::INVALID,
        severity: Severity::Warning,
        summary: "a directive on ownership cannot be followed, or the code contradicts it",
        fixes: "write the directive as it is meant",
        docs: include_str!("meta/invalid-directive.md"),
        since: "0.1.0",
    },
    MetaRule {
        name: suppress::INVALID,
        severity: Severity::Warning,
        summary: "a suppression comment cannot be understood",
        fixes: "write the rule that is meant, or remove the comment",
        docs: include_str!("meta/invalid-suppression.md"),
        since: "0.1.0",
    },
    MetaRule {
        name: suppress::UNUSED,
        severity: Severity::Hint,
        summary: "a suppression comment silences nothing",
        fixes: "remove the comment, or the rule from it",
        docs: include_str!("meta/unused-suppression.md"),
        since: "0.1.0",
    },
];

/// All of them, sorted by name.
pub fn meta_rules() -> &'static [MetaRule] {
    &META
}

/// The one with this name.
pub fn meta_rule(name: &str) -> Option<&'static MetaRule> {
    META.iter().find(|rule| rule.name == name)
}
