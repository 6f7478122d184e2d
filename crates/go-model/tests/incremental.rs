//! What is computed again after an edit, counted; and that it never differs from what a fresh database says.

#![allow(clippy::unwrap_used, missing_docs)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use go_model::db::{
    BuildConfig, Database, Db, DeclId, Environment, SourceFile, catch_cancelled, decl_start,
    decl_tree, decls, parsed,
};
use go_model::outline::outline;
use go_model::package::{
    file_imports, import_path, package_decls, package_files, package_index, package_item,
    package_of_decl, package_of_file,
};
use go_model::workspace::{file_header, go_version, module_go_version};

/// Stands for every analysis of a body: it reads the tree, what the package declares and what the imports mean.
#[salsa::tracked(returns(copy))]
fn analysis(db: &dyn Db, decl: DeclId) -> u32 {
    let tree = decl_tree(db, decl);
    let index = package_index(db, package_of_decl(db, decl));
    let imports = file_imports(db, decl.file(db));
    go_version(db, decl.file(db));
    let facts = go_model::infer::facts(db, decl);
    // What an imported package says about one name.
    for (_, target) in imports.named() {
        if let Some(package) = target.package {
            package_item(db, package, "Exported".into());
        }
    }
    (tree.exprs.len() + index.own_items().count() + facts.locals.len()) as u32
}

/// Stands for the assembly of a file's findings.
fn check(db: &Database, file: SourceFile) -> u32 {
    decls(db, file)
        .iter()
        .map(|&d| analysis(db, d) + u32::from(decl_start(db, d)))
        .sum()
}

fn database() -> Database {
    let mut db = Database::recording(Environment::default());
    db.set_build_config(BuildConfig {
        goos: "linux".into(),
        goarch: "amd64".into(),
        ..BuildConfig::default()
    });
    db
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// How often each query was executed since the last call.
struct Counts(Vec<String>);

impl Counts {
    fn take(db: &Database) -> Self {
        Self(db.take_executed())
    }

    fn of(&self, query: &str) -> usize {
        self.0
            .iter()
            .filter(|q| q.split('(').next() == Some(query))
            .count()
    }
}

struct Two {
    _dir: tempfile::TempDir,
    db: Database,
    a: PathBuf,
    files: Vec<SourceFile>,
}

const A: &str = "package p\n\nimport \"fmt\"\n\n// F does.\nfunc F() { fmt.Println(1) }\n\nfunc G() { F() }\n\nvar Exported = 1\n\nfunc H() { G() }\n";

/// Package `p` of the files a.go and b.go, and `q`, which imports it.
fn two() -> Two {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("go.mod"), "module m\ngo 1.22\n");
    write(&dir.path().join("p/a.go"), A);
    write(
        &dir.path().join("p/b.go"),
        "package p\nfunc B1() { F() }\nfunc B2() { G() }\n",
    );
    write(
        &dir.path().join("q/q.go"),
        "package q\nimport \"m/p\"\nfunc Q1() { p.F() }\nfunc Q2() { p.G() }\n",
    );
    let mut db = database();
    let a = dir.path().join("p/a.go");
    db.open_document(&a, A.into(), None);
    let files = ["p/a.go", "p/b.go", "q/q.go"]
        .map(|f| db.file(dir.path().join(f)).unwrap())
        .to_vec();
    for &file in &files {
        check(&db, file);
    }
    let counts = Counts::take(&db);
    assert_eq!(counts.of("analysis"), 8);
    assert_eq!(counts.of("parse_result"), 3);
    Two {
        _dir: dir,
        db,
        a,
        files,
    }
}

impl Two {
    fn edit(&mut self, old: &str, new: &str) -> Counts {
        assert!(A.contains(old));
        let text = A.replacen(old, new, 1);
        self.db.open_document(&self.a, text.into(), None);
        for &file in &self.files {
            check(&self.db, file);
        }
        Counts::take(&self.db)
    }
}

#[test]
fn a_keystroke_in_a_body() {
    let counts = two().edit("Println(1)", "Println(12)");
    assert_eq!(counts.of("analysis"), 1);
    assert_eq!(counts.of("facts"), 1);
    assert_eq!(counts.of("parse_result"), 1);
    assert_eq!(counts.of("decl_tree"), 1);
    for never in [
        "outline",
        "decls",
        "file_header",
        "directives_of",
        "package_index",
        "file_imports",
        "package_item",
        "package_files",
        "directory_units",
        "roots",
        "import_directory",
        "unit_item",
        "unit_type_def",
    ] {
        assert_eq!(counts.of(never), 0, "{never}");
    }
}

#[test]
fn a_broken_body() {
    let counts = two().edit("Println(1)", "Println(1");
    // What the error swallows may differ, other files do not.
    assert!(counts.of("analysis") <= 4 + 2 + 2);
    assert_eq!(counts.of("parse_result"), 1);
}

#[test]
fn a_comment_above() {
    let counts = two().edit("// F does.", "// F does nothing.\n// At all.");
    assert_eq!(counts.of("analysis"), 0);
    assert_eq!(counts.of("parse_result"), 1);
    // The declarations behind it moved.
    assert_eq!(counts.of("decl_start"), 4);
    assert_eq!(counts.of("package_index"), 0);
}

#[test]
fn a_comment_below() {
    let counts = two().edit("func H() { G() }\n", "func H() { G() }\n// The end.\n");
    assert_eq!(counts.of("analysis"), 0);
    assert_eq!(counts.of("package_index"), 0);
}

#[test]
fn a_moved_function() {
    let counts = two().edit(
        "func G() { F() }\n\nvar Exported = 1\n\nfunc H() { G() }\n",
        "func H() { G() }\n\nvar Exported = 1\n\nfunc G() { F() }\n",
    );
    // The order of functions is part of the outline, hence of the index: the package looks again, the importer does not.
    assert!(counts.of("analysis") <= 6);
}

#[test]
fn another_outline() {
    let counts = two().edit("func H() {", "func H(x int) {");
    // Facts know what they asked for: nobody calls H.
    assert_eq!(counts.of("facts"), 1);
    // p looks again, q asked for one name only and that did not change.
    assert_eq!(counts.of("package_index"), 1);
    assert_eq!(counts.of("analysis"), 6);
}

#[test]
fn another_outline_of_what_is_used_elsewhere() {
    let counts = two().edit("func G() {", "func G(x ...int) {");
    // G itself, H, B2, Q2.
    assert_eq!(counts.of("facts"), 4);
    let counts = two().edit("var Exported = 1", "var Exported int = 1");
    assert_eq!(counts.of("analysis"), 8);
}

#[test]
fn the_same_text_again() {
    let counts = two().edit("package p", "package p");
    assert_eq!(counts.of("analysis"), 0);
    assert_eq!(counts.of("outline"), 0);
}

#[test]
fn an_unrelated_file_on_disk() {
    let mut t = two();
    let dir = t.a.parent().unwrap().parent().unwrap().to_owned();
    write(&dir.join("other/x.go"), "package other\n");
    write(&dir.join("p/README.md"), "hello");
    t.db.file_changed(dir.join("other/x.go"));
    t.db.file_changed(dir.join("p/README.md"));
    for &file in &t.files {
        check(&t.db, file);
    }
    assert_eq!(Counts::take(&t.db).0, Vec::<String>::new());
}

#[test]
fn a_change_cancels() {
    let mut t = two();
    let (started, wait) = std::sync::mpsc::channel();
    let snapshot = t.db.clone();
    let file = t.files[0];
    let worker = std::thread::spawn(move || {
        catch_cancelled(|| {
            started.send(()).unwrap();
            loop {
                check(&snapshot, file);
                salsa::Database::unwind_if_revision_cancelled(&snapshot);
            }
        })
    });
    wait.recv().unwrap();
    t.edit("Println(1)", "Println(3)");
    assert!(worker.join().unwrap().is_err());
}

#[test]
fn trees_are_dropped_and_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = (0..600)
        .map(|i| dir.path().join(format!("f{i}.go")))
        .collect();
    for (i, path) in paths.iter().enumerate() {
        write(path, &format!("package p\nfunc F{i}() {{}}\n"));
    }
    let mut db = database();
    let files = db.load_files(&paths);
    for &file in &files {
        outline(&db, file);
    }
    assert_eq!(Counts::take(&db).of("parse_result"), 600);
    db.evict();
    for &file in &files {
        outline(&db, file);
    }
    assert_eq!(Counts::take(&db).0.len(), 0);
    for &file in &files {
        assert_eq!(parsed(&db, file).decls.len(), 1);
    }
    let again = Counts::take(&db).of("parse_result");
    assert!((1..600).contains(&again), "{again}");
}

/// Everything that is known of a file, without the identities that differ from database to database.
fn describe(db: &Database, path: &Path) -> String {
    let mut out = String::new();
    let Some(file) = db.file(path) else {
        return "missing".into();
    };
    let tree = parsed(db, file);
    let names = |package| {
        package_files(db, package)
            .iter()
            .map(|f| f.file_name(db))
            .collect::<Vec<_>>()
    };
    let package = package_of_file(db, file);
    writeln!(out, "{tree:?}\n{:?}", file_header(db, file)).unwrap();
    writeln!(
        out,
        "{} {:?} {:?}",
        import_path(db, package),
        package.kind(db),
        names(package)
    )
    .unwrap();
    writeln!(
        out,
        "{:?} {:?}",
        go_version(db, file),
        module_go_version(db, file)
    )
    .unwrap();
    for &id in decls(db, file).iter() {
        let tree = decl_tree(db, id);
        let key = (id.sort(db), id.receiver(db), id.name(db), id.ordinal(db));
        writeln!(
            out,
            "{key:?} {:?} {:x} {}",
            decl_start(db, id),
            tree.hash,
            analysis(db, id)
        )
        .unwrap();
    }
    let index = package_index(db, package);
    let mut items: Vec<_> = index
        .own_items()
        .map(|i| format!("{} {}", i.name(), i.decl().name(db)))
        .collect();
    items.sort();
    let mut methods: Vec<_> = index
        .own_methods()
        .map(|(ty, m)| {
            format!(
                "{ty} {:?}",
                m.iter().map(|m| (m.name, &m.sig)).collect::<Vec<_>>()
            )
        })
        .collect();
    methods.sort();
    let mut imports: Vec<_> = file_imports(db, file)
        .named()
        .map(|(n, t)| format!("{n} {} {:?}", t.path, t.package.map(names)))
        .collect();
    imports.sort();
    writeln!(
        out,
        "{items:?} {methods:?} {imports:?} {}",
        package_decls(db, package).len()
    )
    .unwrap();
    out
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    fn text(&mut self) -> String {
        let mut text = String::new();
        if self.below(6) == 0 {
            text += self.pick(&[
                "//go:build windows\n\n",
                "//go:build ignore\n\n",
                "//go:build go1.23\n\n",
                "//go:build !\n\n",
            ]);
        }
        text += self.pick(&[
            "package p\n",
            "package p\n",
            "package p\n",
            "package main\n",
            "package p_test\n",
            "pack",
            "",
        ]);
        for _ in 0..self.below(3) {
            text += self.pick(&[
                "import \"fmt\"\n",
                "import \"m/p\"\n",
                "import x \"m/q\"\n",
                "import . \"m/q\"\n",
                "import \"dep/d\"\n",
            ]);
        }
        for _ in 0..self.below(6) {
            text += self.pick(&[
                "func A() { B() }\n",
                "func B() int { return 1 }\n",
                "func (t *T) M() {}\n",
                "func (T) N() {}\n",
                "type T struct{ x int }\n",
                "type T interface{ M() }\n",
                "var x, y = 1, 2\n",
                "const (\n\ta = iota\n\tb\n)\n",
                "func init() {}\n",
                "func init() { A() }\n",
                "var _ = B()\n",
                "// comment\n",
                "func broken( {\n",
                "}\n",
            ]);
        }
        text
    }
}

#[test]
fn any_sequence_of_changes_gives_what_a_fresh_database_gives() {
    for seed in 1..=12u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let dir = tempfile::tempdir().unwrap();
        let names = [
            "p/a.go",
            "p/b.go",
            "p/a_test.go",
            "p/c_windows.go",
            "q/q.go",
            "q/sub/s.go",
            "dep/d/d.go",
            "main.go",
        ];
        let paths: Vec<PathBuf> = names.iter().map(|n| dir.path().join(n)).collect();
        write(&dir.path().join("go.mod"), "module m\ngo 1.22\n");
        for path in &paths {
            let text = random.text();
            write(path, &text);
        }
        let mut db = database();
        let mut open: Vec<(PathBuf, String)> = Vec::new();
        for step in 0..60 {
            let path = &paths[random.below(paths.len())];
            match random.below(10) {
                0..=4 => {
                    let text = random.text();
                    db.open_document(path, text.as_str().into(), None);
                    open.retain(|(p, _)| p != path);
                    open.push((path.clone(), text));
                }
                5 => {
                    db.close_document(path);
                    open.retain(|(p, _)| p != path);
                }
                6 => {
                    let text = random.text();
                    write(path, &text);
                    db.file_changed(path);
                }
                7 => {
                    let _ = std::fs::remove_file(path);
                    db.file_changed(path);
                }
                8 => {
                    let text = random.pick(&[
                        "module m\ngo 1.22\n",
                        "module m\n",
                        "module other\ngo 1.20\n",
                        "module m\nrequire dep v1.0.0\nreplace dep => ./dep\n",
                        "mod",
                    ]);
                    let path = dir.path().join(random.pick(&["go.mod", "q/go.mod"]));
                    write(&path, text);
                    db.file_changed(&path);
                }
                _ => {
                    let goos = random.pick(&["linux", "windows"]);
                    db.set_build_config(BuildConfig {
                        goos: goos.into(),
                        ..db.build_config().clone()
                    });
                }
            }
            if random.below(4) == 0 {
                db.evict();
            }
            // Not everything every time: what nobody asked for must come out right later.
            if random.below(3) == 0 || step == 59 {
                let mut fresh = Database::with_environment(Environment::default());
                fresh.set_build_config(db.build_config().clone());
                for (path, text) in &open {
                    fresh.open_document(path, text.as_str().into(), None);
                }
                for path in &paths {
                    if random.below(2) == 0 || step == 59 {
                        assert_eq!(
                            describe(&db, path),
                            describe(&fresh, path),
                            "seed {seed} step {step} {path:?}"
                        );
                    }
                }
            }
        }
    }
}
