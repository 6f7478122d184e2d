//! How many leaks that were really mended the rules find: before the mending there is a finding, after it there is none.
//!
//! The table names repositories, commits and lines; the code comes from bare copies of the repositories on this machine. Of each commit
//! only the package is unpacked, with the packages of the same repository that it imports.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use go_model::db::Database;
use leak_rules::{Diagnostic, check_file};
use rayon::prelude::*;

use crate::Outcome;

/// A finding is about a line of the table if one of its places is not farther away.
const NEAR: usize = 3;

/// Arguments of `xtask recall`.
#[derive(clap::Args)]
pub struct Args {
    /// A folder of bare repositories, `OWNER+NAME/repo`.
    mirrors: PathBuf,
    /// The table of mended leaks.
    #[arg(long, default_value = "tests/recall/memory.tsv")]
    table: PathBuf,
    /// Only rows for this rule.
    #[arg(long)]
    rule: Option<String>,
    /// Only rows of this repository.
    #[arg(long)]
    repo: Option<String>,
    /// Print what becomes of each row.
    #[arg(long, short)]
    verbose: bool,
}

/// A row of the table: a leak that somebody mended.
struct Row {
    repo: String,
    fix: String,
    parent: String,
    path: String,
    line: usize,
    /// Rules that may say it.
    rules: Vec<String>,
    visible: String,
    note: String,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// Found on its line, and silent after the fix.
    Found,
    /// Found on its line; the finding is still there after the fix.
    StillSaid,
    /// A finding of the rule elsewhere in the file, which the fix ends.
    Elsewhere,
    /// Nothing.
    Missed,
    /// The repository or the commit is not there.
    Absent,
}

/// Runs it.
pub fn run(args: &Args) -> Outcome {
    let table = fs::read_to_string(crate::root().join(&args.table))?;
    let mut rows: Vec<Row> = table
        .lines()
        .skip(1)
        .map(|line| row(line).ok_or_else(|| format!("cannot read the row `{line}`")))
        .collect::<Result<_, _>>()?;
    rows.retain(|row| {
        args.rule
            .as_ref()
            .is_none_or(|rule| row.rules.contains(rule))
            && args.repo.as_ref().is_none_or(|repo| row.repo == *repo)
    });
    let verdicts: Vec<Verdict> = rows
        .par_iter()
        .map(|row| judge(&args.mirrors, row).unwrap_or(Verdict::Absent))
        .collect();
    if args.verbose {
        for (row, verdict) in rows.iter().zip(&verdicts) {
            println!(
                "{verdict:?}\t{}\t{} {} {}:{}\t{}",
                row.rules.join("|"),
                row.repo,
                row.fix,
                row.path,
                row.line,
                row.note
            );
        }
    }
    print!("{}", report(&rows, &verdicts));
    Ok(())
}

fn row(line: &str) -> Option<Row> {
    let mut cells = line.split('\t');
    let mut next = || cells.next().map(str::to_owned);
    let (repo, fix, parent, path) = (next()?, next()?, next()?, next()?);
    let line = next()?.parse().ok()?;
    let rules = next()?.split('|').map(str::to_owned).collect();
    let _family = next()?;
    Some(Row {
        repo,
        fix,
        parent,
        path,
        line,
        rules,
        visible: next()?,
        note: next().unwrap_or_default(),
    })
}

fn judge(mirrors: &Path, row: &Row) -> Option<Verdict> {
    let git = mirrors.join(row.repo.replace('/', "+")).join("repo");
    let before = findings(&git, &row.repo, &row.parent, &row.path)?;
    let after = findings(&git, &row.repo, &row.fix, &row.path)?;
    let of_rule = |all: &[Said]| {
        let said = all.iter().filter(|said| row.rules.contains(&said.rule));
        said.cloned().collect::<Vec<_>>()
    };
    let (before, after) = (of_rule(&before), of_rule(&after));
    let near = |said: &&Said| {
        said.lines
            .iter()
            .any(|line| line.abs_diff(row.line) <= NEAR)
    };
    let count = |all: &[Said], key: &str| all.iter().filter(|said| said.key == key).count();
    let gone = |said: &Said| count(&after, &said.key) < count(&before, &said.key);
    let here: Vec<&Said> = before.iter().filter(near).collect();
    Some(if here.iter().any(|said| gone(said)) {
        Verdict::Found
    } else if !here.is_empty() {
        Verdict::StillSaid
    } else if before.iter().any(gone) {
        Verdict::Elsewhere
    } else {
        Verdict::Missed
    })
}

/// A finding in the file of a row.
#[derive(Debug, Clone)]
struct Said {
    rule: String,
    /// The lines of the finding and of its steps in the same file, from 1.
    lines: BTreeSet<usize>,
    /// What makes it the same one in another version of the file.
    key: String,
}

/// The findings in one file of a commit; `None` if the commit is not there, empty if the file is not.
fn findings(git: &Path, repo: &str, commit: &str, path: &str) -> Option<Vec<Said>> {
    let tree = tempfile::tempdir().ok()?;
    if !unpack(git, repo, commit, path, tree.path())? {
        return Some(Vec::new());
    }
    let db = Database::new();
    let file = db.file(tree.path().join(path))?;
    let text = file.text(&db);
    let found = check_file(&db, file);
    let own = file.path(&db);
    Some(
        found
            .iter()
            .map(|finding| said(&text, &own, finding))
            .collect(),
    )
}

fn said(text: &str, own: &Path, finding: &Diagnostic) -> Said {
    let line = |at: go_syntax::TextSize| text[..usize::from(at)].matches('\n').count() + 1;
    let mut lines = BTreeSet::from([line(finding.range.start())]);
    let here = |file: &Path| file == own;
    let steps =
        (finding.related.iter()).filter(|step| step.file.as_deref().is_none_or(|f| here(f)));
    lines.extend(steps.map(|step| line(step.range.start())));
    let range = usize::from(finding.range.start())..usize::from(finding.range.end());
    let words: Vec<&str> = text[range].split_whitespace().collect();
    Said {
        rule: finding.rule.to_owned(),
        lines,
        key: format!(
            "{}: {:?}: {}",
            finding.rule,
            finding.function,
            words.join(" ")
        ),
    }
}

/// Writes the package of `path`, the packages of the repository that it imports, and the `go.mod` files above them. `None` if the commit
/// is not there, `false` if the file is not in it.
fn unpack(git: &Path, repo: &str, commit: &str, path: &str, to: &Path) -> Option<bool> {
    let listing = Command::new("git")
        .arg("--git-dir")
        .arg(git)
        .args(["ls-tree", "-r", "-z", commit])
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let mut blobs: BTreeMap<String, String> = BTreeMap::new();
    for entry in listing.stdout.split(|byte| *byte == 0) {
        let Ok(entry) = std::str::from_utf8(entry) else {
            continue;
        };
        let Some((head, name)) = entry.split_once('\t') else {
            continue;
        };
        if name.ends_with(".go") || name.ends_with("go.mod") || name.ends_with("go.work") {
            let sha = head.split(' ').nth(2)?;
            blobs.insert(name.to_owned(), sha.to_owned());
        }
    }
    if !blobs.contains_key(path) {
        return Some(false);
    }
    let folder = folder_of(path);
    let mut wanted: Vec<&str> = package(&blobs, folder).collect();
    for above in Path::new(path).ancestors().skip(1) {
        for name in ["go.mod", "go.work"] {
            let name = above.join(name).display().to_string();
            if let Some((name, _)) = blobs.get_key_value(&name) {
                wanted.push(name);
            }
        }
    }
    let own = read(git, &blobs, &wanted)?;
    // The folder of the module and its path.
    let module = own
        .iter()
        .filter(|(name, _)| name.ends_with("go.mod"))
        .max_by_key(|(name, _)| name.len())
        .and_then(|(name, text)| {
            let path = text.lines().find_map(|line| line.strip_prefix("module "))?;
            Some((folder_of(name), path.trim().trim_matches('"').to_owned()))
        });
    let before_modules = module.is_none();
    let (root, module) = module.unwrap_or_else(|| ("", path_before_modules(repo, &own, &blobs)));
    if before_modules {
        // And so from before Go 1.16.
        fs::write(to.join("go.mod"), format!("module {module}\n\ngo 1.16\n")).ok()?;
    }
    let mut imported = BTreeSet::new();
    for text in own.iter().filter(|(name, _)| name.ends_with(".go")) {
        for import in &go_syntax::parse_file(text.1).file.imports {
            let Some(rest) = import.path.as_str().strip_prefix(&*module) else {
                continue;
            };
            let below = rest.trim_start_matches('/');
            imported.insert(match root {
                "" => below.to_owned(),
                root => format!("{root}/{below}"),
            });
        }
    }
    let others: Vec<&str> = imported
        .iter()
        .flat_map(|folder| package(&blobs, folder))
        .filter(|name| !name.ends_with("_test.go"))
        .collect();
    let others = read(git, &blobs, &others)?;
    for (name, text) in own.iter().chain(&others) {
        let path = to.join(name);
        fs::create_dir_all(path.parent()?).ok()?;
        fs::write(path, text).ok()?;
    }
    Some(true)
}

/// By which path the files of a repository import each other where no `go.mod` says it: it may have had another owner, or a host of its own.
fn path_before_modules(
    repo: &str,
    own: &HashMap<&str, String>,
    blobs: &BTreeMap<String, String>,
) -> String {
    let name = repo.rsplit('/').next().unwrap_or(repo);
    let texts = own.iter().filter(|(path, _)| path.ends_with(".go"));
    let imports = texts.flat_map(|(_, text)| go_syntax::parse_file(text).file.imports.clone());
    let mut paths: Vec<String> = imports
        .filter_map(|import| {
            let path = import.path.as_str();
            let (before, below) = path.split_once(&format!("/{name}/"))?;
            package(blobs, below).next()?;
            Some(format!("{before}/{name}"))
        })
        .collect();
    paths.sort();
    paths.pop().unwrap_or_else(|| format!("github.com/{repo}"))
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The Go files directly in a folder.
fn package<'a>(
    blobs: &'a BTreeMap<String, String>,
    folder: &'a str,
) -> impl Iterator<Item = &'a str> {
    let names = blobs.keys().map(String::as_str);
    names.filter(move |name| name.ends_with(".go") && folder_of(name) == folder)
}

/// The texts of some files; one that is no text is left out.
fn read<'a>(
    git: &Path,
    blobs: &BTreeMap<String, String>,
    names: &[&'a str],
) -> Option<HashMap<&'a str, String>> {
    let mut child = Command::new("git")
        .arg("--git-dir")
        .arg(git)
        .args(["cat-file", "--batch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut input = child.stdin.take()?;
    let mut output = BufReader::new(child.stdout.take()?);
    let mut texts = HashMap::new();
    for name in names {
        writeln!(input, "{}", blobs.get(*name)?).ok()?;
        input.flush().ok()?;
        let mut head = String::new();
        output.read_line(&mut head).ok()?;
        let size: usize = head.trim().rsplit(' ').next()?.parse().ok()?;
        let mut bytes = vec![0; size + 1];
        output.read_exact(&mut bytes).ok()?;
        bytes.pop();
        if let Ok(text) = String::from_utf8(bytes) {
            texts.insert(*name, text);
        }
    }
    drop(input);
    child.wait().ok()?;
    Some(texts)
}

fn report(rows: &[Row], verdicts: &[Verdict]) -> String {
    let mut out = String::from(
        "| rule | leaks | found | said after the fix too | elsewhere in the file | missed | not there |\n|---|---|---|---|---|---|---|\n",
    );
    let mut by_rule: BTreeMap<String, Vec<Verdict>> = BTreeMap::new();
    let mut all = Vec::new();
    let mut visible = Vec::new();
    for (row, verdict) in rows.iter().zip(verdicts) {
        by_rule
            .entry(row.rules.join(", "))
            .or_default()
            .push(*verdict);
        all.push(*verdict);
        if row.visible == "package" && !row.note.starts_with("HARD") {
            visible.push(*verdict);
        }
    }
    let mut line = |name: &str, verdicts: &[Verdict]| {
        let count = |verdict| verdicts.iter().filter(|v| **v == verdict).count();
        let _ = writeln!(
            out,
            "| {name} | {} | {} | {} | {} | {} | {} |",
            verdicts.len(),
            count(Verdict::Found),
            count(Verdict::StillSaid),
            count(Verdict::Elsewhere),
            count(Verdict::Missed),
            count(Verdict::Absent)
        );
    };
    for (rule, verdicts) in &by_rule {
        line(rule, verdicts);
    }
    line("all", &all);
    line("all that one package shows", &visible);
    out
}
