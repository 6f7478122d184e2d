//! What a whole package does with a place.

use std::sync::Arc;

use go_model::db::{Db, DeclId, SourceFile};
use go_model::outline::outline;
use go_model::package::{PackageId, package_item, package_of_decl};
use go_syntax::Name;

use super::index::{imported_fields, who_mentions};
use super::life::{Life, is_made_again, is_overwritten, life};
use super::place::{Place, Shelf};
use super::repeat::{Chain, Runs, callers, repeated};
use super::shape::shape;
use super::source::{Source, Through};
use super::twin::{Twin, twin};
use super::uses::{Growth, Op, ops};

/// Something that grows in code that runs again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Growing {
    /// The declaration in which it grows, and how.
    pub(crate) decl: DeclId,
    pub(crate) growth: Growth,
    pub(crate) why: Why,
}

/// Why something is taken to grow again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// It is called by what runs again and again.
    Called(Chain),
    /// Results are kept for whoever asks.
    Asked,
    /// Whoever holds it may make it grow, and nobody can make it smaller.
    Shared,
    /// What stands beside it loses entries.
    Beside(Twin),
}

impl Growing {
    /// Keys that were received or looked up may be some of a few, unless the map only remembers which ones there were.
    pub(crate) fn is_sure(&self) -> bool {
        match &self.why {
            Why::Called(chain) => self.growth.set || chain.through == Through::Straight,
            Why::Asked => true,
            Why::Shared => false,
            Why::Beside(twin) => twin.is_sure(),
        }
    }
}

/// What is known of a place that grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Where it grows, the first one in the order of the package first.
    pub(crate) growing: Vec<Growing>,
    /// Where else it grows, as often as somebody calls that.
    pub(crate) also: Vec<(DeclId, Growth)>,
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
                Op::Grow(growth) if growth.may_go_on() => grows.push((decl, *growth)),
                Op::Grow(_) => {}
                Op::Remove(runs) => removes.push((decl, *runs)),
                Op::Inner => inner = true,
                Op::Blank => {}
                Op::Reset | Op::Guard | Op::Escape | Op::Taken => return None,
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
            life(db, package, ty)
        }
    };
    grows.retain(|(decl, _)| is_real(db, decl.file(db)));
    let lives = life.is_some() || !matches!(place, Place::Field(..));
    let mut growing: Vec<Growing> = Vec::new();
    if lives {
        let grown = |(decl, growth): &(DeclId, Growth)| grown(db, *decl, *growth, is_main);
        growing.extend(grows.iter().filter_map(grown));
    }
    // What is sure is told first.
    growing.sort_by_key(|g| !g.is_sure());
    // What stands beside it may say more than where its keys come from.
    if removes.is_empty()
        && !growing.first().is_some_and(Growing::is_sure)
        && let Some((decl, growth, twin)) = twin(db, package, place, &grows, lives)
    {
        let beside = Growing {
            decl,
            growth,
            why: Why::Beside(twin),
        };
        if growing.is_empty() || beside.is_sure() {
            growing.insert(0, beside);
        }
    }
    if growing.is_empty() && removes.is_empty() && !is_main {
        let shared = life == Some(Life::Works) && grows.iter().all(|(_, growth)| is_list(*growth))
            || may_be_shared(db, package, place);
        let lasts = || match place {
            Place::Field(ty, _) => !is_made_again(db, package, ty),
            Place::Var(_) | Place::Inner(..) => true,
        };
        let shared = |(decl, growth): &&(DeclId, Growth)| {
            (shared || growth.stamped && !is_list(*growth) && lasts())
                && is_shared(db, *decl, *growth, place)
        };
        growing.extend(grows.iter().filter(shared).map(|(decl, growth)| Growing {
            decl: *decl,
            growth: *growth,
            why: Why::Shared,
        }));
    }
    if growing.is_empty() {
        return None;
    }
    if !removes
        .iter()
        .all(|(decl, runs)| is_repeated(db, *decl, *runs))
    {
        return None;
    }
    let known = |(decl, growth): &(DeclId, Growth)| {
        (growing.iter()).any(|g| g.decl == *decl && g.growth == *growth)
    };
    let also = grows.into_iter().filter(|grown| !known(grown)).collect();
    Some(Verdict {
        growing,
        also,
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
    let whole = |why| Some(Growing { decl, growth, why });
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
        Runs::Handler => return whole(Why::Called(here(Runs::Handler))),
        Runs::Loop if bits == 0 => return whole(Why::Called(here(Runs::Loop))),
        Runs::Loop | Runs::Function => {}
    }
    if let Some(mut chain) = repeated(db, decl, bits) {
        chain.through = chain.through.max(through);
        return whole(Why::Called(chain));
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
        why: Why::Asked,
    })
}

/// Whether a file is neither generated nor a help for tests.
pub(super) fn is_real(db: &dyn Db, file: SourceFile) -> bool {
    let outline = outline(db, file);
    let tests = |path: &str| path == "testing" || path == "net/http/httptest";
    !outline.generated && !outline.imports.iter().any(|i| tests(i.path.as_str()))
}

/// Whether a place is made for several goroutines: a package variable, or a field beside a lock.
fn may_be_shared(db: &dyn Db, package: PackageId, place: Place) -> bool {
    let Place::Field(ty, _) = place else {
        return true;
    };
    if is_made_again(db, package, ty) {
        return false;
    }
    let Some(item) = package_item(db, package, ty) else {
        return false;
    };
    let locks = |(package, name): &(Name, Name)| {
        *package == "sync" && matches!(name.as_str(), "Mutex" | "RWMutex" | "Map")
    };
    imported_fields(db, &item).iter().any(locks)
}

fn is_list(growth: Growth) -> bool {
    matches!(growth.shelf, Shelf::Slice | Shelf::List)
}

/// Whether an exported function that makes no new holder puts something in that it makes, by a key that it is given.
fn is_shared(db: &dyn Db, decl: DeclId, growth: Growth, place: Place) -> bool {
    // A variable with a list of all that there are is filled by what makes them.
    if is_list(growth) && !matches!(place, Place::Field(..)) {
        return false;
    }
    // What is told to a function that somebody calls may be several things at once.
    let told = || {
        let callers = callers(db, package_of_decl(db, decl), decl);
        callers.iter().any(|(_, called)| called.given)
    };
    if growth.key <= Source::Unknown
        || growth.runs != Runs::Function
        || !(growth.made || growth.each && told())
    {
        return false;
    }
    is_reachable(db, decl, place)
}

/// Whether a function is called from outside of the package, other than by what makes a new holder of the place.
pub(super) fn is_reachable(db: &dyn Db, decl: DeclId, place: Place) -> bool {
    let package = package_of_decl(db, decl);
    let mut seen = vec![decl];
    let mut next = 0;
    while next < seen.len() && next < 30 {
        let at = seen[next];
        next += 1;
        let makes = match place {
            Place::Field(ty, _) => shape(db, at).makes.iter().any(|(made, _)| *made == ty),
            Place::Var(_) | Place::Inner(..) => false,
        };
        if makes {
            continue;
        }
        if at.name(db).is_exported() {
            return true;
        }
        for (caller, called) in callers(db, package, at) {
            // What is given to somebody who calls it is called as often as they like.
            if called.given || matches!(called.runs, Runs::Handler | Runs::Loop) {
                return true;
            }
            if called.runs != Runs::Once && !seen.contains(&caller) {
                seen.push(caller);
            }
        }
    }
    false
}
