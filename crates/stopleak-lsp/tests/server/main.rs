//! The server alone, for the tests of this crate. Debounce and jitter come from the environment.

use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let number = |name| {
        std::env::var(name)
            .ok()
            .and_then(|value| value.parse().ok())
    };
    stopleak_lsp::run(&stopleak_lsp::Options {
        debounce: number("STOPLEAK_TEST_DEBOUNCE").map(Duration::from_millis),
        jitter: number("STOPLEAK_TEST_JITTER"),
    })
}
