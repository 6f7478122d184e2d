// Package leak waits for a condition that nobody signals.
package leak

import "sync"

type queue struct {
	mu    sync.Mutex
	cond  *sync.Cond
	items []int
}

// Run takes what another goroutine puts there.
func Run() {
	q := &queue{}
	q.cond = sync.NewCond(&q.mu)
	go func() {
		q.mu.Lock()
		go q.put(1)
		q.wait()
	}()
}

func (q *queue) put(item int) {
	q.mu.Lock()
	q.items = append(q.items, item)
	q.mu.Unlock()
}

func (q *queue) wait() {
	defer q.mu.Unlock()
	for len(q.items) == 0 {
		q.cond.Wait()
	}
}
