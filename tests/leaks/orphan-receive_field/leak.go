// Package leak waits for a field on which nobody sends.
package leak

type waiter struct {
	ready chan struct{}
}

// Run waits.
func Run() {
	w := &waiter{ready: make(chan struct{})}
	w.wait()
}

func (w *waiter) wait() {
	<-w.ready
}
