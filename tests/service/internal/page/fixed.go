package page

import "bytes"

const most = 16

var some = map[string][]byte{}

// GetFixed returns a page.
func GetFixed(id string) []byte {
	mu.Lock()
	defer mu.Unlock()
	if page, ok := some[id]; ok {
		return page
	}
	if len(some) >= most {
		clear(some)
	}
	some[id] = bytes.Repeat([]byte(id), 2<<10)
	return some[id]
}
