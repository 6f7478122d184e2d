//! An edited document means what its text means when it is parsed from scratch.

#![no_main]

use arbitrary::Arbitrary;
use go_syntax::{Document, Position, PositionEncoding, parse_file};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Input {
    text: String,
    edits: Vec<Edit>,
}

#[derive(Debug, Arbitrary)]
struct Edit {
    start: (u8, u8),
    lines: u8,
    end: u8,
    new: String,
    encoding: u8,
}

fuzz_target!(|input: Input| {
    let mut document = Document::new(input.text);
    for edit in input.edits {
        let encoding = match edit.encoding % 3 {
            0 => PositionEncoding::Utf8,
            1 => PositionEncoding::Utf16,
            _ => PositionEncoding::Utf32,
        };
        let start = Position {
            line: edit.start.0.into(),
            character: edit.start.1.into(),
        };
        let end = Position {
            line: start.line + u32::from(edit.lines),
            character: edit.end.into(),
        };
        let _ = document.apply_positions(start, end, encoding, &edit.new);
        let fresh = parse_file(document.text());
        assert_eq!(format!("{:?}", document.parsed()), format!("{fresh:?}"));
    }
});
