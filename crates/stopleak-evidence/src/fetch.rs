//! Reading inputs: files, stdin, and addresses of running programs. Nothing leaves the machine unless the user says so.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

/// The largest answer that is read.
const MAX_BYTES: u64 = 512 << 20;
/// So much of an error's text is shown.
const MAX_MESSAGE: u64 = 200;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A garbage collection and the writing of a large profile take a while.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
/// Of a profile that the program records for a time that the address names.
const MAX_SECONDS: u64 = 3600;

/// How the message of an address that is not to be asked ends.
pub const ELSEWHERE: &str = "it is not on this machine";

/// Why an address gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchError {
    /// There is nothing at the address (404): this program does not have such a profile.
    Absent(String),
    /// Anything else.
    Failed(String),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(message) | Self::Failed(message) => f.write_str(message),
        }
    }
}

/// Whether an input is an address, not a file.
pub fn is_address(input: &str) -> bool {
    input.starts_with("http://") || input.starts_with("https://")
}

/// Opens an input.
///
/// # Errors
/// It does not exist, cannot be read, or is an address that is not to be fetched; the message names it.
pub fn open(input: &str, allow_remote: bool) -> Result<Box<dyn Read>, String> {
    if input == "-" {
        return Ok(Box::new(io::stdin().lock()));
    }
    if is_address(input) {
        let body = get(input, allow_remote).map_err(|error| format!("`{input}`: {error}"))?;
        return Ok(Box::new(io::Cursor::new(body)));
    }
    if let Some((scheme, _)) = input.split_once("://") {
        return Err(format!(
            "`{input}`: `{scheme}` addresses cannot be read; use http"
        ));
    }
    let file = File::open(input).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound if seems_an_address(input) => {
            format!("`{input}` does not exist; addresses begin with http://")
        }
        io::ErrorKind::NotFound => format!("`{input}` does not exist"),
        _ => format!("`{input}` cannot be read: {error}"),
    })?;
    Ok(Box::new(file))
}

/// `localhost:6060/debug/…`
fn seems_an_address(input: &str) -> bool {
    let authority = input.split('/').next().unwrap_or_default();
    authority
        .rsplit_once(':')
        .is_some_and(|(host, port)| host.len() > 1 && port.parse::<u16>().is_ok())
}

/// Gets what is at an address.
///
/// # Errors
/// The address is not one, is not on this machine, or does not answer with a success.
pub fn get(address: &str, allow_remote: bool) -> Result<Vec<u8>, FetchError> {
    let failed = FetchError::Failed;
    if address.starts_with("https://") {
        return Err(failed(
            "https is not supported; save it with curl and give the file".to_owned(),
        ));
    }
    let uri: Uri = address
        .parse()
        .ok()
        .filter(|uri: &Uri| uri.host().is_some_and(|host| !host.is_empty()))
        .ok_or_else(|| failed("it is no address".to_owned()))?;
    let config = Config::builder()
        // The program that is asked is this machine's own: no proxy may come in between, and none may learn of it.
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .user_agent("stopleak")
        .accept("*/*")
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_global(Some(ANSWER_TIMEOUT + seconds(&uri)))
        .build();
    let agent = Agent::with_parts(
        config,
        DefaultConnector::default(),
        Near {
            allow_remote,
            inner: DefaultResolver::default(),
        },
    );
    let mut answer = agent
        .get(uri)
        .call()
        .map_err(|error| failed(told(&error)))?;
    let status = answer.status();
    if status.is_success() {
        return answer
            .body_mut()
            .with_config()
            .limit(MAX_BYTES)
            .read_to_vec()
            .map_err(|error| failed(told(&error)));
    }
    if status.is_redirection() {
        return Err(failed("it sends elsewhere; give that address".to_owned()));
    }
    let mut said = Vec::new();
    // What the program says about the failure is a courtesy.
    let _ = answer
        .body_mut()
        .as_reader()
        .take(MAX_MESSAGE)
        .read_to_end(&mut said);
    let said = String::from_utf8_lossy(&said);
    let said: String = said
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    let message = format!("it answers {} {said}", status.as_u16());
    let message = message.trim_end().to_owned();
    Err(if status.as_u16() == 404 {
        FetchError::Absent(message)
    } else {
        FetchError::Failed(message)
    })
}

/// The seconds that the program is asked to record for.
fn seconds(uri: &Uri) -> Duration {
    let seconds = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .find_map(|part| part.strip_prefix("seconds=")?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(0).min(MAX_SECONDS))
}

fn told(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "it did not answer in time".to_owned(),
        ureq::Error::HostNotFound => "no such host".to_owned(),
        ureq::Error::BodyExceedsLimit(limit) => {
            format!("it answers with more than {} MiB", limit >> 20)
        }
        ureq::Error::Protocol(_) => "it does not speak HTTP".to_owned(),
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            "nothing listens there".to_owned()
        }
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the answer is cut off".to_owned()
        }
        ureq::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

/// Keeps connections on this machine, whatever a name resolves to.
#[derive(Debug)]
struct Near {
    allow_remote: bool,
    inner: DefaultResolver,
}

impl Resolver for Near {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let all = self.inner.resolve(uri, config, timeout)?;
        if self.allow_remote {
            return Ok(all);
        }
        let mut near = self.inner.empty();
        for address in all.iter().filter(|address| address.ip().is_loopback()) {
            near.push(*address);
        }
        if near.is_empty() {
            return Err(ureq::Error::Io(io::Error::other(ELSEWHERE)));
        }
        Ok(near)
    }
}

/// What a running program is asked for, if no profile is named: the profiles that show leaks.
pub const PROFILES: [&str; 3] = ["goroutineleak", "heap", "goroutine"];

/// Where the handlers of `net/http/pprof` are: the address up to the names of profiles, with `/` at the end. `None` if the input names
/// one profile, or none at all.
pub fn handlers(input: &str) -> Option<String> {
    let rest = input.strip_prefix("http://")?;
    if rest.contains(['?', '#']) {
        return None;
    }
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    match path.trim_end_matches('/') {
        "" => Some(format!("http://{authority}/debug/pprof/")),
        path if path.ends_with("pprof") => Some(format!("http://{authority}/{path}/")),
        _ => None,
    }
}

/// The files of an input: those in a folder, or the input itself.
///
/// # Errors
/// The folder cannot be read, or has no files.
pub fn files_of(input: &str) -> Result<Vec<String>, String> {
    if input == "-" || input.contains("://") || !Path::new(input).is_dir() {
        return Ok(vec![input.to_owned()]);
    }
    let unreadable = |error: io::Error| format!("`{input}` cannot be read: {error}");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(input).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if !hidden && entry.path().is_file() {
            files.push(entry.path().to_string_lossy().into_owned());
        }
    }
    if files.is_empty() {
        return Err(format!("`{input}` is an empty folder"));
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::{handlers, seconds, seems_an_address};

    #[test]
    fn programs_are_asked_at_their_handlers() {
        let at = |input| handlers(input);
        let local = Some("http://localhost:6060/debug/pprof/".to_owned());
        assert_eq!(at("http://localhost:6060"), local);
        assert_eq!(at("http://localhost:6060/"), local);
        assert_eq!(at("http://localhost:6060/debug/pprof"), local);
        assert_eq!(at("http://localhost:6060/debug/pprof/"), local);
        assert_eq!(
            at("http://localhost:6060/admin/pprof/").as_deref(),
            Some("http://localhost:6060/admin/pprof/")
        );
        assert_eq!(at("http://localhost:6060/debug/pprof/heap"), None);
        assert_eq!(at("http://localhost:6060/?x"), None);
        assert_eq!(at("heap.pb.gz"), None);
    }

    #[test]
    fn recording_takes_its_time() {
        let of = |text: &str| seconds(&text.parse().expect("an address")).as_secs();
        assert_eq!(of("http://x/debug/pprof/heap"), 0);
        assert_eq!(of("http://x/debug/pprof/heap?gc=1&seconds=5"), 5);
        assert_eq!(of("http://x/debug/pprof/heap?seconds=999999999"), 3600);
        assert_eq!(of("http://x/debug/pprof/heap?seconds=-1"), 0);
    }

    #[test]
    fn a_forgotten_scheme_is_noticed() {
        assert!(seems_an_address("localhost:6060/debug/pprof/heap"));
        assert!(seems_an_address("127.0.0.1:6060"));
        assert!(!seems_an_address("C:/profiles/heap"));
        assert!(!seems_an_address("heap.pb.gz"));
    }
}
