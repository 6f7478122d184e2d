//! Saves what the program said, for a report.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::history::{MAX_LOOKS, keep_every_second};
use crate::evidence::words::stamp;

/// Writes profiles into a folder, as many looks as are remembered: of more, every second one is deleted.
pub struct Saver {
    folder: PathBuf,
    /// The files of each look.
    looks: Vec<Vec<PathBuf>>,
}

impl Saver {
    /// Makes the folder.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new(folder: &Path) -> Result<Self, String> {
        fs::create_dir_all(folder)
            .map_err(|error| format!("`{}` cannot be made: {error}", folder.display()))?;
        Ok(Self {
            folder: folder.to_path_buf(),
            looks: Vec::new(),
        })
    }

    /// The folder, if something is in it.
    pub fn folder(&self) -> Option<String> {
        (!self.looks.is_empty()).then(|| self.folder.display().to_string())
    }

    /// Writes the profiles of a look.
    ///
    /// # Errors
    /// One cannot be written.
    pub fn save(&mut self, time: SystemTime, profiles: &[(&str, Vec<u8>)]) -> Result<(), String> {
        let seconds = time
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let stamp = stamp(i64::try_from(seconds).unwrap_or(0));
        let mut written = Vec::new();
        for (name, bytes) in profiles {
            let path = self.folder.join(format!("{stamp}-{name}.pb.gz"));
            let told =
                |error: std::io::Error| format!("`{}` cannot be written: {error}", path.display());
            // In one step: somebody may be reading the folder.
            let mut file = tempfile::NamedTempFile::new_in(&self.folder).map_err(told)?;
            file.write_all(bytes).map_err(told)?;
            file.persist(&path).map_err(|error| told(error.error))?;
            written.push(path);
        }
        self.looks.push(written);
        if self.looks.len() > MAX_LOOKS {
            self.thin();
        }
        Ok(())
    }

    fn thin(&mut self) {
        let all: Vec<PathBuf> = self.looks.iter().flatten().cloned().collect();
        keep_every_second(&mut self.looks);
        let kept: std::collections::HashSet<&PathBuf> = self.looks.iter().flatten().collect();
        for path in all.iter().filter(|path| !kept.contains(path)) {
            // Somebody may have taken it away.
            let _ = fs::remove_file(path);
        }
    }
}
