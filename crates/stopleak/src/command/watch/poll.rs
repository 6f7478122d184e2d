//! Asks the program, and places what it says.

use std::io::Cursor;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use leak_evidence::{Growth, Thresholds};

use super::history::History;
use super::rows::{Look, panels, rows};
use super::save::Saver;
use crate::cli::WatchArgs;
use crate::command::profile::thresholds;
use crate::evidence::fetch::{self, FetchError};
use crate::evidence::{Code, Findings, Group, Shown, find_code, load, path_map, with_hint};
use crate::exit::Failure;

/// Asks again and again.
pub struct Poller {
    handlers: String,
    allow_remote: bool,
    check: bool,
    gc: bool,
    path_map: Vec<(String, String)>,
    code: Code,
    findings: Arc<Findings>,
    thresholds: Thresholds,
    history: History,
    saver: Option<Saver>,
    began: Option<Instant>,
    looks: u64,
    /// Profiles that this program does not have.
    absent: Vec<&'static str>,
}

impl Poller {
    /// For a program.
    ///
    /// # Errors
    /// The address or a folder is not one.
    pub fn new(args: &WatchArgs) -> Result<Self, Failure> {
        Ok(Self {
            handlers: handlers(&args.url)?,
            allow_remote: args.evidence.allow_remote,
            check: !args.evidence.no_check,
            gc: args.gc,
            path_map: path_map(&args.evidence.path_map)?,
            code: find_code(&args.evidence.dir)?,
            findings: Arc::default(),
            thresholds: thresholds(&args.evidence),
            history: History::default(),
            saver: args.save.as_deref().map(Saver::new).transpose()?,
            began: None,
            looks: 0,
            absent: Vec::new(),
        })
    }

    /// The address, up to the names of profiles.
    pub fn handlers(&self) -> &str {
        &self.handlers
    }

    /// The folder of the profiles, if there are any.
    pub fn saved(&self) -> Option<String> {
        self.saver.as_ref().and_then(Saver::folder)
    }

    /// Asks for all profiles.
    ///
    /// # Errors
    /// The program gives none, or what it gives cannot be read.
    pub fn look(&mut self) -> Result<Look, Failure> {
        let now = Instant::now();
        let mut loaded = Vec::new();
        let mut files = Vec::new();
        let mut last = None;
        for profile in fetch::PROFILES {
            if self.absent.contains(&profile) {
                continue;
            }
            let query = if self.gc && profile == "heap" {
                "?gc=1"
            } else {
                ""
            };
            let address = format!("{}{profile}{query}", self.handlers);
            let body = match fetch::get(&address, self.allow_remote) {
                Ok(body) => body,
                Err(FetchError::Absent(message)) => {
                    self.absent.push(profile);
                    last = Some(format!("`{address}`: {message}"));
                    continue;
                }
                Err(FetchError::Failed(message)) => {
                    return Err(with_hint(format!("`{address}`: {message}")));
                }
            };
            let placed = load(
                &address,
                Cursor::new(&body),
                &self.code,
                &self.path_map,
                false,
            );
            loaded.extend(placed.map_err(|error| format!("`{address}`: {error}"))?);
            files.push((profile, body));
        }
        if loaded.is_empty() {
            // It may be another program next time.
            self.absent.clear();
            return Err(last
                .unwrap_or_else(|| "it has no profiles".to_owned())
                .into());
        }
        let began = *self.began.get_or_insert(now);
        let elapsed = now.duration_since(began);
        self.looks += 1;
        let mut problems = Vec::new();
        if let Some(saver) = &mut self.saver {
            problems.extend(saver.save(SystemTime::now(), &files).err());
        }
        drop(files);
        let loaded = loaded
            .into_iter()
            .map(|one| (one.source, one.weights))
            .collect();
        let groups: Vec<Group> = self
            .history
            .add(elapsed, loaded)
            .into_iter()
            .map(|(source, weights, first, series)| Group {
                base: Growth::between(&first, &weights).map(|growth| (source.clone(), growth)),
                source,
                weights,
                series: Some(series),
                tree: None,
            })
            .collect();
        if self.check
            && let Err(failure) = self.look_at_code(&groups)
        {
            // A configuration that is wrong for the moment is no reason to stop.
            problems.push(failure.to_string());
        }
        let shown = Shown::new(groups, self.findings.clone(), self.thresholds.clone());
        Ok(Look {
            number: self.looks,
            elapsed,
            panels: panels(&shown, self.absent.contains(&"goroutineleak")),
            rows: rows(&shown, &self.code),
            problems,
        })
    }

    fn look_at_code(&mut self, groups: &[Group]) -> Result<(), Failure> {
        // Nobody else has it between two looks.
        if let Some(findings) = Arc::get_mut(&mut self.findings) {
            findings.look_at(groups)?;
        }
        Ok(())
    }
}

fn handlers(url: &str) -> Result<String, Failure> {
    let given = if url.contains("://") {
        url.to_owned()
    } else {
        format!("http://{url}")
    };
    if given.starts_with("https://") {
        return Err(format!("`{url}`: https is not supported").into());
    }
    fetch::handlers(&given).ok_or_else(|| {
        format!(
            "`{url}` should be where the profiles are, such as http://localhost:6060/debug/pprof/"
        )
        .into()
    })
}

#[cfg(test)]
mod tests {
    use super::handlers;

    #[test]
    fn addresses_may_be_short() {
        let of = |url| handlers(url).map_err(|failure| failure.to_string());
        let local = Ok("http://localhost:6060/debug/pprof/".to_owned());
        assert_eq!(of("localhost:6060"), local);
        assert_eq!(of("http://localhost:6060/debug/pprof/"), local);
        assert!(of("https://localhost:6060").is_err());
        assert!(of("localhost:6060/debug/pprof/heap").is_err());
        assert!(of("file:///tmp").is_err());
    }
}
