//! `stopleak profile` as users run it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

const CODE: &str = r#"package m

import "os"

func open(name string) byte {
	f, err := os.Open(name)
	if err != nil {
		return 0
	}
	var b [1]byte
	f.Read(b[:])
	return b[0]
}

func serve(requests chan string, results chan byte) {
	for name := range requests {
		go func() {
			results <- open(name)
		}()
	}
}
"#;

/// 150 files that were opened on line 6 and not closed, counted by a profile of the program's own.
const FILES: &str = "files profile: total 150
150 @ 0x1 0x2
#\t0x1\texample.com/m.open+0x33\t\t/src/app/m.go:6
#\t0x2\texample.com/m.serve.func1+0x33\t/src/app/m.go:18

";

fn dump(count: usize) -> String {
    let mut text = String::new();
    for number in 0..count {
        text += &format!(
            "goroutine {} [chan send, 12 minutes]:
example.com/m.serve.func1()
\t/src/app/m.go:18 +0x1d
created by example.com/m.serve in goroutine 1
\t/src/app/m.go:17 +0x1d

",
            number + 7
        );
    }
    text
}

struct Tree(TempDir);

#[derive(Debug)]
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Tree {
    fn new() -> Self {
        let tree = Self(tempfile::tempdir().expect("a folder"));
        tree.write("go.mod", "module example.com/m\n\ngo 1.26\n");
        tree.write("m.go", CODE);
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("file");
    }

    fn run(&self, args: &[&str]) -> Run {
        let output = Command::new(env!("CARGO_BIN_EXE_stopleak"))
            .current_dir(self.0.path())
            .env_remove("CLICOLOR_FORCE")
            .stdin(Stdio::null())
            .arg("profile")
            .args(args)
            .output()
            .expect("runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Run {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

impl Run {
    #[track_caller]
    fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).expect("an object")
    }
}

#[test]
fn goroutines_are_shown_on_their_line() {
    let tree = Tree::new();
    tree.write("before.txt", &dump(3));
    tree.write("now.txt", &dump(1203));
    let run = tree.run(&["now.txt", "--base", "before.txt"]).ends_with(1);
    let wanted = "warning[goroutine]: 1,203 goroutines blocked sending to a channel
  --> m.go:18:4
   |
18 |             results <- open(name)
   |             ^^^^^^^^^^^^^^^^^^^^^ 100 % of all, +1,200 since the base
   |
   = note: confirms `unbounded-goroutines` (information) at m.go:17: each value of `requests` starts another goroutine, and nothing bounds how many run at once: they are started as fast as the input comes
   = note: started at m.go:17 (1,203)
   = note: waiting: 1,203 for up to an hour

now.txt: goroutine is 1,203, of which 1,203 on 1 line of this code; +1,200 since before.txt
";
    assert!(run.out.starts_with(wanted), "{}", run.out);
    assert_eq!(run.err, "");
    tree.run(&["now.txt", "--exit-zero"]).ends_with(0);
    // Few of them are what servers are made of.
    let run = tree.run(&["before.txt"]).ends_with(0);
    assert!(
        run.out.starts_with("before.txt: goroutine is 3"),
        "{}",
        run.out
    );
    let run = tree.run(&["before.txt", "--all"]).ends_with(0);
    assert!(
        run.out.starts_with("note[goroutine]: 3 goroutines"),
        "{}",
        run.out
    );
    tree.run(&["now.txt", "--goroutines", "10000"]).ends_with(0);
}

#[test]
fn evidence_confirms_findings() {
    let tree = Tree::new();
    tree.write("files.txt", FILES);
    let run = tree.run(&["files.txt"]).ends_with(0);
    assert!(
        run.out.starts_with(
            "information[files]: 150 of `files` added here and not removed\n --> m.go:6:2"
        ),
        "{}",
        run.out
    );
    assert!(
        run.out
            .contains("= note: confirms `unclosed-file` (warning) at m.go:6: "),
        "{}",
        run.out
    );
    assert!(
        run.out.contains("= note: called from m.go:18\n"),
        "{}",
        run.out
    );
    assert!(
        run.out
            .contains("1 finding confirmed, 1 not, in the files of these profiles; 0 lines with evidence and no finding"),
        "{}",
        run.out
    );

    let json = tree
        .run(&["files.txt", "--format", "json"])
        .ends_with(0)
        .json();
    let finding = &json["findings"][0];
    assert_eq!(finding["status"], "confirmed");
    assert_eq!(finding["rule"], "unclosed-file");
    assert_eq!(
        finding["evidence"],
        json!([{"profile": 0, "line": 0, "strength": "strong"}])
    );
    let run = tree.run(&["files.txt", "--no-check", "--format", "json"]);
    assert_eq!(run.json()["findings"], json!([]));
}

#[test]
fn json_holds_everything() {
    let tree = Tree::new();
    tree.write("a.txt", &dump(1));
    tree.write("b.txt", &dump(4));
    let json = tree
        .run(&["a.txt", "b.txt", "--format", "json", "--no-check"])
        .ends_with(1)
        .json();
    let profile = &json["profiles"][0];
    assert_eq!(profile["source"], "b.txt");
    assert_eq!(profile["kind"], "goroutine");
    assert_eq!(profile["totals"], json!([4]));
    assert_eq!(profile["base"]["source"], "a.txt");
    assert_eq!(profile["series"]["totals"], json!([1, 4]));
    assert_eq!(profile["series"]["lines"][0]["grows"], true);
    let line = &profile["lines"][0];
    assert_eq!(line["path"], "m.go");
    assert_eq!(line["line"], 18);
    assert_eq!(line["level"], "warning", "they wait and become more");
    assert_eq!(line["growth"], json!([3]));
    assert_eq!(line["goroutines"]["operations"], json!({"send": 4}));
    assert_eq!(line["goroutines"]["waits"]["tens"], 4);
    assert_eq!(
        line["goroutines"]["creators"],
        json!([{"path": "m.go", "line": 17, "count": 4}])
    );
    assert_eq!(
        line["stacks"][0]["frames"][0],
        json!({"function": "example.com/m.serve.func1", "path": "m.go", "line": 18, "origin": "workspace"})
    );
}

/// Answers one request.
fn serve(answer: String) -> (u16, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a request");
        let mut request = [0; 1024];
        let len = stream.read(&mut request).expect("a request");
        stream.write_all(answer.as_bytes()).expect("is read");
        String::from_utf8_lossy(&request[..len]).into_owned()
    });
    (port, thread)
}

#[test]
fn running_programs_are_asked() {
    let tree = Tree::new();
    let (port, thread) = serve(format!("HTTP/1.0 200 OK\r\n\r\n{FILES}"));
    let url = format!("http://127.0.0.1:{port}/debug/pprof/files?debug=1");
    let run = tree.run(&[&url]).ends_with(0);
    assert!(run.out.contains("150 of `files`"), "{}", run.out);
    let request = thread.join().expect("answers");
    assert!(
        request.starts_with("GET /debug/pprof/files?debug=1 HTTP/1.1\r\n")
            && request.contains("\r\nhost: 127.0.0.1:"),
        "{request}"
    );

    let (port, thread) = serve("HTTP/1.0 404 Not Found\r\n\r\nUnknown profile\n".to_owned());
    let url = format!("http://localhost:{port}/debug/pprof/goroutineleak");
    let run = tree.run(&[&url]).ends_with(2);
    assert!(
        run.err.contains("it answers 404 Unknown profile"),
        "{}",
        run.err
    );
    thread.join().expect("answers");
}

#[test]
fn other_machines_are_not_asked() {
    let tree = Tree::new();
    // An address for documentation: nobody has it.
    let run = tree
        .run(&["http://192.0.2.1/debug/pprof/heap"])
        .ends_with(2);
    assert!(
        run.err
            .contains("it is not on this machine; --allow-remote"),
        "{}",
        run.err
    );
    let run = tree
        .run(&["https://localhost/debug/pprof/heap"])
        .ends_with(2);
    assert!(run.err.contains("https is not supported"), "{}", run.err);
}

#[test]
fn what_is_no_evidence_is_an_error() {
    let tree = Tree::new();
    let run = tree.run(&["m.go"]).ends_with(2);
    assert_eq!(
        run.err,
        "error: `m.go`: no profile, goroutine dump, goleak or sanitizer report was recognised in it\n"
    );
    let run = tree.run(&["none.pb.gz"]).ends_with(2);
    assert_eq!(run.err, "error: `none.pb.gz` does not exist\n");
    tree.write("cut.txt", &dump(3)[..350]);
    let run = tree.run(&["cut.txt"]).ends_with(0);
    assert_eq!(
        run.err,
        "warning: `cut.txt`: the input is cut off at byte 350; numbers are lower bounds\n"
    );
    assert!(run.out.contains("goroutine is at least 2"), "{}", run.out);
}

#[test]
fn paths_are_mapped() {
    let tree = Tree::new();
    tree.write("go.mod", "module example.org/fork\n");
    tree.write("other.go", CODE);
    let dump = dump(150).replace("/src/app/m.go", "/build/x.go");
    tree.write("now.txt", &dump);
    let run = tree.run(&["now.txt"]).ends_with(0);
    assert!(
        run.err
            .starts_with("note: 1 place not found in the code, the heaviest /build/x.go:18 in example.com/m.serve.func1 (150); --map may help"),
        "{}",
        run.err
    );
    let run = tree.run(&["now.txt", "--map", "nonsense"]).ends_with(2);
    assert!(run.err.contains("should be RECORDED=LOCAL"), "{}", run.err);
    tree.write("now.txt", &dump.replace("x.go", "other.go"));
    let run = tree.run(&["now.txt", "--map", "/build=."]).ends_with(0);
    assert!(run.out.contains("--> other.go:18:4"), "{}", run.out);
}

#[test]
fn nothing_listens() {
    let tree = Tree::new();
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port")
        .port();
    let url = format!("http://127.0.0.1:{port}/debug/pprof/heap");
    let run = tree.run(&[&url]).ends_with(2);
    assert_eq!(run.err, format!("error: `{url}`: nothing listens there\n"));
    let run = tree.run(&[&url[7..]]).ends_with(2);
    assert!(
        run.err
            .contains("does not exist; addresses begin with http://"),
        "{}",
        run.err
    );
    let run = tree.run(&["http://"]).ends_with(2);
    assert!(run.err.contains("it is no address"), "{}", run.err);
    let run = tree.run(&["ftp://localhost/x"]).ends_with(2);
    assert!(run.err.contains("use http"), "{}", run.err);
}

#[test]
fn answers_must_be_whole_and_of_http() {
    let tree = Tree::new();
    for (answer, wanted) in [
        (
            "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n",
            "it sends elsewhere",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\ngoroutine",
            "cut off",
        ),
        (
            "HTTP/1.1 500 Oops\r\n\r\n\x1b[31mno\nmore",
            "it answers 500 [31mno",
        ),
        ("SSH-2.0-OpenSSH\r\n\r\n", "it does not speak HTTP"),
    ] {
        let (port, thread) = serve(answer.to_owned());
        let run = tree
            .run(&[&format!("http://127.0.0.1:{port}/debug/pprof/heap")])
            .ends_with(2);
        assert!(run.err.contains(wanted), "{wanted}: {}", run.err);
        thread.join().expect("answers");
    }
}

#[test]
fn folders_are_series() {
    let tree = Tree::new();
    fs::create_dir(tree.path("series")).expect("a folder");
    for number in 1..=4 {
        tree.write(&format!("series/{number}.txt"), &dump(number * 100));
    }
    tree.write("series/.hidden", "x");
    tree.write("series/notes.md", "What I saw.");
    let run = tree.run(&["series", "--no-check"]).ends_with(1);
    assert!(
        run.out
            .contains("+300 since series/1.txt; 1 line growing over 4 profiles"),
        "{}",
        run.out
    );
    assert!(
        run.err.starts_with("warning: `series/notes.md`: ") && run.err.contains("left out"),
        "{}",
        run.err
    );
    fs::create_dir(tree.path("empty")).expect("a folder");
    let run = tree.run(&["empty"]).ends_with(2);
    assert_eq!(run.err, "error: `empty` is an empty folder\n");
}

#[test]
fn the_page_needs_nothing_else() {
    let tree = Tree::new();
    for number in 1..=5 {
        tree.write(&format!("{number}.txt"), &dump(number * 300));
    }
    tree.write("files.txt", FILES);
    let args = ["1.txt", "2.txt", "3.txt", "4.txt", "5.txt", "files.txt"];
    let run = tree
        .run(&[&args[..], &["--format", "html", "-o", "report.html"]].concat())
        .ends_with(1);
    assert_eq!(run.out, "");
    let page = fs::read_to_string(tree.path("report.html")).expect("a page");
    for wanted in [
        "<!doctype html>",
        "Content-Security-Policy content=\"default-src 'none'",
        "<svg class=chart",
        "Lines that grow",
        "m.go:18",
        "1,500 goroutines blocked sending to a channel",
        "+1,200",
        "class=flame ",
        "m.serve.func1",
        "<span class='tag confirmed'>confirms unclosed-file</span>",
        "results &lt;- open(name)",
    ] {
        assert!(page.contains(wanted), "{wanted}");
    }
    for unwanted in [
        "src=",
        "<link",
        "@import",
        "url(",
        "fetch(",
        "XMLHttpRequest",
    ] {
        assert!(!page.contains(unwanted), "{unwanted}");
    }
    // To standard output as well.
    let run = tree.run(&["5.txt", "--format", "html", "--no-check", "--exit-zero"]);
    assert!(run.ends_with(0).out.ends_with("</script>\n"));
}

#[test]
fn names_in_profiles_are_no_markup() {
    let tree = Tree::new();
    let evil = "<img src=x onerror=alert(1)>";
    let text = format!(
        "files profile: total 150
150 @ 0x1
#\t0x1\texample.com/m.{evil}+0x33\t\t/src/app/m.go:6

"
    );
    tree.write("files.txt", &text);
    let run = tree.run(&["files.txt", "--format", "html", "--no-check"]);
    assert!(!run.out.contains("<img"), "{}", run.out);
}
