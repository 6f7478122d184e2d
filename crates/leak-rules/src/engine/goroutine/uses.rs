//! What a declaration does with a channel, and in which goroutine each function literal runs.

use go_model::facts::{Callee, LocalId, LocalKind, Res};
use go_model::summary::Invoke;
use go_model::types::{Ty, TyKind};
use go_syntax::ast::{BinaryOp, DeclTree, ExprId, ExprKind, StmtId, StmtKind, UnaryOp};
use go_syntax::{Literals, Name, NodeId};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::engine::find::enclosing_literal;
use crate::engine::function::Declaration;

/// How a function literal is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Run {
    /// In a goroutine of its own.
    Goroutine(Site),
    /// At the end of the function around it.
    Deferred(Site),
    /// Where it is called, in the goroutine of the function around it.
    Inline(Site),
    /// Not known, or in several ways.
    Unknown,
}

/// A call that runs a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Site {
    pub(crate) call: ExprId,
    /// The statement that holds the call.
    pub(crate) stmt: StmtId,
    /// The literal around it.
    pub(crate) by: Option<ExprId>,
}

/// Who runs the code of a literal, seen from a function around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runner {
    /// The function itself; `true` if not in its own body but in a literal that it calls or defers.
    Own(bool),
    /// The goroutine of this literal, which the function's own body starts; `true` if in a literal that the goroutine calls or defers.
    Started(ExprId, bool),
    /// Some goroutine, or nobody knows.
    Unknown,
}

/// What is done with a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpKind {
    Send,
    Receive,
    Range,
    Close,
    /// `len` or `cap`.
    Measure,
    /// It is given to a function.
    Given {
        call: ExprId,
        index: usize,
    },
    /// Nobody knows who has it from here on.
    Escapes,
}

/// Something that is done with a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Op {
    pub(crate) kind: OpKind,
    /// The literal in whose body it stands.
    pub(crate) literal: Option<ExprId>,
    /// The statement that holds it: a send, a `range`, or whatever the expression stands in.
    pub(crate) stmt: StmtId,
    /// The mention of the channel.
    pub(crate) mention: ExprId,
    /// The expression that does it: the receive, the call of `close`; the mention for the others.
    pub(crate) expr: ExprId,
    /// It is an arm of a select with other arms (or a default).
    pub(crate) optional: bool,
}

/// A channel that a function makes and keeps in one variable.
#[derive(Debug, Clone)]
pub(crate) struct Channel {
    pub(crate) local: LocalId,
    /// The call of `make`.
    pub(crate) make: ExprId,
    /// The statement that holds it.
    pub(crate) stmt: StmtId,
    /// The function that makes it.
    pub(crate) owner: Option<ExprId>,
    /// `None` if it is not a constant.
    pub(crate) capacity: Option<u64>,
    pub(crate) element: Ty,
    pub(crate) ops: Vec<Op>,
}

impl Channel {
    /// Whether somebody may have it of whom nothing is known.
    pub(crate) fn escapes(&self) -> bool {
        self.ops.iter().any(|op| op.kind == OpKind::Escapes)
    }
}

/// Where everything stands that goroutines do in a declaration.
pub(crate) struct Uses<'d, 'a> {
    pub(crate) d: &'d Declaration<'a>,
    /// The statement of which an expression is a direct part.
    holders: FxHashMap<ExprId, StmtId>,
    /// Communications in selects with other arms.
    optional: FxHashSet<StmtId>,
    /// Calls of `go` and `defer` statements.
    started: FxHashMap<ExprId, StmtId>,
    deferred: FxHashMap<ExprId, StmtId>,
}

impl<'d, 'a> Uses<'d, 'a> {
    pub(crate) fn new(d: &'d Declaration<'a>) -> Self {
        let mut this = Self {
            d,
            holders: FxHashMap::default(),
            optional: FxHashSet::default(),
            started: FxHashMap::default(),
            deferred: FxHashMap::default(),
        };
        let tree = d.tree;
        for (id, stmt) in tree.stmts.iter() {
            tree.for_each_child_expr(id, |e| {
                this.holders.insert(e, id);
            });
            match &stmt.kind {
                StmtKind::Select { cases } if cases.len() > 1 => {
                    this.optional.extend(cases.iter().filter_map(|c| c.comm));
                }
                StmtKind::Go(call) => {
                    this.started.insert(tree.unparen(*call), id);
                }
                StmtKind::Defer(call) => {
                    this.deferred.insert(tree.unparen(*call), id);
                }
                _ => {}
            }
        }
        this
    }

    /// The statement that holds an expression, literals not passed.
    pub(crate) fn holder(&self, expr: ExprId) -> Option<StmtId> {
        let mut at = expr;
        loop {
            if let Some(stmt) = self.holders.get(&at) {
                return Some(*stmt);
            }
            at = self.d.parent(at)?;
        }
    }

    /// Whether an expression is part of an arm of a select with other arms.
    pub(super) fn is_optional(&self, expr: ExprId) -> bool {
        self.holder(expr)
            .is_some_and(|stmt| self.optional.contains(&stmt))
    }

    /// The literal in whose body something stands.
    pub(crate) fn literal_of(&self, expr: ExprId) -> Option<ExprId> {
        enclosing_literal(self.d.tree, self.d.tree[expr].range)
    }

    /// The `go` statement of a call.
    pub(crate) fn go_of(&self, call: ExprId) -> Option<StmtId> {
        self.started.get(&call).copied()
    }

    /// The `defer` statement of a call.
    pub(crate) fn defer_of(&self, call: ExprId) -> Option<StmtId> {
        self.deferred.get(&call).copied()
    }

    fn above_parens(&self, expr: ExprId) -> (ExprId, Option<ExprId>) {
        let mut at = expr;
        let mut parent = self.d.parent(at);
        while let Some(p) = parent
            && matches!(self.d.tree[p].kind, ExprKind::Paren(_))
        {
            at = p;
            parent = self.d.parent(at);
        }
        (at, parent)
    }

    fn site(&self, call: ExprId) -> Option<Site> {
        Some(Site {
            call,
            stmt: self.holder(call)?,
            by: self.literal_of(call),
        })
    }

    fn run_by(&self, call: ExprId) -> Run {
        let Some(site) = self.site(call) else {
            return Run::Unknown;
        };
        if self.started.contains_key(&call) {
            Run::Goroutine(site)
        } else if self.deferred.contains_key(&call) {
            Run::Deferred(site)
        } else {
            Run::Inline(site)
        }
    }

    /// How a literal is run.
    pub(crate) fn run(&self, literal: ExprId) -> Run {
        let (at, parent) = self.above_parens(literal);
        if let Some(parent) = parent
            && let ExprKind::Call { func, args, .. } = &self.d.tree[parent].kind
        {
            if *func == at {
                return self.run_by(parent);
            }
            let Some(index) = args.iter().position(|a| *a == at) else {
                return Run::Unknown;
            };
            return self.run_as_argument(parent, index);
        }
        // A variable that is only ever this literal, and is called at one place.
        let Some(local) = self.d.closure_local(literal) else {
            return Run::Unknown;
        };
        let mut found = Run::Unknown;
        for (mention, _) in self.d.mentions(local) {
            let (at, parent) = self.above_parens(*mention);
            match parent.map(|p| (p, &self.d.tree[p].kind)) {
                Some((call, ExprKind::Call { func, .. })) if *func == at => {
                    if found != Run::Unknown {
                        return Run::Unknown;
                    }
                    found = self.run_by(call);
                }
                None if self.assigns(at) => {}
                Some((call, ExprKind::Call { args, .. })) => {
                    let Some(index) = args.iter().position(|a| *a == at) else {
                        return Run::Unknown;
                    };
                    if found != Run::Unknown {
                        return Run::Unknown;
                    }
                    found = self.run_as_argument(call, index);
                }
                _ => return Run::Unknown,
            }
        }
        found
    }

    fn run_as_argument(&self, call: ExprId, index: usize) -> Run {
        let invokes = self
            .d
            .facts
            .callees
            .get(call)
            .and_then(go_model::effects::of)
            .and_then(|summary| summary.param(index).invokes);
        match (invokes, self.site(call)) {
            (Some(Invoke::Goroutine), Some(site)) => Run::Goroutine(site),
            _ => Run::Unknown,
        }
    }

    fn assigns(&self, expr: ExprId) -> bool {
        let Some(stmt) = self.holders.get(&expr) else {
            return false;
        };
        matches!(&self.d.tree[*stmt].kind, StmtKind::Assign { lhs, .. } if lhs.contains(&expr))
    }

    /// Who runs the body of a literal, seen from `owner`.
    pub(crate) fn runner(&self, literal: Option<ExprId>, owner: Option<ExprId>) -> Runner {
        let mut at = literal;
        let mut inner = false;
        // Literals nest, so that this ends; the bound is for mistakes only.
        for _ in 0..64 {
            if at == owner {
                return Runner::Own(inner);
            }
            let Some(lit) = at else {
                return Runner::Unknown;
            };
            match self.run(lit) {
                Run::Goroutine(site) if site.by == owner => return Runner::Started(lit, inner),
                Run::Deferred(site) | Run::Inline(site) => {
                    inner = true;
                    at = site.by;
                }
                Run::Goroutine(_) | Run::Unknown => return Runner::Unknown,
            }
        }
        Runner::Unknown
    }

    /// The channels that the declaration makes and keeps in a variable that is nothing else.
    pub(crate) fn channels(&self) -> Vec<Channel> {
        let facts = self.d.facts;
        let mut found = Vec::new();
        for (local, l) in facts.locals.iter() {
            if !matches!(l.ty.kind(), TyKind::Chan(..)) {
                continue;
            }
            found.extend(self.channel(local));
        }
        found
    }

    fn channel(&self, local: LocalId) -> Option<Channel> {
        let l = &self.d.facts.locals[local];
        if l.kind != LocalKind::Var || l.assignments != 1 || l.address_taken {
            return None;
        }
        let TyKind::Chan(_, element) = l.ty.kind() else {
            return None;
        };
        let (value, 0) = self.d.value_at(local)? else {
            return None;
        };
        let make = self.d.tree.unparen(value);
        let ExprKind::Call { args, .. } = &self.d.tree[make].kind else {
            return None;
        };
        if !is_builtin(self.d, make, "make") {
            return None;
        }
        let capacity = match args.get(1) {
            None => Some(0),
            Some(size) => self.d.tree.int_value(*size),
        };
        // Made in the function that declares the variable.
        let owner = self.literal_of(make);
        if owner != l.owner {
            return None;
        }
        let mut ops = Vec::new();
        self.collect(local, 0, &mut ops);
        Some(Channel {
            local,
            make,
            stmt: self.holder(make)?,
            owner,
            capacity,
            element: element.clone(),
            ops,
        })
    }

    /// What is done with the channel in a variable.
    pub(crate) fn collect(&self, local: LocalId, depth: u32, ops: &mut Vec<Op>) {
        for (mention, _) in self.d.mentions(local) {
            let Some(op) = self.op(*mention) else {
                continue;
            };
            match self.handed(&op) {
                Some(param) if depth < 4 => self.collect(param, depth + 1, ops),
                Some(_) => ops.push(Op {
                    kind: OpKind::Escapes,
                    ..op
                }),
                None => ops.push(op),
            }
        }
    }

    /// The parameter of a literal that the channel becomes where it is called.
    fn handed(&self, op: &Op) -> Option<LocalId> {
        let OpKind::Given { call, index } = op.kind else {
            return None;
        };
        let ExprKind::Call { func, spread, .. } = &self.d.tree[call].kind else {
            return None;
        };
        let func = self.d.tree.unparen(*func);
        // A variable that is only ever one literal stands for it, if that is run at this place only.
        let literal = match self.d.facts.refs.get(func) {
            Some(Res::Local(local)) => {
                let literal = self.d.closure(*local)?;
                (self.run(literal) == self.run_by(call)).then_some(literal)?
            }
            _ => func,
        };
        let lit = self.d.tree.func_lit(literal)?;
        let param = (*self.d.facts.literals.get(literal)?.params.get(index)?)?;
        let l = &self.d.facts.locals[param];
        let variadic = lit.signature.params.get(index)?.variadic;
        (!spread && !variadic && l.assignments <= 1 && !l.address_taken).then_some(param)
    }

    /// What is done with the channel that an expression denotes.
    pub(super) fn op(&self, mention: ExprId) -> Option<Op> {
        let tree = self.d.tree;
        let (at, parent) = self.above_parens(mention);
        let stmt = self.holder(mention)?;
        let mut op = Op {
            kind: OpKind::Escapes,
            literal: self.literal_of(mention),
            stmt,
            mention,
            expr: at,
            optional: self.optional.contains(&stmt),
        };
        match parent {
            None => match &tree[stmt].kind {
                StmtKind::Send { chan, .. } if *chan == at => op.kind = OpKind::Send,
                StmtKind::Range { over, .. } if *over == at => op.kind = OpKind::Range,
                StmtKind::Assign { lhs, .. } if lhs.contains(&at) => return None,
                StmtKind::Assign { lhs, rhs, .. } if lhs.len() == rhs.len() => {
                    let index = rhs.iter().position(|r| *r == at)?;
                    if tree.ident(lhs[index]).is_some_and(|i| i.name.is_blank()) {
                        return None;
                    }
                }
                _ => {}
            },
            Some(parent) => match &tree[parent].kind {
                ExprKind::Unary {
                    op: UnaryOp::Receive,
                    ..
                } => {
                    op.kind = OpKind::Receive;
                    op.expr = parent;
                }
                ExprKind::Binary {
                    op: BinaryOp::Eq | BinaryOp::Ne,
                    ..
                } => return None,
                ExprKind::Call { func, args, .. } if *func != at => {
                    op.expr = parent;
                    match self.d.facts.callees.get(parent) {
                        Some(Callee::Builtin(name)) if *name == "close" => op.kind = OpKind::Close,
                        Some(Callee::Builtin(name)) if *name == "len" || *name == "cap" => {
                            op.kind = OpKind::Measure;
                        }
                        Some(Callee::Conversion | Callee::Builtin(_)) => {}
                        _ => {
                            let index = args.iter().position(|a| *a == at)?;
                            op.kind = OpKind::Given {
                                call: parent,
                                index,
                            };
                        }
                    }
                }
                _ => {}
            },
        }
        Some(op)
    }

    /// Locals that are mentioned in the body of a literal.
    pub(crate) fn mentions_in(&self, literal: ExprId, local: LocalId) -> bool {
        let range = self.d.tree[literal].range;
        self.d
            .mentions(local)
            .iter()
            .any(|(_, at)| range.contains(*at))
    }

    /// The function made by the same call as a context: its cancel function.
    pub(crate) fn cancel_of(&self, context: LocalId) -> Vec<LocalId> {
        let tree = self.d.tree;
        let mut found = Vec::new();
        for (_, stmt) in tree.stmts.iter() {
            let StmtKind::Assign { lhs, rhs, .. } = &stmt.kind else {
                continue;
            };
            if lhs.len() != 2 || rhs.len() != 1 {
                continue;
            }
            let local = |e: ExprId| match self.d.facts.refs.get(tree.unparen(e)) {
                Some(Res::Local(local)) => Some(*local),
                _ => None,
            };
            if local(lhs[0]) == Some(context)
                && let Some(cancel) = local(lhs[1])
            {
                found.push(cancel);
            }
        }
        found
    }

    /// The expressions and statements below a node that its function runs itself.
    pub(crate) fn nodes(&self, root: NodeId) -> Vec<NodeId> {
        self.d.tree.walk(root, Literals::Skip).collect()
    }
}

/// Whether a call calls this predeclared function.
pub(crate) fn is_builtin(d: &Declaration<'_>, call: ExprId, name: &str) -> bool {
    matches!(d.facts.callees.get(call), Some(Callee::Builtin(n)) if *n == name)
}

/// The receiver of a method call of `package.ty`, and the method's name.
pub(crate) fn method_of(
    d: &Declaration<'_>,
    call: ExprId,
    package: &str,
    types: &[&str],
) -> Option<(ExprId, Name)> {
    let ExprKind::Call { func, .. } = &d.tree[call].kind else {
        return None;
    };
    let ExprKind::Selector { base, .. } = &d.tree[d.tree.unparen(*func)].kind else {
        return None;
    };
    let target = d.target(call)?;
    let ty = target.ty?;
    (target.package == package && types.iter().any(|t| ty == *t)).then_some((*base, target.name))
}

/// What is received from, or ranged over with at most one variable: what may be channels, before anything is resolved.
pub(super) fn received(tree: &DeclTree) -> impl Iterator<Item = ExprId> + '_ {
    let ranged = tree.stmts.iter().filter_map(|(_, s)| match s.kind {
        // A channel gives one value in each round.
        StmtKind::Range {
            over, value: None, ..
        } => Some(over),
        _ => None,
    });
    let received = tree.exprs.iter().filter_map(|(_, e)| match e.kind {
        ExprKind::Unary {
            op: UnaryOp::Receive,
            operand,
        } => Some(operand),
        _ => None,
    });
    ranged.chain(received).map(|e| tree.unparen(e))
}

/// What is sent on.
pub(super) fn sent(tree: &DeclTree) -> impl Iterator<Item = ExprId> + '_ {
    tree.stmts.iter().filter_map(|(_, s)| match s.kind {
        StmtKind::Send { chan, .. } => Some(tree.unparen(chan)),
        _ => None,
    })
}
