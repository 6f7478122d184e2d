//! Text in, findings out.

use serde_json::{Value, json};

use crate::client::{
    GETS, OTHER_CLIENT, REAL_CLIENT, Setup, leak, leaky, mended, module, range, uri,
};

#[test]
fn findings_come_and_go_with_the_text() {
    let dir = module();
    let mut client = Setup::default().root(dir.path()).start();
    let uri = uri(&dir.path().join("a.go"));
    client.open(&uri, 1, &leaky("a"));
    let found = client.diagnostics_of(&uri, 1);
    assert_eq!(found.len(), 1);
    let finding = &found[0];
    assert_eq!(finding["source"], "stopleak");
    assert_eq!(finding["code"], "unclosed-file");
    assert_eq!(finding["severity"], 2);
    assert_eq!(finding["range"]["start"]["line"], 5);
    assert!(
        finding["codeDescription"]["href"]
            .as_str()
            .unwrap()
            .ends_with("docs/rules/unclosed-file.md")
    );
    assert!(!finding["relatedInformation"].as_array().unwrap().is_empty());
    assert_eq!(finding["relatedInformation"][0]["location"]["uri"], uri);
    assert!(finding["data"].is_object());

    // Typed in the middle of a line, two edits in one change, the second against the text after the first.
    client.change(
        &uri,
        2,
        json!([
            { "range": range((9, 0), (9, 0)), "text": "\tdefer f.Cl\n" },
            { "range": range((9, 11), (9, 11)), "text": "ose()" },
        ]),
    );
    assert_eq!(client.diagnostics_of(&uri, 2).len(), 0);
    client.change(
        &uri,
        3,
        json!([{ "range": range((9, 0), (10, 0)), "text": "" }]),
    );
    assert_eq!(client.diagnostics_of(&uri, 3).len(), 1);
    client.close(&uri);
    assert_eq!(
        client.diagnostics(&uri).len(),
        0,
        "a closed document is cleared"
    );
    client.leave();
}

#[test]
fn equal_findings_are_not_published_again() {
    let dir = module();
    let mut client = Setup::default().root(dir.path()).start();
    let uri = uri(&dir.path().join("a.go"));
    let text = leaky("a");
    client.open(&uri, 1, &text);
    assert_eq!(client.diagnostics_of(&uri, 1).len(), 1);
    for version in 2..10 {
        client.replace(&uri, version, &format!("{text}// {version}\n"));
        client.settle();
    }
    client.replace(&uri, 10, &mended(&text));
    assert_eq!(client.diagnostics(&uri).len(), 0);
    assert_eq!(client.publications(&uri), 2);
    client.leave();
}

#[test]
fn columns_are_in_the_encoding_that_was_agreed() {
    let dir = module();
    const COMMENT: &str = "/*é😀*/";
    for (encoding, units) in [
        ("utf-8", COMMENT.len()),
        ("utf-16", COMMENT.encode_utf16().count()),
        ("utf-32", COMMENT.chars().count()),
    ] {
        let mut client = Setup::default()
            .with("general.positionEncodings", json!([encoding, "utf-16"]))
            .root(dir.path())
            .start();
        let uri = uri(&dir.path().join("a.go"));
        client.open(&uri, 1, &leaky("a"));
        let column = |found: &[Value]| found[0]["range"]["start"]["character"].as_u64().unwrap();
        let plain = column(&client.diagnostics_of(&uri, 1));
        client.change(
            &uri,
            2,
            json!([{ "range": range((5, 1), (5, 1)), "text": COMMENT }]),
        );
        assert_eq!(
            column(&client.diagnostics_of(&uri, 2)),
            plain + units as u64,
            "{encoding}"
        );
        let end = 1 + u32::try_from(units).unwrap();
        client.change(
            &uri,
            3,
            json!([{ "range": range((5, 1), (5, end)), "text": "" }]),
        );
        assert_eq!(column(&client.diagnostics_of(&uri, 3)), plain, "{encoding}");
        client.leave();
    }
}

#[test]
fn old_versions_are_ignored() {
    let dir = module();
    let mut client = Setup::default().root(dir.path()).start();
    let uri = uri(&dir.path().join("a.go"));
    client.open(&uri, 5, &leaky("a"));
    assert_eq!(client.diagnostics_of(&uri, 5).len(), 1);
    client.replace(&uri, 4, "package m\n");
    client.replace(&uri, 5, "package m\n");
    client.replace(&uri, 6, &(leaky("a") + &leak("b")));
    assert_eq!(client.diagnostics_of(&uri, 6).len(), 2);
    assert_eq!(client.publications(&uri), 2);
    client.leave();
}

#[test]
fn an_edit_that_does_not_fit_silences_the_document_until_its_text_is_known() {
    let dir = module();
    let mut client = Setup::default().root(dir.path()).start();
    let uri = uri(&dir.path().join("a.go"));
    let text = leaky("a");
    let outside = json!([{ "range": range((900, 0), (900, 1)), "text": "x" }]);
    let backwards = json!([{ "range": range((5, 3), (4, 0)), "text": "x" }]);
    let mut version = 1;
    client.open(&uri, version, &text);
    assert_eq!(client.diagnostics_of(&uri, version).len(), 1);
    for wrong in [outside, backwards] {
        version += 1;
        client.change(&uri, version, wrong.clone());
        client.wait_for(|message| {
            message["method"] == "window/logMessage"
                && message["params"]["message"]
                    .as_str()
                    .unwrap()
                    .contains("does not fit")
        });
        // Nothing is said about a text that is not known.
        let published = client.publications(&uri);
        version += 1;
        client.change(
            &uri,
            version,
            json!([{ "range": range((0, 0), (0, 0)), "text": "// " }]),
        );
        assert!(client.settle().contains("not in step"));
        assert_eq!(client.publications(&uri), published);
        // A save with the text mends it ...
        let saved = format!("{text}\n{}", leak("b"));
        client.save(&uri, Some(&saved));
        assert_eq!(client.diagnostics_of(&uri, version).len(), 2);
        // ... and so does a change of the whole text.
        version += 1;
        client.change(&uri, version, wrong);
        version += 1;
        client.replace(&uri, version, &text);
        assert_eq!(client.diagnostics_of(&uri, version).len(), 1);
        assert!(!client.settle().contains("not in step"));
    }
    client.leave();
}

#[test]
fn positions_beyond_the_end_of_a_line_or_the_text_are_clamped() {
    let dir = module();
    let mut client = Setup::default().root(dir.path()).start();
    let uri = uri(&dir.path().join("a.go"));
    client.open(&uri, 1, "package m\n");
    assert_eq!(client.diagnostics_of(&uri, 1).len(), 0);
    // How some clients replace everything.
    client.change(
        &uri,
        2,
        json!([{ "range": range((0, 0), (1_000_000, 0)), "text": leaky("a") }]),
    );
    assert_eq!(client.diagnostics_of(&uri, 2).len(), 1);
    client.change(
        &uri,
        3,
        json!([{ "range": range((8, 0), (8, 4_000_000_000)), "text": "\t}; defer f.Close()" }]),
    );
    assert_eq!(client.diagnostics_of(&uri, 3).len(), 0);
    client.leave();
}

#[test]
fn pulled_or_pushed_never_both() {
    let dir = module();
    let mut client = Setup::default().pull().root(dir.path()).start();
    let uri = uri(&dir.path().join("a.go"));
    client.open(&uri, 1, &leaky("a"));
    let report = client.pull(&uri, None);
    assert_eq!(report["kind"], "full");
    assert_eq!(report["items"].as_array().unwrap().len(), 1);
    let id = report["resultId"].as_str().unwrap().to_owned();
    assert_eq!(
        client.pull(&uri, Some(&id)),
        json!({ "kind": "unchanged", "resultId": id })
    );
    // The answer is about the text as it is, though nothing was waited for.
    client.replace(&uri, 2, &(leaky("a") + &leak("b")));
    let report = client.pull(&uri, Some(&id));
    assert_eq!(report["items"].as_array().unwrap().len(), 2);
    client.replace(&uri, 3, &leaky("a"));
    assert_eq!(
        client.pull(&uri, Some(&id))["kind"],
        "unchanged",
        "equal findings have equal names"
    );
    client.close(&uri);
    assert_eq!(client.pull(&uri, None)["items"], json!([]));
    client.settle();
    assert_eq!(client.publications(&uri), 0);
    client.leave();
}

/// VS Code does so when it is told to ask again while it opens a document, and then takes the answer for that of the open one.
#[test]
fn a_document_that_was_pulled_before_it_was_opened() {
    let dir = module();
    let mut client = Setup::default().pull().root(dir.path()).start();
    let uri = uri(&dir.path().join("a.go"));
    assert_eq!(client.pull(&uri, None)["items"], json!([]));
    client.open(&uri, 1, &leaky("a"));
    client.wait_for(|message| message["method"] == "workspace/diagnostic/refresh");
    let report = client.pull(&uri, None);
    assert_eq!(report["items"].as_array().unwrap().len(), 1);
    client.leave();
}

#[test]
fn without_refresh_there_is_no_pulling() {
    let dir = module();
    let setup = Setup::default()
        .with("textDocument.diagnostic", json!({}))
        .root(dir.path());
    let mut client = setup.start();
    let uri = uri(&dir.path().join("a.go"));
    client.open(&uri, 1, &leaky("a"));
    assert_eq!(client.diagnostics(&uri).len(), 1);
    client.leave();
}

#[test]
fn clients_without_related_information_get_the_path_in_the_message() {
    let of = |setup: Setup| {
        let dir = module();
        let mut client = setup.root(dir.path()).start();
        let uri = uri(&dir.path().join("a.go"));
        client.open(&uri, 1, &leaky("a"));
        let found = client.diagnostics(&uri);
        assert!(found[0].get("relatedInformation").is_none());
        let message = found[0]["message"].as_str().unwrap();
        assert!(message.contains("\nline "), "{message}");
        client.leave();
        found[0].clone()
    };
    let found = of(Setup::default().with("textDocument.publishDiagnostics", json!({})));
    assert!(found.get("data").is_none());
    // Those that take related information and do not show it say so.
    of(Setup::default().with("experimental", json!({ "stopleakPathInMessage": true })));
}

#[test]
fn documents_without_a_file() {
    let mut client = Setup::default().start();
    for uri in [
        "untitled:Untitled-1",
        "untitled:/some/where.go",
        "vscode-vfs://github/a/b.go",
    ] {
        client.open(uri, 1, &leaky("a"));
        assert_eq!(client.diagnostics(uri).len(), 1, "{uri}");
        client.close(uri);
        assert_eq!(client.diagnostics(uri).len(), 0, "{uri}");
    }
    client.leave();
}

#[test]
fn other_languages_are_let_be() {
    let dir = module();
    let mut client = Setup::default().root(dir.path()).start();
    let uri = uri(&dir.path().join("go.mod"));
    client.notify(
        "textDocument/didOpen",
        json!({ "textDocument": { "uri": uri, "languageId": "go.mod", "version": 1, "text": "module m\n" } }),
    );
    client.replace(&uri, 2, "module n\n");
    client.save(&uri, Some("module n\n"));
    client.close(&uri);
    client.settle();
    assert_eq!(client.publications(&uri), 0);
    client.leave();
}

#[test]
fn dependencies_are_silent() {
    let dir = module();
    let root = dir.path();
    for (file, content) in [
        ("modcache/example.com/dep@v1.0.0/a.go", leaky("a")),
        (
            "modcache/example.com/dep@v1.0.0/go.mod",
            "module example.com/dep\n".to_owned(),
        ),
        ("goroot/src/go.mod", "module std\n".to_owned()),
        ("goroot/src/fetch/a.go", leaky("a")),
        ("m/go.mod", "module example.com/m\n".to_owned()),
        ("m/vendor/modules.txt", String::new()),
        ("m/vendor/example.com/dep/a.go", leaky("a")),
        ("m/a.go", leaky("a")),
    ] {
        let path = root.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let cache = root.join("modcache");
    let setup = || Setup::default().env("GOMODCACHE", cache.display());
    let mut client = setup().root(&root.join("m")).start();
    for (file, findings) in [
        ("modcache/example.com/dep@v1.0.0/a.go", 0),
        ("goroot/src/fetch/a.go", 0),
        ("m/vendor/example.com/dep/a.go", 0),
        ("m/a.go", 1),
    ] {
        let uri = uri(&root.join(file));
        client.open(&uri, 1, &leaky("a"));
        assert_eq!(client.diagnostics(&uri).len(), findings, "{file}");
    }
    client.leave();
    // Whoever opens such a folder wants to know.
    let mut client = setup().root(&root.join("goroot/src")).start();
    let uri = uri(&root.join("goroot/src/fetch/a.go"));
    client.open(&uri, 1, &leaky("a"));
    assert_eq!(client.diagnostics(&uri).len(), 1);
    client.leave();
}

#[test]
fn a_change_in_one_file_shows_in_another() {
    let dir = module();
    let mut client = Setup::default().root(dir.path()).start();
    let a = uri(&dir.path().join("a.go"));
    let b = uri(&dir.path().join("b.go"));
    client.open(&a, 1, REAL_CLIENT);
    assert_eq!(client.diagnostics(&a).len(), 0);
    client.open(&b, 1, GETS);
    assert_eq!(client.diagnostics(&b).len(), 1);
    client.replace(&a, 2, OTHER_CLIENT);
    assert_eq!(client.diagnostics(&b).len(), 0);
    client.replace(&a, 3, REAL_CLIENT);
    assert_eq!(client.diagnostics(&b).len(), 1);
    client.leave();
}

#[test]
fn uris_in_any_spelling() {
    let dir = module();
    for name in [
        "[id].go",
        "with blank.go",
        "ünï.go",
        "50%.go",
        "日本.go",
        "a#b.go",
    ] {
        let mut client = Setup::default().root(dir.path()).start();
        let path = dir.path().join(name);
        std::fs::write(&path, leaky("a")).unwrap();
        let raw = uri(&path);
        client.open(&raw, 1, &leaky("a"));
        assert_eq!(
            client.diagnostics(&raw).len(),
            1,
            "{name}: under the client's own spelling"
        );
        client.replace(&raw, 2, &mended(&leaky("a")));
        assert_eq!(client.diagnostics(&raw).len(), 0, "{name}");
        client.leave();
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn what_stands_before_the_last_whole_text_does_not_matter() {
    let dir = module();
    let mut client = Setup::default().root(dir.path()).start();
    let uri = uri(&dir.path().join("a.go"));
    client.open(&uri, 1, "package m\n");
    assert_eq!(client.diagnostics_of(&uri, 1).len(), 0);
    client.change(
        &uri,
        2,
        json!([
            { "range": range((900, 0), (901, 0)), "text": "not in the text" },
            { "text": "package other\n" },
            { "range": range((800, 7), (700, 0)), "text": "backwards" },
            { "text": leaky("a") },
            { "range": range((0, 9), (0, 9)), "text": " // m" },
        ]),
    );
    assert_eq!(client.diagnostics_of(&uri, 2).len(), 1);
    assert!(!client.settle().contains("not in step"));
    client.leave();
}

#[test]
fn a_save_compares_the_texts() {
    let dir = module();
    let mut client = Setup::default().root(dir.path()).start();
    let uri = uri(&dir.path().join("a.go"));
    let text = leaky("a");
    client.open(&uri, 1, &text);
    assert_eq!(client.diagnostics(&uri).len(), 1);
    let differs = |client: &crate::client::Client| {
        let said = |message: &&Value| {
            message["params"]["message"]
                .as_str()
                .is_some_and(|text| text.contains("the saved text differs"))
        };
        client.seen.iter().filter(said).count()
    };
    client.save(&uri, Some(&text));
    client.settle();
    assert_eq!(differs(&client), 0);
    client.save(&uri, Some(&mended(&text)));
    assert_eq!(client.diagnostics(&uri).len(), 0);
    client.settle();
    assert_eq!(differs(&client), 1);
    client.leave();
}

#[test]
fn a_pause_gathers_what_is_typed() {
    let dir = module();
    let mut setup = Setup::default().root(dir.path());
    // Longer than any machine needs for the changes below, and waited for once only.
    setup.env = vec![("STOPLEAK_TEST_DEBOUNCE", "3000".to_owned())];
    let mut client = setup.start();
    let uri = uri(&dir.path().join("a.go"));
    client.open(&uri, 1, "package m\n");
    assert_eq!(client.diagnostics_of(&uri, 1).len(), 0);
    for version in 2..100 {
        let text = leaky("a") + &"\n".repeat(version as usize);
        let text = if version % 2 == 0 {
            text
        } else {
            mended(&text)
        };
        client.replace(&uri, version, &text);
    }
    client.replace(&uri, 100, &(leaky("a") + &leak("b")));
    assert_eq!(client.diagnostics_of(&uri, 100).len(), 2);
    assert_eq!(client.publications(&uri), 2);
    client.leave();
}

#[test]
fn a_panic_of_a_rule_costs_that_rule_alone() {
    let dir = module();
    let mut client = Setup::default()
        .env("STOPLEAK_TEST_PANIC", "unclosed-file")
        .env("RUST_BACKTRACE", 0)
        .root(dir.path())
        .start();
    let (a, b) = (uri(&dir.path().join("a.go")), uri(&dir.path().join("b.go")));
    client.open(&b, 1, REAL_CLIENT);
    assert_eq!(client.diagnostics(&b).len(), 0);
    let text =
        format!("{GETS}\n{}", leak("a")).replace("package m\n", "package m\n\nimport \"os\"\n");
    client.open(&a, 1, &text);
    let found = client.diagnostics(&a);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["code"], "unclosed-http-body");
    // The server goes on.
    client.replace(
        &a,
        2,
        &(text + "\n" + &GETS.replace("package m\n", "").replace("get()", "more()")),
    );
    assert_eq!(client.diagnostics(&a).len(), 2);
    let hover = client.request(
        "textDocument/hover",
        json!({ "textDocument": { "uri": a }, "position": found[0]["range"]["start"] }),
    );
    assert!(hover["contents"]["value"].is_string());
    client.leave();
}
