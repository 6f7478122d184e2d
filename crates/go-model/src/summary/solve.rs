//! Summaries from digests: a work list over the functions of a unit.
//!
//! Within a function: first what the callees do is put in, then values are followed to where they end up (*fates*, against the
//! direction of assignment), then what is released on which paths is found by a forward pass over the graph.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;
use std::sync::Arc;

use go_syntax::Name;
use rustc_hash::FxHashMap;

use super::digest::{
    Arg, Call, Def, Digest, EdgeFact, End, Function, Place, Target, Timing, Use, ValueId,
};
use super::{
    DeclSummary, Fact, Fate, Flow, FlowKind, Fresh, Given, Guard, How, Invoke, Keep, Origin,
    ParamEffect, Release, Slot, Source, Summary, Touch, When,
};
use crate::cfg::NoReturn;
use crate::facts::Callee;
use crate::told::Told;

/// How often a function is looked at again before it counts as unknown. Recursion settles within a few rounds.
const MAX_ROUNDS: u32 = 12;
/// Lists in summaries are cut off here: longer ones mean that nothing is known.
const MAX_LIST: usize = 48;
/// Ways in which one value is returned; more mean that nothing is known of it.
const MAX_FLOWS: usize = 12;
/// Other names of one place; more mean that nothing is known of the function.
const MAX_NAMES: usize = 24;
/// Things followed along the paths of one function; more mean that nothing is known of it.
const MAX_KEYS: usize = 1024;
/// Longest path of fields that is followed.
const MAX_PATH: usize = 5;
/// Parameters on which a release may depend; more are not tried.
const MAX_FLAGS: usize = 4;

/// What a call resolves to.
#[derive(Clone)]
pub(crate) enum Resolved {
    /// A function of the unit, by index.
    Own(usize),
    /// From the table.
    Table(&'static Summary),
    /// Of another unit.
    Foreign(Arc<DeclSummary>),
    Unknown,
}

/// The strongly connected components of a call graph, callees first; members in ascending order.
pub(crate) fn groups(callees: &[Vec<usize>]) -> Vec<Vec<usize>> {
    const NONE: usize = usize::MAX;
    let n = callees.len();
    // Tarjan's algorithm with its recursion on a stack of its own.
    let (mut index, mut low) = (vec![NONE; n], vec![0; n]);
    let mut on_stack = vec![false; n];
    let (mut stack, mut work) = (Vec::new(), Vec::new());
    let mut count = 0;
    let mut out = Vec::new();
    for root in 0..n {
        if index[root] != NONE {
            continue;
        }
        work.push((root, 0));
        while let Some((v, next)) = work.pop() {
            if next == 0 {
                index[v] = count;
                low[v] = count;
                count += 1;
                stack.push(v);
                on_stack[v] = true;
            }
            if let Some(&w) = callees[v].get(next) {
                work.push((v, next + 1));
                if index[w] == NONE {
                    work.push((w, 0));
                } else if on_stack[w] {
                    low[v] = low[v].min(index[w]);
                }
                continue;
            }
            if let Some(&(parent, _)) = work.last() {
                low[parent] = low[parent].min(low[v]);
            }
            if low[v] == index[v] {
                let mut group = Vec::new();
                while let Some(w) = stack.pop() {
                    on_stack[w] = false;
                    group.push(w);
                    if w == v {
                        break;
                    }
                }
                group.sort_unstable();
                out.push(group);
            }
        }
    }
    out
}

/// Computes the summaries of functions that may call each other. What users say about a function counts more than its body.
pub(crate) fn solve(
    digests: &[Arc<Digest>],
    told: &[Option<Arc<Told>>],
    resolve: &mut dyn FnMut(&Target) -> Resolved,
) -> Vec<Arc<DeclSummary>> {
    let mut targets: FxHashMap<Target, Resolved> = FxHashMap::default();
    let mut callees: Vec<Vec<usize>> = vec![Vec::new(); digests.len()];
    let mut callers: Vec<Vec<usize>> = vec![Vec::new(); digests.len()];
    for (i, digest) in digests.iter().enumerate() {
        for call in digest.functions.iter().flat_map(|f| &f.calls) {
            if !matches!(
                call.target,
                Target::Func(_) | Target::Method(_) | Target::Builtin(_)
            ) {
                continue;
            }
            let r = targets
                .entry(call.target)
                .or_insert_with(|| resolve(&call.target));
            if let Resolved::Own(callee) = *r
                && !callees[i].contains(&callee)
            {
                callees[i].push(callee);
                callers[callee].push(i);
            }
        }
    }
    let mut solver = Solver {
        digests,
        targets,
        states: vec![None; digests.len()],
    };
    let mut rounds = vec![0u32; digests.len()];
    let mut queued = vec![true; digests.len()];
    // Callees first, also when something is looked at again: what is recursive settles before its callers are bothered.
    let order = post_order(&callees);
    let mut rank = vec![0; order.len()];
    for (r, &i) in order.iter().enumerate() {
        rank[i] = r;
    }
    let mut queue: BinaryHeap<Reverse<(usize, usize)>> =
        order.iter().map(|&i| Reverse((rank[i], i))).collect();
    while let Some(Reverse((_, i))) = queue.pop() {
        queued[i] = false;
        rounds[i] += 1;
        let mut new = if rounds[i] > MAX_ROUNDS {
            DeclSummary::default()
        } else {
            solver.decl(i)
        };
        if let Some(Some(told)) = told.get(i) {
            told.apply(&mut new.own, true);
        }
        let new = Arc::new(new);
        if solver.states[i].as_ref() == Some(&new) {
            continue;
        }
        solver.states[i] = Some(new);
        if rounds[i] > MAX_ROUNDS + 1 {
            continue;
        }
        for &caller in &callers[i] {
            if !queued[caller] {
                queued[caller] = true;
                queue.push(Reverse((rank[caller], caller)));
            }
        }
    }
    solver
        .states
        .into_iter()
        .map(Option::unwrap_or_default)
        .collect()
}

/// Callees before callers, as far as that is possible.
fn post_order(callees: &[Vec<usize>]) -> Vec<usize> {
    let mut seen = vec![false; callees.len()];
    let mut order = Vec::with_capacity(callees.len());
    let mut stack: Vec<(usize, usize)> = Vec::new();
    for root in 0..callees.len() {
        if seen[root] {
            continue;
        }
        seen[root] = true;
        stack.push((root, 0));
        while let Some((at, next)) = stack.last_mut() {
            match callees[*at].get(*next) {
                Some(&c) => {
                    *next += 1;
                    if !seen[c] {
                        seen[c] = true;
                        stack.push((c, 0));
                    }
                }
                None => {
                    order.push(*at);
                    stack.pop();
                }
            }
        }
    }
    order
}

struct Solver<'a> {
    digests: &'a [Arc<Digest>],
    targets: FxHashMap<Target, Resolved>,
    /// `None` as long as a function was not looked at: then a call of it does not return yet.
    states: Vec<Option<Arc<DeclSummary>>>,
}

/// What is known of a callee at a call.
#[derive(Clone, Copy)]
enum Eff<'a> {
    /// Not looked at yet (recursion): as if it never came back.
    Bottom,
    Unknown,
    Known(&'a Summary),
}

impl Solver<'_> {
    fn decl(&self, i: usize) -> DeclSummary {
        let digest = &self.digests[i];
        let Some((own, literals)) = digest.functions.split_first() else {
            return DeclSummary::default();
        };
        // Inner literals come later in the order, and are used by outer ones.
        let mut done: Vec<Summary> = vec![Summary::default(); literals.len()];
        let mut ready = vec![false; literals.len()];
        for n in (0..literals.len()).rev() {
            done[n] = self.function(&literals[n], &done, &ready, digest);
            ready[n] = true;
        }
        let own = self.function(own, &done, &ready, digest);
        DeclSummary {
            own,
            literals: done,
        }
    }

    fn eff<'a>(&'a self, call: &Call, literals: &'a [Summary], ready: &[bool]) -> Eff<'a> {
        match call.target {
            Target::Literal(n) => {
                let n = usize::from(n);
                if ready.get(n) == Some(&true) {
                    Eff::Known(&literals[n])
                } else {
                    Eff::Unknown
                }
            }
            Target::Func(_) | Target::Method(_) | Target::Builtin(_) => {
                match self.targets.get(&call.target) {
                    Some(Resolved::Own(i)) => match &self.states[*i] {
                        Some(s) => Eff::Known(&s.own),
                        None => Eff::Bottom,
                    },
                    Some(Resolved::Table(s)) => Eff::Known(s),
                    Some(Resolved::Foreign(s)) => Eff::Known(&s.own),
                    Some(Resolved::Unknown) | None => Eff::Unknown,
                }
            }
            Target::Value | Target::Unknown => Eff::Unknown,
        }
    }

    /// Whether a deferred call may stop a panic.
    fn may_recover(&self, call: &Call, digest: &Digest) -> bool {
        match call.target {
            Target::Literal(n) => digest
                .functions
                .get(usize::from(n) + 1)
                .is_none_or(|f| f.recovers),
            Target::Func(_) | Target::Method(_) => match self.targets.get(&call.target) {
                Some(Resolved::Own(i)) => self.digests[*i]
                    .functions
                    .first()
                    .is_none_or(|f| f.recovers),
                Some(Resolved::Table(_)) => false,
                _ => matches!(call.target, Target::Func(_)),
            },
            Target::Builtin(_) => false,
            Target::Value | Target::Unknown => true,
        }
    }

    fn function(
        &self,
        f: &Function,
        literals: &[Summary],
        ready: &[bool],
        digest: &Digest,
    ) -> Summary {
        if f.graph.truncated {
            return Summary::default();
        }
        let effs: Vec<Eff<'_>> = f
            .calls
            .iter()
            .map(|c| self.eff(c, literals, ready))
            .collect();
        let mut work = Work {
            f,
            literals,
            ready,
            effs,
            fates: vec![Fate::Borrowed; f.values.len()],
            edges: Vec::new(),
            incoming: vec![Vec::new(); f.values.len()],
            events: vec![Vec::new(); f.calls.len()],
            invokes: vec![None; f.values.len()],
            returned: vec![Vec::new(); f.values.len()],
            leaks: vec![false; f.values.len()],
            names: RefCell::default(),
            overflow: Cell::new(false),
        };
        work.collect();
        work.settle();
        let mut summary = work.summary();
        if summary.never_returns.is_some_and(|n| n.unwinds)
            && f.calls
                .iter()
                .any(|c| c.timing == Timing::Deferred && self.may_recover(c, digest))
        {
            summary.never_returns = None;
        }
        summary
    }
}

/// `from` (at a path) goes into `to`.
struct Edge {
    from: ValueId,
    path: Vec<Name>,
    to: ValueId,
    kind: FlowKind,
    /// `to` is this and nothing else.
    strict: bool,
}

/// Something released by a call.
#[derive(Clone)]
struct Event {
    place: Place,
    how: How,
    when: When,
}

struct Work<'a> {
    f: &'a Function,
    literals: &'a [Summary],
    ready: &'a [bool],
    effs: Vec<Eff<'a>>,
    fates: Vec<Fate>,
    edges: Vec<Edge>,
    /// Edges into a value.
    incoming: Vec<Vec<usize>>,
    /// By call.
    events: Vec<Vec<Event>>,
    invokes: Vec<Option<Invoke>>,
    /// How a value is returned.
    returned: Vec<Vec<Flow>>,
    /// Values on which methods are called that may do anything with what they hold.
    leaks: Vec<bool>,
    names: RefCell<FxHashMap<(Place, bool), Names>>,
    /// A bound was hit: nothing is known.
    overflow: Cell<bool>,
}

/// The places that one place is another name of, and whether it surely is.
type Names = Rc<Vec<(Place, bool)>>;

fn join(a: Fate, b: Fate) -> Fate {
    match (a, b) {
        (Fate::Unknown, _) | (_, Fate::Unknown) => Fate::Unknown,
        (Fate::Borrowed, x) | (x, Fate::Borrowed) => x,
        (Fate::Kept(x), Fate::Kept(y)) if x == y => Fate::Kept(x),
        (Fate::Kept(_), Fate::Kept(_)) => Fate::Kept(Keep::Elsewhere),
    }
}

fn concat(a: &[Name], b: &[Name]) -> Vec<Name> {
    let mut out = Vec::with_capacity(a.len() + b.len());
    out.extend_from_slice(a);
    out.extend_from_slice(b);
    out
}

impl<'a> Work<'a> {
    fn fate(&mut self, v: ValueId, fate: Fate) {
        let slot = &mut self.fates[usize::from(v)];
        *slot = join(*slot, fate);
    }

    fn edge(&mut self, from: &Place, to: ValueId, kind: FlowKind, strict: bool) {
        if from.value == to {
            return;
        }
        self.incoming[usize::from(to)].push(self.edges.len());
        self.edges.push(Edge {
            from: from.value,
            path: from.path.clone(),
            to,
            kind,
            strict,
        });
    }

    fn def_edges(&mut self, def: &'a Def, to: ValueId, under: &[Name], strict: bool) {
        let kind = |k: FlowKind| {
            if under.is_empty() {
                k
            } else {
                FlowKind::Field(under.to_vec())
            }
        };
        match def {
            Def::Nil | Def::Unknown | Def::Literal(_) => {}
            Def::Place(p) => self.edge(p, to, kind(FlowKind::Same), strict),
            Def::Method(p) => self.edge(p, to, kind(FlowKind::Closure), strict),
            Def::Composite(fields) => {
                for (name, d) in fields {
                    let mut path = under.to_vec();
                    path.push(*name);
                    self.def_edges(d, to, &path, strict);
                }
            }
            Def::Mixed(defs) => {
                let mut path = under.to_vec();
                path.push(Name::new(super::ELEMENT));
                for d in defs {
                    self.def_edges(d, to, &path, false);
                }
            }
            Def::Call(c, result) => {
                for (place, flow) in self.flows_of_call(*c, *result) {
                    let k = if under.is_empty() {
                        flow
                    } else {
                        FlowKind::Field(under.to_vec())
                    };
                    self.edge(&place, to, k, strict);
                }
            }
        }
    }

    /// What goes into a call and comes out as a result.
    fn flows_of_call(&self, call: u16, result: u16) -> Vec<(Place, FlowKind)> {
        let c = &self.f.calls[usize::from(call)];
        let Eff::Known(s) = self.effs[usize::from(call)] else {
            return Vec::new();
        };
        let mut out = Vec::new();
        let add = |out: &mut Vec<_>, place: &Place, effect: &ParamEffect| {
            for flow in effect.flows.iter().filter(|f| f.result == result) {
                let place = Place {
                    value: place.value,
                    path: concat(&place.path, &flow.path),
                };
                out.push((place, flow.kind.clone()));
            }
        };
        if let (Some(p), Target::Method(_)) = (&c.receiver, c.target) {
            add(&mut out, p, &s.receiver);
        }
        for (i, arg) in c.args.iter().enumerate() {
            let effect = s.param(i);
            match arg {
                Arg::Place(p) | Arg::Method(p, _) => add(&mut out, p, effect),
                Arg::Mixed(places) => places.iter().for_each(|p| add(&mut out, p, effect)),
                Arg::Literal(n) if effect.flows.iter().any(|f| f.result == result) => {
                    let closed = captured(self.f, *n).into_iter().map(|value| Place {
                        value,
                        path: Vec::new(),
                    });
                    out.extend(closed.map(|p| (p, FlowKind::Closure)));
                }
                Arg::Literal(_) | Arg::Other | Arg::Nil | Arg::Bool(_) => {}
            }
        }
        if let Target::Literal(n) = c.target {
            for (i, value) in captured(self.f, n).into_iter().enumerate() {
                let p = Place {
                    value,
                    path: Vec::new(),
                };
                add(&mut out, &p, s.capture(i));
            }
        }
        out
    }

    fn collect(&mut self) {
        let f = self.f;
        for (v, value) in f.values.iter().enumerate() {
            let strict = value.defs.len() == 1 && value.slot.is_none() && !value.unstable;
            for def in &value.defs {
                self.def_edges(def, v as ValueId, &[], strict);
            }
        }
        for (place, what) in &f.uses {
            match what {
                Use::Keep(k) => self.fate(place.value, Fate::Kept(*k)),
                Use::Escape => self.fate(place.value, Fate::Unknown),
                Use::Into(w, path) => {
                    if !self.is_made_here(*w, 0) {
                        self.fate(place.value, Fate::Kept(Keep::Elsewhere));
                    }
                    self.edge(place, *w, FlowKind::Field(path.clone()), false);
                }
                Use::ReturnClosure(i) => {
                    self.returned[usize::from(place.value)].push(Flow {
                        path: place.path.clone(),
                        result: *i,
                        kind: FlowKind::Closure,
                    });
                }
                Use::Overwritten => {}
            }
        }
        for c in 0..f.calls.len() {
            self.call(c);
        }
        for defs in &f.returns {
            for (i, def) in defs.iter().enumerate() {
                self.returned_def(def, i as u16, &[]);
            }
        }
    }

    fn returned_def(&mut self, def: &Def, result: u16, under: &[Name]) {
        let kind = |k: FlowKind| {
            if under.is_empty() {
                k
            } else {
                FlowKind::Field(under.to_vec())
            }
        };
        match def {
            Def::Nil | Def::Unknown | Def::Literal(_) | Def::Method(_) => {}
            Def::Place(p) => {
                self.add_returned(p.value, &p.path, result, kind(FlowKind::Same));
            }
            Def::Composite(fields) => {
                for (name, d) in fields {
                    let mut path = under.to_vec();
                    path.push(*name);
                    self.returned_def(d, result, &path);
                }
            }
            Def::Mixed(defs) => {
                let mut path = under.to_vec();
                path.push(Name::new(super::ELEMENT));
                for d in defs {
                    self.returned_def(d, result, &path);
                }
            }
            Def::Call(c, r) => {
                for (p, flow) in self.flows_of_call(*c, *r) {
                    let k = if under.is_empty() {
                        flow
                    } else {
                        FlowKind::Field(under.to_vec())
                    };
                    self.add_returned(p.value, &p.path, result, k);
                }
            }
        }
    }

    fn add_returned(&mut self, v: ValueId, path: &[Name], result: u16, kind: FlowKind) -> bool {
        let flow = Flow {
            path: path.to_vec(),
            result,
            kind,
        };
        let list = &mut self.returned[usize::from(v)];
        if list.contains(&flow) {
            return false;
        }
        if list.len() >= MAX_FLOWS || path.len() > MAX_PATH {
            let known = self.fates[usize::from(v)] != Fate::Unknown;
            self.fates[usize::from(v)] = Fate::Unknown;
            return known;
        }
        list.push(flow);
        true
    }

    fn event(&mut self, call: usize, place: Place, how: How, when: When) {
        self.events[call].push(Event { place, how, when });
    }

    fn call(&mut self, n: usize) {
        let f = self.f;
        let c = &f.calls[n];
        if c.timing == Timing::Goroutine {
            return self.launch(c);
        }
        let eff = self.effs[n];
        match (c.target, &c.receiver) {
            (Target::Method(m), Some(p)) => {
                if c.may_release {
                    self.event(n, p.clone(), How::Method(m.name), When::Always);
                }
                match eff {
                    Eff::Known(s) => {
                        self.leaks[usize::from(p.value)] |= s.receiver.fate == Fate::Unknown;
                        self.apply(n, p, &s.receiver, true);
                    }
                    Eff::Unknown => self.leaks[usize::from(p.value)] = true,
                    Eff::Bottom => {}
                }
            }
            (Target::Value, Some(p)) => self.event(n, p.clone(), How::Call, When::Always),
            (_, Some(p)) => self.fate(p.value, Fate::Unknown),
            (_, None) => {}
        }
        if let Target::Literal(lit) = c.target {
            self.run_literal(n, lit, When::Always);
        }
        for (i, arg) in c.args.iter().enumerate() {
            let effect = match eff {
                Eff::Bottom => continue,
                Eff::Unknown => ParamEffect::UNKNOWN,
                Eff::Known(s) => s.param(i),
            };
            match arg {
                Arg::Other | Arg::Nil | Arg::Bool(_) => {}
                Arg::Place(p) => {
                    if let Target::Builtin(name) = c.target
                        && name == "close"
                    {
                        self.event(n, p.clone(), How::Builtin, When::Always);
                    }
                    self.apply(n, p, effect, false);
                    if !effect.only_borrows() {
                        self.passed(n, c, i, p);
                    }
                }
                Arg::Mixed(places) => {
                    for p in places {
                        if !effect.only_borrows() {
                            let fate = match effect.fate {
                                Fate::Kept(k) => Fate::Kept(self.keep(c, k)),
                                Fate::Borrowed if effect.releases.is_empty() => Fate::Borrowed,
                                _ => Fate::Unknown,
                            };
                            self.fate(p.value, fate);
                        }
                    }
                }
                Arg::Literal(lit) => self.give_literal(n, *lit, effect),
                Arg::Method(p, name) => match invoked(effect) {
                    Some(Invoke::Now(when)) => {
                        self.event(n, p.clone(), How::Method(*name), when);
                    }
                    Some(_) => self.fate(p.value, Fate::Kept(Keep::Elsewhere)),
                    None if effect.fate == Fate::Borrowed => {}
                    None => self.fate(p.value, effect.fate),
                },
            }
        }
    }

    /// Being passed to a function that does more than look at it may be the way to release it.
    fn passed(&mut self, n: usize, c: &Call, i: usize, p: &Place) {
        if !c.may_release {
            return;
        }
        let how = match c.target {
            Target::Func(f) => How::Func(f, i as u16),
            Target::Method(m) => How::ArgOf(m, i as u16),
            _ => return,
        };
        self.event(n, p.clone(), how, When::Always);
    }

    /// Whether a variable holds something that was made in this function, so that what is put into it goes no further than it
    /// does.
    fn is_made_here(&self, v: ValueId, depth: u32) -> bool {
        let value = &self.f.values[usize::from(v)];
        value.slot.is_none()
            && depth < 4
            && value.defs.iter().all(|def| match def {
                Def::Nil | Def::Composite(_) => true,
                Def::Mixed(defs) => !defs.contains(&Def::Unknown),
                Def::Place(p) => p.path.is_empty() && self.is_made_here(p.value, depth + 1),
                Def::Call(c, r) => match self.effs[usize::from(*c)] {
                    Eff::Known(s) => matches!(
                        s.result(usize::from(*r)),
                        Origin::Composite(_) | Origin::View(_) | Origin::Owner(_) | Origin::Nil
                    ),
                    Eff::Bottom => true,
                    Eff::Unknown => false,
                },
                Def::Literal(_) | Def::Method(_) | Def::Unknown => false,
            })
    }

    /// Where a callee keeps something, seen from here.
    fn keep(&self, c: &Call, keep: Keep) -> Keep {
        let Keep::Slot(slot) = keep else { return keep };
        let place = match slot {
            Slot::Receiver => c.receiver.as_ref(),
            Slot::Param(i) => match c.args.get(usize::from(i)) {
                Some(Arg::Place(p)) => Some(p),
                _ => None,
            },
            Slot::Capture(i) => {
                let Target::Literal(n) = c.target else {
                    return Keep::Elsewhere;
                };
                let value = captured(self.f, n).get(usize::from(i)).copied();
                return value
                    .and_then(|v| self.f.values[usize::from(v)].slot)
                    .map_or(Keep::Elsewhere, Keep::Slot);
            }
        };
        place
            .and_then(|p| self.f.values[usize::from(p.value)].slot)
            .map_or(Keep::Elsewhere, Keep::Slot)
    }

    /// A callee does this to the place.
    fn apply(&mut self, n: usize, p: &Place, effect: &ParamEffect, receiver: bool) {
        let c = &self.f.calls[n];
        match effect.fate {
            Fate::Borrowed => {}
            // The methods of a value do not hand it over, as far as is known.
            Fate::Unknown if receiver => {}
            Fate::Unknown => self.fate(p.value, Fate::Unknown),
            Fate::Kept(k) => {
                // Kept in a local variable: what becomes of that one counts.
                let holder = match k {
                    Keep::Slot(Slot::Receiver) => c.receiver.as_ref(),
                    Keep::Slot(Slot::Param(i)) => match c.args.get(usize::from(i)) {
                        Some(Arg::Place(h)) => Some(h),
                        _ => None,
                    },
                    _ => None,
                };
                match holder {
                    Some(h) if self.is_made_here(h.value, 0) => {
                        let to = h.value;
                        self.edge(p, to, FlowKind::View, false);
                    }
                    _ => {
                        let k = self.keep(c, k);
                        self.fate(p.value, Fate::Kept(k));
                    }
                }
            }
        }
        for r in &effect.releases {
            let place = Place {
                value: p.value,
                path: concat(&p.path, &r.path),
            };
            let how = match (r.how, c.target) {
                (How::Passed(i), Target::Func(f)) => How::Func(f, i),
                (How::Passed(i), Target::Method(m)) => How::ArgOf(m, i),
                (how, _) => how,
            };
            let when = match r.when {
                When::If(slot, fact) => match self.given(c, slot, fact) {
                    Some(true) => When::Always,
                    Some(false) => continue,
                    None => match self.handed_on(c, slot, fact) {
                        Some(own) => When::If(own, fact),
                        None => When::Sometimes,
                    },
                },
                When::Failed => When::Sometimes,
                when => when,
            };
            self.event(n, place, how, when);
        }
        if let Some(invoke) = effect.invokes {
            let v = usize::from(p.value);
            if p.path.is_empty() && self.invokes[v].is_none() {
                self.invokes[v] = Some(match invoke {
                    Invoke::Now(_) => Invoke::Now(When::Sometimes),
                    other => other,
                });
            }
        }
    }

    /// Whether the fact holds for what goes in at the slot, where the call shows it.
    fn given(&self, c: &Call, slot: Slot, fact: Fact) -> Option<bool> {
        let Slot::Param(i) = slot else { return None };
        let known = match c.args.get(usize::from(i))? {
            Arg::Bool(true) => Fact::True,
            Arg::Bool(false) => Fact::False,
            _ if c.is_nonnil(i) => Fact::NonNil,
            Arg::Nil if c.keeps_type(i) => Fact::Nil,
            _ => return None,
        };
        (known == fact || known == fact.negated()).then_some(known == fact)
    }

    /// The own slot from which comes what goes in at the slot.
    fn handed_on(&self, c: &Call, slot: Slot, fact: Fact) -> Option<Slot> {
        let value = match slot {
            Slot::Param(i) => match c.args.get(usize::from(i)) {
                Some(Arg::Place(p)) if p.path.is_empty() => {
                    // A nil pointer in an interface is not nil.
                    let nil = matches!(fact, Fact::Nil | Fact::NonNil);
                    if nil && !c.keeps_type(i) {
                        return None;
                    }
                    p.value
                }
                _ => return None,
            },
            Slot::Capture(i) => {
                let Target::Literal(n) = c.target else {
                    return None;
                };
                *captured(self.f, n).get(usize::from(i))?
            }
            Slot::Receiver => return None,
        };
        let v = &self.f.values[usize::from(value)];
        v.slot.filter(|_| !v.unstable)
    }

    fn launch(&mut self, c: &Call) {
        let keep = Fate::Kept(Keep::Elsewhere);
        if let Some(p) = &c.receiver {
            self.fate(p.value, keep);
        }
        for arg in &c.args {
            match arg {
                Arg::Place(p) | Arg::Method(p, _) => self.fate(p.value, keep),
                Arg::Mixed(ps) => ps.iter().for_each(|p| self.fate(p.value, keep)),
                Arg::Literal(n) => self.captures_fate(*n, keep),
                Arg::Other | Arg::Nil | Arg::Bool(_) => {}
            }
        }
        if let Target::Literal(n) = c.target {
            self.captures_fate(n, keep);
        }
    }

    fn captures_fate(&mut self, literal: u16, fate: Fate) {
        for v in captured(self.f, literal) {
            self.fate(v, fate);
        }
    }

    /// A literal is called here.
    fn run_literal(&mut self, n: usize, literal: u16, when: When) {
        let lit = usize::from(literal);
        if self.ready.get(lit) != Some(&true) {
            return self.captures_fate(literal, Fate::Unknown);
        }
        let literals = self.literals;
        let summary = &literals[lit];
        for (i, v) in captured(self.f, literal).into_iter().enumerate() {
            let p = Place {
                value: v,
                path: Vec::new(),
            };
            let effect = summary.capture(i);
            if when == When::Always {
                self.apply(n, &p, effect, false);
                continue;
            }
            let mut weaker = effect.clone();
            for r in &mut weaker.releases {
                r.when = When::Sometimes;
            }
            self.apply(n, &p, &weaker, false);
        }
    }

    /// A literal is an argument.
    fn give_literal(&mut self, n: usize, literal: u16, effect: &ParamEffect) {
        match invoked(effect) {
            Some(Invoke::Now(when)) if effect.fate == Fate::Borrowed => {
                self.run_literal(n, literal, when);
            }
            Some(Invoke::Now(_)) => self.captures_fate(literal, Fate::Unknown),
            Some(_) => self.captures_fate(literal, Fate::Kept(Keep::Elsewhere)),
            None => match effect.fate {
                // Never called, never kept.
                Fate::Borrowed => {}
                Fate::Kept(_) => self.captures_fate(literal, Fate::Kept(Keep::Elsewhere)),
                Fate::Unknown => self.captures_fate(literal, Fate::Unknown),
            },
        }
    }

    /// Fates and returns go against the edges until nothing changes.
    fn settle(&mut self) {
        let mut changed = true;
        let mut rounds = 0;
        while changed && rounds < 64 {
            changed = false;
            rounds += 1;
            for e in (0..self.edges.len()).rev() {
                let (from, to) = (self.edges[e].from, self.edges[e].to);
                // What comes in at a slot and is assigned there is another matter; what goes into it is kept there.
                let fate = match self.f.values[usize::from(to)].slot {
                    Some(slot) => join(self.fates[usize::from(to)], Fate::Kept(Keep::Slot(slot))),
                    None => self.fates[usize::from(to)],
                };
                let mut new = join(self.fates[usize::from(from)], fate);
                if self.leaks[usize::from(to)] && self.edges[e].kind != FlowKind::Same {
                    new = Fate::Unknown;
                }
                if new != self.fates[usize::from(from)] {
                    self.fates[usize::from(from)] = new;
                    changed = true;
                }
                let flows = self.returned[usize::from(to)].clone();
                for flow in flows {
                    let edge = &self.edges[e];
                    let Some((path, kind)) = through(edge, &flow) else {
                        continue;
                    };
                    changed |= self.add_returned(from, &path, flow.result, kind);
                }
                if self.edges[e].kind == FlowKind::Same
                    && self.edges[e].path.is_empty()
                    && self.invokes[usize::from(from)].is_none()
                    && self.invokes[usize::from(to)].is_some()
                {
                    self.invokes[usize::from(from)] = self.invokes[usize::from(to)];
                    changed = true;
                }
            }
        }
        if changed {
            self.fates.fill(Fate::Unknown);
        }
    }

    /// The places of which `place` is another name, itself among them. With `methods`, calling a method counts for what an owner
    /// owns too.
    fn names(&self, place: &Place, methods: bool) -> Names {
        let key = (place.clone(), methods);
        if let Some(found) = self.names.borrow().get(&key) {
            return found.clone();
        }
        let mut out: Vec<(Place, bool)> = vec![(place.clone(), true)];
        let mut next = 0;
        while let Some((p, sure)) = out.get(next).cloned() {
            next += 1;
            for e in &self.incoming[usize::from(p.value)] {
                let edge = &self.edges[*e];
                let path = match &edge.kind {
                    FlowKind::Same => concat(&edge.path, &p.path),
                    FlowKind::Owner if p.path.is_empty() && methods => edge.path.clone(),
                    FlowKind::Field(field) if p.path.starts_with(field) => {
                        concat(&edge.path, &p.path[field.len()..])
                    }
                    _ => continue,
                };
                let q = Place {
                    value: edge.from,
                    path,
                };
                let sure = sure && edge.strict;
                if out.iter().any(|(o, s)| *o == q && (*s || !sure)) {
                    continue;
                }
                if out.len() >= MAX_NAMES || q.path.len() > MAX_PATH {
                    self.overflow.set(true);
                    break;
                }
                out.push((q, sure));
            }
        }
        let out = Rc::new(out);
        self.names.borrow_mut().insert(key, out.clone());
        out
    }

    fn summary(&mut self) -> Summary {
        let f = self.f;
        let paths = Paths::new(self);
        if self.overflow.get() || paths.keys.len() > MAX_KEYS {
            return Summary::default();
        }
        let flow = paths.run();
        let mut summary = Summary {
            receiver: ParamEffect::default(),
            params: vec![ParamEffect::default(); usize::from(f.params)],
            captures: vec![ParamEffect::default(); usize::from(f.captures)],
            results: Vec::new(),
            given: Vec::new(),
            never_returns: flow.never_returns,
        };
        // An unnamed parameter or receiver is not used at all.
        if f.method {
            summary.receiver = ParamEffect::BORROWED.clone();
        }
        for p in &mut summary.params {
            *p = ParamEffect::BORROWED.clone();
        }
        for (v, value) in f.values.iter().enumerate() {
            let Some(slot) = value.slot else { continue };
            let mut effect = ParamEffect {
                fate: self.fates[v],
                flows: self.returned[v].clone(),
                invokes: self.invokes[v],
                ..ParamEffect::default()
            };
            flow.fill(v as ValueId, &mut effect);
            let overwritten = f.uses.iter().any(|(p, u)| {
                *u == Use::Overwritten
                    && usize::from(p.value) == v
                    && effect.releases.iter().any(|r| r.path.starts_with(&p.path))
            });
            if value.unstable || value.opaque || overwritten || effect.releases.len() > MAX_LIST {
                effect.fate = Fate::Unknown;
            }
            if value.unstable {
                effect.after = None;
                effect.if_true = None;
                effect.if_false = None;
                for r in &mut effect.releases {
                    r.when = When::Sometimes;
                }
            }
            if let Some(r) = effect
                .releases
                .iter()
                .find(|r| r.how == How::Call && r.path.is_empty())
            {
                effect.invokes = Some(Invoke::Now(r.when));
            }
            let target = match slot {
                Slot::Receiver => &mut summary.receiver,
                Slot::Param(i) => &mut summary.params[usize::from(i)],
                Slot::Capture(i) => &mut summary.captures[usize::from(i)],
            };
            *target = effect;
        }
        for i in 0..usize::from(f.results) {
            let mut origin: Option<Origin> = None;
            for (site, defs) in f.returns.iter().enumerate() {
                if !flow.reached.get(site).copied().unwrap_or(false) {
                    continue;
                }
                let o = self.origin(&defs[i], 0, &flow, site);
                origin = Some(match origin {
                    None => o,
                    Some(before) => merge(before, o),
                });
            }
            summary.results.push(origin.unwrap_or_default());
            summary.given.push(self.when_given(i, &flow));
        }
        summary
    }

    /// When a result is there, judged by all returns together.
    fn when_given(&self, result: usize, flow: &PathResult) -> Given {
        let sites = (self.f.returns.iter().enumerate())
            .filter(|(site, _)| flow.reached.get(*site).copied().unwrap_or(false));
        let Some(error) = self.f.error.map(usize::from) else {
            let alone = self.f.results == 1;
            return if alone
                || sites
                    .into_iter()
                    .all(|(_, defs)| !is_nothing(&defs[result]))
            {
                Given::Always
            } else {
                Given::Unknown
            };
        };
        for (_, defs) in sites {
            let nothing = is_nothing(&defs[result]);
            let says_so = match (&defs[error], nothing) {
                (Def::Nil, false) => true,
                (Def::Nil, true) => false,
                // An error that is returned beside nothing is taken to be one.
                (_, true) => true,
                (given, false) => self.go_together(&defs[result], given),
            };
            if !says_so {
                return Given::Unknown;
            }
        }
        Given::IfNil(error as u16)
    }

    /// Whether a value and an error are results of one call, handed on as they are, and belong together there.
    fn go_together(&self, value: &Def, error: &Def) -> bool {
        let (Some((c, r)), Some((d, e))) = (self.sole_call(value), self.sole_call(error)) else {
            return false;
        };
        c == d
            && match self.effs[usize::from(c)] {
                Eff::Known(s) if !s.given.is_empty() => s.given(usize::from(r)) == Given::IfNil(e),
                // By convention; whoever knows what the call acquires knows that too.
                _ => true,
            }
    }

    /// The call that gives a value, if nothing else does.
    fn sole_call(&self, def: &Def) -> Option<(u16, u16)> {
        let mut def = def;
        for _ in 0..4 {
            match def {
                Def::Call(c, r) => return Some((*c, *r)),
                Def::Place(p) if p.path.is_empty() => {
                    let value = &self.f.values[usize::from(p.value)];
                    match &value.defs[..] {
                        [only] if value.slot.is_none() && !value.unstable => def = only,
                        _ => return None,
                    }
                }
                _ => return None,
            }
        }
        None
    }

    fn origin(&self, def: &Def, depth: u32, flow: &PathResult, site: usize) -> Origin {
        if depth > 6 {
            return Origin::Unknown;
        }
        match def {
            Def::Nil => Origin::Nil,
            Def::Place(p) => self.origin_of_place(p, depth, flow, site),
            Def::Composite(fields) => Origin::Composite(
                fields
                    .iter()
                    .map(|(n, d)| (*n, self.origin(d, depth + 1, flow, site)))
                    .filter(|(_, o)| !matches!(o, Origin::Unknown | Origin::Nil))
                    .collect(),
            ),
            Def::Call(c, r) => self.origin_of_call(*c, *r, depth, flow, site),
            Def::Literal(_) | Def::Method(_) | Def::Mixed(_) | Def::Unknown => Origin::Unknown,
        }
    }

    fn origin_of_place(&self, p: &Place, depth: u32, flow: &PathResult, site: usize) -> Origin {
        let v = usize::from(p.value);
        let value = &self.f.values[v];
        if let Some(slot) = value.slot {
            return if value.unstable {
                Origin::Unknown
            } else {
                Origin::Slot(slot, p.path.clone())
            };
        }
        if value.unstable || self.fates[v] != Fate::Borrowed || depth > 6 {
            return Origin::Unknown;
        }
        let mut origin: Option<Origin> = None;
        for def in &value.defs {
            let o = self.origin(def, depth + 1, flow, site);
            origin = Some(match origin {
                None => o,
                Some(before) => merge(before, o),
            });
        }
        // A variable that nobody assigned is nil; one whose assignments were not understood has none that says so.
        let mut origin = origin.unwrap_or(Origin::Nil);
        let touched = flow.touched(site, p.value);
        if touched.len() > MAX_LIST {
            return Origin::Unknown;
        }
        match &mut origin {
            Origin::Fresh(list) => {
                for fresh in list {
                    for t in &touched {
                        if !fresh.touched.contains(t) {
                            fresh.touched.push(t.clone());
                        }
                    }
                    select(fresh, &p.path);
                }
            }
            Origin::Composite(fields) => {
                // What others put into the composite is in its edges.
                for e in &self.incoming[v] {
                    let edge = &self.edges[*e];
                    let FlowKind::Field(path) = &edge.kind else {
                        continue;
                    };
                    let [name] = path[..] else { continue };
                    if edge.strict || fields.iter().any(|(n, _)| *n == name) {
                        continue;
                    }
                    let inner = Place {
                        value: edge.from,
                        path: edge.path.clone(),
                    };
                    let o = self.origin_of_place(&inner, depth + 1, flow, site);
                    if !matches!(o, Origin::Unknown | Origin::Nil) {
                        fields.push((name, o));
                    }
                }
                if let [name, rest @ ..] = &p.path[..] {
                    let field = fields.iter().find(|(n, _)| n == name);
                    let mut field = field.map_or(Origin::Unknown, |(_, o)| o.clone());
                    match &mut field {
                        Origin::Fresh(list) => list.iter_mut().for_each(|f| select(f, rest)),
                        _ if rest.is_empty() => {}
                        _ => field = Origin::Unknown,
                    }
                    return field;
                }
            }
            Origin::Nil => {}
            _ if !p.path.is_empty() => return Origin::Unknown,
            _ => {}
        }
        origin
    }

    fn origin_of_call(&self, c: u16, r: u16, depth: u32, flow: &PathResult, site: usize) -> Origin {
        let call = &self.f.calls[usize::from(c)];
        let callee = match call.target {
            Target::Func(f) => Callee::Func(f),
            Target::Method(m) => Callee::Method(m),
            Target::Literal(_) | Target::Builtin(_) | Target::Value | Target::Unknown => {
                return Origin::Unknown;
            }
        };
        let source = Source {
            callee,
            result: r,
            path: Vec::new(),
        };
        let here = |touched| Fresh {
            sources: vec![source.clone()],
            touched,
        };
        let summary = match self.effs[usize::from(c)] {
            Eff::Bottom => return Origin::Nil,
            Eff::Unknown => return Origin::Fresh(vec![here(Vec::new())]),
            Eff::Known(s) => s,
        };
        let arg = |slot: Slot| -> Origin {
            let place = match slot {
                Slot::Receiver => call.receiver.as_ref(),
                Slot::Param(i) => match call.args.get(usize::from(i)) {
                    Some(Arg::Place(p)) => Some(p),
                    _ => None,
                },
                Slot::Capture(_) => None,
            };
            place.map_or(Origin::Unknown, |p| {
                self.origin_of_place(p, depth + 1, flow, site)
            })
        };
        match summary.result(usize::from(r)) {
            Origin::Unknown => Origin::Fresh(vec![here(Vec::new())]),
            Origin::Nil => Origin::Nil,
            Origin::Fresh(list) => Origin::Fresh(
                list.iter()
                    .map(|fresh| {
                        let mut out = here(fresh.touched.clone());
                        let room = 6usize.saturating_sub(out.sources.len());
                        out.sources.extend(fresh.sources.iter().take(room).cloned());
                        out
                    })
                    .collect(),
            ),
            Origin::Slot(slot, path) if path.is_empty() => match arg(*slot) {
                Origin::Fresh(mut list) => {
                    for fresh in &mut list {
                        fresh.sources.insert(0, source.clone());
                    }
                    Origin::Fresh(list)
                }
                other => other,
            },
            Origin::Slot(..) => Origin::Unknown,
            Origin::View(slot) => match arg(*slot) {
                Origin::Slot(own, path) if path.is_empty() => Origin::View(own),
                Origin::Fresh(list) | Origin::Around(list) => Origin::Around(list),
                _ => Origin::Fresh(vec![here(Vec::new())]),
            },
            Origin::Owner(slot) => match arg(*slot) {
                Origin::Slot(own, path) if path.is_empty() => Origin::Owner(own),
                Origin::Fresh(mut list) => {
                    for fresh in &mut list {
                        fresh.sources.insert(0, source.clone());
                    }
                    Origin::Fresh(list)
                }
                _ => Origin::Fresh(vec![here(Vec::new())]),
            },
            around @ Origin::Around(_) => around.clone(),
            Origin::Composite(fields) => Origin::Composite(
                fields
                    .iter()
                    .map(|(n, o)| {
                        let o = match o {
                            Origin::Slot(slot, path) if path.is_empty() => arg(*slot),
                            Origin::Slot(..) | Origin::View(_) | Origin::Owner(_) => {
                                Origin::Unknown
                            }
                            other => other.clone(),
                        };
                        (*n, o)
                    })
                    .filter(|(_, o)| !matches!(o, Origin::Unknown | Origin::Nil))
                    .collect(),
            ),
        }
    }
}

fn captured(f: &Function, literal: u16) -> Vec<ValueId> {
    f.literals
        .iter()
        .find(|(n, _)| *n == literal)
        .map(|(_, values)| values.clone())
        .unwrap_or_default()
}

/// When a function value is called, by what is known of where it went.
fn invoked(effect: &ParamEffect) -> Option<Invoke> {
    effect
        .invokes
        .or_else(|| effect.is_called().map(Invoke::Now))
}

/// How what goes along an edge is returned, if the target is returned in this way.
fn through(edge: &Edge, flow: &Flow) -> Option<(Vec<Name>, FlowKind)> {
    match &edge.kind {
        FlowKind::Same => Some((concat(&edge.path, &flow.path), flow.kind.clone())),
        FlowKind::Field(field) => {
            if flow.path.starts_with(field) {
                Some((
                    concat(&edge.path, &flow.path[field.len()..]),
                    flow.kind.clone(),
                ))
            } else if field.starts_with(&flow.path) {
                let rest = &field[flow.path.len()..];
                let kind = match &flow.kind {
                    FlowKind::Same => FlowKind::Field(rest.to_vec()),
                    FlowKind::Field(outer) => FlowKind::Field(concat(outer, rest)),
                    FlowKind::Closure => FlowKind::Closure,
                    FlowKind::View | FlowKind::Owner => FlowKind::View,
                };
                Some((edge.path.clone(), kind))
            } else {
                None
            }
        }
        kind @ (FlowKind::View | FlowKind::Owner | FlowKind::Closure) => {
            let out = match &flow.kind {
                FlowKind::Same if flow.path.is_empty() => kind.clone(),
                FlowKind::Closure => FlowKind::Closure,
                _ => FlowKind::View,
            };
            Some((edge.path.clone(), out))
        }
    }
}

/// Goes from a value to what lies in its fields.
fn select(fresh: &mut Fresh, path: &[Name]) {
    if path.is_empty() {
        return;
    }
    for source in &mut fresh.sources {
        source.path.extend_from_slice(path);
    }
    fresh.touched.retain(|t| t.path.starts_with(path));
    for t in &mut fresh.touched {
        t.path.drain(..path.len());
    }
}

/// Nil, or a value in which nothing of interest is.
fn is_nothing(def: &Def) -> bool {
    match def {
        Def::Nil => true,
        Def::Composite(fields) => fields.iter().all(|(_, d)| is_nothing(d)),
        _ => false,
    }
}

/// What two returns, or two assignments, have in common.
fn merge(a: Origin, b: Origin) -> Origin {
    match (a, b) {
        (Origin::Nil, x) | (x, Origin::Nil) => x,
        (Origin::Fresh(mut xs), Origin::Fresh(ys)) => {
            for y in ys {
                match xs.iter_mut().find(|x| x.sources == y.sources) {
                    Some(x) => {
                        for t in y.touched {
                            if !x.touched.contains(&t) {
                                x.touched.push(t);
                            }
                        }
                    }
                    None => xs.push(y),
                }
            }
            if xs.len() > 8 {
                return Origin::Unknown;
            }
            Origin::Fresh(xs)
        }
        (Origin::Around(mut xs), Origin::Around(ys)) => {
            xs.extend(
                ys.into_iter()
                    .filter(|y| !xs.contains(y))
                    .collect::<Vec<_>>(),
            );
            if xs.len() > 8 {
                return Origin::Unknown;
            }
            Origin::Around(xs)
        }
        (Origin::Composite(xs), Origin::Composite(ys)) => {
            let mut out = Vec::new();
            for (name, x) in xs {
                let y = ys
                    .iter()
                    .find(|(n, _)| *n == name)
                    .map_or(Origin::Nil, |(_, y)| y.clone());
                match merge(x, y) {
                    Origin::Unknown | Origin::Nil => {}
                    o => out.push((name, o)),
                }
            }
            for (name, y) in ys {
                if !out.iter().any(|(n, _)| *n == name) {
                    out.push((name, y));
                }
            }
            Origin::Composite(out)
        }
        (x, y) if x == y => x,
        _ => Origin::Unknown,
    }
}

/// What is followed along the paths.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Released(Place, How),
    Holds(ValueId, Fact),
}

/// What holds at a point on all paths to it: surely, or surely if assertions succeed; and what may have happened on some.
///
/// Three sets of bits of `words` words each, one after the other.
#[derive(Clone, PartialEq, Eq)]
struct State(Vec<u64>);

/// A set in a [`State`].
#[derive(Clone, Copy)]
enum Set {
    Sure,
    Lenient,
    May,
}

impl State {
    fn empty(words: usize) -> Self {
        Self(vec![0; 3 * words])
    }
    fn words(&self) -> usize {
        self.0.len() / 3
    }
    fn at(&self, set: Set, i: usize) -> usize {
        set as usize * self.words() + i / 64
    }
    fn set(&mut self, set: Set, i: usize) {
        let at = self.at(set, i);
        self.0[at] |= 1 << (i % 64);
    }
    fn clear(&mut self, set: Set, i: usize) {
        let at = self.at(set, i);
        self.0[at] &= !(1 << (i % 64));
    }
    fn has(&self, set: Set, i: usize) -> bool {
        self.0[self.at(set, i)] & (1 << (i % 64)) != 0
    }
    /// Two paths meet; whether that changed anything.
    fn meet(&mut self, other: &Self) -> bool {
        let must = 2 * self.words();
        let mut changed = false;
        for (i, (a, b)) in self.0.iter_mut().zip(&other.0).enumerate() {
            let new = if i < must { *a & b } else { *a | b };
            changed |= new != *a;
            *a = new;
        }
        changed
    }
    fn both(&mut self, i: usize) {
        self.set(Set::Sure, i);
        self.set(Set::Lenient, i);
    }
    fn neither(&mut self, i: usize) {
        self.clear(Set::Sure, i);
        self.clear(Set::Lenient, i);
    }
}

/// The effect of a call along the paths.
#[derive(Clone, Default)]
struct Step {
    sure: Vec<usize>,
    lenient: Vec<usize>,
    may: Vec<usize>,
    /// Facts that hold after it.
    facts: Vec<(Place, Fact)>,
    /// The same as keys.
    holds: Vec<usize>,
    stops: bool,
}

/// What a step along an edge sets and clears.
#[derive(Clone)]
enum Change {
    Both(Vec<usize>),
    Lenient(Vec<usize>),
    Clear(Vec<usize>),
}

struct Paths<'w, 'a> {
    work: &'w Work<'a>,
    keys: Vec<Key>,
    index: FxHashMap<Key, usize>,
    /// Keys about releases, by value.
    releases: FxHashMap<ValueId, Vec<usize>>,
    /// By call.
    steps: Vec<Step>,
    /// By block and edge.
    edges: Vec<Vec<Vec<Change>>>,
    /// Own parameters that conditions ask for, and what for: being true, or not nil.
    flags: Vec<(Slot, ValueId, Fact)>,
    /// Events that depend on an own parameter in a callee.
    conditional: Vec<(usize, Slot, Fact)>,
}

struct PathResult {
    keys: Vec<Key>,
    /// At all returns together.
    at_end: Option<State>,
    if_true: Option<State>,
    if_false: Option<State>,
    /// What may happen at all.
    happens: State,
    conditional: Vec<(usize, Slot, Fact)>,
    reached: Vec<bool>,
    at_site: Vec<Option<State>>,
    never_returns: Option<NoReturn>,
}

impl<'w, 'a> Paths<'w, 'a> {
    fn new(work: &'w Work<'a>) -> Self {
        let mut this = Self {
            work,
            keys: Vec::new(),
            index: FxHashMap::default(),
            releases: FxHashMap::default(),
            steps: vec![Step::default(); work.f.calls.len()],
            edges: Vec::new(),
            flags: Vec::new(),
            conditional: Vec::new(),
        };
        for n in 0..work.f.calls.len() {
            this.steps[n] = this.step(n);
        }
        let f = work.f;
        for block in &f.graph.blocks {
            let ends: [Option<&Vec<EdgeFact>>; 2] = match &block.end {
                End::Return { yes, no, .. } => [yes.as_ref(), no.as_ref()],
                _ => [None, None],
            };
            let all = block.next.iter().map(|e| &e.facts);
            for fact in all.chain(ends.into_iter().flatten()).flatten() {
                match fact {
                    EdgeFact::Is(p, fact) => {
                        this.holds_keys(p, *fact);
                    }
                    EdgeFact::Gave(c, value) => {
                        for (p, fact) in this.guards(*c, *value) {
                            this.holds_keys(&p, fact);
                        }
                    }
                    _ => {}
                }
            }
        }
        if this.keys.len() <= MAX_KEYS {
            this.edges = (f.graph.blocks.iter())
                .map(|b| b.next.iter().map(|e| this.changes(&e.facts)).collect())
                .collect();
        }
        this
    }

    fn key(&mut self, key: Key) -> usize {
        if let Some(i) = self.index.get(&key) {
            return *i;
        }
        let i = self.keys.len();
        if let Key::Released(p, _) = &key {
            self.releases.entry(p.value).or_default().push(i);
        }
        self.keys.push(key.clone());
        self.index.insert(key, i);
        i
    }

    /// Only what comes in, and what may be returned, is of interest.
    fn is_followed(&self, v: ValueId) -> bool {
        let value = &self.work.f.values[usize::from(v)];
        (value.slot.is_some() && !value.opaque) || !self.work.returned[usize::from(v)].is_empty()
    }

    fn holds_keys(&mut self, p: &Place, fact: Fact) -> Vec<usize> {
        let mut out = Vec::new();
        for (p, sure) in self.work.names(p, false).iter() {
            let value = &self.work.f.values[usize::from(p.value)];
            if *sure && p.path.is_empty() && value.slot.is_some() {
                let asked = match fact {
                    Fact::True | Fact::False => Fact::True,
                    Fact::Nil | Fact::NonNil => Fact::NonNil,
                };
                if let Some(slot) = value.slot
                    && !value.unstable
                    && !self.flags.iter().any(|(s, ..)| *s == slot)
                {
                    self.flags.push((slot, p.value, asked));
                }
                out.push(self.key(Key::Holds(p.value, fact)));
            }
        }
        out
    }

    /// What follows from a call's having given true or false.
    fn guards(&self, c: u16, value: bool) -> Vec<(Place, Fact)> {
        let call = &self.work.f.calls[usize::from(c)];
        let Eff::Known(s) = self.work.effs[usize::from(c)] else {
            return Vec::new();
        };
        let mut out = Vec::new();
        for (i, arg) in call.args.iter().enumerate() {
            let Arg::Place(p) = arg else { continue };
            let effect = s.param(i);
            let guard = if value {
                effect.if_true
            } else {
                effect.if_false
            };
            let Some(Guard { fact, unless_nil }) = guard else {
                continue;
            };
            // A target that is not a variable of ours is a sentinel.
            if unless_nil.is_none_or(|q| matches!(call.args.get(usize::from(q)), Some(Arg::Other)))
            {
                out.push((p.clone(), fact));
            }
        }
        out
    }

    fn step(&mut self, n: usize) -> Step {
        let work = self.work;
        let mut step = Step::default();
        for event in &work.events[n] {
            let names = work.names(&event.place, matches!(event.how, How::Method(_)));
            for (p, sure) in names.iter() {
                if !self.is_followed(p.value) {
                    continue;
                }
                let key = self.key(Key::Released(p.clone(), event.how));
                step.may.push(key);
                match event.when {
                    When::Always if *sure => {
                        step.sure.push(key);
                        step.lenient.push(key);
                    }
                    When::IfAsserted if *sure => step.lenient.push(key),
                    When::If(slot, value) if *sure => self.conditional.push((key, slot, value)),
                    _ => {}
                }
            }
        }
        let call = &work.f.calls[n];
        if call.timing == Timing::Now {
            match work.effs[n] {
                Eff::Bottom => step.stops = true,
                Eff::Known(s) => {
                    step.stops = s.never_returns.is_some();
                    for (i, arg) in call.args.iter().enumerate() {
                        let (Arg::Place(p), Some(fact)) = (arg, s.param(i).after) else {
                            continue;
                        };
                        step.holds.extend(self.holds_keys(p, fact));
                        step.facts.push((p.clone(), fact));
                    }
                }
                Eff::Unknown => {}
            }
        }
        step
    }

    /// All keys about releases at or below the place, by any of its names.
    fn below(&self, p: &Place) -> Vec<usize> {
        if self.releases.is_empty() {
            return Vec::new();
        }
        let mut out = Vec::new();
        for (p, sure) in self.work.names(p, false).iter() {
            let Some(keys) = self.releases.get(&p.value) else {
                continue;
            };
            for &i in keys.iter().filter(|_| *sure) {
                if let Key::Released(q, _) = &self.keys[i]
                    && q.path.starts_with(&p.path)
                {
                    out.push(i);
                }
            }
        }
        out
    }

    /// What a fact about a place sets: the fact, and where it is nil, everything that would be done to it.
    fn is(&self, p: &Place, fact: Fact) -> Vec<usize> {
        let mut out = if fact == Fact::Nil {
            self.below(p)
        } else {
            Vec::new()
        };
        for (p, sure) in self.work.names(p, false).iter() {
            if *sure && p.path.is_empty() {
                out.extend(self.index.get(&Key::Holds(p.value, fact)));
            }
        }
        out
    }

    fn changes(&self, facts: &[EdgeFact]) -> Vec<Change> {
        let mut out = Vec::new();
        for fact in facts {
            let change = match fact {
                EdgeFact::Is(p, fact) => Change::Both(self.is(p, *fact)),
                EdgeFact::Gave(c, value) => Change::Both(
                    (self.guards(*c, *value).iter())
                        .flat_map(|(p, fact)| self.is(p, *fact))
                        .collect(),
                ),
                EdgeFact::NotAsserted(p) => Change::Lenient(self.below(p)),
                EdgeFact::Begins(p) => Change::Both(self.below(p)),
                EdgeFact::Next(p) | EdgeFact::Leaves(p) => Change::Clear(self.below(p)),
            };
            if let Change::Both(keys) | Change::Lenient(keys) | Change::Clear(keys) = &change
                && !keys.is_empty()
            {
                out.push(change);
            }
        }
        out
    }

    fn apply(state: &mut State, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Both(keys) => keys.iter().for_each(|i| state.both(*i)),
                Change::Lenient(keys) => keys.iter().for_each(|i| state.set(Set::Lenient, *i)),
                Change::Clear(keys) => keys.iter().for_each(|i| state.neither(*i)),
            }
        }
    }

    /// Whether an edge cannot be taken if this holds for the flag.
    fn contradicts(&self, facts: &[EdgeFact], flag: (ValueId, Fact)) -> bool {
        facts.iter().any(|fact| match fact {
            EdgeFact::Is(p, fact) if *fact == flag.1.negated() => (self.work.names(p, false))
                .iter()
                .any(|(p, sure)| *sure && p.path.is_empty() && p.value == flag.0),
            _ => false,
        })
    }

    fn run(mut self) -> PathResult {
        for n in 0..self.steps.len() {
            let facts = std::mem::take(&mut self.steps[n].facts);
            for (p, fact) in facts {
                let keys = self.is(&p, fact);
                self.steps[n].holds.extend(keys);
            }
        }
        let mut result = self.pass(None);
        // What happens on some paths only may depend on a flag.
        let undecided: Vec<usize> = match &result.at_end {
            Some(state) => (0..self.keys.len())
                .filter(|i| {
                    matches!(self.keys[*i], Key::Released(..))
                        && result.happens.has(Set::May, *i)
                        && !state.has(Set::Lenient, *i)
                })
                .collect(),
            None => Vec::new(),
        };
        if !undecided.is_empty() {
            // Flags proper first.
            let mut flags = self.flags.clone();
            flags.sort_by_key(|(slot, _, fact)| (*fact != Fact::True, *slot));
            for &(slot, v, fact) in flags.iter().take(MAX_FLAGS) {
                let yes = self.pass(Some((v, fact)));
                let no = self.pass(Some((v, fact.negated())));
                for &i in &undecided {
                    // That there is nothing to release where there is nothing is known.
                    if matches!(&self.keys[i], Key::Released(p, _) if p.value == v) {
                        continue;
                    }
                    let sure =
                        |r: &PathResult| (r.at_end.as_ref()).is_some_and(|s| s.has(Set::Sure, i));
                    if sure(&yes) && !no.happens.has(Set::May, i) {
                        result.conditional.push((i, slot, fact));
                    } else if sure(&no) && !yes.happens.has(Set::May, i) {
                        result.conditional.push((i, slot, fact.negated()));
                    }
                }
            }
        }
        result.keys = self.keys;
        result
    }

    fn pass(&self, flag: Option<(ValueId, Fact)>) -> PathResult {
        let f = self.work.f;
        let words = self.keys.len().div_ceil(64);
        let blocks = &f.graph.blocks;
        let mut result = PathResult {
            keys: Vec::new(),
            at_end: None,
            if_true: None,
            if_false: None,
            happens: State::empty(words),
            conditional: Vec::new(),
            reached: vec![false; f.returns.len()],
            at_site: vec![None; f.returns.len()],
            never_returns: None,
        };
        if blocks.is_empty() {
            return result;
        }
        if self.keys.is_empty()
            && !self.steps.iter().any(|s| s.stops)
            && blocks.iter().any(|b| matches!(b.end, End::Return { .. }))
        {
            // Nothing to follow: all of the graph is reachable.
            result.reached.fill(true);
            result.at_end = Some(State::empty(0));
            result.at_site.fill(Some(State::empty(0)));
            return result;
        }
        let mut states: Vec<Option<State>> = vec![None; blocks.len()];
        states[0] = Some(State::empty(words));
        let mut dirty = vec![false; blocks.len()];
        dirty[0] = true;
        let mut changed = true;
        while changed {
            changed = false;
            for (b, block) in blocks.iter().enumerate() {
                if !std::mem::take(&mut dirty[b]) {
                    continue;
                }
                let Some(mut state) = states[b].clone() else {
                    continue;
                };
                if !self.through_block(block, &mut state) {
                    continue;
                }
                for (i, edge) in block.next.iter().enumerate() {
                    if flag.is_some_and(|f| self.contradicts(&edge.facts, f)) {
                        continue;
                    }
                    let to = usize::from(edge.to);
                    let mut out = state.clone();
                    Self::apply(&mut out, &self.edges[b][i]);
                    let news = match states.get_mut(to) {
                        Some(Some(before)) => before.meet(&out),
                        Some(slot) => {
                            *slot = Some(out);
                            true
                        }
                        None => false,
                    };
                    if news {
                        dirty[to] = true;
                        changed |= to <= b;
                    }
                }
            }
        }
        let mut unwinds = false;
        let mut returns = false;
        for (b, block) in blocks.iter().enumerate() {
            let Some(mut state) = states[b].take() else {
                continue;
            };
            let goes_on = self.through_block(block, &mut state);
            result.happens.meet(&state);
            if !goes_on {
                unwinds |= self.stop_unwinds(block);
                continue;
            }
            match &block.end {
                End::Open => {}
                End::NoReturn { unwinds: u } => unwinds |= u,
                End::Return { site, yes, no } => {
                    returns = true;
                    let site = usize::from(*site);
                    result.reached[site] = true;
                    for p in &block.inside {
                        for i in self.below(p) {
                            state.neither(i);
                        }
                    }
                    meet(&mut result.at_site[site], &state);
                    for (facts, acc) in [(yes, &mut result.if_true), (no, &mut result.if_false)] {
                        let Some(facts) = facts else { continue };
                        if facts.is_empty() {
                            meet(acc, &state);
                        } else {
                            let mut s = state.clone();
                            Self::apply(&mut s, &self.changes(facts));
                            meet(acc, &s);
                        }
                    }
                    meet(&mut result.at_end, &state);
                }
            }
        }
        if !returns {
            result.never_returns = Some(NoReturn { unwinds });
        }
        for (i, slot, value) in &self.conditional {
            // Depends on a flag in a callee.
            if result.happens.has(Set::May, *i) {
                result.conditional.push((*i, *slot, *value));
            }
        }
        result
    }

    /// Whether what ended the block runs deferred calls.
    fn stop_unwinds(&self, block: &super::digest::GBlock) -> bool {
        block
            .calls
            .iter()
            .map(|c| usize::from(*c))
            .find(|c| self.steps[*c].stops)
            .is_some_and(|c| match self.work.effs[c] {
                Eff::Known(s) => s.never_returns.is_some_and(|n| n.unwinds),
                Eff::Bottom | Eff::Unknown => false,
            })
    }

    /// Runs the calls of a block; `false` if one of them never returns.
    fn through_block(&self, block: &super::digest::GBlock, state: &mut State) -> bool {
        for c in &block.calls {
            let step = &self.steps[usize::from(*c)];
            step.sure.iter().for_each(|i| state.set(Set::Sure, *i));
            step.lenient
                .iter()
                .for_each(|i| state.set(Set::Lenient, *i));
            step.may.iter().for_each(|i| state.set(Set::May, *i));
            step.holds.iter().for_each(|i| state.both(*i));
            if step.stops {
                return false;
            }
        }
        true
    }
}

fn meet(acc: &mut Option<State>, state: &State) {
    match acc {
        Some(acc) => {
            acc.meet(state);
        }
        None => *acc = Some(state.clone()),
    }
}

impl PathResult {
    fn fill(&self, v: ValueId, effect: &mut ParamEffect) {
        let fact = |bits: &State| {
            let mut found = None;
            for (i, key) in self.keys.iter().enumerate() {
                if let Key::Holds(w, fact) = key
                    && *w == v
                    && bits.has(Set::Sure, i)
                {
                    found = Some(*fact);
                }
            }
            found
        };
        for (i, key) in self.keys.iter().enumerate() {
            let Key::Released(place, how) = key else {
                continue;
            };
            if place.value != v || !self.happens.has(Set::May, i) {
                continue;
            }
            let flag = self.conditional.iter().find(|(k, ..)| *k == i);
            let when = match (&self.at_end, flag) {
                // It never returns at all.
                (None, _) => continue,
                (Some(s), _) if s.has(Set::Sure, i) => When::Always,
                (Some(s), _) if s.has(Set::Lenient, i) => When::IfAsserted,
                (Some(_), Some((_, slot, value))) => When::If(*slot, *value),
                (Some(_), None) => When::Sometimes,
            };
            effect.releases.push(Release {
                path: place.path.clone(),
                how: *how,
                when,
            });
        }
        if self.keys.is_empty() {
            return;
        }
        effect.after = self.at_end.as_ref().and_then(fact);
        if effect.after.is_none() {
            effect.if_true = self.if_true.as_ref().and_then(fact).map(Guard::new);
            effect.if_false = self.if_false.as_ref().and_then(fact).map(Guard::new);
        }
    }

    /// What may have been done to a local variable before the return.
    fn touched(&self, site: usize, v: ValueId) -> Vec<Touch> {
        let Some(Some(state)) = self.at_site.get(site) else {
            return Vec::new();
        };
        (self.keys.iter().enumerate())
            .filter(|(i, _)| state.has(Set::May, *i))
            .filter_map(|(_, k)| match k {
                Key::Released(p, how) if p.value == v => Some(Touch {
                    path: p.path.clone(),
                    how: *how,
                }),
                _ => None,
            })
            .collect()
    }
}
