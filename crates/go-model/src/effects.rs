//! What functions and methods of the standard library, and of a few packages that everybody uses, do to their arguments.
//!
//! The table is kept by hand in `effects/table.txt`; every row stands under the source that it was taken from. A callee without a
//! row is unknown: what goes in has escaped. So a missing row costs a finding and a wrong one costs a false alarm or a miss.
//!
//! Rows are looked up by resolved package path and declaring type, never by a bare name.

use std::cell::RefCell;
use std::sync::LazyLock;

use go_syntax::Name;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::cfg::NoReturn;
use crate::facts::{Callee, ItemRef, MethodRef};
use crate::summary::{
    Fact, Fate, Flow, FlowKind, Guard, How, Invoke, Keep, Origin, ParamEffect, Release, Slot,
    Summary, When,
};

const TABLE: &str = include_str!("effects/table.txt");

/// Package, declaring type (of a method), name; `None` stands for `*`.
type Key = (Name, Option<Name>, Option<Name>);

struct Table {
    rows: FxHashMap<Key, Summary>,
    /// Packages with rows.
    packages: FxHashSet<Name>,
    /// Names of functions and methods that never return, in whatever package.
    stops: FxHashSet<Name>,
    errors: Vec<String>,
}

static EFFECTS: LazyLock<Table> = LazyLock::new(|| {
    let table = Table::read(TABLE);
    for error in &table.errors {
        tracing::error!("effects table: {error}");
    }
    table
});

/// The row for a callee; `None` if it is not known.
pub fn of(callee: &Callee) -> Option<&'static Summary> {
    match callee {
        Callee::Func(f) => of_func(*f),
        Callee::Method(m) => of_method(*m),
        Callee::Builtin(name) => of_builtin(*name),
        Callee::Conversion | Callee::Literal(_) | Callee::Local(_) | Callee::Value => None,
    }
}

/// The row for a package-level function.
pub fn of_func(f: ItemRef) -> Option<&'static Summary> {
    let rows = &EFFECTS.rows;
    let package = table_package(f.package)?;
    rows.get(&(package, None, Some(f.name)))
        .or_else(|| rows.get(&(package, None, None)))
}

/// The row for a method, looked up by the type or interface that declares it.
pub fn of_method(m: MethodRef) -> Option<&'static Summary> {
    if m.package.as_str().is_empty() {
        return (m.ty == "error" && m.name == "Error").then_some(borrowing());
    }
    let rows = &EFFECTS.rows;
    let package = table_package(m.package)?;
    rows.get(&(package, Some(m.ty), Some(m.name)))
        .or_else(|| rows.get(&(package, Some(m.ty), None)))
}

/// The path under which the table has a package: itself, or without its major version.
fn table_package(path: Name) -> Option<Name> {
    thread_local! {
        static KNOWN: RefCell<FxHashMap<Name, Option<Name>>> = RefCell::default();
    }
    KNOWN.with_borrow_mut(|known| {
        *known.entry(path).or_insert_with(|| {
            let packages = &EFFECTS.packages;
            if packages.contains(&path) {
                return Some(path);
            }
            without_version(path).filter(|p| packages.contains(p))
        })
    })
}

fn borrowing() -> &'static Summary {
    static ALL: LazyLock<Summary> = LazyLock::new(|| Summary {
        receiver: ParamEffect::BORROWED.clone(),
        params: vec![ParamEffect::BORROWED.clone()],
        ..Summary::default()
    });
    &ALL
}

/// Predeclared functions. `append`, `copy` of elements and the first operand of conversions are for the caller to understand.
fn of_builtin(name: Name) -> Option<&'static Summary> {
    static PANIC: LazyLock<Summary> = LazyLock::new(|| Summary {
        params: vec![ParamEffect::BORROWED.clone()],
        never_returns: Some(NoReturn { unwinds: true }),
        ..Summary::default()
    });
    match name.as_str() {
        "panic" => Some(&PANIC),
        "len" | "cap" | "clear" | "close" | "delete" | "print" | "println" | "new" | "make"
        | "complex" | "real" | "imag" | "recover" => Some(borrowing()),
        _ => None,
    }
}

/// How a call of `callee` ends if it never returns, as far as the table knows.
pub fn no_return(callee: &Callee) -> Option<NoReturn> {
    let name = match callee {
        Callee::Func(f) => f.name,
        Callee::Method(m) => m.name,
        Callee::Builtin(name) => *name,
        Callee::Conversion | Callee::Literal(_) | Callee::Local(_) | Callee::Value => return None,
    };
    if !EFFECTS.stops.contains(&name) {
        return None;
    }
    of(callee)?.never_returns
}

/// The import path of a package outside of the standard library without its major version (`…/v2`, `gopkg.in/yaml.v3`).
fn without_version(path: Name) -> Option<Name> {
    let text = path.as_str();
    if !text
        .split('/')
        .next()
        .is_some_and(|host| host.contains('.'))
    {
        return None;
    }
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let is_version = |s: &str| s.strip_prefix('v').is_some_and(digits);
    let mut out = String::with_capacity(text.len());
    let mut cut = false;
    for part in text.split('/') {
        if !out.is_empty() && is_version(part) {
            cut = true;
            continue;
        }
        if !out.is_empty() {
            out.push('/');
        }
        match part.rsplit_once('.') {
            Some((stem, version)) if !out.is_empty() && is_version(version) => {
                cut = true;
                out.push_str(stem);
            }
            _ => out.push_str(part),
        }
    }
    cut.then(|| Name::new(&out))
}

impl Table {
    fn read(text: &str) -> Self {
        let mut rows: FxHashMap<Key, Summary> = FxHashMap::default();
        let mut errors = Vec::new();
        let mut source = false;
        for (i, line) in text.lines().enumerate() {
            let bare = line.split_once(" #").map_or(line, |(row, _)| row).trim();
            if bare.is_empty() || bare.starts_with('#') {
                continue;
            }
            if let Some(s) = bare.strip_prefix('@') {
                source = !s.trim().is_empty();
                continue;
            }
            let row = if source || line.contains(" #") {
                read_row(bare)
            } else {
                Err("no source".to_owned())
            };
            match row {
                Ok((key, summary)) => {
                    if rows.insert(key, summary).is_some() {
                        errors.push(format!("line {}: second row for the same name", i + 1));
                    }
                }
                Err(e) => errors.push(format!("line {}: {e}: {line}", i + 1)),
            }
        }
        let packages = rows.keys().map(|(package, ..)| *package).collect();
        let mut stops: FxHashSet<Name> = (rows.iter())
            .filter(|(_, row)| row.never_returns.is_some())
            .filter_map(|((.., name), _)| *name)
            .collect();
        stops.insert(Name::new("panic"));
        Table {
            rows,
            packages,
            stops,
            errors,
        }
    }
}

fn read_row(row: &str) -> Result<(Key, Summary), String> {
    let (callee, effects) = row.split_once(' ').ok_or("no effects")?;
    let (package, ty, name) = split_callee(callee).ok_or("no such form of a name")?;
    let key = (
        Name::new(package),
        ty.map(Name::new),
        (name != "*").then(|| Name::new(name)),
    );
    let mut b = RowBuilder::default();
    for effect in effects.split(',') {
        let words: Vec<&str> = effect.split_whitespace().collect();
        b.effect(&words)
            .ok_or_else(|| format!("cannot read `{}`", effect.trim()))?;
    }
    Ok((key, b.finish()))
}

/// `path/pkg.Func` or `path/pkg.Type.Method`: the dots behind the last slash count, less those of a version suffix, which the table
/// does not have.
fn split_callee(text: &str) -> Option<(&str, Option<&str>, &str)> {
    let slash = text.rfind('/').map_or(0, |i| i + 1);
    // A host such as `gopkg.in` stands before a slash always.
    let dots: Vec<usize> = text[slash..]
        .match_indices('.')
        .map(|(i, _)| slash + i)
        .collect();
    match dots[..] {
        [a] => Some((&text[..a], None, &text[a + 1..])),
        [a, b] => Some((&text[..a], Some(&text[a + 1..b]), &text[b + 1..])),
        _ => None,
    }
}

#[derive(Default)]
struct RowBuilder {
    borrow: bool,
    /// The last parameter that was named stands for the variadic rest.
    rest: bool,
    receiver: Option<ParamEffect>,
    params: Vec<Option<ParamEffect>>,
    results: Vec<Origin>,
    never_returns: Option<NoReturn>,
}

impl RowBuilder {
    fn at(&mut self, slot: Slot) -> &mut ParamEffect {
        let entry = match slot {
            Slot::Param(i) => {
                let i = usize::from(i);
                if self.params.len() <= i {
                    self.params.resize(i + 1, None);
                }
                &mut self.params[i]
            }
            Slot::Receiver | Slot::Capture(_) => &mut self.receiver,
        };
        entry.get_or_insert_with(|| ParamEffect::BORROWED.clone())
    }

    fn flow(&mut self, words: &[&str], kind: FlowKind) -> Option<()> {
        let (p, result) = match words {
            [p] => (*p, 0),
            [p, "->", n] => (*p, n.parse().ok()?),
            _ => return None,
        };
        let p = match p.strip_suffix('+') {
            Some(p) => {
                self.rest = true;
                p
            }
            None => p,
        };
        let slot = place(p)?;
        let origin = match kind {
            FlowKind::Same => Origin::Slot(slot, Vec::new()),
            FlowKind::Owner => Origin::Owner(slot),
            FlowKind::View | FlowKind::Closure => Origin::View(slot),
            FlowKind::Field(_) => return None,
        };
        self.at(slot).flows.push(Flow {
            path: Vec::new(),
            result,
            kind,
        });
        let i = usize::from(result);
        if self.results.len() <= i {
            self.results.resize(i + 1, Origin::Unknown);
        }
        // The first one counts: a reader that tees into a writer is first of all a view of the reader.
        if self.results[i] == Origin::Unknown {
            self.results[i] = origin;
        }
        Some(())
    }

    fn effect(&mut self, words: &[&str]) -> Option<()> {
        match words {
            ["borrow"] => self.borrow = true,
            ["exits"] => self.never_returns = Some(NoReturn { unwinds: false }),
            ["unwinds"] => self.never_returns = Some(NoReturn { unwinds: true }),
            ["keep", p] => self.at(place(p)?).fate = Fate::Kept(Keep::Elsewhere),
            ["keep", p, "process"] => self.at(place(p)?).fate = Fate::Kept(Keep::Process),
            ["keep", p, "in", q] => {
                self.at(place(p)?).fate = Fate::Kept(Keep::Slot(place(q)?));
            }
            ["view", rest @ ..] => self.flow(rest, FlowKind::View)?,
            ["own", rest @ ..] => self.flow(rest, FlowKind::Owner)?,
            ["same", rest @ ..] => self.flow(rest, FlowKind::Same)?,
            ["closure", rest @ ..] => self.flow(rest, FlowKind::Closure)?,
            ["field", p, field] => {
                let slot = place(p)?;
                let field = Name::new(field);
                self.at(slot).flows.push(Flow {
                    path: Vec::new(),
                    result: 0,
                    kind: FlowKind::Field(vec![field]),
                });
                let inner = Origin::Slot(slot, Vec::new());
                self.results = vec![Origin::Composite(vec![(field, inner)])];
            }
            ["close", p, "failing"] => {
                self.at(place(p)?).releases.push(Release {
                    path: Vec::new(),
                    how: How::Method(Name::new("Close")),
                    when: When::Failed,
                });
            }
            ["close", p] => {
                let (p, path) = match p.split_once('.') {
                    Some((p, field)) => (p, vec![Name::new(field)]),
                    None => (*p, Vec::new()),
                };
                self.at(place(p)?).releases.push(Release {
                    path,
                    how: How::Method(Name::new("Close")),
                    when: When::Always,
                });
            }
            ["release", p, method] => {
                let (p, path) = match p.split_once('.') {
                    Some((p, field)) => (p, vec![Name::new(field)]),
                    None => (*p, Vec::new()),
                };
                self.at(place(p)?).releases.push(Release {
                    path,
                    how: How::Method(Name::new(method)),
                    when: When::Always,
                });
            }
            // The function itself is filled in by whoever asks; the row says that passing it here ends it.
            ["frees", p] => {
                let slot = place(p)?;
                let Slot::Param(i) = slot else { return None };
                self.at(slot).releases.push(Release {
                    path: Vec::new(),
                    how: How::Passed(i),
                    when: When::Always,
                });
            }
            ["call", p] => self.invoke(p, Invoke::Now(When::Always))?,
            ["call", p, "sometimes"] => self.invoke(p, Invoke::Now(When::Sometimes))?,
            ["cleanup", p] => self.invoke(p, Invoke::Cleanup)?,
            ["go", p] => self.invoke(p, Invoke::Goroutine)?,
            ["later", p] => self.invoke(p, Invoke::Later)?,
            [f @ ("nil" | "nonnil" | "true" | "false"), p] => {
                self.at(place(p)?).after = Some(fact(f)?);
            }
            ["iftrue", rest @ ..] => {
                let (slot, guard) = guard(rest)?;
                self.at(slot).if_true = Some(guard);
            }
            ["iffalse", rest @ ..] => {
                let (slot, guard) = guard(rest)?;
                self.at(slot).if_false = Some(guard);
            }
            _ => return None,
        }
        Some(())
    }

    fn invoke(&mut self, p: &str, invoke: Invoke) -> Option<()> {
        let effect = self.at(place(p)?);
        effect.invokes = Some(invoke);
        match invoke {
            Invoke::Now(when) => effect.releases.push(Release {
                path: Vec::new(),
                how: How::Call,
                when,
            }),
            Invoke::Cleanup | Invoke::Goroutine | Invoke::Later => {
                effect.fate = Fate::Kept(Keep::Elsewhere);
            }
        }
        Some(())
    }

    fn finish(self) -> Summary {
        let default = if self.borrow {
            ParamEffect::BORROWED
        } else {
            ParamEffect::UNKNOWN
        };
        let mut params: Vec<ParamEffect> = (self.params.into_iter())
            .map(|p| p.unwrap_or_else(|| default.clone()))
            .collect();
        // The last one stands for all further arguments.
        if !self.rest {
            params.push(default.clone());
        }
        Summary {
            receiver: self.receiver.unwrap_or_else(|| default.clone()),
            params,
            captures: Vec::new(),
            results: self.results,
            given: Vec::new(),
            never_returns: self.never_returns,
        }
    }
}

fn place(word: &str) -> Option<Slot> {
    match word {
        "r" => Some(Slot::Receiver),
        _ => word.parse().ok().map(Slot::Param),
    }
}

fn fact(word: &str) -> Option<Fact> {
    Some(match word {
        "nil" => Fact::Nil,
        "nonnil" => Fact::NonNil,
        "true" => Fact::True,
        "false" => Fact::False,
        _ => return None,
    })
}

fn guard(words: &[&str]) -> Option<(Slot, Guard)> {
    match words {
        [f, p] => Some((place(p)?, Guard::new(fact(f)?))),
        [f, p, "unless", q] => Some((
            place(p)?,
            Guard {
                fact: fact(f)?,
                unless_nil: Some(q.parse().ok()?),
            },
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn func(package: &str, name: &str) -> &'static Summary {
        of_func(ItemRef {
            package: package.into(),
            name: name.into(),
        })
        .unwrap_or(Summary::UNKNOWN)
    }

    fn method(package: &str, ty: &str, name: &str) -> &'static Summary {
        of_method(MethodRef {
            package: package.into(),
            ty: ty.into(),
            name: name.into(),
            interface: false,
        })
        .unwrap_or(Summary::UNKNOWN)
    }

    #[test]
    fn every_row_is_read_and_has_a_source() {
        assert_eq!(EFFECTS.errors, Vec::<String>::new());
        assert!(EFFECTS.rows.len() > 1200, "{}", EFFECTS.rows.len());
    }

    #[test]
    fn never_returning_functions() {
        assert_eq!(
            func("os", "Exit").never_returns,
            Some(NoReturn { unwinds: false })
        );
        assert_eq!(
            method("testing", "common", "Fatal").never_returns,
            Some(NoReturn { unwinds: true })
        );
        assert_eq!(
            no_return(&Callee::Builtin("panic".into())),
            Some(NoReturn { unwinds: true })
        );
        assert_eq!(func("fmt", "Println").never_returns, None);
        // A function of the same name elsewhere is not known.
        assert_eq!(func("example.com/os", "Exit"), Summary::UNKNOWN);
    }

    #[test]
    fn borrowing_and_keeping() {
        assert!(func("io", "Copy").param(1).only_borrows());
        assert!(func("fmt", "Fprintf").param(7).only_borrows());
        assert!(func("log", "SetOutput").param(0).stores());
        assert!(method("bufio", "Reader", "Reset").receiver.only_borrows());
        assert_eq!(
            method("bufio", "Reader", "Reset").param(0).fate,
            Fate::Kept(Keep::Slot(Slot::Receiver))
        );
        assert_eq!(func("example.com/x", "F").param(0).fate, Fate::Unknown);
    }

    #[test]
    fn wrappers() {
        assert_eq!(
            func("bufio", "NewReader").result(0),
            &Origin::View(Slot::Param(0))
        );
        assert_eq!(
            func("crypto/tls", "Client").result(0),
            &Origin::Owner(Slot::Param(0))
        );
        assert_eq!(
            func("io", "MultiWriter").param(3).flows[0].kind,
            FlowKind::View
        );
    }

    #[test]
    fn releases_and_guards() {
        let close = |e: &ParamEffect, path: &[Name]| e.calls_method(path, "Close");
        assert_eq!(
            close(
                method("net/http", "Client", "Do").param(0),
                &["Body".into()]
            ),
            Some(When::Always)
        );
        assert_eq!(
            close(func("net/http", "Serve").param(0), &[]),
            Some(When::Always)
        );
        assert_eq!(
            func("errors", "Is").param(0).if_true,
            Some(Guard {
                fact: Fact::NonNil,
                unless_nil: Some(1)
            })
        );
        assert_eq!(
            func("github.com/stretchr/testify/require", "NoError")
                .param(1)
                .after,
            Some(Fact::Nil)
        );
        assert_eq!(
            method("testing", "common", "Cleanup").param(0).invokes,
            Some(Invoke::Cleanup)
        );
    }

    #[test]
    fn major_versions_are_left_out() {
        assert_eq!(
            func("k8s.io/klog/v2", "Fatalf").never_returns,
            Some(NoReturn { unwinds: false })
        );
        assert_eq!(
            func("gopkg.in/yaml.v3", "NewDecoder").result(0),
            &Origin::View(Slot::Param(0))
        );
        assert!(func("math/rand/v2", "IntN").param(0).only_borrows());
    }

    #[test]
    fn only_variadic_rows_say_something_of_the_rest() {
        let no_error = func("github.com/stretchr/testify/require", "NoError");
        assert!(no_error.param(2).after.is_none());
        assert!(func("errors", "Is").param(1).if_true.is_none());
        assert!(!func("errors", "Join").param(5).flows.is_empty());
    }
}
