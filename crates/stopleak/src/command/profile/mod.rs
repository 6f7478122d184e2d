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
use crate::evidence::input::Reader;
use crate::evidence::{Code, Findings, Group, Shown, find_code, groups, path_map, with_hint};
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
    let code = find_code(&args.evidence.dir)?;
    let reader = Reader {
        code: &code,
        path_map: path_map(&args.evidence.path_map)?,
        allow_remote: args.evidence.allow_remote,
        stacks: args.format == ProfileFormat::Html,
    };
    let mut loaded = Vec::new();
    for input in &args.inputs {
        reader
            .read(input, &mut loaded, terminal::warning)
            .map_err(with_hint)?;
        if interrupt::stopped() {
            return Ok(Status::Interrupted);
        }
    }
    let mut base = Vec::new();
    if let Some(input) = &args.base {
        reader
            .read(input, &mut base, terminal::warning)
            .map_err(with_hint)?;
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
