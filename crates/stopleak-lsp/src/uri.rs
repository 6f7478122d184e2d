//! URIs and paths.
//!
//! The protocol's URI type is strict and a notification with a URI that it refuses is lost without a word, while editors do send
//! `file:///a/[id]/x.go`, blanks and raw letters of every script. So URIs are repaired before they are parsed. Documents are known
//! by [`path_of`] their URI: two spellings of the same file are the same document.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use tower_lsp::ls_types::Uri;

/// Makes a URI that a client sent acceptable to a strict parser. What is acceptable already is left as it is.
pub(crate) fn repair(uri: &str) -> Cow<'_, str> {
    if uri.is_empty() || is_acceptable(uri) {
        return Cow::Borrowed(uri);
    }
    let mut text = Cow::Borrowed(uri);
    if is_drive(uri.as_bytes()) {
        text = Cow::Owned(format!("file:///{}", uri.replace('\\', "/")));
    } else if uri.starts_with('/') {
        text = Cow::Owned(format!("file://{uri}"));
    }
    let scheme_end = match text.find(':') {
        Some(end) if is_scheme(&text[..end]) => end,
        _ => return Cow::Borrowed(uri),
    };
    let is_file = text[..scheme_end].eq_ignore_ascii_case("file");
    if is_file && text.contains('\\') {
        text = Cow::Owned(text.replace('\\', "/"));
    }
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(bytes.len() + 16);
    out.push_str(&text[..=scheme_end]);
    let mut i = scheme_end + 1;
    while i < bytes.len() {
        let byte = bytes[i];
        let keep = match byte {
            b'%' => is_escape(&bytes[i..]),
            // An editor that does not escape would write a file's name with these as they are; documents have no fragments.
            b'#' | b'?' => !is_file,
            _ => is_unreserved(byte) || b"!$&'()*+,;=:@/".contains(&byte),
        };
        if keep {
            out.push(char::from(byte));
        } else {
            push_escape(&mut out, byte);
        }
        i += 1;
    }
    Cow::Owned(out)
}

fn is_acceptable(uri: &str) -> bool {
    let is_file = uri
        .get(..5)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("file:"));
    // A path has no place for `#` and `?` in a file's URI: such a URI is repaired although it parses.
    let cut_short = is_file && uri.contains(['#', '?']);
    !cut_short && !is_drive(uri.as_bytes()) && Uri::from_str(uri).is_ok()
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

fn is_drive(text: &[u8]) -> bool {
    matches!(text, [letter, b':', b'/' | b'\\', ..] if letter.is_ascii_alphabetic())
}

fn is_escape(text: &[u8]) -> bool {
    matches!(text, [b'%', a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn push_escape(out: &mut String, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(HEX[usize::from(byte >> 4)]));
    out.push(char::from(HEX[usize::from(byte & 15)]));
}

/// The path that a document is known by: that of its file, or the URI itself for what is no file (`untitled:Untitled-1`).
pub(crate) fn path_of(uri: &str) -> PathBuf {
    path_on(uri, cfg!(windows)).unwrap_or_else(|| PathBuf::from(uri))
}

/// Whether a document's path is that of a file.
pub(crate) fn is_file(path: &Path) -> bool {
    path.is_absolute()
}

/// The URI of a file, as editors write it.
pub(crate) fn of_path(path: &Path) -> Option<Uri> {
    let text = uri_on(path, cfg!(windows));
    Uri::from_str(&text).ok()
}

fn path_on(uri: &str, windows: bool) -> Option<PathBuf> {
    let rest = uri
        .get(..5)
        .filter(|s| s.eq_ignore_ascii_case("file:"))
        .map(|_| &uri[5..])?;
    let (host, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None => ("", rest),
    };
    let path: Vec<u8> = percent_encoding::percent_decode_str(path).collect();
    let host = if host.eq_ignore_ascii_case("localhost") {
        ""
    } else {
        host
    };
    if windows {
        let path = String::from_utf8_lossy(&path).replace('/', "\\");
        let host = percent_encoding::percent_decode_str(host).decode_utf8_lossy();
        if !host.is_empty() {
            return Some(PathBuf::from(format!("\\\\{host}{path}")));
        }
        let path = path.trim_start_matches('\\');
        return Some(match path.as_bytes() {
            [letter, b':', ..] if letter.is_ascii_alphabetic() => PathBuf::from(format!(
                "{}{}",
                char::from(letter.to_ascii_uppercase()),
                &path[1..]
            )),
            _ => PathBuf::from(format!("\\{path}")),
        });
    }
    if path.is_empty() {
        return None;
    }
    let path = if host.is_empty() {
        path
    } else {
        [b"//", host.as_bytes(), &path].concat()
    };
    Some(bytes_to_path(path))
}

#[cfg(unix)]
fn bytes_to_path(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

#[cfg(not(unix))]
fn bytes_to_path(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(&bytes).into_owned())
}

fn uri_on(path: &Path, windows: bool) -> String {
    let text = path.as_os_str().as_encoded_bytes();
    let owned;
    let (prefix, text) = if windows {
        let text = path.to_string_lossy();
        let text = if let Some(share) = text.strip_prefix("\\\\?\\UNC\\") {
            format!("\\\\{share}")
        } else {
            text.strip_prefix("\\\\?\\").unwrap_or(&text).to_owned()
        };
        owned = text.replace('\\', "/").into_bytes();
        match owned.as_slice() {
            [b'/', b'/', share @ ..] => ("file://", share),
            plain => ("file:///", plain),
        }
    } else {
        ("file://", text)
    };
    let mut out = String::from(prefix);
    for &byte in text {
        if is_unreserved(byte) || byte == b'/' {
            out.push(char::from(byte));
        } else {
            push_escape(&mut out, byte);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn repaired(from: &str, to: &str) {
        let uri = repair(from);
        assert_eq!(uri, to);
        Uri::from_str(&uri).expect("a URI that parses");
        assert_eq!(repair(&uri), to, "a repaired URI is left alone");
    }

    #[test]
    fn repairs() {
        repaired("file:///a/b.go", "file:///a/b.go");
        repaired("file:///a/[id]/x.go", "file:///a/%5Bid%5D/x.go");
        repaired("file:///a b/ä.go", "file:///a%20b/%C3%A4.go");
        repaired("file:///100%/%zz/%41.go", "file:///100%25/%25zz/%41.go");
        repaired("file:///a/c#.go", "file:///a/c%23.go");
        repaired("/tmp/x.go", "file:///tmp/x.go");
        repaired("C:\\go\\x y.go", "file:///C:/go/x%20y.go");
        repaired("file:///C:\\go\\x.go", "file:///C:/go/x.go");
        repaired("untitled:Untitled-1", "untitled:Untitled-1");
        repaired("untitled:Ünt <1>", "untitled:%C3%9Cnt%20%3C1%3E");
        repaired("vscode-vfs://github/a?b#c", "vscode-vfs://github/a?b#c");
    }

    #[test]
    fn hopeless_uris_are_left_to_be_refused() {
        assert_eq!(repair(""), "");
        assert_eq!(repair("no scheme at all"), "no scheme at all");
    }

    #[test]
    fn spellings_of_one_file_are_one_path() {
        for uri in [
            "file:///a/[id]/x.go",
            "file:///a/%5Bid%5D/x.go",
            "file:///a/%5bid%5d/x.go",
            "file://localhost/a/[id]/x.go",
        ] {
            assert_eq!(
                path_on(&repair(uri), false),
                Some(PathBuf::from("/a/[id]/x.go")),
                "{uri}"
            );
        }
        assert_eq!(
            path_of("untitled:Untitled-1"),
            PathBuf::from("untitled:Untitled-1")
        );
        assert!(!is_file(&path_of("untitled:Untitled-1")));
    }

    #[test]
    fn windows_paths() {
        let path = |uri| path_on(uri, true).unwrap();
        assert_eq!(path("file:///c%3A/go/x.go"), PathBuf::from("C:\\go\\x.go"));
        assert_eq!(path("file:///C:/go/x.go"), PathBuf::from("C:\\go\\x.go"));
        assert_eq!(
            path("file://server/share/x.go"),
            PathBuf::from("\\\\server\\share\\x.go")
        );
        let uri = |path: &str| uri_on(Path::new(path), true);
        assert_eq!(uri("C:\\go\\x y.go"), "file:///C%3A/go/x%20y.go");
        assert_eq!(uri("\\\\?\\C:\\go\\x.go"), "file:///C%3A/go/x.go");
        assert_eq!(uri("\\\\server\\share\\x.go"), "file://server/share/x.go");
        assert_eq!(
            uri("\\\\?\\UNC\\server\\share\\x.go"),
            "file://server/share/x.go"
        );
    }

    #[cfg(unix)]
    #[test]
    fn any_unix_path_survives() {
        use std::os::unix::ffi::OsStrExt as _;
        for name in ["/a/b.go", "/with blank/[x]/ä#?%.go", "/日本/語.go"] {
            let uri = of_path(Path::new(name)).unwrap();
            assert_eq!(path_of(uri.as_str()), Path::new(name));
        }
        let bytes = Path::new(std::ffi::OsStr::from_bytes(b"/a/\xff.go"));
        assert_eq!(path_of(of_path(bytes).unwrap().as_str()), bytes);
    }
}
