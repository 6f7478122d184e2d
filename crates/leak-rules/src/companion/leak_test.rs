//! Letting the tests of a package fail when they leave goroutines behind.

use go_model::db::{Db, Directory, SourceFile, parsed};
use go_model::package::{Group, UnitKind};
use go_model::workspace::{go_mod, module_go_version, module_of_file};
use go_syntax::ast::ExprKind;

use super::{Change, Companion, Refusal, free_file, free_names, function, package_in, test_units};
use crate::Edit;
use crate::edit::EditBuilder;

const GOLEAK: &str = "go.uber.org/goleak";
/// The function that runs the tests and looks for leaks afterwards.
const RUNNER: &str = "runAndFindLeaks";

/// How leaked goroutines are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeakCheck {
    /// By `go.uber.org/goleak`: goroutines that still run when the tests have ended.
    Goleak,
    /// By the goroutine-leak profile of the runtime (Go 1.27, or 1.26 with `GOEXPERIMENT=goroutineleakprofile`): goroutines that
    /// wait for something that nobody can reach any more. Needs no module.
    Profile,
}

/// Lets the tests of the package in `dir` fail when they leave goroutines behind.
///
/// Without a choice: goleak where `go.mod` requires it, else the profile from Go 1.27 on, else goleak, which then has to be added to
/// the module ([`Companion::then`]). A `TestMain` that is there already keeps its work: its `m.Run()` is replaced.
///
/// # Errors
/// There is no package, or no test in it, it checks for leaks already, its `TestMain` does not call `m.Run()` in one place, or a
/// name that is needed is taken.
pub fn leak_test(
    db: &dyn Db,
    dir: Directory,
    check: Option<LeakCheck>,
) -> Result<Companion, Refusal> {
    let group = package_in(db, dir)?;
    let mut units = test_units(&group);
    let (first_kind, first_files) = units.next().ok_or("the package has no tests")?;
    let file = first_files[0];
    if let Some(checked) = all_tests(&group).find(|file| imports(db, *file, GOLEAK)) {
        return Err(format!(
            "{} checks for leaked goroutines already",
            checked.file_name(db)
        ));
    }
    let required = module_of_file(db, file).is_some_and(|module| {
        go_mod(db, module)
            .require
            .iter()
            .any(|require| require.path == GOLEAK)
    });
    let version = module_go_version(db, file);
    let has_profile = version.at_least(1, 27);
    let check = check.unwrap_or(match required || !has_profile {
        true => LeakCheck::Goleak,
        false => LeakCheck::Profile,
    });

    // The compiler puts the tests inside and outside of the package into one program, which has one TestMain.
    let main = all_tests(&group).find(|file| function(&parsed(db, *file), "TestMain").is_some());
    let (beside, kind) = match main {
        Some(main) if group.external.contains(&main) => (main, UnitKind::External),
        Some(main) => (main, UnitKind::Test),
        None => (file, first_kind),
    };
    free_names(db, beside, names(check, main.is_some()))?;
    let clause = match kind {
        UnitKind::External => format!("{}_test", group.name),
        UnitKind::Normal | UnitKind::Test => group.name.to_string(),
    };
    let mut changes = vec![Change::Create(
        free_file(db, dir, "leak", "_test.go"),
        source(&clause, check, main.is_some(), has_profile),
    )];
    if let Some(main) = main {
        changes.push(Change::Edit(main, run_through(db, main)?));
    }
    Ok(Companion {
        title: "let this package's tests fail when they leave goroutines behind".to_owned(),
        changes,
        then: (check == LeakCheck::Goleak && !required).then(|| format!("go get -t {GOLEAK}")),
    })
}

fn all_tests(group: &Group) -> impl Iterator<Item = SourceFile> {
    test_units(group).flat_map(|(_, files)| files.iter().copied())
}

fn imports(db: &dyn Db, file: SourceFile, path: &str) -> bool {
    parsed(db, file)
        .imports
        .iter()
        .any(|import| import.path == path)
}

/// Replaces the one `m.Run()` of a `TestMain` by a call of our runner.
fn run_through(db: &dyn Db, file: SourceFile) -> Result<Vec<Edit>, Refusal> {
    let text = file.text(db);
    let tree = parsed(db, file);
    let place = function(&tree, "TestMain").and_then(|(decl, func)| {
        let [param] = &*func.signature.params else {
            return None;
        };
        let m = param.name?.name;
        let mut runs = decl.tree.exprs.iter().filter_map(|(_, expr)| {
            let ExprKind::Call { func, args, .. } = &expr.kind else {
                return None;
            };
            let ExprKind::Selector { base, name } = &decl.tree[*func].kind else {
                return None;
            };
            let of_m = matches!(&decl.tree[*base].kind, ExprKind::Ident(x) if *x == m);
            (args.is_empty() && of_m && name.name == "Run").then_some(expr.range + decl.start)
        });
        let run = runs.next()?;
        runs.next().is_none().then_some((m, run))
    });
    let Some((m, run)) = place else {
        return Err(format!(
            "the TestMain in {} does not call `m.Run()` in one place",
            file.file_name(db)
        ));
    };
    let mut builder = EditBuilder::new(&text, &tree);
    builder.replace(crate::edit::usize_range(run), format!("{RUNNER}({m})"));
    builder
        .finish()
        .ok_or_else(|| "the edit of TestMain cannot be made".to_owned())
}

/// What the new file declares and imports.
fn names(check: LeakCheck, has_main: bool) -> &'static [&'static str] {
    match (check, has_main) {
        (LeakCheck::Goleak, false) => &["goleak", "testing"],
        (LeakCheck::Goleak, true) => &[RUNNER, "fmt", "os", "testing", "goleak"],
        (LeakCheck::Profile, _) => &[RUNNER, "bytes", "fmt", "os", "pprof", "testing", "time"],
    }
}

/// The new file.
fn source(clause: &str, check: LeakCheck, has_main: bool, has_profile: bool) -> String {
    let main = match has_main {
        true => "",
        false => {
            "// TestMain runs the tests of this package, and fails if they leave goroutines behind.\n\
             func TestMain(m *testing.M) {\n\tos.Exit(runAndFindLeaks(m))\n}\n\n"
        }
    };
    match check {
        LeakCheck::Goleak if !has_main => format!(
            "package {clause}\n\nimport (\n\t\"testing\"\n\n\t\"{GOLEAK}\"\n)\n\n\
             // TestMain runs the tests of this package, and fails if they leave goroutines behind.\n\
             func TestMain(m *testing.M) {{\n\tgoleak.VerifyTestMain(m)\n}}\n"
        ),
        LeakCheck::Goleak => format!(
            "package {clause}\n\nimport (\n\t\"fmt\"\n\t\"os\"\n\t\"testing\"\n\n\t\"{GOLEAK}\"\n)\n\n\
             // runAndFindLeaks runs the tests. Its result is not 0 either if they leave goroutines behind.\n\
             func runAndFindLeaks(m *testing.M) int {{\n\
             \tcode := m.Run()\n\
             \tif code != 0 {{\n\t\treturn code\n\t}}\n\
             \tif err := goleak.Find(); err != nil {{\n\
             \t\tfmt.Fprintln(os.Stderr, \"the tests left goroutines behind:\", err)\n\
             \t\treturn 1\n\t}}\n\treturn 0\n}}\n"
        ),
        LeakCheck::Profile => {
            let missing = match has_profile {
                true => "",
                false => {
                    "\tif leaks == nil {\n\t\treturn code // The profile is part of Go 1.27.\n\t}\n"
                }
            };
            format!(
                "package {clause}\n\nimport (\n\t\"bytes\"\n\t\"fmt\"\n\t\"os\"\n\t\"runtime/pprof\"\n\t\"testing\"\n\t\"time\"\n)\n\n\
                 {main}\
                 // runAndFindLeaks runs the tests. Its result is not 0 either if they leave goroutines behind that wait for something which\n\
                 // nobody can reach any more.\n\
                 func runAndFindLeaks(m *testing.M) int {{\n\
                 \tcode := m.Run()\n\
                 \tleaks := pprof.Lookup(\"goroutineleak\")\n\
                 {missing}\
                 \ttime.Sleep(100 * time.Millisecond) // What the last test started reaches what it waits for.\n\
                 \tvar report bytes.Buffer\n\
                 \t// Writing this profile is what looks for leaks; counting does not.\n\
                 \tif err := leaks.WriteTo(&report, 1); err != nil {{\n\
                 \t\tfmt.Fprintln(os.Stderr, \"goroutine-leak profile:\", err)\n\
                 \t\treturn 1\n\t}}\n\
                 \tif leaks.Count() > 0 {{\n\
                 \t\tfmt.Fprintf(os.Stderr, \"the tests left goroutines behind:\\n%s\", &report)\n\
                 \t\treturn 1\n\t}}\n\treturn code\n}}\n"
            )
        }
    }
}
