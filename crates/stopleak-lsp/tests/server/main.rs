//! The server alone, for the tests of this crate. Debounce, jitter and a rule that panics come from the environment.

use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let number = |name| {
        std::env::var(name)
            .ok()
            .and_then(|value| value.parse().ok())
    };
    if let Ok(rule) = std::env::var("STOPLEAK_TEST_PANIC") {
        let _ = leak_rules::check::PANICS.set(rule);
    }
    stopleak_lsp::run(&stopleak_lsp::Options {
        debounce: number("STOPLEAK_TEST_DEBOUNCE").map(Duration::from_millis),
        jitter: number("STOPLEAK_TEST_JITTER"),
    })
}
