//! Heap profiles as text: `debug=1`.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| stopleak_fuzz::check_text(
    "heap profile: 3: 1024 [10: 4096] @ heap/1048576\n",
    bytes
));
