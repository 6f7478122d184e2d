//! What every target asks of evidence, whatever the bytes.

use std::sync::Arc;

use leak_evidence::{
    Evidence, Family, Finding, Function, Growth, Limits, Literal, Module, Outline, Profile,
    Resolver, Series, Thresholds, Workspace, join, read_with, weigh,
};

/// Reads bytes as evidence, walks all of it, and places it in a small workspace.
pub fn check_evidence(bytes: &[u8]) {
    let limits = Limits {
        inflated: 1 << 20,
        ..Limits::default()
    };
    let Ok(profiles) = read_with(bytes, &limits) else {
        return;
    };
    for profile in &profiles {
        walk(profile);
        place(profile);
    }
}

fn walk(profile: &Profile) {
    profile.totals();
    for sample in profile.samples() {
        assert_eq!(sample.values().len(), profile.types.len());
        sample.operation();
        sample.labels().count();
        for frame in sample.frames() {
            let frame = profile.frame(frame);
            leak_evidence::FunctionName::parse(profile.text(frame.function));
            profile.text(frame.file);
        }
        if let Some(creator) = sample.goroutines().and_then(|state| state.created_by) {
            profile.frame(creator);
        }
    }
}

fn place(profile: &Profile) {
    let resolution =
        Resolver::new(&Small, &[("/build".to_owned(), "/w".to_owned())]).resolve(profile);
    let weights = weigh(profile, &resolution);
    for line in &weights.lines {
        assert!(Small.is_file(&line.place.path));
        assert_eq!(line.own.len(), profile.types.len());
    }
    let growth = Growth::between(&weights, &weights);
    Series::of(&[&weights, &weights]);
    let finding = Finding {
        rule: "a-rule".to_owned(),
        family: Family::Goroutines,
        path: "/w/file.go".to_owned(),
        lines: (10, 20),
        related: Vec::new(),
    };
    let evidence = Evidence {
        weights: &weights,
        growth: growth.as_ref(),
    };
    join(&[finding], &[evidence], &Thresholds::default());
}

/// One file with two functions.
struct Small;

impl Workspace for Small {
    fn is_file(&self, path: &str) -> bool {
        path == "/w/file.go"
    }

    fn modules(&self) -> Vec<Module> {
        vec![Module {
            path: "path".to_owned(),
            dir: "/w".to_owned(),
        }]
    }

    fn files_named(&self, name: &str) -> Vec<String> {
        (name == "file.go")
            .then(|| "/w/file.go".to_owned())
            .into_iter()
            .collect()
    }

    fn outline(&self, _: &str) -> Option<Arc<Outline>> {
        let function = |name: &str, start_line, end_line| Function {
            name: name.to_owned(),
            start_line,
            end_line,
            literals: vec![Literal {
                start_line: start_line + 1,
                end_line: end_line - 1,
                go_line: Some(start_line + 1),
            }],
        };
        Some(Arc::new(Outline {
            functions: vec![function("leak", 10, 20), function("Pool.Send", 30, 40)],
        }))
    }
}

/// Text that begins like this, so that a mutation does not make something else of it.
pub fn check_text(beginning: &str, bytes: &[u8]) {
    let mut text = beginning.as_bytes().to_vec();
    // What is no text would be read as profile.proto, which has a target of its own.
    text.extend(bytes.iter().map(|byte| match byte {
        b'\t' | b'\n' | b'\r' | 0x1b | 0x20..0x7f | 0x80.. => *byte,
        _ => b'\n',
    }));
    check_evidence(&text);
}
