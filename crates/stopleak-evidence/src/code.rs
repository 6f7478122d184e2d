//! The code that evidence is placed in.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use go_model::db::{Database, DeclId, decls, parsed, receiver_base, source_file};
use go_model::gomod::GoMod;
use go_model::types::{Ty, TyKind};
use go_syntax::ast::{DeclTree, ExprId, ExprKind, StmtKind, UnaryOp};
use go_syntax::{Literals, NodeId, TextSize};
use leak_evidence::{Function, Literal, Module, Outline, Workspace};

use stopleak_config::files;

/// The files below folders.
pub struct Code {
    db: Database,
    files: BTreeSet<String>,
    by_name: HashMap<String, Vec<String>>,
    modules: Vec<Module>,
    outlines: RefCell<HashMap<String, Option<Arc<Outline>>>>,
}

impl Code {
    /// The files below `folders`, and their modules. It ends early when it is `stopped`.
    ///
    /// # Errors
    /// A folder does not exist.
    pub fn find(folders: &[PathBuf], stopped: &(dyn Fn() -> bool + Sync)) -> Result<Self, String> {
        let found = files::find_all(folders, stopped)?;
        let paths = found.files.into_iter().map(|file| file.path);
        let mut code = Self {
            db: Database::new(),
            modules: Vec::new(),
            files: BTreeSet::new(),
            by_name: HashMap::new(),
            outlines: RefCell::default(),
        };
        let mut folders = HashSet::new();
        for path in paths {
            code.add_modules(&path, &mut folders);
            code.add(with_slashes(&path));
        }
        Ok(code)
    }

    fn add(&mut self, path: String) {
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        if self.files.insert(path.clone()) {
            self.by_name.entry(name).or_default().push(path);
        }
    }

    /// The text of an open document counts, not what is on the disk.
    pub fn open_document(&mut self, path: &Path, text: Arc<str>) {
        self.db.open_document(path, text, None);
    }

    /// The Go files, as paths with `/`.
    pub fn go_files(&self) -> impl Iterator<Item = &str> {
        let files = self.files.iter().map(String::as_str);
        files.filter(|path| path.ends_with(".go"))
    }

    /// What is known about the code.
    pub fn db(&self) -> &Database {
        &self.db
    }

    /// The text of a file; empty if it cannot be read.
    pub fn text(&self, path: &str) -> Arc<str> {
        source_file(&self.db, Path::new(path)).text(&self.db)
    }

    fn read_outline(&self, path: &str) -> Option<Arc<Outline>> {
        (path.ends_with(".go") && self.files.contains(path))
            .then(|| Arc::new(outline(&self.db, Path::new(path))))
    }
}

/// The declarations of a file.
fn decls_of(db: &Database, path: &Path) -> Vec<(DeclId, TextSize, Arc<DeclTree>)> {
    let file = source_file(db, path);
    let tree = parsed(db, file);
    let ids = decls(db, file);
    tree.decls
        .iter()
        .zip(ids.iter())
        .map(|(decl, id)| (*id, decl.start, decl.tree.clone()))
        .collect()
}

/// The functions of a file.
pub fn outline(db: &Database, path: &Path) -> Outline {
    let lines = Lines::new(&source_file(db, path).text(db));
    // What initializes variables comes first and has no name.
    let mut functions = vec![Function::default()];
    for (_, start, tree) in decls_of(db, path) {
        let literals = literals(&tree, start, &lines);
        let Some(func) = tree.func() else {
            functions[0].literals.extend(literals);
            continue;
        };
        let receiver = func
            .receiver
            .as_ref()
            .and_then(|receiver| receiver_base(&tree, receiver.ty));
        let name = func.name.name.as_str();
        functions.push(Function {
            name: receiver.map_or_else(|| name.to_owned(), |ty| format!("{}.{name}", ty.as_str())),
            start_line: lines.at(start),
            end_line: lines.at(start + tree.len),
            literals,
        });
    }
    Outline { functions }
}

impl Workspace for Code {
    fn is_file(&self, path: &str) -> bool {
        self.files.contains(path)
    }

    fn modules(&self) -> Vec<Module> {
        self.modules.clone()
    }

    fn files_named(&self, name: &str) -> Vec<String> {
        self.by_name.get(name).cloned().unwrap_or_default()
    }

    fn outline(&self, path: &str) -> Option<Arc<Outline>> {
        if let Some(known) = self.outlines.borrow().get(path) {
            return known.clone();
        }
        let outline = self.read_outline(path);
        self.outlines
            .borrow_mut()
            .insert(path.to_owned(), outline.clone());
        outline
    }

    fn changed_since(&self, path: &str, time: i64) -> bool {
        let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
        modified
            .ok()
            .and_then(|modified| modified.duration_since(UNIX_EPOCH).ok())
            .is_some_and(|modified| modified.as_nanos() > u128::try_from(time).unwrap_or(0))
    }

    fn has_timer(&self, path: &str, line: u32) -> bool {
        let lines = Lines::new(&self.text(path));
        decls_of(&self.db, Path::new(path))
            .into_iter()
            .any(|(id, start, tree)| {
                (lines.at(start)..=lines.at(start + tree.len)).contains(&line)
                    && self.waits_for_time(id, &tree, |offset| lines.at(start + offset) == line)
            })
    }
}

impl Code {
    /// Whether something on a line receives from a channel of `time.Time`: those of timers, tickers, `time.After`.
    fn waits_for_time(
        &self,
        id: DeclId,
        tree: &DeclTree,
        on_line: impl Fn(TextSize) -> bool,
    ) -> bool {
        let mut channels = Vec::new();
        for node in tree.walk_decl(Literals::Enter) {
            if !on_line(tree.range(node).start()) {
                continue;
            }
            match node {
                NodeId::Expr(expr) => channels.extend(received_from(tree, expr)),
                NodeId::Stmt(stmt) => match &tree[stmt].kind {
                    StmtKind::Range { over, .. } => channels.push(*over),
                    StmtKind::Select { cases } => {
                        let arms = cases.iter().filter_map(|case| case.comm);
                        channels.extend(
                            tree.walk_all(arms.map(NodeId::Stmt), Literals::Skip)
                                .filter_map(NodeId::expr)
                                .filter_map(|expr| received_from(tree, expr)),
                        );
                    }
                    _ => {}
                },
            }
        }
        if channels.is_empty() {
            return false;
        }
        let facts = go_model::infer::facts(&self.db, id);
        channels.into_iter().any(|channel| {
            let ty = facts.types.get(tree.unparen(channel)).map(Ty::kind);
            matches!(ty, Some(TyKind::Chan(_, elem)) if elem.is_named("time", "Time"))
        })
    }
}

fn received_from(tree: &DeclTree, expr: ExprId) -> Option<ExprId> {
    match tree[expr].kind {
        ExprKind::Unary {
            op: UnaryOp::Receive,
            operand,
        } => Some(operand),
        _ => None,
    }
}

/// The literals of a declaration, with the statements that start goroutines with them.
fn literals(tree: &DeclTree, start: TextSize, lines: &Lines) -> Vec<Literal> {
    let mut started: HashMap<ExprId, TextSize> = HashMap::new();
    let mut found = Vec::new();
    for node in tree.walk_decl(Literals::Enter) {
        match node {
            NodeId::Stmt(stmt) => {
                if let StmtKind::Go(call) = tree[stmt].kind
                    && let ExprKind::Call { func, .. } = tree[call].kind
                {
                    started.insert(tree.unparen(func), tree[stmt].range.start());
                }
            }
            NodeId::Expr(expr) => match &tree[expr].kind {
                // `wg.Go(func() { … })`, as `sync.WaitGroup` and error groups have it. It only says which line is shown as the
                // one that started goroutines; those are there.
                ExprKind::Call { func, args, .. } => {
                    if let ExprKind::Selector { name, .. } = &tree[*func].kind
                        && name.name.as_str() == "Go"
                        && let [only] = **args
                    {
                        started.insert(tree.unparen(only), name.range.start());
                    }
                }
                ExprKind::FuncLit(_) => {
                    let range = tree[expr].range;
                    found.push(Literal {
                        start_line: lines.at(start + range.start()),
                        end_line: lines.at(start + range.end()),
                        go_line: started.get(&expr).map(|at| lines.at(start + *at)),
                    });
                }
                _ => {}
            },
        }
    }
    found
}

impl Code {
    /// The modules that a file is in: `go.mod` in its folder or above.
    fn add_modules(&mut self, file: &Path, seen: &mut HashSet<PathBuf>) {
        for dir in file.ancestors().skip(1) {
            if !seen.insert(dir.to_path_buf()) {
                break;
            }
            let Ok(text) = fs::read_to_string(dir.join("go.mod")) else {
                continue;
            };
            if let Some(path) = GoMod::parse(&text).module {
                self.modules.push(Module {
                    path: path.as_str().to_owned(),
                    dir: with_slashes(dir),
                });
            }
        }
    }
}

/// A path as recorded ones are written.
pub fn with_slashes(path: &Path) -> String {
    let text = path.to_string_lossy();
    if cfg!(windows) {
        text.replace('\\', "/")
    } else {
        text.into_owned()
    }
}

/// Where lines begin, as Go counts them.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    /// The line of an offset, from 1.
    fn at(&self, offset: TextSize) -> u32 {
        let before = self.0.partition_point(|at| *at < usize::from(offset));
        u32::try_from(before + 1).unwrap_or(u32::MAX)
    }
}
