// Package leak takes two locks in both orders.
package leak

import "sync"

type server struct {
	mu    sync.Mutex
	conns map[int]*conn
}

type conn struct {
	mu sync.Mutex
	id int
}

// Run has both of them take the first lock before either takes the second one.
func Run() {
	s := &server{conns: map[int]*conn{}}
	c := &conn{id: 1}
	var both sync.WaitGroup
	both.Add(2)
	go s.add(c, &both)
	go c.close(s, &both)
}

func (s *server) add(c *conn, both *sync.WaitGroup) {
	s.mu.Lock()
	defer s.mu.Unlock()
	both.Done()
	both.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	s.conns[c.id] = c
}

func (c *conn) close(s *server, both *sync.WaitGroup) {
	c.mu.Lock()
	defer c.mu.Unlock()
	both.Done()
	both.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c.id)
}
