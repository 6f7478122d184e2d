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

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use go_syntax::Name;
use go_syntax::ast::ExprId;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::cfg::NoReturn;
use crate::db::{Db, DeclId, DeclSort, Settings, SourceFile, decl_tree};
use crate::directives::{told_of, told_of_interface};
use crate::effects;
use crate::facts::{Callee, ItemRef, MethodRef};
use crate::infer;
use crate::outline::FuncItem;
use crate::package::{
    Item, PackageId, UnitKind, package_decls, package_item, package_methods, package_of_decl,
    package_seen_by,
};
use crate::told::{FuncPath, Told, told_table};

mod digest;
mod solve;
mod stored;
#[cfg(test)]
mod tests;

use digest::{Digest, Target};
use solve::Resolved;
pub use stored::{SummaryStore, save as save_summaries};

/// What a call of a function means for its caller.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// The receiver of a method.
    pub receiver: ParamEffect,
    /// The parameters in order; the last one of a variadic function stands for all further arguments.
    pub params: Vec<ParamEffect>,
    /// For a function literal: the captured variables, in the order of [`crate::facts::LiteralFacts::captures`].
    pub captures: Vec<ParamEffect>,
    /// The results in order.
    pub results: Vec<Origin>,
    /// When each of them is there.
    pub given: Vec<Given>,
    /// The call never comes back.
    pub never_returns: Option<NoReturn>,
}

/// One of the values that go into a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Slot {
    /// The receiver.
    Receiver,
    /// A parameter, counted from 0.
    Param(u16),
    /// A captured variable of a function literal, counted from 0.
    Capture(u16),
}

/// What a call does to one of the values that go into it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Keep {
    /// In the receiver, a parameter or a captured variable (or something reached through it).
    Slot(Slot),
    /// For the life of the process (`log.SetOutput`, `pprof.StartCPUProfile`).
    Process,
    /// In a package-level variable, a channel, a goroutine, an escaping closure …
    Elsewhere,
}

/// A release of a value, or of something reached through its fields.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum When {
    /// On every path to a normal return on which the value is not nil.
    Always,
    /// On some of them.
    Sometimes,
    /// On every path if this holds for a parameter (a `bool`, or one that can be nil); otherwise on none.
    If(Slot, Fact),
    /// On every path if the value has the dynamic type that a comma-ok assertion asks for.
    IfAsserted,
    /// Exactly where the last result, an error, is not nil. Said in the table of [`crate::effects`] only.
    Failed,
}

/// A result is made from a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Flow {
    /// The fields from the parameter to what flows; empty for the parameter itself.
    pub path: Vec<Name>,
    /// Index of the result.
    pub result: u16,
    /// How.
    pub kind: FlowKind,
}

/// How a result is made from a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
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
    /// Something that uses one of these without owning it (`log.New(f, …)`), while nobody else holds it.
    Around(Vec<Fresh>),
    /// A composite made by the function, with what its fields hold. Fields of no interest are not listed.
    Composite(Vec<(Name, Origin)>),
}

/// When a result is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Given {
    /// Not known.
    #[default]
    Unknown,
    /// Always, or it is nil and nothing else says so.
    Always,
    /// Exactly if this result, an error, is nil.
    IfNil(u16),
}

/// A call whose result is handed on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fresh {
    /// The calls from the one in this function inwards: `open` for `return open(p)`, then what `open` calls. Any of them may be
    /// the acquisition.
    pub sources: Vec<Source>,
    /// What may have been called on the value before it was returned: a value that was closed, or whose closing was deferred, is
    /// not worth closing again.
    pub touched: Vec<Touch>,
}

/// Something that may have been done to a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Source {
    /// What is called: [`Callee::Func`] or [`Callee::Method`].
    #[serde(with = "declared")]
    pub callee: Callee,
    /// Which result.
    pub result: u16,
    /// The fields from there to what is handed on.
    pub path: Vec<Name>,
}

/// The two kinds of callees that sources have.
mod declared {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::facts::{Callee, ItemRef, MethodRef};

    #[derive(Serialize, Deserialize)]
    enum Declared {
        Func(ItemRef),
        Method(MethodRef),
        Other,
    }

    pub(super) fn serialize<S: Serializer>(callee: &Callee, s: S) -> Result<S::Ok, S::Error> {
        match callee {
            Callee::Func(f) => Declared::Func(*f),
            Callee::Method(m) => Declared::Method(*m),
            _ => Declared::Other,
        }
        .serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Callee, D::Error> {
        Ok(match Declared::deserialize(d)? {
            Declared::Func(f) => Callee::Func(f),
            Declared::Method(m) => Callee::Method(m),
            Declared::Other => Callee::Value,
        })
    }
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
        given: Vec::new(),
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

    /// When result `i` is there.
    pub fn given(&self, i: usize) -> Given {
        self.given.get(i).copied().unwrap_or_default()
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

/// How many borders between packages a summary looks across: calls behind the last one are unknown.
const HOPS: u8 = 3;
/// How many functions of one package are looked at for the summary of one of them, by the borders that may still be crossed. The
/// nearest ones count; calls of others are unknown.
const REACH: [usize; HOPS as usize + 1] = [8, 32, 128, 8192];

static BUDGET_HITS: AtomicU64 = AtomicU64::new(0);

/// How often a summary was computed from part of what the function calls, because all of it would have been too much.
pub fn budget_hits() -> u64 {
    BUDGET_HITS.load(Ordering::Relaxed)
}

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
    Foreign {
        decl: DeclId,
        /// It has results, so it is taken to return.
        gives: bool,
    },
    Unknown,
    /// A function that its own declaration says nothing about, and a user does.
    Told(Box<Link>, Arc<Told>),
}

/// What the calls in a function run.
#[derive(Debug, PartialEq, Eq, Default)]
struct Links {
    of: FxHashMap<Target, Link>,
    /// The functions of the unit that are called, in the order of the calls.
    own: Vec<DeclId>,
}

/// What the calls in a function run. Unchanged by most edits that change its digest.
#[salsa::tracked(returns(clone))]
fn links_of(db: &dyn Db, decl: DeclId) -> Arc<Links> {
    let unit = package_of_decl(db, decl);
    let mut out = Links::default();
    for call in digest_of(db, decl).functions.iter().flat_map(|f| &f.calls) {
        if out.of.contains_key(&call.target) {
            continue;
        }
        let Some(link) = link(db, decl.file(db), unit, &call.target) else {
            continue;
        };
        if let Link::Own(decl) = link
            && !out.own.contains(&decl)
        {
            out.own.push(decl);
        }
        out.of.insert(call.target, link);
    }
    Arc::new(out)
}

fn link(db: &dyn Db, file: SourceFile, unit: PackageId, target: &Target) -> Option<Link> {
    let callee = match *target {
        Target::Func(f) => Callee::Func(f),
        Target::Method(m) => Callee::Method(m),
        Target::Builtin(name) => Callee::Builtin(name),
        Target::Literal(_) | Target::Value | Target::Unknown => return None,
    };
    // The package's own bodies come before the table: they are what is analysed.
    let link = match target_func(db, unit, target) {
        Some(f) if package_of_decl(db, f.decl) == unit => return Some(Link::Own(f.decl)),
        _ if effects::of(&callee).is_some() => Link::Table,
        Some(f) => Link::Foreign {
            decl: f.decl,
            gives: !f.sig.results.is_empty(),
        },
        None => Link::Unknown,
    };
    Some(match told_to(db, file, unit, target) {
        Some(told) => Link::Told(Box::new(link), told),
        None => link,
    })
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
fn put_told(known: Resolved, told: &Told) -> Resolved {
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

/// Functions of a unit that call each other, or one that does not.
///
/// What is solved before belongs to its identity: a group is solved from its members' digests and the groups that they call, and
/// from nothing that depends on who asked.
#[salsa::interned]
struct Group<'db> {
    #[returns(ref)]
    members: Vec<DeclId>,
    /// The functions of the unit that are called, with their groups. Others were too far away.
    #[returns(ref)]
    callees: Vec<(DeclId, Group<'db>)>,
}

/// The groups of what a function calls in its own unit, callees before callers; the last one is its own.
///
/// Only what is called from the function is looked at, not the whole unit: most functions of most packages are never asked for.
#[salsa::tracked(returns(clone))]
fn plan<'db>(db: &'db dyn Db, root: DeclId, hops: u8) -> Arc<Vec<Group<'db>>> {
    let reach = REACH[usize::from(hops.min(HOPS))];
    let mut decls = vec![root];
    let mut index: FxHashMap<DeclId, usize> = FxHashMap::default();
    index.insert(root, 0);
    let mut callees: Vec<Vec<usize>> = Vec::new();
    let mut left_out = 0u32;
    while let Some(&decl) = decls.get(callees.len()) {
        let mut called = Vec::new();
        for &callee in &links_of(db, decl).own {
            match index.get(&callee) {
                Some(&n) => called.push(n),
                None if decls.len() < reach => {
                    index.insert(callee, decls.len());
                    called.push(decls.len());
                    decls.push(callee);
                }
                None => left_out += 1,
            }
        }
        callees.push(called);
    }
    if left_out > 0 {
        BUDGET_HITS.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(
            function = %root.name(db),
            file = %root.file(db).path(db).display(),
            reach,
            left_out,
            "too many functions are called from here; the farthest ones count as unknown"
        );
    }
    let mut group_of: Vec<Option<Group<'db>>> = vec![None; decls.len()];
    let mut out = Vec::new();
    for found in solve::groups(&callees) {
        let mut members: Vec<usize> = found;
        if members.len() > 1 {
            // In the same order whoever asks.
            members.sort_by_cached_key(|n| key_of(db, decls[*n]));
        }
        let mut called: Vec<(DeclId, Group<'db>)> = Vec::new();
        for n in &members {
            for &callee in &callees[*n] {
                // Those of the group itself have none yet.
                if let Some(group) = group_of[callee]
                    && !called.iter().any(|(d, _)| *d == decls[callee])
                {
                    called.push((decls[callee], group));
                }
            }
        }
        let group = Group::new(
            db,
            members.iter().map(|n| decls[*n]).collect::<Vec<_>>(),
            called,
        );
        for n in members {
            group_of[n] = Some(group);
        }
        out.push(group);
    }
    Arc::new(out)
}

/// Something to sort declarations by that is the same in every run.
fn key_of(db: &dyn Db, decl: DeclId) -> (Arc<PathBuf>, DeclSort, &'static str, &'static str, u32) {
    (
        decl.file(db).path(db),
        decl.sort(db),
        decl.receiver(db).map_or("", Name::as_str),
        decl.name(db).as_str(),
        decl.ordinal(db),
    )
}

/// The summaries of a group, in the order of its members.
#[salsa::tracked(returns(clone))]
fn solved<'db>(db: &'db dyn Db, group: Group<'db>, hops: u8) -> Arc<Vec<Arc<DeclSummary>>> {
    Arc::new(solve_group(db, group, hops, None))
}

/// The summary of a function by its body, whatever is said about it.
#[salsa::tracked(returns(clone))]
pub fn by_body(db: &dyn Db, decl: DeclId) -> Arc<DeclSummary> {
    let plan = plan(db, decl, HOPS);
    let Some((group, before)) = plan.split_last() else {
        return Arc::default();
    };
    for group in before {
        solved(db, *group, HOPS);
    }
    let i = group.members(db).iter().position(|m| *m == decl);
    i.and_then(|i| solve_group(db, *group, HOPS, Some(decl)).get(i).cloned())
        .unwrap_or_default()
}

/// Solves a group; what is said about one of its functions may be left out.
fn solve_group<'db>(
    db: &'db dyn Db,
    group: Group<'db>,
    hops: u8,
    untold: Option<DeclId>,
) -> Vec<Arc<DeclSummary>> {
    let members = group.members(db);
    let Some(&first) = members.first() else {
        return Vec::new();
    };
    let unit = package_of_decl(db, first);
    let digests: Vec<Arc<Digest>> = members.iter().map(|d| digest_of(db, *d)).collect();
    let mut links: FxHashMap<Target, Link> = FxHashMap::default();
    for d in members {
        links.extend(links_of(db, *d).of.iter().map(|(t, l)| (*t, l.clone())));
    }
    let told: Vec<Option<Arc<Told>>> = (members.iter())
        .map(|d| (untold != Some(*d)).then(|| told_of(db, *d)).flatten())
        .collect();
    let resolve = |target: &Target, link: &Link| match link {
        Link::Own(d) => match members.iter().position(|m| m == d) {
            Some(i) => Resolved::Own(i),
            None => match group.callees(db).iter().find(|(callee, _)| callee == d) {
                // Solved before: see `of_at`.
                Some((_, group)) => Resolved::Foreign(in_group(db, *group, *d, hops)),
                None => Resolved::Unknown,
            },
        },
        Link::Table => table(target),
        Link::Foreign { decl, gives } if !gives || digests.iter().any(|d| d.minds(target)) => {
            foreign(db, unit, *decl, hops)
        }
        Link::Foreign { .. } | Link::Unknown | Link::Told(..) => Resolved::Unknown,
    };
    solve::solve(&digests, &told, &mut |target| match links.get(target) {
        Some(Link::Told(link, told)) => put_told(resolve(target, link), told),
        Some(link) => resolve(target, link),
        None => Resolved::Unknown,
    })
}

fn in_group<'db>(db: &'db dyn Db, group: Group<'db>, decl: DeclId, hops: u8) -> Arc<DeclSummary> {
    let Some(i) = group.members(db).iter().position(|m| *m == decl) else {
        return Arc::default();
    };
    solved(db, group, hops).get(i).cloned().unwrap_or_default()
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

/// What is known of a function of another unit. Each border costs a hop, so that packages that import each other, which does not
/// compile, end the search too. Where that is too far away, what its doc comment says counts.
fn foreign(db: &dyn Db, unit: PackageId, decl: DeclId, hops: u8) -> Resolved {
    match foreign_hops(db, unit, decl, hops) {
        Some(hops) => Resolved::Foreign(of_at(db, decl, hops)),
        None => match told_of(db, decl) {
            Some(told) => put_told(Resolved::Unknown, &told),
            None => Resolved::Unknown,
        },
    }
}

/// How many borders may be crossed behind the one to a function of another unit. Tests see all that their package knows of itself.
fn foreign_hops(db: &dyn Db, unit: PackageId, decl: DeclId, hops: u8) -> Option<u8> {
    let other = package_of_decl(db, decl);
    let same = unit.kind(db) != UnitKind::Normal
        && other.kind(db) == UnitKind::Normal
        && other.dir(db) == unit.dir(db);
    if same {
        Some(hops)
    } else {
        hops.checked_sub(1)
    }
}

/// The summaries of all functions declared in a unit's own files.
pub fn summaries(db: &dyn Db, unit: PackageId) -> FxHashMap<DeclId, Arc<DeclSummary>> {
    (package_decls(db, unit).iter().copied())
        .filter(|d| matches!(d.sort(db), DeclSort::Func | DeclSort::Method))
        .map(|d| (d, of(db, d)))
        .collect()
}

fn target_func(db: &dyn Db, unit: PackageId, target: &Target) -> Option<Arc<FuncItem>> {
    match target {
        Target::Func(f) => func_item(db, unit, *f),
        Target::Method(m) => method_item(db, unit, *m),
        _ => None,
    }
}

fn func_item(db: &dyn Db, unit: PackageId, f: ItemRef) -> Option<Arc<FuncItem>> {
    let package = package_seen_by(db, unit, f.package)?;
    match package_item(db, package, f.name)? {
        Item::Func(f) if f.has_body => Some(f),
        _ => None,
    }
}

fn method_item(db: &dyn Db, unit: PackageId, m: MethodRef) -> Option<Arc<FuncItem>> {
    if m.interface || m.package.as_str().is_empty() {
        return None;
    }
    let package = package_seen_by(db, unit, m.package)?;
    let methods = package_methods(db, package, m.ty);
    methods
        .iter()
        .find(|f| f.name == m.name && f.has_body)
        .cloned()
}

/// The declaration that a call in `decl` runs, if its source is there. Local functions and interface methods have none.
pub fn callee_decl(db: &dyn Db, decl: DeclId, callee: &Callee) -> Option<DeclId> {
    let unit = package_of_decl(db, decl);
    match callee {
        Callee::Func(f) => func_item(db, unit, *f).map(|f| f.decl),
        Callee::Method(m) => method_item(db, unit, *m).map(|f| f.decl),
        _ => None,
    }
}

/// Whether a unit belongs to the workspace rather than to a dependency.
pub fn is_own(db: &dyn Db, unit: PackageId) -> bool {
    let Some(dir) = unit.dir(db) else {
        return true;
    };
    is_own_path(db, &dir.path(db))
}

/// Whether a file or folder belongs to the workspace rather than to a dependency.
pub(crate) fn is_own_path(db: &dyn Db, path: &Path) -> bool {
    let cached = (Settings::get(db).environment(db).mod_cache.as_ref())
        .is_some_and(|cache| path.starts_with(cache));
    !cached && !path.components().any(|c| c.as_os_str() == "vendor")
}

/// The summaries of a declared function and its literals. Unchanged as long as the function means the same to its callers.
pub fn of(db: &dyn Db, decl: DeclId) -> Arc<DeclSummary> {
    of_at(db, decl, HOPS)
}

/// The same, looking across so many borders between packages.
///
/// Groups ask for the groups that they call. Asked for from the caller's end, a long chain of calls would be a deep recursion of
/// queries, also when they are checked again after a change; in the plan's order each finds its callees done.
#[salsa::tracked(returns(clone))]
fn of_at(db: &dyn Db, decl: DeclId, hops: u8) -> Arc<DeclSummary> {
    if !matches!(decl.sort(db), DeclSort::Func | DeclSort::Method) {
        return Arc::default();
    }
    // Asked for from another package: what its literals do is of no interest, and it may be known from an earlier run.
    let from_elsewhere = hops < HOPS;
    if from_elsewhere && let Some(known) = stored::find(db, decl, hops) {
        return known;
    }
    let plan = plan(db, decl, hops);
    for group in plan.iter() {
        solved(db, *group, hops);
    }
    let Some(group) = plan.last() else {
        return Arc::default();
    };
    let found = in_group(db, *group, decl, hops);
    if !from_elsewhere {
        return found;
    }
    let found = Arc::new(DeclSummary {
        own: found.own.clone(),
        literals: Vec::new(),
    });
    stored::note(db, decl, hops, &found);
    found
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
    let unit = package_of_decl(db, decl);
    // Calls outside of functions (initial values of variables) and in broken code have no digest.
    let known = links_of(db, decl).of.get(&target).cloned();
    let link = known.or_else(|| link(db, decl.file(db), unit, &target))?;
    let resolve = |link: &Link| match link {
        Link::Own(d) => Resolved::Foreign(of(db, *d)),
        Link::Table => table(&target),
        Link::Foreign { decl, .. } => foreign(db, unit, *decl, HOPS),
        Link::Unknown | Link::Told(..) => Resolved::Unknown,
    };
    let resolved = match &link {
        Link::Told(link, told) => put_told(resolve(link), told),
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
    match target_func(db, unit, &target).and_then(|f| told_of(db, f.decl)) {
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
    for (target, link) in &links_of(db, decl).of {
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
            Link::Foreign { decl, gives: false } => {
                if let Resolved::Foreign(found) = foreign(db, unit, *decl, HOPS)
                    && let Some(how) = found.own.never_returns
                {
                    out.insert(callee, Some(how));
                }
            }
            Link::Told(_, told) => {
                if told.never_returns.is_some() {
                    out.insert(callee, told.never_returns);
                }
            }
            Link::Foreign { .. } | Link::Table | Link::Unknown => {}
        }
    }
    out
}
