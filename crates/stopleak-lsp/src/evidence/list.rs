//! All lines with evidence, for lists in editors.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use go_model::db::{Database, source_file};
use leak_evidence::{Level, LineRef, Strength};
use serde_json::{Value, json};
use stopleak_evidence::words::display;

use super::Evidence;
use super::show::{proofs, shown, weight_text, words};
use crate::analysis::{self, Subject};
use crate::uri;

/// So many lines are listed.
const LINES: usize = 500;
/// So many files are searched for findings.
const FILES: usize = 100;

/// The lines that are shown, by weight. `subjects` are the files that findings are looked for in.
pub(crate) fn list(db: &Database, evidence: &Evidence, subjects: &[Arc<Subject>]) -> Vec<Value> {
    let known: HashMap<&Path, &Arc<Subject>> = subjects
        .iter()
        .map(|subject| (&*subject.path, subject))
        .collect();
    let mut rows = Vec::new();
    for path in evidence.files.keys() {
        let path = Path::new(path);
        let text = source_file(db, path).text(db);
        let Some(view) = evidence.view(db, path, &text) else {
            continue;
        };
        for (at, now) in shown(evidence, &view) {
            rows.push((at, now, path));
        }
    }
    rows.sort_by(|(a, now_a, path_a), (b, now_b, path_b)| {
        (evidence.rank(*a), path_a, now_a.line()).cmp(&(evidence.rank(*b), path_b, now_b.line()))
    });
    rows.truncate(LINES);
    let mut confirmed: HashMap<LineRef, Vec<(&'static str, Strength)>> = HashMap::new();
    let mut looked: Vec<&Path> = Vec::new();
    for (_, _, path) in &rows {
        if looked.contains(path) || looked.len() >= FILES {
            continue;
        }
        looked.push(path);
        let Some(subject) = known.get(path) else {
            continue;
        };
        let Some(found) = analysis::findings(db, subject) else {
            continue;
        };
        for (finding, proof) in found.findings.iter().zip(proofs(db, subject, &found)) {
            for (at, strength) in proof.into_iter().flat_map(|proof| proof.support) {
                confirmed
                    .entry(at)
                    .or_default()
                    .push((finding.rule, strength));
            }
        }
    }
    rows.iter()
        .filter_map(|(at, now, path)| {
            let rules = confirmed.get(at).map_or(&[][..], Vec::as_slice);
            let words = words(evidence, *at);
            let weights = &evidence.groups[at.profile].weights;
            let line = &weights.lines[at.line];
            let text = source_file(db, path).text(db);
            let source = text.split('\n').nth(now.line() as usize - 1).unwrap_or("");
            let source = source.trim_end();
            let start = source.len() - source.trim_start().len();
            // Indentation is of one unit in each encoding.
            let place =
                |character: usize| json!({ "line": now.line() - 1, "character": character });
            Some(json!({
                "uri": uri::of_path(path)?.as_str(),
                "range": { "start": place(start), "end": place(start) },
                "place": display(&path.to_string_lossy(), now.line(), &evidence.root),
                "source": source.trim(),
                "level": match evidence.level(*at) {
                    Some(Level::Warning) => "warning",
                    Some(Level::Information) => "information",
                    None => "none",
                },
                "kind": weights.kind.name(),
                "weight": evidence.weight(*at),
                "amount": weight_text(evidence, *at),
                "title": words.title(),
                "label": words.label(),
                "notes": words.notes(),
                "function": &*line.function,
                "status": if rules.is_empty() { "runtime only" } else { "confirmed" },
                "rules": rules.iter().map(|(rule, _)| *rule).collect::<Vec<_>>(),
            }))
        })
        .collect()
}
