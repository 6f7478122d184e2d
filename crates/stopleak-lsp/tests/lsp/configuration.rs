//! Configuration files, settings, folders.

use std::fs;

use serde_json::{Value, json};

use crate::client::{GETS, OTHER_CLIENT, REAL_CLIENT, Setup, leaky, module, uri};

#[test]
fn a_configuration_counts_without_a_restart() {
    let dir = module();
    let config = dir.path().join("stopleak.toml");
    let mut client = Setup::default().root(dir.path()).start();
    let go = uri(&dir.path().join("a.go"));
    client.open(&go, 1, &leaky("a"));
    assert_eq!(client.diagnostics(&go).len(), 1);

    fs::write(&config, "ignore = [\"unclosed-file\"]\n").unwrap();
    client.watched(&config);
    assert_eq!(client.diagnostics(&go).len(), 0);

    fs::write(&config, "severity = { unclosed-file = \"hint\" }\n").unwrap();
    client.watched(&config);
    assert_eq!(client.diagnostics(&go)[0]["severity"], 4);

    fs::remove_file(&config).unwrap();
    client.watched(&config);
    assert_eq!(client.diagnostics(&go)[0]["severity"], 2);
    client.leave();
}

#[test]
fn a_configuration_is_seen_at_a_save_when_nobody_watches() {
    let dir = module();
    let mut client = Setup::default().root(dir.path()).start();
    let go = uri(&dir.path().join("a.go"));
    client.open(&go, 1, &leaky("a"));
    assert_eq!(client.diagnostics(&go).len(), 1);
    fs::write(dir.path().join(".stopleak.toml"), "exclude = [\"a.go\"]\n").unwrap();
    client.save(&go, Some(&leaky("a")));
    assert_eq!(client.diagnostics(&go).len(), 0);
    client.leave();
}

#[test]
fn a_broken_configuration_is_a_finding_on_itself() {
    let dir = module();
    let config = dir.path().join("stopleak.toml");
    fs::write(&config, "ignore = [\"unclosed-file\"]\n").unwrap();
    let mut client = Setup::default().root(dir.path()).start();
    let go = uri(&dir.path().join("a.go"));
    client.open(&go, 1, &leaky("a"));
    assert_eq!(client.diagnostics(&go).len(), 0);

    fs::write(&config, "# é\nignore = []\nno-such-key = 1\n").unwrap();
    client.watched(&config);
    let problems = client.diagnostics(&uri(&config));
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0]["severity"], 1);
    assert_eq!(
        problems[0]["range"]["start"],
        json!({ "line": 2, "character": 0 })
    );
    assert!(
        problems[0]["message"]
            .as_str()
            .unwrap()
            .contains("no-such-key")
    );
    // The last good configuration stays in force.
    client.settle();
    assert_eq!(client.published[&go].1.len(), 0);

    fs::write(&config, "").unwrap();
    client.watched(&config);
    assert_eq!(client.diagnostics(&uri(&config)).len(), 0);
    assert_eq!(client.diagnostics(&go).len(), 1);
    client.leave();
}

#[test]
fn clients_that_pull_are_told_to_ask_again() {
    let dir = module();
    let config = dir.path().join("stopleak.toml");
    let mut client = Setup::default().pull().root(dir.path()).start();
    let go = uri(&dir.path().join("a.go"));
    client.open(&go, 1, &leaky("a"));
    let before = client.pull(&go, None);
    assert_eq!(before["items"].as_array().unwrap().len(), 1);
    fs::write(&config, "ignore = [\"unclosed-file\"]\n").unwrap();
    client.watched(&config);
    client.wait_for(|message| message["method"] == "workspace/diagnostic/refresh");
    let after = client.pull(&go, before["resultId"].as_str());
    assert_eq!(after["items"], json!([]));
    client.leave();
}

#[test]
fn what_is_watched() {
    let dir = module();
    let setup = Setup::default()
        .with(
            "workspace.didChangeWatchedFiles",
            json!({ "dynamicRegistration": true }),
        )
        .with(
            "workspace.didChangeConfiguration",
            json!({ "dynamicRegistration": true }),
        );
    let mut client = setup.root(dir.path()).start();
    let request = client.wait_for(|message| message["method"] == "client/registerCapability");
    let said = request["params"]["registrations"].to_string();
    for wanted in [
        "stopleak.toml",
        "go.mod",
        "go.work",
        "didChangeWatchedFiles",
        "didChangeConfiguration",
    ] {
        assert!(said.contains(wanted), "{said}");
    }
    client.leave();
}

#[test]
fn a_change_of_a_closed_file_shows() {
    let dir = module();
    let other = dir.path().join("client.go");
    fs::write(&other, OTHER_CLIENT).unwrap();
    let mut client = Setup::default().root(dir.path()).start();
    let go = uri(&dir.path().join("a.go"));
    client.open(&go, 1, GETS);
    assert_eq!(client.diagnostics(&go).len(), 0);
    fs::write(&other, REAL_CLIENT).unwrap();
    client.watched(&other);
    assert_eq!(client.diagnostics(&go).len(), 1);
    // When the client does not watch, a save is the time to look.
    fs::remove_file(&other).unwrap();
    client.save(&go, Some(GETS));
    assert_eq!(client.diagnostics(&go).len(), 0);
    client.leave();
}

#[test]
fn several_folders_with_settings_of_their_own() {
    let (one, two, three) = (module(), module(), module());
    fs::write(
        two.path().join("stopleak.toml"),
        "severity = { unclosed-file = \"hint\" }\n",
    )
    .unwrap();
    let setup = Setup::default()
        .with("workspace.configuration", json!(true))
        .root(one.path())
        .root(two.path());
    let mut client = setup.start();
    client.wait_for(|message| message["method"] == "workspace/configuration");
    let go = [&one, &two, &three].map(|dir| uri(&dir.path().join("a.go")));
    for go in &go {
        client.open(go, 1, &leaky("a"));
    }
    assert_eq!(client.diagnostics(&go[0])[0]["severity"], 2);
    assert_eq!(client.diagnostics(&go[1])[0]["severity"], 4);
    assert_eq!(client.diagnostics(&go[2])[0]["severity"], 2);

    client
        .settings
        .insert(uri(one.path()), json!({ "enable": false }));
    client.notify(
        "workspace/didChangeConfiguration",
        json!({ "settings": null }),
    );
    assert_eq!(client.diagnostics(&go[0]).len(), 0);

    client
        .settings
        .insert(uri(three.path()), json!({ "enable": false }));
    client.notify(
        "workspace/didChangeWorkspaceFolders",
        json!({ "event": { "added": [{ "uri": uri(three.path()), "name": "three" }], "removed": [{ "uri": uri(one.path()), "name": "one" }] } }),
    );
    assert_eq!(client.diagnostics(&go[2]).len(), 0);
    assert_eq!(
        client.diagnostics(&go[0]).len(),
        1,
        "no longer in a folder with settings"
    );
    client.leave();
}

#[test]
fn a_pause_is_as_long_as_its_folder_says() {
    let (patient, hasty) = (module(), module());
    let mut setup = Setup::default()
        .with("workspace.configuration", json!(true))
        .options(json!({ "debounce": 600_000 }))
        .root(patient.path())
        .root(hasty.path());
    setup.env.clear();
    let mut client = setup.start();
    client
        .settings
        .insert(uri(hasty.path()), json!({ "debounce": 0 }));
    client.wait_for(|message| message["method"] == "workspace/configuration");
    while !client.settle().contains("settings of") {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let go = [&patient, &hasty].map(|dir| uri(&dir.path().join("a.go")));
    for go in &go {
        client.open(go, 1, "package m\n");
        assert_eq!(client.diagnostics_of(go, 1).len(), 0);
    }
    client.replace(&go[0], 2, &leaky("a"));
    client.settle();
    assert_eq!(client.publications(&go[0]), 1, "the pause is not over");
    client.replace(&go[1], 2, &leaky("a"));
    assert_eq!(client.diagnostics_of(&go[1], 2).len(), 1);
    client.leave();
}

#[test]
fn settings_that_are_pushed() {
    let dir = module();
    let mut client = Setup::default().root(dir.path()).start();
    let go = uri(&dir.path().join("a.go"));
    client.open(&go, 1, &leaky("a"));
    assert_eq!(client.diagnostics(&go).len(), 1);
    client.notify(
        "workspace/didChangeConfiguration",
        json!({ "settings": { "stopleak": { "enable": false } } }),
    );
    assert_eq!(client.diagnostics(&go).len(), 0);
    client.notify(
        "workspace/didChangeConfiguration",
        json!({ "settings": { "stopleak": { "enable": "no" } } }),
    );
    client.wait_for(|message| {
        message["method"] == "window/logMessage"
            && message["params"]["message"]
                .as_str()
                .unwrap()
                .contains("enable")
    });
    assert_eq!(
        client.diagnostics(&go).len(),
        1,
        "a wrong setting has its default"
    );
    client.leave();
}

#[test]
fn a_configuration_that_is_named_in_the_settings() {
    let dir = module();
    fs::write(dir.path().join("other.toml"), "ignore = [\"all\"]\n").unwrap();
    let mut client = Setup::default()
        .root(dir.path())
        .options(json!({ "configuration": "other.toml" }))
        .start();
    let go = uri(&dir.path().join("a.go"));
    client.open(&go, 1, &leaky("a"));
    assert_eq!(client.diagnostics(&go).len(), 0);
    client.leave();
}

fn on_save() -> Value {
    json!({ "run": "onSave" })
}

#[test]
fn on_save_only() {
    let dir = module();
    let mut client = Setup::default().root(dir.path()).options(on_save()).start();
    let go = uri(&dir.path().join("a.go"));
    client.open(&go, 1, "package m\n");
    assert_eq!(client.diagnostics(&go).len(), 0);
    client.replace(&go, 2, &leaky("a"));
    client.settle();
    assert_eq!(client.publications(&go), 1);
    client.save(&go, Some(&leaky("a")));
    assert_eq!(client.diagnostics(&go).len(), 1);
    client.leave();
}

#[test]
fn on_save_only_for_clients_that_pull() {
    let dir = module();
    let mut client = Setup::default()
        .pull()
        .root(dir.path())
        .options(on_save())
        .start();
    let go = uri(&dir.path().join("a.go"));
    client.open(&go, 1, "package m\n");
    assert_eq!(client.pull(&go, None)["items"], json!([]));
    client.replace(&go, 2, &leaky("a"));
    assert_eq!(client.pull(&go, None)["items"], json!([]));
    client.save(&go, Some(&leaky("a")));
    assert_eq!(client.pull(&go, None)["items"].as_array().unwrap().len(), 1);
    client.replace(&go, 3, "package m\n");
    assert_eq!(client.pull(&go, None)["items"].as_array().unwrap().len(), 1);
    client.leave();
}

#[test]
fn generated_files_are_left_out_unless_asked_for() {
    let dir = module();
    let mut client = Setup::default().root(dir.path()).start();
    let go = uri(&dir.path().join("a.go"));
    let text = format!("// Code generated by x. DO NOT EDIT.\n\n{}", leaky("a"));
    client.open(&go, 1, &text);
    assert_eq!(client.diagnostics(&go).len(), 0);
    let config = dir.path().join("stopleak.toml");
    fs::write(&config, "include-generated = true\n").unwrap();
    client.watched(&config);
    assert_eq!(client.diagnostics(&go).len(), 1);
    client.leave();
}

const LOST_CANCEL: &str = "package m

import \"context\"

func wait(parent context.Context, ok bool) context.Context {
	ctx, cancel := context.WithCancel(parent)
	if ok {
		cancel()
	}
	return ctx
}
";

#[test]
fn what_gopls_says_can_be_left_to_it() {
    let dir = module();
    let mut client = Setup::default().root(dir.path()).start();
    let go = uri(&dir.path().join("a.go"));
    let text = LOST_CANCEL.to_owned() + "\n" + &crate::client::leak("a");
    let text = text.replace("import \"context\"", "import (\n\t\"context\"\n\t\"os\"\n)");
    client.open(&go, 1, &text);
    let codes = |found: &[Value]| -> Vec<String> {
        let codes = found
            .iter()
            .map(|it| it["code"].as_str().unwrap().to_owned());
        codes.collect()
    };
    let found = client.diagnostics(&go);
    assert_eq!(codes(&found), ["dropped-cancel", "unclosed-file"]);
    let setting = |on: bool| json!({ "settings": { "stopleak": { "leaveToGopls": on } } });
    client.notify("workspace/didChangeConfiguration", setting(true));
    let found = client.diagnostics(&go);
    assert_eq!(codes(&found), ["unclosed-file"]);
    // A comment that silences the rule elsewhere is not without use.
    let silenced = text.replace(
        "context.WithCancel(parent)",
        "context.WithCancel(parent) //stopleak:ignore dropped-cancel",
    );
    client.replace(&go, 2, &(silenced + &crate::client::leak("b")));
    let found = client.diagnostics_of(&go, 2);
    assert_eq!(codes(&found), ["unclosed-file", "unclosed-file"]);
    client.replace(&go, 3, &text);
    assert_eq!(client.diagnostics_of(&go, 3).len(), 1);
    client.notify("workspace/didChangeConfiguration", setting(false));
    assert_eq!(client.diagnostics(&go).len(), 2);
    client.leave();
}

/// Helix says that it watches files, but tells of those only that it wrote itself.
#[test]
fn a_go_mod_is_seen_at_a_save_by_clients_that_pull() {
    const TICKS: &str = "package m\n\nimport \"time\"\n\nfunc f(n int) {\n\tticker := time.NewTicker(time.Second)\n\tfor range n {\n\t\t<-ticker.C\n\t}\n}\n";
    for watches in [false, true] {
        let dir = module();
        let module = dir.path().join("go.mod");
        fs::write(&module, "module example.com/m\n\ngo 1.22\n").unwrap();
        let mut client = Setup::default()
            .pull()
            .with(
                "workspace.didChangeWatchedFiles",
                json!({ "dynamicRegistration": watches }),
            )
            .root(dir.path())
            .start();
        let go = uri(&dir.path().join("a.go"));
        client.open(&go, 1, TICKS);
        let severity = |client: &mut crate::client::Client| {
            client.pull(&go, None)["items"][0]["severity"].clone()
        };
        assert_eq!(severity(&mut client), 2);
        let refreshes = |client: &crate::client::Client| {
            let asked = |message: &&Value| message["method"] == "workspace/diagnostic/refresh";
            client.seen.iter().filter(asked).count()
        };
        client.save(&go, Some(TICKS));
        client.settle();
        assert_eq!(refreshes(&client), 0, "nothing has changed");
        fs::write(&module, "module example.com/m\n\ngo 1.23\n// and more\n").unwrap();
        client.save(&go, Some(TICKS));
        client.wait_for(|message| message["method"] == "workspace/diagnostic/refresh");
        assert_eq!(severity(&mut client), 4);
        client.leave();
    }
}

#[test]
fn settings_of_initialize_hold_where_nothing_else_is_said() {
    let dir = module();
    let mut client = Setup::default()
        .with("workspace.configuration", json!(true))
        .options(json!({ "enable": false }))
        .root(dir.path())
        .start();
    client.wait_for(|message| message["method"] == "workspace/configuration");
    let go = uri(&dir.path().join("a.go"));
    client.open(&go, 1, &leaky("a"));
    assert_eq!(client.diagnostics(&go).len(), 0);
    let changed = json!({ "settings": null });
    client
        .settings
        .insert(uri(dir.path()), json!({ "enable": true }));
    client.notify("workspace/didChangeConfiguration", changed.clone());
    assert_eq!(client.diagnostics(&go).len(), 1);
    client.settings.clear();
    client.notify("workspace/didChangeConfiguration", changed);
    assert_eq!(client.diagnostics(&go).len(), 0);
    client.leave();
}

#[test]
fn options_and_rules_are_explained_in_a_configuration() {
    let dir = module();
    let mut client = Setup::default().root(dir.path()).start();
    let config = uri(&dir.path().join("stopleak.toml"));
    let text = "overlaps = \"off\"\n[severity]\nunclosed-file = \"hint\"\n[build]\ngoos = \"linux\"\n[[resource]]\nacquire = \"x.Y\"\n";
    client.notify(
        "textDocument/didOpen",
        json!({ "textDocument": { "uri": config, "languageId": "toml", "version": 1, "text": text } }),
    );
    let mut hover = |line: u32, character: u32| -> String {
        let said = client.request(
            "textDocument/hover",
            json!({ "textDocument": { "uri": config }, "position": { "line": line, "character": character } }),
        );
        said["contents"]["value"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert!(
        hover(0, 3).contains("cover the ground of go vet"),
        "{}",
        hover(0, 3)
    );
    assert!(
        hover(1, 3).contains("Severity of single rules"),
        "{}",
        hover(1, 3)
    );
    assert!(
        hover(2, 5).contains("a file is not closed on some path"),
        "{}",
        hover(2, 5)
    );
    assert!(hover(4, 1).contains("`goos`"), "{}", hover(4, 1));
    assert!(hover(6, 1).contains("`acquire`"), "{}", hover(6, 1));
    assert_eq!(hover(0, 13), "", "a value");
    assert_eq!(hover(99, 0), "");
    // As it is typed.
    client.change(
        &config,
        2,
        json!([{ "range": crate::client::range((0, 0), (0, 0)), "text": "tests = false\n" }]),
    );
    let said = client.request(
        "textDocument/hover",
        json!({ "textDocument": { "uri": config }, "position": { "line": 0, "character": 1 } }),
    );
    assert!(
        said["contents"]["value"]
            .as_str()
            .unwrap()
            .contains("_test.go")
    );
    client.close(&config);
    client.leave();
}
