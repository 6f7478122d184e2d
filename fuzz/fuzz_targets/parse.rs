//! Any bytes are parsed without a panic, and every range that comes out lies in the text.

#![no_main]

use go_syntax::{Limits, Literals, parse_bytes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let parsed = parse_bytes(bytes, &Limits::default());
    let file = &parsed.file;
    for range in file
        .errors
        .iter()
        .chain(file.comments.iter().map(|c| &c.range))
    {
        assert!(range.end() <= file.len);
    }
    for decl in &file.decls {
        assert!(decl.range().end() <= file.len);
        for node in decl.tree.walk_decl(Literals::Enter) {
            assert!(decl.tree.range(node).end() <= decl.tree.len);
        }
        go_syntax::dump(&decl.tree);
    }
});
