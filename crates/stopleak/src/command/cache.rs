//! `stopleak cache`.

use std::io::Write as _;

use crate::cache;
use crate::cli::{CacheArgs, CacheCommand};
use crate::exit::{Outcome, Status};

/// Shows or empties the cache.
pub fn run(args: &CacheArgs) -> Outcome {
    let Some(disk) = cache::disk() else {
        return Err(
            "there is no folder for caches; STOPLEAK_CACHE_DIR names one"
                .to_owned()
                .into(),
        );
    };
    let mut out = std::io::stdout().lock();
    match args.command {
        CacheCommand::Dir => writeln!(out, "{}", disk.root().display())?,
        CacheCommand::Clean => {
            let bytes = disk
                .clean()
                .map_err(|error| format!("cannot empty `{}`: {error}", disk.root().display()))?;
            writeln!(out, "removed {:.1} MB", bytes as f64 / 1e6)?;
        }
    }
    Ok(Status::Clean)
}
