// Package search finds orders.
package search

import (
	"errors"
	"time"
)

// Find finds an order, if that does not take too long. If it does, nobody takes the result any more.
func Find(query string, patience time.Duration) error {
	found := make(chan string)
	go func() {
		result := slowly(query)
		found <- result // leak: abandoned-send
	}()
	select {
	case result := <-found:
		return known(result)
	case <-time.After(patience):
		return errors.New("it takes too long")
	}
}

func slowly(query string) string {
	time.Sleep(20 * time.Millisecond)
	return query + "!"
}

func known(result string) error {
	if result == "" {
		return errors.New("not found")
	}
	return nil
}
