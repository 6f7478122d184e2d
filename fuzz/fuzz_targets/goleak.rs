//! goleak in the output of tests, also of `go test -json`.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| stopleak_fuzz::check_text("found unexpected goroutines:\n", bytes));
