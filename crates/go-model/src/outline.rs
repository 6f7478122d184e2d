//! Outlines: the declarations of a file without bodies, positions and spelling.
//!
//! Everything that other declarations can know of a file is in its [`FileOutline`]. It is equal before and after any edit inside of
//! bodies, of comments and of the layout, which is where recomputation ends early: a package whose outlines are equal is not looked
//! at again.

use std::sync::Arc;

use go_syntax::Name;
use go_syntax::ast::{
    self, ArrayLen, BinaryOp, ChanDir, DeclKind, DeclTree, ExprId, ExprKind, ImportAlias,
    InterfaceElem, LiteralKind, Signature,
};

use crate::db::{Db, DeclId, SourceFile, heads, receiver_base};

/// The outline of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileOutline {
    /// The name in the package clause.
    pub package: Option<Name>,
    /// Imports in order.
    pub imports: Vec<ImportRef>,
    /// Functions and methods in order.
    pub funcs: Vec<Arc<FuncItem>>,
    /// Types in order.
    pub types: Vec<Arc<TypeItem>>,
    /// Variables and constants in order; blank ones too.
    pub values: Vec<Arc<ValueItem>>,
    /// Whether the file says that it is generated.
    pub generated: bool,
}

/// An import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportRef {
    /// The import path as written, without quotes.
    pub path: Name,
    /// How it is named.
    pub alias: AliasRef,
}

/// How an import is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AliasRef {
    /// By the package's own name.
    None,
    /// By another name.
    Named(Name),
    /// `.`: its exported names are in file scope.
    Dot,
    /// `_`.
    Blank,
}

/// A function or method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FuncItem {
    /// Its name.
    pub name: Name,
    /// Its declaration.
    pub decl: DeclId,
    /// The receiver of a method.
    pub receiver: Option<ReceiverRef>,
    /// Its signature.
    pub sig: SigRef,
    /// Whether it has a body; without one it is implemented in assembly or linked from elsewhere.
    pub has_body: bool,
}

/// The receiver of a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverRef {
    /// The name of its type; empty where that is broken.
    pub base: Name,
    /// `*T` rather than `T`.
    pub pointer: bool,
    /// The names that the method gives to the type parameters, in order: `K`, `V` of `(m *Map[K, V])`.
    pub type_params: Box<[Name]>,
}

/// A declared type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeItem {
    /// Its name.
    pub name: Name,
    /// Its declaration, which may be a group.
    pub decl: DeclId,
    /// Number of the spec in the declaration.
    pub spec: u32,
    /// Its type parameters.
    pub type_params: Box<[TypeParamRef]>,
    /// `type A = B`.
    pub alias: bool,
    /// The right-hand side.
    pub ty: TypeRef,
}

/// A package-level variable or constant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueItem {
    /// Its name.
    pub name: Name,
    /// Its declaration, which may be a group. Without an explicit type the type follows from the initial value in its tree.
    pub decl: DeclId,
    /// Number of the spec (line) in the declaration.
    pub spec: u32,
    /// Number of the name in the spec.
    pub position: u32,
    /// A constant.
    pub is_const: bool,
    /// The explicit type.
    pub ty: Option<TypeRef>,
}

/// A type parameter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TypeParamRef {
    /// Its name.
    pub name: Name,
    /// Its constraint.
    pub constraint: TypeRef,
}

/// A signature. Names of parameters and results are left out: nobody else depends on them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct SigRef {
    /// Type parameters.
    pub type_params: Box<[TypeParamRef]>,
    /// Parameter types; the last one is the element type if `variadic`.
    pub params: Box<[TypeRef]>,
    /// Result types.
    pub results: Box<[TypeRef]>,
    /// Whether the last parameter is variadic.
    pub variadic: bool,
}

/// A type as it is written, independent of any tree and position. What the names in it mean depends on where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TypeRef {
    /// Broken, or nested too deep.
    Error,
    /// A name without a dot: predeclared, a type parameter, declared in the package, or imported with a dot.
    Name(Name),
    /// `pkg.Name`; the first is the name of the import in the file.
    Qualified(Name, Name),
    /// `G[A, B]`.
    Inst(Box<TypeRef>, Box<[TypeRef]>),
    /// `*T`.
    Pointer(Box<TypeRef>),
    /// `[]T`.
    Slice(Box<TypeRef>),
    /// `[N]T`.
    Array(ConstRef, Box<TypeRef>),
    /// `map[K]V`.
    Map(Box<TypeRef>, Box<TypeRef>),
    /// `chan T`.
    Chan(ChanDir, Box<TypeRef>),
    /// `func(…) …`.
    Func(Box<SigRef>),
    /// `struct { … }`.
    Struct(Box<[FieldRef]>),
    /// `interface { … }`.
    Interface(Box<[InterfaceElemRef]>),
    /// `A | B`.
    Union(Box<[TypeRef]>),
    /// `~T`.
    Tilde(Box<TypeRef>),
}

/// A constant expression as it may stand in the length of an array.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ConstRef {
    /// An integer or rune literal.
    Int(u64),
    /// A name.
    Name(Name),
    /// `pkg.Name`.
    Qualified(Name, Name),
    /// `a + b` and the like.
    Binary(BinaryOp, Box<(ConstRef, ConstRef)>),
    /// Something else.
    Other,
}

/// A field.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldRef {
    /// Its name; for an embedded field the type's name.
    pub name: Name,
    /// Its type.
    pub ty: TypeRef,
    /// Embedded.
    pub embedded: bool,
}

/// An element of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum InterfaceElemRef {
    /// A method.
    Method(Name, Box<SigRef>),
    /// An embedded interface, a type or a union.
    Embed(TypeRef),
}

/// Types nested deeper than this are [`TypeRef::Error`].
const MAX_DEPTH: u32 = 100;

impl TypeRef {
    /// The type expression `id` of a tree.
    pub fn lower(tree: &DeclTree, id: ExprId) -> Self {
        Self::at(tree, id, MAX_DEPTH)
    }

    fn at(tree: &DeclTree, id: ExprId, depth: u32) -> Self {
        let Some(depth) = depth.checked_sub(1) else {
            return Self::Error;
        };
        let boxed = |id| Box::new(Self::at(tree, id, depth));
        match &tree[id].kind {
            ExprKind::Ident(name) => Self::Name(*name),
            ExprKind::Selector { base, name } => match &tree[*base].kind {
                ExprKind::Ident(package) => Self::Qualified(*package, name.name),
                _ => Self::Error,
            },
            ExprKind::Paren(inner) => Self::at(tree, *inner, depth),
            ExprKind::Index { base, indices } => Self::Inst(
                boxed(*base),
                indices.iter().map(|&i| Self::at(tree, i, depth)).collect(),
            ),
            ExprKind::Star(inner) => Self::Pointer(boxed(*inner)),
            ExprKind::ArrayType { len, elem } => match len {
                ArrayLen::Slice => Self::Slice(boxed(*elem)),
                ArrayLen::Auto => Self::Array(ConstRef::Other, boxed(*elem)),
                ArrayLen::Expr(len) => Self::Array(ConstRef::at(tree, *len, depth), boxed(*elem)),
            },
            ExprKind::MapType { key, value } => Self::Map(boxed(*key), boxed(*value)),
            ExprKind::ChanType { dir, elem } => Self::Chan(*dir, boxed(*elem)),
            ExprKind::FuncType(sig) => Self::Func(Box::new(SigRef::at(tree, sig, depth))),
            ExprKind::StructType(fields) => {
                let mut out = Vec::with_capacity(fields.len());
                for field in fields {
                    let ty = Self::at(tree, field.ty, depth);
                    if field.names.is_empty() {
                        let name = ty.base_name().unwrap_or_else(|| Name::new("_"));
                        out.push(FieldRef {
                            name,
                            ty,
                            embedded: true,
                        });
                    } else {
                        out.extend(field.names.iter().map(|n| FieldRef {
                            name: n.name,
                            ty: ty.clone(),
                            embedded: false,
                        }));
                    }
                }
                Self::Struct(out.into())
            }
            ExprKind::InterfaceType(elems) => Self::Interface(
                elems
                    .iter()
                    .map(|elem| match elem {
                        InterfaceElem::Method(name, sig) => InterfaceElemRef::Method(
                            name.name,
                            Box::new(SigRef::at(tree, sig, depth)),
                        ),
                        InterfaceElem::Embed(ty) => {
                            InterfaceElemRef::Embed(Self::at(tree, *ty, depth))
                        }
                    })
                    .collect(),
            ),
            ExprKind::Union(types) => {
                Self::Union(types.iter().map(|&t| Self::at(tree, t, depth)).collect())
            }
            // `interface { A | B }` and constraints may come as an operator.
            ExprKind::Binary {
                op: BinaryOp::Or,
                lhs,
                rhs,
            } => Self::Union(
                [*lhs, *rhs]
                    .iter()
                    .map(|&t| Self::at(tree, t, depth))
                    .collect(),
            ),
            ExprKind::Tilde(inner) => Self::Tilde(boxed(*inner)),
            ExprKind::Unary {
                op: ast::UnaryOp::Receive,
                operand,
            } => match Self::at(tree, *operand, depth) {
                Self::Chan(ChanDir::Both, elem) => Self::Chan(ChanDir::Receive, elem),
                _ => Self::Error,
            },
            _ => Self::Error,
        }
    }

    /// The name of the type behind pointers and type arguments: `T` of `*pkg.T[K]`. An embedded field is called so.
    pub fn base_name(&self) -> Option<Name> {
        match self {
            Self::Name(name) | Self::Qualified(_, name) => Some(*name),
            Self::Pointer(inner) | Self::Inst(inner, _) => inner.base_name(),
            _ => None,
        }
    }
}

impl ConstRef {
    /// The constant expression `id` of a tree.
    pub fn lower(tree: &DeclTree, id: ExprId) -> Self {
        Self::at(tree, id, MAX_DEPTH)
    }

    fn at(tree: &DeclTree, id: ExprId, depth: u32) -> Self {
        let Some(depth) = depth.checked_sub(1) else {
            return Self::Other;
        };
        match &tree[id].kind {
            ExprKind::Ident(name) => Self::Name(*name),
            ExprKind::Selector { base, name } => match &tree[*base].kind {
                ExprKind::Ident(package) => Self::Qualified(*package, name.name),
                _ => Self::Other,
            },
            ExprKind::Paren(inner) => Self::at(tree, *inner, depth),
            ExprKind::Binary { op, lhs, rhs } => Self::Binary(
                *op,
                Box::new((Self::at(tree, *lhs, depth), Self::at(tree, *rhs, depth))),
            ),
            ExprKind::Literal(literal) => literal
                .text
                .as_deref()
                .and_then(|t| int(literal.kind, t))
                .map_or(Self::Other, Self::Int),
            _ => Self::Other,
        }
    }

    /// Its value, if `name` knows the values of the names in it.
    pub fn eval(&self, name: &dyn Fn(Option<Name>, Name) -> Option<u64>) -> Option<u64> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Name(n) => name(None, *n),
            Self::Qualified(package, n) => name(Some(*package), *n),
            Self::Binary(op, operands) => {
                let (x, y) = (operands.0.eval(name)?, operands.1.eval(name)?);
                let shift = u32::try_from(y).ok();
                match op {
                    BinaryOp::Add => x.checked_add(y),
                    BinaryOp::Sub => x.checked_sub(y),
                    BinaryOp::Mul => x.checked_mul(y),
                    BinaryOp::Div => x.checked_div(y),
                    BinaryOp::Rem => x.checked_rem(y),
                    BinaryOp::And => Some(x & y),
                    BinaryOp::Or => Some(x | y),
                    BinaryOp::Xor => Some(x ^ y),
                    BinaryOp::AndNot => Some(x & !y),
                    BinaryOp::Shl => {
                        let shift = shift.filter(|s| *s < 64)?;
                        (x.leading_zeros() >= shift).then(|| x << shift)
                    }
                    BinaryOp::Shr => Some(x.checked_shr(shift?).unwrap_or(0)),
                    _ => None,
                }
            }
            Self::Other => None,
        }
    }
}

/// Value of an integer or rune literal.
fn int(kind: LiteralKind, text: &str) -> Option<u64> {
    match kind {
        LiteralKind::Int => {
            let text = text.replace('_', "").to_ascii_lowercase();
            match text.get(..2) {
                Some("0x") => u64::from_str_radix(&text[2..], 16).ok(),
                Some("0b") => u64::from_str_radix(&text[2..], 2).ok(),
                Some("0o") => u64::from_str_radix(&text[2..], 8).ok(),
                _ if text.len() > 1 && text.starts_with('0') => {
                    u64::from_str_radix(&text[1..], 8).ok()
                }
                _ => text.parse().ok(),
            }
        }
        LiteralKind::Rune => {
            let mut chars = text.strip_prefix('\'')?.strip_suffix('\'')?.chars();
            let c = chars.next()?;
            (c != '\\' && chars.next().is_none()).then_some(u64::from(u32::from(c)))
        }
        _ => None,
    }
}

impl SigRef {
    /// A signature of a tree.
    pub fn lower(tree: &DeclTree, sig: &Signature) -> Self {
        Self::at(tree, sig, MAX_DEPTH)
    }

    fn at(tree: &DeclTree, sig: &Signature, depth: u32) -> Self {
        Self {
            type_params: type_params(tree, &sig.type_params, depth),
            params: sig
                .params
                .iter()
                .map(|p| TypeRef::at(tree, p.ty, depth))
                .collect(),
            results: sig
                .results
                .iter()
                .map(|p| TypeRef::at(tree, p.ty, depth))
                .collect(),
            variadic: sig.params.last().is_some_and(|p| p.variadic),
        }
    }
}

fn type_params(tree: &DeclTree, params: &[ast::TypeParam], depth: u32) -> Box<[TypeParamRef]> {
    params
        .iter()
        .map(|p| TypeParamRef {
            name: p.name.name,
            constraint: TypeRef::at(tree, p.constraint, depth),
        })
        .collect()
}

/// The outline of a file.
#[salsa::tracked(returns(clone))]
pub fn outline(db: &dyn Db, file: SourceFile) -> Arc<FileOutline> {
    if let Some(shape) = file.shape(db) {
        return Arc::clone(&shape.outline);
    }
    let (tree, ids) = heads(db, file);
    Arc::new(outline_of(&tree, &ids))
}

/// The outline of a tree with these declarations.
pub(crate) fn outline_of(tree: &ast::File, ids: &[DeclId]) -> FileOutline {
    let mut out = FileOutline {
        package: tree.package.map(|p| p.name),
        generated: tree.generated,
        ..FileOutline::default()
    };
    out.imports.extend(imports_of(tree));
    for (decl, &id) in tree.decls.iter().zip(ids.iter()) {
        add_decl(&mut out, &decl.tree, id);
    }
    out
}

fn imports_of(tree: &ast::File) -> impl Iterator<Item = ImportRef> {
    tree.imports.iter().map(|import| ImportRef {
        path: import.path,
        alias: match import.alias {
            ImportAlias::None => AliasRef::None,
            ImportAlias::Named(name) => AliasRef::Named(name.name),
            ImportAlias::Dot => AliasRef::Dot,
            ImportAlias::Blank => AliasRef::Blank,
        },
    })
}

impl FileOutline {
    /// Whether a tree has the package clause and the imports of this outline.
    pub(crate) fn is_head_of(&self, tree: &ast::File) -> bool {
        self.package == tree.package.map(|p| p.name)
            && self.generated == tree.generated
            && imports_of(tree).eq(self.imports.iter().cloned())
    }
}

/// What a declaration adds to the outline of its file.
pub(crate) fn head_of(tree: &DeclTree, id: DeclId) -> FileOutline {
    let mut out = FileOutline::default();
    add_decl(&mut out, tree, id);
    out
}

fn add_decl(out: &mut FileOutline, tree: &DeclTree, id: DeclId) {
    match &tree.kind {
        DeclKind::Bad => {}
        DeclKind::Func(func) => out.funcs.push(Arc::new(FuncItem {
            name: func.name.name,
            decl: id,
            receiver: func.receiver.as_ref().map(|r| receiver(tree, r.ty)),
            sig: SigRef::lower(tree, &func.signature),
            has_body: func.body.is_some(),
        })),
        DeclKind::Type(specs) => out
            .types
            .extend(specs.iter().zip(0..).map(|(spec, number)| {
                Arc::new(TypeItem {
                    name: spec.name.name,
                    decl: id,
                    spec: number,
                    type_params: type_params(tree, &spec.type_params, MAX_DEPTH),
                    alias: spec.alias,
                    ty: TypeRef::lower(tree, spec.ty),
                })
            })),
        DeclKind::Var(specs) | DeclKind::Const(specs) => {
            let is_const = matches!(tree.kind, DeclKind::Const(_));
            for (spec, number) in specs.iter().zip(0..) {
                let ty = spec.ty.map(|ty| TypeRef::lower(tree, ty));
                out.values
                    .extend(spec.names.iter().zip(0..).map(|(name, position)| {
                        Arc::new(ValueItem {
                            name: name.name,
                            decl: id,
                            spec: number,
                            position,
                            is_const,
                            ty: ty.clone(),
                        })
                    }));
            }
        }
    }
}

fn receiver(tree: &DeclTree, ty: ExprId) -> ReceiverRef {
    let mut pointer = false;
    let mut at = ty;
    let mut params: Box<[Name]> = Box::default();
    loop {
        match &tree[at].kind {
            ExprKind::Star(inner) => {
                pointer = true;
                at = *inner;
            }
            ExprKind::Paren(inner) => at = *inner,
            ExprKind::Index { base, indices } => {
                params = indices
                    .iter()
                    .map(|&i| match &tree[i].kind {
                        ExprKind::Ident(name) => *name,
                        _ => Name::new("_"),
                    })
                    .collect();
                at = *base;
            }
            _ => break,
        }
    }
    ReceiverRef {
        base: receiver_base(tree, ty).unwrap_or_else(|| Name::new("")),
        pointer,
        type_params: params,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    use crate::db::{Database, decls_of, source_file};

    /// Whether outlines of a file and of the same without bodies are equal; `None` where bodies cannot be left out.
    fn is_same(db: &Database, path: &Path) -> Option<bool> {
        let file = source_file(db, path);
        let outline = |tree| super::outline_of(tree, &decls_of(db, file, tree));
        let short = go_syntax::parse_file(&go_syntax::without_bodies(&file.text(db))?);
        let full = crate::db::parsed(db, file);
        Some(outline(&full) == outline(&short.file))
    }

    #[test]
    fn bodies_are_not_needed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.go");
        let text = r#"// Code generated by hand. DO NOT EDIT.
package a

import ("io"; . "os"; x "net/http"; _ "embed")

type T[K comparable] struct { f func() error; io.Closer; m map[string]struct{} }
type I interface { M(func()) interface{ N() } }
var a, b = func() int { return 1 }, x.Get
const ( c = iota; d )
func (t *T[K]) Close() (err error) { type local struct{}; return t.f() }
func (T[K]) N() struct{ y int } { var z = '}'; _ = z; panic("{") }
func asm(x uintptr) uintptr
func init() {}
func init() { func() { a() }() }
func G[P interface{ ~int | []P }](p ...P) func() { return nil }
"#;
        std::fs::write(&path, text).unwrap();
        assert_eq!(is_same(&Database::new(), &path), Some(true));
    }

    /// `STOPLEAK_GO_TREE=/usr/local/go/src cargo test --release -p go-model --lib -- --ignored outlines_of_a_tree --nocapture`.
    #[test]
    #[ignore = "needs a Go source tree in STOPLEAK_GO_TREE"]
    fn outlines_of_a_tree_do_not_need_bodies() {
        let root = std::env::var_os("STOPLEAK_GO_TREE").expect("a Go source tree");
        let db = Database::new();
        let (mut files, mut whole) = (0, 0);
        let mut folders = vec![std::path::PathBuf::from(root)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let path = entry.path();
                if path.is_dir() {
                    folders.extend((entry.file_name() != "testdata").then_some(path));
                } else if path.extension().is_some_and(|e| e == "go") {
                    files += 1;
                    match is_same(&db, &path) {
                        None => whole += 1,
                        Some(same) => assert!(same, "{}", path.display()),
                    }
                }
            }
        }
        println!("{files} files, {whole} of them with their bodies");
        assert!(files > 0 && whole * 1000 < files);
    }
}
