//! The public collection of goroutine leak patterns, as a judge.
//!
//! `tests/leaks/patterns.tsv` says what has to be found in it: a line for each pattern that leaks. Nothing else may be found by a rule
//! about goroutines, so that every mended variant has to be silent. None of the collection's code is in this repository.

use std::collections::BTreeSet;
use std::path::PathBuf;

use go_model::db::{Database, source_file};
use go_syntax::LineIndex;
use leak_rules::check_file;
use leak_rules::rules::{Family, rule};

use crate::Outcome;
use crate::bench::go_files;

/// Arguments of `xtask leak-patterns`.
#[derive(clap::Args)]
pub struct Args {
    /// A checkout of `github.com/VladSaioc/common-goroutine-leak-patterns`.
    tree: PathBuf,
}

const TABLE: &str = include_str!("../../../tests/leaks/patterns.tsv");

/// File, line and rule.
type Place = (String, u32, String);

fn wanted() -> Result<BTreeSet<Place>, String> {
    (TABLE.lines())
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let mut columns = line.split('\t');
            let mut next = || columns.next().ok_or_else(|| format!("too short: {line}"));
            let (file, at, name) = (next()?, next()?, next()?);
            let at = at.parse().map_err(|_| format!("no line number: {line}"))?;
            Ok((file.to_owned(), at, name.to_owned()))
        })
        .collect()
}

/// Compares what is found with the table.
pub fn run(args: &Args) -> Outcome {
    let tree = args.tree.canonicalize()?;
    let mut files = Vec::new();
    go_files(&tree, &mut files)?;
    files.sort();
    let db = Database::new();
    let mut found: BTreeSet<Place> = BTreeSet::new();
    for path in files {
        let file = source_file(&db, &path);
        let text = file.text(&db);
        let index = LineIndex::new(&text);
        let name = path.strip_prefix(&tree)?.display().to_string();
        for finding in check_file(&db, file).iter() {
            if rule(finding.rule).is_some_and(|r| r.family == Family::Goroutines) {
                let line = index.line(finding.range.start()) + 1;
                found.insert((name.clone(), line, finding.rule.to_owned()));
            }
        }
    }
    let wanted = wanted()?;
    for (file, line, rule) in wanted.difference(&found) {
        println!("missed: {file}:{line} {rule}");
    }
    for (file, line, rule) in found.difference(&wanted) {
        println!("not wanted: {file}:{line} {rule}");
    }
    let hits = wanted.intersection(&found).count();
    println!(
        "{hits} of {} patterns found, {} other findings",
        wanted.len(),
        found.len() - hits
    );
    match wanted == found {
        true => Ok(()),
        false => Err("the collection is not told apart".into()),
    }
}
