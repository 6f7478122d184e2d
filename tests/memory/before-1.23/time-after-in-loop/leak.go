// Package leak makes a timer for each message.
package leak

import "time"

func sum(messages <-chan int) int {
	total := 0
	for {
		select {
		case n, ok := <-messages:
			if !ok {
				return total
			}
			total += n
		case <-time.After(time.Hour): // grows
			return -1
		}
	}
}

// Step sends messages.
func Step() {
	messages := make(chan int)
	go func() {
		defer close(messages)
		for range 20_000 {
			messages <- 1
		}
	}()
	if sum(messages) != 20_000 {
		panic("another sum")
	}
}
