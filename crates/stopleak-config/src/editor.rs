//! Settings that an editor sends or keeps. The settings of `editors/vscode/package.json` are generated from these fields.

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
    /// Pause after the last keystroke before findings are published, in milliseconds.
    #[schemars(extend("scope" = "resource"), range(max = 5000))]
    pub debounce: u32,
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
            debounce: 75,
            trace: Trace::default(),
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
