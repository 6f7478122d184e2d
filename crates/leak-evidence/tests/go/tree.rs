//! A workspace in memory. Code is formatted, so indentation tells where functions end.

#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use leak_evidence::{Function, Literal, Module, Outline, Workspace};

#[derive(Debug, Default)]
pub struct Tree {
    pub files: BTreeMap<String, String>,
    pub modules: Vec<Module>,
    pub changed: bool,
    pub timers: Vec<(String, u32)>,
}

impl Tree {
    pub fn new(module: &str, dir: &str, files: &[(&str, &str)]) -> Self {
        let path = |name: &str| format!("{dir}/{name}");
        Self {
            files: files
                .iter()
                .map(|(name, text)| (path(name), (*text).to_owned()))
                .collect(),
            modules: vec![Module {
                path: module.to_owned(),
                dir: dir.to_owned(),
            }],
            ..Self::default()
        }
    }

    /// The only line of a file that contains this, from 1.
    pub fn line(&self, path: &str, part: &str) -> u32 {
        let mut lines = self.files[path].lines().zip(1..);
        let found = lines.find(|(line, _)| line.contains(part));
        found.unwrap_or_else(|| panic!("no {part} in {path}")).1
    }
}

impl Workspace for Tree {
    fn is_file(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    fn modules(&self) -> Vec<Module> {
        self.modules.clone()
    }

    fn files_named(&self, name: &str) -> Vec<String> {
        let end = format!("/{name}");
        let named = self.files.keys().filter(|path| path.ends_with(&end));
        named.cloned().collect()
    }

    fn outline(&self, path: &str) -> Option<Arc<Outline>> {
        path.ends_with(".go")
            .then(|| Arc::new(outline(&self.files[path])))
    }

    fn changed_since(&self, _: &str, _: i64) -> bool {
        self.changed
    }

    fn has_timer(&self, path: &str, line: u32) -> bool {
        self.timers.contains(&(path.to_owned(), line))
    }
}

fn outline(text: &str) -> Outline {
    let lines: Vec<&str> = text.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start_matches('\t').len();
    let end = |from: usize| {
        let depth = indent(lines[from]);
        let closing = |line: &&str| indent(line) == depth && line.trim_start().starts_with('}');
        let one_line = lines[from].trim_end().ends_with('}') || lines[from].ends_with("})");
        if one_line || !lines[from].contains('{') {
            return from as u32 + 1;
        }
        let after = lines[from + 1..].iter().position(closing);
        (from + 1 + after.unwrap()) as u32 + 1
    };
    let mut functions = vec![Function::default()];
    for (at, line) in lines.iter().enumerate() {
        let start_line = at as u32 + 1;
        if let Some(rest) = line.strip_prefix("func ") {
            functions.push(Function {
                name: name(rest),
                start_line,
                end_line: end(at),
                literals: Vec::new(),
            });
        } else if line.contains("func(") {
            let function = functions
                .iter_mut()
                .rfind(|f| (f.start_line..=f.end_line).contains(&start_line));
            let literal = Literal {
                start_line,
                end_line: end(at),
                go_line: line
                    .trim_start()
                    .starts_with("go func")
                    .then_some(start_line),
            };
            match function {
                Some(function) => function.literals.push(literal),
                None => functions[0].literals.push(literal),
            }
        }
    }
    Outline { functions }
}

fn name(rest: &str) -> String {
    match rest.strip_prefix('(') {
        Some(rest) => {
            let (receiver, rest) = rest.split_once(") ").unwrap();
            let ty = receiver.rsplit(' ').next().unwrap().trim_start_matches('*');
            let ty = ty.split('[').next().unwrap();
            format!("{ty}.{}", rest.split('(').next().unwrap())
        }
        None => rest.split(['(', '[']).next().unwrap().to_owned(),
    }
}
