//! Recorded texts: what Go, goleak and the sanitizers print.

#![allow(clippy::unwrap_used)]

use leak_evidence::{Kind, Operation, Profile, read};

fn only(text: &str) -> Profile {
    let mut profiles = read(text.as_bytes()).unwrap();
    assert_eq!(profiles.len(), 1, "{profiles:#?}");
    profiles.pop().unwrap()
}

/// One line for each sample: values, status, marks, labels, stack, creator.
fn show(profile: &Profile) -> Vec<String> {
    let place = |id| {
        let frame = profile.frame(id);
        let function = profile.text(frame.function);
        format!("{function}@{}:{}", profile.text(frame.file), frame.line)
    };
    profile
        .samples()
        .map(|sample| {
            let mut out = format!("{:?}", sample.values());
            if let Some(state) = sample.goroutines() {
                out += &format!(" #{} {}", state.first, profile.text(state.status));
                for (mark, on) in [
                    (" leaked", state.leaked),
                    (" locked", state.locked),
                    (" elided", state.elided),
                ] {
                    out += if on { mark } else { "" };
                }
                if let Some(minutes) = state.minutes {
                    out += &format!(" {minutes}min");
                }
            }
            for (key, value) in sample.labels() {
                out += &format!(" {key}={value:?}");
            }
            for frame in sample.frames() {
                out += &format!(" <- {}", place(frame));
            }
            if let Some(creator) = sample.goroutines().and_then(|state| state.created_by) {
                out += &format!(" by {}", place(creator));
            }
            out
        })
        .collect()
}

#[test]
fn goleak_is_read_in_test_output() {
    let wanted = [
        "[3] #7 chan receive <- m.leak.func1@/src/m/a_test.go:11 by m.leak@/src/m/a_test.go:10",
        "[1] #22 select (no cases) <- m.TestOne.func1@/src/m/a_test.go:20 by m.TestOne@/src/m/a_test.go:20",
    ];
    for (text, total) in [
        (include_str!("recorded/goleak.txt"), 5),
        (include_str!("recorded/goleak.json"), 5),
    ] {
        let profile = only(text);
        assert_eq!(profile.kind, Kind::Goleak);
        let shown = show(&profile);
        assert!(shown[0].starts_with(wanted[0]), "{shown:#?}");
        assert_eq!(shown[1], wanted[1]);
        assert_eq!(profile.totals(), [total], "{shown:#?}");
        assert_eq!(profile.truncated, None);
    }
}

#[test]
fn goleak_of_a_whole_package_is_read() {
    let profile = only(
        "PASS
goleak: Errors on successful test run:found unexpected goroutines:
[Goroutine 23 in state chan receive, with pkg.leak.func1 on top of the stack:
pkg.leak.func1()
\t/abs/a_test.go:14 +0x19
created by pkg.leak in goroutine 22
\t/abs/a_test.go:14 +0x19
 Goroutine 24 in state select (no cases)] {k: \"v w\"}, with pkg.x on top of the stack:
pkg.x(...)
\t/abs/x.go:3
]
exit status 1
",
    );
    assert_eq!(
        show(&profile),
        [
            "[1] #23 chan receive <- pkg.leak.func1@/abs/a_test.go:14 by pkg.leak@/abs/a_test.go:14",
            "[1] #24 select (no cases) k=Text(\"v w\") <- pkg.x@/abs/x.go:3",
        ]
    );
}

#[test]
fn states_are_read_in_all_forms() {
    let profile = only(
        "2026/01/02 some log
fatal error: all goroutines are asleep - deadlock!

goroutine 1 gp=0xc000002380 m=nil [chan receive, 3 minutes, locked to thread]:
runtime.gopark(0xc000012345?, 0x0?, 0x0?, 0x0?, 0x0?)
\t/usr/local/go/src/runtime/proc.go:462 +0xce fp=0xc00009ee58 sp=0xc00009ee38 pc=0x46f1ee
main.main()
\t/src/main.go:9 +0x1d fp=0xc00009ef50 sp=0xc00009ee58 pc=0x48b5bd

goroutine 18 [chan send (leaked) labels:{\"handler\": \"Get\", \"t\": \"a, \\\"b\\\": c}]:\"}]:
main.(*T[...]).f(0xc000012345, {0x1, 0x2}, 0x3?)
\tC:/src/a b/x.go:12 +0x1d
created by main.main in goroutine 1
\tC:/src/main.go:7 +0x2

goroutine 19 [select (scan), synctest bubble 1] {handler: Get, tenant: \"acme: corp\"}:
main.g(...)
\t/src/x.go:20
...12 frames elided...
main.h()
\t/src/x.go:30 +0x1
created by time.goFunc
\t/usr/local/go/src/time/sleep.go:215 +0x2d
[originating from goroutine 7]:
main.other(...)
\t/src/y.go:1 +0x1
created by main.origin
\t/src/y.go:2 +0x1

goroutine 20 [running]:
\tgoroutine running on other thread; stack unavailable
created by main.main in goroutine 1
\t/src/main.go:7 +0x2

rax    0x0
rip    0x46f1ee
exit status 2
",
    );
    assert_eq!(
        show(&profile),
        [
            "[1] #1 chan receive locked 3min <- runtime.gopark@/usr/local/go/src/runtime/proc.go:462 <- main.main@/src/main.go:9",
            "[1] #18 chan send leaked handler=Text(\"Get\") t=Text(\"a, \\\"b\\\": c}]:\") <- main.(*T[...]).f@C:/src/a b/x.go:12 by main.main@C:/src/main.go:7",
            "[1] #19 select elided handler=Text(\"Get\") tenant=Text(\"acme: corp\") <- main.g@/src/x.go:20 <- main.h@/src/x.go:30 by time.goFunc@/usr/local/go/src/time/sleep.go:215",
            "[1] #20 running by main.main@/src/main.go:7",
        ]
    );
    let operations: Vec<_> = profile.samples().map(|s| s.operation()).collect();
    assert_eq!(
        operations,
        [
            Operation::Receive,
            Operation::Send,
            Operation::Select,
            Operation::Running
        ]
    );
}

#[test]
fn dumps_are_read_behind_prefixes() {
    let profile = only(
        "app-1  | panic: oh
app-1  |
app-1  | goroutine 7 [select]:
app-1  | main.f(0x1)
app-1  | \t/src/x.go:20 +0x1
app-1  | created by main.main in goroutine 1
app-1  | \t/src/x.go:10 +0x1
app-1  |
app-1  | goroutine 8 [select]:
app-1  | main.f(0x2)
app-1  | \t/src/x.go:20 +0x1
app-1  | created by main.main in goroutine 1
app-1  | \t/src/x.go:10 +0x1
",
    );
    assert_eq!(
        show(&profile),
        ["[2] #7 select <- main.f@/src/x.go:20 by main.main@/src/x.go:10"]
    );
}

#[test]
fn a_cut_record_is_left_out() {
    let whole = "goroutine 7 [select]:
main.f(0x1)
\t/src/x.go:20 +0x1
created by main.main in goroutine 1
\t/src/x.go:10 +0x1

goroutine 8 [select]:
main.f(0x1)
\t/src/x.go:20 +0x1
created by main.main in goroutine 1
\t/src/x.go:10 +0x1";
    // Pasted text may lack the last line end.
    assert_eq!(only(whole).totals(), [2]);
    assert_eq!(only(whole).truncated, None);
    let cut = only(&whole[..whole.len() - 8]);
    assert_eq!(cut.totals(), [1]);
    let said = cut.truncated.unwrap().to_string();
    assert_eq!(said, "the input is cut off at byte 208");
}

#[test]
fn sanitizer_reports_are_read() {
    let profile = only(
        "50

=================================================================
==3228==ERROR: LeakSanitizer: detected memory leaks

Direct leak of 100 byte(s) in 1 object(s) allocated from:
    #0 0x7f47f2cb89cf in __interceptor_malloc ../../../../src/libsanitizer/asan/asan_malloc_linux.cpp:69
    #1 0x53713b in _cgo_e0f16e2e8d27_Cfunc__CMalloc _cgo_export.c:9
    #2 0x53713b in main.leak /src/main.go:12:3

Indirect leak of 24 byte(s) in 3 object(s) allocated from:
    #0 0x7f47f2cb89cf in malloc (/usr/lib/libasan.so.8+0xb89cf) (BuildId: ab12)
    #1 0x53713b  (/tmp/exe/m+0x53713b)

SUMMARY: AddressSanitizer: 100 byte(s) leaked in 1 allocation(s).
",
    );
    assert_eq!(profile.kind, Kind::Sanitizer);
    assert_eq!(
        show(&profile),
        [
            "[1, 100] leak=Text(\"direct\") <- __interceptor_malloc@../../../../src/libsanitizer/asan/asan_malloc_linux.cpp:69 <- _cgo_e0f16e2e8d27_Cfunc__CMalloc@_cgo_export.c:9 <- main.leak@/src/main.go:12",
            "[3, 24] leak=Text(\"indirect\") <- malloc@:0 <- @:0",
        ]
    );
    assert_eq!(profile.main().unwrap().name, "leaked_space");
}

#[test]
fn one_text_may_hold_several_things() {
    let text = "goroutine profile: total 3
2 @ 0x1 0x2
#\t0x1\tmain.f+0x33\t\t/src/x.go:20

1 @ 0x1
#\t0x1\tmain.g+0x33\t\t/src/x.go:21

goroutine 7 [select]:
main.f(0x1)
\t/src/x.go:20 +0x1
created by main.main in goroutine 1
\t/src/x.go:10 +0x1

Direct leak of 8 byte(s) in 1 object(s) allocated from:
    #0 0x1 in f /src/x.c:3
";
    let profiles = read(text.as_bytes()).unwrap();
    let totals: Vec<_> = profiles
        .iter()
        .map(|p| (p.kind.name(), p.totals()))
        .collect();
    assert_eq!(
        totals,
        [
            ("goroutine", vec![3]),
            ("goroutine", vec![1]),
            ("sanitizer", vec![1, 8])
        ]
    );
}

#[test]
fn what_is_no_evidence_is_said_to_be_none() {
    let error = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
    assert_eq!(
        error(b"package main\n\nfunc main() {}\n"),
        "no profile, goroutine dump, goleak or sanitizer report was recognised in it"
    );
    assert_eq!(error(b""), "it ends at byte 0 before anything whole");
    assert_eq!(
        error(b"\xff\xfeg\0o\0"),
        "at byte 0: this is UTF-16 text; save it as UTF-8"
    );
    assert_eq!(
        error(b"\x0a\x7f\x01"),
        "it ends at byte 0 before anything whole"
    );
    assert_eq!(
        error(b"\x01\x02\x03\x04"),
        "at byte 0: this is no field of a profile"
    );
    assert_eq!(
        error(b"\x1f\x8b\x01\x02\x03\x04\x05\x06\x07\x08\x09"),
        "at byte 0: invalid gzip header"
    );
    assert_eq!(
        error(b"\x1f\x8b\x01\x02"),
        "it ends at byte 0 before anything whole"
    );
    // A sample with a field that is longer than itself.
    assert_eq!(
        error(b"\x0a\x04\x08\x01\x10\x02\x12\x02\x0a\x09"),
        "at byte 8: a field is longer than its message"
    );
}
