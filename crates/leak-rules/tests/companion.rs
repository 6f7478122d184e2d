//! What the companion actions write, compiled and run by a real Go toolchain.

#![allow(clippy::unwrap_used)] // Helpers of tests may unwrap.

mod toolchain;

use std::path::Path;

use go_model::db::{Database, Environment, directory};
use go_syntax::TextSize;
use leak_rules::companion::{Change, Companion, LeakCheck, in_bubble, leak_test, serve_pprof};
use leak_rules::edit::apply_edits;
use toolchain::GoModule;

const LEAKS: &str = r#"package p

import "testing"

func TestLeaks(t *testing.T) {
	c := make(chan int)
	go func() {
		c <- 1
	}()
}
"#;

const CLEAN: &str = r#"package p

import "testing"

func TestClean(t *testing.T) {
	c := make(chan int, 1)
	go func() {
		c <- 1
	}()
	t.Log(<-c, `a raw
string`)
}
"#;

/// A test main with work of its own.
const MAIN: &str = r#"package p_test

import (
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	code := m.Run()
	fmt.Println("cleaned up")
	os.Exit(code)
}
"#;

/// A stub of goleak: enough to compile, and to see that it is asked.
const GOLEAK: &str = r#"package goleak

import "os"

type M interface{ Run() int }

func VerifyTestMain(m M) {
	m.Run()
	os.Stderr.WriteString("goleak was asked\n")
	os.Exit(1)
}

func Find() error { return os.ErrExist }
"#;

fn apply(module: &GoModule, db: &Database, companion: &Companion) {
    let relative = |path: &Path| {
        path.strip_prefix(module.path())
            .unwrap()
            .display()
            .to_string()
    };
    for change in &companion.changes {
        match change {
            Change::Create(path, text) => {
                assert!(!path.exists());
                module.write(&relative(path), text);
            }
            Change::Edit(file, edits) => {
                let text = apply_edits(&file.text(db), edits).unwrap();
                module.write(&relative(&file.path(db)), &text);
            }
        }
    }
}

fn database() -> Database {
    Database::with_environment(Environment::default())
}

/// What the tests of a package with these files say after the action, and whether they pass.
fn tested(files: &[(&str, &str)], check: Option<LeakCheck>) -> Option<(String, bool)> {
    let module = GoModule::new("1.21")?;
    for (path, text) in files {
        module.write(path, text);
    }
    let db = database();
    let dir = directory(&db, &module.path().join("p"));
    apply(&module, &db, &leak_test(&db, dir, check).unwrap());
    assert_eq!(module.unformatted(), [""; 0]);
    Some(module.with_leak_profile(&["test", "./p"]))
}

#[test]
fn a_test_that_leaves_a_goroutine_behind_fails() {
    let check = Some(LeakCheck::Profile);
    for main in [None, Some(("p/main_test.go", MAIN))] {
        for (text, passes) in [(CLEAN, true), (LEAKS, false)] {
            let files: Vec<_> = [("p/p.go", "package p\n"), ("p/p_test.go", text)]
                .into_iter()
                .chain(main)
                .collect();
            let Some((output, passed)) = tested(&files, check) else {
                return;
            };
            assert_eq!(passed, passes, "{output}");
            assert_eq!(output.contains("p_test.go:8"), !passes, "{output}");
            if !passes {
                assert_eq!(output.contains("cleaned up"), main.is_some(), "{output}");
            }
        }
    }
}

#[test]
fn goleak_is_asked_where_the_module_has_it() {
    for main in [None, Some(("p/main_test.go", MAIN))] {
        let files: Vec<_> = [
            (
                "go.mod",
                "module m\n\ngo 1.21\n\nrequire go.uber.org/goleak v1.3.0\n\nreplace go.uber.org/goleak => ./goleak\n",
            ),
            ("goleak/go.mod", "module go.uber.org/goleak\n\ngo 1.20\n"),
            ("goleak/goleak.go", GOLEAK),
            ("p/p_test.go", CLEAN),
        ]
        .into_iter()
        .chain(main)
        .collect();
        let Some((output, passed)) = tested(&files, None) else {
            return;
        };
        assert!(!passed, "{output}");
        let said = match main {
            Some(_) => "the tests left goroutines behind: file already exists",
            None => "goleak was asked",
        };
        assert!(output.contains(said), "{output}");
    }
}

#[test]
fn a_test_in_a_bubble_compiles_and_finds_a_goroutine_that_never_ends() {
    for (text, passes) in [(CLEAN, true), (LEAKS, false)] {
        let Some(module) = GoModule::new("1.25") else {
            return;
        };
        module.write("p_test.go", text);
        let db = database();
        let file = db.file(module.path().join("p_test.go")).unwrap();
        let at = TextSize::try_from(text.find("make").unwrap()).unwrap();
        apply(&module, &db, &in_bubble(&db, file, at).unwrap());
        assert_eq!(module.unformatted(), [""; 0]);
        let (output, passed) = module.go(&["test", "."]);
        assert_eq!(passed, passes, "{output}");
    }
}

/// The program asks itself over the new address: what is served, and that the default mux is not.
#[test]
fn a_program_serves_its_profiles_on_loopback_only() {
    let Some(module) = GoModule::new("1.21") else {
        return;
    };
    let main = r#"package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
)

func main() {
	// Says what is served.
	for _, path := range []string{"", "heap?gc=1", "goroutine?debug=2", "profile?seconds=1"} {
		w := httptest.NewRecorder()
		serveProfile(w, httptest.NewRequest("GET", "/debug/pprof/"+path, nil))
		body, _ := io.ReadAll(w.Result().Body)
		fmt.Println(path, w.Code, len(body) > 0)
	}
	_, pattern := http.DefaultServeMux.Handler(httptest.NewRequest("GET", "/debug/pprof/", nil))
	fmt.Printf("default mux: %q\n", pattern)
}
"#;
    module.write("main.go", main);
    let db = database();
    let file = db.file(module.path().join("main.go")).unwrap();
    apply(&module, &db, &serve_pprof(&db, file).unwrap());
    assert_eq!(module.unformatted(), [""; 0]);
    let (output, vetted) = module.go(&["vet", "."]);
    assert!(vetted, "{output}");
    let (output, ran) = module.go(&["run", "."]);
    assert!(ran, "{output}");
    for line in [
        " 200 true",
        "heap?gc=1 200 true",
        "goroutine?debug=2 200 true",
        "profile?seconds=1 200 true",
        "default mux: \"\"",
    ] {
        assert!(output.contains(line), "{output}");
    }

    let db = database();
    for name in ["main.go", "pprof.go"] {
        let file = db.file(module.path().join(name)).unwrap();
        let found = leak_rules::check_file(&db, file);
        let rules: Vec<_> = found.iter().map(|finding| finding.rule).collect();
        assert_eq!(rules, [""; 0], "{name}");
    }
}
