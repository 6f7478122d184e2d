//! Scripted sessions with the server over real standard input and output.

#![allow(clippy::unwrap_used)]

mod actions;
mod client;
mod configuration;
mod diagnostics;
mod evidence;
mod life;
mod stress;
mod workspace;
