//! The handlers. Each hands what it is told to the owner of the state before its first await, which keeps the order.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tower_lsp::jsonrpc::{Error, ErrorCode, Result};
use tower_lsp::ls_types::{
    CodeAction, CodeActionKind, CodeActionOptions, CodeActionOrCommand, CodeActionParams,
    CodeActionProviderCapability, CodeActionResponse, CodeLens, CodeLensOptions, CodeLensParams,
    CompletionOptions, CompletionParams, CompletionResponse, ConfigurationItem, DiagnosticOptions,
    DiagnosticServerCapabilities, DidChangeConfigurationParams, DidChangeTextDocumentParams,
    DidChangeWatchedFilesParams, DidChangeWatchedFilesRegistrationOptions,
    DidChangeWorkspaceFoldersParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams,
    DidSaveTextDocumentParams, DocumentDiagnosticParams, DocumentDiagnosticReport,
    DocumentDiagnosticReportResult, ExecuteCommandOptions, ExecuteCommandParams, FileSystemWatcher,
    FullDocumentDiagnosticReport, GlobPattern, Hover, HoverParams, HoverProviderCapability,
    InitializeParams, InitializeResult, InitializedParams, LSPAny, MessageType, OneOf,
    ProgressToken, Registration, RelatedFullDocumentDiagnosticReport,
    RelatedUnchangedDocumentDiagnosticReport, SaveOptions, ServerCapabilities, ServerInfo,
    ShowDocumentParams, TextDocumentSyncCapability, TextDocumentSyncKind, TextDocumentSyncOptions,
    TextDocumentSyncSaveOptions, UnchangedDocumentDiagnosticReport, Uri,
    WorkDoneProgressCancelParams, WorkDoneProgressOptions, WorkspaceFoldersServerCapabilities,
    WorkspaceServerCapabilities,
};
use tower_lsp::{Client, LanguageServer};

use go_model::db::Database;

use crate::actions::{self, Ticket, Wanted};
use crate::analysis::{self, Failure, Subject};
use crate::gateway::Life;
use crate::model::{self, Event};
use crate::outbox::{Jitter, Outbox, Versions};
use crate::peer::{self, Peer};
use crate::workspace::{self, Progress};
use crate::{companion, completion, configs, evidence, hover, uri};

/// `ContentModified` of the protocol.
const CONTENT_MODIFIED: ErrorCode = ErrorCode::ServerError(-32801);
/// `RequestFailed` of the protocol.
const REQUEST_FAILED: i64 = -32803;

/// A check of the workspace: what the client shows its progress by, and what ends it.
type Checking = (Option<ProgressToken>, Arc<AtomicBool>);

/// The language server.
pub(crate) struct Server {
    events: Mutex<mpsc::Sender<Event>>,
    outbox: Outbox,
    versions: Arc<Versions>,
    life: Arc<Life>,
    peer: OnceLock<Arc<Peer>>,
    jitter: Jitter,
    /// Whether any evidence is loaded: without it nothing is asked about it.
    has_evidence: Arc<AtomicBool>,
    /// Evidence is being read, one thing at a time.
    reading: Arc<AtomicBool>,
    /// The check of the workspace that is under way, by what the client knows it as.
    checking: Mutex<Option<Checking>>,
}

impl Server {
    pub(crate) fn new(
        client: Client,
        life: Arc<Life>,
        debounce: Option<Duration>,
        jitter: Jitter,
    ) -> std::io::Result<Self> {
        let versions = Arc::new(Versions::default());
        let outbox = Outbox::start(client, Arc::clone(&versions), Arc::clone(&life), jitter);
        let has_evidence = Arc::new(AtomicBool::new(false));
        let events = model::start(outbox.clone(), debounce, jitter, Arc::clone(&has_evidence))?;
        Ok(Self {
            events: Mutex::new(events),
            outbox,
            versions,
            life,
            peer: OnceLock::new(),
            jitter,
            has_evidence,
            reading: Arc::default(),
            checking: Mutex::default(),
        })
    }

    fn tell(&self, event: Event) {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if events.send(event).is_err() {
            tracing::error!("the owner of the state is gone");
        }
    }

    /// Asks the owner of the state something.
    async fn ask<T: Send + 'static>(
        &self,
        event: impl FnOnce(Box<dyn FnOnce(T) + Send>) -> Event,
    ) -> Result<T> {
        let (sender, receiver) = oneshot::channel();
        self.tell(event(Box::new(move |answer| {
            let _ = sender.send(answer);
        })));
        receiver.await.map_err(|_| Error::internal_error())
    }

    /// Computes something about an open document on a worker thread, anew as often as a change comes in between.
    /// `None`: it is not open.
    async fn compute<T: Send + 'static>(
        &self,
        path: &Arc<Path>,
        compute: impl Fn(&Database, &Subject) -> T + Clone + Send + 'static,
    ) -> Result<Option<T>> {
        loop {
            let (sender, receiver) = oneshot::channel();
            let compute = compute.clone();
            self.tell(Event::Query {
                path: Arc::clone(path),
                job: Box::new(move |document| {
                    let result = match document {
                        Some((db, subject)) => {
                            analysis::guard(&subject.path, || compute(db, subject)).map(Some)
                        }
                        None => Ok(None),
                    };
                    let _ = sender.send(result);
                }),
            });
            self.jitter.sleep().await;
            match receiver.await {
                Ok(Ok(result)) => return Ok(result),
                Ok(Err(Failure::Cancelled)) => {}
                Ok(Err(Failure::Panicked)) | Err(_) => return Err(Error::internal_error()),
            }
        }
    }

    /// Asks for the settings, of each folder and without one; in a task of its own.
    fn fetch_settings(&self) {
        let configuration = self.peer.get().is_some_and(|peer| peer.configuration);
        if !configuration {
            return;
        }
        let events = self
            .events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        self.outbox
            .request("workspace/configuration", |client| async move {
                let (sender, receiver) = oneshot::channel();
                let reply = Box::new(move |folders| {
                    let _ = sender.send(folders);
                });
                let _ = events.send(Event::ListFolders(reply));
                let folders = receiver.await.unwrap_or_default();
                let section = Some("stopleak".to_owned());
                let mut items = vec![ConfigurationItem {
                    scope_uri: None,
                    section: section.clone(),
                }];
                items.extend(folders.iter().map(|folder| ConfigurationItem {
                    scope_uri: uri::of_path(folder),
                    section: section.clone(),
                }));
                let answers = client.configuration(items).await?;
                let scopes = std::iter::once(None).chain(folders.into_iter().map(Some));
                let _ = events.send(Event::Settings(scopes.zip(answers).collect()));
                Ok(())
            });
    }

    fn register(&self, peer: &Peer) {
        let mut registrations = Vec::new();
        if peer.watches_files {
            let globs = [
                "**/*.go",
                "**/{go.mod,go.work}",
                "**/{stopleak.toml,.stopleak.toml}",
            ];
            let options = DidChangeWatchedFilesRegistrationOptions {
                watchers: globs
                    .iter()
                    .map(|glob| FileSystemWatcher {
                        glob_pattern: GlobPattern::String((*glob).to_owned()),
                        kind: None,
                    })
                    .collect(),
            };
            registrations.push(Registration {
                id: "stopleak-files".to_owned(),
                method: "workspace/didChangeWatchedFiles".to_owned(),
                register_options: serde_json::to_value(options).ok(),
            });
        }
        if peer.register_configuration {
            registrations.push(Registration {
                id: "stopleak-settings".to_owned(),
                method: "workspace/didChangeConfiguration".to_owned(),
                register_options: Some(json!({ "section": "stopleak" })),
            });
        }
        if !registrations.is_empty() {
            self.outbox
                .request("client/registerCapability", |client| async move {
                    client.register_capability(registrations).await
                });
        }
    }

    /// Answers a message that could not be understood; the gateway passes it on in this form.
    pub(crate) async fn malformed(&self, params: Value) -> Result<()> {
        Err(Error {
            code: ErrorCode::from(params["code"].as_i64().unwrap_or(-32600)),
            message: params["message"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
                .into(),
            data: None,
        })
    }

    /// Reads evidence, and tells what is loaded then.
    async fn load_evidence(&self, command: &str, arguments: &[Value]) -> Result<Option<LSPAny>> {
        let inputs = evidence::inputs(arguments);
        let program = match command {
            evidence::LOAD_COMMAND => false,
            evidence::FETCH_COMMAND => true,
            _ => inputs.iter().any(|input| input.contains("://")),
        };
        if inputs.is_empty() {
            return Err(Error::invalid_params(if program {
                "the address of a program is missing"
            } else {
                "the path of a profile is missing"
            }));
        }
        if let Some(other) = inputs.iter().find(|it| it.contains("://") != program) {
            return Err(Error::invalid_params(if program {
                format!("`{other}` should begin with http://")
            } else {
                format!(
                    "`{other}` is an address: `{}` is for them",
                    evidence::FETCH_COMMAND
                )
            }));
        }
        if self.reading.swap(true, Ordering::SeqCst) {
            return Err(Error::invalid_params("other evidence is being read"));
        }
        let _done = Done(Arc::clone(&self.reading));
        let context = self.ask(Event::EvidenceContext).await?;
        let request = evidence::Request {
            inputs,
            base: command == evidence::COMPARE_COMMAND,
            program,
        };
        let batch = tokio::task::spawn_blocking(move || evidence::load(&request, &context))
            .await
            .map_err(|_| Error::internal_error())?
            .map_err(|message| Error {
                code: ErrorCode::ServerError(REQUEST_FAILED),
                message: message.into(),
                data: None,
            })?;
        let summary = self.ask(|reply| Event::Evidence { batch, reply }).await?;
        Ok(Some(summary))
    }

    /// The lines with evidence, and what is loaded.
    async fn list_evidence(&self) -> Result<Option<LSPAny>> {
        let mut summary: Value = self.ask(Event::DescribeEvidence).await?;
        summary["items"] = loop {
            let (sender, receiver) = oneshot::channel();
            self.tell(Event::EvidenceQuery(Box::new(move |all| {
                let result = match all {
                    Some((db, evidence, subjects)) => {
                        analysis::guard(Path::new("evidence"), || {
                            evidence::list(db, evidence, subjects)
                        })
                    }
                    None => Ok(Vec::new()),
                };
                let _ = sender.send(result);
            })));
            match receiver.await {
                Ok(Ok(items)) => break Value::Array(items),
                Ok(Err(Failure::Cancelled)) => {}
                Ok(Err(Failure::Panicked)) | Err(_) => return Err(Error::internal_error()),
            }
        };
        Ok(Some(summary))
    }

    /// Checks all files of the workspace, publishes what is found in those that are not open, and tells it.
    async fn check_workspace(&self, token: Option<ProgressToken>) -> Result<Option<LSPAny>> {
        let plan = self.ask(Event::PlanWorkspace).await?;
        if plan.folders.is_empty() {
            return Err(Error::invalid_params("no folder is open"));
        }
        let stop = Arc::new(AtomicBool::new(false));
        let creates = self.peer.get().is_some_and(|peer| peer.creates_progress);
        let running = {
            let mut checking = lock(&self.checking);
            if checking
                .as_ref()
                .is_some_and(|(_, stop)| !stop.load(Ordering::Relaxed))
            {
                return Err(Error::invalid_params(
                    "the workspace is being checked already",
                ));
            }
            let progress = Progress::begin(&self.outbox, token, creates);
            *checking = Some((progress.token().cloned(), Arc::clone(&stop)));
            workspace::Running { stop, progress }
        };
        let events = lock(&self.events).clone();
        let ask = move |paths| {
            let (sender, receiver) = mpsc::channel();
            let reply = Box::new(move |wanted| {
                let _ = sender.send(wanted);
            });
            events.send(Event::WorkspaceFiles { paths, reply }).ok()?;
            receiver.recv().ok()
        };
        let (stop, progress) = (Arc::clone(&running.stop), running.progress.clone());
        let jitter = self.jitter;
        let outcome = tokio::task::spawn_blocking(move || {
            let report = |done, total| progress.report(done, total);
            workspace::check(plan, ask, &stop, &report, jitter)
        })
        .await
        .map_err(|_| Error::internal_error())?
        .map_err(Error::invalid_params)?;
        self.outbox.log(MessageType::INFO, outcome.summary());
        running.progress.end(outcome.summary());
        let answer = outcome.answer();
        if !outcome.cancelled {
            self.tell(Event::WorkspaceChecked(outcome));
        }
        Ok(Some(answer))
    }

    /// The user does not want to wait for something.
    pub(crate) async fn cancel_progress(&self, params: WorkDoneProgressCancelParams) {
        if let Some((Some(token), stop)) = &*lock(&self.checking)
            && *token == params.token
        {
            stop.store(true, Ordering::Relaxed);
        }
    }

    async fn fix_all(&self, argument: Option<&Value>) -> Result<()> {
        let uri = argument
            .and_then(|argument| {
                argument
                    .as_str()
                    .or_else(|| argument.get("uri").and_then(Value::as_str))
            })
            .ok_or_else(|| Error::invalid_params("the URI of a document is missing"))?;
        let path = document_path(&uri::repair(uri));
        let edit = self
            .compute(&path, |db, subject| {
                let found = analysis::findings(db, subject)?;
                let edits = actions::fix_all(&found);
                (!edits.is_empty()).then(|| actions::workspace_edit(subject, &found.text, &edits))
            })
            .await?
            .ok_or_else(|| Error::invalid_params("the document is not open"))?;
        if let Some(edit) = edit {
            self.outbox
                .request("workspace/applyEdit", |client| async move {
                    client.apply_edit(edit).await
                });
        }
        Ok(())
    }

    fn open_rule(&self, argument: Option<&Value>) -> Result<()> {
        let page = argument
            .and_then(Value::as_str)
            .and_then(analysis::page)
            .and_then(|page| page.parse::<Uri>().ok())
            .ok_or_else(|| Error::invalid_params("the name of a rule is missing"))?;
        self.outbox
            .request("window/showDocument", |client| async move {
                client
                    .show_document(ShowDocumentParams {
                        uri: page,
                        external: Some(true),
                        take_focus: None,
                        selection: None,
                    })
                    .await
            });
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was begun is over when this goes, also when the request is cancelled.
struct Done(Arc<AtomicBool>);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// What a document is known by.
fn document_path(uri: &str) -> Arc<Path> {
    let path = uri::path_of(uri);
    Arc::from(if uri::is_file(&path) {
        go_model::db::normalize(&path)
    } else {
        path
    })
}

fn is_go(path: &Path, language: &str) -> bool {
    match language {
        "go" => true,
        // Some clients send no language, or the name of a mode.
        _ => path.extension().is_some_and(|extension| extension == "go"),
    }
}

impl LanguageServer for Server {
    async fn initialize(&self, params: InitializeParams) -> Result<InitializeResult> {
        let peer = Arc::new(Peer::new(&params));
        if let Some(parent) = params.process_id {
            self.life.watch_parent(parent);
        }
        let folders = roots(&params);
        let _ = self.peer.set(Arc::clone(&peer));
        self.tell(Event::Start {
            peer: Arc::clone(&peer),
            folders,
            settings: params.initialization_options,
        });
        Ok(InitializeResult {
            server_info: Some(ServerInfo {
                name: "stopleak".to_owned(),
                version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            }),
            capabilities: capabilities(&peer),
            ..InitializeResult::default()
        })
    }

    async fn initialized(&self, _: InitializedParams) {
        self.tell(Event::Initialized);
        if let Some(peer) = self.peer.get() {
            self.register(peer);
        }
        self.fetch_settings();
    }

    async fn shutdown(&self) -> Result<()> {
        Ok(())
    }

    async fn did_open(&self, params: DidOpenTextDocumentParams) {
        let document = params.text_document;
        let path = document_path(document.uri.as_str());
        let go = is_go(&path, &document.language_id);
        if go {
            self.versions.set(Arc::clone(&path), document.version);
        }
        self.tell(Event::Open {
            uri: document.uri,
            path,
            version: document.version,
            text: document.text,
            go,
        });
        self.jitter.sleep().await;
    }

    async fn did_change(&self, params: DidChangeTextDocumentParams) {
        let document = params.text_document;
        let path = document_path(document.uri.as_str());
        if self
            .versions
            .get(&path)
            .is_some_and(|held| held < document.version)
        {
            self.versions.set(Arc::clone(&path), document.version);
        }
        self.tell(Event::Change {
            path,
            version: document.version,
            changes: params.content_changes,
        });
        self.jitter.sleep().await;
    }

    async fn did_save(&self, params: DidSaveTextDocumentParams) {
        let path = document_path(params.text_document.uri.as_str());
        self.tell(Event::Save {
            path,
            text: params.text,
        });
        self.jitter.sleep().await;
    }

    async fn did_close(&self, params: DidCloseTextDocumentParams) {
        let path = document_path(params.text_document.uri.as_str());
        self.versions.remove(&path);
        self.tell(Event::Close { path });
        self.jitter.sleep().await;
    }

    async fn did_change_watched_files(&self, params: DidChangeWatchedFilesParams) {
        let paths = params
            .changes
            .iter()
            .map(|change| uri::path_of(change.uri.as_str()))
            .collect();
        self.tell(Event::Watched(paths));
    }

    async fn did_change_configuration(&self, params: DidChangeConfigurationParams) {
        if self.peer.get().is_some_and(|peer| peer.configuration) {
            self.fetch_settings();
        } else {
            self.tell(Event::Settings(vec![(None, params.settings)]));
        }
    }

    async fn did_change_workspace_folders(&self, params: DidChangeWorkspaceFoldersParams) {
        let paths = |folders: Vec<tower_lsp::ls_types::WorkspaceFolder>| {
            folders
                .iter()
                .map(|folder| uri::path_of(folder.uri.as_str()))
                .collect()
        };
        self.tell(Event::Folders {
            added: paths(params.event.added),
            removed: paths(params.event.removed),
        });
        self.fetch_settings();
    }

    async fn diagnostic(
        &self,
        params: DocumentDiagnosticParams,
    ) -> Result<DocumentDiagnosticReportResult> {
        let path = document_path(params.text_document.uri.as_str());
        let saved = {
            let path = Arc::clone(&path);
            self.ask(|reply| Event::SavedItems { path, reply }).await?
        };
        let items = match saved {
            Some(items) => items,
            None => {
                // VS Code never asks again about a document for which it once got an error.
                let items = self.compute(&path, analysis::diagnostics).await;
                let items = items.ok().flatten().unwrap_or_default();
                self.tell(Event::KeepItems {
                    path,
                    items: items.clone(),
                });
                items
            }
        };
        let result_id = analysis::result_id(&items);
        let report = if params.previous_result_id.as_ref() == Some(&result_id) {
            DocumentDiagnosticReport::Unchanged(RelatedUnchangedDocumentDiagnosticReport {
                related_documents: None,
                unchanged_document_diagnostic_report: UnchangedDocumentDiagnosticReport {
                    result_id,
                },
            })
        } else {
            DocumentDiagnosticReport::Full(RelatedFullDocumentDiagnosticReport {
                related_documents: None,
                full_document_diagnostic_report: FullDocumentDiagnosticReport {
                    result_id: Some(result_id),
                    items,
                },
            })
        };
        Ok(report.into())
    }

    async fn code_action(&self, params: CodeActionParams) -> Result<Option<CodeActionResponse>> {
        let path = document_path(params.text_document.uri.as_str());
        let wanted = Arc::new((params.range, params.context));
        let actions = self
            .compute(&path, move |db, subject| {
                let wanted = Wanted {
                    range: wanted.0,
                    context: wanted.1.clone(),
                    suppress: subject.suppress_actions,
                };
                actions::actions(db, subject, &wanted)
            })
            .await?;
        Ok(actions.map(|actions| {
            actions
                .into_iter()
                .map(CodeActionOrCommand::CodeAction)
                .collect()
        }))
    }

    async fn code_action_resolve(&self, mut action: CodeAction) -> Result<CodeAction> {
        let Some(data) = action.data.clone() else {
            return Ok(action);
        };
        let ticket: Arc<Ticket> = serde_json::from_value(data)
            .map(Arc::new)
            .map_err(|error| Error::invalid_params(error.to_string()))?;
        let path = document_path(&uri::repair(&ticket.uri));
        let stale = |why: &'static str| Error {
            code: CONTENT_MODIFIED,
            message: why.into(),
            data: None,
        };
        let edit = self
            .compute(&path, move |db, subject| {
                actions::resolve(db, subject, &ticket)
            })
            .await?
            .ok_or_else(|| stale("the document is not open any more"))?
            .map_err(stale)?;
        action.edit = Some(edit);
        Ok(action)
    }

    async fn hover(&self, params: HoverParams) -> Result<Option<Hover>> {
        let place = params.text_document_position_params;
        let path = document_path(place.text_document.uri.as_str());
        let position = place.position;
        if let Some(peer) = self.peer.get()
            && configs::is_named_config(&path)
        {
            let text: Option<Arc<str>> =
                self.ask(|reply| Event::ConfigText { path, reply }).await?;
            return Ok(text.and_then(|text| hover::of_config(text, position, peer)));
        }
        let hover = self
            .compute(&path, move |db, subject| {
                hover::hover(db, subject, position)
            })
            .await?;
        Ok(hover.flatten())
    }

    async fn code_lens(&self, params: CodeLensParams) -> Result<Option<Vec<CodeLens>>> {
        if !self.has_evidence.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let path = document_path(params.text_document.uri.as_str());
        self.compute(&path, evidence::lenses).await
    }

    async fn completion(&self, params: CompletionParams) -> Result<Option<CompletionResponse>> {
        let place = params.text_document_position;
        let path = document_path(place.text_document.uri.as_str());
        let position = place.position;
        let items = self
            .compute(&path, move |db, subject| {
                completion::complete(db, subject, position)
            })
            .await?;
        Ok(items
            .filter(|items| !items.is_empty())
            .map(CompletionResponse::Array))
    }

    async fn execute_command(&self, params: ExecuteCommandParams) -> Result<Option<LSPAny>> {
        match params.command.as_str() {
            actions::FIX_ALL_COMMAND => self.fix_all(params.arguments.first()).await.map(|()| None),
            actions::OPEN_RULE_COMMAND => self.open_rule(params.arguments.first()).map(|()| None),
            actions::DEBUG_COMMAND => {
                let text: String = self.ask(Event::Describe).await?;
                Ok(Some(Value::String(text)))
            }
            command @ (evidence::LOAD_COMMAND
            | evidence::FETCH_COMMAND
            | evidence::COMPARE_COMMAND) => self.load_evidence(command, &params.arguments).await,
            evidence::CLEAR_COMMAND => self.ask(Event::ClearEvidence).await.map(Some),
            evidence::TOGGLE_COMMAND => {
                let wish = params.arguments.first().and_then(Value::as_bool);
                let toggle = |reply| Event::ToggleEvidence { wish, reply };
                self.ask(toggle).await.map(Some)
            }
            evidence::LIST_COMMAND => self.list_evidence().await,
            workspace::CHECK_COMMAND => {
                let token = params.work_done_progress_params.work_done_token;
                self.check_workspace(token).await
            }
            workspace::CLEAR_COMMAND => {
                self.tell(Event::ClearWorkspace);
                Ok(None)
            }
            other => Err(Error::invalid_params(format!("unknown command `{other}`"))),
        }
    }
}

/// The folders that the client has opened. `rootUri` and `rootPath` are for old clients.
#[allow(deprecated)]
fn roots(params: &InitializeParams) -> Vec<PathBuf> {
    let folders: Vec<PathBuf> = params
        .workspace_folders
        .iter()
        .flatten()
        .map(|folder| uri::path_of(folder.uri.as_str()))
        .collect();
    if !folders.is_empty() {
        return folders;
    }
    let root = params
        .root_uri
        .as_ref()
        .map(|root| uri::path_of(root.as_str()));
    let root = root.or_else(|| params.root_path.as_ref().map(PathBuf::from));
    root.filter(|root| root.is_absolute()).into_iter().collect()
}

fn capabilities(peer: &Peer) -> ServerCapabilities {
    ServerCapabilities {
        position_encoding: Some(peer::encoding_kind(peer.encoding)),
        text_document_sync: Some(TextDocumentSyncCapability::Options(
            TextDocumentSyncOptions {
                open_close: Some(true),
                change: Some(TextDocumentSyncKind::INCREMENTAL),
                save: Some(TextDocumentSyncSaveOptions::SaveOptions(SaveOptions {
                    include_text: Some(true),
                })),
                ..TextDocumentSyncOptions::default()
            },
        )),
        diagnostic_provider: peer.pull.then(|| {
            DiagnosticServerCapabilities::Options(DiagnosticOptions {
                identifier: Some("stopleak".to_owned()),
                inter_file_dependencies: true,
                workspace_diagnostics: false,
                ..DiagnosticOptions::default()
            })
        }),
        code_action_provider: Some(CodeActionProviderCapability::Options(CodeActionOptions {
            code_action_kinds: Some(vec![
                CodeActionKind::QUICKFIX,
                CodeActionKind::from(actions::FIX_ALL),
                CodeActionKind::from(companion::LEAK_TEST),
                CodeActionKind::from(companion::PPROF),
                CodeActionKind::from(companion::BUBBLE),
            ]),
            resolve_provider: Some(true),
            ..CodeActionOptions::default()
        })),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some(completion::TRIGGERS.map(str::to_owned).to_vec()),
            ..CompletionOptions::default()
        }),
        code_lens_provider: Some(CodeLensOptions {
            resolve_provider: Some(false),
        }),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        execute_command_provider: Some(ExecuteCommandOptions {
            commands: [
                actions::FIX_ALL_COMMAND,
                actions::OPEN_RULE_COMMAND,
                actions::DEBUG_COMMAND,
                evidence::LOAD_COMMAND,
                evidence::FETCH_COMMAND,
                evidence::COMPARE_COMMAND,
                evidence::CLEAR_COMMAND,
                evidence::TOGGLE_COMMAND,
                evidence::LIST_COMMAND,
                workspace::CHECK_COMMAND,
                workspace::CLEAR_COMMAND,
            ]
            .map(str::to_owned)
            .to_vec(),
            work_done_progress_options: WorkDoneProgressOptions {
                work_done_progress: Some(true),
            },
        }),
        workspace: Some(WorkspaceServerCapabilities {
            workspace_folders: peer.folders.then_some(WorkspaceFoldersServerCapabilities {
                supported: Some(true),
                change_notifications: Some(OneOf::Left(true)),
            }),
            ..WorkspaceServerCapabilities::default()
        }),
        ..ServerCapabilities::default()
    }
}
