// Package leak takes a lock that it holds.
package leak

import "sync"

type store struct {
	mu sync.Mutex
	n  int
}

// Run adds.
func Run() {
	s := &store{}
	s.add()
}

func (s *store) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

func (s *store) add() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.size() < 10 {
		s.n++
	}
}
