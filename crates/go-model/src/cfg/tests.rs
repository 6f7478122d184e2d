use go_syntax::ast::{DeclTree, ExprId, ExprKind, StmtId, StmtKind};
use go_syntax::parse_file;
use std::sync::Arc;

use super::*;

/// A function's tree and text. `body` is what stands between the braces.
fn function(body: &str) -> (Arc<DeclTree>, String) {
    let text = format!("func f() {{\n{body}\n}}");
    let file = parse_file(&format!("package p\n\n{text}\n")).file;
    assert!(file.errors.is_empty(), "{text}");
    (file.decls[0].tree.clone(), text)
}

/// `panic` unwinds, `exit` exits: in these tests by name, since nothing is resolved.
fn by_name(tree: &DeclTree) -> impl Fn(ExprId) -> Option<NoReturn> + '_ {
    |call| {
        let ExprKind::Call { func, .. } = &tree[call].kind else {
            return None;
        };
        match tree.ident(*func)?.name.as_str() {
            "panic" => Some(NoReturn { unwinds: true }),
            "exit" => Some(NoReturn { unwinds: false }),
            _ => None,
        }
    }
}

fn graph(tree: &DeclTree) -> Cfg {
    let body = tree.func().and_then(|f| f.body.as_ref()).expect("a body");
    build_with(
        tree,
        body,
        &by_name(tree),
        &|e| match tree.ident(e)?.name.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        },
    )
}

#[track_caller]
fn check(body: &str, expected: &str) {
    let (tree, text) = function(body);
    let dump = graph(&tree).dump(&tree, &text);
    let clean = |s: &str| -> String {
        let lines: Vec<&str> = s
            .lines()
            .map(str::trim_end)
            .filter(|l| !l.is_empty())
            .collect();
        let indent = lines
            .iter()
            .map(|l| l.len() - l.trim_start().len())
            .min()
            .unwrap_or(0);
        lines
            .iter()
            .map(|l| format!("{}\n", &l[indent..]))
            .collect()
    };
    assert_eq!(clean(&dump), clean(expected), "\n{dump}");
}

fn stmt_of(tree: &DeclTree, text: &str, what: &str) -> StmtId {
    tree.stmts
        .iter()
        .find(|(_, s)| &text[std::ops::Range::from(s.range)] == what)
        .map(|(id, _)| id)
        .expect(what)
}

fn loop_stmt(tree: &DeclTree, nth: usize) -> StmtId {
    tree.stmts
        .iter()
        .filter(|(_, s)| matches!(s.kind, StmtKind::For { .. } | StmtKind::Range { .. }))
        .map(|(id, s)| (s.range.start(), id))
        .collect::<std::collections::BTreeMap<_, _>>()
        .into_values()
        .nth(nth)
        .expect("a loop")
}

#[test]
fn straight() {
    check(
        "a()\nb()",
        "
        b0:
            a()
            b()
            end",
    );
}

#[test]
fn if_else() {
    check(
        "if x := a(); x {\nb()\n} else if y {\nc()\n} else {\nd()\n}\ne()",
        "
        b0:
            x := a()
            eval x
            if x -> b1 else b2
        b1:
            b()
            -> b5
        b2:
            eval y
            if y -> b3 else b4
        b3:
            c()
            -> b5
        b4:
            d()
            -> b5
        b5:
            e()
            end",
    );
}

#[test]
fn conditions_are_taken_apart() {
    check(
        "if (a && !b) || c(x) {\nd()\n}",
        "
        b0:
            eval a
            if a -> b1 else b2
        b1:
            eval b
            if b -> b2 else b3
        b2:
            eval c(x)
            if c(x) -> b3 else b4
        b3:
            d()
            -> b4
        b4:
            end",
    );
}

#[test]
fn both_branches_return() {
    check(
        "if a {\nreturn\n} else {\nreturn\n}",
        "
        b0:
            eval a
            if a -> b1 else b2
        b1:
            return
        b2:
            return",
    );
}

#[test]
fn unreachable_code_is_kept_apart() {
    check(
        "return\na()",
        "
        b0:
            return
        b1 dead:
            a()
            end",
    );
}

#[test]
fn for_with_everything() {
    check(
        "for i := 0; i < n; i++ {\nif i == 3 {\ncontinue\n}\nif i == 5 {\nbreak\n}\na()\n}\nb()",
        "
        b0:
            i := 0
            -> b1
        b1 in loop b1:
            eval i < n
            if i < n -> b2 else b8
        b2 in loop b1:
            eval i == 3
            if i == 3 -> b3 else b4
        b3 in loop b1:
            -> b7
        b4 in loop b1:
            eval i == 5
            if i == 5 -> b5 else b6
        b5 in loop b1:
            -> b8
        b6 in loop b1:
            a()
            -> b7
        b7 in loop b1:
            i++
            -> b1
        b8:
            b()
            end",
    );
}

#[test]
fn endless() {
    check(
        "for {\na()\n}\nb()",
        "
        b0:
            -> b1
        b1 in loop b1:
            a()
            -> b1
        b2 dead:
            b()
            end",
    );
    check(
        "a()\nfor {\n}",
        "
        b0:
            a()
            -> b1
        b1 in loop b1:
            stuck",
    );
    check(
        "for true {\na()\n}",
        "
        b0:
            -> b1
        b1 in loop b1:
            -> b2
        b2 in loop b1:
            a()
            -> b1",
    );
    check(
        "select {}",
        "
        b0:
            select -> []",
    );
}

#[test]
fn range() {
    check(
        "for k, v := range m() {\na(k, v)\n}\nb()",
        "
        b0:
            eval m()
            -> b1
        b1 in loop b1:
            if next -> b2 else b3
        b2 in loop b1:
            bind range
            a(k, v)
            -> b1
        b3:
            b()
            end",
    );
    check(
        "for range ch {\nreturn\n}",
        "
        b0:
            eval ch
            -> b1
        b1 in loop b1:
            if next -> b2 else b3
        b2 in loop b1:
            return
        b3:
            end",
    );
}

#[test]
fn switch_with_a_tag() {
    check(
        "switch t := a(); t {\ncase 1, 2:\nb()\nfallthrough\ncase 3:\nc()\ndefault:\nd()\n}\ne()",
        "
        b0:
            t := a()
            eval t
            eval 1
            if t == 1 -> b2 else b1
        b1:
            eval 2
            if t == 2 -> b2 else b3
        b2:
            b()
            -> b4
        b3:
            eval 3
            if t == 3 -> b4 else b5
        b4:
            c()
            -> b6
        b5:
            d()
            -> b6
        b6:
            e()
            end",
    );
}

#[test]
fn switch_without_a_tag_and_default_in_the_middle() {
    check(
        "switch {\ncase a && b:\nx()\ndefault:\ny()\ncase c:\nbreak\n}",
        "
        b0:
            eval a
            if a -> b1 else b3
        b1:
            eval b
            if b -> b2 else b3
        b2:
            x()
            -> b6
        b3:
            eval c
            if c -> b4 else b5
        b4:
            -> b6
        b5:
            y()
            -> b6
        b6:
            end",
    );
}

#[test]
fn switch_where_all_cases_return() {
    check(
        "switch a {\ncase 1:\nreturn\ndefault:\nreturn\n}",
        "
        b0:
            eval a
            eval 1
            if a == 1 -> b1 else b2
        b1:
            return
        b2:
            return",
    );
}

#[test]
fn type_switch() {
    check(
        "switch v := x.(type) {\ncase int, string:\na(v)\ncase nil:\ndefault:\nb(v)\n}",
        "
        b0:
            eval x
            if type case 0 -> b1 else b2
        b1:
            bind case 0
            a(v)
            -> b5
        b2:
            if type case 1 -> b3 else b4
        b3:
            bind case 1
            -> b5
        b4:
            bind case 2
            b(v)
            -> b5
        b5:
            end",
    );
}

#[test]
fn select_arms_begin_with_their_communication() {
    check(
        "for {\nselect {\ncase v := <-ch:\na(v)\ncase out <- 1:\nbreak\ncase <-ctx.Done():\nreturn\ndefault:\n}\nb()\n}",
        "
        b0:
            -> b1
        b1 in loop b1:
            select -> [b2, b3, b4, b5]
        b2 in loop b1:
            v := <-ch
            a(v)
            -> b6
        b3 in loop b1:
            out <- 1
            -> b6
        b4 in loop b1:
            <-ctx.Done()
            return
        b5 in loop b1:
            -> b6
        b6 in loop b1:
            b()
            -> b1",
    );
}

#[test]
fn labels() {
    check(
        "outer:\nfor a {\nfor b {\nif c {\ncontinue outer\n}\nif d {\nbreak outer\n}\n}\n}\ne()",
        "
        b0:
            -> b1
        b1:
            -> b2
        b2 in loop b2:
            eval a
            if a -> b3 else b11
        b3 in loop b2:
            -> b4
        b4 in loop b4:
            eval b
            if b -> b5 else b10
        b5 in loop b4:
            eval c
            if c -> b6 else b7
        b6 in loop b4:
            -> b2
        b7 in loop b4:
            eval d
            if d -> b8 else b9
        b8 in loop b4:
            -> b11
        b9 in loop b4:
            -> b4
        b10 in loop b2:
            -> b2
        b11:
            e()
            end",
    );
}

#[test]
fn labelled_switch_and_select() {
    check(
        "s:\nswitch {\ncase a:\nfor {\nbreak s\n}\n}\nb()",
        "
        b0:
            -> b1
        b1:
            eval a
            if a -> b2 else b4
        b2:
            -> b3
        b3 in loop b3:
            -> b4
        b4:
            b()
            end",
    );
}

#[test]
fn goto_back_makes_a_loop() {
    check(
        "a()\nagain:\nb()\nif c {\ngoto again\n}\nif d {\ngoto done\n}\ne()\ndone:\nf()",
        "
        b0:
            a()
            -> b1
        b1 in loop b1:
            b()
            eval c
            if c -> b2 else b3
        b2 in loop b1:
            -> b1
        b3:
            eval d
            if d -> b4 else b5
        b4:
            -> b6
        b5:
            e()
            -> b6
        b6:
            f()
            end",
    );
}

#[test]
fn goto_around_a_loop() {
    let (tree, text) =
        function("retry:\nfor a {\nif b {\ngoto retry\n}\nif c {\nreturn\n}\nx()\n}");
    let cfg = graph(&tree);
    assert_eq!(cfg.loops.len(), 2);
    let inner = loop_stmt(&tree, 0);
    let outer = cfg.loop_of(inner).and_then(|l| l.parent).expect("a parent");
    assert!(matches!(tree[outer].kind, StmtKind::Labeled { .. }));
    let (block, _) = cfg.position_of(stmt_of(&tree, &text, "x()")).expect("x");
    assert!(cfg.is_in_loop(block, outer) && cfg.is_in_loop(block, inner));
}

#[test]
fn broken_jumps_are_stuck() {
    check(
        "break\na()",
        "
        b0:
            stuck
        b1 dead:
            a()
            end",
    );
}

#[test]
fn calls_that_never_return() {
    check(
        "if a {\npanic(1)\n}\nx := b(exit())\nc()",
        "
        b0:
            eval a
            if a -> b1 else b2
        b1:
            unwinds: panic(1)
        b2:
            exits: exit()
        b3 dead:
            c()
            end",
    );
    // Conditional evaluation and literals do not count; conditions do.
    check(
        "x := a && exit()\ng := func() {\nexit()\n}\nif b || exit() {\nc()\n}",
        "
        b0:
            x := a && exit()
            g := func() { …
            eval b
            if b -> b1 else b3
        b1:
            c()
            -> b2
        b2:
            end
        b3:
            exits: exit()",
    );
    check(
        "return exit()",
        "
        b0:
            exits: exit()",
    );
    // Deferred and launched calls do not run here, their operands do.
    check(
        "defer exit()\ngo exit()\ndefer a(exit())",
        "
        b0:
            register defer exit()
            go exit()
            exits: exit()",
    );
}

#[test]
fn defers_are_nodes_and_listed() {
    check(
        "defer a()\nif b {\ndefer c()\n}",
        "
        b0:
            register defer a()
            eval b
            if b -> b1 else b2
        b1:
            register defer c()
            -> b2
        b2:
            end",
    );
    let (tree, _) = function("defer a()\nfunc() {\ndefer b()\n}()\ndefer c()");
    assert_eq!(graph(&tree).defers.len(), 2);
}

#[test]
fn literals_have_graphs_of_their_own() {
    let (tree, text) = function("g := func() {\nif a {\nreturn\n}\nb()\n}\ng()");
    let (_, lit) = tree
        .exprs
        .iter()
        .find_map(|(id, e)| match &e.kind {
            ExprKind::FuncLit(lit) => Some((id, lit)),
            _ => None,
        })
        .expect("a literal");
    let cfg = build(&tree, &lit.body, &|_| None);
    assert_eq!(
        cfg.dump(&tree, &text),
        "b0:\n    eval a\n    if a -> b1 else b2\nb1:\n    return\nb2:\n    b()\n    end\n"
    );
}

#[test]
fn dominators_and_loops() {
    let (tree, text) =
        function("for i := range n {\nif a {\nx()\nreturn\n}\nif b {\ny()\nbreak\n}\nz()\n}\nw()");
    let cfg = graph(&tree);
    let dom = cfg.dominators();
    let at = |s| cfg.position_of(stmt_of(&tree, &text, s)).expect(s).0;
    let (x, y, z, w) = (at("x()"), at("y()"), at("z()"), at("w()"));
    assert!(dom.dominates(cfg.entry, w) && !dom.dominates(y, w) && !dom.dominates(x, z));
    let l = loop_stmt(&tree, 0);
    // By its place everything but `w` is in the loop; only `z` comes round.
    assert!([x, y, z].iter().all(|b| cfg.is_in_loop(*b, l)));
    assert!(!cfg.is_in_loop(w, l));
    assert_eq!(
        [x, y, z].map(|b| cfg.comes_round(b, l)),
        [false, false, true]
    );
    assert!(cfg.repeating_loop(z).is_some() && cfg.repeating_loop(x).is_none());
    let edges = cfg.back_edges(&dom);
    assert_eq!(edges.len(), 1);
    let natural = cfg.natural_loop(edges[0]);
    assert!(natural.contains(z) && !natural.contains(x) && !natural.contains(y));
    assert_eq!(cfg.returns().len(), 2);
    assert!(!cfg.reachable_from(w).contains(z));
}

#[test]
fn leaving_the_inner_loop_can_come_round_the_outer_one() {
    let (tree, text) = function("for a {\nfor b {\nx()\nbreak\n}\n}");
    let cfg = graph(&tree);
    let (x, _) = cfg.position_of(stmt_of(&tree, &text, "x()")).expect("x");
    let (outer, inner) = (loop_stmt(&tree, 0), loop_stmt(&tree, 1));
    assert!(!cfg.comes_round(x, inner) && cfg.comes_round(x, outer));
    assert_eq!(cfg.repeating_loop(x).map(|l| l.stmt), Some(outer));
    assert_eq!(
        cfg.loops_containing(x).map(|l| l.stmt).collect::<Vec<_>>(),
        [inner, outer]
    );
}

#[test]
fn never_returning_bodies() {
    let never = |body| graph(&function(body).0).never_returns();
    assert!(never("for {\na()\n}"));
    assert!(never("a()\nexit()"));
    assert!(never("if a {\npanic(1)\n} else {\nexit()\n}"));
    assert!(!never("for {\nbreak\n}"));
    assert!(!never("if a {\nexit()\n}"));
}

#[test]
fn hostile_shapes() {
    // A long else-if chain, a long condition, many cases: loops, not recursion.
    let mut chain = "if a {\n}".to_owned();
    for _ in 0..200 {
        chain.push_str(" else if a {\n}");
    }
    assert!(!graph(&function(&chain).0).truncated);
    let long = vec!["a"; 200].join(" && ");
    let (tree, _) = function(&format!("if {long} {{\nb()\n}}"));
    assert!(graph(&tree).blocks.len() > 200);
    let deep = format!("{}x(){}", "{\n".repeat(120), "\n}".repeat(120));
    assert!(!graph(&function(&deep).0).truncated);
}
