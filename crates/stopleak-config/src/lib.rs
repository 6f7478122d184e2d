//! Configuration of stopleak: the options of `stopleak.toml`, where such files are found, what they mean for a path, and the
//! settings of editors.
//!
//! Every option is documented once, on its field here. The JSON schema of the file and the settings in the editors' packages
//! are generated from these doc comments.

mod discovery;
mod editor;
pub mod files;
mod functions;
mod options;
mod settings;

pub use discovery::{Discovery, FILE_NAMES, LoadError};
pub use editor::{EditorSettings, EvidenceSettings, Run, Trace, TraceLevel};
pub use functions::{Argument, ArgumentName, FunctionOptions, ResourceOptions, Texts};
pub use options::{BuildOptions, Config, ConfigError, Level, Overlaps};
pub use settings::{
    Effective, Excluded, GoVersion, Settings, is_selector, is_test_file, similar_rule,
};

/// The JSON schema of `stopleak.toml`, as a JSON value with a stable order of keys.
pub fn json_schema() -> schemars::Schema {
    schemars::schema_for!(Config)
}

/// The JSON schema of the editors' settings; property names have no `stopleak.` prefix.
pub fn editor_schema() -> schemars::Schema {
    schemars::schema_for!(EditorSettings)
}
