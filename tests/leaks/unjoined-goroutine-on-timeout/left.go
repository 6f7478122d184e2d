// Package leak gives up waiting for its goroutine.
package leak

import "time"

// Run is what returns too early.
func Run() {
	if waited() {
		panic("it was quick")
	}
}

func work() { time.Sleep(300 * time.Millisecond) }

func waited() bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		work()
	}()
	select {
	case <-done:
		return true
	case <-time.After(10 * time.Millisecond):
		return false
	}
}
