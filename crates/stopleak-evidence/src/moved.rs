//! Where lines went when a text was edited after evidence was placed in it.
//!
//! As the resolver does with the code that was profiled, functions are found again by their names, and lines move with them. Here both
//! texts are known, so that lines inside of an edited function are found again, too.

use std::collections::HashMap;
use std::ops::Range;

use leak_evidence::{Function, Outline};

/// The lines of a text in another one. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// For each line of the old text the one in the new, or 0.
    now: Vec<u32>,
    /// For each line of the new text the one in the old, or 0.
    before: Vec<u32>,
    /// Functions of the old text by their lines, with where they begin now.
    headers: Vec<(Range<usize>, u32)>,
}

/// Where a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Now {
    /// It is the same line.
    Line(u32),
    /// It was edited or is gone; its function begins here.
    Function(u32),
}

impl Now {
    /// The line, whatever it is.
    pub fn line(self) -> u32 {
        match self {
            Self::Line(line) | Self::Function(line) => line,
        }
    }
}

impl Moved {
    /// From an old text to a new one, each with its functions.
    pub fn between(old: (&str, &Outline), new: (&str, &Outline)) -> Self {
        let mut matcher = Matcher::new(old.0, new.0);
        matcher.ends(0..matcher.old.len(), 0..matcher.new.len());
        let mut headers = Vec::new();
        for function in &old.1.functions {
            let Some(same) = namesake(function, old.1, new.1) else {
                continue;
            };
            headers.push((matcher.span_old(function), same.start_line));
            let (before, after) = (matcher.span_old(function), matcher.span_new(same));
            let (before, after) = matcher.ends(before, after);
            matcher.only_ones(before, after);
        }
        Self {
            now: matcher.now,
            before: matcher.before,
            headers,
        }
    }

    /// Where a line of the old text is now; `None` if its function is gone, too.
    pub fn now(&self, line: u32) -> Option<Now> {
        let at = (line as usize).checked_sub(1)?;
        match self.now.get(at) {
            Some(0) | None => {
                let header = self.headers.iter().find(|(lines, _)| lines.contains(&at))?;
                Some(Now::Function(header.1))
            }
            Some(line) => Some(Now::Line(*line)),
        }
    }

    /// Which line of the old text a line is; `None` if it is new.
    pub fn before(&self, line: u32) -> Option<u32> {
        let at = (line as usize).checked_sub(1)?;
        self.before.get(at).copied().filter(|line| *line != 0)
    }
}

/// The only function of the same name, if there is only one of that name before, too.
fn namesake<'a>(function: &Function, old: &Outline, new: &'a Outline) -> Option<&'a Function> {
    let is_same = |other: &&Function| other.name == function.name;
    let only = old.functions.iter().filter(is_same).count() == 1;
    let mut same = new.functions.iter().filter(is_same);
    same.next()
        .filter(|_| only && !function.name.is_empty() && same.next().is_none())
}

struct Matcher<'a> {
    old: Vec<&'a str>,
    new: Vec<&'a str>,
    now: Vec<u32>,
    before: Vec<u32>,
}

impl<'a> Matcher<'a> {
    fn new(old: &'a str, new: &'a str) -> Self {
        let (old, new): (Vec<_>, Vec<_>) = (old.split('\n').collect(), new.split('\n').collect());
        Self {
            now: vec![0; old.len()],
            before: vec![0; new.len()],
            old,
            new,
        }
    }

    fn span_old(&self, function: &Function) -> Range<usize> {
        span(function, self.old.len())
    }

    fn span_new(&self, function: &Function) -> Range<usize> {
        span(function, self.new.len())
    }

    fn set(&mut self, old: usize, new: usize) {
        if self.now[old] == 0 && self.before[new] == 0 {
            self.now[old] = u32::try_from(new + 1).unwrap_or(0);
            self.before[new] = u32::try_from(old + 1).unwrap_or(0);
        }
    }

    /// Lines that are equal from the beginning and from the end; what is left in between.
    fn ends(&mut self, old: Range<usize>, new: Range<usize>) -> (Range<usize>, Range<usize>) {
        let (mut from, mut to) = ((old.start, new.start), (old.end, new.end));
        while from.0 < to.0 && from.1 < to.1 && self.old[from.0] == self.new[from.1] {
            self.set(from.0, from.1);
            from = (from.0 + 1, from.1 + 1);
        }
        while from.0 < to.0 && from.1 < to.1 && self.old[to.0 - 1] == self.new[to.1 - 1] {
            to = (to.0 - 1, to.1 - 1);
            self.set(to.0, to.1);
        }
        (from.0..to.0, from.1..to.1)
    }

    /// Lines that are there once in both.
    fn only_ones(&mut self, old: Range<usize>, new: Range<usize>) {
        let mut seen: HashMap<&str, (Vec<usize>, Vec<usize>)> = HashMap::new();
        for at in old {
            seen.entry(self.old[at].trim()).or_default().0.push(at);
        }
        for at in new {
            seen.entry(self.new[at].trim()).or_default().1.push(at);
        }
        for (text, (old, new)) in seen {
            // Braces are everywhere.
            if let ([old], [new], true) = (&*old, &*new, text.len() > 1) {
                self.set(*old, *new);
            }
        }
    }
}

fn span(function: &Function, len: usize) -> Range<usize> {
    let start = (function.start_line as usize).saturating_sub(1).min(len);
    start..(function.end_line as usize).clamp(start, len)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str =
        "package m\n\nfunc a() {\n\tx := 1\n\tsend(x)\n}\n\nfunc b() {\n\tsend(2)\n}\n";

    fn outline(text: &str) -> Outline {
        let mut functions = Vec::new();
        for (line, number) in text.split('\n').zip(1..) {
            if let Some(name) = line.strip_prefix("func ") {
                functions.push(Function {
                    name: name.trim_end_matches("() {").to_owned(),
                    start_line: number,
                    ..Function::default()
                });
            } else if line == "}"
                && let Some(last) = functions.last_mut()
            {
                last.end_line = number;
            }
        }
        Outline { functions }
    }

    fn moved(new: &str) -> Moved {
        Moved::between((OLD, &outline(OLD)), (new, &outline(new)))
    }

    #[test]
    fn a_text_that_did_not_change_keeps_its_lines() {
        let moved = moved(OLD);
        for line in 1..=11 {
            assert_eq!(moved.now(line), Some(Now::Line(line)));
            assert_eq!(moved.before(line), Some(line));
        }
        assert_eq!(moved.now(12), None);
        assert_eq!(moved.now(0), None);
    }

    #[test]
    fn lines_move_with_what_is_put_before_them() {
        let moved = moved(&OLD.replace("\tsend(x)", "\ty := x\n\tlog(y)\n\tsend(x)"));
        assert_eq!(moved.now(4), Some(Now::Line(4)));
        assert_eq!(moved.now(5), Some(Now::Line(7)));
        assert_eq!(moved.now(9), Some(Now::Line(11)));
        assert_eq!(moved.before(5), None);
        assert_eq!(moved.before(11), Some(9));
    }

    #[test]
    fn functions_change_places() {
        let moved =
            moved("package m\n\nfunc b() {\n\tsend(2)\n}\n\nfunc a() {\n\tx := 1\n\tsend(x)\n}\n");
        assert_eq!(moved.now(5), Some(Now::Line(9)));
        assert_eq!(moved.now(9), Some(Now::Line(4)));
    }

    #[test]
    fn an_edited_line_leaves_its_function() {
        let moved = moved(&OLD.replace("send(x)", "send(x + 1)"));
        assert_eq!(moved.now(5), Some(Now::Function(3)));
        assert_eq!(moved.before(5), None);
        assert_eq!(moved.now(9), Some(Now::Line(9)));
    }

    #[test]
    fn of_a_function_that_is_gone_nothing_is_left() {
        let moved = moved("package m\n\nfunc c() {\n}\n\nfunc b() {\n\tsend(2)\n}\n");
        assert_eq!(moved.now(5), None);
        assert_eq!(moved.now(9), Some(Now::Line(7)));
    }
}
