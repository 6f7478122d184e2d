//! What is kept by accident: a small part that pins a large whole, and things that nobody uses any more but something still refers to.
//!
//! [`buffer`] finds large buffers of a function's own, [`flow`] follows one and says which parts of it outlive the function, and
//! [`parts`] makes findings of that. The other modules each know one more way to keep something: see the rules.

pub(crate) mod buffer;
pub(crate) mod captured;
pub(crate) mod finalizer;
pub(crate) mod flow;
pub(crate) mod number;
pub(crate) mod parts;
pub(crate) mod pool;
pub(crate) mod regex;
pub(crate) mod tail;

use go_syntax::ast::ExprId;

use crate::check::CheckContext;
use crate::engine::function::{Depth, Function};

/// `F`, `T.M`, or `F.func1` for literals.
pub(crate) fn function_name(cx: &CheckContext<'_>, literal: Option<ExprId>) -> Option<String> {
    let d = cx.declaration(Depth::Shallow);
    let cfg = d.cfg(literal)?;
    Some(Function::new(d, literal, &cfg).name())
}
