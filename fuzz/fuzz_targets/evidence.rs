//! Any bytes are read as evidence without a panic and within the limits, compressed or not.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| stopleak_fuzz::check_evidence(bytes));
