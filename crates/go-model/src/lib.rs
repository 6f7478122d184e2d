//! Packages, types, control-flow graphs and function summaries for Go, from syntax alone: no Go toolchain, no build.

pub mod cfg;
pub mod constraint;
pub mod db;
pub mod directives;
pub mod disk;
pub mod effects;
pub mod facts;
pub mod gomod;
pub mod infer;
pub mod members;
pub mod noreturn;
pub mod outline;
pub mod package;
mod shape;
pub mod std_table;
pub mod summary;
pub mod told;
pub mod types;
pub mod workspace;
