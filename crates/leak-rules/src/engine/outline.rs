//! The shape of a declaration's body: which statement stands where, and how expressions read.

use go_model::facts::{Facts, LocalId, Res};
use go_syntax::ast::{
    BinaryOp, Block, BranchKind, DeclKind, DeclTree, ExprId, ExprKind, StmtId, StmtKind, UnaryOp,
};
use la_arena::ArenaMap;
use rustc_hash::{FxHashMap, FxHasher};
use std::hash::{Hash, Hasher};

/// A list of statements: a block's, or a case's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct List<'a> {
    pub(crate) stmts: &'a [StmtId],
    /// The statement that the list belongs to; `None` for a function's body.
    pub(crate) owner: Option<StmtId>,
    /// The function literal whose body it is in.
    pub(crate) literal: Option<ExprId>,
}

/// Where everything stands.
pub(crate) struct Outline<'a> {
    pub(crate) tree: &'a DeclTree,
    lists: Vec<List<'a>>,
    /// List and index of each statement that stands in one.
    place: ArenaMap<StmtId, (u32, u32)>,
    /// Statements in initialisers: of what.
    init_of: ArenaMap<StmtId, StmtId>,
    /// `if`s that are the `else` of another.
    else_of: ArenaMap<StmtId, StmtId>,
    /// What a condition belongs to.
    cond_of: FxHashMap<ExprId, StmtId>,
}

impl<'a> Outline<'a> {
    pub(crate) fn new(tree: &'a DeclTree) -> Self {
        let mut outline = Self {
            tree,
            lists: Vec::new(),
            place: ArenaMap::default(),
            init_of: ArenaMap::default(),
            else_of: ArenaMap::default(),
            cond_of: FxHashMap::default(),
        };
        let DeclKind::Func(func) = &tree.kind else {
            return outline;
        };
        let mut work: Vec<(List<'a>,)> = Vec::new();
        if let Some(body) = &func.body {
            work.push((block(body, None, None),));
        }
        for (id, expr) in tree.exprs.iter() {
            if let ExprKind::FuncLit(lit) = &expr.kind {
                work.push((block(&lit.body, None, Some(id)),));
            }
        }
        while let Some((list,)) = work.pop() {
            let index = outline.lists.len() as u32;
            outline.lists.push(list);
            for (i, &stmt) in list.stmts.iter().enumerate() {
                outline.place.insert(stmt, (index, i as u32));
                outline.inside(stmt, list.literal, &mut work);
            }
        }
        outline
    }

    /// Notes what belongs to a statement and queues the lists in it.
    fn inside(&mut self, first: StmtId, literal: Option<ExprId>, work: &mut Vec<(List<'a>,)>) {
        let tree = self.tree;
        let mut next = Some(first);
        while let Some(stmt) = next.take() {
            match &tree[stmt].kind {
                StmtKind::Block(b) => work.push((block(b, Some(stmt), literal),)),
                StmtKind::If {
                    init,
                    cond,
                    then,
                    els,
                } => {
                    if let Some(init) = init {
                        self.init_of.insert(*init, stmt);
                    }
                    self.condition(*cond, stmt);
                    work.push((block(then, Some(stmt), literal),));
                    if let Some(els) = els {
                        self.else_of.insert(*els, stmt);
                        match &tree[*els].kind {
                            StmtKind::Block(b) => work.push((block(b, Some(*els), literal),)),
                            _ => next = Some(*els),
                        }
                    }
                }
                StmtKind::Switch { init, cases, .. } | StmtKind::TypeSwitch { init, cases, .. } => {
                    if let Some(init) = init {
                        self.init_of.insert(*init, stmt);
                    }
                    for case in cases {
                        for cond in &case.exprs {
                            self.condition(*cond, stmt);
                        }
                        work.push((List {
                            stmts: &case.body,
                            owner: Some(stmt),
                            literal,
                        },));
                    }
                }
                StmtKind::Select { cases } => {
                    for case in cases {
                        work.push((List {
                            stmts: &case.body,
                            owner: Some(stmt),
                            literal,
                        },));
                    }
                }
                StmtKind::For {
                    init,
                    cond,
                    post,
                    body,
                } => {
                    for init in [init, post].into_iter().flatten() {
                        self.init_of.insert(*init, stmt);
                    }
                    if let Some(cond) = cond {
                        self.condition(*cond, stmt);
                    }
                    work.push((block(body, Some(stmt), literal),));
                }
                StmtKind::Range { body, .. } => work.push((block(body, Some(stmt), literal),)),
                StmtKind::Labeled { stmt: inner, .. } => {
                    if let Some(place) = self.place.get(stmt).copied() {
                        self.place.insert(*inner, place);
                    }
                    next = Some(*inner);
                }
                _ => {}
            }
        }
    }

    /// Notes the operands of a condition that become edges of their own.
    fn condition(&mut self, root: ExprId, stmt: StmtId) {
        let mut stack = vec![root];
        while let Some(e) = stack.pop() {
            self.cond_of.insert(e, stmt);
            match &self.tree[e].kind {
                ExprKind::Paren(x) => stack.push(*x),
                ExprKind::Unary {
                    op: UnaryOp::Not,
                    operand,
                } => stack.push(*operand),
                ExprKind::Binary {
                    op: BinaryOp::LogicalAnd | BinaryOp::LogicalOr,
                    lhs,
                    rhs,
                } => stack.extend([*lhs, *rhs]),
                _ => {}
            }
        }
    }

    /// The list that holds a statement, and its place there.
    pub(crate) fn list_of(&self, stmt: StmtId) -> Option<(&List<'a>, usize)> {
        let (list, index) = *self.place.get(stmt)?;
        Some((&self.lists[list as usize], index as usize))
    }

    /// The statement behind this one in its list.
    pub(crate) fn next(&self, stmt: StmtId) -> Option<StmtId> {
        let (list, index) = self.list_of(stmt)?;
        list.stmts.get(index + 1).copied()
    }

    /// The statement whose initialiser this is.
    pub(crate) fn init_of(&self, stmt: StmtId) -> Option<StmtId> {
        self.init_of.get(stmt).copied()
    }

    /// The statement whose condition (or part of it) this is.
    pub(crate) fn cond_of(&self, cond: ExprId) -> Option<StmtId> {
        self.cond_of.get(&cond).copied()
    }

    /// The statement around a statement: the owner of its list, what it initialises, or the `if` whose `else` it is.
    pub(crate) fn parent(&self, stmt: StmtId) -> Option<StmtId> {
        if let Some(owner) = self.else_of.get(stmt).or(self.init_of.get(stmt)) {
            return Some(*owner);
        }
        self.list_of(stmt)?.0.owner
    }

    /// Whether the list always leaves: its last statement is a jump or a return, or a call for which `no_return` says so.
    pub(crate) fn leaves(&self, stmts: &[StmtId], no_return: &dyn Fn(ExprId) -> bool) -> bool {
        let Some(&last) = stmts.last() else {
            return false;
        };
        match &self.tree[last].kind {
            StmtKind::Return(_) => true,
            StmtKind::Branch { kind, .. } => *kind != BranchKind::Fallthrough,
            StmtKind::Block(b) => self.leaves(&b.stmts, no_return),
            StmtKind::If { then, els, .. } => {
                self.leaves(&then.stmts, no_return)
                    && els.is_some_and(|e| self.leaves(&[e], no_return))
            }
            StmtKind::Expr(e) => no_return(*e),
            _ => false,
        }
    }

    /// The innermost loop around a statement in the same function.
    pub(crate) fn loop_around(&self, stmt: StmtId) -> Option<StmtId> {
        let mut at = stmt;
        for _ in 0..self.lists.len() + 2 {
            let parent = self.parent(at)?;
            if matches!(
                self.tree[parent].kind,
                StmtKind::For { .. } | StmtKind::Range { .. }
            ) {
                return Some(parent);
            }
            at = parent;
        }
        None
    }
}

fn block<'a>(block: &'a Block, owner: Option<StmtId>, literal: Option<ExprId>) -> List<'a> {
    List {
        stmts: &block.stmts,
        owner,
        literal,
    }
}

/// An expression as source text, shortened to about `max` bytes.
pub(crate) fn render(tree: &DeclTree, expr: ExprId, max: usize) -> String {
    let mut out = String::new();
    write(tree, expr, &mut out, max, 0);
    if out.len() > max + 3 {
        let mut end = max;
        while !out.is_char_boundary(end) {
            end -= 1;
        }
        out.truncate(end);
        out.push('…');
    }
    out
}

fn write(tree: &DeclTree, expr: ExprId, out: &mut String, max: usize, depth: u32) {
    if out.len() > max || depth > 40 {
        out.push('…');
        return;
    }
    let go = |e: ExprId, out: &mut String| write(tree, e, out, max, depth + 1);
    let list = |es: &[ExprId], out: &mut String| {
        for (i, e) in es.iter().enumerate() {
            if i > 0 {
                out.push_str(", ");
            }
            go(*e, out);
        }
    };
    match &tree[expr].kind {
        ExprKind::Ident(name) => out.push_str(name.as_str()),
        ExprKind::Literal(literal) => out.push_str(literal.text.as_deref().unwrap_or("…")),
        ExprKind::Paren(x) => {
            out.push('(');
            go(*x, out);
            out.push(')');
        }
        ExprKind::Selector { base, name } => {
            go(*base, out);
            out.push('.');
            out.push_str(name.name.as_str());
        }
        ExprKind::Index { base, indices } => {
            go(*base, out);
            out.push('[');
            list(indices, out);
            out.push(']');
        }
        ExprKind::Slice { base, .. } => {
            go(*base, out);
            out.push_str("[…]");
        }
        ExprKind::Call { func, args, .. } => {
            go(*func, out);
            out.push('(');
            list(args, out);
            out.push(')');
        }
        ExprKind::Star(x) => {
            out.push('*');
            go(*x, out);
        }
        ExprKind::Unary { op, operand } => {
            out.push_str(match op {
                UnaryOp::Plus => "+",
                UnaryOp::Minus => "-",
                UnaryOp::Not => "!",
                UnaryOp::Complement => "^",
                UnaryOp::Address => "&",
                UnaryOp::Receive => "<-",
            });
            go(*operand, out);
        }
        ExprKind::Binary { op, lhs, rhs } => {
            go(*lhs, out);
            out.push(' ');
            out.push_str(operator(*op));
            out.push(' ');
            go(*rhs, out);
        }
        ExprKind::TypeAssert { base, ty } => {
            go(*base, out);
            out.push_str(".(");
            match ty {
                Some(ty) => go(*ty, out),
                None => out.push_str("type"),
            }
            out.push(')');
        }
        ExprKind::Composite { ty, .. } => {
            if let Some(ty) = ty {
                go(*ty, out);
            }
            out.push_str("{…}");
        }
        ExprKind::FuncLit(_) => out.push_str("func(…) {…}"),
        _ => out.push('…'),
    }
}

fn operator(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "+",
        BinaryOp::Sub => "-",
        BinaryOp::Mul => "*",
        BinaryOp::Div => "/",
        BinaryOp::Rem => "%",
        BinaryOp::And => "&",
        BinaryOp::Or => "|",
        BinaryOp::Xor => "^",
        BinaryOp::AndNot => "&^",
        BinaryOp::Shl => "<<",
        BinaryOp::Shr => ">>",
        BinaryOp::LogicalAnd => "&&",
        BinaryOp::LogicalOr => "||",
        BinaryOp::Eq => "==",
        BinaryOp::Ne => "!=",
        BinaryOp::Lt => "<",
        BinaryOp::Le => "<=",
        BinaryOp::Gt => ">",
        BinaryOp::Ge => ">=",
    }
}

/// A condition by its structure: equal keys have equal values as long as their locals are not assigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CondKey {
    pub(crate) hash: u64,
    /// The condition is the negation of what `hash` stands for.
    pub(crate) negated: bool,
    /// Locals whose assignment makes it another condition.
    pub(crate) locals: Vec<LocalId>,
}

/// The key of a condition; `None` where it may change by itself (calls, receives) or is too large.
pub(crate) fn cond_key(tree: &DeclTree, facts: &Facts, cond: ExprId) -> Option<CondKey> {
    let mut cond = tree.unparen(cond);
    let mut negated = false;
    while let ExprKind::Unary {
        op: UnaryOp::Not,
        operand,
    } = &tree[cond].kind
    {
        negated = !negated;
        cond = tree.unparen(*operand);
    }
    let mut hasher = FxHasher::default();
    let mut locals = Vec::new();
    let mut fuel = 40;
    if let ExprKind::Binary { op, lhs, rhs } = &tree[cond].kind {
        let (op, flip) = match op {
            BinaryOp::Ne => (BinaryOp::Eq, true),
            BinaryOp::Ge => (BinaryOp::Lt, true),
            BinaryOp::Le => (BinaryOp::Gt, true),
            op => (*op, false),
        };
        negated ^= flip;
        op.hash(&mut hasher);
        hash_expr(tree, facts, *lhs, &mut hasher, &mut locals, &mut fuel)?;
        hash_expr(tree, facts, *rhs, &mut hasher, &mut locals, &mut fuel)?;
    } else {
        hash_expr(tree, facts, cond, &mut hasher, &mut locals, &mut fuel)?;
    }
    Some(CondKey {
        hash: hasher.finish(),
        negated,
        locals,
    })
}

/// The key of `local == value`.
pub(crate) fn equals_key(tree: &DeclTree, facts: &Facts, a: ExprId, b: ExprId) -> Option<CondKey> {
    let mut hasher = FxHasher::default();
    let mut locals = Vec::new();
    let mut fuel = 40;
    BinaryOp::Eq.hash(&mut hasher);
    hash_expr(tree, facts, a, &mut hasher, &mut locals, &mut fuel)?;
    hash_expr(tree, facts, b, &mut hasher, &mut locals, &mut fuel)?;
    Some(CondKey {
        hash: hasher.finish(),
        negated: false,
        locals,
    })
}

fn hash_expr(
    tree: &DeclTree,
    facts: &Facts,
    expr: ExprId,
    hasher: &mut FxHasher,
    locals: &mut Vec<LocalId>,
    fuel: &mut u32,
) -> Option<()> {
    *fuel = fuel.checked_sub(1)?;
    let expr = tree.unparen(expr);
    match &tree[expr].kind {
        ExprKind::Ident(name) => {
            match facts.refs.get(expr) {
                Some(Res::Local(local)) => {
                    locals.push(*local);
                    (1u8, local.into_raw().into_u32()).hash(hasher);
                }
                _ => (2u8, *name).hash(hasher),
            };
        }
        ExprKind::Literal(literal) => (3u8, literal.text.as_deref()?).hash(hasher),
        ExprKind::Selector { base, name } => {
            (4u8, name.name).hash(hasher);
            hash_expr(tree, facts, *base, hasher, locals, fuel)?;
        }
        ExprKind::Unary { op, operand } if !matches!(op, UnaryOp::Receive | UnaryOp::Address) => {
            (5u8, *op).hash(hasher);
            hash_expr(tree, facts, *operand, hasher, locals, fuel)?;
        }
        ExprKind::Binary { op, lhs, rhs } => {
            (6u8, *op).hash(hasher);
            hash_expr(tree, facts, *lhs, hasher, locals, fuel)?;
            hash_expr(tree, facts, *rhs, hasher, locals, fuel)?;
        }
        ExprKind::Star(x) => {
            7u8.hash(hasher);
            hash_expr(tree, facts, *x, hasher, locals, fuel)?;
        }
        ExprKind::Call { func, args, .. } if args.len() == 1 => {
            let ExprKind::Ident(name) = &tree[tree.unparen(*func)].kind else {
                return None;
            };
            if !matches!(name.as_str(), "len" | "cap") {
                return None;
            }
            (8u8, *name).hash(hasher);
            hash_expr(tree, facts, args[0], hasher, locals, fuel)?;
        }
        _ => return None,
    }
    Some(())
}
