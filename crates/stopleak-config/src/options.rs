//! The options of `stopleak.toml`.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Options of `stopleak.toml` or `.stopleak.toml`. The file nearest to a Go file is the one in force; files are not merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(title = "stopleak")]
pub struct Config {
    /// Rules to run: names of rules, families (`resources`, `goroutines`, `memory`) or `all`.
    pub select: Vec<String>,
    /// Rules not to run: names of rules or families. Stronger than `select`.
    pub ignore: Vec<String>,
    /// Severity of single rules: `warning`, `information`, `hint`, or `off`.
    pub severity: BTreeMap<String, Level>,
    /// Whether to run rules that cover the ground of go vet, staticcheck or another linter as well.
    pub overlaps: Overlaps,
    /// Files and folders to leave out, as patterns of `.gitignore`, relative to the folder of this file.
    pub exclude: Vec<String>,
    /// Rules to leave out in some files: pattern (as in `exclude`) to names of rules or families.
    pub per_file_ignores: BTreeMap<String, Vec<String>>,
    /// Whether to check files marked `// Code generated … DO NOT EDIT.`
    pub include_generated: bool,
    /// Whether to check `_test.go` files (only rules marked for tests run there).
    pub tests: bool,
    /// Go version to assume, for instance `"1.22"`, in place of the `go` line of go.mod.
    pub go_version: Option<String>,
    /// Whether a suppression comment without a reason (`-- reason`) is itself reported.
    pub require_reason: bool,
    /// Whether a suppression comment that suppresses nothing is reported.
    pub report_unused_suppressions: bool,
    /// The build that decides which files belong to a package.
    pub build: BuildOptions,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            select: vec!["all".to_owned()],
            ignore: Vec::new(),
            severity: BTreeMap::new(),
            overlaps: Overlaps::On,
            exclude: Vec::new(),
            per_file_ignores: BTreeMap::new(),
            include_generated: false,
            tests: true,
            go_version: None,
            require_reason: false,
            report_unused_suppressions: true,
            build: BuildOptions::default(),
        }
    }
}

/// The build that decides which files belong to a package. What is not given is taken from the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct BuildOptions {
    /// GOOS, for instance `"linux"`.
    pub goos: Option<String>,
    /// GOARCH, for instance `"amd64"`.
    pub goarch: Option<String>,
    /// Build tags, as given to `go build -tags`.
    pub tags: Vec<String>,
}

/// What a rule's findings count as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The rule does not run.
    Off,
    /// Hint.
    Hint,
    /// Information.
    Information,
    /// Warning.
    Warning,
}

/// Whether rules run that overlap with another linter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Overlaps {
    /// They run.
    #[default]
    On,
    /// They do not: go vet, staticcheck and the others are left to speak for themselves.
    Off,
}

/// A configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// What is wrong, without a full stop at its end.
    pub message: String,
    /// Where, as byte offsets into the text; `None` when no place can be named.
    pub range: Option<Range<usize>>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConfigError {}

impl std::str::FromStr for Config {
    type Err = ConfigError;

    /// Parses and validates the text of a `stopleak.toml`.
    ///
    /// # Errors
    /// Syntax errors, unknown keys, wrong types, unknown rules, bad patterns and bad Go versions, each with its range.
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| ConfigError {
            message: one_line(error.message()),
            range: error.span().map(|span| clamp(span, text)),
        })?;
        config.validate(text)?;
        Ok(config)
    }
}

impl Config {
    fn validate(&self, text: &str) -> Result<(), ConfigError> {
        let error = |path: &[Step<'_>], message: String| {
            Err(ConfigError {
                message,
                range: locate(text, path),
            })
        };
        for (key, list) in [("select", &self.select), ("ignore", &self.ignore)] {
            for (i, selector) in list.iter().enumerate() {
                if !crate::settings::is_selector(selector) {
                    return error(&[Step::Key(key), Step::Index(i)], unknown_rule(selector));
                }
            }
        }
        for rule in self.severity.keys() {
            if !crate::settings::is_rule(rule) {
                return error(
                    &[Step::Key("severity"), Step::KeyItself(rule)],
                    unknown_rule(rule),
                );
            }
        }
        for (i, pattern) in self.exclude.iter().enumerate() {
            if let Some(message) = crate::settings::pattern_error(pattern) {
                return error(&[Step::Key("exclude"), Step::Index(i)], message);
            }
        }
        for (pattern, rules) in &self.per_file_ignores {
            let table = Step::Key("per-file-ignores");
            if let Some(message) = crate::settings::pattern_error(pattern) {
                return error(&[table, Step::KeyItself(pattern)], message);
            }
            for (i, rule) in rules.iter().enumerate() {
                if !crate::settings::is_selector(rule) {
                    return error(
                        &[table, Step::Key(pattern), Step::Index(i)],
                        unknown_rule(rule),
                    );
                }
            }
        }
        if let Some(version) = &self.go_version
            && crate::settings::GoVersion::parse(version).is_none()
        {
            return error(
                &[Step::Key("go-version")],
                format!("`{version}` is not a Go version; write for instance `\"1.22\"`"),
            );
        }
        Ok(())
    }

    /// The configuration as TOML, every option written out.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }
}

fn unknown_rule(name: &str) -> String {
    match crate::settings::similar_rule(name) {
        Some(similar) => format!("unknown rule `{name}`; did you mean `{similar}`?"),
        None => format!("unknown rule `{name}`; `stopleak rule` lists all"),
    }
}

/// serde's messages may end in a list over several lines.
fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn clamp(span: Range<usize>, text: &str) -> Range<usize> {
    let start = span.start.min(text.len());
    start..span.end.clamp(start, text.len())
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    /// The key, not its value.
    KeyItself(&'a str),
    Index(usize),
}

/// The range of what lies at `path`. The text has been parsed before, so that a second parse happens on errors only.
fn locate(text: &str, path: &[Step<'_>]) -> Option<Range<usize>> {
    use toml::de::{DeTable, DeValue};
    let table = DeTable::parse(text).ok()?;
    let (first, rest) = path.split_first()?;
    let Step::Key(first) = first else { return None };
    let mut value = table.get_ref().get(*first)?;
    for step in rest {
        match (step, value.get_ref()) {
            (Step::Key(key), DeValue::Table(table)) => value = table.get(*key)?,
            (Step::KeyItself(key), DeValue::Table(table)) => {
                return table
                    .iter()
                    .find(|(name, _)| name.get_ref() == *key)
                    .map(|(name, _)| name.span());
            }
            (Step::Index(i), DeValue::Array(array)) => value = array.get(*i)?,
            _ => return Some(value.span()),
        }
    }
    Some(value.span())
}
