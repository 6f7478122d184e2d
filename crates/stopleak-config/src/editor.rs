//! Settings that an editor sends or keeps. The settings of `editors/vscode/package.json` are generated from these fields.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings below `stopleak` in an editor. Unknown keys are ignored: editors send sections with keys of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct EditorSettings {
    /// Whether stopleak checks Go files at all.
    #[schemars(extend("scope" = "resource"))]
    pub enable: bool,
    /// When to check: while typing, or when a file is saved.
    #[schemars(extend("scope" = "resource"))]
    pub run: Run,
    /// Path of the `stopleak` program. Empty: the one that comes with the extension, then the one on PATH.
    #[schemars(extend("scope" = "machine-overridable"))]
    pub path: String,
    /// Path of a configuration file to use in place of the nearest `stopleak.toml`. Empty: the nearest one.
    #[schemars(extend("scope" = "resource"))]
    pub configuration: String,
    /// Whether quick fixes include one that adds a suppression comment.
    #[schemars(extend("scope" = "resource"))]
    pub suppress_actions: bool,
    /// Whether findings are left to gopls where it has a check for the same: those of `go vet`, such as `lostcancel`.
    #[schemars(extend("scope" = "resource"))]
    pub leave_to_gopls: bool,
    /// Pause after the last keystroke before findings are published, in milliseconds.
    #[schemars(extend("scope" = "resource"), range(max = 5000))]
    pub debounce: u32,
    /// What running programs say, on the lines of the code.
    pub evidence: EvidenceSettings,
    /// Traces the messages between the editor and the server.
    #[schemars(extend("scope" = "window"))]
    pub trace: Trace,
}

impl Default for EditorSettings {
    fn default() -> Self {
        Self {
            enable: true,
            run: Run::OnType,
            path: String::new(),
            configuration: String::new(),
            suppress_actions: true,
            leave_to_gopls: false,
            debounce: 75,
            evidence: EvidenceSettings::default(),
            trace: Trace::default(),
        }
    }
}

/// Evidence from running programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct EvidenceSettings {
    /// Folders with profiles and goroutine dumps, loaded at the start and again when a file in them changes. Relative to the workspace
    /// folder.
    #[schemars(extend("scope" = "resource"))]
    pub folders: Vec<String>,
    /// Whether evidence is shown above the lines that it is about (code lenses).
    #[schemars(extend("scope" = "window"))]
    pub lenses: bool,
    /// Lines of a file that have code lenses, at most: the heaviest ones.
    #[schemars(extend("scope" = "window"))]
    pub max_lenses: u32,
    /// Whether findings become more severe by evidence for them: as severe as the line that confirms them.
    #[schemars(extend("scope" = "window"))]
    pub raise_severity: bool,
    /// Goroutines blocked on one line from which it is shown. Ten times as many are a warning.
    #[schemars(extend("scope" = "window"))]
    pub goroutines: u32,
    /// Minutes that goroutines have waited for from which they are a warning, if they are more than before.
    #[schemars(extend("scope" = "window"))]
    pub wait_minutes: u32,
    /// Memory in use, allocated on one line, from which it is shown, in MiB.
    #[schemars(extend("scope" = "window"))]
    pub memory: u32,
    /// Things of a profile of the program's own, or threads, from which their line is shown.
    #[schemars(extend("scope" = "window"))]
    pub open: u32,
    /// Where recorded files are here: beginnings of recorded paths with what stands for them.
    #[schemars(extend("scope" = "resource"))]
    pub path_map: BTreeMap<String, String>,
}

impl Default for EvidenceSettings {
    fn default() -> Self {
        Self {
            folders: Vec::new(),
            lenses: true,
            max_lenses: 20,
            raise_severity: true,
            goroutines: 100,
            wait_minutes: 10,
            memory: 1,
            open: 100,
            path_map: BTreeMap::new(),
        }
    }
}

/// When to check.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Run {
    /// While typing.
    #[default]
    OnType,
    /// When a file is opened or saved.
    OnSave,
}

/// Tracing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Trace {
    /// What is traced to the output channel.
    pub server: TraceLevel,
}

/// How much is traced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TraceLevel {
    /// Nothing.
    #[default]
    Off,
    /// Method names.
    Messages,
    /// Whole messages.
    Verbose,
}
