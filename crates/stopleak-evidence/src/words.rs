//! What is said about evidence, in words that all formats share.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use leak_evidence::{
    Anchor, GoroutineCounts, Kind, Line, Operation, Origin, StackFrame, Strength, Weights,
};
use stopleak_config::files;

use crate::Group;

/// So many of a list are named.
const NAMED: usize = 3;

/// What is said about a line of a profile.
pub struct Words<'a> {
    group: &'a Group,
    line: &'a Line,
    base: &'a Path,
}

impl<'a> Words<'a> {
    /// About a line; paths are shown relative to `base`.
    pub fn new(group: &'a Group, line: usize, base: &'a Path) -> Self {
        Self {
            group,
            line: &group.weights.lines[line],
            base,
        }
    }

    /// A place as it is shown.
    pub fn display(&self, path: &str, line: u32) -> String {
        display(path, line, self.base)
    }

    /// How many of what do what on the line.
    pub fn title(&self) -> String {
        title_of(&self.group.weights, self.line)
    }

    /// By how much it grew since the base.
    pub fn growth(&self) -> Option<i64> {
        let (_, growth) = self.group.base.as_ref()?;
        let place = &self.line.place;
        Some(growth.of(&place.path, place.line, self.group.weights.main_type))
    }

    /// The share, and what was added since the base.
    pub fn label(&self) -> String {
        let weights = &self.group.weights;
        let mut parts = Vec::new();
        let total = weights.total();
        let weight = weights.weight(self.line);
        if total > 0 && weight > 0 {
            parts.push(format!(
                "{:.0} % of all",
                weight as f64 * 100.0 / total as f64
            ));
        }
        if let Some(by) = self.growth() {
            let amount = amount(by.saturating_abs(), unit(weights));
            parts.push(match by {
                0 => "no more than before".to_owned(),
                1.. => format!("+{amount} since the base"),
                _ => format!("{amount} freed since the base"),
            });
        }
        parts.join(", ")
    }

    /// Everything else: who started them, how long they wait, how sure the line is.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(counts) = &self.line.goroutines {
            notes.extend(self.goroutine_notes(counts));
        }
        notes.extend(self.callers());
        match self.line.place.anchor {
            Anchor::Exact | Anchor::Unchecked => {}
            Anchor::Moved => {
                notes.push("the function moved since then, and the line with it".to_owned());
            }
            Anchor::Function => {
                notes.push("the line is not known any more: this is the function".to_owned());
            }
        }
        if self.line.place.changed && self.line.place.anchor != Anchor::Exact {
            notes.push("the file changed since the profile was taken".to_owned());
        }
        notes
    }

    fn goroutine_notes(&self, counts: &GoroutineCounts) -> Vec<String> {
        let mut notes = Vec::new();
        let creators = most(&counts.creators, |(path, line)| self.display(path, *line));
        if let Some(creators) = creators {
            notes.push(format!("started at {creators}"));
        }
        let waits = counts.waits;
        let told = [
            (waits.minutes, "for up to ten minutes"),
            (waits.tens, "for up to an hour"),
            (waits.hours, "for up to a day"),
            (waits.days, "for more than a day"),
        ];
        let told: Vec<_> = told
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, how)| format!("{} {how}", digits(*count)))
            .collect();
        if !told.is_empty() {
            notes.push(format!("waiting: {}", told.join(", ")));
        }
        for (key, values) in &counts.labels {
            notes.extend(most(values, Clone::clone).map(|values| format!("{key}: {values}")));
        }
        notes
    }

    /// Where the heaviest stack comes from, in the workspace.
    fn callers(&self) -> Option<String> {
        let place = &self.line.place;
        let stack = self.line.stacks.first()?;
        let here = |frame: &&StackFrame| *frame.path == *place.path && frame.line == place.line;
        let callers: Vec<_> = stack
            .frames
            .iter()
            .filter(|frame| frame.origin == Origin::Workspace)
            .skip_while(|frame| !here(frame))
            .skip(1)
            .take(NAMED)
            .map(|frame| self.display(&frame.path, frame.line))
            .collect();
        (!callers.is_empty()).then(|| format!("called from {}", callers.join(", from ")))
    }
}

/// What a line has allocated, of all that was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Bytes.
    pub bytes: i64,
    /// Of a hundred.
    pub percent: i64,
}

impl Share {
    /// From this share on a line is hot.
    pub const HOT: i64 = 1;

    /// The share of a line; `None` if it is not hot, or the profile does not tell.
    pub fn of(weights: &Weights, line: &Line) -> Option<Self> {
        let at = weights
            .types
            .iter()
            .position(|ty| ty.name == "alloc_space")?;
        let (bytes, total) = (*line.own.get(at)?, *weights.totals.get(at)?);
        let percent = bytes.saturating_mul(100).checked_div(total)?;
        (percent >= Self::HOT).then_some(Self { bytes, percent })
    }

    /// In a sentence.
    pub fn text(self) -> String {
        let bytes = amount(self.bytes, "bytes");
        format!(
            "{} % of all that is allocated, {bytes} so far",
            self.percent
        )
    }
}

/// What evidence does with a finding.
pub fn says(strength: Strength) -> &'static str {
    match strength {
        Strength::Certain => "proves",
        Strength::Strong => "confirms",
        Strength::Seen => "fits",
    }
}

/// A place as it is shown.
pub fn display(path: &str, line: u32, base: &Path) -> String {
    format!("{}:{line}", files::display(Path::new(path), base))
}

/// The first few of a list by their counts.
fn most<K: Ord>(counts: &BTreeMap<K, i64>, show: impl Fn(&K) -> String) -> Option<String> {
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let mut parts: Vec<_> = sorted
        .iter()
        .take(NAMED)
        .map(|(key, count)| format!("{} ({})", show(key), digits(**count)))
        .collect();
    if sorted.len() > NAMED {
        parts.push(format!("{} more", sorted.len() - NAMED));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn title_of(weights: &Weights, line: &Line) -> String {
    let weight = weights.weight(line);
    let shown = amount(weight, unit(weights));
    let objects = |name: &str| {
        let at = weights.types.iter().position(|ty| ty.name == name)?;
        let count = line.own.get(at).copied().filter(|count| *count != 0)?;
        Some(format!(" in {}", plural(count, "object")))
    };
    match &weights.kind {
        Kind::Goroutine | Kind::GoroutineLeak | Kind::Goleak => {
            let Some(counts) = &line.goroutines else {
                return shown;
            };
            let phrase = counts
                .operations
                .iter()
                .max_by_key(|(_, count)| **count)
                .map_or(Operation::Unknown, |(operation, _)| *operation)
                .phrase();
            let goroutines = plural(weight, "goroutine");
            match weights.kind {
                Kind::GoroutineLeak => format!("{goroutines} stuck for ever, {phrase}"),
                Kind::Goleak => format!("{goroutines} left by tests, {phrase}"),
                _ if counts.leaked > 0 => format!(
                    "{goroutines} {phrase}, {} of them for ever",
                    digits(counts.leaked)
                ),
                _ => format!("{goroutines} {phrase}"),
            }
        }
        Kind::Heap => {
            let objects = objects("inuse_objects").unwrap_or_default();
            format!("{shown}{objects} allocated here, still in use")
        }
        Kind::Allocs => {
            let objects = objects("alloc_objects").unwrap_or_default();
            format!("{shown}{objects} allocated here so far")
        }
        Kind::Open(name) => format!("{shown} of `{name}` added here and not removed"),
        Kind::ThreadCreate => format!("{} created here", plural(weight, "thread")),
        Kind::Sanitizer => {
            let objects = objects("leaked_objects").unwrap_or_default();
            format!("{shown} of C memory{objects} allocated here and lost")
        }
        Kind::Other(_) => shown,
    }
}

/// What a profile counts, as a heading.
pub fn heading(kind: &Kind) -> String {
    match kind {
        Kind::Goroutine => "Goroutines".to_owned(),
        Kind::GoroutineLeak => "Goroutines stuck for ever".to_owned(),
        Kind::Goleak => "Goroutines left by tests".to_owned(),
        Kind::Heap => "Heap in use".to_owned(),
        Kind::Allocs => "Allocated so far".to_owned(),
        Kind::ThreadCreate => "Threads".to_owned(),
        Kind::Sanitizer => "Lost C memory".to_owned(),
        Kind::Open(name) => format!("Open: {name}"),
        Kind::Other(name) => format!("Profile: {name}"),
    }
}

/// How much of a kind there is, without saying where.
pub fn summary(kind: &Kind, value: i64, unit: &str) -> String {
    match kind {
        Kind::Goroutine => plural(value, "goroutine"),
        Kind::GoroutineLeak => format!("{} stuck for ever", plural(value, "goroutine")),
        Kind::Goleak => format!("{} left by tests", plural(value, "goroutine")),
        Kind::Heap => format!("{} in use", amount(value, unit)),
        Kind::Allocs => format!("{} allocated", amount(value, unit)),
        Kind::ThreadCreate => plural(value, "thread"),
        Kind::Sanitizer => format!("{} of C memory lost", amount(value, unit)),
        Kind::Open(name) => format!("{} of `{name}` open", amount(value, unit)),
        Kind::Other(name) => format!("{} of `{name}`", amount(value, unit)),
    }
}

/// How long ago a time in nanoseconds since 1970 was.
pub fn age(time: i64, now: SystemTime) -> String {
    let now = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| now.as_secs());
    let then = u64::try_from(time / 1_000_000_000).unwrap_or(0);
    let seconds = i64::try_from(now.saturating_sub(then)).unwrap_or(i64::MAX);
    let ago = |count: i64, noun: &str| format!("{} ago", plural(count, noun));
    match seconds {
        ..60 => "just now".to_owned(),
        60..3600 => ago(seconds / 60, "minute"),
        3600..172_800 => ago(seconds / 3600, "hour"),
        _ => ago(seconds / 86_400, "day"),
    }
}

/// The unit of what is of interest first.
pub fn unit(weights: &Weights) -> &str {
    weights
        .types
        .get(weights.main_type)
        .map_or("", |ty| ty.unit.as_str())
}

/// A number with its unit. Bytes are estimates from samples, so two digits of them are enough.
pub fn amount(value: i64, unit: &str) -> String {
    match unit {
        "bytes" => bytes_text(value),
        "nanoseconds" => format!("{:.2} s", value as f64 / 1e9),
        _ => digits(value),
    }
}

/// An amount that was added or taken away.
pub fn change(by: i64, unit: &str) -> String {
    let amount = amount(by.saturating_abs(), unit);
    match by {
        0 => "±0".to_owned(),
        1.. => format!("+{amount}"),
        _ => format!("−{amount}"),
    }
}

fn bytes_text(value: i64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut scaled = value as f64;
    let mut unit = 0;
    while scaled.abs() >= 999.5 && unit + 1 < units.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    if unit == 0 || scaled.abs() >= 9.95 {
        format!("{scaled:.0} {}", units[unit])
    } else {
        format!("{scaled:.1} {}", units[unit])
    }
}

/// `1 thing`, `2,000 things`.
pub fn plural(count: i64, noun: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{} {noun}{s}", digits(count))
}

/// `12,345`.
pub fn digits(value: i64) -> String {
    let plain = value.unsigned_abs().to_string();
    let mut out = String::new();
    for (at, digit) in plain.chars().enumerate() {
        if at > 0 && (plain.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if value < 0 { format!("-{out}") } else { out }
}

/// A time of some seconds: `45 s`, `12:30`, `3:05:00`.
pub fn elapsed(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest} s"),
        (0, _) => format!("{minutes}:{rest:02}"),
        _ => format!("{hours}:{minutes:02}:{rest:02}"),
    }
}

/// A time in nanoseconds since 1970 as a date in UTC.
pub fn date(nanoseconds: i64) -> String {
    let seconds = nanoseconds.div_euclid(1_000_000_000);
    let (year, month, day) = calendar(seconds);
    let rest = seconds.rem_euclid(86_400);
    format!(
        "{year}-{month:02}-{day:02} {:02}:{:02} UTC",
        rest / 3600,
        rest / 60 % 60
    )
}

/// A time in seconds since 1970 for names of files, which sort by it.
pub fn stamp(seconds: i64) -> String {
    let (year, month, day) = calendar(seconds);
    let rest = seconds.rem_euclid(86_400);
    format!(
        "{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

/// Year, month and day.
fn calendar(seconds: i64) -> (i64, i64, i64) {
    // Days since 1970 to a date of the Gregorian calendar, counted in eras of 400 years that begin in March.
    let shifted = seconds.div_euclid(86_400) + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::{age, bytes_text, change, date, digits, elapsed, stamp};

    #[test]
    fn ages_are_rounded_down() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let ago = |seconds: i64| age((1_000_000 - seconds) * 1_000_000_000, now);
        assert_eq!(ago(59), "just now");
        assert_eq!(ago(60), "1 minute ago");
        assert_eq!(ago(7300), "2 hours ago");
        assert_eq!(ago(400_000), "4 days ago");
        assert_eq!(ago(-5), "just now");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(digits(1_234_567), "1,234,567");
        assert_eq!(digits(-1234), "-1,234");
        assert_eq!(digits(999), "999");
        assert_eq!(bytes_text(999), "999 B");
        assert_eq!(bytes_text(1536), "1.5 KiB");
        assert_eq!(bytes_text(67_108_864), "64 MiB");
        assert_eq!(bytes_text(1_060_000_000), "1.0 GiB");
        assert_eq!(change(1536, "bytes"), "+1.5 KiB");
        assert_eq!(change(-3, "count"), "−3");
        assert_eq!(elapsed(59), "59 s");
        assert_eq!(elapsed(750), "12:30");
        assert_eq!(elapsed(11_100), "3:05:00");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let at = |seconds: i64| date(seconds * 1_000_000_000);
        assert_eq!(at(0), "1970-01-01 00:00 UTC");
        assert_eq!(at(951_782_399), "2000-02-28 23:59 UTC");
        assert_eq!(at(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(at(1_795_276_800), "2026-11-21 16:00 UTC");
        assert_eq!(at(-1), "1969-12-31 23:59 UTC");
        assert_eq!(stamp(1_795_276_801), "20261121T160001Z");
    }
}
