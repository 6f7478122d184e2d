//! Drawing the graph.

use go_syntax::Name;
use go_syntax::ast::{
    BinaryOp, Block, BranchKind, Case, CommCase, DeclTree, ExprId, ExprKind, Ident, StmtId,
    StmtKind, UnaryOp,
};
use la_arena::Arena;
use rustc_hash::FxHashMap;

use super::{BasicBlock, BlockId, Cfg, Cond, Loop, NoReturn, Node, Terminator};

/// Statements nested deeper than this are not drawn: the function is [`Cfg::truncated`] there. No human writes it.
const MAX_NESTING: u32 = 300;

/// Draws the graph of a body: that of a declared function or of a function literal. `no_return` is asked for every call that is
/// evaluated unconditionally within its statement.
pub fn build(tree: &DeclTree, body: &Block, no_return: &dyn Fn(ExprId) -> Option<NoReturn>) -> Cfg {
    build_with(tree, body, no_return, &|_| None)
}

/// As [`build`]; conditions for which `constant` knows the value get only the edge that is taken (`for true`).
pub fn build_with(
    tree: &DeclTree,
    body: &Block,
    no_return: &dyn Fn(ExprId) -> Option<NoReturn>,
    constant: &dyn Fn(ExprId) -> Option<bool>,
) -> Cfg {
    let mut blocks = Arena::new();
    let entry = blocks.alloc(empty(None));
    let mut builder = Builder {
        tree,
        no_return,
        constant,
        blocks,
        current: Some(entry),
        in_loop: None,
        loops: Vec::new(),
        scopes: Vec::new(),
        pending_label: None,
        labels: FxHashMap::default(),
        goto_targets: Vec::new(),
        defers: Vec::new(),
        depth: 0,
        truncated: false,
        scratch: Vec::new(),
    };
    builder.stmts(&body.stmts);
    if builder.current.is_some() {
        builder.end(Terminator::Return(None));
    }
    let goto_targets = std::mem::take(&mut builder.goto_targets);
    let mut cfg = Cfg {
        blocks: builder.blocks,
        entry,
        defers: builder.defers,
        loops: builder.loops,
        truncated: builder.truncated,
    };
    if !goto_targets.is_empty() {
        mark_goto_loops(&mut cfg, &goto_targets);
    }
    cfg
}

fn empty(in_loop: Option<StmtId>) -> BasicBlock {
    BasicBlock {
        nodes: Vec::new(),
        terminator: Terminator::Stuck,
        in_loop,
        left_by: None,
    }
}

/// What `break` and `continue` refer to.
struct Scope {
    label: Option<Name>,
    break_to: Exit,
    continue_to: Option<Exit>,
}

/// A jump target that is only made when somebody jumps there, so that code after an endless loop has no block.
#[derive(Clone, Copy)]
struct Exit {
    block: Option<BlockId>,
    in_loop: Option<StmtId>,
}

struct Builder<'a> {
    tree: &'a DeclTree,
    no_return: &'a dyn Fn(ExprId) -> Option<NoReturn>,
    constant: &'a dyn Fn(ExprId) -> Option<bool>,
    blocks: Arena<BasicBlock>,
    /// Where code goes; `None` after a jump.
    current: Option<BlockId>,
    in_loop: Option<StmtId>,
    loops: Vec<Loop>,
    scopes: Vec<Scope>,
    pending_label: Option<Name>,
    labels: FxHashMap<Name, BlockId>,
    /// Labelled statements that were reached, with their blocks, and whether a `goto` names them.
    goto_targets: Vec<GotoTarget>,
    defers: Vec<StmtId>,
    depth: u32,
    truncated: bool,
    scratch: Vec<ExprId>,
}

struct GotoTarget {
    label: Name,
    block: BlockId,
    stmt: Option<StmtId>,
    jumped_to: bool,
}

impl Builder<'_> {
    fn block(&mut self) -> BlockId {
        self.blocks.alloc(empty(self.in_loop))
    }

    /// The current block; after a jump a new one, which nothing leads to.
    fn here(&mut self) -> BlockId {
        match self.current {
            Some(b) => b,
            None => {
                let b = self.block();
                self.current = Some(b);
                b
            }
        }
    }

    fn push(&mut self, node: Node) {
        let b = self.here();
        self.blocks[b].nodes.push(node);
    }

    /// Ends the current block.
    fn end(&mut self, terminator: Terminator) {
        let b = self.here();
        self.blocks[b].terminator = terminator;
        self.current = None;
    }

    /// Ends the current block with a jump, if there is one.
    fn jump(&mut self, to: BlockId) {
        if self.current.is_some() {
            self.end(Terminator::Jump(to));
        }
    }

    fn jump_exit(&mut self, exit: &mut Exit) {
        let Some(current) = self.current else { return };
        let block = &self.blocks[current];
        if exit.block.is_none() && block.nodes.is_empty() && block.in_loop == exit.in_loop {
            // Nothing has happened here yet: this may as well be the block behind.
            exit.block = self.current.take();
            return;
        }
        let to = self.exit_block(exit);
        self.jump(to);
    }

    fn exit(&self) -> Exit {
        Exit {
            block: None,
            in_loop: self.in_loop,
        }
    }

    fn exit_block(&mut self, exit: &mut Exit) -> BlockId {
        *exit
            .block
            .get_or_insert_with(|| self.blocks.alloc(empty(exit.in_loop)))
    }

    /// Goes on behind a statement.
    fn resume(&mut self, exit: Exit) {
        self.current = exit.block;
    }

    fn stmts(&mut self, stmts: &[StmtId]) {
        for s in stmts {
            self.stmt(*s);
        }
    }

    fn stmt(&mut self, id: StmtId) {
        if self.truncated {
            return;
        }
        if self.depth >= MAX_NESTING {
            self.truncated = true;
            self.end(Terminator::Stuck);
            return;
        }
        self.depth += 1;
        self.stmt_inner(id);
        self.depth -= 1;
    }

    fn stmt_inner(&mut self, id: StmtId) {
        let tree = self.tree;
        let label = self.pending_label.take();
        match &tree[id].kind {
            StmtKind::Bad => self.push(Node::Stmt(id)),
            StmtKind::Empty | StmtKind::Const(_) | StmtKind::Type(_) => {}
            StmtKind::Expr(e) => self.simple(id, &[*e]),
            StmtKind::Send { chan, value } => self.simple(id, &[*chan, *value]),
            StmtKind::IncDec { operand, .. } => self.simple(id, &[*operand]),
            StmtKind::Assign { lhs, rhs, .. } => {
                if !self.ends_in(rhs) && !self.ends_in(lhs) {
                    self.push(Node::Stmt(id));
                }
            }
            StmtKind::Var(specs) => {
                for spec in specs {
                    if self.ends_in(&spec.values) {
                        return;
                    }
                }
                self.push(Node::Stmt(id));
            }
            StmtKind::Go(call) => {
                if !self.operands_end(*call) {
                    self.push(Node::Stmt(id));
                }
            }
            StmtKind::Defer(call) => {
                self.defers.push(id);
                if !self.operands_end(*call) {
                    self.push(Node::Defer(id));
                }
            }
            StmtKind::Return(values) => {
                if !self.ends_in(values) {
                    self.end(Terminator::Return(Some(id)));
                }
            }
            StmtKind::Branch { kind, label } => {
                if let Some(block) = self.current {
                    self.blocks[block].left_by = Some(id);
                }
                self.branch(*kind, *label);
            }
            StmtKind::Block(block) => self.stmts(&block.stmts),
            StmtKind::If { .. } => self.if_chain(id),
            StmtKind::Switch { init, tag, cases } => self.switch(label, *init, *tag, cases),
            StmtKind::TypeSwitch {
                init,
                bind,
                subject,
                cases,
            } => self.type_switch(id, label, *init, bind.is_some(), *subject, cases),
            StmtKind::Select { cases } => self.select(id, label, cases),
            StmtKind::For {
                init,
                cond,
                post,
                body,
            } => self.for_loop(id, label, *init, *cond, *post, body),
            StmtKind::Range {
                key,
                value,
                over,
                body,
                ..
            } => {
                let binds = key.is_some() || value.is_some();
                self.range_loop(id, label, *over, binds, body);
            }
            StmtKind::Labeled { label, stmt } => self.labeled(id, *label, *stmt),
        }
    }

    fn simple(&mut self, id: StmtId, exprs: &[ExprId]) {
        if !self.ends_in(exprs) {
            self.push(Node::Stmt(id));
        }
    }

    /// If a call among the expressions never returns, the current block ends with it.
    fn ends_in(&mut self, exprs: &[ExprId]) -> bool {
        for e in exprs {
            if let Some((call, how)) = self.find_no_return(*e) {
                self.end(Terminator::NoReturn {
                    call,
                    unwinds: how.unwinds,
                });
                return true;
            }
        }
        false
    }

    /// The same for the operands of a `go` or `defer` call, which are evaluated now, while the call is not.
    fn operands_end(&mut self, call: ExprId) -> bool {
        let tree = self.tree;
        match &tree[call].kind {
            ExprKind::Call { func, args, .. } => {
                let base = match &tree[*func].kind {
                    ExprKind::Selector { base, .. } => *base,
                    _ => *func,
                };
                self.ends_in(&[base]) || self.ends_in(args)
            }
            _ => self.ends_in(&[call]),
        }
    }

    fn find_no_return(&mut self, root: ExprId) -> Option<(ExprId, NoReturn)> {
        let mut stack = std::mem::take(&mut self.scratch);
        stack.clear();
        stack.push(root);
        let mut found = None;
        while let Some(e) = stack.pop() {
            if matches!(self.tree[e].kind, ExprKind::Call { .. })
                && let Some(how) = (self.no_return)(e)
            {
                found = Some((e, how));
                break;
            }
            push_evaluated(self.tree, e, &mut stack);
        }
        self.scratch = stack;
        found
    }

    fn branch(&mut self, kind: BranchKind, label: Option<Ident>) {
        let name = label.map(|l| l.name);
        if self.current.is_none() && kind != BranchKind::Goto {
            return;
        }
        match kind {
            BranchKind::Break | BranchKind::Continue => {
                let wanted = |s: &Scope| {
                    (name.is_none() || s.label == name)
                        && (kind == BranchKind::Break || s.continue_to.is_some())
                };
                let Some(i) = self.scopes.iter().rposition(wanted) else {
                    return self.end(Terminator::Stuck);
                };
                let mut exit = match (kind, self.scopes[i].continue_to) {
                    (BranchKind::Continue, Some(exit)) => exit,
                    _ => self.scopes[i].break_to,
                };
                let to = self.exit_block(&mut exit);
                if kind == BranchKind::Continue {
                    self.scopes[i].continue_to = Some(exit);
                } else {
                    self.scopes[i].break_to = exit;
                }
                self.jump(to);
            }
            BranchKind::Goto => {
                let Some(name) = name else {
                    return self.end(Terminator::Stuck);
                };
                let to = self.label_block(name);
                if let Some(t) = self.goto_targets.iter_mut().find(|t| t.label == name) {
                    t.jumped_to = true;
                }
                self.jump(to);
            }
            // A `fallthrough` that ends a case is taken by `cases`; any other is an error in the program.
            BranchKind::Fallthrough => self.end(Terminator::Stuck),
        }
    }

    fn label_block(&mut self, label: Name) -> BlockId {
        if let Some(b) = self.labels.get(&label) {
            return *b;
        }
        let block = self.block();
        self.labels.insert(label, block);
        self.goto_targets.push(GotoTarget {
            label,
            block,
            stmt: None,
            jumped_to: false,
        });
        block
    }

    fn labeled(&mut self, id: StmtId, label: Ident, stmt: StmtId) {
        let block = self.label_block(label.name);
        self.blocks[block].in_loop = self.in_loop;
        if let Some(t) = self.goto_targets.iter_mut().find(|t| t.label == label.name) {
            t.stmt = Some(id);
        }
        self.jump(block);
        self.current = Some(block);
        self.pending_label = Some(label.name);
        self.stmt(stmt);
        self.pending_label = None;
    }

    fn if_chain(&mut self, first: StmtId) {
        let tree = self.tree;
        let mut exit = self.exit();
        let mut next = Some(first);
        // A loop, not recursion: an `else if` chain may be as long as it likes.
        while let Some(id) = next.take() {
            let StmtKind::If {
                init,
                cond,
                then,
                els,
            } = &tree[id].kind
            else {
                self.stmt(id);
                break;
            };
            if let Some(init) = init {
                self.stmt(*init);
            }
            let mut yes = self.exit();
            let mut no = if els.is_none() { exit } else { self.exit() };
            self.condition(*cond, &mut yes, &mut no);
            if els.is_none() {
                exit = no;
            }
            self.current = yes.block;
            self.branch_body(&then.stmts);
            self.jump_exit(&mut exit);
            if let Some(els) = els {
                self.current = no.block;
                // Where the condition is constant, what stands in the dead branch is drawn all the same.
                self.here();
                next = Some(*els);
            }
        }
        self.jump_exit(&mut exit);
        self.resume(exit);
    }

    fn branch_body(&mut self, stmts: &[StmtId]) {
        if self.current.is_none() && stmts.is_empty() {
            return;
        }
        self.here();
        self.stmts(stmts);
    }

    /// Evaluates a condition in the current block and ends it.
    fn condition(&mut self, cond: ExprId, yes: &mut Exit, no: &mut Exit) {
        // Work list of (block to evaluate in, expression, target if true, target if false); targets are indices into `exits`.
        let mut exits = vec![*yes, *no];
        let start = self.here();
        let mut work = vec![(start, cond, 0usize, 1usize)];
        while let Some((at, cond, yes, no)) = work.pop() {
            let inner = match &self.tree[cond].kind {
                ExprKind::Paren(inner) => Some((*inner, yes, no)),
                ExprKind::Unary {
                    op: UnaryOp::Not,
                    operand,
                } => Some((*operand, no, yes)),
                _ => None,
            };
            if let Some((inner, yes, no)) = inner {
                work.push((at, inner, yes, no));
                continue;
            }
            if let ExprKind::Binary {
                op: op @ (BinaryOp::LogicalAnd | BinaryOp::LogicalOr),
                lhs,
                rhs,
            } = self.tree[cond].kind
            {
                let middle = self.block();
                exits.push(Exit {
                    block: Some(middle),
                    in_loop: self.in_loop,
                });
                let mid = exits.len() - 1;
                work.push((middle, rhs, yes, no));
                if op == BinaryOp::LogicalAnd {
                    work.push((at, lhs, mid, no));
                } else {
                    work.push((at, lhs, yes, mid));
                }
                continue;
            }
            self.current = Some(at);
            if self.ends_in(&[cond]) {
                continue;
            }
            match (self.constant)(cond) {
                Some(value) => {
                    let to = if value { yes } else { no };
                    let to = self.exit_of(&mut exits, to);
                    self.end(Terminator::Jump(to));
                }
                None => {
                    self.push(Node::Eval(cond));
                    let then = self.exit_of(&mut exits, yes);
                    let els = self.exit_of(&mut exits, no);
                    self.end(Terminator::Branch {
                        cond: Cond::Expr(cond),
                        then,
                        els,
                    });
                }
            }
        }
        *yes = exits[0];
        *no = exits[1];
    }

    fn exit_of(&mut self, exits: &mut [Exit], index: usize) -> BlockId {
        let mut exit = exits[index];
        let block = self.exit_block(&mut exit);
        exits[index] = exit;
        block
    }

    fn scope(&mut self, label: Option<Name>, continue_to: Option<Exit>) {
        let break_to = self.exit();
        self.scopes.push(Scope {
            label,
            break_to,
            continue_to,
        });
    }

    /// Leaves the innermost scope: the current block goes on behind it, if something does.
    fn leave_scope(&mut self) {
        if let Some(mut scope) = self.scopes.pop() {
            self.jump_exit(&mut scope.break_to);
            self.resume(scope.break_to);
        }
    }

    fn switch(
        &mut self,
        label: Option<Name>,
        init: Option<StmtId>,
        tag: Option<ExprId>,
        cases: &[Case],
    ) {
        if let Some(init) = init {
            self.stmt(init);
        }
        if let Some(tag) = tag
            && !self.ends_in(&[tag])
        {
            self.push(Node::Eval(tag));
        }
        self.scope(label, None);
        let mut bodies: Vec<Exit> = cases.iter().map(|_| self.exit()).collect();
        for (i, case) in cases.iter().enumerate() {
            for value in &case.exprs {
                let mut no = self.exit();
                self.here();
                match tag {
                    None => {
                        let mut yes = bodies[i];
                        self.condition(*value, &mut yes, &mut no);
                        bodies[i] = yes;
                    }
                    Some(tag) => {
                        if !self.ends_in(&[*value]) {
                            self.push(Node::Eval(*value));
                            let then = self.exit_of(&mut bodies, i);
                            let els = self.exit_block(&mut no);
                            self.end(Terminator::Branch {
                                cond: Cond::CaseEquals { tag, value: *value },
                                then,
                                els,
                            });
                        }
                    }
                }
                self.current = no.block;
            }
        }
        self.otherwise(cases, &mut bodies);
        self.cases(cases, bodies, |_, _| {});
        self.leave_scope();
    }

    fn type_switch(
        &mut self,
        id: StmtId,
        label: Option<Name>,
        init: Option<StmtId>,
        binds: bool,
        subject: ExprId,
        cases: &[Case],
    ) {
        if let Some(init) = init {
            self.stmt(init);
        }
        if !self.ends_in(&[subject]) {
            self.push(Node::Eval(subject));
        }
        self.scope(label, None);
        let mut bodies: Vec<Exit> = cases.iter().map(|_| self.exit()).collect();
        for (i, case) in cases.iter().enumerate() {
            if case.exprs.is_empty() {
                continue;
            }
            let mut no = self.exit();
            self.here();
            let then = self.exit_of(&mut bodies, i);
            let els = self.exit_block(&mut no);
            self.end(Terminator::Branch {
                cond: Cond::TypeCase {
                    stmt: id,
                    case: i as u32,
                },
                then,
                els,
            });
            self.current = no.block;
        }
        self.otherwise(cases, &mut bodies);
        self.cases(cases, bodies, |this, i| {
            if binds {
                this.push(Node::TypeBind(id, i as u32));
            }
        });
        self.leave_scope();
    }

    /// No case matched: on to the default, else behind the switch.
    fn otherwise(&mut self, cases: &[Case], bodies: &mut [Exit]) {
        if self.current.is_none() {
            return;
        }
        match cases.iter().position(|c| c.exprs.is_empty()) {
            Some(i) => self.jump_exit(&mut bodies[i]),
            None => {
                if let Some(mut scope) = self.scopes.pop() {
                    self.jump_exit(&mut scope.break_to);
                    self.scopes.push(scope);
                }
            }
        }
    }

    fn cases(&mut self, cases: &[Case], mut bodies: Vec<Exit>, bind: impl Fn(&mut Self, usize)) {
        for (i, case) in cases.iter().enumerate() {
            self.current = bodies[i].block;
            if self.current.is_none() && case.body.is_empty() {
                continue;
            }
            self.here();
            bind(self, i);
            let falls = case
                .body
                .last()
                .copied()
                .filter(|s| self.is_fallthrough(*s));
            let body = match falls {
                Some(_) => &case.body[..case.body.len() - 1],
                None => &case.body[..],
            };
            self.stmts(body);
            if falls.is_some() && i + 1 < cases.len() {
                if self.current.is_some() {
                    let to = self.exit_of(&mut bodies, i + 1);
                    self.jump(to);
                }
            } else if let Some(mut scope) = self.scopes.pop() {
                self.jump_exit(&mut scope.break_to);
                self.scopes.push(scope);
            }
        }
    }

    fn is_fallthrough(&self, stmt: StmtId) -> bool {
        matches!(
            self.tree[stmt].kind,
            StmtKind::Branch {
                kind: BranchKind::Fallthrough,
                ..
            }
        )
    }

    fn select(&mut self, id: StmtId, label: Option<Name>, cases: &[CommCase]) {
        let from = self.here();
        self.scope(label, None);
        let arms: Vec<BlockId> = cases.iter().map(|_| self.block()).collect();
        self.blocks[from].terminator = Terminator::Select {
            stmt: id,
            arms: arms.clone(),
        };
        self.current = None;
        for (case, arm) in cases.iter().zip(arms) {
            self.current = Some(arm);
            if let Some(comm) = case.comm {
                self.stmt(comm);
            }
            self.stmts(&case.body);
            if let Some(mut scope) = self.scopes.pop() {
                self.jump_exit(&mut scope.break_to);
                self.scopes.push(scope);
            }
        }
        self.leave_scope();
    }

    /// Begins a loop: makes its header, jumps there and enters its scope. Gives the loop around it.
    fn enter_loop(&mut self, id: StmtId, label: Option<Name>) -> (BlockId, Option<StmtId>) {
        let outer = self.in_loop;
        self.scope(label, None);
        self.in_loop = Some(id);
        let header = self.block();
        self.loops.push(Loop {
            stmt: id,
            header,
            post: None,
            parent: outer,
        });
        self.here();
        self.jump(header);
        self.current = Some(header);
        (header, outer)
    }

    fn for_loop(
        &mut self,
        id: StmtId,
        label: Option<Name>,
        init: Option<StmtId>,
        cond: Option<ExprId>,
        post: Option<StmtId>,
        body: &Block,
    ) {
        if let Some(init) = init {
            self.stmt(init);
        }
        let (header, outer) = self.enter_loop(id, label);
        let scope = self.scopes.len() - 1;
        let mut inside = self.exit();
        match cond {
            Some(cond) => {
                let mut out = self.scopes[scope].break_to;
                self.condition(cond, &mut inside, &mut out);
                self.scopes[scope].break_to = out;
                self.current = inside.block;
                self.here();
            }
            None if body.stmts.is_empty() && post.is_none() => {
                // `for {}`: nothing ever follows.
                self.end(Terminator::Stuck);
                self.in_loop = outer;
                return self.leave_scope();
            }
            None => {}
        }
        let again = Exit {
            block: post.is_none().then_some(header),
            in_loop: Some(id),
        };
        self.scopes[scope].continue_to = Some(again);
        self.stmts(&body.stmts);
        if let Some(post) = post {
            let mut again = self.scopes[scope].continue_to.unwrap_or(again);
            self.jump_exit(&mut again);
            self.current = again.block;
            if let Some(block) = again.block {
                if let Some(own) = self.loops.iter_mut().find(|l| l.stmt == id) {
                    own.post = Some(block);
                }
                self.stmt(post);
            }
        }
        self.jump(header);
        self.in_loop = outer;
        self.leave_scope();
    }

    fn range_loop(
        &mut self,
        id: StmtId,
        label: Option<Name>,
        over: ExprId,
        binds: bool,
        body: &Block,
    ) {
        if !self.ends_in(&[over]) {
            self.push(Node::Eval(over));
        }
        let (header, outer) = self.enter_loop(id, label);
        let scope = self.scopes.len() - 1;
        let inside = self.block();
        let mut out = self.scopes[scope].break_to;
        let els = self.exit_block(&mut out);
        self.scopes[scope].break_to = out;
        self.end(Terminator::Branch {
            cond: Cond::RangeNext(id),
            then: inside,
            els,
        });
        self.current = Some(inside);
        if binds {
            self.push(Node::RangeBind(id));
        }
        self.scopes[scope].continue_to = Some(Exit {
            block: Some(header),
            in_loop: Some(id),
        });
        self.stmts(&body.stmts);
        self.jump(header);
        self.in_loop = outer;
        self.leave_scope();
    }
}

/// Pushes the operands that are evaluated whenever `expr` is: not those behind `&&` and `||`, not the body of a literal.
fn push_evaluated(tree: &DeclTree, expr: ExprId, stack: &mut Vec<ExprId>) {
    match &tree[expr].kind {
        ExprKind::Binary {
            op: BinaryOp::LogicalAnd | BinaryOp::LogicalOr,
            lhs,
            ..
        } => stack.push(*lhs),
        ExprKind::FuncLit(_)
        | ExprKind::ArrayType { .. }
        | ExprKind::MapType { .. }
        | ExprKind::ChanType { .. }
        | ExprKind::FuncType(_)
        | ExprKind::StructType(_)
        | ExprKind::InterfaceType(_)
        | ExprKind::Union(_)
        | ExprKind::Tilde(_)
        | ExprKind::Bad
        | ExprKind::Ident(_)
        | ExprKind::Literal(_) => {}
        ExprKind::Composite { elements, .. } => {
            stack.extend(
                elements
                    .iter()
                    .flat_map(|e| e.key.into_iter().chain([e.value])),
            );
        }
        ExprKind::Paren(inner) | ExprKind::Star(inner) => stack.push(*inner),
        ExprKind::Selector { base, .. } | ExprKind::TypeAssert { base, .. } => stack.push(*base),
        ExprKind::Index { base, indices } => {
            stack.push(*base);
            stack.extend(indices.iter().copied());
        }
        ExprKind::Slice {
            base,
            low,
            high,
            max,
        } => {
            stack.push(*base);
            stack.extend([low, high, max].into_iter().copied().flatten());
        }
        ExprKind::Call { func, args, .. } => {
            stack.push(*func);
            stack.extend(args.iter().copied());
        }
        ExprKind::Unary { operand, .. } => stack.push(*operand),
        ExprKind::Binary { lhs, rhs, .. } => {
            stack.push(*lhs);
            stack.push(*rhs);
        }
    }
}

/// Loops made with `goto`: a label jumped back to. Their blocks are those of the natural loop.
fn mark_goto_loops(cfg: &mut Cfg, targets: &[GotoTarget]) {
    let dominators = cfg.dominators();
    let mut found: Vec<(StmtId, BlockId, super::BlockSet)> = Vec::new();
    for edge in cfg.back_edges(&dominators) {
        let target = targets
            .iter()
            .find(|t| t.block == edge.1 && t.jumped_to)
            .and_then(|t| t.stmt);
        if let Some(stmt) = target {
            let blocks = cfg.natural_loop(edge);
            match found.iter_mut().find(|f| f.0 == stmt) {
                Some(f) => blocks.iter().for_each(|b| {
                    f.2.insert(b);
                }),
                None => found.push((stmt, edge.1, blocks)),
            }
        }
    }
    // Outer loops first, so that an inner one finds its parent in place.
    found.sort_by_key(|f| std::cmp::Reverse(f.2.len()));
    for (stmt, header, blocks) in found {
        let parent = cfg.blocks[header].in_loop;
        for l in &mut cfg.loops {
            if l.parent == parent && blocks.contains(l.header) {
                l.parent = Some(stmt);
            }
        }
        for b in blocks.iter() {
            if cfg.blocks[b].in_loop == parent {
                cfg.blocks[b].in_loop = Some(stmt);
            }
        }
        cfg.loops.push(Loop {
            stmt,
            header,
            post: None,
            parent,
        });
    }
}
