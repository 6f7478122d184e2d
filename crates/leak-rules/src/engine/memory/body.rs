//! A declaration with what the memory engine asks of it: parents, and the values of its locals.

use std::sync::Arc;

use go_model::db::{Db, DeclId, decl_tree};
use go_model::facts::{Callee, Facts, LocalId, Res};
use go_model::members::View;
use go_model::package::{Item, PackageId, import_path, package_item, package_of_decl};
use go_model::types::Ty;
use go_syntax::ast::{Block, DeclTree, ExprId, ExprKind, StmtId, StmtKind, UnaryOp};
use go_syntax::{Name, NodeId, TextRange};
use rustc_hash::FxHashMap;

use crate::engine::facts;

/// Where a local gets a value from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    /// This value, or a part of what this gives.
    Value(ExprId),
    /// An element of this.
    Element(ExprId),
    /// It is changed in place.
    Changed,
}

/// A declaration.
pub(super) struct Body<'a> {
    pub(super) db: &'a dyn Db,
    pub(super) decl: DeclId,
    pub(super) package: PackageId,
    /// The package's import path.
    pub(super) path: Name,
    pub(super) tree: &'a DeclTree,
    pub(super) facts: &'a Facts,
    parents: FxHashMap<NodeId, NodeId>,
    given: FxHashMap<LocalId, Vec<Given>>,
}

/// Calls `f` with a declaration, unless it could not be parsed.
pub(super) fn with<T>(db: &dyn Db, decl: DeclId, f: impl FnOnce(&Body<'_>) -> T) -> Option<T> {
    let tree: Arc<DeclTree> = decl_tree(db, decl);
    let facts = facts(db, decl);
    let package = package_of_decl(db, decl);
    let mut body = Body {
        db,
        decl,
        package,
        path: import_path(db, package),
        tree: &tree,
        facts: &facts,
        parents: FxHashMap::default(),
        given: FxHashMap::default(),
    };
    body.scan();
    Some(f(&body))
}

impl<'a> Body<'a> {
    fn scan(&mut self) {
        let tree = self.tree;
        for (id, _) in tree.exprs.iter() {
            tree.for_each_child(id, |child| {
                self.parents.insert(child, id.into());
            });
        }
        for (id, _) in tree.stmts.iter() {
            tree.for_each_child(id, |child| {
                self.parents.insert(child, id.into());
            });
        }
        let mut declared: FxHashMap<TextRange, LocalId> = FxHashMap::default();
        for (id, local) in self.facts.locals.iter() {
            declared.entry(local.ident.range).or_insert(id);
        }
        let mut given: Vec<(LocalId, Given)> = Vec::new();
        for (_, stmt) in tree.stmts.iter() {
            match &stmt.kind {
                StmtKind::Assign { lhs, rhs, op } => {
                    for (i, target) in lhs.iter().enumerate() {
                        let Some(local) = self.local(*target) else {
                            continue;
                        };
                        let value = match (rhs.len() == lhs.len(), rhs.first()) {
                            (true, _) => Given::Value(rhs[i]),
                            (false, Some(first)) => Given::Value(*first),
                            (false, None) => Given::Changed,
                        };
                        given.push((local, value));
                        if matches!(op, go_syntax::ast::AssignOp::Op(_)) {
                            given.push((local, Given::Changed));
                        }
                    }
                }
                StmtKind::IncDec { operand, .. } => {
                    if let Some(local) = self.local(*operand) {
                        given.push((local, Given::Changed));
                    }
                }
                StmtKind::Range {
                    key, value, over, ..
                } => {
                    for target in [key, value] {
                        if let Some(local) = target.and_then(|t| self.local(t)) {
                            given.push((local, Given::Element(*over)));
                        }
                    }
                }
                StmtKind::Var(specs) => {
                    for spec in specs {
                        for (i, name) in spec.names.iter().enumerate() {
                            let Some(local) = declared.get(&name.range) else {
                                continue;
                            };
                            let value = match spec.values.len() == spec.names.len() {
                                true => Some(spec.values[i]),
                                false => spec.values.first().copied(),
                            };
                            if let Some(value) = value {
                                given.push((*local, Given::Value(value)));
                            }
                        }
                    }
                }
                StmtKind::TypeSwitch {
                    bind: Some(bind),
                    subject,
                    ..
                } => {
                    for (id, local) in self.facts.locals.iter() {
                        if local.ident.range == bind.range {
                            given.push((id, Given::Value(*subject)));
                        }
                    }
                }
                _ => {}
            }
        }
        for (local, value) in given {
            self.given.entry(local).or_default().push(value);
        }
    }

    /// All values that a local gets in assignments.
    pub(super) fn given(&self, local: LocalId) -> &[Given] {
        self.given.get(&local).map_or(&[], Vec::as_slice)
    }

    /// The only value that a local ever gets.
    pub(super) fn only_value(&self, local: LocalId) -> Option<ExprId> {
        match self.given(local) {
            [Given::Value(value)] => Some(self.tree.unparen(*value)),
            _ => None,
        }
    }

    pub(super) fn view(&self) -> View<'_> {
        View::with_facts(self.db, self.decl.file(self.db), self.facts)
    }

    pub(super) fn parent(&self, node: impl Into<NodeId>) -> Option<NodeId> {
        self.parents.get(&node.into()).copied()
    }

    /// The nodes around a node, innermost first.
    pub(super) fn around(&self, node: impl Into<NodeId>) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(self.parent(node), |node| self.parent(*node))
    }

    /// The innermost function literal around a node.
    pub(super) fn literal(&self, node: impl Into<NodeId>) -> Option<ExprId> {
        self.around(node).find_map(|node| match node {
            NodeId::Expr(e) if self.tree.func_lit(e).is_some() => Some(e),
            _ => None,
        })
    }

    /// The innermost statement around an expression.
    pub(super) fn stmt(&self, expr: ExprId) -> Option<StmtId> {
        self.around(expr).find_map(NodeId::stmt)
    }

    pub(super) fn local(&self, expr: ExprId) -> Option<LocalId> {
        match self.facts.refs.get(self.tree.unparen(expr))? {
            Res::Local(local) => Some(*local),
            _ => None,
        }
    }

    /// What stands at the beginning of a chain of selectors, indexes and dereferences.
    pub(super) fn root(&self, expr: ExprId) -> ExprId {
        let mut at = expr;
        loop {
            match &self.tree[at].kind {
                ExprKind::Paren(x) | ExprKind::Star(x) => at = *x,
                ExprKind::Unary {
                    op: UnaryOp::Address,
                    operand,
                } => at = *operand,
                ExprKind::Selector { base, .. }
                | ExprKind::Index { base, .. }
                | ExprKind::Slice { base, .. }
                | ExprKind::TypeAssert { base, .. } => at = *base,
                _ => return at,
            }
        }
    }

    /// Whether the package has a variable of this name.
    pub(super) fn is_variable(&self, name: Name) -> bool {
        matches!(package_item(self.db, self.package, name), Some(Item::Value(v)) if !v.is_const)
    }

    pub(super) fn ty(&self, expr: ExprId) -> Option<&'a Ty> {
        self.facts.types.get(expr)
    }

    pub(super) fn callee(&self, call: ExprId) -> Option<&'a Callee> {
        self.facts.callees.get(call)
    }

    pub(super) fn is_builtin(&self, call: ExprId, name: &str) -> bool {
        matches!(self.callee(call), Some(Callee::Builtin(n)) if *n == name)
    }

    pub(super) fn args(&self, call: ExprId) -> &'a [ExprId] {
        match &self.tree[call].kind {
            ExprKind::Call { args, .. } => args,
            _ => &[],
        }
    }

    /// The call that has an expression as an argument, and which one it is.
    pub(super) fn argument_of(&self, expr: ExprId) -> Option<(ExprId, usize)> {
        let call = self.parent(expr)?.expr()?;
        let index = self.args(call).iter().position(|a| *a == expr)?;
        Some((call, index))
    }

    /// Whether two expressions are the same chain of names.
    pub(super) fn same(&self, a: ExprId, b: ExprId) -> bool {
        let (a, b) = (self.bare(a), self.bare(b));
        match (&self.tree[a].kind, &self.tree[b].kind) {
            (ExprKind::Ident(x), ExprKind::Ident(y)) => {
                x == y && self.facts.refs.get(a) == self.facts.refs.get(b)
            }
            (ExprKind::Selector { base: x, name: m }, ExprKind::Selector { base: y, name: n }) => {
                m.name == n.name && self.same(*x, *y)
            }
            (
                ExprKind::Index {
                    base: x,
                    indices: i,
                },
                ExprKind::Index {
                    base: y,
                    indices: j,
                },
            ) => self.same(*x, *y) && i.len() == 1 && j.len() == 1 && self.same(i[0], j[0]),
            (ExprKind::Literal(x), ExprKind::Literal(y)) => x.text.is_some() && x == y,
            _ => false,
        }
    }

    /// Whether a block ends with a jump or a return.
    pub(super) fn leaves(&self, block: &Block) -> bool {
        (block.stmts.last()).is_some_and(|last| {
            matches!(
                self.tree[*last].kind,
                StmtKind::Return(_) | StmtKind::Branch { .. }
            )
        })
    }

    /// Without parentheses and dereferences.
    pub(super) fn bare(&self, mut expr: ExprId) -> ExprId {
        while let ExprKind::Paren(x) | ExprKind::Star(x) = self.tree[expr].kind {
            expr = x;
        }
        expr
    }
}
