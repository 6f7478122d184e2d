//! A compact one-line form of typed trees, for tests and for debugging.

use std::fmt::{self, Write};

use crate::ast::*;

/// Writes a declaration in a form close to Lisp: `(call (. os Open) "x")`. Not stable.
pub fn dump(tree: &DeclTree) -> String {
    let mut out = Dump {
        tree,
        out: String::new(),
    };
    // Writing to a string cannot fail.
    let _ = out.decl();
    out.out
}

struct Dump<'a> {
    tree: &'a DeclTree,
    out: String,
}

impl Dump<'_> {
    fn decl(&mut self) -> fmt::Result {
        match &self.tree.kind {
            DeclKind::Bad => self.out.write_str("(bad)"),
            DeclKind::Func(func) => {
                write!(self.out, "(func {}", func.name.name)?;
                if let Some(receiver) = &func.receiver {
                    self.out.write_str(" recv:")?;
                    self.params(std::slice::from_ref(receiver))?;
                }
                self.signature(&func.signature)?;
                if let Some(body) = &func.body {
                    self.block(body)?;
                }
                self.out.write_str(")")
            }
            DeclKind::Var(specs) => self.values("var", specs),
            DeclKind::Const(specs) => self.values("const", specs),
            DeclKind::Type(specs) => self.types(specs),
        }
    }

    fn values(&mut self, word: &str, specs: &[ValueSpec]) -> fmt::Result {
        write!(self.out, "({word}")?;
        for spec in specs {
            self.out.write_str(" (")?;
            self.names(&spec.names)?;
            if let Some(ty) = spec.ty {
                self.out.write_str(" :")?;
                self.expr(ty)?;
            }
            if !spec.values.is_empty() {
                self.out.write_str(" =")?;
                self.exprs(&spec.values)?;
            }
            self.out.write_str(")")?;
        }
        self.out.write_str(")")
    }

    fn types(&mut self, specs: &[TypeSpec]) -> fmt::Result {
        self.out.write_str("(type")?;
        for spec in specs {
            write!(self.out, " ({}", spec.name.name)?;
            self.type_params(&spec.type_params)?;
            self.out.write_str(if spec.alias { " = " } else { " " })?;
            self.expr(spec.ty)?;
            self.out.write_str(")")?;
        }
        self.out.write_str(")")
    }

    fn names(&mut self, names: &[Ident]) -> fmt::Result {
        for (i, name) in names.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(self.out, "{comma}{}", name.name)?;
        }
        Ok(())
    }

    fn type_params(&mut self, params: &[TypeParam]) -> fmt::Result {
        if params.is_empty() {
            return Ok(());
        }
        self.out.write_str("[")?;
        for (i, param) in params.iter().enumerate() {
            write!(
                self.out,
                "{}{} ",
                if i == 0 { "" } else { ", " },
                param.name.name
            )?;
            self.expr(param.constraint)?;
        }
        self.out.write_str("]")
    }

    fn params(&mut self, params: &[Param]) -> fmt::Result {
        self.out.write_str("(")?;
        for (i, param) in params.iter().enumerate() {
            self.out.write_str(if i == 0 { "" } else { ", " })?;
            if let Some(name) = param.name {
                write!(self.out, "{} ", name.name)?;
            }
            self.out
                .write_str(if param.variadic { "..." } else { "" })?;
            self.expr(param.ty)?;
        }
        self.out.write_str(")")
    }

    fn signature(&mut self, signature: &Signature) -> fmt::Result {
        self.type_params(&signature.type_params)?;
        self.params(&signature.params)?;
        if !signature.results.is_empty() {
            self.params(&signature.results)?;
        }
        Ok(())
    }

    fn block(&mut self, block: &Block) -> fmt::Result {
        self.out.write_str(" {")?;
        self.stmts(&block.stmts)?;
        self.out.write_str("}")
    }

    fn stmts(&mut self, stmts: &[StmtId]) -> fmt::Result {
        for (i, &id) in stmts.iter().enumerate() {
            self.out.write_str(if i == 0 { "" } else { "; " })?;
            self.stmt(id)?;
        }
        Ok(())
    }

    /// With a blank before each.
    fn exprs(&mut self, exprs: &[ExprId]) -> fmt::Result {
        for &id in exprs {
            self.out.write_str(" ")?;
            self.expr(id)?;
        }
        Ok(())
    }

    fn opt(&mut self, id: Option<ExprId>) -> fmt::Result {
        self.out.write_str(" ")?;
        match id {
            Some(id) => self.expr(id),
            None => self.out.write_str("_"),
        }
    }

    fn list(&mut self, head: &str, exprs: &[ExprId]) -> fmt::Result {
        write!(self.out, "({head}")?;
        self.exprs(exprs)?;
        self.out.write_str(")")
    }

    fn expr(&mut self, id: ExprId) -> fmt::Result {
        let tree = self.tree;
        match &tree[id].kind {
            ExprKind::Bad => self.out.write_str("BAD"),
            ExprKind::Ident(name) => write!(self.out, "{name}"),
            ExprKind::Literal(literal) => self
                .out
                .write_str(literal.text.as_deref().unwrap_or("LONG")),
            ExprKind::Composite { ty, elements } => {
                self.out.write_str("(lit")?;
                self.opt(*ty)?;
                for element in elements {
                    self.out.write_str(" ")?;
                    if let Some(key) = element.key {
                        self.expr(key)?;
                        self.out.write_str(": ")?;
                    }
                    self.expr(element.value)?;
                }
                self.out.write_str(")")
            }
            ExprKind::FuncLit(lit) => {
                self.out.write_str("(func ")?;
                self.signature(&lit.signature)?;
                self.block(&lit.body)?;
                self.out.write_str(")")
            }
            ExprKind::Paren(inner) => self.list("paren", &[*inner]),
            ExprKind::Selector { base, name } => {
                self.out.write_str("(. ")?;
                self.expr(*base)?;
                write!(self.out, " {})", name.name)
            }
            ExprKind::Index { base, indices } => {
                self.out.write_str("(index ")?;
                self.expr(*base)?;
                self.exprs(indices)?;
                self.out.write_str(")")
            }
            ExprKind::Slice {
                base,
                low,
                high,
                max,
            } => {
                self.out.write_str("(slice ")?;
                self.expr(*base)?;
                self.opt(*low)?;
                self.opt(*high)?;
                self.opt(*max)?;
                self.out.write_str(")")
            }
            ExprKind::TypeAssert { base, ty } => {
                self.out.write_str("(assert ")?;
                self.expr(*base)?;
                self.opt(*ty)?;
                self.out.write_str(")")
            }
            ExprKind::Call { func, args, spread } => {
                self.out.write_str("(call ")?;
                self.expr(*func)?;
                self.exprs(args)?;
                self.out.write_str(if *spread { "...)" } else { ")" })
            }
            ExprKind::Star(inner) => self.list("*", &[*inner]),
            ExprKind::Unary { op, operand } => self.list(&format!("{op:?}"), &[*operand]),
            ExprKind::Binary { op, lhs, rhs } => self.list(&format!("{op:?}"), &[*lhs, *rhs]),
            ExprKind::ArrayType { len, elem } => {
                match len {
                    ArrayLen::Slice => self.out.write_str("[]")?,
                    ArrayLen::Auto => self.out.write_str("[...]")?,
                    ArrayLen::Expr(len) => {
                        self.out.write_str("[")?;
                        self.expr(*len)?;
                        self.out.write_str("]")?;
                    }
                }
                self.expr(*elem)
            }
            ExprKind::MapType { key, value } => self.list("map", &[*key, *value]),
            ExprKind::ChanType { dir, elem } => {
                let head = match dir {
                    ChanDir::Both => "chan",
                    ChanDir::Send => "chan<-",
                    ChanDir::Receive => "<-chan",
                };
                self.list(head, &[*elem])
            }
            ExprKind::FuncType(signature) => {
                self.out.write_str("(functype ")?;
                self.signature(signature)?;
                self.out.write_str(")")
            }
            ExprKind::StructType(fields) => {
                self.out.write_str("(struct")?;
                for field in fields {
                    self.out.write_str(" (")?;
                    self.names(&field.names)?;
                    self.out
                        .write_str(if field.names.is_empty() { "" } else { " " })?;
                    self.expr(field.ty)?;
                    self.out.write_str(")")?;
                }
                self.out.write_str(")")
            }
            ExprKind::InterfaceType(elems) => {
                self.out.write_str("(interface")?;
                for elem in elems {
                    self.out.write_str(" ")?;
                    match elem {
                        InterfaceElem::Method(name, signature) => {
                            write!(self.out, "{}", name.name)?;
                            self.signature(signature)?;
                        }
                        InterfaceElem::Embed(ty) => self.expr(*ty)?,
                    }
                }
                self.out.write_str(")")
            }
            ExprKind::Union(types) => self.list("|", types),
            ExprKind::Tilde(inner) => self.list("~", &[*inner]),
        }
    }

    fn opt_stmt(&mut self, id: Option<StmtId>) -> fmt::Result {
        self.out.write_str(" ")?;
        match id {
            Some(id) => self.stmt(id),
            None => self.out.write_str("_"),
        }
    }

    fn cases(&mut self, cases: &[Case]) -> fmt::Result {
        for case in cases {
            self.out
                .write_str(if case.default { " (default" } else { " (case" })?;
            self.exprs(&case.exprs)?;
            self.out.write_str(": ")?;
            self.stmts(&case.body)?;
            self.out.write_str(")")?;
        }
        self.out.write_str(")")
    }

    fn stmt(&mut self, id: StmtId) -> fmt::Result {
        let tree = self.tree;
        match &tree[id].kind {
            StmtKind::Bad => self.out.write_str("BAD"),
            StmtKind::Empty => self.out.write_str("empty"),
            StmtKind::Expr(expr) => self.expr(*expr),
            StmtKind::Send { chan, value } => self.list("send", &[*chan, *value]),
            StmtKind::IncDec { operand, inc } => {
                self.list(if *inc { "++" } else { "--" }, &[*operand])
            }
            StmtKind::Assign { lhs, op, rhs } => {
                self.out.write_str("(")?;
                match op {
                    AssignOp::Assign => self.out.write_str("=")?,
                    AssignOp::Define => self.out.write_str(":=")?,
                    AssignOp::Op(op) => write!(self.out, "{op:?}=")?,
                }
                self.exprs(lhs)?;
                self.out.write_str(" <-")?;
                self.exprs(rhs)?;
                self.out.write_str(")")
            }
            StmtKind::Go(expr) => self.list("go", &[*expr]),
            StmtKind::Defer(expr) => self.list("defer", &[*expr]),
            StmtKind::Return(exprs) => self.list("return", exprs),
            StmtKind::Branch { kind, label } => {
                write!(self.out, "({kind:?}")?;
                if let Some(label) = label {
                    write!(self.out, " {}", label.name)?;
                }
                self.out.write_str(")")
            }
            StmtKind::Block(block) => {
                self.out.write_str("(block")?;
                self.block(block)?;
                self.out.write_str(")")
            }
            StmtKind::If {
                init,
                cond,
                then,
                els,
            } => {
                self.out.write_str("(if")?;
                self.opt_stmt(*init)?;
                self.opt(Some(*cond))?;
                self.block(then)?;
                self.opt_stmt(*els)?;
                self.out.write_str(")")
            }
            StmtKind::Switch { init, tag, cases } => {
                self.out.write_str("(switch")?;
                self.opt_stmt(*init)?;
                self.opt(*tag)?;
                self.cases(cases)
            }
            StmtKind::TypeSwitch {
                init,
                bind,
                subject,
                cases,
            } => {
                self.out.write_str("(typeswitch")?;
                self.opt_stmt(*init)?;
                write!(self.out, " {}", bind.map_or("_", |b| b.name.as_str()))?;
                self.opt(Some(*subject))?;
                self.cases(cases)
            }
            StmtKind::Select { cases } => {
                self.out.write_str("(select")?;
                for case in cases {
                    self.out.write_str(" (case")?;
                    self.opt_stmt(case.comm)?;
                    self.out.write_str(": ")?;
                    self.stmts(&case.body)?;
                    self.out.write_str(")")?;
                }
                self.out.write_str(")")
            }
            StmtKind::For {
                init,
                cond,
                post,
                body,
            } => {
                self.out.write_str("(for")?;
                self.opt_stmt(*init)?;
                self.opt(*cond)?;
                self.opt_stmt(*post)?;
                self.block(body)?;
                self.out.write_str(")")
            }
            StmtKind::Range {
                key,
                value,
                define,
                over,
                body,
            } => {
                self.out
                    .write_str(if *define { "(range:=" } else { "(range" })?;
                self.opt(*key)?;
                self.opt(*value)?;
                self.opt(Some(*over))?;
                self.block(body)?;
                self.out.write_str(")")
            }
            StmtKind::Labeled { label, stmt } => {
                write!(self.out, "({}: ", label.name)?;
                self.stmt(*stmt)?;
                self.out.write_str(")")
            }
            StmtKind::Var(specs) => self.values("var", specs),
            StmtKind::Const(specs) => self.values("const", specs),
            StmtKind::Type(specs) => self.types(specs),
        }
    }
}
