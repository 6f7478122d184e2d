//! Building and running the service.

use std::error::Error;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Profiles of what waits for ever: an experiment in this release, always there in later ones.
const EXPERIMENT: &str = "goroutineleakprofile";

/// A Go toolchain.
pub struct Go {
    command: PathBuf,
    version: String,
}

impl Go {
    /// The one asked for, `$STOPLEAK_GO`, or the one on PATH. `None` if there is none.
    pub fn find(asked: Option<PathBuf>) -> Option<Self> {
        let command = asked
            .or_else(|| std::env::var_os("STOPLEAK_GO").map(PathBuf::from))
            .unwrap_or_else(|| "go".into());
        let output = Command::new(&command)
            .args(["env", "GOVERSION"])
            .env("GOTOOLCHAIN", "local")
            .output()
            .ok()
            .filter(|output| output.status.success())?;
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Some(Self { command, version })
    }

    /// As `go1.26.6`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Go 1.26 has the leak profile as an experiment; releases after it do not know the experiment any more.
    fn experiment(&self) -> &'static str {
        if self.version.starts_with("go1.26") {
            EXPERIMENT
        } else {
            ""
        }
    }

    /// A go command in a folder, without network, and without settings of the machine.
    pub fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.command);
        command
            .current_dir(folder)
            .env("GOWORK", "off")
            .env("GOFLAGS", "")
            .env("GOPROXY", "off")
            .env("GOTOOLCHAIN", "local")
            .env("GOEXPERIMENT", self.experiment());
        command
    }

    /// Runs a go command.
    pub fn run(&self, folder: &Path, arguments: &[&str]) -> Result<Output> {
        let output = self.command(folder).args(arguments).output()?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            return Err(format!("go {}: {why}", arguments.join(" ")).into());
        }
        Ok(output)
    }

    /// Builds the program of a folder.
    pub fn build(&self, folder: &Path, flags: &[&str], binary: &Path) -> Result<()> {
        let mut arguments = vec!["build"];
        arguments.extend(flags);
        let binary = binary.to_string_lossy();
        arguments.extend(["-o", &binary, "."]);
        self.run(folder, &arguments).map(drop)
    }
}

/// The service, running until it is dropped.
pub struct Service {
    child: Child,
    address: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do about it here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Service {
    /// Starts the program; `fixed` are leaks with commas between, or `all`.
    pub fn start(binary: &Path, fixed: &str) -> Result<Self> {
        let mut child = Command::new(binary)
            .args(["-fixed", fixed])
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or("no output")?;
        let mut service = Self {
            child,
            address: String::new(),
        };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let (_, address) = line
            .trim()
            .rsplit_once(' ')
            .ok_or("the service did not say where it listens")?;
        address.clone_into(&mut service.address);
        Ok(service)
    }

    /// Sends a request and does not wait for its answer.
    pub fn send(&self, path: &str) -> Result<TcpStream> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        // Of HTTP/1.0 an answer ends where the connection ends.
        write!(
            stream,
            "GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n",
            self.address
        )?;
        Ok(stream)
    }

    /// The body of an answer, whatever its status.
    pub fn get(&self, path: &str) -> Result<Vec<u8>> {
        let mut answer = Vec::new();
        self.send(path)?.read_to_end(&mut answer)?;
        let end = answer
            .windows(4)
            .position(|bytes| bytes == b"\r\n\r\n")
            .ok_or_else(|| format!("{path}: no answer"))?;
        Ok(answer.split_off(end + 4))
    }

    /// A profile.
    pub fn profile(&self, name: &str) -> Result<Vec<u8>> {
        self.get(&format!("/debug/pprof/{name}"))
    }
}
