// Package leak waits for its goroutine with a lock held that it needs.
package leak

import "sync"

type server struct {
	mu   sync.Mutex
	wg   sync.WaitGroup
	quit chan struct{}
	n    int
}

// Run starts and stops it.
func Run() {
	s := &server{quit: make(chan struct{})}
	s.start()
	s.stop()
}

func (s *server) start() {
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		<-s.quit
		s.mu.Lock()
		s.n++
		s.mu.Unlock()
	}()
}

func (s *server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.quit)
	s.wg.Wait()
}
