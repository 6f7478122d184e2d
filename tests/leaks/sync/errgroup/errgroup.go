// Package errgroup has as much of golang.org/x/sync/errgroup as the programs beside it need, so that nothing is fetched.
package errgroup

import "sync"

// Group runs functions and keeps the first error.
type Group struct {
	running sync.WaitGroup
	places  chan struct{}
	once    sync.Once
	err     error
}

// SetLimit says how many functions run at the same time.
func (g *Group) SetLimit(n int) {
	g.places = make(chan struct{}, n)
}

// Go runs a function when there is a place for it.
func (g *Group) Go(run func() error) {
	if g.places != nil {
		g.places <- struct{}{}
	}
	g.running.Add(1)
	go func() {
		defer g.running.Done()
		if err := run(); err != nil {
			g.once.Do(func() { g.err = err })
		}
		if g.places != nil {
			<-g.places
		}
	}()
}

// Wait waits for all of them.
func (g *Group) Wait() error {
	g.running.Wait()
	return g.err
}
