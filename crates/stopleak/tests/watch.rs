//! `stopleak watch` as users run it, against a stand-in for a program.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tempfile::TempDir;

const CODE: &str = "package m

func serve(requests chan string, results chan byte) {
\tfor name := range requests {
\t\tgo func() {
\t\t\tresults <- name[0]
\t\t}()
\t}
}
";

/// A program that leaks 150 goroutines between two looks; Go 1.26 without the experiment.
fn program() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let looks = AtomicUsize::new(0);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut request = [0; 1024];
            let len = stream.read(&mut request).unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..len]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default();
            let (status, body) = match path {
                "/debug/pprof/goroutine" => {
                    let count = 150 * (looks.fetch_add(1, Ordering::SeqCst) + 1);
                    (
                        "200 OK",
                        format!(
                            "goroutine profile: total {count}
{count} @ 0x1 0x2
#\t0x1\texample.com/m.serve.func1+0x33\t\t/src/app/m.go:6

"
                        ),
                    )
                }
                "/debug/pprof/heap" | "/debug/pprof/heap?gc=1" => (
                    "200 OK",
                    "heap profile: 1: 2097152 [1: 2097152] @ heap/1048576
1: 2097152 [1: 2097152] @ 0x1
#\t0x1\texample.com/m.serve+0x33\t/src/app/m.go:4

"
                    .to_owned(),
                ),
                _ => ("404 Not Found", "Unknown profile\n".to_owned()),
            };
            let length = body.len();
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

fn tree() -> TempDir {
    let tree = tempfile::tempdir().expect("a folder");
    fs::write(
        tree.path().join("go.mod"),
        "module example.com/m\n\ngo 1.26\n",
    )
    .expect("file");
    fs::write(tree.path().join("m.go"), CODE).expect("file");
    tree
}

fn run(tree: &TempDir, args: &[&str]) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(env!("CARGO_BIN_EXE_stopleak"))
        .current_dir(tree.path())
        .env_remove("CLICOLOR_FORCE")
        .stdin(Stdio::null())
        .arg("watch")
        .args(args)
        .output()
        .expect("runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code().expect("a code"), text(stdout), text(stderr))
}

#[test]
fn lines_that_grow_are_told() {
    let tree = tree();
    let url = format!("localhost:{}", program());
    let (code, out, err) = run(
        &tree,
        &[
            &url, "--every", "1s", "--count", "3", "--save", "seen", "--gc",
        ],
    );
    assert_eq!(code, 0, "{out}{err}");
    let lines: Vec<_> = out.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(
        lines[0],
        "0 s: heap in use 2.0 MiB, goroutines 150, goroutines stuck for ever unknown \
         (needs Go 1.27, or 1.26 with GOEXPERIMENT=goroutineleakprofile)"
    );
    assert!(lines[2].contains("goroutines 450 (+300)"), "{out}");
    assert!(out.contains("  m.go:6 450 goroutines"), "{out}");
    assert!(err.contains("the profiles are in `seen`"), "{err}");

    let mut saved: Vec<PathBuf> = fs::read_dir(tree.path().join("seen"))
        .expect("a folder")
        .map(|entry| entry.expect("a file").path())
        .collect();
    saved.sort();
    assert_eq!(saved.len(), 6, "{saved:?}");
    let report = Command::new(env!("CARGO_BIN_EXE_stopleak"))
        .current_dir(tree.path())
        .args(["profile", "seen", "--no-check", "--exit-zero"])
        .output()
        .expect("runs");
    let text = String::from_utf8_lossy(&report.stdout);
    assert!(text.contains("growing over 3 profiles"), "{text}");
}

#[test]
fn what_cannot_be_watched_is_an_error() {
    let tree = tree();
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port")
        .port();
    for (args, wanted) in [
        (vec![format!("localhost:{port}")], "nothing listens there"),
        (
            vec!["http://192.0.2.1:6060".to_owned()],
            "it is not on this machine; --allow-remote",
        ),
        (
            vec!["https://localhost".to_owned()],
            "https is not supported",
        ),
        (
            vec!["http://localhost:6060/debug/pprof/heap".to_owned()],
            "should be where the profiles are",
        ),
        (
            vec![
                "localhost:1".to_owned(),
                "--every".to_owned(),
                "soon".to_owned(),
            ],
            "write it as `30s`",
        ),
        (
            vec![
                format!("localhost:{}", program()),
                "--save".to_owned(),
                "go.mod/x".to_owned(),
            ],
            "cannot be made",
        ),
    ] {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let (code, out, err) = run(&tree, &args);
        assert_eq!(code, 2, "{args:?}: {out}{err}");
        assert!(err.contains(wanted), "{args:?}: {err}");
        assert_eq!(out, "");
    }
}
