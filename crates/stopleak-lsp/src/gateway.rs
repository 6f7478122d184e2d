//! Standard input, in front of the protocol library.
//!
//! One thread reads messages, mends what is known to end or silence the server behind it (malformed JSON, URIs that are not quite
//! URIs, `null` parameters), and passes them on. It never waits for the server, so `exit`, the end of input and a vanished parent
//! are seen even when every handler is stuck or nobody reads standard output. A plain thread, because an asynchronous standard
//! input cannot be left while a read is under way.

use std::io::{self, BufRead, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use dashmap::DashMap;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::mpsc;

use crate::uri;

/// The method under which a message that cannot be understood is passed on, to be answered with an error.
pub(crate) const MALFORMED: &str = "stopleak/malformedMessage";

/// Longest message that is taken, in bytes.
const MAX_MESSAGE: usize = 1 << 30;
/// Longest header line that is taken, in bytes.
const MAX_HEADER: u64 = 16 << 10;
/// How long answers under way may take after the end of input.
const GRACE: Duration = Duration::from_secs(2);
/// How often the parent is looked at.
const PARENT_INTERVAL: Duration = Duration::from_millis(500);

/// What the life of the process depends on, and how clients spell URIs.
#[derive(Default)]
pub(crate) struct Life {
    shutdown: AtomicBool,
    watching: AtomicBool,
    /// From a repaired URI to what the client wrote, where they differ. Diagnostics are published under the client's spelling.
    spellings: DashMap<String, String>,
}

impl Life {
    /// 0 after `shutdown`, else 1.
    pub(crate) fn exit_code(&self) -> i32 {
        i32::from(!self.shutdown.load(Ordering::SeqCst))
    }

    /// Ends the process. Not by returning from `main`: other threads may be in the middle of blocking input and output.
    pub(crate) fn exit(&self) -> ! {
        std::process::exit(self.exit_code())
    }

    /// The client's spelling of a URI.
    pub(crate) fn spelling(&self, uri: &str) -> String {
        self.spellings
            .get(uri)
            .map_or_else(|| uri.to_owned(), |raw| raw.value().clone())
    }

    /// Forgets a spelling, when the document is closed.
    pub(crate) fn forget(&self, uri: &str) {
        self.spellings.remove(uri);
    }

    /// Ends the process when `parent` does. A process that cannot be seen from the start (another container's) is not watched.
    pub(crate) fn watch_parent(self: &Arc<Self>, parent: u32) {
        if !is_alive(parent) || self.watching.swap(true, Ordering::SeqCst) {
            return;
        }
        let life = Arc::clone(self);
        let watch = move || {
            while is_alive(parent) {
                std::thread::sleep(PARENT_INTERVAL);
            }
            tracing::info!(parent, "the parent process has ended");
            life.exit();
        };
        if let Err(error) = std::thread::Builder::new()
            .name("parent".into())
            .spawn(watch)
        {
            tracing::warn!(%error, "the parent process is not watched");
        }
    }
}

#[cfg(unix)]
fn is_alive(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
    else {
        return false;
    };
    // A process of another user cannot be signalled, but it is there.
    !matches!(
        rustix::process::test_kill_process(pid),
        Err(rustix::io::Errno::SRCH)
    )
}

/// Elsewhere the end of input is enough: the system closes the pipe of a process that ends.
#[cfg(not(unix))]
fn is_alive(_pid: u32) -> bool {
    false
}

/// The messages as an asynchronous reader.
pub(crate) struct Messages {
    receiver: mpsc::UnboundedReceiver<Vec<u8>>,
    current: io::Cursor<Vec<u8>>,
}

impl AsyncRead for Messages {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let position = usize::try_from(self.current.position()).unwrap_or(usize::MAX);
            let rest = self.current.get_ref().get(position..).unwrap_or_default();
            if !rest.is_empty() {
                let n = rest.len().min(buf.remaining());
                buf.put_slice(&rest[..n]);
                self.current.set_position((position + n) as u64);
                return Poll::Ready(Ok(()));
            }
            match self.receiver.poll_recv(cx) {
                Poll::Ready(Some(message)) => self.current = io::Cursor::new(message),
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// Starts to read `input` on a thread of its own.
///
/// # Errors
/// The thread cannot be started.
pub(crate) fn start(input: impl Read + Send + 'static, life: Arc<Life>) -> io::Result<Messages> {
    // Without a bound: a client that writes much and does not read must not be blocked, or both wait for ever.
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::Builder::new()
        .name("stdin".into())
        .spawn(move || {
            let mut input = io::BufReader::with_capacity(64 << 10, input);
            loop {
                match read_message(&mut input) {
                    Ok(Incoming::Message(body)) => {
                        if sender.send(frame(&pass_on(&body, &life))).is_err() {
                            return;
                        }
                    }
                    Ok(Incoming::Garbage(what)) => {
                        tracing::warn!("skipped what is not a message: {what}");
                    }
                    Ok(Incoming::End) | Err(_) => break,
                }
            }
            tracing::debug!("end of input");
            drop(sender); // the server finishes what it has begun, then returns
            std::thread::sleep(GRACE);
            life.exit();
        })?;
    Ok(Messages {
        receiver,
        current: io::Cursor::default(),
    })
}

enum Incoming {
    Message(Vec<u8>),
    Garbage(String),
    End,
}

fn read_message(input: &mut impl BufRead) -> io::Result<Incoming> {
    let mut length: Option<usize> = None;
    loop {
        let mut line = Vec::new();
        if input
            .by_ref()
            .take(MAX_HEADER)
            .read_until(b'\n', &mut line)?
            == 0
        {
            return Ok(Incoming::End);
        }
        let line = line.trim_ascii();
        if line.is_empty() {
            match length {
                Some(_) => break,
                None => continue, // blank lines between messages
            }
        }
        // Garbage may stand before a header on the same line, when a length given before was wrong.
        let lower = line.to_ascii_lowercase();
        const NAME: &[u8] = b"content-length:";
        match lower.windows(NAME.len()).rposition(|window| window == NAME) {
            Some(at) => {
                let value =
                    std::str::from_utf8(lower[at + NAME.len()..].trim_ascii()).unwrap_or_default();
                length = value.parse().ok().filter(|length| *length <= MAX_MESSAGE);
                if length.is_none() {
                    return Ok(Incoming::Garbage(format!("a length of {value:?}")));
                }
            }
            None if lower.starts_with(b"content-type:") || length.is_some() => {}
            None => {
                return Ok(Incoming::Garbage(format!(
                    "{} bytes without a header",
                    line.len()
                )));
            }
        }
    }
    let length = length.unwrap_or_default();
    let mut body = Vec::with_capacity(length.min(1 << 20));
    let read = input.by_ref().take(length as u64).read_to_end(&mut body)?;
    Ok(if read < length {
        Incoming::End
    } else {
        Incoming::Message(body)
    })
}

fn frame(message: &Value) -> Vec<u8> {
    let body = message.to_string();
    let mut framed = format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    framed.extend_from_slice(body.as_bytes());
    framed
}

/// What the server is to see in place of `body`.
fn pass_on(body: &[u8], life: &Life) -> Value {
    let mut message = match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(message)) => message,
        Ok(_) => {
            return malformed(
                -32600,
                "a message must be an object; batches are not part of the protocol",
                None,
            );
        }
        Err(error) => {
            tracing::warn!(%error, "malformed message");
            return malformed(-32700, &format!("malformed message: {error}"), None);
        }
    };
    message.insert("jsonrpc".to_owned(), json!("2.0"));
    let id_is_valid = match message.get("id") {
        None | Some(Value::Null | Value::String(_)) => true,
        Some(Value::Number(id)) => id.is_i64(),
        Some(_) => false,
    };
    if !id_is_valid {
        return malformed(-32600, "the id must be a number or a string", None);
    }
    match message.get("method").cloned() {
        Some(Value::String(method)) => {
            if method == "exit" {
                life.exit();
            }
            mend(&method, &mut message, life);
        }
        Some(_) => return malformed(-32600, "the method must be a string", message.remove("id")),
        None if message.contains_key("id") => {
            // An answer. An error wins over a result beside it, and no result at all is the result `null`.
            let error = message.remove("error").filter(Value::is_object);
            if let Some(mut error) = error {
                mend_error(&mut error);
                message.remove("result");
                message.insert("error".to_owned(), error);
            } else if !message.contains_key("result") {
                message.insert("result".to_owned(), Value::Null);
            }
        }
        None => {
            return malformed(
                -32600,
                "neither a request, nor a notification, nor an answer",
                None,
            );
        }
    }
    Value::Object(message)
}

fn malformed(code: i64, text: &str, id: Option<Value>) -> Value {
    json!({
        "jsonrpc": "2.0",
        "id": id.unwrap_or_default(),
        "method": MALFORMED,
        "params": { "code": code, "message": text },
    })
}

fn mend_error(error: &mut Value) {
    if let Value::Object(error) = error {
        if !error.get("code").is_some_and(Value::is_i64) {
            error.insert("code".to_owned(), json!(-32603));
        }
        if !error.get("message").is_some_and(Value::is_string) {
            error.insert("message".to_owned(), json!(""));
        }
    }
}

fn mend(method: &str, message: &mut Map<String, Value>, life: &Life) {
    if message.get("params").is_some_and(Value::is_null) {
        message.remove("params");
    }
    match method {
        "shutdown" => {
            message.remove("params");
            life.shutdown.store(true, Ordering::SeqCst);
        }
        "initialized" if !message.contains_key("params") => {
            message.insert("params".to_owned(), json!({}));
        }
        "initialize" => {
            if let Some(Value::Object(params)) = message.get_mut("params") {
                for key in ["rootUri", "rootPath"] {
                    if params.get(key).and_then(Value::as_str) == Some("") {
                        params.insert(key.to_owned(), Value::Null);
                    }
                }
                let pid = params.get("processId").and_then(Value::as_u64);
                params.insert(
                    "processId".to_owned(),
                    json!(pid.and_then(|pid| u32::try_from(pid).ok())),
                );
            }
        }
        _ => {}
    }
    if let Some(params) = message.get_mut("params") {
        repair_uris(params, life);
    }
}

/// Repairs the URIs at every depth. serde_json has bounded the depth.
fn repair_uris(value: &mut Value, life: &Life) {
    match value {
        Value::Object(members) => {
            for (key, member) in members.iter_mut() {
                let is_uri = key == "uri" || key == "href" || key.ends_with("Uri");
                match member {
                    Value::String(text) if is_uri => {
                        if let std::borrow::Cow::Owned(repaired) = uri::repair(text) {
                            if key == "uri" {
                                life.spellings.insert(repaired.clone(), text.clone());
                            }
                            *text = repaired;
                        }
                    }
                    Value::Object(_) | Value::Array(_) => repair_uris(member, life),
                    _ => {}
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| repair_uris(item, life)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8]) -> Vec<Result<Vec<u8>, ()>> {
        let mut input = io::BufReader::with_capacity(7, input);
        let mut out = Vec::new();
        loop {
            match read_message(&mut input).unwrap() {
                Incoming::Message(body) => out.push(Ok(body)),
                Incoming::Garbage(_) => out.push(Err(())),
                Incoming::End => return out,
            }
        }
    }

    #[test]
    fn reads_messages_and_steps_over_garbage() {
        let input = b"Content-Length: 2\r\n\r\n{}content-length:3\nContent-Type: x\n\n[1]rubbish\nContent-Length: -1\r\n\r\n\
            Content-Length: 99999999999999999999\r\n\r\nContent-Length: 4\r\n\r\nnull";
        let read: Vec<_> = all(input).into_iter().flatten().collect();
        assert_eq!(read, [b"{}".to_vec(), b"[1]".to_vec(), b"null".to_vec()]);
    }

    #[test]
    fn an_unfinished_message_is_the_end() {
        assert!(all(b"Content-Length: 10\r\n\r\n{").is_empty());
        assert!(all(b"Content-Le").iter().all(Result::is_err));
    }

    fn passed(message: &str) -> Value {
        pass_on(message.as_bytes(), &Life::default())
    }

    #[test]
    fn malformed_messages_become_errors() {
        for (message, code) in [
            ("{", -32700),
            ("[]", -32600),
            ("{}", -32600),
            (r#"{"id":1.5,"method":"x"}"#, -32600),
            (r#"{"method":3}"#, -32600),
        ] {
            let message = passed(message);
            assert_eq!(message["method"], MALFORMED);
            assert_eq!(message["params"]["code"], code);
        }
        let deep = format!("{{\"method\":{}", "[".repeat(100_000));
        assert_eq!(passed(&deep)["params"]["code"], -32700);
        assert_eq!(
            pass_on(b"\xff\xfe", &Life::default())["params"]["code"],
            -32700
        );
    }

    #[test]
    fn answers_are_made_whole() {
        assert_eq!(passed(r#"{"id":1}"#)["result"], Value::Null);
        let error = passed(r#"{"id":1,"result":null,"error":{"code":"x"}}"#);
        assert_eq!(error["error"]["code"], -32603);
        assert!(error.get("result").is_none());
    }

    #[test]
    fn uris_are_repaired_and_remembered() {
        let life = Life::default();
        let message = br#"{"method":"textDocument/didOpen","params":{"textDocument":{"uri":"file:///a/[id].go","text":"uri [x]"}}}"#;
        let message = pass_on(message, &life);
        assert_eq!(
            message["params"]["textDocument"]["uri"],
            "file:///a/%5Bid%5D.go"
        );
        assert_eq!(message["params"]["textDocument"]["text"], "uri [x]");
        assert_eq!(life.spelling("file:///a/%5Bid%5D.go"), "file:///a/[id].go");
        assert_eq!(life.spelling("file:///other.go"), "file:///other.go");
    }

    #[test]
    fn shutdown_decides_the_exit_code() {
        let life = Life::default();
        assert_eq!(life.exit_code(), 1);
        pass_on(br#"{"id":1,"method":"shutdown","params":null}"#, &life);
        assert_eq!(life.exit_code(), 0);
    }
}
