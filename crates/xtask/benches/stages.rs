//! The stages of a check on one file, and what a keystroke computes again: `cargo bench -p xtask`.

use std::sync::Arc;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use go_model::db::Database;

#[path = "../src/service.rs"]
mod service;

const LINES: [usize; 2] = [500, 5000];

fn main() {
    divan::main();
}

#[divan::bench(args = LINES)]
fn parse_only(bencher: Bencher<'_, '_>, lines: usize) {
    let (text, _) = service::source(lines);
    bencher
        .counter(BytesCount::of_str(&text))
        .bench_local(|| go_syntax::parse_only(black_box(&text)));
}

#[divan::bench(args = LINES)]
fn parse_and_lower(bencher: Bencher<'_, '_>, lines: usize) {
    let (text, _) = service::source(lines);
    bencher
        .counter(BytesCount::of_str(&text))
        .bench_local(|| go_syntax::parse_file(black_box(&text)));
}

#[divan::bench(args = LINES)]
fn whole_check(bencher: Bencher<'_, '_>, lines: usize) {
    let (text, _) = service::source(lines);
    let text: Arc<str> = text.into();
    bencher.counter(BytesCount::of_str(&*text)).bench_local(|| {
        let mut db = Database::new();
        let file = db.open_document("untitled:service.go", text.clone(), None);
        leak_rules::check_file(&db, file).len()
    });
}

/// A blank before the statement that leaks is typed and taken away again; the text is parsed afresh each time.
#[divan::bench(args = LINES)]
fn check_after_a_keystroke(bencher: Bencher<'_, '_>, lines: usize) {
    let (text, line) = service::source(lines);
    let at = text.split_inclusive('\n').take(line).map(str::len).sum();
    let mut typed = text.clone();
    typed.insert(at, ' ');
    let texts: [Arc<str>; 2] = [text.into(), typed.into()];
    let mut db = Database::new();
    let mut n = 0;
    bencher.bench_local(|| {
        n += 1;
        let file = db.open_document("untitled:service.go", texts[n % 2].clone(), None);
        leak_rules::check_file(&db, file).len()
    });
}
