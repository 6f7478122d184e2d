//! What a body does, boiled down to what matters for summaries.
//!
//! A [`Digest`] is computed from one declaration alone; what its callees do is left open and filled in by [`super::solve`]. It holds
//! no positions, so that most edits of a body leave it equal and the summaries of the unit need not be solved again.
//!
//! Everything revolves around *values*: the receiver, parameters and captured variables that come in, local variables, and results
//! of calls that are handed on. A [`Place`] is a value and a path of fields from there.

use go_syntax::Name;
use go_syntax::ast::{
    BinaryOp, Block, DeclTree, ExprId, ExprKind, FuncLit, LiteralKind, Signature, StmtId, StmtKind,
    UnaryOp,
};
use la_arena::ArenaMap;
use rustc_hash::FxHashMap;
use text_size::TextRange;

use super::{ELEMENT, Fact, Keep, Slot};
use crate::cfg::{self, BlockId, Cfg, Cond, Node, Terminator};
use crate::facts::{Callee, Facts, ItemRef, LocalId, LocalKind, MethodRef, Res};
use crate::noreturn;
use crate::types::{Basic, Ty, TyKind};

/// The digest of a declared function and of the literals in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Digest {
    /// The declared function, then its literals in the order of [`Facts::literals`]. Empty if nothing is known.
    pub functions: Vec<Function>,
}

impl Digest {
    /// Whether it matters here what a call of `target` does or gives: something goes in that is followed, or what comes out is.
    pub fn minds(&self, target: &Target) -> bool {
        self.functions.iter().any(|f| f.minds(target))
    }
}

impl Function {
    fn minds(&self, target: &Target) -> bool {
        (self.calls.iter().enumerate()).any(|(n, call)| {
            call.target == *target
                && (call.receiver.is_some()
                    || (call.args.iter())
                        .any(|a| !matches!(a, Arg::Other | Arg::Nil | Arg::Bool(_)))
                    || self.uses_result(n))
        })
    }

    fn uses_result(&self, call: usize) -> bool {
        let is = |c: u16| usize::from(c) == call;
        let defs = (self.values.iter().flat_map(|v| &v.defs)).chain(self.returns.iter().flatten());
        defs.into_iter().any(|d| d.holds(&is))
            || (self.graph.blocks.iter())
                .flat_map(|b| b.next.iter().flat_map(|e| &e.facts).chain(b.end.facts()))
                .any(|fact| matches!(fact, EdgeFact::Gave(c, _) if is(*c)))
    }
}

impl Def {
    fn holds(&self, call: &impl Fn(u16) -> bool) -> bool {
        match self {
            Def::Call(c, _) => call(*c),
            Def::Composite(fields) => fields.iter().any(|(_, d)| d.holds(call)),
            Def::Mixed(parts) => parts.iter().any(|d| d.holds(call)),
            Def::Nil | Def::Place(_) | Def::Literal(_) | Def::Method(_) | Def::Unknown => false,
        }
    }
}

impl End {
    fn facts(&self) -> impl Iterator<Item = &EdgeFact> {
        let (yes, no) = match self {
            End::Return { yes, no, .. } => (yes.as_deref(), no.as_deref()),
            End::Open | End::NoReturn { .. } => (None, None),
        };
        yes.into_iter().chain(no).flatten()
    }
}

/// The digest of one function.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Function {
    pub method: bool,
    pub params: u16,
    pub captures: u16,
    pub results: u16,
    pub returns_bool: bool,
    /// The only result that is an error.
    pub error: Option<u16>,
    pub values: Vec<Value>,
    pub calls: Vec<Call>,
    pub uses: Vec<(Place, Use)>,
    /// What each return statement gives, by result.
    pub returns: Vec<Vec<Def>>,
    /// Calls `recover`.
    pub recovers: bool,
    pub graph: Graph,
    /// Captured variables of the literals made here, as values of this function: literal, values in the order of its captures.
    pub literals: Vec<(u16, Vec<ValueId>)>,
}

pub(crate) type ValueId = u16;

/// A value and the way from it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub value: ValueId,
    pub path: Vec<Name>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Value {
    /// Where it comes in.
    pub slot: Option<Slot>,
    /// What is assigned to it.
    pub defs: Vec<Def>,
    /// A variable that comes in and is assigned here, or whose address is taken: what is known of it is not about what came in.
    pub unstable: bool,
    /// Of a type whose values are not followed: numbers, strings.
    pub opaque: bool,
}

/// Something that a variable or result gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Def {
    Nil,
    Place(Place),
    /// A result of call number …
    Call(u16, u16),
    Composite(Vec<(Name, Def)>),
    Literal(u16),
    /// A method value.
    Method(Place),
    /// Contains these, nobody knows how.
    Mixed(Vec<Def>),
    Unknown,
}

/// Something that happens to a value other than through a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Use {
    Keep(Keep),
    Escape,
    /// Becomes part of another value at this path: `w.f = v`.
    Into(ValueId, Vec<Name>),
    /// Returned inside a function value.
    ReturnClosure(u16),
    /// The place itself is given another value.
    Overwritten,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    Func(ItemRef),
    Method(MethodRef),
    Builtin(Name),
    Literal(u16),
    /// The callee is this value.
    Value,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timing {
    Now,
    Deferred,
    Goroutine,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub target: Target,
    /// The receiver, or the called value for [`Target::Value`].
    pub receiver: Option<Place>,
    /// Whether calling this method may be a release, by its results.
    pub may_release: bool,
    pub args: Vec<Arg>,
    /// Arguments that are not nil by their form, as bits.
    pub nonnil: u64,
    /// Arguments that keep their type: no pointer goes into an interface.
    pub exact: u64,
    pub timing: Timing,
}

impl Call {
    pub(crate) fn is_nonnil(&self, arg: u16) -> bool {
        arg < 64 && self.nonnil & (1 << arg) != 0
    }

    pub(crate) fn keeps_type(&self, arg: u16) -> bool {
        arg < 64 && self.exact & (1 << arg) != 0
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Arg {
    Other,
    Nil,
    Bool(bool),
    Place(Place),
    Literal(u16),
    /// A method value.
    Method(Place, Name),
    /// Contains these.
    Mixed(Vec<Place>),
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Graph {
    pub blocks: Vec<GBlock>,
    /// The end of the body cannot be seen (too deep).
    pub truncated: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct GBlock {
    /// Calls in order.
    pub calls: Vec<u16>,
    pub next: Vec<Edge>,
    pub end: End,
    /// Range loops around the block that have not run to their end.
    pub inside: Vec<Place>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edge {
    pub to: u16,
    pub facts: Vec<EdgeFact>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EdgeFact {
    Is(Place, Fact),
    /// The call gave this.
    Gave(u16, bool),
    /// A comma-ok assertion of the place failed.
    NotAsserted(Place),
    /// A loop over the elements of the place begins, takes its next element, or is left before its end.
    Begins(Place),
    Next(Place),
    Leaves(Place),
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum End {
    /// Goes on, or never ends normally.
    #[default]
    Open,
    Return {
        /// Index in [`Function::returns`].
        site: u16,
        /// What holds if the only result, a bool, is true; `None`: it is not.
        yes: Option<Vec<EdgeFact>>,
        /// The same if it is false.
        no: Option<Vec<EdgeFact>>,
    },
    NoReturn {
        unwinds: bool,
    },
}

/// Whether values of the type can matter: not numbers, strings and the like.
fn matters(ty: &Ty) -> bool {
    match ty.kind() {
        TyKind::Basic(b) => matches!(b, Basic::UnsafePointer | Basic::UntypedNil),
        TyKind::Tuple(tys) => tys.iter().any(matters),
        TyKind::Slice(inner) | TyKind::Array(_, inner) => matters(inner) || is_byte(inner),
        _ => true,
    }
}

fn is_byte(ty: &Ty) -> bool {
    matches!(ty.kind(), TyKind::Basic(Basic::Uint8))
}

/// The digest of a declaration.
pub(crate) fn digest(tree: &DeclTree, facts: &Facts) -> Digest {
    let Some(func) = tree.func() else {
        return Digest::default();
    };
    let Some(body) = &func.body else {
        return Digest::default();
    };
    if tree.has_error {
        return Digest::default();
    }
    let mut literals: ArenaMap<ExprId, u16> = ArenaMap::default();
    let mut bodies: Vec<(ExprId, &FuncLit)> = Vec::new();
    for (id, _) in facts.literals.iter() {
        let (Ok(n), Some(lit)) = (u16::try_from(bodies.len()), tree.func_lit(id)) else {
            return Digest::default();
        };
        literals.insert(id, n);
        bodies.push((id, lit));
    }
    let mut by_range: FxHashMap<TextRange, Vec<LocalId>> = FxHashMap::default();
    for (id, local) in facts.locals.iter() {
        by_range.entry(local.ident.range).or_default().push(id);
    }
    let shared = Shared {
        tree,
        facts,
        literals,
        by_range,
    };
    let mut functions = Vec::with_capacity(1 + bodies.len());
    functions.push(Builder::new(&shared, None).run(&func.signature, body));
    for (id, lit) in bodies {
        functions.push(Builder::new(&shared, Some(id)).run(&lit.signature, &lit.body));
    }
    if functions
        .iter()
        .any(|f| f.values.len().max(f.calls.len()) >= usize::from(u16::MAX))
    {
        return Digest::default();
    }
    Digest { functions }
}

struct Shared<'a> {
    tree: &'a DeclTree,
    facts: &'a Facts,
    literals: ArenaMap<ExprId, u16>,
    /// Locals by the place of their declaration; several for a type switch.
    by_range: FxHashMap<TextRange, Vec<LocalId>>,
}

struct Builder<'a> {
    tree: &'a DeclTree,
    facts: &'a Facts,
    shared: &'a Shared<'a>,
    /// The literal whose body this is.
    literal: Option<ExprId>,
    out: Function,
    values: FxHashMap<LocalId, ValueId>,
    /// Locals that are another name for a place.
    aliases: FxHashMap<LocalId, Place>,
    /// Locals that hold a literal and nothing else.
    closures: FxHashMap<LocalId, u16>,
    /// The `ok` of a comma-ok assertion of a place.
    oks: FxHashMap<LocalId, Place>,
    /// Bool locals that say what a call gave: `missing := os.IsNotExist(err)`.
    verdicts: FxHashMap<LocalId, u16>,
    /// The call expression of each call.
    call_ids: FxHashMap<ExprId, u16>,
    /// Literals whose captures were noted.
    noted: Vec<u16>,
    /// The range statements by what they range over.
    ranged: FxHashMap<ExprId, StmtId>,
    /// What the elements of the ranges seen so far are.
    ranges: FxHashMap<StmtId, Place>,
    block: usize,
    bare_results: Vec<Option<LocalId>>,
}

/// What an expression gives.
enum Val {
    /// Nothing that matters.
    None,
    Nil,
    Bool(bool),
    Place(Place),
    Call(u16),
    Composite(Vec<(Name, Val)>),
    Literal(u16),
    Method(Place, Name),
    Mixed(Vec<Val>),
}

/// Where a value goes.
#[derive(Clone, Copy)]
enum Sink<'a> {
    Keep(Keep),
    Escape,
    Into(ValueId, &'a [Name]),
}

impl<'a> Builder<'a> {
    fn new(shared: &'a Shared<'a>, literal: Option<ExprId>) -> Self {
        Self {
            tree: shared.tree,
            facts: shared.facts,
            shared,
            literal,
            out: Function::default(),
            values: FxHashMap::default(),
            aliases: FxHashMap::default(),
            closures: FxHashMap::default(),
            oks: FxHashMap::default(),
            verdicts: FxHashMap::default(),
            call_ids: FxHashMap::default(),
            noted: Vec::new(),
            ranged: FxHashMap::default(),
            ranges: FxHashMap::default(),
            block: 0,
            bare_results: Vec::new(),
        }
    }

    fn run(mut self, signature: &Signature, body: &Block) -> Function {
        let facts = self.facts;
        let (params, results, captures, receiver) = match self.literal {
            None => (&facts.params, &facts.results, None, facts.receiver),
            Some(id) => {
                let lit = &facts.literals[id];
                (&lit.params, &lit.results, Some(&lit.captures), None)
            }
        };
        self.out.params = signature.params.len() as u16;
        self.out.results = signature.results.len() as u16;
        self.out.method =
            self.literal.is_none() && self.tree.func().is_some_and(|f| f.receiver.is_some());
        self.out.returns_bool = signature.results.len() == 1
            && matches!(
                facts.types.get(signature.results[0].ty).map(Ty::kind),
                Some(TyKind::Basic(Basic::Bool))
            );
        let mut errors = (signature.results.iter().enumerate())
            .filter(|(_, r)| facts.types.get(r.ty).is_some_and(Ty::is_error));
        self.out.error = match (errors.next(), errors.next()) {
            (Some((i, _)), None) => u16::try_from(i).ok(),
            _ => None,
        };
        self.bare_results = results.clone();
        if let Some(local) = receiver {
            self.incoming(local, Slot::Receiver, 1);
        }
        for (i, local) in params.iter().enumerate() {
            if let Some(local) = *local {
                self.incoming(local, Slot::Param(i as u16), 1);
            }
        }
        for (i, local) in captures.into_iter().flatten().enumerate() {
            // Whether this body itself assigns it is seen when the body is walked.
            self.incoming(*local, Slot::Capture(i as u16), u32::MAX);
        }
        self.out.captures = captures.map_or(0, |c| c.len() as u16);

        let (tree, facts) = (self.tree, self.facts);
        let graph = cfg::build_with(
            tree,
            body,
            &|call| noreturn::known(tree, facts, call),
            &|cond| match facts.refs.get(cond) {
                Some(Res::Bool(value)) => Some(*value),
                _ => None,
            },
        );
        self.walk(&graph);
        self.out
    }

    fn incoming(&mut self, local: LocalId, slot: Slot, allowed: u32) {
        let l = &self.facts.locals[local];
        let id = self.value(local);
        let value = &mut self.out.values[usize::from(id)];
        value.slot = Some(slot);
        value.opaque = !matters(&l.ty);
        value.unstable = l.assignments > allowed || (l.address_taken && allowed == 1);
    }

    /// The value of a variable.
    fn value(&mut self, local: LocalId) -> ValueId {
        if let Some(v) = self.values.get(&local) {
            return *v;
        }
        let id = self.fresh();
        self.values.insert(local, id);
        let l = &self.facts.locals[local];
        self.out.values[usize::from(id)].unstable = l.address_taken;
        id
    }

    fn fresh(&mut self) -> ValueId {
        let id = self.out.values.len().min(usize::from(u16::MAX)) as u16;
        self.out.values.push(Value::default());
        id
    }

    /// A variable that is given a value once and for all in this function.
    fn is_single(&self, local: LocalId) -> bool {
        let l = &self.facts.locals[local];
        l.owner == self.literal
            && !l.address_taken
            && l.assignments <= 1
            && matches!(
                l.kind,
                LocalKind::Var | LocalKind::Range | LocalKind::TypeSwitch
            )
    }

    fn ty_matters(&self, e: ExprId) -> bool {
        self.facts.types.get(e).is_none_or(matters)
    }

    fn walk(&mut self, graph: &Cfg) {
        for l in &graph.loops {
            if let StmtKind::Range { over, .. } = self.tree[l.stmt].kind {
                self.ranged.insert(over, l.stmt);
            }
        }
        let order = graph.reverse_post_order();
        let mut number: FxHashMap<BlockId, u16> = FxHashMap::default();
        for (i, b) in order.iter().enumerate() {
            number.insert(*b, i.min(usize::from(u16::MAX)) as u16);
        }
        self.out.graph.truncated = graph.truncated || order.len() >= usize::from(u16::MAX);
        self.out.graph.blocks = vec![GBlock::default(); order.len()];
        for (i, b) in order.iter().enumerate() {
            self.block = i;
            let block = &graph[*b];
            for node in &block.nodes {
                self.node(*node);
            }
            let mut next = Vec::new();
            let mut end = End::Open;
            match &block.terminator {
                Terminator::Jump(to) => next.push((*to, Vec::new())),
                Terminator::Branch { cond, then, els } => {
                    let (yes, no) = self.cond(*cond);
                    next.push((*then, yes));
                    next.push((*els, no));
                }
                Terminator::Select { arms, .. } => {
                    next.extend(arms.iter().map(|b| (*b, Vec::new())));
                }
                Terminator::Return(stmt) => end = self.ret(*stmt),
                Terminator::NoReturn { call, unwinds } => {
                    let value = self.expr(*call);
                    drop(value);
                    end = End::NoReturn { unwinds: *unwinds };
                }
                Terminator::Stuck => {}
            }
            let mut edges = Vec::with_capacity(next.len());
            for (to, mut facts) in next {
                self.range_facts(graph, *b, to, &mut facts);
                edges.push(Edge {
                    to: number.get(&to).copied().unwrap_or(u16::MAX),
                    facts,
                });
            }
            let inside = (graph.loops_containing(*b))
                .filter(|l| l.header != *b)
                .filter_map(|l| self.ranges.get(&l.stmt).cloned())
                .collect();
            let out = &mut self.out.graph.blocks[i];
            out.next = edges;
            out.end = end;
            out.inside = inside;
        }
    }

    /// What an edge means for the ranges that it enters and leaves.
    fn range_facts(&self, graph: &Cfg, from: BlockId, to: BlockId, facts: &mut Vec<EdgeFact>) {
        if self.ranges.is_empty() {
            return;
        }
        for l in graph.loops_containing(to) {
            if l.header == to
                && !graph.is_in_loop(from, l.stmt)
                && let Some(p) = self.ranges.get(&l.stmt)
            {
                facts.push(EdgeFact::Begins(p.clone()));
            }
        }
        for l in graph.loops_containing(from) {
            if let Some(p) = self.ranges.get(&l.stmt) {
                if l.header == from && graph.is_in_loop(to, l.stmt) {
                    facts.push(EdgeFact::Next(p.clone()));
                } else if l.header != from && !graph.is_in_loop(to, l.stmt) {
                    facts.push(EdgeFact::Leaves(p.clone()));
                }
            }
        }
    }

    fn node(&mut self, node: Node) {
        let tree = self.tree;
        match node {
            Node::Eval(e) => {
                let value = self.expr(e);
                if let (Val::Place(mut p), Some(s)) = (value, self.ranged.get(&e)) {
                    p.path.push(Name::new(ELEMENT));
                    self.ranges.insert(*s, p);
                }
            }
            Node::Defer(s) => {
                if let StmtKind::Defer(call) = tree[s].kind {
                    self.call(call, Timing::Deferred);
                }
            }
            Node::RangeBind(s) => self.range_bind(s),
            Node::TypeBind(s, _) => self.type_bind(s),
            Node::Stmt(s) => self.stmt(s),
        }
    }

    fn range_bind(&mut self, s: StmtId) {
        let StmtKind::Range {
            key, value, over, ..
        } = self.tree[s].kind
        else {
            return;
        };
        let element = match self.place(over) {
            Some(mut p) => {
                p.path.push(Name::new(ELEMENT));
                Some(p)
            }
            None => None,
        };
        // Of a channel the first variable is the element, of an iterator nobody knows.
        let is_chan = matches!(
            self.facts.types.get(over).map(Ty::kind),
            Some(TyKind::Chan(..))
        );
        let of_slice = matches!(
            self.facts.types.get(over).map(Ty::kind),
            Some(TyKind::Slice(_) | TyKind::Array(..) | TyKind::Map(..))
        );
        for (var, is_element) in [(key, is_chan), (value, of_slice)] {
            let Some(var) = var else { continue };
            let val = match &element {
                Some(p) if is_element => Val::Place(p.clone()),
                Some(p) => Val::Mixed(vec![Val::Place(p.clone())]),
                None => Val::None,
            };
            if self.ty_matters(var) {
                self.assign(var, val);
            }
        }
    }

    fn type_bind(&mut self, s: StmtId) {
        let StmtKind::TypeSwitch {
            bind: Some(bind),
            subject,
            ..
        } = &self.tree[s].kind
        else {
            return;
        };
        let Some(place) = self.place(*subject) else {
            return;
        };
        // One local per case, all at the same place in the text.
        let locals = self.shared.by_range.get(&bind.range).into_iter().flatten();
        for local in locals {
            self.aliases.entry(*local).or_insert_with(|| place.clone());
        }
    }

    fn stmt(&mut self, s: StmtId) {
        let tree = self.tree;
        match &tree[s].kind {
            StmtKind::Expr(e) => {
                let value = self.expr(*e);
                drop(value);
            }
            StmtKind::Send { chan, value } => {
                self.expr(*chan);
                let v = self.expr(*value);
                if self.ty_matters(*value) {
                    self.sink(v, Sink::Keep(Keep::Elsewhere));
                }
            }
            StmtKind::IncDec { operand, .. } => {
                self.expr(*operand);
            }
            StmtKind::Go(call) => self.call(*call, Timing::Goroutine),
            StmtKind::Defer(call) => self.call(*call, Timing::Deferred),
            StmtKind::Assign { lhs, rhs, .. } => self.assignment(lhs, rhs),
            StmtKind::Var(specs) => {
                for spec in specs {
                    self.var(
                        &spec.names.iter().map(|n| n.range).collect::<Vec<_>>(),
                        &spec.values,
                    );
                }
            }
            _ => {}
        }
    }

    fn var(&mut self, names: &[TextRange], values: &[ExprId]) {
        let local_at = |this: &Self, range| this.shared.by_range.get(&range)?.first().copied();
        if values.is_empty() {
            return;
        }
        if values.len() == names.len() {
            for (name, value) in names.iter().zip(values) {
                let matters = self.ty_matters(*value);
                let v = self.expr(*value);
                if let Some(local) = local_at(self, *name)
                    && (matters || matches!(v, Val::Call(_)))
                {
                    self.define(local, v, matters);
                }
            }
            return;
        }
        let value = self.expr(values[0]);
        for (i, name) in names.iter().enumerate() {
            if let Some(local) = local_at(self, *name) {
                let part = self.part(values[0], &value, i);
                self.define(local, part, true);
            }
        }
    }

    /// Result `i` of a call with several, or of a comma-ok form.
    fn part(&mut self, source: ExprId, value: &Val, i: usize) -> Val {
        match value {
            Val::Call(c) => {
                let temp = self.fresh();
                self.out.values[usize::from(temp)]
                    .defs
                    .push(Def::Call(*c, i as u16));
                Val::Place(Place {
                    value: temp,
                    path: Vec::new(),
                })
            }
            Val::Place(p) if i == 0 => {
                let _ = source;
                Val::Place(p.clone())
            }
            _ => Val::None,
        }
    }

    fn assignment(&mut self, lhs: &[ExprId], rhs: &[ExprId]) {
        if lhs.len() == rhs.len() {
            let values: Vec<Val> = rhs.iter().map(|e| self.expr(*e)).collect();
            for ((l, r), v) in lhs.iter().zip(rhs).zip(values) {
                let v = match v {
                    // What a bool call gave is remembered, anything else of a type that does not matter is not.
                    Val::Call(c) if !self.ty_matters(*r) => {
                        if let Some(Res::Local(local)) = self.facts.refs.get(self.tree.unparen(*l))
                            && self.is_single(*local)
                        {
                            self.verdicts.insert(*local, c);
                        }
                        Val::None
                    }
                    v if self.ty_matters(*r) => v,
                    Val::Bool(b) => Val::Bool(b),
                    _ => Val::None,
                };
                self.assign(*l, v);
            }
            return;
        }
        let [source] = rhs else {
            for e in rhs.iter().chain(lhs) {
                let v = self.expr(*e);
                self.sink(v, Sink::Escape);
            }
            return;
        };
        let value = self.expr(*source);
        let assertion = matches!(
            self.tree[self.tree.unparen(*source)].kind,
            ExprKind::TypeAssert { .. }
        );
        for (i, l) in lhs.iter().enumerate() {
            if i == 1
                && assertion
                && let Val::Place(p) = &value
                && let Some(Res::Local(ok)) = self.facts.refs.get(self.tree.unparen(*l))
                && self.is_single(*ok)
            {
                self.oks.insert(*ok, p.clone());
                continue;
            }
            if !self.ty_matters(*l) {
                continue;
            }
            let part = self.part(*source, &value, i);
            self.assign(*l, part);
        }
    }

    fn assign(&mut self, lhs: ExprId, value: Val) {
        let lhs = self.tree.unparen(lhs);
        match &self.tree[lhs].kind {
            ExprKind::Ident(name) if name.is_blank() => {}
            ExprKind::Ident(_) => match self.facts.refs.get(lhs) {
                Some(Res::Local(local)) => self.define(*local, value, true),
                _ => self.sink(value, Sink::Keep(Keep::Elsewhere)),
            },
            _ => {
                let indices: Vec<ExprId> = match &self.tree[lhs].kind {
                    ExprKind::Index { indices, .. } => indices.to_vec(),
                    _ => Vec::new(),
                };
                for i in indices {
                    let v = self.expr(i);
                    if self.ty_matters(i) {
                        self.sink(v, Sink::Keep(Keep::Elsewhere));
                    }
                }
                let Some(place) = self.place(lhs) else {
                    return self.sink(value, Sink::Keep(Keep::Elsewhere));
                };
                if !matches!(value, Val::Nil | Val::None | Val::Bool(_))
                    && place.path.last().is_some_and(|n| *n != ELEMENT)
                {
                    self.out.uses.push((place.clone(), Use::Overwritten));
                }
                match self.out.values[usize::from(place.value)].slot {
                    Some(slot) => self.sink(value, Sink::Keep(Keep::Slot(slot))),
                    None => self.sink(value, Sink::Into(place.value, &place.path)),
                }
            }
        }
    }

    /// A variable gets a value.
    fn define(&mut self, local: LocalId, value: Val, matters: bool) {
        if let Val::Call(c) = value
            && !matters
        {
            if self.is_single(local) {
                self.verdicts.insert(local, c);
            }
            return;
        }
        if self.is_single(local) && !self.values.contains_key(&local) {
            match value {
                Val::Place(p) => {
                    self.aliases.insert(local, p);
                    return;
                }
                Val::Literal(n) => {
                    self.closures.insert(local, n);
                    let id = self.value(local);
                    self.out.values[usize::from(id)].defs.push(Def::Literal(n));
                    return;
                }
                Val::Call(c) => {
                    // Only the first result can be meant.
                    let id = self.value(local);
                    self.out.values[usize::from(id)].defs.push(Def::Call(c, 0));
                    return;
                }
                _ => {}
            }
        }
        let id = self.value(local);
        if self.out.values[usize::from(id)].slot.is_some() {
            self.out.values[usize::from(id)].unstable = true;
        }
        self.let_literals_go(&value);
        let def = self.def(value);
        self.out.values[usize::from(id)].defs.push(def);
    }

    /// A literal in a variable that is assigned elsewhere too, or inside something: nobody knows when it is called.
    fn let_literals_go(&mut self, value: &Val) {
        match value {
            Val::Literal(n) => self.sink(Val::Literal(*n), Sink::Escape),
            Val::Composite(fields) => fields.iter().for_each(|(_, v)| self.let_literals_go(v)),
            Val::Mixed(vs) => vs.iter().for_each(|v| self.let_literals_go(v)),
            _ => {}
        }
    }

    fn def(&mut self, value: Val) -> Def {
        match value {
            Val::None | Val::Bool(_) => Def::Unknown,
            Val::Nil => Def::Nil,
            Val::Place(p) => Def::Place(p),
            Val::Call(c) => Def::Call(c, 0),
            Val::Composite(fields) => Def::Composite(
                (fields.into_iter())
                    .map(|(n, v)| (n, self.def(v)))
                    .collect(),
            ),
            Val::Literal(n) => Def::Literal(n),
            Val::Method(p, _) => Def::Method(p),
            Val::Mixed(vs) => Def::Mixed(vs.into_iter().map(|v| self.def(v)).collect()),
        }
    }

    fn sink(&mut self, value: Val, sink: Sink<'_>) {
        match value {
            Val::None | Val::Nil | Val::Bool(_) => {}
            Val::Place(p) => {
                let what = match sink {
                    Sink::Keep(k) => Use::Keep(k),
                    Sink::Escape => Use::Escape,
                    Sink::Into(w, path) => Use::Into(w, path.to_vec()),
                };
                self.out.uses.push((p, what));
            }
            Val::Call(c) => {
                let temp = self.fresh();
                self.out.values[usize::from(temp)]
                    .defs
                    .push(Def::Call(c, 0));
                let p = Place {
                    value: temp,
                    path: Vec::new(),
                };
                self.sink(Val::Place(p), sink);
            }
            Val::Composite(fields) => {
                for (name, v) in fields {
                    match sink {
                        Sink::Into(w, path) => {
                            let mut path = path.to_vec();
                            path.push(name);
                            self.sink(v, Sink::Into(w, &path));
                        }
                        other => self.sink(v, other),
                    }
                }
            }
            Val::Mixed(vs) => vs.into_iter().for_each(|v| self.sink(v, sink)),
            Val::Method(p, _) => self.sink(Val::Place(p), sink),
            Val::Literal(n) => {
                for v in self.captured(n) {
                    let p = Place {
                        value: v,
                        path: Vec::new(),
                    };
                    let sink = match sink {
                        // What a function closes over is not the function.
                        Sink::Into(..) => Sink::Escape,
                        other => other,
                    };
                    self.sink(Val::Place(p), sink);
                }
            }
        }
    }

    fn captured(&self, literal: u16) -> Vec<ValueId> {
        (self.out.literals.iter())
            .find(|(n, _)| *n == literal)
            .map(|(_, values)| values.clone())
            .unwrap_or_default()
    }

    fn ret(&mut self, stmt: Option<StmtId>) -> End {
        let tree = self.tree;
        let values: &[ExprId] = match stmt.map(|s| &tree[s].kind) {
            Some(StmtKind::Return(values)) => values,
            _ => &[],
        };
        let results = usize::from(self.out.results);
        let mut defs = Vec::with_capacity(results);
        let (mut yes, mut no) = (Some(Vec::new()), Some(Vec::new()));
        if values.is_empty() {
            for i in 0..self.bare_results.len() {
                let place = self.bare_results[i].and_then(|local| self.local_place(local));
                defs.push(place.map_or(Def::Unknown, Def::Place));
            }
        } else if values.len() == 1 && results > 1 {
            let v = self.expr(values[0]);
            for i in 0..results {
                defs.push(match &v {
                    Val::Call(c) => Def::Call(*c, i as u16),
                    _ => Def::Unknown,
                });
            }
        } else {
            for e in values {
                let matters = self.ty_matters(*e);
                let v = self.expr(*e);
                if self.out.returns_bool {
                    (yes, no) = self.bool_return(*e, &v);
                }
                defs.push(if matters { self.def(v) } else { Def::Unknown });
            }
        }
        defs.resize(results, Def::Unknown);
        for (i, def) in defs.iter().enumerate() {
            self.closes_over(i, def);
        }
        let site = self.out.returns.len() as u16;
        self.out.returns.push(defs);
        End::Return { site, yes, no }
    }

    /// What a returned function closes over flows into the result.
    fn closes_over(&mut self, i: usize, def: &Def) {
        match def {
            Def::Literal(n) => {
                for value in self.captured(*n) {
                    let p = Place {
                        value,
                        path: Vec::new(),
                    };
                    self.out.uses.push((p, Use::ReturnClosure(i as u16)));
                }
            }
            Def::Method(p) => self
                .out
                .uses
                .push((p.clone(), Use::ReturnClosure(i as u16))),
            Def::Composite(fields) => {
                for (_, d) in fields {
                    self.closes_over(i, d);
                }
            }
            Def::Mixed(defs) => {
                for d in defs {
                    self.closes_over(i, d);
                }
            }
            Def::Nil | Def::Place(_) | Def::Call(..) | Def::Unknown => {}
        }
    }

    /// What holds if the returned bool is true, and if it is false.
    fn bool_return(
        &mut self,
        e: ExprId,
        value: &Val,
    ) -> (Option<Vec<EdgeFact>>, Option<Vec<EdgeFact>>) {
        match value {
            Val::Bool(true) => (Some(Vec::new()), None),
            Val::Bool(false) => (None, Some(Vec::new())),
            _ => {
                let (yes, no) = self.truth(e);
                (Some(yes), Some(no))
            }
        }
    }

    /// What follows if a boolean expression is true, and if it is false.
    fn truth(&mut self, e: ExprId) -> (Vec<EdgeFact>, Vec<EdgeFact>) {
        let e = self.tree.unparen(e);
        match self.tree[e].kind {
            ExprKind::Unary {
                op: UnaryOp::Not,
                operand,
            } => {
                let (yes, no) = self.truth(operand);
                (no, yes)
            }
            ExprKind::Binary {
                op: op @ (BinaryOp::LogicalAnd | BinaryOp::LogicalOr),
                lhs,
                rhs,
            } => {
                let (mut yes, mut no) = self.truth(lhs);
                let (more_yes, more_no) = self.truth(rhs);
                if op == BinaryOp::LogicalAnd {
                    yes.extend(more_yes);
                    (yes, Vec::new())
                } else {
                    no.extend(more_no);
                    (Vec::new(), no)
                }
            }
            _ => self.cond(Cond::Expr(e)),
        }
    }

    /// What follows from an atomic condition that holds, and from one that does not.
    fn cond(&mut self, cond: Cond) -> (Vec<EdgeFact>, Vec<EdgeFact>) {
        let both = |p: Place, yes, no| {
            (
                vec![EdgeFact::Is(p.clone(), yes)],
                vec![EdgeFact::Is(p, no)],
            )
        };
        match cond {
            Cond::Expr(e) => {
                let e = self.tree.unparen(e);
                match self.tree[e].kind {
                    ExprKind::Binary {
                        op: op @ (BinaryOp::Eq | BinaryOp::Ne),
                        lhs,
                        rhs,
                    } => {
                        let Some((p, fact)) = self.comparison(lhs, rhs) else {
                            return (Vec::new(), Vec::new());
                        };
                        let not = match fact {
                            Fact::Nil => Fact::NonNil,
                            Fact::NonNil => Fact::Nil,
                            Fact::True => Fact::False,
                            Fact::False => Fact::True,
                        };
                        if op == BinaryOp::Eq {
                            both(p, fact, not)
                        } else {
                            both(p, not, fact)
                        }
                    }
                    ExprKind::Call { .. } => match self.call_ids.get(&e) {
                        Some(c) => (
                            vec![EdgeFact::Gave(*c, true)],
                            vec![EdgeFact::Gave(*c, false)],
                        ),
                        None => (Vec::new(), Vec::new()),
                    },
                    ExprKind::Ident(_) => match self.facts.refs.get(e) {
                        Some(Res::Local(local)) => {
                            if let Some(p) = self.oks.get(local) {
                                return (Vec::new(), vec![EdgeFact::NotAsserted(p.clone())]);
                            }
                            if let Some(c) = self.verdicts.get(local) {
                                return (
                                    vec![EdgeFact::Gave(*c, true)],
                                    vec![EdgeFact::Gave(*c, false)],
                                );
                            }
                            match self.local_place(*local) {
                                Some(p) => both(p, Fact::True, Fact::False),
                                None => (Vec::new(), Vec::new()),
                            }
                        }
                        _ => (Vec::new(), Vec::new()),
                    },
                    _ => (Vec::new(), Vec::new()),
                }
            }
            Cond::CaseEquals { tag, value } => match self.comparison(tag, value) {
                Some((p, Fact::Nil)) => both(p, Fact::Nil, Fact::NonNil),
                Some((p, Fact::True)) => both(p, Fact::True, Fact::False),
                Some((p, Fact::False)) => both(p, Fact::False, Fact::True),
                _ => (Vec::new(), Vec::new()),
            },
            Cond::TypeCase { stmt, case } => {
                let StmtKind::TypeSwitch { subject, cases, .. } = &self.tree[stmt].kind else {
                    return (Vec::new(), Vec::new());
                };
                let Some(p) = self.place(*subject) else {
                    return (Vec::new(), Vec::new());
                };
                let types = cases.get(case as usize).map_or(&[][..], |c| &c.exprs);
                let is_nil = |t: &ExprId| matches!(self.facts.refs.get(*t), Some(Res::Nil));
                match types {
                    [t] if is_nil(t) => both(p, Fact::Nil, Fact::NonNil),
                    // `case io.Closer:` alone: where it does not match, the value is none.
                    [_] if cases.len() == 1 => (Vec::new(), vec![EdgeFact::NotAsserted(p)]),
                    _ => (Vec::new(), Vec::new()),
                }
            }
            Cond::RangeNext(_) => (Vec::new(), Vec::new()),
        }
    }

    /// `place == nil`, `place == true`, either way round.
    fn comparison(&mut self, a: ExprId, b: ExprId) -> Option<(Place, Fact)> {
        let constant = |e: ExprId| match self.facts.refs.get(self.tree.unparen(e)) {
            Some(Res::Nil) => Some(Fact::Nil),
            Some(Res::Bool(true)) => Some(Fact::True),
            Some(Res::Bool(false)) => Some(Fact::False),
            _ => None,
        };
        let (place, fact) = match (constant(a), constant(b)) {
            (None, Some(fact)) => (a, fact),
            (Some(fact), None) => (b, fact),
            _ => return None,
        };
        Some((self.place(place)?, fact))
    }

    fn local_place(&mut self, local: LocalId) -> Option<Place> {
        if let Some(p) = self.aliases.get(&local) {
            return Some(p.clone());
        }
        if matches!(self.facts.locals[local].kind, LocalKind::Const) {
            return None;
        }
        Some(Place {
            value: self.value(local),
            path: Vec::new(),
        })
    }

    /// The place that an expression names, without evaluating anything.
    fn place(&mut self, e: ExprId) -> Option<Place> {
        match &self.tree[e].kind {
            ExprKind::Ident(_) => match self.facts.refs.get(e) {
                Some(Res::Local(local)) => self.local_place(*local),
                _ => None,
            },
            ExprKind::Paren(inner) | ExprKind::Star(inner) => self.place(*inner),
            ExprKind::Unary {
                op: UnaryOp::Address,
                operand,
            } => self.place(*operand),
            ExprKind::Selector { base, name } => match self.facts.refs.get(e) {
                Some(Res::Field { .. }) => {
                    let mut p = self.place(*base)?;
                    p.path.push(name.name);
                    Some(p)
                }
                // An unknown field of a known value is still part of it.
                None => {
                    let mut p = self.place(*base)?;
                    p.path.push(name.name);
                    Some(p)
                }
                _ => None,
            },
            ExprKind::Index { base, .. } => {
                let mut p = self.place(*base)?;
                p.path.push(Name::new(ELEMENT));
                Some(p)
            }
            ExprKind::Slice { base, .. } => self.place(*base),
            ExprKind::TypeAssert { base, .. } => self.place(*base),
            ExprKind::Call { args, .. } => match self.facts.callees.get(e) {
                Some(Callee::Conversion) => self.place(*args.first()?),
                _ => None,
            },
            _ => None,
        }
    }

    /// Evaluates an expression: notes its calls, and says what it gives.
    fn expr(&mut self, e: ExprId) -> Val {
        let tree = self.tree;
        match &tree[e].kind {
            ExprKind::Bad
            | ExprKind::ArrayType { .. }
            | ExprKind::MapType { .. }
            | ExprKind::ChanType { .. }
            | ExprKind::FuncType(_)
            | ExprKind::StructType(_)
            | ExprKind::InterfaceType(_)
            | ExprKind::Union(_)
            | ExprKind::Tilde(_) => Val::None,
            ExprKind::Literal(l) => {
                if l.kind == LiteralKind::String {
                    Val::None
                } else {
                    Val::Nil
                }
            }
            ExprKind::Ident(_) => match self.facts.refs.get(e) {
                Some(Res::Nil) => Val::Nil,
                Some(Res::Bool(b)) => Val::Bool(*b),
                Some(Res::Local(local)) => {
                    if let Some(n) = self.closures.get(local) {
                        return Val::Literal(*n);
                    }
                    match self.local_place(*local) {
                        Some(p) => Val::Place(p),
                        None => Val::None,
                    }
                }
                _ => Val::None,
            },
            ExprKind::FuncLit(_) => self.literal(e),
            ExprKind::Paren(inner) | ExprKind::Star(inner) => self.expr(*inner),
            ExprKind::Selector { base, name } => {
                if matches!(
                    self.facts.refs.get(e),
                    Some(Res::Package(_) | Res::Import(_))
                ) {
                    return Val::None;
                }
                let inner = self.expr(*base);
                let Val::Place(mut p) = inner else {
                    return match inner {
                        Val::Call(c) => {
                            let Val::Place(mut p) = self.part(e, &Val::Call(c), 0) else {
                                return Val::None;
                            };
                            self.select(e, &mut p, name.name)
                        }
                        Val::Composite(fields) => (fields.into_iter())
                            .find(|(n, _)| *n == name.name)
                            .map_or(Val::None, |(_, v)| v),
                        _ => Val::None,
                    };
                };
                self.select(e, &mut p, name.name)
            }
            ExprKind::Index { base, indices } => {
                for i in indices {
                    self.expr(*i);
                }
                match self.expr(*base) {
                    Val::Place(mut p) => {
                        p.path.push(Name::new(ELEMENT));
                        Val::Place(p)
                    }
                    Val::None => Val::None,
                    other => Val::Mixed(vec![other]),
                }
            }
            ExprKind::Slice {
                base,
                low,
                high,
                max,
            } => {
                for i in [low, high, max].into_iter().copied().flatten() {
                    self.expr(i);
                }
                self.expr(*base)
            }
            ExprKind::TypeAssert { base, .. } => self.expr(*base),
            ExprKind::Unary { op, operand } => {
                let v = self.expr(*operand);
                match op {
                    UnaryOp::Address => v,
                    UnaryOp::Receive => match v {
                        Val::Place(mut p) => {
                            p.path.push(Name::new(ELEMENT));
                            Val::Place(p)
                        }
                        _ => Val::None,
                    },
                    _ => Val::None,
                }
            }
            ExprKind::Binary { lhs, rhs, .. } => {
                self.expr(*lhs);
                self.expr(*rhs);
                Val::None
            }
            ExprKind::Composite { elements, .. } => {
                let mut fields = Vec::new();
                for element in elements {
                    let keyed = element.key.and_then(|k| match &tree[k].kind {
                        ExprKind::Ident(name)
                            if !matches!(
                                self.facts.refs.get(k),
                                Some(Res::Local(_) | Res::Package(_))
                            ) =>
                        {
                            Some(*name)
                        }
                        _ => {
                            let v = self.expr(k);
                            if self.ty_matters(k) {
                                self.sink(v, Sink::Escape);
                            }
                            None
                        }
                    });
                    let v = self.expr(element.value);
                    if !self.ty_matters(element.value) || matches!(v, Val::None | Val::Bool(_)) {
                        continue;
                    }
                    fields.push((keyed.unwrap_or_else(|| Name::new(ELEMENT)), v));
                }
                Val::Composite(fields)
            }
            ExprKind::Call { .. } => self.call_value(e, Timing::Now),
        }
    }

    fn select(&mut self, e: ExprId, p: &mut Place, name: Name) -> Val {
        if let Some(Res::Method(_)) = self.facts.refs.get(e) {
            return Val::Method(p.clone(), name);
        }
        p.path.push(name);
        Val::Place(p.clone())
    }

    /// A function literal: what it captures is noted; what becomes of it depends on who gets it.
    fn literal(&mut self, e: ExprId) -> Val {
        let Some(n) = self.shared.literals.get(e).copied() else {
            return Val::None;
        };
        if !self.noted.contains(&n) {
            self.noted.push(n);
            let captures = self.facts.literals[e].captures.clone();
            let mut values = Vec::with_capacity(captures.len());
            for local in captures {
                // A captured alias gets a value of its own that is the place.
                let value = match self.aliases.get(&local).cloned() {
                    Some(p) if p.path.is_empty() => p.value,
                    Some(p) => {
                        let v = self.fresh();
                        self.out.values[usize::from(v)].defs.push(Def::Place(p));
                        v
                    }
                    None => self.value(local),
                };
                values.push(value);
            }
            self.out.literals.push((n, values));
        }
        Val::Literal(n)
    }

    fn call(&mut self, e: ExprId, timing: Timing) {
        let value = self.call_value(e, timing);
        drop(value);
    }

    fn call_value(&mut self, e: ExprId, timing: Timing) -> Val {
        let tree = self.tree;
        let ExprKind::Call { func, args, .. } = &tree[e].kind else {
            return self.expr(e);
        };
        let func = tree.unparen(*func);
        let callee = self.facts.callees.get(e);
        if let Some(Callee::Builtin(name)) = callee {
            return self.builtin(*name, e, args);
        }
        if let Some(Callee::Conversion) = callee {
            return match args.first() {
                Some(a) => {
                    let v = self.expr(*a);
                    if self.ty_matters(e) { v } else { Val::None }
                }
                None => Val::None,
            };
        }
        // The function value and the receiver.
        let mut receiver = None;
        let mut target = match callee {
            Some(Callee::Func(f)) => Target::Func(*f),
            Some(Callee::Method(m)) => Target::Method(*m),
            Some(Callee::Literal(l)) => match self.shared.literals.get(*l) {
                Some(n) => Target::Literal(*n),
                None => Target::Unknown,
            },
            Some(Callee::Local(local)) => match self.closures.get(local) {
                Some(n) => Target::Literal(*n),
                None => Target::Value,
            },
            Some(Callee::Value) => Target::Value,
            _ => Target::Unknown,
        };
        let generic = match &tree[func].kind {
            ExprKind::Index { base, .. } => tree.unparen(*base),
            _ => func,
        };
        match (&tree[generic].kind, target) {
            (ExprKind::Selector { base, .. }, Target::Method(_) | Target::Unknown) => {
                receiver = match self.expr(*base) {
                    Val::Place(p) => Some(p),
                    Val::Call(c) => match self.part(*base, &Val::Call(c), 0) {
                        Val::Place(p) => Some(p),
                        _ => None,
                    },
                    _ => None,
                };
            }
            (_, Target::Value) => {
                receiver = match self.expr(func) {
                    Val::Place(p) => Some(p),
                    // Calling a method value.
                    Val::Method(p, _) => Some(p),
                    Val::Literal(n) => {
                        target = Target::Literal(n);
                        None
                    }
                    _ => None,
                };
            }
            (_, Target::Literal(_)) => {
                self.expr(func);
            }
            (_, Target::Func(_)) => {}
            _ => {
                let v = self.expr(func);
                drop(v);
            }
        }
        let mut out = Vec::with_capacity(args.len());
        // `f(g())` with several results: all of them go in.
        if let [only] = &args[..]
            && matches!(
                self.facts.types.get(*only).map(Ty::kind),
                Some(TyKind::Tuple(t)) if t.len() > 1
            )
        {
            let Some(TyKind::Tuple(tys)) = self.facts.types.get(*only).map(Ty::kind) else {
                return Val::None;
            };
            let v = self.expr(*only);
            for i in 0..tys.len() {
                out.push(match self.part(*only, &v, i) {
                    Val::Place(p) => Arg::Place(p),
                    _ => Arg::Other,
                });
            }
        } else {
            for a in args {
                let v = self.expr(*a);
                out.push(if self.ty_matters(*a) || matches!(v, Val::Bool(_)) {
                    self.arg(v)
                } else if let Val::Place(p) = v
                    && matches!(
                        self.facts.types.get(*a).map(Ty::kind),
                        Some(TyKind::Basic(Basic::Bool))
                    )
                {
                    Arg::Place(p)
                } else {
                    Arg::Other
                });
            }
        }
        let may_release = match self.facts.types.get(e).map(Ty::kind) {
            None | Some(TyKind::Unknown) => true,
            Some(TyKind::Tuple(t)) => t.is_empty(),
            Some(TyKind::Basic(Basic::Bool)) => true,
            Some(_) => self.facts.types[e].is_error(),
        };
        let id = self.out.calls.len().min(usize::from(u16::MAX)) as u16;
        let (nonnil, exact) = self.arg_bits(func, args);
        self.out.calls.push(Call {
            target,
            receiver,
            may_release,
            args: out,
            nonnil,
            exact,
            timing,
        });
        self.call_ids.insert(e, id);
        if timing != Timing::Goroutine {
            self.out.graph.blocks[self.block].calls.push(id);
        }
        let bool_or_matters = self.ty_matters(e)
            || matches!(
                self.facts.types.get(e).map(Ty::kind),
                Some(TyKind::Basic(Basic::Bool))
            );
        if bool_or_matters {
            Val::Call(id)
        } else {
            Val::None
        }
    }

    /// Which arguments are not nil by their form, and which keep their type.
    fn arg_bits(&self, func: ExprId, args: &[ExprId]) -> (u64, u64) {
        let (mut nonnil, mut exact) = (0, 0);
        let params = match self.facts.types.get(func).map(Ty::kind) {
            Some(TyKind::Func(sig)) => &sig.params[..],
            _ => &[],
        };
        for (i, a) in args.iter().enumerate().take(64) {
            let a = self.tree.unparen(*a);
            let given = self.facts.types.get(a);
            let untyped = matches!(self.facts.refs.get(a), Some(Res::Nil));
            if untyped || (given.is_some() && given == params.get(i)) {
                exact |= 1 << i;
            }
            let is_made = match &self.tree[a].kind {
                ExprKind::Unary { op, .. } => *op == UnaryOp::Address,
                ExprKind::Composite { .. } | ExprKind::FuncLit(_) => true,
                ExprKind::Selector { .. } => {
                    matches!(self.facts.refs.get(a), Some(Res::Method(_)))
                }
                _ => false,
            };
            if is_made {
                nonnil |= 1 << i;
            }
        }
        (nonnil, exact)
    }

    fn arg(&mut self, v: Val) -> Arg {
        match v {
            Val::None => Arg::Other,
            Val::Nil => Arg::Nil,
            Val::Bool(b) => Arg::Bool(b),
            Val::Place(p) => Arg::Place(p),
            Val::Literal(n) => Arg::Literal(n),
            Val::Method(p, name) => Arg::Method(p, name),
            Val::Call(c) => match self.part_of_call(c) {
                Val::Place(p) => Arg::Place(p),
                _ => Arg::Other,
            },
            other => {
                let mut places = Vec::new();
                self.flatten(other, &mut places);
                if places.is_empty() {
                    Arg::Other
                } else {
                    Arg::Mixed(places)
                }
            }
        }
    }

    fn part_of_call(&mut self, c: u16) -> Val {
        let temp = self.fresh();
        self.out.values[usize::from(temp)]
            .defs
            .push(Def::Call(c, 0));
        Val::Place(Place {
            value: temp,
            path: Vec::new(),
        })
    }

    fn flatten(&mut self, v: Val, out: &mut Vec<Place>) {
        match v {
            Val::None | Val::Nil | Val::Bool(_) => {}
            Val::Place(p) | Val::Method(p, _) => out.push(p),
            Val::Call(c) => {
                if let Val::Place(p) = self.part_of_call(c) {
                    out.push(p);
                }
            }
            Val::Composite(fields) => {
                for (_, v) in fields {
                    self.flatten(v, out);
                }
            }
            Val::Mixed(vs) => {
                for v in vs {
                    self.flatten(v, out);
                }
            }
            Val::Literal(n) => {
                for value in self.captured(n) {
                    out.push(Place {
                        value,
                        path: Vec::new(),
                    });
                }
            }
        }
    }

    fn builtin(&mut self, name: Name, e: ExprId, args: &[ExprId]) -> Val {
        let values: Vec<(ExprId, Val)> = args.iter().map(|a| (*a, self.expr(*a))).collect();
        match name.as_str() {
            "append" => {
                let mut parts = Vec::new();
                for (i, (a, v)) in values.into_iter().enumerate() {
                    if i == 0 || self.ty_matters(a) {
                        parts.push(v);
                    }
                }
                Val::Mixed(parts)
            }
            "copy" => {
                // The elements are shared now.
                let mut it = values.into_iter();
                let to = it.next();
                if let (Some((_, to)), Some((from, v))) = (to, it.next())
                    && self.ty_matters(from)
                    && !matches!(
                        self.facts.types.get(from).map(Ty::kind),
                        Some(TyKind::Slice(t)) if is_byte(t)
                    )
                {
                    match to {
                        Val::Place(p) => self.sink(v, Sink::Into(p.value, &p.path)),
                        _ => self.sink(v, Sink::Escape),
                    }
                }
                Val::None
            }
            "panic" => {
                // Somebody may recover it.
                for (a, v) in values {
                    if self.ty_matters(a) {
                        self.sink(v, Sink::Keep(Keep::Elsewhere));
                    }
                }
                Val::None
            }
            "min" | "max" => Val::Mixed(values.into_iter().map(|(_, v)| v).collect()),
            "close" => {
                // `close(ch)` ends what a channel stands for.
                let args = values.into_iter().map(|(_, v)| self.arg(v)).collect();
                let id = self.out.calls.len().min(usize::from(u16::MAX)) as u16;
                self.out.calls.push(Call {
                    target: Target::Builtin(name),
                    receiver: None,
                    may_release: true,
                    args,
                    nonnil: 0,
                    exact: 0,
                    timing: Timing::Now,
                });
                self.call_ids.insert(e, id);
                self.out.graph.blocks[self.block].calls.push(id);
                Val::None
            }
            "make" | "new" => Val::Composite(Vec::new()),
            "recover" => {
                self.out.recovers = true;
                Val::None
            }
            _ => Val::None,
        }
    }
}
