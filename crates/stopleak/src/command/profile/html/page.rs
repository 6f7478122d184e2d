//! The page: tiles, charts, ranked lines, flame graphs, findings.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use leak_evidence::{Joined, Level, LineRef, Origin, Series, Stack};

use super::super::text::summary;
use super::chart::{Chart, ChartLine, sparkline};
use crate::cli::ProfileArgs;
use crate::evidence::words::{self, Words, amount, change, date, display, heading, plural, unit};
use crate::evidence::{Code, Group, Shown};
use crate::output::{rule_url, severity_name};

/// Lines of a chart: as many as there are colours.
const CHART_LINES: usize = 6;
/// Lines of source around one.
const AROUND: usize = 3;
/// Characters of a line of source.
const SOURCE_WIDTH: usize = 240;
/// Stacks of a line, and frames of each.
const STACKS: usize = 3;
const FRAMES: usize = 40;
/// Points in the table of a chart.
const TABLE: usize = 200;
/// Functions narrower than this share of a flame graph are left out.
const FLAME_SHARE: f64 = 0.002;
/// So many rectangles of a flame graph are drawn, the outer ones first.
const FLAME_CELLS: usize = 3000;
/// Height of a rectangle with its gap, in pixels.
const FLAME_ROW: usize = 21;

/// Text as it stands in HTML, in attributes as well.
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'', '\0']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                b'\'' => "&#39;",
                _ => "\u{fffd}",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

/// Everything that the page is made of.
pub struct Page<'a> {
    pub shown: &'a Shown,
    pub code: &'a Code,
    pub options: &'a ProfileArgs,
    pub base: &'a Path,
    /// Of the folder of the code.
    pub name: &'a str,
}

impl Page<'_> {
    /// Writes it.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let name = Escaped(self.name);
        writeln!(
            out,
            "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n<meta name=viewport content='width=device-width, initial-scale=1'>\n\
             <meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
             <title>Evidence of leaks in {name}</title>\n<style>\n{}</style>\n<main>",
            include_str!("report.css")
        )?;
        writeln!(
            out,
            "<header><h1>Evidence of leaks in {name}</h1><span class=sub>{}</span><button class=theme type=button>light / dark</button></header>",
            Escaped(&self.when())
        )?;
        self.tiles(out)?;
        for (profile, group) in self.shown.groups.iter().enumerate() {
            self.group(out, profile, group)?;
        }
        self.findings(out)?;
        writeln!(
            out,
            "<footer>Made by stopleak {}. Sampled memory is an estimate, and is shown where it was allocated; what still refers to it may be \
             elsewhere. That there is no evidence for a finding proves nothing: the program may just not have run that code.</footer>\n\
             </main>\n<div id=tip></div>\n<script>\n{}</script>",
            env!("CARGO_PKG_VERSION"),
            include_str!("report.js")
        )
    }

    /// When the profiles were taken.
    fn when(&self) -> String {
        let series = self
            .shown
            .groups
            .iter()
            .filter_map(|group| group.series.as_ref());
        let of_series = series.flat_map(|series| &series.times).copied().flatten();
        let of_groups = self
            .shown
            .groups
            .iter()
            .filter_map(|group| group.weights.time);
        let times: Vec<i64> = of_series.chain(of_groups).collect();
        match (times.iter().min(), times.iter().max()) {
            (Some(first), Some(last)) => {
                let seconds = last.saturating_sub(*first) / 1_000_000_000;
                let over = match u64::try_from(seconds) {
                    Ok(seconds @ 1..) => format!(", over {}", words::elapsed(seconds)),
                    _ => String::new(),
                };
                format!("{}{over}", date(*last))
            }
            _ => String::new(),
        }
    }

    fn tiles(&self, out: &mut impl Write) -> io::Result<()> {
        write!(out, "<div class=tiles>")?;
        for (profile, group) in self.shown.groups.iter().enumerate() {
            let weights = &group.weights;
            let unit = unit(weights);
            let least = if weights.truncated.is_some() {
                "≥ "
            } else {
                ""
            };
            write!(
                out,
                "<a class='card tile' href='#p{profile}'><div class=what>{}</div><div class=much>{least}{}</div><div class=by>{}</div></a>",
                Escaped(&heading(&weights.kind)),
                Escaped(&amount(weights.total(), unit)),
                Escaped(&since(group)),
            )?;
        }
        if !self.options.evidence.no_check {
            let confirmed = self.shown.join.confirmed.len();
            let suspected = self.shown.join.suspected.len();
            let alone = self.shown.join.runtime_only.len();
            write!(
                out,
                "<a class='card tile' href='#findings'><div class=what>Findings confirmed</div><div class=much>{confirmed}</div>\
                 <div class=by>{suspected} not confirmed; {} without a finding</div></a>",
                plural(alone as i64, "line")
            )?;
        }
        writeln!(out, "</div>")
    }

    fn group(&self, out: &mut impl Write, profile: usize, group: &Group) -> io::Result<()> {
        let weights = &group.weights;
        writeln!(
            out,
            "<section id=p{profile}><h2>{}</h2><p class=sub>{}</p>",
            Escaped(&heading(&weights.kind)),
            Escaped(&summary(group)),
        )?;
        if let Some(cut) = weights.truncated {
            writeln!(
                out,
                "<p><span class='tag information'>not whole</span> {}; numbers are lower bounds</p>",
                Escaped(&cut.to_string())
            )?;
        }
        if let Some(series) = &group.series {
            self.charts(out, group, series)?;
        }
        self.rows(out, profile, group)?;
        self.flames(out, group)?;
        self.unplaced(out, group)?;
        writeln!(out, "</section>")
    }

    fn charts(&self, out: &mut impl Write, group: &Group, series: &Series) -> io::Result<()> {
        let unit = unit(&group.weights);
        let kind = heading(&group.weights.kind);
        let times: Option<Vec<i64>> = series.times.iter().copied().collect();
        let total = Chart {
            title: &format!("{kind}, in total"),
            unit,
            times: times.clone(),
            lines: vec![ChartLine {
                name: String::new(),
                values: &series.totals,
            }],
            filled: true,
        };
        write!(
            out,
            "<div class=two><div class=card><h3>In total</h3>{}",
            total.svg()
        )?;
        self.table(out, &total)?;
        write!(out, "</div>")?;
        let mut grown: Vec<_> = series.lines.iter().filter(|line| line.grows()).collect();
        let by = |values: &[i64]| match (values.first(), values.last()) {
            (Some(first), Some(last)) => last.saturating_sub(*first),
            _ => 0,
        };
        grown.sort_by_key(|line| std::cmp::Reverse(by(&line.values)));
        let lines: Vec<_> = grown
            .iter()
            .take(CHART_LINES)
            .map(|line| ChartLine {
                name: display(&line.path, line.line, self.base),
                values: &line.values,
            })
            .collect();
        if lines.is_empty() {
            return writeln!(
                out,
                "<div class=card><h3>Lines that grow</h3><p class=sub>None.</p></div></div>"
            );
        }
        let left = grown.len() - lines.len();
        let by_line = Chart {
            title: &format!("{kind}, on the lines that grow"),
            unit,
            times,
            lines,
            filled: false,
        };
        let more = if left > 0 {
            format!(" (and {})", plural(left as i64, "more line"))
        } else {
            String::new()
        };
        write!(
            out,
            "<div class=card><h3>Lines that grow{more}</h3>{}",
            by_line.svg()
        )?;
        self.table(out, &by_line)?;
        writeln!(out, "</div></div>")
    }

    /// The numbers of a chart.
    fn table(&self, out: &mut impl Write, chart: &Chart<'_>) -> io::Result<()> {
        let points = chart.lines.first().map_or(0, |line| line.values.len());
        let step = points.div_ceil(TABLE).max(1);
        write!(
            out,
            "<details class=data><summary>as a table</summary><div class=scroll><table><tr><th>time"
        )?;
        for line in &chart.lines {
            let name = if line.name.is_empty() {
                "total"
            } else {
                &line.name
            };
            write!(out, "<th class=n>{}", Escaped(name))?;
        }
        for point in (0..points).step_by(step) {
            write!(out, "<tr><td>{}", Escaped(&chart.at(point)))?;
            for line in &chart.lines {
                let value = amount(line.values[point], chart.unit);
                write!(out, "<td class=n>{}", Escaped(&value))?;
            }
        }
        write!(out, "</table></div></details>")
    }

    fn rows(&self, out: &mut impl Write, profile: usize, group: &Group) -> io::Result<()> {
        let lines = self.shown.lines(profile, self.options.all);
        if lines.is_empty() {
            return writeln!(
                out,
                "<div class=card><p class=sub>No line is over the thresholds.</p></div>"
            );
        }
        write!(out, "<div class='card rows'>")?;
        for at in lines.iter().take(self.options.top) {
            self.row(out, *at, group, profile == 0 && *at == lines[0])?;
        }
        let left = lines.len().saturating_sub(self.options.top);
        if left > 0 {
            write!(
                out,
                "<p class='more far'>… and {} (--top shows more)</p>",
                plural(left as i64, "more line")
            )?;
        }
        writeln!(out, "</div>")
    }

    fn row(&self, out: &mut impl Write, at: LineRef, group: &Group, first: bool) -> io::Result<()> {
        let weights = &group.weights;
        let line = &weights.lines[at.line];
        let words = self.shown.words(at, self.base);
        let (class, level) = match self.shown.level(at) {
            Some(Level::Warning) => ("warning", "warning"),
            Some(Level::Information) => ("information", "information"),
            None => ("plain", "note"),
        };
        let place = display(&line.place.path, line.place.line, self.base);
        let open = if first { " open" } else { "" };
        write!(
            out,
            "<details class=row id=p{}l{}{open}><summary><span><span class='tag {class}'>{level}</span></span>\
             <span><span class=place>{}</span> <span class='far mono'>{}</span><div class=title>{}</div><span class=tags>",
            at.profile,
            at.line,
            Escaped(&place),
            Escaped(short_function(&line.function)),
            Escaped(&words.title()),
        )?;
        for (finding, strength) in self.shown.findings_on(at) {
            if let Some((_, found)) = self.shown.diagnostic(finding) {
                let class = if strength >= leak_evidence::Strength::Strong {
                    "confirmed"
                } else {
                    "suspected"
                };
                write!(
                    out,
                    "<span class='tag {class}'>{} {}</span>",
                    words::says(strength),
                    Escaped(found.rule)
                )?;
            }
        }
        write!(out, "</span></span>")?;
        self.share(out, at, group)?;
        write!(out, "<span class=trend>")?;
        let series = group.series.as_ref().and_then(|series| {
            let same = |known: &&leak_evidence::SeriesLine| {
                known.line == line.place.line && known.path == line.place.path
            };
            series.lines.iter().find(same)
        });
        if let Some(series) = series {
            write!(out, "{}", sparkline(&series.values))?;
        }
        write!(out, "</span></summary><div class=more>")?;
        self.source(out, &line.place.path, line.place.line)?;
        self.notes(out, &words, at)?;
        for stack in line.stacks.iter().take(STACKS) {
            self.stack(out, stack, weights.main_type, unit(weights))?;
        }
        writeln!(out, "</div></details>")
    }

    /// The share of the whole as a bar, with the part that is new.
    fn share(&self, out: &mut impl Write, at: LineRef, group: &Group) -> io::Result<()> {
        let weights = &group.weights;
        let line = &weights.lines[at.line];
        let words = self.shown.words(at, self.base);
        let weight = weights.weight(line);
        let growth = words.growth();
        let told = match growth {
            Some(by) => change(by, unit(weights)),
            None => amount(weight, unit(weights)),
        };
        let whole = weights.total().max(weight).max(1) as f64;
        let percent = |value: i64| value.max(0) as f64 * 100.0 / whole;
        write!(
            out,
            "<span class=share title='{}'>{}<div class=bar>",
            Escaped(&words.label()),
            Escaped(&told)
        )?;
        match growth {
            Some(by) if by > 0 => {
                let new = by.min(weight);
                write!(
                    out,
                    "<i style='width:{:.2}%'></i><i class=new style='width:{:.2}%'></i>",
                    percent(weight - new),
                    percent(new)
                )?;
            }
            _ => write!(out, "<i style='width:{:.2}%'></i>", percent(weight))?,
        }
        write!(out, "</div></span>")
    }

    fn source(&self, out: &mut impl Write, path: &str, number: u32) -> io::Result<()> {
        let text = self.code.text(path);
        let number = number as usize;
        let first = number.saturating_sub(AROUND).max(1);
        let lines = text.lines().enumerate().skip(first - 1);
        let lines: Vec<_> = lines.take(number + AROUND + 1 - first).collect();
        if lines.is_empty() {
            return Ok(());
        }
        write!(out, "<pre class=source>")?;
        for (index, line) in lines {
            let hit = if index + 1 == number {
                " class=hit"
            } else {
                ""
            };
            let line: String = line.chars().take(SOURCE_WIDTH).collect();
            write!(
                out,
                "<span{hit}><i>{}</i>{} </span>",
                index + 1,
                Escaped(&line)
            )?;
        }
        write!(out, "</pre>")
    }

    fn notes(&self, out: &mut impl Write, words: &Words<'_>, at: LineRef) -> io::Result<()> {
        write!(out, "<ul>")?;
        let label = words.label();
        if !label.is_empty() {
            write!(out, "<li>{}", Escaped(&label))?;
        }
        for (finding, strength) in self.shown.findings_on(at) {
            let Some((_, found)) = self.shown.diagnostic(finding) else {
                continue;
            };
            let place = &self.shown.findings.lines[finding];
            write!(
                out,
                "<li>{} <a href='{}'>{}</a> at <code>{}</code>: {}",
                words::says(strength),
                Escaped(&rule_url(found.rule)),
                Escaped(found.rule),
                Escaped(&words.display(&place.path, place.lines.0)),
                Escaped(&found.message)
            )?;
        }
        for note in words.notes() {
            write!(out, "<li>{}", Escaped(&note))?;
        }
        write!(out, "</ul>")
    }

    fn stack(
        &self,
        out: &mut impl Write,
        stack: &Stack,
        main: usize,
        unit: &str,
    ) -> io::Result<()> {
        let value = stack.values.get(main).copied().unwrap_or(0);
        write!(
            out,
            "<details class=data><summary>stack of {}</summary><pre class=stack>",
            Escaped(&amount(value, unit))
        )?;
        for frame in stack.frames.iter().take(FRAMES) {
            let ours = frame.origin == Origin::Workspace;
            let place = if ours {
                display(&frame.path, frame.line, self.base)
            } else {
                format!("{}:{}", frame.path, frame.line)
            };
            let (open, close) = if ours {
                ("", "")
            } else {
                ("<span class=far>", "</span>")
            };
            writeln!(
                out,
                "{open}{}  {}{close}",
                Escaped(&frame.function),
                Escaped(&place)
            )?;
        }
        if stack.frames.len() > FRAMES {
            writeln!(out, "… {} more", stack.frames.len() - FRAMES)?;
        }
        write!(out, "</pre></details>")
    }

    fn flames(&self, out: &mut impl Write, group: &Group) -> io::Result<()> {
        let Some(tree) = &group.tree else {
            return Ok(());
        };
        let (total, mut cells) = tree.cells(FLAME_SHARE);
        if cells.is_empty() {
            return Ok(());
        }
        cells.sort_by_key(|cell| (cell.depth, cell.start));
        cells.truncate(FLAME_CELLS);
        let unit = unit(&group.weights);
        let grown = group
            .base
            .as_ref()
            .filter(|(_, growth)| growth.in_order != Some(false));
        let title = match grown {
            Some(_) => format!("Stacks of what grew: {}", change(total, unit)),
            None => format!("Stacks: {}", amount(total, unit)),
        };
        let rows = cells.iter().map(|cell| cell.depth + 1).max().unwrap_or(0);
        write!(
            out,
            "<div class='card flames'><div class=flame-head><h3>{}</h3>\
             <span class=key><i class=o0></i>this code</span><span class=key><i class=o1></i>modules</span>\
             <span class=key><i class=o2></i>standard library</span>\
             <input type=search placeholder='highlight' aria-label='highlight functions'><button type=button hidden>show all</button></div>\
             <div class=flame style='height:{}px'>",
            Escaped(&title),
            rows * FLAME_ROW
        )?;
        let whole = total.max(1) as f64;
        for cell in cells {
            let class = match cell.origin {
                Origin::Workspace => "o0",
                Origin::Dependency | Origin::Unknown => "o1",
                Origin::Standard | Origin::Generated => "o2",
            };
            let share = cell.value as f64 / whole;
            write!(
                out,
                "<b class={class} style='--x:{:.5};--w:{share:.5};top:{}px' title='{} — {} ({:.1} %)'>{}</b>",
                cell.start as f64 / whole,
                cell.depth * FLAME_ROW,
                Escaped(&cell.function),
                Escaped(&amount(cell.value, unit)),
                share * 100.0,
                Escaped(short_function(&cell.function))
            )?;
        }
        writeln!(out, "</div><div class=flame-foot></div></div>")
    }

    fn unplaced(&self, out: &mut impl Write, group: &Group) -> io::Result<()> {
        let weights = &group.weights;
        if weights.unplaced.is_empty() {
            return Ok(());
        }
        write!(
            out,
            "<details class=data><summary>{} not found in the code (--map may help)</summary><div class=scroll><table>",
            plural(weights.unplaced.len() as i64, "place")
        )?;
        for lost in &weights.unplaced {
            let value = lost.values.get(weights.main_type).copied().unwrap_or(0);
            write!(
                out,
                "<tr><td class=mono>{}:{}<td class=mono>{}<td class=n>{}",
                Escaped(&lost.file),
                lost.line,
                Escaped(&lost.function),
                Escaped(&amount(value, unit(weights)))
            )?;
        }
        writeln!(out, "</table></div></details>")
    }

    fn findings(&self, out: &mut impl Write) -> io::Result<()> {
        let join = &self.shown.join;
        if self.options.evidence.no_check {
            return Ok(());
        }
        write!(out, "<section id=findings><h2>Findings in these files</h2>")?;
        if join.confirmed.is_empty() && join.suspected.is_empty() {
            return writeln!(
                out,
                "<p class=sub>The analysis found nothing there.</p></section>"
            );
        }
        write!(
            out,
            "<div class='card scroll'><table><tr><th>status<th>rule<th>place<th>what<th>evidence"
        )?;
        let confirmed = join.confirmed.iter().map(|joined| (joined, true));
        let suspected = join.suspected.iter().map(|joined| (joined, false));
        for (joined, confirmed) in confirmed.chain(suspected) {
            self.finding(out, joined, confirmed)?;
        }
        writeln!(out, "</table></div></section>")
    }

    fn finding(&self, out: &mut impl Write, joined: &Joined, confirmed: bool) -> io::Result<()> {
        let Some((_, found)) = self.shown.diagnostic(joined.finding) else {
            return Ok(());
        };
        let place = &self.shown.findings.lines[joined.finding];
        let status = if confirmed { "confirmed" } else { "suspected" };
        write!(
            out,
            "<tr><td><span class='tag {status}'>{status}</span><td><a href='{}'>{}</a><div class=far>{}</div><td class=mono>{}<td>{}<td>",
            Escaped(&rule_url(found.rule)),
            Escaped(found.rule),
            severity_name(found.severity),
            Escaped(&display(&place.path, place.lines.0, self.base)),
            Escaped(&found.message)
        )?;
        for support in joined.support.iter().take(STACKS) {
            let at = support.line;
            let words = self.shown.words(at, self.base);
            write!(
                out,
                "<div><a href='#p{}l{}'>{}</a></div>",
                at.profile,
                at.line,
                Escaped(&words.title())
            )?;
        }
        Ok(())
    }
}

/// What a profile is compared with.
fn since(group: &Group) -> String {
    let weights = &group.weights;
    let Some((_, growth)) = &group.base else {
        return "one profile".to_owned();
    };
    let at = |values: &[i64]| values.get(weights.main_type).copied().unwrap_or(0);
    let by = at(&growth.after).saturating_sub(at(&growth.before));
    let series = group
        .series
        .as_ref()
        .map_or(2, |series| series.totals.len());
    format!(
        "{} since the first of {series} profiles",
        change(by, unit(weights))
    )
}

/// A function without the path of its package.
fn short_function(function: &str) -> &str {
    let end = function.find(['(', '[']).unwrap_or(function.len());
    let from = function[..end].rfind('/').map_or(0, |at| at + 1);
    &function[from..]
}

#[cfg(test)]
mod tests {
    use super::{Escaped, short_function};

    #[test]
    fn markup_is_text() {
        let text = Escaped("<a href='x'>\"&\0</a>").to_string();
        assert_eq!(
            text,
            "&lt;a href=&#39;x&#39;&gt;&quot;&amp;\u{fffd}&lt;/a&gt;"
        );
    }

    #[test]
    fn packages_are_short() {
        assert_eq!(short_function("example.com/m.open"), "m.open");
        assert_eq!(
            short_function("a/b.(*Pool[...]).Send"),
            "b.(*Pool[...]).Send"
        );
        assert_eq!(short_function("a/b.F[go/c.T]"), "b.F[go/c.T]");
        assert_eq!(short_function("main.main"), "main.main");
    }
}
