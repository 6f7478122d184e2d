//! From a keystroke to published findings: `didChange` to `publishDiagnostics`, over the pipes of a real server process.
//!
//! Each keystroke moves the finding by a column, because findings equal to the last ones are not published.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{Outcome, service};

/// Arguments of `xtask latency`.
#[derive(clap::Args)]
pub struct Args {
    /// The program to measure.
    #[arg(long, default_value = "target/release/stopleak")]
    server: PathBuf,
    /// Keystrokes for each file.
    #[arg(long, default_value_t = 400)]
    keystrokes: usize,
    /// Lines of the files.
    #[arg(long, value_delimiter = ',', default_value = "500,5000")]
    lines: Vec<usize>,
}

/// Measures and prints one row for each length.
pub fn run(args: &Args) -> Outcome {
    println!("| lines | keystrokes | p50 | p90 | p99 | slowest |\n|---|---|---|---|---|---|");
    for &lines in &args.lines {
        let mut times = measure(args, lines)?;
        times.sort();
        let at = |percent: usize| {
            milliseconds(times[(times.len() * percent / 100).min(times.len() - 1)])
        };
        println!(
            "| {lines} | {} | {} | {} | {} | {} |",
            times.len(),
            at(50),
            at(90),
            at(99),
            at(100)
        );
    }
    Ok(())
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

fn measure(args: &Args, lines: usize) -> Result<Vec<Duration>, Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    std::fs::write(
        folder.path().join("go.mod"),
        "module example.com/service\n\ngo 1.24\n",
    )?;
    let (text, line) = service::source(lines);
    let path = folder.path().join("service.go");
    std::fs::write(&path, &text)?;
    let uri = format!("file://{}", path.display());
    let root = format!("file://{}", folder.path().display());

    let mut server = Session::start(&args.server)?;
    let id = server.request(
        "initialize",
        json!({
            "processId": std::process::id(),
            "rootUri": root,
            "workspaceFolders": [{"uri": root, "name": "service"}],
            "capabilities": {"general": {"positionEncodings": ["utf-8", "utf-16"]}},
        }),
    )?;
    server.wait(|message| message["id"] == id)?;
    server.notify("initialized", json!({}))?;
    server.notify(
        "textDocument/didOpen",
        json!({"textDocument": {"uri": uri, "languageId": "go", "version": 1, "text": text}}),
    )?;
    server.published(&uri, 1)?;

    let mut times = Vec::with_capacity(args.keystrokes);
    // The first ones warm up caches and are not counted.
    for n in 0..args.keystrokes + 20 {
        let version = n + 2;
        let position = json!({"line": line, "character": 0});
        // A blank is typed before the statement, and taken away again.
        let (end, typed) = if n % 2 == 0 { (0, " ") } else { (1, "") };
        let range = json!({"start": position, "end": {"line": line, "character": end}});
        let started = Instant::now();
        server.notify(
            "textDocument/didChange",
            json!({"textDocument": {"uri": uri, "version": version}, "contentChanges": [{"range": range, "text": typed}]}),
        )?;
        server.published(&uri, version)?;
        if n >= 20 {
            times.push(started.elapsed());
        }
    }
    let id = server.request("shutdown", Value::Null)?;
    server.wait(|message| message["id"] == id)?;
    server.notify("exit", Value::Null)?;
    server.child.wait()?;
    Ok(times)
}

struct Session {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    next: i64,
}

impl Session {
    fn start(program: &std::path::Path) -> Result<Self, Box<dyn std::error::Error>> {
        let mut child = Command::new(program)
            .args(["server", "--debounce", "0"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| {
                format!(
                    "{}: {error} (build it with `cargo build --release`)",
                    program.display()
                )
            })?;
        let input = child.stdin.take().ok_or("no stdin")?;
        let output = BufReader::new(child.stdout.take().ok_or("no stdout")?);
        Ok(Self {
            child,
            input,
            output,
            next: 1,
        })
    }

    fn send(&mut self, message: &Value) -> std::io::Result<()> {
        let text = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len())?;
        self.input.flush()
    }

    fn request(&mut self, method: &str, params: Value) -> std::io::Result<i64> {
        let id = self.next;
        self.next += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))?;
        Ok(id)
    }

    fn notify(&mut self, method: &str, params: Value) -> std::io::Result<()> {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}))
    }

    fn receive(&mut self) -> Result<Value, Box<dyn std::error::Error>> {
        let mut length = 0;
        loop {
            let mut header = String::new();
            if self.output.read_line(&mut header)? == 0 {
                return Err("the server ended".into());
            }
            let header = header.trim();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("Content-Length:") {
                length = value.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        self.output.read_exact(&mut body)?;
        Ok(serde_json::from_slice(&body)?)
    }

    /// Reads until a message is the one; requests of the server are answered on the way.
    fn wait(
        &mut self,
        is_it: impl Fn(&Value) -> bool,
    ) -> Result<Value, Box<dyn std::error::Error>> {
        loop {
            let message = self.receive()?;
            if message["method"].is_string() && !message["id"].is_null() {
                let answer = match message["method"].as_str() {
                    Some("workspace/configuration") => {
                        let items = message["params"]["items"].as_array().map_or(1, Vec::len);
                        Value::Array(vec![Value::Null; items])
                    }
                    _ => Value::Null,
                };
                self.send(&json!({"jsonrpc": "2.0", "id": message["id"], "result": answer}))?;
            } else if is_it(&message) {
                return Ok(message);
            }
        }
    }

    fn published(&mut self, uri: &str, version: usize) -> Result<(), Box<dyn std::error::Error>> {
        let message = self.wait(|message| {
            message["method"] == "textDocument/publishDiagnostics"
                && message["params"]["uri"] == uri
                && message["params"]["version"] == version
        })?;
        let findings = message["params"]["diagnostics"]
            .as_array()
            .map_or(0, Vec::len);
        if findings != 1 {
            return Err(format!("expected one finding, not {findings}").into());
        }
        Ok(())
    }
}
