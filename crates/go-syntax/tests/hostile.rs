//! What nobody writes must do no harm: no crash, no stack overflow, no hang, and the declarations beside it stay whole.

use std::sync::Arc;

use go_syntax::ast::{File, MAX_DEPTH};
use go_syntax::{
    Document, Limits, Literals, NodeId, SkipReason, TextRange, parse_bytes, parse_file,
};

const DEEP: usize = 100_000;

/// A function with `body` between two healthy ones.
fn parse(body: &str) -> Arc<File> {
    let text = format!(
        "package p\n\nfunc a() {{ x() }}\n\nfunc deep() {{\n{body}\n}}\n\nfunc b() {{ y() }}\n"
    );
    let parsed = parse_file(&text);
    assert_eq!(parsed.skipped, None);
    let file = parsed.file;
    let healthy = |name: &str| {
        file.decls.iter().any(|d| {
            !d.tree.has_error && d.tree.func().is_some_and(|f| f.name.name.as_str() == name)
        })
    };
    assert!(healthy("a") && healthy("b"));
    file
}

/// Depth as documented for trees; walks without recursion so that a mistake here cannot hide one there.
fn depth(file: &File) -> usize {
    let mut deepest = 0;
    for decl in &file.decls {
        let tree = &decl.tree;
        let mut depths = rustc_hash::FxHashMap::default();
        for node in tree.walk_decl(Literals::Enter) {
            let depth = depths.get(&node).copied().unwrap_or(1);
            deepest = deepest.max(depth);
            tree.for_each_child(node, |child: NodeId| {
                depths.insert(child, depth + 1);
            });
        }
    }
    deepest
}

#[track_caller]
fn nested(open: &str, middle: &str, close: &str) {
    let closed = format!("{}{middle}{}", open.repeat(DEEP), close.repeat(DEEP));
    let file = parse(&closed);
    assert!(file.decls.iter().any(|d| d.tree.has_error));
    assert!(depth(&file) <= usize::from(MAX_DEPTH), "{}", depth(&file));
    // And never closed.
    let file = parse(&open.repeat(DEEP));
    assert!(file.decls.iter().any(|d| d.tree.has_error));
}

#[test]
fn deep_parentheses() {
    nested("_ = (", "1", ")");
    nested("(", "1", ")");
}

#[test]
fn deep_blocks() {
    nested("{", "", "}");
    nested("if x {\n", "", "}\n");
}

#[test]
fn deep_function_literals() {
    nested("func() {", "", "}()");
}

#[test]
fn deep_calls() {
    nested("f(", "", ")");
}

#[test]
fn long_chains() {
    for body in [
        format!("_ = 1{}", "+a".repeat(DEEP)),
        format!("_ = {}a", "-".repeat(DEEP)),
        format!("x{}", ".a()".repeat(DEEP)),
        format!("x{}", "[0]".repeat(DEEP)),
        format!("if a {{{}}}", "} else if b {".repeat(DEEP)),
    ] {
        let file = parse(&body);
        assert!(file.decls[1].tree.has_error);
        assert!(depth(&file) <= usize::from(MAX_DEPTH));
    }
}

#[test]
fn deep_types() {
    for body in [
        format!("var x {}int", "[]".repeat(DEEP)),
        format!("var x {}int", "*".repeat(DEEP)),
        format!("var x {}int", "chan <-".repeat(DEEP)),
        format!("var x {}", "func(".repeat(DEEP)),
        format!("var x {}{}", "struct{ a ".repeat(DEEP), "}".repeat(DEEP)),
        format!("_ = T{}{}", "{".repeat(DEEP), "}".repeat(DEEP)),
    ] {
        let file = parse(&body);
        assert!(file.decls.iter().any(|d| d.tree.has_error));
        assert!(depth(&file) <= usize::from(MAX_DEPTH));
    }
}

#[test]
fn as_deep_as_allowed_is_whole() {
    let levels = usize::from(MAX_DEPTH) - 10;
    let file = parse(&format!("_ = 1{}", "+a".repeat(levels)));
    assert!(file.decls.iter().all(|d| !d.tree.has_error));
    let file = parse(&format!(
        "_ = {}1{}",
        "(".repeat(levels),
        ")".repeat(levels)
    ));
    assert!(file.decls.iter().all(|d| !d.tree.has_error));
}

#[test]
fn odd_texts() {
    for text in [
        "\"".repeat(5_000),
        "`\n".repeat(5_000),
        "func a() {\n/*\n".repeat(5_000),
        "func f() {`\n".repeat(5_000),
        "func\n".repeat(5_000),
        "\0".repeat(5_000),
        "%$\u{e9}~".repeat(5_000),
        "type T[a *b, ".repeat(5_000),
    ] {
        let mut document = Document::new(text);
        let fresh = parse_file(document.text());
        assert_eq!(document.parsed(), fresh);
        document.apply(TextRange::empty(1.into()), "x").ok();
        document.parsed();
    }
}

#[test]
fn large_files_are_skipped() {
    let text = "package p\n// aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n".repeat(600_000);
    assert!(text.len() > 50_000_000);
    let parsed = parse_file(&text);
    let max = Limits::default().max_bytes;
    let reason = SkipReason::TooLarge {
        len: text.len(),
        max,
    };
    assert_eq!(parsed.skipped, Some(reason));
    assert_eq!(usize::from(parsed.file.len), text.len());
    assert!(reason.to_string().contains("more than the limit"));
    let mut document = Document::new(text);
    assert_eq!(document.parsed(), parsed);
    // Made small again, it is parsed again.
    let all = TextRange::up_to(parsed.file.len);
    document
        .apply(all, "package p\nfunc f() {}\n")
        .unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(document.parsed().skipped, None);
    assert_eq!(document.parsed().file.decls.len(), 1);
}

#[test]
fn other_encodings_are_skipped() {
    let parsed = parse_bytes(b"package p\n// \xff\n", &Limits::default());
    assert_eq!(parsed.skipped, Some(SkipReason::NotUtf8 { at: 13 }));
    assert_eq!(parsed.file.decls.len(), 0);
}
