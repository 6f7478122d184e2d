//! A program built by a real Go toolchain, and what `go tool pprof` says about its profiles.
//!
//! The `go` command is `$STOPLEAK_GO` or the one on `PATH`. Without one, tests that need it fail, unless `STOPLEAK_NO_GO` is set.

#![allow(dead_code, unused_imports, clippy::unwrap_used)] // Each test uses a part of it; helpers of tests may unwrap.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

mod raw;

pub use raw::{Raw, Recorded};

pub const MAIN: &str = include_str!("../program/main.go.txt");
pub const POOL: &str = include_str!("../program/pool/pool.go.txt");

fn go_command() -> Option<PathBuf> {
    if let Some(go) = std::env::var_os("STOPLEAK_GO") {
        return Some(go.into());
    }
    let version = Command::new("go").arg("version").output();
    if version.is_ok_and(|output| output.status.success()) {
        return Some("go".into());
    }
    if std::env::var_os("STOPLEAK_NO_GO").is_some() {
        return None;
    }
    panic!(
        "this test needs Go: install it, set STOPLEAK_GO to its go command, or set STOPLEAK_NO_GO to leave the test out"
    );
}

/// The leaking program with its profiles.
pub struct Program {
    dir: tempfile::TempDir,
    go: PathBuf,
}

impl Program {
    /// The program as it is built without flags, made once.
    pub fn plain() -> Option<&'static Self> {
        static PROGRAM: OnceLock<Option<Program>> = OnceLock::new();
        PROGRAM.get_or_init(|| Self::run(&[])).as_ref()
    }

    /// Builds the program with `flags` and runs it. `None` where there is no Go.
    pub fn run(flags: &[&str]) -> Option<Self> {
        let program = Self {
            dir: tempfile::tempdir().unwrap(),
            go: go_command()?,
        };
        let root = program.root();
        std::fs::create_dir_all(root.join("pool")).unwrap();
        std::fs::create_dir_all(program.profiles()).unwrap();
        std::fs::write(root.join("go.mod"), "module example.com/leaky\n\ngo 1.26\n").unwrap();
        std::fs::write(root.join("main.go"), MAIN).unwrap();
        std::fs::write(root.join("pool/pool.go"), POOL).unwrap();
        let mut build = vec!["build", "-o", "leaky"];
        build.extend(flags);
        let built = program.go(&build);
        assert!(
            built.status.success(),
            "{}",
            String::from_utf8_lossy(&built.stderr)
        );
        let run = Command::new(root.join("leaky"))
            .arg(program.profiles())
            .arg("panic")
            .output()
            .unwrap();
        std::fs::write(program.profiles().join("panic.txt"), &run.stderr).unwrap();
        Some(program)
    }

    fn go(&self, args: &[&str]) -> std::process::Output {
        Command::new(&self.go)
            .args(args)
            .current_dir(self.root())
            .env("GOWORK", "off")
            .env("GOFLAGS", "")
            .env("GOPROXY", "off")
            .env("GOTOOLCHAIN", "local")
            .output()
            .unwrap()
    }

    /// The module.
    pub fn root(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join("src")
    }

    pub fn profiles(&self) -> PathBuf {
        self.dir.path().join("profiles")
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.profiles().join(name)).unwrap()
    }

    /// All files whose names end like this.
    pub fn files(&self, end: &str) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(self.profiles())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(end))
            .collect();
        names.sort();
        names
    }

    /// What `go tool pprof -raw` prints about a file.
    pub fn raw(&self, path: &Path) -> Raw {
        let output = self.go(&["tool", "pprof", "-raw", path.to_str().unwrap()]);
        Raw::parse(&String::from_utf8_lossy(&output.stdout))
    }
}

/// The line of the program that ends with this comment, from 1.
pub fn line_of(source: &str, comment: &str) -> u32 {
    let at = source
        .lines()
        .position(|line| line.ends_with(&format!("// {comment}")))
        .unwrap_or_else(|| panic!("no line with {comment}"));
    at as u32 + 1
}
