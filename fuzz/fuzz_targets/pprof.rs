//! profile.proto.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // The empty string that all tables begin with; text does not begin like this.
    let mut profile = vec![0x32, 0];
    profile.extend_from_slice(bytes);
    stopleak_fuzz::check_evidence(&profile);
});
