//! Types.

use std::sync::Arc;

use go_syntax::Name;

pub use go_syntax::ast::ChanDir;

use crate::facts::ItemRef;

/// A type. Cheap to clone; equality is structural.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Ty(Arc<Node>);

#[derive(PartialEq, Eq, Hash)]
struct Node {
    kind: TyKind,
    shape: Shape,
}

/// What is known of a type as a tree, so that walks over it can be cut short.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Shape {
    /// Number of nodes, counted as often as they occur.
    size: u32,
    depth: u16,
    has_unknown: bool,
    has_param: bool,
}

/// Larger types are unknown: no real program has them, and walks over types recurse.
const MAX_SIZE: u32 = 50_000;
const MAX_DEPTH: u16 = 100;

impl Shape {
    const LEAF: Self = Self {
        size: 1,
        depth: 1,
        has_unknown: false,
        has_param: false,
    };

    fn add(&mut self, child: &Ty) {
        let other = child.0.shape;
        self.size = self.size.saturating_add(other.size);
        self.depth = self.depth.max(other.depth.saturating_add(1));
        self.has_unknown |= other.has_unknown;
        self.has_param |= other.has_param;
    }

    fn add_sig(&mut self, sig: &FuncSig) {
        let children = sig.params.iter().chain(&sig.results);
        for ty in children.chain(&sig.constraints) {
            self.add(ty);
        }
    }

    fn of(kind: &TyKind) -> Self {
        let mut shape = Self::LEAF;
        match kind {
            TyKind::Unknown => shape.has_unknown = true,
            TyKind::TypeParam(_) => shape.has_param = true,
            TyKind::Basic(_) => {}
            TyKind::Named(n) => n.args.iter().for_each(|t| shape.add(t)),
            TyKind::Pointer(t) | TyKind::Slice(t) | TyKind::Chan(_, t) => shape.add(t),
            TyKind::Array(len, t) => {
                shape.add(t);
                shape.has_unknown |= len.is_none();
            }
            TyKind::Map(k, v) => {
                shape.add(k);
                shape.add(v);
            }
            TyKind::Func(sig) => shape.add_sig(sig),
            TyKind::Struct(fields) => fields.iter().for_each(|f| shape.add(&f.ty)),
            TyKind::Interface(iface) => {
                iface.methods.iter().for_each(|m| shape.add_sig(&m.1));
                iface.embeds.iter().for_each(|t| shape.add(t));
                iface.core.iter().for_each(|t| shape.add(t));
            }
            TyKind::Tuple(types) => types.iter().for_each(|t| shape.add(t)),
        }
        shape
    }
}

/// What a [`Ty`] is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum TyKind {
    /// Not known, and nothing may be concluded from it.
    Unknown,
    /// Predeclared non-interface types and the types of untyped constants.
    Basic(Basic),
    /// A declared type, or a predeclared one with methods (`error`, `comparable`: package `""`). `any` is the empty interface, as
    /// in the language.
    Named(NamedTy),
    /// `*T`.
    Pointer(Ty),
    /// `[]T`.
    Slice(Ty),
    /// `[n]T`; the length where it is known.
    Array(Option<u64>, Ty),
    /// `map[K]V`.
    Map(Ty, Ty),
    /// `chan T`.
    Chan(ChanDir, Ty),
    /// A function or method value.
    Func(FuncSig),
    /// `struct { … }`.
    Struct(Vec<FieldTy>),
    /// `interface { … }`.
    Interface(InterfaceTy),
    /// The results of a call with other than one result; the unit type is the empty tuple.
    Tuple(Vec<Ty>),
    /// A type parameter in the generic function or type that declares it.
    TypeParam(Name),
}

/// A declared type.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct NamedTy {
    /// Import path of the declaring package; empty for predeclared types. A command's package path is its directory's path all
    /// the same. `_test` variants carry the suffix `_test`.
    pub package: Name,
    /// The declared name.
    pub name: Name,
    /// Type arguments.
    pub args: Vec<Ty>,
    /// Distinguishes types declared inside functions, which no other package can name; 0 for package-level types.
    pub local: u32,
}

/// Predeclared types.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Basic {
    Bool,
    Int,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Uintptr,
    Float32,
    Float64,
    Complex64,
    Complex128,
    String,
    UnsafePointer,
    UntypedBool,
    UntypedInt,
    UntypedRune,
    UntypedFloat,
    UntypedComplex,
    UntypedString,
    UntypedNil,
}

/// A function's type.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct FuncSig {
    /// Names of its type parameters, empty once instantiated.
    pub type_params: Vec<Name>,
    /// Constraints of its type parameters, as many as there are.
    pub constraints: Vec<Ty>,
    /// Parameter types; the last one is the slice type when variadic.
    pub params: Vec<Ty>,
    /// Result types.
    pub results: Vec<Ty>,
    /// Whether the last parameter is variadic.
    pub variadic: bool,
}

impl FuncSig {
    /// Replaces type parameters; those for which `get` has no type stay, and so do the signature's own.
    pub fn substitute(&self, get: &dyn Fn(Name) -> Option<Ty>) -> Self {
        let get = |name: Name| {
            if self.type_params.contains(&name) {
                None
            } else {
                get(name)
            }
        };
        let many = |types: &[Ty]| types.iter().map(|t| t.substitute(&get)).collect();
        Self {
            type_params: self.type_params.clone(),
            constraints: many(&self.constraints),
            params: many(&self.params),
            results: many(&self.results),
            variadic: self.variadic,
        }
    }

    /// What a call of the function gives: nothing, one type, or a tuple.
    pub fn result(&self) -> Ty {
        match self.results.as_slice() {
            [] => Ty::unit(),
            [one] => one.clone(),
            many => Ty::new(TyKind::Tuple(many.to_vec())),
        }
    }
}

/// A field of a struct type.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FieldTy {
    /// Its name; for an embedded field the type's name.
    pub name: Name,
    /// Its type.
    pub ty: Ty,
    /// Embedded.
    pub embedded: bool,
}

/// An interface type.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct InterfaceTy {
    /// Explicit methods.
    pub methods: Vec<(Name, FuncSig)>,
    /// Embedded interfaces. Type sets are not kept, but see `core`.
    pub embeds: Vec<Ty>,
    /// The type of a constraint whose type set is written as one term, `T` or `~T`.
    pub core: Option<Ty>,
    /// Whether there is a type set: a constraint, which no variable can have as its type.
    pub type_set: bool,
}

impl Ty {
    /// Makes a type. One that is absurdly large is unknown.
    pub fn new(kind: TyKind) -> Self {
        let shape = Shape::of(&kind);
        if shape.size > MAX_SIZE || shape.depth > MAX_DEPTH {
            return Self::unknown();
        }
        Self(Arc::new(Node { kind, shape }))
    }

    /// Whether some part of it is unknown (the length of an array included).
    pub fn has_unknown(&self) -> bool {
        self.0.shape.has_unknown
    }

    /// Whether a type parameter occurs in it.
    pub fn has_type_param(&self) -> bool {
        self.0.shape.has_param
    }

    /// Replaces type parameters; those for which `get` has no type stay.
    pub fn substitute(&self, get: &dyn Fn(Name) -> Option<Ty>) -> Ty {
        if !self.has_type_param() {
            return self.clone();
        }
        let many = |types: &[Ty]| types.iter().map(|t| t.substitute(get)).collect::<Vec<_>>();
        Ty::new(match self.kind() {
            TyKind::TypeParam(name) => return get(*name).unwrap_or_else(|| self.clone()),
            TyKind::Unknown | TyKind::Basic(_) => return self.clone(),
            TyKind::Named(n) => TyKind::Named(NamedTy {
                args: many(&n.args),
                ..n.clone()
            }),
            TyKind::Pointer(t) => TyKind::Pointer(t.substitute(get)),
            TyKind::Slice(t) => TyKind::Slice(t.substitute(get)),
            TyKind::Array(len, t) => TyKind::Array(*len, t.substitute(get)),
            TyKind::Map(k, v) => TyKind::Map(k.substitute(get), v.substitute(get)),
            TyKind::Chan(dir, t) => TyKind::Chan(*dir, t.substitute(get)),
            TyKind::Func(sig) => TyKind::Func(sig.substitute(get)),
            TyKind::Struct(fields) => TyKind::Struct(
                fields
                    .iter()
                    .map(|f| FieldTy {
                        ty: f.ty.substitute(get),
                        ..f.clone()
                    })
                    .collect(),
            ),
            TyKind::Interface(iface) => TyKind::Interface(InterfaceTy {
                methods: iface
                    .methods
                    .iter()
                    .map(|(name, sig)| (*name, sig.substitute(get)))
                    .collect(),
                embeds: many(&iface.embeds),
                core: iface.core.as_ref().map(|t| t.substitute(get)),
                type_set: iface.type_set,
            }),
            TyKind::Tuple(types) => TyKind::Tuple(many(types)),
        })
    }

    /// The unknown type.
    pub fn unknown() -> Self {
        static UNKNOWN: std::sync::LazyLock<Ty> = std::sync::LazyLock::new(|| {
            let kind = TyKind::Unknown;
            let shape = Shape::of(&kind);
            Ty(Arc::new(Node { kind, shape }))
        });
        UNKNOWN.clone()
    }

    /// A declared type without type arguments.
    pub fn named(package: &str, name: &str) -> Self {
        Self::new(TyKind::Named(NamedTy {
            package: package.into(),
            name: name.into(),
            args: Vec::new(),
            local: 0,
        }))
    }

    /// `*self`.
    pub fn pointer_to(self) -> Self {
        Self::new(TyKind::Pointer(self))
    }

    /// `[]self`.
    pub fn slice_of(self) -> Self {
        Self::new(TyKind::Slice(self))
    }

    /// The empty interface.
    pub fn any() -> Self {
        static ANY: std::sync::LazyLock<Ty> =
            std::sync::LazyLock::new(|| Ty::new(TyKind::Interface(InterfaceTy::default())));
        ANY.clone()
    }

    /// The results of a call without results.
    pub fn unit() -> Self {
        static UNIT: std::sync::LazyLock<Ty> =
            std::sync::LazyLock::new(|| Ty::new(TyKind::Tuple(Vec::new())));
        UNIT.clone()
    }

    /// The predeclared `error`.
    pub fn error() -> Self {
        static ERROR: std::sync::LazyLock<Ty> = std::sync::LazyLock::new(|| Ty::named("", "error"));
        ERROR.clone()
    }

    /// What it is.
    pub fn kind(&self) -> &TyKind {
        &self.0.kind
    }

    /// Whether it is unknown as a whole.
    pub fn is_unknown(&self) -> bool {
        matches!(self.0.kind, TyKind::Unknown)
    }

    /// Whether it is the predeclared `error`.
    pub fn is_error(&self) -> bool {
        self.is_named("", "error")
    }

    /// Whether it is exactly the declared type `package.name` (any type arguments), not a pointer to it.
    pub fn is_named(&self, package: &str, name: &str) -> bool {
        matches!(self.kind(), TyKind::Named(n) if n.local == 0 && n.name == name && n.package == package)
    }

    /// The declared type itself or behind one pointer.
    pub fn as_named_or_pointer(&self) -> Option<&NamedTy> {
        match self.kind() {
            TyKind::Named(n) => Some(n),
            TyKind::Pointer(inner) => match inner.kind() {
                TyKind::Named(n) => Some(n),
                _ => None,
            },
            _ => None,
        }
    }
}

impl From<Basic> for Ty {
    fn from(basic: Basic) -> Self {
        static BASICS: std::sync::LazyLock<Vec<Ty>> = std::sync::LazyLock::new(|| {
            Basic::ALL
                .iter()
                .map(|&b| Ty::new(TyKind::Basic(b)))
                .collect()
        });
        BASICS[basic as usize].clone()
    }
}

impl Basic {
    /// All of them, in order of declaration.
    pub const ALL: [Basic; 25] = [
        Basic::Bool,
        Basic::Int,
        Basic::Int8,
        Basic::Int16,
        Basic::Int32,
        Basic::Int64,
        Basic::Uint,
        Basic::Uint8,
        Basic::Uint16,
        Basic::Uint32,
        Basic::Uint64,
        Basic::Uintptr,
        Basic::Float32,
        Basic::Float64,
        Basic::Complex64,
        Basic::Complex128,
        Basic::String,
        Basic::UnsafePointer,
        Basic::UntypedBool,
        Basic::UntypedInt,
        Basic::UntypedRune,
        Basic::UntypedFloat,
        Basic::UntypedComplex,
        Basic::UntypedString,
        Basic::UntypedNil,
    ];

    /// The name by which Go knows it: `int`, `unsafe.Pointer`, `untyped rune`. `byte` and `rune` are `uint8` and `int32`.
    pub fn as_str(self) -> &'static str {
        match self {
            Basic::Bool => "bool",
            Basic::Int => "int",
            Basic::Int8 => "int8",
            Basic::Int16 => "int16",
            Basic::Int32 => "int32",
            Basic::Int64 => "int64",
            Basic::Uint => "uint",
            Basic::Uint8 => "uint8",
            Basic::Uint16 => "uint16",
            Basic::Uint32 => "uint32",
            Basic::Uint64 => "uint64",
            Basic::Uintptr => "uintptr",
            Basic::Float32 => "float32",
            Basic::Float64 => "float64",
            Basic::Complex64 => "complex64",
            Basic::Complex128 => "complex128",
            Basic::String => "string",
            Basic::UnsafePointer => "unsafe.Pointer",
            Basic::UntypedBool => "untyped bool",
            Basic::UntypedInt => "untyped int",
            Basic::UntypedRune => "untyped rune",
            Basic::UntypedFloat => "untyped float",
            Basic::UntypedComplex => "untyped complex",
            Basic::UntypedString => "untyped string",
            Basic::UntypedNil => "untyped nil",
        }
    }

    /// The type with a Go name, `byte` and `rune` included.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "byte" => Some(Basic::Uint8),
            "rune" => Some(Basic::Int32),
            "Pointer" => Some(Basic::UnsafePointer),
            _ => Self::ALL.into_iter().find(|b| b.as_str() == name),
        }
    }

    /// Whether it is the type of an untyped constant (or of `nil`).
    pub fn is_untyped(self) -> bool {
        self >= Basic::UntypedBool
    }

    /// Whether it is an integer type, untyped integer and rune constants included.
    pub fn is_integer(self) -> bool {
        (Basic::Int..=Basic::Uintptr).contains(&self)
            || matches!(self, Basic::UntypedInt | Basic::UntypedRune)
    }

    /// Whether it is a string type.
    pub fn is_string(self) -> bool {
        matches!(self, Basic::String | Basic::UntypedString)
    }

    /// What an untyped constant becomes when nothing else says its type; `nil` has none.
    pub fn default_type(self) -> Self {
        match self {
            Basic::UntypedBool => Basic::Bool,
            Basic::UntypedInt => Basic::Int,
            Basic::UntypedRune => Basic::Int32,
            Basic::UntypedFloat => Basic::Float64,
            Basic::UntypedComplex => Basic::Complex128,
            Basic::UntypedString => Basic::String,
            other => other,
        }
    }
}

impl std::fmt::Debug for Ty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.kind.fmt(f)
    }
}

/// A declared type: what its declaration and the declarations of its methods say.
///
/// Types in it are in terms of its own type parameters ([`TyKind::TypeParam`]).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TypeDef {
    /// Its package and name.
    pub item: ItemRef,
    /// Names of its type parameters.
    pub type_params: Vec<Name>,
    /// Their constraints, as many as there are.
    pub constraints: Vec<Ty>,
    /// The right-hand side of its declaration, which may be another declared type.
    pub rhs: Ty,
    /// Declared methods, in no particular order; not those of an interface or of embedded fields.
    pub methods: Vec<MethodDef>,
}

/// A declared method.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MethodDef {
    /// Its name.
    pub name: Name,
    /// Whether its receiver is a pointer.
    pub pointer: bool,
    /// Minor version of Go 1 that brought it (standard library only); 0 where not known or since the beginning.
    pub since: u8,
    /// Its type without the receiver: a [`TyKind::Func`], or unknown.
    pub ty: Ty,
}

impl TypeDef {
    /// A declared method by its name.
    pub fn method(&self, name: Name) -> Option<&MethodDef> {
        self.methods.iter().find(|m| m.name == name)
    }
}
