//! Fixes: text edits made from a [`FixSite`].
//!
//! A fix is offered only where the edited text is known to compile, to be what `gofmt` writes, and to make the finding disappear. It is
//! safe only where nothing else changes; each rule's documentation argues it.

use std::ops::Range;
use std::sync::Arc;

use go_model::facts::{Callee, Facts, LocalId, LocalKind, Res};
use go_model::types::{Basic, Ty, TyKind};
use go_syntax::ast::{
    DeclKind, DeclTree, ExprId, ExprKind, File, ImportAlias, Param, StmtId, StmtKind,
};
use go_syntax::{Name, TextRange, TextSize};
use rustc_hash::FxHashSet;

use crate::Fix;
use crate::edit::{EditBuilder, usize_range};
use crate::engine::site::{FixKind, FixSite, Trigger};

mod discard;
mod goroutine;
mod memory;
mod nest;
mod pattern;
mod pool;
mod release;
mod retain;
mod wrap;
mod writer;

use nest::Nest;

/// What a fix may look at.
#[derive(Clone, Copy)]
pub struct FixContext<'a> {
    /// The declaration that the site points into.
    pub tree: &'a DeclTree,
    /// The facts about it.
    pub facts: &'a Facts,
    /// Absolute offset of the declaration in `text`.
    pub start: TextSize,
    /// The whole file's text.
    pub text: &'a str,
    /// The whole file.
    pub file: &'a File,
    /// The language version of the file, (1, 26) for Go 1.26.
    pub go: (u16, u16),
    /// Import path of the file's package.
    pub package: Name,
    /// Whether the file's package declares this name, in any of its files: no import can have it.
    pub declared: &'a dyn Fn(Name) -> bool,
    /// The declarations of the file's package, and of its tests, that have a name in them or declare a variable of that name.
    pub naming: &'a dyn Fn(Name) -> Vec<Naming>,
}

/// A declaration that has a name in it.
pub struct Naming {
    /// The declaration.
    pub tree: Arc<DeclTree>,
    /// The facts about it.
    pub facts: Arc<Facts>,
    /// Its absolute offset, if it stands in the file that is mended.
    pub start: Option<TextSize>,
}

/// The fixes for a finding, the preferred one first. Edits are absolute byte ranges of `ctx.text`.
pub fn fixes_for(site: &FixSite, ctx: &FixContext<'_>) -> Vec<Fix> {
    // Half-typed code gets no fix: its structure is guessed.
    if ctx.tree.has_error || usize::from(ctx.start + ctx.tree.len) > ctx.text.len() {
        return Vec::new();
    }
    let cx = Cx {
        ctx,
        site,
        nest: Nest::new(ctx.tree),
    };
    let mut fixes = match site.trigger {
        Trigger::DeferInLoop => wrap::defer_in_loop(&cx),
        Trigger::Pattern(pattern) => pattern::fixes(&cx, pattern),
        _ if site.kind == FixKind::Writer => writer::fixes(&cx),
        Trigger::Discarded | Trigger::NeverScanned => discard::fixes(&cx),
        Trigger::NeverReleased | Trigger::LostOnPath | Trigger::Overwritten => release::fixes(&cx),
    };
    fixes.sort_by_key(|fix| fix.safety == crate::Safety::Unsafe);
    fixes
}

/// A site with everything around it.
struct Cx<'a> {
    ctx: &'a FixContext<'a>,
    site: &'a FixSite,
    nest: Nest<'a>,
}

impl<'a> Cx<'a> {
    fn tree(&self) -> &'a DeclTree {
        self.ctx.tree
    }

    fn facts(&self) -> &'a Facts {
        self.ctx.facts
    }

    /// An item of a package as it is written at the acquisition, with the import it needs. `None` where the name is taken.
    fn qualified(
        &self,
        builder: &mut EditBuilder<'_>,
        path: &str,
        name: &str,
        item: &str,
    ) -> Option<String> {
        if self.ctx.package == path {
            return (!self.shadows(item)).then(|| item.to_owned());
        }
        let imported = self.ctx.file.imports.iter().any(|i| i.path == path);
        if self.shadows(name)
            || self.shadows(item)
            || !imported && (self.ctx.declared)(Name::new(name))
        {
            return None;
        }
        builder.qualified(path, name, item)
    }

    /// The name under which the file has imported a package, where nothing in the declaration hides it.
    fn imported(&self, path: &str, name: &str) -> Option<String> {
        let import = self.ctx.file.imports.iter().find(|i| i.path == path)?;
        let name = match import.alias {
            ImportAlias::None => name,
            ImportAlias::Named(alias) => alias.name.as_str(),
            ImportAlias::Dot | ImportAlias::Blank => return None,
        };
        (!self.shadows(name)).then(|| name.to_owned())
    }

    fn builder(&self) -> EditBuilder<'a> {
        EditBuilder::new(self.ctx.text, self.ctx.file)
    }

    /// Absolute byte range of a range of the declaration.
    fn abs(&self, range: TextRange) -> Range<usize> {
        usize_range(range + self.ctx.start)
    }

    fn stmt_range(&self, stmt: StmtId) -> Range<usize> {
        self.abs(self.tree()[stmt].range)
    }

    /// The source text of a range of the declaration.
    fn src(&self, range: TextRange) -> &'a str {
        self.ctx.text.get(self.abs(range)).unwrap_or_default()
    }

    fn local_of(&self, expr: ExprId) -> Option<LocalId> {
        match self.facts().refs.get(self.tree().unparen(expr))? {
            Res::Local(local) => Some(*local),
            _ => None,
        }
    }

    /// Locals mentioned inside a range of the declaration.
    fn locals_in(&self, range: TextRange) -> FxHashSet<LocalId> {
        self.facts()
            .refs
            .iter()
            .filter_map(|(expr, res)| match res {
                Res::Local(local) if range.contains_range(self.tree()[expr].range) => Some(*local),
                _ => None,
            })
            .collect()
    }

    /// A name that nothing in the declaration has: `base`, `base2`, `base3` …
    fn fresh(&self, base: &str) -> String {
        self.fresh_but(base, &[])
    }

    /// Like [`Self::fresh`], and different from these.
    fn fresh_but(&self, base: &str, taken: &[String]) -> String {
        let used = |name: &str| {
            taken.iter().any(|t| t == name)
                || self
                    .facts()
                    .locals
                    .iter()
                    .any(|(_, l)| l.ident.name == name)
                || self
                    .tree()
                    .exprs
                    .iter()
                    .any(|(_, e)| matches!(e.kind, ExprKind::Ident(n) if n == name))
        };
        if !used(base) {
            return base.to_owned();
        }
        (2..)
            .map(|n| format!("{base}{n}"))
            .find(|name| !used(name))
            .unwrap_or_default()
    }

    /// Whether something declared in the declaration has this name, so that a package of that name might be hidden.
    fn shadows(&self, name: &str) -> bool {
        self.hides(name)
            || self
                .tree()
                .func()
                .is_some_and(|f| f.signature.type_params.iter().any(|p| p.name.name == name))
    }

    /// Whether a variable, constant or type of this name is declared in the body, so that a type of that name might be hidden.
    fn hides(&self, name: &str) -> bool {
        self.facts()
            .locals
            .iter()
            .any(|(_, l)| l.ident.name == name)
            || self.tree().stmts.iter().any(|(_, s)| match &s.kind {
                StmtKind::Type(specs) => specs.iter().any(|t| t.name.name == name),
                _ => false,
            })
    }

    /// Whether another variable of the same function takes the name of `local` between two offsets of the declaration.
    fn rebound(&self, local: LocalId, from: TextSize, to: TextSize) -> bool {
        let this = &self.facts().locals[local];
        self.facts().locals.iter().any(|(id, other)| {
            id != local
                && other.ident.name == this.ident.name
                && from <= other.ident.range.start()
                && other.ident.range.start() <= to
        })
    }

    /// Parameters and results of the function around the acquisition.
    fn signature(&self, literal: Option<ExprId>) -> Option<&'a go_syntax::ast::Signature> {
        match literal {
            None => match &self.tree().kind {
                DeclKind::Func(f) => Some(&f.signature),
                _ => None,
            },
            Some(lit) => match &self.tree()[lit].kind {
                ExprKind::FuncLit(lit) => Some(&lit.signature),
                _ => None,
            },
        }
    }

    /// Locals of the parameters of that function.
    fn params(&self, literal: Option<ExprId>) -> &'a [Option<LocalId>] {
        match literal {
            None => &self.facts().params,
            Some(lit) => self.facts().literals.get(lit).map_or(&[], |l| &l.params),
        }
    }

    /// Locals of its results; empty entries for unnamed ones.
    fn results(&self, literal: Option<ExprId>) -> &'a [Option<LocalId>] {
        match literal {
            None => &self.facts().results,
            Some(lit) => self.facts().literals.get(lit).map_or(&[], |l| &l.results),
        }
    }

    /// The name of the function's own `*testing.T` (or `B`, `F`, `TB`), if it has one.
    fn testing_param(&self, literal: Option<ExprId>) -> Option<&'static str> {
        if !self.site.in_test {
            return None;
        }
        self.params(literal).iter().flatten().find_map(|&local| {
            let local = &self.facts().locals[local];
            let named = local.ty.as_named_or_pointer()?;
            (named.package == "testing"
                && ["T", "B", "F", "TB"].iter().any(|n| named.name == *n)
                && !local.ident.name.is_blank())
            .then(|| local.ident.name.as_str())
        })
    }

    /// The statement that starts the literal as a goroutine.
    fn go_stmt_of(&self, literal: ExprId) -> Option<StmtId> {
        self.tree()
            .stmts
            .iter()
            .find_map(|(id, stmt)| match stmt.kind {
                StmtKind::Go(call) => match &self.tree()[call].kind {
                    ExprKind::Call { func, .. } if self.tree().unparen(*func) == literal => {
                        Some(id)
                    }
                    _ => None,
                },
                _ => None,
            })
    }

    /// Whether a goroutine started in the declaration uses the variable.
    fn used_by_goroutine(&self, local: LocalId) -> bool {
        self.tree().stmts.iter().any(|(_, stmt)| {
            // A goroutine that declares the variable has it for itself.
            matches!(stmt.kind, StmtKind::Go(_))
                && !stmt
                    .range
                    .contains_range(self.facts().locals[local].ident.range)
                && self.locals_in(stmt.range).contains(&local)
        })
    }

    /// Whether the acquisition puts another of its results (the context of a cancel function) where it outlives the function: in a
    /// field, an element, a package-level variable, a named result, or a variable of an outer function.
    fn keeps_other_results(&self) -> bool {
        let Some(stmt) = self.site.acquire.stmt else {
            return false;
        };
        let StmtKind::Assign { lhs, .. } = &self.tree()[stmt].kind else {
            return false;
        };
        lhs.iter().enumerate().any(|(i, &target)| {
            if i == self.site.acquire.result {
                return false;
            }
            match self.local_of(target) {
                Some(local) => {
                    let local = &self.facts().locals[local];
                    !is_plain(&local.ty)
                        && (local.kind == LocalKind::Result || local.owner != self.site.literal)
                }
                None => !self.tree().ident(target).is_some_and(|i| i.name.is_blank()),
            }
        })
    }

    fn has_goto(&self) -> bool {
        self.tree().stmts.iter().any(|(_, s)| {
            matches!(
                s.kind,
                StmtKind::Branch {
                    kind: go_syntax::ast::BranchKind::Goto,
                    ..
                }
            )
        })
    }

    fn callee_is(&self, call: ExprId, package: &str, name: &str) -> bool {
        matches!(self.facts().callees.get(call), Some(Callee::Func(item)) if item.is(package, name))
    }
}

/// Whether a value of the type can neither be a resource nor refer to one: it stays what it is when the resource is closed.
fn is_plain(ty: &Ty) -> bool {
    match ty.kind() {
        TyKind::Basic(basic) => *basic != Basic::UnsafePointer && *basic != Basic::UntypedNil,
        TyKind::Slice(elem) | TyKind::Array(_, elem) => is_plain(elem),
        TyKind::Map(key, value) => is_plain(key) && is_plain(value),
        TyKind::Named(_) => {
            ty.is_error() || ty.is_named("time", "Time") || ty.is_named("time", "Duration")
        }
        TyKind::Tuple(types) => types.iter().all(is_plain),
        _ => false,
    }
}

/// Whether a value of the type reads from what lies below it whenever it is used: readers, scanners, decoders.
fn is_view(ty: &Ty) -> bool {
    ty.as_named_or_pointer().is_some_and(|named| {
        let package = named.package.as_str();
        matches!(package, "bufio" | "io")
            || package.starts_with("compress/")
            || package.starts_with("archive/")
            || named.name.as_str().ends_with("Decoder")
            || named.name.as_str().ends_with("Reader")
    })
}

/// Whether the result parameter is the predeclared `error`, judged by its spelling.
fn is_error_param(tree: &DeclTree, param: &Param) -> bool {
    matches!(tree[param.ty].kind, ExprKind::Ident(name) if name == "error")
}
