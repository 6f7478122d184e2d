//! A declaration and its functions, with what the engine asks about them.

use std::cell::{OnceCell, RefCell};
use std::sync::Arc;

use go_model::cfg::{BlockId, Cfg, Dominators, Terminator};
use go_model::db::{Db, DeclId};
use go_model::facts::{Callee, Facts, LocalId, LocalKind, Res};
use go_model::members::View;
use go_model::summary::Called;
use go_model::types::{Basic, Ty, TyKind};
use go_syntax::ast::{
    AssignOp, BinaryOp, Block, BranchKind, DeclKind, DeclTree, ExprId, ExprKind, StmtId, StmtKind,
    UnaryOp,
};
use go_syntax::{Name, TextRange, TextSize};
use rustc_hash::{FxHashMap, FxHashSet};

use super::interp::Place;
use super::kinds::BORROWING_STRUCTS;
use super::outline::{Outline, cond_key, equals_key};

/// How far calls are looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// The table of effects only; what is not in it is taken to do nothing and to come back.
    Shallow,
    /// Summaries too; what is not known is unknown.
    Full,
}

/// A declaration with everything that is known about it.
pub(crate) struct Declaration<'a> {
    pub(crate) db: &'a dyn Db,
    pub(crate) decl: DeclId,
    pub(crate) tree: &'a DeclTree,
    pub(crate) facts: &'a Facts,
    pub(crate) depth: Depth,
    pub(crate) outline: Outline<'a>,
    /// Locals by where they are declared.
    declared: FxHashMap<TextSize, Vec<LocalId>>,
    /// Keys of conditions that are asked more than once, and of boolean variables.
    repeated: FxHashSet<u64>,
    keys: FxHashMap<LocalId, Vec<u64>>,
    bool_keys: FxHashMap<LocalId, u64>,
    /// Variables compared with nil, and booleans that are conditions; fields compared with nil, by name.
    asked: FxHashSet<LocalId>,
    asked_fields: FxHashSet<Name>,
    /// Variables that are only ever one function literal.
    closures: FxHashMap<LocalId, ExprId>,
    closure_locals: FxHashMap<ExprId, LocalId>,
    /// Literals called by `defer`, and those called on the spot.
    deferred: FxHashSet<ExprId>,
    called: FxHashSet<ExprId>,
    /// Where each local is assigned.
    assigned: FxHashMap<LocalId, Vec<TextSize>>,
    /// Where each local is mentioned.
    mentioned: FxHashMap<LocalId, Vec<(ExprId, TextSize)>>,
    /// The expression right around an expression.
    parents: FxHashMap<ExprId, ExprId>,
    cfgs: RefCell<FxHashMap<ExprId, Arc<Cfg>>>,
    summaries: RefCell<FxHashMap<ExprId, Option<Called>>>,
}

/// What a call calls, by resolved path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) package: Name,
    pub(crate) ty: Option<Name>,
    pub(crate) name: Name,
}

impl Target {
    pub(crate) fn is_func(&self, package: &str, name: &str) -> bool {
        self.ty.is_none() && self.name == name && self.package == package
    }

    pub(crate) fn is_method(&self, package: &str, ty: &str, name: &str) -> bool {
        self.ty.is_some_and(|t| t == ty) && self.name == name && self.package == package
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let package = self.package.as_str();
        let package = package.rsplit('/').next().unwrap_or(package);
        match self.ty {
            Some(ty) => write!(f, "{package}.{ty}.{}", self.name),
            None => write!(f, "{package}.{}", self.name),
        }
    }
}

/// What a call calls.
pub(crate) fn target(tree: &DeclTree, facts: &Facts, call: ExprId) -> Option<Target> {
    match facts.callees.get(call) {
        Some(Callee::Func(item)) => {
            return Some(Target {
                package: item.package,
                ty: None,
                name: item.name,
            });
        }
        Some(Callee::Method(method)) => {
            return Some(Target {
                package: method.package,
                ty: Some(method.ty),
                name: method.name,
            });
        }
        Some(_) => return None,
        None => {}
    }
    // A package that cannot be read: the import path and the declared type are known all the same.
    let ExprKind::Call { func, .. } = &tree[tree.unparen(call)].kind else {
        return None;
    };
    let mut func = tree.unparen(*func);
    if let ExprKind::Index { base, .. } = &tree[func].kind {
        func = tree.unparen(*base);
    }
    let ExprKind::Selector { base, name } = &tree[func].kind else {
        return None;
    };
    let base = tree.unparen(*base);
    if let Some(Res::Import(package)) = facts.refs.get(base) {
        return Some(Target {
            package: *package,
            ty: None,
            name: name.name,
        });
    }
    let named = facts.types.get(base)?.as_named_or_pointer()?;
    (named.local == 0).then_some(Target {
        package: named.package,
        ty: Some(named.name),
        name: name.name,
    })
}

/// On what the release in a function literal depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LiteralGuard {
    /// On nothing that is followed.
    None,
    /// It happens only if this error is not nil.
    Error(LocalId),
    /// It happens only in a panic.
    Panic,
}

impl<'a> Declaration<'a> {
    pub(crate) fn new(
        db: &'a dyn Db,
        decl: DeclId,
        tree: &'a DeclTree,
        facts: &'a Facts,
        depth: Depth,
    ) -> Self {
        let mut this = Self {
            depth,
            db,
            decl,
            tree,
            facts,
            outline: Outline::new(tree),
            declared: FxHashMap::default(),
            repeated: FxHashSet::default(),
            keys: FxHashMap::default(),
            bool_keys: FxHashMap::default(),
            asked: FxHashSet::default(),
            asked_fields: FxHashSet::default(),
            closures: FxHashMap::default(),
            closure_locals: FxHashMap::default(),
            deferred: FxHashSet::default(),
            called: FxHashSet::default(),
            assigned: FxHashMap::default(),
            mentioned: FxHashMap::default(),
            parents: FxHashMap::default(),
            cfgs: RefCell::default(),
            summaries: RefCell::default(),
        };
        for (id, local) in facts.locals.iter() {
            this.declared
                .entry(local.ident.range.start())
                .or_default()
                .push(id);
        }
        for (id, res) in facts.refs.iter() {
            if let Res::Local(local) = res {
                this.mentioned
                    .entry(*local)
                    .or_default()
                    .push((id, tree[id].range.start()));
            }
        }
        for (id, _) in tree.exprs.iter() {
            tree.for_each_child_expr(id, |child| {
                this.parents.insert(child, id);
            });
        }
        this.scan_statements();
        this.scan_conditions();
        this
    }

    fn scan_statements(&mut self) {
        let tree = self.tree;
        let mut closures: Vec<(LocalId, ExprId)> = Vec::new();
        for (id, stmt) in tree.stmts.iter() {
            match &stmt.kind {
                StmtKind::Assign { lhs, op, rhs } => {
                    for (i, target) in lhs.iter().enumerate() {
                        let Some(Res::Local(local)) = self.facts.refs.get(tree.unparen(*target))
                        else {
                            continue;
                        };
                        self.assigned
                            .entry(*local)
                            .or_default()
                            .push(tree[*target].range.start());
                        if *op != AssignOp::Define && *op != AssignOp::Assign {
                            continue;
                        }
                        if rhs.len() == lhs.len() {
                            let value = tree.unparen(rhs[i]);
                            if matches!(tree[value].kind, ExprKind::FuncLit(_)) {
                                closures.push((*local, value));
                            }
                        }
                    }
                }
                StmtKind::IncDec { operand, .. } => {
                    if let Some(Res::Local(local)) = self.facts.refs.get(tree.unparen(*operand)) {
                        self.assigned
                            .entry(*local)
                            .or_default()
                            .push(tree[*operand].range.start());
                    }
                }
                StmtKind::Var(specs) => {
                    for spec in specs {
                        for (i, name) in spec.names.iter().enumerate() {
                            if let Some(value) = spec.values.get(i)
                                && spec.values.len() == spec.names.len()
                            {
                                let value = tree.unparen(*value);
                                if matches!(tree[value].kind, ExprKind::FuncLit(_))
                                    && let Some(local) = self.declared_at(name.range)
                                {
                                    closures.push((local, value));
                                }
                            }
                        }
                    }
                }
                StmtKind::Defer(call) => {
                    if let Some(literal) = direct_literal(tree, *call) {
                        self.deferred.insert(literal);
                    }
                }
                StmtKind::Go(_) => {}
                _ => {}
            }
            let _ = id;
        }
        for (_, expr) in tree.exprs.iter() {
            if let ExprKind::Binary {
                op: BinaryOp::Eq | BinaryOp::Ne,
                lhs,
                rhs,
            } = expr.kind
            {
                self.note_asked(lhs, rhs);
            }
            if let ExprKind::Call { func, .. } = &expr.kind {
                let func = tree.unparen(*func);
                if matches!(tree[func].kind, ExprKind::FuncLit(_)) && !self.deferred.contains(&func)
                {
                    self.called.insert(func);
                }
            }
        }
        for (_, stmt) in tree.stmts.iter() {
            if let StmtKind::Go(call) = stmt.kind
                && let Some(literal) = direct_literal(tree, call)
            {
                self.called.remove(&literal);
            }
        }
        for (local, literal) in closures {
            let l = &self.facts.locals[local];
            if l.assignments <= 1 && !l.address_taken {
                self.closures.insert(local, literal);
                self.closure_locals.insert(literal, local);
            }
        }
    }

    fn note_asked(&mut self, lhs: ExprId, rhs: ExprId) {
        let other = if self.is_nil(rhs) {
            self.tree.unparen(lhs)
        } else if self.is_nil(lhs) {
            self.tree.unparen(rhs)
        } else {
            return;
        };
        if let ExprKind::Selector { name, .. } = &self.tree[other].kind {
            self.asked_fields.insert(name.name);
        } else if let Some(Res::Local(local)) = self.facts.refs.get(other) {
            self.asked.insert(*local);
        }
    }

    fn scan_conditions(&mut self) {
        let tree = self.tree;
        let mut counts: FxHashMap<u64, u32> = FxHashMap::default();
        let mut keys: Vec<(u64, Vec<LocalId>)> = Vec::new();
        let mut note = |key: Option<super::outline::CondKey>, bare: bool| {
            if let Some(key) = key {
                *counts.entry(key.hash).or_default() += if bare { 2 } else { 1 };
                keys.push((key.hash, key.locals));
            }
        };
        let mut conditions = Vec::new();
        for (_, stmt) in tree.stmts.iter() {
            match &stmt.kind {
                StmtKind::If { cond, .. } => conditions.push(*cond),
                StmtKind::For {
                    cond: Some(cond), ..
                } => conditions.push(*cond),
                StmtKind::Switch { tag, cases, .. } => {
                    for case in cases {
                        for value in &case.exprs {
                            match tag {
                                Some(tag) => {
                                    note(equals_key(tree, self.facts, *tag, *value), false);
                                }
                                None => conditions.push(*value),
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        while let Some(cond) = conditions.pop() {
            match &tree[cond].kind {
                ExprKind::Paren(x) => conditions.push(*x),
                ExprKind::Unary {
                    op: UnaryOp::Not,
                    operand,
                } => conditions.push(*operand),
                ExprKind::Binary {
                    op: BinaryOp::LogicalAnd | BinaryOp::LogicalOr,
                    lhs,
                    rhs,
                } => conditions.extend([*lhs, *rhs]),
                kind => {
                    let bare = matches!(kind, ExprKind::Ident(_));
                    let key = cond_key(tree, self.facts, cond);
                    if bare
                        && let Some(key) = &key
                        && let [local] = key.locals[..]
                    {
                        self.bool_keys.insert(local, key.hash);
                        self.asked.insert(local);
                    }
                    note(key, bare);
                }
            }
        }
        for (key, count) in counts {
            if count > 1 {
                self.repeated.insert(key);
            }
        }
        for (key, locals) in keys {
            if self.repeated.contains(&key) {
                for local in locals {
                    self.keys.entry(local).or_default().push(key);
                }
            }
        }
    }

    pub(crate) fn declared_at(&self, range: TextRange) -> Option<LocalId> {
        self.declared.get(&range.start())?.first().copied()
    }

    /// The graph of a function literal in the declaration, or of the declaration itself.
    pub(crate) fn cfg(&self, literal: Option<ExprId>) -> Option<Arc<Cfg>> {
        super::cfg(self, literal)
    }

    fn literal_cfg(&self, literal: ExprId) -> Option<Arc<Cfg>> {
        if let Some(cfg) = self.cfgs.borrow().get(&literal) {
            return Some(cfg.clone());
        }
        let cfg = self.cfg(Some(literal))?;
        self.cfgs.borrow_mut().insert(literal, cfg.clone());
        Some(cfg)
    }

    /// The body of a function literal in the declaration, or of the declaration itself.
    pub(crate) fn body(&self, literal: Option<ExprId>) -> Option<&'a Block> {
        match literal {
            Some(literal) => match &self.tree[literal].kind {
                ExprKind::FuncLit(lit) => Some(&lit.body),
                _ => None,
            },
            None => match &self.tree.kind {
                DeclKind::Func(func) => func.body.as_ref(),
                _ => None,
            },
        }
    }

    /// What a call calls.
    pub(crate) fn target(&self, call: ExprId) -> Option<Target> {
        target(self.tree, self.facts, call)
    }

    /// What is known of what a call calls.
    pub(crate) fn summary(&self, call: ExprId) -> Option<Called> {
        if let Some(known) = self.summaries.borrow().get(&call) {
            return known.clone();
        }
        let summary = super::summary(self, call);
        self.summaries.borrow_mut().insert(call, summary.clone());
        summary
    }

    pub(crate) fn is_nil(&self, expr: ExprId) -> bool {
        matches!(self.facts.refs.get(self.tree.unparen(expr)), Some(Res::Nil))
    }

    pub(crate) fn parent(&self, expr: ExprId) -> Option<ExprId> {
        self.parents.get(&expr).copied()
    }

    /// Whether conditions ask for the variable's being nil, or true.
    pub(crate) fn is_asked(&self, local: LocalId) -> bool {
        self.asked.contains(&local)
    }

    /// Whether conditions ask for some field of this name being nil.
    pub(crate) fn is_asked_field(&self, name: Name) -> bool {
        self.asked_fields.contains(&name)
    }

    /// The variables of which conditions ask that.
    pub(crate) fn asked(&self) -> impl Iterator<Item = LocalId> + '_ {
        self.asked.iter().copied()
    }

    /// Where a local is assigned.
    pub(crate) fn assigned(&self, local: LocalId) -> &[TextSize] {
        self.assigned.get(&local).map_or(&[], Vec::as_slice)
    }

    /// Whether a function literal other than its owner, or a pointer, may give a variable another value.
    pub(crate) fn is_set_by_closure(&self, local: LocalId) -> bool {
        let l = &self.facts.locals[local];
        l.address_taken
            || l.captured
                && self.assigned(local).iter().any(|at| {
                    let at = TextRange::empty(*at);
                    super::find::enclosing_literal(self.tree, at) != l.owner
                })
    }

    /// The variable that is only ever this literal.
    pub(crate) fn closure_local(&self, literal: ExprId) -> Option<LocalId> {
        self.closure_locals.get(&literal).copied()
    }

    /// The literal that a variable only ever is.
    pub(crate) fn closure(&self, local: LocalId) -> Option<ExprId> {
        self.closures.get(&local).copied()
    }

    /// Mentions of a local, with their places.
    pub(crate) fn mentions(&self, local: LocalId) -> &[(ExprId, TextSize)] {
        self.mentioned.get(&local).map_or(&[], Vec::as_slice)
    }

    /// The variable, or the field reached from one, that an expression denotes.
    pub(crate) fn place(&self, expr: ExprId) -> Option<Place> {
        let mut path = Vec::new();
        let mut at = self.tree.unparen(expr);
        loop {
            match &self.tree[at].kind {
                ExprKind::Paren(x) | ExprKind::Star(x) => at = *x,
                ExprKind::Selector { base, name } => {
                    if matches!(
                        self.facts.refs.get(at),
                        Some(Res::Method(_) | Res::Package(_))
                    ) {
                        return None;
                    }
                    path.push(name.name);
                    at = *base;
                }
                ExprKind::Ident(_) => match self.facts.refs.get(at) {
                    Some(Res::Local(local)) => {
                        path.reverse();
                        return Some(Place {
                            local: *local,
                            path,
                        });
                    }
                    _ => return None,
                },
                _ => return None,
            }
        }
    }

    /// The assignment or `var` that gives a local its only value, with the value and the index among its results.
    pub(crate) fn only_value(&self, local: LocalId) -> Option<(ExprId, usize)> {
        let l = &self.facts.locals[local];
        if l.assignments != 1 || l.kind != LocalKind::Var {
            return None;
        }
        self.value_at(local)
    }

    /// All values that a local gets; `None` for one among several results, for changes in place and for values that come
    /// otherwise.
    pub(crate) fn values(&self, local: LocalId) -> Vec<Option<ExprId>> {
        let mut values = Vec::new();
        let is = |e: ExprId| self.facts.refs.get(self.tree.unparen(e)) == Some(&Res::Local(local));
        for (_, stmt) in self.tree.stmts.iter() {
            match &stmt.kind {
                StmtKind::Assign { lhs, op, rhs } => {
                    for (i, target) in lhs.iter().enumerate() {
                        if is(*target) {
                            let plain = rhs.len() == lhs.len() && !matches!(op, AssignOp::Op(_));
                            values.push(plain.then(|| rhs[i]));
                        }
                    }
                }
                StmtKind::Var(specs) => {
                    for spec in specs {
                        for (i, name) in spec.names.iter().enumerate() {
                            if self.declared_at(name.range) == Some(local)
                                && !spec.values.is_empty()
                            {
                                let plain = spec.values.len() == spec.names.len();
                                values.push(plain.then(|| spec.values[i]));
                            }
                        }
                    }
                }
                StmtKind::Range { key, value, .. }
                    if [key, value].into_iter().flatten().any(|e| is(*e)) =>
                {
                    values.push(None);
                }
                _ => {}
            }
        }
        let l = &self.facts.locals[local];
        if l.kind != LocalKind::Var || l.address_taken {
            values.push(None);
        }
        values
    }

    /// The (first) value that a local gets by an assignment.
    pub(crate) fn value_at(&self, local: LocalId) -> Option<(ExprId, usize)> {
        for (_, stmt) in self.tree.stmts.iter() {
            match &stmt.kind {
                StmtKind::Assign { lhs, rhs, .. } => {
                    for (i, target) in lhs.iter().enumerate() {
                        if self.facts.refs.get(self.tree.unparen(*target))
                            == Some(&Res::Local(local))
                        {
                            return if rhs.len() == lhs.len() {
                                Some((rhs[i], 0))
                            } else {
                                Some((*rhs.first()?, i))
                            };
                        }
                    }
                }
                StmtKind::Var(specs) => {
                    for spec in specs {
                        for (i, name) in spec.names.iter().enumerate() {
                            if self.declared_at(name.range) == Some(local) {
                                return if spec.values.len() == spec.names.len() {
                                    Some((spec.values[i], 0))
                                } else {
                                    Some((*spec.values.first()?, i))
                                };
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        None
    }
}

fn direct_literal(tree: &DeclTree, call: ExprId) -> Option<ExprId> {
    let ExprKind::Call { func, .. } = &tree[tree.unparen(call)].kind else {
        return None;
    };
    let func = tree.unparen(*func);
    matches!(tree[func].kind, ExprKind::FuncLit(_)).then_some(func)
}

/// One function of a declaration: its own body, or a literal's.
pub(crate) struct Function<'a> {
    pub(crate) d: &'a Declaration<'a>,
    pub(crate) tree: &'a DeclTree,
    pub(crate) facts: &'a Facts,
    pub(crate) literal: Option<ExprId>,
    pub(crate) cfg: &'a Cfg,
    dominators: OnceCell<Dominators>,
}

impl<'a> Function<'a> {
    pub(crate) fn new(d: &'a Declaration<'a>, literal: Option<ExprId>, cfg: &'a Cfg) -> Self {
        Self {
            d,
            tree: d.tree,
            facts: d.facts,
            literal,
            cfg,
            dominators: OnceCell::new(),
        }
    }

    pub(crate) fn dominators(&self) -> &Dominators {
        self.dominators.get_or_init(|| self.cfg.dominators())
    }

    /// `F`, `T.M`, or `F.func1` for literals.
    pub(crate) fn name(&self) -> String {
        let db = self.d.db;
        let mut name = match self.d.decl.receiver(db) {
            Some(ty) => format!("{ty}.{}", self.d.decl.name(db)),
            None => self.d.decl.name(db).to_string(),
        };
        if let Some(literal) = self.literal {
            let mut literals: Vec<TextSize> = self
                .tree
                .exprs
                .iter()
                .filter(|(_, e)| matches!(e.kind, ExprKind::FuncLit(_)))
                .map(|(_, e)| e.range.start())
                .collect();
            literals.sort_unstable();
            let at = self.tree[literal].range.start();
            let index = literals.iter().position(|l| *l == at).unwrap_or(0);
            name.push_str(&format!(".func{}", index + 1));
        }
        name
    }

    pub(crate) fn body(&self) -> Option<&'a Block> {
        self.d.body(self.literal)
    }

    /// The closing brace of the body.
    pub(crate) fn end_range(&self) -> TextRange {
        match self.body() {
            Some(body) => last_byte(body.range),
            None => TextRange::empty(TextSize::from(0)),
        }
    }

    /// A statement without its blocks.
    pub(crate) fn head_range(&self, stmt: StmtId) -> TextRange {
        let whole = self.tree[stmt].range;
        let head = |end: TextSize| TextRange::new(whole.start(), end.max(whole.start()));
        match &self.tree[stmt].kind {
            StmtKind::If { cond, .. } => head(self.tree[*cond].range.end()),
            StmtKind::For { cond, .. } => match cond {
                Some(cond) => head(self.tree[*cond].range.end()),
                None => TextRange::at(whole.start(), TextSize::from(3).min(whole.len())),
            },
            StmtKind::Range { over, .. } => head(self.tree[*over].range.end()),
            StmtKind::Switch { tag: Some(tag), .. } => head(self.tree[*tag].range.end()),
            StmtKind::Switch { .. } | StmtKind::Select { .. } => {
                TextRange::at(whole.start(), TextSize::from(6).min(whole.len()))
            }
            StmtKind::TypeSwitch { subject, .. } => head(self.tree[*subject].range.end()),
            _ => whole,
        }
    }

    pub(crate) fn loop_body(&self, stmt: StmtId) -> Option<TextRange> {
        match &self.tree[stmt].kind {
            StmtKind::For { body, .. } | StmtKind::Range { body, .. } => Some(body.range),
            _ => None,
        }
    }

    /// The `continue` by which control leaves a block for the loop's next iteration.
    pub(crate) fn continue_at(&self, block: BlockId) -> Option<StmtId> {
        let is_continue = |stmt: &StmtId| {
            matches!(
                self.tree[*stmt].kind,
                StmtKind::Branch {
                    kind: BranchKind::Continue,
                    ..
                }
            )
        };
        self.cfg[block].left_by.filter(is_continue)
    }

    /// The locals of the function's results.
    pub(crate) fn results(&self) -> &[Option<LocalId>] {
        match self.literal {
            Some(literal) => self
                .facts
                .literals
                .get(literal)
                .map_or(&[], |l| &l.results[..]),
            None => &self.facts.results,
        }
    }

    /// The function literal that a call calls: directly, or through a variable that is nothing else.
    pub(crate) fn called_literal(&self, call: ExprId) -> Option<ExprId> {
        if let Some(literal) = direct_literal(self.tree, call) {
            return Some(literal);
        }
        let ExprKind::Call { func, .. } = &self.tree[self.tree.unparen(call)].kind else {
            return None;
        };
        match self.facts.refs.get(self.tree.unparen(*func)) {
            Some(Res::Local(local)) => self.closure_of(*local),
            _ => None,
        }
    }

    pub(crate) fn closure_of(&self, local: LocalId) -> Option<ExprId> {
        self.d.closure(local)
    }

    pub(crate) fn literal_local(&self, literal: ExprId) -> Option<LocalId> {
        self.d.closure_locals.get(&literal).copied()
    }

    pub(crate) fn is_deferred_literal(&self, literal: ExprId) -> bool {
        self.d.deferred.contains(&literal)
    }

    pub(crate) fn is_called_at_once(&self, literal: ExprId) -> bool {
        self.d.called.contains(&literal)
    }

    pub(crate) fn literal_cfg(&self, literal: ExprId) -> Option<Arc<Cfg>> {
        self.d.literal_cfg(literal)
    }

    /// Whether a function literal can come to its end.
    pub(crate) fn can_return(&self, literal: ExprId) -> bool {
        let Some(cfg) = self.literal_cfg(literal) else {
            return true;
        };
        let mut seen = FxHashSet::default();
        let mut stack = vec![cfg.entry];
        while let Some(block) = stack.pop() {
            if !seen.insert(block) {
                continue;
            }
            match &cfg[block].terminator {
                Terminator::Return(_) => return true,
                Terminator::Branch {
                    cond: go_model::cfg::Cond::RangeNext(stmt),
                    then,
                    ..
                } if self.never_ends(*stmt) => stack.push(*then),
                other => other.for_each_successor(|b| stack.push(b)),
            }
        }
        false
    }

    pub(crate) fn is_repeated(&self, key: u64) -> bool {
        self.d.repeated.contains(&key)
    }

    pub(crate) fn keys_of(&self, local: LocalId) -> &[u64] {
        self.d.keys.get(&local).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn bool_key(&self, local: LocalId) -> Option<u64> {
        self.d.bool_keys.get(&local).copied()
    }

    pub(crate) fn assigned_within(&self, local: LocalId, from: TextSize, to: TextSize) -> bool {
        self.d
            .assigned
            .get(&local)
            .is_some_and(|places| places.iter().any(|p| *p >= from && *p < to))
    }

    /// Whether a variable has the same value wherever it is asked for: a parameter, or what is given a value once and not in a loop.
    pub(crate) fn is_set_once(&self, local: LocalId) -> bool {
        let l = &self.facts.locals[local];
        if l.assignments > 1 || l.address_taken {
            return false;
        }
        let declared = l.ident.range;
        match l.kind {
            LocalKind::Param | LocalKind::Receiver => true,
            LocalKind::Var => {
                l.assignments == 1
                    && self
                        .d
                        .assigned(local)
                        .iter()
                        .all(|at| *at == declared.start())
                    && !(self.cfg.loops.iter())
                        .filter_map(|l| self.loop_body(l.stmt))
                        .any(|body| body.contains_range(declared))
            }
            _ => false,
        }
    }

    /// Whether a value is nil (`true`) or not, by its form.
    pub(crate) fn is_nil_value(&self, value: ExprId) -> Option<bool> {
        let value = self.tree.unparen(value);
        if self.is_nil(value) {
            return Some(true);
        }
        let made = match &self.tree[value].kind {
            ExprKind::FuncLit(_)
            | ExprKind::Composite { .. }
            | ExprKind::Unary {
                op: UnaryOp::Address,
                ..
            } => true,
            ExprKind::Call { .. } => match self.facts.callees.get(value) {
                Some(Callee::Builtin(name)) => matches!(name.as_str(), "make" | "new"),
                _ => self
                    .target(value)
                    .is_some_and(|t| t.is_func("fmt", "Errorf") || t.is_func("errors", "New")),
            },
            _ => false,
        };
        made.then_some(false)
    }

    pub(crate) fn constant(&self, expr: ExprId) -> Option<bool> {
        match self.facts.refs.get(self.tree.unparen(expr)) {
            Some(Res::Bool(b)) => Some(*b),
            _ => None,
        }
    }

    pub(crate) fn is_nil(&self, expr: ExprId) -> bool {
        self.d.is_nil(expr)
    }

    pub(crate) fn is_bool(&self, expr: ExprId) -> bool {
        matches!(
            self.facts.types.get(expr).map(Ty::kind),
            Some(TyKind::Basic(Basic::Bool | Basic::UntypedBool))
        ) || matches!(
            self.tree[self.tree.unparen(expr)].kind,
            ExprKind::Binary {
                op: BinaryOp::Eq
                    | BinaryOp::Ne
                    | BinaryOp::LogicalAnd
                    | BinaryOp::LogicalOr
                    | BinaryOp::Lt
                    | BinaryOp::Le
                    | BinaryOp::Gt
                    | BinaryOp::Ge,
                ..
            } | ExprKind::Unary {
                op: UnaryOp::Not,
                ..
            }
        )
    }

    /// A range over a channel that nobody closes: that of a ticker or timer, or one for signals.
    pub(crate) fn never_ends(&self, stmt: StmtId) -> bool {
        let StmtKind::Range { over, .. } = &self.tree[stmt].kind else {
            return false;
        };
        match self.facts.types.get(self.tree.unparen(*over)).map(Ty::kind) {
            Some(TyKind::Chan(_, elem)) => {
                elem.is_named("time", "Time") || elem.is_named("os", "Signal")
            }
            _ => false,
        }
    }

    pub(crate) fn target(&self, call: ExprId) -> Option<Target> {
        self.d.target(call)
    }

    /// Whether a channel is the `Done` of a context.
    pub(crate) fn is_context_end(&self, channel: ExprId) -> bool {
        self.target(channel).is_some_and(|target| {
            target.package == "context"
                && target.ty.is_some_and(|ty| ty == "Context")
                && target.name == "Done"
        })
    }

    pub(crate) fn summary(&self, call: ExprId) -> Option<Called> {
        self.d.summary(call)
    }

    pub(crate) fn type_switch_local(&self, stmt: StmtId, case: u32) -> Option<LocalId> {
        let StmtKind::TypeSwitch {
            bind: Some(bind), ..
        } = &self.tree[stmt].kind
        else {
            return None;
        };
        let locals = self.d.declared.get(&bind.range.start())?;
        locals.get(case as usize).or(locals.first()).copied()
    }

    pub(crate) fn declared_at(&self, range: TextRange) -> Option<LocalId> {
        self.d.declared_at(range)
    }

    /// A comma-ok assertion that cannot fail, or of which nothing is known.
    pub(crate) fn asserts_surely(&self, assertion: ExprId, own: Option<&Ty>) -> bool {
        let ExprKind::TypeAssert { base, ty: Some(ty) } =
            &self.tree[self.tree.unparen(assertion)].kind
        else {
            return true;
        };
        super::asserts_surely(self.d, *base, *ty, own)
    }

    pub(crate) fn is_interface(&self, ty: &Ty) -> bool {
        super::is_interface(self.d, ty) == Some(true)
    }

    /// Whether an expression denotes an interface with one of these methods.
    pub(crate) fn is_interface_with(&self, ty: ExprId, methods: &[&str]) -> bool {
        let Some(ty) = self.facts.types.get(ty) else {
            return false;
        };
        let d = self.d;
        let view = View::with_facts(d.db, d.decl.file(d.db), d.facts);
        view.is_interface(ty) == Some(true)
            && (methods.iter()).any(|name| view.has_method(ty, name) == Some(true))
    }

    /// A known type other than an interface.
    pub(crate) fn is_concrete(&self, ty: &Ty) -> bool {
        super::is_concrete(self.d, ty)
    }

    pub(crate) fn place(&self, expr: ExprId) -> Option<Place> {
        self.d.place(expr)
    }

    /// Whether fields of what the expression denotes only borrow what is stored in them.
    pub(crate) fn borrows_fields(&self, base: ExprId) -> bool {
        self.facts
            .types
            .get(self.tree.unparen(base))
            .is_some_and(is_borrowing)
    }

    pub(crate) fn is_borrowing_struct(&self, composite: ExprId) -> bool {
        self.facts.types.get(composite).is_some_and(is_borrowing)
            || self
                .d
                .parent(composite)
                .and_then(|p| self.d.parent(p).or(Some(p)))
                .is_some_and(|p| {
                    matches!(self.tree[p].kind, ExprKind::Composite { .. })
                        && self.facts.types.get(p).is_some_and(is_borrowing)
                })
    }

    /// A composite literal of a struct type, as far as is known.
    pub(crate) fn is_struct_literal(&self, composite: ExprId) -> bool {
        if let ExprKind::Composite { ty: Some(ty), .. } = &self.tree[composite].kind {
            return !matches!(
                self.tree[*ty].kind,
                ExprKind::MapType { .. } | ExprKind::ArrayType { .. }
            );
        }
        true
    }

    /// Whether a local is a struct made here that nobody else has seen before `at`.
    pub(crate) fn is_fresh_struct(&self, local: LocalId, at: TextSize) -> bool {
        let l = &self.facts.locals[local];
        if l.kind != LocalKind::Var
            || l.captured
            || l.address_taken
            || l.owner != self.literal
            || l.assignments > 1
        {
            return false;
        }
        let made_here = match self.d.value_at(local) {
            None => matches!(l.ty.kind(), TyKind::Named(_) | TyKind::Struct(_)),
            Some((value, _)) => {
                let mut value = self.tree.unparen(value);
                if let ExprKind::Unary {
                    op: UnaryOp::Address,
                    operand,
                } = &self.tree[value].kind
                {
                    value = self.tree.unparen(*operand);
                }
                matches!(self.tree[value].kind, ExprKind::Composite { .. })
                    || matches!(self.facts.callees.get(value), Some(Callee::Builtin(n)) if *n == "new")
            }
        };
        made_here
            && self.d.mentions(local).iter().all(|(expr, place)| {
                if *place >= at || *place == l.ident.range.start() {
                    return true;
                }
                let mut up = self.d.parent(*expr);
                while let Some(p) = up
                    && matches!(self.tree[p].kind, ExprKind::Paren(_))
                {
                    up = self.d.parent(p);
                }
                up.is_some_and(|p| {
                    matches!(self.tree[p].kind, ExprKind::Selector { .. })
                        && matches!(self.facts.refs.get(p), Some(Res::Field { .. }))
                })
            })
    }

    /// On what the releases at these places in a literal depend.
    pub(crate) fn literal_guard(&self, literal: ExprId, releases: &[TextRange]) -> LiteralGuard {
        let Some(body) = self.d.body(Some(literal)) else {
            return LiteralGuard::None;
        };
        if releases.is_empty() {
            return LiteralGuard::None;
        }
        for &stmt in &body.stmts {
            let StmtKind::If { cond, then, .. } = &self.tree[stmt].kind else {
                continue;
            };
            if releases.iter().all(|r| then.range.contains_range(*r)) {
                for (local, op) in self.nil_conjuncts(*cond) {
                    if op == BinaryOp::Ne {
                        return self.guard(literal, local);
                    }
                }
                return LiteralGuard::None;
            }
            // `if err == nil { return }` before the release.
            let leaves = self.d.outline.leaves(&then.stmts, &|_| false);
            if leaves && releases.iter().all(|r| r.start() >= then.range.end()) {
                let tests = self.nil_conjuncts(*cond);
                if let [(local, BinaryOp::Eq)] = tests[..] {
                    return self.guard(literal, local);
                }
            }
        }
        LiteralGuard::None
    }

    fn guard(&self, literal: ExprId, local: LocalId) -> LiteralGuard {
        let l = &self.facts.locals[local];
        if l.owner == Some(literal) {
            // Declared inside: the value of `recover()`, or something else that is not followed.
            let recovered = self.d.value_at(local).is_some_and(|(value, _)| {
                matches!(self.facts.callees.get(self.tree.unparen(value)),
                    Some(Callee::Builtin(n)) if *n == "recover")
            });
            return if recovered {
                LiteralGuard::Panic
            } else {
                LiteralGuard::None
            };
        }
        if l.ty.is_error() || l.ty.is_unknown() {
            LiteralGuard::Error(local)
        } else {
            LiteralGuard::None
        }
    }

    /// The comparisons of locals with nil that a condition consists of, joined by `&&`.
    fn nil_conjuncts(&self, cond: ExprId) -> Vec<(LocalId, BinaryOp)> {
        let mut found = Vec::new();
        let mut stack = vec![cond];
        while let Some(e) = stack.pop() {
            match &self.tree[self.tree.unparen(e)].kind {
                ExprKind::Binary {
                    op: BinaryOp::LogicalAnd,
                    lhs,
                    rhs,
                } => stack.extend([*rhs, *lhs]),
                ExprKind::Binary {
                    op: op @ (BinaryOp::Eq | BinaryOp::Ne),
                    lhs,
                    rhs,
                } if self.is_nil(*rhs) => {
                    if let Some(Res::Local(local)) = self.facts.refs.get(self.tree.unparen(*lhs))
                        && (self.facts.locals[*local].ty.is_error()
                            || self.facts.locals[*local].ty.is_unknown()
                            || matches!(self.facts.locals[*local].ty.kind(), TyKind::Interface(_))
                            || self.facts.locals[*local].ty.is_named("", "any"))
                    {
                        found.push((*local, *op));
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// Types of a call's results.
    pub(crate) fn result_types(&self, call: ExprId) -> Vec<Ty> {
        match self.facts.types.get(call) {
            Some(ty) => match ty.kind() {
                TyKind::Tuple(all) => all.clone(),
                _ => vec![ty.clone()],
            },
            None => Vec::new(),
        }
    }

    /// Whether a call is a statement of its own: nobody looks at what it gives.
    pub(crate) fn is_statement(&self, call: ExprId) -> bool {
        self.tree
            .stmts
            .iter()
            .any(|(_, stmt)| matches!(stmt.kind, StmtKind::Expr(e) if self.tree.unparen(e) == call))
    }

    /// Whether a test helper asserts that this argument, an error, is there (`true`) or is not there.
    pub(crate) fn asserts_error(&self, call: ExprId, _index: usize) -> Option<bool> {
        let target = self.target(call)?;
        let package = target.package.as_str();
        let name = target.name.as_str();
        if package.starts_with("github.com/stretchr/testify/")
            || package.ends_with("/testify/require")
            || package.ends_with("/testify/assert")
        {
            return match name.trim_end_matches('f') {
                "Error" | "EqualError" | "ErrorIs" | "ErrorAs" | "ErrorContains" | "NotNil"
                | "NotEmpty" => Some(true),
                "NoError" | "Nil" | "Empty" => Some(false),
                _ => None,
            };
        }
        if package.starts_with("gotest.tools/") {
            return match name {
                "Error" | "ErrorContains" | "ErrorIs" | "ErrorType" => Some(true),
                "NilError" => Some(false),
                _ => None,
            };
        }
        None
    }

    /// The value of a boolean constant.
    pub(crate) fn constant_bool(&self, expr: ExprId) -> Option<bool> {
        let mut expr = self.tree.unparen(expr);
        let mut negated = false;
        while let ExprKind::Unary {
            op: UnaryOp::Not,
            operand,
        } = &self.tree[expr].kind
        {
            negated = !negated;
            expr = self.tree.unparen(*operand);
        }
        let value = match self.facts.refs.get(expr)? {
            Res::Bool(b) => *b,
            Res::Local(local) => self.constant(self.d.only_value(*local)?.0)?,
            Res::Package(item) => super::constant_bool(self.d, *item)?,
            _ => return None,
        };
        Some(value != negated)
    }

    /// Whether an argument is nil for the function that gets it. `known` says whether the variable that it is, is nil.
    pub(crate) fn nil_argument(
        &self,
        call: ExprId,
        index: usize,
        arg: ExprId,
        known: Option<bool>,
    ) -> Option<bool> {
        if self.is_nil(arg) {
            return Some(true);
        }
        match &self.tree[arg].kind {
            ExprKind::Unary {
                op: UnaryOp::Address,
                ..
            }
            | ExprKind::Composite { .. }
            | ExprKind::FuncLit(_) => return Some(false),
            _ => {}
        }
        let ExprKind::Call { func, .. } = &self.tree[self.tree.unparen(call)].kind else {
            return None;
        };
        let Some(TyKind::Func(sig)) = self.facts.types.get(self.tree.unparen(*func)).map(Ty::kind)
        else {
            return None;
        };
        let (given, wanted) = (self.facts.types.get(arg)?, sig.params.get(index)?);
        if given == wanted {
            return known;
        }
        // A nil pointer in an interface is not nil.
        (self.is_interface(wanted) && self.is_concrete(given)).then_some(false)
    }

    /// Whether a call notes that the test has failed, and comes back.
    pub(crate) fn fails_test(&self, call: ExprId) -> bool {
        self.target(call).is_some_and(|t| {
            t.package == "testing"
                && t.ty.is_some()
                && matches!(t.name.as_str(), "Error" | "Errorf" | "Fail")
        })
    }

    /// Whether a call asserts in a test that two of its arguments are equal.
    pub(crate) fn asserts_equality(&self, call: ExprId) -> bool {
        self.target(call).is_some_and(|t| {
            t.package
                .as_str()
                .starts_with("github.com/stretchr/testify/")
                && matches!(
                    t.name.as_str().trim_end_matches('f'),
                    "Equal" | "EqualValues" | "Exactly"
                )
        })
    }

    /// Whether an expression is the status of a response that never has a body.
    pub(crate) fn is_bodyless_status(&self, status: ExprId) -> bool {
        let status = self.tree.unparen(status);
        match self.facts.refs.get(status) {
            Some(Res::Package(item)) => {
                item.is("net/http", "StatusNoContent") || item.is("net/http", "StatusNotModified")
            }
            _ => matches!(self.tree.int_value(status), Some(204 | 304)),
        }
    }

    /// Whether a call gets another error than this argument.
    pub(crate) fn has_other_error(&self, call: ExprId, index: usize) -> bool {
        let ExprKind::Call { args, .. } = &self.tree[self.tree.unparen(call)].kind else {
            return false;
        };
        (args.iter().enumerate()).any(|(i, arg)| i != index && !self.is_nil(*arg))
    }

    /// Whether something of a concrete type has one of the types of a case.
    pub(crate) fn has_one_of(&self, own: &Ty, types: &[ExprId]) -> Option<bool> {
        let mut all = Some(false);
        for ty in types {
            if self.is_nil(*ty) {
                continue;
            }
            match super::has_type(self.d, own, *ty) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => all = None,
            }
        }
        all
    }

    /// Whether a call calls something of another package, or nobody knows what.
    pub(crate) fn is_foreign(&self, call: ExprId) -> bool {
        super::is_foreign(self.d, call)
    }

    /// The name of a parameter of what a call calls.
    pub(crate) fn param_name(&self, call: ExprId, index: usize) -> Option<Name> {
        super::param_name(self.d, call, index)
    }

    /// Whether an argument becomes an element of the last parameter of a function that is not one of the table.
    pub(crate) fn is_variadic(&self, call: ExprId, index: usize) -> bool {
        let ExprKind::Call {
            func,
            spread: false,
            ..
        } = &self.tree[self.tree.unparen(call)].kind
        else {
            return false;
        };
        let Some(TyKind::Func(sig)) = self.facts.types.get(self.tree.unparen(*func)).map(Ty::kind)
        else {
            return false;
        };
        sig.variadic && index + 1 >= sig.params.len() && self.has_body(call)
    }

    /// Whether what is called is a pointer to a type of C, as in `(*C.char)(p)`.
    pub(crate) fn is_c_conversion(&self, func: ExprId) -> bool {
        let ExprKind::Star(pointee) = &self.tree[func].kind else {
            return false;
        };
        match &self.tree[self.tree.unparen(*pointee)].kind {
            ExprKind::Selector { base, .. } => matches!(
                self.facts.refs.get(self.tree.unparen(*base)),
                Some(Res::Import(package)) if *package == "C"
            ),
            _ => false,
        }
    }

    /// Whether the last result of the function is an error.
    pub(crate) fn returns_error(&self) -> bool {
        let signature = match self.literal {
            Some(literal) => match &self.tree[literal].kind {
                ExprKind::FuncLit(lit) => &lit.signature,
                _ => return false,
            },
            None => match &self.tree.kind {
                DeclKind::Func(func) => &func.signature,
                _ => return false,
            },
        };
        signature.results.last().is_some_and(
            |last| matches!(self.tree[last.ty].kind, ExprKind::Ident(name) if name == "error"),
        )
    }

    /// Whether two calls call something of the same package.
    pub(crate) fn same_package(&self, a: ExprId, b: ExprId) -> bool {
        match (self.target(a), self.target(b)) {
            (Some(a), Some(b)) => a.package == b.package,
            _ => false,
        }
    }

    /// Whether the first result of the call `a` has the type of the first result of the call `b`.
    pub(crate) fn is_own_type(&self, a: ExprId, b: ExprId) -> bool {
        match (
            self.result_types(a).into_iter().next(),
            self.result_types(b).into_iter().next(),
        ) {
            (Some(a), Some(b)) => a == b,
            _ => false,
        }
    }

    /// Whether the callee is a function whose body was read rather than one of the table.
    pub(crate) fn has_body(&self, call: ExprId) -> bool {
        match self.facts.callees.get(call) {
            Some(callee) => go_model::effects::of(callee).is_none(),
            None => false,
        }
    }
}

fn is_borrowing(ty: &Ty) -> bool {
    ty.as_named_or_pointer().is_some_and(|named| {
        BORROWING_STRUCTS
            .iter()
            .any(|(package, name)| named.name == *name && named.package == *package)
    })
}

/// The last byte of a range: a closing brace.
pub(crate) fn last_byte(range: TextRange) -> TextRange {
    let one = TextSize::from(1).min(range.len());
    TextRange::at(range.end() - one, one)
}
