//! The service's own code: its files, its functions, and what the rules find in it.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use go_model::db::{Database, parsed, receiver_base, source_file};
use go_syntax::ast::{DeclTree, ExprKind, StmtKind};
use go_syntax::{LineIndex, Literals, NodeId, TextRange, TextSize};
use leak_evidence::{Family, Finding, Function, Literal, Module, Outline, Workspace};

/// A module in a folder, with the modules below it.
pub struct Code {
    db: Database,
    files: BTreeMap<String, PathBuf>,
    modules: Vec<Module>,
    outlines: RefCell<HashMap<String, Arc<Outline>>>,
}

impl Code {
    /// All files below a folder.
    pub fn read(root: &Path) -> std::io::Result<Self> {
        let mut code = Self {
            db: Database::new(),
            files: BTreeMap::new(),
            modules: Vec::new(),
            outlines: RefCell::default(),
        };
        code.add(root)?;
        Ok(code)
    }

    fn add(&mut self, folder: &Path) -> std::io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| name == "vendor") {
                continue;
            }
            if path.is_dir() {
                self.add(&path)?;
                continue;
            }
            if path.file_name().is_some_and(|name| name == "go.mod") {
                let text = std::fs::read_to_string(&path)?;
                let module = text.lines().find_map(|line| line.strip_prefix("module "));
                self.modules.extend(module.map(|module| Module {
                    path: module.trim().to_owned(),
                    dir: slashes(folder),
                }));
            }
            self.files.insert(slashes(&path), path);
        }
        Ok(())
    }

    /// The Go files, as paths with `/`.
    pub fn go_files(&self) -> impl Iterator<Item = &str> {
        let files = self.files.keys().map(String::as_str);
        files.filter(|path| path.ends_with(".go"))
    }

    /// The text of a file; empty if there is none.
    pub fn text(&self, path: &str) -> Arc<str> {
        source_file(&self.db, Path::new(path)).text(&self.db)
    }

    /// Where a line ends with a comment.
    pub fn line_with(&self, comment: &str) -> Option<(String, u32)> {
        let comment = format!("// {comment}");
        self.go_files().find_map(|path| {
            let text = self.text(path);
            let mut lines = text.lines().zip(1..);
            let (_, line) = lines.find(|(line, _)| line.ends_with(&comment))?;
            Some((path.to_owned(), line))
        })
    }

    /// What all rules find, for the join with evidence.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for path in self.go_files() {
            let file = source_file(&self.db, Path::new(path));
            let lines = |path: &Path, range: TextRange| {
                let index = LineIndex::new(&source_file(&self.db, path).text(&self.db));
                let last = range.end().max(range.start() + TextSize::from(1)) - TextSize::from(1);
                (index.line(range.start()) + 1, index.line(last) + 1)
            };
            for found in leak_rules::check_file(&self.db, file).iter() {
                let related = found.related.iter().map(|step| {
                    let path = step
                        .file
                        .as_deref()
                        .map_or(Path::new(path), PathBuf::as_path);
                    (slashes(path), lines(path, step.range).0)
                });
                findings.push(Finding {
                    rule: found.rule.to_owned(),
                    family: family(found.rule),
                    path: path.to_owned(),
                    lines: lines(Path::new(path), found.range),
                    related: related.collect(),
                });
            }
        }
        findings
    }

    fn read_outline(&self, path: &str) -> Outline {
        let index = LineIndex::new(&self.text(path));
        let line = |at: TextSize| index.line(at) + 1;
        // What initializes variables comes first and has no name.
        let mut functions = vec![Function::default()];
        for decl in &parsed(&self.db, source_file(&self.db, Path::new(path))).decls {
            let literals = literals(&decl.tree, |at| line(decl.start + at));
            let Some(func) = decl.tree.func() else {
                functions[0].literals.extend(literals);
                continue;
            };
            let receiver = func.receiver.as_ref();
            let receiver = receiver.and_then(|receiver| receiver_base(&decl.tree, receiver.ty));
            let name = func.name.name.as_str();
            functions.push(Function {
                name: receiver
                    .map_or_else(|| name.to_owned(), |ty| format!("{}.{name}", ty.as_str())),
                start_line: line(decl.start),
                end_line: line(decl.range().end()),
                literals,
            });
        }
        Outline { functions }
    }
}

impl Workspace for Code {
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
        if !path.ends_with(".go") || !self.is_file(path) {
            return None;
        }
        if let Some(known) = self.outlines.borrow().get(path) {
            return Some(known.clone());
        }
        let outline = Arc::new(self.read_outline(path));
        self.outlines
            .borrow_mut()
            .insert(path.to_owned(), outline.clone());
        Some(outline)
    }
}

/// The literals of a declaration, with the `go` statements that run them.
fn literals(tree: &DeclTree, line: impl Fn(TextSize) -> u32) -> Vec<Literal> {
    let mut started = HashMap::new();
    let mut found = Vec::new();
    for node in tree.walk_decl(Literals::Enter) {
        match node {
            NodeId::Stmt(id) => {
                if let StmtKind::Go(call) = tree[id].kind
                    && let ExprKind::Call { func, .. } = tree[call].kind
                {
                    started.insert(tree.unparen(func), line(tree[id].range.start()));
                }
            }
            NodeId::Expr(id) if tree.func_lit(id).is_some() => found.push(Literal {
                start_line: line(tree[id].range.start()),
                end_line: line(tree[id].range.end()),
                go_line: started.get(&id).copied(),
            }),
            NodeId::Expr(_) => {}
        }
    }
    found
}

fn family(rule: &str) -> Family {
    match leak_rules::rule(rule).map(|rule| rule.family) {
        Some(leak_rules::Family::Goroutines) => Family::Goroutines,
        Some(leak_rules::Family::Memory) => Family::Memory,
        _ => Family::Resources,
    }
}

/// As profiles write paths.
pub fn slashes(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}
