//! What grew between profiles.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::weigh::Weights;

/// How a line changed between two profiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The file.
    pub path: Arc<str>,
    /// The line.
    pub line: u32,
    /// Its own values in the first profile.
    pub before: Vec<i64>,
    /// Its own values in the second.
    pub after: Vec<i64>,
}

/// What grew from one profile to another of the same kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Growth {
    /// By path and line.
    lines: BTreeMap<(Arc<str>, u32), Change>,
    /// The sums of the first profile.
    pub before: Vec<i64>,
    /// The sums of the second.
    pub after: Vec<i64>,
    /// Whether the second was taken after the first; `None` if they do not tell.
    pub in_order: Option<bool>,
}

impl Growth {
    /// From `base` to `now`; `None` if they count different things.
    pub fn between(base: &Weights, now: &Weights) -> Option<Self> {
        if base.types != now.types {
            return None;
        }
        let zero = || vec![0; now.types.len()];
        let mut lines: BTreeMap<_, Change> = BTreeMap::new();
        let both = base
            .lines
            .iter()
            .map(|line| (line, false))
            .chain(now.lines.iter().map(|line| (line, true)));
        for (line, after) in both {
            let change = lines
                .entry((line.place.path.clone(), line.place.line))
                .or_insert_with(|| Change {
                    path: line.place.path.clone(),
                    line: line.place.line,
                    before: zero(),
                    after: zero(),
                });
            let values = if after {
                &mut change.after
            } else {
                &mut change.before
            };
            values.clone_from(&line.own);
        }
        Some(Self {
            lines,
            before: base.totals.clone(),
            after: now.totals.clone(),
            in_order: base.time.zip(now.time).map(|(base, now)| now > base),
        })
    }

    /// How a line changed.
    pub fn line(&self, path: &str, line: u32) -> Option<&Change> {
        self.lines.get(&(Arc::from(path), line))
    }

    /// By how much a value of a line grew; negative if it shrank.
    pub fn of(&self, path: &str, line: u32, value: usize) -> i64 {
        self.line(path, line).map_or(0, |change| change.by(value))
    }

    /// All lines.
    pub fn lines(&self) -> impl Iterator<Item = &Change> {
        self.lines.values()
    }
}

impl Change {
    /// By how much a value grew; negative if it shrank.
    pub fn by(&self, value: usize) -> i64 {
        let at = |values: &[i64]| values.get(value).copied().unwrap_or(0);
        at(&self.after).saturating_sub(at(&self.before))
    }
}

/// Several profiles of one kind, in the order in which they were taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// When each was taken.
    pub times: Vec<Option<i64>>,
    /// Their sums of the type that is of interest first.
    pub totals: Vec<i64>,
    /// The lines that had the most at any time, most first.
    pub lines: Vec<SeriesLine>,
}

/// A line over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesLine {
    /// The file.
    pub path: Arc<str>,
    /// The line.
    pub line: u32,
    /// The function as recorded.
    pub function: Arc<str>,
    /// Its own value in each profile.
    pub values: Vec<i64>,
}

impl SeriesLine {
    /// It has more at the end than at the beginning, and seldom less than before: it grows, and not only goes up and down.
    pub fn grows(&self) -> bool {
        grows(&self.values)
    }
}

impl Series {
    /// Of profiles in any order; those that tell when they were taken are put in order. All must count what the first one counts;
    /// others are left out.
    pub fn of(profiles: &[&Weights]) -> Self {
        let first = profiles.first().map(|weights| &weights.types);
        let mut profiles: Vec<_> = profiles
            .iter()
            .filter(|weights| Some(&weights.types) == first)
            .collect();
        if profiles.iter().all(|weights| weights.time.is_some()) {
            profiles.sort_by_key(|weights| weights.time);
        }
        let mut lines: BTreeMap<(Arc<str>, u32), SeriesLine> = BTreeMap::new();
        for (index, weights) in profiles.iter().enumerate() {
            for line in &weights.lines {
                let entry = lines
                    .entry((line.place.path.clone(), line.place.line))
                    .or_insert_with(|| SeriesLine {
                        path: line.place.path.clone(),
                        line: line.place.line,
                        function: line.function.clone(),
                        values: vec![0; profiles.len()],
                    });
                entry.values[index] = weights.weight(line);
            }
        }
        let mut lines: Vec<_> = lines.into_values().collect();
        let most = |line: &SeriesLine| line.values.iter().copied().max().unwrap_or(0);
        lines.sort_by(|a, b| (most(b), &a.path, a.line).cmp(&(most(a), &b.path, b.line)));
        Self {
            times: profiles.iter().map(|weights| weights.time).collect(),
            totals: profiles.iter().map(|weights| weights.total()).collect(),
            lines,
        }
    }
}

fn grows(values: &[i64]) -> bool {
    let (Some(first), Some(last)) = (values.first(), values.last()) else {
        return false;
    };
    let steps = values.windows(2).count();
    let down = values.windows(2).filter(|pair| pair[1] < pair[0]).count();
    last > first && down * 3 <= steps
}

#[cfg(test)]
mod tests {
    use super::grows;

    #[test]
    fn up_and_down_is_no_growth() {
        assert!(grows(&[1, 2, 3]));
        assert!(grows(&[1, 1, 5]));
        assert!(grows(&[1, 4, 3, 6]));
        assert!(!grows(&[1, 9, 1, 9, 1, 9]));
        assert!(!grows(&[3, 3, 3]));
        assert!(!grows(&[5]));
        assert!(!grows(&[]));
    }
}
