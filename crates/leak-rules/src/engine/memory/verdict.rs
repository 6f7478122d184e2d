//! What a whole package does with a place.

use std::sync::Arc;

use go_model::db::{Db, DeclId};
use go_model::outline::outline;
use go_model::package::PackageId;

use super::index::who_mentions;
use super::life::{Life, is_overwritten, life};
use super::place::{Place, Shelf};
use super::repeat::{Chain, Runs, repeated};
use super::source::{Source, Through};
use super::uses::{Growth, Op, ops};

/// Something that grows in code that runs again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Growing {
    /// The declaration in which it grows, and how.
    pub(crate) decl: DeclId,
    pub(crate) growth: Growth,
    /// Why that runs again and again; `None` where results are kept for whoever asks.
    pub(crate) chain: Option<Chain>,
}

/// What is known of a place that grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Where it grows, the first one in the order of the package first.
    pub(crate) growing: Vec<Growing>,
    pub(crate) life: Option<Life>,
    /// The declarations in which elements are taken out one by one, all of them code that runs again and again.
    pub(crate) removing: Vec<DeclId>,
}

/// What a package does with a place that grows without bound; `None` where it does not, or where that is not known.
#[salsa::tracked(returns(clone))]
pub(crate) fn verdict(db: &dyn Db, package: PackageId, place: Place) -> Option<Arc<Verdict>> {
    judge(db, package, place).map(Arc::new)
}

fn judge(db: &dyn Db, package: PackageId, place: Place) -> Option<Verdict> {
    let is_main = package.name(db) == "main";
    if place.is_exported() && !is_main {
        return None;
    }
    let mentions = who_mentions(db, package, place.name())?;
    let mut grows: Vec<(DeclId, Growth)> = Vec::new();
    let mut removes: Vec<(DeclId, Runs)> = Vec::new();
    let mut inner = false;
    for &decl in mentions.iter() {
        for (at, op) in ops(db, decl).iter() {
            if *at != place {
                continue;
            }
            match op {
                Op::Grow(growth) if growth.runs != Runs::Once => grows.push((decl, *growth)),
                Op::Grow(_) => {}
                Op::Remove(runs) => removes.push((decl, *runs)),
                Op::Inner => inner = true,
                Op::Reset | Op::Guard | Op::Escape => return None,
            }
        }
    }
    if inner {
        grows.retain(|(_, growth)| growth.outer);
    }
    if grows.is_empty() {
        return None;
    }
    let life = match place {
        Place::Var(_) | Place::Inner(..) => None,
        Place::Field(ty, _) => {
            if is_overwritten(db, package, ty) {
                return None;
            }
            Some(life(db, package, ty)?)
        }
    };
    let growing: Vec<Growing> = (grows.into_iter())
        .filter(|(decl, _)| !outline(db, decl.file(db)).generated)
        .filter_map(|(decl, growth)| grown(db, decl, growth, is_main))
        .collect();
    if growing.is_empty() {
        return None;
    }
    if !removes
        .iter()
        .all(|(decl, runs)| is_repeated(db, *decl, *runs))
    {
        return None;
    }
    Some(Verdict {
        growing,
        life,
        removing: removes.into_iter().map(|(decl, _)| decl).collect(),
    })
}

fn is_repeated(db: &dyn Db, decl: DeclId, runs: Runs) -> bool {
    match runs {
        Runs::Once => false,
        Runs::Handler | Runs::Loop => true,
        Runs::Function => repeated(db, decl, 0).is_some(),
    }
}

/// Whether a growth happens again and again with keys from outside.
fn grown(db: &dyn Db, decl: DeclId, growth: Growth, is_main: bool) -> Option<Growing> {
    let whole = |chain| {
        Some(Growing {
            decl,
            growth,
            chain,
        })
    };
    let (bits, through) = match growth.key {
        Source::Params(bits, through) => (bits, through),
        Source::Input(through) => (0, through),
        Source::Bounded | Source::State | Source::Unknown => return None,
    };
    let here = |runs| Chain {
        decls: vec![decl],
        runs,
        through,
    };
    match growth.runs {
        Runs::Once => return None,
        Runs::Handler => return whole(Some(here(Runs::Handler))),
        Runs::Loop if bits == 0 => return whole(Some(here(Runs::Loop))),
        Runs::Loop | Runs::Function => {}
    }
    if let Some(mut chain) = repeated(db, decl, bits) {
        chain.through = chain.through.max(through);
        return whole(Some(chain));
    }
    // A cache that anybody may ask: results are kept for each argument.
    let keyed = matches!(growth.shelf, Shelf::Map | Shelf::SyncMap);
    let asked = growth.memo
        && keyed
        && bits != 0
        && through == Through::Straight
        && !is_main
        && decl.name(db).is_exported();
    asked.then_some(Growing {
        decl,
        growth,
        chain: None,
    })
}
