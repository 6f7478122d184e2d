//! What the rules about goroutines say, proved by running it.
//!
//! `tests/leaks` holds a program for each rule that leaks as the rule's page tells it. The rules name the lines; a real Go toolchain runs
//! the program, and its goroutine-leak profile has to show goroutines that are parked on these lines and on no other. Each fix that the
//! rules offer is applied to a copy of the program, of which then no goroutine may be left, neither in the profile nor in the dump of all
//! goroutines. Everything is built and run once.
//!
//! Goroutines that are left behind but come to their end some time are shown by programs of another kind (`left.go`): the dump of all
//! goroutines that is taken when one has returned has to show those that the findings name, by the line that started them, and none where
//! the fix was applied.

#![allow(clippy::unwrap_used)] // Helpers of tests may unwrap.

mod toolchain;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use go_model::db::{Database, Environment};
use go_syntax::LineIndex;
use leak_rules::rules::{Family, rule};
use leak_rules::{Diagnostic, check_file};
use toolchain::{GoModule, fixed};

/// A program of the module: a folder with one file.
struct Program {
    /// The rule that it is about, and what tells it from other programs about the same: `rule` or `rule_what`.
    folder: String,
    /// The rule.
    rule: String,
    text: String,
    found: Vec<Diagnostic>,
    /// Lines on which goroutines wait for ever, as the findings say.
    lines: BTreeSet<u32>,
    /// The text with every finding's first fix applied, with every finding's second one, and so on.
    fixed: Vec<String>,
}

fn root() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/leaks");
    folder.canonicalize().unwrap()
}

/// What the file of a program is called that leaks for ever.
const LEAK: &str = "leak.go";
/// And of one whose goroutines are left behind, but come to their end.
const LEFT: &str = "left.go";

/// The folder of a fixed program.
fn fixed_folder(rule: &str, number: usize) -> String {
    format!("{rule}-fix{}", number + 1)
}

fn programs(file: &str) -> Vec<Program> {
    let mut folders: Vec<String> = std::fs::read_dir(root())
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().join(file).is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    folders.sort();
    let db = Database::with_environment(Environment::default());
    folders
        .into_iter()
        .map(|folder| {
            let path = root().join(&folder).join(file);
            let text = std::fs::read_to_string(&path).unwrap();
            let found = check_file(&db, db.file(&path).unwrap()).to_vec();
            Program {
                lines: parked_lines(&path, &text, &found),
                fixed: fixed(&text, &found),
                rule: folder.split('_').next().unwrap().to_owned(),
                folder,
                text,
                found,
            }
        })
        .collect()
}

/// The lines of the findings and of the steps that speak of waiting.
fn parked_lines(path: &Path, text: &str, found: &[Diagnostic]) -> BTreeSet<u32> {
    let index = LineIndex::new(text);
    let mut lines = BTreeSet::new();
    for finding in found {
        lines.insert(index.line(finding.range.start()) + 1);
        for step in &finding.related {
            let here = step.file.as_ref().is_none_or(|file| file.as_path() == path);
            if here && step.message.contains("wait") {
                lines.insert(index.line(step.range.start()) + 1);
            }
        }
    }
    lines
}

/// A goroutine of a dump: the folder of its innermost frame in one of the programs, and the line.
fn goroutines(dump: &str, module: &Path) -> Vec<(String, u32, String)> {
    dump.split("\n\n")
        .filter_map(|block| {
            let head = block.lines().next()?;
            let frame = block.lines().find_map(|line| {
                let (path, rest) = line.trim().rsplit_once("/leak.go:")?;
                let folder = Path::new(path).strip_prefix(module).ok()?;
                let line = rest.split_whitespace().next()?.parse().ok()?;
                Some((folder.to_str()?.to_owned(), line))
            })?;
            Some((frame.0, frame.1, head.to_owned()))
        })
        .collect()
}

/// The program that runs all others: it waits until each of the leaking ones leaks and of the fixed ones nothing is left, or for half a
/// minute, and prints the profile and the dump.
fn main_file(leaking: &[String], fixed: &[String]) -> String {
    let mut text = String::from(
        "package main\n\nimport (\n\t\"bytes\"\n\t\"os\"\n\t\"runtime/pprof\"\n\t\"strings\"\n\t\"time\"\n\n",
    );
    for (number, folder) in leaking.iter().chain(fixed).enumerate() {
        let _ = writeln!(text, "\tp{number} \"example.com/leaks/{folder}\"");
    }
    text.push_str(")\n\nvar runs = []func(){\n");
    for number in 0..leaking.len() + fixed.len() {
        let _ = writeln!(text, "\tp{number}.Run,");
    }
    let list = |text: &mut String, name: &str, folders: &[String]| {
        let _ = write!(text, "}}\n\nvar {name} = []string{{\n");
        for folder in folders {
            let _ = writeln!(text, "\t\"example.com/leaks/{folder}.\",");
        }
    };
    list(&mut text, "leaking", leaking);
    list(&mut text, "fixed", fixed);
    text.push_str(
        r#"}

func dump(profile string) string {
	var text bytes.Buffer
	if err := pprof.Lookup(profile).WriteTo(&text, 2); err != nil {
		panic(err)
	}
	return text.String()
}

func main() {
	if pprof.Lookup("goroutineleak") == nil {
		panic("this Go has no goroutine-leak profile")
	}
	for _, run := range runs {
		go run()
	}
	var leaks, all string
	last, steady := -1, 0
	for end := time.Now().Add(30 * time.Second); steady < 3 && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
		leaks, all = dump("goroutineleak"), dump("goroutine")
		settled := true
		for _, name := range leaking {
			settled = settled && strings.Contains(leaks, name)
		}
		for _, name := range fixed {
			settled = settled && !strings.Contains(all, name)
		}
		count := strings.Count(leaks, "(leaked)")
		if settled && count == last {
			steady++
		} else {
			steady = 0
		}
		last = count
	}
	os.Stdout.WriteString("== leaks\n\n" + leaks + "\n\n== goroutines\n\n" + all)
}
"#,
    );
    text
}

#[test]
fn leaks_are_where_the_rules_say_and_gone_with_their_fixes() {
    let programs = programs(LEAK);
    let Some(module) = GoModule::new("1.26") else {
        return;
    };
    for shared in ["go.mod", "sync/go.mod", "sync/errgroup/errgroup.go"] {
        let text = std::fs::read_to_string(root().join(shared)).unwrap();
        module.write(shared, &text);
    }
    let mut leaking = Vec::new();
    let mut fixed = Vec::new();
    for program in &programs {
        module.write(&format!("{}/{LEAK}", program.folder), &program.text);
        leaking.push(program.folder.clone());
        for (number, text) in program.fixed.iter().enumerate() {
            let folder = fixed_folder(&program.folder, number);
            module.write(&format!("{folder}/{LEAK}"), text);
            fixed.push(folder);
        }
    }
    module.write("main.go", &main_file(&leaking, &fixed));
    let (output, succeeded) = module.run_with_leak_profile(".");
    assert!(succeeded, "{output}");
    let (_, output) = output.split_once("== leaks\n").unwrap();
    let (leaks, all) = output.split_once("== goroutines\n").unwrap();
    let folder = module.path().canonicalize().unwrap();
    let mut problems = Vec::new();
    let mut parked: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    for (folder, line, head) in goroutines(leaks, &folder) {
        if head.contains("(leaked)") {
            parked.entry(folder).or_default().insert(line);
        }
    }
    for program in &programs {
        let rule = &program.rule;
        for finding in program.found.iter().filter(|f| f.rule != rule) {
            problems.push(format!("{rule}: {}: {}", finding.rule, finding.message));
        }
        let parked = parked.remove(&program.folder).unwrap_or_default();
        if parked.is_empty() || !parked.is_subset(&program.lines) {
            problems.push(format!(
                "{rule}: goroutines wait on {parked:?}, the findings name {:?}",
                program.lines
            ));
        }
        let index = LineIndex::new(&program.text);
        let path = root().join(&program.folder).join(LEAK);
        for finding in &program.found {
            let named = parked_lines(&path, &program.text, std::slice::from_ref(finding));
            if named.is_disjoint(&parked) {
                let line = index.line(finding.range.start()) + 1;
                problems.push(format!("{rule}:{line}: nobody waits: {}", finding.message));
            }
        }
    }
    for (folder, lines) in parked {
        problems.push(format!("{folder}: still leaks on {lines:?}"));
    }
    for (folder, line, head) in goroutines(all, &folder) {
        if fixed.contains(&folder) {
            problems.push(format!("{folder}: is still there on line {line}: {head}"));
        }
    }
    if !problems.is_empty() {
        panic!("{}", problems.join("\n"));
    }
}

/// The program that runs others one by one, and prints the dump of all goroutines when each has returned.
fn main_that_dumps(folders: &[String]) -> String {
    let mut text = String::from("package main\n\nimport (\n\t\"os\"\n\t\"runtime/pprof\"\n\n");
    for (number, folder) in folders.iter().enumerate() {
        let _ = writeln!(text, "\tp{number} \"example.com/leaks/{folder}\"");
    }
    text.push_str(")\n\nfunc main() {\n");
    for (number, folder) in folders.iter().enumerate() {
        let _ = writeln!(text, "\tp{number}.Run()");
        let _ = writeln!(text, "\tos.Stdout.WriteString(\"\\n\\n== {folder}\\n\\n\")");
        text.push_str("\tpprof.Lookup(\"goroutine\").WriteTo(os.Stdout, 2)\n");
    }
    text.push_str("}\n");
    text
}

/// The lines of the `go` statements by which the goroutines of a folder were started.
fn started_lines(dump: &str, folder: &str) -> BTreeSet<u32> {
    let start = format!("created by example.com/leaks/{folder}.");
    let mut lines = BTreeSet::new();
    let mut rest = dump.lines();
    while let Some(line) = rest.next() {
        if line.starts_with(&start)
            && let Some((_, place)) = rest.next().and_then(|l| l.split_once(".go:"))
        {
            lines.extend(
                place
                    .split_whitespace()
                    .next()
                    .and_then(|n| n.parse::<u32>().ok()),
            );
        }
    }
    lines
}

#[test]
fn goroutines_are_left_behind_and_waited_for_with_the_fixes() {
    let programs = programs(LEFT);
    let Some(module) = GoModule::new("1.26") else {
        return;
    };
    let shared = std::fs::read_to_string(root().join("go.mod")).unwrap();
    let plain: String = (shared.lines())
        .filter(|line| !line.starts_with("require") && !line.starts_with("replace"))
        .fold(String::new(), |text, line| text + line + "\n");
    module.write("go.mod", &plain);
    let mut folders = Vec::new();
    for program in &programs {
        let texts = std::iter::once(&program.text).chain(&program.fixed);
        for (number, text) in texts.enumerate() {
            let folder = match number {
                0 => program.folder.clone(),
                n => fixed_folder(&program.folder, n - 1),
            };
            module.write(&format!("{folder}/{LEFT}"), text);
            folders.push(folder);
        }
    }
    module.write("main.go", &main_that_dumps(&folders));
    let (output, succeeded) = module.run_with_leak_profile(".");
    assert!(succeeded, "{output}");
    let dump_of = |folder: &str| {
        let (_, rest) = output.split_once(&format!("== {folder}\n")).unwrap();
        rest.split("\n== ").next().unwrap().to_owned()
    };
    for program in &programs {
        let index = LineIndex::new(&program.text);
        let named: BTreeSet<u32> = (program.found.iter())
            .map(|finding| {
                assert_eq!(finding.rule, program.rule, "{}", finding.message);
                index.line(finding.range.start()) + 1
            })
            .collect();
        assert_eq!(
            started_lines(&dump_of(&program.folder), &program.folder),
            named,
            "{}",
            program.folder
        );
        for number in 0..program.fixed.len() {
            let folder = fixed_folder(&program.folder, number);
            assert!(
                started_lines(&dump_of(&folder), &folder).is_empty(),
                "{folder}"
            );
        }
    }
}

#[test]
fn programs_are_about_rules() {
    for program in programs(LEAK).into_iter().chain(programs(LEFT)) {
        let rule = rule(&program.rule).unwrap_or_else(|| panic!("no rule {}", program.rule));
        assert_eq!(rule.family, Family::Goroutines, "{}", rule.name);
        assert!(!program.found.is_empty(), "{}", rule.name);
    }
}
