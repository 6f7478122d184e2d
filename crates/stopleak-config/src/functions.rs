//! What a configuration says about functions: `[[resource]]` and `[[function]]`.

use go_model::cfg::NoReturn;
use go_model::summary::Slot;
use go_model::told::{Claim, FuncPath, Releaser, Resource, Told, ToldTable, Weight, is_identifier};
use go_syntax::Name;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::options::{Config, Level, Step};

/// Something of your own that must be released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ResourceOptions {
    /// What acquires it: import path, type or interface of a method, and name, for instance `"example.com/pool.Pool.Get"`; or several.
    pub acquire: Texts,
    /// What releases it: a method of it (`"Close"`), a function or method that it is given to (`"example.com/pool.Pool.Put"`), or `"()"` where it is a function to be called; or several, the one to recommend first.
    pub release: Texts,
    /// Which argument it is of a function or method that it is given to, counted from 0.
    #[serde(default)]
    pub argument: u16,
    /// What it is called in messages, for instance `"connection"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noun: Option<String>,
    /// Which result it is, counted from 0. Else the first one that is not the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<u16>,
    /// Which result is the error, counted from 0. Else the last one, if it is an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<u16>,
    /// What findings about it count as, in place of the severity of `unclosed-resource`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Level>,
    /// Whether it is followed in `_test.go` files too.
    #[serde(default = "yes")]
    pub tests: bool,
}

/// What a function does to its arguments, where stopleak cannot know it or is to take your word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FunctionOptions {
    /// The function: import path, type or interface of a method, and name, for instance `"example.com/store.Store.Save"`; or several.
    pub name: Texts,
    /// Arguments that it takes over, so that its caller owes nothing any more: their numbers, counted from 0, or `"receiver"`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owns: Vec<Argument>,
    /// Arguments that it only uses, so that its caller still owes what it owed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub borrows: Vec<Argument>,
    /// Arguments that it releases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closes: Vec<Argument>,
    /// Arguments that its first result owns: to release the result is to release them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wraps: Vec<Argument>,
    /// Arguments that its first result uses without owning them, as `bufio.NewReader` does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub views: Vec<Argument>,
    /// It never returns: it ends the process or panics.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub never_returns: bool,
}

fn yes() -> bool {
    true
}

/// A text, or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a string or an array of strings")]
pub enum Texts {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Texts {
    fn all(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }

    /// Where number `i` stands.
    fn step(&self, i: usize) -> Option<Step<'static>> {
        matches!(self, Self::Many(_)).then_some(Step::Index(i))
    }
}

/// An argument of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected the number of an argument, counted from 0, or \"receiver\""
)]
pub enum Argument {
    /// Its number, counted from 0.
    Number(u16),
    /// The receiver of a method.
    Named(ArgumentName),
}

/// An argument that has no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ArgumentName {
    /// The receiver of a method.
    Receiver,
}

impl Argument {
    fn slot(&self) -> Slot {
        match self {
            Self::Number(i) => Slot::Param(*i),
            Self::Named(ArgumentName::Receiver) => Slot::Receiver,
        }
    }
}

/// A mistake, and the way to it below the entry.
type Mistake<'a> = (Vec<Step<'a>>, String);

fn at<'a>(key: &'a str, step: Option<Step<'a>>) -> Vec<Step<'a>> {
    [Step::Key(key)].into_iter().chain(step).collect()
}

impl ResourceOptions {
    fn acquirers(&self) -> impl Iterator<Item = FuncPath> {
        self.acquire
            .all()
            .iter()
            .filter_map(|text| FuncPath::parse(text).ok())
    }

    fn check(&self) -> Result<(), Mistake<'_>> {
        if self.acquire.all().is_empty() {
            return Err((at("acquire", None), "`acquire` is empty".to_owned()));
        }
        for (i, text) in self.acquire.all().iter().enumerate() {
            let place = at("acquire", self.acquire.step(i));
            let path =
                FuncPath::parse(text).map_err(|why| (place.clone(), format!("`{text}` {why}")))?;
            if let Some(rule) = leak_rules::acquired_by(path) {
                return Err((
                    place,
                    format!("`{text}` is known already: rule `{rule}` follows it"),
                ));
            }
        }
        if self.release.all().is_empty() {
            return Err((
                at("release", None),
                "`release` is empty; write the method that releases it, for instance `\"Close\"`"
                    .to_owned(),
            ));
        }
        for (i, text) in self.release.all().iter().enumerate() {
            releaser(text, self.argument)
                .map_err(|message| (at("release", self.release.step(i)), message))?;
        }
        let is_given = |text: &str| matches!(releaser(text, 0), Ok(Releaser::PassedTo(..)));
        if self.argument != 0 && !self.release.all().iter().any(|text| is_given(text)) {
            return Err((
                at("argument", None),
                "`argument` is about a function or method that the thing is given to, and `release` names none"
                    .to_owned(),
            ));
        }
        if self.error.is_some() && self.error == self.result {
            return Err((
                at("error", None),
                "one result cannot be both the thing and the error".to_owned(),
            ));
        }
        if self
            .noun
            .as_ref()
            .is_some_and(|noun| noun.trim().is_empty())
        {
            return Err((at("noun", None), "`noun` is empty".to_owned()));
        }
        Ok(())
    }

    fn resources(&self) -> impl Iterator<Item = Resource> + '_ {
        let release: Vec<Releaser> = self
            .release
            .all()
            .iter()
            .filter_map(|text| releaser(text, self.argument).ok())
            .collect();
        let wanted = self.severity != Some(Level::Off) && !release.is_empty();
        self.acquirers()
            .filter(move |_| wanted)
            .map(move |acquire| Resource {
                acquire,
                release: release.clone(),
                noun: self.noun.clone(),
                result: self.result,
                error: self.error,
                weight: match self.severity {
                    None | Some(Level::Off) => None,
                    Some(Level::Hint) => Some(Weight::Hint),
                    Some(Level::Information) => Some(Weight::Information),
                    Some(Level::Warning) => Some(Weight::Warning),
                },
                tests: self.tests,
            })
    }
}

fn releaser(text: &str, argument: u16) -> Result<Releaser, String> {
    match text {
        "" => Err(
            "`release` is empty; write the method that releases it, for instance `\"Close\"`"
                .to_owned(),
        ),
        "()" => Ok(Releaser::Call),
        name if is_identifier(name) => Ok(Releaser::Method(Name::new(name))),
        path if path.contains('.') => FuncPath::parse(path)
            .map(|path| Releaser::PassedTo(path, argument))
            .map_err(|why| format!("`{path}` {why}")),
        other => Err(format!(
            "`{other}` is neither the name of a method (`\"Close\"`) nor the path of a function (`\"example.com/pool.Pool.Put\"`)"
        )),
    }
}

impl FunctionOptions {
    fn lists(&self) -> [(&'static str, &[Argument], Claim); 5] {
        [
            ("owns", &self.owns, Claim::Owns),
            ("borrows", &self.borrows, Claim::Borrows),
            ("closes", &self.closes, Claim::Closes),
            ("wraps", &self.wraps, Claim::Wraps(0)),
            ("views", &self.views, Claim::View(0)),
        ]
    }

    fn paths(&self) -> impl Iterator<Item = FuncPath> {
        self.name
            .all()
            .iter()
            .filter_map(|text| FuncPath::parse(text).ok())
    }

    fn check(&self) -> Result<(), Mistake<'_>> {
        if self.name.all().is_empty() {
            return Err((at("name", None), "`name` is empty".to_owned()));
        }
        for (i, text) in self.name.all().iter().enumerate() {
            let place = at("name", self.name.step(i));
            FuncPath::parse(text).map_err(|why| (place, format!("`{text}` {why}")))?;
        }
        let mut seen: Vec<(Slot, &str)> = Vec::new();
        for (key, arguments, _) in self.lists() {
            for (i, argument) in arguments.iter().enumerate() {
                let slot = argument.slot();
                if let Some((_, before)) = seen.iter().find(|(known, _)| *known == slot) {
                    let what = match slot {
                        Slot::Param(n) => format!("argument {n}"),
                        _ => "the receiver".to_owned(),
                    };
                    return Err((
                        at(key, Some(Step::Index(i))),
                        format!("{what} stands in `{before}` already"),
                    ));
                }
                seen.push((slot, key));
            }
        }
        if seen.is_empty() && !self.never_returns {
            return Err((
                at("name", None),
                "nothing is said about this function; write for instance `borrows = [0]`"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    fn told(&self) -> Told {
        let claims = self
            .lists()
            .into_iter()
            .flat_map(|(_, arguments, claim)| arguments.iter().map(move |a| (a.slot(), claim)))
            .collect();
        Told {
            claims,
            never_returns: self.never_returns.then_some(NoReturn { unwinds: false }),
            must_call: None,
        }
    }
}

fn below<'a>(list: &'static str, i: usize, rest: Vec<Step<'a>>) -> Vec<Step<'a>> {
    [Step::Key(list), Step::Index(i)]
        .into_iter()
        .chain(rest)
        .collect()
}

impl Config {
    /// What is said about functions.
    pub fn told(&self) -> ToldTable {
        let resources = self
            .resources
            .iter()
            .flat_map(ResourceOptions::resources)
            .collect();
        let functions = self
            .functions
            .iter()
            .flat_map(|options| options.paths().map(|path| (path, options.told())))
            .collect();
        ToldTable::new(resources, functions)
    }

    /// The first mistake in what is said about functions.
    pub(crate) fn check_functions(&self) -> Result<(), (Vec<Step<'_>>, String)> {
        let mut known: Vec<(FuncPath, Option<u16>)> = Vec::new();
        for (i, resource) in self.resources.iter().enumerate() {
            resource
                .check()
                .map_err(|(place, message)| (below("resource", i, place), message))?;
            for (n, path) in resource.acquirers().enumerate() {
                if known.contains(&(path, resource.result)) {
                    return Err((
                        below("resource", i, at("acquire", resource.acquire.step(n))),
                        format!("`{path}` is the `acquire` of a `[[resource]]` above already"),
                    ));
                }
                known.push((path, resource.result));
            }
        }
        let mut known: Vec<FuncPath> = Vec::new();
        for (i, function) in self.functions.iter().enumerate() {
            function
                .check()
                .map_err(|(place, message)| (below("function", i, place), message))?;
            for (n, path) in function.paths().enumerate() {
                if known.contains(&path) {
                    return Err((
                        below("function", i, at("name", function.name.step(n))),
                        format!("`{path}` is the `name` of a `[[function]]` above already"),
                    ));
                }
                known.push(path);
            }
        }
        Ok(())
    }
}
