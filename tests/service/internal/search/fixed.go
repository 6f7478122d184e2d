package search

import (
	"errors"
	"time"
)

// FindFixed finds an order, if that does not take too long.
func FindFixed(query string, patience time.Duration) error {
	found := make(chan string, 1)
	go func() {
		result := slowly(query)
		found <- result
	}()
	select {
	case result := <-found:
		return known(result)
	case <-time.After(patience):
		return errors.New("it takes too long")
	}
}
