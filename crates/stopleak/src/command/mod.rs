//! The commands.

pub mod add;
pub mod cache;
pub mod check;
pub mod completions;
pub mod config;
pub mod profile;
pub mod rule;
pub mod server;
pub mod version;
pub mod watch;
