//! What a function does to what it is given, and what it gives back.
//!
//! A [`Summary`] says for the receiver, each parameter and each captured variable what a call does to it ([`ParamEffect`]) and
//! for each result where it comes from ([`Origin`]). The same type describes functions of the standard library (the table in
//! [`crate::effects`]) and functions whose bodies were read.
//!
//! Architecture invariant: a summary holds no positions and no indices into syntax trees, so that it stays equal when code moves
//! or when an edit does not change what the function means to its callers. That equality is where recomputation stops.
//!
//! Architecture invariant: *unknown* is the default of everything here, and nothing is concluded from a name: callees are
//! resolved before they are looked up.

#![allow(missing_docs)] // What salsa's macros generate has no documentation.

use std::sync::Arc;

use go_syntax::Name;
use go_syntax::ast::ExprId;
use rustc_hash::FxHashMap;

use crate::cfg::NoReturn;
use crate::db::{Db, DeclId, DeclSort, Settings, SourceFile, decl_tree};
use crate::directives::{told_of, told_of_interface};
use crate::effects;
use crate::facts::{Callee, ItemRef, MethodRef};
use crate::infer;
use crate::package::{
    Item, PackageId, UnitKind, package_decls, package_item, package_methods, package_of_decl,
    package_seen_by,
};
use crate::told::{FuncPath, Told, told_table};

mod digest;
mod solve;
#[cfg(test)]
mod tests;

use digest::{Digest, Target};
use solve::Resolved;

/// What a call of a function means for its caller.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// The receiver of a method.
    pub receiver: ParamEffect,
    /// The parameters in order; the last one of a variadic function stands for all further arguments.
    pub params: Vec<ParamEffect>,
    /// For a function literal: the captured variables, in the order of [`crate::facts::LiteralFacts::captures`].
    pub captures: Vec<ParamEffect>,
    /// The results in order.
    pub results: Vec<Origin>,
    /// The call never comes back.
    pub never_returns: Option<NoReturn>,
}

/// One of the values that go into a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Slot {
    /// The receiver.
    Receiver,
    /// A parameter, counted from 0.
    Param(u16),
    /// A captured variable of a function literal, counted from 0.
    Capture(u16),
}

/// What a call does to one of the values that go into it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParamEffect {
    /// Whether it outlives the call somewhere. What `flows` says comes on top.
    pub fate: Fate,
    /// What is released, and when. A release that is not listed does not happen, provided that `fate` is not
    /// [`Fate::Unknown`].
    pub releases: Vec<Release>,
    /// How results are made from it.
    pub flows: Vec<Flow>,
    /// For a function value: whether and when it is called.
    pub invokes: Option<Invoke>,
    /// What holds for it once the call has returned (`require.NoError(t, err)`, `check(err)`).
    pub after: Option<Fact>,
    /// What holds if the only result, a `bool`, is true.
    pub if_true: Option<Guard>,
    /// What holds if it is false.
    pub if_false: Option<Guard>,
}

/// Whether a value outlives the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Fate {
    /// Nothing may be concluded: it may have been released, stored, anything.
    #[default]
    Unknown,
    /// Only used: when the call has returned, nothing holds on to it except what `flows` says.
    Borrowed,
    /// Stored.
    Kept(Keep),
}

/// Where a value is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Keep {
    /// In the receiver, a parameter or a captured variable (or something reached through it).
    Slot(Slot),
    /// For the life of the process (`log.SetOutput`, `pprof.StartCPUProfile`).
    Process,
    /// In a package-level variable, a channel, a goroutine, an escaping closure …
    Elsewhere,
}

/// A release of a value, or of something reached through its fields.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Release {
    /// The fields from the value to what is released: `Body` for `resp.Body.Close()`; [`ELEMENT`] stands for every element of a
    /// slice, array or map. Empty for the value itself.
    pub path: Vec<Name>,
    /// What released it. Every method that is called is listed, whether or not it is a releasing one.
    pub how: How,
    /// On which paths.
    pub when: When,
}

/// The path element that stands for every element of a slice, array, map or channel.
pub const ELEMENT: &str = "[]";

/// A way to release something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum How {
    /// By calling this method of it.
    Method(Name),
    /// By calling it: a cancel or stop function.
    Call,
    /// By passing it to this function as this argument (`signal.Stop(ch)`, `C.free(p)`).
    Func(ItemRef, u16),
    /// By passing it to this method as this argument (`pool.Put(x)`).
    ArgOf(MethodRef, u16),
    /// In the table of [`crate::effects`]: by the call itself, as this argument.
    Passed(u16),
    /// `close(ch)`.
    Builtin,
    /// Somebody said so, in the configuration: however it has to be released.
    Said,
}

/// On which paths something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum When {
    /// On every path to a normal return on which the value is not nil.
    Always,
    /// On some of them.
    Sometimes,
    /// On every path if this holds for a parameter (a `bool`, or one that can be nil); otherwise on none.
    If(Slot, Fact),
    /// On every path if the value has the dynamic type that a comma-ok assertion asks for.
    IfAsserted,
}

/// A result is made from a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Flow {
    /// The fields from the parameter to what flows; empty for the parameter itself.
    pub path: Vec<Name>,
    /// Index of the result.
    pub result: u16,
    /// How.
    pub kind: FlowKind,
}

/// How a result is made from a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FlowKind {
    /// It is the parameter itself (or a conversion of it).
    Same,
    /// It uses the parameter without owning it: releasing the result does not release the parameter (`bufio.NewReader(f)`).
    View,
    /// It owns the parameter: its releasing method releases the parameter too (`tls.Client(conn)`).
    Owner,
    /// It is a fresh composite that holds the parameter in this field; who owns it depends on the methods of its type.
    Field(Vec<Name>),
    /// It is a function that uses the parameter: calls it, or closes over it.
    Closure,
}

/// When a function value is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Invoke {
    /// Before the call returns.
    Now(When),
    /// At the end of the test or of the owner: a registered clean-up (`t.Cleanup`).
    Cleanup,
    /// In a goroutine (`errgroup.Group.Go`), at some time.
    Goroutine,
    /// Later and perhaps never: a timer, a finalizer, a handler.
    Later,
}

/// What is known about a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Fact {
    Nil,
    NonNil,
    True,
    False,
}

impl Fact {
    /// What holds if it does not.
    pub fn negated(self) -> Self {
        match self {
            Fact::Nil => Fact::NonNil,
            Fact::NonNil => Fact::Nil,
            Fact::True => Fact::False,
            Fact::False => Fact::True,
        }
    }
}

/// A fact that follows from a `bool` result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Guard {
    /// What follows.
    pub fact: Fact,
    /// It follows only if this parameter is not nil (`errors.Is(err, target)`: with a nil target, true means nil).
    pub unless_nil: Option<u16>,
}

impl Guard {
    /// An unconditional guard.
    pub const fn new(fact: Fact) -> Self {
        Self {
            fact,
            unless_nil: None,
        }
    }
}

/// Where a result comes from, on every return that gives one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Origin {
    /// Not known.
    #[default]
    Unknown,
    /// Always nil, or a constant.
    Nil,
    /// Nil, or a result of one of these calls, which nobody but the caller of this function holds: it was not stored and not
    /// released on the way. Whether the call acquires something is not said here.
    Fresh(Vec<Fresh>),
    /// Nil, or what came in here.
    Slot(Slot, Vec<Name>),
    /// Something that uses what came in here without owning it.
    View(Slot),
    /// Something that owns what came in here.
    Owner(Slot),
    /// A composite made by the function, with what its fields hold. Fields of no interest are not listed.
    Composite(Vec<(Name, Origin)>),
}

/// A call whose result is handed on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fresh {
    /// The calls from the one in this function inwards: `open` for `return open(p)`, then what `open` calls. Any of them may be
    /// the acquisition.
    pub sources: Vec<Source>,
    /// What may have been called on the value before it was returned: a value that was closed, or whose closing was deferred, is
    /// not worth closing again.
    pub touched: Vec<Touch>,
}

/// Something that may have been done to a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Touch {
    /// The fields from the value.
    pub path: Vec<Name>,
    /// What was done.
    pub how: How,
}

/// The summaries of a declared function and of the literals in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeclSummary {
    /// The declared function.
    pub own: Summary,
    /// Its literals in the order of [`crate::facts::Facts::literals`].
    pub literals: Vec<Summary>,
}

/// A result of a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Source {
    /// What is called: [`Callee::Func`] or [`Callee::Method`].
    pub callee: Callee,
    /// Which result.
    pub result: u16,
}

impl ParamEffect {
    /// Nothing known.
    pub const UNKNOWN: &'static ParamEffect = &ParamEffect {
        fate: Fate::Unknown,
        releases: Vec::new(),
        flows: Vec::new(),
        invokes: None,
        after: None,
        if_true: None,
        if_false: None,
    };

    /// Only used.
    pub const BORROWED: &'static ParamEffect = &ParamEffect {
        fate: Fate::Borrowed,
        releases: Vec::new(),
        flows: Vec::new(),
        invokes: None,
        after: None,
        if_true: None,
        if_false: None,
    };

    /// Whether the call neither keeps nor returns nor releases it, and this is known.
    pub fn only_borrows(&self) -> bool {
        self.fate == Fate::Borrowed
            && self.flows.is_empty()
            && !self.releases.iter().any(|r| {
                matches!(
                    r.how,
                    How::Call | How::Func(..) | How::ArgOf(..) | How::Passed(_)
                )
            })
            && self.invokes.is_none()
    }

    /// Whether the call stores it somewhere.
    pub fn stores(&self) -> bool {
        matches!(self.fate, Fate::Kept(_))
    }

    /// When what lies at `path` is released by one of `how`; `None` if never (as far as is known).
    pub fn released(&self, path: &[Name], how: impl Fn(&How) -> bool) -> Option<When> {
        let mut found = None;
        for r in &self.releases {
            if r.path == path && how(&r.how) {
                if r.when == When::Always {
                    return Some(When::Always);
                }
                found.get_or_insert(r.when);
            }
        }
        found
    }

    /// When method `name` of the value at `path` is called; `None` if never.
    pub fn calls_method(&self, path: &[Name], name: &str) -> Option<When> {
        self.released(path, |h| matches!(h, How::Method(m) if *m == name))
    }

    /// When the function value is called, for its effect as a cancel or stop function; `None` if never.
    pub fn is_called(&self) -> Option<When> {
        self.released(&[], |h| *h == How::Call)
    }

    /// The result that is the value itself.
    pub fn returned_as(&self) -> Option<u16> {
        self.flows
            .iter()
            .find(|f| f.kind == FlowKind::Same && f.path.is_empty())
            .map(|f| f.result)
    }
}

impl Summary {
    /// Nothing known.
    pub const UNKNOWN: &'static Summary = &Summary {
        receiver: ParamEffect {
            fate: Fate::Unknown,
            releases: Vec::new(),
            flows: Vec::new(),
            invokes: None,
            after: None,
            if_true: None,
            if_false: None,
        },
        params: Vec::new(),
        captures: Vec::new(),
        results: Vec::new(),
        never_returns: None,
    };

    /// The effect on parameter `i`; further arguments of a variadic function get that of its last parameter.
    pub fn param(&self, i: usize) -> &ParamEffect {
        self.params
            .get(i)
            .or(self.params.last())
            .unwrap_or(ParamEffect::UNKNOWN)
    }

    /// The effect on captured variable `i`.
    pub fn capture(&self, i: usize) -> &ParamEffect {
        self.captures.get(i).unwrap_or(ParamEffect::UNKNOWN)
    }

    /// The effect on what goes in at `slot`.
    pub fn slot(&self, slot: Slot) -> &ParamEffect {
        match slot {
            Slot::Receiver => &self.receiver,
            Slot::Param(i) => self.param(i.into()),
            Slot::Capture(i) => self.capture(i.into()),
        }
    }

    /// Where result `i` comes from.
    pub fn result(&self, i: usize) -> &Origin {
        self.results.get(i).unwrap_or(&Origin::Unknown)
    }
}

/// What is known of a callee.
#[derive(Debug, Clone)]
pub enum Called {
    /// From the table of [`crate::effects`].
    Table(&'static Summary),
    /// From a body that was read.
    Read(Arc<DeclSummary>),
}

impl std::ops::Deref for Called {
    type Target = Summary;
    fn deref(&self) -> &Summary {
        match self {
            Called::Table(s) => s,
            Called::Read(s) => &s.own,
        }
    }
}

/// How many functions of another package are looked at for the summary of one of them.
const MAX_CLOSURE: usize = 16;

#[salsa::tracked(returns(clone))]
fn digest_of(db: &dyn Db, decl: DeclId) -> Arc<Digest> {
    if !matches!(decl.sort(db), DeclSort::Func | DeclSort::Method) {
        return Arc::default();
    }
    let tree = decl_tree(db, decl);
    if tree.has_error || tree.func().is_none_or(|f| f.body.is_none()) {
        return Arc::default();
    }
    Arc::new(digest::digest(&tree, &infer::facts(db, decl)))
}

/// What a call in a digest runs.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Link {
    /// A function of the same unit.
    Own(DeclId),
    /// A function in the table.
    Table,
    /// A function of another unit.
    Foreign(DeclId),
    Unknown,
    /// A function that its own declaration says nothing about, and a user does.
    Told(Box<Link>, Arc<Told>),
}

/// What the calls in a function run. Unchanged by most edits that change its digest.
#[salsa::tracked(returns(clone))]
fn links_of(db: &dyn Db, decl: DeclId) -> Arc<FxHashMap<Target, Link>> {
    let unit = package_of_decl(db, decl);
    let mut out: FxHashMap<Target, Link> = FxHashMap::default();
    for call in digest_of(db, decl).functions.iter().flat_map(|f| &f.calls) {
        let callee = match call.target {
            Target::Func(f) => Callee::Func(f),
            Target::Method(m) => Callee::Method(m),
            Target::Builtin(name) => Callee::Builtin(name),
            Target::Literal(_) | Target::Value | Target::Unknown => continue,
        };
        if out.contains_key(&call.target) {
            continue;
        }
        let link = link(db, decl.file(db), unit, &callee, &call.target);
        out.insert(call.target, link);
    }
    Arc::new(out)
}

fn link(db: &dyn Db, file: SourceFile, unit: PackageId, callee: &Callee, target: &Target) -> Link {
    // The package's own bodies come before the table: they are what is analysed.
    let link = match target_decl(db, unit, target) {
        Some(d) if package_of_decl(db, d) == unit => return Link::Own(d),
        _ if effects::of(callee).is_some() => Link::Table,
        Some(d) if is_read(db, d) => Link::Foreign(d),
        // It is not read, but what its doc comment says counts.
        Some(d) => match told_of(db, d) {
            Some(told) => Link::Told(Box::new(Link::Unknown), told),
            None => Link::Unknown,
        },
        None => Link::Unknown,
    };
    match told_to(db, file, unit, target) {
        Some(told) => Link::Told(Box::new(link), told),
        None => link,
    }
}

/// What the configuration of the caller's file says about a function, or the doc comment of an interface's method.
fn told_to(db: &dyn Db, file: SourceFile, unit: PackageId, target: &Target) -> Option<Arc<Told>> {
    let path = match target {
        Target::Func(f) => FuncPath {
            package: f.package,
            ty: None,
            name: f.name,
        },
        Target::Method(m) => FuncPath {
            package: m.package,
            ty: Some(m.ty),
            name: m.name,
        },
        _ => return None,
    };
    let table = told_table(db, file);
    let configured = table.and_then(|table| table.function(path).cloned());
    let documented = match target {
        Target::Method(m) => told_of_interface(db, unit, *m),
        _ => None,
    };
    match (documented, configured) {
        (Some(documented), Some(configured)) => {
            let mut all = (*documented).clone();
            all.extend(&configured);
            Some(Arc::new(all))
        }
        (one, other) => one.or(other),
    }
}

/// What is known of a callee, with what is said about it put in its place.
fn with_told(known: Resolved, told: &Told) -> Resolved {
    let (mut summary, exact) = match known {
        Resolved::Table(s) => (s.clone(), false),
        Resolved::Foreign(s) => (s.own.clone(), true),
        Resolved::Unknown => (Summary::default(), false),
        Resolved::Own(_) => return known,
    };
    told.apply(&mut summary, exact);
    Resolved::Foreign(Arc::new(DeclSummary {
        own: summary,
        literals: Vec::new(),
    }))
}

/// The functions of a unit in groups that call each other, callees before callers.
#[derive(Debug, PartialEq, Eq, Default)]
struct Groups {
    order: Vec<Arc<Vec<DeclId>>>,
    of: FxHashMap<DeclId, usize>,
}

#[salsa::tracked(returns(clone))]
fn groups(db: &dyn Db, unit: PackageId) -> Arc<Groups> {
    let decls: Vec<DeclId> = functions(db, unit);
    let index: FxHashMap<DeclId, usize> = decls.iter().enumerate().map(|(i, d)| (*d, i)).collect();
    let callees: Vec<Vec<usize>> = (decls.iter())
        .map(|d| {
            let mut callees: Vec<usize> = (links_of(db, *d).values())
                .filter_map(|link| match link {
                    Link::Own(d) => index.get(d).copied(),
                    _ => None,
                })
                .collect();
            // In a fixed order, whatever the map's is.
            callees.sort_unstable();
            callees
        })
        .collect();
    let mut out = Groups::default();
    for group in solve::groups(&callees) {
        let members: Vec<DeclId> = group.into_iter().map(|i| decls[i]).collect();
        for d in &members {
            out.of.insert(*d, out.order.len());
        }
        out.order.push(Arc::new(members));
    }
    Arc::new(out)
}

fn functions(db: &dyn Db, unit: PackageId) -> Vec<DeclId> {
    (package_decls(db, unit).iter().copied())
        .filter(|d| matches!(d.sort(db), DeclSort::Func | DeclSort::Method))
        .collect()
}

/// The functions that a function is mutually recursive with, itself among them; the first one stands for all.
#[salsa::tracked(returns(clone))]
fn group_of(db: &dyn Db, decl: DeclId) -> Arc<Vec<DeclId>> {
    let groups = groups(db, package_of_decl(db, decl));
    match groups.of.get(&decl) {
        Some(i) => groups.order[*i].clone(),
        None => Arc::new(vec![decl]),
    }
}

/// The summaries of a group, given by its first function, in its order.
#[salsa::tracked(returns(clone))]
fn solved(db: &dyn Db, first: DeclId) -> Arc<Vec<Arc<DeclSummary>>> {
    let members = group_of(db, first);
    let unit = package_of_decl(db, first);
    let digests: Vec<Arc<Digest>> = members.iter().map(|d| digest_of(db, *d)).collect();
    let links = all_links(db, &members);
    let index: FxHashMap<DeclId, usize> =
        (members.iter().enumerate()).map(|(i, d)| (*d, i)).collect();
    let told: Vec<Option<Arc<Told>>> = members.iter().map(|d| told_of(db, *d)).collect();
    let resolve = |target: &Target, link: &Link| match link {
        Link::Own(d) => match index.get(d) {
            Some(i) => Resolved::Own(*i),
            // An earlier group, which was solved before: see `prime`.
            None => Resolved::Foreign(in_group(db, *d)),
        },
        Link::Table => table(target),
        Link::Foreign(d) => Resolved::Foreign(foreign(db, unit, *d)),
        Link::Unknown | Link::Told(..) => Resolved::Unknown,
    };
    let result = solve::solve(&digests, &told, &mut |target| match links.get(target) {
        Some(Link::Told(link, told)) => with_told(resolve(target, link), told),
        Some(link) => resolve(target, link),
        None => Resolved::Unknown,
    });
    Arc::new(result)
}

fn all_links(db: &dyn Db, decls: &[DeclId]) -> FxHashMap<Target, Link> {
    let mut out = FxHashMap::default();
    for d in decls {
        out.extend(links_of(db, *d).iter().map(|(t, l)| (*t, l.clone())));
    }
    out
}

fn in_group(db: &dyn Db, decl: DeclId) -> Arc<DeclSummary> {
    let members = group_of(db, decl);
    let Some(i) = members.iter().position(|m| *m == decl) else {
        return Arc::default();
    };
    solved(db, members[0]).get(i).cloned().unwrap_or_default()
}

fn table(target: &Target) -> Resolved {
    let found = match target {
        Target::Func(f) => effects::of_func(*f),
        Target::Method(m) => effects::of_method(*m),
        Target::Builtin(name) => effects::of(&Callee::Builtin(*name)),
        Target::Literal(_) | Target::Value | Target::Unknown => None,
    };
    found.map_or(Resolved::Unknown, Resolved::Table)
}

/// The summary of a function of another unit. Tests see all that their package knows of itself; other packages are looked into one
/// step deep, which cannot go in circles.
fn foreign(db: &dyn Db, unit: PackageId, decl: DeclId) -> Arc<DeclSummary> {
    let other = package_of_decl(db, decl);
    if unit.kind(db) != UnitKind::Normal
        && other.kind(db) == UnitKind::Normal
        && other.dir(db) == unit.dir(db)
    {
        return of(db, decl);
    }
    local_summary(db, decl)
}

/// Solves the groups of a unit in order.
///
/// Groups ask for the groups that they call. Asked for from the caller's end, a long chain of calls would be a deep recursion of
/// queries, also when they are checked again after a change; in order each finds its callees done.
#[salsa::tracked(returns(copy))]
fn prime(db: &dyn Db, unit: PackageId) {
    for members in &groups(db, unit).order {
        solved(db, members[0]);
    }
}

/// The summaries of all functions declared in a unit's own files.
pub fn summaries(db: &dyn Db, unit: PackageId) -> FxHashMap<DeclId, Arc<DeclSummary>> {
    (functions(db, unit).into_iter())
        .map(|d| (d, of(db, d)))
        .collect()
}

/// The summary of a function as its own package alone can tell.
#[salsa::tracked(returns(clone))]
fn local_summary(db: &dyn Db, decl: DeclId) -> Arc<DeclSummary> {
    let mut decls = vec![decl];
    let mut digests: Vec<Arc<Digest>> = Vec::new();
    while let Some(&next) = decls.get(digests.len()) {
        digests.push(digest_of(db, next));
        for link in links_of(db, next).values() {
            if let Link::Own(callee) = link
                && decls.len() < MAX_CLOSURE
                && !decls.contains(callee)
            {
                decls.push(*callee);
            }
        }
    }
    let links = all_links(db, &decls);
    let told: Vec<Option<Arc<Told>>> = decls.iter().map(|d| told_of(db, *d)).collect();
    let resolve = |target: &Target, link: &Link| match link {
        Link::Own(d) => (decls.iter())
            .position(|e| e == d)
            .map_or(Resolved::Unknown, Resolved::Own),
        Link::Table => table(target),
        Link::Foreign(_) | Link::Unknown | Link::Told(..) => Resolved::Unknown,
    };
    let solved = solve::solve(&digests, &told, &mut |target| match links.get(target) {
        Some(Link::Told(link, told)) => with_told(resolve(target, link), told),
        Some(link) => resolve(target, link),
        None => Resolved::Unknown,
    });
    solved.into_iter().next().unwrap_or_default()
}

/// Whether bodies of the declaration's package are looked into from other packages: not those of dependencies.
fn is_read(db: &dyn Db, decl: DeclId) -> bool {
    let Some(dir) = package_of_decl(db, decl).dir(db) else {
        return true;
    };
    let path = dir.path(db);
    let cached = (Settings::get(db).environment(db).mod_cache.as_ref())
        .is_some_and(|cache| path.starts_with(cache));
    !cached && !path.components().any(|c| c.as_os_str() == "vendor")
}

fn target_decl(db: &dyn Db, unit: PackageId, target: &Target) -> Option<DeclId> {
    match target {
        Target::Func(f) => func_decl(db, unit, *f),
        Target::Method(m) => method_decl(db, unit, *m),
        _ => None,
    }
}

fn func_decl(db: &dyn Db, unit: PackageId, f: ItemRef) -> Option<DeclId> {
    let package = package_seen_by(db, unit, f.package)?;
    match package_item(db, package, f.name)? {
        Item::Func(f) if f.has_body => Some(f.decl),
        _ => None,
    }
}

fn method_decl(db: &dyn Db, unit: PackageId, m: MethodRef) -> Option<DeclId> {
    if m.interface || m.package.as_str().is_empty() {
        return None;
    }
    let package = package_seen_by(db, unit, m.package)?;
    let methods = package_methods(db, package, m.ty);
    let found = methods.iter().find(|f| f.name == m.name && f.has_body)?;
    Some(found.decl)
}

/// The declaration that a call in `decl` runs, if its source is there. Local functions and interface methods have none.
pub fn callee_decl(db: &dyn Db, decl: DeclId, callee: &Callee) -> Option<DeclId> {
    let unit = package_of_decl(db, decl);
    match callee {
        Callee::Func(f) => func_decl(db, unit, *f),
        Callee::Method(m) => method_decl(db, unit, *m),
        _ => None,
    }
}

/// The summaries of a declared function and its literals. Unchanged as long as the function means the same to its callers.
#[salsa::tracked(returns(clone))]
pub fn of(db: &dyn Db, decl: DeclId) -> Arc<DeclSummary> {
    if !matches!(decl.sort(db), DeclSort::Func | DeclSort::Method) {
        return Arc::default();
    }
    prime(db, package_of_decl(db, decl));
    in_group(db, decl)
}

/// The summary of a function literal in a declaration.
pub fn of_literal(db: &dyn Db, decl: DeclId, literal: ExprId) -> Option<Summary> {
    let facts = infer::facts(db, decl);
    let n = facts.literals.iter().position(|(id, _)| id == literal)?;
    of(db, decl).literals.get(n).cloned()
}

/// What is known of what a call in `decl` calls: a declared function or a predeclared one. For literals ask [`of_literal`].
pub fn of_callee(db: &dyn Db, decl: DeclId, callee: &Callee) -> Option<Called> {
    let target = match callee {
        Callee::Func(f) => Target::Func(*f),
        Callee::Method(m) => Target::Method(*m),
        Callee::Builtin(_) => return effects::of(callee).map(Called::Table),
        Callee::Conversion | Callee::Literal(_) | Callee::Local(_) | Callee::Value => return None,
    };
    let known = links_of(db, decl).get(&target).cloned();
    let unit = package_of_decl(db, decl);
    // Calls outside of functions (initial values of variables) and in broken code have no digest.
    let link = known.unwrap_or_else(|| link(db, decl.file(db), unit, callee, &target));
    let resolve = |link: &Link| match link {
        Link::Own(d) => Resolved::Foreign(of(db, *d)),
        Link::Table => table(&target),
        Link::Foreign(d) => Resolved::Foreign(foreign(db, unit, *d)),
        Link::Unknown | Link::Told(..) => Resolved::Unknown,
    };
    let resolved = match &link {
        Link::Told(link, told) => with_told(resolve(link), told),
        link => resolve(link),
    };
    match resolved {
        Resolved::Table(summary) => Some(Called::Table(summary)),
        Resolved::Foreign(summary) => Some(Called::Read(summary)),
        Resolved::Own(_) | Resolved::Unknown => None,
    }
}

/// What is said about what a call in `decl` calls, in the doc comment of its declaration or in the configuration.
pub fn told_of_callee(db: &dyn Db, decl: DeclId, callee: &Callee) -> Option<Arc<Told>> {
    let target = match callee {
        Callee::Func(f) => Target::Func(*f),
        Callee::Method(m) => Target::Method(*m),
        _ => return None,
    };
    let unit = package_of_decl(db, decl);
    match target_decl(db, unit, &target).and_then(|d| told_of(db, d)) {
        Some(told) => Some(told),
        None => told_to(db, decl.file(db), unit, &target),
    }
}

/// The functions called in `decl` whose bodies say that they never return.
pub(crate) fn never_returning_callees(
    db: &dyn Db,
    decl: DeclId,
) -> FxHashMap<Callee, Option<NoReturn>> {
    let unit = package_of_decl(db, decl);
    let mut out = FxHashMap::default();
    for (target, link) in links_of(db, decl).iter() {
        let callee = match target {
            Target::Func(f) => Callee::Func(*f),
            Target::Method(m) => Callee::Method(*m),
            _ => continue,
        };
        match link {
            // The body counts, even if the table says otherwise.
            Link::Own(d) => {
                out.insert(callee, crate::noreturn::of_decl(db, *d));
            }
            Link::Foreign(d) => {
                if let Some(how) = foreign(db, unit, *d).own.never_returns {
                    out.insert(callee, Some(how));
                }
            }
            Link::Told(_, told) => {
                if told.never_returns.is_some() {
                    out.insert(callee, told.never_returns);
                }
            }
            Link::Table | Link::Unknown => {}
        }
    }
    out
}
