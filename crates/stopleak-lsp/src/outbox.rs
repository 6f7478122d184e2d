//! What goes to the client unasked: one task sends it, so that a slow client holds up nothing else.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tower_lsp::Client;
use tower_lsp::ls_types::notification::Notification;
use tower_lsp::ls_types::notification::Progress;
use tower_lsp::ls_types::{Diagnostic, MessageType, ProgressParams, Uri};

use crate::gateway::Life;

/// How long the client may take to answer a request of ours.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(30);

/// The newest version of each open document that the client has told us, kept by the handlers themselves: it is known before the
/// change is applied. The map is private and hands out copies, so that no guard can be held over an await.
#[derive(Debug, Default)]
pub(crate) struct Versions(DashMap<Arc<Path>, i32>);

impl Versions {
    pub(crate) fn set(&self, path: Arc<Path>, version: i32) {
        self.0.insert(path, version);
    }

    pub(crate) fn get(&self, path: &Path) -> Option<i32> {
        self.0.get(path).map(|version| *version)
    }

    pub(crate) fn remove(&self, path: &Path) {
        self.0.remove(path);
    }
}

/// Diagnostics to publish.
#[derive(Debug)]
pub(crate) struct Publication {
    pub(crate) path: Arc<Path>,
    pub(crate) uri: Uri,
    /// The number of the check that it comes from: checks may overtake each other, and then the later one counts.
    pub(crate) check: u64,
    /// The version that was analysed; `None` for files that are not open, and for checks on save, which may be behind.
    pub(crate) version: Option<i32>,
    /// `None`: take back what was published and forget the document.
    pub(crate) items: Option<Vec<Diagnostic>>,
}

#[derive(Debug)]
enum Out {
    Publish(Publication),
    Log(MessageType, String),
    Progress(ProgressParams),
}

/// Sends to the client, in order.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    sender: mpsc::UnboundedSender<Out>,
    client: Client,
    runtime: tokio::runtime::Handle,
}

impl Outbox {
    /// Starts the task that sends.
    pub(crate) fn start(
        client: Client,
        versions: Arc<Versions>,
        life: Arc<Life>,
        jitter: Jitter,
    ) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Handle::current();
        runtime.spawn(send(receiver, client.clone(), versions, life, jitter));
        Self {
            sender,
            client,
            runtime,
        }
    }

    /// Publishes, unless the document has changed meanwhile or nothing is new.
    pub(crate) fn publish(&self, publication: Publication) {
        let _ = self.sender.send(Out::Publish(publication));
    }

    /// Writes into the client's log.
    pub(crate) fn log(&self, level: MessageType, text: impl Into<String>) {
        let text = text.into();
        tracing::info!("{text}");
        let _ = self.sender.send(Out::Log(level, text));
    }

    /// Tells how far something is.
    pub(crate) fn progress(&self, progress: ProgressParams) {
        let _ = self.sender.send(Out::Progress(progress));
    }

    /// Makes requests to the client, in a task of their own: a handler that waits for the client deadlocks when the client floods.
    pub(crate) fn request<F, T>(&self, what: &'static str, request: impl FnOnce(Client) -> F)
    where
        F: Future<Output = tower_lsp::jsonrpc::Result<T>> + Send + 'static,
    {
        let request = request(self.client.clone());
        self.runtime.spawn(async move {
            match tokio::time::timeout(CLIENT_TIMEOUT, request).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::warn!(%error, "{what} was refused"),
                Err(_) => tracing::warn!("{what} was not answered"),
            }
        });
    }

    /// Tells that there is other evidence, to clients that know this message.
    pub(crate) fn evidence_changed(&self) {
        let client = self.client.clone();
        self.runtime.spawn(async move {
            client.send_notification::<EvidenceChanged>(json!({})).await;
        });
    }

    /// The runtime that the server lives on.
    pub(crate) fn runtime(&self) -> &tokio::runtime::Handle {
        &self.runtime
    }
}

/// `textDocument/publishDiagnostics` with a URI in the client's own spelling, which need not be a URI to the letter.
enum PublishDiagnostics {}

impl Notification for PublishDiagnostics {
    type Params = Value;
    const METHOD: &'static str = "textDocument/publishDiagnostics";
}

/// What is shown of running programs is not what it was.
enum EvidenceChanged {}

impl Notification for EvidenceChanged {
    type Params = Value;
    const METHOD: &'static str = crate::evidence::CHANGED;
}

async fn send(
    mut receiver: mpsc::UnboundedReceiver<Out>,
    client: Client,
    versions: Arc<Versions>,
    life: Arc<Life>,
    jitter: Jitter,
) {
    let mut published: HashMap<Arc<Path>, Vec<Diagnostic>> = HashMap::new();
    let mut checks: HashMap<Arc<Path>, u64> = HashMap::new();
    let mut waiting = Vec::new();
    while receiver.recv_many(&mut waiting, 1024).await > 0 {
        // While the client was slow more may have come: of each document only the last counts.
        let mut newest: HashMap<Arc<Path>, (u64, usize)> = HashMap::new();
        for (i, out) in waiting.iter().enumerate() {
            if let Out::Publish(publication) = out {
                let (path, check) = (Arc::clone(&publication.path), publication.check);
                let last = newest.entry(path).or_insert((check, i));
                *last = (*last).max((check, i));
            }
        }
        for (i, out) in waiting.drain(..).enumerate() {
            jitter.sleep().await;
            match out {
                Out::Log(level, text) => client.log_message(level, text).await,
                Out::Progress(progress) => client.send_notification::<Progress>(progress).await,
                Out::Publish(publication) => {
                    let Publication {
                        path,
                        uri,
                        check,
                        version,
                        items,
                    } = publication;
                    if newest.get(&path) != Some(&(check, i)) && items.is_some() {
                        continue;
                    }
                    let last = checks.entry(Arc::clone(&path)).or_default();
                    if check < *last && items.is_some() {
                        continue;
                    }
                    *last = check.max(*last);
                    let spelled = life.spelling(uri.as_str());
                    let Some(items) = items else {
                        if published.remove(&path).is_some_and(|last| !last.is_empty()) {
                            let params = json!({ "uri": spelled, "diagnostics": [] });
                            client.send_notification::<PublishDiagnostics>(params).await;
                        }
                        // The document may be open again already.
                        if versions.get(&path).is_none() {
                            life.forget(uri.as_str());
                        }
                        continue;
                    };
                    if version.is_some() && version != versions.get(&path) {
                        continue;
                    }
                    match published.get(&path) {
                        Some(last) if *last == items => continue,
                        _ => {}
                    }
                    let mut params = json!({ "uri": spelled, "diagnostics": items });
                    if let Some(version) = version {
                        params["version"] = json!(version);
                    }
                    client.send_notification::<PublishDiagnostics>(params).await;
                    published.insert(path, items);
                }
            }
        }
    }
}

/// For tests: sleeps for a moment at the points where tasks may overtake each other.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Jitter(pub(crate) Option<u64>);

impl Jitter {
    pub(crate) async fn sleep(self) {
        if let Some(micros) = self.next() {
            tokio::time::sleep(Duration::from_micros(micros)).await;
        }
    }

    pub(crate) fn sleep_blocking(self) {
        if let Some(micros) = self.next() {
            std::thread::sleep(Duration::from_micros(micros));
        }
    }

    fn next(self) -> Option<u64> {
        static CALLS: AtomicU64 = AtomicU64::new(0);
        let seed = self.0?;
        let mut x = seed
            .wrapping_add(CALLS.fetch_add(1, Ordering::Relaxed))
            .wrapping_mul(0x9E37_79B9_7F4A_7C15);
        x ^= x >> 29;
        x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x ^= x >> 32;
        Some(x % 4000)
    }
}
