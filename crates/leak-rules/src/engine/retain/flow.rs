//! Where a large buffer goes, and which parts of it outlive the function.
//!
//! From the variable that holds the buffer every use is followed: parts are taken, named, put into literals, until something harmless
//! ends the way, a part is kept, or the whole goes where nobody knows what becomes of it. Then nothing can be said: the whole may be
//! wanted there.

use go_model::facts::{Callee, LocalId, LocalKind, Res};
use go_model::summary::{Fate, FlowKind, Keep, ParamEffect, Slot};
use go_model::types::{Basic, TyKind};
use go_syntax::ast::{AssignOp, ExprId, ExprKind, StmtId, StmtKind, UnaryOp};
use go_syntax::{Name, TextRange, TextSize};
use rustc_hash::FxHashMap;

use super::buffer::Buffer;
use super::number::integer;
use crate::engine::find::enclosing_literal;
use crate::engine::function::{Declaration, Target};

/// A part of this size is small, whatever is read.
const SMALL: i128 = 1024;

/// How much of the buffer a value shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Share {
    /// All of it, or what is left behind a beginning.
    All,
    /// Nobody knows how much.
    Some,
    /// Now and then it shows something else.
    Mixed,
    /// It is a slice of small parts: lines or words.
    Pieces,
    /// A small part.
    Small,
}

/// A value that shows a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct View {
    share: Share,
    /// It is a string: a copy of the buffer, and as large.
    text: bool,
    /// It holds the view rather than being it.
    inside: bool,
    /// One after the other is looked at in a loop.
    each: bool,
    /// Where the small part is taken.
    part: Option<ExprId>,
}

impl View {
    fn is_small(self) -> bool {
        self.share == Share::Small
    }

    fn with(self, share: Share) -> Self {
        Self { share, ..self }
    }

    /// A small part is taken here, unless it was taken before.
    fn taken(self, at: ExprId) -> Self {
        let part = self.is_small().then(|| self.part.unwrap_or(at));
        Self { part, ..self }
    }

    fn held(self) -> Self {
        Self {
            inside: true,
            ..self
        }
    }
}

/// How a part is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// It is returned, or something that holds it.
    Returned,
    /// It is sent on a channel.
    Sent,
    /// It is stored in a package-level variable or something that is reached from one.
    Global,
    /// It is stored in something that came in: a field, a map, an element.
    Stored,
    /// A function that is called stores it.
    Given,
}

/// A small part that outlives the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Where it is taken.
    pub(crate) part: ExprId,
    pub(crate) how: How,
    /// Where it is kept.
    pub(crate) at: TextRange,
    /// It is a string.
    pub(crate) text: bool,
}

/// What becomes of a buffer.
pub(crate) struct Outcome {
    /// Small parts that outlive the function; nothing else of the buffer does.
    pub(crate) kept: Vec<Kept>,
    /// Where the buffer may be written to.
    pub(crate) written: Vec<TextSize>,
}

/// Follows a buffer. `None` if all of it may be kept, or nobody knows.
pub(crate) fn follow(d: &Declaration<'_>, buffer: &Buffer) -> Option<Outcome> {
    let mut flow = Flow {
        d,
        buffer,
        statements: FxHashMap::default(),
        views: FxHashMap::default(),
        open: Vec::new(),
        own_values: 0,
        kept: Vec::new(),
        written: Vec::new(),
    };
    let about = &d.facts.locals[buffer.local];
    if about.kind != LocalKind::Var || about.address_taken || about.owner != buffer.literal {
        return None;
    }
    for (stmt, _) in d.tree.stmts.iter() {
        d.tree.for_each_child_expr(stmt, |expr| {
            flow.statements.insert(expr, stmt);
        });
    }
    let whole = View {
        share: Share::All,
        text: false,
        inside: false,
        each: false,
        part: None,
    };
    flow.name(buffer.local, whole)?;
    while let Some(local) = flow.open.pop() {
        for (mention, _) in d.mentions(local).to_vec() {
            flow.mention(local, mention)?;
        }
    }
    // Other buffers in the same variable are followed for themselves.
    let others = super::buffer::buffers(d);
    let buffers = others.iter().filter(|b| b.local == buffer.local).count();
    (about.assignments as usize == buffers + flow.own_values).then_some(Outcome {
        kept: flow.kept,
        written: flow.written,
    })
}

struct Flow<'a> {
    d: &'a Declaration<'a>,
    buffer: &'a Buffer,
    /// The statement right around an expression.
    statements: FxHashMap<ExprId, StmtId>,
    /// A variable that holds several parts has a view of each.
    views: FxHashMap<LocalId, Vec<View>>,
    open: Vec<LocalId>,
    /// How often the buffer's variable gets a part of itself.
    own_values: usize,
    kept: Vec<Kept>,
    written: Vec<TextSize>,
}

/// `None` from any step means that nothing can be said about the buffer.
impl Flow<'_> {
    /// A variable gets a view.
    fn name(&mut self, local: LocalId, view: View) -> Option<()> {
        let known = self.views.entry(local).or_default();
        if known.contains(&view) {
            return Some(());
        }
        let holds = |view: &View| view.inside && view.is_small();
        if known.is_empty() || known.iter().chain([&view]).all(holds) {
            known.push(view);
            self.open.push(local);
            return Some(());
        }
        let mixes = known
            .iter()
            .any(|k| k.is_small() || k.inside != view.inside);
        (view.is_small() || !mixes).then_some(())
    }

    /// What may happen to a view that nobody follows: of a small one nothing is known then, of a large one nothing can be said.
    fn lost(&self, view: View) -> Option<()> {
        view.is_small().then_some(())
    }

    fn mention(&mut self, local: LocalId, mention: ExprId) -> Option<()> {
        let views = self.views.get(&local)?.clone();
        let range = self.d.tree[mention].range;
        if self.d.facts.locals[local].ident.range == range || self.is_target(mention) {
            return Some(());
        }
        if enclosing_literal(self.d.tree, range) != self.buffer.literal {
            return views.into_iter().try_for_each(|view| self.lost(view));
        }
        (views.into_iter()).try_for_each(|view| self.climb(mention, view))
    }

    /// Whether an expression is itself assigned to.
    fn is_target(&self, expr: ExprId) -> bool {
        (self.statements.get(&expr)).is_some_and(|stmt| match &self.d.tree[*stmt].kind {
            StmtKind::Assign {
                lhs,
                op: AssignOp::Assign | AssignOp::Define,
                ..
            } => lhs.contains(&expr),
            StmtKind::Range { key, value, .. } => *key == Some(expr) || *value == Some(expr),
            _ => false,
        })
    }

    /// From an expression with a view to what becomes of it.
    fn climb(&mut self, from: ExprId, view: View) -> Option<()> {
        let (mut expr, mut view) = (from, view);
        loop {
            let Some(parent) = self.d.parent(expr) else {
                return self.statement(expr, view, 0);
            };
            match &self.d.tree[parent].kind {
                ExprKind::Paren(_) => {}
                ExprKind::Slice {
                    base, low, high, ..
                } => {
                    if *base != expr {
                        return Some(());
                    }
                    view = self.sliced(parent, view, *low, *high);
                }
                ExprKind::Index { base, indices } => {
                    if *base != expr {
                        return self.key(parent, view, from);
                    }
                    if view.inside {
                        return self.lost(view);
                    }
                    if view.share != Share::Pieces {
                        // One byte.
                        if self.is_target(parent) {
                            self.written.push(self.d.tree[parent].range.start());
                        }
                        return Some(());
                    }
                    view.share = Share::Small;
                    view.each |= !self.is_fixed(indices);
                }
                ExprKind::Selector { .. } => return self.selected(parent, view),
                ExprKind::Unary {
                    op: UnaryOp::Address,
                    ..
                } if view.inside => {}
                ExprKind::Unary { .. } | ExprKind::Star(_) => return self.lost(view),
                ExprKind::Binary { .. } => return Some(()),
                ExprKind::Composite { .. } => {
                    view = view.taken(expr).held();
                }
                ExprKind::Call { func, args, .. } => {
                    if *func == expr {
                        return self.lost(view);
                    }
                    let index = args.iter().position(|a| *a == expr)?;
                    if let Some((before, after)) = self.cut(parent, index, view) {
                        self.statement(parent, before, 0)?;
                        return self.statement(parent, after, 1);
                    }
                    match self.passed(parent, expr, index, view)? {
                        Passed::Ends => return Some(()),
                        Passed::Gives(result, next) if result > 0 => {
                            return self.statement(parent, next, result);
                        }
                        Passed::Gives(_, next) => view = next,
                    }
                }
                _ => return self.lost(view),
            }
            expr = parent;
        }
    }

    /// Whether an index is constant, or the last one.
    fn is_fixed(&self, indices: &[ExprId]) -> bool {
        let [only] = indices else { return false };
        integer(self.d, *only).is_some()
            || matches!(&self.d.tree[self.d.tree.unparen(*only)].kind, ExprKind::Binary { lhs, .. }
                if matches!(self.d.facts.callees.get(self.d.tree.unparen(*lhs)), Some(Callee::Builtin(name)) if *name == "len"))
    }

    fn sliced(&self, expr: ExprId, view: View, low: Option<ExprId>, high: Option<ExprId>) -> View {
        if view.inside || !matches!(view.share, Share::All | Share::Some) {
            return view;
        }
        let number = |e: ExprId| integer(self.d, e);
        let count = match (low, high) {
            (None, Some(high)) => number(high),
            (Some(low), Some(high)) => match (number(low), number(high)) {
                (Some(low), Some(high)) => Some(high - low),
                _ => self.beyond(low, high),
            },
            (Some(low), None) if number(low).is_some() => return view,
            (None, None) => return view,
            _ => None,
        };
        // The beginning of what is cut off at its beginning may be any part.
        let small = count.is_some_and(|count| match self.buffer.size {
            Some(size) => count >= 0 && count * 4 <= size,
            None => (0..=SMALL).contains(&count),
        });
        if small {
            view.with(Share::Small).taken(expr)
        } else {
            view.with(Share::Some)
        }
    }

    /// The constant `n` of `low` and `low + n`.
    fn beyond(&self, low: ExprId, high: ExprId) -> Option<i128> {
        let tree = self.d.tree;
        let ExprKind::Binary {
            op: go_syntax::ast::BinaryOp::Add,
            lhs,
            rhs,
        } = tree[tree.unparen(high)].kind
        else {
            return None;
        };
        let same = |e: ExprId| {
            let of = |e: ExprId| self.d.facts.refs.get(tree.unparen(e));
            matches!(of(e), Some(Res::Local(_))) && of(e) == of(low)
        };
        if same(lhs) {
            integer(self.d, rhs)
        } else if same(rhs) {
            integer(self.d, lhs)
        } else {
            None
        }
    }

    /// A view is the key of an index expression.
    fn key(&mut self, index: ExprId, view: View, key: ExprId) -> Option<()> {
        let ExprKind::Index { base, .. } = self.d.tree[index].kind else {
            return self.lost(view);
        };
        let is_map = (self.d.facts.types.get(base))
            .is_some_and(|ty| matches!(ty.kind(), TyKind::Map(..) | TyKind::Named(_)));
        if !is_map || !self.is_target(index) {
            return Some(());
        }
        self.store(index, view.taken(key).held())
    }

    /// A field or a method of something.
    fn selected(&mut self, selector: ExprId, view: View) -> Option<()> {
        let Some(call) = self.d.parent(selector) else {
            // A field of what holds the view, read or set.
            return if view.inside {
                Some(())
            } else {
                self.lost(view)
            };
        };
        let calls =
            matches!(&self.d.tree[call].kind, ExprKind::Call { func, .. } if *func == selector);
        if !calls {
            return if view.inside {
                Some(())
            } else {
                self.lost(view)
            };
        }
        match self.d.summary(call) {
            Some(summary) if summary.receiver.only_borrows() => Some(()),
            _ => self.lost(view),
        }
    }

    /// A view is an argument.
    fn passed(&mut self, call: ExprId, expr: ExprId, index: usize, view: View) -> Option<Passed> {
        let ends = Some(Passed::Ends);
        match self.d.facts.callees.get(call) {
            Some(Callee::Builtin(name)) => return self.builtin(call, *name, index, view),
            Some(Callee::Conversion) => return Some(self.converted(call, view)),
            _ => {}
        }
        let target = self.d.target(call);
        if let Some(target) = target {
            if target.package == "fmt" || is_clone(&target) {
                return ends;
            }
            if let Some(passed) = self.known(&target, call, index, view) {
                return Some(passed);
            }
        }
        let Some(summary) = self.d.summary(call) else {
            return self.lost(view).map(|()| Passed::Ends);
        };
        let effect = summary.param(index);
        if effect.only_borrows() {
            if !view.is_small() && target.is_none_or(|t| !is_reading(&t)) {
                self.written.push(self.d.tree[call].range.start());
            }
            return ends;
        }
        if let Fate::Kept(keep) = effect.fate {
            if view.is_small() && self.is_long(call, keep) {
                if view.each {
                    return None;
                }
                self.keep(view, expr, How::Given, self.d.tree[call].range);
            }
            return self.lost(view).map(|()| Passed::Ends);
        }
        if effect.fate == Fate::Borrowed
            && let Some(result) = seen_through(effect)
            && !view.is_small()
        {
            return Some(Passed::Gives(result, view.with(Share::Mixed)));
        }
        self.lost(view).map(|()| Passed::Ends)
    }

    /// What `Cut` gives of a text: what is before and what is behind the first separator.
    fn cut(&self, call: ExprId, index: usize, view: View) -> Option<(View, View)> {
        let target = self.d.target(call)?;
        let cuts = target.is_func("strings", "Cut") || target.is_func("bytes", "Cut");
        if !cuts || index != 0 || view.inside {
            return None;
        }
        if view.is_small() {
            return Some((view, view));
        }
        let before = match view.share {
            Share::All | Share::Some if self.is_between_words(call) => Share::Small,
            Share::Mixed => Share::Mixed,
            _ => Share::Some,
        };
        Some((view.with(before), view.with(view.share)))
    }

    fn builtin(&mut self, call: ExprId, name: Name, index: usize, view: View) -> Option<Passed> {
        let ExprKind::Call { spread, .. } = self.d.tree[call].kind else {
            return None;
        };
        match name.as_str() {
            "append" if index == 0 => Some(Passed::Gives(
                0,
                match view.share {
                    Share::Small if !view.inside => view.with(Share::Mixed),
                    _ => view,
                },
            )),
            "append" if spread && !view.inside && view.share != Share::Pieces => Some(Passed::Ends),
            "append" => {
                let ExprKind::Call { args, .. } = &self.d.tree[call].kind else {
                    return None;
                };
                if view.each || view.share == Share::Pieces {
                    // All of the pieces, one after the other.
                    return None;
                }
                Some(Passed::Gives(0, view.taken(args[index]).held()))
            }
            "copy" if index == 0 => {
                self.written.push(self.d.tree[call].range.start());
                Some(Passed::Ends)
            }
            "clear" => {
                self.written.push(self.d.tree[call].range.start());
                Some(Passed::Ends)
            }
            _ => Some(Passed::Ends),
        }
    }

    /// A conversion copies between bytes and strings.
    fn converted(&self, call: ExprId, view: View) -> Passed {
        if view.inside {
            return Passed::Gives(0, view);
        }
        let to_text = self.d.facts.types.get(call).map(|ty| match ty.kind() {
            TyKind::Basic(basic) => basic.is_string(),
            TyKind::Slice(_) => false,
            // A declared type may be either.
            _ => view.text,
        });
        match to_text {
            Some(text) if text == view.text => Passed::Gives(0, view),
            Some(_) if view.is_small() => Passed::Ends,
            Some(text) => Passed::Gives(0, View { text, ..view }),
            None => Passed::Gives(0, view.with(Share::Mixed)),
        }
    }

    /// Functions of which it is known what part they give.
    fn known(&self, target: &Target, call: ExprId, index: usize, view: View) -> Option<Passed> {
        let share = view.share;
        let gives = |result, share| Some(Passed::Gives(result, view.with(share)));
        let package = target.package.as_str();
        let name = target.name.as_str();
        if package == "regexp" && target.ty.is_some_and(|t| t == "Regexp") {
            return match name {
                "Find" | "FindString" if index == 0 => gives(0, Share::Small),
                "FindSubmatch" | "FindStringSubmatch" if index == 0 => gives(0, Share::Pieces),
                _ => None,
            };
        }
        if !matches!(package, "bytes" | "strings") || target.ty.is_some() || index != 0 {
            return None;
        }
        let cut = || self.is_between_words(call);
        match name {
            "Trim" | "TrimLeft" | "TrimRight" | "TrimSpace" | "TrimPrefix" | "TrimSuffix"
            | "TrimFunc" | "TrimLeftFunc" | "TrimRightFunc" => gives(0, share),
            // Parts of a small part are small.
            "Split" | "SplitN" | "SplitAfter" | "SplitAfterN" | "Fields" | "FieldsFunc"
                if view.is_small() =>
            {
                gives(0, Share::Pieces)
            }
            _ if view.is_small() => None,
            "Fields" | "Lines" | "FieldsSeq" => gives(0, Share::Pieces),
            "Split" | "SplitSeq" | "SplitAfter" | "SplitAfterSeq" if cut() => {
                gives(0, Share::Pieces)
            }
            _ => None,
        }
    }

    /// Whether a text is cut between lines or words.
    fn is_between_words(&self, call: ExprId) -> bool {
        let ExprKind::Call { args, .. } = &self.d.tree[call].kind else {
            return false;
        };
        let Some(separator) = args.get(1) else {
            return false;
        };
        let mut separator = self.d.tree.unparen(*separator);
        if let ExprKind::Call { args, .. } = &self.d.tree[separator].kind
            && let [only] = args[..]
        {
            separator = only;
        }
        (self.d.tree.string_value(separator))
            .is_some_and(|s| matches!(s.as_str(), "\n" | "\r\n" | " " | "\t"))
    }

    /// Whether what a call stores something in outlives this function.
    fn is_long(&self, call: ExprId, keep: Keep) -> bool {
        let ExprKind::Call { func, args, .. } = &self.d.tree[call].kind else {
            return false;
        };
        match keep {
            Keep::Process | Keep::Elsewhere => true,
            Keep::Slot(Slot::Receiver) => match self.d.tree[self.d.tree.unparen(*func)].kind {
                ExprKind::Selector { base, .. } => self.outlives(base).is_some(),
                _ => false,
            },
            Keep::Slot(Slot::Param(i)) => {
                (args.get(usize::from(i))).is_some_and(|arg| self.outlives(*arg).is_some())
            }
            Keep::Slot(Slot::Capture(_)) => false,
        }
    }

    /// How something is reached that was there before the function was called.
    fn outlives(&self, place: ExprId) -> Option<How> {
        let tree = self.d.tree;
        let mut at = tree.unparen(place);
        for _ in 0..32 {
            if let Some(Res::Package(_)) = self.d.facts.refs.get(at) {
                return Some(How::Global);
            }
            match &tree[at].kind {
                ExprKind::Selector { base, .. }
                | ExprKind::Index { base, .. }
                | ExprKind::Star(base)
                | ExprKind::Unary {
                    op: UnaryOp::Address,
                    operand: base,
                } => at = tree.unparen(*base),
                ExprKind::Ident(_) => {
                    let Some(Res::Local(local)) = self.d.facts.refs.get(at) else {
                        return None;
                    };
                    let about = &self.d.facts.locals[*local];
                    let shares = matches!(
                        about.ty.kind(),
                        TyKind::Pointer(_) | TyKind::Map(..) | TyKind::Chan(..)
                    );
                    match about.kind {
                        LocalKind::Receiver | LocalKind::Param if shares => {
                            return Some(How::Stored);
                        }
                        LocalKind::Var if shares => {
                            let (value, _) = self.d.only_value(*local)?;
                            let value = tree.unparen(value);
                            if !matches!(
                                tree[value].kind,
                                ExprKind::Selector { .. } | ExprKind::Index { .. }
                            ) {
                                return None;
                            }
                            at = value;
                        }
                        _ => return None,
                    }
                }
                _ => return None,
            }
        }
        None
    }

    /// What a statement does with an expression right in it; `result` says which of its results is meant.
    fn statement(&mut self, expr: ExprId, view: View, result: usize) -> Option<()> {
        let Some(stmt) = self.statements.get(&expr).copied() else {
            return self.lost(view);
        };
        // One of several results is taken where it is used.
        let several =
            (self.d.facts.types.get(expr)).is_none_or(|ty| matches!(ty.kind(), TyKind::Tuple(_)));
        let view = if several { view } else { view.taken(expr) };
        let range = self.d.tree[stmt].range;
        match &self.d.tree[stmt].kind {
            StmtKind::Return(_) => {
                if !view.is_small() {
                    return None;
                }
                if !view.text {
                    self.keep(view, expr, How::Returned, range);
                }
                Some(())
            }
            StmtKind::Send { value, .. } if *value == expr => {
                if !view.is_small() || view.each {
                    return self.lost(view.with(Share::All));
                }
                self.keep(view, expr, How::Sent, self.d.tree[expr].range);
                Some(())
            }
            StmtKind::Assign { lhs, op, rhs } => {
                let Some(at) = rhs.iter().position(|r| *r == expr) else {
                    // On the left: what it is reached through.
                    return Some(());
                };
                if matches!(op, AssignOp::Op(_)) {
                    return Some(());
                }
                let target = if lhs.len() == rhs.len() { at } else { result };
                self.store(*lhs.get(target)?, view)
            }
            StmtKind::Var(specs) => {
                for spec in specs {
                    if let Some(at) = spec.values.iter().position(|v| *v == expr) {
                        let target = if spec.names.len() == spec.values.len() {
                            at
                        } else {
                            result
                        };
                        let local = self.d.declared_at(spec.names.get(target)?.range)?;
                        return self.assign(local, view);
                    }
                }
                None
            }
            StmtKind::Range { key, value, .. } if view.share == Share::Pieces && !view.inside => {
                let piece = View {
                    each: true,
                    part: None,
                    ..view.with(Share::Small)
                };
                // An iterator gives its values as keys.
                let over = self.d.facts.types.get(expr).map(|ty| ty.kind());
                let target = match over {
                    Some(TyKind::Slice(_)) => *value,
                    _ => (*key).filter(|_| value.is_none()),
                };
                match target {
                    Some(target) => self.store(target, piece),
                    None => Some(()),
                }
            }
            StmtKind::TypeSwitch { .. } | StmtKind::Go(_) | StmtKind::Defer(_) => self.lost(view),
            _ => Some(()),
        }
    }

    /// A view is assigned to something.
    fn store(&mut self, target: ExprId, view: View) -> Option<()> {
        let tree = self.d.tree;
        let target = tree.unparen(target);
        if let ExprKind::Ident(name) = tree[target].kind {
            if name.is_blank() {
                return Some(());
            }
            if let Some(Res::Local(local)) = self.d.facts.refs.get(target) {
                return self.assign(*local, view);
            }
        }
        if let Some(how) = self.outlives(target) {
            if !view.is_small() {
                return None;
            }
            // Of all the pieces one is kept in a field, but all of them in a map.
            if view.each && matches!(tree[target].kind, ExprKind::Index { .. }) {
                return None;
            }
            let part = view.part?;
            self.keep(view, part, how, tree[target].range);
            return Some(());
        }
        // Something of the function's own holds it now.
        let mut root = target;
        loop {
            match &tree[root].kind {
                ExprKind::Selector { base, .. } => root = tree.unparen(*base),
                ExprKind::Index { base, .. } if !view.each => root = tree.unparen(*base),
                _ => break,
            }
        }
        match self.d.facts.refs.get(root) {
            Some(Res::Local(local)) if self.is_holder(*local) => self.name(*local, view.held()),
            _ => self.lost(view),
        }
    }

    /// Whether a variable is a struct, slice or map of the function's own.
    fn is_holder(&self, local: LocalId) -> bool {
        let about = &self.d.facts.locals[local];
        if about.kind == LocalKind::Result {
            return true;
        }
        if about.kind != LocalKind::Var || about.assignments > 1 {
            return false;
        }
        let Some((value, _)) = self.d.only_value(local) else {
            return about.assignments == 0;
        };
        let mut value = self.d.tree.unparen(value);
        if let ExprKind::Unary {
            op: UnaryOp::Address,
            operand,
        } = self.d.tree[value].kind
        {
            value = self.d.tree.unparen(operand);
        }
        match &self.d.tree[value].kind {
            ExprKind::Composite { .. } => true,
            ExprKind::Call { .. } => matches!(
                self.d.facts.callees.get(value),
                Some(Callee::Builtin(name)) if *name == "new" || *name == "make"
            ),
            _ => false,
        }
    }

    fn assign(&mut self, local: LocalId, view: View) -> Option<()> {
        let about = &self.d.facts.locals[local];
        if local == self.buffer.local {
            self.own_values += 1;
            return (!view.is_small() && !view.inside && !view.text).then_some(());
        }
        match about.kind {
            LocalKind::Result => {
                if !view.is_small() {
                    return None;
                }
                let part = view.part?;
                if !view.text {
                    self.keep(view, part, How::Returned, self.d.tree[part].range);
                }
                Some(())
            }
            LocalKind::Var | LocalKind::Range => {
                // A variable of a `range` counts as assigned once more.
                let once = about.assignments == 1 && !about.address_taken;
                if once && about.owner == self.buffer.literal {
                    return self.name(local, view);
                }
                if view.is_small() {
                    return Some(());
                }
                if about.address_taken || about.owner != self.buffer.literal {
                    return None;
                }
                self.name(local, view.with(Share::Mixed))
            }
            _ => self.lost(view),
        }
    }

    fn keep(&mut self, view: View, expr: ExprId, how: How, at: TextRange) {
        let kept = Kept {
            part: view.taken(expr).part.unwrap_or(expr),
            how,
            at,
            text: view.text,
        };
        if !self.kept.contains(&kept) {
            self.kept.push(kept);
        }
    }
}

/// What becomes of an argument.
enum Passed {
    /// Nothing that lasts.
    Ends,
    /// A result of the call shows it.
    Gives(usize, View),
}

/// Functions that copy.
fn is_clone(target: &Target) -> bool {
    ["bytes", "strings", "slices"]
        .iter()
        .any(|package| target.is_func(package, "Clone"))
}

/// Functions that surely write to none of their arguments.
fn is_reading(target: &Target) -> bool {
    matches!(
        target.package.as_str(),
        "bytes" | "strings" | "regexp" | "encoding/json" | "os" | "unicode/utf8" | "strconv"
    ) && target.name != "Read"
}

/// The result that uses an argument.
fn seen_through(effect: &ParamEffect) -> Option<usize> {
    match &effect.flows[..] {
        [flow] if flow.path.is_empty() && matches!(flow.kind, FlowKind::View | FlowKind::Same) => {
            Some(usize::from(flow.result))
        }
        _ => None,
    }
}

/// Whether values of a type are bytes.
pub(crate) fn is_bytes(ty: &go_model::types::Ty) -> bool {
    matches!(ty.kind(), TyKind::Slice(elem) if matches!(elem.kind(), TyKind::Basic(Basic::Uint8)))
}
