//! How a run ends.

use std::fmt;
use std::io;
use std::process::ExitCode;

use crate::terminal;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Nothing to complain about.
    Clean,
    /// Findings at or above the severity asked for.
    Findings,
    /// The run itself failed.
    Failed,
    /// Stopped by Ctrl-C.
    Interrupted,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(match status {
            Status::Clean => 0,
            Status::Findings => 1,
            Status::Failed => 2,
            Status::Interrupted => 130,
        })
    }
}

/// What a command returns.
pub type Outcome = Result<Status, Failure>;

/// Why a run could not be done.
#[derive(Debug)]
pub enum Failure {
    /// Output could not be written.
    Io(io::Error),
    /// Anything else, ready to print; a frame around the place may be part of it.
    Message(String),
    /// Several of them.
    Many(Vec<Failure>),
}

impl Failure {
    /// Whether the reader of the output went away.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Prints it to stderr.
    pub fn report(&self) {
        match self {
            Self::Io(error) => terminal::error(&format!("cannot write: {error}")),
            Self::Message(message) => terminal::error(message),
            Self::Many(failures) => failures.iter().for_each(Self::report),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::Message(message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Message(message) => f.write_str(message),
            Self::Many(failures) => failures
                .iter()
                .try_for_each(|failure| writeln!(f, "{failure}")),
        }
    }
}
