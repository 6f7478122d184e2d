//! The examples of docs/ownership.md do what the page says, and their fixes compile.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/ownership.md");
    fs::read_to_string(path).expect("the page is there")
}

/// The files of each section: name of the section, then path and text of each file.
fn examples() -> Vec<(String, BTreeMap<String, String>)> {
    let page = page();
    let mut found = Vec::new();
    for section in page.split("\n## ").skip(1) {
        let title = section.lines().next().unwrap_or_default().to_owned();
        let mut files = BTreeMap::new();
        for (i, block) in section
            .split("\n```")
            .enumerate()
            .filter(|(i, _)| i % 2 == 1)
        {
            let (language, text) = block.split_once('\n').unwrap_or_default();
            let text = format!("{text}\n");
            match language {
                "toml" => {
                    files.insert("stopleak.toml".to_owned(), text);
                }
                "go" => {
                    let (path, text) = text.split_once('\n').expect("lines");
                    let path = path.strip_prefix("// ").expect("a path").to_owned();
                    files.insert(path, text.to_owned());
                }
                other => panic!("block {i} of {title}: {other}"),
            }
        }
        if !files.is_empty() {
            files.insert(
                "go.mod".to_owned(),
                "module example.com/shop\n\ngo 1.26\n".to_owned(),
            );
            found.push((title, files));
        }
    }
    found
}

fn write(files: &BTreeMap<String, String>) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, text).expect("written");
    }
    dir
}

fn stopleak(dir: &Path, args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_stopleak"))
        .current_dir(dir)
        .args(args)
        .output()
        .expect("runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_ne!(output.status.code(), Some(2), "{text}{errors}");
    (output.status.code(), text)
}

fn findings(dir: &Path) -> Vec<(String, u64, String)> {
    let (_, out) = stopleak(dir, &["check", "--exit-zero", "--format", "json"]);
    let findings: Vec<Value> = serde_json::from_str(&out).expect("JSON");
    findings
        .iter()
        .map(|finding| {
            (
                finding["path"].as_str().unwrap_or_default().to_owned(),
                finding["range"]["start"]["line"]
                    .as_u64()
                    .unwrap_or_default(),
                finding["message"].as_str().unwrap_or_default().to_owned(),
            )
        })
        .collect()
}

#[test]
fn the_examples_find_what_the_page_says() {
    let examples = examples();
    assert!(examples.len() >= 4, "{}", examples.len());
    for (title, files) in &examples {
        let dir = write(files);
        let mut found = findings(dir.path());
        for (path, text) in files {
            for (number, line) in text.lines().enumerate() {
                let Some((_, part)) = line.split_once("// stopleak: ") else {
                    continue;
                };
                let place = found.iter().position(|(file, at, message)| {
                    file == path && *at == number as u64 + 1 && message.contains(part)
                });
                match place {
                    Some(i) => {
                        found.remove(i);
                    }
                    None => panic!(
                        "{title}: {path}:{}: not found: {part}; {found:?}",
                        number + 1
                    ),
                }
            }
        }
        assert_eq!(found, [], "{title}");
    }
}

/// The Go toolchain, if there is one.
fn go() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join("go"))
        .find(|file| file.is_file())
}

#[test]
fn safe_fixes_of_the_examples_compile() {
    for (title, files) in examples() {
        let dir = write(&files);
        let (before, after) = {
            let before = findings(dir.path()).len();
            stopleak(dir.path(), &["check", "--fix", "--exit-zero"]);
            (before, findings(dir.path()))
        };
        assert!(before > 0 && after.is_empty(), "{title}: {after:?}");
        let Some(go) = go() else { continue };
        let run = |args: &[&str]| {
            let output = Command::new(&go)
                .current_dir(dir.path())
                .env("GOFLAGS", "-mod=mod")
                .env("GOTOOLCHAIN", "local")
                .args(args)
                .output()
                .expect("runs");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{title}: {args:?}: {text}{errors}");
            text
        };
        run(&["vet", "./..."]);
        assert_eq!(
            run(&["fmt", "./..."]),
            "",
            "{title}: not as gofmt writes it"
        );
    }
}
