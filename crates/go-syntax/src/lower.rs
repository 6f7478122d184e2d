//! From the concrete tree to the typed one.
//!
//! One cursor walk in a loop. A node is *entered* (a [`Frame`] is pushed), its children leave [`Item`]s on a stack, and when the
//! cursor leaves the node its items are *reduced* to one item, as a shift-reduce parser does. Nothing recurses, so the depth of
//! the source costs heap, never stack.

use std::sync::Arc;

use la_arena::{Arena, RawIdx};
use rustc_hash::FxHashMap;
use text_size::{TextRange, TextSize};
use tree_sitter::{Node, TreeCursor};

use crate::Name;
use crate::ast::*;
use crate::kinds::{FieldName, Kind, TABLES, Tables, Token};
use crate::name::NameCache;

/// A declaration with what belongs to its text but not to its tree.
#[derive(Debug, Clone)]
pub(crate) struct Lowered {
    /// Absolute, like [`Decl::start`].
    pub(crate) start: TextSize,
    pub(crate) tree: Arc<DeclTree>,
    /// Relative to `start`.
    pub(crate) comments: Arc<[Comment]>,
    /// Hash of the declaration's first line, see [`Reuse::candidates`].
    pub(crate) head: u64,
}

/// What the last version of a document was lowered to, to be used again where the text is the same.
#[derive(Debug, Default)]
pub(crate) struct Reuse {
    /// Clean declarations by content hash.
    decls: FxHashMap<u128, Lowered>,
    /// Content hashes of clean declarations by the hash of their first line.
    heads: FxHashMap<u64, Vec<u128>>,
    /// Results of segments by content hash.
    pub(crate) segments: FxHashMap<u128, Arc<Collected>>,
}

impl Reuse {
    pub(crate) fn new(lowered: Vec<Lowered>, segments: FxHashMap<u128, Arc<Collected>>) -> Self {
        let mut decls = FxHashMap::default();
        decls.reserve(lowered.len());
        let mut heads: FxHashMap<u64, Vec<u128>> = FxHashMap::default();
        heads.reserve(lowered.len());
        for decl in lowered.into_iter().filter(|d| !d.tree.has_error) {
            let (head, hash) = (decl.head, decl.tree.hash);
            if decls.insert(hash, decl).is_none() {
                heads.entry(head).or_default().push(hash);
            }
        }
        Self {
            decls,
            heads,
            segments,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.decls.is_empty()
    }

    /// A declaration without errors takes the place of the one with this content hash.
    pub(crate) fn replace(&mut self, old: u128, new: Lowered) {
        if let Some(old_decl) = self.decls.remove(&old)
            && let Some(hashes) = self.heads.get_mut(&old_decl.head)
        {
            hashes.retain(|hash| *hash != old);
            if hashes.is_empty() {
                self.heads.remove(&old_decl.head);
            }
        }
        let (head, hash) = (new.head, new.tree.hash);
        if self.decls.insert(hash, new).is_none() {
            self.heads.entry(head).or_default().push(hash);
        }
        // They come from a text with errors, and this one has none.
        self.segments.clear();
    }

    /// Declarations whose first line is that of `text`.
    pub(crate) fn candidates(&self, text: &str) -> impl Iterator<Item = &Lowered> {
        let hashes = self.heads.get(&head_hash(text)).into_iter().flatten();
        hashes.filter_map(|hash| self.decls.get(hash))
    }
}

fn head_hash(text: &str) -> u64 {
    let end = memchr::memchr(b'\n', text.as_bytes()).unwrap_or(text.len());
    xxhash_rust::xxh3::xxh3_64(&text.as_bytes()[..end])
}

/// What a text consists of; ranges are absolute.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) package: Option<Ident>,
    pub(crate) imports: Vec<Import>,
    pub(crate) decls: Vec<Lowered>,
    pub(crate) comments: Vec<Comment>,
    pub(crate) errors: Vec<TextRange>,
    /// Start of the first node that is not a comment.
    pub(crate) first: Option<TextSize>,
}

impl Collected {
    /// Appends what was collected from the text that starts at `by`.
    pub(crate) fn append(&mut self, other: &Collected, by: TextSize) {
        self.package = self
            .package
            .or(other.package.map(|name| shift_ident(name, by)));
        self.imports
            .extend(other.imports.iter().map(|i| shift_import(i, by)));
        for decl in &other.decls {
            let start = decl.start + by;
            self.decls.push(Lowered {
                start,
                ..decl.clone()
            });
        }
        self.comments
            .extend(other.comments.iter().map(|c| shift_comment(c, by)));
        self.errors
            .extend(other.errors.iter().map(|&range| range + by));
        self.first = self.first.or(other.first.map(|at| at + by));
    }

    /// Appends a declaration that is known from before, and its comments.
    pub(crate) fn append_known(&mut self, known: &Lowered, start: TextSize) {
        self.comments
            .extend(known.comments.iter().map(|c| shift_comment(c, start)));
        self.decls.push(Lowered {
            start,
            ..known.clone()
        });
    }
}

fn shift_ident(ident: Ident, by: TextSize) -> Ident {
    Ident {
        range: ident.range + by,
        ..ident
    }
}

pub(crate) fn shift_comment(comment: &Comment, by: TextSize) -> Comment {
    Comment {
        range: comment.range + by,
        ..*comment
    }
}

fn shift_import(import: &Import, by: TextSize) -> Import {
    Import {
        alias: match import.alias {
            ImportAlias::Named(name) => ImportAlias::Named(shift_ident(name, by)),
            other => other,
        },
        range: import.range + by,
        path_range: import.path_range + by,
        decl_range: import.decl_range + by,
        ..*import
    }
}

#[derive(Debug)]
enum Value {
    Expr(ExprId),
    Ident(Ident),
    Dot,
    Token(Token, TextRange),
    /// A place where something is missing.
    Bad(TextRange),
    /// Text that was left over.
    Error(TextRange),
    Stmt(StmtId),
    Block(Block),
    Exprs(Box<[ExprId]>, TextRange),
    Args(Box<[ExprId]>, bool),
    Spread(ExprId),
    Params(Box<[Param]>, TextRange),
    Param(Param),
    TypeParams(Box<[TypeParam]>),
    TypeParam(TypeParam),
    Elements(Box<[Element]>, TextRange),
    Element(Element),
    Field(Field),
    Func(Box<FuncDecl>),
    InterfaceElem(InterfaceElem),
    Values(Box<ValueSpec>),
    TypeSpec(Box<TypeSpec>),
    Case(Box<Case>),
    CommCase(CommCase),
    ForClause {
        init: Option<StmtId>,
        cond: Option<ExprId>,
        post: Option<StmtId>,
    },
    RangeClause {
        key: Option<ExprId>,
        value: Option<ExprId>,
        define: bool,
        over: ExprId,
    },
}

#[derive(Debug)]
struct Item {
    field: FieldName,
    value: Value,
}

#[derive(Debug)]
struct Frame {
    kind: Kind,
    /// Of this node in its parent.
    field: FieldName,
    depth: u16,
    /// How many items lay on the stack when the node was entered.
    base: u32,
    /// How many children are still to be looked at, the one under the cursor included.
    left: u32,
    range: TextRange,
}

/// Reusable buffers; one per thread.
#[derive(Debug)]
pub(crate) struct Lowerer {
    tables: &'static Tables,
    names: NameCache,
    items: Vec<Item>,
    frames: Vec<Frame>,
    exprs: Vec<Expr>,
    stmts: Vec<Stmt>,
    /// Ranges as they go into the tree: relative to the declaration.
    comments: Vec<Comment>,
    errors: Vec<TextRange>,
    imports: Vec<Import>,
    /// Whether the current declaration has `ERROR` or missing nodes, which then are looked for.
    broken: bool,
    /// Whether something did not have the shape that lowering expects, or was too deep.
    bad: bool,
    /// Where the current declaration starts in the text handed to the parser.
    base: u32,
    /// Length of that text.
    len: u32,
}

impl Lowerer {
    pub(crate) fn new() -> Self {
        Self {
            tables: &TABLES,
            names: NameCache::new(),
            items: Vec::new(),
            frames: Vec::new(),
            exprs: Vec::new(),
            stmts: Vec::new(),
            comments: Vec::new(),
            errors: Vec::new(),
            imports: Vec::new(),
            broken: false,
            bad: false,
            base: 0,
            len: 0,
        }
    }

    /// Lowers all children of `root`, the tree of `text`.
    pub(crate) fn source(&mut self, root: Node<'_>, text: &str, reuse: &Reuse) -> Collected {
        let mut out = Collected::default();
        self.len = text.len() as u32;
        let mut cursor = root.walk();
        if root.is_error() {
            // Nothing at all was understood. Comments count nevertheless.
            out.first = Some(TextSize::new(0));
            self.top(&mut cursor, Kind::Error, text, &mut out);
            out.errors.push(absolute(root, text));
            return out;
        }
        if !cursor.goto_first_child() {
            return out;
        }
        loop {
            let node = cursor.node();
            let kind = self.tables.kind(node.kind_id());
            let range = absolute(node, text);
            if !matches!(kind, Kind::Comment | Kind::Skip) && out.first.is_none() {
                out.first = Some(range.start());
            }
            match kind {
                Kind::Skip if !node.is_missing() => {}
                Kind::Comment => out.comments.push(comment(text, node, range)),
                Kind::FuncDecl
                | Kind::MethodDecl
                | Kind::ConstDecl
                | Kind::VarDecl
                | Kind::TypeDecl => self.decl(&mut cursor, kind, text, reuse, &mut out),
                Kind::PackageClause | Kind::ImportDecl => {
                    self.top(&mut cursor, kind, text, &mut out);
                }
                Kind::Empty => {}
                // Errors, and statements, which only the grammar allows here.
                _ => {
                    self.top(&mut cursor, Kind::Error, text, &mut out);
                    out.errors.push(range);
                }
            }
            if !cursor.goto_next_sibling() {
                break;
            }
        }
        out
    }

    /// A node at top level that is not a declaration with a tree of its own.
    fn top(&mut self, cursor: &mut TreeCursor<'_>, kind: Kind, text: &str, out: &mut Collected) {
        let node = cursor.node();
        self.base = 0;
        self.broken = node.has_error();
        let value = self.walk(cursor, kind, text);
        out.comments.append(&mut self.comments);
        if kind != Kind::Error {
            out.errors.append(&mut self.errors);
        }
        match (kind, value) {
            (Kind::PackageClause, Value::Ident(name)) => {
                out.package.get_or_insert(name);
            }
            (Kind::ImportDecl, _) => {
                let grouped = (0..node.child_count())
                    .filter_map(|i| node.child(i))
                    .any(|c| self.tables.kind(c.kind_id()) == Kind::Transparent);
                let decl_range = absolute(node, text);
                out.imports.extend(self.imports.drain(..).map(|i| Import {
                    decl_range,
                    grouped,
                    ..i
                }));
            }
            _ => {}
        }
        self.clear();
    }

    fn decl(
        &mut self,
        cursor: &mut TreeCursor<'_>,
        kind: Kind,
        text: &str,
        reuse: &Reuse,
        out: &mut Collected,
    ) {
        let node = cursor.node();
        let start = size(node.start_byte());
        let source = source(text, node);
        let broken = node.has_error();
        let hash = content_hash(source, broken);
        if let Some(known) = reuse.decls.get(&hash)
            && known.tree.len == TextSize::of(source)
        {
            out.append_known(known, start);
            return;
        }
        self.base = u32::from(start);
        self.broken = broken;
        let value = self.walk(cursor, kind, text);
        let kind = self.decl_kind(value);
        let comments: Arc<[Comment]> = self.comments.as_slice().into();
        out.comments
            .extend(comments.iter().map(|c| shift_comment(c, start)));
        out.errors
            .extend(self.errors.drain(..).map(|range| range + start));
        let tree = Arc::new(DeclTree {
            hash,
            len: TextSize::of(source),
            has_error: broken || self.bad,
            kind,
            exprs: Arena::from_iter(self.exprs.drain(..)),
            stmts: Arena::from_iter(self.stmts.drain(..)),
        });
        self.clear();
        out.decls.push(Lowered {
            start,
            tree,
            comments,
            head: head_hash(source),
        });
    }

    fn decl_kind(&mut self, value: Value) -> DeclKind {
        match value {
            Value::Func(func) => DeclKind::Func(*func),
            // The statement that `const`, `var` and `type` are reduced to is taken out again. It is the last one.
            Value::Stmt(_) => match self.stmts.pop().map(|s| s.kind) {
                Some(StmtKind::Var(specs)) => DeclKind::Var(specs),
                Some(StmtKind::Const(specs)) => DeclKind::Const(specs),
                Some(StmtKind::Type(specs)) => DeclKind::Type(specs),
                _ => DeclKind::Bad,
            },
            _ => DeclKind::Bad,
        }
    }

    fn clear(&mut self) {
        self.items.clear();
        self.frames.clear();
        self.exprs.clear();
        self.stmts.clear();
        self.comments.clear();
        self.errors.clear();
        self.imports.clear();
        self.broken = false;
        self.bad = false;
    }

    /// Lowers the node under the cursor, taken as `kind`, and leaves the cursor there.
    fn walk(&mut self, cursor: &mut TreeCursor<'_>, kind: Kind, text: &str) -> Value {
        let node = cursor.node();
        let range = self.relative(node);
        let root = Frame {
            kind,
            field: FieldName::None,
            depth: 0,
            base: 0,
            left: self.children(kind, node),
            range,
        };
        if root.left == 0 || !cursor.goto_first_child() {
            return self.reduce(&root, text).unwrap_or(Value::Error(range));
        }
        self.frames.push(root);
        loop {
            if self.enter(cursor, text) {
                if self.frames.last().is_some_and(|f| f.left > 0) && cursor.goto_first_child() {
                    continue;
                }
                self.leave(text);
            }
            // Counting is cheaper than asking the cursor for a sibling that is not there.
            while !self.more() || !cursor.goto_next_sibling() {
                cursor.goto_parent();
                if self.frames.len() > 1 {
                    self.leave(text);
                    continue;
                }
                return match self.frames.pop() {
                    Some(root) => self.reduce(&root, text).unwrap_or(Value::Error(range)),
                    None => Value::Error(range),
                };
            }
        }
    }

    /// Counts the child under the cursor as done. Answers whether another one is to be looked at.
    fn more(&mut self) -> bool {
        match self.frames.last_mut() {
            Some(frame) => {
                frame.left = frame.left.saturating_sub(1);
                frame.left > 0
            }
            None => false,
        }
    }

    /// How many children of a node are to be looked at. Nothing is learnt from a closing bracket that is known to be there.
    fn children(&self, kind: Kind, node: Node<'_>) -> u32 {
        let closed = !self.broken && kind.is_closed();
        node.child_count() - u32::from(closed && node.child_count() > 0)
    }

    /// Looks at the node under the cursor. Answers whether a frame was pushed for it.
    fn enter(&mut self, cursor: &TreeCursor<'_>, text: &str) -> bool {
        let Some(parent) = self.frames.last() else {
            return false;
        };
        let (parent_kind, parent_depth) = (parent.kind, parent.depth);
        let node = cursor.node();
        let kind = self.tables.kind(node.kind_id());
        let lost = matches!(parent_kind, Kind::Error | Kind::TooDeep);
        if self.broken && node.is_missing() {
            if !lost {
                let range = self.relative(node);
                self.errors.push(range);
                if !matches!(kind, Kind::Skip | Kind::Token(_)) {
                    self.push_at(cursor, parent_kind, Value::Bad(range));
                }
            }
            return false;
        }
        let value = match kind {
            Kind::Skip => return false,
            Kind::Comment => {
                let range = self.relative(node);
                self.comments.push(comment(text, node, range));
                return false;
            }
            Kind::Token(_) | Kind::Ident | Kind::Dot | Kind::Literal(_) if lost => return false,
            Kind::Token(token) => {
                if !parent_kind.wants_tokens() {
                    return false;
                }
                Value::Token(token, self.relative(node))
            }
            Kind::Ident => {
                let name = self.names.get(source(text, node));
                Value::Ident(Ident {
                    name,
                    range: self.relative(node),
                })
            }
            Kind::Dot => Value::Dot,
            Kind::Literal(_) if parent_kind == Kind::Field => return false, // a tag
            Kind::Literal(kind) => {
                let source = source(text, node);
                let text = (source.len() <= MAX_LITERAL).then(|| source.into());
                let literal = ExprKind::Literal(Literal { kind, text });
                Value::Expr(self.alloc(literal, self.relative(node)))
            }
            _ => {
                let depth = parent_depth + u16::from(kind.is_level());
                let kind = if lost {
                    parent_kind
                } else if depth > MAX_DEPTH {
                    self.bad = true;
                    Kind::TooDeep
                } else {
                    kind
                };
                let range = self.relative(node);
                if kind == Kind::Error && !lost {
                    self.errors.push(range);
                }
                let field = self.field(cursor, parent_kind);
                let base = self.items.len() as u32;
                let left = self.children(kind, node);
                self.frames.push(Frame {
                    kind,
                    field,
                    depth: depth.min(MAX_DEPTH + 1),
                    base,
                    left,
                    range,
                });
                return true;
            }
        };
        self.push_at(cursor, parent_kind, value);
        false
    }

    fn leave(&mut self, text: &str) {
        if let Some(frame) = self.frames.pop()
            && let Some(value) = self.reduce(&frame, text)
        {
            self.items.push(Item {
                field: frame.field,
                value,
            });
        }
    }

    fn push_at(&mut self, cursor: &TreeCursor<'_>, parent: Kind, value: Value) {
        let field = self.field(cursor, parent);
        self.items.push(Item { field, value });
    }

    fn field(&self, cursor: &TreeCursor<'_>, parent: Kind) -> FieldName {
        if parent.wants_fields() {
            self.tables.field(cursor.field_id())
        } else {
            FieldName::None
        }
    }

    fn relative(&self, node: Node<'_>) -> TextRange {
        let end = (node.end_byte() as u32).min(self.len);
        let start = (node.start_byte() as u32).min(end);
        TextRange::new((start - self.base).into(), (end - self.base).into())
    }

    fn alloc(&mut self, kind: ExprKind, range: TextRange) -> ExprId {
        let id = ExprId::from_raw(RawIdx::from_u32(self.exprs.len() as u32));
        self.exprs.push(Expr { kind, range });
        id
    }

    fn alloc_stmt(&mut self, kind: StmtKind, range: TextRange) -> StmtId {
        let id = StmtId::from_raw(RawIdx::from_u32(self.stmts.len() as u32));
        self.stmts.push(Stmt { kind, range });
        id
    }

    fn bad(&mut self, range: TextRange) -> ExprId {
        self.bad = true;
        self.alloc(ExprKind::Bad, range)
    }

    fn range_of(&self, id: ExprId) -> TextRange {
        self.exprs[id.into_raw().into_u32() as usize].range
    }

    /// The value as an expression; `at` is where it should have been.
    fn expr(&mut self, value: Value, at: TextRange) -> ExprId {
        match value {
            Value::Expr(id) | Value::Spread(id) => id,
            Value::Ident(name) => self.alloc(ExprKind::Ident(name.name), name.range),
            Value::Elements(elements, range) => {
                self.alloc(ExprKind::Composite { ty: None, elements }, range)
            }
            Value::Bad(range) | Value::Error(range) => self.bad(range),
            _ => self.bad(at),
        }
    }

    fn stmt(&mut self, value: Value, at: TextRange) -> StmtId {
        match value {
            Value::Stmt(id) => id,
            Value::Block(block) => {
                let range = block.range;
                self.alloc_stmt(StmtKind::Block(block), range)
            }
            Value::Bad(range) | Value::Error(range) => {
                self.bad = true;
                self.alloc_stmt(StmtKind::Bad, range)
            }
            other => {
                let expr = self.expr(other, at);
                let range = self.range_of(expr);
                self.alloc_stmt(StmtKind::Expr(expr), range)
            }
        }
    }

    fn next_expr(&mut self, items: &mut Items<'_>) -> ExprId {
        match items.next() {
            Some(value) => self.expr(value, items.end()),
            None => self.bad(items.end()),
        }
    }

    fn all_exprs(&mut self, items: &mut Items<'_>) -> Box<[ExprId]> {
        let mut all = Vec::with_capacity(items.len());
        while let Some(value) = items.next() {
            all.push(self.expr(value, items.end()));
        }
        all.into()
    }

    fn next_exprs(&mut self, items: &mut Items<'_>) -> Box<[ExprId]> {
        match items.next() {
            Some(Value::Exprs(exprs, _)) => exprs,
            Some(other) => Box::new([self.expr(other, items.end())]),
            None => Box::new([self.bad(items.end())]),
        }
    }

    fn next_ident(&mut self, items: &mut Items<'_>) -> Ident {
        match items.next() {
            Some(Value::Ident(ident)) => ident,
            _ => {
                self.bad = true;
                Ident {
                    name: self.names.get(""),
                    range: items.end(),
                }
            }
        }
    }

    fn next_block(&mut self, items: &mut Items<'_>) -> Block {
        match items.next() {
            Some(Value::Block(block)) => block,
            _ => {
                self.bad = true;
                Block {
                    stmts: Box::default(),
                    range: items.end(),
                }
            }
        }
    }

    fn all_stmts(&mut self, items: &mut Items<'_>) -> Box<[StmtId]> {
        let mut all = Vec::with_capacity(items.len());
        while let Some(value) = items.next() {
            all.push(self.stmt(value, items.end()));
        }
        all.into()
    }

    /// Turns a node whose children are done into a value; `None` if its items are its parent's.
    fn reduce(&mut self, frame: &Frame, text: &str) -> Option<Value> {
        let base = frame.base as usize;
        match frame.kind {
            Kind::Transparent => return None,
            Kind::Error => {
                self.items.truncate(base);
                return Some(Value::Error(frame.range));
            }
            Kind::TooDeep => {
                self.items.truncate(base);
                return Some(Value::Bad(frame.range));
            }
            Kind::Param | Kind::VariadicParam | Kind::TypeParam => {
                self.params_of(frame);
                return None;
            }
            _ => {}
        }
        let mut all = std::mem::take(&mut self.items);
        if self.broken && !keeps_errors(frame.kind) {
            remove_errors(&mut all, base);
        }
        let mut items = Items {
            items: all.drain(base..),
            end: frame.range.end(),
        };
        let value = self.build(frame, &mut items, text);
        drop(items);
        self.items = all;
        Some(value)
    }

    /// `a, b T` leaves one parameter for each name.
    fn params_of(&mut self, frame: &Frame) {
        let base = frame.base as usize;
        let mut all = std::mem::take(&mut self.items);
        if self.broken {
            remove_errors(&mut all, base);
        }
        let end = TextRange::empty(frame.range.end());
        let ty = match all.len() > base {
            true => all.pop(),
            false => None,
        };
        let ty = match ty {
            Some(item) => self.expr(item.value, end),
            None => self.bad(end),
        };
        let variadic = frame.kind == Kind::VariadicParam;
        let param = |name| match frame.kind {
            Kind::TypeParam => Some(Value::TypeParam(TypeParam {
                name: name?,
                constraint: ty,
            })),
            _ => Some(Value::Param(Param {
                name,
                ty,
                variadic,
                range: frame.range,
            })),
        };
        let mut kept = base;
        for at in base..all.len() {
            if let Value::Ident(name) = all[at].value
                && let Some(value) = param(Some(name))
            {
                all[kept].value = value;
                kept += 1;
            } else {
                self.bad = true;
            }
        }
        all.truncate(kept);
        if kept == base {
            match param(None) {
                Some(value) => all.push(Item {
                    field: frame.field,
                    value,
                }),
                None => self.bad = true,
            }
        }
        self.items = all;
    }

    fn build(&mut self, frame: &Frame, items: &mut Items<'_>, text: &str) -> Value {
        let range = frame.range;
        let kind = match frame.kind {
            Kind::Paren => ExprKind::Paren(self.next_expr(items)),
            Kind::Call => {
                let mut func = self.next_expr(items);
                let mut args: Box<[ExprId]> = Box::default();
                let mut spread = false;
                let mut called = false;
                while let Some(value) = items.next() {
                    match value {
                        Value::Exprs(indices, to) => {
                            let range = self.range_of(func).cover(to);
                            func = self.alloc(
                                ExprKind::Index {
                                    base: func,
                                    indices,
                                },
                                range,
                            );
                        }
                        Value::Args(list, dots) => {
                            (args, spread, called) = (list, dots, true);
                        }
                        _ => self.bad = true,
                    }
                }
                self.bad |= !called;
                ExprKind::Call { func, args, spread }
            }
            Kind::ArgList => {
                let mut args = Vec::with_capacity(items.len());
                let mut spread = false;
                while let Some(value) = items.next() {
                    spread |= matches!(value, Value::Spread(_));
                    args.push(self.expr(value, items.end()));
                }
                return Value::Args(args.into(), spread);
            }
            Kind::Spread => return Value::Spread(self.next_expr(items)),
            Kind::Conversion => {
                let mut func = self.next_expr(items);
                let args = Box::new([self.next_expr(items)]);
                // `*(*[]T)(x)` comes as `(*(*[]T))(x)`.
                let mut stars = Vec::new();
                while let ExprKind::Star(inner) =
                    self.exprs[func.into_raw().into_u32() as usize].kind
                {
                    stars.push(self.range_of(func).start());
                    func = inner;
                }
                let mut kind = ExprKind::Call {
                    func,
                    args,
                    spread: false,
                };
                let mut start = self.range_of(func).start();
                while let Some(star) = stars.pop() {
                    let inside = TextRange::new(start, range.end());
                    kind = ExprKind::Star(self.alloc(kind, inside));
                    start = star;
                }
                kind
            }
            Kind::Instantiation => {
                let base = self.next_expr(items);
                let indices = self.all_exprs(items);
                ExprKind::Index { base, indices }
            }
            Kind::GenericType => {
                let base = self.next_expr(items);
                let indices = self.next_exprs(items);
                // `~T[A]` comes as `(~T)[A]`.
                if let ExprKind::Tilde(inner) = self.exprs[base.into_raw().into_u32() as usize].kind
                {
                    let inside = TextRange::new(self.range_of(inner).start(), range.end());
                    let index = self.alloc(
                        ExprKind::Index {
                            base: inner,
                            indices,
                        },
                        inside,
                    );
                    ExprKind::Tilde(index)
                } else {
                    ExprKind::Index { base, indices }
                }
            }
            Kind::TypeArgs | Kind::ExprList => {
                return Value::Exprs(self.all_exprs(items), range);
            }
            Kind::Selector => {
                let base = self.next_expr(items);
                let name = self.next_ident(items);
                ExprKind::Selector { base, name }
            }
            Kind::Index => {
                let base = self.next_expr(items);
                let indices = Box::new([self.next_expr(items)]);
                ExprKind::Index { base, indices }
            }
            Kind::Slice => {
                let base = self.next_expr(items);
                let (mut low, mut high, mut max) = (None, None, None);
                while let Some(item) = items.next_item() {
                    let id = self.expr(item.value, items.end());
                    match item.field {
                        FieldName::Start => low = Some(id),
                        FieldName::End => high = Some(id),
                        FieldName::Capacity => max = Some(id),
                        _ => self.bad = true,
                    }
                }
                ExprKind::Slice {
                    base,
                    low,
                    high,
                    max,
                }
            }
            Kind::TypeAssert => {
                let base = self.next_expr(items);
                let ty = Some(self.next_expr(items));
                ExprKind::TypeAssert { base, ty }
            }
            Kind::Composite => {
                let ty = Some(self.next_expr(items));
                let elements = match items.next() {
                    Some(Value::Elements(elements, _)) => elements,
                    _ => {
                        self.bad = true;
                        Box::default()
                    }
                };
                ExprKind::Composite { ty, elements }
            }
            Kind::LiteralValue => {
                let mut elements = Vec::with_capacity(items.len());
                while let Some(value) = items.next() {
                    elements.push(match value {
                        Value::Element(element) => element,
                        other => Element {
                            key: None,
                            value: self.expr(other, items.end()),
                        },
                    });
                }
                return Value::Elements(elements.into(), range);
            }
            Kind::KeyedElement => {
                let key = Some(self.next_expr(items));
                let value = self.next_expr(items);
                return Value::Element(Element { key, value });
            }
            Kind::FuncLit => {
                let parts = self.function(items, false);
                let Some(body) = parts.body else {
                    return Value::Expr(self.bad(range));
                };
                ExprKind::FuncLit(Box::new(FuncLit {
                    signature: parts.signature,
                    body,
                }))
            }
            Kind::FuncType => ExprKind::FuncType(Box::new(self.function(items, false).signature)),
            Kind::Unary => {
                let op = match items.next() {
                    Some(Value::Token(token, _)) => unary(token),
                    _ => None,
                };
                let operand = self.next_expr(items);
                match op {
                    Some(Some(op)) => ExprKind::Unary { op, operand },
                    Some(None) => ExprKind::Star(operand),
                    None => {
                        self.bad = true;
                        ExprKind::Bad
                    }
                }
            }
            Kind::Binary => {
                let lhs = self.next_expr(items);
                let op = items.next();
                let rhs = self.next_expr(items);
                match op {
                    Some(Value::Token(Token::Binary(op), _)) => ExprKind::Binary { op, lhs, rhs },
                    _ => {
                        self.bad = true;
                        ExprKind::Bad
                    }
                }
            }
            Kind::Pointer => ExprKind::Star(self.next_expr(items)),
            Kind::Array => {
                let len = ArrayLen::Expr(self.next_expr(items));
                let elem = self.next_expr(items);
                ExprKind::ArrayType { len, elem }
            }
            Kind::AutoArray => {
                let elem = self.next_expr(items);
                ExprKind::ArrayType {
                    len: ArrayLen::Auto,
                    elem,
                }
            }
            Kind::SliceType => {
                let elem = self.next_expr(items);
                ExprKind::ArrayType {
                    len: ArrayLen::Slice,
                    elem,
                }
            }
            Kind::Struct => {
                let mut fields = Vec::with_capacity(items.len());
                while let Some(value) = items.next() {
                    match value {
                        Value::Field(field) => fields.push(field),
                        _ => self.bad = true,
                    }
                }
                ExprKind::StructType(fields.into())
            }
            Kind::Field => return self.struct_field(items, range),
            Kind::Interface => {
                let mut elems = Vec::with_capacity(items.len());
                while let Some(value) = items.next() {
                    elems.push(match value {
                        Value::InterfaceElem(elem) => elem,
                        other => InterfaceElem::Embed(self.expr(other, items.end())),
                    });
                }
                ExprKind::InterfaceType(elems.into())
            }
            Kind::MethodElem => {
                let parts = self.function(items, true);
                let name = self.name_or_bad(parts.name, range);
                return Value::InterfaceElem(InterfaceElem::Method(
                    name,
                    Box::new(parts.signature),
                ));
            }
            Kind::TypeElem => {
                if items.len() == 1
                    && let Some(value) = items.next()
                {
                    return value;
                }
                ExprKind::Union(self.all_exprs(items))
            }
            Kind::Map => {
                let key = self.next_expr(items);
                let value = self.next_expr(items);
                ExprKind::MapType { key, value }
            }
            Kind::Chan => {
                let mut dir = ChanDir::Both;
                let mut chan = false;
                let mut elem = None;
                while let Some(value) = items.next() {
                    match value {
                        Value::Token(Token::Chan, _) => chan = true,
                        Value::Token(Token::Arrow, _) if chan => dir = ChanDir::Send,
                        Value::Token(Token::Arrow, _) => dir = ChanDir::Receive,
                        other => elem = Some(self.expr(other, items.end())),
                    }
                }
                let elem = match elem {
                    Some(elem) => elem,
                    None => self.bad(items.end()),
                };
                self.chan(dir, elem)
            }
            Kind::Tilde => ExprKind::Tilde(self.next_expr(items)),
            _ => return self.build_other(frame, items, text),
        };
        Value::Expr(self.alloc(kind, range))
    }

    /// An arrow belongs to the leftmost `chan` possible: `chan <-chan T` is `chan<- (chan T)`.
    fn chan(&mut self, mut dir: ChanDir, elem: ExprId) -> ExprKind {
        let index = |id: ExprId| id.into_raw().into_u32() as usize;
        let mut outer: Option<ExprId> = None;
        let mut next = elem;
        while dir == ChanDir::Both || outer.is_some() {
            let inner = &mut self.exprs[index(next)];
            let ExprKind::ChanType {
                dir: inner_dir @ ChanDir::Receive,
                elem,
            } = &mut inner.kind
            else {
                break;
            };
            *inner_dir = ChanDir::Both;
            let after = *elem;
            inner.range =
                TextRange::new(inner.range.start() + TextSize::of("<-"), inner.range.end());
            match outer.map(|id| &mut self.exprs[index(id)].kind) {
                Some(ExprKind::ChanType { dir, .. }) => *dir = ChanDir::Send,
                _ => dir = ChanDir::Send,
            }
            outer = Some(next);
            next = after;
        }
        ExprKind::ChanType { dir, elem }
    }

    /// Declarations, statements and their parts.
    fn build_other(&mut self, frame: &Frame, items: &mut Items<'_>, text: &str) -> Value {
        let range = frame.range;
        let kind = match frame.kind {
            Kind::PackageClause => return Value::Ident(self.next_ident(items)),
            Kind::ImportDecl => return Value::Error(range),
            Kind::ImportSpec => {
                self.import(items, range, text);
                return Value::Error(range);
            }
            Kind::FuncDecl | Kind::MethodDecl => {
                let receiver = match frame.kind {
                    Kind::MethodDecl => match items.next() {
                        Some(Value::Params(params, _)) => params.into_iter().next(),
                        _ => None,
                    },
                    _ => None,
                };
                self.bad |= receiver.is_none() && frame.kind == Kind::MethodDecl;
                let parts = self.function(items, true);
                let name = self.name_or_bad(parts.name, range);
                return Value::Func(Box::new(FuncDecl {
                    name,
                    receiver,
                    signature: parts.signature,
                    body: parts.body,
                }));
            }
            Kind::ConstDecl | Kind::VarDecl => {
                let mut specs = Vec::with_capacity(items.len());
                while let Some(value) = items.next() {
                    match value {
                        Value::Values(spec) => {
                            let index = specs.len() as u32;
                            specs.push(ValueSpec { index, ..*spec });
                        }
                        _ => self.bad = true,
                    }
                }
                match frame.kind {
                    Kind::ConstDecl => StmtKind::Const(specs.into()),
                    _ => StmtKind::Var(specs.into()),
                }
            }
            Kind::TypeDecl => {
                let mut specs = Vec::with_capacity(items.len());
                while let Some(value) = items.next() {
                    match value {
                        Value::TypeSpec(spec) => specs.push(*spec),
                        _ => self.bad = true,
                    }
                }
                StmtKind::Type(specs.into())
            }
            Kind::ValueSpec => return self.value_spec(items, range),
            Kind::TypeSpec | Kind::TypeAlias => {
                let name = self.next_ident(items);
                let mut type_params = Box::default();
                let mut ty = None;
                while let Some(value) = items.next() {
                    match value {
                        Value::TypeParams(params) => type_params = params,
                        other => ty = Some(self.expr(other, items.end())),
                    }
                }
                let ty = match ty {
                    Some(ty) => ty,
                    None => self.bad(items.end()),
                };
                let alias = frame.kind == Kind::TypeAlias;
                return Value::TypeSpec(Box::new(TypeSpec {
                    name,
                    type_params,
                    alias,
                    ty,
                    range,
                }));
            }
            Kind::ParamList => return Value::Params(self.params(items), range),
            Kind::TypeParamList => {
                let mut params = Vec::with_capacity(items.len());
                while let Some(value) = items.next() {
                    match value {
                        Value::TypeParam(param) => params.push(param),
                        _ => self.bad = true,
                    }
                }
                return Value::TypeParams(params.into());
            }
            Kind::Block => {
                let stmts = self.all_stmts(items);
                return Value::Block(Block { stmts, range });
            }
            Kind::ExprStmt => StmtKind::Expr(self.next_expr(items)),
            Kind::Send => {
                let chan = self.next_expr(items);
                let value = self.next_expr(items);
                StmtKind::Send { chan, value }
            }
            Kind::Receive => match items.next() {
                Some(Value::Exprs(lhs, _)) => {
                    let op = match items.next() {
                        Some(Value::Token(Token::Define, _)) => AssignOp::Define,
                        _ => AssignOp::Assign,
                    };
                    let rhs = Box::new([self.next_expr(items)]);
                    StmtKind::Assign { lhs, op, rhs }
                }
                Some(other) => StmtKind::Expr(self.expr(other, items.end())),
                None => StmtKind::Bad,
            },
            Kind::Inc | Kind::Dec => {
                let operand = self.next_expr(items);
                StmtKind::IncDec {
                    operand,
                    inc: frame.kind == Kind::Inc,
                }
            }
            Kind::Assign => {
                let lhs = self.next_exprs(items);
                let op = match items.next() {
                    Some(Value::Token(Token::Assign, _)) => Some(AssignOp::Assign),
                    Some(Value::Token(Token::AssignOp(op), _)) => Some(AssignOp::Op(op)),
                    _ => None,
                };
                let rhs = self.next_exprs(items);
                match op {
                    Some(op) => StmtKind::Assign { lhs, op, rhs },
                    None => StmtKind::Bad,
                }
            }
            Kind::Define => {
                let lhs = self.next_exprs(items);
                let rhs = self.next_exprs(items);
                StmtKind::Assign {
                    lhs,
                    op: AssignOp::Define,
                    rhs,
                }
            }
            Kind::Labeled => {
                let label = self.next_ident(items);
                let stmt = match items.next() {
                    Some(value) => self.stmt(value, items.end()),
                    None => self.alloc_stmt(StmtKind::Empty, items.end()),
                };
                StmtKind::Labeled { label, stmt }
            }
            Kind::Branch(kind) => {
                let label = match items.next() {
                    Some(Value::Ident(label)) => Some(label),
                    _ => None,
                };
                StmtKind::Branch { kind, label }
            }
            Kind::Return => StmtKind::Return(match items.next() {
                Some(Value::Exprs(exprs, _)) => exprs,
                Some(other) => Box::new([self.expr(other, items.end())]),
                None => Box::default(),
            }),
            Kind::Go => StmtKind::Go(self.next_expr(items)),
            Kind::Defer => StmtKind::Defer(self.next_expr(items)),
            Kind::Empty => StmtKind::Empty,
            Kind::If => {
                let mut first = items.next();
                let init = match first {
                    Some(Value::Stmt(init)) => {
                        first = items.next();
                        Some(init)
                    }
                    _ => None,
                };
                let cond = match first {
                    Some(value) => self.expr(value, items.end()),
                    None => self.bad(items.end()),
                };
                let then = self.next_block(items);
                let els = items.next().map(|value| self.stmt(value, items.end()));
                StmtKind::If {
                    init,
                    cond,
                    then,
                    els,
                }
            }
            Kind::For => match items.next() {
                Some(Value::ForClause { init, cond, post }) => StmtKind::For {
                    init,
                    cond,
                    post,
                    body: self.next_block(items),
                },
                Some(Value::RangeClause {
                    key,
                    value,
                    define,
                    over,
                }) => StmtKind::Range {
                    key,
                    value,
                    define,
                    over,
                    body: self.next_block(items),
                },
                Some(Value::Block(body)) => StmtKind::For {
                    init: None,
                    cond: None,
                    post: None,
                    body,
                },
                other => {
                    let cond = Some(match other {
                        Some(other) => self.expr(other, items.end()),
                        None => self.bad(items.end()),
                    });
                    StmtKind::For {
                        init: None,
                        cond,
                        post: None,
                        body: self.next_block(items),
                    }
                }
            },
            Kind::ForClause => {
                let (mut init, mut cond, mut post) = (None, None, None);
                while let Some(item) = items.next_item() {
                    match item.field {
                        FieldName::Initializer => init = Some(self.stmt(item.value, items.end())),
                        FieldName::Condition => cond = Some(self.expr(item.value, items.end())),
                        FieldName::Update => post = Some(self.stmt(item.value, items.end())),
                        _ => self.bad = true,
                    }
                }
                return Value::ForClause { init, cond, post };
            }
            Kind::RangeClause => {
                let (mut key, mut value, mut define) = (None, None, false);
                let mut first = items.next();
                if let Some(Value::Exprs(vars, _)) = &first {
                    key = vars.first().copied();
                    value = vars.get(1).copied();
                    define = matches!(items.next(), Some(Value::Token(Token::Define, _)));
                    first = items.next();
                }
                let over = match first {
                    Some(over) => self.expr(over, items.end()),
                    None => self.bad(items.end()),
                };
                return Value::RangeClause {
                    key,
                    value,
                    define,
                    over,
                };
            }
            Kind::Switch => {
                let (mut init, mut tag, mut cases) = (None, None, Vec::new());
                while let Some(value) = items.next() {
                    match value {
                        Value::Stmt(id) => init = Some(id),
                        Value::Case(case) => cases.push(*case),
                        other => tag = Some(self.expr(other, items.end())),
                    }
                }
                StmtKind::Switch {
                    init,
                    tag,
                    cases: cases.into(),
                }
            }
            Kind::TypeSwitch => {
                let (mut init, mut bind, mut subject, mut cases) = (None, None, None, Vec::new());
                while let Some(value) = items.next() {
                    match value {
                        Value::Stmt(id) => init = Some(id),
                        Value::Exprs(names, _) => match names.first() {
                            Some(&id) => {
                                let expr = &self.exprs[id.into_raw().into_u32() as usize];
                                match expr.kind {
                                    ExprKind::Ident(name) => {
                                        bind = Some(Ident {
                                            name,
                                            range: expr.range,
                                        });
                                    }
                                    _ => self.bad = true,
                                }
                            }
                            None => self.bad = true,
                        },
                        Value::Case(case) => cases.push(*case),
                        other => subject = Some(self.expr(other, items.end())),
                    }
                }
                let subject = match subject {
                    Some(subject) => subject,
                    None => self.bad(items.end()),
                };
                StmtKind::TypeSwitch {
                    init,
                    bind,
                    subject,
                    cases: cases.into(),
                }
            }
            Kind::Select => {
                let mut cases = Vec::with_capacity(items.len());
                while let Some(value) = items.next() {
                    match value {
                        Value::CommCase(case) => cases.push(case),
                        Value::Case(case) => {
                            let Case { body, range, .. } = *case;
                            cases.push(CommCase {
                                comm: None,
                                body,
                                range,
                            });
                        }
                        _ => self.bad = true,
                    }
                }
                StmtKind::Select {
                    cases: cases.into(),
                }
            }
            Kind::ExprCase | Kind::TypeCase | Kind::DefaultCase => {
                let mut exprs = Vec::new();
                let mut end = range.end();
                while let Some(value) = items.next() {
                    match value {
                        Value::Token(Token::Colon, at) => {
                            end = at.end();
                            break;
                        }
                        Value::Exprs(list, _) if exprs.is_empty() => exprs = list.into_vec(),
                        other => exprs.push(self.expr(other, items.end())),
                    }
                }
                let body = self.all_stmts(items);
                let range = self.case_range(range, end, &body);
                return Value::Case(Box::new(Case {
                    exprs: exprs.into(),
                    default: frame.kind == Kind::DefaultCase,
                    body,
                    range,
                }));
            }
            Kind::CommCase => {
                let mut comm = None;
                let mut end = range.end();
                while let Some(value) = items.next() {
                    match value {
                        Value::Token(Token::Colon, at) => {
                            end = at.end();
                            break;
                        }
                        other => comm = Some(self.stmt(other, items.end())),
                    }
                }
                self.bad |= comm.is_none();
                let body = self.all_stmts(items);
                let range = self.case_range(range, end, &body);
                return Value::CommCase(CommCase { comm, body, range });
            }
            _ => {
                self.bad = true;
                return Value::Error(range);
            }
        };
        self.bad |= matches!(kind, StmtKind::Bad);
        Value::Stmt(self.alloc_stmt(kind, range))
    }

    /// The tree's node may reach to the end of the line.
    fn case_range(&self, range: TextRange, colon: TextSize, body: &[StmtId]) -> TextRange {
        let end = match body.last() {
            Some(last) => self.stmts[last.into_raw().into_u32() as usize].range.end(),
            None => colon,
        };
        TextRange::new(range.start(), end.clamp(range.start(), range.end()))
    }

    fn name_or_bad(&mut self, name: Option<Ident>, range: TextRange) -> Ident {
        name.unwrap_or_else(|| {
            self.bad = true;
            Ident {
                name: self.names.get(""),
                range: TextRange::empty(range.start()),
            }
        })
    }

    /// What functions, methods, function types and literals have in common.
    fn function(&mut self, items: &mut Items<'_>, named: bool) -> FunctionParts {
        let mut name = None;
        let mut type_params = Box::default();
        let mut params: Option<(Box<[Param]>, TextRange)> = None;
        let mut results: Box<[Param]> = Box::default();
        let mut end = items.end();
        let mut body = None;
        while let Some(value) = items.next() {
            match value {
                Value::Ident(ident) if named && name.is_none() && params.is_none() => {
                    name = Some(ident);
                }
                Value::TypeParams(list) => type_params = list,
                Value::Params(list, range) if params.is_none() => {
                    end = TextRange::empty(range.end());
                    params = Some((list, range));
                }
                Value::Params(list, range) => {
                    end = range;
                    results = list;
                }
                Value::Block(block) => body = Some(block),
                other if params.is_some() => {
                    let ty = self.expr(other, items.end());
                    let range = self.range_of(ty);
                    end = range;
                    results = Box::new([Param {
                        name: None,
                        ty,
                        variadic: false,
                        range,
                    }]);
                }
                _ => self.bad = true,
            }
        }
        let (params, start) = params.unwrap_or_else(|| {
            self.bad = true;
            (Box::default(), end)
        });
        let signature = Signature {
            type_params,
            params,
            results,
            range: start.cover(end),
        };
        FunctionParts {
            name,
            signature,
            body,
        }
    }

    fn params(&mut self, items: &mut Items<'_>) -> Box<[Param]> {
        let mut params = Vec::with_capacity(items.len());
        while let Some(value) = items.next() {
            match value {
                Value::Param(param) => params.push(param),
                _ => self.bad = true,
            }
        }
        // `a, b T` can come as the type `a` and `b T`. If one is named, all are.
        let named = params.iter().filter(|p| p.name.is_some()).count();
        if named != 0 && named != params.len() {
            let mut next: Option<Param> = None;
            for param in params.iter_mut().rev() {
                if param.name.is_none() {
                    let expr = &self.exprs[param.ty.into_raw().into_u32() as usize];
                    match (&expr.kind, &next) {
                        (&ExprKind::Ident(name), Some(next)) => {
                            param.name = Some(Ident {
                                name,
                                range: expr.range,
                            });
                            param.ty = next.ty;
                            param.range = TextRange::new(expr.range.start(), next.range.end());
                        }
                        _ => self.bad = true,
                    }
                }
                next = Some(param.clone());
            }
        }
        params.into()
    }

    fn struct_field(&mut self, items: &mut Items<'_>, range: TextRange) -> Value {
        let mut names = Vec::new();
        let mut star = None;
        let mut ty = None;
        while let Some(item) = items.next_item() {
            match (item.field, item.value) {
                (FieldName::Name, Value::Ident(name)) => names.push(name),
                (FieldName::Type, value) => ty = Some(self.expr(value, items.end())),
                (_, Value::Token(Token::Binary(BinaryOp::Mul), at)) => star = Some(at),
                (FieldName::Tag, _) => {}
                _ => self.bad = true,
            }
        }
        let mut ty = match ty {
            Some(ty) => ty,
            None => self.bad(items.end()),
        };
        if let Some(star) = star {
            let range = star.cover(self.range_of(ty));
            ty = self.alloc(ExprKind::Star(ty), range);
        }
        Value::Field(Field {
            names: names.into(),
            ty,
            range,
        })
    }

    fn value_spec(&mut self, items: &mut Items<'_>, range: TextRange) -> Value {
        let mut names = Vec::with_capacity(1);
        let mut ty = None;
        let mut values = Box::default();
        while let Some(item) = items.next_item() {
            match (item.field, item.value) {
                (FieldName::Name, Value::Ident(name)) => names.push(name),
                (FieldName::Type, value) => ty = Some(self.expr(value, items.end())),
                (FieldName::Value, Value::Exprs(exprs, _)) => values = exprs,
                _ => self.bad = true,
            }
        }
        Value::Values(Box::new(ValueSpec {
            names: names.into(),
            ty,
            values,
            index: 0,
            range,
        }))
    }

    fn import(&mut self, items: &mut Items<'_>, range: TextRange, text: &str) {
        let mut alias = ImportAlias::None;
        let mut path_range = None;
        while let Some(value) = items.next() {
            match value {
                Value::Ident(name) if name.name.is_blank() => alias = ImportAlias::Blank,
                Value::Ident(name) => alias = ImportAlias::Named(name),
                Value::Dot => alias = ImportAlias::Dot,
                Value::Expr(path) => path_range = Some(self.range_of(path)),
                _ => {}
            }
        }
        let Some(path_range) = path_range else {
            return;
        };
        // Only used with a base of 0: the range is one in `text`.
        let literal = text
            .get(std::ops::Range::<usize>::from(path_range))
            .unwrap_or_default();
        let path = literal.trim_matches(['"', '`']);
        self.imports.push(Import {
            path: Name::new(path),
            alias,
            range,
            path_range,
            decl_range: range,
            grouped: false,
        });
    }
}

struct FunctionParts {
    name: Option<Ident>,
    signature: Signature,
    body: Option<Block>,
}

/// The items of one node, in order.
struct Items<'a> {
    items: std::vec::Drain<'a, Item>,
    end: TextSize,
}

impl Items<'_> {
    #[inline]
    fn next_item(&mut self) -> Option<Item> {
        self.items.next()
    }

    #[inline]
    fn next(&mut self) -> Option<Value> {
        self.items.next().map(|item| item.value)
    }

    fn len(&self) -> usize {
        self.items.len()
    }

    /// Where something that is missing is said to be.
    fn end(&self) -> TextRange {
        TextRange::empty(self.end)
    }
}

/// Lists of statements keep a place for what was left over; elsewhere it would be taken for a child.
fn keeps_errors(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Block | Kind::ExprCase | Kind::TypeCase | Kind::DefaultCase | Kind::CommCase
    )
}

fn remove_errors(items: &mut Vec<Item>, base: usize) {
    let mut kept = base;
    for at in base..items.len() {
        if !matches!(items[at].value, Value::Error(_)) {
            items.swap(kept, at);
            kept += 1;
        }
    }
    items.truncate(kept);
}

/// `Some(None)` is `*`.
fn unary(token: Token) -> Option<Option<UnaryOp>> {
    Some(match token {
        Token::Binary(BinaryOp::Mul) => None,
        Token::Binary(BinaryOp::Add) => Some(UnaryOp::Plus),
        Token::Binary(BinaryOp::Sub) => Some(UnaryOp::Minus),
        Token::Binary(BinaryOp::Xor) => Some(UnaryOp::Complement),
        Token::Binary(BinaryOp::And) => Some(UnaryOp::Address),
        Token::Not => Some(UnaryOp::Not),
        Token::Arrow => Some(UnaryOp::Receive),
        _ => return None,
    })
}

/// Broken text hashes differently: what tree it gets may depend on what surrounds it.
pub(crate) fn content_hash(text: &str, broken: bool) -> u128 {
    xxhash_rust::xxh3::xxh3_128_with_seed(text.as_bytes(), u64::from(broken))
}

fn size(offset: usize) -> TextSize {
    // Texts of 4 GB and more are not parsed.
    TextSize::new(offset as u32)
}

/// What was parsed has one more line end than `text`.
fn absolute(node: Node<'_>, text: &str) -> TextRange {
    let end = node.end_byte().min(text.len());
    TextRange::new(size(node.start_byte().min(end)), size(end))
}

fn source<'a>(text: &'a str, node: Node<'_>) -> &'a str {
    text.get(std::ops::Range::<usize>::from(absolute(node, text)))
        .unwrap_or_default()
}

fn comment(text: &str, node: Node<'_>, range: TextRange) -> Comment {
    let source = source(text, node);
    let block = source.starts_with("/*");
    let mut range = range;
    if !block && source.ends_with('\r') {
        range = TextRange::new(range.start(), range.end() - TextSize::of('\r'));
    }
    Comment { range, block }
}
