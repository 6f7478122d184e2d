//! `go test -json`: the output of tests in pieces, those of parallel tests mixed.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

/// So many tests' outputs are kept apart.
const MAX_TESTS: usize = 100_000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event<'a> {
    #[serde(borrow)]
    action: Cow<'a, str>,
    #[serde(borrow, default)]
    package: Cow<'a, str>,
    #[serde(borrow, default)]
    test: Cow<'a, str>,
    #[serde(borrow, default)]
    output: Option<Cow<'a, str>>,
}

/// What each test printed.
#[derive(Debug, Default)]
pub(super) struct Outputs(BTreeMap<(String, String), String>);

impl Outputs {
    /// Takes a line that is an event; whether it is one.
    pub(super) fn take(&mut self, line: &[u8]) -> bool {
        if !line.starts_with(b"{\"") || memchr::memmem::find(line, b"\"Action\"").is_none() {
            return false;
        }
        let Ok(event) = serde_json::from_slice::<Event<'_>>(line) else {
            return false;
        };
        let Some(output) = event.output.filter(|_| event.action == "output") else {
            return true;
        };
        let key = (event.package.into_owned(), event.test.into_owned());
        if self.0.len() < MAX_TESTS || self.0.contains_key(&key) {
            self.0.entry(key).or_default().push_str(&output);
        }
        true
    }

    pub(super) fn outputs(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }
}
