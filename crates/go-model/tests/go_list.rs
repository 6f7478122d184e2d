//! Compares units and import look-up with what `go list` says of the standard library's own tree.
//!
//! Needs a Go distribution with sources: `STOPLEAK_TEST_GO=/path/to/go/bin/go cargo test -p go-model --test go_list`; without the
//! variable nothing is compared.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use go_model::db::{BuildConfig, Database, Environment, directory};
use go_model::package::{UnitKind, import_path, package_by_path, package_files, package_of_file};
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Listed {
    dir: PathBuf,
    name: String,
    import_path: String,
    go_files: Vec<String>,
    cgo_files: Vec<String>,
    test_go_files: Vec<String>,
    #[serde(rename = "XTestGoFiles")]
    x_test_go_files: Vec<String>,
    imports: Vec<String>,
    import_map: BTreeMap<String, String>,
}

#[test]
fn units_and_imports_of_the_standard_library() {
    let Some(go) = std::env::var_os("STOPLEAK_TEST_GO") else {
        println!("STOPLEAK_TEST_GO is not set: nothing compared");
        return;
    };
    for (goos, goarch) in [
        ("linux", "amd64"),
        ("windows", "386"),
        ("darwin", "arm64"),
        ("js", "wasm"),
    ] {
        let output = Command::new(&go)
            .args(["list", "-e", "-json", "std", "cmd"])
            .envs([
                ("GOOS", goos),
                ("GOARCH", goarch),
                ("CGO_ENABLED", "1"),
                ("GOFLAGS", ""),
                ("GOWORK", "off"),
            ])
            .env("GOPROXY", "off")
            .env_remove("GOROOT")
            .output()
            .unwrap();
        let listed: Vec<Listed> = serde_json::Deserializer::from_slice(&output.stdout)
            .into_iter()
            .collect::<Result<_, _>>()
            .unwrap();
        assert!(
            listed.len() > 300,
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let mut db = Database::with_environment(Environment::default());
        db.set_build_config(BuildConfig {
            goos: goos.into(),
            goarch: goarch.into(),
            ..BuildConfig::default()
        });
        let mut wrong = Vec::new();
        let mut imports = 0;
        for package in &listed {
            let names = |files: &[&Vec<String>]| {
                let mut all: Vec<String> = files.iter().flat_map(|f| f.iter().cloned()).collect();
                all.sort();
                all
            };
            let unit = |first: Option<&String>| {
                let file = db.file(package.dir.join(first?))?;
                let unit = package_of_file(&db, file);
                Some((file, unit))
            };
            let normal = names(&[&package.go_files, &package.cgo_files]);
            for (kind, expected) in [
                (UnitKind::Normal, &normal),
                (UnitKind::Test, &package.test_go_files),
                (UnitKind::External, &package.x_test_go_files),
            ] {
                let Some((file, unit)) = unit(expected.first()) else {
                    continue;
                };
                let got: Vec<String> = package_files(&db, unit)
                    .iter()
                    .map(|f| f.file_name(&db))
                    .collect();
                let path = match kind {
                    UnitKind::External => format!("{}_test", package.import_path),
                    _ => package.import_path.clone(),
                };
                if got != *expected
                    || unit.kind(&db) != kind
                    || unit.name(&db) != *package.name
                    || import_path(&db, unit) != *path
                {
                    wrong.push(format!("{path} {kind:?}: {got:?}, not {expected:?}"));
                }
                if kind != UnitKind::Normal {
                    continue;
                }
                for import in &package.imports {
                    if import == "C" || import == "unsafe" {
                        continue;
                    }
                    imports += 1;
                    // With a profile a package is built for one command: `cmd/x [cmd/y]`.
                    let import = import.split(' ').next().unwrap_or_default();
                    // `imports` is after mapping; the file says what is mapped.
                    let written = package
                        .import_map
                        .iter()
                        .find(|(_, to)| to.split(' ').next() == Some(import))
                        .map_or(import, |(from, _)| &**from);
                    let got = package_by_path(&db, file, written.into());
                    if got.is_none_or(|p| import_path(&db, p) != *import) {
                        wrong.push(format!(
                            "{path} imports {written}: {:?}",
                            got.map(|p| import_path(&db, p))
                        ));
                    }
                }
            }
            // A directory has no further files in the build.
            let dir = directory(&db, &package.dir);
            let units = go_model::package::directory_units(&db, dir, None);
            if units.groups.len() > 1 {
                wrong.push(format!(
                    "{}: {} packages in one directory",
                    package.import_path,
                    units.groups.len()
                ));
            }
        }
        println!(
            "{goos}/{goarch}: {} packages, {imports} imports, {} wrong",
            listed.len(),
            wrong.len()
        );
        assert!(
            wrong.is_empty(),
            "{}",
            wrong[..wrong.len().min(20)].join("\n")
        );
    }
}
