//! Fixtures: Go sources that say in comments what must be found in them.
//!
//! ```text
//! f, err := os.Open(name) // want unclosed-file "never closed" want-fix "defer" safe
//! return err              // want-related "returns without closing"
//! ```
//!
//! `want RULE "part"` asks for a finding of the rule on this line whose message contains the part; `want RULE/hint "part"` asks for
//! the severity too. `want-related "part"` asks for a step of some finding's path on this line, `want-fix "part" safe` for a fix of
//! a finding on this line, `no-fix` that none is offered there (`no-fix "part"`: none with that in its title). **A finding that nobody wants fails the test**, and so does a want that is not met.
//!
//! Rules that are right about most requests of any fixture ([`QUIET`]) are listened to only in fixtures that name them.
//!
//! A fixture is one Go file, or several after lines `-- path --`. Without a `go.mod` among them it gets one for Go 1.26.

use std::fmt::Write as _;
use std::path::Path;

use go_model::db::{Database, Environment};
use go_syntax::LineIndex;

use crate::{Diagnostic, Safety, Severity, check_file};

/// Rules that would be named in most fixtures that make a request.
const QUIET: [&str; 1] = ["missing-timeout"];

/// Checks a fixture; panics with a report if it does not behave.
#[track_caller]
pub(crate) fn check(fixture: &str) {
    if let Err(report) = run(fixture) {
        panic!("{report}");
    }
}

struct Want {
    line: u32,
    rule: String,
    severity: Option<Severity>,
    part: String,
}

/// Checks a fixture.
pub(crate) fn run(fixture: &str) -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let files = sections(fixture);
    if !files.iter().any(|(path, _)| path == "go.mod") {
        write(dir.path(), "go.mod", "module example.com/m\n\ngo 1.26\n")?;
    }
    for (path, text) in &files {
        write(dir.path(), path, text)?;
    }
    let db = Database::with_environment(Environment::default());
    let mut report = String::new();
    for (path, text) in &files {
        if !path.ends_with(".go") {
            continue;
        }
        let file = db
            .file(dir.path().join(path))
            .ok_or_else(|| format!("{path} is not there"))?;
        let parsed = go_model::db::parsed(&db, file);
        if !parsed.errors.is_empty() && !text.contains("// broken on purpose") {
            let _ = writeln!(report, "{path}: does not parse: {:?}", parsed.errors);
        }
        let mut found = check_file(&db, file).to_vec();
        found.retain(|d| !QUIET.contains(&d.rule) || fixture.contains(d.rule));
        compare(path, text, &found, &mut report);
    }
    if report.is_empty() {
        Ok(())
    } else {
        Err(report)
    }
}

fn write(dir: &Path, path: &str, text: &str) -> Result<(), String> {
    let path = dir.join(path);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|e| e.to_string())?;
    }
    std::fs::write(path, text).map_err(|e| e.to_string())
}

fn sections(fixture: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Vec::new();
    for line in fixture.split_inclusive('\n') {
        let bare = line.trim_end();
        if let Some(path) = bare
            .strip_prefix("-- ")
            .and_then(|rest| rest.strip_suffix(" --"))
        {
            files.push((path.to_owned(), String::new()));
        } else {
            if files.is_empty() {
                if bare.is_empty() {
                    continue;
                }
                files.push(("a.go".to_owned(), String::new()));
            }
            if let Some((_, text)) = files.last_mut() {
                text.push_str(line);
            }
        }
    }
    files
}

fn compare(path: &str, text: &str, found: &[Diagnostic], report: &mut String) {
    let index = LineIndex::new(text);
    let line_of = |offset| index.line_col(offset).line;
    let mut met = vec![false; found.len()];
    for (number, line) in text.lines().enumerate() {
        let number = number as u32;
        let Some((_, comment)) = line.split_once("// want") else {
            continue;
        };
        let mut rest = format!("want{comment}");
        while let Some(word) = take_word(&mut rest) {
            match word.as_str() {
                "want" => {
                    let rule = take_word(&mut rest).unwrap_or_default();
                    let part = take_quoted(&mut rest).unwrap_or_default();
                    let (rule, severity) = match rule.split_once('/') {
                        Some((rule, severity)) => (rule.to_owned(), severity_named(severity)),
                        None => (rule, None),
                    };
                    let want = Want {
                        line: number,
                        rule,
                        severity,
                        part,
                    };
                    let hit = found.iter().enumerate().find(|(i, d)| {
                        !met[*i]
                            && line_of(d.range.start()) == want.line
                            && d.rule == want.rule
                            && d.message.contains(&want.part)
                            && want.severity.is_none_or(|s| s == d.severity)
                    });
                    match hit {
                        Some((i, _)) => met[i] = true,
                        None => {
                            let _ = writeln!(
                                report,
                                "{path}:{}: wanted and not found: {} {:?}",
                                number + 1,
                                want.rule,
                                want.part
                            );
                        }
                    }
                }
                "want-related" => {
                    let part = take_quoted(&mut rest).unwrap_or_default();
                    let hit = found.iter().flat_map(|d| &d.related).any(|r| {
                        r.file.is_none()
                            && line_of(r.range.start()) == number
                            && r.message.contains(&part)
                    });
                    if !hit {
                        let _ = writeln!(report, "{path}:{}: no step {part:?}", number + 1);
                    }
                }
                "want-fix" => {
                    let part = take_quoted(&mut rest).unwrap_or_default();
                    let safety = match take_word(&mut rest).as_deref() {
                        Some("safe") => Safety::Safe,
                        Some("unsafe") => Safety::Unsafe,
                        other => {
                            let _ = writeln!(report, "{path}:{}: {other:?}?", number + 1);
                            continue;
                        }
                    };
                    let hit = found
                        .iter()
                        .filter(|d| line_of(d.range.start()) == number)
                        .flat_map(|d| &d.fixes)
                        .any(|f| f.title.contains(&part) && f.safety == safety);
                    if !hit {
                        let _ = writeln!(report, "{path}:{}: no fix {part:?}", number + 1);
                    }
                }
                "no-fix" => {
                    let part = take_quoted(&mut rest).unwrap_or_default();
                    let offered = (found.iter())
                        .filter(|d| line_of(d.range.start()) == number)
                        .flat_map(|d| &d.fixes)
                        .map(|fix| fix.title.as_str())
                        .filter(|title| title.contains(&part));
                    for title in offered {
                        let _ = writeln!(report, "{path}:{}: offered: {title}", number + 1);
                    }
                }
                other => {
                    let _ = writeln!(report, "{path}:{}: {other:?}?", number + 1);
                    break;
                }
            }
        }
    }
    for (diagnostic, met) in found.iter().zip(met) {
        if !met {
            let _ = writeln!(
                report,
                "{path}:{}: not wanted: {} ({:?}): {}",
                line_of(diagnostic.range.start()) + 1,
                diagnostic.rule,
                diagnostic.severity,
                diagnostic.message
            );
            for step in &diagnostic.related {
                let _ = writeln!(
                    report,
                    "    {}: {}",
                    line_of(step.range.start()) + 1,
                    step.message
                );
            }
        }
    }
}

fn severity_named(name: &str) -> Option<Severity> {
    match name {
        "warning" => Some(Severity::Warning),
        "information" => Some(Severity::Information),
        "hint" => Some(Severity::Hint),
        _ => None,
    }
}

fn take_word(rest: &mut String) -> Option<String> {
    let trimmed = rest.trim_start().to_owned();
    let end = trimmed
        .find(|c: char| c.is_whitespace())
        .unwrap_or(trimmed.len());
    let word = trimmed[..end].to_owned();
    *rest = trimmed[end..].to_owned();
    (!word.is_empty()).then_some(word)
}

fn take_quoted(rest: &mut String) -> Option<String> {
    let trimmed = rest.trim_start();
    let inner = trimmed.strip_prefix('"')?;
    let end = inner.find('"')?;
    let part = inner[..end].to_owned();
    *rest = inner[end + 1..].to_owned();
    Some(part)
}

#[test]
fn fixtures() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut paths = Vec::new();
    for dir in std::fs::read_dir(&root).unwrap().flatten() {
        if !dir.path().is_dir() {
            continue;
        }
        for file in std::fs::read_dir(dir.path()).unwrap().flatten() {
            if file.path().extension().is_some_and(|e| e == "txt") {
                paths.push(file.path());
            }
        }
    }
    paths.sort();
    assert!(!paths.is_empty());
    let only = std::env::var("FIXTURE").ok();
    let mut failed = 0;
    for path in &paths {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        if only.as_deref().is_some_and(|o| !name.contains(o)) {
            continue;
        }
        let text = std::fs::read_to_string(path).unwrap();
        let flags = path
            .file_name()
            .is_some_and(|n| n.to_string_lossy().starts_with("flag_"));
        if flags != text.contains("// want ") {
            failed += 1;
            println!("{name}: its name and its wants do not agree");
        }
        if let Err(report) = run(&text) {
            failed += 1;
            println!("== {name}\n{report}");
        }
    }
    assert_eq!(failed, 0, "of {} fixtures", paths.len());
}
