//! Typed trees against the trees of Go's own parser.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Every declaration outside `testdata` of a Go source tree is lowered to what `go/parser` makes of it, except those that nest
/// deeper than `MAX_DEPTH`. Run with
/// `STOPLEAK_GO_TREE=/usr/local/go/src cargo test --release -p go-syntax --test judge -- --ignored --nocapture`; `STOPLEAK_GO`
/// names the `go` command, which must know the language version of the tree.
#[test]
#[ignore = "needs a Go source tree in STOPLEAK_GO_TREE and a Go toolchain"]
fn trees_equal_those_of_go() {
    let root = std::env::var_os("STOPLEAK_GO_TREE").expect("STOPLEAK_GO_TREE is a Go source tree");
    let go = std::env::var_os("STOPLEAK_GO").unwrap_or("go".into());
    let judge = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/judge/main.go");
    let mut judge = Command::new(go)
        .arg("run")
        .arg(judge)
        .arg(root)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();

    let mut ours = Vec::new().into_iter();
    let (mut files, mut decls, mut deep, mut wrong) = (0, 0, 0, 0);
    let mut path = String::new();
    for line in BufReader::new(judge.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(next) = line.strip_prefix("FILE ") {
            assert_eq!(ours.len(), 0, "{path}: more declarations than Go has");
            next.clone_into(&mut path);
            files += 1;
            let parsed =
                go_syntax::parse_bytes(&std::fs::read(&path).unwrap(), &Default::default());
            let trees = parsed.file.decls.iter().map(|d| d.tree.clone());
            ours = trees.collect::<Vec<_>>().into_iter();
            continue;
        }
        decls += 1;
        let tree = ours.next().expect("as many declarations as Go has");
        let found = go_syntax::dump(&tree)
            .replace('\r', "")
            .replace('\n', "\\n");
        if tree.has_error {
            deep += 1;
        } else if found != line {
            wrong += 1;
            if wrong <= 40 {
                let same = found
                    .bytes()
                    .zip(line.bytes())
                    .take_while(|(a, b)| a == b)
                    .count();
                let part = |text: &str| {
                    let from = same.saturating_sub(60);
                    String::from_utf8_lossy(text.as_bytes().get(from..).unwrap_or_default())
                        .chars()
                        .take(160)
                        .collect::<String>()
                };
                println!(
                    "{path}\n  ours: …{}\n  Go's: …{}",
                    part(&found),
                    part(&line)
                );
            }
        }
    }
    assert!(judge.wait().unwrap().success());
    println!("{files} files, {decls} declarations, {wrong} unlike Go's, {deep} too deep");
    assert!(files > 0);
    assert_eq!(wrong, 0);
}
