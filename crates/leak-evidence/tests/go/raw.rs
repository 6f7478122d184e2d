//! What `go tool pprof -raw` says about a profile.

#![allow(dead_code, clippy::unwrap_used)] // Its form is known, and it is used in tests and measurements only.

use std::collections::BTreeMap;

/// A place as it is recorded: function, file, line.
pub type Recorded = (String, String, u32);

/// What `go tool pprof -raw` says: for each place what its samples' values add up to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Raw {
    pub totals: Vec<i64>,
    /// At the leaf.
    pub flat: BTreeMap<Recorded, Vec<i64>>,
    /// Anywhere in the stack, once for each sample.
    pub cumulative: BTreeMap<Recorded, Vec<i64>>,
    /// The line of `func`.
    pub start_lines: BTreeMap<Recorded, u32>,
}

pub fn add(to: &mut Vec<i64>, values: &[i64]) {
    to.resize(values.len(), 0);
    for (to, value) in to.iter_mut().zip(values) {
        *to += value;
    }
}

impl Raw {
    pub fn add(&mut self, stack: &[Recorded], values: &[i64]) {
        add(&mut self.totals, values);
        if let Some(leaf) = stack.first() {
            add(self.flat.entry(leaf.clone()).or_default(), values);
        }
        let mut stack = stack.to_vec();
        stack.sort();
        stack.dedup();
        for place in stack {
            add(self.cumulative.entry(place).or_default(), values);
        }
    }

    /// From what the tool prints.
    pub fn parse(text: &str) -> Self {
        let mut raw = Self::default();
        for (stack, values) in samples(text) {
            let places: Vec<_> = stack.iter().map(|(place, _)| place.clone()).collect();
            raw.add(&places, &values);
            raw.start_lines.extend(stack);
        }
        raw
    }
}

/// A stack from the leaf to the root, with the line of each function's `func`, and its values.
pub type Sample = (Vec<(Recorded, u32)>, Vec<i64>);

/// The samples in what `go tool pprof -raw` prints.
pub fn samples(text: &str) -> Vec<Sample> {
    let mut samples: Vec<(Vec<i64>, Vec<u64>)> = Vec::new();
    let mut locations: BTreeMap<u64, Vec<(Recorded, u32)>> = BTreeMap::new();
    let mut section = "";
    let mut location = 0;
    for line in text.lines() {
        if matches!(line, "Samples:" | "Locations" | "Mappings") {
            section = line;
            continue;
        }
        let trimmed = line.trim();
        match section {
            "Samples:" => {
                let Some((values, ids)) = trimmed.split_once(':') else {
                    continue;
                };
                let values: Result<Vec<i64>, _> =
                    values.split_whitespace().map(str::parse).collect();
                let ids: Result<Vec<u64>, _> = ids.split_whitespace().map(str::parse).collect();
                if let (Ok(values), Ok(ids)) = (values, ids) {
                    samples.push((values, ids));
                }
            }
            "Locations" => {
                let mut rest = trimmed;
                let head = trimmed.split_once(": 0x");
                if let Some((id, after)) = head.filter(|_| !line.starts_with("          ")) {
                    location = id.parse().unwrap();
                    rest = after.split_once(' ').unwrap_or_default().1;
                    if rest.starts_with("M=") {
                        rest = rest.split_once(' ').unwrap_or_default().1;
                    }
                    locations.entry(location).or_default();
                }
                let Some((rest, start)) = rest.rsplit_once(" s=") else {
                    continue;
                };
                let (rest, _column) = rest.rsplit_once(':').unwrap();
                let (rest, number) = rest.rsplit_once(':').unwrap();
                let (function, file) = rest.rsplit_once(' ').unwrap();
                let place = (
                    function.to_owned(),
                    file.to_owned(),
                    number.parse().unwrap(),
                );
                let start = start.parse().unwrap();
                locations.entry(location).or_default().push((place, start));
            }
            _ => {}
        }
    }
    let stack = |ids: &[u64]| ids.iter().flat_map(|id| locations[id].clone()).collect();
    samples
        .into_iter()
        .map(|(values, ids)| (stack(&ids), values))
        .collect()
}
