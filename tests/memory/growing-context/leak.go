// Package leak wraps a context once more for each job.
package leak

import (
	"context"
	"errors"
)

type key struct{}

type job struct{ done chan error }

// do does not ask the context for anything, which would take longer with each job.
func do(ctx context.Context) error {
	if ctx == nil {
		return errors.ErrUnsupported
	}
	return nil
}

func work(ctx context.Context, jobs <-chan job) {
	for {
		j, ok := <-jobs
		if !ok {
			return
		}
		ctx = context.WithValue(ctx, key{}, j) // grows
		j.done <- do(ctx)
	}
}

var jobs = start()

func start() chan<- job {
	jobs := make(chan job)
	go work(context.Background(), jobs)
	return jobs
}

// Step has jobs done.
func Step() {
	done := make(chan error)
	for range 40_000 {
		jobs <- job{done}
		<-done
	}
}
