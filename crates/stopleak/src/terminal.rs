//! Writing to the terminal: colours, messages.

use std::io::Write as _;

use anstream::ColorChoice;
use clap::builder::styling::{AnsiColor, Style};

use crate::cli::Color;

/// Style of file names and other things to find.
pub const BOLD: Style = Style::new().bold();
/// Style of what is of less interest.
pub const DIM: Style = Style::new().dimmed();
/// Style of errors and warnings.
pub const RED: Style = AnsiColor::BrightRed.on_default().bold();
/// Style of warnings.
pub const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
/// Style of names and hints.
pub const CYAN: Style = AnsiColor::BrightCyan.on_default();
/// Style of what is good.
pub const GREEN: Style = AnsiColor::BrightGreen.on_default();

/// Sets whether stdout and stderr are coloured. `Auto` looks at the terminal, `NO_COLOR` and `CLICOLOR_FORCE`.
pub fn set_colours(color: Color) {
    match color {
        Color::Auto => ColorChoice::Auto,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    }
    .write_global();
}

/// Prints an error to stderr. Nothing can be done when that fails.
pub fn error(message: &str) {
    let _ = writeln!(anstream::stderr(), "{RED}error{RED:#}: {message}");
}

/// Prints a warning to stderr.
pub fn warning(message: &str) {
    let _ = writeln!(anstream::stderr(), "{YELLOW}warning{YELLOW:#}: {message}");
}

/// Prints a note to stderr.
pub fn note(message: &str) {
    let _ = writeln!(anstream::stderr(), "{CYAN}note{CYAN:#}: {message}");
}

/// `1 file`, `2 files`.
pub fn count(n: usize, noun: &str) -> String {
    if n == 1 {
        format!("1 {noun}")
    } else {
        format!("{n} {noun}s")
    }
}
