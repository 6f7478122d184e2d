//! The state of the server and the one thread that owns it.
//!
//! Handlers put what they are told into one channel, in the order in which it comes, and never touch the state. The owner applies
//! it: texts first, then the database, then whatever was asked. Computations run on other threads on clones of the database, which
//! a change of the database ends.
//!
//! Architecture invariants:
//! - only this thread changes documents, configurations or the database;
//! - no clone of the database lives outside of the computation that it was made for;
//! - each change of a document asks for a check after it, so that a check which a change has ended is never missed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use go_model::db::{BuildConfig, Database, Environment, OpenText};
use go_model::told::ToldTables;
use go_syntax::Document;
use serde_json::Value;
use stopleak_config::{EditorSettings, EvidenceSettings, Run, Settings};
use tower_lsp::ls_types::{
    Diagnostic, DiagnosticSeverity, DidChangeWatchedFilesRegistrationOptions, FileSystemWatcher,
    GlobPattern, MessageType, Position, Range, Registration, TextDocumentContentChangeEvent,
    Unregistration, Uri,
};

use crate::analysis::{self, Failure, SOURCE, Subject, Text};
use crate::configs::{self, Configs};
use crate::evidence::{self, Evidence};
use crate::outbox::{Jitter, Outbox, Publication};
use crate::peer::Peer;
use crate::{uri, workspace};

/// How many events are taken before their consequences are seen to.
const BATCH: usize = 512;

/// Of how many files it is remembered that they were pulled while they were not open.
const PULLED_CLOSED: usize = 1024;

/// A computation on a document; it gets `None` for a document that is not open.
pub(crate) type Job = Box<dyn FnOnce(Option<(&Database, &Subject)>) + Send>;

/// A computation on all evidence and the files that it is in; it gets `None` if nothing is loaded.
pub(crate) type EvidenceJob =
    Box<dyn FnOnce(Option<(&Database, &Evidence, &[Arc<Subject>])>) + Send>;

/// What happens to the server.
pub(crate) enum Event {
    /// `initialize`.
    Start {
        peer: Arc<Peer>,
        folders: Vec<PathBuf>,
        settings: Option<Value>,
    },
    /// `initialized`.
    Initialized,
    Open {
        uri: Uri,
        path: Arc<Path>,
        version: i32,
        text: String,
        go: bool,
    },
    Change {
        path: Arc<Path>,
        version: i32,
        changes: Vec<TextDocumentContentChangeEvent>,
    },
    Save {
        path: Arc<Path>,
        text: Option<String>,
    },
    Close {
        path: Arc<Path>,
    },
    /// Files that were made, changed or removed, says the client.
    Watched(Vec<PathBuf>),
    Folders {
        added: Vec<PathBuf>,
        removed: Vec<PathBuf>,
    },
    /// The client's settings: of each folder, and without one (`None`) for the rest.
    Settings(Vec<(Option<PathBuf>, Value)>),
    /// The debounce of this generation is over.
    Check(u64),
    /// A computation on the present state of a document.
    Query {
        path: Arc<Path>,
        job: Job,
    },
    /// A pull in the mode that checks on save: what the last save gave, if there is anything.
    SavedItems {
        path: Arc<Path>,
        reply: Box<dyn FnOnce(Option<Vec<Diagnostic>>) + Send>,
    },
    /// What a pull found, to be kept for the mode that checks on save.
    KeepItems {
        path: Arc<Path>,
        items: Vec<Diagnostic>,
    },
    /// A description of the state.
    Describe(Box<dyn FnOnce(String) + Send>),
    /// What is needed to read evidence.
    EvidenceContext(Box<dyn FnOnce(evidence::Context) + Send>),
    /// Evidence was read; the answer tells what is loaded now.
    Evidence {
        batch: evidence::Batch,
        reply: Box<dyn FnOnce(Value) + Send>,
    },
    /// Evidence is forgotten.
    ClearEvidence(Box<dyn FnOnce(Value) + Send>),
    /// Evidence is shown or hidden.
    ToggleEvidence {
        wish: Option<bool>,
        reply: Box<dyn FnOnce(Value) + Send>,
    },
    /// What is loaded.
    DescribeEvidence(Box<dyn FnOnce(Value) + Send>),
    /// A computation on all evidence.
    EvidenceQuery(EvidenceJob),
    /// What a check of the workspace begins with.
    PlanWorkspace(Box<dyn FnOnce(workspace::Plan) + Send>),
    /// What holds for these files.
    WorkspaceFiles {
        paths: Vec<PathBuf>,
        reply: Box<dyn FnOnce(workspace::Wanted) + Send>,
    },
    /// A check of the workspace is over.
    WorkspaceChecked(workspace::Outcome),
    /// A closed file that was to be looked at again was looked at in the check of this generation.
    ClosedChecked {
        path: Arc<Path>,
        generation: u64,
    },
    /// What was found in files that are not open is taken back.
    ClearWorkspace,
    /// The text of an open configuration file.
    ConfigText {
        path: Arc<Path>,
        reply: Box<dyn FnOnce(Option<Arc<str>>) + Send>,
    },
    /// The workspace folders.
    ListFolders(Box<dyn FnOnce(Vec<PathBuf>) + Send>),
}

struct OpenDocument {
    uri: Uri,
    version: i32,
    document: Document,
    /// The client and we disagree about the text: nothing is said about it until it comes whole.
    desynced: bool,
    /// The database does not have this text yet.
    dirty: bool,
    /// It was changed after the last save or open.
    unsaved: bool,
    /// A dependency, of which nothing is reported.
    foreign: bool,
    /// Counts the changes, to check what was touched last first.
    touched: u64,
    /// What the last pull gave, in the mode that checks on save.
    saved_items: Option<Vec<Diagnostic>>,
}

/// The state.
pub(crate) struct Model {
    db: Database,
    documents: HashMap<Arc<Path>, OpenDocument>,
    /// Open configuration files, where the client tells of them. Their text counts when it is saved.
    config_documents: HashMap<Arc<Path>, Document>,
    folders: Vec<PathBuf>,
    configs: Configs,
    /// Those that came with `initialize`.
    initial_settings: EditorSettings,
    default_settings: EditorSettings,
    folder_settings: HashMap<PathBuf, EditorSettings>,
    environment: Environment,
    goroot: Option<PathBuf>,
    peer: Arc<Peer>,
    debounce: Option<Duration>,
    /// Counts the reasons for a check. A check that is not of the last generation stops.
    generation: Arc<AtomicU64>,
    check_at_once: bool,
    refresh: bool,
    /// Files that were pulled while they were not open, where nothing could be said about them.
    pulled_closed: HashSet<Arc<Path>>,
    published_configs: BTreeMap<PathBuf, configs::Broken>,
    touches: u64,
    queries: Vec<(Arc<Path>, Job)>,
    evidence: evidence::Store,
    evidence_queries: Vec<EvidenceJob>,
    /// The watchers that the client was asked for.
    watched_folders: Vec<PathBuf>,
    /// The files of the last check of the workspace: of these, findings are shown while they are closed too.
    workspace: HashSet<Arc<Path>>,
    /// Closed files of these whose findings may be others now, with the generation since when.
    stale: HashMap<Arc<Path>, u64>,
    sender: mpsc::Sender<Event>,
    outbox: Outbox,
    jitter: Jitter,
}

/// Starts the owner of the state; it ends with the channel.
///
/// # Errors
/// The thread cannot be started.
pub(crate) fn start(
    outbox: Outbox,
    debounce: Option<Duration>,
    jitter: Jitter,
    has_evidence: Arc<AtomicBool>,
) -> std::io::Result<mpsc::Sender<Event>> {
    let (sender, receiver) = mpsc::channel();
    let events = sender.clone();
    std::thread::Builder::new()
        .name("model".into())
        // Parsing and lowering are loops, but what they call need not be.
        .stack_size(16 << 20)
        .spawn(move || {
            let environment = Environment::from_process();
            let model = Model {
                db: Database::with_environment(environment.clone()),
                documents: HashMap::new(),
                config_documents: HashMap::new(),
                folders: Vec::new(),
                configs: Configs::default(),
                initial_settings: EditorSettings::default(),
                default_settings: EditorSettings::default(),
                folder_settings: HashMap::new(),
                environment,
                goroot: std::env::var_os("GOROOT")
                    .filter(|root| !root.is_empty())
                    .map(PathBuf::from),
                peer: Arc::new(Peer::new(&tower_lsp::ls_types::InitializeParams::default())),
                debounce,
                generation: Arc::default(),
                check_at_once: false,
                refresh: false,
                pulled_closed: HashSet::new(),
                published_configs: BTreeMap::new(),
                touches: 0,
                queries: Vec::new(),
                evidence: evidence::Store::new(has_evidence),
                evidence_queries: Vec::new(),
                watched_folders: Vec::new(),
                workspace: HashSet::new(),
                stale: HashMap::new(),
                sender,
                outbox,
                jitter,
            };
            model.run(&receiver);
        })?;
    Ok(events)
}

impl Model {
    fn run(mut self, receiver: &mpsc::Receiver<Event>) {
        while let Ok(event) = receiver.recv() {
            self.apply_guarded(event);
            for event in receiver.try_iter().take(BATCH - 1) {
                self.apply_guarded(event);
            }
            if catch_unwind(AssertUnwindSafe(|| self.settle())).is_err() {
                tracing::error!("the server's state could not be brought up to date");
            }
        }
    }

    fn apply_guarded(&mut self, event: Event) {
        let path = match &event {
            Event::Open { path, .. } | Event::Change { path, .. } | Event::Save { path, .. } => {
                Some(Arc::clone(path))
            }
            _ => None,
        };
        if catch_unwind(AssertUnwindSafe(|| self.apply(event))).is_err()
            && let Some(document) = path.and_then(|path| self.documents.get_mut(&path))
        {
            document.desynced = true;
        }
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Start {
                peer,
                folders,
                settings,
            } => {
                tracing::info!(client = peer.name, encoding = ?peer.encoding, pull = peer.pull, "started");
                self.peer = peer;
                self.folders = folders;
                if let Some(settings) = settings {
                    self.initial_settings = self.read_settings(settings);
                    self.default_settings = self.initial_settings.clone();
                }
            }
            // Before, nothing may be asked of the client.
            Event::Initialized => self.look_at_evidence(),
            Event::Open {
                uri,
                path,
                version,
                text,
                go,
            } => {
                if go {
                    self.open(uri, path, version, text);
                } else if self.configs.is_config(&path) {
                    self.config_documents.insert(path, Document::new(text));
                }
            }
            Event::Change {
                path,
                version,
                changes,
            } => self.change(&path, version, changes),
            Event::Save { path, text } => self.save(&path, text),
            Event::Close { path } => self.close(&path),
            Event::Watched(paths) => self.watched(&paths),
            Event::Folders { added, removed } => {
                self.folders.retain(|folder| !removed.contains(folder));
                self.folders.extend(added);
                self.reconfigure();
                self.look_at_evidence();
            }
            Event::Settings(settings) => {
                self.folder_settings.clear();
                self.default_settings = self.initial_settings.clone();
                for (folder, value) in settings {
                    // Helix sends its settings with `initialize`, and has none below our name when it is asked.
                    if value.is_null() {
                        continue;
                    }
                    let settings = self.read_settings(value);
                    match folder {
                        Some(folder) => {
                            self.folder_settings.insert(folder, settings);
                        }
                        None => self.default_settings = settings,
                    }
                }
                self.configs.forget();
                self.reconfigure();
                self.look_at_evidence();
                if self.evidence.evidence().is_some() {
                    self.evidence_changed();
                }
            }
            Event::Check(generation) => {
                if generation == self.generation.load(Ordering::SeqCst) {
                    self.check_at_once = true;
                }
            }
            Event::Query { path, job } => self.queries.push((path, job)),
            Event::SavedItems { path, reply } => {
                let items = self.documents.get(&path).and_then(|document| {
                    let behind = document.desynced
                        || (document.unsaved && self.editor(&path).run == Run::OnSave);
                    behind.then(|| document.saved_items.clone().unwrap_or_default())
                });
                if !self.documents.contains_key(&path) && self.pulled_closed.len() < PULLED_CLOSED {
                    self.pulled_closed.insert(path);
                }
                reply(items);
            }
            Event::KeepItems { path, items } => {
                if let Some(document) = self.documents.get_mut(&path) {
                    document.saved_items = Some(items);
                }
            }
            Event::Describe(reply) => reply(self.describe()),
            Event::EvidenceContext(reply) => reply(self.evidence_context()),
            Event::Evidence { batch, reply } => {
                for warning in &batch.warnings {
                    self.outbox.log(MessageType::WARNING, warning.clone());
                }
                self.evidence.add(batch);
                self.evidence_changed();
                reply(self.evidence.summary());
            }
            Event::ClearEvidence(reply) => {
                self.evidence.clear();
                self.evidence_changed();
                reply(self.evidence.summary());
            }
            Event::ToggleEvidence { wish, reply } => {
                self.evidence.toggle(wish);
                self.evidence_changed();
                reply(self.evidence.summary());
            }
            Event::DescribeEvidence(reply) => reply(self.evidence.summary()),
            Event::EvidenceQuery(job) => self.evidence_queries.push(job),
            Event::ListFolders(reply) => reply(self.folders.clone()),
            Event::ConfigText { path, reply } => {
                let document = self.config_documents.get(&path);
                reply(document.map(|document| Arc::from(document.text())));
            }
            Event::PlanWorkspace(reply) => reply(self.plan_workspace()),
            Event::WorkspaceFiles { paths, reply } => reply(self.workspace_files(&paths)),
            Event::WorkspaceChecked(outcome) => self.workspace_checked(outcome),
            Event::ClosedChecked { path, generation } => {
                if self
                    .stale
                    .get(&path)
                    .is_some_and(|since| *since <= generation)
                {
                    self.stale.remove(&path);
                }
            }
            Event::ClearWorkspace => self.workspace_checked(workspace::Outcome::default()),
        }
    }

    // Documents

    fn open(&mut self, uri: Uri, path: Arc<Path>, version: i32, text: String) {
        if self.documents.contains_key(&path) {
            tracing::warn!(file = %path.display(), "opened twice; the last one counts");
        }
        self.touches += 1;
        let document = OpenDocument {
            uri,
            version,
            document: Document::new(text),
            desynced: false,
            dirty: true,
            unsaved: false,
            foreign: self.is_foreign(&path),
            touched: self.touches,
            saved_items: None,
        };
        self.stale.remove(&path);
        if self.peer.pull && self.workspace.contains(&path) {
            // What was pushed about the closed file is what the client is about to pull.
            self.take_back(&path, document.uri.clone());
        }
        // VS Code may pull a document that it is about to open, and does not do so again when it is open.
        self.refresh |= self.pulled_closed.remove(&path);
        self.documents.insert(Arc::clone(&path), document);
        self.look_at_disk(&path, false);
        self.check_now();
    }

    fn change(
        &mut self,
        path: &Arc<Path>,
        version: i32,
        changes: Vec<TextDocumentContentChangeEvent>,
    ) {
        let encoding = self.peer.encoding;
        let Some(document) = self.documents.get_mut(path) else {
            self.change_config(path, &changes);
            return;
        };
        if version <= document.version {
            tracing::warn!(file = %path.display(), version, held = document.version, "a change of an old version is ignored");
            // Until the next whole text it is not known whether the client's text has this change.
            return;
        }
        document.version = version;
        self.touches += 1;
        document.touched = self.touches;
        document.unsaved = true;
        // What stands before the last change of the whole text does not matter.
        let start = changes
            .iter()
            .rposition(|change| change.range.is_none())
            .unwrap_or(0);
        for change in &changes[start..] {
            let Some(range) = change.range else {
                document.document.replace(change.text.clone());
                document.dirty = true;
                if document.desynced {
                    tracing::info!(file = %path.display(), "the text is known again");
                    document.desynced = false;
                }
                continue;
            };
            if document.desynced {
                break;
            }
            match document.document.apply_positions(
                at(range.start),
                at(range.end),
                encoding,
                &change.text,
            ) {
                Ok(()) => document.dirty = true,
                Err(error) => {
                    document.desynced = true;
                    let name = path.display();
                    self.outbox.log(
                        MessageType::WARNING,
                        format!("{name}: an edit does not fit the text ({error}); no findings until it is saved or sent whole"),
                    );
                    break;
                }
            }
        }
        // In the mode that checks on save, findings of the last save stay.
        if self.editor(path).run == Run::OnType {
            self.check_after_pause(path);
        }
    }

    fn change_config(&mut self, path: &Arc<Path>, changes: &[TextDocumentContentChangeEvent]) {
        let encoding = self.peer.encoding;
        let Some(document) = self.config_documents.get_mut(path) else {
            return; // of no interest
        };
        for change in changes {
            let applied = match change.range {
                None => {
                    document.replace(change.text.clone());
                    Ok(())
                }
                Some(range) => {
                    document.apply_positions(at(range.start), at(range.end), encoding, &change.text)
                }
            };
            if applied.is_err() {
                self.config_documents.remove(path);
                return;
            }
        }
    }

    fn save(&mut self, path: &Arc<Path>, text: Option<String>) {
        let Some(document) = self.documents.get_mut(path) else {
            if self.configs.is_config(path) || is_module_file(path) {
                self.watched(&[path.to_path_buf()]);
            }
            return;
        };
        if let Some(text) = text
            && (document.desynced || *document.document.text() != *text)
        {
            if !document.desynced {
                self.outbox.log(
                    MessageType::WARNING,
                    format!(
                        "{}: the saved text differs from the text as edited; the saved one counts",
                        path.display()
                    ),
                );
            }
            document.document.replace(text);
            document.desynced = false;
            document.dirty = true;
        }
        document.unsaved = false;
        document.saved_items = None;
        self.touches += 1;
        document.touched = self.touches;
        self.look_at_disk(path, true);
        self.check_now();
        if self.editor(path).run == Run::OnSave {
            self.refresh = true;
        }
    }

    fn close(&mut self, path: &Arc<Path>) {
        self.config_documents.remove(path);
        let Some(document) = self.documents.remove(path) else {
            return;
        };
        self.db.close_document(path);
        // After the change of the database no check of this document runs any more that could publish.
        if self.workspace.contains(path) {
            self.check_closed(path);
        } else if !self.peer.pull {
            self.take_back(path, document.uri);
        }
        self.check_now();
    }

    /// Takes back what was published about a file.
    fn take_back(&self, path: &Arc<Path>, uri: Uri) {
        self.outbox.publish(Publication {
            path: Arc::clone(path),
            uri,
            // What still runs comes too late.
            check: self.generation.load(Ordering::SeqCst) + 1,
            version: None,
            items: None,
        });
    }

    /// Dependencies: the module cache, the Go distribution, vendored packages. Not when the user has opened such a folder.
    fn is_foreign(&self, path: &Path) -> bool {
        if !path.is_absolute() {
            return false;
        }
        let outside = |root: &Path| {
            path.starts_with(root)
                && !self
                    .folders
                    .iter()
                    .any(|folder| folder.starts_with(root) && path.starts_with(folder))
        };
        if self.environment.mod_cache.as_deref().is_some_and(outside)
            || self.goroot.as_deref().is_some_and(outside)
        {
            return true;
        }
        for folder in path.ancestors().skip(1) {
            if self.folders.iter().any(|opened| opened == folder) {
                return false;
            }
            let vendor = folder.file_name() == Some("vendor".as_ref());
            if vendor && folder.join("modules.txt").is_file() {
                return true;
            }
            if let Ok(module) = std::fs::read_to_string(folder.join("go.mod")) {
                let distribution = module
                    .lines()
                    .any(|line| matches!(line.trim(), "module std" | "module cmd"));
                // Above the nearest module there may be another whose vendor folder this is, but only below `vendor`.
                if distribution
                    || !path
                        .components()
                        .any(|part| part == Component::Normal("vendor".as_ref()))
                {
                    return distribution;
                }
            }
        }
        false
    }

    // Disk and configuration

    /// For clients that do not watch files, and for changes that a watcher has not told yet.
    ///
    /// A save is the time to look for all clients: Helix says that it watches, but tells only of files that it wrote itself.
    fn look_at_disk(&mut self, path: &Path, saved: bool) {
        if self.configs.restat(path) {
            tracing::info!(file = %path.display(), "the configuration has changed");
            self.reconfigure();
        }
        if saved || !self.peer.watches_files {
            // Clients that pull do not do so at a save.
            self.refresh |= self.db.rescan();
            self.look_at_evidence();
        }
    }

    // Evidence

    /// The folder that stands for all: its settings are those about evidence.
    fn main_settings(&self) -> &EvidenceSettings {
        let settings = self
            .folders
            .first()
            .and_then(|folder| self.folder_settings.get(folder));
        &settings.unwrap_or(&self.default_settings).evidence
    }

    fn evidence_folders(&self) -> Vec<PathBuf> {
        let below = |folder: &PathBuf| {
            let settings = self.folder_settings.get(folder);
            let settings = &settings.unwrap_or(&self.default_settings).evidence;
            let folders = settings.folders.iter();
            folders
                .map(|name| go_model::db::normalize(&folder.join(name)))
                .collect::<Vec<_>>()
        };
        self.folders.iter().flat_map(below).collect()
    }

    fn evidence_context(&self) -> evidence::Context {
        let documents = self.documents.iter();
        let documents = documents.filter(|(path, it)| path.is_absolute() && !it.desynced);
        let mut folders = self.folders.clone();
        if folders.is_empty() {
            // A file was opened without a folder.
            let paths = self.documents.keys().filter(|path| path.is_absolute());
            folders.extend(
                paths
                    .filter_map(|path| Some(path.parent()?.to_path_buf()))
                    .min(),
            );
        }
        let path_map = self.main_settings().path_map.iter();
        evidence::Context {
            documents: documents
                .map(|(path, it)| (path.to_path_buf(), Arc::from(it.document.text())))
                .collect(),
            path_map: path_map
                .map(|(from, to)| {
                    let to = folders
                        .first()
                        .map_or(PathBuf::from(to), |root| root.join(to));
                    let to = go_model::db::normalize(&to);
                    (from.clone(), stopleak_evidence::code::with_slashes(&to))
                })
                .collect(),
            folders,
            known: self.evidence.files(),
        }
    }

    /// Reads what is new in the configured folders.
    fn look_at_evidence(&mut self) {
        let folders = self.evidence_folders();
        if folders.is_empty() && self.watched_folders.is_empty() {
            return;
        }
        if folders != self.watched_folders {
            self.watch_evidence(&folders);
        }
        let news = self.evidence.look_at(&folders);
        if news.removed {
            self.evidence_changed();
        }
        if news.changed.is_empty() {
            return;
        }
        let (context, sender) = (self.evidence_context(), self.sender.clone());
        let outbox = self.outbox.clone();
        self.outbox.runtime().spawn_blocking(move || {
            for input in news.changed {
                let request = evidence::Request {
                    inputs: vec![input],
                    base: false,
                    program: false,
                };
                match evidence::load(&request, &context) {
                    Ok(batch) => {
                        let reply = Box::new(|_| {});
                        let _ = sender.send(Event::Evidence { batch, reply });
                    }
                    Err(message) => outbox.log(MessageType::WARNING, message),
                }
            }
        });
    }

    /// Asks the client to tell when something in the configured folders changes.
    fn watch_evidence(&mut self, folders: &[PathBuf]) {
        let known = std::mem::replace(&mut self.watched_folders, folders.to_vec());
        if !self.peer.watches_files {
            return;
        }
        let id = "stopleak-evidence";
        let watchers = folders.iter().map(|folder| FileSystemWatcher {
            glob_pattern: GlobPattern::String(format!(
                "{}/*",
                stopleak_evidence::code::with_slashes(folder)
            )),
            kind: None,
        });
        let options = DidChangeWatchedFilesRegistrationOptions {
            watchers: watchers.collect(),
        };
        let method = "workspace/didChangeWatchedFiles".to_owned();
        let gone = Unregistration {
            id: id.to_owned(),
            method: method.clone(),
        };
        let registration = Registration {
            id: id.to_owned(),
            method,
            register_options: serde_json::to_value(options).ok(),
        };
        let wanted = !folders.is_empty();
        self.outbox
            .request("client/registerCapability", |client| async move {
                if !known.is_empty() {
                    client.unregister_capability(vec![gone]).await?;
                }
                if wanted {
                    client.register_capability(vec![registration]).await?;
                }
                Ok(())
            });
    }

    /// There is other evidence, or it is shown in another way.
    fn evidence_changed(&mut self) {
        let settings = self.main_settings().clone();
        let root = self.folders.first().cloned().unwrap_or_default();
        self.evidence.build(&settings, &root);
        self.refresh = true;
        self.check_now();
        if self.peer.refreshes_lenses {
            self.outbox
                .request("workspace/codeLens/refresh", |client| async move {
                    client.code_lens_refresh().await
                });
        }
        if self.peer.follows_evidence {
            self.outbox.evidence_changed();
        }
    }

    // The whole workspace

    fn plan_workspace(&self) -> workspace::Plan {
        let documents = self.documents.iter();
        let documents = documents.filter(|(path, it)| path.is_absolute() && !it.desynced);
        workspace::Plan {
            folders: self.evidence_context().folders,
            environment: self.environment.clone(),
            documents: documents
                .map(|(path, it)| (Arc::clone(path), Arc::from(it.document.text())))
                .collect(),
        }
    }

    fn workspace_files(&mut self, paths: &[PathBuf]) -> workspace::Wanted {
        let paths = paths.iter().map(|path| Arc::from(path.as_path()));
        let subjects: Vec<Subject> = paths.filter_map(|path| self.closed_subject(path)).collect();
        let with_settings = subjects.iter().filter_map(|subject| {
            let settings = Arc::clone(subject.settings.as_ref()?);
            Some((Arc::clone(&subject.path), settings))
        });
        let with_settings: Vec<_> = with_settings.collect();
        workspace::Wanted {
            build: with_settings.first().map(|(_, it)| build_config(it)),
            told: self.told(&with_settings),
            subjects,
        }
    }

    fn workspace_checked(&mut self, outcome: workspace::Outcome) {
        let check = self.generation.load(Ordering::SeqCst);
        let before = std::mem::take(&mut self.workspace);
        self.workspace.extend(outcome.files);
        self.stale.clear();
        let with_findings: HashSet<&Arc<Path>> = outcome
            .found
            .iter()
            .map(|(subject, _)| &subject.path)
            .collect();
        for path in before.iter().filter(|path| !with_findings.contains(path)) {
            if !self.documents.contains_key(path)
                && let Some(uri) = uri::of_path(path)
            {
                self.take_back(path, uri);
            }
        }
        for (subject, items) in outcome.found {
            // The client has newer findings of open documents, or pulls them.
            if !self.documents.contains_key(&subject.path) {
                self.outbox.publish(Publication {
                    path: subject.path,
                    uri: subject.uri,
                    check,
                    version: None,
                    items: Some(items),
                });
            }
        }
    }

    /// A closed file of the workspace is looked at again with the next check.
    fn check_closed(&mut self, path: &Arc<Path>) {
        let generation = self.generation.load(Ordering::SeqCst) + 1;
        self.stale.insert(Arc::clone(path), generation);
    }

    /// A file with evidence, as the analysis sees it.
    fn subject_of_file(&mut self, path: &str) -> Option<Arc<Subject>> {
        self.closed_subject(Arc::from(Path::new(path)))
            .map(Arc::new)
    }

    /// A file that need not be open, as the analysis sees it.
    fn closed_subject(&mut self, path: Arc<Path>) -> Option<Subject> {
        if self.documents.contains_key(&path) {
            return self.subject(&path);
        }
        let root = self.folder_of(&path).cloned();
        let editor = self.editor(&path).clone();
        let silent = self.is_foreign(&path) || !editor.enable;
        let settings = (!silent).then(|| self.configs.settings(&path, root.as_deref(), &editor));
        Some(Subject {
            uri: uri::of_path(&path)?,
            path,
            version: 0,
            settings,
            leave_to_gopls: editor.leave_to_gopls,
            suppress_actions: false,
            evidence: self.evidence.evidence().cloned(),
            peer: Arc::clone(&self.peer),
        })
    }

    fn watched(&mut self, all: &[PathBuf]) {
        let folders = std::mem::take(&mut self.watched_folders);
        let is_evidence = |path: &Path| {
            folders
                .iter()
                .any(|folder| path.parent() == Some(folder.as_path()))
        };
        let (profiles, paths): (Vec<_>, Vec<_>) = all.iter().partition(|path| is_evidence(path));
        self.watched_folders = folders;
        if !profiles.is_empty() {
            self.look_at_evidence();
        }
        for path in paths {
            if self.configs.is_config(path) {
                self.configs.forget();
                self.reconfigure();
            } else {
                self.db.file_changed(path);
                self.refresh = true;
                if let Some(path) = self.workspace.get(path.as_path()).cloned()
                    && !self.documents.contains_key(&path)
                {
                    self.check_closed(&path);
                }
            }
        }
        if let Some(path) = all.first() {
            self.check_after_pause(path);
        }
    }

    /// Settings or configurations may be others now.
    fn reconfigure(&mut self) {
        let foreign: Vec<(Arc<Path>, bool)> = self
            .documents
            .keys()
            .map(|path| (Arc::clone(path), self.is_foreign(path)))
            .collect();
        for (path, foreign) in foreign {
            if let Some(document) = self.documents.get_mut(&path) {
                document.foreign = foreign;
                document.saved_items = None;
            }
        }
        self.refresh = true;
        self.check_now();
    }

    fn read_settings(&self, value: Value) -> EditorSettings {
        let (settings, problems) = read_settings(value);
        for problem in problems {
            self.outbox
                .log(MessageType::WARNING, format!("settings: {problem}"));
        }
        settings
    }

    fn folder_of(&self, path: &Path) -> Option<&PathBuf> {
        let inside = |folder: &&PathBuf| path.starts_with(folder);
        let nearest = self
            .folders
            .iter()
            .filter(inside)
            .max_by_key(|folder| folder.as_os_str().len());
        // Documents without a file belong to the first folder.
        nearest.or_else(|| self.folders.first().filter(|_| !path.is_absolute()))
    }

    fn editor(&self, path: &Path) -> &EditorSettings {
        self.folder_of(path)
            .and_then(|folder| self.folder_settings.get(folder))
            .unwrap_or(&self.default_settings)
    }

    fn subject(&mut self, path: &Arc<Path>) -> Option<Subject> {
        let root = self.folder_of(path).cloned();
        let editor = self.editor(path).clone();
        let document = self.documents.get(path)?;
        let silent = document.foreign || document.desynced || !editor.enable;
        let (uri, version) = (document.uri.clone(), document.version);
        let settings = (!silent).then(|| self.configs.settings(path, root.as_deref(), &editor));
        Some(Subject {
            path: Arc::clone(path),
            uri,
            version,
            settings,
            leave_to_gopls: editor.leave_to_gopls,
            suppress_actions: editor.suppress_actions,
            evidence: self.evidence.evidence().cloned(),
            peer: Arc::clone(&self.peer),
        })
    }

    // Consequences

    /// Asks for a check of the open documents, at once.
    fn check_now(&mut self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.check_at_once = true;
    }

    /// Asks for a check of the open documents when there is a pause, which is as long as the settings for this file say.
    fn check_after_pause(&mut self, path: &Path) {
        let debounce = u64::from(self.editor(path).debounce);
        let debounce = self.debounce.unwrap_or(Duration::from_millis(debounce));
        if debounce.is_zero() {
            self.check_now();
            return;
        }
        let generation = self.generation.fetch_add(1, Ordering::SeqCst) + 1;
        let (sender, jitter) = (self.sender.clone(), self.jitter);
        self.outbox.runtime().spawn(async move {
            tokio::time::sleep(debounce).await;
            jitter.sleep().await;
            let _ = sender.send(Event::Check(generation));
        });
    }

    /// Brings the database up to date and starts what has to be computed.
    fn settle(&mut self) {
        let queries = std::mem::take(&mut self.queries);
        let evidence_queries = std::mem::take(&mut self.evidence_queries);
        let idle = queries.is_empty() && evidence_queries.is_empty();
        if idle && !self.check_at_once && !self.refresh {
            return;
        }
        self.write_documents();
        self.configure_database();
        for (path, job) in queries {
            let subject = self.subject(&path);
            let db = self.db.clone();
            let jitter = self.jitter;
            self.outbox.runtime().spawn_blocking(move || {
                jitter.sleep_blocking();
                match &subject {
                    Some(subject) => job(Some((&db, subject))),
                    None => job(None),
                }
            });
        }
        for job in evidence_queries {
            self.query_evidence(job);
        }
        if std::mem::take(&mut self.check_at_once) {
            self.check();
        }
        if std::mem::take(&mut self.refresh) && self.peer.pull {
            self.outbox
                .request("workspace/diagnostic/refresh", |client| async move {
                    client.workspace_diagnostic_refresh().await
                });
        }
    }

    fn query_evidence(&mut self, job: EvidenceJob) {
        let files = self.evidence.files();
        let subjects: Vec<_> = files
            .iter()
            .filter(|path| path.ends_with(".go"))
            .filter_map(|path| self.subject_of_file(path))
            .collect();
        let evidence = self.evidence.evidence().cloned();
        let db = self.db.clone();
        self.outbox
            .runtime()
            .spawn_blocking(move || match &evidence {
                Some(evidence) => job(Some((&db, evidence, &subjects))),
                None => job(None),
            });
    }

    fn write_documents(&mut self) {
        let dirty: Vec<Arc<Path>> = self
            .documents
            .iter()
            .filter(|(_, document)| document.dirty && !document.desynced)
            .map(|(path, _)| Arc::clone(path))
            .collect();
        for path in dirty {
            let Some(document) = self.documents.get_mut(&path) else {
                continue;
            };
            document.dirty = false;
            let parsed = catch_unwind(AssertUnwindSafe(|| document.document.parsed()));
            match parsed {
                Ok(parsed) => {
                    if let Some(reason) = &parsed.skipped {
                        tracing::warn!(file = %path.display(), "not analysed: {reason:?}");
                    }
                    let open = OpenText {
                        text: document.document.shared_text(),
                        parsed: Some(parsed),
                        lines: Some(document.document.line_index()),
                    };
                    self.db.open_version(&*path, open);
                }
                Err(_) => {
                    tracing::error!(file = %path.display(), "the parser panicked");
                    document.desynced = true;
                }
            }
        }
    }

    /// Tells the database what the configurations of the open documents say: the build is that of the one touched last.
    fn configure_database(&mut self) {
        let mut documents: Vec<(u64, Arc<Path>)> = self
            .documents
            .iter()
            .map(|(path, document)| (document.touched, Arc::clone(path)))
            .collect();
        documents.sort_by_key(|(touched, _)| std::cmp::Reverse(*touched));
        let mut with_settings = Vec::new();
        for (_, path) in documents {
            if let Some(settings) = self.subject(&path).and_then(|subject| subject.settings) {
                with_settings.push((path, settings));
            }
        }
        self.db.set_told(self.told(&with_settings));
        if let Some((_, settings)) = with_settings.first() {
            self.db.set_build_config(build_config(settings));
        }
    }

    /// What configurations say about functions, by the folders they hold for; nothing if none says anything.
    fn told(&self, files: &[(Arc<Path>, Arc<Settings>)]) -> ToldTables {
        let mut told = ToldTables::new();
        for (path, settings) in files {
            // One that the editor names holds for its workspace folder, wherever it lies.
            let folder = match self.folder_of(path) {
                Some(folder) if !self.editor(path).configuration.is_empty() => folder,
                _ => settings.root(),
            };
            if !told.iter().any(|(known, _)| known == folder) {
                told.push((folder.to_path_buf(), Arc::clone(settings.told())));
            }
        }
        told.sort_by(|a, b| a.0.cmp(&b.0));
        if told.iter().all(|(_, table)| table.is_empty()) {
            told.clear();
        }
        told
    }

    /// Starts a check of all open documents, the one touched last first. What did not change costs next to nothing.
    fn check(&mut self) {
        let generation = self.generation.load(Ordering::SeqCst);
        let mut paths: Vec<(u64, Arc<Path>)> = self
            .documents
            .iter()
            .filter(|(_, document)| !document.desynced)
            .map(|(path, document)| (document.touched, Arc::clone(path)))
            .collect();
        paths.sort_by_key(|(touched, _)| std::cmp::Reverse(*touched));
        let mut work = Vec::new();
        for (_, path) in paths {
            let on_save = self.editor(&path).run == Run::OnSave;
            let skip = on_save
                && self
                    .documents
                    .get(&path)
                    .is_some_and(|document| document.unsaved);
            if let Some(subject) = self.subject(&path)
                && !skip
            {
                work.push((subject, on_save));
            }
        }
        self.publish_configs();
        if self.peer.pull {
            work.clear();
        }
        let stale: Vec<Arc<Path>> = self.stale.keys().cloned().collect();
        let closed: HashSet<Arc<Path>> = stale.iter().cloned().collect();
        for path in stale {
            if let Some(subject) = self.closed_subject(path) {
                work.push((subject, true));
            }
        }
        if work.is_empty() {
            return;
        }
        let sender = self.sender.clone();
        let (db, outbox, current, jitter) = (
            self.db.clone(),
            self.outbox.clone(),
            Arc::clone(&self.generation),
            self.jitter,
        );
        self.outbox.runtime().spawn_blocking(move || {
            for (subject, on_save) in work {
                jitter.sleep_blocking();
                if current.load(Ordering::SeqCst) != generation {
                    return; // a check of a later generation is to come
                }
                let result =
                    analysis::guard(&subject.path, || analysis::diagnostics(&db, &subject));
                let items = match result {
                    Ok(items) => items,
                    Err(Failure::Cancelled) => return,
                    Err(Failure::Panicked) => Vec::new(),
                };
                if closed.contains(&subject.path) {
                    let path = Arc::clone(&subject.path);
                    let _ = sender.send(Event::ClosedChecked { path, generation });
                }
                outbox.publish(Publication {
                    path: subject.path,
                    uri: subject.uri,
                    check: generation,
                    version: (!on_save).then_some(subject.version),
                    items: Some(items),
                });
            }
        });
    }

    /// Problems of configuration files are pushed to every client: it never pulls these files.
    fn publish_configs(&mut self) {
        let broken = self.configs.broken().clone();
        if broken == self.published_configs {
            return;
        }
        for (path, problem) in &broken {
            if self.published_configs.get(path) == Some(problem) {
                continue;
            }
            self.outbox.log(
                MessageType::ERROR,
                format!(
                    "{}: {}; the last good configuration stays in force",
                    path.display(),
                    problem.message
                ),
            );
            let text = Text::new(Arc::clone(&problem.text), &self.peer);
            let at = |offset: usize| {
                u32::try_from(offset).map_or(text.position(0.into()), |offset| {
                    text.position(offset.into())
                })
            };
            let item = Diagnostic {
                range: Range {
                    start: at(problem.range.start),
                    end: at(problem.range.end),
                },
                severity: Some(DiagnosticSeverity::ERROR),
                source: Some(SOURCE.to_owned()),
                message: problem.message.clone(),
                ..Diagnostic::default()
            };
            self.publish_config(path, Some(vec![item]));
        }
        for path in self
            .published_configs
            .keys()
            .filter(|path| !broken.contains_key(*path))
        {
            self.publish_config(path, None);
        }
        self.published_configs = broken;
    }

    fn publish_config(&self, path: &Path, items: Option<Vec<Diagnostic>>) {
        if let Some(uri) = uri::of_path(path) {
            self.outbox.publish(Publication {
                path: Arc::from(path),
                uri,
                check: self.generation.load(Ordering::SeqCst),
                version: None,
                items,
            });
        }
    }

    fn describe(&mut self) -> String {
        use std::fmt::Write as _;
        let mut out = String::new();
        let _ = writeln!(out, "stopleak {}", env!("CARGO_PKG_VERSION"));
        let _ = writeln!(out, "client: {}", self.peer.name);
        let _ = writeln!(out, "positions: {:?}", self.peer.encoding);
        let _ = writeln!(
            out,
            "diagnostics: {}",
            if self.peer.pull { "pulled" } else { "pushed" }
        );
        let _ = writeln!(out, "client watches files: {}", self.peer.watches_files);
        let _ = writeln!(
            out,
            "files known: {}",
            go_model::db::Db::files(&self.db).len()
        );
        let _ = writeln!(out, "build: {:?}", self.db.build_config());
        let _ = writeln!(
            out,
            "module cache: {}",
            self.environment
                .mod_cache
                .as_deref()
                .unwrap_or(Path::new("none"))
                .display()
        );
        for folder in &self.folders {
            let _ = writeln!(out, "folder: {}", folder.display());
        }
        for group in self.evidence.evidence().iter().flat_map(|all| &all.groups) {
            let kind = group.weights.kind.name();
            let _ = writeln!(out, "evidence: {kind} of {}", group.source);
        }
        let _ = writeln!(out, "settings: {:?}", self.default_settings);
        for (folder, settings) in &self.folder_settings {
            let _ = writeln!(out, "settings of {}: {settings:?}", folder.display());
        }
        for (path, problem) in self.configs.broken() {
            let _ = writeln!(
                out,
                "broken configuration: {}: {}",
                path.display(),
                problem.message
            );
        }
        let mut paths: Vec<Arc<Path>> = self.documents.keys().cloned().collect();
        paths.sort();
        for path in paths {
            let config = self
                .subject(&path)
                .and_then(|subject| subject.settings)
                .map_or(
                    "nothing is reported here".to_owned(),
                    |settings| match settings.file() {
                        Some(file) => file.display().to_string(),
                        None => "default configuration".to_owned(),
                    },
                );
            let Some(document) = self.documents.get(&path) else {
                continue;
            };
            let _ = writeln!(
                out,
                "document: {} version {}, content {:016x}{} ({config})",
                path.display(),
                document.version,
                xxhash_rust::xxh3::xxh3_64(document.document.text().as_bytes()),
                if document.desynced {
                    ", not in step with the client"
                } else {
                    ""
                },
            );
        }
        out
    }
}

/// Settings as an editor sends them, alone or under `stopleak`. A member that is wrong is reported and has its default.
fn read_settings(value: Value) -> (EditorSettings, Vec<String>) {
    let mut problems = Vec::new();
    let Value::Object(mut members) = value else {
        return (EditorSettings::default(), problems);
    };
    if let Some(Value::Object(inner)) = members.get_mut("stopleak") {
        members = std::mem::take(inner);
    }
    let mut good = serde_json::Map::new();
    for (key, value) in members {
        if value.is_null() {
            continue; // editors send `null` for what is not set
        }
        let alone = Value::Object([(key.clone(), value.clone())].into_iter().collect());
        match serde_json::from_value::<EditorSettings>(alone) {
            Ok(_) => {
                good.insert(key, value);
            }
            Err(error) => problems.push(format!("`{key}`: {error}")),
        }
    }
    (
        serde_json::from_value(Value::Object(good)).unwrap_or_default(),
        problems,
    )
}

fn at(position: Position) -> go_syntax::Position {
    go_syntax::Position {
        line: position.line,
        character: position.character,
    }
}

fn is_module_file(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name == "go.mod" || name == "go.work")
}

fn build_config(settings: &Settings) -> BuildConfig {
    let options = &settings.config().build;
    let default = BuildConfig::default();
    BuildConfig {
        goos: options.goos.clone().unwrap_or(default.goos),
        goarch: options.goarch.clone().unwrap_or(default.goarch),
        tags: options.tags.clone(),
        cgo: default.cgo,
        go_version: settings.config().go_version.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_wrong_setting_spoils_only_itself() {
        let (settings, problems) = read_settings(
            json!({ "stopleak": { "run": "onSave", "debounce": "soon", "path": null, "x": 1 } }),
        );
        assert_eq!(settings.run, Run::OnSave);
        assert_eq!(settings.debounce, EditorSettings::default().debounce);
        assert_eq!(problems.len(), 1);
        assert_eq!(read_settings(json!(null)).0, EditorSettings::default());
        assert!(!read_settings(json!({ "enable": false })).0.enable);
    }
}
