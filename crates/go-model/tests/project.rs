//! Packages, modules and files on a real disk.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use go_model::db::{
    BuildConfig, Database, Environment, SourceFile, decl_tree, decls, parse_result, parsed,
};
use go_model::outline::{AliasRef, TypeRef, outline};
use go_model::package::{
    Item, UnitKind, file_imports, import_path, package_by_path, package_files, package_index,
    package_of_file,
};
use go_model::workspace::{go_version, module_go_version};

struct Tree {
    dir: tempfile::TempDir,
    db: Database,
}

impl Tree {
    /// Files as `path` and text; `cache/` is the module cache.
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            write(&dir.path().join(path), text);
        }
        let environment = Environment {
            mod_cache: Some(dir.path().join("cache")),
            go_work: None,
        };
        let mut db = Database::recording(environment);
        db.set_build_config(BuildConfig {
            goos: "linux".into(),
            goarch: "amd64".into(),
            ..BuildConfig::default()
        });
        Self { dir, db }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn file(&self, path: &str) -> SourceFile {
        self.db.file(self.path(path)).expect(path)
    }

    fn unit(&self, path: &str) -> Vec<String> {
        self.names(package_of_file(&self.db, self.file(path)))
    }

    fn names(&self, package: go_model::package::PackageId) -> Vec<String> {
        package_files(&self.db, package)
            .iter()
            .map(|f| f.file_name(&self.db))
            .collect()
    }

    /// Directory of the package that an import means, below the tree.
    fn resolve(&self, from: &str, import: &str) -> Option<String> {
        let package = package_by_path(&self.db, self.file(from), import.into())?;
        let dir = package.dir(&self.db)?.path(&self.db);
        Some(
            dir.strip_prefix(self.dir.path())
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned(),
        )
    }
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn units() {
    let t = Tree::new(&[
        ("go.mod", "module m\ngo 1.22\n"),
        ("p/a.go", "package p\n"),
        ("p/b_linux.go", "package p\n"),
        ("p/b_windows.go", "package p\n"),
        ("p/c.go", "//go:build windows || plan9\n\npackage p\n"),
        ("p/gen.go", "//go:build ignore\n\npackage main\n"),
        ("p/gen2.go", "//go:build ignore\n\npackage main\n"),
        ("p/a_test.go", "package p\n"),
        ("p/x_test.go", "package p_test\n"),
        ("p/_old.go", "package p\n"),
        (
            "p/impossible.go",
            "//go:build linux && windows\n\npackage p\n",
        ),
        ("p/noclause.go", "// nothing yet\n"),
    ]);
    assert_eq!(t.unit("p/a.go"), ["a.go", "b_linux.go"]);
    assert_eq!(t.unit("p/b_windows.go"), ["a.go", "b_windows.go", "c.go"]);
    // One unit for all files that Windows wants.
    assert_eq!(package_of_file(&t.db, t.file("p/b_windows.go")), {
        let c = package_of_file(&t.db, t.file("p/c.go"));
        assert_eq!(t.names(c), ["a.go", "b_windows.go", "c.go"]);
        c
    });
    assert_eq!(t.unit("p/gen.go"), ["gen.go"]);
    assert_eq!(t.unit("p/gen2.go"), ["gen2.go"]);
    assert_eq!(t.unit("p/_old.go"), ["_old.go"]);
    assert_eq!(t.unit("p/impossible.go"), ["impossible.go"]);
    assert_eq!(t.unit("p/noclause.go"), ["noclause.go"]);
    assert_eq!(t.unit("p/a_test.go"), ["a_test.go"]);
    assert_eq!(t.unit("p/x_test.go"), ["x_test.go"]);
    let path = |f: &str| import_path(&t.db, package_of_file(&t.db, t.file(f)));
    assert_eq!(path("p/a.go"), "m/p");
    assert_eq!(path("p/a_test.go"), "m/p");
    assert_eq!(path("p/x_test.go"), "m/p_test");
    assert_eq!(
        package_of_file(&t.db, t.file("p/x_test.go")).kind(&t.db),
        UnitKind::External
    );
}

#[test]
fn another_target() {
    let mut t = Tree::new(&[
        ("go.mod", "module m\n"),
        ("a.go", "package m\n"),
        ("a_linux.go", "package m\n"),
        ("a_windows.go", "package m\n"),
        ("t.go", "//go:build special\n\npackage m\n"),
    ]);
    assert_eq!(t.unit("a.go"), ["a.go", "a_linux.go"]);
    let config = BuildConfig {
        goos: "windows".into(),
        tags: vec!["special".into()],
        ..t.db.build_config().clone()
    };
    t.db.set_build_config(config);
    assert_eq!(t.unit("a.go"), ["a.go", "a_windows.go", "t.go"]);
    assert_eq!(t.unit("a_linux.go"), ["a.go", "a_linux.go", "t.go"]);
}

#[test]
fn test_units_see_the_package() {
    let t = Tree::new(&[
        ("go.mod", "module m\n"),
        (
            "p/a.go",
            "package p\ntype T struct{}\nfunc (t *T) A() {}\nvar x, y = 1, 2\nconst (\n\tc = iota\n\td\n)\n",
        ),
        (
            "p/export_test.go",
            "package p\nfunc (t T) B() {}\nvar ForTest = x\n",
        ),
        (
            "p/x_test.go",
            "package p_test\nimport \"m/p\"\nvar v = p.ForTest\n",
        ),
        ("q/q.go", "package q\nimport \"m/p\"\n"),
    ]);
    let index = |f: &str| package_index(&t.db, package_of_file(&t.db, t.file(f)));
    let normal = index("p/a.go");
    assert!(matches!(normal.item("T".into()), Some(Item::Type(_))));
    assert!(
        matches!(normal.item("y".into()), Some(Item::Value(v)) if v.position == 1 && !v.is_const)
    );
    assert!(matches!(normal.item("d".into()), Some(Item::Value(v)) if v.spec == 1 && v.is_const));
    assert!(normal.item("ForTest".into()).is_none());
    assert_eq!(normal.methods("T".into()).count(), 1);
    let test = index("p/export_test.go");
    assert!(test.item("T".into()).is_some() && test.item("ForTest".into()).is_some());
    assert_eq!(
        test.methods("T".into())
            .map(|m| m.name.as_str())
            .collect::<Vec<_>>(),
        ["A", "B"]
    );
    assert!(
        test.method("T".into(), "A".into())
            .is_some_and(|m| m.receiver.as_ref().is_some_and(|r| r.pointer))
    );
    let seen = |f: &str| {
        package_by_path(&t.db, t.file(f), "m/p".into())
            .unwrap()
            .kind(&t.db)
    };
    assert_eq!(seen("q/q.go"), UnitKind::Normal);
    assert_eq!(seen("p/x_test.go"), UnitKind::Test);
    assert_eq!(seen("p/export_test.go"), UnitKind::Test);
    assert_eq!(seen("p/a.go"), UnitKind::Normal);
    let external = package_of_file(&t.db, t.file("p/x_test.go"));
    assert_eq!(
        package_by_path(&t.db, t.file("p/x_test.go"), "m/p_test".into()),
        Some(external)
    );
}

#[test]
fn look_up_order() {
    let t = Tree::new(&[
        (
            "w/go.mod",
            "module example.com/w\ngo 1.22\nrequire (\n example.com/Dep v1.2.0\n example.com/Dep/sub v0.1.0\n example.com/rep v1.0.0\n example.com/fork v1.0.0\n example.com/gone v1.0.0\n example.com/newer v1.0.0\n)\nreplace example.com/rep => ../rep\nreplace example.com/fork => example.com/Forked v2.0.0\n",
        ),
        ("w/a.go", "package w\n"),
        ("w/in/a.go", "package in\n"),
        ("w/nested/go.mod", "module example.com/w/nested\n"),
        ("w/nested/a.go", "package nested\n"),
        ("w/empty/readme", ""),
        ("rep/go.mod", "module example.com/rep\n"),
        ("rep/deep/a.go", "package deep\n"),
        ("cache/example.com/!dep@v1.2.0/a.go", "package dep\n"),
        ("cache/example.com/!dep@v1.2.0/sub/a.go", "package wrong\n"),
        ("cache/example.com/!dep@v1.3.0/a.go", "package newer\n"),
        ("cache/example.com/!dep/sub@v0.1.0/a.go", "package sub\n"),
        ("cache/example.com/!forked@v2.0.0/a.go", "package forked\n"),
        ("cache/example.com/newer@v1.1.0/a.go", "package newer\n"),
        ("cache/example.com/newer@v1.10.0/a.go", "package newer\n"),
        ("cache/example.com/newer@v1.9.0/a.go", "package newer\n"),
    ]);
    let go = |import: &str| t.resolve("w/a.go", import);
    assert_eq!(go("example.com/w/in").as_deref(), Some("w/in"));
    assert_eq!(go("example.com/w").as_deref(), Some("w"));
    assert_eq!(go("example.com/w/nested"), None);
    assert_eq!(go("example.com/w/empty"), None);
    assert_eq!(go("example.com/w/none"), None);
    assert_eq!(go("./in").as_deref(), Some("w/in"));
    assert_eq!(
        go("example.com/Dep").as_deref(),
        Some("cache/example.com/!dep@v1.2.0")
    );
    assert_eq!(
        go("example.com/Dep/sub").as_deref(),
        Some("cache/example.com/!dep/sub@v0.1.0")
    );
    assert_eq!(go("example.com/rep/deep").as_deref(), Some("rep/deep"));
    assert_eq!(
        go("example.com/fork").as_deref(),
        Some("cache/example.com/!forked@v2.0.0")
    );
    assert_eq!(
        go("example.com/newer").as_deref(),
        Some("cache/example.com/newer@v1.10.0")
    );
    for none in [
        "example.com/gone",
        "C",
        "unsafe",
        "net/http",
        "",
        "/",
        // Not the folder around the tree: other programs put files there.
        "../nowhere",
        "example.com/wx",
    ] {
        assert_eq!(go(none), None, "{none}");
    }
    let package = package_by_path(&t.db, t.file("w/a.go"), "example.com/Dep".into()).unwrap();
    assert_eq!(import_path(&t.db, package), "example.com/Dep");
}

#[test]
fn modules_without_a_dot() {
    let t = Tree::new(&[
        (
            "a/go.mod",
            "module a\nrequire b v1.0.0\nreplace b => ../b\n",
        ),
        ("a/a.go", "package a\n"),
        ("a/net/n.go", "package net\n"),
        ("b/go.mod", "module b\n"),
        ("b/b.go", "package b\n"),
        ("c/go.mod", "module example.com/c\nrequire v v1.0.0\n"),
        ("c/c.go", "package c\n"),
        ("c/vendor/v/v.go", "package v\n"),
        ("d/go.mod", "module example.com/d\n"),
        ("d/d.go", "package d\n"),
        ("d/net/n.go", "package net\n"),
        (
            "cache/example.com/dep@v1.0.0/go.mod",
            "module example.com/dep\nrequire b v1.0.0\nreplace b => ../../../b\n",
        ),
        ("cache/example.com/dep@v1.0.0/d.go", "package dep\n"),
    ]);
    assert_eq!(t.resolve("a/a.go", "b").as_deref(), Some("b"));
    assert_eq!(t.resolve("a/a.go", "a/net").as_deref(), Some("a/net"));
    assert_eq!(t.resolve("a/a.go", "net"), None);
    assert_eq!(t.resolve("c/c.go", "v").as_deref(), Some("c/vendor/v"));
    assert_eq!(t.resolve("d/d.go", "net"), None);
    assert_eq!(
        t.resolve("d/d.go", "example.com/d/net").as_deref(),
        Some("d/net")
    );
    // The replacements of a dependency do not count.
    assert_eq!(t.resolve("cache/example.com/dep@v1.0.0/d.go", "b"), None);
}

#[test]
fn workspace_of_modules() {
    let t = Tree::new(&[
        (
            "go.work",
            "go 1.22\nuse (\n ./a\n ./b\n)\nreplace example.com/r => ./r\n",
        ),
        (
            "a/go.mod",
            "module example.com/a\nrequire example.com/r v1.0.0\n",
        ),
        ("a/a.go", "package a\n"),
        ("b/go.mod", "module example.com/b\n"),
        ("b/b.go", "package b\n"),
        ("c/go.mod", "module example.com/c\n"),
        ("c/c.go", "package c\n"),
        ("r/r.go", "package r\n"),
    ]);
    assert_eq!(t.resolve("a/a.go", "example.com/b").as_deref(), Some("b"));
    assert_eq!(t.resolve("a/a.go", "example.com/c"), None);
    assert_eq!(t.resolve("a/a.go", "example.com/r").as_deref(), Some("r"));
}

#[test]
fn vendor_and_names() {
    let t = Tree::new(&[
        ("go.mod", "module m\nrequire gopkg.in/yaml.v3 v3.0.0\n"),
        (
            "a.go",
            "package m\nimport (\n \"gopkg.in/yaml.v3\"\n \"example.com/go-odd/v2\"\n \"example.com/go-lost\"\n . \"example.com/dot\"\n _ \"example.com/blank\"\n q \"net/http\"\n \"math/rand/v2\"\n \"C\"\n)\n",
        ),
        ("vendor/gopkg.in/yaml.v3/a.go", "package yaml\n"),
        ("vendor/example.com/go-odd/v2/a.go", "package strange\n"),
        ("vendor/example.com/dot/a.go", "package dot\n"),
    ]);
    let imports = file_imports(&t.db, t.file("a.go"));
    let path = |name: &str| imports.get(name.into()).map(|t| t.path.as_str());
    assert_eq!(path("yaml"), Some("gopkg.in/yaml.v3"));
    assert_eq!(path("strange"), Some("example.com/go-odd/v2"));
    assert_eq!(path("odd"), None);
    assert_eq!(path("lost"), Some("example.com/go-lost"));
    assert_eq!(path("q"), Some("net/http"));
    assert_eq!(path("http"), None);
    assert_eq!(path("rand"), Some("math/rand/v2"));
    assert_eq!(path("C"), Some("C"));
    assert_eq!(imports.dots.len(), 1);
    assert!(imports.get("yaml".into()).unwrap().package.is_some());
}

#[test]
fn the_tree_of_the_standard_library() {
    let t = Tree::new(&[
        ("src/go.mod", "module std\n"),
        (
            "src/net/http/h.go",
            "package http\nimport \"golang.org/x/net/idna\"\n",
        ),
        ("src/vendor/golang.org/x/net/idna/a.go", "package idna\n"),
        ("src/cmd/go.mod", "module cmd\n"),
        ("src/cmd/go/main.go", "package main\n"),
        ("src/cmd/internal/x/x.go", "package x\n"),
        ("src/cmd/vendor/golang.org/x/mod/a.go", "package mod\n"),
    ]);
    assert_eq!(
        t.resolve("src/net/http/h.go", "golang.org/x/net/idna")
            .as_deref(),
        Some("src/vendor/golang.org/x/net/idna")
    );
    assert_eq!(
        t.resolve("src/cmd/go/main.go", "net/http").as_deref(),
        Some("src/net/http")
    );
    assert_eq!(
        t.resolve("src/cmd/go/main.go", "cmd/internal/x").as_deref(),
        Some("src/cmd/internal/x")
    );
    assert_eq!(
        t.resolve("src/cmd/go/main.go", "golang.org/x/mod")
            .as_deref(),
        Some("src/cmd/vendor/golang.org/x/mod")
    );
    let path = |f: &str| import_path(&t.db, package_of_file(&t.db, t.file(f)));
    assert_eq!(path("src/net/http/h.go"), "net/http");
    assert_eq!(path("src/cmd/go/main.go"), "cmd/go");
    assert_eq!(
        path("src/vendor/golang.org/x/net/idna/a.go"),
        "vendor/golang.org/x/net/idna"
    );
    assert_eq!(
        t.resolve("src/net/http/h.go", "vendor/golang.org/x/net/idna")
            .as_deref(),
        Some("src/vendor/golang.org/x/net/idna")
    );
    let imports = file_imports(&t.db, t.file("src/net/http/h.go"));
    assert_eq!(
        imports.get("idna".into()).unwrap().path,
        "vendor/golang.org/x/net/idna"
    );
}

#[test]
fn language_versions() {
    let mut t = Tree::new(&[
        ("m/go.mod", "module m\ngo 1.20\n"),
        ("m/a.go", "package m\n"),
        ("m/b.go", "//go:build go1.23\n\npackage m\n"),
        ("m/c.go", "//go:build go1.5\n\npackage m\n"),
        ("n/go.mod", "module n\n"),
        ("n/a.go", "package n\n"),
        ("o/a.go", "package o\n"),
    ]);
    let version = |t: &Tree, f: &str| go_version(&t.db, t.file(f)).to_string();
    assert_eq!(version(&t, "m/a.go"), "1.20");
    assert_eq!(version(&t, "m/b.go"), "1.23");
    assert_eq!(version(&t, "m/c.go"), "1.21");
    assert_eq!(
        module_go_version(&t.db, t.file("m/b.go")).to_string(),
        "1.20"
    );
    assert_eq!(version(&t, "n/a.go"), "1.16");
    assert!(!go_version(&t.db, t.file("o/a.go")).explicit);
    assert!(go_version(&t.db, t.file("o/a.go")).at_least(1, 27));
    write(&t.path("m/go.mod"), "module m\ngo 1.25.1\n");
    t.db.file_changed(t.path("m/go.mod"));
    assert_eq!(version(&t, "m/a.go"), "1.25");
    let config = BuildConfig {
        go_version: Some("1.22".into()),
        ..BuildConfig::default()
    };
    t.db.set_build_config(config);
    assert_eq!(version(&t, "m/a.go"), "1.22");
    assert_eq!(version(&t, "o/a.go"), "1.22");
}

#[test]
fn outlines() {
    let t = Tree::new(&[(
        "a.go",
        "package a\nimport x \"y\"\ntype S[T any] struct {\n\tA, B [4]int\n\t*x.E\n\tm map[string]func(int, ...T) (error)\n}\nfunc (s *S[U]) M(a, b int, c ...string) (n int, err error) { return }\nfunc F() {}\nvar _ = 1\n",
    )]);
    let o = outline(&t.db, t.file("a.go"));
    assert_eq!(o.imports[0].alias, AliasRef::Named("x".into()));
    let TypeRef::Struct(fields) = &o.types[0].ty else {
        panic!()
    };
    assert_eq!(
        fields.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(),
        ["A", "B", "E", "m"]
    );
    assert!(fields[2].embedded);
    assert_eq!(o.types[0].type_params[0].name, "T");
    let m = &o.funcs[0];
    let r = m.receiver.as_ref().unwrap();
    assert_eq!(
        (r.base.as_str(), r.pointer, r.type_params[0].as_str()),
        ("S", true, "U")
    );
    assert_eq!(
        (m.sig.params.len(), m.sig.results.len(), m.sig.variadic),
        (3, 2, true)
    );
    assert_eq!(o.values[0].name, "_");
}

#[test]
fn documents_and_files_come_and_go() {
    let mut t = Tree::new(&[
        ("go.mod", "module m\n"),
        ("a.go", "package m\n"),
        ("b.go", "package m\nvar b int\n"),
    ]);
    assert_eq!(t.unit("a.go"), ["a.go", "b.go"]);
    // A document that is not on the disk belongs to the package.
    let new = t.path("new.go");
    t.db.open_document(&new, "package m\nvar fresh int\n".into(), None);
    assert_eq!(t.unit("a.go"), ["a.go", "b.go", "new.go"]);
    let has = |t: &Tree, name: &str| {
        package_index(&t.db, package_of_file(&t.db, t.file("a.go")))
            .item(name.into())
            .is_some()
    };
    assert!(has(&t, "fresh") && has(&t, "b"));
    t.db.open_document(&new, "package m\nvar other int\n".into(), None);
    assert!(!has(&t, "fresh") && has(&t, "other"));
    t.db.close_document(&new);
    assert!(!has(&t, "other"));
    assert!(t.db.file(&new).is_none());
    // The open text hides the disk, also while the disk changes.
    t.db.open_document(t.path("b.go"), "package m\nvar typed int\n".into(), None);
    write(&t.path("b.go"), "package m\nvar disk int\n");
    t.db.file_changed(t.path("b.go"));
    assert!(has(&t, "typed") && !has(&t, "disk"));
    t.db.close_document(t.path("b.go"));
    assert!(has(&t, "disk") && !has(&t, "typed"));
    // Same length, perhaps the same time stamp.
    write(&t.path("b.go"), "package m\nvar dusk int\n");
    t.db.file_changed(t.path("b.go"));
    assert!(has(&t, "dusk"));
    // Created, deleted, made again.
    write(&t.path("c.go"), "package m\nvar c int\n");
    assert!(!has(&t, "c"));
    t.db.file_changed(t.path("c.go"));
    assert!(has(&t, "c"));
    std::fs::remove_file(t.path("c.go")).unwrap();
    t.db.file_changed(t.path("c.go"));
    assert!(!has(&t, "c"));
    write(&t.path("c.go"), "package m\nvar c2 int\n");
    t.db.rescan();
    assert!(has(&t, "c2"));
    // A whole directory.
    assert_eq!(t.resolve("a.go", "m/sub"), None);
    write(&t.path("sub/s.go"), "package sub\n");
    t.db.file_changed(t.path("sub"));
    assert_eq!(t.resolve("a.go", "m/sub").as_deref(), Some("sub"));
    std::fs::remove_dir_all(t.path("sub")).unwrap();
    t.db.file_changed(t.path("sub"));
    assert_eq!(t.resolve("a.go", "m/sub"), None);
    // The module's own file.
    assert_eq!(
        import_path(&t.db, package_of_file(&t.db, t.file("a.go"))),
        "m"
    );
    t.db.open_document(t.path("go.mod"), "module renamed\n".into(), None);
    assert_eq!(
        import_path(&t.db, package_of_file(&t.db, t.file("a.go"))),
        "renamed"
    );
    std::fs::remove_file(t.path("go.mod")).unwrap();
    t.db.close_document(t.path("go.mod"));
    assert!(
        import_path(&t.db, package_of_file(&t.db, t.file("a.go")))
            .as_str()
            .starts_with("_/")
    );
}

#[test]
fn untitled() {
    let mut t = Tree::new(&[]);
    let file = t.db.open_document(
        "untitled:Untitled-1",
        "package a\nimport \"fmt\"\nfunc F() {}\n".into(),
        None,
    );
    let package = package_of_file(&t.db, file);
    assert_eq!(package_files(&t.db, package).len(), 1);
    assert_eq!(
        package_index(&t.db, package)
            .item("F".into())
            .map(Item::name),
        Some("F".into())
    );
    assert_eq!(import_path(&t.db, package), "untitled:Untitled-1");
    assert_eq!(
        package_by_path(&t.db, file, "untitled:Untitled-1".into()),
        Some(package)
    );
    assert!(!go_version(&t.db, file).explicit);
    assert_eq!(
        file_imports(&t.db, file).get("fmt".into()).unwrap().package,
        None
    );
    t.db.close_document("untitled:Untitled-1");
    assert!(t.db.file("untitled:Untitled-1").is_none());
}

#[test]
fn what_cannot_be_read() {
    let t = Tree::new(&[("go.mod", "module m\n"), ("a.go", "package m\n")]);
    std::fs::write(t.path("bad.go"), b"package m\nvar \xff int\n").unwrap();
    std::fs::write(t.path("zero.go"), b"package m\x00\n").unwrap();
    let huge = std::fs::File::create(t.path("huge.go")).unwrap();
    huge.set_len(3 << 30).unwrap();
    std::fs::create_dir(t.path("dir.go")).unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("loop.go", t.path("loop.go")).unwrap();
        std::os::unix::fs::symlink("..", t.path("up")).unwrap();
        std::os::unix::fs::symlink("a.go", t.path("link.go")).unwrap();
    }
    assert!(matches!(
        parse_result(&t.db, t.file("bad.go")).skipped,
        Some(go_syntax::SkipReason::NotUtf8 { at: 14 })
    ));
    assert!(matches!(
        parse_result(&t.db, t.file("huge.go")).skipped,
        Some(go_syntax::SkipReason::TooLarge { .. })
    ));
    assert!(t.db.file(t.path("dir.go")).is_none());
    assert!(t.db.file(t.path("none.go")).is_none());
    assert!(t.db.file(t.path("loop.go")).is_none());
    assert!(t.db.file("").is_none());
    let unit = t.unit("a.go");
    assert!(
        unit.contains(&"a.go".to_owned()) && !unit.contains(&"dir.go".to_owned()),
        "{unit:?}"
    );
    #[cfg(unix)]
    assert!(
        unit.contains(&"link.go".to_owned()) && !unit.contains(&"loop.go".to_owned()),
        "{unit:?}"
    );
    let gone =
        t.db.load_files(&[t.path("none.go"), t.path("bad.go"), t.path("a.go")]);
    assert_eq!(gone.len(), 3);
    assert_eq!(parsed(&t.db, gone[0]).decls.len(), 0);
}

#[test]
fn a_declaration_that_is_gone() {
    let mut t = Tree::new(&[]);
    let file =
        t.db.open_document("/x/a.go", "package a\nfunc F() { g() }\n".into(), None);
    let id = decls(&t.db, file)[0];
    assert!(!decl_tree(&t.db, id).has_error);
    t.db.open_document("/x/a.go", "package a\n".into(), None);
    assert!(decl_tree(&t.db, id).has_error);
}

#[test]
fn what_was_parsed_for_others_comes_next() {
    let names = ["a.go", "b.go", "c.go", "d.go", "e.go"];
    let tree = Tree::new(&names.map(|name| (name, "package p\n")));
    let mut rest: Vec<PathBuf> = names.iter().map(|name| tree.path(name)).collect();
    let batch = |rest: &mut Vec<PathBuf>| -> Vec<String> {
        let batch = tree.db.next_batch(rest, 2, |path| path);
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        batch.iter().map(name).collect()
    };
    assert_eq!(batch(&mut rest), ["a.go", "b.go"]);
    parsed(&tree.db, tree.file("d.go"));
    assert_eq!(batch(&mut rest), ["d.go", "c.go"]);
    assert_eq!(batch(&mut rest), ["e.go"]);
    assert!(rest.is_empty() && batch(&mut rest).is_empty());
}
