//! The options of `stopleak.toml`.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::functions::{FunctionOptions, ResourceOptions};

/// Options of `stopleak.toml` or `.stopleak.toml`. The file nearest to a Go file is the one in force; other files count only where it names one as `extend`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(title = "stopleak")]
pub struct Config {
    /// Another configuration to begin with, relative to the folder of this file. What is set here replaces what is set there; tables such as `severity` are joined, and `[[resource]]` and `[[function]]` come on top.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extend: Option<String>,
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
    /// Things of your own that must be released, each a table of its own: see [ownership](ownership.md).
    #[serde(rename = "resource", skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ResourceOptions>,
    /// What functions do to their arguments, each a table of its own: see [ownership](ownership.md).
    #[serde(rename = "function", skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<FunctionOptions>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            extend: None,
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
            resources: Vec::new(),
            functions: Vec::new(),
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
        self.check_functions()
            .or_else(|(place, message)| error(&place, message))
    }

    /// This configuration, read from `text`, on top of the one that it extends, which was read from `file`.
    ///
    /// # Errors
    /// What both say together is wrong.
    pub(crate) fn onto(
        self,
        text: &str,
        base: Self,
        base_origins: Origins,
        file: &Path,
    ) -> Result<(Self, Origins), ConfigError> {
        let table: toml::Table = toml::from_str(text).map_err(|error| ConfigError {
            message: one_line(error.message()),
            range: error.span().map(|span| clamp(span, text)),
        })?;
        let sets = |key: &str| table.contains_key(key);
        let folder = file.parent().unwrap_or(Path::new(""));
        let mut origins = base_origins;
        if sets("exclude") {
            origins.exclude = None;
        } else {
            origins.exclude.get_or_insert_with(|| folder.to_path_buf());
        }
        let mut per_file_ignores = base.per_file_ignores;
        for pattern in per_file_ignores.keys() {
            let known = origins.per_file.entry(pattern.clone());
            known.or_insert_with(|| folder.to_path_buf());
        }
        for (pattern, rules) in self.per_file_ignores {
            origins.per_file.remove(&pattern);
            per_file_ignores.insert(pattern, rules);
        }
        let mut severity = base.severity;
        severity.extend(self.severity);
        let own = |i: usize, len: usize| i.checked_sub(len);
        let (resources, functions) = (base.resources.len(), base.functions.len());
        let pick = |key, own: bool, other| if sets(key) { own } else { other };
        let all = Self {
            extend: self.extend,
            select: if sets("select") {
                self.select
            } else {
                base.select
            },
            ignore: if sets("ignore") {
                self.ignore
            } else {
                base.ignore
            },
            severity,
            overlaps: if sets("overlaps") {
                self.overlaps
            } else {
                base.overlaps
            },
            exclude: if sets("exclude") {
                self.exclude
            } else {
                base.exclude
            },
            per_file_ignores,
            include_generated: pick(
                "include-generated",
                self.include_generated,
                base.include_generated,
            ),
            tests: pick("tests", self.tests, base.tests),
            go_version: self.go_version.or(base.go_version),
            require_reason: pick("require-reason", self.require_reason, base.require_reason),
            report_unused_suppressions: pick(
                "report-unused-suppressions",
                self.report_unused_suppressions,
                base.report_unused_suppressions,
            ),
            build: BuildOptions {
                goos: self.build.goos.or(base.build.goos),
                goarch: self.build.goarch.or(base.build.goarch),
                tags: match table.get("build").and_then(|build| build.get("tags")) {
                    Some(_) => self.build.tags,
                    None => base.build.tags,
                },
            },
            resources: base.resources.into_iter().chain(self.resources).collect(),
            functions: base.functions.into_iter().chain(self.functions).collect(),
        };
        // Each file is right alone; together they may say a thing twice.
        if let Err((mut place, message)) = all.check_functions() {
            if let [Step::Key(list), Step::Index(i), ..] = &mut place[..] {
                let len = if *list == "resource" {
                    resources
                } else {
                    functions
                };
                *i = own(*i, len).unwrap_or_default();
            }
            return Err(ConfigError {
                message: format!(
                    "{message} (in `{}`, or in one that it extends)",
                    file.display()
                ),
                range: locate(text, &place),
            });
        }
        Ok((all, origins))
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

/// Where patterns come from that another configuration gave: the folder that they are relative to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Origins {
    /// Of `exclude`.
    pub(crate) exclude: Option<PathBuf>,
    /// Of patterns in `per-file-ignores`.
    pub(crate) per_file: BTreeMap<String, PathBuf>,
}

/// A step on the way to a value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'a> {
    Key(&'a str),
    /// The key, not its value.
    KeyItself(&'a str),
    Index(usize),
}

/// The range of what lies at `path`. The text has been parsed before, so that a second parse happens on errors only.
pub(crate) fn locate(text: &str, path: &[Step<'_>]) -> Option<Range<usize>> {
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
