//! `cargo bench -p go-syntax`. The base line of each group is parsing alone; compare within one run.

#![allow(missing_docs, clippy::unwrap_used)]

use divan::{Bencher, black_box};
use go_syntax::{Document, LineIndex, Position, PositionEncoding, TextRange, TextSize};

const SAMPLE: &str = include_str!("../tests/data/sample.go");
const LINES: [usize; 2] = [500, 5_000];

fn main() {
    divan::main();
}

/// At least `lines` lines: the sample's declarations over and over, each time with other names.
fn text(lines: usize) -> String {
    let (header, body) = SAMPLE.split_at(SAMPLE.find("// Limit").unwrap());
    let mut text = header.to_owned();
    let mut count = header.lines().count();
    for i in 0.. {
        if count >= lines {
            break;
        }
        text += &body
            .replace("total", &format!("total{i}"))
            .replace("Limit", &format!("Limit{i}"));
        count += body.lines().count();
    }
    text
}

/// In the middle of a function in the middle of the file.
fn place(text: &str) -> TextSize {
    let calls: Vec<_> = text.match_indices("\tgo Sum").collect();
    let at = calls[calls.len() / 2].0 + 1;
    TextSize::new(at as u32)
}

#[divan::bench(args = LINES)]
fn parse_only(bencher: Bencher<'_, '_>, lines: usize) {
    let text = text(lines);
    bencher.bench(|| go_syntax::parse_only(black_box(&text)));
}

#[divan::bench(args = LINES)]
fn parse_and_lower(bencher: Bencher<'_, '_>, lines: usize) {
    let text = text(lines);
    bencher.bench(|| go_syntax::parse_file(black_box(&text)));
}

#[divan::bench(args = LINES)]
fn parse_and_lower_with_error(bencher: Bencher<'_, '_>, lines: usize) {
    let mut text = text(lines);
    text.insert_str(place(&text).into(), "x := (");
    bencher.bench(|| go_syntax::parse_file(black_box(&text)));
}

/// One character typed and taken back, each with an incremental parse and lowering; the figure is for both.
#[divan::bench(args = LINES)]
fn two_edits(bencher: Bencher<'_, '_>, lines: usize) {
    edits(bencher, lines, "x");
}

/// As above, but the file is broken in between.
#[divan::bench(args = LINES)]
fn two_edits_with_error(bencher: Bencher<'_, '_>, lines: usize) {
    edits(bencher, lines, "{");
}

fn edits(bencher: Bencher<'_, '_>, lines: usize, typed: &str) {
    let mut document = Document::new(text(lines));
    document.parsed();
    let at = place(document.text());
    bencher.bench_local(|| {
        document.apply(TextRange::empty(at), typed).unwrap();
        black_box(document.parsed());
        document
            .apply(TextRange::at(at, TextSize::of(typed)), "")
            .unwrap();
        black_box(document.parsed())
    });
}

#[divan::bench(args = LINES)]
fn line_index(bencher: Bencher<'_, '_>, lines: usize) {
    let text = text(lines);
    bencher.bench(|| LineIndex::new(black_box(&text)));
}

#[divan::bench(args = LINES)]
fn position(bencher: Bencher<'_, '_>, lines: usize) {
    let text = text(lines);
    let index = LineIndex::new(&text);
    let position = index.to_position(&text, place(&text), PositionEncoding::Utf16);
    let position = Position {
        character: position.character + 10,
        ..position
    };
    bencher.bench(|| index.from_position(&text, black_box(position), PositionEncoding::Utf16));
}
