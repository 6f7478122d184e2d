//! Parsing, discovery and selection.

use std::fs;
use std::path::Path;

use leak_rules::{Diagnostic, Severity};
use stopleak_config::{Config, Discovery, EditorSettings, Excluded, GoVersion, Run, Settings};

fn error_at(text: &str) -> (String, String) {
    let error = text.parse::<Config>().expect_err("the text is wrong");
    let range = error.range.expect("errors have a place");
    (error.message, text[range].to_owned())
}

#[test]
fn the_empty_text_is_the_default() {
    assert_eq!("".parse::<Config>().expect("parses"), Config::default());
}

#[test]
fn every_option_survives_a_round_trip() {
    let text = r#"
select = ["resources"]
ignore = ["unstopped-timer"]
overlaps = "off"
exclude = ["gen/**", "*.pb.go"]
include-generated = true
tests = false
go-version = "1.22"
require-reason = true
report-unused-suppressions = false

[severity]
unclosed-file = "hint"
defer-in-loop = "off"

[per-file-ignores]
"tools/**" = ["unclosed-file"]

[build]
goos = "linux"
goarch = "amd64"
tags = ["integration"]
"#;
    let config: Config = text.parse().expect("parses");
    assert_eq!(config.build.tags, ["integration"]);
    assert_eq!(
        config.to_toml().parse::<Config>().expect("parses again"),
        config
    );
}

#[test]
fn errors_have_a_place() {
    let (message, at) = error_at("tests = true\nexlude = [\"x\"]\n");
    assert!(message.contains("unknown field `exlude`"), "{message}");
    assert_eq!(at, "exlude");

    let (message, at) = error_at("select = [\"unclosed-file\", \"unclosed-fil\"]\n");
    assert!(
        message.contains("did you mean `unclosed-file`?"),
        "{message}"
    );
    assert_eq!(at, "\"unclosed-fil\"");

    let (message, at) = error_at("[severity]\nnonsense = \"hint\"\n");
    assert!(message.contains("unknown rule `nonsense`"), "{message}");
    assert_eq!(at, "nonsense");

    let (_, at) = error_at("[severity]\nunclosed-file = \"loud\"\n");
    assert_eq!(at, "\"loud\"");

    let (message, at) = error_at("go-version = \"latest\"\n");
    assert!(message.contains("not a Go version"), "{message}");
    assert_eq!(at, "\"latest\"");

    let (_, at) = error_at("[build]\ngooos = \"linux\"\n");
    assert_eq!(at, "gooos");

    assert!("select = [".parse::<Config>().is_err());
}

#[test]
fn the_nearest_file_wins_and_is_remembered() {
    let tree = tempfile::tempdir().expect("a folder");
    let root = tree.path();
    fs::create_dir_all(root.join("a/b/c")).expect("folders");
    fs::write(root.join("stopleak.toml"), "tests = false\n").expect("file");
    fs::write(root.join("a/.stopleak.toml"), "exclude = [\"b/c\"]\n").expect("file");

    let discovery = Discovery::new(Some(root.to_path_buf()));
    let outer = discovery.for_file(&root.join("x_test.go")).expect("loads");
    assert_eq!(
        outer.excluded(&root.join("x_test.go")),
        Some(Excluded::Test)
    );
    assert_eq!(outer.excluded(&root.join("x.go")), None);

    let inner = discovery.for_file(&root.join("a/b/c/x.go")).expect("loads");
    assert_eq!(inner.root(), root.join("a"));
    assert_eq!(
        inner.excluded(&root.join("a/b/c/x.go")),
        Some(Excluded::Pattern)
    );
    assert_eq!(inner.excluded(&root.join("a/b/x_test.go")), None);

    fs::write(root.join("a/.stopleak.toml"), "wrong\n").expect("file");
    assert!(
        discovery.for_file(&root.join("a/b/y.go")).is_ok(),
        "remembered"
    );
    discovery.clear();
    let error = discovery
        .for_file(&root.join("a/b/y.go"))
        .expect_err("wrong now");
    assert!(error.to_string().contains(".stopleak.toml:1:"), "{error}");
}

#[test]
fn discovery_stops_where_it_is_told() {
    let tree = tempfile::tempdir().expect("a folder");
    let root = tree.path();
    fs::create_dir_all(root.join("a/b")).expect("folders");
    fs::write(root.join("stopleak.toml"), "tests = false\n").expect("file");
    let discovery = Discovery::new(Some(root.join("a")));
    let settings = discovery.for_file(&root.join("a/b/x.go")).expect("loads");
    assert_eq!(settings.file(), None);
}

fn finding(rule: &'static str) -> Diagnostic {
    Diagnostic {
        rule,
        severity: Severity::Warning,
        message: String::new(),
        range: Default::default(),
        function: None,
        related: Vec::new(),
        fixes: Vec::new(),
        unnecessary: false,
    }
}

fn kept(config: &str, path: &str) -> Vec<(&'static str, Severity)> {
    let settings = Settings::new(config.parse().expect("parses"), "/w".into(), None);
    let all = ["unclosed-file", "dropped-cancel", "unused-suppression"]
        .map(finding)
        .to_vec();
    settings
        .filter(Path::new(path), all)
        .into_iter()
        .map(|finding| (finding.rule, finding.severity))
        .collect()
}

#[test]
fn findings_are_selected_and_weighed() {
    use Severity::{Hint, Warning};
    let file = ("unclosed-file", Warning);
    let cancel = ("dropped-cancel", Warning);
    let unused = ("unused-suppression", Warning);
    assert_eq!(kept("", "/w/x.go"), [file, cancel, unused]);
    assert_eq!(
        kept("ignore = [\"unclosed-file\"]", "/w/x.go"),
        [cancel, unused]
    );
    assert_eq!(
        kept("select = [\"unclosed-file\"]", "/w/x.go"),
        [file, unused]
    );
    assert_eq!(kept("select = [\"memory\"]", "/w/x.go"), [unused]);
    assert_eq!(kept("overlaps = \"off\"", "/w/x.go"), [file, unused]);
    assert_eq!(
        kept(
            "overlaps = \"off\"\nselect = [\"all\", \"dropped-cancel\"]",
            "/w/x.go"
        ),
        [file, cancel, unused]
    );
    assert_eq!(
        kept(
            "severity = { unclosed-file = \"hint\", dropped-cancel = \"off\" }",
            "/w/x.go"
        ),
        [("unclosed-file", Hint), unused]
    );
    assert_eq!(
        kept("report-unused-suppressions = false", "/w/x.go"),
        [file, cancel]
    );
    let per_file = "[per-file-ignores]\n\"tools/**\" = [\"unclosed-file\"]";
    assert_eq!(kept(per_file, "/w/tools/x.go"), [cancel, unused]);
    assert_eq!(
        kept(per_file, "/elsewhere/tools/x.go"),
        [file, cancel, unused]
    );
}

#[test]
fn go_versions_are_read() {
    let version = |text| GoVersion::parse(text).map(|version| (version.major, version.minor));
    assert_eq!(version("1.22"), Some((1, 22)));
    assert_eq!(version("go1.22.3"), Some((1, 22)));
    assert_eq!(version("1.23rc1"), Some((1, 23)));
    assert_eq!(version("1"), None);
    assert_eq!(version("1.x"), None);
    assert_eq!(version("1."), None);
}

#[test]
fn editors_may_send_less_and_more() {
    let settings: EditorSettings =
        serde_json::from_str(r#"{"run":"onSave","somethingElse":1}"#).expect("parses");
    assert_eq!(settings.run, Run::OnSave);
    assert!(settings.enable);
}

#[test]
fn the_schema_names_every_option_with_its_text() {
    let schema = serde_json::to_value(stopleak_config::json_schema()).expect("serialises");
    let options = schema["properties"].as_object().expect("an object");
    assert!(options.contains_key("per-file-ignores"));
    for (name, option) in options {
        assert!(
            option["description"].is_string(),
            "{name} has no description"
        );
    }
    assert_eq!(schema["additionalProperties"], false);
}

fn resource(lines: &str) -> String {
    format!("[[resource]]\nacquire = \"example.com/pool.Pool.Get\"\nrelease = \"Put\"\n{lines}")
}

#[test]
fn functions_are_read() {
    use go_model::told::{FuncPath, Releaser, Weight};

    let text = r#"
[[resource]]
acquire = ["example.com/pool.Pool.Get", "example.com/pool.Pool[T].GetContext"]
release = ["example.com/pool.Pool.Put", "Discard", "()"]
argument = 1
noun = "connection"
result = 1
error = 2
severity = "hint"
tests = false

[[function]]
name = "example.com/store.Store.Save"
owns = [0]
borrows = ["receiver", 1]
never-returns = true
"#;
    let config: Config = text.parse().expect("parses");
    assert_eq!(
        config.to_toml().parse::<Config>().expect("parses again"),
        config
    );
    let told = config.told();
    let path = |text| FuncPath::parse(text).expect("a path");
    let found: Vec<_> = told
        .acquired_by(path("example.com/pool.Pool.GetContext"))
        .collect();
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].release,
        [
            Releaser::PassedTo(path("example.com/pool.Pool.Put"), 1),
            Releaser::Method("Discard".into()),
            Releaser::Call
        ]
    );
    assert_eq!(found[0].weight, Some(Weight::Hint));
    let said = told
        .function(path("example.com/store.Store.Save"))
        .expect("something is said");
    assert_eq!(said.claims.len(), 3);
    assert!(said.never_returns.is_some());
    assert!("".parse::<Config>().expect("parses").told().is_empty());
}

#[test]
fn mistakes_about_functions_have_a_place() {
    let mistakes = [
        (
            "[[resource]]\nacquire = \"example.com/pool\"\nrelease = \"Put\"\n",
            "names a package and no function",
            "\"example.com/pool\"",
        ),
        (
            "[[resource]]\nacquire = \"a.B\"\nrelease = \"\"\n",
            "`release` is empty",
            "\"\"",
        ),
        (
            "[[resource]]\nacquire = \"a.B\"\nrelease = [\"Close\", \"a b\"]\n",
            "neither the name of a method",
            "\"a b\"",
        ),
        (
            "[[resource]]\nacquire = \"a.B\"\n",
            "missing field `release`",
            "[[resource]]",
        ),
        (
            "[[resource]]\nacquire = \"os.Open\"\nrelease = \"Close\"\n",
            "rule `unclosed-file` follows it",
            "\"os.Open\"",
        ),
        (
            "[[resource]]\nacquire = \"a.B\"\nrelease = \"Close\"\nargument = 1\n",
            "`release` names none",
            "1",
        ),
        (
            "[[resource]]\nacquire = 1\nrelease = \"Close\"\n",
            "expected a string or an array of strings",
            "1",
        ),
        (
            "[[function]]\nname = \"a.B\"\n",
            "nothing is said",
            "\"a.B\"",
        ),
        (
            "[[function]]\nname = \"a.B\"\nowns = [0]\nborrows = [1, 0]\n",
            "argument 0 stands in `owns` already",
            "0",
        ),
        (
            "[[function]]\nname = \"a.B\"\nowns = [\"f\"]\n",
            "expected the number of an argument",
            "[\"f\"]",
        ),
        (
            "[[function]]\nname = \"a.B\"\nown = [0]\n",
            "unknown field `own`",
            "own",
        ),
    ];
    for (text, part, place) in mistakes {
        let (message, at) = error_at(text);
        assert!(message.contains(part), "{text}: {message}");
        assert_eq!(at.trim_end(), place, "{text}: {message}");
    }
    let (message, at) = error_at(&resource("result = 1\nerror = 1\n"));
    assert!(message.contains("cannot be both"), "{message}");
    assert_eq!(at, "1");
    let twice = resource("") + &resource("");
    let (message, at) = error_at(&twice);
    assert!(message.contains("above already"), "{message}");
    assert_eq!(at, "\"example.com/pool.Pool.Get\"");
}

#[test]
fn a_configuration_extends_another() {
    let tree = tempfile::tempdir().expect("a folder");
    let root = tree.path();
    fs::create_dir_all(root.join("a/gen")).expect("folders");
    fs::write(
        root.join("base.toml"),
        "tests = false\nexclude = [\"/a/gen\"]\nignore = [\"unclosed-file\"]\n[severity]\ndropped-cancel = \"hint\"\ndefer-in-loop = \"hint\"\n[per-file-ignores]\n\"/a/x.go\" = [\"all\"]\n[[resource]]\nacquire = \"a.B\"\nrelease = \"Close\"\n",
    )
    .expect("file");
    fs::write(
        root.join("a/stopleak.toml"),
        "extend = \"../base.toml\"\nignore = []\n[severity]\ndropped-cancel = \"off\"\n[[resource]]\nacquire = \"a.C\"\nrelease = \"Close\"\n",
    )
    .expect("file");
    let load = || Settings::load(&root.join("a/stopleak.toml"));
    let settings = load().expect("loads");
    let config = settings.config();
    assert!(!config.tests && config.ignore.is_empty());
    assert_eq!(config.severity.len(), 2);
    assert_eq!(config.resources.len(), 2);
    assert_eq!(settings.files().len(), 2);
    assert_eq!(settings.root(), root.join("a"));
    // Patterns are relative to the file that they stand in.
    assert_eq!(
        settings.excluded(&root.join("a/gen/y.go")),
        Some(Excluded::Pattern)
    );
    assert!(
        settings
            .effective_for(&root.join("a/x.go"))
            .rules
            .is_empty()
    );

    fs::write(root.join("base.toml"), "tests = 1\n").expect("file");
    let error = load().expect_err("the other file is wrong");
    assert_eq!(error.path, root.join("base.toml"));
    assert_eq!(error.asked, root.join("a/stopleak.toml"));

    fs::write(root.join("base.toml"), "extend = \"a/stopleak.toml\"\n").expect("file");
    let error = load().expect_err("a circle");
    assert!(error.to_string().contains("in a circle"), "{error}");
    assert_eq!(error.path, root.join("base.toml"));

    fs::write(
        root.join("base.toml"),
        "[[resource]]\nacquire = \"a.C\"\nrelease = \"Close\"\n",
    )
    .expect("file");
    let error = load().expect_err("twice");
    assert_eq!(error.path, root.join("a/stopleak.toml"));
    let range = error.error.range.clone().expect("a place");
    assert_eq!(&error.text[range], "\"a.C\"");

    fs::remove_file(root.join("base.toml")).expect("removed");
    let error = load().expect_err("not there");
    let range = error.error.range.clone().expect("a place");
    assert_eq!(&error.text[range], "\"../base.toml\"");
}
