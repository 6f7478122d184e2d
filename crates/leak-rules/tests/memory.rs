//! What the rules about memory say, proved by running it.
//!
//! `tests/memory` holds a program for each rule that keeps or allocates what it should not. A real Go toolchain runs the programs and copies
//! to which the fixes of the findings were applied, all in one process, and writes a heap profile after each of three loads. What the marked
//! lines allocated has to grow in the program from each profile to the next, and must not in the copies: see [`Measure`].

#![allow(clippy::unwrap_used)] // Helpers of tests may unwrap.

mod toolchain;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use go_model::db::{Database, Environment};
use go_syntax::LineIndex;
use leak_evidence::{Kind, read};
use leak_rules::rules::rule;
use leak_rules::{Diagnostic, Severity, allocation_hints, check_file};
use toolchain::{GoModule, fixed};

/// Programs for Go before timers that nobody refers to were collected: a module of their own.
const OLD: &str = "before-1.23";
/// The first language version whose toolchain has only the timers of today.
const NEW_TIMERS: (u32, u32) = (1, 27);

/// What a line is marked to do too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measure {
    /// `// grows`: bytes that stay in use.
    InUse,
    /// `// stays`: objects that stay in use, few of them.
    Objects,
    /// `// allocates`: bytes that were ever allocated.
    Allocated,
    /// `// grows in C`: bytes of C that stay in use, of which no profile knows. The program counts them itself: `Used`.
    InC,
}

impl Measure {
    /// What a line is marked with.
    fn of(line: &str) -> Option<Self> {
        match line.rsplit_once("// ")?.1 {
            "grows" => Some(Self::InUse),
            "stays" => Some(Self::Objects),
            "allocates" => Some(Self::Allocated),
            "grows in C" => Some(Self::InC),
            _ => None,
        }
    }

    /// Which value of the heap profile it is.
    fn value_type(self) -> Option<&'static str> {
        match self {
            Self::InUse => Some("inuse_space"),
            Self::Objects => Some("inuse_objects"),
            Self::Allocated => Some("alloc_space"),
            Self::InC => None,
        }
    }

    /// How much more there is of it in the end than in the beginning: in a leaking program at least, and in a fixed one at most.
    fn limits(self) -> (i64, i64) {
        match self {
            Self::InUse | Self::Allocated | Self::InC => (2 << 20, 512 << 10),
            Self::Objects => (48, 16),
        }
    }
}

/// A program of a module: a folder with one file.
struct Program {
    /// The rule that it is about.
    rule: String,
    text: String,
    found: Vec<Diagnostic>,
    /// The text with every finding's first fix applied, with every finding's second one, and so on.
    fixed: Vec<String>,
}

fn root(module: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/memory");
    folder.join(module).canonicalize().unwrap()
}

fn file_of(folder: &str) -> String {
    format!("{folder}/leak.go")
}

fn fixed_folder(rule: &str, number: usize) -> String {
    format!("{rule}-fix{}", number + 1)
}

fn programs(module: &str) -> Vec<Program> {
    let root = root(module);
    let mut folders: Vec<String> = std::fs::read_dir(&root)
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
            let path = root.join(file_of(&rule));
            let text = std::fs::read_to_string(&path).unwrap();
            let file = db.file(&path).unwrap();
            let mut found = check_file(&db, file).to_vec();
            found.extend(hot(&text, &found, allocation_hints(&db, file)));
            found.retain(|f| f.severity >= Severity::Information || f.rule == rule);
            Program {
                fixed: fixed(&text, &found),
                rule,
                text,
                found,
            }
        })
        .collect()
}

/// What a profile of allocations lets be said besides: about the lines that allocate, in place of which nothing is said already.
fn hot(text: &str, found: &[Diagnostic], hints: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let index = LineIndex::new(text);
    let allocates = |hint: &Diagnostic| {
        let line = index.line(hint.range.start()) + 1;
        marked(text).contains(&(line, Measure::Allocated))
    };
    let mut hints = hints;
    hints.retain(|hint| allocates(hint) && found.iter().all(|f| f.range != hint.range));
    hints
}

/// The lines, from 1, that are marked.
fn marked(text: &str) -> Vec<(u32, Measure)> {
    (1..)
        .zip(text.lines())
        .filter_map(|(number, line)| Some((number, Measure::of(line)?)))
        .collect()
}

fn is_in_c(text: &str) -> bool {
    marked(text).iter().any(|mark| mark.1 == Measure::InC)
}

/// The program that runs all others three times.
///
/// Every allocation is recorded, and the garbage is collected once before each profile: a pool loses what was not used between two collections.
/// What is in use in C is printed after each load.
fn main_file(programs: &[(String, &str, bool)]) -> String {
    let mut text = String::from(
        "package main\n\nimport (\n\t\"fmt\"\n\t\"os\"\n\t\"runtime\"\n\t\"runtime/debug\"\n\t\"runtime/pprof\"\n\t\"time\"\n\n",
    );
    for (number, (folder, ..)) in programs.iter().enumerate() {
        let _ = writeln!(text, "\tp{number} \"example.com/memory/{folder}\"");
    }
    text.push_str(")\n\nvar steps = []func(){\n");
    for number in 0..programs.len() {
        let _ = writeln!(text, "\tp{number}.Step,");
    }
    text.push_str("}\n\nvar used = map[int]func() int{\n");
    for (number, (_, program, _)) in programs.iter().enumerate() {
        if is_in_c(program) {
            let _ = writeln!(text, "\t{number}: p{number}.Used,");
        }
    }
    text.push_str(
        r#"}

func main() {
	runtime.MemProfileRate = 1
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(-1)
	kept := map[int]int{}
	for checkpoint := range 3 {
		for number, step := range steps {
			used := used[number]
			if used == nil {
				step()
				continue
			}
			before := used()
			step()
			kept[number] += used() - before
			fmt.Println("in C:", number, kept[number])
		}
		// Goroutines that were told to end do so.
		time.Sleep(20 * time.Millisecond)
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

/// What the programs' own lines allocated, by folder and line: each value of the profile, by its name.
type Values = BTreeMap<(String, u32), BTreeMap<String, i64>>;

fn values(profile: &[u8]) -> Values {
    let profiles = read(profile).unwrap();
    let [profile] = &profiles[..] else {
        panic!("{} profiles", profiles.len());
    };
    assert_eq!(profile.kind, Kind::Heap);
    let mut found = Values::new();
    for sample in profile.samples() {
        let own = sample.frames().find_map(|frame| {
            let frame = profile.frame(frame);
            let folder = profile.text(frame.file).strip_suffix("/leak.go")?;
            let folder = folder.rsplit('/').next()?;
            Some((folder.to_owned(), frame.line))
        });
        let Some(own) = own else { continue };
        let sums = found.entry(own).or_default();
        for (ty, value) in profile.types.iter().zip(sample.values()) {
            *sums.entry(ty.name.to_string()).or_default() += value;
        }
    }
    found
}

/// What the programs said that is in use in C after each load, by their numbers.
fn used_in_c(output: &str) -> BTreeMap<usize, Vec<i64>> {
    let mut found: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
    for line in output.lines().filter_map(|l| l.strip_prefix("in C: ")) {
        let (number, used) = line.split_once(' ').unwrap();
        let used = used.trim().parse().unwrap();
        found.entry(number.parse().unwrap()).or_default().push(used);
    }
    found
}

/// Runs the programs of a module and their fixed copies; what is wrong.
fn run(name: &str, module: &GoModule) -> Vec<String> {
    let programs = programs(name);
    let go_mod = std::fs::read_to_string(root(name).join("go.mod")).unwrap();
    module.write("go.mod", &go_mod);
    for stub in ["prometheus/go.mod", "prometheus/prometheus/prometheus.go"] {
        if let Ok(text) = std::fs::read_to_string(root(name).join(stub)) {
            module.write(stub, &text);
        }
    }
    // Which memory of C is in use is asked of glibc.
    let has_c = cfg!(all(target_os = "linux", target_env = "gnu")) && module.has_cgo();
    let mut folders: Vec<(String, &str, bool)> = Vec::new();
    for program in &programs {
        if is_in_c(&program.text) && !has_c {
            continue;
        }
        folders.push((program.rule.clone(), &program.text, true));
        for (number, text) in program.fixed.iter().enumerate() {
            folders.push((fixed_folder(&program.rule, number), text, false));
        }
    }
    for (folder, text, _) in &folders {
        module.write(&file_of(folder), text);
    }
    module.write("main.go", &main_file(&folders));
    let (output, succeeded) = module.run_package(".");
    assert!(succeeded, "{output}");
    let mut unformatted = module.unformatted();
    unformatted.retain(|file| file != "main.go");
    assert!(unformatted.is_empty(), "{unformatted:?}");
    let in_c = used_in_c(&output);
    let profiles: Vec<Values> = (0..3)
        .map(|n| values(&std::fs::read(module.path().join(format!("heap{n}.pb.gz"))).unwrap()))
        .collect();
    let mut problems = Vec::new();
    for (number, (folder, text, leaks)) in folders.iter().enumerate() {
        for (line, measure) in marked(text) {
            let key = (folder.clone(), line);
            let used: Vec<i64> = match measure.value_type() {
                Some(ty) => (profiles.iter())
                    .map(|profile| profile.get(&key).and_then(|v| v.get(ty)).copied())
                    .map(Option::unwrap_or_default)
                    .collect(),
                None => in_c[&number].clone(),
            };
            let (growth, noise) = measure.limits();
            let grows = used[0] < used[1] && used[1] < used[2] && used[2] - used[0] >= growth;
            let flat = used[2] - used[0] <= noise;
            if std::env::var_os("SHOW").is_some() {
                eprintln!("{folder}:{line}: {measure:?} at the checkpoints: {used:?}");
            }
            if (*leaks && !grows) || (!*leaks && !flat) {
                problems.push(format!(
                    "{folder}:{line}: {measure:?} at the checkpoints: {used:?}"
                ));
            }
        }
    }
    problems
}

#[test]
fn memory_grows_where_the_rules_say_and_not_with_their_fixes() {
    let Some(module) = GoModule::new("1.26") else {
        return;
    };
    let problems = run("", &module);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn timers_pile_up_in_modules_of_older_versions() {
    let Some(module) = GoModule::new("1.22") else {
        return;
    };
    let language = module.language();
    let (major, minor) = language.split_once('.').unwrap();
    if (major.parse().unwrap(), minor.parse().unwrap()) >= NEW_TIMERS {
        return;
    }
    let problems = run(OLD, &module);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn programs_are_about_rules() {
    for program in programs("").into_iter().chain(programs(OLD)) {
        let rule = rule(&program.rule).unwrap_or_else(|| panic!("no rule {}", program.rule));
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
        let marks = marked(&program.text).len();
        assert!(marks > 0, "{}", rule.name);
        for text in &program.fixed {
            assert_eq!(marked(text).len(), marks, "{}", rule.name);
        }
    }
}
