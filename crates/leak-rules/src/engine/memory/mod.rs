//! The memory engine: who makes it grow, and does anybody ever make it smaller?
//!
//! A *place* is a package variable, or a field of a type of the package, that holds a collection. Each declaration that mentions a place
//! says what it does with it ([`uses`]): grow, shrink, ask for its length, let it escape. [`verdict`] puts together what the whole package
//! does; [`repeat`] asks whether a place grows in code that runs again and again, with keys that come from outside ([`source`]), and
//! [`life`] whether what holds it lives as long as the process.
//!
//! What is known of a declaration is computed without places in the text, so that an edit elsewhere finds it unchanged; and only
//! declarations that mention the name of a place that may grow are resolved ([`index`]).
//!
//! Architecture invariant: what anybody else might change (an exported variable, a map that is returned or handed to something unknown)
//! has escaped, and nothing is reported of it.

mod body;
mod captured;
mod index;
pub(crate) mod labels;
mod life;
mod place;
mod repeat;
mod report;
mod series;
mod served;
mod shape;
mod source;
mod twin;
mod uses;
mod verdict;
mod wrapped;

pub(crate) use place::Shelf;
pub(crate) use report::{churning, growing};
pub(crate) use wrapped::{DERIVING, WRAPPING, wrapping};
