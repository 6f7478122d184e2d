// Package leak lets go of objects that wait for their own end.
package leak

import "runtime"

type handle struct {
	fd  int
	buf []byte
}

func closeFd(fd int) { runtime.KeepAlive(fd) }

func open(fd int) *handle {
	h := &handle{fd: fd, buf: make([]byte, 32<<10)} // grows
	runtime.SetFinalizer(h, func(_ *handle) {
		closeFd(h.fd)
	})
	return h
}

type parent struct {
	fd    int
	buf   []byte
	child *child
}

type child struct{ parent *parent }

func pair(fd int) *parent {
	p := &parent{fd: fd, buf: make([]byte, 32<<10)} // grows
	p.child = &child{parent: p}
	runtime.SetFinalizer(p, func(p *parent) {
		closeFd(p.fd)
	})
	return p
}

// Step makes objects and forgets them.
func Step() {
	for fd := range 64 {
		open(fd).fd++
		pair(fd).fd++
	}
}
