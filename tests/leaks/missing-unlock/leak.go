// Package leak keeps a lock, so that the next one who wants it waits for ever.
package leak

import "sync"

type table struct {
	mu      sync.Mutex
	entries map[string]int
}

// Run asks twice for what is not there.
func Run() {
	t := &table{entries: map[string]int{"a": 1}}
	t.get("b")
	t.get("b")
}

func (t *table) get(key string) (int, bool) {
	t.mu.Lock()
	n, ok := t.entries[key]
	if !ok {
		return 0, false
	}
	t.mu.Unlock()
	return n, true
}
