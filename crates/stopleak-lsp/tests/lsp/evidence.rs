//! Evidence from running programs, on the lines of open documents.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

use serde_json::{Value, json};

use crate::client::{Client, Setup, module, range, uri};

/// The send on line 6 is stuck when nobody waits for the answer any more.
const CODE: &str = "package m

func ask(quit chan int) int {
	answers := make(chan int)
	go func() {
		answers <- work()
	}()
	select {
	case answer := <-answers:
		return answer
	case <-quit:
		return 0
	}
}

func work() int { return 1 }
";

const SEND: i64 = 5;
const HEADER: i64 = 2;

fn dump(count: usize, function: &str, line: u32) -> String {
    let mut text = String::new();
    for number in 0..count {
        let _ = write!(
            text,
            "goroutine {} [chan send, 12 minutes]:
example.com/m.{function}.func1()
\t/src/app/a.go:{line} +0x1d
created by example.com/m.{function} in goroutine 1
\t/src/app/a.go:{} +0x1d

",
            number + 7,
            line - 1
        );
    }
    text
}

fn leaked(count: usize) -> String {
    format!(
        "goroutineleak profile: total {count}
{count} @ 0x1 0x2
#\t0x1\texample.com/m.ask.func1+0x33\t\t/src/app/a.go:6

"
    )
}

struct Scene {
    dir: tempfile::TempDir,
    client: Client,
    uri: String,
}

impl Scene {
    fn new(setup: Setup) -> Self {
        let dir = module();
        std::fs::write(dir.path().join("a.go"), CODE).unwrap();
        let uri = uri(&dir.path().join("a.go"));
        let mut client = setup.root(dir.path()).start();
        client.open(&uri, 1, CODE);
        Self { dir, client, uri }
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    }

    fn command(&mut self, command: &str, arguments: Value) -> Value {
        let params = json!({ "command": command, "arguments": arguments });
        self.client.request("workspace/executeCommand", params)
    }

    fn refused(&mut self, command: &str, arguments: Value) -> String {
        let params = json!({ "command": command, "arguments": arguments });
        let id = self.client.send_request("workspace/executeCommand", params);
        let answer = self.client.answer(id);
        answer["error"]["message"].as_str().unwrap().to_owned()
    }

    /// Lines and titles of the code lenses.
    fn lenses(&mut self) -> Vec<(i64, String)> {
        let params = json!({ "textDocument": { "uri": self.uri } });
        let lenses = self.client.request("textDocument/codeLens", params);
        let lenses = lenses.as_array().cloned().unwrap_or_default();
        let lens = |lens: &Value| {
            let line = lens["range"]["start"]["line"].as_i64().unwrap();
            (line, lens["command"]["title"].as_str().unwrap().to_owned())
        };
        lenses.iter().map(lens).collect()
    }

    fn hover(&mut self, line: i64) -> String {
        let params = json!({ "textDocument": { "uri": self.uri }, "position": { "line": line, "character": 3 } });
        let hover = self.client.request("textDocument/hover", params);
        hover["contents"]["value"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Waits until the finding is as wanted.
    fn finding(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let found = self.client.diagnostics(&self.uri.clone());
            if let Some(found) = found.iter().find(|found| wanted(found)) {
                return found.clone();
            }
        }
    }
}

fn confirmed(finding: &Value) -> bool {
    let message = finding["message"].as_str().unwrap();
    finding["code"] == "abandoned-send" && message.contains("(confirmed: ")
}

fn suspected(finding: &Value) -> bool {
    let message = finding["message"].as_str().unwrap();
    finding["code"] == "abandoned-send" && !message.contains("confirmed")
}

#[test]
fn without_evidence_there_is_nothing() {
    let mut scene = Scene::new(Setup::default());
    scene.finding(suspected);
    assert_eq!(scene.lenses(), []);
    assert!(!scene.hover(SEND).contains("goroutine stuck"));
    let all = scene.command("stopleak.listEvidence", json!([]));
    assert_eq!(all["items"], json!([]));
    assert_eq!(all["profiles"], json!([]));
    scene.client.leave();
}

#[test]
fn a_profile_confirms_a_finding_and_is_shown_on_its_line() {
    let mut scene = Scene::new(Setup::default());
    scene.finding(suspected);
    let file = scene.write("leak.txt", &leaked(64));
    let summary = scene.command("stopleak.loadEvidence", json!([file]));
    assert_eq!(summary["profiles"][0]["kind"], "goroutineleak");
    assert_eq!(summary["profiles"][0]["lines"], 1);

    let found = scene.finding(confirmed);
    assert_eq!(found["severity"], 1 + 1, "a warning");
    let what = "64 goroutines stuck for ever, waiting";
    assert!(found["message"].as_str().unwrap().contains(what), "{found}");

    let lenses = scene.lenses();
    let wanted = [
        (HEADER, "in it: 64 goroutines stuck for ever".to_owned()),
        (SEND, what.to_owned()),
    ];
    assert_eq!(lenses, wanted);

    let hover = scene.hover(SEND);
    for wanted in [
        what,
        "100 % of all",
        "started at a.go:5",
        "m.ask.func1  a.go:6",
        "leak.txt",
    ] {
        assert!(hover.contains(wanted), "{wanted}: {hover}");
    }
    let hover = scene.hover(HEADER);
    assert!(
        hover.contains("In `ask`:\n\n- line 6: 64 goroutines"),
        "{hover}"
    );

    let all = scene.command("stopleak.listEvidence", json!([]));
    let item = &all["items"][0];
    assert_eq!(item["uri"], scene.uri);
    assert_eq!(
        item["range"]["start"],
        json!({ "line": SEND, "character": 2 })
    );
    assert_eq!(item["place"], "a.go:6");
    assert_eq!(item["level"], "warning");
    assert_eq!(item["status"], "confirmed");
    assert_eq!(item["rules"], json!(["abandoned-send"]));
    assert_eq!(item["source"], "answers <- work()");

    scene.command("stopleak.toggleEvidence", json!([]));
    assert_eq!(scene.lenses(), [], "hidden");
    let shown = scene.command("stopleak.toggleEvidence", json!([true]));
    assert_eq!(shown["shown"], true);
    assert_eq!(scene.lenses().len(), 2);

    scene.command("stopleak.clearEvidence", json!([]));
    scene.finding(suspected);
    assert_eq!(scene.lenses(), []);
    scene.client.leave();
}

#[test]
fn lines_follow_edits() {
    let mut scene = Scene::new(Setup::default());
    let file = scene.write("leak.txt", &leaked(64));
    scene.command("stopleak.loadEvidence", json!([file]));
    scene.finding(confirmed);
    let uri = scene.uri.clone();
    let edit = |client: &mut Client, version, at: u32, text: &str| {
        client.change(
            &uri,
            version,
            json!([{ "range": range((at, 0), (at, 0)), "text": text }]),
        );
    };
    // Before the function, and in it.
    edit(&mut scene.client, 2, 1, "// One.\n// Two.\n");
    edit(&mut scene.client, 3, 6, "\tprintln()\n");
    let lines: Vec<i64> = scene.lenses().iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [HEADER + 2, SEND + 3]);
    let found = scene
        .finding(|found| confirmed(found) && found["range"]["start"]["line"].as_i64() > Some(SEND));
    assert!(confirmed(&found));

    // The line itself: it is known no more, its function is.
    let line = u32::try_from(SEND + 3).unwrap();
    scene.client.change(
        &uri,
        4,
        json!([{ "range": range((line, 0), (line, 19)), "text": "\t\tanswers <- 1 + work()" }]),
    );
    let lenses = scene.lenses();
    assert_eq!(lenses.len(), 1, "{lenses:?}");
    assert_eq!(lenses[0].0, HEADER + 2);
    assert!(lenses[0].1.ends_with("(the line was edited since)"));

    // What is loaded now was placed in the text as it is now.
    let file = scene.write("again.txt", &leaked(70).replace("a.go:6", "a.go:9"));
    scene.command("stopleak.loadEvidence", json!([file]));
    let lenses = scene.lenses();
    assert!(
        lenses
            .iter()
            .any(|(line, title)| *line == SEND + 3 && title.starts_with("70 "))
    );
    scene.client.leave();
}

#[test]
fn what_grew_is_told() {
    let mut scene = Scene::new(Setup::default());
    let before = scene.write("before.txt", &dump(100, "ask", 6));
    let now = scene.write("now.txt", &dump(130, "ask", 6));
    scene.command("stopleak.loadEvidence", json!([now]));
    let title = scene.lenses()[1].1.clone();
    assert_eq!(title, "130 goroutines blocked sending to a channel");
    let summary = scene.command("stopleak.compareEvidence", json!([before]));
    assert_eq!(summary["profiles"][0]["base"], before);
    let title = scene.lenses()[1].1.clone();
    assert_eq!(title, "130 goroutines blocked sending to a channel, +30");
    assert!(scene.hover(SEND).contains("130 for up to an hour"));
    scene.client.leave();
}

#[test]
fn only_programs_on_this_machine_are_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!(
        "http://{}/debug/pprof/goroutineleak",
        listener.local_addr().unwrap()
    );
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).unwrap();
        let body = leaked(5);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).unwrap();
    });
    let mut scene = Scene::new(Setup::default());
    scene.command("stopleak.fetchEvidence", json!([address]));
    served.join().unwrap();
    assert!(
        scene
            .lenses()
            .iter()
            .any(|(_, title)| title.starts_with("5 goroutines"))
    );

    let refused = scene.refused(
        "stopleak.fetchEvidence",
        json!(["http://192.0.2.1/debug/pprof/heap"]),
    );
    assert!(refused.ends_with("it is not on this machine"), "{refused}");
    let refused = scene.refused("stopleak.fetchEvidence", json!(["heap.pb.gz"]));
    assert!(refused.contains("should begin with http://"), "{refused}");
    let refused = scene.refused("stopleak.loadEvidence", json!(["http://localhost:1/"]));
    assert!(refused.contains("stopleak.fetchEvidence"), "{refused}");
    let refused = scene.refused("stopleak.loadEvidence", json!(["none.txt"]));
    assert!(refused.ends_with("does not exist"), "{refused}");
    let refused = scene.refused("stopleak.loadEvidence", json!(["a.go"]));
    assert!(refused.contains("no profile, goroutine dump"), "{refused}");
    let refused = scene.refused("stopleak.compareEvidence", json!([]));
    assert!(refused.contains("missing"), "{refused}");
    // What was loaded before is still there.
    assert!(!scene.lenses().is_empty());
    scene.client.leave();
}

/// With the client's own watcher, and by looking when something is saved.
#[test]
fn configured_folders_are_followed() {
    for watches in [true, false] {
        let setup = Setup::default()
            .options(json!({ "evidence": { "folders": ["profiles"] } }))
            .with(
                "workspace.didChangeWatchedFiles",
                json!({ "dynamicRegistration": watches }),
            );
        let mut scene = Scene::new(setup);
        scene.finding(suspected);
        let file = scene.write("profiles/leak.txt", &leaked(3));
        let tell = |scene: &mut Scene, file: &str| {
            if watches {
                scene.client.watched(Path::new(file));
            } else {
                let uri = scene.uri.clone();
                scene.client.save(&uri, None);
            }
        };
        tell(&mut scene, &file);
        scene.finding(|found| {
            confirmed(found) && found["message"].as_str().unwrap().contains("3 gor")
        });
        scene.write("profiles/leak.txt", &leaked(44));
        tell(&mut scene, &file);
        scene.finding(|found| {
            confirmed(found) && found["message"].as_str().unwrap().contains("44 gor")
        });
        std::fs::remove_file(&file).unwrap();
        tell(&mut scene, &file);
        scene.finding(suspected);
        assert_eq!(scene.lenses(), []);
        scene.client.leave();
    }
}

#[test]
fn thresholds_and_severities_are_settings() {
    let setup =
        Setup::default().options(json!({ "evidence": { "goroutines": 20, "lenses": false } }));
    let mut scene = Scene::new(setup);
    let file = scene.write("now.txt", &dump(30, "ask", 6));
    scene.command("stopleak.loadEvidence", json!([file]));
    scene.finding(confirmed);
    assert_eq!(scene.lenses(), []);
    let all = scene.command("stopleak.listEvidence", json!([]));
    assert_eq!(all["items"][0]["level"], "information");
    scene.client.leave();
}

#[test]
fn clients_are_told_to_ask_again() {
    let setup = Setup::default()
        .with("workspace.codeLens", json!({ "refreshSupport": true }))
        .with("experimental", json!({ "stopleakEvidence": true }));
    let mut scene = Scene::new(setup);
    let file = scene.write("leak.txt", &leaked(64));
    scene.command("stopleak.loadEvidence", json!([format!("file://{file}")]));
    let method = |name: &'static str| move |message: &Value| message["method"] == name;
    scene.client.wait_for(method("workspace/codeLens/refresh"));
    scene.client.wait_for(method("stopleak/evidenceChanged"));
    scene.client.leave();
}

#[test]
fn hot_lines_have_hints() {
    const HOT: &str = "package m

import \"regexp\"

func valid(id string) bool {
	return regexp.MustCompile(`^a+$`).MatchString(id)
}
";
    let mut scene = Scene::new(Setup::default());
    scene.finding(suspected);
    let uri = scene.uri.clone();
    scene.client.replace(&uri, 2, HOT);
    let cool = |found: &[Value]| {
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0]["severity"], 4);
    };
    cool(&scene.client.diagnostics_of(&uri, 2));
    let heap = |bytes: i64| {
        format!(
            "heap profile: 0: 0 [{}: {}] @ heap/1
0: 0 [10: {bytes}] @ 0x1
#\t0x1\texample.com/m.valid+0x33\t/src/app/a.go:6

0: 0 [10: {}] @ 0x2
#\t0x2\texample.com/other.f+0x33\t/src/other/o.go:6

",
            20,
            1_000_000,
            1_000_000 - bytes
        )
    };
    let cold = scene.write("cold.txt", &heap(5_000));
    scene.command("stopleak.loadEvidence", json!([cold]));
    scene.client.settle();
    let hot = scene.write("hot.txt", &heap(400_000));
    scene.command("stopleak.loadEvidence", json!([hot]));
    let found = scene.finding(|found| found["code"] == "repeated-decoding");
    assert_eq!(
        found["message"],
        "the same regular expression is compiled in each call (40 % of all that is allocated, 391 KiB so far)"
    );
    assert_eq!(found["severity"], 3);
    scene.command("stopleak.clearEvidence", json!([]));
    cool(&scene.client.diagnostics(&uri));
    scene.client.leave();
}
