//! What the rules about memory say, proved by running it.
//!
//! `tests/memory` holds a program for each rule that keeps what it should not. A real Go toolchain runs the programs and copies to which the
//! fixes of the findings were applied, all in one process, and writes a heap profile after each of three loads. What was allocated on
//! the lines marked `// grows` has to grow in the program from each profile to the next, and must not in the copies.

#![allow(clippy::unwrap_used)] // Helpers of tests may unwrap.

mod toolchain;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use go_model::db::{Database, Environment};
use go_syntax::LineIndex;
use leak_evidence::{Kind, read};
use leak_rules::edit::{apply_edits, merge};
use leak_rules::rules::{Family, rule};
use leak_rules::{Diagnostic, Severity, check_file};
use toolchain::GoModule;

/// What a leaking program keeps more in the end than in the beginning, at least.
const GROWTH: i64 = 2 << 20;
/// What a fixed one may.
const NOISE: i64 = 512 << 10;

/// A program of the module: a folder with one file.
struct Program {
    /// The rule that it is about.
    rule: String,
    text: String,
    found: Vec<Diagnostic>,
    /// The text with every finding's first fix applied, with every finding's second one, and so on.
    fixed: Vec<String>,
}

fn root() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/memory");
    folder.canonicalize().unwrap()
}

fn file_of(folder: &str) -> String {
    format!("{folder}/leak.go")
}

fn fixed_folder(rule: &str, number: usize) -> String {
    format!("{rule}-fix{}", number + 1)
}

fn programs() -> Vec<Program> {
    let mut folders: Vec<String> = std::fs::read_dir(root())
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().join("leak.go").is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    folders.sort();
    let db = Database::with_environment(Environment::default());
    folders
        .into_iter()
        .map(|rule| {
            let path = root().join(file_of(&rule));
            let text = std::fs::read_to_string(&path).unwrap();
            let mut found = check_file(&db, db.file(&path).unwrap()).to_vec();
            found.retain(|finding| finding.severity >= Severity::Information);
            Program {
                fixed: fixed(&text, &found),
                rule,
                text,
                found,
            }
        })
        .collect()
}

fn fixed(text: &str, found: &[Diagnostic]) -> Vec<String> {
    let most = found.iter().map(|f| f.fixes.len()).max().unwrap_or(0);
    (0..most)
        .map(|number| {
            let chosen: Vec<_> = found
                .iter()
                .map(|finding| {
                    let last = finding.fixes.len().checked_sub(1);
                    let last = last.unwrap_or_else(|| panic!("no fix: {}", finding.message));
                    &finding.fixes[number.min(last)]
                })
                .collect();
            let merged = merge(chosen);
            assert!(merged.skipped.is_empty(), "fixes in the way of each other");
            apply_edits(text, &merged.edits).unwrap()
        })
        .collect()
}

/// The lines, from 1, on which what is kept is allocated.
fn growing(text: &str) -> Vec<u32> {
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| line.ends_with("// grows"))
        .map(|(number, _)| number)
        .collect()
}

/// The program that runs all others three times.
///
/// Every allocation is recorded, and the garbage is collected once before each profile: a pool loses what was not used between two collections.
fn main_file(folders: &[String]) -> String {
    let mut text = String::from(
        "package main\n\nimport (\n\t\"fmt\"\n\t\"os\"\n\t\"runtime\"\n\t\"runtime/debug\"\n\t\"runtime/pprof\"\n\t\"time\"\n\n",
    );
    for (number, folder) in folders.iter().enumerate() {
        let _ = writeln!(text, "\tp{number} \"example.com/memory/{folder}\"");
    }
    text.push_str(")\n\nvar steps = []func(){\n");
    for number in 0..folders.len() {
        let _ = writeln!(text, "\tp{number}.Step,");
    }
    text.push_str(
        r#"}

func main() {
	runtime.MemProfileRate = 1
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(-1)
	for checkpoint := range 3 {
		for _, step := range steps {
			step()
		}
		runtime.GC()
		// Finalizers have a goroutine of their own.
		time.Sleep(20 * time.Millisecond)
		file, err := os.Create(fmt.Sprintf("heap%d.pb.gz", checkpoint))
		if err != nil {
			panic(err)
		}
		if err := pprof.Lookup("heap").WriteTo(file, 0); err != nil {
			panic(err)
		}
		if err := file.Close(); err != nil {
			panic(err)
		}
	}
}
"#,
    );
    text
}

/// What is in use of what the programs' own lines allocated, by folder and line.
fn in_use(profile: &[u8]) -> BTreeMap<(String, u32), i64> {
    let profiles = read(profile).unwrap();
    let [profile] = &profiles[..] else {
        panic!("{} profiles", profiles.len());
    };
    assert_eq!(profile.kind, Kind::Heap);
    let mut found = BTreeMap::new();
    for sample in profile.samples() {
        let own = sample.frames().find_map(|frame| {
            let frame = profile.frame(frame);
            let folder = profile.text(frame.file).strip_suffix("/leak.go")?;
            let folder = folder.rsplit('/').next()?;
            Some((folder.to_owned(), frame.line))
        });
        if let Some(own) = own {
            *found.entry(own).or_default() += sample.values()[profile.main_type];
        }
    }
    found
}

#[test]
fn memory_grows_where_the_rules_say_and_not_with_their_fixes() {
    let programs = programs();
    let Some(module) = GoModule::new("1.26") else {
        return;
    };
    let go_mod = std::fs::read_to_string(root().join("go.mod")).unwrap();
    module.write("go.mod", &go_mod);
    let mut folders: Vec<(String, &str, bool)> = Vec::new();
    for program in &programs {
        folders.push((program.rule.clone(), &program.text, true));
        for (number, text) in program.fixed.iter().enumerate() {
            folders.push((fixed_folder(&program.rule, number), text, false));
        }
    }
    for (folder, text, _) in &folders {
        module.write(&file_of(folder), text);
    }
    let names: Vec<String> = folders.iter().map(|(name, ..)| name.clone()).collect();
    module.write("main.go", &main_file(&names));
    let (output, succeeded) = module.run_package(".");
    assert!(succeeded, "{output}");
    let profiles: Vec<_> = (0..3)
        .map(|n| in_use(&std::fs::read(module.path().join(format!("heap{n}.pb.gz"))).unwrap()))
        .collect();
    let mut problems = Vec::new();
    for (folder, text, leaks) in &folders {
        for line in growing(text) {
            let key = (folder.clone(), line);
            let used: Vec<i64> = (profiles.iter())
                .map(|profile| profile.get(&key).copied().unwrap_or(0))
                .collect();
            let grows = used[0] < used[1] && used[1] < used[2] && used[2] - used[0] >= GROWTH;
            let flat = used[2] - used[0] <= NOISE;
            if (*leaks && !grows) || (!*leaks && !flat) {
                problems.push(format!(
                    "{folder}:{line}: in use at the checkpoints: {used:?}"
                ));
            }
        }
    }
    if !problems.is_empty() {
        panic!("{}", problems.join("\n"));
    }
}

#[test]
fn programs_are_about_rules() {
    for program in programs() {
        let rule = rule(&program.rule).unwrap_or_else(|| panic!("no rule {}", program.rule));
        assert_eq!(rule.family, Family::Memory, "{}", rule.name);
        let about = |finding: &&Diagnostic| finding.rule == rule.name;
        assert!(program.found.iter().any(|f| about(&f)), "{}", rule.name);
        let index = LineIndex::new(&program.text);
        let others: Vec<String> = (program.found.iter())
            .filter(|finding| !about(finding))
            .map(|finding| {
                let line = index.line(finding.range.start()) + 1;
                format!("{line}: {}: {}", finding.rule, finding.message)
            })
            .collect();
        assert!(others.is_empty(), "{}: {others:?}", rule.name);
        assert!(!growing(&program.text).is_empty(), "{}", rule.name);
        for text in &program.fixed {
            let count = growing(text).len();
            assert_eq!(count, growing(&program.text).len(), "{}", rule.name);
        }
    }
}
