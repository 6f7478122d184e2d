//! Goroutine dumps: `debug=2`, panics, SIGQUIT.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| stopleak_fuzz::check_text("goroutine 7 [chan send]:\n", bytes));
