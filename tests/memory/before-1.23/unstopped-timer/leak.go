// Package leak waits with timers that nobody stops.
package leak

import (
	"errors"
	"time"
)

var errLate = errors.New("late")

func wait(results <-chan int) (int, error) {
	timer := time.NewTimer(time.Hour) // grows
	select {
	case <-timer.C:
		return 0, errLate
	case n := <-results:
		return n, nil
	}
}

// Step waits for results that are there.
func Step() {
	results := make(chan int, 1)
	for n := range 10_000 {
		results <- n
		if _, err := wait(results); err != nil {
			panic(err)
		}
	}
}
