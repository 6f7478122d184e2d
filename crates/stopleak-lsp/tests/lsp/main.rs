//! Scripted sessions with the server over real standard input and output.
//!
//! What a server must get right, and where it is tested:
//!
//! | what | tests |
//! |---|---|
//! | messages take effect in their order, whatever overtakes what | `stress::sleeps_in_between_change_nothing` |
//! | no lock is held over an await | clippy's `await_holding_lock`; maps of the server hand out copies |
//! | changes apply one after another, from the last whole text on | `diagnostics::findings_come_and_go_with_the_text`, `what_stands_before_the_last_whole_text_does_not_matter` |
//! | incremental parses equal fresh ones, texts a model's, in three encodings | `stress::random_edits_leave_equal_texts_and_findings` |
//! | positions outside the text are clamped, columns are in the agreed encoding | `diagnostics::positions_beyond_…`, `columns_are_…` |
//! | old versions are ignored; what does not fit silences until the text is known | `diagnostics::old_versions_are_ignored`, `an_edit_that_does_not_fit_…` |
//! | a save compares the texts | `diagnostics::a_save_compares_the_texts` |
//! | no handler waits for the client, nor for one that does not read | `stress::a_flood_while_nobody_reads`, `exit_is_heard_while_nobody_reads` |
//! | typing goes on while the workspace is checked, which can be cancelled | `workspace::typing_goes_on_meanwhile`, `it_can_be_cancelled` |
//! | a pause gathers changes; equal findings are not published again | `diagnostics::a_pause_gathers_what_is_typed`, `equal_findings_…` |
//! | a panic costs one rule | `diagnostics::a_panic_of_a_rule_costs_that_rule_alone` |
//! | the process ends at `exit`, at the end of input, and with its parent | `life` |
//! | standard output has the protocol only | the client here reads nothing else |
//! | requests before, after and twice | `life::requests_before_…`, `requests_after_…`, `initialize_comes_once` |
//! | memory does not grow with edits | `stress::memory_does_not_grow_with_edits` |
//! | pulled or pushed, never both; equal results have equal names | `diagnostics::pulled_or_pushed_never_both` |
//! | settings for each folder; on type or on save; configurations that change, break, are watched or not | `configuration` |
//! | code actions: order, kinds, resolving, staleness; hovers; completion | `actions` |
//! | code lenses of evidence | `evidence` |

#![allow(clippy::unwrap_used)]

mod actions;
mod client;
mod configuration;
mod diagnostics;
mod evidence;
mod life;
mod stress;
mod workspace;
