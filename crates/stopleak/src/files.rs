//! Which files are checked, and writing them.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

pub use stopleak_config::files::{Files, Found, display};

use crate::interrupt;

/// Finds the Go files below `paths`, which may end in `...` as in the `go` command.
///
/// # Errors
/// The message for a path that does not exist.
pub fn find(paths: &[PathBuf], use_ignore_files: bool) -> Result<Files, String> {
    stopleak_config::files::find(paths, use_ignore_files, &interrupt::stopped)
}

/// Why a file was not written.
#[derive(Debug)]
pub enum WriteError {
    /// It is not what was checked any more.
    Changed,
    /// It could not be written.
    Io(io::Error),
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl std::fmt::Display for WriteError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Changed => f.write_str("it was changed while it was checked"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

/// Replaces the text of a file in one step: readers see the old text or the new one. Links stay links, permissions are kept.
///
/// # Errors
/// The file does not hold `before` any more, or it cannot be written; it is as it was in both cases.
pub fn replace(path: &Path, before: &str, after: &str) -> Result<(), WriteError> {
    let target = fs::canonicalize(path)?;
    if fs::read(&target)? != before.as_bytes() {
        return Err(WriteError::Changed);
    }
    let folder = target.parent().unwrap_or(Path::new("."));
    let mut temporary = tempfile::Builder::new()
        .prefix(".stopleak-")
        .tempfile_in(folder)?;
    temporary.write_all(after.as_bytes())?;
    temporary
        .as_file()
        .set_permissions(fs::metadata(&target)?.permissions())?;
    temporary.as_file().sync_all()?;
    temporary.persist(&target).map_err(|error| error.error)?;
    Ok(())
}

/// Writes a new file in one step.
///
/// # Errors
/// There is a file already, or it cannot be written.
pub fn create(path: &Path, text: &str) -> Result<(), io::Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".stopleak-");
    // As other programs make files: what the user's mask leaves of it.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut temporary = builder.tempfile_in(folder)?;
    temporary.write_all(text.as_bytes())?;
    temporary.as_file().sync_all()?;
    temporary
        .persist_noclobber(path)
        .map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn files_are_replaced_in_one_step() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let tree = tempfile::tempdir().expect("a folder");
        let (file, link) = (tree.path().join("a.go"), tree.path().join("b.go"));
        fs::write(&file, "old").expect("file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o751)).expect("permissions");
        symlink("a.go", &link).expect("link");
        replace(&link, "old", "new").expect("replaces");
        assert_eq!(fs::read_to_string(&file).expect("file"), "new");
        assert!(fs::symlink_metadata(&link).expect("link").is_symlink());
        assert_eq!(
            fs::metadata(&file).expect("file").permissions().mode() & 0o777,
            0o751
        );
        assert!(matches!(
            replace(&file, "old", "newer"),
            Err(WriteError::Changed)
        ));
        assert_eq!(fs::read_to_string(&file).expect("file"), "new");
        assert_eq!(
            fs::read_dir(tree.path()).expect("folder").count(),
            2,
            "no temporary file is left"
        );
    }
}
