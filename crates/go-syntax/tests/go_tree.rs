//! Today's Go parses whole.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use go_syntax::ast::File;

/// Every file outside `testdata` of a Go source tree is parsed without an error, and nothing is too deep. Run with
/// `STOPLEAK_GO_TREE=/usr/local/go/src cargo test --release -p go-syntax --test go_tree -- --ignored --nocapture`.
#[test]
#[ignore = "needs a Go source tree in STOPLEAK_GO_TREE"]
fn parses_without_errors() {
    let root = std::env::var_os("STOPLEAK_GO_TREE").expect("STOPLEAK_GO_TREE is a Go source tree");
    let mut files = Vec::new();
    collect(Path::new(&root), &mut files);
    files.sort();

    let (mut bytes, mut decls, mut wrong, mut deep, mut generated) = (0, 0, 0, 0, 0);
    let (mut parsing, mut took) = (Duration::ZERO, Duration::ZERO);
    for path in &files {
        let text = std::fs::read(path).unwrap();
        bytes += text.len();
        let parsed = go_syntax::parse_bytes(&text, &go_syntax::Limits::default());
        let text = std::str::from_utf8(&text).unwrap();
        parsing += best(|| assert!(go_syntax::parse_only(text)));
        took += best(|| drop(go_syntax::parse_file(text)));
        let file: &File = &parsed.file;
        assert_eq!(parsed.skipped, None, "{}", path.display());
        decls += file.decls.len();
        generated += usize::from(file.generated);
        if !file.errors.is_empty() {
            wrong += 1;
            println!("{}: {:?}", path.display(), file.errors);
        }
        for decl in file.decls.iter().filter(|d| d.tree.has_error) {
            deep += 1;
            println!("{}: {:?} has_error", path.display(), decl.range());
        }
    }
    println!(
        "{} files, {:.1} MB, {decls} declarations, {generated} generated files, {wrong} files with errors, \
         {deep} declarations with errors or too deep; {:.2} s, {:.3} x parsing alone",
        files.len(),
        bytes as f64 / 1e6,
        took.as_secs_f64(),
        took.as_secs_f64() / parsing.as_secs_f64()
    );
    assert!(!files.is_empty());
    assert_eq!(wrong, 0);
}

/// The best of a few rounds, which says more on a busy machine than the sum of all.
fn best(mut f: impl FnMut()) -> Duration {
    let rounds = (0..5).map(|_| {
        let from = Instant::now();
        f();
        from.elapsed()
    });
    rounds.min().unwrap()
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let path = entry.path();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            if path.file_name().is_some_and(|n| n != "testdata") {
                collect(&path, files);
            }
        } else if kind.is_file() && path.extension().is_some_and(|e| e == "go") {
            files.push(path);
        }
    }
}
