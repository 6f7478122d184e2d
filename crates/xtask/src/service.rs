//! Go source for measurements.

/// A file of about `lines` lines: functions such as services have, and in the middle one that leaks. Also the line of the leak.
pub fn source(lines: usize) -> (String, usize) {
    functions("package service\n\nimport (\n", "", lines)
}

/// `head` begins a file up to its imports; `prefix` makes the names of its functions its own.
pub fn functions(head: &str, prefix: &str, lines: usize) -> (String, usize) {
    let mut text = format!(
        "{head}\t\"context\"\n\t\"errors\"\n\t\"fmt\"\n\t\"io\"\n\t\"net/http\"\n\t\"os\"\n\t\"strings\"\n\t\"time\"\n)\n"
    );
    let body = "
// fetchN gets one page and keeps its first line.
func fetchN(ctx context.Context, url string, tries int) (string, error) {
\tctx, cancel := context.WithTimeout(ctx, time.Second)
\tdefer cancel()
\tfor i := 0; i < tries; i++ {
\t\treq, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
\t\tif err != nil {
\t\t\treturn \"\", fmt.Errorf(\"fetch %d: %w\", i, err)
\t\t}
\t\tresp, err := http.DefaultClient.Do(req)
\t\tif err != nil {
\t\t\tcontinue
\t\t}
\t\tdata, err := io.ReadAll(resp.Body)
\t\tif err := errors.Join(err, resp.Body.Close()); err != nil {
\t\t\treturn \"\", err
\t\t}
\t\tswitch line, _, ok := strings.Cut(string(data), \"\\n\"); {
\t\tcase ok:
\t\t\treturn line, nil
\t\tdefault:
\t\t\tselect {
\t\t\tcase <-ctx.Done():
\t\t\t\treturn \"\", ctx.Err()
\t\t\tcase <-time.After(time.Millisecond):
\t\t\t}
\t\t}
\t}
\treturn \"\", errors.New(\"no answer\")
}
";
    let leak = "
func sizePREFIX(name string) (int64, error) {
\tf, err := os.Open(name)
\tif err != nil {
\t\treturn 0, err
\t}
\tinfo, err := f.Stat()
\tif err != nil {
\t\treturn 0, err
\t}
\treturn info.Size(), f.Close()
}
";
    let count = (lines.saturating_sub(25) / body.lines().count()).max(1);
    let mut line = 0;
    for n in 0..count {
        if n == count / 2 {
            line = text.lines().count() + 2;
            text.push_str(&leak.replace("PREFIX", prefix));
        }
        text.push_str(&body.replace("fetchN", &format!("fetch{prefix}{n}")));
    }
    (text, line)
}
