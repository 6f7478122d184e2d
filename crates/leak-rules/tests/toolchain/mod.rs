//! A real Go toolchain for tests: many packages in one module, so that it is started a few times only.
//!
//! The `go` command is `$STOPLEAK_GO` or the one on `PATH`. Without one, tests that need it fail, unless `STOPLEAK_NO_GO` is set.

#![allow(dead_code, clippy::unwrap_used)] // Each test uses a part of it; helpers of tests may unwrap.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use leak_rules::Diagnostic;
use leak_rules::edit::{apply_edits, merge};

/// A module in a temporary directory.
pub struct GoModule {
    dir: tempfile::TempDir,
    go: PathBuf,
}

/// The `go` command; `None` where the tests that need it were switched off.
pub fn go_command() -> Option<PathBuf> {
    if let Some(go) = std::env::var_os("STOPLEAK_GO") {
        return Some(go.into());
    }
    if Command::new("go")
        .arg("version")
        .output()
        .is_ok_and(|o| o.status.success())
    {
        return Some("go".into());
    }
    if std::env::var_os("STOPLEAK_NO_GO").is_some() {
        return None;
    }
    panic!(
        "this test needs Go: install it, set STOPLEAK_GO to its go command, or set STOPLEAK_NO_GO to leave the test out"
    );
}

/// The text with every finding's first fix applied, with every finding's second one, and so on.
pub fn fixed(text: &str, found: &[Diagnostic]) -> Vec<String> {
    let most = found.iter().map(|f| f.fixes.len()).max().unwrap_or(0);
    (0..most)
        .map(|number| {
            let chosen: Vec<_> = found
                .iter()
                .map(|finding| {
                    let last = finding.fixes.len().checked_sub(1);
                    let last = last.unwrap_or_else(|| panic!("no fix: {}", finding.message));
                    &finding.fixes[number.min(last)]
                })
                .collect();
            let merged = merge(chosen);
            assert!(merged.skipped.is_empty(), "fixes in the way of each other");
            apply_edits(text, &merged.edits).unwrap()
        })
        .collect()
}

impl GoModule {
    /// An empty module called `m`. `None` where there is no Go.
    pub fn new(go_version: &str) -> Option<Self> {
        let module = Self {
            dir: tempfile::tempdir().unwrap(),
            go: go_command()?,
        };
        module.write("go.mod", &format!("module m\n\ngo {go_version}\n"));
        Some(module)
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.go);
        command
            .args(args)
            .current_dir(self.dir.path())
            .env("GOWORK", "off")
            .env("GOFLAGS", "")
            .env("GOPROXY", "off")
            .env("GOTOOLCHAIN", "local");
        command
    }

    fn gofmt(&self, args: &[&str]) -> Vec<String> {
        let gofmt = match self.go.parent() {
            Some(dir) if dir != Path::new("") => dir.join("gofmt"),
            _ => "gofmt".into(),
        };
        let out = Command::new(gofmt)
            .args(args)
            .current_dir(self.dir.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stdout).into_owned()
            + &String::from_utf8_lossy(&out.stderr);
        text.lines().map(str::to_owned).collect()
    }

    /// The files that `gofmt` would change or cannot read.
    pub fn unformatted(&self) -> Vec<String> {
        self.gofmt(&["-l", "."])
            .iter()
            .map(|l| {
                l.split(".go:")
                    .next()
                    .map_or(l.clone(), |f| match f.len() == l.len() {
                        true => l.clone(),
                        false => format!("{f}.go"),
                    })
            })
            .collect()
    }

    /// What `gofmt` would change in a file.
    pub fn gofmt_diff(&self, file: &str) -> String {
        self.gofmt(&["-d", file]).join("\n")
    }

    /// What `go build` (`go vet`, `go test` …) says about each package, by its directory.
    pub fn messages(&self, args: &[&str]) -> BTreeMap<String, Vec<String>> {
        let out = self.run(args);
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let text = String::from_utf8_lossy(&out.stdout).into_owned()
            + &String::from_utf8_lossy(&out.stderr);
        for line in text.lines() {
            let line = line.trim_start_matches("vet: ").trim_start_matches("./");
            if line.starts_with('#') || line.trim().is_empty() {
                continue;
            }
            let dir = match line.split_once(".go:") {
                Some((file, _)) => file.rsplit_once('/').map_or("", |(dir, _)| dir),
                None => "",
            };
            found
                .entry(dir.to_owned())
                .or_default()
                .push(line.to_owned());
        }
        if found.is_empty() && !out.status.success() {
            found.insert(String::new(), vec![format!("{args:?}: {}", out.status)]);
        }
        found
    }

    /// The version of the toolchain's language, such as `1.26`.
    pub fn language(&self) -> String {
        let version = self.run(&["env", "GOVERSION"]).stdout;
        let version = String::from_utf8(version).unwrap();
        let mut parts = version.trim().trim_start_matches("go").split('.');
        format!("{}.{}", parts.next().unwrap(), parts.next().unwrap())
    }

    /// Whether Go code can be built together with C.
    pub fn has_cgo(&self) -> bool {
        let enabled = self.run(&["env", "CGO_ENABLED"]).stdout;
        String::from_utf8_lossy(&enabled).trim() == "1"
    }

    /// Runs a package with the goroutine-leak profile.
    pub fn run_with_leak_profile(&self, package: &str) -> (String, bool) {
        self.with_leak_profile(&["run", package])
    }

    /// Runs a command with the goroutine-leak profile: an experiment in Go 1.26, always there in later releases, which do not know the
    /// experiment any more.
    pub fn with_leak_profile(&self, args: &[&str]) -> (String, bool) {
        let experiment = match &*self.language() {
            "1.26" => "goroutineleakprofile",
            _ => "",
        };
        let mut command = self.command(args);
        let out = command.env("GOEXPERIMENT", experiment).output().unwrap();
        let text = String::from_utf8_lossy(&out.stderr).into_owned()
            + &String::from_utf8_lossy(&out.stdout);
        (text, out.status.success())
    }

    /// Runs a package; what it prints, and whether it succeeded.
    pub fn run_package(&self, package: &str) -> (String, bool) {
        self.go(&["run", package])
    }

    /// Runs a command; what it prints, and whether it succeeded.
    pub fn go(&self, args: &[&str]) -> (String, bool) {
        let out = self.run(args);
        let text = String::from_utf8_lossy(&out.stdout).into_owned()
            + &String::from_utf8_lossy(&out.stderr);
        (text, out.status.success())
    }
}
