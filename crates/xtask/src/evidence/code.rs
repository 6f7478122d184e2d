//! The service's own code: its files, its marked lines, and what the rules find in it.

use std::path::Path;
use std::sync::Arc;

use go_model::db::source_file;
use leak_evidence::Finding;
pub use stopleak_evidence::Code;
pub use stopleak_evidence::code::with_slashes as slashes;

/// A module in a folder, with the modules below it.
pub fn read(root: &Path) -> Result<Code, String> {
    Code::find(&[root.to_path_buf()], &|| false)
}

/// Where a line ends with a comment.
pub fn line_with(code: &Code, comment: &str) -> Option<(String, u32)> {
    let comment = format!("// {comment}");
    code.go_files().find_map(|path| {
        let text = code.text(path);
        let mut lines = text.lines().zip(1..);
        let (_, line) = lines.find(|(line, _)| line.ends_with(&comment))?;
        Some((path.to_owned(), line))
    })
}

/// What all rules find, for the join with evidence.
pub fn findings(code: &Code) -> Vec<Finding> {
    let db = code.db();
    let text = |path: &Path| -> Option<Arc<str>> { Some(source_file(db, path).text(db)) };
    let files = code.go_files().map(Path::new);
    files
        .flat_map(|path| {
            let file = source_file(db, path);
            let own = file.text(db);
            let found = leak_rules::check_file(db, file);
            let found = found.iter();
            found
                .map(|found| stopleak_evidence::finding(path, &own, found, text))
                .collect::<Vec<_>>()
        })
        .collect()
}
