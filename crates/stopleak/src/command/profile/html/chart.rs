//! Charts over time, as SVG that needs no script to be seen.

use std::fmt::Write as _;

use super::page::Escaped;
use crate::evidence::words::{amount, elapsed};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 260.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 30.0;
const LEFT: f64 = 68.0;
/// Room for the names at the ends of lines.
const RIGHT: f64 = 14.0;
const RIGHT_NAMED: f64 = 176.0;
/// Between two names.
const LEADING: f64 = 15.0;
/// Characters of a name.
const NAME: usize = 21;

/// Lines over time, on one axis.
pub struct Chart<'a> {
    /// What it shows, for those who cannot see it.
    pub title: &'a str,
    /// Of the values.
    pub unit: &'a str,
    /// When the values were taken, in nanoseconds, if all are known.
    pub times: Option<Vec<i64>>,
    /// At least one; their colours are in the order of the style sheet.
    pub lines: Vec<ChartLine<'a>>,
    /// The area below is filled: for one line.
    pub filled: bool,
}

/// A line.
pub struct ChartLine<'a> {
    /// Beside its end; empty if there is only one.
    pub name: String,
    /// One for each time.
    pub values: &'a [i64],
}

/// Where values are drawn.
struct Scale {
    right: f64,
    low: f64,
    high: f64,
    points: usize,
    /// Seconds since the first, if known.
    seconds: Option<Vec<f64>>,
}

impl Scale {
    fn x(&self, point: usize) -> f64 {
        let width = WIDTH - LEFT - self.right;
        let at = match &self.seconds {
            Some(seconds) => {
                let all = seconds.last().copied().unwrap_or(0.0);
                seconds.get(point).copied().unwrap_or(0.0) / all
            }
            None => point as f64 / (self.points.max(2) - 1) as f64,
        };
        LEFT + width * at
    }

    fn y(&self, value: f64) -> f64 {
        let height = HEIGHT - TOP - BOTTOM;
        TOP + height * (self.high - value) / (self.high - self.low)
    }
}

impl Chart<'_> {
    /// The SVG, with what the script needs to show values under the pointer.
    pub fn svg(&self) -> String {
        let points = self.lines.first().map_or(0, |line| line.values.len());
        let values = || self.lines.iter().flat_map(|line| line.values);
        let most = values().copied().max().unwrap_or(0).max(0);
        let least = values().copied().min().unwrap_or(0).min(0);
        let ticks = ticks(least as f64, most as f64, self.unit == "bytes");
        let named = self.lines.iter().any(|line| !line.name.is_empty());
        let scale = Scale {
            right: if named { RIGHT_NAMED } else { RIGHT },
            low: ticks.first().copied().unwrap_or(0.0),
            high: ticks.last().copied().unwrap_or(1.0),
            points,
            seconds: self.seconds(),
        };
        let mut svg = String::new();
        // Writing to a string cannot fail.
        let _ = write!(
            svg,
            "<svg class=chart viewBox='0 0 {WIDTH} {HEIGHT}' role=img aria-label='{}' data-chart='{}'>",
            Escaped(self.title),
            Escaped(&self.data(&scale)),
        );
        for tick in &ticks {
            let y = scale.y(*tick);
            let _ = write!(
                svg,
                "<line class={} x1={LEFT} x2={:.1} y1={y:.1} y2={y:.1} /><text class=tick x={:.1} y={:.1} text-anchor=end>{}</text>",
                if *tick == 0.0 { "axis" } else { "grid" },
                WIDTH - scale.right,
                LEFT - 8.0,
                y + 4.0,
                Escaped(&amount(*tick as i64, self.unit)),
            );
        }
        for (x, label, anchor) in self.labels(&scale) {
            let _ = write!(
                svg,
                "<text class=tick x={x:.1} y={:.1} text-anchor={anchor}>{}</text>",
                HEIGHT - 8.0,
                Escaped(&label),
            );
        }
        for (index, line) in self.lines.iter().enumerate().rev() {
            self.draw(&mut svg, &scale, index, line);
        }
        if named {
            self.names(&mut svg, &scale);
        }
        let _ = write!(
            svg,
            "<line class=cross y1={TOP} y2={} /></svg>",
            HEIGHT - BOTTOM
        );
        svg
    }

    fn seconds(&self) -> Option<Vec<f64>> {
        let times = self.times.as_ref()?;
        let first = *times.first()?;
        let seconds = times
            .iter()
            .map(|time| time.saturating_sub(first) as f64 / 1e9);
        let seconds: Vec<f64> = seconds.collect();
        (seconds.last().copied().unwrap_or(0.0) >= 1.0).then_some(seconds)
    }

    /// The time of a point as it is shown.
    pub fn at(&self, point: usize) -> String {
        let seconds = self.seconds();
        match seconds.as_ref().and_then(|seconds| seconds.get(point)) {
            Some(seconds) => format!("+{}", elapsed(*seconds as u64)),
            None => format!("profile {}", point + 1),
        }
    }

    fn draw(&self, svg: &mut String, scale: &Scale, index: usize, line: &ChartLine<'_>) {
        let mut path = String::new();
        for (point, value) in line.values.iter().enumerate() {
            let to = if point == 0 { 'M' } else { 'L' };
            let _ = write!(
                path,
                "{to}{:.1} {:.1}",
                scale.x(point),
                scale.y(*value as f64)
            );
        }
        let last = line.values.len().saturating_sub(1);
        if self.filled {
            let zero = scale.y(0.0);
            let _ = write!(
                svg,
                "<path class='area c{index}' d='{path}L{:.1} {zero:.1}L{:.1} {zero:.1}Z' />",
                scale.x(last),
                scale.x(0)
            );
        }
        let _ = write!(svg, "<path class='line c{index}' d='{path}' />");
        let value = line.values.last().copied().unwrap_or(0);
        let _ = write!(
            svg,
            "<circle class='end c{index}' cx={:.1} cy={:.1} r=4 />",
            scale.x(last),
            scale.y(value as f64)
        );
    }

    /// Names beside the ends of lines, moved apart.
    fn names(&self, svg: &mut String, scale: &Scale) {
        let mut ends: Vec<(f64, f64, usize)> = self
            .lines
            .iter()
            .enumerate()
            .map(|(index, line)| {
                let y = scale.y(line.values.last().copied().unwrap_or(0) as f64);
                (y, y, index)
            })
            .collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        for at in 1..ends.len() {
            ends[at].1 = ends[at].1.max(ends[at - 1].1 + LEADING);
        }
        let mut limit = HEIGHT - BOTTOM;
        for end in ends.iter_mut().rev() {
            end.1 = end.1.min(limit);
            limit = end.1 - LEADING;
        }
        let x = WIDTH - scale.right;
        for (y, moved, index) in ends {
            let name = shortened(&self.lines[index].name, NAME);
            let _ = write!(
                svg,
                "<path class='lead c{index}' d='M{:.1} {y:.1}L{:.1} {moved:.1}' /><text class=name x={:.1} y={:.1}>{}</text>",
                x + 6.0,
                x + 16.0,
                x + 20.0,
                moved + 4.0,
                Escaped(&name)
            );
        }
    }

    /// Labels below: where, what, and how they are aligned.
    fn labels(&self, scale: &Scale) -> Vec<(f64, String, &'static str)> {
        let Some(seconds) = &scale.seconds else {
            let last = scale.points.saturating_sub(1);
            let step = last.div_ceil(6).max(1);
            return (0..scale.points)
                .step_by(step)
                .map(|point| (scale.x(point), format!("{}", point + 1), "middle"))
                .collect();
        };
        let all = seconds.last().copied().unwrap_or(0.0);
        let step = time_step(all / 5.0);
        let width = WIDTH - LEFT - scale.right;
        let mut labels = Vec::new();
        let mut at = 0.0;
        while at <= all {
            let label = if at == 0.0 {
                "0".to_owned()
            } else {
                elapsed(at as u64)
            };
            labels.push((LEFT + width * at / all, label, "middle"));
            at += step;
        }
        labels
    }

    /// What the script shows: positions, and texts for each.
    fn data(&self, scale: &Scale) -> String {
        let points = 0..scale.points;
        let x: Vec<f64> = points.clone().map(|point| scale.x(point).round()).collect();
        let labels: Vec<String> = points.map(|point| self.at(point)).collect();
        let lines: Vec<_> = self
            .lines
            .iter()
            .map(|line| {
                let values = line.values.iter().map(|value| amount(*value, self.unit));
                serde_json::json!({"name": line.name, "values": values.collect::<Vec<_>>()})
            })
            .collect();
        serde_json::json!({"x": x, "at": labels, "lines": lines, "width": WIDTH}).to_string()
    }
}

/// A line without axes, for tables.
pub fn sparkline(values: &[i64]) -> String {
    let (width, height) = (72.0, 20.0);
    let most = values.iter().copied().max().unwrap_or(0);
    let least = values.iter().copied().min().unwrap_or(0).min(0);
    let range = most.saturating_sub(least).max(1) as f64;
    let step = (width - 6.0) / (values.len().max(2) - 1) as f64;
    let at = |point: usize, value: i64| {
        let x = 2.0 + step * point as f64;
        let y = height - 3.0 - (height - 6.0) * value.saturating_sub(least) as f64 / range;
        format!("{x:.1} {y:.1}")
    };
    let points: Vec<_> = values
        .iter()
        .enumerate()
        .map(|(point, value)| at(point, *value))
        .collect();
    let last = points.last().cloned().unwrap_or_default();
    let (x, y) = last.split_once(' ').unwrap_or_default();
    format!(
        "<svg class=spark viewBox='0 0 {width} {height}' aria-hidden=true><path class='line c0' d='M{}' /><circle class='end c0' cx={x} cy={y} r=2 /></svg>",
        points.join("L")
    )
}

/// A name that keeps its end, which is the line in the file.
fn shortened(name: &str, most: usize) -> String {
    let length = name.chars().count();
    if length <= most {
        return name.to_owned();
    }
    let rest: String = name.chars().skip(length - most + 1).collect();
    format!("…{rest}")
}

/// Round numbers from below the least value to above the greatest one.
fn ticks(least: f64, most: f64, bytes: bool) -> Vec<f64> {
    let most = if most > least { most } else { least + 1.0 };
    let step = nice((most - least) / 4.0, bytes);
    let first = (least / step).floor() as i64;
    let last = (most / step).ceil() as i64;
    (first..=last).map(|n| n as f64 * step).collect()
}

/// The next round number: 1, 2, 5 times a power of ten, or powers of two of bytes.
fn nice(value: f64, bytes: bool) -> f64 {
    if bytes {
        return value.max(1.0).log2().ceil().exp2();
    }
    let power = 10_f64.powf(value.max(1.0).log10().floor());
    let digit = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|digit| digit * power >= value)
        .unwrap_or(10.0);
    (digit * power).max(1.0)
}

/// The next round number of seconds.
fn time_step(value: f64) -> f64 {
    let minute = 60.0;
    let hour = 60.0 * minute;
    [
        1.0,
        2.0,
        5.0,
        10.0,
        15.0,
        30.0,
        minute,
        2.0 * minute,
        5.0 * minute,
        10.0 * minute,
        15.0 * minute,
        30.0 * minute,
        hour,
        2.0 * hour,
        6.0 * hour,
        12.0 * hour,
    ]
    .into_iter()
    .find(|step| *step >= value)
    .unwrap_or_else(|| (value / (24.0 * hour)).ceil() * 24.0 * hour)
}

#[cfg(test)]
mod tests {
    use super::{Chart, ChartLine, shortened, sparkline, ticks, time_step};

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks(0.0, 1203.0, false), [0.0, 500.0, 1000.0, 1500.0]);
        assert_eq!(ticks(0.0, 0.0, false), [0.0, 1.0]);
        assert_eq!(ticks(-3.0, 5.0, false), [-4.0, -2.0, 0.0, 2.0, 4.0, 6.0]);
        let mib = f64::from(1 << 20);
        assert_eq!(
            ticks(0.0, 100.0 * mib, true),
            [0.0, 32.0 * mib, 64.0 * mib, 96.0 * mib, 128.0 * mib]
        );
        assert!(ticks(0.0, i64::MAX as f64, false).len() < 10);
        assert!(ticks(i64::MIN as f64, i64::MAX as f64, true).len() < 10);
        assert_eq!(time_step(13.0), 15.0);
        assert_eq!(time_step(100_000.0), 172_800.0);
    }

    #[test]
    fn names_keep_their_ends() {
        assert_eq!(shortened("m.go:1", 10), "m.go:1");
        assert_eq!(shortened("internal/pool.go:20", 10), "…ool.go:20");
    }

    #[test]
    fn odd_series_are_drawn() {
        for values in [&[][..], &[0], &[5], &[-1, -1], &[i64::MIN, i64::MAX]] {
            for times in [None, Some(vec![7; values.len()])] {
                let chart = Chart {
                    title: "it's",
                    unit: "count",
                    times,
                    lines: vec![ChartLine {
                        name: "<b>".to_owned(),
                        values,
                    }],
                    filled: true,
                };
                let svg = chart.svg();
                assert!(
                    svg.contains("&lt;b&gt;") && svg.contains("it&#39;s"),
                    "{svg}"
                );
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
                assert!(!sparkline(values).contains("NaN"));
            }
        }
    }
}
