//! What the user names: files, folders, running programs.

use std::io::{Cursor, Read};

use crate::code::Code;
use crate::fetch::{self, FetchError};
use crate::{Loaded, load, same};

/// Reads inputs and places what is in them.
pub struct Reader<'a> {
    /// The code.
    pub code: &'a Code,
    /// Recorded prefixes and local ones, from the user.
    pub path_map: Vec<(String, String)>,
    /// Other machines may be asked, too.
    pub allow_remote: bool,
    /// Whether all stacks are kept.
    pub stacks: bool,
}

impl Reader<'_> {
    /// A file, all files of a folder, a profile of a running program or those of its profiles that show leaks. What was left out
    /// goes to `warn`.
    ///
    /// # Errors
    /// The input does not exist or cannot be read, or there is no evidence in it; the message names it.
    pub fn read(
        &self,
        input: &str,
        loaded: &mut Vec<Loaded>,
        mut warn: impl FnMut(&str),
    ) -> Result<(), String> {
        if let Some(handlers) = fetch::handlers(input) {
            return self.read_program(&handlers, loaded);
        }
        let files = fetch::files_of(input)?;
        let in_folder = files.len() > 1 || files.first().is_none_or(|file| file != input);
        let before = loaded.len();
        for file in &files {
            let reader = fetch::open(file, self.allow_remote)?;
            match self.load(file, reader) {
                Ok(more) => self.add(loaded, more),
                Err(error) if in_folder => warn(&format!("`{file}`: {error}; left out")),
                Err(error) => return Err(format!("`{file}`: {error}")),
            }
        }
        if in_folder && loaded.len() == before {
            return Err(format!("nothing in `{input}` can be read"));
        }
        Ok(())
    }

    fn read_program(&self, handlers: &str, loaded: &mut Vec<Loaded>) -> Result<(), String> {
        let mut absent = None;
        let before = loaded.len();
        for profile in fetch::PROFILES {
            let address = format!("{handlers}{profile}");
            match fetch::get(&address, self.allow_remote) {
                Ok(body) => {
                    let more = self
                        .load(&address, Cursor::new(body))
                        .map_err(|error| format!("`{address}`: {error}"))?;
                    self.add(loaded, more);
                }
                Err(FetchError::Absent(message)) => {
                    absent = Some(format!("`{address}`: {message}"));
                }
                Err(FetchError::Failed(message)) => {
                    return Err(format!("`{address}`: {message}"));
                }
            }
        }
        match absent {
            Some(message) if loaded.len() == before => Err(message),
            _ => Ok(()),
        }
    }

    fn load(&self, source: &str, reader: impl Read) -> Result<Vec<Loaded>, leak_evidence::Error> {
        load(source, reader, self.code, &self.path_map, self.stacks)
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
