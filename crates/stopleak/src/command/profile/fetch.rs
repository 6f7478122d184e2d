//! Reading inputs: files, stdin, and addresses of running programs.
//!
//! Only what `net/http/pprof` needs of HTTP: one plain GET. Nothing leaves the machine unless the user says so.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// The largest answer that is read.
const MAX_BYTES: u64 = 512 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A garbage collection and the writing of a large profile take a while.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// Opens an input.
///
/// # Errors
/// It does not exist, cannot be read, or is an address that is not to be fetched; the message names it.
pub fn open(input: &str, allow_remote: bool) -> Result<Box<dyn Read>, String> {
    if input == "-" {
        return Ok(Box::new(io::stdin().lock()));
    }
    if input.starts_with("https://") {
        return Err(format!(
            "`{input}`: https is not supported; save it with curl and give the file"
        ));
    }
    if let Some(rest) = input.strip_prefix("http://") {
        let url = Url::parse(rest).ok_or_else(|| format!("`{input}` is no address"))?;
        let body = get(&url, allow_remote).map_err(|error| format!("`{input}`: {error}"))?;
        return Ok(Box::new(io::Cursor::new(body)));
    }
    let file = File::open(input).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("`{input}` does not exist"),
        _ => format!("`{input}` cannot be read: {error}"),
    })?;
    Ok(Box::new(file))
}

#[derive(Debug, PartialEq, Eq)]
struct Url {
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
    /// As it is in the `Host` line.
    authority: String,
    /// With the query.
    path: String,
}

impl Url {
    /// Of what follows `http://`.
    fn parse(rest: &str) -> Option<Self> {
        let rest = rest.split('#').next()?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if !visible(authority) || !visible(path) || authority.contains('@') {
            return None;
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']')?;
                (host, after.strip_prefix(':'))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        if host.is_empty() {
            return None;
        }
        Some(Self {
            host: host.to_owned(),
            port: port.map_or(Some(80), |port| port.parse().ok())?,
            authority: authority.to_owned(),
            path: if path.starts_with('/') {
                path.to_owned()
            } else {
                format!("/{path}")
            },
        })
    }

    /// The seconds that the program is asked to record for.
    fn seconds(&self) -> Duration {
        let seconds = self
            .path
            .split(['?', '&'])
            .find_map(|part| part.strip_prefix("seconds=")?.parse().ok());
        Duration::from_secs(seconds.unwrap_or(0).min(3600))
    }
}

fn get(url: &Url, allow_remote: bool) -> Result<Vec<u8>, String> {
    let addresses: Vec<_> = (url.host.as_str(), url.port)
        .to_socket_addrs()
        .map_err(|error| error.to_string())?
        .filter(|address| allow_remote || address.ip().is_loopback())
        .collect();
    if addresses.is_empty() {
        return Err("it is not on this machine; --allow-remote fetches it all the same".to_owned());
    }
    let mut last = String::new();
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(stream) => {
                let until = Instant::now() + ANSWER_TIMEOUT + url.seconds();
                return ask(stream, url, until).map_err(|error| match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                        "it did not answer in time".to_owned()
                    }
                    _ => error.to_string(),
                });
            }
            Err(error) => last = error.to_string(),
        }
    }
    Err(last)
}

/// A stream that must be done by a certain time, however slowly it goes on.
struct Timed {
    stream: TcpStream,
    until: Instant,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        self.stream.read(buffer)
    }
}

fn ask(mut stream: TcpStream, url: &Url, until: Instant) -> io::Result<Vec<u8>> {
    stream.set_write_timeout(Some(CONNECT_TIMEOUT))?;
    // With HTTP/1.0 the answer comes in one piece and ends with the connection.
    let request = format!(
        "GET {} HTTP/1.0\r\nHost: {}\r\nConnection: close\r\nUser-Agent: stopleak\r\n\r\n",
        url.path, url.authority
    );
    stream.write_all(request.as_bytes())?;
    answer(&mut BufReader::new(Timed { stream, until }))
}

fn answer(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut head = reader.take(64 << 10);
    let mut status = String::new();
    head.read_line(&mut status)?;
    let code = status
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.get(2..5))
        .ok_or_else(|| io::Error::other("it does not speak HTTP"))?
        .to_owned();
    let mut length = None;
    loop {
        let mut line = String::new();
        if head.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse::<u64>().ok();
        }
    }
    let limit = length.unwrap_or(MAX_BYTES).min(MAX_BYTES);
    let mut body = Vec::new();
    head.into_inner().take(limit).read_to_end(&mut body)?;
    match &*code {
        "200" if length.is_some_and(|length| (body.len() as u64) < length.min(MAX_BYTES)) => {
            Err(io::Error::other("the answer is cut off"))
        }
        "200" => Ok(body),
        "301" | "302" | "303" | "307" | "308" => {
            Err(io::Error::other("it sends elsewhere; give that address"))
        }
        _ => {
            let said = String::from_utf8_lossy(&body);
            let said: String = said
                .lines()
                .next()
                .unwrap_or_default()
                .chars()
                .take(200)
                .collect();
            Err(io::Error::other(format!("it answers {code} {said}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Url, answer};

    #[test]
    fn addresses_are_taken_apart() {
        let parts = |rest| {
            let url = Url::parse(rest)?;
            Some((
                url.host.clone(),
                url.port,
                url.path.clone(),
                url.seconds().as_secs(),
            ))
        };
        let some = |host: &str, port, path: &str, seconds| {
            Some((host.to_owned(), port, path.to_owned(), seconds))
        };
        assert_eq!(parts("localhost"), some("localhost", 80, "/", 0));
        assert_eq!(
            parts("localhost:6060/debug/pprof/heap?gc=1&seconds=5"),
            some("localhost", 6060, "/debug/pprof/heap?gc=1&seconds=5", 5)
        );
        assert_eq!(parts("[::1]:80?x#y"), some("::1", 80, "/?x", 0));
        for wrong in ["", ":80", "a:b", "a b/", "a/\r\nX: y", "user@host/"] {
            assert_eq!(parts(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn answers_are_read() {
        let read = |text: &str| answer(&mut text.as_bytes()).map_err(|error| error.to_string());
        let ok = |text: &str| Ok(text.as_bytes().to_vec());
        assert_eq!(read("HTTP/1.0 200 OK\r\nA: b\r\n\r\nbody"), ok("body"));
        assert_eq!(
            read("HTTP/1.1 200 OK\r\ncontent-LENGTH: 2\r\n\r\nbody"),
            ok("bo")
        );
        let error = |text: &str| Err(text.to_owned());
        assert_eq!(
            read("HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nbody"),
            error("the answer is cut off")
        );
        assert_eq!(
            read("HTTP/1.0 404 Not Found\r\n\r\nUnknown profile\nx"),
            error("it answers 404 Unknown profile")
        );
        assert!(read("HTTP/1.0 302 Found\r\nLocation: x\r\n\r\n").is_err());
        assert!(read("SSH-2.0").is_err());
        assert!(read("HTTP/1.0 200 OK\r\nA: b").is_err());
    }
}
