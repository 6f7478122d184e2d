//! # What it does
//! Reports regular expressions and templates that are made of the same constant in each call of a function, as a hint. On lines where an
//! allocation profile of the running program shows that it costs, it is information, and there it also reports texts that are decoded again
//! and buffers that begin empty in each call.
//!
//! # Why it leaks
//! It does not leak, it wastes: what is allocated in each call has to be collected again. A regular expression or a template takes hundreds of
//! allocations; a buffer that grows is copied each time that it is full. In code that runs seldom none of this matters.
//!
//! # Example
//! ```go
//! func valid(id string) bool {
//! 	return regexp.MustCompile(`^[a-z]+-[0-9]+$`).MatchString(id)
//! }
//! ```
//!
//! # Use instead
//! ```go
//! var idPattern = regexp.MustCompile(`^[a-z]+-[0-9]+$`)
//!
//! func valid(id string) bool {
//! 	return idPattern.MatchString(id)
//! }
//! ```
//!
//! # When it stays silent
//! - The pattern, the template or the text is no constant written there.
//! - In `main`, `init`, in what only they call, in tests, and in what `sync.Once` and its relatives run.
//! - Without a profile: what is made is returned, stored, or handed on, so that perhaps it is made once; and all that is neither a regular
//!   expression nor a template.
//! - With a profile (`allocs`, or a heap profile, which has what was allocated as well): the line has less than one percent.
//! - A buffer that is given room with `Grow`, or one that came from elsewhere.
//!
//! # Fix safety
//! With a profile, a buffer whose bytes stay in the function can come from a `sync.Pool` in place of beginning empty, and goes back there if it did
//! not grow large. This is unsafe: it pays only where many calls follow each other.
//!
//! A regular expression is moved to a package-level variable above the function. This is safe where it is plain to see that it compiles: then only
//! the moment changes. It is unsafe for other expressions and for templates, because a mistake in them ends the program when it starts. Several
//! goroutines may use either at a time.
//!
//! # References
//! - [`regexp.MustCompile`](https://pkg.go.dev/regexp#MustCompile)
//! - [`sync.Pool`](https://pkg.go.dev/sync#Pool)

use go_model::facts::{Facts, LocalId, LocalKind, Res};
use go_model::types::{Basic, TyKind};
use go_syntax::ast::{BinaryOp, DeclTree, ExprId, ExprKind, LiteralKind, StmtKind, UnaryOp};

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::Need;
use crate::engine::find::{enclosing_literal, last_name};
use crate::engine::function::{Depth, Target, target};
use crate::engine::retain::regex;
use crate::engine::site::{FixSite, Pattern, Retained};
use crate::engine::{self, pattern};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "repeated-decoding",
    family: Family::Memory,
    severity: Severity::Information,
    summary: "the same is decoded, or a buffer grown from nothing, in each call of hot code",
    fixes: "make it once, in a package-level variable",
    overlaps: &[],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/repeated_decoding.rs",
    text: include_str!("repeated_decoding.rs"),
    needs: &[Need::names(&MAKERS)],
    check,
};

/// What makes regular expressions and templates.
const MAKERS: [&str; 5] = [
    "Compile",
    "CompilePOSIX",
    "MustCompile",
    "MustCompilePOSIX",
    "Parse",
];

/// The calls that may be meant, before anything is resolved.
const NAMES: [&str; 12] = [
    "Compile",
    "CompilePOSIX",
    "MustCompile",
    "MustCompilePOSIX",
    "Parse",
    "ReadFrom",
    "Unmarshal",
    "Write",
    "WriteByte",
    "WriteRune",
    "WriteString",
    "Fprintf",
];

/// Without a profile: regular expressions and templates that are used where they are made, and nowhere else.
fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    let mut before = [0, 0];
    let mut found = look(cx, &MAKERS);
    found.retain_mut(|(call, finding)| {
        let Some(whole) = used_here(cx, *call) else {
            return false;
        };
        finding.severity = Severity::Hint;
        finding.site = hoist(cx, *call, whole, &mut before).map(Box::new);
        true
    });
    found.into_iter().map(|(_, finding)| finding).collect()
}

/// The whole expression that makes something, if what it makes is used by calls of its methods only, and for nothing else.
fn used_here(cx: &CheckContext<'_>, call: ExprId) -> Option<ExprId> {
    let d = cx.declaration(Depth::Shallow);
    let around = enclosing_literal(cx.tree, cx.tree[call].range);
    let is_called = |expr: ExprId| {
        let Some(selector) = d.parent(expr) else {
            return false;
        };
        let ExprKind::Selector { name, .. } = &cx.tree[selector].kind else {
            return false;
        };
        // These change it.
        let changes = [
            "Longest",
            "Funcs",
            "Parse",
            "New",
            "Delims",
            "Option",
            "ParseFS",
            "ParseFiles",
            "ParseGlob",
            "AddParseTree",
        ];
        !changes.contains(&name.name.as_str())
            && d.parent(selector).is_some_and(|outer| {
                matches!(&cx.tree[outer].kind, ExprKind::Call { func, .. } if *func == selector)
            })
    };
    let mut whole = call;
    while let Some(parent) = d.parent(whole) {
        let is_must = d.target(parent).is_some_and(|t| {
            t.is_func("text/template", "Must") || t.is_func("html/template", "Must")
        });
        if is_must {
            whole = parent;
        } else {
            return is_called(whole).then_some(whole);
        }
    }
    let local = cx
        .tree
        .stmts
        .iter()
        .find_map(|(_, stmt)| match &stmt.kind {
            StmtKind::Assign { lhs, rhs, .. } if rhs[..] == [whole] => {
                match d.facts.refs.get(cx.tree.unparen(*lhs.first()?)) {
                    Some(Res::Local(local)) => Some(*local),
                    _ => None,
                }
            }
            StmtKind::Var(specs) => specs
                .iter()
                .find(|spec| spec.values[..] == [whole])
                .and_then(|spec| d.declared_at(spec.names[0].range)),
            _ => None,
        })?;
    let about = &d.facts.locals[local];
    let only = about.kind == LocalKind::Var && about.assignments == 1 && !about.address_taken;
    let declared = about.ident.range;
    (only
        && d.mentions(local).iter().all(|(mention, _)| {
            let range = cx.tree[*mention].range;
            range == declared || is_called(*mention) && enclosing_literal(cx.tree, range) == around
        }))
    .then_some(whole)
}

/// Whether it can be made once, and how.
fn hoist(
    cx: &CheckContext<'_>,
    call: ExprId,
    whole: ExprId,
    before: &mut [u32; 2],
) -> Option<FixSite> {
    let target = target(cx.tree, cx.facts(), call)?;
    let template = target.package != "regexp";
    let single = if template {
        whole != call
    } else {
        target.name.as_str().starts_with("Must")
    };
    if !single {
        return None;
    }
    let number = &mut before[usize::from(template)];
    let first = pattern::args(cx.tree, call).first().copied();
    let retained = Retained::Hoist {
        before: *number,
        valid: target.name == "MustCompile"
            && first
                .and_then(|p| constant(cx.tree, p))
                .is_some_and(|p| regex::is_valid(&p)),
        template,
    };
    *number += 1;
    let literal = enclosing_literal(cx.tree, cx.tree[whole].range);
    let pattern = Pattern::Retained(retained);
    Some(FixSite::pattern(literal, whole, None, pattern, cx.in_test))
}

/// The value of a string literal, or of several that are put together.
fn constant(tree: &DeclTree, expr: ExprId) -> Option<String> {
    match &tree[tree.unparen(expr)].kind {
        ExprKind::Binary {
            op: BinaryOp::Add,
            lhs,
            rhs,
        } => Some(constant(tree, *lhs)? + &constant(tree, *rhs)?),
        _ => tree.string_value(expr),
    }
}

/// What is worth saying about a declaration if it runs often.
pub(crate) fn hints(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    let found = look(cx, &NAMES).into_iter();
    found.map(|(_, finding)| finding).collect()
}

fn look(cx: &CheckContext<'_>, names: &[&str]) -> Vec<(ExprId, RawFinding)> {
    let named = |expr: &ExprKind| match expr {
        ExprKind::Call { func, .. } => {
            last_name(cx.tree, *func).is_some_and(|name| names.contains(&name.as_str()))
        }
        _ => false,
    };
    let function = cx.tree.func().map(|func| func.name.name);
    let calls: Vec<ExprId> = (cx.tree.exprs.iter())
        .filter(|(_, expr)| named(&expr.kind))
        .map(|(id, _)| id)
        .collect();
    let Some(function) = function.filter(|_| !calls.is_empty() && !cx.in_test) else {
        return Vec::new();
    };
    if engine::runs_once(cx) || function == "init" {
        return Vec::new();
    }
    let hints = Hints {
        tree: cx.tree,
        facts: cx.facts(),
    };
    calls
        .into_iter()
        .filter_map(|call| {
            let (message, buffer) = hints.of(call)?;
            let finding = RawFinding {
                rule: RULE.name,
                severity: RULE.severity,
                message,
                range: cx.tree[call].range,
                function: Some(function.as_str().to_owned()),
                related: Vec::new(),
                site: buffer.and_then(|buffer| hints.pooled(call, buffer)),
            };
            (!hints.is_done_once(call)).then_some((call, finding))
        })
        .collect()
}

struct Hints<'a> {
    tree: &'a DeclTree,
    facts: &'a Facts,
}

impl Hints<'_> {
    /// What is said about a call, and the buffer that grows there.
    fn of(&self, call: ExprId) -> Option<(String, Option<LocalId>)> {
        let ExprKind::Call { func, args, .. } = &self.tree[call].kind else {
            return None;
        };
        let Target { package, ty, name } = target(self.tree, self.facts, call)?;
        let first = args.first().copied();
        match (package.as_str(), ty.as_ref().map(|ty| ty.as_str())) {
            ("regexp", None) => {
                let same = self.is_constant(first?) && name.as_str().contains("Compile");
                same.then(|| {
                    (
                        "the same regular expression is compiled in each call".to_owned(),
                        None,
                    )
                })
            }
            ("text/template" | "html/template", Some("Template")) if name == "Parse" => {
                let same = self.is_constant(first?);
                same.then(|| ("the same template is parsed in each call".to_owned(), None))
            }
            ("encoding/json", None) if name == "Unmarshal" => {
                let same = self.is_constant_bytes(first?);
                same.then(|| ("the same text is decoded in each call".to_owned(), None))
            }
            ("bytes", Some("Buffer")) | ("strings", Some("Builder")) => {
                let ExprKind::Selector { base, .. } = self.tree[self.tree.unparen(*func)].kind
                else {
                    return None;
                };
                self.growing(base)
            }
            ("fmt", None) if name == "Fprintf" => match self.tree[self.tree.unparen(first?)].kind {
                ExprKind::Unary {
                    op: UnaryOp::Address,
                    operand,
                } => self.growing(operand),
                _ => None,
            },
            _ => None,
        }
    }

    /// A buffer of the function's own that nobody gave room.
    fn growing(&self, buffer: ExprId) -> Option<(String, Option<LocalId>)> {
        let local = self.local(buffer)?;
        let about = &self.facts.locals[local];
        let is_buffer =
            about.ty.is_named("bytes", "Buffer") || about.ty.is_named("strings", "Builder");
        let empty = about.kind == LocalKind::Var && about.assignments == 0;
        (is_buffer && empty && !self.is_given_room(local)).then(|| {
            let name = about.ident.name;
            let message = format!(
                "`{name}` is empty at the beginning of each call and grows here: `Grow` it first, or keep such buffers in a `sync.Pool`"
            );
            (message, Some(local))
        })
    }

    /// What a fix needs to know that takes the buffer out of a pool.
    fn pooled(&self, call: ExprId, buffer: LocalId) -> Option<Box<FixSite>> {
        let declared = self.facts.locals[buffer].ident.range;
        let stmt = self
            .tree
            .stmts
            .iter()
            .find_map(|(id, stmt)| match &stmt.kind {
                StmtKind::Var(specs) => (specs.iter())
                    .any(|spec| spec.names.iter().any(|name| name.range == declared))
                    .then_some(id),
                _ => None,
            })?;
        let pattern = Pattern::Retained(Retained::Pooled { buffer });
        let site = FixSite::pattern(None, call, Some(stmt), pattern, false);
        Some(Box::new(site))
    }

    fn is_given_room(&self, local: LocalId) -> bool {
        self.tree.exprs.iter().any(|(_, expr)| match &expr.kind {
            ExprKind::Call { func, .. } => match self.tree[self.tree.unparen(*func)].kind {
                ExprKind::Selector { base, ref name } => {
                    name.name == "Grow" && self.local(base) == Some(local)
                }
                _ => false,
            },
            _ => false,
        })
    }

    fn local(&self, expr: ExprId) -> Option<LocalId> {
        match self.facts.refs.get(self.tree.unparen(expr)) {
            Some(Res::Local(local)) => Some(*local),
            _ => None,
        }
    }

    fn is_constant(&self, expr: ExprId) -> bool {
        let mut open = vec![expr];
        while let Some(expr) = open.pop() {
            match &self.tree[self.tree.unparen(expr)].kind {
                ExprKind::Literal(literal) if literal.kind == LiteralKind::String => {}
                ExprKind::Binary {
                    op: BinaryOp::Add,
                    lhs,
                    rhs,
                } => open.extend([*lhs, *rhs]),
                _ => return false,
            }
        }
        true
    }

    /// `[]byte("…")`.
    fn is_constant_bytes(&self, expr: ExprId) -> bool {
        let expr = self.tree.unparen(expr);
        let is_bytes = self
            .facts
            .types
            .get(expr)
            .is_some_and(|ty| match ty.kind() {
                TyKind::Slice(elem) => matches!(elem.kind(), TyKind::Basic(Basic::Uint8)),
                _ => false,
            });
        match &self.tree[expr].kind {
            ExprKind::Call { args, .. } if is_bytes => match **args {
                [only] => self.is_constant(only),
                _ => false,
            },
            _ => false,
        }
    }

    /// Something makes sure that the function literal around it runs once.
    fn is_done_once(&self, call: ExprId) -> bool {
        let Some(literal) = enclosing_literal(self.tree, self.tree[call].range) else {
            return false;
        };
        self.tree.exprs.iter().any(|(id, expr)| match &expr.kind {
            ExprKind::Call { args, .. }
                if args.iter().any(|arg| self.tree.unparen(*arg) == literal) =>
            {
                target(self.tree, self.facts, id).is_some_and(|target| {
                    target.package == "sync"
                        && (target.ty.is_some_and(|ty| ty == "Once")
                            || target.name.as_str().starts_with("Once"))
                })
            }
            _ => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use go_model::db::{Database, source_file};

    fn hints(body: &str) -> Vec<(usize, String)> {
        let text = format!(
            "package m\n\nimport (\n\t\"bytes\"\n\t\"encoding/json\"\n\t\"fmt\"\n\t\"regexp\"\n\t\"strings\"\n\t\"sync\"\n\t\"text/template\"\n)\n\n{body}"
        );
        let mut db = Database::new();
        db.open_document("/m/a.go", text.as_str().into(), None);
        let file = source_file(&db, Path::new("/m/a.go"));
        // Without a profile.
        for found in crate::check_file(&db, file).iter() {
            assert_eq!(found.severity, crate::Severity::Hint, "{found:?}");
        }
        crate::allocation_hints(&db, file)
            .into_iter()
            .map(|hint| {
                let line = text[..usize::from(hint.range.start())]
                    .matches('\n')
                    .count();
                (line - 11, hint.message)
            })
            .collect()
    }

    #[test]
    fn must_flag() {
        let found = hints(
            r#"func a(id string) bool {
	return regexp.MustCompile(`^a` + `b$`).MatchString(id)
}

func b() (*template.Template, error) {
	return template.New("x").Parse("{{.}}")
}

func c() (v any, err error) {
	err = json.Unmarshal([]byte(`{"a": 1}`), &v)
	return v, err
}

func d(parts []string) string {
	var out bytes.Buffer
	for _, part := range parts {
		out.WriteString(part)
		fmt.Fprintf(&out, "%s\n", part)
	}
	return out.String()
}
"#,
        );
        let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 6, 10, 17, 18], "{found:#?}");
        assert!(found[3].1.starts_with("`out` is empty at the beginning"));
    }

    /// Whether the hints about buffers have a fix.
    fn pooled(body: &str) -> Vec<bool> {
        let text = format!("package m\n\nimport (\n\t\"bytes\"\n\t\"fmt\"\n\t\"io\"\n)\n\n{body}");
        let mut db = Database::new();
        db.open_document("/m/a.go", text.as_str().into(), None);
        let hints = crate::allocation_hints(&db, source_file(&db, Path::new("/m/a.go")));
        hints.iter().map(|hint| !hint.fixes.is_empty()).collect()
    }

    #[test]
    fn buffers_whose_bytes_stay_come_from_a_pool() {
        let found = pooled(
            r#"func a(w io.Writer, n int) error {
	var out bytes.Buffer
	out.WriteString("n: ")
	fmt.Fprintf(&out, "%d", n)
	_, err := out.WriteTo(w)
	return err
}

func (s *server) text(n int) string {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%d", n)
	return out.String()
}

type server struct{}
"#,
        );
        assert_eq!(found, [true, true, true]);
    }

    #[test]
    fn buffers_whose_bytes_are_handed_on_do_not() {
        let found = pooled(
            r#"func bytesOf(n int) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%d", n)
	return out.Bytes()
}

func kept(n int) *bytes.Buffer {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%d", n)
	return &out
}

func copied(n int) bytes.Buffer {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%d", n)
	return out
}

func captured(n int) {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%d", n)
	go func() { fmt.Print(out.String()) }()
}

func loop(all []int) {
	for _, n := range all {
		var out bytes.Buffer
		fmt.Fprintf(&out, "%d", n)
		fmt.Print(out.String())
	}
}

func given(n int, use func(io.Writer)) string {
	var out bytes.Buffer
	out.WriteString("n: ")
	use(&out)
	return out.String()
}
"#,
        );
        assert_eq!(found, [false; 6]);
    }

    #[test]
    fn must_not_flag() {
        let found = hints(
            r#"var pattern = regexp.MustCompile(`^a$`)

var once sync.Once

func a(expr string) (*regexp.Regexp, error) {
	return regexp.Compile(expr)
}

func b(text string, data []byte) (v any, err error) {
	if _, err = template.New("x").Parse(text); err != nil {
		return nil, err
	}
	err = json.Unmarshal(data, &v)
	return v, err
}

func c() {
	once.Do(func() { pattern = regexp.MustCompile(`^b$`) })
}

func d(parts []string, into *bytes.Buffer, other bytes.Buffer) string {
	var out strings.Builder
	out.Grow(len(parts) * 16)
	for _, part := range parts {
		out.WriteString(part)
		into.WriteString(part)
		other.WriteString(part)
	}
	return out.String()
}

func init() {
	pattern = regexp.MustCompile(`^c$`)
}
"#,
        );
        assert_eq!(found, []);
    }
}
