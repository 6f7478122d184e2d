// Package leak has pools of connections that it empties.
package leak

import "sync"

type conn struct{ buf []byte }

type pool struct {
	mu    sync.Mutex
	conns []*conn
}

var (
	pools [1024]*pool
	next  int
)

func (p *pool) add() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, &conn{buf: make([]byte, 16<<10)}) // grows
}

// cut leaves the first n of them.
func (p *pool) cut(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = p.conns[:n]
}

// remove takes one out.
func (p *pool) remove(i int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns[:i], p.conns[i+1:]...)
}

// Step fills pools and empties them.
func Step() {
	for range 8 {
		p := &pool{}
		pools[next%len(pools)] = p
		next++
		for range 16 {
			p.add()
		}
		p.remove(3)
		p.cut(0)
	}
}
