//! All stacks of a profile, put together from their roots: what a flame graph shows.

use std::collections::HashMap;
use std::sync::Arc;

use leak_evidence::{FrameId, Origin, Profile, Resolution, strip_type_arguments};

/// Functions of a tree; stacks that would need more are cut where they leave it.
const MAX_NODES: usize = 500_000;

/// A tree of functions, callers above what they call.
#[derive(Debug, Clone)]
pub struct Tree {
    /// The first one is the root, and none comes before the one that calls it.
    nodes: Vec<Node>,
    names: Vec<Arc<str>>,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    parent: u32,
    function: Function,
    /// Of the stacks that end here.
    own: i64,
}

/// A function as it is shown: instances of generic ones are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Function {
    name: u32,
    origin: Origin,
}

/// A rectangle of a flame graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The function.
    pub function: Arc<str>,
    /// Whose it is.
    pub origin: Origin,
    /// How many calls are above it.
    pub depth: usize,
    /// Where it begins.
    pub start: i64,
    /// How wide it is.
    pub value: i64,
}

impl Tree {
    /// Of the values of interest of a profile.
    pub fn of(profile: &Profile, resolution: &Resolution) -> Self {
        let mut builder = Builder::new();
        let mut functions: HashMap<FrameId, Function> = HashMap::new();
        let mut stack: Vec<FrameId> = Vec::new();
        for sample in profile.samples() {
            let value = sample.values().get(profile.main_type).copied();
            let Some(value) = value.filter(|value| *value != 0) else {
                continue;
            };
            stack.clear();
            stack.extend(sample.frames());
            let path = stack.iter().rev().map(|id| {
                *functions.entry(*id).or_insert_with(|| {
                    let name = profile.text(profile.frame(*id).function);
                    Function {
                        name: builder.names.of(&strip_type_arguments(name)),
                        origin: resolution.frame(*id).origin,
                    }
                })
            });
            let path: Vec<Function> = path.collect();
            builder.add(path.into_iter(), value);
        }
        builder.finish()
    }

    /// What this tree has more than an earlier one. Stacks that have less are left out.
    pub fn since(&self, before: &Self) -> Self {
        let mut builder = Builder::new();
        for (tree, sign) in [(self, 1), (before, -1)] {
            for (index, node) in tree.nodes.iter().enumerate() {
                if node.own != 0 {
                    let path: Vec<_> = tree
                        .path(index)
                        .map(|function| Function {
                            name: builder.names.of(&tree.names[function.name as usize]),
                            ..function
                        })
                        .collect();
                    builder.add(path.into_iter().rev(), node.own.saturating_mul(sign));
                }
            }
        }
        builder.finish()
    }

    /// From a node up to the one below the root.
    fn path(&self, index: usize) -> impl Iterator<Item = Function> {
        let mut at = index;
        std::iter::from_fn(move || {
            (at != 0).then(|| {
                let node = &self.nodes[at];
                at = node.parent as usize;
                node.function
            })
        })
    }

    /// The rectangles that are at least `least` of the whole, a caller before what it calls; and the whole.
    pub fn cells(&self, least: f64) -> (i64, Vec<Cell>) {
        let mut sums: Vec<i64> = self.nodes.iter().map(|node| node.own.max(0)).collect();
        for index in (1..sums.len()).rev() {
            let parent = self.nodes[index].parent as usize;
            sums[parent] = sums[parent].saturating_add(sums[index]);
        }
        let total = sums[0];
        let least = ((total as f64 * least) as i64).max(1);
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate().skip(1) {
            if sums[index] >= least {
                children[node.parent as usize].push(index);
            }
        }
        let name = |index: usize| &self.names[self.nodes[index].function.name as usize];
        for siblings in &mut children {
            siblings.sort_by(|a, b| (sums[*b], name(*a)).cmp(&(sums[*a], name(*b))));
        }
        let mut cells = Vec::new();
        let mut open = vec![(0, 0, 0)];
        while let Some((index, depth, start)) = open.pop() {
            if index != 0 {
                cells.push(Cell {
                    function: name(index).clone(),
                    origin: self.nodes[index].function.origin,
                    depth: depth - 1,
                    start,
                    value: sums[index],
                });
            }
            let mut at = start;
            for child in &children[index] {
                open.push((*child, depth + 1, at));
                at = at.saturating_add(sums[*child]);
            }
        }
        (total, cells)
    }
}

#[derive(Default)]
struct Names {
    all: Vec<Arc<str>>,
    by_text: HashMap<Arc<str>, u32>,
}

impl Names {
    fn of(&mut self, text: &str) -> u32 {
        if let Some(known) = self.by_text.get(text) {
            return *known;
        }
        let index = u32::try_from(self.all.len()).unwrap_or(0);
        let text: Arc<str> = text.into();
        self.all.push(text.clone());
        self.by_text.insert(text, index);
        index
    }
}

struct Builder {
    nodes: Vec<Node>,
    names: Names,
    children: HashMap<(u32, Function), u32>,
}

impl Builder {
    fn new() -> Self {
        let mut names = Names::default();
        let root = Node {
            parent: 0,
            function: Function {
                name: names.of(""),
                origin: Origin::Unknown,
            },
            own: 0,
        };
        Self {
            nodes: vec![root],
            names,
            children: HashMap::new(),
        }
    }

    /// Adds a stack, from its root.
    fn add(&mut self, path: impl Iterator<Item = Function>, value: i64) {
        let mut at = 0_u32;
        for function in path {
            at = match self.children.get(&(at, function)) {
                Some(child) => *child,
                None if self.nodes.len() >= MAX_NODES => break,
                None => {
                    let child = self.nodes.len() as u32;
                    self.nodes.push(Node {
                        parent: at,
                        function,
                        own: 0,
                    });
                    self.children.insert((at, function), child);
                    child
                }
            };
        }
        let own = &mut self.nodes[at as usize].own;
        *own = own.saturating_add(value);
    }

    fn finish(self) -> Tree {
        Tree {
            nodes: self.nodes,
            names: self.names.all,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Builder, Function, Tree};
    use leak_evidence::Origin;

    fn tree(stacks: &[(&str, i64)]) -> Tree {
        let mut builder = Builder::new();
        for (stack, value) in stacks {
            let path: Vec<_> = stack
                .split(' ')
                .map(|name| Function {
                    name: builder.names.of(name),
                    origin: Origin::Workspace,
                })
                .collect();
            builder.add(path.into_iter(), *value);
        }
        builder.finish()
    }

    fn drawn(tree: &Tree, least: f64) -> (i64, Vec<(String, usize, i64, i64)>) {
        let (total, cells) = tree.cells(least);
        let cells = cells.into_iter();
        let cells = cells.map(|cell| {
            (
                cell.function.to_string(),
                cell.depth,
                cell.start,
                cell.value,
            )
        });
        (total, cells.collect())
    }

    fn cell(name: &str, depth: usize, start: i64, value: i64) -> (String, usize, i64, i64) {
        (name.to_owned(), depth, start, value)
    }

    #[test]
    fn the_heaviest_comes_first() {
        let tree = tree(&[("a b", 3), ("a c", 5), ("a", 2), ("d", 1)]);
        let (total, mut cells) = drawn(&tree, 0.0);
        cells.sort_by_key(|cell| (cell.1, cell.2));
        assert_eq!(total, 11);
        assert_eq!(
            cells,
            [
                cell("a", 0, 0, 10),
                cell("d", 0, 10, 1),
                cell("c", 1, 0, 5),
                cell("b", 1, 5, 3),
            ]
        );
        assert_eq!(
            drawn(&tree, 0.4).1,
            [cell("a", 0, 0, 10), cell("c", 1, 0, 5)]
        );
    }

    #[test]
    fn what_grew_is_left() {
        let before = tree(&[("a b", 3), ("a c", 5)]);
        let now = tree(&[("a c", 9), ("a b", 1), ("x", 2)]);
        let (total, cells) = drawn(&now.since(&before), 0.0);
        assert_eq!(total, 6);
        assert_eq!(
            cells,
            [cell("x", 0, 4, 2), cell("a", 0, 0, 4), cell("c", 1, 0, 4)]
        );
        assert_eq!(drawn(&before.since(&before), 0.0), (0, Vec::new()));
    }
}
