//! The program as users run it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const CLEAN: &str = "package a\n\nfunc f() {}\n";
/// A finding that needs no analysis: a suppression of a rule that does not exist.
const WRONG: &str = "package a\n\n//stopleak:ignore no-such-rule -- because\nfunc f() {}\n";
/// One with a safe fix.
const UNUSED: &str =
    "package a\n\nfunc f() {\n\tprintln() //stopleak:ignore unclosed-file -- because\n}\n";

struct Tree(TempDir);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self(tempfile::tempdir().expect("a folder"));
        for (name, text) in files {
            tree.write(name, text.as_bytes());
        }
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("has a folder")).expect("folder");
        fs::write(path, bytes).expect("file");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("file")
    }

    fn run(&self, args: &[&str]) -> Run {
        Run::new(command(self.0.path()).args(args).output().expect("runs"))
    }
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stopleak"));
    command
        .current_dir(folder)
        .env_remove("CLICOLOR_FORCE")
        .env(
            "STOPLEAK_CACHE_DIR",
            concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"),
        )
        .stdin(Stdio::null());
    command
}

#[derive(Debug)]
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Run {
    fn new(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Self {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    #[track_caller]
    fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    #[track_caller]
    fn json(&self) -> Vec<Value> {
        serde_json::from_str(&self.out).expect("an array")
    }
}

#[test]
fn clean_code_is_no_failure() {
    let tree = Tree::new(&[("a.go", CLEAN)]);
    let run = tree.run(&["check"]).ends_with(0);
    assert_eq!(run.out, "No leaks found in 1 file\n");
    assert_eq!(run.err, "");
    assert_eq!(tree.run(&["check", "-q", "./..."]).ends_with(0).out, "");
}

#[test]
fn findings_decide_the_exit_code() {
    let tree = Tree::new(&[("a.go", WRONG), ("b/b.go", UNUSED)]);
    let run = tree.run(&["check", "--format", "concise"]).ends_with(1);
    assert!(
        run.out
            .starts_with("a.go:3:19: warning invalid-suppression: "),
        "{}",
        run.out
    );
    assert!(
        run.out.contains("b/b.go:4:30: hint unused-suppression: "),
        "{}",
        run.out
    );
    assert!(
        run.out
            .ends_with("Found 1 warning and 1 hint in 2 files (2 fixable with --fix)\n"),
        "{}",
        run.out
    );

    tree.run(&["check", "--exit-zero"]).ends_with(0);
    tree.run(&["check", "b"]).ends_with(0);
    tree.run(&["check", "b", "--min-severity", "hint"])
        .ends_with(1);
    tree.run(&["check", "a.go", "b/..."]).ends_with(1);
    assert_eq!(
        tree.run(&["check", "--statistics"])
            .ends_with(1)
            .out
            .lines()
            .count(),
        3
    );
}

#[test]
fn what_cannot_be_run_is_2() {
    let tree = Tree::new(&[("a.go", CLEAN)]);
    let run = tree.run(&["check", "none"]).ends_with(2);
    assert_eq!(run.err, "error: `none` does not exist\n");
    assert!(
        tree.run(&["check", "--rule", "unclosed-fil"])
            .ends_with(2)
            .err
            .contains("did you mean `unclosed-file`?")
    );
    tree.run(&["check", "--no-such-option"]).ends_with(2);
    tree.run(&["rule", "no-such-rule"]).ends_with(2);
    tree.run(&["check", "--config", "none.toml"]).ends_with(2);
    tree.run(&["check", "-", "a.go"]).ends_with(2);
}

#[test]
fn nothing_to_check_is_said() {
    let tree = Tree::new(&[("a.txt", "")]);
    let run = tree.run(&["check"]).ends_with(0);
    assert_eq!(run.err, "warning: no Go files to check in `.`\n");
    assert_eq!(run.out, "");
}

#[test]
fn a_wrong_configuration_is_shown_with_its_place() {
    let tree = Tree::new(&[
        ("a.go", CLEAN),
        ("b/b.go", CLEAN),
        ("b/stopleak.toml", "exclude = []\nslect = [\"all\"]\n"),
    ]);
    let run = tree.run(&["check"]).ends_with(2);
    assert!(
        run.err.starts_with("error: unknown field `slect`"),
        "{}",
        run.err
    );
    assert!(run.err.contains("b/stopleak.toml:2:1"), "{}", run.err);
    assert!(run.err.contains("2 | slect = [\"all\"]\n"), "{}", run.err);
    tree.run(&["check", "a.go"]).ends_with(0);
    tree.run(&["check", "--isolated"]).ends_with(0);
    tree.run(&["config", "verify", "b/stopleak.toml"])
        .ends_with(2);
    tree.run(&["config", "show", "b/b.go"]).ends_with(2);
}

#[test]
fn configuration_decides_what_is_checked() {
    let tree = Tree::new(&[
        (
            "stopleak.toml",
            "exclude = [\"gen\"]\ntests = false\nseverity = { invalid-suppression = \"hint\" }\n",
        ),
        ("a.go", WRONG),
        ("a_test.go", WRONG),
        ("gen/g.go", WRONG),
    ]);
    let paths = |args: &[&str]| -> Vec<String> {
        let mut all = vec!["check", "--format", "json"];
        all.extend(args);
        tree.run(&all)
            .json()
            .iter()
            .map(|finding| finding["path"].as_str().expect("path").to_owned())
            .collect()
    };
    tree.run(&["check"]).ends_with(0);
    assert_eq!(paths(&[]), ["a.go"]);
    assert_eq!(paths(&["--isolated"]), ["a.go", "a_test.go", "gen/g.go"]);
    assert_eq!(
        paths(&["--isolated", "--exclude", "gen", "--exclude", "*_test.go"]),
        ["a.go"]
    );
    // What is named is checked, unless a hook asks otherwise.
    assert_eq!(paths(&["gen/g.go"]), ["gen/g.go"]);
    assert!(paths(&["gen/g.go", "--force-exclude"]).is_empty());
    tree.write(
        "other.toml",
        b"severity = { invalid-suppression = \"warning\" }\n",
    );
    tree.run(&["check", "--config", "other.toml"]).ends_with(1);
    let shown = tree.run(&["config", "show", "gen/g.go"]).ends_with(0).out;
    assert!(
        shown.contains("# not checked: excluded by a pattern"),
        "{shown}"
    );
}

#[test]
fn generated_files_are_skipped() {
    let generated = format!("// Code generated by hand. DO NOT EDIT.\n\n{WRONG}");
    let tree = Tree::new(&[("a.go", &generated)]);
    let run = tree.run(&["check", "-v"]).ends_with(0);
    assert!(
        run.err.contains("skipped a.go: generated code"),
        "{}",
        run.err
    );
    tree.run(&["check", "--include-generated"]).ends_with(1);
    tree.run(&["check", "a.go"]).ends_with(1);
}

#[test]
fn strange_files_are_no_trouble() {
    let tree = Tree::new(&[("bad.go", "package a\nfunc f( {{{ \"\n"), ("empty.go", "")]);
    tree.write("latin1.go", b"package a // \xe4\n");
    tree.write("binary.go", &(0..=255).collect::<Vec<u8>>());
    tree.write(
        "huge.go",
        format!("package a\nvar s = `{}`\n", "x".repeat(20 << 20)).as_bytes(),
    );
    tree.write(
        "deep.go",
        format!(
            "package a\nvar x = {}1{}\n",
            "(".repeat(20_000),
            ")".repeat(20_000)
        )
        .as_bytes(),
    );
    fs::create_dir(tree.path("folder.go")).expect("folder");
    let run = tree.run(&["check", "-v", "--no-progress"]).ends_with(0);
    for name in ["latin1.go", "binary.go", "huge.go"] {
        assert!(
            run.err.contains(&format!("skipped {name}: ")),
            "{name}: {}",
            run.err
        );
    }
    assert!(!run.err.contains("internal error"), "{}", run.err);
}

#[test]
fn json_is_for_programs() {
    let tree = Tree::new(&[("b/b.go", WRONG), ("a.go", UNUSED)]);
    let run = tree.run(&["check", "--format", "json"]).ends_with(1);
    assert_eq!(run.err, "");
    let findings = run.json();
    assert_eq!(findings.len(), 2);
    assert_eq!(findings[0]["path"], "a.go");
    assert_eq!(findings[1]["path"], "b/b.go");
    let keys: Vec<_> = findings[0].as_object().expect("an object").keys().collect();
    assert_eq!(
        keys,
        [
            "rule",
            "severity",
            "message",
            "path",
            "range",
            "function",
            "related",
            "fixes",
            "fingerprint"
        ]
    );
    assert_eq!(
        findings[1]["range"]["start"],
        serde_json::json!({"line": 3, "column": 19})
    );
    assert_eq!(findings[0]["fixes"][0]["safety"], "safe");
    assert_eq!(findings[0]["fixes"][0]["edits"][0]["path"], "a.go");

    let empty = Tree::new(&[("a.go", CLEAN)])
        .run(&["check", "--format", "json"])
        .ends_with(0);
    assert_eq!(empty.json().len(), 0);

    // The same finding a few lines further down is still the same finding.
    let before = findings[1]["fingerprint"].clone();
    tree.write(
        "b/b.go",
        WRONG
            .replace("package a\n", "package a\n\nvar x = 1\n")
            .as_bytes(),
    );
    let after = tree.run(&["check", "--format", "json"]).json();
    assert_eq!(after[1]["range"]["start"]["line"], 5);
    assert_eq!(after[1]["fingerprint"], before);
}

#[test]
fn fixes_are_applied_and_shown() {
    let tree = Tree::new(&[("a.go", UNUSED), ("b.go", CLEAN)]);
    let diff = tree.run(&["check", "--diff"]);
    assert_eq!(
        diff.out,
        "--- a.go\n+++ a.go\n@@ -1,5 +1,5 @@\n package a\n \n func f() {\n-\tprintln() //stopleak:ignore unclosed-file -- because\n+\tprintln()\n }\n"
    );
    assert!(
        diff.err.contains("Would fix 1 finding in 1 file"),
        "{}",
        diff.err
    );
    assert_eq!(tree.read("a.go"), UNUSED, "--diff writes nothing");
    tree.run(&["check", "--diff", "--min-severity", "hint"])
        .ends_with(1);

    let run = tree
        .run(&["check", "--fix", "--min-severity", "hint"])
        .ends_with(0);
    assert_eq!(run.out, "Fixed 1 finding. No leaks found in 2 files\n");
    assert_eq!(
        tree.read("a.go"),
        "package a\n\nfunc f() {\n\tprintln()\n}\n"
    );
    assert_eq!(tree.read("b.go"), CLEAN);
    tree.run(&["check", "--min-severity", "hint"]).ends_with(0);
}

#[test]
fn unsafe_fixes_have_to_be_asked_for() {
    let text = WRONG.replace("no-such-rule", "unclosed-fil");
    let tree = Tree::new(&[("a.go", &text)]);
    let run = tree.run(&["check", "--fix"]).ends_with(1);
    assert!(
        run.out.contains("(1 with --fix --unsafe-fixes)"),
        "{}",
        run.out
    );
    assert_eq!(tree.read("a.go"), text);
    tree.run(&["check", "--fix", "--unsafe-fixes"]).ends_with(0);
    assert!(!tree.read("a.go").contains("unclosed-fil "));
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_written_stays_as_it_is() {
    use std::os::unix::fs::PermissionsExt as _;
    let tree = Tree::new(&[("sub/a.go", UNUSED)]);
    let folder = tree.path("sub");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).expect("permissions");
    // Root may write everywhere.
    if fs::write(folder.join("probe"), "").is_err() {
        let run = tree.run(&["check", "--fix"]).ends_with(2);
        assert!(run.err.contains("sub/a.go is not fixed"), "{}", run.err);
        assert_eq!(tree.read("sub/a.go"), UNUSED);
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("permissions");
}

#[test]
fn stdin_is_checked_under_a_name() {
    let tree = Tree::new(&[]);
    let run = |args: &[&str], input: &str| {
        let mut child = command(tree.0.path())
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("runs");
        child
            .stdin
            .take()
            .expect("stdin")
            .write_all(input.as_bytes())
            .expect("writes");
        Run::new(child.wait_with_output().expect("ends"))
    };
    let named = run(
        &[
            "check",
            "-",
            "--stdin-filename",
            "x/y.go",
            "--format",
            "concise",
        ],
        WRONG,
    )
    .ends_with(1);
    assert!(named.out.starts_with("x/y.go:3:19: "), "{}", named.out);
    let unnamed = run(&["check", "-", "--format", "concise"], WRONG).ends_with(1);
    assert!(unnamed.out.starts_with("<stdin>:3:19: "), "{}", unnamed.out);
    let fixed = run(&["check", "-", "--fix"], UNUSED).ends_with(0);
    assert_eq!(fixed.out, "package a\n\nfunc f() {\n\tprintln()\n}\n");
    assert_eq!(run(&["check", "-", "--fix"], CLEAN).ends_with(0).out, CLEAN);
}

#[cfg(unix)]
#[test]
fn a_reader_that_leaves_is_no_failure() {
    let tree = Tree::new(&[]);
    for n in 0..200 {
        tree.write(&format!("f{n}.go"), WRONG.as_bytes());
    }
    let mut child = command(tree.0.path())
        .args(["check", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    drop(child.stdout.take());
    let run = Run::new(child.wait_with_output().expect("ends"));
    assert_eq!(run.err, "");
}

#[test]
fn colours_are_for_terminals() {
    let tree = Tree::new(&[("a.go", WRONG)]);
    assert!(!tree.run(&["check"]).out.contains('\u{1b}'));
    assert!(
        tree.run(&["check", "--color", "always"])
            .out
            .contains("\u{1b}[")
    );
    let frame = tree.run(&["check"]).out;
    assert!(
        frame.starts_with("warning[invalid-suppression]: "),
        "{frame}"
    );
    assert!(frame.contains(" --> a.go:3:19\n"), "{frame}");
}

#[test]
fn rules_explain_themselves() {
    let tree = Tree::new(&[]);
    let list = tree.run(&["rule"]).ends_with(0).out;
    let page = tree.run(&["rule", "unclosed-file"]).ends_with(0).out;
    assert!(list.contains("unclosed-file"), "{list}");
    assert!(
        page.contains("Why it leaks") && page.contains("defer f.Close()"),
        "{page}"
    );
    let all: Value =
        serde_json::from_str(&tree.run(&["rule", "--format", "json"]).out).expect("JSON");
    assert!(
        all.as_array()
            .expect("an array")
            .iter()
            .any(|rule| rule["name"] == "dropped-cancel")
    );
}

#[test]
fn smaller_commands() {
    let tree = Tree::new(&[]);
    let version: Value = serde_json::from_str(
        &tree
            .run(&["version", "--output-format", "json"])
            .ends_with(0)
            .out,
    )
    .expect("JSON");
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(tree.run(&["version"]).out, tree.run(&["--version"]).out);
    let schema: Value =
        serde_json::from_str(&tree.run(&["config", "schema"]).ends_with(0).out).expect("JSON");
    assert!(schema["properties"]["select"].is_object());
    assert!(
        tree.run(&["completions", "bash"])
            .ends_with(0)
            .out
            .contains("stopleak")
    );
    tree.run(&["config", "verify"]).ends_with(0);
    let shown = tree.run(&["config", "show"]).ends_with(0).out;
    tree.write("stopleak.toml", shown.as_bytes());
    tree.run(&["config", "verify"]).ends_with(0);
}

#[test]
fn the_server_speaks_over_stdin_and_stdout() {
    let tree = Tree::new(&[]);
    let mut child = command(tree.0.path())
        .args(["server", "--stdio"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    let messages = [
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}"#,
        r#"{"jsonrpc":"2.0","method":"initialized","params":{}}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"shutdown"}"#,
    ];
    let mut stdin = child.stdin.take().expect("stdin");
    let mut send = |message: &str| {
        write!(stdin, "Content-Length: {}\r\n\r\n{message}", message.len()).expect("writes");
    };
    messages.into_iter().for_each(&mut send);
    let mut stdout = child.stdout.take().expect("stdout");
    let mut out = String::new();
    while !(out.contains("\"capabilities\"") && out.contains("\"id\":2")) {
        let mut some = [0; 4096];
        let count = stdout.read(&mut some).expect("reads");
        assert!(count > 0, "the server ended early: {out}");
        out.push_str(&String::from_utf8_lossy(&some[..count]));
    }
    send(r#"{"jsonrpc":"2.0","method":"exit"}"#);
    // stdin stays open: the server has to end by itself.
    assert_eq!(child.wait().expect("ends").code(), Some(0));
    drop(stdin);
}

/// The root of the repository.
fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("two folders up")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("folder");
    for entry in fs::read_dir(from).expect("folder") {
        let entry = entry.expect("entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copies");
        }
    }
}

#[test]
fn the_sample_leaks_once_for_each_rule_that_it_shows() {
    let run = Run::new(
        command(repository())
            .args(["check", "--format", "json", "tests/sample"])
            .output()
            .expect("runs"),
    )
    .ends_with(1);
    let mut found: Vec<String> = run
        .json()
        .iter()
        .map(|finding| finding["rule"].as_str().expect("a name").to_owned())
        .collect();
    found.sort();
    let listed = Run::new(
        command(repository())
            .args(["rule", "--format", "json"])
            .output()
            .expect("runs"),
    )
    .json();
    let rules: Vec<&str> = listed
        .iter()
        .map(|rule| rule["name"].as_str().expect("a name"))
        .collect();
    assert!(found.len() >= 7, "{found:?}");
    for (i, rule) in found.iter().enumerate() {
        assert!(rules.contains(&rule.as_str()), "{rule}");
        assert!(!found[..i].contains(rule), "{rule} is found twice");
    }
}

#[test]
fn fixing_the_sample_leaves_what_needs_a_choice() {
    let tree = Tree::new(&[]);
    copy(&repository().join("tests/sample"), tree.0.path());
    let before = tree.run(&["check", "--format", "json"]).json();
    let safe = before.iter().filter(|finding| {
        let fixes = finding["fixes"].as_array().expect("fixes");
        fixes.iter().any(|fix| fix["safety"] == "safe")
    });
    let (all, safe) = (before.len(), safe.count());
    assert!(safe > 0);
    let diff = tree.run(&["check", "--diff"]).out;
    let run = tree.run(&["check", "--fix"]);
    assert!(
        run.out.contains(&format!("Fixed {safe} findings. ")),
        "{}",
        run.out
    );
    assert_eq!(
        tree.run(&["check", "--format", "json"]).json().len(),
        all - safe
    );
    let feed = tree.read("internal/feed/feed.go");
    let inserted: Vec<_> = diff
        .lines()
        .filter_map(|line| line.strip_prefix("+\t"))
        .collect();
    assert!(inserted.contains(&"defer resp.Body.Close()"), "{diff}");
    assert_eq!(
        feed.matches("defer resp.Body.Close()").count(),
        1,
        "the late one has moved up"
    );
    // Unsafe fixes come only when they are asked for; nothing is left then.
    tree.run(&["check", "--fix", "--unsafe-fixes"]).ends_with(0);
}

#[test]
fn the_example_of_the_readme_is_true() {
    let readme = repository().join("README.md");
    let text = fs::read_to_string(&readme).expect("the README");
    let run = Run::new(
        command(repository())
            .args(["check", "tests/sample/internal/feed"])
            .output()
            .expect("runs"),
    )
    .ends_with(1);
    let (begin, end) = ("<!-- begin example -->\n", "<!-- end example -->");
    let start = text.find(begin).expect("the marker") + begin.len();
    let stop = text.find(end).expect("the marker");
    let example = format!(
        "```\n$ stopleak check tests/sample/internal/feed\n{}```\n",
        run.out
    );
    if text[start..stop] != example && std::env::var_os("STOPLEAK_BLESS").is_some() {
        let blessed = format!("{}{example}{}", &text[..start], &text[stop..]);
        fs::write(&readme, blessed).expect("writes");
        return;
    }
    assert_eq!(
        &text[start..stop],
        example,
        "STOPLEAK_BLESS=1 writes it anew"
    );
}

#[test]
fn leak_checks_and_profiles_are_added() {
    let tree = Tree::new(&[
        ("go.mod", "module m\n\ngo 1.27\n"),
        ("main.go", "package main\n\nfunc main() {\n\tprintln()\n}\n"),
        (
            "main_test.go",
            "package main\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) {\n\tt.Log()\n}\n",
        ),
    ]);
    let shown = tree.run(&["add", "pprof", "--diff"]).ends_with(0);
    assert!(shown.out.contains("+++ pprof.go"), "{shown:#?}");
    assert!(shown.out.contains("+\tgo servePprof()"), "{shown:#?}");
    assert!(!tree.path("pprof.go").exists());

    let added = tree.run(&["add", "pprof"]).ends_with(0);
    assert_eq!(added.out, "new: pprof.go\nchanged: main.go\n");
    assert!(tree.read("main.go").contains("\tgo servePprof()\n"));
    let again = tree.run(&["add", "pprof"]).ends_with(2);
    assert!(
        again.err.contains("declares `servePprof` itself"),
        "{again:#?}"
    );

    let added = tree.run(&["add", "leak-test"]).ends_with(0);
    assert_eq!(added.out, "new: leak_test.go\n");
    assert!(tree.read("leak_test.go").contains("goroutineleak"));
    let diff = tree
        .run(&["add", "bubble", "main_test.go", "TestA", "--diff"])
        .ends_with(0);
    assert!(
        diff.out.contains("synctest.Test(t, func(t *testing.T) {"),
        "{diff:#?}"
    );
    let goleak = tree
        .run(&["add", "leak-test", "--with", "goleak", "--diff"])
        .ends_with(2);
    assert!(goleak.err.contains("runAndFindLeaks"), "{goleak:#?}");
    let missing = tree.run(&["add", "pprof", "nowhere"]).ends_with(2);
    assert!(missing.err.contains("does not exist"), "{missing:#?}");
}
