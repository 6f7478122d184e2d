// Package leak remembers all that was ever said.
package leak

import (
	"net/http"
	"sync"
)

type room struct {
	mu   sync.Mutex
	said []*[256]byte
}

var lobby = &room{}

func (r *room) ServeHTTP(http.ResponseWriter, *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	line := new([256]byte) // grows
	r.said = append(r.said, line)
}

// Step says many things.
func Step() {
	for range 20_000 {
		lobby.ServeHTTP(nil, nil)
	}
}
