//! `stopleak check`.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, IsTerminal as _, Read as _, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use go_model::db::{BuildConfig, Database, SourceFile, normalize, parse_result, source_file};
use go_model::disk::DiskCache;
use go_model::told::ToldTables;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use leak_rules::edit::{FixAll, fix_all, safe_or};
use leak_rules::suppress::apply_suppressions;
use leak_rules::{Diagnostic, Severity};
use rayon::prelude::*;
use stopleak_config::{Config, Discovery, LoadError, Settings};
use xxhash_rust::xxh3::xxh3_128;

use crate::cache::{self, Subject};
use crate::cli::{CheckArgs, Format};
use crate::exit::{Failure, Outcome, Status};
use crate::files::{self, Found};
use crate::output::{self, Checked, Report, concise, frames, json, statistics, summary};
use crate::{interrupt, terminal};

/// Rounds of fixing until it is given up on a file; each fixes all that is not in the way of another.
const MAX_ROUNDS: usize = 100;
/// After so many files syntax trees that are no longer needed are dropped.
const BATCH: usize = 500;
/// Syntax trees kept between two batches, so that a file that others import is parsed once only; some 80 KiB each.
const KEPT_TREES: usize = 3072;
/// Deep expressions are walked with loops, but the stack of a thread is cheap where it is not used.
const STACK: usize = 16 << 20;

/// Runs the check.
pub fn run(args: Box<CheckArgs>) -> Outcome {
    let started = Instant::now();
    interrupt::install();
    for name in &args.rules {
        if !stopleak_config::is_selector(name) {
            return Err(match stopleak_config::similar_rule(name) {
                Some(similar) => format!("unknown rule `{name}`; did you mean `{similar}`?"),
                None => format!("unknown rule `{name}`; `stopleak rule` lists all"),
            }
            .into());
        }
    }
    start_threads(args.threads)?;
    Run::new(&args)?.run(started)
}

/// Starts the threads that check files; 0 is one for each processor. Called once in a process.
///
/// # Errors
/// They cannot be started.
pub fn start_threads(number: usize) -> Result<(), String> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(number)
        .stack_size(STACK)
        .build_global()
        .map_err(|error| error.to_string())
}

/// The findings in some files, each with the configuration in force for it. The threads have been started.
///
/// # Errors
/// A configuration cannot be read.
pub fn findings_in(paths: Vec<PathBuf>) -> Result<Report, Failure> {
    let args = CheckArgs {
        quiet: true,
        no_progress: true,
        ..CheckArgs::default()
    };
    let run = Run::new(&args)?;
    let found = paths.into_iter().map(|path| Found { path, named: false });
    let (jobs, _) = run.jobs(found.collect())?;
    let mut state = State::default();
    for (build, jobs) in by_build(jobs) {
        run.check_all(build, &jobs, &mut state)?;
    }
    state.report.files.sort_by(|a, b| a.display.cmp(&b.display));
    Ok(state.report)
}

struct Run<'a> {
    args: &'a CheckArgs,
    base: PathBuf,
    resolver: Resolver,
    exclude: Gitignore,
    /// The cache, with what stands for this program; none with `--no-cache`.
    cache: Option<(DiskCache, String)>,
}

/// What became of one file.
#[derive(Default)]
struct One {
    findings: Vec<Diagnostic>,
    text: Option<Arc<str>>,
    others: Vec<(Arc<PathBuf>, Arc<str>)>,
    suppressed: usize,
    skipped: Option<String>,
    failed: Option<String>,
    /// Where it comes from; `None` if it was not checked to its end.
    source: Option<cache::Source>,
}

impl From<cache::Known> for One {
    fn from(known: cache::Known) -> Self {
        Self {
            findings: known.findings,
            text: known.text,
            others: known.others,
            suppressed: known.suppressed,
            skipped: known.skipped,
            failed: None,
            source: Some(cache::Source::Known),
        }
    }
}

/// A file with what holds for it.
struct Job {
    path: PathBuf,
    named: bool,
    settings: Arc<Settings>,
}

impl Job {
    fn subject(&self) -> Subject<'_> {
        Subject {
            path: &self.path,
            named: self.named,
        }
    }
}

impl One {
    /// What is kept of it in the cache.
    fn entry(&self, job: &Job) -> cache::Entry {
        let source = match self.source {
            Some(source) if self.failed.is_none() => source,
            _ => cache::Source::Lost,
        };
        cache::Entry::new(
            &job.subject(),
            source,
            &self.findings,
            self.suppressed,
            self.skipped.as_deref(),
        )
    }
}

impl<'a> Run<'a> {
    fn new(args: &'a CheckArgs) -> Result<Self, Failure> {
        let base = output::base();
        let mut exclude = GitignoreBuilder::new(&base);
        for pattern in &args.exclude {
            exclude
                .add_line(None, pattern)
                .map_err(|error| format!("bad pattern `{pattern}`: {error}"))?;
        }
        Ok(Self {
            args,
            resolver: Resolver::new(args, &base)?,
            exclude: exclude.build().map_err(|error| error.to_string())?,
            base,
            cache: (!args.no_cache)
                .then(|| cache::disk().zip(cache::program()))
                .flatten(),
        })
    }

    fn run(&self, started: Instant) -> Outcome {
        let args = self.args;
        let stdin = args.paths.iter().any(|path| path.as_os_str() == "-");
        if stdin && args.paths.len() > 1 {
            return Err("`-` (stdin) cannot be combined with other paths"
                .to_owned()
                .into());
        }
        if stdin {
            return self.check_stdin();
        }
        let here = [PathBuf::from(".")];
        let paths = if args.paths.is_empty() {
            &here[..]
        } else {
            &args.paths[..]
        };
        let found = files::find(paths, !args.no_ignore)?;
        for problem in &found.problems {
            terminal::warning(problem);
        }
        let (jobs, left_out) = self.jobs(found.files)?;
        if jobs.is_empty() && !interrupt::stopped() {
            let names: Vec<_> = paths
                .iter()
                .map(|path| format!("`{}`", path.display()))
                .collect();
            let why = if left_out > 0 {
                format!(" ({left_out} left out; -v says why)")
            } else {
                String::new()
            };
            if !args.quiet {
                terminal::warning(&format!(
                    "no Go files to check in {}{why}",
                    names.join(", ")
                ));
            }
        }
        let checked = jobs.len();
        let mut state = State::default();
        let mut builds = by_build(jobs).into_iter().peekable();
        while let Some((build, jobs)) = builds.next() {
            let db = self.check_all(build, &jobs, &mut state)?;
            if builds.peek().is_none() {
                // The process is about to end, and freeing everything piece by piece takes a twentieth of the run.
                std::mem::forget(db);
            }
        }
        if interrupt::stopped() {
            terminal::warning("interrupted");
            return Ok(Status::Interrupted);
        }
        let mut out = stdout();
        if args.diff {
            state.write_diffs(&mut out)?;
        } else if args.fix {
            self.write_fixed(&mut state);
        }
        state.report.files.sort_by(|a, b| a.display.cmp(&b.display));
        if !args.diff {
            self.write_report(&mut out, &state.report)?;
        }
        out.flush()?;
        if !args.quiet {
            self.write_summary(&state, checked, started)?;
        }
        Ok(self.status(&state))
    }

    /// The files to check with their settings, and how many were left out.
    fn jobs(&self, files: Vec<Found>) -> Result<(Vec<Job>, usize), Failure> {
        let mut jobs = Vec::with_capacity(files.len());
        let mut left_out = 0;
        let mut errors: Vec<Arc<LoadError>> = Vec::new();
        for file in files {
            let settings = match self.resolver.settings(&file.path) {
                Ok(settings) => settings,
                Err(error) => {
                    if !errors.contains(&error) {
                        errors.push(error);
                    }
                    continue;
                }
            };
            let named = file.named && !self.args.force_exclude;
            let why = if named {
                None
            } else if self.matches_exclude(&file.path) {
                Some("excluded by --exclude".to_owned())
            } else {
                settings.excluded(&file.path).map(|why| why.to_string())
            };
            match why {
                Some(why) => {
                    left_out += 1;
                    self.skip_note(&file.path, &why);
                }
                None => jobs.push(Job {
                    path: file.path,
                    named,
                    settings,
                }),
            }
        }
        if errors.is_empty() {
            Ok((jobs, left_out))
        } else {
            let failures = errors
                .iter()
                .map(|error| Failure::Message(frames::config_error(error)));
            Err(Failure::Many(failures.collect()))
        }
    }

    fn matches_exclude(&self, path: &Path) -> bool {
        path.strip_prefix(&self.base).is_ok_and(|relative| {
            self.exclude
                .matched_path_or_any_parents(relative, false)
                .is_ignore()
        })
    }

    fn skip_note(&self, path: &Path, why: &str) {
        if self.args.verbose {
            terminal::note(&format!(
                "skipped {}: {why}",
                files::display(path, &self.base)
            ));
        }
    }

    fn check_all(
        &self,
        build: BuildConfig,
        jobs: &[Job],
        state: &mut State,
    ) -> Result<Database, Failure> {
        let mut db = Database::new();
        db.set_tree_capacity(KEPT_TREES);
        self.use_summaries(&mut db);
        let told = self.resolver.told(jobs);
        let run = self.run_text(&build, jobs);
        db.set_build_config(build);
        db.set_told(told);
        let subjects: Vec<Subject<'_>> = jobs.iter().map(Job::subject).collect();
        let cache = (self.cache.as_ref()).map(|(disk, program)| {
            let place = format!("{program}\n{}", self.place_text());
            cache::Findings::new(disk.clone(), &db, &place, &run, &subjects)
        });
        let known = match &cache {
            Some(cache) => cache.known(&subjects),
            None => vec![None; jobs.len()],
        };
        state.known += known.iter().flatten().count();
        let progress = self.progress(jobs.len());
        let mut work: Vec<_> = jobs.iter().zip(known).enumerate().collect();
        let mut done: Vec<Option<One>> = jobs.iter().map(|_| None).collect();
        while !work.is_empty() {
            let mut batch = db.next_batch(&mut work, BATCH, |(_, (job, _))| &job.path);
            let checked: Vec<One> = batch
                .par_iter_mut()
                .map_with(db.clone(), |db, (_, (job, known))| {
                    if interrupt::stopped() {
                        return One::default();
                    }
                    let one = match known.take() {
                        Some(known) => known.into(),
                        None => self.check_one(db, source_file(db, &job.path), job),
                    };
                    progress.inc(1);
                    one
                })
                .collect();
            for ((number, _), one) in batch.iter().zip(checked) {
                done[*number] = Some(one);
            }
            db.evict();
        }
        progress.finish_and_clear();
        let mut fixes = Vec::new();
        let mut entries = Vec::new();
        // In the order in which they were asked for, whatever the order in which they were checked.
        for (job, one) in jobs.iter().zip(done) {
            let one = one.unwrap_or_default();
            if self.wants_fix(&one) {
                fixes.push(job);
            }
            if cache.is_some() {
                entries.push(one.entry(job));
            }
            self.take(job, one, state);
        }
        if let Some(cache) = cache
            && !interrupt::stopped()
        {
            cache.keep(&subjects, entries);
            go_model::summary::save_summaries(&db);
        }
        for job in fixes {
            if interrupt::stopped() {
                break;
            }
            self.fix_one(&mut db, job, state);
        }
        Ok(db)
    }

    /// Looks up what functions of dependencies do in the cache.
    fn use_summaries(&self, db: &mut Database) {
        if let Some((disk, program)) = &self.cache {
            db.set_summary_store(cache::summaries(disk, program));
        }
    }

    /// Stands for what is checked, as far as it is the same from run to run.
    fn place_text(&self) -> String {
        let args = self.args;
        format!(
            "{:?} {:?} {:?} {:?} {}",
            self.base, args.paths, args.rules, args.config, args.isolated
        )
    }

    /// Stands for everything that changes what is found in a file, beside code.
    fn run_text(&self, build: &BuildConfig, jobs: &[Job]) -> String {
        let mut settings: Vec<String> = Vec::new();
        let mut last: Option<&Arc<Settings>> = None;
        for job in jobs {
            if last.is_none_or(|last| !Arc::ptr_eq(last, &job.settings)) {
                let text = format!("{:?} {:?}", job.settings.root(), job.settings.config());
                settings.push(text);
                last = Some(&job.settings);
            }
        }
        settings.sort();
        settings.dedup();
        format!(
            "{build:?} {} {}",
            self.args.include_generated,
            settings.join("\n")
        )
    }

    fn wants_fix(&self, one: &One) -> bool {
        (self.args.fix || self.args.diff)
            && one
                .findings
                .iter()
                .any(|finding| output::fixable(finding, self.args.unsafe_fixes))
    }

    /// Checks one file. A panic in here is our bug and must not cost the other files their findings.
    fn check_one(&self, db: &Database, file: SourceFile, job: &Job) -> One {
        catch_unwind(AssertUnwindSafe(|| self.check_one_unguarded(db, file, job))).unwrap_or_else(
            |panic| {
                let what = panic
                    .downcast_ref::<&str>()
                    .map(|text| (*text).to_owned())
                    .or_else(|| panic.downcast_ref::<String>().cloned())
                    .unwrap_or_default();
                One {
                    failed: Some(format!("internal error: {what}")),
                    ..One::default()
                }
            },
        )
    }

    fn check_one_unguarded(&self, db: &Database, file: SourceFile, job: &Job) -> One {
        let text = file.text(db);
        let source = Some(cache::Source::Checked(xxh3_128(text.as_bytes())));
        let generated =
            self.args.include_generated || job.settings.config().include_generated || job.named;
        // Asked before parsing: much of some repositories is generated.
        if !generated && go_syntax::is_generated(&text) {
            return One {
                skipped: Some("generated code; --include-generated checks it".to_owned()),
                source,
                ..One::default()
            };
        }
        let parsed = parse_result(db, file);
        if let Some(why) = parsed.skipped {
            return One {
                skipped: Some(why.to_string()),
                ..One::default()
            };
        }
        if text.is_empty()
            && file.open(db).is_none()
            && let Err(error) = std::fs::File::open(&job.path)
        {
            return One {
                skipped: Some(format!("it cannot be read: {error}")),
                ..One::default()
            };
        }
        let findings = leak_rules::check_file(db, file).to_vec();
        let options = job.settings.suppression_options(&job.path);
        let parts = apply_suppressions(&text, &parsed.file, findings, &options);
        let suppressed = parts.suppressed.len();
        let mut findings = parts.kept;
        findings.extend(parts.meta);
        let mut findings = job.settings.filter(&job.path, findings);
        output::sort(&mut findings);
        let mut others = Vec::new();
        for path in findings
            .iter()
            .flat_map(|finding| &finding.related)
            .filter_map(|step| step.file.as_ref())
        {
            if !others.iter().any(|(known, _)| known == path) {
                others.push((path.clone(), source_file(db, path).text(db)));
            }
        }
        One {
            text: (!findings.is_empty()).then_some(text),
            findings,
            others,
            suppressed,
            source,
            ..One::default()
        }
    }

    /// Files what was found in one file.
    fn take(&self, job: &Job, one: One, state: &mut State) {
        state.suppressed += one.suppressed;
        if let Some(why) = one.skipped {
            state.skipped += 1;
            if job.named && !self.args.quiet {
                terminal::warning(&format!(
                    "skipped {}: {why}",
                    files::display(&job.path, &self.base)
                ));
            } else {
                self.skip_note(&job.path, &why);
            }
        }
        let display = files::display(&job.path, &self.base);
        if let Some(what) = one.failed {
            state.failed = true;
            terminal::error(&format!(
                "{display}: {what}; please report it with the file"
            ));
        }
        for (path, text) in one.others {
            let display = files::display(&path, &self.base);
            state.report.others.entry(path).or_insert((display, text));
        }
        if let Some(text) = one.text {
            state.found_at_first |= self.counts(&one.findings);
            state.report.files.push(Checked {
                path: job.path.clone(),
                display,
                text,
                findings: one.findings,
            });
        }
    }

    /// Whether any of the findings makes the exit code 1.
    fn counts(&self, findings: &[Diagnostic]) -> bool {
        let least = Severity::from(self.args.min_severity);
        findings.iter().any(|finding| finding.severity >= least)
    }

    /// Applies fixes to the text of one file until there are none left.
    fn fix_one(&self, db: &mut Database, job: &Job, state: &mut State) {
        let Some(place) = state
            .report
            .files
            .iter()
            .position(|file| file.path == job.path)
        else {
            return;
        };
        let before = state.report.files[place].text.clone();
        let Some((fixed, failed)) = self.fix_text(db, job, &before) else {
            return;
        };
        state.failed |= failed;
        if fixed.text == *before {
            return;
        }
        let file = &mut state.report.files[place];
        file.text = fixed.text.into();
        file.findings = fixed.remaining;
        state.fixed.push(Fixed {
            path: job.path.clone(),
            display: file.display.clone(),
            before,
            after: file.text.clone(),
            count: fixed.applied.len(),
        });
    }

    /// The fixed text; the file stays open with it in the database. `None` (with a message) when it could not be done.
    fn fix_text(&self, db: &mut Database, job: &Job, before: &Arc<str>) -> Option<(FixAll, bool)> {
        let mut failed = false;
        let check = |text: &str| {
            let file = db.open_document(&job.path, text.into(), None);
            let one = self.check_one(db, file, job);
            failed |= one.failed.is_some();
            one.findings
        };
        let wanted = safe_or(self.args.unsafe_fixes);
        let fixed = fix_all(before.to_string(), MAX_ROUNDS, check, wanted);
        if !fixed.converged {
            let display = files::display(&job.path, &self.base);
            terminal::warning(&format!("{display}: not all fixes could be applied"));
        }
        Some((fixed, failed))
    }

    fn write_fixed(&self, state: &mut State) {
        for fixed in &mut state.fixed {
            if let Err(error) = files::replace(&fixed.path, &fixed.before, &fixed.after) {
                terminal::error(&format!("{} is not fixed: {error}", fixed.display));
                fixed.count = 0;
                state.failed = true;
            }
        }
    }

    fn write_report(&self, out: &mut impl Write, report: &Report) -> io::Result<()> {
        if self.args.statistics {
            return statistics::write(out, report);
        }
        match self.args.format {
            Format::Full => frames::write(out, report, io::stdout().is_terminal()),
            Format::Concise => concise::write(out, report),
            Format::Json => json::write(out, report),
        }
    }

    fn write_summary(&self, state: &State, checked: usize, started: Instant) -> io::Result<()> {
        let args = self.args;
        // JSON and diffs are for programs: what is for people goes to stderr there.
        let quiet_stdout = args.diff || args.format == Format::Json;
        let fixed: usize = state.fixed.iter().map(|fixed| fixed.count).sum();
        let checked = checked - state.skipped;
        let mut lines = Vec::new();
        if args.diff {
            let files = terminal::count(state.fixed.len(), "file");
            lines.push(format!(
                "Would fix {} in {files}",
                terminal::count(fixed, "finding")
            ));
        } else if args.format != Format::Json && checked > 0 {
            lines.push(summary::line(&state.report, fixed, checked));
        }
        if args.verbose {
            lines.push(format!(
                "{} checked, {} of them known from the cache, {} skipped, {} suppressed, {:.2?}",
                terminal::count(checked, "file"),
                state.known,
                state.skipped,
                terminal::count(state.suppressed, "finding"),
                started.elapsed()
            ));
            let cut = go_model::summary::budget_hits();
            if cut > 0 {
                lines.push(format!(
                    "{} cut off where too much is called from a function of a dependency",
                    terminal::count(usize::try_from(cut).unwrap_or(usize::MAX), "look")
                ));
            }
        }
        for line in lines {
            if quiet_stdout {
                writeln!(anstream::stderr(), "{line}")?;
            } else {
                writeln!(anstream::stdout(), "{line}")?;
            }
        }
        Ok(())
    }

    fn status(&self, state: &State) -> Status {
        let findings = state
            .report
            .files
            .iter()
            .any(|file| self.counts(&file.findings));
        let found = findings || (self.args.diff && !state.fixed.is_empty() && state.found_at_first);
        if state.failed {
            Status::Failed
        } else if found && !self.args.exit_zero {
            Status::Findings
        } else {
            Status::Clean
        }
    }

    fn check_stdin(&self) -> Outcome {
        let args = self.args;
        let mut bytes = Vec::new();
        io::stdin()
            .lock()
            .read_to_end(&mut bytes)
            .map_err(|error| format!("cannot read stdin: {error}"))?;
        let text = String::from_utf8(bytes).map_err(|_| "stdin is not UTF-8".to_owned())?;
        let path = match &args.stdin_filename {
            Some(path) => normalize(path),
            None => PathBuf::from("untitled:stdin.go"),
        };
        let settings_path = if path.is_absolute() {
            path.clone()
        } else {
            self.base.join("stdin.go")
        };
        let settings = self
            .resolver
            .settings(&settings_path)
            .map_err(|error| Failure::Message(frames::config_error(&error)))?;
        let excluded = args.force_exclude
            && (self.matches_exclude(&path) || settings.excluded(&path).is_some());
        let job = Job {
            path,
            named: true,
            settings,
        };
        let mut db = Database::new();
        self.use_summaries(&mut db);
        db.set_build_config(build_config(&job.settings));
        db.set_told(self.resolver.told(std::slice::from_ref(&job)));
        let mut state = State::default();
        let before: Arc<str> = text.into();
        if !excluded {
            let file = db.open_document(&job.path, before.clone(), None);
            let one = self.check_one(&db, file, &job);
            let wants_fix = self.wants_fix(&one);
            self.take(&job, one, &mut state);
            if wants_fix {
                self.fix_one(&mut db, &job, &mut state);
            }
        }
        if args.stdin_filename.is_none() {
            state
                .report
                .files
                .iter_mut()
                .for_each(|file| file.display = "<stdin>".to_owned());
            state
                .fixed
                .iter_mut()
                .for_each(|fixed| fixed.display = "<stdin>".to_owned());
        }
        let mut out = stdout();
        if args.diff {
            state.write_diffs(&mut out)?;
        } else if args.fix {
            // As formatters do it: the text goes to stdout, what is left to say to stderr.
            let after = state.fixed.first().map_or(&before, |fixed| &fixed.after);
            out.write_all(after.as_bytes())?;
            self.write_report(&mut anstream::stderr(), &state.report)?;
        } else {
            self.write_report(&mut out, &state.report)?;
        }
        out.flush()?;
        Ok(self.status(&state))
    }

    fn progress(&self, files: usize) -> ProgressBar {
        let quiet = self.args.no_progress || self.args.quiet || !io::stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(
            Some(files as u64),
            if quiet {
                ProgressDrawTarget::hidden()
            } else {
                ProgressDrawTarget::stderr()
            },
        );
        if let Ok(style) = ProgressStyle::with_template("checking [{bar:30}] {pos}/{len} files") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}

/// What a run has gathered.
#[derive(Default)]
struct State {
    report: Report,
    fixed: Vec<Fixed>,
    suppressed: usize,
    skipped: usize,
    /// Files whose findings came from the cache.
    known: usize,
    /// Something went wrong that is no finding.
    failed: bool,
    /// There were findings that count before anything was fixed.
    found_at_first: bool,
}

struct Fixed {
    path: PathBuf,
    display: String,
    before: Arc<str>,
    after: Arc<str>,
    count: usize,
}

impl State {
    fn write_diffs(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.fixed.sort_by(|a, b| a.display.cmp(&b.display));
        for fixed in &self.fixed {
            output::diff::write(out, &fixed.display, &fixed.before, &fixed.after)?;
        }
        Ok(())
    }
}

fn stdout() -> impl Write {
    io::BufWriter::new(anstream::AutoStream::auto(io::stdout()).lock())
}

/// Files of one build are checked with one database. Nearly always there is only one.
fn by_build(jobs: Vec<Job>) -> Vec<(BuildConfig, Vec<Job>)> {
    let mut groups: Vec<(BuildConfig, Vec<Job>)> = Vec::new();
    for job in jobs {
        let build = build_config(&job.settings);
        match groups.iter_mut().find(|(known, _)| *known == build) {
            Some((_, jobs)) => jobs.push(job),
            None => groups.push((build, vec![job])),
        }
    }
    groups
}

/// The build that is configured.
pub(super) fn build_config(settings: &Settings) -> BuildConfig {
    let defaults = BuildConfig::default();
    let options = &settings.config().build;
    BuildConfig {
        goos: options.goos.clone().unwrap_or(defaults.goos),
        goarch: options.goarch.clone().unwrap_or(defaults.goarch),
        tags: options.tags.clone(),
        cgo: defaults.cgo,
        go_version: settings
            .go_version()
            .map(|version| format!("{}.{}", version.major, version.minor)),
    }
}

/// Settings as they were read, and as the command line changes them.
type Changed = (Arc<Settings>, Arc<Settings>);

/// The settings of each file, changed by what the command line says.
struct Resolver {
    discovery: Discovery,
    /// For all files, from `--config` or `--isolated`.
    fixed: Option<Arc<Settings>>,
    rules: Vec<String>,
    changed: Mutex<HashMap<usize, Changed>>,
}

impl Resolver {
    fn new(args: &CheckArgs, base: &Path) -> Result<Self, Failure> {
        let fixed = match &args.config {
            Some(path) => {
                let loaded = Settings::load(path)
                    .map_err(|error| Failure::Message(frames::config_error(&error)))?;
                Some(loaded.with(loaded.config().clone(), base.to_path_buf()))
            }
            None if args.isolated => {
                Some(Settings::new(Config::default(), base.to_path_buf(), None))
            }
            None => None,
        };
        Ok(Self {
            discovery: Discovery::default(),
            fixed: fixed.map(Arc::new),
            rules: args.rules.clone(),
            changed: Mutex::default(),
        })
    }

    /// What the configurations of these files say about functions.
    fn told(&self, jobs: &[Job]) -> ToldTables {
        let mut tables = ToldTables::new();
        for job in jobs {
            // One for all files, wherever they are; else each for the files below its folder.
            let folder = match &self.fixed {
                Some(_) => PathBuf::new(),
                None => job.settings.root().to_path_buf(),
            };
            if !tables.iter().any(|(known, _)| *known == folder) {
                tables.push((folder, job.settings.told().clone()));
            }
        }
        if tables.iter().all(|(_, table)| table.is_empty()) {
            tables.clear();
        }
        tables
    }

    fn settings(&self, path: &Path) -> Result<Arc<Settings>, Arc<LoadError>> {
        let settings = match &self.fixed {
            Some(settings) => settings.clone(),
            None => self.discovery.for_file(path)?,
        };
        if self.rules.is_empty() {
            return Ok(settings);
        }
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        // The original is kept beside the changed one, so that its address stays its own.
        let (_, with_rules) = changed
            .entry(Arc::as_ptr(&settings) as usize)
            .or_insert_with(|| (settings.clone(), Arc::new(self.with_rules(&settings))));
        Ok(with_rules.clone())
    }

    /// Only the rules of the command line, which also run where the configuration says otherwise.
    fn with_rules(&self, settings: &Settings) -> Settings {
        let mut config = settings.config().clone();
        config.select.clone_from(&self.rules);
        config.ignore.clear();
        config.overlaps = stopleak_config::Overlaps::On;
        let off: BTreeMap<_, _> = std::mem::take(&mut config.severity);
        config.severity = off
            .into_iter()
            .filter(|(_, level)| *level != stopleak_config::Level::Off)
            .collect();
        settings.with(config, settings.root().to_path_buf())
    }
}
