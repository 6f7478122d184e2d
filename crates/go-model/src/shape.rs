//! What an open document is apart from the bodies of its functions.
//!
//! A keystroke gives another text and another tree of the whole document, and nearly everything depends on these: what a file is called
//! in its package clause, what it imports and declares, and the trees of all of its declarations. If queries found out that all of this
//! is as before, then each of them would be run or looked at again for each declaration, at each keystroke. So the new tree is
//! compared with the one before when it comes in, and its parts are inputs of their own: the tree of each declaration ([`DeclSlot`]),
//! which is set where it differs, and the [`Shape`], which hardly ever changes and therefore is more durable. What depends only on the
//! latter is not looked at after a keystroke.
//!
//! That trees are of the lowest durability, also those of functions that nobody touches, is on purpose. A tree that becomes less durable
//! is another tree to the database, even where it is equal: everybody who asked what the function does would be asked again at the
//! first keystroke in it.

#![allow(missing_docs)] // What salsa's macros generate has no documentation.

use std::sync::Arc;

use go_syntax::ast::{self, DeclTree};
use rustc_hash::FxHashSet;

use crate::db::{Database, DeclId, DeclList, decl_key};
use crate::directives::{FileDirectives, directives_in};
use crate::outline::{FileOutline, head_of, outline_of};
use crate::workspace::{FileHeader, header_of};

/// The tree of a declaration of an open document.
#[salsa::input(debug)]
pub(crate) struct DeclSlot {
    #[returns(ref)]
    pub(crate) tree: Arc<DeclTree>,
}

/// What of an open document is the same before and after a keystroke in a function.
#[derive(Debug, Clone)]
pub struct Shape {
    pub(crate) header: Arc<FileHeader>,
    pub(crate) decls: Arc<DeclList>,
    /// Of each declaration.
    pub(crate) slots: Arc<[DeclSlot]>,
    pub(crate) outline: Arc<FileOutline>,
    pub(crate) directives: Arc<FileDirectives>,
}

impl PartialEq for Shape {
    fn eq(&self, other: &Self) -> bool {
        // Declarations have one slot each.
        self.header == other.header
            && same(&self.decls, &other.decls)
            && same(&self.outline, &other.outline)
            && same(&self.directives, &other.directives)
    }
}

fn same<T: PartialEq>(a: &Arc<T>, b: &Arc<T>) -> bool {
    Arc::ptr_eq(a, b) || a == b
}

impl Shape {
    /// The shape of a version with these declarations. What is as in the version before, whose trees are still in the slots, is taken
    /// from there.
    pub(crate) fn new(
        db: &Database,
        before: Option<&Self>,
        decls: Arc<DeclList>,
        text: &str,
        tree: &ast::File,
    ) -> Self {
        let before = before.filter(|before| Arc::ptr_eq(&before.decls, &decls));
        let outline = before
            .filter(|before| before.has_outline_of(db, tree))
            .map(|before| Arc::clone(&before.outline));
        let slots = before.map(|before| Arc::clone(&before.slots));
        Self {
            header: Arc::new(header_of(text)),
            outline: outline.unwrap_or_else(|| Arc::new(outline_of(tree, &decls))),
            directives: Arc::new(directives_in(text, tree, &decls)),
            slots: slots.unwrap_or_else(|| {
                (decls.iter().zip(&tree.decls))
                    .map(|(id, decl)| db.slot(*id, &decl.tree))
                    .collect()
            }),
            decls,
        }
    }

    /// The slots of declarations that the next version does not have. They would keep their trees: a name that is typed is another
    /// name at each keystroke.
    pub(crate) fn slots_not_in(&self, next: &Self) -> Vec<DeclSlot> {
        if Arc::ptr_eq(&self.slots, &next.slots) {
            return Vec::new();
        }
        let kept: FxHashSet<DeclSlot> = next.slots.iter().copied().collect();
        let gone = self.slots.iter().filter(|slot| !kept.contains(slot));
        gone.copied().collect()
    }

    /// Whether a tree has the declarations of the last one, as far as their names go.
    pub(crate) fn has_decls_of(&self, db: &Database, tree: &ast::File) -> bool {
        self.slots.len() == tree.decls.len()
            && self
                .changed(db, tree)
                .all(|(_, before, now)| decl_key(before) == decl_key(now))
    }

    /// Whether a tree, which has the declarations of the last one, has its outline.
    fn has_outline_of(&self, db: &Database, tree: &ast::File) -> bool {
        self.outline.is_head_of(tree)
            && self
                .changed(db, tree)
                .all(|(id, before, now)| head_of(before, id) == head_of(now, id))
    }

    /// The declarations whose trees are not those in the slots, with both trees.
    fn changed<'a>(
        &'a self,
        db: &'a Database,
        tree: &'a ast::File,
    ) -> impl Iterator<Item = (DeclId, &'a DeclTree, &'a DeclTree)> {
        (self.decls.iter().zip(&*self.slots).zip(&tree.decls)).filter_map(|((id, slot), now)| {
            let before = slot.tree(db);
            (!Arc::ptr_eq(before, &now.tree)).then_some((*id, &**before, &*now.tree))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_is_renamed_keeps_no_tree() {
        let mut db = Database::default();
        let path = Path::new("/a/a.go");
        let mut slots = Vec::new();
        for name in ["f", "fo", "foo", "f"] {
            let text = format!("package a\n\nfunc g() {{}}\n\nfunc {name}() {{ g() }}\n");
            let file = db.open_document(path, text.into(), None);
            let shape = file.shape(&db).clone().unwrap();
            slots.extend(shape.slots.iter().copied());
            let with_tree = slots.iter().filter(|slot| slot.tree(&db).hash != 0);
            assert_eq!(with_tree.collect::<FxHashSet<_>>().len(), 2);
        }
        assert_eq!(slots.into_iter().collect::<FxHashSet<_>>().len(), 4);
        db.close_document(path);
    }
}
