//! What the actions write is compiled and run by a real Go toolchain in `tests/companion.rs`; here is where they are offered.

use go_model::db::{Database, Environment, directory};
use tempfile::TempDir;

use super::*;

fn package(files: &[(&str, &str)]) -> (TempDir, Database) {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).expect("written");
    }
    (dir, Database::with_environment(Environment::default()))
}

fn refusal<T>(result: Result<T, Refusal>) -> String {
    result.err().unwrap_or_default()
}

const TEST: (&str, &str) = (
    "a_test.go",
    "package a\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) {\n\tt.Log()\n}\n",
);

fn leak_test_of(files: &[(&str, &str)]) -> Result<Companion, Refusal> {
    let (dir, db) = package(files);
    leak_test(&db, directory(&db, dir.path()), None)
}

#[test]
fn what_go_mod_says_decides_how_leaks_are_found() {
    let source = |go_mod: &str| {
        let companion = leak_test_of(&[("go.mod", go_mod), TEST]).expect("offered");
        let [Change::Create(path, text)] = &*companion.changes else {
            panic!("one new file");
        };
        assert!(path.ends_with("leak_test.go"));
        (text.contains("goleak"), companion.then.is_some())
    };
    assert_eq!(source("module m\n\ngo 1.27\n"), (false, false));
    assert_eq!(source("module m\n\ngo 1.22\n"), (true, true));
    let with = "module m\n\ngo 1.27\n\nrequire go.uber.org/goleak v1.3.0\n";
    assert_eq!(source(with), (true, false));
}

#[test]
fn no_leak_test_where_it_would_not_compile_or_not_help() {
    let go_mod = ("go.mod", "module m\n\ngo 1.27\n");
    let cases: [(&[(&str, &str)], &str); 5] = [
        (&[], "there is no Go package here"),
        (&[("a.go", "package a\n")], "the package has no tests"),
        (
            &[TEST, ("b.go", "package a\n\nvar pprof int\n")],
            "the package declares `pprof` itself",
        ),
        (
            &[
                TEST,
                (
                    "b_test.go",
                    "package a_test\n\nimport _ \"go.uber.org/goleak\"\n",
                ),
            ],
            "b_test.go checks for leaked goroutines already",
        ),
        (
            &[
                TEST,
                (
                    "b_test.go",
                    "package a_test\n\nimport \"testing\"\n\nfunc TestMain(m *testing.M) {\n\tother(m)\n}\n",
                ),
            ],
            "the TestMain in b_test.go does not call `m.Run()` in one place",
        ),
    ];
    for (files, why) in cases {
        let files: Vec<_> = files.iter().copied().chain([go_mod]).collect();
        assert_eq!(refusal(leak_test_of(&files)), why);
    }
}

#[test]
fn a_taken_file_name_is_left_alone() {
    let companion = leak_test_of(&[
        ("go.mod", "module m\n\ngo 1.27\n"),
        ("leak_test.go", "package a\n"),
        TEST,
    ]);
    let changes = companion.expect("offered").changes;
    assert!(matches!(&*changes, [Change::Create(path, _)] if path.ends_with("leak2_test.go")));
}

#[test]
fn profiles_are_served_once_and_by_programs_only() {
    let refused = |files: &[(&str, &str)]| {
        let (dir, db) = package(files);
        let file = db.file(dir.path().join("main.go")).expect("a file");
        refusal(serve_pprof(&db, file))
    };
    let none = "there is no function `main` of a program here";
    assert_eq!(
        refused(&[("main.go", "package a\n\nfunc main() {\n}\n")]),
        none
    );
    assert_eq!(
        refused(&[("main.go", "package main\n\nfunc init() {\n}\n")]),
        none
    );
    let main = ("main.go", "package main\n\nfunc main() {\n}\n");
    assert_eq!(
        refused(&[
            main,
            ("b.go", "package main\n\nimport _ \"net/http/pprof\"\n")
        ]),
        "b.go imports net/http/pprof, which serves the profiles already"
    );
    assert_eq!(
        refused(&[main, ("b.go", "package main\n\nfunc servePprof() {\n}\n")]),
        "the package declares `servePprof` itself"
    );
    assert_eq!(
        refused(&[("main.go", "package main\n\nfunc main() { run() }\n")]),
        "the body of `main` begins on the line of its brace"
    );
    assert_eq!(refused(&[main]), "");
}

#[test]
fn a_bubble_only_around_a_test_that_may_be_in_one() {
    let refused = |go: &str, body: &str| {
        let text = format!(
            "package a\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) {{\n\t{body}\n}}\n\nfunc Testify(t *testing.T) {{\n}}\n"
        );
        let go_mod = format!("module m\n\ngo {go}\n");
        let (dir, db) = package(&[("go.mod", &go_mod), ("a_test.go", &text)]);
        let file = db.file(dir.path().join("a_test.go")).expect("a file");
        let at = |what: &str| {
            go_syntax::TextSize::try_from(text.find(what).expect("there")).expect("small")
        };
        assert_eq!(
            refusal(in_bubble(&db, file, at("ify(t"))),
            refusal::<()>(match go {
                "1.24" => Err("`synctest.Test` is part of Go 1.25".to_owned()),
                _ => Err("there is no test here".to_owned()),
            })
        );
        refusal(in_bubble(&db, file, at(body)))
    };
    assert_eq!(
        refused("1.24", "t.Log()"),
        "`synctest.Test` is part of Go 1.25"
    );
    assert_eq!(
        refused("1.25", "t.Parallel()"),
        "`t.Parallel` panics in a bubble"
    );
    assert_eq!(
        refused("1.25", "synctest.Test(t, run)"),
        "the test is in a bubble already"
    );
    assert_eq!(refused("1.25", "t.Log()"), "");
}
