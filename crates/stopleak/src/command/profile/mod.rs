//! `stopleak profile`: evidence from running programs on source lines, next to what the analysis found there.

mod html;
mod json;
mod text;

use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::sync::Arc;

use leak_evidence::{Kind, Thresholds};

use crate::cli::{EvidenceArgs, ProfileArgs, ProfileFormat};
use crate::command::check::start_threads;
use crate::evidence::code::Code;
use crate::evidence::fetch::{self, FetchError};
use crate::evidence::{Findings, Group, Loaded, Shown, groups, load, path_map, same};
use crate::exit::{Failure, Outcome, Status};
use crate::{interrupt, terminal};

/// Runs the command.
pub fn run(args: &ProfileArgs) -> Outcome {
    interrupt::install();
    start_threads(0)?;
    if args.format == ProfileFormat::Html && args.output.is_none() && io::stdout().is_terminal() {
        return Err(
            "a page is not for the terminal; name a file: --output report.html"
                .to_owned()
                .into(),
        );
    }
    let code = Code::find(&args.evidence.dir)?;
    let reader = Reader {
        args,
        code: &code,
        path_map: path_map(&args.evidence.path_map)?,
    };
    let mut loaded = Vec::new();
    for input in &args.inputs {
        reader.read(input, &mut loaded)?;
        if interrupt::stopped() {
            return Ok(Status::Interrupted);
        }
    }
    let mut base = Vec::new();
    if let Some(input) = &args.base {
        reader.read(input, &mut base)?;
    }
    let groups = groups(loaded, &base);
    for group in &groups {
        warn(group, args.base.is_some());
    }
    let mut findings = Findings::default();
    if !args.evidence.no_check {
        findings.look_at(&groups)?;
    }
    let shown = Shown::new(groups, Arc::new(findings), thresholds(&args.evidence));
    write(&shown, &code, args)?;
    let failed = shown.has_warning() && !args.exit_zero;
    Ok(if failed {
        Status::Findings
    } else {
        Status::Clean
    })
}

/// From how much on something is shown.
pub fn thresholds(args: &EvidenceArgs) -> Thresholds {
    Thresholds {
        goroutines: args.goroutines,
        many_goroutines: args.goroutines.saturating_mul(10),
        memory: args.memory,
        ..Thresholds::default()
    }
}

fn write(shown: &Shown, code: &Code, args: &ProfileArgs) -> Result<(), Failure> {
    let Some(path) = &args.output else {
        let mut out = io::BufWriter::new(anstream::AutoStream::auto(io::stdout()).lock());
        write_to(&mut out, shown, code, args, io::stdout().is_terminal())?;
        return Ok(out.flush()?);
    };
    let unwritable = |error: io::Error| {
        Failure::from(format!("`{}` cannot be written: {error}", path.display()))
    };
    let file = File::create(path).map_err(unwritable)?;
    let mut out = io::BufWriter::new(anstream::StripStream::new(file));
    write_to(&mut out, shown, code, args, false).map_err(unwritable)?;
    out.flush().map_err(unwritable)
}

fn write_to(
    out: &mut impl Write,
    shown: &Shown,
    code: &Code,
    args: &ProfileArgs,
    links: bool,
) -> io::Result<()> {
    match args.format {
        ProfileFormat::Full => text::write(out, shown, code, args, links),
        ProfileFormat::Json => json::write(out, shown),
        ProfileFormat::Html => html::write(out, shown, code, args),
    }
}

/// Reads inputs.
struct Reader<'a> {
    args: &'a ProfileArgs,
    code: &'a Code,
    path_map: Vec<(String, String)>,
}

impl Reader<'_> {
    /// A file, all files of a folder, a profile of a running program or those of its profiles that show leaks.
    fn read(&self, input: &str, loaded: &mut Vec<Loaded>) -> Result<(), Failure> {
        if let Some(handlers) = fetch::handlers(input) {
            return self.read_program(&handlers, loaded);
        }
        let files = fetch::files_of(input)?;
        let in_folder = files.len() > 1 || files.first().is_none_or(|file| file != input);
        let before = loaded.len();
        for file in &files {
            let reader = fetch::open(file, self.args.evidence.allow_remote)?;
            match self.load(file, reader) {
                Ok(more) => self.add(loaded, more),
                Err(error) if in_folder => {
                    terminal::warning(&format!("`{file}`: {error}; left out"))
                }
                Err(error) => return Err(format!("`{file}`: {error}").into()),
            }
        }
        if in_folder && loaded.len() == before {
            return Err(format!("nothing in `{input}` can be read").into());
        }
        Ok(())
    }

    fn read_program(&self, handlers: &str, loaded: &mut Vec<Loaded>) -> Result<(), Failure> {
        let mut absent = None;
        let before = loaded.len();
        for profile in fetch::PROFILES {
            let address = format!("{handlers}{profile}");
            match fetch::get(&address, self.args.evidence.allow_remote) {
                Ok(body) => {
                    let more = self
                        .load(&address, io::Cursor::new(body))
                        .map_err(|error| format!("`{address}`: {error}"))?;
                    self.add(loaded, more);
                }
                Err(FetchError::Absent(message)) => {
                    absent = Some(format!("`{address}`: {message}"))
                }
                Err(FetchError::Failed(message)) => {
                    return Err(format!("`{address}`: {message}").into());
                }
            }
        }
        match absent {
            Some(message) if loaded.len() == before => Err(message.into()),
            _ => Ok(()),
        }
    }

    fn load(
        &self,
        source: &str,
        reader: impl io::Read,
    ) -> Result<Vec<Loaded>, leak_evidence::Error> {
        let stacks = self.args.format == ProfileFormat::Html;
        load(source, reader, self.code, &self.path_map, stacks)
    }

    /// Adds profiles, and keeps stacks only of those that are the first or the last of their kind: a series may be long.
    fn add(&self, loaded: &mut Vec<Loaded>, more: Vec<Loaded>) {
        for next in more {
            let known: Vec<usize> = (0..loaded.len())
                .filter(|at| loaded[*at].tree.is_some() && same(&loaded[*at], &next))
                .collect();
            loaded.push(next);
            if known.len() < 2 {
                continue;
            }
            let mut of_kind = known;
            of_kind.push(loaded.len() - 1);
            if of_kind.iter().all(|at| loaded[*at].weights.time.is_some()) {
                of_kind.sort_by_key(|at| loaded[*at].weights.time);
            }
            for between in &of_kind[1..of_kind.len() - 1] {
                loaded[*between].tree = None;
            }
        }
    }
}

/// What makes the numbers less than they seem goes to stderr.
fn warn(group: &Group, has_base: bool) {
    let source = &group.source;
    if let Some(cut) = group.weights.truncated {
        terminal::warning(&format!("`{source}`: {cut}; numbers are lower bounds"));
    }
    if let Kind::Other(name) = &group.weights.kind {
        terminal::warning(&format!(
            "`{source}`: a profile of `{name}` says nothing about leaks"
        ));
    }
    match &group.base {
        None if has_base => terminal::warning(&format!(
            "`{source}`: the base has no `{}` profile to compare it with",
            group.weights.kind.name()
        )),
        Some((base, growth)) if growth.in_order == Some(false) => terminal::warning(&format!(
            "`{source}` was taken before `{base}`: what grew is not judged"
        )),
        _ => {}
    }
}
