// Package leak sends after the receiver has gone.
package leak

import (
	"context"
	"time"
)

// Run does it once with a timeout and once with a context.
func Run() {
	timeout(time.Millisecond)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	done(ctx)
}

func slow(n int) int {
	time.Sleep(20 * time.Millisecond)
	return n
}

func timeout(d time.Duration) int {
	ch := make(chan int)
	go func() {
		ch <- slow(1)
	}()
	select {
	case n := <-ch:
		return n
	case <-time.After(d):
		return 0
	}
}

func done(ctx context.Context) int {
	ch := make(chan int)
	go func() {
		ch <- slow(2)
	}()
	select {
	case n := <-ch:
		return n
	case <-ctx.Done():
		return 0
	}
}
