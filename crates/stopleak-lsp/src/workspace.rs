//! A check of all files of the workspace, when somebody asks for it.
//!
//! It works on a database of its own, which goes when it is done: what is typed meanwhile does not end it, it does not hold up what
//! is typed, and the server is not larger afterwards.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use go_model::db::{BuildConfig, Database, Environment};
use go_model::told::ToldTables;
use serde_json::{Value, json};
use tower_lsp::ls_types::{
    self as lsp, ProgressParams, ProgressParamsValue, ProgressToken, WorkDoneProgress,
    WorkDoneProgressBegin, WorkDoneProgressCreateParams, WorkDoneProgressEnd,
    WorkDoneProgressReport,
};

use crate::analysis::{self, Subject};
use crate::outbox::{Jitter, Outbox};

/// The command that checks all files.
pub(crate) const CHECK_COMMAND: &str = "stopleak.checkWorkspace";
/// The command that takes back what it found in files that are not open.
pub(crate) const CLEAR_COMMAND: &str = "stopleak.clearWorkspace";
/// The notification of a client whose user does not want to wait for the end. The base has no handler for it.
pub(crate) const CANCEL: &str = "window/workDoneProgress/cancel";

/// After so many files syntax trees that are no longer needed are dropped.
const BATCH: usize = 500;
/// Threads that check, at most. One processor is left to the editor.
const THREADS: usize = 8;
/// As for the owner of the state: what parsing and lowering call need not be loops.
const STACK: usize = 16 << 20;

/// What a check begins with.
pub(crate) struct Plan {
    pub(crate) folders: Vec<PathBuf>,
    pub(crate) environment: Environment,
    /// Open documents, whose text counts in place of the file's.
    pub(crate) documents: Vec<(Arc<Path>, Arc<str>)>,
}

/// Files to check, and what the configurations say that hold for them.
pub(crate) struct Wanted {
    pub(crate) subjects: Vec<Subject>,
    pub(crate) build: Option<BuildConfig>,
    pub(crate) told: ToldTables,
}

/// What a check found.
#[derive(Default)]
pub(crate) struct Outcome {
    /// All files that were looked at.
    pub(crate) files: Vec<Arc<Path>>,
    /// Those with findings, sorted by path.
    pub(crate) found: Vec<(Subject, Vec<lsp::Diagnostic>)>,
    pub(crate) cancelled: bool,
}

impl Outcome {
    /// What the command answers.
    pub(crate) fn answer(&self) -> Value {
        let items: Vec<Value> = self
            .found
            .iter()
            .flat_map(|(subject, items)| {
                items.iter().map(|item| {
                    json!({
                        "uri": subject.uri.as_str(),
                        "range": item.range,
                        "severity": item.severity,
                        "code": item.code,
                        "message": item.message,
                    })
                })
            })
            .collect();
        json!({
            "files": self.files.len(),
            "findings": items.len(),
            "cancelled": self.cancelled,
            "items": items,
        })
    }

    /// The same for people.
    pub(crate) fn summary(&self) -> String {
        let findings: usize = self.found.iter().map(|(_, items)| items.len()).sum();
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let head = if self.cancelled {
            "cancelled after "
        } else {
            ""
        };
        format!(
            "{head}{}: {} in {}",
            count(self.files.len(), "file"),
            count(findings, "finding"),
            count(self.found.len(), "file"),
        )
    }
}

/// Checks all files of the folders. `ask` tells what holds for some of them; `report` hears how many of how many are done.
///
/// # Errors
/// The message for folders that cannot be read.
pub(crate) fn check(
    plan: Plan,
    ask: impl Fn(Vec<PathBuf>) -> Option<Wanted>,
    stop: &AtomicBool,
    report: &(dyn Fn(usize, usize) + Sync),
    jitter: Jitter,
) -> Result<Outcome, String> {
    let stopped = || stop.load(Ordering::Relaxed);
    let folders: Vec<PathBuf> = plan.folders.into_iter().filter(|it| it.is_dir()).collect();
    let files = stopleak_config::files::find(&folders, true, &stopped)?;
    let mut db = Database::with_environment(plan.environment);
    let mut work = Vec::with_capacity(files.files.len());
    let (mut build, mut told) = (None, ToldTables::new());
    let paths: Vec<PathBuf> = files.files.into_iter().map(|file| file.path).collect();
    // In parts, because the owner of the state has other things to do too.
    for part in paths.chunks(64) {
        let Some(wanted) = ask(part.to_vec()).filter(|_| !stopped()) else {
            break;
        };
        work.extend(wanted.subjects);
        build = build.or(wanted.build);
        for (folder, table) in wanted.told {
            if !told.iter().any(|(known, _)| *known == folder) {
                told.push((folder, table));
            }
        }
    }
    told.sort_by(|a, b| a.0.cmp(&b.0));
    db.set_told(told);
    if let Some(build) = build {
        db.set_build_config(build);
    }
    for (path, text) in plan.documents {
        db.open_document(&*path, text, None);
    }

    let mut outcome = Outcome {
        files: work
            .iter()
            .map(|subject| Arc::clone(&subject.path))
            .collect(),
        ..Outcome::default()
    };
    let total = work.len();
    let done = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.saturating_sub(1).clamp(1, THREADS);
    while !work.is_empty() && !stopped() {
        let batch = db.next_batch(&mut work, BATCH, |subject| &subject.path);
        let next = AtomicUsize::new(0);
        let found = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..threads {
                let (db, batch, next, found, done) = (db.clone(), &batch, &next, &found, &done);
                let work = move || {
                    while let Some(subject) = batch.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if stopped() {
                            return;
                        }
                        jitter.sleep_blocking();
                        let items = one(&db, subject);
                        report(done.fetch_add(1, Ordering::Relaxed) + 1, total);
                        if !items.is_empty() {
                            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                            found.push((subject.clone(), items));
                        }
                    }
                };
                let thread = std::thread::Builder::new().stack_size(STACK);
                if let Err(error) = thread.spawn_scoped(scope, work) {
                    tracing::warn!(%error, "one thread less checks the workspace");
                }
            }
        });
        outcome
            .found
            .extend(found.into_inner().unwrap_or_else(PoisonError::into_inner));
        db.evict();
    }
    outcome.cancelled = stopped();
    if outcome.cancelled {
        outcome.files.truncate(done.into_inner());
    }
    outcome.found.sort_by(|a, b| a.0.path.cmp(&b.0.path));
    Ok(outcome)
}

fn one(db: &Database, subject: &Subject) -> Vec<lsp::Diagnostic> {
    let Some(settings) = &subject.settings else {
        return Vec::new();
    };
    let checked = analysis::guard(&subject.path, || {
        // Asked before parsing: much of some workspaces is generated.
        let generated = !settings.config().include_generated
            && db
                .file(&subject.path)
                .is_some_and(|file| go_syntax::is_generated(&file.text(db)));
        if generated {
            Vec::new()
        } else {
            analysis::diagnostics(db, subject)
        }
    });
    checked.unwrap_or_default()
}

/// The progress of a check as the client shows it, if it does.
#[derive(Clone)]
pub(crate) struct Progress {
    outbox: Outbox,
    token: Option<ProgressToken>,
    state: Arc<Mutex<State>>,
}

/// The client has to agree to progress that it did not ask for, and the check does not wait for that.
enum State {
    Waiting,
    /// The last percentage that was told.
    Running(u32),
    Over,
}

impl Progress {
    /// Progress under the token that the client gave with its request or, if it knows such things, under one of ours.
    pub(crate) fn begin(outbox: &Outbox, given: Option<ProgressToken>, creates: bool) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(1);
        let wanted = given.is_none() && creates;
        let token = given.or_else(|| {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            creates.then(|| ProgressToken::String(format!("stopleak/check/{number}")))
        });
        let progress = Self {
            outbox: outbox.clone(),
            token,
            state: Arc::new(Mutex::new(State::Waiting)),
        };
        let begun = progress.clone();
        match &progress.token {
            Some(token) if wanted => {
                let token = token.clone();
                outbox.request("window/workDoneProgress/create", |client| async move {
                    let params = WorkDoneProgressCreateParams { token };
                    client
                        .send_request::<lsp::request::WorkDoneProgressCreate>(params)
                        .await?;
                    begun.start();
                    Ok(())
                });
            }
            _ => progress.start(),
        }
        progress
    }

    /// What the client names it by when the user ends it.
    pub(crate) fn token(&self) -> Option<&ProgressToken> {
        self.token.as_ref()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, value: WorkDoneProgress) {
        if let Some(token) = self.token.clone() {
            let value = ProgressParamsValue::WorkDone(value);
            self.outbox.progress(ProgressParams { token, value });
        }
    }

    fn start(&self) {
        let mut state = self.state();
        if matches!(*state, State::Waiting) {
            *state = State::Running(0);
            self.send(WorkDoneProgress::Begin(WorkDoneProgressBegin {
                title: "stopleak: checking the workspace".to_owned(),
                cancellable: Some(true),
                message: None,
                percentage: Some(0),
            }));
        }
    }

    /// So many of so many files are done.
    pub(crate) fn report(&self, done: usize, total: usize) {
        let percentage = u32::try_from(done * 100 / total.max(1)).unwrap_or(100);
        let mut state = self.state();
        match &mut *state {
            State::Running(last) if *last < percentage => {
                *last = percentage;
                self.send(WorkDoneProgress::Report(WorkDoneProgressReport {
                    cancellable: Some(true),
                    message: Some(format!("{done}/{total} files")),
                    percentage: Some(percentage),
                }));
            }
            _ => {}
        }
    }

    /// It is over.
    pub(crate) fn end(&self, message: String) {
        let mut state = self.state();
        if matches!(*state, State::Running(_)) {
            let message = Some(message);
            self.send(WorkDoneProgress::End(WorkDoneProgressEnd { message }));
        }
        *state = State::Over;
    }
}

/// Ends a check when the request for it is dropped, because the client has cancelled it, or when the check is over.
pub(crate) struct Running {
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) progress: Progress,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.progress.end("cancelled".to_owned());
    }
}
