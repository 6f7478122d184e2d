//! # What it does
//! Hints at labels of Prometheus metrics that are filled with what a request says: its path, its headers, its address; also with paths and texts of
//! any `url.URL`. Also at those of a vector in a package variable that never loses a series, where another one with the same label does.
//!
//! # Why it leaks
//! A vector of metrics makes a series for each combination of labels and keeps it for ever. Whoever sends requests with different paths or headers makes
//! as many series as they like; each of them also goes to the server that collects the metrics. Names of things that come and go, jobs or nodes, add up in
//! the same way, unless their series are deleted when they go.
//!
//! # Example
//! ```go
//! func handle(w http.ResponseWriter, r *http.Request) {
//! 	requests.WithLabelValues(r.URL.Path).Inc() // a series for each path that anybody asks for
//! }
//! ```
//!
//! # Use instead
//! ```go
//! func handle(w http.ResponseWriter, r *http.Request) {
//! 	requests.WithLabelValues(r.Pattern).Inc() // a series for each route
//! }
//! ```
//!
//! # When it stays silent
//! - The value went through a function that is not one of the standard library's for texts: it may choose one of a few.
//! - The method of the request, its pattern, and everything else that is not named here.
//! - All series of the vector are deleted somewhere (`Reset`), or it is given to something else than a registry.
//! - The vector is not known to be one of `github.com/prometheus/client_golang`.
//!
//! # Fix safety
//! The pattern of the route in place of the path is unsafe: it is another label, and it is empty where no `http.ServeMux` (Go 1.22) chose the handler.
//!
//! # References
//! - [Prometheus: do not overuse labels](https://prometheus.io/docs/practices/instrumentation/#do-not-overuse-labels)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::Need;
use crate::engine::memory::labels;
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "unbounded-labels",
    family: Family::Memory,
    severity: Severity::Hint,
    summary: "a metric gets a label that whoever sends requests chooses",
    fixes: "use the pattern of the route",
    overlaps: &[],
    tests: false,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unbounded_labels.rs",
    text: include_str!("unbounded_labels.rs"),
    needs: &[Need::names(labels::CHOOSING)],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    labels::findings(cx, RULE.name)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    // The module is not there, but its path is.
    const IMPORTS: &str = r#"
package a

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
)

var requests = prometheus.NewCounterVec(prometheus.CounterOpts{}, []string{"path"})
"#;

    #[test]
    fn must_flag() {
        check(&format!(
            r#"{IMPORTS}
func handle(w http.ResponseWriter, r *http.Request) {{
	requests.WithLabelValues(r.URL.Path).Inc() // want unbounded-labels/hint "`r.URL.Path`" want-fix "r.Pattern" unsafe
}}
"#
        ));
    }

    #[test]
    fn must_not_flag() {
        check(&format!(
            r#"{IMPORTS}
func handle(w http.ResponseWriter, r *http.Request) {{
	requests.WithLabelValues(r.Pattern).Inc()
	requests.WithLabelValues(route(r.URL.Path)).Inc()
}}

func route(path string) string {{
	if path == "/" {{
		return path
	}}
	return "other"
}}
"#
        ));
    }
}
