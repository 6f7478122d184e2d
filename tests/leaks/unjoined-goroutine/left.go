// Package leak does not wait for its goroutine where something fails.
package leak

import (
	"errors"
	"sync"
	"time"
)

// Run is what returns too early.
func Run() {
	if group() == nil || channel() == nil {
		panic("nothing failed")
	}
}

func work()        { time.Sleep(300 * time.Millisecond) }
func setup() error { return errors.New("failed") }

func group() error {
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		work()
	}()
	if err := setup(); err != nil {
		return err
	}
	wg.Wait()
	return nil
}

func channel() error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		work()
	}()
	if err := setup(); err != nil {
		return err
	}
	<-done
	return nil
}
