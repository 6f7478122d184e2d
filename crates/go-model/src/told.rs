//! What users say about functions: in the configuration (`[[resource]]`, `[[function]]`) and in directives of doc comments
//! (`//stopleak:owns f`, see [`crate::directives`]).
//!
//! It counts more than what bodies and tables say. A table of the configuration holds for the files below its folder; nearest wins,
//! as for the configuration itself.

#![allow(missing_docs)] // What salsa's macros generate has no documentation.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use go_syntax::Name;
use rustc_hash::FxHashMap;

use crate::cfg::NoReturn;
use crate::db::{Db, Settings, SourceFile};
use crate::summary::{
    Fate, Flow, FlowKind, How, Keep, Origin, ParamEffect, Release, Slot, Summary, When,
};

/// A function or method by the path of its package: `example.com/pool.Open`, `example.com/pool.Pool.Get`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FuncPath {
    /// Import path.
    pub package: Name,
    /// The type (or interface) that declares a method.
    pub ty: Option<Name>,
    /// The name.
    pub name: Name,
}

impl FuncPath {
    /// Reads a path. Type arguments and the marks of a pointer receiver are left out: `example.com/pool.(*Pool[T]).Get` is understood.
    ///
    /// # Errors
    /// What is wrong with it, to follow the text in a message.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut plain = String::with_capacity(text.len());
        let mut depth = 0u32;
        for c in text.chars() {
            match c {
                '[' => depth += 1,
                ']' => depth = depth.checked_sub(1).ok_or("has a `]` too many")?,
                '(' | ')' | '*' if depth == 0 => {}
                c if depth == 0 => plain.push(c),
                _ => {}
            }
        }
        if depth > 0 {
            return Err("has a `[` that is not closed");
        }
        if plain.is_empty() {
            return Err("is empty");
        }
        if plain.contains(|c: char| c.is_whitespace() || "\"'`\\,;:".contains(c)) {
            return Err("is not the path of a function");
        }
        let slash = plain.rfind('/').map_or(0, |at| at + 1);
        if plain[..slash].split('/').rev().skip(1).any(str::is_empty) {
            return Err("has an import path with an empty element");
        }
        let parts: Vec<&str> = plain[slash..].split('.').collect();
        // `gopkg.in/yaml.v3.NewDecoder`: the version belongs to the package.
        let versioned = slash > 0
            && parts
                .get(1)
                .and_then(|part| part.strip_prefix('v'))
                .is_some_and(|digits| {
                    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
                });
        let (own, rest) = parts.split_at((1 + usize::from(versioned)).min(parts.len()));
        let (ty, name) = match rest {
            [] => return Err("names a package and no function; write `import/path.Function`"),
            [name] => (None, *name),
            [ty, name] => (Some(*ty), *name),
            _ => return Err("has too many parts; write `import/path.Type.Method`"),
        };
        if own[0].is_empty() {
            return Err("has no import path; write `import/path.Function`");
        }
        if !is_identifier(name) || !ty.is_none_or(is_identifier) {
            return Err("does not end in the name of a function");
        }
        let package = plain[..slash].to_owned() + &own.join(".");
        Ok(Self {
            package: Name::new(&package),
            ty: ty.map(Name::new),
            name: Name::new(name),
        })
    }
}

impl fmt::Display for FuncPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ty {
            Some(ty) => write!(f, "{}.{ty}.{}", self.package, self.name),
            None => write!(f, "{}.{}", self.package, self.name),
        }
    }
}

/// Whether the text is a Go identifier other than `_`.
pub fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    text != "_"
        && chars.next().is_some_and(|c| c == '_' || c.is_alphabetic())
        && chars.all(|c| c == '_' || c.is_alphanumeric())
}

/// How something acquired is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Releaser {
    /// By this method of it.
    Method(Name),
    /// By calling it.
    Call,
    /// By passing it to this function or method as this argument.
    PassedTo(FuncPath, u16),
}

/// How much a finding counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Weight {
    Hint,
    Information,
    Warning,
}

/// A `[[resource]]`: something that must be released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// What acquires it.
    pub acquire: FuncPath,
    /// What releases it, the one to recommend first. Never empty.
    pub release: Vec<Releaser>,
    /// What it is called in messages.
    pub noun: Option<String>,
    /// Which result it is; `None`: the first that is no error.
    pub result: Option<u16>,
    /// Which result is the error; `None`: the last one if it is an error.
    pub error: Option<u16>,
    /// How much a finding counts; `None`: as the rule has it.
    pub weight: Option<Weight>,
    /// Whether it is followed in tests too.
    pub tests: bool,
}

/// Something that is said about a value that goes into a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Claim {
    /// The call takes it over: the caller owes nothing any more.
    Owns,
    /// The call only uses it.
    Borrows,
    /// The call releases it.
    Closes,
    /// This result uses it without owning it.
    View(u16),
    /// This result owns it: to release the result is to release it.
    Wraps(u16),
}

/// What is said about a function.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// About what goes in.
    pub claims: Vec<(Slot, Claim)>,
    /// It never comes back.
    pub never_returns: Option<NoReturn>,
    /// The caller owes this method of the first result.
    pub must_call: Option<Name>,
}

impl Told {
    /// Puts what is said in place of what is known. `exact`: the summary has its parameters one by one, as that of a body has; else
    /// its last one stands for all further ones, and must go on to do so.
    pub fn apply(&self, summary: &mut Summary, exact: bool) {
        for (slot, claim) in &self.claims {
            let effect = effect_at(summary, *slot, exact);
            match claim {
                Claim::Owns => {
                    effect.fate = Fate::Kept(Keep::Elsewhere);
                    effect.releases.clear();
                }
                Claim::Borrows => {
                    effect.fate = Fate::Borrowed;
                    effect.releases.clear();
                }
                Claim::Closes => effect.releases.push(Release {
                    path: Vec::new(),
                    how: How::Said,
                    when: When::Always,
                }),
                Claim::View(result) | Claim::Wraps(result) => {
                    let (kind, origin) = match claim {
                        Claim::View(_) => (FlowKind::View, Origin::View(*slot)),
                        _ => (FlowKind::Owner, Origin::Owner(*slot)),
                    };
                    effect.fate = Fate::Borrowed;
                    effect.flows.retain(|flow| flow.result != *result);
                    effect.flows.push(Flow {
                        path: Vec::new(),
                        result: *result,
                        kind,
                    });
                    let result = usize::from(*result);
                    if summary.results.len() <= result {
                        summary.results.resize(result + 1, Origin::Unknown);
                    }
                    summary.results[result] = origin;
                }
            }
        }
        if self.never_returns.is_some() {
            summary.never_returns = self.never_returns;
        }
    }

    /// Adds what is said elsewhere. What was said here counts more.
    pub fn extend(&mut self, other: &Self) {
        for (slot, claim) in &other.claims {
            if !self.claims.iter().any(|(known, _)| known == slot) {
                self.claims.push((*slot, *claim));
            }
        }
        self.never_returns = self.never_returns.or(other.never_returns);
        self.must_call = self.must_call.or(other.must_call);
    }
}

/// The effect on a slot, to be changed; that of other arguments stays what it is.
fn effect_at(summary: &mut Summary, slot: Slot, exact: bool) -> &mut ParamEffect {
    match slot {
        Slot::Receiver => &mut summary.receiver,
        Slot::Param(i) | Slot::Capture(i) => {
            let i = usize::from(i);
            while summary.params.len() <= i + usize::from(!exact) {
                let rest = summary.params.last().cloned().unwrap_or_default();
                summary.params.push(rest);
            }
            &mut summary.params[i]
        }
    }
}

/// What a configuration says about functions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToldTable {
    resources: Vec<Resource>,
    functions: Vec<(FuncPath, Arc<Told>)>,
    by_acquirer: FxHashMap<FuncPath, Vec<u32>>,
    by_function: FxHashMap<FuncPath, u32>,
    /// Names of what acquires, of whatever package.
    names: FxHashMap<Name, Vec<u32>>,
}

impl ToldTable {
    /// A table with these rows.
    pub fn new(resources: Vec<Resource>, functions: Vec<(FuncPath, Told)>) -> Self {
        let mut table = Self {
            resources,
            functions: functions
                .into_iter()
                .map(|(path, told)| (path, Arc::new(told)))
                .collect(),
            ..Self::default()
        };
        for (i, resource) in table.resources.iter().enumerate() {
            let i = i as u32;
            (table.by_acquirer.entry(resource.acquire).or_default()).push(i);
            (table.names.entry(resource.acquire.name).or_default()).push(i);
        }
        for (i, (path, _)) in table.functions.iter().enumerate() {
            table.by_function.insert(*path, i as u32);
        }
        table
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty() && self.functions.is_empty()
    }

    /// Everything that must be released.
    pub fn resources(&self) -> impl Iterator<Item = &Resource> {
        self.resources.iter()
    }

    /// What a call of the function acquires.
    pub fn acquired_by(&self, path: FuncPath) -> impl Iterator<Item = &Resource> {
        self.rows(self.by_acquirer.get(&path))
    }

    /// What a call of something of this name may acquire: a cheap question before anything is resolved.
    pub fn acquired_by_name(&self, name: Name) -> impl Iterator<Item = &Resource> {
        self.rows(self.names.get(&name))
    }

    fn rows(&self, rows: Option<&Vec<u32>>) -> impl Iterator<Item = &Resource> {
        rows.into_iter()
            .flatten()
            .filter_map(|i| self.resources.get(*i as usize))
    }

    /// What is said about a function.
    pub fn function(&self, path: FuncPath) -> Option<&Arc<Told>> {
        let i = *self.by_function.get(&path)?;
        self.functions.get(i as usize).map(|(_, told)| told)
    }
}

/// The tables of all configurations in force, each with the folder it holds for.
pub type ToldTables = Vec<(PathBuf, Arc<ToldTable>)>;

/// The table that holds for a file, if it says anything.
#[salsa::tracked(returns(clone))]
pub fn told_table(db: &dyn Db, file: SourceFile) -> Option<Arc<ToldTable>> {
    let tables = Settings::get(db).told(db);
    if tables.is_empty() {
        return None;
    }
    let path = file.path(db);
    tables
        .iter()
        .filter(|(folder, _)| path.starts_with(folder))
        .max_by_key(|(folder, _)| folder.as_os_str().len())
        .map(|(_, table)| table.clone())
        .filter(|table| !table.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        match FuncPath::parse(text) {
            Ok(path) => format!(
                "{} | {} | {}",
                path.package,
                path.ty.map_or("", |ty| ty.as_str()),
                path.name
            ),
            Err(error) => error.to_owned(),
        }
    }

    #[test]
    fn paths_of_functions() {
        assert_eq!(
            parsed("example.com/pool.Open"),
            "example.com/pool |  | Open"
        );
        assert_eq!(
            parsed("example.com/pool.Pool.Get"),
            "example.com/pool | Pool | Get"
        );
        assert_eq!(
            parsed("example.com/pool.(*Pool[T]).Get"),
            "example.com/pool | Pool | Get"
        );
        assert_eq!(
            parsed("example.com/pool.Pool[example.com/x.K, V].Get"),
            "example.com/pool | Pool | Get"
        );
        assert_eq!(parsed("os.Open"), "os |  | Open");
        assert_eq!(
            parsed("gopkg.in/yaml.v3.NewDecoder"),
            "gopkg.in/yaml.v3 |  | NewDecoder"
        );
        assert_eq!(
            parsed("gopkg.in/yaml.v3.Decoder.Decode"),
            "gopkg.in/yaml.v3 | Decoder | Decode"
        );
        assert_eq!(
            parsed("example.com/m/v2.Open"),
            "example.com/m/v2 |  | Open"
        );
        assert!(parsed("").contains("is empty"));
        assert!(parsed("Open").contains("no function"));
        assert!(parsed("example.com/pool").contains("no function"));
        assert!(parsed("example.com//pool.Open").contains("empty element"));
        assert!(parsed("a b.Open").contains("not the path"));
        assert!(parsed(".Open").contains("no import path"));
        assert!(parsed("example.com/pool.Pool.Get.Now").contains("too many"));
        assert!(parsed("example.com/pool.9").contains("does not end"));
        assert!(parsed("example.com/pool.Pool[T.Get").contains("not closed"));
    }

    #[test]
    fn claims_touch_only_their_slot() {
        let mut summary = Summary {
            params: vec![ParamEffect::BORROWED.clone()],
            ..Summary::default()
        };
        let told = Told {
            claims: vec![(Slot::Param(1), Claim::Owns)],
            ..Told::default()
        };
        told.apply(&mut summary, false);
        assert!(summary.param(0).only_borrows());
        assert!(summary.param(1).stores());
        assert!(summary.param(2).only_borrows());
        assert!(summary.param(9).only_borrows());
    }
}
