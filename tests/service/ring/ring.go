// Package ring keeps the last values of something.
package ring

import "sync"

// A Ring keeps a fixed number of values.
type Ring[T any] struct {
	mu     sync.Mutex
	values []T
	next   int
}

// New returns a ring of n values.
func New[T any](n int) *Ring[T] {
	return &Ring[T]{values: make([]T, n)}
}

// Add replaces the oldest value by what make returns.
func (r *Ring[T]) Add(make func() T) {
	value := make()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.values[r.next] = value
	r.next = (r.next + 1) % len(r.values)
}
