//! Small programs with the types of all their locals.

use std::fmt::Write as _;
use std::sync::Arc;

use super::facts;
use crate::db::{Database, Environment, decls};
use crate::facts::{Callee, Facts, LocalKind};
use crate::members::View;

fn with_facts(text: &str, mut f: impl FnMut(&View<'_>, &str, &Facts)) {
    let mut db = Database::with_environment(Environment::default());
    let file = db.open_document("untitled:a.go", Arc::from(text), None);
    for &decl in decls(&db, file).iter() {
        let facts = facts(&db, decl);
        let view = View::with_facts(&db, file, &facts);
        f(&view, decl.name(&db).as_str(), &facts);
    }
}

/// `name type` of each local in order of declaration, separated by `; `.
fn locals(text: &str) -> String {
    let mut out = String::new();
    with_facts(text, |view, _, facts| {
        for (_, local) in facts.locals.iter() {
            if local.kind != LocalKind::Const {
                let sep = if out.is_empty() { "" } else { "; " };
                let _ = write!(out, "{sep}{} {}", local.ident.name, view.display(&local.ty));
            }
        }
    });
    out
}

fn body(imports: &str, body: &str) -> String {
    let imports: String = imports
        .split_whitespace()
        .map(|i| format!("import \"{i}\"\n"))
        .collect();
    locals(&format!("package p\n{imports}\nfunc f() {{\n{body}\n}}\n"))
}

fn callees(imports: &str, body: &str) -> Vec<String> {
    let imports: String = imports
        .split_whitespace()
        .map(|i| format!("import \"{i}\"\n"))
        .collect();
    let mut out = Vec::new();
    with_facts(
        &format!("package p\n{imports}\nfunc f() {{\n{body}\n}}\n"),
        |_, _, facts| {
            for (_, callee) in facts.callees.iter() {
                out.push(match callee {
                    Callee::Func(f) => format!("{}.{}", f.package, f.name),
                    Callee::Method(m) => format!("{}.{}.{}", m.package, m.ty, m.name),
                    other => format!("{other:?}"),
                });
            }
        },
    );
    out
}

#[test]
fn standard_library() {
    assert_eq!(
        body(
            "net/http",
            "resp, err := http.Get(\"x\")\nbody := resp.Body"
        ),
        "resp *http.Response; err error; body io.ReadCloser"
    );
    assert_eq!(
        body(
            "os context time database/sql",
            "f, err := os.Open(\"x\")
             ctx, cancel := context.WithCancel(context.Background())
             t := time.NewTicker(time.Second)
             c := t.C
             var db *sql.DB
             rows, err := db.QueryContext(ctx, \"q\")"
        ),
        "f *os.File; err error; ctx context.Context; cancel context.CancelFunc; t *time.Ticker; \
         c <-chan time.Time; db *sql.DB; rows *sql.Rows"
    );
}

#[test]
fn callees_are_resolved() {
    assert_eq!(
        callees(
            "net/http os io",
            "var client http.Client
             resp, _ := client.Do(nil)
             resp.Body.Close()
             http.DefaultClient.Get(\"x\")
             io.Copy(os.Stdout, resp.Body)
             string(x)
             f(len(x))"
        ),
        [
            "net/http.Client.Do",
            "io.Closer.Close",
            "net/http.Client.Get",
            "io.Copy",
            "Conversion",
            "Builtin(\"len\")",
            "untitled:a.go.f",
        ]
    );
}

#[test]
fn forms_of_statements() {
    assert_eq!(
        body(
            "",
            "m := map[string][]int{}
             v, ok := m[\"a\"]
             for k, w := range m { x := w[0]; _ = x }
             for i := range 10 { _ = i }
             for i, r := range \"abc\" { _ = i; _ = r }
             c := make(chan error)
             select { case e, ok := <-c: _ = e }
             var a any = 1
             switch b := a.(type) { case int: case string, bool: default: }
             s, ok := a.(string)
             p := new(v)
             q := &struct{ x int }{1}
             y := q.x"
        ),
        "m map[string][]int; v []int; ok bool; k string; w []int; x int; i int; i int; r int32; c chan error; \
         e error; ok bool; a any; b int; b any; b any; s string; p *[]int; q *struct{x int}; y int"
    );
}

#[test]
fn generics() {
    assert_eq!(
        locals(
            "package p
             import \"os\"
             func Must[T any](v T, err error) T { return v }
             func Map[S ~[]E, E, R any](s S, f func(E) R) []R { var out []R; return out }
             type Pair[A, B any] struct { First A; Second B }
             func (p *Pair[X, Y]) Swap() Pair[Y, X] { return Pair[Y, X]{p.Second, p.First} }
             func f() {
                 a := Must(os.Open(\"x\"))
                 b := Map([]string{}, func(s string) int { return 0 })
                 c := Pair[string, *os.File]{}
                 d := c.Swap()
                 e := d.First
                 g := Must[int]
             }"
        ),
        "v T; err error; s S; f func(E) R; out []R; p *Pair[X,Y]; a *os.File; s string; b []int; \
         c Pair[string,*os.File]; d Pair[*os.File,string]; e *os.File; g func(int, error) int"
    );
}

/// What is known of one local: `assignments/reads`, `c` if captured, `&` if its address is taken.
fn uses(text: &str, local: &str) -> String {
    let mut out = String::new();
    with_facts(text, |_, _, facts| {
        for (_, l) in facts.locals.iter().filter(|(_, l)| l.ident.name == local) {
            let captured = if l.captured { "c" } else { "" };
            let address = if l.address_taken { "&" } else { "" };
            let _ = write!(out, "{}/{}{captured}{address} ", l.assignments, l.reads);
        }
    });
    out.trim_end().to_owned()
}

#[test]
fn uses_of_locals() {
    let function = |body: &str| format!("package p\nfunc f(a int) (r error) {{\n{body}\n}}\n");
    assert_eq!(uses(&function("x := 1\nx = 2\n_ = x"), "x"), "2/1");
    assert_eq!(uses(&function("var x int\nx++\nx += a"), "x"), "2/2");
    assert_eq!(uses(&function("x, y := 1, 2\nx, z := 3, 4"), "x"), "2/0");
    assert_eq!(uses(&function("x := 1\n{ x := 2; _ = x }"), "x"), "1/0 1/1");
    assert_eq!(uses(&function("x := 1\nfunc() { x = 2 }()"), "x"), "2/0c");
    assert_eq!(uses(&function("x := 1\np := &x"), "x"), "1/1&");
    assert_eq!(
        uses(&function("var x struct{ y int }\np := &x.y\nx.y = 1"), "x"),
        "0/2&"
    );
    assert_eq!(
        uses(&function("x := &struct{ y int }{}\np := &x.y"), "x"),
        "1/1"
    );
    assert_eq!(uses(&function("return nil"), "r"), "0/0");
    assert_eq!(uses(&function("r = nil\nreturn"), "r"), "1/0");
    assert_eq!(uses(&function("_ = a"), "a"), "1/1");
}

#[test]
fn captures_go_through_all_literals_between() {
    let mut seen = Vec::new();
    with_facts(
        "package p\nfunc f() { x, y := 1, 2; func() { _ = y; func(z int) { _, _ = x, z }(1) }() }\n",
        |_, _, facts| {
            for (_, literal) in facts.literals.iter() {
                let names: Vec<&str> = literal
                    .captures
                    .iter()
                    .map(|&l| facts.locals[l].ident.name.as_str())
                    .collect();
                seen.push((literal.parent.is_some(), names.join(",")));
            }
        },
    );
    seen.sort();
    assert_eq!(seen, [(false, "y,x".to_owned()), (true, "x".to_owned())]);
}

#[test]
fn names_are_shadowed() {
    assert_eq!(
        locals(
            "package p
             import \"os\"
             type T struct{ n int }
             func len(x string) T { return T{} }
             func f() {
                 a := len(\"\")
                 os := a.n
                 b := os
                 string := 1.5
                 c := string
                 type T []int
                 d := T{}[0]
                 e := T{}
             }"
        ),
        "x string; a T; os int; b int; string float64; c float64; d int; e T"
    );
}

#[test]
fn embedding_and_ambiguity() {
    assert_eq!(
        locals(
            "package p
             import \"io\"
             type A struct{ x int; io.Closer }
             type B struct{ x string }
             type C struct { *A; B; y bool }
             type D struct { C; x []byte }
             type E struct { missing.T; A; G }
             type G struct { H }
             type H struct { w int }
             func f(c C, d D, e E) {
                 a := c.x
                 b := d.x
                 g := d.y
                 h := c.Close()
                 i := d.Close
                 j := e.x
                 k := e.A.x
                 l := e.w
                 m := e.G.w
             }"
        ),
        "c C; d D; e E; a ?; b []byte; g bool; h error; i func() error; j int; k int; l ?; m int"
    );
}

#[test]
fn go_1_26_and_1_27() {
    assert_eq!(
        locals(
            "package p
             type L[T any] struct{ v T }
             func (l L[T]) Map[R any](f func(T) R) L[R] { return L[R]{f(l.v)} }
             func f() {
                 a := new(5)
                 b := new(\"x\")
                 c := L[int]{}.Map(func(i int) string { return \"\" })
                 d := c.v
             }"
        ),
        "l L[T]; f func(T) R; a *int; b *string; i int; c L[string]; d string"
    );
}

#[test]
fn methods_of_an_alias() {
    assert_eq!(
        locals(
            "package p
             type Token int
             type token = Token
             func (t token) String() string { return \"\" }
             func f(t token) { s := t.String(); g := Token.String }"
        ),
        "t Token; t Token; s string; g func(Token) string"
    );
}

#[test]
fn cycles_are_unknown() {
    assert_eq!(
        locals(
            "package p
             type A = B
             type B = A
             type S S
             type E struct{ E }
             var x = y
             var y = x
             const n = len([n]int{})
             func f(a A, s S, e E) { b := x; c := s.q; d := e.q; var g [n]int }"
        ),
        "a ?; s S; e E; b ?; c ?; d ?; g [?]int"
    );
}

#[test]
fn nothing_is_too_deep() {
    for (open, close) in [
        ("f(", ")"),
        ("func() { _ = 1; ", "}"),
        ("if a { } else ", "{}"),
        ("[]any{", "}"),
        ("&(", ")"),
        ("for { ", "}"),
        ("x.y[", "]"),
    ] {
        let deep = format!(
            "package p\nfunc f(a bool) {{ {}{} }}\n",
            open.repeat(5_000),
            close.repeat(5_000)
        );
        locals(&deep);
        let allowed = format!(
            "package p\nfunc f(a bool) {{ {}{} }}\n",
            open.repeat(120),
            close.repeat(120)
        );
        locals(&allowed);
    }
    let grow: String = (1..2000)
        .map(|i| format!("x{i} := &x{}\n", i - 1))
        .collect();
    let shown = body("", &format!("x0 := 1\n{grow}"));
    assert!(shown.contains("x50 "), "{shown:.200}");
    assert!(shown.ends_with('?'));
}
