//! Evidence from running Go programs: profiles, goroutine dumps, goleak and sanitizer reports, read and placed on source lines.
//!
//! Architecture invariants:
//! - no input or output: bytes come from a [`std::io::Read`], the workspace's files and functions from a trait;
//! - what a file is follows from its content, never from its name;
//! - any input is read without a panic and within [`Limits`]; of one that is cut off, what is whole is kept and said to be a lower bound.

mod error;
mod goroutine;
mod growth;
mod input;
mod join;
mod names;
mod pprof;
mod profile;
mod read;
mod resolve;
mod text;
mod weigh;
mod wire;
mod workspace;

pub use error::{Cut, Error, ErrorKind, Limits, Truncation};
pub use goroutine::Operation;
pub use growth::{Change, Growth, Series, SeriesLine};
pub use join::{
    Evidence, Family, Finding, Join, Joined, Level, LineRef, Strength, Support, Thresholds, join,
    strength,
};
pub use names::{FunctionName, strip_type_arguments};
pub use profile::{
    Format, Frame, FrameId, Goroutines, Kind, LabelValue, Profile, Sample, Str, ValueType,
};
pub use read::{read, read_with};
pub use resolve::{Anchor, Origin, Place, Resolution, Resolved, Resolver};
pub use weigh::{
    Created, GoroutineCounts, Line, Stack, StackFrame, Unplaced, Waits, Weights, weigh,
};
pub use workspace::{Function, Literal, Module, Outline, Workspace};
