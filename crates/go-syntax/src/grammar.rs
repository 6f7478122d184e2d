//! The generated parser and its tables, resolved once.
#![allow(unsafe_code)]

use std::sync::LazyLock;

use tree_sitter::{Language, ffi::TSLanguage};

unsafe extern "C" {
    /// In the library that the build script compiles.
    safe fn tree_sitter_stopleak_go() -> *const TSLanguage;
}

/// Go as of 1.27.
pub(crate) static LANGUAGE: LazyLock<Language> = LazyLock::new(|| {
    // SAFETY: the generated function returns the address of a static table, never null.
    unsafe { Language::from_raw(tree_sitter_stopleak_go()) }
});
