// Package leak waits, with a lock held, for goroutines that need it.
package leak

import "sync"

type stats struct {
	mu sync.Mutex
	n  int
}

// Run waits for a group, and for a value.
func Run() {
	go new(stats).group([]int{1, 2})
	go new(stats).receive(3)
}

func (s *stats) group(counts []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var wg sync.WaitGroup
	for _, n := range counts {
		wg.Add(1)
		go func() {
			defer wg.Done()
			s.mu.Lock()
			s.n += n
			s.mu.Unlock()
		}()
	}
	wg.Wait()
}

func (s *stats) receive(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := make(chan int)
	go func() {
		s.mu.Lock()
		s.n += n
		s.mu.Unlock()
		ch <- n * n
	}()
	return <-ch
}
