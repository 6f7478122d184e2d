//! Instantiation of generic functions: explicit type arguments, and inference from arguments and from constraints.

use go_syntax::Name;

use super::Infer;
use crate::types::{Basic, FuncSig, InterfaceTy, Ty, TyKind};

/// Type arguments found so far, in the order of the type parameters.
struct Solver<'s> {
    names: &'s [Name],
    found: Vec<Option<Ty>>,
}

impl Solver<'_> {
    fn get(&self, name: Name) -> Option<Option<Ty>> {
        let i = self.names.iter().position(|n| *n == name)?;
        Some(self.found[i].clone())
    }

    fn set(&mut self, name: Name, ty: &Ty) {
        if let Some(i) = self.names.iter().position(|n| *n == name) {
            self.found[i] = Some(ty.clone());
        }
    }

    /// Replaces what was found; what was not stays.
    fn apply(&self, ty: &Ty) -> Ty {
        ty.substitute(&|name| self.get(name)?)
    }

    fn mentions_open(&self, ty: &Ty) -> bool {
        let seen = std::cell::Cell::new(false);
        ty.substitute(&|name| {
            if let Some(None) = self.get(name) {
                seen.set(true);
            }
            None
        });
        seen.get()
    }
}

impl Infer<'_> {
    /// `f[A, B]`: the remaining type parameters, if any, are left to a call.
    pub(super) fn instantiate_explicitly(&self, sig: &FuncSig, args: &[Ty]) -> Ty {
        let mut solver = Solver {
            names: &sig.type_params,
            found: vec![None; sig.type_params.len()],
        };
        for (slot, arg) in solver.found.iter_mut().zip(args) {
            if !arg.is_unknown() {
                *slot = Some(arg.clone());
            }
        }
        self.solve_constraints(sig, &mut solver);
        Ty::new(TyKind::Func(finish(sig, &solver, false)))
    }

    /// The signature that a call with arguments of these types instantiates.
    pub(super) fn infer_call(&self, sig: &FuncSig, mut args: Vec<Ty>, spread: bool) -> FuncSig {
        // `f(g())` with several results.
        if let [one] = args.as_slice()
            && let TyKind::Tuple(types) = one.kind()
        {
            args = types.clone();
        }
        let mut solver = Solver {
            names: &sig.type_params,
            found: vec![None; sig.type_params.len()],
        };
        let mut untyped: Vec<(Name, Basic)> = Vec::new();
        let last = sig.params.len().saturating_sub(1);
        for (i, arg) in args.iter().enumerate() {
            let param = match sig.params.get(i.min(last)) {
                Some(param) if i >= last && sig.variadic && !spread => match param.kind() {
                    TyKind::Slice(elem) => elem,
                    _ => param,
                },
                Some(param) if i <= last => param,
                _ => break,
            };
            if !param.has_type_param() {
                continue;
            }
            match arg.kind() {
                TyKind::Unknown | TyKind::Basic(Basic::UntypedNil) => {}
                TyKind::Basic(b) if b.is_untyped() => {
                    if let TyKind::TypeParam(name) = param.kind() {
                        untyped.push((*name, *b));
                    }
                }
                TyKind::Func(f) if !f.type_params.is_empty() => {}
                _ => self.unify(param, arg, &mut solver, 0),
            }
        }
        self.solve_constraints(sig, &mut solver);
        let mut defaults: Vec<(Name, Basic)> = Vec::new();
        for (name, basic) in untyped {
            if solver.get(name) != Some(None) {
                continue;
            }
            match defaults.iter_mut().find(|(n, _)| *n == name) {
                Some((_, known)) => *known = (*known).max(basic),
                None => defaults.push((name, basic)),
            }
        }
        for (name, basic) in defaults {
            solver.set(name, &basic.default_type().into());
        }
        self.solve_constraints(sig, &mut solver);
        finish(sig, &solver, true)
    }

    /// Finds type arguments through core types (`S ~[]E`) and methods of constraints.
    fn solve_constraints(&self, sig: &FuncSig, solver: &mut Solver<'_>) {
        for _ in 0..=sig.type_params.len() {
            let before = solver.found.clone();
            for (name, constraint) in sig.type_params.iter().zip(&sig.constraints) {
                let bound = solver.get(*name).flatten();
                if let Some(core) = self.view().core_of(constraint) {
                    match &bound {
                        Some(ty) => {
                            let under = self.underlying(ty);
                            if !under.is_unknown() {
                                self.unify(&core, &under, solver, 0);
                            }
                        }
                        None if !solver.mentions_open(&core) => {
                            let core = solver.apply(&core);
                            solver.set(*name, &core);
                        }
                        None => {}
                    }
                }
                if let Some(ty) = &bound
                    && constraint.has_type_param()
                    && let TyKind::Interface(iface) = self.underlying(constraint).kind()
                {
                    self.unify_methods(iface, ty, solver, 0);
                }
            }
            if before == solver.found {
                break;
            }
        }
    }

    /// Methods may return the interface itself, several times: the depth of such steps is limited to a few.
    fn unify_methods(&self, iface: &InterfaceTy, ty: &Ty, solver: &mut Solver<'_>, depth: u32) {
        for (name, sig) in &iface.methods {
            if let Some(method) = self.view().method(ty, *name).found() {
                let sig = Ty::new(TyKind::Func(sig.clone()));
                self.unify(&sig, &method.ty, solver, depth + 20);
            }
        }
        for embed in &iface.embeds {
            if depth < 50
                && let TyKind::Interface(inner) = self.underlying(embed).kind()
            {
                self.unify_methods(inner, ty, solver, depth + 1);
            }
        }
    }

    /// Finds type arguments that make `param` equal to `arg`, as far as they fit together.
    fn unify(&self, param: &Ty, arg: &Ty, solver: &mut Solver<'_>, depth: u32) {
        if depth > 50 || arg.is_unknown() || !param.has_type_param() {
            return;
        }
        if let TyKind::TypeParam(name) = param.kind()
            && let Some(found) = solver.get(*name)
        {
            match found {
                None => solver.set(*name, arg),
                Some(known) => {
                    // A declared type is preferred to the same type without a name.
                    let named = matches!(arg.kind(), TyKind::Named(_));
                    if named
                        && !matches!(known.kind(), TyKind::Named(_) | TyKind::TypeParam(_))
                        && self.underlying(arg) == known
                        && !matches!(known.kind(), TyKind::Interface(_))
                    {
                        solver.set(*name, arg);
                    } else if let (TyKind::Chan(..), TyKind::Chan(dir, _)) =
                        (known.kind(), arg.kind())
                        && *dir != go_syntax::ast::ChanDir::Both
                    {
                        solver.set(*name, arg);
                    }
                }
            }
            return;
        }
        match (param.kind(), arg.kind()) {
            (TyKind::Named(p), TyKind::Named(a)) => {
                if p.package == a.package && p.name == a.name && p.local == a.local {
                    for (p, a) in p.args.iter().zip(&a.args) {
                        self.unify(p, a, solver, depth + 1);
                    }
                    return;
                }
                // A generic interface that the argument implements.
                if let TyKind::Interface(iface) = self.underlying(param).kind() {
                    self.unify_methods(iface, arg, solver, depth + 1);
                }
            }
            (TyKind::Interface(iface), TyKind::Named(_) | TyKind::Pointer(_)) => {
                self.unify_methods(iface, arg, solver, depth + 1);
            }
            (TyKind::Named(_), TyKind::Pointer(_))
                if matches!(self.underlying(param).kind(), TyKind::Interface(_)) =>
            {
                if let TyKind::Interface(iface) = self.underlying(param).kind() {
                    self.unify_methods(iface, arg, solver, depth + 1);
                }
            }
            (TyKind::Named(_), _) => {
                let under = self.underlying(param);
                if !matches!(under.kind(), TyKind::Named(_)) {
                    self.unify(&under, arg, solver, depth + 1);
                }
            }
            (_, TyKind::Named(_) | TyKind::TypeParam(_)) => {
                let under = self.underlying(arg);
                if !matches!(under.kind(), TyKind::Named(_) | TyKind::TypeParam(_)) {
                    self.unify(param, &under, solver, depth + 1);
                }
            }
            (TyKind::Pointer(p), TyKind::Pointer(a))
            | (TyKind::Slice(p), TyKind::Slice(a))
            | (TyKind::Array(_, p), TyKind::Array(_, a))
            | (TyKind::Chan(_, p), TyKind::Chan(_, a)) => self.unify(p, a, solver, depth + 1),
            (TyKind::Map(pk, pv), TyKind::Map(ak, av)) => {
                self.unify(pk, ak, solver, depth + 1);
                self.unify(pv, av, solver, depth + 1);
            }
            (TyKind::Func(p), TyKind::Func(a))
                if p.params.len() == a.params.len() && p.results.len() == a.results.len() =>
            {
                for (p, a) in p.params.iter().zip(&a.params) {
                    self.unify(p, a, solver, depth + 1);
                }
                for (p, a) in p.results.iter().zip(&a.results) {
                    self.unify(p, a, solver, depth + 1);
                }
            }
            (TyKind::Struct(p), TyKind::Struct(a)) if p.len() == a.len() => {
                for (p, a) in p.iter().zip(a) {
                    self.unify(&p.ty, &a.ty, solver, depth + 1);
                }
            }
            _ => {}
        }
    }
}

/// The signature with what was found. With `close` nothing stays open: type parameters that were not found are unknown.
fn finish(sig: &FuncSig, solver: &Solver<'_>, close: bool) -> FuncSig {
    let get = |name: Name| match solver.get(name)? {
        Some(ty) => Some(ty),
        None if close => Some(Ty::unknown()),
        None => None,
    };
    let many = |types: &[Ty]| types.iter().map(|t| t.substitute(&get)).collect::<Vec<_>>();
    let open = |i: usize| !close && solver.found[i].is_none();
    FuncSig {
        type_params: (0..sig.type_params.len())
            .filter(|&i| open(i))
            .map(|i| sig.type_params[i])
            .collect(),
        constraints: (0..sig.constraints.len().min(sig.type_params.len()))
            .filter(|&i| open(i))
            .map(|i| sig.constraints[i].substitute(&get))
            .collect(),
        params: many(&sig.params),
        results: many(&sig.results),
        variadic: sig.variadic,
    }
}
