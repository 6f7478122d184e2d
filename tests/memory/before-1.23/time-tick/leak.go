// Package leak waits with tickers that nobody can stop.
package leak

import "time"

func wait(done <-chan struct{}) int {
	rounds := 0
	tick := time.Tick(time.Hour) // grows
	for {
		select {
		case <-tick:
			rounds++
		case <-done:
			return rounds
		}
	}
}

// Step waits for what is done.
func Step() {
	done := make(chan struct{})
	close(done)
	for range 10_000 {
		wait(done)
	}
}
