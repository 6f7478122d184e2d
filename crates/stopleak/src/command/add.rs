//! `stopleak add`: what makes leaks show that no reading of code can show.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use go_model::db::{Database, SourceFile, directory, normalize, parsed};
use go_model::package::directory_units;
use go_syntax::ast::DeclKind;
use leak_rules::companion::{self, Change, Companion, LeakCheck};
use leak_rules::edit::apply_edits;
use stopleak_config::Discovery;

use super::check::build_config;
use crate::cli::{AddArgs, AddCommand, AddedCheck};
use crate::exit::{Failure, Outcome, Status};
use crate::output::{self, frames};
use crate::{files, terminal};

/// Runs one of the commands.
pub fn run(args: &AddArgs) -> Outcome {
    let place = match &args.command {
        AddCommand::LeakTest { folder, .. } => folder,
        AddCommand::Pprof { place } => place,
        AddCommand::Bubble { file, .. } => file,
    };
    if !place.exists() {
        return Err(format!("`{}` does not exist", place.display()).into());
    }
    let db = database(&normalize(place))?;
    let companion = match &args.command {
        AddCommand::LeakTest { folder, with } => {
            let check = with.map(|with| match with {
                AddedCheck::Goleak => LeakCheck::Goleak,
                AddedCheck::Profile => LeakCheck::Profile,
            });
            companion::leak_test(&db, directory(&db, &normalize(folder)), check)?
        }
        AddCommand::Pprof { place } => companion::serve_pprof(&db, program(&db, place)?)?,
        AddCommand::Bubble { file, test } => {
            let source = source(&db, file)?;
            let tree = parsed(&db, source);
            let decl = tree.decls.iter().find(
                |decl| matches!(&decl.tree.kind, DeclKind::Func(func) if func.name.name == test.as_str()),
            );
            let decl = decl.ok_or_else(|| format!("there is no test `{test}` in that file"))?;
            companion::in_bubble(&db, source, decl.start)?
        }
    };
    match args.diff {
        true => show(&db, &companion)?,
        false => write(&db, &companion)?,
    }
    Ok(Status::Clean)
}

/// A database with the build that is configured for a place.
fn database(place: &Path) -> Result<Database, Failure> {
    let discovery = Discovery::default();
    let settings = match place.is_dir() {
        true => discovery.for_folder(place),
        false => discovery.for_file(place),
    };
    let settings = settings.map_err(|error| Failure::Message(frames::config_error(&error)))?;
    let mut db = Database::new();
    db.set_build_config(build_config(&settings));
    Ok(db)
}

fn source(db: &Database, path: &Path) -> Result<SourceFile, String> {
    db.file(normalize(path))
        .filter(|_| path.is_file())
        .ok_or_else(|| format!("`{}` is not a file", path.display()))
}

/// The file with the function `main` of a folder, or the file that is named.
fn program(db: &Database, place: &Path) -> Result<SourceFile, String> {
    if place.is_file() {
        return source(db, place);
    }
    let units = directory_units(db, directory(db, &normalize(place)), None);
    let mut files = units.groups.iter().flat_map(|group| &group.normal).copied();
    files
        .find(|file| {
            parsed(db, *file).decls.iter().any(|decl| {
                matches!(&decl.tree.kind, DeclKind::Func(func) if func.receiver.is_none() && func.name.name == "main")
            })
        })
        .ok_or_else(|| format!("there is no program in `{}`", place.display()))
}

/// The file of a change with its text before and after.
fn texts(db: &Database, change: &Change) -> Result<(PathBuf, Option<String>, String), String> {
    Ok(match change {
        Change::Create(path, text) => (path.clone(), None, text.clone()),
        Change::Edit(file, edits) => {
            let before = file.text(db);
            let after = apply_edits(&before, edits).map_err(|error| error.to_string())?;
            (file.path(db).to_path_buf(), Some(before.to_string()), after)
        }
    })
}

fn show(db: &Database, companion: &Companion) -> Result<(), Failure> {
    let mut out = anstream::AutoStream::auto(std::io::stdout()).lock();
    for change in &companion.changes {
        let (path, before, after) = texts(db, change)?;
        let name = files::display(&path, &output::base());
        output::diff::write(
            &mut out,
            &name,
            before.as_deref().unwrap_or_default(),
            &after,
        )?;
    }
    Ok(())
}

/// Writes the changes; the new file first, because the edited one needs it.
fn write(db: &Database, companion: &Companion) -> Result<(), Failure> {
    for change in &companion.changes {
        let (path, before, after) = texts(db, change)?;
        let written = match &before {
            Some(before) => {
                files::replace(&path, before, &after).map_err(|error| error.to_string())
            }
            None => files::create(&path, &after).map_err(|error| error.to_string()),
        };
        let name = files::display(&path, &output::base());
        written.map_err(|error| format!("{name} is not written: {error}"))?;
        let what = if before.is_some() { "changed" } else { "new" };
        writeln!(std::io::stdout().lock(), "{what}: {name}")?;
    }
    if let Some(command) = &companion.then {
        terminal::note(&format!("run `{command}` before the tests"));
    }
    Ok(())
}
