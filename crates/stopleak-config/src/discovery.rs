//! Finding the configuration of a file: the nearest one above it.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::options::{Config, ConfigError};
use crate::settings::Settings;

/// Names of the configuration file, the one that wins in a folder first.
pub const FILE_NAMES: [&str; 2] = ["stopleak.toml", ".stopleak.toml"];

/// A configuration file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadError {
    /// The file.
    pub path: PathBuf,
    /// Its text, for a frame around the error; empty when it could not be read.
    pub text: Arc<str>,
    /// What is wrong.
    pub error: ConfigError,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(range) = &self.error.range {
            let before = &self.text.as_bytes()[..range.start.min(self.text.len())];
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            let column = before
                .iter()
                .rev()
                .take_while(|byte| **byte != b'\n')
                .count()
                + 1;
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.error)
    }
}

impl std::error::Error for LoadError {}

/// The outcome for one folder.
pub type Found = Result<Arc<Settings>, Arc<LoadError>>;

/// Finds configurations and remembers the answer for each folder. Safe to share between threads.
#[derive(Debug, Default)]
pub struct Discovery {
    stop_at: Option<PathBuf>,
    folders: Mutex<HashMap<PathBuf, Found>>,
}

impl Discovery {
    /// Looks in the file's folder and above, up to and including `stop_at`, else up to the root of the file system.
    pub fn new(stop_at: Option<PathBuf>) -> Self {
        Self {
            stop_at,
            folders: Mutex::default(),
        }
    }

    /// The settings of a file; `path` must be absolute.
    ///
    /// # Errors
    /// The nearest configuration cannot be read or is wrong. No other is taken in its place.
    pub fn for_file(&self, path: &Path) -> Found {
        self.for_folder(path.parent().unwrap_or(path))
    }

    /// The settings of files in a folder; `folder` must be absolute.
    ///
    /// # Errors
    /// As [`Discovery::for_file`].
    pub fn for_folder(&self, folder: &Path) -> Found {
        let mut known = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        let mut visited = Vec::new();
        let mut found = None;
        for ancestor in folder.ancestors() {
            if let Some(answer) = known.get(ancestor) {
                found = Some(answer.clone());
                break;
            }
            visited.push(ancestor.to_path_buf());
            if let Some(file) = config_file_in(ancestor) {
                found = Some(load(&file));
                break;
            }
            if self.stop_at.as_deref() == Some(ancestor) {
                break;
            }
        }
        let found = found.unwrap_or_else(|| {
            let root = visited.last().map_or(folder, PathBuf::as_path);
            Ok(Settings::defaults_at(root))
        });
        for folder in visited {
            known.insert(folder, found.clone());
        }
        found
    }

    /// Forgets everything, after a configuration file was made, changed or removed.
    pub fn clear(&self) {
        self.folders
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// The configuration file of a folder, if it has one.
pub(crate) fn config_file_in(folder: &Path) -> Option<PathBuf> {
    FILE_NAMES
        .iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
}

/// Reads one configuration file.
pub(crate) fn load(path: &Path) -> Found {
    let fail = |text: &str, error: ConfigError| {
        Err(Arc::new(LoadError {
            path: path.to_path_buf(),
            text: text.into(),
            error,
        }))
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            return fail(
                "",
                ConfigError {
                    message: format!("cannot be read: {error}"),
                    range: None,
                },
            );
        }
    };
    match text.parse::<Config>() {
        Ok(config) => {
            let root = path.parent().unwrap_or(Path::new("")).to_path_buf();
            Ok(Arc::new(Settings::new(
                config,
                root,
                Some(path.to_path_buf()),
            )))
        }
        Err(error) => fail(&text, error),
    }
}

impl Settings {
    /// Reads one configuration file; patterns are relative to its folder.
    ///
    /// # Errors
    /// The file cannot be read or is wrong.
    pub fn load(path: &Path) -> Found {
        load(path)
    }
}
