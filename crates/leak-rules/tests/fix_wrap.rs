//! Loop bodies wrapped in functions: every case is compiled and run before and after, and has to do the same.

mod toolchain;

use go_model::db::{Database, decls};
use go_model::infer;
use go_syntax::ast::{DeclTree, ExprKind, StmtId, StmtKind};
use go_syntax::parse_file;
use leak_rules::Fix;
use leak_rules::edit::apply_edits;
use leak_rules::engine::site::{Acquire, AcquireShape, FixKind, FixSite, LoopDefer, Trigger};
use leak_rules::fix::{FixContext, fixes_for};

/// The wrapping fixes of all loops with a `defer` directly in their function, with the name of the declaration.
fn fixes(text: &str) -> Vec<(String, Option<Fix>)> {
    let mut db = Database::new();
    let source = db.open_document("/m/cases.go", text.into(), None);
    let parsed = parse_file(text);
    assert!(parsed.file.errors.is_empty());
    let mut found = Vec::new();
    for (decl, &id) in parsed.file.decls.iter().zip(decls(&db, source).iter()) {
        let tree = &*decl.tree;
        let Some(func) = tree.func() else { continue };
        for (loop_stmt, defer) in loop_defers(tree) {
            let StmtKind::Defer(call) = tree[defer].kind else {
                continue;
            };
            let literal = tree
                .exprs
                .iter()
                .filter(|(_, e)| {
                    matches!(e.kind, ExprKind::FuncLit(_))
                        && e.range.contains_range(tree[loop_stmt].range)
                })
                .min_by_key(|(_, e)| e.range.len())
                .map(|(id, _)| id);
            let site = FixSite {
                kind: FixKind::Defer,
                trigger: Trigger::DeferInLoop,
                literal,
                acquire: Acquire {
                    call,
                    stmt: None,
                    shape: AcquireShape::Nested,
                    result: 0,
                    error_result: None,
                },
                value: None,
                error: None,
                insert: None,
                late_defers: Vec::new(),
                releases: Vec::new(),
                leaks: Vec::new(),
                parts: Vec::new(),
                in_loop: Some(loop_stmt),
                reassigned: false,
                moved_elsewhere: false,
                second_release_harmful: false,
                written: None,
                outlives: false,
                reader_goroutine: None,
                loop_defer: Some(LoopDefer {
                    defer,
                    loop_stmt,
                    other_defers: Vec::new(),
                    has_recover: false,
                }),
                in_test: false,
            };
            let ctx = FixContext {
                tree,
                facts: &infer::facts(&db, id),
                start: decl.start,
                text,
                file: &parsed.file,
                go: (1, 26),
                package: "m".into(),
                declared: &|_| false,
                naming: &|_| Vec::new(),
            };
            found.push((
                func.name.name.to_string(),
                fixes_for(&site, &ctx).into_iter().next(),
            ));
        }
    }
    found
}

/// Each `defer` with the innermost loop around it.
fn loop_defers(tree: &DeclTree) -> Vec<(StmtId, StmtId)> {
    tree.stmts
        .iter()
        .filter(|(_, s)| matches!(s.kind, StmtKind::Defer(_)))
        .filter_map(|(defer, d)| {
            tree.stmts
                .iter()
                .filter(|(_, s)| matches!(s.kind, StmtKind::For { .. } | StmtKind::Range { .. }))
                .filter(|(_, s)| s.range.contains_range(d.range))
                .min_by_key(|(_, s)| s.range.len())
                .map(|(l, _)| (l, defer))
        })
        .collect()
}

#[test]
fn wrapped_loops_do_what_they_did() {
    let text = include_str!("go/wrap.go");
    let mut edits = Vec::new();
    let mut cases = 0;
    for (name, fix) in fixes(text) {
        let fix = fix.unwrap_or_else(|| panic!("no fix for {name}"));
        edits.extend(fix.edits);
        cases += 1;
    }
    assert!(cases > 25, "{cases}");
    edits.sort_by_key(|e| e.range.start());
    let fixed = apply_edits(text, &edits).unwrap();
    if std::env::var_os("SHOW").is_some() {
        eprintln!("{fixed}");
    }
    let Some(module) = toolchain::GoModule::new("1.24") else {
        return;
    };
    module.write("before/cases.go", text);
    module.write("after/cases.go", &fixed);
    let names: Vec<&str> = text
        .lines()
        .filter_map(|l| l.strip_prefix("func Case")?.split('(').next())
        .collect();
    let table: String = names
        .iter()
        .map(|n| format!("\t{{\"{n}\", before.Case{n}, after.Case{n}}},\n"))
        .collect();
    module.write(
        "main.go",
        &format!(
            "package main\n\nimport (\n\t\"fmt\"\n\t\"os\"\n\n\tafter \"m/after\"\n\tbefore \"m/before\"\n)\n\nvar cases = []struct {{\n\tname   string\n\tbefore func(*before.T)\n\tafter  func(*after.T)\n}}{{\n{}}}\n\nfunc main() {{\n\tbad := false\n\tfor _, c := range cases {{\n\t\tfor n := range 9 {{\n\t\t\tb, a := &before.T{{N: n}}, &after.T{{N: n}}\n\t\t\tc.before(b)\n\t\t\tc.after(a)\n\t\t\tif fmt.Sprintf(\"%q\", b.Log) != fmt.Sprintf(\"%q\", a.Log) || a.MaxOpen > 1 || a.Open != 0 || b.Open != 0 {{\n\t\t\t\tfmt.Println(c.name, n, b, a)\n\t\t\t\tbad = true\n\t\t\t}}\n\t\t}}\n\t}}\n\tif bad {{\n\t\tos.Exit(1)\n\t}}\n}}\n",
            table
        ),
    );
    for file in module.unformatted() {
        assert!(file == "main.go", "{}", module.gofmt_diff(&file));
    }
    let vet = module.messages(&["vet", "./..."]);
    assert!(vet.is_empty(), "{vet:#?}");
    let (out, ok) = module.run_package(".");
    assert!(ok, "{out}");
}

#[test]
fn some_loops_are_left_alone() {
    let text = include_str!("go/nowrap.go");
    for (name, fix) in fixes(text) {
        assert!(fix.is_none(), "{name}: {fix:?}");
    }
}
