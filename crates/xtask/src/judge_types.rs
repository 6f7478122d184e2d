//! `cargo xtask judge-types`: compares the types of local variables with what go/types says.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use go_model::db::{BuildConfig, Database, decl_start, decls, source_file};
use go_model::facts::LocalKind;
use go_model::infer;
use go_model::members::write_ty;
use rayon::prelude::*;

/// Compares inferred types with those of go/types.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The go command.
    #[arg(long, default_value = "go")]
    go: PathBuf,
    /// Where to run it: a module, or `src` of a distribution (the default).
    #[arg(long)]
    dir: Option<PathBuf>,
    /// With test files.
    #[arg(long)]
    tests: bool,
    /// Do not read sources of imported packages of the standard library: the embedded table has to do.
    #[arg(long)]
    table_only: bool,
    /// List the wrong ones.
    #[arg(long)]
    wrong: bool,
    /// List the unknown ones.
    #[arg(long)]
    unknown: bool,
    /// Only those with a releasing method.
    #[arg(long)]
    releasing: bool,
    /// How many to list.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Keep the answers of go/types in a file, and read them from there if it exists.
    #[arg(long)]
    cache: Option<PathBuf>,
    /// What to judge.
    #[arg(default_value = "std")]
    patterns: Vec<String>,
}

/// Runs the command.
pub fn run(args: &Args) -> crate::Outcome {
    let goroot = Command::new(&args.go)
        .args(["env", "GOROOT"])
        .env("GOTOOLCHAIN", "local")
        .output()?;
    let goroot = PathBuf::from(String::from_utf8_lossy(&goroot.stdout).trim());
    let dir = args.dir.clone().unwrap_or_else(|| goroot.join("src"));
    let text = match &args.cache {
        Some(path) if path.exists() => std::fs::read_to_string(path)?,
        _ => {
            let text = ask_go(&args.go, &goroot, &dir, args.tests, &args.patterns)?;
            if let Some(path) = &args.cache {
                std::fs::write(path, &text)?;
            }
            text
        }
    };
    let packages = parse(&text);
    let scratch = tempfile::tempdir()?;
    let source = if args.table_only {
        Source::Copied(scratch.path().to_owned())
    } else {
        Source::InPlace
    };
    let report = judge(&packages, &source)?;
    print!("{}", report.summary());
    if args.wrong || args.unknown {
        let shown = report.cases.iter().filter(|c| {
            (!args.releasing || c.releasing)
                && match c.verdict {
                    Verdict::Exact => false,
                    Verdict::Unknown => args.unknown,
                    Verdict::Wrong => args.wrong,
                    Verdict::Missing => true,
                }
        });
        for case in shown.take(args.limit) {
            println!(
                "{:?} {}: {} is {}, found {}",
                case.verdict, case.place, case.name, case.want, case.got
            );
        }
    }
    Ok(())
}

/// Runs `tests/typejudge`.
pub fn ask_go(
    go: &Path,
    goroot: &Path,
    dir: &Path,
    tests: bool,
    patterns: &[String],
) -> Result<String, Box<dyn std::error::Error>> {
    let scratch = tempfile::tempdir()?;
    let program = scratch.path().join("typejudge");
    let built = Command::new(go)
        .args(["build", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(crate::root().join("tests/typejudge"))
        .env("GOTOOLCHAIN", "local")
        .env("GOROOT", goroot)
        .output()?;
    if !built.status.success() {
        return Err(String::from_utf8_lossy(&built.stderr).into());
    }
    let mut command = Command::new(&program);
    command
        .env("GOROOT", goroot)
        .env("GOTOOLCHAIN", "local")
        .arg("-go")
        .arg(go)
        .arg("-dir")
        .arg(dir);
    if tests {
        command.arg("-tests");
    }
    let output = command.args(patterns).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What go/types says about a package.
pub struct Package {
    path: String,
    kind: String,
    files: Vec<(PathBuf, Vec<Answer>)>,
}

struct Answer {
    offset: u32,
    name: String,
    kind: String,
    releasing: bool,
    ty: String,
}

/// Reads the output of `tests/typejudge`.
pub fn parse(text: &str) -> Vec<Package> {
    let mut packages: Vec<Package> = Vec::new();
    for line in text.lines() {
        let parts: Vec<&str> = line.split('\t').collect();
        match parts.as_slice() {
            ["P", path, kind] => packages.push(Package {
                path: (*path).to_owned(),
                kind: (*kind).to_owned(),
                files: Vec::new(),
            }),
            ["F", name] => {
                if let Some(package) = packages.last_mut() {
                    package.files.push((PathBuf::from(name), Vec::new()));
                }
            }
            ["L", offset, name, kind, releasing, ty] => {
                if let Some((_, answers)) = packages.last_mut().and_then(|p| p.files.last_mut()) {
                    answers.push(Answer {
                        offset: offset.parse().unwrap_or(0),
                        name: (*name).to_owned(),
                        kind: (*kind).to_owned(),
                        releasing: !releasing.is_empty(),
                        ty: (*ty).to_owned(),
                    });
                }
            }
            _ => {}
        }
    }
    packages
}

/// Where our side reads the sources.
pub enum Source {
    /// Where they are.
    InPlace,
    /// From a copy in this directory that belongs to no module, so that nothing imported is found.
    Copied(PathBuf),
}

/// How an answer of ours compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The same type.
    Exact,
    /// Not known, or some part of it is not.
    Unknown,
    /// Another type.
    Wrong,
    /// We do not see the variable.
    Missing,
}

/// A compared variable.
pub struct Case {
    place: String,
    name: String,
    kind: String,
    package_kind: String,
    releasing: bool,
    want: String,
    got: String,
    verdict: Verdict,
}

/// All compared variables.
pub struct Report {
    cases: Vec<Case>,
}

/// Exact, unknown, wrong, missing.
#[derive(Debug, Default, Clone, Copy)]
pub struct Count {
    /// The same type.
    pub exact: usize,
    /// Not known.
    pub unknown: usize,
    /// Another type.
    pub wrong: usize,
    /// Not seen.
    pub missing: usize,
}

impl Count {
    fn add(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Exact => self.exact += 1,
            Verdict::Unknown => self.unknown += 1,
            Verdict::Wrong => self.wrong += 1,
            Verdict::Missing => self.missing += 1,
        }
    }

    /// All.
    pub fn total(&self) -> usize {
        self.exact + self.unknown + self.wrong + self.missing
    }
}

impl Report {
    /// Counts, for all variables or for those with a releasing method.
    pub fn count(&self, filter: impl Fn(&Case) -> bool) -> Count {
        let mut count = Count::default();
        for case in self.cases.iter().filter(|c| filter(c)) {
            count.add(case.verdict);
        }
        count
    }

    fn summary(&self) -> String {
        let mut out = String::new();
        let mut line = |name: &str, count: Count| {
            let percent = |n: usize| 100.0 * n as f64 / count.total().max(1) as f64;
            let _ = writeln!(
                out,
                "{name:28} {:7} total  {:7} exact {:6.2} %  {:6} unknown {:5.2} %  {:4} wrong {:5.2} %  {:4} missing",
                count.total(),
                count.exact,
                percent(count.exact),
                count.unknown,
                percent(count.unknown),
                count.wrong,
                percent(count.wrong),
                count.missing,
            );
        };
        let kinds: std::collections::BTreeSet<&str> =
            self.cases.iter().map(|c| c.package_kind.as_str()).collect();
        for kind in kinds {
            let label = match kind {
                "normal" => "",
                "test" => " (tests)",
                _ => " (external tests)",
            };
            line(
                &format!("all{label}"),
                self.count(|c| c.package_kind == kind),
            );
            line(
                &format!("releasing{label}"),
                self.count(|c| c.releasing && c.package_kind == kind),
            );
        }
        let mut by_kind: BTreeMap<&str, Count> = BTreeMap::new();
        for case in &self.cases {
            by_kind.entry(&case.kind).or_default().add(case.verdict);
        }
        for (kind, count) in by_kind {
            line(&format!("  {kind}"), count);
        }
        out
    }
}

/// Compares.
pub fn judge(packages: &[Package], source: &Source) -> Result<Report, Box<dyn std::error::Error>> {
    let mut db = Database::new();
    db.set_build_config(BuildConfig {
        goos: "linux".into(),
        goarch: "amd64".into(),
        cgo: false,
        ..BuildConfig::default()
    });
    let mut files: Vec<(&Package, &Path, PathBuf, &[Answer])> = Vec::new();
    for (number, package) in packages.iter().enumerate() {
        for (path, answers) in &package.files {
            let place = match source {
                Source::InPlace => path.clone(),
                Source::Copied(base) => {
                    let dir = base.join(number.to_string());
                    std::fs::create_dir_all(&dir)?;
                    let copy = dir.join(path.file_name().unwrap_or_default());
                    std::fs::copy(path, &copy)?;
                    copy
                }
            };
            files.push((package, path, place, answers));
        }
    }
    let cases: Vec<Vec<Case>> = files
        .par_iter()
        .map_with(db.clone(), |db, (package, path, place, answers)| {
            judge_file(db, package, path, place, answers)
        })
        .collect();
    Ok(Report {
        cases: cases.into_iter().flatten().collect(),
    })
}

fn judge_file(
    db: &Database,
    package: &Package,
    path: &Path,
    place: &Path,
    answers: &[Answer],
) -> Vec<Case> {
    let file = source_file(db, place);
    let own = infer::package_path(db, file);
    let text = file.text(db);
    let mut ours: HashMap<(u32, &str), Vec<(String, bool)>> = HashMap::new();
    for &decl in decls(db, file).iter() {
        let start = u32::from(decl_start(db, decl));
        let facts = infer::facts(db, decl);
        for (_, local) in facts.locals.iter() {
            if local.kind == LocalKind::Const {
                continue;
            }
            let mut shown = String::new();
            write_ty(&mut shown, &local.ty, &|p| {
                if p == own {
                    package.path.clone()
                } else {
                    p.to_string()
                }
            });
            ours.entry((
                start + u32::from(local.ident.range.start()),
                local.ident.name.as_str(),
            ))
            .or_default()
            .push((shown, local.ty.has_unknown()));
        }
    }
    let mut seen: HashMap<(u32, &str), usize> = HashMap::new();
    answers
        .iter()
        // What go/types could not make out, because an import of a test is missing, is no answer.
        .filter(|answer| !answer.ty.contains('!'))
        .map(|answer| {
            let key = (answer.offset, answer.name.as_str());
            let turn = seen.entry(key).or_default();
            let found = ours.get(&key).and_then(|list| list.get(*turn));
            *turn += 1;
            let verdict = match found {
                None => Verdict::Missing,
                Some((_, true)) => Verdict::Unknown,
                Some((shown, false)) if *shown == answer.ty => Verdict::Exact,
                Some(_) => Verdict::Wrong,
            };
            let line = text
                .get(..answer.offset as usize)
                .map_or(0, |t| t.matches('\n').count() + 1);
            Case {
                place: format!("{}:{line}", path.display()),
                name: answer.name.clone(),
                kind: answer.kind.clone(),
                package_kind: package.kind.clone(),
                releasing: answer.releasing,
                want: answer.ty.clone(),
                got: found.map_or_else(String::new, |f| f.0.clone()),
                verdict,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small sample of what `cargo xtask judge-types` does with the whole standard library. Needs a Go toolchain on `PATH`.
    #[test]
    fn some_packages_of_the_standard_library() {
        let Ok(goroot) = Command::new("go").args(["env", "GOROOT"]).output() else {
            eprintln!("no go on PATH: not judged");
            return;
        };
        let goroot = PathBuf::from(String::from_utf8_lossy(&goroot.stdout).trim());
        let patterns: Vec<String> = [
            "bufio",
            "context",
            "database/sql",
            "io",
            "os/exec",
            "slices",
        ]
        .into_iter()
        .map(String::from)
        .collect();
        let answers = ask_go(
            Path::new("go"),
            &goroot,
            &goroot.join("src"),
            true,
            &patterns,
        )
        .expect("go/types answers");
        let packages = parse(&answers);
        let report = judge(&packages, &Source::InPlace).expect("judged");
        let shown: Vec<String> = report
            .cases
            .iter()
            .filter(|c| c.verdict != Verdict::Exact)
            .map(|c| format!("{}: {} is {}, found {}", c.place, c.name, c.want, c.got))
            .collect();
        let all = report.count(|_| true);
        assert!(all.total() > 4000, "{all:?}");
        assert_eq!(all.wrong + all.missing, 0, "{shown:#?}");
        assert!(all.exact * 1000 >= all.total() * 999, "{shown:#?}");
        let releasing = report.count(|c| c.releasing);
        assert!(releasing.total() > 500, "{releasing:?}");
        assert_eq!(releasing.exact, releasing.total(), "{shown:#?}");
    }

    /// The same packages with nothing to read but their own sources: what they import is known from the table only.
    #[test]
    fn with_the_table_alone() {
        let Ok(goroot) = Command::new("go").args(["env", "GOROOT"]).output() else {
            return;
        };
        let goroot = PathBuf::from(String::from_utf8_lossy(&goroot.stdout).trim());
        let patterns = [
            "bufio".into(),
            "database/sql".into(),
            "net/textproto".into(),
        ];
        let answers = ask_go(
            Path::new("go"),
            &goroot,
            &goroot.join("src"),
            false,
            &patterns,
        )
        .expect("go/types answers");
        let scratch = tempfile::tempdir().expect("temporary directory");
        let source = Source::Copied(scratch.path().to_owned());
        let report = judge(&parse(&answers), &source).expect("judged");
        let releasing = report.count(|c| c.releasing);
        let all = report.count(|_| true);
        assert_eq!(all.wrong + all.missing, 0, "{all:?}");
        assert!(all.exact * 100 >= all.total() * 98, "{all:?}");
        assert!(
            releasing.exact * 100 >= releasing.total() * 99,
            "{releasing:?}"
        );
    }
}
