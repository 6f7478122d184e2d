// Package leak sends on a field from which nobody receives.
package leak

type notifier struct {
	events chan int
}

// Run sends.
func Run() {
	n := &notifier{events: make(chan int)}
	n.notify(1)
}

func (n *notifier) notify(event int) {
	n.events <- event
}
