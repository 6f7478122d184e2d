//! What C code in a file's preamble does to what it is given.

#![allow(missing_docs)] // What salsa's macros generate has no documentation.

use std::sync::Arc;

use go_model::db::{Db, SourceFile, parsed};
use go_syntax::ast::{File, Import};

/// The C code above `import "C"`.
#[salsa::tracked(returns(clone))]
pub(crate) fn preamble(db: &dyn Db, file: SourceFile) -> Arc<str> {
    let tree = parsed(db, file);
    let text = file.text(db);
    let Some(import) = tree.imports.iter().find(|i| i.path == "C") else {
        return Arc::from("");
    };
    let range = preamble_range(&text, &tree, import);
    Arc::from(text.get(range).unwrap_or_default())
}

/// Absolute range of the comments that stand directly above `import "C"`; empty, at the import, if there are none.
pub(crate) fn preamble_range(text: &str, file: &File, import: &Import) -> std::ops::Range<usize> {
    // In a group the comment above the spec counts.
    let anchor = if import.grouped {
        import.range
    } else {
        import.decl_range
    };
    let end = crate::edit::line_start(text, anchor.start().into());
    let mut start = end;
    for comment in file.comments.iter().rev() {
        let range = crate::edit::usize_range(comment.range);
        if range.start >= start {
            continue;
        }
        let between = text.get(range.end..start).unwrap_or("x");
        if !between.trim().is_empty() || between.matches('\n').count() > 1 {
            break;
        }
        start = crate::edit::line_start(text, range.start);
        if !text[start..range.start].trim().is_empty() {
            break;
        }
    }
    start..end
}

/// Whether a C function keeps or frees what it is given as this argument, as far as its name or its body in the preamble tells. Other
/// functions of C only use what they are given: that is the rule of cgo ("C code may not keep a copy of a Go pointer"), and C libraries
/// that keep a string say so.
pub(crate) fn keeps(preamble: &str, function: &str, index: usize) -> bool {
    // The allocator of a library frees by another name; the environment keeps the string itself.
    if function.to_ascii_lowercase().contains("free") || matches!(function, "putenv" | "realloc") {
        return true;
    }
    let Some((params, body)) = definition(preamble, function) else {
        return false;
    };
    let Some(param) = params.split(',').nth(index).and_then(last_word) else {
        return true;
    };
    let words = |part: &str| part.trim_end().ends_with(param) && last_word(part) == Some(param);
    // `field = param;`, `free(param)`, `return param;`
    body.split(';').any(|statement| {
        let assigned = statement
            .rsplit_once('=')
            .is_some_and(|(_, value)| words(value));
        assigned
            || statement.trim_start().starts_with("return") && words(statement)
            || statement.contains("free") && statement.contains(param)
    })
}

/// Parameters and body of a function that is defined in the preamble.
fn definition<'a>(preamble: &'a str, function: &str) -> Option<(&'a str, &'a str)> {
    for (at, _) in preamble.match_indices(function) {
        let before = preamble[..at].chars().next_back();
        let rest = preamble[at + function.len()..].trim_start();
        if before.is_some_and(is_word) || !rest.starts_with('(') {
            continue;
        }
        let Some(close) = rest.find(')') else {
            continue;
        };
        let behind = rest[close + 1..].trim_start();
        if !behind.starts_with('{') {
            continue;
        }
        let mut depth = 0usize;
        for (i, c) in behind.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some((&rest[1..close], &behind[1..i]));
            }
        }
        return Some((&rest[1..close], &behind[1..]));
    }
    None
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn last_word(text: &str) -> Option<&str> {
    let text = text.trim_end_matches(|c: char| !is_word(c));
    let start = text.rfind(|c: char| !is_word(c)).map_or(0, |i| i + 1);
    (start < text.len()).then(|| &text[start..])
}

#[cfg(test)]
mod tests {
    use super::keeps;

    #[test]
    fn functions_of_the_preamble() {
        let c = "
            static char *last;
            static void keep(int n, char *s) { last = s; }
            static void done(char *s) { if (s) { free(s); } }
            static int use(char *s) { int n = strlen(s); return n; }
            static char *same(char *s) { return s; }
            void declared(char *s);
        ";
        assert!(keeps(c, "keep", 1));
        assert!(!keeps(c, "keep", 0));
        assert!(keeps(c, "done", 0));
        assert!(!keeps(c, "use", 0));
        assert!(keeps(c, "same", 0));
        assert!(!keeps(c, "declared", 0));
        assert!(!keeps(c, "puts", 0));
        assert!(keeps(c, "g_free", 0));
        assert!(keeps("broken(char *s) {", "broken", 1));
    }
}
