// Package leak waits with tickers that nobody stops.
package leak

import "time"

func wait(done <-chan struct{}) int {
	rounds := 0
	ticker := time.NewTicker(time.Hour) // grows
	for {
		select {
		case <-ticker.C:
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
