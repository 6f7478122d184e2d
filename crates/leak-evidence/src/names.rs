//! Names of functions as the linker writes them.

use std::borrow::Cow;

/// The parts of a function's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FunctionName {
    /// The import path of its package; `main` for any program.
    pub package: String,
    /// The receiver's type without `*`, of methods.
    pub receiver: Option<String>,
    /// The declared function or method; of a function literal the one around it.
    pub name: String,
    /// It is a literal, or the body of a range-over-func loop.
    pub literal: bool,
    /// It is a literal of a function that was inlined into another one, whose package it seems to be in.
    pub inlined: bool,
}

/// What stands between two dots.
#[derive(Debug)]
enum Part<'a> {
    /// `(*T)`.
    Receiver(&'a str),
    Plain(&'a str),
}

/// The parts of a name behind the package.
#[derive(Debug)]
struct Parts<'a>(&'a str);

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        if self.0.is_empty() {
            return None;
        }
        if let Some((receiver, rest)) = self
            .0
            .strip_prefix('(')
            .and_then(|rest| rest.split_once(')'))
        {
            self.0 = rest.strip_prefix('.').unwrap_or(rest);
            return Some(Part::Receiver(receiver.trim_start_matches('*')));
        }
        let (part, rest) = self.0.split_once('.').unwrap_or((self.0, ""));
        self.0 = rest;
        Some(Part::Plain(part))
    }
}

impl FunctionName {
    /// Takes a name apart; `None` if it is none of Go's.
    pub fn parse(full: &str) -> Option<Self> {
        let full = strip_type_arguments(full);
        let slash = full.rfind('/').map_or(0, |at| at + 1);
        let dot = slash + full[slash..].find('.')?;
        let package = decode(&full[..dot]);
        let local = &full[dot + 1..];
        if local.is_empty() || package.is_empty() {
            return None;
        }
        let (local, wrapper) = match local.strip_suffix("-fm") {
            Some(method) => (method, true),
            None => (local, false),
        };
        let mut found = Self {
            package: package.into_owned(),
            receiver: None,
            name: String::new(),
            literal: false,
            inlined: false,
        };
        for part in Parts(local) {
            found.add(part);
        }
        found.literal &= !wrapper;
        (!found.name.is_empty()).then_some(found)
    }

    fn add(&mut self, part: Part<'_>) {
        match part {
            Part::Receiver(name) => {
                self.inlined |= !self.name.is_empty();
                self.receiver = Some(name.to_owned());
                self.name.clear();
                self.literal = false;
            }
            Part::Plain(part) => {
                let (part, range) = strip_range(part);
                if self.name.is_empty() {
                    part.clone_into(&mut self.name);
                } else if part.is_empty() || is_literal(part) {
                    // `glob..func1` has an empty part.
                    self.literal = true;
                } else if self.receiver.is_none() && !self.literal && !self.inlined {
                    self.receiver = Some(std::mem::replace(&mut self.name, part.to_owned()));
                } else {
                    // A literal of a function that was inlined: `Outer.func1.Inner.func2`. Declared is the last one.
                    part.clone_into(&mut self.name);
                    self.receiver = None;
                    self.literal = false;
                    self.inlined = true;
                }
                self.literal |= range;
            }
        }
    }

    /// `F` or `T.M`, as declarations are called.
    pub fn declared(&self) -> String {
        match &self.receiver {
            Some(receiver) => format!("{receiver}.{}", self.name),
            None => self.name.clone(),
        }
    }

    /// The package's path without `_test` of external tests.
    pub fn import_path(&self) -> &str {
        self.package.strip_suffix("_test").unwrap_or(&self.package)
    }
}

/// `func1`, `2`, `gowrap1`, `deferwrap3`.
fn is_literal(part: &str) -> bool {
    let digits = ["func", "gowrap", "deferwrap"]
        .iter()
        .find_map(|prefix| part.strip_prefix(prefix))
        .unwrap_or(part);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// `F-range1` is the body of a loop in `F`.
fn strip_range(part: &str) -> (&str, bool) {
    match part.split_once("-range") {
        Some((name, digits)) if digits.bytes().all(|byte| byte.is_ascii_digit()) => (name, true),
        _ => (part, false),
    }
}

/// `%2e` in the last element of a path stands for a dot.
fn decode(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return path.into();
    }
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail
            .get(..2)
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                rest = &tail[2..];
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned().into()
}

/// The name without type arguments: `F[...]`, `F[go.shape.int]`, `(*T[a/b.C[int],string]).M`.
pub fn strip_type_arguments(name: &str) -> Cow<'_, str> {
    if !name.contains('[') {
        return name.into();
    }
    let mut depth = 0_usize;
    let stripped = name.chars().filter(|c| match c {
        '[' => {
            depth += 1;
            false
        }
        ']' => {
            let inside = depth > 0;
            depth = depth.saturating_sub(1);
            !inside
        }
        _ => depth == 0,
    });
    stripped.collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn parts(full: &str) -> (String, String, bool) {
        let name = FunctionName::parse(full).expect("a name");
        (name.package.clone(), name.declared(), name.literal)
    }

    #[test]
    fn names_are_taken_apart() {
        let cases = [
            ("a/b.F", "a/b", "F", false),
            ("a/b.T.M", "a/b", "T.M", false),
            ("a/b.(*T).M", "a/b", "T.M", false),
            ("a/b.(*T).M.func1", "a/b", "T.M", true),
            ("a/b.(*Pool[...]).Send", "a/b", "Pool.Send", false),
            (
                "a/b.(*Pool[go.shape.struct { X a/c.D[int]; Y []string }]).Send.func2",
                "a/b",
                "Pool.Send",
                true,
            ),
            ("m.Fan[go.shape.int].func1", "m", "Fan", true),
            ("m.F.func1.1", "m", "F", true),
            ("m.F.func1.1.1", "m", "F", true),
            ("m.F.gowrap1", "m", "F", true),
            ("m.T.M.func2", "m", "T.M", true),
            ("m.F-range1", "m", "F", true),
            ("m.F-range1.1", "m", "F", true),
            ("m.F.func2-range1", "m", "F", true),
            ("m.init.func1", "m", "init", true),
            ("m.init.0", "m", "init", true),
            ("m.init.0.func1", "m", "init", true),
            ("m.glob..func1", "m", "glob", true),
            ("m.(*T).M-fm", "m", "T.M", false),
            (
                "gopkg.in/yaml%2ev3.(*Dec).Block",
                "gopkg.in/yaml.v3",
                "Dec.Block",
                false,
            ),
            ("main.main", "main", "main", false),
            ("a/b_test.TestX.func1", "a/b_test", "TestX", true),
            ("m.Outer.Inner.func1", "m", "Outer.Inner", true),
            ("m.Outer.func1.Inner.func2", "m", "Inner", true),
            (
                "main.main.gowrap4.(*Pool[go.shape.string]).Send.1",
                "main",
                "Pool.Send",
                true,
            ),
        ];
        for (full, package, declared, literal) in cases {
            assert_eq!(
                parts(full),
                (package.to_owned(), declared.to_owned(), literal),
                "{full}"
            );
        }
        for none in ["", "malloc", "_cgo_1234", "a/b", "m."] {
            assert_eq!(FunctionName::parse(none), None, "{none}");
        }
    }
}
