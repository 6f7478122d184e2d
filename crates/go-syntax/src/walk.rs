//! Looking at typed trees: children, walks, and what literals mean.

use la_arena::Idx;
use text_size::TextRange;

use crate::ast::*;

/// An expression or a statement of a [`DeclTree`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeId {
    /// An expression or type.
    Expr(ExprId),
    /// A statement.
    Stmt(StmtId),
}

impl NodeId {
    /// The expression, if it is one.
    pub fn expr(self) -> Option<ExprId> {
        match self {
            NodeId::Expr(id) => Some(id),
            NodeId::Stmt(_) => None,
        }
    }

    /// The statement, if it is one.
    pub fn stmt(self) -> Option<StmtId> {
        match self {
            NodeId::Expr(_) => None,
            NodeId::Stmt(id) => Some(id),
        }
    }
}

impl From<ExprId> for NodeId {
    fn from(id: ExprId) -> Self {
        NodeId::Expr(id)
    }
}

impl From<StmtId> for NodeId {
    fn from(id: StmtId) -> Self {
        NodeId::Stmt(id)
    }
}

/// Whether a walk goes into function literals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Literals {
    /// Their signatures and bodies are walked too.
    Enter,
    /// Only the literal itself is met.
    Skip,
}

/// A walk in source order, each node before its children. Made by [`DeclTree::walk`] and its kin.
#[derive(Debug, Clone)]
pub struct Walk<'a> {
    tree: &'a DeclTree,
    literals: Literals,
    /// What is still to come, the next one last.
    stack: Vec<NodeId>,
    /// The node met last, whose children come next.
    last: Option<NodeId>,
}

impl Walk<'_> {
    /// Leaves out what is below the node met last.
    pub fn skip_children(&mut self) {
        self.last = None;
    }
}

impl Iterator for Walk<'_> {
    type Item = NodeId;

    fn next(&mut self) -> Option<NodeId> {
        if let Some(last) = self.last.take() {
            let skip = self.literals == Literals::Skip
                && matches!(last, NodeId::Expr(id) if matches!(self.tree[id].kind, ExprKind::FuncLit(_)));
            if !skip {
                let from = self.stack.len();
                self.tree
                    .for_each_child(last, |child| self.stack.push(child));
                self.stack[from..].reverse();
            }
        }
        self.last = self.stack.pop();
        self.last
    }
}

impl DeclTree {
    /// The function, if one is declared.
    pub fn func(&self) -> Option<&FuncDecl> {
        match &self.kind {
            DeclKind::Func(func) => Some(func),
            _ => None,
        }
    }

    /// The function literal that `id` is.
    pub fn func_lit(&self, id: ExprId) -> Option<&FuncLit> {
        match &self[id].kind {
            ExprKind::FuncLit(lit) => Some(lit),
            _ => None,
        }
    }

    /// Where a node stands, relative to the declaration.
    pub fn range(&self, node: impl Into<NodeId>) -> TextRange {
        match node.into() {
            NodeId::Expr(id) => self[id].range,
            NodeId::Stmt(id) => self[id].range,
        }
    }

    /// The expression without the parentheses around it.
    pub fn unparen(&self, mut id: ExprId) -> ExprId {
        while let ExprKind::Paren(inner) = self[id].kind {
            id = inner;
        }
        id
    }

    /// The name, if the expression is one; parentheses do not count.
    pub fn ident(&self, id: ExprId) -> Option<Ident> {
        let expr = &self[self.unparen(id)];
        match expr.kind {
            ExprKind::Ident(name) => Some(Ident {
                name,
                range: expr.range,
            }),
            _ => None,
        }
    }

    /// The value of a string literal; parentheses do not count. `None` for everything else, for literals longer than
    /// [`MAX_LITERAL`] and for values that are not UTF-8.
    pub fn string_value(&self, id: ExprId) -> Option<String> {
        match &self[self.unparen(id)].kind {
            ExprKind::Literal(literal) => literal.string_value(),
            _ => None,
        }
    }

    /// The value of an integer or rune literal; parentheses do not count. `None` for everything else and for values above
    /// [`u64::MAX`].
    pub fn int_value(&self, id: ExprId) -> Option<u64> {
        match &self[self.unparen(id)].kind {
            ExprKind::Literal(literal) => literal.int_value(),
            _ => None,
        }
    }

    /// Walks `root` and what is below it.
    pub fn walk(&self, root: impl Into<NodeId>, literals: Literals) -> Walk<'_> {
        self.walk_all([root.into()], literals)
    }

    /// Walks the statements of a block.
    pub fn walk_block(&self, block: &Block, literals: Literals) -> Walk<'_> {
        self.walk_all(block.stmts.iter().map(|&id| NodeId::Stmt(id)), literals)
    }

    /// Walks the body of a function literal; literals inside it are entered or not as asked.
    pub fn walk_literal(&self, literal: &FuncLit, literals: Literals) -> Walk<'_> {
        self.walk_block(&literal.body, literals)
    }

    /// Walks the whole declaration: receiver, signature, types, values, body.
    pub fn walk_decl(&self, literals: Literals) -> Walk<'_> {
        let mut roots = Vec::new();
        let mut add = |node| roots.push(node);
        match &self.kind {
            DeclKind::Bad => {}
            DeclKind::Func(func) => {
                if let Some(receiver) = &func.receiver {
                    add(receiver.ty.into());
                }
                signature_children(&func.signature, &mut add);
                if let Some(body) = &func.body {
                    each(&body.stmts, &mut add);
                }
            }
            DeclKind::Var(specs) | DeclKind::Const(specs) => {
                specs.iter().for_each(|s| value_spec_children(s, &mut add));
            }
            DeclKind::Type(specs) => specs.iter().for_each(|s| type_spec_children(s, &mut add)),
        }
        self.walk_all(roots, literals)
    }

    /// Walks several nodes and what is below them, one after the other.
    pub fn walk_all(
        &self,
        roots: impl IntoIterator<Item = NodeId>,
        literals: Literals,
    ) -> Walk<'_> {
        let mut stack: Vec<NodeId> = roots.into_iter().collect();
        stack.reverse();
        Walk {
            tree: self,
            literals,
            stack,
            last: None,
        }
    }

    /// Calls `f` with the direct children of `node` in source order. Blocks, cases, signatures and specs are no nodes: their
    /// statements, expressions and types count as children of the node that holds them.
    pub fn for_each_child(&self, node: impl Into<NodeId>, mut f: impl FnMut(NodeId)) {
        match node.into() {
            NodeId::Expr(id) => self.expr_children(id, &mut f),
            NodeId::Stmt(id) => self.stmt_children(id, &mut f),
        }
    }

    /// Calls `f` with the direct children of `node` that are expressions or types.
    pub fn for_each_child_expr(&self, node: impl Into<NodeId>, mut f: impl FnMut(ExprId)) {
        self.for_each_child(node, |child| {
            if let NodeId::Expr(id) = child {
                f(id);
            }
        });
    }

    fn expr_children(&self, id: ExprId, f: &mut impl FnMut(NodeId)) {
        match &self[id].kind {
            ExprKind::Bad | ExprKind::Ident(_) | ExprKind::Literal(_) => {}
            ExprKind::Composite { ty, elements } => {
                opt(*ty, f);
                for element in elements {
                    opt(element.key, f);
                    f(element.value.into());
                }
            }
            ExprKind::FuncLit(lit) => {
                signature_children(&lit.signature, f);
                each(&lit.body.stmts, f);
            }
            ExprKind::Paren(inner)
            | ExprKind::Star(inner)
            | ExprKind::Tilde(inner)
            | ExprKind::Selector { base: inner, .. }
            | ExprKind::Unary { operand: inner, .. }
            | ExprKind::ChanType { elem: inner, .. } => f((*inner).into()),
            ExprKind::Index { base, indices } => {
                f((*base).into());
                each(indices, f);
            }
            ExprKind::Slice {
                base,
                low,
                high,
                max,
            } => {
                f((*base).into());
                opt(*low, f);
                opt(*high, f);
                opt(*max, f);
            }
            ExprKind::TypeAssert { base, ty } => {
                f((*base).into());
                opt(*ty, f);
            }
            ExprKind::Call { func, args, .. } => {
                f((*func).into());
                each(args, f);
            }
            ExprKind::Binary { lhs, rhs, .. } => {
                f((*lhs).into());
                f((*rhs).into());
            }
            ExprKind::ArrayType { len, elem } => {
                if let ArrayLen::Expr(len) = len {
                    f((*len).into());
                }
                f((*elem).into());
            }
            ExprKind::MapType { key, value } => {
                f((*key).into());
                f((*value).into());
            }
            ExprKind::FuncType(signature) => signature_children(signature, f),
            ExprKind::StructType(fields) => fields.iter().for_each(|field| f(field.ty.into())),
            ExprKind::InterfaceType(elems) => {
                for elem in elems {
                    match elem {
                        InterfaceElem::Method(_, signature) => signature_children(signature, f),
                        InterfaceElem::Embed(ty) => f((*ty).into()),
                    }
                }
            }
            ExprKind::Union(types) => each(types, f),
        }
    }

    fn stmt_children(&self, id: StmtId, f: &mut impl FnMut(NodeId)) {
        match &self[id].kind {
            StmtKind::Bad | StmtKind::Empty | StmtKind::Branch { .. } => {}
            StmtKind::Expr(expr)
            | StmtKind::Go(expr)
            | StmtKind::Defer(expr)
            | StmtKind::IncDec { operand: expr, .. } => f((*expr).into()),
            StmtKind::Send { chan, value } => {
                f((*chan).into());
                f((*value).into());
            }
            StmtKind::Assign { lhs, rhs, .. } => {
                each(lhs, f);
                each(rhs, f);
            }
            StmtKind::Return(exprs) => each(exprs, f),
            StmtKind::Block(block) => each(&block.stmts, f),
            StmtKind::If {
                init,
                cond,
                then,
                els,
            } => {
                opt(*init, f);
                f((*cond).into());
                each(&then.stmts, f);
                opt(*els, f);
            }
            StmtKind::Switch { init, tag, cases } => {
                opt(*init, f);
                opt(*tag, f);
                cases.iter().for_each(|case| case_children(case, f));
            }
            StmtKind::TypeSwitch {
                init,
                subject,
                cases,
                ..
            } => {
                opt(*init, f);
                f((*subject).into());
                cases.iter().for_each(|case| case_children(case, f));
            }
            StmtKind::Select { cases } => {
                for case in cases {
                    opt(case.comm, f);
                    each(&case.body, f);
                }
            }
            StmtKind::For {
                init,
                cond,
                post,
                body,
            } => {
                opt(*init, f);
                opt(*cond, f);
                opt(*post, f);
                each(&body.stmts, f);
            }
            StmtKind::Range {
                key,
                value,
                over,
                body,
                ..
            } => {
                opt(*key, f);
                opt(*value, f);
                f((*over).into());
                each(&body.stmts, f);
            }
            StmtKind::Labeled { stmt, .. } => f((*stmt).into()),
            StmtKind::Var(specs) | StmtKind::Const(specs) => {
                specs.iter().for_each(|spec| value_spec_children(spec, f));
            }
            StmtKind::Type(specs) => specs.iter().for_each(|spec| type_spec_children(spec, f)),
        }
    }
}

fn opt<T>(id: Option<Idx<T>>, f: &mut impl FnMut(NodeId))
where
    NodeId: From<Idx<T>>,
{
    if let Some(id) = id {
        f(id.into());
    }
}

fn each<T>(ids: &[Idx<T>], f: &mut impl FnMut(NodeId))
where
    NodeId: From<Idx<T>>,
{
    ids.iter().for_each(|&id| f(id.into()));
}

fn case_children(case: &Case, f: &mut impl FnMut(NodeId)) {
    each(&case.exprs, f);
    each(&case.body, f);
}

fn signature_children(signature: &Signature, f: &mut impl FnMut(NodeId)) {
    shared(signature.type_params.iter().map(|p| p.constraint), f);
    shared(signature.params.iter().map(|p| p.ty), f);
    shared(signature.results.iter().map(|p| p.ty), f);
}

fn value_spec_children(spec: &ValueSpec, f: &mut impl FnMut(NodeId)) {
    opt(spec.ty, f);
    each(&spec.values, f);
}

fn type_spec_children(spec: &TypeSpec, f: &mut impl FnMut(NodeId)) {
    shared(spec.type_params.iter().map(|p| p.constraint), f);
    f(spec.ty.into());
}

/// The names of `a, b T` share `T`, which is met once.
fn shared(types: impl Iterator<Item = ExprId>, f: &mut impl FnMut(NodeId)) {
    let mut last = None;
    for ty in types {
        if last.replace(ty) != Some(ty) {
            f(ty.into());
        }
    }
}

impl Comment {
    /// The comment with its marks. `source` must be the text that the file was parsed from; another text gives something or
    /// nothing.
    pub fn text<'a>(&self, source: &'a str) -> &'a str {
        source
            .get(std::ops::Range::<usize>::from(self.range))
            .unwrap_or_default()
    }
}

impl Literal {
    /// The value of a string literal. `None` for other literals, for literals longer than [`MAX_LITERAL`], for wrong escapes and
    /// for values that are not UTF-8.
    pub fn string_value(&self) -> Option<String> {
        if self.kind != LiteralKind::String {
            return None;
        }
        let text = self.text.as_deref()?;
        if let Some(raw) = text.strip_prefix('`').and_then(|t| t.strip_suffix('`')) {
            return Some(raw.replace('\r', ""));
        }
        let mut rest = text.strip_prefix('"')?.strip_suffix('"')?;
        let mut value = Vec::with_capacity(rest.len());
        while let Some(at) = rest.find('\\') {
            value.extend_from_slice(rest.get(..at)?.as_bytes());
            let (unit, after) = escape(rest.get(at + 1..)?)?;
            match unit {
                Escape::Byte(byte) => value.push(byte),
                Escape::Char(char) => {
                    value.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
            rest = after;
        }
        value.extend_from_slice(rest.as_bytes());
        String::from_utf8(value).ok()
    }

    /// The value of an integer or rune literal. `None` for other literals and for values above [`u64::MAX`].
    pub fn int_value(&self) -> Option<u64> {
        let text = self.text.as_deref()?;
        match self.kind {
            LiteralKind::Int => int_value(text),
            LiteralKind::Rune => {
                let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
                match inner.strip_prefix('\\') {
                    Some(rest) => match escape(rest)? {
                        (Escape::Byte(byte), "") => Some(byte.into()),
                        (Escape::Char(char), "") => Some(u32::from(char).into()),
                        _ => None,
                    },
                    None => {
                        let mut chars = inner.chars();
                        let char = chars.next()?;
                        chars.next().is_none().then(|| u32::from(char).into())
                    }
                }
            }
            _ => None,
        }
    }
}

enum Escape {
    Byte(u8),
    Char(char),
}

/// What follows a backslash, and the rest.
fn escape(text: &str) -> Option<(Escape, &str)> {
    let (kind, rest) = text.split_at_checked(1)?;
    let number = |text: &'_ str, digits: usize, radix: u32| -> Option<u32> {
        let digits = text.get(..digits)?;
        let plain = digits.bytes().all(|b| b.is_ascii_hexdigit());
        plain.then(|| u32::from_str_radix(digits, radix).ok())?
    };
    let simple = match kind {
        "a" => 0x07,
        "b" => 0x08,
        "f" => 0x0c,
        "n" => b'\n',
        "r" => b'\r',
        "t" => b'\t',
        "v" => 0x0b,
        "\\" => b'\\',
        "'" => b'\'',
        "\"" => b'"',
        "x" => {
            let byte = u8::try_from(number(rest, 2, 16)?).ok()?;
            return Some((Escape::Byte(byte), rest.get(2..)?));
        }
        "u" => {
            let char = char::from_u32(number(rest, 4, 16)?)?;
            return Some((Escape::Char(char), rest.get(4..)?));
        }
        "U" => {
            let char = char::from_u32(number(rest, 8, 16)?)?;
            return Some((Escape::Char(char), rest.get(8..)?));
        }
        _ => {
            let byte = u8::try_from(number(text, 3, 8)?).ok()?;
            return Some((Escape::Byte(byte), text.get(3..)?));
        }
    };
    Some((Escape::Byte(simple), rest))
}

fn int_value(text: &str) -> Option<u64> {
    let digits: String = text.chars().filter(|&c| c != '_').collect();
    let lower = digits.to_ascii_lowercase();
    let (digits, radix) = if let Some(hex) = lower.strip_prefix("0x") {
        (hex, 16)
    } else if let Some(octal) = lower.strip_prefix("0o") {
        (octal, 8)
    } else if let Some(binary) = lower.strip_prefix("0b") {
        (binary, 2)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (&lower[1..], 8)
    } else {
        (lower.as_str(), 10)
    };
    u64::from_str_radix(digits, radix).ok()
}
