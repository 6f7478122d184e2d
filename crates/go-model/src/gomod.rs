//! `go.mod` and `go.work` files.
//!
//! The reader is line-based like the Go toolchain's, but never gives up: a line that it does not understand becomes a
//! [`ModError`] and the rest of the file counts.

use go_syntax::Name;
use text_size::{TextRange, TextSize};

/// A `go.mod` file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GoMod {
    /// The module's path.
    pub module: Option<Name>,
    /// The `go` line.
    pub go: Option<Version>,
    /// The `toolchain` line.
    pub toolchain: Option<Box<str>>,
    /// Required modules in order.
    pub require: Vec<Require>,
    /// Replacements in order.
    pub replace: Vec<Replace>,
    /// Excluded module versions.
    pub exclude: Vec<(Name, Box<str>)>,
    /// Ignored directories (Go 1.25), as written.
    pub ignore: Vec<Box<str>>,
    /// What could not be read.
    pub errors: Vec<ModError>,
}

/// A `go.work` file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GoWork {
    /// The `go` line.
    pub go: Option<Version>,
    /// The `toolchain` line.
    pub toolchain: Option<Box<str>>,
    /// Module directories, as written.
    pub uses: Vec<Box<str>>,
    /// Replacements in order.
    pub replace: Vec<Replace>,
    /// What could not be read.
    pub errors: Vec<ModError>,
}

/// A Go version such as `1.22.3` or `1.21rc2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Before the first dot.
    pub major: u32,
    /// Between the dots.
    pub minor: u32,
}

impl Version {
    /// Reads `1.22`, `1.22.3`, `1.22rc1`, each also with `go` before it.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix("go").unwrap_or(text);
        let (major, rest) = text.split_once('.').unwrap_or((text, "0"));
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        Some(Self {
            major: major.parse().ok()?,
            minor: rest[..end].parse().ok()?,
        })
    }
}

/// A line of `require`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Require {
    /// Module path.
    pub path: Name,
    /// Its version with the `v`.
    pub version: Box<str>,
    /// Marked `// indirect`.
    pub indirect: bool,
}

/// A line of `replace`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replace {
    /// What is replaced.
    pub path: Name,
    /// Only this version of it.
    pub version: Option<Box<str>>,
    /// By a directory (relative or absolute, as written) or another module.
    pub with: Replacement,
}

/// What a module is replaced by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replacement {
    /// A directory, as written.
    Directory(Box<str>),
    /// A module and its version.
    Module(Name, Box<str>),
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModError {
    /// The line, without the blanks around it.
    pub range: TextRange,
    /// What is wrong.
    pub message: String,
}

struct Line<'a> {
    verb: &'a str,
    args: Vec<String>,
    comment: &'a str,
    range: TextRange,
}

/// Cuts a file into directives; blocks are resolved: each line carries its block's verb.
fn lines(text: &str, errors: &mut Vec<ModError>) -> Vec<(String, Vec<String>, String, TextRange)> {
    let mut out = Vec::new();
    let mut block: Option<(String, TextRange)> = None;
    let mut offset = 0usize;
    for raw in text.split_inclusive('\n') {
        let start = offset;
        offset += raw.len();
        let line = raw.trim_end_matches(['\n', '\r']);
        let begin = start + (line.len() - line.trim_start().len());
        let range = range(begin, start + line.trim_end().len().max(begin - start));
        let (mut tokens, comment) = match tokens(line) {
            Ok(found) => found,
            Err(message) => {
                errors.push(ModError { range, message });
                continue;
            }
        };
        if tokens.is_empty() {
            continue;
        }
        if let Some((verb, _)) = &block {
            if tokens.len() == 1 && tokens[0] == ")" {
                block = None;
            } else {
                out.push((verb.clone(), tokens, comment.to_owned(), range));
            }
            continue;
        }
        let verb = tokens.remove(0);
        match tokens.first().map(String::as_str) {
            Some("(") if tokens.len() == 1 => block = Some((verb, range)),
            Some("(") if tokens.last().is_some_and(|t| t == ")") => {
                tokens.pop();
                tokens.remove(0);
                if !tokens.is_empty() {
                    out.push((verb, tokens, comment.to_owned(), range));
                }
            }
            _ => out.push((verb, tokens, comment.to_owned(), range)),
        }
    }
    if let Some((verb, range)) = block {
        errors.push(ModError {
            range,
            message: format!("the block `{verb} (` is not closed"),
        });
    }
    out
}

fn range(start: usize, end: usize) -> TextRange {
    let size = |n: usize| TextSize::new(u32::try_from(n).unwrap_or(u32::MAX));
    TextRange::new(size(start), size(end))
}

/// Words, quoted strings and parentheses of a line, and the comment behind them.
fn tokens(line: &str) -> Result<(Vec<String>, &str), String> {
    let mut out = Vec::new();
    let mut rest = line.trim_start();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok((out, ""));
        }
        if let Some(comment) = rest.strip_prefix("//") {
            return Ok((out, comment));
        }
        if let Some(after) = rest.strip_prefix(['(', ')']) {
            out.push(rest[..1].to_owned());
            rest = after;
            continue;
        }
        if let Some(after) = rest.strip_prefix('`') {
            let end = after.find('`').ok_or("a quoted string is not closed")?;
            out.push(after[..end].to_owned());
            rest = &after[end + 1..];
            continue;
        }
        if let Some(after) = rest.strip_prefix('"') {
            let mut value = String::new();
            let mut chars = after.char_indices();
            let end = loop {
                match chars.next() {
                    None => return Err("a quoted string is not closed".to_owned()),
                    Some((i, '"')) => break i,
                    Some((_, '\\')) => match chars.next() {
                        Some((_, c)) => value.push(c),
                        None => return Err("a quoted string is not closed".to_owned()),
                    },
                    Some((_, c)) => value.push(c),
                }
            };
            out.push(value);
            rest = &after[end + 1..];
            continue;
        }
        let mut end = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '(' | ')'))
            .unwrap_or(rest.len());
        if let Some(comment) = rest[..end].find("//") {
            // `https://…` is no module path: a comment begins here.
            end = comment;
        }
        out.push(rest[..end].to_owned());
        rest = &rest[end..];
    }
}

impl GoMod {
    /// Reads a file.
    pub fn parse(text: &str) -> Self {
        let mut out = Self::default();
        let mut errors = Vec::new();
        for (verb, args, comment, range) in &lines(text, &mut errors) {
            let line = Line {
                verb,
                args: args.clone(),
                comment,
                range: *range,
            };
            if let Err(message) = out.line(&line) {
                errors.push(ModError {
                    range: line.range,
                    message,
                });
            }
        }
        errors.sort_by_key(|e| e.range.start());
        out.errors = errors;
        out
    }

    fn line(&mut self, line: &Line<'_>) -> Result<(), String> {
        let args: Vec<&str> = line.args.iter().map(String::as_str).collect();
        match (line.verb, &*args) {
            ("module", [path]) => self.module = Some(Name::new(path)),
            ("go", [version]) => self.go = Some(go_line(version)?),
            ("toolchain", [name]) => self.toolchain = Some((*name).into()),
            ("require", [path, version]) => self.require.push(Require {
                path: Name::new(path),
                version: (*version).into(),
                indirect: line.comment.trim().split([';', ' ']).next() == Some("indirect"),
            }),
            ("replace", args) => self.replace.push(replace(args)?),
            ("exclude", [path, version]) => self.exclude.push((Name::new(path), (*version).into())),
            ("ignore", [path]) => self.ignore.push((*path).into()),
            ("retract" | "tool" | "godebug", _) => {}
            ("module" | "go" | "toolchain" | "require" | "exclude" | "ignore", _) => {
                return Err(format!("wrong number of words behind `{}`", line.verb));
            }
            (verb, _) => return Err(format!("unknown directive `{verb}`")),
        }
        Ok(())
    }

    /// The replacement for a module at a version; one for the very version beats one for all.
    pub fn replacement(&self, path: Name, version: &str) -> Option<&Replacement> {
        find_replacement(&self.replace, path, version)
    }
}

/// Looks a module up among `replace` lines.
pub(crate) fn find_replacement<'a>(
    list: &'a [Replace],
    path: Name,
    version: &str,
) -> Option<&'a Replacement> {
    let of = |exact: bool| {
        list.iter().rev().find(|r| {
            r.path == path
                && match &r.version {
                    Some(v) => exact && **v == *version,
                    None => !exact,
                }
        })
    };
    of(true).or_else(|| of(false)).map(|r| &r.with)
}

fn go_line(version: &str) -> Result<Version, String> {
    Version::parse(version).ok_or_else(|| format!("`{version}` is not a Go version"))
}

fn replace(args: &[&str]) -> Result<Replace, String> {
    let arrow = args
        .iter()
        .position(|a| *a == "=>")
        .ok_or("`replace` needs `=>`")?;
    let (old, new) = (&args[..arrow], &args[arrow + 1..]);
    let (path, version) = match old {
        [path] => (path, None),
        [path, version] => (path, Some((*version).into())),
        _ => return Err("`replace` needs a module before `=>`".to_owned()),
    };
    let is_dir = |p: &str| {
        p.starts_with("./")
            || p.starts_with("../")
            || p.starts_with('/')
            || p == "."
            || p == ".."
            || p.starts_with(".\\")
            || p.starts_with("..\\")
            || std::path::Path::new(p).is_absolute()
    };
    let with = match new {
        [dir] if is_dir(dir) => Replacement::Directory((*dir).into()),
        [module, version] => Replacement::Module(Name::new(module), (*version).into()),
        [_] => return Err("a replacement module needs a version".to_owned()),
        _ => return Err("`replace` needs a module or a directory behind `=>`".to_owned()),
    };
    Ok(Replace {
        path: Name::new(path),
        version,
        with,
    })
}

impl GoWork {
    /// Reads a file.
    pub fn parse(text: &str) -> Self {
        let mut out = Self::default();
        let mut errors = Vec::new();
        for (verb, args, _, range) in &lines(text, &mut errors) {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let result = match (&**verb, &*args) {
                ("go", [version]) => go_line(version).map(|v| out.go = Some(v)),
                ("toolchain", [name]) => {
                    out.toolchain = Some((*name).into());
                    Ok(())
                }
                ("use", [dir]) => {
                    out.uses.push((*dir).into());
                    Ok(())
                }
                ("replace", args) => replace(args).map(|r| out.replace.push(r)),
                ("godebug", _) => Ok(()),
                ("go" | "toolchain" | "use", _) => {
                    Err(format!("wrong number of words behind `{verb}`"))
                }
                (verb, _) => Err(format!("unknown directive `{verb}`")),
            };
            if let Err(message) = result {
                errors.push(ModError {
                    range: *range,
                    message,
                });
            }
        }
        errors.sort_by_key(|e| e.range.start());
        out.errors = errors;
        out
    }
}

/// A module path or version as it is spelled in the module cache: upper-case letters become `!` and the lower-case letter.
pub fn escape(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        if c.is_ascii_uppercase() {
            out.push('!');
            out.push(c.to_ascii_lowercase());
        } else {
            out.push(c);
        }
    }
    out
}

/// Undoes [`escape`].
pub fn unescape(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut chars = path.chars();
    while let Some(c) = chars.next() {
        match c {
            '!' => out.extend(chars.next().map(|c| c.to_ascii_uppercase())),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_file() {
        let text = r#"// Deprecated: x
module "example.com/a" // c

go 1.22.3
toolchain go1.23.0

require example.com/One v1.2.3
require (
	example.com/two v0.0.0-20200101000000-abcdefabcdef // indirect
	example.com/three/v2 v2.0.0+incompatible // indirect; note

	// a comment
)
replace example.com/One => ../one
replace (
	example.com/two v0.0.1 => example.com/fork v1.0.0
	example.com/two => `./two dir`
)
exclude example.com/four v1.0.0
retract [v1.0.0, v1.1.0]
tool example.com/tool/cmd
ignore ./node_modules
godebug default=go1.21
"#;
        let m = GoMod::parse(text);
        assert_eq!(m.errors, []);
        assert_eq!(m.module, Some("example.com/a".into()));
        assert_eq!(
            m.go,
            Some(Version {
                major: 1,
                minor: 22
            })
        );
        assert_eq!(m.toolchain.as_deref(), Some("go1.23.0"));
        assert_eq!(m.require.len(), 3);
        assert!(!m.require[0].indirect && m.require[1].indirect && m.require[2].indirect);
        assert_eq!(
            m.replacement("example.com/One".into(), "v1.2.3"),
            Some(&Replacement::Directory("../one".into()))
        );
        assert_eq!(
            m.replacement("example.com/two".into(), "v0.0.1"),
            Some(&Replacement::Module(
                "example.com/fork".into(),
                "v1.0.0".into()
            ))
        );
        assert_eq!(
            m.replacement("example.com/two".into(), "v9"),
            Some(&Replacement::Directory("./two dir".into()))
        );
        assert_eq!(m.replacement("example.com/none".into(), "v9"), None);
        assert_eq!(m.ignore, ["./node_modules".into()]);
    }

    #[test]
    fn half_typed() {
        let text = "module\nmodule example.com/a\r\ngo x\nrequire example.com/b\nfoo bar\n\"\nreplace a => b\nreplace a\nrequire (\n\texample.com/c v1\n";
        let m = GoMod::parse(text);
        assert_eq!(m.module, Some("example.com/a".into()));
        assert_eq!(m.require.len(), 1);
        let at: Vec<_> = m.errors.iter().map(|e| &text[e.range]).collect();
        assert_eq!(
            at,
            [
                "module",
                "go x",
                "require example.com/b",
                "foo bar",
                "\"",
                "replace a => b",
                "replace a",
                "require ("
            ]
        );
    }

    #[test]
    fn work() {
        let w = GoWork::parse(
            "go 1.21\nuse ./a\nuse (\n ./b // c\n \"./c d\"\n)\nreplace x => ./y\nnonsense\n",
        );
        assert_eq!(w.uses, ["./a".into(), "./b".into(), "./c d".into()]);
        assert_eq!(w.replace.len(), 1);
        assert_eq!(w.errors.len(), 1);
        assert_eq!(
            w.go,
            Some(Version {
                major: 1,
                minor: 21
            })
        );
    }

    #[test]
    fn odd_bytes_do_not_panic() {
        for text in [
            "(",
            ")",
            "((",
            "a ( )",
            "a ( b )",
            "\"\\",
            "`",
            "//",
            "\r",
            "é (",
            "module é\u{0}\n",
            "use () (",
        ] {
            GoMod::parse(text);
            GoWork::parse(text);
        }
    }

    #[test]
    fn versions() {
        assert_eq!(
            Version::parse("1.21rc2"),
            Some(Version {
                major: 1,
                minor: 21
            })
        );
        assert_eq!(
            Version::parse("go1.22.1"),
            Some(Version {
                major: 1,
                minor: 22
            })
        );
        assert_eq!(Version::parse("1"), Some(Version { major: 1, minor: 0 }));
        assert_eq!(Version::parse(""), None);
        assert_eq!(Version::parse("1."), None);
    }

    #[test]
    fn escaping() {
        assert_eq!(
            escape("github.com/BurntSushi/toml"),
            "github.com/!burnt!sushi/toml"
        );
        assert_eq!(
            unescape("github.com/!burnt!sushi/toml"),
            "github.com/BurntSushi/toml"
        );
    }
}
