// Package leak has a loop without an exit.
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
	if ctx.Err() != nil {
		return
	}
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
