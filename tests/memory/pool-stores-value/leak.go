// Package leak puts slices into a pool.
package leak

import "sync"

var buffers = sync.Pool{New: func() any { return make([]byte, 64) }}

func render(n int) byte {
	buf := buffers.Get().([]byte)
	buf[0] = byte(n)
	first := buf[0]
	buffers.Put(buf) // allocates
	return first
}

// Step renders pages.
func Step() {
	for n := range 100_000 {
		if render(n) != byte(n) {
			panic("something else")
		}
	}
}
