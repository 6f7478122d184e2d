// Package prometheus stands in for that of github.com/prometheus/client_golang. Like that one it keeps a counter for each combination of
// labels; it has nothing else.
package prometheus

import (
	"strings"
	"sync"
)

type CounterOpts struct{ Name string }

type Counter interface{ Inc() }

type counter struct {
	mu     sync.Mutex
	labels []string
	value  float64
}

func (c *counter) Inc() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.value++
}

type CounterVec struct {
	mu       sync.Mutex
	counters map[string]*counter
}

func NewCounterVec(CounterOpts, []string) *CounterVec {
	return &CounterVec{counters: map[string]*counter{}}
}

func (v *CounterVec) WithLabelValues(labels ...string) Counter {
	v.mu.Lock()
	defer v.mu.Unlock()
	key := strings.Join(labels, "\xff")
	found, ok := v.counters[key]
	if !ok {
		found = &counter{labels: append([]string(nil), labels...)}
		v.counters[key] = found
	}
	return found
}
