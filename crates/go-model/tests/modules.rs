//! What functions of other packages and modules do, and what is kept of it on disk.

#![allow(clippy::unwrap_used, missing_docs)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use go_model::db::{BuildConfig, Database, DeclId, Environment, decls};
use go_model::disk::{DiskCache, MAX_BYTES};
use go_model::infer::facts;
use go_model::summary::{Called, SummaryStore, When, budget_hits, of, of_callee, save_summaries};

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

struct Tree {
    dir: tempfile::TempDir,
}

impl Tree {
    /// Files as `path` and text; `cache/` is the module cache.
    fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        for (path, text) in files {
            tree.write(path, text);
        }
        tree
    }

    fn write(&self, path: &str, text: &str) {
        write(&self.path(path), text);
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn db(&self) -> Database {
        let mut db = Database::recording(Environment {
            mod_cache: Some(self.path("cache")),
            go_work: None,
        });
        db.set_build_config(BuildConfig {
            goos: "linux".into(),
            goarch: "amd64".into(),
            ..BuildConfig::default()
        });
        db
    }

    fn stored(&self, program: &str) -> Database {
        let mut db = self.db();
        let disk = DiskCache::new(self.path("disk"), MAX_BYTES);
        db.set_summary_store(SummaryStore::on_disk(disk, program.to_owned()));
        db
    }
}

fn decl(db: &Database, file: &Path, name: &str) -> DeclId {
    let file = db.file(file).unwrap();
    (decls(db, file).iter().copied())
        .find(|d| d.name(db) == name)
        .unwrap()
}

/// When the first parameter of the function is closed, as its summary has it.
fn closes(db: &Database, file: &Path, name: &str) -> Option<When> {
    let summary = of(db, decl(db, file, name));
    summary.own.param(0).calls_method(&[], "Close")
}

fn executed(db: &Database, query: &str) -> usize {
    (db.take_executed().iter())
        .filter(|e| e.split('(').next() == Some(query))
        .count()
}

const CLOSER: &str = "import \"os\"\nfunc Shut(f *os.File) { f.Close() }\n";

/// A package that hands its file on to another.
fn passes_on(package: &str, to: &str) -> String {
    let name = to.rsplit('/').next().unwrap();
    format!(
        "package {package}\nimport (\n\"os\"\n\"{to}\"\n)\nfunc Shut(f *os.File) {{ {name}.Shut(f) }}\n"
    )
}

fn chain() -> Tree {
    let text = |p: &str, to: &str| passes_on(p, to);
    Tree::new(&[
        (
            "m/go.mod",
            "module m\nrequire (\n example.com/a v1.0.0\n example.com/b v1.0.0\n)\n",
        ),
        ("m/m.go", &text("m", "example.com/a")),
        ("m/far/far.go", &text("far", "m/near")),
        ("m/near/near.go", &text("near", "example.com/a")),
        (
            "cache/example.com/a@v1.0.0/go.mod",
            "module example.com/a\nrequire example.com/b v1.0.0\n",
        ),
        (
            "cache/example.com/a@v1.0.0/a.go",
            &text("a", "example.com/b"),
        ),
        (
            "cache/example.com/b@v1.0.0/go.mod",
            "module example.com/b\nrequire example.com/c v1.0.0\n",
        ),
        (
            "cache/example.com/b@v1.0.0/b.go",
            &text("b", "example.com/c"),
        ),
        (
            "cache/example.com/c@v1.0.0/go.mod",
            "module example.com/c\n",
        ),
        (
            "cache/example.com/c@v1.0.0/c.go",
            &format!("package c\n{CLOSER}"),
        ),
    ])
}

#[test]
fn through_the_module_cache() {
    let t = chain();
    let db = t.db();
    assert_eq!(closes(&db, &t.path("m/m.go"), "Shut"), Some(When::Always));
    // One border more is too far.
    assert_eq!(
        closes(&db, &t.path("m/near/near.go"), "Shut"),
        Some(When::Always)
    );
    assert_eq!(closes(&db, &t.path("m/far/far.go"), "Shut"), None);
}

#[test]
fn without_the_module_cache() {
    let t = chain();
    let mut db = Database::with_environment(Environment::default());
    db.set_build_config(BuildConfig::default());
    assert_eq!(closes(&db, &t.path("m/m.go"), "Shut"), None);
    let shut = decl(&db, &t.path("m/m.go"), "Shut");
    let facts = facts(&db, shut);
    assert!((facts.callees.iter()).all(|(_, callee)| of_callee(&db, shut, callee).is_none()));
}

#[test]
fn vendor_replacements_and_workspaces() {
    let closer = |p: &str| format!("package {p}\n{CLOSER}");
    let t = Tree::new(&[
        (
            "m/go.mod",
            "module m\nrequire (\n example.com/v v1.0.0\n example.com/r v1.0.0\n)\nreplace example.com/r => ../r\n",
        ),
        ("m/v.go", &passes_on("m", "example.com/v")),
        ("m/r/r.go", &passes_on("r", "example.com/r")),
        ("m/vendor/example.com/v/v.go", &closer("v")),
        ("r/go.mod", "module example.com/r\n"),
        ("r/r.go", &closer("r")),
        ("w/go.work", "go 1.22\nuse (\n ./x\n ./y\n)\n"),
        ("w/x/go.mod", "module example.com/x\n"),
        ("w/x/x.go", &passes_on("x", "example.com/y")),
        ("w/y/go.mod", "module example.com/y\n"),
        ("w/y/y.go", &closer("y")),
    ]);
    let db = t.db();
    for file in ["m/v.go", "m/r/r.go", "w/x/x.go"] {
        assert_eq!(
            closes(&db, &t.path(file), "Shut"),
            Some(When::Always),
            "{file}"
        );
    }
}

#[test]
fn what_cannot_be_read_is_unknown() {
    let t = Tree::new(&[
        ("m/go.mod", "module m\nrequire example.com/a v1.0.0\n"),
        (
            "m/m.go",
            "package m\nimport (\n\"os\"\n\"example.com/a\"\n)\nfunc Asm(f *os.File) { a.Asm(f) }\nfunc Other(f *os.File) { a.Windows(f) }\nfunc Iface(f *os.File, s a.Shutter) { s.Shut(f) }\nfunc Here(f *os.File) { a.Here(f) }\n",
        ),
        (
            "cache/example.com/a@v1.0.0/go.mod",
            "module example.com/a\n",
        ),
        (
            "cache/example.com/a@v1.0.0/a.go",
            "package a\nimport \"os\"\nfunc Asm(f *os.File)\ntype Shutter interface { Shut(f *os.File) }\nfunc Here(f *os.File) { f.Close() }\n",
        ),
        (
            "cache/example.com/a@v1.0.0/a_windows.go",
            "package a\nimport \"os\"\nfunc Windows(f *os.File) { f.Close() }\n",
        ),
    ]);
    let db = t.db();
    let m = t.path("m/m.go");
    for name in ["Asm", "Other", "Iface"] {
        assert_eq!(closes(&db, &m, name), None, "{name}");
    }
    assert_eq!(closes(&db, &m, "Here"), Some(When::Always));
}

#[test]
fn packages_that_import_each_other_come_to_an_end() {
    let t = Tree::new(&[
        ("go.mod", "module m\n"),
        (
            "a/a.go",
            "package a\nimport (\n\"os\"\n\"m/b\"\n)\nfunc F(f *os.File) { b.F(f) }\n",
        ),
        (
            "b/b.go",
            "package b\nimport (\n\"os\"\n\"m/a\"\n)\nfunc F(f *os.File) { a.F(f) }\n",
        ),
    ]);
    let db = t.db();
    assert_eq!(closes(&db, &t.path("a/a.go"), "F"), None);
    assert_eq!(closes(&db, &t.path("b/b.go"), "F"), None);
}

#[test]
fn work_is_bounded() {
    let mut text = "package a\nimport \"os\"\nfunc Near(f *os.File) { F0(f) }\n".to_owned();
    for i in 0..400 {
        let _ = writeln!(text, "func F{i}(f *os.File) {{ F{}(f) }}", i + 1);
    }
    text.push_str("func F400(f *os.File) { f.Close() }\n");
    let t = Tree::new(&[
        ("m/go.mod", "module m\nrequire example.com/a v1.0.0\n"),
        (
            "m/m.go",
            "package m\nimport (\n\"os\"\n\"example.com/a\"\n)\nfunc Far(f *os.File) { a.Near(f) }\nfunc Near(f *os.File) { a.F390(f) }\n",
        ),
        (
            "cache/example.com/a@v1.0.0/go.mod",
            "module example.com/a\n",
        ),
        ("cache/example.com/a@v1.0.0/a.go", &text),
    ]);
    let hits = budget_hits();
    let db = t.db();
    assert_eq!(closes(&db, &t.path("m/m.go"), "Near"), Some(When::Always));
    assert_eq!(closes(&db, &t.path("m/m.go"), "Far"), None);
    assert!(budget_hits() > hits);
    // Of the 400 functions only so many were looked at.
    let looked_at = executed(&db, "digest_of");
    assert!(looked_at < 200, "{looked_at}");
}

#[test]
fn a_keystroke_looks_at_no_dependency() {
    let t = chain();
    let mut db = t.db();
    let m = t.path("m/m.go");
    let text = std::fs::read_to_string(&m).unwrap();
    db.open_document(&m, text.as_str().into(), None);
    assert_eq!(closes(&db, &m, "Shut"), Some(When::Always));
    db.take_executed();
    db.open_document(
        &m,
        text.replace("a.Shut(f)", "_ = 1; a.Shut(f)").into(),
        None,
    );
    assert_eq!(closes(&db, &m, "Shut"), Some(When::Always));
    let executed = db.take_executed();
    let count = |q: &str| {
        executed
            .iter()
            .filter(|e| e.split('(').next() == Some(q))
            .count()
    };
    assert_eq!((count("digest_of"), count("facts")), (1, 1));
    assert_eq!(
        count("parse_result"),
        0,
        "the owner of the document has parsed it"
    );
}

#[test]
fn summaries_come_from_the_disk() {
    let t = chain();
    let m = t.path("m/m.go");
    let shut = |db: &Database| (closes(db, &m, "Shut"), executed(db, "digest_of"));
    let db = t.stored("1");
    assert_eq!(shut(&db), (Some(When::Always), 4));
    // Of what is asked for on the way, one file for each package.
    assert_eq!(save_summaries(&db), 3);
    assert_eq!(save_summaries(&db), 0);
    // Only `Shut` of the workspace is looked at, and nothing of the dependencies is parsed for their bodies.
    let db = t.stored("1");
    assert_eq!(shut(&db), (Some(When::Always), 1));
    assert_eq!(save_summaries(&db), 0);
    // Another program, another build.
    assert_eq!(shut(&t.stored("2")), (Some(When::Always), 4));
    let mut db = t.stored("1");
    db.set_build_config(BuildConfig {
        goos: "plan9".into(),
        ..BuildConfig::default()
    });
    assert_eq!(shut(&db), (Some(When::Always), 4));
    // Without a store.
    assert_eq!(shut(&t.db()), (Some(When::Always), 4));
}

#[test]
fn what_is_computed_is_what_is_stored() {
    let t = chain();
    let m = t.path("m/m.go");
    let show = |db: &Database| {
        let shut = decl(db, &m, "Shut");
        let facts = facts(db, shut);
        let mut out = Vec::new();
        for (_, callee) in facts.callees.iter() {
            match of_callee(db, shut, callee) {
                Some(Called::Read(s)) => out.push(format!("{s:?}")),
                other => out.push(format!("{}", other.is_some())),
            }
        }
        out
    };
    let db = t.stored("1");
    let before = show(&db);
    save_summaries(&db);
    assert_eq!(show(&t.stored("1")), before);
    assert_eq!(show(&t.db()), before);
}

#[test]
fn another_version_of_a_dependency() {
    let t = chain();
    let m = t.path("m/m.go");
    let db = t.stored("1");
    assert_eq!(closes(&db, &m, "Shut"), Some(When::Always));
    save_summaries(&db);
    // The version that `b` wants goes away and another one comes: what was stored about `a` and `b` does not hold.
    std::fs::rename(
        t.path("cache/example.com/c@v1.0.0"),
        t.path("cache/example.com/c@v1.1.0"),
    )
    .unwrap();
    t.write(
        "cache/example.com/c@v1.1.0/c.go",
        "package c\nimport \"os\"\nfunc Shut(f *os.File) { f.Name() }\n",
    );
    let db = t.stored("1");
    assert_eq!(closes(&db, &m, "Shut"), None);
    assert_eq!(save_summaries(&db), 3);
    assert_eq!(closes(&t.stored("1"), &m, "Shut"), None);
    // A module that was not there at all.
    std::fs::remove_dir_all(t.path("cache/example.com/c@v1.1.0")).unwrap();
    let db = t.stored("1");
    assert_eq!(closes(&db, &m, "Shut"), None);
    save_summaries(&db);
    t.write(
        "cache/example.com/c@v1.0.0/go.mod",
        "module example.com/c\n",
    );
    t.write(
        "cache/example.com/c@v1.0.0/c.go",
        &format!("package c\n{CLOSER}"),
    );
    assert_eq!(closes(&t.stored("1"), &m, "Shut"), Some(When::Always));
}

#[test]
fn damaged_files_are_computed_again() {
    let t = chain();
    let m = t.path("m/m.go");
    let db = t.stored("1");
    closes(&db, &m, "Shut");
    save_summaries(&db);
    let mut damaged = 0;
    let mut folders = vec![t.path("disk")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else if entry.file_name() != "CACHEDIR.TAG" {
                let bytes = std::fs::read(entry.path()).unwrap();
                std::fs::write(entry.path(), &bytes[..bytes.len() / 2]).unwrap();
                damaged += 1;
            }
        }
    }
    assert_eq!(damaged, 3);
    let db = t.stored("1");
    assert_eq!(closes(&db, &m, "Shut"), Some(When::Always));
    assert_eq!(executed(&db, "digest_of"), 4);
    assert_eq!(save_summaries(&db), 3);
}
