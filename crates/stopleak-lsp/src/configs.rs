//! Configuration files as the server sees them: found anew when they change, and the last good one stays in force.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use stopleak_config::{Discovery, EditorSettings, FILE_NAMES, LoadError, Settings};

/// A configuration file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) text: Arc<str>,
    pub(crate) message: String,
    /// Byte range in the text.
    pub(crate) range: Range<usize>,
}

/// Modification time and length of the files that may hold the configuration of a folder.
type Stamp = Vec<Option<(Option<SystemTime>, u64)>>;

/// What is known of configuration files.
#[derive(Debug, Default)]
pub(crate) struct Configs {
    discovery: Discovery,
    stamps: HashMap<PathBuf, Stamp>,
    explicit: HashMap<PathBuf, Result<Arc<Settings>, Arc<LoadError>>>,
    last_good: HashMap<PathBuf, Arc<Settings>>,
    broken: BTreeMap<PathBuf, Broken>,
    /// Files that configurations extend, which may have any name.
    extended: BTreeSet<PathBuf>,
}

impl Configs {
    /// The settings in force for a document. `root` is its workspace folder, which an explicit configuration is relative to and
    /// which stands for documents without a file.
    pub(crate) fn settings(
        &mut self,
        path: &Path,
        root: Option<&Path>,
        editor: &EditorSettings,
    ) -> Arc<Settings> {
        let found = if editor.configuration.is_empty() {
            let folder = if path.is_absolute() {
                path.parent()
            } else {
                root
            };
            match folder {
                Some(folder) => {
                    let found = self.discovery.for_folder(folder);
                    let files = match &found {
                        Ok(settings) => settings.files(),
                        Err(error) => &error.files,
                    };
                    self.extended.extend(files.iter().skip(1).cloned());
                    self.stamps
                        .entry(folder.to_path_buf())
                        .or_insert_with(|| stamp(folder, files));
                    found
                }
                None => Ok(Arc::default()),
            }
        } else {
            let file = root.unwrap_or(Path::new("")).join(&editor.configuration);
            self.explicit
                .entry(file.clone())
                .or_insert_with(|| Settings::load(&file))
                .clone()
        };
        match found {
            Ok(settings) => {
                for file in settings.files() {
                    self.broken.remove(file);
                }
                if let Some(file) = settings.file() {
                    self.last_good
                        .insert(file.to_path_buf(), Arc::clone(&settings));
                }
                settings
            }
            Err(error) => {
                self.broken.insert(error.path.clone(), broken(&error));
                self.last_good
                    .get(&error.asked)
                    .cloned()
                    .unwrap_or_else(|| {
                        Settings::defaults_at(error.asked.parent().unwrap_or(Path::new("")))
                    })
            }
        }
    }

    /// Looks whether a configuration that counts for `path` was changed, made or removed on disk. Forgets what it knew if so.
    pub(crate) fn restat(&mut self, path: &Path) -> bool {
        let Some(folder) = path.parent().filter(|_| path.is_absolute()) else {
            return false;
        };
        let files = match self.discovery.for_folder(folder) {
            Ok(settings) => settings.files().to_vec(),
            Err(error) => error.files.clone(),
        };
        let now = stamp(folder, &files);
        match self.stamps.insert(folder.to_path_buf(), now) {
            Some(before) if Some(&before) != self.stamps.get(folder) => {
                self.forget();
                true
            }
            _ => false,
        }
    }

    /// Whether the file holds a configuration, or one that a configuration extends.
    pub(crate) fn is_config(&self, path: &Path) -> bool {
        is_named_config(path) || self.extended.contains(path)
    }

    /// Everything is read again when it is needed next.
    pub(crate) fn forget(&mut self) {
        self.discovery.clear();
        self.stamps.clear();
        self.explicit.clear();
        self.broken.clear();
    }

    /// The configuration files in use that cannot be used.
    pub(crate) fn broken(&self) -> &BTreeMap<PathBuf, Broken> {
        &self.broken
    }
}

/// Whether a file of this name holds a configuration.
pub(crate) fn is_named_config(path: &Path) -> bool {
    path.file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| FILE_NAMES.contains(&name))
}

fn stamp(folder: &Path, extended: &[PathBuf]) -> Stamp {
    folder
        .ancestors()
        .flat_map(|folder| FILE_NAMES.map(|name| folder.join(name)))
        .chain(extended.iter().cloned())
        .map(|file| {
            let meta = std::fs::metadata(file).ok()?;
            Some((meta.modified().ok(), meta.len()))
        })
        .collect()
}

fn broken(error: &LoadError) -> Broken {
    let len = error.text.len();
    let range = error
        .error
        .range
        .clone()
        .unwrap_or(0..error.text.lines().next().map_or(0, str::len));
    let start = floor(&error.text, range.start.min(len));
    Broken {
        message: error.error.to_string(),
        range: start..floor(&error.text, range.end.min(len)).max(start),
        text: Arc::clone(&error.text),
    }
}

fn floor(text: &str, mut offset: usize) -> usize {
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}
