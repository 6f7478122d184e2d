//! Edited documents against a plain model of text, and against parsing from scratch.

#![allow(clippy::unwrap_used)]

use go_syntax::{
    Document, EditError, LineIndex, Position, PositionEncoding, TextRange, parse_file,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};

const SAMPLE: &str = include_str!("data/sample.go");

const PIECES: &[&str] = &[
    "",
    "",
    "",
    "",
    "x",
    "é",
    "😀",
    "\n",
    "\r\n",
    "\r",
    "\n\n",
    " ",
    "\t",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "\"",
    "`",
    "'",
    "//",
    "/*",
    "*/",
    ";",
    ",",
    ".",
    ":=",
    "= 1",
    "func f() {}\n",
    "\nfunc g() {\n\treturn\n}\n",
    "\ntype T int\n",
    "var y = 2",
    "if x {\n}",
    "package p\n",
    "import \"os\"\n",
    "return",
    "<-",
    "new(x)",
    "x.y()",
    "\0",
    "case",
    "\u{feff}",
    "for range 3 {}",
    "0x",
    "...",
    "~",
    "!",
    "\n// comment\n",
    "defer f()\n",
    "\ntype G[T any] struct{ x T }\n",
];

/// What may stand at the end of most lines of a function, so that only this function is parsed again.
const HARMLESS: &[&str] = &[
    " ",
    "\n",
    "\r\n",
    "\t",
    "\n\tg()",
    "\n\tx := func() int { return 1 }",
    " // comment",
    "\n\t/* a\n\tcomment */",
    "\n\tif a < b {\n\t}",
    "\n\tvar s = `\n}\nfunc f() {`",
    "\n\t_ = \"é😀\"",
    "\n}\n\nfunc h() {",
];

#[derive(Debug, Clone)]
struct Edit {
    from: Index,
    len: usize,
    new: String,
}

fn edit() -> impl Strategy<Value = Edit> {
    let len = prop_oneof![4 => Just(0), 4 => 0..4usize, 2 => 0..40usize, 1 => 0..400usize];
    let new = prop::collection::vec(select(PIECES), 0..3).prop_map(|pieces| pieces.concat());
    (any::<Index>(), len, new).prop_map(|(from, len, new)| Edit { from, len, new })
}

fn encoding() -> impl Strategy<Value = PositionEncoding> {
    select(
        &[
            PositionEncoding::Utf8,
            PositionEncoding::Utf16,
            PositionEncoding::Utf32,
        ][..],
    )
}

/// Character by character, as the protocol says it.
fn position(text: &str, offset: usize, encoding: PositionEncoding) -> Position {
    let (mut line, mut character) = (0, 0);
    let mut chars = text[..offset].chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars
            .peek()
            .copied()
            .or_else(|| text[offset..].chars().next());
        if c == '\n' || (c == '\r' && next != Some('\n')) {
            line += 1;
            character = 0;
        } else {
            character += match encoding {
                PositionEncoding::Utf8 => c.len_utf8(),
                PositionEncoding::Utf16 => c.len_utf16(),
                PositionEncoding::Utf32 => 1,
            } as u32;
        }
    }
    Position { line, character }
}

/// A place that a position can mean: not between `\r` and `\n`.
fn boundary(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) || (text[..at].ends_with('\r') && text[at..].starts_with('\n'))
    {
        at -= 1;
    }
    at
}

/// Deep equality: everything that is printed, so all ranges and all nodes, not only hashes.
fn assert_same(document: &mut Document) {
    let fresh = parse_file(document.text());
    let edited = document.parsed();
    if edited != fresh || format!("{edited:?}") != format!("{fresh:?}") {
        let text = document.text();
        assert_eq!(format!("{edited:#?}"), format!("{fresh:#?}"), "{text}");
    }
}

fn check(text: &str, edits: &[Edit], encoding: PositionEncoding, every: usize) {
    let mut model = text.to_owned();
    let mut document = Document::new(text.to_owned());
    document.parsed();
    for (i, edit) in edits.iter().enumerate() {
        let from = boundary(&model, edit.from.index(model.len() + 1));
        let to = boundary(&model, from + edit.len).max(from);
        let start = position(&model, from, encoding);
        let end = position(&model, to, encoding);
        model.replace_range(from..to, &edit.new);
        document
            .apply_positions(start, end, encoding, &edit.new)
            .unwrap();
        assert_eq!(document.text(), model);
        assert_eq!(*document.line_index(), LineIndex::new(&model));
        if i % every == 0 {
            assert_same(&mut document);
        }
    }
    assert_same(&mut document);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn edits_equal_model_and_fresh_parse(
        edits in prop::collection::vec(edit(), 1..12),
        encoding in encoding(),
        every in 1..4usize,
    ) {
        check(SAMPLE, &edits, encoding, every);
    }

    #[test]
    fn edits_with_other_line_ends(
        edits in prop::collection::vec(edit(), 1..8),
        encoding in encoding(),
        end in select(&["\r\n", "\r"][..]),
    ) {
        check(&SAMPLE.replace('\n', end), &edits, encoding, 2);
    }

    #[test]
    fn edits_at_the_ends_of_lines(
        places in prop::collection::vec((any::<Index>(), select(HARMLESS), any::<bool>()), 1..12),
    ) {
        let mut document = Document::new(SAMPLE.to_owned());
        document.parsed();
        for (place, new, take_back) in places {
            let ends: Vec<usize> = document.text().match_indices('\n').map(|(at, _)| at).collect();
            let at = (ends[place.index(ends.len())] as u32).into();
            document.apply(TextRange::empty(at), new).unwrap();
            assert_same(&mut document);
            if take_back {
                let range = TextRange::at(at, go_syntax::TextSize::of(new));
                document.apply(range, "").unwrap();
                assert_same(&mut document);
            }
        }
    }

    #[test]
    fn edits_of_small_texts(
        text in prop::collection::vec(select(PIECES), 0..12).prop_map(|pieces| pieces.concat()),
        edits in prop::collection::vec(edit(), 1..8),
        encoding in encoding(),
    ) {
        check(&text, &edits, encoding, 1);
    }

    #[test]
    fn any_text_is_parsed(text in any::<String>()) {
        let mut document = Document::new(text);
        assert_same(&mut document);
    }

    #[test]
    fn any_bytes_are_parsed(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        go_syntax::parse_bytes(&bytes, &go_syntax::Limits::default());
    }

    #[test]
    fn any_range_is_answered(start in any::<(u32, u32)>(), end in any::<(u32, u32)>(), encoding in encoding()) {
        let mut document = Document::new(SAMPLE.to_owned());
        let at = |(line, character): (u32, u32)| Position { line: line % 200, character: character % 50 };
        let _ = document.apply_positions(at(start), at(end), encoding, "x");
        let _ = document.apply_positions(
            Position { line: start.0, character: start.1 },
            Position { line: end.0, character: end.1 },
            encoding,
            "y",
        );
        assert_same(&mut document);
    }
}

#[test]
fn the_sample_is_clean() {
    let file = parse_file(SAMPLE).file;
    assert_eq!(file.errors, []);
    assert!(file.decls.iter().all(|d| !d.tree.has_error));
    assert_eq!(file.decls.len(), 13);
}

#[test]
fn unchanged_declarations_are_the_same_tree() {
    let mut document = Document::new(SAMPLE.to_owned());
    let before = document.parsed().file;
    let at = SAMPLE.find("n.left.Walk").unwrap() as u32;
    for new in ["x := 1\n\t", "{", "}"] {
        document.apply(TextRange::empty(at.into()), new).unwrap();
        let after = document.parsed().file;
        assert_eq!(before.decls.len(), after.decls.len());
        let same = before.decls.iter().zip(&after.decls);
        let same = same
            .filter(|(a, b)| std::sync::Arc::ptr_eq(&a.tree, &b.tree))
            .count();
        assert_eq!(same, before.decls.len() - 1);
    }
}

#[test]
fn wrong_edits_change_nothing() {
    let mut document = Document::new("a😀b\n".to_owned());
    let at = |line, character| Position { line, character };
    let mut apply = |start, end| document.apply_positions(start, end, PositionEncoding::Utf16, "x");
    assert_eq!(apply(at(0, 2), at(0, 1)), Err(EditError::Reversed));
    assert_eq!(
        apply(at(3, 0), at(3, 0)),
        Err(EditError::OutOfBounds { at: 3, len: 2 })
    );
    let byte = TextRange::empty(2.into());
    assert_eq!(document.apply(byte, "x"), Err(EditError::InsideCharacter));
    let far = TextRange::empty(99.into());
    assert!(matches!(
        document.apply(far, "x"),
        Err(EditError::OutOfBounds { .. })
    ));
    assert_eq!(document.text(), "a😀b\n");
    // The line after the last, and an end behind the end, are what editors send.
    let range = (at(0, 0), at(99, 0));
    document
        .apply_positions(range.0, range.1, PositionEncoding::Utf16, "y")
        .unwrap();
    document
        .apply_positions(at(1, 0), at(1, 0), PositionEncoding::Utf16, "z")
        .unwrap();
    assert_eq!(document.text(), "yz");
}

#[test]
fn replaced_text_is_parsed_afresh() {
    let mut document = Document::new(SAMPLE.to_owned());
    document.parsed();
    document.replace("package q\n".to_owned());
    assert_same(&mut document);
    assert_eq!(&*document.shared_text(), "package q\n");
}

/// Random edits of real files. Run with `STOPLEAK_GO_TREE=/usr/local/go/src cargo test --release -p go-syntax --test edits --
/// --ignored --nocapture`; `STOPLEAK_SEED` gives other edits.
#[test]
#[ignore = "needs a Go source tree in STOPLEAK_GO_TREE"]
fn edits_of_real_files() {
    let root = std::env::var_os("STOPLEAK_GO_TREE").expect("STOPLEAK_GO_TREE is a Go source tree");
    let mut state = std::env::var("STOPLEAK_SEED").map_or(1, |seed| seed.parse().unwrap());
    let mut random = |below: usize| {
        // SplitMix64
        state = u64::wrapping_add(state, 0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % below as u64) as usize
    };
    let mut dirs = vec![std::path::PathBuf::from(root)];
    let (mut files, mut edits, mut whole) = (0, 0, 0);
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
                continue;
            }
            let wanted = path.extension().is_some_and(|e| e == "go") && random(20) == 0;
            let Some(text) = wanted
                .then(|| std::fs::read_to_string(&path).ok())
                .flatten()
            else {
                continue;
            };
            if text.len() > 100_000 {
                continue;
            }
            files += 1;
            let mut document = Document::new(text);
            document.parsed();
            for _ in 0..10 {
                let text = document.text();
                let from = boundary(text, random(text.len() + 1));
                let removed = if random(2) == 0 { 0 } else { random(30) };
                let to = boundary(text, from + removed).max(from);
                let range = TextRange::new((from as u32).into(), (to as u32).into());
                let before = text[from..to].to_owned();
                let new = PIECES[random(PIECES.len())];
                document.apply(range, new).unwrap();
                assert_same(&mut document);
                edits += 1;
                whole += usize::from(document.parsed().file.errors.is_empty());
                // Most edits break the file: mostly they are taken back.
                if random(3) > 0 {
                    let range = TextRange::at(range.start(), go_syntax::TextSize::of(new));
                    document.apply(range, &before).unwrap();
                    assert_same(&mut document);
                    edits += 1;
                    whole += usize::from(document.parsed().file.errors.is_empty());
                }
            }
        }
    }
    println!("{files} files, {edits} edits, {whole} of them gave files without errors");
    assert!(files > 0);
}
