//! Which variables still have the zero value that they were declared with.
//!
//! `var err error` shadowed in every branch, or a named result that nobody has assigned yet: what asks for them goes one way only.

use go_model::cfg::{BlockId, BlockSet, Node};
use go_model::facts::{LocalId, LocalKind};
use go_syntax::ast::{StmtId, StmtKind};
use go_syntax::{TextRange, TextSize};

use super::find::enclosing_literal;
use super::function::Function;

/// Whether nothing but the assignments of its own function changes a variable.
pub(super) fn is_seen(f: &Function<'_>, local: LocalId) -> bool {
    let l = &f.facts.locals[local];
    let sites = f.d.assigned(local);
    // A `range` may assign it too.
    if l.address_taken || sites.len() != l.assignments as usize {
        return false;
    }
    !l.captured
        || (sites.iter()).all(|at| enclosing_literal(f.tree, TextRange::empty(*at)) == l.owner)
}

/// Whether a variable of the function begins with its zero value.
pub(super) fn may_be_zero(f: &Function<'_>, local: LocalId) -> bool {
    let l = &f.facts.locals[local];
    l.owner == f.literal
        && is_seen(f, local)
        && match l.kind {
            LocalKind::Result => true,
            LocalKind::Var => declaration(f, local).is_some(),
            _ => false,
        }
}

/// The `var x T` of a variable.
fn declaration(f: &Function<'_>, local: LocalId) -> Option<StmtId> {
    let at = f.facts.locals[local].ident.range;
    let declares = |kind: &StmtKind| {
        let StmtKind::Var(specs) = kind else {
            return false;
        };
        specs
            .iter()
            .any(|spec| spec.values.is_empty() && spec.names.iter().any(|name| name.range == at))
    };
    let mut stmts = f.tree.stmts.iter();
    stmts.find(|(_, s)| declares(&s.kind)).map(|(id, _)| id)
}

/// Whether no assignment of a variable comes before a place, on any way through the blocks that are `reached`.
pub(super) fn is_zero_at(
    f: &Function<'_>,
    local: LocalId,
    (block, node): (BlockId, usize),
    reached: &BlockSet,
) -> bool {
    let sites = f.d.assigned(local);
    let declared = declaration(f, local);
    let preds = f.cfg.predecessors();
    let mut seen = BlockSet::new(f.cfg.blocks.len());
    let mut stack = vec![(block, node)];
    while let Some((block, node)) = stack.pop() {
        match last_change(f, block, node, sites, declared) {
            Some(Change::Assigned) => return false,
            Some(Change::Declared) => continue,
            None => {}
        }
        for &pred in preds.get(block).map_or(&[][..], Vec::as_slice) {
            if reached.contains(pred) && seen.insert(pred) {
                stack.push((pred, f.cfg[pred].nodes.len()));
            }
        }
    }
    true
}

enum Change {
    Assigned,
    Declared,
}

/// What happened to the variable last in a block before one of its nodes.
fn last_change(
    f: &Function<'_>,
    block: BlockId,
    node: usize,
    sites: &[TextSize],
    declared: Option<StmtId>,
) -> Option<Change> {
    let nodes = &f.cfg[block].nodes;
    for node in nodes[..node.min(nodes.len())].iter().rev() {
        let Node::Stmt(stmt) = node else { continue };
        if Some(*stmt) == declared {
            return Some(Change::Declared);
        }
        if sites.iter().any(|at| f.tree[*stmt].range.contains(*at)) {
            return Some(Change::Assigned);
        }
    }
    None
}
