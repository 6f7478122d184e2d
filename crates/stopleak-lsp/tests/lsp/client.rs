//! A small client over real standard input and output.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long to wait for what must come. Only a hang takes this long.
const PATIENCE: Duration = Duration::from_secs(180);

pub struct Client {
    pub child: Child,
    pub input: Option<ChildStdin>,
    incoming: Receiver<Value>,
    queue: VecDeque<Value>,
    next_id: i64,
    /// Whether requests of the server are answered.
    pub answers: bool,
    /// What `workspace/configuration` is answered with, by scope URI (`""` for none).
    pub settings: HashMap<String, Value>,
    /// The last published diagnostics by URI, with their version.
    pub published: HashMap<String, (Option<i64>, Vec<Value>)>,
    /// Every message of the server, in order.
    pub seen: Vec<Value>,
    gate: Arc<Mutex<()>>,
}

/// How a server is started.
pub struct Setup {
    pub capabilities: Value,
    pub roots: Vec<PathBuf>,
    pub env: Vec<(&'static str, String)>,
    pub options: Value,
    pub process_id: Value,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            capabilities: json!({
                "general": { "positionEncodings": ["utf-16"] },
                "textDocument": {
                    "publishDiagnostics": { "relatedInformation": true, "tagSupport": { "valueSet": [1] }, "codeDescriptionSupport": true, "dataSupport": true },
                    "codeAction": { "dataSupport": true, "resolveSupport": { "properties": ["edit"] }, "codeActionLiteralSupport": { "codeActionKind": { "valueSet": [] } } },
                },
                "workspace": { "workspaceEdit": { "documentChanges": true }, "workspaceFolders": true },
            }),
            roots: Vec::new(),
            env: vec![("STOPLEAK_TEST_DEBOUNCE", "0".to_owned())],
            options: Value::Null,
            process_id: Value::Null,
        }
    }
}

impl Setup {
    pub fn with(mut self, pointer: &str, value: Value) -> Self {
        let mut target = &mut self.capabilities;
        for key in pointer.split('.') {
            target = &mut target[key];
        }
        *target = value;
        self
    }

    pub fn pull(self) -> Self {
        self.with("textDocument.diagnostic", json!({}))
            .with("workspace.diagnostics", json!({ "refreshSupport": true }))
    }

    pub fn options(mut self, options: Value) -> Self {
        self.options = options;
        self
    }

    pub fn parent(mut self, process_id: Value) -> Self {
        self.process_id = process_id;
        self
    }

    pub fn root(mut self, root: &Path) -> Self {
        self.roots.push(root.to_path_buf());
        self
    }

    pub fn env(mut self, name: &'static str, value: impl ToString) -> Self {
        self.env.push((name, value.to_string()));
        self
    }

    pub fn start(self) -> Client {
        let mut client = Client::spawn(&self.env);
        let folders: Vec<Value> = self
            .roots
            .iter()
            .map(|root| json!({ "uri": uri(root), "name": "root" }))
            .collect();
        let result = client.request(
            "initialize",
            json!({
                "processId": self.process_id,
                "rootUri": null,
                "capabilities": self.capabilities,
                "workspaceFolders": folders,
                "initializationOptions": self.options,
            }),
        );
        assert_eq!(result["serverInfo"]["name"], "stopleak");
        client.notify("initialized", json!({}));
        client
    }
}

impl Client {
    pub fn spawn(env: &[(&str, String)]) -> Self {
        // Long runs are for the program as it is released.
        let mut command = match std::env::var_os("STOPLEAK_TEST_PROGRAM") {
            None => Command::new(env!("CARGO_BIN_EXE_stopleak-test-server")),
            Some(program) => {
                let mut command = Command::new(program);
                command.arg("server");
                command
            }
        };
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        command
            .env_remove("GOROOT")
            .env("GOFLAGS", "")
            .env("GOMODCACHE", "/nonexistent/modcache");
        command.envs(env.iter().map(|(name, value)| (name, value)));
        let mut child = command.spawn().expect("the server starts");
        let input = child.stdin.take();
        let output = child.stdout.take().expect("piped");
        let (sender, incoming) = channel();
        let gate = Arc::new(Mutex::new(()));
        let reader_gate = Arc::clone(&gate);
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            loop {
                // Held by a client that does not read.
                drop(reader_gate.lock());
                let Some(message) = read(&mut output) else {
                    return;
                };
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            input,
            incoming,
            queue: VecDeque::new(),
            next_id: 0,
            answers: true,
            settings: HashMap::new(),
            published: HashMap::new(),
            seen: Vec::new(),
            gate,
        }
    }

    /// While the guard lives nothing more is read from the server.
    pub fn stop_reading(&self) -> Arc<Mutex<()>> {
        Arc::clone(&self.gate)
    }

    pub fn write_raw(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("input is open");
        input
            .write_all(bytes)
            .and_then(|()| input.flush())
            .expect("the server reads");
    }

    pub fn write(&mut self, message: &Value) {
        let body = message.to_string();
        self.write_raw(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    }

    pub fn notify(&mut self, method: &str, params: Value) {
        self.write(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    pub fn send_request(&mut self, method: &str, params: Value) -> i64 {
        self.next_id += 1;
        let id = self.next_id;
        self.write(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    pub fn answer(&mut self, id: i64) -> Value {
        self.wait_for(|message| message.get("method").is_none() && message["id"] == id)
    }

    pub fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.send_request(method, params);
        let answer = self.answer(id);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    pub fn request_error(&mut self, method: &str, params: Value) -> i64 {
        let id = self.send_request(method, params);
        let answer = self.answer(id);
        answer["error"]["code"]
            .as_i64()
            .unwrap_or_else(|| panic!("{method} should fail: {answer}"))
    }

    /// The first message, of those that have not been waited for yet, that is wanted.
    pub fn wait_for(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.queue.iter().position(&wanted) {
                return self.queue.remove(at).expect("found");
            }
            match self
                .incoming
                .recv_timeout(end.saturating_duration_since(Instant::now()))
            {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => {
                    panic!("nothing of the kind came; seen: {:#?}", self.seen)
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the server is gone; seen: {:#?}", self.seen)
                }
            }
        }
    }

    fn take(&mut self, message: Value) {
        self.seen.push(message.clone());
        if message["method"] == "textDocument/publishDiagnostics" {
            let params = &message["params"];
            let items = params["diagnostics"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let uri = params["uri"].as_str().expect("a URI").to_owned();
            self.published
                .insert(uri, (params["version"].as_i64(), items));
        }
        if self.answers && message.get("method").is_some() && message.get("id").is_some() {
            let result = match message["method"].as_str() {
                Some("workspace/configuration") => {
                    let items = message["params"]["items"]
                        .as_array()
                        .cloned()
                        .unwrap_or_default();
                    let settings = items.iter().map(|item| {
                        let scope = item["scopeUri"].as_str().unwrap_or_default();
                        self.settings.get(scope).cloned().unwrap_or_default()
                    });
                    Value::Array(settings.collect())
                }
                Some("workspace/applyEdit") => json!({ "applied": true }),
                _ => Value::Null,
            };
            self.write(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }));
        }
        self.queue.push_back(message);
    }

    /// Waits for the next diagnostics of a document; those that came before and were not waited for count.
    pub fn diagnostics(&mut self, uri: &str) -> Vec<Value> {
        let message = self.wait_for(|message| {
            message["method"] == "textDocument/publishDiagnostics"
                && message["params"]["uri"] == uri
        });
        message["params"]["diagnostics"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    }

    /// Waits for the diagnostics of this version.
    pub fn diagnostics_of(&mut self, uri: &str, version: i64) -> Vec<Value> {
        let message = self.wait_for(|message| {
            message["method"] == "textDocument/publishDiagnostics"
                && message["params"]["uri"] == uri
                && message["params"]["version"] == version
        });
        message["params"]["diagnostics"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    }

    /// How many diagnostics have been published for a document so far.
    pub fn publications(&self, uri: &str) -> usize {
        self.seen
            .iter()
            .filter(|message| {
                message["method"] == "textDocument/publishDiagnostics"
                    && message["params"]["uri"] == uri
            })
            .count()
    }

    /// Forgets the messages that came so far.
    pub fn forget(&mut self) {
        self.seen.clear();
        self.queue.clear();
    }

    /// Everything sent before has been applied when this returns, and what the server had to say by then has been read.
    pub fn settle(&mut self) -> String {
        let info = self.request(
            "workspace/executeCommand",
            json!({ "command": "stopleak.debugInfo" }),
        );
        info.as_str().expect("text").to_owned()
    }

    pub fn open(&mut self, uri: &str, version: i64, text: &str) {
        self.notify(
            "textDocument/didOpen",
            json!({ "textDocument": { "uri": uri, "languageId": "go", "version": version, "text": text } }),
        );
    }

    pub fn change(&mut self, uri: &str, version: i64, changes: Value) {
        self.notify(
            "textDocument/didChange",
            json!({ "textDocument": { "uri": uri, "version": version }, "contentChanges": changes }),
        );
    }

    pub fn replace(&mut self, uri: &str, version: i64, text: &str) {
        self.change(uri, version, json!([{ "text": text }]));
    }

    pub fn save(&mut self, uri: &str, text: Option<&str>) {
        self.notify(
            "textDocument/didSave",
            json!({ "textDocument": { "uri": uri }, "text": text }),
        );
    }

    pub fn close(&mut self, uri: &str) {
        self.notify(
            "textDocument/didClose",
            json!({ "textDocument": { "uri": uri } }),
        );
    }

    pub fn pull(&mut self, uri: &str, previous: Option<&str>) -> Value {
        self.request(
            "textDocument/diagnostic",
            json!({ "textDocument": { "uri": uri }, "previousResultId": previous }),
        )
    }

    pub fn actions(&mut self, uri: &str, range: Value, context: Value) -> Vec<Value> {
        let mut full = json!({ "diagnostics": [] });
        for (key, value) in context.as_object().expect("an object") {
            full[key] = value.clone();
        }
        let actions = self.request(
            "textDocument/codeAction",
            json!({ "textDocument": { "uri": uri }, "range": range, "context": full }),
        );
        actions.as_array().cloned().unwrap_or_default()
    }

    pub fn watched(&mut self, path: &Path) {
        self.notify(
            "workspace/didChangeWatchedFiles",
            json!({ "changes": [{ "uri": uri(path), "type": 2 }] }),
        );
    }

    /// Says `shutdown` and `exit`, leaves the input open, and waits for the end.
    pub fn leave(mut self) {
        self.request("shutdown", Value::Null);
        self.notify("exit", Value::Null);
        assert_eq!(self.wait_for_exit().code(), Some(0));
    }

    pub fn wait_for_exit(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(Instant::now() < end, "the server does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(output: &mut impl BufRead) -> Option<Value> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim() {
            "" => break,
            header => {
                let value = header
                    .strip_prefix("Content-Length:")
                    .expect("only protocol on standard output");
                length = Some(value.trim().parse().expect("a length"));
            }
        }
    }
    let mut body = vec![0; length?];
    output.read_exact(&mut body).ok()?;
    Some(serde_json::from_slice(&body).expect("JSON"))
}

pub fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

pub fn range(start: (u32, u32), end: (u32, u32)) -> Value {
    json!({
        "start": { "line": start.0, "character": start.1 },
        "end": { "line": end.0, "character": end.1 },
    })
}

/// A module on disk.
pub fn module() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(
        dir.path().join("go.mod"),
        "module example.com/m\n\ngo 1.24\n",
    )
    .expect("a file");
    dir
}

/// A file with one function that leaks a file.
pub fn leaky(name: &str) -> String {
    format!("package m\n\nimport \"os\"\n\n{}", leak(name))
}

/// A function that leaks a file.
pub fn leak(name: &str) -> String {
    format!(
        "func {name}() error {{\n\tf, err := os.Open(\"x\")\n\tif err != nil {{\n\t\treturn err\n\t}}\n\t_, err = f.Stat()\n\treturn err\n}}\n"
    )
}

/// The same, mended.
pub fn mended(text: &str) -> String {
    text.replace("\t}\n\t_, err", "\t}\n\tdefer f.Close()\n\t_, err")
}

/// A function that leaks a response if `client`, declared elsewhere, is an HTTP client.
pub const GETS: &str = "package m\n\nfunc get() error {\n\tresp, err := client.Get(\"x\")\n\tif err != nil {\n\t\treturn err\n\t}\n\t_ = resp.StatusCode\n\treturn nil\n}\n";
/// A declaration of `client` with which it leaks ...
pub const REAL_CLIENT: &str =
    "package m\n\nimport \"net/http\"\n\nvar client = http.DefaultClient\n";
/// ... and one with which it does not.
pub const OTHER_CLIENT: &str = "package m\n\ntype reply struct{ StatusCode int }\n\ntype fake struct{}\n\nfunc (fake) Get(string) (*reply, error) { return nil, nil }\n\nvar client = fake{}\n";

/// Applies the edits of the only document of a workspace edit, positions in UTF-16.
pub fn apply(text: &str, edit: &Value) -> String {
    let edits = match edit.get("documentChanges") {
        Some(changes) => changes[0]["edits"].as_array(),
        None => edit["changes"]
            .as_object()
            .and_then(|changes| changes.values().next())
            .and_then(Value::as_array),
    };
    let mut edits = edits.expect("edits").clone();
    let at = |position: &Value| {
        let line = position["line"].as_u64().unwrap() as usize;
        let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
        let mut left = position["character"].as_u64().unwrap() as usize;
        let mut offset = start;
        for c in text[start..].chars() {
            if left == 0 {
                break;
            }
            left -= c.len_utf16();
            offset += c.len_utf8();
        }
        offset
    };
    edits.sort_by_key(|edit| std::cmp::Reverse(at(&edit["range"]["start"])));
    let mut out = text.to_owned();
    for edit in edits {
        let (start, end) = (at(&edit["range"]["start"]), at(&edit["range"]["end"]));
        out.replace_range(start..end, edit["newText"].as_str().unwrap());
    }
    out
}
