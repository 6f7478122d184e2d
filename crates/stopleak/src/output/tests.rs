//! The formats, on findings made by hand.

use go_syntax::{TextRange, TextSize};
use leak_rules::{Diagnostic, Edit, Fix, Related, Safety, Severity};

use super::*;

const TEXT: &str = "package a

import \"os\"

func size(name string) (int64, error) {
\tf, err := os.Open(name)
\tif err != nil {
\t\treturn 0, err
\t}
\tinfo, err := f.Stat()
\tif err != nil {
\t\treturn 0, err // ä
\t}
\treturn info.Size(), f.Close()
}
";

fn at(text: &str, what: &str, nth: usize) -> TextRange {
    let (start, found) = text.match_indices(what).nth(nth).expect("is in the text");
    let size = |n: usize| TextSize::new(u32::try_from(n).expect("small"));
    TextRange::new(size(start), size(start + found.len()))
}

fn report(findings: Vec<Diagnostic>) -> Report {
    let other = "package b\n\nfunc Keep() {}\n";
    Report {
        files: vec![Checked {
            path: "/w/a/size.go".into(),
            display: "a/size.go".to_owned(),
            text: TEXT.into(),
            findings,
        }],
        others: HashMap::from([(
            Arc::new(PathBuf::from("/w/b/keep.go")),
            ("b/keep.go".to_owned(), other.into()),
        )]),
    }
}

fn leak() -> Diagnostic {
    let step = |message: &str, range| Related {
        message: message.to_owned(),
        file: None,
        range,
    };
    let insert = at(TEXT, "\tinfo", 0).start();
    Diagnostic {
        rule: "unclosed-file",
        severity: Severity::Warning,
        message: "`f` is not closed on every path".to_owned(),
        range: at(TEXT, "os.Open(name)", 0),
        function: Some("size".to_owned()),
        related: vec![
            step("opened here", at(TEXT, "os.Open(name)", 0)),
            step("when this holds", at(TEXT, "err != nil", 1)),
            step(
                "leaves the function with `f` open",
                at(TEXT, "return 0, err", 1),
            ),
            Related {
                message: "does not keep it".to_owned(),
                file: Some(Arc::new("/w/b/keep.go".into())),
                range: TextRange::new(11.into(), 20.into()),
            },
        ],
        fixes: vec![Fix {
            title: "defer `f.Close()`".to_owned(),
            safety: Safety::Safe,
            edits: vec![Edit {
                range: TextRange::empty(insert),
                text: "\tdefer f.Close()\n".to_owned(),
            }],
        }],
        unnecessary: false,
    }
}

fn hint() -> Diagnostic {
    Diagnostic {
        rule: "unstopped-timer",
        severity: Severity::Hint,
        message: "a range that does not fit".to_owned(),
        range: TextRange::new(100_000.into(), 100_001.into()),
        function: None,
        related: Vec::new(),
        fixes: Vec::new(),
        unnecessary: false,
    }
}

fn plain(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    let text = String::from_utf8(out).expect("text");
    anstream::adapter::strip_str(&text).to_string()
}

#[test]
fn frames_show_the_path_of_the_leak() {
    let report = report(vec![leak(), hint()]);
    let text = plain(|out| frames::write(out, &report, false).expect("writes"));
    insta::assert_snapshot!(text);
}

#[test]
fn concise_lines_can_be_clicked() {
    let report = report(vec![leak(), hint()]);
    let text = plain(|out| concise::write(out, &report).expect("writes"));
    insta::assert_snapshot!(text, @r"
    a/size.go:6:12: warning unclosed-file: `f` is not closed on every path [fixable]
    a/size.go:16:1: hint unstopped-timer: a range that does not fit
    ");
}

#[test]
fn json_is_the_contract() {
    let report = report(vec![leak()]);
    let text = plain(|out| json::write(out, &report).expect("writes"));
    insta::assert_snapshot!(text);
}

#[test]
fn the_summary_counts() {
    let line = |findings, fixed| {
        let line = summary::line(&report(findings), fixed, 7);
        anstream::adapter::strip_str(&line).to_string()
    };
    assert_eq!(
        line(vec![leak(), leak(), hint()], 0),
        "Found 2 warnings and 1 hint in 1 file (2 fixable with --fix)"
    );
    assert_eq!(
        line(vec![hint()], 2),
        "Fixed 2 findings. Found 1 hint in 1 file"
    );
    assert_eq!(line(vec![], 0), "No leaks found in 7 files");
    assert_eq!(
        line(vec![], 1),
        "Fixed 1 finding. No leaks found in 7 files"
    );
}

#[test]
fn fingerprints_stay_when_lines_move() {
    let before = fingerprints(&report(vec![leak(), leak()]).files[0]);
    assert_ne!(before[0], before[1], "equal findings are told apart");
    let mut moved = leak();
    moved.range += TextSize::new(3);
    let mut file = report(vec![moved]).files.remove(0);
    file.text = format!("//\n{TEXT}").into();
    assert_eq!(fingerprints(&file)[0], before[0]);
    file.text = file.text.replace("os.Open(name)", "os.Open(path)").into();
    assert_ne!(fingerprints(&file)[0], before[0]);
}

#[test]
fn diffs_are_unified() {
    let after = TEXT.replace("\tinfo", "\tdefer f.Close()\n\tinfo");
    let text = plain(|out| diff::write(out, "a/size.go", TEXT, &after).expect("writes"));
    insta::assert_snapshot!(text);
    let text = plain(|out| diff::write(out, "x", "a\nb", "a\nc").expect("writes"));
    assert_eq!(
        text,
        "--- x\n+++ x\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n\\ No newline at end of file\n"
    );
}

#[test]
fn statistics_put_the_most_frequent_first() {
    let report = report(vec![hint(), leak(), leak()]);
    let text = plain(|out| statistics::write(out, &report).expect("writes"));
    assert_eq!(text, "2  unclosed-file    2 fixable\n1  unstopped-timer\n");
}
