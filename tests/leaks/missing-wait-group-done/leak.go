// Package leak waits for goroutines that end without saying so.
package leak

import (
	"errors"
	"sync"
)

// Run fails.
func Run() {
	all([]func() error{
		func() error { return nil },
		func() error { return errors.New("failed") },
	})
}

func all(jobs []func() error) {
	var wg sync.WaitGroup
	for _, job := range jobs {
		wg.Add(1)
		go func() {
			if err := job(); err != nil {
				return
			}
			wg.Done()
		}()
	}
	wg.Wait()
}
