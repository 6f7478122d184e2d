//! Frames land on lines of the workspace, wherever the program was built and whatever was edited since.

#![allow(clippy::unwrap_used)]

mod go;
#[path = "go/tree.rs"]
mod tree;

use std::collections::BTreeMap;

use go::{MAIN, POOL, Program};
use leak_evidence::{
    Anchor, Evidence, Family, Finding, Growth, Kind, Level, Line, Operation, Origin, Profile,
    Resolver, Series, Strength, Thresholds, Weights, join, read, weigh,
};
use tree::Tree;

fn one(bytes: &[u8]) -> Profile {
    let mut profiles = read(bytes).unwrap();
    assert_eq!(profiles.len(), 1);
    profiles.pop().unwrap()
}

fn weights_in(tree: &Tree, profile: &Profile, map: &[(String, String)]) -> Weights {
    let mut weights = weigh(profile, &Resolver::new(tree, map).resolve(profile));
    weights.forgive_timers(tree);
    weights
}

fn weights(tree: &Tree, profile: &Profile) -> Weights {
    weights_in(tree, profile, &[])
}

/// What a line weighs, with its anchor, by the comment at its end.
fn by_comment<'a>(tree: &Tree, weights: &'a Weights) -> BTreeMap<String, (i64, &'a Line)> {
    let mut found = BTreeMap::new();
    for line in &weights.lines {
        let text = tree.files[&*line.place.path]
            .lines()
            .nth(line.place.line as usize - 1)
            .unwrap();
        if let Some((_, comment)) = text.split_once("// ") {
            found.insert(comment.to_owned(), (weights.weight(line), line));
        }
    }
    found
}

const BLOCKED: [(&str, i64, Operation); 5] = [
    ("blocked: generic", 8, Operation::Send),
    ("blocked: send", 5, Operation::Send),
    ("blocked: receive", 3, Operation::Receive),
    ("blocked: wait group", 1, Operation::WaitGroup),
    ("blocked: mutex", 1, Operation::Mutex),
];

#[track_caller]
fn assert_blocked(tree: &Tree, profile: &Profile, anchor: Anchor) {
    let weights = weights(tree, profile);
    let found = by_comment(tree, &weights);
    for (comment, count, operation) in BLOCKED {
        let (weight, line) = found
            .get(comment)
            .unwrap_or_else(|| panic!("{comment} in {:#?}", weights.unplaced));
        assert_eq!(*weight, count, "{comment}");
        assert_eq!(line.place.anchor, anchor, "{comment}");
        let operations = &line.goroutines.as_ref().unwrap().operations;
        // `debug=1` leaves out the frames of the runtime.
        if profile.format != leak_evidence::Format::CountText {
            assert_eq!(
                operations.keys().collect::<Vec<_>>(),
                [&operation],
                "{comment}"
            );
        }
    }
}

const FORMATS: [&str; 3] = ["goroutine.pb.gz", "goroutine.1.txt", "goroutine.2.txt"];

fn files() -> [(&'static str, &'static str); 2] {
    [("main.go", MAIN), ("pool/pool.go", POOL)]
}

#[test]
fn frames_are_placed_where_the_program_was_built() {
    let Some(program) = Program::plain() else {
        return;
    };
    let root = program.root();
    let tree = Tree::new("example.com/leaky", root.to_str().unwrap(), &files());
    for file in FORMATS {
        assert_blocked(&tree, &one(&program.bytes(file)), Anchor::Exact);
    }
}

#[test]
fn frames_are_placed_elsewhere() {
    let Some(program) = Program::plain() else {
        return;
    };
    // Package `pool` is found by its name, and shows where `main` is.
    let tree = Tree::new("example.com/leaky", "/home/me/leaky", &files());
    for file in FORMATS {
        assert_blocked(&tree, &one(&program.bytes(file)), Anchor::Exact);
    }
    // With another module path only the end of the path is left: `pool/pool.go`. It shows the rest.
    let tree = Tree::new("example.org/fork", "/home/me/fork", &files());
    for file in FORMATS {
        assert_blocked(&tree, &one(&program.bytes(file)), Anchor::Exact);
    }
    // A file of the same name in which all functions are where they were.
    let tree = Tree::new("example.org/fork", "/home/me", &[("main.go", MAIN)]);
    for file in FORMATS {
        let weights = weights(&tree, &one(&program.bytes(file)));
        assert_eq!(by_comment(&tree, &weights)["blocked: send"].0, 5);
    }
    let moved = MAIN.replace("import (", "\nimport (");
    let tree = Tree::new("example.org/fork", "/home/me", &[("main.go", &moved)]);
    let profile = one(&program.bytes("goroutine.pb.gz"));
    assert!(weights(&tree, &profile).lines.is_empty());

    // Only the user knows.
    let tree = Tree::new("example.org/fork", "/home/me", &[("cmd.go", MAIN)]);
    let profile = one(&program.bytes("goroutine.pb.gz"));
    let none = weights(&tree, &profile);
    assert!(none.lines.is_empty());
    assert!(
        none.unplaced.iter().any(|u| u.function == "main.main"),
        "{none:#?}"
    );
    assert_eq!(none.elsewhere, none.totals);
    let tree = Tree::new("example.org/fork", "/home/me/x", &[("main.go", MAIN)]);
    let map = [(
        format!("{}/", program.root().display()),
        "/home/me/x".to_owned(),
    )];
    let mapped = weights_in(&tree, &profile, &map);
    assert_eq!(by_comment(&tree, &mapped)["blocked: send"].0, 5);
}

#[test]
fn frames_of_trimmed_builds_are_placed() {
    let Some(program) = Program::run(&["-trimpath"]) else {
        return;
    };
    let tree = Tree::new("example.com/leaky", "/home/me/leaky", &files());
    for file in FORMATS {
        let profile = one(&program.bytes(file));
        assert_blocked(&tree, &profile, Anchor::Exact);
        let weights = weights(&tree, &profile);
        assert!(weights.unplaced.is_empty(), "{:#?}", weights.unplaced);
    }
}

#[test]
fn lines_move_with_their_functions() {
    let Some(program) = Program::plain() else {
        return;
    };
    let main = MAIN.replace("import (", "// A comment\n// of two lines.\n\nimport (");
    let main = main.replace(
        "func (s *server) worker() {",
        "func other() {}\n\nfunc (s *server) worker() {",
    );
    let pool = POOL.replace("// New returns", "var x = 1\n\n// New returns");
    let files = [("main.go", &*main), ("pool/pool.go", &*pool)];
    let tree = Tree::new("example.com/leaky", "/home/me/leaky", &files);
    assert_blocked(
        &tree,
        &one(&program.bytes("goroutine.pb.gz")),
        Anchor::Moved,
    );

    // Text does not say where functions began: all that is known is the function.
    let found = weights(&tree, &one(&program.bytes("goroutine.2.txt")));
    let worker = found
        .lines
        .iter()
        .find(|line| &*line.function == "main.(*server).worker")
        .unwrap();
    let path = "/home/me/leaky/main.go";
    assert_eq!(worker.place.anchor, Anchor::Function);
    assert_eq!(worker.place.line, tree.line(path, "worker() {"));

    // A function that is gone is not placed anywhere.
    let main = MAIN.replace("worker()", "renamed()");
    let tree = Tree::new("example.com/leaky", "/home/me/leaky", &[("main.go", &main)]);
    let found = weights(&tree, &one(&program.bytes("goroutine.pb.gz")));
    let gone = found
        .unplaced
        .iter()
        .find(|unplaced| unplaced.function == "main.(*server).worker")
        .unwrap();
    assert_eq!(gone.values, [3]);
}

#[test]
fn memory_is_placed_where_it_was_allocated() {
    let Some(program) = Program::plain() else {
        return;
    };
    let mut tree = Tree::new("example.com/leaky", "/home/me/leaky", &files());
    tree.changed = true;
    for file in ["heap.pb.gz", "heap.1.txt"] {
        let profile = one(&program.bytes(file));
        let weights = weights(&tree, &profile);
        let found = by_comment(&tree, &weights);
        let (bytes, line) = found["allocated"];
        // 64 of 1 MiB, less what sampling is off.
        assert!((50 << 20..90 << 20).contains(&bytes), "{bytes}");
        assert_eq!(line.place.changed, file == "heap.pb.gz", "text has no time");
        assert!(
            line.stacks[0].frames.iter().any(|frame| {
                &*frame.function == "main.main" && frame.origin == Origin::Workspace
            })
        );
        assert!(found["allocated: inlined"].0 > 10 << 20);
        let total: i64 = weights.lines.iter().map(|line| weights.weight(line)).sum();
        assert_eq!(
            total + weights.elsewhere[weights.main_type],
            weights.total()
        );
        assert_eq!(
            Thresholds::default().level(&weights, line, None),
            Some(Level::Information)
        );
    }
}

#[test]
fn go_statements_are_found() {
    let Some(program) = Program::plain() else {
        return;
    };
    let tree = Tree::new("example.com/leaky", "/home/me/leaky", &files());
    let path = "/home/me/leaky/main.go";
    let send = tree.line(path, "ch <- v") - 2;
    for file in FORMATS {
        let weights = weights(&tree, &one(&program.bytes(file)));
        let created = weights.created.iter().find(|created| created.line == send);
        assert_eq!(created.unwrap().count, 5, "{file}");
        let line = &by_comment(&tree, &weights)["blocked: send"].1;
        let creators = &line.goroutines.as_ref().unwrap().creators;
        assert_eq!(creators[&(path.into(), send)], 5);
    }
    // Only dumps say which statement started a function that is declared.
    let weights = weights(&tree, &one(&program.bytes("goroutine.2.txt")));
    let line = tree.line(path, "go s.worker()");
    assert!(
        weights
            .created
            .iter()
            .any(|c| c.line == line && c.count == 3)
    );
}

/// A dump with `count` goroutines blocked on line 4 and started on line 3, for `minutes`.
fn dump(count: usize, minutes: &str) -> Profile {
    let mut text = String::new();
    for number in 0..count {
        text += &format!(
            "goroutine {} [chan send{minutes}]:
m.f.func1()
\t/w/m.go:4 +0x1
created by m.f in goroutine 1
\t/w/m.go:3 +0x1

",
            number + 2
        );
    }
    one(text.as_bytes())
}

const SMALL: &str = "package m
func f() {
\tgo func() {
\t\tch <- 1
\t}()
}
";

#[test]
fn thresholds_decide_the_level() {
    let tree = Tree::new("m", "/w", &[("m.go", SMALL)]);
    let thresholds = Thresholds::default();
    let level = |profile: &Profile, base: Option<&Profile>| {
        let now = weights(&tree, profile);
        let growth = base.and_then(|base| Growth::between(&weights(&tree, base), &now));
        thresholds.level(&now, &now.lines[0], growth.as_ref())
    };
    assert_eq!(level(&dump(99, ""), None), None);
    assert_eq!(level(&dump(100, ""), None), Some(Level::Information));
    assert_eq!(level(&dump(1000, ""), None), Some(Level::Warning));
    assert_eq!(level(&dump(5, ", 12 minutes"), None), None);
    assert_eq!(
        level(&dump(5, ", 12 minutes"), Some(&dump(3, ""))),
        Some(Level::Warning)
    );
    assert_eq!(level(&dump(5, ", 12 minutes"), Some(&dump(5, ""))), None);
    assert_eq!(level(&dump(5, ", 2 minutes"), Some(&dump(3, ""))), None);
    assert_eq!(level(&dump(1, " (leaked)"), None), Some(Level::Warning));
    let idle = "goroutine 7 [IO wait, 90 minutes]:\nm.f()\n\t/w/m.go:4 +0x1\n\n".repeat(2000);
    assert_eq!(level(&one(idle.as_bytes()), None), None);

    let mut timed = Tree::new("m", "/w", &[("m.go", SMALL)]);
    timed.timers.push(("/w/m.go".to_owned(), 4));
    let waiting = "goroutine 7 [select]:\nm.f()\n\t/w/m.go:4 +0x1\n\n".repeat(2000);
    let profile = one(waiting.as_bytes());
    assert_eq!(level(&profile, None), Some(Level::Warning));
    let timed = weights(&timed, &profile);
    assert_eq!(thresholds.level(&timed, &timed.lines[0], None), None);

    let waits = weights(&tree, &dump(2, ", 61 minutes")).lines[0]
        .goroutines
        .clone()
        .unwrap();
    assert_eq!((waits.longest, waits.waits.hours), (61, 2));
}

fn finding(family: Family, lines: (u32, u32), related: &[u32]) -> Finding {
    Finding {
        rule: "a-rule".to_owned(),
        family,
        path: "/w/m.go".to_owned(),
        lines,
        related: related
            .iter()
            .map(|line| ("/w/m.go".to_owned(), *line))
            .collect(),
    }
}

#[test]
fn findings_and_evidence_are_joined() {
    let tree = Tree::new("m", "/w", &[("m.go", SMALL)]);
    let few = weights(&tree, &dump(5, ""));
    let many = weights(&tree, &dump(1200, ""));
    let leaked = weights(&tree, &dump(1, " (leaked)"));
    let strength = |weights: &Weights, finding: &Finding| {
        let evidence = [Evidence {
            weights,
            growth: None,
        }];
        let joined = join(
            std::slice::from_ref(finding),
            &evidence,
            &Thresholds::default(),
        );
        let found = joined.confirmed.iter().chain(&joined.suspected).next();
        let strength = found.unwrap().strength();
        assert_eq!(
            !joined.confirmed.is_empty(),
            strength >= Some(Strength::Strong)
        );
        strength
    };
    // On the `go` statement, on the blocked line, along the path; not elsewhere, not of another family.
    let started = finding(Family::Goroutines, (3, 3), &[]);
    assert_eq!(strength(&few, &started), Some(Strength::Seen));
    assert_eq!(strength(&many, &started), Some(Strength::Strong));
    assert_eq!(strength(&leaked, &started), Some(Strength::Certain));
    let blocked = finding(Family::Goroutines, (4, 4), &[]);
    assert_eq!(strength(&many, &blocked), Some(Strength::Strong));
    let path = finding(Family::Goroutines, (1, 1), &[4]);
    assert_eq!(strength(&many, &path), Some(Strength::Strong));
    let other = finding(Family::Goroutines, (6, 6), &[]);
    assert_eq!(strength(&many, &other), None);
    let memory = finding(Family::Memory, (4, 4), &[]);
    assert_eq!(strength(&many, &memory), None);

    let evidence = [Evidence {
        weights: &many,
        growth: None,
    }];
    let joined = join(&[other], &evidence, &Thresholds::default());
    assert_eq!(joined.runtime_only.len(), 1);
    assert_eq!(joined.runtime_only[0].1, Level::Warning);
    let joined = join(&[blocked], &evidence, &Thresholds::default());
    assert!(joined.runtime_only.is_empty());
}

#[test]
fn growth_is_by_line() {
    let tree = Tree::new("m", "/w", &[("m.go", SMALL)]);
    let points = [2, 5, 9].map(|count| weights(&tree, &dump(count, "")));
    let growth = Growth::between(&points[0], &points[2]).unwrap();
    assert_eq!(growth.of("/w/m.go", 4, 0), 7);
    assert_eq!(growth.in_order, None);
    let back = Growth::between(&points[2], &points[0]).unwrap();
    assert_eq!(back.of("/w/m.go", 4, 0), -7);
    let series = Series::of(&points.iter().collect::<Vec<_>>());
    assert_eq!(series.totals, [2, 5, 9]);
    assert_eq!(series.lines[0].values, [2, 5, 9]);
    assert!(series.lines[0].grows());

    let heap =
        "heap profile: 1: 8 [1: 8] @ heap/2\n1: 8 [1: 8] @ 0x1\n#\t0x1\tm.f+0x1\t/w/m.go:4\n";
    let heap = weights(&tree, &one(heap.as_bytes()));
    assert_eq!(heap.kind, Kind::Heap);
    assert_eq!(Growth::between(&heap, &points[0]), None);
}
