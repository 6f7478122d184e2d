// Package leak puts the buffers of large requests into a pool.
package leak

import (
	"bytes"
	"strings"
	"sync"
)

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func put(buf *bytes.Buffer) {
	buf.Reset()
	buffers.Put(buf)
}

func get(text string) *bytes.Buffer {
	buf := buffers.Get().(*bytes.Buffer)
	buf.WriteString(text) // grows
	return buf
}

var (
	text     = strings.Repeat("x", 256<<10)
	requests int
)

// Step has more requests at a time than there were before.
func Step() {
	requests += 8
	var used []*bytes.Buffer
	for range requests {
		used = append(used, get(text))
	}
	for _, buf := range used {
		put(buf)
	}
}
