//! Prints the heaviest functions of a profile, as `go tool pprof -top` does: to compare sums and speed.
//!
//! `cargo run --release -p leak-evidence --example top -- heap.pb.gz`

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write as _};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("which file?")?;
    for profile in leak_evidence::read(File::open(path)?)? {
        let mut flat: HashMap<&str, i64> = HashMap::new();
        for sample in profile.samples() {
            if let Some(leaf) = sample.frames().next() {
                let function = profile.text(profile.frame(leaf).function);
                *flat.entry(function).or_default() += sample.values()[profile.main_type];
            }
        }
        let mut flat: Vec<_> = flat.into_iter().collect();
        flat.sort_by_key(|(function, value)| (std::cmp::Reverse(*value), *function));
        let mut out = io::stdout().lock();
        writeln!(
            out,
            "{}: {} samples, {:?}",
            profile.kind.name(),
            profile.sample_count(),
            profile.totals()
        )?;
        if let Some(cut) = profile.truncated {
            writeln!(out, "{cut}")?;
        }
        for (function, value) in flat.iter().take(10) {
            writeln!(out, "{value:>16} {function}")?;
        }
    }
    Ok(())
}
