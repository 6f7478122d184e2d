//! Every fix of every finding in every fixture, through a Go toolchain: it parses, `gofmt` has nothing to say, it builds and vets, the
//! finding is gone, and there is no other one.
//!
//! Each fixture and each fix of it is a directory of one module, so that the toolchain is started a few times only. Fixtures of several
//! packages are taken as they are. Where a fixture needs a module of somebody else's, it brings a stub of it (a directory and a
//! `replace` in its `go.mod`).

#![allow(clippy::unwrap_used)] // Helpers of tests may unwrap.

mod toolchain;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use go_model::db::{Database, Environment};
use go_syntax::parse_file;
use leak_rules::edit::apply_edits;
use leak_rules::suppress::{Options, apply_suppressions, suppress_actions};
use leak_rules::{Diagnostic, Fix, Safety, check_file};
use toolchain::GoModule;

struct Fixture {
    name: String,
    files: Vec<(String, String)>,
}

/// One fix applied to one file of a fixture.
struct Variant {
    fixture: usize,
    file: usize,
    title: String,
    text: String,
}

/// Splits a fixture at its `-- path --` lines, as the fixtures' own test does.
fn sections(text: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Vec::new();
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end();
        if let Some(path) = bare
            .strip_prefix("-- ")
            .and_then(|rest| rest.strip_suffix(" --"))
        {
            files.push((path.to_owned(), String::new()));
            continue;
        }
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
    files
}

fn fixtures() -> Vec<Fixture> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&root)
        .unwrap()
        .flatten()
        .filter(|d| d.path().is_dir())
        .flat_map(|d| {
            std::fs::read_dir(d.path())
                .unwrap()
                .flatten()
                .map(|f| f.path())
        })
        .filter(|p| p.extension().is_some_and(|e| e == "txt"))
        .collect();
    paths.sort();
    let mut found: Vec<Fixture> = paths
        .into_iter()
        .map(|path| Fixture {
            name: path.strip_prefix(&root).unwrap().display().to_string(),
            files: sections(&std::fs::read_to_string(&path).unwrap()),
        })
        .collect();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/go/fixes");
    let mut own: Vec<PathBuf> = std::fs::read_dir(own)
        .unwrap()
        .flatten()
        .map(|f| f.path())
        .collect();
    own.sort();
    found.extend(own.into_iter().map(|path| Fixture {
        name: path.file_name().unwrap().display().to_string(),
        files: sections(&std::fs::read_to_string(&path).unwrap()),
    }));
    let only = std::env::var("FIXTURE").ok();
    found.retain(|f| only.as_ref().is_none_or(|o| f.name.contains(o)));
    found
}

/// Without the findings of rules that are right about most requests of any fixture, where the fixture does not name them.
fn listened(fixture: &Fixture, found: &[Diagnostic]) -> Vec<Diagnostic> {
    let counts = |d: &&Diagnostic| {
        d.rule != "missing-timeout" || fixture.files.iter().any(|f| f.1.contains(d.rule))
    };
    found.iter().filter(counts).cloned().collect()
}

fn key(text: &str, finding: &Diagnostic) -> (&'static str, String) {
    let range = usize::from(finding.range.start())..usize::from(finding.range.end());
    (
        finding.rule,
        text[range].split_whitespace().collect::<Vec<_>>().join(" "),
    )
}

fn counts(text: &str, found: &[Diagnostic]) -> BTreeMap<(&'static str, String), usize> {
    let mut counts = BTreeMap::new();
    for finding in found {
        *counts.entry(key(text, finding)).or_default() += 1;
    }
    counts
}

/// Applies every fix and looks at what the rules say then.
fn variants(fixtures: &[Fixture], problems: &mut Vec<String>) -> Vec<Variant> {
    let mut found = Vec::new();
    for (number, fixture) in fixtures.iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in &fixture.files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        if !fixture.files.iter().any(|f| f.0 == "go.mod") {
            std::fs::write(
                dir.path().join("go.mod"),
                "module example.com/m\n\ngo 1.26\n",
            )
            .unwrap();
        }
        let mut db = Database::with_environment(Environment::default());
        for (place, (path, text)) in fixture.files.iter().enumerate() {
            if !path.ends_with(".go") {
                continue;
            }
            let path = dir.path().join(path);
            let before = listened(fixture, &check_file(&db, db.file(&path).unwrap()));
            wanted(&fixture.name, text, &before, problems);
            for finding in before.iter() {
                found.extend(silenced(
                    &mut db, fixture, number, place, &path, finding, problems,
                ));
                for fix in &finding.fixes {
                    let name = format!(
                        "{}: {} at {}: {}",
                        fixture.name,
                        finding.rule,
                        key(text, finding).1,
                        fix.title
                    );
                    let after = match apply_edits(text, &fix.edits) {
                        Ok(after) => after,
                        Err(error) => {
                            problems.push(format!("{name}: {error}"));
                            continue;
                        }
                    };
                    let errors = parse_file(&after).file.errors.len();
                    if errors > parse_file(text).file.errors.len() {
                        problems.push(format!("{name}: does not parse"));
                    }
                    let file = db.open_document(&path, after.as_str().into(), None);
                    let now = counts(&after, &listened(fixture, &check_file(&db, file)));
                    db.close_document(&path);
                    let had = counts(text, &before);
                    let this = key(text, finding);
                    if now.get(&this).copied().unwrap_or(0) >= had[&this] {
                        problems.push(format!("{name}: the finding is still there"));
                    }
                    for (key, n) in now {
                        if n > had.get(&key).copied().unwrap_or(0) && key != this {
                            problems.push(format!("{name}: new finding {key:?}"));
                        }
                    }
                    found.push(Variant {
                        fixture: number,
                        file: place,
                        title: name,
                        text: after,
                    });
                }
            }
        }
    }
    found
}

/// The actions that silence a finding: it is silent, and nothing is said about the directive.
fn silenced(
    db: &mut Database,
    fixture: &Fixture,
    number: usize,
    place: usize,
    path: &Path,
    finding: &Diagnostic,
    problems: &mut Vec<String>,
) -> Vec<Variant> {
    let text = &fixture.files[place].1;
    let file = parse_file(text).file;
    let mut found = Vec::new();
    let actions = suppress_actions(text, &file, finding);
    if actions.len() < 2 {
        problems.push(format!(
            "{}: {:?} cannot be silenced",
            fixture.name,
            key(text, finding)
        ));
    }
    for fix in actions {
        let title = format!(
            "{}: {} at {}: {}",
            fixture.name,
            finding.rule,
            key(text, finding).1,
            fix.title
        );
        let after = apply_edits(text, &fix.edits).unwrap();
        let file = db.open_document(path, after.as_str().into(), None);
        let parts = apply_suppressions(
            &after,
            &go_model::db::parsed(db, file),
            check_file(db, file).to_vec(),
            &Options::default(),
        );
        db.close_document(path);
        let gone = parts
            .suppressed
            .iter()
            .any(|(d, _)| key(&after, d) == key(text, finding));
        if !gone || !parts.meta.is_empty() {
            problems.push(format!("{title}: {:?}", parts.meta));
        }
        found.push(Variant {
            fixture: number,
            file: place,
            title,
            text: after,
        });
    }
    found
}

/// With other line ends the same fixes give the same text.
#[test]
fn line_ends_are_kept() {
    for fixture in fixtures() {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in &fixture.files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        if !fixture.files.iter().any(|f| f.0 == "go.mod") {
            std::fs::write(
                dir.path().join("go.mod"),
                "module example.com/m\n\ngo 1.26\n",
            )
            .unwrap();
        }
        let mut db = Database::with_environment(Environment::default());
        for (path, text) in fixture.files.iter().filter(|f| f.0.ends_with(".go")) {
            let path = dir.path().join(path);
            let before = check_file(&db, db.file(&path).unwrap());
            let crlf = text.replace('\n', "\r\n");
            let file = db.open_document(&path, crlf.as_str().into(), None);
            let now = check_file(&db, file);
            db.close_document(&path);
            assert_eq!(before.len(), now.len(), "{}", fixture.name);
            for (a, b) in before.iter().zip(now.iter()) {
                assert_eq!(
                    a.fixes.len(),
                    b.fixes.len(),
                    "{}: {}",
                    fixture.name,
                    key(text, a).1
                );
                for (a, b) in a.fixes.iter().zip(&b.fixes) {
                    let a = apply_edits(text, &a.edits).unwrap().replace('\n', "\r\n");
                    assert_eq!(
                        a,
                        apply_edits(&crlf, &b.edits).unwrap(),
                        "{}: {}",
                        fixture.name,
                        b.title
                    );
                }
            }
        }
    }
}

/// The fixes that a fixture asks for: `want-fix "part of its title" safe`.
fn wanted(fixture: &str, text: &str, found: &[Diagnostic], problems: &mut Vec<String>) {
    let mut start = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let range = start..start + line.len();
        start = range.end;
        for want in line.split("want-fix ").skip(1) {
            let mut parts = want.trim_start_matches('"').splitn(2, '"');
            let (part, rest) = (
                parts.next().unwrap_or_default(),
                parts.next().unwrap_or_default(),
            );
            let safety = if rest.trim_start().starts_with("safe") {
                Safety::Safe
            } else {
                Safety::Unsafe
            };
            let here: Vec<&Fix> = found
                .iter()
                .filter(|d| range.contains(&usize::from(d.range.start())))
                .flat_map(|d| &d.fixes)
                .collect();
            if !here
                .iter()
                .any(|f| f.title.contains(part) && f.safety == safety)
            {
                let titles: Vec<_> = here.iter().map(|f| (&f.title, f.safety)).collect();
                problems.push(format!(
                    "{fixture}:{}: no fix {part:?} {safety:?} among {titles:?}",
                    number + 1
                ));
            }
        }
    }
}

/// The version in a fixture's own `go.mod`.
fn go_version(fixture: &Fixture) -> String {
    fixture
        .files
        .iter()
        .filter(|f| f.0 == "go.mod")
        .flat_map(|f| f.1.lines())
        .find_map(|l| l.strip_prefix("go "))
        .unwrap_or("1.26")
        .trim()
        .to_owned()
}

/// A module's replaced dependencies: (module path, directory).
fn replaced(fixture: &Fixture) -> Vec<(String, String)> {
    fixture
        .files
        .iter()
        .filter(|f| f.0 == "go.mod")
        .flat_map(|f| f.1.lines())
        .filter_map(|l| {
            let (from, to) = l.trim().trim_start_matches("replace ").split_once("=>")?;
            Some((
                from.split_whitespace().next()?.to_owned(),
                to.trim().trim_start_matches("./").to_owned(),
            ))
        })
        .collect()
}

#[test]
fn fixes_of_fixtures_build() {
    let fixtures = fixtures();
    let mut problems = Vec::new();
    let variants = variants(&fixtures, &mut problems);
    assert!(!variants.is_empty() || std::env::var_os("FIXTURE").is_some());
    if std::env::var_os("SHOW").is_some() {
        for variant in &variants {
            eprintln!("== {}\n{}", variant.title, variant.text);
        }
    }
    let show_problems = |problems: &[String]| {
        assert!(
            problems.is_empty(),
            "{} of {} fixes:\n{}",
            problems.len(),
            variants.len(),
            problems.join("\n")
        );
    };
    // One module for each language version; each fixture is a directory of it, the untouched one and each variant.
    let mut versions: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, fixture) in fixtures.iter().enumerate() {
        versions.entry(go_version(fixture)).or_default().push(i);
    }
    for (version, members) in versions {
        let Some(module) = GoModule::new(&version) else {
            show_problems(&problems);
            return;
        };
        let mut stubs: BTreeMap<String, String> = BTreeMap::new();
        // What a directory of the module is: a description for messages.
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        let mut put = |dir: &str, fixture: &Fixture, changed: Option<(usize, &str)>| {
            let replaced = replaced(fixture);
            for (i, (path, text)) in fixture.files.iter().enumerate() {
                if path == "go.mod" || path == "go.sum" {
                    continue;
                }
                if let Some((module_path, _)) = replaced
                    .iter()
                    .find(|(_, to)| path.starts_with(&format!("{to}/")))
                {
                    stubs.insert(module_path.clone(), String::new());
                    let below = path.split_once('/').map_or("", |p| p.1);
                    module.write(
                        &format!("stubs/{}/{below}", module_path.replace('/', "_")),
                        text,
                    );
                    continue;
                }
                let text = match changed {
                    Some((place, text)) if place == i => text,
                    _ => text,
                };
                // Imports of the fixture's own packages.
                let text = text.replace("\"example.com/m/", &format!("\"m/{dir}/"));
                module.write(&format!("{dir}/{path}"), &text);
            }
        };
        for &i in &members {
            if !variants.iter().any(|v| v.fixture == i) {
                continue;
            }
            put(&format!("f{i}/before"), &fixtures[i], None);
            names.insert(format!("f{i}/before"), fixtures[i].name.clone());
            for (n, variant) in variants.iter().enumerate().filter(|v| v.1.fixture == i) {
                put(
                    &format!("f{i}/v{n}"),
                    &fixtures[i],
                    Some((variant.file, &variant.text)),
                );
                names.insert(format!("f{i}/v{n}"), variant.title.clone());
            }
        }
        let mut go_mod = format!("module m\n\ngo {version}\n");
        for path in stubs.keys() {
            let dir = format!("stubs/{}", path.replace('/', "_"));
            // A path that ends in a major version wants a version of it.
            let major = (path.rsplit_once("/v"))
                .and_then(|(_, v)| v.parse::<u32>().ok())
                .unwrap_or(0);
            go_mod += &format!("\nrequire {path} v{major}.0.0\n\nreplace {path} => ./{dir}\n");
            module.write(
                &format!("{dir}/go.mod"),
                &format!("module {path}\n\ngo {version}\n"),
            );
        }
        module.write("go.mod", &go_mod);
        // What is wrong with a fixture already is not the fix's fault.
        let dir_of = |path: &str| path.splitn(3, '/').take(2).collect::<Vec<_>>().join("/");
        let gofmt: Vec<String> = module.unformatted();
        for file in &gofmt {
            let dir = dir_of(file);
            let rest = file.strip_prefix(&dir).unwrap_or_default();
            let before = format!("{}/before{rest}", dir.split('/').next().unwrap_or_default());
            if !dir.ends_with("/before") && !gofmt.contains(&before) {
                problems.push(format!(
                    "{}: gofmt:\n{}",
                    names[&dir],
                    module.gofmt_diff(file)
                ));
            }
        }
        let mut said: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (package, lines) in module.messages(&["vet", "./..."]) {
            let dir = dir_of(&package);
            for line in lines {
                // Without file, line and column.
                let message = line.split_once(".go:").map_or(line.as_str(), |l| l.1);
                let message = message
                    .trim_start_matches(|c: char| c.is_ascii_digit() || c == ':')
                    .trim();
                let message = message
                    .split(|c: char| c.is_ascii_digit())
                    .collect::<Vec<_>>()
                    .join("#");
                said.entry(dir.clone()).or_default().push(message);
            }
        }
        for (dir, messages) in &said {
            let Some((fixture, variant)) = dir.split_once('/') else {
                problems.push(format!("go vet: {messages:?}"));
                continue;
            };
            if variant == "before" {
                let broken: Vec<&String> = messages.iter().filter(|m| !is_vet(m)).collect();
                if !broken.is_empty() {
                    problems.push(format!("{} itself does not build: {broken:?}", names[dir]));
                }
                continue;
            }
            let mut known = said
                .get(&format!("{fixture}/before"))
                .cloned()
                .unwrap_or_default();
            for message in messages {
                match known.iter().position(|k| k == message) {
                    Some(i) => {
                        known.remove(i);
                    }
                    None => problems.push(format!(
                        "{}: go vet: {message}",
                        names.get(dir).unwrap_or(dir)
                    )),
                }
            }
        }
    }
    show_problems(&problems);
}

/// Whether a message is one of vet's about leaks (and not of the compiler), which fixtures are full of.
fn is_vet(message: &str) -> bool {
    [
        "context leak",
        "cancel function",
        "lostcancel",
        "before checking for errors",
        "this return statement may be reached",
        "possible context leak",
        "unreachable code",
        "result of",
        "self-assignment",
        "WaitGroup.Add called from inside new goroutine",
    ]
    .iter()
    .any(|part| message.contains(part))
}
