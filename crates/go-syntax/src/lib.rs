//! Text, positions, incremental parsing and a typed syntax tree for Go.
//!
//! Architecture invariant: nothing outside this crate sees a tree-sitter type.

pub mod ast;
mod document;
mod dump;
mod grammar;
mod kinds;
mod line_index;
mod lower;
mod name;
mod parse;
mod segment;
mod skeleton;
mod walk;

pub use document::{Document, EditError};
pub use dump::dump;
pub use la_arena;
pub use line_index::{LineCol, LineIndex, Position, PositionEncoding};
pub use name::Name;
pub use parse::{
    Limits, Parsed, SkipReason, is_generated, parse_bytes, parse_file, parse_file_with, parse_only,
};
pub use skeleton::without_bodies;
pub use text_size::{TextRange, TextSize};
pub use walk::{Literals, NodeId, Walk};

#[cfg(test)]
mod tests_lower;
#[cfg(test)]
mod tests_segment;
