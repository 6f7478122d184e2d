//! Wall time, processor time and memory of reading, parsing and indexing a tree of Go files: `cargo run --release -p go-model --example load_tree -- DIR`.

#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::time::Instant;

use go_model::db::{Database, decl_tree, decls};
use go_model::infer::facts;
use go_model::outline::outline;
use go_model::package::{file_imports, package_index, package_of_file};
use rayon::prelude::*;

fn main() {
    let mut paths = Vec::new();
    for dir in std::env::args_os().skip(1) {
        collect(Path::new(&dir), &mut paths);
    }
    paths.sort();
    let mut last = (Instant::now(), resident(), cpu_ms());
    let mut report = |what: &str| {
        let now = (Instant::now(), resident(), cpu_ms());
        println!(
            "{what:<32} {:>8.1} ms {:>8} ms cpu {:>8.1} MiB more",
            (now.0 - last.0).as_secs_f64() * 1e3,
            now.2 - last.2,
            (now.1 - last.1) as f64 / 1024.0
        );
        last = now;
    };
    let mut db = Database::new();
    let files = db.load_files(&paths);
    report("read and parsed");
    let count: usize = files
        .par_iter()
        .map_with(db.clone(), |db, &f| decls(db, f).len())
        .sum();
    report("declarations");
    files.par_iter().for_each_with(db.clone(), |db, &f| {
        outline(db, f);
    });
    report("outlines");
    files.par_iter().for_each_with(db.clone(), |db, &f| {
        package_of_file(db, f);
    });
    report("units");
    files.par_iter().for_each_with(db.clone(), |db, &f| {
        package_index(db, package_of_file(db, f));
    });
    report("indexes");
    files.par_iter().for_each_with(db.clone(), |db, &f| {
        file_imports(db, f);
    });
    report("imports");
    files.par_iter().for_each_with(db.clone(), |db, &f| {
        for &d in decls(db, f).iter() {
            decl_tree(db, d);
        }
    });
    report("declaration trees");
    let known: usize = files
        .par_iter()
        .map_with(db.clone(), |db, &f| {
            let mut known = 0;
            for &d in decls(db, f).iter() {
                known += facts(db, d).locals.len();
            }
            known
        })
        .sum();
    report("facts");
    files.par_iter().for_each_with(db.clone(), |db, &f| {
        for &d in decls(db, f).iter() {
            facts(db, d);
        }
    });
    report("facts again");
    db.evict();
    report("after eviction");
    // A keystroke in the middle of the largest file of package net/http, or of the first file.
    let path = paths
        .iter()
        .find(|p| p.ends_with("net/http/server.go"))
        .or(paths.first());
    if let Some(path) = path {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        db.open_document(path, text.as_str().into(), None);
        report("open a document");
        for &f in &files {
            file_imports(&db, f);
            package_index(&db, package_of_file(&db, f));
        }
        report("everything validated");
        let file = db.open_document(path, format!("{text}\n// x\n").as_str().into(), None);
        for &d in decls(&db, file).iter() {
            decl_tree(&db, d);
        }
        package_index(&db, package_of_file(&db, file));
        report("a keystroke, with a whole parse");
        for &f in &files {
            file_imports(&db, f);
            package_index(&db, package_of_file(&db, f));
        }
        report("everything validated");
    }
    println!(
        "{} files, {count} declarations, {known} locals",
        files.len()
    );
}

fn collect(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(t) if t.is_dir() => collect(&entry.path(), out),
            Ok(t) if t.is_file() && entry.path().extension().is_some_and(|e| e == "go") => {
                out.push(entry.path())
            }
            _ => {}
        }
    }
}

/// Processor time of all threads in ms, where the system tells (in steps of 10 ms).
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    fields
        .skip(11)
        .take(2)
        .filter_map(|f| f.parse::<u64>().ok())
        .sum::<u64>()
        * 10
}

/// Resident memory in KiB, where the system tells.
fn resident() -> i64 {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|s| {
            s.lines()
                .find_map(|l| l.strip_prefix("VmRSS:"))?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .unwrap_or(0)
}
