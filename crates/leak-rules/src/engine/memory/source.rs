//! Where the keys of a map come from: a bounded set, the state of the process, or the world outside.

use std::sync::Arc;

use go_model::db::{Db, DeclId};
use go_model::facts::{Callee, LocalId, LocalKind, Res};
use go_model::members::View;
use go_model::package::{Item, PackageId, package_by_path, package_index, package_of_decl};
use go_model::summary::callee_decl;
use go_model::types::{Basic, NamedTy, Ty, TyKind};
use go_syntax::Name;
use go_syntax::ast::{AssignOp, DeclKind, DeclTree, ExprId, ExprKind, StmtKind, UnaryOp};
use rustc_hash::{FxHashMap, FxHashSet};

use super::body::{Body, Given};
use super::repeat::is_request;

/// How a value gets from there to here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Through {
    /// As it is, or made into something else: what is different stays different.
    Straight,
    /// Something was looked up or received that may be one of a few.
    Lookup,
}

/// Where a value comes from. Of two sources the greater one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Source {
    /// A constant, or a type with few values.
    Bounded,
    /// Fields of the receiver, package variables: what is there already.
    State,
    /// Nothing is known of it.
    Unknown,
    /// Parameters of the declared function, by their bits.
    Params(u64, Through),
    /// The world outside: requests, messages, times, random numbers.
    Input(Through),
}

impl Source {
    /// Requests, times, random numbers.
    pub(super) const INPUT: Self = Self::Input(Through::Straight);

    /// Of both.
    pub(super) fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::Params(a, x), Self::Params(b, y)) => Self::Params(a | b, x.min(y)),
            (Self::Input(x), Self::Input(y)) => Self::Input(x.min(y)),
            (a, b) => a.max(b),
        }
    }

    /// What is looked up by it.
    fn looked_up(self) -> Self {
        match self {
            Self::Params(bits, _) => Self::Params(bits, Through::Lookup),
            Self::Input(_) => Self::Input(Through::Lookup),
            other => other,
        }
    }

    /// The source for a caller that gives these arguments.
    pub(super) fn through(self, args: &[Self]) -> Self {
        let Self::Params(bits, through) = self else {
            return self;
        };
        let mut found = Self::Bounded;
        for i in 0..64 {
            if bits & (1 << i) != 0 {
                found = found.join(args.get(i).copied().unwrap_or(Self::Unknown));
            }
        }
        match through {
            Through::Straight => found,
            Through::Lookup => found.looked_up(),
        }
    }
}

/// Calls that are looked into.
const MAX_DEPTH: u8 = 3;

/// Where the first result of a function comes from.
#[salsa::tracked(returns(copy))]
fn given_back(db: &dyn Db, decl: DeclId, depth: u8) -> Source {
    let found = super::body::with(db, decl, |body| {
        let mut walk = Walk {
            body,
            fuel: FUEL,
            depth,
            open: Vec::new(),
        };
        let mut found = Source::Bounded;
        for (id, stmt) in body.tree.stmts.iter() {
            if let StmtKind::Return(values) = &stmt.kind
                && body.literal(id).is_none()
            {
                found = found.join(values.first().map_or(Source::Unknown, |v| walk.of(*v)));
            }
        }
        found
    });
    found.unwrap_or(Source::Unknown)
}

const FUEL: u32 = 60;

/// Where the value of an expression comes from.
pub(super) fn source(body: &Body<'_>, expr: ExprId) -> Source {
    let mut walk = Walk {
        body,
        fuel: FUEL,
        depth: MAX_DEPTH,
        open: Vec::new(),
    };
    walk.of(expr)
}

struct Walk<'b, 'a> {
    body: &'b Body<'a>,
    fuel: u32,
    depth: u8,
    open: Vec<LocalId>,
}

impl Walk<'_, '_> {
    fn of(&mut self, expr: ExprId) -> Source {
        let Some(fuel) = self.fuel.checked_sub(1) else {
            return Source::Unknown;
        };
        self.fuel = fuel;
        let body = self.body;
        let expr = body.tree.unparen(expr);
        if let Some(ty) = body.ty(expr)
            && is_bounded(&body.view(), ty)
        {
            return Source::Bounded;
        }
        match &body.tree[expr].kind {
            ExprKind::Literal(_) => Source::Bounded,
            ExprKind::Ident(_) => self.name(expr),
            ExprKind::Selector { base, name } => match body.facts.refs.get(expr) {
                Some(Res::Package(item)) => self.package(item.package, item.name),
                Some(Res::Field { .. }) | None => {
                    let base = self.of(*base);
                    match base {
                        Source::State if self.counts(name.name) => Source::INPUT,
                        base => base,
                    }
                }
                _ => Source::Unknown,
            },
            ExprKind::Star(x)
            | ExprKind::Slice { base: x, .. }
            | ExprKind::TypeAssert { base: x, .. } => self.of(*x),
            ExprKind::Unary { op, operand } => match op {
                UnaryOp::Receive => Source::Input(Through::Lookup),
                _ => self.of(*operand),
            },
            ExprKind::Index { base, .. } => self.of(*base),
            ExprKind::Binary { lhs, rhs, .. } => self.of(*lhs).join(self.of(*rhs)),
            ExprKind::Composite { elements, .. } => {
                let mut found = Source::Bounded;
                for element in elements {
                    found = found.join(self.of(element.value));
                }
                found
            }
            ExprKind::Call { .. } => self.call(expr),
            _ => Source::Unknown,
        }
    }

    fn name(&mut self, expr: ExprId) -> Source {
        match self.body.facts.refs.get(expr) {
            Some(Res::Local(local)) => self.local(*local),
            Some(Res::Package(item)) => self.package(item.package, item.name),
            Some(Res::Const | Res::Bool(_) | Res::Nil) => Source::Bounded,
            _ => Source::Unknown,
        }
    }

    fn package(&self, package: Name, name: Name) -> Source {
        match self.body.view().item(package, name) {
            Some(go_model::infer::Item::Const(..)) => Source::Bounded,
            Some(go_model::infer::Item::Var(_)) => {
                if package == self.body.path && self.counts(name) {
                    Source::INPUT
                } else {
                    Source::State
                }
            }
            _ => Source::Unknown,
        }
    }

    /// Whether the declaration counts something of this name up.
    fn counts(&self, wanted: Name) -> bool {
        let tree = self.body.tree;
        let is = |e: ExprId| match &tree[tree.unparen(e)].kind {
            ExprKind::Ident(name) => *name == wanted,
            ExprKind::Selector { name, .. } => name.name == wanted,
            _ => false,
        };
        tree.stmts.iter().any(|(_, stmt)| match &stmt.kind {
            StmtKind::IncDec { operand, inc: true } => is(*operand),
            StmtKind::Assign {
                lhs,
                op: AssignOp::Op(_),
                ..
            } => lhs.iter().any(|l| is(*l)),
            _ => false,
        })
    }

    fn local(&mut self, local: LocalId) -> Source {
        let body = self.body;
        let l = &body.facts.locals[local];
        if is_bounded(&body.view(), &l.ty) {
            return Source::Bounded;
        }
        if l.kind == LocalKind::Receiver {
            return Source::State;
        }
        let mut found = Source::Bounded;
        if l.kind == LocalKind::Param {
            found = match body.facts.params.iter().position(|p| *p == Some(local)) {
                Some(i) if i < 64 && l.owner.is_none() => Source::Params(1 << i, Through::Straight),
                // Of a function literal.
                _ => self.literal_param(local),
            };
        }
        if self.open.contains(&local) {
            return found;
        }
        self.open.push(local);
        for given in body.given(local) {
            found = found.join(match given {
                Given::Value(value) => self.of(*value),
                Given::Element(over) => self.element(*over),
                Given::Changed => Source::Bounded,
            });
        }
        self.open.pop();
        if l.address_taken && found <= Source::State {
            // Something else fills it: `json.Unmarshal(data, &v)`, `fmt.Sscan(&v)`.
            found = self.filled(local);
        }
        found
    }

    /// The parameter of a literal that is called on the spot with arguments has those; any other one is given something from outside.
    fn literal_param(&mut self, local: LocalId) -> Source {
        let body = self.body;
        let Some(literal) = body.facts.locals[local].owner else {
            return Source::Unknown;
        };
        let index = (body.facts.literals.get(literal))
            .and_then(|l| l.params.iter().position(|p| *p == Some(local)));
        let call = body.parent(literal).and_then(|p| p.expr());
        if let (Some(index), Some(call)) = (index, call)
            && let ExprKind::Call { func, args, .. } = &body.tree[call].kind
            && body.tree.unparen(*func) == literal
        {
            return args.get(index).map_or(Source::Unknown, |arg| self.of(*arg));
        }
        // What a handler is given comes from outside; any other literal is called with what is not known.
        if is_request(&body.facts.locals[local].ty) {
            Source::INPUT
        } else {
            Source::Input(Through::Lookup)
        }
    }

    fn element(&mut self, over: ExprId) -> Source {
        let body = self.body;
        let ty = body.ty(body.tree.unparen(over));
        match ty.map(|ty| body.view().underlying(ty)) {
            Some(ty) if matches!(ty.kind(), TyKind::Chan(..)) => Source::Input(Through::Lookup),
            _ => self.of(over),
        }
    }

    /// What the other arguments of the calls that get the address of a local say.
    fn filled(&mut self, local: LocalId) -> Source {
        let body = self.body;
        let mut found = Source::Unknown;
        for (expr, res) in body.facts.refs.iter() {
            if *res != Res::Local(local) {
                continue;
            }
            let Some(address) = body.parent(expr).and_then(|p| p.expr()) else {
                continue;
            };
            if let Some((call, at)) = body.argument_of(address) {
                for (i, arg) in body.args(call).iter().enumerate() {
                    if i != at {
                        found = found.join(self.of(*arg));
                    }
                }
                if let ExprKind::Call { func, .. } = &body.tree[call].kind
                    && let ExprKind::Selector { base, .. } =
                        &body.tree[body.tree.unparen(*func)].kind
                    && !matches!(body.facts.refs.get(*base), Some(Res::Import(_)))
                {
                    found = found.join(self.of(*base));
                }
            }
        }
        found
    }

    fn call(&mut self, call: ExprId) -> Source {
        let body = self.body;
        let ExprKind::Call { func, args, .. } = &body.tree[call].kind else {
            return Source::Unknown;
        };
        match body.callee(call) {
            Some(Callee::Builtin(name)) if *name == "len" || *name == "cap" => {
                return Source::Unknown;
            }
            Some(Callee::Builtin(name)) if *name == "make" || *name == "new" => {
                return Source::Bounded;
            }
            _ => {}
        }
        let mut found = Source::Bounded;
        let mut given: Vec<Source> = Vec::new();
        let mut asked = 0;
        let mut of_request = false;
        for arg in args {
            let from = self.of(*arg);
            given.push(from);
            if is_context(body, *arg) {
                continue;
            }
            of_request |= body.ty(*arg).is_some_and(is_request);
            asked += 1;
            found = found.join(from);
        }
        if matches!(
            body.callee(call),
            Some(Callee::Conversion | Callee::Builtin(_))
        ) {
            return found;
        }
        let func = body.tree.unparen(*func);
        let base = match &body.tree[func].kind {
            ExprKind::Selector { base, .. }
                if !matches!(
                    body.facts.refs.get(body.tree.unparen(*base)),
                    Some(Res::Import(_))
                ) =>
            {
                Some(*base)
            }
            _ => None,
        };
        if let Some(Callee::Func(_) | Callee::Method(_)) = body.callee(call)
            && let Some(known) = self.known(call, &given, base, found)
        {
            return known;
        }
        let Some(base) = base else {
            // What somebody else's function gives for nothing is different each time: times, random numbers, identities.
            let foreign = matches!(body.tree[func].kind, ExprKind::Selector { .. });
            return match (asked, foreign) {
                (0, true) => Source::INPUT,
                (0, false) => Source::Unknown,
                _ if of_request || is_std(body, call) => found,
                _ => found.looked_up(),
            };
        };
        of_request |= body.ty(body.tree.unparen(base)).is_some_and(is_request);
        let straight = of_request || is_std(body, call);
        match self.of(base) {
            // What is read from a connection or asked of a client may fail.
            Source::State if may_fail(body, call) => Source::Input(Through::Lookup),
            Source::State if asked == 0 => Source::Unknown.join(found),
            base if straight => base.join(found),
            base => base.join(found).looked_up(),
        }
    }

    /// What the body of a function of the package says about its result.
    fn known(
        &mut self,
        call: ExprId,
        args: &[Source],
        base: Option<ExprId>,
        found: Source,
    ) -> Option<Source> {
        let body = self.body;
        let depth = self.depth.checked_sub(1)?;
        let decl = callee_decl(body.db, body.decl, body.callee(call)?)?;
        if package_of_decl(body.db, decl) != body.package {
            return None;
        }
        let back = given_back(body.db, decl, depth);
        let base = base.map_or(Source::Bounded, |base| self.of(base));
        Some(match back.through(args) {
            // Of what its receiver is.
            Source::State if base > Source::State => base.join(found),
            Source::State if may_fail(body, call) => Source::Input(Through::Lookup),
            Source::Unknown => base.join(found).looked_up().max(Source::Unknown),
            other => other,
        })
    }
}

/// Whether a call is one of a function of the standard library that makes something of what it is given.
fn is_std(body: &Body<'_>, call: ExprId) -> bool {
    let package = match body.callee(call) {
        Some(Callee::Func(f)) => f.package,
        Some(Callee::Method(m)) => m.package,
        _ => return false,
    };
    package != "database/sql"
        && package != body.path
        && go_model::std_table::package(package).is_some()
}

/// Whether a call gives an error beside a value.
fn may_fail(body: &Body<'_>, call: ExprId) -> bool {
    match body.ty(call).map(Ty::kind) {
        Some(TyKind::Tuple(results)) => results.last().is_some_and(Ty::is_error),
        _ => false,
    }
}

fn is_context(body: &Body<'_>, arg: ExprId) -> bool {
    body.ty(arg)
        .is_some_and(|ty| ty.is_named("context", "Context"))
}

/// Whether a type has so few values that a map with such keys cannot grow for ever.
pub(super) fn is_bounded(view: &View<'_>, ty: &Ty) -> bool {
    match ty.kind() {
        TyKind::Basic(basic) => matches!(
            basic,
            Basic::Bool
                | Basic::Uint8
                | Basic::Int8
                | Basic::UntypedBool
                | Basic::UntypedInt
                | Basic::UntypedRune
                | Basic::UntypedFloat
                | Basic::UntypedString
                | Basic::UntypedNil
        ),
        TyKind::Named(named) => is_bounded_name(view, named, ty),
        TyKind::Array(Some(0 | 1), elem) => is_bounded(view, elem),
        TyKind::Struct(fields) => fields.iter().all(|f| is_bounded(view, &f.ty)),
        _ => false,
    }
}

fn is_bounded_name(view: &View<'_>, named: &NamedTy, ty: &Ty) -> bool {
    if named.package == "reflect" {
        return named.name == "Type" || named.name == "Kind";
    }
    match view.underlying(ty).kind() {
        TyKind::Basic(basic) if basic.is_integer() || basic.is_string() => {
            if !named.package.as_str().contains('.') && view.type_def(named).is_some() {
                let own = package_by_path(view.db, view.file, named.package);
                if own.is_none() {
                    // Of the standard library's, these are the ones that count something.
                    return !matches!(named.name.as_str(), "Duration" | "Number" | "Month");
                }
            }
            has_constants(view, named, basic.is_string())
        }
        TyKind::Basic(_) => is_bounded(view, &view.underlying(ty)),
        under @ TyKind::Struct(_) => is_bounded(view, &Ty::new(under.clone())),
        _ => false,
    }
}

/// Whether constants of a type are declared beside it: an enumeration. Names that are texts are one wherever they are declared. Numbers
/// have to be declared in one group: those that stand for themselves are limits and special values of something that counts.
fn has_constants(view: &View<'_>, named: &NamedTy, text: bool) -> bool {
    let package = package_by_path(view.db, view.file, named.package);
    let found = package.and_then(|p| enumerations(view.db, p).get(&named.name).copied());
    found.is_some_and(|grouped| grouped || text)
}

/// The types of a package of which it declares several constants, and whether in one group. Asked for each key, so the constants are gone
/// through once.
#[salsa::tracked(returns(clone))]
fn enumerations(db: &dyn Db, package: PackageId) -> Arc<FxHashMap<Name, bool>> {
    let mut seen: FxHashSet<DeclId> = FxHashSet::default();
    let mut all: FxHashMap<Name, (u32, bool)> = FxHashMap::default();
    for item in package_index(db, package).own_items() {
        let Item::Value(value) = item else { continue };
        if !value.is_const || !seen.insert(value.decl) {
            continue;
        }
        let tree = go_model::db::decl_tree(db, value.decl);
        for (ty, found) in constants(&tree) {
            let (count, grouped) = all.entry(ty).or_default();
            *count += found;
            *grouped |= found >= 2;
        }
    }
    let several = all.into_iter().filter(|(_, (count, _))| *count >= 2);
    Arc::new(several.map(|(ty, (_, grouped))| (ty, grouped)).collect())
}

/// How many constants of which types a declaration has. A line without values repeats the one before it.
fn constants(tree: &DeclTree) -> FxHashMap<Name, u32> {
    let mut found: FxHashMap<Name, u32> = FxHashMap::default();
    let DeclKind::Const(specs) = &tree.kind else {
        return found;
    };
    let name = |expr: ExprId| tree.ident(expr).map(|ident| ident.name);
    let mut last = None;
    for spec in specs {
        last = match (spec.ty, spec.values.first()) {
            (Some(ty), _) => name(ty),
            (None, None) => last,
            (None, Some(value)) => match &tree[tree.unparen(*value)].kind {
                ExprKind::Call { func, args, .. } if args.len() == 1 => name(*func),
                _ => None,
            },
        };
        if let Some(ty) = last {
            *found.entry(ty).or_default() += spec.names.len() as u32;
        }
    }
    found
}
