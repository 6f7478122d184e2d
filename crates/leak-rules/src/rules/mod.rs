//! The rules: one file each, and their registry.
//!
//! A rule's file reads top to bottom: its specification as the module's documentation (headings in a fixed order), its metadata,
//! its check, its tests. The specification is what `stopleak rule NAME`, the generated pages and the editors show.

use std::sync::LazyLock;

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::Need;

pub mod abandoned_send;
pub mod blocked_under_lock;
pub mod defer_before_error_check;
pub mod defer_in_loop;
pub mod double_lock;
pub mod double_send;
pub mod dropped_cancel;
pub mod fan_out_send;
pub mod finalizer_retains_object;
pub mod goroutine_captures_large;
pub mod goroutine_without_exit;
pub mod growing_context;
pub mod ignored_context;
pub mod lock_order;
pub mod map_never_shrinks;
pub mod missing_timeout;
pub mod missing_unlock;
pub mod missing_wait_group_done;
pub mod nested_limited_group;
pub mod orphan_receive;
pub mod partially_built_owner;
pub mod per_call_client;
pub mod per_call_http_transport;
pub mod pool_put_without_reset;
pub mod pool_retains_large_buffer;
pub mod pool_stores_value;
pub mod range_over_unclosed_channel;
pub mod repeated_decoding;
pub mod retained_slice_tail;
pub mod retained_subslice;
pub mod retained_substring;
pub mod time_after_in_loop;
pub mod time_tick;
pub mod unbounded_goroutines;
pub mod unbounded_labels;
pub mod unbounded_map;
pub mod unbounded_slice;
pub mod unclosed_conn;
pub mod unclosed_file;
pub mod unclosed_http_body;
pub mod unclosed_listener;
pub mod unclosed_pipe;
pub mod unclosed_resource;
pub mod unclosed_sql_rows;
pub mod unclosed_sql_stmt;
pub mod unclosed_writer;
pub mod undrained_stream;
pub mod unended_span;
pub mod unfinished_sql_tx;
pub mod unfreed_c_memory;
pub mod unjoined_goroutine;
pub mod unjoined_goroutine_on_timeout;
pub mod unreachable_defer;
pub mod unreleased_sql_conn;
pub mod unremoved_temp;
pub mod unsignaled_cond;
pub mod unstopped_after_func;
pub mod unstopped_iterator;
pub mod unstopped_signal_notify;
pub mod unstopped_ticker;
pub mod unstopped_timer;
pub mod unstopped_worker;
pub mod unwaited_process;
pub mod wait_group_add_in_goroutine;
pub mod wrapper_drops_close;

/// The headings that every rule's documentation has, in this order.
pub const HEADINGS: [&str; 7] = [
    "What it does",
    "Why it leaks",
    "Example",
    "Use instead",
    "When it stays silent",
    "Fix safety",
    "References",
];

/// Rules that say more with a profile of the running program: see [`crate::allocation_hints`].
pub const NEEDS_EVIDENCE: [&str; 1] = [repeated_decoding::RULE.name];

/// What went wrong, seen from afar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// Something acquired was never released.
    Resources,
    /// Something waits for ever.
    Goroutines,
    /// Something is still referenced.
    Memory,
}

impl Family {
    /// The family's name as it is written in documents and settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Resources => "resources",
            Self::Goroutines => "goroutines",
            Self::Memory => "memory",
        }
    }
}

/// What a rule is called and what it promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleMeta {
    /// Its name in kebab-case: the only identifier, in settings, comments and addresses.
    pub name: &'static str,
    /// The family it belongs to.
    pub family: Family,
    /// The highest severity it reports with; version gates may lower a single finding.
    pub severity: Severity,
    /// One sentence without a full stop.
    pub summary: &'static str,
    /// The whole documentation in Markdown, without a title. Headings are of the second level.
    pub docs: String,
    /// Which fixes it offers, in a few words.
    pub fixes: &'static str,
    /// Analysers that report (part of) the same, as `tool` or `tool/check`.
    pub overlaps: &'static [&'static str],
    /// Whether it also runs on `_test.go` files.
    pub tests: bool,
    /// The version of stopleak that brought it.
    pub since: &'static str,
    /// Its source file, relative to the root of the repository.
    pub source: &'static str,
}

/// A rule as its file declares it.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) name: &'static str,
    pub(crate) family: Family,
    pub(crate) severity: Severity,
    pub(crate) summary: &'static str,
    pub(crate) fixes: &'static str,
    pub(crate) overlaps: &'static [&'static str],
    pub(crate) tests: bool,
    pub(crate) since: &'static str,
    pub(crate) source: &'static str,
    /// The text of the rule's file.
    pub(crate) text: &'static str,
    /// What must be in a declaration for the rule to look at it; any of them will do. What its kinds acquire counts without being
    /// named here.
    pub(crate) needs: &'static [Need],
    /// Looks at one declaration without syntax errors.
    pub(crate) check: fn(&CheckContext<'_>) -> Vec<RawFinding>,
}

static DECLARED: &[&Declared] = &[
    &abandoned_send::RULE,
    &blocked_under_lock::RULE,
    &defer_before_error_check::RULE,
    &defer_in_loop::RULE,
    &double_lock::RULE,
    &double_send::RULE,
    &dropped_cancel::RULE,
    &fan_out_send::RULE,
    &finalizer_retains_object::RULE,
    &goroutine_captures_large::RULE,
    &goroutine_without_exit::RULE,
    &growing_context::RULE,
    &ignored_context::RULE,
    &lock_order::RULE,
    &map_never_shrinks::RULE,
    &missing_timeout::RULE,
    &missing_unlock::RULE,
    &missing_wait_group_done::RULE,
    &nested_limited_group::RULE,
    &orphan_receive::RULE,
    &partially_built_owner::RULE,
    &per_call_client::RULE,
    &per_call_http_transport::RULE,
    &pool_put_without_reset::RULE,
    &pool_retains_large_buffer::RULE,
    &pool_stores_value::RULE,
    &range_over_unclosed_channel::RULE,
    &repeated_decoding::RULE,
    &retained_slice_tail::RULE,
    &retained_subslice::RULE,
    &retained_substring::RULE,
    &time_after_in_loop::RULE,
    &time_tick::RULE,
    &unbounded_goroutines::RULE,
    &unbounded_labels::RULE,
    &unbounded_map::RULE,
    &unbounded_slice::RULE,
    &unclosed_conn::RULE,
    &unclosed_file::RULE,
    &unclosed_http_body::RULE,
    &unclosed_listener::RULE,
    &unclosed_pipe::RULE,
    &unclosed_resource::RULE,
    &unclosed_sql_rows::RULE,
    &unclosed_sql_stmt::RULE,
    &unclosed_writer::RULE,
    &undrained_stream::RULE,
    &unended_span::RULE,
    &unfinished_sql_tx::RULE,
    &unfreed_c_memory::RULE,
    &unjoined_goroutine::RULE,
    &unjoined_goroutine_on_timeout::RULE,
    &unreachable_defer::RULE,
    &unreleased_sql_conn::RULE,
    &unremoved_temp::RULE,
    &unsignaled_cond::RULE,
    &unstopped_after_func::RULE,
    &unstopped_iterator::RULE,
    &unstopped_signal_notify::RULE,
    &unstopped_ticker::RULE,
    &unstopped_timer::RULE,
    &unstopped_worker::RULE,
    &unwaited_process::RULE,
    &wait_group_add_in_goroutine::RULE,
    &wrapper_drops_close::RULE,
];

static RULES: LazyLock<Vec<RuleMeta>> = LazyLock::new(|| {
    let mut rules: Vec<RuleMeta> = DECLARED
        .iter()
        .map(|rule| RuleMeta {
            name: rule.name,
            family: rule.family,
            severity: rule.severity,
            summary: rule.summary,
            docs: module_docs(rule.text),
            fixes: rule.fixes,
            overlaps: rule.overlaps,
            tests: rule.tests,
            since: rule.since,
            source: rule.source,
        })
        .collect();
    rules.sort_by_key(|rule| rule.name);
    rules
});

/// All rules, sorted by name.
pub fn rules() -> &'static [RuleMeta] {
    &RULES
}

/// All rules as their files declare them.
pub(crate) fn declared() -> impl Iterator<Item = &'static Declared> {
    DECLARED.iter().copied()
}

/// The rule with this name.
pub fn rule(name: &str) -> Option<&'static RuleMeta> {
    RULES
        .binary_search_by_key(&name, |rule| rule.name)
        .ok()
        .map(|index| &RULES[index])
}

/// The `//!` lines at the top of a source file, with first-level headings made second-level ones.
fn module_docs(text: &str) -> String {
    let mut docs = String::new();
    let mut in_code = false;
    for line in text.lines() {
        let Some(line) = line.strip_prefix("//!") else {
            break;
        };
        let line = line.strip_prefix(' ').unwrap_or(line);
        if line.starts_with("```") {
            in_code = !in_code;
        }
        if !in_code && line.starts_with("# ") {
            docs.push('#');
        }
        docs.push_str(line);
        docs.push('\n');
    }
    docs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_its_headings_in_order() {
        for rule in rules() {
            let found: Vec<&str> = rule
                .docs
                .lines()
                .filter_map(|line| line.strip_prefix("## "))
                .collect();
            assert_eq!(found, HEADINGS, "{}", rule.name);
            assert!(!rule.summary.ends_with('.'), "{}", rule.name);
        }
    }

    #[test]
    fn rules_are_found_by_name() {
        for meta in rules() {
            assert_eq!(rule(meta.name), Some(meta));
            assert!(
                meta.source
                    .ends_with(&format!("{}.rs", meta.name.replace('-', "_")))
            );
        }
        assert_eq!(rule("no-such-rule"), None);
    }
}
