//! Finding the configuration of a file: the nearest one above it.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use go_model::db::normalize;

use crate::options::{Config, ConfigError, Origins, Step, locate};
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
    /// The file that was to be read; another one than `path` where it extends that one.
    pub asked: PathBuf,
    /// All files that were looked at.
    pub files: Vec<PathBuf>,
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

/// How many configurations may extend one another.
const MAX_EXTENDS: usize = 16;

/// Reads a configuration file and those that it extends.
pub(crate) fn load(path: &Path) -> Found {
    let mut files = Vec::new();
    match read(path, &mut files) {
        Ok((config, origins)) => {
            let root = path.parent().unwrap_or(Path::new("")).to_path_buf();
            let file = Some(path.to_path_buf());
            Ok(Arc::new(Settings::extending(
                config, root, file, origins, files,
            )))
        }
        Err(mut error) => {
            error.asked = path.to_path_buf();
            error.files = files;
            Err(Arc::from(error))
        }
    }
}

fn read(path: &Path, files: &mut Vec<PathBuf>) -> Result<(Config, Origins), Box<LoadError>> {
    files.push(path.to_path_buf());
    let fail = |text: &str, error: ConfigError| {
        Box::new(LoadError {
            path: path.to_path_buf(),
            text: text.into(),
            error,
            asked: PathBuf::new(),
            files: Vec::new(),
        })
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        fail(
            "",
            ConfigError {
                message: format!("cannot be read: {error}"),
                range: None,
            },
        )
    })?;
    let own = text.parse::<Config>().map_err(|error| fail(&text, error))?;
    let Some(base) = &own.extend else {
        return Ok((own, Origins::default()));
    };
    let at_extend = |message: String| {
        fail(
            &text,
            ConfigError {
                message,
                range: locate(&text, &[Step::Key("extend")]),
            },
        )
    };
    let folder = path.parent().unwrap_or(Path::new(""));
    let base = normalize(&folder.join(base));
    if let Some(first) = files.iter().position(|file| normalize(file) == base) {
        let circle: Vec<String> = files[first..]
            .iter()
            .chain([&base])
            .map(|file| format!("`{}`", file.display()))
            .collect();
        return Err(at_extend(format!(
            "configurations extend one another in a circle: {}",
            circle.join(" extends ")
        )));
    }
    if files.len() >= MAX_EXTENDS {
        return Err(at_extend(format!(
            "more than {MAX_EXTENDS} configurations extend one another"
        )));
    }
    if !base.is_file() {
        files.push(base.clone());
        return Err(at_extend(format!("there is no file `{}`", base.display())));
    }
    let (config, origins) = read(&base, files)?;
    own.onto(&text, config, origins, &base)
        .map_err(|error| fail(&text, error))
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
