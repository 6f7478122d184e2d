//! Which rules look at a declaration: one scan of its names and statements, before anything is resolved.
//!
//! However many rules there are, each call's name is looked up once, in one table that says which rules it concerns. A rule says in
//! [`Declared::needs`] what must be there; the names of what the table of kinds acquires count for the rules of the kinds anyway.

use std::sync::LazyLock;

use go_syntax::ast::{
    ArrayLen, BranchKind, DeclKind, DeclTree, ExprId, ExprKind, StmtKind, UnaryOp,
};
use go_syntax::{Name, TextRange};
use rustc_hash::FxHashMap;

use super::acquire::Names;
use super::find::last_name;
use super::kinds::{self, Named};
use crate::rules::{Declared, declared, unclosed_resource};

/// What occurs in a declaration. A set: [`Syntax::and`] makes larger ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Syntax(u32);

// Rules choose from these; not all of them are chosen at all times.
impl Syntax {
    /// Nothing in particular.
    pub(crate) const NONE: Self = Self(0);
    /// A `go` statement.
    pub(crate) const GO: Self = Self(1);
    /// A `defer`.
    pub(crate) const DEFER: Self = Self(1 << 1);
    /// A `defer` for which, of the loops and function literals around it, the innermost is a loop; or any beside a `goto`.
    pub(crate) const DEFER_IN_LOOP: Self = Self(1 << 2);
    /// `ch <- v`, also as a case.
    pub(crate) const SEND: Self = Self(1 << 3);
    /// `<-ch`, also as a case.
    pub(crate) const RECEIVE: Self = Self(1 << 4);
    /// A `select`.
    pub(crate) const SELECT: Self = Self(1 << 5);
    /// A `for`, or a `goto`.
    pub(crate) const LOOP: Self = Self(1 << 6);
    /// A `for … range`; it is a [`Syntax::LOOP`] too.
    pub(crate) const RANGE: Self = Self(1 << 7);
    /// A function literal.
    pub(crate) const FUNC_LIT: Self = Self(1 << 8);
    /// A composite literal.
    pub(crate) const COMPOSITE: Self = Self(1 << 9);
    /// An assignment to `x[i]`, or `x[i]++`.
    pub(crate) const INDEX_ASSIGN: Self = Self(1 << 10);
    /// An assignment to `x.f`.
    pub(crate) const FIELD_ASSIGN: Self = Self(1 << 11);
    /// `x[a:b]`.
    pub(crate) const SLICE: Self = Self(1 << 12);
    /// A channel type, as in `make(chan T)`.
    pub(crate) const CHAN: Self = Self(1 << 13);
    /// The declaration is a `var`; without this, only functions are looked at.
    pub(crate) const VAR_DECL: Self = Self(1 << 14);
    /// The declaration is a `type`; without this, only functions are looked at.
    pub(crate) const TYPE_DECL: Self = Self(1 << 15);

    /// All of both.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn has(self, all: Self) -> bool {
        self.0 & all.0 == all.0
    }

    const fn any(self, some: Self) -> bool {
        self.0 & some.0 != 0
    }

    fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// What must be in a declaration before a rule looks at it. It may be far too much, but never too little.
#[derive(Debug)]
pub(crate) struct Need {
    /// One of these must be the last name of something that is called, or of a type in a composite literal or `new`; any will do
    /// if there are none.
    names: &'static [&'static str],
    /// All of this must be there.
    syntax: Syntax,
}

impl Need {
    /// One of these names.
    pub(crate) const fn names(names: &'static [&'static str]) -> Self {
        Self {
            names,
            syntax: Syntax::NONE,
        }
    }

    /// All of this.
    pub(crate) const fn syntax(syntax: Syntax) -> Self {
        Self { names: &[], syntax }
    }

    /// One of the names and all of this.
    pub(crate) const fn and(self, syntax: Syntax) -> Self {
        Self {
            names: self.names,
            syntax: self.syntax.and(syntax),
        }
    }
}

/// A set of small numbers.
#[derive(Debug, Clone, Copy, Default)]
struct Set([u64; 4]);

impl Set {
    const MAX: usize = 256;

    fn insert(&mut self, n: usize) {
        self.0[n / 64] |= 1 << (n % 64);
    }

    fn has(&self, n: usize) -> bool {
        self.0[n / 64] & (1 << (n % 64)) != 0
    }

    fn extend(&mut self, other: &Self) {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            *a |= b;
        }
    }
}

/// What a name means to the rules.
#[derive(Debug, Default)]
struct Entry {
    /// Rules for which something of this name acquires.
    kinds: Set,
    /// Something of this name has a single result, so that a call of it may stand anywhere.
    single: bool,
    /// Needs that it fulfils.
    needs: Set,
}

struct Table {
    rules: Vec<&'static Declared>,
    /// With the number of the rule.
    needs: Vec<(usize, &'static Need)>,
    names: FxHashMap<Name, Entry>,
    /// What any need asks for.
    asked: Syntax,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let rules: Vec<_> = declared().collect();
    let mut table = Table {
        needs: Vec::new(),
        names: FxHashMap::default(),
        asked: Syntax::NONE,
        rules,
    };
    for (number, rule) in table.rules.iter().enumerate() {
        for need in rule.needs {
            for name in need.names {
                let entry = table.names.entry(Name::new(name)).or_default();
                entry.needs.insert(table.needs.len());
            }
            table.asked.add(need.syntax);
            table.needs.push((number, need));
        }
    }
    assert!(table.rules.len() <= Set::MAX && table.needs.len() <= Set::MAX);
    let owners = (table.rules.iter()).position(|rule| rule.name == unclosed_resource::RULE.name);
    for (name, named) in kinds::names() {
        let entry = table.names.entry(name).or_default();
        entry.single |= named.single;
        // A function of this name that is not in the table, also one of a dependency, may make an owner.
        if let Some(number) = owners {
            entry.kinds.insert(number);
        }
        for rule in &named.rules {
            if let Some(number) = table.rules.iter().position(|r| r.name == *rule) {
                entry.kinds.insert(number);
            }
        }
    }
    table
});

/// The rules that may have something to say about a declaration.
pub(crate) fn wanted_rules(names: &Names, tree: &DeclTree) -> Vec<&'static Declared> {
    let table = &*TABLE;
    let mut scan = Scan {
        names,
        tree,
        table,
        kinds: Set::default(),
        hits: Set::default(),
        seen: Syntax::NONE,
    };
    match tree.kind {
        DeclKind::Func(_) => {}
        DeclKind::Var(_) if table.asked.has(Syntax::VAR_DECL) => scan.seen.add(Syntax::VAR_DECL),
        DeclKind::Type(_) if table.asked.has(Syntax::TYPE_DECL) => scan.seen.add(Syntax::TYPE_DECL),
        _ => return Vec::new(),
    }
    scan.expressions();
    scan.statements();
    scan.result()
}

struct Scan<'a> {
    names: &'a Names,
    tree: &'a DeclTree,
    table: &'static Table,
    kinds: Set,
    hits: Set,
    seen: Syntax,
}

impl Scan<'_> {
    fn entry(&self, name: Name) -> Option<&'static Entry> {
        self.table.names.get(&name)
    }

    /// A call whose results, however many, are used here.
    fn acquires(&mut self, call: ExprId) {
        let ExprKind::Call { func, .. } = &self.tree[self.tree.unparen(call)].kind else {
            return;
        };
        let Some(name) = last_name(self.tree, *func) else {
            return;
        };
        if let Some(entry) = self.entry(name) {
            self.kinds.extend(&entry.kinds);
        }
        if let Some(named) = self.names.get(name) {
            self.named(named);
        }
    }

    /// What is known only at run time.
    fn named(&mut self, named: &Named) {
        for rule in &named.rules {
            if let Some(number) = self.table.rules.iter().position(|r| r.name == *rule) {
                self.kinds.insert(number);
            }
        }
    }

    fn expressions(&mut self) {
        let tree = self.tree;
        for (_, expr) in tree.exprs.iter() {
            match &expr.kind {
                ExprKind::Call { func, args, .. } => {
                    let name = last_name(tree, *func);
                    if let Some(entry) = name.and_then(|name| self.entry(name)) {
                        self.hits.extend(&entry.needs);
                        if entry.single {
                            self.kinds.extend(&entry.kinds);
                        }
                    }
                    if let Some(named) = name.and_then(|name| self.names.get(name))
                        && named.single
                    {
                        self.named(named);
                    }
                    // Several results may be handed on to another call, as in `must(os.Open(name))`.
                    if let [only] = args[..] {
                        self.acquires(only);
                        if name.is_some_and(|name| name == "new") {
                            self.made(only);
                        }
                    }
                }
                ExprKind::Composite { ty, .. } => {
                    self.seen.add(Syntax::COMPOSITE);
                    if let Some(ty) = ty {
                        self.made(*ty);
                    }
                }
                ExprKind::FuncLit(_) => self.seen.add(Syntax::FUNC_LIT),
                ExprKind::Unary {
                    op: UnaryOp::Receive,
                    ..
                } => self.seen.add(Syntax::RECEIVE),
                ExprKind::Slice { .. } => self.seen.add(Syntax::SLICE),
                ExprKind::ChanType { .. } => self.seen.add(Syntax::CHAN),
                _ => {}
            }
        }
    }

    /// A type of which a value is made.
    fn made(&mut self, ty: ExprId) {
        let mut ty = self.tree.unparen(ty);
        if let ExprKind::ArrayType {
            elem,
            len: ArrayLen::Slice | ArrayLen::Auto | ArrayLen::Expr(_),
        } = self.tree[ty].kind
        {
            ty = elem;
        }
        if let Some(entry) = last_name(self.tree, ty).and_then(|name| self.entry(name)) {
            self.hits.extend(&entry.needs);
        }
    }

    fn statements(&mut self) {
        let tree = self.tree;
        let (mut defers, mut loops, mut jumps) = (Vec::new(), Vec::new(), false);
        for (_, stmt) in tree.stmts.iter() {
            match &stmt.kind {
                // A call with several results stands alone on a right-hand side, or is a statement of its own.
                StmtKind::Assign { lhs, rhs, .. } => {
                    if lhs.len() > 1
                        && let [only] = rhs[..]
                    {
                        self.acquires(only);
                    }
                    for target in lhs {
                        match tree[tree.unparen(*target)].kind {
                            ExprKind::Index { .. } => self.seen.add(Syntax::INDEX_ASSIGN),
                            ExprKind::Selector { .. } => self.seen.add(Syntax::FIELD_ASSIGN),
                            _ => {}
                        }
                    }
                }
                StmtKind::Expr(e) => self.acquires(*e),
                StmtKind::Var(specs) => {
                    for spec in specs {
                        if let [value] = spec.values[..]
                            && spec.names.len() > 1
                        {
                            self.acquires(value);
                        }
                    }
                }
                StmtKind::IncDec { operand, .. }
                    if matches!(tree[tree.unparen(*operand)].kind, ExprKind::Index { .. }) =>
                {
                    self.seen.add(Syntax::INDEX_ASSIGN);
                }
                StmtKind::Go(_) => self.seen.add(Syntax::GO),
                StmtKind::Defer(_) => defers.push(stmt.range),
                StmtKind::Send { .. } => self.seen.add(Syntax::SEND),
                StmtKind::Select { .. } => self.seen.add(Syntax::SELECT),
                StmtKind::For { body, .. } => loops.push(body.range),
                StmtKind::Range { body, .. } => {
                    self.seen.add(Syntax::RANGE);
                    loops.push(body.range);
                }
                StmtKind::Branch {
                    kind: BranchKind::Goto,
                    ..
                } => jumps = true,
                _ => {}
            }
        }
        if jumps || !loops.is_empty() {
            self.seen.add(Syntax::LOOP);
        }
        if !defers.is_empty() {
            self.seen.add(Syntax::DEFER);
            if jumps || in_loop(tree, &defers, &loops) {
                self.seen.add(Syntax::DEFER_IN_LOOP);
            }
        }
    }

    fn result(&self) -> Vec<&'static Declared> {
        let is_func = matches!(self.tree.kind, DeclKind::Func(_));
        let mut wanted = if is_func { self.kinds } else { Set::default() };
        for (number, (rule, need)) in self.table.needs.iter().enumerate() {
            let whole = Syntax::VAR_DECL.and(Syntax::TYPE_DECL);
            if self.seen.has(need.syntax)
                && (need.names.is_empty() || self.hits.has(number))
                && (is_func || need.syntax.any(whole))
            {
                wanted.insert(*rule);
            }
        }
        if wanted.0 == [0; 4] {
            return Vec::new();
        }
        (self.table.rules.iter().enumerate())
            .filter(|(number, _)| wanted.has(*number))
            .map(|(_, rule)| *rule)
            .collect()
    }
}

/// Whether of the loops and literals around one of the `defer`s the innermost is a loop.
fn in_loop(tree: &DeclTree, defers: &[TextRange], loops: &[TextRange]) -> bool {
    if loops.is_empty() {
        return false;
    }
    let innermost = |defer: TextRange, ranges: &mut dyn Iterator<Item = TextRange>| {
        ranges
            .filter(|r| r.contains_range(defer))
            .map(TextRange::len)
            .min()
    };
    defers.iter().any(|&defer| {
        let Some(body) = innermost(defer, &mut loops.iter().copied()) else {
            return false;
        };
        let literal = innermost(
            defer,
            &mut tree.exprs.iter().filter_map(|(_, e)| match &e.kind {
                ExprKind::FuncLit(lit) => Some(lit.body.range),
                _ => None,
            }),
        );
        literal.is_none_or(|literal| body < literal)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(body: &str) -> (Vec<&'static str>, Syntax) {
        let text = format!("package a\n\nfunc f() {{\n{body}\n}}\n");
        let file = go_syntax::parse_file(&text).file;
        let tree = &file.decls[0].tree;
        let mut scan = Scan {
            names: &Names::none(),
            tree,
            table: &TABLE,
            kinds: Set::default(),
            hits: Set::default(),
            seen: Syntax::NONE,
        };
        scan.expressions();
        scan.statements();
        let rules = scan.result().iter().map(|r| r.name).collect();
        (rules, scan.seen)
    }

    #[test]
    fn nothing_is_wanted_for_nothing() {
        assert_eq!(seen("x := 1\n_ = x"), (vec![], Syntax::NONE));
    }

    #[test]
    fn kinds_count_by_the_names_of_what_acquires() {
        let (rules, _) = seen("file, err := os.Open(name)");
        assert!(rules.contains(&"unclosed-file"), "{rules:?}");
        let (rules, _) = seen("file := must(os.Open(name))");
        assert!(rules.contains(&"unclosed-file"), "{rules:?}");
        // A single value cannot be what `os.Open` gives.
        let (rules, _) = seen("x := win.Open(name)");
        assert!(!rules.contains(&"unclosed-file"), "{rules:?}");
        let (rules, _) = seen("use(1, time.NewTicker(d))");
        assert!(rules.contains(&"unstopped-ticker"), "{rules:?}");
    }

    #[test]
    fn syntax_is_seen() {
        let has = |body: &str, syntax: Syntax| seen(body).1.has(syntax);
        assert!(has("go f()", Syntax::GO));
        assert!(has(
            "select { case ch <- 1: case <-done: }",
            Syntax::SELECT.and(Syntax::SEND).and(Syntax::RECEIVE)
        ));
        assert!(has(
            "for range xs { defer f() }",
            Syntax::DEFER_IN_LOOP.and(Syntax::RANGE)
        ));
        assert!(!has(
            "for { func() { defer f() }() }",
            Syntax::DEFER_IN_LOOP
        ));
        assert!(has(
            "func() { for { defer f() } }()",
            Syntax::DEFER_IN_LOOP.and(Syntax::FUNC_LIT)
        ));
        assert!(has("m[k] = v", Syntax::INDEX_ASSIGN));
        assert!(has("m[k]++", Syntax::INDEX_ASSIGN));
        assert!(has("x.f, y = a, b", Syntax::FIELD_ASSIGN));
        assert!(has("x = x[1:]", Syntax::SLICE));
        assert!(has("ch := make(chan int)", Syntax::CHAN));
        assert!(has("t := &http.Transport{}", Syntax::COMPOSITE));
    }
}
