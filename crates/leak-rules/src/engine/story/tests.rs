//! Whole stories, as readers see them.

use std::fmt::Write as _;

use go_model::db::{Database, Environment};
use go_syntax::LineIndex;

use crate::check_file;

/// The findings of a file as `line: what is on the line <- what is said`.
fn story(body: &str) -> String {
    let text = format!(
        "package a\n\nimport (\n\t\"bufio\"\n\t\"compress/gzip\"\n\t\"context\"\n\t\"database/sql\"\n\t\"errors\"\n\t\"io\"\n\t\"net/http\"\n\t\"os\"\n)\n\nvar _ = []any{{bufio.NewReader, gzip.NewReader, context.TODO, sql.Open, errors.New, io.EOF, http.Get, os.Open}}\n\n{body}"
    );
    let mut db = Database::with_environment(Environment::default());
    let file = db.open_document("untitled:a.go", text.clone().into(), None);
    let index = LineIndex::new(&text);
    let line = |at| index.line_col(at).line;
    let first = line(go_syntax::TextSize::of(
        text.split(body).next().unwrap_or(""),
    )) as usize;
    let mut out = String::new();
    // What has no story is said in one line, and tested with its rule.
    for finding in check_file(&db, file)
        .iter()
        .filter(|finding| !finding.related.is_empty())
    {
        let _ = writeln!(out, "{}: {}", finding.rule, finding.message);
        for step in &finding.related {
            let number = line(step.range.start()) as usize;
            let code = text.lines().nth(number).unwrap_or("").trim();
            let _ = writeln!(out, "  {}: {code}  <- {}", number + 1 - first, step.message);
        }
    }
    out
}

#[test]
fn only_branches_that_matter_are_told() {
    insta::assert_snapshot!(story(
        "func f(name string, n int, quiet bool) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	if !quiet {
		println(name)
	}
	for i := range n {
		println(i)
	}
	if n > 3 {
		return errors.New(\"too many\")
	}
	return f.Close()
}
"
    ), @r#"
    unclosed-file: `f` is not closed on every path
      2: f, err := os.Open(name)  <- `f` is opened here
      12: if n > 3 {  <- when `n > 3`
      13: return errors.New("too many")  <- returns without closing `f`
    "#);
}

#[test]
fn what_is_never_released_has_no_branches() {
    insta::assert_snapshot!(story(
        "func f(name string, n int) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	if n > 3 {
		println(n)
	}
	_, err = f.Stat()
	return err
}
"
    ), @r#"
    unclosed-file: `f` is never closed
      2: f, err := os.Open(name)  <- `f` is opened here
      10: return err  <- returns without closing `f`
    "#);
}

#[test]
fn a_defer_that_comes_too_late() {
    insta::assert_snapshot!(story(
        "func f(url string) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	defer resp.Body.Close()
	return nil
}
"
    ), @r#"
    unclosed-http-body: `resp.Body` is not closed on every path
      2: resp, err := http.Get(url)  <- `resp.Body` is received here
      6: if resp.StatusCode != http.StatusOK {  <- when `resp.StatusCode != http.StatusOK`
      7: return errors.New(resp.Status)  <- returns without closing `resp.Body`
      9: defer resp.Body.Close()  <- this defer would have it closed, but comes too late
    "#);
}

#[test]
fn a_defer_that_comes_too_early() {
    insta::assert_snapshot!(story(
        "func f(name string) error {
	var f *os.File
	defer f.Close()
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	_, err = f.Stat()
	return err
}
"
    ), @r#"
    unclosed-file: `f` is never closed
      3: defer f.Close()  <- what is deferred here keeps the earlier value
      4: f, err := os.Open(name)  <- `f` is opened here
      9: return err  <- returns without closing `f`
    "#);
}

#[test]
fn a_defer_that_closes_only_on_error() {
    insta::assert_snapshot!(story(
        "func f(name string) (n int64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
"
    ), @r#"
    unclosed-file: `f` is not closed on every path
      2: f, err := os.Open(name)  <- `f` is opened here
      6: defer func() {  <- this defer has it closed only if `err` is not nil
      15: return info.Size(), nil  <- returns without closing `f`
    "#);
}

#[test]
fn overwritten() {
    insta::assert_snapshot!(story(
        "func f(a, b string) error {
	f, err := os.Open(a)
	if err != nil {
		return err
	}
	f, err = os.Open(b)
	if err != nil {
		return err
	}
	return f.Close()
}
"
    ), @r#"
    unclosed-file: `f` gets another value before it is closed
      2: f, err := os.Open(a)  <- `f` is opened here
      6: f, err = os.Open(b)  <- `f` gets another value here without closing `f`
    "#);
}

#[test]
fn loops() {
    insta::assert_snapshot!(story(
        "func next(urls []string) {
	for _, url := range urls {
		resp, err := http.Get(url)
		if err != nil {
			continue
		}
		if resp.StatusCode != 200 {
			continue
		}
		resp.Body.Close()
	}
}

func again(urls []string) {
	var resp *http.Response
	for _, url := range urls {
		resp, _ = http.Get(url)
		println(resp.Status)
	}
	if resp != nil {
		resp.Body.Close()
	}
}
"
    ), @r#"
    unclosed-http-body: `resp.Body` is not closed on every path
      3: resp, err := http.Get(url)  <- `resp.Body` is received here
      7: if resp.StatusCode != 200 {  <- when `resp.StatusCode != 200`
      8: continue  <- goes on with the next iteration without closing `resp.Body`
    unclosed-http-body: `resp.Body` is not closed on every path
      17: resp, _ = http.Get(url)  <- `resp.Body` is received here
      16: for _, url := range urls {  <- in the next iteration
      17: resp, _ = http.Get(url)  <- the next iteration assigns to `resp` again without closing `resp.Body`
    "#);
}

#[test]
fn discarded() {
    insta::assert_snapshot!(story(
        "func f(name string) error {
	if _, err := os.Create(name); err != nil {
		return err
	}
	return nil
}

func g(ctx context.Context) context.Context {
	ctx, _ = context.WithCancel(ctx)
	return ctx
}

func scan(db *sql.DB) {
	db.QueryRow(\"select 1\")
}
"
    ), @r#"
    unclosed-file: the file of `os.Create` is thrown away and never closed
      2: if _, err := os.Create(name); err != nil {  <- the file is opened here, and nothing keeps it
    dropped-cancel: the cancel function of `context.WithCancel` is thrown away and never called
      9: ctx, _ = context.WithCancel(ctx)  <- the cancel function is made here, and nothing keeps it
    unclosed-sql-rows: the row of `sql.DB.QueryRow` is never scanned
      14: db.QueryRow("select 1")  <- the row is queried here, and nothing keeps it
    "#);
}

#[test]
fn rows_left_early() {
    insta::assert_snapshot!(story(
        "func f(db *sql.DB) (int, error) {
	rows, err := db.Query(\"select id from t\")
	if err != nil {
		return 0, err
	}
	for rows.Next() {
		var id int
		if err := rows.Scan(&id); err != nil {
			return 0, err
		}
		if id > 10 {
			return id, nil
		}
	}
	return 0, rows.Err()
}
"
    ), @r#"
    unclosed-sql-rows: `rows` is not closed on every path
      2: rows, err := db.Query("select id from t")  <- `rows` is opened here
      8: if err := rows.Scan(&id); err != nil {  <- when `err != nil`
      9: return 0, err  <- returns without closing `rows`
    "#);
}

#[test]
fn a_function_that_releases_only_sometimes() {
    insta::assert_snapshot!(story(
        "func finish(f *os.File, keep bool) {
	if !keep {
		f.Close()
	}
}

func f(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	finish(f, true)
	return nil
}
"
    ), @r#"
    unclosed-file: `f` is never closed
      8: f, err := os.Open(name)  <- `f` is opened here
      12: finish(f, true)  <- in `finish` it is closed only if `keep` is false
      13: return nil  <- returns without closing `f`
    "#);
}

#[test]
fn collections() {
    insta::assert_snapshot!(story(
        "func f(names []string) error {
	var fs []*os.File
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		fs = append(fs, f)
	}
	for _, f := range fs {
		f.Close()
	}
	return nil
}
"
    ), @r#"
    unclosed-file: `f` is not closed on every path
      4: f, err := os.Open(name)  <- `f` is opened here
      8: fs = append(fs, f)  <- it is put into `fs`
      3: for _, name := range names {  <- in the next iteration
      6: return err  <- returns without closing what is in `fs`
    "#);
}

#[test]
fn views() {
    insta::assert_snapshot!(story(
        "func f(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	gz, err := gzip.NewReader(f)
	if err != nil {
		f.Close()
		return err
	}
	defer gz.Close()
	_, err = io.Copy(io.Discard, gz)
	return err
}
"
    ), @r#"
    unclosed-file: `f` is not closed on every path
      2: f, err := os.Open(name)  <- `f` is opened here
      7: if err != nil {  <- when `err == nil`
      11: defer gz.Close()  <- `gz.Close()` does nothing to `f`
      13: return err  <- returns without closing `f`
    "#);
}

#[test]
fn switches_and_selects() {
    insta::assert_snapshot!(story(
        "func s(name string, mode int) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	switch mode {
	case 1:
		return f.Close()
	case 2:
		return nil
	}
	return f.Close()
}

func t(name string, v any) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	switch v.(type) {
	case int, string:
		return nil
	}
	return f.Close()
}

func c(ctx context.Context, name string, ready chan bool) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	select {
	case <-ready:
		f.Close()
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}
"
    ), @r#"
    unclosed-file: `f` is not closed on every path
      2: f, err := os.Open(name)  <- `f` is opened here
      9: case 2:  <- when `mode == 2`
      10: return nil  <- returns without closing `f`
    unclosed-file: `f` is not closed on every path
      16: f, err := os.Open(name)  <- `f` is opened here
      21: case int, string:  <- when `v` is `int` or `string`
      22: return nil  <- returns without closing `f`
    unclosed-file: `f` is not closed on every path
      28: f, err := os.Open(name)  <- `f` is opened here
      35: case <-ctx.Done():  <- when this case is chosen
      36: return ctx.Err()  <- returns without closing `f`
    "#);
}

#[test]
fn handed_on_elsewhere() {
    insta::assert_snapshot!(story(
        "type owner struct{ f *os.File }

func f(name string) (*owner, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() == 0 {
		return nil, errors.New(\"empty\")
	}
	return &owner{f: f}, nil
}
"
    ), @r#"
    partially-built-owner: `f` is not closed when a later step fails
      4: f, err := os.Open(name)  <- `f` is opened here
      9: if err != nil {  <- when `err != nil`
      10: return nil, err  <- returns without closing `f`
    "#);
}
