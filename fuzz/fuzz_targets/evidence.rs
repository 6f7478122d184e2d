//! Any bytes are read as evidence without a panic and within the limits, compressed or not.

#![no_main]

use leak_evidence::{Limits, read_with};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits {
        inflated: 1 << 20,
        ..Limits::default()
    };
    let Ok(profiles) = read_with(bytes, &limits) else {
        return;
    };
    for profile in &profiles {
        profile.totals();
        for sample in profile.samples() {
            assert_eq!(sample.values().len(), profile.types.len());
            sample.operation();
            sample.labels().count();
            for frame in sample.frames() {
                let frame = profile.frame(frame);
                leak_evidence::FunctionName::parse(profile.text(frame.function));
                profile.text(frame.file);
            }
            if let Some(creator) = sample.goroutines().and_then(|state| state.created_by) {
                profile.frame(creator);
            }
        }
    }
});
