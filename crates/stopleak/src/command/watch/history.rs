//! What was seen so far: bounded, however long somebody watches.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use leak_evidence::{Series, SeriesLine, Weights};

/// So many looks are remembered. When there are more, every second one is forgotten.
pub const MAX_LOOKS: usize = 360;
/// So many lines of a kind are remembered.
const MAX_LINES: usize = 2000;

/// What was seen so far.
#[derive(Default)]
pub struct History {
    looks: Vec<Duration>,
    kinds: Vec<Track>,
}

/// One kind of profile.
struct Track {
    first: Arc<Weights>,
    totals: Vec<i64>,
    lines: BTreeMap<(Arc<str>, u32), Past>,
}

/// A line of the code, over time.
struct Past {
    function: Arc<str>,
    values: Vec<i64>,
}

/// A profile with its name, the first one of its kind, and all of them.
pub type Seen = (String, Weights, Arc<Weights>, Series);

impl History {
    /// Adds a look, and gives each of its profiles with what came before. Kinds that were not seen this time stay as they were.
    pub fn add(&mut self, elapsed: Duration, loaded: Vec<(String, Weights)>) -> Vec<Seen> {
        let looks = self.looks.len() + 1;
        self.looks.push(elapsed);
        let mut seen = vec![false; self.kinds.len()];
        let mut now = Vec::new();
        for (source, weights) in loaded {
            let same = |track: &Track| {
                track.first.kind == weights.kind && track.first.types == weights.types
            };
            let at = self.kinds.iter().position(same).unwrap_or_else(|| {
                self.kinds.push(Track::new(&weights));
                seen.push(false);
                self.kinds.len() - 1
            });
            if std::mem::replace(&mut seen[at], true) {
                continue;
            }
            self.kinds[at].add(&weights, looks);
            now.push((source, weights, at));
        }
        for (track, seen) in self.kinds.iter_mut().zip(seen) {
            if !seen {
                track.repeat(looks);
            }
        }
        if looks > MAX_LOOKS {
            self.thin();
        }
        let times: Vec<Option<i64>> = self
            .looks
            .iter()
            .map(|look| i64::try_from(look.as_nanos()).ok())
            .collect();
        now.into_iter()
            .map(|(source, weights, at)| {
                let track = &self.kinds[at];
                (source, weights, track.first.clone(), track.series(&times))
            })
            .collect()
    }

    fn thin(&mut self) {
        keep_every_second(&mut self.looks);
        for track in &mut self.kinds {
            keep_every_second(&mut track.totals);
            for past in track.lines.values_mut() {
                keep_every_second(&mut past.values);
            }
        }
    }
}

impl Track {
    fn new(first: &Weights) -> Self {
        Self {
            first: Arc::new(first.clone()),
            totals: Vec::new(),
            lines: BTreeMap::new(),
        }
    }

    fn add(&mut self, weights: &Weights, looks: usize) {
        self.totals.resize(looks - 1, 0);
        self.totals.push(weights.total());
        for line in &weights.lines {
            let key = (line.place.path.clone(), line.place.line);
            if self.lines.len() >= MAX_LINES && !self.lines.contains_key(&key) {
                continue;
            }
            let past = self.lines.entry(key).or_insert_with(|| Past {
                function: line.function.clone(),
                values: Vec::new(),
            });
            past.values.resize(looks - 1, 0);
            past.values.push(weights.weight(line));
        }
        for past in self.lines.values_mut() {
            past.values.resize(looks, 0);
        }
    }

    fn repeat(&mut self, looks: usize) {
        let last = self.totals.last().copied().unwrap_or(0);
        self.totals.resize(looks, last);
        for past in self.lines.values_mut() {
            let last = past.values.last().copied().unwrap_or(0);
            past.values.resize(looks, last);
        }
    }

    fn series(&self, times: &[Option<i64>]) -> Series {
        Series {
            times: times.to_vec(),
            totals: self.totals.clone(),
            lines: self
                .lines
                .iter()
                .map(|((path, line), past)| SeriesLine {
                    path: path.clone(),
                    line: *line,
                    function: past.function.clone(),
                    values: past.values.clone(),
                })
                .collect(),
        }
    }
}

/// The first one stays, and the last one, which is now.
pub fn keep_every_second<T>(values: &mut Vec<T>) {
    let last = values.len().saturating_sub(1);
    let mut at = 0;
    values.retain(|_| {
        let keep = at % 2 == 0 || at == last;
        at += 1;
        keep
    });
}

#[cfg(test)]
mod tests {
    use super::keep_every_second;

    #[test]
    fn the_ends_stay() {
        let mut values = vec![0, 1, 2, 3];
        keep_every_second(&mut values);
        assert_eq!(values, [0, 2, 3]);
        keep_every_second(&mut values);
        assert_eq!(values, [0, 3]);
        let mut none: Vec<i32> = Vec::new();
        keep_every_second(&mut none);
        assert!(none.is_empty());
    }
}
