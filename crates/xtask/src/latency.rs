//! From a keystroke to published findings: `didChange` to `publishDiagnostics`, over the pipes of a real server process; and from the
//! start of the process to the first findings. With gopls beside it, on the same files and edits in the same run.
//!
//! Each keystroke moves the finding by a column, because stopleak does not publish findings that are equal to the last ones. gopls
//! publishes for each version; what is timed is its full diagnosis, with the pause before it (`diagnosticsDelay`) set to nothing, as
//! stopleak's is.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{Outcome, service};

/// How often each server is started.
const STARTS: usize = 5;
/// Keystrokes that warm up caches and are not counted.
const WARM_UP: usize = 20;

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
    #[arg(long, value_delimiter = ',', default_value = "500,5000,50000")]
    lines: Vec<usize>,
    /// Files of the workspace; 0 leaves it out.
    #[arg(long, default_value_t = 2000)]
    files: usize,
    /// Measure gopls too. It is installed by the `go` command, in a fixed version.
    #[arg(long)]
    gopls: bool,
    /// Keystrokes for each file that gopls gets.
    #[arg(long, default_value_t = 60)]
    gopls_keystrokes: usize,
}

/// What is opened, and where something is typed.
struct Scene {
    name: String,
    root: PathBuf,
    path: PathBuf,
    text: String,
    /// The line of the leak.
    line: usize,
}

/// What was measured of one server.
struct Measured {
    /// Sorted.
    keystrokes: Vec<Duration>,
    /// From the start of the process to the first diagnostics of the file; sorted.
    starts: Vec<Duration>,
    /// Memory of the process at the end in MiB, where the system tells it.
    memory: Option<u64>,
}

impl Measured {
    fn at(&self, percent: usize) -> Duration {
        percentile(&self.keystrokes, percent)
    }

    fn start(&self) -> Duration {
        percentile(&self.starts, 50)
    }
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or_default()
}

/// Measures and prints one row for each scene and server.
pub fn run(args: &Args) -> Outcome {
    let gopls = match args.gopls {
        true => Some(crate::test::install_gopls()?),
        false => None,
    };
    let folder = tempfile::tempdir()?;
    println!(
        "| scene | server | keystrokes | p50 | p99 | slowest | start to first findings | memory |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for scene in scenes(args, folder.path())? {
        let ours = measure(&scene, Server::Stopleak(&args.server), args.keystrokes)?;
        row(&scene, "stopleak", &ours);
        if let Some(gopls) = &gopls {
            let theirs = measure(&scene, Server::Gopls(gopls), args.gopls_keystrokes)?;
            row(&scene, "gopls", &theirs);
            let ratio = |a: Duration, b: Duration| b.as_secs_f64() / a.as_secs_f64().max(1e-9);
            println!(
                "| | ratio | | {:.0} × | {:.0} × | | {:.0} × | |",
                ratio(ours.at(50), theirs.at(50)),
                ratio(ours.at(99), theirs.at(99)),
                ratio(ours.start(), theirs.start()),
            );
        }
    }
    Ok(())
}

fn row(scene: &Scene, server: &str, measured: &Measured) {
    println!(
        "| {} | {server} | {} | {} | {} | {} | {} | {} |",
        scene.name,
        measured.keystrokes.len(),
        milliseconds(measured.at(50)),
        milliseconds(measured.at(99)),
        milliseconds(measured.at(100)),
        milliseconds(measured.start()),
        measured
            .memory
            .map_or_else(String::new, |it| format!("{it} MiB")),
    );
}

fn milliseconds(time: Duration) -> String {
    let time = time.as_secs_f64() * 1e3;
    if time < 100.0 {
        format!("{time:.2} ms")
    } else {
        format!("{time:.0} ms")
    }
}

fn scenes(args: &Args, folder: &Path) -> std::io::Result<Vec<Scene>> {
    let mut scenes = Vec::new();
    for &lines in &args.lines {
        let root = folder.join(format!("lines{lines}"));
        std::fs::create_dir_all(&root)?;
        std::fs::write(
            root.join("go.mod"),
            "module example.com/service\n\ngo 1.24\n",
        )?;
        let (text, line) = service::source(lines);
        let path = root.join("service.go");
        std::fs::write(&path, &text)?;
        scenes.push(Scene {
            name: format!("{lines} lines"),
            root,
            path,
            text,
            line,
        });
    }
    if args.files > 0 {
        let root = folder.join("workspace");
        std::fs::create_dir_all(&root)?;
        let (path, text, line) = module(&root, args.files)?;
        scenes.push(Scene {
            name: format!("{} lines among {} files", text.lines().count(), args.files),
            root,
            path,
            text,
            line,
        });
    }
    Ok(scenes)
}

/// Writes a module of `files` files in packages of 20 that import each other in a row. The path of the file that has a leak, its text, and
/// the line of the leak.
fn module(root: &Path, files: usize) -> std::io::Result<(PathBuf, String, usize)> {
    use std::fmt::Write as _;
    const IN_PACKAGE: usize = 20;
    std::fs::write(
        root.join("go.mod"),
        "module example.com/service\n\ngo 1.24\n",
    )?;
    let mut leaking = None;
    for number in 0..files {
        let (package, file) = (number / IN_PACKAGE, number % IN_PACKAGE);
        let mut head = format!("package p{package}\n\nimport (\n");
        if file == 0 && package > 0 {
            let _ = writeln!(head, "\t\"example.com/service/p{}\"\n", package - 1);
        }
        let (mut text, line) = service::functions(&head, &format!("{file}x"), 150);
        if file == 0 {
            let _ = match package {
                0 => writeln!(
                    text,
                    "\n// Depth tells how many packages lie below.\nfunc Depth() int {{ return 0 }}"
                ),
                _ => writeln!(
                    text,
                    "\n// Depth tells how many packages lie below.\nfunc Depth() int {{ return p{}.Depth() + 1 }}",
                    package - 1
                ),
            };
        }
        let path = root.join(format!("p{package}/f{file}.go"));
        if file == 0 {
            std::fs::create_dir_all(root.join(format!("p{package}")))?;
        }
        std::fs::write(&path, &text)?;
        // In the middle: others import its package, and it imports others.
        if leaking.is_none() && number >= files / 2 && file == 1 {
            leaking = Some((path, text, line));
        }
    }
    leaking.ok_or_else(|| std::io::Error::other("too few files"))
}

#[derive(Clone, Copy)]
enum Server<'a> {
    Stopleak(&'a Path),
    Gopls(&'a Path),
}

impl Server<'_> {
    fn command(self) -> Command {
        match self {
            Self::Stopleak(program) => {
                let mut command = Command::new(program);
                command.args(["server", "--debounce", "0"]);
                command
            }
            Self::Gopls(program) => {
                let mut command = Command::new(program);
                command.env("GOTOOLCHAIN", "local").env("GOFLAGS", "");
                command
            }
        }
    }

    fn options(self) -> Value {
        match self {
            Self::Stopleak(_) => Value::Null,
            Self::Gopls(_) => json!({ "diagnosticsDelay": "0s" }),
        }
    }

    /// How many findings the file has, where we know.
    fn findings(self) -> Option<usize> {
        matches!(self, Self::Stopleak(_)).then_some(1)
    }
}

fn measure(
    scene: &Scene,
    server: Server<'_>,
    keystrokes: usize,
) -> Result<Measured, Box<dyn std::error::Error>> {
    let uri = format!("file://{}", scene.path.display());
    let mut starts = Vec::new();
    for _ in 1..STARTS {
        let (session, time) = open(scene, server, &uri)?;
        session.end()?;
        starts.push(time);
    }
    let (mut session, time) = open(scene, server, &uri)?;
    starts.push(time);
    starts.sort();

    let mut times = Vec::with_capacity(keystrokes);
    for n in 0..keystrokes + WARM_UP {
        let version = n + 2;
        let position = json!({"line": scene.line, "character": 0});
        // A blank is typed before the statement, and taken away again.
        let (end, typed) = if n % 2 == 0 { (0, " ") } else { (1, "") };
        let range = json!({"start": position, "end": {"line": scene.line, "character": end}});
        let started = Instant::now();
        session.notify(
            "textDocument/didChange",
            json!({"textDocument": {"uri": uri, "version": version}, "contentChanges": [{"range": range, "text": typed}]}),
        )?;
        session.published(&uri, version, server.findings())?;
        if n >= WARM_UP {
            times.push(started.elapsed());
        }
    }
    times.sort();
    let memory = session.memory();
    session.end()?;
    Ok(Measured {
        keystrokes: times,
        starts,
        memory,
    })
}

/// Starts a server and opens the file; how long it took until its findings were there.
fn open(
    scene: &Scene,
    server: Server<'_>,
    uri: &str,
) -> Result<(Session, Duration), Box<dyn std::error::Error>> {
    let root = format!("file://{}", scene.root.display());
    let started = Instant::now();
    let mut session = Session::start(server.command())?;
    let id = session.request(
        "initialize",
        json!({
            "processId": std::process::id(),
            "rootUri": root,
            "workspaceFolders": [{"uri": root, "name": "service"}],
            "capabilities": {"general": {"positionEncodings": ["utf-8", "utf-16"]}},
            "initializationOptions": server.options(),
        }),
    )?;
    session.wait(|message| message["id"] == id)?;
    session.notify("initialized", json!({}))?;
    session.notify(
        "textDocument/didOpen",
        json!({"textDocument": {"uri": uri, "languageId": "go", "version": 1, "text": scene.text}}),
    )?;
    session.published(uri, 1, server.findings())?;
    Ok((session, started.elapsed()))
}

struct Session {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    next: i64,
}

impl Session {
    fn start(mut command: Command) -> Result<Self, Box<dyn std::error::Error>> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| {
                format!("{command:?}: {error} (build stopleak with `cargo build --release`)")
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

    fn end(mut self) -> Result<(), Box<dyn std::error::Error>> {
        let id = self.request("shutdown", Value::Null)?;
        self.wait(|message| message["id"] == id)?;
        self.notify("exit", Value::Null)?;
        self.child.wait()?;
        Ok(())
    }

    /// The memory of the process in MiB.
    fn memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
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

    fn published(
        &mut self,
        uri: &str,
        version: usize,
        expected: Option<usize>,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let message = self.wait(|message| {
            message["method"] == "textDocument/publishDiagnostics"
                && message["params"]["uri"] == uri
                && message["params"]["version"] == version
        })?;
        let findings = message["params"]["diagnostics"]
            .as_array()
            .map_or(0, Vec::len);
        match expected {
            Some(expected) if expected != findings => {
                Err(format!("expected {expected} findings, not {findings}").into())
            }
            _ => Ok(()),
        }
    }
}
