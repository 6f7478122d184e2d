//! Locks that are taken in one order here and in another one there.
//!
//! What a declaration takes while it holds something is computed once and without places, so that an edit elsewhere in the package asks
//! for it again and finds it unchanged; places are looked up where there is something to say.

use std::sync::Arc;

use go_model::db::{Db, DeclId, decl_start, decl_tree};
use go_model::package::{PackageId, package_decls, package_of_decl};
use go_syntax::TextRange;
use go_syntax::ast::{DeclTree, ExprKind};
use rustc_hash::FxHashMap;

use super::held::{Callees, Class, Event, Locks, takes_locks};
use super::lock::is_followed;
use super::uses::Uses;
use crate::Severity;
use crate::check::{CheckContext, RawFinding, RawRelated};
use crate::engine::facts;
use crate::engine::function::{Declaration, Depth, Function};
use crate::engine::pattern::{functions, step};

/// The most locks in a circle.
const MAX_CIRCLE: usize = 4;

/// A lock that is taken while another one is held.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Pair {
    held: Class,
    taken: Class,
    /// Locks of the whole package that are held besides, as writers: they let in one at a time.
    gates: Vec<Class>,
}

/// Where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Edge {
    pair: Pair,
    function: String,
    /// Where the first one is taken, and where the second one is, or what is called that takes it.
    first: TextRange,
    second: TextRange,
    /// Whether each of them is taken as a reader.
    reads: (bool, bool),
    /// From there to the lock.
    steps: Vec<RawRelated>,
}

/// What a declaration takes while it holds something.
#[salsa::tracked(returns(clone))]
fn edges(db: &dyn Db, decl: DeclId) -> Arc<Vec<Edge>> {
    Arc::new(edges_of(db, decl))
}

/// The same without places.
#[salsa::tracked(returns(clone))]
fn pairs(db: &dyn Db, decl: DeclId) -> Arc<Vec<Pair>> {
    let mut pairs: Vec<Pair> = edges(db, decl).iter().map(|e| e.pair.clone()).collect();
    pairs.sort();
    pairs.dedup();
    Arc::new(pairs)
}

/// What all declarations of a package take while they hold something.
#[salsa::tracked(returns(clone))]
fn package_pairs(db: &dyn Db, package: PackageId) -> Arc<Vec<(DeclId, Pair)>> {
    let decls = package_decls(db, package);
    Arc::new(
        (decls.iter())
            .flat_map(|decl| {
                pairs(db, *decl)
                    .to_vec()
                    .into_iter()
                    .map(|pair| (*decl, pair))
            })
            .collect(),
    )
}

/// Whether two locks may be taken: a question before anything is resolved.
fn may_hold(tree: &DeclTree) -> bool {
    let calls = tree
        .exprs
        .iter()
        .filter(|(_, e)| matches!(e.kind, ExprKind::Call { .. }));
    takes_locks(tree) && calls.take(2).count() == 2
}

fn edges_of(db: &dyn Db, decl: DeclId) -> Vec<Edge> {
    let tree = decl_tree(db, decl);
    if tree.has_error || tree.func().is_none() || !may_hold(&tree) {
        return Vec::new();
    }
    let facts = facts(db, decl);
    let d = Declaration::new(db, decl, &tree, &facts, Depth::Full);
    let uses = Uses::new(&d);
    let callees = Callees::default();
    let mut found: Vec<Edge> = Vec::new();
    for literal in functions(&tree) {
        let Some(cfg) = d.cfg(literal).filter(|cfg| !cfg.truncated) else {
            continue;
        };
        let f = Function::new(&d, literal, &cfg);
        let locks = Locks::new(&f, &uses);
        if !locks.ops.iter().any(|op| op.locks) {
            continue;
        }
        let classes: Vec<Option<Class>> = (locks.ops.iter())
            .map(|op| op.class.clone().filter(|_| is_followed(&f, &op.key)))
            .collect();
        let mut here: Vec<Edge> = Vec::new();
        let mut add = |held: &[usize],
                       (taken, reads): (&Class, bool),
                       second: TextRange,
                       steps: &[RawRelated]| {
            for h in held {
                let Some(first) = &classes[*h] else { continue };
                if first == taken {
                    continue;
                }
                let gates = (held.iter())
                    .filter(|g| !locks.ops[**g].reads)
                    .filter_map(|g| classes[*g].clone())
                    .filter(|g| matches!(g, Class::Package(..)) && g != first && g != taken)
                    .collect();
                let edge = Edge {
                    pair: Pair {
                        held: first.clone(),
                        taken: taken.clone(),
                        gates,
                    },
                    function: f.name(),
                    first: tree[locks.ops[*h].call].range,
                    second,
                    reads: (locks.ops[*h].reads, reads),
                    steps: steps.to_vec(),
                };
                let known = |e: &Edge| e.pair == edge.pair && e.second == edge.second;
                if !here.iter().any(known) {
                    here.push(edge);
                }
            }
        };
        let walked = locks.walk(&mut |event, held| match event {
            Event::Lock(i) => {
                if let Some(class) = &classes[i] {
                    let op = &locks.ops[i];
                    add(held, (class, op.reads), tree[op.call].range, &[]);
                }
            }
            Event::Call(call) if !held.is_empty() => {
                for (_, taken) in callees.taken_by(&d, call) {
                    if let Some(class) = &taken.class {
                        add(held, (class, taken.reads), tree[call].range, &taken.steps);
                    }
                }
            }
            _ => {}
        });
        if walked.is_some() {
            found.append(&mut here);
        }
    }
    found
}

/// Locks of a declaration that are taken the other way round elsewhere in the package.
pub(crate) fn findings(cx: &CheckContext<'_>, rule: &'static str) -> Vec<RawFinding> {
    if !may_hold(cx.tree) {
        return Vec::new();
    }
    let own = pairs(cx.db, cx.decl);
    if own.is_empty() {
        return Vec::new();
    }
    let all = package_pairs(cx.db, package_of_decl(cx.db, cx.decl));
    let mut found: Vec<RawFinding> = Vec::new();
    let mut told: Vec<(&Class, &Class)> = Vec::new();
    for pair in own.iter() {
        if told.contains(&(&pair.held, &pair.taken)) {
            continue;
        }
        if let Some(circle) = circle(cx.decl, pair, &all)
            && is_told_here(pair, &circle, &all)
            && let Some(finding) = report(cx, pair, &circle, rule)
        {
            told.push((&pair.held, &pair.taken));
            found.push(finding);
        }
    }
    found.sort_by_key(|finding| finding.range.start());
    found
}

/// The shortest way from what a pair takes back to what it holds, through other declarations.
fn circle<'a>(
    decl: DeclId,
    pair: &Pair,
    all: &'a [(DeclId, Pair)],
) -> Option<Vec<&'a (DeclId, Pair)>> {
    let mut ways: Vec<Vec<&(DeclId, Pair)>> = vec![Vec::new()];
    for _ in 1..MAX_CIRCLE {
        let mut longer = Vec::new();
        for way in ways {
            let at = way.last().map_or(&pair.taken, |(_, p)| &p.taken);
            for next in all {
                let again = way
                    .iter()
                    .any(|(d, p)| *d == next.0 || p.held == next.1.taken);
                if next.1.held != *at || next.0 == decl || again || is_gated(pair, &next.1) {
                    continue;
                }
                let mut way = way.clone();
                way.push(next);
                if next.1.taken == pair.held {
                    return Some(way);
                }
                if longer.len() < 256 {
                    longer.push(way);
                }
            }
        }
        ways = longer;
    }
    None
}

/// Whether a lock of the whole package lets only one of the two in at a time.
fn is_gated(a: &Pair, b: &Pair) -> bool {
    a.gates.iter().any(|gate| b.gates.contains(gate))
}

/// A circle is told at one of its places: at the rarer order of two, else at the lock that comes first by its name.
fn is_told_here(pair: &Pair, circle: &[&(DeclId, Pair)], all: &[(DeclId, Pair)]) -> bool {
    let [(_, back)] = circle[..] else {
        return circle.iter().all(|(_, p)| pair.held <= p.held);
    };
    let count = |held: &Class, taken: &Class| {
        let mut decls: Vec<DeclId> = (all.iter())
            .filter(|(_, p)| p.held == *held && p.taken == *taken)
            .map(|(d, _)| *d)
            .collect();
        decls.dedup();
        decls.len()
    };
    let (here, there) = (
        count(&pair.held, &pair.taken),
        count(&back.held, &back.taken),
    );
    here < there || (here == there && pair.held <= back.held)
}

fn report(
    cx: &CheckContext<'_>,
    pair: &Pair,
    circle: &[&(DeclId, Pair)],
    rule: &'static str,
) -> Option<RawFinding> {
    let own = edges(cx.db, cx.decl);
    let edge = own.iter().find(|e| e.pair == *pair)?;
    let others: FxHashMap<usize, Edge> = (circle.iter().enumerate())
        .filter_map(|(i, (decl, pair))| {
            let edge = edges(cx.db, *decl)
                .iter()
                .find(|e| e.pair == *pair)?
                .clone();
            Some((i, edge))
        })
        .collect();
    let (held, taken) = (pair.held.to_string(), pair.taken.to_string());
    let back = others.get(&0)?;
    // Readers let each other in, until a writer waits.
    let shared: Vec<String> = [
        (edge.reads.0 && back.reads.1, &held),
        (edge.reads.1 && back.reads.0, &taken),
    ]
    .into_iter()
    .filter(|(both, _)| *both)
    .map(|(_, lock)| format!("`{lock}`"))
    .collect();
    let mut message = match circle.len() {
        1 => format!(
            "`{taken}` is taken with `{held}` held here, and the other way round in `{}`: each may wait for the other",
            back.function
        ),
        _ => format!(
            "`{taken}` is taken with `{held}` held here, and elsewhere `{held}` behind `{taken}` by way of others: they may wait for each other in a circle"
        ),
    };
    if circle.len() == 1 && !shared.is_empty() {
        message.push_str(&format!(
            ", once somebody waits to write {}, which both take as readers",
            shared.join(" and ")
        ));
    }
    let mut found = RawFinding {
        rule,
        severity: Severity::Hint,
        message,
        range: edge.second,
        function: Some(edge.function.clone()),
        related: vec![
            step(format!("`{held}` is taken here"), edge.first),
            step(format!("then `{taken}` is waited for here"), edge.second),
        ],
        site: None,
    };
    found.related.extend(edge.steps.iter().cloned());
    for (i, (decl, pair)) in circle.iter().enumerate() {
        let edge = others.get(&i)?;
        let file = decl.file(cx.db).path(cx.db);
        let start = decl_start(cx.db, *decl);
        found.related.push(RawRelated {
            message: format!("in `{}`, `{}` is taken here", edge.function, pair.held),
            file: Some(file.clone()),
            range: edge.first + start,
        });
        found.related.push(RawRelated {
            message: format!("then `{}` is waited for here", pair.taken),
            file: Some(file),
            range: edge.second + start,
        });
        found.related.extend(edge.steps.iter().cloned());
    }
    Some(found)
}
