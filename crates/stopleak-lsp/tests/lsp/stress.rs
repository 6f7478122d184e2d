//! Order, floods and text that must stay equal on both sides.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Client, Setup, leak, leaky, mended, module, range, uri};

/// A generator of numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % (n as u64)) as usize
    }
}

/// A text as a client holds it: lines end at `\n`, `\r\n` and `\r`.
struct Model {
    text: Vec<char>,
    encoding: &'static str,
}

impl Model {
    fn text(&self) -> String {
        self.text.iter().collect()
    }

    fn position(&self, offset: usize) -> (u32, u32) {
        let (mut line, mut start) = (0, 0);
        for i in 0..offset {
            let c = self.text[i];
            if c == '\n' || (c == '\r' && self.text.get(i + 1) != Some(&'\n')) {
                line += 1;
                start = i + 1;
            }
        }
        let column = self.text[start..offset]
            .iter()
            .map(|c| match self.encoding {
                "utf-8" => c.len_utf8(),
                "utf-16" => c.len_utf16(),
                _ => 1,
            });
        (line, u32::try_from(column.sum::<usize>()).unwrap())
    }

    /// Between `\r` and `\n` there is no position.
    fn is_position(&self, offset: usize) -> bool {
        !(offset > 0 && self.text[offset - 1] == '\r' && self.text.get(offset) == Some(&'\n'))
    }

    /// An insertion of a whole line, after which the text means what it meant.
    fn mild_edit(&mut self, random: &mut Random) -> Value {
        const LINES: [&str; 6] = ["\n", "// é😀\n", "\t\n", "/* 日本 */\r\n", " \n", "\r\n"];
        let starts: Vec<usize> = (0..=self.text.len())
            .filter(|i| *i == 0 || self.text[i - 1] == '\n')
            .collect();
        let at = starts[random.below(starts.len())];
        let line = LINES[random.below(LINES.len())];
        let change = json!({ "range": range(self.position(at), self.position(at)), "text": line });
        self.text.splice(at..at, line.chars());
        change
    }

    fn edit(&mut self, random: &mut Random) -> Value {
        const PIECES: [&str; 16] = [
            "",
            "x",
            "\n",
            "\r\n",
            "\r",
            "é",
            "😀",
            "日本",
            "func f() {\n",
            "}\n",
            "\t",
            "// c",
            "\"",
            "`",
            "x := os.Open(\"y\")\n",
            "{",
        ];
        let offset = |random: &mut Random| loop {
            let offset = random.below(self.text.len() + 1);
            if self.is_position(offset) {
                return offset;
            }
        };
        let (a, b) = (offset(random), offset(random));
        // Mostly small deletions.
        let (start, end) = if random.below(4) == 0 {
            (a.min(b), a.max(b).min(a.min(b) + 12))
        } else {
            (a, a)
        };
        let end = if self.is_position(end) { end } else { end + 1 };
        let piece = PIECES[random.below(PIECES.len())];
        let change =
            json!({ "range": range(self.position(start), self.position(end)), "text": piece });
        self.text.splice(start..end, piece.chars());
        change
    }
}

/// A number from the environment, for longer runs than in CI.
fn number(name: &str, default: usize) -> usize {
    let value = std::env::var(name).ok();
    value.and_then(|it| it.parse().ok()).unwrap_or(default)
}

fn hash(text: &str) -> String {
    format!(
        "content {:016x}",
        xxhash_rust::xxh3::xxh3_64(text.as_bytes())
    )
}

/// What is found in a document, with its own name taken out.
fn pulled(client: &mut Client, uri: &str) -> String {
    client.pull(uri, None)["items"].to_string().replace(uri, "")
}

/// `STOPLEAK_EDITS` says how many edits there are, over all encodings.
#[test]
fn random_edits_leave_equal_texts_and_findings() {
    let total = number("STOPLEAK_EDITS", 6000);
    let seed = number("STOPLEAK_SEED", 1) as u64;
    let (mut edits, mut compared, mut found) = (0, 0, 0);
    for (n, encoding) in ["utf-8", "utf-16", "utf-32"].iter().enumerate() {
        let (dir, other) = (module(), module());
        let mut client = Setup::default()
            .with("general.positionEncodings", json!([encoding]))
            .pull()
            .root(dir.path())
            .root(other.path())
            .start();
        let mut random = Random(0x1234_5678_9abc_def0 + seed * 3 + n as u64);
        let (uri, fresh) = (
            uri(&dir.path().join("a.go")),
            uri(&other.path().join("a.go")),
        );
        let several = leaky("a") + &leak("b") + &mended(&leak("c")) + &leak("d");
        let starts = [
            leaky("a"),
            several.clone(),
            several.replace('\n', "\r\n").replace("\"x\"", "\"é😀\""),
            String::new(),
            "package m".to_owned(),
        ];
        let end = total * (n + 1) / 3;
        for round in 0.. {
            if edits >= end {
                break;
            }
            let start = &starts[round % starts.len()];
            let mut model = Model {
                text: start.chars().collect(),
                encoding,
            };
            client.open(&uri, 1, start);
            // Few edits leave most functions whole, many leave nothing.
            let versions = 2 + [10, 40, 120][random.below(3)];
            let wild = [0, 1, 8][random.below(3)];
            for version in 2..=versions {
                let changes: Vec<Value> = (0..=random.below(3))
                    .map(|_| match random.below(8) < wild {
                        true => model.edit(&mut random),
                        false => model.mild_edit(&mut random),
                    })
                    .collect();
                edits += changes.len();
                client.change(&uri, version, Value::Array(changes));
                if version % 3 == 0 {
                    client.pull(&uri, None);
                }
                if version % 13 == 0 || version == versions {
                    let said = client.settle();
                    assert!(
                        said.contains(&hash(&model.text())),
                        "{encoding}, round {round}, version {version}: {:?}\n{said}",
                        model.text()
                    );
                }
                if version % 10 == 0 || version == versions {
                    // The same text, opened just now.
                    client.open(&fresh, 1, &model.text());
                    let (here, there) = (pulled(&mut client, &uri), pulled(&mut client, &fresh));
                    assert_eq!(
                        here,
                        there,
                        "{encoding}, round {round}, version {version}: {:?}",
                        model.text()
                    );
                    compared += 1;
                    found += usize::from(here != "[]");
                    client.close(&fresh);
                }
            }
            // Then a text with one leak, whatever stood before.
            client.replace(&uri, 1000, &leaky("a"));
            let items = &client.pull(&uri, None)["items"];
            assert_eq!(items.as_array().map(Vec::len), Some(1));
            client.close(&uri);
            client.forget();
        }
        client.leave();
    }
    println!(
        "{edits} random edits in three encodings: texts equal; {compared} times findings equal those of the text opened anew, \
         {found} times there were some"
    );
    assert!(edits >= total && found > 0);
}

/// `STOPLEAK_MEMORY_EDITS` says how many edits there are.
#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_edits() {
    /// What allocators and caches may still take after the first part, in KiB.
    const SLACK: i64 = 48 << 10;
    let total = number("STOPLEAK_MEMORY_EDITS", 3000);
    let dir = module();
    let mut client = Setup::default().root(dir.path()).start();
    let uri = uri(&dir.path().join("a.go"));
    let functions: String = (0..60).map(|n| leak(&format!("f{n}"))).collect();
    let mut text = format!("package m\n\nimport \"os\"\n\n{functions}");
    client.open(&uri, 1, &text);
    assert_eq!(client.diagnostics(&uri).len(), 60);
    let mut random = Random(0x0123_4567_89ab_cdef);
    let resident = |client: &Client| -> i64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", client.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1));
        kib.unwrap().parse().unwrap()
    };
    let (mut early, mut version) = (0, 1);
    for edit in 0..total {
        // A statement is typed at the start of some function and taken away again.
        let line = 4 + 8 * random.below(60) as u32 + 1;
        let typed = format!("\tprintln({edit})\n");
        for change in [
            json!([{ "range": range((line, 0), (line, 0)), "text": typed }]),
            json!([{ "range": range((line, 0), (line + 1, 0)), "text": "" }]),
        ] {
            version += 1;
            client.change(&uri, version, change);
        }
        if edit % 50 == 0 {
            client.settle();
            client.forget();
        }
        if edit == total / 5 {
            early = resident(&client);
        }
    }
    text.push_str("// end\n");
    client.replace(&uri, version + 1, &text);
    client.settle();
    let late = resident(&client);
    println!(
        "{} edits: {} bytes resident after the first fifth, {} at the end",
        2 * total,
        early * 1024,
        late * 1024
    );
    assert!(late - early < SLACK, "{early} KiB became {late} KiB");
    client.leave();
}

#[test]
fn a_flood_while_nobody_reads() {
    let dir = module();
    let setup = Setup::default()
        .with(
            "workspace.didChangeWatchedFiles",
            json!({ "dynamicRegistration": true }),
        )
        .with("workspace.configuration", json!(true))
        .root(dir.path());
    let mut client = setup.start();
    client.answers = false;
    let uri = uri(&dir.path().join("a.go"));
    let text = leaky("a");
    client.open(&uri, 0, &text);
    let gate = client.stop_reading();
    let closed = gate.lock().unwrap();
    // More than fits into the pipes. The findings of the last are at another place than all before: equal ones are not sent again.
    for version in 1..=1000 {
        let text = match version {
            1000 => format!("// end\n{text}"),
            _ if version % 2 == 0 => text.clone(),
            _ => mended(&text),
        };
        client.replace(&uri, version, &text);
        if version % 100 == 0 {
            client.notify(
                "workspace/didChangeConfiguration",
                json!({ "settings": null }),
            );
            client.send_request(
                "workspace/executeCommand",
                json!({ "command": "stopleak.debugInfo" }),
            );
        }
    }
    std::thread::sleep(std::time::Duration::from_secs(1));
    drop(closed);
    assert_eq!(client.diagnostics_of(&uri, 1000).len(), 1);
    client.answers = true;
    let text = mended(&text);
    client.replace(&uri, 1001, &text);
    assert_eq!(client.diagnostics_of(&uri, 1001).len(), 0);
    client.leave();
}

#[test]
fn exit_is_heard_while_nobody_reads() {
    let dir = module();
    let mut client = Setup::default().root(dir.path()).start();
    let uri = uri(&dir.path().join("a.go"));
    client.open(&uri, 0, &leaky("a"));
    let gate = client.stop_reading();
    let _closed = gate.lock().unwrap();
    for _ in 0..3000 {
        client.send_request(
            "workspace/executeCommand",
            json!({ "command": "stopleak.debugInfo" }),
        );
    }
    client.notify("exit", Value::Null);
    assert_eq!(client.wait_for_exit().code(), Some(1));
}

/// One session with everything in it; what is known at its end.
fn session(jitter: Option<u64>) -> (Vec<Value>, Vec<Value>, Value) {
    let dir = module();
    let mut setup = Setup::default().root(dir.path());
    setup.env = vec![("STOPLEAK_TEST_DEBOUNCE", "3".to_owned())];
    if let Some(seed) = jitter {
        setup = setup.env("STOPLEAK_TEST_JITTER", seed);
    }
    let mut client = setup.start();
    let a = uri(&dir.path().join("a.go"));
    let b = uri(&dir.path().join("b.go"));
    client.open(&a, 1, "package m\n");
    client.open(&b, 1, &leaky("b"));
    let mut text = String::from("package m\n");
    let mut version = 1;
    let mut waiting = Vec::new();
    let end = format!(
        "package m\n\nimport \"os\"\n\n{}\n{}",
        leak("one"),
        mended(&leak("two"))
    );
    // Typed letter by letter, with other things in between.
    let typed = end.strip_prefix("package m\n").unwrap();
    for (i, c) in typed.char_indices() {
        let line = text.matches('\n').count() as u32;
        let column = (text.len() - text.rfind('\n').map_or(0, |at| at + 1)) as u32;
        version += 1;
        client.change(
            &a,
            version,
            json!([{ "range": range((line, column), (line, column)), "text": c.to_string() }]),
        );
        text.push(c);
        match i % 40 {
            7 => waiting.push(client.send_request("textDocument/hover", json!({ "textDocument": { "uri": a }, "position": { "line": line, "character": 0 } }))),
            17 => client.save(&a, Some(&text)),
            27 => {
                client.close(&b);
                client.open(&b, i as i64, &leaky("b"));
            }
            _ => {}
        }
    }
    for id in waiting {
        client.answer(id);
    }
    // The last texts differ from all before, so that the last findings are published in any case.
    client.replace(&b, 10_000, &format!("// end\n{}", leaky("b")));
    client.replace(&a, 10_001, &format!("// end\n{end}"));
    let found_a = client.diagnostics_of(&a, 10_001);
    let found_b = until(&mut client, &b, 6);
    let uri_of = |finding: &Value| {
        let mut finding = finding.clone();
        finding["relatedInformation"] = Value::Null;
        finding
    };
    let hover = client.request(
        "textDocument/hover",
        json!({ "textDocument": { "uri": a }, "position": found_a[0]["range"]["start"] }),
    );
    let result = (
        found_a.iter().map(uri_of).collect(),
        found_b.iter().map(uri_of).collect(),
        hover,
    );
    client.leave();
    result
}

fn until(client: &mut Client, uri: &str, line: u64) -> Vec<Value> {
    loop {
        if let Some((_, found)) = client.published.get(uri)
            && found.len() == 1
            && found[0]["range"]["start"]["line"] == line
        {
            return found.clone();
        }
        client.diagnostics(uri);
    }
}

#[test]
fn sleeps_in_between_change_nothing() {
    let expected = session(None);
    assert_eq!(expected.0.len(), 1);
    assert_eq!(expected.1.len(), 1);
    for seed in 1..6 {
        assert_eq!(session(Some(seed)), expected, "seed {seed}");
    }
}

#[test]
fn any_bytes_as_text_are_survived() {
    let mut client = Setup::default().start();
    let deep = format!(
        "package m\nvar x = {}1{}\n",
        "(".repeat(100_000),
        ")".repeat(100_000)
    );
    let chain = format!("package m\nvar x = 1{}\n", " + 1".repeat(50_000));
    let long = format!("package m\n// {}\n", "x".repeat(3_000_000));
    for (i, text) in [
        "",
        "\0\0\0",
        "\u{feff}package m\n",
        "}}}}((((",
        "package",
        "`",
        "/*",
        "\"\\",
        &deep,
        &chain,
        &long,
    ]
    .iter()
    .enumerate()
    {
        let uri = format!("untitled:{i}.go");
        client.open(&uri, 1, text);
        client.diagnostics(&uri);
        client.pull(&uri, None);
        client.change(
            &uri,
            2,
            json!([{ "range": range((0, 0), (0, 0)), "text": "{" }]),
        );
        client.settle();
        client.close(&uri);
    }
    client.open("untitled:end.go", 1, &leaky("a"));
    assert_eq!(client.diagnostics("untitled:end.go").len(), 1);
    client.leave();
}

/// Several computations wait for what one of them reads, packages that nobody has asked for before, when a change ends them all: none of
/// them may take that for a fault.
#[test]
fn everything_that_is_asked_between_changes_is_answered() {
    const ROUNDS: usize = 12;
    const PACKAGES: usize = 25;
    let dir = module();
    let mut client = Setup::default().pull().root(dir.path()).start();
    let functions: String = (0..40).map(|i| leak(&format!("f{i}"))).collect();
    let mut asked = Vec::new();
    for round in 0..ROUNDS {
        let mut imports = String::new();
        let mut callers = String::new();
        for package in 0..PACKAGES {
            let name = format!("p{round}x{package}");
            let folder = dir.path().join(&name);
            std::fs::create_dir(&folder).unwrap();
            let text = format!(
                "package {name}\n\nimport \"os\"\n\nfunc Open() (*os.File, error) {{ return os.Open(\"x\") }}\n\n{functions}"
            );
            std::fs::write(folder.join("p.go"), text).unwrap();
            imports += &format!("import \"example.com/m/{name}\"\n");
            callers +=
                &leak(&name.to_uppercase()).replace("os.Open(\"x\")", &format!("{name}.Open()"));
        }
        let uri = uri(&dir.path().join(format!("c{round}.go")));
        client.open(&uri, 1, &format!("package m\n\n{imports}\n{callers}"));
        let document = json!({ "uri": uri });
        let all = range((0, 0), (1000, 0));
        for change in 0..6 {
            let pull = json!({ "textDocument": document });
            asked.push((true, client.send_request("textDocument/diagnostic", pull)));
            let actions =
                json!({ "textDocument": document, "range": all, "context": { "diagnostics": [] } });
            asked.push((
                false,
                client.send_request("textDocument/codeAction", actions),
            ));
            std::thread::sleep(Duration::from_millis(change * 2 + round as u64 % 2));
            let end = range((2, 0), (2, 0));
            let version = i64::try_from(change).unwrap() + 2;
            client.change(&uri, version, json!([{ "range": end, "text": "\n" }]));
        }
    }
    for (pull, id) in asked {
        let answer = client.answer(id);
        assert!(answer.get("error").is_none(), "{answer}");
        if pull {
            let items = &answer["result"]["items"];
            assert_eq!(items.as_array().unwrap().len(), PACKAGES);
        }
    }
    client.leave();
}
