//! What a configuration means for a path and for findings.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use go_model::told::ToldTable;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use leak_rules::{Diagnostic, Severity};

use crate::options::{Config, Level, Origins, Overlaps};

/// A Go language version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoVersion {
    /// `1` of `1.22`.
    pub major: u32,
    /// `22` of `1.22`.
    pub minor: u32,
}

impl GoVersion {
    /// Parses `1.22`, `1.22.3`, `go1.22`, `1.22rc1`; the patch level is dropped.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix("go").unwrap_or(text);
        let (major, rest) = text.split_once('.')?;
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (minor, tail) = rest.split_at(digits);
        let plain = tail.is_empty()
            || tail.starts_with('.')
            || tail.starts_with("rc")
            || tail.starts_with("beta");
        (plain && major.parse::<u32>().ok()? > 0).then_some(())?;
        Some(Self {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        })
    }
}

/// A configuration in force below a folder.
#[derive(Debug)]
pub struct Settings {
    config: Config,
    root: PathBuf,
    file: Option<PathBuf>,
    origins: Origins,
    /// The files that were read: the configuration's, then those that it extends.
    files: Vec<PathBuf>,
    exclude: Matcher,
    per_file: Vec<(Matcher, Vec<String>)>,
    told: Arc<ToldTable>,
}

/// Patterns, and the folder that they are relative to.
#[derive(Debug)]
struct Matcher {
    root: PathBuf,
    patterns: Gitignore,
}

/// What holds for one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// Why the file is not checked, if it is not.
    pub excluded: Option<Excluded>,
    /// The rules that run there, with the severity that the configuration gives them (`None`: the rule's own).
    pub rules: Vec<(&'static str, Option<Severity>)>,
}

/// Why a file is not checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excluded {
    /// A pattern of `exclude` matches it.
    Pattern,
    /// It is a test file and `tests` is off.
    Test,
}

impl std::fmt::Display for Excluded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pattern => "excluded by a pattern of `exclude`",
            Self::Test => "a test file, and `tests` is off",
        })
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new(Config::default(), PathBuf::new(), None)
    }
}

impl Settings {
    /// `root` is the folder that patterns are relative to; `file` is where the configuration was read.
    pub fn new(config: Config, root: PathBuf, file: Option<PathBuf>) -> Self {
        let files = file.iter().cloned().collect();
        Self::extending(config, root, file, Origins::default(), files)
    }

    pub(crate) fn extending(
        config: Config,
        root: PathBuf,
        file: Option<PathBuf>,
        origins: Origins,
        files: Vec<PathBuf>,
    ) -> Self {
        let exclude = Matcher::new(
            origins.exclude.as_deref().unwrap_or(&root),
            config.exclude.iter().map(String::as_str),
        );
        let per_file = config
            .per_file_ignores
            .iter()
            .map(|(pattern, rules)| {
                let root = origins.per_file.get(pattern).unwrap_or(&root);
                (Matcher::new(root, [pattern.as_str()]), rules.clone())
            })
            .collect();
        Self {
            told: Arc::new(config.told()),
            config,
            root,
            file,
            origins,
            files,
            exclude,
            per_file,
        }
    }

    /// The same with other options, or for another folder.
    #[must_use]
    pub fn with(&self, config: Config, root: PathBuf) -> Self {
        Self::extending(
            config,
            root,
            self.file.clone(),
            self.origins.clone(),
            self.files.clone(),
        )
    }

    /// What is said about functions.
    pub fn told(&self) -> &Arc<ToldTable> {
        &self.told
    }

    /// The files that were read: the configuration's own, then those that it extends.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The options.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The folder that patterns are relative to.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The file that was read; `None` for the defaults.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The Go version to assume in place of go.mod's.
    pub fn go_version(&self) -> Option<GoVersion> {
        self.config.go_version.as_deref().and_then(GoVersion::parse)
    }

    /// Why the file at `path` is not checked, if it is not. Generated files are recognised by their text, not here.
    pub fn excluded(&self, path: &Path) -> Option<Excluded> {
        if self.exclude.matches(path) {
            Some(Excluded::Pattern)
        } else if !self.config.tests && is_test_file(path) {
            Some(Excluded::Test)
        } else {
            None
        }
    }

    /// What holds for the file at `path`.
    pub fn effective_for(&self, path: &Path) -> Effective {
        Effective {
            excluded: self.excluded(path),
            rules: leak_rules::rules()
                .iter()
                .filter_map(|rule| match self.verdict(path, rule.name) {
                    Verdict::Off => None,
                    Verdict::Own => Some((rule.name, None)),
                    Verdict::Severity(severity) => Some((rule.name, Some(severity))),
                })
                .collect(),
        }
    }

    /// Drops the findings of rules that do not run at `path` and gives the others the configured severity. Suppressions must
    /// have been applied before: a suppression of a rule that is switched off is not unused. Whether the file is left out altogether says
    /// [`Settings::excluded`].
    pub fn filter(&self, path: &Path, mut findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
        findings.retain_mut(|finding| match self.verdict(path, finding.rule) {
            Verdict::Off => false,
            Verdict::Own => true,
            Verdict::Severity(severity) => {
                finding.severity = severity;
                true
            }
        });
        findings
    }

    /// What [`leak_rules::suppress::apply_suppressions`] needs for the file at `path`.
    pub fn suppression_options(&self, path: &Path) -> leak_rules::suppress::Options {
        leak_rules::suppress::Options {
            require_reason: self.config.require_reason,
            disabled: leak_rules::rules()
                .iter()
                .filter(|rule| {
                    // Whether one of these has something to say depends on what is loaded.
                    leak_rules::NEEDS_EVIDENCE.contains(&rule.name)
                        || matches!(self.verdict(path, rule.name), Verdict::Off)
                })
                .map(|rule| rule.name.to_owned())
                .collect(),
        }
    }

    fn verdict(&self, path: &Path, name: &str) -> Verdict {
        let config = &self.config;
        let level = config.severity.get(name).copied();
        let Some(rule) = leak_rules::rule(name) else {
            // Findings about comments to stopleak are no rules that can be selected, but they can be ignored.
            let named = |list: &[String]| list.iter().any(|selector| selector == name);
            let ignored = named(&config.ignore)
                || (self.per_file.iter())
                    .any(|(pattern, rules)| named(rules) && pattern.matches(path));
            return match level {
                _ if ignored => Verdict::Off,
                Some(Level::Off) => Verdict::Off,
                _ if name == leak_rules::suppress::UNUSED && !config.report_unused_suppressions => {
                    Verdict::Off
                }
                Some(level) => severity_of(level).map_or(Verdict::Off, Verdict::Severity),
                None => Verdict::Own,
            };
        };
        let family = rule.family.name();
        let named = |list: &[String]| list.iter().any(|selector| selector == name);
        let meant = |list: &[String]| {
            list.iter()
                .any(|selector| selector == name || selector == family || selector == "all")
        };
        if !meant(&config.select) || meant(&config.ignore) {
            return Verdict::Off;
        }
        // A rule that is selected by its own name runs although it overlaps.
        if config.overlaps == Overlaps::Off && !rule.overlaps.is_empty() && !named(&config.select) {
            return Verdict::Off;
        }
        let ignored_here = self
            .per_file
            .iter()
            .any(|(pattern, rules)| meant(rules) && pattern.matches(path));
        if ignored_here {
            return Verdict::Off;
        }
        match level {
            None => Verdict::Own,
            Some(level) => severity_of(level).map_or(Verdict::Off, Verdict::Severity),
        }
    }
}

enum Verdict {
    Off,
    /// The severity of the finding itself.
    Own,
    Severity(Severity),
}

fn severity_of(level: Level) -> Option<Severity> {
    match level {
        Level::Off => None,
        Level::Hint => Some(Severity::Hint),
        Level::Information => Some(Severity::Information),
        Level::Warning => Some(Severity::Warning),
    }
}

/// Whether Go takes the file for a test.
pub fn is_test_file(path: &Path) -> bool {
    path.file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| name.ends_with("_test.go"))
}

impl Matcher {
    fn new<'a>(root: &Path, patterns: impl IntoIterator<Item = &'a str>) -> Self {
        let mut builder = GitignoreBuilder::new(root);
        for pattern in patterns {
            // Patterns were validated when the configuration was read; a bad one from elsewhere matches nothing.
            let _ = builder.add_line(None, pattern);
        }
        Self {
            root: root.to_path_buf(),
            patterns: builder.build().unwrap_or_else(|_| Gitignore::empty()),
        }
    }

    fn matches(&self, path: &Path) -> bool {
        if self.patterns.is_empty() {
            return false;
        }
        // Paths outside the folder have no meaning for its patterns (and the matcher does not take them).
        path.strip_prefix(&self.root).is_ok_and(|relative| {
            self.patterns
                .matched_path_or_any_parents(relative, false)
                .is_ignore()
        })
    }
}

pub(crate) fn pattern_error(pattern: &str) -> Option<String> {
    let mut builder = GitignoreBuilder::new("");
    builder
        .add_line(None, pattern)
        .err()
        .map(|error| format!("bad pattern `{pattern}`: {error}"))
}

pub(crate) fn is_rule(name: &str) -> bool {
    leak_rules::rule(name).is_some() || leak_rules::meta_rule(name).is_some()
}

/// Whether `name` names a rule, a family or `all`.
pub fn is_selector(name: &str) -> bool {
    name == "all"
        || is_rule(name)
        || leak_rules::rules()
            .iter()
            .any(|rule| rule.family.name() == name)
        || FAMILIES.contains(&name)
}

const FAMILIES: [&str; 3] = ["resources", "goroutines", "memory"];

/// The rule whose name is nearest to a mistyped one, if any is near.
pub fn similar_rule(name: &str) -> Option<&'static str> {
    leak_rules::rules()
        .iter()
        .map(|rule| (distance(name, rule.name), rule.name))
        .filter(|(distance, known)| *distance <= known.len() / 3)
        .min()
        .map(|(_, known)| known)
}

/// Levenshtein distance in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let next = (diagonal + usize::from(x != y))
                .min(row[j] + 1)
                .min(row[j + 1] + 1);
            diagonal = row[j + 1];
            row[j + 1] = next;
        }
    }
    row[b.len()]
}

impl Settings {
    /// The default options below a folder.
    pub fn defaults_at(root: &Path) -> Arc<Self> {
        Arc::new(Self::new(Config::default(), root.to_path_buf(), None))
    }
}
