//! Which files are a project's own.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use go_model::db::normalize;
use ignore::{DirEntry, WalkBuilder, WalkState};

/// A file to check.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Absolute path.
    pub path: PathBuf,
    /// It was named on the command line.
    pub named: bool,
}

/// What [`find`] found.
#[derive(Debug, Default)]
pub struct Files {
    /// The files, sorted by path.
    pub files: Vec<Found>,
    /// Folders that could not be read and other trouble on the way.
    pub problems: Vec<String>,
}

/// Finds the Go files below `paths`, which may end in `...` as in the `go` command. It ends early when it is `stopped`.
///
/// # Errors
/// The message for a path that does not exist.
pub fn find(
    paths: &[PathBuf],
    use_ignore_files: bool,
    stopped: &(dyn Fn() -> bool + Sync),
) -> Result<Files, String> {
    find_where(paths, use_ignore_files, stopped, is_go)
}

/// Finds all files below a folder that belong to the project, whatever they are.
///
/// # Errors
/// The message for a folder that does not exist.
pub fn find_all(folders: &[PathBuf], stopped: &(dyn Fn() -> bool + Sync)) -> Result<Files, String> {
    find_where(folders, true, stopped, |entry| {
        entry.file_type().is_some_and(|kind| kind.is_file())
    })
}

fn find_where(
    paths: &[PathBuf],
    use_ignore_files: bool,
    stopped: &(dyn Fn() -> bool + Sync),
    wanted: fn(&DirEntry) -> bool,
) -> Result<Files, String> {
    let mut named = BTreeSet::new();
    let mut folders = Vec::new();
    for path in paths {
        let path = without_dots(path);
        let metadata = fs::metadata(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => format!("`{}` does not exist", path.display()),
            _ => format!("`{}` cannot be read: {error}", path.display()),
        })?;
        if metadata.is_dir() {
            folders.push(normalize(&path));
        } else {
            named.insert(normalize(&path));
        }
    }
    let mut found = Files::default();
    let mut below = BTreeSet::new();
    if let Some((first, rest)) = folders.split_first() {
        let mut walk = WalkBuilder::new(first);
        rest.iter().for_each(|folder| {
            walk.add(folder);
        });
        walk.standard_filters(use_ignore_files)
            .hidden(true)
            .require_git(false)
            .follow_links(false)
            .filter_entry(|entry| entry.depth() == 0 || !skipped_folder(entry));
        let (sender, receiver) = std::sync::mpsc::channel();
        walk.build_parallel().run(|| {
            let sender = sender.clone();
            Box::new(move |entry| {
                if stopped() {
                    return WalkState::Quit;
                }
                let message = match entry {
                    Ok(entry) if entry.depth() > 0 && wanted(&entry) => Ok(entry.into_path()),
                    Ok(_) => return WalkState::Continue,
                    Err(error) => Err(error.to_string()),
                };
                if sender.send(message).is_err() {
                    WalkState::Quit
                } else {
                    WalkState::Continue
                }
            })
        });
        drop(sender);
        for message in receiver {
            match message {
                Ok(path) => {
                    below.insert(path);
                }
                Err(problem) => found.problems.push(problem),
            }
        }
    }
    below.retain(|path| !named.contains(path));
    let file = |named| move |path| Found { path, named };
    found.files = named
        .into_iter()
        .map(file(true))
        .chain(below.into_iter().map(file(false)))
        .collect();
    found.files.sort();
    found.problems.sort();
    Ok(found)
}

/// `dir/...` is `dir`, `...` is `.`.
fn without_dots(path: &Path) -> PathBuf {
    if path.file_name() != Some(OsStr::new("...")) {
        return path.to_path_buf();
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// Folders that hold no code of the project: dependencies, test data, and what the go command does not look at.
fn skipped_folder(entry: &DirEntry) -> bool {
    entry.file_type().is_some_and(|kind| kind.is_dir())
        && entry.file_name().to_str().is_some_and(|name| {
            matches!(name, "vendor" | "testdata" | "node_modules") || name.starts_with('_')
        })
}

fn is_go(entry: &DirEntry) -> bool {
    let is_file = entry
        .file_type()
        .is_some_and(|kind| kind.is_file() || (kind.is_symlink() && entry.path().is_file()));
    is_file
        && entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.ends_with(".go") && !name.starts_with('_'))
}

/// The path to show: relative to the folder `base`, with `/`.
pub fn display(path: &Path, base: &Path) -> String {
    let relative = relative(path, base);
    let text = relative.to_string_lossy();
    if cfg!(windows) {
        text.replace('\\', "/")
    } else {
        text.into_owned()
    }
}

fn relative(path: &Path, base: &Path) -> PathBuf {
    if !path.is_absolute() {
        return path.to_path_buf();
    }
    let common = path
        .components()
        .zip(base.components())
        .take_while(|(a, b)| a == b)
        .count();
    // Nothing in common but the root: the absolute path is the clearer one.
    if common <= 1 && base.components().count() > 1 {
        return path.to_path_buf();
    }
    let up = base.components().skip(common).map(|_| Component::ParentDir);
    up.chain(path.components().skip(common)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_shown_relative_to_the_current_folder() {
        let show = |path, base| display(Path::new(path), Path::new(base));
        assert_eq!(show("/a/b/c.go", "/a"), "b/c.go");
        assert_eq!(show("/a/c.go", "/a/b"), "../c.go");
        assert_eq!(show("/x/c.go", "/a/b"), "/x/c.go");
        assert_eq!(show("/x/c.go", "/"), "x/c.go");
        assert_eq!(show("untitled:x.go", "/a"), "untitled:x.go");
    }

    #[test]
    fn patterns_of_the_go_command_are_folders() {
        let plain = |path| without_dots(Path::new(path));
        assert_eq!(plain("./..."), Path::new("."));
        assert_eq!(plain("..."), Path::new("."));
        assert_eq!(plain("a/b/..."), Path::new("a/b"));
        assert_eq!(plain("/..."), Path::new("/"));
        assert_eq!(plain("a.go"), Path::new("a.go"));
    }

    #[test]
    fn folders_without_code_of_the_project_are_skipped_unless_named() {
        let tree = tempfile::tempdir().expect("a folder");
        let root = tree.path().canonicalize().expect("exists");
        let files = [
            "a.go",
            "a.txt",
            "_a.go",
            ".b.go",
            "b/c.go",
            "vendor/v.go",
            "testdata/t.go",
            "node_modules/n.go",
            ".git/g.go",
            "_old/o.go",
            "ignored/i.go",
            ".gitignore",
        ];
        for file in files {
            let path = root.join(file);
            fs::create_dir_all(path.parent().expect("has one")).expect("folder");
            fs::write(
                path,
                if file == ".gitignore" {
                    "ignored/\n"
                } else {
                    ""
                },
            )
            .expect("file");
        }
        let names = |paths: &[&str], ignore| -> Vec<String> {
            let paths: Vec<_> = paths.iter().map(|path| root.join(path)).collect();
            find(&paths, ignore, &|| false)
                .expect("exist")
                .files
                .iter()
                .map(|file| display(&file.path, &root))
                .collect()
        };
        assert_eq!(names(&["..."], true), ["a.go", "b/c.go"]);
        assert_eq!(names(&[""], false), ["a.go", "b/c.go", "ignored/i.go"]);
        assert_eq!(
            names(&["testdata", "vendor/v.go", "_a.go"], true),
            ["_a.go", "testdata/t.go", "vendor/v.go"]
        );
        assert!(find(&[root.join("none")], true, &|| false).is_err());
    }
}
