// Package leak starts more of a group that has no place left.
package leak

import (
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

var sum atomic.Int64

// Run has the group full of functions that want more places.
func Run() {
	all([][]int64{{1, 2}, {3, 4}})
}

func all(lists [][]int64) error {
	var g errgroup.Group
	g.SetLimit(1)
	for _, list := range lists {
		g.Go(func() error {
			for _, n := range list {
				g.Go(func() error {
					sum.Add(n)
					return nil
				})
			}
			return nil
		})
	}
	return g.Wait()
}
