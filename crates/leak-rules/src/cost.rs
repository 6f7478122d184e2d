//! Which part of the rules takes how long, for benchmarks.
//!
//! Nothing is measured unless somebody asks, and then for the whole process.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::Family;

/// Something that takes time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Finding out which rules have something to look for in a declaration.
    Choice,
    /// Names and types in the declarations that a rule looks at.
    Facts,
    /// The rules of a family. What several rules share counts for the first that asks for it.
    Rules(Family),
    /// What a package does with its collections: the part of the memory rules that asks all of a package.
    Growth,
}

impl Part {
    /// All parts, in the order in which they come.
    pub const ALL: [Self; 6] = [
        Self::Choice,
        Self::Facts,
        Self::Rules(Family::Resources),
        Self::Rules(Family::Goroutines),
        Self::Rules(Family::Memory),
        Self::Growth,
    ];

    /// What it is called in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Choice => "which rules to ask",
            Self::Facts => "names and types",
            Self::Rules(family) => family.name(),
            Self::Growth => "what grows in a package",
        }
    }

    fn index(self) -> usize {
        Self::ALL.iter().position(|part| *part == self).unwrap_or(0)
    }
}

static MEASURED: AtomicBool = AtomicBool::new(false);
static NANOSECONDS: [AtomicU64; Part::ALL.len()] = [const { AtomicU64::new(0) }; Part::ALL.len()];

/// From now on time is measured.
pub fn measure() {
    MEASURED.store(true, Ordering::Relaxed);
}

/// How long a part took so far, all threads together.
pub fn taken(part: Part) -> Duration {
    Duration::from_nanos(NANOSECONDS[part.index()].load(Ordering::Relaxed))
}

pub(crate) fn measured() -> bool {
    MEASURED.load(Ordering::Relaxed)
}

thread_local! {
    /// How long the parts took that ran inside of the one that runs now.
    static INSIDE: Cell<u64> = const { Cell::new(0) };
}

/// Runs `f`, which is part of `part`. What runs inside of it as another part counts for that one only.
pub(crate) fn of<T>(part: Part, f: impl FnOnce() -> T) -> T {
    if !measured() {
        return f();
    }
    let before = INSIDE.replace(0);
    let started = Instant::now();
    let result = f();
    let whole = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let own = whole.saturating_sub(INSIDE.get());
    INSIDE.set(before.saturating_add(whole));
    NANOSECONDS[part.index()].fetch_add(own, Ordering::Relaxed);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_measured_unless_somebody_asks() {
        let nap = || std::thread::sleep(Duration::from_millis(1));
        of(Part::Rules(Family::Memory), nap);
        assert_eq!(taken(Part::Rules(Family::Memory)), Duration::ZERO);
        assert_eq!(of(Part::Facts, || 1), 1);
        assert!(Part::ALL.iter().enumerate().all(|(i, p)| p.index() == i));
    }
}
