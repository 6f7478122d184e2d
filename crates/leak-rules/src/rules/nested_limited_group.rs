//! # What it does
//! Reports `Go` of an `errgroup.Group` with a limit that is called from a function which the same group runs: in the literal itself, in a closure
//! that it calls, or in a function of the same package that is given the group.
//!
//! # Why it leaks
//! With a limit, `Go` waits until one of the group's functions returns. When all of them wait in `Go`, none returns, and neither does `Wait`.
//!
//! # Example
//! ```go
//! var g errgroup.Group
//! g.SetLimit(4)
//! for _, dir := range dirs {
//! 	g.Go(func() error {
//! 		for _, file := range files(dir) {
//! 			g.Go(func() error { return read(file) }) // waits for a place, and keeps one
//! 		}
//! 		return nil
//! 	})
//! }
//! return g.Wait()
//! ```
//!
//! # Use instead
//! ```go
//! var g errgroup.Group
//! g.SetLimit(4)
//! for _, dir := range dirs {
//! 	g.Go(func() error {
//! 		var inner errgroup.Group
//! 		for _, file := range files(dir) {
//! 			inner.Go(func() error { return read(file) })
//! 		}
//! 		return inner.Wait()
//! 	})
//! }
//! return g.Wait()
//! ```
//!
//! # When it stays silent
//! - The group has no limit, or its limit is negative.
//! - The inner call is `TryGo`, or stands in a goroutine of its own.
//! - The group comes from elsewhere: nobody knows whether it has a limit.
//!
//! # Fix safety
//! A second group without a limit, for which the function waits, is unsafe: more goroutines may run at the same time. It is offered where the function
//! ends with `return nil` and does not return otherwise behind the inner `Go`.
//!
//! # References
//! - [`errgroup.Group.SetLimit`](https://pkg.go.dev/golang.org/x/sync/errgroup#Group.SetLimit)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::dispatch::Need;
use crate::engine::goroutine;
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "nested-limited-group",
    family: Family::Goroutines,
    severity: Severity::Information,
    summary: "a function of a limited group starts more goroutines of the same group",
    fixes: "start the inner goroutines in a second group",
    overlaps: &[],
    tests: true,
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/nested_limited_group.rs",
    text: include_str!("nested_limited_group.rs"),
    needs: &[Need::names(&["SetLimit"])],
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    goroutine::group::findings(cx, RULE.name)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn must_flag() {
        check(
            r#"
-- go.mod --
module example.com/m

go 1.26

require golang.org/x/sync v0.10.0

replace golang.org/x/sync => ./sync
-- sync/go.mod --
module golang.org/x/sync
-- sync/errgroup/errgroup.go --
package errgroup

type Group struct{ n int }

func (g *Group) Go(f func() error)    {}
func (g *Group) SetLimit(n int)       {}
func (g *Group) Wait() error          { return nil }
-- a.go --
package a

import "golang.org/x/sync/errgroup"

func read(dirs [][]string, one func(string) error) error {
	var g errgroup.Group
	g.SetLimit(4)
	for _, files := range dirs {
		g.Go(func() error {
			for _, file := range files {
				g.Go(func() error { return one(file) }) // want nested-limited-group/information "waits for a free place in `g`"
			}
			return nil
		})
	}
	return g.Wait()
}
"#,
        );
    }

    #[test]
    fn must_not_flag() {
        check(
            r#"
-- go.mod --
module example.com/m

go 1.26

require golang.org/x/sync v0.10.0

replace golang.org/x/sync => ./sync
-- sync/go.mod --
module golang.org/x/sync
-- sync/errgroup/errgroup.go --
package errgroup

type Group struct{ n int }

func (g *Group) Go(f func() error)    {}
func (g *Group) SetLimit(n int)       {}
func (g *Group) Wait() error          { return nil }
-- a.go --
package a

import "golang.org/x/sync/errgroup"

func two(dirs [][]string, one func(string) error) error {
	var g errgroup.Group
	g.SetLimit(4)
	for _, files := range dirs {
		g.Go(func() error {
			var inner errgroup.Group
			for _, file := range files {
				inner.Go(func() error { return one(file) })
			}
			return inner.Wait()
		})
	}
	return g.Wait()
}

func unlimited(dirs [][]string, one func(string) error) error {
	var g errgroup.Group
	g.SetLimit(-1)
	for _, files := range dirs {
		g.Go(func() error {
			g.Go(func() error { return one(files[0]) })
			return nil
		})
	}
	return g.Wait()
}
"#,
        );
    }
}
