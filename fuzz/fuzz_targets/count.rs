//! Profiles as text: `debug=1`.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| stopleak_fuzz::check_text("goroutine profile: total 7\n", bytes));
