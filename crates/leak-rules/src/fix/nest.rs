//! Where each statement stands.

use go_syntax::ast::{DeclKind, DeclTree, ExprId, ExprKind, StmtId, StmtKind};
use go_syntax::la_arena::ArenaMap;
use go_syntax::{TextRange, TextSize};

use crate::engine::site::InsertPoint;

/// What a statement stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The body of the declaration (`None`) or of a function literal.
    Func(Option<ExprId>),
    /// A block statement.
    Block(StmtId),
    /// The first block of an `if`.
    Then(StmtId),
    /// After the `else` of an `if`.
    Else(StmtId),
    /// The body of a loop.
    Body(StmtId),
    /// A case of a switch or select.
    Case(StmtId, u32),
    /// The header of a statement: initialiser, post statement, communication.
    Header(StmtId),
    /// Behind a label.
    Label(StmtId),
}

impl Owner {
    /// The statement that it belongs to.
    pub(crate) fn stmt(self) -> Option<StmtId> {
        match self {
            Self::Func(_) => None,
            Self::Block(s)
            | Self::Then(s)
            | Self::Else(s)
            | Self::Body(s)
            | Self::Case(s, _)
            | Self::Header(s)
            | Self::Label(s) => Some(s),
        }
    }
}

/// The nesting of the statements of a declaration.
pub(crate) struct Nest<'a> {
    tree: &'a DeclTree,
    parents: ArenaMap<StmtId, (Owner, usize)>,
}

impl<'a> Nest<'a> {
    pub(crate) fn new(tree: &'a DeclTree) -> Self {
        let mut parents = ArenaMap::default();
        let mut list = |owner: Owner, stmts: &[StmtId]| {
            for (i, &stmt) in stmts.iter().enumerate() {
                parents.insert(stmt, (owner, i));
            }
        };
        if let DeclKind::Func(f) = &tree.kind
            && let Some(body) = &f.body
        {
            list(Owner::Func(None), &body.stmts);
        }
        for (id, expr) in tree.exprs.iter() {
            if let ExprKind::FuncLit(lit) = &expr.kind {
                list(Owner::Func(Some(id)), &lit.body.stmts);
            }
        }
        for (id, stmt) in tree.stmts.iter() {
            match &stmt.kind {
                StmtKind::Block(block) => list(Owner::Block(id), &block.stmts),
                StmtKind::If {
                    init, then, els, ..
                } => {
                    list(Owner::Header(id), init.as_slice());
                    list(Owner::Then(id), &then.stmts);
                    list(Owner::Else(id), els.as_slice());
                }
                StmtKind::Switch { init, cases, .. } | StmtKind::TypeSwitch { init, cases, .. } => {
                    list(Owner::Header(id), init.as_slice());
                    for (i, case) in cases.iter().enumerate() {
                        list(Owner::Case(id, i as u32), &case.body);
                    }
                }
                StmtKind::Select { cases } => {
                    for (i, case) in cases.iter().enumerate() {
                        list(Owner::Header(id), case.comm.as_slice());
                        list(Owner::Case(id, i as u32), &case.body);
                    }
                }
                StmtKind::For {
                    init, post, body, ..
                } => {
                    list(Owner::Header(id), init.as_slice());
                    list(Owner::Header(id), post.as_slice());
                    list(Owner::Body(id), &body.stmts);
                }
                StmtKind::Range { body, .. } => list(Owner::Body(id), &body.stmts),
                StmtKind::Labeled { stmt, .. } => {
                    list(Owner::Label(id), std::slice::from_ref(stmt))
                }
                _ => {}
            }
        }
        Self { tree, parents }
    }

    /// What the statement stands in, and at which place.
    pub(crate) fn parent(&self, stmt: StmtId) -> Option<(Owner, usize)> {
        self.parents.get(stmt).copied()
    }

    /// The statement itself and everything around it in the same function, inside out, with the place of each.
    pub(crate) fn chain(&self, stmt: StmtId) -> impl Iterator<Item = (StmtId, Owner, usize)> + '_ {
        let mut at = Some(stmt);
        std::iter::from_fn(move || {
            let stmt = at?;
            let (owner, index) = self.parent(stmt)?;
            at = owner.stmt();
            Some((stmt, owner, index))
        })
    }

    /// The function around the statement: `Some(None)` is the declaration itself.
    pub(crate) fn function(&self, stmt: StmtId) -> Option<Option<ExprId>> {
        self.chain(stmt).find_map(|(_, owner, _)| match owner {
            Owner::Func(f) => Some(f),
            _ => None,
        })
    }

    /// The statements of a list.
    pub(crate) fn list(&self, owner: Owner) -> &'a [StmtId] {
        let tree = self.tree;
        match owner {
            Owner::Func(None) => match &tree.kind {
                DeclKind::Func(f) => f.body.as_ref().map_or(&[], |b| &b.stmts),
                _ => &[],
            },
            Owner::Func(Some(lit)) => match &tree[lit].kind {
                ExprKind::FuncLit(lit) => &lit.body.stmts,
                _ => &[],
            },
            Owner::Block(s) | Owner::Then(s) | Owner::Body(s) => match &tree[s].kind {
                StmtKind::Block(b) => &b.stmts,
                StmtKind::If { then, .. } => &then.stmts,
                StmtKind::For { body, .. } | StmtKind::Range { body, .. } => &body.stmts,
                _ => &[],
            },
            Owner::Case(s, i) => match &tree[s].kind {
                StmtKind::Switch { cases, .. } | StmtKind::TypeSwitch { cases, .. } => {
                    &cases[i as usize].body
                }
                StmtKind::Select { cases } => &cases[i as usize].body,
                _ => &[],
            },
            Owner::Else(_) | Owner::Header(_) | Owner::Label(_) => &[],
        }
    }

    /// Whether every way to `stmt` leads through the insertion point, as far as the nesting shows it: it stands behind the point in
    /// the same list of statements, or in something that does.
    pub(crate) fn is_behind(&self, stmt: StmtId, point: InsertPoint) -> bool {
        match point {
            InsertPoint::After(after) => {
                let Some((owner, index)) = self.parent(after) else {
                    return false;
                };
                self.chain(stmt).any(|(_, o, i)| o == owner && i > index)
            }
            InsertPoint::BlockStart(block) => {
                block.contains_range(self.tree[stmt].range) && self.same_function(stmt, block)
            }
            InsertPoint::ElseIf(check) => {
                let Some(els) = else_of(self.tree, check) else {
                    return false;
                };
                let range = self.tree[els].range;
                self.is_behind(stmt, InsertPoint::After(check))
                    || range.contains_range(self.tree[stmt].range)
                        && self.same_function(stmt, range)
            }
        }
    }

    fn same_function(&self, stmt: StmtId, block: TextRange) -> bool {
        // No literal inside the block contains the statement.
        match self.function(stmt) {
            Some(Some(lit)) => !(block.contains_range(self.tree[lit].range)),
            Some(None) => true,
            None => false,
        }
    }

    /// The list of statements that the insertion point is in.
    pub(crate) fn owner_of(&self, point: InsertPoint) -> Option<Owner> {
        match point {
            InsertPoint::After(stmt) | InsertPoint::ElseIf(stmt) => Some(self.parent(stmt)?.0),
            InsertPoint::BlockStart(range) => self.parents.iter().find_map(|(_, &(owner, _))| {
                (block_range(self.tree, owner)? == range).then_some(owner)
            }),
        }
    }
}

/// What follows the `else` of an `if`.
pub(crate) fn else_of(tree: &DeclTree, stmt: StmtId) -> Option<StmtId> {
    match tree[stmt].kind {
        StmtKind::If { els, .. } => els,
        _ => None,
    }
}

/// Where the code at an insertion point stands, as an offset of the declaration.
pub(crate) fn offset_of(tree: &DeclTree, point: InsertPoint) -> TextSize {
    match point {
        InsertPoint::After(stmt) => tree[stmt].range.end(),
        InsertPoint::BlockStart(block) => block.start(),
        InsertPoint::ElseIf(check) => match &tree[check].kind {
            StmtKind::If { then, .. } => then.range.end(),
            _ => tree[check].range.end(),
        },
    }
}

/// The range of the block, with both braces, whose list this is.
pub(crate) fn block_range(tree: &DeclTree, owner: Owner) -> Option<TextRange> {
    match owner {
        Owner::Func(None) => match &tree.kind {
            DeclKind::Func(f) => Some(f.body.as_ref()?.range),
            _ => None,
        },
        Owner::Func(Some(lit)) => match &tree[lit].kind {
            ExprKind::FuncLit(lit) => Some(lit.body.range),
            _ => None,
        },
        Owner::Block(s) | Owner::Then(s) | Owner::Body(s) => match &tree[s].kind {
            StmtKind::Block(b) => Some(b.range),
            StmtKind::If { then, .. } => Some(then.range),
            StmtKind::For { body, .. } | StmtKind::Range { body, .. } => Some(body.range),
            _ => None,
        },
        _ => None,
    }
}
