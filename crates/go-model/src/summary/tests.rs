//! Small programs and what their functions mean to their callers.

use std::fmt::Write as _;

use super::*;
use crate::db::{Database, Environment, decls};

/// The summaries of a program as text, one line for each place that something is known of.
fn show(summary: &Summary) -> String {
    let mut out = String::new();
    let slot_name = |slot: Slot| match slot {
        Slot::Receiver => "r".to_owned(),
        Slot::Param(i) => i.to_string(),
        Slot::Capture(i) => format!("^{i}"),
    };
    let path = |path: &[Name]| -> String { path.iter().map(|n| format!("{n}.")).collect() };
    let how = |how: &How| match how {
        How::Method(m) => m.to_string(),
        How::Call => "()".to_owned(),
        How::Func(f, i) => format!("{}({i})", f.name),
        How::ArgOf(m, i) => format!("{}({i})", m.name),
        How::Passed(i) => format!("passed({i})"),
        How::Builtin => "close()".to_owned(),
        How::Said => "said".to_owned(),
    };
    let mut effect = |name: String, e: &ParamEffect| {
        if *e == *ParamEffect::UNKNOWN {
            return;
        }
        let _ = write!(out, "{name}: ");
        match e.fate {
            Fate::Unknown => out.push_str("unknown"),
            Fate::Borrowed => out.push_str("borrowed"),
            Fate::Kept(Keep::Slot(s)) => {
                let _ = write!(out, "kept in {}", slot_name(s));
            }
            Fate::Kept(Keep::Process) => out.push_str("kept by the process"),
            Fate::Kept(Keep::Elsewhere) => out.push_str("kept"),
        }
        let mut releases: Vec<String> = (e.releases.iter())
            .map(|r| {
                let when = match r.when {
                    When::Always => "always".to_owned(),
                    When::Sometimes => "sometimes".to_owned(),
                    When::If(s, fact) => {
                        let fact = match fact {
                            Fact::True => "true",
                            Fact::False => "false",
                            Fact::Nil => "nil",
                            Fact::NonNil => "non-nil",
                        };
                        format!("if {} {fact}", slot_name(s))
                    }
                    When::IfAsserted => "if asserted".to_owned(),
                    When::Failed => "if it fails".to_owned(),
                };
                format!(", {}{} {when}", path(&r.path), how(&r.how))
            })
            .collect();
        releases.sort();
        out.extend(releases);
        for f in &e.flows {
            let kind = match &f.kind {
                FlowKind::Same => "same".to_owned(),
                FlowKind::View => "view".to_owned(),
                FlowKind::Owner => "owner".to_owned(),
                FlowKind::Closure => "closure".to_owned(),
                FlowKind::Field(p) => format!("field {}", path(p).trim_end_matches('.')),
            };
            let _ = write!(out, ", {}-> {} {kind}", path(&f.path), f.result);
        }
        if let Some(fact) = e.after {
            let _ = write!(out, ", after {fact:?}");
        }
        for (g, name) in [(e.if_true, "true"), (e.if_false, "false")] {
            if let Some(g) = g {
                let _ = write!(out, ", {name}: {:?}", g.fact);
            }
        }
        out.push('\n');
    };
    effect("r".into(), &summary.receiver);
    for (i, p) in summary.params.iter().enumerate() {
        effect(i.to_string(), p);
    }
    for (i, p) in summary.captures.iter().enumerate() {
        effect(format!("^{i}"), p);
    }
    fn origin(o: &Origin) -> String {
        let slot_name = |slot: &Slot| match slot {
            Slot::Receiver => "r".to_owned(),
            Slot::Param(i) => i.to_string(),
            Slot::Capture(i) => format!("^{i}"),
        };
        match o {
            Origin::Unknown => "unknown".to_owned(),
            Origin::Nil => "nil".to_owned(),
            Origin::Slot(s, p) => {
                let p: String = p.iter().map(|n| format!(".{n}")).collect();
                format!("{}{p}", slot_name(s))
            }
            Origin::View(s) => format!("view {}", slot_name(s)),
            Origin::Owner(s) => format!("owner {}", slot_name(s)),
            Origin::Composite(fields) => {
                let fields: Vec<String> = (fields.iter())
                    .map(|(n, o)| format!("{n}: {}", origin(o)))
                    .collect();
                format!("{{{}}}", fields.join(", "))
            }
            Origin::Fresh(list) | Origin::Around(list) => {
                let word = match o {
                    Origin::Around(_) => "around",
                    _ => "fresh",
                };
                let list: Vec<String> = (list.iter())
                    .map(|f| {
                        let sources: Vec<String> = (f.sources.iter())
                            .map(|s| {
                                let name = match &s.callee {
                                    Callee::Func(f) => f.name.to_string(),
                                    Callee::Method(m) => format!("{}.{}", m.ty, m.name),
                                    other => format!("{other:?}"),
                                };
                                let path: String = s.path.iter().map(|n| format!(".{n}")).collect();
                                format!("{name}#{}{path}", s.result)
                            })
                            .collect();
                        let touched: Vec<String> = (f.touched.iter())
                            .filter_map(|t| match t.how {
                                How::Method(m) => {
                                    let p: String =
                                        t.path.iter().map(|n| format!("{n}.")).collect();
                                    Some(format!(" after {p}{m}"))
                                }
                                _ => None,
                            })
                            .collect();
                        format!("{}{}", sources.join("<"), touched.concat())
                    })
                    .collect();
                format!("{word} {}", list.join(" | "))
            }
        }
    }
    for (i, o) in summary.results.iter().enumerate() {
        if !matches!(o, Origin::Unknown) {
            let _ = writeln!(out, "= {i}: {}", origin(o));
        }
    }
    if let Some(n) = summary.never_returns {
        let _ = writeln!(out, "{}", if n.unwinds { "unwinds" } else { "exits" });
    }
    out
}

const IMPORTS: &str = "import (\n\"bufio\"\n\"compress/gzip\"\n\"context\"\n\"errors\"\n\"fmt\"\n\"io\"\n\"log\"\n\"net/http\"\n\"os\"\n\"sync\"\n\"testing\"\n)\n";

fn with_db(text: &str, f: impl FnOnce(&Database, &[DeclId])) {
    let mut db = Database::with_environment(Environment::default());
    let text = format!("package p\n{IMPORTS}\n{text}\n");
    let file = db.open_document("untitled:a.go", text.into(), None);
    let list = decls(&db, file);
    f(&db, &list);
}

/// The summary of function (or method) `name`.
#[track_caller]
fn check(text: &str, name: &str, expected: &str) {
    with_db(text, |db, decls| {
        let decl = decls
            .iter()
            .find(|d| d.name(db) == name)
            .unwrap_or_else(|| panic!("no {name}"));
        let got = show(&of(db, *decl).own);
        let lines = |s: &str| -> Vec<String> {
            s.lines()
                .map(|l| l.trim().to_owned())
                .filter(|l| !l.is_empty())
                .collect()
        };
        assert_eq!(lines(&got), lines(expected), "\n{got}");
    });
}

#[test]
fn closes_on_all_paths() {
    check(
        "func f(c *os.File) { c.Close() }",
        "f",
        "0: borrowed, Close always",
    );
    check(
        "func f(c *os.File) { defer c.Close(); io.Copy(os.Stdout, c) }",
        "f",
        "0: borrowed, Close always",
    );
    check(
        "func f(c *os.File, b bool) error { if b { return c.Close() }; c.Close(); return nil }",
        "f",
        "0: borrowed, Close always\n= 0: fresh File.Close#0",
    );
    check(
        "func f(c *os.File, b int) { if b > 1 { return }; c.Close() }",
        "f",
        "0: borrowed, Close sometimes",
    );
    check(
        "func f(c *os.File) { defer func() { _ = c.Close() }() }",
        "f",
        "0: borrowed, Close always",
    );
}

#[test]
fn closes_unless_nil() {
    check(
        "func f(c *os.File) { if c != nil { c.Close() } }",
        "f",
        "0: borrowed, Close always",
    );
    check(
        "func f(r *http.Response) { if r == nil || r.Body == nil { return }; io.Copy(io.Discard, r.Body); r.Body.Close() }",
        "f",
        "0: borrowed, Body.Close always",
    );
    check(
        "func f(err error, c *os.File) { if err != nil { c.Close() } }",
        "f",
        "0: borrowed\n1: borrowed, Close if 0 non-nil",
    );
}

#[test]
fn closes_through_helpers() {
    let text = "func a(c io.Closer) { b(c) }\nfunc b(c io.Closer) { if err := c.Close(); err != nil { log.Println(err) } }\nfunc d(r *http.Response) { b(r.Body) }\nfunc e(r *http.Response) { defer d(r) }";
    check(text, "a", "0: borrowed, Close always");
    check(text, "d", "0: borrowed, Body.Close always");
    check(text, "e", "0: borrowed, Body.Close always");
}

#[test]
fn calls_functions() {
    check(
        "func f(cancel context.CancelFunc) { cancel() }",
        "f",
        "0: borrowed, () always",
    );
    check(
        "func f(c func() error) { if err := c(); err != nil { log.Print(err) } }",
        "f",
        "0: borrowed, () always",
    );
    let text = "func g(c *os.File) { run(c.Close) }\nfunc run(f func() error) { _ = f() }\nfunc h(c *os.File) { run(func() error { return c.Close() }) }";
    check(text, "g", "0: borrowed, Close always");
    check(text, "h", "0: borrowed, Close always");
    check(
        "func f(c *os.File) { var o sync.Once; o.Do(func() { c.Close() }) }",
        "f",
        "0: borrowed, Close sometimes",
    );
}

#[test]
fn stores() {
    check(
        "type s struct { f *os.File }\nfunc (x *s) set(f *os.File) { x.f = f }",
        "set",
        "r: borrowed\n0: kept in r",
    );
    check(
        "var g *os.File\nfunc f(c *os.File) { g = c }",
        "f",
        "0: kept",
    );
    check(
        "func f(c *os.File, ch chan *os.File) { ch <- c }",
        "f",
        "0: kept\n1: borrowed",
    );
    check(
        "func f(c *os.File, m map[string]*os.File) { m[\"a\"] = c }",
        "f",
        "0: kept in 1\n1: borrowed",
    );
    check(
        "func f(c *os.File) { go func() { c.Close() }() }",
        "f",
        "0: kept",
    );
    check(
        "func f(c *os.File) { go io.Copy(os.Stdout, c) }",
        "f",
        "0: kept",
    );
    check(
        "func f(w *os.File) { log.SetOutput(w) }",
        "f",
        "0: kept by the process, SetOutput(0) always",
    );
}

#[test]
fn borrows() {
    check(
        "func f(c *os.File) { b := bufio.NewReader(c); s, _ := b.ReadString('\\n'); fmt.Println(s) }",
        "f",
        "0: borrowed",
    );
    check(
        "func f(c io.Reader) error { _, err := io.Copy(io.Discard, c); return err }",
        "f",
        "0: borrowed\n= 0: fresh Copy#1",
    );
    check("func f(c *os.File) { unknown.Do(c) }", "f", "");
    check(
        "func f(_ *os.File, c *os.File) { }",
        "f",
        "0: borrowed\n1: borrowed",
    );
}

#[test]
fn what_is_put_into_something_from_elsewhere_is_kept() {
    check(
        "func f(b *bufio.Writer) { if p := pool(); p != nil { p.Put(b) } }\nvar all sync.Pool\nfunc pool() *sync.Pool { return &all }",
        "f",
        "0: kept, Put(0) sometimes",
    );
    check(
        "type s struct { f *os.File }\nvar all []*s\nfunc f(c *os.File) { x := all[0]; x.f = c }",
        "f",
        "0: kept",
    );
    check(
        "type s struct { f *os.File }\nfunc f(c *os.File) { x := &s{}; x.f = c; io.Copy(io.Discard, x.f) }",
        "f",
        "0: borrowed",
    );
    check(
        "func f(c *os.File) { w := &other.Worker{Conn: c}; w.Start() }",
        "f",
        "",
    );
    check(
        "type s struct { f *os.File }\nfunc (x *s) run() { for { x.f.Sync() } }\nfunc f(c *os.File) { x := &s{f: c}; go x.run() }",
        "f",
        "0: kept",
    );
}

#[test]
fn returns_parameters_and_wrappers() {
    check(
        "func f(c *os.File) *os.File { return c }",
        "f",
        "0: borrowed, -> 0 same\n= 0: 0",
    );
    check(
        "func f(c io.Reader) *bufio.Reader { return bufio.NewReader(c) }",
        "f",
        "0: borrowed, -> 0 view\n= 0: view 0",
    );
    check(
        "func f(c io.Reader) (io.Reader, error) { z, err := gzip.NewReader(c); if err != nil { return nil, err }; return z, nil }",
        "f",
        "0: borrowed, -> 0 view\n= 0: view 0\n= 1: fresh NewReader#1",
    );
    check(
        "type s struct { f *os.File }\nfunc f(c *os.File) *s { return &s{f: c} }",
        "f",
        "0: borrowed, -> 0 field f\n= 0: {f: 0}",
    );
    check(
        "type s struct { f *os.File }\nfunc f(c *os.File) *s { x := &s{}; x.f = c; return x }",
        "f",
        "0: borrowed, -> 0 field f\n= 0: {f: 0}",
    );
    check(
        "func f(c *os.File) func() error { return c.Close }",
        "f",
        "0: borrowed, -> 0 closure",
    );
    check(
        "func f(c *os.File) func() { return func() { c.Close() } }",
        "f",
        "0: borrowed, -> 0 closure",
    );
    check(
        "func Must[T any](v T, err error) T { if err != nil { panic(err) }; return v }",
        "Must",
        "0: borrowed, -> 0 same\n1: kept, after Nil\n= 0: 0",
    );
}

#[test]
fn fresh_results() {
    check(
        "func f(p string) (*os.File, error) { return os.Open(p) }",
        "f",
        "= 0: fresh Open#0\n= 1: fresh Open#1".to_owned().as_str(),
    );
    check(
        "func f() (*os.File, error) { f, err := os.Open(\"x\"); if err != nil { return nil, fmt.Errorf(\"open: %w\", err) }; return f, nil }",
        "f",
        "= 0: fresh Open#0\n= 1: around Open#1",
    );
    check(
        "func f() *http.Response { r, _ := http.Get(\"x\"); defer r.Body.Close(); return r }",
        "f",
        "= 0: fresh Get#0 after Body.Close",
    );
    check(
        "func f() (*os.File, error) { return g() }\nfunc g() (*os.File, error) { return os.Create(\"x\") }",
        "f",
        "= 0: fresh g#0<Create#0\n= 1: fresh g#1<Create#1",
    );
    check(
        "var all []*os.File\nfunc f() *os.File { f, _ := os.Open(\"x\"); all = append(all, f); return f }",
        "f",
        "",
    );
    check(
        "type s struct { f *os.File }\nfunc f() (*s, error) { f, err := os.Open(\"x\"); if err != nil { return nil, err }; return &s{f: f}, nil }",
        "f",
        "= 0: {f: fresh Open#0}\n= 1: fresh Open#1",
    );
    check(
        "func f(b bool) (x *os.File, err error) { if b { x, err = os.Open(\"a\") } else { x, err = os.Create(\"a\") }; return }",
        "f",
        "= 0: fresh Open#0 | Create#0\n= 1: fresh Open#1 | Create#1",
    );
    check(
        "func f() *os.File { return Must(os.Open(\"x\")) }\nfunc Must[T any](v T, err error) T { if err != nil { panic(err) }; return v }",
        "f",
        "= 0: fresh Must#0<Open#0",
    );
}

#[test]
fn what_lies_in_fresh_results() {
    check(
        "func f() (io.ReadCloser, error) { r, err := http.Get(\"x\"); if err != nil { return nil, err }; return r.Body, nil }",
        "f",
        "= 0: fresh Get#0.Body\n= 1: fresh Get#1",
    );
    check(
        "func f() *log.Logger { f, _ := os.Create(\"x\"); return log.New(f, \"\", 0) }",
        "f",
        "= 0: around Create#0",
    );
    check(
        "type s struct { l *log.Logger }\nfunc f() *s { f, _ := os.Create(\"x\"); return &s{l: log.New(f, \"\", 0)} }",
        "f",
        "= 0: {l: around Create#0}",
    );
    check(
        "type s struct { f *os.File }\nfunc f() (*s, error) { s := &s{}; f, err := os.Open(\"x\"); if err != nil { return nil, err }; s.f = f; return s, nil }",
        "f",
        "= 0: {f: fresh Open#0}\n= 1: fresh Open#1",
    );
    check(
        "type s struct { f *os.File }\nfunc f() (*s, error) { s := &s{}; var err error; s.f, err = os.Open(\"x\"); if err != nil { return nil, err }; return s, nil }",
        "f",
        "= 0: {f: fresh Open#0}\n= 1: fresh Open#1",
    );
}

#[test]
fn when_results_are_there() {
    #[track_caller]
    fn given(body: &str, expected: Given) {
        with_db(body, |db, decls| {
            let decl = decls.iter().find(|d| d.name(db) == "f").unwrap();
            assert_eq!(of(db, *decl).own.given(0), expected, "{body}");
        });
    }
    let error = Given::IfNil(1);
    given(
        "func f(p string) (*os.File, error) { return os.Open(p) }",
        error,
    );
    given(
        "func f(p string) (*os.File, error) { f, err := os.Open(p); return f, err }",
        error,
    );
    given(
        "func f(p string) (*os.File, error) { f, err := os.Open(p); if err != nil { return nil, err }; return f, nil }",
        error,
    );
    given(
        "func f(p string) (x *os.File, err error) { x, err = os.Open(p); return }",
        error,
    );
    given(
        "func f(p string) (*os.File, error) { if p == \"\" { return nil, nil }; return os.Open(p) }",
        Given::Unknown,
    );
    given(
        "func f(p string) (*os.File, error) { f, _ := os.Open(p); return f, check(p) }\nfunc check(string) error",
        Given::Unknown,
    );
    given(
        "func f(p string) *os.File { f, err := os.Open(p); if err != nil { return nil }; return f }",
        Given::Always,
    );
    given(
        "func f(p string) (*os.File, bool) { f, err := os.Open(p); if err != nil { return nil, false }; return f, true }",
        Given::Unknown,
    );
    given(
        "func f(p string) (*os.File, error) { return g(p) }\nfunc g(p string) (*os.File, error) { if p == \"\" { return nil, nil }; return os.Open(p) }",
        Given::Unknown,
    );
}

#[test]
fn never_returning() {
    check(
        "func fatal(err error) { log.Println(err); os.Exit(1) }",
        "fatal",
        "0: borrowed\nexits",
    );
    check(
        "func f() { fatal() }\nfunc fatal() { panic(1) }",
        "f",
        "unwinds",
    );
    check(
        "func f() { die := func() { os.Exit(1) }; die() }",
        "f",
        "exits",
    );
    check("func f() { for { fmt.Println() } }", "f", "exits");
    check("func f(x int) { if x > 0 { os.Exit(1) } }", "f", "");
    check(
        "func f() { defer func() { recover() }(); panic(1) }",
        "f",
        "",
    );
    // Mutual recursion: one way out is enough.
    check(
        "func a(n int) { if n == 0 { os.Exit(1) }; b(n) }\nfunc b(n int) { a(n - 1) }",
        "a",
        "exits",
    );
    check(
        "func a(n int) { if n == 0 { return }; b(n) }\nfunc b(n int) { a(n - 1) }",
        "b",
        "",
    );
    check(
        "func f(t *testing.T, msg string) { t.Helper(); t.Fatal(msg) }",
        "f",
        "0: borrowed\nunwinds",
    );
}

#[test]
fn asserting_helpers() {
    check(
        "func check(err error) { if err != nil { log.Fatal(err) } }",
        "check",
        "0: borrowed, after Nil",
    );
    check(
        "func check(t *testing.T, err error) { t.Helper(); if err == nil { return }; t.Fatalf(\"%v\", err) }",
        "check",
        "0: borrowed, Fatalf sometimes, Helper always\n1: borrowed, after Nil",
    );
    check(
        "func a(err error) { check(err) }\nfunc check(err error) { if err != nil { panic(err) } }",
        "a",
        "0: kept, check(0) always, after Nil",
    );
    check(
        "func missing(err error) bool { return errors.Is(err, os.ErrNotExist) }",
        "missing",
        "0: borrowed, true: NonNil",
    );
    check(
        "func missing(err error) bool { if err == nil { return false }; return os.IsNotExist(err) }",
        "missing",
        "0: borrowed, true: NonNil",
    );
    check(
        "func ok(err error) bool { return err == nil }",
        "ok",
        "0: borrowed, true: Nil, false: NonNil",
    );
    check(
        "func is(err, target error) bool { return errors.Is(err, target) }",
        "is",
        "0: borrowed\n1: borrowed",
    );
}

#[test]
fn depends_on_a_flag() {
    check(
        "func f(c *os.File, keep bool) { if !keep { c.Close() } }",
        "f",
        "0: borrowed, Close if 1 false",
    );
    check(
        "func f(c *os.File, keep bool) { if keep { return }; c.Close() }",
        "f",
        "0: borrowed, Close if 1 false",
    );
    let text = "func f(c *os.File, keep bool) { if !keep { c.Close() } }\nfunc g(c *os.File) { f(c, true) }\nfunc h(c *os.File) { f(c, false) }\nfunc i(c *os.File, keep bool) { f(c, keep) }";
    check(text, "g", "0: borrowed");
    check(text, "h", "0: borrowed, Close always");
    check(text, "i", "0: borrowed, Close if 1 false");
}

#[test]
fn parameters_that_may_be_nil() {
    let text = "type o struct{ n int }\nfunc f(c *os.File, p *o) { if p == nil { c.Close() } }\nfunc any1(c *os.File, v any) { if v == nil { c.Close() } }\nfunc none(c *os.File) { f(c, nil) }\nfunc some(c *os.File) { f(c, &o{}) }\nfunc on(c *os.File, p *o) { f(c, p) }\nfunc boxed(c *os.File, p *o) { any1(c, p) }\nfunc boxedNil(c *os.File) { any1(c, (*o)(nil)) }\nfunc failed(c *os.File, err error) { if err != nil { c.Close() } }\nfunc address(c *os.File, v o) { f(c, &v) }\nfunc changed(c *os.File, p *o) { p = nil; if p == nil { c.Close() } }\nfunc captured(c *os.File, keep bool) { defer func() { if !keep { c.Close() } }() }";
    check(text, "f", "0: borrowed, Close if 1 nil\n1: borrowed");
    check(text, "none", "0: borrowed, Close always");
    check(text, "some", "0: borrowed");
    check(text, "on", "0: borrowed, Close if 1 nil\n1: borrowed");
    check(text, "boxed", "0: borrowed, Close sometimes\n1: borrowed");
    check(text, "boxedNil", "0: borrowed, Close sometimes");
    check(
        text,
        "failed",
        "0: borrowed, Close if 1 non-nil\n1: borrowed",
    );
    check(text, "address", "0: borrowed");
    check(text, "changed", "0: borrowed, Close sometimes");
    check(text, "captured", "0: borrowed, Close if 1 false");
}

#[test]
fn assertions() {
    check(
        "func f(v any) { if c, ok := v.(io.Closer); ok { c.Close() } }",
        "f",
        "0: borrowed, Close if asserted",
    );
    check(
        "func f(v any) { switch c := v.(type) { case io.Closer: c.Close() } }",
        "f",
        "0: borrowed, Close if asserted",
    );
    check(
        "func f(v any) { v.(io.Closer).Close() }",
        "f",
        "0: borrowed, Close always",
    );
}

#[test]
fn elements() {
    check(
        "func f(cs []io.Closer) { for _, c := range cs { c.Close() } }",
        "f",
        "0: borrowed, [].Close always",
    );
    check(
        "func f(cs []io.Closer) { for _, c := range cs { if err := c.Close(); err != nil { return } } }",
        "f",
        "0: borrowed, [].Close sometimes",
    );
    check(
        "func f(cs []io.Closer, x int) { for i, c := range cs { if i == x { continue }; c.Close() } }",
        "f",
        "0: borrowed, [].Close sometimes",
    );
    check(
        "func f(cs ...io.Closer) error { var errs []error; for _, c := range cs { errs = append(errs, c.Close()) }; return errors.Join(errs...) }",
        "f",
        "0: borrowed, [].Close always\n= 0: fresh Join#0",
    );
}

#[test]
fn receivers() {
    let text = "type s struct { f *os.File; r *http.Response; stop func() }\nfunc (x *s) Close() error { if x.stop != nil { x.stop() }; defer x.r.Body.Close(); return x.f.Close() }\nfunc (x *s) Stop() { x.Close() }";
    check(
        text,
        "Close",
        "r: borrowed, f.Close always, r.Body.Close always, stop.() always\n= 0: fresh File.Close#0",
    );
    check(
        text,
        "Stop",
        "r: borrowed, Close always, f.Close always, r.Body.Close always, stop.() always",
    );
}

#[test]
fn reassigned_parameters_are_unknown() {
    check(
        "func f(c *os.File) { c, _ = os.Open(\"x\"); c.Close() }",
        "f",
        "0: unknown, Close sometimes",
    );
    check(
        "func f(r *http.Response) { r.Body = io.NopCloser(r.Body); r.Body.Close() }",
        "f",
        "0: unknown, Body.Close always",
    );
    check("func f(p **os.File) { *p = nil }", "f", "0: borrowed");
}

#[test]
fn cleanups() {
    check(
        "func f(t *testing.T, c *os.File) { t.Cleanup(func() { c.Close() }) }",
        "f",
        "0: borrowed, Cleanup always\n1: kept",
    );
    check(
        "func f(c *os.File) { defer c.Close(); die() }\nfunc die() { os.Exit(1) }",
        "f",
        "0: borrowed\nexits",
    );
}

#[test]
fn recursion_settles() {
    check(
        "func f(r io.Reader, n int) { if n == 0 { return }; r.Read(nil); f(r, n-1) }",
        "f",
        "0: borrowed",
    );
    check(
        "func f(c io.Closer, n int) { if n == 0 { c.Close(); return }; f(c, n-1) }",
        "f",
        "0: borrowed, Close always",
    );
    check(
        "func a(c io.Closer) { b(c) }\nfunc b(c io.Closer) { a(c); c.Close() }",
        "a",
        "0: borrowed\nexits",
    );
}

#[test]
fn literals_have_summaries() {
    with_db(
        "func f() { f, _ := os.Open(\"x\"); defer func() { f.Close() }() }",
        |db, decls| {
            let decl = decls.iter().find(|d| d.name(db) == "f").expect("f");
            let all = of(db, *decl);
            assert_eq!(show(&all.literals[0]), "^0: borrowed, Close always\n");
        },
    );
}

#[test]
fn an_edit_that_changes_nothing_for_callers_ends_there() {
    let mut db = Database::recording(Environment::default());
    let text = |body: &str| {
        format!(
            "package p\nimport \"os\"\nfunc a(c *os.File) {{ {body} }}\nfunc b(c *os.File) {{ a(c) }}\nfunc d(c *os.File) {{ c.Sync() }}\n"
        )
    };
    let file = db.open_document("untitled:a.go", text("c.Close()").into(), None);
    let b = decls(&db, file)
        .iter()
        .copied()
        .find(|d| d.name(&db) == "b")
        .expect("b");
    of(&db, b);
    db.take_executed();
    db.open_document("untitled:a.go", text("println(1); c.Close()").into(), None);
    of(&db, b);
    let executed = db.take_executed();
    let count = |q: &str| executed.iter().filter(|e| e.starts_with(q)).count();
    assert_eq!(count("digest_of"), 1, "{executed:?}");
    assert_eq!(count("solved"), 0, "{executed:?}");
    db.open_document("untitled:a.go", text("").into(), None);
    of(&db, b);
    let executed = db.take_executed();
    // `a` and its caller, and nothing else.
    let count = |q: &str| executed.iter().filter(|e| e.starts_with(q)).count();
    assert_eq!(count("solved"), 2, "{executed:?}");
    assert_eq!(count("digest_of"), 1, "{executed:?}");
}

#[test]
fn many_functions_in_a_chain_and_in_a_ring() {
    let mut text = "package p\nimport \"os\"\n".to_owned();
    for i in 0..3000 {
        let _ = writeln!(text, "func f{i}(c *os.File) {{ f{}(c) }}", i + 1);
    }
    text.push_str("func f3000(c *os.File) { c.Close() }\n");
    for i in 0..1000 {
        let _ = writeln!(
            text,
            "func g{i}(c *os.File, n int) {{ if n == 0 {{ return }}; g{}(c, n-1) }}",
            (i + 1) % 1000
        );
    }
    let mut db = Database::with_environment(Environment::default());
    let file = db.open_document("untitled:a.go", text.into(), None);
    let list = decls(&db, file);
    let named = |n: &str| {
        list.iter()
            .copied()
            .find(|d| d.name(&db) == n)
            .expect("declared")
    };
    assert_eq!(
        show(&of(&db, named("f0")).own),
        "0: borrowed, Close always\n"
    );
    assert_eq!(show(&of(&db, named("g7")).own), "0: borrowed\n");
}

#[test]
fn graphs_know_helpers_that_never_return() {
    with_db(
        "func f(err error) { if err != nil { die(err) }; g := func() { os.Exit(1) }; if err == nil { g() }; println() }\nfunc die(err error) { log.Fatal(err) }",
        |db, decls| {
            let decl = decls.iter().find(|d| d.name(db) == "f").expect("f");
            let cfg = crate::cfg::cfg_of(db, *decl, None).expect("a body");
            let stops = (cfg.blocks.iter())
                .filter(|(_, b)| matches!(b.terminator, crate::cfg::Terminator::NoReturn { .. }))
                .count();
            assert_eq!(stops, 2);
        },
    );
}

#[test]
fn directives_count_more_than_bodies() {
    check(
        "//stopleak:owns f\nfunc g(f *os.File, o *os.File) { o.Close() }",
        "g",
        "0: kept\n1: borrowed, Close always",
    );
    // Callers see it, also in a circle.
    let text = "//stopleak:borrows f\nfunc a(f *os.File) { if len(os.Args) > 1 { b(f) }; f.Close() }\nfunc b(f *os.File) { a(f) }\nfunc c(f *os.File) { b(f) }";
    for name in ["a", "b", "c"] {
        check(text, name, "0: borrowed");
    }
    // A method of an interface.
    check(
        "type store interface {\n//stopleak:owns f\nTake(f *os.File)\n//stopleak:borrows f\nLook(f *os.File) }\nfunc f(s store, a, b *os.File) { s.Take(a); s.Look(b) }",
        "f",
        "0: borrowed, Look always, Take always\n1: kept, Take(0) always\n2: borrowed",
    );
}

#[test]
fn configured_functions() {
    use crate::told::{Claim, FuncPath, Told, ToldTable};

    let path = FuncPath::parse("example.com/x.Save").expect("a path");
    let told = Told {
        claims: vec![
            (Slot::Param(0), Claim::Closes),
            (Slot::Param(1), Claim::Borrows),
        ],
        ..Told::default()
    };
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("go.mod"), "module example.com/x\n\ngo 1.26\n").expect("written");
    std::fs::write(
        at("a.go"),
        "package x\n\nimport \"os\"\n\nvar kept *os.File\n\nfunc Save(a, b, c *os.File) { kept = a; kept = b; kept = c }\n\nfunc call(a, b, c *os.File) { Save(a, b, c) }\n",
    )
    .expect("written");
    let mut db = Database::recording(Environment::default());
    let file = db.file(at("a.go")).expect("a file");
    let decls = decls(&db, file);
    let call = *decls.iter().find(|d| d.name(&db) == "call").expect("call");
    let before = "0: kept, Save(0) always\n1: kept, Save(1) always\n2: kept, Save(2) always\n";
    assert_eq!(show(&of(&db, call).own), before);
    let table = std::sync::Arc::new(ToldTable::new(Vec::new(), vec![(path, told)]));
    db.set_told(vec![(dir.path().to_owned(), table.clone())]);
    assert_eq!(
        show(&of(&db, call).own),
        "0: kept, Save(0) always, said always\n1: borrowed\n2: kept, Save(2) always\n"
    );
    // A table for another folder changes nothing, and nothing is computed again.
    db.take_executed();
    db.set_told(vec![
        (dir.path().to_owned(), table.clone()),
        (dir.path().join("sub"), table),
    ]);
    of(&db, call);
    let executed = db.take_executed();
    assert!(
        executed.iter().all(|query| query.starts_with("told_table")),
        "{executed:?}"
    );
}
