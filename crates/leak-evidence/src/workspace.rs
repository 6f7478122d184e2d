//! What is known about the code that evidence is placed in. Implemented by the command line and the server.

use std::sync::Arc;

/// The files of a workspace. Paths are absolute, with `/` between the parts on every system.
pub trait Workspace {
    /// Whether the file is one of the workspace's own, not one of a dependency.
    fn is_file(&self, path: &str) -> bool;

    /// The modules whose files are the workspace's own.
    fn modules(&self) -> Vec<Module>;

    /// All of the workspace's own files with this name.
    fn files_named(&self, name: &str) -> Vec<String>;

    /// The functions of a file; `None` if it is not Go or cannot be read.
    fn outline(&self, path: &str) -> Option<Arc<Outline>>;

    /// Whether the file is newer than a time in nanoseconds since 1970.
    fn changed_since(&self, path: &str, time: i64) -> bool {
        let _ = (path, time);
        false
    }

    /// Whether what blocks on this line is woken by a timer or ticker, too, and so is no leak however long it waits.
    fn has_timer(&self, path: &str, line: u32) -> bool {
        let _ = (path, line);
        false
    }
}

/// A module of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Its path in `go.mod`.
    pub path: String,
    /// Its folder, absolute, without `/` at the end.
    pub dir: String,
}

/// The functions of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    /// In source order. Literals outside of functions belong to an entry without a name.
    pub functions: Vec<Function>,
}

/// A declared function, or the part of a file that initializes variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Function {
    /// `F` or `T.M` (`T` without `*` and type parameters); empty for variables.
    pub name: String,
    /// Line of `func`, from 1.
    pub start_line: u32,
    /// Line of its last `}`.
    pub end_line: u32,
    /// All function literals in it, at any depth.
    pub literals: Vec<Literal>,
}

/// A function literal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Literal {
    /// Line of `func`, from 1.
    pub start_line: u32,
    /// Line of its last `}`.
    pub end_line: u32,
    /// Line of the `go` statement (or the call that starts goroutines) that runs it.
    pub go_line: Option<u32>,
}

impl Function {
    pub(crate) fn contains(&self, line: u32) -> bool {
        (self.start_line..=self.end_line).contains(&line)
    }
}

impl Literal {
    pub(crate) fn contains(&self, line: u32) -> bool {
        (self.start_line..=self.end_line).contains(&line)
    }
}
