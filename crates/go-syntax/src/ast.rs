//! The typed syntax tree.
//!
//! A file is lowered from the concrete tree-sitter tree into one [`DeclTree`] per top-level declaration. All ranges inside a
//! `DeclTree` are **relative to the start of its declaration**, so that a declaration which merely moved is equal to what it was
//! and nothing computed from it has to be computed again.
//!
//! Type expressions are [`Expr`]s too, as in `go/ast`: Go's grammar cannot tell `T(x)`, `new(x)` or `F[int]` apart from calls and
//! index expressions without knowing what the names mean. [`TypeExprId`] marks the places where only a type can stand.
//!
//! Trees are shallow: no path from a declaration down to a leaf is longer than [`MAX_DEPTH`]; what lies deeper is
//! [`ExprKind::Bad`] or [`StmtKind::Bad`] and sets [`DeclTree::has_error`]. Passes may therefore recurse over a tree, as long as a
//! level takes less than a few kilobytes of stack. Every node is referenced at most once, except that the names of `a, b T` share their
//! type, and children come before their parents in the arenas.
//!
//! Architecture invariant: nothing outside this crate sees a tree-sitter type.

use std::sync::Arc;

use la_arena::{Arena, Idx};
use text_size::{TextRange, TextSize};

use crate::Name;

/// Index of an expression in [`DeclTree::exprs`].
pub type ExprId = Idx<Expr>;
/// An expression in a place where only a type can stand.
pub type TypeExprId = ExprId;
/// Index of a statement in [`DeclTree::stmts`].
pub type StmtId = Idx<Stmt>;

/// The deepest nesting of a [`DeclTree`]: expressions, statements, blocks and clauses count one level each (some count two).
///
/// Chains such as `a + b + c` nest to the left, one level for each operator.
pub const MAX_DEPTH: u16 = 256;

/// Literals longer than this, in bytes, keep no text.
pub const MAX_LITERAL: usize = 256;

/// One lowered source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The package clause; `None` where it is missing or broken.
    pub package: Option<Ident>,
    /// All imports in source order. Ranges are absolute.
    pub imports: Vec<Import>,
    /// Top-level declarations other than imports, in source order.
    pub decls: Vec<Decl>,
    /// All comments in source order. Ranges are absolute; the text is read from the source.
    pub comments: Vec<Comment>,
    /// Absolute ranges of what could not be parsed.
    pub errors: Vec<TextRange>,
    /// Whether a comment before the package clause says `Code generated … DO NOT EDIT.`
    pub generated: bool,
    /// Length of the text in bytes.
    pub len: TextSize,
}

impl File {
    /// Whether one of the words stands in a comment of the file, whose text is `text`.
    pub fn comments_mention(&self, text: &str, words: &[&str]) -> bool {
        let finders: Vec<_> = words
            .iter()
            .map(|word| memchr::memmem::Finder::new(*word))
            .collect();
        self.comments.iter().any(|comment| {
            let range = std::ops::Range::<usize>::from(comment.range);
            let text = text.as_bytes().get(range).unwrap_or_default();
            finders.iter().any(|finder| finder.find(text).is_some())
        })
    }
}

/// An identifier with its place. Inside a [`DeclTree`] the range is relative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ident {
    /// The interned spelling.
    pub name: Name,
    /// Where it stands.
    pub range: TextRange,
}

/// One import spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The import path without quotes.
    pub path: Name,
    /// The explicit name, if any (`.` and `_` included).
    pub alias: ImportAlias,
    /// Absolute range of the spec (alias and path).
    pub range: TextRange,
    /// Absolute range of the path literal.
    pub path_range: TextRange,
    /// Absolute range of the whole `import …` declaration, which may hold several specs.
    pub decl_range: TextRange,
    /// Whether the declaration is parenthesized.
    pub grouped: bool,
}

/// How an import is named in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportAlias {
    /// No explicit name: the package's own name counts.
    None,
    /// `name "path"`.
    Named(Ident),
    /// `. "path"`: the exported names are in file scope.
    Dot,
    /// `_ "path"`.
    Blank,
}

/// A comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comment {
    /// Absolute range, with the comment marks, without the line end.
    pub range: TextRange,
    /// `/* … */` rather than `// …`.
    pub block: bool,
}

/// A top-level declaration and where it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decl {
    /// Absolute offset of the declaration's first byte. Add it to the ranges inside `tree`.
    pub start: TextSize,
    /// The declaration itself, position independent.
    pub tree: Arc<DeclTree>,
}

impl Decl {
    /// Absolute range of the declaration.
    pub fn range(&self) -> TextRange {
        TextRange::at(self.start, self.tree.len)
    }
}

/// A position independent top-level declaration with its own arenas.
///
/// Equality is by content hash and length of the source text: equal text lowers to equal trees.
#[derive(Debug, Clone)]
pub struct DeclTree {
    /// 128-bit content hash of the declaration's text.
    pub hash: u128,
    /// Length of the declaration in bytes.
    pub len: TextSize,
    /// Whether anything inside could not be parsed. Such a declaration gets no path-sensitive finding.
    pub has_error: bool,
    /// What is declared.
    pub kind: DeclKind,
    /// All expressions (and type expressions).
    pub exprs: Arena<Expr>,
    /// All statements.
    pub stmts: Arena<Stmt>,
}

impl PartialEq for DeclTree {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.len == other.len
    }
}
impl Eq for DeclTree {}

impl std::ops::Index<ExprId> for DeclTree {
    type Output = Expr;
    fn index(&self, id: ExprId) -> &Expr {
        &self.exprs[id]
    }
}
impl std::ops::Index<StmtId> for DeclTree {
    type Output = Stmt;
    fn index(&self, id: StmtId) -> &Stmt {
        &self.stmts[id]
    }
}

/// What a top-level declaration declares.
#[derive(Debug, Clone)]
pub enum DeclKind {
    /// Could not be understood at all.
    Bad,
    /// `func`, with or without a receiver.
    Func(FuncDecl),
    /// `var …` or `var ( … )`.
    Var(Box<[ValueSpec]>),
    /// `const …` or `const ( … )`.
    Const(Box<[ValueSpec]>),
    /// `type …` or `type ( … )`.
    Type(Box<[TypeSpec]>),
}

/// A function or method declaration.
#[derive(Debug, Clone)]
pub struct FuncDecl {
    /// The declared name.
    pub name: Ident,
    /// The receiver of a method.
    pub receiver: Option<Param>,
    /// Type parameters, parameters, results.
    pub signature: Signature,
    /// `None` for a function implemented elsewhere.
    pub body: Option<Block>,
}

/// A function's signature.
#[derive(Debug, Clone)]
pub struct Signature {
    /// Type parameters of generic functions (and methods since Go 1.27).
    pub type_params: Box<[TypeParam]>,
    /// Parameters, one entry per name.
    pub params: Box<[Param]>,
    /// Results, one entry per name.
    pub results: Box<[Param]>,
    /// From the opening parenthesis of the parameters to the end of the results.
    pub range: TextRange,
}

/// A parameter, result or receiver. `a, b int` gives two of them, which share `ty`.
#[derive(Debug, Clone)]
pub struct Param {
    /// `None` where unnamed.
    pub name: Option<Ident>,
    /// The type; for a variadic parameter the element type.
    pub ty: TypeExprId,
    /// `...T`.
    pub variadic: bool,
    /// The whole parameter declaration.
    pub range: TextRange,
}

/// A type parameter; `K, V any` gives two of them, which share `constraint`.
#[derive(Debug, Clone)]
pub struct TypeParam {
    /// Its name.
    pub name: Ident,
    /// Its constraint.
    pub constraint: TypeExprId,
}

/// One line of a `var` or `const` declaration.
#[derive(Debug, Clone)]
pub struct ValueSpec {
    /// Declared names.
    pub names: Box<[Ident]>,
    /// Explicit type.
    pub ty: Option<TypeExprId>,
    /// Initial values; empty in a `const` group means that the previous line's repeat.
    pub values: Box<[ExprId]>,
    /// Position in the group (the value of `iota` in a `const` group).
    pub index: u32,
    /// The whole line.
    pub range: TextRange,
}

/// One line of a `type` declaration.
#[derive(Debug, Clone)]
pub struct TypeSpec {
    /// Declared name.
    pub name: Ident,
    /// Type parameters.
    pub type_params: Box<[TypeParam]>,
    /// `type A = B`.
    pub alias: bool,
    /// The right-hand side.
    pub ty: TypeExprId,
    /// The whole line.
    pub range: TextRange,
}

/// `{ … }`.
#[derive(Debug, Clone)]
pub struct Block {
    /// Its statements.
    pub stmts: Box<[StmtId]>,
    /// With both braces.
    pub range: TextRange,
}

/// An expression and its place.
#[derive(Debug, Clone)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Relative to the declaration.
    pub range: TextRange,
}

/// The kinds of expressions and type expressions.
#[derive(Debug, Clone)]
pub enum ExprKind {
    /// Could not be parsed.
    Bad,
    /// A name, `_` included.
    Ident(Name),
    /// A literal of a basic type.
    Literal(Literal),
    /// `T{…}`, or `{…}` inside another literal.
    Composite {
        /// `None` where it is elided inside another literal.
        ty: Option<TypeExprId>,
        /// Elements in order.
        elements: Box<[Element]>,
    },
    /// `func(…) … { … }`.
    FuncLit(Box<FuncLit>),
    /// `(x)`.
    Paren(ExprId),
    /// `x.name`; also a qualified name `pkg.Name`.
    Selector {
        /// Before the dot.
        base: ExprId,
        /// After the dot.
        name: Ident,
    },
    /// `x[i]`, or an instantiation `F[A, B]`.
    Index {
        /// Before the bracket.
        base: ExprId,
        /// At least one.
        indices: Box<[ExprId]>,
    },
    /// `x[low:high:max]`.
    Slice {
        /// Before the bracket.
        base: ExprId,
        /// First bound.
        low: Option<ExprId>,
        /// Second bound.
        high: Option<ExprId>,
        /// Third bound.
        max: Option<ExprId>,
    },
    /// `x.(T)`; `x.(type)` has no type.
    TypeAssert {
        /// Before the dot.
        base: ExprId,
        /// The asserted type.
        ty: Option<TypeExprId>,
    },
    /// `f(a, b...)`: a call, a conversion, or a built-in such as `make` or `new`, whose first argument may be a type.
    Call {
        /// What is called (or converted to).
        func: ExprId,
        /// Arguments in order.
        args: Box<[ExprId]>,
        /// The last argument is followed by `...`.
        spread: bool,
    },
    /// `*x`: dereference or pointer type.
    Star(ExprId),
    /// Unary operation other than `*`.
    Unary {
        /// Operator.
        op: UnaryOp,
        /// Operand.
        operand: ExprId,
    },
    /// Binary operation.
    Binary {
        /// Operator.
        op: BinaryOp,
        /// Left operand.
        lhs: ExprId,
        /// Right operand.
        rhs: ExprId,
    },
    /// `[N]T`, `[]T` or `[...]T`.
    ArrayType {
        /// What stands between the brackets.
        len: ArrayLen,
        /// Element type.
        elem: TypeExprId,
    },
    /// `map[K]V`.
    MapType {
        /// Key type.
        key: TypeExprId,
        /// Value type.
        value: TypeExprId,
    },
    /// `chan T`, `<-chan T`, `chan<- T`.
    ChanType {
        /// Direction.
        dir: ChanDir,
        /// Element type.
        elem: TypeExprId,
    },
    /// `func(…) …` as a type.
    FuncType(Box<Signature>),
    /// `struct { … }`.
    StructType(Box<[Field]>),
    /// `interface { … }`.
    InterfaceType(Box<[InterfaceElem]>),
    /// `A | ~B` in a constraint.
    Union(Box<[TypeExprId]>),
    /// `~T` in a constraint.
    Tilde(TypeExprId),
}

/// Between the brackets of an array or slice type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArrayLen {
    /// `[]`.
    Slice,
    /// `[...]`.
    Auto,
    /// `[n]`.
    Expr(ExprId),
}

/// Direction of a channel type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChanDir {
    /// `chan T`.
    Both,
    /// `chan<- T`.
    Send,
    /// `<-chan T`.
    Receive,
}

/// A literal of a basic type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal {
    /// Its kind.
    pub kind: LiteralKind,
    /// The spelling with quotes; `None` where it is longer than 256 bytes.
    pub text: Option<Box<str>>,
}

/// Kinds of literals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum LiteralKind {
    Int,
    Float,
    Imaginary,
    Rune,
    String,
}

/// An element of a composite literal.
#[derive(Debug, Clone, Copy)]
pub struct Element {
    /// Field name, index or key.
    pub key: Option<ExprId>,
    /// The value.
    pub value: ExprId,
}

/// A function literal.
#[derive(Debug, Clone)]
pub struct FuncLit {
    /// Its signature; no type parameters.
    pub signature: Signature,
    /// Its body.
    pub body: Block,
}

/// A field line of a struct type.
#[derive(Debug, Clone)]
pub struct Field {
    /// Names; empty for an embedded field.
    pub names: Box<[Ident]>,
    /// Its type.
    pub ty: TypeExprId,
    /// The whole line.
    pub range: TextRange,
}

/// A line of an interface type.
#[derive(Debug, Clone)]
pub enum InterfaceElem {
    /// A method.
    Method(Ident, Box<Signature>),
    /// An embedded interface or a type set.
    Embed(TypeExprId),
}

/// Unary operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum UnaryOp {
    Plus,
    Minus,
    /// `!`
    Not,
    /// `^`
    Complement,
    /// `&`
    Address,
    /// `<-`
    Receive,
}

/// Binary operators, also those of assignments such as `+=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    And,
    Or,
    Xor,
    AndNot,
    Shl,
    Shr,
    LogicalAnd,
    LogicalOr,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// A statement and its place.
#[derive(Debug, Clone)]
pub struct Stmt {
    /// What it is.
    pub kind: StmtKind,
    /// Relative to the declaration.
    pub range: TextRange,
}

/// The kinds of statements.
#[derive(Debug, Clone)]
pub enum StmtKind {
    /// Could not be parsed.
    Bad,
    /// `;`.
    Empty,
    /// An expression as a statement.
    Expr(ExprId),
    /// `ch <- v`.
    Send {
        /// The channel.
        chan: ExprId,
        /// What is sent.
        value: ExprId,
    },
    /// `x++` (`inc`) or `x--`.
    IncDec {
        /// What is changed.
        operand: ExprId,
        /// `++`.
        inc: bool,
    },
    /// `=`, `:=`, `+=` …
    Assign {
        /// Left side.
        lhs: Box<[ExprId]>,
        /// Which.
        op: AssignOp,
        /// Right side.
        rhs: Box<[ExprId]>,
    },
    /// `go f()`; the expression is normally a call.
    Go(ExprId),
    /// `defer f()`; the expression is normally a call.
    Defer(ExprId),
    /// `return …`.
    Return(Box<[ExprId]>),
    /// `break`, `continue`, `goto`, `fallthrough`.
    Branch {
        /// Which.
        kind: BranchKind,
        /// Its label.
        label: Option<Ident>,
    },
    /// `{ … }`.
    Block(Block),
    /// `if`.
    If {
        /// Before the semicolon.
        init: Option<StmtId>,
        /// The condition.
        cond: ExprId,
        /// The block when true.
        then: Block,
        /// A block or another `if`.
        els: Option<StmtId>,
    },
    /// `switch` over an expression.
    Switch {
        /// Before the semicolon.
        init: Option<StmtId>,
        /// `None` means `true`.
        tag: Option<ExprId>,
        /// Cases in order.
        cases: Box<[Case]>,
    },
    /// `switch x := y.(type)`.
    TypeSwitch {
        /// Before the semicolon.
        init: Option<StmtId>,
        /// The name bound in every case.
        bind: Option<Ident>,
        /// `y`.
        subject: ExprId,
        /// Cases in order; their `exprs` are types or `nil`.
        cases: Box<[Case]>,
    },
    /// `select`.
    Select {
        /// Cases in order.
        cases: Box<[CommCase]>,
    },
    /// `for` other than range.
    For {
        /// First clause.
        init: Option<StmtId>,
        /// Second clause.
        cond: Option<ExprId>,
        /// Third clause.
        post: Option<StmtId>,
        /// The body.
        body: Block,
    },
    /// `for … range`.
    Range {
        /// First variable.
        key: Option<ExprId>,
        /// Second variable.
        value: Option<ExprId>,
        /// `:=`.
        define: bool,
        /// What is ranged over.
        over: ExprId,
        /// The body.
        body: Block,
    },
    /// `label: stmt`.
    Labeled {
        /// The label.
        label: Ident,
        /// What it labels.
        stmt: StmtId,
    },
    /// `var` inside a function.
    Var(Box<[ValueSpec]>),
    /// `const` inside a function.
    Const(Box<[ValueSpec]>),
    /// `type` inside a function.
    Type(Box<[TypeSpec]>),
}

/// Assignment operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AssignOp {
    /// `=`.
    Assign,
    /// `:=`.
    Define,
    /// `+=` and the like.
    Op(BinaryOp),
}

/// Jumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum BranchKind {
    Break,
    Continue,
    Goto,
    Fallthrough,
}

/// A case of a switch.
#[derive(Debug, Clone)]
pub struct Case {
    /// Expressions or types; empty for `default`.
    pub exprs: Box<[ExprId]>,
    /// `default:`.
    pub default: bool,
    /// Its statements.
    pub body: Box<[StmtId]>,
    /// From `case` to the end of the body.
    pub range: TextRange,
}

/// A case of a select.
#[derive(Debug, Clone)]
pub struct CommCase {
    /// A send, a receive as expression statement, or an assignment from a receive; `None` for `default`.
    pub comm: Option<StmtId>,
    /// Its statements.
    pub body: Box<[StmtId]>,
    /// From `case` to the end of the body.
    pub range: TextRange,
}
