//! Wrapping the body of a loop in a function that is called at once, so that its deferred calls run in each iteration.
//!
//! | leaves the body by | becomes |
//! |---|---|
//! | its end, `continue` | the end of the function, `return` |
//! | `break`, `return`, `continue outer`, `break outer` | a result of the function that says so, and the jump behind the call |
//! | `return a, b` | results that carry the values, or only the error where all returns give one that is not nil |
//! | `goto` out of the body | no fix |

use std::ops::Range;

use go_model::facts::{Callee, LocalId, Res};
use go_syntax::ast::{
    AssignOp, BinaryOp, Block, BranchKind, ExprId, ExprKind, Param, Stmt, StmtId, StmtKind, UnaryOp,
};
use go_syntax::{Literals, NodeId, TextRange};
use rustc_hash::FxHashSet;

use super::nest::Owner;
use super::release::{Inserted, else_word};
use super::{Cx, is_error_param, is_plain, is_view};
use crate::edit::{
    EditBuilder, first_on_line, indent, indentation, line_end, line_start, next_line, raw_strings,
};
use crate::engine::site::{InsertPoint, Pattern, Trigger};
use crate::{Edit, Fix, Safety};

/// The fixes of a deferred call in a loop.
pub(super) fn defer_in_loop(cx: &Cx<'_>) -> Vec<Fix> {
    let Some(info) = &cx.site.loop_defer else {
        return Vec::new();
    };
    let StmtKind::Defer(call) = cx.tree()[info.defer].kind else {
        return Vec::new();
    };
    let shown = cx.src(cx.tree()[call].range);
    let shown = if shown.contains('\n') {
        "the deferred call".to_owned()
    } else {
        format!("`{shown}`")
    };
    let title = format!("wrap the loop body in a function, so that {shown} runs in each iteration");
    let roots = cx.locals_in(cx.tree()[info.defer].range);
    // A deferred literal that changes a result of the function would run before that result is set.
    let results = cx
        .signature(cx.site.literal)
        .map_or(&[][..], |s| &s.results);
    let named = |name| {
        results
            .iter()
            .any(|r| r.name.is_some_and(|n| n.name == name))
    };
    let mut mentioned = cx.tree().walk(call, Literals::Enter);
    if mentioned.any(|node| matches!(node.expr().map(|e| &cx.tree()[e].kind), Some(ExprKind::Ident(n)) if named(*n)))
    {
        return Vec::new();
    }
    let mut safety = Safety::Safe;
    let never_ran = cx.site.trigger == Trigger::Pattern(Pattern::DeferInEndlessLoop);
    if !info.other_defers.is_empty() || info.has_recover || cx.site.outlives || never_ran {
        safety = Safety::Unsafe;
    }
    let wrap = Wrap {
        cx,
        loop_stmt: info.loop_stmt,
        own_defer: Some(info.defer),
        roots,
        inserted: None,
    };
    wrap.fix(&title, safety).into_iter().collect()
}

/// Wraps a loop's body after something was inserted into it.
pub(super) fn wrap_with(
    cx: &Cx<'_>,
    loop_stmt: StmtId,
    inserted: Inserted,
    title: &str,
    safety: Safety,
) -> Option<Fix> {
    let roots = cx.site.value.iter().map(|v| v.local).collect();
    Wrap {
        cx,
        loop_stmt,
        own_defer: None,
        roots,
        inserted: Some(inserted),
    }
    .fix(title, safety)
}

struct Wrap<'a, 'b> {
    cx: &'b Cx<'a>,
    loop_stmt: StmtId,
    own_defer: Option<StmtId>,
    /// What the deferred call uses.
    roots: FxHashSet<LocalId>,
    inserted: Option<Inserted>,
}

/// A way out of the body other than to the next iteration.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Exit {
    /// Out of the loop.
    Break,
    /// Out of the function.
    Return,
    /// To an outer loop or statement: the jump as it is written.
    Outer(String),
}

/// A jump in the body that has to be translated.
struct Jump {
    stmt: StmtId,
    /// `None` goes on with the next iteration.
    exit: Option<Exit>,
}

/// How the function tells what to do behind its call.
enum Form {
    /// It tells nothing.
    Plain,
    /// It gives `true` for the only way out.
    Flag(Exit, String),
    /// It gives an error to be returned, with what stands before it in each return.
    Error(Vec<String>),
    /// One named flag per way out, and the values of the returns.
    Results {
        flags: Vec<(Exit, String)>,
        values: Vec<(String, String)>,
    },
}

impl Wrap<'_, '_> {
    fn body(&self) -> Option<&Block> {
        match &self.cx.tree()[self.loop_stmt].kind {
            StmtKind::For { body, .. } | StmtKind::Range { body, .. } => Some(body),
            _ => None,
        }
    }

    /// The label of the loop and the labeled statement.
    fn label(&self) -> Option<(&'static str, StmtId)> {
        let (Owner::Label(labeled), _) = self.cx.nest.parent(self.loop_stmt)? else {
            return None;
        };
        match &self.cx.tree()[labeled].kind {
            StmtKind::Labeled { label, .. } => Some((label.name.as_str(), labeled)),
            _ => None,
        }
    }

    fn fix(&self, title: &str, safety: Safety) -> Option<Fix> {
        let cx = self.cx;
        let text = cx.ctx.text;
        let body = self.body()?;
        let range = cx.abs(body.range);
        // The braces have to stand at the end and at the beginning of lines.
        let close = range.end - 1;
        if !first_on_line(text, close) || line_start(text, close) <= line_end(text, range.start) {
            return None;
        }
        let first = next_line(text, range.start);
        let last = line_start(text, close);
        let builder = cx.builder();
        builder.owned_end(range.start + 1)?;
        // `//line` comments have to stay at the beginning of their lines.
        if text[first..last].lines().any(|l| l.starts_with("//line ")) {
            return None;
        }
        let unsafe_ = self.others_wait()? || safety == Safety::Unsafe;

        let jumps = self.jumps(body)?;
        let form = self.form(&jumps)?;
        let base = indentation(text, close);
        let mut edits: Vec<Edit> = Vec::new();
        for jump in &jumps {
            self.translate(jump, &form, &mut edits)?;
        }
        if let Some(inserted) = &self.inserted {
            if let Some((range, by)) = &inserted.replace {
                push(&mut edits, range.clone(), by.clone());
            }
            let place = match inserted.point {
                InsertPoint::ElseIf(check) => {
                    let (range, base) = else_word(cx, check)?;
                    let code = &inserted.code;
                    push(&mut edits, range, format!("\n\t{base}{code}\n\t{base}"));
                    None
                }
                InsertPoint::After(stmt) => {
                    let stmt = cx.stmt_range(stmt);
                    if !first_on_line(text, stmt.start) {
                        return None;
                    }
                    let end = builder.owned_end(stmt.end)?;
                    Some((end, indentation(text, stmt.start).to_owned()))
                }
                InsertPoint::BlockStart(block) => {
                    let brace = cx.abs(block).start;
                    let start = builder.owned_end(brace + 1)?;
                    Some((start, format!("{}\t", indentation(text, brace))))
                }
            };
            if let Some((at, prefix)) = place {
                let code = indent(&inserted.code, &format!("{prefix}\t"));
                if at < first {
                    // Directly behind the opening brace.
                    push(&mut edits, first..first, format!("{code}\n"));
                } else {
                    push(&mut edits, at..at, format!("\n{code}"));
                }
            }
        }
        // One tab more for every line that does not begin inside a raw string.
        let raw = raw_strings(&text[first..last]);
        let mut line = first;
        while line < last {
            let end = line_end(text, line);
            let inside = raw
                .iter()
                .any(|r| r.start + first < line && line <= r.end + first);
            if !inside && end > line {
                push(&mut edits, line..line, "\t".to_owned());
            }
            line = next_line(text, line);
        }
        edits.sort_by_key(|e| (e.range.start(), e.range.end()));
        // The edits are of the whole text; bring them to the body's lines.
        let offset = go_syntax::TextSize::new(u32::try_from(first).ok()?);
        for edit in &mut edits {
            edit.range = TextRange::new(
                edit.range.start().checked_sub(offset)?,
                edit.range.end().checked_sub(offset)?,
            );
        }
        let inner = crate::edit::apply_edits(&text[first..last], &edits).ok()?;
        let ends = self.list_ends(&body.stmts);
        let wrapped = self.around(&inner, &form, base, ends);

        let mut builder = cx.builder();
        builder.replace(first..last, wrapped);
        self.remove_label(&mut builder)?;
        let (title, safety) = if unsafe_ {
            (
                format!("{title} (changes when other things happen)"),
                Safety::Unsafe,
            )
        } else {
            (title.to_owned(), Safety::Safe)
        };
        builder.fix(title, safety)
    }

    /// All jumps of the body that lead out of it or to the next iteration. `None` where one cannot be translated.
    fn jumps(&self, body: &Block) -> Option<Vec<Jump>> {
        let tree = self.cx.tree();
        let own = self.label().map(|l| l.0);
        let inner_labels: FxHashSet<&str> = tree
            .walk_block(body, Literals::Skip)
            .filter_map(|node| match &tree[node.stmt()?].kind {
                StmtKind::Labeled { label, .. } => Some(label.name.as_str()),
                _ => None,
            })
            .collect();
        let mut jumps = Vec::new();
        // Statements with: is an unlabelled `break` caught inside; is an unlabelled `continue`.
        let mut stack: Vec<(StmtId, bool, bool)> =
            body.stmts.iter().map(|&s| (s, false, false)).collect();
        while let Some((id, breaks, continues)) = stack.pop() {
            let mut push =
                |stmts: &[StmtId], b: bool, c: bool| stack.extend(stmts.iter().map(|&s| (s, b, c)));
            match &tree[id].kind {
                StmtKind::Bad => return None,
                StmtKind::Return(_) => jumps.push(Jump {
                    stmt: id,
                    exit: Some(Exit::Return),
                }),
                StmtKind::Branch { kind, label } => {
                    let label = label.map(|l| l.name.as_str());
                    let exit = match (kind, label) {
                        (BranchKind::Fallthrough, _) => continue,
                        (_, Some(l)) if inner_labels.contains(l) => continue,
                        (BranchKind::Goto, _) => return None,
                        (BranchKind::Break, None) if breaks => continue,
                        (BranchKind::Continue, None) if continues => continue,
                        (BranchKind::Break, None) => Some(Exit::Break),
                        (BranchKind::Continue, None) => None,
                        (BranchKind::Break, l) if l == own => Some(Exit::Break),
                        (BranchKind::Continue, l) if l == own => None,
                        (BranchKind::Break, Some(l)) => Some(Exit::Outer(format!("break {l}"))),
                        (BranchKind::Continue, Some(l)) => {
                            Some(Exit::Outer(format!("continue {l}")))
                        }
                    };
                    jumps.push(Jump { stmt: id, exit });
                }
                StmtKind::Block(b) => push(&b.stmts, breaks, continues),
                StmtKind::If { then, els, .. } => {
                    push(&then.stmts, breaks, continues);
                    push(els.as_slice(), breaks, continues);
                }
                StmtKind::Switch { cases, .. } | StmtKind::TypeSwitch { cases, .. } => {
                    for case in cases {
                        push(&case.body, true, continues);
                    }
                }
                StmtKind::Select { cases } => {
                    for case in cases {
                        push(&case.body, true, continues);
                    }
                }
                StmtKind::For { body, .. } | StmtKind::Range { body, .. } => {
                    push(&body.stmts, true, true)
                }
                StmtKind::Labeled { stmt, .. } => {
                    push(std::slice::from_ref(stmt), breaks, continues)
                }
                _ => {}
            }
        }
        jumps.sort_by_key(|j| tree[j.stmt].range.start());
        Some(jumps)
    }

    fn returns<'j>(
        &self,
        jumps: &'j [Jump],
    ) -> impl Iterator<Item = (StmtId, &[ExprId])> + use<'_, 'j> {
        let tree = self.cx.tree();
        jumps.iter().filter_map(|j| match &tree[j.stmt].kind {
            StmtKind::Return(operands) => Some((j.stmt, &**operands)),
            _ => None,
        })
    }

    fn form(&self, jumps: &[Jump]) -> Option<Form> {
        let cx = self.cx;
        let mut exits: Vec<Exit> = Vec::new();
        for exit in jumps.iter().filter_map(|j| j.exit.clone()) {
            if !exits.contains(&exit) {
                exits.push(exit);
            }
        }
        let results: &[Param] = cx.signature(cx.site.literal).map_or(&[], |s| &s.results);
        if exits.is_empty() {
            return Some(Form::Plain);
        }
        let valued = self
            .returns(jumps)
            .any(|(_, operands)| !operands.is_empty());
        if exits.contains(&Exit::Return) && valued && results.is_empty() {
            return None;
        }
        let name = |exit: &Exit, taken: &[String]| {
            let base = match exit {
                Exit::Break => "stop",
                Exit::Return => "done",
                Exit::Outer(jump) if jump.starts_with("break") => "stopOuter",
                Exit::Outer(_) => "nextOuter",
            };
            cx.fresh_but(base, taken)
        };
        if !valued && exits.len() == 1 {
            let flag = name(&exits[0], &[]);
            return Some(Form::Flag(exits.remove(0), flag));
        }
        if exits == [Exit::Return]
            && let Some(before) = self.only_errors(jumps, results)
        {
            return Some(Form::Error(before));
        }
        let mut taken: Vec<String> = Vec::new();
        let mut flags = Vec::new();
        for exit in exits {
            let name = name(&exit, &taken);
            taken.push(name.clone());
            flags.push((exit, name));
        }
        let mut values = Vec::new();
        if valued {
            for result in results {
                let ty = cx.src(cx.tree()[result.ty].range);
                // The type has to be spelt again where other names may hide its parts.
                let hidden = cx.tree().walk(result.ty, Literals::Skip).any(|node| {
                    matches!(node.expr().map(|e| &cx.tree()[e].kind), Some(ExprKind::Ident(n)) if cx.hides(n.as_str()))
                });
                if ty.is_empty() || ty.contains('\n') || hidden {
                    return None;
                }
                let base = if is_error_param(cx.tree(), result) {
                    "retErr"
                } else {
                    "result"
                };
                let name = cx.fresh_but(base, &taken);
                taken.push(name.clone());
                values.push((name, ty.to_owned()));
            }
        }
        Some(Form::Results { flags, values })
    }

    /// If every return of the body gives an error that is surely not nil, and the same constants before it: these constants.
    fn only_errors(&self, jumps: &[Jump], results: &[Param]) -> Option<Vec<String>> {
        let cx = self.cx;
        let tree = cx.tree();
        if !is_error_param(tree, results.last()?) || cx.shadows("error") {
            return None;
        }
        let mut before: Option<Vec<String>> = None;
        for (stmt, operands) in self.returns(jumps) {
            let (&error, rest) = operands.split_last()?;
            if operands.len() != results.len() || !self.not_nil(stmt, error) {
                return None;
            }
            let constants: Option<Vec<String>> = rest
                .iter()
                .map(|&e| {
                    let constant = match &tree[tree.unparen(e)].kind {
                        ExprKind::Literal(_) => true,
                        ExprKind::Ident(_) => {
                            matches!(
                                cx.facts().refs.get(tree.unparen(e)),
                                Some(Res::Nil | Res::Bool(_))
                            )
                        }
                        _ => false,
                    };
                    let source = cx.src(tree[e].range);
                    (constant && !source.contains('\n')).then(|| source.to_owned())
                })
                .collect();
            match (&before, constants?) {
                (None, constants) => before = Some(constants),
                (Some(known), constants) if *known == constants => {}
                _ => return None,
            }
        }
        before
    }

    /// Whether the operand of a return is surely an error.
    fn not_nil(&self, stmt: StmtId, expr: ExprId) -> bool {
        let cx = self.cx;
        let tree = cx.tree();
        let expr = tree.unparen(expr);
        match &tree[expr].kind {
            ExprKind::Call { .. } => match cx.facts().callees.get(expr) {
                Some(Callee::Func(item)) => item.is("fmt", "Errorf") || item.is("errors", "New"),
                _ => false,
            },
            ExprKind::Unary {
                op: UnaryOp::Address,
                operand,
            } => {
                matches!(
                    tree[tree.unparen(*operand)].kind,
                    ExprKind::Composite { .. }
                )
            }
            ExprKind::Ident(_) | ExprKind::Selector { .. } => {
                let Some(res) = cx.facts().refs.get(expr) else {
                    return false;
                };
                match res {
                    Res::Local(local) => self.checked_not_nil(stmt, *local),
                    // Errors at package level are there to be returned; nobody sets them to nil.
                    Res::Package(item) => {
                        let name = item.name.as_str();
                        name == "EOF"
                            || name.starts_with("Err")
                            || (name.starts_with("err")
                                && name[3..].starts_with(char::is_uppercase))
                    }
                    _ => false,
                }
            }
            _ => false,
        }
    }

    /// Whether the statement stands in the branch of an `if err != nil`, and `err` keeps its value from there.
    fn checked_not_nil(&self, stmt: StmtId, local: LocalId) -> bool {
        let cx = self.cx;
        let tree = cx.tree();
        cx.nest.chain(stmt).any(|(_, owner, _)| {
            let Owner::Then(check) = owner else {
                return false;
            };
            let StmtKind::If { cond, then, .. } = &tree[check].kind else {
                return false;
            };
            let mut conds = vec![*cond];
            let mut found = false;
            while let Some(cond) = conds.pop() {
                if let ExprKind::Binary { op, lhs, rhs } = tree[tree.unparen(cond)].kind {
                    match op {
                        BinaryOp::LogicalAnd => conds.extend([lhs, rhs]),
                        BinaryOp::Ne => {
                            let nil =
                                |e| matches!(cx.facts().refs.get(tree.unparen(e)), Some(Res::Nil));
                            found |= (nil(rhs) && cx.local_of(lhs) == Some(local))
                                || (nil(lhs) && cx.local_of(rhs) == Some(local));
                        }
                        _ => {}
                    }
                }
            }
            if !found || cx.facts().locals[local].captured || cx.facts().locals[local].address_taken
            {
                return false;
            }
            let until = TextRange::new(then.range.start(), tree[stmt].range.start());
            !tree.walk_block(then, Literals::Enter).any(|node| {
                match node.stmt().map(|s| &tree[s]) {
                    Some(Stmt {
                        kind: StmtKind::Assign { lhs, .. },
                        range,
                    }) => {
                        until.contains_range(*range)
                            && lhs.iter().any(|&l| cx.local_of(l) == Some(local))
                    }
                    _ => false,
                }
            })
        })
    }

    /// Writes one jump anew.
    fn translate(&self, jump: &Jump, form: &Form, edits: &mut Vec<Edit>) -> Option<()> {
        let cx = self.cx;
        let text = cx.ctx.text;
        let range = cx.stmt_range(jump.stmt);
        // Where lines are added, the statement must have its line for itself.
        let start = range.start;
        let deeper =
            || first_on_line(text, start).then(|| format!("{}\t", indentation(text, start)));
        let operands: &[ExprId] = match &cx.tree()[jump.stmt].kind {
            StmtKind::Return(operands) => operands,
            _ => &[],
        };
        let Some(exit) = &jump.exit else {
            let code = match form {
                Form::Flag(..) => "return false",
                Form::Error(_) => "return nil",
                Form::Plain | Form::Results { .. } => "return",
            };
            push(edits, range, code.to_owned());
            return Some(());
        };
        match form {
            Form::Plain => return None,
            Form::Flag(..) => push(edits, range, "return true".to_owned()),
            Form::Error(_) => {
                let error = cx.abs(cx.tree()[*operands.last()?].range);
                if text[range.start..error.start].contains('\n') {
                    return None;
                }
                push(edits, range.start..error.start, "return ".to_owned());
            }
            Form::Results { flags, values } => {
                let positional: Vec<&str> = flags
                    .iter()
                    .map(|(e, _)| if e == exit { "true" } else { "false" })
                    .collect();
                let positional = positional.join(", ");
                let (_, flag) = flags.iter().find(|(e, _)| e == exit)?;
                if values.is_empty() {
                    push(edits, range, format!("return {positional}"));
                } else if *exit != Exit::Return {
                    push(edits, range, format!("{flag} = true\n{}return", deeper()?));
                } else if operands.is_empty() {
                    // A bare return: the named results of the function, which nothing can hide here.
                    let names: Option<Vec<&str>> = cx
                        .signature(cx.site.literal)?
                        .results
                        .iter()
                        .map(|r| r.name.map(|n| n.name.as_str()).filter(|n| *n != "_"))
                        .collect();
                    push(
                        edits,
                        range,
                        format!("return {positional}, {}", names?.join(", ")),
                    );
                } else if operands.len() == values.len() {
                    let first = cx.abs(cx.tree()[operands[0]].range);
                    push(
                        edits,
                        range.start..first.start,
                        format!("return {positional}, "),
                    );
                } else {
                    // `return f()` with several results.
                    let names: Vec<&str> = values.iter().map(|(n, _)| n.as_str()).collect();
                    let names = names.join(", ");
                    let call = cx.abs(cx.tree()[operands[0]].range);
                    push(edits, range.start..call.start, format!("{names} = "));
                    push(
                        edits,
                        range.end..range.end,
                        format!("\n{}return {positional}, {names}", deeper()?),
                    );
                }
            }
        }
        Some(())
    }

    /// The function and its call around the translated lines.
    fn around(&self, inner: &str, form: &Form, base: &str, ends: bool) -> String {
        let mut out = String::with_capacity(inner.len() + 256);
        let i = format!("{base}\t");
        let flag_check = |exit: &Exit, flag: &str, values: &[(String, String)]| {
            let jump = match exit {
                Exit::Break => "break".to_owned(),
                Exit::Outer(jump) => jump.clone(),
                Exit::Return if values.is_empty() => "return".to_owned(),
                Exit::Return => {
                    format!(
                        "return {}",
                        values
                            .iter()
                            .map(|v| v.0.as_str())
                            .collect::<Vec<_>>()
                            .join(", ")
                    )
                }
            };
            format!("{i}if {flag} {{\n{i}\t{jump}\n{i}}}\n")
        };
        let last = |code: &str| {
            if ends {
                String::new()
            } else {
                format!("{i}\t{code}\n")
            }
        };
        match form {
            Form::Plain => {
                out.push_str(&format!("{i}func() {{\n{inner}{i}}}()\n"));
            }
            Form::Flag(exit, flag) => {
                out.push_str(&format!(
                    "{i}{flag} := func() bool {{\n{inner}{}{i}}}()\n",
                    last("return false")
                ));
                out.push_str(&flag_check(exit, flag, &[]));
            }
            Form::Error(before) => {
                let mut operands = before.clone();
                operands.push("err".to_owned());
                out.push_str(&format!(
                    "{i}if err := func() error {{\n{inner}{}{i}}}(); err != nil {{\n",
                    last("return nil")
                ));
                out.push_str(&format!("{i}\treturn {}\n{i}}}\n", operands.join(", ")));
            }
            Form::Results { flags, values } => {
                let mut names: Vec<&str> = flags.iter().map(|f| f.1.as_str()).collect();
                let mut results = vec![format!("{} bool", names.join(", "))];
                names.extend(values.iter().map(|v| v.0.as_str()));
                results.extend(values.iter().map(|(name, ty)| format!("{name} {ty}")));
                out.push_str(&format!(
                    "{i}{} := func() ({}) {{\n{inner}{}{i}}}()\n",
                    names.join(", "),
                    results.join(", "),
                    last("return")
                ));
                for (exit, flag) in flags {
                    let values = if *exit == Exit::Return {
                        values.as_slice()
                    } else {
                        &[]
                    };
                    out.push_str(&flag_check(exit, flag, values));
                }
            }
        }
        out
    }

    /// Jumps to the loop's own label are gone, so that the label would be unused.
    fn remove_label(&self, builder: &mut EditBuilder<'_>) -> Option<()> {
        let Some((_, labeled)) = self.label() else {
            return Some(());
        };
        let text = self.cx.ctx.text;
        let label = self.cx.stmt_range(labeled).start;
        let stmt = self.cx.stmt_range(self.loop_stmt).start;
        let colon = label + text[label..stmt].find(':')? + 1;
        if !first_on_line(text, label)
            || !text[colon..stmt].trim().is_empty()
            || !text[colon..stmt].contains('\n')
        {
            return None;
        }
        builder.replace(line_start(text, label)..line_start(text, stmt), "");
        Some(())
    }

    /// Whether a list of statements never reaches its end, by the rules of the language for terminating statements; the translated
    /// jumps are returns.
    fn list_ends(&self, stmts: &[StmtId]) -> bool {
        stmts
            .iter()
            .rev()
            .find(|&&s| !matches!(self.cx.tree()[s].kind, StmtKind::Empty))
            .is_some_and(|&s| self.ends(s, None))
    }

    fn ends(&self, stmt: StmtId, label: Option<&str>) -> bool {
        let cx = self.cx;
        let tree = cx.tree();
        match &tree[stmt].kind {
            StmtKind::Return(_) => true,
            // Jumps inside an inner loop or switch are looked at there; here they leave the body.
            StmtKind::Branch { kind, .. } => *kind != BranchKind::Fallthrough,
            StmtKind::Expr(call) => {
                let call = tree.unparen(*call);
                match cx.facts().callees.get(call) {
                    Some(Callee::Builtin(name)) => *name == "panic",
                    Some(_) => false,
                    None => matches!(tree[call].kind, ExprKind::Call { func, .. }
                        if tree.ident(func).is_some_and(|i| i.name == "panic") && !cx.hides("panic")),
                }
            }
            StmtKind::Block(b) => self.list_ends(&b.stmts),
            StmtKind::If { then, els, .. } => {
                self.list_ends(&then.stmts) && els.is_some_and(|e| self.ends(e, None))
            }
            StmtKind::For {
                cond: None, body, ..
            } => !self.breaks(&body.stmts, label),
            StmtKind::Switch { cases, .. } | StmtKind::TypeSwitch { cases, .. } => {
                cases.iter().any(|c| c.default)
                    && cases.iter().all(|c| {
                        !self.breaks(&c.body, label)
                            && (self.list_ends(&c.body)
                                || c.body.last().is_some_and(|&s| {
                                    matches!(
                                        tree[s].kind,
                                        StmtKind::Branch {
                                            kind: BranchKind::Fallthrough,
                                            ..
                                        }
                                    )
                                }))
                    })
            }
            StmtKind::Select { cases } => cases
                .iter()
                .all(|c| !self.breaks(&c.body, label) && self.list_ends(&c.body)),
            StmtKind::Labeled { label, stmt } => self.ends(*stmt, Some(label.name.as_str())),
            _ => false,
        }
    }

    /// Whether a `break` in the statements ends the statement that they are the body of.
    fn breaks(&self, stmts: &[StmtId], label: Option<&str>) -> bool {
        let tree = self.cx.tree();
        let mut stack: Vec<(StmtId, bool)> = stmts.iter().map(|&s| (s, true)).collect();
        while let Some((id, direct)) = stack.pop() {
            let mut push =
                |stmts: &[StmtId], direct: bool| stack.extend(stmts.iter().map(|&s| (s, direct)));
            match &tree[id].kind {
                StmtKind::Branch {
                    kind: BranchKind::Break,
                    label: None,
                } if direct => return true,
                StmtKind::Branch {
                    kind: BranchKind::Break,
                    label: Some(l),
                } if Some(l.name.as_str()) == label => {
                    return true;
                }
                StmtKind::Block(b) => push(&b.stmts, direct),
                StmtKind::If { then, els, .. } => {
                    push(&then.stmts, direct);
                    push(els.as_slice(), direct);
                }
                StmtKind::Switch { cases, .. } | StmtKind::TypeSwitch { cases, .. } => {
                    cases.iter().for_each(|c| push(&c.body, false));
                }
                StmtKind::Select { cases } => cases.iter().for_each(|c| push(&c.body, false)),
                StmtKind::For { body, .. } | StmtKind::Range { body, .. } => {
                    push(&body.stmts, false)
                }
                StmtKind::Labeled { stmt, .. } => push(std::slice::from_ref(stmt), direct),
                _ => {}
            }
        }
        false
    }

    /// Whether something else may notice that the deferred call runs earlier: other deferred calls, `recover`, goroutines, and
    /// variables of the outer function that get something made from the thing. `None` where the thing itself is used after the loop.
    fn others_wait(&self) -> Option<bool> {
        let cx = self.cx;
        let tree = cx.tree();
        let body = self.body()?;
        let inside = |local: LocalId| {
            body.range
                .contains_range(cx.facts().locals[local].ident.range)
        };
        let own = self.own_defer.map(|d| tree[d].range);
        let in_own = |range: TextRange| own.is_some_and(|o| o.contains_range(range));
        let mut unsafe_ = false;
        let mut tainted: FxHashSet<LocalId> =
            self.roots.iter().copied().filter(|&l| inside(l)).collect();
        let nodes: Vec<NodeId> = tree.walk_block(body, Literals::Enter).collect();
        // What is acquired together with the thing (the context of a cancel function), and roots of the outer function.
        for node in &nodes {
            let Some(stmt) = node.stmt() else { continue };
            let StmtKind::Assign { lhs, op, .. } = &tree[stmt].kind else {
                continue;
            };
            if in_own(tree[stmt].range) {
                continue;
            }
            let locals: Vec<Option<LocalId>> = lhs.iter().map(|&l| cx.local_of(l)).collect();
            if !locals.iter().flatten().any(|l| self.roots.contains(l)) {
                continue;
            }
            for (&expr, local) in lhs.iter().zip(&locals) {
                match local {
                    Some(local) if is_plain(&cx.facts().locals[*local].ty) => {}
                    Some(local) if inside(*local) => {
                        tainted.insert(*local);
                    }
                    // Kept in a variable that lives on.
                    Some(_) => return None,
                    None if tree.ident(expr).is_some_and(|i| i.name.is_blank()) => {}
                    None if *op == AssignOp::Define => {}
                    None => return None,
                }
            }
        }
        let mentions = |range: TextRange, tainted: &FxHashSet<LocalId>| {
            cx.locals_in(range).iter().any(|l| tainted.contains(l))
        };
        let plain = |expr: ExprId| {
            cx.facts()
                .types
                .get(tree.unparen(expr))
                .is_some_and(is_plain)
        };
        loop {
            let before = tainted.len();
            for node in &nodes {
                let range = tree.range(*node);
                if in_own(range) {
                    continue;
                }
                match *node {
                    NodeId::Expr(id) => {
                        // A closure that uses it and may be kept. Called at once it is plain code.
                        if matches!(tree[id].kind, ExprKind::FuncLit(_))
                            && mentions(range, &tainted)
                            && !cx
                                .facts()
                                .callees
                                .iter()
                                .any(|(_, c)| *c == Callee::Literal(id))
                        {
                            unsafe_ = true;
                        }
                        if let ExprKind::Call { func, .. } = tree[id].kind
                            && tree.ident(func).is_some_and(|i| i.name == "recover")
                        {
                            unsafe_ = true;
                        }
                    }
                    NodeId::Stmt(id) => match &tree[id].kind {
                        StmtKind::Defer(_) if self.same_function(id) => unsafe_ = true,
                        StmtKind::Go(_) => unsafe_ |= mentions(range, &tainted),
                        StmtKind::Send { value, .. } => {
                            unsafe_ |= mentions(tree[*value].range, &tainted) && !plain(*value);
                        }
                        StmtKind::Assign { lhs, rhs, .. } => {
                            if !rhs.iter().any(|&r| mentions(tree[r].range, &tainted)) {
                                continue;
                            }
                            for &l in lhs {
                                match cx.local_of(l) {
                                    Some(local) if is_plain(&cx.facts().locals[local].ty) => {}
                                    Some(local) if inside(local) => {
                                        tainted.insert(local);
                                    }
                                    None if tree.ident(l).is_some_and(|i| i.name.is_blank()) => {}
                                    None if plain(l) => {}
                                    // Read from after the loop, when what lies below is closed.
                                    Some(local) if is_view(&cx.facts().locals[local].ty) => {
                                        return None;
                                    }
                                    _ => unsafe_ = true,
                                }
                            }
                        }
                        StmtKind::Var(specs) => {
                            for spec in specs {
                                if spec
                                    .values
                                    .iter()
                                    .any(|&v| mentions(tree[v].range, &tainted))
                                {
                                    for (local, l) in cx.facts().locals.iter() {
                                        if spec.names.iter().any(|n| n.range == l.ident.range)
                                            && !is_plain(&l.ty)
                                        {
                                            tainted.insert(local);
                                        }
                                    }
                                }
                            }
                        }
                        StmtKind::Range {
                            key, value, over, ..
                        } if mentions(tree[*over].range, &tainted) => {
                            for local in [key, value]
                                .into_iter()
                                .flatten()
                                .filter_map(|&e| cx.local_of(e))
                            {
                                if !is_plain(&cx.facts().locals[local].ty) {
                                    tainted.insert(local);
                                }
                            }
                        }
                        _ => {}
                    },
                }
            }
            if tainted.len() == before {
                break;
            }
        }
        Some(unsafe_)
    }

    fn same_function(&self, stmt: StmtId) -> bool {
        self.own_defer != Some(stmt)
            && self.cx.nest.function(stmt) == self.cx.nest.function(self.loop_stmt)
    }
}

fn push(edits: &mut Vec<Edit>, range: Range<usize>, text: String) {
    edits.push(Edit {
        range: crate::edit::text_range(range),
        text,
    });
}
