// Package page renders pages and remembers them.
package page

import (
	"bytes"
	"sync"
)

var (
	mu    sync.Mutex
	pages = map[string][]byte{}
)

// Get returns a page. All that were ever asked for are kept.
func Get(id string) []byte {
	mu.Lock()
	defer mu.Unlock()
	if page, ok := pages[id]; ok {
		return page
	}
	pages[id] = bytes.Repeat([]byte(id), 2<<10) // leak: unbounded-map
	return pages[id]
}
