//! Scripted sessions with the server over real standard input and output. What is tested where is said in `README.md` of the folder
//! above.

#![allow(clippy::unwrap_used)]

mod actions;
mod client;
mod configuration;
mod diagnostics;
mod evidence;
mod life;
mod stress;
mod workspace;

#[test]
fn the_page_names_tests_that_there_are() {
    const MODULES: [(&str, &str); 7] = [
        ("actions", include_str!("actions.rs")),
        ("configuration", include_str!("configuration.rs")),
        ("diagnostics", include_str!("diagnostics.rs")),
        ("evidence", include_str!("evidence.rs")),
        ("life", include_str!("life.rs")),
        ("stress", include_str!("stress.rs")),
        ("workspace", include_str!("workspace.rs")),
    ];
    let names: Vec<_> = include_str!("../README.md")
        .split('`')
        .filter_map(|code| code.split_once("::"))
        .collect();
    assert!(!names.is_empty());
    for (module, name) in names {
        let found = MODULES.iter().any(|(known, text)| {
            *known == module && text.contains(&format!("#[test]\nfn {name}() {{"))
        });
        assert!(found, "there is no test {module}::{name}");
    }
}
