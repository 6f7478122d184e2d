//! Code actions, commands and hovers.

use serde_json::{Value, json};

use crate::client::{Client, Setup, apply, leak, leaky, mended, module, range, uri};

/// A document with one leak, open.
fn session(setup: Setup, text: &str) -> (tempfile::TempDir, Client, String) {
    let dir = module();
    let mut client = setup.root(dir.path()).start();
    let uri = uri(&dir.path().join("a.go"));
    client.open(&uri, 1, text);
    client.diagnostics(&uri);
    (dir, client, uri)
}

fn titled<'a>(actions: &'a [Value], part: &str) -> &'a Value {
    actions
        .iter()
        .find(|action| action["title"].as_str().unwrap().contains(part))
        .unwrap_or_else(|| panic!("{part} in {actions:#?}"))
}

fn place(client: &Client, uri: &str, i: usize) -> Value {
    client.published[uri].1[i]["range"].clone()
}

#[test]
fn a_fix_there_and_back() {
    let text = leaky("a");
    let (_dir, mut client, uri) = session(Setup::default(), &text);
    let actions = client.actions(&uri, place(&client, &uri, 0), json!({}));
    let first = &actions[0];
    assert_eq!(
        first["title"], "stopleak: defer `f.Close()`",
        "the fix comes first: {actions:#?}"
    );
    assert_eq!(first["kind"], "quickfix");
    assert_eq!(first["isPreferred"], true);
    assert_eq!(first["diagnostics"][0]["code"], "unclosed-file");
    assert!(first.get("edit").is_none(), "made when it is chosen");
    let resolved = client.request("codeAction/resolve", first.clone());
    let edit = &resolved["edit"];
    assert_eq!(
        edit["documentChanges"][0]["textDocument"],
        json!({ "uri": uri, "version": 1 })
    );
    let fixed = apply(&text, edit);
    assert_eq!(fixed, mended(&text));
    client.replace(&uri, 2, &fixed);
    assert_eq!(client.diagnostics_of(&uri, 2).len(), 0);
    client.leave();
}

#[test]
fn actions_have_their_order() {
    let text = "package m\n\nimport \"os\"\n\nfunc put(name string, data []byte) error {\n\tf, err := os.Create(name)\n\tif err != nil {\n\t\treturn err\n\t}\n\tif len(data) == 0 {\n\t\treturn nil\n\t}\n\tif _, err := f.Write(data); err != nil {\n\t\treturn err\n\t}\n\treturn f.Close()\n}\n";
    let setup = Setup::default().with("window", json!({ "showDocument": { "support": true } }));
    let (_dir, mut client, uri) = session(setup, text);
    let actions = client.actions(&uri, place(&client, &uri, 0), json!({}));
    let titles: Vec<&str> = (actions.iter())
        .map(|action| action["title"].as_str().unwrap())
        .collect();
    let wanted = [
        "defer `f.Close()`",
        "and return its error",
        "on this line",
        "in this file",
        "open the page",
        "fix all that is safe",
    ];
    assert_eq!(titles.len(), wanted.len(), "{titles:#?}");
    for (title, wanted) in titles.iter().zip(wanted) {
        assert!(title.contains(wanted), "{titles:#?}");
    }
    let preferred = |action: &Value| action["isPreferred"] == true;
    assert!(preferred(&actions[0]));
    assert!(!actions[1..].iter().any(preferred), "{actions:#?}");
    client.leave();
}

#[test]
fn clients_that_resolve_nothing_get_edits_at_once() {
    let text = leaky("a");
    let of = |setup: Setup| {
        let (_dir, mut client, uri) = session(setup, &text);
        let actions = client.actions(&uri, place(&client, &uri, 0), json!({}));
        assert_eq!(apply(&text, &actions[0]["edit"]), mended(&text));
        client.leave();
        actions[0]["edit"].clone()
    };
    let nothing = Setup::default()
        .with("textDocument.codeAction", json!({}))
        .with("workspace.workspaceEdit", json!({}));
    assert!(of(nothing)["changes"].is_object());
    // Those that have every server resolve the actions of all say so.
    of(Setup::default().with("experimental", json!({ "stopleakWholeActions": true })));
}

#[test]
fn a_fix_of_another_version_is_refused() {
    let text = leaky("a");
    let (_dir, mut client, uri) = session(Setup::default(), &text);
    let action = client.actions(&uri, place(&client, &uri, 0), json!({}))[0].clone();
    client.replace(&uri, 2, &text.replacen("package m\n", "package m\n\n", 1));
    assert_eq!(
        client.request_error("codeAction/resolve", action.clone()),
        -32801
    );
    // Closed and opened, the version may be the same again.
    client.close(&uri);
    assert_eq!(
        client.request_error("codeAction/resolve", action.clone()),
        -32801
    );
    client.open(&uri, 1, &text.replacen("package m\n", "package m\n\n", 1));
    assert_eq!(
        client.request_error("codeAction/resolve", action.clone()),
        -32801
    );
    client.replace(&uri, 2, "package m\n");
    assert_eq!(client.request_error("codeAction/resolve", action), -32801);
    let odd = json!({ "title": "x", "data": { "uri": 1 } });
    assert_eq!(client.request_error("codeAction/resolve", odd), -32602);
    assert_eq!(
        client.request("codeAction/resolve", json!({ "title": "x" })),
        json!({ "title": "x" })
    );
    client.leave();
}

#[test]
fn findings_are_meant_by_touch_by_name_or_by_line() {
    let (_dir, mut client, uri) = session(Setup::default(), &leaky("a"));
    let line = place(&client, &uri, 0)["start"]["line"].as_u64().unwrap() as u32;
    let cursor = range((line, 0), (line, 0));
    let elsewhere = range((line + 3, 0), (line + 3, 0));
    let named = json!({ "diagnostics": client.published[&uri].1 });
    let fixes = |actions: &[Value]| {
        actions
            .iter()
            .filter(|action| action["isPreferred"] == true)
            .count()
    };
    // Neovim and Helix: the cursor at the start of the line, the diagnostic in the context.
    assert_eq!(
        fixes(&client.actions(&uri, cursor.clone(), named.clone())),
        1
    );
    assert_eq!(fixes(&client.actions(&uri, cursor.clone(), json!({}))), 1);
    // Helix: a selection of one character, on the last place of a line the end of the line.
    for end in [(line, 1), (line + 1, 0)] {
        let selection = range((line, 0), end);
        assert_eq!(fixes(&client.actions(&uri, selection, json!({}))), 1);
    }
    // VS Code at every move of the cursor: only what it touches.
    assert_eq!(
        client.actions(&uri, cursor, json!({ "triggerKind": 2 })),
        Vec::<Value>::new()
    );
    assert_eq!(
        client.actions(&uri, elsewhere.clone(), json!({ "triggerKind": 2 })),
        Vec::<Value>::new()
    );
    assert_eq!(
        fixes(&client.actions(&uri, elsewhere.clone(), json!({}))),
        0
    );
    assert_eq!(fixes(&client.actions(&uri, elsewhere, named)), 1);
    // Kate: the whole document.
    assert_eq!(
        fixes(&client.actions(&uri, range((0, 0), (1000, 0)), json!({}))),
        1
    );
    client.leave();
}

#[test]
fn only_the_kinds_that_are_asked_for() {
    let (_dir, mut client, uri) = session(Setup::default(), &leaky("a"));
    let here = place(&client, &uri, 0);
    let mut kinds = |only: &[&str]| -> Vec<String> {
        let actions = client.actions(&uri, here.clone(), json!({ "only": only }));
        let mut kinds: Vec<String> = actions
            .iter()
            .map(|action| action["kind"].as_str().unwrap().to_owned())
            .collect();
        kinds.dedup();
        kinds
    };
    let fix_all = ["source.fixAll.stopleak"];
    for only in ["source", "source.fixAll", "source.fixAll.stopleak"] {
        assert_eq!(kinds(&[only]), fix_all, "{only}");
    }
    assert_eq!(kinds(&["quickfix"]), ["quickfix"]);
    assert_eq!(
        kinds(&["source.organizeImports", "refactor", "source.fixAll.other"]),
        [""; 0]
    );
    client.leave();
}

#[test]
fn all_that_is_safe_at_once() {
    let text = leaky("a") + "\n" + &leak("b");
    let (_dir, mut client, uri) = session(Setup::default(), &text);
    let whole = range((0, 0), (100, 0));
    let actions = client.actions(&uri, whole.clone(), json!({ "only": ["source.fixAll"] }));
    assert_eq!(actions.len(), 1);
    let resolved = client.request("codeAction/resolve", actions[0].clone());
    let fixed = apply(&text, &resolved["edit"]);
    assert_eq!(fixed, mended(&text));
    // The command does the same through the client.
    let command = json!({ "command": "stopleak.fixAll", "arguments": [{ "uri": uri }] });
    client.request("workspace/executeCommand", command);
    let edit = client.wait_for(|message| message["method"] == "workspace/applyEdit");
    assert_eq!(apply(&text, &edit["params"]["edit"]), fixed);
    client.replace(&uri, 2, &fixed);
    assert_eq!(client.diagnostics_of(&uri, 2).len(), 0);
    assert_eq!(
        client.actions(&uri, whole, json!({ "only": ["source.fixAll"] })),
        Vec::<Value>::new()
    );
    client.leave();
}

#[test]
fn commands_with_wrong_arguments() {
    let (_dir, mut client, _) = session(Setup::default(), &leaky("a"));
    for command in [
        json!({ "command": "stopleak.fixAll" }),
        json!({ "command": "stopleak.fixAll", "arguments": ["file:///not/open.go"] }),
        json!({ "command": "stopleak.openRule", "arguments": ["no-such-rule"] }),
        json!({ "command": "stopleak.noSuchCommand" }),
    ] {
        assert_eq!(
            client.request_error("workspace/executeCommand", command),
            -32602
        );
    }
    client.leave();
}

#[test]
fn a_suppression_and_its_end() {
    let text = leaky("a");
    let (_dir, mut client, uri) = session(Setup::default(), &text);
    let actions = client.actions(&uri, place(&client, &uri, 0), json!({}));
    let line = titled(&actions, "on this line");
    let resolved = client.request("codeAction/resolve", line.clone());
    let suppressed = apply(&text, &resolved["edit"]);
    assert!(
        suppressed.contains("//stopleak:ignore unclosed-file"),
        "{suppressed}"
    );
    client.replace(&uri, 2, &suppressed);
    assert_eq!(client.diagnostics_of(&uri, 2).len(), 0);

    let at = suppressed
        .lines()
        .position(|line| line.contains("stopleak:ignore"))
        .unwrap() as u32;
    let hover = client.request(
        "textDocument/hover",
        json!({ "textDocument": { "uri": uri }, "position": { "line": at, "character": 8 } }),
    );
    let said = hover["contents"]["value"].as_str().unwrap();
    assert!(said.contains("Silences `unclosed-file`"), "{said}");

    // The leak is mended, the comment stays.
    let unused = mended(&suppressed);
    client.replace(&uri, 3, &unused);
    let found = client.diagnostics_of(&uri, 3);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["code"], "unused-suppression");
    assert_eq!(found[0]["tags"], json!([1]));
    let actions = client.actions(&uri, found[0]["range"].clone(), json!({}));
    let resolved = client.request("codeAction/resolve", actions[0].clone());
    assert_eq!(apply(&unused, &resolved["edit"]), mended(&text));

    let file = client_file_suppression(&mut client, &uri, &text);
    assert!(
        file.contains("//stopleak:ignore-file unclosed-file"),
        "{file}"
    );
    client.leave();
}

fn client_file_suppression(client: &mut Client, uri: &str, text: &str) -> String {
    client.replace(uri, 4, text);
    client.diagnostics_of(uri, 4);
    let actions = client.actions(uri, place(client, uri, 0), json!({}));
    let action = titled(&actions, "in this file").clone();
    let resolved = client.request("codeAction/resolve", action);
    apply(text, &resolved["edit"])
}

#[test]
fn suppressing_actions_can_be_switched_off() {
    let setup = Setup::default().options(json!({ "suppressActions": false }));
    let (_dir, mut client, uri) = session(setup, &leaky("a"));
    let actions = client.actions(&uri, place(&client, &uri, 0), json!({}));
    assert!(
        actions
            .iter()
            .all(|action| !action["title"].as_str().unwrap().contains("silence")),
        "{actions:#?}"
    );
    client.leave();
}

#[test]
fn the_page_of_a_rule() {
    let setup = Setup::default().with("window.showDocument", json!({ "support": true }));
    let (_dir, mut client, uri) = session(setup, &leaky("a"));
    let actions = client.actions(&uri, place(&client, &uri, 0), json!({}));
    let command = &titled(&actions, "open the page")["command"];
    client.request(
        "workspace/executeCommand",
        json!({ "command": command["command"], "arguments": command["arguments"] }),
    );
    let shown = client.wait_for(|message| message["method"] == "window/showDocument");
    assert!(
        shown["params"]["uri"]
            .as_str()
            .unwrap()
            .ends_with("/docs/rules/unclosed-file.md")
    );
    client.leave();
}

#[test]
fn a_hover_tells_the_path() {
    let (_dir, mut client, uri) = session(Setup::default(), &leaky("a"));
    let start = place(&client, &uri, 0)["start"].clone();
    let hover = client.request(
        "textDocument/hover",
        json!({ "textDocument": { "uri": uri }, "position": start }),
    );
    let said = hover["contents"]["value"].as_str().unwrap();
    assert!(
        said.contains("unclosed-file") && said.contains("1. line "),
        "{said}"
    );
    assert_eq!(hover["range"], place(&client, &uri, 0));
    let position = json!({ "line": 0, "character": 0 });
    let nothing = client.request(
        "textDocument/hover",
        json!({ "textDocument": { "uri": uri }, "position": position }),
    );
    assert_eq!(nothing, Value::Null);
    let unknown = json!({ "textDocument": { "uri": "file:///not/open.go" }, "position": position });
    assert_eq!(client.request("textDocument/hover", unknown), Value::Null);
    client.leave();
}

#[test]
fn comments_to_stopleak_are_completed_and_explained() {
    let text = "package a

import \"os\"

//stopleak:owns f
func keep(f *os.File, name string) {}

//stopleak:
func next(f *os.File) {
	_ = f //stopleak:ignore unclosed-file, 
}

//stopleak:must-call 
func open(name string) (*os.File, error) { return os.Open(name) }
";
    let (_dir, mut client, uri) = session(Setup::default(), text);
    let mut labels = |line: usize, character: usize| -> Vec<String> {
        let items = client.request(
            "textDocument/completion",
            json!({ "textDocument": { "uri": uri }, "position": { "line": line, "character": character } }),
        );
        items
            .as_array()
            .into_iter()
            .flatten()
            .map(|item| item["label"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    assert_eq!(labels(4, 16), ["f", "name"]);
    assert!(labels(7, 11).contains(&"stopleak:must-call".to_owned()));
    assert!(labels(9, 40).contains(&"unclosed-file".to_owned()));
    assert_eq!(labels(12, 21), ["Close"]);
    assert_eq!(labels(5, 6), [""; 0]);
    let hover = client.request(
        "textDocument/hover",
        json!({ "textDocument": { "uri": uri }, "position": { "line": 4, "character": 4 } }),
    );
    let said = hover["contents"]["value"].as_str().unwrap();
    assert!(said.contains("A call takes over `f`"), "{said}");
    client.leave();
}

#[test]
fn a_resource_of_the_configuration_is_followed_once_it_is_written() {
    let text = "package a

type lease struct{}

func (l *lease) Release() {}

func take() *lease { return leases[0] }

var leases []*lease

func f() {
	l := take()
	_ = l
}
";
    let (dir, mut client, uri) = session(Setup::default(), text);
    let config = dir.path().join("stopleak.toml");
    let module = std::fs::read_to_string(dir.path().join("go.mod")).unwrap_or_default();
    let path = module
        .lines()
        .find_map(|line| line.strip_prefix("module "))
        .unwrap_or("command-line-arguments")
        .to_owned();
    std::fs::write(
        &config,
        format!("[[resource]]\nacquire = \"{path}.take\"\nrelease = \"Release\"\n"),
    )
    .unwrap();
    client.watched(&config);
    let found = client.diagnostics(&uri);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["code"], "unclosed-resource");
    client.leave();
}

/// The actions that need no finding, by their titles.
fn companions(client: &mut Client, uri: &str, place: Value, context: Value) -> Vec<Value> {
    let mut actions = client.actions(uri, place, context);
    actions.retain(|action| action["diagnostics"].is_null() && action["edit"].is_object());
    actions
}

#[test]
fn a_program_is_given_profiles_and_tests_a_leak_check() {
    let dir = module();
    std::fs::write(dir.path().join("go.mod"), "module m\n\ngo 1.27\n").unwrap();
    let mut client = Setup::default()
        .with(
            "workspace.workspaceEdit",
            json!({ "documentChanges": true, "resourceOperations": ["create"] }),
        )
        .root(dir.path())
        .start();
    let main = uri(&dir.path().join("cmd/main.go"));
    std::fs::create_dir_all(dir.path().join("cmd")).unwrap();
    let text = "package main\n\nfunc main() {\n\tprintln()\n}\n";
    std::fs::write(dir.path().join("cmd/main.go"), text).unwrap();
    client.open(&main, 3, text);
    client.diagnostics(&main);

    let head = range((2, 5), (2, 5));
    let found = companions(&mut client, &main, head.clone(), json!({}));
    let action = titled(&found, "serve the profiles of this program");
    assert_eq!(action["kind"], "source.servePprof.stopleak");
    let changes = action["edit"]["documentChanges"].as_array().unwrap();
    let new = uri(&dir.path().join("cmd/pprof.go"));
    assert_eq!(changes[0], json!({ "kind": "create", "uri": new }));
    assert_eq!(
        changes[1]["textDocument"],
        json!({ "uri": new, "version": null })
    );
    assert_eq!(
        changes[2]["textDocument"],
        json!({ "uri": main, "version": 3 })
    );
    assert_eq!(changes[2]["edits"][0]["newText"], "\n\tgo servePprof()");

    // In the body and in a menu that opens by itself there is nothing, but it can be asked for anywhere.
    let body = range((3, 2), (3, 2));
    assert!(companions(&mut client, &main, body.clone(), json!({})).is_empty());
    let by_itself = json!({ "triggerKind": 2 });
    assert!(companions(&mut client, &main, head, by_itself).is_empty());
    let source = json!({ "only": ["source"] });
    assert_eq!(companions(&mut client, &main, body, source).len(), 1);

    let test = uri(&dir.path().join("a_test.go"));
    let text = "package m\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) {\n\tt.Log()\n}\n";
    std::fs::write(dir.path().join("a_test.go"), text).unwrap();
    client.open(&test, 1, text);
    client.diagnostics(&test);
    let found = companions(&mut client, &test, range((0, 0), (0, 0)), json!({}));
    let action = titled(&found, "tests fail when they leave goroutines behind");
    assert_eq!(action["kind"], "source.addLeakTest.stopleak");
    let found = companions(&mut client, &test, range((4, 6), (4, 6)), json!({}));
    let action = titled(&found, "run TestA in a bubble");
    assert_eq!(action["kind"], "refactor.rewrite.bubble.stopleak");
    client.leave();
}
