//! Profiles of a real program: what is read is what `go tool pprof` reads, whole or not.

#![allow(clippy::unwrap_used)]

mod go;

use std::collections::BTreeMap;
use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use go::{MAIN, POOL, Program, Raw, Recorded, line_of};
use leak_evidence::{Format, FrameId, Kind, Limits, Profile, read, read_with};
use proptest::prelude::*;

fn one(bytes: &[u8]) -> Profile {
    let mut profiles = read(bytes).unwrap();
    assert_eq!(profiles.len(), 1);
    profiles.pop().unwrap()
}

fn recorded(profile: &Profile, frame: FrameId) -> Recorded {
    let frame = profile.frame(frame);
    (
        profile.text(frame.function).to_owned(),
        profile.text(frame.file).to_owned(),
        frame.line,
    )
}

fn sums(profile: &Profile) -> Raw {
    let mut raw = Raw::default();
    for sample in profile.samples() {
        let stack: Vec<_> = sample.frames().map(|id| recorded(profile, id)).collect();
        raw.add(&stack, sample.values());
        for id in sample.frames() {
            raw.start_lines
                .insert(recorded(profile, id), profile.frame(id).start_line);
        }
    }
    raw
}

#[test]
fn sums_per_line_are_those_of_go_tool_pprof() {
    for flags in [&[][..], &["-trimpath"]] {
        let Some(program) = Program::run(flags) else {
            return;
        };
        let files = program.files(".pb.gz");
        assert!(files.len() >= 7, "{files:?}");
        for file in files {
            let profile = one(&program.bytes(&file));
            let theirs = program.raw(&program.profiles().join(&file));
            let ours = sums(&profile);
            assert_eq!(ours, theirs, "{file} {flags:?}");
            // Nobody contends for anything in this program.
            assert_eq!(ours.totals.is_empty(), file == "block.pb.gz");
            assert!(ours.totals.is_empty() || profile.totals() == ours.totals);
            assert_eq!(profile.truncated, None);
        }
    }
}

/// Sums of the main sample type by line, of the program's own lines; names of generics differ between the formats.
fn lines(profile: &Profile) -> BTreeMap<(String, u32), i64> {
    let mut found = BTreeMap::new();
    for sample in profile.samples() {
        let mut stack: Vec<_> = sample
            .frames()
            .map(|id| recorded(profile, id))
            .map(|(_, file, line)| (file.rsplit('/').next().unwrap().to_owned(), line))
            .filter(|(file, _)| file == "main.go" || file == "pool.go")
            .collect();
        stack.sort();
        stack.dedup();
        for place in stack {
            *found.entry(place).or_default() += sample.values()[profile.main_type];
        }
    }
    found
}

#[test]
fn text_and_protobuf_say_the_same() {
    let Some(program) = Program::plain() else {
        return;
    };
    let read = |name: &str| one(&program.bytes(name));
    let main = |comment| ("main.go".to_owned(), line_of(MAIN, comment));
    let pool = ("pool.go".to_owned(), line_of(POOL, "blocked: generic"));

    // The goroutine that writes the profile is on another line each time.
    let blocked = |profile: &Profile| {
        let mut lines = lines(profile);
        let keep = [
            main("blocked: send"),
            main("blocked: receive"),
            main("blocked: wait group"),
            main("blocked: mutex"),
            pool.clone(),
        ];
        lines.retain(|place, _| keep.contains(place));
        lines
    };
    let wanted = BTreeMap::from([
        (main("blocked: send"), 5),
        (main("blocked: receive"), 3),
        (main("blocked: wait group"), 1),
        (main("blocked: mutex"), 1),
        (pool.clone(), 8),
    ]);
    for (file, format) in [
        ("goroutine.pb.gz", Format::Pprof),
        ("goroutine.1.txt", Format::CountText),
        ("goroutine.2.txt", Format::Dump),
    ] {
        let profile = read(file);
        assert_eq!(profile.kind, Kind::Goroutine, "{file}");
        assert_eq!(profile.format, format);
        assert_eq!(blocked(&profile), wanted, "{file}");
        assert_eq!(profile.totals(), read("goroutine.pb.gz").totals(), "{file}");
        assert_eq!(profile.truncated, None, "{file}");
    }

    for (kind, name) in [(Kind::Heap, "heap"), (Kind::Allocs, "allocs")] {
        let proto = read(&format!("{name}.pb.gz"));
        assert_eq!(proto.kind, kind);
        let text = read(&format!("{name}.1.txt"));
        assert_eq!(text.kind, Kind::Heap, "text does not tell them apart");
        assert_eq!(text.period, 524_288);
        let mut proto = proto;
        proto.main_type = text.main_type;
        let (ours, theirs) = (lines(&text), lines(&proto));
        for comment in ["allocated", "allocated: inlined", "allocated: small"] {
            let place = main(comment);
            assert!(theirs[&place] > 10 << 20, "{theirs:?}");
            assert_eq!(ours[&place], theirs[&place], "{name} {comment}");
        }
    }

    let handle = read("leaky.handle.pb.gz");
    assert_eq!(
        handle.kind,
        Kind::Open("example.com/leaky.handle".to_owned())
    );
    assert_eq!(lines(&handle)[&main("opened")], 4);
    let text = read("leaky.handle.1.txt");
    assert_eq!(text.kind, handle.kind);
    assert_eq!(lines(&text), lines(&handle));

    assert_eq!(read("threadcreate.1.txt").kind, Kind::ThreadCreate);
    assert_eq!(
        read("block.pb.gz").kind,
        Kind::Other("contentions".to_owned())
    );
    if let Some(file) = program.files("goroutineleak.pb.gz").first() {
        let leak = read(file);
        assert_eq!(leak.kind, Kind::GoroutineLeak);
        assert_eq!(lines(&leak)[&main("blocked: send")], 5);
        assert_eq!(read("goroutineleak.1.txt").kind, Kind::GoroutineLeak);
    }
}

#[test]
fn dumps_tell_states_and_creators() {
    let Some(program) = Program::plain() else {
        return;
    };
    let profile = one(&program.bytes("goroutine.2.txt"));
    let send = profile
        .samples()
        .find(|sample| {
            sample
                .frames()
                .any(|frame| recorded(&profile, frame).0 == "main.send.func1")
        })
        .unwrap();
    assert_eq!(send.values(), [5]);
    let state = send.goroutines().unwrap();
    assert!(["chan send"].contains(&profile.text(state.status)));
    let creator = recorded(&profile, state.created_by.unwrap());
    assert_eq!(creator.0, "main.send");
    assert_eq!(creator.2, line_of(MAIN, "blocked: send") - 2);

    // A panic shows the goroutine that panicked, after other output.
    let panic = one(&program.bytes("panic.txt"));
    assert_eq!(panic.totals(), [1]);
    let sample = panic.samples().next().unwrap();
    let functions: Vec<_> = sample
        .frames()
        .map(|frame| recorded(&panic, frame).0)
        .collect();
    assert_eq!(functions, ["main.main"]);
}

#[test]
fn labels_are_kept() {
    let Some(program) = Program::plain() else {
        return;
    };
    for file in ["goroutine.pb.gz", "goroutine.1.txt"] {
        let profile = one(&program.bytes(file));
        let labelled: Vec<_> = profile
            .samples()
            .filter(|sample| sample.labels().next().is_some())
            .collect();
        assert_eq!(labelled.len(), 1, "{file}");
        assert_eq!(labelled[0].values(), [3]);
        let labels: Vec<_> = labelled[0]
            .labels()
            .map(|(key, value)| format!("{key} {value:?}"))
            .collect();
        assert_eq!(
            labels,
            [
                "handler Text(\"Get\")",
                "tenant Text(\"acme \\\"corp\\\": {x}, y\")"
            ],
            "{file}"
        );
    }
}

/// Values never exceed those of the whole input, and what is missing is said.
fn check_cut(bytes: &[u8], whole: &Profile, name: &str) {
    match read(bytes) {
        Ok(profiles) => {
            for profile in profiles {
                for (cut, whole) in profile.totals().iter().zip(whole.totals()) {
                    assert!(*cut <= whole, "{name} at {}", bytes.len());
                }
                sums(&profile);
            }
        }
        Err(error) => assert!(error.offset <= 1 << 30),
    }
}

#[test]
fn every_prefix_is_read() {
    let Some(program) = Program::plain() else {
        return;
    };
    for name in ["leaky.handle.pb.gz", "goroutine.pb.gz"] {
        let zipped = program.bytes(name);
        let whole = one(&zipped);
        let mut plain = Vec::new();
        MultiGzDecoder::new(&zipped[..])
            .read_to_end(&mut plain)
            .unwrap();
        for end in 0..zipped.len() {
            check_cut(&zipped[..end], &whole, name);
        }
        for end in 0..plain.len() {
            check_cut(&plain[..end], &whole, name);
            if let Ok(profiles) = read(&plain[..end]) {
                let missing = sums(&profiles[0]) != sums(&whole);
                let said = profiles[0].truncated.is_some();
                // A cut between two fields cannot be seen.
                assert!(said || !missing || profiles[0].totals() == whole.totals());
            }
        }
    }
    for name in ["goroutine.2.txt", "goroutine.1.txt", "heap.1.txt"] {
        let text = program.bytes(name);
        let whole = one(&text);
        for end in 0..text.len() {
            check_cut(&text[..end], &whole, name);
        }
    }
}

#[test]
fn limits_hold() {
    let Some(program) = Program::plain() else {
        return;
    };
    let bytes = program.bytes("goroutine.2.txt");
    let limits = Limits {
        inflated: 1000,
        ..Limits::default()
    };
    let profile = &read_with(&bytes[..], &limits).unwrap()[0];
    assert!(profile.truncated.unwrap().to_string().contains("1000"));
    let limits = Limits {
        samples: 2,
        frames: 1,
        ..Limits::default()
    };
    for file in ["goroutine.2.txt", "goroutine.pb.gz"] {
        let Ok(profiles) = read_with(&program.bytes(file)[..], &limits) else {
            continue;
        };
        assert!(profiles[0].truncated.is_some(), "{file}");
        assert_eq!(profiles[0].sample_count(), 2);
        assert!(
            profiles[0]
                .samples()
                .all(|sample| sample.frames().count() <= 1)
        );
    }
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut bomb, &vec![0x0a; 8 << 20]).unwrap();
    let limits = Limits {
        inflated: 1 << 20,
        ..Limits::default()
    };
    assert!(read_with(&bomb.finish().unwrap()[..], &limits).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _ = read(&bytes[..]);
    }

    #[test]
    fn any_lines_are_read(picks in prop::collection::vec((0..LINES.len(), 0..40_usize, any::<u8>()), 0..60)) {
        let mut text = Vec::new();
        for (line, cut, byte) in picks {
            let line = LINES[line].as_bytes();
            text.extend_from_slice(line);
            if cut < line.len() && byte < 100 {
                let at = text.len() - cut - 1;
                text[at] = byte;
            }
            text.push(b'\n');
        }
        if let Ok(profiles) = read(&text[..]) {
            for profile in &profiles {
                sums(profile);
            }
        }
    }
}

const LINES: &[&str] = &[
    "goroutine 1 [running]:",
    "goroutine 7 gp=0xc000003180 m=nil [IO wait, 3 minutes]:",
    "goroutine 18 [chan send] {handler: Get, tenant: \"acme: corp\"}:",
    "goroutine 18 [select (no cases) (leaked) labels:{\"k\": \"v\"}]:",
    "[Goroutine 23 in state chan receive, with m.leak.func1 on top of the stack:",
    "m.(*T[...]).f(0x1, {0x2, 0x3}, 0x4?)",
    "\t/a/b.go:12 +0x1d",
    "created by m.f in goroutine 7",
    "...12 frames elided...",
    "[originating from goroutine 1]:",
    "",
    "goroutine profile: total 13",
    "heap profile: 3: 1024 [10: 4096] @ heap/1048576",
    "1: 1024 [2: 2048] @ 0x1 0x2",
    "13 @ 0x4885ca 0x41701c",
    "# labels: {\"handler\":\"Get\", \"tenant\":\"acme corp\"}",
    "#\t0x653df3\tpkg/path.(*Pool[...]).Send+0x33\t\t/abs/file.go:20",
    "Direct leak of 100 byte(s) in 1 object(s) allocated from:",
    "    #1 0x53713b in f /a/x.c:12:3",
    "{\"Action\":\"output\",\"Package\":\"m\",\"Output\":\"goroutine 7 [select]:\\n\"}",
];
