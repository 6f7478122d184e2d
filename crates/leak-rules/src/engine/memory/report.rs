//! Findings about places that grow.

use std::sync::Arc;

use go_model::db::{Db, DeclId, decl_start, decl_tree};
use go_model::package::{PackageId, UnitKind, package_of_decl};
use go_syntax::{Name, TextRange};
use rustc_hash::FxHashSet;

use go_syntax::ast::StmtId;

use super::captured;
use super::index::{holders, may_delete, may_grow};
use super::life::Life;
use super::place::{Place, Shelf};
use super::repeat::Runs;
use super::twin::{Sign, Twin};
use super::uses::{Op, Use, uses};
use super::verdict::{Growing, Verdict, Why, verdict};
use crate::Severity;
use crate::check::{CheckContext, RawFinding, RawRelated};
use crate::engine::pattern::step;
use crate::engine::site::{FixSite, Pattern};

/// Places of these kinds that only grow. Each is told where it grows first.
pub(crate) fn growing(
    cx: &CheckContext<'_>,
    rule: &'static str,
    shelves: &[Shelf],
) -> Vec<RawFinding> {
    let mut findings = captured::findings(cx, rule, shelves);
    let Some((package, names)) = package(cx) else {
        return findings;
    };
    if !may_grow(cx.tree, &names) {
        return findings;
    }
    let mut told: Vec<Place> = Vec::new();
    for used in uses(cx.db, cx.decl).iter() {
        let Op::Grow(growth) = used.op else { continue };
        let of_rule = growth.may_go_on() && shelves.contains(&growth.shelf);
        if !of_rule || told.contains(&used.place) {
            continue;
        }
        let Some(verdict) = verdict(cx.db, package, used.place) else {
            continue;
        };
        let first = verdict.growing.first();
        let is_here = first.is_some_and(|g| g.decl == cx.decl && g.growth == growth);
        if verdict.removing.is_empty() && is_here {
            told.push(used.place);
            findings.push(grows(cx, rule, used, growth.shelf, &verdict));
        }
    }
    findings.sort_by_key(|finding| finding.range.start());
    findings
}

/// Maps that grow and shrink again and again, and keep their tables. Each is told where it shrinks first.
pub(crate) fn churning(cx: &CheckContext<'_>, rule: &'static str) -> Vec<RawFinding> {
    let Some((package, names)) = package(cx) else {
        return Vec::new();
    };
    if !may_delete(cx.tree, &names) {
        return Vec::new();
    }
    let mut told: Vec<Place> = Vec::new();
    let mut findings: Vec<RawFinding> = Vec::new();
    for used in uses(cx.db, cx.decl).iter() {
        if !matches!(used.op, Op::Remove(_)) || told.contains(&used.place) {
            continue;
        }
        let Some(verdict) = verdict(cx.db, package, used.place) else {
            continue;
        };
        let is_map = (verdict.growing.first()).is_some_and(|g| g.growth.shelf == Shelf::Map);
        // Where one function adds and takes out, an entry makes room for another.
        let in_turn = (verdict.growing.iter()).any(|g| verdict.removing.contains(&g.decl));
        if is_map && !in_turn && verdict.removing.first() == Some(&cx.decl) {
            told.push(used.place);
            findings.push(churns(cx, rule, used, &verdict));
        }
    }
    findings.sort_by_key(|finding| finding.range.start());
    findings
}

/// The package, unless it is a test, with the names of what may grow in it.
fn package(cx: &CheckContext<'_>) -> Option<(PackageId, Arc<FxHashSet<Name>>)> {
    let package = package_of_decl(cx.db, cx.decl);
    if package.kind(cx.db) != UnitKind::Normal {
        return None;
    }
    let names = holders(cx.db, package);
    (!names.is_empty()).then_some((package, names))
}

/// `F` or `T.M`.
pub(super) fn name_of(db: &dyn Db, decl: DeclId) -> String {
    match decl.receiver(db) {
        Some(ty) => format!("{ty}.{}", decl.name(db)),
        None => decl.name(db).to_string(),
    }
}

fn holder(place: Place, life: Option<Life>) -> String {
    let lives = match life {
        None if !matches!(place, Place::Field(..)) => {
            return format!("the package variable `{place}`");
        }
        None => return format!("`{place}`"),
        Some(Life::Variable(name)) => format!("held by the package variable `{name}`"),
        Some(Life::Serves) => "its holder answers requests".to_owned(),
        Some(Life::Works) => "its holder works in a loop".to_owned(),
        Some(Life::Main) => "`main` holds it".to_owned(),
        Some(Life::Held(name)) => format!("a long-lived `{name}` holds it"),
    };
    format!("`{place}` ({lives})")
}

fn grows(
    cx: &CheckContext<'_>,
    rule: &'static str,
    used: &Use,
    shelf: Shelf,
    verdict: &Verdict,
) -> RawFinding {
    let holder = holder(used.place, verdict.life);
    let why = verdict.growing.first().map(|g| &g.why);
    let when = when(why);
    let message = match (why, shelf) {
        (Some(Why::Beside(twin)), _) => beside(&holder, shelf, twin),
        (_, Shelf::Map | Shelf::SyncMap) => format!(
            "{holder} gets an entry for each new key {when}, and nothing in the package takes one out or limits their number"
        ),
        (_, Shelf::Slice | Shelf::List) => format!(
            "{holder} gets another element {when}, and nothing in the package takes one out or limits their number"
        ),
    };
    let mut finding = base(cx, rule, severity(shelf, verdict), message, used);
    steps(cx, used, verdict, &mut finding.related);
    if let Some(stmt) = used.stmt
        && matches!(shelf, Shelf::Map | Shelf::Slice)
    {
        let pattern = Pattern::Bound {
            map: shelf == Shelf::Map,
        };
        finding.site = site(cx, used, stmt, pattern);
    }
    finding
}

/// What is said of a place whose sibling loses entries.
fn beside(holder: &str, shelf: Shelf, twin: &Twin) -> String {
    let what = match shelf {
        Shelf::Map | Shelf::SyncMap => "an entry for each new key",
        Shelf::Slice | Shelf::List => "another element each time",
    };
    let sibling = twin.sibling.name();
    match twin.sign {
        Sign::Blanked => format!(
            "{holder} gets {what}, and keeps all of them: they are only set to nothing where `{sibling}` loses one"
        ),
        Sign::Paired => format!(
            "{holder} gets {what}, as `{sibling}` does, but only `{sibling}` loses any: nothing in the package takes one out here or limits their number"
        ),
        Sign::Follows => format!(
            "{holder} gets an entry for each key of `{sibling}`, but only `{sibling}` loses any: nothing in the package takes one out here or limits their number"
        ),
        Sign::Keyed => format!(
            "{holder} gets {what} by keys of which `{sibling}` loses some, and nothing in the package takes one out here or limits their number"
        ),
        Sign::Beside => format!(
            "{holder} gets {what} where `{sibling}` loses some, and nothing in the package takes one out here or limits their number"
        ),
    }
}

fn site(cx: &CheckContext<'_>, used: &Use, stmt: StmtId, pattern: Pattern) -> Option<Box<FixSite>> {
    let site = FixSite::pattern(used.literal, used.mention, Some(stmt), pattern, cx.in_test);
    Some(Box::new(site))
}

/// A list that grows is often one of few things, such as what was registered: that is a hint whatever is known of it.
fn severity(shelf: Shelf, verdict: &Verdict) -> Severity {
    match shelf {
        Shelf::Map | Shelf::SyncMap if verdict.growing.iter().any(Growing::is_sure) => {
            Severity::Information
        }
        Shelf::Map | Shelf::SyncMap | Shelf::Slice | Shelf::List => Severity::Hint,
    }
}

fn when(why: Option<&Why>) -> &'static str {
    match why {
        Some(Why::Called(chain)) if chain.runs == Runs::Handler => "for every request",
        Some(Why::Called(_)) => "in each round of a loop that goes on as long as the process",
        Some(Why::Asked) => "that is asked for",
        Some(Why::Shared | Why::Beside(_)) | None => "that callers bring",
    }
}

fn churns(cx: &CheckContext<'_>, rule: &'static str, used: &Use, verdict: &Verdict) -> RawFinding {
    let holder = holder(used.place, verdict.life);
    let message = format!(
        "{holder} gets entries and loses them again: a map keeps the memory of its largest size, and this one is never made anew"
    );
    let mut finding = base(cx, rule, Severity::Hint, message, used);
    finding
        .related
        .push(step("an entry is taken out here", used.range));
    if let Some(growing) = verdict.growing.first() {
        let uses = uses(cx.db, growing.decl);
        let grown = uses
            .iter()
            .find(|u| u.place == used.place && u.op == Op::Grow(growing.growth));
        if let Some(grown) = grown {
            let message = "entries are added here".to_owned();
            (finding.related).push(step_at(cx, growing.decl, message, grown.range));
        }
    }
    if let Some(stmt) = used.stmt {
        finding.site = site(cx, used, stmt, Pattern::MakeAnew);
    }
    finding
}

fn base(
    cx: &CheckContext<'_>,
    rule: &'static str,
    severity: Severity,
    message: String,
    used: &Use,
) -> RawFinding {
    RawFinding {
        rule,
        severity,
        message,
        range: used.range,
        function: Some(name_of(cx.db, cx.decl)),
        related: Vec::new(),
        site: None,
    }
}

/// How it comes to grow again and again, and where else it grows.
fn steps(cx: &CheckContext<'_>, used: &Use, verdict: &Verdict, related: &mut Vec<RawRelated>) {
    let db = cx.db;
    if let Some(Why::Called(chain)) = verdict.growing.first().map(|g| &g.why) {
        for (i, decl) in chain.decls.iter().enumerate() {
            let name = name_of(db, *decl);
            let message = match (i == 0, chain.runs) {
                (true, Runs::Handler) => format!("`{name}` runs for every request"),
                (true, _) => format!("`{name}` has a loop that waits for work"),
                (false, _) => format!("which calls `{name}`"),
            };
            related.push(at_name(cx, *decl, message));
        }
    }
    related.push(step("it grows here", used.range));
    if let Some(Why::Beside(twin)) = verdict.growing.first().map(|g| &g.why) {
        let of_sibling =
            |u: &&Use| u.place == twin.sibling && matches!(u.op, Op::Remove(_) | Op::Reset);
        let lost = format!("`{}` loses an entry here", twin.sibling.name());
        related.extend(step_in(cx, twin.decl, lost, of_sibling));
        let of_place = |u: &&Use| u.place == used.place && u.op == Op::Blank;
        let blank = "an entry is set to nothing here, and its key stays".to_owned();
        related.extend(step_in(cx, twin.decl, blank, of_place));
    }
    let others = verdict.growing.iter().skip(1).map(|g| (g.decl, g.growth));
    for (decl, growth) in others.chain(verdict.also.iter().copied()).take(4) {
        if decl == cx.decl {
            continue;
        }
        let grown = |u: &&Use| u.place == used.place && u.op == Op::Grow(growth);
        related.extend(step_in(cx, decl, "and here".to_owned(), grown));
    }
}

/// A step at the first of some uses of places in a declaration.
fn step_in(
    cx: &CheckContext<'_>,
    decl: DeclId,
    message: String,
    which: impl Fn(&&Use) -> bool,
) -> Option<RawRelated> {
    let uses = uses(cx.db, decl);
    let range = uses.iter().find(which)?.range;
    Some(step_at(cx, decl, message, range))
}

/// A step at a place in a declaration, which may be another one than that of the finding.
fn step_at(cx: &CheckContext<'_>, decl: DeclId, message: String, range: TextRange) -> RawRelated {
    if decl == cx.decl {
        return step(message, range);
    }
    RawRelated {
        message,
        file: Some(decl.file(cx.db).path(cx.db)),
        range: range + decl_start(cx.db, decl),
    }
}

/// A step at the name of a function.
pub(super) fn at_name(cx: &CheckContext<'_>, decl: DeclId, message: String) -> RawRelated {
    let db = cx.db;
    let tree = decl_tree(db, decl);
    let range = tree
        .func()
        .map_or(TextRange::default(), |func| func.name.range);
    step_at(cx, decl, message, range)
}
