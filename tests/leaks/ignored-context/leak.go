// Package leak does not look at its context.
package leak

import "context"

// Run starts it and goes away.
func Run() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a := make(chan int)
	serve(ctx, a, make(chan int))
	a <- 1
}

func serve(ctx context.Context, a, b chan int) {
	sum := 0
	go func() {
		for {
			select {
			case n := <-a:
				sum += n
			case n := <-b:
				sum -= n
			}
		}
	}()
}
