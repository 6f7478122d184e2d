//! Running one test in a bubble, where a goroutine that never ends fails the test.

use go_model::db::{Db, SourceFile, parsed};
use go_model::workspace::go_version;
use go_syntax::TextSize;
use go_syntax::ast::{self, DeclKind, ExprKind};

use super::{Change, Companion, Refusal};
use crate::edit::{
    EditBuilder, first_on_line, line_end, line_start, next_line, raw_strings, usize_range,
};

/// What a test may not do with its `*testing.T` in a bubble: each of these panics there.
const NOT_IN_A_BUBBLE: [&str; 3] = ["Run", "Parallel", "Deadline"];

/// Wraps the body of the test around `offset` into `synctest.Test`, which waits for all its goroutines and fails if they are all
/// blocked for ever. Time is then the bubble's own.
///
/// # Errors
/// There is no test at the place, it is in a bubble already, it does what a bubble does not allow, or Go is older than 1.25.
pub fn in_bubble(db: &dyn Db, file: SourceFile, offset: TextSize) -> Result<Companion, Refusal> {
    if !go_version(db, file).at_least(1, 25) {
        return Err("`synctest.Test` is part of Go 1.25".to_owned());
    }
    let tree = parsed(db, file);
    let (decl, func, t) = test_at(&tree, offset)
        .filter(|_| file.is_test(db))
        .ok_or("there is no test here")?;
    let body = func.body.as_ref().ok_or("the test has no body")?;
    if decl.tree.has_error {
        return Err("the test cannot be read as a whole".to_owned());
    }
    for (_, expr) in decl.tree.exprs.iter() {
        let ExprKind::Selector { base, name } = &expr.kind else {
            continue;
        };
        let ExprKind::Ident(of) = &decl.tree[*base].kind else {
            continue;
        };
        if *of == t && NOT_IN_A_BUBBLE.iter().any(|method| name.name == *method) {
            return Err(format!("`{t}.{}` panics in a bubble", name.name));
        }
        if *of == "synctest" {
            return Err("the test is in a bubble already".to_owned());
        }
    }

    let text = file.text(db);
    let range = usize_range(body.range + decl.start);
    let (first, last) = (
        next_line(&text, range.start),
        line_start(&text, range.end - 1),
    );
    let own_lines = line_end(&text, range.start) == range.start + 1
        && first_on_line(&text, range.end - 1)
        && first < last;
    if !own_lines {
        return Err("the test's body does not have its lines for itself".to_owned());
    }
    let mut builder = EditBuilder::new(&text, &tree);
    let call = builder
        .qualified("testing/synctest", "synctest", "Test")
        .ok_or("the name `synctest` is taken")?;
    let param = &text[usize_range(func.signature.params[0].range + decl.start)];
    let raw = raw_strings(&text[first..last]);
    let mut inner = String::new();
    let mut line = first;
    while line < last {
        let next = next_line(&text, line).min(last);
        let inside = raw
            .iter()
            .any(|raw| raw.start + first < line && line <= raw.end + first);
        if !inside && line_end(&text, line) > line {
            inner.push('\t');
        }
        inner.push_str(&text[line..next]);
        line = next;
    }
    builder.replace(
        first..last,
        format!("\t{call}({t}, func({param}) {{\n{inner}\t}})\n"),
    );
    Ok(Companion {
        title: format!(
            "run {} in a bubble, where a leaked goroutine fails it",
            func.name.name
        ),
        changes: vec![Change::Edit(
            file,
            builder.finish().ok_or("the edit cannot be made")?,
        )],
        then: None,
    })
}

/// The test function around an offset, with the name of its parameter.
fn test_at(
    file: &ast::File,
    offset: TextSize,
) -> Option<(&ast::Decl, &ast::FuncDecl, go_syntax::Name)> {
    let decl = file
        .decls
        .iter()
        .find(|decl| decl.range().contains_inclusive(offset))?;
    let DeclKind::Func(func) = &decl.tree.kind else {
        return None;
    };
    let [param] = &*func.signature.params else {
        return None;
    };
    let name = func.name.name;
    let rest = name.as_str().strip_prefix("Test")?;
    let is_test = func.receiver.is_none()
        && func.signature.results.is_empty()
        && !rest.starts_with(|c: char| c.is_lowercase());
    let t = param.name?.name;
    (is_test && name != "TestMain" && t != "_" && is_testing_t(file, &decl.tree, param))
        .then_some((decl, func, t))
}

/// Whether a parameter is a `*testing.T`.
fn is_testing_t(file: &ast::File, tree: &ast::DeclTree, param: &ast::Param) -> bool {
    let ExprKind::Star(operand) = &tree[param.ty].kind else {
        return false;
    };
    let ExprKind::Selector { base, name } = &tree[*operand].kind else {
        return false;
    };
    let ExprKind::Ident(package) = &tree[*base].kind else {
        return false;
    };
    name.name == "T"
        && file.imports.iter().any(|import| {
            import.path == "testing"
                && match import.alias {
                    ast::ImportAlias::None => *package == "testing",
                    ast::ImportAlias::Named(alias) => alias.name == *package,
                    ast::ImportAlias::Dot | ast::ImportAlias::Blank => false,
                }
        })
}
