//! What is analysed again after an edit, counted: with the real rules, facts, graphs and summaries.

#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};

use go_model::db::{BuildConfig, Database, Environment, SourceFile};
use leak_rules::{Diagnostic, check_file};

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

const A: &str = r#"package p

import "os"

// Leak forgets the file.
func Leak(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	f.Stat()
	return nil
}

// Helped hands it to a function that closes it.
func Helped(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	shut(f)
	return nil
}

func shut(f *os.File) {
	f.Close()
}

// Clean closes it.
func Clean(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	f.Stat()
	return nil
}

// Nothing is opened here.
func Nothing() int { return 1 }
"#;

const B: &str = r#"package p

import "os"

func InB(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	shut(f)
	return nil
}
"#;

const Q: &str = r#"package q

import (
	"os"

	"m/p"
)

func InQ(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	f.Stat()
	return p.Clean(name)
}
"#;

struct Project {
    _dir: tempfile::TempDir,
    db: Database,
    a: PathBuf,
    files: Vec<SourceFile>,
    text: String,
}

impl Project {
    fn new() -> Self {
        let mut project = Self::of([A, B, Q]);
        assert_eq!(project.findings(), ["Leak", "InQ"]);
        let counts = project.counts();
        assert_eq!(counts.of("check_file"), 3);
        project
    }

    /// With these texts of `p/a.go`, `p/b.go` and `q/q.go`.
    fn of([a_text, b_text, q_text]: [&str; 3]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        write(&dir.path().join("go.mod"), "module m\n\ngo 1.22\n");
        write(&dir.path().join("p/a.go"), a_text);
        write(&dir.path().join("p/b.go"), b_text);
        write(&dir.path().join("q/q.go"), q_text);
        let mut db = Database::recording(Environment::default());
        db.set_build_config(BuildConfig {
            goos: "linux".into(),
            goarch: "amd64".into(),
            ..BuildConfig::default()
        });
        let a = dir.path().join("p/a.go");
        db.open_document(&a, a_text.into(), None);
        let files = ["p/a.go", "p/b.go", "q/q.go"]
            .map(|f| db.file(dir.path().join(f)).unwrap())
            .to_vec();
        Self {
            _dir: dir,
            db,
            a,
            files,
            text: a_text.to_owned(),
        }
    }

    fn check(&mut self) -> Vec<Diagnostic> {
        (self.files.iter())
            .flat_map(|&f| check_file(&self.db, f).to_vec())
            .collect()
    }

    /// The functions with findings.
    fn findings(&mut self) -> Vec<String> {
        let found = self.check();
        found.into_iter().filter_map(|d| d.function).collect()
    }

    fn counts(&self) -> Counts {
        Counts(self.db.take_executed())
    }

    fn edit(&mut self, old: &str, new: &str) -> (Vec<String>, Counts) {
        assert!(self.text.contains(old));
        self.text = self.text.replacen(old, new, 1);
        let text = self.text.as_str().into();
        self.db.open_document(&self.a, text, None);
        let findings = self.findings();
        (findings, self.counts())
    }
}

struct Counts(Vec<String>);

impl Counts {
    fn of(&self, query: &str) -> usize {
        (self.0.iter())
            .filter(|q| q.split('(').next() == Some(query))
            .count()
    }
}

#[test]
fn a_keystroke_in_one_body_analyses_that_body() {
    let mut p = Project::new();
    let (findings, counts) = p.edit(
        "defer f.Close()\n\tf.Stat()",
        "defer f.Close()\n\tf.Stat(); _ = 1",
    );
    assert_eq!(findings, ["Leak", "InQ"]);
    assert_eq!(counts.of("check_decl"), 1);
    assert_eq!(counts.of("facts"), 1);
    assert!(counts.of("cfg_of") <= 1);
    // Files with an equal outline, equal summaries and equal declarations are not put together again.
    assert_eq!(counts.of("check_file"), 1);
    for never in [
        "package_index",
        "unit_item",
        "unit_type_def",
        "file_imports",
    ] {
        assert_eq!(counts.of(never), 0, "{never}");
    }
}

#[test]
fn a_function_that_nobody_asks_about() {
    let mut p = Project::new();
    let (findings, counts) = p.edit("return 1", "return 12");
    assert_eq!(findings, ["Leak", "InQ"]);
    assert_eq!(counts.of("check_decl"), 1);
    assert!(counts.of("facts") <= 1);
    assert_eq!(counts.of("cfg_of"), 0);
}

#[test]
fn a_comment_moves_what_is_below() {
    let mut p = Project::new();
    let before = p.check();
    p.counts();
    let (findings, counts) = p.edit("// Leak forgets", "// A line more.\n// Leak forgets");
    assert_eq!(findings, ["Leak", "InQ"]);
    for never in ["check_decl", "facts", "cfg_of", "digest_of", "summaries"] {
        assert_eq!(counts.of(never), 0, "{never}");
    }
    assert_eq!(counts.of("check_file"), 1);
    let after = p.check();
    let moved = after[0].range.start() - before[0].range.start();
    assert_eq!(u32::from(moved) as usize, "// A line more.\n".len());
    assert_eq!(after[1], before[1]);
}

#[test]
fn another_summary_reaches_its_callers_only() {
    let mut p = Project::new();
    // `shut` does not close any more: both callers leak.
    let (findings, counts) = p.edit("\tf.Close()\n}\n\n// Clean", "\tf.Name()\n}\n\n// Clean");
    assert_eq!(findings, ["Leak", "Helped", "InB", "InQ"]);
    // `shut` itself, `Helped` and `InB`, not `Leak`, `Clean`, `Nothing`, `InQ`.
    assert_eq!(counts.of("check_decl"), 3);
    assert_eq!(counts.of("facts"), 1);
    let (findings, _) = p.edit("\tf.Name()\n", "\tf.Close()\n");
    assert_eq!(findings, ["Leak", "InQ"]);
}

#[test]
fn a_body_that_means_the_same_to_callers() {
    let mut p = Project::new();
    let (findings, counts) = p.edit(
        "func shut(f *os.File) {\n",
        "func shut(f *os.File) {\n\t_ = 1\n",
    );
    assert_eq!(findings, ["Leak", "InQ"]);
    assert_eq!(counts.of("check_decl"), 1);
}

#[test]
fn an_outline_of_one_package_does_not_reach_an_importer_that_does_not_ask() {
    let mut p = Project::new();
    let (findings, counts) = p.edit(
        "func Nothing() int { return 1 }",
        "func Nothing() int32 { return 1 }",
    );
    assert_eq!(findings, ["Leak", "InQ"]);
    assert_eq!(counts.of("check_decl"), 1);
    assert_eq!(counts.of("check_file"), 1);
    assert_eq!(counts.of("package_index"), 1);
}

#[test]
fn half_typed_code_leaves_the_neighbours_alone() {
    let mut p = Project::new();
    let (findings, counts) = p.edit("return 1 }", "return 1 + }");
    assert_eq!(findings, ["Leak", "InQ"]);
    assert!(counts.of("check_decl") <= 1, "{}", counts.of("check_decl"));
}

const OPENER: &str = r#"package p

import "os"

// Open opens for its callers.
func Open(name string) (*os.File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Size has no callers.
func Size(name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		return 0
	}
	return info.Size()
}
"#;

const OPENED_IN_B: &str = r#"package p

func InB(name string) (string, error) {
	f, err := Open(name)
	if err != nil {
		return "", err
	}
	return f.Name(), nil
}

func Other(name string) int64 {
	return 2 * Size(name)
}
"#;

const OPENED_IN_Q: &str = r#"package q

import "m/p"

func InQ(name string) (string, error) {
	f, err := p.Open(name)
	if err != nil {
		return "", err
	}
	return f.Name(), nil
}

func More(name string) int64 {
	return 3 * p.Size(name)
}
"#;

#[test]
fn an_opener_reaches_its_callers_only() {
    let mut p = Project::of([OPENER, OPENED_IN_B, OPENED_IN_Q]);
    assert_eq!(p.findings(), ["InB", "InQ"]);
    p.counts();

    // The same for its callers: nobody else is looked at.
    let (findings, counts) = p.edit("return f, nil", "_ = 1\n\treturn f, nil");
    assert_eq!(findings, ["InB", "InQ"]);
    assert_eq!(counts.of("check_decl"), 1);

    // It closes what it opens now: its callers are asked again.
    let (findings, counts) = p.edit("\t_ = 1\n", "\tdefer f.Close()\n");
    assert_eq!(findings, Vec::<String>::new());
    assert_eq!(counts.of("check_decl"), 3);

    // Another name opens: those that do not call it are not checked again.
    let (findings, counts) = p.edit("info, err := os.Stat(name)", "info, err := os.Lstat(name)");
    assert_eq!(findings, Vec::<String>::new());
    assert_eq!(counts.of("check_decl"), 1);
}

#[test]
fn openers_cost_their_callers_little() {
    let close = |text: &str| {
        text.replace(
            "return f.Name(), nil",
            "defer f.Close()\n\treturn f.Name(), nil",
        )
    };
    let (b, q) = (close(OPENED_IN_B), close(OPENED_IN_Q));
    let mut p = Project::of([OPENER, &b, &q]);
    assert_eq!(p.findings(), Vec::<String>::new());
    let counts = p.counts();
    // Of `Open`, `InB` and `InQ`; those that call only what acquires nothing are not resolved.
    assert_eq!(counts.of("facts"), 3);
    assert_eq!(counts.of("solved"), 1);
}

/// Goroutines that a function starts, and what is done with the channel that they are given.
const SENDERS: &str = r#"package p

func send(ch chan int, n int) {
	ch <- n
}

// One sends.
func One(stop bool) int {
	ch := make(chan int)
	go send(ch, 1)
	if stop {
		return 0
	}
	return <-ch
}

// Two sends too.
func Two(stop bool) int {
	ch := make(chan int)
	go send(ch, 2)
	if stop {
		return 0
	}
	return <-ch
}

// Other has nothing to do with it.
func Other() int { return 1 }
"#;

#[test]
fn what_is_done_with_a_channel_is_asked_once() {
    let mut p = Project::of([SENDERS, "package p\n", "package q\n"]);
    assert_eq!(p.findings(), ["One", "Two"]);
    assert_eq!(p.counts().of("effects"), 1);

    // Elsewhere, and in a caller: it is not asked again.
    let (findings, counts) = p.edit("return 1", "return 12");
    assert_eq!(findings, ["One", "Two"]);
    assert_eq!((counts.of("effects"), counts.of("check_decl")), (0, 1));
    let (findings, counts) = p.edit("go send(ch, 2)", "go send(ch, 22)");
    assert_eq!(findings, ["One", "Two"]);
    assert_eq!((counts.of("effects"), counts.of("check_decl")), (0, 1));

    // In itself, without a change of what it does: its callers are not looked at again.
    let (findings, counts) = p.edit("ch <- n\n}", "ch <- n\n\tprintln(n)\n}");
    assert_eq!(findings, ["One", "Two"]);
    assert_eq!(counts.of("effects"), 1);
    assert!(counts.of("check_decl") <= 3);

    // With a change: they are.
    let (findings, counts) = p.edit("ch <- n\n", "select {\n\tcase ch <- n:\n\tdefault:\n\t}\n");
    assert!(findings.is_empty(), "{findings:?}");
    assert_eq!((counts.of("effects"), counts.of("check_decl")), (1, 3));
}

/// A map that a handler fills by way of another function, and others that have nothing to do with it.
const FILLED: &str = r#"package p

import "net/http"

var pages = map[string]string{}

// Handle answers.
func Handle(w http.ResponseWriter, r *http.Request) {
	keep(r.URL.Path)
}

func keep(path string) {
	pages[path] = path
}

// Other has nothing to do with it.
func Other(n int) int {
	found := []int{n}
	found = append(found, 1)
	return len(found)
}
"#;

const EMPTIED: &str = r#"package p

func forget() {
	println(len("pages"))
}

func read(path string) string {
	return pages[path]
}
"#;

#[test]
fn what_grows_is_asked_of_those_who_mention_it() {
    let mut p = Project::of([FILLED, EMPTIED, "package q\n"]);
    assert_eq!(p.findings(), ["keep"]);
    let counts = p.counts();
    // Of what fills it, what reads it, and what calls the one that fills it; and of the variable.
    assert!(counts.of("facts") <= 4, "{}", counts.of("facts"));

    // In a function that does not mention it: nothing is asked again.
    let (findings, counts) = p.edit("append(found, 1)", "append(found, 12)");
    assert_eq!(findings, ["keep"]);
    for never in ["uses", "verdict", "shape"] {
        assert_eq!(counts.of(never), 0, "{never}");
    }
    assert_eq!(counts.of("check_decl"), 1);

    // Where it is filled, without a change of how: the verdict stays.
    let (findings, counts) = p.edit("pages[path] = path", "pages[path] = path + path");
    assert_eq!(findings, ["keep"]);
    assert_eq!((counts.of("uses"), counts.of("facts")), (1, 1));
    assert_eq!(counts.of("check_decl"), 1);

    // It is not filled for requests any more.
    let (findings, counts) = p.edit("keep(r.URL.Path)", "_ = r.URL.Path");
    assert_eq!(findings, Vec::<String>::new());
    assert!(counts.of("check_decl") <= 2, "{}", counts.of("check_decl"));
}
