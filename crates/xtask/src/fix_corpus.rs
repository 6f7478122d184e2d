//! Every fix of every finding in a tree of Go files, tried on a copy.
//!
//! For each fix: the edited text parses, is still what `gofmt` writes (if it was before), the finding is gone, and no other finding
//! has come. With `--build` the packages are also built and vetted, without touching the tree: the `go` command gets the edited files as
//! an overlay. Files that the go command leaves out (other systems) are counted apart.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use go_model::db::{Database, source_file};
use leak_rules::edit::{apply_edits, merge};
use leak_rules::{Diagnostic, Fix, Safety, check_file};
use rayon::prelude::*;

use crate::Outcome;
use crate::bench::go_files;

/// Arguments of `xtask fix-corpus`.
#[derive(clap::Args)]
pub struct Args {
    /// The tree.
    tree: PathBuf,
    /// The `go` command; `gofmt` stands beside it.
    #[arg(long, default_value = "go")]
    go: PathBuf,
    /// Build and vet the packages with each fix. The tree has to be a module whose dependencies are there, or a distribution's `src`.
    #[arg(long)]
    build: bool,
    /// Only fixes of this rule.
    #[arg(long)]
    rule: Option<String>,
    /// Only safe fixes.
    #[arg(long)]
    safe: bool,
    /// Print what every fix that fails does.
    #[arg(long, short)]
    verbose: bool,
    /// Print what every fix does.
    #[arg(long)]
    show: bool,
}

/// One fix of one finding.
struct Try {
    file: PathBuf,
    before: Arc<str>,
    after: String,
    fix: Fix,
    /// Which declaration of the file the finding is in.
    decl: usize,
    line: usize,
    rule: &'static str,
    title: String,
    safety: Safety,
    failures: Vec<(Failure, String)>,
    built: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Failure {
    Edit,
    Parse,
    Gofmt,
    Still,
    New,
    Build,
}

const FAILURES: [(Failure, &str); 6] = [
    (Failure::Edit, "edits cannot be applied"),
    (Failure::Parse, "does not parse"),
    (Failure::Gofmt, "not gofmt-clean"),
    (Failure::Still, "finding still there"),
    (Failure::New, "new finding"),
    (Failure::Build, "does not build or vet"),
];

/// Tries all fixes and prints a table by rule and kind of fix.
pub fn run(args: &Args) -> Outcome {
    let tree = args.tree.canonicalize()?;
    rayon::ThreadPoolBuilder::new()
        .stack_size(16 << 20)
        .build_global()?;
    let mut files = Vec::new();
    go_files(&tree, &mut files)?;
    files.sort();
    let mut db = Database::new();
    let mut found: Vec<(PathBuf, Arc<Vec<Diagnostic>>)> = Vec::new();
    for chunk in files.chunks(1000) {
        found.par_extend(chunk.par_iter().map_with(db.clone(), |db, path| {
            (path.clone(), check_file(db, source_file(db, path)))
        }));
        db.evict();
    }
    found.retain(|(_, findings)| !findings.is_empty());
    let findings: usize = found.iter().map(|f| f.1.len()).sum();
    let fixable: usize = found
        .iter()
        .map(|f| f.1.iter().filter(|d| !d.fixes.is_empty()).count())
        .sum();
    eprintln!(
        "{} files, {findings} findings, {fixable} with fixes",
        files.len()
    );

    let mut tries = Vec::new();
    for (path, findings) in &found {
        let before = source_file(&db, path).text(&db);
        let parsed = go_syntax::parse_file(&before).file;
        let errors = parsed.errors.len();
        for (i, finding) in findings.iter().enumerate() {
            if args.rule.as_ref().is_some_and(|r| r != finding.rule) {
                continue;
            }
            for fix in &finding.fixes {
                if args.safe && fix.safety != Safety::Safe {
                    continue;
                }
                let mut one = Try {
                    file: path.clone(),
                    before: before.clone(),
                    after: String::new(),
                    fix: fix.clone(),
                    decl: parsed
                        .decls
                        .iter()
                        .position(|d| d.range().contains(finding.range.start()))
                        .unwrap_or(usize::MAX),
                    line: line_of(&before, finding.range.start().into()),
                    rule: finding.rule,
                    title: fix.title.clone(),
                    safety: fix.safety,
                    failures: Vec::new(),
                    built: false,
                };
                match apply_edits(&before, &fix.edits) {
                    Err(error) => one.failures.push((Failure::Edit, error.to_string())),
                    Ok(after) => {
                        one.after = after;
                        if go_syntax::parse_file(&one.after).file.errors.len() > errors {
                            one.failures.push((Failure::Parse, String::new()));
                        }
                        recheck(&mut db, &mut one, findings, i);
                    }
                }
                tries.push(one);
            }
        }
    }
    gofmt(args, &mut tries)?;
    if args.build {
        build(args, &tree, &mut tries)?;
    }
    report(args, &tree, findings, fixable, &tries);
    if tries.iter().any(|one| !one.failures.is_empty()) {
        return Err("not every fix is what it promises (-v shows which)".into());
    }
    Ok(())
}

fn line_of(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

/// What makes two findings the same before and after an edit: the rule and the text it is about.
fn key(text: &str, finding: &Diagnostic) -> (&'static str, String) {
    let range = usize::from(finding.range.start())..usize::from(finding.range.end());
    let words: Vec<&str> = text[range].split_whitespace().collect();
    (finding.rule, words.join(" "))
}

fn recheck(db: &mut Database, one: &mut Try, before: &[Diagnostic], index: usize) {
    let file = db.open_document(&one.file, one.after.as_str().into(), None);
    let after = check_file(db, file);
    db.close_document(&one.file);
    let mut counts: HashMap<_, i64> = HashMap::new();
    for finding in before {
        *counts.entry(key(&one.before, finding)).or_default() += 1;
    }
    let this = key(&one.before, &before[index]);
    let had = counts[&this];
    for finding in after.iter() {
        *counts.entry(key(&one.after, finding)).or_default() -= 1;
    }
    if had - counts[&this] >= had {
        one.failures.push((Failure::Still, String::new()));
    }
    // A finding about text that the fix has changed is still the one from before.
    let mut changed: HashMap<&str, i64> = HashMap::new();
    for (key, left) in counts
        .iter()
        .filter(|(key, left)| **left > 0 && **key != this)
    {
        *changed.entry(key.0).or_default() += left;
    }
    for (key, left) in counts {
        let same = changed.entry(key.0).or_default();
        *same += left.min(0);
        if left < 0 && key != this && *same < 0 {
            one.failures
                .push((Failure::New, format!("{}: {}", key.0, key.1)));
        }
    }
}

fn gofmt(args: &Args, tries: &mut [Try]) -> Outcome {
    let command = match args.go.parent() {
        Some(dir) if dir != Path::new("") => dir.join("gofmt"),
        _ => PathBuf::from("gofmt"),
    };
    let dir = tempfile::tempdir()?;
    for (i, one) in tries.iter().enumerate() {
        fs::write(dir.path().join(format!("{i}_before.go")), &*one.before)?;
        fs::write(dir.path().join(format!("{i}_after.go")), &one.after)?;
    }
    let output = Command::new(&command)
        .args(["-l", "."])
        .current_dir(dir.path())
        .output()?;
    let listed = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    for (i, one) in tries.iter_mut().enumerate() {
        let mentioned = |name: String| {
            listed.lines().any(|l| {
                l == name
                    || l.starts_with(&format!("{name}:"))
                    || l.starts_with(&format!("./{name}:"))
            })
        };
        if mentioned(format!("{i}_after.go")) && !mentioned(format!("{i}_before.go")) {
            let diff = Command::new(&command)
                .arg("-d")
                .arg(dir.path().join(format!("{i}_after.go")))
                .output()?;
            one.failures.push((
                Failure::Gofmt,
                String::from_utf8_lossy(&diff.stdout).into_owned(),
            ));
        }
    }
    Ok(())
}

/// The go command, in the tree, offline. A distribution's `src` is checked with itself as GOROOT.
fn go(args: &Args, tree: &Path) -> Command {
    let mut command = Command::new(&args.go);
    command
        .current_dir(tree)
        .env("GOPROXY", "off")
        .env("GOFLAGS", "")
        .env("GOTOOLCHAIN", "local");
    if tree.ends_with("src") && tree.join("runtime/runtime.go").exists() {
        command.env("GOROOT", tree.with_file_name(""));
    }
    command
}

fn build(args: &Args, tree: &Path, tries: &mut [Try]) -> Outcome {
    // The files that the go command compiles here, by its own account.
    let dirs: HashSet<&Path> = tries.iter().filter_map(|t| t.file.parent()).collect();
    let patterns: Vec<String> = dirs.iter().map(|d| package(tree, d)).collect();
    let output = go(args, tree)
        .args([
            "list",
            "-e",
            "-json=Dir,GoFiles,CgoFiles,TestGoFiles,XTestGoFiles",
        ])
        .args(&patterns)
        .output()?;
    let mut compiled: HashSet<PathBuf> = HashSet::new();
    for value in
        serde_json::Deserializer::from_slice(&output.stdout).into_iter::<serde_json::Value>()
    {
        let value = value?;
        let dir = PathBuf::from(value["Dir"].as_str().unwrap_or_default());
        for list in ["GoFiles", "CgoFiles", "TestGoFiles", "XTestGoFiles"] {
            for name in value[list].as_array().into_iter().flatten() {
                compiled.insert(dir.join(name.as_str().unwrap_or_default()));
            }
        }
    }
    let vet = |overlay: Option<&Path>, packages: &[String]| -> std::io::Result<Output> {
        let mut command = go(args, tree);
        command.arg("vet");
        if let Some(overlay) = overlay {
            command.arg("-overlay").arg(overlay);
        }
        command.args(packages).output()
    };
    let baseline = messages(&vet(None, &patterns)?, &[]);
    let mut known: HashMap<String, usize> = HashMap::new();
    for said in &baseline {
        *known.entry(said.text.clone()).or_default() += 1;
    }
    // A round holds at most one fix per declaration. Where a package fails, its fixes are tried again one by one.
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    let mut taken: Vec<HashSet<(PathBuf, usize)>> = Vec::new();
    for (i, one) in tries.iter().enumerate() {
        if !compiled.contains(&one.file)
            || one
                .failures
                .iter()
                .any(|f| f.0 == Failure::Parse || f.0 == Failure::Edit)
        {
            continue;
        }
        let place = (one.file.clone(), one.decl);
        let round = (0..rounds.len())
            .find(|&r| {
                !taken[r].contains(&place) && {
                    let same = rounds[r]
                        .iter()
                        .filter(|&&j| tries[j].file == one.file)
                        .map(|&j| &tries[j].fix);
                    merge(same.chain([&one.fix])).skipped.is_empty()
                }
            })
            .unwrap_or(rounds.len());
        if round == rounds.len() {
            rounds.push(Vec::new());
            taken.push(HashSet::new());
        }
        rounds[round].push(i);
        taken[round].insert(place);
    }
    let scratch = tempfile::tempdir()?;
    let mut queue: VecDeque<Vec<usize>> = rounds.into();
    let mut singles: Vec<VecDeque<usize>> = Vec::new();
    loop {
        let round = match queue.pop_front() {
            Some(round) => round,
            None => {
                // One fix of each package that has failed.
                let next: Vec<usize> = singles.iter_mut().filter_map(VecDeque::pop_front).collect();
                if next.is_empty() {
                    break;
                }
                next
            }
        };
        eprintln!(
            "{} fixes in one build; {} such builds and {} single fixes to go",
            round.len(),
            queue.len(),
            singles.iter().map(VecDeque::len).sum::<usize>()
        );
        let mut by_file: BTreeMap<&Path, Vec<usize>> = BTreeMap::new();
        for &i in &round {
            by_file.entry(&tries[i].file).or_default().push(i);
        }
        let mut replace = serde_json::Map::new();
        let mut copies = Vec::new();
        let mut packages = BTreeMap::new();
        for (n, (file, list)) in by_file.iter().enumerate() {
            let edits = merge(list.iter().map(|&i| &tries[i].fix)).edits;
            let relative = file.strip_prefix(tree).unwrap_or(file);
            let copy = scratch.path().join(n.to_string()).join(relative);
            fs::create_dir_all(copy.parent().unwrap_or(scratch.path()))?;
            fs::write(&copy, apply_edits(&tries[list[0]].before, &edits)?)?;
            replace.insert(
                file.display().to_string(),
                copy.display().to_string().into(),
            );
            copies.push(relative.display().to_string());
            let dir = file.parent().unwrap_or(tree).to_path_buf();
            packages
                .entry(dir)
                .or_insert_with(Vec::new)
                .extend(list.iter().copied());
        }
        let overlay = scratch.path().join("overlay.json");
        fs::write(
            &overlay,
            serde_json::json!({ "Replace": replace }).to_string(),
        )?;
        let names: Vec<String> = packages.keys().map(|d| package(tree, d)).collect();
        let mut left = known.clone();
        let mut failed: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
        let mut general = Vec::new();
        for Said { dir, file, text } in messages(&vet(Some(&overlay), &names)?, &copies) {
            if let Some(n) = left.get_mut(&text).filter(|n| **n > 0) {
                *n -= 1;
                continue;
            }
            let message = format!("{file}: {text}");
            let about = packages.keys().find(|package| {
                **package == tree.join(&dir) || !dir.is_empty() && package.ends_with(&dir)
            });
            match about {
                Some(package) => failed.entry(package.clone()).or_default().push(message),
                None => general.push(message),
            }
        }
        if !general.is_empty() {
            // What is about no package may have kept all of them from being looked at.
            match *round {
                [one] => tries[one]
                    .failures
                    .extend(general.into_iter().map(|m| (Failure::Build, m))),
                _ => {
                    queue.extend(round.iter().map(|&i| vec![i]));
                    continue;
                }
            }
        }
        for (package, list) in packages {
            for &i in &list {
                tries[i].built = true;
            }
            let Some(said) = failed.remove(&package) else {
                continue;
            };
            match *list {
                [one] => tries[one]
                    .failures
                    .extend(said.into_iter().map(|m| (Failure::Build, m))),
                _ => singles.push(list.into()),
            }
        }
    }
    Ok(())
}

fn package(tree: &Path, dir: &Path) -> String {
    match dir.strip_prefix(tree) {
        Ok(relative) if relative != Path::new("") => format!("./{}", relative.display()),
        _ => ".".to_owned(),
    }
}

/// A message of the go command.
struct Said {
    /// Folder that it is about, below the tree.
    dir: String,
    file: String,
    /// Without numbers of lines, which an edit changes.
    text: String,
}

/// Messages of the go command.
///
/// Vet names a file that an overlay replaces by its copy, and, from its cache, by the copy of an earlier run. A copy
/// has the path of its file in the tree, one of `copies`, behind that of a temporary folder.
fn messages(output: &Output, copies: &[String]) -> Vec<Said> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    let mut found = Vec::new();
    for line in text.lines() {
        let line = line.strip_prefix("vet: ").unwrap_or(line);
        if line.starts_with('#') || line.starts_with('\t') || line.trim().is_empty() {
            continue;
        }
        let Some((file, rest)) = line.split_once(".go:") else {
            found.push(Said {
                dir: String::new(),
                file: String::new(),
                text: line.to_owned(),
            });
            continue;
        };
        let file = copies
            .iter()
            .filter_map(|original| original.strip_suffix(".go"))
            .filter(|original| {
                file.starts_with('/')
                    && file
                        .strip_suffix(original)
                        .is_some_and(|folder| folder.ends_with('/'))
            })
            .max_by_key(|original| original.len())
            .unwrap_or(file)
            .trim_start_matches("./");
        let message = rest
            .trim_start_matches(|c: char| c.is_ascii_digit() || c == ':')
            .trim();
        // Vet names lines inside its messages too.
        let text = message
            .split(|c: char| c.is_ascii_digit())
            .collect::<Vec<_>>()
            .join("#");
        found.push(Said {
            dir: file.rsplit_once('/').map_or("", |d| d.0).to_owned(),
            file: format!("{file}.go"),
            text,
        });
    }
    found
}

/// A title without what is particular to one place.
fn kind_of(title: &str) -> String {
    let mut out = String::new();
    for (i, part) in title.split('`').enumerate() {
        if i % 2 == 0 {
            out.push_str(part);
        } else {
            out.push_str("`…`");
        }
    }
    out.replace(|c: char| c.is_ascii_digit(), "N")
}

fn report(args: &Args, tree: &Path, findings: usize, fixable: usize, tries: &[Try]) {
    for one in tries {
        let failed = !one.failures.is_empty();
        if !(args.show || args.verbose && failed) {
            continue;
        }
        let relative = one.file.strip_prefix(tree).unwrap_or(&one.file);
        println!(
            "\n{}:{}: {}: {} ({:?})",
            relative.display(),
            one.line,
            one.rule,
            one.title,
            one.safety
        );
        for (failure, detail) in &one.failures {
            println!("  {failure:?} {detail}");
        }
        print_change(&one.before, &one.after);
    }
    let mut rows: BTreeMap<(&str, String, &str), Vec<&Try>> = BTreeMap::new();
    for one in tries {
        let safety = if one.safety == Safety::Safe {
            "safe"
        } else {
            "unsafe"
        };
        rows.entry((one.rule, kind_of(&one.title), safety))
            .or_default()
            .push(one);
    }
    println!(
        "\n{findings} findings, {fixable} of them with fixes, {} fixes\n",
        tries.len()
    );
    println!(
        "| rule | fix | | tried | not parsed | not gofmt-clean | still found | new finding | built and vetted | fails |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let row = |name: [&str; 3], list: &[&Try]| {
        let count = |what: &[Failure]| {
            list.iter()
                .filter(|t| t.failures.iter().any(|f| what.contains(&f.0)))
                .count()
        };
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            name[0],
            name[1],
            name[2],
            list.len(),
            count(&[Failure::Edit, Failure::Parse]),
            count(&[Failure::Gofmt]),
            count(&[Failure::Still]),
            count(&[Failure::New]),
            list.iter().filter(|t| t.built).count(),
            count(&[Failure::Build]),
        );
    };
    for ((rule, kind, safety), list) in &rows {
        row([rule, kind, safety], list);
    }
    row(["all", "", ""], &tries.iter().collect::<Vec<_>>());
    for (failure, name) in FAILURES {
        let n = tries
            .iter()
            .filter(|t| t.failures.iter().any(|f| f.0 == failure))
            .count();
        if n > 0 {
            println!("\n{n}: {name}");
        }
    }
}

/// The lines that differ, with two lines around them.
fn print_change(before: &str, after: &str) {
    let old: Vec<&str> = before.lines().collect();
    let new: Vec<&str> = after.lines().collect();
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let tail = old[same..]
        .iter()
        .rev()
        .zip(new[same..].iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    for line in &old[same.saturating_sub(2)..same] {
        println!("    {line}");
    }
    for line in &old[same..old.len() - tail] {
        println!("  - {line}");
    }
    for line in &new[same..new.len() - tail] {
        println!("  + {line}");
    }
    for line in new[new.len() - tail..].iter().take(2) {
        println!("    {line}");
    }
}
