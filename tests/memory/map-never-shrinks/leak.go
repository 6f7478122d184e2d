// Package leak has as many sessions at a time as never before, and ends nearly all of them.
package leak

import (
	"net/http"
	"strconv"
	"sync"
)

var (
	mu       sync.Mutex
	sessions = map[string]int64{}
	most     = 20_000
)

func open(w http.ResponseWriter, r *http.Request) {
	mu.Lock()
	defer mu.Unlock()
	sessions[r.RemoteAddr] = r.ContentLength // grows
}

func shut(w http.ResponseWriter, r *http.Request) {
	mu.Lock()
	defer mu.Unlock()
	delete(sessions, r.RemoteAddr)
}

// Step opens twice as many sessions as the last time, and shuts all but a few.
func Step() {
	most *= 2
	for n := range most {
		open(nil, &http.Request{RemoteAddr: strconv.Itoa(n)})
	}
	for n := range most - 8 {
		shut(nil, &http.Request{RemoteAddr: strconv.Itoa(n)})
	}
}
