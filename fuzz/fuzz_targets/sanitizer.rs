//! LeakSanitizer and AddressSanitizer.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| stopleak_fuzz::check_text(
    "Direct leak of 100 byte(s) in 1 object(s) allocated from:\n",
    bytes
));
