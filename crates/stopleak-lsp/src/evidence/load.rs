//! Reading evidence: on a thread of its own, with a database of its own, so that nobody waits for it.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use leak_evidence::Workspace as _;
use serde_json::Value;
use stopleak_evidence::input::Reader;
use stopleak_evidence::{Code, Loaded};

use super::Placed;
use crate::uri;

/// What is to be read.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Files, folders or addresses.
    pub(crate) inputs: Vec<String>,
    /// It is what the rest is compared with.
    pub(crate) base: bool,
    /// The inputs are addresses of a running program.
    pub(crate) program: bool,
}

/// The state of the workspace at that time.
pub(crate) struct Context {
    pub(crate) folders: Vec<PathBuf>,
    /// Open documents, whose text counts.
    pub(crate) documents: Vec<(PathBuf, Arc<str>)>,
    /// Recorded prefixes of paths, and local ones.
    pub(crate) path_map: Vec<(String, String)>,
    /// Files with evidence, whose texts are needed as well.
    pub(crate) known: Vec<String>,
}

/// What was read.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) loaded: Vec<Loaded>,
    pub(crate) texts: HashMap<String, Placed>,
    pub(crate) base: bool,
    pub(crate) program: bool,
    pub(crate) warnings: Vec<String>,
}

/// The inputs that the arguments of a command name: strings, lists of them, URIs. Paths are relative to the first folder.
pub(crate) fn inputs(arguments: &[Value]) -> Vec<String> {
    let mut named = Vec::new();
    for argument in arguments {
        match argument {
            Value::String(text) if text.starts_with("file:") => {
                named.push(uri::path_of(text).to_string_lossy().into_owned());
            }
            Value::String(text) => named.push(text.clone()),
            Value::Array(more) => named.extend(inputs(more)),
            _ => {}
        }
    }
    named.retain(|input| !input.trim().is_empty());
    named
}

/// Reads and places evidence.
///
/// # Errors
/// An input cannot be read, or there is no evidence in it; the message is for the user.
pub(crate) fn load(request: &Request, context: &Context) -> Result<Batch, String> {
    let root = context
        .folders
        .first()
        .ok_or("there is no folder to place evidence in: open one")?;
    let mut code = Code::find(&context.folders, &|| false)?;
    for (path, text) in &context.documents {
        code.open_document(path, Arc::clone(text));
    }
    let reader = Reader {
        code: &code,
        path_map: context.path_map.clone(),
        allow_remote: false,
        stacks: false,
    };
    let (mut loaded, mut warnings) = (Vec::new(), Vec::new());
    for input in &request.inputs {
        let input = if request.program {
            input.clone()
        } else {
            root.join(input).to_string_lossy().into_owned()
        };
        reader.read(&input, &mut loaded, |warning| {
            warnings.push(warning.to_owned());
        })?;
    }
    Ok(Batch {
        texts: texts(&code, &loaded, &context.known),
        loaded,
        base: request.base,
        program: request.program,
        warnings,
    })
}

/// The texts of all files with evidence.
fn texts(code: &Code, loaded: &[Loaded], known: &[String]) -> HashMap<String, Placed> {
    let mut paths: BTreeSet<&str> = known.iter().map(String::as_str).collect();
    for weights in loaded.iter().map(|one| &one.weights) {
        paths.extend(weights.created.iter().map(|created| &*created.path));
        for line in &weights.lines {
            paths.insert(&line.place.path);
            let counts = line.goroutines.iter();
            paths.extend(counts.flat_map(|counts| counts.creators.keys().map(|(path, _)| &**path)));
        }
    }
    paths
        .into_iter()
        .filter(|path| Path::new(path).is_absolute())
        .map(|path| {
            let placed = Placed {
                text: code.text(path),
                outline: code.outline(path).unwrap_or_default(),
            };
            (path.to_owned(), placed)
        })
        .collect()
}
