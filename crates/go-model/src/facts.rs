//! What is known about the body of one declaration: what every name refers to, what type every expression has, what every call
//! calls.
//!
//! Facts are computed per declaration ([`go_syntax::ast::DeclTree`]) and are position independent like it.

use std::sync::Arc;

use go_syntax::Name;
use go_syntax::ast::{ExprId, Ident};
use la_arena::{Arena, ArenaMap, Idx};

use crate::types::{Ty, TypeDef};

/// Index of a local variable in [`Facts::locals`].
pub type LocalId = Idx<Local>;

/// The facts about one declaration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Local variables, parameters, results and receivers, also those of function literals.
    pub locals: Arena<Local>,
    /// Type of each expression that has one and for which it is known. Calls with several results have a tuple type. Type
    /// expressions are listed with the type that they denote.
    pub types: ArenaMap<ExprId, Ty>,
    /// What identifiers and selectors refer to. An identifier on the left of `:=` is listed too. Absent means unknown.
    pub refs: ArenaMap<ExprId, Res>,
    /// What calls call. Absent means unknown.
    pub callees: ExprMap<Callee>,
    /// The locals of parameters, results and receiver of the declared function, in order; unnamed ones have none.
    pub params: Vec<Option<LocalId>>,
    /// Results of the declared function.
    pub results: Vec<Option<LocalId>>,
    /// Receiver of the declared method.
    pub receiver: Option<LocalId>,
    /// Types declared inside the function, with their numbers ([`crate::types::NamedTy::local`]).
    pub local_types: Vec<(u32, Arc<TypeDef>)>,
    /// Type parameters in scope of the body and their constraints.
    pub type_params: Vec<(Name, Ty)>,
    /// For each function literal its parameters, results, and captured variables.
    pub literals: ExprMap<LiteralFacts>,
}

/// Values for some expressions of a declaration: few have one, so that a vector with a place for each would be mostly empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExprMap<V>(Vec<(ExprId, V)>);

impl<V> Default for ExprMap<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> ExprMap<V> {
    fn place(&self, expr: ExprId) -> Result<usize, usize> {
        // Values come mostly in order.
        match self.0.last() {
            Some((last, _)) if *last < expr => Err(self.0.len()),
            _ => self.0.binary_search_by_key(&expr, |(e, _)| *e),
        }
    }

    /// The value of an expression.
    pub fn get(&self, expr: ExprId) -> Option<&V> {
        self.place(expr).ok().map(|i| &self.0[i].1)
    }

    /// The value of an expression.
    pub fn get_mut(&mut self, expr: ExprId) -> Option<&mut V> {
        self.place(expr).ok().map(|i| &mut self.0[i].1)
    }

    /// Whether an expression has one.
    pub fn contains_idx(&self, expr: ExprId) -> bool {
        self.place(expr).is_ok()
    }

    /// Sets the value of an expression and gives the one that it had.
    pub fn insert(&mut self, expr: ExprId, value: V) -> Option<V> {
        match self.place(expr) {
            Ok(i) => Some(std::mem::replace(&mut self.0[i].1, value)),
            Err(i) => {
                self.0.insert(i, (expr, value));
                None
            }
        }
    }

    /// All, in the order of the expressions' indexes.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (ExprId, &V)> {
        self.0.iter().map(|(e, v)| (*e, v))
    }

    /// All values, in the order of the expressions' indexes.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.0.iter().map(|(_, v)| v)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn shrink_to_fit(&mut self) {
        self.0.shrink_to_fit();
    }
}

impl<V> std::ops::Index<ExprId> for ExprMap<V> {
    type Output = V;
    fn index(&self, expr: ExprId) -> &V {
        match self.place(expr) {
            Ok(i) => &self.0[i].1,
            Err(_) => panic!("the expression has no value"),
        }
    }
}

/// Facts about a function literal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LiteralFacts {
    /// The literal that contains it, `None` if it stands directly in the declaration.
    pub parent: Option<ExprId>,
    /// Its parameters.
    pub params: Vec<Option<LocalId>>,
    /// Its results.
    pub results: Vec<Option<LocalId>>,
    /// Locals of enclosing functions used inside (also in literals inside it), each once, in order of first use.
    pub captures: Vec<LocalId>,
}

/// A local variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// Name and place of its declaration.
    pub ident: Ident,
    /// Its type.
    pub ty: Ty,
    /// How it was declared.
    pub kind: LocalKind,
    /// The function literal that declares it; `None` for the declaration itself.
    pub owner: Option<ExprId>,
    /// Whether a function literal other than its owner uses it.
    pub captured: bool,
    /// Whether its address is taken with `&` (also by calling a pointer method on it does **not** count).
    pub address_taken: bool,
    /// How often it is assigned: declarations with a value, assignments, `++`; once more for a parameter, a receiver, a variable of
    /// a `range` or of a type switch. 0 for `var x T` and for named results that are never assigned by name.
    pub assignments: u32,
    /// How often it is used other than by assigning to it as a whole; `x.f = 1`, `x += 1` and `&x` are reads.
    pub reads: u32,
}

/// How a local came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LocalKind {
    Receiver,
    Param,
    /// A result, named.
    Result,
    /// `var` or `:=`.
    Var,
    /// `for … range` with `:=`.
    Range,
    /// `switch x := y.(type)`: one local per case.
    TypeSwitch,
    Const,
}

/// What a name refers to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Res {
    /// A local variable.
    Local(LocalId),
    /// A package-level variable, constant, function or type.
    Package(ItemRef),
    /// The package itself, in `pkg.Name`: its import path.
    Import(Name),
    /// A field, reached through `recv` (pointers and embedding followed): declaring type where it is a declared one.
    Field {
        /// The declared type whose struct has the field.
        owner: Option<ItemRef>,
        /// The field.
        name: Name,
    },
    /// A method value or expression.
    Method(MethodRef),
    /// Predeclared function.
    Builtin(Name),
    /// Predeclared or local type, type parameter.
    Type,
    /// `nil`.
    Nil,
    /// `true`, `false`.
    Bool(bool),
    /// `iota` or a local constant.
    Const,
}

/// A package-level item.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub struct ItemRef {
    /// Import path of its package.
    pub package: Name,
    /// Its name.
    pub name: Name,
}

impl ItemRef {
    /// Whether it is `package.name`.
    pub fn is(&self, package: &str, name: &str) -> bool {
        self.name == name && self.package == package
    }
}

/// A method.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub struct MethodRef {
    /// Import path of the package of the declared type (or interface) that declares the method, embedding followed; empty with
    /// an empty `ty` for a method of an interface literal.
    pub package: Name,
    /// That type's name.
    pub ty: Name,
    /// The method.
    pub name: Name,
    /// Called through an interface: the body is not known.
    pub interface: bool,
}

impl MethodRef {
    /// Whether it is method `name` of `package.ty`.
    pub fn is(&self, package: &str, ty: &str, name: &str) -> bool {
        self.name == name && self.ty == ty && self.package == package
    }
}

/// What a call calls.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Callee {
    /// A package-level function.
    Func(ItemRef),
    /// A method; the receiver is the base of the call's selector.
    Method(MethodRef),
    /// A predeclared function.
    Builtin(Name),
    /// A conversion to the call's own type.
    Conversion,
    /// A function literal called at once or deferred.
    Literal(ExprId),
    /// A local variable of function type.
    Local(LocalId),
    /// A field, parameter element, call result … of function type.
    Value,
}
