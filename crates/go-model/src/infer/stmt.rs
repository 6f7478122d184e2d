//! Statements.

use go_syntax::ast::{
    AssignOp, Block, Case, CommCase, ExprId, ExprKind, Ident, StmtId, StmtKind, ValueSpec,
};

use super::{Entity, Infer};
use crate::facts::{LocalKind, Res};
use crate::types::{Basic, Ty, TyKind};

impl<'a> Infer<'a> {
    pub(super) fn stmts(&mut self, stmts: &'a [StmtId]) {
        for &stmt in stmts {
            self.stmt(stmt);
        }
    }

    fn block(&mut self, block: &'a Block) {
        self.open();
        self.stmts(&block.stmts);
        self.close();
    }

    fn stmt(&mut self, stmt: StmtId) {
        let tree = self.tree;
        match &tree[stmt].kind {
            StmtKind::Bad | StmtKind::Empty | StmtKind::Branch { .. } => {}
            StmtKind::Expr(expr) | StmtKind::Go(expr) | StmtKind::Defer(expr) => {
                self.operand(*expr);
            }
            StmtKind::Send { chan, value } => {
                self.expr(*chan);
                self.expr(*value);
            }
            StmtKind::IncDec { operand, .. } => {
                self.expr(*operand);
                self.count_assignment(*operand);
            }
            StmtKind::Assign { lhs, op, rhs } => match op {
                AssignOp::Define => self.define(lhs, rhs),
                AssignOp::Assign => {
                    for &value in rhs {
                        self.expr(value);
                    }
                    for &target in lhs {
                        self.assign_to(target);
                    }
                }
                AssignOp::Op(_) => {
                    for &target in lhs {
                        self.expr(target);
                        self.count_assignment(target);
                    }
                    for &value in rhs {
                        self.expr(value);
                    }
                }
            },
            StmtKind::Return(values) => {
                for &value in values {
                    self.expr(value);
                }
            }
            StmtKind::Block(block) => self.block(block),
            StmtKind::If {
                init,
                cond,
                then,
                els,
            } => {
                // A long chain of `else if` nests as deep as the parser lets it.
                self.open();
                if let Some(init) = init {
                    self.stmt(*init);
                }
                self.expr(*cond);
                self.block(then);
                if let Some(els) = els {
                    self.stmt(*els);
                }
                self.close();
            }
            StmtKind::Switch { init, tag, cases } => {
                self.open();
                if let Some(init) = init {
                    self.stmt(*init);
                }
                if let Some(tag) = tag {
                    self.expr(*tag);
                }
                for case in cases {
                    for &expr in &case.exprs {
                        self.expr(expr);
                    }
                    self.open();
                    self.stmts(&case.body);
                    self.close();
                }
                self.close();
            }
            StmtKind::TypeSwitch {
                init,
                bind,
                subject,
                cases,
            } => {
                self.open();
                if let Some(init) = init {
                    self.stmt(*init);
                }
                let subject = self.expr(*subject);
                for case in cases {
                    self.type_case(bind.as_ref(), &subject, case);
                }
                self.close();
            }
            StmtKind::Select { cases } => {
                for case in cases {
                    self.comm_case(case);
                }
            }
            StmtKind::For {
                init,
                cond,
                post,
                body,
            } => {
                self.open();
                if let Some(init) = init {
                    self.stmt(*init);
                }
                if let Some(cond) = cond {
                    self.expr(*cond);
                }
                if let Some(post) = post {
                    self.stmt(*post);
                }
                self.block(body);
                self.close();
            }
            StmtKind::Range {
                key,
                value,
                define,
                over,
                body,
            } => {
                let over = self.expr(*over);
                let (key_ty, value_ty) = self.range_types(&over);
                self.open();
                for (target, ty) in [(key, key_ty), (value, value_ty)] {
                    let Some(target) = *target else { continue };
                    if *define {
                        self.define_one(target, ty, LocalKind::Range);
                    } else {
                        self.assign_to(target);
                    }
                }
                self.block(body);
                self.close();
            }
            StmtKind::Labeled { stmt, .. } => self.stmt(*stmt),
            StmtKind::Var(specs) => {
                for spec in specs {
                    self.var_spec(spec);
                }
            }
            StmtKind::Const(specs) => self.local_consts(specs),
            StmtKind::Type(specs) => {
                for spec in specs {
                    self.local_type(spec);
                }
            }
        }
    }

    fn type_case(&mut self, bind: Option<&Ident>, subject: &Ty, case: &'a Case) {
        let mut types = Vec::with_capacity(case.exprs.len());
        for &expr in &case.exprs {
            let is_nil = matches!(self.tree[expr].kind, ExprKind::Ident(name) if name == "nil");
            if is_nil {
                self.operand(expr);
                types.push(None);
            } else {
                types.push(Some(self.type_expr(expr)));
            }
        }
        self.open();
        if let Some(bind) = bind {
            let ty = match types.as_slice() {
                [Some(one)] => one.clone(),
                _ => subject.clone(),
            };
            self.declare(*bind, ty, LocalKind::TypeSwitch, true);
        }
        self.stmts(&case.body);
        self.close();
    }

    fn comm_case(&mut self, case: &'a CommCase) {
        self.open();
        if let Some(comm) = case.comm {
            self.stmt(comm);
        }
        self.stmts(&case.body);
        self.close();
    }

    /// Types for the values of `count` names or targets.
    fn value_types(
        &mut self,
        count: usize,
        values: &'a [ExprId],
        expected: Option<&Ty>,
    ) -> Vec<Ty> {
        if let ([one], true) = (values, count > 1) {
            return self.multi_value(*one, count);
        }
        let mut out: Vec<Ty> = values
            .iter()
            .map(|&value| self.expr_expecting(value, expected))
            .collect();
        out.resize(count, Ty::unknown());
        out
    }

    fn var_spec(&mut self, spec: &'a ValueSpec) {
        let explicit = spec.ty.map(|ty| self.type_expr(ty));
        let assigned = !spec.values.is_empty();
        let types = if assigned {
            self.value_types(spec.names.len(), &spec.values, explicit.as_ref())
        } else {
            Vec::new()
        };
        for (i, name) in spec.names.iter().enumerate() {
            let ty = match &explicit {
                Some(ty) => ty.clone(),
                None => types
                    .get(i)
                    .map_or_else(Ty::unknown, |ty| self.default_type(ty.clone())),
            };
            self.declare(*name, ty, LocalKind::Var, assigned);
        }
    }

    fn local_consts(&mut self, specs: &'a [ValueSpec]) {
        let outer = self.iota.take();
        let mut source: Option<&'a ValueSpec> = None;
        for spec in specs {
            if !spec.values.is_empty() {
                source = Some(spec);
            }
            let Some(source) = source else { continue };
            self.iota = Some(i128::from(spec.index));
            let explicit = source.ty.map(|ty| self.type_expr(ty));
            let mut values = Vec::with_capacity(source.values.len());
            for &value in &source.values {
                let ty = self.expr(value);
                values.push((ty, self.const_value(value)));
            }
            for (i, name) in spec.names.iter().enumerate() {
                let (ty, value) = values
                    .get(i)
                    .cloned()
                    .unwrap_or_else(|| (Ty::unknown(), None));
                let ty = explicit.clone().unwrap_or(ty);
                if name.name.is_blank() {
                    continue;
                }
                let local = self.new_local(*name, ty, LocalKind::Const, true);
                self.names.push((name.name, Entity::Const(local, value)));
            }
        }
        self.iota = outer;
    }

    /// `a, b := …`.
    fn define(&mut self, lhs: &'a [ExprId], rhs: &'a [ExprId]) {
        let types = self.value_types(lhs.len(), rhs, None);
        // All names of the left side come into scope together.
        let mut fresh = Vec::new();
        for (&target, ty) in lhs.iter().zip(types) {
            let ExprKind::Ident(name) = self.tree[target].kind else {
                self.operand(target);
                continue;
            };
            if name.is_blank() {
                continue;
            }
            match self.in_block(name) {
                Some(_) => self.assign_to(target),
                None => fresh.push((target, ty)),
            }
        }
        for (target, ty) in fresh {
            self.define_one(target, ty, LocalKind::Var);
        }
    }

    fn define_one(&mut self, target: ExprId, ty: Ty, kind: LocalKind) {
        let ExprKind::Ident(name) = self.tree[target].kind else {
            self.operand(target);
            return;
        };
        let ident = Ident {
            name,
            range: self.tree[target].range,
        };
        let ty = self.default_type(ty);
        if let Some(local) = self.declare(ident, ty.clone(), kind, true) {
            self.set_res(target, Res::Local(local));
            self.set_type(target, &ty);
        }
    }

    /// The left side of an assignment: a variable itself is not read.
    fn assign_to(&mut self, target: ExprId) {
        let inner = self.unparen(target);
        if let ExprKind::Ident(name) = self.tree[inner].kind {
            if name.is_blank() {
                return;
            }
            if let Some(Entity::Local(local)) = self.in_scope(name) {
                let local = *local;
                self.local(inner, local);
                self.facts.locals[local].assignments += 1;
                return;
            }
        }
        self.expr(target);
    }

    fn count_assignment(&mut self, target: ExprId) {
        let inner = self.unparen(target);
        if let Some(Res::Local(local)) = self.facts.refs.get(inner) {
            self.facts.locals[*local].assignments += 1;
        }
    }

    /// Types of the variables of a `range`.
    fn range_types(&self, over: &Ty) -> (Ty, Ty) {
        let int = || Ty::from(Basic::Int);
        let under = self.underlying(over);
        match under.kind() {
            TyKind::Basic(b) if b.is_string() => (int(), Basic::Int32.into()),
            TyKind::Basic(b) if b.is_untyped() => (b.default_type().into(), Ty::unknown()),
            TyKind::Basic(b) if b.is_integer() => (over.clone(), Ty::unknown()),
            TyKind::Slice(elem) | TyKind::Array(_, elem) => (int(), elem.clone()),
            TyKind::Pointer(inner) => match self.underlying(inner).kind() {
                TyKind::Array(_, elem) => (int(), elem.clone()),
                _ => (Ty::unknown(), Ty::unknown()),
            },
            TyKind::Map(key, value) => (key.clone(), value.clone()),
            TyKind::Chan(_, elem) => (elem.clone(), Ty::unknown()),
            TyKind::Func(sig) => {
                let yields = sig.params.first().map(|p| self.underlying(p));
                match yields.as_ref().map(Ty::kind) {
                    Some(TyKind::Func(yields)) => {
                        let at = |i: usize| yields.params.get(i).cloned();
                        (
                            at(0).unwrap_or_else(Ty::unknown),
                            at(1).unwrap_or_else(Ty::unknown),
                        )
                    }
                    _ => (Ty::unknown(), Ty::unknown()),
                }
            }
            _ => (Ty::unknown(), Ty::unknown()),
        }
    }
}
